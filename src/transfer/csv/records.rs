//! The rows of a CSV text, one at a time, with their bytes.
//!
//! A row is bounded: a quote that somebody forgot does not swallow the rest of the source. This module
//! does not know what a cell means.

use std::io::{self, Read};
use std::str;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::limits::{CSV_COLUMNS, CSV_ROW_BYTES};

use super::super::restart::Fingerprint;
use super::error::CsvError;
use super::source::Source;

/// Reads a source row by row.
pub(super) struct Records<R> {
    source: Source<R>,
    buffer: Vec<u8>,
    /// Where in the buffer the present row begins, or the next one.
    start: usize,
    /// The bytes of the present row with the end of its line.
    len: usize,
    parser: Reader,
    cells: Cells,
    /// Bytes of text before the present row.
    bytes: u64,
    /// The line of the present row, counted from 1.
    line: u64,
    fingerprint: Fingerprint,
    /// Whether what follows is still the line of a row that was too long.
    in_long_line: bool,
    most_bytes: usize,
}

/// The cells of one row, one after another.
struct Cells {
    text: Vec<u8>,
    text_len: usize,
    ends: Vec<usize>,
    count: usize,
}

/// Why a row has no cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    UnclosedQuote,
    TooLong,
}

/// A row as it stands in the source.
#[derive(Clone, Copy)]
pub(super) struct Row<'r> {
    /// The line on which it begins, counted from 1.
    pub(super) line: u64,
    /// Its bytes without the end of the line. Of one that is too long, the beginning.
    pub(super) bytes: &'r [u8],
    text: &'r [u8],
    ends: &'r [usize],
    /// The number of its cells.
    pub(super) count: usize,
}

impl<'r> Row<'r> {
    /// The cells, as many as [`CSV_COLUMNS`].
    pub(super) fn cells(self) -> Result<impl Iterator<Item = &'r str>, CsvError> {
        let read = |bytes| str::from_utf8(bytes).map_err(|_| CsvError::NotText);
        read(self.bytes)?;
        let text = read(self.text)?;
        let mut from = 0;
        Ok(self.ends.iter().map(move |end| {
            let cell = text.get(from..*end).unwrap_or_default();
            from = *end;
            cell
        }))
    }
}

impl<R: Read> Records<R> {
    /// The rows of a source after its first, whose delimiter is not known yet.
    pub(super) fn new(source: Source<R>, fingerprint: Fingerprint) -> Self {
        Records {
            source,
            buffer: Vec::new(),
            start: 0,
            len: 0,
            parser: Reader::new(),
            cells: Cells {
                text: vec![0; 4_096],
                text_len: 0,
                ends: vec![0; 64],
                count: 0,
            },
            bytes: 0,
            line: 1,
            fingerprint,
            in_long_line: false,
            most_bytes: CSV_ROW_BYTES,
        }
    }

    /// Reads the present row again, by another delimiter. Those after it have that one too.
    pub(super) fn again(&mut self, delimiter: u8) -> io::Result<Option<Unreadable>> {
        self.parser = ReaderBuilder::new().delimiter(delimiter).build();
        self.parse()
    }

