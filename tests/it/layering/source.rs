//! A source file as a list of words and signs, without comments, and without its unit tests.
//!
//! It knows no grammar: only what it takes to tell code from comments and from the contents of
//! literals.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A word, a number, a literal or one sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub line: usize,
    /// The text is the contents of a string literal.
    pub literal: bool,
    /// Where it begins in the file.
    start: usize,
}

/// How the path of a file ends that has unit tests alone.
const TESTS: &str = "_tests.rs";

/// One file below `src`.
pub struct Source {
    /// Below `src`, with `/` between the parts.
    pub path: String,
    pub text: String,
    /// The code, without comments, unit tests, and what is there with the feature `testing` alone.
    pub code: Vec<Piece>,
    /// The text of its unit tests.
    pub tests: String,
}

impl Source {
    pub fn new(path: String, text: String) -> Self {
        let (code, tests) = if path.ends_with(TESTS) {
            (Vec::new(), text.clone())
        } else {
            without_tests(&pieces(&text), &text)
        };
        Source {
            path,
            text,
            code,
            tests,
        }
    }

    /// The lines in which the words and signs of `what` stand one after another. They are parted by
    /// spaces: `. commit ( )`.
    pub fn lines_with(&self, what: &str) -> Vec<usize> {
        self.places_of(what)
            .into_iter()
            .map(|place| self.code[place].line)
            .collect()
    }

    /// The same, as places in `code`.
    pub fn places_of(&self, what: &str) -> Vec<usize> {
        let wanted: Vec<&str> = what.split(' ').collect();
        (0..self.code.len())
            .filter(|place| is_at(&self.code, *place, &wanted))
            .collect()
    }
}

/// Whether the words and signs stand at a place. A literal is never one of them.
pub fn is_at(code: &[Piece], place: usize, wanted: &[&str]) -> bool {
    code.len() >= place + wanted.len()
        && wanted
            .iter()
            .zip(&code[place..])
            .all(|(wanted, piece)| !piece.literal && piece.text == *wanted)
}

/// The place of the bracket that closes the one at `open`.
pub fn closing(code: &[Piece], open: usize) -> usize {
    let mut depth = 0_usize;
    for (place, piece) in code.iter().enumerate().skip(open) {
        match piece.text.as_str() {
            _ if piece.literal => {}
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 {
                    return place;
                }
            }
            _ => {}
        }
    }
    panic!("line {}: never closed", code[open].line)
}

/// Takes away what a host never gets: unit tests, whose text it gives too, and items that are there
/// with the feature `testing` alone.
fn without_tests(code: &[Piece], text: &str) -> (Vec<Piece>, String) {
    let (mut left, mut tests, mut place) = (Vec::new(), String::new(), 0);
    let is_testing_alone =
        is_at(code, 0, &["#", "!", "[", "cfg", "(", "feature", "="]) && code[7].text == "testing";
    if is_testing_alone {
        return (left, tests);
    }
    while place < code.len() {
        let is_test = is_at(code, place, &["#", "[", "cfg", "(", "test", ")", "]"]);
        let is_testing = is_at(code, place, &["#", "[", "cfg", "(", "feature", "="])
            && code[place + 6].text == "testing";
        match item_end(code, place).filter(|_| is_test || is_testing) {
            Some(end) => {
                if is_test {
                    tests.push_str(&text[code[place].start..code[end].start]);
                }
                place = end + 1;
            }
            None => {
                left.push(code[place].clone());
                place += 1;
            }
        }
    }
    (left, tests)
}

/// Where the function, module, type or `impl` ends whose attributes begin at `place`. `None` for
/// anything else, such as a field.
fn item_end(code: &[Piece], mut place: usize) -> Option<usize> {
    while is_at(code, place, &["#", "["]) {
        place = closing(code, place + 1) + 1;
    }
    if is_at(code, place, &["pub"]) {
        place += 1;
    }
    if is_at(code, place, &["("]) {
        place = closing(code, place) + 1;
    }
    let keyword = code.get(place)?.text.as_str();
    if !["fn", "impl", "mod", "struct"].contains(&keyword) {
        return None;
    }
    loop {
        match code.get(place)?.text.as_str() {
            ";" => return Some(place),
            "{" => return Some(closing(code, place)),
            "(" | "[" => place = closing(code, place) + 1,
            _ => place += 1,
        }
    }
}

/// All files of the library, in order.
///
/// Not those below `src/bin`: a program is built on the library as a host is. It prints, reads the
/// clock, uses whatever is public, and makes nothing public itself.
pub fn all() -> &'static [Source] {
    static ALL: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let files = files("src", "rs").into_iter();
        let files = files.filter(|(path, _)| !path.starts_with("bin/"));
        files.map(|(path, text)| Source::new(path, text)).collect()
    });
    assert!(ALL.len() > 40, "only {} files found", ALL.len());
    &ALL
}

