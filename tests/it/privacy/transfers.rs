//! Exports and imports: only the exported text itself, and a rejected row, hold what is of a person.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use contact_store::transfer::{
    ExportOptions, ImportOptions, NotARestartPoint, RestartPoint, TransferError, export_ndjson,
    import_ndjson,
};
use contact_store::{ContactStore, ContactUpdate, DedupeOn, Options, Upsert};

use super::fill;
use super::shown::{DIGITS, PHONE, Shown, WORD};
use crate::support::{id, store};

fn empty() -> ContactStore {
    ContactStore::open_in_memory(Options::default()).unwrap()
}

/// The text of a store with canaries everywhere.
fn exported(shown: &mut Shown) -> String {
    let (store, _) = store();
    fill(&store);
    // An id that is in use no more.
    let other = ContactUpdate::new().external_customer_id(WORD);
    let upsert = Upsert::new(DedupeOn::ExternalCustomerId).contact(other);
    let other = store.upsert(upsert).wait().unwrap().outcome;
    let other = other.into_single().unwrap().contact;
    assert!(store.erase(other).wait().unwrap().outcome.erased);
    let mut text = Vec::new();
    let options = ExportOptions::default().access_keys(true);
    shown.value(&options);
    let exported = export_ndjson(&store.snapshot().unwrap(), &mut text, options, |progress| {
        shown.value(&progress);
        ControlFlow::Continue(())
    });
    shown.value(&exported.unwrap());
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(WORD) && text.contains(DIGITS));
    text
}

/// Imports a text in small batches, and looks at whatever is told.
fn import(
    shown: &mut Shown,
    store: &ContactStore,
    source: impl Read,
    options: ImportOptions,
) -> (Result<(), TransferError>, Option<RestartPoint>) {
    let mut told = Vec::new();
    let mut last = None;
    let options = options.batch_rows(2);
    shown.value(&options);
    let outcome = import_ndjson(
        store,
        source,
        options,
        |rejected| {
            told.push(format!("{rejected:?} {rejected:#?}"));
            shown.value(&rejected);
            shown.row_error(rejected.error);
            ControlFlow::Continue(())
        },
        |progress| {
            last = Some(progress);
            ControlFlow::Continue(())
        },
    );
    if let Some(progress) = &last {
        shown.value(progress);
        shown.value(&progress.imported);
        shown.displayed(&progress.restart);
    }
    if let Err(error) = &outcome {
        shown.transfer_error(error);
    }
    (outcome.map(drop), last.map(|progress| progress.restart))
}

