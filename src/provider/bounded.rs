//! JSON of any shape, kept only within a budget: an answer that unpacks to millions of empty lists takes no more memory
//! than its bytes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::provider::wire::{TEXT_BYTES_KEPT, beginning};

/// How deep values are kept.
const DEPTH: u8 = 6;

/// How much more may be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Values, at any depth.
    values: usize,
    /// Bytes of names and texts.
    bytes: usize,
}

impl Budget {
    /// For one entry of a list.
    pub(crate) const OF_ENTRY: Self = Self { values: 64, bytes: 16 * 1024 };
    /// For an answer that is not a list.
    const OF_ANSWER: Self = Self { values: 4096, bytes: 1024 * 1024 };

    /// Whether one more value of this many bytes fits; if so, it is counted.
    fn take(&mut self, bytes: usize) -> bool {
        let fits = self.values > 0 && self.bytes >= bytes;
        if fits {
            self.values -= 1;
            self.bytes -= bytes;
        }
        fits
    }
}

/// A whole answer, within the budget.
pub(crate) fn answer(body: &[u8]) -> Result<Value, serde_json::Error> {
    let mut budget = Budget::OF_ANSWER;
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Bounded::new(&mut budget, false).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value.unwrap_or_default())
}

/// The approximate size of these fields as JSON.
pub(crate) fn bytes_of(fields: &Map<String, Value>) -> usize {
    fn value_bytes(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len().min(TEXT_BYTES_KEPT) + 2,
            Value::Array(items) => items.iter().map(|item| value_bytes(item) + 1).sum::<usize>() + 2,
            Value::Object(fields) => bytes_of(fields),
            _ => 8,
        }
    }
    fields.iter().map(|(key, value)| key.len() + 4 + value_bytes(value)).sum::<usize>() + 2
}

/// Reads one value; `None` if it does not fit the budget. A needed value is always kept.
pub(crate) struct Bounded<'a> {
    budget: &'a mut Budget,
    needed: bool,
    depth: u8,
}

impl<'a> Bounded<'a> {
    pub(crate) fn new(budget: &'a mut Budget, needed: bool) -> Self {
        Self { budget, needed, depth: 0 }
    }

    fn keep<E>(self, bytes: usize, value: impl FnOnce() -> Value) -> Result<Option<Value>, E> {
        Ok((self.budget.take(bytes) || self.needed).then(value))
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        self.keep(0, || Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        self.keep(0, || value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        self.keep(0, || value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        self.keep(0, || value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        self.keep(0, || value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        let text = beginning(value);
        self.keep(text.len(), || text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let depth = self.depth + 1;
        let kept = self.budget.take(0) || self.needed;
        let mut items = Vec::new();
        while kept && depth < DEPTH && self.budget.values > 0 {
            let item = Bounded { budget: &mut *self.budget, needed: false, depth };
            match seq.next_element_seed(item)? {
                Some(item) => items.extend(item),
                None => return Ok(Some(items.into())),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(kept.then(|| items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let depth = self.depth + 1;
        let kept = self.budget.take(0) || self.needed;
        let mut fields = Map::new();
        // A needed object (a point's server) has few fields; it gets a budget of its own for them.
        let mut reserve = Budget { values: if self.needed { 8 } else { 0 }, bytes: 16 * 1024 };
        while kept && depth < DEPTH && self.budget.values + reserve.values > 0 {
            let Some(key) = map.next_key::<String>()? else { return Ok(Some(fields.into())) };
            let budget = if reserve.values > 0 { &mut reserve } else { &mut *self.budget };
            if key.len() > budget.bytes {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            budget.bytes -= key.len();
            if let Some(value) = map.next_value_seed(Bounded { budget, needed: false, depth })? {
                fields.insert(key, value);
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(kept.then(|| fields.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_kept_as_it_is() {
        for text in [r#"{"a":[1,-2,1.5,"x",null,true],"b":{"c":{}}}"#, "[]", "7", r#""x""#, "null"] {
            assert_eq!(answer(text.as_bytes()).unwrap().to_string(), text);
        }
        assert!(answer(b"[] x").is_err());
        assert!(answer(b"{\"a\":").is_err());
    }

    #[test]
    fn a_decompression_bomb_is_read_to_its_end_and_not_kept() {
        for (one, many) in [("[]", 100_000), ("{\"\":{}}", 100_000), ("\"x\"", 100_000)] {
            let text = format!("[{}]", vec![one; many].join(","));
            let kept = answer(text.as_bytes()).unwrap();
            assert!(kept.as_array().unwrap().len() <= Budget::OF_ANSWER.values, "{one}");
        }
        let long = format!(r#"{{"{}":1,"detail":"said","{}":2}}"#, "k".repeat(2_000_000), "x".repeat(100));
        assert_eq!(answer(long.as_bytes()).unwrap()["detail"], "said");
    }
}
