//! Secrets written into a policy file by mistake are never shown: their bytes are replaced before a line is displayed.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A key whose name contains one of these words holds a secret.
const SECRET_WORDS: [&str; 6] = ["token", "password", "passwd", "secret", "apikey", "credential"];

/// Keys of the policy file that contain such a word but hold no secret.
const HARMLESS: [&str; 2] = ["token_file", "password_file"];

/// What every token of the provider begins with.
const TOKEN_PREFIX: &str = "vps_";

/// Whether the value of a key with this name must never be shown.
#[must_use]
pub(super) fn is_secret_key(key: &str) -> bool {
    if HARMLESS.contains(&key) {
        return false;
    }
    let plain: String = key.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    SECRET_WORDS.iter().any(|word| plain.contains(word) || strsim::osa_distance(&plain, word) <= 2)
        || plain.contains("pass") && !HARMLESS.iter().any(|known| strsim::osa_distance(key, known) <= 2)
}

/// The source with every secret replaced by asterisks, byte for byte, so that positions in it stay the same.
#[must_use]
pub(super) fn masked(source: &str) -> String {
    let mut spans = Vec::new();
    let (document, _) = DeTable::parse_recoverable(source);
    secrets_in_table(document.get_ref(), false, &mut spans);
    spans.extend(secret_lines(source));
    spans.extend(source.match_indices(TOKEN_PREFIX).map(|(start, _)| start..end_of_word(source, start)));
    spans.extend(url_passwords(source));
    let mut bytes = source.as_bytes().to_vec();
    for byte in spans.into_iter().flat_map(|span| bytes.get(span.clone()).map(|_| span)).flatten().collect::<Vec<_>>() {
        // Line ends and quotes stay, so that the displayed lines are still the lines of the file.
        if !matches!(bytes[byte], b'\n' | b'\r' | b'"' | b'\'') {
            bytes[byte] = b'*';
        }
    }
    String::from_utf8(bytes).expect("whole characters were replaced by ASCII")
}

/// Text from the file, safe to show in a message: one line, cut if long, never a token.
#[must_use]
pub(super) fn excerpt(text: &str) -> String {
    if text.contains(TOKEN_PREFIX) {
        return "***".to_owned();
    }
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short.replace("\\\"", "\"").replace("\\'", "'")
}

fn secrets_in_table(table: &DeTable<'_>, within_secret: bool, spans: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        secrets_in_value(value, within_secret || is_secret_key(key.get_ref()), spans);
    }
}

fn secrets_in_value(value: &toml::Spanned<DeValue<'_>>, secret: bool, spans: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(table) => secrets_in_table(table, secret, spans),
        DeValue::Array(array) => array.iter().for_each(|item| secrets_in_value(item, secret, spans)),
        _ if secret => spans.push(value.span()),
        _ => {}
    }
}

/// What follows the equals sign in the line of a secret, for files that are not valid TOML and so have no values.
fn secret_lines(source: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        if let Some(equals) = line.find(['=', ':']) {
            let key = line[..equals].trim().rsplit(['.', '{', ',', ' ']).next().unwrap_or_default();
            let key = key.trim_matches(['"', '\'']);
            if is_secret_key(key) {
                let space = line[equals + 1..].len() - line[equals + 1..].trim_start().len();
                let equals = equals + space;
                spans.push(start + equals + 1..start + line.trim_end().len().max(equals + 1));
            }
        }
        start += line.len();
    }
    spans
}

/// The `user:password` of every `scheme://user:password@host`.
fn url_passwords(source: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for (at, _) in source.match_indices("://") {
        let start = at + 3;
        let end = source[start..].find(['/', '"', '\'', '\n', ' ']).map_or(source.len(), |length| start + length);
        if let Some(sign) = source[start..end].rfind('@') {
            spans.push(start..start + sign);
        }
    }
    spans
}

fn end_of_word(source: &str, start: usize) -> usize {
    let rest = &source[start..];
    rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').map_or(source.len(), |length| start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_keys_are_masked_wherever_they_are() {
        for source in [
            "[provider]\ntoken = \"hunter2\"\n",
            "[smtp]\npassword='hunter2'\n",
            "smtp = { host = \"x\", passwrod = \"hunter2\" }\n",
            "provider.api_token = \"hunter2\"",
            "[provider]\nkey = \"vps_hunter2\"\n",
            "[provider]\ntoken_file = \"vps_hunter2\"\n",
            "[provider]\nurl = \"https://me:hunter2@example.com/api\"\n",
            "[smtp]\npassword = \"\"\"\nhunter2\n\"\"\"\n",
            "[smtp\npassword = hunter2\n",
            "[smtp]\npassword = \"hunter2\n",
            "[secret]\nvalue = [\"hunter2\"]\n",
        ] {
            let masked = masked(source);
            assert!(!masked.contains("hunter2"), "{masked}");
            assert_eq!(masked.len(), source.len(), "positions must stay the same");
        }
    }

    #[test]
    fn everything_else_is_left_as_it_is() {
        let source = "[provider]\ntoken_file = \"token\" # é\n[smtp]\npassword_file = \"p\"\nkeep = { daily = 4 }\n";
        assert_eq!(masked(source), source);
    }

    #[test]
    fn excerpts_are_short_and_on_one_line() {
        assert_eq!(excerpt("a\n\u{1b}[31mb"), "a\\n\\u{1b}[31mb");
        assert_eq!(excerpt(&"x".repeat(100)).chars().count(), 61);
        assert_eq!(excerpt("say \"é\""), "say \"é\"");
        assert_eq!(excerpt("vps_abc"), "***");
    }
}
