//! Bodies that somebody or something has mangled: no panic, and no value in any error (R52).

use std::fmt::Write as _;

use contact_store::wire::{self, Line};
use contact_store::{ContactStore, Error, Limits};

use super::text;
use crate::support::random::Random;
use crate::support::{APP, store};

/// Stands in every value of the bodies. With a character that no shown name of a member has.
const CANARY: &str = "kAnArY~sEcReT";
/// The same as a number.
const NUMBER: &str = "7264539817264539";

/// The members of an item of an upsert, and of a request to send.
const UPDATE: [&str; 9] = [
    "contactId",
    "externalCustomerId",
    "phone",
    "email",
    "firstName",
    "lastName",
    "languageCode",
    "timeZone",
    "fields",
];
const SEND: [&str; 6] = ["subscriberId", "botId", "number", "text", "buttons", "auth"];

/// Bodies, sound or of a wrong type, with canaries in every place that a value can stand in.
fn seeds() -> Vec<String> {
    let values = [
        format!("\"{CANARY}\""),
        format!("\"{CANARY}@example.com\""),
        format!("\"{CANARY}\\ud800\""),
        format!("\"\\u0000{CANARY}\""),
        NUMBER.to_owned(),
        format!("-{NUMBER}"),
        format!("{NUMBER}.5"),
        format!("{NUMBER}e5"),
        format!("{NUMBER}{NUMBER}{NUMBER}"),
        format!("\"{NUMBER}\""),
        format!("[\"{CANARY}\", {NUMBER}]"),
        format!("{{\"{CANARY}@\": \"{CANARY}\", \"{NUMBER}\": {NUMBER}}}"),
    ];
    let sound = format!(
        "{{\"token\": \"{CANARY}\", \"contactId\": 7, \"externalCustomerId\": \"{CANARY}\", \
         \"phone\": \"+380 50 000 00 07\", \"email\": \"{CANARY}@example.com\"}}"
    );
    let report = format!(
        "{{\"token\": \"{CANARY}\", \"status\": \"SENT\", \"reason\": \"{CANARY}\", \
         \"messageId\": \"{CANARY}\", \"at\": 5}}"
    );
    let contact = format!(
        "{{\"contactId\": 7, \"externalCustomerId\": \"{CANARY}\", \"phone\": \"+380 50 000 00 07\", \
         \"email\": \"{CANARY}@example.com\", \"firstName\": \"{CANARY}\", \"lastName\": null, \
         \"fields\": {{\"{CANARY}\": \"{CANARY}\", \"{NUMBER}\": \"{CANARY}\"}}}}"
    );
    let send = format!(
        "\"number\": \"+380 50 000 00 07\", \"text\": \"{CANARY}\", \"buttons\": \
         [{{\"text\": \"{CANARY}\", \"url\": \"{CANARY}\"}}], \
         \"auth\": {{\"user\": \"{CANARY}\", \"pass\": \"{CANARY}\"}}"
    );
    let app = format!("\"appUuid\": \"{APP}\"");
    let dedupe_on = "\"dedupeOn\": \"phoneThenEmail\"";
    let mut seeds = vec![
        format!("{{\"contacts\": [{contact}, {contact}], {dedupe_on}}}"),
        format!("{{\"contacts\": [{contact}], {dedupe_on}, \"at\": 5}}"),
        format!("{{\"botId\": \"{APP}\", {send}}}"),
        format!("{{\"resolve\": {{\"botId\": \"{APP}\", {send}}}}}"),
        format!("{{\"tokens\": [{sound}, {sound}]}}"),
        format!("{{\"statuses\": [{report}, {report}]}}"),
        format!("{{{app}, \"tokens\": [{sound}], \"at\": 5}}"),
        format!("{{{app}, \"statuses\": [{report}], \"at\": 5}}"),
    ];
    for value in &values {
        for name in ["token", "contactId", "externalCustomerId", "phone", "email"] {
            seeds.push(format!("{{\"tokens\": [{{\"{name}\": {value}}}, {{\"token\": \"t\", \"{name}\": {value}}}]}}"));
            seeds.push(format!("{{\"find\": {{\"{name}\": {value}}}}}"));
            seeds.push(format!("{{\"{name}\": {value}}}"));
        }
        for name in ["name", "appUuid", "key", "policy", "after", "limit"] {
            seeds.push(format!("{{\"{name}\": {value}}}"));
            seeds.push(format!("{{\"name\": \"Bot\", \"{name}\": {value}}}"));
        }
        for name in [
            "token",
            "subscriberId",
            "status",
            "reason",
            "messageId",
            "at",
        ] {
            seeds.push(format!(
                "{{\"statuses\": [{{\"{name}\": {value}}}, {{\"token\": \"t\", \"{name}\": {value}, \"status\": \"SENT\"}}, \
                 {{\"{name}\": {value}, \"status\": \"SENT\"}}]}}"
            ));
        }
        for name in UPDATE {
            seeds.push(format!(
                "{{\"contacts\": [{{\"{name}\": {value}}}, {{\"email\": \"a@example.com\", \"{name}\": {value}}}], {dedupe_on}}}"
            ));
        }
        seeds.push(format!(
            "{{\"contacts\": [{{\"fields\": {{\"{CANARY}\": {value}, \"{NUMBER}\": {value}}}}}], {dedupe_on}}}"
        ));
        seeds.push(format!(
            "{{\"contacts\": [{contact}], \"dedupeOn\": {value}}}"
        ));
        for name in SEND {
            let member = format!("{{\"{name}\": {value}}}");
            let beside =
                format!("{{\"subscriberId\": \"1\", \"text\": \"{CANARY}\", \"{name}\": {value}}}");
            let number =
                format!("{{\"botId\": \"{APP}\", \"number\": {value}, \"text\": \"{CANARY}\"}}");
            for body in [member, beside, number] {
                seeds.push(format!("{{\"resolve\": {body}}}"));
                seeds.push(body);
            }
        }
        for part in [
            "buttons\": [{\"text\": \"a\", \"url\"",
            "auth\": {\"user\": \"a\", \"pass\"",
        ] {
            let close = if part.starts_with('b') { "}]" } else { "}" };
            seeds.push(format!(
                "{{\"subscriberId\": \"1\", \"text\": \"a\", \"{part}: {value}{close}}}"
            ));
        }
        for name in [
            "appUuid",
            "name",
            "key",
            "token",
            "contactId",
            "after",
            "limit",
            "before",
            "dryRun",
            "duration",
            "suppress",
            "includeMuted",
            "from",
            "into",
            "identifiers",
            "subscriberIds",
            "contactIds",
        ] {
            for line in [
                "connectApp",
                "disconnectApp",
                "erase",
                "merge",
                "unmerge",
                "split",
                "dismissConflict",
                "conflicts",
                "removeToken",
                "subscribers",
                "messages",
                "forgetMessages",
                "removeStale",
                "mute",
                "unmute",
                "liftSuppression",
                "bringBack",
                "apps",
                "verify",
            ] {
                seeds.push(format!("{{\"{line}\": {{\"{name}\": {value}}}}}"));
                seeds.push(format!(
                    "{{\"{line}\": {{{app}, \"token\": \"t\", \"{name}\": {value}}}}}"
                ));
            }
        }
        seeds.push(format!(
            "{{\"erase\": {{\"contactId\": 7}}, \"idempotencyKey\": {value}}}"
        ));
        for name in ["tokens", "statuses", "at", "appUuid", "find"] {
            seeds.push(format!("{{{app}, \"{name}\": {value}}}"));
        }
        seeds.push(value.clone());
        seeds.push(format!("{{\"tokens\": [{value}]}}"));
        seeds.push(format!("{{\"tokens\": [{sound}], \"{CANARY}@\": {value}}}"));
        seeds.push(format!(
            "{{\"tokens\": [{{\"token\": \"t\", \"{NUMBER}\": {value}}}]}}"
        ));
    }
    seeds
}

