//! Every sequence of up to three requests, cut off at every step of its last commit. Most mistakes
//! that a crash shows take no more (CrashMonkey).

use std::ops::RangeInclusive;

use contact_store::{DedupeOn, Options, Ownership, Status};

use super::image::Keep;
use super::recovery::{Also, Counts, FOUND_BEFORE, FOUND_BEGUN, IMAGES, Images, Truth, named};
use super::tales::connect;
use super::traffic::{Play, Played, Step};
use crate::model::{
    Add, Entry, FieldName, Given, Item, Model, Names, Probes, Reports, Request, Said, To, Upserts,
};
use crate::support::blocks::Blocks;
use crate::support::cases::{CASES, Cases, long_form, watched};
use crate::support::{APP, OTHER_APP, fold_always};

const LENGTH: usize = 3;
/// When the first request is made; the next come a second later each.
const FIRST_AT: u64 = 2_000;

const ANN: &str = "ann@example.com";
const BEN: &str = "ben@example.com";

/// The requests that the sequences are made of: every operation, and such as depend on each other.
fn alphabet() -> Vec<Request> {
    let add = |entries: Vec<Entry>| Request::Add(Add::new(APP, entries));
    let email = |email: &str| Given::default().email(email);
    let said = |status| Said {
        message: Some("m-1".to_owned()),
        ..Said::new("t-1", status)
    };
    let report = |said| Request::Report(Reports::new(APP, vec![said]));
    let item = Item::default()
        .email(ANN)
        .phone("380500000001")
        .field(FieldName::FirstName, "Ann");
    let moving = Item::default().phone("380500000001").email(To::Null);
    let upsert = |on, item| Request::Upsert(Upserts::new(on, vec![item]));
    vec![
        connect(APP, "Another name"),
        Request::Disconnect { app: APP },
        add(vec![Entry::new("t-1", email(ANN))]),
        add(vec![Entry::new("t-1", email(BEN))]),
        // The one in the middle is refused.
        add(vec![
            Entry::new("t-2", email(BEN).external("crm-1")),
            Entry::new("t-2", Given::default()),
            Entry::new("t-1", email(ANN)),
        ]),
        report(said(Status::Failed)),
        report(said(Status::Sent)),
        Request::Remove {
            app: APP,
            token: "t-1".to_owned(),
            contact: None,
        },
        Request::Rename {
            app: APP,
            old: "t-1".to_owned(),
            new: "t-2".to_owned(),
        },
        Request::Mute {
            app: APP,
            token: "t-1".to_owned(),
            until: None,
            at: None,
        },
        Request::Suppress { contact: 1 },
        Request::Forget {
            app: APP,
            before: FIRST_AT + 5_000,
        },
        Request::RemoveStale {
            app: APP,
            before: FIRST_AT + 500,
            dry_run: false,
        },
        upsert(DedupeOn::Email, item),
        upsert(DedupeOn::Phone, moving),
    ]
}

fn probes() -> Probes {
    Probes {
        ids: vec![1, 2, 3],
        names: vec![
            Names::email(ANN),
            Names::email(BEN),
            Names::phone(380_500_000_001),
            Names::external("crm-1"),
        ],
        apps: vec![APP, OTHER_APP],
        tokens: vec!["t-1".to_owned(), "t-2".to_owned()],
        page: 8,
    }
}

/// How the store is left before the next request is made.
#[derive(Clone, Copy)]
enum Left {
    Closed,
    Killed,
}

struct Walk<'c> {
    cases: &'c Cases,
    alphabet: Vec<Request>,
    options: Options,
    left: Left,
}

