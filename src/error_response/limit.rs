//! Errors of the client's own limits.

use std::borrow::Cow;
use std::time::Duration;

use bytes::BytesMut;
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, StatusCode};

use super::ErrorResponse;
use super::limit_headers::{Dollars, LIMIT, RateHeaders, Rfc3339, ShortDuration, budget_headers};
use crate::config::{LimitUnit, Period};
use crate::limits::{LimitRefusal, LimitReset, QuotaKind, Shortage};
use crate::metering::RequestOutcome;
use crate::wire::error::{ErrorType, LimitDetails};

/// In milliseconds; the OpenAI SDKs prefer it.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// The SDKs sleep as long as `retry-after` says, be it an hour: `@anthropic-ai/sdk` and
/// `openai` for Node.js (client.js, retryRequest), `anthropic` for Python. What takes longer
/// is an error at once, as a job must not sleep unseen.
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// How soon a request that runs may give back what it holds.
const HELD_WAIT: Duration = Duration::from_secs(1);

/// After which a store that was away may be back.
const STORE_WAIT: Duration = Duration::from_secs(5);

/// A limit has no room for the request. Nothing was counted.
#[must_use]
pub fn limit_reached(refusal: Box<LimitRefusal>, is_anthropic: bool) -> ErrorResponse {
    let mut error = match refusal.shortage {
        _ if refusal.can_never_fit => exceeds_limit(&refusal),
        Shortage::Blocked => blocked(&refusal),
        Shortage::UntilEnd(_) => quota_spent(&refusal),
        Shortage::Wait(wait) => rate_exceeded(&refusal, wait),
        Shortage::Held => rate_exceeded(&refusal, HELD_WAIT),
        Shortage::Lease | Shortage::StoreAway => store_away(&refusal),
    };
    error.outcome = RequestOutcome::Limited;
    error.body.limit = Some(Box::new(details(&refusal)));
    if let Some(names) = rate_headers(refusal.quota.kind, is_anthropic) {
        let headers = &mut error.headers;
        names.write(&refusal.quota, &mut BytesMut::new(), |name, value| {
            headers.push((name, value));
        });
    }
    if let QuotaKind::Amount(LimitUnit::Budget, _) = refusal.quota.kind {
        error
            .headers
            .extend(budget_headers(&refusal.quota, &mut BytesMut::new()));
    }
    let name = HeaderValue::from_str(&refusal.rule);
    error.headers.extend(name.ok().map(|name| (LIMIT, name)));
    error.extras.get_or_insert_default().refusal = Some(refusal);
    error
}

/// A call whose usage nothing tells, where a limit counts tokens or money.
#[must_use]
pub fn unmetered_endpoint() -> ErrorResponse {
    let message = "A limit of your key counts tokens or money, and the usage of this call is \
                   not reported. Ask the gateway's operator for a key without such a limit, or \
                   to allow the call (`unmetered`).";
    limited(StatusCode::FORBIDDEN, "unmetered_endpoint", message)
}

/// A model without a price, where a limit counts money.
#[must_use]
pub fn unpriced_model() -> ErrorResponse {
    let message = "Your key has a budget, and this model has no price. Use another model, or \
                   ask the gateway's operator to add the price.";
    limited(StatusCode::FORBIDDEN, "unpriced_model", message).param("model")
}

/// An error that waiting does not cure.
fn limited(
    status: StatusCode,
    code: &'static str,
    message: impl Into<Cow<'static, str>>,
) -> ErrorResponse {
    let mut error = ErrorResponse::new(status, code, message).no_retry();
    error.outcome = RequestOutcome::Limited;
    error
}

