//! From a host name to addresses, by the system's resolver.
//!
//! The system's resolver blocks a thread for as long as it takes, so one
//! upstream never has more than one look-up under way on a worker: however
//! many requests wait for a slow name, other upstreams keep their threads.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::lookup_host;
use tokio::sync::Mutex;

use super::error::{Error, ErrorKind, chain};

/// How long an answer is good for: a burst of connections takes one look-up,
/// and a change of address is seen soon enough.
const FRESH: Duration = Duration::from_secs(5);

/// The addresses of one upstream, for one worker.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    latest: Mutex<Option<Found>>,
}

#[derive(Debug)]
struct Found {
    at: Instant,
    addresses: Vec<SocketAddr>,
}

impl Resolver {
    /// The addresses of `host`, at least one.
    pub(super) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let mut latest = self.latest.lock().await;
        if let Some(found) = latest.as_ref().filter(|found| found.at.elapsed() < FRESH) {
            return Ok(found.addresses.clone());
        }
        let looked_up = lookup_host((host, port)).await;
        let addresses: Vec<SocketAddr> = looked_up
            .map_err(|error| Error::new(ErrorKind::Dns, chain(&error)))?
            .collect();
        if addresses.is_empty() {
            return Err(Error::new(ErrorKind::Dns, "the name has no address"));
        }
        *latest = Some(Found {
            at: Instant::now(),
            addresses: addresses.clone(),
        });
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::Resolver;

    #[tokio::test]
    async fn addresses_need_no_look_up() {
        for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
            let resolver = Resolver::default();
            let found = resolver.resolve(host, 80).await.unwrap();
            assert_eq!(found, [expected.parse().unwrap()]);
            assert!(resolver.latest.lock().await.is_none());
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_for_many() {
        let resolver = Resolver::default();
        let first = resolver.resolve("localhost", 80).await.unwrap();
        let at = resolver.latest.lock().await.as_ref().unwrap().at;
        assert!(first.iter().all(|address| address.ip().is_loopback()));
        assert_eq!(resolver.resolve("localhost", 80).await.unwrap(), first);
        assert_eq!(resolver.latest.lock().await.as_ref().unwrap().at, at);
    }
}
