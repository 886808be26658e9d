//! What one generation takes over from the one before, since nothing about it
//! has changed. What is not named here begins anew:
//!
//! | kept | while |
//! |---|---|
//! | upstreams, and with them each worker's connections | the provider is the same in all its settings |
//! | a provider's places for requests in flight | it has a limit on them, be it another one |
//! | health, loads, what is left of rate limits | provider, base URL, credential and upstream model are the same |
//! | what health checks say | provider and base URL are the same, and it is still asked |
//! | health checks that go on | the provider is the same in all its settings |
//! | what it lists itself | the provider is the same in all its settings |
//! | retry budgets | provider, base URL and `retry.budget` are the same |
//! | where objects live | always; how many are remembered is the new limit |
//! | bytes held, requests in flight | always; the limits are the new ones |
//! | what the status tells of a model | alias and provider are the same |
//! | counters and gauges | always: they belong to the process |

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Catalog, Slot, Spot};
use crate::config::{BaseUrl, Credential, Provider};
use crate::proxy::Snapshot;
use crate::routing::Heirs;
use crate::upstream::Upstream;

/// The generation before, to look things up in.
pub struct Before<'s> {
    snapshot: &'s Snapshot,
    upstreams: HashMap<&'s str, (usize, &'s Arc<Upstream>)>,
}

impl<'s> Before<'s> {
    pub fn new(snapshot: &'s Snapshot) -> Self {
        let upstreams = snapshot.upstreams.iter().enumerate();
        let named = upstreams.filter_map(|(id, upstream)| {
            let upstream = upstream.as_ref()?;
            Some((upstream.made_from().name.as_str(), (id, upstream)))
        });
        Self {
            snapshot,
            upstreams: named.collect(),
        }
    }

    /// The upstream of the provider of this name.
    pub fn upstream(&self, provider: &str) -> Option<&'s Arc<Upstream>> {
        self.upstreams.get(provider).map(|(_, upstream)| *upstream)
    }

    /// Which targets and providers have become which.
    pub fn heirs(&self, catalog: &Catalog, upstreams: &[Option<Arc<Upstream>>]) -> Heirs {
        let same: HashMap<usize, Same> = upstreams
            .iter()
            .enumerate()
            .filter_map(|(id, upstream)| Some((id, self.same(upstream.as_ref()?.made_from())?)))
            .collect();
        let slots = self.snapshot.catalog.slots();
        let then: HashMap<_, usize> = slots.map(|it| (known_by(&it), it.number)).collect();
        let slots = catalog.slots().filter_map(|now| {
            let same = same.get(&now.provider.id)?;
            let credential = (*same.credentials.get(now.credential)?)?;
            let then = then.get(&(same.provider, credential, now.spot))?;
            Some((now.number, *then))
        });
        Heirs {
            slots: slots.collect(),
            providers: same
                .iter()
                .map(|(now, same)| (*now, same.provider))
                .collect(),
        }
    }

    /// The ids of models now and before.
    pub fn models(&self, catalog: &Catalog) -> Vec<(usize, usize)> {
        let then: HashMap<_, usize> = models(&self.snapshot.catalog).collect();
        let now = models(catalog);
        now.filter_map(|(name, now)| Some((now, *then.get(&name)?)))
            .collect()
    }

    fn same(&self, now: &Provider) -> Option<Same> {
        let (id, upstream) = self.upstreams.get(now.name.as_str())?;
        let then = upstream.made_from();
        let (BaseUrl::Set { url: here, .. }, BaseUrl::Set { url: there, .. }) =
            (&now.base_url, &then.base_url)
        else {
            return None;
        };
        let credentials = now.usable().map(|now| {
            let mut before = then.usable();
            before.position(|then| opens_alike(now, then))
        });
        (here == there).then(|| Same {
            provider: *id,
            credentials: credentials.collect(),
        })
    }
}

/// A provider that is at the same place as before.
struct Same {
    /// Its number then.
    provider: usize,
    /// The numbers then of the credentials that it had already.
    credentials: Vec<Option<usize>>,
}

fn known_by<'c>(slot: &Slot<'c>) -> (usize, usize, Spot<'c>) {
    (slot.provider.id, slot.credential, slot.spot)
}

/// Wherever a key was read from, it is the key that the provider knows.
fn opens_alike(one: &Credential, other: &Credential) -> bool {
    match (one, other) {
        (Credential::Set { secret: one, .. }, Credential::Set { secret: other, .. }) => {
            one == other
        }
        (Credential::NotNeeded, Credential::NotNeeded) => true,
        _ => false,
    }
}

/// What is told of: aliases at their providers, and what has no alias.
fn models(catalog: &Catalog) -> impl Iterator<Item = ((Option<&str>, &str), usize)> {
    let aliases = catalog.models().into_iter();
    let aliases = aliases.map(|it| ((Some(&*it.label), &*it.provider.name), it.id));
    let providers = catalog.providers().into_iter();
    aliases.chain(providers.map(|it| ((None, &*it.name), it.any_model)))
}
