//! Vacuuming of open stores (R67).

use std::fs;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use contact_store::{
    AddTokens, ContactStore, ContactUpdate, CopyError, CopyProgress, Create, DedupeOn, Error,
    OpenError, Options, StorageError, TokenEntry, Upsert, Vacuumed, ValueChange,
};

use tempfile::TempDir;

use crate::failing_disk::disk::TestDisk;
use crate::model::{Choices, Model, Request, Settings};
use crate::support::cases::tell;
use crate::support::everything::Everything;
use crate::support::process::{Process, command, command_on_mount, run, say, task};
use crate::support::random::Random;
use crate::support::{
    APP, Done, add, assert_sound, connect, fold_early, id, names_in, options, store,
};

pub const ALWAYS: fn(CopyProgress) -> ControlFlow<()> = |_| ControlFlow::Continue(());

/// Adds the contacts with these numbers, and their tokens.
fn some_people(store: &ContactStore, numbers: impl IntoIterator<Item = u64>) {
    let numbers: Vec<u64> = numbers.into_iter().collect();
    for numbers in numbers.chunks(1_000) {
        let entries = numbers.iter().map(|n| {
            TokenEntry::new(format!("token-{n}-of-somebody"))
                .external_customer_id(format!("crm-{n}-of-somebody"))
                .phone((380_500_000_000 + n).to_string())
                .email(format!("somebody{n}@example.com"))
        });
        let added = store
            .add_tokens(AddTokens::new(APP).entries(entries))
            .wait();
        added.unwrap().outcome.entries.all().unwrap();
    }
}

fn everything(store: &ContactStore) -> Everything {
    Everything::of(&store.snapshot().unwrap())
}

/// A store in a file, alone in its directory.
fn in_file() -> (TempDir, PathBuf, ContactStore) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let store = ContactStore::open(&path, options().0).unwrap();
    connect(&store);
    (directory, path, store)
}

fn assert_is_the_same_when_opened_anew(store: ContactStore, path: &Path, options: Options) {
    let before = everything(&store);
    store.close().unwrap();
    let store = ContactStore::open(path, options.create(Create::Never)).unwrap();
    assert!(everything(&store) == before);
    assert_sound(&store);
}

/// A store in a file, with `many` contacts of which all but each tenth are erased.
fn mostly_erased(path: &Path, many: u64) -> ContactStore {
    let store = ContactStore::open(path, options().0).unwrap();
    connect(&store);
    some_people(&store, 0..many);
    let erased: Vec<u64> = (1..=many).filter(|n| n % 10 != 0).collect();
    for some in erased.chunks(500) {
        let erased: Vec<_> = some.iter().map(|n| store.erase(id(*n))).collect();
        for erased in erased {
            assert!(erased.wait().unwrap().outcome.erased);
        }
    }
    store
}

#[test]
fn r67_a_vacuumed_file_is_about_as_long_as_one_that_is_freshly_loaded() {
    const MANY: u64 = 20_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let store = mostly_erased(&path, MANY);
    let before = everything(&store);
    let long = fs::metadata(&path).unwrap().len();
    let done = store.vacuum(ALWAYS).unwrap();
    let short = fs::metadata(&path).unwrap().len();
    assert_eq!((done.bytes_before, done.bytes_after), (long, short));
    assert_eq!(store.stats().unwrap().file_bytes, short);
    assert!(everything(&store) == before);
    assert_sound(&store);
    assert_eq!(names_in(directory.path()), ["contacts.redb"]);

    let fresh = directory.path().join("fresh.redb");
    let other = ContactStore::open(&fresh, options().0).unwrap();
    connect(&other);
    some_people(&other, (0..MANY).filter(|n| n % 10 == 9));
    let fresh = other.stats().unwrap().file_bytes;
    assert!(
        short as f64 <= 1.05 * fresh as f64,
        "{short} bytes, freshly loaded {fresh}"
    );

    // It is the file of the store from now on.
    some_people(&store, MANY..MANY + 100);
    assert_is_the_same_when_opened_anew(store, &path, options().0);
}

