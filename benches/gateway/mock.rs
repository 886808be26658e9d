//! The upstream: reads whole requests and sends canned answers, as cheaply as
//! it can, so that it is never what a run waits for.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};

use crate::http1::Message;
use crate::protocol::{Answer, DONE, MockOrders, Transport, event, now, unary_answer};
use crate::{child, mock_tls};

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    cache-control: no-cache\r\nx-request-id: mock\r\ntransfer-encoding: chunked\r\n\r\n";
/// Enough for any head, and little for the many connections that only stream.
const SMALL_BUFFER: usize = 8 << 10;
const LARGE_BUFFER: usize = 256 << 10;

/// Serves until the harness lets go of this process.
pub fn run(orders: &MockOrders) {
    child::exit_with_parent();
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    listener.bind(&any.into()).unwrap();
    listener.listen(4096).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = std::net::TcpListener::from(listener);
    let threads: Vec<_> = (0..orders.threads)
        .map(|_| {
            let listener = listener.try_clone().unwrap();
            let orders = orders.clone();
            std::thread::spawn(move || serve(listener, orders))
        })
        .collect();
    println!("{}", listener.local_addr().unwrap().port());
    for thread in threads {
        thread.join().unwrap();
    }
}

fn serve(listener: std::net::TcpListener, orders: MockOrders) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tls = mock_tls::acceptor(&orders);
    let orders = Rc::new(orders);
    LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                continue;
            };
            socket.set_nodelay(true).unwrap();
            let orders = Rc::clone(&orders);
            let tls = tls.clone();
            // A connection that ends in an error was closed by the other side,
            // whose turn it is to say why.
            tokio::task::spawn_local(async move {
                match (orders.transport, tls) {
                    (Transport::TlsHttp1, Some(tls)) => {
                        let Ok(stream) = tls.accept(socket).await else {
                            return;
                        };
                        let _ = converse(stream, &orders).await;
                    }
                    (Transport::TlsHttp2, Some(tls)) => {
                        let _ = mock_tls::converse(tls, socket, orders).await;
                    }
                    _ => {
                        let _ = converse(socket, &orders).await;
                    }
                }
            });
        }
    });
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    orders: &MockOrders,
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
        if orders.body.is_some_and(|body| body as u64 != request.bytes) {
            let text = format!("the upstream read {} bytes", request.bytes);
            stream.write_all(&unary(400, text.as_bytes())).await?;
            continue;
        }
        match orders.answer {
            Answer::Unary => {
                let answer = unary(200, &unary_answer(request.bytes));
                stream.write_all(&answer).await?;
            }
            Answer::Stream { chunks, gap } => send_stream(&mut stream, chunks, gap).await?,
        }
        stream.flush().await?;
    }
}

fn unary(status: u16, body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\nx-request-id: mock\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// Each event is a chunk and leaves in a write of its own, as a model server
/// sends tokens.
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
