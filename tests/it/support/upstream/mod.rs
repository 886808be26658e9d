//! A scriptable upstream on raw TCP: it records every byte it gets and can
//! misbehave in every way that a script can write down.

mod endless_stream;
mod exchange;
pub mod http2;
pub mod reply;
pub mod restarting;
pub mod tls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::wait::{DEADLINE, Watched};
pub use endless_stream::endless;
pub use exchange::Exchange;

/// A running upstream; it stops listening with this value.
pub struct Upstream {
    address: SocketAddr,
    scheme: &'static str,
    ledger: Arc<Ledger>,
    stopped: Arc<AtomicBool>,
}

/// What the upstream saw.
type Ledger = Watched<Record>;

#[derive(Default)]
struct Record {
    requests: Vec<Recorded>,
    connections: usize,
    settled: usize,
    ended: Vec<usize>,
}

/// One request as the upstream saw it.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// The head as it came, the empty line included.
    pub head: Vec<u8>,
    pub method: String,
    pub target: String,
    /// Names as they came, values trimmed, in order.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// True when the body came to its end.
    pub complete: bool,
}

/// What a connection is read from and written to.
trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// One connection from the gateway.
struct Link {
    number: usize,
    socket: TcpStream,
    wire: Box<dyn Wire>,
    buffer: Vec<u8>,
    ledger: Arc<Ledger>,
}

impl Upstream {
    /// Calls the handler for each request, in order on each connection.
    pub fn start(handler: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> Self {
        Self::serve("http", |socket| Some(Box::new(socket)), handler)
    }

    /// Gives every request the same answer.
    pub fn answering(answer: impl AsRef<[u8]>) -> Self {
        let answer = answer.as_ref().to_vec();
        Self::start(move |exchange| {
            exchange.read_body();
            exchange.send(&answer);
        })
    }

    /// As [`Upstream::start`], behind TLS; a failed handshake ends the connection.
    pub fn start_tls(
        config: Arc<rustls::ServerConfig>,
        handler: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::serve("https", move |socket| tls::accept(&config, socket), handler)
    }

    /// Accepts connections and hands each to the handler as it is.
    pub fn raw(scheme: &'static str, handler: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let handler = Arc::new(handler);
        Self::listen(scheme, move |socket, number, ledger| {
            handler(socket);
            ledger.with(|record| record.ended.push(number));
        })
    }

    /// The base URL, as the config wants it.
    pub fn base_url(&self) -> String {
        format!("{}://127.0.0.1:{}/v1", self.scheme, self.address.port())
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The requests seen so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.ledger.with(|record| record.requests.clone())
    }

    /// How many connections came so far.
    pub fn connections(&self) -> usize {
        self.ledger.with(|record| record.connections)
    }

    /// Waits for as many heads, then yields all requests seen so far.
    #[track_caller]
    pub fn arrived(&self, count: usize) -> Vec<Recorded> {
        self.ledger
            .wait(&format!("{count} requests at the upstream"), |record| {
                (record.requests.len() >= count).then(|| record.requests.clone())
            })
    }

    /// The only request seen, complete.
    #[track_caller]
    pub fn only(&self) -> Recorded {
        let requests = self.arrived(1);
        assert_eq!(requests.len(), 1, "more than one request upstream");
        assert!(requests[0].complete, "the body never came to its end");
        requests[0].clone()
    }

    /// Waits until as many connections have ended on the gateway's side.
    #[track_caller]
    pub fn ended(&self, count: usize) {
        self.ledger.wait(
            &format!("the end of {count} upstream connections"),
            |record| (record.ended.len() >= count).then_some(()),
        );
    }

    /// Waits until as many requests are done with, the closing of their
    /// connections included.
    #[track_caller]
    pub fn settled(&self, count: usize) {
        self.ledger
            .wait(&format!("{count} requests to be done with"), |record| {
                (record.settled >= count).then_some(())
            });
    }

    fn serve(
        scheme: &'static str,
        open: impl Fn(TcpStream) -> Option<Box<dyn Wire>> + Send + Sync + 'static,
        handler: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::listen(scheme, move |socket, number, ledger| {
            let copy = socket.try_clone().unwrap();
            if let Some(wire) = open(socket) {
                let ledger = Arc::clone(ledger);
                let mut link = Link {
                    number,
                    socket: copy,
                    wire,
                    buffer: Vec::new(),
                    ledger,
                };
                while Exchange::run(&mut link, &handler) {}
            }
            ledger.with(|record| record.ended.push(number));
        })
    }

    fn listen(
        scheme: &'static str,
        connection: impl Fn(TcpStream, usize, &Arc<Ledger>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ledger = Arc::new(Ledger::default());
        let stopped = Arc::new(AtomicBool::new(false));
        let upstream = Self {
            address,
            scheme,
            ledger: Arc::clone(&ledger),
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
                let number = ledger.with(|record| {
                    record.connections += 1;
                    record.connections - 1
                });
                let (connection, ledger) = (Arc::clone(&connection), Arc::clone(&ledger));
                std::thread::spawn(move || connection(socket, number, &ledger));
            }
        });
        upstream
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the accept, which then finds that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

impl Recorded {
    /// Every value of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let of_name = self
            .headers
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// An address at which nothing listens.
pub fn refused_base_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/v1", listener.local_addr().unwrap())
}
