//! A vacuum on disks that fail (R46, R49, R67): the store stays as it was, or is the new file; it never
//! loses what was acknowledged, and says when it must be reopened.

use std::ops::ControlFlow;
use std::sync::Arc;

use contact_store::{
    Check, ContactStore, CopyError, Error, OpenError, Options, StorageError, TokenEntry,
};

use super::disk::{Beside, Call, Fault, FaultKind, TestDisk};
use super::every_call::WAYS;
use crate::support::everything::Everything;
use crate::support::{add, assert_sound, connect, fold_early, id, options};

struct Played {
    disk: Arc<TestDisk>,
    options: Options,
    store: ContactStore,
    next: u64,
}

impl Played {
    fn new() -> Self {
        let disk = TestDisk::empty();
        let (mut options, _) = options();
        fold_early(&mut options);
        options.cache_bytes = 0;
        let store = ContactStore::open_on_disk(disk.clone(), options.clone()).unwrap();
        connect(&store);
        let mut played = Played {
            disk,
            options,
            store,
            next: 0,
        };
        (0..20).for_each(|_| played.write());
        played
    }

    fn write(&mut self) {
        let entry = TokenEntry::new(format!("token {}", self.next));
        add(
            &self.store,
            entry.email(format!("{}@example.com", self.next)),
        );
        self.next += 1;
    }

    /// Vacuums, and writes meanwhile.
    fn vacuum(&mut self) -> Result<(), Error> {
        let store = self.store.clone();
        let done = store.vacuum(|_| {
            self.write();
            ControlFlow::Continue(())
        });
        done.map(drop)
    }

    fn everything(&self) -> Everything {
        Everything::of(&self.store.snapshot().unwrap())
    }

    /// The store is sound, takes a further write, and all of it survives a power cut on this disk.
    fn assert_goes_on(&mut self, disk: &TestDisk) {
        self.write();
        assert_sound(&self.store);
        assert_eq!(self.store.stats().unwrap().contacts, self.next);
        self.assert_survives(disk);
    }

    fn assert_survives(&self, disk: &TestDisk) {
        let mut options = self.options.clone();
        options.check = Check::Always;
        let cut = TestDisk::with(disk.durable());
        let found = ContactStore::open_on_disk(cut, options).unwrap();
        assert!(Everything::of(&found.snapshot().unwrap()) == self.everything());
    }
}

#[test]
fn r67_whichever_call_of_the_new_file_fails_the_store_goes_on_with_the_old_one() {
    let mut failed = 0;
    for (of, kinds) in WAYS {
        for kind in kinds {
            let mut played = Played::new();
            // A long copy has many calls that are alike.
            for at in (1..60).chain((60..400).step_by(11)) {
                played.disk.fail_beside(Beside {
                    fault: Some((of, Fault { at, kind: *kind })),
                    ..Beside::default()
                });
                let old = played.disk.clone();
                let done = played.vacuum();
                let new = old.made_beside().unwrap();
                let met = new.failed_calls() > 0;
                new.mend();
                match done {
                    Ok(()) => {
                        // A failure that changed nothing: the length was not needed.
                        played.disk = new.clone();
                        played.assert_goes_on(&new);
                        if !met {
                            break;
                        }
                    }
                    Err(Error::Copy(CopyError::Storage(error))) => {
                        assert!(met, "{of:?} {kind:?} {at}: {error:?}");
                        assert!(
                            matches!(error, StorageError::Io(_) | StorageError::Stopped),
                            "{of:?} {kind:?} {at}: {error:?}"
                        );
                        failed += 1;
                        assert!(!played.store.stats().unwrap().needs_reopen);
                        played.assert_goes_on(&old);
                    }
                    Err(error) => panic!("{of:?} {kind:?} {at}: {error:?}"),
                }
            }
        }
    }
    assert!(failed > 250, "only {failed}");
}

