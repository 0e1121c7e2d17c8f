//! The arguments, and how the host ends when they or what they name are wrong.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use contact_store::{
    Check, Create, Email, FailedWithoutReason, GonePhrases, InvalidIdentifier, KeepAnswers,
    KeepChanges, Limits, MatchPolicy, Options, Ownership, Phone, Placeholders, UnknownContactId,
};
use tempfile::TempDir;

use super::client::APP;
use super::door::{KEY, key_file};
use super::example::command_line::{Asked, Wrong};
use super::example::log::Format;
use super::example::options::Arguments;
use super::example::place::Place;
use super::log::without_time;
use super::process::{Host, command};

/// The host ends by itself: its exit status, and the first line that it says on standard error, which in
/// the log has a time before it.
#[track_caller]
pub fn ends(arguments: &[&str]) -> (i32, String) {
    let ended = command(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(!said.contains("sesame"), "{said}");
    let first = said.lines().next().unwrap_or_default();
    let first = match first.starts_with("host: ") || first.is_empty() {
        true => first,
        false => without_time(first).strip_prefix("ERROR ").unwrap(),
    };
    (ended.status.code().unwrap(), first.to_owned())
}

fn read(arguments: &[&str]) -> Result<Asked<Arguments>, Wrong> {
    Arguments::read(arguments.iter().map(OsString::from))
}

/// The arguments as they are read.
#[track_caller]
fn taken(arguments: &[&str]) -> Arguments {
    match read(arguments) {
        Ok(Asked::Run(arguments)) => arguments,
        other => panic!("{arguments:?}: {other:?}"),
    }
}

/// What is said of arguments that are wrong.
#[track_caller]
fn wrong(arguments: &[&str]) -> String {
    match read(arguments) {
        Err(wrong) => wrong.to_string(),
        Ok(other) => panic!("{arguments:?}: {other:?}"),
    }
}

/// A configuration file, with its directory.
fn config(text: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("host.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path.to_str().unwrap().to_owned())
}

/// Every flag but those that say where something is, with a value that is not its default.
const SET: [(&str, &str); 31] = [
    ("check", "if-unclean"),
    ("upgrade", "true"),
    ("cache-bytes", "1000000"),
    ("index-memory-bytes", "1000001"),
    ("card-memory-bytes", "1000002"),
    ("policy", "top-priority"),
    ("ownership", "exclusive"),
    ("invalid-identifier", "ignore"),
    ("unknown-contact-id", "reject"),
    ("failed-without-reason", "keep"),
    ("keep-answers", "3600"),
    ("most-answers", "20"),
    ("gone-phrase", "NotRegistered"),
    ("no-gone-phrases", "true"),
    ("remember-blocked", "10"),
    ("conflicts", "23"),
    ("placeholder", "test"),
    ("placeholder-phone", "+380 00 000 00 00"),
    ("placeholder-email", "noreply@example.com"),
    ("no-placeholders", "true"),
    ("keep-changes", "20"),
    ("keep-changes-seconds", "21"),
    ("tokens-per-contact", "11"),
    ("contacts-per-token", "12"),
    ("entries-per-request", "13"),
    ("request-text-bytes", "14"),
    ("custom-fields-per-contact", "15"),
    ("card-text-bytes", "16"),
    ("suppressed-identifiers", "19"),
    ("waiting-requests", "17"),
    ("waiting-text-bytes", "18"),
];

/// The options that [`SET`] is.
#[track_caller]
fn assert_all_set(arguments: &Arguments) {
    let mut limits = Limits::default();
    limits.tokens_per_contact = 11;
    limits.contacts_per_token = 12;
    limits.entries_per_request = 13;
    limits.request_text_bytes = 14;
    limits.custom_fields_per_contact = 15;
    limits.card_text_bytes = 16;
    limits.suppressed_identifiers = 19;
    limits.waiting_requests = 17;
    limits.waiting_text_bytes = 18;
    let placeholders = Placeholders::none()
        .word("test")
        .phone(Phone::parse("380000000000").unwrap())
        .email(Email::parse("noreply@example.com").unwrap());
    let expected = Options::default()
        .create(Create::IfMissing)
        .check(Check::IfUnclean)
        .upgrade(true)
        .cache_bytes(1_000_000)
        .index_memory(1_000_001)
        .card_memory(1_000_002)
        .policy(MatchPolicy::TopPriority)
        .ownership(Ownership::Exclusive)
        .invalid_identifier(InvalidIdentifier::Ignore)
        .unknown_contact_id(UnknownContactId::Reject)
        .failed_without_reason(FailedWithoutReason::Keep)
        .gone_phrases(GonePhrases::none().phrase("NotRegistered"))
        .remember_blocked(10)
        .conflicts(23)
        .keep_answers(
            KeepAnswers::default()
                .within(Duration::from_secs(3_600))
                .answers(20),
        )
        .placeholders(placeholders)
        .change_feed(
            KeepChanges::default()
                .changes(20)
                .age(Duration::from_secs(21)),
        )
        .limits(limits);
    let options = arguments.options.options();
    // It shows every option but the clock.
    assert_eq!(format!("{options:?}"), format!("{expected:?}"));
    assert_eq!(options.gone_phrases, expected.gone_phrases);
    assert_eq!(options.placeholders, expected.placeholders);
}

/// One of [`SET`] on the command line.
fn as_flag((flag, value): (&str, &str)) -> String {
    match value {
        "true" => format!("--{flag}"),
        _ => format!("--{flag}={value}"),
    }
}

/// One of [`SET`] in a configuration file.
fn as_key((key, value): (&str, &str)) -> String {
    match value.parse::<u64>() {
        Ok(number) => format!("{key} = {number}\n"),
        Err(_) if value == "true" => format!("{key} = true\n"),
        Err(_) => format!("{key} = \"{value}\"\n"),
    }
}

#[test]
fn without_arguments_all_is_as_the_library_has_it_and_no_store_is_made() {
    let arguments = taken(&["--store", "s"]);
    let options = Options::default().create(Create::Never);
    let read = arguments.options.options();
    assert_eq!(format!("{read:?}"), format!("{options:?}"));
    assert_eq!(arguments.store, Place::File("s".into()));
    assert_eq!(arguments.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(
        (arguments.api_key_file, arguments.quiet, arguments.log),
        (None, false, Format::Text)
    );
    let read = taken(&["--store=s", "--listen", "[::1]:0", "--api-key-file", "k"]);
    assert_eq!(read.listen, "[::1]:0".parse().unwrap());
    assert_eq!(read.api_key_file, Some("k".into()));
    let read = taken(&["--quiet", "--log", "json", "--store", "s"]);
    assert_eq!((read.quiet, read.log), (true, Format::Json));
}

// K18.
#[test]
fn every_option_limit_and_cache_is_a_flag_and_a_key_of_the_file() {
    let flags = SET.map(as_flag);
    let mut given = vec!["--store", "s", "--create"];
    given.extend(flags.iter().map(String::as_str));
    assert_all_set(&taken(&given));

    let keys = SET.map(as_key);
    let (_directory, path) = config(&format!(
        "store = \"s\"\ncreate = true\nquiet = false\n{}",
        keys.concat()
    ));
    let read = taken(&["--config", &path]);
    assert_all_set(&read);
    assert_eq!((read.store, read.quiet), (Place::File("s".into()), false));
}

#[test]
fn a_database_is_taken_by_a_build_that_has_a_client_for_it_and_its_url_is_never_shown() {
    let url = "postgres://role:sesame@localhost/shop";
    let taken = read(&["--store", url, "--postgres-schema", "s"]);
    #[cfg(feature = "postgres")]
    {
        let Ok(Asked::Run(arguments)) = taken else {
            panic!("{taken:?}");
        };
        assert_eq!(arguments.store, Place::Database(url.to_owned()));
        assert!(!format!("{arguments:?}").contains("sesame"));
        let refused = read(&["--store", url, "--backup-directory", "b"]).unwrap_err();
        let said =
            "--backup-directory goes with a store in a file: a database has tools of its own";
        assert_eq!(refused.to_string(), said);
    }
    #[cfg(not(feature = "postgres"))]
    {
        let said = "--store names a PostgreSQL database, which this build has no client for; \
                    build it with --features postgres";
        assert_eq!(taken.unwrap_err().to_string(), said);
    }
    for flag in ["--postgres-schema", "--root-certificate"] {
        let refused = read(&["--store", "s", flag, "x"]).unwrap_err();
        let said = format!("{flag} goes with a store in PostgreSQL");
        assert_eq!(refused.to_string(), said);
    }
}

// R3, R32.
#[test]
fn what_may_be_given_again_is_a_list_in_the_file() {
    let (_directory, path) = config(
        "store = \"s\"\ngone-phrase = [\"NotRegistered\", \"410\"]\nno-placeholders = true\n\
         placeholder = [\"a\", \"b\"]\n",
    );
    let options = taken(&["--config", &path]).options.options();
    let phrases = GonePhrases::default().phrase("NotRegistered").phrase("410");
    assert_eq!(options.gone_phrases, phrases);
    let placeholders = Placeholders::none().word("a").word("b");
    assert_eq!(options.placeholders, placeholders);
    // Flags go before it.
    let flags = ["--config", &path, "--placeholder", "c", "--placeholder=d"];
    let options = taken(&flags).options.options();
    let placeholders = Placeholders::none().word("c").word("d");
    assert_eq!(options.placeholders, placeholders);
}

#[test]
fn what_there_is_is_all_in_the_help() {
    let Ok(Asked::Help(help)) = read(&["--help"]) else {
        panic!("no help");
    };
    let own = [
        "store",
        "create",
        "listen",
        "api-key-file",
        "backup-directory",
        "postgres-schema",
        "root-certificate",
        "console",
        "log",
        "quiet",
        "config",
    ];
    for flag in SET.map(|(flag, _)| flag).iter().chain(&own) {
        assert!(help.contains(&format!("--{flag}")), "{flag}");
        let name = flag.to_uppercase().replace('-', "_");
        assert!(
            help.contains(&format!("[env: CONTACT_STORE_{name}]")),
            "{flag}"
        );
    }
    assert!(help.contains("--log-filter") && help.contains("[env: RUST_LOG]"));
    // And nothing else.
    assert_eq!(help.matches("[env: ").count(), SET.len() + own.len() + 1);
}

// The environment is that of a process, so these are hosts of their own.
#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("contacts.redb");
    let file = directory.path().join("host.toml");
    let text = "policy = \"top-priority\"\nownership = \"exclusive\"\ncreate = true\n\
                invalid-identifier = \"ignore\"\nlisten = \"127.0.0.1:0\"\nquiet = true\n";
    std::fs::write(&file, text).unwrap();
    let mut command = command(&["--policy", "cascade"]);
    command
        .env("CONTACT_STORE_CONFIG", &file)
        .env("CONTACT_STORE_STORE", &path)
        .env("CONTACT_STORE_POLICY", "top-priority")
        .env("CONTACT_STORE_OWNERSHIP", "shared");
    let host = Host::of(command, &path);
    let client = host.client();
    client.connect_app();
    client.add("t1", "ann@example.com").unwrap();
    // The flag: under the other policy nobody is found.
    let both = r#"{"phone": "+380500000002", "email": "ann@example.com"}"#;
    assert_eq!(client.post("/v1/contacts/find", both).status, 200);
    // The environment: otherwise it would have moved.
    let added = client.add("t1", "bob@example.com").unwrap();
    added.is(
        200,
        r#"{"results": [{"contactId": 2, "contact": "created", "token": "added", "subscriberId": "1099511627777", "alsoHeldBy": [1]}]}"#,
    );
    // The file.
    let body = r#"{"tokens": [{"token": "t2", "email": "ann@example.com", "phone": "N/A"}]}"#;
    let ignored = client.post(&format!("/v1/apps/{APP}/tokens"), body);
    assert_eq!(ignored.json()["results"][0]["ignored"][0], "phone");
    assert_eq!(host.stop().log, "");
}

#[test]
fn what_is_wrong_with_the_arguments_is_named_and_no_value_is_shown() {
    let rows = [
        (&["--store"][..], "--store needs a value"),
        (&[], "--store is required"),
        (&["--store", "s", "--store", "s"], "--store is given twice"),
        (
            &["--quiet", "--quiet", "--store", "s"],
            "--quiet is given twice",
        ),
        (&["--stor", "s"], "argument --stor is not known"),
        (&["--sesame=open"], "argument --sesame is not known"),
        (&["-x", "--store", "s"], "argument -x is not known"),
        // It may be a key in the wrong place.
        (&["sesame"], "an argument of 6 bytes is not known"),
        (&["--open-se.same"], "an argument of 14 bytes is not known"),
        (
            &["--store", "s", "--listen", "sesame"],
            "--listen must be an IP address and a port, such as 127.0.0.1:8080",
        ),
        (
            &["--store", "s", "--policy", "sesame"],
            "--policy is one of cascade, top-priority",
        ),
        (
            &["--store", "s", "--ownership", "sesame"],
            "--ownership is one of shared, exclusive",
        ),
        (
            &["--store", "s", "--cache-bytes", "+5"],
            "--cache-bytes must be a number without a sign",
        ),
        (
            &["--store", "s", "--waiting-requests", "99999999999999999999"],
            "--waiting-requests must be a number without a sign",
        ),
        (
            &["--store", "s", "--log", "sesame"],
            "--log is one of text, json",
        ),
        (
            &["--store", "s", "--log-filter", "open=sesame=1"],
            "--log-filter must be levels, also of single targets, such as info,host::request=off",
        ),
    ];
    for (arguments, said) in rows {
        assert_eq!(wrong(arguments), said, "{arguments:?}");
    }
    assert_eq!(
        ends(&["--stor", "s"]),
        (2, "host: argument --stor is not known".to_owned())
    );
    assert_eq!(ends(&["--help"]), (0, String::new()));
    let ended = command(&["--store", "s"])
        .env("CONTACT_STORE_CREATE", "sesame")
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.starts_with("host: --create must be true or false\n"),
        "{said}"
    );
    assert_eq!(ended.status.code(), Some(2));
}

#[test]
fn what_is_wrong_with_the_file_is_named_with_its_path_and_no_value_is_shown() {
    let rows = [
        (
            "policy = \"sesame\"",
            None,
            "--policy is one of cascade, top-priority (in the configuration file)",
        ),
        (
            "polic = \"cascade\"",
            Some("names polic, which is not known"),
            "",
        ),
        (
            "config = \"sesame\"",
            Some("names config, which is not known"),
            "",
        ),
        ("help = true", Some("names help, which is not known"), ""),
        (
            "\"ann@example.com\" = 1",
            Some("names something of 15 bytes, which is not known"),
            "",
        ),
        (
            "create = \"yes\"",
            Some("gives create a value of another type"),
            "",
        ),
        (
            "policy = true",
            Some("gives policy a value of another type"),
            "",
        ),
        (
            "cache-bytes = 1.5",
            Some("gives cache-bytes a value of another type"),
            "",
        ),
        (
            "[limits]\ntokens = 5",
            Some("names limits, which is not known"),
            "",
        ),
        ("\n\npolicy = sesame", Some("is not TOML at line 3"), ""),
        (
            "policy = \"cascade\"\npolicy = \"cascade\"",
            Some("is not TOML at line 2"),
            "",
        ),
    ];
    for (text, of_file, of_flag) in rows {
        let (_directory, path) = config(text);
        let said = match of_file {
            Some(what) => format!("the configuration file {path} {what}"),
            None => of_flag.to_owned(),
        };
        assert_eq!(wrong(&["--store", "s", "--config", &path]), said, "{text}");
    }
    assert_eq!(
        wrong(&["--store", "s", "--config", "/nowhere/host.toml"]),
        "the configuration file /nowhere/host.toml cannot be read (entity not found)"
    );
}

// K27, and an unmounted volume.
#[test]
fn a_store_that_cannot_be_opened_is_named_with_what_failed() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("contacts.redb");
    let nowhere = directory.path().join("none/contacts.redb");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&missing, &link).unwrap();
    let none = directory.path().join("none");
    let rows = [
        (
            &missing,
            false,
            "opened: there is no file; with --create it is made".to_owned(),
        ),
        (
            &nowhere,
            false,
            format!("opened: there is no directory {}", none.display()),
        ),
        (
            &nowhere,
            true,
            format!("created: there is no directory {}", none.display()),
        ),
        (
            &directory.path().to_owned(),
            true,
            "opened: the path does not name a regular file".to_owned(),
        ),
        (
            &link,
            true,
            "opened: the path ends in a symbolic link".to_owned(),
        ),
    ];
    for (path, create, said) in rows {
        let mut arguments = vec!["--store", path.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        if create {
            arguments.push("--create");
        }
        let said = format!("host: the store {} cannot be {said}", path.display());
        assert_eq!(ends(&arguments), (1, said));
    }
    assert!(!missing.exists());
    let limit = [
        "--store",
        missing.to_str().unwrap(),
        "--create",
        "--listen",
        "127.0.0.1:0",
        "--card-text-bytes",
        "8388609",
    ];
    let said = format!(
        "host: the store {} cannot be opened: limit card_text_bytes is set to 8388609, the most is 8388608",
        missing.display()
    );
    assert_eq!(ends(&limit), (1, said));
    assert!(!missing.exists());
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

// K9, with the rule itself in the tests of the Telegram example.
#[test]
fn a_key_file_that_is_no_use_is_refused_without_showing_it() {
    let long = "s".repeat(4_097);
    let length = "must hold a key of 16 to 4096 bytes in one line";
    let characters = "holds other than visible ASCII characters in one line";
    let mode = |mode: &str| {
        format!(
            "has mode {mode}: it must be 0600 or less if its user owns it, 0640 or less if root does"
        )
    };
    let rows = [
        ("", 0o600, length.to_owned()),
        ("\n", 0o600, length.to_owned()),
        ("open-sesame-012\r\n", 0o600, length.to_owned()),
        (&long, 0o600, length.to_owned()),
        ("open sesame open sesame", 0o600, characters.to_owned()),
        (
            "open-sesame-0123456789\nopen-sesame-0123456789\n",
            0o600,
            characters.to_owned(),
        ),
        ("open-sesame-їїїїїїїїї", 0o600, characters.to_owned()),
        (KEY, 0o644, mode("0644")),
        (KEY, 0o604, mode("0604")),
        (KEY, 0o444, mode("0444")),
        (KEY, 0o660, mode("0660")),
    ];
    for (text, mode, wrong) in rows {
        let (directory, key) = key_file(text, mode);
        let store = directory.path().join("contacts.redb");
        let arguments = [
            "--store",
            store.to_str().unwrap(),
            "--create",
            "--api-key-file",
            key.to_str().unwrap(),
        ];
        let said = format!("host: the key file {} {wrong}", key.display());
        assert_eq!(ends(&arguments), (1, said));
        assert!(!store.exists());
    }
    let missing = ["--store", "s", "--api-key-file", "/nowhere/key"];
    let said = "host: the key file /nowhere/key cannot be opened for reading (entity not found)";
    assert_eq!(ends(&missing), (1, said.to_owned()));
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
        (
            1,
            format!("host: the store {store} cannot be opened: the file is open elsewhere")
        )
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let other = host.path.with_file_name("other.redb");
    assert_eq!(
        ends(&["--store", other.to_str().unwrap(), "--listen", &address]),
        (
            1,
            format!("host: {address} cannot be listened on (address in use)")
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
