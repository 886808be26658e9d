//! A soak test: a steady rate of requests to partly faulty upstreams. Each response
//! is checked against the upstream's script, and the gateway's memory and file
//! descriptors are measured.
//!
//! It runs for ten seconds, or for `TRUNKLINE_SOAK` seconds:
//! `TRUNKLINE_SOAK=600 cargo test --locked --test it soak:: -- --nocapture`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait::until;

const SECONDS: u64 = 10;
/// Requests per second, and the number of clients that send them.
const RATE: u64 = 300;
const CLIENTS: u64 = 15;
/// Percentage of faulty responses of the first two targets. The third is healthy,
/// so a request that fails before its first event must be retried successfully.
const FAULTY: u64 = 5;
/// One request in this many is cancelled in the middle of its response.
const CANCEL_EVERY: u64 = 50;
/// Upper bounds of the gateway's growth after its warm-up.
const MOST_GROWTH_KIB: usize = 16 * 1024;

/// The behaviour of a target for one request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Behaviour {
    Response,
    // Another target can serve the request.
    Fail,
    Busy,
    Page,
    Empty,
    Disconnect,
    Reset,
    Silent,
    // It cannot be retried: the client has the beginning already.
    Truncate,
    Stall,
}

const FAULTS: [Behaviour; 9] = [
    Behaviour::Fail,
    Behaviour::Busy,
    Behaviour::Page,
    Behaviour::Empty,
    Behaviour::Disconnect,
    Behaviour::Reset,
    Behaviour::Silent,
    Behaviour::Truncate,
    Behaviour::Stall,
];

/// The same for the upstream and for the client that checks it.
fn behaviour(number: u64, target: u64) -> Behaviour {
    let mut rng = Rng::with_seed(number * 3 + target);
    // The first numbers of neighbouring seeds are alike.
    let _ = (rng.u64(..), rng.u64(..));
    if target < 2 && rng.u64(..100) < FAULTY {
        FAULTS[rng.usize(..FAULTS.len())]
    } else {
        Behaviour::Response
    }
}

// === requests and responses ===

fn is_stream(number: u64) -> bool {
    !number.is_multiple_of(3)
}

fn request(number: u64) -> Request {
    let model = if number.is_multiple_of(2) { "m" } else { "h" };
    let stream = is_stream(number);
    Request::post(
        "/v1/chat/completions",
        format!(
            r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"~{number}~"}}]}}"#
        ),
    )
}

fn events(number: u64) -> Vec<String> {
    let delta = |count| {
        let filling = "x".repeat(usize::try_from(number * count % 700).unwrap());
        response::delta(&format!("{number}-{count}-{filling}"))
    };
    let mut events: Vec<String> = (0..=number % 20).map(delta).collect();
    events.extend([response::finish(), response::DONE.to_owned()]);
    events
}

fn completion(number: u64) -> Vec<u8> {
    response::completion(&format!("response {number}"))
}

fn serve(exchange: &mut Exchange<'_>, target: u64) {
    let body = String::from_utf8(exchange.read_body()).unwrap();
    exchange.discard_record();
    let number = body.split('~').nth(1).unwrap().parse().unwrap();
    let html = ["Content-Type: text/html"];
    match behaviour(number, target) {
        Behaviour::Response if is_stream(number) => {
            exchange.send(response::stream_head());
            for event in events(number) {
                exchange.send(response::chunk(event));
            }
            exchange.send(response::LAST_CHUNK);
        }
        Behaviour::Response => drop(exchange.send(completion(number))),
        Behaviour::Fail => drop(exchange.send(response::json("500 Oops", "{}"))),
        Behaviour::Busy => {
            let headers = ["Content-Type: application/json", "Retry-After-Ms: 50"];
            exchange.send(response::with_body("429 Too Many Requests", &headers, "{}"));
        }
        Behaviour::Page => drop(exchange.send(response::with_body("200 OK", &html, "<p>"))),
        Behaviour::Empty if is_stream(number) => {
            exchange.send(response::stream(&[": nothing\n\n"]));
        }
        Behaviour::Empty => drop(exchange.send(response::json("200 OK", ""))),
        Behaviour::Disconnect => exchange.close(),
        Behaviour::Reset => exchange.reset(),
        Behaviour::Silent => drop(exchange.wait_for_disconnect()),
        Behaviour::Truncate => {
            begin(exchange, number);
            exchange.shutdown_write();
        }
        Behaviour::Stall => {
            begin(exchange, number);
            exchange.wait_for_disconnect();
        }
    }
}

/// The head and the first event, or a part of a unary response.
fn begin(exchange: &mut Exchange<'_>, number: u64) {
    if is_stream(number) {
        exchange.send(response::stream_head());
        exchange.send(response::chunk(&events(number)[0]));
    } else {
        let completion = completion(number);
        exchange.send(&completion[..completion.len() - 9]);
    }
}

// === clients ===

/// The outcomes of all requests.
#[derive(Default)]
struct Tally {
    complete: AtomicU64,
    /// Truncated after the first event, with an error event or an abort.
    truncated: AtomicU64,
    cancelled: AtomicU64,
    /// Errors that the healthy target could have prevented, and wrong bytes.
    faults: Mutex<Vec<String>>,
}

