//! Snapshots, and every read that they answer.
//!
//! This module does not know how a snapshot is made.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::callback::Callback;
use crate::error::{Error, StorageError};
use crate::limits::{
    Limit, LimitExceeded, PAGE_CARDS_LOOKED_AT, PAGE_CHANGE_ROWS_LOOKED_AT, PAGE_ROWS,
};
use crate::model::app::{AccessKey, App, AppId, AppNumber};
use crate::model::change::{ChangePage, ChangePosition};
use crate::model::conflict::Conflict;
use crate::model::contact::{Card, HeldToken};
use crate::model::identifier::{
    ContactId, Email, ExternalCustomerId, IdentifierKind, Identifiers, Phone,
};
use crate::model::recipient::{Address, LeftOut, Recipient, RecipientError, Resolve, Resolved};
use crate::model::report::{MessageId, MessageTally};
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::{MuteEnd, Subscriber, SubscriberId, SubscriberRef};
use crate::model::time::{Clock, Timestamp};
use crate::model::token::Token;
use crate::operations::explain::{ExplainedBy, Explanation, explain};
use crate::operations::matching;
use crate::operations::merge::{Merge, Merged, MergedContact};
use crate::operations::operation::{Operation, Step};
use crate::operations::split::{Split, SplitOff};
use crate::operations::unmerge::{Unmerge, Unmerged};
use crate::pages::{ContactPage, Paged};
use crate::rules::MatchPolicy;
use crate::storage::{
    self, AppRow, CardRow, Draft, Ended, Failure, FoundCard, Rows as _, SubscriberRow, Verified,
    changes_after, conflicts_after, find_subscriber, subscriber_with_id,
};
use crate::trace;

/// The state of the store at one sequence number, for any number of reads
/// ([R47](crate::rulebook#r47)).
///
/// What a snapshot shows is durable ([R46](crate::rulebook#r46)) and does not change. It keeps the
/// pages that it shows from being reused, so the file grows if writes go on while an old snapshot
/// is held: take one, read, drop it.
///
/// # Errors
///
/// Every read may fail with:
///
/// - [`Error::Closed`] once the store is closed;
/// - [`Error::SnapshotExpired`] once the store was reopened after a failed commit;
/// - [`Error::Storage`] when the file cannot be read, or is corrupt.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("100200300").email("ann@example.com"))).wait()?;
/// let now = store.snapshot()?;
/// let ann = GivenIdentifiers::new().email("Ann@Example.com").parse()?;
/// let found = now.find(&ann, MatchPolicy::Cascade)?.ok_or("nobody")?;
/// assert_eq!(found.matched_by, IdentifierKind::Email);
/// assert_eq!(now.contact(found.card.id)?.ok_or("nobody")?, found.card);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Snapshot {
    tables: Arc<storage::Committed>,
    answered_by: Arc<AnsweredBy>,
}

/// What decides the answers of a snapshot beside the tables.
pub(crate) struct AnsweredBy {
    /// The options that `explain` follows.
    pub(crate) explained_by: ExplainedBy,
    /// The clock of the store, which says whether a mute has ended.
    pub(crate) clock: Arc<dyn Clock>,
}

/// A contact that was found, and the kind of identifier that found it ([R26](crate::rulebook#r26)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its card.
    pub card: Card,
    /// The kind of identifier that decided.
    pub matched_by: IdentifierKind,
}

impl Snapshot {
    pub(crate) fn new(tables: Arc<storage::Committed>, answered_by: Arc<AnsweredBy>) -> Self {
        Snapshot {
            tables,
            answered_by,
        }
    }

    /// Returns the number of the state that the snapshot shows.
    #[must_use]
    pub fn sequence(&self) -> SequenceNumber {
        self.tables.state().sequence
    }

    /// Returns the number of contacts.
    #[must_use]
    pub fn contact_count(&self) -> u64 {
        self.tables.state().contacts
    }

