//! The rules for power: what is stopped, started and left off.

use super::*;

#[tokio::test]
async fn a_server_that_stays_stopped_is_flagged() {
    for (start, broken) in [(false, vec![Invariant::LeftStopped]), (true, vec![])] {
        let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
        wild.power("stop").await;
        wild.wait(5);
        if start {
            wild.power("start").await;
            wild.wait(5);
        }
        assert_eq!(wild.broken(), broken);
    }
}

#[tokio::test]
async fn a_create_while_the_server_is_on_its_way_up_again_is_flagged() {
    for (start, broken) in [(true, vec![Invariant::MadeRunning]), (false, vec![])] {
        let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
        wild.power("stop").await;
        wild.wait(5);
        if start {
            wild.power("start").await;
        }
        wild.create("aaaaaaaa", TODAY).await;
        if !start {
            wild.power("start").await;
        }
        wild.wait(5);
        assert_eq!(wild.broken(), broken);
    }
    let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
    wild.power("stop").await;
    wild.wait(5);
    wild.act(PersonAction::SetStatus { server: json!(SERVER), status: "active".to_owned() });
    wild.create("aaaaaaaa", TODAY).await;
    assert_eq!(wild.broken(), [], "a person started it just now");
}

#[tokio::test]
async fn power_that_nobody_asked_for_is_flagged() {
    let wild = Wild::new(free());
    wild.power("stop").await;
    wild.wait(5);
    wild.power("start").await;
    wild.wait(5);
    assert_eq!(wild.broken(), [Invariant::PowerUnasked]);
    let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
    wild.act(PersonAction::SetStatus { server: json!(SERVER), status: "stopped".to_owned() });
    wild.power("start").await;
    assert_eq!(wild.broken(), [Invariant::PowerUnasked], "a person stopped it");
    for (seconds, broken) in [(60, vec![]), (600, vec![Invariant::PowerUnasked])] {
        let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
        wild.power("stop").await;
        wild.wait(5);
        wild.power("start").await;
        wild.wait(5 + seconds);
        wild.act(PersonAction::SetStatus { server: json!(SERVER), status: "stopped".to_owned() });
        wild.power("start").await;
        wild.wait(5);
        assert_eq!(wild.broken(), broken, "a person stopped it {seconds} s after it ran again");
    }
    let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
    wild.power("hard_stop").await;
    wild.power("start").await;
    wild.wait(5);
    assert_eq!(wild.broken(), [Invariant::HardStop]);
}

#[tokio::test]
async fn a_start_before_the_server_reads_stopped_is_flagged() {
    for (wait, slow, broken) in
        [(0, false, vec![Invariant::StartedUnread]), (0, true, vec![Invariant::StartedUnread]), (5, false, vec![])]
    {
        let slow_shutdown = Duration::from_secs(if slow { 3 } else { 0 });
        let wild = Wild::new(Options { slow_shutdown, ..free() }).policy(|policy| policy.stop_server = true);
        wild.power("stop").await;
        wild.wait(wait);
        wild.power("start").await;
        wild.wait(5);
        assert_eq!(wild.broken(), broken, "{wait} {slow}");
    }
    let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
    wild.power("start").await;
    assert_eq!(wild.broken(), [Invariant::StartedUnread], "it ran all the time");
}

#[tokio::test]
async fn a_server_that_is_off_for_longer_than_there_is_a_reason_is_flagged() {
    let minutes = |minutes: u64| minutes * 60;
    let cases = [
        ("nothing is made", None, minutes(16), 0, vec![Invariant::OffTooLong]),
        ("nothing is made yet", None, minutes(14), 0, vec![]),
        ("nothing is made, and the provider is out of reach", None, minutes(26), 12, vec![]),
        ("a point takes an hour", Some(minutes(60)), minutes(70), 0, vec![]),
        ("a point took a minute", Some(minutes(1)), minutes(70), 0, vec![Invariant::OffTooLong]),
        ("a point is stuck", Some(minutes(600)), minutes(180), 0, vec![Invariant::OffTooLong]),
    ];
    for (name, making, off, unreachable, broken) in cases {
        let completion = Duration::from_secs(making.unwrap_or(1));
        let wild = Wild::new(Options { completion, ..free() }).policy(|policy| policy.stop_server = true);
        wild.power("stop").await;
        wild.wait(5);
        let mut truth = Truth::new(wild.facts.clone());
        truth.feed(&wild.simulator.take_record());
        if making.is_some() {
            wild.create("aaaaaaaa", TODAY).await;
        }
        wild.wait(off);
        let now = *wild.time.lock().unwrap();
        truth.facts.was_unreachable(now - jiff::SignedDuration::from_mins(unreachable), now);
        wild.power("start").await;
        wild.wait(5);
        truth.feed(&wild.simulator.take_record());
        truth.quiet();
        let rules: Vec<Invariant> = truth.violations().iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, broken, "{name}");
    }
    let wild = Wild::new(free()).policy(|policy| policy.stop_server = true);
    wild.power("stop").await;
    wild.wait(5);
    let mut truth = Truth::new(wild.facts.clone());
    truth.feed(&wild.simulator.take_record());
    truth.time_passes("2026-11-21T04:00:00Z".parse().unwrap());
    assert_eq!(truth.violations()[0].rule, Invariant::OffTooLong, "it is reported before it is started");
}
