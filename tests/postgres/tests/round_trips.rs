//! How often a group asks the server, and how often it waits for an answer.

use std::ops::Range;

use contact_store::{
    AddTokens, ContactStore, ContactUpdate, DedupeOn, Pending, RecordReports, Report, Status,
    TokensAdded, Upsert,
};

use super::stores::{APP, add, connect_app, email, entry, has, open, token};
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

/// A statement keeps its plan, which may have been made when its table was empty.
#[test]
fn no_request_and_no_find_reads_a_table_from_end_to_end_however_new_it_is() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("plans");
    let store = open(&database.url);
    // The plans that are kept are of statements that came several times.
    for _ in 0..10 {
        fill_again(&store);
    }
    store
        .add_tokens(AddTokens::new(APP).entries((1_000..3_000).map(entry)))
        .wait()
        .unwrap();
    for number in 3_000..3_050 {
        add(&store, number).unwrap();
        assert!(has(&store, number));
        fill_again(&store);
    }
    drop(store);
    // What a connection counted is there for others once it has ended.
    let mut client = super::connect(&database.url);
    let read = crate::eventually("what was read is counted", || {
        let tables = "SELECT relname::text, seq_tup_read FROM pg_stat_user_tables ORDER BY relname";
        let tables = client.query(tables, &[]).unwrap();
        let tables: Vec<(String, i64)> =
            tables.iter().map(|row| (row.get(0), row.get(1))).collect();
        // The state is one row, of which each group reads it.
        let state = tables.iter().find(|(name, _)| name == "state").unwrap();
        (state.1 >= 50).then_some(tables)
    });
    let large: Vec<_> = read
        .iter()
        .filter(|(name, rows)| name != "state" && *rows > 1_000)
        .collect();
    assert!(large.is_empty(), "{large:?}");
}

/// Requests and reads of the common kinds, about things of their own.
fn fill_again(store: &ContactStore) {
    connect_app(store);
    add(store, 1).unwrap();
    let update = ContactUpdate::new().email(email(1)).field("city", "Kyiv");
    let upserted = store
        .upsert(Upsert::new(DedupeOn::Email).contact(update))
        .wait();
    upserted.unwrap().outcome.all().unwrap();
    add(store, 2).unwrap();
    let report = Report::new(Status::Failed)
        .token(token(2))
        .reason("Forbidden");
    let reported = store
        .record_reports(RecordReports::new(APP).report(report))
        .wait();
    reported.unwrap();
    let now = store.snapshot().unwrap();
    assert_eq!(now.contacts(None, 2).unwrap().len(), 2);
    assert_eq!(now.apps().unwrap().len(), 1);
}
