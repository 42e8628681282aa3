//! Makes HTML of a page. Every value from outside is cleaned and escaped on its way in, so that no name becomes markup,
//! and the policy for browsers lets nothing work but the one style.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, HtmlEscape, Output, State, escape_formatter};
use serde::Serialize;

use crate::policy::text::one_line;
use crate::status::page::facts::PageFacts;
use crate::status::page::overview::overview;
use crate::status::page::server::server_page;

const STYLE: &str = include_str!("templates/style.css");

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(templates);

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

/// The `Content-Security-Policy` of every page.
pub(in crate::status) fn content_security_policy() -> &'static str {
    &POLICY
}

/// The page as HTML.
pub(crate) fn html(facts: &PageFacts) -> String {
    match facts {
        PageFacts::Overview(facts) => fill("overview.html", &overview(facts)),
        PageFacts::Server(facts) => fill("server.html", &server_page(facts)),
    }
}

#[derive(Serialize)]
struct PageContext<'a, Page> {
    page: &'a Page,
    style: Value,
    version: &'static str,
}

fn fill<Page: Serialize>(template: &str, page: &Page) -> String {
    let context =
        PageContext { page, style: Value::from_safe_string(STYLE.to_owned()), version: env!("CARGO_PKG_VERSION") };
    let template = TEMPLATES.get_template(template).expect("the template is added below");
    template.render(context).expect("the template fits every page")
}

fn templates() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(format_value);
    environment.add_filter("code", code);
    for (name, source) in [
        ("layout.html", include_str!("templates/layout.html")),
        ("drawings.html", include_str!("templates/drawings.html")),
        ("overview.html", include_str!("templates/overview.html")),
        ("server.html", include_str!("templates/server.html")),
    ] {
        environment.add_template(name, source).expect("the template is tested");
    }
    environment
}

/// Cleaned and escaped text in which commands and keys, which our sentences have between backticks, are marked as code.
fn code(text: &str) -> Value {
    let escaped = |text: &str| HtmlEscape(&one_line(text)).to_string();
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return Value::from_safe_string(escaped(text));
    }
    let mut html = String::new();
    for (place, part) in parts.into_iter().enumerate() {
        let part = part.split(' ').map(escaped).collect::<Vec<_>>().join(" ");
        html.push_str(&if place % 2 == 1 { format!("<code>{part}</code>") } else { part });
    }
    Value::from_safe_string(html)
}

/// Cleans text, then escapes it.
fn format_value(out: &mut Output<'_>, state: &State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() => escape_formatter(out, state, &Value::from(one_line(text))),
        _ => escape_formatter(out, state, value),
    }
}
