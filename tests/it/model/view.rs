//! What can be seen of a store, the same for a snapshot and for the model, and shown in full.

use std::fmt::Debug;

use contact_store::{
    self as store, AppId, ContactId, Decision, Email, ExternalCustomerId, IdentifierKind,
    Identifiers, InvalidIdentifier, KindSet, MatchPolicy, MessageId, Phone, Snapshot, Status,
    StatusCounts, SubscriberId, Token,
};

use super::conflict::Listed;
use super::recipient::{Reaching, Whom, resolve};
use super::upsert::{FieldName, Fields, field_text};
use super::{Model, Refusal, Refused};

/// Identifiers in canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub contact_id: Option<u64>,
    pub external: Option<String>,
    pub phone: Option<u64>,
    pub email: Option<String>,
}

impl Names {
    pub fn id(id: u64) -> Self {
        Names::default().with_id(id)
    }

    pub fn external(id: &str) -> Self {
        Names {
            external: Some(id.to_owned()),
            ..Names::default()
        }
    }

    pub fn phone(phone: u64) -> Self {
        Names {
            phone: Some(phone),
            ..Names::default()
        }
    }

    pub fn email(email: &str) -> Self {
        Names {
            email: Some(email.to_owned()),
            ..Names::default()
        }
    }

    pub fn with_id(mut self, id: u64) -> Self {
        self.contact_id = Some(id);
        self
    }

    /// These and those, of which those come first.
    pub fn and(self, those: Names) -> Self {
        Names {
            contact_id: those.contact_id.or(self.contact_id),
            external: those.external.or(self.external),
            phone: those.phone.or(self.phone),
            email: those.email.or(self.email),
        }
    }

    pub fn kinds(&self) -> KindSet {
        let given = |kind: &IdentifierKind| match kind {
            IdentifierKind::ContactId => self.contact_id.is_some(),
            IdentifierKind::ExternalCustomerId => self.external.is_some(),
            IdentifierKind::Phone => self.phone.is_some(),
            IdentifierKind::Email => self.email.is_some(),
            _ => false,
        };
        IdentifierKind::ALL.iter().copied().filter(given).collect()
    }

    /// The one of this kind.
    pub fn only(&self, kind: IdentifierKind) -> Self {
        let others = IdentifierKind::ALL.iter().copied().filter(|is| *is != kind);
        self.without(others.collect())
    }

    pub fn without(&self, kinds: KindSet) -> Self {
        let keep = |kind| !kinds.contains(kind);
        Names {
            contact_id: self.contact_id.filter(|_| keep(IdentifierKind::ContactId)),
            external: self
                .external
                .clone()
                .filter(|_| keep(IdentifierKind::ExternalCustomerId)),
            phone: self.phone.filter(|_| keep(IdentifierKind::Phone)),
            email: self.email.clone().filter(|_| keep(IdentifierKind::Email)),
        }
    }

    fn of(identifiers: &Identifiers) -> Self {
        let external = identifiers.external_customer_id();
        let email = identifiers.email();
        Names {
            contact_id: identifiers.contact_id().map(ContactId::value),
            external: external.map(|id| id.as_str().to_owned()),
            phone: identifiers.phone().map(Phone::as_u64),
            email: email.map(|email| email.as_str().to_owned()),
        }
    }

    pub fn identifiers(&self) -> Identifiers {
        let mut identifiers = Identifiers::new();
        if let Some(id) = self.contact_id {
            identifiers = identifiers.with_contact_id(contact_id(id));
        }
        if let Some(id) = &self.external {
            let id = ExternalCustomerId::parse(id);
            identifiers = identifiers.with_external_customer_id(id.expect("it is canonical"));
        }
        if let Some(phone) = self.phone {
            let phone = Phone::parse(&phone.to_string());
            identifiers = identifiers.with_phone(phone.expect("it is canonical"));
        }
        if let Some(email) = &self.email {
            let email = Email::parse(email);
            identifiers = identifiers.with_email(email.expect("it is canonical"));
        }
        identifiers
    }
}

