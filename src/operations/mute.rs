//! Muting a subscriber and ending a mute (R59).
//!
//! This module does not know who leaves a muted subscriber out.

use std::time::Duration;

use crate::error::Error;
use crate::model::app::AppId;
use crate::model::subscriber::{MuteEnd, SubscriberId};
use crate::model::time::{RequestTime, Timestamp};
use crate::model::token::Token;
use crate::operations::described::{Described, Description};
use crate::operations::operation::{Operation, Size, Step};
use crate::stats::{EntryOutcome, OperationKind, Tally};
use crate::storage::{AppRow, Draft, Rows as _, SubscriberRow, find_subscriber};

/// A request to mute a subscriber, for a person who wants no messages for a while
/// ([R59](crate::rulebook#r59)).
///
/// Without an [end](Self::until) or a [duration](Self::duration), the mute ends only when the
/// subscriber is [unmuted](crate::ContactStore::unmute).
///
/// ```
/// # use contact_store::*;
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("100200300").email("ann@example.com"))).wait()?;
/// let chat = Token::parse("100200300")?;
/// let hour = Mute::new(bot, chat.clone()).duration(Duration::from_secs(3_600));
/// let muted = store.mute(hour).wait()?.outcome;
/// assert!(matches!(muted, TokenMuted::Muted { until: MuteEnd::At(_), .. }));
/// let unmuted = store.unmute(Unmute::new(bot, chat)).wait()?.outcome;
/// assert!(matches!(unmuted, TokenUnmuted::Unmuted { was_muted: true, .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mute {
    app: AppId,
    token: Token,
    until: Until,
    at: Option<Timestamp>,
}

/// The end of a mute, as a request gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    NoEnd,
    Time(Timestamp),
    After(Duration),
}

impl Mute {
    /// Makes a request to mute the subscriber of this token in the app, without an end.
    #[must_use]
    pub fn new(app: AppId, token: Token) -> Self {
        Mute {
            app,
            token,
            until: Until::NoEnd,
            at: None,
        }
    }

    /// Sets the time at which the mute ends. If it is not after the time of the request, the
    /// subscriber is not muted, and a mute that it had ends.
    #[must_use]
    pub fn until(mut self, end: Timestamp) -> Self {
        self.until = Until::Time(end);
        self
    }

    /// Sets how long the mute lasts from the time of the request on, in whole milliseconds.
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.until = Until::After(duration);
        self
    }

    /// Sets the time of the request. Without it, that is the time when the store gets the request
    /// ([R54](crate::rulebook#r54)).
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    pub(crate) fn prepare(self, clock: Timestamp) -> PreparedMute {
        let at = RequestTime::new(clock, self.at).at();
        PreparedMute {
            app: self.app,
            token: self.token,
            until: match self.until {
                Until::NoEnd => MuteEnd::Never,
                Until::Time(end) => MuteEnd::At(end),
                Until::After(duration) => {
                    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
                    let end = at.as_millis().saturating_add(millis);
                    MuteEnd::At(Timestamp::from_millis(end))
                }
            },
            at,
        }
    }
}

impl Described for Until {
    fn describe(&self, to: &mut Description) {
        match self {
            Until::NoEnd => to.parts(&[&1_u8]),
            Until::Time(end) => to.parts(&[&2_u8, end]),
            Until::After(duration) => {
                to.parts(&[&3_u8, &duration.as_secs(), &duration.subsec_nanos()]);
            }
        }
    }
}

impl Described for Mute {
    fn describe(&self, to: &mut Description) {
        let Mute {
            app,
            token,
            until,
            at,
        } = self;
        to.parts(&[app, token, until, at]);
    }
}

/// A request to end the mute of a subscriber ([R59](crate::rulebook#r59)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmute {
    app: AppId,
    token: Token,
    at: Option<Timestamp>,
}

