//! `compare-policies` (R14, R16, R17).

use std::fs;
#[cfg(unix)]
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{APP, Folder, Ran, ran, tool};

/// The temporary directory of the tool, so that what is left there is seen.
struct Compared {
    folder: Folder,
    temporary: PathBuf,
}

impl Compared {
    fn new() -> Self {
        let folder = Folder::empty();
        let temporary = folder.path("temporary");
        fs::create_dir(&temporary).unwrap();
        Compared { folder, temporary }
    }

    fn log(&self, lines: &[Value]) -> PathBuf {
        let connect = json!({"connectApp": {"appUuid": APP, "name": "Shop"}});
        let lines = std::iter::once(&connect).chain(lines);
        let lines = lines.map(ToString::to_string);
        let path = self.folder.path("log.jsonl");
        fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
        path
    }

    fn tool(&self, words: &[&str]) -> std::process::Command {
        let mut tool = tool();
        tool.arg("compare-policies").args(words);
        tool.env("TMPDIR", &self.temporary);
        tool
    }

    /// Compares on a log. Nothing is left of it.
    #[track_caller]
    fn run(&self, log: &Path, words: &[&str]) -> Ran {
        let words = [&[log.to_str().unwrap()], words].concat();
        let ran = ran(self.tool(&words));
        self.nothing_is_left();
        ran
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        assert_eq!(fs::read_dir(&self.temporary).unwrap().count(), 0);
    }
}

/// Compares lines, of which none is refused: the differences and the sums, as JSON.
#[track_caller]
fn compared(lines: &[Value], words: &[&str]) -> (Vec<Value>, Value) {
    let compared = Compared::new();
    let log = compared.log(lines);
    let words = [words, &["--json"]].concat();
    let Ran {
        status,
        stdout,
        stderr,
    } = compared.run(&log, &words);
    let printed = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let mut printed: Vec<Value> = printed.collect();
    let sums = printed.pop().unwrap_or_else(|| panic!("{stderr}"));
    assert_eq!(stderr, "");
    assert_eq!(status, Some(i32::from(!printed.is_empty())), "{stdout}");
    assert_eq!(sums["different"], printed.len());
    (printed, sums)
}

/// The differences alone, each as its line, entry and word.
#[track_caller]
fn differences(lines: &[Value], words: &[&str]) -> Vec<(u64, Option<u64>, String)> {
    let (printed, sums) = compared(lines, words);
    assert_eq!(sums["refusedLines"], 0);
    let short = printed.iter().map(|it| {
        let word = it["difference"].as_str().unwrap().to_owned();
        (it["line"].as_u64().unwrap(), it["entry"].as_u64(), word)
    });
    short.collect()
}

fn tokens(entries: &[Value]) -> Value {
    json!({"appUuid": APP, "tokens": entries})
}

fn entry(token: &str, with: Value) -> Value {
    let mut entry = with;
    entry["token"] = token.into();
    entry
}

fn phone(n: u64) -> String {
    (380_500_000_000 + n).to_string()
}

/// Ann has a phone and an email. Then somebody comes with a phone that is new, and Ann's email.
fn ann_with_another_phone() -> [Value; 2] {
    let ann = json!({"phone": phone(1), "email": "ann@example.com"});
    let other = json!({"phone": phone(2), "email": "ann@example.com"});
    [
        tokens(&[entry("100200300", ann)]),
        tokens(&[entry("100200301", other)]),
    ]
}

#[test]
fn r64_a_line_that_repeats_another_under_its_idempotency_key_is_decided_once_in_each_store() {
    let [ann, mut other] = ann_with_another_phone();
    let created = || "createdByTopPriority".to_owned();
    let twice = [ann.clone(), other.clone(), other.clone()];
    assert_ne!(differences(&twice, &[])[1].2, created());
    other["idempotencyKey"] = "k".into();
    assert_eq!(
        differences(&[ann, other.clone(), other], &[]),
        [(3, Some(0), created()), (4, Some(0), created())]
    );
}

