//! The program around it: the recorded sample, the key file, the arguments, and lines that are no
//! update.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use contact_store::{AppId, ContactStore, Error, InvalidIdentifier, Limits, OpenError, Options};

use super::example::arguments::{Arguments, Task};
use super::example::command_line::{Asked, Wrong};
use super::example::deep_link::{CannotSign, KeyTooShort};
use super::example::key_file::{KeyFileFault, check_mode, read_key_file};
use super::example::store_options::StoreOptions;
use super::example::{Bot, Done, Stop, Summary, run};
use super::{ANN, KEY, NOW, SAMPLE_APP, contact, customer, link, links_of, start};
use crate::layering::source::package;

/// A key file that only its owner can read.
fn key_file(directory: &Path, key: &[u8]) -> PathBuf {
    let path = directory.join("link.key");
    fs::write(&path, key).unwrap();
    set_mode(&path, 0o600);
    path
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

fn read(arguments: &[&str]) -> Result<Asked<Arguments>, Wrong> {
    Arguments::read(arguments.iter().map(OsString::from))
}

/// What is said of arguments that are wrong.
#[track_caller]
fn wrong(arguments: &[&str]) -> String {
    match read(arguments) {
        Err(wrong) => wrong.to_string(),
        Ok(other) => panic!("{arguments:?}: {other:?}"),
    }
}

/// Runs the program for the bot of the sample, with these arguments after `--key-file` and `--app`.
fn ran(key_file: &Path, arguments: &[&str]) -> (String, Result<Done, Stop>) {
    ran_for(SAMPLE_APP, key_file, arguments)
}

fn ran_for(app: AppId, key_file: &Path, arguments: &[&str]) -> (String, Result<Done, Stop>) {
    let app = app.to_string();
    let given = ["--key-file", key_file.to_str().unwrap(), "--app", &app];
    // Without a store, it makes links.
    let create: &[&str] = match arguments.contains(&"--store") {
        true => &["--create"],
        false => &[],
    };
    let arguments = match read(&[&given, create, arguments].concat()) {
        Ok(Asked::Run(arguments)) => arguments,
        other => panic!("{other:?}"),
    };
    let mut output = Vec::new();
    let done = run(&arguments, &mut output);
    (String::from_utf8(output).unwrap(), done)
}

#[test]
fn the_sample_is_answered_as_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let store = directory.path().join("contacts.redb");
    let sample = package().join("examples/telegram/updates.jsonl");
    let expected = include_str!("../../../../examples/telegram/updates.expected.jsonl");
    let now = NOW.to_string();
    let arguments = [
        "--store",
        store.to_str().unwrap(),
        "--now",
        &now,
        "--remember-blocked",
        "100000",
        sample.to_str().unwrap(),
    ];
    let (answers, done) = ran(&key, &arguments);
    for (place, (answer, expected)) in answers.lines().zip(expected.lines()).enumerate() {
        assert_eq!(answer, expected, "answer {}", place + 1);
    }
    assert_eq!(answers, expected);
    let summary = match done {
        Ok(Done::Updates(summary)) => summary,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        summary,
        Summary {
            applied: 14,
            nothing: 17,
            refused: 3
        }
    );
    let store = ContactStore::open(&store, Options::default()).unwrap();
    crate::support::assert_sound(&store);
}

