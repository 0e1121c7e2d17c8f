//! Damage to single rows, in files whose pages are in order: a defect of the engine beneath, or of
//! this crate. A damaged row is an error where it is read, and never a wrong answer; what rows say
//! against each other is found by `verify`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use contact_store::{
    AddTokens, AppId, ContactStore, Error, GivenIdentifiers, Identifiers, MatchPolicy, OpenError,
    Options, RecordReports, RemoveToken, Report, Status, StorageError, Token, TokenEntry,
};

use super::{scratch, wait_until};
use crate::support::raw::{self, Key};
use crate::support::{APP, OTHER_APP, connect, id, options, subscriber};

/// Enough that their changes of the indexes fill a row of the log, which goes when they are folded.
const CONTACTS: u64 = 60;
/// An id that fits into no packed entry.
const ADOPTED: u64 = 1 << 45;
/// The id that a subscriber had in a file of format 1.
const FORMER: u64 = 9;

/// A file in which every table has rows.
struct File {
    directory: tempfile::TempDir,
    sound: PathBuf,
}

fn small_folding() -> Options {
    let mut options = options().0;
    options.testing.folding = (16, 1 << 20, 512, 3);
    options
}

fn given(n: u64) -> GivenIdentifiers {
    GivenIdentifiers::new()
        .external_customer_id(format!("customer-{n}"))
        .phone(format!("+38050{:07}", n % 10_000_000))
        .email(format!("person{n}@example.com"))
}

impl File {
    fn new() -> Self {
        let directory = scratch();
        let sound = directory.path().join("sound.redb");
        let store = ContactStore::open(&sound, small_folding()).unwrap();
        connect(&store);
        let add = |app, entries: Vec<TokenEntry>| {
            let request = AddTokens::new(app).entries(entries);
            let added = store.add_tokens(request).wait().unwrap().outcome.entries;
            let refused: Vec<_> = added.iter().filter(|added| added.is_err()).collect();
            assert!(refused.is_empty(), "{refused:?}");
        };
        let entry = |n| TokenEntry::new(format!("token {n}")).identifiers(given(n));
        add(APP, (1..=CONTACTS).map(entry).collect());
        add(APP, vec![entry(ADOPTED).contact_id(ADOPTED)]);
        let request =
            RecordReports::new(APP).report(Report::new(Status::Sent).token("token 1").message("m"));
        store.record_reports(request).wait().unwrap();
        // Each a commit, so that a round of folding ends.
        for n in 0..20 {
            add(
                OTHER_APP,
                vec![TokenEntry::new(format!("other {n}")).contact_id(1)],
            );
        }
        // What comes last waits in the log: so much that the log has rows, and an end.
        let tokens = (0..200).map(|n| TokenEntry::new(format!("many {n}")).contact_id(2));
        add(OTHER_APP, tokens.collect());
        let token = Token::parse("token 3").unwrap();
        store
            .remove_token(RemoveToken::of_all(APP, token))
            .wait()
            .unwrap();
        store.close().unwrap();
        let former = bincode(subscriber(1).value());
        let record = raw::sealed("former_ids", FORMER, &former);
        raw::write(&sound, "former_ids", &Key::Int(FORMER), Some(&record));
        File { directory, sound }
    }

    /// A copy with a row changed.
    fn with(&self, table: &str, key: &Key, bytes: Option<&[u8]>) -> PathBuf {
        let path = self.directory.path().join("changed.redb");
        fs::copy(&self.sound, &path).unwrap();
        raw::write(&path, table, key, bytes);
        path
    }
}

fn bincode(value: impl bincode::Encode) -> Vec<u8> {
    bincode::encode_to_vec(value, bincode::config::standard()).unwrap()
}

/// What a store answers, or that the file is corrupt.
#[derive(Debug, PartialEq)]
enum Answer {
    Found(Option<u64>),
    Corrupt,
}

fn answer<T>(read: Result<Option<T>, Error>, id: impl FnOnce(T) -> u64) -> Answer {
    match read {
        Ok(found) => Answer::Found(found.map(id)),
        Err(Error::Storage(StorageError::Corrupt(_))) => Answer::Corrupt,
        Err(other) => panic!("{other:?}"),
    }
}

