//! A connection to an upstream that becomes a WebSocket (RFC 6455): made for it
//! alone, over HTTP/1.1, and never used for anything else.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::{HeaderMap, StatusCode};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::build::Open;
use super::error::{Error, ErrorKind};
use super::http1::Socket;
use super::{Client, Head, Reply, ReplyBody};
use crate::config::Timeouts;
use crate::permits::Place;
use crate::request_body::Outgoing;

/// What an upstream says to a handshake.
#[derive(Debug)]
pub enum Opening {
    /// It changes the protocol, with these headers that may go downstream.
    Opened(HeaderMap, WebSocket),
    /// Anything else: an answer like any other.
    Refused(Reply),
}

/// The upstream's side of a WebSocket, frames and all, as bytes. It closes when
/// it is dropped.
pub struct WebSocket {
    socket: Box<dyn Socket>,
    /// What came right behind the head.
    unread: BytesMut,
    _open: Open,
    /// Its place among the requests in flight at the provider.
    _place: Option<Place>,
}

impl Client {
    /// Asks upstream number `id` for a WebSocket. Dropping the future ends the
    /// attempt on the wire. A handshake has nobody work on anything, so that
    /// each failed one may be followed by another.
    pub async fn open(&self, id: usize, head: Head, limits: &Timeouts) -> Result<Opening, Error> {
        let opening = self.try_open(id, head, limits).await;
        opening.map_err(Error::unprocessed)
    }

    async fn try_open(&self, id: usize, head: Head, limits: &Timeouts) -> Result<Opening, Error> {
        let unknown = || Error::new(ErrorKind::Connect, "no such upstream");
        let pool = self.pools.get(id).ok_or_else(unknown)?;
        let upstream = pool.upstream().ok_or_else(unknown)?;
        let place = match &upstream.places {
            Some(places) => Some(upstream.place(places).await?),
            None => None,
        };
        let order = upstream.order(head, Outgoing::absent())?;
        let mut connection = pool.connect_apart(upstream, limits).await?;
        let sent = Instant::now();
        let due = sent + limits.head;
        let asking = connection.exchange_for_websocket(upstream, &order, due);
        let answer = asking.await?;
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            let (socket, unread, open) = connection.into_parts();
            let websocket = WebSocket {
                socket,
                unread,
                _open: open,
                _place: place,
            };
            return Ok(Opening::Opened(answer.headers, websocket));
        }
        let lease = pool.lease_apart(connection, place);
        Ok(Opening::Refused(Reply {
            status: answer.status,
            headers: answer.headers,
            sent,
            // It is not known what the upstream takes the connection for now,
            // so it never rests.
            body: ReplyBody::new(lease, None, Some(Duration::ZERO)),
        }))
    }
}

impl WebSocket {
    /// Has the connection end with a reset when this is dropped.
    pub fn abort(&self) {
        // Without it, the end is only a politer one.
        let _ = SockRef::from(self.socket.tcp()).set_linger(Some(Duration::ZERO));
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        let count = self.unread.len().min(buffer.remaining());
        buffer.put_slice(self.unread.get(..count).unwrap_or_default());
        self.unread.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebSocket")
    }
}
