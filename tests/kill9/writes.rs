//! `kill -9` after each write that reaches the disk: `strace` stops the whole program at each `fdatasync` (which is a
//! transaction of the state, or a mail's file), the test counts them, lets it go on, and kills it at the chosen one.

use std::io::BufRead;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cases::{Case, cases};
use crate::gated_host::{GatedHost, Running};
use crate::stops::each;
use crate::support::folder::LASTGOOD;

/// The system calls that write to the disk.
const WRITES: &str = "fdatasync,fsync";

/// The program, stopped at each of its writes. It is the child itself; `strace` runs beside it.
pub fn start(host: &GatedHost, arguments: &[&str]) -> Running {
    let mut command = Command::new("strace");
    command.args([
        "-D",
        "-f",
        "-qq",
        "-e",
        &format!("trace={WRITES}"),
        "-e",
        &format!("inject={WRITES}:signal=SIGSTOP"),
    ]);
    host.start_by(command.arg(LASTGOOD).args(arguments), None)
}

/// Continues it at each write. Kills it at write `last`, or asks it to stop once its mail is there. How many writes there
/// were.
pub fn count(mut running: Running, last: Option<usize>, mail_is_there: impl Fn() -> bool) -> usize {
    let id = running.id();
    let signal = |name: &str| {
        // It may be gone by now.
        let _ = Command::new("kill").args([name, &id]).stderr(Stdio::null()).status();
    };
    let (mut seen, mut let_go) = (0, 0);
    let said = running.take_stderr();
    for line in said.lines().map_while(Result::ok) {
        if line.contains("--- SIGSTOP") {
            seen += 1;
            if last == Some(seen) {
                signal("-KILL");
            }
        }
        if line.contains("stopped by SIGSTOP") && let_go < seen {
            let_go = seen;
            // The state may be locked while the program is stopped, so the mail is what shows that the run is over.
            if mail_is_there() {
                signal("-TERM");
            }
            signal("-CONT");
        }
    }
    seen
}

/// Whether it was killed: the number of writes varies a little.
fn killed_after(case: &Case, write: usize) -> bool {
    let host = case.host();
    host.record_due(case.kind);
    let seen = count(start(&host, &["daemon"]), Some(write), || !host.mails().is_empty());
    assert!(seen >= write || !host.mails().is_empty(), "{}: {seen} of {write} writes", case.name);
    host.settle(None);
    case.check(&host, &format!("killed after write {write}"));
    seen >= write
}

#[test]
#[ignore = "needs strace and minutes: `.ci/kill` runs it"]
fn a_daemon_killed_after_any_write_ends_its_run_as_if_it_were_not() {
    let cases = cases();
    let mut stops = Vec::new();
    for case in &cases {
        let host = case.host();
        host.record_due(case.kind);
        let writes = count(start(&host, &["daemon"]), None, || !host.mails().is_empty());
        case.check(&host, "undisturbed");
        assert!(writes > 15, "{}: {writes}", case.name);
        stops.extend((1..=writes).map(|write| (case, write)));
    }
    let killed = AtomicUsize::new(0);
    each(&stops, |(case, write)| {
        killed.fetch_add(usize::from(killed_after(case, *write)), Ordering::Relaxed);
    });
    let (killed, stops) = (killed.into_inner(), stops.len());
    assert!(killed * 10 >= stops * 9, "{killed} of {stops}");
}
