//! The demands on rows. Those on the indexes are in `indexes`.

use std::collections::BTreeSet;

use crate::model::app::{AppId, AppNumber};
use crate::model::identifier::{ContactId, Email, ExternalCustomerId, Identifiers};
use crate::model::subscriber::SubscriberId;

use super::super::blocked::token_key;
use super::super::contact_ids;
use super::super::format::conflicts::{ConflictKey, ConflictRow};
use super::super::format::keys::{MessageKey, RowKey as _};
use super::super::format::optional::{
    BlockedEntryRow, BlockedKey, BlockedRow, SuppressedKey, SuppressedRow,
};
use super::super::format::record;
use super::super::format::rows::{
    AppPhase, AppRow, AppTallyRow, CardRow, FormerIdRow, HeldTokenRow, MessageRow, SubscriberRow,
    TakenRow,
};
use super::super::guard::Failure;
use super::super::index::{IDENTIFIERS, identifier_hash};
use super::super::lookup::find_subscriber;
use super::super::merges::merged_into;
use super::super::read::Rows as _;
use super::super::suppression::first_suppressed;
use super::super::tables::{Key, Table};
use super::super::unique::Index;
use super::demands::*;
use super::{Check, absent_if_corrupt};

impl Check {
    pub(super) fn contact(&mut self, id: ContactId, card: CardRow) -> Result<(), Failure> {
        let row = id.value();
        let identifiers = &card.identifiers;
        self.seen.contacts = self.seen.contacts.saturating_add(1);
        self.last_change(id, card.last_change);
        self.seen.created_through.extend(card.created_through);

        let has_no_id = identifiers.contact_id().is_none();
        self.demand(CARD_DOES_NOT_REPEAT_ITS_ID, row, has_no_id);
        for index in IDENTIFIERS {
            if let Some(hash) = identifier_hash(self.committed.hasher(), index, identifiers) {
                let demands = (IDENTIFIER_IS_IN_ITS_INDEX, LOOKUP_FINDS_THE_CARD);
                self.leads_to((index, hash), row, demands)?;
            }
        }
        self.demand(IDENTIFIERS_ARE_CANONICAL, row, are_canonical(identifiers));

        let (mut held, mut apps) = (BTreeSet::new(), BTreeSet::new());
        for token in &card.tokens {
            apps.insert(token.app());
            let is_first = held.insert(token.subscriber);
            self.demand(TOKEN_IS_ON_THE_CARD_ONCE, row, is_first);
            let is_named = self.is_named_by_its_subscriber(id, token)?;
            self.demand(SUBSCRIBER_NAMES_THE_CONTACT, row, is_named);
        }
        for app in apps {
            let of_app = self.seen.of_app.entry(app).or_default();
            of_app.contacts = of_app.contacts.saturating_add(1);
        }
        let is_taken = self.is_taken(id)?;
        self.demand(CONTACT_ID_IS_TAKEN, row, is_taken);
        let suppressed = absent_if_corrupt(first_suppressed(&self.committed, identifiers))?;
        self.demand(NO_IDENTIFIER_IS_SUPPRESSED, row, suppressed.is_none());
        Ok(())
    }

    fn is_named_by_its_subscriber(
        &self,
        holder: ContactId,
        token: &HeldTokenRow,
    ) -> Result<bool, Failure> {
        let subscriber: Option<SubscriberRow> = self.named(&token.subscriber)?;
        Ok(subscriber.is_some_and(|subscriber| {
            subscriber.app == token.app()
                && subscriber.token == token.token
                && subscriber.holders.contains(&holder)
        }))
    }

    pub(super) fn is_taken(&self, id: ContactId) -> Result<bool, Failure> {
        if self.committed.state().passed(id) {
            return Ok(true);
        }
        let run = absent_if_corrupt(contact_ids::run_with(&self.committed, id.value()))?;
        Ok(run.is_some())
    }

    pub(super) fn subscriber(
        &mut self,
        id: SubscriberId,
        subscriber: SubscriberRow,
    ) -> Result<(), Failure> {
        let row = id.value();
        let of_app = self.seen.of_app.entry(subscriber.app).or_default();
        of_app.subscribers = of_app.subscribers.saturating_add(1);
        of_app.last_number = id.number();
        let muted = u64::from(subscriber.muted.is_some());
        self.seen.muted = self.seen.muted.saturating_add(muted);

        let hasher = self.committed.hasher();
        let hash = hasher.token(subscriber.app.0, subscriber.token.as_str());
        let demands = (TOKEN_IS_IN_ITS_INDEX, LOOKUP_FINDS_THE_SUBSCRIBER);
        self.leads_to((Index::Tokens, hash), row, demands)?;

        let holders: BTreeSet<_> = subscriber.holders.iter().collect();
        self.demand(TOKEN_HAS_A_HOLDER, row, !holders.is_empty());
        let are_different = holders.len() == subscriber.holders.len();
        self.demand(CONTACT_HOLDS_THE_TOKEN_ONCE, row, are_different);
        for holder in holders {
            let card: Option<CardRow> = self.named(holder)?;
            let holds =
                card.is_some_and(|card| card.tokens.iter().any(|held| held.subscriber == id));
            self.demand(HOLDER_HAS_THE_TOKEN_ON_ITS_CARD, row, holds);
        }
        Ok(())
    }

