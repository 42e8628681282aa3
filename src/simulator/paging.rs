//! Lists: filtered, ordered, paged or complete, and changed by the faults that affect lists.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::account::Account;
use super::effects::Effect;
use super::point::PointKind;
use super::points::{ApiRefusal, later, word_of};
use super::random::{SeededRandom, scramble};

/// A request for a list.
pub(super) struct ListQuery<'a> {
    /// `http://host/api/v1/backups/`, for the links.
    pub(super) url: &'a str,
    pub(super) pairs: &'a [(String, String)],
    pub(super) fault: Option<&'a Effect>,
    pub(super) now: Timestamp,
}

impl ListQuery<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Account {
    /// The requested points of a kind.
    pub(super) fn list_points(&mut self, kind: PointKind, list_query: &ListQuery<'_>) -> Result<Value, ApiRefusal> {
        let filter = if self.options.ignore_filters { None } else { list_query.value("server_id") };
        let server = filter.map(|key| self.filtered_server(key)).transpose()?;
        let backup_type =
            list_query.value("backup_type").filter(|_| kind == PointKind::Backup && !self.options.ignore_filters);
        if let Some(word) = backup_type.filter(|word| !["manual", "automatic"].contains(word)) {
            let text = format!("Select a valid choice. {word} is not one of the available choices.");
            return Err(ApiRefusal::field("backup_type", text));
        }
        let automatic = backup_type.map(|word| word == "automatic");
        let mut ids: Vec<i64> = match server {
            Some(None) => Vec::new(),
            Some(Some(index)) => self.points_on(kind, index).map(|point| point.id).collect(),
            None => self.points(kind).map(|point| point.id).collect(),
        };
        let table = &self.tables[kind as usize].points;
        ids.retain(|id| {
            let point = &table[id];
            point.listed && automatic.is_none_or(|automatic| automatic != point.takes_slot())
        });
        if let Some(Effect::ForeignItems { items }) = list_query.fault {
            let others = table.values().filter(|point| server.is_some_and(|index| index != Some(point.server)));
            ids.extend(others.take(*items).map(|point| point.id));
        }
        if self.options.unordered {
            ids.sort_by_key(|id| scramble(id.unsigned_abs() ^ self.options.seed));
        } else {
            ids.sort_unstable_by(|a, b| b.cmp(a));
        }
        self.page_response(&ids, list_query, |account, id| {
            account.show_point(&account.tables[kind as usize].points[id])
        })
    }

    /// The requested servers.
    pub(super) fn list_servers(&mut self, list_query: &ListQuery<'_>) -> Result<Value, ApiRefusal> {
        let (status, location) = (list_query.value("status"), list_query.value("location"));
        let mut indices: Vec<usize> = (0..self.servers.len()).collect();
        indices.retain(|index| {
            let server = &self.servers[*index];
            let here = server.spec.location.as_deref().unwrap_or("Istanbul");
            !server.removed
                && status.is_none_or(|status| status == server.shown_status())
                && location.is_none_or(|location| location == here)
        });
        if self.options.unordered {
            indices.sort_by_key(|index| scramble(*index as u64 ^ self.options.seed));
        }
        self.page_response(&indices, list_query, |account, index| account.show_server(*index, false))
    }

    /// The index for a `server_id`. An unknown key matches nothing; an invalid one is refused.
    fn filtered_server(&self, key: &str) -> Result<Option<usize>, ApiRefusal> {
        let index = self.find_server_by_key(key).or_else(|| self.servers.iter().position(|server| server.has_key(key)));
        if index.is_none() && key.parse::<i64>().is_err() && key.len() != 36 {
            return Err(ApiRefusal::field("server_id", "Enter a number."));
        }
        Ok(index)
    }

