//! What is printed: each difference, and the sums.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::show::Output;

use super::counterparts::Counterparts;
use super::decided::Decided;
use super::difference::{Difference, difference};
use super::stores::{DecidedEntry, DecidedLine, Outcome};

/// What was compared so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    counterparts: Counterparts,
    entries: u64,
    refused_lines: u64,
    differences: BTreeMap<Difference, u64>,
}

/// One difference, in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'d> {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<usize>,
    kind: &'static str,
    difference: Difference,
    cascade: &'d Decided,
    top_priority: &'d Decided,
}

/// The sums, in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sums<'d> {
    entries: u64,
    different: u64,
    differences: &'d BTreeMap<Difference, u64>,
    refused_lines: u64,
}

impl Report {
    /// Compares what the stores decided about the entries of a line, and prints what differs.
    pub(crate) fn compare(
        &mut self,
        line: DecidedLine,
        bar: &Progress,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let entries = match line.outcome {
            Outcome::Entries(entries) => entries,
            Outcome::Refused => {
                self.refused_lines = self.refused_lines.saturating_add(1);
                return Ok(());
            }
            Outcome::NotCompared => return Ok(()),
        };
        for entry in entries {
            self.entries = self.entries.saturating_add(1);
            let DecidedEntry {
                cascade,
                top_priority,
                ..
            } = &entry;
            let Some(found) = difference(cascade, top_priority, &mut self.counterparts) else {
                continue;
            };
            let count = self.differences.entry(found).or_default();
            *count = count.saturating_add(1);
            bar.beside(|| {
                show(line.number, line.kind, found, &entry, output)?;
                Ok::<_, Failure>(output.flush_to_terminal()?)
            })?;
        }
        Ok(())
    }

    pub(crate) fn found_any(&self) -> bool {
        !self.differences.is_empty()
    }

    /// Prints the sums.
    pub(crate) fn sum(&self, output: &mut Output) -> Result<(), Failure> {
        let counts = self.differences.values();
        let different = counts.fold(0_u64, |sum, count| sum.saturating_add(*count));
        let (entries, refused_lines) = (self.entries, self.refused_lines);
        if output.json {
            return Ok(output.object(&Sums {
                entries,
                different,
                differences: &self.differences,
                refused_lines,
            })?);
        }
        let mut text = format!("{entries} entries, {different} decided differently");
        for (place, (difference, count)) in self.differences.iter().enumerate() {
            let between = if place == 0 { ": " } else { ", " };
            text.push_str(&format!("{between}{count} {}", difference.words()));
        }
        if refused_lines > 0 {
            text.push_str(&format!("; {refused_lines} lines refused under both"));
        }
        Ok(output.line(&text)?)
    }
}

fn show(
    line: u64,
    kind: &'static str,
    difference: Difference,
    entry: &DecidedEntry,
    output: &mut Output,
) -> Result<(), Failure> {
    let DecidedEntry {
        index,
        cascade,
        top_priority,
    } = entry;
    if output.json {
        return Ok(output.object(&Shown {
            line,
            entry: *index,
            kind,
            difference,
            cascade,
            top_priority,
        })?);
    }
    let place = match index {
        Some(index) => format!("{kind}[{index}]"),
        None => kind.to_owned(),
    };
    Ok(output.line(&format!(
        "line {line}, {place}: cascade: {cascade}; topPriority: {top_priority}"
    ))?)
}
