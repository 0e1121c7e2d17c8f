//! The SQL tables: what they are, how they are made and migrated, and what a server must be.
//!
//! Each table of [`Table`](super::super::tables::Table) is one of SQL, with the key and the record of each
//! row. Beside the record, contacts, subscribers, apps and their counts have columns that follow from it: for the
//! database's own unique indexes, for look-ups by hash, and for people with SQL tools, who read the views.
//! The record alone is what the store reads.

use std::time::Duration;

use tokio_postgres::config::TargetSessionAttrs;

use crate::error::{DatabaseError, OpenError};
use crate::model::identifier::CANONICAL_VERSION;
use crate::model::time::Timestamp;

use super::super::format::keys::{self, RowKey as _};
use super::super::format::meta::{
    FORMAT, FormatFound, FormatRow, IDN, State, decode_format, encode_format,
};
use super::super::format::record;
use super::super::guard::Failure;
use super::link::{Ask, Connection, Purpose};

/// The steps that make a schema, each done once, in order. A step that was released never changes.
const STEPS: [&str; 1] = [include_str!("schema_1.sql")];

/// The version of the schema that this crate works with.
const VERSION: u32 = STEPS.len() as u32;

/// Sets a new connection up, and refuses a server that cannot keep the promises.
pub(super) fn enter(
    connection: &mut Connection,
    purpose: Purpose,
    wanted: TargetSessionAttrs,
    within: Duration,
) -> Result<(), Failure> {
    let settings = &connection.server.settings;
    let patience = settings.patience.as_millis();
    // Before this side stops waiting for the answer, which tells what it waited for.
    let waits = patience.saturating_mul(3).div_euclid(4).max(1).to_string();
    let quoted = quoted(&settings.schema);
    let (lax, read_only) = (settings.lax, settings.read_only);
    // A host that is frozen or gone in the middle of a group holds up all others. The server ends its group
    // before those that wait lose their patience.
    let silence = patience.div_euclid(2).max(1).to_string();
    let idle = match purpose {
        Purpose::Writing => silence.clone(),
        // A snapshot may be held for long, whatever the server's own setting is.
        Purpose::Reading => "0".to_owned(),
    };
    // That a commit was not synchronized is told by a warning alone. What a commit waits for stays as it is
    // checked here, also when the server is set to something else meanwhile.
    let ask = Ask::new(
        "SELECT set_config('search_path', $1, false), \
                set_config('lock_timeout', $2, false), \
                set_config('client_min_messages', 'warning', false), \
                current_setting('server_encoding'), \
                set_config('synchronous_commit', current_setting('synchronous_commit'), false), \
                current_setting('transaction_read_only') = 'on' OR pg_is_in_recovery(), \
                set_config('idle_in_transaction_session_timeout', $3, false)",
        vec![Box::new(quoted), Box::new(waits), Box::new(idle)],
    );
    // Every statement has an index to go by. A plan made for a table that was empty, and kept, would read it from
    // end to end once it is large. A plan that is avoided counts as dear, and dear ones would be compiled first.
    // A host that takes no answer any more is like one that is frozen. Not every server has these settings.
    let silence = (purpose == Purpose::Writing).then_some(silence);
    let more = Ask::new(
        "SELECT set_config(name, wanted.value, false) \
           FROM (VALUES ('enable_seqscan', 'off'), ('jit', 'off'), ('tcp_user_timeout', $1)) \
                AS wanted (name, value) JOIN pg_settings USING (name) \
          WHERE wanted.value IS NOT NULL",
        vec![Box::new(silence)],
    );
    let answers = connection.ask_within(within, vec![ask, more])?;
    let row = answers.first().and_then(|rows| rows.first());
    let row = row.ok_or(NOT_OURS)?;
    let text = |at: usize| row.try_get::<_, String>(at).map_err(|_| NOT_OURS);
    if text(3)? != "UTF8" {
        return Err(Failure::Database(DatabaseError::Encoding));
    }
    if text(4)? == "off" && !lax {
        return Err(Failure::Database(DatabaseError::SynchronousCommitOff));
    }
    let takes_no_writes: bool = row.try_get(5).map_err(|_| NOT_OURS)?;
    let must_take_them = !read_only || wanted == TargetSessionAttrs::ReadWrite;
    match takes_no_writes {
        true if must_take_them => Err(Failure::Database(DatabaseError::ReadOnlyServer)),
        // It is not the one that the URL asks for, which may be reached yet.
        false if wanted == TargetSessionAttrs::ReadOnly => {
            Err(Failure::Database(DatabaseError::Unreachable))
        }
        _ => Ok(()),
    }
}

const NOT_OURS: Failure = Failure::Database(DatabaseError::NotOurSchema);

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The channel on which hosts tell each other that they wrote: the tables' own names are in the schema, channels
/// are in the database.
pub(super) fn channel(schema: &str) -> String {
    quoted(schema)
}

/// Whether the schema exists, how many tables it has, and the version that is written in it.
struct Found {
    is_there: bool,
    tables: i64,
    is_ours: bool,
}

/// Makes or migrates the tables, if that is asked for, and checks them. Gives what the store is.
pub(super) fn prepare(connection: &mut Connection, now: Timestamp) -> Result<FormatRow, OpenError> {
    let settings = connection.server.settings.clone();
    let found = look(connection, &settings.schema)?;
    if !found.is_ours {
        if found.tables > 0 || !settings.may_create {
            return Err(DatabaseError::NotOurSchema.into());
        }
        create(connection, &settings.schema, found.is_there, now)?;
    } else if settings.must_create {
        return Err(OpenError::AlreadyExists);
    }
    check(connection, settings.upgrade)
}

