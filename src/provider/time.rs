//! Times from the provider, kept away from the ends of the calendar so that minutes and years can be added to them.

use jiff::Timestamp;

/// The first of January of the years 1000 and 9000, in seconds since 1970.
const FIRST: i64 = -30_610_224_000;
const LAST: i64 = 221_845_392_000;

/// An RFC 3339 time: with or without fractions, in UTC or with an offset.
pub(crate) fn rfc3339(text: &str) -> Option<Timestamp> {
    text.parse().ok().map(bounded)
}

/// The time of an HTTP header.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|zoned| bounded(zoned.timestamp()))
}

fn bounded(at: Timestamp) -> Timestamp {
    let end = |second| Timestamp::from_second(second).expect("it is far from the ends of the calendar");
    at.clamp(end(FIRST), end(LAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_at_the_end_of_the_calendar_is_moved_to_where_one_can_add_to_it() {
        let last = "9000-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(rfc3339("9999-12-30T21:59:00Z"), Some(last));
        assert_eq!(http_date("Thu, 30 Dec 9999 21:59:00 GMT"), Some(last));
        assert_eq!(rfc3339("0001-01-01T00:00:00Z"), Some("1000-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(rfc3339("2026-11-21T02:30:00Z"), Some("2026-11-21T02:30:00Z".parse().unwrap()));
        assert_eq!(http_date("Sat, 21 Nov 2026 02:30:00 GMT"), rfc3339("2026-11-21T02:30:00Z"));
        assert_eq!(rfc3339("tomorrow"), None);
    }
}
