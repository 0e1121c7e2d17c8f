//! Inputs of the field: what services and people really send, each with what is right.
//!
//! `field/cases.jsonl` holds one case a line: its kind, the input, what an earlier build answered, and
//! what is right. Every case is run; a kind stands here with what is right for each of its cases, or
//! among those that wait for a rule.

#[cfg(unix)]
mod host;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Cursor;

use contact_store::{
    AppId, AppName, ConnectApp, ContactStore, DedupeOn, EntryError, ExternalCustomerId,
    IdentifierKind, Limits, Options, Timestamp, Upsert, wire,
};
use serde_json::{Value, json};

use crate::examples::replay::example as replay;
use crate::examples::telegram_updates::example as telegram;
use crate::support::{id, store_with};
use replay::Arguments;
use replay::command_line::Asked;
use replay::open_store::open_store;
use telegram::Bot;
use telegram::deep_link::DeepLinks;

const CASES: &str = include_str!("field/cases.jsonl");
const APP: &str = "6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f";
const KEY: &[u8] = b"a key of the field cases, 32 bytes or more";

/// The kinds that are not right yet, with the rule or the part that they wait for.
const WAITING: [(&str, &str); 2] = [
    ("K11-back-after-block", "R63"),
    ("K21-read-only", "R66, R68"),
];

/// One case of the file.
struct Case {
    id: String,
    kind: String,
    input: Value,
    now: String,
}

fn cases() -> Vec<Case> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let case = |line: &str| {
        let mut case: Value = serde_json::from_str(line).unwrap();
        Case {
            id: text(&case["id"]),
            kind: text(&case["kind"]),
            now: text(&case["now"]),
            input: case["input"].take(),
        }
    };
    CASES.lines().map(case).collect()
}

/// The answers to a log, replayed with these flags.
fn replayed(flags: &[&str], log: &[u8]) -> Vec<Value> {
    let arguments = [&["--store", "s", "--create", "-"], flags].concat();
    let options = match Arguments::read(arguments.into_iter().map(OsString::from)) {
        Ok(Asked::Run(arguments)) => arguments.options.options(),
        other => panic!("{other:?}"),
    };
    let (policy, limits) = (options.policy, options.limits);
    let store = ContactStore::open_in_memory(options).unwrap();
    let mut answers = Vec::new();
    let log = Cursor::new(log.to_vec());
    replay::replay(&store, policy, limits, log, &mut answers, |_| {}).unwrap();
    crate::support::assert_sound(&store);
    lines(&answers)
}

