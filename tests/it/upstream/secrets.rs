//! Promise 4, nothing secret leaks: canaries go everywhere a secret goes, and
//! then every output is searched for them, also cut, encoded and hashed.

use std::collections::HashSet;

use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup, sha256_hex};
use crate::support::upstream::tls::{Authority, Flaw};
use crate::support::upstream::{Upstream, refused_base_url, reply};

/// Random words with nothing in common, so that a hit is never by chance.
const UPSTREAM: &str = "uKq7Zp2vXw9RbT4nLs8Yd3Hf6JgMc5Ae";
const CLIENT: &str = "cWm3Vt8hQz5PxN7kSb2Ry9Gj4DfLe6Ua";
const WRONG: &str = "wJf9Bn4sTd7KqX2mHv6Lz3Pc8RgYa5Eu";
const PROMPT: &str = "pHx5Lr9gWk2TzC8vMd4Ns7Qb3JyFa6Ie";
const COMPLETION: &str = "oTz8Gc3nVq6LwD5xRk9Hm2Bs7PyJf4Au";

/// What the outside saw of one run.
struct Exposure {
    /// What callers got that no upstream said, or that carries no completion.
    answers: Vec<Vec<u8>>,
    /// Heads of the answers that carry the completion.
    heads: Vec<Vec<u8>>,
    /// Log, metrics, traces and config dump.
    inside: Vec<Vec<u8>>,
}

/// Every spelling of a secret that would give it away, in pieces of `WINDOW`.
const WINDOW: usize = 8;

fn traces(secret: &str) -> HashSet<Vec<u8>> {
    let mut spellings = vec![
        secret.to_owned(),
        hex(secret.as_bytes()),
        hex(secret.as_bytes()).to_uppercase(),
    ];
    for skip in 0..3 {
        spellings.push(base64(&secret.as_bytes()[skip..]));
    }
    let mut traces: HashSet<Vec<u8>> = spellings
        .iter()
        .flat_map(|text| text.as_bytes().windows(WINDOW))
        .map(<[u8]>::to_vec)
        .collect();
    // Hashes look like the ids of requests: only long pieces of them count.
    traces.extend(
        [&sha256_hex(secret)[..16], &sha256_hex(secret)[48..]].map(|text| text.as_bytes().to_vec()),
    );
    traces
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(b"0123456789abcdef"[usize::from(half)]))
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).flat_map(|group| {
        let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[(bits >> shift) as usize & 63]))
    });
    groups.collect()
}

/// Where an output gives a secret away, with what stands around it.
fn leak(output: &[u8], secret: &str) -> Option<String> {
    let traces = traces(secret);
    let hit = |size: usize| {
        output
            .windows(size)
            .position(|window| traces.contains(window))
            .map(|at| {
                let around = at.saturating_sub(60)..(at + 60).min(output.len());
                String::from_utf8_lossy(&output[around]).into_owned()
            })
    };
    hit(WINDOW).or_else(|| hit(16))
}

#[track_caller]
fn clean(outputs: &[Vec<u8>], secrets: &[(&str, &str)]) {
    for output in outputs {
        for (name, secret) in secrets {
            if let Some(around) = leak(output, secret) {
                panic!("the {name} leaks: …{around}…");
            }
        }
    }
}

/// A request that carries the prompt.
fn asking(model: &str, stream: bool) -> Request {
    let body = format!(
        r#"{{"model":"{model}","stream":{stream},"user":"{PROMPT}","messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#
    );
    Request::post("/v1/chat/completions", body).key(CLIENT)
}

/// Upstreams that answer by what the body's model asks of them, and echo the
/// credential wherever an upstream might.
fn treacherous() -> Upstream {
    Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let says = |what: &str| body.contains(&format!("\"model\":\"{what}\""));
        if says("good") {
            let stream = reply::stream(&[
                reply::delta(COMPLETION),
                reply::finish(),
                reply::usage(1, 2),
                reply::DONE.to_owned(),
            ]);
            exchange.send(if body.contains("\"stream\":true") {
                stream
            } else {
                reply::completion(COMPLETION)
            });
        } else if says("echo") {
            let body = format!(
                r#"{{"error":{{"message":"bad key {UPSTREAM}","type":"x","code":"x","param":null}}}}"#
            );
            exchange.send(reply::whole(
                "401 Unauthorized",
                &[
                    "Content-Type: application/json",
                    &format!("WWW-Authenticate: Bearer realm=\"{UPSTREAM}\""),
                ],
                body,
            ));
        } else if says("page") {
            exchange.send(reply::whole(
                "502 Bad",
                &["Content-Type: text/html"],
                format!("<p>{UPSTREAM} {PROMPT}</p>"),
            ));
        } else if says("broken-head") {
            exchange.send(format!(
                "HTTP/1.1 200 OK\r\nBad {UPSTREAM} {COMPLETION}: x\r\n\r\n"
            ));
            exchange.close();
        } else if says("redirect") {
            exchange.send(reply::whole(
                "302 Found",
                &[&format!("Location: http://127.0.0.1:1/?key={UPSTREAM}")],
                "",
            ));
        } else if says("cut") {
            exchange.send(reply::stream_head());
            exchange.send(reply::chunk(reply::delta(COMPLETION) + "data: {\"half"));
            exchange.close();
        } else {
            exchange.close();
        }
    })
}

