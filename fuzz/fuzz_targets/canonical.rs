//! Canonical forms: no text panics, and parsing a canonical form gives it back (R7).
#![no_main]

use contact_store::{ContactId, Email, ExternalCustomerId, GivenIdentifiers, Phone};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(phone) = Phone::parse(text) {
        assert_eq!(Phone::parse(&phone.digits()), Ok(phone));
        assert!((1_000_000..1_000_000_000_000_000).contains(&phone.as_u64()));
    }
    if let Ok(email) = Email::parse(text) {
        assert!(email.as_str().len() <= 254);
        assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
    }
    if let Ok(id) = ExternalCustomerId::parse(text) {
        assert_eq!(id.as_str(), text);
    }
    if let Ok(id) = ContactId::parse(text) {
        assert_eq!(id.to_string(), text);
    }
    // Whatever is wrong with a value, the error does not show it (R52).
    let marked = format!("zqzq{text}");
    let given = GivenIdentifiers::new()
        .external_customer_id(&marked)
        .phone(&marked)
        .email(marked);
    if let Err(error) = given.parse() {
        assert!(!error.to_string().contains("zqzq"));
    }
});
