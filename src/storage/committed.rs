//! The committed tables at one sequence number, opened once and shared by all readers.
//!
//! It pins the pages it reads, so an old one should go soon. It does not know requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use redb::ReadableDatabase;

use crate::error::Error;
use crate::model::app::{AppId, AppNumber};
use crate::model::change::KeepChanges;
use crate::model::idempotency_key::KeepAnswers;
use crate::model::identifier::ContactId;
use crate::stats::{MemoryUse, StateCounts};

use super::cards::Cards;
use super::draft::Changes;
use super::format::hash::IndexHasher;
use super::format::keys::{self, RowKey};
use super::format::meta::{FormatFound, FormatRow, OLDEST_FORMAT, State, decode_format};
use super::format::record::{self, Row as _};
use super::format::rows::{AppPhase, AppTallyRow, CardRow};
use super::guard::{Ended, Failure, Liveness, drop_guarded, guarded};
#[cfg(feature = "postgres")]
use super::postgres;
use super::read::{Each, Rows};
use super::tables::{Key, OpenTable, Table};
use super::unique::{self, Index, IndexHash, IndexState, Memory, View};

/// The tables at one sequence number.
#[derive(Clone)]
pub(crate) struct Committed {
    source: Source,
    state: State,
    /// The oldest format that has all rows there are.
    format: u32,
    /// Of all connected apps together.
    subscribers: u64,
    merged_ids: u64,
    directory: Arc<Directory>,
    indexes: Arc<View>,
    cards: Arc<Cards>,
    /// Counts the commits since the file was opened.
    version: u64,
    /// What the change feed keeps; `None` when it is off.
    keep: Option<KeepChanges>,
    /// Which answers are kept; `None` when none are.
    keep_answers: Option<KeepAnswers>,
    /// How many answers there are.
    answers: u64,
    hasher: IndexHasher,
    liveness: Arc<Liveness>,
}

/// Where the rows are.
#[derive(Clone)]
enum Source {
    File(Arc<Tables>),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Source),
}

/// The tables of one read transaction, in the order of [`Table::ALL`] up to the last that is there. Emptied
/// when dropped.
struct Tables(Vec<Option<OpenTable>>);

impl Tables {
    /// Opens the tables that may be there: looking for one that is not costs something in each commit.
    fn open(
        database: &impl ReadableDatabase,
        may_be_there: impl Fn(Table) -> bool,
    ) -> Result<Self, Failure> {
        guarded(|| {
            let transaction = database.begin_read()?;
            let mut tables = Vec::with_capacity(Table::ALL.len());
            for table in Table::ALL.into_iter().filter(|table| may_be_there(*table)) {
                if let Some(open) = OpenTable::open_if_there(&transaction, table)? {
                    tables.resize_with(table.position(), || None);
                    tables.push(Some(open));
                }
            }
            Ok(Tables(tables))
        })
    }

    fn get(&self, table: Table) -> Option<&OpenTable> {
        self.0.get(table.position())?.as_ref()
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        drop_guarded(std::mem::take(&mut self.0));
    }
}

/// The apps there are. Small, and needed for every token shown, so it is kept in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    /// All that ever were.
    known: BTreeMap<AppNumber, AppId>,
    connected: BTreeSet<AppNumber>,
    leaving: BTreeSet<AppNumber>,
}

impl Directory {
    /// The id of a connected app.
    pub(crate) fn app(&self, number: AppNumber) -> Option<AppId> {
        self.connected
            .contains(&number)
            .then(|| self.known_app(number))
            .flatten()
    }

    /// The id of an app that is or was connected.
    pub(crate) fn known_app(&self, number: AppNumber) -> Option<AppId> {
        self.known.get(&number).copied()
    }

    pub(super) fn note(&mut self, number: AppNumber, tally: &AppTallyRow) {
        self.known.insert(number, tally.app);
        for (phase, apps) in [
            (AppPhase::Connected, &mut self.connected),
            (AppPhase::Leaving, &mut self.leaving),
        ] {
            if tally.phase == phase {
                apps.insert(number);
            } else {
                apps.remove(&number);
            }
        }
    }

