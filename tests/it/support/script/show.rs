//! Answers as the scripts show them: every field of every one.

use std::collections::BTreeMap;

use contact_store::{
    Address, App, AppId, Card, CardChange, Change, Changed, Conflict, ContactId, ContactUpserted,
    Decision, EntryError, Error, FieldNames, IdentifierKind, KindSet, LimitExceeded, MergeError,
    Merged, MessageTally, MuteEnd, Phone, RecipientError, Resolved, SplitOff, Subscriber,
    SubscriberId, TokenAdded, TokenMuted, TokenPlace, TokenRenamed, TokenUnmuted, Unmerged,
};

use super::words;

pub(super) fn join<T>(outcomes: &[Result<T, EntryError>], show: impl Fn(&T) -> String) -> String {
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
pub(super) fn show_subscriber_id(id: SubscriberId) -> String {
    let (app, number) = (id.value() >> 40, id.value() & ((1 << 40) - 1));
    match app {
        1 => format!("#{number}"),
        _ => format!("#{app}.{number}"),
    }
}

/// `1 created added #1 skipped=email`, `1 by phone moved from 2 #1`.
pub(super) fn show_added(added: &TokenAdded) -> String {
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

/// `3.1 created 1`, `3.2 added 1 #1`, `4.1@2000 removed 1 #1 failed`, `1.1 connected A`.
pub(super) fn show_change(change: &Change) -> String {
    let at = match change.at.as_millis() {
        1_000 => String::new(),
        at => format!("@{at}"),
    };
    let what = match change.what {
        Changed::ContactCreated { contact } => format!("created {contact}"),
        Changed::ContactUpdated { contact } => format!("updated {contact}"),
        Changed::ContactErased { contact } => format!("erased {contact}"),
        Changed::ContactMerged { contact, into } => format!("merged {contact} into {into}"),
        Changed::ContactUnmerged { contact, from } => format!("unmerged {contact} from {from}"),
        Changed::ContactSplitOff { contact, from } => format!("split {contact} from {from}"),
        Changed::TokenAdded {
            contact,
            app,
            subscriber,
        } => show_token_change("added", contact, app, subscriber),
        Changed::TokenMoved {
            contact,
            app,
            subscriber,
        } => show_token_change("moved", contact, app, subscriber),
        Changed::TokenRenamed {
            contact,
            app,
            subscriber,
        } => show_token_change("renamed", contact, app, subscriber),
        Changed::TokenMuted {
            contact,
            app,
            subscriber,
        } => show_token_change("muted", contact, app, subscriber),
        Changed::TokenUnmuted {
            contact,
            app,
            subscriber,
        } => show_token_change("unmuted", contact, app, subscriber),
        Changed::TokenRemoved {
            contact,
            app,
            subscriber,
            why,
        } => {
            let shown = show_token_change("removed", contact, app, subscriber);
            format!("{shown} {why}")
        }
        Changed::AppConnected { app } => format!("connected {}", show_app_id(app)),
        Changed::AppUpdated { app } => format!("updated {}", show_app_id(app)),
        Changed::AppDisconnected { app } => format!("disconnected {}", show_app_id(app)),
        other => panic!("{other:?}"),
    };
    format!("{}{at} {what}", change.position)
}

/// The app of a token that is not of the first app is shown: ids alone need not say it.
fn show_token_change(
    what: &str,
    contact: ContactId,
    app: AppId,
    subscriber: SubscriberId,
) -> String {
    let of = match app {
        app if app == words::app("A") => String::new(),
        app => format!("{}:", show_app_id(app)),
    };
    format!("{what} {contact} {of}{}", show_subscriber_id(subscriber))
}

/// `#1 of 1,2`, `#1 and #2 of 1,2`.
pub(super) fn show_renamed(renamed: &TokenRenamed) -> String {
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

/// What there is of it, each with a name.
fn named<const N: usize>(parts: [(&str, String); N]) -> String {
    let parts = parts.into_iter().filter(|(_, what)| !what.is_empty());
    parts
        .map(|(name, what)| format!(" {name}={what}"))
        .collect()
}

fn show_subscriber_ids(ids: &[SubscriberId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| show_subscriber_id(*id)).collect();
    ids.join(",")
}

fn show_some_ids(ids: &[ContactId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(",")
}

/// `first,city:`.
fn show_field_names(names: &FieldNames) -> String {
    let named = [
        (names.first_name, "first"),
        (names.last_name, "last"),
        (names.language_code, "lang"),
        (names.time_zone, "zone"),
    ];
    let named = named
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, name)| name.to_owned());
    let custom = names.custom.iter().map(|name| format!("{name}:"));
    named.chain(custom).collect::<Vec<_>>().join(",")
}

/// `2 into 1 gets=email kept=phone fields=first,city: tokens=#1`.
pub(super) fn show_merged(merged: &Merged) -> String {
    let parts = named([
        ("gets", show_kinds(merged.identifiers)),
        ("kept", show_kinds(merged.kept_identifiers)),
        ("fields", show_field_names(&merged.fields)),
        ("kept_fields", show_field_names(&merged.kept_fields)),
        ("tokens", show_subscriber_ids(&merged.tokens)),
        ("shared", show_subscriber_ids(&merged.shared_tokens)),
        ("ids", show_some_ids(&merged.ids)),
    ]);
    format!("{} into {}{parts}", merged.from, merged.into)
}

/// `2 from 1 gets=email fields=first tokens=#1 not=phone:3 gone=#2`.
pub(super) fn show_unmerged(unmerged: &Unmerged) -> String {
    let not = &unmerged.not_given_back;
    let taken = not.identifiers.iter();
    let taken: Vec<String> = taken
        .map(|(kind, id)| format!("{}:{id}", show_kind(*kind)))
        .collect();
    let parts = named([
        ("gets", show_kinds(unmerged.identifiers)),
        ("fields", show_field_names(&unmerged.fields)),
        ("tokens", show_subscriber_ids(&unmerged.tokens)),
        ("ids", show_some_ids(&unmerged.ids)),
        ("not", taken.join(",")),
        ("erased", show_kinds(not.erased)),
        ("gone", show_subscriber_ids(&not.tokens)),
    ]);
    format!("{} from {}{parts}", unmerged.contact, unmerged.from)
}

/// `3 from 1 gets=email tokens=#1`.
pub(super) fn show_split(split: &SplitOff) -> String {
    let parts = named([
        ("gets", show_kinds(split.identifiers)),
        ("tokens", show_subscriber_ids(&split.tokens)),
    ]);
    format!("{} from {}{parts}", split.contact, split.from)
}

/// `UnknownContact 1`, `NoSuchIdentifier 1 email`, `NotHeld 1 #1`; otherwise as its `Debug` is.
fn show_merge_error(error: &MergeError) -> String {
    match error {
        MergeError::UnknownContact(id) => format!("UnknownContact {id}"),
        MergeError::ErasedContact(id) => format!("ErasedContact {id}"),
        MergeError::IntoItself(id) => format!("IntoItself {id}"),
        MergeError::NotMerged(id) => format!("NotMerged {id}"),
        MergeError::NoSuchIdentifier { contact, kind } => {
            format!("NoSuchIdentifier {contact} {}", show_kind(*kind))
        }
        MergeError::NotHeld {
            contact,
            subscriber,
        } => format!("NotHeld {contact} {}", show_subscriber_id(*subscriber)),
        other => format!("{other:?}"),
    }
}

/// `1 phone=1234567 first="Ann" created 1000 via A [A:token1#1@1000]`.
pub fn show_card(card: &Card) -> String {
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
    shown.push_str(&show_fields(card));
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
pub(super) fn show_subscriber(subscriber: &Subscriber) -> String {
    let counts = subscriber.counts;
    let last = subscriber
        .last_status
        .map_or("-".to_owned(), |(status, at)| {
            format!("{}@{}", status.as_str(), at.as_millis())
        });
    let muted = subscriber
        .muted
        .map_or(String::new(), |end| format!(" muted {}", show_end(end)));
    format!(
        "{} {}:{} of {} registered {} sent {} failed {} clicked {} last {last}{muted}",
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
pub(super) fn show_app(app: &App) -> String {
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
pub(super) fn show_message(tally: &MessageTally) -> String {
    format!(
        "{} sent {} failed {} clicked {} last {}",
        tally.id.as_str(),
        tally.counts.sent,
        tally.counts.failed,
        tally.counts.clicked,
        tally.last_at.as_millis(),
    )
}

pub(super) fn show_decision(decision: &Decision) -> String {
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
pub(super) fn show_entry_error(error: &EntryError) -> String {
    match error {
        EntryError::Field(error) => format!("{} {:?}", error.field(), error.fault()),
        EntryError::LimitExceeded(exceeded) => show_limit(exceeded),
        EntryError::Conflict { kind, contact } => {
            format!("Conflict {} {contact}", show_kind(*kind))
        }
        EntryError::Suppressed { kind } => format!("Suppressed {}", show_kind(*kind)),
        other => format!("{other:?}"),
    }
}

pub(super) fn show_error(error: &Error) -> String {
    match error {
        Error::UnknownApp(app) => format!("error UnknownApp {}", show_app_id(*app)),
        Error::EntryRefused { index, error } => {
            format!("error EntryRefused {index}: {}", show_entry_error(error))
        }
        Error::LimitExceeded(exceeded) => format!("error {}", show_limit(exceeded)),
        Error::Recipient(error) => format!("error {}", show_recipient_error(error)),
        Error::Merge(error) => format!("error {}", show_merge_error(error)),
        Error::Field(error) => format!("error {} {:?}", error.field(), error.fault()),
        Error::ChangesNotKept { oldest } => format!("error ChangesNotKept {oldest}"),
        Error::ChangesAhead { newest } => format!("error ChangesAhead {newest}"),
        other => format!("error {other:?}"),
    }
}

pub(super) fn show_limit(exceeded: &LimitExceeded) -> String {
    let LimitExceeded {
        limit,
        actual,
        most,
        ..
    } = exceeded;
    format!("{limit:?} {actual} of {most}")
}

pub(super) fn show_app_id(app: AppId) -> String {
    let letters: BTreeMap<AppId, char> = ('A'..='Z')
        .map(|letter| (words::app(&letter.to_string()), letter))
        .collect();
    letters
        .get(&app)
        .map_or_else(|| app.to_string(), char::to_string)
}

pub(super) fn show_ids(ids: &[ContactId]) -> String {
    if ids.is_empty() {
        return "-".to_owned();
    }
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(",")
}

pub(super) fn show_kinds(kinds: KindSet) -> String {
    let kinds: Vec<&str> = kinds.iter().map(show_kind).collect();
    kinds.join(",")
}

pub(super) fn show_kind(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::ContactId => "id",
        IdentifierKind::ExternalCustomerId => "ext",
        IdentifierKind::Phone => "phone",
        IdentifierKind::Email => "email",
        other => panic!("{other:?}"),
    }
}

/// `1 created`, `1 by phone updated`.
pub(super) fn show_upserted(upserted: &ContactUpserted) -> String {
    let change = match upserted.card {
        CardChange::Created => "created",
        CardChange::Updated => "updated",
        CardChange::Unchanged => "unchanged",
        other => panic!("{other:?}"),
    };
    let by = upserted
        .matched_by
        .map_or(String::new(), |kind| format!(" by {}", show_kind(kind)));
    format!("{}{by} {change}", upserted.contact)
}

/// ` first="Ann" city:="Kyiv"`.
pub(super) fn show_fields(card: &Card) -> String {
    let fields = &card.fields;
    let named = [
        ("first", &fields.first_name),
        ("last", &fields.last_name),
        ("lang", &fields.language_code),
        ("zone", &fields.time_zone),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!(" {name}={:?}", value.as_ref()?)));
    let custom = fields.custom.iter();
    let custom = custom.map(|(name, value)| format!(" {name}:={value:?}"));
    named.chain(custom).collect()
}

/// `until 1000`, `without end`.
fn show_end(end: MuteEnd) -> String {
    end.time().map_or("without end".to_owned(), |end| {
        format!("until {}", end.as_millis())
    })
}

/// `1 phone, 2 email x3 1000..2000`.
pub(super) fn show_conflict(conflict: &Conflict) -> String {
    let [one, other] = conflict
        .contacts
        .map(|side| format!("{} {}", side.contact, show_kinds(side.named_by)));
    format!(
        "{one}, {other} x{} {}..{}",
        conflict.count,
        conflict.first_at.as_millis(),
        conflict.last_at.as_millis()
    )
}

/// `#1 until 1000`.
pub(super) fn show_muted(muted: &TokenMuted) -> String {
    match muted {
        TokenMuted::Muted {
            subscriber, until, ..
        } => format!("{} {}", show_subscriber_id(*subscriber), show_end(*until)),
        TokenMuted::UnknownSubscriber => "unknown".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// `#1`, `#1 was not`.
pub(super) fn show_unmuted(unmuted: &TokenUnmuted) -> String {
    match unmuted {
        TokenUnmuted::Unmuted {
            subscriber,
            was_muted,
            ..
        } => {
            let was_not = if *was_muted { "" } else { " was not" };
            format!("{}{was_not}", show_subscriber_id(*subscriber))
        }
        TokenUnmuted::UnknownSubscriber => "unknown".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// `A:token1 #1 of 1 | muted #2 of 1 until 1000`.
pub(super) fn show_resolved(resolved: &Resolved) -> String {
    let addresses = (!resolved.addresses.is_empty()).then(|| show_addresses(&resolved.addresses));
    let muted = resolved.muted.iter().map(|out| {
        let subscriber = show_subscriber_id(out.subscriber);
        let end = show_end(out.until);
        format!("muted {subscriber} of {} {end}", out.contact)
    });
    let shown: Vec<String> = addresses.into_iter().chain(muted).collect();
    shown.join(" | ")
}

/// `A:token1 #1 of 1`.
fn show_addresses(addresses: &[Address]) -> String {
    let show = |address: &Address| {
        let (app, token) = (show_app_id(address.app), address.token.as_str());
        let subscriber = show_subscriber_id(address.subscriber);
        format!("{app}:{token} {subscriber} of {}", address.contact)
    };
    let shown: Vec<String> = addresses.iter().map(show).collect();
    shown.join(" | ")
}

/// `NoToken 1 A`; otherwise as its `Debug` is.
pub(super) fn show_recipient_error(error: &RecipientError) -> String {
    match error {
        RecipientError::UnknownSubscriber(id) => {
            format!("UnknownSubscriber {}", show_subscriber_id(*id))
        }
        RecipientError::NoToken { contact, app } => {
            format!("NoToken {contact} {}", show_app_id(*app))
        }
        other => format!("{other:?}"),
    }
}
