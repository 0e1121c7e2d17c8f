//! The payload of a deep link: the host's own customer id, signed for one bot and until a time.
//!
//! `https://t.me/BOT?start=PAYLOAD` makes Telegram send the bot `/start PAYLOAD`. Anybody can send
//! that text with a payload of his own, so a bare customer id would hand everybody's card to anyone who
//! guesses ids. This module knows neither Telegram's updates nor the store, and reads no clock.
//!
//! Telegram allows 64 characters of `A-Z a-z 0-9 _ -`. They are base64url without padding of
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | version: 1 for a text, 0x12, 0x14, 0x18 or 0x1e for a UUID in one of its writings |
//! | 4 | when it expires, in seconds since 1970 UTC, most significant byte first |
//! | 1 to 27, or 16 | the customer id: its text, or the bytes of the UUID |
//! | 16 | the left half of HMAC-SHA256 over [`DOMAIN`], the 16 bytes of the app's UUID, and all above |
//!
//! All that stands before the customer id has a fixed length, so no two links sign the same bytes. The
//! domain keeps tags apart from whatever else the key may sign, the app those of one bot from another.
//!
//! A customer id is compared byte for byte (R3), so a UUID is packed only where its text comes back as
//! it was: with or without hyphens, in lower or in upper case, not mixed.
//!
//! A host with longer ids keeps a table of its own: it makes a short random code for each link (16 random
//! bytes, in base64url 22 characters), stores the customer id and the time of expiry under it, sends
//! `https://t.me/BOT?start=CODE`, and looks the code up when `/start CODE` arrives, once. Such a code
//! needs no signature, since nobody can guess it. It takes the place of [`DeepLinks::verify`], and the
//! proof is the same: the customer id that was stored.
//!
//! A link is worth to its holder what it is worth to the customer: anyone who opens it within its time
//! joins the card. Let it live as short as the way to the customer allows.

use std::fmt;

use contact_store::{AppId, ExternalCustomerId};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What every tag signs first. The final zero cannot be part of another domain's text.
pub const DOMAIN: &[u8] = b"contact-store deep link\0";
/// The greatest length of a payload, in characters: Telegram's.
pub const PAYLOAD_CHARS: usize = 64;
/// The greatest length of a customer id, in bytes: what is left of 48 bytes.
pub const CUSTOMER_ID_BYTES: usize = 27;
/// The least length of a key, in bytes: a shorter one would be weaker than the tag's hash.
pub const LEAST_KEY_BYTES: usize = 32;

/// The version of a link whose customer id is a text.
const TEXT: u8 = 1;
/// The versions of links whose customer id is a UUID, and how its text is written. No flipped bit makes
/// one version of another.
const WRITINGS: [(u8, Writing); 4] = [
    (0x12, Uuid::lower_with_hyphens),
    (0x14, Uuid::upper_with_hyphens),
    (0x18, Uuid::lower),
    (0x1e, Uuid::upper),
];
const HEADER_BYTES: usize = 5;
const TAG_BYTES: usize = 16;

/// A UUID of a customer, which is no more than 16 bytes with several texts.
struct Uuid([u8; 16]);

type Writing = fn(&Uuid) -> String;

impl Uuid {
    /// The UUID whose text this is, and the version of its link: that of the first writing which gives
    /// the text back. `None` when it has none.
    fn of(text: &str) -> Option<(u8, Self)> {
        let digits = text.replace('-', "");
        let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
        let uuid = Uuid(bytes.try_into().ok()?);
        let mut writings = WRITINGS.iter();
        let (version, _) = writings.find(|(_, write)| write(&uuid) == text)?;
        Some((*version, uuid))
    }

