//! People made up from a number: the same number, the same person, in every run.

use contact_store::IdentifierKind::{Email, ExternalCustomerId, Phone};
use contact_store::{
    Card, ContactId, GivenIdentifiers, IdentifierKind, Identifiers, MatchPolicy, Snapshot, Token,
    TokenEntry,
};

use super::APP;
use super::numbers::shuffled;

pub use super::numbers::mix;

/// Somebody with an identifier of each kind and a token. In a store that was filled in order,
/// person 0 is contact 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Person(pub u64);

impl Person {
    pub fn contact_id(self) -> ContactId {
        ContactId::new(self.0 + 1).unwrap()
    }

    pub fn external_id(self) -> String {
        format!("shop-{:010}", shuffled(self.0, 1))
    }

    /// In canonical form.
    pub fn phone(self) -> String {
        format!("380{:010}", shuffled(self.0, 2))
    }

    pub fn email(self) -> String {
        format!("person.{}@example.com", shuffled(self.0, 3))
    }

    pub fn token(self) -> String {
        (1_000_000_000 + shuffled(self.0, 4)).to_string()
    }

    /// Their token with all that identifies them but the contact id, which the store assigns.
    pub fn entry(self) -> TokenEntry {
        TokenEntry::new(self.token())
            .external_customer_id(self.external_id())
            .phone(self.phone())
            .email(self.email())
    }

    pub fn given(self, kinds: &[IdentifierKind]) -> Identifiers {
        let mut given = GivenIdentifiers::new();
        for kind in kinds {
            given = match kind {
                IdentifierKind::ContactId => given.contact_id(self.contact_id().value()),
                ExternalCustomerId => given.external_customer_id(self.external_id()),
                Phone => given.phone(self.phone()),
                Email => given.email(self.email()),
                _ => unreachable!("there are four kinds"),
            };
        }
        given.parse().unwrap()
    }

    /// That `card` is theirs, to the last identifier.
    #[track_caller]
    pub fn assert_is(self, card: &Card) {
        let theirs = self.given(&[ExternalCustomerId, Phone, Email]);
        assert_eq!(card.identifiers, theirs.with_contact_id(card.id));
        let tokens = card.tokens.iter().map(|held| (held.app, &held.token));
        let token = Token::parse(self.token()).unwrap();
        assert_eq!(tokens.collect::<Vec<_>>(), [(APP, &token)]);
    }

    /// That the store has one card of theirs, under each of their identifiers.
    #[track_caller]
    pub fn assert_in(self, now: &Snapshot) {
        let find = |given: &Identifiers| now.find(given, MatchPolicy::Cascade).unwrap().unwrap();
        let card = find(&self.given(&[Email])).card;
        self.assert_is(&card);
        for kind in [ExternalCustomerId, Phone] {
            assert_eq!(find(&self.given(&[kind])).card, card);
        }
        assert_eq!(now.contact(card.id).unwrap(), Some(card));
    }
}

/// The people whom the entries of a log name, from its first entry: mostly new ones, in one of ten
/// somebody who came before.
pub fn log() -> impl Iterator<Item = Person> {
    let mut so_far = 0;
    (0_u64..).map(move |entry| {
        let repeats = so_far > 0 && mix(entry << 1).is_multiple_of(10);
        if repeats {
            return Person(mix(entry << 1 | 1) % so_far);
        }
        so_far += 1;
        Person(so_far - 1)
    })
}
