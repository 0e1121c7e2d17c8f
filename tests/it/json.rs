//! The published JSON: what is taken, what is refused and how, what is answered (R52, R55).
//!
//! The tables hold one body or entry a row, with its outcome. Accepted entries are shown as
//! they are answered, refused ones as `code of place`.

mod answers;
mod contacts;
mod garbage;
mod lines;
mod requests;
pub mod send;

use contact_store::{ContactStore, Error, Limit, LimitExceeded, Limits, Options, wire};
use serde::Serialize;
use serde_json::Value;

use crate::support::{APP, store_with};

fn text(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap()
}

/// Adds the tokens of a body to a store; gives the answer's `results`, or the whole error.
fn add_body(store: &ContactStore, body: &[u8]) -> Result<Vec<Value>, String> {
    let answer = wire::parse_add_tokens(APP, body, &Limits::default())
        .and_then(|request| store.add_tokens(request).wait());
    results(answer.map(|added| text(&wire::tokens_added(&added.outcome))))
}

/// Records the reports of a body in a store; gives the same.
fn report_body(store: &ContactStore, body: &[u8]) -> Result<Vec<Value>, String> {
    let answer = wire::parse_reports(APP, body, &Limits::default())
        .and_then(|request| store.record_reports(request).wait());
    results(answer.map(|recorded| text(&wire::reports_recorded(&recorded.outcome))))
}

fn results(answer: Result<String, Error>) -> Result<Vec<Value>, String> {
    let answer = answer.map_err(|error| said(&error))?;
    let mut answer: Value = serde_json::from_str(&answer).unwrap();
    let results = answer["results"].take();
    Ok(results.as_array().unwrap().clone())
}

/// An error as `code of place`, the place being that of the published form.
fn said(error: &Error) -> String {
    said_form(&serde_json::from_str(&text(&wire::error(error))).unwrap())
}

fn said_form(form: &Value) -> String {
    let error = &form["error"];
    let code = error["code"].as_str().unwrap();
    let place = ["field", "path", "limit"]
        .iter()
        .find_map(|place| error[place].as_str());
    match place {
        Some(place) => format!("{code} of {place}"),
        None => code.to_owned(),
    }
}

/// One entry, added to a new store between two sound ones: its outcome, in short.
///
/// What is wrong with it never touches its neighbours (R55).
#[track_caller]
fn becomes_of(entry: &str, set: impl FnOnce(&mut Options)) -> String {
    let (store, _) = store_with(set);
    let body = format!(
        r#"{{"tokens": [{{"token": "before", "contactId": 101}}, {entry}, {{"token": "after", "contactId": 102}}]}}"#
    );
    let results = match add_body(&store, body.as_bytes()) {
        Ok(results) => results,
        Err(refused) => return format!("all: {refused}"),
    };
    assert_eq!(results.len(), 3, "{entry}");
    for (place, contact) in [(0, 101), (2, 102)] {
        assert_eq!(results[place]["contactId"], contact, "{entry}");
        assert_eq!(results[place]["token"], "added", "{entry}");
    }
    let shown = match results[1].get("error") {
        Some(_) => said_form(&results[1]),
        None => format!(
            "{} {}",
            results[1]["contact"].as_str().unwrap(),
            results[1]["contactId"]
        ),
    };
    crate::support::assert_sound(&store);
    shown
}

/// A batch takes 3,000 entries; of more, none is kept, and how many there are is told.
#[track_caller]
fn at_most_3000_are_read(
    body: impl Fn(&str) -> String,
    parse: impl Fn(&[u8], &Limits) -> Result<(), Error>,
) {
    let limits = Limits::default();
    for (count, refused) in [(3_000, false), (3_001, true), (1_003_000, true)] {
        let body = body(&format!("{}1", "1,".repeat(count - 1)));
        match parse(body.as_bytes(), &limits) {
            Ok(()) => assert!(!refused, "{count}"),
            Err(Error::LimitExceeded(LimitExceeded {
                limit,
                actual,
                most,
                ..
            })) => {
                assert!(refused, "{count}");
                assert_eq!(limit, Limit::EntriesPerRequest);
                assert_eq!((actual, most), (count as u64, 3_000));
            }
            Err(other) => panic!("{other}"),
        }
    }
}
