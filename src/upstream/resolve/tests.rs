use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::advance;

use super::{AddressList, Resolver};

/// What a test lets the system's resolver find.
#[derive(Debug, Clone)]
pub struct Script {
    found: Result<Vec<SocketAddr>, io::ErrorKind>,
    lookups: usize,
}

impl Resolver {
    pub fn let_find(&self, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        self.let_return(Ok(addresses.collect()));
    }

    pub fn let_fail(&self) {
        self.let_return(Err(io::ErrorKind::TimedOut));
    }

    fn let_return(&self, found: Result<Vec<SocketAddr>, io::ErrorKind>) {
        let lookups = self.lookups();
        *self.script.lock().unwrap() = Some(Script { found, lookups });
    }

    pub fn lookups(&self) -> usize {
        let script = self.script.lock().unwrap();
        script.as_ref().map_or(0, |script| script.lookups)
    }

    pub(super) fn scripted(&self) -> Option<io::Result<Vec<SocketAddr>>> {
        let mut script = self.script.lock().unwrap();
        let script = script.as_mut()?;
        script.lookups += 1;
        Some(script.found.clone().map_err(io::Error::from))
    }
}

fn named(addresses: &[&str]) -> Resolver {
    let resolver = Resolver::new("model.test", 80);
    resolver.let_find(addresses);
    resolver
}

fn texts(resolved: &AddressList) -> Vec<String> {
    resolved.addresses.iter().map(ToString::to_string).collect()
}

async fn resolve(resolver: &Resolver) -> Vec<String> {
    texts(&resolver.resolve().await.unwrap())
}

#[tokio::test]
async fn ip_addresses_need_no_lookup() {
    for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
        let resolver = Resolver::new(host, 80);
        resolver.let_fail();
        assert_eq!(resolve(&resolver).await, [expected]);
        assert!(!resolver.is_watch_due());
        assert_eq!(resolver.lookups(), 0);
    }
}

#[tokio::test]
async fn a_host_name_is_looked_up_once_for_a_burst() {
    let resolver = Resolver::new("localhost", 80);
    let first = resolver.resolve().await.unwrap().addresses;
    assert!(first.iter().all(|address| address.ip().is_loopback()));
    let at = resolver.known().looked_up_at.unwrap();
    let mut second = resolver.resolve().await.unwrap().addresses;
    second.sort_unstable();
    assert!(first.iter().all(|address| second.contains(address)));
    assert_eq!(resolver.known().looked_up_at.unwrap(), at);
}

#[tokio::test]
async fn many_connections_at_once_wait_for_one_lookup() {
    let resolver = named(&["10.0.0.1:80"]);
    let (one, other, third) =
        tokio::join!(resolve(&resolver), resolve(&resolver), resolve(&resolver));
    assert_eq!((&one, &other), (&other, &third));
    assert_eq!(resolver.lookups(), 1);
}

#[tokio::test]
async fn the_addresses_of_a_name_take_turns() {
    let resolver = named(&["10.0.0.3:80", "10.0.0.1:80", "10.0.0.2:80"]);
    let mut firsts = Vec::new();
    for _ in 0..6 {
        let order = resolve(&resolver).await;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
        firsts.push(order[0].clone());
    }
    assert_eq!(firsts[..3], firsts[3..]);
    firsts.sort_unstable();
    firsts.dedup();
    assert_eq!(firsts.len(), 3);
}

#[tokio::test]
async fn the_systems_preferred_family_stays_first() {
    for (names, is_first) in [
        (["[::1]:80", "127.0.0.1:80", "[::2]:80"], "[::"),
        (["127.0.0.1:80", "[::1]:80", "127.0.0.2:80"], "127"),
    ] {
        let resolver = named(&names);
        let mut firsts = Vec::new();
        for _ in 0..4 {
            let order = resolve(&resolver).await;
            assert!(order[0].starts_with(is_first) && order[1].starts_with(is_first));
            firsts.push(order[0].clone());
        }
        assert_ne!(firsts[0], firsts[1]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_was_tried_in_vain_comes_last_for_a_while() {
    let names = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];
    let resolver = named(&names);
    let tried = AddressList {
        addresses: names.iter().map(|text| text.parse().unwrap()).collect(),
        generation: 0,
    };
    resolver.resolve().await.unwrap();
    resolver.record_connected(&tried, tried.addresses[1]);
    for _ in 0..6 {
        assert_eq!(resolve(&resolver).await[2], "10.0.0.1:80");
    }
    advance(Duration::from_secs(31)).await;
    let mut firsts = Vec::new();
    for _ in 0..3 {
        firsts.push(resolve(&resolver).await[0].clone());
    }
    assert!(firsts.contains(&"10.0.0.1:80".to_owned()), "{firsts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_faster_address_of_the_other_family_says_nothing_of_the_first() {
    let resolver = named(&["[::1]:80", "[::2]:80", "127.0.0.1:80"]);
    let tried = resolver.resolve().await.unwrap();
    resolver.record_connected(&tried, tried.addresses[2]);
    assert!(resolver.known().avoided.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_generation_changes_when_an_address_is_lost() {
    let resolver = named(&["10.0.0.1:80"]);
    for (names, expected) in [
        (&["10.0.0.1:80"][..], 0),
        (&["10.0.0.2:80", "10.0.0.1:80"], 0),
        (&["10.0.0.1:80", "10.0.0.2:80"], 0),
        (&["10.0.0.2:80"], 1),
        (&["10.0.0.3:80"], 2),
    ] {
        resolver.let_find(names);
        resolver.resolve().await.unwrap();
        assert_eq!(resolver.generation(), expected, "{names:?}");
        assert!(resolver.has(names[0].parse().unwrap()));
        advance(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_that_come_and_go_are_not_lost_until_they_stay_away() {
    let resolver = named(&["10.0.0.1:80"]);
    let found = |names: &'static str| {
        resolver.let_find(&[names]);
        let resolver = &resolver;
        async move {
            advance(Duration::from_secs(5)).await;
            resolver.resolve().await.unwrap();
            resolver.generation()
        }
    };
    assert_eq!(found("10.0.0.1:80").await, 0);
    assert_eq!(found("10.0.0.2:80").await, 1);
    // Large providers: each lookup finds a few of many addresses.
    for _ in 0..20 {
        assert_eq!(found("10.0.0.1:80").await, 1);
        assert_eq!(found("10.0.0.2:80").await, 1);
    }
    advance(Duration::from_secs(600)).await;
    assert_eq!(found("10.0.0.2:80").await, 1);
    assert_eq!(found("10.0.0.1:80").await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_name_is_watched_every_ten_seconds_and_failures_change_nothing() {
    let resolver = named(&["10.0.0.1:80"]);
    resolver.resolve().await.unwrap();
    resolver.watch().await;
    assert_eq!(resolver.lookups(), 1);
    resolver.let_fail();
    advance(Duration::from_secs(10)).await;
    for _ in 0..3 {
        resolver.watch().await;
    }
    assert_eq!(resolver.lookups(), 2);
    assert!(resolver.is_failing() && resolver.has("10.0.0.1:80".parse().unwrap()));
    assert_eq!(resolver.generation(), 0);
    resolver.let_find(&[]);
    advance(Duration::from_secs(10)).await;
    resolver.watch().await;
    assert!(resolver.is_failing() && resolver.has("10.0.0.1:80".parse().unwrap()));
    resolver.let_find(&["10.0.0.2:80"]);
    advance(Duration::from_secs(10)).await;
    resolver.watch().await;
    assert!(!resolver.is_failing() && resolver.generation() == 1);
}
