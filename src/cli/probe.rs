//! `trunkline probe`: is the gateway of this configuration well? For images
//! that have nothing else to ask with.

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

use crate::config::{Admin, Listen};

/// A gateway that is well answers within milliseconds.
const LIMIT: Duration = Duration::from_secs(2);
/// Of an answer: it is one word.
const MOST_BYTES: usize = 4096;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub enum Question {
    /// Does it take new requests? Not while it drains
    Readyz,
    /// Does it answer at all?
    Livez,
}

impl Question {
    /// Where the admin listener answers it.
    fn path(self) -> &'static str {
        match self {
            Self::Readyz => "/readyz",
            Self::Livez => "/livez",
        }
    }
}

/// What is asked, and where.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What is asked, and where unless there is a socket.
    pub url: Uri,
    /// The Unix-domain socket behind which it is.
    pub socket: Option<PathBuf>,
}

impl fmt::Display for Asked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(out)?;
        match &self.socket {
            Some(path) => write!(out, " at {}", path.display()),
            None => Ok(()),
        }
    }
}

/// Why the gateway does not count as well.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no admin listener to ask.
    #[error("admin.listen is \"off\": name what to ask with --url")]
    Off,
    /// The system chose the port.
    #[error("admin.listen leaves the port to the system: name what to ask with --url")]
    AnyPort,
    /// Another scheme, or no host.
    #[error("{0} cannot be asked: write http://HOST:PORT/PATH")]
    Url(Uri),
    /// Nobody listens, or what answers does not speak HTTP.
    #[error("{asked} gives no answer: {cause}")]
    NoAnswer {
        /// What was asked.
        asked: String,
        /// What the system, or HTTP, says of it.
        cause: String,
    },
    /// It listens and does not answer.
    #[error("{0} gives no answer within {limit}", limit = humantime::format_duration(LIMIT))]
    Slow(String),
    /// It answered with something else than 200.
    #[error("{asked} answers {status}: {said}")]
    Unwell {
        /// What was asked.
        asked: String,
        /// What it answered.
        status: StatusCode,
        /// The first line of that.
        said: String,
    },
    /// No runtime, or standard output is closed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Asks, and writes a line if all is well.
pub fn write(asked: &Asked, out: &mut dyn Write) -> Result<(), Error> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { timeout(LIMIT, ask(asked)).await });
    let (status, said) = answer.map_err(|_| Error::Slow(asked.to_string()))??;
    if status != StatusCode::OK {
        let asked = asked.to_string();
        return Err(Error::Unwell {
            asked,
            status,
            said,
        });
    }
    Ok(writeln!(out, "{asked} answers {status}: {said}")?)
}

/// Where the gateway that `admin` configures answers `question`.
pub fn of_admin(admin: &Admin, question: Question) -> Result<Asked, Error> {
    let mut address = match admin.listen.as_ref().ok_or(Error::Off)? {
        Listen::Ip(address) => *address,
        Listen::Unix { path, .. } => return at(path.clone(), question),
    };
    if address.port() == 0 {
        return Err(Error::AnyPort);
    }
    if address.ip().is_unspecified() {
        address = SocketAddr::new(loopback(address.ip()), address.port());
    }
    let url = url(&address.to_string(), question)?;
    Ok(Asked { url, socket: None })
}

/// An admin listener at a Unix-domain socket.
pub fn at(socket: PathBuf, question: Question) -> Result<Asked, Error> {
    let url = url("localhost", question)?;
    let socket = Some(socket);
    Ok(Asked { url, socket })
}

fn url(authority: &str, question: Question) -> Result<Uri, Error> {
    let url = Uri::builder().scheme("http").authority(authority);
    let url = url.path_and_query(question.path()).build();
    url.map_err(|error| Error::Io(io::Error::other(error)))
}

/// Where a listener on all addresses of a family is reached from here.
fn loopback(all: IpAddr) -> IpAddr {
    match all {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

async fn ask(asked: &Asked) -> Result<(StatusCode, String), Error> {
    let no_answer = |cause: String| Error::NoAnswer {
        asked: asked.to_string(),
        cause,
    };
    let url = &asked.url;
    let authority = url.authority().filter(|_| url.scheme_str() == Some("http"));
    let authority = authority.ok_or_else(|| Error::Url(url.clone()))?;
    let request = Request::get(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Error::Url(url.clone()))?;
    let exchange = async {
        match &asked.socket {
            Some(path) => exchange(UnixStream::connect(path).await?, request).await,
            None => exchange(connect(authority).await?, request).await,
        }
    };
    let response = exchange
        .await
        .map_err(|error| no_answer(error.to_string()))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MOST_BYTES)
        .collect()
        .await;
    let body = body
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let said = String::from_utf8_lossy(&body);
    Ok((status, said.lines().next().unwrap_or_default().to_owned()))
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
    use super::{Admin, Error, Listen, Question, of_admin};

    fn admin(listen: &str) -> Admin {
        let listen = Some(Listen::Ip(listen.parse().unwrap()));
        Admin { listen }
    }

    fn asked(listen: &str, question: Question) -> String {
        of_admin(&admin(listen), question).unwrap().to_string()
    }

    #[test]
    fn asks_where_the_admin_listener_can_be_reached() {
        for (listen, reached) in [
            ("127.0.0.1:8081", "http://127.0.0.1:8081/readyz"),
            ("10.0.0.7:9", "http://10.0.0.7:9/readyz"),
            ("0.0.0.0:8081", "http://127.0.0.1:8081/readyz"),
            ("[::]:8081", "http://[::1]:8081/readyz"),
        ] {
            assert_eq!(asked(listen, Question::Readyz), reached);
        }
        let live = asked("0.0.0.0:1", Question::Livez);
        assert_eq!(live, "http://127.0.0.1:1/livez");
    }

    #[test]
    fn says_when_there_is_nobody_to_ask() {
        let off = of_admin(&Admin { listen: None }, Question::Readyz);
        assert!(matches!(off, Err(Error::Off)));
        let any = of_admin(&admin("127.0.0.1:0"), Question::Readyz);
        assert!(matches!(any, Err(Error::AnyPort)));
    }
}
