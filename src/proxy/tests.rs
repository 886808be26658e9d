use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};

use super::{Worker, serve};
use crate::config::{self, Sources};
use crate::snapshot;
use crate::telemetry::metric::Registry;
use crate::wire::endpoint::Endpoint;

/// It is copied to its place on the heap at every request, and it grows
/// unnoticed: with everything that is moved into it, or awaited in it.
#[test]
fn the_work_on_a_call_is_small() {
    const MOST: usize = 2048;
    let directory = tempfile::tempdir().unwrap();
    let sources = Sources {
        directory: directory.path().to_owned(),
        ..Sources::default()
    };
    let config = config::load(&sources).unwrap();
    let snapshot = snapshot::build(&config, &Registry::new(), None).unwrap();
    let worker = Rc::new(Worker::new(snapshot));
    let body = Empty::<Bytes>::new().map_err(|never: Infallible| match never {});
    let work = serve(worker, Endpoint::ChatCompletions, Request::new(body));
    let size = size_of_val(&work);
    assert!(size <= MOST, "{size} bytes");
}
