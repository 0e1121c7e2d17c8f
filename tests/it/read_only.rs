//! Stores that are only read (R68).

use std::fs;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contact_store::transfer::{ImportOptions, TransferError, import_ndjson};
use contact_store::{
    AddTokens, AppName, BringBack, ConnectApp, ContactStore, ContactUpdate, Create, DedupeOn,
    Error, GivenIdentifiers, Merge, Mute, OpenError, Options, Pending, RecordReports, RemoveStale,
    RemoveToken, RenameToken, Report, Split, Status, StorageError, Token, TokenEntry, Unmute,
    Upsert,
};

use crate::failing_disk::disk::TestDisk;
use crate::support::cases::tell;
use crate::support::everything::Everything;
use crate::support::process::{command_on_mount, run, say, task};
use crate::support::{APP, OTHER_APP, add, assert_sound, at, connect, id, options};

const CHILD: &str = "read_only::child_on_a_read_only_mount";

/// A folder with a file in it.
struct Kept {
    directory: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Kept {
    fn new(bytes: Vec<u8>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("contacts.redb");
        fs::write(&path, &bytes).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        }
        Kept {
            directory,
            path,
            bytes,
        }
    }

    fn open(&self) -> Result<ContactStore, Error> {
        ContactStore::open(&self.path, read_only())
    }

    #[track_caller]
    fn assert_untouched(&self) {
        assert!(
            fs::read(&self.path).unwrap() == self.bytes,
            "the file was changed"
        );
        assert_eq!(fs::read_dir(self.directory.path()).unwrap().count(), 1);
    }
}

fn read_only() -> Options {
    options().0.read_only(true)
}

/// What a store shows that was written to a disk, and that disk.
fn written() -> (Everything, Arc<TestDisk>, ContactStore) {
    let disk = TestDisk::empty();
    let store = ContactStore::open_on_disk(disk.clone(), options().0).unwrap();
    connect(&store);
    for n in 0..50 {
        add(
            &store,
            TokenEntry::new(format!("t{n}")).email(format!("{n}@example.com")),
        );
    }
    // What it left is being removed in steps, which only a writer takes.
    let tokens = (0..1_500).map(|n| TokenEntry::new(format!("o{n}")).email("1@example.com"));
    for some in tokens.collect::<Vec<_>>().chunks(1_000) {
        let mut request = AddTokens::new(OTHER_APP);
        request = request.entries(some.iter().cloned());
        store.add_tokens(request).wait().unwrap();
    }
    assert!(store.erase(id(7)).wait().unwrap().outcome.erased);
    store.disconnect_app(OTHER_APP).wait().unwrap();
    let shown = Everything::of(&store.snapshot().unwrap());
    (shown, disk, store)
}

#[test]
fn r68_a_file_that_was_closed_is_read_and_not_touched() {
    let (shown, disk, store) = written();
    store.close().unwrap();
    let kept = Kept::new(disk.bytes());
    let store = kept.open().unwrap();
    assert!(Everything::of(&store.snapshot().unwrap()) == shown);
    assert_sound(&store);
    // Asked for what a reader might ask for.
    store.reopen().unwrap();
    store.space().unwrap();
    let backup = kept.directory.path().join("backup.redb");
    let now = store.snapshot().unwrap();
    now.backup(&backup, |_| std::ops::ControlFlow::Continue(()))
        .unwrap();
    fs::remove_file(backup).unwrap();
    store.close().unwrap();
    kept.assert_untouched();
}

#[test]
fn r68_a_file_that_was_not_closed_is_repaired_in_memory_alone() {
    let (shown, disk, store) = written();
    let kept = Kept::new(disk.after_power_cut());
    for _ in 0..2 {
        let opened = kept.open().unwrap();
        let found = Everything::of(&opened.snapshot().unwrap());
        assert!(found == shown);
        assert_sound(&opened);
        opened.close().unwrap();
        kept.assert_untouched();
    }
    drop(store);
}

#[test]
fn r68_every_write_is_refused_and_nothing_is_written() {
    fn refused<T: std::fmt::Debug>(pending: Pending<T>) {
        let answer = pending.wait();
        assert!(matches!(answer, Err(Error::ReadOnly)), "{answer:?}");
    }
    let (shown, disk, store) = written();
    store.close().unwrap();
    let kept = Kept::new(disk.bytes());
    let store = kept.open().unwrap();
    let token = |text: &str| Token::parse(text).unwrap();
    refused(store.add_tokens(AddTokens::new(APP).entry(TokenEntry::new("t").email("a@b.c"))));
    refused(
        store.record_reports(
            RecordReports::new(APP).report(Report::new(Status::Failed).token("t1")),
        ),
    );
    let update = ContactUpdate::new()
        .email("1@example.com")
        .first_name("Ann");
    refused(store.upsert(Upsert::new(DedupeOn::Email).contact(update)));
    refused(store.remove_token(RemoveToken::of_all(APP, token("t1"))));
    refused(store.rename_token(RenameToken::new(APP, token("t1"), token("t2"))));
    refused(store.bring_back(BringBack::new(APP, token("t1"))));
    refused(store.mute(Mute::new(APP, token("t1"))));
    refused(store.unmute(Unmute::new(APP, token("t1"))));
    refused(store.erase(id(1)));
    let nobody = GivenIdentifiers::new().email("no@example.com");
    refused(store.lift_suppression(nobody.parse().unwrap()));
    refused(store.connect_app(ConnectApp::new(AppName::parse("Bot").unwrap())));
    refused(store.disconnect_app(APP));
    refused(store.forget_messages(APP, at(5_000)));
    refused(store.merge(Merge::new(id(1), id(2))));
    refused(store.unmerge(id(1)));
    refused(store.dismiss_conflict(id(1), id(2)));
    refused(store.split(Split::new(id(1))));
    refused(store.remove_stale(RemoveStale::new(APP, at(5_000)).dry_run(true)));
    let text = "{\"contactStoreExport\":{\"version\":1,\"sequence\":0,\"nextContactId\":1,\"nextAppNumber\":1}}\n\
                {\"end\":{\"lines\":1}}\n";
    let imported = import_ndjson(
        &store,
        text.as_bytes(),
        ImportOptions::new(),
        |_| ControlFlow::Continue(()),
        |_| ControlFlow::Continue(()),
    );
    assert!(matches!(
        imported,
        Err(TransferError::Store(Error::ReadOnly))
    ));
    let stats = store.stats().unwrap();
    assert_eq!((stats.commits, stats.needs_reopen), (0, false));
    for operation in stats.operations {
        let counted = (operation.accepted, operation.refused);
        assert_eq!(counted, (0, 1), "{}", operation.operation);
    }
    assert!(Everything::of(&store.snapshot().unwrap()) == shown);
    store.close().unwrap();
    kept.assert_untouched();
}

