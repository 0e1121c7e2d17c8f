//! What was promised when: which numbers a file may be at after a cut (R46).

use std::ops::RangeInclusive;

/// What was promised in the course of a trace. A moment is a count of events.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    /// From which cut on there has to be a store, and at which number it is at least.
    least: Vec<(usize, u64)>,
    /// From which cut on it may be at which number at most.
    most: Vec<(usize, u64)>,
}

impl Promises {
    /// Nothing is promised but that the file is at one of these.
    pub fn of(allowed: RangeInclusive<u64>) -> Self {
        Promises {
            least: vec![(0, *allowed.start())],
            most: vec![(0, *allowed.end())],
        }
    }

    /// At this moment a request that has this number was acknowledged.
    pub fn acknowledge(&mut self, at: usize, number: u64) {
        note(&mut self.least, at, number);
    }

    /// At this moment a request was made that has this number or would have had it. It had done
    /// nothing yet.
    pub fn begin(&mut self, at: usize, number: u64) {
        note(&mut self.most, at + 1, number);
    }

    /// At this moment the file was opened and found at this number: whatever was begun before, it is
    /// in or will never be.
    pub fn find(&mut self, at: usize, number: u64) {
        self.acknowledge(at, number);
        self.most.retain(|(from, _)| *from < at);
        self.most.push((at, number));
    }

    /// What may be found after a cut after the first `count` events; `None` while the store was
    /// made.
    pub fn at(&self, count: usize) -> Option<RangeInclusive<u64>> {
        let last = |notes: &[(usize, u64)]| {
            let by_then = notes.partition_point(|(from, _)| *from <= count);
            Some(notes[by_then.checked_sub(1)?].1)
        };
        let least = last(&self.least)?;
        Some(least..=last(&self.most).unwrap_or(least).max(least))
    }
}

/// Keeps notes in the order of their moments, each with the largest number by then.
fn note(notes: &mut Vec<(usize, u64)>, at: usize, number: u64) {
    let place = notes.partition_point(|(noted, _)| *noted <= at);
    let before = place.checked_sub(1).map_or(0, |last| notes[last].1);
    notes.insert(place, (at, number.max(before)));
    for (_, later) in &mut notes[place + 1..] {
        *later = (*later).max(number);
    }
}
