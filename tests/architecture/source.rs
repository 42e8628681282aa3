//! Reads Rust source just well enough for the architecture test: words and signs with their lines, without comments
//! and texts, and for each of them whether it is test code and how deep in inline modules it is.

/// A word or a sign of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lexeme {
    /// An identifier, `::`, or a single sign.
    pub text: String,
    /// Counted from 1.
    pub line: usize,
    /// Whether it is under `#[cfg(test)]`.
    pub test: bool,
    /// How many `mod x { … }` are around it.
    pub inline_depth: usize,
}

/// A file, read.
pub struct Source {
    /// Its tokens in order; comments, texts, characters and numbers are left out.
    pub tokens: Vec<Lexeme>,
    /// Modules that are declared `#[cfg(test)] mod x;` here and are files of their own.
    pub test_modules: Vec<String>,
    /// How many lines are not under `#[cfg(test)]`.
    pub lines_without_tests: usize,
}

impl Source {
    /// Reads the text of a file.
    pub fn read(text: &str) -> Self {
        let mut tokens = tokens_of(text);
        let regions = test_regions(&tokens);
        let mut test_modules = Vec::new();
        let mut test_lines = 0;
        for &(from, to) in &regions {
            tokens[from..=to].iter_mut().for_each(|token| token.test = true);
            test_lines += tokens[to].line - tokens[from].line + 1;
            if let [.., keyword, name, end] = &tokens[from..=to]
                && keyword.text == "mod"
                && end.text == ";"
            {
                test_modules.push(name.text.clone());
            }
        }
        mark_inline_modules(&mut tokens);
        Self { tokens, test_modules, lines_without_tests: text.lines().count() - test_lines }
    }

    /// Every place where the words and signs of `parts` follow one another, by the index of the first.
    pub fn find<'a>(&'a self, parts: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
        self.tokens
            .windows(parts.len())
            .enumerate()
            .filter(move |(_, window)| window.iter().zip(parts).all(|(token, part)| token.text == *part))
            .map(|(index, _)| index)
    }
}

fn tokens_of(text: &str) -> Vec<Lexeme> {
    let bytes: Vec<char> = text.chars().collect();
    let (mut at, mut line, mut tokens) = (0, 1, Vec::new());
    while at < bytes.len() {
        let end = skipped(&bytes, at).unwrap_or_else(|| {
            let end = word_or_sign(&bytes, at);
            let text: String = bytes[at..end].iter().collect();
            if !text.starts_with(|c: char| c.is_whitespace() || c.is_ascii_digit()) {
                tokens.push(Lexeme { text, line, test: false, inline_depth: 0 });
            }
            end
        });
        line += bytes[at..end].iter().filter(|&&c| c == '\n').count();
        at = end;
    }
    tokens
}

fn word_or_sign(bytes: &[char], at: usize) -> usize {
    if bytes[at..].starts_with(&[':', ':']) {
        return at + 2;
    }
    let rest = bytes[at..].iter().take_while(|&&c| c.is_alphanumeric() || c == '_').count();
    at + rest.max(1)
}

/// Where a comment, text, character or lifetime that begins at `at` ends; `None` if nothing of the kind begins here.
fn skipped(bytes: &[char], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    if rest.starts_with(&['/', '/']) {
        return Some(at + rest.iter().take_while(|&&c| c != '\n').count());
    }
    if rest.starts_with(&['/', '*']) {
        return Some(at + block_comment(rest));
    }
    let prefix = rest.iter().take_while(|&&c| matches!(c, 'r' | 'b' | 'c')).count();
    let hashes = rest[prefix..].iter().take_while(|&&c| c == '#').count();
    let raw = rest[..prefix].contains(&'r');
    match rest.get(prefix + hashes) {
        Some('"') if raw => Some(at + raw_text(rest, prefix + hashes + 1, hashes)),
        Some('"') if hashes == 0 => Some(at + quoted(rest, prefix + 1, '"')),
        // A character ('x', '\n', b'x') closes after one; a lifetime ('a) does not.
        Some('\'') if hashes == 0 => match (rest.get(prefix + 1), rest.get(prefix + 2)) {
            (Some('\\'), _) | (_, Some('\'')) => Some(at + quoted(rest, prefix + 1, '\'')),
            _ => Some(word_or_sign(bytes, at + prefix + 1)),
        },
        _ => None,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < rest.len() {
        let here = &rest[at..];
        let step = if here.starts_with(&['/', '*']) {
            depth += 1;
            2
        } else if here.starts_with(&['*', '/']) {
            depth -= 1;
            2
        } else {
            1
        };
        at += step;
    }
    at
}

fn raw_text(rest: &[char], from: usize, hashes: usize) -> usize {
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    (from..rest.len()).find(|&at| rest[at..].starts_with(&closing)).map_or(rest.len(), |at| at + closing.len())
}

fn quoted(rest: &[char], from: usize, quote: char) -> usize {
    let mut at = from;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// The first and last token of everything under `#[cfg(test)]`, the attribute included.
fn test_regions(tokens: &[Lexeme]) -> Vec<(usize, usize)> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut regions: Vec<(usize, usize)> = Vec::new();
    for at in 0..tokens.len() {
        let begins = tokens[at..].iter().map(|token| token.text.as_str()).take(7).eq(ATTRIBUTE);
        if begins && regions.last().is_none_or(|&(_, to)| at > to) {
            regions.push((at, item_end(tokens, at + 7)));
        }
    }
    regions
}

/// The last token of the item that begins at `from`: its `;`, or the brace that closes its body.
fn item_end(tokens: &[Lexeme], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut is_use = false;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        match token.text.as_str() {
            "use" if depth == 0 => is_use = true,
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && !is_use {
                    return at;
                }
            }
            ";" if depth == 0 => return at,
            _ => {}
        }
    }
    tokens.len() - 1
}

fn mark_inline_modules(tokens: &mut [Lexeme]) {
    // For every open brace whether it opens a module.
    let mut open: Vec<bool> = Vec::new();
    for at in 0..tokens.len() {
        tokens[at].inline_depth = open.iter().filter(|&&module| module).count();
        match tokens[at].text.as_str() {
            "{" => open.push(at >= 2 && tokens[at - 2].text == "mod"),
            "}" => {
                open.pop();
            }
            _ => {}
        }
    }
}
