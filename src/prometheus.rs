//! Stats in the text format of Prometheus, version 0.0.4.
//!
//! Units are seconds and bytes, as is usual there. This module does not know how the stats are
//! counted.

use std::fmt::{self, Display, Write};

use crate::stats::{DatabaseStats, Histogram, OperationStats, Stats};

impl Stats {
    /// Writes the stats in the text format of Prometheus, version 0.0.4 (`text/plain;
    /// version=0.0.4`).
    ///
    /// The names of all metrics begin with `contact_store_`.
    ///
    /// Histograms are cumulative and have the same buckets everywhere, so those of several hosts
    /// can be added. The text contains no personal data.
    ///
    /// ```
    /// # use contact_store::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = ContactStore::open_in_memory(Options::default())?;
    /// let mut text = String::new();
    /// store.stats()?.write_prometheus(&mut text)?;
    /// assert!(text.contains("\ncontact_store_contacts 0\n"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of writing to `to`. Writing to a `String` does not fail.
    pub fn write_prometheus(&self, to: &mut impl Write) -> fmt::Result {
        let mut text = Text(to);
        text.amounts(self)?;
        text.queue(self)?;
        text.commits(self)?;
        text.database(&self.database.unwrap_or_default())?;
        text.operations(&self.operations)
    }
}

struct Text<'t, W>(&'t mut W);

