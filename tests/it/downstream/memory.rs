//! Memory follows the load: what connections and bodies held is given back.

use std::sync::Arc;

use crate::support::client::Client;
use crate::support::gateway::Setup;
use crate::support::request::Request;
use crate::support::upstream::{Upstream, response};
use crate::support::wait;
use crate::support::wait::Semaphore;

const MIB: usize = 1024 * 1024;

fn large() -> Vec<u8> {
    let body = format!(r#"{{"model":"m","fill":"{}"}}"#, "x".repeat(2 * MIB));
    Request::post("/v1/chat/completions", body).bytes()
}

#[test]
fn a12_memory_of_a_burst_is_given_back() {
    const CONNECTIONS: usize = 1000;
    const BODIES: usize = 20;
    let gate = Arc::new(Semaphore::default());
    let gate_of_upstream = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        let body = exchange.read_body();
        exchange.discard_record();
        if body.len() > MIB {
            gate_of_upstream.acquire();
        }
        exchange.send(response::completion("hi"));
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let small = Request::chat("m").bytes();
    let connect = |request: &[u8]| {
        let mut client = gateway.client();
        client.send(request);
        client
    };
    assert_eq!(connect(&small).response().status, 200);
    let before = gateway.resident_kib();
    let idle: Vec<Client> = (0..CONNECTIONS)
        .map(|_| {
            let mut client = connect(&small);
            assert_eq!(client.response().status, 200);
            client
        })
        .collect();
    let large = large();
    let mut sending: Vec<Client> = (0..BODIES).map(|_| connect(&large)).collect();
    wait::until("all bodies to be held", || {
        let held = gateway.metrics().sum("trunkline_buffered_bytes", &[])?;
        (held >= (BODIES * 2 * MIB) as f64).then_some(())
    });
    let grown = gateway.resident_kib().saturating_sub(before);
    assert!(grown > BODIES * 2 * 1024, "only {grown} KiB");
    gate.release_all();
    for client in &mut sending {
        assert_eq!(client.response().status, 200);
    }
    drop((idle, sending));
    let mut left = grown;
    wait::until("most memory to be given back", || {
        left = gateway.resident_kib().saturating_sub(before);
        (left < grown / 4).then_some(())
    });
}
