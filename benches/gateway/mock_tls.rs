//! The mock upstream's TLS, and HTTP/2 over it.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;

use crate::protocol::{
    AUTHORITY, CERTIFICATE, DONE, KEY, MockSettings, ResponseKind, Transport, event, now,
    unary_body,
};

/// Writes an authority and a certificate for 127.0.0.1 into `directory`.
pub fn make_certificate(directory: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&key).unwrap().pem();
    fs::write(directory.join(AUTHORITY), pem).unwrap();
    let issuer = Issuer::new(authority, key);
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    fs::write(directory.join(CERTIFICATE), certificate.pem()).unwrap();
    fs::write(directory.join(KEY), key.serialize_pem()).unwrap();
}

/// The TLS acceptor, where the settings require TLS.
pub fn acceptor(settings: &MockSettings) -> Option<TlsAcceptor> {
    let protocol = match settings.transport {
        Transport::Plain => return None,
        Transport::TlsHttp1 => "http/1.1",
        Transport::TlsHttp2 => "h2",
    };
    let file = |name| settings.directory.join(name);
    let certificate = CertificateDer::from_pem_file(file(CERTIFICATE)).unwrap();
    let key = PrivateKeyDer::from_pem_file(file(KEY)).unwrap();
    let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    Some(TlsAcceptor::from(Arc::new(config)))
}

pub async fn serve_connection(
    tls: TlsAcceptor,
    socket: TcpStream,
    settings: Rc<MockSettings>,
) -> Result<(), h2::Error> {
    let stream = tls.accept(socket).await.map_err(io_error)?;
    let mut connection = h2::server::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .max_concurrent_streams(256)
        .handshake::<_, Bytes>(stream)
        .await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        let settings = Rc::clone(&settings);
        tokio::task::spawn_local(async move {
            let _ = respond_to(request.into_body(), respond, &settings).await;
        });
    }
    Ok(())
}

fn io_error(_: std::io::Error) -> h2::Error {
    h2::Error::from(h2::Reason::CONNECT_ERROR)
}

async fn respond_to(
    mut body: RecvStream,
    mut respond: SendResponse<Bytes>,
    settings: &MockSettings,
) -> Result<(), h2::Error> {
    let mut received = 0;
    while let Some(data) = body.data().await {
        let length = data?.len();
        received += length;
        body.flow_control().release_capacity(length)?;
    }
    if settings.body.is_some_and(|body| body != received) {
        respond.send_response(head(400, "application/json"), true)?;
        return Ok(());
    }
    match settings.response {
        ResponseKind::Unary => {
            let mut stream = respond.send_response(head(200, "application/json"), false)?;
            stream.send_data(unary_body(received as u64).into(), true)
        }
        ResponseKind::Stream { chunks, gap } => {
            let mut stream = respond.send_response(head(200, "text/event-stream"), false)?;
            let mut due = Instant::now();
            for number in 1..=chunks {
                send(&mut stream, event(now(), number == chunks)).await?;
                if !gap.is_zero() && number < chunks {
                    due += gap;
                    sleep_until(due).await;
                }
            }
            stream.send_data(Bytes::from_static(DONE.as_bytes()), true)
        }
    }
}

/// Sends one event and lets the connection write it before the next is made.
async fn send(stream: &mut SendStream<Bytes>, text: String) -> Result<(), h2::Error> {
    stream.send_data(text.into(), false)?;
    tokio::task::yield_now().await;
    Ok(())
}

fn head(status: u16, content_type: &str) -> http::Response<()> {
    http::Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("x-request-id", "mock")
        .body(())
        .unwrap()
}