// R52, R55: no part of an update is in what is said about it.
#[test]
fn a_line_that_is_no_update_is_refused_alone_and_not_quoted() {
    let store = ContactStore::open_in_memory(Options::default()).unwrap();
    let name = contact_store::AppName::parse("Shop bot").unwrap();
    let connect = contact_store::ConnectApp::new(name).id(SAMPLE_APP);
    store.connect_app(connect).wait().unwrap();
    let sound = contact(ANN, ANN, "+380500000001").to_string();
    let not_json = r#"{"error":{"code":"syntax","message":"not JSON","line":2}}"#;
    let no_update = |path: &str| {
        let path = match path {
            "" => String::new(),
            path => format!(r#""path":"{path}","#),
        };
        format!(
            r#"{{"error":{{"code":"notAnUpdate","message":"not an update as Telegram publishes them",{path}"line":2}}}}"#
        )
    };
    let not_json_line = || not_json.to_owned();
    let half = &sound[..sound.len() / 2];
    let rows = [
        ("kAnArY", not_json_line()),
        (half, not_json_line()),
        ("{\"update_id\": 1} kAnArY", not_json_line()),
        ("\u{feff}{\"update_id\": 1}", not_json_line()),
        ("\"kAnArY\"", no_update("")),
        ("[]", no_update("")),
        ("{}", no_update("")),
        (r#"{"update_id": "kAnArY"}"#, no_update("update_id")),
        (r#"{"update_id": 1, "update_id": 2}"#, no_update("")),
        (
            r#"{"update_id": 1, "message": "kAnArY"}"#,
            no_update("message"),
        ),
        (r#"{"update_id": 1, "message": {}}"#, no_update("message")),
        (
            r#"{"update_id": 1, "my_chat_member": {}}"#,
            no_update("my_chat_member"),
        ),
        (
            r#"{"update_id": 1, "message": {"date": -5, "chat": {"id": 1, "type": "private"}}}"#,
            no_update("message.date"),
        ),
        (
            r#"{"update_id": 1, "message": {"date": 5, "chat": {"id": 99999999999999999999, "type": "private"}}}"#,
            no_update("message.chat.id"),
        ),
        (
            r#"{"update_id": 1, "message": {"date": 5, "chat": {"id": 1, "type": "private"}, "from": {"id": 1}}}"#,
            no_update("message.from"),
        ),
        (
            r#"{"update_id": 1, "message": {"date": "2023-08-20T18:12:29Z", "chat": {"id": 1, "type": "private"}}}"#,
            no_update("message.date"),
        ),
        (
            r#"{"update_id": 1, "message": {"date": 5, "chat": {"id": 1, "type": "private"}, "entities": [{"type": "bold", "offset": 0, "length": 1}, {"type": "bold", "offset": "kAnArY", "length": 1}]}}"#,
            no_update("message.entities[1].offset"),
        ),
        (
            r#"{"update_id": 1, "message": {"date": null, "chat": {"id": 1, "type": "private"}}}"#,
            no_update("message.date"),
        ),
        // Answers of `getUpdates` that hold no updates.
        (
            r#"{"ok": false, "error_code": 401, "description": "kAnArY"}"#,
            no_update(""),
        ),
        (r#"{"ok": true}"#, no_update("")),
        (r#"{"ok": false, "result": []}"#, no_update("ok")),
        (
            r#"{"ok": true, "result": {"kAnArY": 1}}"#,
            no_update("result"),
        ),
        (
            r#"{"ok": true, "result": [{"update_id": 1}"#,
            not_json_line(),
        ),
    ];
    for (line, expected) in rows {
        let (answers, summary) = apply(&store, format!("{sound}\n{line}\n{sound}\n").as_bytes());
        let answers: Vec<&str> = answers.lines().collect();
        assert_eq!(answers[1], expected, "{line}");
        assert_eq!((answers.len(), summary.applied, summary.refused), (3, 2, 1));
    }
    let (answers, _) = apply(&store, b"\n{\"update_id\": \"\xff\"}\n");
    assert_eq!(answers, format!("{not_json}\n"));
}

#[test]
fn an_answer_of_get_updates_is_read_update_by_update() {
    let store = ContactStore::open_in_memory(Options::default()).unwrap();
    let name = contact_store::AppName::parse("Shop bot").unwrap();
    let connect = contact_store::ConnectApp::new(name).id(SAMPLE_APP);
    store.connect_app(connect).wait().unwrap();
    let started = start(ANN, &link());
    let log = format!(
        r#"{{"ok": true, "result": [{started}, {{"update_id": "kAnArY"}}, {{"update_id": 9, "message": {{"date": "kAnArY"}}}}, {{"update_id": 8}}]}}"#
    );
    // The mark that some editors write before a text is not part of it.
    let (answers, summary) = apply(&store, format!("\u{feff}{log}\n").as_bytes());
    let refused = |path: &str| {
        format!(
            r#"{{"error":{{"code":"notAnUpdate","message":"not an update as Telegram publishes them","path":"{path}","line":1}}}}"#
        )
    };
    let answers: Vec<&str> = answers.lines().collect();
    assert!(
        answers[0].contains(r#""action":"addTokens""#),
        "{}",
        answers[0]
    );
    assert_eq!(
        answers[1..],
        [
            refused("result[1].update_id").as_str(),
            refused("result[2].message.date").as_str(),
            r#"{"updateId":8,"action":"nothing","reason":"otherKind"}"#,
        ]
    );
    let counted = (summary.applied, summary.nothing, summary.refused);
    assert_eq!(counted, (1, 1, 2));
    let (answers, _) = apply(&store, br#"{"ok": true, "result": []}"#);
    assert_eq!(answers, "");
}

#[test]
fn a_line_that_is_too_long_is_refused_alone() {
    let store = ContactStore::open_in_memory(Options::default()).unwrap();
    let most = Limits::default().request_text_bytes;
    let blank = " ".repeat(most + 1);
    let (answers, summary) = apply(&store, format!("{blank}\n{{\"update_id\": 1}}").as_bytes());
    let length = most + 1;
    assert_eq!(
        answers,
        format!(
            "{{\"error\":{{\"code\":\"limitExceeded\",\"message\":\"{length} bytes of text in the \
             request, the most is {most}\",\"limit\":\"requestTextBytes\",\"actual\":{length},\
             \"most\":{most},\"line\":1}}}}\n\
             {{\"updateId\":1,\"action\":\"nothing\",\"reason\":\"otherKind\"}}\n"
        )
    );
    assert_eq!((summary.nothing, summary.refused), (1, 1));
}

#[test]
fn updates_that_something_has_mangled_never_stop_the_rest() {
    const SEED: u64 = 0x6b1e_55ed;
    let sample = include_bytes!("../../../../examples/telegram/updates.jsonl");
    let mut random = SEED;
    let mut below = |end: usize| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        usize::try_from((random >> 33) % end as u64).unwrap()
    };
    println!("seed {SEED:#x}");
    for _ in 0..200 {
        let store = ContactStore::open_in_memory(Options::default()).unwrap();
        let mut log = sample.to_vec();
        for _ in 0..60 {
            let place = below(log.len());
            let other = sample[below(sample.len())];
            if log[place] != b'\n' && other != b'\n' {
                log[place] = other;
            }
        }
        let (answers, _) = apply(&store, &log);
        assert_eq!(answers.lines().count(), 34);
    }
}

#[track_caller]
fn apply(store: &ContactStore, log: &[u8]) -> (String, Summary) {
    let links = links_of(SAMPLE_APP);
    let bot = Bot {
        store,
        app: SAMPLE_APP,
        links: &links,
        limits: Limits::default(),
    };
    let mut answers = Vec::new();
    let summary = bot.apply_all(|| NOW, log, &mut answers).unwrap();
    (String::from_utf8(answers).unwrap(), summary)
}

#[test]
fn a_closed_store_ends_the_run_with_an_answer() {
    let store = ContactStore::open_in_memory(Options::default()).unwrap();
    store.close().unwrap();
    let links = links_of(SAMPLE_APP);
    let bot = Bot {
        store: &store,
        app: SAMPLE_APP,
        links: &links,
        limits: Limits::default(),
    };
    let log = format!("{0}\n{0}\n", contact(ANN, ANN, "+380500000001"));
    let mut answers = Vec::new();
    let ended = bot.apply_all(|| NOW, log.as_bytes(), &mut answers);
    assert!(
        matches!(ended, Err(Stop::Store(Error::Closed))),
        "{ended:?}"
    );
    assert_eq!(
        String::from_utf8(answers).unwrap(),
        "{\"error\":{\"code\":\"closed\",\"message\":\"the store is closed\",\"line\":1}}\n"
    );
}

#[test]
fn a_printed_link_is_one_that_the_bot_takes() {
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let now = NOW.to_string();
    let lives = ["--make-link", "shop-1", "--expires-in", "3600"];
    let (printed, done) = ran(&key, &[&["--now", &now], &lives[..]].concat());
    assert!(matches!(done, Ok(Done::Link)), "{done:?}");
    assert_eq!(printed, format!("{}\n", link()));

    // By the system's clock, too.
    let (printed, _) = ran(&key, &lives);
    let system = std::time::SystemTime::now();
    let system = system.duration_since(std::time::UNIX_EPOCH).unwrap();
    let verified = links_of(SAMPLE_APP).verify(printed.trim_end(), system.as_secs());
    assert_eq!(verified, Ok(customer("shop-1")));

    let (printed, done) = ran(
        &key,
        &[&lives[..2], &["--expires-in", "4294967296"]].concat(),
    );
    assert_eq!(printed, "");
    match done {
        Err(Stop::Link(refused)) => assert_eq!(refused, CannotSign::ExpiresTooLate),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bot_that_is_connected_keeps_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let path = directory.path().join("contacts.redb");
    let log = directory.path().join("updates.jsonl");
    fs::write(&log, "").unwrap();
    let arguments = ["--store", path.to_str().unwrap(), log.to_str().unwrap()];
    let names = || {
        let store = ContactStore::open(&path, Options::default()).unwrap();
        let apps = store.snapshot().unwrap().apps().unwrap();
        let names = apps
            .iter()
            .map(|app| app.name.as_str().to_owned())
            .collect();
        (store, Vec::<String>::from_iter::<Vec<String>>(names))
    };
    ran(&key, &arguments).1.unwrap();
    let (store, before) = names();
    assert_eq!(before, ["Telegram bot"]);
    let name = contact_store::AppName::parse("Shop bot").unwrap();
    let rename = contact_store::ConnectApp::new(name).id(SAMPLE_APP);
    store.connect_app(rename).wait().unwrap();
    store.close().unwrap();
    ran(&key, &arguments).1.unwrap();
    assert_eq!(names().1, ["Shop bot"]);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_may_read_or_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = key_file(directory.path(), KEY);
    for mode in [0o604, 0o660, 0o644, 0o610, 0o602] {
        set_mode(&path, mode);
        let refused = read_key_file(&path, 4_096).unwrap_err();
        match refused.fault {
            KeyFileFault::OpenToOthers { mode: found } => assert_eq!(found, mode),
            other => panic!("{mode:o}: {other:?}"),
        }
    }
    for mode in [0o600, 0o400, 0o700] {
        set_mode(&path, mode);
        assert_eq!(read_key_file(&path, 4_096).unwrap(), KEY, "{mode:o}");
    }
}

/// PostgreSQL's rule.
#[test]
fn a_key_file_is_its_users_alone_or_roots_and_its_groups() {
    let (root, user, other) = (0, 1_000, 1_001);
    for (owner, by, modes) in [
        (user, user, &[0o600, 0o400, 0o700][..]),
        (root, user, &[0o600, 0o640, 0o440, 0o400]),
        (root, root, &[0o600, 0o640, 0o440]),
    ] {
        for mode in modes {
            assert!(matches!(check_mode(owner, *mode, by), Ok(())), "{mode:o}");
        }
    }
    for (owner, modes) in [
        (user, &[0o640, 0o440, 0o604, 0o610, 0o620, 0o601][..]),
        (root, &[0o444, 0o604, 0o644, 0o660, 0o650, 0o641, 0o642]),
    ] {
        for mode in modes {
            match check_mode(owner, *mode, user) {
                Err(KeyFileFault::OpenToOthers { mode: found }) => assert_eq!(found, *mode),
                other => panic!("{mode:o}: {other:?}"),
            }
        }
    }
    for by in [root, other] {
        let refused = check_mode(user, 0o600, by);
        assert!(matches!(refused, Err(KeyFileFault::OwnedByAnother)));
    }
}

#[test]
fn a_key_file_that_is_missing_short_or_huge_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let none = directory.path().join("none");
    let missing = read_key_file(&none, 4_096).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!(
            "the key file {} cannot be opened for reading (entity not found)",
            none.display()
        )
    );
    let lives = ["--make-link", "shop-1", "--expires-in", "1"];
    let (_, done) = ran(&key_file(directory.path(), &KEY[..31]), &lives);
    match done {
        Err(Stop::Key(refused)) => assert_eq!(refused, KeyTooShort { bytes: 31 }),
        other => panic!("{other:?}"),
    }
    let (_, done) = ran(&key_file(directory.path(), &[7; 4_096]), &lives);
    assert!(matches!(done, Ok(Done::Link)), "{done:?}");
    let (_, done) = ran(&key_file(directory.path(), &[7; 4_097]), &lives);
    match done {
        Err(Stop::KeyFile(refused)) => {
            let is_too_long = matches!(refused.fault, KeyFileFault::TooLong { most: 4_096 });
            assert!(is_too_long, "{refused:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_opened_ends_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let path = directory.path().join("contacts.redb");
    let store = path.to_str().unwrap();
    let (_, done) = ran(&key, &["--store", store, "no such file"]);
    let stop = done.unwrap_err();
    assert!(matches!(stop, Stop::Open { .. }), "{stop:?}");
    assert_eq!(
        stop.to_string(),
        "the updates in no such file cannot be opened for reading (entity not found)"
    );
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    let (_, done) = ran(&key, &["--store", store, key.to_str().unwrap()]);
    let stop = done.unwrap_err();
    match &stop {
        Stop::OpenStore(cannot) => {
            assert!(
                matches!(cannot.error, Error::Open(OpenError::Empty)),
                "{cannot:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    let said = format!("the store {store} cannot be opened: the file is empty");
    assert_eq!(stop.to_string(), said);
}

#[test]
fn the_arguments_are_read_as_the_help_says() {
    const ONE: AppId = AppId::from_u128(1);
    let updates = |app, now, options| Arguments {
        key_file: "k".into(),
        app,
        now,
        task: Task::Updates {
            store: "s".into(),
            log: "f".into(),
        },
        options,
    };
    let makes_link = Arguments {
        key_file: "k".into(),
        app: ONE,
        now: None,
        task: Task::MakeLink {
            customer: customer("c"),
            expires_in: 60,
        },
        options: StoreOptions::default(),
    };
    let ignoring = StoreOptions {
        invalid_identifier: Some(InvalidIdentifier::Ignore),
        create: true,
        ..StoreOptions::default()
    };
    let rows = [
        (
            "--store s --key-file k --app 00000000000000000000000000000001 f",
            updates(ONE, None, StoreOptions::default()),
        ),
        (
            "f --app 00000000-0000-0000-0000-000000000001 --key-file k --store s --now 5",
            updates(ONE, Some(5), StoreOptions::default()),
        ),
        // K18.
        (
            "f --app 00000000-0000-0000-0000-000000000001 --key-file k --store s --create \
             --invalid-identifier ignore",
            updates(ONE, None, ignoring),
        ),
        (
            "--key-file k --app 00000000000000000000000000000001 --make-link c --expires-in 60",
            makes_link,
        ),
    ];
    let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
    for (text, expected) in rows {
        match read(&words(text)) {
            Ok(Asked::Run(arguments)) => assert_eq!(arguments, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    for text in ["--help", "--store s f -h"] {
        assert!(matches!(read(&words(text)), Ok(Asked::Help(_))), "{text}");
    }
    let rows = [
        ("", "--key-file and --app and --store and FILE are required"),
        ("--store s --key-file k --app 1", "--app must be a UUID"),
        ("--store s f", "--key-file and --app are required"),
        ("--store s f --key-file", "--key-file needs a value"),
        ("--store s --store s f", "--store is given twice"),
        ("--store s f g", "an argument of 1 bytes is not known"),
        (
            "--store s --kye-file k f",
            "argument --kye-file is not known",
        ),
        ("--store s --key-file k --app bot f", "--app must be a UUID"),
        (
            "--store s --key-file k --app 00000000000000000000000000000001 --now today f",
            "--now must be a number of seconds",
        ),
        (
            "--store s --key-file k --app 00000000000000000000000000000001 --now=-5 f",
            "--now must be a number of seconds",
        ),
        (
            "--store s --key-file k --app 00000000000000000000000000000001 --expires-in 5 f",
            "--store and --expires-in exclude each other",
        ),
        (
            "--key-file k --app 00000000000000000000000000000001 --make-link c",
            "--expires-in is required",
        ),
        (
            "--key-file k --make-link c --expires-in 0",
            "--expires-in must be a number of seconds, at least 1",
        ),
        (
            "--key-file k --app 00000000000000000000000000000001 --make-link c --expires-in 5 --store s",
            "--make-link and --store exclude each other",
        ),
        (
            "--key-file k --app 00000000000000000000000000000001 --make-link c --expires-in 5 --policy top-priority",
            "--make-link takes no option of the store",
        ),
        (
            "--key-file k --app 00000000000000000000000000000001 --make-link c --expires-in 5 --card-text-bytes 5",
            "--make-link takes no option of the store",
        ),
        (
            "--key-file k --app 00000000000000000000000000000001 --make-link c --expires-in 5 f",
            "--make-link and FILE exclude each other",
        ),
        (
            "--key-file k --make-link \u{200b} --expires-in 5",
            "--make-link must be a customer id, not blank and without control characters",
        ),
    ];
    for (text, said) in rows {
        assert_eq!(wrong(&words(text)), said, "{text}");
    }
}

// R10: with a bot that the program chose by itself, two bots on one key would be one app.
#[test]
fn the_bot_must_be_named_and_its_links_are_no_links_of_another_bot_on_the_same_key() {
    for without in [
        "--store s --key-file k f",
        "--key-file k --make-link c --expires-in 60",
    ] {
        let arguments: Vec<&str> = without.split(' ').collect();
        assert_eq!(wrong(&arguments), "--app is required", "{without}");
    }

    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let log = directory.path().join("updates.jsonl");
    let now = NOW.to_string();
    let bots = [1, 2].map(AppId::from_u128);
    let lives = ["--now", &now, "--make-link", "shop-1", "--expires-in", "60"];
    let (payload, done) = ran_for(bots[0], &key, &lives);
    assert!(matches!(done, Ok(Done::Link)), "{done:?}");
    fs::write(&log, start(ANN, payload.trim_end()).to_string()).unwrap();
    for (bot, applied) in bots.into_iter().zip([1, 0]) {
        let store = directory.path().join(format!("{bot}.redb"));
        let arguments = [
            "--store",
            store.to_str().unwrap(),
            "--now",
            &now,
            log.to_str().unwrap(),
        ];
        let (_, done) = ran_for(bot, &key, &arguments);
        let summary = match done {
            Ok(Done::Updates(summary)) => summary,
            other => panic!("{other:?}"),
        };
        let expected = Summary {
            applied,
            nothing: 1 - applied,
            refused: 0,
        };
        assert_eq!(summary, expected, "{bot}");
    }
}
