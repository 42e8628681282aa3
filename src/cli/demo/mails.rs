//! The mails that the demo has written, by file and subject.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// A mail in the folder.
pub(super) struct Mail {
    /// The file.
    pub file: PathBuf,
    /// Its subject.
    pub subject: String,
}

/// The mails of a folder, in the order in which they were written.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn read(folder: &Path) -> anyhow::Result<Vec<Mail>> {
    let cannot = || format!("the mails in {} cannot be read", folder.display());
    let mut mails = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let file = entry.with_context(cannot)?.path();
        if file.extension().is_some_and(|end| end == "eml") {
            let text = std::fs::read(&file).with_context(cannot)?;
            mails.push(Mail { subject: subject(&String::from_utf8_lossy(&text)), file });
        }
    }
    mails.sort_by_key(|mail| (number(&mail.file), mail.file.clone()));
    Ok(mails)
}

/// The number at the end of the file's name.
fn number(file: &Path) -> u64 {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// The subject with its folded lines joined.
fn subject(text: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("Subject:"));
    let first = lines.next().map(|line| line["Subject:".len()..].trim().to_owned()).unwrap_or_default();
    lines.take_while(|line| line.starts_with([' ', '\t'])).fold(first, |all, line| format!("{all} {}", line.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_subject_is_read_whole() {
        let text = "From: a@example.com\r\nSubject: [lastgood] FAILED\r\n on web-server-03\r\nTo: b\r\n\r\nSubject: x";
        assert_eq!(subject(text), "[lastgood] FAILED on web-server-03");
    }

    #[test]
    fn mails_come_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["20261121T023000Z-b-10.eml", "20261121T023000Z-a-9.eml", ".20261121T023000Z-c-11.eml.part"] {
            std::fs::write(folder.path().join(name), format!("Subject: {name}\r\n\r\n")).unwrap();
        }
        let subjects: Vec<String> = read(folder.path()).unwrap().into_iter().map(|mail| mail.subject).collect();
        assert_eq!(subjects, ["20261121T023000Z-a-9.eml", "20261121T023000Z-b-10.eml"]);
    }
}
