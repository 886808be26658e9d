//! The table of files, over one made up for the purpose.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body;
use sha2::{Digest, Sha256};

use super::file::{File, Form};
use super::{BUILT, PLAIN, PLAIN_POLICY, POLICY, Page};

const fn form(etag: &'static str, bytes: &'static [u8]) -> Form {
    Form { etag, bytes }
}

static FILES: &[File] = &[
    File {
        path: "assets/app-1a2b.js",
        identity: form("\"j\"", b"plain js"),
        br: Some(form("\"j-br\"", b"br js")),
        gzip: Some(form("\"j-gz\"", b"gzip js")),
    },
    File {
        path: "assets/font-3c4d.woff2",
        identity: form("\"f\"", b"font"),
        br: None,
        gzip: None,
    },
    File {
        path: "index.html",
        identity: form("\"i\"", b"page"),
        br: None,
        gzip: Some(form("\"i-gz\"", b"gzip page")),
    },
];

const PAGE: Page = Page {
    files: FILES,
    policy: POLICY,
};

fn headers(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}

/// Status, content-encoding, etag and length of the body.
fn ask(path: &str, request: &HeaderMap) -> Option<(u16, String, String, u64)> {
    let response = PAGE.answer(path, request)?;
    let text = |name: &str| {
        let value = response.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap()).to_owned()
    };
    let length = response.body().size_hint().exact().unwrap();
    let status = response.status().as_u16();
    Some((status, text("content-encoding"), text("etag"), length))
}

#[test]
fn paths_are_matched_exactly() {
    let none = HeaderMap::new();
    assert!(ask("index.html", &none).is_some());
    for path in [
        "",
        "assets",
        "assets/",
        "assets/app-1a2b.js.br",
        "assets/../index.html",
        "index.htm",
        "docs.html",
        "INDEX.HTML",
    ] {
        assert_eq!(ask(path, &none), None, "{path}");
    }
}

#[test]
fn the_best_encoding_on_both_sides_is_taken() {
    let coding = |path, accept| {
        let request = headers(&[(ACCEPT_ENCODING, accept)]);
        ask(path, &request).unwrap().1
    };
    for (accept, expected) in [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, br;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("BR;Q=1.0", "br"),
        (" gzip ; q=0.001 ", "gzip"),
        ("*", "br"),
        ("*;q=0.5, br;q=0", "gzip"),
        ("identity, br;q=0.9", ""),
        ("identity;q=0.5, gzip", "gzip"),
        ("deflate", ""),
        ("", ""),
        ("br;q=0, gzip;q=0.000", ""),
        ("identity;q=0, deflate", ""),
        ("br;q=2, gzip;q=nan", ""),
        ("br;level=4", "br"),
        (";;;,,=q", ""),
    ] {
        assert_eq!(coding("assets/app-1a2b.js", accept), expected, "{accept}");
    }
    assert_eq!(coding("index.html", "br, gzip;q=0.1"), "gzip");
    assert_eq!(coding("assets/font-3c4d.woff2", "br, gzip"), "");
    let two = headers(&[(ACCEPT_ENCODING, "gzip;q=0.5"), (ACCEPT_ENCODING, "br")]);
    assert_eq!(ask("assets/app-1a2b.js", &two).unwrap().1, "br");
    assert_eq!(ask("assets/app-1a2b.js", &HeaderMap::new()).unwrap().1, "");
}

#[test]
fn what_the_caller_has_is_not_sent_again() {
    let status = |value| {
        let request = headers(&[(ACCEPT_ENCODING, "br"), (IF_NONE_MATCH, value)]);
        ask("assets/app-1a2b.js", &request).unwrap()
    };
    for known in [
        "\"j-br\"",
        "W/\"j-br\"",
        "\"x\", \"j-br\"",
        "\"x\",W/\"j-br\" ,\"y\"",
        "*",
    ] {
        let (code, coding, etag, length) = status(known);
        assert_eq!((code, length), (304, 0), "{known}");
        assert_eq!((&*coding, &*etag), ("", "\"j-br\""));
    }
    // The tag of another encoding is one of other bytes.
    for other in ["\"j\"", "\"j-gz\"", "j-br", "w/\"j-br\"", "", "\"*\""] {
        assert_eq!(status(other).0, 200, "{other}");
    }
}

#[test]
fn names_with_a_hash_are_kept_for_ever_and_pages_are_asked_for_again() {
    let caching = |path| {
        let response = PAGE.answer(path, &HeaderMap::new()).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.headers()["cache-control"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let hashed = caching("assets/app-1a2b.js");
    assert_eq!(hashed, "public, max-age=31536000, immutable");
    assert_eq!(caching("index.html"), "no-cache");
}

#[test]
fn the_tables_are_sorted_and_have_both_pages() {
    for files in [PLAIN, BUILT] {
        assert!(files.is_sorted_by(|one, other| one.path < other.path));
        let has = |path| files.iter().any(|file| file.path == path);
        assert!(files.is_empty() || has("index.html") && has("docs.html"));
    }
}

#[test]
fn the_policy_of_the_plain_page_admits_its_style() {
    let page = std::str::from_utf8(PLAIN[0].identity.bytes).unwrap();
    let (_, rest) = page.split_once("<style>").unwrap();
    let (style, rest) = rest.split_once("</style>").unwrap();
    let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
    assert!(PLAIN_POLICY.contains(&hash), "{hash}");
    assert!(!rest.contains("<style") && !page.contains("<script"));
}
