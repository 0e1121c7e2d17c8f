//! `backup`, `restore` and `vacuum`.

use std::fs;
use std::path::Path;
#[cfg(unix)]
use std::process::Stdio;
#[cfg(unix)]
use std::thread;
#[cfg(unix)]
use std::time::{Duration, Instant};

use contact_store::{
    AddTokens, AppName, ConnectApp, ContactId, ContactStore, CopyError, OpenError, TokenEntry,
};
use redb::{Database, ReadableTable as _, TableDefinition};
#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

use crate::reading::READING;
use crate::support::{Folder, Ran, ran, snapshot, tool};

fn copy(command: &str, from: &Path, to: &Path, json: bool) -> Ran {
    let mut tool = tool();
    tool.arg(command).arg(from).arg(to);
    if json {
        tool.arg("--json");
    }
    ran(tool)
}

#[test]
fn r66_a_backup_restored_elsewhere_is_the_same_store() {
    let folder = Folder::with_people();
    let (backup, restored) = (folder.path("backup.redb"), Folder::empty());
    let sequence = snapshot(&folder.store).sequence();
    let before = folder.contents();
    let made = copy("backup", &folder.store, &backup, false).printed();
    let start = format!("backup made: sequence number {sequence}, ");
    let bytes = fs::metadata(&backup).unwrap().len();
    assert!(
        made.starts_with(&start) && made.ends_with(&format!(" rows, {bytes} bytes\n")),
        "{made}"
    );
    let made = copy("restore", &backup, &restored.store, true).printed();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["sequence"].as_u64(), Some(sequence.value()));
    assert!(made["rows"].as_u64().unwrap() > 5);
    let bytes = fs::metadata(&restored.store).unwrap().len();
    assert_eq!(made["bytes"].as_u64(), Some(bytes));
    for words in READING
        .iter()
        .filter(|words| !["stats", "verify"].contains(&words[0]))
    {
        let words = [*words, &["--json"]].concat();
        let read = restored.run(&words).printed();
        assert_eq!(read, folder.run(&words).printed(), "{words:?}");
    }
    restored.run(&["verify"]).printed();
    assert!(folder.contents()[1] == before[0], "the store was changed");
    assert_eq!(folder.contents().len(), 2);
    assert_eq!(restored.contents().len(), 1);
    // A host goes on with it.
    restored.open().close().unwrap();
}

#[cfg(unix)]
#[test]
fn r53_a_copy_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::with_people();
    for command in ["backup", "restore"] {
        let to = folder.path(command);
        copy(command, &folder.store, &to, false).printed();
        let mode = fs::metadata(&to).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{command}");
    }
}

#[test]
fn r66_a_file_that_is_there_is_never_replaced() {
    let folder = Folder::with_people();
    let there = folder.path("there");
    fs::write(&there, "kept").unwrap();
    let before = folder.contents();
    for command in ["backup", "restore"] {
        for to in [&there, &folder.store] {
            let said = copy(command, &folder.store, to, false).failed(3);
            let expected = format!(
                "{} was not made: {}",
                to.display(),
                CopyError::AlreadyExists
            );
            assert_eq!(said, expected, "{command}");
        }
    }
    assert!(folder.contents() == before, "a file was changed");
}

#[test]
fn a_place_that_cannot_be_written_is_said_with_its_cause() {
    let folder = Folder::with_people();
    for command in ["backup", "restore"] {
        let to = folder.path("missing").join("copy.redb");
        let said = copy(command, &folder.store, &to, false).failed(3);
        let start = format!(
            "{} was not made: writing the copy failed: input or output failed",
            to.display()
        );
        assert!(said.starts_with(&start), "{said}");
        assert!(said.contains("No such file or directory"), "{said}");
        assert_eq!(folder.contents().len(), 1);
    }
}

/// Opens a store's file past the library, and takes the first card away.
fn take_a_card_away(path: &Path) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let cards = TableDefinition::<u64, &[u8]>::new("contacts");
    {
        let mut cards = transaction.open_table(cards).unwrap();
        let first = cards.first().unwrap().unwrap().0.value();
        assert!(cards.remove(first).unwrap().is_some());
    }
    transaction.commit().unwrap();
}

#[test]
fn problems_are_shown_and_a_store_that_has_some_is_not_restored() {
    let folder = Folder::with_people();
    take_a_card_away(&folder.store);
    let problems = snapshot(&folder.store).verify().unwrap().problem_count;
    assert!(problems > 0);
    let says = |path: &Path| {
        format!(
            "contact-store: the store {} has {problems} problems\n",
            path.display()
        )
    };
    let text = folder.run(&["verify"]);
    assert_eq!((text.status, text.stderr), (Some(1), says(&folder.store)));
    let lines: Vec<&str> = text.stdout.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["TABLE", "ROW", "PROBLEM"]
    );
    assert_eq!(lines.len() as u64, problems + 2);
    assert_eq!(
        lines[lines.len() - 1],
        format!("{problems} of {problems} problems")
    );
    let json = folder.run(&["verify", "--json"]);
    assert_eq!((json.status, json.stderr), (Some(1), says(&folder.store)));
    let found: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(found["verified"].as_bool(), Some(false));
    assert_eq!(found["problemCount"].as_u64(), Some(problems));

    let to = folder.path("restored.redb");
    let said = copy("restore", &folder.store, &to, false).failed(1);
    assert!(
        said.starts_with(&format!("the store {} has ", to.display())),
        "{said}"
    );
    assert_eq!(folder.contents().len(), 1);
}

