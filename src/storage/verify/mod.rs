//! Verifying a committed state: every row against every other that must agree with it, both ways.
//!
//! [`demands`] lists all that is demanded; [`rows`], [`indexes`], [`merges`], [`changes`] and
//! [`answers`] check it. Reads nothing but that state,
//! so it runs while others write. It does not repair, and it does not look at pages: those are verified at
//! opening.

mod answers;
mod changes;
mod demands;
mod indexes;
mod merges;
mod rows;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::app::{AppId, AppNumber};
use crate::model::identifier::ContactId;
use crate::model::sequence::SequenceNumber;

use super::committed::Committed;
use super::format::record::{self, Row};
use super::guard::Failure;
use super::read::Rows as _;
use super::tables::{Key, Table};
use super::unique::{IndexState, Place, Unfolded};
use changes::SeenChanges;
use demands::Demand;

/// No more problems than this are listed; all are counted.
const LISTED_PROBLEMS: usize = 1_000;

/// What [`verify`](crate::Snapshot::verify) found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The number of the state that was verified.
    pub sequence: SequenceNumber,
    /// Rows read, of all tables.
    pub rows: u64,
    /// Entries of the four indexes: one for each external id, phone, email and token.
    pub index_entries: u64,
    /// Changes of the indexes that their buckets do not have yet. They are in a log, which is read
    /// with the buckets: nothing is wrong with them.
    pub index_pending: u64,
    /// Entries of buckets that the log removes. They wait for being folded away.
    pub index_stale: u64,
    /// What is wrong, the first 1,000.
    pub problems: Vec<Problem>,
    /// How many things are wrong.
    pub problem_count: u64,
}

impl Verified {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }
}

/// One thing that is wrong in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The table.
    pub table: &'static str,
    /// The row: a contact id, subscriber id, app number, index key or number of a request. `None` where the key is or
    /// holds personal data, and where the problem is the table's.
    pub row: Option<u64>,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Verifies a committed state.
///
/// Damage that is found is a problem in the list; an error means that it could not be read at all.
pub(crate) fn verify(committed: &Committed) -> Result<Verified, Failure> {
    let mut check = Check::new(committed.clone());
    check.index_log()?;
    check.changes()?;
    check.each_row(Check::contact)?;
    check.each_row(Check::subscriber)?;
    check.index_entries()?;
    check.buckets()?;
    check.each_row(Check::app)?;
    check.tallies()?;
    check.apps_have_tallies();
    check.each_row(Check::message)?;
    check.taken_ids()?;
    check.each_row(Check::former_id)?;
    check.each_row(Check::merged_id)?;
    check.each_row(Check::merge)?;
    check.each_row(Check::merge_identifier)?;
    check.changes_without_card();
    check.each_row(Check::suppressed)?;
    check.each_row(Check::blocked)?;
    check.each_row(Check::blocked_entry)?;
    check.each_row(Check::conflict)?;
    check.each_row(Check::answer)?;
    check.each_row(Check::answer_key)?;
    check.counters();
    Ok(check.found)
}

/// What was seen on the way.
#[derive(Default)]
struct Seen {
    contacts: u64,
    /// The contact whose merges were seen last, and how many.
    merges: Option<(ContactId, usize)>,
    muted: u64,
    suppressed: u64,
    blocked: u64,
    conflicts: u64,
    of_app: BTreeMap<AppNumber, OfApp>,
    /// Apps that cards were created through.
    created_through: BTreeSet<AppNumber>,
    connected: BTreeMap<AppNumber, AppId>,
    with_tally: BTreeSet<AppNumber>,
}

/// The rows of one app that were seen.
#[derive(Default)]
struct OfApp {
    /// Contacts with a token.
    contacts: u64,
    subscribers: u64,
    /// The largest number of a subscriber.
    last_number: u64,
}

struct Check {
    committed: Committed,
    seen: Seen,
    state: IndexState,
    /// The changes of the indexes that are in the log.
    pending: HashMap<Place, Unfolded>,
    changes: SeenChanges,
    found: Verified,
}

/// How a key is named in a problem.
fn shown(key: &Key) -> Option<u64> {
    match key {
        Key::Int(key) => Some(*key),
        _ => None,
    }
}

impl Check {
    fn new(committed: Committed) -> Self {
        Check {
            seen: Seen::default(),
            state: IndexState::default(),
            pending: HashMap::new(),
            changes: SeenChanges::default(),
            found: Verified {
                sequence: committed.state().sequence,
                rows: 0,
                index_entries: 0,
                index_pending: 0,
                index_stale: 0,
                problems: Vec::new(),
                problem_count: 0,
            },
            committed,
        }
    }

