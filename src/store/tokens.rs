//! The tokens of creates: a listed point that carries one is proved to be ours, and a token whose create is open takes
//! a slot.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::journal::effects::{TokenState, is_given_up};
use crate::policy::mark::Token;
use crate::policy::memory::{Memory, Unlisted};
use crate::store::StoreError;
use crate::store::transaction::Transaction;
use crate::store::value::{ServerKind, nanos, time};

/// Records that a create with this token is about to be sent.
pub(super) fn open_token(
    tx: &Transaction<'_>,
    of: &ServerKind,
    (token, policy, run): (&Token, &str, i64),
    at: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO token (token, server, kind, policy, run, sent_at, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (token) DO UPDATE SET state = ?7, sent_at = ?6",
        params![token.as_str(), of.server, of.kind, policy, run, nanos(at), TokenState::Open.word()],
    )?;
    Ok(())
}

/// Writes what is known of a create.
pub(super) fn settle_token(tx: &Transaction<'_>, token: &Token, state: TokenState) -> Result<(), StoreError> {
    tx.execute("UPDATE token SET state = ?2 WHERE token = ?1", params![token.as_str(), state.word()])?;
    Ok(())
}

/// The tokens of a run's creates whose outcome is open. What is no token is left out: it proves nothing.
pub(super) fn open_tokens(tx: &Transaction<'_>, run: i64) -> Result<Vec<Token>, StoreError> {
    let mut query = tx.prepare_cached("SELECT token FROM token WHERE run = ?1 AND state = ?2")?;
    let tokens = query.query_map(params![run, TokenState::Open.word()], |row| row.get::<_, String>(0))?;
    let tokens: Vec<String> = tokens.collect::<Result<_, _>>()?;
    Ok(tokens.iter().filter_map(|text| Token::parse(text)).collect())
}

/// Adds the creates whose outcome is unknown: open ones take a slot, undecided ones do so until `settle` has passed.
pub(super) fn unsettled_into_memory(
    tx: &Transaction<'_>,
    of: &ServerKind,
    (settle, at): (std::time::Duration, Timestamp),
    memory: &mut Memory,
) -> Result<(), StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT token, policy, state, sent_at FROM token WHERE server = ?1 AND kind = ?2
         AND state IN ('open', 'undecided')",
    )?;
    let mut rows = query.query(params![of.server, of.kind])?;
    while let Some(row) = rows.next()? {
        let (state, sent_at) = (TokenState::of_word(&row.get::<_, String>(2)?), time(row.get(3)?));
        let token = token(row.get(0)?)?;
        if state.is_some_and(|state| state.takes_slot(sent_at, settle, at)) {
            memory.unlisted.push(Unlisted { id: None, token: token.clone() });
        }
        memory.tokens.insert(token, row.get(1)?);
    }
    Ok(())
}

/// Adds the policy's creates that were given up since the last one that made a point.
pub(super) fn given_up_into_memory(
    tx: &Transaction<'_>,
    of: &ServerKind,
    policy: &str,
    memory: &mut Memory,
) -> Result<(), StoreError> {
    let of_policy = "FROM token WHERE server = ?1 AND kind = ?2 AND policy = ?3 AND state = ?4";
    let mut query = tx.prepare_cached(&format!("SELECT max(sent_at) {of_policy}"))?;
    let made: Option<i64> =
        query.query_row(params![of.server, of.kind, policy, TokenState::Made.word()], |row| row.get(0))?;
    let mut query = tx.prepare_cached(&format!("SELECT token, sent_at {of_policy} ORDER BY sent_at DESC"))?;
    let mut rows = query.query(params![of.server, of.kind, policy, TokenState::NotMade.word()])?;
    while let Some(row) = rows.next()? {
        if !is_given_up(time(row.get(1)?), made.map(time)) {
            break;
        }
        memory.given_up.insert(token(row.get(0)?)?);
    }
    Ok(())
}

/// Adds the tokens that prove points to be ours: those in `carried`, or all.
pub(super) fn tokens_into_memory(
    tx: &Transaction<'_>,
    of: &ServerKind,
    carried: Option<&BTreeSet<Token>>,
    memory: &mut Memory,
) -> Result<(), StoreError> {
    let Some(carried) = carried else {
        let mut query = tx.prepare_cached("SELECT token, policy FROM token WHERE server = ?1 AND kind = ?2")?;
        let mut rows = query.query(params![of.server, of.kind])?;
        while let Some(row) = rows.next()? {
            memory.tokens.insert(token(row.get(0)?)?, row.get(1)?);
        }
        return Ok(());
    };
    let mut query = tx.prepare_cached("SELECT policy FROM token WHERE token = ?1 AND server = ?2 AND kind = ?3")?;
    for token in carried {
        let policy = query.query_row(params![token.as_str(), of.server, of.kind], |row| row.get(0)).optional()?;
        memory.tokens.extend(policy.map(|policy| (token.clone(), policy)));
    }
    Ok(())
}

fn token(text: String) -> Result<Token, StoreError> {
    Token::parse(&text).ok_or_else(|| StoreError::Value(format!("token {text}")))
}
