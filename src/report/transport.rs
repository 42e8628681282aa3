//! The two mail transports: a mail server, or a folder of `.eml` files. A message's bytes are sent as they are stored.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::report::delivery::{Delivery, OutboxMessage};
use crate::report::error::{DeliveryError, DeliveryStep, FailureKind};
use crate::report::smtp::{self, SmtpSettings};
use crate::report::text::slug;

/// How mail is sent.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// Through a mail server.
    Smtp(SmtpSettings),
    /// Into a folder, one file per message: for the demo and for tests. The folder is created if it is missing. Only
    /// this user can use the folder and the files.
    File(PathBuf),
}

impl MailTransport {
    /// Sends a message once, to everybody in its `to`.
    ///
    /// # Errors
    /// When nobody received it, or that is unknown.
    pub async fn send(&self, message: &OutboxMessage) -> Result<Delivery, DeliveryError> {
        match self {
            Self::Smtp(settings) => smtp::send(settings, message).await,
            Self::File(folder) => {
                let (folder, message) = (folder.clone(), message.clone());
                let via = folder.display().to_string();
                tokio::task::spawn_blocking(move || write(&folder, &message)).await.map_err(|error| {
                    DeliveryError::new(&via, DeliveryStep::File, FailureKind::NeverSent, &error.to_string())
                })?
            }
        }
    }
}

/// The name of a message's file: `20261121T023000Z-lastgood-failed-nightly-7.eml`. A repeat has the same name.
#[must_use]
pub(crate) fn file_name(message: &OutboxMessage) -> String {
    format!("{}-{}-{}.eml", message.first_at.strftime("%Y%m%dT%H%M%SZ"), slug(&message.subject), message.id)
}

fn write(folder: &Path, message: &OutboxMessage) -> Result<Delivery, DeliveryError> {
    let name = file_name(message);
    match put(folder, &name, &message.bytes) {
        Ok(()) => Ok(Delivery { accepted: message.to.clone(), refused: Vec::new() }),
        Err(error) => {
            let text = format!("{name}: {error}");
            Err(DeliveryError::new(&folder.display().to_string(), DeliveryStep::File, FailureKind::NeverSent, &text))
        }
    }
}

/// Readers of the folder only see complete files: each is written under another name, flushed, then linked to its own.
/// An existing file with that name is neither followed nor overwritten; it counts as delivered only if it is this
/// message.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let unfinished = folder.join(format!(".{name}.part"));
    // A crash may have left a file there, or somebody may have put one there. This removes a link, not its target.
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let finished = folder.join(name);
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        // A rename would overwrite; linking to an existing name fails.
        .and_then(|()| std::fs::hard_link(&unfinished, &finished))
        .or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => check_is_there(&finished, &file.metadata()?, bytes),
            _ => Err(error),
        });
    // Best effort: a leftover is hidden, and the next attempt removes it.
    let _ = std::fs::remove_file(&unfinished);
    written.and_then(|()| File::open(folder)?.sync_all())
}

