//! Files of an older format.

use std::fs;
use std::path::Path;

use crate::reading::READING;
use crate::support::Folder;

/// A file of format 1, out of the pages that are kept of it: its length, their number, and of each its
/// place, its length and its bytes. All numbers are of four bytes, the lowest first.
fn of_format_1() -> Folder {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/format_1/closed.pages");
    let kept = fs::read(kept).unwrap();
    let mut rest = kept.as_slice();
    let number = |of: &mut &[u8]| {
        let bytes = of.split_off(..4).unwrap();
        usize::try_from(u32::from_le_bytes(bytes.try_into().unwrap())).unwrap()
    };
    let mut file = vec![0; number(&mut rest)];
    for _ in 0..number(&mut rest) {
        let (at, len) = (number(&mut rest) * 4_096, number(&mut rest));
        file[at..at + len].copy_from_slice(rest.split_off(..len).unwrap());
    }
    let folder = Folder::empty();
    fs::write(&folder.store, file).unwrap();
    folder
}

#[test]
fn an_old_file_is_refused_until_it_is_upgraded() {
    let folder = of_format_1();
    let before = folder.contents();
    let expected = format!(
        "the store {} cannot be opened: it has format 1, this version works with 2; \
         contact-store upgrade upgrades it",
        folder.store.display()
    );
    for words in READING {
        assert_eq!(folder.run(words).failed(3), expected, "{words:?}");
    }
    assert!(folder.contents() == before, "the file was changed");

    assert_eq!(folder.run(&["upgrade"]).printed(), "upgraded\n");
    folder.run(&["verify"]).printed();
    assert_eq!(
        folder
            .run(&["contacts", "--json"])
            .printed()
            .lines()
            .count(),
        13
    );
    let after = folder.contents();
    assert_eq!(after.len(), 1);
    let again = folder.run(&["upgrade"]).printed();
    assert_eq!(again, "nothing to do: the store has the newest format\n");
    assert!(folder.contents() == after, "the file was changed");
}

#[test]
fn an_upgrade_says_in_json_whether_there_was_one() {
    let folder = of_format_1();
    let upgraded = folder.run(&["upgrade", "--json"]).printed();
    assert_eq!(upgraded, "{\"upgraded\":true,\"sequence\":12}\n");
    let again = folder.run(&["upgrade", "--json"]).printed();
    assert_eq!(again, "{\"upgraded\":false,\"sequence\":12}\n");
}