pub fn values(shown: &mut Shown) {
    let text = exported(shown);
    let (outcome, point) = import(shown, &empty(), text.as_bytes(), ImportOptions::new());
    outcome.unwrap();
    shown.value(&ImportOptions::new().restart(point.unwrap()));
    let not_one: NotARestartPoint = WORD.parse::<RestartPoint>().unwrap_err();
    shown.displayed(&not_one);
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::TimedOut.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every error of an import, and every reason of a row but those that other requests have as well.
pub fn errors(shown: &mut Shown) {
    let text = exported(shown);
    ends(shown, &text);
    rows(shown, &text);
}

fn ends(shown: &mut Shown, text: &str) {
    let fresh = ImportOptions::new;
    let mut try_text = |text: &str| {
        import(shown, &empty(), text.as_bytes(), fresh())
            .0
            .unwrap_err();
    };
    try_text(WORD);
    try_text(&text.replace("\"version\":1", &format!("\"version\":2,\"{WORD}\":1")));
    try_text(&text[..text.len() - 20]);
    try_text(&text.replace("\"lines\":", "\"lines\":1"));
    try_text(&format!("{text}{WORD}"));
    import(shown, &empty(), Failing, fresh()).0.unwrap_err();
    let (used, _) = store();
    fill(&used);
    import(shown, &used, text.as_bytes(), fresh())
        .0
        .unwrap_err();
    let closed = empty();
    closed.close().unwrap();
    import(shown, &closed, text.as_bytes(), fresh())
        .0
        .unwrap_err();

    let restored = empty();
    let (_, point) = import(shown, &restored, text.as_bytes(), fresh());
    let go_on = fresh().restart(point.unwrap());
    let other = text
        .replace("Ann", "Eve")
        .replace("\"removedByHost\":0", "\"removedByHost\":1");
    import(shown, &restored, other.as_bytes(), go_on.clone())
        .0
        .unwrap_err();
    import(shown, &empty(), text.as_bytes(), go_on)
        .0
        .unwrap_err();

    let now = used.snapshot().unwrap();
    let options = ExportOptions::default();
    let full = export_ndjson(&now, Failing, options, |_| ControlFlow::Continue(()));
    shown.transfer_error(&full.unwrap_err());
    let cancelled = export_ndjson(&now, Vec::new(), options, |_| ControlFlow::Break(()));
    shown.transfer_error(&cancelled.unwrap_err());
}

fn rows(shown: &mut Shown, text: &str) {
    let card = text
        .lines()
        .find(|line| line.contains("\"contact\":"))
        .unwrap();
    let subscriber = text
        .lines()
        .find(|line| line.contains("\"subscriber\":"))
        .unwrap();
    let message = text
        .lines()
        .find(|line| line.contains("\"message\":"))
        .unwrap();
    let number = format!("\"contactId\":{}", id(1).value());
    let second = card.replace(&number, "\"contactId\":2");
    let nobody = second
        .replace(&format!("{PHONE}"), "38050009917")
        .replace("shop", "other");
    let nobody = nobody.replace("ann.", "other.");
    let token = "\"subscriberId\":\"1099511627777\"";
    let held = card
        .split_once("\"tokens\":[")
        .unwrap()
        .1
        .trim_end_matches("]}}");
    let mut bad = Vec::new();
    for wrong in [
        WORD.to_owned(),
        format!("{{\"{WORD}@x\":1}}"),
        card.replace("\"phone\"", &format!("\"{PHONE}\"")),
        card.replace(&format!("\"{PHONE}\""), &format!("{PHONE}")),
        card.replace(&format!("\"{PHONE}\""), &format!("\"{PHONE}{PHONE}\"")),
        format!("{}{card}", " ".repeat(4 << 20)),
        second.clone(),
        nobody.replace(token, "\"subscriberId\":\"4398046511105\""),
        nobody.replace(token, "\"subscriberId\":\"1099511627778\""),
        nobody.replace("-first", "-second"),
        nobody.replace(held, &format!("{held},{held}")),
        text.lines().nth(1).unwrap().to_owned(),
    ] {
        bad.push((card, wrong));
    }
    bad.push((
        subscriber,
        subscriber.replace("1099511627777", "1099511627799"),
    ));
    bad.push((message, message.replace("\"sent\":0", "\"sent\":7")));
    let last = text.lines().rev().nth(1).unwrap();
    let merge = |ids: &str| {
        format!(
            "{{\"merge\":{{{ids},\"mergedAt\":1,\"order\":1,\"createdAt\":1,\"tokens\":[],\
             \"moved\":{{\"email\":\"{WORD}@example.com\"}},\"orderBefore\":[],\"mergedIds\":[]}}}}"
        )
    };
    bad.push((last, merge("\"contactId\":1,\"into\":1")));
    bad.push((last, merge("\"contactId\":2,\"into\":99")));
    for (after, wrong) in bad {
        let lines: String = text
            .lines()
            .map(|line| match line == after {
                true => format!("{line}\n{wrong}\n"),
                false => format!("{line}\n"),
            })
            .collect();
        let store = empty();
        let refused = import(shown, &store, lines.as_bytes(), ImportOptions::new());
        assert!(matches!(refused.0, Err(TransferError::LineCount { .. })));
        let point = refused.1.unwrap();
        assert_eq!(point.imported().refused_rows(), 1, "{point} {wrong}");
    }
}
