//! One case of `routing::fault_table`: a faulty target, and what the client must
//! get.

use crate::routing::failover::healthy_upstream;
use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Setup, UPSTREAM_KEY};
use crate::support::upstream::tls::{CertificateAuthority, Flaw};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::upstream::http2_faults::{FaultyHttp2Upstream, StreamAction, open_gate};

use Expected::{Failover, GatewayError, PassedOn, StreamError};

/// What the client gets.
#[derive(Debug, Clone, Copy)]
pub enum Expected {
    /// The healthy target's response.
    Failover,
    /// This error with `x-should-retry: false`; with `retry.non_idempotent`, the
    /// healthy target's response.
    GatewayError(u16, &'static str),
    /// The faulty target's own response, with this status.
    PassedOn(u16),
    /// A stream that began and ends with this error event.
    StreamError(&'static str),
}

pub struct FaultyTarget {
    base: String,
    /// Further lines of its provider.
    provider_lines: String,
    /// Dropped after the test.
    _guard: Box<dyn std::any::Any>,
}

impl FaultyTarget {
    pub fn new(base: String, provider_lines: &str, guard: impl std::any::Any) -> Self {
        Self {
            base,
            provider_lines: provider_lines.to_owned(),
            _guard: Box::new(guard),
        }
    }

    pub fn script(script: fn(&mut Exchange<'_>)) -> Self {
        let upstream = Upstream::start(script);
        let limits = "timeouts = { response_header = \"150ms\", idle = \"150ms\" }";
        Self::new(upstream.base_url(), limits, upstream)
    }

    pub fn response(response: impl AsRef<[u8]>) -> Self {
        let upstream = Upstream::with_response(response);
        Self::new(upstream.base_url(), "", upstream)
    }

    pub fn http2(action: StreamAction) -> Self {
        let upstream = FaultyHttp2Upstream::start(&open_gate(), 100, move |_| action);
        Self::new(upstream.base_url(), "http = \"http2\"", upstream)
    }

    pub fn tls(flaw: Flaw) -> Self {
        let authority = CertificateAuthority::new();
        let script = |exchange: &mut Exchange<'_>| {
            exchange.send(response::completion("no"));
        };
        let upstream = Upstream::start_tls(authority.server(flaw, &[]), script);
        Self::new(upstream.base_url(), "", upstream)
    }
}

/// Runs one case against several models; `make` starts a faulty target.
#[track_caller]
pub fn check_case(name: &str, make: impl Fn() -> FaultyTarget, unary: Expected, stream: Expected) {
    let fine = healthy_upstream();
    let bad = [make(), make()];
    let mut setup = Setup::new().provider("fine", &fine.base_url(), "");
    for (index, bad) in bad.iter().enumerate() {
        setup = setup.provider_with_key(
            &format!("bad{index}"),
            &bad.base,
            UPSTREAM_KEY,
            &bad.provider_lines,
        );
    }
    // No target is ejected, so that every request runs into the fault.
    let never_eject = "[breaker]\nfailures = 0\nerror_rate = 0\nbroken_responses = 0\ncooldown = \"1ns\"\nmax_cooldown = \"1ns\"";
    let gateway = setup
        .section(never_eject)
        .section(&model("two", &["bad0", "fine"], false))
        .section(&model("three", &["bad0", "bad1", "fine"], false))
        .section(&model("again", &["bad0", "bad1", "fine"], true))
        .start();
    for (alias, attempts) in [("two", "2"), ("three", "3"), ("again", "3")] {
        let requests = [Request::chat(alias), Request::stream(alias)];
        for (request, expected) in requests.iter().zip([unary, stream]) {
            let expected = match expected {
                GatewayError(..) if alias == "again" => Failover,
                other => other,
            };
            let before = fine.requests().len();
            let response = gateway.send(request);
            let is_stream = is_stream(request);
            let context = format!("{name}, {alias}, stream {is_stream}: {expected:?}");
            assert_outcome(&response, expected, is_stream, attempts, &context);
            let received = fine.requests().len() - before;
            let expected = usize::from(matches!(expected, Failover));
            assert_eq!(
                received, expected,
                "{context}: requests at the healthy target"
            );
        }
    }
    gateway.wait_until_idle();
    gateway.finish_without_errors();
}

fn is_stream(request: &Request) -> bool {
    let body = request.body.as_deref().unwrap_or_default();
    String::from_utf8_lossy(body).contains("\"stream\":true")
}

fn model(alias: &str, providers: &[&str], processed: bool) -> String {
    let targets: Vec<String> = providers
        .iter()
        .enumerate()
        .map(|(index, name)| format!("{{ provider = \"{name}\", priority = {index} }}"))
        .collect();
    let targets = targets.join(", ");
    format!("[models.{alias}]\ntargets = [{targets}]\nretry = {{ non_idempotent = {processed} }}")
}

#[track_caller]
fn assert_outcome(
    response: &Response,
    expected: Expected,
    is_stream: bool,
    attempts: &str,
    context: &str,
) {
    let status = match expected {
        Failover | StreamError(_) => 200,
        GatewayError(status, _) | PassedOn(status) => status,
    };
    let text = response.text();
    assert_eq!(response.status, status, "{context}: {text}");
    assert!(response.complete, "{context}: {text}");
    let (provider, attempts) = match expected {
        Failover => ("fine", attempts),
        _ => ("bad0", "1"),
    };
    let attribution =
        ["x-trunkline-provider", "x-trunkline-attempts"].map(|name| response.header(name));
    assert_eq!(attribution, [Some(provider), Some(attempts)], "{context}");
    match expected {
        Failover => assert_eq!(text, healthy_body(is_stream), "{context}"),
        GatewayError(status, code) => {
            assert_response::error(response, status, code, None);
            assert_eq!(
                response.header("x-should-retry"),
                Some("false"),
                "{context}"
            );
        }
        StreamError(code) => {
            let before = assert_response::stream_error(response, code);
            assert_eq!(before, response::delta("one").as_bytes(), "{context}");
        }
        PassedOn(_) => {}
    }
}

fn healthy_body(is_stream: bool) -> String {
    if is_stream {
        let events = [
            response::delta("one"),
            response::delta("two"),
            response::finish(),
        ];
        return events.concat() + response::DONE;
    }
    let text = String::from_utf8(response::completion("hi")).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}
