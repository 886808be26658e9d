//! The response to a connection that is not served.

use std::cell::Cell;
use std::io::{self, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Response};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::socket::{ClientSocket, DetachedSocket};
use crate::descriptors;
use crate::dialect::Dialect;
use crate::error_response;
use crate::telemetry::request_id::RequestIds;

/// Limits of reading what a refused client sends. Closing a socket with unread bytes
/// would reset the connection, and the response would be lost.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 * 1024;
/// Refused connections that are read at a time; others are closed at once.
const MAX_LINGERING: usize = 64;

#[derive(Debug, Default)]
pub struct ConnectionRefusals {
    request_ids: RequestIds,
    lingering: Rc<Cell<usize>>,
}

/// Counts a connection as lingering until it is dropped.
struct LingerGuard(Rc<Cell<usize>>);

impl ConnectionRefusals {
    /// Sends a 503 without waiting for a request, then closes. A client that expects
    /// TLS could not read it.
    pub fn refuse(&self, socket: DetachedSocket, tls: bool) {
        if tls && matches!(socket, DetachedSocket::Tcp(_)) {
            return;
        }
        // The send buffer of a new socket has room; a client that is gone needs nothing.
        let is_sent = send(&socket, &self.response()).is_ok();
        let can_linger =
            self.lingering.get() < MAX_LINGERING && !descriptors::is_in_reserve(&socket);
        if !is_sent || !can_linger {
            return;
        }
        self.lingering.set(self.lingering.get() + 1);
        let guard = LingerGuard(Rc::clone(&self.lingering));
        spawn_local(async move {
            let _guard = guard;
            match socket.attach() {
                Ok(ClientSocket::Tcp(tcp)) => linger(tcp).await,
                Ok(ClientSocket::Unix(unix)) => linger(unix).await,
                Err(_) => {}
            }
        });
    }

    fn response(&self) -> Vec<u8> {
        let error = error_response::overloaded("Too many connections; retry.");
        let id = self.request_ids.for_request(None);
        // The dialect of the client is not known before its request.
        let mut response = error.into_response(&id, Dialect::Chat);
        let length = response.body().len();
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        to_http1(&response)
    }
}

impl Drop for LingerGuard {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// RFC 9112, section 2.1.
fn to_http1(response: &Response<Bytes>) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(response.body());
    bytes
}

fn send(socket: &DetachedSocket, response: &[u8]) -> io::Result<()> {
    match socket {
        DetachedSocket::Tcp(tcp) => {
            (&*tcp).write_all(response)?;
            tcp.shutdown(Shutdown::Write)
        }
        DetachedSocket::Unix(unix) => {
            (&*unix).write_all(response)?;
            unix.shutdown(Shutdown::Write)
        }
    }
}

async fn linger(mut stream: impl AsyncRead + Unpin) {
    let discard = async {
        let mut buffer = [0; 1024];
        let mut discarded = 0;
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            discarded += count;
            if discarded > LINGER_BYTES {
                break;
            }
        }
    };
    // The connection ends whether or not all of it was read.
    let _ = timeout(LINGER_TIMEOUT, discard).await;
}
