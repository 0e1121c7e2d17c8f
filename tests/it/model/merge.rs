//! Merging, unmerging and splitting contacts, written from R58.
//!
//! Of each contact that was merged the model keeps the card that it had, and the one contact that it was
//! merged into, which may be merged itself. What it has now is found by going from one to the next.

use std::collections::BTreeSet;

use contact_store::{
    ContactId, IdentifierKind, KindSet, Limit, Merge, MergeError, Merged, Snapshot, Split,
    SplitOff, SubscriberId, Unmerged, limits::MERGES_PER_CONTACT,
};

use super::request::{Outcome, Refused, Request};
use super::upsert::FieldName;
use super::view::{Card, Names};
use super::{Model, of_request, put, within};

/// A contact that was merged into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) id: u64,
    /// The contact that it was merged into, merged itself or not.
    pub(super) into: u64,
    pub(super) merged_at: u64,
    /// What it had, without what was taken out of it since.
    pub(super) card: Card,
    /// The kinds that were erased since with another contact that had them.
    erased: KindSet,
    moved: KindSet,
    moved_fields: BTreeSet<FieldName>,
    /// The subscribers that the other held too, and where this one stood among the holders.
    shared: Vec<(u64, usize)>,
    /// The tokens of the other in their order before, if that was not the order of their times.
    order_before: Vec<u64>,
}

impl Gone {
    fn place(&self, subscriber: u64) -> Option<usize> {
        let shared = self.shared.iter().find(|(id, _)| *id == subscriber);
        shared.map(|(_, place)| *place)
    }

    /// These identifiers were erased with another contact.
    pub(super) fn lose(&mut self, names: &Names) {
        for kind in names.kinds().iter() {
            if self.card.names.only(kind) == names.only(kind) {
                self.card.names = self.card.names.without(kind.into());
                self.erased.insert(kind);
            }
        }
    }
}

/// The outcome of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    pub from: u64,
    pub into: u64,
    pub identifiers: KindSet,
    pub kept_identifiers: KindSet,
    pub fields: BTreeSet<FieldName>,
    pub kept_fields: BTreeSet<FieldName>,
    pub tokens: Vec<u64>,
    pub shared_tokens: Vec<u64>,
    pub ids: Vec<u64>,
}

/// The outcome of taking a contact out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenOut {
    pub contact: u64,
    pub from: u64,
    pub identifiers: KindSet,
    pub fields: BTreeSet<FieldName>,
    pub tokens: Vec<u64>,
    pub ids: Vec<u64>,
    pub not_given_back: (Vec<(IdentifierKind, u64)>, KindSet, Vec<u64>),
}

/// The outcome of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divided {
    pub from: u64,
    pub contact: u64,
    pub identifiers: KindSet,
    pub tokens: Vec<u64>,
}

fn id(id: u64) -> ContactId {
    ContactId::new(id).expect("the tests give valid ids")
}

fn refused(error: MergeError) -> Refused {
    Refused::Merge(error)
}

impl Model {
    /// The contact that an id leads to.
    pub(super) fn present(&self, mut id: u64) -> Option<u64> {
        while let Some(gone) = self.merged.iter().find(|gone| gone.id == id) {
            id = gone.into;
        }
        self.cards.iter().any(|card| card.id == id).then_some(id)
    }

    /// The contacts that were merged into one, directly or through others.
    pub(super) fn inside(&self, contact: u64) -> Vec<u64> {
        let is_inside = |mut id: u64| {
            while let Some(gone) = self.merged.iter().find(|gone| gone.id == id) {
                if gone.into == contact {
                    return true;
                }
                id = gone.into;
            }
            false
        };
        let all = self.merged.iter().map(|gone| gone.id);
        let mut inside: Vec<u64> = all.filter(|id| is_inside(*id)).collect();
        inside.sort_unstable();
        inside
    }

    /// The identifiers of those inside a contact that did not go over.
    pub(super) fn kept_of(&self, contact: u64) -> Vec<Names> {
        let inside = self.inside(contact);
        let gone = self.merged.iter().filter(|gone| inside.contains(&gone.id));
        gone.flat_map(|gone| {
            let kinds = gone.card.names.kinds().iter();
            let kept = kinds.filter(|kind| !gone.moved.contains(*kind));
            kept.map(|kind| gone.card.names.only(kind))
        })
        .collect()
    }