    /// Finds the contact that the identifiers name under a policy ([R26](crate::rulebook#r26)).
    ///
    /// It matches as add-tokens does. `None` means that no contact matches.
    ///
    /// # Errors
    ///
    /// [`Error::NothingGiven`] when there is no identifier; otherwise as for every read.
    pub fn find(
        &self,
        identifiers: &Identifiers,
        policy: MatchPolicy,
    ) -> Result<Option<Found>, Error> {
        if identifiers.is_empty() {
            return Err(Error::NothingGiven);
        }
        let found = self.reading(matching::find(&*self.tables, policy, identifiers))?;
        Ok(found.map(|(FoundCard { id, card }, matched_by)| Found {
            card: self.card(id, card),
            matched_by,
        }))
    }

    /// Returns the card of a contact ([R27](crate::rulebook#r27), [R29](crate::rulebook#r29)).
    ///
    /// The id of a contact that was merged into another returns the card of that one, under its own id
    /// ([R58](crate::rulebook#r58)).
    ///
    /// # Errors
    ///
    /// As for every read.
    pub fn contact(&self, id: ContactId) -> Result<Option<Card>, Error> {
        let found = self.reading(storage::contact_with_id(&*self.tables, id))?;
        Ok(found.map(|FoundCard { id, card }| self.card(id, card)))
    }

    /// Returns the card of the contact with this external customer id ([R27](crate::rulebook#r27)).
    ///
    /// # Errors
    ///
    /// [`Error::Field`] when the text is not an external customer id ([R3](crate::rulebook#r3));
    /// otherwise as for every read.
    pub fn by_external_customer_id(&self, id: &str) -> Result<Option<Card>, Error> {
        self.by(Identifiers::new().with_external_customer_id(ExternalCustomerId::parse(id)?))
    }

    /// Returns the card of the contact with this phone, in any form that [`Phone::parse`] reads
    /// ([R27](crate::rulebook#r27)).
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = ContactStore::open_in_memory(Options::default())?;
    /// # let ann = ContactUpdate::new().phone("380500000001").first_name("Ann");
    /// # store.upsert(Upsert::new(DedupeOn::Phone).contact(ann)).wait()?;
    /// let ann = store.snapshot()?.by_phone("+380 50 000 00 01")?.ok_or("nobody")?;
    /// assert_eq!(ann.fields.first_name.as_deref(), Some("Ann"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Field`] when the text is not a phone ([R4](crate::rulebook#r4)); otherwise as for
    /// every read.
    pub fn by_phone(&self, phone: &str) -> Result<Option<Card>, Error> {
        self.by(Identifiers::new().with_phone(Phone::parse(phone)?))
    }

    /// Returns the card of the contact with this email, in any form that [`Email::parse`] reads
    /// ([R27](crate::rulebook#r27)).
    ///
    /// # Errors
    ///
    /// [`Error::Field`] when the text is not an email ([R5](crate::rulebook#r5)); otherwise as for
    /// every read.
    pub fn by_email(&self, email: &str) -> Result<Option<Card>, Error> {
        self.by(Identifiers::new().with_email(Email::parse(email)?))
    }

    fn by(&self, identifier: Identifiers) -> Result<Option<Card>, Error> {
        let found = self.find(&identifier, MatchPolicy::Cascade)?;
        Ok(found.map(|found| found.card))
    }

    /// Calls [`find`](Snapshot::find) for each of several sets of identifiers, and returns the
    /// results in order.
    ///
    /// All cards found are in memory together.
    ///
    /// # Errors
    ///
    /// As for `find`. The first error ends the call: a set without any identifier fails it as a
    /// whole.
    pub fn find_many(
        &self,
        sets: &[Identifiers],
        policy: MatchPolicy,
    ) -> Result<Vec<Option<Found>>, Error> {
        sets.iter().map(|set| self.find(set, policy)).collect()
    }