    pub(super) fn app(&mut self, id: AppId, app: AppRow) -> Result<(), Failure> {
        let row = app.number.0;
        let is_only_one = self.seen.connected.insert(app.number, id).is_none();
        self.demand(APP_NUMBER_IS_OF_ONE_APP, row, is_only_one);
        let is_in_directory = self.committed.directory().app(app.number) == Some(id);
        self.demand(APP_IS_IN_THE_DIRECTORY, row, is_in_directory);
        Ok(())
    }

    /// The tallies of apps are in the table `meta`, after other rows.
    pub(super) fn tallies(&mut self) -> Result<(), Failure> {
        let tallies = (AppNumber(0).to_key(), Key::Int(u64::MAX));
        let decode = record::decode_row::<AppTallyRow>;
        self.each(Table::Meta, tallies, decode, |check, _, (number, tally)| {
            check.tally(number, &tally);
            Ok(())
        })
    }

    fn tally(&mut self, number: AppNumber, tally: &AppTallyRow) {
        let row = number.0;
        self.seen.with_tally.insert(number);
        let app = self.seen.connected.get(&number).copied();
        let there = self.seen.of_app.remove(&number).unwrap_or_default();
        let is_connected = tally.phase == AppPhase::Connected;
        self.demand(
            CONNECTED_AS_THE_APPS_SAY,
            row,
            is_connected == app.is_some(),
        );
        self.demand(
            TALLY_IS_OF_ITS_APP,
            row,
            app.is_none_or(|app| app == tally.app),
        );
        let was_given = row < self.committed.state().next_app;
        self.demand(APP_NUMBER_WAS_GIVEN_OUT, row, was_given);
        let are_counted = tally.contacts == there.contacts;
        self.demand(CONTACTS_OF_APP_ARE_COUNTED, row, are_counted);
        let are_counted = tally.subscribers == there.subscribers;
        self.demand(SUBSCRIBERS_OF_APP_ARE_COUNTED, row, are_counted);
        let was_given = there.last_number <= tally.subscriber_ids;
        self.demand(SUBSCRIBER_ID_WAS_GIVEN_OUT, row, was_given);
        let is_empty = (there.contacts, there.subscribers) == (0, 0);
        let is_right = is_empty || tally.phase != AppPhase::Gone;
        self.demand(NOTHING_IS_LEFT_OF_A_GONE_APP, row, is_right);
    }

    /// Every app that anything names has a tally.
    pub(super) fn apps_have_tallies(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        let has_tally = |app: &AppNumber| seen.with_tally.contains(app);
        for app in seen.connected.keys() {
            self.demand(APP_HAS_A_TALLY, app.0, has_tally(app));
        }
        for app in seen.of_app.keys() {
            self.demand(TOKENS_ARE_OF_AN_APP_WITH_A_TALLY, app.0, has_tally(app));
        }
        for app in &seen.created_through {
            self.demand(CREATED_THROUGH_AN_APP_WITH_A_TALLY, app.0, has_tally(app));
        }
        (self.seen.contacts, self.seen.muted) = (seen.contacts, seen.muted);
    }

    pub(super) fn message(&mut self, key: MessageKey, _: MessageRow) -> Result<(), Failure> {
        let tally: Option<AppTallyRow> = self.named(&key.app)?;
        // The key holds the id of a message: it is not shown.
        self.demand(MESSAGE_IS_OF_AN_APP, None, tally.is_some());
        Ok(())
    }

    pub(super) fn taken_ids(&mut self) -> Result<(), Failure> {
        let state = self.committed.state();
        let mut taken = state.next_contact.saturating_sub(1);
        let mut end = None;
        const HERE: Table = Table::TakenIds;
        let decode = record::decode_row::<TakenRow>;
        self.each(HERE, HERE.span(), decode, |check, _, (first, run)| {
            let is_apart = end.is_none_or(|end: u64| first > end.saturating_add(1));
            check.demand(
                RUN_IS_AT_OR_ABOVE_THE_COUNTER,
                first,
                first >= state.next_contact,
            );
            check.demand(RUN_ENDS_AFTER_ITS_BEGINNING, first, run.last >= first);
            check.demand(RUNS_DO_NOT_TOUCH, first, is_apart);
            end = Some(run.last);
            taken = taken.saturating_add(run.last.saturating_sub(first).saturating_add(1));
            Ok(())
        })?;
        let known = state.contacts.saturating_add(state.erased);
        self.demand(TAKEN_IDS_ARE_THOSE_OF_ALL_CONTACTS, None, taken == known);
        Ok(())
    }

