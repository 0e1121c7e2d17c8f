//! Errors of the store and of its file: full, failing, closed, damaged, not ours.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contact_store::{
    AddTokens, Check, ContactStore, CopyError, Create, DatabaseError, Disk, EntryError, Error,
    GivenIdentifiers, MatchPolicy, OpenError, Options, StorageError, TokenEntry,
};

use super::shown::{PHONE, Shown, WORD};
use super::{email, entry, fill, phone, token};
use crate::support::watched_disk::WatchedDisk;
use crate::support::{APP, connect, id, options, store};

/// A disk in memory that fails on order.
#[derive(Debug, Default)]
struct BreakableDisk {
    bytes: Mutex<Vec<u8>>,
    /// 0: sound, 1: nothing becomes durable, 2: everything fails.
    broken: AtomicU8,
}

impl BreakableDisk {
    fn allow(&self, least: u8) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) >= least {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Disk for BreakableDisk {
    fn len(&self) -> io::Result<u64> {
        self.allow(2)?;
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.allow(2)?;
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.bytes.lock().unwrap()[offset..offset + out.len()]);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.allow(2)?;
        let offset = usize::try_from(offset).unwrap();
        self.bytes.lock().unwrap()[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.allow(2)?;
        self.bytes
            .lock()
            .unwrap()
            .resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.allow(1)
    }
}

/// A queue that is full, answers taken twice, a panic, a closed store.
pub fn queue(shown: &mut Shown) {
    let (mut options, _) = options();
    options.limits.waiting_requests = 1;
    let disk = WatchedDisk::new();
    let store = disk.open(&options);
    connect(&store);
    disk.hold();
    let add = || store.add_tokens(AddTokens::new(APP).entry(entry()));
    let mut committing = add();
    disk.wait_until_held();
    let waiting = add();
    shown.value(&waiting);
    shown.error(&add().wait().unwrap_err());
    disk.let_go();
    assert!(
        committing
            .wait_timeout(Duration::from_secs(60))
            .unwrap()
            .is_ok()
    );
    let again = committing.wait_timeout(Duration::ZERO).unwrap();
    shown.error(&again.unwrap_err());
    assert!(waiting.wait().is_ok());

    let panicked = store.panic_while_deciding().wait().unwrap_err();
    assert!(matches!(panicked, Error::Panicked), "{panicked:?}");
    shown.error(&panicked);

    let now = store.snapshot().unwrap();
    store.close().unwrap();
    shown.error(&add().wait().unwrap_err());
    shown.error(&now.contact(id(1)).unwrap_err());
    shown.value(&now);
    shown.value(&store);
    // Nobody can wait for 2^63 contacts.
    shown.entry_error(&EntryError::ContactIdsExhausted);
}

/// A disk that fails while writing, while reading, and while closing.
pub fn failing_disk(shown: &mut Shown) {
    let disk = Arc::new(BreakableDisk::default());
    let (mut options, _) = options();
    // So that every read goes to the disk.
    options.cache_bytes = 0;
    let open = || ContactStore::open_on_disk(disk.clone(), options.clone()).unwrap();
    let store = open();
    connect(&store);
    fill(&store);
    let before = store.snapshot().unwrap();

    disk.broken.store(1, Ordering::SeqCst);
    let failed = add_to(&store, "second").unwrap_err();
    assert!(matches!(failed, Error::Indeterminate { .. }), "{failed:?}");
    shown.error(&failed);
    shown.error(&add_to(&store, "third").unwrap_err());
    shown.error(&store.reopen().unwrap_err());
    disk.broken.store(0, Ordering::SeqCst);
    store.reopen().unwrap();
    shown.error(&before.contact(id(1)).unwrap_err());

    disk.broken.store(2, Ordering::SeqCst);
    let now = store.snapshot();
    for _ in 0..2 {
        for read in now.iter().map(|now| now.verify()) {
            shown.error(&read.unwrap_err());
        }
    }
    shown.error(&store.stats().unwrap_err());
    shown.error(&store.close().unwrap_err());
    disk.broken.store(0, Ordering::SeqCst);
    let store = open();
    disk.broken.store(1, Ordering::SeqCst);
    shown.error(&add_to(&store, "fourth").unwrap_err());
    shown.error(&store.close().unwrap_err());
    // What redb says once it failed, and what is said of a panic inside it, are for its defects.
    shown.storage_error(&StorageError::Stopped);
    shown.storage_error(&StorageError::Panicked);
}

/// What a database does not do. The tests over PostgreSQL make each of these.
pub fn databases(shown: &mut Shown) {
    for error in [
        DatabaseError::Url,
        DatabaseError::Unreachable,
        DatabaseError::Refused,
        DatabaseError::Tls,
        DatabaseError::RootCertificate,
        DatabaseError::NotOurSchema,
        DatabaseError::NewerSchema { found: 2, known: 1 },
        DatabaseError::OldSchema { found: 1, known: 2 },
        DatabaseError::ReadOnlyServer,
        DatabaseError::Encoding,
        DatabaseError::Isolation,
        DatabaseError::SynchronousCommitOff,
        DatabaseError::Contended,
        DatabaseError::NoConnection { most: 1 },
        DatabaseError::Full,
        DatabaseError::Statement(*b"23505"),
    ] {
        shown.error(&OpenError::Database(error).into());
        shown.error(&StorageError::Database(error).into());
    }
}

fn add_to(store: &ContactStore, name: &str) -> Result<(), Error> {
    let entry = TokenEntry::new(token(name)).phone(phone());
    let pending = store.add_tokens(AddTokens::new(APP).entry(entry));
    pending.wait().map(drop)
}

/// Files that are refused, in a directory whose name is a canary.
pub fn files(shown: &mut Shown) {
    let directory = tempfile::Builder::new().prefix(WORD).tempdir().unwrap();
    let path = |name: &str| directory.path().join(format!("{WORD}.{name}"));
    let (options, _) = options();
    let with = |set: &dyn Fn(&mut Options)| {
        let mut options = options.clone();
        set(&mut options);
        options
    };
    let mut refused = |path: &Path, options: Options| {
        let error = ContactStore::open(path, options).unwrap_err();
        shown.error(&error);
    };
    let sound = path("sound");
    let store = ContactStore::open(&sound, options.clone()).unwrap();
    connect(&store);
    fill(&store);
    refused(&sound, options.clone());
    store.close().unwrap();
    let bytes = fs::read(&sound).unwrap();

    refused(&sound, with(&|options| options.create = Create::Always));
    refused(
        &path("none"),
        with(&|options| options.create = Create::Never),
    );
    refused(&path("none").join(WORD), options.clone());
    refused(
        &sound,
        with(&|options| options.limits.tokens_per_contact = 1 << 20),
    );
    refused(
        &sound,
        with(&|options| options.limits.tokens_per_contact = 0),
    );
    refused(directory.path(), options.clone());
    for (name, contents) in [
        ("empty", &[][..]),
        ("zeroes", &[0; 4_096]),
        ("foreign", WORD.repeat(1_000).as_bytes()),
        ("cut", &bytes[..bytes.len() / 2]),
        ("header", &bytes[..64]),
    ] {
        fs::write(path(name), contents).unwrap();
        refused(&path(name), options.clone());
    }
    fs::write(path("damaged"), damaged(bytes)).unwrap();
    refused(&path("damaged"), options.clone());
    let newer = with(&|options| options.testing.format = 4);
    ContactStore::open(path("newer"), newer).unwrap_err();
    refused(&path("newer"), options.clone());
    let old = crate::golden::pages::golden("format_1/closed.pages");
    fs::write(path("old"), old).unwrap();
    refused(&path("old"), options.clone());
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&sound, path("link")).unwrap();
        refused(&path("link"), options);
    }
    // Only another build finds these forms, and only an exhausted system these failures.
    shown.open_error(&OpenError::OtherCanonicalForms {
        found: 2,
        found_idn: true,
        known: 1,
        known_idn: false,
    });
    shown.open_error(&OpenError::Thread(Arc::new(
        io::ErrorKind::OutOfMemory.into(),
    )));
    shown.open_error(&OpenError::Random);
    shown.error(&Error::Copy(CopyError::Random));
    shown.error(&Error::Copy(CopyError::NoFile));
    let reader = ContactStore::open(&sound, crate::support::options().0.read_only(true)).unwrap();
    let refused = reader.add_tokens(AddTokens::new(APP).entry(entry())).wait();
    shown.error(&refused.unwrap_err());
    reader.close().unwrap();
    let now = ContactStore::open_in_memory(Options::default()).unwrap();
    let now = now.snapshot().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let refused = |to: &Path, goes_on| now.backup(to, |_| goes_on).unwrap_err();
    let (all, stop) = (ControlFlow::Continue(()), ControlFlow::Break(()));
    shown.error(&refused(directory.path(), all));
    shown.error(&refused(Path::new(""), all));
    shown.error(&refused(&directory.path().join(WORD), stop));
    shown.error(&refused(&directory.path().join("none").join(WORD), all));
    #[cfg(not(unix))]
    shown.open_error(&OpenError::SymbolicLink);
    moved(shown, &sound, &path("moved"));
}

