//! What is said in one SMTP session: a command goes out, one reply comes back. No line and no session is without end,
//! no reply counts that came before its command, and nothing received in clear outlives the change to encryption.

use std::fmt;
use std::io;
use std::time::Duration;

use lettre::transport::smtp::response::Response;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::settings::SmtpLimits;

/// The longest line of a reply, its end included; RFC 5321 asks for 512 bytes.
pub(super) const LONGEST_LINE: usize = 4 * 1024;
/// All replies of a session together.
pub(super) const LONGEST_SESSION: usize = 1024 * 1024;

/// Why a step gave no reply to go on with.
#[derive(Debug)]
pub(super) enum ReplyError {
    /// The server said no (4xx or 5xx).
    Refused(Response),
    /// The connection failed.
    Lost(io::Error),
    /// The TLS handshake failed.
    Handshake(io::Error),
    /// The server spoke before it was asked, so its next reply would be taken for that of another step.
    Unsolicited,
    /// What came is no reply, or is too long for one.
    Malformed(String),
    /// No whole reply within the limit of the step.
    StepTimeout(Duration),
    /// The limit of the session was reached.
    SessionTimeout(Duration),
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reply) => f.write_str(&words(reply)),
            Self::Lost(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("the server closed the connection without an answer")
            }
            Self::Lost(error) | Self::Handshake(error) => error.fmt(f),
            Self::Unsolicited => {
                f.write_str("the server, or somebody on the way to it, sent a reply before it was asked")
            }
            Self::Malformed(text) => f.write_str(text),
            Self::StepTimeout(limit) => write!(f, "no answer within {} ms", limit.as_millis()),
            Self::SessionTimeout(limit) => write!(f, "the session was not over within {} s", limit.as_secs_f64()),
        }
    }
}

/// The server's own words with their code. The enhanced code, which each line of a reply repeats, is shown once.
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

/// How long a session and each of its steps may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionDeadline {
    limits: SmtpLimits,
    end: Instant,
}

impl SessionDeadline {
    /// The session begins now.
    pub(super) fn begin(limits: SmtpLimits) -> Self {
        Self { limits, end: Instant::now() + limits.session }
    }

    /// What a step gives, unless its limit or that of the session comes first.
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

/// A connection, in clear or encrypted.
trait SmtpStream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> SmtpStream for T {}

/// A session in progress. When a step did not end, the dialogue is dropped: its next reply could be any step's.
pub(super) struct Dialogue {
    wire: BufReader<Box<dyn SmtpStream>>,
    /// How many bytes of replies may still come.
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

    /// The same dialogue, encrypted. What has been received so far and was not asked for is a failure; what was
    /// received in clear is gone.
    pub(super) async fn encrypt(self, connector: &TlsConnector, name: ServerName<'static>) -> Result<Self, ReplyError> {
        self.check_turn()?;
        // What comes in clear from here on is taken for TLS, and fails as such.
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

    /// The next reply; one of 4xx or 5xx is an error.
    pub(super) async fn reply(&mut self) -> Result<Response, ReplyError> {
        let mut text = String::new();
        loop {
            let line = self.line().await?;
            text.push_str(&line);
            // A code alone is a reply, too (RFC 5321, 4.2).
            text.push_str(if line.len() == 3 { " \r\n" } else { "\r\n" });
            // A hyphen behind the code says that another line follows.
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        match text.parse::<Response>() {
            Ok(reply) if reply.is_positive() => Ok(reply),
            Ok(reply) => Err(ReplyError::Refused(reply)),
            Err(_) => {
                Err(ReplyError::Malformed(format!("the server's answer is not one of SMTP: {}", text.trim_end())))
            }
        }
    }

    /// The next line without its end.
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

    /// Each reply is read to its end before the next command, and nobody may reply to what was not sent yet.
    fn check_turn(&self) -> Result<(), ReplyError> {
        if self.wire.buffer().is_empty() { Ok(()) } else { Err(ReplyError::Unsolicited) }
    }
}

/// The message as it is sent: a line that begins with a dot gets another one, a line of one dot is the end.
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
