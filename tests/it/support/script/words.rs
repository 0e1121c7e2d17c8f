//! The language of the scripts: lines, words, and the requests that they make.

use std::collections::VecDeque;

use contact_store::{
    AppId, BatchMode, ContactId, ContactUpdate, DedupeOn, GivenIdentifiers, GivenRecipient,
    IdentifierKind, MatchPolicy, Report, Split, Status, SubscriberId, Timestamp, Token, TokenEntry,
    UnknownContactId, Upsert, UpsertMode, ValueChange,
};

/// The app with this letter.
pub fn app(letter: &str) -> AppId {
    let letter = u8::try_from(letter.parse::<char>().unwrap()).unwrap();
    assert!(letter.is_ascii_uppercase(), "an app is called by a letter");
    AppId::from_u128(u128::from(letter - b'A') + 0xa)
}

/// The lines of a script: number, request, answer.
pub(super) fn lines(text: &str) -> Vec<(usize, String, String)> {
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

/// The words of a request that are not read yet.
pub(super) struct Words(pub(super) VecDeque<String>);

impl Words {
    /// The words of a request. Between quotation marks everything is part of the word.
    pub(super) fn of(request: &str) -> Self {
        let mut words = VecDeque::new();
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

    pub(super) fn next(&mut self) -> Option<String> {
        self.0.pop_front()
    }

    #[track_caller]
    pub(super) fn must(&mut self) -> String {
        self.next().expect("another word")
    }

    #[track_caller]
    pub(super) fn number(&mut self) -> u64 {
        self.must().parse().unwrap()
    }

    /// The words before and after the `:`.
    pub(super) fn halves(self) -> [Vec<String>; 2] {
        let words = Vec::from(self.0);
        let colon = words.iter().position(|word| word == ":").expect("a :");
        [words[..colon].to_vec(), words[colon + 1..].to_vec()]
    }

    pub(super) fn named(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter().map(|word| {
            let (name, value) = word.split_once('=').expect("name=value");
            (name.to_owned(), value.to_owned())
        })
    }
}

pub(super) fn split(entries: Vec<String>) -> impl Iterator<Item = Vec<String>> {
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
pub(super) fn token_entry(words: Vec<String>) -> TokenEntry {
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
pub(super) fn delivery_report(words: Vec<String>) -> Report {
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
pub(super) fn subscriber_id(word: &str) -> SubscriberId {
    let id = word.strip_prefix('#').expect("an id begins with #");
    let (app, number) = id.split_once('.').unwrap_or(("1", id));
    let [app, number] = [app, number].map(|number| number.parse::<u64>().unwrap());
    SubscriberId::new(app << 40 | number)
}

pub(super) fn given(words: Words) -> (MatchPolicy, GivenIdentifiers) {
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

pub(super) fn policy(word: &str) -> MatchPolicy {
    match word {
        "cascade" => MatchPolicy::Cascade,
        "top" => MatchPolicy::TopPriority,
        _ => panic!("{word}?"),
    }
}

#[track_caller]
pub(super) fn value<'w>(word: &'w str, name: &str) -> &'w str {
    word.strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='))
        .unwrap_or_else(|| panic!("{word} is not {name}=…"))
}

pub(super) fn contact(word: &str) -> ContactId {
    ContactId::parse(word).unwrap()
}

pub(super) fn token(word: &str) -> Token {
    Token::parse(word).unwrap()
}

pub(super) fn millis(word: &str) -> Timestamp {
    Timestamp::from_millis(word.parse().unwrap())
}

/// The request of `phoneThenEmail mode=all : phone=1234567 email=null | ext=c1 first=Ann city:=Kyiv`.
pub(super) fn upsert(words: Words) -> Upsert {
    let [head, items] = words.halves();
    let mut head = Words(head.into());
    let mut request = Upsert::new(DedupeOn::parse(&head.must()).unwrap());
    for (word, value) in head.named() {
        request = match (word.as_str(), value.as_str()) {
            ("at", value) => request.at(millis(value)),
            ("unknown", "adopt") => request.unknown_contact_id(UnknownContactId::Adopt),
            ("unknown", "reject") => request.unknown_contact_id(UnknownContactId::Reject),
            ("only", "update") => request.upsert_mode(UpsertMode::UpdateOnly),
            ("only", "create") => request.upsert_mode(UpsertMode::CreateOnly),
            ("mode", "all") => request.mode(BatchMode::AllOrNothing),
            _ => panic!("{word}={value}?"),
        };
    }
    request.contacts(split(items).map(item))
}

/// `phone=1234567 email=null first=Ann city:=Kyiv`; `-` is an item that names nothing. The name of a
/// custom field ends with a colon.
pub(super) fn item(mut words: Vec<String>) -> ContactUpdate {
    words.retain(|word| word != "-");
    let mut update = ContactUpdate::new();
    for (word, value) in Words(words.into()).named() {
        let change = match value.as_str() {
            "null" => ValueChange::Remove,
            text => ValueChange::from(text),
        };
        update = match word.as_str() {
            "id" => update.contact_id(value.parse::<i128>().unwrap()),
            "ext" => update.external_customer_id(change),
            "phone" => update.phone(change),
            "email" => update.email(change),
            "first" => update.first_name(change),
            "last" => update.last_name(change),
            "lang" => update.language_code(change),
            "zone" => update.time_zone(change),
            custom => update.field(custom.strip_suffix(':').expect("name:=value"), change),
        };
    }
    update
}

/// What `sub=#1 app=A number=1234567` gives.
pub(super) fn recipient(words: Vec<(String, String)>) -> GivenRecipient {
    let mut given = GivenRecipient::new();
    for (word, value) in words {
        given = match word.as_str() {
            "sub" => given.subscriber(subscriber_id(&value)),
            "app" => given.app(app(&value)),
            "number" => given.number(value),
            _ => panic!("{word}?"),
        };
    }
    given
}

/// `1 email,phone #1 #2 at=900`; `-` names no identifier.
pub(super) fn split_request(mut words: Words) -> Split {
    let mut request = Split::new(contact(&words.must()));
    let kinds = words.must();
    for kind in kinds.split(',').filter(|kind| *kind != "-") {
        request = request.identifier(match kind {
            "id" => IdentifierKind::ContactId,
            "ext" => IdentifierKind::ExternalCustomerId,
            other => IdentifierKind::parse(other).unwrap(),
        });
    }
    while let Some(word) = words.next() {
        request = match word.strip_prefix("at=") {
            Some(at) => request.at(millis(at)),
            None => request.subscriber(subscriber_id(&word)),
        };
    }
    request
}
