//! The lines of a log, read ahead on a thread of their own: waiting for the next one must not keep the
//! command from being stopped.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::failure::Failure;
use crate::stop::Stop;

use super::{is_standard_input, name_of};

/// Lines are handed over in chunks of this many bytes, or of one longer line.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks read ahead.
const CHUNKS_AHEAD: usize = 4;
/// How often it is asked whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// A line of the log that is not blank.
pub(crate) struct RawLine {
    /// Its number, counted from 1, blank lines included.
    pub(crate) number: u64,
    /// Bytes of the log up to and with it.
    pub(crate) end: u64,
    /// Its whole length in bytes.
    pub(crate) length: u64,
    /// Its bytes, as many as a request may have.
    pub(crate) text: Vec<u8>,
}

/// A log that is being read.
pub(crate) struct Log {
    chunks: Receiver<io::Result<Vec<RawLine>>>,
    bytes: Option<u64>,
    name: std::path::PathBuf,
}

impl Log {
    /// Opens a log and begins to read it. Of a line no more than `most` bytes are kept.
    pub(crate) fn open(log: &OsStr, most: usize) -> Result<Self, Failure> {
        let failed = |error| Failure::Log {
            path: name_of(log),
            error,
        };
        let (input, bytes): (Box<dyn Read + Send>, _) = match is_standard_input(log) {
            true => (Box::new(io::stdin()), None),
            false => {
                let file = File::open(log).map_err(failed)?;
                let about = file.metadata().map_err(failed)?;
                let bytes = about.is_file().then_some(about.len());
                (Box::new(file), bytes)
            }
        };
        let (send, chunks) = sync_channel(CHUNKS_AHEAD);
        let reading = thread::Builder::new().name("log".to_owned());
        let input = BufReader::with_capacity(CHUNK_BYTES, input);
        let started = reading.spawn(move || read_all(input, most, &send));
        started.map_err(Failure::Thread)?;
        Ok(Log {
            chunks,
            bytes,
            name: name_of(log),
        })
    }

    /// How long the log is, where that is known.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// The next lines; `None` at the end of the log.
    pub(crate) fn next(&self, stop: &Stop) -> Result<Option<Vec<RawLine>>, Failure> {
        loop {
            stop.check()?;
            match self.chunks.recv_timeout(PATIENCE) {
                Ok(Ok(lines)) => return Ok(Some(lines)),
                Ok(Err(error)) => {
                    return Err(Failure::Log {
                        path: self.name.clone(),
                        error,
                    });
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }
}

/// Sends all lines, or the first error. Ends early when nobody listens.
fn read_all(mut log: impl BufRead, most: usize, send: &SyncSender<io::Result<Vec<RawLine>>>) {
    let (mut number, mut end) = (0_u64, 0_u64);
    let (mut lines, mut held) = (Vec::new(), 0_usize);
    loop {
        let line = match read_line(&mut log, most) {
            Ok(line) => line,
            Err(error) => {
                // The lines before it come first.
                drop(send.send(Ok(lines)).and_then(|()| send.send(Err(error))));
                return;
            }
        };
        let Some((text, length)) = line else {
            drop(send.send(Ok(lines)));
            return;
        };
        number = number.saturating_add(1);
        end = end.saturating_add(length).saturating_add(1);
        let text = without_mark(text, number);
        if text.iter().all(|byte| b" \t\r".contains(byte)) {
            continue;
        }
        held = held.saturating_add(text.len());
        lines.push(RawLine {
            number,
            end,
            length,
            text,
        });
        if held >= CHUNK_BYTES {
            held = 0;
            if send.send(Ok(std::mem::take(&mut lines))).is_err() {
                return;
            }
        }
    }
}

/// A log may begin with a byte order mark, which is not part of the first line.
fn without_mark(mut text: Vec<u8>, number: u64) -> Vec<u8> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    if number == 1 && text.starts_with(MARK) {
        text.drain(..MARK.len());
    }
    text
}

/// Reads one line without its end, and keeps at most `most` bytes of it. Gives its whole length, too.
fn read_line(log: &mut impl BufRead, most: usize) -> io::Result<Option<(Vec<u8>, u64)>> {
    let mut text = Vec::new();
    let with_end = (most as u64).saturating_add(1);
    let read = log.by_ref().take(with_end).read_until(b'\n', &mut text)?;
    if read == 0 {
        return Ok(None);
    }
    if text.last() == Some(&b'\n') {
        text.pop();
        let length = text.len() as u64;
        return Ok(Some((text, length)));
    }
    let mut length = text.len() as u64;
    if text.len() > most {
        length = length.saturating_add(skip_line(log)?);
        text.truncate(most);
    }
    Ok(Some((text, length)))
}

/// Passes over the rest of a line. Gives how long that is, without its end.
fn skip_line(log: &mut impl BufRead) -> io::Result<u64> {
    let mut length = 0_u64;
    loop {
        let read = match log.fill_buf() {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = read.iter().position(|byte| *byte == b'\n');
        let part = end.unwrap_or(read.len());
        let ended = end.is_some() || read.is_empty();
        length = length.saturating_add(part as u64);
        log.consume(part.saturating_add(usize::from(end.is_some())));
        if ended {
            return Ok(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::read_line;

    #[test]
    fn a_line_is_kept_as_far_as_a_request_may_be_long_and_counted_whole() {
        let log = b"abc\nabcd\nabcdefgh\n\nend";
        // In pieces of every size.
        for piece in 1..12 {
            let mut log = BufReader::with_capacity(piece, log.as_slice());
            let mut lines = Vec::new();
            while let Ok(Some((text, length))) = read_line(&mut log, 4) {
                lines.push((String::from_utf8_lossy(&text).into_owned(), length));
            }
            let expected = [("abc", 3), ("abcd", 4), ("abcd", 8), ("", 0), ("end", 3)];
            let expected = expected.map(|(text, length)| (text.to_owned(), length));
            assert_eq!(lines, expected, "{piece}");
        }
    }
}