/// Walks all the ways, good and bad, at a level of logging.
fn walk(level: &str) -> (Exposure, u16) {
    let upstream = treacherous();
    let authority = Authority::new();
    let flawed = Upstream::start_tls(authority.server(Flaw::Expired, &[]), |_| {});
    let setup = Setup::new();
    let collector = crate::telemetry::traces::collector();
    let base_url = upstream.base_url();
    let mut gateway = setup
        .log(&format!("level = \"{level}\""))
        .keyed_provider("up", &base_url, UPSTREAM, "stream_usage = \"inject\"")
        .keyed_provider("header", &base_url, UPSTREAM, "auth = \"api-key\"")
        .section(&format!(
            "[providers.environment]\nbase_url = \"{base_url}\"\napi_key_env = \"SOME_KEY\""
        ))
        .variable("SOME_KEY", UPSTREAM)
        .keyed_provider("nowhere", &refused_base_url(), UPSTREAM, "")
        .keyed_provider("flawed", &flawed.base_url(), UPSTREAM, "")
        .model("m", "up", "good")
        .section(&crate::telemetry::traces::to(
            &collector.base_url(),
            "ratio = \"1\"",
        ))
        .key("alice", CLIENT, "")
        .key("carol", &format!("{CLIENT}-2"), "models = [\"nothing\"]")
        .start();
    let mut exposure = Exposure {
        answers: Vec::new(),
        heads: Vec::new(),
        inside: Vec::new(),
    };
    good_ways(&gateway, &mut exposure);
    bad_ways(&gateway, &mut exposure);
    for path in ["/metrics", "/config", "/livez", "/readyz", "/nothing"] {
        let answer = gateway.ask_admin(path);
        exposure
            .inside
            .push([answer.head.raw, answer.body].concat());
    }
    gateway.signal("TERM");
    assert!(gateway.ended().success());
    exposure.inside.push(gateway.said().into_bytes());
    let exports = collector.requests();
    assert!(!exports.is_empty(), "nothing was traced");
    for export in exports {
        let text = export.text();
        assert!(!text.contains("127.0.0.1"), "an address leaks: {text}");
        exposure.inside.push([export.head, export.body].concat());
    }
    (exposure, upstream.port())
}

fn good_ways(gateway: &Gateway, exposure: &mut Exposure) {
    for model in ["m", "up/good", "header/good", "environment/good"] {
        for stream in [false, true] {
            let answer = gateway.ask(&asking(model, stream));
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
            assert!(answer.text().contains(COMPLETION));
            exposure.heads.push(answer.head.raw);
        }
    }
    for target in [
        "/v1/models",
        "/v1/models/m",
        "/health",
        "/openapi.json",
        "/",
    ] {
        exposure
            .answers
            .push(whole(gateway.ask(&Request::get(target).key(CLIENT))));
    }
}

fn bad_ways(gateway: &Gateway, exposure: &mut Exposure) {
    let mut requests = vec![
        asking("m", false).without("Authorization").key(WRONG),
        asking("m", false)
            .without("Authorization")
            .header("api-key", WRONG),
        asking("m", false)
            .without("Authorization")
            .key(&format!("{CLIENT}-2")),
        asking("nobody", false),
        asking("m", false).header("Content-Encoding", "gzip"),
        asking("m", false)
            .without("Content-Type")
            .header("Content-Type", "text/plain"),
        Request::post(
            "/v1/chat/completions",
            format!("{{\"model\":\"m\",\"a\":\"{PROMPT}\""),
        )
        .key(CLIENT),
        Request::post("/v1/chat/completions", format!("{{\"{PROMPT}\":{PROMPT}}}")).key(CLIENT),
        Request::post(
            "/v1/chat/completions",
            format!("{{\"a\":\"{PROMPT}\",\"model\":7}}"),
        )
        .key(CLIENT),
    ];
    for (model, stream) in [
        ("echo", false),
        ("page", true),
        ("broken-head", false),
        ("redirect", false),
        ("vanish", true),
    ] {
        requests.push(asking(&format!("up/{model}"), stream));
        requests.push(asking(&format!("header/{model}"), stream));
    }
    requests.extend(["nowhere/x", "flawed/x"].map(|model| asking(model, true)));
    let mut in_query = asking("m", false).without("Authorization");
    in_query.target = format!("{}?api_key={WRONG}", in_query.target);
    requests.push(in_query);
    for request in requests {
        let answer = gateway.ask(&request);
        assert!(answer.status >= 400, "{}: {}", answer.status, answer.text());
        exposure.answers.push(whole(answer));
    }
    let cut = gateway.ask(&asking("up/cut", true));
    assert!(!cut.complete);
    exposure.heads.push(cut.head.raw);
    let mut leaving = gateway.client();
    leaving.send(&asking("m", true).bytes()[..200]);
    drop(leaving);
    gateway.settle();
}