/// Clients take `insufficient_quota` as final; a `Retry-After` would make them wait.
fn quota_spent(refusal: &LimitRefusal) -> ErrorResponse {
    let until = refusal.quota.reset.map_or_else(
        || "It does not come back by itself; ask the gateway's operator.".to_owned(),
        |reset| format!("It begins anew at {}.", Rfc3339::local(reset)),
    );
    let is_spent = refusal.quota.remaining == 0;
    let state = match refusal.quota.kind {
        QuotaKind::Amount(LimitUnit::Budget, _) if is_spent => "Budget spent",
        QuotaKind::Amount(LimitUnit::Budget, _) => "Not enough budget left",
        _ if is_spent => "Quota used up",
        _ => "Not enough quota left",
    };
    let message = format!("{} {until}", summary(refusal, state));
    let mut error = limited(StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", message);
    error.body.kind = ErrorType::InsufficientQuota;
    error
}

/// Codex finds the time to wait in the message, behind "try again in".
fn rate_exceeded(refusal: &LimitRefusal, wait: Duration) -> ErrorResponse {
    let wait = wait.max(Duration::from_millis(1));
    let is_rate = refusal.quota.reserved.is_none();
    let state = if is_rate {
        "Rate limit reached"
    } else {
        "Limit reached"
    };
    let message = format!(
        "{} Try again in {}.",
        summary(refusal, state),
        ShortDuration(wait)
    );
    let code = "rate_limit_exceeded";
    let mut error = ErrorResponse::new(StatusCode::TOO_MANY_REQUESTS, code, message);
    error.body.kind = match refusal.quota.kind {
        QuotaKind::Amount(LimitUnit::Requests, _) | QuotaKind::Concurrent => ErrorType::Requests,
        QuotaKind::Amount(..) => ErrorType::Tokens,
    };
    let milliseconds = wait.as_nanos().div_ceil(1_000_000);
    let seconds = milliseconds.div_ceil(1_000);
    if wait > LONGEST_RETRY {
        error = error.no_retry();
    }
    error
        .header(RETRY_AFTER, number(seconds))
        .header(RETRY_AFTER_MS, number(milliseconds))
}

/// What other replicas have used is not known, so it is not known either whether there is
/// enough. Not the client's fault, and soon over.
fn store_away(refusal: &LimitRefusal) -> ErrorResponse {
    let message = format!(
        "The limit{} on {} (limit {}) cannot be checked at the moment. Try again in {}.",
        subject(refusal),
        quota_name(refusal.quota.kind),
        refusal.rule,
        ShortDuration(STORE_WAIT),
    );
    let code = "limits_unavailable";
    let error = ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
    error.header(RETRY_AFTER, HeaderValue::from(STORE_WAIT.as_secs()))
}

/// However long it waits, there is never so much at once.
fn exceeds_limit(refusal: &LimitRefusal) -> ErrorResponse {
    let message = format!(
        "{} Ask for less output, or shorten the prompt.",
        summary(refusal, "Request too large")
    );
    limited(StatusCode::BAD_REQUEST, "request_exceeds_limit", message)
}

fn blocked(refusal: &LimitRefusal) -> ErrorResponse {
    let message = format!(
        "Blocked{}: the amount of {} is 0 in limit {}. Ask the gateway's operator.",
        subject(refusal),
        refusal.quota.kind.key(),
        refusal.rule,
    );
    limited(StatusCode::FORBIDDEN, "blocked", message)
}

fn number(number: u128) -> HeaderValue {
    HeaderValue::from(u64::try_from(number).unwrap_or(u64::MAX))
}

/// `Rate limit reached for key alice on tokens per minute (limit each-key): limit 200000, …`
fn summary(refusal: &LimitRefusal, state: &str) -> String {
    let quota = &refusal.quota;
    let amount = |amount| amount_text(quota.kind, amount);
    let (limit, used) = (amount(quota.limit), amount(quota.used));
    let reserved = quota.reserved.filter(|amount| *amount > 0);
    let reserved = reserved.map_or_else(String::new, |reserved| {
        format!(
            " ({} of it reserved by requests that run)",
            amount(reserved)
        )
    });
    format!(
        "{state}{} on {} (limit {}): limit {limit}, used {used}{reserved}, requested about {}.",
        subject(refusal),
        quota_name(quota.kind),
        refusal.rule,
        amount(refusal.requested),
    )
}

fn subject(refusal: &LimitRefusal) -> String {
    match &*refusal.subject {
        "" => String::new(),
        subject => format!(" for {subject}"),
    }
}

fn details(refusal: &LimitRefusal) -> LimitDetails {
    let quota = &refusal.quota;
    LimitDetails {
        rule: refusal.rule.to_string(),
        subject: refusal.subject.to_string(),
        of: quota.kind.key(),
        period: match quota.kind {
            QuotaKind::Amount(_, period) => Some(period.name()),
            QuotaKind::Concurrent => None,
        },
        limit: amount_text(quota.kind, quota.limit),
        used: amount_text(quota.kind, quota.used),
        requested: amount_text(quota.kind, refusal.requested),
        resets_at: quota.reset.map(reset_text),
    }
}

/// In the words of the API that was called; none for what has no headers in it.
fn rate_headers(kind: QuotaKind, is_anthropic: bool) -> Option<RateHeaders> {
    let QuotaKind::Amount(unit, _) = kind else {
        return None;
    };
    Some(match (unit, is_anthropic) {
        (LimitUnit::Requests, false) => RateHeaders::OPENAI_REQUESTS,
        (LimitUnit::Requests, true) => RateHeaders::ANTHROPIC_REQUESTS,
        (LimitUnit::Tokens, false) => RateHeaders::OPENAI_TOKENS,
        (LimitUnit::Tokens, true) => RateHeaders::ANTHROPIC_TOKENS,
        (LimitUnit::InputTokens, true) => RateHeaders::ANTHROPIC_INPUT,
        (LimitUnit::OutputTokens, true) => RateHeaders::ANTHROPIC_OUTPUT,
        _ => return None,
    })
}

fn quota_name(kind: QuotaKind) -> Cow<'static, str> {
    match kind {
        QuotaKind::Concurrent => "requests at a time".into(),
        QuotaKind::Amount(unit, period) => {
            let unit = match unit {
                LimitUnit::Requests => "requests",
                LimitUnit::Tokens => "tokens",
                LimitUnit::InputTokens => "input tokens",
                LimitUnit::OutputTokens => "output tokens",
                LimitUnit::Budget => "dollars",
            };
            match period {
                Period::Total => format!("{unit} in total").into(),
                period => format!("{unit} per {}", period.name()).into(),
            }
        }
    }
}

#[must_use]
pub fn amount_text(kind: QuotaKind, amount: u64) -> String {
    match kind {
        QuotaKind::Amount(LimitUnit::Budget, _) => Dollars(amount).to_string(),
        _ => amount.to_string(),
    }
}

/// At the offset of the limit's time zone.
#[must_use]
pub fn reset_text(reset: LimitReset) -> String {
    Rfc3339::local(reset).to_string()
}
