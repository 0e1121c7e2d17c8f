//! Opening: what is checked before a single byte of the file may change.
//!
//! A file is first opened through an [`Overlay`], whose writes stay in memory: redb repairs it
//! there if it has to, its pages are verified, and it must say that it is ours. Only then is it
//! opened for good, under the same lock. Only what another process has open to write is opened to read
//! without that: it was checked by the other one, and changes.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, ReadTransaction,
    ReadableDatabase, TableError,
};

use crate::error::OpenError;
use crate::model::change::KeepChanges;
use crate::model::idempotency_key::KeepAnswers;
use crate::model::identifier::CANONICAL_VERSION;
use crate::model::time::Timestamp;
use crate::opening::{OpeningStage, Progress};

use super::cards::Cards;
use super::committed::Committed;
use super::file::create::{self, Unpublished};
use super::file::disk::{Backend, Disk, FileDisk, OpenDisk};
use super::file::file_watch::FileWatch;
use super::file::gather::Gather;
use super::file::lock::{FileLock, Share};
use super::file::overlay::Overlay;
use super::file::read_progress::ReadProgress;
use super::file::slot;
use super::file::witness::Witness;
use super::format::hash::IndexHasher;
use super::format::keys::{self, RowKey as _};
use super::format::meta::{
    FORMAT, FormatFound, FormatRow, IDN, OLDEST_FORMAT, State, decode_format, encode_format,
};
use super::format::record::{self, Row as _};
use super::guard::{CHANGED, ENDS_EARLY, Failure, drop_guarded, guarded};
use super::tables::{Key, OpenTable, Table, Write, create_all, write};
use super::unique::{Folding, IndexState, Keeper};
use super::upgrade::upgrade;

/// Where a store is.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    File(PathBuf),
    Disk(Arc<dyn Disk>),
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub(crate) struct OpenAs {
    /// Whether to create the file if it is missing.
    pub(crate) may_create: bool,
    /// Whether to refuse one that is there.
    pub(crate) must_create: bool,
    /// Whether the pages of a file that was closed cleanly are verified too.
    pub(crate) check_clean: bool,
    pub(crate) cache_bytes: usize,
    /// The creation time of a new file.
    pub(crate) now: Timestamp,
    /// All ones, but for tests that want index rows to be shared.
    pub(crate) hash_mask: u64,
    /// The most bytes of memory for the indexes.
    pub(crate) index_memory: usize,
    /// The most bytes of memory for cards that are kept.
    pub(crate) card_memory: usize,
    /// Whether a file of an older format is upgraded.
    pub(crate) upgrade: bool,
    /// Whether nothing is ever written to it (R68).
    pub(crate) read_only: bool,
    /// What the change feed keeps; `None` when it is off.
    pub(crate) change_feed: Option<KeepChanges>,
    /// Which answers are kept; `None` when none are.
    pub(crate) keep_answers: Option<KeepAnswers>,
    pub(crate) progress: Option<Progress>,
    /// When and how much of the indexes is folded.
    pub(crate) folding: Folding,
    /// [`OLDEST_FORMAT`], but for tests that want a file of the future.
    pub(crate) format: u32,
    /// The random bits of a new file, for tests that make one again: the system's if not given.
    pub(crate) random: Option<[u128; 2]>,
}

/// A disk that this store alone has open, or shares with others that may.
pub(super) struct Claimed {
    pub(super) disk: Arc<Witness>,
    pub(super) lock: Option<Arc<FileLock>>,
    share: Share,
    /// Where the file is, absolute: a process may change its directory. `None` of a disk in no file.
    pub(super) path: Option<PathBuf>,
    /// See [`create::wider_mode`].
    pub(super) wider_mode: Option<u32>,
    /// Watches the path of the file (R69).
    pub(super) watch: Option<Arc<FileWatch>>,
}

impl Claimed {
    /// A disk for one opening by redb.
    pub(super) fn open_disk(&self, disk: Arc<dyn Disk>) -> Arc<OpenDisk> {
        OpenDisk::new(disk, self.lock.clone())
    }

    /// Whether another process may write to the file meanwhile.
    pub(super) fn is_beside_a_writer(&self) -> bool {
        self.share == Share::BesideAWriter
    }

