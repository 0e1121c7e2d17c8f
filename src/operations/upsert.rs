//! Creating and updating contacts: the request, the outcome of each item, and how it is decided
//! (R41–R43).
//!
//! This module does not know JSON, queues or commits, and touches no token.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::{EntryError, Error, JsonError};
use crate::limits::{LimitExceeded, Limits};
use crate::model::change::Cause;
use crate::model::conflict::{Conflict, InConflict};
use crate::model::fault::{Field, FieldError};
use crate::model::fields;
use crate::model::identifier::{
    ContactId, Email, ExternalCustomerId, IdentifierKind, Identifiers, KindSet, Phone,
};
use crate::model::placeholders::Placeholders;
use crate::model::text;
use crate::model::time::{RequestTime, Timestamp};
use crate::operations::batch::decide_batch;
use crate::operations::card_limits;
use crate::operations::described::{Described, Description};
use crate::operations::matching;
use crate::operations::new_contact::NewContact;
use crate::operations::not_accepted::NotAccepted;
use crate::operations::operation::{Operation, Size, Step, refused_among};
use crate::operations::outcomes::Outcomes;
use crate::rules::{self, BatchMode, DedupeOn, FoundByUpsert, UnknownContactId, UpsertMode};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{CardRow, Draft, Failure, FoundCard, find_card};

/// The change of one value on a card.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueChange {
    /// Sets the value, replacing any before.
    Set(String),
    /// Removes the value.
    Remove,
}

impl From<&str> for ValueChange {
    fn from(value: &str) -> Self {
        ValueChange::Set(value.to_owned())
    }
}

impl From<String> for ValueChange {
    fn from(value: String) -> Self {
        ValueChange::Set(value)
    }
}

// Personal data (R52).
impl fmt::Debug for ValueChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueChange::Set(value) => write!(f, "Set(<{} bytes>)", value.len()),
            ValueChange::Remove => f.write_str("Remove"),
        }
    }
}

/// One item of a request to create or update contacts.
///
/// Nothing is checked until the request is made.
///
/// Values that are not named stay on the card as they are. A blank identifier counts as not named,
/// because an empty cell of an export is not an order to erase ([R1](crate::rulebook#r1)). Only
/// [`ValueChange::Remove`] removes an identifier.
///
/// ```
/// # use contact_store::{ValueChange, ContactUpdate};
/// let update = ContactUpdate::new()
///     .phone("+380 50 000 00 01")
///     .email(ValueChange::Remove)
///     .first_name("Ann")
///     .field("city", "Kyiv");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ContactUpdate {
    contact_id: Option<i128>,
    external_customer_id: Option<ValueChange>,
    phone: Option<ValueChange>,
    email: Option<ValueChange>,
    first_name: Option<ValueChange>,
    last_name: Option<ValueChange>,
    language_code: Option<ValueChange>,
    time_zone: Option<ValueChange>,
    custom: BTreeMap<String, ValueChange>,
    malformed: Option<JsonError>,
}

impl ContactUpdate {
    /// Makes an item that names nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the id of the contact.
    ///
    /// Any integer can be given; one out of range refuses the item. The id of a contact is never
    /// replaced ([R42](crate::rulebook#r42)).
    #[must_use]
    pub fn contact_id(mut self, id: impl Into<i128>) -> Self {
        self.contact_id = Some(id.into());
        self
    }

    /// Sets or removes the external customer id. It is tried first when finding the contact
    /// ([R41](crate::rulebook#r41)).
    #[must_use]
    pub fn external_customer_id(mut self, id: impl Into<ValueChange>) -> Self {
        self.external_customer_id = Some(id.into());
        self
    }

    /// Sets or removes the phone.
    #[must_use]
    pub fn phone(mut self, phone: impl Into<ValueChange>) -> Self {
        self.phone = Some(phone.into());
        self
    }

    /// Sets or removes the email.
    #[must_use]
    pub fn email(mut self, email: impl Into<ValueChange>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Sets or removes the first name.
    #[must_use]
    pub fn first_name(mut self, name: impl Into<ValueChange>) -> Self {
        self.first_name = Some(name.into());
        self
    }

    /// Sets or removes the last name.
    #[must_use]
    pub fn last_name(mut self, name: impl Into<ValueChange>) -> Self {
        self.last_name = Some(name.into());
        self
    }

    /// Sets or removes the language.
    #[must_use]
    pub fn language_code(mut self, code: impl Into<ValueChange>) -> Self {
        self.language_code = Some(code.into());
        self
    }

    /// Sets or removes the time zone.
    #[must_use]
    pub fn time_zone(mut self, zone: impl Into<ValueChange>) -> Self {
        self.time_zone = Some(zone.into());
        self
    }

    /// Sets or removes a custom field. If it is named again, the later change counts.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<ValueChange>) -> Self {
        self.custom.insert(name.into(), value.into());
        self
    }

