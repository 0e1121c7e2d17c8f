//! The shape of the crate, held by reading its sources: which module may name what, what stands
//! before a commit, that every rule has a test, and that the documentation links to the rules.
//!
//! The tests look at words, not at types. They hold against a slip, not against somebody who wants to
//! get around them.

mod rule_links;
pub mod source;

use std::collections::BTreeSet;
use std::fs;

use contact_store::{ContactStore, Options};

use source::{Source, closing, files, is_at, package};

/// `what` stands in no file but those whose path `allowed` accepts, and stands in some file: a test
/// for a word that nobody uses any more would hold nothing.
#[track_caller]
fn only_in(what: &str, allowed: impl Fn(&str) -> bool) {
    let mut somewhere = false;
    for source in source::all() {
        let lines = source.lines_with(what);
        somewhere |= !lines.is_empty();
        assert!(
            lines.is_empty() || allowed(&source.path),
            "src/{} names `{what}` in lines {lines:?}",
            source.path
        );
    }
    assert!(somewhere, "nothing names `{what}`");
}

/// None of `what` stands in any file that `of` accepts.
#[track_caller]
fn nothing(of: impl Fn(&str) -> bool, what: &[&str]) {
    let mut looked = false;
    for source in source::all().iter().filter(|source| of(&source.path)) {
        looked = true;
        for what in what {
            let lines = source.lines_with(what);
            assert!(
                lines.is_empty(),
                "src/{} names `{what}` in lines {lines:?}",
                source.path
            );
        }
    }
    assert!(looked, "there is no such file any more");
}

fn in_storage(path: &str) -> bool {
    path.starts_with("storage/")
}

fn in_wire(path: &str) -> bool {
    path.starts_with("wire/")
}

#[test]
fn nothing_outside_storage_names_redb() {
    only_in("redb", in_storage);
    only_in("siphasher", in_storage);
}

#[test]
fn only_what_encodes_and_decodes_rows_names_bincode() {
    only_in("bincode", |path| {
        [
            "storage/format/codec.rs",
            "storage/format/format_1.rs",
            "storage/format/merges.rs",
            "storage/format/meta.rs",
            "storage/format/record.rs",
        ]
        .contains(&path)
    });
}

#[test]
fn only_wire_names_serde_so_nothing_of_a_person_is_serializable() {
    let allowed = |path: &str| in_wire(path) || path == "serialized.rs";
    only_in("serde", |path| allowed(path) || path == "lib.rs");
    // A database shows the fields of a contact to people with tools for it, and keeps them as JSON for that.
    only_in("serde_json", |path| {
        in_wire(path) || path == "storage/postgres/write.rs"
    });
    only_in("Serialize", allowed);
    nothing(|path| !allowed(path), &["Deserialize", "Serializer"]);
    // What may be shown is serializable where a host asks for it, and nothing of a person ever.
    nothing(
        |path| path == "serialized.rs",
        &[
            "Phone",
            "Email",
            "ExternalCustomerId",
            "Token",
            "Card",
            "AccessKey",
            "MessageId",
            "Identifiers",
        ],
    );
}

/// No I/O, no clock, no randomness: `rules` names nothing of `std` at all, and of this crate only
/// values. Of `time` it takes the times, not the clock.
#[test]
fn the_rules_are_pure() {
    let sources = source::all();
    let rules = sources.iter().find(|source| source.path == "rules.rs");
    let rules = rules.unwrap();
    let values = ["change", "identifier", "names", "report", "text", "time"];
    for place in rules.places_of("crate : :") {
        assert_eq!(rules.code[place + 3].text, "model");
        let named = &rules.code[place + 6].text;
        assert!(values.contains(&named.as_str()), "rules names {named}");
    }
    nothing(
        |path| path == "rules.rs",
        &[
            "std",
            "core",
            "alloc",
            "redb",
            "storage",
            "super",
            "Clock",
            "SystemClock",
            "uuid",
            "getrandom",
            "macro_rules",
            "static",
        ],
    );
}

