//! Servers and databases that a store cannot be in, or cannot write to: each has an error of its own, and
//! nothing is written.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use contact_store::{
    ContactStore, Create, DatabaseError, Error, OpenError, Options, PostgresOptions, StorageError,
};

use super::stores::{PATIENCE, add, assert_sound, at, connect_app, has, open, open_within};
use crate::cluster::{Cluster, Database, shared};
use crate::eventually;
use crate::process::{self, Process};
use crate::standby::Standby;

const SHORT: Duration = Duration::from_millis(400);

/// What no error and no `Debug` form has.
const PRIVATE: [&str; 5] = ["127.0.0.1", "hunter2", "secret", "postgres://", "dup@"];

fn assert_private(error: &Error) {
    let said = format!("{error} {error:?}");
    for private in PRIVATE {
        assert!(!said.contains(private), "{said}");
    }
}

/// Why a store cannot be opened.
#[track_caller]
fn refused_with(postgres: &PostgresOptions, options: Options) -> DatabaseError {
    let error = ContactStore::connect(postgres, options).err().unwrap();
    assert_private(&error);
    let Error::Open(OpenError::Database(error)) = error else {
        panic!("{error:?}");
    };
    error
}

#[track_caller]
fn refused(url: &str) -> DatabaseError {
    refused_with(&at(url, SHORT), Options::default())
}

/// Why a request was refused, without a thing written.
#[track_caller]
fn not_written(store: &ContactStore, number: u64) -> DatabaseError {
    let error = add(store, number).unwrap_err();
    assert_private(&error);
    let Error::Storage(StorageError::Database(error)) = error else {
        panic!("{error:?}");
    };
    error
}

/// How many tables, views and indexes there are beside those that every database has.
fn relations(database: &Database) -> i64 {
    let query = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";
    database.client().query_one(query, &[]).unwrap().get(0)
}

fn run(database: &Database, script: &str) {
    database.client().batch_execute(script).unwrap();
}

#[test]
fn r50_a_server_that_is_not_there_is_given_up_after_the_patience() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgres://secret:hunter2@127.0.0.1:{port}/db");
    let mut listener = Some(listener);
    // First one that accepts connections and never says a thing, then one that accepts none.
    while {
        let began = Instant::now();
        assert!(matches!(refused(&url), DatabaseError::Unreachable));
        let took = began.elapsed();
        assert!(took < SHORT * 4, "{took:?}");
        listener.take().is_some()
    } {}
    for url in [
        "http://a/b",
        "postgres://",
        "host=a,b hostaddr=127.0.0.1",
        "host=a nothing=b",
    ] {
        assert!(matches!(refused(url), DatabaseError::Url), "{url}");
    }
    let shown = format!("{:?}", PostgresOptions::new(url));
    assert!(
        PRIVATE.iter().all(|private| !shown.contains(private)),
        "{shown}"
    );
}

#[test]
fn r50_a_server_that_ends_within_the_tls_handshake_is_unreachable() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            // It is asked for TLS, says that it has it, and takes the first message of the handshake.
            client.read_exact(&mut [0; 8]).unwrap();
            client.write_all(b"S").unwrap();
            client.read_exact(&mut [0; 5]).unwrap();
        }
    });
    let url = format!("postgres://secret:hunter2@127.0.0.1:{port}/db?sslmode=require");
    assert!(matches!(refused(&url), DatabaseError::Unreachable));
}

#[test]
fn r50_the_next_host_of_the_url_is_tried_when_one_does_not_answer() {
    let Some(cluster) = shared() else { return };
    let name = cluster.database("next_host").name;
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (first, port) = (silent.local_addr().unwrap().port(), cluster.port());
    let url = format!("postgres://postgres@127.0.0.1:{first},127.0.0.1:{port}/{name}");
    let store = open_within(&url, Duration::from_secs(2));
    connect_app(&store);
    assert!(add(&store, 1).is_ok() && has(&store, 1));
}

#[test]
fn r50_a_role_or_database_that_is_not_there_is_refused() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("roles");
    let role = database.url.replace("postgres@", "secret_role:hunter2@");
    assert!(matches!(refused(&role), DatabaseError::Refused));
    let other = cluster.place("secret_database").url;
    assert!(matches!(refused(&other), DatabaseError::Refused));
    assert_eq!(relations(&database), 0);
}

