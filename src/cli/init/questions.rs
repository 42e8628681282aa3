//! Questions for whatever the flags leave open. Where nobody can answer, each has its default.

use std::io::{IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::cli::error::CommandError;
use crate::cli::output::note;
use crate::cli::setup::ask;

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Questions {
    /// Whether a person answers, rather than the defaults.
    asks: bool,
}

/// A question, and the flag that answers it.
pub(super) struct Question<'q> {
    pub(super) flag: &'static str,
    pub(super) words: &'static str,
    pub(super) given: Option<&'q str>,
    pub(super) default: &'q str,
}

impl Questions {
    /// Asks on a terminal, unless `--yes` takes the defaults.
    pub(super) fn new(yes: bool) -> Self {
        Self { asks: !yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() }
    }

    /// Whether a person answers.
    pub(super) const fn asks(self) -> bool {
        self.asks
    }

    /// What the flag says, else a person, else the default. A person is asked again after an answer that `read` refuses.
    pub(super) fn answer<T>(
        self,
        question: &Question<'_>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        let Question { flag, words, given, default } = *question;
        if given.is_some() || !self.asks {
            let refuse = |problem| CommandError::usage(format!("--{flag}: {problem}"));
            return Ok(read(given.unwrap_or(default)).map_err(refuse)?);
        }
        let shown = if default.is_empty() { "none" } else { default };
        loop {
            let answer = ask(&format!("{words} [{shown}]: "))?;
            match read(if answer.is_empty() { default } else { &answer }) {
                Ok(answer) => return Ok(answer),
                Err(problem) => note(&format!("    {problem}")),
            }
        }
    }

    /// Asks before the file is written. Yes where nobody can answer.
    pub(super) fn confirm(self, question: &str) -> anyhow::Result<bool> {
        Ok(!self.asks || matches!(ask(&format!("{question} [Y/n] "))?.to_lowercase().as_str(), "" | "y" | "yes"))
    }
}

/// Asks for a secret, which is not shown while it is typed. `None` if the person gave up (Ctrl-C, Ctrl-D).
pub(super) fn ask_secret(question: &str) -> anyhow::Result<Option<String>> {
    let mut prompt = std::io::stderr();
    let typed = {
        // Before the question: nothing that is typed after it may be shown.
        let _silent = SilentTerminal::new()?;
        write!(prompt, "{question}")?;
        prompt.flush()?;
        read_secret(std::io::stdin().lock().bytes())
    };
    writeln!(prompt)?;
    Ok(typed?)
}

/// Reads a line key by key: Enter ends it, Backspace and Ctrl-U correct it.
fn read_secret(keys: impl Iterator<Item = std::io::Result<u8>>) -> std::io::Result<Option<String>> {
    let mut typed = Vec::new();
    for key in keys {
        match key? {
            b'\r' | b'\n' => return Ok(Some(String::from_utf8_lossy(&typed).trim().to_owned())),
            0x03 | 0x04 => return Ok(None),
            0x08 | 0x7f => drop(typed.pop()),
            0x15 => typed.clear(),
            key => typed.push(key),
        }
    }
    Ok(None)
}

/// A terminal that shows nothing of what is typed. Ctrl-C is a key like any other, so that it cannot end the process with
/// the terminal left like this.
struct SilentTerminal(Termios);

impl SilentTerminal {
    fn new() -> std::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for SilentTerminal {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to restore.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_key_by_key() {
        let read = |keys: &[u8]| read_secret(keys.iter().copied().map(Ok)).unwrap();
        assert_eq!(read(b"vps_abc\r"), Some("vps_abc".to_owned()));
        assert_eq!(read(b"wrong\x15vps_abx\x7fc\nmore"), Some("vps_abc".to_owned()));
        assert_eq!([read(b"vps_\x03"), read(b"\x04"), read(b"cut off")], [None, None, None]);
    }
}
