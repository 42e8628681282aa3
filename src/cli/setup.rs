//! What commands share: the policy file, the state, the client, the servers, and the selection of policies and servers.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio::sync::watch;

use crate::account::{self, AccountServers, list_servers, refresh_servers};
use crate::cli::error::{CommandError, of_server_list};
use crate::cli::log::takes_everything;
use crate::cli::output::{note, printable};
use crate::cli::world::open_world;
use crate::clock::Clock;
use crate::config::diagnostic::{Diagnostic, render};
use crate::config::secret::Secret;
use crate::config::{Config, Environment, LoadError, Loaded, ProviderSettings, find, load};
use crate::exit_code::ExitCode;
use crate::policy::inventory::Server;
use crate::policy::task::Task;
use crate::provider::{Client, ClientSettings};
use crate::run::{World, start_owed};
use crate::store::{Store, StoreError};

/// What the process was started with.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The variables.
    pub environment: Environment,
    /// The time.
    pub clock: Clock,
}

/// Which policies and servers a command applies to.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Selection {
    /// Only this policy
    #[arg(long, value_name = "P")]
    pub policy: Option<String>,
    /// Only this server (id, uuid, name or hostname)
    #[arg(long, value_name = "S")]
    pub server: Option<String>,
}

/// Everything that a command with access to the provider needs.
#[derive(Debug)]
pub(crate) struct CommandContext {
    /// The policy file.
    pub config: Arc<Config>,
    /// Provider, state and clock.
    pub world: World,
    /// Stops the runs.
    pub stop: watch::Sender<bool>,
    /// The account's servers.
    pub servers: Vec<Server>,
}

impl Setup {
    /// From the command line and the variables of this process.
    #[must_use]
    pub(crate) fn from_process(file: Option<PathBuf>) -> Self {
        Self { file, environment: Environment::of_process(), clock: Clock::System }
    }

    /// Finds, reads and validates the policy file.
    ///
    /// # Errors
    /// With exit code 3 if there is none or it is invalid.
    pub(crate) fn load(&self) -> anyhow::Result<Loaded> {
        let (_, loaded) = self.try_load()?;
        Ok(loaded.map_err(|error| CommandError::new(ExitCode::PolicyFile, error.to_string()))?)
    }

    /// Finds the policy file, and returns its path and the result of loading it.
    ///
    /// # Errors
    /// With exit code 3 if there is none.
    pub(crate) fn try_load(&self) -> anyhow::Result<(PathBuf, Result<Loaded, LoadError>)> {
        let bad = |error: LoadError| CommandError::new(ExitCode::PolicyFile, error.to_string());
        let found = find(self.file.as_deref()).map_err(bad)?;
        let loaded = load(&found, &self.environment, self.clock.now());
        Ok((found.path, loaded))
    }

    fn load_and_warn(&self) -> anyhow::Result<Config> {
        let loaded = self.load()?;
        if takes_everything() {
            loaded.warnings.iter().for_each(|one| log_warning(&loaded, one));
        } else if !loaded.warnings.is_empty() {
            note(render(&loaded.warnings, &loaded.source, &loaded.name, false).trim_end());
        }
        Ok(loaded.config)
    }