    /// Returns at most `limit` changes after a position, in order ([R60](crate::rulebook#r60)). The
    /// page says where the next one begins, and whether there is more.
    ///
    /// Changes hold ids alone: fetch the cards that they name from a snapshot that is not older. Of an
    /// erased contact there is only the change that erased it.
    ///
    /// The page ends early after looking at 10,000 rows of which the changes were removed since, because
    /// their contacts were erased. It has fewer changes then, or none, with more to come.
    ///
    /// ```
    /// # use contact_store::*;
    /// # use std::collections::BTreeMap;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = ContactStore::open_in_memory(Options::default().change_feed(KeepChanges::default()))?;
    /// # let update = |n| ContactUpdate::new().external_customer_id(format!("crm-{n}"));
    /// # store.upsert(Upsert::new(DedupeOn::ExternalCustomerId).contacts((0..5).map(update))).wait()?;
    /// // A copy of all cards, kept up to date.
    /// let mut copy: BTreeMap<ContactId, Card> = BTreeMap::new();
    /// let mut read_to = ChangePosition::START;
    /// loop {
    ///     let snapshot = store.snapshot()?;
    ///     let page = snapshot.changes(read_to, 2)?;
    ///     for contact in page.changes.iter().filter_map(|change| change.what.contact()) {
    ///         match snapshot.contact(contact)? {
    ///             Some(card) => drop(copy.insert(contact, card)),
    ///             None => drop(copy.remove(&contact)),
    ///         }
    ///     }
    ///     read_to = page.position;
    ///     if !page.more {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(copy.len(), 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ChangesNotKept`] when some changes after the position are not kept, as when the feed was
    /// off; [`Error::ChangesAhead`] when the position is after the newest request;
    /// [`Error::LimitExceeded`] when `limit` is not 1 to 1,000; otherwise as for every read.
    pub fn changes(&self, after: ChangePosition, limit: usize) -> Result<ChangePage, Error> {
        check_page(limit)?;
        self.tables.has_changes_after(after)?;
        let most_rows = PAGE_CHANGE_ROWS_LOOKED_AT;
        self.reading(changes_after(&self.tables, after, limit, most_rows))
    }

    /// Returns the position after all changes of the snapshot ([R60](crate::rulebook#r60)).
    ///
    /// A reader that read all contacts of the snapshot goes on from there.
    #[must_use]
    pub fn newest_change(&self) -> ChangePosition {
        ChangePosition::after(self.sequence())
    }

    /// Returns at most `limit` contacts with ids after `after`, in order of id
    /// ([R56](crate::rulebook#r56)).
    ///
    /// The contact named in `after` need not exist any more. Fewer than `limit` contacts means that
    /// these are the last.
    ///
    /// Pages may come from different snapshots. No contact is listed twice, and no contact that
    /// existed throughout is left out.
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = ContactStore::open_in_memory(Options::default())?;
    /// # let update = |n| ContactUpdate::new().external_customer_id(format!("crm-{n}"));
    /// # store.upsert(Upsert::new(DedupeOn::ExternalCustomerId).contacts((0..5).map(update))).wait()?;
    /// let mut last = None;
    /// loop {
    ///     let page = store.snapshot()?.contacts(last, 2)?;
    ///     let Some(card) = page.last() else { break };
    ///     last = Some(card.id);
    /// }
    /// assert_eq!(last.map(ContactId::value), Some(5));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] when `limit` is not 1 to 1,000; otherwise as for every read.
    pub fn contacts(&self, after: Option<ContactId>, limit: usize) -> Result<Vec<Card>, Error> {
        check_page(limit)?;
        let rows = self.reading(storage::cards_after(&*self.tables, after, limit))?;
        let cards = rows.into_iter().map(|(id, row)| self.card(id, row));
        Ok(cards.collect())
    }

    /// Returns at most `limit` contacts that hold a token of an app, with ids after `after`, in
    /// order of id ([R56](crate::rulebook#r56)). The page says where the next one begins.
    ///
    /// A page reads the cards of all contacts in order, and ends when it is full or after 10,000
    /// cards. So no call takes longer than reading 10,000 cards, but for an app that few contacts
    /// use a page may be short or empty with more to come. Listing all contacts of an app reads
    /// every card of the store.
    ///
    /// # Errors
    ///
    /// As for [`subscribers`](Snapshot::subscribers).
    pub fn contacts_of(
        &self,
        app: AppId,
        after: Option<ContactId>,
        limit: usize,
    ) -> Result<ContactPage, Error> {
        let number = self.page_of(app, limit)?;
        let (rows, next) = self.reading(storage::cards_of_app_after(
            &*self.tables,
            number,
            after,
            limit,
            PAGE_CARDS_LOOKED_AT,
        ))?;
        let cards = rows.into_iter().map(|(id, row)| self.card(id, row));
        Ok(ContactPage {
            contacts: cards.collect(),
            next,
        })
    }

