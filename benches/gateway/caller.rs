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
use crate::load::{Board, Tally, keep};
use crate::protocol::{
    Answer, LoadOrders, PATH, alias, client_key, now, request_body, stream_bytes, unary_answer,
};

const SCRATCH: usize = 256 << 10;

/// What the connections of one thread share.
#[derive(Debug)]
pub struct Kit {
    pub orders: LoadOrders,
    pub board: Arc<Board>,
    pub tally: Rc<RefCell<Tally>>,
    /// One request for each name.
    requests: Vec<Rc<[u8]>>,
    /// The answer where it is known beforehand.
    expected: Vec<u8>,
    scanner: Scanner,
    /// What all connections read into: none holds on to it.
    scratch: RefCell<Vec<u8>>,
}

/// One connection.
#[derive(Debug)]
pub struct Caller {
    kit: Rc<Kit>,
    socket: TcpStream,
}

/// An answer on its way in.
#[derive(Debug, Default)]
struct Incoming {
    message: Message,
    events: Events,
    text: Vec<u8>,
}

impl Kit {
    pub fn new(orders: LoadOrders, board: Arc<Board>) -> Self {
        Self {
            requests: (0..orders.names)
                .map(|name| request(&orders, name))
                .collect(),
            expected: unary_answer(orders.body as u64),
            orders,
            board,
            tally: Rc::default(),
            scanner: Scanner::new(),
            scratch: RefCell::new(vec![0; SCRATCH]),
        }
    }
}

/// A whole request, with the headers that an SDK sends.
fn request(orders: &LoadOrders, name: usize) -> Rc<[u8]> {
    let streams = matches!(orders.answer, Answer::Stream { .. });
    let body = request_body(orders.body, &alias(name), orders.model_first, streams);
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\naccept: application/json\r\n\
         accept-encoding: gzip, deflate\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\nuser-agent: OpenAI/Python 1.99.0\r\n\
         x-stainless-lang: python\r\nx-stainless-os: Linux\r\nx-stainless-arch: x64\r\n\
         x-stainless-runtime: CPython\r\nx-stainless-retry-count: 0\r\n\
         content-length: {}\r\n\r\n",
        orders.port,
        client_key(name),
        body.len()
    );
    [head.as_bytes(), &body].concat().into()
}

impl Caller {
    pub async fn connect(kit: &Rc<Kit>) -> Result<Self, String> {
        Ok(Self {
            kit: Rc::clone(kit),
            socket: open(kit.orders.port).await?,
        })
    }

    /// Makes one request and checks its answer. Which of the names it calls
    /// follows from its number.
    pub async fn call(&mut self, number: usize, since: Instant) -> Result<(), String> {
        let kit = Rc::clone(&self.kit);
        let request = &kit.requests[number % kit.orders.names];
        let sent = self.socket.write_all(request).await;
        let mut answer = Incoming::default();
        while !answer.message.is_done() {
            let has_begun = answer.events.count > 0;
            if !self.receive(&mut answer).await? {
                let cause = sent.err().map(|error| error.to_string());
                return Err(format!("cut off: {}", cause.unwrap_or_default()));
            }
            if !has_begun && answer.events.count > 0 {
                self.begins(since);
            }
        }
        answer.check(&kit)?;
        kit.board.answered.fetch_add(1, Relaxed);
        if answer.events.count > 0 {
            kit.board.open.fetch_sub(1, Relaxed);
        }
        if kit.board.counts() {
            let mut tally = kit.tally.borrow_mut();
            tally.requests += 1;
            keep(&mut tally.latency, since.elapsed().as_nanos() as u64);
        }
        if answer.message.head().is_some_and(|head| head.closes) {
            self.socket = open(kit.orders.port).await?;
        }
        Ok(())
    }

    /// Notes the first event of a stream.
    fn begins(&self, since: Instant) {
        let board = &self.kit.board;
        board.open.fetch_add(1, Relaxed);
        let alone = self.kit.orders.spread.is_some();
        if alone {
            board.ready.fetch_add(1, Relaxed);
        }
        if alone || board.counts() {
            let mut tally = self.kit.tally.borrow_mut();
            keep(&mut tally.first, since.elapsed().as_nanos() as u64);
        }
    }

    /// Reads once; false at the end of the connection.
    async fn receive(&self, answer: &mut Incoming) -> Result<bool, String> {
        loop {
            self.socket
                .readable()
                .await
                .map_err(|error| error.to_string())?;
            let mut scratch = self.kit.scratch.borrow_mut();
            match self.socket.try_read(&mut scratch) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    answer.take(&self.kit, &scratch[..count])?;
                    return Ok(true);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

impl Incoming {
    fn take(&mut self, kit: &Kit, bytes: &[u8]) -> Result<(), String> {
        let frames = self.message.frames;
        let (before, pieces) = (self.events.count, self.events.pieces);
        let Answer::Stream { .. } = kit.orders.answer else {
            let keep_text = &mut |part: &[u8]| self.text.extend_from_slice(part);
            return self.message.feed(bytes, keep_text);
        };
        let arrived = now();
        let counts = kit.board.counts();
        let mut tally = kit.tally.borrow_mut();
        let mut stamped = |stamp: u64| {
            if counts {
                keep(&mut tally.relay, arrived.saturating_sub(stamp));
            }
        };
        let (message, events, refusal) = (&mut self.message, &mut self.events, &mut self.text);
        let mut fault = None;
        message.feed(bytes, &mut |part| {
            if refusal.len() < 512 {
                refusal.extend_from_slice(part);
            }
            if let Err(wrong) = events.feed(&kit.scanner, part, &mut stamped) {
                fault.get_or_insert(wrong);
            }
        })?;
        let pieces = self.events.pieces - pieces;
        if counts && pieces > 0 {
            tally.chunks += u64::from(self.events.count - before);
            tally.pieces += pieces;
            tally.reads += 1;
            tally.frames += self.message.frames - frames;
        }
        fault.map_or(Ok(()), Err)
    }

    /// Status, length and end must be as the mock sent them.
    fn check(&self, kit: &Kit) -> Result<(), String> {
        let status = self.message.head().map_or(0, |head| head.status);
        if status != 200 {
            let said = String::from_utf8_lossy(&self.text);
            return Err(format!("status {status}: {said}"));
        }
        let exact = kit.orders.exact;
        match kit.orders.answer {
            Answer::Unary if exact && self.text != kit.expected => {
                let said = String::from_utf8_lossy(&self.text);
                Err(format!("not the answer that was sent: {said}"))
            }
            Answer::Unary if self.text.is_empty() => Err("an empty answer".to_owned()),
            Answer::Unary => Ok(()),
            Answer::Stream { chunks, .. } => {
                let sizes = (self.message.bytes, stream_bytes(chunks));
                if self.events.count != chunks || !self.events.is_whole() {
                    let count = self.events.count;
                    return Err(format!("{count} of {chunks} events, or no proper end"));
                }
                if exact && sizes.0 != sizes.1 {
                    return Err(format!("{} bytes of stream for {}", sizes.0, sizes.1));
                }
                Ok(())
            }
        }
    }
}

async fn open(port: u16) -> Result<TcpStream, String> {
    let socket = TcpStream::connect(("127.0.0.1", port))
        .await
        .map_err(|error| error.to_string())?;
    socket
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    Ok(socket)
}
