//! The page: its files, negotiated and cached as browsers want them.
//!
//! A debug build has only the plain page in it, and takes another from a
//! folder, so these tests bring their own.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup};

/// A folder as `npm run build` leaves it.
fn dist() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (name, text) in [
        ("index.html", "the page, as it is"),
        ("index.html.br", "page br"),
        ("index.html.gz", "page gz"),
        ("docs.html", "the reference"),
        ("assets/index-Ab12.js", "the script, as it is"),
        ("assets/index-Ab12.js.br", "script br"),
        ("assets/index-Ab12.js.gz", "script gz"),
        ("assets/math-Cd34.woff2", "a font"),
        ("secret.txt", "not of the page"),
    ] {
        write(name, text);
    }
    folder
}

fn with_page(folder: &Path, lines: &str) -> Gateway {
    Setup::new()
        .server(lines)
        .variable("TRUNKLINE_UI_DIST", folder.to_str().unwrap())
        .start()
}

fn get(gateway: &Gateway, path: &str, accept: &str) -> Answer {
    gateway.ask(&Request::get(path).header("Accept-Encoding", accept))
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn files_come_in_the_encoding_that_was_asked_for() {
    let folder = dist();
    let gateway = with_page(folder.path(), "");
    for (path, accept, coding, body) in [
        ("/", "gzip, deflate, br, zstd", Some("br"), "page br"),
        ("/", "gzip", Some("gzip"), "page gz"),
        ("/", "br;q=0, gzip;q=0", None, "the page, as it is"),
        ("/docs", "br", None, "the reference"),
        ("/assets/index-Ab12.js", "br", Some("br"), "script br"),
        ("/assets/math-Cd34.woff2", "br", None, "a font"),
    ] {
        let answer = get(&gateway, path, accept);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.text(), body);
        assert_eq!(answer.header("content-encoding"), coding);
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        let length = body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(&*length));
    }
    let plain = gateway.ask(&Request::get("/"));
    assert_eq!(plain.text(), "the page, as it is");
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn every_file_is_guarded_and_typed() {
    let folder = dist();
    let gateway = with_page(folder.path(), "");
    for (path, kind, caching) in [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/docs", "text/html; charset=utf-8", "no-cache"),
        (
            "/assets/index-Ab12.js",
            "text/javascript; charset=utf-8",
            "public, max-age=31536000, immutable",
        ),
        (
            "/assets/math-Cd34.woff2",
            "font/woff2",
            "public, max-age=31536000, immutable",
        ),
    ] {
        let answer = get(&gateway, path, "br");
        for (name, value) in [
            ("content-type", kind),
            ("cache-control", caching),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "permissions-policy",
                "camera=(), microphone=(), geolocation=()",
            ),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ] {
            assert!(policy.split("; ").any(|it| it == part), "{policy}");
        }
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn what_a_browser_has_is_not_sent_again() {
    let folder = dist();
    let gateway = with_page(folder.path(), "");
    let first = get(&gateway, "/", "br");
    let etag = first.header("etag").unwrap().to_owned();
    assert_ne!(get(&gateway, "/", "gzip").header("etag"), Some(&*etag));
    let mut client = gateway.client();
    for known in [&*etag, &format!("\"other\", W/{etag}"), "*"] {
        let request = Request::get("/").header("Accept-Encoding", "br");
        client.send(&request.header("If-None-Match", known).bytes());
        let again = client.answer();
        assert_eq!((again.status, again.text().as_str()), (304, ""), "{known}");
        assert_eq!(again.header("etag"), Some(&*etag));
        assert_eq!(again.header("cache-control"), Some("no-cache"));
        assert_eq!(again.header("vary"), Some("accept-encoding"));
        // A length would be that of the 200 (RFC 9110, section 8.6).
        assert_eq!(again.header("content-length"), None);
    }
    let request = Request::get("/").header("Accept-Encoding", "gzip");
    client.send(&request.header("If-None-Match", &etag).bytes());
    assert_eq!(client.answer().text(), "page gz");
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn nothing_but_the_page_is_served() {
    let folder = dist();
    let gateway = with_page(folder.path(), "");
    for path in [
        "/index.html",
        "/docs/",
        "/docs.html",
        "/secret.txt",
        "/assets",
        "/assets/",
        "/assets/nothing.js",
        "/assets/index-Ab12.js.br",
        "/assets/../secret.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/%69ndex-Ab12.js",
        "/assets//index-Ab12.js",
        "//",
        "/chat",
    ] {
        assert_response::error(&get(&gateway, path, "br"), 404, "unknown_url", None);
    }
    for path in ["/", "/docs", "/assets/index-Ab12.js"] {
        let answer = gateway.ask(&Request::post(path, "{}"));
        assert_response::error(&answer, 405, "method_not_allowed", None);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
        let head = gateway.ask(&Request::new("HEAD", path));
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_ne!(head.header("content-length"), Some("0"));
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn the_page_is_served_below_the_root_path_as_well() {
    let folder = dist();
    let gateway = with_page(folder.path(), "root_path = \"/team/ai\"");
    for path in ["/docs", "/assets/index-Ab12.js", "/"] {
        let below = get(&gateway, &format!("/team/ai{path}"), "br");
        assert_eq!(below.status, 200, "{path}");
        assert_eq!(below.body, get(&gateway, path, "br").body);
    }
    let bare = get(&gateway, "/team/ai", "br");
    assert_eq!((bare.status, bare.header("location")), (308, Some("ai/")));
}

#[test]
fn a_page_that_is_switched_off_is_not_there() {
    let folder = dist();
    let gateway = with_page(folder.path(), "page = false");
    for path in ["/", "/docs", "/assets/index-Ab12.js"] {
        assert_response::error(&get(&gateway, path, "br"), 404, "unknown_url", None);
    }
    assert_eq!(gateway.ask(&Request::get("/health")).status, 200);
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn without_the_page_a_plain_one_says_how_to_get_it() {
    let empty = tempfile::tempdir().unwrap();
    for gateway in [Setup::new().start(), with_page(empty.path(), "")] {
        for path in ["/", "/docs"] {
            let answer = get(&gateway, path, "br");
            assert_eq!(answer.status, 200);
            assert!(answer.text().contains("cargo build --release"), "{path}");
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.contains("style-src 'sha256-"), "{policy}");
        }
    }
}

#[test]
fn the_page_and_its_files_need_no_key_but_a_name_of_ours() {
    let keyed = Setup::new().key("alice", "tk-alice", "").start();
    assert_eq!(keyed.ask(&Request::get("/")).status, 200);
    let open = Setup::new().start();
    for path in ["/", "/docs", "/assets/x.js"] {
        let request = Request::get(path)
            .without("Host")
            .header("Host", "evil.example");
        assert_response::error(&open.ask(&request), 403, "forbidden_origin", None);
    }
}
