//! How much of everything is done.

/// How much one size of store is put through.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How often the sides take their turns.
    pub rounds: u64,
    /// How often for what needs a process, or files of its own.
    pub openings: u64,
    /// Look-ups in a round.
    pub finds: u64,
    /// Look-ups before anything is timed.
    pub warming: u64,
    /// Durable adds of one caller in a round.
    pub adds: u64,
    /// Durable adds of each of 64 callers in a round.
    pub adds_of_each: u64,
    /// What each thread does in a round of reads and writes mixed.
    pub mixed: u64,
    /// Requests of 3,000 entries before a kill, and before memory is counted.
    pub requests: u64,
    /// People who are looked at to see that a store is whole.
    pub checked: u64,
}

impl Plan {
    /// A store of 10,000 contacts takes less, so that it stays near its size.
    pub fn of(size: u64, quick: bool) -> Self {
        if quick {
            return Plan {
                rounds: 3,
                openings: 2,
                finds: 1_000,
                warming: 2_000,
                adds: 20,
                adds_of_each: 2,
                mixed: 60,
                requests: 1,
                checked: 2_000,
            };
        }
        let is_small = size < 100_000;
        Plan {
            rounds: 7,
            openings: 5,
            finds: 20_000,
            warming: size.min(100_000),
            adds: if is_small { 100 } else { 500 },
            adds_of_each: if is_small { 8 } else { 32 },
            mixed: if is_small { 400 } else { 2_000 },
            requests: if is_small { 1 } else { 10 },
            checked: size.min(100_000),
        }
    }
}
