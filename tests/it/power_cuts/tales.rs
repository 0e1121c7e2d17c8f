//! The traffic that is played: steps made at random, and steps that come to rare states.

use std::time::Duration;

use contact_store::{
    AppId, DedupeOn, IdentifierKind, KeepAnswers, KeepChanges, MatchPolicy, Options, Ownership,
    Status,
};

use super::traffic::Step;
use crate::model::{
    Add, Choices, Entry, FieldName, Given, Item, Names, Probes, Reports, Request, Said, To, Upserts,
};
use crate::support::random::Random;
use crate::support::{APP, OTHER_APP, fold_always, fold_early};

pub fn connect(app: AppId, name: &str) -> Request {
    Request::Connect {
        app,
        name: name.to_owned(),
        key: None,
    }
}

fn email(n: u64) -> String {
    format!("person{n}@example.com")
}

/// What the stores are asked.
pub fn probes() -> Probes {
    let mut probes = Probes::of_choices();
    probes.names.extend((0..4).map(|n| Names::email(&email(n))));
    probes
}

/// What is done to a store, and how it is opened.
pub struct Tale {
    pub name: String,
    pub options: Options,
    pub steps: Vec<Step>,
}

fn begin() -> Vec<Step> {
    vec![
        Step::Clock(2_000),
        Step::Ask(connect(APP, "First bot")),
        Step::Ask(connect(OTHER_APP, "Second bot")),
    ]
}

/// Steps made at random.
pub fn random(seed: u64) -> Tale {
    let mut random = Random(seed);
    let bytes: Vec<u8> = std::iter::repeat_with(|| random.number().to_le_bytes())
        .flatten()
        .take(8_000)
        .collect();
    let mut choices = Choices::new(&bytes);
    let mut options = Options::default();
    options.policy = choices.of(&[MatchPolicy::Cascade, MatchPolicy::TopPriority]);
    options.ownership = choices.of(&[Ownership::Shared, Ownership::Exclusive]);
    options.testing.hash_mask = if seed.is_multiple_of(2) { 0 } else { u64::MAX };
    options.cache_bytes = choices.of(&[0, 64 << 10, 1 << 20]);
    options.conflicts = if seed.is_multiple_of(3) { 0 } else { 2 };
    fold_early(&mut options);
    // A change feed that keeps all, one that keeps next to nothing, and none (R60).
    options.change_feed = match seed % 4 {
        1 | 3 => Some(KeepChanges::default()),
        2 => Some(
            KeepChanges::default()
                .changes(3)
                .age(Duration::from_secs(1)),
        ),
        _ => None,
    };
    let mut steps = begin();
    for n in 0..STEPS {
        steps.push(step(n, &mut choices));
    }
    Tale {
        name: format!("random traffic {seed}"),
        options,
        steps,
    }
}

