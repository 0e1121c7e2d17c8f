//! What the commands print that look into a store, as text and as JSON.

use std::fs::File;

use contact_store::{GivenIdentifiers, MatchPolicy, wire};
use serde::Serialize;

use crate::support::{APP, Folder, OTHER_APP, Ran, ran, snapshot, tool};

/// Every command that reads, each with what makes it find something.
pub const READING: [&[&str]; 9] = [
    &["get", "--email", "ann@example.com"],
    &[
        "find",
        "--email",
        "ann@example.com",
        "--phone",
        "380500000001",
    ],
    &["explain", "--email", "ann@example.com"],
    &["contacts"],
    &["apps"],
    &["subscribers", APP],
    &["messages", APP],
    &["stats"],
    &["verify"],
];

fn line(value: impl Serialize) -> String {
    serde_json::to_string(&value).unwrap() + "\n"
}

#[test]
fn a_card_is_got_by_each_identifier() {
    let folder = Folder::with_people();
    let ann = snapshot(&folder.store).by_email("ann@example.com");
    let json = line(wire::card(&ann.unwrap().unwrap()));
    for by in [
        ["--contact-id", "1"],
        ["--external-customer-id", "crm-1"],
        ["--phone", "+380 (50) 000-00-01"],
        ["--email", "Ann@Example.com"],
    ] {
        let got = folder.run(&["get", by[0], by[1], "--json"]);
        assert_eq!(got.printed(), json, "{by:?}");
    }
    // The flag may stand anywhere.
    let mut first = tool();
    first
        .args(["--json", "get"])
        .arg(&folder.store)
        .args(["--contact-id=1"]);
    assert_eq!(ran(first).printed(), json);
}

