//! A plain model of the store: vectors and scans, no indexes, no storage.
//!
//! It is written from RULES.md and not from the crate, so that one mistake is not made in both. Of
//! the crate it uses the public value types and the canonical forms, which have tests of their own.
//! `fuzz/` includes this file, so it knows nothing of the other tests.
//!
//! Where the rules leave an order open, it is the documented one: contacts that hold a token stand
//! in the order in which they came to hold it, and of two limits that an entry would exceed, that of
//! the token is named before those of the card.

#[path = "model/conflict.rs"]
mod conflict;
#[path = "model/merge.rs"]
mod merge;
#[allow(dead_code, reason = "fuzz/ compares whole states only")]
#[path = "model/question.rs"]
mod question;
#[path = "model/recipient.rs"]
mod recipient;
#[path = "model/request.rs"]
mod request;
#[path = "model/upsert.rs"]
mod upsert;
#[path = "model/view.rs"]
mod view;

use contact_store::{
    AppId, AppName, BatchMode, ContactId, Email, ExternalCustomerId, FailedWithoutReason, Fault,
    Field, GonePhrases, IdentifierKind, InvalidIdentifier, KindSet, Limit, MatchPolicy, MessageId,
    Options, OptionsInForce, Ownership, Phone, Placeholders, Status, Token, UnknownContactId,
};

pub use question::{Question, Shown};
pub use request::{
    Add, Added, Answer, Choices, Entry, Given, Outcome, Place, Refusal, Refused, Renamed, Reported,
    Reports, Request, Said, Waiting,
};
pub use upsert::{FieldName, Item, To, Upserted, Upserts};
pub use view::{Names, Probes};

use conflict::Listed;
use merge::Gone;
use upsert::{Fields, custom_fields};
use view::{Card, Counts, Held, MutedUntil, Subscriber, Tally};

/// How many tallies one step of `forget_messages` looks at.
const FORGET_STEP: usize = 4_096;
/// How many subscribers one step of `remove_stale` looks at, and with how many cards it ends.
const STALE_STEP: usize = 4_096;
const STALE_CARDS: u64 = 1_000;

/// What a store is opened with, as far as the rules depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub policy: MatchPolicy,
    pub ownership: Ownership,
    pub invalid_identifier: InvalidIdentifier,
    pub unknown_contact_id: UnknownContactId,
    pub failed_without_reason: FailedWithoutReason,
    /// Whether placeholders are those of R3, or none.
    pub placeholders: bool,
    /// Whether the gone phrases are those of R32, or none.
    pub gone_phrases: bool,
    pub tokens_per_contact: usize,
    pub contacts_per_token: usize,
    pub card_text_bytes: usize,
    pub custom_fields_per_contact: usize,
    pub entries_per_request: usize,
    pub suppressed_identifiers: usize,
    pub remember_blocked: usize,
    pub conflicts: usize,
}

impl Settings {
    /// The settings that `options` mean.
    pub fn of(options: &Options) -> Self {
        Settings {
            policy: options.policy,
            ownership: options.ownership,
            invalid_identifier: options.invalid_identifier,
            unknown_contact_id: options.unknown_contact_id,
            failed_without_reason: options.failed_without_reason,
            placeholders: options.placeholders == Placeholders::default(),
            gone_phrases: options.gone_phrases == GonePhrases::default(),
            tokens_per_contact: options.limits.tokens_per_contact,
            contacts_per_token: options.limits.contacts_per_token,
            card_text_bytes: options.limits.card_text_bytes,
            custom_fields_per_contact: options.limits.custom_fields_per_contact,
            entries_per_request: options.limits.entries_per_request,
            suppressed_identifiers: options.limits.suppressed_identifiers,
            remember_blocked: options.remember_blocked,
            conflicts: options.conflicts,
        }
    }

    /// Sets `options` to mean these.
    pub fn set(&self, options: &mut Options) {
        options.policy = self.policy;
        options.ownership = self.ownership;
        options.invalid_identifier = self.invalid_identifier;
        options.unknown_contact_id = self.unknown_contact_id;
        options.failed_without_reason = self.failed_without_reason;
        options.placeholders = match self.placeholders {
            true => Placeholders::default(),
            false => Placeholders::none(),
        };
        options.gone_phrases = match self.gone_phrases {
            true => GonePhrases::default(),
            false => GonePhrases::none(),
        };
        options.limits.tokens_per_contact = self.tokens_per_contact;
        options.limits.contacts_per_token = self.contacts_per_token;
        options.limits.card_text_bytes = self.card_text_bytes;
        options.limits.custom_fields_per_contact = self.custom_fields_per_contact;
        options.limits.entries_per_request = self.entries_per_request;
        options.limits.suppressed_identifiers = self.suppressed_identifiers;
        options.remember_blocked = self.remember_blocked;
        options.conflicts = self.conflicts;
    }
}

/// A connected app; its counts are counted when asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Connected {
    id: AppId,
    /// Which connection it is, of all there ever were, from 1 on.
    number: usize,
    name: String,
    key: Option<String>,
    connected_at: u64,
    removed_by_failed: u64,
    removed_by_host: u64,
}

/// The model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    settings: Settings,
    sequence: u64,
    /// The counter of R19.
    next_contact: u64,
    /// How many subscriber ids each connection of an app has given out, in the order of connecting.
    subscriber_ids: Vec<u64>,
    erased: Vec<u64>,
    /// One identifier each (R65).
    suppressed: Vec<Names>,
    /// Who held the tokens that FAILED removed, the oldest first (R63).
    blocked: Vec<Blocked>,
    /// In the order of pairs (R61).
    conflicts: Vec<Listed>,
    /// In the order of merging.
    merged: Vec<Gone>,
    apps: Vec<Connected>,
    cards: Vec<Card>,
    subscribers: Vec<Subscriber>,
    messages: Vec<(AppId, Tally)>,
}

