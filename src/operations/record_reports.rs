//! Delivery reports: the request, the outcome of each report, and how it is decided (R30–R36).
//!
//! This module does not know JSON, queues or commits.

use std::fmt;

use crate::error::{EntryError, Error, JsonError};
use crate::limits::{LimitExceeded, Limits};
use crate::model::app::{AppId, AppNumber};
use crate::model::identifier::ContactId;
use crate::model::report::StatusCounts;
use crate::model::report::{GonePhrases, MessageId, Status};
use crate::model::subscriber::SubscriberId;
use crate::model::time::{RequestTime, Timestamp};
use crate::model::token::Token;
use crate::operations::batch::decide_batch;
use crate::operations::described::{Described, Description};
use crate::operations::holding;
use crate::operations::operation::{Operation, Size, Step, refused_among};
use crate::operations::outcomes::Outcomes;
use crate::rules::{self, BatchMode, FailedWithoutReason};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{
    AppRow, Draft, Failure, MessageKey, MessageRow, Rows as _, SubscriberRow, find_subscriber,
    subscriber_with_id,
};

/// One delivery report.
///
/// Nothing is checked until the request is made.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    token: Option<String>,
    subscriber: Option<SubscriberId>,
    status: Status,
    reason: Option<String>,
    message: Option<String>,
    at: Option<Timestamp>,
    malformed: Option<JsonError>,
}

impl Report {
    /// Makes a report of this status. It still needs a token or a subscriber.
    #[must_use]
    pub fn new(status: Status) -> Self {
        Report {
            token: None,
            subscriber: None,
            status,
            reason: None,
            message: None,
            at: None,
            malformed: None,
        }
    }

    /// Sets the subscriber by its token in the request's app.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sets the subscriber by its id. It must belong to the request's app.
    #[must_use]
    pub fn subscriber(mut self, id: SubscriberId) -> Self {
        self.subscriber = Some(id);
        self
    }

    /// Sets the reason, which decides whether FAILED removes the token
    /// ([R32](crate::rulebook#r32)).
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the host's message that the report is about ([R30](crate::rulebook#r30)).
    #[must_use]
    pub fn message(mut self, id: impl Into<String>) -> Self {
        self.message = Some(id.into());
        self
    }

    /// Sets the time of the report. Without it, that is the time of the request
    /// ([R54](crate::rulebook#r54)).
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// Makes a report whose JSON is not of the published form.
    pub(crate) fn malformed(error: JsonError) -> Self {
        Report {
            malformed: Some(error),
            ..Report::new(Status::Sent)
        }
    }

    fn text_bytes(&self) -> usize {
        [&self.token, &self.reason, &self.message]
            .into_iter()
            .flatten()
            .map(String::len)
            .fold(0, usize::saturating_add)
    }

    fn parse(
        self,
        time: RequestTime,
        without_reason: FailedWithoutReason,
        gone: &GonePhrases,
    ) -> Result<ValidReport, EntryError> {
        if let Some(error) = self.malformed {
            return Err(error.into());
        }
        let about = match (self.token, self.subscriber) {
            (Some(token), None) => About::Token(Token::parse(token)?),
            (None, Some(id)) => About::Subscriber(id),
            _ => return Err(EntryError::OneOfTokenAndSubscriber),
        };
        Ok(ValidReport {
            about,
            status: self.status,
            forbidden: self.status == Status::Failed
                && rules::is_forbidden(self.reason.as_deref(), without_reason, gone),
            message: self.message.map(MessageId::parse).transpose()?,
            at: time.of_part(self.at),
        })
    }
}

// Not derived: tokens and reasons must not reach logs (R52).
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("status", &self.status)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
enum About {
    Token(Token),
    Subscriber(SubscriberId),
}

#[derive(Clone)]
struct ValidReport {
    about: About,
    status: Status,
    forbidden: bool,
    message: Option<MessageId>,
    at: Timestamp,
}

