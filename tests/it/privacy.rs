//! R52 and R12: what identifies a person, and what opens a bot, stays out of every text that may reach
//! a log: `Debug`, `Display`, the causes of errors, the JSON of errors, and what is printed.
//!
//! Every value that the tests hand in holds a canary. Not the names of apps, which are no person's,
//! and not contact ids, which are plain numbers (R2).

mod changes;
mod contacts;
mod csv;
mod once;
mod refusals;
pub mod shown;
mod states;
mod transfers;

use std::collections::BTreeSet;
use std::env;
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::{Arc, Mutex};

use contact_store::{
    AccessKey, AddTokens, Advice, AppId, AppName, Backoff, BatchMode, Check, ConnectApp, ContactId,
    ContactStore, ContactUpdate, Create, DedupeOn, Email, Error, ExternalCustomerId,
    FailedWithoutReason, GivenIdentifiers, GonePhrases, IdentifierKind, InvalidIdentifier,
    ManualClock, MatchPolicy, Merge, MergeError, MessageId, OpeningStage, Options, Ownership,
    Phone, PhoneMark, Placeholders, RecordReports, RemoveStale, RemoveToken, RenameToken,
    Reopening, Report, Split, Status, SubscriberId, SystemClock, Timestamp, Token, TokenEntry,
    TokenPlace, UnknownContactId, Upsert, UpsertMode, ValueChange, WhenFull, wire,
};

use crate::layering::source::{Source, all};
use crate::support::{APP, add, id, options, store, store_with};
use shown::{PHONE, Shown, WORD, assert_no_canary};

/// The list of conflicts.
fn conflicts(shown: &mut Shown) {
    let (store, _) = store_with(|options| options.conflicts = 10);
    let update = ContactUpdate::new;
    for item in [
        update().external_customer_id(WORD),
        update().phone(format!("{PHONE}1")),
        update()
            .external_customer_id(WORD)
            .phone(format!("{PHONE}1")),
    ] {
        let request = Upsert::new(DedupeOn::Phone).contact(item);
        store.upsert(request).wait().unwrap();
    }
    let listed = store.snapshot().unwrap().conflicts(None, 10).unwrap();
    shown.value(&listed[0]);
    shown.value(&listed[0].contacts[0]);
    shown.json(&wire::conflicts(&listed));
    let dismissed = store.dismiss_conflict(id(1), id(2)).wait().unwrap();
    shown.value(&dismissed.outcome);
    shown.json(&wire::conflict_dismissed(dismissed.outcome));
}

/// Merges, and what takes them apart; and what is refused of them.
fn merging(shown: &mut Shown) {
    let (store, _) = store();
    let update = |n: u64| {
        ContactUpdate::new()
            .external_customer_id(format!("{WORD}-{n}"))
            .phone(format!("{PHONE}{n}"))
            .first_name(WORD)
            .field(WORD, WORD)
    };
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contacts((1..=2).map(update));
    store.upsert(upsert).wait().unwrap();
    let phone = ContactUpdate::new().external_customer_id(format!("{WORD}-1"));
    let phone = phone
        .phone(ValueChange::Remove)
        .field(WORD, ValueChange::Remove);
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contact(phone);
    store.upsert(upsert).wait().unwrap();
    let merge = Merge::new(id(2), id(1));
    shown.value(&merge);
    let merged = store.merge(merge).wait().unwrap();
    shown.value(&merged.outcome);
    shown.value(&merged.outcome.fields);
    let inside = store.snapshot().unwrap().merged_contacts(id(1)).unwrap();
    shown.value(&inside[0]);
    shown.json(&wire::merged_contacts(&inside));
    let other = ContactUpdate::new().phone(format!("{PHONE}2"));
    let remove = ContactUpdate::new().external_customer_id(format!("{WORD}-1"));
    let remove = remove.phone(ValueChange::Remove);
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contact(remove);
    store.upsert(upsert).wait().unwrap();
    let upsert = Upsert::new(DedupeOn::Phone).contact(other);
    store.upsert(upsert).wait().unwrap();
    let unmerged = store.unmerge(id(2)).wait().unwrap();
    assert_eq!(unmerged.outcome.not_given_back.identifiers.len(), 1);
    shown.value(&unmerged.outcome);
    shown.value(&unmerged.outcome.not_given_back);
    let split = Split::new(id(2)).identifier(IdentifierKind::ExternalCustomerId);
    shown.value(&split);
    let done = store.split(split.clone()).wait().unwrap();
    shown.value(&done.outcome);
    shown.json(&wire::split_off(&done.outcome));
    store.erase(id(2)).wait().unwrap();
    let held = Split::new(id(1)).identifier(IdentifierKind::ExternalCustomerId);
    for error in [
        store.unmerge(id(99)).wait().unwrap_err(),
        store.unmerge(id(2)).wait().unwrap_err(),
        store.unmerge(id(1)).wait().unwrap_err(),
        store.merge(Merge::new(id(1), id(1))).wait().unwrap_err(),
        store.split(Split::new(id(1))).wait().unwrap_err(),
        store
            .split(Split::new(id(1)).identifier(IdentifierKind::Email))
            .wait()
            .unwrap_err(),
        store
            .split(held.subscriber(SubscriberId::new(1)))
            .wait()
            .unwrap_err(),
        Error::Merge(MergeError::ContactIdsExhausted),
    ] {
        shown.error(&error);
    }
}

