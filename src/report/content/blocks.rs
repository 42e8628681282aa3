//! What a message says, without a shape: sections that `render` turns into text and HTML.

use serde::Serialize;

/// A message without a shape: what is said, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Content {
    /// Begins `[lastgood] FAILED`, `STALE`, `RECOVERED`, `SUCCEEDED`, `WARNING` or `digest`. One line.
    pub subject: String,
    /// What a list of mails shows after the subject.
    pub preheader: String,
    /// The headline.
    pub title: String,
    /// How bad it is.
    pub tone: Tone,
    /// The sections.
    pub blocks: Vec<Block>,
    /// Who wrote it and in which zone its times are.
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
    /// Neither.
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
    /// Somebody else's words, as the provider's.
    Quote(String),
    /// Labels with their values.
    Facts(Vec<(String, String)>),
    /// A list.
    Items(Vec<String>),
    /// One thing after another, each with its lines.
    Rows(Vec<Row>),
    /// What the boxes of slots mean.
    Legend,
    /// Commands to type.
    Commands(Vec<String>),
}

/// One thing of many: a server, a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name.
    pub title: String,
    /// A word on its state, empty for none.
    pub state: String,
    /// How bad that state is.
    pub tone: Tone,
    /// Its slots; empty where slots are not shown.
    pub slots: Vec<Slot>,
    /// What is said about it.
    pub lines: Vec<String>,
}

/// A box in the picture of a server's slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// Taken by a point of ours.
    Own,
    /// Taken by a point of somebody else.
    Foreign,
    /// Free.
    Free,
}