#[test]
fn r50_a_schema_that_is_not_a_stores_is_refused_and_left_as_it_is() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("foreign");
    let never = Options::default().create(Create::Never);
    let options = at(&database.url, SHORT);
    let empty = refused_with(&options, never.clone());
    assert!(matches!(empty, DatabaseError::NotOurSchema));
    run(
        &database,
        "CREATE SCHEMA contact_store; CREATE TABLE contact_store.theirs (n int)",
    );
    let before = relations(&database);
    for options_given in [Options::default(), never] {
        let error = refused_with(&options, options_given);
        assert!(matches!(error, DatabaseError::NotOurSchema));
    }
    assert_eq!(relations(&database), before);
    // Another schema of the same database is free. Names are taken as they are.
    let odd = options
        .clone()
        .patience(PATIENCE)
        .schema("An \"odd\" schema; --");
    let store = ContactStore::connect(&odd, Options::default()).unwrap();
    connect_app(&store);
    add(&store, 1).unwrap();
    for schema in ["", "a\0b", &"x".repeat(64)] {
        let error = refused_with(&options.clone().schema(schema), Options::default());
        assert!(matches!(error, DatabaseError::NotOurSchema));
    }
    let again = Options::default().create(Create::Always);
    let error = ContactStore::connect(&odd, again).err().unwrap();
    assert!(matches!(error, Error::Open(OpenError::AlreadyExists)));
}

#[test]
fn r50_a_newer_schema_is_refused_and_left_as_it_is() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("newer");
    open(&database.url).close().unwrap();
    run(
        &database,
        "INSERT INTO contact_store.contact_store_schema (step) VALUES (999)",
    );
    let before = relations(&database);
    let error = refused(&database.url);
    assert!(matches!(
        error,
        DatabaseError::NewerSchema {
            found: 999,
            known: 1
        }
    ));
    assert_eq!(relations(&database), before);
}

#[test]
fn r50_an_older_schema_is_refused_unless_it_is_to_be_migrated_and_left_when_that_fails() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("older");
    let store = open(&database.url);
    connect_app(&store);
    run(&database, "DELETE FROM contact_store.contact_store_schema");
    let before = relations(&database);
    let error = refused(&database.url);
    assert_eq!(error, DatabaseError::OldSchema { found: 0, known: 1 });
    // The first step makes tables, which are there.
    let upgrade = Options::default().upgrade(true);
    let error = refused_with(&at(&database.url, PATIENCE), upgrade);
    assert_eq!(error, DatabaseError::Statement(*b"42P07"));
    assert_eq!(relations(&database), before);
    assert_eq!(
        refused(&database.url),
        DatabaseError::OldSchema { found: 0, known: 1 }
    );
    add(&store, 1).unwrap();
}

#[test]
fn r50_a_database_of_another_encoding_is_refused() {
    let Some(cluster) = shared() else { return };
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("encoded_{}", encoding.to_lowercase());
        let create = format!("CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0");
        cluster.client().batch_execute(&create).unwrap();
        let database = cluster.place(&name);
        assert!(matches!(refused(&database.url), DatabaseError::Encoding));
        assert_eq!(relations(&database), 0);
    }
}

#[test]
fn r46_a_server_whose_commits_are_not_durable_is_refused_unless_that_is_allowed() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("lax");
    let set = format!(
        "ALTER DATABASE \"{}\" SET synchronous_commit = off",
        database.name
    );
    cluster.client().batch_execute(&set).unwrap();
    let options = at(&database.url, SHORT);
    let error = refused_with(&options, Options::default());
    assert!(matches!(error, DatabaseError::SynchronousCommitOff));
    assert_eq!(relations(&database), 0);
    let lax = options.patience(PATIENCE).asynchronous_commit(true);
    let store = ContactStore::connect(&lax, Options::default()).unwrap();
    connect_app(&store);
    assert!(add(&store, 1).is_ok());
}

