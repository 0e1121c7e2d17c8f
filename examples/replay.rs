//! Replays a log of what a host receives into a store: one JSON line in, one JSON line of outcome
//! out, in order.
//!
//! ```text
//! cargo run --release --example replay -- --store contacts.redb --create examples/sample.jsonl
//! ```
//!
//! What a line may be is told by `contact_store::wire::Line`. Lines are decided strictly in order.
//! Writes are handed to the store ahead of their answers, so that many share a commit; a line that
//! reads waits for all writes before it.

use std::collections::VecDeque;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use contact_store::wire::{self, Line};
use contact_store::{
    AppId, AppName, ContactStore, ContactUpserted, EntryError, Erased, Error, Limits, MatchPolicy,
    MessagesForgotten, Outcomes, Pending, ReportOutcome, TokenRemoved, TokenRenamed, TokensAdded,
    WhenFull,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

#[path = "common/causes.rs"]
mod causes;
#[path = "common/command_line.rs"]
pub mod command_line;
#[path = "common/lines.rs"]
pub mod lines;
#[path = "common/open_store.rs"]
pub mod open_store;
#[path = "common/store_options.rs"]
pub mod store_options;

use causes::WithCauses;
use command_line::{Asked, Wrong};
use lines::{is_blank, line_of_log, read_line, takes_no_more};
use open_store::{CannotOpen, open_store};
use store_options::StoreOptions;

/// Lines whose answers are not printed yet, at most.
const MOST_UNDER_WAY: usize = 1_024;
/// Bytes of text in these lines, at most; one line is always taken.
const MOST_BYTES_UNDER_WAY: usize = 32 << 20;
/// Lines are read ahead in chunks of this many bytes, or of one longer line.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks read ahead.
const CHUNKS_AHEAD: usize = 4;

fn main() -> ExitCode {
    let arguments = match Arguments::read(env::args_os().skip(1)) {
        Ok(Asked::Run(arguments)) => arguments,
        Ok(Asked::Help(text)) => {
            return match io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        Err(wrong) => {
            say(&format!("{wrong}\nreplay --help says what there is"));
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(summary) => {
            say(&summary.to_string());
            ExitCode::SUCCESS
        }
        // Whoever read the answers has enough of them.
        Err(Stop::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(stop) => {
            say(&stop.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Says something to the person at the terminal. When that is not possible there is nobody to tell.
fn say(text: &str) {
    drop(writeln!(io::stderr(), "replay: {}", text.trim_end()));
}

fn run(arguments: &Arguments) -> Result<Summary, Stop> {
    let (input, bytes) = open_log(&arguments.log).map_err(|error| Stop::Open {
        log: arguments.log.clone(),
        error,
    })?;
    let options = arguments.options.options();
    let (policy, limits) = (options.policy, options.limits);
    let store = open_store(&arguments.store, options).map_err(Stop::OpenStore)?;

    let bar = progress_bar(bytes);
    let output: Box<dyn Write> = if io::stdout().is_terminal() {
        Box::new(BesideBar(bar.clone()))
    } else {
        Box::new(BufWriter::new(io::stdout()))
    };
    let replayed = replay(&store, policy, limits, input, output, |summary| {
        bar.set_position(summary.bytes);
    });
    bar.finish_and_clear();
    let closed = store.close().map_err(Stop::Store);
    let summary = replayed?;
    closed.map(|()| summary)
}

/// The log, and its length where it has one.
fn open_log(log: &OsString) -> io::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if log == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(log)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let bytes = about.is_file().then_some(about.len());
    Ok((Box::new(file), bytes))
}

fn progress_bar(bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {bytes}, {bytes_per_sec}, {elapsed}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Standard output on the terminal that the progress is drawn on: each line goes above it.
struct BesideBar(ProgressBar);

impl Write for BesideBar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Replays a JSON Lines log of what a host receives into a contact store.
///
/// For each line of the log, one JSON line of outcome goes to standard output. Every flag is also an
/// environment variable, CONTACT_STORE_ and its name in capitals, and a key of the TOML file that --config
/// names. A flag goes before the variable, and that before the file.
///
/// The exit status is 0 when the whole log was replayed, whatever the outcomes of its lines; 1 when the
/// log or the store failed; 2 when the arguments are wrong.
#[derive(Clone, Debug, Default, Parser, PartialEq, Eq)]
#[command(name = "replay")]
pub struct Arguments {
    /// The file of the store
    #[arg(long, value_name = "PATH")]
    pub store: PathBuf,
    /// How it is opened.
    #[command(flatten)]
    pub options: StoreOptions,
    /// A TOML file with any of these flags as keys, such as cache-bytes = 268435456
    #[arg(long, value_name = "PATH")]
    pub config: Option<OsString>,
    /// The log; - is standard input
    #[arg(value_name = "FILE")]
    pub log: OsString,
}

impl Arguments {
    /// Reads the arguments, the environment and the file.
    ///
    /// # Errors
    ///
    /// Says what is wrong, without any value.
    pub fn read(given: impl IntoIterator<Item = OsString>) -> Result<Asked<Self>, Wrong> {
        command_line::read(given)
    }
}

/// Why a replay ended before its log. No variant shows any part of the log.
#[derive(Debug)]
pub enum Stop {
    /// The log cannot be opened.
    Open {
        /// Its path.
        log: OsString,
        /// What the system said.
        error: io::Error,
    },
    /// The log cannot be read.
    Input(io::Error),
    /// The answers cannot be written.
    Output(io::Error),
    /// The store cannot be opened.
    OpenStore(CannotOpen),
    /// The store takes no more.
    Store(Error),
    /// The library knows a kind of line that this program does not.
    UnknownLine,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Open { log, error } => {
                let (log, kind) = (log.display(), error.kind());
                write!(f, "the log {log} cannot be opened for reading ({kind})")
            }
            Stop::Input(error) => write!(f, "the log cannot be read ({})", error.kind()),
            Stop::Output(error) => write!(f, "the answers cannot be written ({})", error.kind()),
            Stop::OpenStore(error) => write!(f, "{error}"),
            Stop::Store(error) => write!(f, "{}", WithCauses(error)),
            Stop::UnknownLine => {
                f.write_str("the log holds a line of a kind that is not known here")
            }
        }
    }
}

/// What was replayed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Lines answered.
    pub lines: u64,
    /// Lines refused whole.
    pub refused_lines: u64,
    /// Entries of requests with tokens, statuses or contacts answered.
    pub entries: u64,
    /// Entries refused.
    pub refused_entries: u64,
    /// Bytes of the log behind which every line is answered.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Summary {
    fn count<T>(&mut self, entries: &[Result<T, EntryError>]) {
        let refused = entries.iter().filter(|entry| entry.is_err()).count();
        self.entries = self.entries.saturating_add(entries.len() as u64);
        self.refused_entries = self.refused_entries.saturating_add(refused as u64);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        write!(
            f,
            "{} lines ({} refused) with {} entries ({} refused) in {seconds:.3} s",
            self.lines, self.refused_lines, self.entries, self.refused_entries,
        )?;
        // Counts are far below the 2^53 from which on a float loses digits, and this is for people.
        let rate = |count: u64| count as f64 / seconds;
        if seconds > 0.0 {
            write!(
                f,
                ": {:.0} lines/s, {:.0} entries/s",
                rate(self.lines),
                rate(self.entries)
            )?;
        }
        Ok(())
    }
}

/// Replays a log into a store, and tells after each answer how far it is.
///
/// `input` is read on a thread of its own, which ends when the log does or when nobody wants its
/// lines any more.
///
/// # Errors
///
/// [`Stop`]. Lines answered until then are in the store, and lines behind them may be.
pub fn replay(
    store: &ContactStore,
    policy: MatchPolicy,
    limits: Limits,
    input: impl Read + Send + 'static,
    output: impl Write,
    progress: impl FnMut(&Summary),
) -> Result<Summary, Stop> {
    let (to_replay, log) = sync_channel(CHUNKS_AHEAD);
    let input = BufReader::with_capacity(1 << 18, input);
    thread::Builder::new()
        .name("replay-read".to_owned())
        .spawn(move || read_log(input, limits, &to_replay))
        .map_err(Stop::Input)?;
    let started = Instant::now();
    let mut replay = Replay {
        store: store.when_full(WhenFull::Wait),
        policy,
        output,
        progress,
        under_way: VecDeque::new(),
        bytes_under_way: 0,
        summary: Summary::default(),
        answer: Vec::new(),
        failed: None,
    };
    replay.all(&log)?;
    replay.summary.elapsed = started.elapsed();
    Ok(replay.summary)
}

/// A line of the log, read and parsed.
struct Parsed {
    /// Its number, counted from 1, blank lines included.
    number: u64,
    /// Bytes of the log up to and with it.
    end: u64,
    /// Its own bytes, as far as they were kept.
    bytes: usize,
    line: Result<Line, Error>,
}

/// What the reading thread sends.
enum Chunk {
    Lines(Vec<Parsed>),
    End,
    Failed(io::Error),
}

/// Reads and parses lines until the log ends or nobody wants more.
fn read_log(mut log: BufReader<impl Read>, limits: Limits, to_replay: &SyncSender<Chunk>) {
    let mut text = Vec::new();
    let (mut number, mut end) = (0_u64, 0_u64);
    let (mut lines, mut bytes_held) = (Vec::new(), 0_usize);
    let last = loop {
        // The next line may be long in coming: the answers to these must not wait for it.
        let would_wait = !log.buffer().contains(&b'\n');
        if !lines.is_empty() && (would_wait || bytes_held >= CHUNK_BYTES) {
            bytes_held = 0;
            let chunk = Chunk::Lines(std::mem::take(&mut lines));
            if to_replay.send(chunk).is_err() {
                return;
            }
        }
        text.clear();
        let bytes = match read_line(&mut log, limits.request_text_bytes, &mut text) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break Chunk::End,
            Err(error) => break Chunk::Failed(error),
        };
        number = number.saturating_add(1);
        end = end.saturating_add(bytes).saturating_add(1);
        let text = line_of_log(&text, number);
        let line = match wire::check_request_size(bytes, &limits) {
            Err(exceeded) => Err(exceeded.into()),
            Ok(()) if is_blank(text) => continue,
            Ok(()) => Line::parse(text, &limits),
        };
        bytes_held = bytes_held.saturating_add(text.len());
        lines.push(Parsed {
            number,
            end,
            bytes: text.len(),
            line,
        });
    };
    // When nobody listens any more, nobody needs to know.
    drop(to_replay.send(last));
}

/// A line whose answer is not printed yet.
struct UnderWay {
    number: u64,
    end: u64,
    bytes: usize,
    write: Submitted,
}

/// A write that the store was given, or why it was given none.
enum Submitted {
    Refused(Error),
    ConnectApp(Pending<AppId>, AppName),
    DisconnectApp(Pending<()>),
    AddTokens(Pending<TokensAdded>),
    RecordReports(Pending<Outcomes<ReportOutcome>>),
    Upsert(Pending<Outcomes<ContactUpserted>>),
    RemoveToken(Pending<TokenRemoved>),
    RenameToken(Pending<TokenRenamed>),
    Erase(Pending<Erased>),
    ForgetMessages(Pending<MessagesForgotten>),
}

/// A replay under way.
struct Replay<W, P> {
    store: ContactStore,
    policy: MatchPolicy,
    output: W,
    progress: P,
    under_way: VecDeque<UnderWay>,
    bytes_under_way: usize,
    summary: Summary,
    answer: Vec<u8>,
    /// The error after which the store takes no more.
    failed: Option<Error>,
}

impl<W: Write, P: FnMut(&Summary)> Replay<W, P> {
    fn all(&mut self, log: &Receiver<Chunk>) -> Result<(), Stop> {
        let mut ended = Ok(());
        while self.failed.is_none() {
            let chunk = match log.try_recv() {
                Ok(chunk) => chunk,
                // Nothing to do but to print: of a log that is written to as it is replayed, each
                // answer is out before the next line comes.
                Err(TryRecvError::Empty) if !self.under_way.is_empty() => {
                    self.finish_oldest()?;
                    continue;
                }
                Err(TryRecvError::Empty) => {
                    self.output.flush().map_err(Stop::Output)?;
                    log.recv().unwrap_or_else(|_| reader_died())
                }
                Err(TryRecvError::Disconnected) => reader_died(),
            };
            match chunk {
                Chunk::Lines(lines) => {
                    for line in lines {
                        self.take(line)?;
                        if self.failed.is_some() {
                            break;
                        }
                    }
                }
                Chunk::End => break,
                Chunk::Failed(error) => {
                    ended = Err(Stop::Input(error));
                    break;
                }
            }
        }
        self.finish_all()?;
        self.output.flush().map_err(Stop::Output)?;
        match self.failed.take() {
            Some(error) => Err(Stop::Store(error)),
            None => ended,
        }
    }

    /// Hands a line to the store: a write ahead of its answer, a question after all writes before it.
    fn take(&mut self, parsed: Parsed) -> Result<(), Stop> {
        let Parsed {
            number,
            end,
            bytes,
            line,
        } = parsed;
        while self.under_way.len() >= MOST_UNDER_WAY
            || (!self.under_way.is_empty()
                && self.bytes_under_way.saturating_add(bytes) > MOST_BYTES_UNDER_WAY)
        {
            self.finish_oldest()?;
        }
        let store = &self.store;
        let write = match line {
            Err(error) => Submitted::Refused(error),
            Ok(Line::ConnectApp { request, name }) => {
                Submitted::ConnectApp(store.connect_app(request), name)
            }
            Ok(Line::DisconnectApp(app)) => Submitted::DisconnectApp(store.disconnect_app(app)),
            Ok(Line::AddTokens(request)) => Submitted::AddTokens(store.add_tokens(request)),
            Ok(Line::RecordReports(request)) => {
                Submitted::RecordReports(store.record_reports(request))
            }
            Ok(Line::Upsert(request)) => Submitted::Upsert(store.upsert(request)),
            Ok(Line::RemoveToken(request)) => Submitted::RemoveToken(store.remove_token(request)),
            Ok(Line::RenameToken(request)) => Submitted::RenameToken(store.rename_token(request)),
            Ok(Line::Erase(contact)) => Submitted::Erase(store.erase(contact)),
            Ok(Line::ForgetMessages { app, before }) => {
                Submitted::ForgetMessages(store.forget_messages(app, before))
            }
            Ok(question) => {
                self.finish_all()?;
                if self.failed.is_some() {
                    return Ok(());
                }
                self.answer.clear();
                let answered = self.ask(&question)?;
                return self.print(number, end, answered);
            }
        };
        self.bytes_under_way = self.bytes_under_way.saturating_add(bytes);
        self.under_way.push_back(UnderWay {
            number,
            end,
            bytes,
            write,
        });
        Ok(())
    }

    fn finish_all(&mut self) -> Result<(), Stop> {
        while !self.under_way.is_empty() {
            self.finish_oldest()?;
        }
        Ok(())
    }

    /// Waits for the oldest write under way, and prints its answer.
    fn finish_oldest(&mut self) -> Result<(), Stop> {
        let Some(oldest) = self.under_way.pop_front() else {
            return Ok(());
        };
        self.bytes_under_way = self.bytes_under_way.saturating_sub(oldest.bytes);
        self.answer.clear();
        let into = &mut self.answer;
        let answered = match oldest.write {
            Submitted::Refused(error) => Err(error),
            Submitted::ConnectApp(pending, name) => {
                outcome(pending).map(|id| put(into, &wire::app_connected(id, &name)))
            }
            Submitted::DisconnectApp(pending) => {
                outcome(pending).map(|()| put(into, &wire::app_disconnected()))
            }
            Submitted::AddTokens(pending) => outcome(pending).map(|added| {
                self.summary.count(&added.entries);
                put(into, &wire::tokens_added(&added))
            }),
            Submitted::RecordReports(pending) => outcome(pending).map(|recorded| {
                self.summary.count(&recorded);
                put(into, &wire::reports_recorded(&recorded))
            }),
            Submitted::Upsert(pending) => outcome(pending).map(|upserted| {
                self.summary.count(&upserted);
                put(into, &wire::contacts_upserted(&upserted))
            }),
            Submitted::RemoveToken(pending) => {
                outcome(pending).map(|removed| put(into, &wire::token_removed(&removed)))
            }
            Submitted::RenameToken(pending) => {
                outcome(pending).map(|renamed| put(into, &wire::token_renamed(&renamed)))
            }
            Submitted::Erase(pending) => {
                outcome(pending).map(|erased| put(into, &wire::erased(erased)))
            }
            Submitted::ForgetMessages(pending) => {
                outcome(pending).map(|forgotten| put(into, &wire::messages_forgotten(forgotten)))
            }
        };
        self.print(oldest.number, oldest.end, answered)
    }

    /// Answers a line that only reads.
    fn ask(&mut self, question: &Line) -> Result<Answered, Stop> {
        let into = &mut self.answer;
        let now = match self.store.snapshot() {
            Ok(now) => now,
            Err(error) => return Ok(Err(error)),
        };
        let answered = match question {
            Line::Find(identifiers) => now
                .find(identifiers, self.policy)
                .map(|found| put(into, &wire::contact_found(found.as_ref()))),
            Line::Explain(identifiers) => now
                .explain(identifiers)
                .map(|explanation| put(into, &wire::explanation(&explanation))),
            Line::Resolve(request) => now
                .resolve(&request.recipient)
                .map(|addresses| put(into, &wire::recipients(&addresses))),
            Line::Contacts { app, after, limit } => match app {
                None => now
                    .contacts(*after, *limit)
                    .map(|page| put(into, &wire::contacts(&page))),
                Some(app) => now
                    .contacts_of(*app, *after, *limit)
                    .map(|page| put(into, &wire::contact_page(&page))),
            },
            Line::Apps => now.apps().map(|apps| put(into, &wire::apps(&apps))),
            Line::Subscribers { app, after, limit } => now
                .subscribers(*app, *after, *limit)
                .map(|page| put(into, &wire::subscribers(&page))),
            Line::Messages { app, after, limit } => now
                .messages(*app, after.as_ref(), *limit)
                .map(|page| put(into, &wire::messages(&page))),
            Line::Verify => now.verify().map(|found| put(into, &wire::verified(&found))),
            _ => return Err(Stop::UnknownLine),
        };
        Ok(answered)
    }

    fn print(&mut self, number: u64, end: u64, answered: Answered) -> Result<(), Stop> {
        let written = answered.unwrap_or_else(|error| {
            self.summary.refused_lines = self.summary.refused_lines.saturating_add(1);
            let written = put(&mut self.answer, &wire::error_at_line(&error, number));
            if takes_no_more(&error) {
                self.failed.get_or_insert(error);
            }
            written
        });
        written.map_err(|error| Stop::Output(error.into()))?;
        self.answer.push(b'\n');
        self.output.write_all(&self.answer).map_err(Stop::Output)?;
        self.summary.lines = self.summary.lines.saturating_add(1);
        self.summary.bytes = end;
        (self.progress)(&self.summary);
        Ok(())
    }
}

/// An answer put into the buffer, or the error that is the answer.
type Answered = Result<serde_json::Result<()>, Error>;

fn put(into: &mut Vec<u8>, answer: &impl Serialize) -> serde_json::Result<()> {
    serde_json::to_writer(into, answer)
}

fn outcome<T>(pending: Pending<T>) -> Result<T, Error> {
    pending.wait().map(|committed| committed.outcome)
}

/// The reading thread ended without a word.
fn reader_died() -> Chunk {
    Chunk::Failed(io::Error::other("the reading thread ended"))
}
