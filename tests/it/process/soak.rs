//! A soak: a steady rate of requests to upstreams of which some answers are
//! faulty, each answer checked against what the upstream's script says, and the
//! gateway's memory and descriptors watched.
//!
//! It runs for ten seconds, or for as many as `TRUNKLINE_SOAK` says:
//! `TRUNKLINE_SOAK=600 cargo test --locked --test it soak:: -- --nocapture`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Exchange, Upstream, reply};
use crate::support::wait::until;

const SECONDS: u64 = 10;
/// Requests in a second, and callers that share them.
const RATE: u64 = 300;
const CALLERS: u64 = 15;
/// Faulty answers of the first two targets in a hundred. The third is healthy,
/// so a request that fails before its first event could have been served.
const FAULTY: u64 = 5;
/// One caller in so many leaves in the middle of its answer.
const LEAVES: u64 = 50;
/// Most that the gateway may grow from the end of its warm-up on.
const MOST_GROWTH_KIB: usize = 16 * 1024;

/// What a target does with a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Answer,
    /// What another target can make good.
    Fail,
    Busy,
    Page,
    Empty,
    Leave,
    Reset,
    Silent,
    /// What nobody can: the caller has the beginning already.
    BreakOff,
    Stall,
}

const FAULTS: [Fate; 9] = [
    Fate::Fail,
    Fate::Busy,
    Fate::Page,
    Fate::Empty,
    Fate::Leave,
    Fate::Reset,
    Fate::Silent,
    Fate::BreakOff,
    Fate::Stall,
];

/// The same for the upstream that acts and the caller that judges.
fn fate(number: u64, place: u64) -> Fate {
    let mut rng = Rng::with_seed(number * 3 + place);
    // The first numbers of neighbouring seeds are alike.
    let _ = (rng.u64(..), rng.u64(..));
    if place < 2 && rng.u64(..100) < FAULTY {
        FAULTS[rng.usize(..FAULTS.len())]
    } else {
        Fate::Answer
    }
}

// ===== What is asked and what is answered =====

fn streams(number: u64) -> bool {
    !number.is_multiple_of(3)
}

fn request(number: u64) -> Request {
    let model = if number.is_multiple_of(2) { "m" } else { "h" };
    let stream = streams(number);
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
        reply::delta(&format!("{number}-{count}-{filling}"))
    };
    let mut events: Vec<String> = (0..=number % 20).map(delta).collect();
    events.extend([reply::finish(), reply::DONE.to_owned()]);
    events
}

fn whole(number: u64) -> Vec<u8> {
    reply::completion(&format!("the answer to {number}"))
}

fn serve(exchange: &mut Exchange<'_>, place: u64) {
    let body = String::from_utf8(exchange.read_body()).unwrap();
    exchange.forget();
    let number = body.split('~').nth(1).unwrap().parse().unwrap();
    let html = ["Content-Type: text/html"];
    match fate(number, place) {
        Fate::Answer if streams(number) => {
            exchange.send(reply::stream_head());
            for event in events(number) {
                exchange.send(reply::chunk(event));
            }
            exchange.send(reply::LAST_CHUNK);
        }
        Fate::Answer => drop(exchange.send(whole(number))),
        Fate::Fail => drop(exchange.send(reply::json("500 Oops", "{}"))),
        Fate::Busy => {
            let headers = ["Content-Type: application/json", "Retry-After-Ms: 50"];
            exchange.send(reply::whole("429 Too Many Requests", &headers, "{}"));
        }
        Fate::Page => drop(exchange.send(reply::whole("200 OK", &html, "<p>"))),
        Fate::Empty if streams(number) => {
            exchange.send(reply::stream(&[": nothing\n\n"]));
        }
        Fate::Empty => drop(exchange.send(reply::json("200 OK", ""))),
        Fate::Leave => exchange.close(),
        Fate::Reset => exchange.reset(),
        Fate::Silent => drop(exchange.gateway_left()),
        Fate::BreakOff => {
            begin(exchange, number);
            exchange.finish();
        }
        Fate::Stall => {
            begin(exchange, number);
            exchange.gateway_left();
        }
    }
}

/// The head and the first event, or a part of a whole answer.
fn begin(exchange: &mut Exchange<'_>, number: u64) {
    if streams(number) {
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(&events(number)[0]));
    } else {
        let whole = whole(number);
        exchange.send(&whole[..whole.len() - 9]);
    }
}

// ===== The callers =====

/// What became of all requests.
#[derive(Default)]
struct Tally {
    whole: AtomicU64,
    /// Broken behind the first event, and told so.
    told: AtomicU64,
    left: AtomicU64,
    /// Errors that the healthy target could have prevented, and wrong bytes.
    faults: Mutex<Vec<String>>,
}