/// The files below a directory of the package that have an extension: their paths in it, and texts.
pub fn files(directory: &str, extension: &str) -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let root = package().join(directory);
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    found
        .into_iter()
        .filter(|path| path.extension().is_some_and(|of| of == extension))
        .map(|path| {
            let parts: Vec<_> = path.strip_prefix(&root).unwrap().iter().collect();
            let parts: Vec<_> = parts.iter().map(|part| part.to_str().unwrap()).collect();
            (parts.join("/"), fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Where the package `contact-store` is. The tests are a package of their own in a folder of it.
pub fn package() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("a folder of the package")
}

fn pieces(text: &str) -> Vec<Piece> {
    let bytes = text.as_bytes();
    let (mut pieces, mut at, mut line) = (Vec::new(), 0, 1);
    while at < bytes.len() {
        let rest = &text[at..];
        let (len, shown, literal) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None, false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), None, false)
        } else if let Some((len, contents)) = string(rest) {
            (len, Some(contents), true)
        } else if let Some(len) = character(rest) {
            (len, None, false)
        } else if let Some(len) = word(rest) {
            (len, Some(&rest[..len]), false)
        } else {
            let len = rest.chars().next().unwrap().len_utf8();
            let sign = &rest[..len];
            (len, (!sign.trim().is_empty()).then_some(sign), false)
        };
        if let Some(shown) = shown {
            pieces.push(Piece {
                text: shown.to_owned(),
                line,
                literal,
                start: at,
            });
        }
        line += rest[..len].matches('\n').count();
        at += len;
    }
    pieces
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += rest[at..].chars().next().unwrap().len_utf8();
        }
    }
    at
}

/// Words, numbers, and lifetimes.
fn word(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('\'').unwrap_or(rest);
    let is_inside = |c: char| c.is_alphanumeric() || c == '_';
    let inside = body.find(|c| !is_inside(c)).unwrap_or(body.len());
    (inside > 0).then_some(rest.len() - body.len() + inside)
}

/// A string literal of any kind: its length and what is between the quotes.
fn string(rest: &str) -> Option<(usize, &str)> {
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    let raw = rest[..prefix].contains('r');
    let hashes = if raw {
        rest[prefix..].find(|c| c != '#')?
    } else {
        0
    };
    let open = prefix + hashes;
    if prefix > 2 || !rest[open..].starts_with('"') {
        return None;
    }
    let body = &rest[open + 1..];
    let close = if raw {
        body.find(&format!("\"{}", "#".repeat(hashes)))?
    } else {
        unescaped(body, '"')?
    };
    Some((open + 1 + close + 1 + hashes, &body[..close]))
}

/// A character or byte literal, which a lifetime is not.
fn character(rest: &str) -> Option<usize> {
    let quote = rest
        .find('\'')
        .filter(|at| rest[..*at] == *"b" || *at == 0)?;
    let body = &rest[quote + 1..];
    let close = unescaped(body, '\'')?;
    let is_one = body.starts_with('\\') || body[..close].chars().count() == 1;
    (is_one && close > 0).then_some(quote + 1 + close + 1)
}

/// Where a quote stands that no backslash takes away.
fn unescaped(body: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    body.char_indices()
        .find(|(_, c)| {
            let ends = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        })
        .map(|(at, _)| at)
}

#[test]
fn the_reader_of_sources_tells_code_from_the_rest() {
    let text = "use a::redb; // redb\n/* redb /* redb */ redb */\nlet s = \"redb \\\" x\"; let c = '\"';\n\
                fn f<'a>(b: &'a str) { r#\"redb \"quoted\"\"#; b'\\''; }\n\
                #[cfg(test)]\nmod tests { fn r1_redb() {} }\nstruct After;\n\
                #[cfg(feature = \"testing\")]\npub fn f(a: [u8; 2]) { redb }\n\
                struct S { #[cfg(feature = \"testing\")]\n field: u8 }\n";
    let source = Source::new("a.rs".to_owned(), text.to_owned());
    assert_eq!(source.lines_with("redb"), [1]);
    assert_eq!(source.lines_with("f < 'a >"), [4]);
    assert_eq!(source.lines_with("struct After ;"), [7]);
    assert_eq!(source.lines_with("field"), [11]);
    assert!(source.lines_with("r1_redb").is_empty());
    assert!(source.tests.contains("r1_redb"));
    let literals = source.code.iter().filter(|piece| piece.literal);
    let literals: Vec<&str> = literals.map(|piece| piece.text.as_str()).collect();
    assert_eq!(literals, ["redb \\\" x", "redb \"quoted\"", "testing"]);
    let testing = "//! Words.\n#![cfg(feature = \"testing\")]\nuse a::redb;";
    let source = Source::new("a.rs".to_owned(), testing.to_owned());
    assert!(source.lines_with("redb").is_empty());
}
