//! Stores that move from a file to PostgreSQL and back (R70).

use std::cell::Cell;
use std::ops::ControlFlow;

use contact_store::transfer::{
    ExportOptions, ImportOptions, Imported, RestartPoint, TransferError, export_ndjson,
    import_ndjson,
};
use contact_store::{
    AccessKey, AddTokens, AppId, AppName, ConnectApp, ContactId, ContactStore, ContactUpdate,
    CopyError, Create, DatabaseStats, DedupeOn, Error, Merge, Mute, Options, PostgresOptions,
    RecordReports, Report, Status, Token, TokenEntry, Upsert,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::cluster::{Database, shared};

pub const APP: AppId = AppId::from_u128(7);
const FORMER_APP: AppId = AppId::from_u128(8);

pub fn connect(database: &Database, schema: &str) -> ContactStore {
    let postgres = PostgresOptions::new(&database.url).schema(schema);
    ContactStore::connect(&postgres, Options::default()).unwrap()
}

/// With the access keys. The first line has the sequence number, which is the store's own.
fn export(store: &ContactStore) -> (String, String) {
    let mut text = Vec::new();
    let options = ExportOptions::default().access_keys(true);
    let now = store.snapshot().unwrap();
    export_ndjson(&now, &mut text, options, |_| ControlFlow::Continue(())).unwrap();
    let text = String::from_utf8(text).unwrap();
    let (first, rows) = text.split_once('\n').unwrap();
    (first.to_owned(), rows.to_owned())
}

fn whole((first, rows): &(String, String)) -> String {
    format!("{first}\n{rows}")
}

/// What the first line says besides the sequence number.
fn counters(first: &str) -> serde_json::Value {
    let mut first: serde_json::Value = serde_json::from_str(first).unwrap();
    let members = first.as_object_mut().unwrap().values_mut().next().unwrap();
    members.as_object_mut().unwrap().remove("sequence").unwrap();
    first
}

/// Imports until so many batches were told.
fn import_until(
    store: &ContactStore,
    text: &str,
    options: ImportOptions,
    batches: usize,
) -> (Result<Imported, TransferError>, Option<RestartPoint>) {
    let (mut told, mut point) = (0, None);
    let imported = import_ndjson(
        store,
        text.as_bytes(),
        options,
        |row| panic!("line {}: {}", row.line, row.error),
        |progress| {
            told += 1;
            point = Some(progress.restart);
            // The first is told before the first batch.
            match told > batches {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        },
    );
    (imported, point)
}

#[track_caller]
fn import(store: &ContactStore, text: &str) -> Imported {
    import_until(store, text, ImportOptions::new(), usize::MAX)
        .0
        .unwrap()
}

#[track_caller]
pub fn assert_sound(store: &ContactStore) {
    let found = store.snapshot().unwrap().verify().unwrap();
    let first = found
        .problems
        .first()
        .map(|problem| (problem.table, problem.what));
    assert_eq!((found.problem_count, first), (0, None));
}

fn id(number: u64) -> ContactId {
    ContactId::new(number).unwrap()
}

/// A store with rows of every kind that moves.
pub fn fill(store: &ContactStore) {
    for (app, name) in [(APP, "First bot"), (FORMER_APP, "Former bot")] {
        let bot = ConnectApp::new(AppName::parse(name).unwrap()).id(app);
        let bot = bot.key(AccessKey::parse("secret-key").unwrap());
        store.connect_app(bot).wait().unwrap();
    }
    let entries = (1..=6).map(|n| {
        TokenEntry::new(format!("t-{n}"))
            .external_customer_id(format!("crm-{n}"))
            .phone(format!("38050000000{n}"))
            .email(format!("{n}@example.com"))
    });
    let adopted = TokenEntry::new("t-9")
        .contact_id(1_u64 << 40)
        .email("9@example.com");
    let add = entries.fold(AddTokens::new(APP), AddTokens::entry);
    let added = store.add_tokens(add.entry(adopted)).wait().unwrap();
    added.outcome.entries.all().unwrap();
    let shared = TokenEntry::new("t-1").external_customer_id("crm-2");
    store
        .add_tokens(AddTokens::new(APP).entry(shared))
        .wait()
        .unwrap();
    let gone = TokenEntry::new("gone").email("1@example.com");
    store
        .add_tokens(AddTokens::new(FORMER_APP).entry(gone))
        .wait()
        .unwrap();
    store.disconnect_app(FORMER_APP).wait().unwrap();
    let ann = ContactUpdate::new()
        .email("1@example.com")
        .first_name("\u{407}жак\u{1f}")
        .field("city", "Kyiv, \"Київ\"");
    store
        .upsert(Upsert::new(DedupeOn::Email).contact(ann))
        .wait()
        .unwrap();
    store.erase(id(3)).wait().unwrap();
    store.merge(Merge::new(id(4), id(5))).wait().unwrap();
    let token = Token::parse("t-2").unwrap();
    store.mute(Mute::new(APP, token)).wait().unwrap();
    let sent = Report::new(Status::Sent).token("t-1").message("spring");
    let failed = Report::new(Status::Failed).token("t-6").reason("blocked");
    let reports = RecordReports::new(APP).report(sent).report(failed);
    store
        .record_reports(reports)
        .wait()
        .unwrap()
        .outcome
        .all()
        .unwrap();
}

/// Moves a store to a database and from there to a new one in memory.
#[track_caller]
fn there_and_back(from: &ContactStore, over: &ContactStore) {
    let first = export(from);
    import(over, &whole(&first));
    let second = export(over);
    assert_eq!(first.1, second.1);
    assert_eq!(counters(&first.0), counters(&second.0));
    assert_sound(over);
    let back = ContactStore::open_in_memory(Options::default()).unwrap();
    import(&back, &whole(&second));
    let third = export(&back);
    assert_eq!(first.1, third.1);
    assert_eq!(counters(&first.0), counters(&third.0));
    assert_sound(&back);
}

#[test]
fn r70_a_store_that_moves_to_a_database_and_back_is_equal_to_the_row() {
    let Some(cluster) = shared() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let from = ContactStore::open(path, Options::default()).unwrap();
    fill(&from);
    let over = connect(&cluster.database("moving"), "shop");
    there_and_back(&from, &over);
    // An erased id stays taken, and the next one is the next one.
    let next = TokenEntry::new("next").email("next@example.com");
    let added = [&from, &over].map(|store| {
        let add = AddTokens::new(APP).entry(next.clone());
        let added = store.add_tokens(add).wait().unwrap().outcome.entries;
        let again = TokenEntry::new("again")
            .contact_id(3)
            .email("again@example.com");
        let again = store.add_tokens(AddTokens::new(APP).entry(again)).wait();
        (
            format!("{added:?}"),
            format!("{:?}", again.unwrap().outcome.entries),
        )
    });
    assert_eq!(added[0], added[1]);
}

/// A request of a short history.
#[derive(Clone, Debug)]
enum Step {
    Add(u8, Vec<u8>),
    Erase(u8),
    Merge(u8, u8),
    Failed(u8),
    Sent(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..9_u8, proptest::collection::vec(0..6_u8, 1..3)).prop_map(|(t, e)| Step::Add(t, e)),
        1 => (1..9_u8).prop_map(Step::Erase),
        1 => (1..9_u8, 1..9_u8).prop_map(|(from, into)| Step::Merge(from, into)),
        1 => (0..9_u8).prop_map(Step::Failed),
        1 => (0..9_u8).prop_map(Step::Sent),
    ]
}

fn apply(store: &ContactStore, step: &Step) {
    match step {
        Step::Add(token, emails) => {
            let of = |email: &u8| {
                let phone = format!("3805000000{}", 10 + email);
                TokenEntry::new(format!("t{token}"))
                    .email(format!("{email}@example.com"))
                    .phone(phone)
            };
            let add = emails
                .iter()
                .map(of)
                .fold(AddTokens::new(APP), AddTokens::entry);
            drop(store.add_tokens(add).wait().unwrap());
        }
        Step::Erase(contact) => drop(store.erase(id((*contact).into())).wait().unwrap()),
        // There may be no such contacts.
        Step::Merge(from, into) => {
            drop(
                store
                    .merge(Merge::new(id((*from).into()), id((*into).into())))
                    .wait(),
            );
        }
        Step::Failed(token) | Step::Sent(token) => {
            let status = match step {
                Step::Failed(_) => Status::Failed,
                _ => Status::Sent,
            };
            let report = Report::new(status).token(format!("t{token}")).message("m");
            drop(
                store
                    .record_reports(RecordReports::new(APP).report(report))
                    .wait()
                    .unwrap(),
            );
        }
    }
}

#[test]
fn r70_what_short_histories_leave_moves_to_a_database_and_back() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("histories");
    let schemas = Cell::new(0);
    let config = Config {
        cases: 4,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let histories = proptest::collection::vec(step(), 4..16);
    let ran = TestRunner::new(config).run(&histories, |history| {
        let from = ContactStore::open_in_memory(Options::default()).unwrap();
        let bot = ConnectApp::new(AppName::parse("Bot").unwrap()).id(APP);
        from.connect_app(bot).wait().unwrap();
        for step in &history {
            apply(&from, step);
        }
        schemas.set(schemas.get() + 1);
        there_and_back(
            &from,
            &connect(&database, &format!("history_{}", schemas.get())),
        );
        Ok(())
    });
    ran.unwrap();
}

fn database_stats(store: &ContactStore) -> DatabaseStats {
    store.stats().unwrap().database.unwrap()
}

/// A store of so many contacts, as it is exported.
fn many(contacts: u64) -> String {
    let store = ContactStore::open_in_memory(Options::default()).unwrap();
    let bot = ConnectApp::new(AppName::parse("Bot").unwrap()).id(APP);
    store.connect_app(bot).wait().unwrap();
    let entries =
        (1..=contacts).map(|n| TokenEntry::new(format!("t{n}")).email(format!("{n}@example.com")));
    let add = entries.fold(AddTokens::new(APP), AddTokens::entry);
    store.add_tokens(add).wait().unwrap();
    whole(&export(&store))
}

#[test]
fn r70_an_interrupted_import_into_a_database_goes_on_without_doubling_anything() {
    let Some(cluster) = shared() else { return };
    let store = connect(&cluster.database("interrupted"), "shop");
    let text = many(40);
    let options = ImportOptions::new().batch_rows(10);
    let (stopped, point) = import_until(&store, &text, options, 3);
    assert!(
        matches!(stopped, Err(TransferError::Cancelled)),
        "{stopped:?}"
    );
    assert_sound(&store);
    let options = ImportOptions::new().restart(point.unwrap());
    let imported = import_until(&store, &text, options, usize::MAX).0.unwrap();
    assert_eq!(imported.refused_rows(), 0);
    let (_, rows) = text.split_once('\n').unwrap();
    assert_eq!(export(&store).1, rows);
    assert_sound(&store);
}

#[test]
fn r70_a_batch_of_an_import_is_a_few_round_trips_however_many_rows_it_has() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("batches");
    let text = many(300);
    let rows = text.lines().count() as u64 - 2;
    let trips = [50, 300].map(|batch: u64| {
        let store = connect(&database, &format!("batches_of_{batch}"));
        let before = database_stats(&store).round_trips;
        let options = ImportOptions::new().batch_rows(batch.try_into().unwrap());
        import_until(&store, &text, options, usize::MAX).0.unwrap();
        let trips = database_stats(&store).round_trips - before;
        trips.div_ceil(rows.div_ceil(batch))
    });
    eprintln!("round trips a batch of 50 and of 300 rows: {trips:?}");
    // With what the import reads before its first batch.
    assert!(trips.iter().all(|trips| *trips <= 4), "{trips:?}");
}

