//! Creating and updating contacts, written from R41–R43 by scanning the cards.
//!
//! Where the rules leave an order open, it is the documented one: an item is read identifiers first,
//! then its fields; a conflict is named before what is wrong with an unknown contact id, and of
//! several conflicts the one of the kind with the highest priority.

use std::collections::BTreeMap;

use contact_store::{
    BatchMode, CardChange, ContactId, ContactUpdate, ContactUpserted, DedupeOn, Email,
    ExternalCustomerId, Fault, Field, IdentifierKind, KindSet, Outcomes, Phone, Timestamp,
    UnknownContactId, Upsert, UpsertMode, ValueChange,
};

use super::request::{Choices, Outcome, Refusal, Refused, choose_mode, choose_time};
use super::view::{Card, Names};
use super::{Model, is_white_space, not_after, put};

/// A request to create or update contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upserts {
    pub dedupe_on: DedupeOn,
    pub items: Vec<Item>,
    pub at: Option<u64>,
    pub unknown_contact_id: Option<UnknownContactId>,
    pub upsert_mode: UpsertMode,
    pub mode: BatchMode,
}

impl Upserts {
    pub fn new(dedupe_on: DedupeOn, items: Vec<Item>) -> Self {
        Upserts {
            dedupe_on,
            items,
            at: None,
            unknown_contact_id: None,
            upsert_mode: UpsertMode::CreateOrUpdate,
            mode: BatchMode::PerEntry,
        }
    }

    pub(super) fn to_request(&self) -> Upsert {
        let items = self.items.iter().map(Item::to_update);
        let mut request = Upsert::new(self.dedupe_on)
            .mode(self.mode)
            .upsert_mode(self.upsert_mode)
            .contacts(items);
        if let Some(at) = self.at {
            request = request.at(Timestamp::from_millis(at));
        }
        if let Some(option) = self.unknown_contact_id {
            request = request.unknown_contact_id(option);
        }
        request
    }
}

/// What an item says of one value: this text, or `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    Text(String),
    Null,
}

impl To {
    fn change(&self) -> ValueChange {
        match self {
            To::Text(text) => ValueChange::Set(text.clone()),
            To::Null => ValueChange::Remove,
        }
    }
}

impl From<&str> for To {
    fn from(text: &str) -> Self {
        To::Text(text.to_owned())
    }
}

/// The name of a field (R43), in the order in which fields are read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldName {
    FirstName,
    LastName,
    LanguageCode,
    TimeZone,
    Custom(String),
}

/// What a card has in its fields.
pub type Fields = BTreeMap<FieldName, String>;

/// How many of them are custom.
pub fn custom_fields(fields: &Fields) -> usize {
    let is_custom = |name: &&FieldName| matches!(name, FieldName::Custom(_));
    fields.keys().filter(is_custom).count()
}

/// The bytes of text in them: values, and the names of the custom ones.
pub fn field_text(fields: &Fields) -> usize {
    let name = |name: &FieldName| match name {
        FieldName::Custom(name) => name.len(),
        _ => 0,
    };
    fields
        .iter()
        .map(|(field, value)| name(field) + value.len())
        .sum()
}

/// One item of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    pub contact_id: Option<i128>,
    pub external: Option<To>,
    pub phone: Option<To>,
    pub email: Option<To>,
    pub fields: BTreeMap<FieldName, To>,
}

impl Item {
    pub fn contact_id(mut self, id: i128) -> Self {
        self.contact_id = Some(id);
        self
    }

    pub fn external(mut self, id: impl Into<To>) -> Self {
        self.external = Some(id.into());
        self
    }

    pub fn phone(mut self, phone: impl Into<To>) -> Self {
        self.phone = Some(phone.into());
        self
    }

    pub fn email(mut self, email: impl Into<To>) -> Self {
        self.email = Some(email.into());
        self
    }

    pub fn field(mut self, name: FieldName, value: impl Into<To>) -> Self {
        self.fields.insert(name, value.into());
        self
    }