/// A store whose file is moved while it is open, and what it says of itself then.
fn moved(shown: &mut Shown, from: &Path, to: &Path) {
    if !cfg!(unix) {
        return shown.error(&Error::FileMoved);
    }
    let store = ContactStore::open(from, options().0).unwrap();
    fs::rename(from, to).unwrap();
    // It may have looked a moment ago.
    std::thread::sleep(Duration::from_millis(1_050));
    let refused = store.add_tokens(AddTokens::new(APP).entry(entry())).wait();
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::FileMoved), "{error:?}");
    shown.error(&error);
    shown.value(&store.stats().unwrap());
}

/// A store whose rows are damaged, which only reading them tells.
pub fn damaged_rows(shown: &mut Shown) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let (mut options, _) = options();
    options.check = Check::IfUnclean;
    let store = ContactStore::open(&path, options.clone()).unwrap();
    connect(&store);
    fill(&store);
    store.close().unwrap();
    fs::write(&path, damaged(fs::read(&path).unwrap())).unwrap();

    let store = ContactStore::open(&path, options).unwrap();
    let now = store.snapshot().unwrap();
    let found = now.verify().unwrap();
    let damaged: Vec<&str> = found.problems.iter().map(|problem| problem.table).collect();
    for table in ["contacts", "index", "subscribers", "messages"] {
        assert!(
            damaged.contains(&table),
            "no problem in {table}: {damaged:?}"
        );
    }
    shown.value(&found);
    shown.json(&contact_store::wire::verified(&found));
    for problem in &found.problems {
        shown.value(problem);
        assert!(problem.row != Some(PHONE), "{problem:?}");
    }
    let by_email = GivenIdentifiers::new().email(email()).parse().unwrap();
    let by_phone = GivenIdentifiers::new().phone(phone()).parse().unwrap();
    for given in [by_email, by_phone] {
        if let Err(error) = now.find(&given, MatchPolicy::Cascade) {
            shown.error(&error);
        }
    }
    shown.error(&now.contact(id(1)).unwrap_err());
    shown.error(&add_to(&store, "second").unwrap_err());
}

