//! Sources and targets that end an import or an export early.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use contact_store::transfer::{
    ExportOptions, ImportOptions, TransferError, export_ndjson, import_ndjson,
};
use contact_store::{ContactUpdate, DedupeOn, Error, TokenEntry, Upsert};

use crate::support::{add, assert_sound};

use super::sample::{CONTACTS, sample};
use super::{assert_same, empty, import, import_until, text_of};

/// Imports into an empty store, which stays empty. Gives the error.
#[track_caller]
fn refused(text: &[u8]) -> TransferError {
    let store = empty();
    let error = import(&store, text).outcome.unwrap_err();
    assert_eq!(store.snapshot().unwrap().sequence().value(), 0);
    error
}

#[test]
fn r70_a_source_that_is_no_export_is_refused() {
    let first =
        r#"{"contactStoreExport":{"version":1,"sequence":0,"nextContactId":1,"nextAppNumber":1}}"#;
    let end = "\n{\"end\":{\"lines\":1}}\n";
    import(&empty(), format!("{first}{end}").as_bytes()).complete();
    // A byte order mark is passed over.
    import(&empty(), format!("\u{feff}{first}{end}").as_bytes()).complete();
    for wrong in [
        String::new(),
        "\n".to_owned(),
        "not JSON".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "{\"end\":{\"lines\":0}}".to_owned(),
        first.replace("contactStoreExport", "contactStore"),
        first.replace("\"version\":1", "\"version\":0"),
        first.replace("\"version\":1", "\"version\":\"1\""),
        first.replace("\"version\":1,", ""),
        first.replace("\"sequence\":0,", ""),
        first.replace("\"sequence\":0", "\"sequence\":-1"),
        first.replace("\"nextContactId\":1", "\"nextContactId\":0"),
        first.replace(
            "\"nextContactId\":1",
            "\"nextContactId\":9223372036854775809",
        ),
        first.replace("\"nextAppNumber\":1", "\"nextAppNumber\":0"),
        first.replace("\"nextAppNumber\":1", "\"nextAppNumber\":8388609"),
        first.replace("\"sequence\":0", "\"sequence\":0,\"other\":1"),
        format!("{}{first}", " ".repeat(8 << 20)),
    ] {
        let error = refused(format!("{wrong}{end}").as_bytes());
        assert!(matches!(error, TransferError::NotAnExport), "{error}");
    }
}

#[test]
fn r70_an_export_of_a_newer_version_is_refused_by_name() {
    let first = "{\"contactStoreExport\":{\"version\":2,\"more\":true}}\n";
    let error = refused(first.as_bytes());
    let newer = TransferError::NewerVersion { found: 2, known: 1 };
    assert_eq!(format!("{error:?}"), format!("{newer:?}"));
    assert_eq!(
        error.to_string(),
        "the source has version 2, the newest known is 1"
    );
}

#[test]
fn r70_only_an_empty_store_takes_an_import() {
    let text = text_of(&sample());
    let contact = empty();
    let update = ContactUpdate::new().email("ann@example.com");
    let request = Upsert::new(DedupeOn::Email).contact(update);
    let made = contact.upsert(request).wait().unwrap().outcome;
    let erased = empty();
    let update = ContactUpdate::new().email("ann@example.com");
    let request = Upsert::new(DedupeOn::Email).contact(update);
    erased.upsert(request).wait().unwrap();
    let made = made.into_single().unwrap().contact;
    erased.erase(made).wait().unwrap();
    let connected = empty();
    crate::support::connect(&connected);
    let complete = empty();
    import(&complete, text.as_bytes()).complete();
    for store in [contact, erased, connected, complete] {
        let before = store.snapshot().unwrap().sequence();
        let outcome = import(&store, text.as_bytes()).outcome;
        assert!(matches!(outcome, Err(TransferError::NotEmpty)));
        assert_eq!(store.snapshot().unwrap().sequence(), before);
    }
}

#[test]
fn r70_a_source_cut_off_anywhere_is_noticed_and_goes_on_when_it_is_whole() {
    let store = sample();
    let text = text_of(&store);
    let first = text.find('\n').unwrap() + 1;
    let mut cut_in_lines = 0;
    for length in (first..text.len() - 1)
        .step_by(37)
        .chain([first, text.len() - 2])
    {
        let lines = text.as_bytes()[..length]
            .iter()
            .filter(|byte| **byte == b'\n');
        let whole_lines = lines.count() as u64;
        let restored = empty();
        let part = &text.as_bytes()[..length];
        let told = import_until(
            &restored,
            part,
            ImportOptions::new().batch_rows(3),
            usize::MAX,
        );
        assert_eq!(told.reasons(), [], "half a line is no bad row");
        let outcome = told.outcome;
        assert!(
            matches!(outcome, Err(TransferError::CutOff { lines }) if lines == whole_lines),
            "{outcome:?} {whole_lines}"
        );
        cut_in_lines += u64::from(text.as_bytes()[length - 1] != b'\n');
        let last = told.points.last().unwrap().clone();
        assert_eq!(last.imported().rows, whole_lines - 1);
        let options = ImportOptions::new().restart(last);
        let told = import_until(&restored, text.as_bytes(), options, usize::MAX);
        told.complete();
        assert_same(&store, &restored);
    }
    assert!(cut_in_lines > 10);
    // The end of the last line may be missing.
    let restored = empty();
    import(&restored, &text.as_bytes()[..text.len() - 1]).complete();
}

