//! Direct look-ups, by identifier and by (app, token) (R27), and listings in key order (R38).
//!
//! An index says which rows may have a value; the card or subscriber itself says whether it has. The id
//! of a merged contact leads to the one that it is in (R58). This
//! module does not know which look-up decides.

use crate::model::app::{AppId, AppNumber};
use crate::model::holders::Holders;
use crate::model::identifier::{ContactId, IdentifierKind, Identifiers};
use crate::model::report::MessageId;
use crate::model::subscriber::SubscriberId;
use crate::model::token::Token;

use super::contact_ids;
use super::format::codec;
use super::format::keys::{MessageKey, RowKey as _};
use super::format::record::{self, Row as _};
use super::format::rows::{
    AppRow, AppTallyRow, BorrowedSubscriber, CardRow, FormerIdRow, MessageRow, SubscriberRow,
};
use super::guard::Failure;
use super::index::{identifier_hash, index_of};
use super::merges::merged_into;
use super::read::{Each, Rows};
use super::tables::Key;
use super::unique::Index;

/// A card and the contact it is of.
pub(crate) struct FoundCard {
    pub(crate) id: ContactId,
    pub(crate) card: CardRow,
}

/// The contact with this id, or the one that it was merged into.
pub(crate) fn contact_with_id(
    rows: &impl Rows,
    id: ContactId,
) -> Result<Option<FoundCard>, Failure> {
    if let Some(card) = rows.card(id)? {
        return Ok(Some(FoundCard { id, card }));
    }
    let Some(id) = merged_into(rows, id)? else {
        return Ok(None);
    };
    const LEADS_NOWHERE: Failure = Failure::Corrupt("a merged id that leads to no contact");
    let card = rows.card(id)?.ok_or(LEADS_NOWHERE)?;
    Ok(Some(FoundCard { id, card }))
}

/// The contact that the identifier of `kind` names. `None` also when no identifier of that kind is given.
///
/// An index may lead to a card that is gone, or has another value by now: that is no match.
pub(crate) fn find_card(
    rows: &impl Rows,
    kind: IdentifierKind,
    identifiers: &Identifiers,
) -> Result<Option<FoundCard>, Failure> {
    let Some(index) = index_of(kind) else {
        let Some(id) = identifiers.contact_id() else {
            return Ok(None);
        };
        return contact_with_id(rows, id);
    };
    let Some(hash) = identifier_hash(rows.hasher(), index, identifiers) else {
        return Ok(None);
    };
    let mut found = None;
    rows.candidates(index, hash, &mut |id| {
        let id = ContactId::new(id).map_err(|_| Failure::Corrupt("an index with an id of 0"))?;
        found = rows
            .card(id)?
            .filter(|card| card.identifiers.share(kind, identifiers))
            .map(|card| FoundCard { id, card });
        Ok(found.is_none())
    })?;
    Ok(found)
}

/// The subscriber that (app, token) is.
pub(crate) fn find_subscriber(
    rows: &impl Rows,
    app: AppNumber,
    token: &Token,
) -> Result<Option<(SubscriberId, SubscriberRow)>, Failure> {
    let hash = rows.hasher().token(app.0, token.as_str());
    let mut found = None;
    rows.candidates(Index::Tokens, hash, &mut |id| {
        let id = SubscriberId::new(id);
        let row: Option<SubscriberRow> = rows.row(&id)?;
        found = row
            .filter(|row| row.app == app && row.token == *token)
            .map(|row| (id, row));
        Ok(found.is_none())
    })?;
    Ok(found)
}

/// The subscriber with this id, or that had it in format 1.
pub(crate) fn subscriber_with_id(
    rows: &impl Rows,
    id: SubscriberId,
) -> Result<Option<(SubscriberId, SubscriberRow)>, Failure> {
    let id = present_id(rows, id)?;
    Ok(rows.row(&id)?.map(|row| (id, row)))
}

/// The id that a subscriber has now.
fn present_id(rows: &impl Rows, id: SubscriberId) -> Result<SubscriberId, Failure> {
    if id.app() != AppNumber(0) {
        return Ok(id);
    }
    let former: Option<FormerIdRow> = rows.row(&id)?;
    Ok(former.map_or(id, |former| former.now))
}

/// Whether `id` is that of a contact there is or was (R18). An id that leads to no contact and is
/// taken is that of an erased one.
pub(crate) fn was_contact_id_taken(rows: &impl Rows, id: ContactId) -> Result<bool, Failure> {
    Ok(rows.state().passed(id) || contact_ids::run_with(rows, id.value())?.is_some())
}

/// The contact id that would be assigned next (R19).
pub(crate) fn next_contact_id(rows: &impl Rows) -> Result<Option<ContactId>, Failure> {
    let next = contact_ids::next_id(rows, rows.state().next_contact)?;
    Ok(next.and_then(|id| ContactId::new(id).ok()))
}

