//! Answers of the store in their published form.
//!
//! Each function returns a value for any serializer. Members that do not apply are left out, and
//! the order of members is fixed (R55).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::error::EntryError;
use crate::model::app::{App, AppId, AppName};
use crate::model::contact::{Card, HeldToken};
use crate::model::identifier::{ContactId, IdentifierKind, KindSet, Phone};
use crate::model::recipient::{Address, LeftOut, Resolved};
use crate::model::report::StatusCounts;
use crate::model::report::{MessageTally, Status};
use crate::model::subscriber::{MuteEnd, Subscriber};
use crate::model::time::Timestamp;
use crate::operations::add_tokens::{TokenAdded, TokenPlace, TokensAdded};
use crate::operations::bring_back::TokenBroughtBack;
use crate::operations::erase::Erased;
use crate::operations::explain::{Decision, Explanation};
use crate::operations::forget_messages::MessagesForgotten;
use crate::operations::lift_suppression::SuppressionLifted;
use crate::operations::mute::{TokenMuted, TokenUnmuted};
use crate::operations::record_reports::ReportOutcome;
use crate::operations::remove_stale::StaleRemoved;
use crate::operations::remove_token::TokenRemoved;
use crate::operations::rename_token::TokenRenamed;
use crate::operations::upsert::{CardChange, ContactUpserted};
use crate::pages::ContactPage;
use crate::snapshot::Found;
use crate::storage::Verified;

use super::fault::Refused;

/// `{"results": [...]}`, one for each entry in order ([R25](crate::rulebook#r25)).
#[must_use]
pub fn tokens_added(outcome: &TokensAdded) -> impl Serialize {
    Results {
        results: List::of(&outcome.entries, |entry| match entry {
            Ok(added) => OrRefused::Accepted(Added::from(added)),
            Err(error) => OrRefused::Refused(Refused::entry(error)),
        }),
    }
}

/// `{"results": [{"outcome"}, ...]}`, one for each report in order ([R36](crate::rulebook#r36)).
#[must_use]
pub fn reports_recorded(outcomes: &[Result<ReportOutcome, EntryError>]) -> impl Serialize {
    Results {
        results: List::of(outcomes, |outcome| match outcome {
            Ok(outcome) => OrRefused::Accepted(Recorded::from(outcome)),
            Err(error) => OrRefused::Refused(Refused::entry(error)),
        }),
    }
}

/// `{"results": [{"contactId", "contact", "matchedBy"}, ...]}`, one for each item in order;
/// `contact` is `created`, `updated` or `unchanged` ([R41](crate::rulebook#r41)).
#[must_use]
pub fn contacts_upserted(outcomes: &[Result<ContactUpserted, EntryError>]) -> impl Serialize {
    Results {
        results: List::of(outcomes, |outcome| match outcome {
            Ok(upserted) => OrRefused::Accepted(UpsertedForm::from(upserted)),
            Err(error) => OrRefused::Refused(Refused::entry(error)),
        }),
    }
}

/// One accepted entry of add-tokens, as in the `results` ([R25](crate::rulebook#r25)). A refused
/// one is [`entry_error`](super::entry_error).
#[must_use]
pub fn token_added(added: &TokenAdded) -> impl Serialize {
    Added::from(added)
}

/// One accepted report, as in the `results` ([R36](crate::rulebook#r36)).
#[must_use]
pub fn report_recorded(outcome: &ReportOutcome) -> impl Serialize {
    Recorded::from(outcome)
}

/// One accepted item of an upsert, as in the `results` ([R41](crate::rulebook#r41)).
#[must_use]
pub fn contact_upserted(upserted: &ContactUpserted) -> impl Serialize {
    UpsertedForm::from(upserted)
}

/// `{"recipients": [{"appUuid", "token", "subscriberId", "contactId"}, ...], "muted":
/// [{"subscriberId", "contactId", "until"}, ...]}` ([R39](crate::rulebook#r39)).
///
/// `muted` has the subscribers that were left out since they are muted, if there are any. Without
/// `until` the mute has no end ([R59](crate::rulebook#r59)).
#[must_use]
pub fn recipients(resolved: &Resolved) -> impl Serialize {
    let muted = List::of(&resolved.muted, |left_out: &LeftOut| LeftOutForm {
        subscriber_id: Shown(left_out.subscriber.value()),
        contact_id: left_out.contact.value(),
        until: left_out.until.time().map(Timestamp::as_millis),
    });
    Recipients {
        recipients: List::of(&resolved.addresses, |address: &Address| AddressForm {
            app_uuid: Shown(address.app),
            token: address.token.as_str(),
            subscriber_id: Shown(address.subscriber.value()),
            contact_id: address.contact.value(),
        }),
        muted: (!resolved.muted.is_empty()).then_some(muted),
    }
}

