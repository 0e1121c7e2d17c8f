//! The figures of the store in the text format of Prometheus, version 0.0.4.
//!
//! It does not know what the figures are: the store writes them itself.

use contact_store::Stats;

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn text(stats: &Stats) -> String {
    let mut text = String::with_capacity(8 << 10);
    match stats.write_prometheus(&mut text) {
        Ok(()) => text,
        // It does not happen: a `String` takes everything.
        Err(_) => String::new(),
    }
}
