//! `/limits`: what clients have used of their limits, and setting it by hand.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tracing::warn;
use url::form_urlencoded;

use super::body::{self, json, text};
use super::set_used::{self, SetUsed};
use crate::error_response::amount_text;
use crate::limits::{LimitClock, RuleReport, SetUsedError};
use crate::proxy::Snapshot;
use crate::routes::limits::RuleView;

/// In bytes.
const MAX_BODY: usize = 4096;
/// Subjects in one response, unless the client asks for fewer or more.
const PAGE_SIZE: usize = 100;
const MAX_PAGE_SIZE: usize = 1_000;
const QUERY_USAGE: &str = "the parameters are rule, subject, model, user, provider (each exactly \
                           as in the response), limit (from 1 to 1000) and after\n";
/// Between the names that identify a subject, none of which has it.
const SEPARATOR: &str = "\u{1f}";

/// Which subjects are shown.
#[derive(Debug, Default, PartialEq)]
struct LimitQuery {
    rule: Option<String>,
    subject: Option<String>,
    model: Option<String>,
    user: Option<String>,
    provider: Option<String>,
    limit: Option<usize>,
    /// The last subject of the page before.
    after: Option<String>,
}

#[derive(Serialize)]
struct LimitsPage {
    limits: Vec<RuleView>,
    /// The path of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /limits`
pub async fn show(snapshot: Arc<Snapshot>, query: Option<&str>) -> Response<Full<Bytes>> {
    let Some(query) = LimitQuery::parse(query.unwrap_or_default()) else {
        return text(StatusCode::BAD_REQUEST, QUERY_USAGE);
    };
    // There may be very many users.
    let page = spawn_blocking(move || {
        let reports = snapshot.client_limits.report(LimitClock::now());
        json(&query.page(reports))
    });
    page.await.unwrap_or_else(|_| failed())
}

/// `PUT /limits`. The snapshot is the one that is served when the body is complete.
pub async fn change(
    snapshot: impl FnOnce() -> Arc<Snapshot>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let body = match body::read(request.into_body(), MAX_BODY, set_used::USAGE).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let change = match SetUsed::parse(&body) {
        Ok(change) => change,
        Err(error) => return text(StatusCode::BAD_REQUEST, error + "\n" + set_used::USAGE),
    };
    apply(snapshot(), change).await
}

async fn apply(snapshot: Arc<Snapshot>, change: SetUsed) -> Response<Full<Bytes>> {
    let limits = Arc::clone(&snapshot.client_limits);
    // There may be very many users.
    let found = spawn_blocking(move || {
        let mut reports = limits.report(LimitClock::now()).into_iter();
        let before = reports.find(|it| change.is_of(it));
        (change, before)
    });
    let Ok((change, before)) = found.await else {
        return failed();
    };
    let limits = &snapshot.client_limits;
    match limits.set_used_by_all(&change.amount()).await {
        Ok(report) => {
            let shown = |report: &RuleReport| {
                let used = change.used_of(report)?;
                Some(amount_text(change.kind(), used))
            };
            // Without the user: its name is text of a client.
            warn!(
                rule = change.rule,
                subject = change.subject,
                of = change.of.key(),
                period = change.period.name(),
                from = before.as_ref().and_then(shown),
                to = shown(&report),
                "limit set by hand"
            );
            json(&RuleView::from(report))
        }
        Err(error @ SetUsedError::StoreAway) => {
            let body = format!("{error}; repeat this when it does\n");
            text(StatusCode::SERVICE_UNAVAILABLE, body)
        }
        Err(error) => {
            let body = format!("{error}; GET /limits lists what there is\n");
            text(StatusCode::NOT_FOUND, body)
        }
    }
}

/// A panic, which is logged.
fn failed() -> Response<Full<Bytes>> {
    text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
}

// === impl LimitQuery ===

impl LimitQuery {
    /// None if a parameter is unknown, repeated or not valid: to show something else than
    /// was asked for misleads.
    fn parse(query: &str) -> Option<Self> {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name == "limit" {
                let limit = value.parse().ok();
                let limit = limit.filter(|it| (1..=MAX_PAGE_SIZE).contains(it))?;
                if parsed.limit.replace(limit).is_some() {
                    return None;
                }
                continue;
            }
            let field = match &*name {
                "rule" => &mut parsed.rule,
                "subject" => &mut parsed.subject,
                "model" => &mut parsed.model,
                "user" => &mut parsed.user,
                "provider" => &mut parsed.provider,
                "after" => &mut parsed.after,
                _ => return None,
            };
            if field.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(parsed)
    }

