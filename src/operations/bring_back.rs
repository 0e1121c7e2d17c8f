//! Bringing a token back to the contacts that held it before FAILED removed it (R63).
//!
//! This module does not know how a host learns that a person is back.

use crate::error::Error;
use crate::limits::{Limit, LimitExceeded, Limits};
use crate::model::app::AppId;
use crate::model::change::Cause;
use crate::model::identifier::ContactId;
use crate::model::subscriber::SubscriberId;
use crate::model::time::{RequestTime, Timestamp};
use crate::model::token::Token;
use crate::operations::card_limits;
use crate::operations::described::{Described, Description};
use crate::operations::holding;
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{
    AppRow, CardRow, Draft, Failure, HeldTokenRow, Rows as _, find_blocked, merged_into,
};

/// A request to bring back a token that FAILED removed, for a person that unblocks the bot
/// ([R63](crate::rulebook#r63)).
///
/// The store knows who held it if it was opened to remember that
/// ([`Options::remember_blocked`](crate::Options::remember_blocked)).
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = ContactStore::open_in_memory(Options::default().remember_blocked(100_000))?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("100200300").email("ann@example.com"))).wait()?;
/// let blocked = Report::new(Status::Failed).token("100200300").reason("Forbidden");
/// store.record_reports(RecordReports::new(bot).report(blocked)).wait()?;
/// // Nothing but the chat is known when the person unblocks the bot.
/// let back = BringBack::new(bot, Token::parse("100200300")?);
/// let brought = store.bring_back(back.clone()).wait()?.outcome;
/// assert!(matches!(brought, TokenBroughtBack::BroughtBack { .. }));
/// let ann = store.snapshot()?.by_email("ann@example.com")?.ok_or("nobody")?;
/// assert_eq!(ann.tokens[0].token.as_str(), "100200300");
/// assert_eq!(store.bring_back(back).wait()?.outcome, TokenBroughtBack::NotRemembered);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BringBack {
    app: AppId,
    token: Token,
    at: Option<Timestamp>,
}

impl BringBack {
    /// Makes a request to bring back a token of an app.
    #[must_use]
    pub fn new(app: AppId, token: Token) -> Self {
        BringBack {
            app,
            token,
            at: None,
        }
    }

    /// Sets the time of the request. Without it, that is the time when the store gets the request
    /// ([R54](crate::rulebook#r54)).
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    pub(crate) fn prepare(self, limits: Limits, clock: Timestamp) -> PreparedBringBack {
        PreparedBringBack {
            app: self.app,
            token: self.token,
            at: RequestTime::new(clock, self.at).at(),
            limits,
        }
    }
}

impl Described for BringBack {
    fn describe(&self, to: &mut Description) {
        let BringBack { app, token, at } = self;
        to.parts(&[app, token, at]);
    }
}

/// The outcome of a request to bring back a token ([R63](crate::rulebook#r63)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenBroughtBack {
    /// The token was appended to the cards of all contacts that held it and still exist.
    BroughtBack {
        /// The new subscriber ([R35](crate::rulebook#r35)).
        subscriber: SubscriberId,
        /// The contacts, in the order in which they held it before.
        contacts: Vec<ContactId>,
    },
    /// Nothing is remembered of the token: FAILED did not remove it, it was added again since, or the
    /// store was not opened to remember, or remembers only later ones. Nothing was written.
    NotRemembered,
}

/// A request to bring back a token, with its time and the limits in force.
#[derive(Clone)]
pub(crate) struct PreparedBringBack {
    app: AppId,
    token: Token,
    at: Timestamp,
    limits: Limits,
}

impl Operation for PreparedBringBack {
    type Outcome = TokenBroughtBack;

    const KIND: OperationKind = OperationKind::BringBack;

    fn size(&self) -> Size {
        Size::one(self.token.as_str().len())
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<TokenBroughtBack>, Error> {
        let app: AppRow = draft.row(&self.app)?.ok_or(Error::UnknownApp(self.app))?;
        let Some((_, record)) = find_blocked(draft, app.number, &self.token)? else {
            return Ok(Step::Done(TokenBroughtBack::NotRemembered));
        };
        let contacts = holders_now(draft, &record.contacts)?;
        let most = self.limits.contacts_per_token;
        LimitExceeded::check(Limit::ContactsPerToken, contacts.len(), most)?;
        let subscriber = holding::take_subscriber_id(draft, app.number)?;
        draft.foresee::<CardRow>(contacts.iter());
        for contact in &contacts {
            let before: CardRow = draft.expect_row(contact)?;
            let mut after = before.clone();
            after.tokens.push(HeldTokenRow {
                subscriber,
                added_at: self.at,
                token: self.token.clone(),
            });
            card_limits::check(draft, &self.limits, &after)?;
            draft.write_card(*contact, Some(&before), Some(&after), Cause::Given)?;
        }
        let token = self.token.clone();
        let row = holding::new_subscriber(app.number, token, contacts.clone().into(), self.at);
        draft.write_subscriber(subscriber, None, Some(&row))?;
        Ok(Step::Done(TokenBroughtBack::BroughtBack {
            subscriber,
            contacts,
        }))
    }

    fn count(outcome: &TokenBroughtBack, tally: &mut Tally) {
        tally.entry(match outcome {
            TokenBroughtBack::BroughtBack { .. } => EntryOutcome::BroughtBack,
            TokenBroughtBack::NotRemembered => EntryOutcome::NotRemembered,
        });
    }
}

/// The contacts, each as the one that it was merged into since (R58), and each once.
fn holders_now(draft: &Draft<'_>, contacts: &[ContactId]) -> Result<Vec<ContactId>, Failure> {
    let mut now = Vec::with_capacity(contacts.len());
    for contact in contacts {
        let holder = merged_into(draft, *contact)?.unwrap_or(*contact);
        if !now.contains(&holder) {
            now.push(holder);
        }
    }
    Ok(now)
}
