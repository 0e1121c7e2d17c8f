//! Merged contacts in an export (R58, R70).

use contact_store::{
    AddTokens, ContactStore, ContactUpdate, DedupeOn, IdentifierKind, Merge, TokenEntry, Upsert,
    ValueChange,
};

use crate::support::{APP, at, connect, id};

use super::{assert_same, empty, import, text_of};

/// Contact 1 was merged into 2 and that into 3, of tokens that were not in the order of times.
fn merged() -> ContactStore {
    let store = empty();
    connect(&store);
    let update = |n: u64| {
        let update = ContactUpdate::new().external_customer_id(format!("crm-{n}"));
        update.field("city", format!("{n}"))
    };
    let first = update(1).phone("380500000001").first_name("Ann");
    let updates = [first, update(2), update(3)];
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contacts(updates);
    store.upsert(upsert).wait().unwrap();
    for (token, n, time) in [("a", 2, 900), ("b", 2, 800), ("a", 1, 700), ("c", 3, 600)] {
        let entry = TokenEntry::new(token).contact_id(n);
        let request = AddTokens::new(APP).entry(entry).at(at(time));
        store.add_tokens(request).wait().unwrap();
    }
    for (from, into) in [(1, 2), (2, 3)] {
        store.merge(Merge::new(id(from), id(into))).wait().unwrap();
    }
    store
}

const FIRST: &str = r#"{"merge":{"contactId":1,"into":3,"mergedAt":1000,"order":1,"createdAt":1000,"moved":{"phone":"380500000001","firstName":"Ann"},"kept":{"externalCustomerId":"crm-1","fields":{"city":"1"}},"tokens":[{"subscriberId":"1099511627777","addedAt":700,"place":1}],"orderBefore":["1099511627777","1099511627778"],"mergedIds":[]}}"#;

#[test]
fn r58_r70_merged_contacts_are_exported_and_can_be_taken_out_after_an_import() {
    let store = merged();
    let text = text_of(&store);
    assert!(text.lines().any(|line| line == FIRST), "{text}");
    let restored = empty();
    let told = import(&restored, text.as_bytes());
    assert_eq!(told.reasons(), []);
    told.complete();
    assert_same(&store, &restored);
    // What comes after an import counts as later.
    for contact in [1, 2] {
        let [one, other] =
            [&store, &restored].map(|store| store.unmerge(id(contact)).wait().unwrap().outcome);
        assert_eq!(one, other);
        assert!(one.not_given_back.is_empty());
        assert_same(&store, &restored);
    }
}

#[test]
fn r44_r70_what_was_erased_of_a_merged_contact_is_exported_by_kind() {
    let store = merged();
    let upsert = |update| {
        let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contact(update);
        store.upsert(upsert).wait().unwrap();
    };
    let with = |n: u64| ContactUpdate::new().external_customer_id(format!("crm-{n}"));
    upsert(with(3).phone(ValueChange::Remove));
    upsert(with(4).phone("380500000001"));
    assert!(store.erase(id(4)).wait().unwrap().outcome.erased);
    let text = text_of(&store);
    assert!(!text.contains("380500000001"));
    let first = FIRST.replacen("\"phone\":\"380500000001\",", "", 1);
    let first = first.replacen("\"tokens\"", "\"erased\":[\"phone\"],\"tokens\"", 1);
    assert!(text.lines().any(|line| line == first), "{text}");

    let wrong = text.replacen("\"erased\":[\"phone\"]", "\"erased\":[\"contactId\"]", 1);
    let told = import(&empty(), wrong.as_bytes());
    let error = "merge.erased: expected externalCustomerId, phone or email";
    assert_eq!(told.rejected.len(), 1);
    assert_eq!(told.rejected[0].2, error);

    let restored = empty();
    import(&restored, text.as_bytes()).complete();
    assert_same(&store, &restored);
    for contact in [1, 2] {
        let [one, other] =
            [&store, &restored].map(|store| store.unmerge(id(contact)).wait().unwrap().outcome);
        assert_eq!(one, other);
        assert_eq!(one.not_given_back.erased, IdentifierKind::Phone.into());
        assert_same(&store, &restored);
    }
}

#[test]
fn r58_r70_rows_of_merges_that_do_not_fit_are_refused() {
    let text = text_of(&merged());
    for (from, to, reason, error) in [
        (
            "\"contactId\":1,\"into\":3",
            "\"contactId\":3,\"into\":3",
            "notMerged",
            "contact id 3 is not that of a contact that was merged",
        ),
        (
            "\"contactId\":1,\"into\":3",
            "\"contactId\":77,\"into\":3",
            "notMerged",
            "contact id 77 is not that of a contact that was merged",
        ),
        (
            "\"contactId\":1,\"into\":3",
            "\"contactId\":1,\"into\":9",
            "unknownContact",
            "contact 9 is unknown",
        ),
        (
            "\"createdAt\":1000,\"moved\":{\"phone\"",
            "\"createdAt\":1000,\"createdThroughAppNumber\":9,\"moved\":{\"phone\"",
            "unknownApp",
            "no app with number 9 is connected",
        ),
        (
            "\"orderBefore\":[\"1099511627777\"",
            "\"orderBefore\":[7",
            "wrongType",
            "merge.orderBefore: expected string, found number",
        ),
        (
            "\"order\":1,",
            "",
            "missingMember",
            "merge: member \"order\" is required",
        ),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let line = changed
            .lines()
            .position(|line| line.contains("\"merge\":"))
            .unwrap() as u64
            + 1;
        let store = empty();
        let told = import(&store, changed.as_bytes());
        assert_eq!(told.reasons(), [(line, reason)]);
        assert_eq!(told.rejected[0].2, error);
        told.complete();
        // Contact 2 comes out without what was refused.
        let unmerged = store.unmerge(id(2)).wait().unwrap().outcome;
        assert_eq!(unmerged.ids, []);
        assert!(store.unmerge(id(1)).wait().is_err());
    }
}