    /// Makes an item whose JSON is not of the published form.
    pub(crate) fn malformed(error: JsonError) -> Self {
        ContactUpdate {
            malformed: Some(error),
            ..Self::default()
        }
    }

    /// The changes of text values, each with its field.
    fn named(&self) -> [(Field, &Option<ValueChange>); 7] {
        [
            (Field::ExternalCustomerId, &self.external_customer_id),
            (Field::Phone, &self.phone),
            (Field::Email, &self.email),
            (Field::FirstName, &self.first_name),
            (Field::LastName, &self.last_name),
            (Field::LanguageCode, &self.language_code),
            (Field::TimeZone, &self.time_zone),
        ]
    }

    pub(crate) fn text_bytes(&self) -> usize {
        let named = self
            .named()
            .into_iter()
            .filter_map(|(_, change)| change.as_ref());
        let names = self.custom.keys().map(String::len);
        named
            .chain(self.custom.values())
            .map(|change| match change {
                ValueChange::Set(value) => value.len(),
                ValueChange::Remove => 0,
            })
            .chain(names)
            .fold(0, usize::saturating_add)
    }

    /// Parses the item: first what is wrong with its JSON (R55), then the identifiers in priority
    /// order, then the fields, with custom fields in byte order of their names.
    fn parse(self, placeholders: &Placeholders) -> Result<ValidUpdate, EntryError> {
        if let Some(error) = self.malformed {
            return Err(error.into());
        }
        let contact_id = self.contact_id.map(ContactId::try_from).transpose();
        let external_customer_id = set_to(given(self.external_customer_id), |id| {
            let id = ExternalCustomerId::take(id)?;
            placeholders.check_external_id(&id).map(|()| id)
        });
        let phone = set_to(given(self.phone), |phone| {
            let phone = Phone::parse(&phone)?;
            placeholders.check_phone(phone).map(|()| phone)
        });
        let email = set_to(given(self.email), |email| {
            let email = Email::take(email)?;
            placeholders.check_email(&email).map(|()| email)
        });
        let value = |field, change| {
            set_to(change, |value| {
                fields::check_value(field, &value)?;
                Ok::<_, FieldError>(value)
            })
        };
        Ok(ValidUpdate {
            contact_id: contact_id?,
            external_customer_id: external_customer_id?,
            phone: phone?,
            email: email?,
            first_name: value(Field::FirstName, self.first_name)?,
            last_name: value(Field::LastName, self.last_name)?,
            language_code: value(Field::LanguageCode, self.language_code)?,
            time_zone: value(Field::TimeZone, self.time_zone)?,
            custom: self
                .custom
                .into_iter()
                .map(|(name, change)| {
                    fields::check_name(&name)?;
                    let value = value(Field::CustomFieldValue, Some(change))?;
                    Ok((name, value.flatten()))
                })
                .collect::<Result<_, FieldError>>()?,
        })
    }
}

/// The change of an identifier. A blank one counts as not named (R1).
fn given(change: Option<ValueChange>) -> Option<ValueChange> {
    change.filter(|change| !matches!(change, ValueChange::Set(value) if text::is_blank(value)))
}

/// The new value on the card, if it changes. `Some(None)` removes it.
fn set_to<T, E>(
    change: Option<ValueChange>,
    parse: impl FnOnce(String) -> Result<T, E>,
) -> Result<Option<Option<T>>, E> {
    Ok(match change {
        None => None,
        Some(ValueChange::Remove) => Some(None),
        Some(ValueChange::Set(value)) => Some(Some(parse(value)?)),
    })
}

// Not derived: personal data (R52). Even a number given as a contact id may be a phone in the wrong
// place.
impl fmt::Debug for ContactUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ContactUpdate");
        shown.field("contact_id_given", &self.contact_id.is_some());
        for (field, change) in self.named() {
            shown.field(field.as_str(), change);
        }
        shown
            .field("custom_fields", &self.custom.len())
            .finish_non_exhaustive()
    }
}