    /// Iterates over all contacts in order of id, reading a page at a time
    /// ([R56](crate::rulebook#r56)).
    ///
    /// All contacts are of one sequence number. The iterator holds the snapshot, and with it old
    /// pages of the file (see [`Snapshot`]).
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = ContactStore::open_in_memory(Options::default())?;
    /// # let update = |n| ContactUpdate::new().external_customer_id(format!("crm-{n}"));
    /// # store.upsert(Upsert::new(DedupeOn::ExternalCustomerId).contacts((0..5).map(update))).wait()?;
    /// for card in store.snapshot()?.iter_contacts() {
    ///     println!("{}", serde_json::to_string(&wire::card(&card?))?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for every read. An item that is an error is the last.
    pub fn iter_contacts(&self) -> impl Iterator<Item = Result<Card, Error>> + Send + use<> {
        let now = self.clone();
        Paged::new(move |after| {
            let page = now.contacts(after, ITERATED_ROWS)?;
            let next = after_full(&page, |card| card.id);
            Ok((page, next))
        })
    }

    /// Iterates over all contacts that hold a token of an app, in order of id, reading a page at a
    /// time ([R56](crate::rulebook#r56)).
    ///
    /// It reads every card of the store.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`] when the app is not connected; otherwise as for every read. An item
    /// that is an error is the last.
    pub fn iter_contacts_of(
        &self,
        app: AppId,
    ) -> impl Iterator<Item = Result<Card, Error>> + Send + use<> {
        let now = self.clone();
        Paged::new(move |after| {
            let ContactPage { contacts, next } = now.contacts_of(app, after, ITERATED_ROWS)?;
            Ok((contacts, next))
        })
    }

    /// Iterates over all subscribers of an app in order of id, reading a page at a time
    /// ([R38](crate::rulebook#r38)).
    ///
    /// # Errors
    ///
    /// As for [`iter_contacts_of`](Snapshot::iter_contacts_of).
    pub fn iter_subscribers(
        &self,
        app: AppId,
    ) -> impl Iterator<Item = Result<Subscriber, Error>> + Send + use<> {
        let now = self.clone();
        Paged::new(move |after| {
            let page = now.subscribers(app, after, ITERATED_ROWS)?;
            let next = after_full(&page, |subscriber| subscriber.id);
            Ok((page, next))
        })
    }

    /// Iterates over all message tallies of an app in byte order of message id, reading a page at a
    /// time ([R30](crate::rulebook#r30)).
    ///
    /// # Errors
    ///
    /// As for [`iter_contacts_of`](Snapshot::iter_contacts_of).
    pub fn iter_messages(
        &self,
        app: AppId,
    ) -> impl Iterator<Item = Result<MessageTally, Error>> + Send + use<> {
        let now = self.clone();
        Paged::new(move |after: Option<MessageId>| {
            let page = now.messages(app, after.as_ref(), ITERATED_ROWS)?;
            let next = after_full(&page, |tally| tally.id.clone());
            Ok((page, next))
        })
    }

    /// Returns a subscriber by its id ([R27](crate::rulebook#r27)). An id that it had in a file of
    /// format 1 also finds it.
    ///
    /// # Errors
    ///
    /// As for every read.
    pub fn subscriber(&self, id: SubscriberId) -> Result<Option<Subscriber>, Error> {
        let found = self.reading(subscriber_with_id(&*self.tables, id))?;
        Ok(found.and_then(|(id, row)| {
            let app = self.tables.directory().app(row.app)?;
            Some(shown(id, app, row))
        }))
    }