    /// Goes on to the next row. Answers `None` at the end, otherwise why it has no cells, if it has none.
    pub(super) fn next(&mut self) -> io::Result<Option<Option<Unreadable>>> {
        self.pass(self.len);
        self.len = 0;
        while self.in_long_line {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.skip(end);
                    self.in_long_line = false;
                }
                None => {
                    self.skip(rest.len());
                    if !self.more()? {
                        return Ok(None);
                    }
                }
            }
        }
        loop {
            match self.buffer.get(self.start).copied() {
                Some(b'\r' | b'\n') => self.pass(1),
                Some(_) => break,
                None if self.more()? => {}
                None => return Ok(None),
            }
        }
        self.parse().map(Some)
    }

    /// The present row.
    pub(super) fn row(&self) -> Row<'_> {
        let end = self.start.saturating_add(self.len);
        let bytes = self.buffer.get(self.start..end).unwrap_or_default();
        let bytes = bytes.get(..without_end(bytes)).unwrap_or_default();
        let Cells {
            text,
            text_len,
            ends,
            count,
        } = &self.cells;
        Row {
            line: self.line,
            bytes,
            text: text.get(..*text_len).unwrap_or_default(),
            ends: ends.get(..(*count).min(CSV_COLUMNS)).unwrap_or_default(),
            count: *count,
        }
    }

    /// The bytes up to the end of the present row, the line after it, and the hash of all that.
    pub(super) fn place(&self) -> (u64, u64, Fingerprint) {
        let (mut fingerprint, mut line) = (self.fingerprint, self.line);
        let end = self.start.saturating_add(self.len);
        let row = self.buffer.get(self.start..end).unwrap_or_default();
        fingerprint.add(row);
        line = line.saturating_add(lines(row));
        (self.end(), line, fingerprint)
    }

    /// The bytes up to the end of the present row.
    pub(super) fn end(&self) -> u64 {
        self.bytes.saturating_add(self.len as u64)
    }

    /// The bytes of the source that were read, which may be ahead of the rows.
    pub(super) fn bytes_read(&self) -> u64 {
        self.source.bytes_read()
    }

    fn parse(&mut self) -> io::Result<Option<Unreadable>> {
        (self.cells.text_len, self.cells.count) = (0, 0);
        self.len = 0;
        loop {
            let at = self.start.saturating_add(self.len);
            let at_end = at >= self.buffer.len() && !self.more()?;
            let at = self.start.saturating_add(self.len);
            // What the last row lacks at its end, unless a quote is open.
            let input = match at_end {
                true => b"\n",
                false => self.buffer.get(at..).unwrap_or_default(),
            };
            let (result, read) = self.cells.read(&mut self.parser, input);
            if !at_end {
                self.len = self.len.saturating_add(read);
            }
            match result {
                ReadRecordResult::Record if self.row().bytes.len() <= self.most_bytes => {
                    return Ok(None);
                }
                ReadRecordResult::InputEmpty if at_end => return Ok(Some(self.one_line())),
                ReadRecordResult::InputEmpty if self.len <= self.most_bytes.saturating_add(2) => {}
                ReadRecordResult::Record | ReadRecordResult::InputEmpty => {
                    return Ok(Some(self.one_line()));
                }
                ReadRecordResult::OutputFull => self.cells.more_text(),
                ReadRecordResult::OutputEndsFull => self.cells.more_ends(),
                // Only for no input at all.
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// Makes the present row end with its first line, because a quote in it is not closed, or because it
    /// is too long.
    fn one_line(&mut self) -> Unreadable {
        self.parser.reset();
        (self.cells.text_len, self.cells.count) = (0, 0);
        let most = self.len.min(self.most_bytes.saturating_add(2));
        let row = self.start..self.start.saturating_add(most);
        let row = self.buffer.get(row).unwrap_or_default();
        if let Some(end) = row.iter().position(|byte| *byte == b'\n') {
            self.len = end.saturating_add(1);
            return Unreadable::UnclosedQuote;
        }
        if self.len > self.most_bytes {
            self.len = self.most_bytes;
            self.in_long_line = true;
            return Unreadable::TooLong;
        }
        Unreadable::UnclosedQuote
    }

    /// Passes over bytes that count.
    fn pass(&mut self, bytes: usize) {
        let end = self.start.saturating_add(bytes);
        if let Some(passed) = self.buffer.get(self.start..end) {
            self.fingerprint.add(passed);
        }
        self.skip(bytes);
    }

    /// Passes over the end of a line that is too long, which is read in pieces of any length.
    fn skip(&mut self, bytes: usize) {
        let end = self.start.saturating_add(bytes);
        if let Some(passed) = self.buffer.get(self.start..end) {
            self.line = self.line.saturating_add(lines(passed));
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.start = end;
    }

    /// Reads more of the source. Answers `false` at its end.
    fn more(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.start = 0;
        let before = self.buffer.len();
        while self.source.read(&mut self.buffer)? {
            if self.buffer.len() > before {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Cells {
    /// Reads a piece of a row. Answers what came of it and the bytes that it took.
    fn read(&mut self, parser: &mut Reader, input: &[u8]) -> (ReadRecordResult, usize) {
        let mut over = [0_usize; 64];
        let text = self.text.get_mut(self.text_len..).unwrap_or_default();
        let ends = match self.count < CSV_COLUMNS {
            true => self.ends.get_mut(self.count..).unwrap_or_default(),
            // Those beyond are only counted.
            false => &mut over[..],
        };
        let (result, read, written, ended) = parser.read_record(input, text, ends);
        self.text_len = self.text_len.saturating_add(written);
        self.count = self.count.saturating_add(ended);
        (result, read)
    }

    fn more_text(&mut self) {
        let twice = self.text.len().saturating_mul(2);
        self.text.resize(twice, 0);
    }

    fn more_ends(&mut self) {
        let twice = self.ends.len().saturating_mul(2).min(CSV_COLUMNS);
        self.ends.resize(twice, 0);
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The length of a row without the end of its line.
fn without_end(row: &[u8]) -> usize {
    let row = row.strip_suffix(b"\n").unwrap_or(row);
    row.strip_suffix(b"\r").unwrap_or(row).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = (u64, Vec<u8>, Result<Vec<String>, Option<Unreadable>>);

    /// All rows of a text: line, bytes, cells.
    fn all(text: &[u8], most_bytes: usize) -> Vec<Seen> {
        let mut records = Records::new(Source::new(text, None), Fingerprint::default());
        records.most_bytes = most_bytes;
        let mut seen = Vec::new();
        while let Ok(Some(unreadable)) = records.next() {
            let row = records.row();
            let cells = match unreadable {
                Some(_) => Err(unreadable),
                None => row
                    .cells()
                    .map(|cells| cells.map(str::to_owned).collect())
                    .map_err(|_| None),
            };
            seen.push((row.line, row.bytes.to_vec(), cells));
        }
        seen
    }

    fn row(line: u64, bytes: &str, cells: &[&str]) -> Seen {
        let cells = cells.iter().map(|cell| (*cell).to_owned()).collect();
        (line, bytes.into(), Ok(cells))
    }

    fn unreadable(line: u64, bytes: &str, why: Unreadable) -> Seen {
        (line, bytes.into(), Err(Some(why)))
    }

    #[test]
    fn rows_end_with_any_end_of_a_line_and_know_their_line_and_bytes() {
        let text = "a,b\r\n\r\n\"x\ny\",\"say \"\"hi\"\"\"\nc,\n\n\nlast,one";
        assert_eq!(
            all(text.as_bytes(), 100),
            [
                row(1, "a,b", &["a", "b"]),
                row(3, "\"x\ny\",\"say \"\"hi\"\"\"", &["x\ny", "say \"hi\""]),
                row(5, "c,", &["c", ""]),
                row(8, "last,one", &["last", "one"]),
            ]
        );
        assert_eq!(all(b"", 100), []);
        assert_eq!(all(b"\r\n\n", 100), []);
        assert_eq!(
            all(b"a\rb", 100),
            [row(1, "a", &["a"]), row(1, "b", &["b"])]
        );
    }

    #[test]
    fn a_quote_that_does_not_end_costs_its_line_alone() {
        let text = "a,\"b\nc,d\ne,f\n";
        let rest = [row(2, "c,d", &["c", "d"]), row(3, "e,f", &["e", "f"])];
        let expected = [
            &[unreadable(1, "a,\"b", Unreadable::UnclosedQuote)][..],
            &rest,
        ]
        .concat();
        assert_eq!(all(text.as_bytes(), 100), expected);
        // Also where the end of the source is far.
        assert_eq!(all(text.as_bytes(), 8), expected);
        assert_eq!(
            all(b"\"", 8),
            [unreadable(1, "\"", Unreadable::UnclosedQuote)]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let text = format!("{}\na,b\n", "x".repeat(200_000));
        let seen = all(text.as_bytes(), 10);
        let long = unreadable(1, &"x".repeat(10), Unreadable::TooLong);
        assert_eq!(seen, [long.clone(), row(2, "a,b", &["a", "b"])]);
        assert_eq!(all(&vec![b'x'; 200_000], 10), [long]);
        assert_eq!(all(b"0123456789\r\nx", 10).len(), 2);
        assert_eq!(
            all(b"0123456789", 10),
            [row(1, "0123456789", &["0123456789"])]
        );
    }

    #[test]
    fn a_row_that_is_not_text_costs_itself_alone() {
        let seen = all(b"a,\xC3\nb,\xD0,\x97\nc,d\n", 100);
        assert_eq!(seen.first(), Some(&(1, b"a,\xC3".to_vec(), Err(None))));
        assert_eq!(seen.get(1), Some(&(2, b"b,\xD0,\x97".to_vec(), Err(None))));
        assert_eq!(seen.get(2), Some(&row(3, "c,d", &["c", "d"])));
    }

    #[test]
    fn cells_beyond_the_bound_are_counted_and_not_kept() {
        let text = ",".repeat(CSV_COLUMNS + 999);
        let mut records = Records::new(Source::new(text.as_bytes(), None), Fingerprint::default());
        assert!(matches!(records.next(), Ok(Some(None))));
        let row = records.row();
        assert_eq!(row.count, CSV_COLUMNS + 1_000);
        assert_eq!(row.cells().map(Iterator::count), Ok(CSV_COLUMNS));
    }

    #[test]
    fn the_hash_does_not_depend_on_how_the_source_is_read() {
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                (&mut self.0).take(1).read(to)
            }
        }
        let text = [b"a,b\n\n\"x\ny\"\n\"", &[b'x'; 90_000][..], b"\nq,\"r\ns\n"].concat();
        let places = |source: &mut dyn Read| {
            let mut records = Records::new(Source::new(source, None), Fingerprint::default());
            records.most_bytes = 1_000;
            let mut places = Vec::new();
            while let Ok(Some(_)) = records.next() {
                places.push(records.place());
            }
            places
        };
        let at_once = places(&mut &text[..]);
        assert_eq!(at_once.len(), 5);
        assert_eq!(places(&mut Slow(&text)), at_once);
    }
}
