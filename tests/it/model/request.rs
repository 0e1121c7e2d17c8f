//! Requests and answers, the same for the store and for the model, and shown in full: the crate's
//! own types do not show identifiers or tokens (R52), and a failed test has to.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use contact_store::{
    AccessKey, AddTokens, AppId, AppName, BatchMode, BringBack, Committed, ConnectApp, ContactId,
    ContactStore, EntryError, Erase, Erased, Error, FailedWithoutReason, Fault, Field,
    GivenIdentifiers, IdentifierKind, InvalidIdentifier, KindSet, Limit, MatchPolicy, MergeError,
    MessagesForgotten, Mute, OptionsInForce, Outcomes, Ownership, Pending, RecipientError,
    RecordReports, RemoveStale, RemoveToken, RenameToken, Report, ReportOutcome, StaleRemoved,
    Status, SubscriberId, SuppressionLifted, Timestamp, Token, TokenAdded, TokenBroughtBack,
    TokenEntry, TokenMuted, TokenPlace, TokenRemoved, TokenRenamed, TokenUnmuted, TokensAdded,
    UnknownContactId, Unmute,
};

use super::merge::{Divided, Joined, TakenOut, to_merge, to_split};
use super::{Names, Settings, Upserted, Upserts};

/// Any request that may change a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Connect {
        app: AppId,
        name: String,
        key: Option<String>,
    },
    Disconnect {
        app: AppId,
    },
    Add(Add),
    Report(Reports),
    Upsert(Upserts),
    Remove {
        app: AppId,
        token: String,
        /// `None`: of all contacts.
        contact: Option<u64>,
    },
    Rename {
        app: AppId,
        old: String,
        new: String,
    },
    Mute {
        app: AppId,
        token: String,
        /// `None`: without an end.
        until: Option<u64>,
        at: Option<u64>,
    },
    Unmute {
        app: AppId,
        token: String,
        at: Option<u64>,
    },
    Erase {
        contact: u64,
    },
    BringBack {
        app: AppId,
        token: String,
        at: Option<u64>,
    },
    /// Erase a contact, and suppress its identifiers.
    Suppress {
        contact: u64,
    },
    Lift(Names),
    Merge {
        from: u64,
        into: u64,
    },
    Unmerge {
        contact: u64,
    },
    Dismiss {
        one: u64,
        other: u64,
    },
    Split {
        contact: u64,
        identifiers: KindSet,
        subscribers: Vec<u64>,
        at: Option<u64>,
    },
    Forget {
        app: AppId,
        before: u64,
    },
    RemoveStale {
        app: AppId,
        before: u64,
        dry_run: bool,
    },
}

/// A request to add tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    pub app: AppId,
    pub entries: Vec<Entry>,
    pub at: Option<u64>,
    pub policy: Option<MatchPolicy>,
    pub ownership: Option<Ownership>,
    pub invalid_identifier: Option<InvalidIdentifier>,
    pub unknown_contact_id: Option<UnknownContactId>,
    pub mode: BatchMode,
}

impl Add {
    pub fn new(app: AppId, entries: Vec<Entry>) -> Self {
        Add {
            app,
            entries,
            at: None,
            policy: None,
            ownership: None,
            invalid_identifier: None,
            unknown_contact_id: None,
            mode: BatchMode::PerEntry,
        }
    }
}

/// One entry of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub token: Option<String>,
    pub given: Given,
}

impl Entry {
    pub fn new(token: &str, given: Given) -> Self {
        Entry {
            token: Some(token.to_owned()),
            given,
        }
    }
}

/// Identifiers as they are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    pub contact_id: Option<i128>,
    pub external: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
}

impl Given {
    pub fn contact_id(mut self, id: i128) -> Self {
        self.contact_id = Some(id);
        self
    }

    pub fn external(mut self, id: &str) -> Self {
        self.external = Some(id.to_owned());
        self
    }

    pub fn phone(mut self, phone: &str) -> Self {
        self.phone = Some(phone.to_owned());
        self
    }

    pub fn email(mut self, email: &str) -> Self {
        self.email = Some(email.to_owned());
        self
    }

