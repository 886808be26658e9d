//! Encodes a request for a target, outside the fast path: its protocol, path, query
//! and body.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::AttemptContext;
use super::protocol::{TargetProtocol, call_of};
use crate::catalog::Target;
use crate::config::Quirk;
use crate::dialect::{
    self, ChatUpstream, Dialect, DialectPair, MessagesUpstream, ResponsesUpstream, ThinkingMode,
    ToolIdRule, UpstreamApi,
};
use crate::error_response;
use crate::error_response::ErrorResponse;
use crate::metering::Meter;
use crate::proxy::intake::{Intake, PassthroughBody};
use crate::proxy::translation::Translation;
use crate::request_body::RequestBody;
use crate::upstream::{ANTHROPIC_VERSION, DEFAULT_ANTHROPIC_VERSION, RequestHead};
use crate::wire::additions::{Additions, LimitName};
use crate::wire::api_path::encode_segment;
use crate::wire::dot_segments;
use crate::wire::endpoint::Endpoint;
use crate::wire::query::Query;
use crate::wire::splice::{Segments, StreamUsage, splice};
use crate::wire::sse_relay::FinishRule;

/// A request as the target expects it.
pub(super) struct EncodedRequest {
    pub head: RequestHead,
    pub body: RequestBody,
    pub finish_rule: FinishRule,
    /// Where the upstream's protocol is not the client's.
    pub translation: Option<Box<Translation>>,
}

/// An error where the request cannot be translated to the protocol.
pub(super) fn encode(
    context: &AttemptContext<'_>,
    meter: &Meter,
    target: &Target,
    parts: &Parts,
    mut headers: HeaderMap,
    protocol: TargetProtocol,
    additions: Additions,
) -> Result<EncodedRequest, Box<ErrorResponse>> {
    let (intake, endpoint) = (context.intake, meter.endpoint());
    let TargetProtocol::Translated(upstream) = protocol else {
        if has_model_in_path(target, endpoint) {
            check_model_in_path(target)?;
        }
        set_anthropic_headers(&mut headers, endpoint, endpoint);
        meter.on_attempt_sent(target, &mut headers);
        let mut encoded = passthrough(intake, target, endpoint, additions, parts, headers);
        encoded.head.caller = caller(meter, target);
        if let Some(version) = &target.provider.api.api_version {
            to_azure_path(&mut encoded.head, &target.upstream_model(), version);
        }
        return Ok(encoded);
    };
    let mut encoded = encode_translated(context, meter, target, headers, upstream, additions)?;
    meter.on_attempt_sent(target, &mut encoded.head.headers);
    Ok(encoded)
}

/// The name of the client's key, for a provider that gets it.
#[inline]
pub(super) fn caller(meter: &Meter, target: &Target) -> Option<HeaderValue> {
    if !target.provider.gets_caller {
        return None;
    }
    HeaderValue::from_str(meter.key_name()?).ok()
}

/// The request in the upstream's protocol.
pub(super) fn encode_translated(
    context: &AttemptContext<'_>,
    meter: &Meter,
    target: &Target,
    mut headers: HeaderMap,
    upstream: Dialect,
    additions: Additions,
) -> Result<EncodedRequest, Box<ErrorResponse>> {
    let (intake, endpoint) = (context.intake, call_of(upstream));
    let name = target.upstream_model();
    if name.is_empty() {
        return Err(Box::new(error_response::missing_model()));
    }
    if has_model_in_path(target, endpoint) {
        check_model_in_path(target)?;
    }
    let client = error_response::dialect(meter.endpoint());
    let api = upstream_api(target, &name, upstream, additions);
    let translated = dialect::translate_request(client, &intake.body.text(), &api)
        .map_err(error_response::untranslatable)?;
    let translation = Translation::new(
        DialectPair { client, upstream },
        intake.model.clone(),
        &target.provider.name,
        meter.request_id().clone(),
        translated.include_usage,
        translated.echo,
    );
    set_anthropic_headers(&mut headers, meter.endpoint(), endpoint);
    let mut head = RequestHead {
        method: Method::POST,
        endpoint,
        // Not every endpoint is on the fast path.
        path: Some(endpoint.path().to_owned()),
        credential: target.credential,
        query: None,
        headers,
        caller: caller(meter, target),
    };
    if let Some(version) = &target.provider.api.api_version {
        to_azure_path(&mut head, &name, version);
    }
    Ok(EncodedRequest {
        body: RequestBody::buffered(Segments::single(translated.body.into())),
        finish_rule: endpoint.finish_rule(),
        head,
        translation: Some(Box::new(translation)),
    })
}

/// Anthropic's API requires a version; no other one gets its headers.
fn set_anthropic_headers(headers: &mut HeaderMap, client: Endpoint, upstream: Endpoint) {
    if upstream.is_anthropic() {
        if !headers.contains_key(ANTHROPIC_VERSION) {
            headers.insert(ANTHROPIC_VERSION, DEFAULT_ANTHROPIC_VERSION);
        }
    } else if client.is_anthropic() {
        let of_anthropic = |name: &&HeaderName| name.as_str().starts_with("anthropic-");
        let removed: Vec<_> = headers.keys().filter(of_anthropic).cloned().collect();
        for name in removed {
            headers.remove(name);
        }
    }
}

fn check_model_in_path(target: &Target) -> Result<(), Box<ErrorResponse>> {
    if dot_segments::is_in_name(&target.upstream_model()) {
        return Err(Box::new(error_response::invalid_model_name()));
    }
    Ok(())
}

/// The name comes from the configuration, or from a client that calls `provider/model`.
fn has_model_in_path(target: &Target, endpoint: Endpoint) -> bool {
    endpoint == Endpoint::Models || target.provider.api.api_version.is_some()
}

