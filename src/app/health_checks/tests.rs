use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::StatusCode;
use tokio::time::{Instant, sleep, timeout};

use super::HealthCheckTask;
use crate::config::HealthCheck;
use crate::routing::HealthState;
use crate::telemetry::metric::Registry;

fn health_check(health: &Arc<HealthState>, registry: &Registry) -> HealthCheckTask {
    let rules = HealthCheck {
        path: "/models".to_owned(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        failures: 3,
        successes: 2,
    };
    HealthCheckTask::new("up", &rules, health, registry)
}

#[tokio::test(start_paused = true)]
async fn a_provider_goes_down_and_comes_back() {
    let (health, registry) = (Arc::new(HealthState::default()), Registry::new());
    let started = Instant::now();
    // Down between one and three minutes: error responses, a timeout, then
    // connection errors.
    let probe = async |_| match started.elapsed().as_secs() {
        60..120 => Ok(StatusCode::SERVICE_UNAVAILABLE),
        120..150 => {
            sleep(Duration::from_secs(3600)).await;
            Ok(StatusCode::OK)
        }
        150..180 => Err("refused".to_owned()),
        _ => Ok(StatusCode::NO_CONTENT),
    };
    let seen = RefCell::new(Vec::new());
    let watch = async {
        loop {
            seen.borrow_mut().push(health.is_healthy());
            sleep(Duration::from_secs(1)).await;
        }
    };
    let mut rng = Rng::with_seed(5);
    let run = health_check(&health, &registry).run(probe, &mut rng);
    let both = async { tokio::join!(run, watch) };
    assert!(timeout(Duration::from_secs(300), both).await.is_err());
    let seen = seen.into_inner();
    let down = seen.iter().position(|healthy| !healthy).unwrap();
    let back = down + seen[down..].iter().position(|healthy| *healthy).unwrap();
    // At the third failure, and at the second success.
    assert!((78..=94).contains(&down), "{down}");
    assert!((189..=203).contains(&back), "{back}");
    assert!(seen[back..].iter().all(|healthy| *healthy));
    let text = registry.render();
    assert!(text.contains("trunkline_provider_healthy{provider=\"up\"} 1"));
    assert!(text.contains("trunkline_health_checks_total{provider=\"up\",result=\"passed\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn probes_run_one_at_a_time_at_about_the_interval() {
    let (health, registry) = (Arc::new(HealthState::default()), Registry::new());
    let (probing, times) = (Cell::new(false), RefCell::new(Vec::new()));
    let probe = async |credential| {
        assert!(!probing.replace(true), "two probes at once");
        times.borrow_mut().push((credential, Instant::now()));
        sleep(Duration::from_millis(1500)).await;
        probing.set(false);
        Ok(StatusCode::OK)
    };
    let started = Instant::now();
    let mut rng = Rng::with_seed(5);
    let run = health_check(&health, &registry).run(probe, &mut rng);
    assert!(timeout(Duration::from_secs(1000), run).await.is_err());
    let times = times.into_inner();
    assert!(times[0].1 - started <= Duration::from_secs(1));
    assert!((90..=112).contains(&times.len()), "{}", times.len());
    let pauses = times.windows(2).map(|pair| {
        assert_eq!(pair[0].0 + 1, pair[1].0);
        pair[1].1 - pair[0].1
    });
    let pauses: Vec<Duration> = pauses.collect();
    let shortest = pauses.iter().min().unwrap();
    let longest = pauses.iter().max().unwrap();
    assert!(*shortest >= Duration::from_secs(9) && *longest <= Duration::from_millis(11_002));
    assert!(*longest > *shortest + Duration::from_secs(1), "not spread");
}
