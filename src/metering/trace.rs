//! Spans of a sampled request: one for the request, one for each attempt. Names
//! follow OpenTelemetry's semantic conventions for generative AI and HTTP. They contain
//! no address, no content, and no text of the client except its request id.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};

use super::{AttemptResult, Meter, RequestOutcome};
use crate::catalog::Target;
use crate::telemetry::gen_ai::provider_name;
use crate::telemetry::trace::{
    Attributes, Span, SpanContext, SpanEvent, SpanId, SpanKind, SpanStatus, TRACEPARENT,
    TRACESTATE, TraceContext, TraceId, Tracer,
};
use crate::wall_clock;
use crate::wire::endpoint::Endpoint;

#[derive(Debug)]
pub(super) struct Trace {
    tracer: Arc<Tracer>,
    context: SpanContext,
    /// A cell, since two attempts may run concurrently.
    attempts: RefCell<Vec<AttemptSpan>>,
}

#[derive(Debug)]
struct AttemptSpan {
    span: SpanId,
    /// [`Target::state_index`]
    state_index: usize,
    provider: Box<str>,
    /// None if the name came from the client.
    model: Option<Box<str>>,
    /// True if another attempt was in flight at its start.
    is_hedge: bool,
    started: Instant,
    status: Option<StatusCode>,
    /// Set on failure or cancellation; a response ends with the request.
    ended: Option<Instant>,
    result: Option<AttemptResult>,
}

// === impl Meter ===

impl Meter {
    /// Samples the request by its headers or the ratio.
    pub fn start_trace(&mut self, tracer: &Arc<Tracer>, headers: &HeaderMap) {
        self.trace = Trace::start(tracer, headers);
    }

    /// If the request is sampled, starts a span for the attempt and sets it as the
    /// parent in `headers` of the upstream request.
    pub fn on_attempt_sent(&self, target: &Target, headers: &mut HeaderMap) {
        if let Some(trace) = &self.trace {
            trace.on_attempt_sent(target, headers);
        }
    }

    /// Sets the response status of the attempt at `target`.
    pub fn on_attempt_head(&self, target: &Target, status: StatusCode) {
        if let Some(trace) = &self.trace {
            trace.on_attempt_head(target, status);
        }
    }
}

// === impl Trace ===

impl Trace {
    /// None if the request is not sampled.
    pub(super) fn start(tracer: &Arc<Tracer>, headers: &HeaderMap) -> Option<Box<Self>> {
        let context = tracer.sample(headers)?;
        Some(Box::new(Self {
            tracer: Arc::clone(tracer),
            context,
            attempts: RefCell::default(),
        }))
    }

    pub(super) fn id(&self) -> TraceId {
        self.context.own.trace
    }

    pub(super) fn on_attempt_sent(&self, target: &Target, headers: &mut HeaderMap) {
        let span = self.tracer.span_id();
        let context = TraceContext {
            parent: span,
            ..self.context.own
        };
        if let Ok(value) = HeaderValue::try_from(context.to_string()) {
            headers.insert(TRACEPARENT, value);
        }
        if self.context.parent.is_none() {
            // A `tracestate` without a valid `traceparent` is invalid.
            headers.remove(TRACESTATE);
        }
        let mut attempts = self.attempts.borrow_mut();
        let is_hedge = attempts.iter().any(AttemptSpan::is_open);
        attempts.push(AttemptSpan {
            span,
            state_index: target.state_index,
            provider: target.provider.name.clone(),
            // Not recorded if it came from the client.
            model: (!target.named_by_client).then(|| target.upstream_model()),
            is_hedge,
            started: Instant::now(),
            status: None,
            ended: None,
            result: None,
        });
    }

    pub(super) fn on_attempt_head(&self, target: &Target, status: StatusCode) {
        self.update_open(Some(target), |attempt| attempt.status = Some(status));
    }

    pub(super) fn on_attempt_result(&self, target: Option<&Target>, result: AttemptResult) {
        self.update_open(target, |attempt| {
            attempt.result = Some(result);
            if !matches!(result, AttemptResult::Responded) {
                attempt.ended = Some(Instant::now());
            }
        });
    }

