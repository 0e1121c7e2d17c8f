//! Direct look-ups, by identifier and by (app, token) (R27), and listings in key order (R38).
//!
//! An index row says which ids share a hash; the card or subscriber itself says which one is meant.
//! This module does not know which look-up decides.

use crate::app::{AppId, AppNumber};
use crate::identifier::{ContactId, Email, ExternalCustomerId, IdentifierKind, Identifiers};
use crate::report::MessageId;
use crate::seeded::{SeededFault, seeded};
use crate::subscriber::SubscriberId;
use crate::token::Token;

use super::contact_ids;
use super::guard::Failure;
use super::record;
use super::rows::{
    AppRow, AppTallyRow, CardRow, Each, Index, ListedRow, MessageKey, MessageRow, Row as _,
    RowKey as _, Rows, SubscriberRow,
};
use super::tables::Key;

/// A card and the contact it is of.
pub(crate) struct FoundCard {
    pub(crate) id: ContactId,
    pub(crate) card: CardRow,
}

const STRANGE: Failure = Failure::Corrupt("an index row names a row that does not belong there");

/// The contact that the identifier of `kind` names. `None` also when no such identifier is given.
pub(crate) fn find_card(
    rows: &impl Rows,
    kind: IdentifierKind,
    identifiers: &Identifiers,
) -> Result<Option<FoundCard>, Failure> {
    let hasher = rows.hasher();
    match kind {
        IdentifierKind::ContactId => {
            let Some(id) = identifiers.contact_id() else {
                return Ok(None);
            };
            Ok(rows.row(&id)?.map(|card| FoundCard { id, card }))
        }
        IdentifierKind::ExternalCustomerId => {
            let Some(wanted) = identifiers.external_customer_id() else {
                return Ok(None);
            };
            let key = |id: &ExternalCustomerId| hasher.external_id(id.as_str());
            find_by(rows, Index::ExternalIds, key(wanted), |card| {
                let id = card.identifiers.external_customer_id()?;
                Some(same_or(id == wanted, || key(id)))
            })
        }
        IdentifierKind::Phone => {
            let Some(wanted) = identifiers.phone() else {
                return Ok(None);
            };
            find_by(rows, Index::Phones, wanted.as_u64(), |card| {
                let phone = card.identifiers.phone()?;
                Some(same_or(phone == wanted, || phone.as_u64()))
            })
        }
        IdentifierKind::Email => {
            let Some(wanted) = identifiers.email() else {
                return Ok(None);
            };
            let key = |email: &Email| hasher.email(email.as_str());
            find_by(rows, Index::Emails, key(wanted), |card| {
                let email = card.identifiers.email()?;
                Some(same_or(email == wanted, || key(email)))
            })
        }
    }
}

/// What a card has where an index row led to it.
enum Has {
    TheWanted,
    /// Another value, with this index key.
    Another(u64),
}

fn same_or(same: bool, key: impl FnOnce() -> u64) -> Has {
    if same || seeded(SeededFault::TrustTheHash) {
        Has::TheWanted
    } else {
        Has::Another(key())
    }
}

/// The contact under `key` whose card has the wanted value. `on` says what a card has.
fn find_by(
    rows: &impl Rows,
    index: Index,
    key: u64,
    on: impl Fn(&CardRow) -> Option<Has>,
) -> Result<Option<FoundCard>, Failure> {
    for id in rows.index_row(index, key)?.ids() {
        let id = ContactId::new(id).map_err(|_| STRANGE)?;
        let card: CardRow = rows.expect_row(&id)?;
        match on(&card) {
            Some(Has::TheWanted) => return Ok(Some(FoundCard { id, card })),
            // Another value with the same key: rare, and as it should be.
            Some(Has::Another(its_key)) if its_key == key => {}
            _ => return Err(STRANGE),
        }
    }
    Ok(None)
}

/// The subscriber that (app, token) is.
pub(crate) fn find_subscriber(
    rows: &impl Rows,
    app: AppNumber,
    token: &Token,
) -> Result<Option<(SubscriberId, SubscriberRow)>, Failure> {
    let hasher = rows.hasher();
    let wanted_key = hasher.token(app.0, token.as_str());
    for id in rows.index_row(Index::Tokens, wanted_key)?.ids() {
        let id = SubscriberId::new(id);
        let row: SubscriberRow = rows.expect_row(&id)?;
        if row.app == app && row.token == *token {
            return Ok(Some((id, row)));
        }
        if hasher.token(row.app.0, row.token.as_str()) != wanted_key {
            return Err(STRANGE);
        }
    }
    Ok(None)
}

