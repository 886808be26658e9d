//! `trunkline probe`: queries a running gateway. For container images without
//! another HTTP client.

use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use http::header::{CONNECTION, HOST};
use http::uri::Authority;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::config::{AdminConfig, Listen};

/// A healthy gateway responds within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Responses have a few bytes.
const MAX_BODY_SIZE: usize = 4096;

/// Endpoint of the admin listener.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub enum ProbeEndpoint {
    /// Whether it accepts new requests; false while it drains
    Readyz,
    /// Whether it responds at all
    Livez,
}

impl ProbeEndpoint {
    fn path(self) -> &'static str {
        match self {
            Self::Readyz => "/readyz",
            Self::Livez => "/livez",
        }
    }
}

/// A URL, and where to connect.
#[derive(Debug, Clone)]
pub struct ProbeTarget {
    /// The URL; its authority is also the address, unless there is a socket.
    pub url: Uri,
    /// The Unix-domain socket to connect to.
    pub socket: Option<PathBuf>,
}

impl fmt::Display for ProbeTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(out)?;
        match &self.socket {
            Some(path) => write!(out, " at {}", path.display()),
            None => Ok(()),
        }
    }
}

/// Why a probe failed.
#[derive(Debug, Error)]
pub enum ProbeError {
    #[error("admin.listen is \"off\": set the URL with --url")]
    AdminDisabled,
    #[error("admin.listen has port 0, chosen by the system: set the URL with --url")]
    UnknownPort,
    #[error("{0} is not supported: write http://HOST:PORT/PATH")]
    Url(Uri),
    /// The connection failed, or the response is not HTTP.
    #[error("{target}: no response: {cause}")]
    NoResponse { target: String, cause: String },
    #[error("{0}: no response within {limit}", limit = humantime::format_duration(TIMEOUT))]
    Timeout(String),
    #[error("{target} responded {status}: {body}")]
    ErrorStatus {
        target: String,
        status: StatusCode,
        /// The first line of the body.
        body: String,
    },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Sends the request; writes a line if the status is 200.
pub fn write(target: &ProbeTarget, out: &mut dyn Write) -> Result<(), ProbeError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let response = runtime.block_on(async { timeout(TIMEOUT, request(target)).await });
    let (status, body) = response.map_err(|_| ProbeError::Timeout(target.to_string()))??;
    if status != StatusCode::OK {
        let target = target.to_string();
        return Err(ProbeError::ErrorStatus {
            target,
            status,
            body,
        });
    }
    Ok(writeln!(out, "{target} responded {status}: {body}")?)
}

/// The endpoint of the admin listener of a configuration.
pub fn of_admin(admin: &AdminConfig, endpoint: ProbeEndpoint) -> Result<ProbeTarget, ProbeError> {
    let mut address = match admin.listen.as_ref().ok_or(ProbeError::AdminDisabled)? {
        Listen::Ip(address) => *address,
        Listen::Unix { path, .. } => return at_socket(path.clone(), endpoint),
    };
    if address.port() == 0 {
        return Err(ProbeError::UnknownPort);
    }
    if address.ip().is_unspecified() {
        address = SocketAddr::new(loopback(address.ip()), address.port());
    }
    let url = url(&address.to_string(), endpoint)?;
    Ok(ProbeTarget { url, socket: None })
}

/// The endpoint of an admin listener on a Unix-domain socket.
pub fn at_socket(socket: PathBuf, endpoint: ProbeEndpoint) -> Result<ProbeTarget, ProbeError> {
    let url = url("localhost", endpoint)?;
    let socket = Some(socket);
    Ok(ProbeTarget { url, socket })
}

fn url(authority: &str, endpoint: ProbeEndpoint) -> Result<Uri, ProbeError> {
    let url = Uri::builder().scheme("http").authority(authority);
    let url = url.path_and_query(endpoint.path()).build();
    url.map_err(|error| ProbeError::Io(io::Error::other(error)))
}

/// The address that reaches a listener on an unspecified address.
fn loopback(all: IpAddr) -> IpAddr {
    match all {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

async fn request(target: &ProbeTarget) -> Result<(StatusCode, String), ProbeError> {
    let no_response = |cause: String| ProbeError::NoResponse {
        target: target.to_string(),
        cause,
    };
    let url = &target.url;
    let authority = url.authority().filter(|_| url.scheme_str() == Some("http"));
    let authority = authority.ok_or_else(|| ProbeError::Url(url.clone()))?;
    let request = Request::get(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| ProbeError::Url(url.clone()))?;
    let exchange = async {
        match &target.socket {
            Some(path) => exchange(UnixStream::connect(path).await?, request).await,
            None => exchange(connect(authority).await?, request).await,
        }
    };
    let response = exchange
        .await
        .map_err(|error| no_response(error.to_string()))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_BODY_SIZE)
        .collect()
        .await;
    let body = body
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let body = String::from_utf8_lossy(&body);
    Ok((status, body.lines().next().unwrap_or_default().to_owned()))
}

async fn connect(authority: &Authority) -> io::Result<TcpStream> {
    let host = authority.host();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> io::Result<Response<Incoming>> {
    let exchange = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        sender.send_request(request).await
    };
    exchange
        .await
        .map_err(|error: hyper::Error| io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use super::{AdminConfig, Listen, ProbeEndpoint, ProbeError, of_admin};

    fn admin(listen: &str) -> AdminConfig {
        AdminConfig {
            listen: Some(Listen::Ip(listen.parse().unwrap())),
            read_only: false,
        }
    }

    fn probe_url(listen: &str, endpoint: ProbeEndpoint) -> String {
        of_admin(&admin(listen), endpoint).unwrap().to_string()
    }

    #[test]
    fn probes_an_address_that_reaches_the_admin_listener() {
        for (listen, reached) in [
            ("127.0.0.1:8081", "http://127.0.0.1:8081/readyz"),
            ("10.0.0.7:9", "http://10.0.0.7:9/readyz"),
            ("0.0.0.0:8081", "http://127.0.0.1:8081/readyz"),
            ("[::]:8081", "http://[::1]:8081/readyz"),
        ] {
            assert_eq!(probe_url(listen, ProbeEndpoint::Readyz), reached);
        }
        let live = probe_url("0.0.0.0:1", ProbeEndpoint::Livez);
        assert_eq!(live, "http://127.0.0.1:1/livez");
    }

    #[test]
    fn an_admin_listener_without_a_known_port_is_an_error() {
        let off = AdminConfig {
            listen: None,
            read_only: false,
        };
        let off = of_admin(&off, ProbeEndpoint::Readyz);
        assert!(matches!(off, Err(ProbeError::AdminDisabled)));
        let any = of_admin(&admin("127.0.0.1:0"), ProbeEndpoint::Readyz);
        assert!(matches!(any, Err(ProbeError::UnknownPort)));
    }
}
