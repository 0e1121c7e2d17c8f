//! Recipients: who a message is for, and where to send it (R39).
//!
//! This module does not know JSON, and writes and sends nothing.

use std::fmt;

use crate::model::app::AppId;
use crate::model::fault::{Field, FieldError};
use crate::model::identifier::{ContactId, Phone};
use crate::model::subscriber::{MuteEnd, SubscriberId};
use crate::model::text;
use crate::model::time::Timestamp;
use crate::model::token::Token;

/// The recipient of a message ([R39](crate::rulebook#r39)).
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// let given = GivenRecipient::new().app(bot).number("+380 50 000 00 01");
/// let unknown = store.snapshot()?.resolve(given.parse()?);
/// assert!(matches!(unknown, Err(Error::Recipient(RecipientError::UnknownContact))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recipient {
    /// One subscriber.
    Subscriber(SubscriberId),
    /// The contact with this phone, in each of its chats with the app.
    Phone {
        /// The app, `botId` in the published request.
        app: AppId,
        /// The phone, `number` in the published request.
        phone: Phone,
    },
}

/// A recipient as a request gives it: any of `subscriberId`, `botId` and `number`.
///
/// `Debug` shows which of them are given, but not the number ([R52](crate::rulebook#r52)).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct GivenRecipient {
    subscriber: Option<SubscriberId>,
    app: Option<AppId>,
    number: Option<String>,
}

impl GivenRecipient {
    /// Makes a recipient with nothing given.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the subscriber, which has precedence over the other two.
    #[must_use]
    pub fn subscriber(mut self, id: SubscriberId) -> Self {
        self.subscriber = Some(id);
        self
    }

    /// Sets the app.
    #[must_use]
    pub fn app(mut self, id: AppId) -> Self {
        self.app = Some(id);
        self
    }

    /// Sets the phone, in any form that [`Phone::parse`] reads.
    #[must_use]
    pub fn number(mut self, number: impl Into<String>) -> Self {
        self.number = Some(number.into());
        self
    }

    /// Returns the recipient that is meant.
    ///
    /// That is the subscriber if one is given, whatever else is given. Otherwise it is the contact
    /// with the number in the app; both must be given.
    ///
    /// # Errors
    ///
    /// [`RecipientError::NothingGiven`], [`RecipientError::AppWithoutNumber`] or
    /// [`RecipientError::NumberWithoutApp`]; [`RecipientError::Number`] when the number is not a
    /// phone ([R4](crate::rulebook#r4)).
    pub fn parse(&self) -> Result<Recipient, RecipientError> {
        if let Some(id) = self.subscriber {
            return Ok(Recipient::Subscriber(id));
        }
        // As in every look-up, a blank number is treated as absent (R1).
        let number = self.number.as_deref().filter(|text| !text::is_blank(text));
        match (self.app, number) {
            (Some(app), Some(number)) => {
                let phone = Phone::canonical(number).map_err(|fault| {
                    RecipientError::Number(FieldError::new(Field::RecipientNumber, fault))
                })?;
                Ok(Recipient::Phone { app, phone })
            }
            (Some(_), None) => Err(RecipientError::AppWithoutNumber),
            (None, Some(_)) => Err(RecipientError::NumberWithoutApp),
            (None, None) => Err(RecipientError::NothingGiven),
        }
    }
}

// Not derived: a phone number is personal data (R52).
impl fmt::Debug for GivenRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GivenRecipient")
            .field("subscriber", &self.subscriber)
            .field("app", &self.app)
            .field("number_bytes", &self.number.as_ref().map(String::len))
            .finish()
    }
}

/// A request to resolve a recipient to addresses ([R39](crate::rulebook#r39),
/// [R59](crate::rulebook#r59)). Every recipient is one by itself, in which muted subscribers are left
/// out.
///
/// ```
/// # use contact_store::*;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let bot = store.connect_app(ConnectApp::new(AppName::parse("Bot")?)).wait()?.outcome;
/// # store.add_tokens(AddTokens::new(bot).entry(TokenEntry::new("100200300").phone("380500000001"))).wait()?;
/// store.mute(Mute::new(bot, Token::parse("100200300")?)).wait()?;
/// let ann = GivenRecipient::new().app(bot).number("380500000001").parse()?;
/// let now = store.snapshot()?;
/// let news = now.resolve(ann)?;
/// assert_eq!((news.addresses.len(), news.muted.len()), (0, 1));
/// let receipt = now.resolve(Resolve::new(ann).include_muted(true))?;
/// assert_eq!((receipt.addresses.len(), receipt.muted.len()), (1, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolve {
    pub(crate) recipient: Recipient,
    pub(crate) include_muted: bool,
    pub(crate) at: Option<Timestamp>,
}

impl Resolve {
    /// Makes a request that leaves out who is muted now.
    #[must_use]
    pub fn new(recipient: Recipient) -> Self {
        Resolve {
            recipient,
            include_muted: false,
            at: None,
        }
    }

    /// Sets whether muted subscribers are addressed like all others, as for a message about a
    /// purchase.
    #[must_use]
    pub fn include_muted(mut self, include: bool) -> Self {
        self.include_muted = include;
        self
    }

    /// Sets the time at which a mute counts. Without it, that is the store's clock when the
    /// recipient is resolved. It may be later, for a message that is sent later.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }
}

impl From<Recipient> for Resolve {
    fn from(recipient: Recipient) -> Self {
        Resolve::new(recipient)
    }
}

/// The addresses of a recipient ([R39](crate::rulebook#r39)). At least one of the two lists is not
/// empty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolved {
    /// Where to send the message.
    pub addresses: Vec<Address>,
    /// The subscribers that were left out since they are muted ([R59](crate::rulebook#r59)).
    pub muted: Vec<LeftOut>,
}

/// A subscriber that a message does not go to, since it is muted ([R59](crate::rulebook#r59)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// The subscriber.
    pub subscriber: SubscriberId,
    /// The contact that holds its token, as in [`Address::contact`].
    pub contact: ContactId,
    /// When the mute ends.
    pub until: MuteEnd,
}

/// Where to send a message: one token in one app ([R39](crate::rulebook#r39)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The app.
    pub app: AppId,
    /// The token.
    pub token: Token,
    /// The subscriber that the app and token make. A delivery report may name it.
    pub subscriber: SubscriberId,
    /// The contact that holds the token. If the recipient is a subscriber that several contacts
    /// hold, it is the contact that has held it longest.
    pub contact: ContactId,
}

/// Why a recipient is invalid, or cannot be reached ([R39](crate::rulebook#r39)).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// Neither a subscriber, an app nor a number is given.
    #[error("no recipient is given: subscriberId, or botId and number, are required")]
    NothingGiven,
    /// An app without a number.
    #[error("botId is given without number")]
    AppWithoutNumber,
    /// A number without an app.
    #[error("number is given without botId")]
    NumberWithoutApp,
    /// The number is not a phone ([R4](crate::rulebook#r4)). As an [`Error`](crate::Error) it is
    /// [`Error::Field`](crate::Error::Field), like every other invalid value.
    #[error(transparent)]
    Number(FieldError),
    /// No live token has this subscriber id.
    #[error("subscriber {0} is not known")]
    UnknownSubscriber(SubscriberId),
    /// No contact has the phone.
    #[error("no contact has the number")]
    UnknownContact,
    /// The contact of the phone holds no token of the app.
    #[error("contact {contact} has no token in app {app}")]
    NoToken {
        /// The contact.
        contact: ContactId,
        /// The app.
        app: AppId,
    },
}
