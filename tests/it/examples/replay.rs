//! The example that replays a log: its sample, and what it does when something goes wrong.

#[path = "../../../examples/replay.rs"]
#[expect(dead_code, reason = "the program around the replay is not run here")]
pub mod example;

use std::ffi::OsString;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use contact_store::{
    ContactStore, Disk, Email, Error, GonePhrases, KeepAnswers, Limits, MatchPolicy, Options,
    Ownership, Phone, Placeholders, StorageError,
};
use example::command_line::Asked;
use example::lines::read_line;
use example::open_store::open_store;
use example::store_options::StoreOptions;
use example::{Arguments, Stop, Summary, replay};

use crate::support::{options, store, store_with};

/// Replays a log under `Cascade`; gives the answers and how it ended.
fn play(store: &ContactStore, log: impl Into<Vec<u8>>) -> (String, Result<Summary, Stop>) {
    let mut answers = Vec::new();
    let log = Cursor::new(log.into());
    let limits = Limits::default();
    let ended = replay(
        store,
        MatchPolicy::Cascade,
        limits,
        log,
        &mut answers,
        |_| {},
    );
    (String::from_utf8(answers).unwrap(), ended)
}

const APP: &str = "00000000-0000-0000-0000-00000000000a";

fn add_line(token: &str) -> String {
    format!(
        r#"{{"appUuid": "{APP}", "tokens": [{{"token": "{token}", "email": "{token}@example.com"}}]}}"#
    )
}

// The clock stands in the future of every `at` in the sample, as the system's does.
#[test]
fn the_sample_is_answered_as_it_says() {
    let expected = include_str!("../../../examples/sample.expected.jsonl");
    let sample = include_str!("../../../examples/sample.jsonl");
    // With each line alone, too: answers do not depend on what shares a commit.
    for line_by_line in [false, true] {
        let store = ContactStore::open_in_memory(Options::default()).unwrap();
        let (answers, ended) = if line_by_line {
            play_slowly(&store, sample)
        } else {
            play(&store, sample)
        };
        for (place, (answer, expected)) in answers.lines().zip(expected.lines()).enumerate() {
            assert_eq!(answer, expected, "answer {}", place + 1);
        }
        assert_eq!(answers, expected);
        let summary = ended.unwrap();
        assert_eq!(summary.lines, 76);
        assert_eq!(summary.refused_lines, 19);
        assert_eq!(summary.entries, 70);
        assert_eq!(summary.refused_entries, 36);
        assert_eq!(summary.bytes, sample.len() as u64);
        crate::support::assert_sound(&store);
    }
}

/// A log that gives one line at a time, and the next only when the one before is answered.
struct Slow {
    lines: std::vec::IntoIter<Vec<u8>>,
    wait: bool,
    answered: Receiver<()>,
}

impl Read for Slow {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.wait {
            self.answered.recv().unwrap();
            self.wait = false;
        }
        match self.lines.next() {
            Some(line) => {
                self.wait = line.iter().any(|byte| !b" \n".contains(byte));
                out[..line.len()].copy_from_slice(&line);
                Ok(line.len())
            }
            None => Ok(0),
        }
    }
}

/// Tells of every flush after a line was written.
struct Flushes<'a> {
    answers: &'a mut Vec<u8>,
    answered: std::sync::mpsc::Sender<()>,
    written: bool,
}

impl Write for Flushes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written = true;
        self.answers.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.written {
            self.written = false;
            // The log has ended, and nobody waits for its last answer.
            let _ = self.answered.send(());
        }
        Ok(())
    }
}

fn play_slowly(store: &ContactStore, log: &str) -> (String, Result<Summary, Stop>) {
    let (answered, wait) = channel();
    let lines: Vec<Vec<u8>> = log
        .split_inclusive('\n')
        .map(|line| line.as_bytes().to_vec())
        .collect();
    let log = Slow {
        lines: lines.into_iter(),
        wait: false,
        answered: wait,
    };
    let mut answers = Vec::new();
    let output = Flushes {
        answers: &mut answers,
        answered,
        written: false,
    };
    let ended = replay(
        store,
        MatchPolicy::Cascade,
        Limits::default(),
        log,
        output,
        |_| {},
    );
    (String::from_utf8(answers).unwrap(), ended)
}

