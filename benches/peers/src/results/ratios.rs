//! What was measured beside what must be reached.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::measure::{Figures, Unit, rounded};
use crate::sides::contact_store::OURS;
use crate::sides::raw::RAW;
use crate::sides::{self, Memory};
use crate::stage::BASELINE;
use crate::workloads as work;

/// The size that the goals are about, where a run has it: otherwise its largest.
const SIZE: u64 = 1_000_000;
/// The sizes between which growth is measured, where a run has both: otherwise its smallest and
/// largest.
const GROWTH: (u64, u64) = (100_000, 10_000_000);

const MIB: f64 = (1_u64 << 20) as f64;

/// Those of whom the best counts.
const PEERS: [&str; 3] = ["LMDB", "SQLite", "fjall"];

#[derive(Clone, Copy)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::AtLeast(ratio) => write!(f, "at least {ratio}"),
            Target::AtMost(ratio) => write!(f, "at most {ratio}"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One goal.
pub struct Row {
    pub goal: String,
    /// The figures, in words.
    pub measured: String,
    /// `None` when the run did not measure it.
    pub ratio: Option<f64>,
    pub target: Target,
}

impl Row {
    pub fn is_reached(&self) -> Option<bool> {
        let ratio = self.ratio?;
        Some(match self.target {
            Target::AtLeast(target) => ratio >= target,
            Target::AtMost(target) => ratio <= target,
        })
    }
}

/// The goals, in their order.
pub fn rows(figures: &Figures) -> Vec<Row> {
    let mut sizes: Vec<u64> = figures.0.iter().map(|figure| figure.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let (Some(smallest), Some(largest)) = (sizes.first(), sizes.last()) else {
        return Vec::new();
    };
    let size = if sizes.contains(&SIZE) {
        SIZE
    } else {
        *largest
    };
    let at = At { figures, size };
    let mut rows = at.rates();
    rows.extend(at.look_ups());
    rows.extend(at.one_caller());
    rows.extend(at.files());
    rows.extend(at.memory());
    let growth = if sizes.contains(&GROWTH.0) && sizes.contains(&GROWTH.1) {
        GROWTH
    } else {
        (*smallest, *largest)
    };
    rows.extend(grown(figures, growth));
    rows
}

/// The figures at one size.
struct At<'a> {
    figures: &'a Figures,
    size: u64,
}

/// A figure of one side.
#[derive(Clone, Copy)]
struct Value<'a> {
    side: &'a str,
    value: f64,
    unit: Unit,
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.unit {
            Unit::Bytes => (self.value / MIB, "MiB"),
            unit => (self.value, unit.name()),
        };
        write!(f, "{} {} {unit}", self.side, rounded(value))
    }
}

