//! Scripts: requests and answers in text, one a line, for the tests of the rules.
//!
//! A line is `request => answer`; a line that begins with `|` or `=>` goes on with the one before;
//! `//` begins a comment. What the requests and answers look like is in [`Stage::answer`] and in the
//! module `show`. Apps are called by a letter: `A` and `B` are connected when a script
//! begins, the clock stands at 1,000.
//!
//! Each script runs three times: in memory; in memory with all values sharing index rows, which are
//! folded with every commit, and with a follower that has nothing but the change feed and the cards that it
//! names, and has to see the same (R60); and on a file that is closed and opened again after every line, with no
//! memory for the indexes. Where the tests are played in a database, the first is left out, and the last is a schema
//! that is opened by another host after every line. Besides the answers, every line of every
//! script is a test of R47 (a request takes the next number exactly when it changed what can be
//! seen), of R46 (what is seen is the same after reopening), of "nothing is written" after every
//! error, and of the soundness of the whole store.

mod show;
mod words;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use contact_store::{
    AccessKey, AddTokens, AppName, BatchMode, BringBack, ChangePosition, Committed,
    ConflictDismissed, ConnectApp, ContactId, ContactStore, Erase, Error, FailedWithoutReason,
    Found, InvalidIdentifier, KeepChanges, ManualClock, Merge, MessageId, Mute, Options,
    OptionsInForce, Ownership, RecordReports, RemoveStale, RemoveToken, RenameToken, ReportOutcome,
    Resolve, SequenceNumber, Snapshot, TokenBroughtBack, UnknownContactId, Unmute,
};

use super::at;
use super::follower::Follower;
use super::place::{self, Schema};
use show::*;
use words::*;

pub use show::show_card;
pub use words::app;

/// Runs a script on stores with the default options.
#[track_caller]
pub fn script(text: &str) {
    script_with(|_| {}, text);
}

/// Runs a script on stores with some options set.
#[track_caller]
pub fn script_with(set: impl Fn(&mut Options), text: &str) {
    let shared_rows = |options: &mut Options| {
        set(options);
        super::fold_always(options);
        options.testing.hash_mask = 0;
        options.change_feed.get_or_insert_default();
    };
    let buckets = |options: &mut Options| {
        set(options);
        super::fold_early(options);
        options.index_memory = 0;
    };
    let lasting = match place::schema() {
        None => {
            Stage::new("in memory", &set, Place::New).play(text);
            Place::File(tempfile::tempdir().unwrap())
        }
        Some(schema) => Place::Schema(schema),
    };
    Stage::new("with shared index rows", &shared_rows, Place::New).play(text);
    Stage::new("opened after every line", &buckets, lasting).play(text);
}

/// Where the store of a stage is.
enum Place {
    /// Where no store was, and none is opened again.
    New,
    File(tempfile::TempDir),
    Schema(Schema),
}

impl Place {
    fn is_opened_again(&self) -> bool {
        !matches!(self, Place::New)
    }

    #[track_caller]
    fn open(&self, options: &Options) -> ContactStore {
        let opened = match self {
            Place::New => place::open_new(options.clone()),
            Place::File(directory) => {
                ContactStore::open(directory.path().join("contacts.redb"), options.clone())
            }
            Place::Schema(schema) => schema.open(options),
        };
        opened.unwrap()
    }
}

struct Stage {
    name: &'static str,
    options: Options,
    clock: Arc<ManualClock>,
    place: Place,
    store: ContactStore,
    /// Every contact that an answer named.
    met: BTreeSet<ContactId>,
    /// Where the change feed keeps everything.
    follower: Option<Follower>,
}

impl Stage {
    fn new(name: &'static str, set: &impl Fn(&mut Options), place: Place) -> Self {
        let (mut options, clock) = super::options();
        set(&mut options);
        let store = place.open(&options);
        super::connect(&store);
        let keeps_all = options.change_feed == Some(KeepChanges::default());
        Stage {
            follower: keeps_all.then(Follower::default),
            name,
            options,
            clock,
            place,
            store,
            met: BTreeSet::new(),
        }
    }

