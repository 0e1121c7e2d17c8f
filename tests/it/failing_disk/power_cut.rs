//! Power cuts at every point of the script (R46).

use std::collections::BTreeMap;

use super::disk::{Event, Random, TestDisk};
use super::script::{Expected, Line, expected, open_on};
use crate::support::cases::{CASES, Cases, long_form};

/// The script, played once on a disk that kept what reached it.
struct Recorded {
    events: Vec<Event>,
    /// How many events there were when a number was acknowledged, and when its request was made.
    acknowledged: BTreeMap<usize, u64>,
    begun: BTreeMap<usize, u64>,
}

fn record(expected: &Expected) -> Recorded {
    let disk = TestDisk::empty();
    disk.record();
    let mut store = open_on(&disk, false).unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut begun = BTreeMap::new();
    acknowledged.insert(disk.event_count(), 0);
    for (line, numbers) in expected.script.iter().zip(&expected.numbers) {
        match line {
            Line::Group(requests) => {
                for (request, number) in requests.iter().zip(numbers) {
                    begun.insert(disk.event_count(), *number);
                    assert_eq!(request.run(&store).unwrap().value(), *number);
                    acknowledged.insert(disk.event_count(), *number);
                }
            }
            Line::Read => {}
            Line::CloseAndOpen => {
                store.close().unwrap();
                store = open_on(&disk, false).unwrap();
            }
        }
    }
    store.close().unwrap();
    Recorded {
        events: disk.events(),
        acknowledged,
        begun,
    }
}

impl Recorded {
    /// What may be found after a cut behind the first `count` events: a number acknowledged by
    /// then, or a later one that was begun. `None` while the store was made: there is a temporary
    /// file at most.
    fn may_be_found(&self, count: usize) -> Option<std::ops::RangeInclusive<u64>> {
        let (_, least) = self.acknowledged.range(..=count).next_back()?;
        // A request made when so many events were there had done nothing yet.
        let most = self.begun.range(..count).next_back();
        Some(*least..=most.map_or(*least, |(_, most)| *most.max(least)))
    }

    /// The disk after a cut behind the first `count` events. What was synced is there; of the
    /// rest, what `keep` says, the last write perhaps in part.
    fn image(&self, count: usize, keep: Keep) -> Vec<u8> {
        let happened = &self.events[..count];
        let synced = happened
            .iter()
            .rposition(|event| matches!(event, Event::Synced))
            .map_or(0, |last| last + 1);
        let mut image = Vec::new();
        for event in &happened[..synced] {
            event.apply(&mut image);
        }
        let rest = &happened[synced..];
        match keep {
            Keep::Nothing => {}
            Keep::Everything => rest.iter().for_each(|event| event.apply(&mut image)),
            Keep::Some(seed) => {
                let mut random = Random(seed);
                for event in rest {
                    if random.coin() {
                        event.apply(&mut image);
                    }
                }
            }
            Keep::LastInPart(seed) => {
                let mut random = Random(seed);
                for (n, event) in rest.iter().enumerate() {
                    match event {
                        Event::Write(at, bytes) if n + 1 == rest.len() => {
                            let part = bytes[..random.below(bytes.len())].to_vec();
                            Event::Write(*at, part).apply(&mut image);
                        }
                        _ => event.apply(&mut image),
                    }
                }
            }
        }
        image
    }
}

/// What of the writes that were not synced is there after a cut.
#[derive(Clone, Copy, Debug)]
enum Keep {
    Nothing,
    Everything,
    /// Each or not, by this seed.
    Some(u64),
    LastInPart(u64),
}

#[test]
fn after_a_power_cut_there_is_all_that_was_acknowledged_and_nothing_by_halves() {
    let cases = Cases::new();
    let expected = expected();
    let recorded = record(expected);
    for count in 0..=recorded.events.len() {
        let Some(may_be_found) = recorded.may_be_found(count) else {
            continue;
        };
        // A sync changes nothing of what may be there beyond what was there before it.
        if count > 0 && matches!(recorded.events[count - 1], Event::Synced) {
            continue;
        }
        cases.count("points", 1);
        let seed = u64::try_from(count).unwrap();
        let keep = [
            Keep::Nothing,
            Keep::Everything,
            Keep::Some(seed),
            Keep::LastInPart(seed),
        ];
        // In the short form one kind at each point, in turn.
        let keep = if long_form() {
            &keep[..]
        } else {
            &keep[count % 4..][..1]
        };
        for keep in keep.iter().copied() {
            let disk = TestDisk::with(recorded.image(count, keep));
            let may_be_found = may_be_found.clone();
            cases.run(&format!("cut behind event {count}, {keep:?}"), move || {
                let store = open_on(&disk, false).unwrap();
                let found = store.snapshot().unwrap().sequence().value();
                assert!(
                    may_be_found.contains(&found),
                    "found {found}, not one of {may_be_found:?}"
                );
                expected.assert_at(&store, found);
                store.close().unwrap();
            });
        }
    }
    cases.finish(&[(CASES, 300)]);
}
