//! One request and what the script does about it.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::time::Duration;

use super::{Link, Recorded, reply};
use crate::support::client::find;

/// One request on one connection, in the hands of the script.
pub struct Exchange<'link> {
    link: &'link mut Link,
    /// Place of the request in the ledger, and how many came before it.
    pub index: usize,
    request: Recorded,
    body_read: bool,
    keep: bool,
    reset: bool,
}

impl Exchange<'_> {
    /// Reads one head and runs the script; false when the connection is over.
    pub(super) fn run(link: &mut Link, handler: &impl Fn(&mut Exchange<'_>)) -> bool {
        let Some(request) = link.head() else {
            return false;
        };
        let index = link.ledger.with(|record| {
            record.requests.push(request.clone());
            record.requests.len() - 1
        });
        let mut exchange = Exchange {
            link,
            index,
            request,
            body_read: false,
            keep: true,
            reset: false,
        };
        handler(&mut exchange);
        if exchange.keep && !exchange.body_read {
            exchange.read_body();
        }
        let Exchange { keep, reset, .. } = exchange;
        if !keep && !reset {
            let _ = link.socket.shutdown(Shutdown::Both);
        }
        link.ledger.with(|record| record.settled += 1);
        keep
    }

    /// The request; its body is empty until it was read.
    pub fn request(&self) -> &Recorded {
        &self.request
    }

    /// Reads the body to its end and records it.
    pub fn read_body(&mut self) -> Vec<u8> {
        if self.body_read {
            return self.request.body.clone();
        }
        self.body_read = true;
        let body = self.link.body(&self.request);
        self.request.complete = body.is_some();
        self.keep &= body.is_some();
        self.request.body = body.unwrap_or_default();
        let (index, request) = (self.index, self.request.clone());
        self.link
            .ledger
            .with(|record| record.requests[index] = request);
        self.request.body.clone()
    }

    /// Begins the answer to a request for a stream, and gives every other one a
    /// whole answer; true for a stream, of which the head has been sent.
    pub fn begins_stream(&mut self) -> bool {
        let streams = String::from_utf8_lossy(&self.read_body()).contains("\"stream\":true");
        let answer = if streams {
            reply::stream_head().into_bytes()
        } else {
            reply::completion("hi")
        };
        self.send(answer);
        streams
    }

    /// Keeps of the request only that it came: for tests that send more than is
    /// worth remembering.
    pub fn forget(&mut self) {
        let (index, connection) = (self.index, self.request.connection);
        self.link.ledger.with(|record| {
            record.requests[index] = Recorded {
                connection,
                ..Recorded::default()
            };
        });
    }

    /// Writes bytes at once; false when the gateway no longer takes them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let wire = &mut self.link.wire;
        let sent = wire.write_all(bytes.as_ref()).and_then(|()| wire.flush());
        self.keep &= sent.is_ok();
        sent.is_ok()
    }

    /// Writes each piece as a segment of its own.
    pub fn send_pieces<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> bool {
        pieces.into_iter().all(|piece| self.send(piece))
    }

    /// Reads so many bytes of what is no HTTP any more; none when the connection
    /// ends first.
    pub fn take_raw(&mut self, count: usize) -> Option<Vec<u8>> {
        self.keep = false;
        self.link.exactly(count)
    }

    /// Waits until the gateway ends the connection, reading on until then;
    /// false when it does not in time.
    pub fn gateway_left(&mut self) -> bool {
        self.keep = false;
        let mut bytes = [0; 4096];
        loop {
            match self.link.wire.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                }
            }
        }
    }

    /// Ends the sending side, then waits until the gateway ends the other.
    pub fn finish(&mut self) -> bool {
        let _ = self.link.socket.shutdown(Shutdown::Write);
        self.gateway_left()
    }

    /// Ends the connection by FIN when the script returns.
    pub fn close(&mut self) {
        self.keep = false;
    }

    /// Ends the connection by RST when the script returns.
    pub fn reset(&mut self) {
        self.keep = false;
        self.reset = true;
        socket2::SockRef::from(&self.link.socket)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}

impl Link {
    /// Reads one head; none at the end of the connection.
    fn head(&mut self) -> Option<Recorded> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
        let mut first = lines.next()?.split(' ').map(str::to_owned);
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                (name.to_owned(), value.trim().to_owned())
            })
            .collect();
        Some(Recorded {
            connection: self.number,
            method: first.next()?,
            target: first.next()?,
            head,
            headers,
            body: Vec::new(),
            complete: false,
        })
    }

    /// Reads the body that a head announces; none when it is cut.
    fn body(&mut self, request: &Recorded) -> Option<Vec<u8>> {
        if request.header("transfer-encoding").is_some() {
            return self.chunked();
        }
        let length = request
            .header("content-length")
            .map_or(Ok(0), str::parse)
            .ok()?;
        self.exactly(length)
    }

    fn chunked(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line()?;
            let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Some(body);
            }
            body.extend(self.exactly(size)?);
            self.exactly(2)?;
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return String::from_utf8(line[..at].to_vec()).ok();
            }
            self.fill()?;
        }
    }

    fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill()?;
        }
        Some(self.buffer.drain(..count).collect())
    }

    fn fill(&mut self) -> Option<()> {
        let mut bytes = [0; 16 * 1024];
        let count = self.wire.read(&mut bytes).ok().filter(|count| *count > 0)?;
        self.buffer.extend(&bytes[..count]);
        Some(())
    }
}
