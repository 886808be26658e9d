//! Responses, files and batches that were made through one replica are found through another.

use std::time::{Duration, Instant};

use crate::api::objects::{at_provider, creator, setup};
use crate::support::assert_response;
use crate::support::gateway::Gateway;
use crate::support::request::Request;
use crate::support::response::Response;
use crate::support::setup::Setup;
use crate::support::store_server::{StoreData, StoreServer, StoreSetup};
use crate::support::upstream::Upstream;
use crate::support::wait;

const METRIC: &str = "trunkline_store_objects_total";

/// With a timeout that no busy machine reaches.
fn with_store(setup: Setup, url: &str) -> Setup {
    setup.section(&format!("[store]\nurl = \"{url}\"\ntimeout = \"1s\""))
}

/// Two replicas, once both have the store.
fn two_replicas(one: &Upstream, two: &Upstream, url: &str) -> [Gateway; 2] {
    let replica = || with_store(setup(one, two), url).start();
    let replicas = [replica(), replica()];
    for replica in &replicas {
        replica.await_metric("trunkline_limit_store_up", &[], 1.0);
    }
    replicas
}

fn await_count(gateway: &Gateway, result: &str, count: f64) {
    gateway.await_metric(METRIC, &[("result", result)], count);
}

fn provider(response: &Response) -> Option<&str> {
    response.header("x-trunkline-provider")
}

fn make_file(gateway: &Gateway) {
    let made = gateway.send(&at_provider("two", Request::post("/v1/files", "{}")));
    assert_eq!(made.status, 200);
}

fn find_file(gateway: &Gateway) -> Response {
    gateway.send(&Request::get("/v1/files/two-1"))
}

fn await_found(gateway: &Gateway) {
    wait::until("the file to be found", || {
        (provider(&find_file(gateway)) == Some("two")).then_some(())
    });
}

#[test]
fn a_response_is_continued_through_another_replica() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let (one, two) = (creator("one"), creator("two"));
    let [first, second] = two_replicas(&one, &two, &store.url());
    let begin = r#"{"model":"b","input":"i","stream":true}"#;
    assert!(first.send(&Request::post("/v1/responses", begin)).complete);
    await_count(&first, "written", 1.0);
    for _ in 0..8 {
        let next = r#"{"model":"both","input":"i","previous_response_id":"two-stream"}"#;
        let response = second.send(&Request::post("/v1/responses", next));
        assert_eq!(provider(&response), Some("two"));
    }
    let read = second.send(&Request::get("/v1/responses/two-stream"));
    assert_eq!((read.status, provider(&read)), (200, Some("two")));
    // It was looked up once, and is known then.
    await_count(&second, "found", 1.0);
    assert!(one.requests().is_empty());
}

#[test]
fn files_and_batches_are_found_through_another_replica() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let (one, two) = (creator("one"), creator("two"));
    let [first, second] = two_replicas(&one, &two, &store.url());
    make_file(&first);
    await_count(&first, "written", 1.0);
    for request in [
        Request::post("/v1/batches", r#"{"input_file_id":"two-1"}"#),
        Request::get("/v1/files/two-1/content"),
        Request::new("DELETE", "/v1/files/two-1"),
    ] {
        assert_eq!(provider(&second.send(&request)), Some("two"));
    }
    await_count(&second, "written", 1.0);
    let read = first.send(&Request::get("/v1/batches/two-batch"));
    assert_eq!(provider(&read), Some("two"));
    // The response above named the outputs of the batch.
    await_count(&first, "written", 3.0);
    let output = second.send(&Request::get("/v1/files/two-out/content"));
    assert_eq!(provider(&output), Some("two"));
    assert!(one.requests().is_empty());
}

#[test]
fn a_later_process_finds_what_an_earlier_one_recorded() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let (one, two) = (creator("one"), creator("two"));
    let earlier = with_store(setup(&one, &two), &store.url()).start();
    make_file(&earlier);
    // What is not written yet is written at the end.
    earlier.finish();
    let later = with_store(setup(&one, &two), &store.url()).start();
    assert_eq!(provider(&find_file(&later)), Some("two"));
}

#[test]
fn other_requests_look_nothing_up() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let (one, two) = (creator("one"), creator("two"));
    let [gateway, _] = two_replicas(&one, &two, &store.url());
    for (path, body) in [
        (
            "/v1/chat/completions",
            r#"{"model":"b","messages":[],"file_id":"f-1"}"#,
        ),
        (
            "/v1/responses",
            r#"{"model":"b","input":"i","store":false}"#,
        ),
        (
            "/v1/responses",
            r#"{"model":"b","input":[{"call_id":"call_1","id":"fc_1"}],"metadata":{"a_id":"x-1"}}"#,
        ),
    ] {
        assert_eq!(gateway.send(&Request::post(path, body)).status, 200);
    }
    let named = at_provider("one", Request::get("/v1/files/file-1"));
    assert_eq!(gateway.send(&named).status, 200);
    assert_eq!(
        gateway
            .send(&at_provider("one", Request::get("/v1/files")))
            .status,
        200
    );
    // Of the responses, one is kept at the provider.
    await_count(&gateway, "written", 1.0);
    let metrics = gateway.metrics();
    for result in ["found", "unknown", "no_response"] {
        let count = metrics.sum(METRIC, &[("result", result)]);
        assert_eq!(count, Some(0.0), "{result}");
    }
}