fn token(name: &str) -> String {
    format!("{WORD}-{name}")
}

fn external_id() -> String {
    format!("{WORD} shop 0009917")
}

fn phone() -> String {
    format!("+{PHONE}")
}

fn email() -> String {
    format!("Ann.{WORD}@{WORD}.example.com")
}

fn given() -> GivenIdentifiers {
    GivenIdentifiers::new()
        .external_customer_id(external_id())
        .phone(phone())
        .email(email())
}

fn entry() -> TokenEntry {
    TokenEntry::new(token("first")).identifiers(given())
}

fn report() -> Report {
    Report::new(Status::Failed)
        .token(token("first"))
        .reason(format!("timeout: {WORD}"))
        .message(token("message"))
}

/// One contact with canaries everywhere, a message, and an app with a key.
fn fill(store: &ContactStore) {
    let key = AccessKey::parse(token("key")).unwrap();
    let name = AppName::parse("Shop bot").unwrap();
    let connected = store.connect_app(ConnectApp::new(name).id(APP).key(key));
    assert!(connected.wait().is_ok());
    assert_eq!(add(store, entry()).contact, id(1));
    let reports = RecordReports::new(APP).report(report());
    assert!(store.record_reports(reports).wait().is_ok());
}

/// Everything that can hold something of a person, and everything that stands beside it.
fn values(shown: &mut Shown) {
    shown.displayed(&id(1));
    shown.value(&Token::parse(token("first")).unwrap());
    shown.value(&ExternalCustomerId::parse(&external_id()).unwrap());
    shown.value(&Phone::parse(&phone()).unwrap());
    shown.value(&Email::parse(&email()).unwrap());
    shown.value(&MessageId::parse(token("message")).unwrap());
    shown.value(&AccessKey::parse(token("key")).unwrap());
    shown.value(&given());
    shown.value(&given().parse().unwrap());
    shown.value(&given().kinds());
    shown.displayed(&IdentifierKind::Phone);
    shown.value(&entry());
    shown.value(&report());
    shown.displayed(&SubscriberId::new(1));
    shown.displayed(&APP);

    let (store, _) = store_with(|options| options.ownership = Ownership::Exclusive);
    fill(&store);
    requests(shown, &store);
    answers(shown, &store);
    once::values(shown);
    changes::values(shown);
    contacts::values(shown);
    transfers::values(shown);
    csv::values(shown);

    let (mut options, _) = options();
    shown.value(&options.limits);
    shown.value(&*options);
    options.clock = std::sync::Arc::new(SystemClock);
    shown.value(&options);
    shown.value(&SystemClock);
    shown.value(&ManualClock::default());
    shown.value(&Timestamp::from_millis(1));
    shown.value(&(Create::Never));
    shown.value(&Check::Always);
    shown.value(&WhenFull::Wait);
    shown.value(&MatchPolicy::Cascade);
    shown.value(&InvalidIdentifier::Ignore);
    shown.value(&UnknownContactId::Adopt);
    shown.value(&Ownership::Shared);
    shown.value(&BatchMode::PerEntry);
    shown.value(&FailedWithoutReason::Keep);
    shown.value(&GonePhrases::default());
    shown.value(&Placeholders::default());
    PhoneMark::ALL.iter().for_each(|mark| shown.value(mark));
    shown.value(&UpsertMode::UpdateOnly);
    shown.value(&Advice::Stop);
    shown.value(&OpeningStage::Verifying);
    let told = Arc::new(Mutex::new(None));
    let to = Arc::clone(&told);
    let options = Options::default().on_opening(move |opening| *to.lock().unwrap() = Some(opening));
    drop(ContactStore::open_in_memory(options).unwrap());
    shown.value(&told.lock().unwrap().unwrap());
    shown.value(&store.stats().unwrap().group_sizes);
    shown.value(&Backoff::default());
    shown.value(&store.keep_open(Backoff::default(), |_| {}).unwrap());
    shown.value(&Reopening::Failed(Error::NeedsReopen));
    shown.value(&Options::default());
}

