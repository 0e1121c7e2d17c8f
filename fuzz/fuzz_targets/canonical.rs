//! Canonical forms: no text panics, and parsing a canonical form gives it back (R7).
#![no_main]

use contact_store::{ContactId, Email, ExternalCustomerId, GivenIdentifiers, Phone, Token};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(phone) = Phone::parse(text) {
        assert_eq!(Phone::parse(&phone.digits()), Ok(phone));
        assert!((1_000_000..1_000_000_000_000_000).contains(&phone.as_u64()));
    }
    if let Ok(email) = Email::parse(text) {
        assert!(email.as_str().len() <= 254);
        assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
        // One address: nothing before the last @ belongs to a list, a name or a link (R5).
        let (local, _) = email.as_str().rsplit_once('@').unwrap();
        assert!(!local.contains(['@', ',', ';', ':', '<', '>', '(', ')', '[', ']', '\\', '"']));
    }
    // What may stand around a number changes nothing; what may end it is not dropped (R4).
    let number = "+380501234567";
    let around = Phone::parse(&format!("\u{FEFF} {text}"));
    assert_eq!(around.ok(), Phone::parse(text).ok());
    for ending in [".0", "-8", "/8", "/68", "\u{2013}8", " +380501234568"] {
        assert!(Phone::parse(&format!("{number}{ending}")).is_err());
    }
    if let Ok(token) = Token::parse(text) {
        assert_eq!(token.as_str(), text);
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