/// The body alone.
pub(super) fn encode_body(
    intake: &Intake,
    target: &Target,
    endpoint: Endpoint,
    protocol: TargetProtocol,
    additions: Additions,
) -> Option<RequestBody> {
    let TargetProtocol::Translated(upstream) = protocol else {
        return Some(native_body(intake, target, additions));
    };
    let name = target.upstream_model();
    let api = upstream_api(target, &name, upstream, additions);
    let client = error_response::dialect(endpoint);
    let translated = dialect::translate_request(client, &intake.body.text(), &api).ok()?;
    let segments = Segments::single(translated.body.into());
    Some(RequestBody::buffered(segments))
}

/// The client's own body, path and query, with the target's model.
fn passthrough(
    intake: &Intake,
    target: &Target,
    endpoint: Endpoint,
    additions: Additions,
    parts: &Parts,
    headers: HeaderMap,
) -> EncodedRequest {
    let name = target.upstream_model();
    let mut head = RequestHead {
        method: parts.method.clone(),
        endpoint,
        path: None,
        credential: target.credential,
        query: parts.uri.query().map(str::to_owned),
        headers,
        caller: None,
    };
    if let Some(passthrough) = &intake.passthrough {
        let path = &passthrough.path;
        if path.is_azure {
            head.query = head
                .query
                .and_then(|query| Query(&query).without_api_version());
        }
        let renames = !name.is_empty();
        if renames {
            head.query = head.query.map(|query| Query(&query).with_model(&name));
        }
        head.path = Some(if renames {
            path.path_with_model(&name)
        } else {
            path.path.clone()
        });
    }
    EncodedRequest {
        finish_rule: endpoint.finish_rule(),
        head,
        body: native_body(intake, target, additions),
        translation: None,
    }
}

pub(super) fn stream_usage(additions: Additions) -> StreamUsage {
    if additions.stream_usage {
        StreamUsage::Inject
    } else {
        StreamUsage::Observe
    }
}

/// The client's own body, with the target's model.
fn native_body(intake: &Intake, target: &Target, additions: Additions) -> RequestBody {
    let model = &target.encoded_model;
    let usage = stream_usage(additions);
    let spliced =
        |model: &[u8]| RequestBody::buffered(splice(&intake.body, &intake.scan, model, usage));
    match intake.passthrough.as_ref().map(|it| &it.body) {
        Some(PassthroughBody::Empty) => RequestBody::empty(),
        Some(PassthroughBody::Buffered) if intake.body.is_empty() => {
            RequestBody::buffered(Segments::default())
        }
        Some(PassthroughBody::InsertModel(rest)) => {
            let member = [b"\"model\":", &model[..], rest.as_bytes()].concat();
            spliced(&member)
        }
        Some(PassthroughBody::Streamed(streamed)) => {
            streamed.to_request_body(&target.upstream_model())
        }
        Some(PassthroughBody::Buffered) | None => spliced(model),
    }
}

fn upstream_api<'a>(
    target: &'a Target,
    model: &'a str,
    upstream: Dialect,
    additions: Additions,
) -> UpstreamApi<'a> {
    let api = &target.provider.api;
    let provider = &target.provider.name;
    let reasoning = api.has_quirk(Quirk::ReasoningEffort);
    match upstream {
        Dialect::Chat => UpstreamApi::Chat(ChatUpstream {
            model,
            legacy_max_tokens: additions.limit == Some(LimitName::MaxTokens),
            reasoning_effort: reasoning,
            reasoning_history: api.has_quirk(Quirk::ReasoningHistory),
            thinking_blocks: false,
            stream_usage: additions.stream_usage,
            system: target.system_messages.into(),
            tool_ids: if api.has_quirk(Quirk::NineCharacterToolIds) {
                ToolIdRule::Nine
            } else {
                ToolIdRule::Any
            },
            provider,
        }),
        Dialect::Messages => UpstreamApi::Messages(MessagesUpstream {
            model,
            default_max_tokens: api.max_tokens,
            thinking: ThinkingMode::for_model(model),
        }),
        Dialect::Responses => UpstreamApi::Responses(ResponsesUpstream {
            model,
            reasoning,
            system: target.system_messages.into(),
            provider,
        }),
    }
}

/// Whether Azure serves the endpoint below a deployment, as in its own SDK.
fn has_azure_deployment(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::ChatCompletions
            | Endpoint::Completions
            | Endpoint::Embeddings
            | Endpoint::AudioSpeech
            | Endpoint::AudioTranscriptions
            | Endpoint::AudioTranslations
            | Endpoint::ImagesGenerations
            | Endpoint::ImagesEdits
    )
}

/// Azure's versioned API: the model is a deployment in the path, and the query
/// contains the API version.
fn to_azure_path(head: &mut RequestHead, name: &str, version: &str) {
    let endpoint = head.endpoint;
    let path = head.path.take();
    let path = path.unwrap_or_else(|| endpoint.path().to_owned());
    head.path = Some(if !name.is_empty() && has_azure_deployment(endpoint) {
        format!("/deployments/{}{path}", encode_segment(name))
    } else {
        path
    });
    // The path of a WebSocket contains no model.
    if endpoint == Endpoint::Realtime {
        let query = head.query.as_deref();
        head.query = query.map(|query| Query(query).with_deployment());
    }
    let version = format!("api-version={version}");
    let query = head.query.as_deref();
    head.query = Some(
        match query.and_then(|query| Query(query).without_api_version()) {
            Some(query) => format!("{query}&{version}"),
            None => version,
        },
    );
}
