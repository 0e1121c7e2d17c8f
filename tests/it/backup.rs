//! Backups of open stores (R66).

use std::fs;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use contact_store::{
    AddTokens, ContactStore, ContactUpdate, CopyError, CopyProgress, Create, DedupeOn, Error,
    Options, StorageError, TokenEntry, Upsert,
};

use crate::failing_disk::disk::TestDisk;
use crate::support::cases::tell;
use crate::support::everything::Everything;
use crate::support::process::{command_on_mount, run, say, task};
use crate::support::{APP, Done, add, assert_sound, connect, id, names_in, options, store};

const ALWAYS: fn(CopyProgress) -> ControlFlow<()> = |_| ControlFlow::Continue(());

fn restore(path: &Path) -> ContactStore {
    ContactStore::open(path, options().0.create(Create::Never)).unwrap()
}

fn some_people(store: &ContactStore, from: usize, to: usize) {
    for first in (from..to).step_by(1_000) {
        let entries = (first..to.min(first + 1_000)).map(|n| {
            TokenEntry::new(format!("t{n}"))
                .external_customer_id(format!("crm-{n}"))
                .phone((380_500_000_000_u64 + n as u64).to_string())
                .email(format!("{n}@example.com"))
        });
        let added = store
            .add_tokens(AddTokens::new(APP).entries(entries))
            .wait();
        added.unwrap().outcome.entries.all().unwrap();
    }
}

#[test]
fn r66_a_backup_holds_one_state_while_64_callers_write() {
    const CALLERS: usize = 64;
    let directory = tempfile::tempdir().unwrap();
    let (mut options, _) = options();
    options.limits.waiting_requests = 4 * CALLERS;
    let store = ContactStore::open(directory.path().join("contacts.redb"), options).unwrap();
    connect(&store);
    some_people(&store, 0, 20_000);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _done = Done(&done);
        for caller in 0..CALLERS {
            let (store, done) = (store.clone(), &done);
            scope.spawn(move || {
                for n in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let entry = TokenEntry::new(format!("{caller}-{n}"));
                    // Cards that are there and cards that are new; rows that are copied first and last.
                    let who = if n % 2 == 0 { n } else { 100_000 * caller + n };
                    add(&store, entry.email(format!("{who}@example.com")));
                }
            });
        }
        for round in 0..5 {
            let to = directory.path().join(format!("backup-{round}.redb"));
            let now = store.snapshot().unwrap();
            let mut told = Vec::new();
            let made = now.backup(&to, |progress| {
                // In the middle of the copy, commits go on.
                let commits = || store.stats().unwrap().commits;
                let before = commits();
                while told.len() % 4 == 1 && commits() < before + 3 {
                    std::thread::yield_now();
                }
                told.push(progress);
                ControlFlow::Continue(())
            });
            let made = made.unwrap();
            assert_eq!(made.sequence, now.sequence());
            assert_eq!(made.bytes, fs::metadata(&to).unwrap().len());
            assert!(told.is_sorted_by_key(|progress| progress.rows));
            let last = told.last().unwrap();
            assert_eq!((last.rows, last.of), (made.rows, made.rows));
            let restored = restore(&to);
            assert!(Everything::of(&restored.snapshot().unwrap()) == Everything::of(&now));
            assert_sound(&restored);
        }
    });
    assert_sound(&store);
}

/// Adds on as the store that it was made of would: ids go on where they were.
#[test]
fn r66_a_restored_store_goes_on_where_the_backup_was_made() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("backup.redb");
    let (store, _) = store();
    some_people(&store, 0, 10);
    assert!(store.erase(id(10)).wait().unwrap().outcome.erased);
    let now = store.snapshot().unwrap();
    now.backup(&to, ALWAYS).unwrap();
    let restored = restore(&to);
    for store in [&store, &restored] {
        some_people(store, 9, 12);
        assert_sound(store);
    }
    let (own, restored) = (store.snapshot().unwrap(), restored.snapshot().unwrap());
    assert!(Everything::of(&own) == Everything::of(&restored));
    assert_eq!(
        own.by_email("9@example.com").unwrap().unwrap().id.value(),
        11
    );
}

