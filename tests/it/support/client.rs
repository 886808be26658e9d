//! A raw HTTP/1.1 client: the exact bytes out, every piece of the answer in.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

pub use crate::support::request::Request;
use crate::support::wait::DEADLINE;

/// One connection to the gateway.
pub struct Client {
    socket: Socket,
    buffer: Vec<u8>,
    body: Body,
    head_only: bool,
}

/// What a client is connected by.
enum Socket {
    Plain(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub struct Head {
    pub status: u16,
    /// Names in lower case, values as they came, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The head as it came, the empty line included.
    pub raw: Vec<u8>,
}

/// Part of an answer's body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that came.
    Data(Vec<u8>),
    /// The body ended as its framing says.
    End,
    /// The connection ended first, or the framing broke.
    Abort,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: Head,
    /// Heads of status 1xx that came before.
    pub interim: Vec<Head>,
    pub body: Vec<u8>,
    /// False when the connection ended before the body did.
    pub complete: bool,
}

/// Where the body of the answer being read stands.
enum Body {
    Done,
    Length(u64),
    Chunked(Option<u64>),
    UntilClose,
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(Socket::Plain(dial(address)))
    }

    /// At a Unix-domain socket.
    #[track_caller]
    pub fn connect_unix(path: &Path) -> Self {
        let socket = UnixStream::connect(path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        Self::over(Socket::Unix(socket))
    }

    /// Over TLS; the handshake comes with the first bytes.
    #[track_caller]
    pub fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let name = address.ip().into();
        let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
        let stream = StreamOwned::new(connection, dial(address));
        Self::over(Socket::Tls(Box::new(stream)))
    }

    fn over(socket: Socket) -> Self {
        Self {
            socket,
            buffer: Vec::new(),
            body: Body::Done,
            head_only: false,
        }
    }