/// A request to create or update contacts ([R41](crate::rulebook#r41)–[R43](crate::rulebook#r43)).
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("100200300").email("ann@example.com"))).wait()?;
/// let ann = ContactUpdate::new().email("ann@example.com").phone("+380 50 000 00 01").field("city", "Kyiv");
/// let outcomes = store.upsert(Upsert::new(DedupeOn::Email).contact(ann)).wait()?.outcome;
/// assert_eq!(outcomes.into_single()?.card, CardChange::Updated);
/// // The email is found first: the phone of another contact is in conflict, and nothing is written.
/// let bob = ContactUpdate::new().email("bob@example.com").phone("380500000001");
/// let outcomes = store.upsert(Upsert::new(DedupeOn::Email).contact(bob)).wait()?.outcome;
/// assert!(matches!(outcomes[0], Err(EntryError::Conflict { kind: IdentifierKind::Phone, .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upsert {
    dedupe_on: DedupeOn,
    contacts: Vec<ContactUpdate>,
    at: Option<Timestamp>,
    unknown_contact_id: Option<UnknownContactId>,
    upsert_mode: UpsertMode,
    mode: BatchMode,
}

impl Upsert {
    /// Makes a request without items. `dedupe_on` says how contacts are found.
    #[must_use]
    pub fn new(dedupe_on: DedupeOn) -> Self {
        Upsert {
            dedupe_on,
            contacts: Vec::new(),
            at: None,
            unknown_contact_id: None,
            upsert_mode: UpsertMode::default(),
            mode: BatchMode::default(),
        }
    }

    /// Adds an item.
    #[must_use]
    pub fn contact(mut self, update: ContactUpdate) -> Self {
        self.contacts.push(update);
        self
    }

    /// Adds items.
    #[must_use]
    pub fn contacts(mut self, updates: impl IntoIterator<Item = ContactUpdate>) -> Self {
        self.contacts.extend(updates);
        self
    }

    /// Sets the time of the request. Without it, that is the time when the store gets the request
    /// ([R54](crate::rulebook#r54)).
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// Sets what happens to contact ids that name no contact ([R18](crate::rulebook#r18)).
    #[must_use]
    pub fn unknown_contact_id(mut self, option: UnknownContactId) -> Self {
        self.unknown_contact_id = Some(option);
        self
    }

    /// Sets whether contacts are created, updated or both ([R41](crate::rulebook#r41)).
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = ContactStore::open_in_memory(Options::default())?;
    /// let ann = ContactUpdate::new().email("ann@example.com").first_name("Ann");
    /// let request = Upsert::new(DedupeOn::Email).upsert_mode(UpsertMode::UpdateOnly).contact(ann);
    /// let outcomes = store.upsert(request).wait()?.outcome;
    /// assert_eq!(outcomes.all(), Err(EntryError::ContactNotFound)); // and no card was made
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn upsert_mode(mut self, mode: UpsertMode) -> Self {
        self.upsert_mode = mode;
        self
    }

    /// Sets what a refused item does to the rest of the request ([R23](crate::rulebook#r23)).
    #[must_use]
    pub fn mode(mut self, mode: BatchMode) -> Self {
        self.mode = mode;
        self
    }

    /// Parses the request, so that its errors are found before it waits for the writer.
    pub(crate) fn prepare(
        self,
        unknown_contact_id: UnknownContactId,
        placeholders: &Placeholders,
        limits: Limits,
        most_conflicts: u64,
        clock: Timestamp,
    ) -> Result<PreparedUpsert, LimitExceeded> {
        let size = Size::of_batch(self.contacts.iter().map(ContactUpdate::text_bytes), &limits)?;
        Ok(PreparedUpsert {
            dedupe_on: self.dedupe_on,
            size,
            updates: self
                .contacts
                .into_iter()
                .map(|update| update.parse(placeholders))
                .collect(),
            time: RequestTime::new(clock, self.at),
            unknown_contact_id: self.unknown_contact_id.unwrap_or(unknown_contact_id),
            upsert_mode: self.upsert_mode,
            mode: self.mode,
            limits,
            most_conflicts,
        })
    }
}

/// The outcome of one accepted item ([R41](crate::rulebook#r41)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContactUpserted {
    /// The contact.
    pub contact: ContactId,
    /// The kind that found it. `None` when it was created.
    pub matched_by: Option<IdentifierKind>,
    /// How its card changed.
    pub card: CardChange,
}