/// What a module may use stands beneath it. Not in the list: `lib.rs`, which names all.
const LAYERS: [&[&str]; 7] = [
    // Values and what is wrong with them. `error` turns failures of storage into its own.
    &[
        "advice",
        "block_on",
        "callback",
        "error",
        "stats",
        "limits",
        "model",
        "opening",
        "prometheus",
        "sync",
        "trace",
        "varint",
    ],
    &["rules"],
    &["storage"],
    &[
        "backup",
        "operations",
        "options",
        "pages",
        "postgres",
        "snapshot",
    ],
    &["writer"],
    &[
        "keep_open",
        "pinned",
        "serialized",
        "store",
        "testing",
        "vacuum",
        "wire",
    ],
    &["transfer"],
];

#[test]
fn modules_use_only_what_stands_beneath_them() {
    let layer = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    for source in source::all() {
        let module = source.path.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{module} is in no layer"));
        for used in modules_used(source) {
            let beneath = layer(&used).unwrap_or_else(|| panic!("{used} is in no layer"));
            assert!(
                beneath <= own,
                "src/{} uses {used}, which stands above it",
                source.path
            );
        }
    }
    // Nor does anything but the outside, and what stands above them, use these two.
    nothing(
        |path| {
            !["lib.rs", "keep_open.rs", "store.rs"].contains(&path)
                && !path.starts_with("transfer/")
        },
        &["crate : : store", "crate : : wire"],
    );
}

/// The modules of this crate that a file names by `crate::`, also in a list in braces.
fn modules_used(source: &Source) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for place in source.places_of("crate : :") {
        let first = place + 3;
        if source.code[first].text != "{" {
            used.insert(source.code[first].text.clone());
            continue;
        }
        let mut at = first + 1;
        while at < closing(&source.code, first) {
            let piece = &source.code[at];
            match piece.text.as_str() {
                "{" => at = closing(&source.code, at),
                _ if is_at(&source.code, at - 1, &["{"]) || is_at(&source.code, at - 1, &[","]) => {
                    used.insert(piece.text.clone());
                }
                _ => {}
            }
            at += 1;
        }
    }
    // Types that `lib.rs` exports are named without their module in the comments only.
    used.retain(|module| module.chars().all(|c| c.is_lowercase() || c == '_'));
    used
}

/// DESIGN section 3: with one phase, a sync that failed could lose the whole file.
#[test]
fn there_are_four_commits_and_each_is_two_phase() {
    let places = [
        "storage/copy.rs",
        "storage/engine.rs",
        "storage/open.rs",
        "storage/upgrade.rs",
    ];
    let mut found = Vec::new();
    for source in source::all() {
        for begun in source.places_of(". begin_write ( )") {
            found.push(source.path.clone());
            let next = is_at(&source.code, begun + 4, &["?", ";"]).then_some(begun + 6);
            let set = "transaction . set_two_phase_commit ( true ) ;";
            let set: Vec<&str> = set.split(' ').collect();
            let is_two_phase = |next| is_at(&source.code, next, &set);
            assert!(
                next.is_some_and(is_two_phase),
                "src/{}:{}: a write transaction that is not two-phase from its first line on",
                source.path,
                source.code[begun].line
            );
            let ends: Vec<usize> = source
                .places_of("transaction . commit ( )")
                .into_iter()
                .filter(|end| *end > begun)
                .collect();
            assert_eq!(ends.len(), 1, "src/{}", source.path);
        }
    }
    assert_eq!(found, places);
    for what in [
        "begin_write",
        "set_two_phase_commit",
        ". commit ( )",
        "transaction . commit ( )",
    ] {
        let of = |source: &Source| vec![source.path.clone(); source.lines_with(what).len()];
        let found: Vec<String> = source::all().iter().flat_map(of).collect();
        assert_eq!(found, places, "{what}");
    }
    nothing(
        |_| true,
        &[
            "set_durability",
            "Durability",
            "ephemeral_savepoint",
            "persistent_savepoint",
            "restore_savepoint",
            "WriteTransaction : : commit",
            "Database : : begin_write",
            "set_quick_repair",
        ],
    );
}

