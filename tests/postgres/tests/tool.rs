//! The command-line tool over PostgreSQL, run as a user runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use contact_store::{ContactStore, Options};

use super::moving::{APP, assert_sound, fill};
use crate::cluster::{Database, shared};

/// How a run of the tool ended.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(words: &[&str]) -> Ran {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_contact-store-tool"));
    tool.args(words).stdin(Stdio::null());
    ran(tool)
}

fn ran(mut tool: Command) -> Ran {
    let output = tool.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        status: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

#[track_caller]
fn printed(words: &[&str]) -> String {
    let ran = run(words);
    assert_eq!(
        (ran.status, ran.stderr.as_str()),
        (Some(0), ""),
        "{words:?}"
    );
    ran.stdout
}

/// It printed nothing and ended with this status. What it said.
#[track_caller]
fn failed(words: &[&str], status: i32) -> String {
    let ran = run(words);
    assert_eq!(
        (ran.status, ran.stdout.as_str()),
        (Some(status), ""),
        "{ran:?}"
    );
    let said = ran.stderr.strip_prefix("contact-store: ").unwrap();
    said.trim_end().to_owned()
}

/// A URL with a password, which no output may show.
fn with_password(database: &Database) -> String {
    database.url.replacen("postgres@", "postgres:sesame@", 1)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The rows of an export, without the first line, which has the sequence number.
fn rows(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn r70_a_user_moves_a_store_to_a_database_reads_it_there_and_moves_it_back() {
    let Some(cluster) = shared() else { return };
    let url = with_password(&cluster.database("tool"));
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (file, first, second) = (at("a.redb"), at("first.ndjson"), at("second.ndjson"));
    let store = ContactStore::open(&file, Options::default()).unwrap();
    fill(&store);
    store.close().unwrap();

    printed(&["export", text(&file), text(&first), "--access-keys"]);
    // Nothing is made unasked.
    let said = failed(&["import", &url, text(&first)], 3);
    assert_eq!(
        said,
        "the store in the database cannot be opened: the schema has no contact store"
    );
    let imported = printed(&["import", &url, text(&first), "--create"]);
    assert!(imported.contains(" 0 refused"), "{imported}");
    printed(&["export", &url, text(&second), "--access-keys"]);
    assert_eq!(rows(&first), rows(&second));
    // The restart point is gone with the end of the import.
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);

    let app = APP.to_string();
    for words in [
        &["get", "--email", "1@example.com"][..],
        &[
            "find",
            "--email",
            "1@example.com",
            "--phone",
            "380500000002",
        ],
        &["explain", "--email", "1@example.com"],
        &["contacts"],
        &["contacts", "--after", "1", "--limit", "1"],
        &["apps"],
        &["subscribers", &app],
        &["subscribers", &app, "--count"],
        &["messages", &app],
        &["conflicts"],
    ] {
        let of = |store: &str| {
            let mut all = vec![words[0], store];
            all.extend(&words[1..]);
            all.push("--json");
            printed(&all)
        };
        assert_eq!(of(&url), of(text(&file)), "{words:?}");
    }
    let stats = printed(&["stats", &url]);
    assert!(stats.starts_with("engine           postgres\n"), "{stats}");
    let verified = printed(&["verify", &url]);
    assert!(
        verified.starts_with("sound at sequence number "),
        "{verified}"
    );
    assert_eq!(
        printed(&["upgrade", &url]),
        "nothing to do: the store has the newest format\n"
    );

    let back = at("back.redb");
    printed(&["import", text(&back), text(&second), "--create"]);
    let third = at("third.ndjson");
    printed(&["export", text(&back), text(&third), "--access-keys"]);
    assert_eq!(rows(&first), rows(&third));
    assert_sound(&ContactStore::open(&back, Options::default()).unwrap());
}

#[test]
fn what_a_database_cannot_do_is_said_without_the_url() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("refused");
    let url = with_password(&database);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.ndjson");
    let out = text(&out);
    let file_only = "the command works on the file of a store; a database has tools of its own, and \
                     contact-store export\ncontact-store --help says what there is";
    for words in [
        &["backup", &url, out][..],
        &["restore", &url, out],
        &["restore", out, &url],
        &["vacuum", &url],
        &["compare-policies", "-", "--from", &url],
    ] {
        assert_eq!(failed(words, 2), file_only, "{words:?}");
    }
    fs::write(out, "").unwrap();
    let said = failed(&["import", &url, out, "--dry-run"], 2);
    assert!(
        said.starts_with("--dry-run goes with a store in a file"),
        "{said}"
    );
    let said = failed(&["stats", "a.redb", "--postgres-schema", "s"], 2);
    assert!(
        said.starts_with("--postgres-schema and --root-certificate go with"),
        "{said}"
    );
    let said = failed(&["stats", &url, "--postgres-schema", "s"], 3);
    assert_eq!(
        said,
        "the store in the database cannot be opened: the schema has no contact store"
    );
    // There is no such role.
    let said = failed(&["stats", &url.replacen("//postgres:", "//nobody:", 1)], 3);
    assert_eq!(
        said,
        "the store in the database cannot be opened: the database server refused the connection"
    );
    // Nothing was made.
    let query = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('contact_store', 's')";
    let made: i64 = database.client().query_one(query, &[]).unwrap().get(0);
    assert_eq!(made, 0);
}

#[test]
fn an_import_into_a_database_keeps_its_restart_point_beside_the_file() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database("kept").url;
    let directory = tempfile::tempdir().unwrap();
    let csv = directory.path().join("people.csv");
    fs::write(&csv, "email\nann@example.com\n").unwrap();
    let kept = directory.path().join(".people.csv.import");
    fs::write(&kept, "nothing that is known\n").unwrap();
    let said = failed(&["import", &url, text(&csv), "--create"], 3);
    assert!(said.starts_with(text(&kept)), "{said}");
    fs::remove_file(&kept).unwrap();
    let imported = printed(&["import", &url, text(&csv), "--create"]);
    assert!(imported.starts_with("1 rows: 1 created"), "{imported}");
    assert!(!kept.exists());
    // Standard input has no place for one.
    let mut tool = Command::new(env!("CARGO_BIN_EXE_contact-store-tool"));
    tool.args(["import", &url, "-", "--format", "csv", "--json"]);
    tool.stdin(fs::File::open(&csv).unwrap());
    let ran = ran(tool);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.contains("\"unchanged\":1"), "{}", ran.stdout);
}