#[test]
fn r49_r67_a_store_that_cannot_be_read_is_not_vacuumed_and_goes_on_once_it_is_reopened() {
    let mut failed = 0;
    for kind in [FaultKind::Once, FaultKind::FromThenOn] {
        for at in 1.. {
            let mut played = Played::new();
            let disk = played.disk.clone();
            disk.fail_calls(Call::Read, Fault { at, kind });
            // Without writes, which would fail by themselves.
            let done = played.store.vacuum(|_| ControlFlow::Continue(()));
            let met = disk.failed_calls() > 0;
            disk.mend();
            match done {
                Ok(_) => {
                    assert!(!met);
                    break;
                }
                Err(Error::Storage(StorageError::Io(_) | StorageError::Stopped))
                | Err(Error::NeedsReopen) => {
                    failed += 1;
                    played.store.reopen().unwrap();
                    played.assert_goes_on(&disk);
                }
                Err(error) => panic!("{kind:?} {at}: {error:?}"),
            }
        }
    }
    assert!(failed >= 8, "only {failed}");
}

/// A commit of somebody else fails while the store is copied, and whether it took place is not known
/// before the store is reopened.
#[test]
fn r49_r67_a_vacuum_does_not_outlive_a_failed_commit_even_when_the_store_is_reopened_meanwhile() {
    for reopens in [false, true] {
        let mut played = Played::new();
        let disk = played.disk.clone();
        let mut calls = 0;
        let store = played.store.clone();
        let done = store.vacuum(|_| {
            calls += 1;
            if calls == 2 {
                disk.fail_sync(1);
                let failed = store.erase(id(1)).wait();
                assert!(
                    matches!(failed, Err(Error::Indeterminate { .. })),
                    "{failed:?}"
                );
                if reopens {
                    store.reopen().unwrap();
                }
            }
            ControlFlow::Continue(())
        });
        assert!(matches!(done, Err(Error::NeedsReopen)), "{done:?}");
        store.reopen().unwrap();
        played.next = store.stats().unwrap().contacts;
        assert_sound(&store);
        store.vacuum(|_| ControlFlow::Continue(())).unwrap();
        let new = disk.made_beside().unwrap();
        played.assert_survives(&new);
    }
}

#[test]
fn r67_a_new_file_that_cannot_take_its_place_is_given_up() {
    let mut played = Played::new();
    let disk = played.disk.clone();
    disk.fail_beside(Beside {
        fails_to_take_place: true,
        ..Beside::default()
    });
    match played.vacuum() {
        Err(Error::Copy(CopyError::Storage(StorageError::Io(_)))) => {}
        other => panic!("{other:?}"),
    }
    assert!(!played.store.stats().unwrap().needs_reopen);
    played.assert_goes_on(&disk);
}

/// It is not known which of the two files a power cut leaves under the name. Both have all that was
/// acknowledged; and nothing more is acknowledged before it is known.
#[test]
fn r49_r67_nothing_is_written_before_the_new_name_is_durable() {
    let mut played = Played::new();
    let old = played.disk.clone();
    old.fail_beside(Beside {
        failing_place_syncs: 2,
        ..Beside::default()
    });
    match played.vacuum() {
        Err(Error::Copy(CopyError::Storage(StorageError::Io(_)))) => {}
        other => panic!("{other:?}"),
    }
    let new = old.made_beside().unwrap();
    assert!(played.store.stats().unwrap().needs_reopen);
    let refused = played.store.erase(id(1)).wait();
    assert!(matches!(refused, Err(Error::NeedsReopen)), "{refused:?}");
    played.assert_survives(&old);
    played.assert_survives(&new);
    match played.store.reopen() {
        Err(Error::Open(OpenError::Io(_))) => {}
        other => panic!("{other:?}"),
    }
    let found = played.store.reopen().unwrap();
    assert_eq!(found, played.store.stats().unwrap().sequence);
    played.assert_goes_on(&new);
    // Nothing is owed any more.
    played.vacuum().unwrap();
}
