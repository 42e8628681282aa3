//! The tokens of creates: what a listed point carries is proved ours by them, and what is open takes a slot.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::policy::inventory::RestorePoint;
use crate::policy::mark::{Token, tokens_of};
use crate::policy::memory::{Memory, Unlisted};
use crate::store::StoreError;
use crate::store::points::Place;
use crate::store::transaction::Transaction;
use crate::store::value::{json, time};

/// The tokens on these points.
pub(super) fn carried(points: &[RestorePoint]) -> BTreeSet<Token> {
    points.iter().flat_map(|point| tokens_of(point.name.as_deref(), &point.description)).collect()
}

/// Creates that nobody knows the outcome of: the open ones take a slot, the undecided ones for `settle`.
pub(super) fn open_tokens(
    tx: &Transaction<'_>,
    place: &Place,
    at: Timestamp,
    memory: &mut Memory,
) -> Result<(), StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT token, policy, state, sent_at FROM token WHERE server = ?1 AND kind = ?2
         AND state IN ('open', 'undecided')",
    )?;
    let mut rows = query.query(params![json(&place.server)?, place.kind.word()])?;
    while let Some(row) = rows.next()? {
        let (state, sent_at) = (row.get::<_, String>(2)?, time(row.get(3)?));
        let token = token(row.get(0)?)?;
        if state == "open" || sent_at + place.settle > at {
            memory.unlisted.push(Unlisted { id: None, token: token.clone() });
        }
        memory.tokens.insert(token, row.get(1)?);
    }
    Ok(())
}

/// Creates of the policy that were given up since one was last made.
pub(super) fn given_up_tokens(tx: &Transaction<'_>, place: &Place, memory: &mut Memory) -> Result<(), StoreError> {
    let mut query = tx.prepare_cached(
        "SELECT token FROM token WHERE server = ?1 AND kind = ?2 AND policy = ?3 AND state = 'not_made'
         AND sent_at > (SELECT coalesce(max(sent_at), ?4) FROM token
                        WHERE server = ?1 AND kind = ?2 AND policy = ?3 AND state = 'made')",
    )?;
    let mut rows = query.query(params![json(&place.server)?, place.kind.word(), place.policy.as_str(), i64::MIN])?;
    while let Some(row) = rows.next()? {
        memory.given_up.insert(token(row.get(0)?)?);
    }
    Ok(())
}

/// Tokens of creates prove points ours.
pub(super) fn tokens(
    tx: &Transaction<'_>,
    place: &Place,
    carried: Option<&BTreeSet<Token>>,
    memory: &mut Memory,
) -> Result<(), StoreError> {
    let (server, kind) = (json(&place.server)?, place.kind.word());
    let Some(carried) = carried else {
        let mut query = tx.prepare_cached("SELECT token, policy FROM token WHERE server = ?1 AND kind = ?2")?;
        let mut rows = query.query(params![server, kind])?;
        while let Some(row) = rows.next()? {
            memory.tokens.insert(token(row.get(0)?)?, row.get(1)?);
        }
        return Ok(());
    };
    let mut query = tx.prepare_cached("SELECT policy FROM token WHERE token = ?1 AND server = ?2 AND kind = ?3")?;
    for token in carried {
        let policy = query.query_row(params![token.as_str(), server, kind], |row| row.get(0)).optional()?;
        memory.tokens.extend(policy.map(|policy| (token.clone(), policy)));
    }
    Ok(())
}

fn token(text: String) -> Result<Token, StoreError> {
    Token::parse(&text).ok_or_else(|| StoreError::Value(format!("token {text}")))
}
