//! The base URL in the code that the demo shows: copied, the code must reach this gateway.

use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, HeaderName, Uri};

/// The gateway's own address, without what is in front of it.
pub const BASE_URL: HeaderName = HeaderName::from_static("x-trunkline-base-url");
/// Where the gateway listens unless it is configured.
pub const DEFAULT: &str = "http://127.0.0.1:8080/v1";
const MAX_LEN: usize = 200;

/// By the page that asked, which knows of proxies in front of the gateway and of the paths
/// that they add; else by the page's origin; else by where the gateway listens.
pub fn base_url(headers: &HeaderMap) -> String {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    let page = || Some(format!("{}v1", folder(text(&REFERER)?)?));
    let origin = || Some(format!("{}/v1", checked(text(&ORIGIN)?)?));
    let own = || checked(text(&BASE_URL)?).map(str::to_owned);
    page()
        .or_else(origin)
        .or_else(own)
        .unwrap_or_else(|| DEFAULT.to_owned())
}

/// The URL of a page up to its last slash.
fn folder(page: &str) -> Option<&str> {
    let end = page.find(['?', '#']).unwrap_or(page.len());
    let page = checked(page.get(..end)?)?;
    let (_, path) = page.split_once("://")?;
    let last = path.rfind('/')?;
    page.get(..page.len() - path.len() + last + 1)
}

/// A URL that is short, and in which nothing ends the text of a program.
fn checked(url: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]%@".contains(&byte);
    let parsed: Uri = url.parse().ok()?;
    let is_web = matches!(parsed.scheme_str(), Some("http" | "https")) && parsed.host().is_some();
    (is_web && url.len() <= MAX_LEN && url.bytes().all(is_plain)).then_some(url)
}