    fn unknown(&self, contact: u64) -> Refused {
        refused(match self.erased.contains(&contact) {
            true => MergeError::ErasedContact(id(contact)),
            false => MergeError::UnknownContact(id(contact)),
        })
    }

    fn meant(&self, contact: u64) -> Result<Card, Refused> {
        let present = self.present(contact);
        let present = present.ok_or_else(|| self.unknown(contact))?;
        let card = self.cards.iter().find(|card| card.id == present);
        Ok(card.expect("it is there").clone())
    }

    fn change_holders(&mut self, subscriber: u64, change: impl FnOnce(&mut Vec<u64>)) {
        let known = self.subscribers.iter_mut().find(|is| is.id == subscriber);
        change(&mut known.expect("a token on a card has a subscriber").holders);
    }

    fn holders(&self, subscriber: u64) -> &[u64] {
        let known = self.subscribers.iter().find(|is| is.id == subscriber);
        &known.expect("a token on a card has a subscriber").holders
    }

    pub(super) fn merge(&mut self, from: u64, into: u64, clock: u64) -> Result<Joined, Refused> {
        let (from, before) = (self.meant(from)?, self.meant(into)?);
        if from.id == before.id {
            return Err(refused(MergeError::IntoItself(id(from.id))));
        }
        let ids = self.inside(from.id);
        let merges = ids.len() + self.inside(before.id).len() + 1;
        within(Limit::MergesPerContact, merges, MERGES_PER_CONTACT).map_err(of_request)?;
        let mut into = before.clone();
        let own = IdentifierKind::ContactId;
        let names = from.names.without(own.into());
        let kept_identifiers: KindSet = names
            .kinds()
            .iter()
            .filter(|kind| before.names.kinds().contains(*kind))
            .collect();
        let moved = names.without(kept_identifiers);
        into.names = into.names.and(moved.clone());
        let (mut fields, mut kept_fields) = (BTreeSet::new(), BTreeSet::new());
        for (name, value) in &from.fields {
            if before.fields.contains_key(name) {
                kept_fields.insert(name.clone());
            } else {
                fields.insert(name.clone());
                into.fields.insert(name.clone(), value.clone());
            }
        }
        let (mut tokens, mut shared) = (Vec::new(), Vec::new());
        for held in &from.tokens {
            let holders = self.holders(held.subscriber);
            let place = holders.iter().position(|holder| *holder == from.id);
            let place = place.expect("who holds a token is among its holders");
            if holders.contains(&into.id) {
                self.change_holders(held.subscriber, |holders| {
                    holders.remove(place);
                });
                shared.push((held.subscriber, place));
            } else {
                self.change_holders(held.subscriber, |holders| holders[place] = into.id);
                tokens.push(held.subscriber);
                into.tokens.push(held.clone());
            }
        }
        into.tokens.sort_by_key(|held| held.added_at);
        if moved != Names::default() || !fields.is_empty() || !tokens.is_empty() {
            self.check_card(&into).map_err(of_request)?;
        }
        let order_before = match before.tokens.is_sorted_by_key(|held| held.added_at) {
            true => Vec::new(),
            false => before.tokens.iter().map(|held| held.subscriber).collect(),
        };
        let outcome = Joined {
            from: from.id,
            into: into.id,
            identifiers: moved.kinds(),
            kept_identifiers,
            fields: fields.clone(),
            kept_fields,
            tokens,
            shared_tokens: shared.iter().map(|(subscriber, _)| *subscriber).collect(),
            ids,
        };
        self.cards.retain(|card| card.id != from.id);
        self.merged.push(Gone {
            id: from.id,
            into: into.id,
            merged_at: clock,
            card: from,
            erased: KindSet::EMPTY,
            moved: moved.kinds(),
            moved_fields: fields,
            shared,
            order_before,
        });
        put(&mut self.cards, into, |card| card.id);
        self.move_conflicts(outcome.from, outcome.into);
        Ok(outcome)
    }