fn lines(answers: &[u8]) -> Vec<Value> {
    let answers = std::str::from_utf8(answers).unwrap().lines();
    answers
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

impl Case {
    fn replayed(&self, flags: &[&str]) -> Vec<Value> {
        let lines = self.input["lines"].as_array().unwrap();
        let log: String = lines.iter().map(|line| format!("{line}\n")).collect();
        replayed(flags, log.as_bytes())
    }

    /// The first entry's outcome in the answer to the line at `place`.
    fn outcome(&self, place: usize) -> Value {
        self.replayed(&[])[place]["results"][0].clone()
    }

    /// The contact that the last line finds.
    fn found(&self) -> Value {
        self.replayed(&[]).pop().unwrap()["contact"].take()
    }

    #[track_caller]
    fn refused(&self, place: usize, code: &str, says: &str) {
        let error = &self.outcome(place)["error"];
        assert_eq!(error["code"], code, "{}", self.id);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(says), "{}: {message}", self.id);
    }

    /// The answers to the updates, in a store where `token` stands on a card.
    fn updated(&self, token: Option<&str>) -> Vec<Value> {
        let (store, links) = bot();
        if let Some(token) = token {
            let entry = contact_store::TokenEntry::new(token).external_customer_id("team");
            let request = contact_store::AddTokens::new(app()).entry(entry);
            let request = request.at(Timestamp::from_millis(1_699_999_000_000));
            store.add_tokens(request).wait().unwrap();
        }
        // The link of the file is under a key of its own.
        let of_file = "AWVVQoBzaG9wLTG9cR_IhdopwPHt0jMFQ6V9";
        let link = links.sign(&ExternalCustomerId::parse("shop-1").unwrap(), 1_800_000_000);
        let link = link.unwrap();
        let updates = self.input["updates"].as_array().unwrap();
        let log: String = updates
            .iter()
            .map(|update| update.to_string().replace(of_file, &link) + "\n")
            .collect();
        let bot = Bot {
            store: &store,
            app: app(),
            links: &links,
            limits: Limits::default(),
        };
        let mut answers = Vec::new();
        bot.apply_all(|| 1_700_000_000, log.as_bytes(), &mut answers)
            .unwrap();
        crate::support::assert_sound(&store);
        lines(&answers)
    }

    /// The outcome of the one report of a body, in a store that has its token.
    fn reported(&self) -> Value {
        let (store, _) = bot();
        let tokens = br#"{"tokens": [{"token": "1", "phone": "+380501234567"}]}"#;
        let tokens = wire::parse_add_tokens(app(), tokens, &Limits::default()).unwrap();
        let tokens = tokens.at(Timestamp::from_millis(1_700_000_000_000));
        store.add_tokens(tokens).wait().unwrap();
        let body = self.input["body"].to_string();
        let request = wire::parse_reports(app(), body.as_bytes(), &Limits::default()).unwrap();
        let outcome = store.record_reports(request).wait().unwrap().outcome;
        serde_json::to_value(wire::reports_recorded(&outcome)).unwrap()["results"][0].take()
    }
}

fn app() -> AppId {
    AppId::parse(APP).unwrap()
}

fn bot() -> (ContactStore, DeepLinks) {
    let store = ContactStore::open_in_memory(Options::default()).unwrap();
    let connect = ConnectApp::new(AppName::parse("Bot").unwrap()).id(app());
    store.connect_app(connect).wait().unwrap();
    (store, DeepLinks::new(app(), KEY).unwrap())
}

/// R32: a reason that removes.
fn forbidden(case: &Case) {
    if case.input.get("body").is_some() {
        assert_eq!(case.reported()["outcome"], "removed", "{}", case.id);
        return;
    }
    assert_eq!(case.outcome(2)["outcome"], "removed", "{}", case.id);
    assert_eq!(case.found()["tokens"], json!([]), "{}", case.id);
}

/// R32: the phrases that the host names.
fn gone(case: &Case) {
    if case.id == "B019" {
        return forbidden(case);
    }
    let report = &case.input["lines"][2]["statuses"][0];
    assert_eq!(case.outcome(2)["outcome"], "recorded", "{}", case.id);
    let answers = case.replayed(&["--gone-phrase", report["reason"].as_str().unwrap()]);
    assert_eq!(
        answers[2]["results"][0]["outcome"], "removed",
        "{}",
        case.id
    );
    assert_eq!(answers[3]["contact"]["tokens"], json!([]), "{}", case.id);
}

/// The ids of subscribers of the first app as they are since they carry it.
fn with_app_in_ids(mut answer: Value) -> Value {
    for result in answer["results"].as_array_mut().into_iter().flatten() {
        if let Some(Value::String(id)) = result.get_mut("subscriberId") {
            *id = (1_u64 << 40 | id.parse::<u64>().unwrap()).to_string();
        }
    }
    answer
}

/// What an earlier build answered is right.
fn stays(case: &Case) {
    if let Some((_, card)) = case.now.split_once(", card: ") {
        let card: Value = serde_json::from_str(card).unwrap();
        let found = case.found();
        for (name, value) in card.as_object().unwrap() {
            assert_eq!(&found[name], value, "{}", case.id);
        }
        return;
    }
    if let Some(code) = case.now.strip_prefix("error ") {
        return case.refused(1, code, "");
    }
    let expected: Vec<Value> = case
        .now
        .split(" | ")
        .map(|answer| with_app_in_ids(serde_json::from_str(answer).unwrap()))
        .collect();
    assert_eq!(case.replayed(&[])[1..], expected, "{}", case.id);
}

