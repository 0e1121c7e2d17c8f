//! A file of format 3: rows of every table that only that format has, and of every row that is longer
//! there.

use contact_store::{
    AddTokens, BringBack, ChangePosition, ContactStore, ContactUpdate, DedupeOn, EntryError, Erase,
    IdempotencyKey, IdentifierKind, KeepAnswers, KeepChanges, Merge, Mute, Options, RecordReports,
    Report, Status, Token, TokenBroughtBack, TokenEntry, Upsert,
};

use super::pages::{golden, keep};
use crate::failing_disk::disk::TestDisk;
use crate::support::{APP, add, assert_sound, connect, id, options};

const FILE: &str = "format_3/options.pages";

fn all_on() -> Options {
    let (mut options, _) = options();
    options.testing.random = Some([1, 2]);
    options.change_feed = Some(KeepChanges::default());
    options.keep_answers = Some(KeepAnswers::default());
    options.remember_blocked = 10;
    options.conflicts = 10;
    options
}

fn token(text: &str) -> Token {
    Token::parse(text).unwrap()
}

fn under_a_key() -> (IdempotencyKey, AddTokens) {
    let entry = TokenEntry::new("once").email("dan@example.com");
    let key = IdempotencyKey::parse("a key").unwrap();
    (key, AddTokens::new(APP).entry(entry))
}

fn write(store: &ContactStore) {
    connect(store);
    add(store, TokenEntry::new("ann").email("ann@example.com"));
    add(store, TokenEntry::new("anna").phone("380500000001"));
    add(store, TokenEntry::new("ben").email("ben@example.com"));
    // Contact 1 by its email, and contact 2 by its phone.
    let both = TokenEntry::new("both").email("ben@example.com");
    add(store, both.phone("380500000001"));
    let merge = store.merge(Merge::new(id(2), id(1))).wait();
    assert_eq!(merge.unwrap().outcome.into, id(1));
    store.mute(Mute::new(APP, token("ann"))).wait().unwrap();
    let cid = add(store, TokenEntry::new("cid").email("cid@example.com"));
    let erased = store.erase(Erase::new(cid.contact).suppress()).wait();
    assert!(erased.unwrap().outcome.erased);
    let failed = Report::new(Status::Failed).token("ben");
    let reported = store.record_reports(RecordReports::new(APP).report(failed));
    assert!(reported.wait().unwrap().outcome[0].is_ok());
    let (key, request) = under_a_key();
    assert!(
        !store
            .once(&key)
            .add_tokens(request)
            .wait()
            .unwrap()
            .repeated
    );
}

#[test]
fn r58_to_r65_a_golden_file_of_format_3_has_what_options_kept_and_goes_on() {
    let disk = TestDisk::with(golden(FILE));
    let store = ContactStore::open_on_disk(disk, all_on()).unwrap();
    assert_sound(&store);
    let stats = store.stats().unwrap();
    let kept = (stats.merged, stats.muted, stats.suppressed, stats.blocked);
    assert_eq!((kept, stats.conflicts), ((1, 1, 1, 1), 1));
    let now = store.snapshot().unwrap();
    let changes = now.changes(ChangePosition::START, 1_000).unwrap();
    assert!(!changes.more && changes.changes.len() > 10);
    let listed = now.conflicts(None, 10).unwrap();
    assert_eq!(listed.len(), 1);

    let (key, request) = under_a_key();
    assert!(
        store
            .once(&key)
            .add_tokens(request)
            .wait()
            .unwrap()
            .repeated
    );
    let cid = ContactUpdate::new().email("cid@example.com");
    let upserted = store.upsert(Upsert::new(DedupeOn::Email).contact(cid));
    let kind = IdentifierKind::Email;
    let refused = upserted.wait().unwrap().outcome.all();
    assert_eq!(refused, Err(EntryError::Suppressed { kind }));
    let back = store.bring_back(BringBack::new(APP, token("ben"))).wait();
    assert!(matches!(
        back.unwrap().outcome,
        TokenBroughtBack::BroughtBack { contacts, .. } if contacts == [id(3)]
    ));
    let taken_out = store.unmerge(id(2)).wait().unwrap().outcome;
    assert_eq!((taken_out.from, taken_out.contact), (id(1), id(2)));
    assert!(taken_out.not_given_back.is_empty());
    assert_sound(&store);
}

/// Makes the file. See [`super`].
#[test]
#[ignore = "makes the file, once that there is removed: cargo test -p contact-store-tests --test it -- --ignored golden::format_3"]
fn make_the_golden_file_of_format_3() {
    let disk = TestDisk::empty();
    let store = ContactStore::open_on_disk(disk.clone(), all_on()).unwrap();
    write(&store);
    store.close().unwrap();
    keep(FILE, &disk.bytes());
}
