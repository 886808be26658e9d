//! `GET /trunkline/limits`: the limits of the client that asks, and what it has used.

use http::{Request, Response};
use serde::Serialize;

use super::response::{json_no_store, reject};
use crate::error_response;
use crate::limits::{LimitClock, QuotaKind, QuotaReport, RuleReport};
use crate::proxy::{ResponseBody, Worker};

#[derive(Serialize)]
struct LimitsView {
    limits: Vec<RuleView>,
}

/// The JSON of one subject of a rule.
#[derive(Serialize)]
pub struct RuleView {
    rule: Box<str>,
    /// Whose limit it is, such as `key alice`; empty if it is everyone's.
    subject: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Box<str>>,
    /// Its amounts refuse nothing: what would be refused is only counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    observes: bool,
    amounts: Vec<AmountView>,
}

/// Amounts are text: those of budgets are decimal.
#[derive(Serialize)]
struct AmountView {
    of: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<&'static str>,
    limit: String,
    /// Reserved amounts included.
    used: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<String>,
    remaining: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<String>,
}

pub fn view<B>(worker: &Worker, request: &Request<B>) -> Response<ResponseBody> {
    let snapshot = &worker.snapshot;
    let headers = request.headers();
    match snapshot.gate.admit(headers, request.extensions()) {
        Ok(caller) => {
            let limits = snapshot.client_limits.caller(caller.key_id());
            let reports = limits.report(LimitClock::now()).into_iter();
            let limits = reports.map(RuleView::from).collect();
            // Strings cannot fail to serialise.
            let text = serde_json::to_vec(&LimitsView { limits }).unwrap_or_default();
            json_no_store(text, headers)
        }
        Err(denied) => reject(worker, headers, denied.into()),
    }
}

impl From<RuleReport> for RuleView {
    fn from(report: RuleReport) -> Self {
        Self {
            rule: report.rule,
            subject: report.subject,
            model: report.model,
            user: report.user,
            provider: report.provider,
            observes: report.observes,
            amounts: report.quotas.iter().map(AmountView::from).collect(),
        }
    }
}

impl From<&QuotaReport> for AmountView {
    fn from(quota: &QuotaReport) -> Self {
        let text = |amount| error_response::amount_text(quota.kind, amount);
        Self {
            of: quota.kind.key(),
            period: match quota.kind {
                QuotaKind::Amount(_, period) => Some(period.name()),
                QuotaKind::Concurrent => None,
            },
            limit: text(quota.limit),
            used: text(quota.used),
            reserved: quota.reserved.map(text),
            remaining: text(quota.remaining),
            resets_at: quota.reset.map(error_response::reset_text),
        }
    }
}
