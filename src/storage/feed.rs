//! The change feed: what each request changed, recorded with the change, and read in pages (R60).
//!
//! A record is the difference of a row before and after, made where the row is written. The records of a
//! request become rows when it ends, under the number that it takes. The records of a contact form a chain:
//! its card leads to the last request that has one, and each leads to the one before. Erasing the contact
//! follows it and strips them all, also while the feed is off. This module does not know why a row changes,
//! other than by the cause that it is given.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::model::app::{AppId, AppNumber};
use crate::model::change::{
    Cause, Change, ChangePage, ChangePosition, Changed, KeepChanges, TokenLoss,
};
use crate::model::identifier::ContactId;
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;

use crate::stats::ChangeStats;

use super::committed::Committed;
use super::draft::Draft;
use super::format::changes::{
    AppChange, Back, ChangesKey, ChangesRow, ContactChange, RECORDS_OF_A_ROW, Recorded, Visited,
    visit_records,
};
use super::format::keys::RowKey as _;
use super::format::meta::FeedState;
use super::format::record;
use super::format::rows::{AppRow, CardRow, HeldTokenRow, SubscriberRow};
use super::guard::Failure;
use super::read::Rows;
use super::tables::Table;

impl Committed {
    /// What the feed keeps; `None` while it is off.
    pub(super) fn change_stats(&self) -> Option<ChangeStats> {
        let keep = self.keep_changes()?;
        let feed = self.state().feed_now();
        Some(ChangeStats {
            kept: feed.kept,
            most: keep.most(),
            oldest: feed.begin,
            newest: feed.newest,
        })
    }

    /// Whether the feed has changes after a position.
    pub(crate) fn has_changes_after(&self, after: ChangePosition) -> Result<bool, Error> {
        let state = self.state();
        let FeedState { begin, newest, .. } = state.feed_now();
        if after > ChangePosition::after(state.sequence) {
            Err(Error::ChangesAhead {
                newest: state.sequence,
            })
        } else if after < begin {
            Err(Error::ChangesNotKept { oldest: begin })
        } else {
            Ok(after < newest)
        }
    }
}

/// A page of at most `limit` changes after a position that [`Committed::has_changes_after`] does not refuse. It ends
/// early after looking at `most_rows` rows.
pub(crate) fn changes_after(
    committed: &Committed,
    after: ChangePosition,
    limit: usize,
    most_rows: usize,
) -> Result<ChangePage, Failure> {
    let feed = committed.state().feed_now();
    let (first, last) = (ChangesKey::after(after).to_key(), Table::Changes.span().1);
    let (mut changes, mut position) = (Vec::with_capacity(limit), after);
    let (mut rows, mut is_full) = (0_usize, limit == 0);
    let mut apps = Apps {
        committed,
        last: None,
    };
    committed.walk(Table::Changes, (&first, &last), true, &mut |key, bytes| {
        let typed = ChangesKey::from_key(&key)?;
        record::open(Table::Changes, &key, bytes, |payload| {
            let mut at = None;
            let Visited { places, .. } = visit_records(payload, |time, place, record| {
                let here = typed.position(place);
                if here <= after {
                    return Ok(true);
                }
                is_full = changes.len() >= limit;
                if is_full {
                    return Ok(false);
                }
                at = Some(here);
                changes.push(Change::new(here, time, apps.shown(record)?));
                Ok(true)
            })?;
            // What was stripped after the last record is passed too.
            let end = places.checked_sub(1).filter(|_| !is_full);
            let end = end.map(|place| typed.position(place));
            position = position.max(end.or(at).unwrap_or(position));
            Ok(())
        })?;
        rows = rows.saturating_add(1);
        Ok(!is_full && rows < most_rows)
    })?;
    let more = position < feed.newest;
    Ok(ChangePage::new(changes, position, more))
}

/// The ids of apps, by their numbers. Most records that follow each other are of one app.
struct Apps<'s> {
    committed: &'s Committed,
    last: Option<(AppNumber, AppId)>,
}

