//! Work in a process of its own: opening, being killed, and taking memory. The first half asks for it,
//! the second does it.
//!
//! Another build of this program may be asked too (`--baseline`), so what is said between the two does
//! not change lightly.

use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::checks;
use crate::machine::Resident;
use crate::measure::time;
use crate::people::{Person, mix};
use crate::sides::contact_store::OURS;
use crate::sides::{self, BATCH, Opening, Side};
use crate::stage::requests;

/// The first argument of a child.
pub const CHILD: &str = "child";

/// Single adds before a child that will be killed says so, and at most.
const SINGLE: u64 = 200;
const AT_MOST: u64 = 100_000;

fn child(program: &Path, task: &str, side: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args([CHILD, task, side])
        .arg(directory)
        .stdout(Stdio::piped());
    command
}

/// The last line that the child prints.
fn answer(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "a child failed: {command:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().last().unwrap().to_owned()
}

fn nanoseconds(text: &str) -> Duration {
    Duration::from_nanos(text.parse().unwrap())
}

/// How long it takes to load so many people into the contact-store of another build.
pub fn load(program: &Path, directory: &Path, size: u64) -> Duration {
    let mut command = child(program, "load", OURS, directory);
    command.arg(size.to_string());
    nanoseconds(&answer(command))
}

/// How long it takes from opening until the last of these people is found.
pub fn open(
    program: &Path,
    side: &str,
    directory: &Path,
    opening: Opening,
    people: Range<u64>,
) -> Duration {
    let mut command = child(program, "open", side, directory);
    command.arg(match opening {
        Opening::Verified => "verified",
        Opening::Trusting => "trusting",
        Opening::Default => "default",
    });
    command.args([people.start.to_string(), people.end.to_string()]);
    nanoseconds(&answer(command))
}

/// Kills a child (SIGKILL) in the midst of adding people from `first` on, and answers how many it was
/// told are in.
pub fn write_until_killed(
    program: &Path,
    side: &str,
    directory: &Path,
    first: u64,
    requests: u64,
) -> u64 {
    let mut command = child(program, "write", side, directory);
    command.args([first.to_string(), requests.to_string()]);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let added = lines.next().unwrap().unwrap().parse().unwrap();
    // Long enough to be within some later commit.
    thread::sleep(Duration::from_millis(5));
    child.kill().unwrap();
    child.wait().unwrap();
    added
}

/// How many people such a child may have added.
pub fn reserved(requests: u64) -> u64 {
    requests * BATCH + AT_MOST
}

/// What a child takes of memory at work.
pub fn memory(program: &Path, side: &str, directory: &Path, size: u64, requests: u64) -> Resident {
    let mut command = child(program, "memory", side, directory);
    command.args([size.to_string(), requests.to_string()]);
    serde_json::from_str(&answer(command)).unwrap()
}

/// Does what the arguments of a child ask for.
pub fn run(arguments: &[String]) {
    let [task, side, directory, rest @ ..] = arguments else {
        panic!("a child needs a task, a side and a directory");
    };
    let kinds = sides::all();
    let kind = kinds.iter().find(|kind| kind.name == side).unwrap();
    let open = |opening| (kind.open)(Path::new(directory), opening);
    let number = |place: usize| rest[place].parse::<u64>().unwrap();
    match &**task {
        "load" => load_all(&*open(Opening::Default), number(0)),
        "open" => {
            let opening = match &*rest[0] {
                "verified" => Opening::Verified,
                "trusting" => Opening::Trusting,
                _ => Opening::Default,
            };
            open_and_find(|| open(opening), number(1)..number(2));
        }
        "write" => write(&*open(Opening::Default), number(0), number(1)),
        "memory" => work(open(Opening::Default), number(0), number(1)),
        _ => panic!("there is no such task"),
    }
}

fn load_all(side: &dyn Side, size: u64) {
    let block = 20 * BATCH;
    let mut all = Duration::ZERO;
    for first in (0..size).step_by(block as usize) {
        let requests = requests(first..size.min(first + block));
        all += time(|| side.load(requests)).0;
    }
    println!("{}", all.as_nanos());
}

fn open_and_find(open: impl Fn() -> Box<dyn Side>, people: Range<u64>) {
    let last = Person(people.end - 1).by_email();
    let start = Instant::now();
    let side = open();
    side.read(&mut |reader| {
        assert!(reader.find(&last).is_some());
        println!("{}", start.elapsed().as_nanos());
    });
    checks::everybody("after opening", &*side, people, 2_000);
    side.close();
}

fn write(side: &dyn Side, first: u64, batches: u64) {
    let single = first + batches * BATCH;
    side.load(requests(first..single));
    for number in single..single + AT_MOST {
        side.add(vec![Person(number).entry()]);
        if number + 1 == single + SINGLE {
            println!("{}", number + 1 - first);
            std::io::stdout().flush().unwrap();
        }
    }
    // Nobody killed it so far, so it waits for that.
    loop {
        thread::park();
    }
}

fn work(side: Box<dyn Side>, size: u64, batches: u64) {
    let mut anonymous = 0;
    let mut look = || anonymous = Resident::now().anonymous.max(anonymous);
    look();
    side.read(&mut |reader| {
        for number in 0..size.min(1_000_000) {
            let person = Person(mix(number) % size);
            let given = match number % 3 {
                0 => person.by_external_id(),
                1 => person.by_phone(),
                _ => person.by_email(),
            };
            assert_eq!(reader.find(&given), Some(person.contact_id()));
        }
    });
    look();
    for request in requests(size..size + batches * BATCH) {
        side.add(request);
        look();
    }
    side.read(&mut |reader| {
        let rows = checks::list(reader, &mut |_, _| {});
        assert_eq!(rows as u64, size + batches * BATCH);
    });
    look();
    let Resident { peak, .. } = Resident::now();
    side.close();
    let resident = Resident { peak, anonymous };
    println!("{}", serde_json::to_string(&resident).unwrap());
}
