//! The mock upstream: reads complete requests and sends fixed responses, as cheaply
//! as possible, so that it is never the bottleneck.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};

use crate::http1::Message;
use crate::protocol::{DONE, MockSettings, ResponseKind, Transport, event, now, unary_body};
use crate::{mock_tls, process};

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    cache-control: no-cache\r\nx-request-id: mock\r\ntransfer-encoding: chunked\r\n\r\n";
/// Enough for any head, and small for the many connections that only stream.
const SMALL_BUFFER: usize = 8 << 10;
const LARGE_BUFFER: usize = 256 << 10;

/// Serves until the harness closes the pipe.
pub fn run(settings: &MockSettings) {
    process::exit_with_parent();
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    listener.bind(&any.into()).unwrap();
    listener.listen(4096).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = std::net::TcpListener::from(listener);
    let threads: Vec<_> = (0..settings.threads)
        .map(|_| {
            let listener = listener.try_clone().unwrap();
            let settings = settings.clone();
            std::thread::spawn(move || serve(listener, settings))
        })
        .collect();
    println!("{}", listener.local_addr().unwrap().port());
    for thread in threads {
        thread.join().unwrap();
    }
}

fn serve(listener: std::net::TcpListener, settings: MockSettings) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tls = mock_tls::acceptor(&settings);
    let settings = Rc::new(settings);
    LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                continue;
            };
            socket.set_nodelay(true).unwrap();
            let settings = Rc::clone(&settings);
            let tls = tls.clone();
            // A connection that ends in an error was closed by the peer, which reports
            // the cause.
            tokio::task::spawn_local(async move {
                match (settings.transport, tls) {
                    (Transport::TlsHttp1, Some(tls)) => {
                        let Ok(stream) = tls.accept(socket).await else {
                            return;
                        };
                        let _ = serve_connection(stream, &settings).await;
                    }
                    (Transport::TlsHttp2, Some(tls)) => {
                        let _ = mock_tls::serve_connection(tls, socket, settings).await;
                    }
                    _ => {
                        let _ = serve_connection(socket, &settings).await;
                    }
                }
            });
        }
    });
}

async fn serve_connection(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    settings: &MockSettings,
) -> std::io::Result<()> {
    let mut buffer = vec![0; SMALL_BUFFER];
    loop {
        let mut request = Message::default();
        while !request.is_done() {
            let count = stream.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            request
                .feed(&buffer[..count], &mut |_| {})
                .map_err(std::io::Error::other)?;
            let is_large = request.head().is_some_and(|head| {
                head.length
                    .is_none_or(|length| length > SMALL_BUFFER as u64)
            });
            if is_large && buffer.len() < LARGE_BUFFER {
                buffer.resize(LARGE_BUFFER, 0);
            }
        }
        if settings
            .body
            .is_some_and(|body| body as u64 != request.bytes)
        {
            let text = format!("the upstream read {} bytes", request.bytes);
            stream.write_all(&unary(400, text.as_bytes())).await?;
            continue;
        }
        match settings.response {
            ResponseKind::Unary => {
                let response = unary(200, &unary_body(request.bytes));
                stream.write_all(&response).await?;
            }
            ResponseKind::Stream { chunks, gap } => send_stream(&mut stream, chunks, gap).await?,
        }
        stream.flush().await?;
    }
}

fn unary(status: u16, body: &[u8]) -> Vec<u8> {
    let mut response = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\nx-request-id: mock\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    response.extend_from_slice(body);
    response
}

/// Sends each event as one chunk in its own write, as a model server sends tokens.
async fn send_stream(
    stream: &mut (impl AsyncWrite + Unpin),
    chunks: u32,
    gap: Duration,
) -> std::io::Result<()> {
    stream.write_all(STREAM_HEAD.as_bytes()).await?;
    let mut due = Instant::now();
    for number in 1..=chunks {
        let event = event(now(), number == chunks);
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        stream.write_all(chunk.as_bytes()).await?;
        stream.flush().await?;
        if !gap.is_zero() && number < chunks {
            due += gap;
            sleep_until(due).await;
        }
    }
    let end = format!("{:x}\r\n{DONE}\r\n0\r\n\r\n", DONE.len());
    stream.write_all(end.as_bytes()).await
}