#[test]
fn r14_r17_what_cascade_finds_and_top_priority_creates_is_told_with_the_contacts() {
    let (printed, sums) = compared(&ann_with_another_phone(), &[]);
    assert_eq!(
        printed,
        [json!({
            "line": 3,
            "entry": 0,
            "kind": "tokens",
            "difference": "createdByTopPriority",
            "cascade": {"outcome": "found", "contactId": 1, "matchedBy": "email"},
            "topPriority": {"outcome": "created", "contactId": 2, "skipped": ["email"]},
        })]
    );
    assert_eq!(
        sums,
        json!({
            "entries": 2,
            "different": 1,
            "differences": {"createdByTopPriority": 1},
            "refusedLines": 0,
        })
    );
}

#[test]
fn what_is_decided_differently_is_told_in_lines_for_people_and_summed_up() {
    let compared = Compared::new();
    let log = compared.log(&ann_with_another_phone());
    let Ran {
        status,
        stdout,
        stderr,
    } = compared.run(&log, &[]);
    assert_eq!((status, stderr.as_str()), (Some(1), ""));
    assert_eq!(
        stdout,
        "line 3, tokens[0]: cascade: contact 1 found by email; topPriority: contact 2 created without email\n\
         2 entries, 1 decided differently: 1 created under topPriority alone\n"
    );
}

/// The log that `replay` reads.
#[test]
fn the_sample_log_is_compared() {
    let compared = Compared::new();
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sample.jsonl");
    let Ran { status, stdout, .. } = compared.run(Path::new(log), &[]);
    assert_eq!(status, Some(1));
    let line = "line 13, tokens[0]: cascade: contact 2 found by phone; \
                topPriority: contact 3 created without phone, email\n";
    assert!(stdout.contains(line), "{stdout}");
}

#[test]
fn a_log_that_both_policies_decide_alike_ends_with_0() {
    let compared = Compared::new();
    let ann = json!({"phone": phone(1), "email": "ann@example.com"});
    let log = compared.log(&[
        tokens(&[
            entry("1", ann.clone()),
            entry("2", ann),
            json!({"token": "3"}),
        ]),
        json!({"find": {"email": "ann@example.com"}}),
        json!({"explain": {"email": "ann@example.com"}}),
        json!({"apps": {}}),
        json!({"verify": {}}),
    ]);
    let printed = compared.run(&log, &[]).printed();
    // What lists or explains is no decision.
    assert_eq!(printed, "4 entries, 0 decided differently\n");
}

/// The id of a contact that one policy alone creates is missing in the other store, and every id after
/// it is another one.
#[test]
fn ids_that_are_shifted_are_no_difference() {
    let mut lines = ann_with_another_phone().to_vec();
    for n in 10..40 {
        let who = json!({"phone": phone(n), "email": format!("{n}@example.com")});
        lines.push(tokens(&[entry(&format!("{n}"), who.clone())]));
        lines.push(tokens(&[entry(&format!("{n}-again"), who)]));
        let by_email = json!({"email": format!("{n}@example.com")});
        lines.push(json!({"find": by_email}));
        lines.push(json!({"resolve": {"botId": APP, "number": phone(n), "text": "Hello"}}));
    }
    lines.push(
        json!({"dedupeOn": "email", "contacts": [{"email": "20@example.com", "firstName": "Ann"}]}),
    );
    lines.push(json!({"removeToken": {"appUuid": APP, "token": "21"}}));
    lines.push(json!({"renameToken": {"appUuid": APP, "token": "22", "newToken": "22-new"}}));
    let blocked = json!([{"token": "23", "status": "FAILED", "reason": "Forbidden"}]);
    lines.push(json!({"appUuid": APP, "statuses": blocked}));
    // Ids that the host gives are the same in both.
    lines.push(tokens(&[entry("own", json!({"contactId": 5_000}))]));
    lines.push(tokens(&[entry("own-again", json!({"contactId": 5_000}))]));
    let expected = (3, Some(0), "createdByTopPriority".to_owned());
    assert_eq!(differences(&lines, &[]), [expected]);
}

