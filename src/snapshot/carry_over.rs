//! What a generation takes over from the previous one. Everything else starts fresh:
//!
//! | kept | condition |
//! |---|---|
//! | upstreams, and with them each worker's connections | the provider is the same in all its settings |
//! | permits for a provider's requests in flight | the provider limits them; the limit may differ |
//! | circuit breakers, loads, remaining rate limits | provider, base URL, credential and upstream model are the same |
//! | results of health checks | provider and base URL are the same, and health checks are still on |
//! | running health checks | the provider is the same in all its settings |
//! | the provider's own list of models | the provider is the same in all its settings |
//! | what models have refused of the gateway's additions | provider and base URL are the same |
//! | retry budgets | provider, base URL and `retry.budget` are the same |
//! | the object directory | always; its size is the new limit |
//! | counts of buffered bytes and requests in flight | always; the limits are the new ones |
//! | what clients have used of a limit | its name, `per` and `time_zone` are the same; of each amount, the period |
//! | the ledger, and each worker's totals for it | always; another path takes effect at a restart |
//! | status figures of a model | alias and provider are the same |
//! | counters and gauges | always: they belong to the process |

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Catalog, SlotKind, StateSlot};
use crate::config::{BaseUrl, Credential, ProviderConfig};
use crate::proxy::Snapshot;
use crate::routing::CarryOver;
use crate::upstream::Upstream;

/// Lookups in the previous generation.
pub struct Previous<'s> {
    snapshot: &'s Snapshot,
    upstreams: HashMap<&'s str, (usize, &'s Arc<Upstream>)>,
}

impl<'s> Previous<'s> {
    pub fn new(snapshot: &'s Snapshot) -> Self {
        let upstreams = snapshot.upstreams.iter().enumerate();
        let by_name = upstreams.filter_map(|(id, upstream)| {
            let upstream = upstream.as_ref()?;
            Some((upstream.provider().name.as_str(), (id, upstream)))
        });
        Self {
            snapshot,
            upstreams: by_name.collect(),
        }
    }

    pub fn upstream(&self, provider: &str) -> Option<&'s Arc<Upstream>> {
        self.upstreams.get(provider).map(|(_, upstream)| *upstream)
    }

    /// Maps targets and providers of this generation to those of the previous one.
    pub fn carry_over(&self, catalog: &Catalog, upstreams: &[Option<Arc<Upstream>>]) -> CarryOver {
        let same: HashMap<usize, SameProvider> = upstreams
            .iter()
            .enumerate()
            .filter_map(|(id, upstream)| {
                Some((id, self.same_provider(upstream.as_ref()?.provider())?))
            })
            .collect();
        let slots = self.snapshot.catalog.state_slots();
        let earlier: HashMap<_, usize> = slots.map(|it| (slot_key(&it), it.index)).collect();
        let slots = catalog.state_slots().filter_map(|now| {
            let same = same.get(&now.provider.id)?;
            let credential = (*same.credentials.get(now.credential)?)?;
            let earlier = earlier.get(&(same.provider, credential, now.kind))?;
            Some((now.index, *earlier))
        });
        CarryOver {
            states: slots.collect(),
            providers: same
                .iter()
                .map(|(now, same)| (*now, same.provider))
                .collect(),
        }
    }

    /// Pairs of model ids: now, and in the previous generation.
    pub fn models(&self, catalog: &Catalog) -> Vec<(usize, usize)> {
        let earlier: HashMap<_, usize> = models(&self.snapshot.catalog).collect();
        let now = models(catalog);
        now.filter_map(|(name, now)| Some((now, *earlier.get(&name)?)))
            .collect()
    }

    fn same_provider(&self, now: &ProviderConfig) -> Option<SameProvider> {
        let (id, upstream) = self.upstreams.get(now.name.as_str())?;
        let earlier = upstream.provider();
        let (
            BaseUrl::Set { url, .. },
            BaseUrl::Set {
                url: earlier_url, ..
            },
        ) = (&now.base_url, &earlier.base_url)
        else {
            return None;
        };
        let credentials = now.usable_credentials().map(|now| {
            let mut before = earlier.usable_credentials();
            before.position(|earlier| same_credential(now, earlier))
        });
        (url == earlier_url).then(|| SameProvider {
            provider: *id,
            credentials: credentials.collect(),
        })
    }
}

/// A provider whose base URL has not changed.
struct SameProvider {
    /// Its earlier id.
    provider: usize,
    /// The earlier index of each credential, if it had one.
    credentials: Vec<Option<usize>>,
}

fn slot_key<'c>(slot: &StateSlot<'c>) -> (usize, usize, SlotKind<'c>) {
    (slot.provider.id, slot.credential, slot.kind)
}

/// The same key may be read from another source.
fn same_credential(one: &Credential, other: &Credential) -> bool {
    match (one, other) {
        (Credential::Set { secret: one, .. }, Credential::Set { secret: other, .. }) => {
            one == other
        }
        (Credential::NotNeeded, Credential::NotNeeded) => true,
        _ => false,
    }
}

/// Rows of the status: aliases at their providers, and one row for each provider's
/// models without alias.
fn models(catalog: &Catalog) -> impl Iterator<Item = ((Option<&str>, &str), usize)> {
    let aliases = catalog.models().into_iter();
    let aliases = aliases.map(|it| ((Some(&*it.label), &*it.provider.name), it.id));
    let providers = catalog.providers().into_iter();
    aliases.chain(providers.map(|it| ((None, &*it.name), it.wildcard_model)))
}