    /// What is on a disk in no file.
    pub(super) fn of_disk(disk: Arc<dyn Disk>) -> Self {
        Claimed {
            disk: Arc::new(Witness::new(disk)),
            lock: None,
            share: Share::ToWrite,
            path: None,
            wider_mode: None,
            watch: None,
        }
    }

    /// Whether the file is not at its path at this moment (R69).
    pub(super) fn is_moved_now(&self) -> bool {
        let watch = self.watch.as_ref();
        watch.is_some_and(|watch| watch.is_moved_now())
    }

    /// Makes it survive a power cut that the file is at its path.
    pub(super) fn sync_name(&self) -> io::Result<()> {
        match &self.path {
            Some(path) => create::sync_directory_of(path),
            None => self.disk.sync_place(),
        }
    }
}

/// A file as redb has it open.
pub(super) enum OpenDatabase {
    /// To write, or over an overlay.
    Writing(Database),
    /// To read, beside a process that writes.
    Reading(ReadOnlyDatabase),
}

impl OpenDatabase {
    /// Closes it, and says whether that went well.
    pub(super) fn close(self) -> Result<(), Failure> {
        guarded(|| match self {
            OpenDatabase::Writing(database) => Ok(database.close()?),
            OpenDatabase::Reading(database) => Ok(database.close()?),
        })
    }
}

/// A checked database.
pub(super) struct Opened {
    pub(super) database: OpenDatabase,
    /// Held until the tables are open, beside a writer: what is read before has to stay until then.
    pub(super) pin: Option<ReadTransaction>,
    pub(super) open_disk: Arc<OpenDisk>,
    pub(super) format: FormatRow,
    /// Whether the sums of its pages were checked too.
    pub(super) pages_verified: bool,
    /// The indexes, as they were read while checking.
    pub(super) indexes: Option<Keeper>,
}

/// Finds or creates what is at `place`. The file is locked when it is opened, and from then on
/// until the last user of the [`Claimed`] is gone.
pub(super) fn claim(place: &Location, open_as: &OpenAs) -> Result<Claimed, OpenError> {
    match place {
        Location::Disk(disk) => {
            let claimed = Claimed::of_disk(Arc::clone(disk));
            if open_as.may_create && disk.len()? == 0 {
                initialize(&claimed, open_as)?;
            } else if open_as.must_create {
                return Err(OpenError::AlreadyExists);
            }
            Ok(claimed)
        }
        Location::File(path) => {
            if !create::exists(path)? {
                if !open_as.may_create {
                    return Err(OpenError::NotFound);
                }
                let new = NewFile::create(path)?;
                initialize(&new.claimed, open_as)?;
                match new.publish() {
                    Ok(claimed) => return Ok(claimed),
                    // Another process was faster: the store is the one that it made.
                    Err(OpenError::AlreadyExists) if !open_as.must_create => {}
                    Err(error) => return Err(error),
                }
            } else if open_as.must_create {
                return Err(OpenError::AlreadyExists);
            }
            if open_as.read_only {
                let claim = |share| claim_existing(path, share, || create::open_to_read(path));
                return match claim(Share::ToRead) {
                    Err(OpenError::AlreadyOpen) => claim(Share::BesideAWriter),
                    claimed => claimed,
                };
            }
            let claimed = claim_existing(path, Share::ToWrite, || create::open_existing(path))?;
            // Of vacuums that were cut off: what they hold is personal data.
            create::remove_left_overs(path);
            Ok(claimed)
        }
    }
}

/// Claims the file at `path`, which `open` opens.
fn claim_existing(
    path: &Path,
    share: Share,
    mut open: impl FnMut() -> Result<File, OpenError>,
) -> Result<Claimed, OpenError> {
    /// Each attempt that fails takes another vacuum, which put another file in place between opening the
    /// one that was there and locking it.
    const ATTEMPTS: usize = 100;
    for _ in 0..ATTEMPTS {
        let claimed = claim_file(path, &open()?, share)?;
        if !claimed.is_moved_now() {
            return Ok(claimed);
        }
    }
    Err(OpenError::AlreadyOpen)
}

/// A file that is made under a temporary name beside its final one, locked from the first moment on.
/// It is removed unless it is published.
pub(super) struct NewFile {
    unpublished: Unpublished,
    claimed: Claimed,
}