    /// A client of the provider that the policy file names.
    ///
    /// # Errors
    /// With exit code 3 if the file is invalid or there is no token.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let client = self.client_of(&self.load()?.config)?;
        print_provider_waits(&client);
        Ok(client)
    }

    /// A client of the provider that this file names.
    ///
    /// # Errors
    /// With exit code 3 if there is no token or the settings cannot be used.
    pub(crate) fn client_of(&self, config: &Config) -> anyhow::Result<Client> {
        let token = config.provider.token.read();
        let token = token.map_err(|error| CommandError::new(ExitCode::PolicyFile, error.to_string()))?;
        self.client_with(&config.provider, &token)
    }

    /// A client with these settings and this token.
    ///
    /// # Errors
    /// With exit code 3 if the settings cannot be used.
    pub(super) fn client_with(&self, provider: &ProviderSettings, token: &Secret) -> anyhow::Result<Client> {
        let settings = ClientSettings {
            url: provider.url.clone(),
            token: token.expose().to_owned().into(),
            timeout: provider.timeout,
            requests_per_second: provider.requests_per_second,
            poll: provider.poll,
            ca_file: provider.ca_file.clone(),
        };
        Ok(Client::new(settings, self.clock.clone())?)
    }

    /// Reads the policy file, prints its warnings, and builds a client for it; also for each reload.
    ///
    /// # Errors
    /// As `load` and `client_of`.
    pub(crate) fn read_file_and_client(&self) -> anyhow::Result<(Arc<Config>, Client)> {
        let config = self.load_and_warn()?;
        let client = self.client_of(&config)?;
        Ok((Arc::new(config), client))
    }

    /// Opens everything as the owner of the state, for the daemon; does not list the servers yet.
    ///
    /// # Errors
    /// When the file, the token or the state cannot be used.
    pub(crate) fn open_daemon(&self) -> anyhow::Result<CommandContext> {
        let (config, client) = self.read_file_and_client()?;
        let store = Store::own(&config.state_dir)?;
        let (world, stop) = open_world(&config, client, store, self.clock.clone());
        Ok(CommandContext { config, world, stop, servers: Vec::new() })
    }

    /// Opens everything as the owner of the state, with the account's servers, for `run`.
    ///
    /// # Errors
    /// As `open_daemon`; with exit code 4 if the account cannot be read and no list is stored.
    pub(crate) async fn open_owner(&self) -> anyhow::Result<CommandContext> {
        let mut context = self.open_daemon()?;
        print_provider_waits(&context.world.client);
        context.servers =
            match refresh_servers(&context.world.client, &context.world.store, &self.clock, &context.config).await {
                Ok(account) => servers_with_warning(account),
                Err(error) => {
                    start_owed(&context.world).await;
                    return Err(of_server_list(error));
                }
            };
        Ok(context)
    }

    /// Opens everything alongside a running daemon, with the account's servers. Changes no stored list.
    ///
    /// # Errors
    /// When the file, the token, the state or the account cannot be read.
    pub(crate) async fn open_beside(&self) -> anyhow::Result<CommandContext> {
        self.open_with(Store::beside_or_new).await
    }

    /// Opens everything for a command that only reads: if there is no state, it creates none.
    ///
    /// # Errors
    /// As `open_beside`.
    pub(crate) async fn open_read_only(&self) -> anyhow::Result<CommandContext> {
        self.open_with(Store::beside_or_empty).await
    }

    async fn open_with(&self, store: impl Fn(&Path) -> Result<Store, StoreError>) -> anyhow::Result<CommandContext> {
        let (config, client) = self.read_file_and_client()?;
        print_provider_waits(&client);
        let store = store(&config.state_dir)?;
        let (world, stop) = open_world(&config, client, store, self.clock.clone());
        let servers = servers_with_warning(list_servers(&world.client, &world.store).await.map_err(of_server_list)?);
        Ok(CommandContext { config, world, stop, servers })
    }

    /// The state, alongside a running daemon.
    ///
    /// # Errors
    /// When the file is invalid, or there is no state yet.
    pub(crate) fn state_beside(&self) -> anyhow::Result<Store> {
        Ok(Store::beside(&self.load()?.config.state_dir)?)
    }

    /// The state, alongside a running daemon, for reading: if there is none, it is empty and not created.
    ///
    /// # Errors
    /// When the file is invalid or the folder cannot be used.
    pub(crate) fn state_read_only(&self) -> anyhow::Result<Store> {
        Ok(Store::beside_or_empty(&self.load()?.config.state_dir)?)
    }

    /// The state, alongside a running daemon, created if it is missing.
    ///
    /// # Errors
    /// When the file is invalid or the folder cannot be used.
    pub(crate) fn state_beside_or_new(&self) -> anyhow::Result<Store> {
        Ok(Store::beside_or_new(&self.load()?.config.state_dir)?)
    }

    /// The stored server that a text names.
    ///
    /// # Errors
    /// With exit code 2, when none is called so.
    pub(crate) async fn stored_server(&self, store: &Store, text: &str) -> anyhow::Result<Server> {
        let servers: Vec<Server> = store.servers().await?.into_iter().map(|known| known.server).collect();
        Ok(one_server(&servers, text)?.clone())
    }
}

