//! How much contact data a card may hold (RULES section 11).

use contact_store::{
    AddTokens, CardChange, ContactStore, ContactUpdate, DedupeOn, EntryError, Limit, TokenEntry,
    Upsert,
};

use crate::support::{APP, assert_sound, store_with};

fn item() -> ContactUpdate {
    ContactUpdate::new().phone("380500000001")
}

fn upsert(store: &ContactStore, update: ContactUpdate) -> Result<CardChange, EntryError> {
    let request = Upsert::new(DedupeOn::Phone).contact(update);
    let outcome = store.upsert(request).wait().unwrap().outcome;
    outcome.into_vec().remove(0).map(|upserted| upserted.card)
}

/// Adds the token `t`: the contact that got it.
fn add(store: &ContactStore) -> Result<u64, EntryError> {
    let entry = TokenEntry::new("t").phone("380500000001");
    let added = store
        .add_tokens(AddTokens::new(APP).entry(entry))
        .wait()
        .unwrap();
    added
        .outcome
        .entries
        .into_vec()
        .remove(0)
        .map(|added| added.contact.value())
}

#[track_caller]
fn over<T: std::fmt::Debug>(outcome: Result<T, EntryError>, limit: Limit, actual: u64, most: u64) {
    match outcome {
        Err(EntryError::LimitExceeded(error)) => {
            assert_eq!(
                (error.limit, error.actual, error.most),
                (limit, actual, most)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn r43_the_content_of_a_card_is_bounded_and_an_item_that_shrinks_it_is_not_refused() {
    let (store, _) = store_with(|options| {
        options.limits.custom_fields_per_contact = 2;
        options.limits.card_text_bytes = 5_000;
    });
    let three = item().field("a", "").field("b", "").field("c", "");
    over(upsert(&store, three), Limit::CustomFieldsPerContact, 3, 2);
    // 12 digits, and one byte for the name of the field.
    let full = item()
        .first_name("x".repeat(4_096))
        .field("a", "y".repeat(891));
    assert_eq!(upsert(&store, full), Ok(CardChange::Created));
    let more = item().field("a", "y".repeat(892));
    over(upsert(&store, more), Limit::CardTextBytes, 5_001, 5_000);
    over(add(&store), Limit::CardTextBytes, 5_001, 5_000);
    let less = item().field("a", "y".repeat(890));
    assert_eq!(upsert(&store, less), Ok(CardChange::Updated));
    assert_eq!(add(&store), Ok(1));
    assert_sound(&store);
}