#[test]
fn an_unknown_object_is_treated_as_without_a_store() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let (one, two) = (creator("one"), creator("two"));
    let [gateway, _] = two_replicas(&one, &two, &store.url());
    assert_response::error(&find_file(&gateway), 400, "provider_unknown", None);
    await_count(&gateway, "unknown", 1.0);
    let next = r#"{"model":"b","input":"i","previous_response_id":"resp_1"}"#;
    let response = gateway.send(&Request::post("/v1/responses", next));
    assert_eq!((response.status, provider(&response)), (200, Some("two")));
}

#[test]
fn a_store_that_is_away_or_silent_delays_no_request_and_is_written_later() {
    let Some(mut store) = StoreServer::start() else {
        return;
    };
    let (one, two) = (creator("one"), creator("two"));
    let section = format!("[store]\nurl = \"{}\"", store.url());
    let replica = || setup(&one, &two).section(&section).start();
    let [first, second] = [replica(), replica()];
    store.suspend();
    let start = Instant::now();
    assert_response::error(&find_file(&second), 400, "provider_unknown", None);
    let waited = start.elapsed();
    assert!(waited < Duration::from_millis(500), "{waited:?}");
    store.resume();
    store.kill();
    for gateway in [&first, &second] {
        gateway.await_metric("trunkline_limit_store_up", &[], 0.0);
    }
    make_file(&first);
    assert_eq!(provider(&find_file(&first)), Some("two"));
    assert_response::error(&find_file(&second), 400, "provider_unknown", None);
    store.restart(StoreData::Lost);
    await_found(&second);
}

#[test]
fn a_store_that_lost_its_data_gets_it_again() {
    let Some(mut store) = StoreServer::start() else {
        return;
    };
    let (one, two) = (creator("one"), creator("two"));
    let [first, second] = two_replicas(&one, &two, &store.url());
    make_file(&first);
    await_count(&first, "written", 1.0);
    store.restart(StoreData::Lost);
    await_found(&second);
}

#[test]
fn a_restricted_key_reaches_only_its_own_objects_through_any_replica() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let (one, two) = (creator("one"), creator("two"));
    let replica = || {
        with_store(setup(&one, &two), &store.url())
            .key("narrow", "key-narrow", "models = [\"b\"]")
            .key("other", "key-other", "models = [\"b\"]")
            .key("wide", "key-wide", "")
            .start()
    };
    let [first, second, third] = [replica(), replica(), replica()];
    let begin = Request::post("/v1/responses", r#"{"model":"b","input":"i"}"#);
    assert_eq!(first.send(&begin.key("key-narrow")).status, 200);
    await_count(&first, "written", 1.0);
    let again =
        |gateway: &Gateway, key| gateway.send(&Request::get("/v1/responses/two-1").key(key));
    assert_response::error(
        &again(&second, "key-other"),
        404,
        "provider_not_found",
        None,
    );
    assert_eq!(again(&second, "key-narrow").status, 200);
    // One that sees it by its right to the provider does not become its owner.
    let seen = at_provider("two", Request::post("/v1/files", "{}")).key("key-wide");
    assert_eq!(third.send(&seen).status, 200);
    await_count(&third, "written", 1.0);
    assert_eq!(again(&third, "key-narrow").status, 200);
    assert_response::error(&again(&third, "key-other"), 404, "provider_not_found", None);
    let next = r#"{"model":"b","input":"i","previous_response_id":"two-1"}"#;
    let next = |key| third.send(&Request::post("/v1/responses", next).key(key));
    assert_response::error(&next("key-other"), 404, "provider_not_found", None);
    assert_eq!(next("key-narrow").status, 200);
}

#[test]
fn no_id_is_in_the_store_and_an_object_does_not_stay_for_ever() {
    let Some(store) = StoreServer::start() else {
        return;
    };
    let (one, two) = (creator("one"), creator("two"));
    let section = "[store]\nurl = \"URL\"\nprefix = \"prod:\"".replace("URL", &store.url());
    let gateway = setup(&one, &two)
        .section(&section)
        .key("narrow", "key-narrow", "models = [\"b\"]")
        .start();
    let begin = Request::post("/v1/responses", r#"{"model":"b","input":"i"}"#);
    assert_eq!(gateway.send(&begin.key("key-narrow")).status, 200);
    await_count(&gateway, "written", 1.0);
    let keys: Vec<String> = store.command(&["KEYS", "prod:trunkline:1:o:*"]);
    let [key] = &keys[..] else { panic!("{keys:?}") };
    let fields: Vec<String> = store.command(&["HGETALL", key]);
    assert!(fields.contains(&"two".to_owned()) && fields.contains(&"narrow".to_owned()));
    for text in fields.iter().chain([key]) {
        assert!(!text.contains("two-1") && !text.contains("key-"), "{text}");
    }
    let days = |ttl: i64| ttl / (24 * 3600 * 1000);
    assert_eq!(days(store.command(&["PTTL", key])), 29);
}

#[test]
fn objects_leave_room_for_limits() {
    // Half of it is less than an empty server takes.
    let Some(store) = StoreSetup::new().lines("maxmemory 1500kb").start() else {
        return;
    };
    let (one, two) = (creator("one"), creator("two"));
    let [gateway, _] = two_replicas(&one, &two, &store.url());
    make_file(&gateway);
    await_count(&gateway, "dropped", 1.0);
    assert_eq!(provider(&find_file(&gateway)), Some("two"));
}