    /// An app that was disconnected and whose rows are not all removed yet.
    pub(crate) fn leaving(&self) -> Option<AppNumber> {
        self.leaving.first().copied()
    }
}

impl Committed {
    /// Opens the tables as last committed, and gives where their indexes stand.
    pub(super) fn open(
        database: &impl ReadableDatabase,
        hasher: IndexHasher,
        liveness: Arc<Liveness>,
        cards: Arc<Cards>,
    ) -> Result<(Self, IndexState), Failure> {
        let mut committed = Committed {
            source: Source::File(Arc::new(Tables::open(database, |_| true)?)),
            state: State::new(),
            format: OLDEST_FORMAT,
            subscribers: 0,
            merged_ids: 0,
            directory: Arc::default(),
            indexes: Arc::new(View::new(unique::layout::Layout::default())),
            cards,
            version: 0,
            keep: None,
            keep_answers: None,
            answers: 0,
            hasher,
            liveness,
        };
        committed.state = committed.read_state()?;
        committed.format = committed.format_row()?.read_format;
        committed.answers = committed.rows_of(Table::Answers)?;
        let indexes: Option<IndexState> = committed.row(&keys::INDEX_STATE_KEY)?;
        let indexes = indexes.ok_or(Failure::Corrupt("the row of the indexes is missing"))?;
        committed.read_apps()?;
        committed.merged_ids = committed.rows_of(Table::MergedIds)?;
        Ok((committed, indexes))
    }

    fn read_state(&self) -> Result<State, Failure> {
        self.row(&keys::STATE_KEY)?
            .ok_or(Failure::Corrupt("the row of counters is missing"))
    }

    /// A state of a store in a database.
    #[cfg(feature = "postgres")]
    pub(super) fn in_database(
        source: postgres::Source,
        directory: Arc<Directory>,
    ) -> Result<Self, Failure> {
        let (readers, begun) = (source.readers(), source.begun());
        let mut committed = Committed {
            state: State::new(),
            format: OLDEST_FORMAT,
            subscribers: begun.subscribers,
            merged_ids: begun.merged_ids,
            directory,
            indexes: Arc::new(View::new(unique::layout::Layout::default())),
            cards: Arc::new(Cards::new(0)),
            version: 0,
            keep: readers.keep_changes,
            keep_answers: readers.keep_answers,
            answers: begun.answers,
            hasher: readers.hasher,
            liveness: Arc::clone(&readers.liveness),
            source: Source::Postgres(source),
        };
        committed.state = committed.read_state()?;
        committed.format = committed.format_row()?.read_format;
        Ok(committed)
    }

    /// Whether requests are decided on it with less than they asked for. A file has all rows at hand.
    pub(super) fn lacks_rows(&self) -> bool {
        match &self.source {
            Source::File(_) => false,
            #[cfg(feature = "postgres")]
            Source::Postgres(source) => source.lacks_rows(),
        }
    }

    /// The same state of a store in a database, whose rows are those that are known.
    #[cfg(feature = "postgres")]
    pub(super) fn with_known(&self, known: Arc<postgres::Known>) -> Self {
        let source = match &self.source {
            Source::File(tables) => Source::File(Arc::clone(tables)),
            Source::Postgres(source) => Source::Postgres(source.with_known(known)),
        };
        Committed {
            source,
            ..self.clone()
        }
    }

    /// The apps after a commit of `changes`, whether they changed, and how many subscribers they have
    /// together.
    #[cfg(feature = "postgres")]
    pub(super) fn apps_after(
        &self,
        changes: &Changes,
    ) -> Result<(Arc<Directory>, bool, u64), Failure> {
        let mut after = self.clone();
        after.note_tallies(self, changes)?;
        let is_same = Arc::ptr_eq(&after.directory, &self.directory);
        Ok((after.directory, !is_same, after.subscribers))
    }

    /// Whether others may have written since.
    pub(crate) fn is_remote(&self) -> bool {
        !self.has_buckets()
    }

    /// The state that a reader gets: this one of a file, and the present one of a database.
    pub(crate) fn for_reader(self: Arc<Self>) -> Result<Arc<Self>, Error> {
        match &self.source {
            Source::File(_) => Ok(self),
            #[cfg(feature = "postgres")]
            Source::Postgres(source) => {
                let begun = source.readers().begin();
                begun.map(Arc::new).map_err(|failure| match self.ended() {
                    Some(Ended::Closed) => Error::Closed,
                    Some(Ended::Reopened) => Error::NeedsReopen,
                    None => failure.into(),
                })
            }
        }
    }

