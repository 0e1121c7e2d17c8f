//! Figures: what was measured of a side, with its spread.

use std::time::{Duration, Instant};

/// What is measured, and whether more of it is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds for one.
    Nanoseconds,
    /// Microseconds for one.
    Microseconds,
    Milliseconds,
    /// How many in a second.
    PerSecond,
    /// Bytes for each contact.
    BytesPerContact,
    Bytes,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "ns",
            Unit::Microseconds => "us",
            Unit::Milliseconds => "ms",
            Unit::PerSecond => "/s",
            Unit::BytesPerContact => "bytes a contact",
            Unit::Bytes => "bytes",
        }
    }
}

/// One figure of one side.
#[derive(Clone, Debug)]
pub struct Figure {
    pub workload: String,
    /// Which figure of the workload: its own name alone, or `p50`, `p99`, `rate` …
    pub measure: String,
    pub unit: Unit,
    pub size: u64,
    pub side: String,
    /// The figure: the median of the samples, or of them all together where they make a whole.
    pub value: f64,
    pub samples: Vec<f64>,
}

impl Figure {
    pub fn spread(&self) -> Spread {
        Spread::of(&self.samples)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = |place: usize| sorted[place / 2];
        Spread {
            min: sorted[0],
            median: (middle(sorted.len() - 1) + middle(sorted.len())) / 2.0,
            max: sorted[sorted.len() - 1],
        }
    }
}

/// Everything measured in a run.
#[derive(Default)]
pub struct Figures(pub Vec<Figure>);

impl Figures {
    /// Adds samples, whose median is the figure. Samples of several groups of sides meet here.
    pub fn add(&mut self, of: &Measured, size: u64, side: &str, samples: &[f64]) {
        assert!(!samples.is_empty());
        let known = self.0.iter_mut().find(|figure| {
            (
                &*figure.workload,
                &*figure.measure,
                figure.size,
                &*figure.side,
            ) == (of.workload, of.measure, size, side)
        });
        match known {
            Some(figure) => {
                figure.samples.extend_from_slice(samples);
                figure.value = figure.spread().median;
            }
            None => self.add_whole(of, size, side, Spread::of(samples).median, samples),
        }
    }

    /// Adds a figure that its samples are parts of. What is measured again, beside another group of
    /// sides, counts as more samples.
    pub fn add_whole(&mut self, of: &Measured, size: u64, side: &str, value: f64, parts: &[f64]) {
        if self.find(of.workload, of.measure, size, side).is_some() {
            return self.add(of, size, side, parts);
        }
        println!(
            "  {size:>8}  {side:<22} {} {}: {} {}",
            of.workload,
            of.measure,
            rounded(value),
            of.unit.name()
        );
        self.0.push(Figure {
            workload: of.workload.to_owned(),
            measure: of.measure.to_owned(),
            unit: of.unit,
            size,
            side: side.to_owned(),
            value,
            samples: parts.to_vec(),
        });
    }

    pub fn find(&self, workload: &str, measure: &str, size: u64, side: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| {
            (
                &*figure.workload,
                &*figure.measure,
                figure.size,
                &*figure.side,
            ) == (workload, measure, size, side)
        })
    }
}

/// What a figure is of.
#[derive(Clone, Copy)]
pub struct Measured {
    pub workload: &'static str,
    pub measure: &'static str,
    pub unit: Unit,
}

/// Three digits that count.
pub fn rounded(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        small if small < 1.0 => 3,
        small if small < 10.0 => 2,
        small if small < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let whole = text.split('.').next().unwrap_or(&text).len();
    let mut grouped = String::new();
    for (place, digit) in text.chars().enumerate() {
        if place > 0 && place < whole && (whole - place) % 3 == 0 && digit.is_ascii_digit() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Nanoseconds for each of `times` things that took `all` together.
pub fn each(all: Duration, times: usize) -> f64 {
    all.as_secs_f64() * 1e9 / times as f64
}

/// How many in a second.
pub fn rate(count: usize, all: Duration) -> f64 {
    count as f64 / all.as_secs_f64()
}

/// How long it takes.
pub fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let done = work();
    (start.elapsed(), done)
}

/// The latency that this share of them does not exceed, in microseconds.
pub fn percentile(latencies: &mut [Duration], share: f64) -> f64 {
    latencies.sort_unstable();
    let place = (latencies.len() as f64 * share).ceil() as usize;
    latencies[place.clamp(1, latencies.len()) - 1].as_secs_f64() * 1e6
}