    fn problem(&mut self, table: Table, row: Option<u64>, what: &'static str) {
        self.found.problem_count = self.found.problem_count.saturating_add(1);
        if self.found.problems.len() < LISTED_PROBLEMS {
            self.found.problems.push(Problem {
                table: table.name(),
                row,
                what,
            });
        }
    }

    /// Reports `demand` unless it is met.
    fn demand(&mut self, demand: Demand, row: impl Into<Option<u64>>, is_met: bool) {
        if !is_met {
            self.problem(demand.table, row.into(), demand.breach);
        }
    }

    /// A row that another one names. Damage counts as absence here: it is reported where the row
    /// itself is read.
    fn named<R: Row>(&self, key: &R::Key) -> Result<Option<R>, Failure> {
        absent_if_corrupt(self.committed.row(key))
    }

    /// Hands the rows of `table` from one key to another to `each`, in runs, so that it may read other
    /// tables.
    fn each_run(
        &mut self,
        table: Table,
        (mut first, last): (Key, Key),
        mut each: impl FnMut(&mut Self, &[(Key, Vec<u8>)]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const RUN: usize = 512;
        let mut skip_first = false;
        loop {
            let mut run: Vec<(Key, Vec<u8>)> = Vec::with_capacity(RUN);
            self.committed
                .walk(table, (&first, &last), true, &mut |key, bytes| {
                    if !(skip_first && key == first) {
                        run.push((key, bytes.to_vec()));
                    }
                    Ok(run.len() < RUN)
                })?;
            let Some((end, _)) = run.last() else {
                return Ok(());
            };
            (first, skip_first) = (end.clone(), true);
            each(self, &run)?;
            self.columns(table, &run)?;
        }
    }

    /// The columns beside the records of a database say what the records say: its indexes are over them, and its views
    /// show them.
    fn columns(&mut self, table: Table, run: &[(Key, Vec<u8>)]) -> Result<(), Failure> {
        let (unlike, entries) = self.committed.columns_unlike_records(table, run)?;
        for key in unlike {
            self.problem(table, shown(&key), "a column is not what its record says");
        }
        self.found.index_entries = self.found.index_entries.saturating_add(entries);
        Ok(())
    }

    /// Hands a row to `each`, in its decoded form, or reports that it is damaged.
    fn row<T>(
        &mut self,
        table: Table,
        (key, bytes): &(Key, Vec<u8>),
        decode: impl Fn(&Key, &[u8]) -> Result<T, Failure>,
        each: impl FnOnce(&mut Self, &Key, T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.found.rows = self.found.rows.saturating_add(1);
        match decode(key, bytes) {
            Ok(row) => each(self, key, row),
            Err(Failure::Corrupt(what)) => {
                self.problem(table, shown(key), what);
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Hands every row of `table` to `each`.
    fn each<T>(
        &mut self,
        table: Table,
        span: (Key, Key),
        decode: impl Fn(&Key, &[u8]) -> Result<T, Failure>,
        mut each: impl FnMut(&mut Self, &Key, T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.each_run(table, span, |check, run| {
            for row in run {
                check.row(table, row, &decode, &mut each)?;
            }
            Ok(())
        })
    }

    /// Hands every row of a table to `each`. What it reads for a run of them is read together, where that
    /// is faster.
    fn each_row<R: Row>(
        &mut self,
        each: impl Fn(&mut Self, R::Key, R) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let check_row = |check: &mut Self, row: &(Key, Vec<u8>)| {
            check.row(
                R::TABLE,
                row,
                record::decode_row::<R>,
                |check, _, (key, row)| each(check, key, row),
            )
        };
        self.each_run(R::TABLE, R::TABLE.span(), |check, run| {
            let ahead = check.committed.read_ahead(|known| {
                // What is found here is found again below.
                let mut dry = Check::new(known);
                run.iter().try_for_each(|row| check_row(&mut dry, row))
            })?;
            let committed = ahead.map(|ahead| std::mem::replace(&mut check.committed, ahead));
            let checked = run.iter().try_for_each(|row| check_row(check, row));
            check.committed = committed.unwrap_or_else(|| check.committed.clone());
            checked
        })
    }
}

fn absent_if_corrupt<T>(row: Result<Option<T>, Failure>) -> Result<Option<T>, Failure> {
    match row {
        Err(Failure::Corrupt(_)) => Ok(None),
        row => row,
    }
}