    /// Whether it is read from a file, or from a disk in memory.
    pub(super) fn is_in_file(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    /// Opens the tables after a commit of `changes` to what this state shows. Apps are not
    /// read again.
    pub(super) fn after(
        &self,
        database: &impl ReadableDatabase,
        changes: &Changes,
        indexes: Arc<View>,
    ) -> Result<Self, Failure> {
        let tables = Tables::open(database, |table| self.has(table) || changes.touch(table))?;
        let mut after = Committed {
            source: Source::File(Arc::new(tables)),
            indexes,
            version: self.version.saturating_add(1),
            format: changes.format,
            ..self.clone()
        };
        after.state = after.read_state()?;
        if changes.touch(Table::Answers) {
            after.answers = after.rows_of(Table::Answers)?;
        }
        after.note_tallies(self, changes)?;
        if changes.touch(Table::MergedIds) {
            after.merged_ids = after.rows_of(Table::MergedIds)?;
        }
        after.cards.advance(after.version, changes.contacts());
        after.liveness.count_commit();
        Ok(after)
    }

    /// Notes the counts of apps that a commit on top of `before` changed.
    fn note_tallies(&mut self, before: &Committed, changes: &Changes) -> Result<(), Failure> {
        for (number, tally) in &changes.tallies {
            let before: Option<AppTallyRow> = before.row(number)?;
            let of = |tally: &AppTallyRow| match tally.phase {
                AppPhase::Connected => tally.subscribers,
                AppPhase::Leaving | AppPhase::Gone => 0,
            };
            self.subscribers = self
                .subscribers
                .saturating_sub(before.as_ref().map_or(0, of))
                .saturating_add(of(tally));
            if before.is_none_or(|before| before.phase != tally.phase) {
                Arc::make_mut(&mut self.directory).note(*number, tally);
            }
        }
        Ok(())
    }

    /// The same state, of a store whose change feed keeps so much, or is off.
    pub(super) fn with_change_feed(self, keep: Option<KeepChanges>) -> Self {
        Committed { keep, ..self }
    }

    /// What the change feed keeps; `None` when it is off.
    pub(crate) fn keep_changes(&self) -> Option<KeepChanges> {
        self.keep
    }

    /// The same state, of a store that keeps these answers, or none.
    pub(super) fn with_answers(self, keep_answers: Option<KeepAnswers>) -> Self {
        Committed {
            keep_answers,
            ..self
        }
    }

    /// Which answers are kept; `None` when none are.
    pub(super) fn keep_answers(&self) -> Option<KeepAnswers> {
        self.keep_answers
    }

    /// How many answers there are.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    /// The same state, with other shards in memory.
    pub(super) fn with_indexes(&self, indexes: Arc<View>) -> Self {
        Committed {
            indexes,
            ..self.clone()
        }
    }

    /// The same state, read from a copy of the file.
    pub(super) fn in_copy(
        &self,
        database: &impl ReadableDatabase,
        liveness: Arc<Liveness>,
    ) -> Result<Self, Failure> {
        let copy = Committed {
            source: Source::File(Arc::new(Tables::open(database, |table| self.has(table))?)),
            liveness,
            ..self.clone()
        };
        let index_state = |committed: &Committed| -> Result<Option<IndexState>, Failure> {
            committed.row(&keys::INDEX_STATE_KEY)
        };
        let is_the_same = copy.read_state()? == self.state
            && copy.row_count()? == self.row_count()?
            && index_state(&copy)? == index_state(self)?;
        if is_the_same {
            Ok(copy)
        } else {
            Err(Failure::Corrupt("a copy that is not what was copied"))
        }
    }

    fn read_apps(&mut self) -> Result<(), Failure> {
        let mut directory = Directory::default();
        let (first, last) = (AppNumber(0).to_key(), Key::Int(u64::MAX));
        for (number, tally) in self.rows::<AppTallyRow>(&first, &last, usize::MAX)? {
            directory.note(number, &tally);
            if tally.phase == AppPhase::Connected {
                self.subscribers = self.subscribers.saturating_add(tally.subscribers);
            }
        }
        self.directory = Arc::new(directory);
        Ok(())
    }

    pub(super) fn indexes(&self) -> &View {
        &self.indexes
    }

    pub(super) fn shared_indexes(&self) -> Arc<View> {
        Arc::clone(&self.indexes)
    }

    /// What is kept in memory other than pages.
    pub(crate) fn memory(&self) -> MemoryUse {
        let Memory { bytes, is_complete } = self.indexes.memory();
        MemoryUse {
            index_bytes: bytes,
            index_is_complete: is_complete,
            index_pending: self.indexes.unfolded as u64,
            index_is_damaged: self.indexes.is_damaged,
            card_bytes: self.cards.bytes(),
        }
    }

    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// How much there is, as known without reading.
    pub(crate) fn counts(&self) -> StateCounts {
        StateCounts {
            sequence: self.state.sequence,
            contacts: self.state.contacts,
            subscribers: self.subscribers,
            apps: self.directory.connected.len() as u64,
            changes: self.change_stats(),
            muted: self.state.muted,
            suppressed: self.state.suppressed,
            blocked: self.state.blocked,
            conflicts: self.state.conflicts,
            answers: self.answer_stats(),
            merged: self.merged_ids,
        }
    }

    /// Whether only reopening helps (see [`Liveness::note`]).
    pub(crate) fn is_broken(&self) -> bool {
        self.liveness.is_broken()
    }

    /// How many commits were made since the file was opened, those after this state included.
    pub(super) fn commits(&self) -> u64 {
        self.liveness.commits()
    }

    /// Why nothing can be read any more, if so.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.liveness.ended()
    }

