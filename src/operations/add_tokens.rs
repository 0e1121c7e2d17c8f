//! Add tokens: the request, the outcome of each entry, and how it is decided (R13–R25).
//!
//! This module does not know JSON, queues or commits.

use std::fmt;

use crate::error::{EntryError, Error, JsonError};
use crate::limits::{Limit, LimitExceeded, Limits};
use crate::model::app::AppId;
use crate::model::change::Cause;
use crate::model::conflict::{Conflict, InConflict};
use crate::model::fault::Field;
use crate::model::holders::Holders;
use crate::model::identifier::{ContactId, GivenIdentifiers, IdentifierKind, Identifiers, KindSet};
use crate::model::placeholders::Placeholders;
use crate::model::subscriber::SubscriberId;
use crate::model::time::{RequestTime, Timestamp};
use crate::model::token::Token;
use crate::operations::batch::decide_batch;
use crate::operations::described::{Described, Description};
use crate::operations::holding;
use crate::operations::matching::{self, Located};
use crate::operations::not_accepted::NotAccepted;
use crate::operations::operation::{Operation, Size, Step, refused_among};
use crate::operations::outcomes::Outcomes;
use crate::rules::{
    self, BatchMode, InvalidIdentifier, MatchPolicy, Ownership, Placement, UnknownContactId,
};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{
    AppRow, CardRow, Draft, Failure, HeldTokenRow, Rows as _, SubscriberRow, find_card,
    find_subscriber,
};

/// One entry of a request to add tokens: a token and one to four identifiers.
///
/// Nothing is checked until the request is made.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TokenEntry {
    token: Option<String>,
    identifiers: GivenIdentifiers,
    malformed: Vec<(Option<Field>, JsonError)>,
}

