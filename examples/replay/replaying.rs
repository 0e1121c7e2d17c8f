//! Lines handed to the store, and their answers printed in order.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use contact_store::wire::{self, Line};
use contact_store::{
    AppId, AppName, ConflictDismissed, ContactStore, ContactUpserted, Erased, Error, Limits,
    MatchPolicy, Merged, MessagesForgotten, Outcomes, Pending, ReportOutcome, SplitOff,
    StaleRemoved, SuppressionLifted, TokenBroughtBack, TokenMuted, TokenRemoved, TokenRenamed,
    TokenUnmuted, TokensAdded, Unmerged, WhenFull,
};
use serde::Serialize;

use super::lines::takes_no_more;
use super::log::{self, Chunk, Parsed};
use super::stop::Stop;
use super::summary::Summary;

/// Lines whose answers are not printed yet, at most.
const MOST_UNDER_WAY: usize = 1_024;
/// Bytes of text in these lines, at most; one line is always taken.
const MOST_BYTES_UNDER_WAY: usize = 32 << 20;

/// Replays a log into a store, and tells after each answer how far it is.
///
/// `input` is read on a thread of its own, which ends when the log does or when the replay has ended.
///
/// # Errors
///
/// [`Stop`]. Lines answered until then are in the store, and lines after them may be.
pub fn replay(
    store: &ContactStore,
    policy: MatchPolicy,
    limits: Limits,
    input: impl Read + Send + 'static,
    output: impl Write,
    progress: impl FnMut(&Summary),
) -> Result<Summary, Stop> {
    let log = log::read_ahead(input, limits).map_err(Stop::Input)?;
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
    LiftSuppression(Pending<SuppressionLifted>),
    Merge(Pending<Merged>),
    Unmerge(Pending<Unmerged>),
    Split(Pending<SplitOff>),
    DismissConflict(Pending<ConflictDismissed>),
    ForgetMessages(Pending<MessagesForgotten>),
    RemoveStale(Pending<StaleRemoved>),
    BringBack(Pending<TokenBroughtBack>),
    Mute(Pending<TokenMuted>),
    Unmute(Pending<TokenUnmuted>),
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
        let (store, line) = match line {
            Ok(Line::Once { key, line }) => (&self.store.once(&key), Ok(*line)),
            line => (&self.store, line),
        };
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
            Ok(Line::Erase(request)) => Submitted::Erase(store.erase(request)),
            Ok(Line::LiftSuppression(identifiers)) => {
                Submitted::LiftSuppression(store.lift_suppression(identifiers))
            }
            Ok(Line::Merge(request)) => Submitted::Merge(store.merge(request)),
            Ok(Line::Unmerge(contact)) => Submitted::Unmerge(store.unmerge(contact)),
            Ok(Line::Split(request)) => Submitted::Split(store.split(request)),
            Ok(Line::DismissConflict(one, other)) => {
                Submitted::DismissConflict(store.dismiss_conflict(one, other))
            }
            Ok(Line::ForgetMessages { app, before }) => {
                Submitted::ForgetMessages(store.forget_messages(app, before))
            }
            Ok(Line::RemoveStale(request)) => Submitted::RemoveStale(store.remove_stale(request)),
            Ok(Line::BringBack(request)) => Submitted::BringBack(store.bring_back(request)),
            Ok(Line::Mute(request)) => Submitted::Mute(store.mute(request)),
            Ok(Line::Unmute(request)) => Submitted::Unmute(store.unmute(request)),
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
            Submitted::ConnectApp(pending, name) => pending.wait().map(|done| {
                put_done(
                    into,
                    done.repeated,
                    &wire::app_connected(done.outcome, &name),
                )
            }),
            Submitted::DisconnectApp(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::app_disconnected())),
            Submitted::AddTokens(pending) => pending.wait().map(|done| {
                self.summary.count(&done.outcome.entries);
                put_done(into, done.repeated, &wire::tokens_added(&done.outcome))
            }),
            Submitted::RecordReports(pending) => pending.wait().map(|done| {
                self.summary.count(&done.outcome);
                put_done(into, done.repeated, &wire::reports_recorded(&done.outcome))
            }),
            Submitted::Upsert(pending) => pending.wait().map(|done| {
                self.summary.count(&done.outcome);
                put_done(into, done.repeated, &wire::contacts_upserted(&done.outcome))
            }),
            Submitted::RemoveToken(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::token_removed(&done.outcome))),
            Submitted::RenameToken(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::token_renamed(&done.outcome))),
            Submitted::Erase(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::erased(done.outcome))),
            Submitted::LiftSuppression(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::suppression_lifted(done.outcome))),
            Submitted::Merge(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::merged(&done.outcome))),
            Submitted::Unmerge(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::unmerged(&done.outcome))),
            Submitted::Split(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::split_off(&done.outcome))),
            Submitted::DismissConflict(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::conflict_dismissed(done.outcome))),
            Submitted::ForgetMessages(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::messages_forgotten(done.outcome))),
            Submitted::RemoveStale(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::stale_removed(done.outcome))),
            Submitted::BringBack(pending) => pending.wait().map(|done| {
                put_done(
                    into,
                    done.repeated,
                    &wire::token_brought_back(&done.outcome),
                )
            }),
            Submitted::Mute(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::token_muted(&done.outcome))),
            Submitted::Unmute(pending) => pending
                .wait()
                .map(|done| put_done(into, done.repeated, &wire::token_unmuted(&done.outcome))),
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
                .resolve(request)
                .map(|resolved| put(into, &wire::recipients(&resolved))),
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
            Line::Changes { after, limit } => now
                .changes(*after, *limit)
                .map(|page| put(into, &wire::changes(&page))),
            Line::Conflicts { after, limit } => now
                .conflicts(*after, *limit)
                .map(|page| put(into, &wire::conflicts(&page))),
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

/// Puts the answer to a write, which says so when it was done before (R64).
fn put_done(into: &mut Vec<u8>, repeated: bool, answer: &impl Serialize) -> serde_json::Result<()> {
    #[derive(Serialize)]
    struct Repeated<'a, T> {
        #[serde(flatten)]
        answer: &'a T,
        repeated: bool,
    }
    match repeated {
        true => put(into, &Repeated { answer, repeated }),
        false => put(into, answer),
    }
}

/// The reading thread ended without a word.
fn reader_died() -> Chunk {
    Chunk::Failed(io::Error::other("the reading thread ended"))
}
