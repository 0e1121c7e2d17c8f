//! Groups of requests, each one transaction of the database.
//!
//! Only the writer holds an engine. It does not know requests.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use crate::error::{DatabaseError, OpenError, StorageError};
use crate::model::sequence::SequenceNumber;

use super::super::committed::Committed;
use super::super::draft::{Changes, Draft};
use super::super::engines::{CommitFailure, Found};
use super::super::format::hash::IndexHasher;
use super::super::guard::{Ended, Failure};
use super::super::open::OpenAs;
use super::super::read::Rows as _;
use super::begun::{self, Begun};
use super::known::{Known, Questions, Records};
use super::link::{Ask, Connection, Purpose, Server};
use super::listener::Listener;
use super::pool::Pool;
use super::readers::Readers;
use super::schema;
use super::settings::Settings;
use super::source::RowsOf;
use super::write;

/// The store in a database.
pub(crate) struct PostgresEngine {
    server: Arc<Server>,
    readers: Arc<Readers>,
    open_as: OpenAs,
    /// The connection that groups are committed on.
    connection: Option<Connection>,
    /// Names this opening in the table of hosts.
    host: Uuid,
    /// The number of the group that was committed, or tried, last.
    group: i64,
    guesses: Records,
    attempt: Option<Attempt>,
    unsettled: Option<Unsettled>,
    /// Hears when other hosts wrote, once somebody waits for that.
    listener: Option<Listener>,
}

/// A group that is being decided.
struct Attempt {
    known: Arc<Known>,
    has_begun: bool,
    /// How often its transaction was begun.
    begun: u32,
}

/// A group of which it is not known whether it was committed.
struct Unsettled {
    group: i64,
    /// The number of the state that it was decided on.
    base: SequenceNumber,
    /// The largest number of its requests.
    last: SequenceNumber,
}

/// Where the statement that writes the state is among those of a commit, from the last one back.
const AFTER_STATE: usize = 3;
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

impl PostgresEngine {
    /// Connects to the store, or makes it.
    pub(in crate::storage) fn open(
        settings: Settings,
        open_as: OpenAs,
    ) -> Result<(Self, Committed), OpenError> {
        let server = Arc::new(Server::new(settings)?);
        let mut connection = server.connect(Purpose::Writing)?;
        let format = schema::prepare(&mut connection, open_as.now)?;
        let hasher = IndexHasher::new(format.index_key, open_as.hash_mask);
        let readers = Arc::new(Readers::new(
            Arc::new(Pool::new(Arc::clone(&server))),
            hasher,
            open_as.change_feed,
            open_as.keep_answers,
        ));
        let mut engine = PostgresEngine {
            server,
            readers,
            open_as,
            connection: Some(connection),
            host: Uuid::new_v4(),
            group: 0,
            guesses: Records::new(),
            attempt: None,
            unsettled: None,
            listener: None,
        };
        let (committed, _) = engine.stand()?;
        Ok((engine, committed))
    }

    pub(in crate::storage) fn is_read_only(&self) -> bool {
        self.open_as.read_only
    }

    pub(in crate::storage) fn pool(&self) -> &Arc<Pool> {
        &self.readers.pool
    }

    fn connection(&mut self) -> Result<&mut Connection, Failure> {
        self.connected(|server| server.connect(Purpose::Writing))
    }

    /// The connection for writing, made anew where it has ended.
    fn connected(
        &mut self,
        connect: impl FnOnce(&Arc<Server>) -> Result<Connection, Failure>,
    ) -> Result<&mut Connection, Failure> {
        if self.connection.as_mut().is_none_or(Connection::has_ended) {
            self.connection = Some(connect(&self.server)?);
        }
        self.connection.as_mut().ok_or(Failure::Stopped)
    }

    /// Where the store stands, when no request of this host is on its way to it. Gives also the last group of this host
    /// that is in.
    fn stand(&mut self) -> Result<(Committed, Option<i64>), Failure> {
        // A transaction that failed half-way must not be gone on with.
        self.stand_or_fail().inspect_err(|_| self.connection = None)
    }

