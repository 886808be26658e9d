//! A recorded request's spans: one for the request, and one for each attempt.
//! Names follow OpenTelemetry's conventions for generative AI and for HTTP. No
//! address, no content and no word of the caller's but its request id.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Attempt, Meter, Outcome};
use crate::catalog::{Model, Target};
use crate::telemetry::trace::{
    Attributes, Context, Event, Kind, Origin, Span, SpanId, Status, TRACEPARENT, TRACESTATE,
    TraceId, Tracer,
};
use crate::wall_clock;
use crate::wire::endpoint::Endpoint;

/// What is remembered of a recorded request.
#[derive(Debug)]
pub(super) struct Trace {
    tracer: Arc<Tracer>,
    origin: Origin,
    /// Whether the model is one of the configuration's, and no word of the
    /// caller's.
    is_alias: bool,
    /// Two may be told of at a time, hence the cell.
    attempts: RefCell<Vec<Try>>,
}

/// One attempt.
#[derive(Debug)]
struct Try {
    span: SpanId,
    /// [`Target::slot`]
    slot: usize,
    provider: Box<str>,
    /// None where it is a word of the caller's.
    model: Option<Box<str>>,
    /// Whether another one was silent when it began.
    hedges: bool,
    began: Instant,
    status: Option<StatusCode>,
    /// When it failed or was given up; an answer goes on with the request.
    ended: Option<Instant>,
    result: Option<Attempt>,
}

impl Meter {
    /// Records the request in a trace, where its headers or chance say so.
    pub fn traces(&mut self, tracer: &Arc<Tracer>, headers: &HeaderMap) {
        self.trace = Trace::begin(tracer, headers);
    }

    /// Notes an attempt that begins now. `headers` are those that it sends: where
    /// the request is recorded, they name the attempt as what comes before the
    /// upstream's own part of the trace.
    pub fn sends(&self, target: &Target, headers: &mut HeaderMap) {
        if let Some(trace) = &self.trace {
            trace.sends(target, headers);
        }
    }

    /// Notes the status that a target answers with.
    pub fn hears(&self, target: &Target, status: StatusCode) {
        if let Some(trace) = &self.trace {
            trace.hears(target, status);
        }
    }
}

impl Trace {
    /// The record of a request with these headers, if it is to be recorded.
    pub(super) fn begin(tracer: &Arc<Tracer>, headers: &HeaderMap) -> Option<Box<Self>> {
        let origin = tracer.begin(headers)?;
        Some(Box::new(Self {
            tracer: Arc::clone(tracer),
            origin,
            is_alias: false,
            attempts: RefCell::default(),
        }))
    }

    pub(super) fn id(&self) -> TraceId {
        self.origin.own.trace
    }

    /// Notes what is called.
    pub(super) fn calls(&mut self, model: &Model) {
        self.is_alias = !model.upstream_model.is_empty();
    }

    /// Notes an attempt that begins, and has its span named upstream.
    pub(super) fn sends(&self, target: &Target, headers: &mut HeaderMap) {
        let span = self.tracer.span_id();
        let context = Context {
            parent: span,
            ..self.origin.own
        };
        if let Ok(value) = HeaderValue::try_from(context.to_string()) {
            headers.insert(TRACEPARENT, value);
        }
        if self.origin.parent.is_none() {
            // It belongs to a trace that was not understood.
            headers.remove(TRACESTATE);
        }
        let mut attempts = self.attempts.borrow_mut();
        let hedges = attempts.iter().any(Try::is_open);
        attempts.push(Try {
            span,
            slot: target.slot,
            provider: target.provider.name.clone(),
            model: self.is_alias.then(|| target.upstream_model()),
            hedges,
            began: Instant::now(),
            status: None,
            ended: None,
            result: None,
        });
    }

    /// Notes the status that a target answers with.
    pub(super) fn hears(&self, target: &Target, status: StatusCode) {
        self.open(Some(target), |attempt| attempt.status = Some(status));
    }

    /// Notes what came of an attempt at this target, or at the only one.
    pub(super) fn tried(&self, target: Option<&Target>, result: Attempt) {
        self.open(target, |attempt| {
            attempt.result = Some(result);
            if !matches!(result, Attempt::Answered) {
                attempt.ended = Some(Instant::now());
            }
        });
    }

    /// Changes the last attempt at this target that still goes on.
    fn open(&self, target: Option<&Target>, change: impl FnOnce(&mut Try)) {
        let mut attempts = self.attempts.borrow_mut();
        let mut open = attempts.iter_mut().rev().filter(|it| it.is_open());
        let here = |it: &&mut Try| target.is_none_or(|target| target.slot == it.slot);
        if let Some(attempt) = open.find(here) {
            change(attempt);
        }
    }

    /// Has all spans exported.
    pub(super) fn export(self, meter: &Meter, status: u16, outcome: Outcome, duration: Duration) {
        let ended = meter.clock.started + duration;
        let request = Request {
            meter,
            outcome,
            ended,
            ended_at: wall_clock::now(),
            context: self.origin.own,
        };
        let attempts = self.attempts.into_inner();
        let mut spans = Vec::with_capacity(1 + attempts.len());
        spans.push(request.server(self.origin.parent, status));
        let attempts = attempts.iter().zip(1..);
        spans.extend(attempts.map(|(attempt, number)| request.client(attempt, number)));
        self.tracer.export(spans);
    }
}

impl Try {
    fn is_open(&self) -> bool {
        self.ended.is_none()
    }
}