/// R54: one clock, read by the store's public face alone.
#[test]
fn r54_only_the_store_reads_the_clock() {
    only_in("clock . now ( )", |path| {
        ["store.rs", "snapshot.rs"].contains(&path)
    });
    only_in("SystemTime", |path| path == "model/time.rs");
    // How long a caller waits, how long a commit takes, and how long ago the path of the file was looked
    // at, is counted by another clock, whose times are never kept.
    let counts_time = |path: &str| {
        [
            "block_on.rs",
            "keep_open.rs",
            "pinned.rs",
            "storage/file/file_watch.rs",
            "storage/postgres/drive.rs",
            "storage/postgres/engine.rs",
            "storage/postgres/link.rs",
            "storage/postgres/pool.rs",
            "storage/postgres/read.rs",
            "storage/postgres/socket.rs",
            "sync.rs",
            "writer/mod.rs",
            "writer/pending.rs",
            "writer/waiting.rs",
        ]
        .contains(&path)
    };
    only_in("Instant", counts_time);
    only_in("now ( )", |path| {
        ["store.rs", "snapshot.rs", "model/time.rs"].contains(&path) || counts_time(path)
    });
}

/// What `tests/schedules` puts in the place of `sync` is all that the writer's threads meet by.
#[test]
fn the_writer_shares_and_waits_by_one_module_alone() {
    only_in("futures_channel", |path| path == "sync.rs");
    let in_writer = |path: &str| path.starts_with("writer/");
    nothing(
        in_writer,
        &[
            "std : : sync",
            "std : : thread",
            "AtomicBool",
            "AtomicU8",
            "AtomicU64",
        ],
    );
    // What readers read while the writer changes it has its atomics from there too.
    let changed_in_place =
        |path: &str| ["storage/cards.rs", "storage/unique/shard.rs"].contains(&path);
    nothing(changed_in_place, &["std : : sync", "std : : thread"]);
    let beside = |path: &str| path.starts_with("storage/unique/");
    nothing(
        beside,
        &[
            "std : : sync : : atomic",
            "std : : sync : : Mutex",
            "std : : sync : : RwLock",
        ],
    );
}

/// The rules here do not look at files of unit tests, so no host may get one.
#[test]
fn files_of_unit_tests_are_built_for_tests_alone() {
    for source in source::all() {
        let named = |piece: &source::Piece| !piece.literal && piece.text.ends_with("_tests");
        assert!(!source.code.iter().any(named), "{}", source.path);
    }
}

/// R52: a host's log gets what the host puts there, and with the feature `tracing` what one module
/// says, whose words `trace` reads.
#[test]
fn r52_nothing_prints_or_logs() {
    only_in("tracing : :", |path| path == "trace.rs");
    nothing(
        |_| true,
        &[
            "print !",
            "println !",
            "eprint !",
            "eprintln !",
            "dbg !",
            "stdout",
            "stderr",
            "log !",
            "log : :",
            "panic !",
            "unreachable !",
            "todo !",
            "unimplemented !",
            "assert !",
            "assert_eq !",
            "debug_assert !",
        ],
    );
}

#[test]
fn nothing_is_unsafe() {
    nothing(|_| true, &["unsafe", "transmute"]);
}

/// `{:?}` of a redb table prints its first and last row; of a transaction or database, who knows.
#[test]
fn r52_nothing_that_holds_a_redb_table_can_be_formatted() {
    const OF_REDB: [&str; 8] = [
        "Database",
        "ReadTransaction",
        "WriteTransaction",
        "ReadOnlyTable",
        "AccessGuard",
        "Range",
        "OpenTable",
        "Opened",
    ];
    let mut holders = 0;
    for source in source::all()
        .iter()
        .filter(|source| in_storage(&source.path))
    {
        for item in items(source) {
            let body = &source.code[item.body.clone()];
            let holds = body
                .iter()
                .any(|piece| OF_REDB.contains(&piece.text.as_str()));
            // `FileLock` has a type of its own by that name: locked bytes of a file.
            // `Failure` has a variant by the name of one: what a server did not do.
            if !holds || source.path == "storage/file/lock.rs" || item.name == "Failure" {
                continue;
            }
            holders += 1;
            assert!(
                !item.attributes.contains(&"Debug".to_owned())
                    && source
                        .lines_with(&format!("Debug for {}", item.name))
                        .is_empty(),
                "src/{}: {} can be formatted",
                source.path,
                item.name
            );
        }
        let mut literals = source.code.iter().filter(|piece| piece.literal);
        let formats = literals.find(|literal| literal.text.contains("?}"));
        assert!(formats.is_none(), "src/{}: {formats:?}", source.path);
    }
    assert!(holders >= 4, "only {holders} types hold something of redb");
}

