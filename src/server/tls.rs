//! TLS towards callers.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::sign::SingleCertAndKey;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::access::Certificate;
use crate::config::Tls;
use crate::proxy::tunnel::Stream;

/// Protocol names of ALPN (RFC 7301; RFC 9113, section 3.2), the better first.
const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";
/// First byte of a TLS connection: a record that holds part of a handshake
/// (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// What somebody is told who speaks HTTP where TLS is spoken.
const NOT_PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 34\r\n\
    connection: close\r\n\r\n\
    This port speaks TLS: use https://";

/// Why no connection came to be, and what is left of it.
pub enum Refused {
    /// The caller went away before it said anything.
    Silent,
    /// It sent what is no TLS, or nothing that we can agree on.
    Unfit(TcpStream),
}

/// What all handshakes go by, and where their sessions are kept to be resumed.
pub fn settings(tls: &Tls) -> Result<Arc<ServerConfig>, rustls::Error> {
    // Named, so that no second provider in the build can make rustls unable
    // to choose one.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match &tls.verifier {
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
        None => builder.with_no_client_auth(),
    };
    let certificate = SingleCertAndKey::from((*tls.certificate).clone());
    let mut settings = builder.with_cert_resolver(Arc::new(certificate));
    settings.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    Ok(Arc::new(settings))
}

/// The handshake.
pub async fn shake(
    settings: Arc<ServerConfig>,
    mut tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, Refused> {
    let mut first = [0];
    match tcp.peek(&mut first).await {
        Ok(1..) if first == [HANDSHAKE] => {}
        Ok(1..) => {
            // It may be gone, and has nothing more to be told then.
            let _ = tcp.write_all(NOT_PLAIN).await;
            return Err(Refused::Unfit(tcp));
        }
        _ => return Err(Refused::Silent),
    }
    let shaken = TlsAcceptor::from(settings).accept(tcp).into_fallible();
    shaken.await.map_err(|(_, tcp)| Refused::Unfit(tcp))
}

/// True when HTTP/2 was agreed on.
pub fn is_multiplexed(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(H2)
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }
}

/// The certificate that the caller has shown, if any.
pub fn certificate(stream: &TlsStream<TcpStream>) -> Option<Arc<Certificate>> {
    let chain = stream.get_ref().1.peer_certificates()?;
    Some(Arc::new(Certificate::read(chain.first()?)))
}

#[cfg(test)]
mod tests {
    use super::NOT_PLAIN;

    #[test]
    fn what_is_said_without_tls_is_as_long_as_it_says() {
        let text = std::str::from_utf8(NOT_PLAIN).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
    }
}