    pub(super) fn unmerge(&mut self, contact: u64) -> Result<TakenOut, Refused> {
        let Some(position) = self.merged.iter().position(|gone| gone.id == contact) else {
            return Err(match self.present(contact) {
                Some(_) => refused(MergeError::NotMerged(id(contact))),
                None => self.unknown(contact),
            });
        };
        let gone = self.merged.remove(position);
        // The contacts that it came through.
        let (mut path, mut at) = (Vec::new(), gone.into);
        while let Some(step) = self.merged.iter().position(|gone| gone.id == at) {
            path.push(step);
            at = self.merged[step].into;
        }
        let left = self.cards.iter().find(|card| card.id == at);
        let mut left = left.expect("a merged id leads to a contact").clone();
        let mut card = Card {
            names: Names::id(contact),
            tokens: Vec::new(),
            ..gone.card.clone()
        };
        let had = gone.card.names.without(IdentifierKind::ContactId.into());
        let mut others = Vec::new();
        for kind in had.kinds().iter() {
            let name = had.only(kind);
            let mut went_over = gone.moved.contains(kind);
            for step in &path {
                let step = &mut self.merged[*step];
                if !went_over || step.card.names.only(kind) != name {
                    went_over = false;
                    break;
                }
                step.card.names = step.card.names.without(kind.into());
                went_over = step.moved.contains(kind);
            }
            let owner = self.cards.iter().find(|card| card.names.only(kind) == name);
            match owner.map(|card| card.id) {
                Some(owner) if owner != at || !went_over => others.push((kind, owner)),
                _ => {
                    if went_over && left.names.only(kind) == name {
                        left.names = left.names.without(kind.into());
                    }
                    card.names = card.names.and(name);
                }
            }
        }
        for (name, value) in &gone.card.fields {
            let mut went_over = gone.moved_fields.contains(name);
            for step in &path {
                let step = &mut self.merged[*step];
                if !went_over || step.card.fields.get(name) != Some(value) {
                    went_over = false;
                    break;
                }
                step.card.fields.remove(name);
                went_over = step.moved_fields.contains(name);
            }
            if went_over && left.fields.get(name) == Some(value) {
                left.fields.remove(name);
            }
        }
        let mut removed = Vec::new();
        for held in &gone.card.tokens {
            let subscriber = held.subscriber;
            let place = self.follow(&gone, &path, subscriber, held.added_at);
            let there = left.tokens.iter().find(|it| it.subscriber == subscriber);
            let there = there.filter(|there| match place {
                Err(Removed) => false,
                Ok(place) => place.is_some() || there.added_at == held.added_at,
            });
            let Some(token) = there.map(|there| there.token.clone()) else {
                removed.push(subscriber);
                continue;
            };
            let mut held = held.clone();
            held.token = token;
            card.tokens.push(held);
            let comes_back = match place.unwrap_or_default() {
                Some(place) => Some((contact, place)),
                None => {
                    let stays = self.let_stay(at, subscriber);
                    match stays {
                        Some((added_at, _)) => {
                            let mut tokens = left.tokens.iter_mut();
                            let there = tokens.find(|it| it.subscriber == subscriber);
                            there.expect("it is there").added_at = added_at;
                        }
                        None => left.tokens.retain(|it| it.subscriber != subscriber),
                    }
                    self.change_holders(subscriber, |holders| {
                        let place = holders.iter().position(|holder| *holder == at);
                        holders[place.expect("it held the token")] = contact;
                    });
                    stays.map(|(_, place)| (at, place))
                }
            };
            if let Some((holder, place)) = comes_back {
                self.change_holders(subscriber, |holders| {
                    holders.insert(place.min(holders.len()), holder);
                });
                let (holders, most) = (
                    self.holders(subscriber).len(),
                    self.settings.contacts_per_token,
                );
                within(Limit::ContactsPerToken, holders, most).map_err(of_request)?;
            }
        }
        self.bring_back_order(&gone, position, &path, &mut left);
        let outcome = TakenOut {
            contact,
            from: at,
            identifiers: card.names.without(IdentifierKind::ContactId.into()).kinds(),
            fields: card.fields.keys().cloned().collect(),
            tokens: card.tokens.iter().map(|held| held.subscriber).collect(),
            ids: self.inside(contact),
            not_given_back: (others, gone.erased, removed),
        };
        put(&mut self.cards, left, |card| card.id);
        self.cards.push(card);
        Ok(outcome)
    }

