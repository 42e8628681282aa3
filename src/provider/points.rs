//! Lists of restore points: one server's inventory, the whole account's list, and the provider's own records.
//!
//! Filters are sent but not trusted: each point's server and type are checked here.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::Timestamp;

use crate::policy::inventory::{Inventory, Kind, ReadProof, RestorePoint, Server};
use crate::policy::looks::AccountSize;
use crate::policy::retention::Candidate;
use crate::provider::api_object::ApiObject;
use crate::provider::client::{ApiCall, Client};
use crate::provider::convert::{self, Belongs, ListedPoint};
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::fields::Fields;
use crate::provider::listing::{EntryReader, Listing};
use crate::provider::lists::{Order, POINTS_BYTES};
use crate::provider::reading::MOST_DOUBTS;
use crate::provider::text::Masks;

/// The most restore points of a kind on one server: many times what any plan allows, including automatic ones.
const MOST_OF_SERVER: usize = 2_000;

/// The most memory, in bytes, for one server's list.
const SERVER_BYTES: usize = 8 * 1024 * 1024;

/// How often a list of several pages is read at most until two readings agree.
const READINGS: usize = 3;

/// A backup's type, as a filter. Snapshots are all manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupTypeFilter {
    /// Created by people or by us.
    Manual,
    /// Created by the provider's plan.
    Automatic,
}

impl BackupTypeFilter {
    const fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
        }
    }
}

impl Client {
    /// All restore points of a kind on a server; only the manual ones for backups, unless the provider ignores the
    /// filter. A list of several pages is read until two readings agree.
    ///
    /// # Errors
    /// Any `ProviderError`; an incomplete list is an error, never a short inventory.
    pub async fn inventory(&self, server: &Server, kind: Kind) -> Result<Inventory, ProviderError> {
        let call = self.points_call(kind, Some(server), Some(BackupTypeFilter::Manual))?;
        self.within_limit(&call, self.inventory_read_alike(server, kind)).await
    }

    async fn inventory_read_alike(&self, server: &Server, kind: Kind) -> Result<Inventory, ProviderError> {
        let mut last = self.read_once(server, kind).await?;
        for _ in 1..READINGS {
            if last.proof == ReadProof::OnePage {
                break;
            }
            let mut again = self.read_once(server, kind).await?;
            let alike = again.points == last.points && again.proof == ReadProof::ReadOnce;
            if alike {
                again.proof = ReadProof::ReadTwice;
                return Ok(again);
            }
            last = again;
        }
        Ok(last)
    }

    /// A server's list, read once: enough to see whether a point is there. Good enough to delete by only if it came in
    /// one page.
    ///
    /// # Errors
    /// As `inventory`.
    pub async fn read_once(&self, server: &Server, kind: Kind) -> Result<Inventory, ProviderError> {
        let call = self.points_call(kind, Some(server), Some(BackupTypeFilter::Manual))?;
        // If the provider ignores the filter, other servers' points must not fill the memory.
        let convert = |entry: &ApiObject, _, masks: &Masks| {
            let listed = convert::point(kind, entry, masks)?;
            Ok(Some(listed).filter(|listed| listed.named.belongs_to(server) != Belongs::No))
        };
        let reader = EntryReader { convert: &convert, fields: false, bytes: SERVER_BYTES };
        let Listing { items, doubts, read_at, provider_time, pages, .. } =
            self.list(&call, Order::InTurn, &reader).await?;
        if items.len() > MOST_OF_SERVER {
            let text =
                format!("{} {} on one server, and no more than {MOST_OF_SERVER} are read", items.len(), kind.plural());
            return Err(call.failed(ErrorKind::Excess(text)));
        }
        let proof = if pages == 1 { ReadProof::OnePage } else { ReadProof::ReadOnce };
        let head = ListingHead { kind, read_at, provider_time, proof };
        Ok(head.inventory(server, items.iter(), doubts))
    }

    /// Every restore point of a kind on the account (only manual ones for backups). Pages are read in parallel. Enough
    /// to see which points are there, but never to delete by.
    ///
    /// # Errors
    /// As `inventory`.
    pub async fn all_points(&self, kind: Kind) -> Result<AccountPoints, ProviderError> {
        let call = self.points_call(kind, None, Some(BackupTypeFilter::Manual))?;
        let convert = |entry: &ApiObject, _, masks: &Masks| convert::point(kind, entry, masks).map(Some);
        let reader = EntryReader { convert: &convert, fields: false, bytes: POINTS_BYTES };
        Ok(AccountPoints::new(kind, self.list(&call, Order::Together, &reader).await?))
    }

    /// A look at the same list, which had so many pages the last time: read once, even if it changes meanwhile.
    ///
    /// # Errors
    /// As `inventory`.
    pub(crate) async fn look_at_account(&self, kind: Kind, pages: u64) -> Result<AccountLook, ProviderError> {
        let call = self.points_call(kind, None, Some(BackupTypeFilter::Manual))?;
        let convert = |entry: &ApiObject, _, masks: &Masks| convert::point(kind, entry, masks).map(Some);
        let reader = EntryReader { convert: &convert, fields: false, bytes: POINTS_BYTES };
        let (listing, is_steady) = self.glance(&call, pages, &reader).await?;
        let size = AccountSize { pages: listing.pages, entries: listing.entries };
        Ok(AccountLook { points: AccountPoints::new(kind, listing), size, is_steady })
    }

