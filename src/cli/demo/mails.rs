//! The mails that the demo wrote, by file and subject.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A mail in the folder.
pub(super) struct Mail {
    /// The file.
    pub file: PathBuf,
    /// Its subject.
    pub subject: String,
}

/// The mails of a folder, in the order in which they were composed; `subjects` are those of the outbox by number.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn read(folder: &Path, subjects: &BTreeMap<i64, String>) -> anyhow::Result<Vec<Mail>> {
    let cannot = || format!("the mails in {} cannot be read", folder.display());
    let mut mails = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let file = entry.with_context(cannot)?.path();
        if file.extension().is_some_and(|end| end == "eml") {
            mails.push((number(&file), file));
        }
    }
    mails.sort();
    let named = |(number, file)| Mail { subject: subjects.get(&number).cloned().unwrap_or_default(), file };
    Ok(mails.into_iter().map(named).collect())
}

/// The number at the end of the file's name, which is the mail's in the outbox.
fn number(file: &Path) -> i64 {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_come_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["20261121T023000Z-b-10.eml", "20261121T023000Z-a-9.eml", ".20261121T023000Z-c-11.eml.part"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let subjects = [(10, "later".to_owned()), (9, "first".to_owned()), (11, "unwritten".to_owned())].into();
        let mails = read(folder.path(), &subjects).unwrap();
        assert_eq!(mails.into_iter().map(|mail| mail.subject).collect::<Vec<_>>(), ["first", "later"]);
    }
}
