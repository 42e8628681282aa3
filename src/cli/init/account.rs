//! What the account has: its servers, and the points on them that will not be the policy's.

use std::collections::BTreeSet;

use crate::cli::init::answers::ChosenServer;
use crate::cli::init::policy_text::POLICY;
use crate::cli::output;
use crate::policy::inventory::{Kind, Server};
use crate::policy::memory::Memory;
use crate::policy::owner::{Owner, owner};
use crate::policy::selector::Selector;
use crate::provider::{Client, ProviderError};

/// The instance of a first policy file.
const INSTANCE: &str = "main";
/// How many servers are shown before the rest is only counted.
const SHOWN: usize = 20;

/// The account as the provider shows it.
pub(super) struct AccountSurvey {
    pub(super) email: String,
    pub(super) servers: Vec<Server>,
    warnings: Vec<String>,
}

impl AccountSurvey {
    /// Asks whose token it is, and for the servers.
    ///
    /// # Errors
    /// When the provider cannot be reached or refuses the token.
    pub(super) async fn read(client: &Client) -> Result<Self, ProviderError> {
        let token = client.token_info().await?;
        let listing = client.servers().await?;
        let mut warnings: Vec<String> =
            listing.doubts.iter().map(|doubt| format!("the list of servers is in doubt: {doubt}")).collect();
        if !token.may("servers", "write") {
            let permissions = token.permissions.join(", ");
            warnings
                .push(format!("the token may not write (its permissions: {permissions}): create one with servers:*"));
        }
        let mut ids = BTreeSet::new();
        let (servers, odd): (Vec<Server>, Vec<Server>) =
            listing.items.into_iter().partition(|server| can_be_named(server, &mut ids));
        let left_out =
            |server: &Server| format!("{} has an id that selects other servers too: left out", server.reference);
        warnings.extend(odd.iter().map(left_out));
        Ok(Self { email: token.email, servers, warnings })
    }

    /// Prints what is there, and what is wrong with it.
    pub(super) fn show(&self, with_servers: bool) {
        for warning in &self.warnings {
            output::note(&format!("warning: {}", output::printable(warning)));
        }
        if !with_servers {
            return;
        }
        let count = output::count(self.servers.len(), "server", "servers");
        output::note(&format!("account {}: {count}", output::printable(&self.email)));
        for server in self.servers.iter().take(SHOWN) {
            let (id, name) = (server.reference.id.to_string(), output::printable(&server.reference.name));
            output::note(&format!("    {name} ({})", output::printable(&id)));
        }
        if self.servers.len() > SHOWN {
            output::note(&format!("    and {} more", self.servers.len() - SHOWN));
        }
    }

    /// Every server.
    pub(super) fn all(&self) -> Vec<ChosenServer> {
        self.servers.iter().map(chosen).collect()
    }

    /// The servers that these texts name, in the account's order.
    pub(super) fn choose(&self, texts: &[String]) -> Result<Vec<ChosenServer>, String> {
        let selectors: Vec<Selector> = texts.iter().map(|text| Selector::new(text.trim())).collect();
        if let Some(unknown) = selectors.iter().find(|one| !self.servers.iter().any(|server| one.matches(server))) {
            let known: Vec<String> =
                self.servers.iter().take(SHOWN).map(|server| output::printable(&server.reference.name)).collect();
            let known = if known.is_empty() { "the account has none".to_owned() } else { known.join(", ") };
            return Err(format!("there is no server {}: {known}", output::printable(&unknown.to_string())));
        }
        let is_chosen = |server: &&Server| selectors.iter().any(|one| one.matches(server));
        Ok(self.servers.iter().filter(is_chosen).map(chosen).collect())
    }

    /// The servers, each with the slots that points of others take.
    ///
    /// # Errors
    /// When the points cannot be listed.
    pub(super) async fn with_taken_slots(
        &self,
        client: &Client,
        kind: Kind,
        mut servers: Vec<ChosenServer>,
    ) -> Result<Vec<ChosenServer>, ProviderError> {
        if servers.is_empty() {
            return Ok(servers);
        }
        let points = client.all_points(kind).await?;
        for doubt in points.doubts() {
            output::note(&format!("warning: the list of {} is in doubt: {}", kind.plural(), output::printable(doubt)));
        }
        // With no memory of its own, a new lastgood takes the points that carry its mark for its own.
        let memory = Memory::default();
        for chosen in &mut servers {
            let Some(server) = self.servers.iter().find(|server| server.reference == chosen.reference) else {
                continue;
            };
            let inventory = points.inventory_of(server);
            let others = inventory.manual().filter(|point| match owner(point, INSTANCE, &memory) {
                Owner::Ours(policy) => policy.as_str() != POLICY,
                _ => true,
            });
            chosen.taken = u32::try_from(others.count()).unwrap_or(u32::MAX);
        }
        Ok(servers)
    }
}

fn chosen(server: &Server) -> ChosenServer {
    ChosenServer { reference: server.reference.clone(), taken: 0 }
}

/// Whether the file can name the server by its id, and means no other by it.
fn can_be_named(server: &Server, ids: &mut BTreeSet<String>) -> bool {
    let id = server.reference.id.to_string();
    !id.trim().is_empty() && matches!(Selector::new(&id), Selector::Exact(_)) && ids.insert(id)
}