/// A `struct` or `enum`.
struct Item {
    name: String,
    is_enum: bool,
    /// Open to everybody: `pub`, not `pub(crate)`.
    is_public: bool,
    /// All words of its attributes.
    attributes: Vec<String>,
    /// Its body, as places in the code.
    body: std::ops::Range<usize>,
}

/// The types that a file defines.
fn items(source: &Source) -> Vec<Item> {
    let code = &source.code;
    let mut items = Vec::new();
    for keyword in ["struct", "enum"] {
        for place in source.places_of(keyword) {
            let mut first = place;
            let is_public = first > 0 && is_at(code, first - 1, &["pub"]);
            // Backwards over the visibility to the end of the last attribute.
            while first > 0 && !["]", "}", ";"].contains(&code[first - 1].text.as_str()) {
                first -= 1;
            }
            let mut attributes = Vec::new();
            while first > 0 && is_at(code, first - 1, &["]"]) {
                let open = (0..first).rev().find(|open| {
                    is_at(code, *open, &["#", "["]) && closing(code, open + 1) == first - 1
                });
                let Some(open) = open else { break };
                attributes.extend(code[open..first].iter().map(|piece| piece.text.clone()));
                first = open;
            }
            let open = (place + 2..code.len())
                .find(|at| ["{", "(", ";"].contains(&code[*at].text.as_str()))
                .unwrap();
            let end = if code[open].text == ";" {
                open
            } else {
                closing(code, open)
            };
            items.push(Item {
                name: code[place + 1].text.clone(),
                is_enum: keyword == "enum",
                is_public,
                attributes,
                body: open..end,
            });
        }
    }
    items
}

/// RULES section 11: option structs and public enums are `#[non_exhaustive]`, and so is every struct
/// with public fields, so that another variant or field breaks no host.
#[test]
fn public_enums_and_structs_with_public_fields_are_non_exhaustive() {
    let mut public = 0;
    for source in source::all() {
        for item in items(source) {
            if !item.is_public {
                continue;
            }
            let body = &source.code[item.body.clone()];
            let has_public_fields = (0..body.len())
                .any(|at| is_at(body, at, &["pub"]) && !is_at(body, at, &["pub", "("]));
            public += 1;
            assert!(
                !(item.is_enum || has_public_fields)
                    || item.attributes.contains(&"non_exhaustive".to_owned()),
                "src/{}: {} is not #[non_exhaustive]",
                source.path,
                item.name
            );
        }
    }
    assert!(public > 50, "only {public} public types found");
}

#[test]
fn every_public_fallible_function_says_when_it_fails() {
    let mut fallible = 0;
    for source in source::all() {
        for place in source.places_of("pub fn") {
            let name = &source.code[place + 2];
            let end = (place..source.code.len())
                .find(|at| ["{", ";"].contains(&source.code[*at].text.as_str()))
                .unwrap();
            let answers = (place..end).find(|at| is_at(&source.code, *at, &["-", ">"]));
            let fails = answers.is_some_and(|answers| {
                ["Result", "Pending"].contains(&source.code[answers + 2].text.as_str())
            });
            let docs = docs_above(&source.text, source.code[place].line);
            // What only the crate's own tests call promises nothing.
            if !fails || source.path == "testing.rs" {
                continue;
            }
            fallible += 1;
            assert!(
                docs.contains("/// # Errors"),
                "src/{}:{}: {} has no section on errors",
                source.path,
                name.line,
                name.text
            );
        }
    }
    assert!(fallible > 30, "only {fallible} fallible functions found");
}

/// The doc comments and attributes right above a line.
fn docs_above(text: &str, line: usize) -> String {
    let lines: Vec<&str> = text.lines().take(line - 1).map(str::trim).collect();
    let is_doc = |line: &&&str| line.starts_with("///") || line.starts_with("#[");
    let docs: Vec<&str> = lines.iter().rev().take_while(is_doc).copied().collect();
    docs.join("\n")
}