    fn stand_or_fail(&mut self) -> Result<(Committed, Option<i64>), Failure> {
        let (host, read_only) = (self.host, self.open_as.read_only);
        let readers = Arc::clone(&self.readers);
        let connection = self.connection()?;
        let mut asks = vec![Ask::plain(BEGIN)];
        // Who holds the lock may be this host, by a connection that it lost. That one has committed or never
        // will once the lock is free. What is written here and synchronized was preceded by what that committed.
        if !read_only {
            asks.push(begun::locking_question());
            asks.push(Ask::new(
                "INSERT INTO hosts (host, last_group) VALUES ($1::text::uuid, 0) \
                 ON CONFLICT (host) DO UPDATE SET seen_at = now() RETURNING last_group",
                vec![Box::new(host.to_string())],
            ));
            asks.push(Ask::plain(
                "DELETE FROM hosts WHERE seen_at < now() - interval '90 days'",
            ));
        }
        if read_only {
            asks.push(begun::question());
        }
        let answers = connection.ask(asks)?;
        let begun = Begun::read(answers.get(1))?;
        let last = answers.get(2).and_then(|rows| rows.first());
        let last = last.and_then(|row| row.try_get(0).ok());
        let directory = readers.directory(begun.apps_version, |asks| connection.ask(asks))?;
        connection.has_warned();
        connection.ask(vec![Ask::plain("COMMIT")])?;
        if connection.has_warned() {
            return Err(Failure::Database(DatabaseError::Unreachable));
        }
        let committed = readers.state(begun, directory, RowsOf::Nothing)?;
        Ok((committed, last))
    }

    /// Where the store stands, if that is after `current`. The first `again` that is given is called whenever another
    /// host wrote, and when the server can be reached again after it could not.
    pub(in crate::storage) fn look(
        &mut self,
        current: &Committed,
        again: Box<dyn Fn() + Send + Sync>,
    ) -> Option<Committed> {
        if self.listener.is_none() {
            // Where no thread can be had, the next who waits tries again.
            self.listener = Listener::begin(&self.server, again).ok();
        }
        self.look_or_fail(current).unwrap_or_else(|_| {
            self.connection = None;
            if let Some(listener) = &self.listener {
                listener.begin_anew();
            }
            None
        })
    }

    fn look_or_fail(&mut self, current: &Committed) -> Result<Option<Committed>, Failure> {
        let readers = Arc::clone(&self.readers);
        // Once, and for a moment: others wait for the thread that does this.
        let connection =
            self.connected(|server| server.connect_once(Purpose::Writing, server.moment()))?;
        let answers = connection.ask(vec![begun::question()])?;
        let begun = Begun::read(answers.first())?;
        let directory = readers.directory(begun.apps_version, |asks| connection.ask(asks))?;
        let committed = readers.state(begun, directory, RowsOf::Nothing)?;
        let is_newer = committed.state().sequence > current.state().sequence;
        Ok(is_newer.then_some(committed))
    }

    /// What a group is decided on first: what is known of the state, which may not be the present one.
    pub(in crate::storage) fn base(&mut self, current: &Committed) -> Arc<Committed> {
        let known = Arc::new(Known::guessing(std::mem::take(&mut self.guesses)));
        self.attempt = Some(Attempt {
            known: Arc::clone(&known),
            has_begun: false,
            begun: 0,
        });
        Arc::new(current.with_known(known))
    }

