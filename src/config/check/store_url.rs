//! URLs of the store.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::config::{StoreAddress, StoreHost, StoreLogin};
use crate::secret::Secret;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
const CURE: &str = "write one such as \"redis://127.0.0.1:6379/0\"";

/// What a URL of the store says.
#[derive(Debug)]
pub struct StoreUrl {
    pub address: StoreAddress,
    pub login: StoreLogin,
    pub database: u32,
    pub is_tls: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Tcp { is_tls: bool },
    Sentinel { is_tls: bool },
    Unix,
}

impl Scheme {
    fn of(name: &str) -> Option<Self> {
        let is_tls = name.starts_with("rediss") || name.starts_with("valkeys");
        match name {
            "redis" | "rediss" | "valkey" | "valkeys" => Some(Self::Tcp { is_tls }),
            "redis+sentinel" | "rediss+sentinel" | "valkey+sentinel" | "valkeys+sentinel" => {
                Some(Self::Sentinel { is_tls })
            }
            "unix" | "redis+unix" | "valkey+unix" => Some(Self::Unix),
            _ => None,
        }
    }

    /// The parameters that may follow the `?`.
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Tcp { .. } => &[],
            Self::Sentinel { .. } => &["sentinel_user", "sentinel_password"],
            Self::Unix => &["db", "user", "password"],
        }
    }
}

/// Errors do not quote the URL: it may contain a password.
pub fn parse(text: &str) -> Result<StoreUrl, String> {
    let text = text.trim();
    if text.contains(|one: char| one.is_whitespace() || one.is_control()) {
        return Err(format!("contains a space or a line break; {CURE}"));
    }
    let Some((name, rest)) = text.split_once(':') else {
        return Err(format!("not a URL; {CURE}"));
    };
    let Some(scheme) = Scheme::of(&name.to_ascii_lowercase()) else {
        return Err(
            "must begin with redis://, rediss://, unix: or redis+sentinel://; \
             write one such as \"redis://127.0.0.1:6379/0\""
                .to_owned(),
        );
    };
    match scheme {
        Scheme::Unix => unix(rest),
        Scheme::Tcp { is_tls } => tcp(rest, is_tls),
        Scheme::Sentinel { is_tls } => sentinel(rest, is_tls),
    }
}

fn unix(rest: &str) -> Result<StoreUrl, String> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = decode(path)?;
    if !path.starts_with('/') || path.ends_with('/') {
        let text = "names no socket; write one such as \"unix:/run/valkey/valkey.sock\"";
        return Err(text.to_owned());
    }
    let parameters = parameters(query, Scheme::Unix)?;
    let parameter = |name| parameters.get(name);
    Ok(StoreUrl {
        address: StoreAddress::Unix(PathBuf::from(path)),
        login: login(parameter("user"), parameter("password"))?,
        database: parameter("db").map_or(Ok(0), database)?,
        is_tls: false,
    })
}

fn tcp(rest: &str, is_tls: bool) -> Result<StoreUrl, String> {
    let url = parse_as_special(rest)?;
    parameters(url.query().unwrap_or_default(), Scheme::Tcp { is_tls })?;
    let path = url.path().trim_matches('/');
    Ok(StoreUrl {
        address: StoreAddress::Tcp(host(&url, PORT)?),
        login: login_of(&url)?,
        database: Some(path)
            .filter(|it| !it.is_empty())
            .map_or(Ok(0), database)?,
        is_tls,
    })
}

fn sentinel(rest: &str, is_tls: bool) -> Result<StoreUrl, String> {
    const FORM: &str =
        "write it as \"redis+sentinel://USER:PASSWORD@HOST:26379,HOST:26379/MASTER/0\"";
    let authority = rest.strip_prefix("//").ok_or(FORM)?;
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    let (authority, path) = authority.split_at(end);
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (format!("{login}@"), hosts),
        None => (String::new(), authority),
    };
    let urls = hosts.split(',');
    let urls = urls.map(|host| parse_as_special(&format!("//{login}{host}{path}")));
    let urls = urls.collect::<Result<Vec<Url>, _>>()?;
    let first = urls.first().ok_or(FORM)?;
    let sentinels = urls.iter().map(|url| host(url, SENTINEL_PORT));
    let sentinels = sentinels.collect::<Result<Vec<_>, _>>()?;
    let mut segments = first.path().trim_matches('/').split('/');
    let master = decode(segments.next().unwrap_or_default())?;
    if master.is_empty() {
        return Err(format!("does not name the master; {FORM}"));
    }
    let number = segments.next().map_or(Ok(0), database)?;
    if segments.next().is_some() {
        return Err(format!("has a path that is too long; {FORM}"));
    }
    let query = first.query().unwrap_or_default();
    let parameters = parameters(query, Scheme::Sentinel { is_tls })?;
    let of_sentinels = (
        parameters.get("sentinel_user"),
        parameters.get("sentinel_password"),
    );
    Ok(StoreUrl {
        address: StoreAddress::Sentinel {
            master,
            sentinels,
            login: self::login(of_sentinels.0, of_sentinels.1)?,
        },
        login: login_of(first)?,
        database: number,
        is_tls,
    })
}

/// Of a scheme that it does not know, the parser checks no host; of one that it knows, it
/// drops the default port, which is 21 here.
fn parse_as_special(rest: &str) -> Result<Url, String> {
    let Some(authority) = rest.strip_prefix("//") else {
        return Err(format!("must have // after its scheme; {CURE}"));
    };
    // The parser would take the path for the host.
    if authority.starts_with(['/', '?', '#', '\\']) {
        return Err(format!("has no host; {CURE}"));
    }
    let url = Url::parse(&format!("ftp:{rest}"));
    let url = url.map_err(|error| format!("not a URL ({error}); {CURE}"))?;
    if url.fragment().is_some() {
        return Err(
            "has a # that begins a fragment; write it as %23 in a password, or remove it".into(),
        );
    }
    Ok(url)
}

fn host(url: &Url, default_port: u16) -> Result<StoreHost, String> {
    let name = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => return Err(format!("has no host; {CURE}")),
    };
    let port = url.port().unwrap_or(default_port);
    Ok(StoreHost { name, port })
}

fn login_of(url: &Url) -> Result<StoreLogin, String> {
    let user = Some(url.username()).filter(|it| !it.is_empty());
    let user = user.map(decode).transpose()?;
    let password = url.password().map(decode).transpose()?;
    login(user.as_deref(), password.as_deref())
}

fn login(user: Option<&str>, password: Option<&str>) -> Result<StoreLogin, String> {
    if user.is_some() && password.is_none() {
        return Err(
            "has a user without a password; write both, or \":PASSWORD@\" for a password alone"
                .to_owned(),
        );
    }
    Ok(StoreLogin {
        user: user.map(str::to_owned),
        password: password.map(Secret::new),
    })
}

fn database(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|it| *it < 1_000_000);
    number.ok_or_else(|| "its database is not a number; write one such as \"/0\"".to_owned())
}

/// The parameters of a query, decoded.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| &**value)
    }
}

fn parameters(query: &str, scheme: Scheme) -> Result<Parameters, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !scheme.parameters().contains(&name) {
            let known = scheme.parameters().join(", ");
            return Err(if known.is_empty() {
                "must not have a query; remove what follows \"?\"".to_owned()
            } else {
                format!("has an unknown parameter after \"?\"; known are {known}")
            });
        }
        Ok((name.to_owned(), decode(value)?))
    });
    pairs.collect::<Result<_, _>>().map(Parameters)
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| "contains text that is not UTF-8; encode it anew")?;
    Ok(decoded.into_owned())
}
