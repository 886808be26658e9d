use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{FAILURE_KEPT, Inquiry};
use crate::config::Discovery;
use crate::telemetry::metric::Registry;
use crate::upstream::Listing;
use crate::wire::model_list::Listed;

const RULES: Discovery = Discovery {
    ttl: Duration::from_secs(300),
    timeout: Duration::from_secs(5),
};

fn models() -> Arc<[Listed]> {
    let model = Listed {
        id: "up/a".into(),
        created: 0,
        display_name: None,
    };
    Arc::new([model])
}

async fn count(listing: &Listing) -> usize {
    listing.models(Instant::now() + RULES.timeout).await.len()
}

#[tokio::test(start_paused = true)]
async fn failures_are_asked_about_again_and_silence_is_one_of_them() {
    let (listing, registry) = (Listing::default(), Registry::new());
    let asked = Cell::new(0);
    let ask = async || {
        asked.set(asked.get() + 1);
        match asked.get() {
            1 => Err("status 500".to_owned()),
            3 => {
                sleep(Duration::from_secs(3600)).await;
                Ok(models())
            }
            _ => Ok(models()),
        }
    };
    let callers = async {
        assert_eq!((count(&listing).await, asked.get()), (0, 1));
        sleep(FAILURE_KEPT.mul_f64(0.9)).await;
        assert_eq!((count(&listing).await, asked.get()), (0, 1));
        sleep(FAILURE_KEPT.mul_f64(0.1)).await;
        assert_eq!(count(&listing).await, 0);
        sleep(Duration::from_secs(1)).await;
        assert_eq!((count(&listing).await, asked.get()), (1, 2));
        sleep(RULES.ttl).await;
        // The third question brings nothing; what was known stays.
        assert_eq!(count(&listing).await, 1);
        sleep(RULES.timeout + FAILURE_KEPT).await;
        assert_eq!((count(&listing).await, asked.get()), (1, 3));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(asked.get(), 4);
    };
    tokio::select! {
        () = Inquiry::new("up", RULES, &registry).run(&listing, ask) => {}
        () = callers => {}
    }
    let text = registry.render();
    for (result, times) in [("found", 2), ("failed", 2)] {
        let line =
            format!("trunkline_discoveries_total{{provider=\"up\",result=\"{result}\"}} {times}");
        assert!(text.contains(&line), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_while_nobody_wants_to_know() {
    let (listing, registry) = (Listing::default(), Registry::new());
    let asked = Cell::new(0);
    let ask = async || {
        asked.set(asked.get() + 1);
        Ok(models())
    };
    tokio::select! {
        () = Inquiry::new("up", RULES, &registry).run(&listing, ask) => {}
        () = sleep(RULES.ttl * 10) => {}
    }
    assert_eq!(asked.get(), 0);
}
