//! The page's files: encoding negotiation, caching, security headers.
//!
//! A debug build embeds only a placeholder page and serves another from a
//! directory, so these tests bring their own.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};

/// A directory like the output of `npm run build`.
fn dist() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
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
    for name in public_files() {
        write(&name, "by its name");
    }
    directory
}

/// Names of the files that the page's build copies as they are, and of the icons that it
/// draws.
fn public_files() -> Vec<String> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let entries = fs::read_dir(web.join("public")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    let script = fs::read_to_string(web.join("vite/icons.ts")).unwrap();
    let drawn = script.split("name: '").skip(1);
    let drawn = drawn.filter_map(|rest| rest.split('\'').next());
    let is_icon = |name: &&str| Path::new(name).extension().is_some_and(|it| it == "png");
    names.extend(drawn.filter(is_icon).map(Into::into));
    names
}

/// What the manifest names exists.
#[test]
fn the_icons_of_the_manifest_are_built() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/public/manifest.webmanifest");
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let icons = manifest["icons"].as_array().unwrap();
    assert!(icons.len() >= 5);
    let names = public_files();
    for icon in icons {
        let name = icon["src"].as_str().unwrap();
        assert!(names.iter().any(|it| it == name), "{name}");
    }
    assert!(names.iter().any(|it| it == "apple-touch-icon.png"));
}

fn with_page(directory: &Path, lines: &str) -> Gateway {
    Setup::new()
        .server(lines)
        .env("TRUNKLINE_UI_DIST", directory.to_str().unwrap())
        .start()
}

