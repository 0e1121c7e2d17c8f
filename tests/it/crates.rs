//! What a host that links the library builds with it.

use std::collections::BTreeSet;
use std::process::Command;

use crate::layering::source::package;

/// The crates below the library without any feature, on Linux. A new one is a decision, not an accident.
const CRATES: &str = "\
bincode bincode_derive bitflags cfg-if contact-store futures-channel futures-core getrandom itoa libc \
linux-raw-sys memchr proc-macro2 quote redb rustix serde serde_core serde_derive serde_json siphasher \
syn thiserror thiserror-impl twox-hash unicode-ident unty uuid virtue zmij";

#[test]
fn the_library_without_features_is_built_with_these_crates_alone() {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(package()).args([
        "tree",
        "--package",
        "contact-store",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--offline",
        "--locked",
    ]);
    let output = tree.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let crates = text.lines().filter_map(|line| line.split(' ').next());
    let crates: BTreeSet<&str> = crates.filter(|name| !name.is_empty()).collect();
    assert_eq!(crates, CRATES.split(' ').collect());
}
