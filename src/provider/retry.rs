//! PURE: whether and when a call is retried.
//!
//! A read is attempted up to four times, 0.2 s, 1 s and 4 s apart, or as `Retry-After` says. A write is retried only
//! when it is certain that it was not carried out: there was no connection, or the provider answered 429.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;

use crate::provider::error::ErrorKind;
use crate::provider::time::http_date;

/// The pauses between attempts.
pub(crate) const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(4)];

/// The longest pause for one `Retry-After`. If the provider asks for more, the whole run is retried later.
const LONGEST: Duration = Duration::from_secs(60);

/// How long to wait before a retry; `None` if the call must not be retried. `attempts` counts those so far.
pub(crate) fn pause(method: &Method, attempts: usize, error: &ErrorKind) -> Option<Duration> {
    let own = *PAUSES.get(attempts.checked_sub(1)?)?;
    let again = if *method == Method::GET {
        error.is_retryable()
    } else {
        match error {
            ErrorKind::NeverSent(_) => true,
            ErrorKind::Status { status, .. } => *status == StatusCode::TOO_MANY_REQUESTS,
            _ => false,
        }
    };
    let asked = match error {
        ErrorKind::Status { retry_after, .. } => retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    again.then(|| own.max(asked.min(LONGEST)))
}

/// The pause that `Retry-After` asks for, as seconds or an HTTP date. A date is measured from the answer's own `Date`,
/// so that an error of our clock does not matter, or else from `now`.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return Some(Duration::from_secs(u32::MAX.into()));
    }
    let until = http_date(text)?;
    let from = date(headers).unwrap_or(now);
    Some(Duration::try_from(until.duration_since(from)).unwrap_or(Duration::ZERO))
}

/// The provider's time: the answer's `Date`.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(header::DATE)?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, retry_after: Option<u64>) -> ErrorKind {
        let status = StatusCode::from_u16(code).unwrap();
        ErrorKind::Status { status, text: String::new(), retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn a_read_is_tried_four_times() {
        let pauses: Vec<_> = (1..=4).map(|tried| pause(&Method::GET, tried, &status(500, None))).collect();
        assert_eq!(pauses, [Some(PAUSES[0]), Some(PAUSES[1]), Some(PAUSES[2]), None]);
    }

    #[test]
    fn a_read_that_is_refused_is_not_tried_again() {
        for code in [301, 400, 401, 403, 404, 501] {
            assert_eq!(pause(&Method::GET, 1, &status(code, None)), None, "{code}");
        }
    }

    #[test]
    fn retry_after_is_obeyed_up_to_a_minute_and_never_shortens_a_pause() {
        assert_eq!(pause(&Method::GET, 1, &status(503, Some(7))), Some(Duration::from_secs(7)));
        assert_eq!(pause(&Method::GET, 1, &status(429, Some(86_400))), Some(LONGEST));
        assert_eq!(pause(&Method::GET, 2, &status(429, Some(0))), Some(PAUSES[1]));
    }

    #[test]
    fn a_write_is_sent_again_only_when_it_was_not_carried_out() {
        for (kind, again) in [
            (ErrorKind::NeverSent(String::new()), true),
            (status(429, None), true),
            (status(503, Some(1)), false),
            (status(500, None), false),
            (status(408, None), false),
            (ErrorKind::Timeout(Duration::from_secs(30)), false),
            (ErrorKind::Interrupted(String::new()), false),
            (ErrorKind::Broken { status: StatusCode::CREATED, text: String::new() }, false),
        ] {
            for method in [Method::POST, Method::DELETE] {
                assert_eq!(pause(&method, 1, &kind).is_some(), again, "{method} {kind:?}");
            }
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = "2026-11-21T02:30:00Z".parse().unwrap();
        let read = |value: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            if let Some(date) = date {
                headers.insert(header::DATE, date.parse().unwrap());
            }
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(read("7", None), Some(7));
        assert_eq!(read(" 0 ", None), Some(0));
        assert_eq!(read("99999999999999999999", None), Some(u64::from(u32::MAX)));
        assert_eq!(read("Sat, 21 Nov 2026 02:30:09 GMT", None), Some(9));
        assert_eq!(read("Sat, 21 Nov 2026 02:29:00 GMT", None), Some(0));
        assert_eq!(read("Sat, 21 Nov 2026 09:00:05 GMT", Some("Sat, 21 Nov 2026 09:00:00 GMT")), Some(5));
        for nonsense in ["", "soon", "-1", "1.5"] {
            assert_eq!(read(nonsense, None), None, "{nonsense:?}");
        }
    }
}
