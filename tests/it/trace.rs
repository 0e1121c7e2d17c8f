//! The feature `tracing`: spans of opening, reopening, committing and verifying, which hold numbers and
//! fixed words alone (R52).
//!
//! A collector is that of a whole process, so each test has a process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Debug;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contact_store::{
    AccessKey, AddTokens, AppName, BringBack, Check, ConnectApp, ContactStore, ContactUpdate,
    DedupeOn, Erase, Error, GivenIdentifiers, IdentifierKind, Merge, Mute, RecordReports,
    RemoveStale, RemoveToken, RenameToken, Report, Split, Status, Token, TokenEntry, Unmute,
    Upsert,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::failing_disk::disk::{Fault, FaultKind, TestDisk};
use crate::privacy::shown::{PHONE, WORD, assert_no_canary};
use crate::support::{APP, add, at, connect, id, options};

/// Names and values of fields, as they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// A span, or an event under the name of the span that it is in.
#[derive(Clone, Debug)]
struct Told {
    name: String,
    fields: Fields,
    entered: usize,
    left: usize,
}

/// Keeps the spans and events that it gets.
#[derive(Default)]
struct Collector {
    /// A span has its place, from 1, as its id.
    told: Mutex<Vec<Told>>,
    /// Panics at the end of each call, as a collector with a defect would.
    panics: bool,
}

impl Collector {
    /// Collects what this process tells from now on.
    fn start(panics: bool) -> Arc<Self> {
        let collector = Arc::new(Collector {
            panics,
            ..Collector::default()
        });
        tracing::subscriber::set_global_default(collector.clone()).unwrap();
        collector
    }

    fn tell(&self, metadata: &Metadata<'_>, name: String, fields: Fields) -> u64 {
        assert_eq!(metadata.target(), "contact_store");
        let mut told = self.told.lock().unwrap();
        told.push(Told {
            name,
            fields,
            entered: 0,
            left: 0,
        });
        told.len() as u64
    }

    fn change(&self, span: &Id, change: impl FnOnce(&mut Told)) {
        let place = usize::try_from(span.into_u64()).unwrap() - 1;
        change(&mut self.told.lock().unwrap()[place]);
    }

    fn end_of_call(&self) {
        if self.panics {
            // Without a message, which would only clutter the output.
            std::panic::resume_unwind(Box::new(()));
        }
    }

    /// What was told since the last time, one line for each span and event.
    #[track_caller]
    fn take(&self) -> Vec<String> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        let line = |told: Told| {
            assert_eq!(told.entered, told.left, "{told:?}");
            let fields = told.fields.0.iter();
            let fields = fields.map(|(name, value)| format!(" {name}={value}"));
            told.name.clone() + &fields.collect::<String>()
        };
        told.into_iter().map(line).collect()
    }
}

impl Subscriber for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let metadata = span.metadata();
        let id = Id::from_u64(self.tell(metadata, metadata.name().to_owned(), fields));
        self.end_of_call();
        id
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.change(span, |told| values.record(&mut told.fields));
        self.end_of_call();
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut name = String::new();
        self.change(event.parent().unwrap(), |told| name.clone_from(&told.name));
        self.tell(event.metadata(), format!("in {name}:"), fields);
        self.end_of_call();
    }

    fn enter(&self, span: &Id) {
        self.change(span, |told| told.entered += 1);
        self.end_of_call();
    }

    fn exit(&self, span: &Id) {
        self.change(span, |told| told.left += 1);
        self.end_of_call();
    }
}

/// Runs one of the ignored tests of this module in a process of its own.
#[track_caller]
fn in_a_process_of_its_own(test: &str) {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("trace::{test}"), "--ignored"])
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
}

#[test]
fn spans_tell_what_the_store_does_to_its_file() {
    in_a_process_of_its_own("a_life_in_spans");
}

#[test]
fn r52_spans_hold_numbers_and_fixed_words_alone() {
    in_a_process_of_its_own("every_operation_with_canaries");
}

#[test]
fn r48_a_collector_that_panics_takes_no_request_with_it() {
    in_a_process_of_its_own("a_life_under_a_collector_that_panics");
}

fn entry(number: u64) -> TokenEntry {
    TokenEntry::new(format!("token {number}")).email(format!("person{number}@example.com"))
}

