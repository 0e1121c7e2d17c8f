//! Reading: everything that a snapshot answers.
//!
//! This module does not know how a snapshot comes to be.

use std::fmt;
use std::sync::Arc;

use crate::app::{AccessKey, App, AppId, AppNumber};
use crate::contact::{Card, HeldToken};
use crate::error::{Error, StorageError};
use crate::identifier::{ContactId, IdentifierKind, Identifiers};
use crate::limits::{Limit, LimitExceeded, PAGE_ROWS};
use crate::matching::{self, ExplainedBy, Explanation};
use crate::recipient::{Address, Recipient, RecipientError};
use crate::report::{MessageId, MessageTally};
use crate::rules::MatchPolicy;
use crate::sequence::SequenceNumber;
use crate::storage::{
    self, AppRow, CardRow, Detached, Failure, FoundCard, Rows as _, SubscriberRow, Verified,
    find_subscriber, subscriber_with_id,
};
use crate::subscriber::{Subscriber, SubscriberId};
use crate::token::Token;
use crate::trace;

/// The store at one sequence number, for any number of reads (R47).
///
/// What it shows is durable (R46) and does not change. It keeps old pages from being used again, so
/// the file grows while writes go on under an old snapshot: take one, read, drop it.
///
/// # Errors
///
/// Every read fails with [`Error::Closed`] once the store is closed, with
/// [`Error::SnapshotExpired`] once it was reopened after a failed commit, and with
/// [`Error::Storage`] when the file cannot be read or holds what this crate never writes.
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
    tables: Arc<storage::Snapshot>,
    explained_by: Arc<ExplainedBy>,
}

/// A contact that was found, and how (R26).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its card.
    pub card: Card,
    /// The kind of identifier that decided.
    pub matched_by: IdentifierKind,
}

impl Snapshot {
    pub(crate) fn new(tables: Arc<storage::Snapshot>, explained_by: Arc<ExplainedBy>) -> Self {
        Snapshot {
            tables,
            explained_by,
        }
    }

    /// The number of the state that it shows.
    #[must_use]
    pub fn sequence(&self) -> SequenceNumber {
        self.tables.state().sequence
    }

    /// How many contacts there are.
    #[must_use]
    pub fn contact_count(&self) -> u64 {
        self.tables.state().contacts
    }

    /// The contact that the identifiers name under a policy, by the same matching as add-tokens
    /// (R26). `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::NothingGiven`] without any identifier; otherwise as for every read.
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

    /// The card of a contact (R27, R29).
    ///
    /// # Errors
    ///
    /// As for every read.
    pub fn contact(&self, id: ContactId) -> Result<Option<Card>, Error> {
        let row = self.reading(self.tables.card(id))?;
        Ok(row.map(|row| self.card(id, row)))
    }

    /// A subscriber by its id (R27). An id that it had in a file of format 1 leads to it as well.
    ///
    /// # Errors
    ///
    /// As for every read.
    pub fn subscriber(&self, id: SubscriberId) -> Result<Option<Subscriber>, Error> {
        let found = self.reading(subscriber_with_id(&*self.tables, id))?;
        Ok(found.and_then(|(id, row)| self.shown(id, row)))
    }