    /// Where a contact stood among the holders of a token, if another had it too; and takes it out of
    /// what those had on the way that had it only from that contact.
    fn follow(
        &mut self,
        gone: &Gone,
        path: &[usize],
        subscriber: u64,
        added_at: u64,
    ) -> Result<Option<usize>, Removed> {
        let mut place = gone.place(subscriber);
        for at in path {
            let step = &self.merged[*at];
            let mut tokens = step.card.tokens.iter();
            let there = tokens.find(|held| held.subscriber == subscriber);
            let there = there.ok_or(Removed)?;
            if place.is_some() {
                continue;
            }
            if there.added_at != added_at {
                return Err(Removed);
            }
            place = step.place(subscriber);
            let stays = self.let_stay(self.merged[*at].id, subscriber);
            let tokens = &mut self.merged[*at].card.tokens;
            match stays {
                Some((added_at, _)) => {
                    let mut tokens = tokens.iter_mut();
                    let there = tokens.find(|held| held.subscriber == subscriber);
                    there.expect("it is there").added_at = added_at;
                }
                None => tokens.retain(|held| held.subscriber != subscriber),
            }
        }
        Ok(place)
    }

    /// A token stays with a contact for the first other one that was merged into it and had the token.
    fn let_stay(&mut self, with: u64, subscriber: u64) -> Option<(u64, usize)> {
        let mut gone = self.merged.iter_mut().filter(|gone| gone.into == with);
        gone.find_map(|gone| {
            let mut tokens = gone.card.tokens.iter();
            let held = tokens.find(|held| held.subscriber == subscriber)?;
            let place = gone.shared.iter().find(|(id, _)| *id == subscriber);
            let place = place.map_or(usize::MAX, |(_, place)| *place);
            let added_at = held.added_at;
            gone.shared.retain(|(id, _)| *id != subscriber);
            Some((added_at, place))
        })
    }

    fn bring_back_order(&mut self, gone: &Gone, position: usize, path: &[usize], left: &mut Card) {
        if gone.order_before.is_empty() {
            return;
        }
        let mut order = gone.order_before.clone();
        let later = self.merged.iter_mut().skip(position);
        if let Some(later) = later.into_iter().find(|later| later.into == gone.into) {
            let more = later.order_before.iter();
            let more: Vec<u64> = more.copied().filter(|id| !order.contains(id)).collect();
            order.extend(more);
            later.order_before = order;
            return;
        }
        let tokens = match path.first() {
            Some(step) => &mut self.merged[*step].card.tokens,
            None => &mut left.tokens,
        };
        tokens.sort_by_key(|held| {
            let place = order.iter().position(|id| *id == held.subscriber);
            place.unwrap_or(usize::MAX)
        });
    }

    pub(super) fn split(
        &mut self,
        contact: u64,
        kinds: KindSet,
        subscribers: &[u64],
        at: u64,
    ) -> Result<Divided, Refused> {
        let mut left = self.meant(contact)?;
        let from = left.id;
        if kinds.is_empty() {
            return Err(refused(MergeError::NoIdentifier));
        }
        let names = left.names.without(IdentifierKind::ContactId.into());
        if let Some(kind) = kinds.iter().find(|kind| !names.kinds().contains(*kind)) {
            let contact = id(from);
            return Err(refused(MergeError::NoSuchIdentifier { contact, kind }));
        }
        let named: BTreeSet<u64> = subscribers.iter().copied().collect();
        let held: Vec<u64> = left.tokens.iter().map(|held| held.subscriber).collect();
        if let Some(other) = named.iter().find(|subscriber| !held.contains(subscriber)) {
            return Err(refused(MergeError::NotHeld {
                contact: id(from),
                subscriber: SubscriberId::new(*other),
            }));
        }
        let new = self.next_free_id();
        let tokens = left.tokens.clone();
        let goes = |subscriber: u64| named.contains(&subscriber);
        let card = Card {
            id: new,
            names: Names::id(new).and(names.without(left.names.without(kinds).kinds())),
            fields: super::upsert::Fields::new(),
            created_at: at,
            created_through: None,
            tokens: tokens
                .into_iter()
                .filter(|it| goes(it.subscriber))
                .collect(),
        };
        self.check_card(&card).map_err(of_request)?;
        left.names = left.names.without(kinds);
        left.tokens.retain(|held| !goes(held.subscriber));
        let tokens: Vec<u64> = card.tokens.iter().map(|held| held.subscriber).collect();
        for subscriber in &tokens {
            self.change_holders(*subscriber, |holders| {
                let place = holders.iter().position(|holder| *holder == from);
                holders[place.expect("it held the token")] = new;
            });
        }
        self.next_contact = new + 1;
        put(&mut self.cards, left, |card| card.id);
        self.cards.push(card);
        Ok(Divided {
            from,
            contact: new,
            identifiers: kinds,
            tokens,
        })
    }
}

