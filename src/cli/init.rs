//! `lastgood init`: asks the account what is there and writes a first policy file. Needs no policy file.

mod account;
mod answers;
mod policy_text;
mod questions;
mod token;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lettre::message::Mailbox;

use crate::cli::delete::KindArg;
use crate::cli::error::CommandError;
use crate::cli::init::account::AccountSurvey;
use crate::cli::init::answers::{Answers, ChosenServer, KeepAnswer, MailAnswer, TimeOfDay};
use crate::cli::init::questions::{Question, Questions};
use crate::cli::init::token::FirstToken;
use crate::cli::output;
use crate::cli::retention::policy_rules;
use crate::cli::schedule::zone_named;
use crate::cli::setup::Setup;
use crate::config::{Diagnostic, ProviderSettings, parse, provider_without_file};
use crate::exit_code::ExitCode;
use crate::policy::inventory::Kind;
use crate::provider::Client;

/// How many problems with the answers are shown before the rest is only counted.
const PROBLEMS_SHOWN: usize = 3;

/// Ask the account what is there, and write a first policy file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lastgood init\n  lastgood init --token-file token --server web-server-01 --at 02:30 \
                  --timezone Europe/Istanbul --yes\n\nOn a terminal it asks for what the flags leave open; elsewhere, or \
                  with --yes, each has its default."
)]
pub struct InitArgs {
    /// A server to protect (id, uuid, name, hostname, or a pattern of them); may be repeated [default: all]
    #[arg(long = "server", value_name = "S")]
    servers: Vec<String>,
    /// What to create [default: backup]
    #[arg(long, value_name = "KIND")]
    kind: Option<KindArg>,
    /// When, every day [default: 02:30]
    #[arg(long, value_name = "HH:MM")]
    at: Option<String>,
    /// The zone of that time [default: UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// What to keep, as in daily=4,weekly=3 [default: what fits beside other points]
    #[arg(long, value_name = "RULES")]
    keep: Option<String>,
    /// The file that holds the API token and nothing else
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Who receives failure reports; may be repeated [default: nobody]
    #[arg(long, value_name = "ADDRESS")]
    mail_to: Vec<String>,
    /// The sender [default: lastgood at the domain of --mail-to]
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// The mail server
    #[arg(long, value_name = "HOST")]
    smtp_host: Option<String>,
    /// The file to write; an existing one is never overwritten
    #[arg(long, value_name = "FILE", default_value = "./policy.toml")]
    output: PathBuf,
    /// Do not ask: take the defaults
    #[arg(long)]
    yes: bool,
}

/// Asks, and writes the file.
///
/// # Errors
/// With exit code 2 if the file exists, there is no token, or an answer makes no sense; with 4 if the provider cannot be
/// reached or refuses the token.
pub(super) async fn run(setup: &Setup, args: InitArgs) -> anyhow::Result<ExitCode> {
    let folder = folder_of(&args.output)?;
    let questions = Questions::new(args.yes);
    let provider = provider_without_file(&setup.environment).map_err(CommandError::usage)?;
    let (token, client, survey) = connect(setup, &args, &provider, (&folder, questions)).await?;
    survey.show(questions.asks());

    let servers = servers(&args, &survey, questions)?;
    let kind = kind(&args, questions)?;
    let slots = provider.slots.of(kind);
    let servers = survey.with_taken_slots(&client, kind, servers).await?;
    let at = questions.answer(&question("at", "When, every day", &args.at, "02:30"), TimeOfDay::parse)?;
    let timezone = questions.answer(&question("timezone", "Time zone", &args.timezone, "UTC"), |text| {
        zone_named(text).map(|zone| zone.iana_name().unwrap_or(text).to_owned())
    })?;
    let keep = keep(&args, &servers, slots, questions)?;
    let mail = mail(&args, questions)?;
    let answers = Answers {
        account: survey.email,
        url: setup.environment.api_url.is_some().then_some(provider.url),
        token: token.line.clone(),
        kind,
        slots,
        servers,
        at,
        timezone,
        keep,
        mail,
    };
    let text = policy_text::policy_text(&answers);
    refuse_invalid(setup, &text, &folder)?;
    let file = args.output.display();
    if questions.asks() {
        output::note(&format!("\n{text}"));
    }
    if !questions.confirm(&format!("Write this to {file}?"))? {
        output::note("nothing was written");
        return Ok(ExitCode::Usage);
    }
    write(&args.output, &text, &token)?;
    report(&args, &answers, &token);
    Ok(ExitCode::Done)
}

