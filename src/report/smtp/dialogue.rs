//! The dialogue of one SMTP session: each command gets one reply. Lines and sessions have a maximum length, a reply
//! that arrives before its command is an error, and nothing received in clear text survives the change to encryption.

use std::fmt;
use std::io;
use std::time::Duration;

use lettre::transport::smtp::response::Response;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::settings::SmtpLimits;

/// The longest line of a reply, including its end; RFC 5321 requires 512 bytes.
pub(super) const LONGEST_LINE: usize = 4 * 1024;
/// All replies of a session together.
pub(super) const LONGEST_SESSION: usize = 1024 * 1024;

/// Why a step got no usable reply.
#[derive(Debug)]
pub(super) enum ReplyError {
    /// The server refused (4xx or 5xx).
    Refused(Response),
    /// The connection failed.
    Lost(io::Error),
    /// The TLS handshake failed.
    Handshake(io::Error),
    /// A reply arrived before its command, so replies would be matched to the wrong steps.
    Unsolicited,
    /// What arrived is not a reply, or is too long for one.
    Malformed(String),
    /// No complete reply within the limit of the step.
    StepTimeout(Duration),
    /// The limit of the session was reached.
    SessionTimeout(Duration),
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reply) => f.write_str(&words(reply)),
            Self::Lost(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("the server closed the connection without a reply")
            }
            Self::Lost(error) | Self::Handshake(error) => error.fmt(f),
            Self::Unsolicited => f.write_str("the server, or somebody in between, sent a reply before its command"),
            Self::Malformed(text) => f.write_str(text),
            Self::StepTimeout(limit) => write!(f, "no reply within {} ms", limit.as_millis()),
            Self::SessionTimeout(limit) => write!(f, "the session did not end within {} s", limit.as_secs_f64()),
        }
    }
}

/// The server's own words with their code. The enhanced code, which every line of a reply repeats, is shown once.
fn words(reply: &Response) -> String {
    let enhanced = reply.first_word().filter(|word| word.starts_with(['4', '5']) && word.split('.').count() == 3);
    let mut words = reply.code().to_string();
    for (number, line) in reply.message().enumerate() {
        let repeated = enhanced.filter(|_| number > 0).and_then(|code| line.strip_prefix(code));
        words.push(' ');
        words.push_str(repeated.unwrap_or(line).trim_start());
    }
    words
}

/// The time limits of a session and its steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionDeadline {
    limits: SmtpLimits,
    end: Instant,
}

impl SessionDeadline {
    /// Starts the session's time.
    pub(super) fn begin(limits: SmtpLimits) -> Self {
        Self { limits, end: Instant::now() + limits.session }
    }

    /// The result of a step, unless its limit or the session's is reached first.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        step: impl Future<Output = Result<T, ReplyError>>,
    ) -> Result<T, ReplyError> {
        match tokio::time::timeout_at(self.end, tokio::time::timeout(limit, step)).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ReplyError::StepTimeout(limit)),
            Err(_) => Err(ReplyError::SessionTimeout(self.limits.session)),
        }
    }
}

/// A connection, in clear text or encrypted.
trait SmtpStream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> SmtpStream for T {}

/// A session in progress. After a step that did not complete, drop it: its next reply could belong to any step.
pub(super) struct Dialogue {
    wire: BufReader<Box<dyn SmtpStream>>,
    /// How many bytes of replies may still arrive.
    left: usize,
}

impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialogue").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Dialogue {
    pub(super) fn over(wire: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static) -> Self {
        Self { wire: BufReader::new(Box::new(wire)), left: LONGEST_SESSION }
    }

    /// The same dialogue, encrypted. An unsolicited reply received so far is an error; what was received in clear text
    /// is discarded.
    pub(super) async fn encrypt(self, connector: &TlsConnector, name: ServerName<'static>) -> Result<Self, ReplyError> {
        self.check_turn()?;
        // Clear text that arrives from here on is read as TLS, and fails.
        let encrypted = connector.connect(name, self.wire.into_inner()).await.map_err(ReplyError::Handshake)?;
        Ok(Self { wire: BufReader::new(Box::new(encrypted)), left: self.left })
    }

    /// Sends a command, which ends its line itself, and reads the reply.
    pub(super) async fn command(&mut self, command: impl fmt::Display) -> Result<Response, ReplyError> {
        self.send(command.to_string().as_bytes()).await?;
        self.reply().await
    }

    /// Sends the message and its end, and reads the reply.
    pub(super) async fn message(&mut self, message: &[u8]) -> Result<Response, ReplyError> {
        self.send(&stuffed(message)).await?;
        self.reply().await
    }

    /// The next reply; a 4xx or 5xx is an error.
    pub(super) async fn reply(&mut self) -> Result<Response, ReplyError> {
        let mut text = String::new();
        loop {
            let line = self.line().await?;
            text.push_str(&line);
            // A code alone is also a reply (RFC 5321, 4.2).
            text.push_str(if line.len() == 3 { " \r\n" } else { "\r\n" });
            // A hyphen after the code means that another line follows.
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        match text.parse::<Response>() {
            Ok(reply) if reply.is_positive() => Ok(reply),
            Ok(reply) => Err(ReplyError::Refused(reply)),
            Err(_) => Err(ReplyError::Malformed(format!("the server's reply is not SMTP: {}", text.trim_end()))),
        }
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<String, ReplyError> {
        let most = LONGEST_LINE.min(self.left);
        let mut line = Vec::new();
        (&mut self.wire).take(most as u64).read_until(b'\n', &mut line).await.map_err(ReplyError::Lost)?;
        self.left -= line.len();
        if line.ends_with(b"\n") {
            let text = String::from_utf8_lossy(&line);
            return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
        }
        Err(match line.len() {
            LONGEST_LINE => ReplyError::Malformed(format!("the server sent a line longer than {LONGEST_LINE} bytes")),
            length if length == most => {
                ReplyError::Malformed(format!("the server sent more than {LONGEST_SESSION} bytes in one session"))
            }
            _ => ReplyError::Lost(io::ErrorKind::UnexpectedEof.into()),
        })
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), ReplyError> {
        self.check_turn()?;
        let sent = async {
            self.wire.write_all(bytes).await?;
            self.wire.flush().await
        };
        sent.await.map_err(ReplyError::Lost)
    }

    /// Checks that nothing unread has arrived: each reply is read to its end before the next command is sent.
    fn check_turn(&self) -> Result<(), ReplyError> {
        if self.wire.buffer().is_empty() { Ok(()) } else { Err(ReplyError::Unsolicited) }
    }
}

/// The message as it is sent: a line that begins with a dot gets a second one; a line with a single dot is the end.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    if !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_message_ends_it_early() {
        let sent = |message: &[u8]| String::from_utf8(stuffed(message)).unwrap();
        assert_eq!(sent(b"a\r\n.\r\n..b\r\nc.\r\n"), "a\r\n..\r\n...b\r\nc.\r\n.\r\n");
        assert_eq!(sent(b".first"), "..first\r\n.\r\n");
        assert_eq!(sent(b"bare\n.\n"), "bare\n..\n\r\n.\r\n");
        assert_eq!(sent(b""), "\r\n.\r\n");
    }

    #[test]
    fn a_reply_of_several_lines_shows_its_enhanced_code_once() {
        let words_of = |text: &str| words(&text.parse().unwrap());
        assert_eq!(words_of("550-5.1.1 no such user\r\n550 5.1.1 here\r\n"), "550 5.1.1 no such user here");
        assert_eq!(words_of("550-first\r\n550 second\r\n"), "550 first second");
        assert_eq!(words_of("421 \r\n"), "421 ");
    }
}
