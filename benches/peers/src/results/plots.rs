//! Plots: a figure by the size of the store, ours beside the peers. Without background and in colours
//! and greys of middling brightness, so that they can be read on light and dark pages.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::measure::{Figures, Unit};
use crate::sides::contact_store::OURS;
use crate::sides::raw::RAW;
use crate::stage::BASELINE;
use crate::workloads as work;

const WIDTH: u32 = 760;
const HEIGHT: u32 = 430;
/// Where the names stand.
const LEGEND: i32 = 190;

const INK: RGBColor = RGBColor(128, 128, 128);

/// The colour of a side.
fn colour(side: &str) -> RGBColor {
    match side {
        OURS => RGBColor(224, 62, 62),
        "LMDB" => RGBColor(58, 134, 224),
        "SQLite" => RGBColor(46, 160, 90),
        "fjall" => RGBColor(176, 112, 214),
        "redb" => RGBColor(214, 140, 30),
        "RocksDB" => RGBColor(30, 165, 175),
        "HashMaps" => RGBColor(150, 150, 60),
        RAW => RGBColor(140, 140, 150),
        BASELINE => RGBColor(170, 90, 60),
        _ => RGBColor(226, 128, 140),
    }
}

struct Plot {
    file: &'static str,
    title: &'static str,
    workload: &'static str,
    measure: &'static str,
}

const PLOTS: [Plot; 13] = {
    const fn of(
        file: &'static str,
        title: &'static str,
        workload: &'static str,
        measure: &'static str,
    ) -> Plot {
        Plot {
            file,
            title,
            workload,
            measure,
        }
    }
    [
        of("bulk-load.svg", "Bulk load", work::BULK_LOAD, "rate"),
        of(
            "find-uniform.svg",
            "Find by email, uniform",
            work::FIND_UNIFORM,
            "time",
        ),
        of(
            "find-zipf.svg",
            "Find by email, Zipf 0.99",
            work::FIND_ZIPF,
            "time",
        ),
        of(
            "miss-three.svg",
            "Miss on three kinds",
            work::MISS_THREE,
            "time",
        ),
        of(
            "one-caller-p50.svg",
            "One durable caller, p50",
            work::ONE_CALLER,
            "p50",
        ),
        of(
            "64-callers-rate.svg",
            "64 durable callers",
            work::MANY_CALLERS,
            "rate",
        ),
        of(
            "64-callers-p50.svg",
            "64 durable callers, p50",
            work::MANY_CALLERS,
            "p50",
        ),
        of(
            "64-callers-p99.svg",
            "64 durable callers, p99",
            work::MANY_CALLERS,
            "p99",
        ),
        of("failed.svg", "FAILED sweep", work::FAILED, "rate"),
        of("listing.svg", "Listing", work::LISTING, "rows"),
        of(
            "mixed.svg",
            "95 % finds, 5 % durable adds",
            work::MIXED,
            "rate",
        ),
        of(
            "disk-bytes.svg",
            "Bytes on disk",
            work::DISK_BYTES,
            "a contact",
        ),
        of("memory.svg", "Memory at most", work::MEMORY, work::PEAK),
    ]
};

/// The line of one side: sizes and figures.
struct Line {
    side: &'static str,
    points: Vec<(f64, f64)>,
}

/// The name and content of each file that the figures suffice for.
pub fn all(figures: &Figures) -> Vec<(&'static str, String)> {
    let drawn = PLOTS.iter().filter_map(|plot| {
        let (lines, unit) = lines(figures, plot)?;
        Some((plot.file, draw(plot, &lines, unit)))
    });
    drawn.collect()
}

fn lines(figures: &Figures, plot: &Plot) -> Option<(Vec<Line>, Unit)> {
    let is_shown =
        |workload: &str, measure: &str| (workload, measure) == (plot.workload, plot.measure);
    let of_plot = |side: &'static str| {
        let of_side = figures.0.iter().filter(move |figure| {
            figure.side == side && is_shown(&figure.workload, &figure.measure)
        });
        let mut points: Vec<(f64, f64)> = of_side
            .map(|figure| (figure.size as f64, figure.value))
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        (!points.is_empty()).then_some(Line { side, points })
    };
    let mut shown = figures.0.iter();
    let unit = shown
        .find(|figure| is_shown(&figure.workload, &figure.measure))?
        .unit;
    Some((
        super::names().into_iter().filter_map(of_plot).collect(),
        unit,
    ))
}

fn draw(plot: &Plot, lines: &[Line], unit: Unit) -> String {
    let mut drawing = String::new();
    {
        let area = SVGBackend::with_string(&mut drawing, (WIDTH, HEIGHT)).into_drawing_area();
        let better = match unit {
            Unit::PerSecond => "more is better",
            _ => "less is better",
        };
        let title = format!("{}, {} ({better})", plot.title, unit.name());
        let (chart, legend) = area.split_horizontally(WIDTH as i32 - LEGEND);
        draw_chart(&chart, &title, lines);
        draw_legend(&legend, lines);
        area.present().unwrap();
    }
    drawing
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn draw_chart(area: &Area, title: &str, lines: &[Line]) {
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let around = |least: f64, most: f64, room: f64| least / room..most * room;
    let least = |of: fn((f64, f64)) -> f64| points().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn((f64, f64)) -> f64| points().map(of).fold(0.0, f64::max);
    let sizes = around(least(|point| point.0), most(|point| point.0), 1.3);
    let values = around(least(|point| point.1), most(|point| point.1), 1.5);
    let mut chart = ChartBuilder::on(area)
        .caption(title, text(17))
        .margin(8)
        .x_label_area_size(42)
        .y_label_area_size(72)
        .build_cartesian_2d(sizes.log_scale(), values.log_scale())
        .unwrap();
    chart
        .configure_mesh()
        .x_desc("contacts")
        .x_label_formatter(&|size| super::short(size.round() as u64))
        .y_label_formatter(&|value| crate::measure::rounded(*value))
        .label_style(text(13))
        .axis_desc_style(text(14))
        .axis_style(INK.mix(0.8))
        .bold_line_style(INK.mix(0.3))
        .light_line_style(TRANSPARENT)
        .draw()
        .unwrap();
    for line in lines {
        let width = if line.side == OURS { 3 } else { 2 };
        let style = colour(line.side).stroke_width(width);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style))
            .unwrap();
        let dot = |point| Circle::new(point, width + 1, colour(line.side).filled());
        chart
            .draw_series(line.points.iter().copied().map(dot))
            .unwrap();
    }
}

fn draw_legend(area: &Area, lines: &[Line]) {
    for (place, line) in lines.iter().enumerate() {
        let y = 60 + 22 * place as i32;
        let style = colour(line.side).stroke_width(3);
        area.draw(&PathElement::new(vec![(0, y), (18, y)], style))
            .unwrap();
        let style = text(13).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(line.side, (24, y), style)).unwrap();
    }
}
