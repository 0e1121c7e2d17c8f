//! What is known of the rows while requests are decided.
//!
//! Requests are decided on what is known, and what they ask for beyond that counts as absent and is
//! noted. When anything was noted, it is read for all requests together, and they are decided anew:
//! what they decided meanwhile is dropped. So a group reads in as many round trips as one of its
//! rows leads to the next, however many requests it has. A round that asked for nothing that was unknown decided on
//! rows alone.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_postgres::Row;

use super::super::guard::Failure;
use super::super::read::Each;
use super::super::tables::{Key, Table};
use super::super::unique::{Index, IndexHash};
use super::fetch::{self, Fetched};
use super::keys;
use super::link::Ask;

/// Rows in the order of their keys, from one key to another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Span {
    table: Table,
    first: Key,
    last: Key,
    upwards: bool,
}

/// As much of a span as was read.
#[derive(Clone)]
struct Walked {
    rows: Arc<Vec<Fetched>>,
    is_whole: bool,
}

/// What was asked for and is not known.
#[derive(Default)]
struct Wanted {
    rows: BTreeMap<Table, BTreeSet<Key>>,
    hashes: [BTreeSet<i64>; Index::ALL.len()],
    /// With how many rows of it.
    spans: BTreeMap<Span, usize>,
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.spans.is_empty() && self.hashes.iter().all(BTreeSet::is_empty)
    }
}

/// Records by the places of their rows.
pub(super) type Records = HashMap<(Table, Key), Arc<[u8]>>;

#[derive(Default)]
struct Rows {
    rows: HashMap<(Table, Key), Option<Arc<[u8]>>>,
    candidates: HashMap<(usize, i64), Vec<u64>>,
    spans: HashMap<Span, Walked>,
    wanted: Wanted,
    /// Rows of earlier groups that change seldom. They stand in for rows that are not known yet.
    guesses: Records,
}

/// What is known while one group is decided.
#[derive(Default)]
pub(crate) struct Known {
    known: Mutex<Rows>,
}

/// How many rows of a span are read first. Each further time it is eight times as many.
const FIRST_ROWS: usize = 16;

impl Known {
    pub(super) fn guessing(guesses: Records) -> Self {
        let known = Rows {
            guesses,
            ..Rows::default()
        };
        Known {
            known: Mutex::new(known),
        }
    }

