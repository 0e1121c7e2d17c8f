//! Public documentation links each rule that it names to the rule book.

use std::collections::BTreeSet;
use std::fs;

use super::source::{self, package};

/// The modules whose own documentation a reader sees. All others are private.
const PUBLIC_MODULES: [&str; 4] = ["lib.rs", "limits.rs", "transfer/mod.rs", "wire/mod.rs"];

#[test]
fn every_rule_of_the_book_has_an_anchor_and_every_link_leads_to_one() {
    let book = book();
    let mut anchors = BTreeSet::new();
    for line in book.lines() {
        if let Some((_, rest)) = line.split_once("**R") {
            let (number, _) = rest.split_once("**").unwrap();
            let head = format!("- <a id=\"r{number}\"></a>**R{number}** ");
            assert!(line.starts_with(&head), "{line}");
            assert!(anchors.insert(number.to_owned()), "R{number} stands twice");
        }
    }
    assert_eq!(anchors.len(), book.matches("<a id=\"r").count());
    let mut links = links(&book, "](#r");
    let files = source::files("src", "rs").into_iter();
    for (_, text) in files.chain(source::files("src", "md")) {
        links.extend(self::links(&text, "](crate::rulebook#r"));
    }
    assert!(links.len() > 200, "only {} links", links.len());
    for (shown, anchor) in links {
        assert!(anchors.contains(&anchor), "nothing is at #r{anchor}");
        assert!(
            shown.ends_with(&format!("[R{anchor}")),
            "{shown} at #r{anchor}"
        );
    }
}

#[test]
fn no_public_documentation_names_a_rule_without_a_link() {
    let mut looked = 0;
    for (path, text) in source::files("src", "rs") {
        for (line, doc) in public_docs(&path, &text) {
            looked += 1;
            let plain = without_links(doc);
            assert!(!names_a_rule(&plain), "src/{path}:{line}: {doc}");
        }
    }
    assert!(looked > 1_000, "only {looked} lines found");
    let reliability = fs::read_to_string(package().join("src/reliability.md")).unwrap();
    for line in book().lines().chain(reliability.lines()) {
        let text = line.split_once("**R").map_or(line, |(_, rest)| rest);
        assert!(!names_a_rule(&without_links(text)), "{line}");
    }
}

fn book() -> String {
    fs::read_to_string(package().join("src/rules.md")).unwrap()
}

/// Each link that begins so: the words before it, and what stands from there to its end.
fn links(text: &str, begins: &str) -> Vec<(String, String)> {
    let ends = text.match_indices(begins).map(|(at, _)| {
        let shown = text[..at].rsplit(char::is_whitespace).next().unwrap();
        let (anchor, _) = text[at + begins.len()..].split_once(')').unwrap();
        (shown.to_owned(), anchor.to_owned())
    });
    ends.collect()
}

/// A line without the texts of its links and without its code.
fn without_links(line: &str) -> String {
    let code_apart: String = line.split('`').step_by(2).collect();
    let parts = code_apart.split('[').map(|part| {
        part.split_once("](")
            .map_or(part, |(_, rest)| rest.split_once(')').map_or("", |it| it.1))
    });
    parts.collect()
}

fn names_a_rule(text: &str) -> bool {
    !super::citations(text).is_empty()
}

/// What may be seen of the items inside another.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    /// All of them: an enum or a trait.
    All,
    /// Those that are `pub`.
    Public,
    Nothing,
}

/// The lines of documentation that a reader of the crate sees, with their numbers, as far as the
/// indentation of formatted code tells.
fn public_docs<'t>(path: &str, text: &'t str) -> Vec<(usize, &'t str)> {
    let (mut docs, mut pending) = (Vec::new(), Vec::new());
    let mut around: Vec<(usize, Inside)> = Vec::new();
    let (mut hidden, mut example) = (false, false);
    for (number, whole) in text.lines().enumerate() {
        let line = whole.trim_start();
        let indent = whole.len() - line.len();
        let is_inner = line.starts_with("//!");
        if let Some(doc) = line.strip_prefix("///").or(line.strip_prefix("//!")) {
            example ^= doc.trim_start().starts_with("```");
            match example {
                true => {}
                false if is_inner && PUBLIC_MODULES.contains(&path) => docs.push((number + 1, doc)),
                false if is_inner => {}
                false => pending.push((number + 1, doc)),
            }
            continue;
        }
        if line.starts_with("#[") {
            hidden |= line.contains("doc(hidden)");
            continue;
        }
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        around.retain(|(outer, _)| *outer < indent || (*outer == indent && line.starts_with('}')));
        if around.last().is_some_and(|(outer, _)| *outer == indent) {
            around.pop();
        } else {
            let seen = around.last().map_or(Inside::Public, |(_, inside)| *inside);
            let is_shown = match seen {
                Inside::All => true,
                Inside::Public => line.starts_with("pub ") || line.starts_with("impl"),
                Inside::Nothing => false,
            } && !hidden;
            if is_shown {
                docs.append(&mut pending);
            }
            if line.ends_with('{') {
                around.push((indent, inside(line, is_shown, seen)));
            }
        }
        pending.clear();
        hidden = false;
    }
    docs
}

/// What may be seen inside the item that this line begins.
fn inside(line: &str, is_shown: bool, around: Inside) -> Inside {
    let mut words = line.split([' ', '<']);
    let keyword = words.find(|word| !["pub", "unsafe"].contains(word));
    match keyword {
        _ if !is_shown => Inside::Nothing,
        Some("enum" | "trait") => Inside::All,
        Some("struct" | "impl" | "mod") => Inside::Public,
        // A variant with fields.
        _ if around == Inside::All => Inside::All,
        _ => Inside::Nothing,
    }
}

#[test]
fn public_documentation_is_told_from_the_rest() {
    let text = "//! R1\n/// R2\n#[derive(Debug)]\npub struct A {\n    /// R3\n    pub a: u8,\n    /// R4\n    b: u8,\n}\n\
                /// R5\npub enum B {\n    /// R6\n    C {\n        /// R7\n        c: u8,\n    },\n}\n\
                /// R8\nenum D {\n    /// R9\n    E,\n}\n\
                impl A {\n    /// R10\n    pub fn f() {}\n\n    /// R11\n    pub(crate) fn g() {\n        // R12\n    }\n}\n\
                /// R13\n#[doc(hidden)]\npub fn h() {}\n/// `R14` [R15](crate::rulebook#r15)\npub fn i() {}\n";
    let cited = |path| -> BTreeSet<u32> {
        let docs = public_docs(path, text);
        docs.iter()
            .flat_map(|(_, doc)| super::citations(&without_links(doc)))
            .collect()
    };
    assert_eq!(cited("model/app.rs"), BTreeSet::from([2, 3, 5, 6, 7, 10]));
    assert_eq!(cited("lib.rs"), BTreeSet::from([1, 2, 3, 5, 6, 7, 10]));
}