    /// The oldest format that has all rows there are.
    pub(super) fn format(&self) -> u32 {
        self.format
    }

    /// What the file says it is.
    pub(super) fn format_row(&self) -> Result<FormatRow, Failure> {
        let key = keys::FORMAT_KEY.to_key();
        let found = self.read(Table::Meta, &key, |bytes| decode_format(&key, bytes))?;
        match found {
            Some(FormatFound::Known(format)) => Ok(format),
            _ => Err(Failure::Corrupt("the row of the format is missing")),
        }
    }

    /// Whether the indexes are in buckets, as those of a file.
    pub(super) fn has_buckets(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    /// Which of these rows of a database have columns that do not follow from their records, and how many entries
    /// its indexes have for them.
    pub(super) fn columns_unlike_records(
        &self,
        table: Table,
        rows: &[(Key, Vec<u8>)],
    ) -> Result<(Vec<Key>, u64), Failure> {
        let _ = (table, rows);
        match self.source()? {
            Source::File(_) => Ok((Vec::new(), 0)),
            #[cfg(feature = "postgres")]
            Source::Postgres(source) => source.columns_unlike_records(table, rows, self.hasher),
        }
    }

    /// Reads together what `look` reads one by one, where that is faster: gives the same state with the
    /// rows in memory, if so. `look` may be called several times, with states in which rows are missing.
    pub(super) fn read_ahead(
        &self,
        mut look: impl FnMut(Committed) -> Result<(), Failure>,
    ) -> Result<Option<Committed>, Failure> {
        let _: &mut dyn FnMut(Committed) -> Result<(), Failure> = &mut look;
        match self.source()? {
            Source::File(_) => Ok(None),
            #[cfg(feature = "postgres")]
            Source::Postgres(source) => {
                /// One row leads to another only a few times.
                const MOST_ROUNDS: u32 = 8;
                let known = Arc::<postgres::Known>::default();
                let ahead = self.with_known(Arc::clone(&known));
                for _ in 0..MOST_ROUNDS {
                    // What fails on a row that is missing may not fail on one that is there.
                    drop(look(ahead.clone()));
                    if !known.wants() {
                        return Ok(Some(ahead));
                    }
                    source.fill(&known)?;
                }
                Ok(None)
            }
        }
    }

    /// Whether a file has a table.
    fn has(&self, table: Table) -> bool {
        match &self.source {
            Source::File(tables) => tables.get(table).is_some(),
            #[cfg(feature = "postgres")]
            Source::Postgres(_) => false,
        }
    }

    /// Where the rows are, unless the opening that this state was read through has ended.
    fn source(&self) -> Result<&Source, Failure> {
        if self.liveness.ended().is_some() {
            return Err(Failure::Stopped);
        }
        Ok(&self.source)
    }

    /// How many rows a table has, which it says by itself.
    fn rows_of(&self, table: Table) -> Result<u64, Failure> {
        match self.source()? {
            Source::File(tables) => match tables.get(table) {
                Some(table) => self.noted(guarded(|| table.row_count())),
                None => Ok(0),
            },
            #[cfg(feature = "postgres")]
            Source::Postgres(source) => source.row_count(table),
        }
    }

    /// How many rows all tables have together.
    pub(super) fn row_count(&self) -> Result<u64, Failure> {
        let mut sum = 0_u64;
        for table in Table::ALL {
            sum = sum.saturating_add(self.rows_of(table)?);
        }
        Ok(sum)
    }

    /// Bytes of the pages that the tables take. Reads all of them.
    pub(crate) fn page_bytes(&self) -> Result<u64, Failure> {
        match self.source()? {
            Source::File(tables) => {
                let mut sum = 0_u64;
                for table in tables.0.iter().flatten() {
                    sum = sum.saturating_add(self.noted(guarded(|| table.page_bytes()))?);
                }
                Ok(sum)
            }
            #[cfg(feature = "postgres")]
            Source::Postgres(source) => source.bytes(),
        }
    }

    fn noted<T>(&self, read: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &read {
            self.liveness.note(failure);
        }
        read
    }
}

impl Rows for Committed {
    fn read<T>(
        &self,
        table: Table,
        key: &Key,
        read: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        match self.source()? {
            Source::File(tables) => match tables.get(table) {
                Some(table) => self.noted(guarded(|| table.get(key, read))),
                None => Ok(None),
            },
            #[cfg(feature = "postgres")]
            Source::Postgres(source) => {
                let row = source.read(table, key)?;
                row.map(|bytes| read(&bytes)).transpose()
            }
        }
    }

