//! The arguments, and how the host ends when they or what they name are wrong.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;

use contact_store::{MatchPolicy, Ownership};

use super::door::{KEY, key_file};
use super::example::options::Arguments;
use super::host::{Host, command};

/// The host ends by itself: its exit status, and the first line that it says on standard error.
#[track_caller]
fn ends(arguments: &[&str]) -> (i32, String) {
    let ended = command(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(!said.contains("sesame"), "{said}");
    let first = said.lines().next().unwrap_or_default();
    (ended.status.code().unwrap(), first.to_owned())
}

fn parse(arguments: &[&str]) -> Result<Option<Arguments>, &'static str> {
    Arguments::parse(arguments.iter().map(OsString::from))
}

#[test]
fn arguments_are_read_or_refused_without_being_shown() {
    let arguments = Arguments {
        store: "s".into(),
        listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
        api_key_file: None,
        policy: MatchPolicy::Cascade,
        ownership: Ownership::Shared,
        quiet: false,
    };
    assert_eq!(parse(&["--store", "s"]), Ok(Some(arguments)));
    let all = [
        "--quiet",
        "--ownership",
        "exclusive",
        "--policy",
        "top-priority",
        "--api-key-file",
        "k",
        "--listen",
        "[::1]:0",
        "--store",
        "s",
    ];
    let arguments = Arguments {
        store: "s".into(),
        listen: "[::1]:0".parse().unwrap(),
        api_key_file: Some("k".into()),
        policy: MatchPolicy::TopPriority,
        ownership: Ownership::Exclusive,
        quiet: true,
    };
    assert_eq!(parse(&all), Ok(Some(arguments)));
    assert_eq!(parse(&["--help"]), Ok(None));
    let rows = [
        (&["--store"][..], "--store needs a path"),
        (&[], "--store is required"),
        (
            &["--store", "s", "--store", "s"],
            "an option is given twice",
        ),
        (&["--quiet", "--quiet"], "an option is given twice"),
        (&["--stor", "s"], "an argument is not known"),
        (&["s"], "an argument is not known"),
        (
            &["--store", "s", "--listen", "8080"],
            "--listen is an IP address and a port, such as 127.0.0.1:8080",
        ),
        (
            &["--store", "s", "--policy", "first"],
            "--policy is cascade or top-priority",
        ),
        (
            &["--store", "s", "--ownership", "none"],
            "--ownership is shared or exclusive",
        ),
    ];
    for (arguments, wrong) in rows {
        assert_eq!(parse(arguments), Err(wrong), "{arguments:?}");
    }
    assert_eq!(
        ends(&["--stor", "s"]),
        (2, "host: an argument is not known".to_owned())
    );
    assert_eq!(ends(&["--help"]), (0, String::new()));
}

#[test]
fn an_address_that_others_can_reach_needs_a_key() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("contacts.redb");
        let ended = ends(&["--store", path.to_str().unwrap(), "--listen", address]);
        let said = format!(
            "host: {address} can be reached by others: it is not listened on without --api-key-file"
        );
        assert_eq!(ended, (1, said));
        assert!(!path.exists());
    }
    let (_directory, key) = key_file(KEY, 0o600);
    let host = Host::start_with(&[
        "--listen",
        "0.0.0.0:0",
        "--api-key-file",
        key.to_str().unwrap(),
    ]);
    let mut client =
        super::client::Client::of(SocketAddr::from(([127, 0, 0, 1], host.address.port())));
    assert_eq!(client.get("/v1/apps").status, 401);
    client
        .headers
        .push(("Authorization", format!("Bearer {KEY}")));
    client.connect_app();
    host.stop();
}

#[test]
fn a_key_file_that_is_no_use_is_refused_without_showing_it() {
    let long = "s".repeat(4_097);
    let length = "must hold a key of 16 to 4096 bytes in one line";
    let characters = "holds something else than visible ASCII characters in one line";
    let rows = [
        ("", 0o600, length),
        ("\n", 0o600, length),
        ("open-sesame-012\r\n", 0o600, length),
        (&long, 0o600, length),
        ("open sesame open sesame", 0o600, characters),
        (
            "open-sesame-0123456789\nopen-sesame-0123456789\n",
            0o600,
            characters,
        ),
        ("open-sesame-їїїїїїїїї", 0o600, characters),
        (
            KEY,
            0o640,
            "may be read or written by others than its owner: set its mode to 600",
        ),
        (
            KEY,
            0o604,
            "may be read or written by others than its owner: set its mode to 600",
        ),
    ];
    for (text, mode, wrong) in rows {
        let (directory, key) = key_file(text, mode);
        let store = directory.path().join("contacts.redb");
        let arguments = [
            "--store",
            store.to_str().unwrap(),
            "--api-key-file",
            key.to_str().unwrap(),
        ];
        assert_eq!(
            ends(&arguments),
            (1, format!("host: the API key file {wrong}"))
        );
    }
    let missing = ["--store", "s", "--api-key-file", "/nowhere/key"];
    assert_eq!(
        ends(&missing),
        (
            1,
            "host: the API key file cannot be read (entity not found)".to_owned()
        )
    );
    for text in [format!("{KEY}\r\n"), KEY[..16].to_owned()] {
        let (_directory, key) = key_file(&text, 0o400);
        Host::start_with(&["--api-key-file", key.to_str().unwrap()]).stop();
    }
}

// R51.
#[test]
fn a_store_or_an_address_that_cannot_be_had_ends_the_host_with_1() {
    let host = Host::start();
    let store = host.path.to_str().unwrap();
    assert_eq!(
        ends(&["--store", store, "--listen", "127.0.0.1:0"]),
        (1, "host: the file is open elsewhere".to_owned())
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let other = host.path.with_file_name("other.redb");
    assert_eq!(
        ends(&["--store", other.to_str().unwrap(), "--listen", &address]),
        (
            1,
            "host: the address cannot be listened on (address in use)".to_owned()
        )
    );
    assert!(!other.exists());
    host.stop();
}

// R14, R22: what the host was started with applies where a request does not say.
#[test]
fn policy_and_ownership_are_those_of_the_command_line() {
    let host = Host::start_with(&["--policy", "top-priority", "--ownership", "exclusive"]);
    let client = host.client();
    client.connect_app();
    assert_eq!(client.add("t1", "ann@example.com").unwrap().status, 200);
    let both = r#"{"phone": "+380500000002", "email": "ann@example.com"}"#;
    assert_eq!(
        client.post("/v1/contacts/find", both).code(),
        "unknownContact"
    );
    let moved = client.add("t1", "bob@example.com").unwrap();
    moved.is(
        200,
        r#"{"results": [{"contactId": 2, "contact": "created", "token": "moved", "subscriberId": "1099511627777", "movedFrom": [1]}]}"#,
    );
    host.stop();
}