    fn to_given(&self) -> GivenIdentifiers {
        let mut given = GivenIdentifiers::new();
        if let Some(id) = self.contact_id {
            given = given.contact_id(id);
        }
        if let Some(id) = &self.external {
            given = given.external_customer_id(id);
        }
        if let Some(phone) = &self.phone {
            given = given.phone(phone);
        }
        if let Some(email) = &self.email {
            given = given.email(email);
        }
        given
    }
}

/// A request to record reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reports {
    pub app: AppId,
    pub reports: Vec<Said>,
    pub at: Option<u64>,
    pub failed_without_reason: Option<FailedWithoutReason>,
    pub mode: BatchMode,
}

impl Reports {
    pub fn new(app: AppId, reports: Vec<Said>) -> Self {
        Reports {
            app,
            reports,
            at: None,
            failed_without_reason: None,
            mode: BatchMode::PerEntry,
        }
    }
}

/// One report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub token: Option<String>,
    pub subscriber: Option<u64>,
    pub status: Status,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub at: Option<u64>,
}

impl Said {
    pub fn new(token: &str, status: Status) -> Self {
        Said {
            token: Some(token.to_owned()),
            subscriber: None,
            status,
            reason: None,
            message: None,
            at: None,
        }
    }
}

/// The outcome of a request: the number and the outcome, or why it is refused.
pub type Answer = Result<(u64, Outcome), Refused>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Connected(AppId),
    Disconnected,
    Added(OptionsInForce, Vec<Result<Added, Refusal>>),
    Reported(Vec<Result<Reported, Refusal>>),
    Upserted(Vec<Result<Upserted, Refusal>>),
    Removed(Vec<u64>),
    Renamed(Renamed),
    /// The subscriber, if there is one, and when the mute ends.
    Muted(Option<u64>, Option<u64>),
    /// The subscriber, if there is one, and whether it was muted.
    Unmuted(Option<(u64, bool)>),
    /// Whether there was such a contact. Nothing was suppressed.
    Erased(bool),
    /// There was, and the identifiers of these kinds are suppressed.
    Suppressed(KindSet),
    Lifted(KindSet),
    /// The new subscriber and who holds it, if anything was remembered.
    BroughtBack(Option<(u64, Vec<u64>)>),
    Merged(Joined),
    Unmerged(TakenOut),
    /// Whether the conflict was listed.
    Dismissed(bool),
    Split(Divided),
    Forgotten(u64),
    /// The subscribers, how often a contact lost a token, and whether it was a dry run.
    StaleRemoved(u64, u64, bool),
}

/// The outcome of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    pub contact: u64,
    pub matched_by: Option<IdentifierKind>,
    pub token: Place,
    pub subscriber: u64,
    pub skipped: KindSet,
    pub ignored: KindSet,
    pub also_held_by: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Added,
    AlreadyHeld,
    Moved(Vec<u64>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    Recorded,
    Removed(Vec<u64>),
    UnknownSubscriber,
}

/// The outcome of renaming a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// The subscriber, the one that went into it, and who holds the token.
    To(u64, Option<u64>, Vec<u64>),
    UnknownSubscriber,
}

/// Why an entry is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Field(Field, Fault),
    NoIdentifier,
    UnknownContactId,
    ContactIdErased(u64),
    NothingToFindBy,
    ContactNotFound,
    ContactExists(u64),
    Conflict(IdentifierKind, u64),
    Suppressed(IdentifierKind),
    Limit(Limit, u64, u64),
    OneOfTokenAndSubscriber,
    /// Nothing that the model ever answers.
    Other(EntryError),
}

/// Why a request, or a look-up, is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    UnknownApp(AppId),
    Entry(usize, Refusal),
    Limit(Limit, u64, u64),
    NothingGiven,
    Recipient(RecipientError),
    Merge(MergeError),
    /// The commit failed; the number that the request would have. Like all that follows, nothing
    /// that the model ever answers.
    Indeterminate(u64),
    /// Something failed before.
    NeedsReopen,
    /// The store is closed, or what was read is from before it was reopened.
    Gone,
    /// A read failed.
    NotRead,
    Other(String),
}