#[test]
fn a_card_is_shown_as_text_without_what_a_terminal_acts_on() {
    let folder = Folder::with_people();
    let expected = "\
contact               1
external customer id  crm-1
phone                 380500000001
email                 ann@example.com
first name            Ann
last name             -
language code         -
time zone             -
created at            2023-11-14T22:13:20.123Z
created through app   6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f
field city            Kyiv\\u{1b}[2J

TOKEN      APP                                   SUBSCRIBER     ADDED AT
100200300  6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f  1099511627777  2023-11-14T22:13:20.123Z
";
    assert_eq!(
        folder.run(&["get", "--contact-id", "1"]).printed(),
        expected
    );
    let found = folder
        .run(&["find", "--email", "ann@example.com"])
        .printed();
    let (first, card) = found.split_once('\n').unwrap();
    assert_eq!(first, "found by              email");
    assert_eq!(card, expected);
}

#[test]
fn r26_finding_goes_by_the_policy() {
    let folder = Folder::with_people();
    let given = GivenIdentifiers::new()
        .external_customer_id("crm-9")
        .email("ann@example.com");
    let now = snapshot(&folder.store);
    let by = [
        "--external-customer-id",
        "crm-9",
        "--email",
        "ann@example.com",
    ];
    let find = |more: &[&str]| folder.run(&[&["find"], &by[..], more].concat());
    let found = now
        .find(&given.parse().unwrap(), MatchPolicy::Cascade)
        .unwrap();
    let json = line(wire::contact_found(Some(&found.unwrap())));
    assert_eq!(find(&["--json"]).printed(), json);
    assert_eq!(find(&["--json", "--policy", "cascade"]).printed(), json);
    let nobody = find(&["--json", "--policy", "topPriority"]);
    assert_eq!(
        nobody,
        Ran {
            status: Some(1),
            stdout: "{\"contact\":null}\n".to_owned(),
            stderr: "contact-store: no contact is found\n".to_owned(),
        }
    );
    assert_eq!(
        find(&["--policy", "topPriority"]).failed(1),
        "no contact is found"
    );
}

#[test]
fn r28_what_identifiers_lead_to_is_explained() {
    let folder = Folder::with_people();
    let by = [
        "explain",
        "--external-customer-id",
        "crm-9",
        "--email",
        "ann@example.com",
    ];
    let expected = "\
IDENTIFIER          CONTACT
externalCustomerId  -
email               1

POLICY       ADDING A TOKEN WOULD
cascade      append it to contact 1, found by email
topPriority  create contact 3 with externalCustomerId; another contact has email
";
    assert_eq!(folder.run(&by).printed(), expected);
    let json = "{\"named\":{\"externalCustomerId\":null,\"email\":1},\
                \"cascade\":{\"decision\":\"append\",\"contactId\":1,\"matchedBy\":\"email\"},\
                \"topPriority\":{\"decision\":\"create\",\"contactId\":3,\
                \"identifiers\":[\"externalCustomerId\"],\"skipped\":[\"email\"]}}\n";
    assert_eq!(folder.run(&[&by[..], &["--json"]].concat()).printed(), json);
    let refused = folder.run(&["explain", "--external-customer-id", "undefined"]);
    let refused = refused.printed();
    let last = refused.lines().last().unwrap();
    assert_eq!(
        last,
        "topPriority  be refused: externalCustomerId is a placeholder for a missing value"
    );
}

#[test]
fn r56_contacts_are_listed_in_order_all_or_some() {
    let folder = Folder::with_people();
    let expected = "\
CONTACT  EXTERNAL CUSTOMER ID  PHONE         EMAIL            NAME  TOKENS  CREATED AT
1        crm-1                 380500000001  ann@example.com  Ann   1       2023-11-14T22:13:20.123Z
2        -                     -             bob@example.com  -     1       2023-11-14T22:13:20.123Z
";
    assert_eq!(folder.run(&["contacts"]).printed(), expected);
    let now = snapshot(&folder.store);
    let cards: Vec<String> = now
        .iter_contacts()
        .map(|card| line(wire::card(&card.unwrap())))
        .collect();
    let listed = |more: &[&str]| {
        folder
            .run(&[&["contacts", "--json"], more].concat())
            .printed()
    };
    assert_eq!(listed(&[]), cards.concat());
    assert_eq!(listed(&["--limit", "1"]), cards[0]);
    assert_eq!(listed(&["--after", "1"]), cards[1]);
    assert_eq!(listed(&["--after", "1", "--limit", "5000"]), cards[1]);
    assert_eq!(listed(&["--after", "2"]), "");
}

#[test]
fn r37_r38_apps_and_subscribers_are_listed_and_counted() {
    let folder = Folder::with_people();
    let expected = "\
APP                                   NAME      SUBSCRIBERS  CONTACTS  CONNECTED AT
6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f  Shop bot  2            2         2023-11-14T22:13:20.123Z
";
    assert_eq!(folder.run(&["apps"]).printed(), expected);
    let json = format!(
        "{{\"appUuid\":\"{APP}\",\"name\":\"Shop bot\",\"subscribers\":2,\"contacts\":2}}\n"
    );
    assert_eq!(folder.run(&["apps", "--json"]).printed(), json);
    let expected = "\
SUBSCRIBER     TOKEN      CONTACTS  LAST REGISTERED AT        LAST STATUS  LAST STATUS AT            SENT  FAILED  CLICKED  MUTED UNTIL
1099511627777  100200300  1         2023-11-14T22:13:20.123Z  SENT         2023-11-14T22:13:20.123Z  1     0       0        -
1099511627778  100200301  2         2023-11-14T22:13:20.123Z  -            -                         0     0       0        -
";
    assert_eq!(folder.run(&["subscribers", APP]).printed(), expected);
    let now = snapshot(&folder.store);
    let app = APP.parse().unwrap();
    let all = now.iter_subscribers(app);
    let all: String = all
        .map(|one| line(wire::subscriber(&one.unwrap())))
        .collect();
    assert_eq!(folder.run(&["subscribers", APP, "--json"]).printed(), all);
    assert_eq!(
        folder.run(&["subscribers", APP, "--count"]).printed(),
        "2\n"
    );
    let counted = folder.run(&["subscribers", APP, "--count", "--json"]);
    assert_eq!(counted.printed(), "{\"subscribers\":2}\n");
}

#[test]
fn r30_messages_are_listed_with_their_counts() {
    let folder = Folder::with_people();
    let expected = "\
MESSAGE  SENT  FAILED  CLICKED  LAST AT
spring   1     0       0        2023-11-14T22:13:20.123Z
";
    assert_eq!(folder.run(&["messages", APP]).printed(), expected);
    let json = "{\"messageId\":\"spring\",\"counts\":{\"sent\":1,\"failed\":0,\"clicked\":0},\
                \"lastAt\":1700000000123}\n";
    assert_eq!(folder.run(&["messages", APP, "--json"]).printed(), json);
}

#[test]
fn stats_say_how_much_there_is_and_how_much_of_the_file_is_used() {
    let folder = Folder::with_people();
    let json = folder.run(&["stats", "--json"]).printed();
    let stats: serde_json::Value = serde_json::from_str(&json).unwrap();
    let of = |name: &str| stats[name].as_u64().unwrap();
    assert_eq!((of("contacts"), of("apps"), of("subscribers")), (2, 1, 2));
    assert_eq!(of("sequence"), snapshot(&folder.store).sequence().value());
    assert_eq!(of("fileBytes"), folder.store.metadata().unwrap().len());
    assert_eq!(of("usedBytes") + of("freeBytes"), of("fileBytes"));
    assert!(of("usedBytes") > 0);
    assert_eq!(stats["engine"], "file");
    let text = folder.run(&["stats"]).printed();
    let values = [
        "contacts",
        "apps",
        "subscribers",
        "sequence",
        "fileBytes",
        "usedBytes",
        "freeBytes",
    ];
    let names = [
        "contacts",
        "apps",
        "subscribers",
        "sequence number",
        "file bytes",
        "used bytes",
        "free bytes",
    ];
    let rows = names.iter().zip(values);
    let rows: String = rows
        .map(|(name, value)| format!("{name:<15}  {}\n", of(value)))
        .collect();
    assert_eq!(text, format!("engine           file\n{rows}"));
}

#[test]
fn a_sound_store_is_verified() {
    let folder = Folder::with_people();
    let now = snapshot(&folder.store);
    let found = now.verify().unwrap();
    let expected = format!(
        "sound at sequence number {}: {} rows, {} index entries\n",
        found.sequence, found.rows, found.index_entries
    );
    assert_eq!(folder.run(&["verify"]).printed(), expected);
    let json = folder.run(&["verify", "--json"]).printed();
    assert_eq!(json, "{\"verified\":true,\"problems\":[]}\n");
}

#[test]
fn what_is_not_there_is_said_with_status_1() {
    let folder = Folder::with_people();
    for by in [
        ["--contact-id", "7"],
        ["--external-customer-id", "crm-7"],
        ["--phone", "380500000007"],
        ["--email", "zoe@example.com"],
    ] {
        for command in ["get", "find"] {
            let said = folder.run(&[command, by[0], by[1]]).failed(1);
            assert_eq!(said, "no contact is found");
        }
        let said = folder.run(&["get", by[0], by[1], "--json"]).failed(1);
        assert_eq!(said, "no contact is found");
    }
    let unknown = format!("app {OTHER_APP} is not connected");
    for words in [
        &["subscribers", OTHER_APP][..],
        &["subscribers", OTHER_APP, "--count"],
        &["subscribers", OTHER_APP, "--json"],
        &["messages", OTHER_APP],
    ] {
        assert_eq!(folder.run(words).failed(1), unknown, "{words:?}");
    }
}

#[test]
fn an_empty_store_has_empty_listings() {
    let folder = Folder::empty();
    folder.create().close().unwrap();
    assert_eq!(folder.run(&["contacts", "--json"]).printed(), "");
    assert_eq!(folder.run(&["apps", "--json"]).printed(), "");
    let head = "APP  NAME  SUBSCRIBERS  CONTACTS  CONNECTED AT\n";
    assert_eq!(folder.run(&["apps"]).printed(), head);
}

/// A reader that has enough is no failure; a full disk is.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_a_failure_unless_its_reader_went_away() {
    let folder = Folder::with_people();
    let mut full = tool();
    full.arg("contacts").arg(&folder.store);
    full.stdout(File::options().write(true).open("/dev/full").unwrap());
    let said = ran(full).failed(3);
    assert!(said.starts_with("the output cannot be written ("), "{said}");

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut away = tool();
    away.arg("contacts").arg(&folder.store).stdout(writer);
    assert_eq!(ran(away).printed(), "");
}
