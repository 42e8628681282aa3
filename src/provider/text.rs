//! Text from the provider made fit for one line of a message: short, without control characters, without the token.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The most characters of the provider's words that a message repeats.
const LONGEST: usize = 300;

/// The provider's own words in the body of an error: `detail`, lists of messages a field, or what an HTML page says.
pub(crate) fn words(body: &[u8], token: &SecretString) -> String {
    let raw = match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            let mut parts = Vec::new();
            flatten(&value, "", 0, &mut parts);
            parts.join("; ")
        }
        Err(_) => plain(&String::from_utf8_lossy(body)),
    };
    tidy(&raw, token)
}

/// One line of at most 300 characters in which nothing can move a cursor or turn the reading direction.
pub(crate) fn tidy(text: &str, token: &SecretString) -> String {
    let text = redact(text, token);
    let mut line = String::new();
    let (mut length, mut gap) = (0, false);
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || is_invisible(c) {
            gap = !line.is_empty();
            continue;
        }
        length += 1 + usize::from(gap);
        if length > LONGEST {
            line.push('…');
            break;
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(c);
    }
    line
}

/// The text without the token, wherever the provider repeats it.
pub(crate) fn redact(text: &str, token: &SecretString) -> String {
    let token = token.expose_secret();
    if token.is_empty() { text.to_owned() } else { text.replace(token, "[token]") }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Field names that say nothing beside their text.
const CARRIERS: [&str; 6] = ["detail", "error", "errors", "message", "messages", "non_field_errors"];

fn flatten(value: &Value, label: &str, depth: usize, parts: &mut Vec<String>) {
    if depth > 4 || parts.len() > 20 {
        return;
    }
    let mut say = |text: &str| {
        if !text.trim().is_empty() {
            parts.push(if label.is_empty() { text.to_owned() } else { format!("{label}: {text}") });
        }
    };
    match value {
        Value::Null => {}
        Value::String(text) => say(text),
        Value::Bool(_) | Value::Number(_) => say(&value.to_string()),
        Value::Array(items) => items.iter().for_each(|item| flatten(item, label, depth + 1, parts)),
        Value::Object(fields) => {
            for (key, item) in fields {
                let label = if CARRIERS.contains(&key.as_str()) { label } else { key };
                flatten(item, label, depth + 1, parts);
            }
        }
    }
}

/// What a person would read on a page: its title when it is HTML and has one, else the text between the tags.
fn plain(text: &str) -> String {
    let start = text.trim_start();
    if !start.starts_with('<') {
        return text.to_owned();
    }
    // Lower-casing ASCII alone keeps every byte in its place.
    let lower = text.to_ascii_lowercase();
    if let Some(open) = lower.find("<title") {
        let inner = text[open..].find('>').map(|end| open + end + 1);
        let close = lower[open..].find("</title").map(|end| open + end);
        if let (Some(inner), Some(close)) = (inner, close)
            && inner < close
            && !text[inner..close].trim().is_empty()
        {
            return text[inner..close].to_owned();
        }
    }
    let (mut read, mut inside) = (String::new(), false);
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                read.push(' ');
            }
            _ if !inside => read.push(c),
            _ => {}
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> String {
        words(body.as_bytes(), &SecretString::from("vps_secret"))
    }

    #[test]
    fn the_providers_own_words_are_found_in_every_shape() {
        for (body, text) in [
            (r#"{"detail":"Not found."}"#, "Not found."),
            (
                r#"{"server_id":["This field is required.","Really."]}"#,
                "server_id: This field is required.; server_id: Really.",
            ),
            (r#"{"error":{"code":7,"message":"limit"}}"#, "code: 7; limit"),
            (r#"["one","two"]"#, "one; two"),
            (r#""words""#, "words"),
            ("null", ""),
            ("", ""),
            ("plain\r\ntext\tof a proxy", "plain text of a proxy"),
            ("<html><head><TITLE>502 Bad Gateway</TITLE></head><body><h1>x</h1></body></html>", "502 Bad Gateway"),
            ("<html><body><h1>Sorry</h1><p>later</p></body></html>", "Sorry later"),
        ] {
            assert_eq!(said(body), text, "{body}");
        }
    }

    #[test]
    fn nothing_that_moves_a_cursor_is_left() {
        assert_eq!(said("{\"detail\":\"a\\u001b[31mb\\u0000c\\u202ed\\r\\nX: y\"}"), "a [31mb c d X: y");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let text = said(&"ä".repeat(5_000));
        assert_eq!(text.chars().count(), LONGEST + 1);
        assert!(text.ends_with('…'));
    }

    #[test]
    fn a_token_that_the_provider_repeats_is_not_repeated() {
        for body in [r#"{"detail":"token vps_secret is bad"}"#, "<p>vps_secret</p>", r#"{"vps_secret":["x"]}"#] {
            assert!(!said(body).contains("vps_secret"), "{body}");
        }
    }
}
