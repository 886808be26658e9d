use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};

use super::{RequestKind, Worker, serve};
use crate::config::{self, Sources};
use crate::snapshot;
use crate::telemetry::metric::Registry;
use crate::wire::endpoint::Endpoint;

/// The future is copied to the heap at each request, and it grows unnoticed: with
/// everything that is moved into it, or awaited in it.
#[test]
fn the_future_of_a_request_is_small() {
    const MAX: usize = 2048;
    let directory = tempfile::tempdir().unwrap();
    let sources = Sources {
        directory: directory.path().to_owned(),
        ..Sources::default()
    };
    let config = config::load(&sources).unwrap();
    let snapshot = snapshot::build(&config, &Registry::new(), None).unwrap();
    let worker = Rc::new(Worker::new(snapshot));
    let body = Empty::<Bytes>::new().map_err(|never: Infallible| match never {});
    let future = serve(
        worker,
        RequestKind::Json(Endpoint::ChatCompletions),
        Request::new(body),
    );
    let size = size_of_val(&future);
    assert!(size <= MAX, "{size} bytes");
}
