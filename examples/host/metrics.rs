//! The figures of the store in the text format of Prometheus, version 0.0.4.
//!
//! The store writes its own figures; those of the backups are written here.

use std::fmt::{self, Write as _};

use contact_store::Stats;

use super::backups::BackupStats;

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn text(stats: &Stats, backups: BackupStats) -> String {
    let mut text = String::with_capacity(8 << 10);
    let written = stats.write_prometheus(&mut text);
    match written.and_then(|()| write_backups(&mut text, backups)) {
        Ok(()) => text,
        // It does not happen: a `String` takes everything.
        Err(_) => String::new(),
    }
}

fn write_backups(text: &mut String, backups: BackupStats) -> fmt::Result {
    let BackupStats {
        made,
        failed,
        last_seconds,
        last_bytes,
    } = backups;
    write!(
        text,
        "\
# HELP contact_store_host_backups_total Backups since the start of the host.
# TYPE contact_store_host_backups_total counter
contact_store_host_backups_total{{outcome=\"made\"}} {made}
contact_store_host_backups_total{{outcome=\"failed\"}} {failed}
# HELP contact_store_host_last_backup_seconds When the last backup was made, in seconds since 1970; 0 if none since the start of the host.
# TYPE contact_store_host_last_backup_seconds gauge
contact_store_host_last_backup_seconds {last_seconds}
# HELP contact_store_host_last_backup_bytes Length of the last backup; 0 if none since the start of the host.
# TYPE contact_store_host_last_backup_bytes gauge
contact_store_host_last_backup_bytes {last_bytes}
"
    )
}
