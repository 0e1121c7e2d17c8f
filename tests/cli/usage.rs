//! Wrong arguments: status 2, and words that hold no value.

use crate::support::{APP, Folder, ran, tool};

const HINT: &str = "\ncontact-store --help says what there is";

#[track_caller]
fn wrong(folder: &Folder, words: &[&str], says: &str) {
    let said = folder.run(words).failed(2);
    assert_eq!(said.strip_suffix(HINT), Some(says), "{words:?}");
}

#[test]
fn wrong_values_are_named_by_field_and_bound() {
    let folder = Folder::with_people();
    let says = |words: &[&str], says: &str| wrong(&folder, words, says);
    const PHONE: &str = "phone holds a character other than digits, separators and one leading +";
    says(&["get", "--phone", "abc"], PHONE);
    says(&["find", "--phone", "abc"], PHONE);
    says(&["explain", "--phone", "abc"], PHONE);
    says(
        &["get", "--phone", "12"],
        "phone of 2 digits, must be 7 to 15",
    );
    says(&["get", "--email", "ann"], "email holds no @");
    const CONTACT_ID: &str = "contactId must be an integer from 1 to 9223372036854775807";
    says(&["get", "--contact-id", "0"], CONTACT_ID);
    says(&["get", "--contact-id", "ann"], CONTACT_ID);
    says(&["contacts", "--after", "ann"], CONTACT_ID);
    says(
        &["contacts", "--limit", "0"],
        "--limit must be an integer from 1",
    );
    says(
        &["contacts", "--limit", "ann"],
        "--limit must be an integer from 1",
    );
    let policy = "policy must be cascade or topPriority";
    says(&["find", "--email", "a@b.c", "--policy", "best"], policy);
    let app = "appUuid is not a UUID in a text form of RFC 4122";
    says(&["subscribers", "shop"], app);
    says(&["messages", "shop"], app);
}

#[test]
fn wrong_arguments_are_named() {
    let folder = Folder::with_people();
    let says = |words: &[&str], says: &str| wrong(&folder, words, says);
    const ALL: &str = "--contact-id, --external-customer-id, --phone, --email";
    says(&["get"], &format!("at least one of {ALL} is required"));
    says(
        &["find", "--email", " "],
        &format!("at least one of {ALL} is required"),
    );
    says(&["explain"], &format!("at least one of {ALL} is required"));
    let two = [
        "get",
        "--phone",
        "380500000001",
        "--email",
        "ann@example.com",
    ];
    says(&two, &format!("one of {ALL} is taken, 2 are given"));
    says(&["get", "--phone"], "--phone needs a value");
    says(
        &["get", "--phone=1", "--phone=380500000001"],
        "--phone is given twice",
    );
    says(
        &["get", "--telephone", "380500000001"],
        "--telephone is not known",
    );
    says(
        &["get", "--380500000001"],
        "an argument of 14 bytes is not known",
    );
    says(
        &["get", "380500000001"],
        "an argument of 12 bytes is not known",
    );
    says(
        &["subscribers", APP, "--count=380500000001"],
        "--count takes no value",
    );
    says(&["subscribers"], "APP is required");
    says(&["380500000001"], "there is no such command");
    let shells = "SHELL is one of bash, elvish, fish, powershell, zsh";
    let mut completions = tool();
    completions.args(["completions", "380500000001"]);
    assert_eq!(ran(completions).failed(2), format!("{shells}{HINT}"));
    let mut alone = tool();
    alone.arg("backup");
    assert_eq!(
        ran(alone).failed(2),
        format!("STORE and OUT are required{HINT}")
    );
    assert_eq!(ran(tool()).failed(2), format!("no command is given{HINT}"));
}

/// Whatever is given where: no value comes back in an error.
#[test]
fn r52_no_value_is_in_what_is_said_of_wrong_arguments() {
    let folder = Folder::with_people();
    const SECRET: &str = "zoe+7390";
    let commands = [
        "get",
        "find",
        "explain",
        "contacts",
        "apps",
        "subscribers",
        "messages",
        "stats",
        "verify",
        "completions",
        "man",
        "help",
        SECRET,
    ];
    let places: [&[&str]; 12] = [
        &[SECRET],
        &[SECRET, SECRET],
        &["--contact-id", SECRET],
        &["--external-customer-id", "zoe+7390\u{7}"],
        &["--phone", SECRET],
        &["--email", SECRET],
        &["--after", SECRET],
        &["--limit", SECRET],
        &["--policy", SECRET, "--email", "a@b.c"],
        &["--zoe+7390"],
        &["--json=zoe+7390"],
        &["--phone=zoe+7390", "--phone=zoe+7390"],
    ];
    let mut refused = 0;
    for command in commands {
        for place in places {
            let ran = folder.run(&[&[command], place].concat());
            assert!(!ran.stderr.contains("zoe"), "{command} {place:?}: {ran:?}");
            assert!(!ran.stderr.contains("7390"), "{command} {place:?}: {ran:?}");
            refused += u32::from(ran.status == Some(2));
        }
    }
    assert!(refused > 120, "only {refused} were refused");
}

#[cfg(not(feature = "postgres"))]
#[test]
fn a_database_is_refused_by_a_build_without_a_client_for_it_and_its_url_is_not_shown() {
    let url = "postgres://ann%40example.com:crm-1@localhost/shop";
    for words in [&["stats", url][..], &["backup", url, "out.redb"]] {
        let mut asked = tool();
        asked.args(words);
        let said = ran(asked).failed(2);
        assert_eq!(
            said,
            "STORE is a PostgreSQL database, which this build has no client for; build it with \
             --features cli,postgres\ncontact-store --help says what there is"
        );
    }
}
