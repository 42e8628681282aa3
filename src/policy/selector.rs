//! Which servers a policy is for: names with `*` and `?`, ids, uuids, hostnames.

use std::fmt;

use crate::policy::inventory::Server;

/// One entry of `servers` or `exclude`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// An exact name, id, uuid or hostname.
    Exact(String),
    /// A text with `*` (any characters) or `?` (one character).
    Pattern(Pattern),
}

impl Selector {
    /// The selector for a text of the policy file.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.contains(['*', '?']) { Self::Pattern(Pattern::new(text)) } else { Self::Exact(text.to_owned()) }
    }

    /// Whether any key of the server (id, uuid, name, hostname) matches.
    #[must_use]
    pub fn matches(&self, server: &Server) -> bool {
        server.keys.iter().any(|key| match self {
            Self::Exact(text) => text == key,
            Self::Pattern(pattern) => pattern.matches(key),
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => f.write_str(text),
            Self::Pattern(pattern) => pattern.fmt(f),
        }
    }
}

/// A text in which `*` matches any characters and `?` exactly one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern as it was written.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether all of `text` matches. Takes time proportional to the product of both lengths at most.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let literal = self.0.find(['*', '?']).unwrap_or(self.0.len());
        // A quick check: most patterns of a large fleet differ in their first characters.
        if !text.starts_with(&self.0[..literal]) {
            return false;
        }
        let pattern: Vec<char> = self.0.chars().collect();
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut read) = (0, 0);
        // The position of the last star, and how much of the text was read when it was tried last.
        let mut star: Option<(usize, usize)> = None;
        while read < text.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, read));
                    at += 1;
                }
                Some(&c) if c == '?' || c == text[read] => {
                    at += 1;
                    read += 1;
                }
                _ => {
                    let Some((position, matched)) = star else { return false };
                    star = Some((position, matched + 1));
                    at = position + 1;
                    read = matched + 1;
                }
            }
        }
        pattern[at..].iter().all(|&c| c == '*')
    }

    /// Whether a text with this beginning may match, depending on what follows.
    #[must_use]
    pub fn may_match(&self, beginning: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        // The positions in the pattern that the beginning may lead to; a star may match nothing.
        let skip_stars = |positions: &mut Vec<bool>| {
            for at in 0..pattern.len() {
                positions[at + 1] |= positions[at] && pattern[at] == '*';
            }
        };
        let mut positions = vec![false; pattern.len() + 1];
        positions[0] = true;
        skip_stars(&mut positions);
        for c in beginning.chars() {
            let mut next = vec![false; pattern.len() + 1];
            for (at, &p) in pattern.iter().enumerate().filter(|(at, _)| positions[*at]) {
                match p {
                    '*' => next[at] = true,
                    _ => next[at + 1] |= p == '?' || p == c,
                }
            }
            skip_stars(&mut next);
            positions = next;
        }
        positions.contains(&true)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_any_and_one() {
        for (pattern, text, fits) in [
            ("web-*", "web-server-01", true),
            ("web-*", "db-server-01", false),
            ("*", "", true),
            ("web-?", "web-1", true),
            ("web-?", "web-", false),
            ("*-01", "web-server-01", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "ab-ab-b-", false),
            ("été-?", "été-é", true),
            ("web.*", "web-1", false),
            ("web", "web-1", false),
            ("web*", "we", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), fits, "{pattern} against {text}");
        }
    }

    #[test]
    fn a_beginning_may_match_if_a_continuation_would() {
        for (pattern, beginning, may) in [
            ("*keep", "some text", true),
            ("*keep*", "some text", true),
            ("some*keep", "some text", true),
            ("some text", "some text", true),
            ("some text that goes on", "some text", true),
            ("some", "some text", false),
            ("other*", "some text", false),
            ("?ome t???", "some text", true),
        ] {
            assert_eq!(Pattern::new(pattern).may_match(beginning), may, "{pattern}");
        }
    }
}