    #[cfg(feature = "postgres")]
    fn foresee<'k, R: record::Row>(&self, keys: impl Iterator<Item = &'k R::Key>)
    where
        R::Key: 'k,
    {
        if let Source::Postgres(source) = &self.source {
            source.foresee(R::TABLE, keys.map(|key| key.to_key()));
        }
    }

    fn walk(
        &self,
        table: Table,
        (first, last): (&Key, &Key),
        upwards: bool,
        each: &mut Each<'_>,
    ) -> Result<(), Failure> {
        match self.source()? {
            Source::File(tables) => match tables.get(table) {
                Some(table) => self.noted(guarded(|| table.walk(first, last, upwards, each))),
                None => Ok(()),
            },
            #[cfg(feature = "postgres")]
            Source::Postgres(source) => source.walk(table, (first, last), upwards, each),
        }
    }

    fn candidates(
        &self,
        index: Index,
        hash: IndexHash,
        each: &mut dyn FnMut(u64) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        match &self.source {
            Source::File(_) => self.indexes.candidates(self, index, hash, each),
            #[cfg(feature = "postgres")]
            Source::Postgres(source) => {
                self.source()?;
                for id in source.candidates(index, hash)? {
                    if !each(id)? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    fn card(&self, id: ContactId) -> Result<Option<CardRow>, Failure> {
        match self.source()? {
            Source::File(_) => {}
            // Another host may have changed it since.
            #[cfg(feature = "postgres")]
            Source::Postgres(_) => return self.row(&id),
        }
        if let Some(kept) = self.cards.get(id, self.version) {
            return CardRow::decode(&id, kept.bytes()).map(Some);
        }
        let key = id.to_key();
        self.read(Table::Contacts, &key, |bytes| {
            record::open(Table::Contacts, &key, bytes, |payload| {
                let card = CardRow::decode(&id, payload)?;
                self.cards.put(id, self.version, payload);
                Ok(card)
            })
        })
    }

    fn hasher(&self) -> IndexHasher {
        self.hasher
    }

    fn state(&self) -> State {
        self.state
    }
}