/// Damages every row with a canary so that the canary is still there to be shown: the
/// letter after each changes, and the phone becomes another that ends the same.
fn damaged(mut bytes: Vec<u8>) -> Vec<u8> {
    let places = |bytes: &[u8], canary: &[u8]| -> Vec<usize> {
        let all = 0..bytes.len() - canary.len();
        all.filter(|at| bytes[*at..].starts_with(canary)).collect()
    };
    let words = places(&bytes, WORD.as_bytes());
    assert!(words.len() > 4, "{words:?}");
    for at in words {
        bytes[at + WORD.len()] ^= 1;
    }
    let phones = places(&bytes, &PHONE.to_le_bytes());
    assert!(!phones.is_empty());
    for at in phones {
        bytes[at..at + 8].copy_from_slice(&(PHONE + 10_000_000).to_le_bytes());
    }
    bytes
}

/// Requests that panic among requests that hold canaries (R48), for a look at what is printed.
pub fn panics() {
    let (store, _) = store();
    let panicking: Vec<_> = (0..8)
        .map(|_| {
            let added = store.add_tokens(AddTokens::new(APP).entry(entry()));
            (added, store.panic_while_deciding())
        })
        .collect();
    for (added, panicked) in panicking {
        assert!(added.wait().is_ok());
        assert!(matches!(panicked.wait(), Err(Error::Panicked)));
    }
}
