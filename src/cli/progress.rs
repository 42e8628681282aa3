//! Shows the progress of runs on standard error: on a terminal, one line per run that changes in place; elsewhere,
//! plain lines.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::cli::output::{note, printable};
use crate::run::Progress;

/// Starts to show progress. The task ends when every sender is dropped.
#[must_use]
pub(crate) fn start() -> (UnboundedSender<Progress>, JoinHandle<()>) {
    let (sender, receiver) = unbounded_channel();
    let terminal = std::io::stderr().is_terminal();
    let task = if terminal { tokio::spawn(bars(receiver)) } else { tokio::spawn(lines(receiver)) };
    (sender, task)
}

async fn lines(mut receiver: UnboundedReceiver<Progress>) {
    let mut last: HashMap<i64, String> = HashMap::new();
    while let Some(step) = receiver.recv().await {
        // Skip repeated steps (the list was read without a change).
        if last.insert(step.run, step.text.clone()).as_ref() != Some(&step.text) {
            note(&sentence(&step));
        }
    }
}

async fn bars(mut receiver: UnboundedReceiver<Progress>) {
    let all = MultiProgress::new();
    let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}").expect("the template is constant");
    let mut bars: HashMap<i64, ProgressBar> = HashMap::new();
    while let Some(step) = receiver.recv().await {
        let bar = bars.entry(step.run).or_insert_with(|| {
            let bar = all.add(ProgressBar::new_spinner().with_style(style.clone()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if step.over {
            bar.finish_with_message(sentence(&step));
        } else {
            bar.set_message(sentence(&step));
        }
    }
}

fn sentence(step: &Progress) -> String {
    format!("{} {}: {}", printable(&step.server.name), step.policy, printable(&step.text))
}