/// Everything that reading and deciding `body` says of it in errors and in `Debug`.
fn everything_said(store: &ContactStore, body: &[u8]) -> String {
    let limits = Limits::default();
    let mut said = String::new();
    let error = |said: &mut String, error: &Error| {
        write!(
            said,
            "{error} {error:?} {} ",
            text(&wire::error_at_line(error, 1))
        )
        .unwrap();
    };
    match wire::parse_add_tokens(APP, body, &limits) {
        Ok(request) => {
            write!(said, "{request:?} ").unwrap();
            let outcome = store.add_tokens(request).wait().unwrap().outcome;
            write!(said, "{outcome:?} {} ", text(&wire::tokens_added(&outcome))).unwrap();
            for refused in outcome
                .entries
                .iter()
                .filter_map(|entry| entry.as_ref().err())
            {
                write!(said, "{refused} ").unwrap();
            }
        }
        Err(refused) => error(&mut said, &refused),
    }
    match wire::parse_reports(APP, body, &limits) {
        Ok(request) => {
            write!(said, "{request:?} ").unwrap();
            let outcome = store.record_reports(request).wait().unwrap().outcome;
            write!(
                said,
                "{outcome:?} {} ",
                text(&wire::reports_recorded(&outcome))
            )
            .unwrap();
            for refused in outcome.iter().filter_map(|report| report.as_ref().err()) {
                write!(said, "{refused} ").unwrap();
            }
        }
        Err(refused) => error(&mut said, &refused),
    }
    match wire::parse_upsert(body, &limits) {
        Ok(request) => {
            write!(said, "{request:?} ").unwrap();
            let outcome = store.upsert(request).wait().unwrap().outcome;
            let answer = text(&wire::contacts_upserted(&outcome));
            write!(said, "{outcome:?} {answer} ").unwrap();
            for refused in outcome.iter().filter_map(|item| item.as_ref().err()) {
                write!(said, "{refused} ").unwrap();
            }
        }
        Err(refused) => error(&mut said, &refused),
    }
    match wire::parse_send_request(body, &limits) {
        Ok(request) => {
            write!(said, "{request:?} ").unwrap();
            match store.snapshot().unwrap().resolve(request.recipient) {
                Ok(addresses) => write!(said, "{addresses:?} ").unwrap(),
                Err(refused) => error(&mut said, &refused),
            }
        }
        Err(refused) => error(&mut said, &refused),
    }
    match wire::parse_identifiers(body, &limits) {
        Ok(identifiers) => write!(said, "{identifiers:?} ").unwrap(),
        Err(refused) => error(&mut said, &refused),
    }
    match wire::parse_find(body, &limits) {
        Ok((identifiers, _)) => write!(said, "{identifiers:?} ").unwrap(),
        Err(refused) => error(&mut said, &refused),
    }
    // The name of an app is shown, and may be anything; so may the id of a message after which a page
    // begins.
    let refused = [
        wire::parse_connect_app(body, &limits).err(),
        wire::parse_subscribers_page(body, &limits).err(),
        wire::parse_changes_page(body, &limits).err(),
        wire::parse_messages_page(body, &limits).err(),
        wire::parse_contacts_page(body, &limits).err(),
        wire::parse_card(body, &limits).err(),
        wire::parse_remove_token(APP, body, &limits).err(),
        wire::parse_rename_token(APP, body, &limits).err(),
    ];
    for refused in refused.iter().flatten() {
        error(&mut said, refused);
    }
    match Line::parse(body, &limits) {
        // The name of an app is shown, and may be anything.
        Ok(Line::ConnectApp { .. }) => {}
        Ok(line) => write!(said, "{line:?} ").unwrap(),
        Err(refused) => error(&mut said, &refused),
    }
    said
}

