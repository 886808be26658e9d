//! How a fault of a target is played and judged, for the table of them.

use crate::routing::failover::good;
use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY};
use crate::support::upstream::tls::{Authority, Flaw};
use crate::support::upstream::{Exchange, Upstream, reply};
use crate::upstream::http2_faults::{Act, Faulty, open};

use Then::{Broken, Cut, Next, Own, Told};

/// What the caller gets.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    /// The healthy target's answer.
    Next,
    /// This error, not to be tried again by anyone; or, where the model allows
    /// it, the healthy target's answer.
    Told(u16, &'static str),
    /// The faulty target's own answer of this status.
    Own(u16),
    /// A stream that began and ends with this error.
    Broken(&'static str),
    /// An answer that began and was cut.
    Cut,
}

/// A faulty target.
pub struct Bad {
    base: String,
    /// More lines for its provider.
    lines: String,
    /// What must not end before the test.
    _held: Box<dyn std::any::Any>,
}

impl Bad {
    pub fn new(base: String, lines: &str, held: impl std::any::Any) -> Self {
        Self {
            base,
            lines: lines.to_owned(),
            _held: Box::new(held),
        }
    }

    pub fn script(script: fn(&mut Exchange<'_>)) -> Self {
        let upstream = Upstream::start(script);
        let limits = "timeouts = { head = \"150ms\", gap = \"150ms\" }";
        Self::new(upstream.base_url(), limits, upstream)
    }

    pub fn answer(answer: impl AsRef<[u8]>) -> Self {
        let upstream = Upstream::answering(answer);
        Self::new(upstream.base_url(), "", upstream)
    }

    pub fn http2(act: Act) -> Self {
        let upstream = Faulty::start(&open(), 100, move |_| act);
        Self::new(upstream.base_url(), "http = \"http2\"", upstream)
    }

    pub fn tls(flaw: Flaw) -> Self {
        let authority = Authority::new();
        let script = |exchange: &mut Exchange<'_>| {
            exchange.send(reply::completion("no"));
        };
        let upstream = Upstream::start_tls(authority.server(flaw, &[]), script);
        Self::new(upstream.base_url(), "", upstream)
    }
}

/// Plays one row: `make` makes a faulty target.
#[track_caller]
pub fn row(name: &str, make: impl Fn() -> Bad, whole: Then, stream: Then) {
    let fine = good();
    let bad = [make(), make()];
    let mut setup = Setup::new().provider("fine", &fine.base_url(), "");
    for (place, bad) in bad.iter().enumerate() {
        setup = setup.keyed_provider(&format!("bad{place}"), &bad.base, UPSTREAM_KEY, &bad.lines);
    }
    // Nobody is left out, so that every request meets the fault.
    let rest =
        "[breaker]\nfailures = 0\nerror_rate = 0\ncooldown = \"1ns\"\nmax_cooldown = \"1ns\"";
    let gateway = setup
        .section(rest)
        .section(&model("two", &["bad0", "fine"], false))
        .section(&model("three", &["bad0", "bad1", "fine"], false))
        .section(&model("again", &["bad0", "bad1", "fine"], true))
        .start();
    for (alias, attempts) in [("two", "2"), ("three", "3"), ("again", "3")] {
        let requests = [Request::chat(alias), Request::stream(alias)];
        for (request, then) in requests.iter().zip([whole, stream]) {
            let then = match then {
                Told(..) if alias == "again" => Next,
                other => other,
            };
            let before = fine.requests().len();
            let answer = gateway.ask(request);
            let streams = then_streams(request);
            let context = format!("{name}, {alias}, stream {streams}: {then:?}");
            judge_row(&answer, then, streams, attempts, &context);
            let asked = fine.requests().len() - before;
            let expected = usize::from(matches!(then, Next));
            assert_eq!(asked, expected, "{context}: the healthy one was asked");
        }
    }
    settles(&gateway);
}

fn then_streams(request: &Request) -> bool {
    let body = request.body.as_deref().unwrap_or_default();
    String::from_utf8_lossy(body).contains("\"stream\":true")
}

fn settles(gateway: &Gateway) {
    gateway.settle();
    assert!(gateway.lines_at("ERROR").is_empty());
}

fn model(alias: &str, providers: &[&str], processed: bool) -> String {
    let targets: Vec<String> = providers
        .iter()
        .enumerate()
        .map(|(place, name)| format!("{{ provider = \"{name}\", priority = {place} }}"))
        .collect();
    let targets = targets.join(", ");
    format!("[models.{alias}]\ntargets = [{targets}]\nretry = {{ processed = {processed} }}")
}

#[track_caller]
fn judge_row(answer: &Answer, then: Then, streams: bool, attempts: &str, context: &str) {
    let (status, cut) = match then {
        Next | Broken(_) => (200, false),
        Cut => (200, true),
        Told(status, _) | Own(status) => (status, false),
    };
    let text = answer.text();
    assert_eq!(answer.status, status, "{context}: {text}");
    assert_eq!(answer.complete, !cut, "{context}: {text}");
    let (provider, attempts) = match then {
        Next => ("fine", attempts),
        _ => ("bad0", "1"),
    };
    let told = ["x-trunkline-provider", "x-trunkline-attempts"].map(|name| answer.header(name));
    assert_eq!(told, [Some(provider), Some(attempts)], "{context}");
    match then {
        Next => assert_eq!(text, healthy(streams), "{context}"),
        Told(status, code) => {
            assert_response::error(answer, status, code, None);
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{context}");
        }
        Broken(code) => {
            let before = assert_response::stream_error(answer, code);
            assert_eq!(before, reply::delta("one").as_bytes(), "{context}");
        }
        Own(_) | Cut => {}
    }
}

/// The body of the healthy target's answer.
fn healthy(streams: bool) -> String {
    if streams {
        let events = [reply::delta("one"), reply::delta("two"), reply::finish()];
        return events.concat() + reply::DONE;
    }
    let text = String::from_utf8(reply::completion("hi")).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}