#[test]
fn r44_r67_nothing_of_what_was_erased_is_in_the_file_or_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let store = mostly_erased(&path, 300);
    let name = ContactUpdate::new()
        .email("somebody9@example.com")
        .first_name("Erased-Firstname")
        .field("plan", "erased-plan");
    let update = |update| {
        let updated = store.upsert(Upsert::new(DedupeOn::Email).contact(update));
        updated.wait().unwrap().outcome.into_single().unwrap();
    };
    update(name);
    let other = ContactUpdate::new()
        .email("somebody9@example.com")
        .first_name("Firstname")
        .field("plan", ValueChange::Remove);
    update(other);
    let mut texts = vec!["Erased-Firstname".to_owned(), "erased-plan".to_owned()];
    let mut phones = Vec::new();
    for n in (0..300).filter(|n| n % 10 != 9) {
        texts.push(format!("token-{n}-of-somebody"));
        texts.push(format!("crm-{n}-of-somebody"));
        texts.push(format!("somebody{n}@example.com"));
        phones.push((380_500_000_000_u64 + n).to_le_bytes().to_vec());
    }
    let texts: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    let found = |erased: &[Vec<u8>]| {
        let mut found = 0;
        for name in names_in(directory.path()) {
            let bytes = fs::read(directory.path().join(name)).unwrap();
            let holds = |erased: &&Vec<u8>| {
                let erased = erased.as_slice();
                bytes.windows(erased.len()).any(|part| part == erased)
            };
            found += erased.iter().filter(holds).count();
        }
        found
    };
    // So that what is looked for would be found. Phones are numbers in the file.
    assert!(found(&texts) > texts.len() / 4);
    assert!(found(&phones) > phones.len() / 4);
    store.vacuum(ALWAYS).unwrap();
    assert_eq!((found(&texts), found(&phones)), (0, 0));
    assert_eq!(found(&[b"somebody9@example.com".to_vec()]), 1);
    assert_eq!(found(&[380_500_000_009_u64.to_le_bytes().to_vec()]), 1);
    assert_sound(&store);
}