impl Apps<'_> {
    fn id(&mut self, number: AppNumber) -> Result<AppId, Failure> {
        if let Some((last, id)) = self.last
            && last == number
        {
            return Ok(id);
        }
        let known = self.committed.directory().known_app(number);
        let id = known.ok_or(Failure::Corrupt("a change of an app that there is not"))?;
        self.last = Some((number, id));
        Ok(id)
    }

    fn shown(&mut self, record: Recorded) -> Result<Changed, Failure> {
        Ok(match record {
            Recorded::App { app, what } => {
                let app = self.id(app)?;
                match what {
                    AppChange::Connected => Changed::AppConnected { app },
                    AppChange::Updated => Changed::AppUpdated { app },
                    AppChange::Disconnected => Changed::AppDisconnected { app },
                }
            }
            Recorded::Contact { contact, what, .. } => match what {
                ContactChange::Created => Changed::ContactCreated { contact },
                ContactChange::Updated => Changed::ContactUpdated { contact },
                ContactChange::Erased => Changed::ContactErased { contact },
                ContactChange::Merged(into) => Changed::ContactMerged { contact, into },
                ContactChange::Unmerged(from) => Changed::ContactUnmerged { contact, from },
                ContactChange::SplitOff(from) => Changed::ContactSplitOff { contact, from },
                ContactChange::TokenAdded(subscriber) => Changed::TokenAdded {
                    contact,
                    app: self.id(subscriber.app())?,
                    subscriber,
                },
                ContactChange::TokenMoved(subscriber) => Changed::TokenMoved {
                    contact,
                    app: self.id(subscriber.app())?,
                    subscriber,
                },
                ContactChange::TokenRenamed(subscriber) => Changed::TokenRenamed {
                    contact,
                    app: self.id(subscriber.app())?,
                    subscriber,
                },
                ContactChange::TokenMuted(subscriber) => Changed::TokenMuted {
                    contact,
                    app: self.id(subscriber.app())?,
                    subscriber,
                },
                ContactChange::TokenUnmuted(subscriber) => Changed::TokenUnmuted {
                    contact,
                    app: self.id(subscriber.app())?,
                    subscriber,
                },
                ContactChange::TokenRemoved(subscriber, why) => Changed::TokenRemoved {
                    contact,
                    app: self.id(subscriber.app())?,
                    subscriber,
                    why,
                },
            },
        })
    }
}