impl From<EntryError> for Refusal {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::Field(error) => error.into(),
            EntryError::NoIdentifier => Refusal::NoIdentifier,
            EntryError::UnknownContactId => Refusal::UnknownContactId,
            EntryError::ContactIdErased(id) => Refusal::ContactIdErased(id.value()),
            EntryError::NothingToFindBy => Refusal::NothingToFindBy,
            EntryError::ContactNotFound => Refusal::ContactNotFound,
            EntryError::ContactExists(id) => Refusal::ContactExists(id.value()),
            EntryError::Conflict { kind, contact } => Refusal::Conflict(kind, contact.value()),
            EntryError::Suppressed { kind } => Refusal::Suppressed(kind),
            EntryError::LimitExceeded(over) => Refusal::Limit(over.limit, over.actual, over.most),
            EntryError::OneOfTokenAndSubscriber => Refusal::OneOfTokenAndSubscriber,
            other => Refusal::Other(other),
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::UnknownApp(app) => Refused::UnknownApp(app),
            Error::EntryRefused { index, error } => Refused::Entry(index, error.into()),
            Error::LimitExceeded(over) => Refused::Limit(over.limit, over.actual, over.most),
            Error::NothingGiven => Refused::NothingGiven,
            Error::Recipient(error) => Refused::Recipient(error),
            Error::Merge(error) => Refused::Merge(error),
            Error::Indeterminate { sequence, .. } => Refused::Indeterminate(sequence.value()),
            Error::NeedsReopen => Refused::NeedsReopen,
            Error::Closed | Error::SnapshotExpired => Refused::Gone,
            Error::Storage(_) => Refused::NotRead,
            other => Refused::Other(format!("{other:?}")),
        }
    }
}

fn values(ids: Vec<ContactId>) -> Vec<u64> {
    ids.into_iter().map(ContactId::value).collect()
}

impl From<AppId> for Outcome {
    fn from(app: AppId) -> Self {
        Outcome::Connected(app)
    }
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Outcome::Disconnected
    }
}

impl From<TokensAdded> for Outcome {
    fn from(added: TokensAdded) -> Self {
        let entries = added.entries.into_iter();
        let entries = entries.map(|entry| entry.map(Added::from).map_err(Refusal::from));
        Outcome::Added(added.in_force, entries.collect())
    }
}

impl From<TokenAdded> for Added {
    fn from(added: TokenAdded) -> Self {
        Added {
            contact: added.contact.value(),
            matched_by: added.matched_by,
            token: match added.token {
                TokenPlace::Added => Place::Added,
                TokenPlace::AlreadyHeld => Place::AlreadyHeld,
                TokenPlace::Moved { from } => Place::Moved(values(from)),
                other => unreachable!("{other:?} is new to the model"),
            },
            subscriber: added.subscriber.value(),
            skipped: added.skipped,
            ignored: added.ignored,
            also_held_by: values(added.also_held_by),
        }
    }
}

impl From<Outcomes<ReportOutcome>> for Outcome {
    fn from(outcomes: Outcomes<ReportOutcome>) -> Self {
        let one = |outcome| match outcome {
            ReportOutcome::Recorded => Reported::Recorded,
            ReportOutcome::Removed { from } => Reported::Removed(values(from)),
            ReportOutcome::UnknownSubscriber => Reported::UnknownSubscriber,
            other => unreachable!("{other:?} is new to the model"),
        };
        let outcomes = outcomes.into_iter();
        Outcome::Reported(
            outcomes
                .map(|outcome| outcome.map(one).map_err(Refusal::from))
                .collect(),
        )
    }
}

impl From<TokenRemoved> for Outcome {
    fn from(removed: TokenRemoved) -> Self {
        Outcome::Removed(values(removed.from))
    }
}

impl From<TokenRenamed> for Outcome {
    fn from(renamed: TokenRenamed) -> Self {
        Outcome::Renamed(match renamed {
            TokenRenamed::Renamed {
                subscriber,
                contacts,
                ..
            } => Renamed::To(subscriber.value(), None, values(contacts)),
            TokenRenamed::Joined {
                subscriber,
                joined,
                contacts,
                ..
            } => Renamed::To(subscriber.value(), Some(joined.value()), values(contacts)),
            TokenRenamed::UnknownSubscriber => Renamed::UnknownSubscriber,
            other => unreachable!("{other:?} is new to the model"),
        })
    }
}

