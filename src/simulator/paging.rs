//! Lists: filtered, ordered, put into pages or whole, and bent by the faults that bend lists.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::account::Account;
use super::dice::{Dice, scramble};
use super::effects::Effect;
use super::point::Kind;
use super::points::{Refusal, later, word_of};

/// A list that was asked for.
pub(super) struct Wish<'a> {
    /// `http://host/api/v1/backups/`, for the links.
    pub(super) url: &'a str,
    pub(super) query: &'a [(String, String)],
    pub(super) fault: Option<&'a Effect>,
    pub(super) now: Timestamp,
}

impl Wish<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Account {
    /// The points of a kind, as asked.
    pub(super) fn list_points(&mut self, kind: Kind, wish: &Wish<'_>) -> Result<Value, Refusal> {
        let filter = if self.options.ignore_filters { None } else { wish.value("server_id") };
        let server = filter.map(|key| self.filtered_server(key)).transpose()?;
        let backup_type = wish.value("backup_type").filter(|_| kind == Kind::Backup && !self.options.ignore_filters);
        if let Some(word) = backup_type.filter(|word| !["manual", "automatic"].contains(word)) {
            let text = format!("Select a valid choice. {word} is not one of the available choices.");
            return Err(Refusal::field("backup_type", text));
        }
        let automatic = backup_type.map(|word| word == "automatic");
        let mut ids: Vec<i64> = match server {
            Some(None) => Vec::new(),
            Some(Some(place)) => self.on(kind, place).map(|point| point.id).collect(),
            None => self.points(kind).map(|point| point.id).collect(),
        };
        let shelf = &self.shelves[kind as usize].points;
        ids.retain(|id| {
            let point = &shelf[id];
            point.listed && automatic.is_none_or(|automatic| automatic != point.takes_slot())
        });
        if let Some(Effect::ForeignItems { items }) = wish.fault {
            let others = shelf.values().filter(|point| server.is_some_and(|place| place != Some(point.server)));
            ids.extend(others.take(*items).map(|point| point.id));
        }
        if self.options.unordered {
            ids.sort_by_key(|id| scramble(id.unsigned_abs() ^ self.options.seed));
        } else {
            ids.sort_unstable_by(|a, b| b.cmp(a));
        }
        self.put_into_pages(&ids, wish, |account, id| account.show_point(&account.shelves[kind as usize].points[id]))
    }

    /// The servers, as asked.
    pub(super) fn list_servers(&mut self, wish: &Wish<'_>) -> Result<Value, Refusal> {
        let (status, location) = (wish.value("status"), wish.value("location"));
        let mut places: Vec<usize> = (0..self.servers.len()).collect();
        places.retain(|place| {
            let server = &self.servers[*place];
            let here = server.spec.location.as_deref().unwrap_or("Istanbul");
            !server.removed
                && status.is_none_or(|status| status == server.shown_status())
                && location.is_none_or(|location| location == here)
        });
        if self.options.unordered {
            places.sort_by_key(|place| scramble(*place as u64 ^ self.options.seed));
        }
        self.put_into_pages(&places, wish, |account, place| account.show_server(*place, false))
    }

    /// The place behind a `server_id`; an unknown key matches nothing, nonsense is refused.
    fn filtered_server(&self, key: &str) -> Result<Option<usize>, Refusal> {
        let place = self.keyed(key).or_else(|| self.servers.iter().position(|server| server.has_key(key)));
        if place.is_none() && key.parse::<i64>().is_err() && key.len() != 36 {
            return Err(Refusal::field("server_id", "Enter a number."));
        }
        Ok(place)
    }

    fn put_into_pages<T>(
        &mut self,
        keys: &[T],
        wish: &Wish<'_>,
        show: impl Fn(&Self, &T) -> Value,
    ) -> Result<Value, Refusal> {
        let mut keys: Vec<&T> = keys.iter().collect();
        if let Some(Effect::OnlyItems { items }) = wish.fault {
            keys.truncate(*items);
        }
        let page = if self.options.paged { page_of(wish, keys.len(), self)? } else { Page::whole(keys.len()) };
        let shown = shifted(&page, wish.fault, keys.len());
        let mut results: Vec<Value> = keys[shown].iter().map(|key| show(self, key)).collect();
        let mut count = json!(keys.len());
        if let Some(fault) = wish.fault {
            let mut dice = self.dice.clone();
            bend(&mut results, &mut count, fault, &mut dice, |seconds| self.time_in(wish.now, seconds));
            self.dice = dice;
        }
        let mut list = Map::new();
        list.insert("count".to_owned(), count);
        if self.options.paged {
            list.insert("next".to_owned(), page.link(wish, 1));
            list.insert("previous".to_owned(), page.link(wish, -1));
        }
        list.insert("results".to_owned(), Value::Array(results));
        Ok(Value::Object(list))
    }