impl NewFile {
    /// Creates an empty one for `path`, and removes what earlier ones that were cut off
    /// left there.
    pub(super) fn create(path: &Path) -> Result<Self, OpenError> {
        /// Each attempt that fails takes another creator that looks for left-overs at that moment.
        const ATTEMPTS: usize = 1_000;
        create::remove_left_overs(path);
        for _ in 0..ATTEMPTS {
            let unpublished = Unpublished::create(path)?;
            match claim_file(path, &unpublished.file, Share::ToWrite) {
                Ok(claimed) if unpublished.is_there()? => {
                    return Ok(NewFile {
                        unpublished,
                        claimed,
                    });
                }
                // Another creator took it for a left-over, as it was not locked yet.
                Ok(_) | Err(OpenError::AlreadyOpen) => {}
                Err(error) => return Err(error),
            }
        }
        Err(OpenError::AlreadyOpen)
    }

    pub(super) fn claimed(&self) -> &Claimed {
        &self.claimed
    }

    /// Gives it its final name, without replacing a file that has it.
    pub(super) fn publish(self) -> Result<Claimed, OpenError> {
        self.unpublished.publish()?;
        Ok(self.claimed)
    }

    /// The file that is still to get its name, and the disk that is in it.
    pub(super) fn into_parts(self) -> (Unpublished, Claimed) {
        (self.unpublished, self.claimed)
    }
}

/// Locks a file that is at `path`, or will be. Nothing of it is read before: it may be what another
/// process is just writing.
fn claim_file(path: &Path, file: &File, share: Share) -> Result<Claimed, OpenError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let wider_mode = create::wider_mode(file)?;
    let lock = FileLock::claim(file, share)?.ok_or(OpenError::AlreadyOpen)?;
    Ok(Claimed {
        disk: Arc::new(Witness::new(Arc::new(FileDisk::new(file.try_clone()?)?))),
        lock: Some(Arc::new(lock)),
        share,
        wider_mode,
        watch: FileWatch::new(&path, file),
        path: Some(path),
    })
}

/// Makes an empty disk an empty store.
fn initialize(claimed: &Claimed, open_as: &OpenAs) -> Result<(), OpenError> {
    let random = match open_as.random {
        Some(random) => random,
        None => random_bits()?,
    };
    let format = FormatRow::new(open_as.format, random, open_as.now);
    let open_disk = claimed.open_disk(claimed.disk.clone());
    let database = build(&open_disk, open_as.cache_bytes)?;
    let written = guarded(|| {
        let mut transaction = database.begin_write()?;
        transaction.set_two_phase_commit(true);
        create_all(&transaction)?;
        let format_key = keys::FORMAT_KEY.to_key();
        let state_key = keys::STATE_KEY.to_key();
        let format = encode_format(&format_key, &format)?;
        let (mut state, mut index_state) = (Vec::new(), Vec::new());
        record::encode(&mut state, &state_key, &State::new())?;
        let index_state_key = keys::INDEX_STATE_KEY.to_key();
        record::encode(&mut index_state, &index_state_key, &IndexState::default())?;
        let rows = [
            (&format_key, Write::Put(&format)),
            (&state_key, Write::Put(&state)),
            (&index_state_key, Write::Put(&index_state)),
        ];
        write(&transaction, Table::Meta, rows.into_iter())?;
        Ok(transaction.commit()?)
    });
    let closed = guarded(|| Ok(database.close()?));
    open_disk.release();
    written.and(closed).map_err(open_failure)?;
    Ok(claimed.disk.sync_data()?)
}

fn random_bits() -> Result<[u128; 2], OpenError> {
    let mut random = [[0; 16]; 2];
    for bits in &mut random {
        getrandom::fill(bits).map_err(|_| OpenError::Random)?;
    }
    Ok(random.map(u128::from_le_bytes))
}