/// The second phone names a contact under one policy alone. Which card it is stays told for each entry
/// that goes there.
#[test]
fn entries_that_go_to_different_contacts_are_told_each_time() {
    let [first, second] = ann_with_another_phone();
    let again = json!({"phone": phone(2), "email": "ann@example.com"});
    let lines = [
        first,
        second,
        tokens(&[entry("100200302", again.clone())]),
        tokens(&[entry("100200303", again)]),
        json!({"find": {"email": "ann@example.com"}}),
        json!({"find": {"phone": phone(2)}}),
    ];
    let other = |line| (line, Some(0), "otherContact".to_owned());
    let expected = [
        (3, Some(0), "createdByTopPriority".to_owned()),
        other(4),
        other(5),
        (7, None, "otherOutcome".to_owned()),
    ];
    assert_eq!(differences(&lines, &[]), expected);
}

/// Cascade puts the second token on Ann's card, so that her phone of then is free: it creates its contact
/// when that comes alone, where topPriority finds the one that it created before.
#[test]
fn contacts_that_each_policy_created_by_itself_are_the_same_once_an_entry_leads_to_both() {
    let [first, second] = ann_with_another_phone();
    let alone = json!({"phone": phone(2)});
    let lines = [
        first,
        second,
        tokens(&[entry("100200302", alone.clone())]),
        tokens(&[entry("100200303", alone.clone())]),
        json!({"find": alone}),
    ];
    let expected = [
        (3, Some(0), "createdByTopPriority".to_owned()),
        (4, Some(0), "createdByCascade".to_owned()),
    ];
    assert_eq!(differences(&lines, &[]), expected);
}

#[test]
fn what_only_one_policy_refuses_is_told_with_the_code() {
    // topPriority tries the unknown id alone; cascade goes on to the email.
    let lines = [
        tokens(&[entry("1", json!({"email": "ann@example.com"}))]),
        tokens(&[entry(
            "2",
            json!({"contactId": 700, "email": "ann@example.com"}),
        )]),
    ];
    let (printed, _) = compared(&lines, &["--unknown-contact-id", "reject"]);
    assert_eq!(printed.len(), 1);
    assert_eq!(printed[0]["difference"], "refusedByTopPriority");
    assert_eq!(
        printed[0]["topPriority"],
        json!({"outcome": "refused", "code": "unknownContactId"})
    );
    // Where the id is adopted, it makes a contact.
    let expected = [(3, Some(0), "createdByTopPriority".to_owned())];
    assert_eq!(differences(&lines, &[]), expected);
}

#[test]
fn the_options_of_the_stores_are_those_of_the_command_line() {
    // Without the phone, which is invalid, only the email is left for both.
    let lines = [
        tokens(&[entry("1", json!({"email": "ann@example.com"}))]),
        tokens(&[entry(
            "1",
            json!({"phone": "12", "email": "bob@example.com"}),
        )]),
        json!({"removeToken": {"appUuid": APP, "token": "1"}}),
    ];
    for words in [
        &[] as &[&str],
        &["--invalid-identifier", "ignore"],
        &["--ownership", "exclusive"],
    ] {
        assert_eq!(differences(&lines, words), [], "{words:?}");
    }
    let compared = Compared::new();
    let log = compared.log(&lines);
    for (flag, says) in [
        ("--ownership", "ownership must be shared or exclusive"),
        (
            "--invalid-identifier",
            "invalidIdentifier must be refuse or ignore",
        ),
        (
            "--unknown-contact-id",
            "unknownContactId must be adopt or reject",
        ),
    ] {
        let said = compared.run(&log, &[flag, "both"]).failed(2);
        assert_eq!(said.lines().next(), Some(says));
    }
}

#[test]
fn lines_that_both_refuse_are_counted_and_blank_ones_are_not() {
    let compared = Compared::new();
    let log = compared.folder.path("log.jsonl");
    let long = format!("{{\"find\": {{\"email\": \"{}\"}}}}", "a".repeat(9 << 20));
    let unknown = json!({"appUuid": APP, "tokens": []}).to_string();
    let lines = [
        "\u{feff}not JSON",
        "",
        " \t\r",
        &unknown,
        &long,
        "{\"find\": {}}",
    ];
    fs::write(&log, lines.join("\n")).unwrap();
    let printed = compared.run(&log, &[]).printed();
    assert_eq!(
        printed,
        "1 entries, 0 decided differently; 3 lines refused under both\n"
    );
}

