//! Times: R54.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contact_store::{
    AddTokens, AppName, Clock, ConnectApp, ContactStore, MatchPolicy, Options, RecordReports,
    RemoveStale, RemoveToken, Report, Status, Timestamp, Token, TokenEntry,
};

use crate::support::script::script;
use crate::support::{APP, id};

#[test]
fn r54_a_time_later_than_the_clock_counts_as_the_clocks() {
    script(
        "
        add A at=5000 : t ext=c1 => 1 created added #1
        card 1        => 1 ext=c1 created 1000 via A [A:t#1@1000]
        subscriber #1 => #1 A:t of 1 registered 1000 sent 0 failed 0 clicked 0 last -
        report A : t SENT at=9999 msg=m => recorded
        subscriber #1 => #1 A:t of 1 registered 1000 sent 1 failed 0 clicked 0 last SENT@1000
        messages A    => m sent 1 failed 0 clicked 0 last 1000
        report A at=9999 : t CLICKED => recorded
        subscriber #1 => #1 A:t of 1 registered 1000 sent 1 failed 0 clicked 1 last CLICKED@1000
        // So a report of the future removes no more than one of now would.
        clock 2000
        add A : t ext=c1 => 1 by ext held #1
        clock 1500
        report A : t FAILED at=9999 => removed from 1
    ",
    );
}

#[test]
fn r54_a_stored_time_later_than_the_clock_counts_as_the_clocks() {
    script(
        "
        clock 5000
        add A : t ext=c1 => 1 created added #1
        // The clock is set back. The person would be safe from every report until it is 5,000 again.
        clock 3000
        report A : t FAILED at=2999 => recorded
        report A : t FAILED at=3000 => removed from 1
    ",
    );
}

#[test]
fn r54_registering_moves_the_time_to_the_larger_and_no_further() {
    script(
        "
        clock 5000
        add A : t ext=c1         => 1 created added #1
        clock 3000
        add A : t ext=c1         => 1 by ext held #1
        subscriber #1 => #1 A:t of 1 registered 5000 sent 0 failed 0 clicked 0 last -
        // The card says the request's own time.
        add A : t ext=c2         => 2 created added #1 also=1
        card 2        => 2 ext=c2 created 3000 via A [A:t#1@3000]
        subscriber #1 => #1 A:t of 1,2 registered 5000 sent 0 failed 0 clicked 0 last -
    ",
    );
}

#[test]
fn r54_a_report_without_a_time_has_its_requests() {
    script(
        "
        add A : t ext=c1 => 1 created added #1
        report A at=700 : t SENT | t CLICKED at=650 | t SENT msg=m at=900
            => recorded | recorded | recorded
        messages A       => m sent 1 failed 0 clicked 0 last 900
        subscriber #1    => #1 A:t of 1 registered 1000 sent 2 failed 0 clicked 1 last SENT@900
        report A at=950 : t FAILED reason=spam => recorded
        subscriber #1    => #1 A:t of 1 registered 1000 sent 2 failed 1 clicked 1 last FAILED@950
        report A : t SENT => recorded
        subscriber #1    => #1 A:t of 1 registered 1000 sent 3 failed 1 clicked 1 last SENT@1000
        // A removal is decided by that time as well.
        report A at=999 : t FAILED  => recorded
        report A at=1000 : t FAILED => removed from 1
    ",
    );
}

/// A clock that counts how often it is read.
#[derive(Default)]
struct CountingClock(AtomicU64);

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

#[test]
fn r54_the_clock_is_read_once_for_a_request_and_for_nothing_else() {
    let clock = Arc::new(CountingClock::default());
    let mut options = Options::default();
    options.clock = clock.clone();
    let reads = || clock.0.load(Ordering::SeqCst);
    // Once for the creation time of the file.
    let store = ContactStore::open_in_memory(options).unwrap();
    assert_eq!(reads(), 1);

    let name = AppName::parse("Bot").unwrap();
    let connect = ConnectApp::new(name).id(APP);
    store.connect_app(connect).wait().unwrap();
    assert_eq!(reads(), 2);
    // Several entries are of one time.
    let entries = ["a", "b", "c"].map(|token| TokenEntry::new(token).contact_id(1));
    let request = AddTokens::new(APP).entries(entries);
    store.add_tokens(request).wait().unwrap();
    assert_eq!(reads(), 3);
    let card = store.snapshot().unwrap().contact(id(1)).unwrap().unwrap();
    let times: Vec<u64> = card
        .tokens
        .iter()
        .map(|it| it.added_at.as_millis())
        .collect();
    assert_eq!(times, [2, 2, 2]);
    assert_eq!(card.created_at.as_millis(), 2);

    let reports = [Status::Sent, Status::Clicked].map(|it| Report::new(it).token("a"));
    let request = RecordReports::new(APP).reports(reports);
    store.record_reports(request).wait().unwrap();
    assert_eq!(reads(), 4);

    // What needs no time reads none, and no read does.
    let before = reads();
    let token = Token::parse("b").unwrap();
    let request = RemoveToken::of_all(APP, token);
    store.remove_token(request).wait().unwrap();
    store
        .forget_messages(APP, Timestamp::from_millis(9))
        .wait()
        .unwrap();
    let request = RemoveStale::new(APP, Timestamp::from_millis(9));
    store.remove_stale(request).wait().unwrap();
    store.unmerge(id(1)).wait().unwrap_err();
    store.dismiss_conflict(id(1), id(2)).wait().unwrap();
    store.erase(id(1)).wait().unwrap();
    let now = store.snapshot().unwrap();
    now.apps().unwrap();
    let given = contact_store::GivenIdentifiers::new().contact_id(1);
    now.find(&given.parse().unwrap(), MatchPolicy::Cascade)
        .unwrap();
    now.verify().unwrap();
    store.stats().unwrap();
    store.close().unwrap();
    assert_eq!(reads(), before);
}
