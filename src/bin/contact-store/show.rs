//! What is printed: tables and lines for people, JSON for programs.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};
use std::time::{Duration, UNIX_EPOCH};

use contact_store::Timestamp;
use serde::Serialize;

/// What stands in a cell that has nothing.
pub(crate) const NOTHING: &str = "-";

/// Rows that the widths of a table's columns are taken from. Those after them that are wider push
/// what is right of them.
const ROWS_MEASURED: usize = 1_000;

/// Standard output, in one of the two forms.
pub(crate) struct Output {
    to: BufWriter<Stdout>,
    /// Whether it is JSON that is asked for.
    pub(crate) json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Output {
            to: BufWriter::new(io::stdout()),
            json,
        }
    }

    /// One JSON object on a line of its own.
    pub(crate) fn object(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.to, value)?;
        self.to.write_all(b"\n")
    }

    /// One line of text.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())?;
        self.to.write_all(b"\n")
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)
    }

    /// Brings what is printed to a terminal, where a person waits for it.
    pub(crate) fn flush_to_terminal(&mut self) -> io::Result<()> {
        match self.to.get_ref().is_terminal() {
            true => self.to.flush(),
            false => Ok(()),
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Rows of cells under one another. Rows are printed as soon as the widths are known.
pub(crate) struct Table<'o> {
    output: &'o mut Output,
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
    printing: bool,
}

impl<'o> Table<'o> {
    /// A table whose columns have these names.
    pub(crate) fn new(output: &'o mut Output, names: &[&str]) -> Self {
        let mut table = Table::without_names(output);
        table.measure(names.iter().map(|name| (*name).to_owned()).collect());
        table
    }

    pub(crate) fn without_names(output: &'o mut Output) -> Self {
        Table {
            output,
            rows: Vec::new(),
            widths: Vec::new(),
            printing: false,
        }
    }

    /// One more row. A cell that is empty shows as [`NOTHING`].
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) -> io::Result<()> {
        let shown = |cell: &String| match cell.is_empty() {
            true => NOTHING.to_owned(),
            false => visible(cell),
        };
        let cells: Vec<String> = cells.iter().map(shown).collect();
        if self.printing {
            return self.print(&cells);
        }
        self.measure(cells);
        match self.rows.len() > ROWS_MEASURED {
            true => self.print_measured(),
            false => Ok(()),
        }
    }

    /// Prints what is not printed yet.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.print_measured()
    }

    fn measure(&mut self, cells: Vec<String>) {
        for (column, cell) in cells.iter().enumerate() {
            let width = cell.chars().count();
            match self.widths.get_mut(column) {
                Some(widest) => *widest = width.max(*widest),
                None => self.widths.push(width),
            }
        }
        self.rows.push(cells);
    }

    fn print_measured(&mut self) -> io::Result<()> {
        self.printing = true;
        for row in std::mem::take(&mut self.rows) {
            self.print(&row)?;
        }
        Ok(())
    }

    fn print(&mut self, cells: &[String]) -> io::Result<()> {
        let padded = cells.iter().zip(&self.widths);
        let padded: Vec<String> = padded
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        self.output.line(padded.join("  ").trim_end())
    }
}

/// A text without what a terminal would act on, or would not show: the store holds what others sent.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let acts = character.is_control()
            || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}')
            || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        match acts {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

/// A time as `2026-01-31T12:00:00.000Z`; one after the year 9999 as its milliseconds.
pub(crate) fn time(time: Timestamp) -> String {
    const YEAR_10_000: u64 = 253_402_300_800_000;
    let millis = time.as_millis();
    match UNIX_EPOCH.checked_add(Duration::from_millis(millis)) {
        Some(time) if millis < YEAR_10_000 => humantime::format_rfc3339_millis(time).to_string(),
        _ => millis.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use contact_store::Timestamp;

    use super::{time, visible};

    #[track_caller]
    fn at(millis: u64, text: &str) {
        assert_eq!(time(Timestamp::from_millis(millis)), text);
    }

    #[test]
    fn times_are_shown_by_the_calendar() {
        at(0, "1970-01-01T00:00:00.000Z");
        at(951_782_399_999, "2000-02-28T23:59:59.999Z");
        at(951_782_400_000, "2000-02-29T00:00:00.000Z");
        at(951_868_800_000, "2000-03-01T00:00:00.000Z");
        at(1_700_000_000_123, "2023-11-14T22:13:20.123Z");
        at(1_735_689_599_000, "2024-12-31T23:59:59.000Z");
        at(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        at(253_402_300_799_999, "9999-12-31T23:59:59.999Z");
        at(253_402_300_800_000, "253402300800000");
        at(u64::MAX, "18446744073709551615");
    }

    #[test]
    fn what_a_terminal_would_act_on_is_shown_as_text() {
        assert_eq!(visible("Ann Зоя 👋"), "Ann Зоя 👋");
        assert_eq!(
            visible("a\u{1b}[2Jb\n\u{202e}c"),
            "a\\u{1b}[2Jb\\n\\u{202e}c"
        );
    }
}