fn get(gateway: &Gateway, path: &str, accept: &str) -> Response {
    gateway.send(&Request::get(path).header("Accept-Encoding", accept))
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn files_are_served_in_the_requested_encoding() {
    let directory = dist();
    let gateway = with_page(directory.path(), "");
    for (path, accept, coding, body) in [
        ("/", "gzip, deflate, br, zstd", Some("br"), "page br"),
        ("/", "gzip", Some("gzip"), "page gz"),
        ("/", "br;q=0, gzip;q=0", None, "the page, as it is"),
        ("/docs", "br", None, "the reference"),
        ("/assets/index-Ab12.js", "br", Some("br"), "script br"),
        ("/assets/math-Cd34.woff2", "br", None, "a font"),
    ] {
        let response = get(&gateway, path, accept);
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(response.text(), body);
        assert_eq!(response.header("content-encoding"), coding);
        assert_eq!(response.header("vary"), Some("accept-encoding"));
        let length = body.len().to_string();
        assert_eq!(response.header("content-length"), Some(&*length));
    }
    let plain = gateway.send(&Request::get("/"));
    assert_eq!(plain.text(), "the page, as it is");
}

/// Without their manifest and icons, browsers do not offer to install the page.
#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn files_without_a_hash_in_their_name_are_served_and_not_kept() {
    let directory = dist();
    let gateway = with_page(directory.path(), "root_path = \"/api\"");
    let names = public_files();
    assert!(!names.is_empty());
    for name in names {
        for path in [format!("/{name}"), format!("/api/{name}")] {
            let response = get(&gateway, &path, "br");
            assert_eq!(response.status, 200, "{path}");
            assert_eq!(response.text(), "by its name");
            assert_eq!(response.header("cache-control"), Some("no-cache"));
            let kind = response.header("content-type").unwrap();
            let expected = match name.rsplit_once('.').unwrap().1 {
                "png" => "image/png",
                "svg" => "image/svg+xml",
                "webmanifest" => "application/manifest+json",
                other => panic!("a test must say the type of {other}"),
            };
            assert_eq!(kind, expected, "{path}");
        }
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn every_file_has_security_headers_and_a_content_type() {
    let directory = dist();
    let gateway = with_page(directory.path(), "");
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
        let response = get(&gateway, path, "br");
        for (name, value) in [
            ("content-type", kind),
            ("cache-control", caching),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "permissions-policy",
                "camera=(), microphone=(self), geolocation=()",
            ),
        ] {
            assert_eq!(response.header(name), Some(value), "{path}");
        }
        let policy = response.header("content-security-policy").unwrap();
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
fn a_cached_file_is_not_sent_again() {
    let directory = dist();
    let gateway = with_page(directory.path(), "");
    let first = get(&gateway, "/", "br");
    let etag = first.header("etag").unwrap().to_owned();
    assert_ne!(get(&gateway, "/", "gzip").header("etag"), Some(&*etag));
    let mut client = gateway.client();
    for known in [&*etag, &format!("\"other\", W/{etag}"), "*"] {
        let request = Request::get("/").header("Accept-Encoding", "br");
        client.send(&request.header("If-None-Match", known).bytes());
        let again = client.response();
        assert_eq!((again.status, again.text().as_str()), (304, ""), "{known}");
        assert_eq!(again.header("etag"), Some(&*etag));
        assert_eq!(again.header("cache-control"), Some("no-cache"));
        assert_eq!(again.header("vary"), Some("accept-encoding"));
        // A length would be that of the 200 (RFC 9110, section 8.6).
        assert_eq!(again.header("content-length"), None);
    }
    let request = Request::get("/").header("Accept-Encoding", "gzip");
    client.send(&request.header("If-None-Match", &etag).bytes());
    assert_eq!(client.response().text(), "page gz");
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn nothing_but_the_page_is_served() {
    let directory = dist();
    let gateway = with_page(directory.path(), "");
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
        let response = gateway.send(&Request::post(path, "{}"));
        assert_response::error(&response, 405, "method_not_allowed", None);
        assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
        let head = gateway.send(&Request::new("HEAD", path));
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_ne!(head.header("content-length"), Some("0"));
    }
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn the_page_is_served_below_the_root_path_as_well() {
    let directory = dist();
    let gateway = with_page(directory.path(), "root_path = \"/team/ai\"");
    for path in ["/docs", "/assets/index-Ab12.js", "/"] {
        let below = get(&gateway, &format!("/team/ai{path}"), "br");
        assert_eq!(below.status, 200, "{path}");
        assert_eq!(below.body, get(&gateway, path, "br").body);
    }
    let bare = get(&gateway, "/team/ai", "br");
    assert_eq!((bare.status, bare.header("location")), (308, Some("ai/")));
}

#[test]
fn a_disabled_page_is_not_served() {
    let directory = dist();
    let gateway = with_page(directory.path(), "page = false");
    for path in ["/", "/docs", "/assets/index-Ab12.js"] {
        assert_response::error(&get(&gateway, path, "br"), 404, "unknown_url", None);
    }
    assert_eq!(gateway.send(&Request::get("/health")).status, 200);
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build has its own page")]
fn without_the_page_a_placeholder_explains_how_to_build_it() {
    let empty = tempfile::tempdir().unwrap();
    for gateway in [Setup::new().start(), with_page(empty.path(), "")] {
        for path in ["/", "/docs"] {
            let response = get(&gateway, path, "br");
            assert_eq!(response.status, 200);
            assert!(response.text().contains("cargo build --release"), "{path}");
            let policy = response.header("content-security-policy").unwrap();
            assert!(policy.contains("style-src 'sha256-"), "{policy}");
        }
    }
}

#[test]
fn the_page_and_its_files_need_no_key_but_an_allowed_host() {
    let keyed = Setup::new().key("alice", "tk-alice", "").start();
    assert_eq!(keyed.send(&Request::get("/")).status, 200);
    let open = Setup::new().start();
    for path in ["/", "/docs", "/assets/x.js"] {
        let request = Request::get(path)
            .without("Host")
            .header("Host", "evil.example");
        assert_response::error(&open.send(&request), 403, "forbidden_origin", None);
    }
}
