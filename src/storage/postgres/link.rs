//! Connections to the database server, and statements sent over them.
//!
//! Statements that belong together are sent together: they are answered in one round trip. This module
//! does not know the tables.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{DatabaseError, OpenError};

use super::super::guard::{Failure, guarded};
use super::drive::Driver;
use super::schema;
use super::settings::Settings;
use super::socket::{Socket, Waiter};

const UNREACHABLE: Failure = Failure::Database(DatabaseError::Unreachable);

/// A value of a statement.
pub(super) type Value = Box<dyn ToSql + Sync + Send>;

/// A statement and its values.
pub(super) struct Ask {
    sql: Arc<str>,
    values: Vec<Value>,
}

impl Ask {
    pub(super) fn new(sql: impl Into<Arc<str>>, values: Vec<Value>) -> Self {
        Ask {
            sql: sql.into(),
            values,
        }
    }

    /// A statement without values.
    pub(super) fn plain(sql: impl Into<Arc<str>>) -> Self {
        Self::new(sql, Vec::new())
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Groups of requests. All hosts wait while one is under way.
    Writing,
    /// Snapshots, whose holders may take their time.
    Reading,
}

/// What connections to a server did.
#[derive(Debug)]
pub(crate) struct LinkCounts {
    pub(super) connections: AtomicU64,
    pub(super) open: AtomicUsize,
    pub(super) round_trips: AtomicU64,
    pub(super) failures: AtomicU64,
    began: Instant,
    /// The milliseconds from then to the last answer.
    answered: AtomicU64,
}

impl LinkCounts {
    fn new() -> Self {
        LinkCounts {
            connections: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            round_trips: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            began: Instant::now(),
            answered: AtomicU64::new(0),
        }
    }

    /// Counts a round trip.
    fn note(&self, answers: &Result<Vec<Vec<Row>>, Failure>) {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
        match answers {
            Err(Failure::Database(DatabaseError::Unreachable)) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) | Err(Failure::Database(_)) => self.note_answer(),
            Err(_) => {}
        }
    }

    fn note_answer(&self) {
        let millis = self.began.elapsed().as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.answered.fetch_max(millis, Ordering::Relaxed);
    }

    /// The time since the server answered last.
    pub(super) fn since_answer(&self) -> Duration {
        let answered = Duration::from_millis(self.answered.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(answered)
    }
}

/// A server, and the way to it.
pub(crate) struct Server {
    /// One for each host that the URL names.
    configs: Vec<Config>,
    tls: Option<MakeRustlsConnect>,
    pub(super) settings: Settings,
    pub(super) counts: LinkCounts,
}

impl Server {
    pub(super) fn new(settings: Settings) -> Result<Self, OpenError> {
        let configs = settings.configs()?;
        let uses_tls = |config: &Config| config.get_ssl_mode() != SslMode::Disable;
        let tls = match configs.iter().any(uses_tls) {
            false => None,
            true => Some(MakeRustlsConnect::new(settings.tls()?)),
        };
        Ok(Server {
            configs,
            tls,
            settings,
            counts: LinkCounts::new(),
        })
    }

    /// Long enough to connect to each host once, where none is slow to answer.
    pub(super) fn moment(&self) -> Duration {
        const FOR_A_HOST: Duration = Duration::from_secs(1);
        let hosts = u32::try_from(self.configs.len()).unwrap_or(u32::MAX);
        self.settings.patience.min(FOR_A_HOST.saturating_mul(hosts))
    }