impl From<TokenMuted> for Outcome {
    fn from(muted: TokenMuted) -> Self {
        match muted {
            TokenMuted::Muted {
                subscriber, until, ..
            } => Outcome::Muted(
                Some(subscriber.value()),
                until.time().map(Timestamp::as_millis),
            ),
            // What is asked for is not repeated there.
            TokenMuted::UnknownSubscriber => Outcome::Muted(None, None),
            other => unreachable!("{other:?} is new to the model"),
        }
    }
}

impl From<TokenUnmuted> for Outcome {
    fn from(unmuted: TokenUnmuted) -> Self {
        Outcome::Unmuted(match unmuted {
            TokenUnmuted::Unmuted {
                subscriber,
                was_muted,
                ..
            } => Some((subscriber.value(), was_muted)),
            TokenUnmuted::UnknownSubscriber => None,
            other => unreachable!("{other:?} is new to the model"),
        })
    }
}

impl From<Erased> for Outcome {
    fn from(erased: Erased) -> Self {
        match erased.suppressed.is_empty() {
            true => Outcome::Erased(erased.erased),
            false => {
                assert!(
                    erased.erased,
                    "only a contact that was erased is suppressed"
                );
                Outcome::Suppressed(erased.suppressed)
            }
        }
    }
}

impl From<TokenBroughtBack> for Outcome {
    fn from(brought: TokenBroughtBack) -> Self {
        Outcome::BroughtBack(match brought {
            TokenBroughtBack::BroughtBack {
                subscriber,
                contacts,
                ..
            } => Some((subscriber.value(), values(contacts))),
            TokenBroughtBack::NotRemembered => None,
            other => unreachable!("{other:?} is new to the model"),
        })
    }
}

impl From<SuppressionLifted> for Outcome {
    fn from(lifted: SuppressionLifted) -> Self {
        Outcome::Lifted(lifted.lifted)
    }
}

impl From<MessagesForgotten> for Outcome {
    fn from(forgotten: MessagesForgotten) -> Self {
        Outcome::Forgotten(forgotten.messages)
    }
}

impl From<StaleRemoved> for Outcome {
    fn from(removed: StaleRemoved) -> Self {
        Outcome::StaleRemoved(removed.subscribers, removed.taken_off, removed.dry_run)
    }
}

/// A request that the store has taken: to be waited for, or awaited.
pub struct Waiting(Pin<Box<dyn Future<Output = Answer> + Send>>);

impl Waiting {
    fn new<T: Into<Outcome> + Send + 'static>(pending: Pending<T>) -> Self {
        Waiting(Box::pin(async { answer(pending.await) }))
    }

    /// Waits for the answer.
    pub fn wait(mut self) -> Answer {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match Pin::new(&mut self).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl Future for Waiting {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        self.0.as_mut().poll(context)
    }
}

fn answer<T: Into<Outcome>>(answered: Result<Committed<T>, Error>) -> Answer {
    match answered {
        Ok(committed) => Ok((committed.sequence.value(), committed.outcome.into())),
        Err(error) => Err(error.into()),
    }
}

impl Request {
    /// How many entries it has, 1 if it is not a batch.
    pub fn entries(&self) -> usize {
        match self {
            Request::Add(add) => add.entries.len(),
            Request::Report(reports) => reports.reports.len(),
            Request::Upsert(upserts) => upserts.items.len(),
            _ => 1,
        }
    }

