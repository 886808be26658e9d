//! Reserves what a request is expected to use of its client's limits, where they allow it
//! after a wait, or for another model.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::HeaderValue;
use http::request::Parts;

use super::intake::Intake;
use super::{Worker, admit, resolve};
use crate::access::Caller;
use crate::catalog::{Resolved, Target};
use crate::config::Unmetered;
use crate::drain::Phase;
use crate::error_response::{self, ErrorResponse};
use crate::limits::{
    Acquired, AttemptReservation, CallerLimits, ExpectedUsage, LearnedUsage, LimitClock,
    LimitRefusal, ModelLimits, RequestSize, Shortage,
};
use crate::metering::{ChargedBy, LimitHold, Meter};
use crate::shared_limit::LimitPermit;
use crate::wire::endpoint::Endpoint;
use crate::wire::scan::output_limit::output_limit;
use crate::wire::scan::references::refers_elsewhere;
use crate::wire::scan::user;

mod call_kind;
mod headers;

pub(super) use headers::set_headers;

use call_kind::CallKind;

/// Bytes of a form that count as text: its files are none.
const MAX_FORM_TEXT: u64 = 4096;

/// A request whose targets are known.
pub(super) struct LimitedCall<'a, 'w> {
    pub worker: &'w Worker,
    pub caller: &'a Caller,
    pub limits: &'w CallerLimits,
    pub intake: &'a Intake,
    pub head: &'a mut Parts,
    pub is_websocket: bool,
    /// The client chose the provider, and so no other model.
    pub names_provider: bool,
    pub meter: &'a mut Meter,
    pub permit: &'a mut LimitPermit,
    /// Changes where a limit leads to another model.
    pub resolved: &'a mut Resolved<'w>,
}

/// What a call is expected to use, and what it is charged by.
struct CallEstimate {
    /// Where it is charged by its usage.
    learned: Option<Arc<LearnedUsage>>,
    size: RequestSize,
    usage: ExpectedUsage,
    charged_by: ChargedBy,
}

/// Boxed, so that requests that need not wait need no room for it.
type Waiting<'a> = Pin<Box<dyn Future<Output = Result<(), ErrorResponse>> + 'a>>;

type Leasing<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

#[inline]
pub(super) fn of_caller<'w>(worker: &'w Worker, caller: &Caller) -> &'w CallerLimits {
    worker.snapshot.client_limits.caller(caller.key_id())
}

/// Before an attempt is prepared: where its provider's limits go by a store, and too little
/// is leased, the future waits for the store.
#[inline(always)]
#[allow(clippy::inline_always, reason = "most requests have no limits")]
pub(super) fn lease_attempt<'a>(meter: &'a Meter, target: &'a Target) -> Option<Leasing<'a>> {
    let hold = meter.limits()?;
    if !hold.reservation().leases_attempts() {
        return None;
    }
    let lease = || (hold.reservation()).lease_attempt(&target.provider.name, hold.usage());
    if let Some(reserved) = poll_once(lease()) {
        hold.reserve_ahead(target, reserved);
        return None;
    }
    Some(Box::pin(async move {
        let _wait = meter.wait();
        hold.reserve_ahead(target, lease().await);
    }))
}

/// Reserves of the limits that hold for attempts at this target's provider. An error is
/// that of the limit: there is no attempt.
#[inline(always)]
#[allow(clippy::inline_always, reason = "most requests have no limits")]
pub(super) fn reserve_attempt(meter: &Meter, target: &Target) -> Result<(), Box<ErrorResponse>> {
    match meter.limits() {
        None => Ok(()),
        Some(hold) => reserve_attempt_of(hold, meter, target),
    }
}

fn reserve_attempt_of(
    hold: &LimitHold,
    meter: &Meter,
    target: &Target,
) -> Result<(), Box<ErrorResponse>> {
    if !hold.reservation().has_attempt_rules() {
        hold.start_attempt(target, AttemptReservation::default());
        return Ok(());
    }
    let (provider, now) = (&target.provider.name, LimitClock::now());
    let reserved = hold.take_reserved(target);
    let reserve = || (hold.reservation()).for_attempt(provider, now, hold.usage());
    match reserved.unwrap_or_else(reserve) {
        Ok(reservation) => {
            if let Some(refusal) = &reservation.would_refuse {
                meter.on_limit_observed(refusal);
            }
            hold.start_attempt(target, reservation);
            Ok(())
        }
        Err(refusal) => Err(Box::new(error_response::limit_reached(
            refusal,
            meter.endpoint().is_anthropic(),
        ))),
    }
}

