//! What `verify()` says of the columns beside the records.

use contact_store::{ContactStore, Options, PostgresOptions, Problem};

use super::connect;
use super::moving::{assert_sound, fill};
use crate::cluster::shared;

fn problems(store: &ContactStore) -> Vec<Problem> {
    let verified = store.snapshot().unwrap().verify().unwrap();
    assert_eq!(
        verified.problem_count,
        u64::try_from(verified.problems.len()).unwrap()
    );
    verified.problems
}

#[test]
fn verify_names_each_row_with_a_column_that_is_not_what_its_record_says() {
    let Some(cluster) = shared() else { return };
    let place = cluster.database("columns");
    let store =
        ContactStore::connect(&PostgresOptions::new(&place.url), Options::default()).unwrap();
    fill(&store);
    assert_sound(&store);
    let mut client = connect(&place.url);
    client
        .batch_execute("SET search_path = contact_store")
        .unwrap();
    let changes = [
        ("contacts", "email = 'other@example.com'"),
        ("contacts", "email_hash = email_hash + 1"),
        ("contacts", "fields = '{}'"),
        ("subscribers", "token_hash = token_hash + 1"),
        ("subscribers", "app = app + 100"),
        ("apps", "name = 'Other bot'"),
        ("apps", "number = number + 100"),
        ("app_counts", "contacts = contacts + 1"),
        ("app_counts", "is_connected = NOT is_connected"),
    ];
    for (table, change) in changes {
        let first = format!("SELECT key FROM {table} ORDER BY key LIMIT 1");
        let key = client.query_one(&first, &[]).unwrap();
        client
            .batch_execute(&format!(
                "CREATE TABLE was AS SELECT * FROM {table}; \
                 UPDATE {table} SET {change} WHERE key = ({first})"
            ))
            .unwrap();
        // The counts are rows of another table in a file, after others.
        let (name, before) = match table {
            "app_counts" => ("meta", 1_u64 << 32),
            table => (table, 0),
        };
        // An app has no number as its key.
        let row: Option<i64> = key.try_get(0).ok();
        let row = row.map(|row| u64::try_from(row).unwrap() + before);
        let found = problems(&store);
        let shown: Vec<_> = found
            .iter()
            .map(|problem| (problem.table, problem.row, problem.what))
            .collect();
        let what = "a column is not what its record says";
        let mut wanted = vec![(name, row, what)];
        // Look-ups go by the hashes.
        if change.contains("_hash") {
            wanted.insert(0, (name, row, "a look-up does not find the row"));
        }
        assert_eq!(shown, wanted, "{table}: {change}");
        let (column, _) = change.split_once(' ').unwrap();
        client
            .batch_execute(&format!(
                "UPDATE {table} SET {column} = was.{column} FROM was WHERE was.key = {table}.key; \
                 DROP TABLE was"
            ))
            .unwrap();
        assert_sound(&store);
    }
}