    /// Reads what a group asked for, in a transaction that holds the lock. Gives what it is to be decided on
    /// anew; `None` when it asked for nothing that was not known.
    pub(in crate::storage) fn look_up(
        &mut self,
        base: &Committed,
    ) -> Result<Option<Arc<Committed>>, StorageError> {
        /// Of a transaction that the server ended before anything was written.
        const MOST_TRIES: u32 = 3;
        /// Far more than one row leads to the next.
        const MOST_ROUNDS: u32 = 64;
        let Some(mut attempt) = self.attempt.take() else {
            return Ok(None);
        };
        if attempt.has_begun && !attempt.known.wants() {
            self.guesses = attempt.known.guesses();
            return Ok(None);
        }
        if attempt.begun > MOST_ROUNDS {
            self.roll_back();
            return Err(StorageError::Corrupt(
                "rows that lead to others without an end",
            ));
        }
        let (mut tries, began) = (0_u32, Instant::now());
        loop {
            match self.read_on(base, &mut attempt) {
                Ok(next) => {
                    self.attempt = Some(attempt);
                    return Ok(Some(next));
                }
                Err(failure) => {
                    self.connection = None;
                    tries = tries.saturating_add(1);
                    let is_lost = matches!(failure, Failure::Database(DatabaseError::Unreachable));
                    let is_late = began.elapsed() >= self.server.settings.patience;
                    if !is_lost || is_late || tries >= MOST_TRIES {
                        return Err(failure.into());
                    }
                    // Nothing was written. What was read was of another transaction.
                    attempt = Attempt {
                        known: Arc::new(Known::default()),
                        has_begun: false,
                        begun: attempt.begun,
                    };
                }
            }
        }
    }

    fn read_on(
        &mut self,
        base: &Committed,
        attempt: &mut Attempt,
    ) -> Result<Arc<Committed>, Failure> {
        attempt.begun = attempt.begun.saturating_add(1);
        let known = Arc::clone(&attempt.known);
        let questions = known.questions()?;
        let readers = Arc::clone(&self.readers);
        if attempt.has_begun {
            let connection = self.connection.as_mut().ok_or(Failure::Stopped)?;
            questions.ask(Vec::new(), &known, |asks| connection.ask(asks))?;
            return Ok(Arc::new(base.with_known(known)));
        }
        let connection = self.connection()?;
        let (begun, directory) = begin(connection, &readers, questions, &known)?;
        attempt.has_begun = true;
        let rows = RowsOf::Deciding(known);
        Ok(Arc::new(readers.state(begun, directory, rows)?))
    }

    /// Drops a group that cannot be written, and lets other hosts go on.
    pub(in crate::storage) fn give_up(&mut self) {
        self.attempt = None;
        self.roll_back();
    }

    /// Ends a transaction in which nothing is to be written.
    fn roll_back(&mut self) {
        if let Some(connection) = &mut self.connection
            && connection.ask(vec![Ask::plain("ROLLBACK")]).is_err()
        {
            self.connection = None;
        }
    }

    /// Writes and commits what `draft` changed on top of `base`.
    pub(in crate::storage) fn commit(
        &mut self,
        draft: Draft<'_>,
        base: &Committed,
    ) -> Result<Option<(Committed, Changes)>, CommitFailure> {
        let not_written = |failure: Failure| CommitFailure::NotWritten(failure.into());
        self.attempt = None;
        let last = draft.state.sequence;
        let prepared = draft.finish().and_then(|changes| {
            let prepared = changes.map(|changes| {
                let (asks, after) = self.statements(base, &changes)?;
                Ok((changes, asks, after))
            });
            prepared.transpose()
        });
        let (changes, asks, after) = match prepared {
            Ok(Some(prepared)) => prepared,
            // The transaction holds up all other hosts.
            Ok(None) => {
                self.roll_back();
                return Ok(None);
            }
            Err(failure) => {
                self.roll_back();
                return Err(not_written(failure));
            }
        };
        let group = self.group;
        let Some(connection) = &mut self.connection else {
            return Err(not_written(Failure::Stopped));
        };
        connection.has_warned();
        let count = asks.len();
        let asked = connection.ask(asks);
        // A server that stops waiting for its standby warns of it and calls the commit done.
        let failure = match asked {
            Ok(answers) if !connection.has_warned() => {
                let begun = Begun::read(answers.get(count.saturating_sub(AFTER_STATE)));
                return begun
                    .and_then(|begun| after.at(begun, &self.readers))
                    .map(|committed| Some((committed, changes)))
                    .map_err(|failure| CommitFailure::Indeterminate(failure.into()));
            }
            Ok(_) => Failure::Database(DatabaseError::Unreachable),
            Err(failure) => failure,
        };
        self.connection = None;
        match failure {
            // The server refused a statement: the transaction ended without it.
            Failure::Database(
                DatabaseError::Contended
                | DatabaseError::Full
                | DatabaseError::ReadOnlyServer
                | DatabaseError::Statement(_),
            ) => Err(not_written(failure)),
            failure => {
                self.unsettled = Some(Unsettled {
                    group,
                    base: base.state().sequence,
                    last,
                });
                Err(CommitFailure::Indeterminate(failure.into()))
            }
        }
    }

