//! Reads one page of a list entry by entry. Each entry is passed on as soon as it is read, and nothing else is kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::provider::api_object::{Element, ElementSeed};
use crate::provider::wire::Scalar;

/// What a page says besides its entries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PageHead {
    /// The number of entries of the whole list, if the page has it and it is readable.
    pub(crate) count: Option<u64>,
    /// Where the next page is.
    pub(crate) next: NextPage,
}

/// What a page says about the page after it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NextPage {
    /// There is none.
    None,
    /// There is one, at this address.
    At(String),
    /// There is one, but its address cannot be read.
    Unreadable,
}

/// Why a page could not be read.
#[derive(Debug)]
pub(crate) enum PageError {
    /// It is not JSON, or JSON of an unexpected shape; says which.
    NotUnderstood(String),
    /// The receiver accepts no more entries; says why.
    Excess(String),
}

/// Receives each entry; an error ends the reading.
pub(crate) type Take<'a> = &'a mut dyn FnMut(Element) -> Result<(), String>;

/// Reads a page from an answer's body: `{"count", "results"}`, the same with `next`, or a bare array. With `fields`,
/// passes on all fields of the entries.
pub(crate) fn read(body: &[u8], fields: bool, take: Take<'_>) -> Result<PageHead, PageError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let mut page = PageVisitor { fields, take, excess: None, results: false, count: Scalar::Null, next: Scalar::Null };
    let read = page.read(&mut reader).and_then(|shape| reader.end().map(|()| shape));
    if let Some(excess) = page.excess {
        return Err(PageError::Excess(excess));
    }
    match read {
        Err(error) => Err(PageError::NotUnderstood(format!("it is not JSON ({error})"))),
        Ok(false) => Err(PageError::NotUnderstood("a list was expected".to_owned())),
        Ok(true) if !page.results => {
            Err(PageError::NotUnderstood("a list was expected, but it has no \"results\"".to_owned()))
        }
        Ok(true) => {
            let count = match page.count {
                Scalar::Int(count) => u64::try_from(count).ok(),
                Scalar::Large(count) => Some(count),
                _ => None,
            };
            let next = match page.next {
                Scalar::Null => NextPage::None,
                Scalar::Text(text) if text.trim().is_empty() => NextPage::None,
                Scalar::Text(text) => NextPage::At(text),
                _ => NextPage::Unreadable,
            };
            Ok(PageHead { count, next })
        }
    }
}

struct PageVisitor<'a> {
    fields: bool,
    take: Take<'a>,
    excess: Option<String>,
    /// Whether there is a list of entries.
    results: bool,
    count: Scalar,
    next: Scalar,
}

impl PageVisitor<'_> {
    /// Returns whether it is an object or a list at all.
    fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(Whole(self))
    }

    fn entries<'de, A: SeqAccess<'de>>(&mut self, mut seq: A) -> Result<(), A::Error> {
        self.results = true;
        while let Some(element) = seq.next_element_seed(ElementSeed { fields: self.fields })? {
            if let Err(excess) = (self.take)(element) {
                self.excess = Some(excess);
                return Err(A::Error::custom("too much"));
            }
        }
        Ok(())
    }
}

macro_rules! neither {
    ($output:ty: $value:expr; $($visit:ident($given:ty)),*) => { $(
        fn $visit<E>(self, _: $given) -> Result<$output, E> {
            Ok($value)
        }
    )* };
}

/// The whole answer.
struct Whole<'p, 'a>(&'p mut PageVisitor<'a>);

impl<'de> Visitor<'de> for Whole<'_, '_> {
    type Value = bool;

    neither!(bool: false; visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<bool, A::Error> {
        self.0.entries(seq).map(|()| true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "results" => map.next_value_seed(Results(&mut *self.0))?,
                "count" => self.0.count = map.next_value()?,
                "next" => self.0.next = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(true)
    }
}

/// The value of `results`.
struct Results<'p, 'a>(&'p mut PageVisitor<'a>);

impl<'de> DeserializeSeed<'de> for Results<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Results<'_, '_> {
    type Value = ();

    neither!((): (); visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the entries of a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        self.0.entries(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