/// Looks up everything that there is, by everything that leads to it.
fn answers(store: &ContactStore) -> Vec<Answer> {
    let now = store.snapshot().unwrap();
    let find = |given: GivenIdentifiers| {
        let given: Identifiers = given.parse().unwrap();
        let found = now.find(&given, MatchPolicy::Cascade);
        answer(found, |found| found.card.id.value())
    };
    let mut answers = Vec::new();
    for n in (1..=CONTACTS + 2).chain([ADOPTED]) {
        let given = GivenIdentifiers::new;
        answers.push(find(given().external_customer_id(format!("customer-{n}"))));
        answers.push(find(given().phone(format!("+38050{:07}", n % 10_000_000))));
        answers.push(find(given().email(format!("person{n}@example.com"))));
        answers.push(answer(now.contact(id(n)), |card| card.id.value()));
    }
    let mine = (1..=CONTACTS + 2).chain([ADOPTED]);
    let tokens = mine.map(|n| (APP, format!("token {n}")));
    let others = (0..20).map(|n| (OTHER_APP, format!("other {n}")));
    let many = (0..200).map(|n| (OTHER_APP, format!("many {n}")));
    let by_token = |(app, token): (AppId, String)| {
        let token = Token::parse(token).unwrap();
        let found = now.subscriber_by_token(app, &token);
        answer(found, |found| found.id.value())
    };
    answers.extend(tokens.chain(others).chain(many).map(by_token));
    answers.push(answer(
        now.subscriber(contact_store::SubscriberId::new(FORMER)),
        |found| found.id.value(),
    ));
    answers
}

fn problems(store: &ContactStore) -> BTreeSet<(&'static str, &'static str)> {
    let verified = store.snapshot().unwrap().verify().unwrap();
    let problems = verified.problems.iter();
    problems
        .map(|problem| (problem.table, problem.what))
        .collect()
}

fn open(path: &Path) -> Result<ContactStore, Error> {
    ContactStore::open(path, small_folding())
}

#[track_caller]
fn refused(path: &Path) {
    let before = fs::read(path).unwrap();
    match open(path) {
        Err(Error::Open(OpenError::Damaged(_))) => {}
        other => panic!("{other:?}"),
    }
    assert!(fs::read(path).unwrap() == before, "refused, but changed");
}

#[test]
fn r50_a_damaged_row_of_any_table_is_an_error_and_never_a_wrong_answer() {
    let file = File::new();
    let store = open(&file.sound).unwrap();
    assert_eq!(problems(&store), BTreeSet::new());
    let right = answers(&store);
    store.close().unwrap();
    assert!(!right.contains(&Answer::Corrupt));
    let mut corrupt_buckets = 0;

    for (table, least) in [
        ("meta", 5),
        ("contacts", 41),
        ("subscribers", 260),
        ("taken_ids", 1),
        ("apps", 2),
        ("messages", 1),
        ("index", 100),
        ("index_log", 1),
        ("former_ids", 1),
    ] {
        let rows = raw::rows(&file.sound, table);
        assert!(rows.len() >= least, "{} rows in {table}", rows.len());
        // Some of each, and all of their bytes in turn.
        let step = rows.len().div_ceil(12);
        for (number, (key, bytes)) in rows.iter().step_by(step).enumerate() {
            let mut damaged = bytes.clone();
            let at = number * 7 % bytes.len();
            damaged[at] ^= 1 << (number % 8);
            let path = file.with(table, key, Some(&damaged));
            // What everything depends on is read at opening.
            if ["meta", "index_log"].contains(&table) {
                refused(&path);
                continue;
            }
            let store = open(&path).unwrap();
            let mut corrupt = 0;
            for (answer, right) in answers(&store).iter().zip(&right) {
                if answer == &Answer::Corrupt {
                    corrupt += 1;
                } else {
                    assert_eq!(answer, right, "{table} {key:?}");
                }
            }
            let looked_up = ["contacts", "subscribers", "apps", "former_ids"];
            // A bucket may hold nothing but what was removed since.
            if table == "index" {
                corrupt_buckets += usize::from(corrupt > 0);
                wait_until(|| store.stats().unwrap().index_is_damaged);
            } else {
                assert_eq!(corrupt > 0, looked_up.contains(&table), "{table} {key:?}");
            }
            let tables = problems(&store).into_iter().map(|(table, _)| table);
            assert!(
                tables.collect::<BTreeSet<_>>().contains(table),
                "{table} {key:?}"
            );
            store.close().unwrap();
        }
    }
    assert!(corrupt_buckets > 5, "{corrupt_buckets}");
}

/// The row of the table `meta` that says where the indexes stand, as it is stored.
type IndexState = (
    [u64; 4],
    u32,
    u16,
    [u16; 4],
    [u16; 4],
    u64,
    u64,
    u64,
    u64,
    Vec<u8>,
);
/// That of the counts of an app.
type Tally = (u128, u8, u64, u64, u64, u64, u64);

