//! The text of a source: bytes in an encoding, read as UTF-8.
//!
//! This module does not know what a row is.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

/// What stands in the text for bytes that mean nothing in the encoding. No UTF-8 holds this byte, so the
/// row around it is seen not to be text.
pub(super) const NOT_TEXT: u8 = 0xFF;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// A source, and how to read it.
pub(super) struct Source<R> {
    reader: R,
    /// The encoding that the caller names.
    named: Option<&'static Encoding>,
    state: State,
    /// Room for bytes that are not decoded yet.
    chunk: Vec<u8>,
    bytes_read: u64,
}

enum State {
    /// Nothing is read.
    New,
    /// UTF-8 is passed on as it is: a row that is not text keeps its bytes.
    Utf8,
    Encoded(Decoder),
    Ended,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R, named: Option<&'static Encoding>) -> Self {
        Source {
            reader,
            named,
            state: State::New,
            chunk: Vec::new(),
            bytes_read: 0,
        }
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Adds the next piece of text to `text`. Answers `false` at the end of the source.
    pub(super) fn read(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        if matches!(self.state, State::New) {
            return self.begin(text);
        }
        match &mut self.state {
            State::Utf8 => {
                let read = read_chunk(&mut self.reader, text)?;
                self.bytes_read = self.bytes_read.saturating_add(read as u64);
                if read == 0 {
                    self.state = State::Ended;
                }
                Ok(read > 0)
            }
            State::Encoded(decoder) => {
                self.chunk.clear();
                let read = read_chunk(&mut self.reader, &mut self.chunk)?;
                self.bytes_read = self.bytes_read.saturating_add(read as u64);
                decode(decoder, &self.chunk, read == 0, text);
                if read == 0 {
                    self.state = State::Ended;
                }
                Ok(true)
            }
            State::New | State::Ended => Ok(false),
        }
    }

    /// Reads until a byte order mark would be complete, and decides what the encoding is. A mark decides
    /// before the caller.
    fn begin(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        const LONGEST_MARK: usize = 3;
        let mut first = Vec::new();
        while first.len() < LONGEST_MARK && read_chunk(&mut self.reader, &mut first)? > 0 {}
        self.bytes_read = first.len() as u64;
        let (encoding, mark) = match Encoding::for_bom(&first) {
            Some((encoding, mark)) => (encoding, mark),
            None => (self.named.unwrap_or(UTF_8), 0),
        };
        let first = first.get(mark..).unwrap_or_default();
        if encoding == UTF_8 {
            self.state = State::Utf8;
            text.extend_from_slice(first);
            return Ok(true);
        }
        let mut decoder = encoding.new_decoder_without_bom_handling();
        decode(&mut decoder, first, false, text);
        self.state = State::Encoded(decoder);
        Ok(true)
    }
}

/// Adds what one read gives, and answers how many bytes that is.
fn read_chunk(reader: &mut impl Read, to: &mut Vec<u8>) -> io::Result<usize> {
    let before = to.len();
    to.resize(before.saturating_add(CHUNK), 0);
    let room = to.get_mut(before..).unwrap_or_default();
    let read = loop {
        match reader.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read,
        }
    };
    let kept = *read.as_ref().unwrap_or(&0);
    to.truncate(before.saturating_add(kept));
    read
}

/// Decodes all of `bytes`.
fn decode(decoder: &mut Decoder, mut bytes: &[u8], last: bool, text: &mut Vec<u8>) {
    loop {
        let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
        let room = most.unwrap_or(CHUNK).max(16);
        let before = text.len();
        text.resize(before.saturating_add(room), 0);
        let to = text.get_mut(before..).unwrap_or_default();
        let (result, read, written) = decoder.decode_to_utf8_without_replacement(bytes, to, last);
        text.truncate(before.saturating_add(written));
        bytes = bytes.get(read..).unwrap_or_default();
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => text.push(NOT_TEXT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(to.len());
            let (now, later) = self.0.split_at(most.min(self.0.len()));
            to.get_mut(..now.len())
                .unwrap_or_default()
                .copy_from_slice(now);
            self.0 = later;
            Ok(now.len())
        }
    }

    #[track_caller]
    fn reads(bytes: &[u8], named: Option<&str>, expected: &[u8]) {
        let named = named.and_then(|name| Encoding::for_label(name.as_bytes()));
        for at_once in [1, 2, 3, 7, CHUNK] {
            let mut source = Source::new(Slow(bytes, at_once), named);
            let mut text = Vec::new();
            while source.read(&mut text).is_ok_and(|more| more) {}
            assert_eq!(text, expected, "{at_once} bytes at once");
        }
    }

    fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn r70_a_mark_decides_the_encoding() {
        let text = "phone,ім'я 👋\n";
        for (name, marked) in [
            ("utf-8", [b"\xEF\xBB\xBF", text.as_bytes()].concat()),
            (
                "utf-16le",
                utf_16(&format!("\u{FEFF}{text}"), u16::to_le_bytes),
            ),
            (
                "utf-16be",
                utf_16(&format!("\u{FEFF}{text}"), u16::to_be_bytes),
            ),
        ] {
            reads(&marked, None, text.as_bytes());
            reads(&marked, Some(name), text.as_bytes());
            reads(&marked, Some("windows-1251"), text.as_bytes());
        }
    }

    #[test]
    fn r70_without_a_mark_the_named_encoding_is_read_otherwise_utf_8() {
        reads("Зоя".as_bytes(), None, "Зоя".as_bytes());
        reads(b"\xC7\xEE\xFF", Some("windows-1251"), "Зоя".as_bytes());
        reads(
            &utf_16("Зоя", u16::to_le_bytes),
            Some("utf-16le"),
            "Зоя".as_bytes(),
        );
        for short in [&b""[..], b"a", b"\xEF\xBB"] {
            reads(short, None, short);
        }
    }

    #[test]
    fn bytes_that_mean_nothing_are_marked_and_the_rest_is_read() {
        reads(b"a\xC3\n", None, b"a\xC3\n");
        let mut bytes = utf_16("\u{FEFF}a", u16::to_le_bytes);
        bytes.extend(0xD800_u16.to_le_bytes());
        bytes.extend(utf_16("b", u16::to_le_bytes));
        reads(&bytes, None, b"a\xFFb");
        bytes.push(0);
        reads(&bytes, None, b"a\xFFb\xFF");
    }
}