/// A request to record delivery reports for one app
/// ([R30](crate::rulebook#r30)–[R36](crate::rulebook#r36)).
///
/// Repeating the request counts the reports again ([R36](crate::rulebook#r36)).
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("100200300").email("ann@example.com"))).wait()?;
/// let report = Report::new(Status::Failed)
///     .token("100200300")
///     .reason("Forbidden: bot was blocked by the user");
/// let outcomes = store.record_reports(RecordReports::new(bot).report(report)).wait()?.outcome;
/// assert!(matches!(outcomes.into_single()?, ReportOutcome::Removed { .. }));
/// let ann = GivenIdentifiers::new().email("ann@example.com").parse()?;
/// let found = store.snapshot()?.find(&ann, MatchPolicy::Cascade)?;
/// assert!(found.ok_or("nobody")?.card.tokens.is_empty()); // the card stays
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordReports {
    app: AppId,
    reports: Vec<Report>,
    at: Option<Timestamp>,
    failed_without_reason: Option<FailedWithoutReason>,
    gone_phrases: Option<GonePhrases>,
    mode: BatchMode,
}

impl RecordReports {
    /// Makes a request for an app, without reports.
    #[must_use]
    pub fn new(app: AppId) -> Self {
        RecordReports {
            app,
            reports: Vec::new(),
            at: None,
            failed_without_reason: None,
            gone_phrases: None,
            mode: BatchMode::default(),
        }
    }

    /// Adds a report.
    #[must_use]
    pub fn report(mut self, report: Report) -> Self {
        self.reports.push(report);
        self
    }

    /// Adds reports.
    #[must_use]
    pub fn reports(mut self, reports: impl IntoIterator<Item = Report>) -> Self {
        self.reports.extend(reports);
        self
    }

    /// Sets the time of the request. Without it, that is the time when the store gets the request
    /// ([R54](crate::rulebook#r54)).
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    /// Sets what FAILED without a reason does ([R32](crate::rulebook#r32)).
    #[must_use]
    pub fn failed_without_reason(mut self, option: FailedWithoutReason) -> Self {
        self.failed_without_reason = Some(option);
        self
    }

    /// Sets the phrases that mean that a token is dead for good, replacing those of the store
    /// ([R32](crate::rulebook#r32)).
    #[must_use]
    pub fn gone_phrases(mut self, phrases: GonePhrases) -> Self {
        self.gone_phrases = Some(phrases);
        self
    }

    /// Sets what a refused report does to the rest of the request ([R23](crate::rulebook#r23)).
    #[must_use]
    pub fn mode(mut self, mode: BatchMode) -> Self {
        self.mode = mode;
        self
    }

    /// Parses the request.
    pub(crate) fn prepare(
        self,
        failed_without_reason: FailedWithoutReason,
        gone_phrases: &GonePhrases,
        limits: Limits,
        remember: u64,
        clock: Timestamp,
    ) -> Result<PreparedReports, LimitExceeded> {
        let size = Size::of_batch(self.reports.iter().map(Report::text_bytes), &limits)?;
        let time = RequestTime::new(clock, self.at);
        let without_reason = self.failed_without_reason.unwrap_or(failed_without_reason);
        let gone = self.gone_phrases.as_ref().unwrap_or(gone_phrases);
        Ok(PreparedReports {
            app: self.app,
            reports: self
                .reports
                .into_iter()
                .map(|report| report.parse(time, without_reason, gone))
                .collect(),
            size,
            time,
            remember,
            mode: self.mode,
        })
    }
}

/// The outcome of one accepted report.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportOutcome {
    /// It was counted.
    Recorded,
    /// It was counted, and the subscriber was removed ([R31](crate::rulebook#r31)).
    Removed {
        /// The contacts whose cards lost the token.
        from: Vec<ContactId>,
    },
    /// There is no such subscriber in the app. It was not counted ([R33](crate::rulebook#r33)).
    UnknownSubscriber,
}

/// A request to record reports, parsed.
#[derive(Clone)]
pub(crate) struct PreparedReports {
    app: AppId,
    reports: Vec<Result<ValidReport, EntryError>>,
    size: Size,
    time: RequestTime,
    /// The most tokens that FAILED removed to remember the contacts of (R63).
    remember: u64,
    mode: BatchMode,
}

