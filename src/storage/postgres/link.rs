//! Connections to the database server, and statements sent over them.
//!
//! Statements that belong together are sent together: they are answered in one round trip. This module
//! does not know the tables.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{self, Runtime};
use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::block_on::block_on;
use crate::error::{DatabaseError, OpenError};

use super::super::guard::Failure;
use super::schema;
use super::settings::Settings;

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
    /// `None` while it is dropped.
    runtime: Option<Runtime>,
    /// One for each host that the URL names.
    configs: Vec<Config>,
    tls: Option<MakeRustlsConnect>,
    pub(super) settings: Settings,
    pub(super) counts: LinkCounts,
}

impl Drop for Server {
    fn drop(&mut self) {
        // The last handle may go in a task of another runtime, where waiting for threads would panic.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Server {
    pub(super) fn new(settings: Settings) -> Result<Self, OpenError> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("contact-store-postgres")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| OpenError::Thread(Arc::new(error)))?;
        let configs = settings.configs()?;
        let uses_tls = |config: &Config| config.get_ssl_mode() != SslMode::Disable;
        let tls = match configs.iter().any(uses_tls) {
            false => None,
            true => Some(MakeRustlsConnect::new(settings.tls()?)),
        };
        Ok(Server {
            runtime: Some(runtime),
            configs,
            tls,
            settings,
            counts: LinkCounts::new(),
        })
    }

    /// Does work that waits for the network, on a thread that may be one of another runtime.
    fn wait_for<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failure> {
        let runtime = self.runtime.as_ref().ok_or(Failure::Stopped)?;
        let (tell, hear) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            // Who asked waits for this alone.
            drop(tell.send(tokio::time::timeout(within, work).await));
        });
        match hear.recv() {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(UNREACHABLE),
            Err(_) => Err(Failure::Panicked),
        }
    }

    /// Connects to the first host that can be reached. One that accepts a connection and then says nothing
    /// has its share of the time, and the next is tried: it may be the one that took over.
    fn connect_once(
        self: &Arc<Self>,
        purpose: Purpose,
        within: Duration,
        told: Option<&Told>,
    ) -> Result<Connection, Failure> {
        let began = Instant::now();
        let mut last = UNREACHABLE;
        for (config, hosts) in self.configs.iter().zip((1..=self.configs.len()).rev()) {
            let left = within.saturating_sub(began.elapsed());
            let share = left.checked_div(u32::try_from(hosts).unwrap_or(u32::MAX));
            match self.connect_to(config, purpose, share.unwrap_or(left), told.cloned()) {
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
        told: Option<Told>,
    ) -> Result<Connection, Failure> {
        let began = Instant::now();
        let config = config.clone();
        let warned = Arc::new(AtomicBool::new(false));
        let unasked = Unasked {
            warned: Arc::clone(&warned),
            told,
        };
        let uses_tls = config.get_ssl_mode() != SslMode::Disable;
        let tls = self.tls.clone().filter(|_| uses_tls);
        let connected = self.wait_for(within, async move {
            Ok(match tls {
                Some(tls) => {
                    let (client, connection) = config.connect(tls).await?;
                    (client, tokio::spawn(drive(connection, unasked)))
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    (client, tokio::spawn(drive(connection, unasked)))
                }
            })
        });
        let (client, drive) = connected?.map_err(|error| Failure::Database(cause(&error)))?;
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        let mut connection = Connection {
            client: Arc::new(client),
            drive: drive.abort_handle(),
            statements: HashMap::new(),
            warned,
            server: Arc::clone(self),
        };
        schema::enter(
            &mut connection,
            purpose,
            within.saturating_sub(began.elapsed()),
        )?;
        Ok(connection)
    }

    /// A connection whose server calls `told` when it sends a notification, and when it ends. Connects once: others
    /// wait for the thread that calls this.
    pub(super) fn listen(self: &Arc<Self>, told: Told) -> Result<Connection, Failure> {
        const WITHIN: Duration = Duration::from_secs(1);
        let within = self.settings.patience.min(WITHIN);
        self.connect_once(Purpose::Reading, within, Some(&told))
    }

    /// Calls `told` after a while.
    pub(super) fn call_later(&self, told: Told) {
        const PAUSE: Duration = Duration::from_secs(1);
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async move {
                tokio::time::sleep(PAUSE).await;
                told();
            });
        }
    }

    /// Connects, trying again for as long as is waited for the server: one that is restarted, or whose
    /// standby takes over, is back soon.
    pub(super) fn connect(self: &Arc<Self>, purpose: Purpose) -> Result<Connection, Failure> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            let left = self.settings.patience.saturating_sub(began.elapsed());
            let tried = self.connect_once(purpose, left.max(Duration::from_millis(100)), None);
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

