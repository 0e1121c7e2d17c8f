//! A schema of the database, what is copied from one to another, and the lock that holds up its writers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use contact_store::{ContactStore, Error, Options, PostgresOptions};
use postgres::{Client, NoTls};

use crate::support::cases::HANG;

/// How many hosts the threads of one test are.
const HOSTS: usize = 3;

/// A schema with at most one store. Clones are of the same.
#[derive(Clone)]
pub struct Schema(Arc<Owned>);

struct Owned {
    url: String,
    name: String,
    /// Made by [`Schema::copy`]: it has all the tables, and others may have it afterwards.
    is_copy: bool,
}

/// Copies that nobody needs any more: filling one again is much cheaper than making one.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Owned {
    fn drop(&mut self) {
        if self.is_copy && !thread::panicking() {
            lock(&FREE).push(std::mem::take(&mut self.name));
        }
    }
}

fn new_name() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    format!("test_{}_{made}", std::process::id())
}

impl Schema {
    /// One that is made when a store is opened in it.
    pub(super) fn new(url: String) -> Self {
        Schema(Arc::new(Owned {
            url,
            name: new_name(),
            is_copy: false,
        }))
    }

    /// Opens the store, as one more host.
    pub fn open(&self, options: &Options) -> Result<ContactStore, Error> {
        let at = PostgresOptions::new(&self.0.url).schema(&self.0.name);
        ContactStore::connect(&at, options.clone())
    }

    /// The flags of a host that say where its store is.
    pub fn flags(&self) -> [String; 4] {
        let [url, name] = [&self.0.url, &self.0.name].map(String::clone);
        ["--store".into(), url, "--postgres-schema".into(), name]
    }

    /// The same for this many threads, which are those of [`HOSTS`] hosts.
    #[track_caller]
    pub fn open_for(&self, threads: usize, options: &Options) -> Vec<ContactStore> {
        let open = |_| self.open(options).unwrap();
        let hosts: Vec<ContactStore> = (0..HOSTS).map(open).collect();
        hosts.iter().cycle().take(threads).cloned().collect()
    }

    /// Another with the same rows. The store must be closed or gone.
    #[track_caller]
    pub fn copy(&self) -> Self {
        static CLIENT: Mutex<Option<Client>> = Mutex::new(None);
        let mut client = lock(&CLIENT);
        let client = client.get_or_insert_with(|| self.client());
        let from = &self.0.name;
        // Generated columns are computed anew.
        let query = "SELECT c.relname::text, string_agg(quote_ident(a.attname), ', ') \
                     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
                     WHERE c.relnamespace = $1::text::regnamespace AND c.relkind = 'r' \
                     AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
                     GROUP BY c.relname";
        let tables = client.query(query, &[from]).unwrap();
        let free = lock(&FREE).pop();
        let is_new = free.is_none();
        let to = free.unwrap_or_else(new_name);
        let mut script = String::from("BEGIN;");
        if is_new {
            script.push_str(&format!("CREATE SCHEMA {to};"));
        }
        for row in &tables {
            let (table, columns): (&str, &str) = (row.get(0), row.get(1));
            script.push_str(&match is_new {
                true => format!("CREATE TABLE {to}.{table} (LIKE {from}.{table} INCLUDING ALL);"),
                false => format!("DELETE FROM {to}.{table};"),
            });
            script.push_str(&format!(
                "INSERT INTO {to}.{table} ({columns}) SELECT {columns} FROM {from}.{table};"
            ));
        }
        script.push_str("COMMIT");
        client.batch_execute(&script).unwrap();
        Schema(Arc::new(Owned {
            url: self.0.url.clone(),
            name: to,
            is_copy: true,
        }))
    }

    /// Holds up all that write to the store from now on, until what this gives is dropped.
    #[track_caller]
    pub fn hold(&self) -> Held {
        let mut client = self.client();
        let name = &self.0.name;
        let lock = format!("BEGIN; SELECT FROM {name}.state FOR UPDATE");
        client.batch_execute(&lock).unwrap();
        Held(Box::new(Mutex::new(client)))
    }

    #[track_caller]
    fn client(&self) -> Client {
        Client::connect(&self.0.url, NoTls).unwrap()
    }
}

/// See [`Schema::hold`].
pub struct Held(Box<Mutex<Client>>);

impl Held {
    /// Waits until a writer is held up.
    #[track_caller]
    pub fn wait(&self) {
        let query = "SELECT EXISTS (SELECT FROM pg_stat_activity \
                     WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))";
        let began = Instant::now();
        loop {
            // What a transaction has seen of the others' activity, it sees again.
            let mut client = lock(&self.0);
            client
                .batch_execute("SELECT pg_stat_clear_snapshot()")
                .unwrap();
            if client.query_one(query, &[]).unwrap().get(0) {
                return;
            }
            assert!(began.elapsed() < HANG, "nobody writes");
            thread::sleep(Duration::from_millis(1));
        }
    }
}
