//! What a store shows, for people to read.

use std::fmt::Write as _;

use contact_store::{Card, Identifiers, Snapshot, Subscriber};

use crate::support::id;

/// All of it, as one text.
pub fn shown(now: &Snapshot) -> String {
    let mut text = String::new();
    let sequence = now.sequence();
    let contacts = now.contact_count();
    writeln!(text, "at {sequence}, {contacts} contacts").unwrap();
    for app in now.apps().unwrap() {
        let name = short(app.name.as_str());
        let key = now.access_key(app.id).unwrap();
        let key = key.map_or_else(|| "none".to_owned(), |key| short(key.reveal()));
        write!(text, "\napp {}\n  name {name}\n  key {key}\n", app.id).unwrap();
        writeln!(
            text,
            "  connected at {}, subscribers {}, contacts {}, removed by FAILED {}, by the host {}",
            app.connected_at.as_millis(),
            app.subscribers,
            app.contacts,
            app.removed_by_failed,
            app.removed_by_host
        )
        .unwrap();
        for tally in now.messages(app.id, None, 1_000).unwrap() {
            let (id, last) = (short(tally.id.as_str()), tally.last_at.as_millis());
            let (sent, failed) = (tally.counts.sent, tally.counts.failed);
            let clicked = tally.counts.clicked;
            writeln!(
                text,
                "  message {id}: sent {sent}, failed {failed}, clicked {clicked}, last at {last}"
            )
            .unwrap();
        }
        for subscriber in now.subscribers(app.id, None, 1_000).unwrap() {
            show_subscriber(&mut text, &subscriber);
        }
    }
    for card in cards(now) {
        show_card(&mut text, &card);
    }
    text
}

/// All cards.
pub fn cards(now: &Snapshot) -> Vec<Card> {
    let ids = (1..=100).chain([1_000, 1_001, 5_000, i64::MAX as u64]);
    ids.filter_map(|number| now.contact(id(number)).unwrap())
        .collect()
}

fn show_subscriber(text: &mut String, subscriber: &Subscriber) {
    let contacts = subscriber.contacts.iter().map(|id| id.value().to_string());
    let contacts = contacts.collect::<Vec<_>>().join(" ");
    let last = subscriber.last_status.map_or_else(
        || "none".to_owned(),
        |(status, at)| format!("{} at {}", status.as_str(), at.as_millis()),
    );
    let counts = subscriber.counts;
    writeln!(
        text,
        "  subscriber {} token {} of {contacts}, registered at {}, last {last}, sent {}, failed {}, clicked {}",
        subscriber.id,
        short(subscriber.token.as_str()),
        subscriber.last_registered_at.as_millis(),
        counts.sent,
        counts.failed,
        counts.clicked
    )
    .unwrap();
}

fn show_card(text: &mut String, card: &Card) {
    let through = card
        .created_through
        .map_or_else(String::new, |app| format!(" through {app}"));
    let at = card.created_at.as_millis();
    writeln!(
        text,
        "\ncontact {} created at {at}{through}",
        card.id.value()
    )
    .unwrap();
    let (external_id, phone, email) = identifiers(&card.identifiers);
    let fields = &card.fields;
    for (name, value) in [
        ("external id", external_id),
        ("phone", phone),
        ("email", email),
        ("first name", fields.first_name.clone()),
        ("last name", fields.last_name.clone()),
        ("language", fields.language_code.clone()),
        ("time zone", fields.time_zone.clone()),
    ] {
        if let Some(value) = value {
            writeln!(text, "  {name} {}", short(&value)).unwrap();
        }
    }
    for (name, value) in &fields.custom {
        writeln!(text, "  field {}: {}", short(name), short(value)).unwrap();
    }
    for token in &card.tokens {
        let (app, at) = (token.app, token.added_at.as_millis());
        let value = short(token.token.as_str());
        let subscriber = token.subscriber;
        writeln!(
            text,
            "  token {value} of {app}, subscriber {subscriber}, added at {at}"
        )
        .unwrap();
    }
}

/// External id, phone and email.
pub fn identifiers(of: &Identifiers) -> (Option<String>, Option<String>, Option<String>) {
    (
        of.external_customer_id().map(|id| id.as_str().to_owned()),
        of.phone().map(|phone| phone.digits()),
        of.email().map(|email| email.as_str().to_owned()),
    )
}

/// A text with each run of eight or more of one character as the character and how many.
fn short(text: &str) -> String {
    let mut shortened = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = rest.trim_start_matches(first);
        let run = &rest[..rest.len() - after.len()];
        match run.chars().count() {
            many @ 8.. => write!(shortened, "{first}{{{many}}}").unwrap(),
            _ => shortened.push_str(run),
        }
        rest = after;
    }
    format!("\"{}\"", shortened.escape_debug())
}
