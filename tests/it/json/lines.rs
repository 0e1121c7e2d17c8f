//! The lines of a log: what each may hold.

use contact_store::wire::Line;
use contact_store::{ChangePosition, Limits, wire};

use super::{said, text};

const UUID: &str = "6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f";

fn parse(line: &str) -> Result<Line, String> {
    let line = line.replace("APP", UUID);
    Line::parse(line.as_bytes(), &Limits::default()).map_err(|error| {
        // Whatever is wrong, the published error can be written.
        assert!(text(&wire::error_at_line(&error, 1)).ends_with(r#","line":1}}"#));
        said(&error)
    })
}

fn kind(line: &Line) -> &'static str {
    match line {
        Line::ConnectApp { .. } => "connectApp",
        Line::DisconnectApp(_) => "disconnectApp",
        Line::AddTokens(_) => "tokens",
        Line::RecordReports(_) => "statuses",
        Line::Upsert(_) => "contacts",
        Line::Resolve(_) => "resolve",
        Line::Find(_) => "find",
        Line::Explain(_) => "explain",
        Line::Erase(_) => "erase",
        Line::RemoveToken(_) => "removeToken",
        Line::RenameToken(_) => "renameToken",
        Line::Contacts { .. } => "listContacts",
        Line::Apps => "apps",
        Line::Subscribers { .. } => "subscribers",
        Line::Messages { .. } => "messages",
        Line::Changes { .. } => "changes",
        Line::ForgetMessages { .. } => "forgetMessages",
        Line::RemoveStale(_) => "removeStale",
        Line::LiftSuppression(_) => "liftSuppression",
        Line::BringBack(_) => "bringBack",
        Line::Mute(_) => "mute",
        Line::Unmute(_) => "unmute",
        Line::Merge(_) => "merge",
        Line::Unmerge(_) => "unmerge",
        Line::Split(_) => "split",
        Line::DismissConflict(..) => "dismissConflict",
        Line::Conflicts { .. } => "conflicts",
        Line::Verify => "verify",
        _ => "another",
    }
}

/// Lines, each with its kind.
const LINES: &[(&str, &str)] = &[
    (r#"{"connectApp": {"name": "Shop"}}"#, "connectApp"),
    (
        r#"{"connectApp": {"appUuid": "APP", "name": "Shop", "key": "110201543:secret"}}"#,
        "connectApp",
    ),
    (
        r#"{"connectApp": {"appUuid": null, "name": "Shop", "key": null}}"#,
        "connectApp",
    ),
    (
        r#"{"connectApp": {"appUuid": "{6F1C3F6E-5A54-4D2B-9D0C-0A1B2C3D4E5F}", "name": "Shop"}}"#,
        "connectApp",
    ),
    (
        r#"{"connectApp": {"appUuid": "6f1c3f6e5a544d2b9d0c0a1b2c3d4e5f", "name": "Shop"}}"#,
        "connectApp",
    ),
    (r#"{"disconnectApp": {"appUuid": "APP"}}"#, "disconnectApp"),
    (r#"{"appUuid": "APP", "tokens": []}"#, "tokens"),
    (
        r#"{"tokens": [null, {}], "at": 100000000000, "appUuid": "APP"}"#,
        "tokens",
    ),
    (r#"{"appUuid": "APP", "tokens": [], "at": null}"#, "tokens"),
    (r#"{"appUuid": "APP", "statuses": [1]}"#, "statuses"),
    (
        r#"{"appUuid": "APP", "statuses": [], "at": 18446744073709551615}"#,
        "statuses",
    ),
    (r#"{"contacts": [], "dedupeOn": "phone"}"#, "contacts"),
    (
        r#"{"dedupeOn": "phoneThenEmail", "at": 100000000005, "contacts": [null, {"phone": null, "fields": {"a": null}}]}"#,
        "contacts",
    ),
    (
        r#"{"contacts": [], "dedupeOn": "phone", "upsertMode": "updateOnly"}"#,
        "contacts",
    ),
    (
        r#"{"contacts": [1], "dedupeOn": "email", "at": null}"#,
        "contacts",
    ),
    (
        r#"{"resolve": {"subscriberId": "1", "botId": null, "text": "Hello"}}"#,
        "resolve",
    ),
    (
        r#"{"resolve": {"botId": "APP", "number": 380500000001, "text": "Hello", "buttons": [], "auth": null}}"#,
        "resolve",
    ),
    (r#"{"find": {}}"#, "find"),
    (
        r#"{"find": {"contactId": 1, "externalCustomerId": "x", "phone": "380500000001", "email": "a@example.com"}}"#,
        "find",
    ),
    (r#"{"explain": {"phone": 380500000001}}"#, "explain"),
    (r#"{"erase": {"contactId": 1}}"#, "erase"),
    (r#"{"erase": {"contactId": "1"}}"#, "erase"),
    (
        r#"{"removeToken": {"appUuid": "APP", "token": "t"}}"#,
        "removeToken",
    ),
    (
        r#"{"removeToken": {"appUuid": "APP", "token": 7, "contactId": 1}}"#,
        "removeToken",
    ),
    (
        r#"{"removeToken": {"appUuid": "APP", "token": "t", "contactId": null}}"#,
        "removeToken",
    ),
    (
        r#"{"renameToken": {"appUuid": "APP", "token": -4001, "newToken": "t"}}"#,
        "renameToken",
    ),
    (r#"{"listContacts": {}}"#, "listContacts"),
    (r#"{"changes": {}}"#, "changes"),
    (r#"{"changes": {"after": "17.3", "limit": 5}}"#, "changes"),
    (r#"{"changes": {"after": 17, "limit": null}}"#, "changes"),
    (
        r#"{"listContacts": {"appUuid": "APP", "after": 7, "limit": 5}}"#,
        "listContacts",
    ),
    (
        r#"{"listContacts": {"appUuid": null, "after": "7", "limit": null}}"#,
        "listContacts",
    ),
    (r#"{"apps": {}}"#, "apps"),
    (r#"{"subscribers": {"appUuid": "APP"}}"#, "subscribers"),
    (
        r#"{"subscribers": {"appUuid": "APP", "after": "7", "limit": 5}}"#,
        "subscribers",
    ),
    (
        r#"{"subscribers": {"appUuid": "APP", "limit": 18446744073709551615}}"#,
        "subscribers",
    ),
    (
        r#"{"messages": {"appUuid": "APP", "after": null, "limit": null}}"#,
        "messages",
    ),
    (
        r#"{"messages": {"appUuid": "APP", "after": "m", "limit": 0}}"#,
        "messages",
    ),
    (
        r#"{"forgetMessages": {"appUuid": "APP", "before": 100000000005}}"#,
        "forgetMessages",
    ),
    (
        r#"{"removeStale": {"appUuid": "APP", "before": 100000000005}}"#,
        "removeStale",
    ),
    (
        r#"{"removeStale": {"appUuid": "APP", "before": 100000000005, "dryRun": true}}"#,
        "removeStale",
    ),
    (
        r#"{"removeStale": {"appUuid": "APP", "before": 100000000005, "dryRun": null}}"#,
        "removeStale",
    ),
    (r#"{"erase": {"contactId": 7, "suppress": true}}"#, "erase"),
    (
        r#"{"erase": {"contactId": "7", "suppress": "false"}}"#,
        "erase",
    ),
    (
        r#"{"liftSuppression": {"email": "ann@example.com", "phone": null}}"#,
        "liftSuppression",
    ),
    (r#"{"liftSuppression": {}}"#, "liftSuppression"),
    (
        r#"{"dismissConflict": {"contactIds": [3, "7"]}}"#,
        "dismissConflict",
    ),
    (r#"{"conflicts": {}}"#, "conflicts"),
    (
        r#"{"conflicts": {"after": "3-7", "limit": 5}}"#,
        "conflicts",
    ),
    (
        r#"{"bringBack": {"appUuid": "APP", "token": 5, "at": 100000000005}}"#,
        "bringBack",
    ),
    (r#"{"mute": {"appUuid": "APP", "token": "t"}}"#, "mute"),
    (
        r#"{"mute": {"appUuid": "APP", "token": 5, "duration": 31536000, "at": 100000000005}}"#,
        "mute",
    ),
    (
        r#"{"mute": {"appUuid": "APP", "token": "t", "duration": null, "at": null}}"#,
        "mute",
    ),
    (
        r#"{"unmute": {"appUuid": "APP", "token": "t", "at": 100000000005}}"#,
        "unmute",
    ),
    (r#"{"merge": {"from": 2, "into": "1"}}"#, "merge"),
    (r#"{"unmerge": {"contactId": 2}}"#, "unmerge"),
    (
        r#"{"split": {"contactId": 1, "identifiers": ["phone", "email"]}}"#,
        "split",
    ),
    (
        r#"{"split": {"contactId": 1, "identifiers": ["phone"], "subscriberIds": ["7"], "at": 100000000005}}"#,
        "split",
    ),
    (" \t{\"verify\": { } } ", "verify"),
];

#[test]
fn every_kind_of_line_is_taken() {
    for (line, expected) in LINES {
        assert_eq!(parse(line).as_ref().map(kind), Ok(*expected), "{line}");
    }
}

#[test]
fn r64_a_line_that_changes_the_store_may_have_an_idempotency_key() {
    const READING: [&str; 10] = [
        "find",
        "explain",
        "resolve",
        "listContacts",
        "apps",
        "subscribers",
        "messages",
        "changes",
        "conflicts",
        "verify",
    ];
    for (line, expected) in LINES {
        let (before, members) = line.split_once('{').unwrap();
        let with = |key: &str| format!("{before}{{\"idempotencyKey\": {key}, {members}");
        let keyed = parse(&with("\"kAnArY\""));
        if READING.contains(expected) {
            for key in ["\"kAnArY\"", "5", "null"] {
                let refused = parse(&with(key)).map(|line| kind(&line));
                assert_eq!(refused, Err("unknownMember".to_owned()), "{line}");
            }
            continue;
        }
        let keyed = keyed.unwrap_or_else(|refused| panic!("{line}: {refused}"));
        assert!(!format!("{keyed:?}").contains("kAnArY"), "{keyed:?}");
        match keyed {
            Line::Once { key, line } => {
                assert_eq!((key.reveal(), kind(&line)), ("kAnArY", *expected));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(parse(&with("null")).as_ref().map(kind), Ok(*expected));
        let long = format!("\"{}\"", "k".repeat(129));
        for (key, refused) in [
            ("5", "wrongType of idempotencyKey"),
            ("[]", "wrongType of idempotencyKey"),
            ("\"\"", "blank of idempotencyKey"),
            ("\"\\n\"", "blank of idempotencyKey"),
            ("\"a\\nb\"", "forbiddenCharacter of idempotencyKey"),
            (&long, "tooLong of idempotencyKey"),
        ] {
            let line = parse(&with(key)).map(|line| kind(&line));
            assert_eq!(line, Err(refused.to_owned()), "{key}");
        }
    }
}

#[test]
fn a_line_that_is_not_of_one_kind_is_refused() {
    let rows = [
        ("", "syntax"),
        ("{", "syntax"),
        ("[]", "wrongType"),
        ("{}", "notOneOf"),
        (r#"{"appUuid": "APP"}"#, "notOneOf"),
        (r#"{"at": 5}"#, "notOneOf"),
        (r#"{"idempotencyKey": "k"}"#, "notOneOf"),
        (r#"{"apps": {}, "verify": {}}"#, "notOneOf"),
        (
            r#"{"appUuid": "APP", "tokens": [], "statuses": []}"#,
            "notOneOf",
        ),
        (r#"{"apps": {}, "apps": {}}"#, "repeatedMember"),
        (r#"{"drop": {}}"#, "unknownMember"),
        (
            r#"{"appUuid": "APP", "tokens": [], "policy": "cascade"}"#,
            "unknownMember",
        ),
        // Known members where they have no place.
        (r#"{"appUuid": "APP", "apps": {}}"#, "unknownMember"),
        (r#"{"find": {}, "at": 5}"#, "unknownMember"),
        (
            r#"{"contacts": [], "dedupeOn": "phone", "appUuid": "APP"}"#,
            "unknownMember",
        ),
        (
            r#"{"appUuid": "APP", "tokens": [], "dedupeOn": "phone"}"#,
            "unknownMember",
        ),
        (r#"{"find": {}, "upsertMode": null}"#, "unknownMember"),
        (
            r#"{"contacts": [], "dedupeOn": "phone", "upsertMode": "never"}"#,
            "notOneOf of upsertMode",
        ),
        (r#"{"resolve": {}, "at": 5}"#, "unknownMember"),
        (r#"{"dedupeOn": "phone"}"#, "notOneOf"),
        (
            r#"{"contacts": [], "dedupeOn": "phone", "apps": {}}"#,
            "notOneOf",
        ),
        (
            r#"{"erase": {"contactId": 1}, "at": null}"#,
            "unknownMember",
        ),
    ];
    for (line, expected) in rows {
        assert_eq!(
            parse(line).map(|line| kind(&line)),
            Err(expected.to_owned()),
            "{line}"
        );
    }
}

#[test]
fn what_is_wrong_in_a_line_is_told_with_its_place() {
    let rows = [
        (r#"{"tokens": []}"#, "missingMember"),
        (r#"{"statuses": []}"#, "missingMember"),
        (r#"{"appUuid": null, "tokens": []}"#, "missingMember"),
        (r#"{"appUuid": 5, "tokens": []}"#, "wrongType of appUuid"),
        (r#"{"appUuid": "", "tokens": []}"#, "notOneOf of appUuid"),
        (
            r#"{"appUuid": " APP", "tokens": []}"#,
            "notOneOf of appUuid",
        ),
        (
            r#"{"appUuid": "APP", "tokens": null}"#,
            "wrongType of tokens",
        ),
        (r#"{"appUuid": "APP", "tokens": {}}"#, "wrongType of tokens"),
        (
            r#"{"appUuid": "APP", "statuses": "x"}"#,
            "wrongType of statuses",
        ),
        (
            r#"{"appUuid": "APP", "tokens": [], "at": "5"}"#,
            "wrongType of at",
        ),
        (
            r#"{"appUuid": "APP", "tokens": [], "at": -1}"#,
            "wrongType of at",
        ),
        (
            r#"{"appUuid": "APP", "tokens": [], "at": 1.5}"#,
            "wrongType of at",
        ),
        (
            r#"{"appUuid": "APP", "tokens": [], "at": 18446744073709551616}"#,
            "wrongType of at",
        ),
        (r#"{"connectApp": null}"#, "wrongType of connectApp"),
        (r#"{"connectApp": {}}"#, "missingMember of connectApp"),
        (
            r#"{"connectApp": {"name": null}}"#,
            "missingMember of connectApp",
        ),
        (
            r#"{"connectApp": {"name": 5}}"#,
            "wrongType of connectApp.name",
        ),
        (r#"{"connectApp": {"name": " "}}"#, "blank of name"),
        (
            r#"{"connectApp": {"name": "Shop", "key": 5}}"#,
            "wrongType of connectApp.key",
        ),
        (
            r#"{"connectApp": {"name": "Shop", "key": ""}}"#,
            "blank of key",
        ),
        (
            r#"{"connectApp": {"name": "Shop", "appUuid": "x"}}"#,
            "notOneOf of connectApp.appUuid",
        ),
        (
            r#"{"connectApp": {"name": "Shop", "at": 5}}"#,
            "unknownMember of connectApp",
        ),
        (r#"{"disconnectApp": {}}"#, "missingMember of disconnectApp"),
        (r#"{"disconnectApp": "APP"}"#, "wrongType of disconnectApp"),
        (r#"{"contacts": []}"#, "missingMember"),
        (
            r#"{"contacts": {}, "dedupeOn": "phone"}"#,
            "wrongType of contacts",
        ),
        (
            r#"{"contacts": [], "dedupeOn": "name"}"#,
            "notOneOf of dedupeOn",
        ),
        (
            r#"{"contacts": [], "dedupeOn": "phone", "at": "5"}"#,
            "wrongType of at",
        ),
        (r#"{"resolve": null}"#, "wrongType of resolve"),
        (r#"{"resolve": {}}"#, "noRecipient"),
        (
            r#"{"resolve": {"subscriberId": "1"}}"#,
            "missingMember of resolve",
        ),
        (
            r#"{"resolve": {"subscriberId": 1, "text": "a"}}"#,
            "wrongType of resolve.subscriberId",
        ),
        (
            r#"{"resolve": {"botId": "APP", "text": "a"}}"#,
            "appWithoutNumber",
        ),
        (
            r#"{"resolve": {"botId": "APP", "number": " ", "text": "a"}}"#,
            "appWithoutNumber",
        ),
        (
            r#"{"resolve": {"number": "380500000001", "text": "a"}}"#,
            "numberWithoutApp",
        ),
        (
            r#"{"resolve": {"botId": "APP", "number": "12", "text": "a"}}"#,
            "digitCount of number",
        ),
        (
            r#"{"resolve": {"botId": "APP", "number": 1.5, "text": "a"}}"#,
            "wrongType of resolve.number",
        ),
        (
            r#"{"resolve": {"subscriberId": "1", "text": "a", "buttons": [{"text": "b", "url": "c"}, {"text": "b", "url": []}]}}"#,
            "wrongType of resolve.buttons[1].url",
        ),
        (
            r#"{"resolve": {"subscriberId": "1", "text": "a", "buttons": [{"text": "b", "url": " "}]}}"#,
            "blank of buttonUrl",
        ),
        (
            r#"{"resolve": {"subscriberId": "1", "text": "a", "auth": {"user": "", "pass": "c"}}}"#,
            "blank of authUser",
        ),
        (
            r#"{"resolve": {"subscriberId": "1", "text": "a", "auth": {"user": "b", "pass": "c", "pass": "c"}}}"#,
            "repeatedMember of resolve.auth",
        ),
        (
            r#"{"resolve": {"subscriberId": "1", "text": "\ud800"}}"#,
            "loneSurrogate of resolve.text",
        ),
        (r#"{"find": []}"#, "wrongType of find"),
        (r#"{"find": {"token": "t"}}"#, "unknownMember of find"),
        (
            r#"{"find": {"contactId": "x"}}"#,
            "contactIdOutOfRange of contactId",
        ),
        (r#"{"explain": {"email": 5}}"#, "wrongType of explain.email"),
        (r#"{"explain": {"email": "x"}}"#, "noAtSign of email"),
        (r#"{"erase": {}}"#, "missingMember of erase"),
        (
            r#"{"erase": {"contactId": 0}}"#,
            "contactIdOutOfRange of contactId",
        ),
        (
            r#"{"erase": {"contactId": " "}}"#,
            "contactIdOutOfRange of contactId",
        ),
        (
            r#"{"erase": {"contactId": 1.5}}"#,
            "wrongType of erase.contactId",
        ),
        (
            r#"{"removeToken": {"appUuid": "APP"}}"#,
            "missingMember of removeToken",
        ),
        (
            r#"{"removeToken": {"token": "t"}}"#,
            "missingMember of removeToken",
        ),
        (
            r#"{"removeToken": {"appUuid": "APP", "token": ""}}"#,
            "blank of token",
        ),
        (
            r#"{"removeToken": {"appUuid": "APP", "token": []}}"#,
            "wrongType of removeToken.token",
        ),
        (
            r#"{"removeToken": {"appUuid": "APP", "token": "t", "contactId": []}}"#,
            "wrongType of removeToken.contactId",
        ),
        (r#"{"apps": null}"#, "wrongType of apps"),
        (r#"{"apps": {"limit": 5}}"#, "unknownMember of apps"),
        (r#"{"verify": true}"#, "wrongType of verify"),
        (r#"{"subscribers": {}}"#, "missingMember of subscribers"),
        (
            r#"{"subscribers": {"appUuid": "APP", "after": 7}}"#,
            "wrongType of subscribers.after",
        ),
        (
            r#"{"subscribers": {"appUuid": "APP", "after": ""}}"#,
            "notOneOf of subscribers.after",
        ),
        (
            r#"{"subscribers": {"appUuid": "APP", "limit": -1}}"#,
            "wrongType of subscribers.limit",
        ),
        (
            r#"{"subscribers": {"appUuid": "APP", "limit": "5"}}"#,
            "wrongType of subscribers.limit",
        ),
        (
            r#"{"messages": {"appUuid": "APP", "after": 7}}"#,
            "wrongType of messages.after",
        ),
        (
            r#"{"renameToken": {"appUuid": "APP", "token": "t"}}"#,
            "missingMember of renameToken",
        ),
        (
            r#"{"renameToken": {"appUuid": "APP", "token": "t", "newToken": " "}}"#,
            "blank of token",
        ),
        (
            r#"{"renameToken": {"appUuid": "APP", "token": "t", "newToken": true}}"#,
            "wrongType of renameToken.newToken",
        ),
        (
            r#"{"listContacts": {"appUuid": "shop"}}"#,
            "notOneOf of listContacts.appUuid",
        ),
        (
            r#"{"listContacts": {"after": 0}}"#,
            "contactIdOutOfRange of contactId",
        ),
        (
            r#"{"listContacts": {"after": {}}}"#,
            "wrongType of listContacts.after",
        ),
        (
            r#"{"messages": {"appUuid": "APP", "after": ""}}"#,
            "blank of messageId",
        ),
        (
            r#"{"forgetMessages": {"appUuid": "APP"}}"#,
            "missingMember of forgetMessages",
        ),
        // R54: seconds taken for milliseconds.
        (
            r#"{"forgetMessages": {"appUuid": "APP", "before": 1700000200}}"#,
            "secondsNotMilliseconds of forgetMessages.before",
        ),
        (
            r#"{"appUuid": "APP", "tokens": [], "at": 1700000200}"#,
            "secondsNotMilliseconds of at",
        ),
        (
            r#"{"appUuid": "APP", "statuses": [], "at": 99999999999}"#,
            "secondsNotMilliseconds of at",
        ),
        (
            r#"{"contacts": [], "dedupeOn": "phone", "at": 0}"#,
            "secondsNotMilliseconds of at",
        ),
        (
            r#"{"forgetMessages": {"appUuid": "APP", "before": "5"}}"#,
            "wrongType of forgetMessages.before",
        ),
        (
            r#"{"removeStale": {"appUuid": "APP", "dryRun": true}}"#,
            "missingMember of removeStale",
        ),
        (
            r#"{"removeStale": {"appUuid": "APP", "before": 1700000200}}"#,
            "secondsNotMilliseconds of removeStale.before",
        ),
        (
            r#"{"removeStale": {"appUuid": "APP", "before": 100000000005, "dryRun": "true"}}"#,
            "wrongType of removeStale.dryRun",
        ),
        (
            r#"{"removeStale": {"before": 100000000005}}"#,
            "missingMember of removeStale",
        ),
        (
            r#"{"erase": {"contactId": 7, "suppress": 1}}"#,
            "wrongType of erase.suppress",
        ),
        (
            r#"{"erase": {"contactId": 7, "suppress": "yes"}}"#,
            "wrongType of erase.suppress",
        ),
        (
            r#"{"liftSuppression": {"phone": true}}"#,
            "wrongType of liftSuppression.phone",
        ),
        (
            r#"{"dismissConflict": {}}"#,
            "missingMember of dismissConflict",
        ),
        (
            r#"{"dismissConflict": {"contactIds": [3]}}"#,
            "notOneOf of dismissConflict.contactIds",
        ),
        (
            r#"{"dismissConflict": {"contactIds": [3, 7, 8]}}"#,
            "notOneOf of dismissConflict.contactIds",
        ),
        (
            r#"{"dismissConflict": {"contactIds": [3, true]}}"#,
            "wrongType of dismissConflict.contactIds[1]",
        ),
        (
            r#"{"conflicts": {"after": "3"}}"#,
            "notOneOf of conflicts.after",
        ),
        (
            r#"{"conflicts": {"after": 3}}"#,
            "wrongType of conflicts.after",
        ),
        (
            r#"{"bringBack": {"appUuid": "APP", "at": 100000000005}}"#,
            "missingMember of bringBack",
        ),
        (
            r#"{"bringBack": {"appUuid": "APP", "token": "t", "at": 5}}"#,
            "secondsNotMilliseconds of bringBack.at",
        ),
        (
            r#"{"mute": {"appUuid": "APP", "duration": 5}}"#,
            "missingMember of mute",
        ),
        (
            r#"{"mute": {"appUuid": "APP", "token": "t", "duration": 4}}"#,
            "notOneOf of mute.duration",
        ),
        (
            r#"{"mute": {"appUuid": "APP", "token": "t", "duration": 31536001}}"#,
            "notOneOf of mute.duration",
        ),
        (
            r#"{"mute": {"appUuid": "APP", "token": "t", "duration": "5"}}"#,
            "wrongType of mute.duration",
        ),
        (
            r#"{"mute": {"appUuid": "APP", "token": "t", "at": 1700000200}}"#,
            "secondsNotMilliseconds of mute.at",
        ),
        (
            r#"{"unmute": {"appUuid": "APP", "token": "t", "duration": 5}}"#,
            "unknownMember of unmute",
        ),
        (r#"{"merge": {"into": 1}}"#, "missingMember of merge"),
        (r#"{"merge": {"from": 1}}"#, "missingMember of merge"),
        (
            r#"{"merge": {"from": 1, "into": [1]}}"#,
            "wrongType of merge.into",
        ),
        (r#"{"unmerge": {}}"#, "missingMember of unmerge"),
        (r#"{"split": {"contactId": 1}}"#, "missingMember of split"),
        (
            r#"{"split": {"contactId": 1, "identifiers": ["phone", "contactId"]}}"#,
            "notOneOf of split.identifiers[1]",
        ),
        (
            r#"{"split": {"contactId": 1, "identifiers": "phone"}}"#,
            "wrongType of split.identifiers",
        ),
        (
            r#"{"split": {"contactId": 1, "identifiers": [], "subscriberIds": [7]}}"#,
            "wrongType of split.subscriberIds[0]",
        ),
        (
            r#"{"split": {"contactId": 1, "identifiers": [], "at": 5}}"#,
            "secondsNotMilliseconds of split.at",
        ),
    ];
    for (line, expected) in rows {
        assert_eq!(
            parse(line).map(|line| kind(&line)),
            Err(expected.to_owned()),
            "{line}"
        );
    }
}

#[test]
fn a_page_without_a_limit_is_as_long_as_a_page_may_be() {
    for line in [
        r#"{"subscribers": {"appUuid": "APP"}}"#,
        r#"{"messages": {"appUuid": "APP"}}"#,
        r#"{"listContacts": {}}"#,
        r#"{"listContacts": {"appUuid": "APP"}}"#,
        r#"{"changes": {}}"#,
    ] {
        match parse(line) {
            Ok(
                Line::Subscribers {
                    limit, after: None, ..
                }
                | Line::Messages {
                    limit, after: None, ..
                }
                | Line::Contacts {
                    limit, after: None, ..
                }
                | Line::Changes {
                    limit,
                    after: ChangePosition::START,
                },
            ) => {
                assert_eq!(limit, contact_store::limits::PAGE_ROWS);
            }
            other => panic!("{other:?}"),
        }
    }
}
