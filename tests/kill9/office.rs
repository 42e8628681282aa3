//! A mail server that keeps every letter it has accepted, counts what it hears (each connection, each line of a dialogue,
//! the end of each letter) and, at the one it was told to, has the program killed or asked to end: before it answers,
//! between its own acceptance and its answer, or after the answer.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use crate::gate::Victim;

/// When, seen from something that is heard, the program is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing is answered, no letter is kept.
    Before,
    /// A letter is kept; nothing is answered.
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

/// A letter that was accepted.
#[derive(Clone, Debug)]
pub struct Letter {
    /// To whom the envelope says.
    pub to: Vec<String>,
    pub text: String,
}

impl Letter {
    pub fn message_id(&self) -> &str {
        let line = self.text.lines().find(|line| line.to_lowercase().starts_with("message-id:"));
        line.expect("a letter has a Message-ID")
    }
}

#[derive(Default)]
struct Desk {
    heard: Vec<String>,
    strike: Option<Strike>,
    letters: Vec<Letter>,
    victim: Option<Victim>,
}

/// The mail server. Clones are the same one.
#[derive(Clone, Default)]
pub struct Office {
    desk: Arc<(Mutex<Desk>, Condvar)>,
    pub port: u16,
}

impl Office {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let office = Self { port: listener.local_addr().unwrap().port(), ..Self::default() };
        let open = office.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let office = open.clone();
                std::thread::spawn(move || {
                    // A connection that breaks is what this is about.
                    let _ = office.talk(stream);
                });
            }
        });
        office
    }

    /// Counts from 1 again. Whoever connects from now on waits until its process is named.
    pub fn expect(&self, strike: Option<Strike>) {
        let mut desk = self.desk.0.lock().unwrap();
        (desk.heard, desk.strike, desk.victim) = (Vec::new(), strike, None);
    }

    /// Names the process that is struck.
    pub fn name(&self, victim: Victim) {
        self.desk.0.lock().unwrap().victim = Some(victim);
        self.desk.1.notify_all();
    }

    /// What was heard since the last `expect`.
    pub fn heard(&self) -> Vec<String> {
        self.desk.0.lock().unwrap().heard.clone()
    }

    /// Every letter that was accepted, in all lives of the program.
    pub fn letters(&self) -> Vec<Letter> {
        self.desk.0.lock().unwrap().letters.clone()
    }

    /// One connection. Ends early when the strike falls in it.
    fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut answer = stream.try_clone()?;
        let mut lines = BufReader::new(stream).lines();
        if self.hears("connect", None, || answer.write_all(b"220 office\r\n")) {
            return Ok(());
        }
        let mut to = Vec::new();
        while let Some(line) = lines.next().transpose()? {
            let mut letter = None;
            let reply: &[u8] = match line.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" => b"250-office\r\n250 8BITMIME\r\n",
                "DATA" => b"354 go on\r\n",
                "QUIT" => b"221 bye\r\n",
                "RCPT" => {
                    to.push(line.trim_start_matches("RCPT TO:").to_owned());
                    b"250 fine\r\n"
                }
                _ => b"250 fine\r\n",
            };
            if self.hears(&line, None, || answer.write_all(reply)) {
                return Ok(());
            }
            if line == "DATA" {
                let mut text = String::new();
                loop {
                    let Some(line) = lines.next().transpose()? else { return Ok(()) };
                    if line == "." {
                        break;
                    }
                    text = text + &line + "\n";
                }
                letter.replace(Letter { to: std::mem::take(&mut to), text });
                if self.hears(".", letter, || answer.write_all(b"250 taken\r\n")) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Counts it, keeps the letter and answers, as far as the strike lets it. Whether the strike fell.
    fn hears(&self, what: &str, letter: Option<Letter>, answer: impl FnOnce() -> std::io::Result<()>) -> bool {
        let (desk, named) = &*self.desk;
        let mut desk = named.wait_while(desk.lock().unwrap(), |desk| desk.victim.is_none()).unwrap();
        desk.heard.push(what.to_owned());
        let number = desk.heard.len();
        let strike = desk.strike.filter(|strike| strike.heard == number);
        let when = strike.map(|strike| strike.when);
        if when != Some(When::Before) {
            desk.letters.extend(letter);
        }
        // A client that is gone does not hear it.
        let _ = if matches!(when, None | Some(When::Answered)) { answer() } else { Ok(()) };
        let Some(strike) = strike else { return false };
        let victim = desk.victim.clone().expect("it was waited for");
        drop(desk);
        match strike.how {
            How::Kill => victim.lock().unwrap().kill().unwrap(),
            How::Terminate => {
                let id = victim.lock().unwrap().id().to_string();
                Command::new("kill").args(["-TERM", &id]).stderr(Stdio::null()).status().unwrap();
                // Silence for as long as it lives.
                while victim.lock().unwrap().try_wait().unwrap().is_none() {
                    std::thread::park_timeout(std::time::Duration::from_millis(20));
                }
            }
        }
        true
    }
}