/// Finds a token that the provider accepts, and reads the account. A person may mistype it twice.
async fn connect(
    setup: &Setup,
    args: &InitArgs,
    provider: &ProviderSettings,
    (folder, questions): (&Path, Questions),
) -> anyhow::Result<(FirstToken, Client, AccountSurvey)> {
    let mut mistakes = 0;
    loop {
        let token = token::find(args.token_file.as_deref(), &setup.environment, folder, questions)?;
        let client = setup.client_with(provider, &token.secret)?;
        match AccountSurvey::read(&client).await {
            Ok(survey) => return Ok((token, client, survey)),
            Err(error) if error.status() == Some(401) && token.write_to.is_some() && mistakes < 2 => {
                mistakes += 1;
                output::note(&format!("    {}", output::printable(&error.to_string())));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The folder of a file that does not exist yet.
fn folder_of(output: &Path) -> anyhow::Result<PathBuf> {
    let file = output.display();
    if output.symlink_metadata().is_ok() {
        let text = format!("{file} exists and is not overwritten: name another file with --output, or edit this one");
        return Err(CommandError::usage(text).into());
    }
    let folder = match output.parent() {
        Some(folder) if folder == Path::new("") => Path::new("."),
        Some(folder) => folder,
        None => Path::new("/"),
    };
    if output.file_name().is_none() || !folder.is_dir() {
        let text = format!("{file} cannot be written: {} is not a folder", folder.display());
        return Err(CommandError::usage(text).into());
    }
    Ok(folder.to_owned())
}

fn question<'q>(flag: &'static str, words: &'static str, given: &'q Option<String>, default: &'q str) -> Question<'q> {
    Question { flag, words, given: given.as_deref(), default }
}

fn servers(args: &InitArgs, survey: &AccountSurvey, questions: Questions) -> anyhow::Result<Vec<ChosenServer>> {
    if !args.servers.is_empty() {
        return Ok(survey
            .choose(&args.servers)
            .map_err(|problem| CommandError::usage(format!("--server: {problem}")))?);
    }
    if survey.servers.is_empty() {
        return Ok(Vec::new());
    }
    questions.answer(&question("server", "Servers to protect, with commas between them", &None, "all"), |text| {
        if text == "all" { Ok(survey.all()) } else { survey.choose(&list(text)) }
    })
}

fn kind(args: &InitArgs, questions: Questions) -> anyhow::Result<Kind> {
    let given = args.kind.map(|kind| Kind::from(kind).word().to_owned());
    questions.answer(&question("kind", "What to create, backup or snapshot", &given, "backup"), |text| {
        let kind = Kind::ALL.into_iter().find(|kind| [kind.word(), kind.plural()].contains(&text));
        kind.ok_or_else(|| "write backup or snapshot".to_owned())
    })
}

fn keep(args: &InitArgs, servers: &[ChosenServer], slots: u32, questions: Questions) -> anyhow::Result<KeepAnswer> {
    let fitting = policy_text::usual_rules(slots, servers).replace(" = ", "=").replace(", ", ",");
    questions.answer(&question("keep", "What to keep", &args.keep, &fitting), |text| {
        if text == fitting { Ok(KeepAnswer::Fitting) } else { policy_rules(text, slots).map(KeepAnswer::Rules) }
    })
}

fn mail(args: &InitArgs, questions: Questions) -> anyhow::Result<Option<MailAnswer>> {
    let given = (!args.mail_to.is_empty()).then(|| args.mail_to.join(", "));
    let to = question("mail-to", "Mail address for failure reports", &given, "");
    let to = questions.answer(&to, |text| list(text).iter().map(|one| address(one)).collect::<Result<Vec<_>, _>>())?;
    let Some(first) = to.first() else { return Ok(None) };
    let host = question("smtp-host", "Mail server", &args.smtp_host, "");
    let host = questions.answer(&host, |text| {
        let fits = !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if fits { Ok(text.to_owned()) } else { Err("write the name of a host".to_owned()) }
    })?;
    if host.is_empty() {
        return Ok(None);
    }
    let domain = first.rsplit('@').next().unwrap_or_default().trim_end_matches('>');
    let from = format!("lastgood <lastgood@{domain}>");
    let from = questions.answer(&question("mail-from", "Sender of the mail", &args.mail_from, &from), address)?;
    Ok(Some(MailAnswer { to, from, host }))
}

fn address(text: &str) -> Result<String, String> {
    let clean = !text.contains(char::is_control) && text.parse::<Mailbox>().is_ok();
    if clean { Ok(text.to_owned()) } else { Err(format!("`{}` is not a mail address", text.escape_debug())) }
}

/// The entries of a list with commas.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// Nothing is written that `check` would refuse.
fn refuse_invalid(setup: &Setup, text: &str, folder: &Path) -> anyhow::Result<()> {
    let (config, findings) = parse(text, folder, &setup.environment, setup.clock.now());
    if config.is_some() {
        return Ok(());
    }
    let in_words = |one: &Diagnostic| match &one.help {
        Some(help) => format!("{} ({help})", one.message),
        None => one.message.clone(),
    };
    let mut problems: Vec<String> = findings.iter().filter(|one| one.is_error()).map(in_words).collect();
    if problems.len() > PROBLEMS_SHOWN {
        // One answer may be wrong for every server.
        let more = problems.split_off(PROBLEMS_SHOWN).len();
        problems.push(format!("and {more} more"));
    }
    let text = format!("these answers make no valid policy file: {}; nothing was written", problems.join("; "));
    Err(CommandError::usage(output::printable(&text)).into())
}

/// Writes the token first: a policy file must not name a file that is not there.
fn write(output: &Path, text: &str, token: &FirstToken) -> anyhow::Result<()> {
    let failed = |path: &Path, error: std::io::Error| {
        CommandError::usage(format!("{} cannot be written: {error}", path.display()))
    };
    if let Some(path) = &token.write_to {
        // Only its owner can read it.
        let text = format!("{}\n", token.secret.expose());
        write_new(path, &text, 0o600).map_err(|error| failed(path, error))?;
    }
    let written = write_new(output, text, 0o644);
    if let Err(error) = written {
        if let Some(path) = &token.write_to {
            // It was created just now. If it stays, the next `init` names it.
            let _ = std::fs::remove_file(path);
        }
        return Err(failed(output, error).into());
    }
    Ok(())
}

/// Writes a file that did not exist, whole or not at all.
fn write_new(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file would be in the way of the next attempt.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn report(args: &InitArgs, answers: &Answers, token: &FirstToken) {
    let (file, kinds) = (args.output.display(), answers.kind.plural());
    let count = output::count(answers.servers.len(), "server", "servers");
    let servers = if answers.servers.is_empty() { "every server".to_owned() } else { count };
    if let Some(path) = &token.write_to {
        output::line(&format!("wrote {}: the token, readable only by you", path.display()));
    }
    output::line(&format!(
        "wrote {file}: {kinds} of {servers}, every day at {:02}:{:02} {}",
        answers.at.hour, answers.at.minute, answers.timezone
    ));
    for server in answers.servers.iter().filter(|one| policy_text::is_crowded(answers.slots, one.taken)) {
        output::note(&format!(
            "warning: other points take {} of the {} slots for {kinds} of {}: delete some of them, or runs fail or \
             replace nothing",
            server.taken,
            answers.slots,
            output::printable(&server.reference.name)
        ));
    }
    if answers.mail.is_none() {
        let missing = if args.mail_to.is_empty() { "" } else { ", because --smtp-host is missing" };
        output::note(&format!("warning: nobody receives failure reports{missing}: fill in [smtp] and [report.oncall]"));
    }
    let config = if args.output == Path::new("./policy.toml") { String::new() } else { format!(" --config {file}") };
    output::line(&format!("next: lastgood check --online{config}, then lastgood plan{config}"));
}
