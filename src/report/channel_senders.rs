//! What sends the messages of each channel. A channel without a sender keeps its messages in the outbox.

use crate::report::delivery::{Delivery, OutboxMessage};
use crate::report::error::DeliveryError;
use crate::report::sender::deliver;
use crate::report::transport::MailTransport;
use crate::store::outbox::Channel;

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct MailSender {
    /// `lastgood <backup@example.com>`.
    pub from: String,
    /// Where it goes.
    pub transport: MailTransport,
}

/// The sender of each channel.
#[derive(Clone, Debug, Default)]
pub struct ChannelSenders {
    /// Of mail; `None` if the file has no `[smtp]`.
    pub mail: Option<MailSender>,
}

impl ChannelSenders {
    /// The channels that have a sender.
    #[must_use]
    pub fn channels(&self) -> Vec<Channel> {
        Channel::ALL.into_iter().filter(|channel| self.can_send(*channel)).collect()
    }

    fn can_send(&self, channel: Channel) -> bool {
        match channel {
            Channel::Mail => self.mail.is_some(),
        }
    }

    /// Sends a message once, on its channel. `None` if the channel has no sender.
    ///
    /// # Errors
    /// When nobody received it, or that is unknown.
    pub async fn send(&self, channel: Channel, message: &OutboxMessage) -> Option<Result<Delivery, DeliveryError>> {
        match channel {
            Channel::Mail => Some(deliver(&self.mail.as_ref()?.transport, message).await),
        }
    }
}