#[test]
fn r67_a_vacuum_while_64_callers_write_takes_everything_over() {
    const CALLERS: usize = 64;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let (mut options, _) = options();
    options.limits.waiting_requests = 4 * CALLERS;
    fold_early(&mut options);
    let store = ContactStore::open(&path, options.clone()).unwrap();
    connect(&store);
    some_people(&store, 0..10_000);
    let done = AtomicBool::new(false);
    let written = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let _done = Done(&done);
        for caller in 0..CALLERS {
            let (store, done, written) = (store.clone(), &done, &written);
            scope.spawn(move || {
                let mut last = None;
                for n in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let entry = TokenEntry::new(format!("{caller}-{n}"));
                    let who = if n % 2 == 0 { n } else { 100_000 * caller + n };
                    let email = format!("somebody{who}@example.com");
                    let contact = add(&store, entry.email(email)).contact;
                    // Rows that were copied are changed and removed.
                    if n % 5 == 0
                        && let Some(last) = last.replace(contact)
                    {
                        store.erase(last).wait().unwrap();
                    }
                    // Nobody sees anything of a vacuum.
                    let now = store.snapshot().unwrap();
                    now.by_email("somebody7@example.com").unwrap();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..5 {
            let now = store.snapshot().unwrap();
            let before = Everything::of(&now);
            let mut calls = 0;
            store
                .vacuum(|_| {
                    // In the middle of the copy, commits go on.
                    let begun = written.load(Ordering::Relaxed);
                    calls += 1;
                    while calls % 4 == 1 && written.load(Ordering::Relaxed) < begun + 100 {
                        std::thread::yield_now();
                    }
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert!(Everything::of(&now) == before, "a snapshot changed");
        }
    });
    assert_sound(&store);
    assert_is_the_same_when_opened_anew(store, &path, options);
}

/// Requests of every kind come at every step of the copy: the store stays equal to the model, in memory
/// and when it is opened anew.
#[test]
fn r67_whatever_changes_while_a_part_is_copied_is_in_the_copy() {
    for seed in 0..12 {
        let mut random = Random(seed);
        let bytes: Vec<u8> = std::iter::repeat_with(|| random.number().to_le_bytes())
            .flatten()
            .take(40_000)
            .collect();
        let mut choices = Choices::new(&bytes);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("contacts.redb");
        let (mut options, _) = options();
        fold_early(&mut options);
        if seed % 3 == 0 {
            options.index_memory = 0;
        }
        let store = ContactStore::open(&path, options.clone()).unwrap();
        let mut model = Model::new(Settings::of(&options));
        let ask = |model: &mut Model, choices: &mut Choices<'_>, times: u64| {
            for _ in 0..times {
                let request = Request::choose(choices);
                let right = model.apply(&request, 1_000);
                assert_eq!(request.submit(&store).wait(), right);
            }
        };
        for round in 0..3 {
            ask(&mut model, &mut choices, 40);
            store
                .vacuum(|_| {
                    ask(&mut model, &mut choices, 8);
                    ControlFlow::Continue(())
                })
                .unwrap();
            let probes = crate::model::Probes::of_choices();
            if let Err(difference) = model.compare(&store.snapshot().unwrap(), &probes) {
                panic!("seed {seed}, round {round}: {difference}");
            }
            assert_sound(&store);
        }
        ask(&mut model, &mut choices, 10);
        assert_is_the_same_when_opened_anew(store, &path, options);
    }
}

/// A table is copied in many parts. Its first rows change when they are copied already.
#[test]
fn r67_what_was_copied_before_it_changed_is_copied_again() {
    let (_directory, _, store) = in_file();
    some_people(&store, 0..60_000);
    let mut calls = 0;
    store
        .vacuum(|_| {
            calls += 1;
            assert!(store.erase(id(2 * calls)).wait().unwrap().outcome.erased);
            let changed = ContactUpdate::new()
                .contact_id(2 * i128::from(calls) + 1)
                .first_name("Changed");
            let changed = Upsert::new(DedupeOn::ContactId).contact(changed);
            let changed = store.upsert(changed).wait();
            changed.unwrap().outcome.into_single().unwrap();
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(calls > 12, "{calls}");
    let now = store.snapshot().unwrap();
    for call in 1..=calls {
        assert_eq!(now.contact(id(2 * call)).unwrap(), None);
        let changed = now.contact(id(2 * call + 1)).unwrap().unwrap();
        assert_eq!(
            changed.fields.first_name.as_deref(),
            Some("Changed"),
            "{call}"
        );
    }
    assert_eq!(now.verify().unwrap().problems, []);
}

#[test]
fn r67_a_snapshot_reads_on_from_the_old_file_until_the_store_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let (mut options, _) = options();
    // What it reads, it reads from the file.
    options.cache_bytes = 0;
    options.card_memory = Some(0);
    options.index_memory = 0;
    let store = ContactStore::open(&path, options).unwrap();
    connect(&store);
    some_people(&store, 0..500);
    let now = store.snapshot().unwrap();
    let before = Everything::of(&now);
    for round in 0..3 {
        store.vacuum(ALWAYS).unwrap();
        some_people(&store, 1_000 * (round + 1)..1_000 * (round + 1) + 10);
        assert!(Everything::of(&now) == before);
        assert_eq!(now.verify().unwrap().problems, []);
    }
    store.close().unwrap();
    let read = now.by_email("somebody1@example.com");
    assert!(matches!(read, Err(Error::Closed)), "{read:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn r67_the_old_file_is_given_up_with_the_last_snapshot_of_it() {
    let (directory, _, store) = in_file();
    // How many names the files have that are open here.
    let open_files = || {
        use std::os::unix::fs::MetadataExt as _;
        let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let links = links.filter(|link| {
            fs::read_link(link.path()).is_ok_and(|target| target.starts_with(directory.path()))
        });
        let files = links.filter_map(|link| fs::metadata(link.path()).ok());
        let mut files: Vec<_> = files.map(|file| file.nlink()).collect();
        files.sort_unstable();
        files.dedup();
        files
    };
    assert_eq!(open_files(), [1]);
    let first = store.snapshot().unwrap();
    let second = store.snapshot().unwrap();
    store.vacuum(ALWAYS).unwrap();
    assert_eq!(open_files(), [0, 1]);
    drop(first);
    assert_eq!(open_files(), [0, 1]);
    drop(second);
    assert_eq!(open_files(), [1]);
    store.vacuum(ALWAYS).unwrap();
    assert_eq!(open_files(), [1]);
}

#[test]
fn r67_a_vacuum_that_is_cancelled_leaves_the_store_as_it_is() {
    let (directory, _, store) = in_file();
    some_people(&store, 0..5_000);
    let mut calls = 0;
    // At every call.
    for cancelled_at in 1.. {
        calls = 0;
        let before = everything(&store);
        let done = store.vacuum(|progress| {
            calls += 1;
            assert!(progress.rows <= progress.of, "{progress:?}");
            if calls == cancelled_at {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(names_in(directory.path()), ["contacts.redb"]);
        assert!(everything(&store) == before);
        match done {
            Ok(_) => break,
            Err(Error::Copy(CopyError::Cancelled)) => add_one(&store),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(calls > 8, "only {calls} calls");
    assert_sound(&store);
}

fn add_one(store: &ContactStore) {
    let number = store.stats().unwrap().sequence.value();
    some_people(store, [1_000_000 + number]);
}

#[test]
fn r48_r67_a_panic_of_the_progress_is_the_callers_and_changes_nothing() {
    let (directory, _, store) = in_file();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        store.vacuum(|_| std::panic::resume_unwind(Box::new(7)))
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&7));
    assert_eq!(names_in(directory.path()), ["contacts.redb"]);
    add_one(&store);
    store.vacuum(ALWAYS).unwrap();
    assert_sound(&store);
}

#[test]
fn r67_one_vacuum_runs_at_a_time() {
    let (store, _) = store();
    let mut calls = 0;
    store
        .vacuum(|_| {
            calls += 1;
            let second = store.vacuum(ALWAYS);
            assert!(
                matches!(second, Err(Error::Copy(CopyError::AlreadyRunning))),
                "{second:?}"
            );
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(calls > 0);
    // The one that was refused took nothing away from the first, and the first is over.
    assert_sound(&store);
    store.vacuum(ALWAYS).unwrap();
}

#[test]
fn r67_a_vacuum_meets_the_closing_of_its_store() {
    let (directory, path, store) = in_file();
    let closed = store.vacuum(|_| {
        store.close().unwrap();
        ControlFlow::Continue(())
    });
    assert!(matches!(closed, Err(Error::Closed)), "{closed:?}");
    let closed = store.vacuum(ALWAYS);
    assert!(matches!(closed, Err(Error::Closed)), "{closed:?}");
    assert_eq!(names_in(directory.path()), ["contacts.redb"]);
    assert_sound(&ContactStore::open(&path, options().0).unwrap());
}

#[test]
fn r67_r68_a_store_that_is_only_read_is_not_vacuumed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    connect(&ContactStore::open(&path, options().0).unwrap());
    let before = fs::read(&path).unwrap();
    let store = ContactStore::open(&path, options().0.read_only(true)).unwrap();
    let refused = store.vacuum(ALWAYS);
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
    assert!(fs::read(&path).unwrap() == before);
}

#[cfg(unix)]
#[test]
fn r67_r69_a_file_that_is_not_at_its_path_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let moved = directory.path().join("moved.redb");
    let store = ContactStore::open(&path, options().0).unwrap();
    connect(&store);
    // It is moved while it is copied; something else is at its path.
    let refused = store.vacuum(|_| {
        if !moved.exists() {
            fs::rename(&path, &moved).unwrap();
            fs::write(&path, "somebody else's").unwrap();
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(refused, Err(Error::FileMoved)), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), b"somebody else's");
    assert_eq!(names_in(directory.path()), ["contacts.redb", "moved.redb"]);
    fs::rename(&moved, &path).unwrap();
    add_one(&store);
    store.vacuum(ALWAYS).unwrap();
    assert_sound(&store);
    assert_eq!(names_in(directory.path()), ["contacts.redb"]);
}

/// The store notices as before when its new file is moved.
#[cfg(unix)]
#[test]
fn r69_a_vacuumed_file_is_watched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let moved = directory.path().join("moved.redb");
    let store = ContactStore::open(&path, options().0).unwrap();
    connect(&store);
    store.vacuum(ALWAYS).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    add_one(&store);
    assert!(!store.stats().unwrap().file_moved);
    fs::rename(&path, &moved).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert!(store.stats().unwrap().file_moved);
    let refused = store.erase(id(1)).wait();
    assert!(matches!(refused, Err(Error::FileMoved)), "{refused:?}");
}

#[cfg(unix)]
#[test]
fn r53_r67_a_vacuumed_file_has_the_permission_bits_that_it_had() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_directory, path, store) = in_file();
    for mode in [0o600, 0o640] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        store.vacuum(ALWAYS).unwrap();
        let found = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode);
        // Of the new file, as of one that is opened.
        let wider_mode = store.stats().unwrap().wider_mode;
        assert_eq!(wider_mode, (mode != 0o600).then_some(mode));
    }
}

/// A service has its store vacuumed by another user, and still opens it.
#[cfg(unix)]
#[test]
fn r67_a_vacuumed_file_has_the_owner_that_it_had() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let (_directory, path, store) = in_file();
    if chown(&path, Some(12_345), Some(23_456)).is_err() {
        tell("vacuum: skipped, this user may not give files away");
        return;
    }
    store.vacuum(ALWAYS).unwrap();
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.uid(), found.gid()), (12_345, 23_456));
}

