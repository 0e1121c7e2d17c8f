//! Creating and updating contacts: R41 to R43.
//!
//! Each test runs with values that share all index rows as well, and ends with a store that is sound.

use contact_store::{
    BatchMode, CardChange, Change, ContactStore, ContactUpdate, ContactUpserted, DedupeOn,
    EntryError, Error, Fault, Field, FieldError, IdentifierKind, Limit, LimitExceeded, Options,
    TokenEntry, UnknownContactId, Upsert,
};

use crate::support::{add, assert_sound, id, store_with};

use CardChange::{Created, Unchanged, Updated};
use IdentifierKind as Kind;

fn twice(test: impl Fn(&ContactStore)) {
    twice_with(|_| {}, test);
}

fn twice_with(set: impl Fn(&mut Options), test: impl Fn(&ContactStore)) {
    for hash_mask in [u64::MAX, 0] {
        let (store, _) = store_with(|options| {
            options.testing.hash_mask = hash_mask;
            set(options);
        });
        test(&store);
        assert_sound(&store);
    }
}

fn upsert(
    store: &ContactStore,
    on: DedupeOn,
    update: ContactUpdate,
) -> Result<ContactUpserted, EntryError> {
    let before = store.snapshot().unwrap().sequence();
    let done = store
        .upsert(Upsert::new(on).contact(update))
        .wait()
        .unwrap();
    let [outcome] = done.outcome.try_into().unwrap();
    // R47: a number exactly where something changed.
    let changed = matches!(&outcome, Ok(upserted) if upserted.card != Unchanged);
    assert_eq!(done.sequence > before, changed);
    outcome
}

#[track_caller]
fn upserted(
    store: &ContactStore,
    on: DedupeOn,
    update: ContactUpdate,
    expected: (u64, Option<Kind>, CardChange),
) {
    let outcome = upsert(store, on, update).unwrap();
    let contact = outcome.contact.value();
    assert_eq!((contact, outcome.matched_by, outcome.card), expected);
}

#[track_caller]
fn refused(store: &ContactStore, on: DedupeOn, update: ContactUpdate, expected: EntryError) {
    assert_eq!(upsert(store, on, update), Err(expected));
}

fn conflict(kind: Kind, contact: u64) -> EntryError {
    EntryError::Conflict {
        kind,
        contact: id(contact),
    }
}

/// `ext phone email` of a card, `-` for none.
#[track_caller]
fn card(store: &ContactStore, contact: u64, expected: &str) {
    let card = store
        .snapshot()
        .unwrap()
        .contact(id(contact))
        .unwrap()
        .unwrap();
    let of = &card.identifiers;
    let shown = [
        of.external_customer_id().map(|id| id.as_str().to_owned()),
        of.phone().map(|phone| phone.digits()),
        of.email().map(|email| email.as_str().to_owned()),
    ];
    assert_eq!(
        shown.map(|of| of.unwrap_or("-".to_owned())).join(" "),
        expected
    );
}

fn item() -> ContactUpdate {
    ContactUpdate::new()
}

const P1: &str = "380500000001";
const P2: &str = "380500000002";

#[test]
fn r41_each_kind_finds_its_contact_and_creates_it_where_there_is_none() {
    twice(|store| {
        upserted(
            store,
            DedupeOn::Phone,
            item().phone(P1).email("a@example.com"),
            (1, None, Created),
        );
        upserted(
            store,
            DedupeOn::Phone,
            item().phone("+380 50 000 00 01"),
            (1, Some(Kind::Phone), Unchanged),
        );
        upserted(
            store,
            DedupeOn::Email,
            item().email("A@example.com").phone(P2),
            (1, Some(Kind::Email), Updated),
        );
        card(store, 1, "- 380500000002 a@example.com");
        upserted(
            store,
            DedupeOn::ContactId,
            item().contact_id(1).external_customer_id("c"),
            (1, Some(Kind::ContactId), Updated),
        );
        upserted(
            store,
            DedupeOn::ExternalCustomerId,
            item().external_customer_id("c"),
            (1, Some(Kind::ExternalCustomerId), Unchanged),
        );
        upserted(
            store,
            DedupeOn::ContactId,
            item().contact_id(9),
            (9, None, Created),
        );
        assert_eq!(store.stats().unwrap().contacts, 2);
    });
}

#[test]
fn r41_an_external_customer_id_goes_first() {
    twice(|store| {
        upserted(
            store,
            DedupeOn::Phone,
            item().external_customer_id("c").phone(P1),
            (1, None, Created),
        );
        // The phone names nobody, and is not asked.
        for on in DedupeOn::ALL {
            upserted(
                store,
                on,
                item().external_customer_id("c").phone(P1),
                (1, Some(Kind::ExternalCustomerId), Unchanged),
            );
        }
        upserted(store, DedupeOn::Phone, item().phone(P2), (2, None, Created));
        refused(
            store,
            DedupeOn::Phone,
            item().external_customer_id("c").phone(P2),
            conflict(Kind::Phone, 2),
        );
    });
}