#[test]
fn r50_a_server_that_takes_no_writes_is_refused_for_writing_alone() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("read_only");
    let store = open(&database.url);
    connect_app(&store);
    add(&store, 1).unwrap();
    let set = |to| {
        let name = &database.name;
        let set = format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = {to}");
        let mut client = cluster.client();
        client.batch_execute(&set).unwrap();
    };
    set("on");
    assert!(matches!(
        refused(&database.url),
        DatabaseError::ReadOnlyServer
    ));
    let only = database.url.clone() + "?target_session_attrs=read-write";
    assert!(matches!(refused(&only), DatabaseError::ReadOnlyServer));
    let reads = Options::default().read_only(true);
    let reader = ContactStore::connect(&at(&database.url, PATIENCE), reads).unwrap();
    assert!(has(&reader, 1));
    assert!(matches!(add(&reader, 2).unwrap_err(), Error::ReadOnly));
    // A writer that was connected before may go on, as the server lets it.
    assert!(add(&store, 3).is_ok());
    set("off");
    assert!(add(&open(&database.url), 4).is_ok());
}

#[test]
fn r49_a_request_that_waits_too_long_for_another_host_is_refused() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("contended");
    connect_app(&open(&database.url));
    let store = open_within(&database.url, SHORT);
    let before = add(&store, 1).unwrap().sequence;
    let mut other = database.client();
    let lock = "BEGIN; SELECT FROM contact_store.state FOR UPDATE";
    other.batch_execute(lock).unwrap();
    let began = Instant::now();
    assert!(matches!(not_written(&store, 2), DatabaseError::Contended));
    assert!(began.elapsed() < SHORT * 3);
    // Who reads waits for nobody.
    assert!(has(&store, 1) && !has(&store, 2));
    other.batch_execute("ROLLBACK").unwrap();
    let after = add(&store, 2).unwrap().sequence;
    assert_eq!(after.value(), before.value() + 1);
}

#[test]
fn r49_a_snapshot_that_finds_no_connection_is_refused_and_the_next_one_is_not() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database("pool").url;
    connect_app(&open(&url));
    let options = at(&url, SHORT).connections(2);
    let store = ContactStore::connect(&options, Options::default()).unwrap();
    let held = [store.snapshot().unwrap(), store.snapshot().unwrap()];
    for _ in 0..2 {
        let began = Instant::now();
        let error = store.snapshot().err().unwrap();
        let Error::Storage(StorageError::Database(error)) = error else {
            panic!("{error:?}");
        };
        assert!(matches!(error, DatabaseError::NoConnection { most: 2 }));
        assert!(began.elapsed() < SHORT * 3);
    }
    // Writing has a connection of its own.
    add(&store, 1).unwrap();
    // A snapshot may be held for longer than anything is waited for.
    for held in held {
        assert_eq!(held.contacts(None, 1).unwrap(), []);
    }
    assert!(has(&store, 1));
}

#[test]
fn r49_a_server_without_room_for_a_connection_is_full_and_the_writer_goes_on() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("limited");
    let create = format!(
        "CREATE ROLE limited LOGIN CONNECTION LIMIT 1; GRANT ALL ON DATABASE \"{}\" TO limited",
        database.name
    );
    cluster.client().batch_execute(&create).unwrap();
    let url = database.url.replace("postgres@", "limited@");
    connect_app(&open(&url));
    let store = eventually("the connection has ended", || {
        ContactStore::connect(&at(&url, SHORT), Options::default()).ok()
    });
    let error = store.snapshot().err().unwrap();
    assert!(matches!(
        error,
        Error::Storage(StorageError::Database(DatabaseError::Full))
    ));
    add(&store, 1).unwrap();
    let more = "ALTER ROLE limited CONNECTION LIMIT 2";
    cluster.client().batch_execute(more).unwrap();
    assert!(has(&store, 1));
}

#[test]
fn r48_a_commit_that_the_database_itself_refuses_leaves_nothing() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("unique");
    let store = open(&database.url);
    connect_app(&store);
    add(&store, 1).unwrap();
    // A row that no look-up finds, since a hand that is not the store's wrote it.
    run(
        &database,
        "INSERT INTO contact_store.contacts (key, value, email, subscribers, added_at, created_at, fields) \
         VALUES (1000000, '', 'c2@example.com', '{}', '{}', 0, '{}')",
    );
    let before = store.snapshot().unwrap().sequence();
    let DatabaseError::Statement(state) = not_written(&store, 2) else {
        panic!("not refused by the index");
    };
    assert_eq!(&state, b"23505");
    run(
        &database,
        "DELETE FROM contact_store.contacts WHERE key = 1000000",
    );
    assert!(!has(&store, 2));
    let after = add(&store, 2).unwrap().sequence;
    assert_eq!(after.value(), before.value() + 1);
    assert_sound(&store);
}

