//! Requests full of canaries, each of which is refused, whole or in part.

use contact_store::{
    AccessKey, AddTokens, AppId, AppName, BatchMode, BringBack, Email, Fault, GivenIdentifiers,
    InvalidIdentifier, Limits, MatchPolicy, MessageId, Mute, Options, Phone, Placeholders,
    RecordReports, RemoveStale, RemoveToken, Report, Status, SubscriberId, Timestamp, Token,
    TokenEntry, UnknownContactId, Unmute, wire,
};

use super::shown::{DIGITS, PHONE, Shown, WORD};
use super::{email, entry, external_id, phone, token};
use crate::support::{APP, id, store, store_with};

/// Values that hardly any member wants.
fn wrong_values() -> Vec<String> {
    vec![
        "true".to_owned(),
        format!("{PHONE}.5"),
        format!("{PHONE}e1"),
        format!("-{PHONE}00009917{PHONE}"),
        format!("[\"{WORD}\", {PHONE}]"),
        format!("{{\"{WORD}@x\": \"{WORD}\"}}"),
        format!("{{\"phone\": {{\"{PHONE}\": \"{WORD}\"}}}}"),
        format!("\"{WORD}\\ud800\""),
        format!("\"{WORD}\\u200b\\u0000{DIGITS}\""),
        format!("\"{}\"", WORD.repeat(1_000)),
    ]
}

/// Names of unknown members that R52 does not let show. `\u{430}` is a Cyrillic letter.
fn odd_names() -> Vec<String> {
    vec![
        format!("{WORD}@example.com"),
        format!("{WORD} {WORD}"),
        format!("+{PHONE}"),
        PHONE.to_string(),
        format!("{WORD}\u{430}"),
        format!("{WORD}\\n"),
        format!("{WORD}\\\""),
        format!("{WORD}\\ud800"),
        format!("{WORD}-{DIGITS}"),
        WORD.repeat(8),
        format!("{}{}", WORD.repeat(7), "x".repeat(2)),
    ]
}

/// Texts that are no JSON.
fn broken_texts() -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = [
        WORD.to_owned(),
        format!("{{\"{WORD}\""),
        format!("{{\"tokens\": [{{\"token\": \"{WORD}\" \"phone\": {PHONE}}}]}}"),
        format!("{{\"tokens\": [{{\"token\": \"{WORD}"),
        format!("{{\"tokens\": [], \"x\": 0{PHONE}}}"),
        format!("{{\"tokens\": []}} {WORD}"),
        format!("\u{feff}{{\"tokens\": [\"{WORD}\"]}}"),
        format!("\"{WORD}\\x\""),
        format!("\"{WORD}\n\""),
    ]
    .map(String::into_bytes)
    .to_vec();
    texts.push([WORD.as_bytes(), b"\xff", WORD.as_bytes()].concat());
    texts
}

/// JSON of each kind, wrong in each way at each place.
pub fn json(shown: &mut Shown) {
    let mut bodies: Vec<Vec<u8>> = broken_texts();
    let mut text = |body: String| bodies.push(body.into_bytes());
    for wrong in wrong_values() {
        text(wrong.clone());
        for array in ["tokens", "statuses"] {
            text(format!("{{\"{array}\": {wrong}}}"));
            text(format!("{{\"{array}\": [{wrong}, {wrong}]}}"));
        }
        for member in ["token", "contactId", "externalCustomerId", "phone", "email"] {
            text(format!(
                "{{\"tokens\": [{{\"token\": \"{WORD}\", \"{member}\": {wrong}}}]}}"
            ));
            text(format!(
                "{{\"tokens\": [{{\"{member}\": {wrong}, \"email\": \"{WORD}\"}}]}}"
            ));
            text(format!("{{\"{member}\": {wrong}}}"));
        }
        for member in [
            "token",
            "subscriberId",
            "status",
            "reason",
            "messageId",
            "at",
        ] {
            let member = format!("\"{member}\": {wrong}");
            text(format!(
                "{{\"statuses\": [{{\"token\": \"{WORD}\", \"status\": \"SENT\", {member}}}]}}"
            ));
            text(format!(
                "{{\"statuses\": [{{\"status\": \"SENT\", {member}}}]}}"
            ));
            text(format!("{{\"statuses\": [{{{member}}}]}}"));
        }
    }
    text(format!(
        "{{\"statuses\": [{{\"token\": \"{WORD}\", \"status\": \"SENT\", \"at\": 1{DIGITS}}}]}}"
    ));
    for name in odd_names() {
        let member = format!("\"{name}\": \"{WORD}\"");
        text(format!("{{{member}}}"));
        text(format!("{{\"tokens\": [], {member}}}"));
        text(format!(
            "{{\"tokens\": [{{\"token\": \"{WORD}\", {member}}}]}}"
        ));
        text(format!(
            "{{\"statuses\": [{{\"token\": \"{WORD}\", {member}}}]}}"
        ));
    }
    for twice in ["token", "phone"] {
        let member = format!("\"{twice}\": \"{WORD}\"");
        text(format!("{{\"tokens\": [{{{member}, {member}}}]}}"));
    }
    for status in [
        format!("\"subscriberId\": \"{PHONE}x\", \"status\": \"SENT\""),
        format!("\"token\": \"{WORD}\", \"status\": \"{WORD}\""),
        format!("\"token\": \"{WORD}\", \"subscriberId\": \"1\", \"status\": \"SENT\""),
    ] {
        text(format!("{{\"statuses\": [{{{status}}}]}}"));
    }
    assert!(bodies.len() > 300, "{}", bodies.len());

    let (store, _) = store();
    let limits = Limits::default();
    let mut refused = 0;
    for body in &bodies {
        let added = wire::parse_add_tokens(APP, body, &limits)
            .and_then(|request| store.add_tokens(request).wait());
        let recorded = wire::parse_reports(APP, body, &limits)
            .and_then(|request| store.record_reports(request).wait());
        let identifiers = wire::parse_identifiers(body, &limits);
        let line = wire::Line::parse(body, &limits);
        let errors = [
            added.as_ref().err(),
            recorded.as_ref().err(),
            identifiers.as_ref().err(),
            line.as_ref().err(),
        ];
        errors
            .into_iter()
            .flatten()
            .for_each(|error| shown.error(error));
        let added = added.iter().flat_map(|added| &added.outcome.entries);
        let recorded = recorded.iter().flat_map(|recorded| &recorded.outcome);
        let added = added.filter_map(|entry| entry.as_ref().err());
        for error in added.chain(recorded.filter_map(|report| report.as_ref().err())) {
            shown.entry_error(error);
            refused += 1;
        }
    }
    assert!(refused > 200, "{refused}");
}

