//! The kept cards, as one thread sees them. These tests stand beside the source, which `tests/schedules` takes as
//! it is to locks that only its scheduler knows.

use crate::model::identifier::ContactId;

use super::cards::{Cards, ROOM};

const ID: ContactId = match ContactId::new(1) {
    Ok(id) => id,
    Err(_) => panic!(),
};

fn id(value: u64) -> ContactId {
    ContactId::new(value).unwrap_or(ID)
}

fn kept(cards: &Cards, contact: u64, version: u64) -> Option<Vec<u8>> {
    let kept = cards.get(id(contact), version)?;
    Some(kept.bytes().to_vec())
}

#[test]
fn a_card_is_shown_from_its_version_on_until_a_commit_changes_it() {
    let cards = Cards::new(1 << 20);
    cards.advance(5, std::iter::empty());
    cards.put(id(1), 5, b"ten");
    assert_eq!(kept(&cards, 1, 4), None, "an older snapshot");
    assert_eq!(kept(&cards, 1, 5), Some(b"ten".to_vec()));
    assert_eq!(kept(&cards, 1, 6), Some(b"ten".to_vec()));
    assert_eq!(kept(&cards, 2, 5), None);
    cards.advance(6, [id(2)].into_iter());
    assert_eq!(kept(&cards, 1, 6), Some(b"ten".to_vec()));
    cards.advance(7, [id(1)].into_iter());
    assert_eq!(kept(&cards, 1, 6), None);
    assert_eq!(kept(&cards, 1, 7), None);
    cards.put(id(1), 6, b"ten");
    assert_eq!(kept(&cards, 1, 7), None, "put by an older snapshot");
    cards.put(id(1), 7, b"of 7");
    assert_eq!(kept(&cards, 1, 7), Some(b"of 7".to_vec()));
}

#[test]
fn without_room_nothing_is_kept_and_a_large_card_never_is() {
    let none = Cards::new(0);
    none.put(id(1), 0, b"card");
    assert_eq!(kept(&none, 1, 0), None);
    assert_eq!(none.bytes(), 0);
    let some = Cards::new(1 << 20);
    some.put(id(1), 0, &[7; ROOM + 1]);
    assert_eq!(kept(&some, 1, 0), None);
    some.put(id(1), 0, &[7; ROOM]);
    assert_eq!(kept(&some, 1, 0), Some(vec![7; ROOM]));
    // Another contact in the same slot takes its place.
    let another = (2..10_000).find(|another| {
        some.put(id(*another), 0, b"another");
        kept(&some, 1, 0).is_none()
    });
    let another = another.unwrap_or_default();
    assert_eq!(kept(&some, another, 0), Some(b"another".to_vec()));
    assert!((1..=1 << 20).contains(&some.bytes()));
}
