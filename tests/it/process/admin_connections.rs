//! The admin listener has room for probes, whatever else is connected to it.

use std::sync::Arc;

use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::Upstream;
use crate::support::wait::Semaphore;

const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// More than the admin listener keeps open.
const MANY: usize = 100;

#[track_caller]
fn assert_probes_served(gateway: &Gateway) {
    for path in PROBES {
        assert_eq!(gateway.get_admin(path).status, 200, "{path}");
    }
}

#[test]
fn s5_silent_and_idle_connections_keep_no_probe_out() {
    let gateway = Setup::new().start();
    for sent in ["", "GET /livez HTTP/1.1\r\n"] {
        let mut crowd: Vec<Client> = (0..MANY).map(|_| Client::connect(gateway.admin)).collect();
        for client in &mut crowd {
            // Some are closed already.
            let _ = client.try_send(sent.as_bytes());
        }
        assert_probes_served(&gateway);
        drop(crowd);
    }
    let mut idle = Vec::new();
    for _ in 0..MANY {
        let mut client = Client::connect(gateway.admin);
        client.send(&Request::get("/livez").bytes());
        assert_eq!(client.response().status, 200);
        idle.push(client);
    }
    assert_probes_served(&gateway);
    gateway.await_log("WARN", &["admin connection limit reached"], 1);
    let output = gateway.finish();
    assert_eq!(output.matches("admin connection limit reached").count(), 1);
}

#[test]
fn s5_the_one_in_use_longest_ago_is_closed_first() {
    let gateway = Setup::new().start();
    let mut scraper = Client::connect(gateway.admin);
    let mut scrape = || {
        scraper.send(&Request::get("/metrics").bytes());
        assert_eq!(scraper.response().status, 200);
    };
    scrape();
    let mut crowd = Vec::new();
    for _ in 0..10 {
        crowd.extend((0..MANY / 10).map(|_| Client::connect(gateway.admin)));
        scrape();
    }
    crowd[0].assert_closed();
    scrape();
}

#[test]
fn descriptors_for_probes_remain_when_upstreams_have_taken_the_others() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .shell("ulimit -n 128")
        .start();
    let mut clients: Vec<Client> = (0..120).map(|_| gateway.client()).collect();
    for client in &mut clients {
        // Some are refused already.
        let _ = client.try_send(&Request::chat("m").bytes());
    }
    let crowd: Vec<Client> = (0..MANY).map(|_| Client::connect(gateway.admin)).collect();
    for _ in 0..3 {
        assert_probes_served(&gateway);
        // Refused while all connections have a request, of which most are shed.
        gateway.await_room();
    }
    gate.release_all();
    let served = clients.iter_mut().filter_map(Client::try_head);
    let statuses: Vec<u16> = served.map(|head| head.status).collect();
    assert!(statuses.contains(&200), "{statuses:?}");
    drop(crowd);
}
