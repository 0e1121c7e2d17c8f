//! What a creation makes, and what one that failed or was cut off leaves behind (R50, R53).
//!
//! Umask, working directory, limits and user belong to a whole process, so these are of a child's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::Command;

use contact_store::{ContactStore, Create, Error, OpenError};

use super::{NAME, creating, make_store, nowhere, state};
use crate::support::process::{Process, arguments, command, command_after, run, say, task};
use crate::support::{connect, names_in};

const CHILD: &str = "files::creating::child_that_opens_or_creates";
/// What a process is sent that writes over its limit for files.
const SIGXFSZ: i32 = 25;

/// Opens or creates the store that is its task, writes to it, closes it, and says how that went.
#[test]
fn child_that_opens_or_creates() {
    let Some(path) = task() else { return };
    match ContactStore::open(path, creating(Create::IfMissing)) {
        Ok(store) => {
            connect(&store);
            store.close().unwrap();
            say("done");
        }
        Err(Error::Open(OpenError::Io(error))) => say(&format!("{:?}", error.kind())),
        Err(error) => say(&format!("{error:?}")),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// The one file in the directory, with a temporary name for the store.
#[track_caller]
fn the_left_over(directory: &Path) -> std::path::PathBuf {
    let names = names_in(directory);
    let [name] = &names[..] else {
        panic!("{names:?}");
    };
    let start = format!(".{NAME}.");
    let random = name.strip_prefix(&start).unwrap();
    let random = random.strip_suffix(".creating").unwrap();
    assert_eq!(random.len(), 16, "{name}");
    assert!(u64::from_str_radix(random, 16).is_ok(), "{name}");
    directory.join(name)
}

/// A creation is killed by the first write over the limit, long before the file is whole.
#[track_caller]
fn creation_cut_off(set: &str, path: &Path) {
    let set = format!("{set}; ulimit -c 0; ulimit -f 8");
    let child = command_after(&set, CHILD, path.to_str().unwrap());
    let (said, status) = Process::start(child).end();
    assert_eq!((said, status.signal()), (vec![], Some(SIGXFSZ)), "{status}");
}

// R53
#[test]
fn a_store_is_its_owners_alone_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let (directory, path) = nowhere();
        let set = format!("umask {umask}");
        let said = run(command_after(&set, CHILD, path.to_str().unwrap()));
        assert_eq!(said, ["done"]);
        assert_eq!(mode(&path), 0o600, "umask {umask}");
        assert_eq!(names_in(directory.path()), [NAME]);
    }
}

// R53
#[test]
fn the_temporary_file_too_is_its_owners_alone_and_the_next_creation_removes_it() {
    let (directory, path) = nowhere();
    creation_cut_off("umask 000", &path);
    let left_over = the_left_over(directory.path());
    assert_eq!(mode(&left_over), 0o600);
    make_store(&path);
    assert_eq!(names_in(directory.path()), [NAME]);
}

// R50: what is there after a cut is nothing or a store, never half of one.
#[test]
fn a_creation_that_was_cut_off_leaves_nothing_under_the_final_name() {
    let (directory, path) = nowhere();
    creation_cut_off("true", &path);
    let left_over = the_left_over(directory.path());
    let before = state(&left_over);
    let error = super::refusal(&path, creating(Create::Never));
    assert!(matches!(error, OpenError::NotFound), "{error:?}");
    // Only a creation cleans up.
    assert!(state(&left_over) == before);
    // Taken for a store by somebody, it is refused.
    fs::rename(&left_over, &path).unwrap();
    let error = super::refusal(&path, creating(Create::Never));
    assert!(matches!(error, OpenError::Empty), "{error:?}");
    assert!(state(&path) == before);
}

