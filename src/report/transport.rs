//! The two ways out: a mail server, or a folder of `.eml` files. A message's bytes leave as they are stored.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::report::error::{DeliveryError, Kind, Refusal, Step};
use crate::report::message::OutboxMessage;
use crate::report::smtp::{self, SmtpSettings};
use crate::report::text::slug;

/// How mail leaves.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Through a mail server.
    Smtp(SmtpSettings),
    /// Into a folder, one file a message: for the demo and for tests. The folder is made when it is missing.
    File(PathBuf),
}

/// A message that somebody got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Who got it.
    pub accepted: Vec<String>,
    /// Who was refused, for now or for good.
    pub refused: Vec<Refusal>,
}

impl Transport {
    /// Sends a message once, to everybody in its `to`.
    ///
    /// # Errors
    /// When nobody got it, or nobody knows.
    pub async fn send(&self, message: &OutboxMessage) -> Result<Delivery, DeliveryError> {
        match self {
            Self::Smtp(settings) => smtp::send(settings, message).await,
            Self::File(folder) => {
                let (folder, message) = (folder.clone(), message.clone());
                let via = folder.display().to_string();
                tokio::task::spawn_blocking(move || write(&folder, &message))
                    .await
                    .map_err(|error| DeliveryError::new(&via, Step::File, Kind::NeverSent, &error.to_string()))?
            }
        }
    }
}

/// The name of a message's file: `20261121T023000Z-lastgood-failed-nightly-7.eml`. A second sending has the same.
#[must_use]
pub fn file_name(message: &OutboxMessage) -> String {
    format!("{}-{}-{}.eml", message.first_at.strftime("%Y%m%dT%H%M%SZ"), slug(&message.subject), message.id)
}

/// Whoever reads the folder sees whole files only: written beside, flushed, then renamed.
fn write(folder: &Path, message: &OutboxMessage) -> Result<Delivery, DeliveryError> {
    let name = file_name(message);
    let unfinished = folder.join(format!(".{name}.part"));
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::File::create(&unfinished))
        .and_then(|mut file| file.write_all(&message.bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&unfinished, folder.join(&name)))
        .and_then(|()| std::fs::File::open(folder)?.sync_all());
    match written {
        Ok(()) => Ok(Delivery { accepted: message.to.clone(), refused: Vec::new() }),
        Err(error) => {
            // Best effort: what is left is hidden and is overwritten by the next try.
            let _ = std::fs::remove_file(&unfinished);
            let text = format!("{name}: {error}");
            Err(DeliveryError::new(&folder.display().to_string(), Step::File, Kind::NeverSent, &text))
        }
    }
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
        let transport = Transport::File(mails.clone());
        for _ in 0..2 {
            let delivery = transport.send(&message()).await.unwrap();
            assert_eq!(delivery.accepted, vec!["oncall@example.com".to_owned()]);
        }
        let names: Vec<String> =
            std::fs::read_dir(&mails).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names, vec!["20261121T023000Z-lastgood-failed-nightly-on-web-no-room-7.eml".to_owned()]);
        assert_eq!(std::fs::read(mails.join(&names[0])).unwrap(), message().bytes);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join("mail");
        std::fs::write(&in_the_way, "a file").unwrap();
        let error = Transport::File(in_the_way.clone()).send(&message()).await.unwrap_err();
        assert_eq!((error.step, error.kind), (Step::File, Kind::NeverSent));
        assert!(error.to_string().contains(&in_the_way.display().to_string()), "{error}");
    }
}
