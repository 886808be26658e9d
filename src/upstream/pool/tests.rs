//! Ends of connections: age, and addresses that a name loses.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{poll_fn, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Channel;
use http_body_util::channel::Sender;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{advance, pause, resume, timeout};

use super::Pool;
use crate::config::tests::Trial;
use crate::executor::LocalExecutor;
use crate::telemetry::metric::Registry;
use crate::upstream::http1::Scratch;
use crate::upstream::{Builder, UpstreamBody};

const MAX_AGE: Duration = Duration::from_secs(300);
/// Long enough for a lookup to be due.
const WATCH_INTERVAL: Duration = Duration::from_secs(10);

/// Responds with the number of the connection in a header field; to `/held`, with a body
/// that ends when the test says so.
struct Server {
    address: String,
    held: Rc<RefCell<Vec<Sender<Bytes>>>>,
    closed: watch::Receiver<usize>,
}

impl Server {
    async fn start(is_http2: bool) -> Self {
        Self::start_at("127.0.0.1:0", is_http2).await
    }

    async fn start_at(address: &str, is_http2: bool) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let held = Rc::new(RefCell::new(Vec::new()));
        let (closing, closed) = watch::channel(0);
        let senders = Rc::clone(&held);
        spawn_local(async move {
            for number in 1.. {
                let (socket, _) = listener.accept().await.unwrap();
                let io = TokioIo::new(socket);
                let (held, closing) = (Rc::clone(&senders), closing.clone());
                let service = service_fn(move |request| {
                    ready(Ok::<_, Infallible>(respond(&request, number, &held)))
                });
                spawn_local(async move {
                    let _ = if is_http2 {
                        let builder = http2::Builder::new(LocalExecutor);
                        builder.serve_connection(io, service).await
                    } else {
                        let builder = http1::Builder::new();
                        builder.serve_connection(io, service).await
                    };
                    closing.send_modify(|count| *count += 1);
                });
            }
        });
        Self {
            address,
            held,
            closed,
        }
    }

    fn end_held(&self) {
        self.held.borrow_mut().clear();
    }

    fn closed(&self) -> usize {
        *self.closed.borrow()
    }

    async fn wait_for_closed(&self, expected: usize) {
        let mut closed = self.closed.clone();
        let waiting = closed.wait_for(|count| *count == expected);
        timeout(Duration::from_secs(20), waiting)
            .await
            .unwrap()
            .unwrap();
    }
}

fn respond(
    request: &Request<Incoming>,
    connection: usize,
    held: &RefCell<Vec<Sender<Bytes>>>,
) -> Response<Channel<Bytes>> {
    let (sender, body) = Channel::new(1);
    if request.uri().path() == "/held" {
        held.borrow_mut().push(sender);
    }
    let response = Response::builder().header("x-connection", connection);
    response.body(body).unwrap()
}

/// A pool whose upstream has these lines, at `model.test`.
fn pool(lines: &str) -> Rc<Pool> {
    let text = format!("[providers.up]\nbase_url = \"http://model.test/v1\"\n{lines}");
    let provider = Trial::file(&text).provider("up");
    let built = Builder::new(Registry::new()).build(&provider, None);
    let upstream = Some(built.unwrap().unwrap());
    Rc::new(Pool::new(upstream, Scratch::default()))
}

fn lines(is_http2: bool, max_age: &str) -> String {
    let http = if is_http2 { "http2" } else { "http1" };
    format!("http = \"{http}\"\npool = {{ idle_timeout = \"9h\", max_age = \"{max_age}\" }}")
}

/// Sends a request; the number of its connection, and its body.
async fn send(pool: &Rc<Pool>, path: &str) -> (usize, UpstreamBody) {
    let upstream = Arc::clone(pool.upstream().unwrap());
    let request = upstream.get_request(path.parse().unwrap(), 0);
    let timeouts = &upstream.provider.timeouts;
    let sent = Cell::default();
    let exchange = pool.exchange(&upstream, request, timeouts, None, &sent);
    let (start, lease) = exchange.await.unwrap();
    let number = start.head.headers["x-connection"].to_str().unwrap();
    let number = number.parse().unwrap();
    let body = UpstreamBody::new(lease, start.stream, start.head.keep_alive_hint);
    (number, body)
}

async fn finish(mut body: UpstreamBody) {
    while let Some(chunk) = poll_fn(|context| body.poll_chunk(context)).await {
        chunk.unwrap();
    }
}