    #[track_caller]
    fn play(mut self, text: &str) {
        let mut before = self.seen();
        for (number, request, expected) in lines(text) {
            let line = format!("line {number}, {}: {request}", self.name);
            let answer = self.answer(&request, before.sequence);
            assert_eq!(answer.text, expected, "{line}");
            let after = self.seen();
            if let Some(follower) = &mut self.follower {
                follower.follow(&self.store.snapshot().unwrap(), 3);
                assert_eq!(follower.cards(), after.cards, "R60, {line}");
            }
            let changed = before.rows != after.rows;
            let next = before.sequence.value() + u64::from(changed);
            assert_eq!(after.sequence.value(), next, "R47, {line}");
            if answer.must_change_nothing {
                assert_eq!(before.rows, after.rows, "{line}");
            }
            if let Some(sequence) = answer.sequence {
                assert_eq!(sequence, after.sequence, "R47, {line}");
            }
            let problems = self.store.snapshot().unwrap().verify().unwrap().problems;
            assert_eq!(problems, [], "{line}");
            if self.place.is_opened_again() {
                self.store.close().unwrap();
                self.store = self.place.open(&self.options);
                assert_eq!(self.seen(), after, "R46, {line}");
            }
            before = after;
        }
    }

    /// Everything that can be seen, as text.
    fn seen(&self) -> Seen {
        let now = self.store.snapshot().unwrap();
        let mut rows = Vec::new();
        for id in &self.met {
            // The id of a merged contact leads to another (R58).
            let card = now.contact(*id).unwrap().filter(|card| card.id == *id);
            rows.extend(card.map(|card| show_card(&card)));
        }
        let listed = now.contacts(None, 1_000).unwrap();
        let listed: Vec<String> = listed.iter().map(show_card).collect();
        assert_eq!(listed, rows, "R56");
        let cards = listed;
        assert_eq!(
            rows.len() as u64,
            now.contact_count(),
            "contacts that no answer named"
        );
        let stats = self.store.stats().unwrap();
        rows.push(format!("suppressed {}", stats.suppressed));
        rows.push(format!("blocked {}", stats.blocked));
        let conflicts = now.conflicts(None, 1_000).unwrap();
        assert_eq!(conflicts.len() as u64, stats.conflicts, "R61");
        rows.extend(conflicts.iter().map(show_conflict));
        for app in now.apps().unwrap() {
            let key = now.access_key(app.id).unwrap();
            let key = key.as_ref().map(AccessKey::reveal);
            rows.push(format!("{} key {key:?}", show_app(&app)));
            let subscribers = now.subscribers(app.id, None, 1_000).unwrap();
            rows.extend(subscribers.iter().map(show_subscriber));
            let messages = now.messages(app.id, None, 1_000).unwrap();
            rows.extend(messages.iter().map(show_message));
        }
        Seen {
            sequence: now.sequence(),
            cards,
            rows,
        }
    }