/// R4: the digits that can be seen.
fn visible_digits(case: &Case) {
    let digits = match case.id.as_str() {
        "B034" => "15551234567",
        _ => "380501234567",
    };
    assert_eq!(case.found()["phone"], digits, "{}", case.id);
}

/// R4: two numbers, or a number with something that is not a number.
fn joined_digits(case: &Case) {
    let mark = match case.id.as_str() {
        "B024" => "a .",
        "B026" | "B027" => "a /",
        "B029" => "white space",
        other => panic!("{other}"),
    };
    case.refused(1, "ambiguousMark", mark);
    assert_eq!(case.found(), Value::Null, "{}", case.id);
}

fn second_plus(case: &Case) {
    case.refused(1, "misplacedPlus", "a second +");
}

/// R5.
fn addresses(case: &Case) {
    if case.id == "B061" {
        assert_eq!(case.found()["email"], "test@test");
        return;
    }
    case.refused(1, "notOneAddress", "before the last @");
    assert_eq!(case.found(), Value::Null, "{}", case.id);
}

/// R5: no normal forms. With IDNA a domain in other letters is taken.
fn other_letters(case: &Case) {
    if case.id != "B071" || cfg!(not(feature = "idn")) {
        stays(case);
    }
}

/// R3.
fn placeholders(case: &Case) {
    let results = case.replayed(&[])[1]["results"].take();
    for result in results.as_array().unwrap() {
        assert_eq!(result["error"]["code"], "placeholder", "{}", case.id);
    }
    // The host may say otherwise.
    let results = case.replayed(&["--no-placeholders"])[1]["results"].take();
    for result in results.as_array().unwrap() {
        assert_eq!(result["token"], "added", "{}", case.id);
    }
}

/// R13: an option of the store is a flag.
fn second_identifier(case: &Case) {
    case.refused(1, "notADigit", "");
    let answers = case.replayed(&["--invalid-identifier", "ignore"]);
    let result = &answers[1]["results"][0];
    assert_eq!(result["token"], "added");
    assert_eq!(result["ignored"], json!(["phone"]));
}

/// R1.
fn blank_in_upsert(case: &Case) {
    let answers = case.replayed(&[]);
    let result = &answers[0]["results"][0];
    assert_eq!(result["contact"], "created", "{}", case.id);
    if case.id == "B089" {
        assert_eq!(answers[1]["results"][0]["contact"], "updated");
        let card = &answers[2]["contact"];
        assert_eq!(card["phone"], "380501234567");
        assert_eq!(card["lastName"], "Lee");
    }
}

/// R41, R42.
fn shared_phone(case: &Case) {
    let conflict = &case.replayed(&[])[1]["results"][0]["error"];
    assert_eq!(conflict["code"], "conflict");
    assert_eq!(conflict["contactId"], 1);
    assert_eq!(case.found(), Value::Null);
    // A phone of one and an email of another are a conflict where either may find, too.
    let (store, _) = store_with(|_| {});
    let upsert = |on, phone: &str, email: &str| {
        let item = contact_store::ContactUpdate::new()
            .phone(phone)
            .email(email);
        let outcome = store.upsert(Upsert::new(on).contact(item)).wait();
        outcome.unwrap().outcome.into_iter().next().unwrap()
    };
    upsert(DedupeOn::Email, "380501234567", "mum@x.com").unwrap();
    upsert(DedupeOn::Email, "", "kid@x.com").unwrap();
    assert_eq!(
        upsert(DedupeOn::PhoneThenEmail, "380501234567", "kid@x.com"),
        Err(EntryError::Conflict {
            kind: IdentifierKind::Email,
            contact: id(2),
        })
    );
    for (contact, email) in [(1, "mum@x.com"), (2, "kid@x.com")] {
        let card = store.snapshot().unwrap().contact(id(contact));
        let identifiers = card.unwrap().unwrap().identifiers;
        assert_eq!(identifiers.email().unwrap().as_str(), email);
    }
}