/// Sends a whole request; the number of its connection.
async fn ask(pool: &Rc<Pool>) -> usize {
    let (number, body) = send(pool, "/").await;
    finish(body).await;
    number
}

async fn pass(time: Duration) {
    pause();
    advance(time).await;
    resume();
}

/// Sweeps, and waits until the pool has looked the name up.
async fn sweep_with_lookup(pool: &Rc<Pool>) {
    let resolver = &pool.upstream().unwrap().resolver;
    let before = resolver.lookups();
    pool.sweep();
    while resolver.lookups() == before || resolver.is_watch_due() {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
}

fn let_find(pool: &Rc<Pool>, servers: &[&Server]) {
    let addresses: Vec<&str> = servers.iter().map(|it| it.address.as_str()).collect();
    pool.upstream().unwrap().resolver.let_find(&addresses);
}

async fn local(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_connection_takes_no_request_past_its_age() {
    for is_http2 in [false, true] {
        local(async {
            let server = Server::start(is_http2).await;
            let pool = pool(&lines(is_http2, "5m"));
            let_find(&pool, &[&server]);
            assert_eq!((ask(&pool).await, ask(&pool).await), (1, 1));
            pass(MAX_AGE.mul_f64(0.79)).await;
            assert_eq!(ask(&pool).await, 1);
            pass(MAX_AGE.mul_f64(0.22)).await;
            assert_eq!((ask(&pool).await, ask(&pool).await), (2, 2));
            pool.sweep();
            server.wait_for_closed(1).await;
        })
        .await;
    }
}

#[tokio::test]
async fn requests_in_flight_are_finished_past_the_age_of_their_connection() {
    for is_http2 in [false, true] {
        local(async {
            let server = Server::start(is_http2).await;
            let pool = pool(&lines(is_http2, "5m"));
            let_find(&pool, &[&server]);
            let (number, first) = send(&pool, "/held").await;
            assert_eq!(number, 1);
            pass(MAX_AGE).await;
            pool.sweep();
            let (number, second) = send(&pool, "/held").await;
            assert_eq!(number, 2, "HTTP/2: {is_http2}");
            assert_eq!(server.closed(), 0);
            server.end_held();
            finish(first).await;
            finish(second).await;
            server.wait_for_closed(1).await;
            assert_eq!(ask(&pool).await, 2);
        })
        .await;
    }
}

#[tokio::test]
async fn a_stream_keeps_an_old_http2_connection_until_the_last_one_ends() {
    local(async {
        let server = Server::start(true).await;
        let pool = pool(&lines(true, "5m"));
        let_find(&pool, &[&server]);
        let (_, first) = send(&pool, "/held").await;
        let (number, second) = send(&pool, "/held").await;
        assert_eq!(number, 1);
        pass(MAX_AGE).await;
        pool.sweep();
        server.held.borrow_mut().remove(0);
        finish(first).await;
        assert_eq!(ask(&pool).await, 2);
        assert_eq!(server.closed(), 0);
        server.end_held();
        finish(second).await;
        server.wait_for_closed(1).await;
    })
    .await;
}

#[tokio::test]
async fn without_a_maximum_age_a_connection_is_kept() {
    for is_http2 in [false, true] {
        local(async {
            let server = Server::start(is_http2).await;
            let pool = pool(&lines(is_http2, "off"));
            let_find(&pool, &[&server]);
            assert_eq!(ask(&pool).await, 1);
            pass(Duration::from_secs(8 * 3600)).await;
            pool.sweep();
            assert_eq!(ask(&pool).await, 1);
        })
        .await;
    }
}

#[tokio::test]
async fn a_connection_to_an_address_that_the_name_lost_takes_no_request() {
    for is_http2 in [false, true] {
        local(async {
            let (old, new) = (Server::start(is_http2).await, Server::start(is_http2).await);
            let pool = pool(&lines(is_http2, "off"));
            let_find(&pool, &[&old]);
            let (number, held) = send(&pool, "/held").await;
            assert_eq!(number, 1);
            assert_eq!(ask(&pool).await, if is_http2 { 1 } else { 2 });
            let_find(&pool, &[&new]);
            pass(WATCH_INTERVAL).await;
            sweep_with_lookup(&pool).await;
            let (_, at_new) = send(&pool, "/held").await;
            assert_eq!(new.held.borrow().len(), 1, "HTTP/2: {is_http2}");
            // The one in flight is finished, and its connection not reused either.
            old.end_held();
            finish(held).await;
            old.wait_for_closed(if is_http2 { 1 } else { 2 }).await;
            new.end_held();
            finish(at_new).await;
        })
        .await;
    }
}

#[tokio::test]
async fn another_workers_lookup_counts_at_the_next_request() {
    local(async {
        let (old, new) = (Server::start(false).await, Server::start(false).await);
        let pool = pool(&lines(false, "off"));
        let_find(&pool, &[&old]);
        ask(&pool).await;
        let_find(&pool, &[&new]);
        pass(WATCH_INTERVAL).await;
        pool.upstream().unwrap().resolver.watch().await;
        let (_, body) = send(&pool, "/held").await;
        assert_eq!(new.held.borrow().len(), 1);
        drop(body);
        old.wait_for_closed(1).await;
    })
    .await;
}

#[tokio::test]
async fn a_new_address_changes_no_connection_but_gets_new_ones() {
    local(async {
        let (old, new) = (Server::start(false).await, Server::start(false).await);
        let pool = pool(&lines(false, "off"));
        let_find(&pool, &[&old]);
        ask(&pool).await;
        let_find(&pool, &[&old, &new]);
        pass(WATCH_INTERVAL).await;
        sweep_with_lookup(&pool).await;
        assert_eq!(old.closed(), 0);
        let (mut number, mut bodies) = (0, Vec::new());
        while bodies.len() < 5 {
            let (connection, body) = send(&pool, "/held").await;
            number = number.max(connection);
            bodies.push(body);
        }
        // The pooled one, and four new ones in turn.
        assert_eq!(old.held.borrow().len(), 3);
        assert_eq!(new.held.borrow().len(), 2);
        assert_eq!(number, 3);
    })
    .await;
}

#[tokio::test]
async fn a_failing_lookup_keeps_connections_even_past_their_age() {
    for is_http2 in [false, true] {
        local(async {
            let server = Server::start(is_http2).await;
            let pool = pool(&lines(is_http2, "5m"));
            let_find(&pool, &[&server]);
            assert_eq!(ask(&pool).await, 1);
            pool.upstream().unwrap().resolver.let_fail();
            pass(WATCH_INTERVAL).await;
            sweep_with_lookup(&pool).await;
            assert_eq!(ask(&pool).await, 1);
            pass(MAX_AGE).await;
            assert_eq!(ask(&pool).await, 1, "HTTP/2: {is_http2}");
            let_find(&pool, &[&server]);
            sweep_with_lookup(&pool).await;
            assert_eq!(ask(&pool).await, 2);
        })
        .await;
    }
}

#[tokio::test]
async fn a_name_is_looked_up_while_its_connections_are_used_and_no_longer() {
    local(async {
        let server = Server::start(false).await;
        let pool = pool("http = \"http1\"\npool = { idle_timeout = \"15s\" }");
        let_find(&pool, &[&server]);
        let lookups = || pool.upstream().unwrap().resolver.lookups();
        pool.sweep();
        tokio::task::yield_now().await;
        assert_eq!(lookups(), 0);
        // Never idle when the pool is swept.
        let (_, body) = send(&pool, "/held").await;
        pass(WATCH_INTERVAL).await;
        sweep_with_lookup(&pool).await;
        assert_eq!(lookups(), 2);
        drop(body);
        for _ in 0..5 {
            pass(WATCH_INTERVAL).await;
            pool.sweep();
            tokio::task::yield_now().await;
        }
        assert_eq!(lookups(), 2);
    })
    .await;
}

#[tokio::test]
async fn wo02_a_server_on_either_address_of_a_name_is_reached() {
    for (address, other) in [("127.0.0.1:0", "[::1]"), ("[::1]:0", "127.0.0.1")] {
        if TcpListener::bind(address).await.is_err() {
            eprintln!("skipped: no IPv6 here");
            continue;
        }
        local(async {
            let server = Server::start_at(address, false).await;
            let pool = pool(&lines(false, "off"));
            let port = server.address.rsplit(':').next().unwrap();
            let refused = format!("{other}:{port}");
            let resolver = &pool.upstream().unwrap().resolver;
            for order in [[&refused, &server.address], [&server.address, &refused]] {
                resolver.let_find(&order.map(String::as_str));
                pass(WATCH_INTERVAL).await;
                let (_, body) = send(&pool, "/held").await;
                drop(body);
            }
            assert_eq!(server.held.borrow().len(), 2);
        })
        .await;
    }
}
