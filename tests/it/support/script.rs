//! Scripts: requests and answers in text, one a line, for the tests of the rules.
//!
//! A line is `request => answer`; a line that begins with `|` or `=>` goes on with the one before;
//! `//` begins a comment. What the requests and answers look like is in [`Stage::answer`] and in the
//! functions named `show`. Apps are called by a letter: `A` and `B` are connected when a script
//! begins, the clock stands at 1,000.
//!
//! Each script runs three times: in memory; in memory with all values sharing index rows, which are
//! folded with every commit; and on a file that is closed and opened again after every line, with no
//! memory for the indexes. Besides the answers, every line of every
//! script is a test of R47 (a request takes the next number exactly when it changed what can be
//! seen), of R46 (what is seen is the same after reopening), of "nothing is written" behind every
//! error, and of the soundness of the whole store.

mod contacts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contact_store::{
    AccessKey, AddTokens, App, AppId, AppName, BatchMode, Card, Committed, ConnectApp, ContactId,
    ContactStore, Decision, EntryError, Error, FailedWithoutReason, Found, GivenIdentifiers,
    IdentifierKind, InvalidIdentifier, KindSet, LimitExceeded, ManualClock, MatchPolicy, MessageId,
    MessageTally, Options, OptionsInForce, Ownership, Phone, RecordReports, RemoveToken,
    RenameToken, Report, ReportOutcome, SequenceNumber, Snapshot, Status, Subscriber, SubscriberId,
    Timestamp, Token, TokenAdded, TokenEntry, TokenPlace, TokenRenamed, UnknownContactId,
};

use super::at;

/// Runs a script on stores with the default options.
#[track_caller]
pub fn script(text: &str) {
    script_with(|_| {}, text);
}

/// Runs a script on stores with some options set.
#[track_caller]
pub fn script_with(set: impl Fn(&mut Options), text: &str) {
    let shared_rows = |options: &mut Options| {
        set(options);
        super::fold_always(options);
        options.testing.hash_mask = 0;
    };
    let buckets = |options: &mut Options| {
        set(options);
        super::fold_early(options);
        options.index_memory = 0;
    };
    Stage::new("in memory", &set, None).play(text);
    Stage::new("in memory, with shared index rows", &shared_rows, None).play(text);
    let directory = tempfile::tempdir().unwrap();
    Stage::new("on a file", &buckets, Some(directory)).play(text);
}

/// The app with this letter.
pub fn app(letter: &str) -> AppId {
    let letter = u8::try_from(letter.parse::<char>().unwrap()).unwrap();
    assert!(letter.is_ascii_uppercase(), "an app is called by a letter");
    AppId::from_u128(u128::from(letter - b'A') + 0xa)
}

struct Stage {
    name: &'static str,
    options: Options,
    clock: Arc<ManualClock>,
    directory: Option<tempfile::TempDir>,
    store: ContactStore,
    /// Every contact that an answer named.
    met: BTreeSet<ContactId>,
}

impl Stage {
    fn new(
        name: &'static str,
        set: &impl Fn(&mut Options),
        directory: Option<tempfile::TempDir>,
    ) -> Self {
        let (mut options, clock) = super::options();
        set(&mut options);
        let store = open(directory.as_ref(), &options);
        super::connect(&store);
        Stage {
            name,
            options,
            clock,
            directory,
            store,
            met: BTreeSet::new(),
        }
    }