    /// Makes the request of one line.
    fn answer(&mut self, request: &str, before: SequenceNumber) -> Answer {
        let mut words = Words::of(request);
        let verb = words.next().expect("a request");
        match verb.as_str() {
            // clock 2000
            "clock" => {
                self.clock.set(at(words.number()));
                Answer::read("")
            }
            // connect C name="Third bot" key=secret
            "connect" => self.connect(words),
            // disconnect A
            "disconnect" => {
                let written = self.store.disconnect_app(app(&words.must())).wait();
                Answer::written(written, |()| "done".to_owned())
            }
            // add A policy=top ownership=exclusive : token1 phone=1234567 | token2 email=a@b.c
            "add" => self.add(words),
            // report A : token1 FAILED reason=403 msg=m1 at=900 | #2 SENT
            "report" => self.report(words),
            // upsert phone unknown=reject : phone=1234567 email=null | ext=c1 first=Ann city:=Kyiv
            "upsert" => {
                let written = self.store.upsert(upsert(words)).wait();
                if let Ok(Committed { outcome, .. }) = &written {
                    let accepted = outcome.iter().flatten();
                    self.met.extend(accepted.map(|upserted| upserted.contact));
                }
                Answer::written(written, |outcome| join(outcome, show_upserted))
            }
            // erase 1 suppress
            "erase" => {
                let mut request = Erase::new(contact(&words.must()));
                if let Some(word) = words.next() {
                    assert_eq!(word, "suppress");
                    request = request.suppress();
                }
                let written = self.store.erase(request).wait();
                Answer::written(written, |outcome| match outcome.suppressed.is_empty() {
                    true => outcome.erased.to_string(),
                    false => format!("{} {}", outcome.erased, show_kinds(outcome.suppressed)),
                })
            }
            // lift email=a@b.c
            "lift" => {
                let (_, given) = given(words);
                let written = self.store.lift_suppression(given.parse().unwrap());
                Answer::written(written.wait(), |outcome| match outcome.lifted.is_empty() {
                    true => "none".to_owned(),
                    false => show_kinds(outcome.lifted),
                })
            }
            // remove A token1 of=1
            "remove" => {
                let (app, token) = (app(&words.must()), token(&words.must()));
                let request = match words.next() {
                    None => RemoveToken::of_all(app, token),
                    Some(of) => RemoveToken::of(app, token, contact(value(&of, "of"))),
                };
                let written = self.store.remove_token(request).wait();
                Answer::written(written, |outcome| {
                    format!("from {}", show_ids(&outcome.from))
                })
            }
            // rename A token1 token2
            "rename" => {
                let (app, old) = (app(&words.must()), token(&words.must()));
                let request = RenameToken::new(app, old, token(&words.must()));
                let written = self.store.rename_token(request).wait();
                Answer::written(written, show_renamed)
            }
            // back A token1 at=900
            "back" => {
                let (app, token) = (app(&words.must()), token(&words.must()));
                let mut request = BringBack::new(app, token);
                for (word, value) in words.named() {
                    assert_eq!(word, "at");
                    request = request.at(millis(&value));
                }
                Answer::written(
                    self.store.bring_back(request).wait(),
                    |outcome| match outcome {
                        TokenBroughtBack::BroughtBack {
                            subscriber,
                            contacts,
                            ..
                        } => format!(
                            "{} of {}",
                            show_subscriber_id(*subscriber),
                            show_ids(contacts)
                        ),
                        TokenBroughtBack::NotRemembered => "not remembered".to_owned(),
                        other => panic!("{other:?}"),
                    },
                )
            }
            // mute A token1 until=2000 for=500 at=900
            "mute" => {
                let (app, token) = (app(&words.must()), token(&words.must()));
                let mut request = Mute::new(app, token);
                for (word, value) in words.named() {
                    request = match word.as_str() {
                        "until" => request.until(millis(&value)),
                        "for" => request.duration(Duration::from_millis(value.parse().unwrap())),
                        "at" => request.at(millis(&value)),
                        _ => panic!("{word}?"),
                    };
                }
                Answer::written(self.store.mute(request).wait(), show_muted)
            }
            // unmute A token1 at=900
            "unmute" => {
                let (app, token) = (app(&words.must()), token(&words.must()));
                let mut request = Unmute::new(app, token);
                for (word, value) in words.named() {
                    assert_eq!(word, "at");
                    request = request.at(millis(&value));
                }
                Answer::written(self.store.unmute(request).wait(), show_unmuted)
            }
            // merge 2 1
            "merge" => {
                let request = Merge::new(contact(&words.must()), contact(&words.must()));
                let shown = self.store.snapshot().unwrap().preview_merge(request);
                let written = self.store.merge(request).wait();
                assert_shown(shown, &written);
                Answer::written(written, show_merged)
            }
            // unmerge 2
            "unmerge" => {
                let contact = contact(&words.must());
                let shown = self.store.snapshot().unwrap().preview_unmerge(contact);
                let written = self.store.unmerge(contact).wait();
                assert_shown(shown, &written);
                Answer::written(written, show_unmerged)
            }
            // dismiss 2 1
            "dismiss" => {
                let (one, other) = (contact(&words.must()), contact(&words.must()));
                let written = self.store.dismiss_conflict(one, other).wait();
                Answer::written(written, |outcome| match outcome {
                    ConflictDismissed::Dismissed => "done".to_owned(),
                    ConflictDismissed::NotListed => "not listed".to_owned(),
                    other => panic!("{other:?}"),
                })
            }
            // split 1 email,phone #1 #2 at=900
            "split" => {
                let request = split_request(words);
                let shown = self.store.snapshot().unwrap();
                let shown = shown.preview_split(request.clone());
                let written = self.store.split(request).wait();
                assert_shown(shown, &written);
                if let Ok(Committed { outcome, .. }) = &written {
                    self.met.insert(outcome.contact);
                }
                Answer::written(written, show_split)
            }
            // forget A before=1000
            "forget" => {
                let app = app(&words.must());
                let before = millis(value(&words.must(), "before"));
                let written = self.store.forget_messages(app, before).wait();
                Answer::written(written, |outcome| outcome.messages.to_string())
            }
            // remove_stale A before=1000 dry
            "remove_stale" => {
                let app = app(&words.must());
                let before = millis(value(&words.must(), "before"));
                let dry_run = words.next().is_some_and(|word| word == "dry");
                let request = RemoveStale::new(app, before).dry_run(dry_run);
                let written = self.store.remove_stale(request).wait();
                Answer::written(written, |outcome| {
                    let dry = if outcome.dry_run { " dry" } else { "" };
                    format!("{} off {}{dry}", outcome.subscribers, outcome.taken_off)
                })
            }
            _ => {
                let now = self.store.snapshot().unwrap();
                assert_eq!(now.sequence(), before);
                let read = read(&now, &verb, words);
                Answer::read(&read.unwrap_or_else(|error| show_error(&error)))
            }
        }
    }

