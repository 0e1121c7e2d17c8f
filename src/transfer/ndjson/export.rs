//! Writing a whole store as NDJSON.

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::model::app::AppNumber;
use crate::model::identifier::ContactId;
use crate::model::report::MessageId;
use crate::model::subscriber::SubscriberId;
use crate::operations::take_over::Start;
use crate::snapshot::Snapshot;
use crate::storage::{self, AppPhase, AppRow, Rows as _};
use crate::wire::exported as line;

use super::super::error::TransferError;
use super::super::exported::{ExportProgress, Exported};

/// What an export holds besides what it always does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportOptions {
    access_keys: bool,
}

impl ExportOptions {
    /// Also exports the access keys of the apps, which are secrets
    /// ([R12](crate::rulebook#r12)). Without them, the imported apps have no key until the host
    /// connects them with one.
    #[must_use]
    pub const fn access_keys(mut self, export: bool) -> Self {
        self.access_keys = export;
        self
    }
}

/// Writes everything that a snapshot shows as NDJSON, in the [form](crate::transfer#ndjson) that
/// [`import_ndjson`](crate::transfer::import_ndjson) reads ([R70](crate::rulebook#r70)).
///
/// The text is personal data. Of an app that was disconnected it holds the id alone.
///
/// Writes to the store go on meanwhile. Memory is bounded however large the store is. `to` gets some
/// 256 KiB at a time, and needs no buffer of its own. It is flushed at the end.
///
/// `progress` is called after each of these. It cancels the export by returning
/// [`ControlFlow::Break`].
///
/// ```
/// # use contact_store::*;
/// # use contact_store::transfer::{ExportOptions, ImportOptions, export_ndjson, import_ndjson};
/// # use std::ops::ControlFlow;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = ContactStore::open_in_memory(Options::default())?;
/// # let ann = ContactUpdate::new().email("ann@example.com");
/// # store.upsert(Upsert::new(DedupeOn::Email).contact(ann)).wait()?;
/// let mut text = Vec::new();
/// let exported = export_ndjson(&store.snapshot()?, &mut text, ExportOptions::default(), |progress| {
///     println!("{} of {} rows", progress.rows, progress.of);
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!((exported.contacts, exported.bytes), (1, text.len() as u64));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`TransferError::Writing`] when `to` fails; [`TransferError::Cancelled`] when `progress` cancels;
/// [`TransferError::Store`] when the store cannot be read. What was written is then cut off, which an
/// import notices.
pub fn export_ndjson(
    now: &Snapshot,
    to: impl Write,
    options: ExportOptions,
    progress: impl FnMut(ExportProgress) -> ControlFlow<()>,
) -> Result<Exported, TransferError> {
    let counts = now.tables().counts();
    let mut export = Export {
        now,
        to,
        progress,
        text: Vec::new(),
        lines: 0,
        contacts: 0,
        told: ExportProgress {
            rows: 0,
            of: counts.contacts.saturating_add(counts.subscribers),
            bytes: 0,
        },
    };
    export.beginning(options)?;
    export.contacts()?;
    let connected = export.connected()?;
    for app in &connected {
        export.subscribers(app.number)?;
    }
    for app in &connected {
        export.messages(app.number)?;
    }
    export.merges()?;
    line::end(&mut export.text, export.lines);
    export.lines = export.lines.saturating_add(1);
    export.write()?;
    let flushed = export.to.flush();
    flushed.map_err(|error| TransferError::Writing(Arc::new(error)))?;
    Ok(Exported {
        sequence: now.sequence(),
        contacts: export.contacts,
        rows: export.lines,
        bytes: export.told.bytes,
    })
}

/// Bytes that are written at a time. Memory takes this much, and a line.
const PART_BYTES: usize = 256 << 10;

/// Runs of taken contact ids in one line, and rows of apps and ids that are read at a time.
const RUNS: usize = 500;

struct Export<'n, W, P> {
    now: &'n Snapshot,
    to: W,
    progress: P,
    /// Lines that are not written yet.
    text: Vec<u8>,
    lines: u64,
    contacts: u64,
    told: ExportProgress,
}