    fn page_response<T>(
        &mut self,
        keys: &[T],
        list_query: &ListQuery<'_>,
        show: impl Fn(&Self, &T) -> Value,
    ) -> Result<Value, ApiRefusal> {
        let mut keys: Vec<&T> = keys.iter().collect();
        if let Some(Effect::OnlyItems { items }) = list_query.fault {
            keys.truncate(*items);
        }
        let page = if self.options.paged { page_of(list_query, keys.len(), self)? } else { Page::whole(keys.len()) };
        let shown = shifted(&page, list_query.fault, keys.len());
        let mut results: Vec<Value> = keys[shown].iter().map(|key| show(self, key)).collect();
        let mut count = json!(keys.len());
        if let Some(fault) = list_query.fault {
            let mut random = self.random.clone();
            apply_to_page(&mut results, &mut count, fault, &mut random, |seconds| {
                self.time_in(list_query.now, seconds)
            });
            self.random = random;
        }
        let mut list = Map::new();
        list.insert("count".to_owned(), count);
        if self.options.paged {
            list.insert("next".to_owned(), page.link(list_query, 1));
            list.insert("previous".to_owned(), page.link(list_query, -1));
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

    fn link(&self, list_query: &ListQuery<'_>, step: isize) -> Value {
        let Some(number) = self.number.checked_add_signed(step).filter(|number| (1..=self.last).contains(number))
        else {
            return Value::Null;
        };
        let mut query: Vec<(String, String)> =
            list_query.pairs.iter().filter(|(key, _)| key != "page").cloned().collect();
        if number > 1 {
            query.push(("page".to_owned(), number.to_string()));
        }
        let mut link = list_query.url.to_owned();
        if !query.is_empty() {
            let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
            link.push('?');
            link.push_str(&text);
        }
        json!(link)
    }
}

fn page_of(list_query: &ListQuery<'_>, items: usize, account: &Account) -> Result<Page, ApiRefusal> {
    let options = &account.options;
    let asked = list_query.value("page_size").and_then(|text| text.parse().ok()).filter(|size| *size > 0);
    let size = asked.unwrap_or(options.page_size).min(options.max_page_size).max(1);
    let last = items.div_ceil(size).max(1);
    let number = match list_query.value("page") {
        None => Some(1),
        Some("last") => Some(last),
        Some(text) => text.parse().ok().filter(|number| (1..=last).contains(number)),
    };
    let number = number.ok_or_else(|| ApiRefusal::detail(404, "Invalid page."))?;
    Ok(Page { number, last, size })
}

fn shifted(page: &Page, fault: Option<&Effect>, items: usize) -> std::ops::Range<usize> {
    let mut start = (page.number - 1) * page.size;
    if let (Some(Effect::Shift { by }), true) = (fault, page.number > 1) {
        start = start.saturating_add_signed(isize::try_from(*by).unwrap_or(0));
    }
    start.min(items)..(start + page.size).min(items)
}

/// Applies a fault to the items of a page.
fn apply_to_page(
    results: &mut Vec<Value>,
    count: &mut Value,
    fault: &Effect,
    random: &mut SeededRandom,
    time: impl Fn(i64) -> Value,
) {
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
        Effect::Reorder {} => results.sort_by_cached_key(|_| random.next()),
        Effect::Show { fields, first } => {
            for item in results.iter_mut().take(first.unwrap_or(usize::MAX)) {
                for (field, value) in fields {
                    let seconds = value.get("in_seconds").and_then(Value::as_i64);
                    item[field.as_str()] = seconds.map_or_else(|| value.clone(), &time);
                }
            }
        }
        // Applied before the page is cut.
        Effect::OnlyItems { .. } | Effect::Shift { .. } | Effect::ForeignItems { .. } => {}
        Effect::Refuse {}
        | Effect::Reset { .. }
        | Effect::Silence { .. }
        | Effect::AnsweredLate { .. }
        | Effect::SlowBody { .. }
        | Effect::Status(_)
        | Effect::ContentType { .. }
        | Effect::TruncatedJson {}
        | Effect::BrokenBody {}
        | Effect::HugeBody { .. }
        | Effect::CreateAs(_)
        | Effect::Meanwhile { .. } => {}
    }
}

/// The key-value pairs of a query.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The `server_id` of a query or body, as text.
pub(super) fn named_server(query: &[(String, String)], body: &Value) -> Option<String> {
    let in_query = query.iter().find(|(key, _)| key == "server_id").map(|(_, value)| value.clone());
    in_query.or_else(|| body.get("server_id").map(word_of))
}
