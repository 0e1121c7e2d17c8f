//! What must be right before anything is timed, and after what was timed changed it.

use std::collections::HashSet;
use std::ops::Range;

use crate::people::{Entry, Given, Known, Person};
use crate::sides::{Counts, Reader, Side};

/// What no workload does, but every side must do: a known token again, a second token on a card that
/// is found by the last of three kinds, a token on two cards, and FAILED for it.
pub fn a_short_history(name: &str, side: &dyn Side) {
    let [ann, bob] = [Person(0), Person(1)];
    let again = |token: &Person, by: Given| Entry {
        token: token.token(),
        external_id: by.external_id.unwrap(),
        phone: by.phone.unwrap(),
        email: by.email.unwrap(),
    };
    side.add(vec![ann.entry(), bob.entry()]);
    side.add(vec![ann.entry()]);
    // Ann's email alone is known: Bob's token comes onto her card too, and nothing else does.
    side.add(vec![
        again(&bob, cascade(ann)),
        again(&Person(2), cascade(ann)),
    ]);
    let tokens = |of: &[Person]| of.iter().map(|person| person.token()).collect();
    let expect = |of: Person, held: &[Person]| {
        let known = Known {
            tokens: tokens(held),
            ..of.known()
        };
        side.read(&mut |reader| {
            assert_eq!(
                reader.known(&of.by_phone()).as_ref(),
                Some(&known),
                "{name}"
            );
            let stranger = Person(STRANGERS + of.0);
            assert_eq!(reader.known(&stranger.by_all()), None, "{name}");
        });
    };
    expect(ann, &[ann, bob, Person(2)]);
    expect(bob, &[bob]);
    let before = Counts {
        subscribers: 3,
        contacts: 2,
        removed_by_failed: 0,
    };
    side.read(&mut |reader| assert_eq!(reader.counts(), before, "{name}"));
    assert_eq!(side.failed(tokens(&[bob, Person(3), bob])), 1, "{name}");
    expect(ann, &[ann, Person(2)]);
    expect(bob, &[]);
    let after = Counts {
        subscribers: 2,
        contacts: 1,
        removed_by_failed: 1,
    };
    side.read(&mut |reader| assert_eq!(reader.counts(), after, "{name}"));
    listing(name, side, [ann, Person(2)].into_iter());
    // The token comes back, as a new subscriber.
    side.add(vec![bob.entry()]);
    expect(bob, &[bob]);
    listing(name, side, [ann, bob, Person(2)].into_iter());
}

/// Everybody of these, or as many of them as `most` evenly spread, is found under each identifier, on
/// a card that has everything; strangers are not.
pub fn everybody(name: &str, side: &dyn Side, people: Range<u64>, most: u64) {
    let step = ((people.end - people.start) / most.max(1)).max(1);
    side.read(&mut |reader| {
        for person in people.clone().step_by(step as usize).map(Person) {
            let known = Some(person.known());
            for by in [
                person.by_external_id(),
                person.by_phone(),
                person.by_email(),
                cascade(person),
            ] {
                assert_eq!(reader.known(&by), known, "{name}: {person:?}");
            }
        }
        for stranger in (STRANGERS..STRANGERS + 100).map(Person) {
            assert_eq!(reader.known(&stranger.by_all()), None, "{name}");
        }
    });
}

/// People whom no store has: the last of those that can be made up.
pub const STRANGERS: u64 = 1 << 29;

/// Somebody known by email, with an external id and a phone that nobody has.
pub fn cascade(person: Person) -> Given {
    Given {
        email: Some(person.email()),
        ..Person(STRANGERS + person.0).by_all()
    }
}

/// The listing has the tokens of these people, each once, in ascending order of ids.
pub fn listing(name: &str, side: &dyn Side, people: impl Iterator<Item = Person>) {
    let mut expected: HashSet<String> = people.map(Person::token).collect();
    side.read(&mut |reader| {
        let mut last = None;
        list(reader, &mut |id, token| {
            assert!(last < Some(id), "{name}: not in ascending order");
            last = Some(id);
            assert!(expected.remove(token), "{name}: a token that is none");
        });
    });
    assert!(expected.is_empty(), "{name}: {} not listed", expected.len());
}

/// Reads all pages of the listing, and answers how many rows there were.
pub fn list(reader: &mut dyn Reader, see: &mut dyn FnMut(u64, &str)) -> usize {
    const PAGE: usize = 1_000;
    let mut after = None;
    let mut all = 0;
    loop {
        let mut rows = 0;
        reader.page(after, PAGE, &mut |id, token| {
            rows += 1;
            after = Some(id);
            see(id, token);
        });
        all += rows;
        if rows < PAGE {
            return all;
        }
    }
}

/// The counts of the app, when so many people were added and so many of their tokens removed.
pub fn counts(name: &str, side: &dyn Side, added: u64, removed: u64) {
    let expected = Counts {
        subscribers: added - removed,
        contacts: added - removed,
        removed_by_failed: removed,
    };
    side.read(&mut |reader| assert_eq!(reader.counts(), expected, "{name}"));
}
