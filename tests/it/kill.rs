//! A real process that writes, killed at random moments or stopped by a limit of the system: what it
//! acknowledged is there, and nothing is half there (R46, R49).
#![cfg(unix)]

mod full;
mod limit;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use contact_store::{
    AddTokens, CardChange, ContactStore, ContactUpdate, Create, DedupeOn, GivenIdentifiers,
    TokenEntry, Upsert,
};

use crate::support::cases::Cases;
use crate::support::process::{Process, command, say, task};
use crate::support::random::Random;
use crate::support::{APP, assert_sound, connect, find, fold_early, id, options};

const NAME: &str = "contacts.redb";

/// Processes are killed while they fold the indexes, too.
fn folding_options() -> contact_store::Options {
    let (mut options, _) = options();
    fold_early(&mut options);
    options
}
const CHILD: &str = "kill::child_that_writes_until_it_is_killed";

/// Writes from four threads, and says what was acknowledged. Its task: the names of its contacts and
/// the path.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(task) = task() else { return };
    let (name, path) = task.split_once(' ').unwrap();
    say("opening");
    let store = ContactStore::open(path, folding_options()).unwrap();
    say("open");
    connect(&store);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            // It ends some day also when nobody kills it.
            scope.spawn(move || (0..1_000_000).for_each(|n| add_one(store, name, thread, n)));
        }
    });
}

/// Writes a little, and closes the store. Its task is as that of the other.
#[test]
fn child_that_closes_the_store() {
    let Some(task) = task() else { return };
    let (name, path) = task.split_once(' ').unwrap();
    let store = ContactStore::open(path, folding_options()).unwrap();
    connect(&store);
    (0..5).for_each(|n| add_one(&store, name, 0, n));
    say("closing");
    store.close().unwrap();
    say("closed");
}

/// Adds a contact, and gives every third another email.
fn add_one(store: &ContactStore, name: &str, thread: usize, n: usize) {
    let email = format!("{name}-{thread}-{n}@example.com");
    let request = AddTokens::new(APP).entry(TokenEntry::new(&email).email(&email));
    let added = store.add_tokens(request).wait().unwrap().outcome;
    let contact = added.entries[0].as_ref().unwrap().contact;
    say(&format!("{email} {contact}"));
    if n.is_multiple_of(3) {
        let item = ContactUpdate::new()
            .contact_id(contact.value())
            .email(replaced(&email))
            .field(REPLACED, &*email);
        let request = Upsert::new(DedupeOn::ContactId).contact(item);
        let outcome = store.upsert(request).wait().unwrap().outcome;
        assert_eq!(outcome[0].as_ref().unwrap().card, CardChange::Updated);
        say(&format!("{} {contact}", replaced(&email)));
    }
}

/// The email that takes the place of another.
fn replaced(email: &str) -> String {
    format!("new-{email}")
}

/// The field that holds an email which was replaced.
const REPLACED: &str = "replaced";

/// What children were told to be in the store: ids of contacts, and the emails of each in order.
#[derive(Default)]
struct Acknowledged(BTreeMap<u64, Vec<String>>);

impl Acknowledged {
    /// Takes in what a child said. Otherwise it says that it is opening, or open.
    fn hear(&mut self, said: &[String]) {
        for line in said {
            if let Some((email, id)) = line.split_once(' ') {
                let emails = self.0.entry(id.parse().unwrap()).or_default();
                emails.push(email.to_owned());
            }
        }
    }

    /// All of it is in the store, each contact with its id and its token, and nothing is half there.
    #[track_caller]
    fn assert_in(&self, store: &ContactStore) {
        for (id, emails) in &self.0 {
            let first = &emails[0];
            let new = replaced(first);
            assert!(emails[1..].iter().all(|email| *email == new), "{emails:?}");
            let by = |email: &str| find(store, GivenIdentifiers::new().email(email)).unwrap();
            let (found, old) = (by(&new), by(first));
            // One of the two names the contact, and no acknowledged change is undone.
            let is_new = found.is_some();
            assert!(is_new != old.is_some(), "{first} is lost, or twice there");
            assert!(is_new || emails.len() == 1, "{new} is lost");
            let card = found.or(old).unwrap().card;
            let tokens: Vec<_> = card.tokens.iter().map(|it| it.token.as_str()).collect();
            assert_eq!((card.id.value(), tokens), (*id, vec![&**first]));
            let field = card.fields.custom.get(REPLACED);
            assert_eq!(field, is_new.then_some(first));
        }
        assert_sound(store);
        // Each request made one change, and took one number. No id was passed over.
        let now = store.snapshot().unwrap();
        let contacts = now.contact_count();
        let is_replaced = |id: &u64| {
            let card = now.contact(self::id(*id)).unwrap().unwrap();
            card.fields.custom.contains_key(REPLACED)
        };
        let upserts = (1..=contacts).filter(is_replaced).count() as u64;
        let apps = now.apps().unwrap().len() as u64;
        assert_eq!(now.sequence().value(), contacts + upserts + apps);
    }

    /// How much of the store nobody was told of, since the kill came before the answer.
    fn beyond(&self, store: &ContactStore) -> u64 {
        let told = self
            .0
            .values()
            .map(|emails| emails.len() as u64)
            .sum::<u64>();
        let now = store.snapshot().unwrap();
        now.sequence().value() - now.apps().unwrap().len() as u64 - told
    }
}

/// After the rounds of a test come more, killed immediately, while too few kills came in time: the machine
/// may be busy.
const MOST_ROUNDS: u64 = 200;

fn micros(random: &mut Random, from: u64, to: u64) -> Duration {
    Duration::from_micros(from + random.number() % (to - from))
}

fn start(name: &str, path: &Path) -> Process {
    Process::start(command(CHILD, &format!("{name} {}", path.display())))
}