/// `{"contact": {...}, "matchedBy"}`, or `{"contact": null}` ([R26](crate::rulebook#r26)).
#[must_use]
pub fn contact_found(found: Option<&Found>) -> impl Serialize {
    ContactFound {
        contact: found.map(|found| CardForm::from(&found.card)),
        matched_by: found.map(|found| found.matched_by.as_str()),
    }
}

/// A card: `{"contactId", "externalCustomerId", "phone", "email", "firstName", "lastName",
/// "languageCode", "timeZone", "fields": {...}, "createdAt", "createdThroughAppUuid", "tokens":
/// [...]}` ([R29](crate::rulebook#r29), [R43](crate::rulebook#r43)).
#[must_use]
pub fn card(card: &Card) -> impl Serialize {
    CardForm::from(card)
}

/// `{"contacts": [card, ...]}` ([R56](crate::rulebook#r56)). The last `contactId` is the `after` of
/// the next page.
#[must_use]
pub fn contacts(page: &[Card]) -> impl Serialize {
    Contacts {
        contacts: List::of(page, CardForm::from),
        next: None,
    }
}

/// `{"contacts": [card, ...], "next"}`: `next` is the `after` of the next page. It is left out when
/// there are no more contacts ([R56](crate::rulebook#r56)).
#[must_use]
pub fn contact_page(page: &ContactPage) -> impl Serialize {
    Contacts {
        contacts: List::of(&page.contacts, CardForm::from),
        next: page.next.map(ContactId::value),
    }
}

/// `{"named": {kind: contact id or null, ...}, "cascade": {...}, "topPriority": {...}}`
/// ([R28](crate::rulebook#r28)).
#[must_use]
pub fn explanation(explanation: &Explanation) -> impl Serialize {
    ExplanationForm {
        named: Named(&explanation.named),
        cascade: DecisionForm::from(&explanation.cascade),
        top_priority: DecisionForm::from(&explanation.top_priority),
    }
}

/// `{"appUuid", "name"}` of an app that was connected.
#[must_use]
pub fn app_connected(id: AppId, name: &AppName) -> impl Serialize {
    Connected {
        app_uuid: Shown(id),
        name: name.as_str(),
    }
}

/// `{"disconnected": true}`.
#[must_use]
pub fn app_disconnected() -> impl Serialize {
    Disconnected { disconnected: true }
}

/// `{"apps": [{"appUuid", "name", "subscribers", "contacts"}, ...]}` ([R37](crate::rulebook#r37)).
#[must_use]
pub fn apps(apps: &[App]) -> impl Serialize {
    Apps {
        apps: List::of(apps, AppForm::from),
    }
}

/// One app, as it stands among those of [`apps`] ([R37](crate::rulebook#r37)), for a
/// listing of one object a line.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = AppId::parse("6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f")?;
/// # store.connect_app(ConnectApp::new(AppName::parse("Shop")?).id(bot)).wait()?;
/// let bot = store.snapshot()?.app(bot)?.ok_or("not connected")?;
/// assert_eq!(
///     serde_json::to_string(&wire::app(&bot))?,
///     r#"{"appUuid":"6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f","name":"Shop","subscribers":0,"contacts":0}"#,
/// );
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn app(app: &App) -> impl Serialize {
    AppForm::from(app)
}

/// `{"subscribers": [{"subscriberId", "token", "contactIds", "lastRegisteredAt", "lastStatus",
/// "lastStatusAt", "muted": {"until"}, "counts"}, ...]}` ([R38](crate::rulebook#r38)).
///
/// `muted` is there if the subscriber has a mute. Without `until` it has no end
/// ([R59](crate::rulebook#r59)).
#[must_use]
pub fn subscribers(page: &[Subscriber]) -> impl Serialize {
    Subscribers {
        subscribers: List::of(page, SubscriberForm::from),
    }
}