/// Steps that come to states which are rare otherwise.
pub fn rare_states(hash_mask: u64) -> Tale {
    let mut options = Options::default();
    options.testing.hash_mask = hash_mask;
    options.conflicts = 2;
    options.keep_answers = Some(KeepAnswers::default());
    if hash_mask != 0 {
        options.change_feed = Some(KeepChanges::default());
    }
    if hash_mask == 0 {
        fold_always(&mut options);
        options.index_memory = 0;
    }
    let add = |app, token, n| {
        let given = Given::default()
            .email(&email(n))
            .phone(&format!("38050000001{n}"));
        Request::Add(Add::new(app, vec![Entry::new(token, given)]))
    };
    let remove = |contact| Request::Remove {
        app: APP,
        token: "t-1".to_owned(),
        contact,
    };
    let merge = |from, into| Request::Merge { from, into };
    let unmerge = |contact| Request::Unmerge { contact };
    let both_named = |one: i128, other: u64| {
        let given = Given::default().contact_id(one).email(&email(other));
        Request::Add(Add::new(APP, vec![Entry::new("m-1", given)]))
    };
    let nobodys = Add::new(APP, vec![Entry::new("t-3", Given::default())]);
    let of_two = Add::new(
        APP,
        vec![
            Entry::new("t-3", Given::default()),
            Entry::new("t-3", Given::default().external("crm-1")),
        ],
    );
    let blocked = Said {
        reason: Some("Forbidden: bot was blocked by the user".to_owned()),
        message: Some("m-1".to_owned()),
        at: Some(3_000),
        ..Said::new("t-1", Status::Failed)
    };
    let mut steps = begin();
    steps.extend([
        Step::Ask(add(APP, "t-1", 1)),
        Step::Group(
            connect(OTHER_APP, "Bot 1"),
            vec![remove(None), add(APP, "t-1", 1), add(APP, "t-2", 2)],
        ),
        Step::Clock(3_000),
        // Blocked, and back again in the same commit, of a later contact.
        Step::Group(
            connect(OTHER_APP, "Bot 2"),
            vec![
                Request::Report(Reports::new(APP, vec![blocked])),
                Request::Add(nobodys),
                add(APP, "t-1", 2),
                Request::Add(of_two),
            ],
        ),
        Step::Ask(add(OTHER_APP, "t-1", 3)),
        Step::Group(
            connect(OTHER_APP, "Bot 3"),
            vec![Request::Erase { contact: 1 }, add(APP, "t-1", 1)],
        ),
        Step::Once(Request::Suppress { contact: 2 }),
        Step::Ask(Request::Lift(Names::email("2@example.com"))),
        // What the app left is swept in the commit in which it is connected again.
        Step::Group(
            Request::Disconnect { app: OTHER_APP },
            vec![connect(OTHER_APP, "Bot 4"), add(OTHER_APP, "t-1", 3)],
        ),
        Step::KillAndOpen,
        Step::Ask(Request::Forget {
            app: APP,
            before: 4_000,
        }),
        Step::Ask(Request::Mute {
            app: APP,
            token: "t-1".to_owned(),
            until: None,
            at: None,
        }),
        Step::Ask(Request::Unmute {
            app: APP,
            token: "t-1".to_owned(),
            at: None,
        }),
        Step::Ask(Request::RemoveStale {
            app: OTHER_APP,
            before: 4_000,
            dry_run: false,
        }),
        Step::Ask(add(OTHER_APP, "t-1", 3)),
        // Merged and taken out, in one commit and in several.
        Step::Ask(Request::Add(Add::new(
            APP,
            [21, 22, 23]
                .map(|n| {
                    let given = Given::default().contact_id(n).email(&email(n as u64));
                    Entry::new("m-1", given)
                })
                .to_vec(),
        ))),
        // Both named, in one commit and in several (R61).
        Step::Once(both_named(21, 22)),
        Step::Group(
            both_named(22, 23),
            vec![Request::Dismiss { one: 21, other: 22 }, both_named(21, 22)],
        ),
        Step::Ask(Request::Dismiss { one: 23, other: 22 }),
        Step::Once(merge(21, 22)),
        Step::Group(
            unmerge(21),
            vec![merge(22, 21), merge(21, 23), unmerge(22), merge(22, 21)],
        ),
        Step::KillAndOpen,
        Step::Once(unmerge(21)),
        Step::Ask(Request::Split {
            contact: 23,
            identifiers: IdentifierKind::Email.into(),
            subscribers: Vec::new(),
            at: None,
        }),
        // Contact 22 is in 23, and had this email (R44).
        Step::Ask(Request::Add(Add::new(
            APP,
            vec![Entry::new(
                "m-1",
                Given::default().contact_id(24).email(&email(22)),
            )],
        ))),
        Step::Ask(Request::Erase { contact: 24 }),
        Step::Group(
            connect(OTHER_APP, "Bot 5"),
            vec![remove(Some(3)), remove(None), add(APP, "t-1", 1)],
        ),
        // Swept in a commit of its own.
        Step::Ask(Request::Disconnect { app: OTHER_APP }),
        Step::Ask(connect(OTHER_APP, "Bot 6")),
        Step::Ask(add(OTHER_APP, "t-1", 3)),
        Step::Ask(Request::Disconnect { app: OTHER_APP }),
        Step::CloseAndOpen,
        // Cards of many pages: the file grows.
        Step::Ask(large(1)),
        Step::Ask(large(2)),
    ]);
    Tale {
        name: format!("rare states, hash mask {hash_mask:x}"),
        options,
        steps,
    }
}

/// Threads that nobody holds up: which of their requests are decided together, and in which order,
/// is another in each run.
pub fn racing_threads(rounds: u64) -> Tale {
    let race = |n| Step::Race((0..3).map(|thread| racing(n, thread)).collect());
    let mut steps = begin();
    steps.extend((0..rounds).map(race));
    let mut options = Options::default();
    fold_early(&mut options);
    Tale {
        name: format!("{rounds} races"),
        options,
        steps,
    }
}

/// Tokens as long as a page each, all of one contact.
fn large(n: u64) -> Request {
    let entry = |at| {
        let token = format!("{n}-{at}-{}", "x".repeat(4_000));
        Entry::new(&token, Given::default().email(&email(n)))
    };
    Request::Add(Add::new(APP, (0..45).map(entry).collect()))
}

const STEPS: u64 = 40;

fn step(n: u64, choices: &mut Choices<'_>) -> Step {
    match choices.below(16) {
        0..6 => Step::Ask(Request::choose(choices)),
        6..11 => {
            let others = 1 + choices.below(4);
            let others = (0..others).map(|_| Request::choose(choices)).collect();
            // It changes something in any case.
            Step::Group(connect(OTHER_APP, &format!("Bot {n}")), others)
        }
        11 => Step::Clock(choices.of(&[3_000, 4_000, 5_000, 1_500])),
        12 => Step::CloseAndOpen,
        13 => Step::KillAndOpen,
        _ => Step::Ask(growing(n)),
    }
}

/// A card that takes pages of its own.
fn growing(n: u64) -> Request {
    let item = Item::default().email(email(n % 4).as_str()).field(
        FieldName::Custom(format!("field {n}")),
        To::Text("x".repeat(4_000)),
    );
    Request::Upsert(Upserts::new(DedupeOn::Email, vec![item]))
}

/// Requests that each change something, whatever came before.
fn racing(n: u64, thread: u64) -> Vec<Request> {
    let one = |at: u64| {
        let token = format!("racing {n} {thread} {at}");
        let given = Given::default().email(&email(at));
        Request::Add(Add::new(APP, vec![Entry::new(&token, given)]))
    };
    (0..3).map(one).collect()
}