/// Requests, their outcomes, and what is waited for.
fn requests(shown: &mut Shown, store: &ContactStore) {
    let connect = ConnectApp::new(AppName::parse("Shop bot").unwrap())
        .id(AppId::from_u128(7))
        .key(AccessKey::parse(token("key")).unwrap());
    shown.value(&connect);
    let pending = store.connect_app(connect);
    shown.value(&pending);
    shown.value(&pending.wait().unwrap());

    let other = TokenEntry::new(token("first")).email(format!("other.{}", email()));
    let request = AddTokens::new(APP).entry(entry()).entry(other);
    shown.value(&request);
    let pending = store.add_tokens(request);
    shown.value(&pending);
    let added = pending.wait().unwrap();
    shown.value(&added);
    shown.displayed(&added.sequence);
    shown.value(&added.outcome);
    shown.value(&added.outcome.in_force);
    shown.value(&added.outcome.entries);
    let two = added.outcome.entries.clone().into_single().unwrap_err();
    shown.displayed(&two);
    let page = store
        .snapshot()
        .unwrap()
        .contacts_of(APP, None, 10)
        .unwrap();
    assert_eq!(page.contacts.len(), 1);
    shown.value(&page);
    shown.json(&wire::tokens_added(&added.outcome));
    for entry in &added.outcome.entries {
        let added = entry.as_ref().unwrap();
        shown.value(added);
        shown.value(&added.token);
    }
    let moved = added.outcome.entries[1].as_ref().unwrap();
    assert_eq!(moved.token, TokenPlace::Moved { from: vec![id(1)] });

    let request = RecordReports::new(APP).report(report());
    shown.value(&request);
    let recorded = store.record_reports(request).wait().unwrap();
    shown.value(&recorded);
    shown.json(&wire::reports_recorded(&recorded.outcome));
    shown.value(recorded.outcome[0].as_ref().unwrap());

    let remove = RemoveToken::of(APP, Token::parse(token("none")).unwrap(), id(1));
    shown.value(&remove);
    let removed = store.remove_token(remove).wait().unwrap();
    shown.value(&removed.outcome);
    shown.json(&wire::token_removed(&removed.outcome));
    let [old, new] = ["old", "new"].map(|name| Token::parse(token(name)).unwrap());
    let rename = RenameToken::new(APP, old, new);
    shown.value(&rename);
    let renamed = store.rename_token(rename).wait().unwrap();
    shown.value(&renamed.outcome);
    shown.json(&wire::token_renamed(&renamed.outcome));
    let erased = store.erase(ContactId::new(99).unwrap()).wait().unwrap();
    shown.value(&erased.outcome);
    let before = Timestamp::from_millis(1);
    let forgotten = store.forget_messages(APP, before).wait().unwrap();
    shown.value(&forgotten.outcome);
    let stale = RemoveStale::new(APP, before);
    shown.value(&stale);
    let removed = store.remove_stale(stale).wait().unwrap();
    shown.value(&removed.outcome);
    shown.json(&wire::stale_removed(removed.outcome));
    merging(shown);
    conflicts(shown);

    let limits = options().0.limits;
    for line in [
        format!(
            "{{\"find\": {{\"phone\": {PHONE}, \"email\": \"{}\"}}}}",
            email()
        ),
        format!("{{\"removeToken\": {{\"appUuid\": \"{APP}\", \"token\": \"{WORD}\"}}}}"),
        format!("{{\"erase\": {{\"contactId\": 7}}, \"idempotencyKey\": \"{WORD}\"}}"),
        format!("{{\"messages\": {{\"appUuid\": \"{APP}\", \"after\": \"{WORD}\"}}}}"),
        format!("{{\"connectApp\": {{\"name\": \"Shop bot\", \"key\": \"{WORD}\"}}}}"),
        format!(
            "{{\"appUuid\": \"{APP}\", \"tokens\": [{{\"token\": {PHONE}, \"phone\": {PHONE}}}]}}"
        ),
    ] {
        shown.value(&wire::Line::parse(line.as_bytes(), &limits).unwrap());
    }
}

