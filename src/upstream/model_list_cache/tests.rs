use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Listing;
use crate::wire::model_list::Listed;

const TTL: Duration = Duration::from_secs(300);

fn list(id: &str) -> Arc<[Listed]> {
    let model = Listed {
        id: id.into(),
        created: 0,
        display_name: None,
    };
    Arc::new([model])
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

/// What those who want to know are told, in the order of their coming.
async fn told(listing: &Listing) -> Vec<Box<str>> {
    let models = listing.models(soon()).await;
    models.iter().map(|model| model.id.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn many_who_want_to_know_share_one_question() {
    let (listing, asked) = (Listing::default(), Cell::new(0));
    let answers = async {
        loop {
            listing.wanted().await;
            asked.set(asked.get() + 1);
            sleep(Duration::from_secs(1)).await;
            listing.take(Some(list("a/b")), TTL);
        }
    };
    let questions = async {
        let (one, two, three) = tokio::join!(told(&listing), told(&listing), told(&listing));
        assert_eq!(
            (one, two, three),
            (vec!["a/b".into()], vec!["a/b".into()], vec!["a/b".into()])
        );
        told(&listing).await;
    };
    tokio::select! {
        () = answers => {}
        () = questions => {}
    }
    assert_eq!(asked.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_old_is_told_at_once_and_asked_for_anew() {
    let listing = Listing::default();
    listing.take(Some(list("a/old")), TTL);
    sleep(TTL).await;
    let began = Instant::now();
    assert_eq!(told(&listing).await, ["a/old".into()]);
    assert_eq!(Instant::now(), began, "nobody waits");
    timeout(TTL, listing.wanted()).await.expect("it is asked");
    listing.take(Some(list("a/new")), TTL);
    assert_eq!(told(&listing).await, ["a/new".into()]);
    assert!(
        timeout(TTL / 2, listing.wanted()).await.is_err(),
        "it is fresh"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_what_was_known_and_is_remembered() {
    let listing = Listing::default();
    let began = Instant::now();
    assert_eq!(told(&listing).await.len(), 0);
    assert_eq!(
        began.elapsed(),
        Duration::from_secs(5),
        "no longer than said"
    );
    listing.take(None, TTL);
    let began = Instant::now();
    assert_eq!(told(&listing).await.len(), 0);
    assert_eq!(Instant::now(), began, "the failure is remembered");
    sleep(TTL).await;
    assert_eq!(told(&listing).await.len(), 0);
    assert_eq!(began.elapsed(), TTL, "nobody waits a second time");
    timeout(TTL, listing.wanted()).await.expect("it is asked");
    listing.take(Some(list("a/b")), TTL);
    assert_eq!(told(&listing).await, ["a/b".into()]);
    sleep(TTL).await;
    listing.take(None, TTL);
    assert_eq!(told(&listing).await, ["a/b".into()]);
}