    #[track_caller]
    fn play(mut self, text: &str) {
        for (number, request, expected) in lines(text) {
            let line = format!("line {number}, {}: {request}", self.name);
            let before = self.seen();
            let answer = self.answer(&request, before.sequence);
            assert_eq!(answer.text, expected, "{line}");
            let after = self.seen();
            let changed = before.rows != after.rows;
            let next = before.sequence.value() + u64::from(changed);
            assert_eq!(after.sequence.value(), next, "R47, {line}");
            if answer.must_change_nothing {
                assert_eq!(before.rows, after.rows, "{line}");
            }
            if let Some(sequence) = answer.sequence {
                assert_eq!(sequence, after.sequence, "R47, {line}");
            }
            let problems = self.store.snapshot().unwrap().verify().unwrap().problems;
            assert_eq!(problems, [], "{line}");
            if self.directory.is_some() {
                self.store.close().unwrap();
                self.store = open(self.directory.as_ref(), &self.options);
                assert_eq!(self.seen(), after, "R46, {line}");
            }
        }
    }

    /// Everything that can be seen, as text.
    fn seen(&self) -> Seen {
        let now = self.store.snapshot().unwrap();
        let mut rows = Vec::new();
        for id in &self.met {
            rows.extend(now.contact(*id).unwrap().map(|card| show_card(&card)));
        }
        let listed = now.contacts(None, 1_000).unwrap();
        let listed: Vec<String> = listed.iter().map(show_card).collect();
        assert_eq!(listed, rows, "R56");
        assert_eq!(
            rows.len() as u64,
            now.contact_count(),
            "contacts that no answer named"
        );
        for app in now.apps().unwrap() {
            let key = now.access_key(app.id).unwrap();
            let key = key.as_ref().map(AccessKey::reveal);
            rows.push(format!("{} key {key:?}", show_app(&app)));
            let subscribers = now.subscribers(app.id, None, 1_000).unwrap();
            rows.extend(subscribers.iter().map(show_subscriber));
            let messages = now.messages(app.id, None, 1_000).unwrap();
            rows.extend(messages.iter().map(show_message));
        }
        Seen {
            sequence: now.sequence(),
            rows,
        }
    }

    /// Makes the request of one line.
    fn answer(&mut self, request: &str, before: SequenceNumber) -> Answer {
        let mut words = Words::of(request);
        let verb = words.next().expect("a request");
        match verb.as_str() {
            // clock 2000
            "clock" => {
                self.clock.set(at(words.number()));
                Answer::read("")
            }
            // connect C name="Third bot" key=secret
            "connect" => self.connect(words),
            // disconnect A
            "disconnect" => {
                let written = self.store.disconnect_app(app(&words.must())).wait();
                Answer::written(written, |()| "done".to_owned())
            }
            // add A policy=top ownership=exclusive : token1 phone=1234567 | token2 email=a@b.c
            "add" => self.add(words),
            // report A : token1 FAILED reason=403 msg=m1 at=900 | #2 SENT
            "report" => self.report(words),
            // upsert phone unknown=reject : phone=1234567 email=null | ext=c1 first=Ann city:=Kyiv
            "upsert" => {
                let written = self.store.upsert(contacts::upsert(words)).wait();
                if let Ok(Committed { outcome, .. }) = &written {
                    let accepted = outcome.iter().flatten();
                    self.met.extend(accepted.map(|upserted| upserted.contact));
                }
                Answer::written(written, |outcome| join(outcome, contacts::show_upserted))
            }
            // erase 1
            "erase" => {
                let contact = contact(&words.must());
                let written = self.store.erase(contact).wait();
                Answer::written(written, |outcome| outcome.erased.to_string())
            }
            // remove A token1 of=1
            "remove" => {
                let (app, token) = (app(&words.must()), token(&words.must()));
                let request = match words.next() {
                    None => RemoveToken::of_all(app, token),
                    Some(of) => RemoveToken::of(app, token, contact(value(&of, "of"))),
                };
                let written = self.store.remove_token(request).wait();
                Answer::written(written, |outcome| {
                    format!("from {}", show_ids(&outcome.from))
                })
            }
            // rename A token1 token2
            "rename" => {
                let (app, old) = (app(&words.must()), token(&words.must()));
                let request = RenameToken::new(app, old, token(&words.must()));
                let written = self.store.rename_token(request).wait();
                Answer::written(written, show_renamed)
            }
            // forget A before=1000
            "forget" => {
                let app = app(&words.must());
                let before = millis(value(&words.must(), "before"));
                let written = self.store.forget_messages(app, before).wait();
                Answer::written(written, |outcome| outcome.messages.to_string())
            }
            _ => {
                let now = self.store.snapshot().unwrap();
                assert_eq!(now.sequence(), before);
                let read = read(&now, &verb, words);
                Answer::read(&read.unwrap_or_else(|error| show_error(&error)))
            }
        }
    }