fn request(number: u64) -> AddTokens {
    AddTokens::new(APP).entry(entry(number))
}

#[test]
#[ignore = "run by spans_tell_what_the_store_does_to_its_file"]
fn a_life_in_spans() {
    let collector = Collector::start(false);
    let disk = TestDisk::empty();
    let (mut options, _) = options();
    let store = ContactStore::open_on_disk(disk.clone(), options.clone()).unwrap();
    let len = || disk.bytes().len();
    let opened = format!("open bytes={} pages_verified=true sequence=0", len());
    assert_eq!(collector.take(), [opened]);

    // An app, its counts, and the counters of the store.
    connect(&store);
    let commits = [1, 2].map(|number| format!("commit requests=1 rows=3 sequence={number}"));
    assert_eq!(collector.take(), commits);

    assert!(!store.erase(id(99)).wait().unwrap().outcome.erased);
    assert_eq!(collector.take(), [""; 0]);

    // Callers that wait for one commit share the next. Each new person changes five rows: a card, its email,
    // a subscriber, its token, its place in the listing; the counts and counters are shared.
    disk.hold();
    let mut pending = vec![store.add_tokens(request(0))];
    assert!(disk.somebody_waits(Duration::from_secs(60)));
    pending.extend([1, 2].map(|number| store.add_tokens(request(number))));
    disk.release();
    for pending in pending {
        pending.wait().unwrap();
    }
    let commits = [
        "commit requests=1 rows=4 sequence=3",
        "commit requests=2 rows=6 sequence=5",
    ];
    assert_eq!(collector.take(), commits);

    let verified = store.snapshot().unwrap().verify().unwrap();
    let rows = verified.rows;
    let line = format!("verify problems=0 rows={rows} sequence=5");
    assert_eq!(collector.take(), [line]);

    disk.fail_sync(1);
    let failed = store.add_tokens(request(3)).wait();
    assert!(matches!(failed, Err(Error::Indeterminate { .. })));
    disk.fail(Fault {
        at: 1,
        kind: FaultKind::FromThenOn,
    });
    assert!(matches!(store.reopen(), Err(Error::Open(_))));
    disk.mend();
    let found = store.reopen().unwrap();
    let lines = collector.take();
    let reopened = format!(
        "reopen bytes={} pages_verified=true sequence={found}",
        len()
    );
    let begins = [
        "commit requests=1 rows=4 sequence=6",
        "in commit: error=input or output failed (",
        "reopen",
        "in reopen: error=input or output failed (",
        &reopened,
    ];
    assert_eq!(lines.len(), begins.len(), "{lines:?}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line} is not {begin}");
    }

    store.close().unwrap();
    options.check = Check::IfUnclean;
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    let opened = format!("open bytes={} pages_verified=false sequence={found}", len());
    assert_eq!(collector.take(), [opened]);
    store.close().unwrap();
}