#[test]
fn r70_lines_that_are_missing_or_too_many_are_noticed() {
    let text = text_of(&sample());
    let lines = text.lines().count() as u64;
    let without: String = text
        .split_inclusive('\n')
        .filter(|line| !line.contains("\"contactId\":2,"))
        .collect();
    let store = empty();
    let outcome = import(&store, without.as_bytes()).outcome;
    assert!(
        matches!(outcome, Err(TransferError::LineCount { found, expected })
            if (found, expected) == (lines - 2, lines - 1)),
        "{outcome:?}"
    );
    // What there was is in the store.
    assert_eq!(store.snapshot().unwrap().contact_count(), CONTACTS - 1);
    for more in ["\n", &text] {
        let outcome = import(&empty(), format!("{text}{more}").as_bytes()).outcome;
        assert!(
            matches!(outcome, Err(TransferError::AfterEnd { line }) if line == lines + 1),
            "{outcome:?}"
        );
    }
}

/// Gives its bytes a few at a time, and then fails.
struct Failing<'a> {
    bytes: &'a [u8],
    interruptions: usize,
}

impl Read for Failing<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.interruptions += 1;
        if self.interruptions.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = to.len().min(50);
        match self.bytes.read(&mut to[..most])? {
            0 => Err(io::Error::new(io::ErrorKind::TimedOut, "secret")),
            read => Ok(read),
        }
    }
}

#[test]
fn r52_r70_an_import_whose_source_fails_goes_on() {
    let store = sample();
    let text = text_of(&store);
    let restored = empty();
    let source = Failing {
        bytes: &text.as_bytes()[..2_000],
        interruptions: 0,
    };
    let told = import_until(
        &restored,
        source,
        ImportOptions::new().batch_rows(2),
        usize::MAX,
    );
    let error = told.outcome.unwrap_err();
    assert_eq!(error.to_string(), "reading the source failed (timed out)");
    let last = told.points.last().unwrap().clone();
    assert!(last.imported().rows > 5);
    let options = ImportOptions::new().restart(last);
    import_until(&restored, text.as_bytes(), options, usize::MAX).complete();
    assert_same(&store, &restored);
}

#[test]
fn r70_an_export_is_cancelled_and_its_writer_may_fail() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            match taken {
                0 => Err(io::ErrorKind::StorageFull.into()),
                taken => Ok(taken),
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let store = sample();
    let now = store.snapshot().unwrap();
    let go_on = |_| ControlFlow::Continue(());
    let error = export_ndjson(&now, Full(500), ExportOptions::default(), go_on).unwrap_err();
    assert_eq!(
        error.to_string(),
        "writing the export failed (no storage space)"
    );
    let stop = |_| ControlFlow::Break(());
    let outcome = export_ndjson(&now, Vec::new(), ExportOptions::default(), stop);
    assert!(matches!(outcome, Err(TransferError::Cancelled)));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        export_ndjson(&now, Vec::new(), ExportOptions::default(), |_| {
            std::panic::resume_unwind(Box::new("of the caller"))
        })
    }));
    let said = panicked.unwrap_err();
    assert_eq!(said.downcast_ref(), Some(&"of the caller"));
    assert_sound(&store);
    add(&store, TokenEntry::new("t").email("t@example.com"));
}

#[test]
fn r70_progress_of_an_export_comes_to_all_rows() {
    let store = empty();
    crate::support::connect(&store);
    for first in [0, 3_000] {
        let entries = (first..first + 3_000)
            .map(|n| TokenEntry::new(format!("t-{n}")).external_customer_id(format!("crm-{n}")));
        let request = contact_store::AddTokens::new(crate::support::APP).entries(entries);
        store.add_tokens(request).wait().unwrap();
    }
    let mut told = Vec::new();
    let mut text = Vec::new();
    let now = store.snapshot().unwrap();
    export_ndjson(&now, &mut text, ExportOptions::default(), |progress| {
        assert_eq!(progress.of, 12_000);
        told.push((progress.rows, progress.bytes));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(told.len() > 3, "{told:?}");
    assert!(told.is_sorted());
    assert_eq!(told.last(), Some(&(12_000, text.len() as u64)));
}

#[test]
fn r68_r70_a_store_open_for_reading_only_and_a_closed_one_take_no_import() {
    let text = text_of(&sample());
    let store = empty();
    store.close().unwrap();
    let options = ImportOptions::new();
    let outcome = import_ndjson(
        &store,
        text.as_bytes(),
        options.clone(),
        |_| ControlFlow::Continue(()),
        |_| ControlFlow::Continue(()),
    );
    assert!(matches!(outcome, Err(TransferError::Store(Error::Closed))));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let options_of = || crate::support::options().0;
    contact_store::ContactStore::open(&path, options_of())
        .unwrap()
        .close()
        .unwrap();
    let store = contact_store::ContactStore::open(&path, options_of().read_only(true)).unwrap();
    let outcome = import_until(&store, text.as_bytes(), options, usize::MAX).outcome;
    assert!(matches!(
        outcome,
        Err(TransferError::Store(Error::ReadOnly))
    ));
}