#[test]
fn a_comparison_begins_with_the_store_that_is_named_and_leaves_it_as_it_is() {
    let people = Folder::with_people();
    let before = people.contents();
    // Ann's email with a phone that nobody has.
    let lines = [
        tokens(&[entry(
            "5",
            json!({"phone": phone(9), "email": "ann@example.com"}),
        )]),
        json!({"find": {"email": "bob@example.com"}}),
    ];
    let (printed, sums) = compared(&lines, &["--from", people.store.to_str().unwrap()]);
    assert_eq!(sums["entries"], 2);
    assert_eq!(
        printed[0]["cascade"],
        json!({"outcome": "found", "contactId": 1, "matchedBy": "email"})
    );
    assert_eq!(printed[0]["topPriority"]["contactId"], 3);
    assert!(people.contents() == before, "the store was changed");
}

#[test]
fn r52_nothing_of_a_person_is_printed() {
    let [first, second] = ann_with_another_phone();
    let compared = Compared::new();
    let erase = json!({"erase": {"contactId": 380_500_000_001_u64}});
    let log = compared.log(&[first, second, erase]);
    for words in [&[] as &[&str], &["--json"]] {
        let ran = compared.run(&log, words);
        for private in ["38050", "ann@", "example", "100200"] {
            assert!(!ran.stdout.contains(private), "{private} in {}", ran.stdout);
        }
    }
}

#[test]
fn a_log_that_cannot_be_read_is_named() {
    let compared = Compared::new();
    let missing = compared.folder.path("missing.jsonl");
    let said = compared.run(&missing, &[]).failed(3);
    let path = missing.display();
    assert_eq!(
        said,
        format!("the log {path} cannot be read (entity not found)")
    );
    let directory = compared.folder.directory.path().to_owned();
    let said = compared.run(&directory, &[]).failed(3);
    let path = directory.display();
    assert_eq!(
        said,
        format!("the log {path} cannot be read (is a directory)")
    );
    let log = compared.log(&[]);
    let none = compared.folder.path("none");
    let mut tool = compared.tool(&[log.to_str().unwrap()]);
    tool.env("TMPDIR", none);
    assert_eq!(
        ran(tool).failed(3),
        "the temporary directory cannot be made, or not be removed (entity not found)"
    );
}

#[cfg(unix)]
#[test]
fn the_log_may_come_from_standard_input_and_a_signal_stops_the_wait_for_it() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::time::{Duration, Instant};
    let compared = Compared::new();
    let log = fs::read(compared.log(&ann_with_another_phone())).unwrap();
    let start = || {
        let mut tool = compared.tool(&["-"]);
        tool.stdin(Stdio::piped()).stdout(Stdio::piped());
        tool.stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = start();
    child.stdin.take().unwrap().write_all(&log).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.starts_with(b"line 3, tokens[0]: "));
    compared.nothing_is_left();

    for signal in [Signal::INT, Signal::TERM] {
        let mut child = start();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&log).unwrap();
        // Once it has its directory, it takes signals.
        let began = Instant::now();
        while fs::read_dir(&compared.temporary).unwrap().count() == 0 {
            assert!(began.elapsed() < Duration::from_secs(60));
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(input);
        assert_eq!(output.status.code(), Some(4));
        assert_eq!(
            output.stderr,
            b"contact-store: stopped, nothing is left behind\n"
        );
        compared.nothing_is_left();
    }
}

/// The stores hold what the log does.
#[cfg(unix)]
#[test]
fn r53_the_temporary_directory_is_its_owners_alone() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};
    let compared = Compared::new();
    let mut tool = compared.tool(&["-"]);
    let tool = tool.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = tool.stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let directory = loop {
        assert!(began.elapsed() < Duration::from_secs(60));
        let mut entries = fs::read_dir(&compared.temporary).unwrap();
        let Some(Ok(entry)) = entries.next() else {
            continue;
        };
        let stores = fs::read_dir(entry.path()).unwrap().flatten();
        if stores
            .filter(|it| it.path().extension().is_some_and(|it| it == "redb"))
            .count()
            == 2
        {
            break entry.path();
        }
    };
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for name in ["cascade.redb", "topPriority.redb"] {
        assert_eq!(mode(&directory.join(name)), 0o600);
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    compared.nothing_is_left();
}