/// How a card changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CardChange {
    /// It was created.
    Created,
    /// It was changed.
    Updated,
    /// It already was as the item says.
    Unchanged,
}

/// An item whose values are valid. `None` leaves a value on the card as it is, and `Some(None)`
/// removes it.
#[derive(Clone)]
struct ValidUpdate {
    contact_id: Option<ContactId>,
    external_customer_id: Option<Option<ExternalCustomerId>>,
    phone: Option<Option<Phone>>,
    email: Option<Option<Email>>,
    first_name: Option<Option<String>>,
    last_name: Option<Option<String>>,
    language_code: Option<Option<String>>,
    time_zone: Option<Option<String>>,
    custom: Vec<(String, Option<String>)>,
}

impl ValidUpdate {
    /// The identifiers that it gives.
    fn identifiers(&self) -> Identifiers {
        let mut given = Identifiers::new();
        *given.contact_id_mut() = self.contact_id;
        *given.external_customer_id_mut() = self.external_customer_id.clone().flatten();
        *given.phone_mut() = self.phone.flatten();
        *given.email_mut() = self.email.clone().flatten();
        given
    }

    /// Applies the changes that it names. The contact id is not one of them: it is the key of the
    /// card.
    fn change(self, card: &mut CardRow) {
        fn set<T>(on_card: &mut Option<T>, to: Option<Option<T>>) {
            if let Some(to) = to {
                *on_card = to;
            }
        }
        let identifiers = &mut card.identifiers;
        set(
            identifiers.external_customer_id_mut(),
            self.external_customer_id,
        );
        set(identifiers.phone_mut(), self.phone);
        set(identifiers.email_mut(), self.email);
        let fields = &mut card.fields;
        set(&mut fields.first_name, self.first_name);
        set(&mut fields.last_name, self.last_name);
        set(&mut fields.language_code, self.language_code);
        set(&mut fields.time_zone, self.time_zone);
        for (name, value) in self.custom {
            match value {
                Some(value) => drop(fields.custom.insert(name, value)),
                None => drop(fields.custom.remove(&name)),
            }
        }
    }
}

/// A request to create or update contacts, parsed.
#[derive(Clone)]
pub(crate) struct PreparedUpsert {
    dedupe_on: DedupeOn,
    updates: Vec<Result<ValidUpdate, EntryError>>,
    size: Size,
    time: RequestTime,
    unknown_contact_id: UnknownContactId,
    upsert_mode: UpsertMode,
    mode: BatchMode,
    limits: Limits,
    /// How many conflicts are listed; 0 when none are looked for.
    most_conflicts: u64,
}

impl Described for ValueChange {
    fn describe(&self, to: &mut Description) {
        match self {
            ValueChange::Set(value) => to.parts(&[&1_u8, value]),
            ValueChange::Remove => to.parts(&[&2_u8]),
        }
    }
}

impl Described for ContactUpdate {
    fn describe(&self, to: &mut Description) {
        let ContactUpdate {
            contact_id,
            external_customer_id,
            phone,
            email,
            first_name,
            last_name,
            language_code,
            time_zone,
            custom,
            malformed,
        } = self;
        let custom: Vec<(&String, &ValueChange)> = custom.iter().collect();
        to.parts(&[contact_id, external_customer_id, phone, email]);
        to.parts(&[first_name, last_name, language_code, time_zone]);
        to.parts(&[&custom, malformed]);
    }
}

impl Described for Upsert {
    fn describe(&self, to: &mut Description) {
        let Upsert {
            dedupe_on,
            contacts,
            at,
            unknown_contact_id,
            upsert_mode,
            mode,
        } = self;
        to.parts(&[
            dedupe_on,
            contacts,
            at,
            unknown_contact_id,
            upsert_mode,
            mode,
        ]);
    }
}

impl Operation for PreparedUpsert {
    type Outcome = Outcomes<ContactUpserted>;

    const KIND: OperationKind = OperationKind::Upsert;