    fn connect(&mut self, mut words: Words) -> Answer {
        let id = app(&words.must());
        let mut name = AppName::parse("Bot").unwrap();
        let mut key = None;
        for (word, value) in words.named() {
            match word.as_str() {
                "name" => name = AppName::parse(value).unwrap(),
                "key" => key = Some(AccessKey::parse(value).unwrap()),
                _ => panic!("{word}?"),
            }
        }
        let mut request = ConnectApp::new(name).id(id);
        if let Some(key) = key {
            request = request.key(key);
        }
        Answer::written(self.store.connect_app(request).wait(), |id| {
            show_app_id(*id)
        })
    }

    fn add(&mut self, words: Words) -> Answer {
        let [head, entries] = words.halves();
        let mut head = Words(head.into());
        let mut request = AddTokens::new(app(&head.must()));
        let mut in_force = OptionsInForce::default();
        in_force.policy = self.options.policy;
        in_force.ownership = self.options.ownership;
        in_force.invalid_identifier = self.options.invalid_identifier;
        in_force.unknown_contact_id = self.options.unknown_contact_id;
        for (word, value) in head.named() {
            request = match (word.as_str(), value.as_str()) {
                ("at", value) => request.at(millis(value)),
                ("policy", value) => {
                    in_force.policy = policy(value);
                    request.policy(in_force.policy)
                }
                ("ownership", value) => {
                    in_force.ownership = match value {
                        "shared" => Ownership::Shared,
                        "exclusive" => Ownership::Exclusive,
                        _ => panic!("{value}?"),
                    };
                    request.ownership(in_force.ownership)
                }
                ("invalid", value) => {
                    in_force.invalid_identifier = match value {
                        "refuse" => InvalidIdentifier::Refuse,
                        "ignore" => InvalidIdentifier::Ignore,
                        _ => panic!("{value}?"),
                    };
                    request.invalid_identifier(in_force.invalid_identifier)
                }
                ("unknown", value) => {
                    in_force.unknown_contact_id = match value {
                        "adopt" => UnknownContactId::Adopt,
                        "reject" => UnknownContactId::Reject,
                        _ => panic!("{value}?"),
                    };
                    request.unknown_contact_id(in_force.unknown_contact_id)
                }
                ("mode", "all") => request.mode(BatchMode::AllOrNothing),
                _ => panic!("{word}={value}?"),
            };
        }
        request = request.entries(split(entries).map(token_entry));
        let written = self.store.add_tokens(request).wait();
        if let Ok(Committed { outcome, .. }) = &written {
            assert_eq!(
                outcome.in_force, in_force,
                "R13: the outcome says which options were in force"
            );
            let accepted = outcome.entries.iter().flatten();
            self.met.extend(accepted.map(|added| added.contact));
        }
        Answer::written(written, |outcome| join(&outcome.entries, show_added))
    }

