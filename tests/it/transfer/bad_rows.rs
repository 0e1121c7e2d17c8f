//! Each kind of bad row is refused alone, with its reason.

use std::collections::BTreeMap;

use contact_store::Limits;
use contact_store::transfer::ImportOptions;

use crate::support::options;

use super::sample::{CONTACTS, sample};
use super::{empty, empty_with, import, import_until, text_of};

/// The sample's text with one line replaced, and the number of that line.
fn changed(line_with: &str, change: impl Fn(&str) -> String) -> (String, u64) {
    let text = text_of(&sample());
    let mut at = None;
    let lines = text.lines().enumerate().map(|(number, line)| {
        if at.is_some() || !line.contains(line_with) {
            return format!("{line}\n");
        }
        at = Some(number as u64 + 1);
        let changed = change(line);
        assert_ne!(changed, line, "{line_with}");
        format!("{changed}\n")
    });
    let text = lines.collect();
    (text, at.expect(line_with))
}

/// The line with `line_with`, in which `from` becomes `to`, is refused first, with this reason and
/// error; the rows that need it may follow.
#[track_caller]
fn refused(line_with: &str, from: &str, to: &str, reason: &str, error: &str) {
    let (text, line) = changed(line_with, |line| line.replacen(from, to, 1));
    let store = empty();
    let told = import(&store, text.as_bytes());
    let first = told
        .rejected
        .first()
        .unwrap_or_else(|| panic!("{to} is taken"));
    assert_eq!((first.0, first.1, &*first.2), (line, reason, error));
    let row = text.lines().nth(line as usize - 1).unwrap();
    assert_eq!(first.3, row.as_bytes());
    // The errors hold nothing of the rows.
    for (_, _, error, _) in &told.rejected {
        for private in ["crm-", "38050", "example", "t-1", "secret", "Kyiv", "bot"] {
            assert!(!error.contains(private), "{error}");
        }
    }
    let rejected = told.rejected.len() as u64;
    let reasons = told.reasons();
    let imported = told.complete();
    assert_eq!(imported.refused_rows(), rejected);
    let mut counted = BTreeMap::new();
    for (_, reason) in reasons {
        *counted.entry(reason).or_default() += 1;
    }
    assert_eq!(imported.refused, counted);
    assert_eq!(imported.rows, imported.created + rejected);
}

const CONTACT_1: &str = "\"contactId\":1,";

