//! PURE: cleans text from outside. The only list of misleading characters, and what replaces them. Cleaning a text
//! twice changes nothing.

/// The most characters kept of a text from the provider.
pub(crate) const LONGEST: usize = 256;

/// Whether a character moves the cursor, ends a line, changes the writing direction, or hides itself or its neighbours.
#[must_use]
pub fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text with every misleading character replaced by its code: `\n`, `\u{1b}`, `\u{202e}`.
#[must_use]
pub(crate) fn visible(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    text.chars().for_each(|c| push_visible(&mut line, c));
    line
}

/// As `visible`, on one line: line breaks and tabs become spaces, and runs of spaces become one.
#[must_use]
pub(crate) fn one_line(text: &str) -> String {
    let is_gap = |c: char| matches!(c, ' ' | '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}');
    let words = text.split(is_gap).filter(|word| !word.is_empty());
    words.map(visible).collect::<Vec<_>>().join(" ")
}

/// As `visible`, and cut to `LONGEST`.
#[must_use]
pub(crate) fn cleaned(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        push_visible(&mut line, c);
        if line.len() > LONGEST && line.chars().count() > LONGEST {
            break;
        }
    }
    shortened(&line, LONGEST)
}

/// Whether a cleaned text may have been cut.
#[must_use]
pub(crate) fn is_cut(text: &str) -> bool {
    text.ends_with('…') && text.chars().count() == LONGEST
}

/// At most `longest` characters; an ellipsis marks a cut.
#[must_use]
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(longest) else { return text.to_owned() };
    let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    format!("{}…", &text[..last])
}

/// Adds a character as `visible` shows it.
pub(crate) fn push_visible(line: &mut String, c: char) {
    if misleads(c) { line.extend(c.escape_default()) } else { line.push(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misleading_characters_are_shown_as_codes() {
        for (text, shown) in [
            ("web\r\nERROR x", "web\\r\\nERROR x"),
            ("\u{1b}[2J\u{7}\u{9b}", "\\u{1b}[2J\\u{7}\\u{9b}"),
            ("safe\u{202e}gnp.exe", "safe\\u{202e}gnp.exe"),
            ("a\u{2066}b\u{2069}\u{61c}", "a\\u{2066}b\\u{2069}\\u{61c}"),
            ("a\u{200b}b\u{200d}c\u{feff}", "a\\u{200b}b\\u{200d}c\\u{feff}"),
            ("a\u{2028}b\u{2029}c\u{85}", "a\\u{2028}b\\u{2029}c\\u{85}"),
            ("\u{fff9}a\u{fffb}\u{e0041}", "\\u{fff9}a\\u{fffb}\\u{e0041}"),
            (" çok  güzel 東京 ", " çok  güzel 東京 "),
        ] {
            assert_eq!(visible(text), shown);
            assert_eq!(cleaned(text), shown);
            assert!(!cleaned(text).chars().any(misleads));
        }
        assert_eq!(one_line(" a\r\n\tb  \u{2028}c\u{1b} "), "a b c\\u{1b}");
    }

    #[test]
    fn cleaning_twice_changes_nothing() {
        let texts = ["x", "\u{1b}", "a\nb"].map(|part| part.repeat(300));
        for text in texts.iter().map(String::as_str).chain(["", "\\u{1b}", " lg-x "]) {
            let once = cleaned(text);
            assert!(once.chars().count() <= LONGEST, "{once}");
            assert_eq!(cleaned(&once), once);
            assert_eq!(is_cut(&once), text.len() > 200);
        }
        assert_eq!(cleaned(&"é".repeat(256)), "é".repeat(256));
        assert_eq!(cleaned(&"é".repeat(257)), format!("{}…", "é".repeat(255)));
    }
}