#[track_caller]
fn assert_silent(said: &str, canary: &str, body: &[u8]) {
    // The local part of an email is lower-cased.
    for canary in [canary, &canary.to_lowercase()] {
        let body = String::from_utf8_lossy(body);
        assert!(!said.contains(canary), "{body}: {said}");
    }
}

#[test]
fn r52_a_value_in_any_place_and_of_any_type_is_in_no_error() {
    for seed in seeds() {
        // A new one for each: an adopted contact id would show in later answers.
        let (store, _) = store();
        let said = everything_said(&store, seed.as_bytes());
        assert_silent(&said, CANARY, seed.as_bytes());
        // Ids that the store gives out, times and limits are no personal data, and may be the number.
        let said = [
            "ContactId(",
            "SubscriberId(",
            "Timestamp(",
            "\"contactId\":",
            "limit: ",
        ]
        .iter()
        .fold(said, |said, before| {
            said.replace(&format!("{before}{NUMBER}"), "")
        });
        assert_silent(&said, NUMBER, seed.as_bytes());
    }
}

/// Cuts, doubles, inserts and overwrites parts of a body.
fn mangle(random: &mut Random, body: &mut Vec<u8>) {
    const PIECES: [&[u8]; 20] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b"\\",
        b"\\ud800",
        b"\\u0000",
        b"null",
        b"true",
        b"-",
        b"0",
        b"1e9",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\n",
        b"\"token\"",
        b"[[[[[[[[",
    ];
    for _ in 0..=random.below(3) {
        let from = random.below(body.len() + 1);
        let to = body.len().min(from + random.below(9));
        match random.below(5) {
            0 => drop(body.drain(from..to)),
            1 => {
                let piece = PIECES[random.below(PIECES.len())];
                drop(body.splice(from..from, piece.iter().copied()));
            }
            2 => {
                let part = body[from..to].to_vec();
                let into = random.below(body.len() + 1);
                drop(body.splice(into..into, part));
            }
            3 => body.truncate(from),
            _ => {
                if let Some(byte) = body.get_mut(from) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        if body.is_empty() {
            return;
        }
    }
}

#[test]
fn r52_mangled_bodies_never_panic_and_no_value_is_in_an_error() {
    const SEED: u64 = 0x6a73_6f6e;
    let seeds = seeds();
    let mut random = Random(SEED);
    let (mut store, _) = store();
    for round in 0..40_000 {
        if round % 4_000 == 0 {
            store = crate::support::store().0;
        }
        let mut body = seeds[random.below(seeds.len())].clone().into_bytes();
        mangle(&mut random, &mut body);
        let said = everything_said(&store, &body);
        assert_silent(&said, CANARY, &body);
    }
    println!("seed {SEED:#x}");
}
