//! Who is let in: programs on this machine, or clients with the key.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::client::{exchange, status_and_code};
use super::process::Host;

pub const KEY: &str = "open-sesame-0123456789";

/// A key file, with its directory.
pub fn key_file(text: &str, mode: u32) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    (directory, path)
}

/// What a request with these lines for a head is answered.
#[track_caller]
fn asked(host: &Host, target: &str, headers: &str) -> (u16, Option<String>) {
    let request = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    status_and_code(&exchange(host.connect(), request))
}

fn refused(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

#[test]
fn without_a_key_a_name_of_this_machine_is_required() {
    let host = Host::start();
    for name in [
        "localhost",
        "LocalHost:8080",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.9.9.9",
        "[::1]",
        "[::1]:8080",
    ] {
        let answer = asked(&host, "/v1/apps", &format!("Host: {name}\r\n"));
        assert_eq!(answer, (200, None), "{name}");
    }
    for name in [
        "example.com",
        "example.com:8080",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "192.0.2.1",
        "[2001:db8::1]",
        "localhost@example.com",
        "ann@localhost",
        "0.0.0.0",
        "2130706433",
    ] {
        for path in ["/v1/apps", "/healthz", "/metrics", "/nowhere"] {
            let answer = asked(&host, path, &format!("Host: {name}\r\n"));
            assert_eq!(answer, refused(421, "foreignHost"), "{name}{path}");
        }
    }
    for headers in [
        "",
        "Host:\r\n",
        "Host: \u{ff}\r\n",
        "Host: local host\r\n",
        "Host: localhost\r\nHost: localhost\r\n",
    ] {
        assert_eq!(
            asked(&host, "/v1/apps", headers),
            refused(400, "noHost"),
            "{headers:?}"
        );
        // K13f: a probe need not name a host. One that does so names one of this machine.
        for path in ["/healthz", "/metrics"] {
            let expected = match headers {
                "" => (200, None),
                _ => refused(400, "noHost"),
            };
            assert_eq!(asked(&host, path, headers), expected, "{headers:?}");
        }
    }
    // What a request for a whole URL names counts, whatever `Host` says.
    let local = "Host: localhost\r\n";
    assert_eq!(
        asked(&host, "http://example.com/v1/apps", local),
        refused(421, "foreignHost")
    );
    let foreign = "Host: example.com\r\n";
    assert_eq!(
        asked(&host, "http://localhost/v1/apps", foreign),
        (200, None)
    );
    host.stop();
}

// K13f.
#[test]
fn probes_are_answered_without_a_host_in_http_1_0_and_for_head() {
    let host = Host::start();
    for path in ["/healthz", "/metrics"] {
        for request in [
            format!("GET {path} HTTP/1.0\r\n\r\n"),
            format!("HEAD {path} HTTP/1.0\r\n\r\n"),
            format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
            format!("GET {path}?_=1441835249458 HTTP/1.0\r\n\r\n"),
            format!("GET {path}/ HTTP/1.0\r\n\r\n"),
        ] {
            let answer = exchange(host.connect(), &request);
            assert_eq!(status_and_code(&answer), (200, None), "{request}");
            let body = answer.split_once("\r\n\r\n").unwrap().1;
            assert_eq!(body.is_empty(), request.starts_with("HEAD"), "{request}");
        }
    }
    let answer = exchange(host.connect(), "GET /v1/apps HTTP/1.0\r\n\r\n");
    assert_eq!(status_and_code(&answer), refused(400, "noHost"));
    host.stop();
}

#[test]
fn with_a_key_every_request_but_for_health_must_carry_it() {
    let (_directory, path) = key_file(&format!("{KEY}\n"), 0o600);
    let host = Host::start_with(&["--api-key-file", path.to_str().unwrap()]);
    let rows = [
        (format!("Authorization: Bearer {KEY}\r\n"), true),
        (format!("authorization: bearer  {KEY}\r\n"), true),
        (String::new(), false),
        ("Authorization:\r\n".to_owned(), false),
        ("Authorization: Bearer\r\n".to_owned(), false),
        ("Authorization: Bearer \r\n".to_owned(), false),
        (format!("Authorization: {KEY}\r\n"), false),
        (format!("Authorization: Basic {KEY}\r\n"), false),
        (format!("Authorization: Bearer {KEY}0\r\n"), false),
        (
            format!("Authorization: Bearer {}\r\n", &KEY[..KEY.len() - 1]),
            false,
        ),
        (
            format!("Authorization: Bearer {}\r\n", KEY.to_uppercase()),
            false,
        ),
        (format!("Authorization: Bearer{KEY}\r\n"), false),
        (
            format!("Authorization: Bearer {KEY}\r\nAuthorization: Bearer {KEY}\r\n"),
            false,
        ),
        (format!("X-Api-Key: {KEY}\r\n"), false),
        (
            format!("Authorization: Bearer {}\r\n", "a".repeat(10_000)),
            false,
        ),
    ];
    for (headers, right) in rows {
        // Behind a proxy, `Host` is any name.
        let headers = format!("Host: example.com\r\n{headers}");
        for path in ["/v1/apps", "/metrics"] {
            let expected = if right {
                (200, None)
            } else {
                refused(401, "unauthorized")
            };
            assert_eq!(asked(&host, path, &headers), expected, "{headers}");
        }
        // Who has no key does not learn which paths there are.
        let expected = if right {
            refused(404, "unknownPath")
        } else {
            refused(401, "unauthorized")
        };
        assert_eq!(asked(&host, "/nowhere", &headers), expected, "{headers}");
        assert_eq!(asked(&host, "/healthz", &headers), (200, None));
    }
    let answer = host.client().get("/v1/apps");
    answer.is_error(
        401,
        "unauthorized",
        "the API key is required, as Authorization: Bearer",
    );
    assert_eq!(answer.headers["www-authenticate"], "Bearer");

    let mut client = host.client();
    client
        .headers
        .push(("Authorization", format!("Bearer {KEY}")));
    client.connect_app();
    assert_eq!(client.add("t1", "ann@example.com").unwrap().status, 200);
    host.stop();
}
