//! A mail server that hands over each message that it accepts.

use std::sync::mpsc::{Receiver, Sender, channel};

use crate::process::PATIENCE;
use crate::support::smtp_server::{Letter, MailListener, open};

/// A mail server and the messages that it has accepted.
pub struct MailServer {
    pub port: u16,
    letters: Receiver<Letter>,
}

impl MailServer {
    pub fn open() -> Self {
        let (sender, letters) = channel();
        Self { port: open(Forward(sender)), letters }
    }

    /// Waits for the next message.
    #[track_caller]
    pub fn next(&self) -> Letter {
        self.letters.recv_timeout(PATIENCE).expect("a message comes")
    }
}

struct Forward(Sender<Letter>);

impl MailListener for Forward {
    fn hears(&self, _: &str, letter: Option<Letter>, answer: &mut dyn FnMut()) -> bool {
        answer();
        // When the test is over nobody receives it.
        let _ = letter.map(|letter| self.0.send(letter));
        true
    }
}
