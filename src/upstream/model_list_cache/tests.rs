use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::ModelListCache;
use crate::wire::model_list::{ListedModel, TokenLimits};

const TTL: Duration = Duration::from_secs(300);

fn list(id: &str) -> Arc<[ListedModel]> {
    let model = ListedModel {
        id: id.into(),
        created: 0,
        display_name: None,
        limits: TokenLimits::default(),
        shutdown: None,
    };
    Arc::new([model])
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

async fn get(cache: &ModelListCache) -> Vec<String> {
    let models = cache.get_or_wait(deadline()).await;
    models.iter().map(|model| model.id.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_share_one_fetch() {
    let (cache, fetches) = (ModelListCache::default(), Cell::new(0));
    let task = async {
        loop {
            cache.refresh_requested().await;
            fetches.set(fetches.get() + 1);
            sleep(Duration::from_secs(1)).await;
            cache.store(Some(list("a/b")), TTL);
        }
    };
    let requests = async {
        let (one, two, three) = tokio::join!(get(&cache), get(&cache), get(&cache));
        assert_eq!(
            (one, two, three),
            (
                vec!["a/b".to_owned()],
                vec!["a/b".to_owned()],
                vec!["a/b".to_owned()]
            )
        );
        get(&cache).await;
    };
    tokio::select! {
        () = task => {}
        () = requests => {}
    }
    assert_eq!(fetches.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_expired_list_is_returned_at_once_and_refreshed() {
    let cache = ModelListCache::default();
    cache.store(Some(list("a/old")), TTL);
    sleep(TTL).await;
    let began = Instant::now();
    assert_eq!(get(&cache).await, ["a/old"]);
    assert_eq!(Instant::now(), began, "without waiting");
    timeout(TTL, cache.refresh_requested())
        .await
        .expect("refresh requested");
    cache.store(Some(list("a/new")), TTL);
    assert_eq!(get(&cache).await, ["a/new"]);
    assert!(
        timeout(TTL / 2, cache.refresh_requested()).await.is_err(),
        "the list is fresh"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_the_list_and_is_cached() {
    let cache = ModelListCache::default();
    let began = Instant::now();
    assert_eq!(get(&cache).await.len(), 0);
    assert_eq!(
        began.elapsed(),
        Duration::from_secs(5),
        "until the deadline"
    );
    cache.store(None, TTL);
    let began = Instant::now();
    assert_eq!(get(&cache).await.len(), 0);
    assert_eq!(Instant::now(), began, "the failure is cached");
    sleep(TTL).await;
    assert_eq!(get(&cache).await.len(), 0);
    assert_eq!(began.elapsed(), TTL, "only the first fetch is waited for");
    timeout(TTL, cache.refresh_requested())
        .await
        .expect("refresh requested");
    cache.store(Some(list("a/b")), TTL);
    assert_eq!(get(&cache).await, ["a/b"]);
    sleep(TTL).await;
    cache.store(None, TTL);
    assert_eq!(get(&cache).await, ["a/b"]);
}
