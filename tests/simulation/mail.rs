//! The post office: what the daemon's own mail task does (compose, send, try again), to a mail server of the
//! simulation that is down now and then.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use lastgood::seams::account::mail_settings;
use lastgood::seams::config::Config;
use lastgood::seams::daemon::digests;
use lastgood::seams::journal::redelivery::wait_after;
use lastgood::seams::report::pipeline::{Pipeline, compose_due};
use lastgood::seams::store::Store;
use lastgood::seams::store::outbox::{Channel, DeliveryOutcome};

/// Composes and sends.
#[derive(Debug, Default)]
pub struct PostOffice {
    pipeline: Option<Pipeline>,
    /// The file, where digests are written.
    config: Option<Config>,
    pub writes_digests: bool,
    sent: BTreeSet<String>,
    /// The mail server is down until then, by the daemon's clock.
    pub down_until: Option<Timestamp>,
}

impl PostOffice {
    /// The reports of the file in force.
    pub fn of(&mut self, config: &Config) {
        if config.smtp.is_some() {
            self.pipeline = mail_settings(config).expect("the file needs no password");
            self.config = Some(config.clone());
        }
    }

    /// How many different mails were sent.
    pub fn sent(&self) -> u64 {
        self.sent.len() as u64
    }

    /// How many of them were digests.
    pub fn digests(&self) -> u64 {
        self.sent.iter().filter(|id| id.contains(".digest.")).count() as u64
    }

    /// Whether a mail of that Message-ID was sent.
    pub fn has_sent(&self, message_id: &str) -> bool {
        self.sent.contains(message_id)
    }

    /// One round of the daemon's mail task.
    pub async fn round(&mut self, store: &Store, now: Timestamp) {
        let Some(pipeline) = &self.pipeline else { return };
        compose_due(store, pipeline, now, false).await.expect("mails can be composed");
        if let Some(config) = self.config.as_ref().filter(|_| self.writes_digests) {
            digests(store, config, pipeline, now).await.expect("digests can be written");
        }
        for message in store.messages_due(&[Channel::Mail], now).await.expect("the outbox can be read") {
            let text = String::from_utf8_lossy(&message.message.bytes);
            assert!(!text.contains("vps_year"), "a mail shows the token: {text}");
            let outcome = if self.down_until.is_some_and(|until| now < until) {
                let wait: Duration = wait_after(message.attempts + 1);
                DeliveryOutcome::Later { at: now + wait, to: message.message.to.clone(), error: "down".to_owned() }
            } else {
                self.sent.insert(message.message.message_id.clone());
                DeliveryOutcome::Sent { refused: None }
            };
            store.attempt_ended(message.id, outcome, now).await.expect("the outbox can be written");
        }
    }
}