#[cfg(unix)]
#[test]
fn r53_r66_a_backup_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("backup.redb");
    store().0.snapshot().unwrap().backup(&to, ALWAYS).unwrap();
    let mode = fs::metadata(&to).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn r66_a_backup_replaces_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = store();
    let now = store.snapshot().unwrap();
    let file = directory.path().join("notes.txt");
    fs::write(&file, "not a store").unwrap();
    let folder = directory.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let link = directory.path().join("link");
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for to in [
        &file,
        &folder,
        #[cfg(unix)]
        &link,
    ] {
        let refused = now.backup(to, ALWAYS);
        assert!(
            matches!(refused, Err(Error::Copy(CopyError::AlreadyExists))),
            "{refused:?}"
        );
    }
    // The name is taken while the backup is being made.
    let late = directory.path().join("late.redb");
    let refused = now.backup(&late, |_| {
        if !late.exists() {
            fs::write(&late, "somebody else's").unwrap();
        }
        ControlFlow::Continue(())
    });
    assert!(
        matches!(refused, Err(Error::Copy(CopyError::AlreadyExists))),
        "{refused:?}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"not a store");
    assert_eq!(fs::read(&late).unwrap(), b"somebody else's");
    assert_eq!(
        names_in(directory.path()),
        ["folder", "late.redb", "link", "notes.txt"]
    );
}

#[test]
fn r66_a_backup_that_is_cancelled_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("backup.redb");
    let (store, _) = store();
    some_people(&store, 0, 5_000);
    let now = store.snapshot().unwrap();
    let of = now.backup(&to, ALWAYS).unwrap().rows;
    fs::remove_file(&to).unwrap();
    let mut calls = 0;
    // At every call.
    for cancelled_at in 1.. {
        calls = 0;
        let made = now.backup(&to, |progress| {
            calls += 1;
            assert_eq!(progress.of, of);
            if calls == cancelled_at {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        match made {
            Ok(_) => break,
            Err(Error::Copy(CopyError::Cancelled)) => {
                assert_eq!(names_in(directory.path()), Vec::<String>::new());
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(calls > 8, "only {calls} calls");
    assert_eq!(names_in(directory.path()), ["backup.redb"]);
}

#[test]
fn r48_r66_a_panic_of_the_progress_is_the_callers_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("backup.redb");
    let (store, _) = store();
    some_people(&store, 0, 100);
    let now = store.snapshot().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        now.backup(&to, |_| std::panic::resume_unwind(Box::new(7)))
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&7));
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
    some_people(&store, 100, 200);
    assert_sound(&store);
    now.backup(&to, ALWAYS).unwrap();
}

#[test]
fn r66_what_a_backup_that_was_cut_off_left_is_removed_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("backup.redb");
    let left = directory
        .path()
        .join(".backup.redb.0123456789abcdef.creating");
    fs::write(&left, "half a backup").unwrap();
    store().0.snapshot().unwrap().backup(&to, ALWAYS).unwrap();
    assert_eq!(names_in(directory.path()), ["backup.redb"]);
}

#[test]
fn r66_a_path_without_a_name_or_a_folder_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = store();
    let now = store.snapshot().unwrap();
    let refused = now.backup(directory.path().join("missing").join("a.redb"), ALWAYS);
    match refused {
        Err(Error::Copy(CopyError::Storage(StorageError::Io(error)))) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
    let refused = now.backup("", ALWAYS);
    assert!(
        matches!(refused, Err(Error::Copy(CopyError::NotAFile))),
        "{refused:?}"
    );
    assert_sound(&store);
}

/// 2,000 people on a disk, none of whose pages are in memory.
fn people_on_a_disk() -> (ContactStore, Arc<TestDisk>) {
    let disk = TestDisk::empty();
    let (mut options, _) = options();
    options.cache_bytes = 0;
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    connect(&store);
    some_people(&store, 0, 2_000);
    (store, disk)
}

#[test]
fn r66_a_damaged_state_is_not_copied() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("backup.redb");
    let (store, disk) = people_on_a_disk();
    let now = store.snapshot().unwrap();
    disk.damage(|bytes| {
        let last = bytes.len() - 1;
        for at in (4_096..last).step_by(512) {
            bytes[at] ^= 1;
        }
    });
    let refused = now.backup(&to, ALWAYS);
    assert!(
        matches!(refused, Err(Error::Storage(StorageError::Corrupt(_)))),
        "{refused:?}"
    );
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
}