#[test]
fn the_package_forbids_unsafe_code_and_denies_what_may_panic() {
    let manifest = fs::read_to_string(package().join("Cargo.toml")).unwrap();
    for set in [
        "unsafe_code = \"forbid\"",
        "missing_docs = \"deny\"",
        "unused_must_use = \"deny\"",
        "unwrap_used = \"deny\"",
        "expect_used = \"deny\"",
        "panic = \"deny\"",
        "unreachable = \"deny\"",
        "todo = \"deny\"",
        "unimplemented = \"deny\"",
        "indexing_slicing = \"deny\"",
        "string_slice = \"deny\"",
        "let_underscore_must_use = \"deny\"",
        "dbg_macro = \"deny\"",
        "print_stdout = \"deny\"",
        "print_stderr = \"deny\"",
        "allow_attributes = \"deny\"",
        "allow_attributes_without_reason = \"deny\"",
    ] {
        assert!(
            manifest.lines().any(|line| line == set),
            "Cargo.toml does not say {set}"
        );
    }
    // The lints are those of both packages.
    let tests = fs::read_to_string(package().join("tests/Cargo.toml")).unwrap();
    for of in [&manifest, &tests] {
        assert!(of.contains("\n[lints]\nworkspace = true\n"));
    }
    // Exactly this one: the later release is empty.
    assert!(manifest.contains("bincode = { version = \"=2.0.1\""));
    nothing(|_| true, &["# [ allow", "# ! [ allow"]);
}

fn rules() -> impl Iterator<Item = u32> {
    (1..=57).chain([66, 68, 69])
}

#[test]
fn every_rule_is_in_the_rulebook() {
    let book = fs::read_to_string(package().join("src/rules.md")).unwrap();
    for rule in rules() {
        let head = format!("- <a id=\"r{rule}\"></a>**R{rule}** ");
        let count = book.lines().filter(|line| line.starts_with(&head)).count();
        assert_eq!(count, 1, "R{rule}");
    }
}

#[test]
fn every_rule_is_cited_by_a_test() {
    let mut cited = BTreeSet::new();
    for source in source::all() {
        cited.extend(citations(&source.tests));
    }
    for (path, text) in files("tests", "rs") {
        // This file speaks of rules without testing them.
        if path != "it/layering.rs" {
            cited.extend(citations(&text));
        }
    }
    let without: Vec<u32> = rules().filter(|rule| !cited.contains(rule)).collect();
    assert!(without.is_empty(), "no test cites {without:?}");
}

/// The numbers in `R12`, and in `r12_` where a name begins.
fn citations(text: &str) -> BTreeSet<u32> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter_map(|word| match word.strip_prefix('R') {
            Some(number) => number.parse().ok(),
            None => word.strip_prefix('r')?.split_once('_')?.0.parse().ok(),
        })
        .collect()
}

#[test]
fn citations_are_found() {
    let text = "// R12, R30–R36\nfn r7_a_claim() {} let r8 = R9x; fn r52_r53_two() {}";
    assert_eq!(citations(text), BTreeSet::from([7, 12, 30, 36, 52]));
}

/// `CONTRIBUTING.md` says where an operation has to be.
#[test]
fn every_operation_is_in_each_of_the_places_that_the_guide_names() {
    let guide = fs::read_to_string(package().join("CONTRIBUTING.md")).unwrap();
    let (_, section) = guide.split_once("## How to add an operation").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section.lines().filter_map(|row| row.strip_prefix("| `"));
    let places: Vec<&str> = rows
        .filter_map(|row| Some(row.split_once('`')?.0))
        .collect();
    assert!(places.len() > 5, "{places:?}");
    let store = ContactStore::open_in_memory(Options::default()).unwrap();
    let operations = store.stats().unwrap().operations;
    // The parts of an import are no requests that a host passes on.
    for stats in operations.iter().filter(|of| of.operation != "import") {
        let camel = stats.operation;
        let snake: String = camel
            .chars()
            .map(|letter| match letter.is_ascii_uppercase() {
                true => format!("_{}", letter.to_ascii_lowercase()),
                false => letter.to_string(),
            })
            .collect();
        for place in &places {
            let text = fs::read_to_string(package().join(place))
                .unwrap()
                .to_lowercase();
            let is_there = [&snake, &snake.replace('_', "")].map(|word| text.contains(word));
            assert!(is_there.contains(&true), "{camel} is not in {place}");
        }
    }
}
