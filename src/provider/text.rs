//! Cleans text from the provider where it comes in: shortened, without misleading characters, without the token.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::policy::text::{LONGEST, push_visible, shortened};
use crate::provider::bounded;

/// The most bytes read of an error's body.
pub(crate) const BODY_BYTES: usize = 64 * 1024;

/// Anything shorter is not a token, and replacing it would damage other words.
const SHORTEST_TOKEN: usize = 4;

/// The most tokens remembered; the oldest are forgotten.
const MOST_TOKENS: usize = 8;

/// What replaces a token: the first of these that does not contain it.
const PLACEHOLDERS: [&str; 3] = ["[token]", "[secret]", "***"];

/// The tokens that no text may contain: the one in force, and those that reloads have replaced.
#[derive(Clone)]
pub(crate) struct Masks {
    /// Newest first.
    tokens: Vec<SecretString>,
    /// Each token as it is and URL-encoded, with its replacement.
    forms: Vec<(SecretString, &'static str)>,
}

impl Masks {
    /// Masks one token.
    pub(crate) fn new(token: &SecretString) -> Self {
        Self::of(vec![token.clone()])
    }

    /// Masks the earlier tokens, too.
    pub(crate) fn and(&self, before: &Self) -> Self {
        let mut tokens = self.tokens.clone();
        let is_known = |known: &[SecretString], token: &SecretString| {
            known.iter().any(|known| known.expose_secret() == token.expose_secret())
        };
        for token in &before.tokens {
            if !is_known(&tokens, token) {
                tokens.push(token.clone());
            }
        }
        tokens.truncate(MOST_TOKENS);
        Self::of(tokens)
    }

    fn of(tokens: Vec<SecretString>) -> Self {
        let mut forms = Vec::new();
        for token in &tokens {
            let token = token.expose_secret();
            if token.len() < SHORTEST_TOKEN {
                continue;
            }
            let holds = |placeholder: &&&str| !placeholder.to_ascii_lowercase().contains(&token.to_ascii_lowercase());
            let placeholder = PLACEHOLDERS.iter().find(holds).copied().unwrap_or_default();
            let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
            let is_other = encoded != token;
            forms.push((SecretString::from(token), placeholder));
            if is_other {
                forms.push((SecretString::from(encoded), placeholder));
            }
        }
        // Longest first, in case one token begins with another.
        forms.sort_by_key(|(form, _)| std::cmp::Reverse(form.expose_secret().len()));
        Self { tokens, forms }
    }

    /// The text, cut to 256 characters, with misleading characters shown as codes and every token replaced. Always the
    /// same for the same text.
    pub(crate) fn clean(&self, text: &str) -> String {
        // The common case: nothing to clean.
        let is_plain = text.len() <= LONGEST && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if is_plain && !self.has_token(text) {
            return text.to_owned();
        }
        let (mut line, mut length, mut at) = (String::new(), 0, 0);
        while let Some(c) = text[at..].chars().next() {
            let before = line.len();
            match self.token_at(&text[at..]) {
                Some((skipped, placeholder)) => {
                    line.push_str(placeholder);
                    at += skipped;
                }
                None => {
                    push_visible(&mut line, c);
                    at += c.len_utf8();
                }
            }
            length += line[before..].chars().count();
            if length > LONGEST {
                return shortened(&line, LONGEST);
            }
        }
        line
    }

    /// As `clean`, on one line for messages: any white space becomes one space.
    pub(crate) fn tidy(&self, text: &str) -> String {
        let is_gap = |c: char| c.is_whitespace() || c == '\u{2028}' || c == '\u{2029}';
        let mut line = String::new();
        for word in text.split(is_gap).filter(|word| !word.is_empty()) {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            // More than enough, no matter which tokens are replaced.
            if line.len() > BODY_BYTES {
                break;
            }
        }
        self.clean(&line)
    }

    /// The provider's message in the body of an error: `detail`, lists of messages by field, or the text of an HTML
    /// page.
    pub(crate) fn words(&self, body: &[u8]) -> String {
        let whole = body.len() < BODY_BYTES;
        let body = &body[..body.len().min(BODY_BYTES)];
        let raw = match bounded::answer(body) {
            Ok(value) if whole => {
                let mut parts = Vec::new();
                flatten(&value, "", 0, &mut parts);
                parts.join("; ")
            }
            _ => plain(&self.without_torn_end(&String::from_utf8_lossy(body), whole)).into_owned(),
        };
        self.tidy(&raw)
    }