impl Draft<'_> {
    /// Records the changes of a card. Gives the request that the card is to lead to; `None` when there is
    /// nothing to record.
    pub(super) fn record_card(
        &mut self,
        id: ContactId,
        before: Option<&CardRow>,
        after: Option<&CardRow>,
        cause: Cause,
    ) -> Result<Option<SequenceNumber>, Failure> {
        let Some(after) = after else {
            if let Cause::Merged(into) = cause {
                // What was recorded of it stays, and goes with the contact that it is in.
                if self.records_changes() {
                    let last = before.and_then(|card| card.last_change);
                    self.record_of(id, last, ContactChange::Merged(into));
                }
                return Ok(None);
            }
            if let Some(last) = before.and_then(|card| card.last_change) {
                self.strip_changes(id, last)?;
            }
            if self.records_changes() {
                self.record_of(id, None, ContactChange::Erased);
            }
            return Ok(None);
        };
        if !self.records_changes() || cause == Cause::AppGone {
            return Ok(None);
        }
        let mut last = before.and_then(|card| card.last_change);
        let recorded_before = self.recorded();
        match before {
            None => {
                let (led_to, what) = match cause {
                    Cause::Unmerged(from) => (after.last_change, ContactChange::Unmerged(from)),
                    Cause::SplitOff(from) => (None, ContactChange::SplitOff(from)),
                    _ => (None, ContactChange::Created),
                };
                last = self.record_of(id, led_to, what);
            }
            Some(card)
                if (&card.identifiers, &card.fields) != (&after.identifiers, &after.fields) =>
            {
                last = self.record_of(id, last, ContactChange::Updated);
            }
            Some(_) => {}
        }
        let tokens = before.map_or(&[][..], |card| &card.tokens);
        last = self.record_tokens(id, last, (tokens, &after.tokens), cause);
        if self.recorded() == recorded_before {
            // Only the order on the card changed.
            last = self.record_of(id, last, ContactChange::Updated);
        }
        Ok(last)
    }

    /// The same of a card of which only the tokens change.
    pub(super) fn record_card_tokens(
        &mut self,
        id: ContactId,
        before: &[HeldTokenRow],
        after: &CardRow,
        cause: Cause,
    ) -> Option<SequenceNumber> {
        if !self.records_changes() || cause == Cause::AppGone {
            return None;
        }
        self.record_tokens(id, after.last_change, (before, &after.tokens), cause)
    }

    /// Records that the mute of a subscriber changed, for each contact that holds it.
    pub(super) fn record_mute(
        &mut self,
        id: SubscriberId,
        row: &SubscriberRow,
    ) -> Result<(), Failure> {
        if !self.records_changes() {
            return Ok(());
        }
        let what = match row.muted {
            Some(_) => ContactChange::TokenMuted(id),
            None => ContactChange::TokenUnmuted(id),
        };
        self.foresee::<CardRow>(row.holders.iter());
        for holder in &row.holders {
            let card: CardRow = self.expect_row(holder)?;
            let last_change = self.record_of(*holder, card.last_change, what);
            self.put(
                holder,
                Some(&CardRow {
                    last_change,
                    ..card
                }),
            )?;
        }
        Ok(())
    }

    /// Records what changed of an app.
    pub(super) fn record_app(&mut self, before: Option<&AppRow>, after: Option<&AppRow>) {
        if !self.records_changes() {
            return;
        }
        let (app, what) = match (before, after) {
            (None, Some(app)) => (app, AppChange::Connected),
            (Some(_), Some(app)) => (app, AppChange::Updated),
            (Some(app), None) => (app, AppChange::Disconnected),
            (None, None) => return,
        };
        let app = app.number;
        self.record(Recorded::App { app, what });
    }

    fn record_tokens(
        &mut self,
        id: ContactId,
        mut last: Option<SequenceNumber>,
        (before, after): (&[HeldTokenRow], &[HeldTokenRow]),
        cause: Cause,
    ) -> Option<SequenceNumber> {
        token_changes(before, after, cause, |what| {
            last = self.record_of(id, last, what);
        });
        last
    }

    /// Records a change of a contact whose last one, if any, is of the request `last`. Gives the request
    /// that it is of itself.
    fn record_of(
        &mut self,
        contact: ContactId,
        last: Option<SequenceNumber>,
        what: ContactChange,
    ) -> Option<SequenceNumber> {
        let own = self.state.sequence.next();
        self.record(Recorded::Contact {
            contact,
            back: Back::to(last, own),
            what,
        });
        Some(own)
    }

    /// Ends a request that changed something: it takes the next number, and what was recorded of it
    /// becomes rows under that number. `at` is when it was made.
    pub(crate) fn end_request(&mut self, at: Option<Timestamp>) -> Result<(), Failure> {
        let mut feed = self.state.feed_now();
        let sequence = self.state.sequence.next();
        self.state.sequence = sequence;
        let Some(recording) = &mut self.recording else {
            return Ok(());
        };
        let at = at.unwrap_or(recording.now);
        recording.now = recording.now.max(at);
        let mut left = std::mem::take(&mut recording.records);
        let mut rows = recording.rows;
        for part in 0.. {
            if left.is_empty() {
                break;
            }
            let more = left.split_off(left.len().min(RECORDS_OF_A_ROW as usize));
            let row = ChangesRow { at, records: left };
            let key = ChangesKey { sequence, part };
            self.put_or_insert(&key, true, Some(&row))?;
            rows = rows.saturating_add(1);
            feed.kept = feed.kept.saturating_add(row.len());
            feed.newest = row.last().map_or(feed.newest, |last| key.position(last));
            left = more;
        }
        if let Some(recording) = &mut self.recording {
            recording.rows = rows;
        }
        feed.through = sequence;
        self.state.feed = Some(feed);
        Ok(())
    }

    /// The request with the last change of a contact after this one records another; `last` is the one
    /// before.
    pub(crate) fn last_change_now(&self, last: Option<SequenceNumber>) -> Option<SequenceNumber> {
        if self.records_changes() {
            return Some(self.state.sequence.next());
        }
        last
    }

    /// Whether changes are recorded.
    fn records_changes(&self) -> bool {
        self.recording.is_some()
    }

    /// How many records the request has so far.
    fn recorded(&self) -> usize {
        let recording = self.recording.as_ref();
        recording.map_or(0, |recording| recording.records.len())
    }

    /// Strips the records of a contact from the feed, of which the last is of the request `last`.
    pub(crate) fn strip_changes(
        &mut self,
        contact: ContactId,
        last: SequenceNumber,
    ) -> Result<(), Failure> {
        let mut next = Some(last);
        while let Some(sequence) = next.take() {
            let (from, to) = ChangesKey::all_of(sequence);
            // A row that is missing was dropped, and with it all that were older.
            for (key, mut row) in self.rows::<ChangesRow>(&from, &to, usize::MAX)? {
                let mut stripped = 0_u64;
                for place in &mut row.records {
                    let Some(record) = place.filter(|record| record.is_of(contact)) else {
                        continue;
                    };
                    if let Recorded::Contact { back, .. } = record
                        && back != Back::Requests(0)
                    {
                        next = back.from(sequence)?;
                    }
                    *place = None;
                    stripped = stripped.saturating_add(1);
                }
                if stripped == 0 {
                    continue;
                }
                self.put(&key, Some(&row))?;
                if let Some(feed) = &mut self.state.feed
                    && key.position(0) > feed.begin
                {
                    feed.kept = feed.kept.saturating_sub(stripped);
                }
            }
        }
        Ok(())
    }

    /// Drops changes that are older than those to keep, and those from before the feed was off. How many
    /// rows go is bounded by how many came, and some more.
    pub(super) fn trim_changes(&mut self, keep: KeepChanges) -> Result<(), Failure> {
        /// Dropped rows of one commit, besides as many as it adds.
        const MORE: usize = 256;
        let (Some(mut feed), Some(recording)) = (self.state.feed, &self.recording) else {
            return Ok(());
        };
        let most = recording.rows.saturating_add(MORE);
        let too_old = keep.oldest_at(recording.now);
        let mut dropped: Vec<ChangesKey> = Vec::new();
        let (first, last) = Table::Changes.span();
        self.walk(Table::Changes, (&first, &last), true, &mut |key, bytes| {
            let (key, row) = record::decode_row::<ChangesRow>(&key, bytes)?;
            if key.position(0) > feed.begin {
                let left = feed.kept.saturating_sub(row.len());
                if left < keep.most() && too_old.is_none_or(|oldest| row.at >= oldest) {
                    return Ok(false);
                }
                feed.kept = left;
                feed.begin = row.last().map_or(feed.begin, |last| key.position(last));
            }
            dropped.push(key);
            Ok(dropped.len() < most)
        })?;
        for key in dropped {
            self.put::<ChangesRow>(&key, None)?;
        }
        feed.newest = feed.newest.max(feed.begin);
        self.state.feed = Some(feed);
        Ok(())
    }
}

