//! The content of a message, without formatting: sections that `render` turns into text and HTML.

use serde::Serialize;

/// An unformatted message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Content {
    /// Begins `[lastgood] FAILED`, `STALE`, `RECOVERED`, `SUCCEEDED`, `WARNING` or `digest`. One line.
    pub subject: String,
    /// What a mail client's list shows after the subject.
    pub preheader: String,
    /// The headline.
    pub title: String,
    /// How bad it is.
    pub tone: Tone,
    /// The sections.
    pub blocks: Vec<Block>,
    /// Who wrote it, and the zone of its times.
    pub footer: String,
}

/// How bad something is: a colour in HTML, a word in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Somebody has to act.
    Bad,
    /// Somebody should look.
    Warn,
    /// Nothing is wrong.
    Good,
    /// Neutral.
    Plain,
}

/// A section of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", content = "it", rename_all = "snake_case")]
pub enum Block {
    /// A heading for what follows.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A quotation, such as the provider's words.
    Quote(String),
    /// Labels with their values.
    Facts(Vec<(String, String)>),
    /// A list.
    Items(Vec<String>),
    /// A list of items, each with its lines.
    Rows(Vec<Row>),
    /// Explains the boxes of slots.
    Legend,
    /// Commands to type.
    Commands(Vec<String>),
}

/// An item of a list: a server or a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name.
    pub title: String,
    /// Its state in a word; empty for none.
    pub state: String,
    /// How bad that state is.
    pub tone: Tone,
    /// Its slots; empty if slots are not shown.
    pub slots: Vec<Slot>,
    /// Its lines.
    pub lines: Vec<String>,
}

/// A box in the drawing of a server's slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// Taken by a point of ours.
    Own,
    /// Taken by a foreign point.
    Foreign,
    /// Free.
    Free,
}