    /// How many entries the account's list of a kind has, from one small request.
    pub(crate) async fn count_points(&self, kind: Kind) -> Result<Option<u64>, ProviderError> {
        self.count(self.points_call(kind, None, Some(BackupTypeFilter::Manual))?).await
    }

    /// The restore points of the account or of one server, of one type or both, each with the provider's own fields, in
    /// the provider's order.
    ///
    /// # Errors
    /// As `inventory`.
    pub async fn records(
        &self,
        kind: Kind,
        server: Option<&Server>,
        backup_type: Option<BackupTypeFilter>,
    ) -> Result<Listing<(RestorePoint, Fields)>, ProviderError> {
        let call = self.points_call(kind, server, backup_type)?;
        let convert = |entry: &ApiObject, fields, masks: &Masks| {
            let ListedPoint { point, named } = convert::point(kind, entry, masks)?;
            let is_wanted = backup_type.is_none_or(|wanted| point.automatic == (wanted == BackupTypeFilter::Automatic))
                && server.is_none_or(|server| named.belongs_to(server) != Belongs::No);
            Ok(is_wanted.then(|| (point, Fields::new(fields, masks))))
        };
        self.list(&call, Order::Together, &EntryReader { convert: &convert, fields: true, bytes: POINTS_BYTES }).await
    }

    fn points_call(
        &self,
        kind: Kind,
        server: Option<&Server>,
        backup_type: Option<BackupTypeFilter>,
    ) -> Result<ApiCall, ProviderError> {
        let of = server.map_or_else(|| "the account".to_owned(), |server| server.reference.to_string());
        let mut call = self.read(&[kind.plural()], format!("listing the {} of {of}", kind.plural()))?;
        if let Some(server) = server {
            call = call.with_query("server_id", &server.reference.id.to_string());
        }
        if let (Kind::Backup, Some(backup_type)) = (kind, backup_type) {
            call = call.with_query("backup_type", backup_type.word());
        }
        Ok(call)
    }
}

/// A look at the list of the account.
#[derive(Debug)]
pub(crate) struct AccountLook {
    pub(crate) points: AccountPoints,
    pub(crate) size: AccountSize,
    /// Whether the list was complete and did not change while it was read.
    pub(crate) is_steady: bool,
}

/// The complete list of all restore points of a kind on the account.
#[derive(Clone, Debug)]
pub struct AccountPoints {
    head: ListingHead,
    entries: u64,
    points: Vec<ListedPoint>,
    doubts: Vec<String>,
    /// Indices into `points`, by every text that names the server.
    by_server: HashMap<String, Vec<usize>>,
}

impl AccountPoints {
    fn new(kind: Kind, listing: Listing<ListedPoint>) -> Self {
        let Listing { items: points, doubts, read_at, provider_time, entries, .. } = listing;
        let mut by_server: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, listed) in points.iter().enumerate() {
            for text in listed.named.texts() {
                by_server.entry(text).or_default().push(index);
            }
        }
        let head = ListingHead { kind, read_at, provider_time, proof: ReadProof::ReadOnce };
        Self { head, entries, points, doubts, by_server }
    }

    /// How many entries the list had.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// What could not be verified or read.
    #[must_use]
    pub fn doubts(&self) -> &[String] {
        &self.doubts
    }

    /// Every point, in the provider's order.
    #[cfg(test)]
    pub fn points(&self) -> impl Iterator<Item = &RestorePoint> {
        self.points.iter().map(|listed| &listed.point)
    }

    /// The points of one server. Read once, so never to delete by.
    #[must_use]
    pub fn inventory_of(&self, server: &Server) -> Inventory {
        let id = server.reference.id.to_string();
        let texts = server.keys.iter().chain(std::iter::once(&id));
        let mut indices: Vec<usize> = texts.filter_map(|text| self.by_server.get(text)).flatten().copied().collect();
        indices.sort_unstable();
        indices.dedup();
        let mut doubts = self.doubts.clone();
        if indices.len() > MOST_OF_SERVER {
            doubts.push(format!("{} {} on one server cannot be", indices.len(), self.head.kind.plural()));
            indices.truncate(MOST_OF_SERVER);
        }
        let listed = indices.into_iter().map(|index| &self.points[index]);
        self.head.inventory(server, listed, doubts)
    }
}

/// What all inventories of one reading have in common.
#[derive(Clone, Copy, Debug)]
struct ListingHead {
    kind: Kind,
    read_at: Timestamp,
    provider_time: Option<Timestamp>,
    proof: ReadProof,
}

impl ListingHead {
    /// The points that belong to this server, newest first, under our name for the server.
    fn inventory<'a>(
        &self,
        server: &Server,
        listed: impl Iterator<Item = &'a ListedPoint>,
        mut doubts: Vec<String>,
    ) -> Inventory {
        let (mut points, mut by_name) = (Vec::new(), 0);
        for ListedPoint { point, named } in listed {
            match named.belongs_to(server) {
                Belongs::No => continue,
                Belongs::Yes => {}
                Belongs::ByNameAlone => {
                    by_name += 1;
                    if by_name <= MOST_DOUBTS {
                        let (kind, id, of) = (point.kind, &point.id, &server.reference);
                        doubts.push(format!("{kind} {id} belongs to {of} by name alone"));
                    }
                }
            }
            points.push(RestorePoint { server: server.reference.clone(), ..point.clone() });
        }
        points.sort_by_cached_key(|point| Reverse(Candidate::of(point)));
        let Self { kind, read_at, provider_time, proof } = *self;
        Inventory { server: server.reference.clone(), kind, points, read_at, provider_time, proof, doubts }
    }
}
