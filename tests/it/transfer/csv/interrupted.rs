//! Imports that end half-way, and go on from their restart point.

use std::io::{self, Read};
use std::ops::ControlFlow;

use contact_store::transfer::{
    CsvImported, CsvOptions, EmptyCell, Imported, Rejected, RestartPoint, TransferError,
    export_csv, import_csv,
};
use contact_store::{ContactStore, ContactUpdate, DedupeOn, Upsert};

use super::{cards, counts, empty};
use crate::support::assert_sound;

const BATCH_ROWS: u32 = 3;

/// Rows that create and change contacts, rows that do neither, and rows of every way to be refused.
fn source() -> String {
    let mut source = "email;phone;firstName\r\n".to_owned();
    for n in 0..40 {
        source += &match n % 8 {
            0 => format!("a{n}@example.com;3805000000{n:02};\"Ann\r\n{n}\"\r\n"),
            1 => format!("a{}@example.com;;Ann again; and more\r\n", n - 1),
            2 => format!("b{n}@example.com;;Bob ::: {n}\r\n\r\n"),
            3 => format!("c{n}@example.com;3.8E+11;Cid\r\n;;\r\n"),
            4 => format!("a{}@example.com;;New name\r\n", n - 4),
            5 => format!("d{n}@example.com ::: e{n}@example.com;380500000000;conflict\r\n"),
            6 => format!("f{n}@example.com;;\r\n"),
            _ => format!("f{}@example.com;;\r\n", n - 1),
        };
    }
    source
}

fn options() -> CsvOptions {
    CsvOptions::default()
        .dedupe_on(DedupeOn::Email)
        .batch_rows(BATCH_ROWS)
}

/// The rows that were refused, by line.
type Rejects = Vec<(u64, &'static str)>;

/// Imports, and keeps what a host keeps: the last restart point, as text, and the rejects before it.
fn run(
    store: &ContactStore,
    source: impl Read,
    options: CsvOptions,
    kept: &mut Option<String>,
    rejects: &mut Rejects,
    mut goes_on: impl FnMut() -> bool,
) -> Result<CsvImported, TransferError> {
    let mut since = Vec::new();
    let since = std::cell::RefCell::new(&mut since);
    let options = match kept.as_deref() {
        Some(point) => options.restart(point.parse().unwrap()),
        None => options,
    };
    import_csv(
        store,
        source,
        options,
        |rejected| {
            since.borrow_mut().push((rejected.line, rejected.reason));
            ControlFlow::Continue(())
        },
        |progress| {
            assert_eq!(*progress.restart.imported(), progress.imported);
            *kept = Some(progress.restart.to_string());
            rejects.append(&mut since.borrow_mut());
            match goes_on() {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        },
    )
}

/// Imports, and cancels it after `batches` batches. Those that are under way then are told about, too.
fn cancel(
    store: &ContactStore,
    source: &str,
    mut batches: i32,
    kept: &mut Option<String>,
    rejects: &mut Rejects,
) {
    let source = source.as_bytes();
    let cancelled = run(store, source, options(), kept, rejects, || {
        batches -= 1;
        batches > 0
    });
    assert!(
        matches!(cancelled, Err(TransferError::Cancelled)),
        "{cancelled:?}"
    );
}

/// What an import without an interruption does.
fn whole() -> (ContactStore, Imported, Rejects) {
    let (store, mut kept, mut rejects) = (empty(), None, Vec::new());
    let source = source();
    let done = run(
        &store,
        source.as_bytes(),
        options(),
        &mut kept,
        &mut rejects,
        || true,
    );
    (store, done.unwrap().imported, rejects)
}

#[test]
fn r70_an_import_cancelled_after_any_batch_goes_on_to_the_same_end() {
    let (expected, imported, all_rejects) = whole();
    assert_eq!(counts(&imported), [40, 15, 5, 5, 15]);
    assert_eq!(imported.more_values, 5);
    assert_eq!(all_rejects.len(), 15);
    let source = source();
    for batches in 1..=14 {
        let (store, mut kept, mut rejects) = (empty(), None, Vec::new());
        cancel(&store, &source, batches, &mut kept, &mut rejects);
        assert_sound(&store);
        let done = run(
            &store,
            source.as_bytes(),
            options(),
            &mut kept,
            &mut rejects,
            || true,
        );
        assert_eq!(done.unwrap().imported, imported, "after {batches}");
        assert_eq!(rejects, all_rejects, "after {batches}");
        assert!(cards(&store) == cards(&expected), "after {batches}");
        assert_sound(&store);
    }
}

/// Ends with an error after some bytes.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.0.is_empty() {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => self.0.read(to),
        }
    }
}

