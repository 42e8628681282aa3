//! What this process uses of the machine.

use jiff::Timestamp;

/// What the process uses at a moment. What cannot be read is absent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessUsage {
    /// Memory that is resident, in bytes.
    pub(crate) resident_bytes: Option<u64>,
    /// CPU time of all threads since the start, in seconds.
    pub(crate) cpu_seconds: f64,
    /// When it started.
    pub(crate) started: Timestamp,
}

impl ProcessUsage {
    /// Reads it; `started` is the start of the process.
    pub(crate) fn read(started: Timestamp) -> Self {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        #[expect(clippy::cast_precision_loss, reason = "a process runs for less than 2^52 seconds")]
        let cpu_seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        Self { resident_bytes: resident_bytes(), cpu_seconds, started }
    }
}

/// The second number of `statm`, in pages.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
}
