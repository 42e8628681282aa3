//! What happens while the demo's service runs: an answer is lost, the provider fails for a moment, and a person makes
//! room on the server that failed.

use std::time::Duration;

use crate::cli::demo::interrupt::Interrupt;
use crate::cli::demo::sandbox::Sandbox;
use crate::cli::output::line;
use crate::simulator::{Call, Effect, PersonAction, Pick, PointKind, Rule};

/// Runs the script, which takes about 40 seconds.
pub(super) async fn run(sandbox: &Sandbox, interrupt: &Interrupt) {
    say(
        "Due times come every 6 seconds (snapshots) and every 18 (backups). Each run reads all points of the server,\n\
         makes room only if it must, creates the new point, waits until it is completed, and only then prunes.\n\
         web-server-03 has no room, and its snapshots are people's: its runs fail, and one mail says so.",
    );
    interrupt.pause(Duration::from_secs(10)).await;

    let effect = Effect::Reset { carried_out: true };
    sandbox.simulator.add_fault(Rule::new(effect).call(Call::Create).server("web-server-01").times(1));
    say(
        "A fault: the provider creates the next point of web-server-01, but the connection breaks before the answer.\n\
         Sending the create again could make two. So lastgood looks for its mark in the list and adopts that point.",
    );
    struck(sandbox, interrupt).await;
    interrupt.pause(Duration::from_secs(6)).await;

    sandbox.simulator.clear_faults();
    sandbox.simulator.add_fault(Rule::new(Effect::status(503)).call(Call::List).times(2));
    say("Another fault: the provider answers the next two list requests with 503. Reads are simply retried.");
    struck(sandbox, interrupt).await;
    interrupt.pause(Duration::from_secs(6)).await;

    sandbox.simulator.clear_faults();
    let pick = Pick { kind: PointKind::Snapshot, id: None, server: Some("web-server-03".into()), oldest: true };
    let deleted = (0..2).filter(|_| sandbox.simulator.act(&PersonAction::DeletePoint(pick.clone())).is_ok()).count();
    say(&format!(
        "A person has read the mail and deletes the {deleted} oldest snapshots of web-server-03 by hand.\n\
         The next run there has room again, and a mail reports the recovery."
    ));
    interrupt.pause(Duration::from_secs(12)).await;
    until_idle(sandbox, interrupt).await;
    say("Now the service is shut down: it starts nothing new and closes its journal.");
}

fn say(text: &str) {
    line("");
    for (number, text) in text.lines().enumerate() {
        let bullet = if number == 0 { "*" } else { " " };
        line(&format!("  {bullet} {}", text.trim()));
    }
    line("");
}

/// Waits, for a limited time, until no point is in progress and no due time is near.
async fn until_idle(sandbox: &Sandbox, interrupt: &Interrupt) {
    for _ in 0..150 {
        let pending = sandbox.simulator.with_account(|account| {
            let kinds = [PointKind::Backup, PointKind::Snapshot];
            kinds.into_iter().flat_map(|kind| account.points(kind)).any(|point| point.status == "in_progress")
        });
        if interrupt.is_requested() || (!pending && matches!(sandbox.clock.now().as_second() % 6, 4)) {
            return;
        }
        interrupt.pause(Duration::from_millis(100)).await;
    }
}

/// Waits, for a limited time, until the fault has occurred.
async fn struck(sandbox: &Sandbox, interrupt: &Interrupt) {
    for _ in 0..80 {
        if interrupt.is_requested() || sandbox.simulator.faults().iter().all(|armed| armed.struck > 0) {
            return;
        }
        interrupt.pause(Duration::from_millis(100)).await;
    }
}
