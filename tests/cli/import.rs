//! `import`.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
#[cfg(unix)]
use std::process::Child;
use std::process::Stdio;

use contact_store::Card;

use crate::support::{Folder, Ran, ran, snapshot, tool};

impl Folder {
    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn import(&self, file: &str, flags: &[&str]) -> Ran {
        let mut tool = tool();
        tool.arg("import").arg(&self.store).arg(self.path(file));
        ran(without_paths(tool, self, flags))
    }

    fn names(&self) -> Vec<String> {
        self.contents().into_iter().map(|(name, _)| name).collect()
    }
}

/// Flags, in which `@name` is a file of the folder.
fn without_paths(
    mut tool: std::process::Command,
    folder: &Folder,
    flags: &[&str],
) -> std::process::Command {
    for flag in flags {
        match flag.strip_prefix('@') {
            Some(name) => tool.arg(folder.path(name)),
            None => tool.arg(flag),
        };
    }
    tool
}

fn cards(folder: &Folder) -> Vec<Card> {
    let now = snapshot(&folder.store);
    now.iter_contacts().collect::<Result<_, _>>().unwrap()
}

const PEOPLE: &str = "\
Email;Mobile;First Name;Town\r
ann@example.com;;Anna;Lviv\r
cid@example.com;050 000 00 03;Cid;\r
dan@example.com;'+380500000004;Dan;\r
eva@example.com;3.8E+11;Eva;\r
fay@example.com;3.8E+11;Fay;\r
";

const FLAGS: [&str; 10] = [
    "--map",
    "Mobile=phone",
    "--map",
    "Town=fields.city",
    "--unique",
    "email",
    "--prefix",
    "380",
    "--rejects",
    "@rejects.csv",
];

const SAID: &str = "\
line 4: leadingApostrophe: phone begins with an apostrophe
line 5: scientificNotation: phone is in scientific notation: a spreadsheet has shortened it
line 6: scientificNotation: phone is in scientific notation: a spreadsheet has shortened it
5 rows: 1 created, 1 updated, 0 unchanged, 3 refused (2 scientificNotation, 1 leadingApostrophe)
";

const REFUSED: &str = "contact-store: 3 of 5 rows are refused\n";

#[test]
fn r70_contacts_are_imported_and_refused_rows_are_mended_and_imported() {
    let folder = Folder::with_people();
    folder.write("people.csv", PEOPLE);
    let done = folder.import("people.csv", &FLAGS);
    assert_eq!(done.status, Some(1), "{done:?}");
    assert_eq!(
        (done.stdout.as_str(), done.stderr.as_str()),
        (SAID, REFUSED)
    );
    let ann = &cards(&folder)[0];
    assert_eq!(ann.fields.first_name.as_deref(), Some("Anna"));
    assert_eq!(ann.fields.custom["city"], "Lviv");
    assert_eq!(ann.tokens.len(), 1);
    let cid = cards(&folder)[2].identifiers.phone().unwrap();
    assert_eq!(cid.digits(), "380500000003");
    // Nothing is left but the rejects.
    assert_eq!(
        folder.names(),
        ["contacts.redb", "people.csv", "rejects.csv"]
    );
    let rejects = fs::read_to_string(folder.path("rejects.csv")).unwrap();
    let lines: Vec<&str> = rejects.lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0], "Email;Mobile;First Name;Town");
    assert_eq!(lines[1], "dan@example.com;'+380500000004;Dan;");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let rejects = fs::metadata(folder.path("rejects.csv")).unwrap();
        assert_eq!(rejects.permissions().mode() & 0o777, 0o600);
    }
    let mended = rejects.replace('\'', "").replace("3.8E+11", "");
    folder.write("mended.csv", mended);
    let said = folder.import("mended.csv", &FLAGS[..8]).printed();
    assert_eq!(
        said,
        "3 rows: 3 created, 0 updated, 0 unchanged, 0 refused\n"
    );
    folder.run(&["verify"]).printed();
}

#[test]
fn r70_a_dry_run_says_the_same_and_changes_nothing() {
    let folder = Folder::with_people();
    folder.write("people.csv", PEOPLE);
    let before = folder.contents();
    let flags = [&FLAGS[..8], &["--dry-run"]].concat();
    let done = folder.import("people.csv", &flags);
    assert_eq!((done.status, done.stderr.as_str()), (Some(1), REFUSED));
    let line = "a dry run, nothing is written; an import would do this:\n";
    assert_eq!(done.stdout.replace(line, ""), SAID);
    assert!(folder.contents() == before, "a file was changed");
    // Also where there is no store yet.
    let empty = Folder::empty();
    empty.write("people.csv", "email\nann@example.com\n");
    let said = empty
        .import("people.csv", &["--dry-run", "--create"])
        .printed();
    assert!(
        said.ends_with("1 rows: 1 created, 0 updated, 0 unchanged, 0 refused\n"),
        "{said}"
    );
    assert_eq!(empty.names(), ["people.csv"]);
}