    fn lower(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    fn lower_with_hyphens(&self) -> String {
        let mut text = String::new();
        for (place, digit) in self.lower().chars().enumerate() {
            if matches!(place, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(digit);
        }
        text
    }

    fn upper(&self) -> String {
        self.lower().to_ascii_uppercase()
    }

    fn upper_with_hyphens(&self) -> String {
        self.lower_with_hyphens().to_ascii_uppercase()
    }
}

/// Makes and verifies the links of one bot.
#[derive(Clone)]
pub struct DeepLinks {
    /// Keyed, and fed with the domain and the app.
    mac: Hmac<Sha256>,
}

impl DeepLinks {
    /// The links of `app` under a key, which should be random bytes.
    ///
    /// # Errors
    ///
    /// [`KeyTooShort`], below [`LEAST_KEY_BYTES`].
    pub fn new(app: AppId, key: &[u8]) -> Result<Self, KeyTooShort> {
        let too_short = KeyTooShort { bytes: key.len() };
        if key.len() < LEAST_KEY_BYTES {
            return Err(too_short);
        }
        let mac = Hmac::new_from_slice(key).map_err(|_| too_short)?;
        let mac = mac.chain_update(DOMAIN);
        let mac = mac.chain_update(app.as_u128().to_be_bytes());
        Ok(DeepLinks { mac })
    }

    /// The payload that names this customer to the bot until `expires_at`, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`CannotSign`]: what does not fit into 64 characters.
    pub fn sign(
        &self,
        customer: &ExternalCustomerId,
        expires_at: u64,
    ) -> Result<String, CannotSign> {
        let text = customer.as_str();
        let uuid = Uuid::of(text);
        let (version, id) = match &uuid {
            Some((version, uuid)) => (*version, &uuid.0[..]),
            None => (TEXT, text.as_bytes()),
        };
        if id.len() > CUSTOMER_ID_BYTES {
            return Err(CannotSign::CustomerIdTooLong { bytes: id.len() });
        }
        let expires_at = u32::try_from(expires_at).map_err(|_| CannotSign::ExpiresTooLate)?;
        let mut payload = vec![version];
        payload.extend(expires_at.to_be_bytes());
        payload.extend(id);
        let tag = self.mac.clone().chain_update(&payload).finalize();
        payload.extend(tag.into_bytes().iter().take(TAG_BYTES));
        Ok(BASE64URL_NOPAD.encode(&payload))
    }

    /// The customer whom a payload names at the time `now`, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`BadLink`]. Nothing of a payload counts before its tag is verified, in constant time.
    pub fn verify(&self, payload: &str, now: u64) -> Result<ExternalCustomerId, BadLink> {
        if payload.len() > PAYLOAD_CHARS {
            return Err(BadLink::TooLong);
        }
        // Refuses padding, other alphabets and set bits after the last byte: each link has one form.
        let bytes = BASE64URL_NOPAD
            .decode(payload.as_bytes())
            .map_err(|_| BadLink::NotBase64Url)?;
        let (signed, tag) = bytes
            .split_last_chunk::<TAG_BYTES>()
            .ok_or(BadLink::TooShort)?;
        let (header, id) = signed
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(BadLink::TooShort)?;
        let [version, expires_at @ ..] = header;
        let mut writings = WRITINGS.iter();
        let writing = writings.find(|(known, _)| known == version);
        if writing.is_none() && *version != TEXT {
            return Err(BadLink::UnknownVersion);
        }
        let mac = self.mac.clone().chain_update(signed);
        mac.verify_truncated_left(tag)
            .map_err(|_| BadLink::NotSigned)?;
        if now >= u64::from(u32::from_be_bytes(*expires_at)) {
            return Err(BadLink::Expired);
        }
        // `sign` takes no other ids; another program with the key might.
        let id = match writing {
            Some((_, write)) => id.try_into().map(|id| write(&Uuid(id))).ok(),
            None => str::from_utf8(id).map(str::to_owned).ok(),
        };
        ExternalCustomerId::parse(&id.ok_or(BadLink::NoCustomerId)?)
            .map_err(|_| BadLink::NoCustomerId)
    }
}

// A keyed hash is as good as its key.
impl fmt::Debug for DeepLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeepLinks(<secret>)")
    }
}

/// A key that is too easily guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key of {bytes} bytes, the shortest is {LEAST_KEY_BYTES}")]
pub struct KeyTooShort {
    /// Its length.
    pub bytes: usize,
}

/// Why a link cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotSign {
    /// The customer id does not fit.
    #[error("customer id of {bytes} bytes, the longest in a link is {CUSTOMER_ID_BYTES}")]
    CustomerIdTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The time does not fit into 32 bits of seconds.
    #[error("the link would expire after 2106-02-07, the last day that it can name")]
    ExpiresTooLate,
}

/// Why a payload names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLink {
    /// Longer than Telegram allows.
    TooLong,
    /// Not base64url without padding, in its one canonical form: a bare customer id, mostly.
    NotBase64Url,
    /// No room for a tag.
    TooShort,
    /// Of another layout.
    UnknownVersion,
    /// Changed, made up, or signed for another bot or under another key.
    NotSigned,
    /// Its time is over.
    Expired,
    /// Signed with an id that no contact can have (R3).
    NoCustomerId,
}

impl BadLink {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            BadLink::TooLong => "linkTooLong",
            BadLink::NotBase64Url => "linkNotBase64Url",
            BadLink::TooShort => "linkTooShort",
            BadLink::UnknownVersion => "linkUnknownVersion",
            BadLink::NotSigned => "linkNotSigned",
            BadLink::Expired => "linkExpired",
            BadLink::NoCustomerId => "linkNoCustomerId",
        }
    }
}
