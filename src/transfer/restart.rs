//! Where an interrupted import goes on.

use std::fmt;
use std::str::FromStr;

use twox_hash::XxHash3_64;

use crate::model::sequence::SequenceNumber;

use super::imported::Imported;

/// Where an interrupted import goes on.
///
/// A host keeps it as text ([`Display`](fmt::Display) and [`FromStr`]) after each progress, where it
/// survives a kill. It holds counts and a hash of what was read, and no text of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartPoint {
    /// What kind of text the source is.
    pub(super) form: Form,
    /// Bytes of the source that are done with. Of CSV, bytes of its text in UTF-8.
    pub(super) bytes: u64,
    /// Lines of the source that are done with.
    pub(super) lines: u64,
    /// How far the order of the source has come.
    pub(super) section: u64,
    /// The most rows in a batch, which must be the same when the import goes on: a batch may be in the
    /// store already, wholly or not at all.
    pub(super) batch_rows: u64,
    /// Of the bytes that are done with.
    pub(super) fingerprint: Fingerprint,
    /// The number of the store's state with all of that in it.
    pub(super) sequence: SequenceNumber,
    /// The contacts that the store then has, if nothing else writes to it.
    pub(super) contacts: u64,
    pub(super) imported: Imported,
}

/// What kind of text a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Ndjson,
    Csv,
}

impl Form {
    fn as_str(self) -> &'static str {
        match self {
            Form::Ndjson => "ndjson",
            Form::Csv => "csv",
        }
    }
}

/// A hash of the pieces of a source that were read so far. It depends on where the pieces are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint(pub(super) u64);

impl Fingerprint {
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.0 = XxHash3_64::oneshot_with_seed(self.0, piece);
    }
}

/// What the text of a restart point begins with.
const NAME: &str = "contact-store-import";
const VERSION: &str = "1";

impl RestartPoint {
    /// Returns what was done up to here.
    #[must_use]
    pub fn imported(&self) -> &Imported {
        &self.imported
    }

    /// Returns the bytes of the source that are done with. Of CSV, the bytes of its text in UTF-8.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl fmt::Display for RestartPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RestartPoint {
            form,
            bytes,
            lines,
            section,
            batch_rows,
            fingerprint,
            sequence,
            contacts,
            imported,
        } = self;
        let (form, fingerprint) = (form.as_str(), fingerprint.0);
        write!(
            f,
            "{NAME} {VERSION} {form} {bytes} {lines} {section} {batch_rows} {fingerprint:016x} {sequence} {contacts}"
        )?;
        let Imported {
            rows,
            created,
            updated,
            unchanged,
            refused,
            more_values,
        } = imported;
        write!(f, " {rows} {created} {updated} {unchanged} {more_values}")?;
        for (reason, count) in refused {
            write!(f, " {reason}={count}")?;
        }
        Ok(())
    }
}

/// A text is not that of a restart point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a restart point of an import")]
#[non_exhaustive]
pub struct NotARestartPoint;

impl FromStr for RestartPoint {
    type Err = NotARestartPoint;

    /// Reads the text that [`Display`](fmt::Display) gives. White space around it is skipped.
    fn from_str(text: &str) -> Result<Self, NotARestartPoint> {
        read(text).ok_or(NotARestartPoint)
    }
}

fn read(text: &str) -> Option<RestartPoint> {
    let mut words = text.split_ascii_whitespace();
    let mut word = || words.next();
    if word()? != NAME || word()? != VERSION {
        return None;
    }
    let form = match word()? {
        "ndjson" => Form::Ndjson,
        "csv" => Form::Csv,
        _ => return None,
    };
    let mut number = || word()?.parse::<u64>().ok();
    let (bytes, lines) = (number()?, number()?);
    let (section, batch_rows) = (number()?, number()?);
    let fingerprint = u64::from_str_radix(word()?, 16).ok()?;
    let mut number = || word()?.parse::<u64>().ok();
    let (sequence, contacts) = (SequenceNumber::new(number()?), number()?);
    let mut imported = Imported {
        rows: number()?,
        created: number()?,
        updated: number()?,
        unchanged: number()?,
        more_values: number()?,
        ..Imported::default()
    };
    for refused in words {
        let (reason, count) = refused.split_once('=')?;
        let reason = super::error::reason(reason)?;
        imported.refused.insert(reason, count.parse().ok()?);
    }
    Some(RestartPoint {
        form,
        bytes,
        lines,
        section,
        batch_rows,
        fingerprint: Fingerprint(fingerprint),
        sequence,
        contacts,
        imported,
    })
}