impl CommandContext {
    /// Switches from a state opened for reading to the state on disk, created if it is missing.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub(crate) fn create_state(&mut self) -> anyhow::Result<()> {
        self.world.store = Store::beside_or_new(&self.config.state_dir)?;
        Ok(())
    }

    /// The server that a text names.
    ///
    /// # Errors
    /// With exit code 2, when none is called so.
    pub(crate) fn server(&self, text: &str) -> anyhow::Result<&Server> {
        one_server(&self.servers, text)
    }

    /// The selected policies on the selected servers.
    ///
    /// # Errors
    /// With exit code 2 if there is no such policy or server, or the policy does not apply to the server.
    pub(crate) fn tasks(&self, selection: &Selection) -> anyhow::Result<Vec<Task>> {
        let mut tasks = account::tasks(&self.config, &self.servers);
        if let Some(text) = &selection.server {
            let id = self.server(text)?.reference.id.clone();
            tasks.retain(|task| task.server.reference.id == id);
        }
        if let Some(name) = &selection.policy {
            let names: BTreeSet<&str> = self.config.policy_names().into_iter().map(|name| name.as_str()).collect();
            if !names.contains(name.as_str()) {
                let names = names.into_iter().collect::<Vec<_>>().join(", ");
                let name = printable(name);
                return Err(CommandError::usage(format!(
                    "there is no policy {name} in the file; its policies are: {names}"
                ))
                .into());
            }
            tasks.retain(|task| task.policy.name.as_str() == name);
        }
        if tasks.is_empty() {
            let unmatched: Vec<String> = self.config.unmatched(&self.servers).iter().map(ToString::to_string).collect();
            let unmatched = if unmatched.is_empty() { String::new() } else { format!(" ({})", unmatched.join("; ")) };
            let text = format!(
                "no policy applies to any of these servers{}: `lastgood check --online` shows which policies match",
                printable(&unmatched)
            );
            return Err(CommandError::usage(text).into());
        }
        Ok(tasks)
    }
}

/// Logs a warning about the policy file.
fn log_warning(file: &Loaded, warning: &Diagnostic) {
    let (line, help) = (warning.located(&file.source).line, warning.help.as_deref().unwrap_or_default());
    tracing::warn!(file = file.name, line, key = warning.key, "{}: {help}", warning.message);
}

/// Prints a note when the provider asks for a pause.
pub(crate) fn print_provider_waits(client: &Client) {
    client.on_wait(|text| note(&format!("lastgood: {text}")));
}

/// The servers, with a warning if the list is doubtful.
fn servers_with_warning(account: AccountServers) -> Vec<Server> {
    if let Some(doubt) = &account.doubt {
        let doubt = printable(doubt);
        note(&format!(
            "warning: the list of the account's servers is doubtful, so servers missing from it \
             still count as there: {doubt}"
        ));
    }
    account.servers
}

fn one_server<'a>(servers: &'a [Server], text: &str) -> anyhow::Result<&'a Server> {
    servers.iter().find(|server| server.keys.iter().any(|key| key == text)).ok_or_else(|| {
        let text = printable(text);
        CommandError::usage(format!("there is no server {text}: `lastgood list servers` shows them")).into()
    })
}

/// Asks a question on standard error and reads the answer, one line.
///
/// # Errors
/// When standard input cannot be read.
pub(crate) fn ask(question: &str) -> anyhow::Result<String> {
    let mut prompt = std::io::stderr();
    write!(prompt, "{question}")?;
    prompt.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}