    fn matches(&self, report: &RuleReport) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        is(&self.rule, Some(&report.rule))
            && is(&self.subject, Some(&report.subject))
            && is(&self.model, report.model.as_deref())
            && is(&self.user, report.user.as_deref())
            && is(&self.provider, report.provider.as_deref())
    }

    fn page(&self, reports: Vec<RuleReport>) -> LimitsPage {
        let reports = reports.into_iter().filter(|report| self.matches(report));
        let reports = reports.map(|report| (position(&report), report));
        let after = self.after.as_deref().unwrap_or_default();
        let mut reports: Vec<_> = reports.filter(|(at, _)| **at > *after).collect();
        reports.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let size = self.limit.unwrap_or(PAGE_SIZE);
        let is_last = reports.len() <= size;
        reports.truncate(size);
        let last = reports.last().filter(|_| !is_last);
        LimitsPage {
            next: last.map(|(at, _)| self.next(at)),
            limits: reports.into_iter().map(|(_, it)| it.into()).collect(),
        }
    }

    fn next(&self, after: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let filters = [
            ("rule", &self.rule),
            ("subject", &self.subject),
            ("model", &self.model),
            ("user", &self.user),
            ("provider", &self.provider),
        ];
        for (name, value) in filters {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if let Some(limit) = self.limit {
            query.append_pair("limit", &limit.to_string());
        }
        query.append_pair("after", after);
        format!("/limits?{}", query.finish())
    }
}

/// Sorts the subjects, and says where a page ends: a subject that comes or goes between
/// two pages does not shift the others.
fn position(report: &RuleReport) -> String {
    let [model, user, provider] = [&report.model, &report.user, &report.provider]
        .map(|name| name.as_deref().unwrap_or_default());
    [&*report.rule, &*report.subject, model, provider, user].join(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::{LimitQuery, position};
    use crate::limits::RuleReport;

    fn reports() -> Vec<RuleReport> {
        let report = |rule: &str, subject: &str, user: Option<&str>| RuleReport {
            rule: rule.into(),
            subject: subject.into(),
            model: None,
            user: user.map(Into::into),
            provider: None,
            observes: false,
            quotas: Vec::new(),
        };
        let users = (0..250).map(|user| format!("user&{user:03}"));
        let users = users.map(|user| report("each-user", "key alice", Some(&user)));
        let keys = ["key bob", "key alice"].map(|key| report("each-key", key, None));
        users.rev().chain(keys).collect()
    }

    /// All positions, page by page, and how many pages there were.
    fn walk(query: &str) -> (Vec<String>, usize) {
        let mut query = LimitQuery::parse(query).unwrap();
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            pages += 1;
            let kept = reports().into_iter().filter(|it| query.matches(it));
            let kept: Vec<_> = kept.map(|it| position(&it)).collect();
            let page = query.page(reports());
            assert!(page.limits.len() <= kept.len());
            let shown = serde_json::to_value(&page).unwrap();
            for limit in shown["limits"].as_array().unwrap() {
                let text = |name: &str| limit[name].as_str().unwrap_or_default().to_owned();
                seen.push(text("rule") + &text("subject") + &text("user"));
            }
            let Some(next) = page.next else {
                return (seen, pages);
            };
            query = LimitQuery::parse(next.strip_prefix("/limits?").unwrap()).unwrap();
        }
    }

    #[test]
    fn pages_show_every_subject_once_and_in_order() {
        for (query, count, pages) in [
            ("", 252, 3),
            ("limit=1000", 252, 1),
            ("limit=50&rule=each-user", 250, 5),
            ("subject=key+alice", 251, 3),
            ("rule=each-key&subject=key%20bob", 1, 1),
            ("user=user%26007", 1, 1),
            ("model=m", 0, 1),
        ] {
            let (seen, walked) = walk(query);
            assert_eq!((seen.len(), walked), (count, pages), "{query}");
            assert!(seen.is_sorted(), "{query}");
            let mut once = seen.clone();
            once.dedup();
            assert_eq!(once, seen, "{query}");
        }
    }

    #[test]
    fn a_parameter_that_is_not_known_is_refused() {
        for query in [
            "key=alice",
            "limit=0",
            "limit=1001",
            "limit=x",
            "rule=a&rule=b",
            "limit=1&limit=2",
        ] {
            assert_eq!(LimitQuery::parse(query), None, "{query}");
        }
    }
}