/// What is called when another host wrote.
pub(super) type Told = Arc<dyn Fn() + Send + Sync>;

/// What a connection's driver does with what nobody asked for.
#[derive(Clone)]
struct Unasked {
    warned: Arc<AtomicBool>,
    told: Option<Told>,
}

/// Reads and writes for a connection until it ends. Notes a warning of the server, and tells of what other
/// hosts wrote, and of the end.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, unasked: Unasked)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            AsyncMessage::Notice(notice) => {
                let severity = notice.parsed_severity();
                if severity == Some(tokio_postgres::error::Severity::Warning) {
                    unasked.warned.store(true, Ordering::Release);
                }
            }
            AsyncMessage::Notification(_) => unasked.tell(),
            _ => {}
        }
    }
    unasked.tell();
}

impl Unasked {
    fn tell(&self) {
        if let Some(told) = &self.told {
            told();
        }
    }
}

/// A connection, which one caller uses at a time.
pub(super) struct Connection {
    client: Arc<Client>,
    /// What reads and writes for it.
    drive: AbortHandle,
    statements: HashMap<Arc<str>, Statement>,
    /// The server warned of something.
    warned: Arc<AtomicBool>,
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

/// Waits for the answers on this thread. The connection itself is driven by another, and ended when the time is
/// over: a server that does not answer may never do so, and would keep the socket for as long.
fn answered<T>(
    drive: &AbortHandle,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    deadline: Option<Instant>,
) -> Result<T, Failure> {
    let Some(answers) = block_on(&mut pin!(asked), deadline) else {
        drive.abort();
        return Err(UNREACHABLE);
    };
    answers.map_err(|error| Failure::Database(cause(&error)))
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
            let prepared = answered(&self.drive, all(prepared.collect()), deadline)?;
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
        answered(&self.drive, all(queries.collect()), deadline)
    }

    /// Sends a statement whose answer nobody waits for. `then` gets the connection, unless it was lost.
    pub(super) fn ask_later(
        self,
        sql: &'static str,
        then: impl FnOnce(Option<Connection>) + Send + 'static,
    ) {
        let client = Arc::clone(&self.client);
        let server = Arc::clone(&self.server);
        if let Some(runtime) = &server.runtime {
            let within = server.settings.patience;
            let server = Arc::downgrade(&server);
            runtime.spawn(async move {
                let asked = tokio::time::timeout(within, client.batch_execute(sql)).await;
                if asked.is_err() {
                    self.drive.abort();
                }
                // The server's last owner must not be this task, in which its runtime cannot end.
                if server.strong_count() > 1 {
                    then(matches!(asked, Ok(Ok(()))).then_some(self));
                }
            });
        }
    }

    /// Runs statements without values, one after the other.
    pub(super) fn run(&mut self, script: String) -> Result<(), Failure> {
        let client = Arc::clone(&self.client);
        let within = self.server.settings.patience;
        let ran = self
            .server
            .wait_for(within, async move { client.batch_execute(&script).await });
        ran?.map_err(|error| Failure::Database(cause(&error)))
    }

    /// Whether the server warned of something since this was asked last.
    pub(super) fn has_warned(&self) -> bool {
        self.warned.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

/// What an error of the client means. Its text is not passed on: a server writes values of rows into it.
fn cause(error: &tokio_postgres::Error) -> DatabaseError {
    let Some(state) = error.code() else {
        let text = error.to_string();
        let cause = std::error::Error::source(error);
        let cause = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
        // The client says so of a server that takes no writes where the URL asks for one that does. The
        // system says so of a socket, with a number.
        let is_read_only = cause.is_some_and(|cause| {
            cause.kind() == std::io::ErrorKind::PermissionDenied && cause.raw_os_error().is_none()
        });
        return if is_read_only {
            DatabaseError::ReadOnlyServer
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