impl Unmute {
    /// Makes a request to unmute the subscriber of this token in the app.
    #[must_use]
    pub fn new(app: AppId, token: Token) -> Self {
        Unmute {
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

    pub(crate) fn prepare(self, clock: Timestamp) -> PreparedUnmute {
        PreparedUnmute {
            app: self.app,
            token: self.token,
            at: RequestTime::new(clock, self.at).at(),
        }
    }
}

impl Described for Unmute {
    fn describe(&self, to: &mut Description) {
        let Unmute { app, token, at } = self;
        to.parts(&[app, token, at]);
    }
}

/// The outcome of a request to mute a subscriber ([R59](crate::rulebook#r59)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenMuted {
    /// It is muted until then. A mute that it had before is replaced.
    Muted {
        /// The subscriber.
        subscriber: SubscriberId,
        /// When the mute ends.
        until: MuteEnd,
    },
    /// The token is not a subscriber of the app. Nothing was written.
    UnknownSubscriber,
}

/// The outcome of a request to unmute a subscriber ([R59](crate::rulebook#r59)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenUnmuted {
    /// It is not muted any more.
    Unmuted {
        /// The subscriber.
        subscriber: SubscriberId,
        /// Whether it was muted at the time of the request.
        was_muted: bool,
    },
    /// The token is not a subscriber of the app. Nothing was written.
    UnknownSubscriber,
}

/// A request to mute a subscriber, with its times set.
#[derive(Clone)]
pub(crate) struct PreparedMute {
    app: AppId,
    token: Token,
    until: MuteEnd,
    at: Timestamp,
}

impl Operation for PreparedMute {
    type Outcome = TokenMuted;

    const KIND: OperationKind = OperationKind::Mute;

    fn size(&self) -> Size {
        Size::one(self.token.as_str().len())
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<TokenMuted>, Error> {
        let until = self.until;
        let muted = Some(until).filter(|end| end.is_after(self.at));
        let changed = set(draft, self.app, &self.token, muted)?;
        Ok(Step::Done(match changed {
            Some((subscriber, _)) => TokenMuted::Muted { subscriber, until },
            None => TokenMuted::UnknownSubscriber,
        }))
    }

    fn count(outcome: &TokenMuted, tally: &mut Tally) {
        tally.entry(match outcome {
            TokenMuted::Muted { .. } => EntryOutcome::Muted,
            TokenMuted::UnknownSubscriber => EntryOutcome::UnknownSubscriber,
        });
    }
}

/// A request to unmute a subscriber, with its time set.
#[derive(Clone)]
pub(crate) struct PreparedUnmute {
    app: AppId,
    token: Token,
    at: Timestamp,
}

impl Operation for PreparedUnmute {
    type Outcome = TokenUnmuted;

    const KIND: OperationKind = OperationKind::Unmute;

    fn size(&self) -> Size {
        Size::one(self.token.as_str().len())
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<TokenUnmuted>, Error> {
        let changed = set(draft, self.app, &self.token, None)?;
        Ok(Step::Done(match changed {
            Some((subscriber, before)) => TokenUnmuted::Unmuted {
                subscriber,
                was_muted: before.is_some_and(|end| end.is_after(self.at)),
            },
            None => TokenUnmuted::UnknownSubscriber,
        }))
    }

    fn count(outcome: &TokenUnmuted, tally: &mut Tally) {
        tally.entry(match outcome {
            TokenUnmuted::Unmuted {
                was_muted: true, ..
            } => EntryOutcome::Unmuted,
            TokenUnmuted::Unmuted {
                was_muted: false, ..
            } => EntryOutcome::NotMuted,
            TokenUnmuted::UnknownSubscriber => EntryOutcome::UnknownSubscriber,
        });
    }
}

/// Sets the mute of a subscriber. Returns the subscriber, if there is one, and the mute that it had.
fn set(
    draft: &mut Draft<'_>,
    app: AppId,
    token: &Token,
    muted: Option<MuteEnd>,
) -> Result<Option<(SubscriberId, Option<MuteEnd>)>, Error> {
    let app: AppRow = draft.row(&app)?.ok_or(Error::UnknownApp(app))?;
    let Some((id, before)) = find_subscriber(draft, app.number, token)? else {
        return Ok(None);
    };
    let after = SubscriberRow {
        muted,
        ..before.clone()
    };
    draft.write_subscriber(id, Some(&before), Some(&after))?;
    Ok(Some((id, before.muted)))
}