    /// Updates the last open attempt at this target, or at any.
    fn update_open(&self, target: Option<&Target>, update: impl FnOnce(&mut AttemptSpan)) {
        let mut attempts = self.attempts.borrow_mut();
        let mut open = attempts.iter_mut().rev().filter(|it| it.is_open());
        let matches_target = |it: &&mut AttemptSpan| {
            target.is_none_or(|target| target.state_index == it.state_index)
        };
        if let Some(attempt) = open.find(matches_target) {
            update(attempt);
        }
    }

    pub(super) fn export(
        self,
        meter: &Meter,
        status: u16,
        outcome: RequestOutcome,
        duration: Duration,
    ) {
        let ended = meter.overhead.started + duration;
        let request = SpanBuilder {
            meter,
            outcome,
            ended,
            ended_at: wall_clock::now(),
            context: self.context.own,
        };
        let attempts = self.attempts.into_inner();
        let mut spans = Vec::with_capacity(1 + attempts.len());
        spans.push(request.server_span(self.context.parent, status));
        let attempts = attempts.iter().zip(1..);
        spans.extend(attempts.map(|(attempt, number)| request.client_span(attempt, number)));
        self.tracer.export(spans);
    }
}

// === impl AttemptSpan ===

impl AttemptSpan {
    fn is_open(&self) -> bool {
        self.ended.is_none()
    }
}

struct SpanBuilder<'a> {
    meter: &'a Meter,
    outcome: RequestOutcome,
    ended: Instant,
    ended_at: SystemTime,
    context: TraceContext,
}

