//! Everything that a run measured, for programs.

use serde_json::{Value, json};

use super::Results;
use super::ratios::Row;

pub fn json(results: &Results, rows: &[Row]) -> String {
    let figure = |figure: &crate::measure::Figure| -> Value {
        let spread = figure.spread();
        json!({
            "workload": figure.workload,
            "measure": figure.measure,
            "unit": figure.unit.name(),
            "contacts": figure.size,
            "side": figure.side,
            "value": figure.value,
            "min": spread.min,
            "median": spread.median,
            "max": spread.max,
            "samples": figure.samples,
        })
    };
    let goal = |row: &Row| -> Value {
        json!({
            "goal": row.goal,
            "measured": row.measured,
            "ratio": row.ratio,
            "target": row.target,
            "reached": row.is_reached(),
        })
    };
    let loads = results
        .loads
        .iter()
        .map(|noted| json!({ "contacts": noted.size, "before": noted.what, "load": noted.load }));
    let all = json!({
        "machine": results.machine,
        "versions": super::versions(),
        "loads": loads.collect::<Vec<Value>>(),
        "figures": results.figures.0.iter().map(figure).collect::<Vec<Value>>(),
        "goals": rows.iter().map(goal).collect::<Vec<Value>>(),
    });
    serde_json::to_string_pretty(&all).unwrap() + "\n"
}
