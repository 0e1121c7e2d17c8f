//! A small store with rows of every kind.

use contact_store::{
    AccessKey, AddTokens, AppId, AppName, ConnectApp, ContactStore, ContactUpdate, DedupeOn,
    Options, RecordReports, RemoveToken, Report, Status, Token, TokenEntry, Upsert,
};

use crate::support::{APP, OTHER_APP, add, at, id, options, report};

/// Of the app that is not connected any more.
pub const FORMER_APP: AppId = AppId::from_u128(0xf);

/// The contacts that the sample has.
pub const CONTACTS: u64 = 10;

pub fn sample() -> ContactStore {
    sample_with(options().0)
}

pub fn sample_with(options: Options) -> ContactStore {
    let store = ContactStore::open_in_memory(options).unwrap();
    for (app, name, key) in [
        (APP, "First \"bot\"", Some("secret-key")),
        (FORMER_APP, "Former bot", None),
        (OTHER_APP, "Second bot", None),
    ] {
        let mut request = ConnectApp::new(AppName::parse(name).unwrap()).id(app);
        if let Some(key) = key {
            request = request.key(AccessKey::parse(key).unwrap());
        }
        store.connect_app(request).wait().unwrap();
    }
    // Contacts 1 to 6, of which 3 is erased.
    for n in 1..=6 {
        let entry = TokenEntry::new(format!("t-{n}"))
            .external_customer_id(format!("crm-{n}"))
            .phone(format!("38050000000{n}"))
            .email(format!("{n}@example.com"));
        add(&store, entry);
    }
    store.erase(id(3)).wait().unwrap();
    // One token, held in another order than that of the ids.
    for n in [5, 2, 6, 1] {
        let entry = TokenEntry::new("shared").external_customer_id(format!("crm-{n}"));
        add(&store, entry);
    }
    // Contact 7 was created through an app that goes, and has all kinds of text.
    let entry = TokenEntry::new("gone").email("7@example.com");
    let request = AddTokens::new(FORMER_APP).entry(entry);
    store.add_tokens(request).wait().unwrap();
    store.disconnect_app(FORMER_APP).wait().unwrap();
    let update = ContactUpdate::new()
        .email("7@example.com")
        .external_customer_id("\"quoted\\")
        .first_name("Їжак\u{0}\n\t\u{1f}\u{7f}")
        .last_name("")
        .language_code("uk")
        .time_zone("Europe/Kyiv")
        .field("city", "Kyiv, \"Київ\"")
        .field("ключ", "\u{2028}\u{1f600}");
    let request = Upsert::new(DedupeOn::Email).contact(update);
    store.upsert(request).wait().unwrap().outcome.all().unwrap();
    // Adopted ids: one run that the counter meets, one beside an erased id, one alone.
    for n in [8_u64, 9, 100, 101, 1 << 50] {
        let entry = TokenEntry::new(format!("t-{n}"))
            .contact_id(n)
            .external_customer_id(format!("crm-{n}"));
        let request = AddTokens::new(OTHER_APP).entry(entry);
        let added = store.add_tokens(request).wait().unwrap();
        added.outcome.entries.all().unwrap();
    }
    store.erase(id(101)).wait().unwrap();
    let said = |token: &str, status| Report::new(status).token(token);
    for said in [
        said("t-1", Status::Sent).message("m-1").at(at(900)),
        said("t-1", Status::Clicked).message("m-1").at(at(950)),
        said("t-2", Status::Failed).message("m-2").reason("later"),
        said("t-4", Status::Failed).reason("403"),
    ] {
        report(&store, said);
    }
    let said = said("t-8", Status::Sent).message("m \"1\"");
    let request = RecordReports::new(OTHER_APP).report(said);
    store.record_reports(request).wait().unwrap();
    let token = Token::parse("t-5").unwrap();
    let request = RemoveToken::of_all(APP, token);
    store.remove_token(request).wait().unwrap();
    assert_eq!(store.snapshot().unwrap().contact_count(), CONTACTS);
    store
}
