//! Commands about contacts: `get`, `find`, `explain` and `contacts`.

use contact_store::{Card, ContactId, Decision, IdentifierKind, KindSet, MatchPolicy, Phone, wire};

use crate::args::Given;
use crate::failure::Failure;
use crate::open::open;
use crate::place::Place;
use crate::show::{Output, Table, time};

/// Contacts read at a time.
const PAGE: usize = 250;

/// The card of the contact that has one identifier.
pub(crate) fn get(place: &Place, by: &Given, output: &mut Output) -> Result<(), Failure> {
    let identifier = by.parse_one()?;
    let store = open(place)?;
    let now = store.snapshot()?;
    match now.find(&identifier, MatchPolicy::Cascade)? {
        None => Err(nobody()),
        Some(found) if output.json => Ok(output.object(&wire::card(&found.card))?),
        Some(found) => show_card(&found.card, None, output),
    }
}

/// The contact that identifiers name under a policy.
pub(crate) fn find(
    place: &Place,
    by: &Given,
    policy: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let identifiers = by.parse()?;
    let policy = MatchPolicy::parse(policy)?;
    let found = open(place)?.snapshot()?.find(&identifiers, policy)?;
    if output.json {
        output.object(&wire::contact_found(found.as_ref()))?;
    }
    match found {
        None => Err(nobody()),
        Some(_) if output.json => Ok(()),
        Some(found) => show_card(&found.card, Some(found.matched_by), output),
    }
}

fn nobody() -> Failure {
    Failure::NotFound("no contact is found".to_owned())
}

/// What each identifier names, and what either policy decides.
pub(crate) fn explain(place: &Place, by: &Given, output: &mut Output) -> Result<(), Failure> {
    let identifiers = by.parse()?;
    let explained = open(place)?.snapshot()?.explain(&identifiers)?;
    if output.json {
        return Ok(output.object(&wire::explanation(&explained))?);
    }
    let mut table = Table::new(output, &["IDENTIFIER", "CONTACT"]);
    for (kind, contact) in &explained.named {
        let contact = contact.map(|id| id.to_string());
        table.row([kind.to_string(), contact.unwrap_or_default()])?;
    }
    table.end()?;
    output.line("")?;
    let mut table = Table::new(output, &["POLICY", "ADDING A TOKEN WOULD"]);
    for (policy, decision) in [
        (MatchPolicy::Cascade, &explained.cascade),
        (MatchPolicy::TopPriority, &explained.top_priority),
    ] {
        table.row([policy.to_string(), in_words(decision)])?;
    }
    Ok(table.end()?)
}

fn in_words(decision: &Decision) -> String {
    match decision {
        Decision::Append {
            contact,
            matched_by,
        } => format!("append it to contact {contact}, found by {matched_by}"),
        Decision::Create {
            contact,
            identifiers,
            skipped,
        } => {
            let with = listed(*identifiers);
            let created = format!("create contact {contact} with {with}");
            match skipped.is_empty() {
                true => created,
                false => format!("{created}; another contact has {}", listed(*skipped)),
            }
        }
        Decision::Refuse(error) => format!("be refused: {error}"),
        _ => "do what this version cannot show".to_owned(),
    }
}

fn listed(kinds: KindSet) -> String {
    let kinds: Vec<&str> = kinds.iter().map(IdentifierKind::as_str).collect();
    kinds.join(", ")
}

/// All contacts, or some.
pub(crate) fn list(
    place: &Place,
    after: Option<&str>,
    limit: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut after = after.map(ContactId::parse).transpose()?;
    let mut left = limit.map_or(Ok(usize::MAX), count)?;
    let store = open(place)?;
    let now = store.snapshot()?;
    let mut rows = Rows::new(output);
    while left > 0 {
        let page = now.contacts(after, left.min(PAGE))?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        left = left.saturating_sub(page.len());
        for card in &page {
            rows.card(card)?;
        }
    }
    rows.end()
}

fn count(text: &str) -> Result<usize, Failure> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| Failure::usage("--limit must be an integer from 1"))
}

/// Contacts, one a row or one JSON object a line.
enum Rows<'o> {
    Json(&'o mut Output),
    Text(Table<'o>),
}

impl<'o> Rows<'o> {
    fn new(output: &'o mut Output) -> Self {
        const NAMES: [&str; 7] = [
            "CONTACT",
            "EXTERNAL CUSTOMER ID",
            "PHONE",
            "EMAIL",
            "NAME",
            "TOKENS",
            "CREATED AT",
        ];
        match output.json {
            true => Rows::Json(output),
            false => Rows::Text(Table::new(output, &NAMES)),
        }
    }

    fn card(&mut self, card: &Card) -> Result<(), Failure> {
        let table = match self {
            Rows::Json(output) => return Ok(output.object(&wire::card(card))?),
            Rows::Text(table) => table,
        };
        let [external, phone, email] = identifiers(card);
        let fields = &card.fields;
        let names = [&fields.first_name, &fields.last_name]
            .into_iter()
            .flatten();
        let names: Vec<&str> = names.map(String::as_str).collect();
        Ok(table.row([
            card.id.to_string(),
            external,
            phone,
            email,
            names.join(" "),
            card.tokens.len().to_string(),
            time(card.created_at),
        ])?)
    }

    fn end(self) -> Result<(), Failure> {
        match self {
            Rows::Json(_) => Ok(()),
            Rows::Text(table) => Ok(table.end()?),
        }
    }
}

/// External customer id, phone and email; empty where there is none.
fn identifiers(card: &Card) -> [String; 3] {
    let of = &card.identifiers;
    let external = of.external_customer_id().map(|id| id.as_str().to_owned());
    let phone = of.phone().map(Phone::digits);
    let email = of.email().map(|email| email.as_str().to_owned());
    [external, phone, email].map(Option::unwrap_or_default)
}

fn show_card(
    card: &Card,
    matched_by: Option<IdentifierKind>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut table = Table::without_names(output);
    if let Some(kind) = matched_by {
        table.row(["found by".to_owned(), kind.to_string()])?;
    }
    let [external, phone, email] = identifiers(card);
    let fields = &card.fields;
    let field = |field: &Option<String>| field.clone().unwrap_or_default();
    let through = card.created_through.map(|app| app.to_string());
    let rows = [
        ("contact", card.id.to_string()),
        ("external customer id", external),
        ("phone", phone),
        ("email", email),
        ("first name", field(&fields.first_name)),
        ("last name", field(&fields.last_name)),
        ("language code", field(&fields.language_code)),
        ("time zone", field(&fields.time_zone)),
        ("created at", time(card.created_at)),
        ("created through app", through.unwrap_or_default()),
    ];
    for (name, value) in rows {
        table.row([name.to_owned(), value])?;
    }
    for (name, value) in &fields.custom {
        table.row([format!("field {name}"), value.clone()])?;
    }
    table.end()?;
    output.line("")?;
    let mut table = Table::new(output, &["TOKEN", "APP", "SUBSCRIBER", "ADDED AT"]);
    for held in &card.tokens {
        table.row([
            held.token.as_str().to_owned(),
            held.app.to_string(),
            held.subscriber.to_string(),
            time(held.added_at),
        ])?;
    }
    Ok(table.end()?)
}
