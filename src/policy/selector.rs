//! Which servers a policy is for: names with `*` and `?`, ids, uuids, hostnames.

use std::fmt;

use crate::policy::inventory::Server;

/// One entry of `servers` or `exclude`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// A name, id, uuid or hostname to the letter.
    Exact(String),
    /// A text with `*` (any characters) or `?` (one character).
    Pattern(Pattern),
}

impl Selector {
    /// The selector that a text of the policy file means.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.contains(['*', '?']) { Self::Pattern(Pattern::new(text)) } else { Self::Exact(text.to_owned()) }
    }

    /// Whether any key of the server (id, uuid, name, hostname) fits.
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

/// A text in which `*` stands for any characters and `?` for one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern as it was written.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether the whole of `text` fits. Takes time linear in the product of both lengths, whatever the pattern.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let literal = self.0.find(['*', '?']).unwrap_or(self.0.len());
        // Most patterns of a large fleet differ by how they begin.
        if !text.starts_with(&self.0[..literal]) {
            return false;
        }
        let pattern: Vec<char> = self.0.chars().collect();
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut read) = (0, 0);
        // Where the last star was, and how much of the text it has swallowed so far.
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
                    let Some((place, swallowed)) = star else { return false };
                    star = Some((place, swallowed + 1));
                    at = place + 1;
                    read = swallowed + 1;
                }
            }
        }
        pattern[at..].iter().all(|&c| c == '*')
    }

    /// Whether a text that begins so may fit, whatever follows.
    #[must_use]
    pub fn may_match(&self, beginning: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        // The places of the pattern that the beginning may have led to; a star may stand for nothing.
        let skip_stars = |places: &mut Vec<bool>| {
            for at in 0..pattern.len() {
                places[at + 1] |= places[at] && pattern[at] == '*';
            }
        };
        let mut places = vec![false; pattern.len() + 1];
        places[0] = true;
        skip_stars(&mut places);
        for c in beginning.chars() {
            let mut next = vec![false; pattern.len() + 1];
            for (at, &p) in pattern.iter().enumerate().filter(|(at, _)| places[*at]) {
                match p {
                    '*' => next[at] = true,
                    _ => next[at + 1] |= p == '?' || p == c,
                }
            }
            skip_stars(&mut next);
            places = next;
        }
        places.contains(&true)
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
    fn stars_and_question_marks_stand_for_any_and_one() {
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
    fn a_beginning_may_fit_where_something_that_follows_would() {
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
