//! What a path and its query ask for. Any query is fine: what means nothing is left aside.

use url::form_urlencoded;

use crate::status::page::listing::{Filter, ServerCondition};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PageRequest {
    /// The servers that pass a filter.
    Overview(Filter),
    /// The server whose id reads like this.
    Server(String),
}

impl PageRequest {
    /// What this path with its query asks for; `None` where there is no page.
    pub(crate) fn of(path: &str, query: Option<&str>) -> Option<Self> {
        if path == "/" {
            return Some(Self::Overview(filter(query.unwrap_or_default())));
        }
        let segment = path.strip_prefix("/servers/").filter(|segment| !segment.is_empty() && !segment.contains('/'))?;
        decoded(segment).map(Self::Server)
    }
}

/// The filter of a query. Of several values of one name the last counts.
fn filter(query: &str) -> Filter {
    let mut filter = Filter::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "q" => value.trim().clone_into(&mut filter.text),
            "state" => filter.state = ServerCondition::ALL.into_iter().find(|state| state.word() == value),
            "page" => filter.page = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    filter
}

/// The query of a page of servers, as a link has it.
pub(super) fn link(filter: &Filter) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !filter.text.is_empty() {
        query.append_pair("q", &filter.text);
    }
    if let Some(state) = filter.state {
        query.append_pair("state", state.word());
    }
    if filter.page > 1 {
        query.append_pair("page", &filter.page.to_string());
    }
    let query = query.finish();
    if query.is_empty() { "/".to_owned() } else { format!("/?{query}") }
}

/// The path of a server's page. Nothing in it needs to be escaped in HTML.
pub(super) fn server_path(id: &str) -> String {
    let mut path = "/servers/".to_owned();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~.".contains(&byte) {
            path.push(byte.into());
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// A segment of a path without its percent signs; `None` if that is no text.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (code, tail) = tail.split_at_checked(2)?;
        let code = std::str::from_utf8(code).ok().filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(code, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overview(query: &str) -> Filter {
        match PageRequest::of("/", Some(query)) {
            Some(PageRequest::Overview(filter)) => filter,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_query_is_read_and_what_means_nothing_is_left_aside() {
        assert_eq!(PageRequest::of("/", None), Some(PageRequest::Overview(Filter::default())));
        let all = Filter { text: "çok güzel".to_owned(), state: Some(ServerCondition::Stale), page: 3 };
        assert_eq!(overview("q=%C3%A7ok+g%C3%BCzel&state=stale&page=3"), all);
        assert_eq!(
            overview("state=nonsense&page=-1&x=y&&=&q=%ff%zz%"),
            Filter { text: "\u{fffd}%zz%".to_owned(), ..Filter::default() }
        );
        assert_eq!(overview("page=99999999999999999999999").page, 0);
    }

    #[test]
    fn a_link_leads_back_to_its_filter() {
        for text in ["", "web", "a&b=c d#?%", "名 \"<>'", "\u{202e}"] {
            for state in [None, Some(ServerCondition::Ok)] {
                for page in [2, 70] {
                    let filter = Filter { text: text.to_owned(), state, page };
                    let link = link(&filter);
                    let (path, query) = link.split_once('?').unwrap();
                    assert_eq!(PageRequest::of(path, Some(query)), Some(PageRequest::Overview(filter)), "{link}");
                }
            }
        }
        assert_eq!(link(&Filter { page: 1, ..Filter::default() }), "/");
    }

    #[test]
    fn a_servers_path_leads_back_to_its_id() {
        for id in ["12345", "7f0c-a", "a/b", "a b+c%2f", "<\"名\u{202e}>", "?q=#"] {
            let path = server_path(id);
            assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"'?#".contains(&byte)), "{path}");
            assert_eq!(PageRequest::of(&path, None), Some(PageRequest::Server(id.to_owned())));
        }
    }

    #[test]
    fn other_paths_have_no_page() {
        for path in
            ["", "/x", "//", "/servers", "/servers/", "/servers/1/2", "/servers/%", "/servers/%ff", "/servers/%+1"]
        {
            assert_eq!(PageRequest::of(path, None), None, "{path}");
        }
    }
}