#[test]
fn r41_phone_then_email() {
    twice(|store| {
        let on = DedupeOn::PhoneThenEmail;
        upserted(store, on, item().phone(P1), (1, None, Created));
        upserted(store, on, item().email("b@example.com"), (2, None, Created));
        upserted(
            store,
            on,
            item().phone("380500000009").email("b@example.com"),
            (2, Some(Kind::Email), Updated),
        );
        card(store, 2, "- 380500000009 b@example.com");
        refused(
            store,
            on,
            item().phone(P1).email("b@example.com"),
            conflict(Kind::Email, 2),
        );
        upserted(
            store,
            on,
            item().phone(Change::Remove).email("b@example.com"),
            (2, Some(Kind::Email), Updated),
        );
        card(store, 2, "- - b@example.com");
    });
}

#[test]
fn r41_an_item_that_gives_nothing_to_find_by_is_refused() {
    twice(|store| {
        for (on, update) in [
            (DedupeOn::Phone, item().email("a@example.com")),
            (DedupeOn::Email, item().phone(P1).email(Change::Remove)),
            (DedupeOn::ContactId, item().phone(P1)),
            (DedupeOn::ExternalCustomerId, item().contact_id(1)),
            (
                DedupeOn::PhoneThenEmail,
                item().contact_id(1).first_name("A"),
            ),
        ] {
            refused(store, on, update, EntryError::NothingToFindBy);
        }
        assert_eq!(store.stats().unwrap().contacts, 0);
    });
}

#[test]
fn r18_r41_an_unknown_contact_id_is_adopted_unless_erased_or_rejected() {
    twice(|store| {
        upserted(
            store,
            DedupeOn::Phone,
            item().contact_id(7).phone(P1),
            (7, None, Created),
        );
        store.erase(id(7)).wait().unwrap();
        refused(
            store,
            DedupeOn::Phone,
            item().contact_id(7).phone(P1),
            EntryError::ContactIdErased(id(7)),
        );
        let request = Upsert::new(DedupeOn::ContactId)
            .contact(item().contact_id(8))
            .unknown_contact_id(UnknownContactId::Reject);
        let outcome = store.upsert(request).wait().unwrap().outcome;
        assert_eq!(outcome, [Err(EntryError::UnknownContactId(id(8)))]);
    });
}

#[test]
fn r42_identifiers_are_replaced_and_taken_off_and_free_again() {
    twice(|store| {
        upserted(
            store,
            DedupeOn::Phone,
            item()
                .phone(P1)
                .email("a@example.com")
                .external_customer_id("c"),
            (1, None, Created),
        );
        upserted(
            store,
            DedupeOn::Email,
            item()
                .email("a@example.com")
                .phone(P2)
                .external_customer_id(Change::Remove),
            (1, Some(Kind::Email), Updated),
        );
        card(store, 1, "- 380500000002 a@example.com");
        // What was there names nobody, what is there names the contact, for add-tokens too.
        assert_eq!(add(store, TokenEntry::new("t").phone(P2)).contact, id(1));
        assert_eq!(add(store, TokenEntry::new("u").phone(P1)).contact, id(2));
        assert_eq!(
            add(store, TokenEntry::new("v").external_customer_id("c")).contact,
            id(3)
        );
        store.erase(id(1)).wait().unwrap();
        upserted(
            store,
            DedupeOn::Email,
            item().email("a@example.com").phone(P2),
            (4, None, Created),
        );
    });
}

#[test]
fn r42_what_another_contact_has_is_a_conflict_and_writes_nothing() {
    twice(|store| {
        upserted(
            store,
            DedupeOn::Phone,
            item().phone(P1).external_customer_id("c1"),
            (1, None, Created),
        );
        upserted(
            store,
            DedupeOn::Email,
            item().email("b@example.com"),
            (2, None, Created),
        );
        let before = store.snapshot().unwrap().sequence();
        for (on, update, kind, contact) in [
            (
                DedupeOn::Phone,
                item().phone(P1).email("b@example.com").first_name("A"),
                Kind::Email,
                2,
            ),
            (
                DedupeOn::Email,
                item().email("b@example.com").phone(P1),
                Kind::Phone,
                1,
            ),
            // A contact that would be created is in the way of none, either.
            (
                DedupeOn::Email,
                item().email("new@example.com").phone(P1),
                Kind::Phone,
                1,
            ),
            // Another external id than that of the contact found: it may be another person.
            (
                DedupeOn::Phone,
                item().phone(P1).external_customer_id("c2"),
                Kind::ExternalCustomerId,
                1,
            ),
            // The contact id is never replaced, whether another contact has it or none.
            (
                DedupeOn::Phone,
                item().phone(P1).contact_id(2),
                Kind::ContactId,
                2,
            ),
            (
                DedupeOn::Phone,
                item().phone(P1).contact_id(9),
                Kind::ContactId,
                1,
            ),
        ] {
            refused(store, on, update, conflict(kind, contact));
        }
        assert_eq!(store.snapshot().unwrap().sequence(), before);
        // Its own contact id is none.
        upserted(
            store,
            DedupeOn::Phone,
            item().phone(P1).contact_id(1),
            (1, Some(Kind::Phone), Unchanged),
        );
        // A contact without an external id gets the one given.
        upserted(
            store,
            DedupeOn::Email,
            item().email("b@example.com").external_customer_id("c2"),
            (2, Some(Kind::Email), Updated),
        );
        card(store, 2, "c2 - b@example.com");
    });
}