    // A panic while the lock is held leaves no half-made change that would be used.
    fn known(&self) -> MutexGuard<'_, Rows> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self, table: Table, key: &Key) -> Option<Arc<[u8]>> {
        let place = (table, key.clone());
        let mut known = self.known();
        if let Some(row) = known.rows.get(&place) {
            return row.clone();
        }
        known
            .wanted
            .rows
            .entry(table)
            .or_default()
            .insert(place.1.clone());
        known.guesses.get(&place).cloned()
    }

    /// Notes those of these rows that are not known.
    pub(super) fn foresee(&self, table: Table, keys: impl Iterator<Item = Key>) {
        let mut known = self.known();
        for key in keys {
            let place = (table, key);
            if !known.rows.contains_key(&place) {
                known.wanted.rows.entry(table).or_default().insert(place.1);
            }
        }
    }

    pub(super) fn candidates(&self, index: Index, hash: IndexHash) -> Vec<u64> {
        let hash = keys::hash(hash);
        let mut known = self.known();
        if let Some(ids) = known.candidates.get(&(index.number(), hash)) {
            return ids.clone();
        }
        if let Some(hashes) = known.wanted.hashes.get_mut(index.number()) {
            hashes.insert(hash);
        }
        Vec::new()
    }

    pub(super) fn walk(
        &self,
        table: Table,
        (first, last): (&Key, &Key),
        upwards: bool,
        each: &mut Each<'_>,
    ) -> Result<(), Failure> {
        let span = Span {
            table,
            first: first.clone(),
            last: last.clone(),
            upwards,
        };
        let walked = self.known().spans.get(&span).cloned();
        let Some(Walked { rows, is_whole }) = walked else {
            self.known().wanted.spans.insert(span, FIRST_ROWS);
            return Ok(());
        };
        for (key, record) in rows.iter() {
            if !each(key.clone(), record)? {
                return Ok(());
            }
        }
        if !is_whole {
            let more = rows.len().saturating_mul(8);
            self.known().wanted.spans.insert(span, more);
        }
        Ok(())
    }

    /// Whether anything was asked for that is not known.
    pub(in crate::storage) fn wants(&self) -> bool {
        !self.known().wanted.is_empty()
    }

    /// The statements that read what was asked for.
    pub(super) fn questions(&self) -> Result<Questions, Failure> {
        let wanted = std::mem::take(&mut self.known().wanted);
        let mut questions = Questions::default();
        for (index, hashes) in Index::ALL.into_iter().zip(&wanted.hashes) {
            if hashes.is_empty() {
                continue;
            }
            let hashes: Vec<i64> = hashes.iter().copied().collect();
            let (table, _) = keys::hashes_of(index);
            questions.add(fetch::with_hashes(index, &hashes), Answer::Hashes(index));
            if table == Table::Contacts {
                let subscribers = fetch::subscribers_with_hashes(index, &hashes);
                questions.add(subscribers, Answer::Rows(Table::Subscribers));
            }
            questions.hashes.push((index, hashes));
        }
        for (table, wanted) in wanted.rows {
            let wanted: Vec<Key> = wanted.into_iter().collect();
            questions.add(fetch::rows(table, &wanted)?, Answer::Rows(table));
            if table == Table::Contacts {
                let subscribers = fetch::subscribers_of(&wanted)?;
                questions.add(subscribers, Answer::Rows(Table::Subscribers));
            }
            questions.keys.push((table, wanted));
        }
        for (span, most) in wanted.spans {
            let most_rows = i64::try_from(most).unwrap_or(i64::MAX);
            let ends = (&span.first, &span.last);
            let ask = fetch::span(span.table, ends, span.upwards, most_rows);
            questions.add(ask, Answer::Span(span, most));
        }
        Ok(questions)
    }

    /// Takes in what was read.
    pub(super) fn learn(&self, questions: Questions, answers: &[Vec<Row>]) -> Result<(), Failure> {
        let mut known = self.known();
        // What is not among the answers is not there.
        for (table, keys) in questions.keys {
            for key in keys {
                known.rows.entry((table, key)).or_insert(None);
            }
        }
        for (index, hashes) in questions.hashes {
            for hash in hashes {
                known.candidates.entry((index.number(), hash)).or_default();
            }
        }
        for (answer, rows) in questions.answers.into_iter().zip(answers) {
            match answer {
                Answer::Rows(table) => {
                    for (key, record) in fetch::fetched(table, rows)? {
                        known.rows.insert((table, key), Some(record));
                    }
                }
                Answer::Hashes(index) => {
                    let (table, _) = keys::hashes_of(index);
                    for (row, (key, record)) in rows.iter().zip(fetch::fetched(table, rows)?) {
                        let hash: i64 = row.try_get(2).map_err(|_| keys::OTHER_TYPE)?;
                        if let Key::Int(id) = key
                            && let Entry::Occupied(mut ids) =
                                known.candidates.entry((index.number(), hash))
                        {
                            ids.get_mut().push(id);
                        }
                        known.rows.insert((table, key), Some(record));
                    }
                }
                Answer::Span(span, most) => {
                    let rows = fetch::fetched(span.table, rows)?;
                    for (key, record) in &rows {
                        let place = (span.table, key.clone());
                        known.rows.insert(place, Some(Arc::clone(record)));
                    }
                    let walked = Walked {
                        is_whole: rows.len() < most,
                        rows: Arc::new(rows),
                    };
                    known.spans.insert(span, walked);
                }
            }
        }
        Ok(())
    }

    /// The rows that are worth guessing next time: those of earlier groups, and those that were read since.
    /// None is guessed any more.
    pub(super) fn guesses(&self) -> Records {
        /// Those of connected apps: a host has few.
        const MOST: usize = 10_000;
        let mut known = self.known();
        let Rows { rows, guesses, .. } = &mut *known;
        if guesses.len() >= MOST {
            guesses.clear();
        }
        let read = rows
            .iter()
            .filter(|((table, _), _)| matches!(table, Table::Apps | Table::Meta));
        for (place, row) in read.take(MOST) {
            match row {
                Some(row) => guesses.insert(place.clone(), Arc::clone(row)),
                None => guesses.remove(place),
            };
        }
        std::mem::take(guesses)
    }
}

/// What the rows of an answer are.
enum Answer {
    Rows(Table),
    Hashes(Index),
    Span(Span, usize),
}

/// Statements that were not sent yet, and what their answers are.
#[derive(Default)]
pub(super) struct Questions {
    pub(super) asks: Vec<Ask>,
    answers: Vec<Answer>,
    keys: Vec<(Table, Vec<Key>)>,
    hashes: Vec<(Index, Vec<i64>)>,
}

impl Questions {
    fn add(&mut self, ask: Ask, answer: Answer) {
        self.asks.push(ask);
        self.answers.push(answer);
    }

    /// Sends the statements after those in `before`. Gives the answers to those.
    pub(super) fn ask(
        mut self,
        before: Vec<Ask>,
        known: &Known,
        ask: impl FnOnce(Vec<Ask>) -> Result<Vec<Vec<Row>>, Failure>,
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let count = before.len();
        let mut asks = before;
        asks.append(&mut self.asks);
        let mut answers = ask(asks)?;
        let own = answers.split_off(count.min(answers.len()));
        known.learn(self, &own)?;
        Ok(answers)
    }
}
