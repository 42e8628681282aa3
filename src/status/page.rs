//! The page for people: `/`, and `/servers/ID` for each server.

/// The HTML at a path with its query; `None` where there is no page. There is none yet.
pub(super) const fn html(_path: &str, _query: Option<&str>) -> Option<String> {
    None
}