#[test]
fn r55_r70_rows_that_are_not_in_their_form() {
    for (from, to, reason, error) in [
        ("{", "", "syntax", "not JSON at line 1, column 10"),
        ("}}", "}", "syntax", "not JSON at line 1, column 285"),
        (
            "\"contact\"",
            "\"contactt\"",
            "unknownMember",
            "member \"contactt\" is not known",
        ),
        (
            "\"contact\"",
            "\"380500000001\"",
            "unknownMember",
            "a member with a name of 12 bytes is not known",
        ),
        (
            "{\"contact\":",
            "{\"end\":{\"lines\":1},\"contact\":",
            "notOneOf",
            ONE_OF,
        ),
        (
            "{\"contact\":",
            "[",
            "syntax",
            "not JSON at line 1, column 276",
        ),
        (
            "\"createdAt\":1000",
            "\"createdAt\":\"1000\"",
            "wrongType",
            "contact.createdAt: expected integer from 0 to 2^64-1, found string",
        ),
        (
            "\"createdAt\":1000",
            "\"createdAt\":1e3",
            "wrongType",
            "contact.createdAt: expected integer from 0 to 2^64-1, found number",
        ),
        (
            "\"createdAt\":1000,",
            "",
            "missingMember",
            "contact: member \"createdAt\" is required",
        ),
        (
            "\"contactId\":1,",
            "",
            "missingMember",
            "contact: member \"contactId\" is required",
        ),
        (
            "\"contactId\":1,",
            "\"contactId\":1,\"contactId\":1,",
            "repeatedMember",
            "contact: member \"contactId\" is repeated",
        ),
        (
            "\"phone\":\"380500000001\"",
            "\"phone\":380500000001",
            "wrongType",
            "contact.phone: expected string, found number",
        ),
        (
            "\"email\":",
            "\"mail\":",
            "unknownMember",
            "contact: member \"mail\" is not known",
        ),
        (
            "\"email\":\"1",
            "\"email\":\"\\ud800",
            "loneSurrogate",
            "contact.email: holds one half of a surrogate pair",
        ),
        (
            "\"tokens\":[",
            "\"tokens\":{\"a\":[",
            "syntax",
            "not JSON at line 1, column 291",
        ),
        (
            "{\"subscriberId\":\"1099511627777\"",
            "{\"subscriberId\":1099511627777",
            "wrongType",
            "contact.tokens[0].subscriberId: expected string, found number",
        ),
        (
            "{\"subscriberId\":\"1099511627777\",",
            "{",
            "missingMember",
            "contact.tokens[0]: member \"subscriberId\" is required",
        ),
        (
            "\"subscriberId\":\"1099511627777\"",
            "\"subscriberId\":\"01\"",
            "notOneOf",
            "contact.tokens[0].subscriberId: expected a subscriber id: decimal digits without a leading 0",
        ),
        (
            "\"createdThroughAppNumber\":1",
            "\"createdThroughAppNumber\":0",
            "notOneOf",
            "contact.createdThroughAppNumber: expected the number of an app, 1 to 2^23-1",
        ),
    ] {
        refused(CONTACT_1, from, to, reason, error);
    }
    for (line_with, from, to, reason, error) in [
        (
            "takenContactIds",
            "[8,9]",
            "[9,8]",
            "notOneOf",
            "takenContactIds[0]: expected the first and the last contact id of a run",
        ),
        (
            "takenContactIds",
            "[8,9]",
            "[8,9,10]",
            "notOneOf",
            "takenContactIds[0]: expected the first and the last contact id of a run",
        ),
        (
            "takenContactIds",
            "[8,9]",
            "[8,9223372036854775808]",
            "notOneOf",
            "takenContactIds[0]: expected the first and the last contact id of a run",
        ),
        (
            "lastStatus",
            "\"CLICKED\"",
            "\"OPENED\"",
            "notOneOf",
            "subscriber.lastStatus: expected SENT, FAILED or CLICKED",
        ),
        (
            "lastStatus",
            ",\"lastStatusAt\":950",
            "",
            "missingMember",
            "subscriber: member \"lastStatusAt\" is required",
        ),
        (
            "lastStatus",
            "\"failed\":0,",
            "",
            "missingMember",
            "subscriber.counts: member \"failed\" is required",
        ),
        (
            "\"number\":1,",
            "\"number\":1,",
            "\"number\":8388608,",
            "notOneOf",
            "app: expected the number of an app, 1 to 2^23-1",
        ),
        (
            "\"number\":1,",
            "\"subscriberIds\":7",
            "\"subscriberIds\":1099511627776",
            "notOneOf",
            "app.subscriberIds: expected a number from 0 to 2^40-1",
        ),
        (
            "\"number\":1,",
            "00000000-0000-0000-0000-00000000000a",
            "x",
            "notOneOf",
            "app.appUuid: expected a UUID in a text form of RFC 4122",
        ),
    ] {
        refused(line_with, from, to, reason, error);
    }
}

const ONE_OF: &str = "expected an object with one of app, formerApp, takenContactIds, \
                      formerSubscriberId, contact, subscriber, message, merge and end";

#[test]
fn r2_r9_r43_r70_rows_with_values_that_no_store_takes() {
    for (from, to, reason, error) in [
        (
            "\"contactId\":1,",
            "\"contactId\":0,",
            "contactIdOutOfRange",
            "contactId must be 1 to 9223372036854775807",
        ),
        (
            "crm-1",
            "undefined",
            "placeholder",
            "externalCustomerId is a placeholder for a missing value",
        ),
        (
            "crm-1",
            " ",
            "blank",
            "externalCustomerId must not be blank",
        ),
        (
            "crm-1",
            "a\\u200bb",
            "forbiddenCharacter",
            "externalCustomerId holds a character that is refused",
        ),
        (
            "380500000001",
            "38",
            "digitCount",
            "phone has 2 digits, must have 7 to 15",
        ),
        ("1@example.com", "example.com", "noAtSign", "email has no @"),
        (
            "\"token\":\"t-1\"",
            "\"token\":\" \"",
            "blank",
            "token must not be blank",
        ),
    ] {
        let (text, line) = changed(CONTACT_1, |line| line.replacen(from, to, 1));
        let told = import(&empty(), text.as_bytes());
        let first = &told.rejected[0];
        assert_eq!((first.0, first.1), (line, reason), "{error} {}", first.2);
    }
    let long = "x".repeat(4_097);
    for (line_with, from, to, reason) in [
        (
            "firstName",
            "\"lastName\":\"\"",
            format!("\"lastName\":\"{long}\""),
            "tooLong",
        ),
        ("firstName", "\"city\":", "\"\":".to_owned(), "blank"),
        (
            "firstName",
            "\"city\":",
            format!("\"{}\":", "x".repeat(129)),
            "tooLong",
        ),
        ("First ", "First \\\"bot\\\"", String::new(), "blank"),
        ("First ", "secret-key", String::new(), "blank"),
        ("\"m-1\"", "m-1", "x".repeat(257), "tooLong"),
    ] {
        let (text, line) = changed(line_with, |row| row.replacen(from, &to, 1));
        let told = import(&empty(), text.as_bytes());
        assert_eq!(told.reasons()[0], (line, reason), "{from}");
    }
}

