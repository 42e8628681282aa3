//! What happens to a message after an attempt: it is done, retried, or given up. Temporary failures are retried after
//! 5 s, doubling to 15 min, for 3 days. The decision is pure; only `deliver` touches the world.

use std::time::Duration;

use jiff::Timestamp;

use crate::journal::redelivery::wait_after;
use crate::report::delivery::{Delivery, OutboxMessage};
use crate::report::error::{DeliveryError, RecipientRefusal};
use crate::report::text::between;
use crate::report::transport::MailTransport;

/// How long a message is retried.
pub(crate) const GIVE_UP_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);
/// A message is never given up before this many attempts: a host that was asleep for three days has tried nothing.
const FEWEST_TRIES: u32 = 20;

/// What to do with a message after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// Everyone who can receive it has it. Those in `refused` never will, which is reported.
    Done {
        /// Those whom the server permanently refused.
        refused: Vec<RecipientRefusal>,
    },
    /// It is sent again to those who have not received it.
    Retry {
        /// When; a start of the daemon may try it at once.
        at: Timestamp,
        /// Who has not got it.
        to: Vec<String>,
        /// Those whom the server permanently refused in this attempt.
        refused: Vec<RecipientRefusal>,
        /// Why, for `status` and the log.
        reason: String,
    },
    /// It will not be sent again. Nobody in `to` has received it, as far as is known.
    GivenUp {
        /// Who has not got it.
        to: Vec<String>,
        /// Why.
        reason: String,
    },
}

/// Sends a message once. The result goes to `retry_decision`.
///
/// # Errors
/// When nobody received it, or that is unknown.
pub async fn deliver(transport: &MailTransport, message: &OutboxMessage) -> Result<Delivery, DeliveryError> {
    transport.send(message).await
}

/// What to do with `message`, whose `attempts` do not count the one that gave `result`.
#[must_use]
pub(crate) fn retry_decision(
    message: &OutboxMessage,
    result: &Result<Delivery, DeliveryError>,
    now: Timestamp,
) -> RetryDecision {
    let (refused, waiting, reason) = match result {
        Ok(delivery) => {
            let (permanent, for_now) = split(&delivery.refused);
            let reason = for_now.first().map(|one| one.reply.clone()).unwrap_or_default();
            (permanent, for_now.into_iter().map(|one| one.address).collect(), reason)
        }
        Err(error) if error.is_retryable() => {
            let (permanent, _) = split(&error.refused);
            let lost = |address: &String| permanent.iter().any(|one| one.address == *address);
            let to: Vec<String> = message.to.iter().filter(|address| !lost(address)).cloned().collect();
            (permanent, to, error.to_string())
        }
        Err(error) => return RetryDecision::GivenUp { to: message.to.clone(), reason: error.to_string() },
    };
    if waiting.is_empty() {
        return RetryDecision::Done { refused };
    }
    let attempts = message.attempts.saturating_add(1);
    let expired = between(message.first_at, now) >= GIVE_UP_AFTER && attempts >= FEWEST_TRIES;
    if expired {
        let to = waiting.into_iter().chain(refused.into_iter().map(|one| one.address)).collect();
        return RetryDecision::GivenUp { to, reason: format!("tried for 3 days; last error: {reason}") };
    }
    let at = now.checked_add(wait_after(attempts)).unwrap_or(now);
    RetryDecision::Retry { at, to: waiting, refused, reason }
}

fn split(refused: &[RecipientRefusal]) -> (Vec<RecipientRefusal>, Vec<RecipientRefusal>) {
    refused.iter().cloned().partition(|one| one.permanent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::error::{DeliveryStep, FailureKind};
    use crate::report::samples::at;

    fn message(attempts: u32) -> OutboxMessage {
        OutboxMessage {
            id: 1,
            message_id: "<lastgood.1@example.com>".to_owned(),
            subject: "[lastgood] FAILED".to_owned(),
            from: "backup@example.com".to_owned(),
            to: vec!["a@example.com".to_owned(), "b@example.com".to_owned()],
            bytes: vec![],
            attempts,
            first_at: at("2026-11-21T02:00:00Z"),
        }
    }

    fn refusal(address: &str, permanent: bool) -> RecipientRefusal {
        RecipientRefusal { address: address.to_owned(), reply: "450 later".to_owned(), permanent }
    }

    fn error(kind: FailureKind) -> DeliveryError {
        DeliveryError::new("smtp.example.com:587", DeliveryStep::Connect, kind, "refused")
    }

    #[test]
    fn temporary_failures_are_retried_for_the_same_people() {
        for kind in
            [FailureKind::NeverSent, FailureKind::RetryLater, FailureKind::Misconfigured, FailureKind::Ambiguous]
        {
            let now = at("2026-11-21T02:00:10Z");
            let RetryDecision::Retry { at, to, .. } = retry_decision(&message(1), &Err(error(kind)), now) else {
                panic!("{kind:?} is retried")
            };
            assert_eq!((at.to_string(), to), ("2026-11-21T02:00:20Z".to_owned(), message(1).to));
        }
    }

    #[test]
    fn a_permanent_refusal_is_given_up_at_once() {
        let decision = retry_decision(&message(0), &Err(error(FailureKind::Permanent)), at("2026-11-21T02:00:10Z"));
        assert!(matches!(decision, RetryDecision::GivenUp { to, .. } if to.len() == 2));
    }

    #[test]
    fn only_those_who_were_temporarily_refused_get_it_again() {
        let delivery = Delivery {
            accepted: vec!["c@example.com".to_owned()],
            refused: vec![refusal("a@example.com", false), refusal("b@example.com", true)],
        };
        let RetryDecision::Retry { to, refused, .. } =
            retry_decision(&message(0), &Ok(delivery), at("2026-11-21T02:00:10Z"))
        else {
            panic!("one waits")
        };
        assert_eq!(to, vec!["a@example.com".to_owned()]);
        assert_eq!(refused, vec![refusal("b@example.com", true)]);
    }

    #[test]
    fn a_permanent_refusal_ends_a_message_that_the_others_received() {
        let gone = refusal("b@example.com", true);
        let delivery = Delivery { accepted: vec!["a@example.com".to_owned()], refused: vec![gone.clone()] };
        let decision = retry_decision(&message(0), &Ok(delivery), at("2026-11-21T02:00:10Z"));
        assert_eq!(decision, RetryDecision::Done { refused: vec![gone] });
    }

    #[test]
    fn after_three_days_and_many_attempts_it_is_given_up() {
        let late = at("2026-11-24T02:00:00Z");
        assert!(matches!(
            retry_decision(&message(200), &Err(error(FailureKind::NeverSent)), late),
            RetryDecision::GivenUp { .. }
        ));
        let early = at("2026-11-24T01:59:59Z");
        assert!(matches!(
            retry_decision(&message(200), &Err(error(FailureKind::NeverSent)), early),
            RetryDecision::Retry { .. }
        ));
    }

    #[test]
    fn a_host_that_slept_for_a_week_gives_nothing_up_untried() {
        let late = at("2026-11-28T02:00:00Z");
        assert!(matches!(
            retry_decision(&message(2), &Err(error(FailureKind::NeverSent)), late),
            RetryDecision::Retry { .. }
        ));
    }

    #[test]
    fn a_clock_set_back_gives_nothing_up() {
        let before = at("2026-11-01T02:00:00Z");
        assert!(matches!(
            retry_decision(&message(500), &Err(error(FailureKind::NeverSent)), before),
            RetryDecision::Retry { .. }
        ));
    }
}