#[test]
fn r70_json_has_an_object_for_each_refused_row_and_one_for_all() {
    let folder = Folder::with_people();
    let text = "\u{FEFF}email,note\nann@example.com ::: x@example.com,x\nnobody,x\n";
    folder.write("people.csv", text);
    let done = folder.import("people.csv", &["--json"]);
    assert_eq!(done.status, Some(1));
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"line":3,"reason":"noAtSign","error":"email holds no @"}"#,
            r#"{"rows":2,"created":0,"updated":0,"unchanged":1,"refused":1,"reasons":{"noAtSign":1},"moreValues":1,"ignoredColumns":[2],"dryRun":false}"#,
        ]
    );
}

#[test]
fn an_import_that_fails_before_its_first_row_leaves_no_store() {
    let folder = Folder::empty();
    folder.write("people.csv", "colour,shape\nred,round\n");
    folder.write("all.ndjson", "{\"end\":{\"lines\":0}}\n");
    for name in ["people.csv", "all.ndjson"] {
        folder.import(name, &["--create"]).failed(3);
        assert_eq!(folder.names(), ["all.ndjson", "people.csv"]);
    }
    // One that was there stays.
    folder.create().close().unwrap();
    folder.import("people.csv", &["--create"]).failed(3);
    assert_eq!(
        folder.names(),
        ["all.ndjson", "contacts.redb", "people.csv"]
    );
}

/// What an interrupted import left could be a link by now that somebody else made.
#[cfg(unix)]
#[test]
fn r53_refused_rows_are_not_written_through_a_link() {
    let folder = Folder::empty();
    folder.write("people.csv", PEOPLE);
    folder.write("other", "somebody else's");
    std::os::unix::fs::symlink(folder.path("other"), folder.path(".rejects.csv.part")).unwrap();
    let flags = ["--create", "--rejects", "@rejects.csv"];
    let said = folder.import("people.csv", &flags).failed(3);
    assert!(said.contains("rejects.csv cannot be used"), "{said}");
    let other = fs::read_to_string(folder.path("other")).unwrap();
    assert_eq!(other, "somebody else's");
    assert!(!folder.store.exists());
}

#[test]
fn an_import_creates_a_store_only_when_it_is_told_to() {
    let folder = Folder::empty();
    folder.write("people.csv", "email\nann@example.com\n");
    let said = folder.import("people.csv", &[]).failed(3);
    assert!(said.ends_with("the file does not exist"), "{said}");
    assert_eq!(folder.names(), ["people.csv"]);
    let said = folder.import("people.csv", &["--create"]).printed();
    assert_eq!(
        said,
        "1 rows: 1 created, 0 updated, 0 unchanged, 0 refused\n"
    );
    let said = folder.import("people.csv", &["--create"]).printed();
    assert_eq!(
        said,
        "1 rows: 0 created, 0 updated, 1 unchanged, 0 refused\n"
    );
}

#[test]
fn r70_an_import_reads_standard_input() {
    let folder = Folder::with_people();
    let mut tool = tool();
    tool.arg("import")
        .arg(&folder.store)
        .args(["-", "--format", "csv"]);
    tool.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = tool.spawn().unwrap();
    let text = "email,firstName\nann@example.com,Ann\nbob@example.com,Bob\n";
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        said,
        "2 rows: 0 created, 1 updated, 1 unchanged, 0 refused\n"
    );
}

#[test]
fn wrong_options_are_said_without_their_values() {
    let folder = Folder::with_people();
    folder.write("people.csv", "email\nann@example.com\n");
    folder.write("all.ndjson", "");
    let before = folder.contents();
    for (file, flags, expected) in [
        (
            "people.csv",
            &["--map", "Kyiv"][..],
            "--map is HEADER=FIELD",
        ),
        (
            "people.csv",
            &["--map", "Kyiv=fax"],
            "--map: the field must be ",
        ),
        ("people.csv", &["--unique", "Kyiv"], "--unique: must be "),
        (
            "people.csv",
            &["--empty", "Kyiv"],
            "--empty: an empty cell must keep or erase",
        ),
        (
            "people.csv",
            &["--prefix", "Kyiv"],
            "--prefix: the calling code must be ",
        ),
        (
            "people.csv",
            &["--encoding", "Kyiv"],
            "--encoding: the encoding is not known",
        ),
        (
            "people.csv",
            &["--delimiter", "Kyiv"],
            "--delimiter: the delimiter must be ",
        ),
        ("people.csv", &["--format", "Kyiv"], "--format is one of "),
        (
            "all.ndjson",
            &["--prefix", "380"],
            "--prefix goes with CSV only",
        ),
    ] {
        let said = folder.import(file, flags).failed(2);
        assert!(said.starts_with(expected), "{said}");
    }
    for (flags, expected) in [
        (
            &["--map", "Tel=phone"][..],
            "no column has the header of mapping 1",
        ),
        (
            &["--unique", "phone"],
            "no column of the header is known to hold an identifier",
        ),
    ] {
        let said = folder.import("people.csv", flags).failed(3);
        assert!(said.contains(expected), "{said}");
    }
    folder.write("there.csv", "kept");
    let said = folder
        .import("people.csv", &["--rejects", "@there.csv"])
        .failed(3);
    assert!(said.contains("there.csv cannot be used ("), "{said}");
    fs::remove_file(folder.path("there.csv")).unwrap();
    let said = folder.import("missing.csv", &[]).failed(3);
    assert!(said.contains("missing.csv cannot be used ("), "{said}");
    let after = folder.contents();
    let names =
        |of: &[(String, Vec<u8>)]| of.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before));
}

