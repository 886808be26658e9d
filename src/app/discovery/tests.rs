use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{DiscoveryTask, FAILURE_TTL};
use crate::config::Discovery;
use crate::telemetry::metric::Registry;
use crate::upstream::ModelListCache;
use crate::wire::model_list::{ListedModel, TokenLimits};

const RULES: Discovery = Discovery {
    ttl: Duration::from_secs(300),
    timeout: Duration::from_secs(5),
};

fn models() -> Arc<[ListedModel]> {
    let model = ListedModel {
        id: "up/a".into(),
        created: 0,
        display_name: None,
        limits: TokenLimits::default(),
        shutdown: None,
    };
    Arc::new([model])
}

async fn count(cache: &ModelListCache) -> usize {
    cache
        .get_or_wait(Instant::now() + RULES.timeout)
        .await
        .len()
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_and_a_timeout_is_one_of_them() {
    let (cache, registry) = (ModelListCache::default(), Registry::new());
    let fetches = Cell::new(0);
    let fetch = async || {
        fetches.set(fetches.get() + 1);
        match fetches.get() {
            1 => Err("status 500".to_owned()),
            3 => {
                sleep(Duration::from_secs(3600)).await;
                Ok(models())
            }
            _ => Ok(models()),
        }
    };
    let readers = async {
        assert_eq!((count(&cache).await, fetches.get()), (0, 1));
        sleep(FAILURE_TTL.mul_f64(0.9)).await;
        assert_eq!((count(&cache).await, fetches.get()), (0, 1));
        sleep(FAILURE_TTL.mul_f64(0.1)).await;
        assert_eq!(count(&cache).await, 0);
        sleep(Duration::from_secs(1)).await;
        assert_eq!((count(&cache).await, fetches.get()), (1, 2));
        sleep(RULES.ttl).await;
        // The third fetch fails; the known list stays.
        assert_eq!(count(&cache).await, 1);
        sleep(RULES.timeout + FAILURE_TTL).await;
        assert_eq!((count(&cache).await, fetches.get()), (1, 3));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(fetches.get(), 4);
    };
    tokio::select! {
        () = DiscoveryTask::new("up", RULES, &registry).run(&cache, fetch) => {}
        () = readers => {}
    }
    let text = registry.render();
    for (result, times) in [("found", 2), ("failed", 2)] {
        let line =
            format!("trunkline_discoveries_total{{provider=\"up\",result=\"{result}\"}} {times}");
        assert!(text.contains(&line), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_list_is_fetched_until_a_request_needs_it() {
    let (cache, registry) = (ModelListCache::default(), Registry::new());
    let fetches = Cell::new(0);
    let fetch = async || {
        fetches.set(fetches.get() + 1);
        Ok(models())
    };
    tokio::select! {
        () = DiscoveryTask::new("up", RULES, &registry).run(&cache, fetch) => {}
        () = sleep(RULES.ttl * 10) => {}
    }
    assert_eq!(fetches.get(), 0);
}
