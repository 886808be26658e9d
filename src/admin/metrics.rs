//! `/metrics`: a scrape, rendered on a thread of its own and sent as it is rendered, so
//! that it neither delays a request nor holds ten thousand aliases' text in memory.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{Either, Full};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::negotiation::weight;
use crate::telemetry::metric::Registry;

/// Prometheus text format 0.0.4: also the response to a client that asks for other
/// formats only, as Prometheus' own libraries do.
const TEXT_MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// In bytes.
const CHUNK_SIZE: usize = 64 * 1024;
/// In chunks.
const QUEUE_LEN: usize = 4;

/// Prometheus protobuf format, as `metrics-exporter-prometheus` names it.
#[cfg(feature = "protobuf")]
const PROTOBUF_MEDIA_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// What a scrape is written in.
#[derive(Debug, Clone, Copy)]
enum Format {
    Text,
    #[cfg(feature = "protobuf")]
    Protobuf,
}

pub(super) type ScrapeBody = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

pub(super) fn respond(
    registry: &Registry,
    method: &Method,
    request: &HeaderMap,
) -> Response<ScrapeBody> {
    let format = Format::negotiate(request);
    let gzip = weight("gzip", request, &ACCEPT_ENCODING).is_some_and(|weight| weight > 0.0);
    let (sender, body) = Channel::new(QUEUE_LEN);
    let mut response = Response::new(Either::Right(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if method != Method::HEAD {
        let registry = registry.clone();
        let runtime = Handle::current();
        spawn_blocking(move || {
            let mut chunks = ChunkWriter::new(sender, runtime);
            if let Err(error) = render(&registry, &mut chunks, format, gzip) {
                chunks.sender.abort(error);
            }
        });
    }
    response
}

fn render(
    registry: &Registry,
    chunks: &mut ChunkWriter,
    format: Format,
    gzip: bool,
) -> io::Result<()> {
    if gzip {
        let mut encoder = GzEncoder::new(&mut *chunks, Compression::fast());
        format.write(registry, &mut encoder)?;
        encoder.finish()?;
    } else {
        format.write(registry, chunks)?;
    }
    chunks.flush()
}

impl Format {
    #[cfg(not(feature = "protobuf"))]
    fn negotiate(_: &HeaderMap) -> Self {
        Self::Text
    }

    /// Protobuf where the client names it and prefers no form of text.
    #[cfg(feature = "protobuf")]
    fn negotiate(request: &HeaderMap) -> Self {
        let weight = |media_type| weight(media_type, request, &http::header::ACCEPT);
        let protobuf = weight("application/vnd.google.protobuf").unwrap_or_default();
        if protobuf > 0.0 && protobuf >= weight("text/plain").unwrap_or_default() {
            return Self::Protobuf;
        }
        Self::Text
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Text => TEXT_MEDIA_TYPE,
            #[cfg(feature = "protobuf")]
            Self::Protobuf => PROTOBUF_MEDIA_TYPE,
        }
    }

    fn write(self, registry: &Registry, output: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Text => registry.write_text(output),
            #[cfg(feature = "protobuf")]
            Self::Protobuf => registry.write_protobuf(output),
        }
    }
}

/// Sends what is written in chunks.
struct ChunkWriter {
    sender: Sender<Bytes, io::Error>,
    runtime: Handle,
    buffer: BytesMut,
}

impl ChunkWriter {
    fn new(sender: Sender<Bytes, io::Error>, runtime: Handle) -> Self {
        Self {
            sender,
            runtime,
            buffer: BytesMut::with_capacity(CHUNK_SIZE),
        }
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_SIZE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    /// Waits for the scraper; fails when its connection is closed.
    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = self.buffer.split().freeze();
        let sent = self.runtime.block_on(self.sender.send_data(chunk));
        sent.map_err(io::Error::other)
    }
}
