//! Reads the whole file and reports everything that is wrong with it at once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use toml::de::DeTable;

use crate::config::diagnostic::Diagnostic;
use crate::config::environment::{Environment, FileLocation, find};
use crate::config::error::LoadError;
use crate::config::keys::{PROVIDER, SLOTS, STATE, STATUS};
use crate::config::policies::{self, PolicyKeys};
use crate::config::reader::{Findings, TableReader, sorted};
use crate::config::settings::{Config, ProviderSettings, SecretSource, SlotLimits, StatusSettings};
use crate::config::value_error::ValueError;
use crate::config::values::filled;
use crate::config::{duration, file, mail, slot_sums, values};

/// The default state folder.
const DEFAULT_STATE: &str = "/var/lib/lastgood";

/// A valid file and the warnings about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The file, validated.
    pub config: Config,
    /// What is allowed but worth a second look.
    pub warnings: Vec<Diagnostic>,
    /// Its text, to show the warnings in.
    pub source: String,
    /// Its name, as it was given.
    pub name: String,
}

/// Reads and validates a file.
///
/// # Errors
/// `Unreadable`, `Untrusted`, or `Invalid` with every error at once.
pub fn load(found: &FileLocation, environment: &Environment, at: Timestamp) -> Result<Loaded, LoadError> {
    let path = &found.path;
    let read = file::read(path, file::POLICY_BYTES);
    let (source, data) = read.map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    let mut diagnostics = file::check_writers(found, &data)?;
    let name = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let (config, findings) = examine(&source, &folder, environment, at);
    diagnostics.extend(findings);
    diagnostics.extend(config.iter().flat_map(secret_files));
    let diagnostics = sorted(diagnostics);
    match config.filter(|_| !diagnostics.iter().any(Diagnostic::is_error)) {
        Some(config) => Ok(Loaded { config, warnings: diagnostics, source, name }),
        None => Err(LoadError::Invalid { name, source_text: source, diagnostics }),
    }
}

/// Validates a text; paths in it are relative to `folder`. Without a `Config` there is at least one error.
#[must_use]
pub fn parse(
    source: &str,
    folder: &Path,
    environment: &Environment,
    at: Timestamp,
) -> (Option<Config>, Vec<Diagnostic>) {
    let (config, diagnostics) = examine(source, folder, environment, at);
    let good = !diagnostics.iter().any(Diagnostic::is_error);
    (config.filter(|_| good), diagnostics)
}

/// Like `parse`, but returns what could be read of an invalid text as well.
fn examine(source: &str, folder: &Path, environment: &Environment, at: Timestamp) -> (Option<Config>, Vec<Diagnostic>) {
    let findings = Findings::default();
    let (document, errors) = DeTable::parse_recoverable(source);
    for error in &errors {
        let diagnostic =
            Diagnostic::error(format!("this is not valid TOML: {}", error.message().lines().next().unwrap_or("")));
        let diagnostic = match error.message() {
            text if text.contains("duplicate key") => diagnostic.help("it is there twice: remove one of them"),
            text if text.contains("must be quoted") => diagnostic.help("put the value in quotes"),
            _ => diagnostic
                .help("a line is [table], key = value, or a # comment; strings are in quotes, which must be closed"),
        };
        findings.push(match error.span() {
            Some(span) => diagnostic.at("", span),
            None => diagnostic,
        });
    }
    let root = TableReader::of_file(document.get_ref(), 0..source.len(), &findings);
    let config = read(root, folder, environment, at).map(|config| Config { source: source.to_owned(), ..config });
    (config, findings.into_sorted())
}

/// The text of the policy file and the folder that paths in it are relative to, whoever wrote it and whatever it says: for
/// commands that take nothing from it but the state folder. `None` where there is none that can be read.
#[must_use]
pub(crate) fn policy_file_text(explicit: Option<&Path>) -> Option<(String, PathBuf)> {
    let path = find(explicit).ok()?.path;
    let (text, _) = file::read(&path, file::POLICY_BYTES).ok()?;
    Some((text, path.parent().unwrap_or(Path::new("")).to_owned()))
}

/// The state folder that a text names, even if the rest of it is invalid.
#[must_use]
pub(crate) fn state_dir(source: &str, folder: &Path, environment: &Environment) -> PathBuf {
    let findings = Findings::default();
    let (document, _) = DeTable::parse_recoverable(source);
    let root = TableReader::of_file(document.get_ref(), 0..source.len(), &findings);
    state(&root, folder, environment).0
}