#[test]
fn r70_an_import_whose_source_fails_anywhere_goes_on_to_the_same_end() {
    let (expected, imported, all_rejects) = whole();
    let source = source();
    for bytes in (0..source.len()).step_by(7) {
        let (store, mut kept, mut rejects) = (empty(), None, Vec::new());
        let broken = Broken(&source.as_bytes()[..bytes]);
        let failed = run(&store, broken, options(), &mut kept, &mut rejects, || true);
        match failed {
            Err(TransferError::Reading(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
            }
            other => panic!("{other:?}"),
        }
        let source = source.as_bytes();
        let done = run(&store, source, options(), &mut kept, &mut rejects, || true);
        assert_eq!(done.unwrap().imported, imported, "{bytes}");
        assert_eq!(rejects, all_rejects, "{bytes}");
        assert!(cards(&store) == cards(&expected), "{bytes}");
        assert_sound(&store);
    }
}

/// As after a kill between the commit of a batch and the keeping of its point: that batch is done again.
#[test]
fn r70_an_import_that_goes_on_from_a_point_before_the_last_doubles_nothing() {
    let (expected, imported, _) = whole();
    let source = source();
    let source = source.as_bytes();
    for (batches, lost) in (1..=14).flat_map(|batches| [(batches, 1), (batches, 2)]) {
        let store = empty();
        let mut points = vec![None];
        let go_on = |_: Rejected<'_>| ControlFlow::Continue(());
        let cancelled = import_csv(&store, source, options(), go_on, |progress| {
            points.push(Some(progress.restart.clone()));
            match points.len() > batches {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        assert!(
            matches!(cancelled, Err(TransferError::Cancelled)),
            "{cancelled:?}"
        );
        let last = points.len() - 1;
        let mut again = options();
        if let Some(point) = points[last.saturating_sub(lost)].clone() {
            again = again.restart(point);
        } else {
            // Without a point nothing is known of what was done before.
            continue;
        }
        let done = import_csv(&store, source, again, go_on, |_| ControlFlow::Continue(()));
        // What a row created is known when it is done again; whether it changed something is not.
        let [rows, created, updated, unchanged, refused] = counts(&done.unwrap().imported);
        assert_eq!((rows, refused), (40, 15), "{batches}");
        assert_eq!(created, imported.created, "{batches}");
        assert_eq!(updated + unchanged, 10, "{batches}");
        assert!(cards(&store) == cards(&expected), "{batches}");
        assert_sound(&store);
    }
}

#[test]
fn r70_an_import_that_was_done_does_nothing_when_it_goes_on() {
    let (store, mut kept, mut rejects) = (empty(), None, Vec::new());
    let source = source();
    let mut once = || {
        let source = source.as_bytes();
        let done = run(&store, source, options(), &mut kept, &mut rejects, || true);
        done.unwrap()
    };
    let first = once();
    let number = store.snapshot().unwrap().sequence();
    assert_eq!(once(), first);
    assert_eq!(store.snapshot().unwrap().sequence(), number);
    assert_eq!(rejects.len(), 15);
}

#[test]
fn r70_a_restart_point_of_another_source_options_or_store_is_refused() {
    let source = source();
    let (store, mut kept, mut rejects) = (empty(), None, Vec::new());
    cancel(&store, &source, 4, &mut kept, &mut rejects);
    let point: RestartPoint = kept.unwrap().parse().unwrap();
    assert_eq!(point.to_string().parse(), Ok(point.clone()));
    let before = store.snapshot().unwrap().sequence();
    let other = source.replacen("Ann", "Eva", 1);
    let shorter = &source[..point.bytes() as usize - 1];
    for (source, options) in [
        (other.as_str(), options()),
        (shorter, options()),
        (source.as_str(), options().empty_cells(EmptyCell::Erase)),
        (source.as_str(), options().calling_code("380").unwrap()),
    ] {
        let options = options.restart(point.clone());
        let never = |_| panic!("a batch is done");
        let failed = import_csv(&store, source.as_bytes(), options, |_| panic!(), never);
        assert!(
            matches!(failed, Err(TransferError::OtherSource)),
            "{failed:?}"
        );
    }
    assert_eq!(store.snapshot().unwrap().sequence(), before);
    let options = options().restart(point.clone());
    let never = |_| panic!("a batch is done");
    let failed = import_csv(&empty(), source.as_bytes(), options, |_| panic!(), never);
    assert!(
        matches!(failed, Err(TransferError::StoreChanged)),
        "{failed:?}"
    );
    // A batch of another size is cut elsewhere: that changes nothing.
    let (other, mut kept) = (&store, Some(point.to_string()));
    let options = self::options().batch_rows(7);
    let done = run(
        other,
        source.as_bytes(),
        options,
        &mut kept,
        &mut rejects,
        || true,
    );
    assert_eq!(done.unwrap().imported, whole().1);
}

#[test]
fn r70_a_row_that_could_not_be_kept_is_given_again() {
    let store = empty();
    let source = "email\nnobody\nann@example.com\n";
    let mut seen = 0;
    for _ in 0..2 {
        let told = |_| panic!("a batch is done");
        let failed = import_csv(
            &store,
            source.as_bytes(),
            options(),
            |rejected| {
                assert_eq!((rejected.line, rejected.header), (2, &b"email"[..]));
                seen += 1;
                ControlFlow::Break(())
            },
            told,
        );
        assert!(
            matches!(failed, Err(TransferError::Cancelled)),
            "{failed:?}"
        );
    }
    assert_eq!(seen, 2);
    assert_eq!(cards(&store).len(), 1);
}

#[test]
fn a_panic_of_the_callers_function_leaves_the_store_open() {
    let store = empty();
    let source = source();
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        import_csv(
            &store,
            source.as_bytes(),
            options(),
            |_| ControlFlow::Continue(()),
            |_| panic!("the host's own"),
        )
    }));
    let said = unwound.unwrap_err();
    assert_eq!(said.downcast_ref(), Some(&"the host's own"));
    let ann = ContactUpdate::new().email("after@example.com");
    let upserted = store.upsert(Upsert::new(DedupeOn::Email).contact(ann));
    upserted.wait().unwrap();
    assert_sound(&store);
}

#[test]
fn r70_an_export_that_is_cancelled_says_so() {
    let store = empty();
    let name = "x".repeat(4_000);
    let updates = (0..200).map(|n| {
        let email = format!("a{n}@example.com");
        ContactUpdate::new().email(email).first_name(name.clone())
    });
    let upserted = store.upsert(Upsert::new(DedupeOn::Email).contacts(updates));
    upserted.wait().unwrap();
    let now = store.snapshot().unwrap();
    let mut seen = Vec::new();
    let cancelled = export_csv(&now, io::sink(), |progress| {
        seen.push((progress.rows, progress.of, progress.bytes > 250_000));
        ControlFlow::Break(())
    });
    assert!(
        matches!(cancelled, Err(TransferError::Cancelled)),
        "{cancelled:?}"
    );
    assert_eq!(seen, [(66, 200, true)]);
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let failed = export_csv(&now, Full, |_| ControlFlow::Continue(()));
    match failed {
        Err(TransferError::Writing(error)) => assert_eq!(error.kind(), io::ErrorKind::StorageFull),
        other => panic!("{other:?}"),
    }
}
