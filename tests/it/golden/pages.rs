//! How a golden file is kept: its pages that are not all zeroes.
//!
//! Its length, how many pages there are, and for each its number, how many of its bytes come before
//! the zeroes at its end, and these; all numbers as four bytes, the lowest first.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

const PAGE: usize = 4_096;

/// A file of the directory where they are kept: `format_2/closed.pages`.
pub fn beside(name: &str) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/golden");
    golden.join(name)
}

/// The bytes of a file that is kept.
pub fn golden(name: &str) -> Vec<u8> {
    let kept = fs::read(beside(name)).unwrap();
    let mut rest = kept.as_slice();
    let mut file = vec![0; number(&mut rest)];
    for _ in 0..number(&mut rest) {
        let (at, len) = (number(&mut rest) * PAGE, number(&mut rest));
        let page = rest.split_off(..len).unwrap();
        file[at..at + len].copy_from_slice(page);
    }
    assert!(rest.is_empty());
    file
}

/// Takes a number off the front.
fn number(rest: &mut &[u8]) -> usize {
    let bytes = rest.split_off(..4).unwrap();
    usize::try_from(u32::from_le_bytes(bytes.try_into().unwrap())).unwrap()
}

/// Keeps a text or bytes under a new name. What is kept already is never replaced: it is what an
/// earlier build wrote.
pub fn keep_as_it_is(name: &str, kept: &[u8]) {
    let mut file = File::create_new(beside(name)).unwrap();
    file.write_all(kept).unwrap();
}

/// Keeps a file.
pub fn keep(name: &str, file: &[u8]) {
    let pages: Vec<(usize, &[u8])> = file
        .chunks(PAGE)
        .map(|page| {
            let last = page.iter().rposition(|byte| *byte != 0);
            &page[..last.map_or(0, |last| last + 1)]
        })
        .enumerate()
        .filter(|(_, page)| !page.is_empty())
        .collect();
    let mut kept = Vec::new();
    let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    kept.extend(number(file.len()));
    kept.extend(number(pages.len()));
    for (at, page) in pages {
        kept.extend(number(at));
        kept.extend(number(page.len()));
        kept.extend(page);
    }
    keep_as_it_is(name, &kept);
    assert!(golden(name) == file);
}
