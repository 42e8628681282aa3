//! The provider settings of the policy file, prepared for use: origin, token, connections, limits. They are replaced as
//! a whole, so that a token never goes to an origin that it was not configured for.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::provider::text::Masks;
use crate::provider::transport::ApiTransport;

/// The most bytes read of an answer: enough for a list in one page, the largest answer of this API.
pub(crate) const LIST_BYTES: usize = 32 * 1024 * 1024;

/// The provider settings of the policy file.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The base of every path, `https://admin.vps.org/api/v1`. Plain http only to loopback.
    pub url: String,
    /// Sent only to the origin of `url`.
    pub token: SecretString,
    /// The timeout of one request, from the connection to the last byte of the answer.
    pub timeout: Duration,
    /// The rate limit for all clones of the client together.
    pub requests_per_second: u32,
    /// The shortest time between two reads of a list.
    pub poll: Duration,
    /// A PEM file with CAs to trust in addition to the system's.
    pub ca_file: Option<PathBuf>,
}

/// A connection to the provider, with its settings.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) transport: ApiTransport,
    pub(crate) base: Url,
    pub(crate) authorization: HeaderValue,
    pub(crate) masks: Masks,
    pub(crate) timeout: Duration,
    pub(crate) requests_per_second: u32,
    pub(crate) poll: Duration,
    /// The most bytes read of any answer.
    pub(crate) most_bytes: usize,
}

impl Link {
    /// A link over HTTP, or into the given router. `Err` says which setting cannot be used.
    pub(crate) fn new(settings: &ClientSettings, router: Option<axum::Router>) -> Result<Self, String> {
        let base = base(&settings.url)?;
        let transport = match router {
            Some(router) => ApiTransport::InProcess(router),
            None => transport(&base, settings)?,
        };
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", settings.token.expose_secret()))
            .map_err(|_| "the provider's token contains characters that cannot be sent".to_owned())?;
        authorization.set_sensitive(true);
        Ok(Self {
            transport,
            base,
            authorization,
            masks: Masks::new(&settings.token),
            timeout: settings.timeout,
            requests_per_second: settings.requests_per_second,
            poll: settings.poll,
            most_bytes: LIST_BYTES,
        })
    }

    /// Whether the URL has this origin and is below the base. The token may only go there.
    pub(crate) fn leads_to(&self, url: &Url) -> bool {
        url.origin() == self.base.origin() && url.path().starts_with(self.base.path())
    }
}

fn base(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text.trim()).map_err(|error| format!("provider.url is not a URL ({error})"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("provider.url must not contain a user name or password; the token has a key of its own".to_owned());
    }
    let local = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return Err(format!("provider.url {url} has no host")),
    };
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        "http" => {
            return Err(format!(
                "provider.url {url} is plain http: the token would be readable in transit; write https:// (http only to this machine)"
            ));
        }
        other => return Err(format!("provider.url begins with {other}://, expected https://")),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("provider.url must end with its path, without ? or #".to_owned());
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn transport(base: &Url, settings: &ClientSettings) -> Result<ApiTransport, String> {
    let pem = match &settings.ca_file {
        Some(path) => {
            let pem = std::fs::read(path)
                .map_err(|error| format!("provider.ca_file {} cannot be read: {error}", path.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem);
            if certificates.is_ok_and(|list| list.is_empty()) {
                return Err(format!("provider.ca_file {} contains no PEM certificate", path.display()));
            }
            Some(pem)
        }
        None => None,
    };
    ApiTransport::http(base, settings.timeout, pem.as_deref()).map_err(|error| {
        let source = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        match &settings.ca_file {
            Some(path) => format!("provider.ca_file {} cannot be used: {source}", path.display()),
            None => format!("no connection can be set up: {source}; are the system's CA certificates installed?"),
        }
    })
}
