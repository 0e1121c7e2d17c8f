//! The colours of the console: what is read has the contrast that WCAG 2.2 asks for, level AA.

use std::collections::BTreeMap;

const STYLES: &str = include_str!("../../../../../examples/host/console/console.css");

/// The colours of `:root`, light and dark.
fn colours() -> [BTreeMap<&'static str, [f64; 3]>; 2] {
    let mut roots = STYLES.split(":root {").skip(1);
    let mut of = || {
        let root = roots.next().unwrap().split('}').next().unwrap();
        let lines = root
            .lines()
            .filter_map(|line| line.trim().strip_prefix("--"));
        let pairs = lines.filter_map(|line| line.trim_end_matches(';').split_once(": #"));
        pairs
            .map(|(name, digits)| {
                let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
                (name, [0, 2, 4].map(|at| f64::from(part(at)) / 255.0))
            })
            .collect()
    };
    [of(), of()]
}

fn luminance(colour: [f64; 3]) -> f64 {
    let [red, green, blue] = colour.map(|part| match part {
        part if part <= 0.04045 => part / 12.92,
        part => ((part + 0.055) / 1.055).powf(2.4),
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[test]
fn texts_and_controls_have_the_contrast_of_wcag_aa_in_light_and_dark() {
    let texts = [
        ("text", "page"),
        ("text", "sheet"),
        ("faint", "page"),
        ("faint", "sheet"),
        ("faint", "accent-soft"),
        ("text", "accent-soft"),
        ("accent", "page"),
        ("accent", "sheet"),
        ("accent", "accent-soft"),
        ("accent-over", "accent"),
        ("wrong", "page"),
        ("wrong", "sheet"),
        // The outcome.
        ("page", "text"),
        ("page", "wrong"),
    ];
    let texts = texts.map(|pair| (pair, 4.5));
    let controls = [("edge", "page"), ("edge", "sheet")].map(|pair| (pair, 3.0));
    let all = texts.iter().chain(&controls);
    for colours in colours() {
        assert_eq!(colours.len(), 10, "{colours:?}");
        for ((one, other), least) in all.clone() {
            let (one_is, other_is) = (luminance(colours[one]), luminance(colours[other]));
            let (light, dark) = (one_is.max(other_is), one_is.min(other_is));
            let contrast = (light + 0.05) / (dark + 0.05);
            assert!(contrast >= *least, "{one} on {other}: {contrast:.2}");
        }
    }
}