    /// Makes the request to a store.
    pub fn submit(&self, store: &ContactStore) -> Waiting {
        match self {
            Request::Connect { app, name, key } => {
                let name = AppName::parse(name.as_str()).expect("the tests give valid names");
                let mut request = ConnectApp::new(name).id(*app);
                if let Some(key) = key {
                    let key = AccessKey::parse(key.as_str());
                    request = request.key(key.expect("the tests give valid keys"));
                }
                Waiting::new(store.connect_app(request))
            }
            Request::Disconnect { app } => Waiting::new(store.disconnect_app(*app)),
            Request::Add(add) => Waiting::new(store.add_tokens(add.to_request())),
            Request::Report(reports) => Waiting::new(store.record_reports(reports.to_request())),
            Request::Upsert(upserts) => Waiting::new(store.upsert(upserts.to_request())),
            Request::Remove {
                app,
                token,
                contact,
            } => {
                let token = Token::parse(token.as_str()).expect("the tests give valid tokens");
                Waiting::new(store.remove_token(match contact {
                    Some(contact) => RemoveToken::of(*app, token, id(*contact)),
                    None => RemoveToken::of_all(*app, token),
                }))
            }
            Request::Rename { app, old, new } => {
                let token = |text: &str| Token::parse(text).expect("the tests give valid tokens");
                let request = RenameToken::new(*app, token(old), token(new));
                Waiting::new(store.rename_token(request))
            }
            Request::Mute {
                app,
                token,
                until,
                at,
            } => {
                let token = Token::parse(token.as_str()).expect("the tests give valid tokens");
                let mut request = Mute::new(*app, token);
                if let Some(until) = until {
                    request = request.until(Timestamp::from_millis(*until));
                }
                if let Some(at) = at {
                    request = request.at(Timestamp::from_millis(*at));
                }
                Waiting::new(store.mute(request))
            }
            Request::Unmute { app, token, at } => {
                let token = Token::parse(token.as_str()).expect("the tests give valid tokens");
                let mut request = Unmute::new(*app, token);
                if let Some(at) = at {
                    request = request.at(Timestamp::from_millis(*at));
                }
                Waiting::new(store.unmute(request))
            }
            Request::Erase { contact } => Waiting::new(store.erase(id(*contact))),
            Request::BringBack { app, token, at } => {
                let token = Token::parse(token.as_str()).expect("the tests give valid tokens");
                let mut request = BringBack::new(*app, token);
                if let Some(at) = at {
                    request = request.at(Timestamp::from_millis(*at));
                }
                Waiting::new(store.bring_back(request))
            }
            Request::Suppress { contact } => {
                Waiting::new(store.erase(Erase::new(id(*contact)).suppress()))
            }
            Request::Lift(names) => Waiting::new(store.lift_suppression(names.identifiers())),
            Request::Merge { from, into } => Waiting::new(store.merge(to_merge(*from, *into))),
            Request::Unmerge { contact } => Waiting::new(store.unmerge(id(*contact))),
            Request::Dismiss { one, other } => {
                Waiting::new(store.dismiss_conflict(id(*one), id(*other)))
            }
            Request::Split {
                contact,
                identifiers,
                subscribers,
                at,
            } => {
                let request = to_split(*contact, *identifiers, subscribers, *at);
                Waiting::new(store.split(request))
            }
            Request::Forget { app, before } => {
                Waiting::new(store.forget_messages(*app, Timestamp::from_millis(*before)))
            }
            Request::RemoveStale {
                app,
                before,
                dry_run,
            } => {
                let request = RemoveStale::new(*app, Timestamp::from_millis(*before));
                Waiting::new(store.remove_stale(request.dry_run(*dry_run)))
            }
        }
    }
}

fn id(id: u64) -> ContactId {
    ContactId::new(id).expect("the tests give valid ids")
}

impl Add {
    fn to_request(&self) -> AddTokens {
        let mut request = AddTokens::new(self.app).mode(self.mode);
        for entry in &self.entries {
            let with_token = match &entry.token {
                Some(token) => TokenEntry::new(token),
                None => TokenEntry::without_token(),
            };
            request = request.entry(with_token.identifiers(entry.given.to_given()));
        }
        if let Some(at) = self.at {
            request = request.at(Timestamp::from_millis(at));
        }
        if let Some(policy) = self.policy {
            request = request.policy(policy);
        }
        if let Some(ownership) = self.ownership {
            request = request.ownership(ownership);
        }
        if let Some(option) = self.invalid_identifier {
            request = request.invalid_identifier(option);
        }
        if let Some(option) = self.unknown_contact_id {
            request = request.unknown_contact_id(option);
        }
        request
    }
}

impl Reports {
    fn to_request(&self) -> RecordReports {
        let reports = self.reports.iter().map(Said::to_report);
        let mut request = RecordReports::new(self.app)
            .mode(self.mode)
            .reports(reports);
        if let Some(at) = self.at {
            request = request.at(Timestamp::from_millis(at));
        }
        if let Some(option) = self.failed_without_reason {
            request = request.failed_without_reason(option);
        }
        request
    }
}