    /// The statements of a commit, and the state after it.
    fn statements(
        &mut self,
        base: &Committed,
        changes: &Changes,
    ) -> Result<(Vec<Ask>, After), Failure> {
        let mut asks = write::statements(changes, base.hasher())?;
        let (state, format) = write::state_records(changes);
        let (directory, apps_changed, subscribers) = base.apps_after(changes)?;
        asks.push(Ask::new(
            format!(
                "UPDATE state SET value = coalesce($1, value), format = coalesce($2, format), \
                        sequence = $3, apps_version = apps_version + $4, subscribers = $5 \
                 RETURNING {}",
                begun::COLUMNS
            ),
            vec![
                Box::new(state.map(<[u8]>::to_vec)),
                Box::new(format.map(<[u8]>::to_vec)),
                Box::new(i64::try_from(changes.state.sequence.value()).unwrap_or(i64::MAX)),
                Box::new(i64::from(apps_changed)),
                Box::new(i64::try_from(subscribers).unwrap_or(i64::MAX)),
            ],
        ));
        self.group = self.group.saturating_add(1);
        // The row of a host that wrote nothing for long may have been removed.
        asks.push(Ask::new(
            "INSERT INTO hosts (host, last_group) VALUES ($1::text::uuid, $2) \
             ON CONFLICT (host) DO UPDATE SET last_group = excluded.last_group, seen_at = now()",
            vec![Box::new(self.host.to_string()), Box::new(self.group)],
        ));
        // In its place among the others, so that the answers stand where they do.
        if base.keep_changes().is_some() {
            let channel = schema::channel(&self.server.settings.schema);
            asks.insert(0, Ask::plain(format!("NOTIFY {channel}")));
        }
        asks.push(Ask::plain("COMMIT"));
        Ok((asks, After { directory }))
    }

    /// Opens the store again after a failure, and says which requests of this host are in.
    pub(in crate::storage) fn reopen(&mut self) -> Result<Found, OpenError> {
        self.readers.liveness.end(Ended::Reopened);
        self.readers = Arc::new(Readers::new(
            Arc::clone(&self.readers.pool),
            self.readers.hasher,
            self.readers.keep_changes,
            self.readers.keep_answers,
        ));
        let (committed, last_group) = self.stand()?;
        let now = committed.state().sequence;
        let found = match self.unsettled.take() {
            // Others may have taken the numbers of what was lost.
            Some(unsettled) if last_group == Some(unsettled.group) => unsettled.last,
            Some(unsettled) => unsettled.base,
            None => now,
        };
        Ok(Found { committed, found })
    }

    pub(in crate::storage) fn close(mut self) -> Result<(), StorageError> {
        self.end();
        Ok(())
    }

    fn end(&mut self) {
        self.readers.liveness.end(Ended::Closed);
        (self.connection, self.listener) = (None, None);
    }
}

impl Drop for PostgresEngine {
    fn drop(&mut self) {
        self.end();
    }
}

/// The state after a commit, as far as it is known before.
struct After {
    directory: Arc<super::super::committed::Directory>,
}

impl After {
    fn at(self, begun: Begun, readers: &Arc<Readers>) -> Result<Committed, Failure> {
        readers.know(begun.apps_version, &self.directory);
        readers.state(begun, self.directory, RowsOf::Nothing)
    }
}

/// Begins a transaction that holds the lock, and reads the first that is asked for in it.
fn begin(
    connection: &mut Connection,
    readers: &Readers,
    questions: Questions,
    known: &Known,
) -> Result<(Begun, Arc<super::super::committed::Directory>), Failure> {
    let before = vec![Ask::plain(BEGIN), begun::locking_question()];
    let answers = questions.ask(before, known, |asks| connection.ask(asks))?;
    let begun = Begun::read(answers.get(1))?;
    let directory = readers.directory(begun.apps_version, |asks| connection.ask(asks))?;
    Ok((begun, directory))
}