    /// The subscriber that a token of an app is (R27).
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
        Ok(found.and_then(|(id, row)| self.shown(id, row)))
    }

    /// Where to send a message for a recipient (R39): for a subscriber, its own address; for a phone,
    /// that of each token that its contact holds in the app, in the order added. Never empty.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`] when the recipient's app is not connected; [`Error::Recipient`] with
    /// [`RecipientError::UnknownSubscriber`], [`RecipientError::UnknownContact`] or
    /// [`RecipientError::NoToken`]; otherwise as for every read.
    pub fn resolve(&self, recipient: &Recipient) -> Result<Vec<Address>, Error> {
        match *recipient {
            Recipient::Subscriber(id) => {
                let unknown = RecipientError::UnknownSubscriber(id);
                let subscriber = self.subscriber(id)?.ok_or(unknown)?;
                // A subscriber that nobody holds is none any more.
                let contact = subscriber.contacts.first().copied().ok_or(unknown)?;
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
                let held = card.tokens.into_iter().filter(|held| held.app == app);
                let addresses: Vec<Address> = held
                    .map(|held| Address {
                        app,
                        token: held.token,
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

    /// Why the identifiers lead where they lead, under either policy, and what adding a token with
    /// them would write (R28). Unknown contact ids, placeholders and invalid identifiers are treated
    /// as the store was opened to treat them.
    ///
    /// # Errors
    ///
    /// [`Error::NothingGiven`] without any identifier; otherwise as for every read.
    pub fn explain(&self, identifiers: &Identifiers) -> Result<Explanation, Error> {
        if identifiers.is_empty() {
            return Err(Error::NothingGiven);
        }
        self.reading(matching::explain(
            &*self.tables,
            &self.explained_by,
            identifiers,
        ))
    }

    /// The connected apps, in the order of their ids, with their counts (R37).
    ///
    /// # Errors
    ///
    /// As for every read.
    pub fn apps(&self) -> Result<Vec<App>, Error> {
        let rows = self.reading(storage::apps(&*self.tables))?;
        let app = |(id, row, tally): (AppId, AppRow, storage::AppTallyRow)| App {
            id,
            name: row.name,
            connected_at: row.connected_at,
            subscribers: tally.subscribers,
            contacts: tally.contacts,
            removed_by_failed: tally.removed_by_failed,
            removed_by_host: tally.removed_by_host,
        };
        Ok(rows.into_iter().map(app).collect())
    }

    /// The access key of an app, if it was connected with one. A secret (R12).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownApp`] when the app is not connected; otherwise as for every read.
    pub fn access_key(&self, app: AppId) -> Result<Option<AccessKey>, Error> {
        self.connected(app).map(|app| app.key)
    }

    /// At most `limit` subscribers of an app in the order of their ids, behind the one named in
    /// `after` (R38). Fewer means that these are the last.
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
        let rows = self.reading(storage::subscribers_after(
            &*self.tables,
            number,
            after,
            limit,
        ))?;
        Ok(rows
            .into_iter()
            .filter_map(|(id, row)| self.shown(id, row))
            .collect())
    }

    /// At most `limit` message tallies of an app in the byte order of their ids, behind the one
    /// named in `after` (R30). Fewer means that these are the last.
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

    /// Verifies every row against every other that must agree with it, both ways: cards, indexes,
    /// subscribers, listings, counts and counters. Reads the whole store.
    ///
    /// # Errors
    ///
    /// As for every read. What is found to be wrong is no error but in [`Verified::problems`].
    pub fn verify(&self) -> Result<Verified, Error> {
        let span = trace::verify(self.sequence());
        let verified = self.reading(storage::verify(&self.tables));
        verified
            .inspect(|verified| span.verified(verified.rows, verified.problem_count))
            .inspect_err(|error| span.failed(error))
    }

    fn page_of(&self, app: AppId, limit: usize) -> Result<AppNumber, Error> {
        if limit == 0 {
            let most = PAGE_ROWS as u64;
            return Err(LimitExceeded {
                limit: Limit::PageRows,
                actual: 0,
                most,
            }
            .into());
        }
        LimitExceeded::check(Limit::PageRows, limit, PAGE_ROWS)?;
        Ok(self.connected(app)?.number)
    }

    fn connected(&self, app: AppId) -> Result<AppRow, Error> {
        let row: Option<AppRow> = self.reading(self.tables.row(&app))?;
        row.ok_or(Error::UnknownApp(app))
    }

    fn card(&self, id: ContactId, row: Arc<CardRow>) -> Card {
        let row = Arc::unwrap_or_clone(row);
        let directory = self.tables.directory();
        let tokens = row.tokens.into_iter().filter_map(|held| {
            // Tokens of an app that was disconnected are being removed, and not shown (R11).
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

    fn shown(&self, id: SubscriberId, row: SubscriberRow) -> Option<Subscriber> {
        let app = self.tables.directory().app(row.app)?;
        Some(Subscriber {
            id,
            app,
            token: row.token,
            contacts: row.holders,
            last_registered_at: row.last_registered_at,
            last_status: row.last_status,
            counts: row.counts,
        })
    }

    fn reading<T>(&self, read: Result<T, Failure>) -> Result<T, Error> {
        read.map_err(|failure| match self.tables.detached() {
            Some(Detached::Closed) => Error::Closed,
            Some(Detached::Reopened) => Error::SnapshotExpired,
            None => StorageError::from(failure).into(),
        })
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("sequence", &self.sequence())
            .finish_non_exhaustive()
    }
}
