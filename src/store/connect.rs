//! The stream to a server: TCP, TLS, or a Unix-domain socket.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::error::StoreError;
use crate::config::{StoreHost, StoreTls};
use crate::tls::{crypto_provider, is_unknown_issuer, root_store, tls_error};

/// What a connection reads from and writes to.
pub trait StoreTransport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> StoreTransport for T {}

pub type StoreStream = Box<dyn StoreTransport>;

pub async fn tcp(host: &StoreHost, tls: Option<&StoreTls>) -> Result<StoreStream, StoreError> {
    let failed = |error: io::Error| StoreError::Connect(host.to_string(), error.to_string());
    let stream = TcpStream::connect((&*host.name, host.port)).await;
    let stream = stream.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    match tls {
        Some(tls) => handshake(host, tls, stream).await,
        None => Ok(Box::new(stream)),
    }
}

pub async fn unix(path: &Path) -> Result<StoreStream, StoreError> {
    let stream = UnixStream::connect(path).await;
    match stream {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => {
            let address = format!("unix:{}", path.display());
            Err(StoreError::Connect(address, error.to_string()))
        }
    }
}

async fn handshake(
    host: &StoreHost,
    tls: &StoreTls,
    stream: TcpStream,
) -> Result<StoreStream, StoreError> {
    let failed = |text: String| StoreError::Tls(host.to_string(), text);
    let config = client_config(tls).map_err(|error| failed(error.to_string()))?;
    let name = ServerName::try_from(host.name.clone());
    let name = name.map_err(|error| failed(error.to_string()))?;
    let connected = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await;
    connected
        .map(|stream| Box::new(stream) as StoreStream)
        .map_err(|error| failed(reason(&error)))
}

/// Trusts its authorities in addition to [`root_store`].
fn client_config(tls: &StoreTls) -> Result<ClientConfig, rustls::Error> {
    let mut roots = root_store();
    for certificate in &tls.authorities {
        roots.add(certificate.clone())?;
    }
    let builder = ClientConfig::builder_with_provider(crypto_provider());
    let builder = builder.with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots);
    Ok(match &tls.certificate {
        Some(certificate) => {
            let certificate = SingleCertAndKey::from(Arc::clone(certificate));
            builder.with_client_cert_resolver(Arc::new(certificate))
        }
        None => builder.with_no_client_auth(),
    })
}

fn reason(error: &io::Error) -> String {
    match tls_error(error) {
        Some(error) if is_unknown_issuer(error) => {
            "no trusted authority has issued its certificate".to_owned()
        }
        Some(error) => error.to_string(),
        None => error.to_string(),
    }
}
