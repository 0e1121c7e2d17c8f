//! Connections that are cut at each message of a request.

use std::time::Instant;

use contact_store::{
    AddTokens, AppId, AppName, ConnectApp, ContactId, ContactStore, ContactUpdate, DedupeOn, Erase,
    Error, Merge, RecordReports, Report, SequenceNumber, Status, TokenEntry, Upsert,
};

use super::stores::{
    APP, PATIENCE, add, assert_sound, connect_app, email, indeterminate, open, parsed_token, token,
};
use crate::cluster::shared;
use crate::proxy::{Cut, Direction, Proxy};

/// A request, of which each trial has one about things of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Connect,
    Add,
    Upsert,
    Report,
    Erase,
    Merge,
}

#[track_caller]
fn contact(store: &ContactStore, number: u64) -> Option<ContactId> {
    let now = store.snapshot().unwrap();
    now.by_email(&email(number)).unwrap().map(|card| card.id)
}

fn app(number: u64) -> AppId {
    AppId::from_u128(1_000 + u128::from(number))
}

impl Kind {
    /// What must be there before the request of this number.
    fn prepare(self, store: &ContactStore, number: u64) {
        match self {
            Kind::Connect | Kind::Add | Kind::Upsert => {}
            Kind::Report | Kind::Erase => _ = add(store, number).unwrap(),
            Kind::Merge => {
                add(store, number).unwrap();
                add(store, number + 1).unwrap();
            }
        }
    }

    /// `direct` finds what the request names, and is not in the way of a cut.
    fn ask(
        self,
        store: &ContactStore,
        direct: &ContactStore,
        number: u64,
    ) -> Result<SequenceNumber, Error> {
        let contact = |number| contact(direct, number).unwrap();
        let sequence = match self {
            Kind::Connect => {
                let name = AppName::parse(format!("Bot {number}")).unwrap();
                let connect = ConnectApp::new(name).id(app(number));
                store.connect_app(connect).wait()?.sequence
            }
            Kind::Add => add(store, number)?.sequence,
            Kind::Upsert => {
                let update = ContactUpdate::new().email(email(number)).first_name("Ann");
                let upsert = Upsert::new(DedupeOn::Email).contact(update);
                store.upsert(upsert).wait()?.sequence
            }
            Kind::Report => {
                let failed = Report::new(Status::Failed).token(token(number));
                let reports = RecordReports::new(APP).report(failed.reason("Forbidden"));
                store.record_reports(reports).wait()?.sequence
            }
            Kind::Erase => store.erase(Erase::new(contact(number))).wait()?.sequence,
            Kind::Merge => {
                let merge = Merge::new(contact(number), contact(number + 1));
                store.merge(merge).wait()?.sequence
            }
        };
        Ok(sequence)
    }

    /// Whether the request of this number is in.
    #[track_caller]
    fn is_in(self, store: &ContactStore, number: u64) -> bool {
        let now = store.snapshot().unwrap();
        match self {
            Kind::Connect => now.app(app(number)).unwrap().is_some(),
            Kind::Add => super::stores::has(store, number),
            Kind::Upsert => contact(store, number).is_some(),
            Kind::Report => {
                let subscriber = now.subscriber_by_token(APP, &parsed_token(number)).unwrap();
                subscriber.is_none()
            }
            Kind::Erase => contact(store, number).is_none(),
            Kind::Merge => {
                // Both are there, or one with the tokens of both.
                let into = contact(store, number + 1).unwrap();
                let card = now.contact(into).unwrap().unwrap();
                let gone = contact(store, number).is_none();
                assert_eq!(card.tokens.len(), if gone { 2 } else { 1 });
                gone
            }
        }
    }
}

/// What came of a request whose connection was cut.
#[derive(Debug, Default)]
struct Seen {
    done: u64,
    not_written: u64,
    indeterminate_in: u64,
    indeterminate_out: u64,
}

struct Trials {
    proxy: Proxy,
    store: ContactStore,
    /// Another host, whose connection is not cut.
    other: ContactStore,
    number: u64,
    seen: Seen,
}

impl Trials {
    /// Things that no trial had yet.
    fn next(&mut self) -> u64 {
        self.number += 2;
        self.number
    }

    /// How many messages a request of this kind has in each direction, when it is not cut.
    fn messages(&mut self, kind: Kind, cold: bool) -> [u64; 2] {
        let number = self.begin(kind, cold);
        kind.ask(&self.store, &self.other, number).unwrap();
        let counts = self.proxy.counts();
        [counts.to_server, counts.to_client]
    }

    /// Prepares for a request, on a connection that has sent such a one before, or on none.
    fn begin(&mut self, kind: Kind, cold: bool) -> u64 {
        let warm_up = self.next();
        kind.prepare(&self.other, warm_up);
        kind.ask(&self.store, &self.other, warm_up).unwrap();
        let number = self.next();
        kind.prepare(&self.other, number);
        if cold {
            self.proxy.cut();
        }
        self.proxy.forget();
        number
    }