#[test]
fn r51_r68_readers_of_a_file_at_rest_keep_a_writer_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let open = |options| ContactStore::open(&path, options);
    let is_open_already = |opened: Result<ContactStore, Error>| {
        assert!(
            matches!(opened, Err(Error::Open(OpenError::AlreadyOpen))),
            "{opened:?}"
        );
    };
    let writer = open(options().0).unwrap();
    connect(&writer);
    writer.close().unwrap();
    let readers = [open(read_only()).unwrap(), open(read_only()).unwrap()];
    for reader in &readers {
        assert_eq!(reader.snapshot().unwrap().apps().unwrap().len(), 2);
    }
    is_open_already(open(options().0));
    let [first, second] = readers;
    first.close().unwrap();
    is_open_already(open(options().0));
    second.close().unwrap();
    let writer = open(options().0).unwrap();
    add(&writer, TokenEntry::new("t").email("ann@example.com"));
}

#[test]
fn r68_no_file_is_created() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    for create in [Create::IfMissing, Create::Never, Create::Always] {
        let opened = ContactStore::open(&path, read_only().create(create));
        assert!(
            matches!(opened, Err(Error::Open(OpenError::NotFound))),
            "{opened:?}"
        );
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[cfg(not(feature = "idn"))]
#[test]
fn r68_a_file_of_an_older_format_is_refused_and_not_upgraded() {
    let kept = Kept::new(crate::golden::pages::golden("format_1/closed.pages"));
    let opened = ContactStore::open(&kept.path, read_only().upgrade(true));
    let expected = OpenError::OldFormat { found: 1, known: 2 };
    assert_eq!(opened.unwrap_err().to_string(), expected.to_string());
    kept.assert_untouched();
}

#[test]
fn r50_r68_a_damaged_file_is_refused() {
    let (_, disk, store) = written();
    store.close().unwrap();
    let mut bytes = disk.bytes();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 8_192] {
        *byte ^= 0x55;
    }
    let kept = Kept::new(bytes);
    let opened = kept.open();
    assert!(
        matches!(opened, Err(Error::Open(OpenError::Damaged(_)))),
        "{opened:?}"
    );
    kept.assert_untouched();
}

/// Damage that comes while the file is open is found, and only opening again helps, as for a writer.
#[test]
fn r49_r68_a_failed_read_says_so_and_reopening_helps() {
    let (shown, disk, store) = written();
    store.close().unwrap();
    let mut options = read_only();
    options.cache_bytes = 0;
    options.card_memory = Some(0);
    let store = ContactStore::open_on_disk(disk.clone(), options).unwrap();
    let sound = disk.bytes();
    disk.damage(|bytes| bytes[8_192..].fill(0));
    let read = store.snapshot().unwrap().by_email("1@example.com");
    assert!(
        matches!(read, Err(Error::Storage(StorageError::Corrupt(_)))),
        "{read:?}"
    );
    disk.damage(|bytes| bytes.copy_from_slice(&sound));
    store.reopen().unwrap();
    assert!(Everything::of(&store.snapshot().unwrap()) == shown);
}

/// Reads the file in the directory of its task, which is on a read-only mount.
#[test]
fn child_on_a_read_only_mount() {
    let Some(directory) = task() else { return };
    let directory = Path::new(&directory);
    let written = fs::write(directory.join("probe"), "");
    assert_eq!(written.unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
    let path = directory.join("contacts.redb");
    match ContactStore::open(&path, options().0) {
        Err(Error::Open(OpenError::Io(error))) => {
            assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
        }
        other => panic!("{other:?}"),
    }
    let store = ContactStore::open(&path, read_only()).unwrap();
    assert_sound(&store);
    let now = store.snapshot().unwrap();
    assert!(now.by_email("1@example.com").unwrap().is_some());
    store.close().unwrap();
    say(&now.sequence().to_string());
}

#[cfg(target_os = "linux")]
#[test]
fn r68_a_file_on_a_read_only_mount_is_read() {
    let (shown, disk, store) = written();
    // It was not closed: what is repaired is repaired in memory.
    let kept = Kept::new(disk.after_power_cut());
    drop(store);
    let path = kept.directory.path().to_str().unwrap();
    let mount = format!("mount --bind '{path}' '{path}' && mount -o remount,bind,ro '{path}'");
    let Some(child) = command_on_mount(&mount, CHILD, path) else {
        tell("read_only: skipped, this user may not mount a file system");
        return;
    };
    assert_eq!(run(child), [shown.sequence.to_string()]);
    kept.assert_untouched();
}