impl<W: Write, P: FnMut(ExportProgress) -> ControlFlow<()>> Export<'_, W, P> {
    /// Writes what is there. The caller's functions are called here alone, while the storage engine is
    /// not at work.
    fn write(&mut self) -> Result<(), TransferError> {
        let written = self.to.write_all(&self.text);
        written.map_err(|error| TransferError::Writing(Arc::new(error)))?;
        self.told.bytes = self.told.bytes.saturating_add(self.text.len() as u64);
        self.text.clear();
        match (self.progress)(self.told) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(TransferError::Cancelled),
        }
    }

    fn write_if_full(&mut self) -> Result<(), TransferError> {
        if self.text.len() < PART_BYTES {
            return Ok(());
        }
        self.write()
    }

    fn count_line(&mut self) {
        self.lines = self.lines.saturating_add(1);
    }

    fn connected(&self) -> Result<Vec<AppRow>, TransferError> {
        let apps = self.now.reading(storage::apps(self.now.tables()))?;
        Ok(apps.into_iter().map(|(_, app, _)| app).collect())
    }

    /// The counters, the apps, and the ids that are or were in use.
    fn beginning(&mut self, options: ExportOptions) -> Result<(), TransferError> {
        let (now, tables) = (self.now, self.now.tables());
        let state = tables.state();
        let start = Start {
            next_contact: state.next_contact,
            next_app: state.next_app,
        };
        line::start(&mut self.text, state.sequence.value(), start);
        self.count_line();
        for (number, tally) in now.reading(storage::app_tallies(tables))? {
            if tally.phase == AppPhase::Connected {
                let app: AppRow = now.reading(tables.expect_row(&tally.app))?;
                let key = app.key.as_ref().filter(|_| options.access_keys);
                line::app(&mut self.text, tally.app, &app, &tally, key);
            } else {
                line::former_app(&mut self.text, number, &tally);
            }
            self.count_line();
            self.write_if_full()?;
        }
        let mut after = None;
        loop {
            let runs = now.reading(storage::taken_ids_after(tables, after, RUNS))?;
            let Some((last, _)) = runs.last() else { break };
            after = Some(*last);
            line::taken_ids(&mut self.text, &runs);
            self.count_line();
            self.write_if_full()?;
        }
        let mut after: Option<SubscriberId> = None;
        loop {
            let ids = now.reading(storage::former_ids_after(tables, after, RUNS))?;
            let Some((last, _)) = ids.last() else { break };
            after = Some(*last);
            for (former, present) in &ids {
                line::former_id(&mut self.text, *former, *present);
                self.count_line();
            }
            self.write_if_full()?;
        }
        Ok(())
    }

    fn contacts(&mut self) -> Result<(), TransferError> {
        let tables = self.now.tables();
        let directory = tables.directory();
        let mut after: Option<ContactId> = None;
        loop {
            let mut is_last = true;
            let text = &mut self.text;
            let mut count = 0_u64;
            let read = storage::visit_cards_after(tables, after, |id, mut card| {
                // Tokens of a disconnected app wait to be removed, and are not shown (R11).
                card.tokens
                    .retain(|held| directory.app(held.app()).is_some());
                line::contact(text, id, &card);
                count = count.saturating_add(1);
                after = Some(id);
                is_last = text.len() < PART_BYTES;
                is_last
            });
            self.now.reading(read)?;
            self.contacts = self.contacts.saturating_add(count);
            self.rows_done(count);
            if is_last {
                return Ok(());
            }
            self.write()?;
        }
    }

    fn merges(&mut self) -> Result<(), TransferError> {
        let tables = self.now.tables();
        let mut after = None;
        while let Some((into, merges)) = self.now.reading(storage::merges_after(tables, after))? {
            after = Some(into);
            for (merged, row) in &merges {
                line::merge(&mut self.text, *merged, into, row);
                self.count_line();
            }
            self.write_if_full()?;
        }
        Ok(())
    }

    fn rows_done(&mut self, count: u64) {
        self.lines = self.lines.saturating_add(count);
        self.told.rows = self.told.rows.saturating_add(count);
    }

    fn subscribers(&mut self, app: AppNumber) -> Result<(), TransferError> {
        let tables = self.now.tables();
        let mut after: Option<SubscriberId> = None;
        loop {
            let mut is_last = true;
            let text = &mut self.text;
            let mut count = 0_u64;
            let read =
                storage::visit_subscribers_after(tables, app, after, |id, subscriber, holders| {
                    line::subscriber(text, id, &subscriber, holders);
                    count = count.saturating_add(1);
                    after = Some(id);
                    is_last = text.len() < PART_BYTES;
                    is_last
                });
            self.now.reading(read)?;
            self.rows_done(count);
            if is_last {
                return Ok(());
            }
            self.write()?;
        }
    }

    fn messages(&mut self, app: AppNumber) -> Result<(), TransferError> {
        let tables = self.now.tables();
        let mut after: Option<MessageId> = None;
        loop {
            let mut is_last = true;
            let text = &mut self.text;
            let mut count = 0_u64;
            let mut last = None;
            let read = storage::visit_messages_after(tables, app, after.as_ref(), |key, tally| {
                line::message(text, &key, &tally);
                count = count.saturating_add(1);
                last = Some(key.message);
                is_last = text.len() < PART_BYTES;
                is_last
            });
            self.now.reading(read)?;
            self.lines = self.lines.saturating_add(count);
            after = last.or(after);
            if is_last {
                return Ok(());
            }
            self.write()?;
        }
    }
}
