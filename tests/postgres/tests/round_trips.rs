//! How often a group asks the server, and how often it waits for an answer.

use std::ops::Range;

use contact_store::{AddTokens, ContactStore, Pending, TokensAdded};

use super::stores::{APP, add, connect_app, entry, open};
use crate::cluster::shared;
use crate::proxy::{Direction, Proxy};

struct Asking {
    store: ContactStore,
    proxy: Proxy,
}

impl Asking {
    fn send(&self, numbers: Range<u64>) -> Pending<TokensAdded> {
        let request = AddTokens::new(APP).entries(numbers.map(entry));
        self.store.add_tokens(request)
    }

    /// Adds these tokens by one request. Gives how many statements that took, and how often it was waited for their
    /// answers.
    fn of_request(&self, numbers: Range<u64>) -> (u64, u64) {
        self.proxy.forget();
        // The proxy cannot tell: answers to the first statements may overtake the last.
        let waits = || self.store.stats().unwrap().database.unwrap().round_trips;
        let before = waits();
        self.send(numbers).wait().unwrap();
        (self.proxy.counts().asked, waits() - before)
    }

    /// Adds each of these tokens by a request of its own, all in one group. Gives how many statements that took.
    fn of_group(&self, numbers: Range<u64>) -> u64 {
        // The group before it ends when all of its requests are there. It changes nothing, as the first does.
        self.proxy.forget();
        self.proxy.hold_from(Direction::ToServer, 1);
        let before = self.send(0..0);
        self.proxy.wait_until_held(Direction::ToServer);
        let pending: Vec<_> = numbers
            .map(|number| self.send(number..number + 1))
            .collect();
        self.proxy.go_on();
        before.wait().unwrap();
        for pending in pending {
            pending.wait().unwrap();
        }
        let both = self.proxy.counts().asked;
        let (before, _) = self.of_request(0..0);
        both - before
    }
}

/// The figures are told in the documentation of the engine.
#[test]
fn r48_what_a_group_asks_of_the_server_does_not_grow_with_it() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("round_trips");
    connect_app(&open(&database.url));
    let proxy = Proxy::start(cluster.port());
    let store = open(&proxy.url(&database.url));
    let asking = Asking { store, proxy };
    // The first time, statements are prepared as well.
    for number in [1, 1, 2] {
        add(&asking.store, number).unwrap();
    }
    asking.of_request(0..0);
    let (new, known) = (14, 12);
    assert_eq!(asking.of_request(10..11), (new, 2));
    assert_eq!(asking.of_request(10..11), (known, 2));
    for (first, entries) in [(1_000, 10), (10_000, 1_000)] {
        let numbers = first..first + entries;
        assert_eq!(asking.of_request(numbers.clone()), (new, 2), "{entries}");
        assert_eq!(asking.of_request(numbers), (known, 2), "{entries}");
    }
    assert_eq!(asking.of_group(20_000..20_064), new);
    assert_eq!(asking.of_group(20_000..20_064), known);
}
