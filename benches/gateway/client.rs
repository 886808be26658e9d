//! One connection of the load generator.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::events::{Events, Scanner};
use crate::http1::Message;
use crate::load::{Progress, Tally, push_sample};
use crate::protocol::{
    LoadSettings, PATH, ResponseKind, alias, client_key, now, stream_bytes, unary_body,
};

const SCRATCH: usize = 256 << 10;

/// State shared by the connections of one thread.
#[derive(Debug)]
pub struct Shared {
    pub settings: LoadSettings,
    pub progress: Arc<Progress>,
    pub tally: Rc<RefCell<Tally>>,
    /// One request per alias.
    requests: Vec<Rc<[u8]>>,
    /// The expected unary response.
    expected: Vec<u8>,
    scanner: Scanner,
    /// Read buffer of all connections; none keeps data in it.
    scratch: RefCell<Vec<u8>>,
}

#[derive(Debug)]
pub struct Client {
    shared: Rc<Shared>,
    socket: TcpStream,
}

#[derive(Debug, Default)]
struct IncomingResponse {
    message: Message,
    events: Events,
    text: Vec<u8>,
}

impl Shared {
    pub fn new(settings: LoadSettings, progress: Arc<Progress>) -> Self {
        Self {
            requests: (0..settings.alias_count)
                .map(|name| request(&settings, name))
                .collect(),
            expected: unary_body(settings.body.body_length(settings.streams()) as u64),
            settings,
            progress,
            tally: Rc::default(),
            scanner: Scanner::new(),
            scratch: RefCell::new(vec![0; SCRATCH]),
        }
    }
}

/// A request with the headers of an SDK.
fn request(settings: &LoadSettings, name: usize) -> Rc<[u8]> {
    let body = settings.body.body(&alias(name), settings.streams());
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\naccept: application/json\r\n\
         accept-encoding: gzip, deflate\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\nuser-agent: OpenAI/Python 1.99.0\r\n\
         x-stainless-lang: python\r\nx-stainless-os: Linux\r\nx-stainless-arch: x64\r\n\
         x-stainless-runtime: CPython\r\nx-stainless-retry-count: 0\r\n\
         {}content-length: {}\r\n\r\n",
        settings.port,
        client_key(name),
        settings.field_lines,
        body.len()
    );
    [head.as_bytes(), &body].concat().into()
}

impl Client {
    pub async fn connect(shared: &Rc<Shared>) -> Result<Self, String> {
        Ok(Self {
            shared: Rc::clone(shared),
            socket: connect(shared.settings.port).await?,
        })
    }

    /// Sends one request and checks its response. `number` selects the alias.
    pub async fn call(&mut self, number: usize, since: Instant) -> Result<(), String> {
        let shared = Rc::clone(&self.shared);
        let request = &shared.requests[number % shared.settings.alias_count];
        let sent = self.socket.write_all(request).await;
        let mut response = IncomingResponse::default();
        while !response.message.is_done() {
            let has_begun = response.events.count > 0;
            if !self.receive(&mut response).await? {
                let cause = sent.err().map(|error| error.to_string());
                return Err(format!("connection closed: {}", cause.unwrap_or_default()));
            }
            if !has_begun && response.events.count > 0 {
                self.record_first_event(since);
            }
        }
        response.check(&shared)?;
        shared.progress.responses.fetch_add(1, Relaxed);
        if response.events.count > 0 {
            shared.progress.open.fetch_sub(1, Relaxed);
        }
        if shared.progress.in_window() {
            let mut tally = shared.tally.borrow_mut();
            tally.requests += 1;
            push_sample(&mut tally.latency, since.elapsed().as_nanos() as u64);
        }
        if response.message.head().is_some_and(|head| head.closes) {
            self.socket = connect(shared.settings.port).await?;
        }
        Ok(())
    }

    /// Records the first event of a stream.
    fn record_first_event(&self, since: Instant) {
        let progress = &self.shared.progress;
        progress.open.fetch_add(1, Relaxed);
        let single_request = self.shared.settings.spread.is_some();
        if single_request {
            progress.ready.fetch_add(1, Relaxed);
        }
        if single_request || progress.in_window() {
            let mut tally = self.shared.tally.borrow_mut();
            push_sample(&mut tally.first, since.elapsed().as_nanos() as u64);
        }
    }

    /// Reads once; false at the end of the connection.
    async fn receive(&self, response: &mut IncomingResponse) -> Result<bool, String> {
        loop {
            self.socket
                .readable()
                .await
                .map_err(|error| error.to_string())?;
            let mut scratch = self.shared.scratch.borrow_mut();
            match self.socket.try_read(&mut scratch) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    response.feed(&self.shared, &scratch[..count])?;
                    return Ok(true);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

impl IncomingResponse {
    fn feed(&mut self, shared: &Shared, bytes: &[u8]) -> Result<(), String> {
        let frames = self.message.frames;
        let (before, events_total) = (self.events.count, self.events.total);
        let ResponseKind::Stream { .. } = shared.settings.response else {
            let keep_text = &mut |part: &[u8]| self.text.extend_from_slice(part);
            return self.message.feed(bytes, keep_text);
        };
        let arrived = now();
        let in_window = shared.progress.in_window();
        let mut tally = shared.tally.borrow_mut();
        let mut stamped = |stamp: u64| {
            if in_window {
                push_sample(&mut tally.relay, arrived.saturating_sub(stamp));
            }
        };
        let (message, events, error_body) = (&mut self.message, &mut self.events, &mut self.text);
        let mut error = None;
        message.feed(bytes, &mut |part| {
            if error_body.len() < 512 {
                error_body.extend_from_slice(part);
            }
            if let Err(invalid) = events.feed(&shared.scanner, part, &mut stamped) {
                error.get_or_insert(invalid);
            }
        })?;
        let events_total = self.events.total - events_total;
        if in_window && events_total > 0 {
            tally.chunks += u64::from(self.events.count - before);
            tally.events_total += events_total;
            tally.reads += 1;
            tally.frames += self.message.frames - frames;
        }
        error.map_or(Ok(()), Err)
    }

    /// Checks status, length and end of the response.
    fn check(&self, shared: &Shared) -> Result<(), String> {
        let status = self.message.head().map_or(0, |head| head.status);
        if status != 200 {
            let body = String::from_utf8_lossy(&self.text);
            return Err(format!("status {status}: {body}"));
        }
        let exact = shared.settings.exact;
        match shared.settings.response {
            ResponseKind::Unary if exact && self.text != shared.expected => {
                let body = String::from_utf8_lossy(&self.text);
                Err(format!("not the response that was sent: {body}"))
            }
            ResponseKind::Unary if self.text.is_empty() => Err("empty response".to_owned()),
            ResponseKind::Unary => Ok(()),
            ResponseKind::Stream { chunks, .. } => {
                let sizes = (self.message.bytes, stream_bytes(chunks));
                if self.events.count != chunks || !self.events.is_complete() {
                    let count = self.events.count;
                    return Err(format!("{count} of {chunks} events, or no regular end"));
                }
                if exact && sizes.0 != sizes.1 {
                    return Err(format!("{} bytes of stream for {}", sizes.0, sizes.1));
                }
                Ok(())
            }
        }
    }
}

async fn connect(port: u16) -> Result<TcpStream, String> {
    let socket = TcpStream::connect(("127.0.0.1", port))
        .await
        .map_err(|error| error.to_string())?;
    socket
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    Ok(socket)
}
