//! What the journal says, collected day by day, since the program forgets old runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lastgood::seams::journal::notice::{Fact, Notice};
use lastgood::seams::store::Store;

use crate::fleet::first_name;
use crate::followed::Line;

/// A run that is in the journal.
#[derive(Debug)]
pub struct JournalRun {
    pub line: Line,
    pub due: Option<Timestamp>,
    pub outcome: Option<String>,
    /// The last event of one that did not succeed, which says why.
    pub last_event: Option<String>,
    pub ended_at: Option<Timestamp>,
}

/// A notice as the journal has it.
#[derive(Debug)]
pub struct JournalNotice {
    pub line: Option<Line>,
    pub class: String,
    pub topic: String,
    pub text: String,
    /// The due times that it calls missed, the first and the last.
    pub missed: Option<(Timestamp, Timestamp)>,
    pub at: Timestamp,
    /// By a mail, or silently since the same incident was mailed recently; `None` if it was not reported.
    pub by: Option<String>,
}

/// Everything that was in the journal.
#[derive(Debug, Default)]
pub struct Harvest {
    runs: BTreeMap<i64, JournalRun>,
    told: BTreeMap<i64, JournalNotice>,
    /// Everything up to these numbers is final.
    runs_over: i64,
    told_over: i64,
}

impl Harvest {
    /// Reads what is new or was not final.
    pub async fn reap(&mut self, store: &Store) {
        let (runs_over, told_over) = (self.runs_over, self.told_over);
        let read = store.transact(move |tx| {
            let mut query = tx.prepare(
                "SELECT id, server_name, policy, due, outcome, ended_at, CASE outcome WHEN 'succeeded' THEN NULL
                     ELSE (SELECT body FROM event WHERE run = run.id ORDER BY seq DESC LIMIT 1) END
                     FROM run WHERE id > ?1",
            )?;
            let mut rows = query.query([runs_over])?;
            let mut runs = Vec::new();
            while let Some(row) = rows.next()? {
                let (due, ended_at): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(5)?);
                let (due, ended_at) = (due.map(time), ended_at.map(time));
                let run = JournalRun {
                    line: (first_name(&row.get::<_, String>(1)?).to_owned(), row.get(2)?),
                    due,
                    outcome: row.get(4)?,
                    ended_at,
                    last_event: row.get(6)?,
                };
                runs.push((row.get::<_, i64>(0)?, run));
            }
            let mut query = tx.prepare(
                "SELECT notice.id, notice.at, body, told.class, closed FROM notice
                 LEFT JOIN told ON told.notice = notice.id WHERE notice.id > ?1",
            )?;
            let mut rows = query.query([told_over])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let body: String = row.get(2)?;
                let body: Notice = serde_json::from_str(&body).expect("a notice is stored whole");
                let (class, topic, text) = (body.class().word().to_owned(), body.topic().to_string(), body.to_string());
                let missed = match &body.fact {
                    Fact::Missed(missed) => missed.lost.map(|lost| (lost.first, lost.last)),
                    _ => None,
                };
                let told = JournalNotice {
                    line: body
                        .server
                        .zip(body.policy)
                        .map(|(server, policy)| (first_name(&server.name).to_owned(), policy.to_string())),
                    class,
                    topic,
                    text,
                    missed,
                    at: time(row.get(1)?),
                    by: row.get(3)?,
                };
                all.push((row.get::<_, i64>(0)?, told, row.get::<_, bool>(4)?));
            }
            Ok((runs, all))
        });
        let (runs, all) = read.await.expect("the journal can be read");
        let open = runs.iter().filter(|(_, run)| run.ended_at.is_none()).map(|(id, _)| id - 1).min();
        self.runs_over = open.or(runs.iter().map(|(id, _)| *id).max()).unwrap_or(runs_over);
        let waiting = all.iter().filter(|(_, _, closed)| !closed).map(|(id, ..)| id - 1).min();
        self.told_over = waiting.or(all.iter().map(|(id, ..)| *id).max()).unwrap_or(told_over);
        self.runs.extend(runs);
        self.told.extend(all.into_iter().map(|(id, told, _)| (id, told)));
    }

    /// All of it, in order.
    pub fn all(self) -> (Vec<JournalRun>, Vec<JournalNotice>) {
        (self.runs.into_values().collect(), self.told.into_values().collect())
    }
}

fn time(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).expect("the journal's times are within the calendar")
}