/// What reading gives.
fn answers(shown: &mut Shown, store: &ContactStore) {
    shown.value(store);
    let stats = store.stats().unwrap();
    shown.value(&stats);
    shown.value(&store.space().unwrap());
    shown.value(&stats.database.unwrap_or_default());
    shown.value(&stats.commit_latency);
    shown.value(&stats.group_sizes);
    shown.value(&stats.operations[0]);
    let now = store.snapshot().unwrap();
    shown.value(&now);
    let found = now.find(&given().parse().unwrap(), MatchPolicy::Cascade);
    let found = found.unwrap().unwrap();
    shown.value(&found);
    shown.value(&found.card);
    shown.value(&found.card.identifiers);
    let other = now.contact(id(2)).unwrap().unwrap();
    shown.value(&other.tokens[0]);
    let explanation = now.explain(&given().parse().unwrap()).unwrap();
    shown.explanation(&explanation);
    shown.value(&explanation.cascade);
    let subscriber = now.subscribers(APP, None, 10).unwrap().remove(0);
    shown.value(&subscriber);
    shown.value(&subscriber.contacts);
    shown.value(&subscriber.counts);
    shown.value(&subscriber.last_status.unwrap().0);
    now.visit_subscribers(APP, None, |visited| {
        shown.value(&visited);
        ControlFlow::Continue(())
    })
    .unwrap();
    let tally = now.messages(APP, None, 10).unwrap().remove(0);
    assert_eq!(tally.id.as_str(), token("message"));
    shown.value(&tally);
    let app = now.apps().unwrap().remove(0);
    shown.value(&app);
    shown.value(&app.name);
    shown.json(&wire::apps(&[app]));
    shown.value(&now.verify().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let backup = now.backup(directory.path().join("backup.redb"), |progress| {
        shown.value(&progress);
        ControlFlow::Continue(())
    });
    shown.value(&backup.unwrap());
    let vacuumed = store.vacuum(|_| {
        shown.error(&store.vacuum(|_| ControlFlow::Continue(())).unwrap_err());
        ControlFlow::Continue(())
    });
    shown.value(&vacuumed.unwrap());
}

/// Every error there is.
fn errors(shown: &mut Shown) {
    refusals::json(shown);
    refusals::lines(shown);
    refusals::faults(shown);
    refusals::entries(shown);
    contacts::errors(shown);
    changes::errors(shown);
    once::errors(shown);
    states::queue(shown);
    states::failing_disk(shown);
    states::files(shown);
    states::databases(shown);
    states::damaged_rows(shown);
    transfers::errors(shown);
    csv::errors(shown);
}

#[test]
fn r52_no_value_shows_what_it_holds() {
    values(&mut Shown::default());
}

#[test]
fn r52_no_error_in_a_request_shows_what_was_wrong() {
    let mut shown = Shown::default();
    refusals::json(&mut shown);
    refusals::lines(&mut shown);
    refusals::faults(&mut shown);
    refusals::entries(&mut shown);
    contacts::errors(&mut shown);
    transfers::errors(&mut shown);
    csv::errors(&mut shown);
}

#[test]
fn r52_no_error_of_the_store_or_its_file_shows_what_is_in_it() {
    let mut shown = Shown::default();
    states::queue(&mut shown);
    states::failing_disk(&mut shown);
    states::files(&mut shown);
    states::databases(&mut shown);
}

#[test]
fn r52_a_damaged_row_is_named_without_what_it_holds() {
    states::damaged_rows(&mut Shown::default());
}

/// R12: the one method that reveals it is asked for it by name.
#[test]
fn r12_the_access_key_comes_out_of_one_method_alone() {
    let (store, _) = store();
    fill(&store);
    let now = store.snapshot().unwrap();
    let key = now.access_key(APP).unwrap().unwrap();
    assert_eq!(key.reveal(), token("key"));
    assert_no_canary("a key", &format!("{key:?} {key:#?}"));
    let apps = now.apps().unwrap();
    assert_no_canary("apps", &format!("{apps:?}"));
    assert_no_canary("apps", &serde_json::to_string(&wire::apps(&apps)).unwrap());
}

/// So that a new type or a new error cannot come in unseen.
#[test]
fn r52_every_public_type_and_every_error_was_looked_at() {
    let mut shown = Shown::default();
    values(&mut shown);
    errors(&mut shown);

    let mut public = exported(source("lib.rs"));
    public.extend(exported(source("transfer/mod.rs")));
    public.extend(["Line".to_owned(), "LimitTooHigh".to_owned()]);
    // Traits, and options that have a test of their own where their feature is on.
    public.retain(|name| !["Clock", "Disk", "PostgresOptions"].contains(&name.as_str()));
    assert!(public.len() > 60, "{public:?}");
    let unseen: Vec<&String> = public.difference(&shown.types).collect();
    assert!(unseen.is_empty(), "not looked at: {unseen:?}");

    let mut variants = BTreeSet::new();
    for (path, name) in [
        ("error.rs", "Error"),
        ("error.rs", "EntryError"),
        ("error.rs", "JsonFault"),
        ("error.rs", "CopyError"),
        ("error.rs", "StorageError"),
        ("error.rs", "OpenError"),
        ("error.rs", "DatabaseError"),
        ("model/fault.rs", "Fault"),
        ("model/recipient.rs", "RecipientError"),
        ("operations/take_over.rs", "Misfit"),
        ("transfer/error.rs", "RowError"),
        ("transfer/error.rs", "TransferError"),
        ("transfer/csv/error.rs", "CsvError"),
        ("transfer/csv/error.rs", "HeaderError"),
        ("transfer/csv/error.rs", "CsvOptionError"),
    ] {
        let of = variants_of(source(path), name);
        assert!(of.len() > 2, "{name}: {of:?}");
        variants.extend(of);
    }
    let unseen: Vec<&String> = variants.difference(&shown.variants).collect();
    assert!(unseen.is_empty(), "never produced: {unseen:?}");
}

fn source(path: &str) -> &'static Source {
    let mut sources = all().iter();
    sources.find(|source| source.path == path).unwrap()
}

