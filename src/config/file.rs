//! Reads the policy file and files with secrets. Only regular files of limited size are read, and they are opened
//! without blocking, so that no FIFO or device can hang the program or fill its memory. Checks who could have written a
//! policy file.

use std::fs::{Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::config::diagnostic::Diagnostic;
use crate::config::environment::FileLocation;
use crate::config::error::LoadError;

/// The largest policy file: enough for several policies on each of 10,000 servers.
pub(super) const POLICY_BYTES: u64 = 8 * 1024 * 1024;
/// The largest secret.
pub(super) const SECRET_BYTES: u64 = 4096;

/// The text of a regular file of at most `most` bytes.
///
/// # Errors
/// The system's error, or what the file is instead.
pub(super) fn read(path: &Path, most: u64) -> Result<(String, Metadata)> {
    // Opening a FIFO without a writer does not block, and a terminal does not become our controlling terminal.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let data = file.metadata()?;
    if let Some(what) = why_not_readable(&data, most) {
        return Err(Error::new(ErrorKind::InvalidInput, what));
    }
    let mut text = String::new();
    // One more byte, because the file may have grown since.
    file.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(Error::new(ErrorKind::InvalidInput, too_large(most)));
    }
    Ok((text, data))
}

/// Why a file is not a regular one of at most `most` bytes, as in `it is a FIFO, not a regular file`.
pub(super) fn why_not_readable(data: &Metadata, most: u64) -> Option<String> {
    let kind = data.file_type();
    let what = if kind.is_file() {
        return (data.len() > most).then(|| too_large(most));
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Some(format!("it is {what}, not a regular file"))
}

fn too_large(most: u64) -> String {
    format!("it is larger than {most} bytes")
}

/// Warns about others who could have written the policy file, because it decides where the token is sent.
///
/// # Errors
/// `Untrusted`, if the file was found rather than named, or root would act on it.
pub(super) fn check_writers(found: &FileLocation, data: &Metadata) -> std::result::Result<Vec<Diagnostic>, LoadError> {
    let user = rustix::process::geteuid().as_raw();
    let doubts = writers(data.uid(), data.mode(), user);
    let serious = doubts.iter().filter(|doubt| doubt.serious).map(|doubt| doubt.why.as_str()).collect::<Vec<_>>();
    let path = found.path.display();
    if !serious.is_empty() && (found.here || user == 0) {
        let named = if user == 0 { "" } else { ", or name it with --config FILE" };
        let advice: Vec<_> = doubts.iter().map(|doubt| format!("`{} {path}`", doubt.command)).collect();
        let advice = format!("read it; if its content is yours, {}{named}", advice.join(" and "));
        let (mode, why) = (data.mode() & 0o7777, serious.join(", and "));
        return Err(LoadError::Untrusted { path: found.path.clone(), mode, why, advice });
    }
    let warning = |doubt: &PermissionProblem| {
        let message = format!("{}: the policy file decides where the token is sent and what is deleted", doubt.why);
        Diagnostic::warning(message).help(format!("{} {path}", doubt.command))
    };
    Ok(doubts.iter().map(warning).collect())
}

/// Somebody who could have written the file, other than root and the user of the process.
#[derive(Debug, PartialEq, Eq)]
struct PermissionProblem {
    why: String,
    command: String,
    /// Whether it may cause the file to be refused.
    serious: bool,
}

fn writers(owner: u32, mode: u32, user: u32) -> Vec<PermissionProblem> {
    let mut doubts = Vec::new();
    if ![0, user].contains(&owner) {
        let why = format!("it belongs to user {owner}, and lastgood runs as user {user}");
        doubts.push(PermissionProblem { why, command: format!("chown {user}"), serious: true });
    }
    if mode & 0o002 != 0 {
        let why = format!("everyone may write to it (mode {:o})", mode & 0o7777);
        doubts.push(PermissionProblem { why, command: "chmod o-w".to_owned(), serious: true });
    }
    if mode & 0o020 != 0 {
        let why = format!("its group may write to it (mode {:o})", mode & 0o7777);
        doubts.push(PermissionProblem { why, command: "chmod g-w".to_owned(), serious: false });
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_process_s_user_may_write_it_and_nobody_else() {
        for (owner, mode, user, serious) in [
            (0, 0o644, 10_001, vec![]),
            (10_001, 0o400, 10_001, vec![]),
            (0, 0o600, 0, vec![]),
            (1000, 0o644, 10_001, vec![true]),
            (1000, 0o644, 0, vec![true]),
            (0, 0o666, 10_001, vec![true, false]),
            (10_001, 0o602, 10_001, vec![true]),
            (10_001, 0o660, 10_001, vec![false]),
            (1000, 0o777, 0, vec![true, true, false]),
        ] {
            let found: Vec<bool> = writers(owner, mode, user).iter().map(|doubt| doubt.serious).collect();
            assert_eq!(found, serious, "owner {owner}, mode {mode:o}, user {user}");
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_bound_and_not_beyond() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "x".repeat(4096)).unwrap();
        assert_eq!(read(&path, SECRET_BYTES).unwrap().0.len(), 4096);
        assert_eq!(read(&path, 4095).unwrap_err().to_string(), "it is larger than 4095 bytes");
        assert!(read(dir.path(), 4096).unwrap_err().to_string().contains("it is a folder"));
        // Its reported size says nothing.
        let zeros = read(Path::new("/dev/zero"), 4096).unwrap_err().to_string();
        assert_eq!(zeros, "it is a device, not a regular file");
        let endless = read(Path::new("/proc/self/maps"), 16).unwrap_err().to_string();
        assert_eq!(endless, "it is larger than 16 bytes");
    }
}