    fn connect(&mut self, mut words: Words) -> Answer {
        let id = app(&words.must());
        let mut name = AppName::parse("Bot").unwrap();
        let mut key = None;
        for (word, value) in words.named() {
            match word.as_str() {
                "name" => name = AppName::parse(value).unwrap(),
                "key" => key = Some(AccessKey::parse(value).unwrap()),
                _ => panic!("{word}?"),
            }
        }
        let mut request = ConnectApp::new(name).id(id);
        if let Some(key) = key {
            request = request.key(key);
        }
        Answer::written(self.store.connect_app(request).wait(), |id| {
            show_app_id(*id)
        })
    }

    fn add(&mut self, words: Words) -> Answer {
        let [head, entries] = words.halves();
        let mut head = Words(head.into());
        let mut request = AddTokens::new(app(&head.must()));
        let mut in_force = OptionsInForce::default();
        in_force.policy = self.options.policy;
        in_force.ownership = self.options.ownership;
        in_force.invalid_identifier = self.options.invalid_identifier;
        in_force.unknown_contact_id = self.options.unknown_contact_id;
        for (word, value) in head.named() {
            request = match (word.as_str(), value.as_str()) {
                ("at", value) => request.at(millis(value)),
                ("policy", value) => {
                    in_force.policy = policy(value);
                    request.policy(in_force.policy)
                }
                ("ownership", value) => {
                    in_force.ownership = match value {
                        "shared" => Ownership::Shared,
                        "exclusive" => Ownership::Exclusive,
                        _ => panic!("{value}?"),
                    };
                    request.ownership(in_force.ownership)
                }
                ("invalid", value) => {
                    in_force.invalid_identifier = match value {
                        "refuse" => InvalidIdentifier::Refuse,
                        "ignore" => InvalidIdentifier::Ignore,
                        _ => panic!("{value}?"),
                    };
                    request.invalid_identifier(in_force.invalid_identifier)
                }
                ("unknown", value) => {
                    in_force.unknown_contact_id = match value {
                        "adopt" => UnknownContactId::Adopt,
                        "reject" => UnknownContactId::Reject,
                        _ => panic!("{value}?"),
                    };
                    request.unknown_contact_id(in_force.unknown_contact_id)
                }
                ("mode", "all") => request.mode(BatchMode::AllOrNothing),
                _ => panic!("{word}={value}?"),
            };
        }
        request = request.entries(split(entries).map(token_entry));
        let written = self.store.add_tokens(request).wait();
        if let Ok(Committed { outcome, .. }) = &written {
            assert_eq!(
                outcome.in_force, in_force,
                "R13: the outcome says which options were in force"
            );
            let accepted = outcome.entries.iter().flatten();
            self.met.extend(accepted.map(|added| added.contact));
        }
        Answer::written(written, |outcome| join(&outcome.entries, show_added))
    }