    /// Returns the subscriber of an app by its token ([R27](crate::rulebook#r27)).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`] when the app is not connected; otherwise as for every read.
    pub fn subscriber_by_token(
        &self,
        app: AppId,
        token: &Token,
    ) -> Result<Option<Subscriber>, Error> {
        let number = self.connected(app)?.number;
        let found = self.reading(find_subscriber(&*self.tables, number, token))?;
        Ok(found.map(|(id, row)| shown(id, app, row)))
    }

    /// Resolves a recipient to the addresses that a message for it goes to
    /// ([R39](crate::rulebook#r39)).
    ///
    /// A subscriber has one address. A phone has one for each token that its contact holds in the
    /// app, in the order added. Subscribers that are muted are left out and named, unless the
    /// request asks for them too ([R59](crate::rulebook#r59)): then there may be no address.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`] when the recipient's app is not connected; [`Error::Recipient`] with
    /// [`RecipientError::UnknownSubscriber`], [`RecipientError::UnknownContact`] or
    /// [`RecipientError::NoToken`]; otherwise as for every read.
    pub fn resolve(&self, request: impl Into<Resolve>) -> Result<Resolved, Error> {
        let request: Resolve = request.into();
        let mut resolved = Resolved {
            addresses: self.addresses(request.recipient)?,
            muted: Vec::new(),
        };
        // A store in which nobody was ever muted reads no subscriber here.
        if request.include_muted || self.tables.state().muted == 0 {
            return Ok(resolved);
        }
        let mut at = request.at;
        for address in std::mem::take(&mut resolved.addresses) {
            let Address {
                subscriber,
                contact,
                ..
            } = address;
            let row: SubscriberRow = self.reading(self.tables.expect_row(&subscriber))?;
            // The clock is read once, and only for a mute.
            let mut counts = |end: &MuteEnd| {
                end.is_after(*at.get_or_insert_with(|| self.answered_by.clock.now()))
            };
            match row.muted.filter(&mut counts) {
                None => resolved.addresses.push(address),
                Some(until) => resolved.muted.push(LeftOut {
                    subscriber,
                    contact,
                    until,
                }),
            }
        }
        Ok(resolved)
    }

    /// The addresses of a recipient, muted or not.
    fn addresses(&self, recipient: Recipient) -> Result<Vec<Address>, Error> {
        match recipient {
            Recipient::Subscriber(id) => {
                let unknown = || RecipientError::UnknownSubscriber(id);
                let subscriber = self.subscriber(id)?.ok_or_else(unknown)?;
                // A subscriber that no contact holds no longer exists.
                let contact = subscriber.contacts.first().copied().ok_or_else(unknown)?;
                Ok(vec![Address {
                    app: subscriber.app,
                    token: subscriber.token,
                    subscriber: subscriber.id,
                    contact,
                }])
            }
            Recipient::Phone { app, phone } => {
                self.connected(app)?;
                let found =
                    self.find(&Identifiers::new().with_phone(phone), MatchPolicy::Cascade)?;
                let card = found.ok_or(RecipientError::UnknownContact)?.card;
                let contact = card.id;
                let addresses: Vec<Address> = card
                    .tokens_of(app)
                    .map(|held| Address {
                        app,
                        token: held.token.clone(),
                        subscriber: held.subscriber,
                        contact,
                    })
                    .collect();
                if addresses.is_empty() {
                    return Err(RecipientError::NoToken { contact, app }.into());
                }
                Ok(addresses)
            }
        }
    }

    /// Explains which contact the identifiers find under either policy, and what adding a token
    /// with them would write ([R28](crate::rulebook#r28)).
    ///
    /// Unknown contact ids, placeholders and invalid identifiers are treated as the options of the
    /// store say.
    ///
    /// # Errors
    ///
    /// [`Error::NothingGiven`] when there is no identifier; otherwise as for every read.
    pub fn explain(&self, identifiers: &Identifiers) -> Result<Explanation, Error> {
        if identifiers.is_empty() {
            return Err(Error::NothingGiven);
        }
        self.reading(explain(
            &*self.tables,
            &self.answered_by.explained_by,
            identifiers,
        ))
    }