    /// Writes bytes; they must all go out.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    /// Writes bytes; the other side may have closed.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.head_only = bytes.starts_with(b"HEAD ");
        match &mut self.socket {
            Socket::Plain(socket) => socket.write_all(bytes),
            Socket::Unix(socket) => socket.write_all(bytes),
            Socket::Tls(stream) => stream.write_all(bytes),
        }
    }

    /// The socket, for options.
    #[track_caller]
    pub fn socket(&self) -> &TcpStream {
        match &self.socket {
            Socket::Plain(socket) => socket,
            Socket::Unix(_) => panic!("no TCP"),
            Socket::Tls(stream) => &stream.sock,
        }
    }

    /// The TLS session.
    #[track_caller]
    pub fn tls(&self) -> &ClientConnection {
        match &self.socket {
            Socket::Plain(_) | Socket::Unix(_) => panic!("a connection without TLS"),
            Socket::Tls(stream) => &stream.conn,
        }
    }

    /// Ends the sending side.
    pub fn finish_sending(&self) {
        self.socket().shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection with a reset instead of a FIN.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(self.socket());
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Reads one head.
    #[track_caller]
    pub fn head(&mut self) -> Head {
        let head = self.try_head();
        assert!(
            head.is_some(),
            "closed before an answer; read: {:?}",
            self.unread()
        );
        head.unwrap()
    }

    /// Reads one head; none when the connection ends first.
    #[track_caller]
    pub fn try_head(&mut self) -> Option<Head> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill() {
                return None;
            }
        };
        let head = Head::parse(self.buffer.drain(..end).collect());
        self.body = self.framing(&head);
        Some(head)
    }

    /// Reads what has come of the body, or waits for some.
    #[track_caller]
    pub fn piece(&mut self) -> Piece {
        loop {
            match self.body {
                Body::Done | Body::Length(0) => {
                    self.body = Body::Done;
                    return Piece::End;
                }
                Body::Chunked(None) => match self.chunk_size() {
                    Some(0) => return self.trailers(),
                    Some(size) => self.body = Body::Chunked(Some(size)),
                    None => return Piece::Abort,
                },
                Body::Chunked(Some(left)) | Body::Length(left) => return self.data(left),
                Body::UntilClose => {
                    if self.buffer.is_empty() && !self.fill() {
                        return Piece::End;
                    }
                    return Piece::Data(std::mem::take(&mut self.buffer));
                }
            }
        }
    }

    /// Reads exactly this many bytes of the body.
    #[track_caller]
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while taken.len() < count {
            match self.piece() {
                Piece::Data(data) => taken.extend(data),
                other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&taken)),
            }
        }
        assert_eq!(
            taken.len(),
            count,
            "more came: {:?}",
            String::from_utf8_lossy(&taken)
        );
        taken
    }

    /// Reads the body to its end; false when it was cut.
    #[track_caller]
    pub fn rest(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            match self.piece() {
                Piece::Data(data) => body.extend(data),
                end => return (body, end == Piece::End),
            }
        }
    }

    /// Reads a whole answer and the interim heads before it.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        let mut interim = Vec::new();
        let head = loop {
            let head = self.head();
            if head.status >= 200 {
                break head;
            }
            interim.push(head);
        };
        let (body, complete) = self.rest();
        Answer {
            status: head.status,
            head,
            interim,
            body,
            complete,
        }
    }

    /// Reads so many bytes of what is no HTTP any more; none when the connection
    /// ends first.
    #[track_caller]
    pub fn take_raw(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill() {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    /// Waits for the other side to end the connection; what it sent before
    /// that must have been read.
    #[track_caller]
    pub fn assert_closed(&mut self) {
        let more = self.fill();
        assert!(!more, "not closed; came: {:?}", self.unread());
    }

    fn unread(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.buffer)
    }

    /// Reads more into the buffer; false at the end of the connection.
    #[track_caller]
    fn fill(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        let read = match &mut self.socket {
            Socket::Plain(socket) => socket.read(&mut bytes),
            Socket::Unix(socket) => socket.read(&mut bytes),
            Socket::Tls(stream) => stream.read(&mut bytes),
        };
        match read {
            Ok(count) => {
                self.buffer.extend(&bytes[..count]);
                count > 0
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!(
                    "the gateway sent nothing in time; unread: {:?}",
                    self.unread()
                )
            }
            Err(_) => false,
        }
    }

    fn framing(&self, head: &Head) -> Body {
        if self.head_only || head.status < 200 || matches!(head.status, 204 | 304) {
            return Body::Done;
        }
        if head
            .text("transfer-encoding")
            .is_some_and(|coding| coding.contains("chunked"))
        {
            return Body::Chunked(None);
        }
        head.text("content-length")
            .map_or(Body::UntilClose, |length| {
                Body::Length(length.parse().unwrap())
            })
    }

    fn chunk_size(&mut self) -> Option<u64> {
        let line = self.line()?;
        u64::from_str_radix(line.split(';').next()?.trim(), 16).ok()
    }

    fn trailers(&mut self) -> Piece {
        loop {
            match self.line() {
                Some(line) if line.is_empty() => {
                    self.body = Body::Done;
                    return Piece::End;
                }
                Some(_) => {}
                None => return Piece::Abort,
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return String::from_utf8(line[..at].to_vec()).ok();
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn data(&mut self, left: u64) -> Piece {
        if self.buffer.is_empty() && !self.fill() {
            return Piece::Abort;
        }
        let count = self.buffer.len().min(usize::try_from(left).unwrap());
        let data: Vec<u8> = self.buffer.drain(..count).collect();
        let left = left - count as u64;
        match self.body {
            Body::Length(_) => self.body = Body::Length(left),
            _ if left > 0 => self.body = Body::Chunked(Some(left)),
            _ => {
                self.body = Body::Chunked(None);
                if self.line().is_none_or(|line| !line.is_empty()) {
                    self.body = Body::Done;
                    return Piece::Abort;
                }
            }
        }
        Piece::Data(data)
    }
}

impl Head {
    #[track_caller]
    fn parse(raw: Vec<u8>) -> Self {
        let mut lines = raw
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = String::from_utf8_lossy(lines.next().unwrap()).into_owned();
        assert!(first.starts_with("HTTP/1."), "no head: {first}");
        let headers = lines
            .filter(|line| !line.is_empty())
            .map(|line| {
                let at = find(line, b":").unwrap();
                let name = String::from_utf8_lossy(&line[..at]).to_ascii_lowercase();
                (name, line[at + 1..].trim_ascii().to_vec())
            })
            .collect();
        let status = first[9..12].parse().unwrap();
        Self {
            status,
            headers,
            raw,
        }
    }

    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_slice())
    }

    /// The first value of a header, as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)
            .map(|value| std::str::from_utf8(value).unwrap())
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.text(name)
    }

    /// Trunkline's own id of the request.
    #[track_caller]
    pub fn request_id(&self) -> String {
        self.header("x-trunkline-request-id")
            .expect("an x-trunkline-request-id")
            .to_owned()
    }
}

#[track_caller]
fn dial(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.set_write_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// Where `needle` first stands in `haystack`.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