/// Lines of a log that are refused.
pub fn lines(shown: &mut Shown) {
    let app = APP.to_string();
    let mut lines = broken_texts();
    for wrong in wrong_values().into_iter().chain(
        odd_names()
            .into_iter()
            .map(|name| format!("{{\"{name}\": \"{WORD}\"}}")),
    ) {
        for line in [
            format!("{{\"connectApp\": {wrong}}}"),
            format!("{{\"connectApp\": {{\"appUuid\": {wrong}, \"name\": \"{WORD}\"}}}}"),
            format!("{{\"connectApp\": {{\"name\": {wrong}, \"accessKey\": \"{WORD}\"}}}}"),
            format!("{{\"connectApp\": {{\"name\": \"{WORD}\", \"key\": {wrong}}}}}"),
            format!("{{\"appUuid\": {wrong}, \"tokens\": []}}"),
            format!("{{\"appUuid\": \"{app}\", \"tokens\": {wrong}}}"),
            format!("{{\"appUuid\": \"{app}\", \"tokens\": [], \"at\": {wrong}}}"),
            format!("{{\"find\": {wrong}}}"),
            format!("{{\"find\": {{\"phone\": {wrong}, \"{WORD}@x\": 1}}}}"),
            format!("{{\"explain\": {{\"email\": {wrong}}}}}"),
            format!("{{\"erase\": {{\"contactId\": {wrong}}}}}"),
            format!(
                "{{\"removeToken\": {{\"appUuid\": \"{app}\", \"token\": {wrong}, \"x\": 1}}}}"
            ),
            format!("{{\"subscribers\": {{\"appUuid\": \"{app}\", \"after\": {wrong}}}}}"),
            format!(
                "{{\"messages\": {{\"appUuid\": \"{app}\", \"after\": {wrong}, \"limit\": 0.5}}}}"
            ),
            format!("{{\"forgetMessages\": {{\"appUuid\": \"{app}\", \"before\": {wrong}}}}}"),
            format!("{{\"removeStale\": {{\"appUuid\": \"{app}\", \"before\": {wrong}}}}}"),
            format!(
                "{{\"removeStale\": {{\"appUuid\": \"{app}\", \"before\": 100000000005, \"dryRun\": {wrong}}}}}"
            ),
            format!("{{\"erase\": {{\"contactId\": 7, \"suppress\": {wrong}, \"x\": 1}}}}"),
            format!("{{\"liftSuppression\": {{\"phone\": {wrong}, \"x\": 1}}}}"),
            format!("{{\"mute\": {{\"appUuid\": \"{app}\", \"token\": {wrong}, \"at\": 5}}}}"),
            format!(
                "{{\"mute\": {{\"appUuid\": \"{app}\", \"token\": \"t\", \"duration\": {wrong}}}}}"
            ),
            format!("{{\"unmute\": {{\"appUuid\": \"{app}\", \"token\": {wrong}, \"x\": 1}}}}"),
            format!("{{\"bringBack\": {{\"appUuid\": \"{app}\", \"token\": {wrong}, \"x\": 1}}}}"),
            format!("{{\"erase\": {{\"contactId\": 7}}, \"idempotencyKey\": {wrong}}}"),
            format!("{{\"verify\": {wrong}}}"),
        ] {
            lines.push(line.into_bytes());
        }
    }
    let limits = Limits::default();
    let mut refused = 0;
    for line in &lines {
        match wire::Line::parse(line, &limits) {
            Err(error) => {
                shown.error(&error);
                refused += 1;
            }
            // What is wrong is inside its entries.
            Ok(line) => shown.value(&line),
        }
    }
    assert!(refused > 300, "{refused} of {}", lines.len());
}