fn whole(answer: Answer) -> Vec<u8> {
    [answer.head.raw, answer.body].concat()
}

#[track_caller]
fn nothing_leaks(level: &str) {
    let (exposure, port) = walk(level);
    let keys = [
        ("upstream's key", UPSTREAM),
        ("caller's key", CLIENT),
        ("wrong key", WRONG),
    ];
    let words = [("prompt", PROMPT), ("completion", COMPLETION)];
    let all: Vec<(&str, &str)> = keys.into_iter().chain(words).collect();
    clean(&exposure.inside, &all);
    clean(&exposure.answers, &all);
    clean(&exposure.heads, &all);
    let address = format!("127.0.0.1:{port}");
    for answer in exposure.answers.iter().chain(&exposure.heads) {
        let text = String::from_utf8_lossy(answer);
        assert!(
            !text.contains(&address),
            "an upstream's address leaks: {text}"
        );
        assert!(
            !text.contains("/tmp/") && !text.contains("src/"),
            "a path leaks: {text}"
        );
    }
}

#[test]
fn s01_nothing_leaks_at_the_usual_level() {
    nothing_leaks("info");
}

#[test]
fn s01_nothing_leaks_at_the_most_talkative_level() {
    nothing_leaks("trace");
}

#[test]
fn the_search_finds_what_it_is_made_to_find() {
    let hidden = |text: &str| leak(format!("some {text} output").as_bytes(), UPSTREAM).is_some();
    assert!(hidden(UPSTREAM));
    assert!(hidden(&UPSTREAM[5..13]));
    assert!(hidden(&hex(UPSTREAM.as_bytes())[8..24]));
    assert!(hidden(&base64(&UPSTREAM.as_bytes()[1..])[4..16]));
    assert!(hidden(&base64(format!("Bearer {UPSTREAM}").as_bytes())));
    assert!(hidden(&sha256_hex(UPSTREAM)));
    assert!(!hidden("nothing of note, 0123456789abcdef"));
    assert!(!hidden(&UPSTREAM[..7]));
    assert_eq!(base64(b"Man"), "TWFu");
}

#[test]
fn the_callers_credentials_stay_on_our_side() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).key("alice", CLIENT, "").start();
    for name in ["Authorization", "api-key", "x-api-key"] {
        let value = if name == "Authorization" {
            format!("Bearer {CLIENT}")
        } else {
            CLIENT.to_owned()
        };
        let request = Request::chat("m")
            .header(name, &value)
            .header("Cookie", &format!("session={CLIENT}"));
        assert_eq!(gateway.ask(&request).status, 200);
    }
    for seen in upstream.requests() {
        assert_eq!(leak(&[seen.head, seen.body].concat(), CLIENT), None);
    }
}

#[test]
fn a_key_of_one_provider_never_goes_to_another() {
    let [one, two] = [(); 2].map(|()| Upstream::answering(reply::completion("hi")));
    let gateway = Setup::new()
        .keyed_provider("one", &one.base_url(), UPSTREAM, "")
        .keyed_provider("two", &two.base_url(), WRONG, "auth = \"x-api-key\"")
        .start();
    assert_eq!(gateway.ask(&Request::chat("one/x")).status, 200);
    assert_eq!(gateway.ask(&Request::chat("two/x")).status, 200);
    assert_eq!(leak(&one.only().head, WRONG), None);
    assert_eq!(leak(&two.only().head, UPSTREAM), None);
    assert!(leak(&one.only().head, UPSTREAM).is_some());
    assert!(leak(&two.only().head, WRONG).is_some());
}

#[test]
fn a_literal_key_is_warned_of_and_not_shown() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::new()
        .keyed_provider("up", &upstream.base_url(), UPSTREAM, "")
        .start();
    let said = gateway.lines_at("WARN").join("\n");
    assert!(said.contains("api_key"), "no warning: {said}");
    assert_eq!(leak(gateway.said().as_bytes(), UPSTREAM), None);
}