/// One subscriber, as it stands among those of [`subscribers`] ([R38](crate::rulebook#r38)),
/// for a listing of one object a line.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("100200300").email("ann@example.com"))).wait()?;
/// for subscriber in store.snapshot()?.iter_subscribers(bot) {
///     let line = serde_json::to_string(&wire::subscriber(&subscriber?))?;
///     assert!(line.starts_with(r#"{"subscriberId":"1099511627777","token":"100200300","contactIds":[1],"#));
/// }
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn subscriber(subscriber: &Subscriber) -> impl Serialize {
    SubscriberForm::from(subscriber)
}

/// `{"messages": [{"messageId", "counts", "lastAt"}, ...]}` ([R30](crate::rulebook#r30)).
#[must_use]
pub fn messages(page: &[MessageTally]) -> impl Serialize {
    Messages {
        messages: List::of(page, MessageForm::from),
    }
}

/// The tally of one message, as it stands among those of [`messages`] ([R30](crate::rulebook#r30)), for a
/// listing of one object a line.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("100200300").email("ann@example.com"))).wait()?;
/// # let sent = Report::new(Status::Sent).token("100200300").message("spring");
/// # store.record_reports(RecordReports::new(bot).report(sent)).wait()?;
/// for tally in store.snapshot()?.iter_messages(bot) {
///     let line = serde_json::to_string(&wire::message(&tally?))?;
///     assert!(line.starts_with(r#"{"messageId":"spring","counts":{"sent":1,"failed":0,"clicked":0},"#));
/// }
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn message(tally: &MessageTally) -> impl Serialize {
    MessageForm::from(tally)
}

/// `{"forgotten": n}`: the number of message tallies removed.
#[must_use]
pub fn messages_forgotten(outcome: MessagesForgotten) -> impl Serialize {
    Forgotten {
        forgotten: outcome.messages,
    }
}

/// `{"subscribers", "takenOff", "dryRun"}`: the stale subscribers that were removed, or that a dry
/// run counted, and how often a contact lost a token by it ([R62](crate::rulebook#r62)).
#[must_use]
pub fn stale_removed(outcome: StaleRemoved) -> impl Serialize {
    Stale {
        subscribers: outcome.subscribers,
        taken_off: outcome.taken_off,
        dry_run: outcome.dry_run,
    }
}

/// `{"removedFrom": [contact ids]}`: the contacts whose cards lost the token
/// ([R45](crate::rulebook#r45)).
#[must_use]
pub fn token_removed(outcome: &TokenRemoved) -> impl Serialize {
    Removed {
        removed_from: ContactIds(&outcome.from),
    }
}

/// `{"outcome", "subscriberId", "joinedSubscriberId", "contactIds"}`; `outcome` is `renamed`,
/// `joined` or `unknownSubscriber` ([R57](crate::rulebook#r57)).
#[must_use]
pub fn token_renamed(outcome: &TokenRenamed) -> impl Serialize {
    let (outcome, subscriber, joined, contacts) = match outcome {
        TokenRenamed::Renamed {
            subscriber,
            contacts,
        } => ("renamed", Some(subscriber), None, Some(contacts)),
        TokenRenamed::Joined {
            subscriber,
            joined,
            contacts,
        } => ("joined", Some(subscriber), Some(joined), Some(contacts)),
        TokenRenamed::UnknownSubscriber => ("unknownSubscriber", None, None, None),
    };
    Renamed {
        outcome,
        subscriber_id: subscriber.map(|id| Shown(id.value())),
        joined_subscriber_id: joined.map(|id| Shown(id.value())),
        contact_ids: contacts.map(|ids| ContactIds(ids)),
    }
}

/// `{"outcome", "subscriberId", "contactIds"}`; `outcome` is `broughtBack` or `notRemembered`
/// ([R63](crate::rulebook#r63)).
#[must_use]
pub fn token_brought_back(outcome: &TokenBroughtBack) -> impl Serialize {
    let (outcome, subscriber, contacts) = match outcome {
        TokenBroughtBack::BroughtBack {
            subscriber,
            contacts,
        } => ("broughtBack", Some(subscriber), Some(contacts)),
        TokenBroughtBack::NotRemembered => ("notRemembered", None, None),
    };
    Renamed {
        outcome,
        subscriber_id: subscriber.map(|id| Shown(id.value())),
        joined_subscriber_id: None,
        contact_ids: contacts.map(|ids| ContactIds(ids)),
    }
}

