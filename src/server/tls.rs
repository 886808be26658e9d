//! TLS on the client listener.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection::state::ConnState;
use crate::access::ClientCertificate;
use crate::config::Tls;
use crate::proxy::tunnel::ClientStream;
use crate::tls::{ALPN_H2, ALPN_HTTP_1_1, crypto_provider};

/// First byte of a TLS connection: the record type "handshake" (RFC 8446,
/// section 5.1).
const HANDSHAKE_RECORD: u8 = 22;
/// The response to plain HTTP on a TLS port.
const PLAIN_HTTP_RESPONSE: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 34\r\n\
    connection: close\r\n\r\n\
    This port speaks TLS: use https://";

pub enum HandshakeError {
    /// The client closed before it sent anything.
    Closed,
    /// It did not send TLS, or the handshake failed.
    Invalid(TcpStream),
}

/// The configuration of all handshakes; it also holds resumable sessions.
pub fn server_config(tls: &Tls) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()?;
    let builder = match &tls.verifier {
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
        None => builder.with_no_client_auth(),
    };
    let certificate = SingleCertAndKey::from((*tls.certificate).clone());
    let mut config = builder.with_cert_resolver(Arc::new(certificate));
    // In order of preference.
    config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP_1_1.to_vec()];
    Ok(Arc::new(config))
}

pub async fn handshake(
    config: Arc<ServerConfig>,
    mut tcp: TcpStream,
    state: &ConnState,
) -> Result<TlsStream<TcpStream>, HandshakeError> {
    let mut first = [0];
    let peeked = tcp.peek(&mut first).await;
    state.set_head_begun();
    match peeked {
        Ok(1..) if first == [HANDSHAKE_RECORD] => {}
        Ok(1..) => {
            // Fails if the client is gone, which then needs no response.
            let _ = tcp.write_all(PLAIN_HTTP_RESPONSE).await;
            return Err(HandshakeError::Invalid(tcp));
        }
        _ => return Err(HandshakeError::Closed),
    }
    let accepted = TlsAcceptor::from(config).accept(tcp).into_fallible();
    accepted
        .await
        .map_err(|(_, tcp)| HandshakeError::Invalid(tcp))
}

/// True if ALPN chose HTTP/2.
pub fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(ALPN_H2)
}

impl ClientStream for TlsStream<TcpStream> {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.get_ref().0.as_fd()
    }
}

pub fn client_certificate(stream: &TlsStream<TcpStream>) -> Option<Arc<ClientCertificate>> {
    let chain = stream.get_ref().1.peer_certificates()?;
    Some(Arc::new(ClientCertificate::read(chain.first()?)))
}

#[cfg(test)]
mod tests {
    use super::PLAIN_HTTP_RESPONSE;

    #[test]
    fn the_response_to_plain_http_has_the_length_it_declares() {
        let text = std::str::from_utf8(PLAIN_HTTP_RESPONSE).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
    }
}
