//! Durations as written in the policy file.

use std::time::Duration;

use crate::config::mask::excerpt;
use crate::config::value_error::ValueError;

const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// `50ms`, `90s`, `30m`, `26h`, `14d`, `2w`.
pub(super) fn duration(text: &str) -> Result<Duration, ValueError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = UNITS.iter().find(|(word, _)| *word == unit).map(|(_, milliseconds)| *milliseconds);
    let total = number.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    match total.filter(|total| *total <= 10 * 366 * 86_400_000) {
        Some(total) => Ok(Duration::from_millis(total)),
        None => Err(ValueError::new(
            format!("is \"{}\", which is not a duration", excerpt(text)),
            "write a whole number and a unit, as in \"50ms\", \"90s\", \"30m\", \"26h\", \"14d\"; at most ten years",
        )),
    }
}

/// A duration that is not zero.
pub(super) fn positive(text: &str) -> Result<Duration, ValueError> {
    let duration = duration(text)?;
    if duration.is_zero() {
        return Err(ValueError::new("is zero", "give a duration above zero, as in \"30s\""));
    }
    Ok(duration)
}

/// A duration of a day or more.
pub(super) fn at_least_a_day(text: &str) -> Result<Duration, ValueError> {
    let duration = duration(text)?;
    if duration < Duration::from_hours(24) {
        return Err(ValueError::new("is shorter than a day", "give a day or more, as in \"400d\""));
    }
    Ok(duration)
}