    /// A cut text without its last characters, which may be the beginning of a token.
    fn without_torn_end(&self, text: &str, whole: bool) -> String {
        let longest = self.forms.first().map_or(0, |(form, _)| form.expose_secret().len());
        let end = if whole { text.len() } else { text.floor_char_boundary(text.len().saturating_sub(longest)) };
        text[..end].to_owned()
    }

    /// Whether a token is anywhere in a text.
    fn has_token(&self, text: &str) -> bool {
        self.forms.iter().any(|(form, _)| {
            let form = form.expose_secret().as_bytes();
            let mut windows = text.as_bytes().windows(form.len());
            windows.any(|window| window[0].eq_ignore_ascii_case(&form[0]) && window.eq_ignore_ascii_case(form))
        })
    }

    /// The token that a text begins with, in any form: its length and its replacement.
    fn token_at(&self, text: &str) -> Option<(usize, &'static str)> {
        let form = self.forms.iter().find(|(form, _)| {
            let form = form.expose_secret().as_bytes();
            text.as_bytes().get(..form.len()).is_some_and(|head| head.eq_ignore_ascii_case(form))
        });
        form.map(|(form, placeholder)| (form.expose_secret().len(), *placeholder))
    }
}

/// Field names that add nothing to their text.
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

/// The readable text of a page: for HTML its title, or else the text between the tags.
fn plain(text: &str) -> Cow<'_, str> {
    let start = text.trim_start();
    if !start.starts_with('<') {
        return text.into();
    }
    // Lower-casing ASCII keeps all byte positions.
    let lower = text.to_ascii_lowercase();
    if let Some(open) = lower.find("<title") {
        let inner = text[open..].find('>').map(|end| open + end + 1);
        let close = lower[open..].find("</title").map(|end| open + end);
        if let (Some(inner), Some(close)) = (inner, close)
            && inner < close
            && !text[inner..close].trim().is_empty()
        {
            return text[inner..close].to_owned().into();
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
    read.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> String {
        Masks::new(&SecretString::from("vps_secret")).words(body.as_bytes())
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
    fn characters_that_move_the_cursor_are_shown_as_codes() {
        assert_eq!(
            said("{\"detail\":\"a\\u001b[31mb\\u0000c\\u202ed\\r\\nX: y\"}"),
            "a\\u{1b}[31mb\\u{0}c\\u{202e}d X: y"
        );
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        for body in ["ä".repeat(5_000), format!(r#"{{"detail":"{}"}}"#, "ä".repeat(500_000)), "[".repeat(500_000)] {
            let text = said(&body);
            assert_eq!(text.chars().count(), LONGEST);
            assert!(text.ends_with('…'));
        }
    }

    #[test]
    fn a_token_that_the_provider_repeats_is_not_repeated() {
        let masks = Masks::new(&SecretString::from("vps_se+cret/=="));
        for text in
            ["vps_se+cret/==", "Bearer vps_se+cret/==", "?token=vps_se%2Bcret%2F%3D%3D", "a%vps_se%2bcret%2f%3d%3d"]
        {
            let clean = masks.clean(text);
            assert!(clean.contains("[token]") && !clean.contains("cret"), "{clean}");
            assert_eq!(masks.clean(&clean), clean);
        }
        for body in [r#"{"detail":"token vps_secret is bad"}"#, "<p>vps_secret</p>", r#"{"vps_secret":["x"]}"#] {
            assert!(!said(body).contains("vps_secret"), "{body}");
        }
        let torn = format!("{}vps_secret and more", " ".repeat(BODY_BYTES - 5));
        assert!(!said(&torn).contains("vps"), "{}", said(&torn));
    }

    #[test]
    fn earlier_tokens_stay_masked() {
        let masks = Masks::new(&SecretString::from("vps_new")).and(&Masks::new(&SecretString::from("vps_old")));
        assert_eq!(masks.clean("vps_new, vps_old, vps_other"), "[token], [token], vps_other");
    }

    #[test]
    fn a_token_that_is_part_of_its_placeholder_is_replaced_once() {
        let masks = Masks::new(&SecretString::from("token"));
        assert_eq!(masks.clean("my token"), "my [secret]");
        assert_eq!(Masks::new(&SecretString::from("a")).clean("a name"), "a name");
    }
}
