//! Resolves host names with the system's resolver.
//!
//! The system's resolver blocks a thread, so each upstream has at most one lookup at a
//! time on each worker: however many requests wait for a slow name, other upstreams keep
//! their threads.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::lookup_host;
use tokio::sync::Mutex;

use super::error::{Error, ErrorKind, with_causes};

/// One lookup serves a burst of connections, and a change of address is soon seen.
const CACHE_TTL: Duration = Duration::from_secs(5);

/// Of one upstream, on one worker.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    cached: Mutex<Option<CachedLookup>>,
}

#[derive(Debug)]
struct CachedLookup {
    looked_up_at: Instant,
    addresses: Vec<SocketAddr>,
}

impl Resolver {
    /// At least one address.
    pub(super) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let mut cached = self.cached.lock().await;
        if let Some(lookup) = cached
            .as_ref()
            .filter(|lookup| lookup.looked_up_at.elapsed() < CACHE_TTL)
        {
            return Ok(lookup.addresses.clone());
        }
        let looked_up = lookup_host((host, port)).await;
        let addresses: Vec<SocketAddr> = looked_up
            .map_err(|error| Error::new(ErrorKind::Dns, with_causes(&error)))?
            .collect();
        if addresses.is_empty() {
            return Err(Error::new(ErrorKind::Dns, "host name has no address"));
        }
        *cached = Some(CachedLookup {
            looked_up_at: Instant::now(),
            addresses: addresses.clone(),
        });
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::Resolver;

    #[tokio::test]
    async fn ip_addresses_need_no_lookup() {
        for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
            let resolver = Resolver::default();
            let found = resolver.resolve(host, 80).await.unwrap();
            assert_eq!(found, [expected.parse().unwrap()]);
            assert!(resolver.cached.lock().await.is_none());
        }
    }

    #[tokio::test]
    async fn a_host_name_is_looked_up_once_for_a_burst() {
        let resolver = Resolver::default();
        let first = resolver.resolve("localhost", 80).await.unwrap();
        let at = resolver.cached.lock().await.as_ref().unwrap().looked_up_at;
        assert!(first.iter().all(|address| address.ip().is_loopback()));
        assert_eq!(resolver.resolve("localhost", 80).await.unwrap(), first);
        assert_eq!(
            resolver.cached.lock().await.as_ref().unwrap().looked_up_at,
            at
        );
    }
}