#[test]
fn r8_r70_rows_that_do_not_fit_the_rows_before_them() {
    const CONTACT_2: &str = "\"contactId\":2,";
    for (line_with, from, to, reason, error) in [
        (
            CONTACT_2,
            "\"contactId\":2,",
            "\"contactId\":1,",
            "contactExists",
            "contact 1 already matches the item",
        ),
        (
            CONTACT_2,
            "crm-2",
            "crm-1",
            "conflict",
            "externalCustomerId conflicts with contact 1",
        ),
        (
            CONTACT_2,
            "380500000002",
            "380500000001",
            "conflict",
            "phone conflicts with contact 1",
        ),
        (
            CONTACT_2,
            "2@example.com",
            "1@EXAMPLE.com",
            "conflict",
            "email conflicts with contact 1",
        ),
        (
            CONTACT_2,
            "\"createdThroughAppNumber\":1",
            "\"createdThroughAppNumber\":4",
            "unknownApp",
            "no app with number 4 is connected",
        ),
        // Of another app, of the app that went, of one that never was.
        (
            CONTACT_2,
            "\"1099511627778\"",
            "\"4398046511105\"",
            "unknownApp",
            "no app with number 4 is connected",
        ),
        (
            CONTACT_2,
            "\"1099511627778\"",
            "\"2199023255553\"",
            "unknownApp",
            "no app with number 2 is connected",
        ),
        (
            CONTACT_2,
            "\"1099511627778\"",
            "\"1\"",
            "unknownApp",
            "no app with number 0 is connected",
        ),
        (
            CONTACT_2,
            "\"1099511627778\"",
            "\"1099511627784\"",
            "notGivenOut",
            "number 8 was not given out, the last is 7",
        ),
        (
            CONTACT_2,
            "\"1099511627778\"",
            "\"1099511627776\"",
            "notGivenOut",
            "number 0 was not given out, the last is 7",
        ),
        (
            CONTACT_2,
            "\"1099511627778\"",
            "\"1099511627777\"",
            "tokenConflict",
            "the token and subscriber 1099511627777 do not belong together",
        ),
        (
            CONTACT_2,
            "\"token\":\"t-2\"",
            "\"token\":\"t-1\"",
            "tokenConflict",
            "the token and subscriber 1099511627778 do not belong together",
        ),
        (
            CONTACT_2,
            "\"1099511627778\",\"token\":\"t-2\"",
            "\"1099511627783\",\"token\":\"shared\"",
            "tokenRepeated",
            "subscriber 1099511627783 is on the card twice",
        ),
        (
            "\"number\":3,",
            "\"number\":3,",
            "\"number\":1,",
            "differs",
            "the store has such a row with other values",
        ),
        (
            "\"number\":3,",
            "\"number\":3,",
            "\"number\":4,",
            "notGivenOut",
            "number 4 was not given out, the last is 3",
        ),
        (
            "\"number\":3,",
            "00000000000b",
            "00000000000a",
            "differs",
            "the store has such a row with other values",
        ),
        (
            "takenContactIds",
            "[8,9]",
            "[7,9]",
            "differs",
            "the store has such a row with other values",
        ),
        (
            "takenContactIds",
            "[100,101]",
            "[10,101]",
            "differs",
            "the store has such a row with other values",
        ),
        (
            "\"m-1\"",
            "\"appNumber\":1",
            "\"appNumber\":2",
            "unknownApp",
            "no app with number 2 is connected",
        ),
        (
            "\"m-2\"",
            "\"m-2\"",
            "\"m-1\"",
            "differs",
            "the store has such a row with other values",
        ),
        (
            "{\"subscriber\":{\"subscriberId\":\"1099511627778\"",
            "627778",
            "627784",
            "unknownSubscriber",
            "subscriber 1099511627784 is held by no contact",
        ),
        (
            "{\"subscriber\":{\"subscriberId\":\"1099511627778\"",
            "627778",
            "627777",
            "differs",
            "the store has such a row with other values",
        ),
    ] {
        refused(line_with, from, to, reason, error);
    }
}