impl Said {
    fn to_report(&self) -> Report {
        let mut report = Report::new(self.status);
        if let Some(token) = &self.token {
            report = report.token(token);
        }
        if let Some(subscriber) = self.subscriber {
            report = report.subscriber(SubscriberId::new(subscriber));
        }
        if let Some(reason) = &self.reason {
            report = report.reason(reason);
        }
        if let Some(message) = &self.message {
            report = report.message(message);
        }
        if let Some(at) = self.at {
            report = report.at(Timestamp::from_millis(at));
        }
        report
    }
}

/// Bytes, of random or of a fuzzer's making, as choices. When they are used up, the first choice is
/// taken each time: it is the plainest everywhere, so that fewer and smaller bytes are a simpler
/// sequence.
pub struct Choices<'b>(std::slice::Iter<'b, u8>);

impl<'b> Choices<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Choices(bytes.iter())
    }

    /// Whether all bytes are used.
    #[allow(
        dead_code,
        reason = "only fuzz/ makes sequences of all the bytes it has"
    )]
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// A number below `many`, which is at most 256.
    pub fn below(&mut self, many: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % many
    }

    /// One of these.
    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// True once in `many` times.
    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == many - 1
    }
}

/// Few values, so that they meet often.
const APPS: [AppId; 3] = [
    AppId::from_u128(0xa),
    AppId::from_u128(0xb),
    AppId::from_u128(0xc),
];
const TOKENS: [&str; 3] = ["t-1", "t-2", "t-3"];
const MESSAGES: [&str; 3] = ["m-1", "m-2", "m"];
const IDS: [i128; 6] = [1, 2, 3, 4, 7, 1 << 40];
const TIMES: [u64; 6] = [2_000, 1_000, 3_000, 4_000, 0, 1 << 60];

impl Request {
    /// A request made of choices. The apps are `0xa` and `0xb`, and now and then `0xc`.
    pub fn choose(choices: &mut Choices<'_>) -> Self {
        match choices.below(61) {
            0..15 => Request::Add(Add::choose(choices)),
            15..20 => Request::Report(Reports::choose(choices)),
            20..23 => Request::Erase {
                contact: choices.of(&[1, 2, 3, 4, 7, 1 << 40]),
            },
            23..25 => Request::Remove {
                app: app(choices),
                token: choices.of(&TOKENS).to_owned(),
                contact: choices.of(&[None, Some(1), Some(2), Some(7)]),
            },
            25..29 => Request::Connect {
                app: app(choices),
                name: choices.of(&["First bot", "Second bot"]).to_owned(),
                key: choices
                    .of(&[None, Some("key-1"), Some("key-2")])
                    .map(str::to_owned),
            },
            29 | 30 => Request::Forget {
                app: app(choices),
                before: choices.of(&TIMES),
            },
            31 => Request::Disconnect { app: app(choices) },
            37 => Request::RemoveStale {
                app: app(choices),
                before: choices.of(&TIMES),
                dry_run: choices.one_in(4),
            },
            40..43 => Request::Mute {
                app: app(choices),
                token: choices.of(&TOKENS).to_owned(),
                until: choose_time(choices),
                at: choose_time(choices),
            },
            48..51 => Request::BringBack {
                app: app(choices),
                token: choices.of(&TOKENS).to_owned(),
                at: choose_time(choices),
            },
            44 | 45 => Request::Suppress {
                contact: choices.of(&[1, 2, 3, 4, 7, 1 << 40]),
            },
            46 | 47 => {
                let email = choices.of(&["ann@example.com", "ben@example.com"]);
                let external = choices.of(&["crm-1", "crm-2", "CRM-1"]);
                Request::Lift(match choices.below(5) {
                    0 | 1 => Names::email(email).and(Names::phone(380_500_000_001)),
                    2 => Names::external(external).with_id(1),
                    3 => Names::email(email).and(Names::external(external)),
                    _ => Names::id(2),
                })
            }
            43 => Request::Unmute {
                app: app(choices),
                token: choices.of(&TOKENS).to_owned(),
                at: choose_time(choices),
            },
            38 | 39 => Request::Rename {
                app: app(choices),
                old: choices.of(&TOKENS).to_owned(),
                new: choices.of(&["t-2", "t-3", "t-1", "t-long"]).to_owned(),
            },
            51..54 => Request::Merge {
                from: choices.of(&[2, 1, 3, 4, 7]),
                into: choices.of(&[1, 2, 3, 4, 7]),
            },
            54..57 => Request::Unmerge {
                contact: choices.of(&[2, 1, 3, 4, 7]),
            },
            59 | 60 => Request::Dismiss {
                one: choices.of(&[1, 2, 3, 4, 7]),
                other: choices.of(&[2, 1, 3, 4, 7]),
            },
            57 | 58 => Request::Split {
                contact: choices.of(&[1, 2, 3, 4, 7]),
                identifiers: kinds(choices),
                subscribers: subscribers(choices),
                at: choose_time(choices),
            },
            _ => Request::Upsert(Upserts::choose(choices)),
        }
    }
}

