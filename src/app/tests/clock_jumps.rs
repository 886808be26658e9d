//! The wall clock is changed while requests are in flight: dates follow it, timings do
//! not.

use std::rc::Rc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use tokio::task::LocalSet;

use crate::app::test_support::{self, CapturedLog, FIRST_EVENT, LAST_EVENT, StubUpstream};
use crate::proxy::{self, RequestKind, ResponseBody, Worker};
use crate::routing::{AttemptOutcome, Reason, TargetState};
use crate::telemetry::metric::Registry;
use crate::wall_clock;
use crate::wire::endpoint::Endpoint;
use crate::wire::retry_after;

const DAY: i64 = 24 * 60 * 60;
/// In seconds: a day forward and back, then a year back and forward.
const JUMPS: [i64; 4] = [DAY, -DAY, -365 * DAY, 365 * DAY];

fn field(line: &str, name: &str) -> f64 {
    let (_, value) = line.split_once(&format!("{name}=")).unwrap();
    value.split(' ').next().unwrap().parse().unwrap()
}

async fn gateway(registry: &Registry, lines: &str) -> (Rc<Worker>, StubUpstream) {
    let stub = StubUpstream::start().await;
    let text = format!(
        "[providers.up]\nbase_url = \"{}\"\napi_key = \"k\"\n{lines}\n[models.m]\nprovider = \"up\"\n",
        stub.base_url
    );
    (Rc::new(test_support::worker(registry, &text)), stub)
}

async fn send(worker: &Rc<Worker>) -> ResponseBody {
    let body = test_support::request_body().map_err(|never| match never {});
    let request = test_support::request().body(body).unwrap();
    let response = proxy::serve(
        Rc::clone(worker),
        RequestKind::Json(Endpoint::ChatCompletions),
        request,
    )
    .await;
    response.into_body()
}

async fn next_frame(body: &mut ResponseBody) -> String {
    let frame = body.frame().await.unwrap().unwrap();
    String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn streams_continue_with_correct_timings() {
    let test = async {
        let (worker, stub) = gateway(&Registry::new(), "timeouts = { idle = \"400ms\" }").await;
        let (log, _guard) = CapturedLog::capture();
        for jump in JUMPS {
            let mut body = send(&worker).await;
            assert_eq!(next_frame(&mut body).await, FIRST_EVENT);
            wall_clock::jump(jump);
            stub.releases.add_permits(1);
            assert_eq!(next_frame(&mut body).await, LAST_EVENT, "{jump}");
        }
        // A stalled stream is still detected.
        for (count, jump) in JUMPS.into_iter().enumerate() {
            let mut body = send(&worker).await;
            assert_eq!(next_frame(&mut body).await, FIRST_EVENT);
            wall_clock::jump(jump);
            let error = tokio::time::timeout(Duration::from_secs(30), next_frame(&mut body)).await;
            assert!(error.unwrap().contains("upstream_stalled"), "{jump}");
            drop(body);
            while stub.cancelled.get() <= count {
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
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn the_status_dates_requests_by_the_current_wall_clock() {
    let test = async {
        let (worker, stub) = gateway(&Registry::new(), "").await;
        stub.releases.add_permits(1);
        let body = send(&worker).await;
        body.collect().await.unwrap();
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
    LocalSet::new().run_until(test).await;
}

#[test]
fn the_length_of_a_cooldown_does_not_change() {
    let text = "[providers.up]\nbase_url = \"http://127.0.0.1:1/v1\"\napi_key = \"k\"\n\
                [models.m]\ntargets = [{ provider = \"up\", model = \"a\" }, \
                { provider = \"up\", model = \"b\" }]\n";
    let worker = test_support::worker(&Registry::new(), text);
    let snapshot = &worker.snapshot;
    let resolved = snapshot.catalog.resolve("m", |_| true).unwrap();
    let target = &resolved.targets[0];
    let (failed_at, later) = (Instant::now(), Duration::from_secs(10));
    let until = httpdate::fmt_http_date(wall_clock::now() + Duration::from_secs(30));
    let wait = retry_after::delay(&[("retry-after", &until)], wall_clock::now()).unwrap();
    // A date has no fractions of a second.
    assert!((29..=30).contains(&wait.as_secs()), "{wait:?}");
    let outcome = AttemptOutcome::Throttled(Some(wait));
    snapshot
        .fleet
        .record_result(target, Some(outcome), failed_at);
    for jump in JUMPS {
        wall_clock::jump(jump);
        let TargetState::Excluded(Reason::Throttled, remaining) =
            snapshot.fleet.target_state(target, failed_at + later)
        else {
            panic!("the target is not in cooldown");
        };
        assert!(
            (remaining + later).abs_diff(wait) < Duration::from_millis(10),
            "{remaining:?}"
        );
        let ready = snapshot
            .fleet
            .target_state(target, failed_at + wait + later);
        assert_eq!(ready, TargetState::Ready);
    }
}