#[test]
fn r51_r67_a_store_stays_locked_through_a_vacuum() {
    let (_directory, path, store) = in_file();
    let refused = || {
        let opened = ContactStore::open(&path, options().0);
        assert!(
            matches!(opened, Err(Error::Open(OpenError::AlreadyOpen))),
            "{opened:?}"
        );
        let reader = ContactStore::open(&path, options().0.read_only(true)).unwrap();
        assert_sound(&reader);
    };
    store
        .vacuum(|_| {
            refused();
            ControlFlow::Continue(())
        })
        .unwrap();
    refused();
    store.close().unwrap();
    ContactStore::open(&path, options().0).unwrap();
}

#[test]
fn r67_what_a_vacuum_that_was_cut_off_left_is_removed_at_the_next_opening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let left = directory
        .path()
        .join(".contacts.redb.0123456789abcdef.creating");
    let store = ContactStore::open(&path, options().0).unwrap();
    fs::write(&left, "half a copy").unwrap();
    store.vacuum(ALWAYS).unwrap();
    assert_eq!(names_in(directory.path()), ["contacts.redb"]);
    store.close().unwrap();
    fs::write(&left, "half a copy").unwrap();
    // Where nothing is written, nothing is removed.
    drop(ContactStore::open(&path, options().0.read_only(true)).unwrap());
    assert!(left.exists());
    drop(ContactStore::open(&path, options().0).unwrap());
    assert_eq!(names_in(directory.path()), ["contacts.redb"]);
}