impl Walk<'_> {
    /// Cuts every sequence that goes on from `path`, which led to these bytes and this model.
    ///
    /// A request that changes nothing makes no commit, so there is nothing to cut, and what comes
    /// after it comes after `path` as well.
    fn follow(&self, path: &[usize], before: &Blocks, model: &Model) {
        for at in 0..self.alphabet.len() {
            let path = [path, &[at]].concat();
            let played = self.play(&path, before, model);
            let (bytes, after) = (played.after.clone(), played.models.last().unwrap().clone());
            let all_longer = |more| self.alphabet.len().pow(more);
            if after == *model {
                let longer = u32::try_from(LENGTH - path.len()).unwrap();
                let sequences = (0..=longer).map(all_longer).sum::<usize>();
                self.cases.count(SEQUENCES, sequences as u64);
                continue;
            }
            self.cases.count(SEQUENCES, 1);
            let name = format!("sequence {path:?}");
            let counts = self.cases.run(&name, || cut_everywhere(played));
            for (what, times) in counts.unwrap_or_default() {
                self.cases.count(what, times);
            }
            if path.len() < LENGTH {
                self.follow(&path, &bytes, &after);
            }
        }
    }

    /// Makes the last request of a path.
    fn play(&self, path: &[usize], before: &Blocks, model: &Model) -> Played {
        let last = self.alphabet[path[path.len() - 1]].clone();
        let now = FIRST_AT + 1_000 * path.len() as u64;
        let (before, model) = (before.clone(), model.clone());
        let (options, left) = (self.options.clone(), self.left);
        watched(&format!("sequence {path:?}"), move || {
            let mut play = Play::open(before, options, model);
            play.step(&Step::Clock(now));
            play.step(&Step::Ask(last));
            match left {
                Left::Closed => play.close(),
                Left::Killed => play.kill(),
            }
        })
    }
}

fn cut_everywhere(played: Played) -> Counts {
    let mut counts = Counts::new();
    let boundaries = each_image(played, |name, image, allowed, images| {
        named(name, || {
            images.check(image, allowed, Also::default(), &mut counts)
        });
    });
    counts.insert(BOUNDARIES, boundaries);
    counts
}

/// Makes the images that each cut may leave. Each is checked with its name, and the numbers that may be
/// found in it. Says how many cuts there are.
pub fn each_image(
    played: Played,
    mut check: impl FnMut(&str, &Blocks, RangeInclusive<u64>, &Images),
) -> u64 {
    let images = Images::of(Truth::new(played.models, probes(), played.options));
    let mut boundaries = 0;
    for cut in played.trace.cuts() {
        boundaries += 1;
        let allowed = played.trace.promises.at(cut.count).unwrap();
        let mut keeps: Vec<Keep> = Keep::all(cut.count as u64, 1).collect();
        if !long_form() {
            // In the short form the first two each time, of the others one in turn, and single sectors.
            let others = keeps.split_off(2);
            keeps.push(others[cut.count % others.len()]);
            keeps.push(Keep::Sectors(cut.count as u64));
        }
        for keep in keeps {
            let name = format!("after event {}, {keep:?}", cut.count);
            check(&name, &cut.image(keep), allowed.clone(), &images);
        }
    }
    boundaries
}

const SEQUENCES: &str = "sequences";
const BOUNDARIES: &str = "boundaries";

fn cut_all(hash_mask: u64, ownership: Ownership, left: Left) {
    let cases = Cases::new();
    let mut options = Options::default();
    options.testing.hash_mask = hash_mask;
    options.ownership = ownership;
    options.cache_bytes = 64 << 10;
    if hash_mask == 0 {
        fold_always(&mut options);
    }
    let mut play = Play::create(options.clone());
    play.step(&Step::Clock(FIRST_AT));
    play.step(&Step::Ask(connect(APP, "First bot")));
    let played = play.close();
    let model = played.models.last().unwrap().clone();
    let walk = Walk {
        cases: &cases,
        alphabet: alphabet(),
        options,
        left,
    };
    walk.follow(&[], &played.after, &model);
    cases.finish(&[
        (SEQUENCES, 2_379),
        (CASES, 500),
        (BOUNDARIES, 11_000),
        (IMAGES, 10_000),
        (FOUND_BEFORE, 5_000),
        (FOUND_BEGUN, 800),
    ]);
}

#[test]
fn r46_every_short_sequence_survives_a_power_cut_at_every_step() {
    cut_all(u64::MAX, Ownership::Shared, Left::Killed);
}

#[test]
fn r46_every_short_sequence_survives_a_power_cut_at_every_step_when_index_rows_are_shared() {
    cut_all(0, Ownership::Exclusive, Left::Closed);
}
