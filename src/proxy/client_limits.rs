//! Reserves what a request is expected to use of its client's limits, and tells the client
//! what is left.

use http::header::HeaderValue;
use http::{HeaderMap, HeaderName, Method};

use super::Worker;
use super::intake::Intake;
use crate::access::Caller;
use crate::catalog::Resolved;
use crate::config::{LimitUnit, Rates};
use crate::error_response::{self, ErrorResponse};
use crate::limits::{
    CallerLimits, ExpectedUsage, LearnedUsage, LimitClock, QuotaKind, QuotaReport, RequestSize,
};
use crate::metering::{LimitHold, Meter, rates};
use crate::wire::endpoint::Endpoint;
use crate::wire::scan::output_limit;

const BUDGET_REMAINING: HeaderName = HeaderName::from_static("x-trunkline-budget-remaining");
const BUDGET_RESET: HeaderName = HeaderName::from_static("x-trunkline-budget-reset");
const LIMIT: HeaderName = HeaderName::from_static("x-trunkline-limit");

/// The error of a limit that has no room for the request.
pub(super) fn reserve(
    worker: &Worker,
    meter: &mut Meter,
    caller: &Caller,
    resolved: &Resolved<'_>,
    intake: &Intake,
    is_websocket: bool,
) -> Result<(), ErrorResponse> {
    let limits = worker.snapshot.client_limits.caller(caller.key_id());
    if limits.is_empty() {
        return Ok(());
    }
    // Of a WebSocket, no usage is reported.
    let is_metered = !is_websocket && reports_usage(meter.endpoint());
    take(meter, limits, resolved, intake, is_metered)
}

/// Reading and deleting are free, and so are files and the count of tokens.
pub(super) fn counts(endpoint: Endpoint, method: &Method) -> bool {
    let is_free = matches!(
        endpoint,
        Endpoint::MessagesCountTokens | Endpoint::Models | Endpoint::Files | Endpoint::Uploads
    );
    !is_free && !matches!(*method, Method::GET | Method::HEAD | Method::DELETE)
}

fn take(
    meter: &mut Meter,
    limits: &CallerLimits,
    resolved: &Resolved<'_>,
    intake: &Intake,
    is_metered: bool,
) -> Result<(), ErrorResponse> {
    let model = &*intake.model;
    let mut size = RequestSize {
        body_bytes: intake.body.len() as u64,
        max_output: None,
    };
    let prices = resolved.targets.iter().filter_map(|it| it.price.as_deref());
    let price = prices.clone().next();
    if limits.needs_usage(model) {
        if !is_metered {
            return Err(error_response::unmetered_endpoint());
        }
        if price.is_none() && limits.has_budget(model) {
            return Err(error_response::unpriced_model());
        }
        size.max_output = output_limit::max_output_tokens(&intake.body.text());
    }
    let rates: Option<&Rates> = price.and_then(|price| rates(price, 0));
    let learned = limits.learned_usage(model);
    let usage = ExpectedUsage {
        expected: learned.expected(size, rates),
        worst: LearnedUsage::worst(size, rates),
    };
    let now = LimitClock::now();
    match limits.reserve(model, now, &usage) {
        Ok(reservation) => {
            meter.hold_limits(Box::new(LimitHold {
                reservation,
                learned,
                expected: usage.expected,
            }));
            Ok(())
        }
        Err(refusal) => Err(error_response::limit_reached(&refusal)),
    }
}

/// Whether a result tells what it used.
fn reports_usage(endpoint: Endpoint) -> bool {
    endpoint.bills_tokens()
        && !matches!(endpoint, Endpoint::AudioSpeech | Endpoint::ImagesVariations)
}

/// The quota with the least share left, of each kind that has headers.
#[derive(Default)]
struct Tightest {
    requests: Option<QuotaReport>,
    tokens: Option<QuotaReport>,
    input_tokens: Option<QuotaReport>,
    output_tokens: Option<QuotaReport>,
    budget: Option<QuotaReport>,
}

impl Tightest {
    fn add(&mut self, report: QuotaReport) {
        let QuotaKind::Amount(unit, _) = report.kind else {
            return;
        };
        let slot = match unit {
            LimitUnit::Requests => &mut self.requests,
            LimitUnit::Tokens => &mut self.tokens,
            LimitUnit::InputTokens => &mut self.input_tokens,
            LimitUnit::OutputTokens => &mut self.output_tokens,
            LimitUnit::Budget => &mut self.budget,
        };
        if slot.is_none_or(|other| report.has_less_left_than(&other)) {
            *slot = Some(report);
        }
    }
}

/// Tells the client of its limits, in the headers of the API that it called. Those of the
/// provider are about the gateway's account, and are removed.
pub(super) fn set_headers(headers: &mut HeaderMap, meter: &Meter) {
    let Some(hold) = meter.limits() else {
        return;
    };
    let now = LimitClock::now();
    let mut tightest = Tightest::default();
    hold.reservation
        .visit(now, |_, report| tightest.add(report));
    let is_anthropic = meter.endpoint().is_anthropic();
    let of_provider = |name: &&HeaderName| {
        name.as_str().starts_with("x-ratelimit-")
            || name.as_str().starts_with("anthropic-ratelimit-")
    };
    let removed: Vec<_> = headers.keys().filter(of_provider).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
    let mut write = |kind: &str, report: Option<QuotaReport>| {
        if let Some(report) = report {
            write_rate(headers, is_anthropic, kind, &report);
        }
    };
    write("requests", tightest.requests);
    write("tokens", tightest.tokens);
    if is_anthropic {
        write("input-tokens", tightest.input_tokens);
        write("output-tokens", tightest.output_tokens);
    }
    if let Some(budget) = tightest.budget {
        let dollars = error_response::dollars(budget.remaining);
        insert(headers, BUDGET_REMAINING, &dollars);
        if let Some(reset) = budget.reset {
            insert(
                headers,
                BUDGET_RESET,
                &error_response::rfc3339(reset.at_seconds),
            );
        }
    }
    if let Some(refusal) = &hold.reservation.would_refuse {
        insert(headers, LIMIT, &format!("{}; would refuse", refusal.rule));
    }
}

/// OpenAI: `x-ratelimit-remaining-tokens`; Anthropic:
/// `anthropic-ratelimit-tokens-remaining`. Sources: OpenAI's guide "Rate limits";
/// Anthropic's API reference, "Rate limits".
fn write_rate(headers: &mut HeaderMap, is_anthropic: bool, kind: &str, report: &QuotaReport) {
    let mut write = |what: &str, value: String| {
        let name = if is_anthropic {
            format!("anthropic-ratelimit-{kind}-{what}")
        } else {
            format!("x-ratelimit-{what}-{kind}")
        };
        if let Ok(name) = HeaderName::try_from(name) {
            insert(headers, name, &value);
        }
    };
    write("limit", report.limit.to_string());
    write("remaining", report.remaining.to_string());
    if let Some(reset) = report.reset {
        let text = if is_anthropic {
            error_response::rfc3339(reset.at_seconds)
        } else {
            error_response::short_duration(reset.after)
        };
        write("reset", text);
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