/// Every kind of operation, accepted and refused, in a file whose path is a canary.
fn run_every_operation() {
    let directory = tempfile::Builder::new().prefix(WORD).tempdir().unwrap();
    let path = directory.path().join(format!("{WORD}.redb"));
    let (options, _) = options();
    let store = ContactStore::open(&path, options.clone()).unwrap();
    assert!(ContactStore::open(&path, options.clone()).is_err());
    assert!(ContactStore::open(directory.path(), options).is_err());

    let token = format!("{WORD}-token");
    let email = format!("{WORD}@example.com");
    let name = AppName::parse(format!("{WORD} bot")).unwrap();
    let key = AccessKey::parse(WORD).unwrap();
    let connected = ConnectApp::new(name).id(APP).key(key);
    store.connect_app(connected).wait().unwrap();
    let entry = TokenEntry::new(&token)
        .phone(format!("+{PHONE}"))
        .email(&email)
        .external_customer_id(WORD);
    add(&store, entry);
    let invalid = AddTokens::new(APP).entry(TokenEntry::new(&token).email(WORD));
    assert!(store.add_tokens(invalid).wait().unwrap().outcome.entries[0].is_err());
    let update = ContactUpdate::new()
        .email(&*email)
        .first_name(WORD)
        .field(WORD, WORD);
    let upsert = Upsert::new(DedupeOn::Email).contact(update);
    assert!(store.upsert(upsert).wait().unwrap().outcome[0].is_ok());
    let report = Report::new(Status::Sent)
        .token(&token)
        .reason(WORD)
        .message(WORD);
    let reports = RecordReports::new(APP).report(report);
    assert!(store.record_reports(reports).wait().unwrap().outcome[0].is_ok());
    assert!(store.forget_messages(APP, at(5_000)).wait().is_ok());
    let stale = RemoveStale::new(APP, at(0));
    assert!(store.remove_stale(stale).wait().is_ok());
    let other = ContactUpdate::new().external_customer_id(format!("{WORD}-2"));
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contact(other);
    assert!(store.upsert(upsert).wait().unwrap().outcome[0].is_ok());
    assert!(store.merge(Merge::new(id(2), id(1))).wait().is_ok());
    assert!(store.unmerge(id(2)).wait().is_ok());
    assert!(store.dismiss_conflict(id(2), id(1)).wait().is_ok());
    let split = Split::new(id(2)).identifier(IdentifierKind::ExternalCustomerId);
    assert!(store.split(split).wait().is_ok());
    assert!(store.panic_while_deciding().wait().is_err());
    let token = Token::parse(token).unwrap();
    assert!(store.mute(Mute::new(APP, token.clone())).wait().is_ok());
    assert!(store.unmute(Unmute::new(APP, token.clone())).wait().is_ok());
    assert!(
        store
            .bring_back(BringBack::new(APP, token.clone()))
            .wait()
            .is_ok()
    );
    let rename = RenameToken::new(APP, token.clone(), token.clone());
    assert!(store.rename_token(rename).wait().is_ok());
    assert!(
        store
            .remove_token(RemoveToken::of_all(APP, token))
            .wait()
            .is_ok()
    );
    assert!(store.snapshot().unwrap().verify().unwrap().is_sound());
    let erase = Erase::new(id(1)).suppress();
    assert!(store.erase(erase).wait().unwrap().outcome.erased);
    let suppressed = GivenIdentifiers::new().email(&*email).parse().unwrap();
    assert!(store.lift_suppression(suppressed).wait().is_ok());
    assert!(store.disconnect_app(APP).wait().is_ok());
    store.close().unwrap();
}

#[test]
#[ignore = "run by r52_spans_hold_numbers_and_fixed_words_alone"]
fn every_operation_with_canaries() {
    let collector = Collector::start(false);
    run_every_operation();
    let told = collector.told.lock().unwrap().clone();
    let mut names = BTreeMap::<&str, usize>::new();
    let mut fields = BTreeSet::new();
    for Told {
        name, fields: of, ..
    } in &told
    {
        *names.entry(name).or_default() += 1;
        for (field, value) in &of.0 {
            assert_no_canary(&format!("{field} of {name}"), value);
            fields.insert(*field);
            let is_number = value.parse::<u64>().is_ok() || value.parse::<bool>().is_ok();
            let is_of_an_error = ["error", "message"].contains(field);
            assert!(is_number || is_of_an_error, "{field} of {name}: {value}");
        }
    }
    let expected = [
        "bytes",
        "error",
        "message",
        "pages_verified",
        "problems",
        "requests",
        "rows",
        "sequence",
    ];
    assert_eq!(fields, BTreeSet::from(expected));
    assert_eq!(
        (names["open"], names["in open:"], names["verify"]),
        (3, 2, 1)
    );
    assert!(names["commit"] >= 8, "{names:?}");
}

#[test]
#[ignore = "run by r48_a_collector_that_panics_takes_no_request_with_it"]
fn a_life_under_a_collector_that_panics() {
    let collector = Collector::start(true);
    run_every_operation();
    let disk = TestDisk::empty();
    let store = ContactStore::open_on_disk(disk.clone(), options().0).unwrap();
    connect(&store);
    disk.fail_sync(1);
    let failed = store.add_tokens(request(0)).wait();
    assert!(matches!(failed, Err(Error::Indeterminate { .. })));
    store.reopen().unwrap();
    add(&store, entry(1));
    assert!(store.snapshot().unwrap().verify().unwrap().is_sound());
    store.close().unwrap();
    assert!(!collector.told.lock().unwrap().is_empty());
}
