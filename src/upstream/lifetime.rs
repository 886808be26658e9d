//! How long a connection takes requests.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::resolve::{AddressList, Resolver};

/// Of one connection to an upstream.
#[derive(Debug)]
pub(super) struct Lifetime {
    /// The address it leads to.
    address: SocketAddr,
    /// The resolver's, when the name was last known to have this address.
    generation: Cell<u64>,
    until: Option<Instant>,
}

impl Lifetime {
    /// Of a new connection to one of these addresses. The maximum age varies by a fifth,
    /// so that connections made together do not all end together.
    pub(super) fn new(
        resolved: &AddressList,
        address: SocketAddr,
        max_age: Option<Duration>,
    ) -> Self {
        let share = 1.0 - 0.2 * fastrand::f64();
        Self {
            address,
            generation: Cell::new(resolved.generation),
            until: max_age.map(|age| Instant::now() + age.mul_f64(share)),
        }
    }

    /// Whether the connection takes no more requests: it is too old, or the name no longer
    /// has its address. While the name cannot be looked up, a new connection would fail,
    /// so an old one stays.
    pub(super) fn has_ended(&self, now: Instant, resolver: &Resolver) -> bool {
        let is_old = self.until.is_some_and(|until| until <= now);
        is_old && !resolver.is_failing() || self.has_lost_address(resolver)
    }

    fn has_lost_address(&self, resolver: &Resolver) -> bool {
        let generation = resolver.generation();
        if self.generation.get() == generation {
            return false;
        }
        let is_known = resolver.has(self.address);
        if is_known {
            self.generation.set(generation);
        }
        !is_known
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Lifetime;
    use crate::upstream::resolve::Resolver;

    const MAX_AGE: Duration = Duration::from_secs(300);

    #[tokio::test(start_paused = true)]
    async fn lifetimes_that_begin_together_end_apart() {
        let name = Resolver::new("127.0.0.1", 80);
        let found = name.resolve().await.unwrap();
        let address = found.addresses[0];
        let now = Instant::now();
        let mut tenths = [0; 11];
        for _ in 0..1000 {
            let lifetime = Lifetime::new(&found, address, Some(MAX_AGE));
            assert!(!lifetime.has_ended(now + MAX_AGE.mul_f64(0.79), &name));
            assert!(lifetime.has_ended(now + MAX_AGE, &name));
            let ended = |tenth: &u32| {
                let share = 0.8 + 0.02 * f64::from(*tenth);
                lifetime.has_ended(now + MAX_AGE.mul_f64(share), &name)
            };
            tenths[(0..10).find(ended).unwrap_or(10) as usize] += 1;
        }
        assert!(tenths[1..].iter().all(|count| *count > 40), "{tenths:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_maximum_age_only_the_address_counts() {
        let name = Resolver::new("127.0.0.1", 80);
        let found = name.resolve().await.unwrap();
        let lifetime = Lifetime::new(&found, found.addresses[0], None);
        let year = Duration::from_secs(31_536_000);
        assert!(!lifetime.has_ended(Instant::now() + year, &name));
    }
}
