//! The figures of the store in the text format of Prometheus, version 0.0.4.
//!
//! Units are seconds and bytes, as there is the custom. What is counted, is counted since the store
//! was opened. It does not know how the figures come to be.

use std::fmt::{Arguments, Display};

use contact_store::{OperationFigures, Stats};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn text(stats: &Stats) -> String {
    let mut text = Text(String::with_capacity(8 << 10));
    text.amounts(stats);
    text.queue(stats);
    text.commits(stats);
    text.operations(&stats.operations);
    text.0
}

struct Text(String);

impl Text {
    fn amounts(&mut self, stats: &Stats) {
        self.gauge(
            "sequence",
            "Number of the last durable state.",
            stats.sequence.value(),
        );
        self.gauge("contacts", "Contacts.", stats.contacts);
        self.gauge(
            "subscribers",
            "Live tokens of connected apps.",
            stats.subscribers,
        );
        self.gauge("apps", "Connected apps.", stats.apps);
        self.gauge("file_bytes", "Length of the file.", stats.file_bytes);
        self.gauge(
            "cache_limit_bytes",
            "Most memory for cached pages.",
            stats.cache_bytes,
        );
        self.gauge(
            "needs_reopen",
            "1 while the store takes no writes after a failure.",
            u8::from(stats.needs_reopen),
        );
        self.gauge(
            "file_moved",
            "1 while the file of the store is not at its path.",
            u8::from(stats.file_moved),
        );
    }

    fn queue(&mut self, stats: &Stats) {
        self.gauge(
            "waiting_requests",
            "Requests in the queue.",
            stats.waiting_requests,
        );
        self.gauge(
            "waiting_text_bytes",
            "Text of the requests in the queue.",
            stats.waiting_text_bytes,
        );
    }

    fn commits(&mut self, stats: &Stats) {
        self.family("commits_total", "counter", "Durable commits.");
        self.sample("commits_total", &[], stats.commits);
        self.family("failed_commits_total", "counter", "Commits that failed.");
        self.sample("failed_commits_total", &[], stats.failed_commits);
        let took = &stats.commit_latency;
        self.summary(
            "commit_seconds",
            "Time to write a commit and make it durable, since the store was opened.",
            [took.p50, took.p99, took.max].map(|took| took.as_secs_f64()),
            took.sum.as_secs_f64(),
            took.count,
        );
        // Exact up to 2^53 requests in one commit.
        let sizes = &stats.group_sizes;
        self.summary(
            "commit_requests",
            "Requests that shared a commit, since the store was opened.",
            [sizes.p50, sizes.p99, sizes.max].map(|size| size as f64),
            sizes.sum,
            sizes.count,
        );
    }

    fn operations(&mut self, operations: &[OperationFigures]) {
        self.family(
            "requests_total",
            "counter",
            "Requests answered, by what was asked.",
        );
        for figures in operations {
            for (outcome, count) in [("accepted", figures.accepted), ("refused", figures.refused)] {
                let labels = [("operation", figures.operation), ("outcome", outcome)];
                self.sample("requests_total", &labels, count);
            }
        }
        self.family(
            "entries_total",
            "counter",
            "What became of the entries of accepted requests. One of addTokens counts twice: \
             its contact and its token.",
        );
        for figures in operations {
            for (outcome, count) in &figures.outcomes {
                let labels = [("operation", figures.operation), ("outcome", *outcome)];
                self.sample("entries_total", &labels, count);
            }
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// `quantiles`: half, 99 in 100, all. Of nothing there are none.
    fn summary(
        &mut self,
        name: &str,
        help: &str,
        quantiles: [f64; 3],
        sum: impl Display,
        count: u64,
    ) {
        self.family(name, "summary", help);
        for (quantile, value) in ["0.5", "0.99", "1"].into_iter().zip(quantiles) {
            let value = if count == 0 { f64::NAN } else { value };
            self.sample(name, &[("quantile", quantile)], value);
        }
        self.sample(&format!("{name}_sum"), &[], sum);
        self.sample(&format!("{name}_count"), &[], count);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP contact_store_{name} {help}"));
        self.line(format_args!("# TYPE contact_store_{name} {kind}"));
    }

    /// Values of labels are words of the library, in which nothing needs to be escaped.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, word)| format!("{label}=\"{word}\""))
            .collect();
        let labels = match labels.as_slice() {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        self.line(format_args!("contact_store_{name}{labels} {value}"));
    }

    fn line(&mut self, line: Arguments<'_>) {
        self.0.push_str(&format!("{line}\n"));
    }
}