    /// Shows what a [merge](crate::ContactStore::merge) would do in this state, and writes nothing
    /// ([R58](crate::rulebook#r58)).
    ///
    /// # Errors
    ///
    /// [`Error::Merge`] and [`Error::LimitExceeded`] as the merge would; otherwise as for every read.
    pub fn preview_merge(&self, request: Merge) -> Result<Merged, Error> {
        self.preview(request.prepare(self.answered_by.explained_by.limits, Timestamp::default()))
    }

    /// Shows what [taking out](crate::ContactStore::unmerge) a merged contact would do in this state,
    /// and writes nothing ([R58](crate::rulebook#r58)).
    ///
    /// # Errors
    ///
    /// [`Error::Merge`] and [`Error::LimitExceeded`] as taking it out would; otherwise as for every
    /// read.
    pub fn preview_unmerge(&self, contact: ContactId) -> Result<Unmerged, Error> {
        self.preview(Unmerge {
            contact,
            limits: self.answered_by.explained_by.limits,
        })
    }

    /// Shows what a [split](crate::ContactStore::split) would do in this state, and writes nothing
    /// ([R58](crate::rulebook#r58)).
    ///
    /// # Errors
    ///
    /// [`Error::Merge`] and [`Error::LimitExceeded`] as the split would; otherwise as for every read.
    pub fn preview_split(&self, request: Split) -> Result<SplitOff, Error> {
        self.preview(request.prepare(self.answered_by.explained_by.limits, Timestamp::default()))
    }