impl Described for Report {
    fn describe(&self, to: &mut Description) {
        let Report {
            token,
            subscriber,
            status,
            reason,
            message,
            at,
            malformed,
        } = self;
        to.parts(&[token, subscriber, status, reason, message, at, malformed]);
    }
}

impl Described for RecordReports {
    fn describe(&self, to: &mut Description) {
        let RecordReports {
            app,
            reports,
            at,
            failed_without_reason,
            gone_phrases,
            mode,
        } = self;
        to.parts(&[app, reports, at, failed_without_reason, gone_phrases, mode]);
    }
}

impl Operation for PreparedReports {
    type Outcome = Outcomes<ReportOutcome>;

    const KIND: OperationKind = OperationKind::RecordReports;

    fn size(&self) -> Size {
        self.size
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<Self::Outcome>, Error> {
        let app: AppRow = draft.row(&self.app)?.ok_or(Error::UnknownApp(self.app))?;
        let reports = std::mem::take(&mut self.reports);
        let outcomes = decide_batch(draft, self.mode, reports, |draft, report| {
            Ok(record(
                draft,
                app.number,
                (self.time, self.remember),
                report,
            )?)
        })?;
        Ok(Step::Done(outcomes))
    }

    fn refused_entries(&self) -> Vec<(usize, EntryError)> {
        refused_among(&self.reports)
    }

    fn count(outcome: &Self::Outcome, tally: &mut Tally) {
        for report in outcome {
            tally.entry(match report {
                Ok(ReportOutcome::Recorded) => EntryOutcome::Recorded,
                Ok(ReportOutcome::Removed { .. }) => EntryOutcome::Removed,
                Ok(ReportOutcome::UnknownSubscriber) => EntryOutcome::UnknownSubscriber,
                Err(_) => EntryOutcome::Refused,
            });
        }
    }
}

fn record(
    draft: &mut Draft<'_>,
    app: AppNumber,
    (time, remember): (RequestTime, u64),
    report: ValidReport,
) -> Result<ReportOutcome, Failure> {
    let found = match &report.about {
        About::Token(token) => find_subscriber(draft, app, token)?,
        About::Subscriber(id) => subscriber_with_id(draft, *id)?,
    };
    let Some((id, row)) = found.filter(|(_, row): &(_, SubscriberRow)| row.app == app) else {
        return Ok(ReportOutcome::UnknownSubscriber);
    };
    if let Some(message) = report.message {
        count_message(draft, MessageKey { app, message }, report.status, report.at)?;
    }
    let registered_at = time.not_after_clock(row.last_registered_at);
    let removal = rules::removes(report.status, report.forbidden, report.at, registered_at);
    if let Some(removal) = removal {
        holding::remove_subscriber(draft, (id, &row), removal)?;
        if remember > 0 {
            draft.remember_blocked(app, &row.token, &row.holders, remember)?;
        }
        draft.change_tally(app, |tally| {
            tally.removed_by_failed = tally.removed_by_failed.saturating_add(1);
            Ok(())
        })?;
        let from = row.holders.into_vec();
        return Ok(ReportOutcome::Removed { from });
    }
    let mut after = row.clone();
    after.counts.count(report.status);
    after.last_status = Some(rules::last_status(
        row.last_status,
        report.status,
        report.at,
    ));
    draft.write_subscriber(id, Some(&row), Some(&after))?;
    Ok(ReportOutcome::Recorded)
}

fn count_message(
    draft: &mut Draft<'_>,
    key: MessageKey,
    status: Status,
    at: Timestamp,
) -> Result<(), Failure> {
    let known: Option<MessageRow> = draft.row(&key)?;
    let mut tally = known.unwrap_or(MessageRow {
        last_at: at,
        counts: StatusCounts::default(),
    });
    tally.counts.count(status);
    tally.last_at = tally.last_at.max(at);
    draft.write_message(&key, Some(&tally))
}