/// Whether `id` is that of a contact there is or was (R18). An id that names no contact and is
/// taken is that of an erased one.
pub(crate) fn was_contact_id_taken(rows: &impl Rows, id: ContactId) -> Result<bool, Failure> {
    Ok(rows.state().passed(id) || contact_ids::run_with(rows, id.value())?.is_some())
}

/// The contact id that would be assigned next (R19).
pub(crate) fn next_contact_id(rows: &impl Rows) -> Result<Option<ContactId>, Failure> {
    let next = contact_ids::next_id(rows, rows.state().next_contact)?;
    Ok(next.and_then(|id| ContactId::new(id).ok()))
}

/// At most `most` subscribers of an app behind the one named, in order of their ids (R38).
pub(crate) fn subscribers_after(
    rows: &impl Rows,
    app: AppNumber,
    after: Option<SubscriberId>,
    most: usize,
) -> Result<Vec<(SubscriberId, SubscriberRow)>, Failure> {
    let first = match after {
        None => 0,
        Some(after) => match after.value().checked_add(1) {
            Some(first) => first,
            None => return Ok(Vec::new()),
        },
    };
    let span = [first, u64::MAX].map(|id| (app, SubscriberId::new(id)).to_key());
    let listed: Vec<(_, ListedRow)> = rows.rows(&span[0], &span[1], most)?;
    listed
        .into_iter()
        .map(|((_, id), _)| Ok((id, rows.expect_row(&id)?)))
        .collect()
}

type Cards = Vec<(ContactId, CardRow)>;

/// At most `most` cards behind the contact named, in order of contact ids (R56).
pub(crate) fn cards_after(
    rows: &impl Rows,
    after: Option<ContactId>,
    most: usize,
) -> Result<Cards, Failure> {
    let (first, last) = cards_behind(after);
    rows.rows(&first, &last, most)
}

/// At most `most` cards behind the contact named that hold a token of an app, in order of contact ids;
/// looks at no more than `look_at` cards. With the last card looked at, unless there are no more.
pub(crate) fn cards_of_app_after(
    rows: &impl Rows,
    app: AppNumber,
    after: Option<ContactId>,
    most: usize,
    look_at: usize,
) -> Result<(Cards, Option<ContactId>), Failure> {
    let (first, last) = cards_behind(after);
    let mut found = Cards::new();
    let (mut looked_at, mut stopped_at) = (0_usize, None);
    if most == 0 || look_at == 0 || first > last {
        return Ok((found, None));
    }
    let each: &mut Each<'_> = &mut |key, bytes| {
        let row = record::open(CardRow::TABLE, &key, bytes, CardRow::decode)?;
        let id = ContactId::from_key(&key)?;
        if row.tokens.iter().any(|held| held.app == app) {
            found.push((id, row));
        }
        looked_at = looked_at.saturating_add(1);
        if found.len() < most && looked_at < look_at {
            return Ok(true);
        }
        stopped_at = Some(id);
        Ok(false)
    };
    rows.walk(CardRow::TABLE, (&first, &last), true, each)?;
    Ok((found, stopped_at))
}

/// The keys that contacts behind this one could have.
fn cards_behind(after: Option<ContactId>) -> (Key, Key) {
    let first = after.map_or(0, ContactId::value).saturating_add(1);
    (Key::Int(first), Key::Int(u64::MAX))
}

/// At most `most` message tallies of an app behind the one named, in the byte order of their ids.
pub(crate) fn messages_after(
    rows: &impl Rows,
    app: AppNumber,
    after: Option<&MessageId>,
    most: usize,
) -> Result<Vec<(MessageKey, MessageRow)>, Failure> {
    let first = match after {
        None => MessageKey::first_of(app),
        Some(after) => MessageKey::right_behind(app, after),
    };
    rows.rows(&first, &MessageKey::behind(app), most)
}

/// The apps that are connected, in the order of their ids.
pub(crate) fn apps(rows: &impl Rows) -> Result<Vec<(AppId, AppRow, AppTallyRow)>, Failure> {
    let (first, last) = (
        AppId::from_u128(0).to_key(),
        AppId::from_u128(u128::MAX).to_key(),
    );
    let apps: Vec<(AppId, AppRow)> = rows.rows(&first, &last, usize::MAX)?;
    apps.into_iter()
        .map(|(id, app)| Ok((id, app.clone(), rows.expect_row(&app.number)?)))
        .collect()
}