/// `{"outcome", "subscriberId", "until"}`; `outcome` is `muted` or `unknownSubscriber`, and there is
/// no `until` for a mute without an end ([R59](crate::rulebook#r59)).
#[must_use]
pub fn token_muted(outcome: &TokenMuted) -> impl Serialize {
    let (outcome, subscriber, until) = match outcome {
        TokenMuted::Muted { subscriber, until } => ("muted", Some(subscriber), until.time()),
        TokenMuted::UnknownSubscriber => ("unknownSubscriber", None, None),
    };
    MuteForm {
        outcome,
        subscriber_id: subscriber.map(|id| Shown(id.value())),
        until: until.map(Timestamp::as_millis),
    }
}

/// `{"outcome", "subscriberId"}`; `outcome` is `unmuted`, `notMuted` or `unknownSubscriber`
/// ([R59](crate::rulebook#r59)).
#[must_use]
pub fn token_unmuted(outcome: &TokenUnmuted) -> impl Serialize {
    let (outcome, subscriber) = match outcome {
        TokenUnmuted::Unmuted {
            subscriber,
            was_muted: true,
        } => ("unmuted", Some(subscriber)),
        TokenUnmuted::Unmuted {
            subscriber,
            was_muted: false,
        } => ("notMuted", Some(subscriber)),
        TokenUnmuted::UnknownSubscriber => ("unknownSubscriber", None),
    };
    MuteForm {
        outcome,
        subscriber_id: subscriber.map(|id| Shown(id.value())),
        until: None,
    }
}

/// `{"erased": true, "suppressed": [kinds]}`, or `false` for an unknown contact
/// ([R44](crate::rulebook#r44)). `suppressed` is there if any identifier was suppressed
/// ([R65](crate::rulebook#r65)).
#[must_use]
pub fn erased(outcome: Erased) -> impl Serialize {
    ErasedForm {
        erased: outcome.erased,
        suppressed: Kinds::given(outcome.suppressed),
    }
}

/// `{"lifted": [kinds]}`: the kinds of the identifiers that were suppressed and no longer are
/// ([R65](crate::rulebook#r65)).
#[must_use]
pub fn suppression_lifted(outcome: SuppressionLifted) -> impl Serialize {
    LiftedForm {
        lifted: Kinds(outcome.lifted),
    }
}

/// `{"verified": true, "problems": []}`. With problems `verified` is `false`, and their total
/// number is added.
#[must_use]
pub fn verified(found: &Verified) -> impl Serialize {
    VerifiedForm {
        verified: found.is_sound(),
        problems: List::of(&found.problems, |problem| ProblemForm {
            table: problem.table,
            row: problem.row,
            what: problem.what,
        }),
        problem_count: (!found.is_sound()).then_some(found.problem_count),
    }
}

/// A list whose elements are formed one at a time, while it is written.
pub(super) struct List<'a, T, F>(&'a [T], F);

impl<'a, T, F> List<'a, T, F> {
    /// The bound lets the compiler infer the type of the closure's argument.
    pub(super) fn of<S>(list: &'a [T], form: F) -> Self
    where
        F: Fn(&'a T) -> S,
    {
        List(list, form)
    }
}

impl<'a, T, F, S> Serialize for List<'a, T, F>
where
    F: Fn(&'a T) -> S,
    S: Serialize,
{
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.0.iter().map(&self.1))
    }
}

/// A value written as the string that it displays.
pub(super) struct Shown<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A set of kinds, written as a list of published names.
pub(super) struct Kinds(KindSet);

impl Kinds {
    pub(super) fn of(kinds: KindSet) -> Self {
        Kinds(kinds)
    }

    pub(super) fn given(kinds: KindSet) -> Option<Self> {
        (!kinds.is_empty()).then_some(Kinds(kinds))
    }
}

impl Serialize for Kinds {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.0.iter().map(IdentifierKind::as_str))
    }
}

pub(super) struct ContactIds<'a>(pub(super) &'a [ContactId]);

impl<'a> ContactIds<'a> {
    pub(super) fn given(ids: &'a [ContactId]) -> Option<Self> {
        (!ids.is_empty()).then_some(ContactIds(ids))
    }
}

impl Serialize for ContactIds<'_> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        serializer.collect_seq(self.0.iter().map(|id| id.value()))
    }
}

#[derive(Serialize)]
struct Results<R> {
    results: R,
}

#[derive(Serialize)]
#[serde(untagged)]
enum OrRefused<T> {
    Accepted(T),
    Refused(Refused),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Added<'a> {
    contact_id: u64,
    contact: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_by: Option<&'static str>,
    token: &'static str,
    subscriber_id: Shown<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Kinds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<Kinds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_from: Option<ContactIds<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    also_held_by: Option<ContactIds<'a>>,
}