impl TokenEntry {
    /// Makes an entry for a token, without identifiers.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        TokenEntry {
            token: Some(token.into()),
            ..TokenEntry::default()
        }
    }

    /// Makes an entry without a token, which is refused when the request is decided
    /// ([R9](crate::rulebook#r9)).
    #[must_use]
    pub fn without_token() -> Self {
        TokenEntry::default()
    }

    /// Sets the identifiers, replacing all given before.
    #[must_use]
    pub fn identifiers(mut self, identifiers: impl Into<GivenIdentifiers>) -> Self {
        self.identifiers = identifiers.into();
        self
    }

    /// Sets the contact id.
    #[must_use]
    pub fn contact_id(mut self, id: impl Into<i128>) -> Self {
        self.identifiers = self.identifiers.contact_id(id);
        self
    }

    /// Sets the external customer id.
    #[must_use]
    pub fn external_customer_id(mut self, id: impl Into<String>) -> Self {
        self.identifiers = self.identifiers.external_customer_id(id);
        self
    }

    /// Sets the phone.
    #[must_use]
    pub fn phone(mut self, phone: impl Into<String>) -> Self {
        self.identifiers = self.identifiers.phone(phone);
        self
    }

    /// Sets the email.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.identifiers = self.identifiers.email(email);
        self
    }

    /// Notes that the JSON of this entry, or of one field of it, is not of the published form.
    pub(crate) fn note_malformed(&mut self, field: Option<Field>, error: JsonError) {
        self.malformed.push((field, error));
    }

    fn text_bytes(&self) -> usize {
        self.token
            .as_ref()
            .map_or(0, String::len)
            .saturating_add(self.identifiers.text_len())
    }

    fn malformed(&self, field: Option<Field>) -> Option<&JsonError> {
        self.malformed
            .iter()
            .find(|(of, _)| *of == field)
            .map(|(_, error)| error)
    }

    /// Parses the entry in the order of R13: first what is wrong with its JSON as a whole (R55),
    /// then the token, then the identifiers in priority order, then whether there is one.
    fn parse(
        mut self,
        invalid: InvalidIdentifier,
        placeholders: &Placeholders,
    ) -> Result<ValidEntry, EntryError> {
        for field in [None, Some(Field::Token)] {
            if let Some(error) = self.malformed(field) {
                return Err(error.clone().into());
            }
        }
        let token = Token::parse(self.token.take().ok_or_else(Token::missing)?)?;
        placeholders.check_token(&token)?;
        let mut identifiers = Identifiers::new();
        let mut ignored = KindSet::EMPTY;
        let mut first_fault = None;
        for kind in IdentifierKind::ALL.iter().copied() {
            // A value of the wrong type is refused under either option: it is not an invalid
            // identifier but an entry that is not of the published form.
            if let Some(error) = self.malformed(Some(kind.into())) {
                return Err(error.clone().into());
            }
            let taken = self.identifiers.take_kind(kind, &mut identifiers);
            match taken.and_then(|()| placeholders.check(kind, &identifiers)) {
                Ok(()) => {}
                Err(fault) if invalid == InvalidIdentifier::Ignore => {
                    identifiers = identifiers.without(kind.into());
                    ignored.insert(kind);
                    first_fault.get_or_insert(fault);
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        if identifiers.is_empty() {
            return Err(first_fault.map_or(EntryError::NoIdentifier, EntryError::from));
        }
        Ok(ValidEntry {
            token,
            identifiers,
            ignored,
        })
    }
}

// Not derived: tokens and identifiers are personal data (R52).
impl fmt::Debug for TokenEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEntry")
            .field("token_bytes", &self.token.as_ref().map(String::len))
            .field("identifiers", &self.identifiers)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct ValidEntry {
    token: Token,
    identifiers: Identifiers,
    ignored: KindSet,
}

/// A request to add tokens in one app ([R13](crate::rulebook#r13)–[R25](crate::rulebook#r25)).
///
/// Options that are not set here are those of the store.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// let request = AddTokens::new(bot)
///     .entry(TokenEntry::new("100200300").phone("+380 50 000 00 01").email("ann@example.com"))
///     .entry(TokenEntry::new("100200301").email("ann@example.com"))
///     .entry(TokenEntry::new("100200302"));
/// let entries = store.add_tokens(request).wait()?.outcome.entries;
/// assert_eq!(entries.len(), 3);
/// assert_eq!(entries.first_refused(), Some((2, &EntryError::NoIdentifier))); // not written
/// let contacts: Vec<_> = entries.into_iter().flatten().map(|added| added.contact).collect();
/// assert_eq!(contacts[0], contacts[1]); // one card, two tokens
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddTokens {
    app: AppId,
    entries: Vec<TokenEntry>,
    at: Option<Timestamp>,
    policy: Option<MatchPolicy>,
    ownership: Option<Ownership>,
    invalid_identifier: Option<InvalidIdentifier>,
    unknown_contact_id: Option<UnknownContactId>,
    mode: BatchMode,
}

impl AddTokens {
    /// Makes a request for an app, without entries.
    #[must_use]
    pub fn new(app: AppId) -> Self {
        AddTokens {
            app,
            entries: Vec::new(),
            at: None,
            policy: None,
            ownership: None,
            invalid_identifier: None,
            unknown_contact_id: None,
            mode: BatchMode::default(),
        }
    }

    /// Adds an entry.
    #[must_use]
    pub fn entry(mut self, entry: TokenEntry) -> Self {
        self.entries.push(entry);
        self
    }

    /// Adds entries.
    #[must_use]
    pub fn entries(mut self, entries: impl IntoIterator<Item = TokenEntry>) -> Self {
        self.entries.extend(entries);
        self
    }

    /// Sets the time of the request. Without it, that is the time when the store gets the request
    /// ([R54](crate::rulebook#r54)).
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// Sets the policy of matching ([R14](crate::rulebook#r14)).
    #[must_use]
    pub fn policy(mut self, policy: MatchPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Sets the ownership of tokens ([R22](crate::rulebook#r22)).
    #[must_use]
    pub fn ownership(mut self, ownership: Ownership) -> Self {
        self.ownership = Some(ownership);
        self
    }

    /// Sets what happens to invalid identifiers ([R13](crate::rulebook#r13)).
    #[must_use]
    pub fn invalid_identifier(mut self, option: InvalidIdentifier) -> Self {
        self.invalid_identifier = Some(option);
        self
    }

    /// Sets what happens to contact ids that name no contact ([R18](crate::rulebook#r18)).
    #[must_use]
    pub fn unknown_contact_id(mut self, option: UnknownContactId) -> Self {
        self.unknown_contact_id = Some(option);
        self
    }

    /// Sets what a refused entry does to the rest of the request ([R23](crate::rulebook#r23)).
    #[must_use]
    pub fn mode(mut self, mode: BatchMode) -> Self {
        self.mode = mode;
        self
    }

    /// Parses the request, so that its errors are found before it waits for the writer.
    pub(crate) fn prepare(
        self,
        defaults: OptionsInForce,
        placeholders: &Placeholders,
        limits: Limits,
        most_conflicts: u64,
        clock: Timestamp,
    ) -> Result<PreparedAddTokens, LimitExceeded> {
        let size = Size::of_batch(self.entries.iter().map(TokenEntry::text_bytes), &limits)?;
        let in_force = OptionsInForce {
            policy: self.policy.unwrap_or(defaults.policy),
            ownership: self.ownership.unwrap_or(defaults.ownership),
            invalid_identifier: self
                .invalid_identifier
                .unwrap_or(defaults.invalid_identifier),
            unknown_contact_id: self
                .unknown_contact_id
                .unwrap_or(defaults.unknown_contact_id),
        };
        let entries = self
            .entries
            .into_iter()
            .map(|entry| entry.parse(in_force.invalid_identifier, placeholders));
        Ok(PreparedAddTokens {
            app: self.app,
            entries: entries.collect(),
            size,
            time: RequestTime::new(clock, self.at),
            in_force,
            mode: self.mode,
            limits,
            most_conflicts,
        })
    }
}

/// The options that a request to add tokens was decided under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionsInForce {
    /// How contacts were matched.
    pub policy: MatchPolicy,
    /// How tokens of other contacts were treated.
    pub ownership: Ownership,
    /// How invalid identifiers were treated.
    pub invalid_identifier: InvalidIdentifier,
    /// How unknown contact ids were treated.
    pub unknown_contact_id: UnknownContactId,
}

/// The outcome of a request to add tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokensAdded {
    /// The options that the request was decided under.
    pub in_force: OptionsInForce,
    /// The outcome of each entry, in order.
    pub entries: Outcomes<TokenAdded>,
}

/// The outcome of one accepted entry ([R25](crate::rulebook#r25)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenAdded {
    /// The contact.
    pub contact: ContactId,
    /// The kind that found it. `None` when it was created.
    pub matched_by: Option<IdentifierKind>,
    /// Where the token was placed.
    pub token: TokenPlace,
    /// The subscriber that the app and token make.
    pub subscriber: SubscriberId,
    /// The given identifiers that the created contact did not get, because another contact has them
    /// ([R17](crate::rulebook#r17)).
    pub skipped: KindSet,
    /// The given identifiers that were invalid and counted as not given
    /// ([R13](crate::rulebook#r13)).
    pub ignored: KindSet,
    /// The other contacts that hold the token, under [`Ownership::Shared`]
    /// ([R22](crate::rulebook#r22)).
    pub also_held_by: Vec<ContactId>,
}

/// The outcome for the token of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenPlace {
    /// It was appended to the card.
    Added,
    /// It already was on the card ([R21](crate::rulebook#r21)).
    AlreadyHeld,
    /// It was taken from other contacts and appended to the card ([R22](crate::rulebook#r22)).
    Moved {
        /// The contacts that lost it.
        from: Vec<ContactId>,
    },
}

impl Described for TokenEntry {
    fn describe(&self, to: &mut Description) {
        let TokenEntry {
            token,
            identifiers,
            malformed,
        } = self;
        to.parts(&[token, identifiers, malformed]);
    }
}

impl Described for AddTokens {
    fn describe(&self, to: &mut Description) {
        let AddTokens {
            app,
            entries,
            at,
            policy,
            ownership,
            invalid_identifier,
            unknown_contact_id,
            mode,
        } = self;
        to.parts(&[app, entries, at, policy, ownership]);
        to.parts(&[invalid_identifier, unknown_contact_id, mode]);
    }
}

/// A request to add tokens, parsed.
#[derive(Clone)]
pub(crate) struct PreparedAddTokens {
    app: AppId,
    entries: Vec<Result<ValidEntry, EntryError>>,
    size: Size,
    time: RequestTime,
    in_force: OptionsInForce,
    mode: BatchMode,
    limits: Limits,
    /// How many conflicts are listed; 0 when none are looked for.
    most_conflicts: u64,
}

impl Operation for PreparedAddTokens {
    type Outcome = TokensAdded;

    const KIND: OperationKind = OperationKind::AddTokens;

    fn size(&self) -> Size {
        self.size
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<TokensAdded>, Error> {
        let app: AppRow = draft.row(&self.app)?.ok_or(Error::UnknownApp(self.app))?;
        let entries = std::mem::take(&mut self.entries);
        let entries = decide_batch(draft, self.mode, entries, |draft, entry| {
            self.decide_one(draft, &app, entry)
        })?;
        Ok(Step::Done(TokensAdded {
            in_force: self.in_force,
            entries,
        }))
    }

    fn refused_entries(&self) -> Vec<(usize, EntryError)> {
        refused_among(&self.entries)
    }

    fn count(outcome: &TokensAdded, tally: &mut Tally) {
        for entry in &outcome.entries {
            let Ok(added) = entry else {
                tally.entry(EntryOutcome::Refused);
                continue;
            };
            tally.entry(match added.matched_by {
                Some(_) => EntryOutcome::Found,
                None => EntryOutcome::Created,
            });
            tally.entry(match added.token {
                TokenPlace::Added => EntryOutcome::Added,
                TokenPlace::AlreadyHeld => EntryOutcome::AlreadyHeld,
                TokenPlace::Moved { .. } => EntryOutcome::Moved,
            });
        }
    }
}

/// The card that a token goes to.
struct Target {
    contact: ContactId,
    /// `None` when the contact is created.
    before: Option<CardRow>,
    after: CardRow,
    matched_by: Option<IdentifierKind>,
    skipped: KindSet,
}

/// The subscriber that a token belongs to.
struct Registration {
    id: SubscriberId,
    /// `None` when the token is new to the app.
    before: Option<SubscriberRow>,
    after: SubscriberRow,
}

impl PreparedAddTokens {
    fn decide_one(
        &self,
        draft: &mut Draft<'_>,
        app: &AppRow,
        entry: ValidEntry,
    ) -> Result<TokenAdded, NotAccepted> {
        matching::refuse_suppressed(draft, &entry.identifiers)?;
        let given = (self.most_conflicts > 0).then(|| entry.identifiers.clone());
        let mut card = self.find_or_create(draft, app, entry.identifiers)?;
        let mut subscriber = self.register(draft, app, &entry.token, card.contact)?;
        let token = self.place(draft, &mut card, &mut subscriber, entry.token)?;
        let cause = match token {
            TokenPlace::Moved { .. } => Cause::Moved,
            TokenPlace::Added | TokenPlace::AlreadyHeld => Cause::Given,
        };
        let after = Some(&card.after);
        draft.write_card(card.contact, card.before.as_ref(), after, cause)?;
        let Registration { id, before, after } = subscriber;
        draft.write_subscriber(id, before.as_ref(), Some(&after))?;
        if let Some(given) = given {
            self.note_conflicts(draft, &card, &given)?;
        }
        Ok(TokenAdded {
            contact: card.contact,
            matched_by: card.matched_by,
            token,
            subscriber: id,
            skipped: card.skipped,
            ignored: entry.ignored,
            also_held_by: others(&after, card.contact),
        })
    }

    /// Lists the conflicts between the contact that got the token and others that the identifiers
    /// name (R61).
    fn note_conflicts(
        &self,
        draft: &mut Draft<'_>,
        card: &Target,
        given: &Identifiers,
    ) -> Result<(), Failure> {
        let not_skipped = |kind: &IdentifierKind| !card.skipped.contains(*kind);
        let named_by = match card.matched_by {
            Some(by) => by.into(),
            None => given.kinds().iter().filter(not_skipped).collect(),
        };
        let target = InConflict {
            contact: card.contact,
            named_by,
        };
        let mut others: Vec<InConflict> = Vec::new();
        for kind in given
            .kinds()
            .iter()
            .filter(|kind| !named_by.contains(*kind))
        {
            let Some(contact) = find_card(draft, kind, given)?.map(|found| found.id) else {
                continue;
            };
            match others.iter_mut().find(|other| other.contact == contact) {
                Some(other) => other.named_by.insert(kind),
                None if contact == card.contact => {}
                None => others.push(InConflict {
                    contact,
                    named_by: kind.into(),
                }),
            }
        }
        others.iter().try_for_each(|other| {
            let seen = Conflict::once(target, *other, self.time.at());
            draft.note_conflict(&seen, self.most_conflicts)
        })
    }

    /// The card of the contact that the identifiers name, or of a contact that is created
    /// (R14–R19).
    fn find_or_create(
        &self,
        draft: &mut Draft<'_>,
        app: &AppRow,
        identifiers: Identifiers,
    ) -> Result<Target, NotAccepted> {
        let OptionsInForce {
            policy,
            unknown_contact_id,
            ..
        } = self.in_force;
        match matching::locate(draft, policy, unknown_contact_id, identifiers)? {
            Located::Found { found, by } => Ok(Target {
                contact: found.id,
                after: found.card.clone(),
                before: Some(found.card),
                matched_by: Some(by),
                skipped: KindSet::EMPTY,
            }),
            Located::Create(new) => Ok(Target {
                contact: new.take_id(draft)?,
                before: None,
                matched_by: None,
                skipped: new.skipped,
                after: new.into_card(self.time.at(), Some(app.number)),
            }),
        }
    }

    /// Registers the token now, and returns its subscriber. `contact` holds a new one.
    fn register(
        &self,
        draft: &mut Draft<'_>,
        app: &AppRow,
        token: &Token,
        contact: ContactId,
    ) -> Result<Registration, NotAccepted> {
        let at = self.time.at();
        let Some((id, before)) = find_subscriber(draft, app.number, token)? else {
            let holder = Holders::one(contact);
            return Ok(Registration {
                id: holding::take_subscriber_id(draft, app.number)?,
                before: None,
                after: holding::new_subscriber(app.number, token.clone(), holder, at),
            });
        };
        let mut after = before.clone();
        after.last_registered_at = after.last_registered_at.max(at);
        Ok(Registration {
            id,
            before: Some(before),
            after,
        })
    }

    /// Puts the token on the card where the rules say (R20–R22).
    fn place(
        &self,
        draft: &mut Draft<'_>,
        card: &mut Target,
        subscriber: &mut Registration,
        token: Token,
    ) -> Result<TokenPlace, NotAccepted> {
        let held_before = subscriber.before.as_ref().map(|row| &row.holders[..]);
        let placement = rules::place(
            self.in_force.ownership,
            held_before.unwrap_or_default(),
            card.contact,
        );
        let held = HeldTokenRow {
            subscriber: subscriber.id,
            added_at: self.time.at(),
            token,
        };
        let holders = &mut subscriber.after.holders;
        match placement {
            Placement::AlreadyHeld => Ok(TokenPlace::AlreadyHeld),
            Placement::Append => {
                if !holders.contains(&card.contact) {
                    holders.push(card.contact);
                }
                let most = self.limits.contacts_per_token;
                LimitExceeded::check(Limit::ContactsPerToken, holders.len(), most)?;
                holding::append(draft, &self.limits, &mut card.after, held)?;
                Ok(TokenPlace::Added)
            }
            Placement::Move { from, removal } => {
                let tokens = &mut card.after.tokens;
                tokens.retain(|held| held.subscriber != subscriber.id);
                holding::append(draft, &self.limits, &mut card.after, held)?;
                holding::take_off_cards(draft, subscriber.id, &from, removal)?;
                *holders = Holders::one(card.contact);
                Ok(TokenPlace::Moved { from })
            }
        }
    }
}

fn others(subscriber: &SubscriberRow, contact: ContactId) -> Vec<ContactId> {
    subscriber
        .holders
        .iter()
        .copied()
        .filter(|holder| *holder != contact)
        .collect()
}