impl At<'_> {
    fn value<'a>(&self, workload: &str, measure: &str, side: &'a str) -> Option<Value<'a>> {
        let figure = self.figures.find(workload, measure, self.size, side)?;
        Some(Value {
            side,
            value: figure.value,
            unit: figure.unit,
        })
    }

    /// The best of the peers: the largest of rates, the smallest of all else.
    fn best(&self, workload: &str, measure: &str) -> Option<Value<'static>> {
        let values = PEERS
            .iter()
            .filter_map(|side| self.value(workload, measure, side));
        values.reduce(|one, other| {
            let is_better = match one.unit {
                Unit::PerSecond => other.value > one.value,
                _ => other.value < one.value,
            };
            if is_better { other } else { one }
        })
    }

    /// How many times as good as the other.
    fn row(&self, goal: &str, target: f64, ours: Option<Value>, other: Option<Value>) -> Row {
        let target = Target::AtLeast(target);
        let (Some(ours), Some(other)) = (ours, other) else {
            return missing(self.named(goal), target);
        };
        let ratio = match ours.unit {
            Unit::PerSecond => ours.value / other.value,
            _ => other.value / ours.value,
        };
        Row {
            goal: self.named(goal),
            measured: format!("{ours}; {other}"),
            ratio: Some(ratio),
            target,
        }
    }

    /// A figure of ours beside a bound.
    fn bounded(&self, goal: &str, target: f64, ours: Option<Value>) -> Row {
        let target = Target::AtMost(target);
        let Some(ours) = ours else {
            return missing(self.named(goal), target);
        };
        Row {
            goal: self.named(goal),
            measured: ours.to_string(),
            ratio: Some(ours.value),
            target,
        }
    }

    /// The share that ours takes of what it may take.
    fn share(
        &self,
        goal: &str,
        target: f64,
        ours: Option<Value>,
        of: Option<(String, f64)>,
    ) -> Row {
        let target = Target::AtMost(target);
        let (Some(ours), Some((words, of))) = (ours, of) else {
            return missing(self.named(goal), target);
        };
        Row {
            goal: self.named(goal),
            measured: format!("{ours}; {words}"),
            ratio: Some(ours.value / of),
            target,
        }
    }

    fn named(&self, goal: &str) -> String {
        format!("{goal}, {} contacts", super::short(self.size))
    }

    fn rates(&self) -> Vec<Row> {
        let row = |goal: &str, workload, measure, target| {
            let ours = self.value(workload, measure, OURS);
            self.row(goal, target, ours, self.best(workload, measure))
        };
        let against = |goal: &str, workload, measure, side, target| {
            let ours = self.value(workload, measure, OURS);
            self.row(goal, target, ours, self.value(workload, measure, side))
        };
        let many = work::MANY_CALLERS;
        let p99 = self.value(many, "p99", OURS);
        vec![
            row("bulk load to the best peer", work::BULK_LOAD, "rate", 5.0),
            row("64 durable callers to the best peer", many, "rate", 6.0),
            against(
                "64 durable callers to RocksDB",
                many,
                "rate",
                "RocksDB",
                3.0,
            ),
            self.bounded("64 durable callers, p99 in us", 5_000.0, p99),
            row("FAILED sweep to the best peer", work::FAILED, "rate", 5.0),
            against("listing to LMDB", work::LISTING, "rows", "LMDB", 0.75),
        ]
    }

    fn look_ups(&self) -> Vec<Row> {
        let goals = [
            (
                "miss on three kinds to the best peer",
                work::MISS_THREE,
                2.5,
            ),
            ("find uniform to the best peer", work::FIND_UNIFORM, 1.2),
            ("find Zipf to the best peer", work::FIND_ZIPF, 1.6),
        ];
        let row = |(goal, workload, target): (&str, &str, f64)| {
            let ours = self.value(workload, "time", OURS);
            self.row(goal, target, ours, self.best(workload, "time"))
        };
        goals.into_iter().map(row).collect()
    }

    fn one_caller(&self) -> Vec<Row> {
        let one = work::ONE_CALLER;
        let rate = |side| self.value(one, "rate", side);
        let syncs = self.value(one, "p50", RAW).map(|raw| {
            let two = 2.0 * raw.value;
            (format!("two raw syncs {} us", rounded(two)), two)
        });
        let p50 = self.value(one, "p50", OURS);
        vec![
            self.row("one durable caller to LMDB", 1.2, rate(OURS), rate("LMDB")),
            self.share("one durable caller, p50 to two raw syncs", 2.0, p50, syncs),
        ]
    }

    fn files(&self) -> Vec<Row> {
        let open = |measure, side| self.value(work::OPEN, measure, side);
        let baseline = |measure| {
            let of = open(measure, BASELINE)?;
            Some((of.to_string(), of.value))
        };
        let clean = open(work::CLEAN, OURS);
        let unclean = open(work::UNCLEAN, OURS);
        let own = open(work::VERIFIED, OURS).map(|of| (format!("verified: {of}"), of.value));
        vec![
            self.bounded(
                "bytes a contact, closed",
                215.0,
                self.value(work::DISK_BYTES, "a contact", OURS),
            ),
            self.share(
                "open verified to the baseline's",
                0.8,
                open(work::VERIFIED, OURS),
                baseline(work::VERIFIED),
            ),
            self.bounded("open IfUnclean, in ms", 30.0, clean),
            self.share(
                "open after SIGKILL to the baseline's verified",
                2.0,
                unclean,
                baseline(work::VERIFIED),
            ),
            self.share("open after SIGKILL to its own verified", 2.0, unclean, own),
        ]
    }

    fn memory(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for kind in sides::all() {
            let Some(memory) = kind.memory else {
                continue;
            };
            let Memory {
                cache_bytes,
                index_bytes,
            } = memory;
            let allowed = (cache_bytes + (64 << 20) + index_bytes * self.size) as f64;
            rows.push(self.share(
                &format!(
                    "memory of {} to cache + 64 MiB + {index_bytes} bytes a contact",
                    kind.name
                ),
                1.0,
                self.value(work::MEMORY, work::PEAK, kind.name),
                Some((format!("allowed {} MiB", rounded(allowed / MIB)), allowed)),
            ));
            if index_bytes == 0 {
                let resident = self.value(work::FIND_UNIFORM, "time", OURS);
                rows.push(self.share(
                    &format!("find uniform of {} to the resident index", kind.name),
                    2.0,
                    self.value(work::FIND_UNIFORM, "time", kind.name),
                    resident.map(|of| (of.to_string(), of.value)),
                ));
            }
        }
        rows
    }
}

/// How ours changes between two sizes.
fn grown(figures: &Figures, (from, to): (u64, u64)) -> Vec<Row> {
    let goals = [
        (
            "find uniform",
            work::FIND_UNIFORM,
            "time",
            Target::AtMost(1.6),
        ),
        (
            "durable add, p50",
            work::ONE_CALLER,
            "p50",
            Target::AtMost(1.5),
        ),
        (
            "bulk load, rate",
            work::BULK_LOAD,
            "rate",
            Target::AtLeast(0.5),
        ),
    ];
    let row = |(goal, workload, measure, target): (&str, &str, &str, Target)| {
        let (small, large) = (super::short(from), super::short(to));
        let goal = format!("growth from {small} to {large}: {goal}");
        let value = |size| At { figures, size }.value(workload, measure, OURS);
        match (value(from), value(to)) {
            (Some(small), Some(large)) if from < to => Row {
                goal,
                measured: format!("{small}; {large}"),
                ratio: Some(large.value / small.value),
                target,
            },
            _ => missing(goal, target),
        }
    };
    goals.into_iter().map(row).collect()
}

fn missing(goal: String, target: Target) -> Row {
    Row {
        goal,
        measured: String::new(),
        ratio: None,
        target,
    }
}