/// R43.
fn typed_fields(case: &Case) {
    let (name, text) = match case.id.as_str() {
        "B097" => ("isDeveloper", "false"),
        "B099" => ("source", "-50"),
        _ => {
            let error = &case.outcome(0)["error"];
            assert_eq!(error["code"], "wrongType");
            assert_eq!(error["path"], "contacts[0].fields.tags");
            return;
        }
    };
    assert_eq!(case.found()["fields"][name], text, "{}", case.id);
}

/// R54.
fn seconds(case: &Case) {
    let (error, path) = match case.id.as_str() {
        "B107" => (case.outcome(2)["error"].take(), "statuses[0].at"),
        "B109" => (
            case.replayed(&[])[3]["error"].take(),
            "forgetMessages.before",
        ),
        _ => (case.reported()["error"].take(), "statuses[0].at"),
    };
    assert_eq!(error["code"], "secondsNotMilliseconds", "{}", case.id);
    assert_eq!(error["path"], path, "{}", case.id);
}

fn byte_order_mark(_: &Case) {
    let connect = json!({"connectApp": {"appUuid": APP, "name": "Bot"}});
    let add = json!({"appUuid": APP, "tokens": [{"token": "1", "phone": "380501234567"}]});
    let answers = replayed(&[], format!("\u{FEFF}{connect}\r\n{add}\r\n").as_bytes());
    assert_eq!(answers[0]["appUuid"], APP);
    assert_eq!(answers[1]["results"][0]["token"], "added");
    let answers = replayed(&[], format!("{connect}\r\n\u{FEFF}{add}\r\n").as_bytes());
    assert_eq!(answers[1]["error"]["code"], "byteOrderMark");
}

fn library_dumps(case: &Case) {
    let answers = case.updated(None);
    match case.id.as_str() {
        "B119" => assert_eq!(answers[0]["reason"], "noIdentifier"),
        "B121" => assert_eq!(answers[0]["error"]["path"], "message.date"),
        _ => assert_eq!(answers[0]["outcome"]["results"][0]["token"], "added"),
    }
}

fn command_case(case: &Case) {
    let answers = case.updated(None);
    assert_eq!(answers[0]["outcome"]["results"][0]["token"], "added");
}

/// R31, R57.
fn chat_of_a_group(case: &Case) {
    if case.id == "B138" {
        let answers = case.updated(Some("-4518810793"));
        assert_eq!(answers[0]["action"], "renameToken");
        assert_eq!(answers[0]["outcome"]["outcome"], "renamed");
        return;
    }
    let answers = case.updated(Some("-100777"));
    assert_eq!(answers[0]["outcome"]["results"][0]["outcome"], "removed");
}

/// Two cards are right; merging them waits for R58.
fn phone_changed(case: &Case) {
    let answers = case.updated(None);
    let contact = |place: usize| answers[place]["outcome"]["results"][0]["contactId"].clone();
    assert_eq!([contact(0), contact(1)], [json!(1), json!(2)]);
}

fn long_customer_id(_: &Case) {
    let (_, links) = bot();
    let customer = ExternalCustomerId::parse("3f2504e0-4f89-41d3-9a0c-0305e82c3301").unwrap();
    let link = links.sign(&customer, 1_800_000_000).unwrap();
    assert!(link.len() <= telegram::deep_link::PAYLOAD_CHARS);
    assert_eq!(links.verify(&link, 1_700_000_000), Ok(customer));
}

/// What is asked of the host, which runs on Unix.
fn of_host(case: &Case) {
    #[cfg(unix)]
    host::right(case);
    #[cfg(not(unix))]
    println!("{} is not run here", case.id);
}