fn read(root: TableReader<'_>, folder: &Path, environment: &Environment, at: Timestamp) -> Option<Config> {
    let findings = root.findings();
    let provider = provider(&root, folder, environment);
    let (state_dir, state_keep) = state(&root, folder, environment);
    let defaults = root.table("defaults").map(PolicyKeys::read).unwrap_or_default();
    let policies = policies::read(&root, &defaults, at);
    let smtp = mail::smtp(&root, folder, environment);
    let (reports, names) = mail::reports(&root, &defaults.zone().unwrap_or(TimeZone::UTC));
    let status = status(&root);
    let smtp_given = root.has("smtp");
    if !root.has("policy") && !root.has("server") {
        let example = "add a [policy.nightly] with kind, servers, schedule and keep";
        findings.push(Diagnostic::error("the file has no policy").help(example));
    }
    root.finish();
    crate::config::names::check_names(&policies, &names, findings);
    if let Some(provider) = &provider {
        slot_sums::offline(&policies, provider.slots, at, findings);
    }
    if smtp.is_some() || !smtp_given {
        mail::check_failures_reach_someone(smtp.as_ref(), &reports, findings);
        if !findings.has_errors() {
            crate::config::names::check_own_reports(&policies, &reports, findings);
        }
    }
    Some(Config {
        provider: provider?,
        state_dir,
        state_keep,
        policies: policies.base.into_iter().map(|(policy, _)| policy).collect(),
        overrides: policies.overrides.into_iter().map(|(one, _)| one).collect(),
        smtp,
        reports,
        status,
        source: String::new(),
    })
}

fn provider(root: &TableReader<'_>, folder: &Path, environment: &Environment) -> Option<ProviderSettings> {
    let empty = DeTable::new();
    let findings = root.findings();
    let reader = root.table("provider");
    let given = root.has("provider");
    let reader = match reader {
        Some(reader) => reader,
        None if given => return None,
        None => root.absent("provider", &empty),
    };
    let in_file = reader.parsed("url", url);
    let url = match &environment.api_url {
        Some(text) => match url(text) {
            Ok(url) => Some(url),
            Err(wrong) => {
                let message = format!("the variable VPS_API_URL {}", wrong.message);
                findings.push(Diagnostic::error(message).help(wrong.help));
                None
            }
        },
        None => in_file,
    };
    let slots = slots(&reader);
    let provider = ProviderSettings {
        url: url.unwrap_or_else(|| PROVIDER.text("url").to_owned()),
        instance: reader.parsed("instance", values::name).unwrap_or_else(|| PROVIDER.text("instance").to_owned()),
        token: values::file_of_secret(&reader, "token_file", folder)
            .unwrap_or_else(|| SecretSource::token_without_file(environment)),
        timeout: reader.duration("timeout", duration::positive).unwrap_or_else(|| PROVIDER.duration("timeout")),
        requests_per_second: reader
            .number("requests_per_second")
            .unwrap_or_else(|| PROVIDER.number("requests_per_second")),
        parallel_runs: reader.number("parallel_runs").unwrap_or_else(|| PROVIDER.number("parallel_runs")),
        poll: reader.duration("poll", duration::positive).unwrap_or_else(|| PROVIDER.duration("poll")),
        settle: reader.duration("settle", duration::duration).unwrap_or_else(|| PROVIDER.duration("settle")),
        slots,
        ca_file: reader.parsed("ca_file", filled).map(|file| folder.join(file)),
    };
    reader.finish();
    Some(provider)
}

/// `[provider]` as it is without a policy file: the defaults, and what the variables and credentials say.
///
/// # Errors
/// What is wrong with a variable.
pub(crate) fn provider_without_file(environment: &Environment) -> Result<ProviderSettings, String> {
    let (findings, empty) = (Findings::default(), DeTable::new());
    let root = TableReader::of_file(&empty, 0..0, &findings);
    let settings = provider(&root, Path::new(""), environment);
    let wrong: Vec<String> = findings.into_sorted().into_iter().map(|one| one.message).collect();
    settings.filter(|_| wrong.is_empty()).ok_or_else(|| wrong.join("; "))
}

fn slots(reader: &TableReader<'_>) -> SlotLimits {
    let (mut backup, mut snapshot) = (None, None);
    if let Some(table) = reader.table("slots") {
        backup = table.number("backup");
        snapshot = table.number("snapshot");
        table.finish();
    }
    let backup = backup.unwrap_or_else(|| SLOTS.number("backup"));
    SlotLimits { backup, snapshot: snapshot.unwrap_or_else(|| SLOTS.number("snapshot")) }
}

