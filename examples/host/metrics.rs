//! The figures of the store in the text format of Prometheus, version 0.0.4.

use contact_store::Stats;

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

pub(crate) fn text(stats: &Stats) -> String {
    format!("contact_store_contacts {}\n", stats.contacts)
}