/// Checks what is on the disk, and opens it.
pub(super) fn open_checked(claimed: &Claimed, open_as: &OpenAs) -> Result<Opened, OpenError> {
    if claimed.is_beside_a_writer() {
        return open_beside_a_writer(claimed, open_as);
    }
    claimed.disk.forget();
    let header = read_header(&*claimed.disk)?;
    let disk: Arc<dyn Disk> = match &open_as.progress {
        Some(progress) => Arc::new(ReadProgress::new(claimed.disk.clone(), progress.clone())?),
        None => claimed.disk.clone(),
    };
    let checked = check(open_as, Overlay::new(disk)?)?;
    if checked.format.read_format < OLDEST_FORMAT && !open_as.upgrade {
        return Err(OpenError::OldFormat {
            found: checked.format.read_format,
            known: OLDEST_FORMAT,
        });
    }
    let newer_slot = match slot::flags_for_newer_slot(&header) {
        Some(flags) if is_newer_slot_whole(claimed, open_as, &header, flags)? => Some(flags),
        _ => None,
    };
    let disk: Arc<dyn Disk> = if open_as.read_only {
        let overlay = Overlay::new(claimed.disk.clone())?;
        if let Some(flags) = newer_slot {
            slot::set_flags(&overlay, flags)?;
        }
        Arc::new(overlay)
    } else {
        if let Some(flags) = newer_slot {
            slot::rewrite_pages(&*claimed.disk)?;
            slot::set_flags(&*claimed.disk, flags)?;
            claimed.disk.sync_data()?;
        }
        Arc::new(Gather::new(claimed.disk.clone()))
    };

    let open_disk = if open_as.read_only {
        // redb works on an overlay, and would lock the file to write.
        OpenDisk::new(disk, None)
    } else {
        claimed.open_disk(disk)
    };
    let database = build(&open_disk, open_as.cache_bytes)?;
    match guarded(|| upgraded(&database, open_as)) {
        Ok(Ok(format)) => Ok(Opened {
            database: OpenDatabase::Writing(database),
            pin: None,
            open_disk,
            format,
            pages_verified: checked.pages_verified,
            indexes: checked.indexes,
        }),
        Ok(Err(error)) => {
            drop_guarded(database);
            Err(error)
        }
        Err(failure) => {
            drop_guarded(database);
            Err(open_failure(failure))
        }
    }
}

/// Reads what the file says it is, after upgrading it to the present format.
fn upgraded(
    database: &Database,
    open_as: &OpenAs,
) -> Result<Result<FormatRow, OpenError>, Failure> {
    let format = match read_format(database)? {
        Ok(format) if format.read_format < OLDEST_FORMAT => format,
        read => return Ok(read),
    };
    let hasher = IndexHasher::new(format.index_key, open_as.hash_mask);
    upgrade(database, &format, hasher, |done, of| {
        if let Some(progress) = &open_as.progress {
            progress.tell(OpeningStage::Upgrading, done, of);
        }
    })?;
    read_format(database)
}

/// Reads the header of the file, and checks that it is one of redb's.
fn read_header(disk: &dyn Disk) -> Result<[u8; slot::HEADER_BYTES], OpenError> {
    let len = disk.len()?;
    if len == 0 {
        return Err(OpenError::Empty);
    }
    let mut header = [0; slot::HEADER_BYTES];
    let there = usize::try_from(len).unwrap_or(usize::MAX).min(header.len());
    if let Some(part) = header.get_mut(..there) {
        disk.read(0, part)?;
    }
    let magic = header.first_chunk::<9>().copied().unwrap_or_default();
    // redb writes it last when it creates a file.
    if magic == [0; 9] {
        return Err(OpenError::HalfCreated);
    }
    if magic != slot::MAGIC {
        return Err(OpenError::Foreign);
    }
    if there < header.len() {
        return Err(OpenError::Damaged(ENDS_EARLY));
    }
    Ok(header)
}

/// Whether the process that used the file last closed it cleanly.
pub(super) fn is_marked_clean(disk: &dyn Disk) -> io::Result<bool> {
    let mut header = [0; slot::HEADER_BYTES];
    disk.read(0, &mut header)?;
    Ok(slot::is_marked_clean(&header))
}

/// Whether the commit in the newer slot is whole. `flags` would make it count.
fn is_newer_slot_whole(
    claimed: &Claimed,
    open_as: &OpenAs,
    header: &[u8; slot::HEADER_BYTES],
    flags: u8,
) -> Result<bool, OpenError> {
    let overlay = Overlay::new(claimed.disk.clone())?;
    slot::set_flags(&overlay, slot::verified_first(flags))?;
    match check(open_as, overlay) {
        // Where redb fell back to the older commit, the one that it adds is no newer than the one
        // that it did not use.
        Ok(checked) => Ok(checked.newest > slot::newest_transaction_id(header)),
        // Neither says anything about the commit.
        Err(OpenError::AlreadyOpen) => Err(OpenError::AlreadyOpen),
        Err(OpenError::Io(error)) => Err(OpenError::Io(error)),
        Err(_) => Ok(false),
    }
}