/// Hands what changed of the tokens on a card to `each`.
fn token_changes(
    before: &[HeldTokenRow],
    after: &[HeldTokenRow],
    cause: Cause,
    mut each: impl FnMut(ContactChange),
) {
    let mut rest = after;
    // Those that are not in their places any more, by subscriber.
    let mut displaced: Vec<&HeldTokenRow> = Vec::new();
    for held in before {
        match rest.split_first() {
            Some((now, others)) if now.subscriber == held.subscriber => {
                rest = others;
                if let Some(what) = stayed(held, now, now.added_at != held.added_at) {
                    each(what);
                }
            }
            _ => displaced.push(held),
        }
    }
    if rest.is_empty() || displaced.is_empty() {
        displaced.iter().for_each(|held| each(left(held, cause)));
        rest.iter().for_each(|now| each(came(now, cause)));
        return;
    }
    let now: BTreeSet<SubscriberId> = rest.iter().map(|held| held.subscriber).collect();
    for held in displaced
        .iter()
        .filter(|held| !now.contains(&held.subscriber))
    {
        each(left(held, cause));
    }
    let displaced = displaced.into_iter().map(|held| (held.subscriber, held));
    let displaced: BTreeMap<SubscriberId, &HeldTokenRow> = displaced.collect();
    for now in rest {
        let what = match displaced.get(&now.subscriber) {
            None => Some(came(now, cause)),
            Some(held) => stayed(held, now, cause == Cause::Moved),
        };
        if let Some(what) = what {
            each(what);
        }
    }
}

/// What changed of a token that is on the card before and after.
fn stayed(before: &HeldTokenRow, now: &HeldTokenRow, moved: bool) -> Option<ContactChange> {
    if before.token != now.token {
        return Some(ContactChange::TokenRenamed(now.subscriber));
    }
    moved.then_some(ContactChange::TokenMoved(now.subscriber))
}

fn came(now: &HeldTokenRow, cause: Cause) -> ContactChange {
    match cause {
        Cause::Moved => ContactChange::TokenMoved(now.subscriber),
        Cause::Renamed => ContactChange::TokenRenamed(now.subscriber),
        Cause::Given
        | Cause::Removed(_)
        | Cause::AppGone
        | Cause::Merged(_)
        | Cause::Unmerged(_)
        | Cause::SplitOff(_) => ContactChange::TokenAdded(now.subscriber),
    }
}

fn left(before: &HeldTokenRow, cause: Cause) -> ContactChange {
    let why = match cause {
        Cause::Moved => TokenLoss::Moved,
        Cause::Renamed => TokenLoss::Joined,
        Cause::Removed(why) => why,
        Cause::Unmerged(_) => TokenLoss::Unmerged,
        Cause::SplitOff(_) => TokenLoss::Split,
        Cause::Given | Cause::AppGone | Cause::Merged(_) => TokenLoss::Removed,
    };
    ContactChange::TokenRemoved(before.subscriber, why)
}
