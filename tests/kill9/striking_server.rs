//! A mail server that keeps every message, counts what it hears (each connection, each line of a dialogue, the end of each
//! message) and, at the one that a test chooses, has the program killed or asked to stop: before it answers, between its
//! own acceptance and its answer, or after the answer.

use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use crate::gate::Victim;
use crate::support::smtp_server::{Letter, MailListener, open};

/// When, seen from something that is heard, the program is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing is answered, no message is kept.
    Before,
    /// A message is kept; nothing is answered.
    Accepted,
    /// It was answered.
    Answered,
}

/// How the program is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `kill -9`.
    Kill,
    /// SIGTERM; the server is silent from then on.
    Terminate,
}

/// Where to strike.
#[derive(Clone, Copy, Debug)]
pub struct Strike {
    /// The number of what is heard, from 1.
    pub heard: usize,
    pub when: When,
    pub how: How,
}

impl Letter {
    pub fn message_id(&self) -> &str {
        let line = self.text.lines().find(|line| line.to_lowercase().starts_with("message-id:"));
        line.expect("a message has a Message-ID")
    }
}

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    strike: Option<Strike>,
    letters: Vec<Letter>,
    victim: Option<Victim>,
}

/// The mail server. Clones are the same one.
#[derive(Clone, Default)]
pub struct StrikingServer {
    heard: Arc<(Mutex<Heard>, Condvar)>,
    pub port: u16,
}

impl StrikingServer {
    pub fn open() -> Self {
        let server = Self::default();
        Self { port: open(server.clone()), ..server }
    }

    /// Counts from 1 again. Whoever connects from now on waits until its process is named.
    pub fn expect(&self, strike: Option<Strike>) {
        let mut heard = self.heard.0.lock().unwrap();
        (heard.lines, heard.strike, heard.victim) = (Vec::new(), strike, None);
    }

    /// Names the process that is struck.
    pub fn name(&self, victim: Victim) {
        self.heard.0.lock().unwrap().victim = Some(victim);
        self.heard.1.notify_all();
    }

    /// What was heard since the last `expect`.
    pub fn heard(&self) -> Vec<String> {
        self.heard.0.lock().unwrap().lines.clone()
    }

    /// Every message that was accepted, in all lives of the program.
    pub fn letters(&self) -> Vec<Letter> {
        self.heard.0.lock().unwrap().letters.clone()
    }
}

impl MailListener for StrikingServer {
    /// Counts it, keeps the message and answers, as far as the strike allows. A strike ends the connection.
    fn hears(&self, what: &str, letter: Option<Letter>, answer: &mut dyn FnMut()) -> bool {
        let (heard, named) = &*self.heard;
        let mut heard = named.wait_while(heard.lock().unwrap(), |heard| heard.victim.is_none()).unwrap();
        heard.lines.push(what.to_owned());
        let number = heard.lines.len();
        let strike = heard.strike.filter(|strike| strike.heard == number);
        let when = strike.map(|strike| strike.when);
        if when != Some(When::Before) {
            heard.letters.extend(letter);
        }
        if matches!(when, None | Some(When::Answered)) {
            answer();
        }
        let Some(strike) = strike else { return true };
        let victim = heard.victim.clone().expect("it was waited for");
        drop(heard);
        match strike.how {
            How::Kill => victim.lock().unwrap().kill().unwrap(),
            How::Terminate => {
                let id = victim.lock().unwrap().id().to_string();
                Command::new("kill").args(["-TERM", &id]).stderr(Stdio::null()).status().unwrap();
                // Silent for as long as it lives.
                while victim.lock().unwrap().try_wait().unwrap().is_none() {
                    std::thread::park_timeout(std::time::Duration::from_millis(20));
                }
            }
        }
        false
    }
}