fn run_client(gateway: &Gateway, tally: &Tally, client_index: u64, seconds: u64) {
    let mut client = gateway.client();
    let began = Instant::now();
    for turn in 0..seconds * RATE / CLIENTS {
        let due = began + Duration::from_millis(turn * 1000 * CLIENTS / RATE);
        sleep(due.saturating_duration_since(Instant::now()));
        let number = turn * CLIENTS + client_index;
        client.send(&request(number).bytes());
        if number.is_multiple_of(CANCEL_EVERY) {
            client.head();
            client = gateway.client();
            tally.cancelled.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let response = client.response();
        if !response.complete || response.header("connection") == Some("close") {
            client = gateway.client();
        }
        match check_response(number, &response) {
            Ok(true) => tally.complete.fetch_add(1, Ordering::Relaxed),
            Ok(false) => tally.truncated.fetch_add(1, Ordering::Relaxed),
            Err(text) => {
                tally.faults.lock().unwrap().push(text);
                continue;
            }
        };
    }
}

/// True for a complete response, false for one truncated according to the script;
/// otherwise an error.
fn check_response(number: u64, response: &Response) -> Result<bool, String> {
    let expected = if is_stream(number) {
        events(number).concat()
    } else {
        let completion = String::from_utf8(completion(number)).unwrap();
        completion.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let text = response.text();
    if response.status == 200 && response.complete && text == expected {
        return Ok(true);
    }
    let target = match response.header("x-trunkline-provider") {
        Some("p0") => 0,
        Some("p1") => 1,
        _ => 2,
    };
    let behaviour = behaviour(number, target);
    let context = format!(
        "{number} at p{target}, {behaviour:?}: {} {text}",
        response.status
    );
    if response.status != 200 {
        return Err(format!("an error that the client did not cause: {context}"));
    }
    let code = match behaviour {
        Behaviour::Truncate => "upstream_disconnected",
        Behaviour::Stall => "upstream_stalled",
        _ => return Err(format!("wrong bytes: {context}")),
    };
    let begins_right = if is_stream(number) {
        assert_response::stream_error(response, code) == events(number)[0].as_bytes()
    } else {
        !response.complete && expected.starts_with(&text)
    };
    if begins_right {
        Ok(false)
    } else {
        Err(format!("wrong bytes: {context}"))
    }
}

// === gateway ===

/// Resident memory in KiB, and open descriptors.
fn resources(gateway: &Gateway) -> (usize, usize) {
    (gateway.resident_kib(), gateway.open_descriptors())
}

fn gateway(upstreams: &[Upstream]) -> Gateway {
    let mut setup = Setup::new().log("access = false");
    for (target, upstream) in upstreams.iter().enumerate() {
        // The healthy one is never late, however busy the machine.
        let limits = match target {
            0 | 1 => "timeouts = { response_header = \"500ms\", idle = \"500ms\" }\n",
            _ => "",
        };
        let lines = format!("{limits}pool = {{ idle_timeout = \"2s\" }}");
        setup = setup.provider(&format!("p{target}"), &upstream.base_url(), &lines);
    }
    let targets = "targets = [{ provider = \"p0\" }, { provider = \"p1\" }, { provider = \"p2\" }]\n\
                   retry = { non_idempotent = true }";
    setup
        // The file watch opens its descriptors shortly after the start.
        .section("[reload]\nwatch = false")
        .section(&format!("[models.m]\n{targets}"))
        .section(&format!(
            "[models.h]\n{targets}\nhedge = {{ after = \"200ms\" }}"
        ))
        .start()
}

#[test]
fn a_steady_load_with_mixed_faults_leaks_nothing() {
    let seconds = std::env::var("TRUNKLINE_SOAK").map_or(SECONDS, |text| text.parse().unwrap());
    let upstreams: Vec<_> = (0..3)
        .map(|target| Upstream::start(move |exchange| serve(exchange, target)))
        .collect();
    let gateway = gateway(&upstreams);
    let (_, descriptors) = resources(&gateway);
    let tally = Tally::default();
    let (mut warm, mut peak) = (0, (0, 0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client_index| {
                let (gateway, tally) = (&gateway, &tally);
                scope.spawn(move || run_client(gateway, tally, client_index, seconds))
            })
            .collect();
        let began = Instant::now();
        while !clients
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            let now = resources(&gateway);
            peak = (peak.0.max(now.0), peak.1.max(now.1));
            if began.elapsed() < Duration::from_secs(seconds) / 5 {
                warm = now.0;
            }
            sleep(Duration::from_millis(200));
        }
    });
    gateway.wait_until_idle();
    until("all descriptors to be closed", || {
        (resources(&gateway).1 <= descriptors + 2).then_some(())
    });
    let (memory, _) = resources(&gateway);
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let faults = tally.faults.into_inner().unwrap();
    eprintln!(
        "{seconds} s, {} requests: {} complete, {} truncated, {} cancelled, {} faults",
        seconds * RATE / CLIENTS * CLIENTS,
        count(&tally.complete),
        count(&tally.truncated),
        count(&tally.cancelled),
        faults.len(),
    );
    eprintln!(
        "memory {warm} KiB when warm, {} at most, {memory} at the end; \
         descriptors {descriptors} before, {} at most, and as before at the end",
        peak.0, peak.1,
    );
    let metrics = gateway.metrics();
    for name in ["attempts", "retries", "hedges", "ejections", "panics"] {
        let name = format!("trunkline_{name}_total");
        eprintln!("{name} {}", metrics.sum(&name, &[]).unwrap_or(0.0));
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(count(&tally.truncated) > 0, "no response was truncated");
    assert!(memory <= warm + MOST_GROWTH_KIB, "{warm} to {memory} KiB");
}