/// Each kind of line that changes the store, under a key of its own.
fn keyed_lines() -> Vec<String> {
    let blocked = r#"{"token": "t2", "status": "FAILED", "reason": "Forbidden"}"#;
    let parts = [
        r#""connectApp": {"name": "Made"}"#.to_owned(),
        format!(
            r#""appUuid": "{APP}", "tokens": [{{"token": "t1", "email": "a@example.com"}},
               {{"token": "t2", "externalCustomerId": "c2"}}, {{"token": "t3", "phone": "12"}}]"#
        ),
        r#""contacts": [{"phone": "1234567"}, {"phone": "12"}], "dedupeOn": "phone""#.to_owned(),
        format!(
            r#""appUuid": "{APP}", "statuses": [{{"token": "t1", "status": "SENT"}}, {blocked}]"#
        ),
        format!(r#""bringBack": {{"appUuid": "{APP}", "token": "t2"}}"#),
        format!(r#""mute": {{"appUuid": "{APP}", "token": "t2"}}"#),
        format!(r#""unmute": {{"appUuid": "{APP}", "token": "t2"}}"#),
        format!(r#""renameToken": {{"appUuid": "{APP}", "token": "t2", "newToken": "t4"}}"#),
        r#""merge": {"from": 2, "into": 1}"#.to_owned(),
        r#""unmerge": {"contactId": 2}"#.to_owned(),
        r#""dismissConflict": {"contactIds": [1, 2]}"#.to_owned(),
        r#""split": {"contactId": 1, "identifiers": ["email"]}"#.to_owned(),
        format!(r#""removeToken": {{"appUuid": "{APP}", "token": "t4"}}"#),
        format!(r#""forgetMessages": {{"appUuid": "{APP}", "before": 100000000005}}"#),
        format!(r#""removeStale": {{"appUuid": "{APP}", "before": 100000000005}}"#),
        r#""erase": {"contactId": 2, "suppress": true}"#.to_owned(),
        r#""liftSuppression": {"externalCustomerId": "c2"}"#.to_owned(),
        format!(r#""disconnectApp": {{"appUuid": "{APP}"}}"#),
    ];
    let keyed = parts.iter().enumerate().map(|(number, part)| {
        let part = part.replace('\n', " ");
        format!(r#"{{{part}, "idempotencyKey": "line {number}"}}"#)
    });
    keyed.collect()
}

#[test]
fn r64_a_line_is_done_once_under_its_idempotency_key_and_says_when_it_was_done_before() {
    let set = |options: &mut Options| {
        options.keep_answers = Some(KeepAnswers::default());
        options.remember_blocked = 10;
    };
    // Each line again at once, while it may be under way, and all of them again after the last.
    let lines = keyed_lines();
    let twice: Vec<&String> = lines.iter().flat_map(|line| [line, line]).collect();
    let (store, _) = store_with(set);
    let (once, ended) = play(&store_with(set).0, lines.join("\n"));
    assert_eq!(ended.unwrap().refused_lines, 0, "{once}");
    let made = |answers: &str| {
        let (_, id) = answers.split_once(r#"{"appUuid":""#).unwrap();
        id[..36].to_owned()
    };
    for log in [twice.into_iter().cloned().collect(), lines.clone()] {
        let (answers, ended) = play(&store, log.join("\n"));
        let summary = ended.unwrap();
        assert_eq!(
            (summary.lines, summary.refused_lines),
            (log.len() as u64, 0)
        );
        // The app was given another id.
        let answers = answers.replace(&made(&answers), &made(&once));
        let mut answers = answers.lines();
        for first in once.lines() {
            if log.len() > lines.len() {
                assert_eq!(answers.next(), Some(first));
            }
            let first = first.strip_suffix('}').unwrap();
            let repeated = format!(r#"{first},"repeated":true}}"#);
            assert_eq!(answers.next(), Some(&*repeated));
        }
        assert_eq!(answers.next(), None);
    }
    crate::support::assert_sound(&store);
    store.close().unwrap();
}

#[test]
fn r64_a_key_of_another_line_and_one_that_no_answers_are_kept_for_refuse_the_line_alone() {
    let sent = format!(
        r#"{{"appUuid": "{APP}", "statuses": [{{"token": "t", "status": "SENT"}}], "idempotencyKey": "kAnArY"}}"#
    );
    let erase = r#"{"erase": {"contactId": 1}, "idempotencyKey": "kAnArY"}"#;
    let log = format!(
        "{}\n{sent}\n{erase}\n{sent}\n{{\"find\": {{\"contactId\": 1}}}}\n",
        add_line("t")
    );
    let (store, _) = store_with(|options| options.keep_answers = Some(KeepAnswers::default()));
    let (answers, ended) = play(&store, &*log);
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(
        answers[1..4],
        [
            r#"{"results":[{"outcome":"recorded"}]}"#,
            r#"{"error":{"code":"idempotencyKeyReused","message":"another request was made under the same idempotency key","line":3}}"#,
            r#"{"results":[{"outcome":"recorded"}],"repeated":true}"#,
        ]
    );
    assert!(
        answers[4].starts_with(r#"{"contact":{"contactId":1"#),
        "{}",
        answers[4]
    );
    let summary = ended.unwrap();
    assert_eq!((summary.refused_lines, summary.entries), (1, 3));
    let (without, _) = store_with(|_| {});
    let (answers, ended) = play(&without, log);
    let refused = r#"{"error":{"code":"answersNotKept","message":"the request has an idempotency key, and the store keeps no answers","line":2}}"#;
    assert_eq!(answers.lines().nth(1), Some(refused));
    assert_eq!(ended.unwrap().refused_lines, 3);
}

#[test]
fn blank_lines_are_skipped_and_counted_in_the_numbers_of_lines() {
    let (store, _) = store();
    let log =
        "\n  \t\r\n{\"apps\": {}}\r\n\n{\"app\": {}}\n\u{A0}\n{\"erase\": {\"contactId\": 1}}";
    let (answers, ended) = play(&store, log);
    let answers: Vec<&str> = answers.lines().collect();
    assert!(answers[0].starts_with(r#"{"apps":[{"appUuid":"#));
    assert_eq!(
        answers[1..],
        [
            r#"{"error":{"code":"unknownMember","message":"member \"app\" is not known","line":5}}"#,
            r#"{"error":{"code":"syntax","message":"not JSON at line 1, column 1","line":6}}"#,
            r#"{"erased":false}"#,
        ]
    );
    let summary = ended.unwrap();
    assert_eq!((summary.lines, summary.refused_lines), (4, 2));
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_next_is_taken() {
    let (store, _) = store();
    let most = Limits::default().request_text_bytes;
    let fits = format!("{{\"apps\": {}{{}}}}", " ".repeat(most - 12));
    for (padding, length) in [(1, most + 1), (1_000_000, most + 1_000_000)] {
        let long = format!("{fits}{}", " ".repeat(padding));
        let (answers, ended) = play(&store, format!("{fits}\n{long}\n{fits}"));
        let answers: Vec<&str> = answers.lines().collect();
        assert_eq!(answers.len(), 3);
        assert!(answers[0].starts_with(r#"{"apps""#));
        assert_eq!(
            answers[1],
            format!(
                r#"{{"error":{{"code":"limitExceeded","message":"{length} bytes of text in the request, the most is {most}","limit":"requestTextBytes","actual":{length},"most":{most},"line":2}}}}"#
            )
        );
        assert_eq!(answers[0], answers[2]);
        assert_eq!(ended.unwrap().refused_lines, 1);
    }
}

#[test]
fn a_line_is_kept_up_to_its_bound() {
    let mut log = io::BufReader::with_capacity(3, Cursor::new(b"abcdef\n\nxy".to_vec()));
    let mut read = || {
        let mut text = Vec::new();
        let length = read_line(&mut log, 4, &mut text).unwrap();
        length.map(|length| (length, String::from_utf8(text).unwrap()))
    };
    assert_eq!(read(), Some((6, "abcd".to_owned())));
    assert_eq!(read(), Some((0, String::new())));
    assert_eq!(read(), Some((2, "xy".to_owned())));
    assert_eq!(read(), None);
}

// Many lines are under way at the same time; a line that reads sees all lines before it, and none after it.
#[test]
fn lines_are_answered_in_order_and_reads_see_what_stands_before_them() {
    let (store, _) = store();
    let mut log = String::new();
    for number in 0..3_000 {
        log += &format!("{}\n", add_line(&format!("t{number}")));
        if number % 500 == 250 {
            log += "{\"apps\": {}}\n";
        }
    }
    let (answers, ended) = play(&store, log);
    let mut added = 0;
    for answer in answers.lines() {
        if answer.starts_with(r#"{"apps""#) {
            let count = format!(r#""name":"First bot","subscribers":{added},"contacts":{added}}}"#);
            assert!(answer.contains(&count), "{answer}");
        } else {
            added += 1;
            let expected = format!(r#""contactId":{added},"contact":"created""#);
            assert!(answer.contains(&expected), "{answer}");
        }
    }
    assert_eq!(added, 3_000);
    assert_eq!(ended.unwrap().entries, 3_000);
}

/// A log that cannot be read further after its first part.
struct Torn(Option<Vec<u8>>);

impl Read for Torn {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.0.take() {
            Some(part) => {
                out[..part.len()].copy_from_slice(&part);
                Ok(part.len())
            }
            None => Err(io::Error::other("kAnArY")),
        }
    }
}

#[test]
fn a_log_that_cannot_be_read_ends_the_replay_after_what_was_read() {
    let (store, _) = store();
    let mut answers = Vec::new();
    let ended = replay(
        &store,
        MatchPolicy::Cascade,
        Limits::default(),
        Torn(Some(format!("{}\n{{\"apps", add_line("t")).into_bytes())),
        &mut answers,
        |_| {},
    );
    assert_eq!(answers.iter().filter(|byte| **byte == b'\n').count(), 1);
    let stop = ended.unwrap_err();
    assert!(matches!(stop, Stop::Input(_)), "{stop:?}");
    assert_eq!(stop.to_string(), "the log cannot be read (other error)");
}

/// Somebody who has read enough.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_who_goes_away_ends_the_replay_and_leaves_the_store_sound() {
    let (store, _) = store();
    let log = format!("{}\n", add_line("t")).repeat(10_000);
    let ended = replay(
        &store,
        MatchPolicy::Cascade,
        Limits::default(),
        Cursor::new(log),
        Closed,
        |_| {},
    );
    match ended {
        Err(Stop::Output(error)) => assert_eq!(error.kind(), io::ErrorKind::BrokenPipe),
        other => panic!("{other:?}"),
    }
    crate::support::assert_sound(&store);
    store.close().unwrap();
}

#[test]
fn a_closed_store_ends_the_replay_with_an_answer_for_each_line_under_way() {
    let (store, _) = store();
    store.close().unwrap();
    let (answers, ended) = play(&store, format!("{}\n{{\"apps\": {{}}}}\n", add_line("t")));
    assert_eq!(
        answers,
        "{\"error\":{\"code\":\"closed\",\"message\":\"the store is closed\",\"line\":1}}\n"
    );
    assert!(
        matches!(ended, Err(Stop::Store(Error::Closed))),
        "{ended:?}"
    );
}

/// A disk in memory that can stop taking anything.
#[derive(Debug, Default)]
struct FullDisk(Mutex<(Vec<u8>, bool)>);

impl FullDisk {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        let mut state = self.0.lock().unwrap();
        if state.1 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(act(&mut state.0))
    }
}

impl Disk for FullDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().0.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0.lock().unwrap().0[offset..offset + out.len()]);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.with(|all| all[offset..offset + bytes.len()].copy_from_slice(bytes))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|all| all.resize(usize::try_from(len).unwrap(), 0))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|_| ())
    }
}

#[test]
fn r49_an_indeterminate_commit_is_answered_and_ends_the_replay() {
    let disk = Arc::new(FullDisk::default());
    let store = ContactStore::open_on_disk(disk.clone(), options().0).unwrap();
    crate::support::connect(&store);
    disk.0.lock().unwrap().1 = true;
    // The answer of the first line fails; the second waits for it and is then not read at all.
    let (answers, ended) = play(&store, format!("{}\n{{\"apps\": {{}}}}\n", add_line("t")));
    assert_eq!(
        answers,
        "{\"error\":{\"code\":\"indeterminate\",\"message\":\"the commit failed: whether request \
         number 3 is in the store is known only after reopening: input or output failed \
         (no storage space)\",\
         \"sequence\":3,\"line\":1}}\n"
    );
    match ended {
        Err(Stop::Store(Error::Indeterminate { sequence, cause })) => {
            assert_eq!(sequence.value(), 3);
            assert!(matches!(cause, StorageError::Io(_)), "{cause:?}");
        }
        other => panic!("{other:?}"),
    }
}

/// The options that a store is opened with after these arguments, or what is wrong with them.
fn opened_with(flags: &str) -> Result<Options, String> {
    let arguments = ["--store", "s", "f"].into_iter().map(OsString::from);
    let flags = flags.split('|').filter(|flag| !flag.is_empty());
    match Arguments::read(arguments.chain(flags.map(OsString::from))) {
        Ok(Asked::Run(arguments)) => Ok(arguments.options.options()),
        Ok(Asked::Help(text)) => panic!("{text}"),
        Err(wrong) => Err(wrong.to_string()),
    }
}

#[test]
fn r3_r32_placeholders_and_gone_phrases_are_extended_replaced_and_emptied_by_flags() {
    let placeholders = |flags: &str| opened_with(flags).unwrap().placeholders.clone();
    let extended = Placeholders::default().word("test");
    assert_eq!(placeholders("--placeholder|test"), extended);
    assert_eq!(placeholders("--no-placeholders"), Placeholders::none());
    assert_eq!(
        placeholders("--placeholder|a|--no-placeholders|--placeholder|b c"),
        Placeholders::none().word("a").word("b c")
    );
    let phone = Phone::parse("380000000000").unwrap();
    let email = Email::parse("noreply@example.com").unwrap();
    assert_eq!(
        placeholders(
            "--placeholder-phone|+380 00 000 00 00|--placeholder-email|NoReply@example.com"
        ),
        Placeholders::default().phone(phone).email(email)
    );
    let gone = |flags: &str| opened_with(flags).unwrap().gone_phrases.clone();
    let extended = GonePhrases::default().phrase("NotRegistered").phrase("410");
    assert_eq!(
        gone("--gone-phrase|NotRegistered|--gone-phrase|410"),
        extended
    );
    assert_eq!(gone("--no-gone-phrases"), GonePhrases::none());
    assert_eq!(
        gone("--gone-phrase|UNREGISTERED|--no-gone-phrases"),
        GonePhrases::none().phrase("UNREGISTERED")
    );
    for (flags, wrong) in [
        ("--gone-phrase", "--gone-phrase needs a value"),
        ("--gone-phrase| ", "--gone-phrase must not be blank"),
        ("--placeholder| ", "--placeholder must not be blank"),
        (
            "--placeholder-phone|call me",
            "--placeholder-phone must be a phone",
        ),
        (
            "--placeholder-email|x",
            "--placeholder-email must be an email",
        ),
        (
            "--invalid-identifier|drop",
            "--invalid-identifier is one of refuse, ignore",
        ),
        (
            "--unknown-contact-id|x",
            "--unknown-contact-id is one of adopt, reject",
        ),
        (
            "--failed-without-reason|x",
            "--failed-without-reason is one of remove, keep",
        ),
        ("--check|never", "--check is one of always, if-unclean"),
        (
            "--cache-bytes=-1",
            "--cache-bytes must be a number without a sign",
        ),
        (
            "--policy|cascade|--policy|cascade",
            "--policy is given twice",
        ),
        (
            "--waiting-requests|1|--waiting-requests|1",
            "--waiting-requests is given twice",
        ),
        (
            "--no-placeholders|--no-placeholders",
            "--no-placeholders is given twice",
        ),
    ] {
        assert_eq!(
            opened_with(flags).map(|_| ()),
            Err(wrong.to_owned()),
            "{flags}"
        );
    }
}

// K13c: an editor writes this mark before the text; it is not part of it.
#[test]
fn a_byte_order_mark_before_a_log_is_passed_over_and_refused_anywhere_else() {
    let (store, _) = store();
    let log = format!("\u{FEFF}{}\r\n\u{FEFF}{}\n", add_line("t1"), add_line("t2"));
    let (answers, ended) = play(&store, log.as_bytes());
    let answers: Vec<&str> = answers.lines().collect();
    assert!(answers[0].contains(r#""token":"added""#), "{}", answers[0]);
    assert_eq!(
        answers[1..],
        [
            r#"{"error":{"code":"byteOrderMark","message":"a byte order mark precedes the text","line":2}}"#
        ]
    );
    let summary = ended.unwrap();
    assert_eq!((summary.lines, summary.refused_lines), (2, 1));
    assert_eq!(summary.bytes, log.len() as u64);
    let (answers, _) = play(&store, "\u{FEFF}".as_bytes());
    assert_eq!(answers, "");
}

#[test]
fn the_arguments_are_read_as_the_help_says() {
    let read = |text: &str| Arguments::read(text.split_whitespace().map(OsString::from));
    let taken = |policy, ownership, log: &str| {
        let options = StoreOptions {
            policy,
            ownership,
            ..StoreOptions::default()
        };
        Arguments {
            store: "s".into(),
            options,
            config: None,
            log: log.into(),
        }
    };
    use MatchPolicy::{Cascade, TopPriority};
    use Ownership::{Exclusive, Shared};
    let rows = [
        ("--store s f", taken(None, None, "f")),
        ("f --store s", taken(None, None, "f")),
        ("--store s -", taken(None, None, "-")),
        ("--store s -- --f", taken(None, None, "--f")),
        (
            "--store s --policy top-priority --ownership exclusive f",
            taken(Some(TopPriority), Some(Exclusive), "f"),
        ),
        (
            "--ownership shared --store s --policy cascade f",
            taken(Some(Cascade), Some(Shared), "f"),
        ),
    ];
    for (text, expected) in rows {
        match read(text) {
            Ok(Asked::Run(arguments)) => assert_eq!(arguments, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    for text in ["--help", "--store s f -h"] {
        assert!(matches!(read(text), Ok(Asked::Help(_))), "{text}");
    }
    let rows = [
        ("", "--store and FILE are required"),
        ("f", "--store is required"),
        ("--store s", "FILE is required"),
        ("--store", "--store needs a value"),
        ("--store s --store s f", "--store is given twice"),
        ("--store s f g", "an argument of 1 bytes is not known"),
        ("--store s --sotre s f", "argument --sotre is not known"),
        (
            "--store s f --policy",
            "--policy is one of cascade, top-priority",
        ),
        (
            "--store s f --policy topPriority",
            "--policy is one of cascade, top-priority",
        ),
        (
            "--store s f --ownership mine",
            "--ownership is one of shared, exclusive",
        ),
    ];
    for (text, said) in rows {
        match read(text) {
            Err(wrong) => assert_eq!(wrong.to_string(), said, "{text}"),
            Ok(other) => panic!("{text}: {other:?}"),
        }
    }
}

// A volume that is not mounted must not become an empty store.
#[test]
fn a_store_that_is_not_there_is_made_only_when_asked_for_and_else_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let said = |store: &Path, create: bool| {
        let options = StoreOptions {
            create,
            ..StoreOptions::default()
        };
        let opened = open_store(store, options.options());
        opened.map_err(|error| error.to_string())
    };
    assert_eq!(
        said(&path, false).unwrap_err(),
        format!(
            "the store {} cannot be opened: there is no file; with --create it is made",
            path.display()
        )
    );
    assert!(!path.exists());
    let nowhere = directory.path().join("none").join("contacts.redb");
    assert_eq!(
        said(&nowhere, true).unwrap_err(),
        format!(
            "the store {} cannot be created: there is no directory {}",
            nowhere.display(),
            nowhere.parent().unwrap().display()
        )
    );
    said(&path, true).unwrap().close().unwrap();
    said(&path, false).unwrap().close().unwrap();
}

#[test]
fn a_replay_that_the_store_ends_says_what_caused_it() {
    let stop = Stop::Store(Error::CloseIncomplete(StorageError::Stopped));
    let said = "the file was not closed cleanly, but everything acknowledged is in it: \
                stopped by an earlier failure";
    assert_eq!(stop.to_string(), said);
}
