//! Apps: the id, the name and the secret of a connected bot.
//!
//! This module does not know how apps are stored; connecting one is in `connect_app`.

use std::fmt;

use uuid::Uuid;

use crate::limits::{ACCESS_KEY_BYTES, APP_NAME_BYTES};
use crate::model::fault::{Fault, Field, FieldError};
use crate::model::text;
use crate::model::time::Timestamp;

/// The id of an app: the `app_uuid` of the published guides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(u128);

impl AppId {
    /// Reads a UUID in any text form of RFC 4122: hyphenated, simple, braced or URN, in either
    /// letter case ([R11](crate::rulebook#r11)).
    ///
    /// # Errors
    ///
    /// [`Fault::NotAUuid`], with the field `appUuid`, when the text is not in any of these forms.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        Uuid::try_parse(text)
            .map(|uuid| AppId(uuid.as_u128()))
            .map_err(|_| FieldError::new(Field::AppId, Fault::NotAUuid))
    }

    /// Makes the id with these 128 bits. The first byte of the UUID is the most significant.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        AppId(bits)
    }

    /// Returns the 128 bits of the UUID.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// Makes a new random id (UUID v4).
    pub(crate) fn random() -> Self {
        AppId(Uuid::new_v4().as_u128())
    }
}

/// Shows the lower-case hyphenated form.
impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Uuid::from_u128(self.0).hyphenated(), f)
    }
}

impl fmt::Debug for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppId({self})")
    }
}

/// The number of one connection of an app.
///
/// Connecting an unknown app takes a new number, so rows that an earlier connection left are never
/// mistaken for rows of the current one (R11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AppNumber(pub(crate) u64);

impl AppNumber {
    /// The largest number that fits into a subscriber id below 2^63.
    pub(crate) const MOST: u64 = (1 << 23) - 1;
}

/// The name of an app: 1 to 256 bytes, not only white space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppName(String);

impl AppName {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] when the text is empty or only white space, longer than 256 bytes, or holds
    /// a character that is refused ([R6](crate::rulebook#r6)).
    pub fn parse(text: impl Into<String>) -> Result<Self, FieldError> {
        let text = text.into();
        match text::opaque(&text, APP_NAME_BYTES) {
            Ok(()) => Ok(AppName(text)),
            Err(fault) => Err(FieldError::new(Field::AppName, fault)),
        }
    }

    pub(crate) fn from_stored(text: String) -> Self {
        AppName(text)
    }

    /// Returns the text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The access key of a bot: a secret ([R12](crate::rulebook#r12)).
///
/// It has no `Display`, its `Debug` is masked, and no listing or card carries it. Only
/// [`AccessKey::reveal`] gives its text.
///
/// `==` is for tests and for noticing a change. It does not run in constant time, so a host that
/// checks a caller's key must compare in another way.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey(String);

impl AccessKey {
    /// Reads a key.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] when the text is empty or only white space, longer than 4,096 bytes, or
    /// holds a character that is refused ([R6](crate::rulebook#r6)).
    pub fn parse(text: impl Into<String>) -> Result<Self, FieldError> {
        let text = text.into();
        match text::opaque(&text, ACCESS_KEY_BYTES) {
            Ok(()) => Ok(AccessKey(text)),
            Err(fault) => Err(FieldError::new(Field::AccessKey, fault)),
        }
    }

    pub(crate) fn from_stored(text: String) -> Self {
        AccessKey(text)
    }

    /// Returns the secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(<secret>)")
    }
}

/// A connected app, as listed ([R37](crate::rulebook#r37)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Its name.
    pub name: AppName,
    /// When it was connected.
    pub connected_at: Timestamp,
    /// The number of live tokens of the app.
    pub subscribers: u64,
    /// The number of contacts that hold at least one live token of the app.
    pub contacts: u64,
    /// The number of subscribers removed by FAILED reports since the app was connected
    /// ([R31](crate::rulebook#r31)).
    pub removed_by_failed: u64,
    /// The number of subscribers removed by the host since the app was connected
    /// ([R45](crate::rulebook#r45)).
    pub removed_by_host: u64,
}