impl<'a> From<&'a TokenAdded> for Added<'a> {
    fn from(added: &'a TokenAdded) -> Self {
        let (token, moved_from) = match &added.token {
            TokenPlace::Added => ("added", None),
            TokenPlace::AlreadyHeld => ("alreadyHeld", None),
            TokenPlace::Moved { from } => ("moved", Some(ContactIds(from))),
        };
        Added {
            contact_id: added.contact.value(),
            contact: match added.matched_by {
                Some(_) => "found",
                None => "created",
            },
            matched_by: added.matched_by.map(IdentifierKind::as_str),
            token,
            subscriber_id: Shown(added.subscriber.value()),
            skipped: Kinds::given(added.skipped),
            ignored: Kinds::given(added.ignored),
            moved_from,
            also_held_by: ContactIds::given(&added.also_held_by),
        }
    }
}

#[derive(Serialize)]
struct Recorded {
    outcome: &'static str,
}

impl From<&ReportOutcome> for Recorded {
    fn from(outcome: &ReportOutcome) -> Self {
        Recorded {
            outcome: match outcome {
                ReportOutcome::Recorded => "recorded",
                ReportOutcome::Removed { .. } => "removed",
                ReportOutcome::UnknownSubscriber => "unknownSubscriber",
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpsertedForm {
    contact_id: u64,
    contact: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_by: Option<&'static str>,
}

impl From<&ContactUpserted> for UpsertedForm {
    fn from(upserted: &ContactUpserted) -> Self {
        UpsertedForm {
            contact_id: upserted.contact.value(),
            contact: match upserted.card {
                CardChange::Created => "created",
                CardChange::Updated => "updated",
                CardChange::Unchanged => "unchanged",
            },
            matched_by: upserted.matched_by.map(IdentifierKind::as_str),
        }
    }
}

#[derive(Serialize)]
struct Recipients<L, M> {
    recipients: L,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted: Option<M>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LeftOutForm {
    subscriber_id: Shown<u64>,
    contact_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AddressForm<'a> {
    app_uuid: Shown<AppId>,
    token: &'a str,
    subscriber_id: Shown<u64>,
    contact_id: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContactFound<'a> {
    contact: Option<CardForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_by: Option<&'static str>,
}

#[derive(Serialize)]
struct Contacts<L> {
    contacts: L,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CardForm<'a> {
    contact_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_customer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: &'a BTreeMap<String, String>,
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_through_app_uuid: Option<Shown<AppId>>,
    tokens: List<'a, HeldToken, fn(&'a HeldToken) -> HeldTokenForm<'a>>,
}

impl<'a> From<&'a Card> for CardForm<'a> {
    fn from(card: &'a Card) -> Self {
        let identifiers = &card.identifiers;
        CardForm {
            contact_id: card.id.value(),
            external_customer_id: identifiers.external_customer_id().map(|id| id.as_str()),
            phone: identifiers.phone().map(Phone::digits),
            email: identifiers.email().map(|email| email.as_str()),
            first_name: card.fields.first_name.as_deref(),
            last_name: card.fields.last_name.as_deref(),
            language_code: card.fields.language_code.as_deref(),
            time_zone: card.fields.time_zone.as_deref(),
            fields: &card.fields.custom,
            created_at: card.created_at.as_millis(),
            created_through_app_uuid: card.created_through.map(Shown),
            tokens: List(&card.tokens, HeldTokenForm::from),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeldTokenForm<'a> {
    app_uuid: Shown<AppId>,
    token: &'a str,
    subscriber_id: Shown<u64>,
    added_at: u64,
}

impl<'a> From<&'a HeldToken> for HeldTokenForm<'a> {
    fn from(held: &'a HeldToken) -> Self {
        HeldTokenForm {
            app_uuid: Shown(held.app),
            token: held.token.as_str(),
            subscriber_id: Shown(held.subscriber.value()),
            added_at: held.added_at.as_millis(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplanationForm<'a> {
    named: Named<'a>,
    cascade: DecisionForm,
    top_priority: DecisionForm,
}

struct Named<'a>(&'a [(IdentifierKind, Option<ContactId>)]);

impl Serialize for Named<'_> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let named = self.0.iter();
        serializer.collect_map(named.map(|(kind, id)| (kind.as_str(), id.map(ContactId::value))))
    }
}

#[derive(Serialize)]
#[serde(
    tag = "decision",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
enum DecisionForm {
    Append {
        contact_id: u64,
        matched_by: &'static str,
    },
    Create {
        contact_id: u64,
        identifiers: Kinds,
        #[serde(skip_serializing_if = "Option::is_none")]
        skipped: Option<Kinds>,
    },
    Refuse(Refused),
}

impl From<&Decision> for DecisionForm {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Append {
                contact,
                matched_by,
            } => DecisionForm::Append {
                contact_id: contact.value(),
                matched_by: matched_by.as_str(),
            },
            Decision::Create {
                contact,
                identifiers,
                skipped,
            } => DecisionForm::Create {
                contact_id: contact.value(),
                identifiers: Kinds(*identifiers),
                skipped: Kinds::given(*skipped),
            },
            Decision::Refuse(error) => DecisionForm::Refuse(Refused::entry(error)),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connected<'a> {
    app_uuid: Shown<AppId>,
    name: &'a str,
}

#[derive(Serialize)]
struct Disconnected {
    disconnected: bool,
}

#[derive(Serialize)]
struct Apps<L> {
    apps: L,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AppForm<'a> {
    app_uuid: Shown<AppId>,
    name: &'a str,
    subscribers: u64,
    contacts: u64,
}

impl<'a> From<&'a App> for AppForm<'a> {
    fn from(app: &'a App) -> Self {
        AppForm {
            app_uuid: Shown(app.id),
            name: app.name.as_str(),
            subscribers: app.subscribers,
            contacts: app.contacts,
        }
    }
}

#[derive(Serialize)]
struct Subscribers<L> {
    subscribers: L,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscriberForm<'a> {
    subscriber_id: Shown<u64>,
    token: &'a str,
    contact_ids: ContactIds<'a>,
    last_registered_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted: Option<MutedForm>,
    counts: Counts,
}

/// A mute. Without `until` it has no end.
#[derive(Serialize)]
pub(super) struct MutedForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

impl From<MuteEnd> for MutedForm {
    fn from(end: MuteEnd) -> Self {
        MutedForm {
            until: end.time().map(Timestamp::as_millis),
        }
    }
}

impl<'a> From<&'a Subscriber> for SubscriberForm<'a> {
    fn from(subscriber: &'a Subscriber) -> Self {
        SubscriberForm {
            subscriber_id: Shown(subscriber.id.value()),
            token: subscriber.token.as_str(),
            contact_ids: ContactIds(&subscriber.contacts),
            last_registered_at: subscriber.last_registered_at.as_millis(),
            last_status: subscriber
                .last_status
                .map(|(status, _)| Status::as_str(status)),
            last_status_at: subscriber.last_status.map(|(_, at)| at.as_millis()),
            muted: subscriber.muted.map(MutedForm::from),
            counts: Counts::from(&subscriber.counts),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Counts {
    sent: u64,
    failed: u64,
    clicked: u64,
}

#[cfg(feature = "transfer")]
impl Counts {
    pub(super) fn is_zero(&self) -> bool {
        (self.sent, self.failed, self.clicked) == (0, 0, 0)
    }
}

impl From<&StatusCounts> for Counts {
    fn from(counts: &StatusCounts) -> Self {
        Counts {
            sent: counts.sent,
            failed: counts.failed,
            clicked: counts.clicked,
        }
    }
}

#[derive(Serialize)]
struct Messages<L> {
    messages: L,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageForm<'a> {
    message_id: &'a str,
    counts: Counts,
    last_at: u64,
}

impl<'a> From<&'a MessageTally> for MessageForm<'a> {
    fn from(tally: &'a MessageTally) -> Self {
        MessageForm {
            message_id: tally.id.as_str(),
            counts: Counts::from(&tally.counts),
            last_at: tally.last_at.as_millis(),
        }
    }
}

#[derive(Serialize)]
struct Forgotten {
    forgotten: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stale {
    subscribers: u64,
    taken_off: u64,
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Removed<'a> {
    removed_from: ContactIds<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Renamed<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriber_id: Option<Shown<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    joined_subscriber_id: Option<Shown<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_ids: Option<ContactIds<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MuteForm {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscriber_id: Option<Shown<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

#[derive(Serialize)]
struct ErasedForm {
    erased: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<Kinds>,
}

#[derive(Serialize)]
struct LiftedForm {
    lifted: Kinds,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifiedForm<L> {
    verified: bool,
    problems: L,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem_count: Option<u64>,
}

#[derive(Serialize)]
struct ProblemForm {
    table: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u64>,
    what: &'static str,
}