#[test]
fn r48_a_request_whose_deciding_panics_holds_nobody_up() {
    let Some(cluster) = shared() else { return };
    let url = cluster.database("panics").url;
    let (store, other) = (open(&url), open(&url));
    connect_app(&store);
    let pending = (store.panic_while_deciding(), super::stores::entry(1));
    let error = pending.0.wait().unwrap_err();
    assert!(matches!(error, Error::Panicked));
    add(&other, 2).unwrap();
    add(&store, 3).unwrap();
    assert_sound(&store);
}

#[test]
fn r46_a_commit_whose_wait_for_the_standby_was_cancelled_is_not_acknowledged() {
    let Some(primary) = Cluster::start() else {
        return;
    };
    let database = primary.database("cancelled");
    let store = open(&database.url);
    connect_app(&store);
    let standby = Standby::start(&primary, "second");
    standby.wait_until_synchronous(&primary);
    add(&store, 1).unwrap();
    let place = standby.place(&database.name);
    eventually("the standby has the contact", || {
        let query = "SELECT FROM contact_store.contacts";
        let rows = place.client().query(query, &[]);
        rows.is_ok_and(|rows| !rows.is_empty()).then_some(())
    });
    assert!(matches!(refused(&place.url), DatabaseError::ReadOnlyServer));
    // A role that hears of nothing but errors must still be told.
    let quiet = "ALTER ROLE postgres SET client_min_messages = error";
    primary.client().batch_execute(quiet).unwrap();
    let store = open(&database.url);
    standby.pause();
    let entry = contact_store::AddTokens::new(super::stores::APP).entry(super::stores::entry(2));
    let pending = store.add_tokens(entry);
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    eventually("the commit waits, and is told not to", || {
        let rows = primary.client().query(cancel, &[]).unwrap();
        (!rows.is_empty()).then_some(())
    });
    let error = pending.wait().unwrap_err();
    let sequence = super::stores::indeterminate(&error).unwrap();
    standby.resume();
    // Reopening waits for the standby in its place.
    assert!(store.reopen().unwrap() >= sequence);
    let promoted = standby.promote();
    primary.kill();
    let store = open(&promoted.place(&database.name).url);
    assert!(has(&store, 1) && has(&store, 2));
    assert_sound(&store);
}

/// A server that asks for TLS certificates and passwords. Kept until this process ends.
fn strict() -> Option<&'static Cluster> {
    static STRICT: OnceLock<Option<Cluster>> = OnceLock::new();
    STRICT.get_or_init(start_strict).as_ref()
}

fn openssl(cluster: &Cluster, arguments: &str) -> bool {
    let ran = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(cluster.directory())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ran.is_ok_and(|status| status.success())
}

fn start_strict() -> Option<Cluster> {
    let cluster = Cluster::start()?;
    let directory = cluster.directory();
    fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    let made = [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=root -keyout root.key -out root.crt",
        "req -newkey rsa:2048 -nodes -subj /CN=server -keyout data/server.key -out server.csr",
        "x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -days 2 \
         -extfile names -out data/server.crt",
    ];
    if !made.iter().all(|made| openssl(&cluster, made)) {
        eprintln!("skipped: openssl makes no certificates");
        return None;
    }
    for name in ["data/server.key", "data/server.crt"] {
        cluster.programs().give(&directory.join(name));
    }
    let rules = "hostnossl all plain 127.0.0.1/32 scram-sha-256\n\
                 hostssl all all 127.0.0.1/32 scram-sha-256\n\
                 local all all trust\n";
    let mut file = File::create(directory.join("data/pg_hba.conf")).unwrap();
    file.write_all(rules.as_bytes()).unwrap();
    cluster.set("ssl", "on");
    let roles = "CREATE ROLE secret LOGIN SUPERUSER PASSWORD 'hunter2'; \
                 CREATE ROLE plain LOGIN SUPERUSER PASSWORD 'hunter2'";
    cluster.client().batch_execute(roles).unwrap();
    Some(cluster)
}

