//! A creation that a power cut ended, in a real directory: whatever the temporary file holds, and
//! whichever of its two names is there, the next opening finds a store or makes one (R46, R50).

use std::fs;
use std::path::Path;

use contact_store::{ContactStore, Options};

use super::image::{Keep, Trace};
use super::traffic::Play;
use crate::support::cases::{CASES, Cases};
use crate::support::{assert_sound, connect, names_in};

const NAME: &str = "contacts.redb";
const TEMPORARY: &str = ".contacts.redb.0123456789abcdef.creating";

/// Which names a file has that is whole. The temporary one is taken away once there is the other,
/// and neither change is on the disk before the directory is synced.
#[derive(Clone, Copy, Debug)]
enum Names {
    Temporary,
    Both,
    Final,
}

fn created() -> Trace {
    Play::create(Options::default()).close().trace
}

/// Opens the store, which has nothing in it yet; what is written to it is there when it is opened
/// again.
fn open_and_write(directory: &Path) {
    let path = directory.join(NAME);
    let store = ContactStore::open(&path, Options::default()).unwrap();
    assert_eq!(store.snapshot().unwrap().sequence().value(), 0);
    connect(&store);
    store.close().unwrap();
    let store = ContactStore::open(&path, Options::default()).unwrap();
    assert_eq!(store.snapshot().unwrap().sequence().value(), 2);
    assert_sound(&store);
    store.close().unwrap();
}

#[test]
fn r50_a_creation_that_a_power_cut_ended_is_made_again() {
    let cases = Cases::new();
    let trace = created();
    let unfinished = |count: &usize| trace.promises.at(*count).is_none();
    for cut in trace.cuts().take_while(|cut| unfinished(&cut.count)) {
        // Of the four that are not left to chance one at each event, and of the others one.
        let kinds: Vec<Keep> = Keep::all(cut.count as u64, 1).collect();
        for keep in [kinds[cut.count % 4], kinds[4 + cut.count / 4 % 4]] {
            let image = cut.image(keep);
            let name = format!("creation cut after event {}, {keep:?}", cut.count);
            cases.run(&name, move || {
                let directory = tempfile::tempdir().unwrap();
                fs::write(directory.path().join(TEMPORARY), image.to_vec()).unwrap();
                open_and_write(directory.path());
                assert_eq!(names_in(directory.path()), [NAME]);
            });
        }
    }
    cases.finish(&[(CASES, 30)]);
}

#[test]
fn r46_a_created_store_opens_whichever_of_its_names_a_power_cut_left() {
    let cases = Cases::new();
    let trace = created();
    let mut whole = trace
        .cuts()
        .filter(|cut| trace.promises.at(cut.count).is_some());
    let image = whole.next().unwrap().image(Keep::Nothing).to_vec();
    for left in [Names::Temporary, Names::Both, Names::Final] {
        let image = image.clone();
        cases.run(&format!("{left:?}"), move || {
            let directory = tempfile::tempdir().unwrap();
            let [temporary, path] = [TEMPORARY, NAME].map(|name| directory.path().join(name));
            fs::write(&temporary, image).unwrap();
            match left {
                Names::Temporary => {}
                Names::Both => fs::hard_link(temporary, path).unwrap(),
                Names::Final => fs::rename(temporary, path).unwrap(),
            }
            open_and_write(directory.path());
        });
    }
    cases.finish(&[(CASES, 3)]);
}
