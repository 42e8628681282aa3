//! A mail server that accepts every message. Who opens it is asked about everything that it hears.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// A message that was accepted.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The recipients of the envelope.
    pub to: Vec<String>,
    pub text: String,
}

/// What a mail server does with what it hears.
pub trait MailListener: Send + Sync + 'static {
    /// Something was heard: `connect`, a line of the dialogue, or `.` with the message that ends there. `answer` sends the
    /// usual reply. Returns whether the connection goes on.
    fn hears(&self, what: &str, letter: Option<Letter>, answer: &mut dyn FnMut()) -> bool;
}

/// Opens a mail server. Its port.
pub fn open(listener: impl MailListener) -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = socket.local_addr().expect("it is bound").port();
    let listener = Arc::new(listener);
    std::thread::spawn(move || {
        for stream in socket.incoming().flatten() {
            let listener = Arc::clone(&listener);
            // A connection that breaks is what some tests are about.
            std::thread::spawn(move || talk(&*listener, stream).ok());
        }
    });
    port
}

/// The lines of a policy file that send mail to this port, without TLS.
pub fn settings(port: u16) -> String {
    format!("[smtp]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nfrom = \"lastgood <backup@example.com>\"\n")
}

/// One connection.
fn talk(listener: &dyn MailListener, stream: TcpStream) -> std::io::Result<()> {
    let mut client = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    let mut hears = |what: &str, letter, reply: &str| {
        // A client that is gone does not hear it.
        listener.hears(what, letter, &mut || drop(client.write_all(reply.as_bytes())))
    };
    if !hears("connect", None, "220 ready\r\n") {
        return Ok(());
    }
    let mut to = Vec::new();
    while let Some(line) = lines.next().transpose()? {
        let reply = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-test\r\n250 8BITMIME\r\n",
            "DATA" => "354 go on\r\n",
            "QUIT" => "221 bye\r\n",
            "RCPT" => {
                to.push(line.trim_start_matches("RCPT TO:").to_owned());
                "250 fine\r\n"
            }
            _ => "250 fine\r\n",
        };
        if !hears(&line, None, reply) {
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
            let letter = Letter { to: std::mem::take(&mut to), text };
            if !hears(".", Some(letter), "250 accepted\r\n") {
                return Ok(());
            }
        }
    }
    Ok(())
}