/// Checks that the message was written before: a file of the user who just wrote `own`, with the same bytes.
fn check_is_there(file: &Path, own: &Metadata, bytes: &[u8]) -> io::Result<()> {
    let there = std::fs::symlink_metadata(file)?;
    let other = if !there.is_file() {
        "something other than a file"
    } else if there.uid() != own.uid() {
        "a file of another user"
    } else if there.len() != bytes.len() as u64 || std::fs::read(file)? != bytes {
        "another file"
    } else {
        return Ok(());
    };
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{other} has this name; remove it, and the mail will be written"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::at;

    fn message() -> OutboxMessage {
        OutboxMessage {
            id: 7,
            message_id: "<lastgood.7@example.com>".to_owned(),
            subject: "[lastgood] FAILED nightly on ../web: no room".to_owned(),
            from: "backup@example.com".to_owned(),
            to: vec!["oncall@example.com".to_owned()],
            bytes: b"Subject: x\r\n\r\nbody\r\n".to_vec(),
            attempts: 0,
            first_at: at("2026-11-21T02:30:00Z"),
        }
    }

    #[tokio::test]
    async fn a_file_holds_the_bytes_and_is_alone_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mails = folder.path().join("new/mail");
        let transport = MailTransport::File(mails.clone());
        for _ in 0..2 {
            let delivery = transport.send(&message()).await.unwrap();
            assert_eq!(delivery.accepted, vec!["oncall@example.com".to_owned()]);
        }
        let names: Vec<String> =
            std::fs::read_dir(&mails).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names, vec!["20261121T023000Z-lastgood-failed-nightly-on-web-no-room-7.eml".to_owned()]);
        assert_eq!(std::fs::read(mails.join(&names[0])).unwrap(), message().bytes);
    }

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[tokio::test]
    async fn only_their_user_can_read_mails() {
        let folder = tempfile::tempdir().unwrap();
        let mails = folder.path().join("new/mail");
        MailTransport::File(mails.clone()).send(&message()).await.unwrap();
        assert_eq!(mode(&mails), 0o700);
        assert_eq!(mode(&folder.path().join("new")), 0o700);
        assert_eq!(mode(&mails.join(file_name(&message()))), 0o600);
    }

    #[tokio::test]
    async fn an_existing_link_is_neither_followed_nor_replaced_and_the_mail_waits() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "precious").unwrap();
        let mails = folder.path().join("mail");
        std::fs::create_dir(&mails).unwrap();
        let name = mails.join(file_name(&message()));
        for target in [secret.clone(), folder.path().join("missing")] {
            std::os::unix::fs::symlink(&target, &name).unwrap();
            let error = MailTransport::File(mails.clone()).send(&message()).await.unwrap_err();
            assert_eq!((error.step, error.kind), (DeliveryStep::File, FailureKind::NeverSent));
            assert!(error.text.contains("other than a file") && error.text.contains(&file_name(&message())), "{error}");
            assert_eq!(std::fs::read_link(&name).unwrap(), target);
            std::fs::remove_file(&name).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "precious");
        assert!(!folder.path().join("missing").exists());
        MailTransport::File(mails.clone()).send(&message()).await.unwrap();
        assert_eq!(std::fs::read(&name).unwrap(), message().bytes);
    }

    #[tokio::test]
    async fn an_existing_link_under_the_temporary_name_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "precious").unwrap();
        let mails = folder.path().join("mail");
        std::fs::create_dir(&mails).unwrap();
        let name = file_name(&message());
        std::os::unix::fs::symlink(&secret, mails.join(format!(".{name}.part"))).unwrap();
        MailTransport::File(mails.clone()).send(&message()).await.unwrap();
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "precious");
        assert_eq!(std::fs::read(mails.join(&name)).unwrap(), message().bytes);
        assert_eq!(std::fs::read_dir(&mails).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn another_file_with_the_name_is_kept_and_not_a_delivery() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join(file_name(&message()));
        let (longer, other) = (b"Subject: x\r\n\r\nbody\r\nand more".to_vec(), b"Subject: y\r\n\r\nbody\r\n".to_vec());
        for there in [longer, other] {
            std::fs::write(&name, &there).unwrap();
            let error = MailTransport::File(folder.path().to_owned()).send(&message()).await.unwrap_err();
            assert!(error.text.contains("another file") && error.is_retryable(), "{error}");
            assert_eq!(std::fs::read(&name).unwrap(), there);
        }
        std::fs::remove_file(&name).unwrap();
        std::fs::create_dir(&name).unwrap();
        MailTransport::File(folder.path().to_owned()).send(&message()).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_created_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join("mail");
        std::fs::write(&in_the_way, "a file").unwrap();
        let error = MailTransport::File(in_the_way.clone()).send(&message()).await.unwrap_err();
        assert_eq!((error.step, error.kind), (DeliveryStep::File, FailureKind::NeverSent));
        assert!(error.to_string().contains(&in_the_way.display().to_string()), "{error}");
    }
}