    /// Connects to the first host that can be reached. One that accepts a connection and then says nothing
    /// has its share of the time, and the next is tried: it may be the one that took over.
    pub(super) fn connect_once(
        self: &Arc<Self>,
        purpose: Purpose,
        within: Duration,
    ) -> Result<Connection, Failure> {
        let began = Instant::now();
        let mut last = UNREACHABLE;
        for (config, hosts) in self.configs.iter().zip((1..=self.configs.len()).rev()) {
            let left = within.saturating_sub(began.elapsed());
            let share = left.checked_div(u32::try_from(hosts).unwrap_or(u32::MAX));
            match self.connect_to(config, purpose, share.unwrap_or(left)) {
                Ok(connection) => return Ok(connection),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    fn connect_to(
        self: &Arc<Self>,
        config: &Config,
        purpose: Purpose,
        within: Duration,
    ) -> Result<Connection, Failure> {
        let began = Instant::now();
        // No patience that can be set is too long to be added.
        let deadline = began.checked_add(within).unwrap_or(began);
        let waiter = Waiter::connect(config, deadline).map_err(|_| UNREACHABLE)?;
        let uses_tls = config.get_ssl_mode() != SslMode::Disable;
        let entered = match self.tls.clone().filter(|_| uses_tls) {
            None => guarded(|| Ok(Driver::enter(waiter, config, NoTls, deadline)))?,
            Some(mut tls) => {
                let name = certified_name(config);
                let tls = MakeTlsConnect::<Socket>::make_tls_connect(&mut tls, &name)
                    .map_err(|_| Failure::Database(DatabaseError::Tls))?;
                guarded(|| Ok(Driver::enter(waiter, config, tls, deadline)))?
            }
        };
        let entered = entered.ok_or(UNREACHABLE)?;
        let (client, driver) = entered.map_err(|error| Failure::Database(cause(&error)))?;
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        let mut connection = Connection {
            client,
            statements: HashMap::new(),
            driver,
            server: Arc::clone(self),
        };
        schema::enter(
            &mut connection,
            purpose,
            config.get_target_session_attrs(),
            within.saturating_sub(began.elapsed()),
        )?;
        Ok(connection)
    }

    /// Connects, trying again for as long as is waited for the server: one that is restarted, or whose
    /// standby takes over, is back soon.
    pub(super) fn connect(self: &Arc<Self>, purpose: Purpose) -> Result<Connection, Failure> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            let left = self.settings.patience.saturating_sub(began.elapsed());
            let tried = self.connect_once(purpose, left.max(Duration::from_millis(100)));
            let failure = match tried {
                Ok(connection) => return Ok(connection),
                Err(failure) => failure,
            };
            self.counts.failures.fetch_add(1, Ordering::Relaxed);
            let may_pass = matches!(
                failure,
                Failure::Database(
                    DatabaseError::Unreachable
                        | DatabaseError::ReadOnlyServer
                        | DatabaseError::Full
                )
            );
            let jittered = jittered(pause);
            if !may_pass || jittered >= left {
                return Err(failure);
            }
            std::thread::sleep(jittered);
            pause = pause.saturating_mul(2).min(Duration::from_secs(1));
        }
    }
}

/// Between half of a pause and the whole of it, so that hosts that lost the server together do not come
/// back together.
fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    let part = f64::from(random) / f64::from(u32::MAX);
    pause.mul_f64(f64::midpoint(part, 1.0))
}

/// The name that the certificate of a host must have.
fn certified_name(config: &Config) -> String {
    match (config.get_hosts().first(), config.get_hostaddrs().first()) {
        (Some(Host::Tcp(name)), _) => name.clone(),
        (_, Some(address)) => address.to_string(),
        _ => String::new(),
    }
}

/// A connection, which one caller uses at a time.
pub(super) struct Connection {
    // Fields are dropped in this order. The client must go first: only then does the driver say goodbye.
    client: Client,
    statements: HashMap<Arc<str>, Statement>,
    driver: Driver,
    pub(super) server: Arc<Server>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.server.counts.open.fetch_sub(1, Ordering::Relaxed);
    }
}

type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + Send + 'a>>;