/// Each fault of each field, by text that is not JSON.
pub fn faults(shown: &mut Shown) {
    let long = WORD.repeat(1_000);
    let tokens = ["", " ", &format!("{WORD}\0"), &long];
    for invalid in tokens {
        shown.field_error(&Token::parse(invalid).unwrap_err());
        shown.field_error(&MessageId::parse(invalid).unwrap_err());
        shown.field_error(&AppName::parse(invalid).unwrap_err());
        shown.field_error(&AccessKey::parse(invalid).unwrap_err());
        shown.field_error(&AppId::parse(invalid).unwrap_err());
        shown.field_error(&SubscriberId::parse(invalid).unwrap_err());
        shown.field_error(&MatchPolicy::parse(invalid).unwrap_err());
    }
    let given = GivenIdentifiers::new;
    let local = format!("{WORD}{}@example.com", "x".repeat(60));
    let labels = format!("{}.", WORD.repeat(5)).repeat(6);
    let refused = [
        given().contact_id(0),
        given().contact_id(-i128::from(PHONE)),
        given().contact_id(i128::from(PHONE) << 64),
        given().external_customer_id(&long),
        given().external_customer_id(format!("{WORD}\u{200b}")),
        given().phone(WORD),
        given().phone(format!("{PHONE}{PHONE}")),
        given().phone(DIGITS),
        given().phone(format!("050{DIGITS}")),
        given().phone(format!("+38(0)50{DIGITS}")),
        given().phone(format!("++{PHONE}")),
        given().phone(format!("+{PHONE}.0")),
        given().email(format!("{WORD};{WORD}@example.com")),
        given().email(WORD),
        given().email(&local),
        given().email(format!("@{WORD}.example.com")),
        given().email(format!("{WORD} {WORD}@example.com")),
        given().email(format!("{WORD}@")),
        given().email(format!("{WORD}@{labels}com")),
        given().email(format!("{WORD}@{}com", &labels[..245])),
        given().email(format!("{WORD}@-{WORD}.com")),
        given().email(format!("{WORD}@{WORD}\u{430}.com")),
        given().email(format!("{WORD}@{WORD}\u{430}\u{200d}-.com")),
        given().email(format!("{WORD}\u{200b}@example.com")),
    ];
    for given in refused {
        shown.field_error(&given.parse().unwrap_err());
        shown.value(&given);
    }
    let not_a_uuid = AppId::parse(&external_id()).unwrap_err();
    shown.displayed(&not_a_uuid);
    // Reachable with the feature `idn` alone.
    shown.fault(&Fault::Idna);
    shown.fault(&Fault::NonAsciiDomain);
}

/// Entries that name what the host calls a placeholder.
fn placeholders(shown: &mut Shown) {
    let (store, _) = store_with(|options| {
        options.placeholders = Placeholders::none()
            .word(WORD)
            .phone(Phone::parse(&phone()).unwrap())
            .email(Email::parse(&email()).unwrap());
        shown.value(&options.placeholders);
    });
    let given = GivenIdentifiers::new;
    for entry in [
        TokenEntry::new(WORD).phone("380500000001"),
        TokenEntry::new("t").identifiers(given().external_customer_id(WORD)),
        TokenEntry::new("t").identifiers(given().phone(phone())),
        TokenEntry::new("t").identifiers(given().email(email())),
    ] {
        let added = store.add_tokens(AddTokens::new(APP).entry(entry)).wait();
        shown.entry_error(added.unwrap().outcome.entries[0].as_ref().unwrap_err());
    }
}

