use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT_ENCODING, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body;
use sha2::{Digest, Sha256};

use super::file::{EncodedFile, PageFile};
use super::{BUILT, CSP, PLACEHOLDER, PLACEHOLDER_CSP, Page};

const fn encoded(etag: &'static str, bytes: &'static [u8]) -> EncodedFile {
    EncodedFile { etag, bytes }
}

static FILES: &[PageFile] = &[
    PageFile {
        path: "assets/app-1a2b.js",
        identity: encoded("\"j\"", b"plain js"),
        br: Some(encoded("\"j-br\"", b"br js")),
        gzip: Some(encoded("\"j-gz\"", b"gzip js")),
    },
    PageFile {
        path: "assets/font-3c4d.woff2",
        identity: encoded("\"f\"", b"font"),
        br: None,
        gzip: None,
    },
    PageFile {
        path: "index.html",
        identity: encoded("\"i\"", b"page"),
        br: None,
        gzip: Some(encoded("\"i-gz\"", b"gzip page")),
    },
];

const PAGE: Page = Page {
    files: FILES,
    policy: CSP,
};

fn headers(pairs: &[(http::HeaderName, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}

/// Status, content-encoding, etag and length of the body.
fn get(path: &str, request: &HeaderMap) -> Option<(u16, String, String, u64)> {
    let response = PAGE.respond(path, request)?;
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
    assert!(get("index.html", &none).is_some());
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
        assert_eq!(get(path, &none), None, "{path}");
    }
}

#[test]
fn the_encoding_with_the_highest_weight_is_chosen() {
    let coding = |path, accept| {
        let request = headers(&[(ACCEPT_ENCODING, accept)]);
        get(path, &request).unwrap().1
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
    assert_eq!(get("assets/app-1a2b.js", &two).unwrap().1, "br");
    assert_eq!(get("assets/app-1a2b.js", &HeaderMap::new()).unwrap().1, "");
}

#[test]
fn a_cached_file_is_not_sent_again() {
    let status = |value| {
        let request = headers(&[(ACCEPT_ENCODING, "br"), (IF_NONE_MATCH, value)]);
        get("assets/app-1a2b.js", &request).unwrap()
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
    // Each encoding has its own tag.
    for other in ["\"j\"", "\"j-gz\"", "j-br", "w/\"j-br\"", "", "\"*\""] {
        assert_eq!(status(other).0, 200, "{other}");
    }
}

#[test]
fn hashed_names_are_immutable_and_pages_are_revalidated() {
    let caching = |path| {
        let response = PAGE.respond(path, &HeaderMap::new()).unwrap();
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
fn the_tables_are_sorted_and_contain_both_pages() {
    for files in [PLACEHOLDER, BUILT] {
        assert!(files.is_sorted_by(|one, other| one.path < other.path));
        let has = |path| files.iter().any(|file| file.path == path);
        assert!(files.is_empty() || has("index.html") && has("docs.html"));
    }
}

#[test]
fn the_policy_of_the_placeholder_allows_its_style() {
    let page = std::str::from_utf8(PLACEHOLDER[0].identity.bytes).unwrap();
    let (_, after) = page.split_once("<style>").unwrap();
    let (style, after) = after.split_once("</style>").unwrap();
    let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(style)));
    assert!(PLACEHOLDER_CSP.contains(&hash), "{hash}");
    assert!(!after.contains("<style") && !page.contains("<script"));
}
