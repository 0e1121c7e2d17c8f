//! Tests of what the tests stand on, and of stores whose servers, connections and hosts fail.

mod changes;
mod clusters;
mod cuts;
mod failovers;
mod garbled;
mod hosting;
mod hosts;
mod measured;
mod moving;
mod proxies;
mod refusals;
mod restarts;
mod round_trips;
mod standbys;
mod stores;
mod tool;
mod verifying;

use postgres::{Client, NoTls};

/// Makes the table that these tests count rows of.
fn table(client: &mut Client) {
    client.batch_execute("CREATE TABLE t (n int8)").unwrap();
}

fn insert(client: &mut Client, number: i64) -> Result<u64, postgres::Error> {
    client.execute("INSERT INTO t VALUES ($1)", &[&number])
}

fn numbers(client: &mut Client) -> Vec<i64> {
    let rows = client.query("SELECT n FROM t ORDER BY n", &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[track_caller]
fn connect(url: &str) -> Client {
    Client::connect(url, NoTls).unwrap()
}