// === impl LimitedCall ===

impl<'a, 'w: 'a> LimitedCall<'a, 'w> {
    /// Reserves at once where that is possible. Else the future does, or it ends with the
    /// error of the limit.
    pub fn reserve(mut self) -> Result<Option<Waiting<'a>>, ErrorResponse> {
        let name = &*self.intake.model;
        let limits = self.limits.for_model(self.resolved.model.id_of(name), name);
        let Some(limits) = limits else {
            return Ok(None);
        };
        let endpoint = self.meter.endpoint();
        let Some(kind) = CallKind::of(endpoint, &self.head.method, self.is_websocket) else {
            self.take_user_header(&limits);
            return Ok(None);
        };
        let estimate = self.estimate(&limits, kind)?;
        let user = self.user(&limits);
        match poll_once(limits.acquire(user.as_deref(), &estimate.usage)) {
            Some(Ok(acquired)) => {
                self.hold(acquired, &estimate);
                Ok(None)
            }
            Some(Err(refusal)) if refusal.fallback.is_none() => Err(self.refuse(refusal)),
            first => {
                let first = first.and_then(Result::err);
                Ok(Some(Box::pin(
                    self.wait(limits, kind, estimate, user, first),
                )))
            }
        }
    }

    /// The model's own limits, and then those of the one that they lead to.
    async fn wait(
        mut self,
        limits: ModelLimits<'a>,
        kind: CallKind,
        estimate: CallEstimate,
        mut user: Option<String>,
        first: Option<Box<LimitRefusal>>,
    ) -> Result<(), ErrorResponse> {
        let refusal = match first {
            Some(refusal) => refusal,
            None => match self.acquire(&limits, user.as_deref(), &estimate).await? {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            },
        };
        let Some(alias) = refusal.fallback.clone() else {
            return Err(self.refuse(refusal));
        };
        let Some(resolved) = self.resolve_fallback(&alias) else {
            return Err(self.refuse(refusal));
        };
        let Some(limits) = self.limits.for_model(resolved.model.id_of(&alias), &alias) else {
            return Err(self.refuse(refusal));
        };
        let before = std::mem::replace(self.resolved, resolved);
        self.meter.set_model(self.resolved.model);
        user = user.or_else(|| self.user(&limits));
        let estimate = self.estimate(&limits, kind)?;
        let acquired = self.acquire(&limits, user.as_deref(), &estimate);
        let acquired = acquired.await?;
        let Err(other) = acquired else {
            self.meter.on_limit_fallback(&refusal.rule);
            return Ok(());
        };
        *self.resolved = before;
        self.meter.set_model(self.resolved.model);
        // Whichever has room again first.
        let is_sooner = comes_back(&other) && !comes_back(&refusal);
        Err(self.refuse(if is_sooner { other } else { refusal }))
    }

    /// Waits as the limits allow it. The permit of the requests in flight is for others
    /// until then.
    async fn acquire(
        &mut self,
        limits: &ModelLimits<'_>,
        user: Option<&str>,
        estimate: &CallEstimate,
    ) -> Result<Result<(), Box<LimitRefusal>>, ErrorResponse> {
        admit::pause(self.permit);
        let acquired = {
            let _wait = self.meter.wait();
            let drain = self.worker.drain.watch();
            let mut acquiring = pin!(limits.acquire(user, &estimate.usage));
            std::future::poll_fn(|context| match acquiring.as_mut().poll(context) {
                Poll::Ready(acquired) => Poll::Ready(Ok(acquired)),
                // Nothing was sent yet: another process can serve it.
                Poll::Pending if drain.poll(context) >= Phase::Draining => {
                    Poll::Ready(Err(error_response::shutting_down()))
                }
                Poll::Pending => Poll::Pending,
            })
            .await?
        };
        match acquired {
            Ok(acquired) => {
                self.hold(acquired, estimate);
                admit::resume(self.permit)?;
                Ok(Ok(()))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    fn hold(&mut self, acquired: Acquired, estimate: &CallEstimate) {
        if let Some((rule, time)) = &acquired.waited {
            self.meter.on_limit_waited(rule, *time);
        }
        if acquired.reservation.is_empty() {
            return;
        }
        if let Some(refusal) = &acquired.reservation.would_refuse {
            self.meter.on_limit_observed(refusal);
        }
        let hold = LimitHold::new(
            acquired.reservation,
            estimate.learned.clone(),
            estimate.size,
            estimate.usage,
            estimate.charged_by,
        );
        self.meter.hold_limits(hold);
    }

    fn refuse(&self, refusal: Box<LimitRefusal>) -> ErrorResponse {
        error_response::limit_reached(refusal, self.meter.endpoint().is_anthropic())
    }

    /// `None` if the client may not use the alias, or chose the provider itself.
    fn resolve_fallback(&self, alias: &str) -> Option<Resolved<'w>> {
        if self.names_provider || self.intake.model.is_empty() {
            return None;
        }
        let endpoint = self.meter.endpoint();
        resolve::resolve_alias(self.worker, self.caller, endpoint, self.intake, alias).ok()
    }

    /// Not sent upstream: it is between the client and this gateway.
    fn take_user_header(&mut self, limits: &ModelLimits<'_>) -> Option<HeaderValue> {
        let name = limits.user_source()?.header.as_ref()?;
        self.head.headers.remove(name)
    }

    /// Taken only from clients that may name users.
    fn user(&mut self, limits: &ModelLimits<'_>) -> Option<String> {
        limits.user_source()?;
        let by_header = self.take_user_header(limits);
        if !self.caller.may_name_users() {
            return None;
        }
        let by_header = by_header.as_ref().and_then(|it| it.to_str().ok());
        match by_header.map(str::trim).filter(|it| !it.is_empty()) {
            Some(name) => Some(user::bounded(name).to_owned()),
            None => user::named_user(&self.intake.body.text()),
        }
    }

    fn estimate(
        &self,
        limits: &ModelLimits<'_>,
        kind: CallKind,
    ) -> Result<CallEstimate, ErrorResponse> {
        let mut estimate = CallEstimate {
            learned: None,
            size: RequestSize::default(),
            usage: ExpectedUsage::one_request(),
            charged_by: ChargedBy::Nothing,
        };
        if kind == CallKind::NoTokens || !limits.needs_usage() {
            return Ok(estimate);
        }
        if kind == CallKind::Unreported {
            let providers = self.resolved.targets.iter();
            let providers = providers.map(|it| &*it.provider.name);
            match limits.unmetered(&providers) {
                Unmetered::Refuse => return Err(error_response::unmetered_endpoint()),
                Unmetered::Allow => estimate.charged_by = ChargedBy::Fixed(0),
                Unmetered::Cost(cost) => {
                    estimate.charged_by = ChargedBy::Fixed(cost);
                    estimate.usage.expected.cost = cost;
                    estimate.usage.worst.cost = cost;
                }
            }
            return Ok(estimate);
        }
        let mut unpriced = self.resolved.targets.iter().filter(|it| it.price.is_none());
        if unpriced.any(|it| limits.has_budget(&it.provider.name)) {
            return Err(error_response::unpriced_model());
        }
        estimate.charged_by = ChargedBy::Usage;
        estimate.size = self.size(limits.reserves_worst());
        let learned = &*estimate.learned.insert(limits.learned_usage());
        let shared = self.worker.metrics.learned_usage(self.resolved.model.id);
        let estimate_of = if limits.reserves_worst() {
            ExpectedUsage::new
        } else {
            ExpectedUsage::without_worst
        };
        estimate.usage = estimate_of(&estimate.size, self.resolved, learned, shared);
        Ok(estimate)
    }

    fn size(&self, reserves_worst: bool) -> RequestSize {
        let endpoint = self.meter.endpoint();
        let body = &self.intake.body;
        let mut size = RequestSize {
            body_bytes: body.len() as u64,
            wants_other_tier: self.intake.scan.wants_other_tier,
            ..RequestSize::default()
        };
        if !endpoint.requires_json() {
            size.body_bytes = size.body_bytes.min(MAX_FORM_TEXT);
            return size;
        }
        let output = output_limit(endpoint, &self.intake.scan.output, body);
        size.choices = output.choices;
        size.max_output = match endpoint {
            Endpoint::Embeddings => Some(0),
            _ => output.tokens,
        };
        size.refers_elsewhere = reserves_worst && refers_elsewhere(&body.text());
        size
    }
}

/// The result of a future that need not wait.
fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// Of which time alone gives back a part soon.
fn comes_back(refusal: &LimitRefusal) -> bool {
    matches!(refusal.shortage, Shortage::Wait(_) | Shortage::Held)
}
