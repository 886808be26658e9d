//! A bug that shows in one request ends that request alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use http::{HeaderMap, Response};

use super::answer::refuse;
use crate::proxy::reply;
use crate::proxy::{Answer, Worker};

/// What `work` on a request comes to; a panic in it comes to an answer with 500.
/// The panic hook has counted it by then, and said where it was.
///
/// What a panic leaves behind is fit for use: cells that were borrowed are
/// given back as the stack unwinds, locks are taken whether they were poisoned
/// or not, and whatever counts does so when it is dropped.
pub(super) fn rescued<T>(
    worker: &Worker,
    work: impl FnOnce() -> T,
    answer: impl FnOnce(Response<Answer>) -> T,
) -> T {
    // What it says could be a caller's words.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| answer(broken(worker)))
}

#[cold]
fn broken(worker: &Worker) -> Response<Answer> {
    refuse(worker, &HeaderMap::new(), reply::internal_error())
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::task::Poll;

    use http::{Response, StatusCode};
    use http_body_util::BodyExt;

    use super::rescued;
    use crate::config::{self, Sources};
    use crate::gateway;
    use crate::metering::Meter;
    use crate::proxy::{Answer, Worker};
    use crate::telemetry::metric::Registry;
    use crate::wire::endpoint::Endpoint;

    fn worker(registry: &Registry) -> Worker {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources {
            directory: directory.path().to_owned(),
            ..Sources::default()
        };
        let config = config::load(&sources).unwrap();
        Worker::new(gateway::build(&config, registry, None).unwrap())
    }

    /// Begins a request as a real one does, and fails after a while.
    async fn fails(worker: &Worker) -> Response<Answer> {
        let id = worker.request_ids.for_request(None);
        let _meter = Meter::start(&worker.desk, Endpoint::ChatCompletions, id);
        let _place = worker.in_flight.take(1).unwrap();
        tokio::task::yield_now().await;
        let _borrowed = worker.rng.borrow_mut();
        panic!("a caller's words");
    }

    async fn answered(
        worker: &Worker,
        mut work: Pin<&mut impl Future<Output = Response<Answer>>>,
    ) -> Response<Answer> {
        poll_fn(|context| rescued(worker, || work.as_mut().poll(context), Poll::Ready)).await
    }

    #[tokio::test]
    async fn o10_a_panic_is_answered_with_500_and_leaves_the_worker_fit() {
        let registry = Registry::new();
        let worker = worker(&registry);
        let response = answered(&worker, pin!(fails(&worker))).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["x-should-retry"], "false");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["code"], "internal_error");
        assert!(!body.to_string().contains("words"));
        assert!(worker.rng.try_borrow_mut().is_ok());
        let metrics = registry.render();
        assert!(
            metrics.contains("trunkline_requests_in_flight 0\n"),
            "{metrics}"
        );
        let line = metrics
            .lines()
            .find(|line| line.starts_with("trunkline_requests_total{"))
            .unwrap();
        assert!(line.contains("outcome=\"internal_error\""), "{line}");
        assert!(line.contains("status=\"5xx\""), "{line}");
    }

    #[tokio::test]
    async fn an_answer_passes_as_it_is() {
        let worker = worker(&Registry::new());
        let fine = async { Response::new(Answer::whole("fine".into())) };
        let response = answered(&worker, pin!(fine)).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
}
