//! Stores that cannot be opened, and those that can: their files stay as they are.

use std::fs;

use contact_store::OpenError;

use crate::reading::READING;
use crate::support::{Folder, ran, tool};

/// Every command that opens a store fails with status 3 and says this, and changes nothing.
#[track_caller]
fn refused(folder: &Folder, says: &str) {
    let before = folder.contents();
    let expected = format!(
        "the store {} cannot be opened: {says}",
        folder.store.display()
    );
    for words in READING {
        assert_eq!(folder.run(words).failed(3), expected, "{words:?}");
    }
    for command in ["backup", "restore"] {
        let mut copy = tool();
        copy.arg(command)
            .arg(&folder.store)
            .arg(folder.path("copy.redb"));
        assert_eq!(ran(copy).failed(3), expected, "{command}");
    }
    assert!(folder.contents() == before, "a file was changed");
}

#[test]
fn a_missing_file_is_not_created() {
    let folder = Folder::empty();
    let says = OpenError::NotFound.to_string();
    refused(&folder, &says);
    let said = folder.run(&["upgrade"]).failed(3);
    assert!(said.ends_with(&says), "{said}");
    assert_eq!(folder.contents(), []);
}

#[test]
fn a_foreign_an_empty_file_and_a_folder_are_refused() {
    let folder = Folder::empty();
    fs::write(&folder.store, "ann@example.com\n".repeat(1_000)).unwrap();
    refused(&folder, &OpenError::Foreign.to_string());
    fs::write(&folder.store, "").unwrap();
    refused(&folder, &OpenError::Empty.to_string());
    fs::remove_file(&folder.store).unwrap();
    fs::create_dir(&folder.store).unwrap();
    refused(&folder, &OpenError::NotAFile.to_string());
}

#[test]
fn r51_a_store_that_is_open_elsewhere_says_what_to_ask_of_the_host() {
    let folder = Folder::with_people();
    let host = folder.open();
    let open = "another process writes to it or is just opening it; stop that host, or ask it for a \
                backup and work on that";
    let said = folder.run(&["vacuum"]).failed(3);
    assert!(said.ends_with(open), "{said}");
    host.close().unwrap();
    folder.run(&["vacuum"]).printed();
}

#[test]
fn r68_the_store_of_a_running_host_is_read_as_it_is() {
    let folder = Folder::with_people();
    let host = folder.open();
    let found = folder.run(&["get", "--email", "ann@example.com"]).printed();
    assert!(found.contains("ann@example.com"));
    assert_eq!(folder.run(&["verify"]).status, Some(0));
    let copy = folder.store.with_file_name("copy.redb");
    folder.run(&["backup", copy.to_str().unwrap()]).printed();
    host.close().unwrap();
    assert_eq!(
        folder.run(&["get", "--email", "ann@example.com"]).printed(),
        found
    );
}

#[test]
fn r50_a_damaged_file_is_a_problem_for_verify_and_cannot_be_opened_for_others() {
    let folder = Folder::with_people();
    let mut bytes = fs::read(&folder.store).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 8_192] {
        *byte ^= 0x55;
    }
    fs::write(&folder.store, &bytes).unwrap();
    let start = format!(
        "the store {} cannot be opened: the file is damaged: ",
        folder.store.display()
    );
    let said = folder.run(&["verify"]).failed(1);
    assert!(said.starts_with(&start), "{said}");
    let said = folder.run(&["contacts"]).failed(3);
    assert!(said.starts_with(&start), "{said}");
    assert!(
        fs::read(&folder.store).unwrap() == bytes,
        "the file was changed"
    );
}

#[test]
fn r68_no_command_that_reads_changes_the_file_or_its_folder() {
    let folder = Folder::with_people();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&folder.store, fs::Permissions::from_mode(0o400)).unwrap();
    }
    let before = folder.contents();
    assert_eq!(before.len(), 1);
    for words in READING {
        folder.run(words).printed();
        folder.run(&[words, &["--json"]].concat()).printed();
    }
    folder.run(&["upgrade"]).printed();
    assert!(folder.contents() == before, "a file was changed");
}

/// The file of a host that was killed.
#[test]
fn r68_a_file_that_was_not_closed_is_read_and_not_repaired() {
    let folder = Folder::with_people();
    let host = folder.open();
    let killed = Folder::empty();
    fs::copy(&folder.store, &killed.store).unwrap();
    host.close().unwrap();
    let before = killed.contents();
    for words in READING.iter().filter(|words| words[0] != "stats") {
        let read = killed.run(words).printed();
        assert_eq!(read, folder.run(words).printed(), "{words:?}");
    }
    assert!(killed.contents() == before, "the file was changed");
}
