//! `export`.

use std::fs;
use std::path::Path;

use crate::support::{Folder, Ran, ran, tool};

fn export(folder: &Folder, to: &Path, flags: &[&str]) -> Ran {
    let mut tool = tool();
    tool.arg("export").arg(&folder.store).arg(to).args(flags);
    ran(tool)
}

const CSV: &str = "\
contactId,externalCustomerId,phone,email,firstName,lastName,languageCode,timeZone,customFields\r
1,crm-1,+380500000001,ann@example.com,Ann,,,,\"{\"\"city\"\":\"\"Kyiv\\u001b[2J\"\"}\"\r
2,,,bob@example.com,,,,,\r
";

#[test]
fn r70_contacts_are_exported_as_csv() {
    let folder = Folder::with_people();
    let before = folder.contents();
    let to = folder.path("people.csv");
    let said = export(&folder, &to, &[]).printed();
    let bytes = CSV.len();
    assert!(said.starts_with("exported: sequence number "), "{said}");
    assert!(
        said.ends_with(&format!(", 2 contacts, 2 rows, {bytes} bytes\n")),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&to).unwrap(), CSV);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&to).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let printed = export(&folder, Path::new("-"), &["--format", "csv"]).printed();
    assert_eq!(printed, CSV);
    assert_eq!(folder.contents().len(), 2);
    assert!(folder.contents()[0] == before[0], "the store was changed");
}

/// It is personal data, which nobody looks for under that name.
#[test]
fn r53_an_export_removes_what_one_that_was_killed_left() {
    let folder = Folder::with_people();
    let left = folder.path(".people.csv.a1b2c3.tmp");
    let of_another = folder.path(".others.csv.a1b2c3.tmp");
    let at_work = folder.path(".people.csv.d4e5f6.tmp");
    for path in [&left, &of_another, &at_work] {
        fs::write(path, "ann@example.com").unwrap();
    }
    let maker = fs::File::open(&at_work).unwrap();
    maker.lock().unwrap();
    export(&folder, &folder.path("people.csv"), &[]).printed();
    let there = [&left, &of_another, &at_work].map(|path| path.exists());
    assert_eq!(there, [false, true, true]);
}

#[test]
fn r70_a_whole_store_goes_into_another() {
    let folder = Folder::with_people();
    let to = folder.path("all.ndjson");
    let said = export(&folder, &to, &["--json"]).printed();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["contacts"].as_u64(), Some(2));
    assert_eq!(
        said["bytes"].as_u64(),
        Some(fs::metadata(&to).unwrap().len())
    );
    let other = Folder::empty();
    let mut import = tool();
    import
        .args(["import", "--create"])
        .arg(&other.store)
        .arg(&to);
    let said = ran(import).printed();
    assert!(said.ends_with(", 0 refused\n"), "{said}");
    for words in [
        &["contacts", "--json"][..],
        &["apps", "--json"],
        &["subscribers", crate::support::APP, "--json"],
        &["messages", crate::support::APP, "--json"],
        &["verify"],
    ] {
        let of = |folder: &Folder| folder.run(words).printed();
        if words == ["verify"] {
            of(&other);
        } else {
            assert_eq!(of(&other), of(&folder), "{words:?}");
        }
    }
}

#[test]
fn a_file_that_is_there_is_never_replaced_and_nothing_is_left() {
    let folder = Folder::with_people();
    let there = folder.path("there.csv");
    fs::write(&there, "kept").unwrap();
    let before = folder.contents();
    for name in ["there.csv", "missing/people.csv"] {
        let to = folder.path(name);
        let said = export(&folder, &to, &[]).failed(3);
        let start = format!("{} cannot be used (", to.display());
        assert!(said.starts_with(&start), "{said}");
    }
    assert!(folder.contents() == before, "a file was changed");
    let said = export(&folder, &folder.path("people"), &[]).failed(2);
    assert!(said.contains("--format is required"), "{said}");
    let said = export(&folder, &folder.path("people"), &["--format", "xls"]).failed(2);
    assert!(said.contains("--format is one of ndjson, csv"), "{said}");
}