    fn to_update(&self) -> ContactUpdate {
        let mut update = ContactUpdate::new();
        if let Some(id) = self.contact_id {
            update = update.contact_id(id);
        }
        if let Some(id) = &self.external {
            update = update.external_customer_id(id.change());
        }
        if let Some(phone) = &self.phone {
            update = update.phone(phone.change());
        }
        if let Some(email) = &self.email {
            update = update.email(email.change());
        }
        for (name, to) in &self.fields {
            let change = to.change();
            update = match name {
                FieldName::FirstName => update.first_name(change),
                FieldName::LastName => update.last_name(change),
                FieldName::LanguageCode => update.language_code(change),
                FieldName::TimeZone => update.time_zone(change),
                FieldName::Custom(name) => update.field(name, change),
            };
        }
        update
    }

    /// The identifiers that it gives, in canonical form, or the first that is invalid. A blank one is
    /// not given (R1).
    fn names(&self, model: &Model) -> Result<Names, Refusal> {
        fn read<T, E: Into<Refusal>>(
            to: &Option<To>,
            parse: impl FnOnce(&str) -> Result<T, E>,
        ) -> Result<Option<T>, Refusal> {
            match to {
                Some(To::Text(text)) if !text.chars().all(is_white_space) => {
                    parse(text).map(Some).map_err(Into::into)
                }
                _ => Ok(None),
            }
        }
        let contact_id = self.contact_id.map(ContactId::try_from).transpose()?;
        let external = read(&self.external, |text| model.external(text))?;
        let phone = read(&self.phone, Phone::parse)?;
        let email = read(&self.email, Email::parse)?;
        Ok(Names {
            contact_id: contact_id.map(ContactId::value),
            external,
            phone: phone.map(|phone| phone.as_u64()),
            email: email.map(|email| email.as_str().to_owned()),
        })
    }

    /// The kinds that it takes off.
    fn nulls(&self) -> KindSet {
        let kinds = [
            (IdentifierKind::ExternalCustomerId, &self.external),
            (IdentifierKind::Phone, &self.phone),
            (IdentifierKind::Email, &self.email),
        ];
        let is_null = |(_, to): &(IdentifierKind, &Option<To>)| **to == Some(To::Null);
        kinds
            .into_iter()
            .filter(is_null)
            .map(|(kind, _)| kind)
            .collect()
    }

    fn check_fields(&self) -> Result<(), Refusal> {
        let at_most = |field, text: &str, limit| {
            let bytes = text.len();
            let fault = Fault::TooLong { bytes, limit };
            let long = bytes > limit;
            long.then_some(Refusal::Field(field, fault))
                .map_or(Ok(()), Err)
        };
        for (name, to) in &self.fields {
            let of = match name {
                FieldName::FirstName => Field::FirstName,
                FieldName::LastName => Field::LastName,
                FieldName::LanguageCode => Field::LanguageCode,
                FieldName::TimeZone => Field::TimeZone,
                FieldName::Custom(name) => {
                    let field = Field::CustomFieldName;
                    if name.chars().all(is_white_space) {
                        return Err(Refusal::Field(field, Fault::Blank));
                    }
                    at_most(field, name, 128)?;
                    // What R6 refuses is tested with the type.
                    ExternalCustomerId::parse(name)
                        .map_err(|error| Refusal::Field(field, error.fault().clone()))?;
                    Field::CustomFieldValue
                }
            };
            if let To::Text(value) = to {
                at_most(of, value, 4_096)?;
            }
        }
        Ok(())
    }

    /// Does to the fields of a card what it says.
    fn change_fields(&self, fields: &mut Fields) {
        for (name, to) in &self.fields {
            match to {
                To::Text(value) => drop(fields.insert(name.clone(), value.clone())),
                To::Null => drop(fields.remove(name)),
            }
        }
    }
}

/// The outcome of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upserted {
    pub contact: u64,
    pub matched_by: Option<IdentifierKind>,
    pub card: CardChange,
}

impl From<Outcomes<ContactUpserted>> for Outcome {
    fn from(outcomes: Outcomes<ContactUpserted>) -> Self {
        let one = |upserted: ContactUpserted| Upserted {
            contact: upserted.contact.value(),
            matched_by: upserted.matched_by,
            card: upserted.card,
        };
        let outcomes = outcomes.into_iter();
        Outcome::Upserted(
            outcomes
                .map(|outcome| outcome.map(one).map_err(Refusal::from))
                .collect(),
        )
    }
}