/// A token was removed on the way.
#[derive(Clone, Copy)]
struct Removed;

fn values(ids: Vec<ContactId>) -> Vec<u64> {
    ids.into_iter().map(ContactId::value).collect()
}

fn subscribers(ids: Vec<SubscriberId>) -> Vec<u64> {
    ids.into_iter().map(SubscriberId::value).collect()
}

fn names(names: contact_store::FieldNames) -> BTreeSet<FieldName> {
    let named = [
        (names.first_name, FieldName::FirstName),
        (names.last_name, FieldName::LastName),
        (names.language_code, FieldName::LanguageCode),
        (names.time_zone, FieldName::TimeZone),
    ];
    let named = named
        .into_iter()
        .filter_map(|(is, name)| is.then_some(name));
    named
        .chain(names.custom.into_iter().map(FieldName::Custom))
        .collect()
}

impl From<Merged> for Outcome {
    fn from(merged: Merged) -> Self {
        Outcome::Merged(Joined {
            from: merged.from.value(),
            into: merged.into.value(),
            identifiers: merged.identifiers,
            kept_identifiers: merged.kept_identifiers,
            fields: names(merged.fields),
            kept_fields: names(merged.kept_fields),
            tokens: subscribers(merged.tokens),
            shared_tokens: subscribers(merged.shared_tokens),
            ids: values(merged.ids),
        })
    }
}

impl From<Unmerged> for Outcome {
    fn from(unmerged: Unmerged) -> Self {
        let not_given_back = unmerged.not_given_back;
        let identifiers = not_given_back.identifiers.into_iter();
        Outcome::Unmerged(TakenOut {
            contact: unmerged.contact.value(),
            from: unmerged.from.value(),
            identifiers: unmerged.identifiers,
            fields: names(unmerged.fields),
            tokens: subscribers(unmerged.tokens),
            ids: values(unmerged.ids),
            not_given_back: (
                identifiers.map(|(kind, id)| (kind, id.value())).collect(),
                not_given_back.erased,
                subscribers(not_given_back.tokens),
            ),
        })
    }
}

impl From<SplitOff> for Outcome {
    fn from(split: SplitOff) -> Self {
        Outcome::Split(Divided {
            from: split.from.value(),
            contact: split.contact.value(),
            identifiers: split.identifiers,
            tokens: subscribers(split.tokens),
        })
    }
}

/// A request to merge.
pub(super) fn to_merge(from: u64, into: u64) -> Merge {
    Merge::new(id(from), id(into))
}

/// A request to split.
pub(super) fn to_split(
    contact: u64,
    kinds: KindSet,
    subscribers: &[u64],
    at: Option<u64>,
) -> Split {
    let mut request = Split::new(id(contact));
    for kind in kinds.iter() {
        request = request.identifier(kind);
    }
    for subscriber in subscribers {
        request = request.subscriber(SubscriberId::new(*subscriber));
    }
    match at {
        Some(at) => request.at(contact_store::Timestamp::from_millis(at)),
        None => request,
    }
}

impl Request {
    /// What a snapshot shows that the request would do, if that can be shown.
    #[allow(dead_code, reason = "fuzz/ compares whole states only")]
    pub fn preview(&self, now: &Snapshot) -> Option<Result<Outcome, Refused>> {
        Some(match self {
            Request::Merge { from, into } => {
                let shown = now.preview_merge(to_merge(*from, *into));
                shown.map(Outcome::from).map_err(Refused::from)
            }
            Request::Unmerge { contact } => {
                let shown = now.preview_unmerge(id(*contact));
                shown.map(Outcome::from).map_err(Refused::from)
            }
            Request::Split {
                contact,
                identifiers,
                subscribers,
                at,
            } => {
                let shown = now.preview_split(to_split(*contact, *identifiers, subscribers, *at));
                shown.map(Outcome::from).map_err(Refused::from)
            }
            _ => return None,
        })
    }
}
