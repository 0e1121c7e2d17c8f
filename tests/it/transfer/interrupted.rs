//! An import that was interrupted goes on, and doubles nothing.

use std::fs;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use contact_store::transfer::{
    ImportOptions, NotARestartPoint, RestartPoint, TransferError, import_ndjson,
};
use contact_store::{ContactStore, ContactUpdate, Create, DedupeOn, TokenEntry, Upsert};

use crate::support::process::{Process, command, say, task};
use crate::support::{add, assert_sound, id, options};

use super::sample::sample;
use super::{Told, assert_same, empty, import, import_until, text_of};

fn batches(rows: u32) -> ImportOptions {
    ImportOptions::new().batch_rows(rows)
}

/// A store in which an import in batches of so many rows was interrupted.
fn interrupted(text: &str, rows: u32, stop: usize) -> (ContactStore, Told) {
    let store = empty();
    let told = import_until(&store, text.as_bytes(), batches(rows), stop);
    (store, told)
}

fn go_on(store: &ContactStore, text: &str, point: RestartPoint) -> Told {
    // The number of rows in a batch stays that of the first run.
    let options = batches(5).restart(point);
    import_until(store, text.as_bytes(), options, usize::MAX)
}

#[test]
fn r70_an_import_interrupted_anywhere_goes_on_from_any_earlier_point() {
    let store = sample();
    let text = text_of(&store);
    let rows = text.lines().count() as u64 - 2;
    let mut went_on = 0;
    for size in [1, 2, 3, 7] {
        for stop in 1.. {
            let (_, told) = interrupted(&text, size, stop);
            if told.points.len() < stop {
                // The last progress was told before: nothing interrupts it any more.
                assert_eq!(told.complete().rows, rows);
                break;
            }
            assert!(matches!(told.outcome, Err(TransferError::Cancelled)));
            for back in [0, 1, 2, usize::MAX] {
                // Up to two more batches are in the store than were told of.
                let (interrupted, told) = interrupted(&text, size, stop);
                let last = told.points.len() - 1;
                let point = told.points[last.saturating_sub(back)].clone();
                let told = go_on(&interrupted, &text, point);
                assert_eq!(told.reasons(), []);
                let imported = told.complete();
                assert_eq!(imported.rows, rows);
                assert_eq!(imported.created + imported.unchanged, rows);
                assert_same(&store, &interrupted);
                went_on += 1;
            }
        }
    }
    assert!(went_on > 100, "{went_on}");
}

/// One bad row: the contact with its tokens, and so the subscriber of which it is the only holder.
fn with_a_bad_row() -> String {
    let text = text_of(&sample()).replace("\"phone\":\"380500000002\"", "\"phone\":\"2\"");
    let told = import(&empty(), text.as_bytes());
    let reasons: Vec<&str> = told.reasons().iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, ["digitCount", "unknownSubscriber"]);
    text
}

#[test]
fn r70_rejected_rows_are_counted_once_when_an_import_goes_on() {
    let text = with_a_bad_row();
    let whole = interrupted(&text, 2, usize::MAX).1.complete();
    for stop in 2.. {
        let (_, told) = interrupted(&text, 2, stop);
        if told.outcome.is_ok() {
            break;
        }
        for point in told.points {
            let (interrupted, _) = interrupted(&text, 2, stop);
            let imported = go_on(&interrupted, &text, point).complete();
            assert_eq!(imported.refused, whole.refused);
            assert_eq!(imported.rows, whole.rows);
        }
    }
}

#[test]
fn r44_r70_what_was_erased_since_does_not_come_back() {
    let text = text_of(&sample());
    let (interrupted, told) = interrupted(&text, 2, 6);
    let held = interrupted.snapshot().unwrap().contact_count();
    assert!(held >= 2);
    interrupted.erase(id(1)).wait().unwrap();
    for point in told.points {
        let told = go_on(&interrupted, &text, point);
        let outcome = told.outcome;
        assert!(matches!(outcome, Err(TransferError::StoreChanged)));
        let now = interrupted.snapshot().unwrap();
        assert_eq!(now.contact(id(1)).unwrap(), None);
        assert_eq!(now.contact_count(), held - 1);
    }
}

#[test]
fn r70_a_restart_point_fits_its_source_and_its_store_alone() {
    let text = text_of(&sample());
    let (interrupted, told) = interrupted(&text, 3, 4);
    let point = told.points.last().unwrap().clone();
    let sequence = interrupted.snapshot().unwrap().sequence();
    let go_on = |store: &ContactStore, text: &str| go_on(store, text, point.clone()).outcome;
    for other in [&text.replacen("crm-1", "crm-0", 1), &text[..200]] {
        let outcome = go_on(&interrupted, other);
        assert!(matches!(outcome, Err(TransferError::OtherSource)));
    }
    // A store that knows nothing of the import, and one with as many states and none of the rows.
    let used = empty();
    for n in 0..20 {
        let update = ContactUpdate::new().external_customer_id(format!("crm-{n}"));
        let request = Upsert::new(DedupeOn::ExternalCustomerId).contact(update);
        used.upsert(request).wait().unwrap();
    }
    for store in [&empty(), &used] {
        let before = store.snapshot().unwrap().sequence();
        let outcome = go_on(store, &text);
        assert!(matches!(outcome, Err(TransferError::StoreChanged)));
        assert_eq!(store.snapshot().unwrap().sequence(), before);
    }
    assert_eq!(interrupted.snapshot().unwrap().sequence(), sequence);
    go_on(&interrupted, &text).unwrap();
}

