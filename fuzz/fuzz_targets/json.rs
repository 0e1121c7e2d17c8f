//! JSON requests: no bytes panic, and what is wrong with them is said without showing them (R52,
//! R55).
#![no_main]

use std::sync::LazyLock;

use contact_store::{
    AppId, AppName, BatchMode, ConnectApp, ContactStore, ContactUpdate, Limits, Options, wire,
};
use libfuzzer_sys::fuzz_target;

const APP: AppId = AppId::from_u128(0xa);

static STORE: LazyLock<ContactStore> = LazyLock::new(|| {
    let store = ContactStore::open_in_memory(Options::default()).unwrap();
    let name = AppName::parse("Bot").unwrap();
    store
        .connect_app(ConnectApp::new(name).id(APP))
        .wait()
        .unwrap();
    store
});

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let mut said = String::new();
    match wire::parse_add_tokens(APP, bytes, &limits) {
        // Each entry gets its own outcome; refused entries say why. Nothing is kept: the store must
        // not grow with the run.
        Ok(request) => {
            let request = request.entry(contact_store::TokenEntry::without_token());
            let refused = STORE
                .add_tokens(request.mode(BatchMode::AllOrNothing))
                .wait();
            said.push_str(&refused.unwrap_err().to_string());
        }
        Err(error) => said.push_str(&error.to_string()),
    }
    match wire::parse_reports(APP, bytes, &limits) {
        Ok(request) => {
            let outcome = STORE.record_reports(request).wait().unwrap().outcome;
            said.push_str(&serde_json::to_string(&wire::reports_recorded(&outcome)).unwrap());
        }
        Err(error) => said.push_str(&error.to_string()),
    }
    match wire::parse_upsert(bytes, &limits) {
        // The last item is refused, so nothing is kept.
        Ok(request) => {
            let request = request.contact(ContactUpdate::new());
            let refused = STORE.upsert(request.mode(BatchMode::AllOrNothing)).wait();
            said.push_str(&refused.unwrap_err().to_string());
        }
        Err(error) => said.push_str(&error.to_string()),
    }
    match wire::parse_send_request(bytes, &limits) {
        Ok(request) => {
            said.push_str(&format!("{request:?}"));
            let nobody = STORE.snapshot().unwrap().resolve(request.recipient);
            said.push_str(&nobody.unwrap_err().to_string());
        }
        Err(error) => said.push_str(&error.to_string()),
    }
    for error in [
        wire::parse_identifiers(bytes, &limits).err(),
        wire::Line::parse(bytes, &limits).err(),
    ]
    .into_iter()
    .flatten()
    {
        said.push_str(&error.to_string());
    }
    // A value that stands out, as the seeds hold it, is in no error.
    assert!(!said.contains("canary@"), "an error shows a value");
});