/// Entries that are refused where the store's contents or the request decide.
pub fn entries(shown: &mut Shown) {
    placeholders(shown);
    let (store, _) = store_with(|options| {
        options.limits.tokens_per_contact = 2;
        options.limits.contacts_per_token = 1;
        options.limits.entries_per_request = 4;
        options.limits.request_text_bytes = 4_096;
        options.limits.card_text_bytes = 256;
    });
    let by_id = |id: u64| {
        TokenEntry::new(token("of an id"))
            .contact_id(id)
            .email(email())
    };
    assert!(
        store
            .add_tokens(AddTokens::new(APP).entry(entry()))
            .wait()
            .is_ok()
    );
    assert!(
        store
            .add_tokens(AddTokens::new(APP).entry(by_id(7)))
            .wait()
            .is_ok()
    );
    assert!(store.erase(id(1)).wait().is_ok());
    let requests = [
        AddTokens::new(APP).entry(by_id(1)),
        AddTokens::new(APP)
            .entry(by_id(8))
            .policy(MatchPolicy::TopPriority)
            .unknown_contact_id(UnknownContactId::Reject),
        AddTokens::new(APP).entry(TokenEntry::new(token("alone"))),
        AddTokens::new(APP).entry(TokenEntry::without_token().email(email())),
        AddTokens::new(APP)
            .entry(TokenEntry::new(token("bad")).phone(WORD).email(WORD))
            .invalid_identifier(InvalidIdentifier::Ignore),
        AddTokens::new(APP).entry(TokenEntry::new(token(&"x".repeat(300))).phone(phone())),
        AddTokens::new(APP)
            .entries((0..4).map(|i| TokenEntry::new(token(&i.to_string())).phone(phone()))),
        AddTokens::new(APP).entries(
            [PHONE + 1, PHONE + 2]
                .map(|phone| TokenEntry::new(token("shared")).phone(phone.to_string())),
        ),
    ];
    for request in requests {
        shown.value(&request);
        let whole = request.clone().mode(BatchMode::AllOrNothing);
        shown.error(&store.add_tokens(whole).wait().unwrap_err());
        let added = store.add_tokens(request).wait().unwrap();
        let refused: Vec<_> = added
            .outcome
            .entries
            .iter()
            .filter_map(|entry| entry.as_ref().err())
            .collect();
        assert!(!refused.is_empty());
        refused
            .into_iter()
            .for_each(|error| shown.entry_error(error));
        shown.value(&added.outcome);
        shown.json(&wire::tokens_added(&added.outcome));
    }
    let of_app = AddTokens::new;
    for request in [
        of_app(AppId::from_u128(1)).entry(entry()),
        of_app(APP).entries((0..5).map(|_| entry())),
        of_app(APP).entry(TokenEntry::new(WORD.repeat(1_000)).phone(phone())),
    ] {
        shown.error(&store.add_tokens(request).wait().unwrap_err());
    }
    let report = || Report::new(Status::Failed).reason(format!("Forbidden: {WORD}"));
    for report in [
        report(),
        report()
            .token(token("both"))
            .subscriber(SubscriberId::new(1)),
        report().token(format!("{WORD}\n")),
        report().token(token("message")).message(WORD.repeat(100)),
    ] {
        shown.value(&report);
        let request = RecordReports::new(APP)
            .report(report)
            .mode(BatchMode::AllOrNothing);
        shown.value(&request);
        shown.error(&store.record_reports(request).wait().unwrap_err());
    }
    let now = store.snapshot().unwrap();
    let unknown = AppId::from_u128(1);
    let shared = Token::parse(token("shared")).unwrap();
    shown.error(&now.subscriber_by_token(unknown, &shared).unwrap_err());
    shown.error(&now.access_key(unknown).unwrap_err());
    shown.error(&now.subscribers(APP, None, 0).unwrap_err());
    let message = MessageId::parse(token("message")).unwrap();
    shown.error(&now.messages(APP, Some(&message), 1_001).unwrap_err());
    let nothing = GivenIdentifiers::new().parse().unwrap();
    shown.error(&now.find(&nothing, MatchPolicy::Cascade).unwrap_err());
    shown.error(&now.explain(&nothing).unwrap_err());
    shown.error(
        &store
            .remove_token(RemoveToken::of_all(unknown, shared))
            .wait()
            .unwrap_err(),
    );
    shown.error(
        &store
            .forget_messages(unknown, Timestamp::from_millis(1))
            .wait()
            .unwrap_err(),
    );
    let stale = RemoveStale::new(unknown, Timestamp::from_millis(1));
    shown.error(&store.remove_stale(stale).wait().unwrap_err());
    let nothing = GivenIdentifiers::new().contact_id(1).parse().unwrap();
    shown.error(&store.lift_suppression(nothing).wait().unwrap_err());
    let secret = Token::parse(token("muted")).unwrap();
    let mute = Mute::new(unknown, secret.clone());
    shown.error(&store.mute(mute).wait().unwrap_err());
    let back = BringBack::new(unknown, secret.clone());
    shown.error(&store.bring_back(back).wait().unwrap_err());
    let unmute = Unmute::new(unknown, secret);
    shown.error(&store.unmute(unmute).wait().unwrap_err());
    shown.value(&Options::default());
}