/// What was found by checking.
struct Checked {
    format: FormatRow,
    /// The number of the newest commit once redb has opened it.
    newest: u64,
    pages_verified: bool,
    /// `None` in a file of an older format.
    indexes: Option<Keeper>,
}

/// Opens a disk through an overlay and verifies what is there.
fn check(open_as: &OpenAs, overlay: Overlay) -> Result<Checked, OpenError> {
    let was_clean = slot::is_marked_clean(&read_header(&overlay)?);
    let pages_verified = open_as.check_clean || !was_clean;
    let overlay = Arc::new(overlay);
    // Without the lock: others may not take for checked what is being checked.
    let open_disk = OpenDisk::new(overlay.clone(), None);
    let mut database = build(&open_disk, open_as.cache_bytes)?;
    let newest = read_header(&*overlay).map(|header| slot::newest_transaction_id(&header));
    let checked = guarded(|| {
        if pages_verified && !database.check_integrity()? {
            return Err(Failure::Corrupt("pages whose checksums do not hold"));
        }
        let format = read_format(&database)?;
        let indexes = match &format {
            Ok(format) if format.read_format >= OLDEST_FORMAT => {
                Some(read_indexes(&database, format, open_as)?)
            }
            _ => None,
        };
        Ok((format, indexes))
    });
    drop_guarded(database);
    open_disk.release();
    let (format, indexes) = checked.map_err(open_failure)?;
    Ok(Checked {
        format: format?,
        newest: newest?,
        pages_verified,
        indexes,
    })
}

/// Reads the rows that an opening needs, so that a file with a damaged one is refused unchanged.
fn read_indexes(
    database: &Database,
    format: &FormatRow,
    open_as: &OpenAs,
) -> Result<Keeper, Failure> {
    let hasher = IndexHasher::new(format.index_key, open_as.hash_mask);
    let no_cards = Arc::new(Cards::new(0));
    let (committed, state) = Committed::open(database, hasher, Arc::default(), no_cards)?;
    Keeper::load(&committed, state, open_as.index_memory, open_as.folding)
}

/// Opens what another process has open to write. Its pages are not verified: that process did it, and
/// records have checksums. [`OpenError::AlreadyOpen`] says that the other one is just opening the file, or
/// was killed.
fn open_beside_a_writer(claimed: &Claimed, open_as: &OpenAs) -> Result<Opened, OpenError> {
    claimed.disk.forget();
    read_header(&*claimed.disk)?;
    let open_disk = claimed.open_disk(claimed.disk.clone());
    let backend = Backend(Arc::clone(&open_disk));
    let database = built(open_as.cache_bytes, |builder| {
        builder.open_read_only_with_backend(backend)
    })?;
    let opened = guarded(|| {
        let pin = database.begin_read()?;
        Ok((read_format(&database)?, pin))
    });
    let refused = match opened {
        Ok((Ok(format), pin)) if format.read_format >= OLDEST_FORMAT => {
            return Ok(Opened {
                database: OpenDatabase::Reading(database),
                pin: Some(pin),
                open_disk,
                format,
                pages_verified: false,
                indexes: None,
            });
        }
        Ok((Ok(format), _)) => OpenError::OldFormat {
            found: format.read_format,
            known: OLDEST_FORMAT,
        },
        Ok((Err(error), _)) => error,
        Err(failure) => open_failure(failure),
    };
    drop_guarded(database);
    open_disk.release();
    Err(refused)
}

pub(super) fn build(open_disk: &Arc<OpenDisk>, cache_bytes: usize) -> Result<Database, OpenError> {
    let backend = Backend(Arc::clone(open_disk));
    built(cache_bytes, |builder| builder.create_with_backend(backend))
}

/// Has redb open a file, in the one mode in which others may read what one process writes.
fn built<D>(
    cache_bytes: usize,
    open: impl FnOnce(&Builder) -> Result<D, DatabaseError>,
) -> Result<D, OpenError> {
    let built = guarded(|| {
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
        Ok(open(&builder))
    });
    match built {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(
            DatabaseError::DatabaseAlreadyOpen
            | DatabaseError::LockProtocolMismatch
            | DatabaseError::RepairAborted,
        )) => Err(OpenError::AlreadyOpen),
        Ok(Err(error)) => Err(open_failure(error.into())),
        Err(failure) => Err(open_failure(failure)),
    }
}

