//! What the programs that take one JSON line after the other share: reading a line, and knowing when
//! the store takes no more.
//!
//! Nothing here knows what a line says.

use std::io::{self, BufRead, ErrorKind};

use contact_store::Error;

/// Reads one line without its end, and keeps at most `most` bytes of it. Gives its whole length, or
/// `None` at the end of the log.
///
/// # Errors
///
/// What reading the log gave.
pub fn read_line(
    log: &mut impl BufRead,
    most: usize,
    text: &mut Vec<u8>,
) -> io::Result<Option<u64>> {
    let mut length = None::<u64>;
    loop {
        let read = match log.fill_buf() {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read.is_empty() {
            return Ok(length);
        }
        let mut parts = read.splitn(2, |byte| *byte == b'\n');
        let part = parts.next().unwrap_or_default();
        let ended = parts.next().is_some();
        let room = most.saturating_sub(text.len());
        text.extend(part.iter().take(room));
        let sum = length.unwrap_or(0).saturating_add(part.len() as u64);
        length = Some(sum);
        let consumed = part.len().saturating_add(usize::from(ended));
        log.consume(consumed);
        if ended {
            return Ok(length);
        }
    }
}

/// The text of a line: the first may begin with a byte order mark, which is no part of it.
#[must_use]
pub fn line_of_log(line: &[u8], number: u64) -> &[u8] {
    match line.strip_prefix(b"\xEF\xBB\xBF") {
        Some(line) if number == 1 => line,
        _ => line,
    }
}

/// Whether a line holds nothing but the white space of JSON.
#[must_use]
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| b" \t\r".contains(byte))
}

/// Whether an error is the store's and not the line's, so that no later line can fare better.
#[must_use]
pub fn takes_no_more(error: &Error) -> bool {
    matches!(
        error,
        Error::Indeterminate { .. }
            | Error::NeedsReopen
            | Error::FileMoved
            | Error::Closed
            | Error::SnapshotExpired
            | Error::Storage(_)
    )
}