    fn report(&mut self, words: Words) -> Answer {
        let [head, reports] = words.halves();
        let mut head = Words(head.into());
        let mut request = RecordReports::new(app(&head.must()));
        for (word, value) in head.named() {
            request = match (word.as_str(), value.as_str()) {
                ("at", value) => request.at(millis(value)),
                ("without_reason", "remove") => {
                    request.failed_without_reason(FailedWithoutReason::Remove)
                }
                ("without_reason", "keep") => {
                    request.failed_without_reason(FailedWithoutReason::Keep)
                }
                ("mode", "all") => request.mode(BatchMode::AllOrNothing),
                _ => panic!("{word}={value}?"),
            };
        }
        request = request.reports(split(reports).map(delivery_report));
        let written = self.store.record_reports(request).wait();
        Answer::written(written, |outcome| {
            join(outcome, |outcome| match outcome {
                ReportOutcome::Recorded => "recorded".to_owned(),
                ReportOutcome::Removed { from } => format!("removed from {}", show_ids(from)),
                ReportOutcome::UnknownSubscriber => "unknown".to_owned(),
                other => panic!("{other:?}"),
            })
        })
    }
}

/// R58: what was shown before is what was then done.
#[track_caller]
fn assert_shown<T: Debug + PartialEq>(
    shown: Result<T, Error>,
    written: &Result<Committed<T>, Error>,
) {
    match (shown, written) {
        (Ok(shown), Ok(written)) => assert_eq!(shown, written.outcome),
        (Err(shown), Err(written)) => assert_eq!(show_error(&shown), show_error(written)),
        (shown, written) => panic!("{shown:?}, {written:?}"),
    }
}

