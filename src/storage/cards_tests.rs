//! The kept cards, as one thread sees them. These tests stand beside the source, which `tests/schedules` takes as
//! it is to locks that only its scheduler knows.

use crate::model::identifier::ContactId;

use super::cards::{Cards, KEEPS_OUT, ROOM};

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
    assert!((1..=1 << 20).contains(&some.bytes()));
}

#[test]
fn a_card_that_is_looked_up_often_keeps_its_slot() {
    let cards = Cards::new(256 * 320);
    let (often, seldom) = (1, 257);
    cards.put(id(often), 0, b"often");
    for _ in 0..100 {
        for _ in 0..KEEPS_OUT {
            cards.put(id(seldom), 0, b"seldom");
        }
        assert_eq!(kept(&cards, seldom, 0), None);
        assert_eq!(kept(&cards, often, 0), Some(b"often".to_vec()));
    }
    // Nobody looks it up any more.
    for _ in 0..=KEEPS_OUT {
        assert_eq!(kept(&cards, seldom, 0), None);
        cards.put(id(seldom), 0, b"seldom");
    }
    assert_eq!(kept(&cards, seldom, 0), Some(b"seldom".to_vec()));
    assert_eq!(kept(&cards, often, 0), None);
    // A slot that a commit emptied is free at once.
    cards.advance(1, [id(seldom)].into_iter());
    cards.put(id(often), 1, b"often");
    assert_eq!(kept(&cards, often, 1), Some(b"often".to_vec()));
}
