//! The log: read and parsed ahead, on a thread of its own.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use contact_store::wire::{self, Line};
use contact_store::{Error, Limits};

use super::lines::{is_blank, line_of_log, read_line};

/// Lines are read ahead in chunks of this many bytes, or of one longer line.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks read ahead.
const CHUNKS_AHEAD: usize = 4;

/// Opens the log. Gives its length too, where it has one.
pub(crate) fn open(log: &OsString) -> io::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if log == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(log)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let bytes = about.is_file().then_some(about.len());
    Ok((Box::new(file), bytes))
}

/// A line of the log, read and parsed.
pub(crate) struct Parsed {
    /// Its number, counted from 1, blank lines included.
    pub(crate) number: u64,
    /// Bytes of the log up to and with it.
    pub(crate) end: u64,
    /// Its own bytes, as far as they were kept.
    pub(crate) bytes: usize,
    pub(crate) line: Result<Line, Error>,
}

/// What the reading thread sends.
pub(crate) enum Chunk {
    Lines(Vec<Parsed>),
    End,
    Failed(io::Error),
}

/// Reads and parses lines until the log ends or the receiver is gone.
fn read(mut log: BufReader<impl Read>, limits: Limits, to_replay: &SyncSender<Chunk>) {
    let mut text = Vec::new();
    let (mut number, mut end) = (0_u64, 0_u64);
    let (mut lines, mut bytes_held) = (Vec::new(), 0_usize);
    let last = loop {
        // The next line may be long in coming: the answers to these must not wait for it.
        let would_wait = !log.buffer().contains(&b'\n');
        if !lines.is_empty() && (would_wait || bytes_held >= CHUNK_BYTES) {
            bytes_held = 0;
            let chunk = Chunk::Lines(std::mem::take(&mut lines));
            if to_replay.send(chunk).is_err() {
                return;
            }
        }
        text.clear();
        let bytes = match read_line(&mut log, limits.request_text_bytes, &mut text) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break Chunk::End,
            Err(error) => break Chunk::Failed(error),
        };
        number = number.saturating_add(1);
        end = end.saturating_add(bytes).saturating_add(1);
        let text = line_of_log(&text, number);
        let line = match wire::check_request_size(bytes, &limits) {
            Err(exceeded) => Err(exceeded.into()),
            Ok(()) if is_blank(text) => continue,
            Ok(()) => Line::parse(text, &limits),
        };
        bytes_held = bytes_held.saturating_add(text.len());
        lines.push(Parsed {
            number,
            end,
            bytes: text.len(),
            line,
        });
    };
    // When nobody listens any more, nobody needs to know.
    drop(to_replay.send(last));
}

/// Starts the thread that reads a log. It ends when the log does, or when the receiver is gone.
pub(crate) fn read_ahead(
    input: impl Read + Send + 'static,
    limits: Limits,
) -> io::Result<Receiver<Chunk>> {
    let (to_replay, log) = sync_channel(CHUNKS_AHEAD);
    let input = BufReader::with_capacity(1 << 18, input);
    thread::Builder::new()
        .name("replay-read".to_owned())
        .spawn(move || read(input, limits, &to_replay))?;
    Ok(log)
}