fn url(text: &str) -> Result<String, ValueError> {
    let bad = |what: &str, help: &str| Err(ValueError::new(what.to_owned(), help.to_owned()));
    let Ok(url) = url::Url::parse(text) else {
        return bad("is not a URL", "as in \"https://admin.vps.org/api/v1\"");
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return bad("contains more than an address", "use only scheme, host and path; the token has its own file");
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(text.trim_end_matches('/').to_owned()),
        ("http", Some(host)) if mail::is_loopback(host) => Ok(text.trim_end_matches('/').to_owned()),
        ("http", _) => bad("would send the token in the clear", "use https; plain http is for loopback only"),
        _ => bad("is not an https address", "as in \"https://admin.vps.org/api/v1\""),
    }
}

/// The state folder: `$STATE_DIRECTORY` (set by systemd), else the file's `dir`, else `/var/lib/lastgood` if it can be
/// used, else the XDG state folder. With it, how long runs are remembered.
fn state(root: &TableReader<'_>, folder: &Path, environment: &Environment) -> (PathBuf, Duration) {
    let (mut dir, mut keep) = (None, None);
    if let Some(reader) = root.table("state") {
        dir = reader.parsed("dir", filled).map(|dir| folder.join(dir));
        keep = reader.duration("keep", duration::at_least_a_day);
        reader.finish();
    }
    let standard = || {
        let standard = PathBuf::from(DEFAULT_STATE);
        let usable = is_writable(&standard) || (!standard.exists() && is_writable(Path::new("/var/lib")));
        let home = environment.state_home.as_ref().map(|home| home.join("lastgood"));
        if usable { standard } else { home.unwrap_or(standard) }
    };
    let dir = environment.state_directory.clone().or(dir).unwrap_or_else(standard);
    (dir, keep.unwrap_or_else(|| STATE.duration("keep")))
}

/// Whether this user can write into a folder.
fn is_writable(dir: &Path) -> bool {
    std::fs::metadata(dir).is_ok_and(|data| data.is_dir() && !data.permissions().readonly()) && tempfile_would_work(dir)
}

fn tempfile_would_work(dir: &Path) -> bool {
    let probe = dir.join(format!(".lastgood-{}", std::process::id()));
    let made = std::fs::File::options().write(true).create_new(true).open(&probe).is_ok();
    if made {
        // If it cannot be removed: it is empty and was created just now.
        let _ = std::fs::remove_file(&probe);
    }
    made
}

fn status(root: &TableReader<'_>) -> StatusSettings {
    let Some(reader) = root.table("status") else { return StatusSettings::default() };
    let allow_remote = reader.flag("allow_remote").unwrap_or_else(|| STATUS.flag("allow_remote"));
    let listen = reader.parsed("listen", |text| status_address(text, allow_remote));
    let hosts = values::host_names(&reader, "hosts");
    let unprotected_ok = values::selectors(&reader, "unprotected_ok").unwrap_or_default();
    reader.finish();
    StatusSettings { listen, hosts, unprotected_ok }
}

fn status_address(text: &str, allow_remote: bool) -> Result<SocketAddr, ValueError> {
    let address: SocketAddr =
        text.parse().map_err(|_| ValueError::new("is not an address with a port", "as in \"127.0.0.1:9810\""))?;
    if allow_remote || address.ip().to_canonical().is_loopback() {
        return Ok(address);
    }
    Err(ValueError::new(
        format!("is {address}, which other machines can reach"),
        "listen on 127.0.0.1 or [::1], or set allow_remote = true: there is no password, so let a firewall or a proxy \
         decide who may connect",
    ))
}

/// Secret files that cannot hold a secret, and those that others can read.
fn secret_files(config: &Config) -> Vec<Diagnostic> {
    let password = config.smtp.as_ref().and_then(|smtp| smtp.password.as_ref());
    let sources = [Some(&config.provider.token), password];
    sources.into_iter().flatten().filter_map(secret_file).collect()
}

fn secret_file(source: &SecretSource) -> Option<Diagnostic> {
    use std::os::unix::fs::PermissionsExt;
    let SecretSource::File { path, from, span } = source else { return None };
    let data = std::fs::metadata(path).ok()?;
    if let Some(what) = file::why_not_readable(&data, file::SECRET_BYTES) {
        let error = Diagnostic::error(format!("{from} names {}, which cannot hold the secret: {what}", path.display()));
        let error = error.help("write only the secret into a file, and name that file here");
        return Some(match span {
            Some(span) => error.at(from, span.clone()),
            None => error,
        });
    }
    let mode = data.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        let message = format!("{from} names {}, which others can read (mode {:o})", path.display(), mode & 0o777);
        Diagnostic::warning(message).help(format!("chmod 600 {}", path.display()))
    })
}