#[test]
fn a_creation_that_fails_leaves_nothing() {
    let (directory, path) = nowhere();
    let set = "trap '' XFSZ; ulimit -f 8";
    let said = run(command_after(set, CHILD, path.to_str().unwrap()));
    assert_eq!(said, ["FileTooLarge"]);
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn a_path_without_a_directory_is_in_the_working_directory() {
    let (directory, path) = nowhere();
    let left_over = directory
        .path()
        .join(format!(".{NAME}.{:016x}.creating", 7));
    fs::write(left_over, b"half").unwrap();
    // Created, and then opened.
    for _ in 0..2 {
        let mut child = command(CHILD, NAME);
        child.current_dir(directory.path());
        assert_eq!(run(child), ["done"]);
        assert_eq!(names_in(directory.path()), [NAME]);
    }
    let store = ContactStore::open(&path, creating(Create::Never)).unwrap();
    assert_eq!(store.snapshot().unwrap().apps().unwrap().len(), 2);
}

#[test]
fn only_left_overs_that_nobody_holds_are_removed() {
    let (directory, path) = nowhere();
    let at = |name: &str| directory.path().join(name);
    let dead = [
        format!(".{NAME}.0123456789abcdef.creating"),
        format!(".{NAME}.ffffffffffffffff.creating"),
    ];
    // Another creator is at work on this one, with redb's lock as any has.
    let held = format!(".{NAME}.fedcba9876543210.creating");
    let similar = [
        format!(".{NAME}.0123456789abcde.creating"),
        format!(".{NAME}.0123456789abcdef0.creating"),
        format!(".{NAME}.0123456789ABCDEF.creating"),
        format!(".{NAME}.0123456789abcdeg.creating"),
        format!(".{NAME}..................creating"),
        format!(".{NAME}.abc..............creating"),
        format!(".{NAME}.0123456789abcdef.created"),
        format!(".{NAME}.0123456789abcdef.creating~"),
        format!(".{NAME}.0123456789abcdefcreating"),
        format!("{NAME}.0123456789abcdef.creating"),
        format!("x.{NAME}.0123456789abcdef.creating"),
        ".other.redb.0123456789abcdef.creating".to_owned(),
    ];
    let live = redb::Database::create(at(&held)).unwrap();
    for name in dead.iter().chain(&similar) {
        fs::write(at(name), b"half").unwrap();
    }
    // The right name on things that no creation makes.
    let folder = format!(".{NAME}.1111111111111111.creating");
    let link = format!(".{NAME}.2222222222222222.creating");
    fs::create_dir(at(&folder)).unwrap();
    fs::write(at("target"), b"whole").unwrap();
    symlink(at("target"), at(&link)).unwrap();

    make_store(&path);
    let mut expected = vec![NAME.to_owned(), held.clone(), folder, link];
    expected.push("target".to_owned());
    expected.extend(similar);
    expected.sort();
    assert_eq!(names_in(directory.path()), expected);
    assert_eq!(fs::read(at("target")).unwrap(), b"whole");

    // The creator died.
    drop(live);
    let store = ContactStore::open(&path, creating(Create::IfMissing)).unwrap();
    store.close().unwrap();
    expected.retain(|name| *name != held);
    assert_eq!(names_in(directory.path()), expected);
}

/// Runs the child as somebody who is not the superuser, to whom permissions say nothing.
fn run_as_a_user(directory: &Path, path: &Path) -> Vec<String> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return run(command(CHILD, path.to_str().unwrap()));
    }
    const NOBODY: u32 = 65_534;
    for place in [directory, path] {
        if place.exists() {
            chown(place, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    // By this name the binary is found also where its directory is closed to that user.
    let mut child = Command::new("/proc/self/exe");
    let with_task = command(CHILD, path.to_str().unwrap());
    for (name, value) in with_task.get_envs() {
        child.env(name, value.unwrap());
    }
    child.args(arguments(CHILD)).uid(NOBODY).gid(NOBODY);
    child.current_dir(directory);
    run(child)
}

// R50
#[cfg(target_os = "linux")]
#[test]
fn what_the_user_may_not_write_to_is_refused_and_left() {
    // A store that may only be read.
    let (directory, path) = nowhere();
    make_store(&path);
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    let before = state(&path);
    let said = run_as_a_user(directory.path(), &path);
    assert_eq!(said, ["PermissionDenied"]);
    assert!(state(&path) == before);
    assert_eq!(names_in(directory.path()), [NAME]);

    // A directory in which nothing may be created.
    let (directory, path) = nowhere();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o500)).unwrap();
    let said = run_as_a_user(directory.path(), &path);
    assert_eq!(said, ["PermissionDenied"]);
    assert_eq!(names_in(directory.path()), [""; 0]);
}

/// What is done in a directory: names that appear in it and go, and each time that the directory
/// itself is opened.
#[cfg(target_os = "linux")]
fn watched(directory: &Path, make: impl FnOnce()) -> Vec<String> {
    use std::mem::MaybeUninit;

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    let flags = WatchFlags::OPEN | WatchFlags::CREATE | WatchFlags::DELETE;
    inotify::add_watch(&watch, directory, flags).unwrap();
    make();
    let mut buffer = [MaybeUninit::uninit(); 4_096];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    let mut seen = Vec::new();
    while let Ok(event) = events.next() {
        let name = event.file_name().map(|name| name.to_str().unwrap());
        let what = match (event.events(), name) {
            (what, None) if what.contains(ReadFlags::OPEN) => "opened".to_owned(),
            (what, Some(name)) if what.contains(ReadFlags::CREATE) => format!("appears {name}"),
            (what, Some(name)) if what.contains(ReadFlags::DELETE) => format!("goes {name}"),
            _ => continue,
        };
        seen.push(what);
    }
    seen
}

// R46. That the directory is opened once the name is there says that it is synced: nothing else is
// done with it then.
#[cfg(target_os = "linux")]
#[test]
fn r46_the_directory_is_synced_once_a_new_store_has_its_name_in_it() {
    let (directory, path) = nowhere();
    let seen = watched(directory.path(), || {
        drop(ContactStore::open(&path, creating(Create::IfMissing)).unwrap());
    });
    let named = seen.iter().position(|it| *it == format!("appears {NAME}"));
    let after = &seen[named.unwrap() + 1..];
    let opened = after.iter().filter(|it| *it == "opened").count();
    assert_eq!(
        (opened, after.last().unwrap().as_str()),
        (1, "opened"),
        "{seen:?}"
    );
}