#[test]
fn r67_a_vacuumed_store_is_short_and_the_same() {
    let folder = Folder::with_people();
    let store = folder.open();
    add_many(&store);
    let erased: Vec<_> = (3..60_000)
        .map(|id| ContactId::parse(&id.to_string()).unwrap())
        .collect();
    for some in erased.chunks(1_000) {
        let erased: Vec<_> = some.iter().map(|id| store.erase(*id)).collect();
        for erased in erased {
            assert!(erased.wait().unwrap().outcome.erased);
        }
    }
    store.close().unwrap();
    let read = |words: &[&str]| folder.run(&[words, &["--json"]].concat()).printed();
    let reading = READING.iter().filter(|words| words[0] != "stats");
    let before: Vec<String> = reading.clone().map(|words| read(words)).collect();
    let long = fs::metadata(&folder.store).unwrap().len();
    let said = folder.run(&["vacuum"]).printed();
    let short = fs::metadata(&folder.store).unwrap().len();
    assert_eq!(said, format!("vacuumed: {short} bytes, {long} before\n"));
    assert!(short < long / 20, "{said}");
    let after: Vec<String> = reading.map(|words| read(words)).collect();
    assert_eq!(after, before);
    assert_eq!(folder.contents().len(), 1);
    let said: serde_json::Value = serde_json::from_str(&read(&["vacuum"])).unwrap();
    assert_eq!(said["bytesBefore"].as_u64(), Some(short));
    assert!(said["bytesAfter"].as_u64().unwrap() <= short);
}

#[test]
fn a_store_that_is_not_there_is_not_vacuumed_and_not_made() {
    let folder = Folder::empty();
    let said = folder.run(&["vacuum"]).failed(3);
    let expected = format!(
        "the store {} cannot be opened: {}",
        folder.store.display(),
        OpenError::NotFound
    );
    assert_eq!(said, expected);
    assert_eq!(folder.contents(), []);
}

/// Adds enough rows that copying and verifying them takes a while.
fn add_many(store: &ContactStore) {
    let connect = ConnectApp::new(AppName::parse("Bot").unwrap());
    let app = store.connect_app(connect).wait().unwrap().outcome;
    let numbers: Vec<u32> = (0..60_000).collect();
    for some in numbers.chunks(2_000) {
        let entries = some.iter().map(|n| {
            let long = "x".repeat(100);
            TokenEntry::new(format!("{long}{n}")).external_customer_id(format!("crm-{n}"))
        });
        let added = store
            .add_tokens(AddTokens::new(app).entries(entries))
            .wait();
        added.unwrap().outcome.entries.all().unwrap();
    }
}

/// Ctrl-C or `kill` while rows are copied, when the temporary file is there, and while a restored store
/// is verified, when it has its name.
#[cfg(unix)]
#[test]
fn r66_a_signal_stops_a_copy_and_nothing_is_left() {
    let folder = Folder::empty();
    let store = folder.create();
    add_many(&store);
    store.close().unwrap();
    let before = folder.contents();
    let copy = folder.path("copy.redb");
    let copying = || fs::read_dir(folder.directory.path()).unwrap().count() > 1;
    let verifying = || copy.exists();
    let stops = |command, signal, begun: &dyn Fn() -> bool| {
        // A copy that was done before the signal came is tried again.
        for _ in 0..20 {
            let mut tool = tool();
            tool.arg(command).arg(&folder.store);
            if command != "vacuum" {
                tool.arg(&copy);
            }
            let child = tool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            let child = child.unwrap();
            let since = Instant::now();
            while !begun() {
                assert!(
                    since.elapsed() < Duration::from_secs(60),
                    "nothing is begun"
                );
                thread::sleep(Duration::from_micros(200));
            }
            kill_process(Pid::from_child(&child), signal).unwrap();
            let output = child.wait_with_output().unwrap();
            if output.status.code() == Some(0) {
                if command != "vacuum" {
                    fs::remove_file(&copy).unwrap();
                }
                continue;
            }
            assert_eq!(output.status.code(), Some(4), "{output:?}");
            assert_eq!(
                output.stderr,
                b"contact-store: stopped, nothing is left behind\n"
            );
            assert_eq!(output.stdout, b"");
            // A vacuum opens the store for writing, which leaves its mark.
            let contents = if command == "vacuum" {
                folder.run(&["verify"]).printed();
                folder.contents().len() == 1
            } else {
                folder.contents() == before
            };
            assert!(contents, "{command} left something");
            return;
        }
        panic!("{command} was never stopped in time");
    };
    stops("backup", Signal::INT, &copying);
    stops("backup", Signal::TERM, &copying);
    stops("restore", Signal::INT, &copying);
    stops("restore", Signal::INT, &verifying);
    stops("vacuum", Signal::INT, &copying);
    stops("vacuum", Signal::TERM, &copying);
}