#[test]
fn r50_a_server_whose_certificate_is_not_trusted_is_refused() {
    let Some(cluster) = strict() else { return };
    let database = cluster.database("tls");
    let url = database.url.replace("postgres@", "secret:hunter2@");
    let root = cluster.directory().join("root.crt");
    for mode in ["prefer", "require"] {
        let options = at(&format!("{url}?sslmode={mode}"), SHORT);
        let error = refused_with(&options, Options::default());
        assert!(matches!(error, DatabaseError::Tls), "{error:?}");
        assert_eq!(relations(&database), 0);
    }
    let require = at(&format!("{url}?sslmode=require"), Duration::from_secs(5));
    for (other, text) in [
        ("no", None),
        ("empty", Some("")),
        ("bad", Some("-----BEGIN CERTIFICATE-----\n")),
    ] {
        let path = cluster.directory().join(other);
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let error = refused_with(&require.clone().root_certificate(path), Options::default());
        assert!(matches!(error, DatabaseError::RootCertificate), "{error:?}");
    }
    let trusting = require.root_certificate(&root);
    let store = ContactStore::connect(&trusting, Options::default()).unwrap();
    connect_app(&store);
    assert!(add(&store, 1).is_ok() && has(&store, 1));
    let encrypted = "SELECT 1 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE ssl AND application_name = 'contact-store'";
    assert!(!cluster.client().query(encrypted, &[]).unwrap().is_empty());
    // The certificate is of an address, and not of this name.
    let name = format!("{url}?sslmode=require").replace("127.0.0.1", "localhost");
    let named = at(&name, SHORT).root_certificate(root);
    let error = refused_with(&named, Options::default());
    assert!(matches!(error, DatabaseError::Tls), "{error:?}");
}

#[test]
fn r50_a_server_without_tls_is_refused_where_tls_is_required() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database("no_tls");
    let error = refused(&format!("{}?sslmode=require", database.url));
    assert!(matches!(error, DatabaseError::Tls), "{error:?}");
    assert_eq!(relations(&database), 0);
}

/// Opens the store that the task names, and says how that went.
#[test]
fn child_that_connects() {
    let Some(url) = process::task() else { return };
    let opened = ContactStore::connect(&at(&url, SHORT * 10), Options::default());
    match opened {
        Ok(_) => process::say("open"),
        Err(Error::Open(OpenError::Database(DatabaseError::Refused))) => process::say("refused"),
        Err(error) => process::say(&format!("{error:?}")),
    }
}

#[test]
fn r52_passwords_come_from_where_the_tools_of_postgresql_look_for_them() {
    let Some(cluster) = strict() else { return };
    let url = cluster.database("passwords").url;
    let url = url.replace("postgres@", "plain@") + "?sslmode=disable";
    let port = cluster.port();
    let file = cluster.directory().join("passwords");
    let line = format!("127.0.0.1:{port}:*:plain:hunter2\n");
    let with = |url: &str, set: &[(&str, &str)], mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(&file, &line).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let test = "tests::refusals::child_that_connects";
        let mut command = process::command(test, url);
        for name in ["PGPASSWORD", "PGPASSFILE", "PGUSER", "HOME"] {
            command.env_remove(name);
        }
        command.envs(set.iter().copied());
        Process::start(command).next_line()
    };
    let path = file.to_str().unwrap();
    assert_eq!(with(&url, &[], 0o600), "refused");
    assert_eq!(with(&url, &[("PGPASSWORD", "wrong")], 0o600), "refused");
    assert_eq!(with(&url, &[("PGPASSWORD", "hunter2")], 0o600), "open");
    assert_eq!(with(&url, &[("PGPASSFILE", path)], 0o600), "open");
    // Others could have read it.
    assert_eq!(with(&url, &[("PGPASSFILE", path)], 0o644), "refused");
    // The URL comes first.
    let named = url.replace("plain@", "plain:wrong@");
    assert_eq!(with(&named, &[("PGPASSWORD", "hunter2")], 0o600), "refused");
    let nobody = url.replace("plain@", "");
    assert_eq!(
        with(&nobody, &[("PGPASSFILE", path), ("PGUSER", "plain")], 0o600),
        "open"
    );
}
