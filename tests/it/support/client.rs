//! A raw HTTP/1.1 client that sends exact bytes and reads every body frame.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

pub use crate::support::request::Request;
pub use crate::support::response::{Head, Response};
use crate::support::wait::DEADLINE;

pub struct Client {
    socket: Socket,
    buffer: Vec<u8>,
    body: Framing,
    head_only: bool,
}

enum Socket {
    Plain(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

#[derive(Debug, PartialEq, Eq)]
pub enum BodyFrame {
    Data(Vec<u8>),
    /// The body ended as its framing states.
    End,
    /// The connection ended first, or the framing is invalid.
    Aborted,
}

/// How the rest of the current response body is framed.
enum Framing {
    Done,
    Length(u64),
    Chunked(Option<u64>),
    UntilClose,
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::from_socket(Socket::Plain(connect(address)))
    }

    /// Fails where nothing listens.
    pub fn try_connect(address: SocketAddr) -> std::io::Result<Self> {
        Ok(Self::from_socket(Socket::Plain(try_connect(address)?)))
    }

    #[track_caller]
    pub fn connect_unix(path: &Path) -> Self {
        let socket = UnixStream::connect(path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        Self::from_socket(Socket::Unix(socket))
    }

    /// The TLS handshake happens with the first write.
    #[track_caller]
    pub fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let name = address.ip().into();
        let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
        let stream = StreamOwned::new(connection, connect(address));
        Self::from_socket(Socket::Tls(Box::new(stream)))
    }

    fn from_socket(socket: Socket) -> Self {
        Self {
            socket,
            buffer: Vec::new(),
            body: Framing::Done,
            head_only: false,
        }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    /// Writes bytes; fails if the gateway has closed the connection.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.head_only = bytes.starts_with(b"HEAD ");
        match &mut self.socket {
            Socket::Plain(socket) => socket.write_all(bytes),
            Socket::Unix(socket) => socket.write_all(bytes),
            Socket::Tls(stream) => stream.write_all(bytes),
        }
    }

    #[track_caller]
    pub fn socket(&self) -> &TcpStream {
        match &self.socket {
            Socket::Plain(socket) => socket,
            Socket::Unix(_) => panic!("not a TCP socket"),
            Socket::Tls(stream) => &stream.sock,
        }
    }

    #[track_caller]
    pub fn tls(&self) -> &ClientConnection {
        match &self.socket {
            Socket::Plain(_) | Socket::Unix(_) => panic!("not a TLS connection"),
            Socket::Tls(stream) => &stream.conn,
        }
    }

    pub fn shutdown_write(&self) {
        self.socket().shutdown(Shutdown::Write).unwrap();
    }

    /// Closes with RST instead of FIN.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(self.socket());
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    #[track_caller]
    pub fn head(&mut self) -> Head {
        let head = self.try_head();
        assert!(
            head.is_some(),
            "closed before a response; read: {:?}",
            self.unread()
        );
        head.unwrap()
    }

    /// Reads one head; `None` if the connection ends first.
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
        self.body = self.framing_of(&head);
        Some(head)
    }

    /// Waits for the next part of the body.
    #[track_caller]
    pub fn next_frame(&mut self) -> BodyFrame {
        loop {
            match self.body {
                Framing::Done | Framing::Length(0) => {
                    self.body = Framing::Done;
                    return BodyFrame::End;
                }
                Framing::Chunked(None) => match self.read_chunk_size() {
                    Some(0) => return self.read_trailers(),
                    Some(size) => self.body = Framing::Chunked(Some(size)),
                    None => return BodyFrame::Aborted,
                },
                Framing::Chunked(Some(left)) | Framing::Length(left) => {
                    return self.take_data(left);
                }
                Framing::UntilClose => {
                    if self.buffer.is_empty() && !self.fill() {
                        return BodyFrame::End;
                    }
                    return BodyFrame::Data(std::mem::take(&mut self.buffer));
                }
            }
        }
    }

    /// Reads exactly `count` body bytes.
    #[track_caller]
    pub fn read_exact(&mut self, count: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while taken.len() < count {
            match self.next_frame() {
                BodyFrame::Data(data) => taken.extend(data),
                other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&taken)),
            }
        }
        assert_eq!(
            taken.len(),
            count,
            "received more: {:?}",
            String::from_utf8_lossy(&taken)
        );
        taken
    }

    /// Reads the body to its end; false if it was truncated.
    #[track_caller]
    pub fn read_body(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            match self.next_frame() {
                BodyFrame::Data(data) => body.extend(data),
                end => return (body, end == BodyFrame::End),
            }
        }
    }

    /// Reads the final response and the interim heads before it.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        let mut interim = Vec::new();
        let head = loop {
            let head = self.head();
            if head.status >= 200 {
                break head;
            }
            interim.push(head);
        };
        let (body, complete) = self.read_body();
        Response {
            status: head.status,
            head,
            interim,
            body,
            complete,
        }
    }

    /// Reads raw bytes after a protocol switch; `None` if the connection ends
    /// first.
    #[track_caller]
    pub fn read_raw(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            if !self.fill() {
                return None;
            }
        }
        Some(self.buffer.drain(..count).collect())
    }

    /// Waits for the gateway to close the connection; everything it sent must have
    /// been read.
    #[track_caller]
    pub fn assert_closed(&mut self) {
        let more = self.fill();
        assert!(!more, "not closed; received: {:?}", self.unread());
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

    fn framing_of(&self, head: &Head) -> Framing {
        if self.head_only || head.status < 200 || matches!(head.status, 204 | 304) {
            return Framing::Done;
        }
        if head
            .text("transfer-encoding")
            .is_some_and(|coding| coding.contains("chunked"))
        {
            return Framing::Chunked(None);
        }
        head.text("content-length")
            .map_or(Framing::UntilClose, |length| {
                Framing::Length(length.parse().unwrap())
            })
    }

    fn read_chunk_size(&mut self) -> Option<u64> {
        let line = self.read_line()?;
        u64::from_str_radix(line.split(';').next()?.trim(), 16).ok()
    }

    fn read_trailers(&mut self) -> BodyFrame {
        loop {
            match self.read_line() {
                Some(line) if line.is_empty() => {
                    self.body = Framing::Done;
                    return BodyFrame::End;
                }
                Some(_) => {}
                None => return BodyFrame::Aborted,
            }
        }
    }

    fn read_line(&mut self) -> Option<String> {
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

    fn take_data(&mut self, left: u64) -> BodyFrame {
        if self.buffer.is_empty() && !self.fill() {
            return BodyFrame::Aborted;
        }
        let count = self.buffer.len().min(usize::try_from(left).unwrap());
        let data: Vec<u8> = self.buffer.drain(..count).collect();
        let left = left - count as u64;
        match self.body {
            Framing::Length(_) => self.body = Framing::Length(left),
            _ if left > 0 => self.body = Framing::Chunked(Some(left)),
            _ => {
                self.body = Framing::Chunked(None);
                if self.read_line().is_none_or(|line| !line.is_empty()) {
                    self.body = Framing::Done;
                    return BodyFrame::Aborted;
                }
            }
        }
        BodyFrame::Data(data)
    }
}

#[track_caller]
fn connect(address: SocketAddr) -> TcpStream {
    try_connect(address).unwrap()
}

fn try_connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, DEADLINE)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.set_write_timeout(Some(DEADLINE))?;
    Ok(socket)
}

/// The first position of `needle` in `haystack`.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