const INDEX_STATE: u64 = 2;
const FIRST_TALLY: u64 = 1 << 32;

impl File {
    fn row(&self, table: &str, key: u64) -> Vec<u8> {
        let rows = raw::rows(&self.sound, table);
        let row = rows.into_iter().find(|(there, _)| *there == Key::Int(key));
        raw::payload(&row.unwrap().1).to_vec()
    }

    fn decoded<T: bincode::Decode<()>>(&self, table: &str, key: u64) -> T {
        let payload = self.row(table, key);
        let decoded = bincode::decode_from_slice(&payload, bincode::config::standard());
        let (value, read) = decoded.unwrap();
        assert_eq!(read, payload.len());
        value
    }

    /// A copy in which a row has another payload, whole and sealed.
    fn with_payload(&self, table: &str, key: u64, payload: Option<&[u8]>) -> PathBuf {
        let record = payload.map(|payload| raw::sealed(table, key, payload));
        self.with(table, &Key::Int(key), record.as_deref())
    }

    /// What is wrong with such a copy, in which something may not be found.
    fn problems_with(
        &self,
        table: &str,
        key: u64,
        payload: Option<&[u8]>,
    ) -> BTreeSet<(&'static str, &'static str)> {
        let store = open(&self.with_payload(table, key, payload)).unwrap();
        // Look-ups go by memory, and not by the buckets, from then on.
        wait_until(|| store.stats().unwrap().index_is_complete);
        let problems = problems(&store);
        // None of them shows a card that does not have what was looked for.
        for (answer, right) in answers(&store).iter().zip(self.right_answers()) {
            let is_missing = answer == &Answer::Found(None);
            assert!(answer == &right || is_missing, "{answer:?}, not {right:?}");
        }
        store.close().unwrap();
        problems
    }

    fn right_answers(&self) -> Vec<Answer> {
        let path = self.directory.path().join("right.redb");
        fs::copy(&self.sound, &path).unwrap();
        let store = open(&path).unwrap();
        answers(&store)
    }

    fn change_index_state(&self, change: impl FnOnce(&mut IndexState)) -> Vec<u8> {
        let mut state: IndexState = self.decoded("meta", INDEX_STATE);
        change(&mut state);
        bincode(state)
    }

    fn change_tally(&self, app: u64, change: impl FnOnce(&mut Tally)) -> Vec<u8> {
        let mut tally: Tally = self.decoded("meta", FIRST_TALLY + app);
        change(&mut tally);
        bincode(tally)
    }

    /// A bucket of an index that has packed entries and no others, the first of which only it has. The
    /// log has those of tokens that came last as well, and that one of the first app was removed.
    fn bucket(&self, index: u64) -> (u64, Vec<u8>) {
        let rows = raw::rows(&self.sound, "index").into_iter();
        let buckets = rows.map(|(key, record)| match key {
            Key::Int(key) => (key, raw::payload(&record).to_vec()),
            other => panic!("{other:?}"),
        });
        let of_index = |key: u64| key >> 26 & 3 == index;
        let packed = |payload: &[u8]| {
            let count = u32::from_le_bytes(payload[..4].try_into().unwrap());
            usize::try_from(count).unwrap() * 8 + 4 == payload.len()
        };
        let is_in_the_log = |payload: &[u8]| {
            let number = u32::from_le_bytes(payload[4..8].try_into().unwrap());
            let came_first = payload[8] == 1 && u64::from(number) <= CONTACTS;
            index == 3 && (!came_first || number == 3)
        };
        let mut buckets = buckets.filter(|(key, payload)| of_index(*key) && packed(payload));
        buckets
            .find(|(_, payload)| !is_in_the_log(payload))
            .unwrap()
    }
}