    fn report(&mut self, words: Words) -> Answer {
        let [head, reports] = words.halves();
        let mut head = Words(head.into());
        let mut request = RecordReports::new(app(&head.must()));
        for (word, value) in head.named() {
            request = match (word.as_str(), value.as_str()) {
                ("at", value) => request.at(millis(value)),
                ("without_reason", "remove") => {
                    request.failed_without_reason(FailedWithoutReason::Remove)
                }
                ("without_reason", "keep") => {
                    request.failed_without_reason(FailedWithoutReason::Keep)
                }
                ("mode", "all") => request.mode(BatchMode::AllOrNothing),
                _ => panic!("{word}={value}?"),
            };
        }
        request = request.reports(split(reports).map(delivery_report));
        let written = self.store.record_reports(request).wait();
        Answer::written(written, |outcome| {
            join(outcome, |outcome| match outcome {
                ReportOutcome::Recorded => "recorded".to_owned(),
                ReportOutcome::Removed { from } => format!("removed from {}", show_ids(from)),
                ReportOutcome::UnknownSubscriber => "unknown".to_owned(),
                other => panic!("{other:?}"),
            })
        })
    }
}

fn read(now: &Snapshot, verb: &str, mut words: Words) -> Result<String, Error> {
    let none = || "none".to_owned();
    Ok(match verb {
        // card 1
        "card" => now
            .contact(contact(&words.must()))?
            .map_or_else(none, |card| show_card(&card)),
        // find policy=top phone=1234567
        "find" => {
            let (policy, given) = given(words);
            let found = now.find(&given.parse().unwrap(), policy)?;
            found.map_or_else(
                none,
                |Found {
                     card, matched_by, ..
                 }| { format!("{} by {}", card.id, show_kind(matched_by)) },
            )
        }
        // explain id=1 phone=1234567
        "explain" => {
            let (_, given) = given(words);
            let explained = now.explain(&given.parse().unwrap())?;
            let named: Vec<String> = explained
                .named
                .iter()
                .map(|(kind, contact)| {
                    let contact = contact.map_or("-".to_owned(), |id| id.to_string());
                    format!("{}:{contact}", show_kind(*kind))
                })
                .collect();
            format!(
                "{}; cascade {}; top {}",
                named.join(" "),
                show_decision(&explained.cascade),
                show_decision(&explained.top_priority)
            )
        }
        // subscriber A token1, subscriber #1
        "subscriber" => {
            let word = words.must();
            let found = match word.strip_prefix('#') {
                Some(_) => now.subscriber(subscriber_id(&word))?,
                None => now.subscriber_by_token(app(&word), &token(&words.must()))?,
            };
            found.map_or_else(none, |subscriber| show_subscriber(&subscriber))
        }
        // subscribers A after=#1 limit=2
        "subscribers" => {
            let app = app(&words.must());
            let (mut after, mut limit) = (None, 1_000);
            for (word, value) in words.named() {
                match word.as_str() {
                    "after" => after = Some(subscriber_id(&value)),
                    "limit" => limit = value.parse().unwrap(),
                    _ => panic!("{word}?"),
                }
            }
            let page = now.subscribers(app, after, limit)?;
            let rows: Vec<String> = page.iter().map(show_subscriber).collect();
            rows.join(" | ")
        }
        // list after=1 limit=2, list app=A after=1 limit=2
        "list" => {
            let (mut of, mut after, mut limit) = (None, None, 1_000);
            for (word, value) in words.named() {
                match word.as_str() {
                    "app" => of = Some(app(&value)),
                    "after" => after = Some(contact(&value)),
                    "limit" => limit = value.parse().unwrap(),
                    _ => panic!("{word}?"),
                }
            }
            let (page, next) = match of {
                None => (now.contacts(after, limit)?, None),
                Some(app) => {
                    let page = now.contacts_of(app, after, limit)?;
                    (page.contacts, page.next)
                }
            };
            let ids: Vec<ContactId> = page.iter().map(|card| card.id).collect();
            let next = next.map_or(String::new(), |id| format!(" next {id}"));
            format!("{}{next}", show_ids(&ids))
        }
        // messages A after=m1 limit=2
        "messages" => {
            let app = app(&words.must());
            let (mut after, mut limit) = (None, 1_000);
            for (word, value) in words.named() {
                match word.as_str() {
                    "after" => after = Some(MessageId::parse(value).unwrap()),
                    "limit" => limit = value.parse().unwrap(),
                    _ => panic!("{word}?"),
                }
            }
            let page = now.messages(app, after.as_ref(), limit)?;
            let rows: Vec<String> = page.iter().map(show_message).collect();
            rows.join(" | ")
        }
        // resolve sub=#1 app=A number=1234567
        "resolve" => {
            let recipient = contacts::recipient(words).parse()?;
            contacts::show_addresses(&now.resolve(&recipient)?)
        }
        // apps
        "apps" => {
            let rows: Vec<String> = now.apps()?.iter().map(show_app).collect();
            rows.join(" | ")
        }
        // key A
        "key" => now
            .access_key(app(&words.must()))?
            .map_or_else(none, |key| key.reveal().to_owned()),
        // contacts
        "contacts" => now.contact_count().to_string(),
        _ => panic!("{verb}?"),
    })
}