#[test]
fn r70_rows_out_of_order_are_refused() {
    let text = text_of(&sample());
    let mut lines: Vec<&str> = text.lines().collect();
    let contact = lines
        .iter()
        .position(|line| line.contains(CONTACT_1))
        .unwrap();
    let last = lines.len() - 2;
    let moved = lines.remove(contact);
    lines.insert(last, moved);
    let told = import(&empty(), lines.join("\n").as_bytes());
    // The subscriber of t-1 has no holder, and its message is counted all the same.
    let expected = [
        (
            lines
                .iter()
                .position(|line| {
                    line.starts_with("{\"subscriber\":{\"subscriberId\":\"1099511627777\"")
                })
                .unwrap() as u64
                + 1,
            "unknownSubscriber",
        ),
        (last as u64 + 1, "outOfOrder"),
    ];
    assert_eq!(told.reasons(), expected);
    told.complete();
}

#[test]
fn r70_a_holder_whose_card_was_refused_holds_nothing() {
    let (text, _) = changed("\"contactId\":6,", |line| line.replacen("crm-6", " ", 1));
    let store = empty();
    let told = import(&store, text.as_bytes());
    let reasons: Vec<&str> = told.reasons().iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, ["blank", "unknownSubscriber"]);
    let now = store.snapshot().unwrap();
    assert_eq!(now.contact_count(), CONTACTS - 1);
    let shared = now
        .subscriber(crate::support::subscriber(7))
        .unwrap()
        .unwrap();
    let holders: Vec<u64> = shared.contacts.iter().map(|id| id.value()).collect();
    assert_eq!(holders, [5, 2, 1]);
    // The id of the card that was refused is not given out.
    let added = crate::support::add(
        &store,
        contact_store::TokenEntry::new("t").email("t@example.com"),
    );
    assert_eq!(added.contact.value(), 10);
}

#[test]
fn r70_the_limits_of_the_store_hold() {
    let text = text_of(&sample());
    let with = |set: fn(&mut Limits)| {
        let (mut options, _) = options();
        set(&mut options.limits);
        let store = empty_with(options);
        let told = import(&store, text.as_bytes());
        let first = told.rejected[0].clone();
        told.complete();
        (first.1, first.2)
    };
    let rows = [
        (
            with(|limits| limits.tokens_per_contact = 1),
            "2 tokens on the card, the most is 1",
        ),
        (
            with(|limits| limits.contacts_per_token = 3),
            "4 contacts that hold the token, the most is 3",
        ),
        (
            with(|limits| limits.custom_fields_per_contact = 1),
            "2 custom fields on the card, the most is 1",
        ),
        (
            with(|limits| limits.card_text_bytes = 38),
            "39 bytes of text on the card, the most is 38",
        ),
    ];
    for ((reason, error), expected) in rows {
        assert_eq!((reason, &*error), ("limitExceeded", expected));
    }
}

#[test]
fn r70_a_line_has_a_greatest_length() {
    let (text, line) = changed(CONTACT_1, |line| {
        line.replacen("crm-1", &"x".repeat(3 << 20), 1)
    });
    let told = import(&empty(), text.as_bytes());
    let (at, reason, error, row) = &told.rejected[0];
    assert_eq!((*at, *reason), (line, "rowTooLong"));
    assert_eq!(error, "the row has over 1796096 bytes");
    // Its beginning, as far as it was kept.
    assert_eq!(row.len(), 1_796_096);
    assert!(text.as_bytes().windows(64).any(|there| there == &row[..64]));
    told.complete();
}

#[test]
fn r70_the_longest_card_within_the_limits_is_exported_and_imported() {
    let store = sample();
    let mut update = contact_store::ContactUpdate::new().email("7@example.com");
    // As long as can be in JSON.
    for n in 0..60 {
        update = update.field(format!("f{n}"), "\u{1}".repeat(4_096));
    }
    let request = contact_store::Upsert::new(contact_store::DedupeOn::Email).contact(update);
    store.upsert(request).wait().unwrap().outcome.all().unwrap();
    let text = text_of(&store);
    assert!(text.lines().any(|line| line.len() > 1_400_000));
    let restored = empty();
    let told = import_until(&restored, text.as_bytes(), ImportOptions::new(), usize::MAX);
    assert_eq!(told.reasons(), []);
    super::assert_same(&store, &restored);
}