/// A request that has ended.
struct Request<'a> {
    meter: &'a Meter,
    outcome: Outcome,
    ended: Instant,
    ended_at: SystemTime,
    context: Context,
}

impl Request<'_> {
    /// A moment of it by the clock on the wall.
    fn at(&self, moment: Instant) -> SystemTime {
        let before = self.ended.saturating_duration_since(moment);
        self.ended_at.checked_sub(before).unwrap_or(self.ended_at)
    }

    /// The span of the request.
    fn server(&self, parent: Option<SpanId>, status: u16) -> Span {
        let meter = self.meter;
        let (outcome, endpoint) = (self.outcome, meter.endpoint);
        let route = format!("/v1{}", endpoint.path());
        let fault = match outcome {
            Outcome::Ok => None,
            _ => Some(meter.code.unwrap_or(outcome.label())),
        };
        let sent = meter.status.map(u64::from);
        let key = meter.caller.as_ref().and_then(|it| it.key_name());
        let model = meter.model.as_ref().map(|model| &*model.name.label);
        let mut attributes = Attributes::default();
        attributes.add("http.request.method", Some("POST"));
        attributes.add("http.route", Some(&*route));
        attributes.add("http.response.status_code", sent);
        attributes.add("error.type", fault);
        attributes.add("gen_ai.operation.name", Some(operation(endpoint)));
        attributes.add("gen_ai.request.model", model);
        attributes.add("trunkline.request_id", Some(meter.request_id.as_str()));
        attributes.add("trunkline.key", key);
        attributes.add("trunkline.outcome", Some(outcome.label()));
        attributes.add("trunkline.cost_usd", meter.cost.map(|it| it.to_string()));
        Span {
            trace_id: self.context.trace,
            span_id: self.context.parent,
            parent_span_id: parent,
            name: format!("POST {route}"),
            kind: Kind::Server,
            start: self.at(meter.clock.started),
            end: self.ended_at,
            attributes,
            events: Vec::new(),
            // Who asked wrong or left has no fault of the server's.
            status: Status::failed(status >= 500 || is_fault(outcome)),
        }
    }

    /// The span of an attempt.
    fn client(&self, attempt: &Try, number: u64) -> Span {
        let answers = matches!(attempt.result, Some(Attempt::Answered));
        let fault = self.fault(attempt);
        let operation = operation(self.meter.endpoint);
        let result = attempt.result.map_or("abandoned", Attempt::label);
        let status = attempt.status.map(|status| u64::from(status.as_u16()));
        let mut attributes = Attributes::default();
        attributes.add("gen_ai.operation.name", Some(operation));
        attributes.add("gen_ai.provider.name", Some(provider(&attempt.provider)));
        attributes.add("gen_ai.request.model", attempt.model.as_deref());
        attributes.add("http.request.method", Some("POST"));
        attributes.add("http.response.status_code", status);
        attributes.add("error.type", fault.as_deref());
        attributes.add("trunkline.provider", Some(&*attempt.provider));
        attributes.add("trunkline.attempt", Some(number));
        attributes.add("trunkline.result", Some(result));
        attributes.add("trunkline.hedge", attempt.hedges.then_some(true));
        let mut events = Vec::new();
        if answers {
            events.extend(self.answer(attempt, &mut attributes));
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
            kind: Kind::Client,
            start: self.at(attempt.began),
            end: attempt.ended.map_or(self.ended_at, |ended| self.at(ended)),
            attributes,
            events,
            status: Status::failed(fault.is_some()),
        }
    }

    /// What is known of the answer, and when its first token came.
    fn answer(&self, attempt: &Try, attributes: &mut Attributes) -> Option<Event> {
        let meter = self.meter;
        let usage = meter.usage.unwrap_or_default();
        attributes.add("gen_ai.request.stream", meter.streams.then_some(true));
        attributes.add("gen_ai.usage.input_tokens", usage.input);
        attributes.add("gen_ai.usage.output_tokens", usage.output);
        attributes.add("gen_ai.usage.cache_read.input_tokens", usage.cached);
        attributes.add("gen_ai.usage.reasoning.output_tokens", usage.reasoning);
        let came = meter.clock.started + meter.first_token?;
        let took = came.saturating_duration_since(attempt.began);
        let took = Some(took.as_secs_f64());
        attributes.add("gen_ai.response.time_to_first_chunk", took);
        Some(Event {
            name: "first token",
            at: self.at(came),
        })
    }

    /// What was wrong with an attempt.
    fn fault(&self, attempt: &Try) -> Option<String> {
        match attempt.result? {
            Attempt::Failed(fault) => Some(fault.label().to_owned()),
            Attempt::Cancelled => None,
            Attempt::Answered => match attempt.status {
                Some(status) if status.as_u16() >= 400 => Some(status.as_u16().to_string()),
                _ if is_fault(self.outcome) => {
                    let fault = self.meter.code.unwrap_or(self.outcome.label());
                    Some(fault.to_owned())
                }
                _ => None,
            },
        }
    }
}

/// Whether the request failed for a reason that is not the caller's.
fn is_fault(outcome: Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::Ok | Outcome::ClientError | Outcome::Cancelled | Outcome::ClientStalled
    )
}

/// `gen_ai.operation.name`; the conventions have words for the first three.
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

/// `gen_ai.provider.name`: the conventions' word for a provider where it is
/// not our own.
fn provider(name: &str) -> &str {
    match name {
        "azure" => "azure.ai.openai",
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        name => name,
    }
}
