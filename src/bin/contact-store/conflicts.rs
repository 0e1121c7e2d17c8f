//! The command `conflicts`: contacts that requests named as if they were one.

use contact_store::{Conflict, ContactId, IdentifierKind, InConflict, limits::PAGE_ROWS, wire};

use crate::failure::Failure;
use crate::open::open;
use crate::place::Place;
use crate::show::{Output, Table, time};

/// Lists the conflicts, in the order of the pairs.
pub(crate) fn list(place: &Place, output: &mut Output) -> Result<(), Failure> {
    let store = open(place)?;
    let now = store.snapshot()?;
    let mut after: Option<(ContactId, ContactId)> = None;
    loop {
        let page = now.conflicts(after, PAGE_ROWS)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.pair());
        print(&page, output)?;
    }
}

fn print(page: &[Conflict], output: &mut Output) -> Result<(), Failure> {
    if output.json {
        for conflict in page {
            output.object(&wire::conflict(conflict))?;
        }
        return Ok(());
    }
    let mut table = Table::without_names(output);
    for conflict in page {
        let [one, other] = conflict.contacts.map(words);
        table.row([
            one,
            other,
            format!("{}x", conflict.count),
            time(conflict.first_at),
            time(conflict.last_at),
        ])?;
    }
    Ok(table.end()?)
}

/// `contact 3 by phone, email`.
fn words(side: InConflict) -> String {
    let kinds: Vec<&str> = side.named_by.iter().map(IdentifierKind::as_str).collect();
    format!("contact {} by {}", side.contact, kinds.join(", "))
}