/// At most `most` subscribers of an app after the one named, in order of their ids (R38), each turned
/// into what the caller wants.
pub(crate) fn subscribers_after<T>(
    rows: &impl Rows,
    app: AppNumber,
    after: Option<SubscriberId>,
    most: usize,
    turn: impl FnMut(SubscriberId, SubscriberRow) -> T,
) -> Result<Vec<T>, Failure> {
    let (first, last) = keys_of_subscribers_after(rows, app, after)?;
    rows.rows_as(&first, &last, most, turn)
}

/// Hands the subscribers of an app after the one named to `visit`, in order of their ids (R38), each
/// with its holders, until it answers `false`.
pub(crate) fn visit_subscribers_after(
    rows: &impl Rows,
    app: AppNumber,
    after: Option<SubscriberId>,
    mut visit: impl FnMut(SubscriberId, BorrowedSubscriber<'_>, &[ContactId]) -> bool,
) -> Result<(), Failure> {
    let (first, last) = keys_of_subscribers_after(rows, app, after)?;
    if first > last {
        return Ok(());
    }
    let mut holders = Holders::NONE;
    rows.walk(
        SubscriberRow::TABLE,
        (&first, &last),
        true,
        &mut |key, bytes| {
            let id = SubscriberId::from_key(&key)?;
            record::open(SubscriberRow::TABLE, &key, bytes, |payload| {
                let subscriber = codec::borrow_subscriber(payload, &mut holders)?;
                Ok(visit(id, subscriber, &holders))
            })
        },
    )
}

/// The keys that subscribers of an app after this one could have: the first is above the last when
/// there are none.
fn keys_of_subscribers_after(
    rows: &impl Rows,
    app: AppNumber,
    after: Option<SubscriberId>,
) -> Result<(Key, Key), Failure> {
    let last = SubscriberId::of(app, SubscriberId::MOST_OF_AN_APP);
    let mut first = SubscriberId::of(app, 0);
    if let Some(after) = after {
        let after = present_id(rows, after)?;
        first = first.max(SubscriberId::new(after.value().saturating_add(1)));
    }
    Ok((first.to_key(), last.to_key()))
}

type Cards = Vec<(ContactId, CardRow)>;

/// At most `most` cards after the contact named, in order of contact ids (R56).
pub(crate) fn cards_after(
    rows: &impl Rows,
    after: Option<ContactId>,
    most: usize,
) -> Result<Cards, Failure> {
    let (first, last) = keys_of_cards_after(after);
    rows.rows(&first, &last, most)
}

/// At most `most` cards after the contact named that hold a token of an app, in order of contact ids;
/// looks at no more than `look_at` cards. With the last card looked at, unless there are no more.
pub(crate) fn cards_of_app_after(
    rows: &impl Rows,
    app: AppNumber,
    after: Option<ContactId>,
    most: usize,
    look_at: usize,
) -> Result<(Cards, Option<ContactId>), Failure> {
    let (first, last) = keys_of_cards_after(after);
    let mut found = Cards::new();
    let (mut looked_at, mut stopped_at) = (0_usize, None);
    if most == 0 || look_at == 0 || first > last {
        return Ok((found, None));
    }
    let each: &mut Each<'_> = &mut |key, bytes| {
        let (id, row) = record::decode_row::<CardRow>(&key, bytes)?;
        if row.tokens.iter().any(|held| held.app() == app) {
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

/// The keys that contacts after this one could have.
fn keys_of_cards_after(after: Option<ContactId>) -> (Key, Key) {
    let first = after.map_or(0, ContactId::value).saturating_add(1);
    (Key::Int(first), Key::Int(u64::MAX))
}

/// At most `most` message tallies of an app after the one named, in the byte order of their ids.
pub(crate) fn messages_after(
    rows: &impl Rows,
    app: AppNumber,
    after: Option<&MessageId>,
    most: usize,
) -> Result<Vec<(MessageKey, MessageRow)>, Failure> {
    let first = match after {
        None => MessageKey::first_of(app),
        Some(after) => MessageKey::right_after(app, after),
    };
    rows.rows(&first, &MessageKey::after_all_of(app), most)
}

/// The apps that are connected, in the order of their ids.
pub(crate) fn apps(rows: &impl Rows) -> Result<Vec<(AppId, AppRow, AppTallyRow)>, Failure> {
    let (first, last) = (
        AppId::from_u128(0).to_key(),
        AppId::from_u128(u128::MAX).to_key(),
    );
    let apps: Vec<(AppId, AppRow)> = rows.rows(&first, &last, usize::MAX)?;
    apps.into_iter()
        .map(|(id, app)| Ok((id, app.clone(), rows.tally(app.number)?)))
        .collect()
}