#[derive(Debug, PartialEq)]
struct Seen {
    sequence: SequenceNumber,
    rows: Vec<String>,
}

struct Answer {
    text: String,
    sequence: Option<SequenceNumber>,
    must_change_nothing: bool,
}

impl Answer {
    fn read(text: &str) -> Self {
        Answer {
            text: text.to_owned(),
            sequence: None,
            must_change_nothing: true,
        }
    }

    fn written<T>(answer: Result<Committed<T>, Error>, show: impl FnOnce(&T) -> String) -> Self {
        match answer {
            Ok(committed) => Answer {
                text: show(&committed.outcome),
                sequence: Some(committed.sequence),
                must_change_nothing: false,
            },
            Err(error) => Answer::read(&show_error(&error)),
        }
    }
}

fn open(directory: Option<&tempfile::TempDir>, options: &Options) -> ContactStore {
    match directory {
        None => ContactStore::open_in_memory(options.clone()),
        Some(directory) => {
            ContactStore::open(directory.path().join("contacts.redb"), options.clone())
        }
    }
    .unwrap()
}

// Reading a script.

/// The lines of a script: number, request, answer.
fn lines(text: &str) -> Vec<(usize, String, String)> {
    let mut whole: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        if line.starts_with('|') || line.starts_with("=>") {
            let last = whole.last_mut().expect("a line to go on with");
            last.1.push(' ');
            last.1.push_str(line);
        } else {
            whole.push((index + 1, line.to_owned()));
        }
    }
    let one_space = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    whole
        .into_iter()
        .map(|(number, line)| match line.split_once("=>") {
            Some((request, answer)) => (number, request.trim().to_owned(), one_space(answer)),
            None => (number, line, String::new()),
        })
        .collect()
}

struct Words(std::collections::VecDeque<String>);

impl Words {
    /// The words of a request. Between quotation marks everything is part of the word.
    fn of(request: &str) -> Self {
        let mut words = std::collections::VecDeque::new();
        let (mut word, mut quoted, mut begun) = (String::new(), false, false);
        for c in request.chars() {
            match c {
                '"' => (quoted, begun) = (!quoted, true),
                ' ' if !quoted => {
                    if begun {
                        words.push_back(std::mem::take(&mut word));
                    }
                    begun = false;
                }
                _ => {
                    word.push(c);
                    begun = true;
                }
            }
        }
        assert!(!quoted, "a quotation mark without its other: {request}");
        if begun {
            words.push_back(word);
        }
        Words(words)
    }

    fn next(&mut self) -> Option<String> {
        self.0.pop_front()
    }

    #[track_caller]
    fn must(&mut self) -> String {
        self.next().expect("another word")
    }

    #[track_caller]
    fn number(&mut self) -> u64 {
        self.must().parse().unwrap()
    }

    /// The words before and behind the `:`.
    fn halves(self) -> [Vec<String>; 2] {
        let words = Vec::from(self.0);
        let colon = words.iter().position(|word| word == ":").expect("a :");
        [words[..colon].to_vec(), words[colon + 1..].to_vec()]
    }