    fn time_in(&self, now: Timestamp, seconds: i64) -> Value {
        self.time(later(self.shown(now), SignedDuration::from_secs(seconds)))
    }
}

/// A page of a list.
struct Page {
    number: usize,
    last: usize,
    size: usize,
}

impl Page {
    fn whole(items: usize) -> Self {
        Self { number: 1, last: 1, size: items.max(1) }
    }

    fn link(&self, wish: &Wish<'_>, step: isize) -> Value {
        let Some(number) = self.number.checked_add_signed(step).filter(|number| (1..=self.last).contains(number))
        else {
            return Value::Null;
        };
        let mut query: Vec<(String, String)> = wish.query.iter().filter(|(key, _)| key != "page").cloned().collect();
        if number > 1 {
            query.push(("page".to_owned(), number.to_string()));
        }
        let mut link = wish.url.to_owned();
        if !query.is_empty() {
            let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
            link.push('?');
            link.push_str(&text);
        }
        json!(link)
    }
}

fn page_of(wish: &Wish<'_>, items: usize, account: &Account) -> Result<Page, Refusal> {
    let options = &account.options;
    let asked = wish.value("page_size").and_then(|text| text.parse().ok()).filter(|size| *size > 0);
    let size = asked.unwrap_or(options.page_size).min(options.max_page_size).max(1);
    let last = items.div_ceil(size).max(1);
    let number = match wish.value("page") {
        None => Some(1),
        Some("last") => Some(last),
        Some(text) => text.parse().ok().filter(|number| (1..=last).contains(number)),
    };
    let number = number.ok_or_else(|| Refusal::detail(404, "Invalid page."))?;
    Ok(Page { number, last, size })
}

fn shifted(page: &Page, fault: Option<&Effect>, items: usize) -> std::ops::Range<usize> {
    let mut start = (page.number - 1) * page.size;
    if let (Some(Effect::Shift { by }), true) = (fault, page.number > 1) {
        start = start.saturating_add_signed(isize::try_from(*by).unwrap_or(0));
    }
    start.min(items)..(start + page.size).min(items)
}

/// Does to the items of a page what the fault says.
fn bend(results: &mut Vec<Value>, count: &mut Value, fault: &Effect, dice: &mut Dice, time: impl Fn(i64) -> Value) {
    let more = |count: &mut Value, by: i64| *count = json!((count.as_i64().unwrap_or(0) + by).max(0));
    match fault {
        Effect::ShortCount { by } => more(count, *by),
        Effect::MissingItems { items } => results.truncate(results.len().saturating_sub(*items)),
        Effect::DuplicateItems { items, counted } => {
            let twice: Vec<Value> = results.iter().take(*items).cloned().collect();
            if *counted {
                more(count, i64::try_from(twice.len()).unwrap_or(0));
            }
            results.extend(twice);
        }
        Effect::Reorder {} => results.sort_by_cached_key(|_| dice.next()),
        Effect::Show { fields, first } => {
            for item in results.iter_mut().take(first.unwrap_or(usize::MAX)) {
                for (field, value) in fields {
                    let seconds = value.get("in_seconds").and_then(Value::as_i64);
                    item[field.as_str()] = seconds.map_or_else(|| value.clone(), &time);
                }
            }
        }
        _ => {}
    }
}

/// The pairs of a query.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The server that a body or query names with `server_id`, as text.
pub(super) fn named_server(query: &[(String, String)], body: &Value) -> Option<String> {
    let in_query = query.iter().find(|(key, _)| key == "server_id").map(|(_, value)| value.clone());
    in_query.or_else(|| body.get("server_id").map(word_of))
}