#[test]
fn r67_a_store_in_memory_is_vacuumed_too() {
    let (store, _) = store();
    some_people(&store, 0..2_000);
    for n in 1..=2_000 {
        store.erase(id(n)).wait().unwrap();
    }
    let before = everything(&store);
    let Vacuumed {
        bytes_before,
        bytes_after,
        ..
    } = store.vacuum(ALWAYS).unwrap();
    assert!(bytes_after < bytes_before, "{bytes_after}");
    assert!(everything(&store) == before);
    add_one(&store);
    assert_sound(&store);
}

#[test]
fn r67_a_damaged_store_is_not_replaced() {
    let disk = TestDisk::empty();
    let (mut options, _) = options();
    options.cache_bytes = 0;
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    connect(&store);
    some_people(&store, 0..2_000);
    disk.damage(|bytes| {
        let last = bytes.len() - 1;
        for at in (4_096..last).step_by(512) {
            bytes[at] ^= 1;
        }
    });
    let before = disk.bytes();
    let refused = store.vacuum(ALWAYS);
    assert!(matches!(refused, Err(Error::NeedsReopen)), "{refused:?}");
    assert!(disk.bytes() == before);
}

const ON_A_SMALL_DISK: &str = "vacuum::child_on_a_small_file_system";

/// Vacuums a store in the directory of its task, which has no room for a second one.
#[test]
fn child_on_a_small_file_system() {
    let Some(directory) = task() else { return };
    let directory = Path::new(&directory);
    let path = directory.join("contacts.redb");
    let store = ContactStore::open(&path, options().0).unwrap();
    connect(&store);
    some_people(&store, 0..8_000);
    let refused = store.vacuum(ALWAYS);
    match refused {
        Err(Error::Copy(CopyError::Storage(StorageError::Io(error)))) => {
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(names_in(directory), ["contacts.redb"]);
    add_one(&store);
    assert_sound(&store);
    say("nothing is left");
}

#[cfg(target_os = "linux")]
#[test]
fn r67_a_vacuum_that_finds_no_room_leaves_the_store_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let mount = format!("mount -t tmpfs -o size=3m contact-store '{path}'");
    let Some(child) = command_on_mount(&mount, ON_A_SMALL_DISK, path) else {
        tell("vacuum: skipped, this user may not mount a file system");
        return;
    };
    assert_eq!(run(child), ["nothing is left"]);
}

const THAT_VACUUMS: &str = "vacuum::child_that_vacuums";

/// Writes and vacuums in turn, and says what is acknowledged, until it is killed.
#[test]
fn child_that_vacuums() {
    let Some(path) = task() else { return };
    let store = ContactStore::open(&path, options().0).unwrap();
    for n in store.stats().unwrap().contacts.. {
        some_people(&store, [n]);
        say(&format!("{}", n + 1));
        let mut more = n;
        store
            .vacuum(|_| {
                more += 1;
                store.erase(id(1_000_000 + more)).wait().unwrap();
                ControlFlow::Continue(())
            })
            .unwrap();
    }
}

#[test]
fn r46_r67_a_vacuum_that_is_killed_takes_nothing_that_was_acknowledged() {
    let (directory, path, store) = in_file();
    some_people(&store, 0..3_000);
    store.close().unwrap();
    let mut random = Random(7);
    for _ in 0..15 {
        let child = Process::start(command(THAT_VACUUMS, path.to_str().unwrap()));
        let mut last = child.next_line();
        let more = u64::try_from(random.below(40_000)).unwrap();
        std::thread::sleep(std::time::Duration::from_micros(more));
        last = child.kill().pop().unwrap_or(last);
        let acknowledged: u64 = last.parse().unwrap();
        let store = ContactStore::open(&path, options().0).unwrap();
        let found = store.stats().unwrap().contacts;
        assert!(
            (acknowledged..=acknowledged + 1).contains(&found),
            "found {found}, acknowledged {acknowledged}"
        );
        assert_sound(&store);
        assert_eq!(names_in(directory.path()), ["contacts.redb"]);
    }
}
