//! WebSockets to upstreams (RFC 6455), each over an HTTP/1.1 connection of its own, which
//! is not reused.

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

use super::error::Error;
use super::http1::Transport;
use super::metrics::OpenConnectionGuard;
use super::{Client, RequestHead, UpstreamBody, UpstreamResponse};
use crate::config::Timeouts;
use crate::permits::Permit;
use crate::request_body::RequestBody;

/// Result of a handshake.
#[derive(Debug)]
pub enum WebSocketHandshake {
    /// With the headers of the response that are forwarded downstream.
    Accepted(HeaderMap, WebSocket),
    /// Any other response.
    Rejected(UpstreamResponse),
}

/// A WebSocket as a byte stream: frames are not parsed. Closed on drop.
pub struct WebSocket {
    transport: Box<dyn Transport>,
    /// Bytes received with the response head.
    unread: BytesMut,
    _guard: OpenConnectionGuard,
    /// Of the provider's limit of requests in flight.
    _permit: Option<Permit>,
}

impl Client {
    /// Requests a WebSocket from upstream `id`. Dropping the future aborts the attempt.
    /// A handshake processes nothing, so each failed one may be retried.
    pub async fn open_websocket(
        &self,
        id: usize,
        head: RequestHead,
        timeouts: &Timeouts,
    ) -> Result<WebSocketHandshake, Error> {
        let handshake = self.handshake(id, head, timeouts).await;
        handshake.map_err(Error::not_processed)
    }

    async fn handshake(
        &self,
        id: usize,
        head: RequestHead,
        timeouts: &Timeouts,
    ) -> Result<WebSocketHandshake, Error> {
        let (pool, upstream) = self.pool(id)?;
        let permit = match &upstream.in_flight_limit {
            Some(semaphore) => Some(upstream.acquire_permit(semaphore).await?),
            None => None,
        };
        let request = upstream.build_request(head, RequestBody::empty())?;
        let mut connection = pool.connect_dedicated(upstream, timeouts).await?;
        let sent_at = Instant::now();
        let deadline = sent_at + timeouts.response_header;
        let exchange = connection.exchange_for_websocket(upstream, &request, deadline);
        let response = exchange.await?;
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            let (transport, unread, guard) = connection.into_parts();
            let websocket = WebSocket {
                transport,
                unread,
                _guard: guard,
                _permit: permit,
            };
            return Ok(WebSocketHandshake::Accepted(response.headers, websocket));
        }
        let lease = pool.lease_dedicated(connection, permit);
        Ok(WebSocketHandshake::Rejected(UpstreamResponse {
            status: response.status,
            headers: response.headers,
            sent_at,
            // What the upstream now expects on the connection is unknown: not reused.
            body: UpstreamBody::new(lease, None, Some(Duration::ZERO)),
        }))
    }
}

impl WebSocket {
    /// Makes the drop send a TCP reset.
    pub fn abort(&self) {
        // SO_LINGER 0 sends RST. If it fails the peer sees FIN instead; acceptable.
        let _ = SockRef::from(self.transport.tcp()).set_linger(Some(Duration::ZERO));
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.transport).poll_read(context, buffer);
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
        Pin::new(&mut self.transport).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(context)
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebSocket")
    }
}