    fn named(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter().map(|word| {
            let (name, value) = word.split_once('=').expect("name=value");
            (name.to_owned(), value.to_owned())
        })
    }
}

fn split(entries: Vec<String>) -> impl Iterator<Item = Vec<String>> {
    let mut split: Vec<Vec<String>> = Vec::new();
    for word in entries {
        match (word.as_str(), split.last_mut()) {
            ("|", _) => split.push(Vec::new()),
            (_, Some(entry)) => entry.push(word),
            (_, None) => split.push(vec![word]),
        }
    }
    split.into_iter()
}

/// `token1 phone=1234567`; `-` is no token.
fn token_entry(words: Vec<String>) -> TokenEntry {
    let mut words = words.into_iter();
    let token = words.next().unwrap();
    let entry = if token == "-" {
        TokenEntry::without_token()
    } else {
        TokenEntry::new(token)
    };
    let (_, given) = given(Words(words.collect()));
    entry.identifiers(given)
}

/// `token1 SENT`, `#1 FAILED reason=403 msg=m1 at=900`; with neither token nor id, about nobody.
fn delivery_report(words: Vec<String>) -> Report {
    let status = words
        .iter()
        .find_map(|word| Status::parse(word).ok())
        .unwrap();
    let mut report = Report::new(status);
    for word in words.iter().filter(|word| *word != status.as_str()) {
        report = match word.split_once('=') {
            Some(("reason", reason)) => report.reason(reason),
            Some(("msg", message)) => report.message(message),
            Some(("at", at)) => report.at(millis(at)),
            Some(_) => panic!("{word}?"),
            None if word.starts_with('#') => report.subscriber(subscriber_id(word)),
            None => report.token(word),
        };
    }
    report
}

/// A subscriber id as [`show_subscriber_id`] gives it.
#[track_caller]
fn subscriber_id(word: &str) -> SubscriberId {
    let id = word.strip_prefix('#').expect("an id begins with #");
    let (app, number) = id.split_once('.').unwrap_or(("1", id));
    let [app, number] = [app, number].map(|number| number.parse::<u64>().unwrap());
    SubscriberId::new(app << 40 | number)
}

fn given(words: Words) -> (MatchPolicy, GivenIdentifiers) {
    let (mut by, mut given) = (MatchPolicy::Cascade, GivenIdentifiers::new());
    for (word, value) in words.named() {
        given = match word.as_str() {
            "policy" => {
                by = policy(&value);
                given
            }
            "id" => given.contact_id(value.parse::<i128>().unwrap()),
            "ext" => given.external_customer_id(value),
            "phone" => given.phone(value),
            "email" => given.email(value),
            _ => panic!("{word}?"),
        };
    }
    (by, given)
}

fn policy(word: &str) -> MatchPolicy {
    match word {
        "cascade" => MatchPolicy::Cascade,
        "top" => MatchPolicy::TopPriority,
        _ => panic!("{word}?"),
    }
}

#[track_caller]
fn value<'w>(word: &'w str, name: &str) -> &'w str {
    word.strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='))
        .unwrap_or_else(|| panic!("{word} is not {name}=…"))
}

fn contact(word: &str) -> ContactId {
    ContactId::parse(word).unwrap()
}

fn token(word: &str) -> Token {
    Token::parse(word).unwrap()
}

fn millis(word: &str) -> Timestamp {
    Timestamp::from_millis(word.parse().unwrap())
}

// Showing answers: every field of every one.

fn join<T>(outcomes: &[Result<T, EntryError>], show: impl Fn(&T) -> String) -> String {
    let shown: Vec<String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(outcome) => show(outcome),
            Err(error) => format!("refused {}", show_entry_error(error)),
        })
        .collect();
    shown.join(" | ")
}

