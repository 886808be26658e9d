//! `trunkline probe`: is the gateway of this configuration well? For images
//! that have nothing else to ask with.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use http::header::{CONNECTION, HOST};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::config::Admin;

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
    #[error("{url} gives no answer: {cause}")]
    NoAnswer {
        /// What was asked.
        url: Uri,
        /// What the system, or HTTP, says of it.
        cause: String,
    },
    /// It listens and does not answer.
    #[error("{0} gives no answer within {limit}", limit = humantime::format_duration(LIMIT))]
    Slow(Uri),
    /// It answered with something else than 200.
    #[error("{url} answers {status}: {said}")]
    Unwell {
        /// What was asked.
        url: Uri,
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
pub fn write(url: &Uri, out: &mut dyn Write) -> Result<(), Error> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async { timeout(LIMIT, ask(url)).await });
    let (status, said) = asked.map_err(|_| Error::Slow(url.clone()))??;
    if status != StatusCode::OK {
        let url = url.clone();
        return Err(Error::Unwell { url, status, said });
    }
    Ok(writeln!(out, "{url} answers {status}: {said}")?)
}

/// Where the gateway that `admin` configures answers `question`.
pub fn url(admin: &Admin, question: Question) -> Result<Uri, Error> {
    let mut address = admin.listen.ok_or(Error::Off)?;
    if address.port() == 0 {
        return Err(Error::AnyPort);
    }
    if address.ip().is_unspecified() {
        address = SocketAddr::new(loopback(address.ip()), address.port());
    }
    let path = match question {
        Question::Readyz => "/readyz",
        Question::Livez => "/livez",
    };
    let url = Uri::builder().scheme("http").authority(address.to_string());
    let url = url.path_and_query(path).build();
    url.map_err(|error| Error::Io(io::Error::other(error)))
}

/// Where a listener on all addresses of a family is reached from here.
fn loopback(all: IpAddr) -> IpAddr {
    match all {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

async fn ask(url: &Uri) -> Result<(StatusCode, String), Error> {
    let no_answer = |cause: String| Error::NoAnswer {
        url: url.clone(),
        cause,
    };
    let authority = url.authority().filter(|_| url.scheme_str() == Some("http"));
    let authority = authority.ok_or_else(|| Error::Url(url.clone()))?;
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(80);
    let tcp = TcpStream::connect((host, port)).await;
    let tcp = tcp.map_err(|error| no_answer(error.to_string()))?;
    let request = Request::get(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Error::Url(url.clone()))?;
    let exchange = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
        tokio::spawn(connection);
        sender.send_request(request).await
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

#[cfg(test)]
mod tests {
    use super::{Admin, Error, Question, url};

    fn asked(listen: &str, question: Question) -> String {
        let listen = Some(listen.parse().unwrap());
        url(&Admin { listen }, question).unwrap().to_string()
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
        let off = url(&Admin { listen: None }, Question::Readyz);
        assert!(matches!(off, Err(Error::Off)));
        let listen = Some("127.0.0.1:0".parse().unwrap());
        let any = url(&Admin { listen }, Question::Readyz);
        assert!(matches!(any, Err(Error::AnyPort)));
    }
}
