//! What happens while the demo's service runs: an answer that is lost, a provider that is out of order for a moment,
//! and a person who makes room on the server that failed.

use std::time::Duration;

use crate::cli::demo::interrupt::Interrupt;
use crate::cli::demo::sandbox::Sandbox;
use crate::cli::output::line;
use crate::simulator::{Act, Call, Effect, Kind, Pick, Rule};

/// Plays the script, one after the other: about 40 seconds.
pub(super) async fn play(sandbox: &Sandbox, interrupt: &Interrupt) {
    say("Due times come every 6 seconds (snapshots) and every 18 (backups). Each run looks at all points of the\n\
         server, makes room only if it must, makes the new point, waits until it is completed, and only then prunes.\n\
         web-server-03 has no room, and the snapshots there are people's: its runs fail, and one mail says so.");
    interrupt.pause(Duration::from_secs(10)).await;

    let effect = Effect::Reset { carried_out: true };
    sandbox.simulator.add_fault(Rule::new(effect).call(Call::Create).server("web-server-01").times(1));
    say("A fault: the provider makes the next point of web-server-01, but the connection breaks before the answer.\n\
         Asking again could make two. So lastgood looks for its mark in the list, and adopts the point that is there.");
    struck(sandbox, interrupt).await;
    interrupt.pause(Duration::from_secs(6)).await;

    sandbox.simulator.clear_faults();
    sandbox.simulator.add_fault(Rule::new(Effect::status(503)).call(Call::List).times(2));
    say("Another: the provider answers the next two looks at a list with 503. Reads are simply tried again.");
    struck(sandbox, interrupt).await;
    interrupt.pause(Duration::from_secs(6)).await;

    sandbox.simulator.clear_faults();
    let pick = Pick { kind: Kind::Snapshot, id: None, server: Some("web-server-03".into()), oldest: true };
    let deleted = (0..2).filter(|_| sandbox.simulator.act(&Act::DeletePoint(pick.clone())).is_ok()).count();
    say(&format!(
        "A person has read the mail and deletes the {deleted} oldest snapshots of web-server-03 by hand.\n\
         The next run there has room again, and a mail says that the trouble is over."
    ));
    interrupt.pause(Duration::from_secs(12)).await;
    at_rest(sandbox, interrupt).await;
    say("That is enough. The service is asked to end: it begins nothing new and closes its journal.");
}

fn say(text: &str) {
    line("");
    for (number, text) in text.lines().enumerate() {
        let bullet = if number == 0 { "*" } else { " " };
        line(&format!("  {bullet} {}", text.trim()));
    }
    line("");
}

/// Waits until no point is in progress and no due time is near, for a limited time.
async fn at_rest(sandbox: &Sandbox, interrupt: &Interrupt) {
    for _ in 0..150 {
        let pending = sandbox.simulator.with_account(|account| {
            let kinds = [Kind::Backup, Kind::Snapshot];
            kinds.into_iter().flat_map(|kind| account.points(kind)).any(|point| point.status == "in_progress")
        });
        if interrupt.is_requested() || (!pending && matches!(sandbox.clock.now().as_second() % 6, 4)) {
            return;
        }
        interrupt.pause(Duration::from_millis(100)).await;
    }
}

/// Waits until the fault has struck, for a limited time.
async fn struck(sandbox: &Sandbox, interrupt: &Interrupt) {
    for _ in 0..80 {
        if interrupt.is_requested() || sandbox.simulator.faults().iter().all(|armed| armed.struck > 0) {
            return;
        }
        interrupt.pause(Duration::from_millis(100)).await;
    }
}
