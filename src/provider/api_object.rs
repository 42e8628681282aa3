//! The provider's objects as they are read: the fields we need of a server, a backup or a snapshot, and the others only
//! on request.
//!
//! The size of what is kept is limited: reading any answer takes little more memory than its bytes.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::provider::bounded::{Bounded, Budget};
use crate::provider::wire::{Scalar, ScalarVisitor};

/// The longest name of a field that is kept for `list --json`.
const KEY_CHARS: usize = 64;

/// The ids and names of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Names {
    pub(crate) id: Scalar,
    pub(crate) uuid: Scalar,
    pub(crate) name: Scalar,
    pub(crate) hostname: Scalar,
}

/// How a point names its server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reference {
    Names(Names),
    Bare(Scalar),
}

/// An object of the provider: all fields we need of a server, a backup or a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ApiObject {
    pub(crate) names: Names,
    pub(crate) server: Option<Reference>,
    pub(crate) server_id: Scalar,
    pub(crate) status: Scalar,
    pub(crate) backup_type: Scalar,
    pub(crate) size_mb: Scalar,
    pub(crate) created_at: Scalar,
    pub(crate) expires_at: Scalar,
    pub(crate) description: Scalar,
}

impl Names {
    fn field(&mut self, key: &str) -> Option<&mut Scalar> {
        match key {
            "id" => Some(&mut self.id),
            "uuid" => Some(&mut self.uuid),
            "name" => Some(&mut self.name),
            "hostname" => Some(&mut self.hostname),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        self.id.bytes() + self.uuid.bytes() + self.name.bytes() + self.hostname.bytes()
    }
}

impl ApiObject {
    /// The object with these fields.
    pub(crate) fn of(fields: &Map<String, Value>) -> Self {
        let mut entry = Self::default();
        fields.iter().for_each(|(key, value)| entry.set(key, value));
        entry
    }

    fn set(&mut self, key: &str, value: &Value) {
        match (key, value) {
            ("server", Value::Object(fields)) => {
                let mut names = Names::default();
                for (key, value) in fields {
                    if let Some(field) = names.field(key) {
                        *field = value.into();
                    }
                }
                self.server = Some(Reference::Names(names));
            }
            ("server", value) => self.server = Some(Reference::Bare(value.into())),
            _ => {
                if let Some(field) = self.field(key) {
                    *field = value.into();
                }
            }
        }
    }

    fn field(&mut self, key: &str) -> Option<&mut Scalar> {
        match key {
            "server_id" => Some(&mut self.server_id),
            "status" => Some(&mut self.status),
            "backup_type" => Some(&mut self.backup_type),
            "size_mb" => Some(&mut self.size_mb),
            "created_at" => Some(&mut self.created_at),
            "expires_at" => Some(&mut self.expires_at),
            "description" => Some(&mut self.description),
            _ => self.names.field(key),
        }
    }

    /// The size of its texts.
    pub(crate) fn bytes(&self) -> usize {
        let server = match &self.server {
            Some(Reference::Names(names)) => names.bytes(),
            Some(Reference::Bare(value)) => value.bytes(),
            None => self.server_id.bytes(),
        };
        self.names.bytes() + server + self.status.bytes() + self.description.bytes()
    }
}

/// Reads a field's name and cuts it to `KEY_CHARS`.
struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, key: &str) -> Result<String, E> {
        Ok(key.chars().take(KEY_CHARS).collect())
    }
}

/// Reads the names of an object, or a bare value.
struct ReferenceSeed;

impl<'de> DeserializeSeed<'de> for ReferenceSeed {
    type Value = Reference;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Reference, D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! bare {
    ($($visit:ident($value:ty)),*) => { $(
        fn $visit<E: serde::de::Error>(self, value: $value) -> Result<Reference, E> {
            ScalarVisitor.$visit(value).map(Reference::Bare)
        }
    )* };
}

impl<'de> Visitor<'de> for ReferenceSeed {
    type Value = Reference;

    bare!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Reference, E> {
        Ok(Reference::Bare(Scalar::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Reference, A::Error> {
        ScalarVisitor.visit_seq(seq).map(Reference::Bare)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reference, A::Error> {
        let mut names = Names::default();
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match names.field(&key) {
                Some(field) => *field = map.next_value()?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Reference::Names(names))
    }
}

/// An element of a list: an object, with all its fields if requested; `None` if it is not an object.
pub(crate) type Element = Option<(ApiObject, Map<String, Value>)>;

/// Reads one element of a list. With `fields`, the other fields are kept, too, within the budget of an entry.
pub(crate) struct ElementSeed {
    pub(crate) fields: bool,
}

impl<'de> DeserializeSeed<'de> for ElementSeed {
    type Value = Element;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Element, D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! no_object {
    ($($visit:ident($value:ty)),*) => { $(
        fn $visit<E>(self, _: $value) -> Result<Element, E> {
            Ok(None)
        }
    )* };
}

impl<'de> Visitor<'de> for ElementSeed {
    type Value = Element;

    no_object!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Element, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Element, A::Error> {
        ScalarVisitor.visit_seq(seq).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Element, A::Error> {
        let (mut entry, mut fields, mut budget) = (ApiObject::default(), Map::new(), Budget::OF_ENTRY);
        while let Some(key) = map.next_key_seed(KeySeed)? {
            if self.fields {
                let is_known = key == "server" || entry.field(&key).is_some();
                if let Some(value) = map.next_value_seed(Bounded::new(&mut budget, is_known))? {
                    entry.set(&key, &value);
                    fields.insert(key, value);
                }
            } else if key == "server" {
                entry.server = Some(map.next_value_seed(ReferenceSeed)?);
            } else if let Some(field) = entry.field(&key) {
                *field = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Some((entry, fields)))
    }
}