#[test]
fn r70_the_text_of_a_restart_point_is_read_strictly() {
    let text = with_a_bad_row();
    let told = interrupted(&text, 4, usize::MAX).1;
    let point = told.points.last().unwrap();
    let shown = point.to_string();
    assert!(
        shown.starts_with("contact-store-import 1 ndjson "),
        "{shown}"
    );
    assert!(
        shown.ends_with(" digitCount=1 unknownSubscriber=1"),
        "{shown}"
    );
    let padded = format!(" {shown}\n");
    assert_eq!(padded.parse::<RestartPoint>().as_ref(), Ok(point));
    for wrong in [
        String::new(),
        "contact-store-import 1 ndjson".to_owned(),
        shown.replace("import 1", "import 2"),
        shown.replace("ndjson", "xml"),
        shown.replace("digitCount", "noSuchReason"),
        shown.replace("=1", "=-1"),
        shown.replace("=1", ""),
    ] {
        let read = wrong.parse::<RestartPoint>();
        assert!(matches!(read, Err(NotARestartPoint { .. })), "{wrong}");
    }
}

#[test]
fn r48_r70_a_panic_of_a_function_of_the_caller_does_no_harm() {
    let text = with_a_bad_row();
    for in_rejects in [true, false] {
        let interrupted = empty();
        let mut last = None;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            import_ndjson(
                &interrupted,
                text.as_bytes(),
                batches(2),
                |_| {
                    if in_rejects {
                        std::panic::resume_unwind(Box::new("of the caller"));
                    }
                    ControlFlow::Continue(())
                },
                |progress| {
                    if !in_rejects && progress.imported.rows > 6 {
                        std::panic::resume_unwind(Box::new("of the caller"));
                    }
                    last = Some(progress.restart);
                    ControlFlow::Continue(())
                },
            )
        }));
        let said = panicked.unwrap_err();
        assert_eq!(said.downcast_ref(), Some(&"of the caller"));
        assert_sound(&interrupted);
        let told = go_on(&interrupted, &text, last.unwrap());
        assert_eq!(told.complete().refused_rows(), 2);
    }
}

#[test]
fn r70_an_import_cancelled_by_its_rejects_goes_on() {
    let text = with_a_bad_row();
    let interrupted = empty();
    let mut last = None;
    let cancelled = import_ndjson(
        &interrupted,
        text.as_bytes(),
        batches(2),
        |_| ControlFlow::Break(()),
        |progress| {
            last = Some(progress.restart);
            ControlFlow::Continue(())
        },
    );
    assert!(matches!(cancelled, Err(TransferError::Cancelled)));
    assert_sound(&interrupted);
    let told = go_on(&interrupted, &text, last.unwrap());
    assert_eq!(told.complete().refused_rows(), 2);
    let whole = empty();
    import(&whole, text.as_bytes()).complete();
    assert_same(&whole, &interrupted);
}

#[test]
fn r70_others_may_write_while_an_import_runs_and_break_no_rule() {
    let text = text_of(&sample());
    let busy = empty();
    let outcome = import_ndjson(
        &busy,
        text.as_bytes(),
        batches(2),
        |_| ControlFlow::Continue(()),
        |progress| {
            // A contact to come has this phone, and the ids up to 9 are taken.
            if progress.imported.rows == 4 {
                let update = ContactUpdate::new()
                    .phone("380500000006")
                    .first_name("Other");
                let request = Upsert::new(DedupeOn::Phone).contact(update);
                let made = busy.upsert(request).wait().unwrap().outcome;
                assert_eq!(made.into_single().unwrap().contact, id(10));
            }
            ControlFlow::Continue(())
        },
    );
    let imported = outcome.unwrap();
    assert_eq!(imported.refused.get("conflict"), Some(&1));
    assert_sound(&busy);
    let added = add(&busy, TokenEntry::new("t").phone("380500000006"));
    assert_eq!(added.contact, id(10));
}

/// Imports the text beside a store that it makes, and says each restart point.
#[test]
fn child_that_imports() {
    let Some(directory) = task() else { return };
    let directory = Path::new(&directory);
    let text = fs::read(directory.join("export.ndjson")).unwrap();
    let store = ContactStore::open(directory.join("contacts.redb"), options().0).unwrap();
    let imported = import_ndjson(
        &store,
        text.as_slice(),
        batches(2),
        |_| ControlFlow::Continue(()),
        |progress| {
            say(&progress.restart.to_string());
            ControlFlow::Continue(())
        },
    );
    assert_eq!(imported.unwrap().refused_rows(), 0);
    say("complete");
}

#[test]
fn r46_r70_a_killed_import_goes_on_from_the_point_that_was_kept() {
    let store = sample();
    let text = text_of(&store);
    let mut seen = 0;
    for heard in 1.. {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("export.ndjson"), &text).unwrap();
        let child = Process::start(command(
            "transfer::interrupted::child_that_imports",
            directory.path().to_str().unwrap(),
        ));
        let mut point = String::new();
        for _ in 0..heard {
            point = child.next_line();
        }
        if point == "complete" {
            break;
        }
        // Some batches more may be in the file than were told of.
        child.kill();
        let path = directory.path().join("contacts.redb");
        let restored = ContactStore::open(path, options().0.create(Create::Never)).unwrap();
        assert_sound(&restored);
        let told = go_on(&restored, &text, point.parse().unwrap());
        assert_eq!(told.reasons(), []);
        told.complete();
        assert_same(&store, &restored);
        seen += 1;
    }
    assert!(seen > 8, "{seen}");
}