    /// Decides a request in a draft that nobody commits.
    fn preview<O: Operation>(&self, mut operation: O) -> Result<O::Outcome, Error> {
        let mut draft = Draft::new(&self.tables, 1);
        loop {
            match operation.decide(&mut draft) {
                Ok(Step::Done(outcome)) => return Ok(outcome),
                Ok(Step::Again) => {}
                Err(Error::Storage(error)) => return Err(self.ended().unwrap_or(error.into())),
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the contacts that were merged into a contact, directly or through others, in order of
    /// id ([R58](crate::rulebook#r58)). Each can be [taken out](crate::ContactStore::unmerge).
    ///
    /// The list is empty for a contact that does not exist. An id that leads to another contact since
    /// a merge stands for that one.
    ///
    /// # Errors
    ///
    /// As for every read.
    pub fn merged_contacts(&self, contact: ContactId) -> Result<Vec<MergedContact>, Error> {
        let holder = self.reading(storage::merged_into(&*self.tables, contact))?;
        let merges = storage::merges_of(&*self.tables, holder.unwrap_or(contact));
        let merges = self.reading(merges)?.into_iter();
        Ok(merges
            .map(|(id, row)| MergedContact::new(id, &row))
            .collect())
    }

    /// Returns the list of conflicts: pairs of contacts that requests named as if they were one, in order
    /// of the smaller id and then of the larger ([R61](crate::rulebook#r61)).
    ///
    /// At most `limit` of them, which begin after the pair `after`: the [`Conflict::pair`] of the last one
    /// read, which need not be listed any more. There are none if the store was never opened with
    /// [`Options::conflicts`](crate::Options::conflicts).
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] for a limit over [`PAGE_ROWS`](crate::limits::PAGE_ROWS);
    /// otherwise as for every read.
    pub fn conflicts(
        &self,
        after: Option<(ContactId, ContactId)>,
        limit: usize,
    ) -> Result<Vec<Conflict>, Error> {
        check_page(limit)?;
        self.reading(conflicts_after(&*self.tables, after, limit))
    }

    /// Returns the connected apps in order of id, with their counts ([R37](crate::rulebook#r37)).
    ///
    /// # Errors
    ///
    /// As for every read.
    pub fn apps(&self) -> Result<Vec<App>, Error> {
        let rows = self.reading(storage::apps(&*self.tables))?;
        Ok(rows
            .into_iter()
            .map(|(id, row, tally)| listed(id, row, tally))
            .collect())
    }

    /// Returns a connected app, with its counts ([R37](crate::rulebook#r37)).
    ///
    /// # Errors
    ///
    /// As for every read.
    pub fn app(&self, id: AppId) -> Result<Option<App>, Error> {
        let row: Option<AppRow> = self.reading(self.tables.row(&id))?;
        let Some(row) = row else { return Ok(None) };
        let tally = self.reading(self.tables.expect_row(&row.number))?;
        Ok(Some(listed(id, row, tally)))
    }

    /// Returns the connected app with this name, compared byte for byte.
    ///
    /// Names need not be unique. Of several apps it returns the one connected first, and of those
    /// connected at the same time the one with the smallest id.
    ///
    /// # Errors
    ///
    /// As for every read.
    pub fn app_by_name(&self, name: &str) -> Result<Option<App>, Error> {
        let apps = self.apps()?.into_iter();
        let named = apps.filter(|app| app.name.as_str() == name);
        Ok(named.min_by_key(|app| (app.connected_at, app.id)))
    }

    /// Returns the access key of an app, if it was connected with one. The key is a secret
    /// ([R12](crate::rulebook#r12)).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`] when the app is not connected; otherwise as for every read.
    pub fn access_key(&self, app: AppId) -> Result<Option<AccessKey>, Error> {
        self.connected(app).map(|app| app.key)
    }

    /// Returns at most `limit` subscribers of an app with ids after `after`, in order of id
    /// ([R38](crate::rulebook#r38)).
    ///
    /// Fewer than `limit` subscribers means that these are the last.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`] when the app is not connected; [`Error::LimitExceeded`] when `limit`
    /// is not 1 to 1,000; otherwise as for every read.
    pub fn subscribers(
        &self,
        app: AppId,
        after: Option<SubscriberId>,
        limit: usize,
    ) -> Result<Vec<Subscriber>, Error> {
        let number = self.page_of(app, limit)?;
        self.reading(storage::subscribers_after(
            &*self.tables,
            number,
            after,
            limit,
            |id, row| shown(id, app, row),
        ))
    }

    /// Calls `visit` with each subscriber of an app after the given one, in order of id, until
    /// `visit` breaks off ([R38](crate::rulebook#r38)).
    ///
    /// Nothing is copied, so this is the fastest way to go through all subscribers, for example to
    /// write them elsewhere. A listing that stops and continues later uses
    /// [`subscribers`](Snapshot::subscribers).
    ///
    /// A panic in `visit` unwinds to the caller and does the store no harm.
    ///
    /// ```
    /// # use contact_store::*;
    /// # use std::ops::ControlFlow;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = ContactStore::open_in_memory(Options::default())?;
    /// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
    /// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("100200300").email("ann@example.com"))).wait()?;
    /// let mut tokens = Vec::new();
    /// store.snapshot()?.visit_subscribers(bot, None, |subscriber| {
    ///     tokens.push(subscriber.token.to_owned());
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(tokens, ["100200300"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`] when the app is not connected; otherwise as for every read.
    pub fn visit_subscribers(
        &self,
        app: AppId,
        after: Option<SubscriberId>,
        mut visit: impl FnMut(SubscriberRef<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let number = self.connected(app)?.number;
        let mut callback = Callback::default();
        let read = storage::visit_subscribers_after(
            &*self.tables,
            number,
            after,
            |id, subscriber, contacts| {
                let subscriber = SubscriberRef {
                    id,
                    app,
                    token: subscriber.token,
                    contacts,
                    last_registered_at: subscriber.last_registered_at,
                    last_status: subscriber.last_status,
                    counts: subscriber.counts,
                    muted: subscriber.muted,
                };
                callback.goes_on(|| visit(subscriber))
            },
        );
        callback.end();
        self.reading(read)
    }

    /// Returns at most `limit` message tallies of an app with ids after `after`, in byte order of
    /// message id ([R30](crate::rulebook#r30)).
    ///
    /// The message named in `after` need not exist any more. Fewer than `limit` tallies means that
    /// these are the last.
    ///
    /// # Errors
    ///
    /// As for [`subscribers`](Snapshot::subscribers).
    pub fn messages(
        &self,
        app: AppId,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageTally>, Error> {
        let number = self.page_of(app, limit)?;
        let rows = self.reading(storage::messages_after(&*self.tables, number, after, limit))?;
        let tally = |(key, row): (storage::MessageKey, storage::MessageRow)| MessageTally {
            id: key.message,
            counts: row.counts,
            last_at: row.last_at,
        };
        Ok(rows.into_iter().map(tally).collect())
    }

    /// Verifies every row against the rows that must agree with it, in both directions.
    ///
    /// That covers cards, indexes, subscribers, listings, counts and counters. It reads the whole
    /// store.
    ///
    /// # Errors
    ///
    /// As for every read. A problem that it finds is not an error: it is in [`Verified::problems`].
    pub fn verify(&self) -> Result<Verified, Error> {
        let span = trace::verify(self.sequence());
        let verified = self.reading(storage::verify(&self.tables));
        verified
            .inspect(|verified| span.verified(verified.rows, verified.problem_count))
            .inspect_err(|error| span.failed(error))
    }

    /// The bytes of the pages that hold this state.
    pub(crate) fn used_bytes(&self) -> Result<u64, Error> {
        self.reading(self.tables.page_bytes())
    }

    fn page_of(&self, app: AppId, limit: usize) -> Result<AppNumber, Error> {
        check_page(limit)?;
        Ok(self.connected(app)?.number)
    }

    fn connected(&self, app: AppId) -> Result<AppRow, Error> {
        let row: Option<AppRow> = self.reading(self.tables.row(&app))?;
        row.ok_or(Error::UnknownApp(app))
    }

    fn card(&self, id: ContactId, row: CardRow) -> Card {
        let directory = self.tables.directory();
        let tokens = row.tokens.into_iter().filter_map(|held| {
            // Tokens of a disconnected app wait to be removed, and are not shown (R11).
            let app = directory.app(held.app())?;
            Some(HeldToken {
                app,
                token: held.token,
                subscriber: held.subscriber,
                added_at: held.added_at,
            })
        });
        Card {
            id,
            tokens: tokens.collect(),
            identifiers: row.identifiers.with_contact_id(id),
            created_at: row.created_at,
            created_through: row.created_through.and_then(|app| directory.known_app(app)),
            fields: row.fields,
        }
    }

    pub(crate) fn tables(&self) -> &storage::Committed {
        &self.tables
    }

    pub(crate) fn reading<T>(&self, read: Result<T, Failure>) -> Result<T, Error> {
        read.map_err(|failure| {
            let other = || StorageError::from(failure).into();
            self.ended().unwrap_or_else(other)
        })
    }

    /// Why nothing can be read any more, if so.
    fn ended(&self) -> Option<Error> {
        self.tables.ended().map(|ended| match ended {
            Ended::Closed => Error::Closed,
            Ended::Reopened => Error::SnapshotExpired,
        })
    }
}

/// Rows that an iterator reads at a time. That many cards of the greatest size take 64 MiB.
const ITERATED_ROWS: usize = 256;

fn check_page(limit: usize) -> Result<(), LimitExceeded> {
    if limit == 0 {
        return Err(LimitExceeded {
            limit: Limit::PageRows,
            actual: 0,
            most: PAGE_ROWS as u64,
        });
    }
    LimitExceeded::check(Limit::PageRows, limit, PAGE_ROWS)
}

/// The key to continue after, unless the page was the last.
fn after_full<T, K>(page: &[T], key: impl Fn(&T) -> K) -> Option<K> {
    page.last().filter(|_| page.len() == ITERATED_ROWS).map(key)
}

fn shown(id: SubscriberId, app: AppId, row: SubscriberRow) -> Subscriber {
    Subscriber {
        id,
        app,
        token: row.token,
        contacts: row.holders,
        last_registered_at: row.last_registered_at,
        last_status: row.last_status,
        counts: row.counts,
        muted: row.muted,
    }
}

fn listed(id: AppId, row: AppRow, tally: storage::AppTallyRow) -> App {
    App {
        id,
        name: row.name,
        connected_at: row.connected_at,
        subscribers: tally.subscribers,
        contacts: tally.contacts,
        removed_by_failed: tally.removed_by_failed,
        removed_by_host: tally.removed_by_host,
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("sequence", &self.sequence())
            .finish_non_exhaustive()
    }
}