/// Sends all before any is answered, and gives their answers in order. After the first error those that
/// follow only say that the transaction has failed.
async fn all<T>(mut asked: Vec<Asked<'_, T>>) -> Result<Vec<T>, tokio_postgres::Error> {
    let mut answers: Vec<Option<Result<T, tokio_postgres::Error>>> =
        asked.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut waits = false;
        for (ask, answer) in asked.iter_mut().zip(&mut answers) {
            if answer.is_some() {
                continue;
            }
            match ask.as_mut().poll(context) {
                Poll::Ready(ready) => *answer = Some(ready),
                Poll::Pending => waits = true,
            }
        }
        if waits {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// Waits for the answers on this thread.
fn answered<T>(
    driver: &mut Driver,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    deadline: Option<Instant>,
) -> Result<T, Failure> {
    let answer = guarded(|| Ok(driver.answer(asked, deadline)))?;
    let answer = answer.ok_or(UNREACHABLE)?;
    answer.map_err(|error| Failure::Database(cause(&error)))
}

impl Connection {
    /// Sends statements together, and gives the rows of each. After an error the connection is of no
    /// more use to a transaction.
    pub(super) fn ask(&mut self, asks: Vec<Ask>) -> Result<Vec<Vec<Row>>, Failure> {
        let within = self.server.settings.patience;
        self.ask_within(within, asks)
    }

    /// The same, within a time of its own.
    pub(super) fn ask_within(
        &mut self,
        within: Duration,
        asks: Vec<Ask>,
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let answers = self.ask_uncounted(within, asks);
        self.server.counts.note(&answers);
        answers
    }

    fn ask_uncounted(
        &mut self,
        within: Duration,
        asks: Vec<Ask>,
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let deadline = Instant::now().checked_add(within);
        let client = &self.client;
        let mut missing: Vec<Arc<str>> = Vec::new();
        for ask in &asks {
            if !self.statements.contains_key(&ask.sql) && !missing.contains(&ask.sql) {
                missing.push(Arc::clone(&ask.sql));
            }
        }
        if !missing.is_empty() {
            let prepared = missing
                .iter()
                .map(|sql| Box::pin(client.prepare(sql)) as Asked<'_, Statement>);
            let prepared = answered(&mut self.driver, all(prepared.collect()), deadline)?;
            self.statements.extend(missing.into_iter().zip(prepared));
        }
        let queries = asks.iter().filter_map(|ask| {
            let statement = self.statements.get(&ask.sql)?;
            let values = ask.values.iter();
            let values: Vec<&(dyn ToSql + Sync)> = values
                .map(|value| &**value as &(dyn ToSql + Sync))
                .collect();
            Some(
                Box::pin(async move { client.query(statement, &values).await })
                    as Asked<'_, Vec<Row>>,
            )
        });
        answered(&mut self.driver, all(queries.collect()), deadline)
    }

    /// Sends a statement whose answer nobody waits for. Says whether the connection can be used further.
    pub(super) fn send(&mut self, sql: &str) -> bool {
        let (client, driver) = (&self.client, &mut self.driver);
        let sent = guarded(|| {
            driver.send(client.batch_execute(sql));
            Ok(())
        });
        sent.is_ok() && !self.driver.has_ended()
    }

    /// Runs statements without values, one after the other.
    pub(super) fn run(&mut self, script: &str) -> Result<(), Failure> {
        let deadline = Instant::now().checked_add(self.server.settings.patience);
        let ran = self.client.batch_execute(script);
        answered(&mut self.driver, ran, deadline)
    }

    /// Waits until another host tells that it wrote, or the connection ends: then `false`.
    pub(super) fn hear(&mut self) -> bool {
        guarded(|| Ok(self.driver.hear())).unwrap_or(false)
    }

    /// Whether the server warned of something since this was asked last.
    pub(super) fn has_warned(&mut self) -> bool {
        self.driver.has_warned()
    }

    /// Whether the connection is over. Looks whether the server has ended it.
    pub(super) fn has_ended(&mut self) -> bool {
        let looked = guarded(|| {
            self.driver.look();
            Ok(self.driver.has_ended())
        });
        looked.unwrap_or(true)
    }

    pub(super) fn socket(&self) -> &Socket {
        self.driver.socket()
    }
}

/// What an error of the client means. Its text is not passed on: a server writes values of rows into it.
fn cause(error: &tokio_postgres::Error) -> DatabaseError {
    let Some(state) = error.code() else {
        let text = error.to_string();
        let cause = std::error::Error::source(error);
        let cause = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
        // TLS itself says that what it was sent is invalid.
        let was_cut = cause.is_some_and(|cause| cause.kind() != std::io::ErrorKind::InvalidData);
        return if was_cut {
            DatabaseError::Unreachable
        } else if text.contains("TLS") {
            DatabaseError::Tls
        } else if text.contains("configuration") || text.contains("authentication") {
            // A password is asked for and none was given, or in a way that the client does not know.
            DatabaseError::Refused
        } else {
            DatabaseError::Unreachable
        };
    };
    let class = state.code().get(..2).unwrap_or_default();
    match class {
        "08" | "57" => DatabaseError::Unreachable,
        // The server itself does not know whether it committed.
        _ if *state == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN => DatabaseError::Unreachable,
        "28" | "3D" => DatabaseError::Refused,
        "53" => DatabaseError::Full,
        "40" => DatabaseError::Contended,
        _ if *state == SqlState::READ_ONLY_SQL_TRANSACTION => DatabaseError::ReadOnlyServer,
        _ if *state == SqlState::LOCK_NOT_AVAILABLE => DatabaseError::Contended,
        _ if *state == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => DatabaseError::Unreachable,
        _ => {
            let bytes = state.code().as_bytes();
            DatabaseError::Statement(bytes.try_into().unwrap_or(*b"?????"))
        }
    }
}
