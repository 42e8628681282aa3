//! `lastgood demo`, as a newcomer sees it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use tokio::time::Instant;

use crate::support::folder::Folder;

#[test]
fn the_demo_shows_the_main_job_and_leaves_nothing_running() {
    let folder = Folder::new();
    let begin = Instant::now();
    let done = folder.run(&["demo"]).ends_with(0);
    assert!(begin.elapsed() < Duration::from_secs(120), "it took {:?}", begin.elapsed());
    for words in [
        "keep = { last = 3 }",
        "The restore points before",
        "no slot is free: evicted, because retention would drop it anyway",
        "finding out what became of the create whose answer was lost",
        "failed: snapshot limit reached",
        "web-server-03  frequent  succeeded",
        "The restore points after",
        "[lastgood] FAILED frequent on web-server-03",
        "[lastgood] RECOVERED frequent on web-server-03",
        "What to try next",
    ] {
        assert!(done.stdout.contains(words), "`{words}` is missing: {done:#?}");
    }
    assert_eq!(done.stderr, "");
    let address = done.stdout.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    assert!(std::net::TcpStream::connect(address).is_err(), "the simulator still listens on {address}");
    let demo = std::fs::read_dir(folder.root()).unwrap().next().unwrap().unwrap().path();
    let mails = std::fs::read_dir(demo.join("mail")).unwrap().count();
    assert!(mails >= 2 && done.stdout.matches(".eml").count() == mails, "every mail is named: {done:#?}");
}

#[test]
fn an_interrupted_demo_ends_in_an_orderly_way() {
    let folder = Folder::new();
    let mut child = folder.command(&["demo"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    assert!(lines.any(|line| line.contains("requesting a new snapshot")), "no run began");
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success());
    assert!(rest.iter().any(|line| line.contains("nothing is left running")), "{rest:#?}");
}