/// Reads what the file says it is, and checks that all its tables are there.
fn read_format(database: &impl ReadableDatabase) -> Result<Result<FormatRow, OpenError>, Failure> {
    let transaction = database.begin_read()?;
    let mut names = transaction.list_tables()?.peekable();
    if names.peek().is_none() {
        return Ok(Err(OpenError::HalfCreated));
    }
    drop(names);
    let meta = match OpenTable::open(&transaction, Table::Meta) {
        Ok(meta) => meta,
        // A table that cannot be read says nothing about what is in it.
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Ok(Err(OpenError::Foreign)),
    };
    let key = Key::Int(keys::FORMAT_KEY);
    let found = meta.get(&key, |bytes| decode_format(&key, bytes))?;
    let format = match found {
        None | Some(FormatFound::Foreign) => return Ok(Err(OpenError::Foreign)),
        Some(FormatFound::Newer(found)) => {
            return Ok(Err(OpenError::NewerFormat {
                found,
                known: FORMAT,
            }));
        }
        Some(FormatFound::Known(format)) => format,
    };
    if let Err(refused) = check_canonical_forms(&format) {
        return Ok(Err(refused));
    }
    if format.read_format >= OLDEST_FORMAT {
        check_tables(&transaction, &meta)?;
    }
    Ok(Ok(format))
}

/// Checks that values in the file have the canonical forms that this build gives them (R7).
fn check_canonical_forms(format: &FormatRow) -> Result<(), OpenError> {
    // What an earlier version took has the same form in this one, which only takes other texts.
    let is_known = (1..=CANONICAL_VERSION).contains(&format.canonical_version);
    if is_known && format.idn == IDN {
        return Ok(());
    }
    Err(OpenError::OtherCanonicalForms {
        found: format.canonical_version,
        found_idn: format.idn,
        known: CANONICAL_VERSION,
        known_idn: IDN,
    })
}

/// Checks that all tables are there that every file has, and the row of counters.
fn check_tables(transaction: &ReadTransaction, meta: &OpenTable) -> Result<(), Failure> {
    for table in Table::ALL {
        OpenTable::open_if_there(transaction, table)?;
    }
    let key = Key::Int(keys::STATE_KEY);
    let state = meta.get(&key, |bytes| {
        record::open(Table::Meta, &key, bytes, |payload| {
            State::decode(&keys::STATE_KEY, payload)
        })
    })?;
    match state {
        Some(_) => Ok(()),
        None => Err(Failure::Corrupt("the row of counters is missing")),
    }
}

fn open_failure(failure: Failure) -> OpenError {
    match failure {
        Failure::Io(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
                OpenError::Damaged(ENDS_EARLY)
            }
            _ => error.into(),
        },
        Failure::Changed => OpenError::Damaged(CHANGED),
        Failure::Corrupt(what) => OpenError::Damaged(what),
        Failure::Stopped => OpenError::Damaged("a state that the storage engine refuses"),
        Failure::Panicked => OpenError::Damaged("pages that do not fit together"),
        #[cfg(feature = "postgres")]
        Failure::Database(error) => OpenError::Database(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What is written to a file without a name is lost.
    #[cfg(unix)]
    #[test]
    fn r51_r67_a_file_that_is_replaced_between_opening_and_locking_it_is_not_taken_for_the_store()
    -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("contacts.redb");
        let next = directory.path().join("next");
        fs::write(&path, "old")?;
        let mut opened = 0;
        let claimed = claim_existing(&path, Share::ToWrite, || {
            opened += 1;
            let file = create::open_existing(&path)?;
            if opened <= 3 {
                fs::write(&next, format!("new {opened}"))?;
                fs::rename(&next, &path)?;
            }
            Ok(file)
        });
        let claimed = claimed.map_err(io::Error::other)?;
        let mut bytes = [0; 5];
        claimed.disk.read(0, &mut bytes)?;
        assert_eq!((opened, &bytes), (4, b"new 3"));
        Ok(())
    }
}
