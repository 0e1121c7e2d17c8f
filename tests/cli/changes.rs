//! The command `changes` (R60).

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use contact_store::{ContactStore, ContactUpdate, DedupeOn, KeepChanges, Options, Upsert};

use super::support::{Folder, tool};

fn fed(folder: &Folder) -> ContactStore {
    let options = Options::default().change_feed(KeepChanges::default());
    ContactStore::open(&folder.store, options).unwrap()
}

fn create(store: &ContactStore, email: &str) {
    let update = ContactUpdate::new().email(email);
    let upsert = Upsert::new(DedupeOn::Email).contact(update);
    store.upsert(upsert).wait().unwrap().outcome.all().unwrap();
}

#[test]
fn r60_changes_are_listed_by_their_positions() {
    let folder = Folder::with_people();
    let store = fed(&folder);
    create(&store, "carl@example.com");
    let bob = store.snapshot().unwrap().by_email("bob@example.com");
    store.erase(bob.unwrap().unwrap().id).wait().unwrap();
    store.close().unwrap();

    let missed = folder.run(&["changes"]).failed(3);
    let expected = "the changes after the position are not all kept, only those after 4 are";
    assert_eq!(missed, expected);
    let listed = folder.run(&["changes", "--after", "4"]).printed();
    let lines: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.splitn(3, "  ").collect())
        .collect();
    assert_eq!(
        [lines[0][0], lines[0][2], lines[1][0], lines[1][2]],
        ["5.1", "contact 3 created", "6.1", "contact 2 erased"]
    );
    let words = ["changes", "--after", "5.1", "--limit", "1", "--json"];
    let json = folder.run(&words).printed();
    assert!(json.starts_with(r#"{"position":"6.1","at":"#), "{json}");
    let end = "\"change\":\"contactErased\",\"contactId\":2}\n";
    assert!(json.ends_with(end), "{json}");
    for words in [["changes", "--after", "x"], ["changes", "--limit", "0"]] {
        folder.run(&words).failed(2);
    }
}

/// A host has the store open, and writes to it.
#[test]
#[cfg(target_os = "linux")]
fn r60_changes_are_followed_while_a_host_writes() {
    let folder = Folder::empty();
    let store = fed(&folder);
    create(&store, "ann@example.com");
    let mut following = tool();
    following.arg("changes").arg(&folder.store);
    following.args(["--follow", "--limit", "2", "--json"]);
    let mut following = following.stdout(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || printed.next().unwrap().unwrap();
    assert!(next().contains("\"contactId\":1"));
    create(&store, "bob@example.com");
    assert!(next().contains("\"contactId\":2"));
    assert!(following.wait().unwrap().success());
    store.close().unwrap();
}