/// Rows enough that the import takes several batches.
#[cfg(unix)]
fn many() -> String {
    let mut text = "email,phone,firstName\n".to_owned();
    for n in 0..60_000 {
        let phone = match n % 1_000 {
            7 => "3.8E+11".to_owned(),
            _ => format!("38050{n:07}"),
        };
        text += &format!("a{n}@example.com,{phone},Ann {n}\n");
    }
    text
}

#[cfg(unix)]
fn begin(folder: &Folder, file: &str) -> Child {
    let mut tool = tool();
    tool.args(["import", "--create"])
        .arg(&folder.store)
        .arg(folder.path(file));
    tool.arg("--rejects").arg(folder.path("rejects.csv"));
    tool.stdout(Stdio::piped()).stderr(Stdio::piped());
    tool.spawn().unwrap()
}

/// Waits until some batches are done.
#[cfg(unix)]
fn some_batches(folder: &Folder, rows: u64) {
    let since = std::time::Instant::now();
    loop {
        let kept = fs::read_to_string(folder.path(".contacts.redb.import"));
        let kept = kept.ok().and_then(|text| text.lines().next()?.parse().ok());
        let so_far = kept.map(|point: contact_store::transfer::RestartPoint| point.imported().rows);
        if so_far.is_some_and(|so_far| so_far >= rows) {
            return;
        }
        assert!(since.elapsed().as_secs() < 60, "nothing is imported");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[cfg(unix)]
const ALL: &str =
    "60000 rows: 59940 created, 0 updated, 0 unchanged, 60 refused (60 scientificNotation)";

#[cfg(unix)]
#[test]
fn r70_an_import_that_was_killed_goes_on_and_doubles_nothing() {
    let text = many();
    let whole = Folder::empty();
    whole.write("people.csv", &text);
    let output = begin(&whole, "people.csv").wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().last(), Some(ALL));

    let folder = Folder::empty();
    folder.write("people.csv", &text);
    for rows in [3_000, 15_000, 30_000] {
        let mut child = begin(&folder, "people.csv");
        some_batches(&folder, rows);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let output = begin(&folder, "people.csv").wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().last(), Some(ALL));
    let [one, other] = [&whole, &folder].map(|folder| {
        let of = |card: Card| (card.identifiers, card.fields);
        cards(folder).into_iter().map(of).collect::<Vec<_>>()
    });
    assert!(one == other, "not the same contacts");
    let rejects = |folder: &Folder| fs::read_to_string(folder.path("rejects.csv")).unwrap();
    assert_eq!(rejects(&folder), rejects(&whole));
    assert_eq!(folder.names(), whole.names());
    folder.run(&["verify"]).printed();
}

#[cfg(unix)]
#[test]
fn r70_a_signal_stops_an_import_between_batches_and_another_source_begins_anew() {
    use rustix::process::{Pid, Signal, kill_process};
    let folder = Folder::empty();
    folder.write("people.csv", many());
    let child = begin(&folder, "people.csv");
    some_batches(&folder, 3_000);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "contact-store: stopped between two batches; the same command goes on from there\n"
    );
    let kept = folder.path(".contacts.redb.import");
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&kept).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    folder.run(&["verify"]).printed();
    folder.write("other.csv", "email\nzoe@example.com\n");
    let done = folder.import("other.csv", &[]);
    assert_eq!(done.status, Some(0), "{done:?}");
    assert_eq!(
        done.stdout,
        "1 rows: 1 created, 0 updated, 0 unchanged, 0 refused\n"
    );
    assert_eq!(
        done.stderr,
        "contact-store: an interrupted import is not gone on with: the restart point is of another \
         source\n"
    );
    assert!(!kept.exists());
}