/// The rule of key files, for the user of the case.
fn mounted_secret(case: &Case) {
    #[cfg(unix)]
    {
        use telegram::key_file::{KeyFileFault, check_mode};
        let (root, user) = (0, 65_534);
        let mode = match case.id.as_str() {
            "B187" => 0o444,
            "B189" => 0o400,
            other => panic!("{other}"),
        };
        match check_mode(root, mode, user) {
            Ok(()) => assert_eq!(mode, 0o400),
            Err(KeyFileFault::OpenToOthers { mode: found }) => assert_eq!(found, 0o444),
            Err(other) => panic!("{other:?}"),
        }
        // The one that a group may read is taken.
        assert!(matches!(check_mode(root, 0o440, user), Ok(())));
    }
    #[cfg(not(unix))]
    println!("{} is not run here", case.id);
}

fn error_of_opening(_: &Case) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nodir").join("s.redb");
    let options = Options::default();
    let Err(error) = open_store(&path, options) else {
        panic!("it is opened");
    };
    let said = format!(
        "the store {} cannot be created: there is no directory {}",
        path.display(),
        path.parent().unwrap().display()
    );
    assert_eq!(error.to_string(), said);
}

type Right = fn(&Case);

const RIGHT: [(&str, Right); 34] = [
    ("K8-no-remove-over-http", of_host),
    ("K9-mounted-secret", mounted_secret),
    ("K13a-charset-alias", of_host),
    ("K13b-identity-encoding", of_host),
    ("K13d-trailing-slash", of_host),
    ("K13e-unknown-query", of_host),
    ("K13f-health-without-host", of_host),
    ("K13g-plus-in-mail-query", of_host),
    ("K20-file-replaced", of_host),
    ("K27-error-names-nothing", error_of_opening),
    ("K1-forbidden-forms", forbidden),
    ("K24-dead-for-good", gone),
    ("K2-joined-digits", joined_digits),
    ("K14-trunk-zero", stays),
    ("K15-invisible-in-phone", visible_digits),
    ("K15-native-digits", visible_digits),
    ("K15-double-plus", second_plus),
    ("K7-not-one-address", addresses),
    ("K19-mail-unicode", other_letters),
    ("K5-placeholder-identity", placeholders),
    ("K18-bad-second-identifier", second_identifier),
    ("K4-blank-in-upsert", blank_in_upsert),
    ("K22-shared-phone", shared_phone),
    ("K17-typed-fields", typed_fields),
    ("K26-padded-id", stays),
    ("K3-seconds-as-milliseconds", seconds),
    ("K23-long-as-number", stays),
    ("K13c-byte-order-mark", byte_order_mark),
    ("K6-library-dumps", library_dumps),
    ("K25-command-case", command_case),
    ("K10-chat-migration", chat_of_a_group),
    ("K12-long-customer-id", long_customer_id),
    // Two cards are right; merging them waits for R58.
    ("K16-two-valid-forms", stays),
    ("K29-phone-changed", phone_changed),
];

#[test]
fn every_case_of_the_field_is_answered_rightly_or_waits_for_a_named_rule() {
    let cases = cases();
    assert_eq!(cases.len(), 77);
    let mut kinds = BTreeSet::new();
    for case in &cases {
        kinds.insert(case.kind.as_str());
        let right = RIGHT.iter().find(|(kind, _)| *kind == case.kind);
        let waits = WAITING.iter().find(|(kind, _)| *kind == case.kind);
        match (right, waits) {
            (Some((_, right)), None) => right(case),
            (None, Some((_, rule))) => println!("{} waits for {rule}", case.id),
            _ => panic!("{} stands in both lists, or in none", case.kind),
        }
    }
    let known = RIGHT.iter().map(|(kind, _)| *kind);
    let known: BTreeSet<&str> = known.chain(WAITING.iter().map(|(kind, _)| *kind)).collect();
    assert_eq!(known, kinds);
}
