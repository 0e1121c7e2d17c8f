//! The lines of a source, and how far it was read.
//!
//! This module does not know what a line holds.

use std::io::{self, BufRead as _, BufReader, Read};
use std::ops::Range;

use super::super::restart::Fingerprint;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// How far a source was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) fingerprint: Fingerprint,
}

/// A line that was read.
pub(super) struct ReadLine {
    /// Where it is among the lines that were kept, without its end.
    pub(super) at: Range<usize>,
    /// It has more bytes than a line may have, and only its beginning was kept.
    pub(super) is_too_long: bool,
    /// It ends with an end of line, and not just with the source.
    pub(super) is_whole: bool,
}

/// The lines of a source.
pub(super) struct Lines<R> {
    source: BufReader<R>,
    most_bytes: usize,
    pub(super) position: Position,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R, most_bytes: usize) -> Self {
        Lines {
            source: BufReader::with_capacity(BUFFER_BYTES, source),
            most_bytes,
            position: Position::default(),
        }
    }

    /// Reads the next line to the end of `to`. `None` at the end of the source.
    pub(super) fn next(&mut self, to: &mut Vec<u8>) -> io::Result<Option<ReadLine>> {
        let start = to.len();
        // With its end.
        let most = self.most_bytes.saturating_add(1) as u64;
        let mut read = (&mut self.source).take(most).read_until(b'\n', to)? as u64;
        if read == 0 {
            return Ok(None);
        }
        let mut is_whole = to.last() == Some(&b'\n');
        if is_whole {
            to.pop();
        }
        let is_too_long = to.len().saturating_sub(start) > self.most_bytes;
        if is_too_long {
            to.truncate(start.saturating_add(self.most_bytes));
            let skipped = self.skip_line()?;
            read = read.saturating_add(skipped.0);
            is_whole = skipped.1;
        }
        let at = start..to.len();
        let position = &mut self.position;
        position.bytes = position.bytes.saturating_add(read);
        position.lines = position.lines.saturating_add(1);
        position
            .fingerprint
            .add(to.get(at.clone()).unwrap_or_default());
        Ok(Some(ReadLine {
            at,
            is_too_long,
            is_whole,
        }))
    }

    /// Whether there is no line any more.
    pub(super) fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.source.fill_buf()?.is_empty())
    }

    /// Reads on to the end of the line. Gives how many bytes that took, and whether the line has an end.
    fn skip_line(&mut self) -> io::Result<(u64, bool)> {
        let mut skipped = 0_u64;
        loop {
            let buffer = match self.source.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end.saturating_add(1));
            let is_last = end.is_some() || buffer.is_empty();
            self.source.consume(taken);
            skipped = skipped.saturating_add(taken as u64);
            if is_last {
                return Ok((skipped, end.is_some()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a text, as far as they are kept, with `!` where one is cut and `?` where one has
    /// no end; and where the source stands then.
    fn lines(text: &str, most: usize) -> io::Result<(Vec<String>, Position)> {
        let mut lines = Lines::new(text.as_bytes(), most);
        let (mut kept, mut read) = (Vec::new(), Vec::new());
        while let Some(line) = lines.next(&mut kept)? {
            let text = String::from_utf8_lossy(kept.get(line.at).unwrap_or_default());
            let cut = if line.is_too_long { "!" } else { "" };
            let open = if line.is_whole { "" } else { "?" };
            read.push(format!("{text}{cut}{open}"));
        }
        Ok((read, lines.position))
    }

    #[test]
    fn lines_are_cut_at_the_bound_and_counted_whole() -> io::Result<()> {
        for (text, expected) in [
            ("", vec![]),
            ("a", vec!["a?"]),
            ("a\n", vec!["a"]),
            ("\n\n", vec!["", ""]),
            ("abcd\nabc", vec!["abcd", "abc?"]),
            ("abcde\nab\n", vec!["abcd!", "ab"]),
            ("abcd", vec!["abcd?"]),
            ("abcde", vec!["abcd!?"]),
            ("abcdefghi\n", vec!["abcd!"]),
        ] {
            let (read, position) = lines(text, 4)?;
            assert_eq!(read, expected, "{text:?}");
            assert_eq!(position.bytes, text.len() as u64, "{text:?}");
            assert_eq!(position.lines, expected.len() as u64, "{text:?}");
        }
        Ok(())
    }
}