/// `#1` for the first subscriber id of the first app that was connected, `#2.1` for that of the second.
fn show_subscriber_id(id: SubscriberId) -> String {
    let (app, number) = (id.value() >> 40, id.value() & ((1 << 40) - 1));
    match app {
        1 => format!("#{number}"),
        _ => format!("#{app}.{number}"),
    }
}

/// `1 created added #1 skipped=email`, `1 by phone moved from 2 #1`.
fn show_added(added: &TokenAdded) -> String {
    let by = match added.matched_by {
        None => "created".to_owned(),
        Some(kind) => format!("by {}", show_kind(kind)),
    };
    let place = match &added.token {
        TokenPlace::Added => "added".to_owned(),
        TokenPlace::AlreadyHeld => "held".to_owned(),
        TokenPlace::Moved { from } => format!("moved from {}", show_ids(from)),
        other => panic!("{other:?}"),
    };
    let subscriber = show_subscriber_id(added.subscriber);
    let mut shown = format!("{} {by} {place} {subscriber}", added.contact);
    for (name, kinds) in [("skipped", added.skipped), ("ignored", added.ignored)] {
        if !kinds.is_empty() {
            shown.push_str(&format!(" {name}={}", show_kinds(kinds)));
        }
    }
    if !added.also_held_by.is_empty() {
        shown.push_str(&format!(" also={}", show_ids(&added.also_held_by)));
    }
    shown
}