impl SpanBuilder<'_> {
    /// Converts a monotonic time to wall-clock time.
    fn wall_time(&self, at: Instant) -> SystemTime {
        let before = self.ended.saturating_duration_since(at);
        self.ended_at.checked_sub(before).unwrap_or(self.ended_at)
    }

    fn server_span(&self, parent: Option<SpanId>, status: u16) -> Span {
        let meter = self.meter;
        let (outcome, endpoint) = (self.outcome, meter.endpoint);
        let route = format!("/v1{}", endpoint.path());
        let error = match outcome {
            RequestOutcome::Ok => None,
            _ => Some(meter.code.unwrap_or(outcome.label())),
        };
        let sent = meter.status.map(u64::from);
        let key = meter.caller.as_ref().and_then(|it| it.key_name());
        let team = meter.caller.as_ref().and_then(|it| it.team());
        let limits = meter.limit_events.as_deref();
        let model = meter.model.as_ref().map(|model| &*model.name.label);
        let mut attributes = Attributes::default();
        attributes.add("http.request.method", Some("POST"));
        attributes.add("http.route", Some(&*route));
        attributes.add("http.response.status_code", sent);
        attributes.add("error.type", error);
        attributes.add("gen_ai.operation.name", Some(operation(endpoint)));
        attributes.add("gen_ai.request.model", model);
        attributes.add("trunkline.request_id", Some(meter.request_id.as_str()));
        attributes.add("trunkline.key", key);
        attributes.add("trunkline.team", team);
        attributes.add(
            "trunkline.limit",
            limits.and_then(|it| it.refused_by.as_deref()),
        );
        attributes.add("trunkline.outcome", Some(outcome.label()));
        attributes.add("trunkline.cost_usd", meter.cost.map(|it| it.to_string()));
        Span {
            trace_id: self.context.trace,
            span_id: self.context.parent,
            parent_span_id: parent,
            name: format!("POST {route}"),
            kind: SpanKind::Server,
            start: self.wall_time(meter.overhead.started),
            end: self.ended_at,
            attributes,
            events: Vec::new(),
            // Client errors and cancellations are not errors of the server.
            status: SpanStatus::failed(status >= 500 || is_server_error(outcome)),
        }
    }

    fn client_span(&self, attempt: &AttemptSpan, number: u64) -> Span {
        let responded = matches!(attempt.result, Some(AttemptResult::Responded));
        let error = self.error_type(attempt);
        let operation = operation(self.meter.endpoint);
        let result = attempt.result.map_or("abandoned", AttemptResult::label);
        let status = attempt.status.map(|status| u64::from(status.as_u16()));
        let mut attributes = Attributes::default();
        attributes.add("gen_ai.operation.name", Some(operation));
        attributes.add(
            "gen_ai.provider.name",
            Some(provider_name(&attempt.provider)),
        );
        attributes.add("gen_ai.request.model", attempt.model.as_deref());
        attributes.add("http.request.method", Some("POST"));
        attributes.add("http.response.status_code", status);
        attributes.add("error.type", error.as_deref());
        attributes.add("trunkline.provider", Some(&*attempt.provider));
        attributes.add("trunkline.attempt", Some(number));
        attributes.add("trunkline.result", Some(result));
        attributes.add("trunkline.hedge", attempt.is_hedge.then_some(true));
        let mut events = Vec::new();
        if responded {
            events.extend(self.add_response(attempt, &mut attributes));
        }
        let model = attempt.model.as_deref();
        Span {
            trace_id: self.context.trace,
            span_id: attempt.span,
            parent_span_id: Some(self.context.parent),
            name: model.map_or_else(
                || operation.to_owned(),
                |model| format!("{operation} {model}"),
            ),
            kind: SpanKind::Client,
            start: self.wall_time(attempt.started),
            end: attempt
                .ended
                .map_or(self.ended_at, |ended| self.wall_time(ended)),
            attributes,
            events,
            status: SpanStatus::failed(error.is_some()),
        }
    }

    /// Adds the attributes of the response; returns the event of the first token.
    fn add_response(
        &self,
        attempt: &AttemptSpan,
        attributes: &mut Attributes,
    ) -> Option<SpanEvent> {
        let meter = self.meter;
        let usage = meter.usage.as_deref().copied().unwrap_or_default();
        attributes.add("gen_ai.request.stream", meter.is_stream.then_some(true));
        attributes.add("gen_ai.usage.input_tokens", usage.input);
        attributes.add("gen_ai.usage.output_tokens", usage.output);
        attributes.add("gen_ai.usage.cache_read.input_tokens", usage.cached);
        attributes.add(
            "gen_ai.usage.cache_creation.input_tokens",
            usage.cache_write,
        );
        attributes.add("gen_ai.usage.reasoning.output_tokens", usage.reasoning);
        let arrived = meter.overhead.started + meter.first_token?;
        let elapsed = arrived.saturating_duration_since(attempt.started);
        let elapsed = Some(elapsed.as_secs_f64());
        attributes.add("gen_ai.response.time_to_first_chunk", elapsed);
        Some(SpanEvent {
            name: "first token",
            at: self.wall_time(arrived),
        })
    }

    fn error_type(&self, attempt: &AttemptSpan) -> Option<String> {
        match attempt.result? {
            AttemptResult::Failed(outcome) => Some(outcome.label().to_owned()),
            AttemptResult::Cancelled => None,
            AttemptResult::Responded => match attempt.status {
                Some(status) if status.as_u16() >= 400 => Some(status.as_u16().to_string()),
                _ if is_server_error(self.outcome) => {
                    let error = self.meter.code.unwrap_or(self.outcome.label());
                    Some(error.to_owned())
                }
                _ => None,
            },
        }
    }
}

fn is_server_error(outcome: RequestOutcome) -> bool {
    !matches!(
        outcome,
        RequestOutcome::Ok
            | RequestOutcome::ClientError
            | RequestOutcome::Cancelled
            | RequestOutcome::ClientStalled
            | RequestOutcome::Limited
    )
}

/// `gen_ai.operation.name`; the conventions define the first three.
fn operation(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::Responses | Endpoint::Messages => "chat",
        Endpoint::Completions => "text_completion",
        Endpoint::Embeddings => "embeddings",
        Endpoint::Moderations => "moderation",
        Endpoint::ImagesGenerations | Endpoint::ImagesEdits | Endpoint::ImagesVariations => {
            "image_generation"
        }
        Endpoint::AudioSpeech => "speech",
        Endpoint::AudioTranscriptions | Endpoint::AudioTranslations => "transcription",
        other => other.label(),
    }
}