fn contact_id(id: u64) -> ContactId {
    ContactId::new(id).expect("the tests give valid ids")
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    pub id: u64,
    pub names: Names,
    pub fields: Fields,
    pub created_at: u64,
    pub created_through: Option<AppId>,
    pub tokens: Vec<Held>,
}

impl Card {
    /// The bytes of text on it, its tokens excepted. A contact id is a number, not text.
    pub fn own_text(&self) -> usize {
        let names = &self.names;
        names.external.as_ref().map_or(0, String::len)
            + names.phone.map_or(0, |phone| phone.to_string().len())
            + names.email.as_ref().map_or(0, String::len)
            + field_text(&self.fields)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub app: AppId,
    pub token: String,
    pub subscriber: u64,
    pub added_at: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    pub id: u64,
    pub app: AppId,
    pub token: String,
    pub holders: Vec<u64>,
    pub last_registered_at: u64,
    pub last_status: Option<(Status, u64)>,
    pub counts: Counts,
    pub muted: Option<MutedUntil>,
}

/// When a mute ends (R59), the later the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MutedUntil {
    Time(u64),
    NoEnd,
}

impl MutedUntil {
    /// Whether a subscriber with this mute is muted at a time.
    pub fn counts(muted: Option<Self>, at: u64) -> bool {
        muted > Some(MutedUntil::Time(at))
    }
}

