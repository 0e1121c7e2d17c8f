//! What an import reads: a file, or standard input.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::failure::Failure;
use crate::form::is_standard;
use crate::stop::Stop;

/// A source, and its length where that is known.
pub(crate) struct Source {
    pub(crate) reader: Box<dyn Read>,
    pub(crate) bytes: Option<u64>,
}

impl Source {
    pub(crate) fn open(file: &Path, stop: &Stop) -> Result<Self, Failure> {
        if is_standard(file) {
            let reader = Box::new(StandardInput::read(stop).map_err(Failure::Thread)?);
            return Ok(Source {
                reader,
                bytes: None,
            });
        }
        let failed = |error| Failure::file(file, error);
        let opened = File::open(file).map_err(failed)?;
        let found = opened.metadata().map_err(failed)?;
        if found.is_dir() {
            return Err(failed(ErrorKind::IsADirectory.into()));
        }
        Ok(Source {
            reader: Box::new(opened),
            bytes: found.is_file().then_some(found.len()),
        })
    }
}

/// Standard input, read on a thread of its own: one that waits for input does not see a signal.
struct StandardInput {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
    stop: Stop,
}

impl StandardInput {
    fn read(stop: &Stop) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(4);
        let reading = thread::Builder::new().name("stdin".to_owned());
        reading.spawn(move || {
            loop {
                let mut piece = Vec::new();
                let read = io::stdin().lock().take(64 << 10).read_to_end(&mut piece);
                let is_last = piece.is_empty() || read.is_err();
                let sent = sender.send(read.map(|_| piece));
                if is_last || sent.is_err() {
                    return;
                }
            }
        })?;
        Ok(StandardInput {
            pieces,
            piece: io::Cursor::default(),
            stop: stop.clone(),
        })
    }
}

impl Read for StandardInput {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.piece.read(to)?;
        if read > 0 || to.is_empty() {
            return Ok(read);
        }
        loop {
            if self.stop.check().is_err() {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            match self.pieces.recv_timeout(Duration::from_millis(100)) {
                Ok(piece) => {
                    self.piece = io::Cursor::new(piece?);
                    return self.piece.read(to);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}
