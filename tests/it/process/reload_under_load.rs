//! A hundred reloads during a thousand open streams (docs/faults.md#o-04).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::client::{Client, Request};
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Watched;

const STREAMS: usize = 1000;
const RELOADS: usize = 100;
/// Reloads between two events of each stream.
const RELOADS_PER_EVENT: usize = 10;

/// An upstream that sends one event for each increment of `steps`, and the end
/// after the last one.
fn paced(steps: &Arc<Watched<usize>>) -> Upstream {
    let steps = Arc::clone(steps);
    Upstream::start(move |exchange| {
        if !exchange.start_stream_if_requested() {
            return;
        }
        for step in 0..=RELOADS / RELOADS_PER_EVENT {
            steps.try_wait(|steps| (*steps >= step).then_some(()));
            exchange.send(response::chunk(event(step)));
        }
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    })
}

fn event(step: usize) -> String {
    response::delta(&format!("step {step}"))
}

/// Every second reload changes the provider, so that everything is rebuilt; the
/// others change only the text.
fn changed(text: &str, reload: usize) -> String {
    let key = format!("api_key = \"key-{}\"", reload / 2);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.map(|line| match line {
        line if line.starts_with("api_key =") => key.as_str(),
        line => line,
    });
    lines.collect::<Vec<_>>().join("\n") + &format!("\n# {reload}\n")
}

#[test]
fn o04_a_hundred_reloads_lose_no_byte_of_a_thousand_streams() {
    let steps = Arc::new(Watched::new(0));
    let upstream = paced(&steps);
    let gateway = Setup::with_upstream(&upstream)
        .log("access = false")
        .start();
    let mut streams: Vec<Client> = (0..STREAMS)
        .map(|_| {
            let mut client = gateway.client();
            client.send(&Request::stream("m").bytes());
            client
        })
        .collect();
    for stream in &mut streams {
        assert_eq!(stream.head().status, 200);
        assert_eq!(stream.read_exact(event(0).len()), event(0).into_bytes());
    }
    let (done, responses) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = gateway.client();
            while !done.load(Ordering::Relaxed) {
                client.send(&Request::chat("m").bytes());
                let response = client.response();
                assert_eq!(response.status, 200, "{}", response.text());
                responses.fetch_add(1, Ordering::Relaxed);
            }
        });
        for reload in 1..=RELOADS {
            gateway.reload(|text| changed(&text, reload));
            if reload % RELOADS_PER_EVENT == 0 {
                steps.with(|steps| *steps += 1);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let metrics = gateway.metrics();
    let now = |name: &str| metrics.sum(name, &[]);
    assert_eq!(
        now("trunkline_config_generation"),
        Some(1.0 + RELOADS as f64)
    );
    assert!(responses.load(Ordering::Relaxed) > RELOADS / 10);
    let expected: String = (1..=RELOADS / RELOADS_PER_EVENT)
        .map(event)
        .chain([response::finish(), response::DONE.to_owned()])
        .collect();
    for stream in &mut streams {
        let (rest, complete) = stream.read_body();
        assert!(complete, "a stream was truncated");
        assert_eq!(String::from_utf8(rest).unwrap(), expected);
    }
    gateway.await_metric("trunkline_config_generations_held", &[], 1.0);
    gateway.wait_until_idle();
    let ok = [("outcome", "ok")];
    let requests = (STREAMS + responses.load(Ordering::Relaxed)) as f64;
    gateway.await_metric("trunkline_requests_total", &[], requests);
    gateway.await_metric("trunkline_requests_total", &ok, requests);
}