impl From<store::MuteEnd> for MutedUntil {
    fn from(end: store::MuteEnd) -> Self {
        match end.time() {
            Some(end) => MutedUntil::Time(end.as_millis()),
            None => MutedUntil::NoEnd,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub sent: u64,
    pub failed: u64,
    pub clicked: u64,
}

impl Counts {
    pub fn count(&mut self, status: Status) {
        match status {
            Status::Sent => self.sent += 1,
            Status::Failed => self.failed += 1,
            Status::Clicked => self.clicked += 1,
            other => unreachable!("{other:?} is new to the model"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    pub id: String,
    pub counts: Counts,
    pub last_at: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    pub name: String,
    pub key: Option<String>,
    pub connected_at: u64,
    pub subscribers: u64,
    pub contacts: u64,
    pub removed_by_failed: u64,
    pub removed_by_host: u64,
}

/// What add-tokens would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    Append(u64, IdentifierKind),
    Create {
        contact: u64,
        identifiers: KindSet,
        skipped: KindSet,
    },
    Refuse(Refusal),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub named: Vec<(IdentifierKind, Option<u64>)>,
    pub cascade: Decided,
    pub top_priority: Decided,
}

/// Everything that can be asked of a state.
pub(super) trait Reads {
    fn sequence(&self) -> u64;
    fn contact_count(&self) -> u64;
    fn card(&self, id: u64) -> Result<Option<Card>, Refused>;
    /// What was merged into a contact: the ids, when, and which identifiers they had.
    fn merged(&self, id: u64) -> Result<Vec<(u64, u64, KindSet)>, Refused>;
    fn conflicts(&self, after: Option<(u64, u64)>, limit: usize) -> Result<Vec<Listed>, Refused>;
    fn find(
        &self,
        names: &Names,
        policy: MatchPolicy,
    ) -> Result<Option<(Card, IdentifierKind)>, Refused>;
    fn explain(&self, names: &Names) -> Result<Explained, Refused>;
    fn apps(&self) -> Result<Vec<App>, Refused>;
    fn subscriber(&self, id: u64) -> Result<Option<Subscriber>, Refused>;
    fn subscriber_by_token(&self, app: AppId, token: &str) -> Result<Option<Subscriber>, Refused>;
    fn subscribers(
        &self,
        app: AppId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Subscriber>, Refused>;
    fn messages(
        &self,
        app: AppId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Tally>, Refused>;
    /// Of all contacts, or those of an app.
    fn contacts(
        &self,
        of: Option<AppId>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Card>, Refused>;
    fn resolve(&self, whom: &Whom) -> Result<Reaching, Refused>;
}

impl Reads for Model {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn contact_count(&self) -> u64 {
        self.cards.len() as u64
    }

    fn card(&self, id: u64) -> Result<Option<Card>, Refused> {
        // R58.
        let present = self.present(id);
        let card = self.cards.iter().find(|card| Some(card.id) == present);
        Ok(card.cloned())
    }

    fn merged(&self, id: u64) -> Result<Vec<(u64, u64, KindSet)>, Refused> {
        let inside = self.inside(self.present(id).unwrap_or(id)).into_iter();
        let shown = |id: u64| {
            let gone = self.merged.iter().find(|gone| gone.id == id)?;
            let own = IdentifierKind::ContactId.into();
            Some((id, gone.merged_at, gone.card.names.without(own).kinds()))
        };
        Ok(inside.filter_map(shown).collect())
    }

    fn conflicts(&self, after: Option<(u64, u64)>, limit: usize) -> Result<Vec<Listed>, Refused> {
        let is_after = |listed: &&Listed| after.is_none_or(|after| listed.pair() > after);
        let listed = self.conflicts.iter().filter(is_after);
        Ok(listed.take(limit).cloned().collect())
    }

    fn find(
        &self,
        names: &Names,
        policy: MatchPolicy,
    ) -> Result<Option<(Card, IdentifierKind)>, Refused> {
        if *names == Names::default() {
            return Err(Refused::NothingGiven);
        }
        let found = self.matching(policy, names);
        Ok(found.map(|(card, kind)| (card.clone(), kind)))
    }

    fn explain(&self, names: &Names) -> Result<Explained, Refused> {
        if *names == Names::default() {
            return Err(Refused::NothingGiven);
        }
        let decided = |policy| {
            let given = match self.explained(names) {
                Ok(given) => given,
                Err(refusal) => return Decided::Refuse(refusal),
            };
            if let Err(refusal) = self.refuse_suppressed(&given) {
                return Decided::Refuse(refusal);
            }
            match self.target(policy, self.settings.unknown_contact_id, &given) {
                Err(refusal) => Decided::Refuse(refusal),
                Ok(target) => match target.matched_by {
                    Some(kind) => Decided::Append(target.contact, kind),
                    None => Decided::Create {
                        contact: target.contact,
                        identifiers: given.without(target.skipped).kinds(),
                        skipped: target.skipped,
                    },
                },
            }
        };
        let named = |kind| (kind, self.named(names, kind).map(|card| card.id));
        Ok(Explained {
            named: names.kinds().iter().map(named).collect(),
            cascade: decided(MatchPolicy::Cascade),
            top_priority: decided(MatchPolicy::TopPriority),
        })
    }

    fn apps(&self) -> Result<Vec<App>, Refused> {
        let shown = |app: &super::Connected| App {
            id: app.id,
            name: app.name.clone(),
            key: app.key.clone(),
            connected_at: app.connected_at,
            subscribers: self
                .subscribers
                .iter()
                .filter(|is| is.app == app.id)
                .count() as u64,
            contacts: {
                let holds = |card: &&Card| card.tokens.iter().any(|held| held.app == app.id);
                self.cards.iter().filter(holds).count() as u64
            },
            removed_by_failed: app.removed_by_failed,
            removed_by_host: app.removed_by_host,
        };
        let mut apps: Vec<App> = self.apps.iter().map(shown).collect();
        apps.sort_by_key(|app| app.id);
        Ok(apps)
    }

    fn subscriber(&self, id: u64) -> Result<Option<Subscriber>, Refused> {
        Ok(self.subscribers.iter().find(|is| is.id == id).cloned())
    }

    fn subscriber_by_token(&self, app: AppId, token: &str) -> Result<Option<Subscriber>, Refused> {
        self.connected(app)?;
        Ok(self.by_token(app, token).cloned())
    }

    fn subscribers(
        &self,
        app: AppId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Subscriber>, Refused> {
        self.connected(app)?;
        let behind = |is: &&Subscriber| is.app == app && after.is_none_or(|after| is.id > after);
        let mut page: Vec<Subscriber> = self.subscribers.iter().filter(behind).cloned().collect();
        page.sort_by_key(|subscriber| subscriber.id);
        page.truncate(limit);
        Ok(page)
    }

    fn messages(
        &self,
        app: AppId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Tally>, Refused> {
        self.connected(app)?;
        let mut page = self.tallies(app);
        page.retain(|tally| after.is_none_or(|after| tally.id.as_bytes() > after.as_bytes()));
        page.truncate(limit);
        Ok(page)
    }

    fn contacts(
        &self,
        of: Option<AppId>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Card>, Refused> {
        of.map(|app| self.connected(app)).transpose()?;
        let holds = |card: &Card| of.is_none_or(|app| card.tokens.iter().any(|it| it.app == app));
        let mut page: Vec<Card> = self.cards.clone();
        page.retain(|card| after.is_none_or(|after| card.id > after) && holds(card));
        page.sort_by_key(|card| card.id);
        page.truncate(limit);
        Ok(page)
    }

    fn resolve(&self, whom: &Whom) -> Result<Reaching, Refused> {
        self.resolve(whom)
    }
}

impl Reads for Snapshot {
    fn sequence(&self) -> u64 {
        self.sequence().value()
    }

    fn contact_count(&self) -> u64 {
        self.contact_count()
    }

    fn card(&self, id: u64) -> Result<Option<Card>, Refused> {
        Ok(self.contact(contact_id(id))?.map(Card::from))
    }

    fn merged(&self, id: u64) -> Result<Vec<(u64, u64, KindSet)>, Refused> {
        let merged = self.merged_contacts(contact_id(id))?.into_iter();
        let shown = |merged: store::MergedContact| {
            (
                merged.id.value(),
                merged.merged_at.as_millis(),
                merged.identifiers,
            )
        };
        Ok(merged.map(shown).collect())
    }

    fn conflicts(&self, after: Option<(u64, u64)>, limit: usize) -> Result<Vec<Listed>, Refused> {
        let after = after.map(|(one, other)| (contact_id(one), contact_id(other)));
        let listed = self.conflicts(after, limit)?.into_iter();
        let shown = |conflict: store::Conflict| Listed {
            sides: conflict
                .contacts
                .map(|side| (side.contact.value(), side.named_by)),
            count: conflict.count,
            first_at: conflict.first_at.as_millis(),
            last_at: conflict.last_at.as_millis(),
        };
        Ok(listed.map(shown).collect())
    }

    fn find(
        &self,
        names: &Names,
        policy: MatchPolicy,
    ) -> Result<Option<(Card, IdentifierKind)>, Refused> {
        let found = self.find(&names.identifiers(), policy)?;
        Ok(found.map(|found| (found.card.into(), found.matched_by)))
    }

    fn explain(&self, names: &Names) -> Result<Explained, Refused> {
        let explained = self.explain(&names.identifiers())?;
        let value = |id: Option<ContactId>| id.map(ContactId::value);
        let named = explained.named.into_iter();
        Ok(Explained {
            named: named.map(|(kind, id)| (kind, value(id))).collect(),
            cascade: explained.cascade.into(),
            top_priority: explained.top_priority.into(),
        })
    }

    fn apps(&self) -> Result<Vec<App>, Refused> {
        let shown = |app: store::App| {
            let key = self.access_key(app.id)?;
            Ok(App {
                id: app.id,
                name: app.name.as_str().to_owned(),
                key: key.map(|key| key.reveal().to_owned()),
                connected_at: app.connected_at.as_millis(),
                subscribers: app.subscribers,
                contacts: app.contacts,
                removed_by_failed: app.removed_by_failed,
                removed_by_host: app.removed_by_host,
            })
        };
        self.apps()?.into_iter().map(shown).collect()
    }

    fn subscriber(&self, id: u64) -> Result<Option<Subscriber>, Refused> {
        Ok(self
            .subscriber(SubscriberId::new(id))?
            .map(Subscriber::from))
    }

    fn subscriber_by_token(&self, app: AppId, token: &str) -> Result<Option<Subscriber>, Refused> {
        let token = Token::parse(token).expect("the tests give valid tokens");
        Ok(self.subscriber_by_token(app, &token)?.map(Subscriber::from))
    }

    fn subscribers(
        &self,
        app: AppId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Subscriber>, Refused> {
        let page = self.subscribers(app, after.map(SubscriberId::new), limit)?;
        Ok(page.into_iter().map(Subscriber::from).collect())
    }

    fn messages(
        &self,
        app: AppId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Tally>, Refused> {
        let after = after.map(|id| MessageId::parse(id).expect("the tests give valid ids"));
        let page = self.messages(app, after.as_ref(), limit)?;
        let tally = |tally: store::MessageTally| Tally {
            id: tally.id.as_str().to_owned(),
            counts: tally.counts.into(),
            last_at: tally.last_at.as_millis(),
        };
        Ok(page.into_iter().map(tally).collect())
    }

    fn contacts(
        &self,
        of: Option<AppId>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Card>, Refused> {
        let after = after.map(contact_id);
        let page = match of {
            None => self.contacts(after, limit)?,
            Some(app) => self.contacts_of(app, after, limit)?.contacts,
        };
        Ok(page.into_iter().map(Card::from).collect())
    }

    fn resolve(&self, whom: &Whom) -> Result<Reaching, Refused> {
        resolve(self, whom)
    }
}

impl From<store::Card> for Card {
    fn from(card: store::Card) -> Self {
        let held = |held: store::HeldToken| Held {
            app: held.app,
            token: held.token.as_str().to_owned(),
            subscriber: held.subscriber.value(),
            added_at: held.added_at.as_millis(),
        };
        Card {
            id: card.id.value(),
            names: Names::of(&card.identifiers),
            fields: fields(card.fields),
            created_at: card.created_at.as_millis(),
            created_through: card.created_through,
            tokens: card.tokens.into_iter().map(held).collect(),
        }
    }
}

fn fields(fields: store::ContactFields) -> Fields {
    let named = [
        (FieldName::FirstName, fields.first_name),
        (FieldName::LastName, fields.last_name),
        (FieldName::LanguageCode, fields.language_code),
        (FieldName::TimeZone, fields.time_zone),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let custom = fields.custom.into_iter();
    let custom = custom.map(|(name, value)| (FieldName::Custom(name), value));
    named.chain(custom).collect()
}

impl From<StatusCounts> for Counts {
    fn from(counts: StatusCounts) -> Self {
        Counts {
            sent: counts.sent,
            failed: counts.failed,
            clicked: counts.clicked,
        }
    }
}

impl From<store::Subscriber> for Subscriber {
    fn from(subscriber: store::Subscriber) -> Self {
        let last = subscriber.last_status;
        Subscriber {
            id: subscriber.id.value(),
            app: subscriber.app,
            token: subscriber.token.as_str().to_owned(),
            holders: subscriber
                .contacts
                .into_iter()
                .map(ContactId::value)
                .collect(),
            last_registered_at: subscriber.last_registered_at.as_millis(),
            last_status: last.map(|(status, at)| (status, at.as_millis())),
            counts: subscriber.counts.into(),
            muted: subscriber.muted.map(MutedUntil::from),
        }
    }
}

impl From<Decision> for Decided {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Append {
                contact,
                matched_by,
            } => Decided::Append(contact.value(), matched_by),
            Decision::Create {
                contact,
                identifiers,
                skipped,
            } => Decided::Create {
                contact: contact.value(),
                identifiers,
                skipped,
            },
            Decision::Refuse(error) => Decided::Refuse(error.into()),
            other => unreachable!("{other:?} is new to the model"),
        }
    }
}

/// What is asked for when a whole state is compared.
#[derive(Clone, Debug)]
pub struct Probes {
    /// Contact ids, used and unused.
    pub ids: Vec<u64>,
    /// Sets of identifiers.
    pub names: Vec<Names>,
    /// Apps, connected and unknown, and tokens to look for in each.
    pub apps: Vec<AppId>,
    pub tokens: Vec<String>,
    /// How many rows a page has.
    pub page: usize,
}

impl Probes {
    /// The probes for requests made by [`Request::choose`](super::Request::choose).
    pub fn of_choices() -> Self {
        let emails = ["ann@example.com", "ben@example.com"].map(Names::email);
        let phones = [380_500_000_001, 380_500_000_002].map(Names::phone);
        let externals = ["crm-1", "crm-2", "CRM-1", "Null", "0-0"].map(Names::external);
        let mut names = vec![Names::default()];
        for id in [1, 2, 7] {
            names.push(Names::id(id));
            names.push(emails[0].clone().with_id(id));
        }
        for email in &emails {
            let pairs = phones.iter().chain(&externals);
            names.extend(pairs.map(|other| email.clone().and(other.clone())));
        }
        names.push(phones[0].clone().and(externals[0].clone()));
        names.extend(emails.into_iter().chain(phones).chain(externals));
        Probes {
            ids: vec![1, 2, 3, 4, 5, 6, 7, 8, 1 << 40],
            names,
            apps: [0xa, 0xb, 0xc].map(AppId::from_u128).to_vec(),
            tokens: ["t-1", "t-2", "t-3"].map(str::to_owned).to_vec(),
            page: 2,
        }
    }
}

impl Model {
    /// The identifiers that adding a token would go by (R3, R13).
    fn explained(&self, names: &Names) -> Result<Names, Refusal> {
        let Some(external) = &names.external else {
            return Ok(names.clone());
        };
        let Err(refusal) = self.external(external) else {
            return Ok(names.clone());
        };
        let rest = names.without(IdentifierKind::ExternalCustomerId.into());
        let ignores = self.settings.invalid_identifier == InvalidIdentifier::Ignore;
        if ignores && rest != Names::default() {
            return Ok(rest);
        }
        Err(refusal)
    }

    /// The number of the last request that changed something.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What the store shows otherwise than the model, if anything.
    ///
    /// # Errors
    ///
    /// The question, and both answers.
    pub fn compare(&self, shown: &Snapshot, probes: &Probes) -> Result<(), String> {
        same("sequence", Reads::sequence(shown), self.sequence)?;
        let count = Reads::contact_count(shown);
        same("contact count", count, Reads::contact_count(self))?;
        for id in &probes.ids {
            same(("contact", id), shown.card(*id), self.card(*id))?;
            let merged = Reads::merged(shown, *id);
            same(("merged into", id), merged, Reads::merged(self, *id))?;
        }
        for names in &probes.names {
            for policy in [MatchPolicy::Cascade, MatchPolicy::TopPriority] {
                let found = Reads::find(shown, names, policy);
                same(("find", policy, names), found, self.find(names, policy))?;
            }
            let explained = Reads::explain(shown, names);
            same(("explain", names), explained, self.explain(names))?;
        }
        self.compare_conflicts(shown, probes.page)?;
        same("apps", Reads::apps(shown), self.apps())?;
        for app in &probes.apps {
            for token in &probes.tokens {
                let found = Reads::subscriber_by_token(shown, *app, token);
                let expected = self.subscriber_by_token(*app, token);
                same(("subscriber of", app, token), found, expected)?;
            }
            self.compare_pages(shown, *app, probes.page)?;
        }
        for of in probes.apps.iter().copied().map(Some).chain([None]) {
            self.compare_contacts(shown, of, probes.page)?;
        }
        for id in self.subscriber_ids() {
            let found = Reads::subscriber(shown, id);
            same(("subscriber", id), found, self.subscriber(id))?;
        }
        self.compare_recipients(shown, probes)
    }

    /// Every subscriber, every app with every phone, and each of the ways to give less or more.
    fn compare_recipients(&self, shown: &Snapshot, probes: &Probes) -> Result<(), String> {
        let phones = probes.names.iter().filter_map(|names| names.phone);
        let numbers: Vec<Option<u64>> = phones.map(Some).chain([None]).collect();
        let apps = probes.apps.iter().copied().map(Some).chain([None]);
        let pairs: Vec<Whom> = apps
            .flat_map(|app| {
                numbers.iter().map(move |number| Whom {
                    app,
                    number: *number,
                    ..Whom::default()
                })
            })
            .collect();
        // What stands beside a subscriber is another thing for each.
        let subscribers = self.subscriber_ids().into_iter();
        let subscribers = subscribers.zip(pairs.iter().cycle());
        let subscribers = subscribers.map(|(id, beside)| Whom {
            subscriber: Some(id),
            ..beside.clone()
        });
        // Each is asked at one of a few times, and some for muted ones too (R59).
        let times = [2_500, 1_000, 4_500, 1 << 60].into_iter().cycle();
        let whoms = subscribers.chain(pairs.iter().cloned()).zip(times);
        for (number, (mut whom, at)) in whoms.enumerate() {
            whom.at = at;
            whom.include_muted = number % 5 == 4;
            let found = Reads::resolve(shown, &whom);
            same(("resolve", &whom), found, self.resolve(&whom))?;
        }
        Ok(())
    }

    /// The list of conflicts, page by page.
    fn compare_conflicts(&self, shown: &Snapshot, limit: usize) -> Result<(), String> {
        let mut after = None;
        loop {
            let expected = Reads::conflicts(self, after, limit);
            let found = Reads::conflicts(shown, after, limit);
            same(("conflicts after", after), &found, &expected)?;
            match expected.as_deref().unwrap_or_default().last() {
                Some(last) => after = Some(last.pair()),
                None => return Ok(()),
            }
        }
    }

    /// All contacts, or those of an app, page by page.
    fn compare_contacts(
        &self,
        shown: &Snapshot,
        of: Option<AppId>,
        limit: usize,
    ) -> Result<(), String> {
        let mut after = None;
        loop {
            let expected = Reads::contacts(self, of, after, limit);
            let found = Reads::contacts(shown, of, after, limit);
            same(("contacts of", of, "after", after), &found, &expected)?;
            match expected.as_deref().unwrap_or_default().last() {
                Some(last) => after = Some(last.id),
                None => return Ok(()),
            }
        }
    }

    /// Both listings of an app, page by page.
    fn compare_pages(&self, shown: &Snapshot, app: AppId, limit: usize) -> Result<(), String> {
        let mut after = None;
        loop {
            let expected = self.subscribers(app, after, limit);
            let found = Reads::subscribers(shown, app, after, limit);
            same(("subscribers of", app, "after", after), &found, &expected)?;
            match expected.as_deref().unwrap_or_default().last() {
                Some(last) => after = Some(last.id),
                None => break,
            }
        }
        let mut after: Option<String> = None;
        loop {
            let expected = self.messages(app, after.as_deref(), limit);
            let found = Reads::messages(shown, app, after.as_deref(), limit);
            same(("messages of", app, "after", &after), &found, &expected)?;
            match expected.as_deref().unwrap_or_default().last() {
                Some(last) => after = Some(last.id.clone()),
                None => return Ok(()),
            }
        }
    }
}

fn same<T: Debug + PartialEq>(what: impl Debug, store: T, model: T) -> Result<(), String> {
    if store == model {
        return Ok(());
    }
    Err(format!("{what:?}\n  store: {store:?}\n  model: {model:?}"))
}