#[test]
fn r23_r42_items_see_those_before_and_a_refused_one_leaves_its_neighbours() {
    let items = || {
        [
            item().external_customer_id("a").phone(P2),
            item().external_customer_id("b").phone(P1),
            item().external_customer_id("b").phone(Change::Remove),
            item().external_customer_id("a").phone(P2),
            item().external_customer_id("b").phone(P1),
        ]
    };
    twice(|store| {
        let on = DedupeOn::ExternalCustomerId;
        upserted(
            store,
            on,
            item().external_customer_id("a").phone(P1),
            (1, None, Created),
        );
        upserted(
            store,
            on,
            item().external_customer_id("b").phone(P2),
            (2, None, Created),
        );
        let before = store.snapshot().unwrap().sequence();
        let whole = Upsert::new(on)
            .contacts(items())
            .mode(BatchMode::AllOrNothing);
        match store.upsert(whole).wait() {
            Err(Error::EntryRefused { index: 0, error }) => {
                assert_eq!(error, conflict(Kind::Phone, 2));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(store.snapshot().unwrap().sequence(), before);
        let outcome = store
            .upsert(Upsert::new(on).contacts(items()))
            .wait()
            .unwrap()
            .outcome;
        let changes: Vec<_> = outcome
            .into_iter()
            .map(|item| item.map(|of| of.card))
            .collect();
        let expected = [
            Err(conflict(Kind::Phone, 2)),
            Err(conflict(Kind::Phone, 1)),
            Ok(Updated),
            Ok(Updated),
            Ok(Updated),
        ];
        assert_eq!(changes, expected);
        card(store, 1, "a 380500000002 -");
        card(store, 2, "b 380500000001 -");
    });
}

#[test]
fn r42_a_blank_identifier_refuses_its_item() {
    twice(|store| {
        for (update, field, fault) in [
            (
                item().external_customer_id(" "),
                Field::ExternalCustomerId,
                Fault::Blank,
            ),
            (item().phone(""), Field::Phone, Fault::Blank),
            (item().email("\t"), Field::Email, Fault::Blank),
            (
                item().contact_id(0),
                Field::ContactId,
                Fault::ContactIdOutOfRange,
            ),
        ] {
            match upsert(store, DedupeOn::Phone, update) {
                Err(EntryError::Field(error)) => assert_field(&error, field, &fault),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[track_caller]
fn assert_field(error: &FieldError, field: Field, fault: &Fault) {
    assert_eq!((error.field(), error.fault()), (field, fault));
}

#[test]
fn r43_a_field_stays_goes_or_is_replaced() {
    twice(|store| {
        let on = DedupeOn::Phone;
        let fields = || {
            store
                .snapshot()
                .unwrap()
                .contact(id(1))
                .unwrap()
                .unwrap()
                .fields
        };
        upserted(
            store,
            on,
            item()
                .phone(P1)
                .first_name("A")
                .last_name("B")
                .field("x", "1")
                .field("y", ""),
            (1, None, Created),
        );
        upserted(
            store,
            on,
            item()
                .phone(P1)
                .last_name(Change::Remove)
                .language_code("uk")
                .field("x", "2\n3"),
            (1, Some(Kind::Phone), Updated),
        );
        let now = fields();
        assert_eq!(now.first_name.as_deref(), Some("A"));
        assert_eq!(now.last_name, None);
        assert_eq!(now.language_code.as_deref(), Some("uk"));
        assert_eq!(now.time_zone, None);
        let custom: Vec<_> = now
            .custom
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(custom, [("x", "2\n3"), ("y", "")]);
        upserted(
            store,
            on,
            item()
                .phone(P1)
                .field("y", Change::Remove)
                .field("z", Change::Remove)
                .time_zone("+02:00"),
            (1, Some(Kind::Phone), Updated),
        );
        assert_eq!(fields().custom.len(), 1);
        assert_eq!(fields().time_zone.as_deref(), Some("+02:00"));
        // Erased with the contact: who comes again comes without them.
        store.erase(id(1)).wait().unwrap();
        upserted(store, on, item().phone(P1), (2, None, Created));
        let card = store.snapshot().unwrap().contact(id(2)).unwrap().unwrap();
        assert_eq!(card.fields, contact_store::ContactFields::default());
        assert_eq!(card.created_through, None);
    });
}

#[test]
fn r43_values_names_and_how_many_are_bounded() {
    twice_with(
        |options| {
            options.limits.custom_fields_per_contact = 2;
            options.limits.card_text_bytes = 5_000;
        },
        |store| {
            let on = DedupeOn::Phone;
            let too_long = |bytes, limit| Fault::TooLong { bytes, limit };
            for (update, field, fault) in [
                (
                    item().phone(P1).first_name("x".repeat(4_097)),
                    Field::FirstName,
                    too_long(4_097, 4_096),
                ),
                (
                    item().phone(P1).field("n", "x".repeat(4_097)),
                    Field::CustomFieldValue,
                    too_long(4_097, 4_096),
                ),
                (
                    item().phone(P1).field("n".repeat(129), "x"),
                    Field::CustomFieldName,
                    too_long(129, 128),
                ),
                (
                    item().phone(P1).field(" ", "x"),
                    Field::CustomFieldName,
                    Fault::Blank,
                ),
                (
                    item().phone(P1).field("a\u{200B}", "x"),
                    Field::CustomFieldName,
                    Fault::ForbiddenCharacter,
                ),
            ] {
                match upsert(store, on, update) {
                    Err(EntryError::Field(error)) => assert_field(&error, field, &fault),
                    other => panic!("{other:?}"),
                }
            }
            let exceeded = |update| match upsert(store, on, update) {
                Err(EntryError::LimitExceeded(error)) => LimitExceededShown::of(&error),
                other => panic!("{other:?}"),
            };
            let three = item()
                .phone(P1)
                .field("a", "")
                .field("b", "")
                .field("c", "");
            assert_eq!(
                exceeded(three),
                LimitExceededShown(Limit::CustomFieldsPerContact, 3, 2)
            );
            // 12 digits, and the name of the field.
            upserted(
                store,
                on,
                item()
                    .phone(P1)
                    .first_name("x".repeat(4_096))
                    .field("a", "y".repeat(891)),
                (1, None, Created),
            );
            assert_eq!(
                exceeded(item().phone(P1).field("a", "y".repeat(892))),
                LimitExceededShown(Limit::CardTextBytes, 5_001, 5_000)
            );
            // A token does not fit on it any more; what makes room for it does.
            let entry = contact_store::AddTokens::new(crate::support::APP)
                .entry(TokenEntry::new("t").phone(P1));
            match store
                .add_tokens(entry.clone())
                .wait()
                .unwrap()
                .outcome
                .entries
                .remove(0)
            {
                Err(EntryError::LimitExceeded(error)) => {
                    assert_eq!(
                        LimitExceededShown::of(&error),
                        LimitExceededShown(Limit::CardTextBytes, 5_001, 5_000)
                    );
                }
                other => panic!("{other:?}"),
            }
            upserted(
                store,
                on,
                item().phone(P1).field("a", "y".repeat(890)),
                (1, Some(Kind::Phone), Updated),
            );
            assert!(
                store
                    .add_tokens(entry)
                    .wait()
                    .unwrap()
                    .outcome
                    .entries
                    .remove(0)
                    .is_ok()
            );
        },
    );
}

#[derive(Debug, PartialEq)]
struct LimitExceededShown(Limit, u64, u64);

impl LimitExceededShown {
    fn of(error: &LimitExceeded) -> Self {
        LimitExceededShown(error.limit, error.actual, error.most)
    }
}

#[test]
fn what_was_upserted_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let open = || ContactStore::open(&path, Options::default()).unwrap();
    let store = open();
    upserted(
        &store,
        DedupeOn::Phone,
        item().phone(P1).email("a@example.com").field("x", "1"),
        (1, None, Created),
    );
    upserted(
        &store,
        DedupeOn::Phone,
        item().phone(P1).email(Change::Remove).last_name("B"),
        (1, Some(Kind::Phone), Updated),
    );
    store.close().unwrap();
    let store = open();
    card(&store, 1, "- 380500000001 -");
    let fields = store
        .snapshot()
        .unwrap()
        .contact(id(1))
        .unwrap()
        .unwrap()
        .fields;
    assert_eq!(fields.last_name.as_deref(), Some("B"));
    assert_eq!(fields.custom["x"], "1");
    assert_sound(&store);
}
