//! The `curl` lines of the guide to the examples, as someone who pastes them into a shell runs them.

use std::collections::BTreeSet;

use super::process::Host;

const GUIDE: &str = include_str!("../../../../examples/README.md");

/// One `curl` line: `GET /path`, and the body.
struct Curl {
    what: String,
    body: String,
}

/// The words of a line of shell, which quotes with single quotes alone.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(character),
        }
    }
    assert!(!quoted, "{line}");
    words.retain(|word| !word.is_empty());
    words
}

impl Curl {
    fn read(line: &str) -> Self {
        let mut words = words(line).into_iter();
        let (mut method, mut url, mut body, mut is_json) = (None, None, None, false);
        assert_eq!(words.next().unwrap(), "curl");
        while let Some(word) = words.next() {
            match &*word {
                "-s" => {}
                "-X" => method = words.next(),
                "-d" => body = words.next(),
                "-H" => {
                    assert_eq!(words.next().unwrap(), "Content-Type: application/json");
                    is_json = true;
                }
                _ => assert_eq!(url.replace(word), None, "{line}"),
            }
        }
        let url = url.unwrap();
        let path = url.strip_prefix("http://127.0.0.1:8080").unwrap();
        // Without the header `curl -d` sends a form, which the host refuses.
        assert_eq!(body.is_some(), is_json, "{line}");
        let default = if body.is_some() { "POST" } else { "GET" };
        let method = method.unwrap_or_else(|| default.to_owned());
        Curl {
            what: format!("{method} {path}"),
            body: body.unwrap_or_default(),
        }
    }

    /// The row of the table that it shows.
    fn row(&self) -> String {
        const APP: &str = "6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f";
        let path = self.what.split('?').next().unwrap();
        let path = path.replace(APP, "{app_uuid}");
        let path = path.replace("/v1/contacts/1", "/v1/contacts/{contactId}");
        path.replace("/console/console.js", "/console/{file}")
            .replace("/v1/contacts/2", "/v1/contacts/{contactId}")
    }
}

fn curls() -> Vec<Curl> {
    let joined = GUIDE.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| line.starts_with("curl "));
    lines.map(Curl::read).collect()
}

#[test]
fn the_curl_lines_are_answered_in_their_order() {
    let backups = tempfile::tempdir().unwrap();
    let backups = backups.path().to_str().unwrap();
    let keep = ["--keep-changes", "1000000"];
    let host =
        Host::start_with(&[&["--console", "--backup-directory", backups], &keep[..]].concat());
    let client = host.client();
    for curl in curls() {
        let answer = client.ask(&curl.what, curl.body);
        assert_eq!(answer.status, 200, "{}: {}", curl.what, answer.body);
        // Nothing is refused within a batch either.
        assert!(
            !answer.body.contains("error\":"),
            "{}: {}",
            curl.what,
            answer.body
        );
    }
}

#[test]
fn the_curl_lines_show_every_row_of_the_table() {
    let shown: BTreeSet<String> = curls().iter().map(Curl::row).collect();
    let rows = rows(GUIDE);
    assert!(rows.len() > 10);
    assert_eq!(shown, rows);
}

/// The rows of the tables of endpoints in a document.
fn rows(document: &str) -> BTreeSet<String> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned()));
    rows.filter(|row| row.contains(" /")).collect()
}

#[test]
fn the_table_has_a_row_for_each_operation_of_the_description() {
    let described = super::openapi::operations_described();
    assert_eq!(rows(GUIDE), described);
}

/// The file of the guide, as it is read.
#[test]
fn the_configuration_file_of_the_guide_is_one_that_is_taken() {
    let text = GUIDE.split("```toml\n").nth(1).unwrap();
    let text = text.split("```").next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("host.toml");
    std::fs::write(&path, text).unwrap();
    let given = ["--config".into(), path.into_os_string()];
    match super::example::options::Arguments::read(given) {
        Ok(super::example::command_line::Asked::Run(arguments)) => {
            assert_eq!(arguments.listen, "0.0.0.0:8080".parse().unwrap());
            assert_eq!(arguments.options.options().cache_bytes, 256 << 20);
        }
        other => panic!("{other:?}"),
    }
}