#[test]
fn r50_verify_finds_every_way_in_which_the_indexes_can_be_wrong() {
    let file = File::new();
    for (index, table, missing) in [
        (0, "contacts", "an identifier is missing in its index"),
        (1, "contacts", "an identifier is missing in its index"),
        (2, "contacts", "an identifier is missing in its index"),
        (3, "subscribers", "the token is missing in its index"),
    ] {
        let (key, bucket) = file.bucket(index);
        let not_found = (table, "a look-up does not find the row");
        let miscounted = ("meta", "the entries of the indexes are miscounted");
        let astray = ("index", "an entry leads to a row without such a value");

        // Gone with its bucket.
        let found = file.problems_with("index", key, None);
        assert_eq!(found, [(table, missing), not_found, miscounted].into());
        // Gone from its bucket.
        let found = file.problems_with("index", key, Some(&[0; 4]));
        let empty = ("index", "the bucket is empty");
        assert_eq!(
            found,
            [(table, missing), not_found, miscounted, empty].into()
        );
        // Another id beside it: a row that is not there, and one that has another value.
        let is_39 = bucket[4..8] == 39_u32.to_le_bytes();
        for wrong in [if is_39 { 38 } else { 39 }, CONTACTS + 1] {
            let mut more = bucket.clone();
            let mut entry = more[4..12].to_vec();
            entry[..4].copy_from_slice(&u32::try_from(wrong).unwrap().to_le_bytes());
            more.extend(entry);
            more[0] += 1;
            let mut entries: Vec<[u8; 8]> = more[4..]
                .chunks(8)
                .map(|entry| entry.try_into().unwrap())
                .collect();
            entries.sort_by_key(|entry| u64::from_le_bytes(*entry));
            let sorted = [&more[..4], entries.as_flattened()].concat();
            let found = file.problems_with("index", key, Some(&sorted));
            assert_eq!(found, [astray, miscounted].into());
        }
        // The same in a bucket that nobody reads.
        let found = file.problems_with("index", key & !(7 << 32) | 7 << 32, Some(&bucket));
        let not_read = ("index", "the bucket is not where look-ups read it");
        assert_eq!(found, [not_read].into());
    }
    let state = file.change_index_state(|state| state.0[2] += 1);
    let found = file.problems_with("meta", INDEX_STATE, Some(&state));
    let miscounted = ("meta", "the entries of the indexes are miscounted");
    assert_eq!(found, [miscounted].into());

    let log = raw::rows(&file.sound, "index_log");
    let Some((Key::Int(last), record)) = log.last() else {
        panic!("{log:?}");
    };
    let found = file.problems_with("index_log", last + 1, Some(raw::payload(record)));
    assert_eq!(
        found,
        [("index_log", "the row is outside of the log")].into()
    );
    refused(&file.with("index_log", &Key::Int(*last), None));
}

/// A change in the log that its bucket has already is no problem; one that takes away what is there
/// is.
#[test]
fn the_log_of_the_indexes_may_say_again_what_is_so_and_nothing_else() {
    let file = File::new();
    let (key, bucket) = file.bucket(2);
    let place = u16::try_from(key >> 16 & 0xffff).unwrap();
    let change =
        |removed: u16| [&(place | removed << 12).to_le_bytes()[..], &bucket[4..12]].concat();
    let again = file.change_index_state(|state| state.9.extend(change(0)));
    assert_eq!(
        file.problems_with("meta", INDEX_STATE, Some(&again)),
        [].into()
    );
    let gone = file.change_index_state(|state| state.9.extend(change(1)));
    let found = file.problems_with("meta", INDEX_STATE, Some(&gone));
    let expected = [
        ("contacts", "a look-up does not find the row"),
        ("contacts", "an identifier is missing in its index"),
        ("meta", "the entries of the indexes are miscounted"),
    ];
    assert_eq!(found, expected.into());
}

#[test]
fn r50_verify_finds_counts_of_apps_and_former_ids_that_are_wrong() {
    let file = File::new();
    type Miscount = (fn(&mut Tally), &'static str);
    let cases: [Miscount; 6] = [
        (|tally| tally.3 += 1, "the subscribers are miscounted"),
        (|tally| tally.4 += 1, "the contacts are miscounted"),
        (|tally| tally.2 = 1, "a subscriber id was not given out yet"),
        (|tally| tally.0 += 1, "the tally is of another app"),
        (
            |tally| tally.1 = 2,
            "connected or not, the apps say otherwise",
        ),
        (
            |tally| tally.1 = 3,
            "the app is gone, and tokens of it are left",
        ),
    ];
    for (change, what) in cases {
        let changed = file.change_tally(2, change);
        let path = file.with_payload("meta", FIRST_TALLY + 2, Some(&changed));
        let found = problems(&open(&path).unwrap());
        assert!(found.contains(&("meta", what)), "{what}: {found:?}");
        assert!(
            found
                .iter()
                .all(|(table, _)| ["meta", "apps"].contains(table)),
            "{found:?}"
        );
    }
    // A subscriber of the first app that was never given out, and one of an app that never was.
    for wrong in [1_u64 << 40 | 77_777, 9 << 40 | 1] {
        let path = file.with_payload("former_ids", FORMER, Some(&bincode(wrong)));
        let found = problems(&open(&path).unwrap());
        let what = "the former id leads to an id that was not given out";
        assert_eq!(found, [("former_ids", what)].into());
    }
}