fn kinds(choices: &mut Choices<'_>) -> KindSet {
    let all = IdentifierKind::ALL.iter().rev().copied();
    let first = choices.below(16);
    let chosen = all.enumerate().filter(|(at, _)| first >> at & 1 == 0);
    // All but the contact id in one of two.
    let chosen = chosen.map(|(_, kind)| kind);
    let chosen = chosen.filter(|kind| *kind != IdentifierKind::ContactId || first == 8);
    chosen.collect()
}

fn subscribers(choices: &mut Choices<'_>) -> Vec<u64> {
    let one = |choices: &mut Choices<'_>| {
        let connection = choices.of(&[1_u64, 2]);
        connection << 40 | (1 + choices.below(4) as u64)
    };
    match choices.below(3) {
        0 => Vec::new(),
        1 => vec![one(choices)],
        _ => vec![one(choices), one(choices)],
    }
}

impl Settings {
    /// Settings made of choices, with limits that a few requests reach.
    pub fn choose(choices: &mut Choices<'_>) -> Self {
        Settings {
            policy: choices.of(&[MatchPolicy::Cascade, MatchPolicy::TopPriority]),
            ownership: choices.of(&[Ownership::Shared, Ownership::Exclusive]),
            invalid_identifier: choices.of(&[InvalidIdentifier::Refuse, InvalidIdentifier::Ignore]),
            unknown_contact_id: choices.of(&[
                UnknownContactId::Adopt,
                UnknownContactId::Adopt,
                UnknownContactId::Reject,
            ]),
            failed_without_reason: choices
                .of(&[FailedWithoutReason::Remove, FailedWithoutReason::Keep]),
            placeholders: choices.of(&[true, false]),
            gone_phrases: choices.of(&[true, false]),
            tokens_per_contact: choices.of(&[1_024, 2, 3]),
            contacts_per_token: choices.of(&[1_024, 2, 1]),
            // 15 bytes an email, 12 a phone, 5 an external id, 3 a token.
            card_text_bytes: choices.of(&[256 << 10, 256 << 10, 21, 30]),
            entries_per_request: choices.of(&[3_000, 3_000, 4]),
            suppressed_identifiers: choices.of(&[10_000_000, 10_000_000, 1, 3]),
            remember_blocked: choices.of(&[0, 100, 100, 1, 2]),
            conflicts: choices.of(&[0, 100, 100, 1, 2]),
            custom_fields_per_contact: choices.of(&[256, 1]),
        }
    }
}

fn app(choices: &mut Choices<'_>) -> AppId {
    APPS[choices.of(&[0, 0, 0, 0, 1, 1, 1, 2])]
}

pub(super) fn choose_time(choices: &mut Choices<'_>) -> Option<u64> {
    choices.one_in(2).then(|| choices.of(&TIMES))
}

pub(super) fn choose_mode(choices: &mut Choices<'_>) -> BatchMode {
    match choices.one_in(4) {
        false => BatchMode::PerEntry,
        true => BatchMode::AllOrNothing,
    }
}

/// How many entries a request has: one in most cases.
fn entries(choices: &mut Choices<'_>) -> usize {
    choices.of(&[1, 1, 1, 1, 2, 3, 5, 0])
}

