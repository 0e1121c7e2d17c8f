//! The command `conflicts` (R61).

use contact_store::{ContactStore, ContactUpdate, DedupeOn, Options, Upsert};

use super::support::Folder;

#[test]
fn r61_conflicts_are_listed_with_the_kinds_that_named_each_contact() {
    let folder = Folder::empty();
    let options = Options::default().conflicts(10);
    let store = ContactStore::open(&folder.store, options).unwrap();
    let update = ContactUpdate::new;
    for item in [
        update().phone("380500000001"),
        update().email("ann@example.com"),
        update().phone("380500000001").email("ann@example.com"),
    ] {
        let request = Upsert::new(DedupeOn::PhoneThenEmail).contact(item);
        store.upsert(request).wait().unwrap();
    }
    store.close().unwrap();
    let listed = folder.run(&["conflicts"]).printed();
    let cells: Vec<&str> = listed.trim_end().split("  ").collect();
    let expected = ["contact 1 by phone", "contact 2 by email", "1x"];
    assert_eq!(cells[..3], expected, "{listed}");
    let json = folder.run(&["conflicts", "--json"]).printed();
    let begin = r#"{"pair":"1-2","contacts":[{"contactId":1,"namedBy":["phone"]},"#;
    assert!(json.starts_with(begin), "{json}");
    assert_eq!(json.lines().count(), 1);
}
