//! Somebody sets the clock while requests are under way (`crate::wall_clock`): what
//! was timed goes on as it was, and only dates change.

use std::rc::Rc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use tokio::task::LocalSet;

use crate::app::test_support;
use crate::app::test_support::{BEGINNING, Log, REST, Stub};
use crate::proxy::{self, Answer, Worker};
use crate::routing::{Outcome, Standing, Why};
use crate::telemetry::metric::Registry;
use crate::wall_clock;
use crate::wire::endpoint::Endpoint;
use crate::wire::retry_after;

const DAY: i64 = 24 * 60 * 60;
/// There and back, and further back.
const JUMPS: [i64; 4] = [DAY, -DAY, -365 * DAY, 365 * DAY];

fn field(line: &str, name: &str) -> f64 {
    let (_, rest) = line.split_once(&format!("{name}=")).unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

async fn gateway(registry: &Registry, lines: &str) -> (Rc<Worker>, Stub) {
    let stub = Stub::start().await;
    let text = format!(
        "[providers.up]\nbase_url = \"{}\"\napi_key = \"k\"\n{lines}\n[models.m]\nprovider = \"up\"\n",
        stub.base_url
    );
    (Rc::new(test_support::worker(registry, &text)), stub)
}

async fn ask(worker: &Rc<Worker>) -> Answer {
    let body = test_support::call_body().map_err(|never| match never {});
    let request = test_support::call().body(body).unwrap();
    let response = proxy::serve(Rc::clone(worker), Endpoint::ChatCompletions, request).await;
    response.into_body()
}

async fn piece(answer: &mut Answer) -> String {
    let frame = answer.frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn streams_go_on_and_are_timed_as_before() {
    let work = async {
        let (worker, stub) = gateway(&Registry::new(), "timeouts = { gap = \"400ms\" }").await;
        let (log, _guard) = Log::keep();
        for jump in JUMPS {
            let mut answer = ask(&worker).await;
            assert_eq!(piece(&mut answer).await, BEGINNING);
            wall_clock::jump(jump);
            stub.leave.add_permits(1);
            assert_eq!(piece(&mut answer).await, REST, "{jump}");
        }
        // One that stalls is still found out.
        for (count, jump) in JUMPS.into_iter().enumerate() {
            let mut answer = ask(&worker).await;
            assert_eq!(piece(&mut answer).await, BEGINNING);
            wall_clock::jump(jump);
            let error = tokio::time::timeout(Duration::from_secs(30), piece(&mut answer)).await;
            assert!(error.unwrap().contains("upstream_stalled"), "{jump}");
            drop(answer);
            while stub.left.get() <= count {
                tokio::task::yield_now().await;
            }
        }
        let lines = log.lines("first_byte_ms=");
        assert_eq!(lines.len(), 2 * JUMPS.len());
        for line in lines {
            for name in [
                "duration_ms",
                "first_byte_ms",
                "first_token_ms",
                "overhead_ms",
            ] {
                let took = field(&line, name);
                assert!((0.0..60_000.0).contains(&took), "{name}: {line}");
            }
        }
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test]
async fn the_status_tells_how_long_ago_it_was_by_the_clock_of_those_who_read_it() {
    let work = async {
        let (worker, stub) = gateway(&Registry::new(), "").await;
        stub.leave.add_permits(1);
        let answer = ask(&worker).await;
        answer.collect().await.unwrap();
        for jump in JUMPS {
            wall_clock::jump(jump);
            let status = crate::routes::status::status(&worker, &http::Request::new(()));
            let status = test_support::json(status).await;
            let now = wall_clock::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap();
            let ended = Duration::from_millis(status["recent"][0]["at"].as_u64().unwrap());
            let ago = now.checked_sub(ended).unwrap();
            assert!(ago < Duration::from_secs(60), "{ago:?}");
            assert!(status["uptime_ms"].as_f64().unwrap() < 60_000.0);
        }
    };
    LocalSet::new().run_until(work).await;
}

#[test]
fn a_pause_that_was_asked_for_lasts_as_long_as_it_did() {
    let text = "[providers.up]\nbase_url = \"http://127.0.0.1:1/v1\"\napi_key = \"k\"\n\
                [models.m]\ntargets = [{ provider = \"up\", model = \"a\" }, \
                { provider = \"up\", model = \"b\" }]\n";
    let worker = test_support::worker(&Registry::new(), text);
    let snapshot = &worker.snapshot;
    let resolved = snapshot.catalog.resolve("m", |_| true).unwrap();
    let target = &resolved.targets[0];
    let (began, later) = (Instant::now(), Duration::from_secs(10));
    let until = httpdate::fmt_http_date(wall_clock::now() + Duration::from_secs(30));
    let wait = retry_after::wait(&[("retry-after", &until)], wall_clock::now()).unwrap();
    // A date has no fractions of a second.
    assert!((29..=30).contains(&wait.as_secs()), "{wait:?}");
    let outcome = Outcome::Throttled(Some(wait));
    snapshot.fleet.note(target, Some(outcome), began);
    for jump in JUMPS {
        wall_clock::jump(jump);
        let Standing::Out(Why::Cooling, rest) = snapshot.fleet.standing(target, began + later)
        else {
            panic!("it is not left alone");
        };
        assert!(
            (rest + later).abs_diff(wait) < Duration::from_millis(10),
            "{rest:?}"
        );
        let ready = snapshot.fleet.standing(target, began + wait + later);
        assert_eq!(ready, Standing::Ready);
    }
}
