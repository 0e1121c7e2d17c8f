//! The stats: in the text format of Prometheus, to the letter, and right.

use std::collections::{BTreeMap, BTreeSet};

use super::client::{APP, Client};
use super::process::Host;

/// Samples by name and labels, as they stand.
type Samples = BTreeMap<String, f64>;

/// Reads the text format, and refuses whatever its description does not allow: each family has its
/// HELP and TYPE, in one block, before its samples, which have plain names and labels, once each.
#[track_caller]
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'));
    let mut samples = Samples::new();
    let mut families = BTreeSet::new();
    let mut family: Option<(&str, &str)> = None;
    let mut helped = None;
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.is_empty() && !help.contains('\\'), "{line}");
            assert!(families.insert(name), "{name} stands there twice");
            helped = Some(name);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(helped.take(), Some(name));
            assert!(["gauge", "counter", "histogram"].contains(&kind), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            family = Some((name, kind));
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(
                name.starts_with("contact_store_")
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{line}"
            );
            let (family, kind) = family.unwrap();
            let parts = ["_bucket", "_sum", "_count"].map(|part| format!("{family}{part}"));
            let own = match kind {
                "histogram" => parts.contains(&name.to_owned()),
                _ => name == family,
            };
            assert!(own, "{line} is not of {family}");
            check_labels(&series[name.len()..]);
            let value = value.parse().unwrap();
            assert!(
                samples.insert(series.to_owned(), value).is_none(),
                "{line} twice"
            );
        }
    }
    assert_eq!(helped, None);
    samples
}

#[track_caller]
fn check_labels(labels: &str) {
    if labels.is_empty() {
        return;
    }
    let inner = labels.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
    for label in inner.split(',') {
        let (name, value) = label.split_once('=').unwrap();
        assert!(
            name.bytes().all(|byte| byte.is_ascii_lowercase()),
            "{labels}"
        );
        let value = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".+".contains(&byte);
        assert!(!value.is_empty() && value.bytes().all(plain), "{labels}");
    }
}

#[track_caller]
pub fn stats(client: &Client) -> Samples {
    let answer = client.get("/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    parse(&answer.body)
}

#[test]
fn figures_count_what_was_done() {
    let host = Host::start();
    let client = host.client();
    let none = stats(&client);
    assert_eq!(none["contact_store_contacts"], 0.0);
    assert_eq!(none["contact_store_commits_total"], 0.0);
    assert_eq!(
        none["contact_store_commit_seconds_bucket{le=\"+Inf\"}"],
        0.0
    );
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        none[&format!("contact_store_info{{version=\"{version}\",engine=\"file\"}}")],
        1.0
    );

    client.connect_app();
    for (token, email) in [
        ("t1", "ann@example.com"),
        ("t1", "ann@example.com"),
        ("t2", "bob@example.com"),
        ("t3", "bob"),
    ] {
        assert_eq!(client.add(token, email).unwrap().status, 200);
        // Within one millisecond a token that is added again changes nothing, and takes no number.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let unknown = APP.replace('a', "b");
    client.post(&format!("/v1/apps/{unknown}/tokens"), r#"{"tokens": []}"#);
    let body =
        r#"{"statuses": [{"token": "t1", "status": "SENT"}, {"token": "t2", "status": "FAILED"}]}"#;
    client.post(&format!("/v1/apps/{APP}/statuses"), body);
    client.post(
        "/v1/contacts",
        r#"{"dedupeOn": "email", "contacts": [{"email": "carl@example.com"}]}"#,
    );
    client.ask("DELETE /v1/contacts/1", "");
    client.ask("DELETE /v1/contacts/9", "");
    let now = stats(&client);
    let expected = [
        ("sequence", 7.0),
        ("contacts", 2.0),
        ("subscribers", 0.0),
        ("apps", 1.0),
        ("needs_reopen", 0.0),
        ("waiting_requests", 0.0),
        ("waiting_text_bytes", 0.0),
        ("failed_commits_total", 0.0),
        (
            "requests_total{operation=\"addTokens\",outcome=\"accepted\"}",
            4.0,
        ),
        (
            "requests_total{operation=\"addTokens\",outcome=\"refused\"}",
            1.0,
        ),
        (
            "requests_total{operation=\"recordReports\",outcome=\"accepted\"}",
            1.0,
        ),
        (
            "requests_total{operation=\"upsert\",outcome=\"accepted\"}",
            1.0,
        ),
        (
            "requests_total{operation=\"erase\",outcome=\"accepted\"}",
            2.0,
        ),
        (
            "requests_total{operation=\"connectApp\",outcome=\"accepted\"}",
            1.0,
        ),
        (
            "requests_total{operation=\"disconnectApp\",outcome=\"accepted\"}",
            0.0,
        ),
        (
            "entries_total{operation=\"addTokens\",outcome=\"created\"}",
            2.0,
        ),
        (
            "entries_total{operation=\"addTokens\",outcome=\"found\"}",
            1.0,
        ),
        (
            "entries_total{operation=\"addTokens\",outcome=\"alreadyHeld\"}",
            1.0,
        ),
        (
            "entries_total{operation=\"addTokens\",outcome=\"refused\"}",
            1.0,
        ),
        (
            "entries_total{operation=\"recordReports\",outcome=\"recorded\"}",
            1.0,
        ),
        (
            "entries_total{operation=\"recordReports\",outcome=\"removed\"}",
            1.0,
        ),
        (
            "entries_total{operation=\"upsert\",outcome=\"created\"}",
            1.0,
        ),
        ("entries_total{operation=\"erase\",outcome=\"erased\"}", 1.0),
        (
            "entries_total{operation=\"erase\",outcome=\"unknownContact\"}",
            1.0,
        ),
    ];
    for (name, value) in expected {
        assert_eq!(
            now.get(&format!("contact_store_{name}")),
            Some(&value),
            "{name}"
        );
    }
    let of = |name: &str| now[&format!("contact_store_{name}")];
    assert_eq!(
        of("file_bytes"),
        std::fs::metadata(&host.path).unwrap().len() as f64
    );
    assert_eq!(of("cache_limit_bytes"), f64::from(256 << 20));
    let commits = of("commits_total");
    assert!(commits >= 6.0, "{commits}");
    assert_eq!(of("commit_seconds_count"), commits);
    assert_eq!(of("commit_requests_count"), commits);
    assert!(of("commit_requests_sum") >= commits);
    let bounds = ["0.0001", "0.001", "0.01", "0.1", "1", "10", "60", "+Inf"];
    let buckets = bounds.map(|bound| of(&format!("commit_seconds_bucket{{le=\"{bound}\"}}")));
    assert!(buckets.is_sorted() && buckets[7] == commits, "{buckets:?}");
    assert_eq!(of("commit_requests_bucket{le=\"4096\"}"), commits);
    assert!(of("commit_seconds_sum") > 0.0);
    host.stop();
}