/// `#1 of 1,2`, `#1 and #2 of 1,2`.
fn show_renamed(renamed: &TokenRenamed) -> String {
    match renamed {
        TokenRenamed::Renamed {
            subscriber,
            contacts,
            ..
        } => format!(
            "{} of {}",
            show_subscriber_id(*subscriber),
            show_ids(contacts)
        ),
        TokenRenamed::Joined {
            subscriber,
            joined,
            contacts,
            ..
        } => format!(
            "{} and {} of {}",
            show_subscriber_id(*subscriber),
            show_subscriber_id(*joined),
            show_ids(contacts)
        ),
        TokenRenamed::UnknownSubscriber => "unknown".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// `1 phone=1234567 first="Ann" created 1000 via A [A:token1#1@1000]`.
fn show_card(card: &Card) -> String {
    let identifiers = &card.identifiers;
    assert_eq!(identifiers.contact_id(), Some(card.id));
    let mut shown = card.id.to_string();
    if let Some(id) = identifiers.external_customer_id() {
        shown.push_str(&format!(" ext={}", id.as_str()));
    }
    if let Some(phone) = identifiers.phone().map(Phone::digits) {
        shown.push_str(&format!(" phone={phone}"));
    }
    if let Some(email) = identifiers.email() {
        shown.push_str(&format!(" email={}", email.as_str()));
    }
    shown.push_str(&contacts::show_fields(card));
    shown.push_str(&format!(" created {}", card.created_at.as_millis()));
    if let Some(app) = card.created_through {
        shown.push_str(&format!(" via {}", show_app_id(app)));
    }
    let tokens: Vec<String> = card
        .tokens
        .iter()
        .map(|held| {
            let (app, token) = (show_app_id(held.app), held.token.as_str());
            let at = held.added_at.as_millis();
            format!("{app}:{token}{}@{at}", show_subscriber_id(held.subscriber))
        })
        .collect();
    format!("{shown} [{}]", tokens.join(" "))
}

/// `#1 A:token1 of 1,2 registered 1000 sent 1 failed 0 clicked 0 last SENT@1000`.
fn show_subscriber(subscriber: &Subscriber) -> String {
    let counts = subscriber.counts;
    let last = subscriber
        .last_status
        .map_or("-".to_owned(), |(status, at)| {
            format!("{}@{}", status.as_str(), at.as_millis())
        });
    format!(
        "{} {}:{} of {} registered {} sent {} failed {} clicked {} last {last}",
        show_subscriber_id(subscriber.id),
        show_app_id(subscriber.app),
        subscriber.token.as_str(),
        show_ids(&subscriber.contacts),
        subscriber.last_registered_at.as_millis(),
        counts.sent,
        counts.failed,
        counts.clicked,
    )
}

/// `A "First bot" since 1000 subscribers 1 contacts 1 failed 0 host 0`.
fn show_app(app: &App) -> String {
    format!(
        "{} {:?} since {} subscribers {} contacts {} failed {} host {}",
        show_app_id(app.id),
        app.name.as_str(),
        app.connected_at.as_millis(),
        app.subscribers,
        app.contacts,
        app.removed_by_failed,
        app.removed_by_host,
    )
}

/// `m1 sent 1 failed 0 clicked 0 last 1000`.
fn show_message(tally: &MessageTally) -> String {
    format!(
        "{} sent {} failed {} clicked {} last {}",
        tally.id.as_str(),
        tally.counts.sent,
        tally.counts.failed,
        tally.counts.clicked,
        tally.last_at.as_millis(),
    )
}

fn show_decision(decision: &Decision) -> String {
    match decision {
        Decision::Append {
            contact,
            matched_by,
        } => format!("appends to {contact} by {}", show_kind(*matched_by)),
        Decision::Create {
            contact,
            identifiers,
            skipped,
        } => {
            let mut shown = format!("creates {contact} with {}", show_kinds(*identifiers));
            if !skipped.is_empty() {
                shown.push_str(&format!(" skipped={}", show_kinds(*skipped)));
            }
            shown
        }
        Decision::Refuse(error) => format!("refuses {}", show_entry_error(error)),
        other => panic!("{other:?}"),
    }
}

/// `phone LeadingZero`, `TokensPerContact 3 of 2`, `Conflict phone 1`; otherwise as its `Debug` is.
fn show_entry_error(error: &EntryError) -> String {
    match error {
        EntryError::Field(error) => format!("{} {:?}", error.field(), error.fault()),
        EntryError::LimitExceeded(exceeded) => show_limit(exceeded),
        EntryError::Conflict { kind, contact } => {
            format!("Conflict {} {contact}", show_kind(*kind))
        }
        other => format!("{other:?}"),
    }
}

fn show_error(error: &Error) -> String {
    match error {
        Error::UnknownApp(app) => format!("error UnknownApp {}", show_app_id(*app)),
        Error::EntryRefused { index, error } => {
            format!("error EntryRefused {index}: {}", show_entry_error(error))
        }
        Error::LimitExceeded(exceeded) => format!("error {}", show_limit(exceeded)),
        Error::Recipient(error) => format!("error {}", contacts::show_recipient_error(error)),
        Error::Field(error) => format!("error {} {:?}", error.field(), error.fault()),
        other => format!("error {other:?}"),
    }
}

fn show_limit(exceeded: &LimitExceeded) -> String {
    let LimitExceeded {
        limit,
        actual,
        most,
        ..
    } = exceeded;
    format!("{limit:?} {actual} of {most}")
}

fn show_app_id(app: AppId) -> String {
    let letters: BTreeMap<AppId, char> = ('A'..='Z')
        .map(|letter| (self::app(&letter.to_string()), letter))
        .collect();
    letters
        .get(&app)
        .map_or_else(|| app.to_string(), char::to_string)
}

fn show_ids(ids: &[ContactId]) -> String {
    if ids.is_empty() {
        return "-".to_owned();
    }
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(",")
}

fn show_kinds(kinds: KindSet) -> String {
    let kinds: Vec<&str> = kinds.iter().map(show_kind).collect();
    kinds.join(",")
}

fn show_kind(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::ContactId => "id",
        IdentifierKind::ExternalCustomerId => "ext",
        IdentifierKind::Phone => "phone",
        IdentifierKind::Email => "email",
        other => panic!("{other:?}"),
    }
}
