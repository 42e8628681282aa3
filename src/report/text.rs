//! Words for times, ages, sizes and counts. And text from outside is only text: whatever a server is called, `plain`
//! returns one line without control or direction-changing characters.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The longest cause or name that is shown in full; the provider may answer with a page of HTML.
pub(crate) const LONGEST_LINE: usize = 500;

/// `text` as one sanitized line: line breaks and tabs become spaces; other control characters, and those that are
/// invisible or change the writing direction, are shown by their code; long text is cut.
pub(crate) fn plain(text: &str) -> String {
    shortened(&sanitized(text), LONGEST_LINE)
}

/// Like `plain`, but without cutting.
pub(crate) fn sanitized(text: &str) -> String {
    crate::policy::text::one_line(text)
}

/// At most `longest` characters; an ellipsis stands for what is missing.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(longest.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// `1 server`, `2 servers`, `no servers`.
pub(crate) fn count(number: usize, one: &str) -> String {
    match number {
        0 => format!("no {one}s"),
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// A moment as a person of that zone reads it: `2026-11-21 02:30 UTC`.
pub(crate) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// A due time: like `moment`, with seconds if they are not zero.
pub(crate) fn due(at: Timestamp, zone: &TimeZone) -> String {
    let zoned = at.to_zoned(zone.clone());
    let shape = if zoned.second() == 0 { "%Y-%m-%d %H:%M %Z" } else { "%Y-%m-%d %H:%M:%S %Z" };
    zoned.strftime(shape).to_string()
}

/// A span, as precise as people need it: `45 s`, `12 min`, `7 h 12 min`, `26 h`, `3 days 2 h`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (large, small) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3600 => return format!("{} min", seconds / 60),
        3600..36_000 => ((seconds / 3600, "h"), (seconds % 3600 / 60, "min")),
        36_000..172_800 => return format!("{} h", seconds / 3600),
        _ => ((seconds / 86_400, "days"), (seconds % 86_400 / 3600, "h")),
    };
    let head = format!("{} {}", large.0, large.1);
    if small.0 == 0 { head } else { format!("{head} {} {}", small.0, small.1) }
}

/// From `earlier` to `later`; zero if `later` is not later.
pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

/// A past moment with its age: `2026-11-21 02:30 UTC (7 h 12 min ago)`.
pub(crate) fn past(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    if at > now {
        return format!("{} (in the future by our clock)", moment(at, zone));
    }
    format!("{} ({} ago)", moment(at, zone), span(between(at, now)))
}

/// A future moment with the wait: `2026-11-22 02:30 UTC (in 16 h)`.
pub(crate) fn future(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    if at <= now {
        return format!("{} (now)", moment(at, zone));
    }
    format!("{} (in {})", moment(at, zone), span(between(now, at)))
}

/// A size that the provider gave in MB: `512 MB`, `12.4 GB`, `1.2 TB`.
pub(crate) fn size(megabytes: u64) -> String {
    match megabytes {
        0..1000 => format!("{megabytes} MB"),
        1000..1_000_000 => format!("{}.{} GB", megabytes / 1000, megabytes % 1000 / 100),
        _ => format!("{}.{} TB", megabytes / 1_000_000, megabytes % 1_000_000 / 100_000),
    }
}

/// How a size changed: `+300 MB`, `-1.2 GB`, `same`.
pub(crate) fn change(before: u64, after: u64) -> String {
    match after.cmp(&before) {
        std::cmp::Ordering::Equal => "same".to_owned(),
        std::cmp::Ordering::Greater => format!("+{}", size(after - before)),
        std::cmp::Ordering::Less => format!("-{}", size(before - after)),
    }
}

/// The first `shown` names in a row: `a, b, c and 97 more`.
pub(crate) fn names<'a>(all: impl ExactSizeIterator<Item = &'a str>, shown: usize) -> String {
    let total = all.len();
    let head: Vec<String> = all.take(shown).map(plain).collect();
    let line = head.join(", ");
    if total > shown { format!("{line} and {} more", total - shown) } else { line }
}

/// Lower-case letters, digits and single hyphens, for file names: at most 60 characters, never empty.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 60 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "mail".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_becomes_one_sanitized_line() {
        assert_eq!(plain("web\r\nBcc: all@example.com"), "web Bcc: all@example.com");
        assert_eq!(plain("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(plain("safe\u{202e}gnp.exe"), "safe\\u{202e}gnp.exe");
        assert_eq!(plain("a\u{200b}b\u{9b}c"), "a\\u{200b}b\\u{9b}c");
        assert_eq!(plain("  çok   güzel  "), "çok güzel");
    }

    #[test]
    fn a_long_cause_is_cut() {
        let line = plain(&"x".repeat(5000));
        assert_eq!(line.chars().count(), LONGEST_LINE);
        assert!(line.ends_with('…'));
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let words = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(words(45), "45 s");
        assert_eq!(words(719), "11 min");
        assert_eq!(words(3600), "1 h");
        assert_eq!(words(25_920), "7 h 12 min");
        assert_eq!(words(93_660), "26 h");
        assert_eq!(words(266_400), "3 days 2 h");
    }

    #[test]
    fn a_clock_set_back_gives_no_negative_age() {
        let (now, later): (Timestamp, Timestamp) =
            ("2026-11-21T02:00:00Z".parse().unwrap(), "2026-11-21T02:30:00Z".parse().unwrap());
        assert_eq!(past(later, now, &TimeZone::UTC), "2026-11-21 02:30 UTC (in the future by our clock)");
        assert_eq!(past(now, later, &TimeZone::UTC), "2026-11-21 02:00 UTC (30 min ago)");
        assert_eq!(future(now, later, &TimeZone::UTC), "2026-11-21 02:00 UTC (now)");
    }

    #[test]
    fn sizes_and_their_change_have_a_fitting_unit() {
        assert_eq!(size(999), "999 MB");
        assert_eq!(size(12_499), "12.4 GB");
        assert_eq!(size(1_250_000), "1.2 TB");
        assert_eq!(change(1000, 1300), "+300 MB");
        assert_eq!(change(3000, 1800), "-1.2 GB");
        assert_eq!(change(5, 5), "same");
    }

    #[test]
    fn a_slug_fits_a_file_name() {
        assert_eq!(slug("[lastgood] FAILED nightly on ../../etc"), "lastgood-failed-nightly-on-etc");
        assert_eq!(slug("★"), "mail");
        assert!(slug(&"a b".repeat(100)).len() <= 60);
    }

    #[test]
    fn counts_and_long_lists_read_as_words() {
        assert_eq!((count(0, "server"), count(1, "server")), ("no servers".to_owned(), "1 server".to_owned()));
        assert_eq!(names(["a", "b", "c"].into_iter(), 2), "a, b and 1 more");
    }
}