    fn trial(&mut self, kind: Kind, cold: bool, cut: Cut) {
        let number = self.begin(kind, cold);
        self.proxy.cut_at(cut);
        let before = self.proxy.cuts();
        let began = Instant::now();
        let asked = kind.ask(&self.store, &self.other, number);
        let took = began.elapsed();
        let was_cut = self.proxy.cuts() - before;
        self.proxy.go_on();
        // Another host takes the number that the request would have. It waits until the server has done
        // whatever it was sent.
        if number.is_multiple_of(4) || asked.is_err() && number.is_multiple_of(3) {
            let another = self.next();
            add(&self.other, another).unwrap();
        }
        let at = format!("{kind:?} {cut:?}");
        // Nobody waits for the answer of a connection that has ended.
        assert!(took < PATIENCE / 2, "{at}: {took:?}");
        match asked {
            Ok(sequence) => {
                self.seen.done += 1;
                assert!(kind.is_in(&self.other, number), "{at}");
                let now = self.other.snapshot().unwrap().sequence();
                assert!(sequence <= now, "{at}");
            }
            Err(error) => {
                assert_eq!(was_cut, 1, "{at}");
                match indeterminate(&error) {
                    None => {
                        self.seen.not_written += 1;
                        assert!(!kind.is_in(&self.other, number), "{at}");
                    }
                    Some(sequence) => {
                        let found = self.store.reopen().unwrap();
                        let is_in = kind.is_in(&self.other, number);
                        assert_eq!(found >= sequence, is_in, "{at}: {found} {sequence}");
                        // Whoever asks again hears the same.
                        assert_eq!(self.store.reopen().unwrap(), found, "{at}");
                        match is_in {
                            true => self.seen.indeterminate_in += 1,
                            false => self.seen.indeterminate_out += 1,
                        }
                    }
                }
            }
        }
    }

    /// Cuts requests of a kind at every message of this step, from `first` on.
    fn cut_each(&mut self, kind: Kind, cold: bool, first: u64, step: usize) {
        let [to_server, to_client] = self.messages(kind, cold);
        for (direction, messages) in [
            (Direction::ToServer, to_server),
            (Direction::ToClient, to_client),
        ] {
            // A cut before a message and one after the message before it are the same to both sides,
            // but for who has to notice first. The last is not reached.
            for message in (first..=messages + 1).step_by(step) {
                let cut = Cut {
                    direction,
                    message,
                    passed_on: direction == Direction::ToServer && message.is_multiple_of(2),
                };
                self.trial(kind, cold, cut);
            }
        }
        assert_sound(&self.other);
    }
}

fn trials(name: &str) -> Option<Trials> {
    let cluster = shared()?;
    let database = cluster.database(name);
    let proxy = Proxy::start(cluster.port());
    let other = open(&database.url);
    connect_app(&other);
    let store = open(&proxy.url(&database.url));
    Some(Trials {
        proxy,
        store,
        other,
        number: 0,
        seen: Seen::default(),
    })
}

#[test]
fn r49_a_request_cut_off_at_any_message_is_in_exactly_when_reopening_says_so() {
    let Some(mut trials) = trials("cut_each") else {
        return;
    };
    trials.cut_each(Kind::Add, false, 1, 1);
    let seen = &trials.seen;
    // Each outcome has been seen: before the commit, in it, and after it.
    assert!(seen.done > 0 && seen.indeterminate_out > 0 && seen.indeterminate_in > 0);
}

#[test]
fn r49_any_request_cut_off_is_in_exactly_when_reopening_says_so() {
    let Some(mut trials) = trials("cut_some") else {
        return;
    };
    let kinds = [
        Kind::Connect,
        Kind::Upsert,
        Kind::Report,
        Kind::Erase,
        Kind::Merge,
    ];
    for (first, kind) in (1..).zip(kinds) {
        trials.cut_each(kind, false, first, 7);
    }
    let seen = &trials.seen;
    assert!(seen.done > 0 && seen.indeterminate_out > 0 && seen.indeterminate_in > 0);
}

#[test]
fn r49_a_request_cut_off_while_it_connects_is_in_exactly_when_reopening_says_so() {
    let Some(mut trials) = trials("cut_cold") else {
        return;
    };
    trials.cut_each(Kind::Add, true, 2, 11);
    assert!(trials.seen.done > 0 && trials.seen.indeterminate_out > 0);
}

#[test]
fn r48_requests_of_a_group_that_was_cut_off_are_in_together_or_not_at_all() {
    let Some(mut trials) = trials("cut_group") else {
        return;
    };
    for message in [40, 64, 90] {
        trials.begin(Kind::Add, false);
        let numbers: Vec<u64> = (0..16).map(|_| trials.next()).collect();
        trials.proxy.cut_at(Cut {
            direction: Direction::ToClient,
            message,
            passed_on: false,
        });
        let pending = numbers.iter().map(|&number| {
            let entry = TokenEntry::new(token(number)).email(email(number));
            trials.store.add_tokens(AddTokens::new(APP).entry(entry))
        });
        let pending: Vec<_> = pending.collect();
        let answers: Vec<_> = pending.into_iter().map(|pending| pending.wait()).collect();
        trials.proxy.go_on();
        add(&trials.other, trials.number + 1_000_000 + message).unwrap();
        let found = trials.store.reopen().unwrap();
        for (&number, answer) in numbers.iter().zip(answers) {
            let is_in = Kind::Add.is_in(&trials.other, number);
            match answer {
                Ok(_) => assert!(is_in),
                // It came after the group that failed.
                Err(Error::NeedsReopen) => assert!(!is_in),
                Err(error) => {
                    let sequence = indeterminate(&error);
                    assert_eq!(sequence.is_some_and(|sequence| found >= sequence), is_in);
                }
            }
        }
        trials.next();
    }
    assert_sound(&trials.other);
}