impl Model {
    pub(super) fn upsert(
        &mut self,
        upserts: &Upserts,
        clock: u64,
    ) -> Result<(u64, Outcome), Refused> {
        self.check_entries(upserts.items.len())?;
        let at = not_after(clock, upserts.at.unwrap_or(clock));
        let mut changed = false;
        let mut outcomes = Vec::new();
        for (index, item) in upserts.items.iter().enumerate() {
            let before = self.clone();
            let outcome = self.upsert_item(upserts, item, at);
            changed |= *self != before;
            if let (Err(refusal), BatchMode::AllOrNothing) = (&outcome, upserts.mode) {
                return Err(Refused::Entry(index, refusal.clone()));
            }
            outcomes.push(outcome);
        }
        Ok((changed.into(), Outcome::Upserted(outcomes)))
    }

    fn upsert_item(
        &mut self,
        upserts: &Upserts,
        item: &Item,
        at: u64,
    ) -> Result<Upserted, Refusal> {
        let names = item.names(self)?;
        item.check_fields()?;
        self.refuse_suppressed(&names)?;
        let found = self.found_by(upserts.dedupe_on, &names)?;
        let found = found.map(|(card, kind)| (card.clone(), kind));
        match (upserts.upsert_mode, &found) {
            (UpsertMode::UpdateOnly, None) => return Err(Refusal::ContactNotFound),
            (UpsertMode::CreateOnly, Some((card, _))) => {
                return Err(Refusal::ContactExists(card.id));
            }
            _ => {}
        }
        let conflict = self.check_conflicts(&names, found.as_ref());
        if let (Err(Refusal::Conflict(kind, owner)), Some((card, by))) = (&conflict, &found) {
            self.list_of_item((card.id, *by), (*owner, *kind), at);
        }
        conflict?;
        let matched_by = found.as_ref().map(|(_, kind)| *kind);
        let before = found.map(|(card, _)| card);
        let mut card = match before.clone() {
            Some(card) => card,
            None => {
                let option = upserts.unknown_contact_id;
                let option = option.unwrap_or(self.settings.unknown_contact_id);
                Card {
                    id: self.new_contact(option, names.contact_id)?,
                    names: Names::default(),
                    fields: Fields::new(),
                    created_at: at,
                    created_through: None,
                    tokens: Vec::new(),
                }
            }
        };
        let kept = card.names.without(item.nulls());
        card.names = kept.and(names.clone()).with_id(card.id);
        item.change_fields(&mut card.fields);
        // A card over a lowered limit may shrink, or change within its size.
        let has_grown = before.as_ref().is_none_or(|before| {
            card.own_text() > before.own_text()
                || custom_fields(&card.fields) > custom_fields(&before.fields)
        });
        if has_grown {
            self.check_card(&card)?;
        }
        // R19: only an id that the store assigned moves the counter.
        if matched_by.is_none() && names.contact_id.is_none() {
            self.next_contact = card.id + 1;
        }
        let contact = card.id;
        let change = match &before {
            None => CardChange::Created,
            Some(before) if *before == card => CardChange::Unchanged,
            Some(_) => CardChange::Updated,
        };
        put(&mut self.cards, card, |card| card.id);
        Ok(Upserted {
            contact,
            matched_by,
            card: change,
        })
    }

    /// R41: the external id goes first, then what `dedupeOn` names.
    fn found_by(
        &self,
        dedupe_on: DedupeOn,
        names: &Names,
    ) -> Result<Option<(&Card, IdentifierKind)>, Refusal> {
        use IdentifierKind::{Email, ExternalCustomerId, Phone};
        let mut kinds = vec![ExternalCustomerId];
        match dedupe_on {
            DedupeOn::ContactId => kinds.push(IdentifierKind::ContactId),
            DedupeOn::ExternalCustomerId => {}
            DedupeOn::Phone => kinds.push(Phone),
            DedupeOn::Email => kinds.push(Email),
            DedupeOn::PhoneThenEmail => kinds.extend([Phone, Email]),
            _ => unreachable!("{dedupe_on:?} is new to the model"),
        }
        kinds.retain(|kind| names.kinds().contains(*kind));
        if kinds.is_empty() {
            return Err(Refusal::NothingToFindBy);
        }
        let mut found = kinds
            .into_iter()
            .map(|kind| (self.named(names, kind), kind));
        Ok(found.find_map(|(card, kind)| Some((card?, kind))))
    }