fn read(now: &Snapshot, verb: &str, mut words: Words) -> Result<String, Error> {
    let none = || "none".to_owned();
    Ok(match verb {
        // card 1
        "card" => now
            .contact(contact(&words.must()))?
            .map_or_else(none, |card| show_card(&card)),
        // find policy=top phone=1234567
        "find" => {
            let (policy, given) = given(words);
            let found = now.find(&given.parse().unwrap(), policy)?;
            found.map_or_else(
                none,
                |Found {
                     card, matched_by, ..
                 }| { format!("{} by {}", card.id, show_kind(matched_by)) },
            )
        }
        // explain id=1 phone=1234567
        "explain" => {
            let (_, given) = given(words);
            let explained = now.explain(&given.parse().unwrap())?;
            let named: Vec<String> = explained
                .named
                .iter()
                .map(|(kind, contact)| {
                    let contact = contact.map_or("-".to_owned(), |id| id.to_string());
                    format!("{}:{contact}", show_kind(*kind))
                })
                .collect();
            format!(
                "{}; cascade {}; top {}",
                named.join(" "),
                show_decision(&explained.cascade),
                show_decision(&explained.top_priority)
            )
        }
        // merged 1
        "merged" => {
            let merged = now.merged_contacts(contact(&words.must()))?.into_iter();
            let shown = merged.map(|merged| {
                let at = merged.merged_at.as_millis();
                let shown = format!("{}@{at} {}", merged.id, show_kinds(merged.identifiers));
                shown.trim_end().to_owned()
            });
            shown.collect::<Vec<_>>().join(" | ")
        }
        // conflicts after=1-2 limit=2
        "conflicts" => {
            let (mut after, mut limit) = (None, 1_000);
            for (word, value) in words.named() {
                match word.as_str() {
                    "after" => {
                        let (one, other) = value.split_once('-').unwrap();
                        after = Some((contact(one), contact(other)));
                    }
                    "limit" => limit = value.parse().unwrap(),
                    _ => panic!("{word}?"),
                }
            }
            let rows: Vec<String> = now
                .conflicts(after, limit)?
                .iter()
                .map(show_conflict)
                .collect();
            rows.join(" | ")
        }
        // subscriber A token1, subscriber #1
        "subscriber" => {
            let word = words.must();
            let found = match word.strip_prefix('#') {
                Some(_) => now.subscriber(subscriber_id(&word))?,
                None => now.subscriber_by_token(app(&word), &token(&words.must()))?,
            };
            found.map_or_else(none, |subscriber| show_subscriber(&subscriber))
        }
        // subscribers A after=#1 limit=2
        "subscribers" => {
            let app = app(&words.must());
            let (mut after, mut limit) = (None, 1_000);
            for (word, value) in words.named() {
                match word.as_str() {
                    "after" => after = Some(subscriber_id(&value)),
                    "limit" => limit = value.parse().unwrap(),
                    _ => panic!("{word}?"),
                }
            }
            let page = now.subscribers(app, after, limit)?;
            let rows: Vec<String> = page.iter().map(show_subscriber).collect();
            rows.join(" | ")
        }
        // list after=1 limit=2, list app=A after=1 limit=2
        "list" => {
            let (mut of, mut after, mut limit) = (None, None, 1_000);
            for (word, value) in words.named() {
                match word.as_str() {
                    "app" => of = Some(app(&value)),
                    "after" => after = Some(contact(&value)),
                    "limit" => limit = value.parse().unwrap(),
                    _ => panic!("{word}?"),
                }
            }
            let (page, next) = match of {
                None => (now.contacts(after, limit)?, None),
                Some(app) => {
                    let page = now.contacts_of(app, after, limit)?;
                    (page.contacts, page.next)
                }
            };
            let ids: Vec<ContactId> = page.iter().map(|card| card.id).collect();
            let next = next.map_or(String::new(), |id| format!(" next {id}"));
            format!("{}{next}", show_ids(&ids))
        }
        // messages A after=m1 limit=2
        "messages" => {
            let app = app(&words.must());
            let (mut after, mut limit) = (None, 1_000);
            for (word, value) in words.named() {
                match word.as_str() {
                    "after" => after = Some(MessageId::parse(value).unwrap()),
                    "limit" => limit = value.parse().unwrap(),
                    _ => panic!("{word}?"),
                }
            }
            let page = now.messages(app, after.as_ref(), limit)?;
            let rows: Vec<String> = page.iter().map(show_message).collect();
            rows.join(" | ")
        }
        // resolve sub=#1 app=A number=1234567 muted=too at=900
        "resolve" => {
            let (muted, others) = words.named().partition(|(word, _)| word == "muted");
            let (at, others): (Vec<_>, Vec<_>) =
                Vec::into_iter(others).partition(|it| it.0 == "at");
            let muted: Vec<(String, String)> = muted;
            let mut request = Resolve::new(recipient(others).parse()?);
            request = request.include_muted(!muted.is_empty());
            for (_, value) in at {
                request = request.at(millis(&value));
            }
            show_resolved(&now.resolve(request)?)
        }
        // changes after=3.1 limit=2
        "changes" => {
            let (mut after, mut limit) = (ChangePosition::START, 1_000);
            for (word, value) in words.named() {
                match word.as_str() {
                    "after" => after = ChangePosition::parse(&value).unwrap(),
                    "limit" => limit = value.parse().unwrap(),
                    _ => panic!("{word}?"),
                }
            }
            let page = now.changes(after, limit)?;
            let rows: Vec<String> = page.changes.iter().map(show_change).collect();
            let last = page.changes.last().map_or(after, |last| last.position);
            let mut shown = rows.join(" | ");
            if page.position != last {
                shown.push_str(&format!(" to {}", page.position));
            }
            if page.more {
                shown.push_str(" and more");
            }
            shown
        }
        // apps
        "apps" => {
            let rows: Vec<String> = now.apps()?.iter().map(show_app).collect();
            rows.join(" | ")
        }
        // key A
        "key" => now
            .access_key(app(&words.must()))?
            .map_or_else(none, |key| key.reveal().to_owned()),
        // contacts
        "contacts" => now.contact_count().to_string(),
        _ => panic!("{verb}?"),
    })
}

#[derive(Debug, PartialEq)]
struct Seen {
    sequence: SequenceNumber,
    cards: Vec<String>,
    rows: Vec<String>,
}

struct Answer {
    text: String,
    sequence: Option<SequenceNumber>,
    must_change_nothing: bool,
}

impl Answer {
    fn read(text: &str) -> Self {
        Answer {
            text: text.to_owned(),
            sequence: None,
            must_change_nothing: true,
        }
    }

    fn written<T>(answer: Result<Committed<T>, Error>, show: impl FnOnce(&T) -> String) -> Self {
        match answer {
            Ok(committed) => Answer {
                text: show(&committed.outcome),
                sequence: Some(committed.sequence),
                must_change_nothing: false,
            },
            Err(error) => Answer::read(&show_error(&error)),
        }
    }
}
