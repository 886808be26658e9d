//! One request at a scripted upstream.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::time::Duration;

use super::{Connection, RecordedRequest, response};
use crate::support::client::find;

pub struct Exchange<'connection> {
    connection: &'connection mut Connection,
    /// The request's index in the recorder.
    pub index: usize,
    request: RecordedRequest,
    body_read: bool,
    keep_alive: bool,
    reset: bool,
}

impl Exchange<'_> {
    /// Reads one head and runs the script; false if the connection is over.
    pub(super) fn run(connection: &mut Connection, handler: &impl Fn(&mut Exchange<'_>)) -> bool {
        let Some(request) = connection.read_head() else {
            return false;
        };
        let index = connection.recorder.with(|record| {
            record.requests.push(request.clone());
            record.requests.len() - 1
        });
        let mut exchange = Exchange {
            connection,
            index,
            request,
            body_read: false,
            keep_alive: true,
            reset: false,
        };
        handler(&mut exchange);
        if exchange.keep_alive && !exchange.body_read {
            exchange.read_body();
        }
        let Exchange {
            keep_alive, reset, ..
        } = exchange;
        if !keep_alive && !reset {
            let _ = connection.socket.shutdown(Shutdown::Both);
        }
        connection.recorder.with(|record| record.finished += 1);
        keep_alive
    }

    /// The request; its body is empty until it is read.
    pub fn request(&self) -> &RecordedRequest {
        &self.request
    }

    /// Reads the body to its end and records it.
    pub fn read_body(&mut self) -> Vec<u8> {
        if self.body_read {
            return self.request.body.clone();
        }
        self.body_read = true;
        let body = self.connection.read_body(&self.request);
        self.request.complete = body.is_some();
        self.keep_alive &= body.is_some();
        self.request.body = body.unwrap_or_default();
        let (index, request) = (self.index, self.request.clone());
        self.connection
            .recorder
            .with(|record| record.requests[index] = request);
        self.request.body.clone()
    }

    /// Sends the head of a stream if the request asks for one, else a complete
    /// response; true for a stream.
    pub fn start_stream_if_requested(&mut self) -> bool {
        let streams = String::from_utf8_lossy(&self.read_body()).contains("\"stream\":true");
        let response = if streams {
            response::stream_head().into_bytes()
        } else {
            response::completion("hi")
        };
        self.send(response);
        streams
    }

    /// Drops all that was recorded of the request except its connection, to bound
    /// the memory of tests with many requests.
    pub fn discard_record(&mut self) {
        let (index, connection) = (self.index, self.request.connection);
        self.connection.recorder.with(|record| {
            record.requests[index] = RecordedRequest {
                connection,
                ..RecordedRequest::default()
            };
        });
    }

    /// Writes and flushes; false if the gateway has closed the connection.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let wire = &mut self.connection.wire;
        let sent = wire.write_all(bytes.as_ref()).and_then(|()| wire.flush());
        self.keep_alive &= sent.is_ok();
        sent.is_ok()
    }

    /// Writes each slice as its own TCP segment.
    pub fn send_segments<'a>(&mut self, segments: impl IntoIterator<Item = &'a [u8]>) -> bool {
        segments.into_iter().all(|segment| self.send(segment))
    }

    /// Reads raw bytes after a protocol switch; `None` if the connection ends
    /// first.
    pub fn read_raw(&mut self, count: usize) -> Option<Vec<u8>> {
        self.keep_alive = false;
        self.connection.read_exact(count)
    }

    /// Reads until the gateway ends the connection; false if it does not in time.
    pub fn wait_for_disconnect(&mut self) -> bool {
        self.keep_alive = false;
        let mut bytes = [0; 4096];
        loop {
            match self.connection.wire.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                }
            }
        }
    }

    /// Shuts down the sending side, then waits until the gateway disconnects.
    pub fn shutdown_write(&mut self) -> bool {
        let _ = self.connection.socket.shutdown(Shutdown::Write);
        self.wait_for_disconnect()
    }

    /// Ends the connection with FIN when the script returns.
    pub fn close(&mut self) {
        self.keep_alive = false;
    }

    /// Ends the connection with RST when the script returns.
    pub fn reset(&mut self) {
        self.keep_alive = false;
        self.reset = true;
        socket2::SockRef::from(&self.connection.socket)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}

impl Connection {
    /// Reads one head; `None` at the end of the connection.
    fn read_head(&mut self) -> Option<RecordedRequest> {
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
        Some(RecordedRequest {
            connection: self.number,
            method: first.next()?,
            target: first.next()?,
            head,
            headers,
            body: Vec::new(),
            complete: false,
        })
    }

    /// Reads the body that a head announces; `None` if it is truncated.
    fn read_body(&mut self, request: &RecordedRequest) -> Option<Vec<u8>> {
        if request.header("transfer-encoding").is_some() {
            return self.read_chunked();
        }
        let length = request
            .header("content-length")
            .map_or(Ok(0), str::parse)
            .ok()?;
        self.read_exact(length)
    }

    fn read_chunked(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.read_line()?;
            let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                while !self.read_line()?.is_empty() {}
                return Some(body);
            }
            body.extend(self.read_exact(size)?);
            self.read_exact(2)?;
        }
    }

    fn read_line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return String::from_utf8(line[..at].to_vec()).ok();
            }
            self.fill()?;
        }
    }

    fn read_exact(&mut self, count: usize) -> Option<Vec<u8>> {
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
