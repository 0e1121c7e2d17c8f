//! The table for readers.

use std::fmt::Write as _;

use super::Results;
use super::ratios::Row;
use crate::measure::{Figure, Unit, rounded};

pub fn markdown(results: &Results, rows: &[Row]) -> String {
    let machine = &results.machine;
    let mut text = String::from("# contact-store beside its peers\n\n");
    let memory = machine.memory_bytes as f64 / (1_u64 << 30) as f64;
    let _ = writeln!(
        text,
        "{}, {} cores, {memory:.0} GiB of memory, Linux {}, {}.",
        machine.cpu, machine.cores, machine.kernel, machine.file_system,
    );
    let _ = writeln!(text, "{}.", super::versions().join(", "));
    let loads = results.loads.iter().map(|noted| &*noted.load);
    let one = |load: &&str| load.split(' ').next()?.parse::<f64>().ok();
    let loads: Vec<f64> = loads.filter_map(|load| one(&load)).collect();
    if let (Some(first), Some(most)) = (loads.first(), loads.iter().copied().reduce(f64::max)) {
        let _ = writeln!(
            text,
            "Load of the machine: {first} at the beginning, at most {most} (with what is measured)."
        );
    }
    text.push_str(
        "Each figure with the smallest and the largest of its samples. \
         Rates: more is better; all others: less.\n",
    );
    for size in results.sizes() {
        write_size(&mut text, results, size);
    }
    write_goals(&mut text, rows);
    text
}

fn write_size(text: &mut String, results: &Results, size: u64) {
    let of_size: Vec<&Figure> = {
        let figures = results.figures.0.iter();
        figures.filter(|figure| figure.size == size).collect()
    };
    let has = |name: &&str| of_size.iter().any(|figure| figure.side == *name);
    let names: Vec<&str> = super::names().into_iter().filter(has).collect();
    let _ = writeln!(text, "\n## {} contacts\n", super::short(size));
    let _ = writeln!(text, "| work | {} |", names.join(" | "));
    let _ = writeln!(text, "| --- |{}", " ---: |".repeat(names.len()));
    let mut shown: Vec<(&str, &str)> = Vec::new();
    for figure in &of_size {
        let row = (&*figure.workload, &*figure.measure);
        if shown.contains(&row) {
            continue;
        }
        shown.push(row);
        let unit = match figure.unit {
            Unit::Bytes => "MiB",
            unit => unit.name(),
        };
        let _ = write!(text, "| {}, {}, {unit} |", row.0, row.1);
        for name in &names {
            match results.figures.find(row.0, row.1, size, name) {
                Some(figure) => write_figure(text, figure),
                None => text.push_str(" |"),
            }
        }
        text.push('\n');
    }
}

fn write_figure(text: &mut String, figure: &Figure) {
    let scale = |value: f64| match figure.unit {
        Unit::Bytes => rounded(value / (1_u64 << 20) as f64),
        _ => rounded(value),
    };
    let value = scale(figure.value);
    if figure.samples.len() == 1 {
        let _ = write!(text, " {value} |");
        return;
    }
    let spread = figure.spread();
    let (min, max) = (scale(spread.min), scale(spread.max));
    let _ = write!(text, " {value} ({min}–{max}) |");
}

fn write_goals(text: &mut String, rows: &[Row]) {
    text.push_str("\n## Goals\n\n| goal | measured | ratio, or figure | target | reached |\n");
    text.push_str("| --- | --- | ---: | ---: | --- |\n");
    for row in rows {
        let ratio = row.ratio.map_or_else(|| "–".to_owned(), rounded);
        let reached = match row.is_reached() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not measured",
        };
        let _ = writeln!(
            text,
            "| {} | {} | {ratio} | {} | {reached} |",
            row.goal, row.measured, row.target
        );
    }
}