    /// R42.
    fn check_conflicts(
        &self,
        names: &Names,
        found: Option<&(Card, IdentifierKind)>,
    ) -> Result<(), Refusal> {
        for kind in names.kinds().iter() {
            let owner = self.named(names, kind).map(|card| card.id);
            let in_the_way = match (found, owner) {
                (None, owner) => owner,
                (Some((card, _)), Some(owner)) => Some(owner).filter(|owner| *owner != card.id),
                (Some((card, by)), None) => {
                    let stays = match kind {
                        // Every card has one, and keeps it.
                        IdentifierKind::ContactId => true,
                        IdentifierKind::ExternalCustomerId => {
                            *by != kind && card.names.external.is_some()
                        }
                        _ => false,
                    };
                    stays.then_some(card.id)
                }
            };
            if let Some(contact) = in_the_way {
                return Err(Refusal::Conflict(kind, contact));
            }
        }
        Ok(())
    }
}

/// Few values, so that they meet often; some of them not canonical, invalid or blank.
const EXTERNALS: [&str; 5] = ["crm-1", "crm-2", "CRM-1", "", "Null"];
const PHONES: [&str; 5] = [
    "380500000001",
    "380500000002",
    "+380 50 000-00-01",
    "12",
    " ",
];
const EMAILS: [&str; 5] = [
    "ann@example.com",
    "ben@example.com",
    "Ben@EXAMPLE.com",
    "no-at-sign",
    "\t",
];
const IDS: [i128; 8] = [1, 2, 3, 4, 7, 1 << 40, 0, -1];

impl Upserts {
    pub(super) fn choose(choices: &mut Choices<'_>) -> Self {
        let dedupe_on = choices.of(&[
            DedupeOn::Email,
            DedupeOn::PhoneThenEmail,
            DedupeOn::Phone,
            DedupeOn::ContactId,
            DedupeOn::ExternalCustomerId,
        ]);
        let many = choices.of(&[1, 1, 1, 2, 3, 5, 0]);
        let items = (0..many).map(|_| Item::choose(choices)).collect();
        let mut upserts = Upserts::new(dedupe_on, items);
        upserts.at = choose_time(choices);
        upserts.mode = choose_mode(choices);
        if choices.one_in(8) {
            upserts.upsert_mode = choices.of(&[UpsertMode::UpdateOnly, UpsertMode::CreateOnly]);
        }
        upserts.unknown_contact_id = choices.of(&[
            None,
            None,
            Some(UnknownContactId::Reject),
            Some(UnknownContactId::Adopt),
        ]);
        upserts
    }
}

impl Item {
    fn choose(choices: &mut Choices<'_>) -> Self {
        let to = |choices: &mut Choices<'_>, texts: &[&'static str]| {
            // The first are given most often.
            let text = match choices.below(8) {
                0..3 => texts[0],
                3..5 => texts[1],
                5 | 6 => choices.of(texts),
                _ => return To::Null,
            };
            To::from(text)
        };
        let kinds = choices.below(32);
        let mut item = Item::default();
        if kinds & 1 == 0 {
            item.email = Some(to(choices, &EMAILS));
        }
        if kinds & 2 != 0 {
            item.phone = Some(to(choices, &PHONES));
        }
        if kinds & 12 == 12 {
            item.external = Some(to(choices, &EXTERNALS));
        }
        if kinds & 16 != 0 && choices.one_in(2) {
            item.contact_id = Some(choices.of(&IDS));
        }
        for _ in 0..choices.of(&[0, 1, 1, 2]) {
            let name = match choices.below(8) {
                0..2 => FieldName::FirstName,
                2 => FieldName::LastName,
                3 => FieldName::LanguageCode,
                4 => FieldName::TimeZone,
                5 | 6 => FieldName::Custom(choices.of(&["city", "shop"]).to_owned()),
                _ => FieldName::Custom(choices.of(&["", "a\u{200B}"]).to_owned()),
            };
            let value = choices.of(&[Some("Kyiv"), Some(""), None, Some("Bila Tserkva")]);
            item = item.field(name, value.map_or(To::Null, To::from));
        }
        item
    }
}
