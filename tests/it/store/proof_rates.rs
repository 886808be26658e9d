//! Rates and concurrency over three replicas.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::proof_budget::start;
use super::proof_outages::await_store;
use crate::limits::proof_load::{Called, Ending, Load, Script, call, read_first_event};
use crate::support::client::Client;
use crate::support::gateway::Gateway;
use crate::support::store_server::StoreServer;
use crate::support::wait::{self, POLL};

/// Requests of a second, and at once.
const RATE: f64 = 20.0;
const BURST: f64 = 60.0;
const CALLERS: usize = 12;

fn passes(gateway: &Gateway) -> bool {
    let script = Script::new(20, 100, Ending::Json);
    let mut client = gateway.client();
    match call(&mut client, &script.request(None)) {
        Called::Passed(head) => {
            assert_eq!(head.status, 200);
            client.read_body().1
        }
        Called::Refused(body) => {
            assert_eq!(body["error"]["code"], "rate_limit_exceeded", "{body}");
            false
        }
    }
}

#[test]
fn three_replicas_share_one_rate() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let load = Load::start();
    let limits = "[limits.rate]\nper = [\"key\"]\nrequests = [\"1200/minute burst 60\"]";
    let gateways = start(&load, &store.url(), &format!("timeout = \"1s\"\n{limits}"));
    await_store(&gateways, true);
    let (passed, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let start = Instant::now();
    let elapsed = thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (passed, is_over) = (&passed, &is_over);
            let gateway = &gateways[caller % gateways.len()];
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    if passes(gateway) {
                        passed.fetch_add(1, Ordering::SeqCst);
                    } else {
                        thread::sleep(POLL);
                    }
                }
            });
        }
        // Three seconds of the rate beyond the burst.
        wait::until("enough requests", || {
            let count = passed.load(Ordering::SeqCst);
            (count >= 120).then_some(())
        });
        is_over.store(true, Ordering::SeqCst);
        start.elapsed()
    });
    let count = passed.load(Ordering::SeqCst) as f64;
    let most = BURST + RATE * start.elapsed().as_secs_f64() + 1.0;
    assert!(count <= most, "{count} passed of {most}");
    // What leases of others hold is under-use of two seconds at most.
    let late = elapsed.saturating_sub(Duration::from_secs(3));
    assert!(late <= Duration::from_secs(3), "{elapsed:?}");
}

/// A stream that is held at the upstream; none if the limit refuses it.
fn open_stream(gateway: &Gateway) -> Option<Client> {
    let script = Script {
        wave: 1,
        ..Script::new(20, 100, Ending::Usage)
    };
    let mut client = gateway.client();
    match call(&mut client, &script.request(None)) {
        Called::Passed(head) => assert_eq!(head.status, 200, "{head:?}"),
        Called::Refused(body) => {
            assert_eq!(body["error"]["limit"]["of"], "concurrent", "{body}");
            return None;
        }
    }
    read_first_event(&mut client);
    Some(client)
}

/// Opens streams at all of these in turns until so many are open.
#[track_caller]
fn open_streams(gateways: &[Gateway], open: &mut Vec<(usize, Client)>, count: usize) {
    wait::until("all permits to be in use", || {
        for (index, gateway) in gateways.iter().enumerate() {
            if open.len() < count {
                open.extend(open_stream(gateway).map(|client| (index, client)));
            }
        }
        (open.len() == count).then_some(())
    });
    // Not one more, however often it is tried.
    for gateway in gateways.iter().cycle().take(60) {
        assert!(open_stream(gateway).is_none());
    }
}

#[test]
fn three_replicas_share_requests_in_flight_and_get_those_of_a_lost_one() {
    const PERMITS: usize = 8;
    let Some(store) = StoreServer::start() else {
        return;
    };
    let load = Load::start();
    let limits = format!("[limits.flight]\nper = [\"key\"]\nconcurrent = {PERMITS}");
    let mut gateways = start(&load, &store.url(), &format!("timeout = \"1s\"\n{limits}"));
    await_store(&gateways, true);
    let mut open = Vec::new();
    open_streams(&gateways, &mut open, PERMITS);
    assert_eq!(load.most_in_flight(), PERMITS);
    // What one replica no longer uses, the others can.
    let index = open[0].0;
    open.retain(|(found, _)| *found != index);
    let given_back = PERMITS - open.len();
    let mut others = gateways.split_off(index);
    gateways.extend(others.split_off(1));
    let lost = others.remove(0);
    let mut of_others: Vec<(usize, Client)> = open;
    open_streams(&gateways, &mut of_others, PERMITS);
    drop(of_others.split_off(PERMITS - given_back));
    // And what it uses when it is lost.
    let mut of_lost = Vec::new();
    open_streams(std::slice::from_ref(&lost), &mut of_lost, given_back);
    lost.signal("KILL");
    open_streams(&gateways, &mut of_others, PERMITS);
    load.release(1);
}
