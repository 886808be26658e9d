use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::StatusCode;
use tokio::time::{Instant, sleep, timeout};

use super::Checkup;
use crate::config::HealthCheck;
use crate::routing::Vitals;
use crate::telemetry::metric::Registry;

fn checkup(vitals: &Arc<Vitals>, registry: &Registry) -> Checkup {
    let rules = HealthCheck {
        path: "/models".to_owned(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        failures: 3,
        successes: 2,
    };
    Checkup::new("up", &rules, vitals, registry)
}

#[tokio::test(start_paused = true)]
async fn a_provider_goes_down_and_comes_back() {
    let (vitals, registry) = (Arc::new(Vitals::default()), Registry::new());
    let began = Instant::now();
    // Down between one and three minutes: answers with an error, then none.
    let ask = async |_| match began.elapsed().as_secs() {
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
            seen.borrow_mut().push(vitals.is_well());
            sleep(Duration::from_secs(1)).await;
        }
    };
    let mut rng = Rng::with_seed(5);
    let run = checkup(&vitals, &registry).run(ask, &mut rng);
    let both = async { tokio::join!(run, watch) };
    assert!(timeout(Duration::from_secs(300), both).await.is_err());
    let seen = seen.into_inner();
    let down = seen.iter().position(|is_well| !is_well).unwrap();
    let back = down + seen[down..].iter().position(|is_well| *is_well).unwrap();
    // The third answer, or the second, that differs.
    assert!((78..=94).contains(&down), "{down}");
    assert!((189..=203).contains(&back), "{back}");
    assert!(seen[back..].iter().all(|is_well| *is_well));
    let text = registry.render();
    assert!(text.contains("trunkline_provider_healthy{provider=\"up\"} 1"));
    assert!(text.contains("trunkline_health_checks_total{provider=\"up\",result=\"passed\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn one_question_at_a_time_at_about_the_interval() {
    let (vitals, registry) = (Arc::new(Vitals::default()), Registry::new());
    let (asking, times) = (Cell::new(false), RefCell::new(Vec::new()));
    let ask = async |turn| {
        assert!(!asking.replace(true), "two questions at once");
        times.borrow_mut().push((turn, Instant::now()));
        sleep(Duration::from_millis(1500)).await;
        asking.set(false);
        Ok(StatusCode::OK)
    };
    let began = Instant::now();
    let mut rng = Rng::with_seed(5);
    let run = checkup(&vitals, &registry).run(ask, &mut rng);
    assert!(timeout(Duration::from_secs(1000), run).await.is_err());
    let times = times.into_inner();
    assert!(times[0].1 - began <= Duration::from_secs(1));
    assert!((90..=112).contains(&times.len()), "{}", times.len());
    let pauses = times.windows(2).map(|pair| {
        assert_eq!(pair[0].0 + 1, pair[1].0);
        pair[1].1 - pair[0].1
    });
    let pauses: Vec<Duration> = pauses.collect();
    let least = pauses.iter().min().unwrap();
    let most = pauses.iter().max().unwrap();
    assert!(*least >= Duration::from_secs(9) && *most <= Duration::from_millis(11_002));
    assert!(*most > *least + Duration::from_secs(1), "not spread");
}