fn call(gateway: &Gateway, tally: &Tally, caller: u64, seconds: u64) {
    let mut client = gateway.client();
    let began = Instant::now();
    for turn in 0..seconds * RATE / CALLERS {
        let due = began + Duration::from_millis(turn * 1000 * CALLERS / RATE);
        sleep(due.saturating_duration_since(Instant::now()));
        let number = turn * CALLERS + caller;
        client.send(&request(number).bytes());
        if number.is_multiple_of(LEAVES) {
            client.head();
            client = gateway.client();
            tally.left.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let answer = client.answer();
        if !answer.complete || answer.header("connection") == Some("close") {
            client = gateway.client();
        }
        match judge_answer(number, &answer) {
            Ok(true) => tally.whole.fetch_add(1, Ordering::Relaxed),
            Ok(false) => tally.told.fetch_add(1, Ordering::Relaxed),
            Err(text) => {
                tally.faults.lock().unwrap().push(text);
                continue;
            }
        };
    }
}

/// True for the whole answer, false for one that was broken off as the script
/// says; else what is wrong.
fn judge_answer(number: u64, answer: &Answer) -> Result<bool, String> {
    let expected = if streams(number) {
        events(number).concat()
    } else {
        let whole = String::from_utf8(whole(number)).unwrap();
        whole.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let text = answer.text();
    if answer.status == 200 && answer.complete && text == expected {
        return Ok(true);
    }
    let place = match answer.header("x-trunkline-provider") {
        Some("p0") => 0,
        Some("p1") => 1,
        _ => 2,
    };
    let fate = fate(number, place);
    let context = format!("{number} at p{place}, {fate:?}: {} {text}", answer.status);
    if answer.status != 200 {
        return Err(format!("an error that was none of the caller's: {context}"));
    }
    let code = match fate {
        Fate::BreakOff => "upstream_disconnected",
        Fate::Stall => "upstream_stalled",
        _ => return Err(format!("wrong bytes: {context}")),
    };
    let begins_right = if streams(number) {
        assert_response::stream_error(answer, code) == events(number)[0].as_bytes()
    } else {
        !answer.complete && expected.starts_with(&text)
    };
    if begins_right {
        Ok(false)
    } else {
        Err(format!("wrong bytes: {context}"))
    }
}

// ===== The gateway =====

/// Resident memory in KiB, and open descriptors.
fn size(gateway: &Gateway) -> (usize, usize) {
    (gateway.resident_kib(), gateway.descriptors())
}

fn gateway(upstreams: &[Upstream]) -> Gateway {
    let mut setup = Setup::new().log("access = false");
    for (place, upstream) in upstreams.iter().enumerate() {
        // The healthy one is never late, however busy the machine.
        let limits = match place {
            0 | 1 => "timeouts = { head = \"500ms\", gap = \"500ms\" }\n",
            _ => "",
        };
        let lines = format!("{limits}pool = {{ idle_timeout = \"2s\" }}");
        setup = setup.provider(&format!("p{place}"), &upstream.base_url(), &lines);
    }
    let targets = "targets = [{ provider = \"p0\" }, { provider = \"p1\" }, { provider = \"p2\" }]\n\
                   retry = { processed = true }";
    setup
        // What watches the files takes descriptors a moment after the start.
        .section("[reload]\nwatch = false")
        .section(&format!("[models.m]\n{targets}"))
        .section(&format!(
            "[models.h]\n{targets}\nhedge = {{ after = \"200ms\" }}"
        ))
        .start()
}

#[test]
fn a_steady_load_with_mixed_faults_leaves_nothing_behind() {
    let seconds = std::env::var("TRUNKLINE_SOAK").map_or(SECONDS, |text| text.parse().unwrap());
    let upstreams: Vec<_> = (0..3)
        .map(|place| Upstream::start(move |exchange| serve(exchange, place)))
        .collect();
    let gateway = gateway(&upstreams);
    let (_, descriptors) = size(&gateway);
    let tally = Tally::default();
    let (mut warm, mut peak) = (0, (0, 0));
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (gateway, tally) = (&gateway, &tally);
                scope.spawn(move || call(gateway, tally, caller, seconds))
            })
            .collect();
        let began = Instant::now();
        while !callers
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            let now = size(&gateway);
            peak = (peak.0.max(now.0), peak.1.max(now.1));
            if began.elapsed() < Duration::from_secs(seconds) / 5 {
                warm = now.0;
            }
            sleep(Duration::from_millis(200));
        }
    });
    gateway.settle();
    until("all descriptors to be given back", || {
        (size(&gateway).1 <= descriptors + 2).then_some(())
    });
    let (memory, _) = size(&gateway);
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let faults = tally.faults.into_inner().unwrap();
    eprintln!(
        "{seconds} s, {} requests: {} whole, {} broken off and told, {} left, {} faults",
        seconds * RATE / CALLERS * CALLERS,
        count(&tally.whole),
        count(&tally.told),
        count(&tally.left),
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
    assert!(count(&tally.told) > 0, "nothing broke");
    assert!(memory <= warm + MOST_GROWTH_KIB, "{warm} to {memory} KiB");
}
