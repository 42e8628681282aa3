//! Times and counts as the page shows them: short, and the same for everybody who looks.

use jiff::Timestamp;

/// A moment: `2026-11-21 02:30Z`, which HTML reads as a time.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// A span in its largest unit, or in two where one says too little: `45 s`, `12 min`, `7 h 12 min`, `26 h`, `3 d`.
pub(super) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..36_000 if minutes > 0 => format!("{hours} h {minutes} min"),
        3600..172_800 => format!("{hours} h"),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long ago, or that it lies ahead by our clock.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    if at > now { "in the future".to_owned() } else { format!("{} ago", span(at.duration_until(now).as_secs())) }
}

/// How long until then.
pub(super) fn ahead(at: Timestamp, now: Timestamp) -> String {
    if at <= now { "now".to_owned() } else { format!("in {}", span(now.duration_until(at).as_secs())) }
}

/// `1 server`, `1,200 servers`.
pub(super) fn count(number: usize, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {more}", grouped(number)) }
}

/// A number with commas: `10,000`.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A size that the provider gave in MB: `512 MB`, `12.4 GB`, `1.2 TB`.
pub(super) fn size(megabytes: u64) -> String {
    match megabytes {
        0..1000 => format!("{megabytes} MB"),
        1000..1_000_000 => format!("{}.{} GB", megabytes / 1000, megabytes % 1000 / 100),
        _ => format!("{}.{} TB", megabytes / 1_000_000, megabytes % 1_000_000 / 100_000),
    }
}

/// The text on one line, cut to `longest` characters.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    crate::policy::text::shortened(&crate::policy::text::one_line(text), longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_counts_and_moments_read_well() {
        let spans = [-5, 59, 719, 3600, 25_920, 93_660, 172_800, 864_000].map(span);
        assert_eq!(spans, ["0 s", "59 s", "11 min", "1 h", "7 h 12 min", "26 h", "2 d", "10 d"]);
        assert_eq!([1, 0, 999, 10_000, 1_234_567].map(grouped), ["1", "0", "999", "10,000", "1,234,567"]);
        assert_eq!(
            (count(1, "server", "servers"), count(0, "server", "servers")),
            ("1 server".into(), "0 servers".into())
        );
        assert_eq!(moment("2026-11-21T02:30:59Z".parse().unwrap()), "2026-11-21 02:30Z");
    }
}