impl Add {
    fn choose(choices: &mut Choices<'_>) -> Self {
        let app = app(choices);
        let entries = (0..entries(choices))
            .map(|_| Entry::choose(choices))
            .collect();
        let mut add = Add::new(app, entries);
        add.at = choose_time(choices);
        add.mode = choose_mode(choices);
        if choices.one_in(2) {
            add.policy = choices.of(&[
                None,
                Some(MatchPolicy::Cascade),
                Some(MatchPolicy::TopPriority),
            ]);
            add.ownership =
                choices.of(&[None, Some(Ownership::Shared), Some(Ownership::Exclusive)]);
            add.invalid_identifier = choices.of(&[
                None,
                Some(InvalidIdentifier::Ignore),
                Some(InvalidIdentifier::Refuse),
            ]);
            add.unknown_contact_id = choices.of(&[
                None,
                Some(UnknownContactId::Reject),
                Some(UnknownContactId::Adopt),
            ]);
        }
        add
    }
}

impl Entry {
    fn choose(choices: &mut Choices<'_>) -> Self {
        let token = match choices.below(16) {
            0..6 => Some(TOKENS[0]),
            6..11 => Some(TOKENS[1]),
            11..14 => Some(TOKENS[2]),
            14 => choices.of(&[None, Some("null")]),
            _ => Some("a\u{0}b"),
        };
        let kinds = choices.below(16);
        let mut given = Given::default();
        if kinds & 1 == 0 {
            // Not canonical, to meet the canonical form of the same.
            given = given.email(choices.of(&[
                "ann@example.com",
                "ben@example.com",
                " ANN@Example.com.",
                "no-at-sign",
                "",
            ]));
        }
        if kinds & 2 != 0 {
            given = given.phone(choices.of(&[
                "380500000001",
                "380500000002",
                "+380 50 000-00-01",
                "12",
                " ",
            ]));
        }
        if kinds & 4 != 0 {
            given = given.external(choices.of(&[
                "crm-1", "crm-2", "crm-1", "CRM-1", "crm\u{7}", "Null", "0-0",
            ]));
        }
        if kinds & 8 != 0 && choices.one_in(2) {
            given.contact_id = Some(match choices.below(8) {
                other @ 0..6 => IDS[other],
                6 => 0,
                _ => -1,
            });
        }
        Entry {
            token: token.map(str::to_owned),
            given,
        }
    }
}

impl Reports {
    fn choose(choices: &mut Choices<'_>) -> Self {
        let app = app(choices);
        let reports = (0..entries(choices))
            .map(|_| Said::choose(choices))
            .collect();
        let mut request = Reports::new(app, reports);
        request.at = choose_time(choices);
        request.mode = choose_mode(choices);
        request.failed_without_reason = choices.of(&[
            None,
            Some(FailedWithoutReason::Remove),
            Some(FailedWithoutReason::Keep),
        ]);
        request
    }
}

impl Said {
    fn choose(choices: &mut Choices<'_>) -> Self {
        let status = choices.of(&[Status::Failed, Status::Sent, Status::Clicked]);
        let mut said = Said::new(choices.of(&TOKENS), status);
        match choices.below(8) {
            0..4 => {}
            4..7 => {
                said.token = None;
                said.subscriber = Some(1 + choices.below(6) as u64);
            }
            // Both, or neither (R36), or no token.
            _ => match choices.below(3) {
                0 => said.subscriber = Some(1),
                1 => said.token = None,
                _ => said.token = Some("  ".to_owned()),
            },
        }
        let reasons = [
            None,
            Some("Forbidden: bot was blocked by the user"),
            Some(" 403 "),
            Some("Error: 403: Forbidden"),
            Some("Bad Request: USER_IS_BLOCKED"),
            Some("forbiddenly"),
            Some("CHAT_WRITE_FORBIDDEN"),
            Some("Bad Request: chat not found"),
            Some("\u{A0}"),
        ];
        said.reason = choices.of(&reasons).map(str::to_owned);
        if choices.one_in(2) {
            said.message = Some(choices.of(&MESSAGES).to_owned());
        } else if choices.one_in(16) {
            said.message = Some(String::new());
        }
        said.at = choose_time(choices);
        said
    }
}