impl<W: Write> Text<'_, W> {
    fn amounts(&mut self, stats: &Stats) -> fmt::Result {
        self.family(
            "info",
            "gauge",
            "Version of the library, and the engine of the store.",
        )?;
        let labels = [("version", stats.version), ("engine", stats.engine)];
        self.sample("info", &labels, 1)?;
        self.gauge(
            "sequence",
            "Number of the last durable state.",
            stats.sequence.value(),
        )?;
        self.gauge("contacts", "Contacts.", stats.contacts)?;
        self.gauge(
            "subscribers",
            "Live tokens of connected apps.",
            stats.subscribers,
        )?;
        self.gauge("apps", "Connected apps.", stats.apps)?;
        self.gauge(
            "muted_subscribers",
            "Subscribers that have a mute, ended or not.",
            stats.muted,
        )?;
        self.gauge(
            "suppressed_identifiers",
            "Identifiers of erased contacts that are suppressed.",
            stats.suppressed,
        )?;
        self.gauge(
            "most_suppressed_identifiers",
            "The most identifiers that may be suppressed.",
            stats.most_suppressed,
        )?;
        self.gauge(
            "blocked_tokens",
            "Tokens removed by FAILED that can be brought back.",
            stats.blocked,
        )?;
        self.gauge(
            "most_blocked_tokens",
            "The most of these that are remembered.",
            stats.most_blocked,
        )?;
        self.gauge(
            "conflicts",
            "Pairs of contacts on the list of conflicts.",
            stats.conflicts,
        )?;
        self.gauge(
            "most_conflicts",
            "The most of these that are listed.",
            stats.most_conflicts,
        )?;
        self.family(
            "conflicts_not_kept_total",
            "counter",
            "Pairs of contacts that were not listed because the list of conflicts was full.",
        )?;
        self.sample("conflicts_not_kept_total", &[], stats.conflicts_not_kept)?;
        self.gauge("merged", "Contacts merged into others.", stats.merged)?;
        self.gauge("file_bytes", "Length of the file.", stats.file_bytes)?;
        self.gauge(
            "cache_limit_bytes",
            "Most memory for cached pages.",
            stats.cache_bytes,
        )?;
        self.gauge(
            "index_bytes",
            "Memory that the indexes take.",
            stats.index_bytes,
        )?;
        self.gauge(
            "index_pending",
            "Changes of the indexes that wait to be folded.",
            stats.index_pending,
        )?;
        self.gauge(
            "index_damaged",
            "1 when a part of the indexes in the file was found damaged.",
            u8::from(stats.index_is_damaged),
        )?;
        self.gauge(
            "card_bytes",
            "Memory that the cached cards take.",
            stats.card_bytes,
        )?;
        let changes = stats.changes;
        self.gauge(
            "changes_kept",
            "Changes that the change feed keeps, 0 while it is off.",
            changes.map_or(0, |changes| changes.kept),
        )?;
        self.gauge(
            "changes_kept_limit",
            "Changes that the change feed is to keep, 0 while it is off.",
            changes.map_or(0, |changes| changes.most),
        )?;
        let answers = stats.answers;
        self.gauge(
            "answers_kept",
            "Answers kept of requests with an idempotency key, 0 while none are kept.",
            answers.map_or(0, |answers| answers.kept),
        )?;
        self.gauge(
            "answers_kept_limit",
            "Answers to keep of requests with an idempotency key, 0 while none are kept.",
            answers.map_or(0, |answers| answers.most),
        )?;
        self.family(
            "repeated_requests_total",
            "counter",
            "Requests that repeated another one under its idempotency key.",
        )?;
        self.sample(
            "repeated_requests_total",
            &[],
            answers.map_or(0, |answers| answers.repeated),
        )?;
        self.gauge(
            "needs_reopen",
            "1 while the store refuses writes after a failure.",
            u8::from(stats.needs_reopen),
        )?;
        self.gauge(
            "file_moved",
            "1 while the file of the store is not at its path.",
            u8::from(stats.file_moved),
        )?;
        self.gauge(
            "oldest_snapshot_seconds",
            "Age of the oldest state that a snapshot keeps in the file, 0 if none.",
            stats.oldest_snapshot.unwrap_or_default().as_secs_f64(),
        )
    }

    fn queue(&mut self, stats: &Stats) -> fmt::Result {
        self.gauge(
            "waiting_requests",
            "Requests in the queue.",
            stats.waiting_requests,
        )?;
        self.gauge(
            "waiting_text_bytes",
            "Text of the requests in the queue.",
            stats.waiting_text_bytes,
        )
    }

    fn commits(&mut self, stats: &Stats) -> fmt::Result {
        self.family("commits_total", "counter", "Durable commits.")?;
        self.sample("commits_total", &[], stats.commits)?;
        self.family("failed_commits_total", "counter", "Commits that failed.")?;
        self.sample("failed_commits_total", &[], stats.failed_commits)?;
        self.histogram(
            "commit_seconds",
            "Time to write a commit and make it durable.",
            &stats.commit_latency,
            |took| took.as_secs_f64(),
        )?;
        self.histogram(
            "commit_requests",
            "Requests that shared a commit.",
            &stats.group_sizes,
            |size| size,
        )
    }

    /// All 0 of a store in a file.
    fn database(&mut self, database: &DatabaseStats) -> fmt::Result {
        self.gauge(
            "database_connections",
            "Open connections to the database, 0 of a store in a file.",
            database.open_connections,
        )?;
        self.gauge(
            "database_connections_idle",
            "Open connections that wait for a snapshot, 0 of a store in a file.",
            database.idle_connections,
        )?;
        self.gauge(
            "database_connections_limit",
            "Most connections that may be open, 0 of a store in a file.",
            database.most_connections,
        )?;
        for (name, help, value) in [
            (
                "database_connections_made_total",
                "Connections made to the database, 0 of a store in a file.",
                database.connections_made,
            ),
            (
                "database_failures_total",
                "Connections to the database that could not be made, or were lost, 0 of a store in a file.",
                database.failures,
            ),
            (
                "database_round_trips_total",
                "How often the database was asked and waited for, 0 of a store in a file.",
                database.round_trips,
            ),
        ] {
            self.family(name, "counter", help)?;
            self.sample(name, &[], value)?;
        }
        self.gauge(
            "database_since_answer_seconds",
            "Time since the database answered last, 0 of a store in a file.",
            database.since_answer.as_secs_f64(),
        )
    }

    fn operations(&mut self, operations: &[OperationStats]) -> fmt::Result {
        self.family(
            "requests_total",
            "counter",
            "Requests answered, by what was asked.",
        )?;
        for stats in operations {
            for (outcome, count) in [("accepted", stats.accepted), ("refused", stats.refused)] {
                let labels = [("operation", stats.operation), ("outcome", outcome)];
                self.sample("requests_total", &labels, count)?;
            }
        }
        self.family(
            "entries_total",
            "counter",
            "The outcomes of the entries of accepted requests. One of addTokens counts twice: \
             its contact and its token.",
        )?;
        for stats in operations {
            for (outcome, count) in &stats.outcomes {
                let labels = [("operation", stats.operation), ("outcome", *outcome)];
                self.sample("entries_total", &labels, count)?;
            }
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) -> fmt::Result {
        self.family(name, "gauge", help)?;
        self.sample(name, &[], value)
    }

    fn histogram<T: Copy, V: Display>(
        &mut self,
        name: &str,
        help: &str,
        of: &Histogram<T>,
        shown: impl Fn(T) -> V,
    ) -> fmt::Result {
        self.family(name, "histogram", help)?;
        let bucket = format!("{name}_bucket");
        for (bound, count) in &of.buckets {
            let bound = shown(*bound).to_string();
            self.sample(&bucket, &[("le", bound.as_str())], count)?;
        }
        self.sample(&bucket, &[("le", "+Inf")], of.count)?;
        self.sample(&format!("{name}_sum"), &[], shown(of.sum))?;
        self.sample(&format!("{name}_count"), &[], of.count)
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) -> fmt::Result {
        writeln!(self.0, "# HELP contact_store_{name} {help}")?;
        writeln!(self.0, "# TYPE contact_store_{name} {kind}")
    }

    /// Label values are words of this crate, which need no escaping.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) -> fmt::Result {
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, word)| format!("{label}=\"{word}\""))
            .collect();
        match labels.as_slice() {
            [] => writeln!(self.0, "contact_store_{name} {value}"),
            labels => writeln!(
                self.0,
                "contact_store_{name}{{{}}} {value}",
                labels.join(",")
            ),
        }
    }
}
