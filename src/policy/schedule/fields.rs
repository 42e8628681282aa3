//! Checks the fields of a cron expression before croner parses them: croner accepts `MON` as an hour, skips empty
//! entries, and does not name the field in its messages.

use super::error::ScheduleError;

/// One field: its name, its range, and the names that may be used for numbers.
struct Field {
    name: &'static str,
    lowest: u32,
    highest: u32,
    words: &'static [&'static str],
    /// Special characters (`L`, `W`, `#`, `?`, `+`).
    marks: &'static [char],
}

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 6] = [
    Field { name: "second", lowest: 0, highest: 59, words: &[], marks: &[] },
    Field { name: "minute", lowest: 0, highest: 59, words: &[], marks: &[] },
    Field { name: "hour", lowest: 0, highest: 23, words: &[], marks: &[] },
    Field { name: "day of month", lowest: 1, highest: 31, words: &[], marks: &['L', 'W', '?'] },
    Field { name: "month", lowest: 1, highest: 12, words: MONTHS, marks: &[] },
    Field { name: "day of week", lowest: 0, highest: 7, words: DAYS, marks: &['L', '#', '?', '+'] },
];

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// An expression whose fields are well formed.
pub(super) struct CronFields {
    /// What croner parses: nicknames are expanded.
    pub pattern: String,
    /// Whether the hour field names hours, rather than `*` or `*/n`.
    pub names_hours: bool,
}

pub(super) fn check(text: &str) -> Result<CronFields, ScheduleError> {
    let pattern = spell_out(text)?;
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    if pattern.contains('=') {
        let reason = "it sets a variable; the zone is given by `timezone`, not in the expression";
        return Err(ScheduleError::new(text, reason, None));
    }
    let first = match fields.len() {
        6 => 0,
        5 => 1,
        0 => return Err(ScheduleError::new(text, "it is empty", Some("30 2 * * *"))),
        count => {
            let reason = format!(
                "it has {count} field{}, not 5 (minute hour day month weekday) or 6 (with seconds first)",
                if count == 1 { "" } else { "s" }
            );
            return Err(ScheduleError::new(text, reason, Some("30 2 * * *")));
        }
    };
    for (field, value) in FIELDS[first..].iter().zip(&fields) {
        field.check(value).map_err(|(reason, suggestion)| ScheduleError::new(text, reason, suggestion.as_deref()))?;
    }
    let names_hours = !fields[2 - first].split(',').any(|entry| entry.starts_with('*'));
    Ok(CronFields { names_hours, pattern })
}

fn spell_out(text: &str) -> Result<String, ScheduleError> {
    let text = text.trim();
    if !text.starts_with('@') {
        return Ok(text.to_owned());
    }
    if let Some((_, pattern)) = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok((*pattern).to_owned());
    }
    let known = NICKNAMES.iter().map(|(name, _)| *name);
    let distance = |name: &&str| strsim::damerau_levenshtein(name, &text.to_ascii_lowercase());
    let nearest = known.min_by_key(distance).filter(|name| distance(name) <= 2);
    let reason = "the known ones are @hourly, @daily, @weekly, @monthly and @yearly";
    Err(ScheduleError::new(text, reason, nearest))
}

type Complaint = (String, Option<String>);

impl Field {
    fn check(&self, value: &str) -> Result<(), Complaint> {
        let value = if self.marks.contains(&'+') { value.strip_prefix('+').unwrap_or(value) } else { value };
        value.split(',').try_for_each(|entry| self.check_entry(entry))
    }

    fn check_entry(&self, entry: &str) -> Result<(), Complaint> {
        if entry.is_empty() {
            return Err((format!("the field {} has an empty entry", self.name), None));
        }
        let (range, step) = match entry.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (entry, None),
        };
        if let Some(step) = step {
            self.check_step(range, step)?;
        }
        if range == "*" || (range == "?" && self.marks.contains(&'?')) {
            return Ok(());
        }
        // `5L`, `L`, `LW`, `15W` and `MON#2` are left to croner if their letters are allowed in this field.
        let upper = range.to_ascii_uppercase();
        let plain = upper.split('#').next().unwrap_or_default();
        let bare = plain.trim_end_matches(|c| (c == 'L' || c == 'W') && self.marks.contains(&c));
        if bare.is_empty() && bare.len() < plain.len() {
            return Ok(());
        }
        if upper.contains('#') && !self.marks.contains(&'#') {
            return Err((format!("`#` has no meaning in the field {}", self.name), None));
        }
        match bare.split_once('-') {
            Some((low, high)) => self.check_range(low, high),
            None => self.number(bare).map(|_| ()),
        }
    }

    fn check_step(&self, range: &str, step: &str) -> Result<(), Complaint> {
        let whole = format!("the field {}", self.name);
        let stride: u32 = step
            .parse()
            .map_err(|_| (format!("{whole} has the step `{}`, which is not a number", step.escape_debug()), None))?;
        if stride == 0 {
            return Err((format!("{whole} has the step 0"), Some("*/5 * * * *".to_owned())));
        }
        if stride > self.highest - self.lowest + 1 {
            return Err((format!("{whole} has the step {stride}, more than the whole field"), None));
        }
        if range != "*" && !range.contains('-') {
            let instead =
                if range.is_empty() { format!("*/{step}") } else { format!("{range}-{}/{step}", self.highest) };
            let range = range.escape_debug();
            return Err((format!("{whole} steps from `{range}` without an end; as a field, write {instead}"), None));
        }
        Ok(())
    }

    fn check_range(&self, low: &str, high: &str) -> Result<(), Complaint> {
        let (from, to) = (self.number(low)?, self.number(high)?);
        // SAT-SUN is 6-7.
        let to = if to == 0 && high == "SUN" { 7 } else { to };
        if from <= to {
            return Ok(());
        }
        let instead =
            format!("{low}-{},{}-{high}", self.highest.min(if self.words == DAYS { 6 } else { 99 }), self.lowest);
        Err((
            format!("the range {low}-{high} in the field {} runs backwards; as a field, write {instead}", self.name),
            None,
        ))
    }

    fn number(&self, text: &str) -> Result<u32, Complaint> {
        if let Some(index) = self.words.iter().position(|word| *word == text) {
            return Ok(self.lowest + u32::try_from(index).unwrap_or_default());
        }
        if text.is_empty() {
            return Err((format!("a number is missing in the field {}", self.name), None));
        }
        let Ok(number) = text.parse::<u32>() else {
            let text = text.escape_debug();
            return Err((format!("the field {} cannot be `{text}`", self.name), None));
        };
        if (self.lowest..=self.highest).contains(&number) && text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(number);
        }
        let range = format!("{}-{}", self.lowest, self.highest);
        Err((format!("{text} is outside {range}, the range of the field {}", self.name), None))
    }
}