    pub(super) fn former_id(
        &mut self,
        former: SubscriberId,
        row: FormerIdRow,
    ) -> Result<(), Failure> {
        let tally: Option<AppTallyRow> = self.named(&row.now.app())?;
        let was_given = former.app() == AppNumber(0)
            && tally.is_some_and(|tally| row.now.number() <= tally.subscriber_ids);
        self.demand(FORMER_ID_LEADS_TO_A_GIVEN_ID, former.value(), was_given);
        Ok(())
    }

    pub(super) fn suppressed(&mut self, _: SuppressedKey, _: SuppressedRow) -> Result<(), Failure> {
        self.seen.suppressed = self.seen.suppressed.saturating_add(1);
        Ok(())
    }

    pub(super) fn blocked(&mut self, number: u64, record: BlockedRow) -> Result<(), Failure> {
        self.seen.blocked = self.seen.blocked.saturating_add(1);
        let state = self.committed.state();
        let in_use = (state.blocked_first..state.blocked_next).contains(&number);
        self.demand(RECORD_HAS_A_NUMBER_IN_USE, number, in_use);
        let leads_here = |entry: Option<BlockedEntryRow>| entry == Some(BlockedEntryRow { number });
        let key = token_key(&self.committed, record.app, &record.token);
        let is_found = leads_here(self.named(&key)?);
        self.demand(RECORD_IS_FOUND_BY_ITS_TOKEN, number, is_found);
        for contact in &record.contacts {
            let is_found = leads_here(self.named(&BlockedKey::of_contact(*contact, number))?);
            self.demand(RECORD_IS_FOUND_BY_ITS_CONTACTS, number, is_found);
            let holder = absent_if_corrupt(merged_into(&self.committed, *contact))?;
            let card: Option<CardRow> = self.named(&holder.unwrap_or(*contact))?;
            self.demand(REMEMBERED_CONTACTS_EXIST, number, card.is_some());
        }
        let contacts: BTreeSet<_> = record.contacts.iter().collect();
        let are_different = !contacts.is_empty() && contacts.len() == record.contacts.len();
        self.demand(REMEMBERED_CONTACTS_ARE_DIFFERENT, number, are_different);
        let there = absent_if_corrupt(find_subscriber(&self.committed, record.app, &record.token))?;
        self.demand(REMEMBERED_TOKEN_IS_GONE, number, there.is_none());
        let tally: Option<AppTallyRow> = self.named(&record.app)?;
        let is_there = tally.is_some_and(|tally| tally.phase != AppPhase::Gone);
        self.demand(REMEMBERED_APP_IS_NOT_GONE, number, is_there);
        Ok(())
    }

    pub(super) fn blocked_entry(
        &mut self,
        key: BlockedKey,
        BlockedEntryRow { number }: BlockedEntryRow,
    ) -> Result<(), Failure> {
        let record: Option<BlockedRow> = self.named(&number)?;
        let hasher = self.committed.hasher();
        let leads_there = record.is_some_and(|record| {
            key.leads_to(number, &record, hasher.blocked(record.token.as_str()))
        });
        self.demand(ENTRY_LEADS_TO_ITS_RECORD, number, leads_there);
        Ok(())
    }

    pub(super) fn conflict(&mut self, key: ConflictKey, row: ConflictRow) -> Result<(), Failure> {
        let (smaller, larger) = key.contacts();
        let other: Option<ConflictRow> = self.named(&key.mirror())?;
        self.demand(PAIR_HAS_ITS_MIRROR, smaller.value(), other.is_some());
        if matches!(row, ConflictRow::Pair(_)) {
            self.seen.conflicts = self.seen.conflicts.saturating_add(1);
            for contact in [smaller, larger] {
                let card: Option<CardRow> = self.named(&contact)?;
                self.demand(PAIR_IS_OF_CONTACTS, contact.value(), card.is_some());
            }
        }
        Ok(())
    }

    pub(super) fn counters(&mut self) {
        let state = self.committed.state();
        self.demand(
            CONTACTS_ARE_COUNTED,
            None,
            state.contacts == self.seen.contacts,
        );
        let are_counted = state.muted == self.seen.muted;
        self.demand(MUTED_SUBSCRIBERS_ARE_COUNTED, None, are_counted);
        let are_counted = state.suppressed == self.seen.suppressed;
        self.demand(SUPPRESSED_IDENTIFIERS_ARE_COUNTED, None, are_counted);
        let are_counted = state.blocked == self.seen.blocked;
        self.demand(REMEMBERED_TOKENS_ARE_COUNTED, None, are_counted);
        let are_counted = state.conflicts == self.seen.conflicts;
        self.demand(CONFLICTS_ARE_COUNTED, None, are_counted);
    }
}

fn are_canonical(identifiers: &Identifiers) -> bool {
    identifiers
        .external_customer_id()
        .is_none_or(|id| ExternalCustomerId::parse(id.as_str()).as_ref() == Ok(id))
        && identifiers.email().is_none_or(Email::is_canonical)
}
