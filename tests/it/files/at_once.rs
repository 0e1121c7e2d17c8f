//! Many threads create and open the same file at the same time: one creates, and nothing acknowledged is lost
//! (R51).

use std::path::Path;
use std::sync::Barrier;
use std::time::Duration;

use contact_store::{ContactStore, Create, Error, GivenIdentifiers, OpenError, TokenEntry};

use super::{NAME, creating, nowhere};
use crate::support::process::{Process, command, hear, say, task};
use crate::support::{add, assert_sound, connect, find, names_in};

/// Opens the store, however often another one has it, and tells whether this opening created it.
fn open_or_create(path: &Path, create: Create) -> Result<(ContactStore, bool), Error> {
    let mut create = create;
    loop {
        match ContactStore::open(path, creating(create)) {
            Ok(store) => {
                // The thread that creates it writes before it lets go.
                let created = store.stats()?.sequence.value() == 0;
                return Ok((store, created));
            }
            Err(Error::Open(OpenError::AlreadyOpen)) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(Error::Open(OpenError::AlreadyExists)) if create == Create::Always => {
                create = Create::IfMissing;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Opens or creates the store, adds one contact, and closes it. Tells whether it was created.
fn take_a_turn(path: &Path, create: Create, email: &str) -> Result<bool, Error> {
    let (store, created) = open_or_create(path, create)?;
    connect(&store);
    add(&store, TokenEntry::new(email).email(email));
    store.close()?;
    Ok(created)
}

/// The store has these contacts and no others, and nothing is beside it.
#[track_caller]
fn assert_holds(path: &Path, emails: &[String]) {
    let store = ContactStore::open(path, creating(Create::Never)).unwrap();
    for email in emails {
        let found = find(&store, GivenIdentifiers::new().email(email)).unwrap();
        assert!(found.is_some(), "{email} is lost");
    }
    assert_eq!(store.stats().unwrap().contacts, emails.len() as u64);
    assert_sound(&store);
    store.close().unwrap();
    assert_eq!(names_in(path.parent().unwrap()), [NAME]);
}

fn create_in(round: usize) -> Create {
    // With `Always` the loser is told so; with `IfMissing` it goes on with the winner's store.
    if round.is_multiple_of(2) {
        Create::IfMissing
    } else {
        Create::Always
    }
}

/// Takes a turn when it is told to. Its task: the round, the email and the path.
#[test]
fn child_that_takes_a_turn() {
    let Some(task) = task() else { return };
    let [round, email, path] = task.splitn(3, ' ').collect::<Vec<_>>()[..] else {
        panic!("not a task: {task}");
    };
    say("ready");
    hear();
    match take_a_turn(Path::new(path), create_in(round.parse().unwrap()), email) {
        Ok(true) => say("created"),
        Ok(false) => say("opened"),
        Err(error) => say(&format!("{error:?}")),
    }
}

#[test]
fn of_two_processes_that_create_together_one_creates_and_both_are_heard() {
    for round in 0..20 {
        let (_directory, path) = nowhere();
        let emails = ["ann", "bob"].map(|name| format!("{name}@example.com"));
        let mut children = emails.clone().map(|email| {
            let task = format!("{round} {email} {}", path.display());
            Process::start(command("files::at_once::child_that_takes_a_turn", &task))
        });
        for child in &children {
            assert_eq!(child.next_line(), "ready");
        }
        for child in &mut children {
            child.say("go");
        }
        let mut said = children.map(|child| child.end().0);
        said.sort();
        assert_eq!(said, [["created"], ["opened"]], "round {round}");
        assert_holds(&path, &emails);
    }
}

// Threads are closer together than processes, and the file knows no difference.
#[test]
fn of_many_threads_that_create_together_one_creates_and_all_are_heard() {
    const THREADS: usize = 5;
    for round in 0..20 {
        let (_directory, path) = nowhere();
        let emails: Vec<_> = (0..THREADS).map(|n| format!("n{n}@example.com")).collect();
        let barrier = Barrier::new(THREADS);
        let created: usize = std::thread::scope(|scope| {
            let turns: Vec<_> = emails
                .iter()
                .map(|email| {
                    scope.spawn(|| {
                        barrier.wait();
                        take_a_turn(&path, create_in(round), email).unwrap()
                    })
                })
                .collect();
            let created = turns.into_iter().map(|turn| turn.join().unwrap());
            created.filter(|created| *created).count()
        });
        assert_eq!(created, 1, "round {round}");
        assert_holds(&path, &emails);
    }
}

// What is read of the file before it is locked may be the work of another one halfway done.
#[test]
fn openers_in_turn_see_each_others_work_whole() {
    const THREADS: usize = 4;
    const TURNS: usize = 25;
    let (_directory, path) = nowhere();
    let emails: Vec<Vec<_>> = (0..THREADS)
        .map(|n| {
            (0..TURNS)
                .map(|m| format!("n{n}m{m}@example.com"))
                .collect()
        })
        .collect();
    std::thread::scope(|scope| {
        for emails in &emails {
            let path = &path;
            scope.spawn(move || {
                for email in emails {
                    take_a_turn(path, Create::IfMissing, email).unwrap();
                }
            });
        }
    });
    assert_holds(&path, &emails.concat());
}
