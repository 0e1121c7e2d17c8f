//! What the process takes in memory, where the system tells.

use std::fs;

/// How many bytes of the process are in memory, and how many there were at most since
/// [`forget_peak`].
pub fn resident() -> Option<(u64, u64)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some((kibibytes("VmRSS:")? << 10, kibibytes("VmHWM:")? << 10))
}

/// Has the system count the peak from now on. Where it does not, the peak is that of all steps so
/// far, which is no less.
pub fn forget_peak() {
    drop(fs::write("/proc/self/clear_refs", "5"));
}
