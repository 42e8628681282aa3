//! PURE: limits the size of a mail, whatever comes from outside. Names and causes are cut when they are read; this
//! handles what was stored before that, and unexpected lists.

use crate::report::content::blocks::{Block, Row};
use crate::report::text::{count, shortened};

/// The most characters of a single text; a paragraph of 200 names fits in.
const LONGEST_TEXT: usize = 32 * 1024;
/// The most characters of all blocks together: half a megabyte of mail as a rule.
const LONGEST_MAIL: usize = 256 * 1024;

/// The blocks, cut if they are too long for a mail, with a count of what is missing. The commands always stay.
pub(super) fn bounded(blocks: Vec<Block>) -> Vec<Block> {
    let mut room = CharacterBudget { left: LONGEST_MAIL, missing: 0 };
    let (mut kept, mut commands) = (Vec::with_capacity(blocks.len()), Vec::new());
    for block in blocks {
        match block {
            Block::Heading(text) => kept.extend(room.take(text).map(Block::Heading)),
            Block::Text(text) => kept.extend(room.take(text).map(Block::Text)),
            Block::Quote(text) => kept.extend(room.take(text).map(Block::Quote)),
            Block::Facts(facts) => {
                let facts = facts.into_iter().filter_map(|(label, value)| Some((label, room.take(value)?)));
                kept.push(Block::Facts(facts.collect()));
            }
            Block::Items(items) => kept.push(Block::Items(room.take_all(items))),
            Block::Rows(rows) => {
                kept.push(Block::Rows(rows.into_iter().filter_map(|row| room.take_row(row)).collect()))
            }
            Block::Legend => kept.push(Block::Legend),
            Block::Commands(all) => {
                commands.push(Block::Commands(all.into_iter().map(|one| shortened(&one, LONGEST_TEXT / 8)).collect()));
            }
        }
    }
    if room.missing > 0 {
        let missing = count(room.missing, "line");
        kept.push(Block::Text(format!(
            "This mail is truncated: {missing} did not fit. The commands below show everything."
        )));
    }
    kept.extend(commands);
    kept
}

struct CharacterBudget {
    left: usize,
    /// How many texts did not fit.
    missing: usize,
}

impl CharacterBudget {
    fn take(&mut self, text: String) -> Option<String> {
        if self.left == 0 {
            self.missing += 1;
            return None;
        }
        let text = shortened(&text, LONGEST_TEXT.min(self.left));
        self.left -= text.chars().count();
        Some(text)
    }

    fn take_all(&mut self, texts: Vec<String>) -> Vec<String> {
        texts.into_iter().filter_map(|text| self.take(text)).collect()
    }

    fn take_row(&mut self, row: Row) -> Option<Row> {
        let title = self.take(row.title)?;
        Some(Row { title, lines: self.take_all(row.lines), ..row })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::content::blocks::Tone;

    fn rows(number: usize, name: &str) -> Block {
        let row = |at: usize| Row {
            title: format!("{name}-{at}"),
            state: String::new(),
            tone: Tone::Plain,
            slots: Vec::new(),
            lines: vec!["Last good: yesterday".to_owned()],
        };
        Block::Rows((0..number).map(row).collect())
    }

    #[test]
    fn an_ordinary_mail_is_unchanged() {
        let blocks = vec![
            Block::Heading("nightly".to_owned()),
            rows(50, "web-server"),
            Block::Text("x".repeat(20_000)),
            Block::Legend,
            Block::Facts(vec![("Server".to_owned(), "web".to_owned())]),
            Block::Items(vec!["a".to_owned()]),
            Block::Commands(vec!["lastgood status".to_owned()]),
        ];
        assert_eq!(bounded(blocks.clone()), blocks);
    }

    #[test]
    fn one_long_text_is_shortened_and_the_rest_stays() {
        let blocks = bounded(vec![Block::Quote("x".repeat(5_000_000)), Block::Text("after".to_owned())]);
        assert!(
            matches!(&blocks[0], Block::Quote(text) if text.chars().count() == LONGEST_TEXT && text.ends_with('…'))
        );
        assert_eq!(blocks[1], Block::Text("after".to_owned()));
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_commands_stay() {
        let commands = Block::Commands(vec!["lastgood status".to_owned()]);
        let blocks = bounded(vec![rows(100_000, "web-server"), commands.clone()]);
        let [Block::Rows(rows), Block::Text(note), last] = blocks.as_slice() else { panic!("{:?}", blocks.len()) };
        let shown: usize = rows.iter().map(|row| row.title.chars().count() + row.lines.concat().chars().count()).sum();
        assert!(shown <= LONGEST_MAIL && rows.len() > 1000, "{shown} in {}", rows.len());
        assert!(note.starts_with("This mail is truncated: ") && note.contains(" lines did not fit"), "{note}");
        assert_eq!(*last, commands);
    }
}