#[test]
fn what_only_a_file_has_is_refused_of_a_store_in_a_database() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("no_file");
    let store = connect(&database, "shop");
    fill(&store);
    let to = tempfile::tempdir().unwrap();
    let to = to.path().join("backup.redb");
    let go_on = |_| ControlFlow::Continue(());
    let backup = store.snapshot().unwrap().backup(&to, go_on);
    assert!(
        matches!(backup, Err(Error::Copy(CopyError::NoFile))),
        "{backup:?}"
    );
    let vacuum = store.vacuum(go_on);
    assert!(
        matches!(vacuum, Err(Error::Copy(CopyError::NoFile))),
        "{vacuum:?}"
    );
    assert!(!to.exists());
    let stats = store.stats().unwrap();
    assert_eq!(
        (
            stats.engine,
            stats.file_bytes,
            stats.cache_bytes,
            stats.wider_mode,
            stats.file_moved
        ),
        ("postgres", 0, 0, None, false)
    );
    let space = store.space().unwrap();
    assert_eq!((space.file_bytes, space.free_bytes), (0, 0));
    assert!(space.used_bytes > 0);
}

#[test]
fn stats_count_what_the_connections_do_and_what_other_hosts_wrote() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("counted");
    let postgres = PostgresOptions::new(&database.url).connections(2);
    let store = ContactStore::connect(&postgres, Options::default()).unwrap();
    let made = database_stats(&store);
    assert_eq!(
        (
            made.open_connections,
            made.idle_connections,
            made.most_connections,
            made.connections_made,
            made.failures
        ),
        (1, 0, 4, 1, 0)
    );
    let held = store.snapshot().unwrap();
    let with_snapshot = database_stats(&store);
    assert_eq!(
        (
            with_snapshot.open_connections,
            with_snapshot.idle_connections
        ),
        (2, 0)
    );
    assert!(with_snapshot.round_trips > made.round_trips);
    drop(held);
    let idle = database_stats(&store);
    assert_eq!(idle.idle_connections, 1);
    assert_eq!((idle.open_connections, idle.connections_made), (2, 2));
    // What another host wrote is seen with the next snapshot.
    let other = ContactStore::connect(&postgres, Options::default().create(Create::Never)).unwrap();
    fill(&other);
    assert_eq!(store.stats().unwrap().contacts, 0);
    let seen = store.snapshot().unwrap();
    let (own, others) = (store.stats().unwrap(), other.stats().unwrap());
    assert_eq!(
        (own.sequence, own.contacts),
        (others.sequence, others.contacts)
    );
    assert_eq!(own.sequence, seen.sequence());
    let mut text = String::new();
    own.write_prometheus(&mut text).unwrap();
    assert!(text.contains("engine=\"postgres\"} 1\n"), "{text}");
    assert!(
        text.contains("\ncontact_store_database_connections_limit 4\n"),
        "{text}"
    );
}
