//! A scriptable upstream on raw TCP. It records every byte it receives, and can
//! misbehave in every way that a script can express.

mod endless_stream;
mod exchange;
pub mod http2;
pub mod response;
pub mod restarting;
pub mod tls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, Socket, Type};

use crate::support::wait::{DEADLINE, Semaphore, Watched};
pub use endless_stream::endless_stream;
pub use exchange::Exchange;

/// A running upstream; it stops listening on drop.
pub struct Upstream {
    address: SocketAddr,
    scheme: &'static str,
    recorder: Arc<Recorder>,
    stopped: Arc<AtomicBool>,
}

type Recorder = Watched<Records>;

#[derive(Default)]
struct Records {
    requests: Vec<RecordedRequest>,
    connections: usize,
    finished: usize,
    ended: Vec<usize>,
}

/// One request, as received.
#[derive(Debug, Clone, Default)]
pub struct RecordedRequest {
    /// Index of its connection, from 0.
    pub connection: usize,
    /// The raw head, including the empty line.
    pub head: Vec<u8>,
    pub method: String,
    pub target: String,
    /// Original names and trimmed values, in order.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    pub complete: bool,
}

trait Transport: Read + Write + Send {}
impl<T: Read + Write + Send> Transport for T {}

struct Connection {
    number: usize,
    socket: TcpStream,
    wire: Box<dyn Transport>,
    buffer: Vec<u8>,
    recorder: Arc<Recorder>,
}

impl Upstream {
    /// Calls the handler for each request, in order on each connection.
    pub fn start(handler: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> Self {
        Self::serve("http", |socket| Some(Box::new(socket)), handler)
    }

    /// Responds to each request once there is a permit for it.
    pub fn gated(gate: &Arc<Semaphore>) -> Self {
        let gate = Arc::clone(gate);
        Self::start(move |exchange| {
            exchange.read_body();
            gate.acquire();
            exchange.send(response::completion("hi"));
        })
    }

    /// Sends the same response to every request.
    pub fn with_response(response: impl AsRef<[u8]>) -> Self {
        let response = response.as_ref().to_vec();
        Self::start(move |exchange| {
            exchange.read_body();
            exchange.send(&response);
        })
    }

    /// As [`Upstream::start`], over TLS; a failed handshake ends the connection.
    pub fn start_tls(
        config: Arc<rustls::ServerConfig>,
        handler: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::serve("https", move |socket| tls::accept(&config, socket), handler)
    }

    /// Accepts connections and passes each to the handler unread.
    pub fn raw(scheme: &'static str, handler: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let handler = Arc::new(handler);
        Self::listen(scheme, move |socket, number, recorder| {
            handler(socket);
            recorder.with(|record| record.ended.push(number));
        })
    }

    pub fn base_url(&self) -> String {
        format!("{}://127.0.0.1:{}/v1", self.scheme, self.address.port())
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.recorder.with(|record| record.requests.clone())
    }

    pub fn connections(&self) -> usize {
        self.recorder.with(|record| record.connections)
    }

    /// Waits for `count` requests, then returns all received so far.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) -> Vec<RecordedRequest> {
        self.recorder
            .wait(&format!("{count} requests at the upstream"), |record| {
                (record.requests.len() >= count).then(|| record.requests.clone())
            })
    }

    /// The only request received; it must be complete.
    #[track_caller]
    pub fn only_request(&self) -> RecordedRequest {
        let requests = self.wait_for_requests(1);
        assert_eq!(requests.len(), 1, "more than one request at the upstream");
        assert!(requests[0].complete, "the body is incomplete");
        requests[0].clone()
    }

    /// Waits until the gateway has ended `count` connections.
    #[track_caller]
    pub fn wait_for_closed(&self, count: usize) {
        self.recorder.wait(
            &format!("the end of {count} upstream connections"),
            |record| (record.ended.len() >= count).then_some(()),
        );
    }

    /// Waits until `count` requests are finished, including the close of their
    /// connections.
    #[track_caller]
    pub fn wait_for_finished(&self, count: usize) {
        self.recorder
            .wait(&format!("{count} finished requests"), |record| {
                (record.finished >= count).then_some(())
            });
    }

    fn serve(
        scheme: &'static str,
        open: impl Fn(TcpStream) -> Option<Box<dyn Transport>> + Send + Sync + 'static,
        handler: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::listen(scheme, move |socket, number, recorder| {
            let copy = socket.try_clone().unwrap();
            if let Some(wire) = open(socket) {
                let recorder = Arc::clone(recorder);
                let mut stream = Connection {
                    number,
                    socket: copy,
                    wire,
                    buffer: Vec::new(),
                    recorder,
                };
                while Exchange::run(&mut stream, &handler) {}
            }
            recorder.with(|record| record.ended.push(number));
        })
    }

    fn listen(
        scheme: &'static str,
        connection: impl Fn(TcpStream, usize, &Arc<Recorder>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let recorder = Arc::new(Recorder::default());
        let stopped = Arc::new(AtomicBool::new(false));
        let upstream = Self {
            address,
            scheme,
            recorder: Arc::clone(&recorder),
            stopped: Arc::clone(&stopped),
        };
        let connection = Arc::new(connection);
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                socket.set_nodelay(true).unwrap();
                socket.set_read_timeout(Some(DEADLINE)).unwrap();
                socket.set_write_timeout(Some(DEADLINE)).unwrap();
                let number = recorder.with(|record| {
                    record.connections += 1;
                    record.connections - 1
                });
                let (connection, recorder) = (Arc::clone(&connection), Arc::clone(&recorder));
                std::thread::spawn(move || connection(socket, number, &recorder));
            }
        });
        upstream
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes `accept`, which then sees `stopped`.
        let _ = TcpStream::connect(self.address);
    }
}

impl RecordedRequest {
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        let of_name = self
            .headers
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).first().copied()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// The base URL of an address at which nothing listens. It stays bound until the test
/// ends: an upstream of another test could get a free port, and its requests.
pub fn refused_base_url() -> String {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    std::mem::forget(socket);
    format!("http://{address}/v1")
}