/// Lets a child run until it says `from`, and for `delay` more, and kills it. Gives what it said.
fn kill_after(child: Process, from: &str, delay: Duration) -> Vec<String> {
    while child.next_line() != from {}
    std::thread::sleep(delay);
    child.kill()
}

fn open(path: &Path, create: Create) -> ContactStore {
    let mut options = folding_options();
    options.create = create;
    ContactStore::open(path, options).unwrap()
}

/// How long a child takes to open, or to create.
fn time_of_opening(path: &Path) -> u64 {
    let child = start("timed", path);
    assert_eq!(child.next_line(), "opening");
    let began = Instant::now();
    assert_eq!(child.next_line(), "open");
    let took = began.elapsed();
    child.kill();
    u64::try_from(took.as_micros()).unwrap().max(1_000)
}

// R46. Some children are killed while they open what the one before left behind.
#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    const ROUNDS: usize = 36;
    let cases = Cases::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(NAME);
    let mut random = Random(46);
    let mut acknowledged = Acknowledged::default();
    let mut beyond = 0;
    for round in 0..ROUNDS {
        let child = start(&format!("round{round}"), &path);
        let said = if round % 3 == 2 {
            // The file was not closed: this opening mends it, or the next one has to. Every other one
            // has no time for it, however fast the machine is.
            let at_most = if round % 6 == 2 { 1 } else { 8_000 };
            kill_after(child, "opening", micros(&mut random, 0, at_most))
        } else {
            kill_after(child, "open", micros(&mut random, 5_000, 100_000))
        };
        let opened = round % 3 != 2 || said.iter().any(|line| line == "open");
        let when = if opened { WRITING } else { OPENING };
        cases.count(when, 1);
        acknowledged.hear(&said);
        // Not always: what is checked is closed, and the next child finds nothing to mend.
        if round % 3 != 1 {
            let store = open(&path, Create::Never);
            acknowledged.assert_in(&store);
            let more = acknowledged.beyond(&store);
            cases.count(UNTOLD, u64::from(more > beyond));
            beyond = more;
            store.close().unwrap();
        }
    }
    let store = open(&path, Create::Never);
    acknowledged.assert_in(&store);
    cases.count("contacts acknowledged", acknowledged.0.len() as u64);
    cases.finish(&[
        (WRITING, 20),
        (OPENING, 3),
        (UNTOLD, 3),
        ("contacts acknowledged", ROUNDS as u64),
    ]);
}

const WRITING: &str = "killed while writing";
const OPENING: &str = "killed before it was open";
const UNTOLD: &str = "killed between a commit and its answer";

// R46: nothing is lost, whatever closing had written by then.
#[test]
fn a_process_killed_while_closing_loses_nothing_that_it_acknowledged() {
    const ROUNDS: u64 = 12;
    const KILLED: &str = "killed while closing";
    let cases = Cases::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(NAME);
    let mut random = Random(47);
    let mut acknowledged = Acknowledged::default();
    for round in 0..MOST_ROUNDS {
        if round >= ROUNDS && cases.met(KILLED) >= 2 {
            break;
        }
        let task = format!("round{round} {}", path.display());
        let child = Process::start(command("kill::child_that_closes_the_store", &task));
        let mut said = Vec::new();
        loop {
            match child.next_line() {
                line if line == "closing" => break,
                line => said.push(line),
            }
        }
        if round < ROUNDS {
            std::thread::sleep(micros(&mut random, 0, 1_500));
        }
        said.extend(child.kill());
        let closed = said.iter().any(|line| line == "closed");
        let when = if closed { "closed" } else { KILLED };
        cases.count(when, 1);
        acknowledged.hear(&said);
        let store = open(&path, Create::Never);
        acknowledged.assert_in(&store);
        assert_eq!(acknowledged.beyond(&store), 0);
        store.close().unwrap();
    }
    cases.finish(&[(KILLED, 2)]);
}

// R46, R50: a creation that was killed left nothing under the name, or a whole store.
#[test]
fn a_process_killed_while_creating_leaves_a_store_or_nothing() {
    const ROUNDS: u64 = 20;
    const NOTHING: &str = "nothing was there";
    let directory = tempfile::tempdir().unwrap();
    let took = time_of_opening(&directory.path().join(NAME));
    let mut random = Random(50);
    let cases = Cases::new();
    for round in 0..MOST_ROUNDS {
        if round >= ROUNDS && cases.met(NOTHING) >= 3 {
            break;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        // RunningHistogram over the time that creating takes, and as much again.
        let step = took * 2 / ROUNDS;
        let delay = if round < ROUNDS {
            micros(&mut random, step * round, step * (round + 1))
        } else {
            Duration::ZERO
        };
        let said = kill_after(start("one", &path), "opening", delay);
        let mut acknowledged = Acknowledged::default();
        acknowledged.hear(&said);

        let temporary = || {
            let entries = std::fs::read_dir(directory.path()).unwrap();
            let paths = entries.map(|entry| entry.unwrap().path());
            paths.filter(|other| *other != path).collect::<Vec<_>>()
        };
        cases.count("left-over files", temporary().len() as u64);
        if path.exists() {
            cases.count("a store was there", 1);
            acknowledged.assert_in(&open(&path, Create::Never));
            // Between its two steps, publishing gives the store two names.
            let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
            assert!(temporary().iter().all(|other| inode(other) == inode(&path)));
        } else {
            cases.count(NOTHING, 1);
            assert_eq!(said, [""; 0]);
            acknowledged.assert_in(&open(&path, Create::IfMissing));
            assert_eq!(temporary(), [""; 0].map(std::path::PathBuf::from));
        }
    }
    let least = [(NOTHING, 3), ("a store was there", 3)];
    cases.finish(&least);
}