/// The damage is in a row that is read after others were written.
#[test]
fn r66_a_backup_that_comes_to_damage_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("backup.redb");
    let (store, disk) = people_on_a_disk();
    let now = store.snapshot().unwrap();
    // Subscribers come after contacts, and alone have tokens.
    disk.damage(|bytes| {
        let token = b"t1999";
        let at = bytes.windows(token.len()).rposition(|found| found == token);
        bytes[at.unwrap()] ^= 1;
    });
    let mut rows = 0;
    let refused = now.backup(&to, |progress| {
        rows = progress.rows;
        ControlFlow::Continue(())
    });
    assert!(
        matches!(refused, Err(Error::Storage(StorageError::Corrupt(_)))),
        "{refused:?}"
    );
    assert!((2_000..4_000).contains(&rows), "{rows} rows");
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
}

#[test]
fn r66_a_closed_store_is_not_copied() {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("backup.redb");
    let (store, _) = store();
    let now = store.snapshot().unwrap();
    store.close().unwrap();
    let refused = now.backup(&to, ALWAYS);
    assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
    assert_eq!(names_in(directory.path()), Vec::<String>::new());
}

/// No more than the rows need: 11 of 12 contacts are erased, and the file they were in is not copied.
#[test]
fn r66_a_backup_has_no_free_pages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let store = ContactStore::open(&path, Options::default()).unwrap();
    connect(&store);
    some_people(&store, 0, 24_000);
    let erased: Vec<u64> = (1..=24_000).filter(|n| n % 12 != 0).collect();
    for some in erased.chunks(500) {
        let erased: Vec<_> = some.iter().map(|n| store.erase(id(*n))).collect();
        for erased in erased {
            assert!(erased.wait().unwrap().outcome.erased);
        }
    }
    let now = store.snapshot().unwrap();
    let to = directory.path().join("backup.redb");
    let made = now.backup(&to, ALWAYS).unwrap();
    let fresh = directory.path().join("fresh.redb");
    let other = ContactStore::open(&fresh, Options::default()).unwrap();
    connect(&other);
    some_people(&other, 0, 2_000);
    other.close().unwrap();
    let (old, fresh) = (
        fs::metadata(&path).unwrap().len(),
        fs::metadata(&fresh).unwrap().len(),
    );
    assert!(made.bytes < old / 4, "{} of {old}", made.bytes);
    assert!(made.bytes < 2 * fresh, "{} against {fresh}", made.bytes);
}

#[test]
fn r44_r66_a_backup_holds_no_text_of_what_was_erased() {
    const ERASED: [&str; 4] = [
        "crm-of-somebody-erased",
        "somebody.erased@example.com",
        "token-of-somebody-erased",
        "Firstname-Erased",
    ];
    let [external, email, token, name] = ERASED;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let store = ContactStore::open(&path, options().0).unwrap();
    connect(&store);
    let entry = TokenEntry::new(token).external_customer_id(external);
    let contact = add(&store, entry.email(email)).contact;
    let update = ContactUpdate::new().email(email).first_name(name);
    let updated = store.upsert(Upsert::new(DedupeOn::Email).contact(update));
    updated.wait().unwrap().outcome.into_single().unwrap();
    assert!(store.erase(contact).wait().unwrap().outcome.erased);
    let to = directory.path().join("backup.redb");
    store.snapshot().unwrap().backup(&to, ALWAYS).unwrap();
    let holds = |file: &Path, text: &str| {
        let bytes = fs::read(file).unwrap();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    for text in ERASED {
        // So that what is looked for would be found.
        assert!(holds(&path, text), "{text} is not in the free pages either");
        assert!(!holds(&to, text), "{text} is in the backup");
    }
}

const CHILD: &str = "backup::child_on_a_small_file_system";

/// Backs up a store to the directory of its task, which has no room for it.
#[test]
fn child_on_a_small_file_system() {
    let Some(directory) = task() else { return };
    let directory = Path::new(&directory);
    let (store, _) = store();
    some_people(&store, 0, 20_000);
    let now = store.snapshot().unwrap();
    let refused = now.backup(directory.join("backup.redb"), ALWAYS);
    match refused {
        Err(Error::Copy(CopyError::Storage(StorageError::Io(error)))) => {
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(names_in(directory), Vec::<String>::new());
    // It was the copy that failed, and not the store.
    some_people(&store, 20_000, 20_100);
    assert_sound(&store);
    say("nothing is left");
}

#[cfg(target_os = "linux")]
#[test]
fn r66_a_backup_that_finds_no_room_leaves_nothing_and_the_store_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let mount = format!("mount -t tmpfs -o size=2m contact-store '{path}'");
    let Some(child) = command_on_mount(&mount, CHILD, path) else {
        tell("backup: skipped, this user may not mount a file system");
        return;
    };
    assert_eq!(run(child), ["nothing is left"]);
}