fn look(connection: &mut Connection, schema: &str) -> Result<Found, OpenError> {
    let ask = Ask::new(
        "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), \
                (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm')), \
                EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                  WHERE n.nspname = $1 AND c.relname = 'contact_store_schema')",
        vec![Box::new(schema.to_owned())],
    );
    let answers = connection.ask(vec![ask])?;
    let row = answers.first().and_then(|rows| rows.first());
    let row = row.ok_or(DatabaseError::NotOurSchema)?;
    let wrong = |_| DatabaseError::NotOurSchema;
    Ok(Found {
        is_there: row.try_get(0).map_err(wrong)?,
        tables: row.try_get(1).map_err(wrong)?,
        is_ours: row.try_get(2).map_err(wrong)?,
    })
}

/// Makes the tables of an empty store, in one transaction. Of several hosts that create at once, one does,
/// and the others find it done.
fn create(
    connection: &mut Connection,
    schema: &str,
    is_there: bool,
    now: Timestamp,
) -> Result<(), OpenError> {
    let mut random = [[0; 16]; 2];
    for bits in &mut random {
        getrandom::fill(bits).map_err(|_| OpenError::Random)?;
    }
    let format = FormatRow::new(FORMAT, random.map(u128::from_le_bytes), now);
    let format = encode_format(&keys::FORMAT_KEY.to_key(), &format).map_err(unreadable)?;
    let mut state = Vec::new();
    record::encode(&mut state, &keys::STATE_KEY.to_key(), &State::new()).map_err(unreadable)?;
    let mut asks = vec![
        Ask::plain("BEGIN ISOLATION LEVEL READ COMMITTED"),
        // Any number will do that no other program is likely to use.
        Ask::plain("SELECT pg_advisory_xact_lock(7022083146410164851)::text"),
    ];
    connection.ask(std::mem::take(&mut asks))?;
    if look(connection, schema)?.is_ours {
        connection.ask(vec![Ask::plain("ROLLBACK")])?;
        return Ok(());
    }
    let mut script = String::new();
    if !is_there {
        script.push_str(&format!("CREATE SCHEMA {};", quoted(schema)));
    }
    for step in STEPS {
        script.push_str(step);
    }
    connection.run(&script)?;
    connection.ask(vec![
        Ask::new(
            "INSERT INTO contact_store_schema (step) SELECT generate_series(1, $1)",
            vec![Box::new(i32::try_from(VERSION).unwrap_or(i32::MAX))],
        ),
        Ask::new(
            "INSERT INTO state (format, value, sequence) VALUES ($1, $2, 0)",
            vec![Box::new(format), Box::new(state)],
        ),
        Ask::plain("COMMIT"),
    ])?;
    Ok(())
}

fn unreadable(_: Failure) -> OpenError {
    OpenError::Damaged("the row that says what the store is")
}

/// The version that is written in the schema.
fn version(connection: &mut Connection) -> Result<u32, OpenError> {
    let version = Ask::plain("SELECT coalesce(max(step), 0) FROM contact_store_schema");
    let answers = connection.ask(vec![version])?;
    let row = answers.first().and_then(|rows| rows.first());
    let found: Option<i32> = row.and_then(|row| row.try_get(0).ok());
    let found = found.ok_or(DatabaseError::NotOurSchema)?;
    Ok(u32::try_from(found).unwrap_or_default())
}

/// Checks the version of the schema, migrates it when asked to, and checks what the store is.
fn check(connection: &mut Connection, upgrade: bool) -> Result<FormatRow, OpenError> {
    let found = version(connection)?;
    if found > VERSION {
        return Err(DatabaseError::NewerSchema {
            found,
            known: VERSION,
        }
        .into());
    }
    if found < VERSION {
        if !upgrade {
            return Err(DatabaseError::OldSchema {
                found,
                known: VERSION,
            }
            .into());
        }
        migrate(connection)?;
    }
    let answers = connection.ask(vec![Ask::plain("SELECT format FROM state")])?;
    let row = answers.first().and_then(|rows| rows.first());
    let record: Vec<u8> = row
        .and_then(|row| row.try_get(0).ok())
        .ok_or(OpenError::HalfCreated)?;
    let key = keys::FORMAT_KEY.to_key();
    match decode_format(&key, &record).map_err(unreadable)? {
        FormatFound::Foreign => Err(OpenError::Foreign),
        FormatFound::Newer(found) => Err(OpenError::NewerFormat {
            found,
            known: FORMAT,
        }),
        FormatFound::Known(format)
            if (format.canonical_version, format.idn) != (CANONICAL_VERSION, IDN) =>
        {
            Err(OpenError::OtherCanonicalForms {
                found: format.canonical_version,
                found_idn: format.idn,
                known: CANONICAL_VERSION,
                known_idn: IDN,
            })
        }
        FormatFound::Known(format) => Ok(format),
    }
}

/// Does the steps that are missing, in one transaction, while no host writes. Of several hosts that migrate at
/// once, one does, and the others find it done.
fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    connection.ask(vec![
        Ask::plain("BEGIN ISOLATION LEVEL READ COMMITTED"),
        Ask::plain("SELECT 1 FROM state FOR UPDATE"),
    ])?;
    let found = version(connection)?;
    let mut script = String::new();
    for (number, step) in (1_u32..).zip(STEPS) {
        if number > found {
            script.push_str(step);
            script.push_str(&format!(
                "INSERT INTO contact_store_schema (step) VALUES ({number});"
            ));
        }
    }
    script.push_str("COMMIT");
    connection.run(&script)?;
    Ok(())
}