    fn size(&self) -> Size {
        self.size
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<Self::Outcome>, Error> {
        let updates = std::mem::take(&mut self.updates);
        // Listed at the end: what an item that is refused wrote is rolled back.
        let mut conflicts = Vec::new();
        let outcomes = decide_batch(draft, self.mode, updates, |draft, update| {
            self.decide_one(draft, update, &mut conflicts)
        })?;
        for seen in &conflicts {
            draft.note_conflict(seen, self.most_conflicts)?;
        }
        Ok(Step::Done(outcomes))
    }

    fn refused_entries(&self) -> Vec<(usize, EntryError)> {
        refused_among(&self.updates)
    }

    fn count(outcome: &Self::Outcome, tally: &mut Tally) {
        for item in outcome {
            tally.entry(match item {
                Ok(upserted) => match upserted.card {
                    CardChange::Created => EntryOutcome::Created,
                    CardChange::Updated => EntryOutcome::Updated,
                    CardChange::Unchanged => EntryOutcome::Unchanged,
                },
                Err(_) => EntryOutcome::Refused,
            });
        }
    }
}

impl PreparedUpsert {
    fn decide_one(
        &self,
        draft: &mut Draft<'_>,
        update: ValidUpdate,
        conflicts: &mut Vec<Conflict>,
    ) -> Result<ContactUpserted, NotAccepted> {
        let given = update.identifiers();
        matching::refuse_suppressed(draft, &given)?;
        let Some(kinds) = rules::kinds_to_find(self.dedupe_on, given.kinds()) else {
            return Err(EntryError::NothingToFindBy.into());
        };
        let found = matching::find_by(draft, kinds, &given)?;
        match (self.upsert_mode, &found) {
            (UpsertMode::UpdateOnly, None) => return Err(EntryError::ContactNotFound.into()),
            (UpsertMode::CreateOnly, Some((found, _))) => {
                return Err(EntryError::ContactExists(found.id).into());
            }
            _ => {}
        }
        if let Some((kind, contact)) = conflict(draft, found.as_ref(), &given)? {
            if let Some((found, by)) = &found
                && found.id != contact
                && self.most_conflicts > 0
            {
                let [one, other] =
                    [(found.id, *by), (contact, kind)].map(|(contact, kind)| InConflict {
                        contact,
                        named_by: kind.into(),
                    });
                conflicts.push(Conflict::once(one, other, self.time.at()));
            }
            return Err(EntryError::Conflict { kind, contact }.into());
        }
        match found {
            Some((found, by)) => self.update(draft, found, by, update),
            None => self.create(draft, given, update),
        }
    }

    fn update(
        &self,
        draft: &mut Draft<'_>,
        found: FoundCard,
        by: IdentifierKind,
        update: ValidUpdate,
    ) -> Result<ContactUpserted, NotAccepted> {
        let mut after = found.card.clone();
        update.change(&mut after);
        // A card over a lowered limit may shrink, or change within its size.
        let grew = card_limits::own_text(&after) > card_limits::own_text(&found.card)
            || after.fields.custom.len() > found.card.fields.custom.len();
        if grew {
            card_limits::check(draft, &self.limits, &after)?;
        }
        draft.write_card(found.id, Some(&found.card), Some(&after), Cause::Given)?;
        Ok(ContactUpserted {
            contact: found.id,
            matched_by: Some(by),
            card: if after == found.card {
                CardChange::Unchanged
            } else {
                CardChange::Updated
            },
        })
    }

    fn create(
        &self,
        draft: &mut Draft<'_>,
        given: Identifiers,
        update: ValidUpdate,
    ) -> Result<ContactUpserted, NotAccepted> {
        let option = self.unknown_contact_id;
        let new = NewContact::decide(draft, option, given, KindSet::EMPTY)?;
        let contact = new.take_id(draft)?;
        let mut card = new.into_card(self.time.at(), None);
        update.change(&mut card);
        card_limits::check(draft, &self.limits, &card)?;
        draft.write_card(contact, None, Some(&card), Cause::Given)?;
        Ok(ContactUpserted {
            contact,
            matched_by: None,
            card: CardChange::Created,
        })
    }
}

/// The conflict, if any, that keeps the given identifiers off the card (R42): the kind, and the
/// other contact.
fn conflict(
    draft: &Draft<'_>,
    found: Option<&(FoundCard, IdentifierKind)>,
    given: &Identifiers,
) -> Result<Option<(IdentifierKind, ContactId)>, Failure> {
    let found = found.map(|(found, by)| FoundByUpsert {
        contact: found.id,
        by: *by,
        has_external_id: found.card.identifiers.external_customer_id().is_some(),
    });
    let by = found.map(|found| found.by);
    for kind in given.kinds().iter().filter(|kind| Some(*kind) != by) {
        let owner = find_card(draft, kind, given)?.map(|owner| owner.id);
        if let Some(contact) = rules::in_the_way(found, kind, owner) {
            return Ok(Some((kind, contact)));
        }
    }
    Ok(None)
}