/// The types that `pub use` names.
fn exported(source: &Source) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for place in source.places_of("pub use") {
        let pieces = source.code[place..].iter();
        let named = pieces.take_while(|piece| piece.text != ";");
        let named = named.filter(|piece| piece.text.starts_with(char::is_uppercase));
        names.extend(named.map(|piece| piece.text.clone()));
    }
    names
}

/// The variants of an enum, as `Enum::Variant`.
fn variants_of(source: &Source, name: &str) -> BTreeSet<String> {
    let head = format!("enum {name} {{");
    let open = source.places_of(&head)[0] + 2;
    let mut depth = 0_usize;
    let mut variants = BTreeSet::new();
    let mut is_name = false;
    for piece in &source.code[open..] {
        match piece.text.as_str() {
            _ if piece.literal => {}
            "{" | "(" | "[" => {
                depth += 1;
                is_name = depth == 1;
            }
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
                // After an attribute comes the name.
                is_name = depth == 1 && piece.text == "]";
            }
            "," => is_name = depth == 1,
            "#" => {}
            variant if is_name => {
                variants.insert(format!("{name}::{variant}"));
                is_name = false;
            }
            _ => {}
        }
    }
    variants
}

/// What a program cannot mask: the store prints nothing of its own, not even when a request panics,
/// and a panic inside the storage engine, which is caught, has no canary in its message.
#[test]
fn r52_nothing_that_is_printed_shows_a_canary() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "privacy::everything_in_a_process_of_its_own"])
        .args(["--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
    assert_no_canary("what is printed", &printed);
}

#[test]
#[ignore = "run by r52_nothing_that_is_printed_shows_a_canary"]
fn everything_in_a_process_of_its_own() {
    values(&mut Shown::default());
    errors(&mut Shown::default());
    states::panics();
}
