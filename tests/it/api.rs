//! The public API as a list of lines, so that a change of it is seen.
//!
//! It is read off the sources, like the layering: what is `pub` in them is public, which a lint holds
//! (`unreachable_pub`). After a change that is meant, `CONTACT_STORE_WRITE_API=1` writes the list anew.

use std::collections::BTreeSet;
use std::{env, fs};

use crate::layering::source::{self, Piece, Source, closing, package};

const LIST: &str = "tests/it/api.txt";

#[test]
fn the_public_api_is_the_one_that_is_written_down() {
    let exported = exported();
    let sources = source::all().iter();
    let found: BTreeSet<String> = sources
        .flat_map(|source| public(source, &exported))
        .collect();
    assert!(found.len() > 300, "{}", found.len());
    let path = package().join(LIST);
    if env::var_os("CONTACT_STORE_WRITE_API").is_some() {
        let lines: String = found.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, lines).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    let written: BTreeSet<String> = written.lines().map(str::to_owned).collect();
    let new: Vec<_> = found.difference(&written).collect();
    let gone: Vec<_> = written.difference(&found).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "new: {new:#?}\ngone: {gone:#?}\nif it is meant, write {LIST} with CONTACT_STORE_WRITE_API=1"
    );
}

/// The types that the crate exports.
fn exported() -> BTreeSet<String> {
    let mut sources = source::all().iter();
    let root = sources.find(|source| source.path == "lib.rs").unwrap();
    let of_modules = ["Line", "LimitTooHigh"].map(str::to_owned);
    let words = root.code.iter().map(|piece| piece.text.clone());
    of_modules.into_iter().chain(words).collect()
}

/// What one file makes public: items with their signatures, fields, variants, and traits implemented for
/// types that are exported.
fn public(source: &Source, exported: &BTreeSet<String>) -> Vec<String> {
    let code = &source.code;
    let module = source.path.trim_end_matches(".rs").replace('/', "::");
    let mut lines = Vec::new();
    // The `impl` around the place, and where it ends.
    let mut within: Option<(String, usize)> = None;
    let mut at = 0;
    while at < code.len() {
        if within.as_ref().is_some_and(|(_, end)| at >= *end) {
            within = None;
        }
        let owner = |within: &Option<(String, usize)>| match within {
            Some((header, _)) => format!("{module}: {header}: "),
            None => format!("{module}: "),
        };
        let piece = &code[at];
        match piece.text.as_str() {
            _ if piece.literal => {}
            "impl" if begins_item(code, at) => {
                let open = first(code, at, &["{"]);
                let header = text(&code[at..open]);
                if let Some((_, of)) = header.split_once(" for ") {
                    let mut names = of.split(' ').filter(|word| word.len() > 1);
                    let inside = module.starts_with("storage");
                    if !inside && names.any(|name| exported.contains(name)) {
                        lines.push(format!("{module}: {header}"));
                    }
                }
                within = Some((header, closing(code, open)));
                at = open;
            }
            "named" | "from_text" if code.get(at + 1).is_some_and(|next| next.text == "!") => {
                let open = at + 2;
                let end = closing(code, open);
                lines.push(format!("{module}: {}", text(&code[at..end + 1])));
                at = end;
            }
            "pub" if code[at + 1].text != "(" => {
                let end = match code[at + 1].text.as_str() {
                    "enum" | "use" | "trait" => {
                        let open = first(code, at, &["{", ";"]);
                        if code[open].text == "{" {
                            closing(code, open) + 1
                        } else {
                            open
                        }
                    }
                    "struct" => first(code, at, &["{", "(", ";"]),
                    "const" | "static" if code[at + 2].text != "fn" => first(code, at, &["=", ";"]),
                    "fn" | "const" | "async" | "type" | "mod" => first(code, at, &["{", ";"]),
                    // A field: its type ends at the next comma outside of brackets.
                    _ => field_end(code, at),
                };
                lines.push(format!("{}{}", owner(&within), text(&code[at..end])));
                if code[at + 1].text == "struct" && code[end].text == "{" {
                    let name = format!("struct {}", code[at + 2].text);
                    within = Some((name, closing(code, end)));
                }
                at = end.max(at + 1) - 1;
            }
            _ => {}
        }
        at += 1;
    }
    lines
}

/// Whether a word stands where an item may begin.
fn begins_item(code: &[Piece], at: usize) -> bool {
    at == 0 || [";", "}", "]", "{"].contains(&code[at - 1].text.as_str())
}

/// The first of these signs from a place on, outside of round and square brackets.
fn first(code: &[Piece], from: usize, signs: &[&str]) -> usize {
    let mut at = from;
    while at < code.len() {
        let sign = code[at].text.as_str();
        if !code[at].literal && signs.contains(&sign) {
            return at;
        }
        if !code[at].literal && ["(", "["].contains(&sign) {
            at = closing(code, at);
        }
        at += 1;
    }
    panic!("none of {signs:?}")
}

fn field_end(code: &[Piece], from: usize) -> usize {
    let mut angles = 0_i32;
    let mut at = from;
    loop {
        match code[at].text.as_str() {
            "<" => angles += 1,
            ">" => angles -= 1,
            "," if angles <= 0 => return at,
            "}" | ")" => return at,
            "(" | "[" => at = closing(code, at),
            _ => {}
        }
        at += 1;
    }
}

fn text(pieces: &[Piece]) -> String {
    let words: Vec<String> = pieces
        .iter()
        .map(|piece| match piece.literal {
            true => format!("{:?}", piece.text),
            false => piece.text.clone(),
        })
        .collect();
    words.join(" ")
}