/// A token that FAILED removed, and who held it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Blocked {
    /// Which connection of an app, of all there ever were.
    connection: usize,
    token: String,
    contacts: Vec<u64>,
}

/// An entry that R13 lets pass.
struct Valid {
    token: String,
    names: Names,
    ignored: KindSet,
}

/// Where a token goes.
struct Target {
    contact: u64,
    matched_by: Option<IdentifierKind>,
    skipped: KindSet,
}

impl Model {
    /// An empty store.
    pub fn new(settings: Settings) -> Self {
        Model {
            settings,
            sequence: 0,
            next_contact: 1,
            subscriber_ids: Vec::new(),
            erased: Vec::new(),
            suppressed: Vec::new(),
            blocked: Vec::new(),
            conflicts: Vec::new(),
            merged: Vec::new(),
            apps: Vec::new(),
            cards: Vec::new(),
            subscribers: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// The store closed, and opened with other settings.
    pub fn reopen(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// What the store answers to a request that is made at `clock`.
    pub fn apply(&mut self, request: &Request, clock: u64) -> Answer {
        let before = self.clone();
        match self.decide(request, clock) {
            Ok((numbers, outcome)) => {
                self.end_records();
                // R47: what changes nothing takes no number.
                self.sequence += numbers;
                Ok((self.sequence, outcome))
            }
            Err(refused) => {
                *self = before;
                Err(refused)
            }
        }
    }

    /// Decides a request, and says how many numbers it takes.
    fn decide(&mut self, request: &Request, clock: u64) -> Result<(u64, Outcome), Refused> {
        match request {
            Request::Connect { app, name, key } => {
                let changed = self.connect(*app, name, key.as_deref(), clock);
                Ok((changed.into(), Outcome::Connected(*app)))
            }
            Request::Disconnect { app } => {
                self.connected(*app)?;
                self.disconnect(*app);
                Ok((1, Outcome::Disconnected))
            }
            Request::Add(add) => self.add(add, clock),
            Request::Report(reports) => self.report(reports, clock),
            Request::Upsert(upserts) => self.upsert(upserts, clock),
            Request::Remove {
                app,
                token,
                contact,
            } => {
                self.connected(*app)?;
                let from = self.remove(*app, token, *contact);
                Ok(((!from.is_empty()).into(), Outcome::Removed(from)))
            }
            Request::Rename { app, old, new } => {
                self.connected(*app)?;
                let before = self.clone();
                let renamed = self.rename(*app, old, new)?;
                Ok(((*self != before).into(), Outcome::Renamed(renamed)))
            }
            Request::Mute {
                app,
                token,
                until,
                at,
            } => {
                self.connected(*app)?;
                let at = not_after(clock, at.unwrap_or(clock));
                let muted = until.filter(|end| *end > at).map(MutedUntil::Time);
                let muted = muted.or(until.is_none().then_some(MutedUntil::NoEnd));
                let (changed, known) = self.set_mute(*app, token, muted);
                let outcome = match known {
                    Some((id, _)) => Outcome::Muted(Some(id), *until),
                    None => Outcome::Muted(None, None),
                };
                Ok((changed.into(), outcome))
            }
            Request::Unmute { app, token, at } => {
                self.connected(*app)?;
                let at = not_after(clock, at.unwrap_or(clock));
                let (changed, known) = self.set_mute(*app, token, None);
                let known = known.map(|(id, before)| (id, MutedUntil::counts(before, at)));
                Ok((changed.into(), Outcome::Unmuted(known)))
            }
            Request::Erase { contact } => {
                let erased = self.erase(*contact).is_some();
                Ok((erased.into(), Outcome::Erased(erased)))
            }
            Request::BringBack { app, token, at } => {
                self.connected(*app)?;
                let at = not_after(clock, at.unwrap_or(clock));
                let brought = self.bring_back(*app, token, at)?;
                let changed = brought.is_some();
                Ok((changed.into(), Outcome::BroughtBack(brought)))
            }
            Request::Suppress { contact } => {
                let ended = self.erase(*contact);
                let erased = ended.is_some();
                let mut suppressed = KindSet::EMPTY;
                for names in ended.unwrap_or_default() {
                    let kinds = self.suppress(&names)?;
                    suppressed = suppressed.iter().chain(kinds.iter()).collect();
                }
                let outcome = match suppressed.is_empty() {
                    true => Outcome::Erased(erased),
                    false => Outcome::Suppressed(suppressed),
                };
                Ok((erased.into(), outcome))
            }
            Request::Lift(names) => {
                let lifted = self.lift(names)?;
                Ok(((!lifted.is_empty()).into(), Outcome::Lifted(lifted)))
            }
            Request::Merge { from, into } => {
                let merged = self.merge(*from, *into, clock)?;
                Ok((1, Outcome::Merged(merged)))
            }
            Request::Dismiss { one, other } => {
                let dismissed = self.dismiss(*one, *other);
                Ok((dismissed.into(), Outcome::Dismissed(dismissed)))
            }
            Request::Unmerge { contact } => {
                let unmerged = self.unmerge(*contact)?;
                Ok((1, Outcome::Unmerged(unmerged)))
            }
            Request::Split {
                contact,
                identifiers,
                subscribers,
                at,
            } => {
                let at = not_after(clock, at.unwrap_or(clock));
                let split = self.split(*contact, *identifiers, subscribers, at)?;
                Ok((1, Outcome::Split(split)))
            }
            Request::Forget { app, before } => {
                self.connected(*app)?;
                let (steps, forgotten) = self.forget(*app, *before);
                Ok((steps, Outcome::Forgotten(forgotten)))
            }
            Request::RemoveStale {
                app,
                before,
                dry_run,
            } => {
                self.connected(*app)?;
                let untouched = self.clone();
                let (steps, subscribers, taken_off) = self.remove_stale(*app, *before);
                let outcome = Outcome::StaleRemoved(subscribers, taken_off, *dry_run);
                if *dry_run {
                    *self = untouched;
                    return Ok((0, outcome));
                }
                Ok((steps, outcome))
            }
        }
    }

    // Apps (R11).

    fn connected(&self, app: AppId) -> Result<&Connected, Refused> {
        let connected = self.apps.iter().find(|connected| connected.id == app);
        connected.ok_or(Refused::UnknownApp(app))
    }

    fn connected_mut(&mut self, app: AppId) -> &mut Connected {
        let connected = self.apps.iter_mut().find(|connected| connected.id == app);
        connected.expect("the app was looked up before")
    }

    fn connect(&mut self, id: AppId, name: &str, key: Option<&str>, clock: u64) -> bool {
        let name = AppName::parse(name).expect("the tests give valid names");
        let (name, key) = (name.as_str().to_owned(), key.map(str::to_owned));
        match self.apps.iter_mut().find(|app| app.id == id) {
            Some(app) => {
                let before = app.clone();
                app.name = name;
                // A key that is not given stays.
                app.key = key.or(app.key.take());
                *app != before
            }
            None => {
                self.subscriber_ids.push(0);
                self.apps.push(Connected {
                    id,
                    number: self.subscriber_ids.len(),
                    name,
                    key,
                    connected_at: clock,
                    removed_by_failed: 0,
                    removed_by_host: 0,
                });
                true
            }
        }
    }

    fn disconnect(&mut self, id: AppId) {
        self.apps.retain(|app| app.id != id);
        self.messages.retain(|(app, _)| *app != id);
        self.subscribers.retain(|subscriber| subscriber.app != id);
        for card in &mut self.cards {
            card.tokens.retain(|held| held.app != id);
        }
    }

    // Adding tokens (R13–R25).

    fn add(&mut self, add: &Add, clock: u64) -> Result<(u64, Outcome), Refused> {
        self.check_entries(add.entries.len())?;
        self.connected(add.app)?;
        let settings = &self.settings;
        let mut in_force = OptionsInForce::default();
        in_force.policy = add.policy.unwrap_or(settings.policy);
        in_force.ownership = add.ownership.unwrap_or(settings.ownership);
        in_force.invalid_identifier = add
            .invalid_identifier
            .unwrap_or(settings.invalid_identifier);
        in_force.unknown_contact_id = add
            .unknown_contact_id
            .unwrap_or(settings.unknown_contact_id);
        let at = not_after(clock, add.at.unwrap_or(clock));
        let mut changed = false;
        let mut outcomes = Vec::new();
        for (index, entry) in add.entries.iter().enumerate() {
            let before = self.clone();
            let outcome = self.add_entry(add.app, entry, in_force, at);
            self.end_records();
            changed |= *self != before;
            if let (Err(refusal), BatchMode::AllOrNothing) = (&outcome, add.mode) {
                return Err(Refused::Entry(index, refusal.clone()));
            }
            outcomes.push(outcome);
        }
        Ok((changed.into(), Outcome::Added(in_force, outcomes)))
    }

    fn add_entry(
        &mut self,
        app: AppId,
        entry: &Entry,
        in_force: OptionsInForce,
        at: u64,
    ) -> Result<Added, Refusal> {
        let Valid {
            token,
            names,
            ignored,
        } = self.valid(entry, in_force.invalid_identifier)?;
        self.refuse_suppressed(&names)?;
        let target = self.target(in_force.policy, in_force.unknown_contact_id, &names)?;
        let contact = target.contact;
        let mut card = match self.cards.iter().find(|card| card.id == contact) {
            // R15: nothing else of the contact changes.
            Some(card) => card.clone(),
            None => Card {
                id: contact,
                names: names.without(target.skipped).with_id(contact),
                fields: Fields::new(),
                created_at: at,
                created_through: Some(app),
                tokens: Vec::new(),
            },
        };

        let known = self.by_token(app, &token).cloned();
        let holders = known.as_ref().map_or(&[][..], |known| &known.holders);
        let held = holders.contains(&contact);
        let others: Vec<u64> = holders
            .iter()
            .copied()
            .filter(|id| *id != contact)
            .collect();
        let moved = in_force.ownership == Ownership::Exclusive && !others.is_empty();

        let connection = self.connection(app);
        let next = subscriber_id(connection, self.subscriber_ids[connection - 1] + 1);
        let subscriber = known.as_ref().map_or(next, |known| known.id);
        if moved || !held {
            if !moved {
                let most = self.settings.contacts_per_token;
                within(Limit::ContactsPerToken, holders.len() + 1, most)?;
            }
            card.tokens.retain(|held| held.subscriber != subscriber);
            card.tokens.push(Held {
                app,
                token: token.clone(),
                subscriber,
                added_at: at,
            });
            self.check_card(&card)?;
        }

        // From here on nothing is refused.
        let mut after = known.unwrap_or(Subscriber {
            id: subscriber,
            app,
            token,
            holders: Vec::new(),
            last_registered_at: at,
            last_status: None,
            counts: Counts::default(),
            muted: None,
        });
        after.last_registered_at = after.last_registered_at.max(at);
        if moved {
            after.holders = vec![contact];
            self.take_off(&others, subscriber);
        } else if !held {
            after.holders.push(contact);
        }
        let also_held_by = after.holders.iter().copied();
        let also_held_by = also_held_by.filter(|id| *id != contact).collect();
        // R19: only an id that the store assigned moves the counter.
        if target.matched_by.is_none() && names.contact_id.is_none() {
            self.next_contact = contact + 1;
        }
        if subscriber == next {
            self.subscriber_ids[connection - 1] += 1;
        }
        put(&mut self.cards, card, |card| card.id);
        put(&mut self.subscribers, after, |subscriber| subscriber.id);
        self.list_of_entry(&target, &names, at);
        Ok(Added {
            contact,
            matched_by: target.matched_by,
            token: match (moved, held) {
                (true, _) => Place::Moved(others),
                (false, true) => Place::AlreadyHeld,
                (false, false) => Place::Added,
            },
            subscriber,
            skipped: target.skipped,
            ignored,
            also_held_by,
        })
    }

    /// The contact that gets the token: one that is found (R14), or one to create (R16–R19).
    fn target(
        &self,
        policy: MatchPolicy,
        unknown_contact_id: UnknownContactId,
        names: &Names,
    ) -> Result<Target, Refusal> {
        if let Some((card, kind)) = self.matching(policy, names) {
            return Ok(Target {
                contact: card.id,
                matched_by: Some(kind),
                skipped: KindSet::EMPTY,
            });
        }
        let contact = self.new_contact(unknown_contact_id, names.contact_id)?;
        // R17. Under `Cascade` all were tried, so there are none.
        let taken = |kind: &IdentifierKind| self.named(names, *kind).is_some();
        Ok(Target {
            contact,
            matched_by: None,
            skipped: names.kinds().iter().filter(taken).collect(),
        })
    }

    /// The id of a contact to create, for which this unknown id is given or none (R18, R19).
    fn new_contact(
        &self,
        unknown_contact_id: UnknownContactId,
        given: Option<u64>,
    ) -> Result<u64, Refusal> {
        match given {
            Some(_) if unknown_contact_id == UnknownContactId::Reject => {
                Err(Refusal::UnknownContactId)
            }
            Some(id) if self.erased.contains(&id) => Err(Refusal::ContactIdErased(id)),
            Some(id) => Ok(id),
            None => Ok(self.next_free_id()),
        }
    }

    /// The contact that the names match, and the kind that decides (R14).
    fn matching(&self, policy: MatchPolicy, names: &Names) -> Option<(&Card, IdentifierKind)> {
        let mut tried: Vec<IdentifierKind> = names.kinds().iter().collect();
        if policy == MatchPolicy::TopPriority {
            tried.truncate(1);
        }
        let mut found = tried
            .into_iter()
            .map(|kind| (self.named(names, kind), kind));
        found.find_map(|(card, kind)| Some((card?, kind)))
    }

    /// The contact that has the identifier of one kind.
    fn named(&self, names: &Names, kind: IdentifierKind) -> Option<&Card> {
        let mut name = names.only(kind);
        if name == Names::default() {
            return None;
        }
        if let Some(id) = name.contact_id {
            // R58.
            name = Names::id(self.present(id)?);
        }
        self.cards.iter().find(|card| card.names.only(kind) == name)
    }

    fn next_free_id(&self) -> u64 {
        let in_use = |id: &u64| {
            self.cards.iter().any(|card| card.id == *id)
                || self.merged.iter().any(|gone| gone.id == *id)
        };
        (self.next_contact..)
            .find(|id| !in_use(id) && !self.erased.contains(id))
            .expect("there is a free id")
    }

    fn check_entries(&self, entries: usize) -> Result<(), Refused> {
        let most = self.settings.entries_per_request;
        within(Limit::EntriesPerRequest, entries, most).map_err(of_request)
    }

    fn check_card(&self, card: &Card) -> Result<(), Refusal> {
        let settings = &self.settings;
        let (tokens, custom) = (card.tokens.len(), custom_fields(&card.fields));
        within(Limit::TokensPerContact, tokens, settings.tokens_per_contact)?;
        let most = settings.custom_fields_per_contact;
        within(Limit::CustomFieldsPerContact, custom, most)?;
        let tokens = card.tokens.iter().map(|held| held.token.len());
        let text = tokens.sum::<usize>() + card.own_text();
        within(Limit::CardTextBytes, text, settings.card_text_bytes)
    }

    // Subscribers, and what removes them.

    /// Which connection an app is, of all there ever were.
    fn connection(&self, app: AppId) -> usize {
        let connected = self.apps.iter().find(|connected| connected.id == app);
        connected.expect("the app was looked up before").number
    }

    /// Every subscriber id there ever was, and for each connection of an app one before and one after
    /// them.
    fn subscriber_ids(&self) -> Vec<u64> {
        let connections = self.subscriber_ids.iter().enumerate();
        connections
            .flat_map(|(at, given_out)| {
                (0..=given_out + 1).map(move |number| subscriber_id(at + 1, number))
            })
            .chain([0, 1])
            .collect()
    }

    fn by_token(&self, app: AppId, token: &str) -> Option<&Subscriber> {
        let is = |subscriber: &&Subscriber| subscriber.app == app && subscriber.token == token;
        self.subscribers.iter().find(is)
    }

    fn take_off(&mut self, contacts: &[u64], subscriber: u64) {
        for card in &mut self.cards {
            if contacts.contains(&card.id) {
                card.tokens.retain(|held| held.subscriber != subscriber);
            }
        }
    }

    /// R45. Says who lost the token.
    fn remove(&mut self, app: AppId, token: &str, contact: Option<u64>) -> Vec<u64> {
        let Some(known) = self.by_token(app, token).cloned() else {
            return Vec::new();
        };
        // R58.
        let contact = contact.map(|contact| self.present(contact).unwrap_or(contact));
        let named = |id: &u64| contact.is_none_or(|contact| contact == *id);
        let (from, left): (Vec<u64>, Vec<u64>) = known.holders.iter().partition(|id| named(id));
        self.take_off(&from, known.id);
        if left.is_empty() {
            self.connected_mut(app).removed_by_host += 1;
        }
        self.set_holders(known.id, left);
        from
    }

    /// R62: how many steps removed something, how many subscribers they removed, and from how many
    /// cards.
    fn remove_stale(&mut self, app: AppId, before: u64) -> (u64, u64, u64) {
        let mut all: Vec<Subscriber> = self.subscribers.clone();
        all.retain(|subscriber| subscriber.app == app);
        all.sort_by_key(|subscriber| subscriber.id);
        let (mut steps, mut subscribers, mut cards) = (0, 0, 0);
        let (mut looked_at, mut cards_of_step) = (0, 0);
        for subscriber in all {
            if looked_at == STALE_STEP || cards_of_step >= STALE_CARDS {
                (looked_at, cards_of_step) = (0, 0);
            }
            looked_at += 1;
            let reported_at = subscriber.last_status.map(|(_, at)| at);
            if subscriber.last_registered_at >= before || reported_at >= Some(before) {
                continue;
            }
            // A subscriber has at least one holder.
            if cards_of_step == 0 {
                steps += 1;
            }
            let from = self.remove(app, &subscriber.token, None).len() as u64;
            cards_of_step += from;
            cards += from;
            subscribers += 1;
        }
        (steps, subscribers, cards)
    }

    /// R57.
    fn rename(&mut self, app: AppId, old: &str, new: &str) -> Result<Renamed, Refused> {
        let Some(mut known) = self.by_token(app, old).cloned() else {
            return Ok(Renamed::UnknownSubscriber);
        };
        let other = self.by_token(app, new).filter(|other| other.id != known.id);
        let other = other.cloned();
        known.token = new.to_owned();
        if let Some(other) = &other {
            let had = known.holders.len().max(other.holders.len());
            let more = other
                .holders
                .iter()
                .filter(|id| !known.holders.contains(id));
            let more: Vec<u64> = more.copied().collect();
            known.holders.extend(more);
            if known.holders.len() > had {
                let (now, most) = (known.holders.len(), self.settings.contacts_per_token);
                within(Limit::ContactsPerToken, now, most).map_err(of_request)?;
            }
            known.counts.sent += other.counts.sent;
            known.counts.failed += other.counts.failed;
            known.counts.clicked += other.counts.clicked;
            known.last_registered_at = known.last_registered_at.max(other.last_registered_at);
            known.last_status = match (known.last_status, other.last_status) {
                (Some(own), Some(others)) if others.1 <= own.1 => Some(own),
                (own, others) => others.or(own),
            };
            // R59: the later end stays.
            known.muted = known.muted.max(other.muted);
        }
        let joined = other.as_ref().map(|other| other.id);
        for holder in &known.holders {
            let card = self.cards.iter().find(|card| card.id == *holder);
            let mut card = card.expect("a holder has a card").clone();
            let text = |card: &Card| card.tokens.iter().map(|it| it.token.len()).sum::<usize>();
            let text_before = text(&card);
            // The place of the old one is the one that is kept.
            if card.tokens.iter().any(|held| held.subscriber == known.id) {
                card.tokens.retain(|held| Some(held.subscriber) != joined);
            }
            for held in &mut card.tokens {
                if held.subscriber == known.id || Some(held.subscriber) == joined {
                    (held.subscriber, held.token) = (known.id, new.to_owned());
                }
            }
            if text(&card) > text_before {
                self.check_card(&card).map_err(of_request)?;
            }
            put(&mut self.cards, card, |card| card.id);
        }
        self.subscribers.retain(|is| Some(is.id) != joined);
        let (id, holders) = (known.id, known.holders.clone());
        put(&mut self.subscribers, known, |subscriber| subscriber.id);
        Ok(Renamed::To(id, joined, holders))
    }

    /// R59. Says whether that changed anything, and the subscriber with the mute that it had.
    fn set_mute(
        &mut self,
        app: AppId,
        token: &str,
        muted: Option<MutedUntil>,
    ) -> (bool, Option<(u64, Option<MutedUntil>)>) {
        let Some(mut known) = self.by_token(app, token).cloned() else {
            return (false, None);
        };
        let before = std::mem::replace(&mut known.muted, muted);
        let id = known.id;
        put(&mut self.subscribers, known, |subscriber| subscriber.id);
        (before != muted, Some((id, before)))
    }

    /// A subscriber without a holder does not exist.
    fn set_holders(&mut self, subscriber: u64, holders: Vec<u64>) {
        let known = self.subscribers.iter_mut().find(|is| is.id == subscriber);
        known.expect("a token on a card has a subscriber").holders = holders;
        self.subscribers.retain(|is| !is.holders.is_empty());
    }

    /// R44.
    /// R44: the identifiers that end with the contact. `None` when there is no such contact.
    fn erase(&mut self, contact: u64) -> Option<Vec<Names>> {
        let contact = self.present(contact)?;
        let inside = self.inside(contact);
        let card = self.cards.iter().find(|card| card.id == contact)?.clone();
        for held in &card.tokens {
            let known = self.subscribers.iter().find(|is| is.id == held.subscriber);
            let holders = known
                .expect("a token on a card has a subscriber")
                .holders
                .iter();
            let left = holders.copied().filter(|id| *id != contact).collect();
            self.set_holders(held.subscriber, left);
        }
        self.cards.retain(|card| card.id != contact);
        let is_of = |it: &Listed| it.pair().0 == contact || it.pair().1 == contact;
        self.conflicts.retain(|listed| !is_of(listed));
        // What those merged into it had is in the records of the merges. Another contact may have what
        // did not go over.
        let has = |name: &Names, kind| self.cards.iter().any(|it| it.names.only(kind) == *name);
        let mut kept = self.kept_of(contact);
        kept.retain(|name| !name.kinds().iter().any(|kind| has(name, kind)));
        let ended = [vec![card.names], kept].concat();
        self.merged.retain(|gone| !inside.contains(&gone.id));
        self.erased.extend(inside);
        self.erased.push(contact);
        for gone in &mut self.merged {
            ended.iter().for_each(|names| gone.lose(names));
        }
        Some(ended)
    }

    /// R63: remembers who held a token that FAILED removed.
    fn remember(&mut self, app: AppId, known: &Subscriber) {
        let most = self.settings.remember_blocked;
        // After the bound was lowered, two old ones go for each new one.
        for _ in 0..2 {
            if most > 0 && self.blocked.len() >= most && !self.blocked.is_empty() {
                self.blocked.remove(0);
            }
        }
        if self.blocked.len() < most {
            self.blocked.push(Blocked {
                connection: self.connection(app),
                token: known.token.clone(),
                contacts: known.holders.clone(),
            });
        }
    }

    /// R63: the subscriber and the contacts, if anything is remembered.
    fn bring_back(
        &mut self,
        app: AppId,
        token: &str,
        at: u64,
    ) -> Result<Option<(u64, Vec<u64>)>, Refused> {
        let connection = self.connection(app);
        let is = |record: &&Blocked| record.connection == connection && record.token == token;
        let Some(record) = self.blocked.iter().find(is).cloned() else {
            return Ok(None);
        };
        let mut contacts = Vec::new();
        for contact in record.contacts {
            let now = self.present(contact).unwrap_or(contact);
            if !contacts.contains(&now) {
                contacts.push(now);
            }
        }
        let (holders, most) = (contacts.len(), self.settings.contacts_per_token);
        within(Limit::ContactsPerToken, holders, most).map_err(of_request)?;
        self.subscriber_ids[connection - 1] += 1;
        let id = subscriber_id(connection, self.subscriber_ids[connection - 1]);
        for contact in &contacts {
            let card = self.cards.iter().find(|card| card.id == *contact);
            let mut card = card.expect("only who exists is remembered").clone();
            card.tokens.push(Held {
                app,
                token: token.to_owned(),
                subscriber: id,
                added_at: at,
            });
            self.check_card(&card).map_err(of_request)?;
            put(&mut self.cards, card, |card| card.id);
        }
        self.subscribers.push(Subscriber {
            id,
            app,
            token: token.to_owned(),
            holders: contacts.clone(),
            last_registered_at: at,
            last_status: None,
            counts: Counts::default(),
            muted: None,
        });
        self.end_records();
        Ok(Some((id, contacts)))
    }

    /// R63: what ends a record, whichever request did it: the token is there, the app is not, or all
    /// contacts are erased.
    fn end_records(&mut self) {
        let connected: Vec<(usize, AppId)> =
            self.apps.iter().map(|app| (app.number, app.id)).collect();
        let mut blocked = std::mem::take(&mut self.blocked);
        for record in &mut blocked {
            record.contacts.retain(|id| {
                let now = self.present(*id).unwrap_or(*id);
                self.cards.iter().any(|card| card.id == now)
            });
        }
        blocked.retain(|record| {
            let app = connected
                .iter()
                .find(|(number, _)| *number == record.connection);
            let is_gone = |app: &(usize, AppId)| self.by_token(app.1, &record.token).is_none();
            !record.contacts.is_empty() && app.is_some_and(is_gone)
        });
        self.blocked = blocked;
    }

    /// R65: the identifiers of a contact that was erased. Refused when that would be too many.
    fn suppress(&mut self, names: &Names) -> Result<KindSet, Refused> {
        let names = Names {
            contact_id: None,
            ..names.clone()
        };
        for kind in names.kinds().iter() {
            let name = names.only(kind);
            if !self.suppressed.contains(&name) {
                self.suppressed.push(name);
            }
        }
        let most = self.settings.suppressed_identifiers;
        if !names.kinds().is_empty() {
            let now = self.suppressed.len();
            within(Limit::SuppressedIdentifiers, now, most).map_err(of_request)?;
        }
        Ok(names.kinds())
    }

    /// R65. Says which kinds were suppressed.
    fn lift(&mut self, names: &Names) -> Result<KindSet, Refused> {
        let names = Names {
            contact_id: None,
            ..names.clone()
        };
        if names == Names::default() {
            return Err(Refused::NothingGiven);
        }
        let is_suppressed = |kind: &IdentifierKind| self.suppressed.contains(&names.only(*kind));
        let lifted: KindSet = names.kinds().iter().filter(is_suppressed).collect();
        let is_named = |name: &Names| names.kinds().iter().any(|kind| names.only(kind) == *name);
        self.suppressed.retain(|name| !is_named(name));
        Ok(lifted)
    }

    /// R65: the first kind that is suppressed refuses all.
    fn refuse_suppressed(&self, names: &Names) -> Result<(), Refusal> {
        let is_suppressed = |kind: &IdentifierKind| self.suppressed.contains(&names.only(*kind));
        match names.kinds().iter().find(is_suppressed) {
            Some(kind) => Err(Refusal::Suppressed(kind)),
            None => Ok(()),
        }
    }

    // Delivery reports (R30–R36).

    fn report(&mut self, reports: &Reports, clock: u64) -> Result<(u64, Outcome), Refused> {
        self.check_entries(reports.reports.len())?;
        self.connected(reports.app)?;
        let at = not_after(clock, reports.at.unwrap_or(clock));
        let without_reason = reports
            .failed_without_reason
            .unwrap_or(self.settings.failed_without_reason);
        let mut changed = false;
        let mut outcomes = Vec::new();
        for (index, report) in reports.reports.iter().enumerate() {
            let at = report.at.map_or(at, |at| not_after(clock, at));
            let outcome = self.report_one(reports.app, report, without_reason, clock, at);
            match &outcome {
                Ok(Reported::UnknownSubscriber) => {}
                Ok(Reported::Recorded | Reported::Removed(_)) => changed = true,
                Err(refusal) if reports.mode == BatchMode::AllOrNothing => {
                    return Err(Refused::Entry(index, refusal.clone()));
                }
                Err(_) => {}
            }
            outcomes.push(outcome);
        }
        Ok((changed.into(), Outcome::Reported(outcomes)))
    }

    fn report_one(
        &mut self,
        app: AppId,
        report: &Said,
        without_reason: FailedWithoutReason,
        clock: u64,
        at: u64,
    ) -> Result<Reported, Refusal> {
        let known = match (&report.token, report.subscriber) {
            (Some(token), None) => {
                Token::parse(token.as_str())?;
                self.by_token(app, token)
            }
            (None, Some(id)) => {
                let is = |known: &&Subscriber| known.id == id && known.app == app;
                self.subscribers.iter().find(is)
            }
            _ => return Err(Refusal::OneOfTokenAndSubscriber),
        };
        let known = known.cloned();
        if let Some(message) = &report.message {
            MessageId::parse(message.as_str())?;
        }
        let Some(mut known) = known else {
            return Ok(Reported::UnknownSubscriber);
        };
        if let Some(message) = &report.message {
            self.count_message(app, message, report.status, at);
        }
        let forbidden = self.is_forbidden(report.reason.as_deref(), without_reason);
        let registered_at = not_after(clock, known.last_registered_at);
        if report.status == Status::Failed && forbidden && at >= registered_at {
            self.take_off(&known.holders, known.id);
            self.connected_mut(app).removed_by_failed += 1;
            self.set_holders(known.id, Vec::new());
            self.remember(app, &known);
            return Ok(Reported::Removed(known.holders));
        }
        known.counts.count(report.status);
        if known.last_status.is_none_or(|(_, last)| at >= last) {
            known.last_status = Some((report.status, at));
        }
        put(&mut self.subscribers, known, |subscriber| subscriber.id);
        Ok(Reported::Recorded)
    }

    fn count_message(&mut self, app: AppId, message: &str, status: Status, at: u64) {
        let is = |(of, tally): &&mut (AppId, Tally)| *of == app && tally.id == message;
        let tally = match self.messages.iter_mut().find(is) {
            Some((_, tally)) => tally,
            None => {
                let tally = Tally {
                    id: message.to_owned(),
                    counts: Counts::default(),
                    last_at: at,
                };
                self.messages.push((app, tally));
                &mut self.messages.last_mut().expect("one was just pushed").1
            }
        };
        tally.counts.count(status);
        tally.last_at = tally.last_at.max(at);
    }

    /// How many steps removed something, and how many tallies they removed.
    fn forget(&mut self, app: AppId, before: u64) -> (u64, u64) {
        let tallies = self.tallies(app);
        let old =
            |step: &[Tally]| step.iter().filter(|tally| tally.last_at < before).count() as u64;
        let forgotten: Vec<u64> = tallies.chunks(FORGET_STEP).map(old).collect();
        self.messages
            .retain(|(of, tally)| *of != app || tally.last_at >= before);
        let steps = forgotten.iter().filter(|step| **step > 0).count() as u64;
        (steps, forgotten.iter().sum())
    }

    /// The tallies of an app, in the byte order of their ids.
    fn tallies(&self, app: AppId) -> Vec<Tally> {
        let of_app = self.messages.iter().filter(|(of, _)| *of == app);
        let mut tallies: Vec<Tally> = of_app.map(|(_, tally)| tally.clone()).collect();
        tallies.sort_by(|a, b| a.id.as_bytes().cmp(b.id.as_bytes()));
        tallies
    }
}

/// R54: a time later than the clock counts as the clock's.
fn not_after(clock: u64, time: u64) -> u64 {
    time.min(clock)
}

/// The white space of RULES section 2.
fn is_white_space(c: char) -> bool {
    "\t\n\u{B}\u{C}\r \u{85}\u{A0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\
     \u{2007}\u{2008}\u{2009}\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}"
        .contains(c)
}

/// R1.
fn not_blank(text: &Option<String>) -> Option<&str> {
    let is_blank = |text: &&str| text.chars().all(is_white_space);
    text.as_deref().filter(|text| !is_blank(text))
}

/// The placeholders of R3, but for those of nothing but `0` and `-`.
const PLACEHOLDERS: &str =
    "null|undefined|none|nil|nan|n/a|na|unknown|anonymous|guest|[object object]|true|false|0|-1";

/// The gone phrases of R32, in lower case.
const GONE: [&str; 5] = [
    "bot was blocked by the user",
    "user is deactivated",
    "bot was kicked",
    "user_is_blocked",
    "input_user_deactivated",
];

impl Model {
    /// R13: the token, then the identifiers by priority, then whether there is one.
    fn valid(&self, entry: &Entry, option: InvalidIdentifier) -> Result<Valid, Refusal> {
        let token = entry.token.as_deref().unwrap_or_default();
        let token = Token::parse(token)?.as_str().to_owned();
        let is_number = |c: char| c.is_ascii_digit() || c == '-';
        let number = token.trim_matches(is_white_space).chars().all(is_number);
        if !number && self.is_placeholder(&token) {
            return Err(Refusal::Field(Field::Token, Fault::Placeholder));
        }
        let given = &entry.given;
        let mut names = Names::default();
        let mut faults: Vec<(IdentifierKind, Refusal)> = Vec::new();
        if let Some(id) = given.contact_id {
            match ContactId::try_from(id) {
                Ok(id) => names.contact_id = Some(id.value()),
                Err(error) => faults.push((IdentifierKind::ContactId, error.into())),
            }
        }
        if let Some(text) = not_blank(&given.external) {
            match self.external(text) {
                Ok(id) => names.external = Some(id),
                Err(error) => faults.push((IdentifierKind::ExternalCustomerId, error)),
            }
        }
        if let Some(text) = not_blank(&given.phone) {
            match Phone::parse(text) {
                Ok(phone) => names.phone = Some(phone.as_u64()),
                Err(error) => faults.push((IdentifierKind::Phone, error.into())),
            }
        }
        if let Some(text) = not_blank(&given.email) {
            match Email::parse(text) {
                Ok(email) => names.email = Some(email.as_str().to_owned()),
                Err(error) => faults.push((IdentifierKind::Email, error.into())),
            }
        }
        let refuses = option == InvalidIdentifier::Refuse || names == Names::default();
        match faults.first() {
            Some((_, error)) if refuses => Err(error.clone()),
            None if names == Names::default() => Err(Refusal::NoIdentifier),
            _ => Ok(Valid {
                token,
                names,
                ignored: faults.iter().map(|(kind, _)| *kind).collect(),
            }),
        }
    }

    /// R3: an external id that a request may give.
    fn external(&self, text: &str) -> Result<String, Refusal> {
        let id = ExternalCustomerId::parse(text)?.as_str().to_owned();
        if self.is_placeholder(&id) {
            return Err(Refusal::Field(
                Field::ExternalCustomerId,
                Fault::Placeholder,
            ));
        }
        Ok(id)
    }

    /// R3.
    fn is_placeholder(&self, text: &str) -> bool {
        let text = text.trim_matches(is_white_space).to_ascii_lowercase();
        let named = PLACEHOLDERS.split('|').any(|word| word == text);
        self.settings.placeholders && (named || text.trim_matches(['0', '-']).is_empty())
    }

    /// R32.
    fn is_forbidden(&self, reason: Option<&str>, without_reason: FailedWithoutReason) -> bool {
        let reason = reason.unwrap_or_default().trim_matches(is_white_space);
        let reason = reason.to_ascii_lowercase();
        if reason.is_empty() {
            return without_reason == FailedWithoutReason::Remove;
        }
        let in_a_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let holds = |words: &str| {
            reason.match_indices(words).any(|(place, _)| {
                let before = reason[..place].chars().next_back();
                let after = reason[place + words.len()..].chars().next();
                !in_a_word(before) && !in_a_word(after)
            })
        };
        let code = reason.strip_prefix("403");
        code.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
            || holds("forbidden")
            || self.settings.gone_phrases && GONE.iter().any(|phrase| holds(phrase))
    }
}

fn within(limit: Limit, actual: usize, most: usize) -> Result<(), Refusal> {
    if actual <= most {
        return Ok(());
    }
    Err(Refusal::Limit(limit, actual as u64, most as u64))
}

/// A limit that refuses the whole request.
fn of_request(refusal: Refusal) -> Refused {
    match refusal {
        Refusal::Limit(limit, actual, most) => Refused::Limit(limit, actual, most),
        other => Refused::Entry(0, other),
    }
}

/// Puts `row` in the place of the one with its id, or at the end.
fn put<T>(rows: &mut Vec<T>, row: T, id: impl Fn(&T) -> u64) {
    match rows.iter_mut().find(|old| id(old) == id(&row)) {
        Some(old) => *old = row,
        None => rows.push(row),
    }
}

impl From<contact_store::FieldError> for Refusal {
    fn from(error: contact_store::FieldError) -> Self {
        Refusal::Field(error.field(), error.fault().clone())
    }
}

/// The subscriber id with this number, from 1 on, of a connection of an app.
fn subscriber_id(connection: usize, number: u64) -> u64 {
    (connection as u64) << 40 | number
}
