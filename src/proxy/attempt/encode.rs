//! Encodes a request for a target, outside the fast path: its protocol, path, query
//! and body.

use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::AttemptContext;
use crate::catalog::Target;
use crate::config::{ApiDialect, Quirk};
use crate::dialect::{
    self, ChatUpstream, Dialect, MessagesUpstream, ThinkingMode, ToolIdRule, TranslatedRequest,
    TranslationError,
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

/// An error where the target does not support the request.
pub(super) fn encode(
    context: &AttemptContext<'_>,
    meter: &Meter,
    target: &Target,
    parts: &Parts,
    headers: HeaderMap,
    additions: Additions,
) -> Result<EncodedRequest, Box<ErrorResponse>> {
    let intake = context.intake;
    let endpoint = meter.endpoint();
    let protocol = protocol(target, endpoint)?;
    if has_model_in_path(target, endpoint) && dot_segments::is_in_name(&target.upstream_model()) {
        return Err(Box::new(error_response::invalid_model_name()));
    }
    let head = RequestHead {
        method: parts.method.clone(),
        endpoint,
        path: None,
        credential: target.credential,
        query: None,
        headers,
    };
    let mut encoded = match protocol {
        Protocol::Native => passthrough(intake, target, additions, parts, head),
        Protocol::Translated(upstream) => {
            translate(intake, target, meter, upstream, additions, head)?
        }
    };
    let headers = &mut encoded.head.headers;
    let is_messages =
        matches!(protocol, Protocol::Translated(Dialect::Anthropic)) || endpoint.is_anthropic();
    if matches!(protocol, Protocol::Translated(Dialect::OpenAi)) {
        let of_anthropic = |name: &&HeaderName| name.as_str().starts_with("anthropic-");
        let removed: Vec<_> = headers.keys().filter(of_anthropic).cloned().collect();
        for name in removed {
            headers.remove(name);
        }
    } else if is_messages && !headers.contains_key(ANTHROPIC_VERSION) {
        headers.insert(ANTHROPIC_VERSION, DEFAULT_ANTHROPIC_VERSION);
    }
    meter.on_attempt_sent(target, headers);
    if let Some(version) = &target.provider.api.api_version {
        to_azure_path(&mut encoded.head, &target.upstream_model(), version);
    }
    Ok(encoded)
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
    additions: Additions,
) -> Option<RequestBody> {
    match protocol(target, endpoint).ok()? {
        Protocol::Native => Some(native_body(intake, target, additions)),
        Protocol::Translated(Dialect::OpenAi) => {
            let translated = to_chat(intake, target, additions).ok()?;
            Some(RequestBody::buffered(Segments::single(
                translated.body.into(),
            )))
        }
        Protocol::Translated(Dialect::Anthropic) => None,
    }
}

enum Protocol {
    Native,
    /// To the upstream's protocol.
    Translated(Dialect),
}

fn protocol(target: &Target, endpoint: Endpoint) -> Result<Protocol, ErrorResponse> {
    let provider = &target.provider;
    match (provider.api.dialect, endpoint) {
        (ApiDialect::Anthropic, Endpoint::ChatCompletions) => {
            Ok(Protocol::Translated(Dialect::Anthropic))
        }
        (ApiDialect::Openai, Endpoint::Messages) => Ok(Protocol::Translated(Dialect::OpenAi)),
        (ApiDialect::Anthropic, _) if Endpoint::FAST_PATH.contains(&endpoint) => {
            Err(error_response::unsupported_endpoint(
                &provider.name,
                "/v1/chat/completions and /v1/messages",
            ))
        }
        (ApiDialect::Openai, Endpoint::MessagesCountTokens) => {
            Err(error_response::unsupported_endpoint(
                &provider.name,
                "/v1/messages, not its count of tokens",
            ))
        }
        _ => Ok(Protocol::Native),
    }
}

/// The client's own body, path and query, with the target's model.
fn passthrough(
    intake: &Intake,
    target: &Target,
    additions: Additions,
    parts: &Parts,
    mut head: RequestHead,
) -> EncodedRequest {
    let name = target.upstream_model();
    head.query = parts.uri.query().map(str::to_owned);
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
        finish_rule: head.endpoint.finish_rule(),
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

/// The request in the upstream's protocol.
fn translate(
    intake: &Intake,
    target: &Target,
    meter: &Meter,
    upstream: Dialect,
    additions: Additions,
    mut head: RequestHead,
) -> Result<EncodedRequest, ErrorResponse> {
    let (client, translated, endpoint) = match upstream {
        Dialect::Anthropic => {
            let name = target.upstream_model();
            let to = MessagesUpstream {
                model: &name,
                default_max_tokens: target.provider.api.max_tokens,
                thinking: ThinkingMode::for_model(&name),
            };
            let translated = dialect::to_messages(&intake.body.text(), &to);
            (Dialect::OpenAi, translated, Endpoint::Messages)
        }
        Dialect::OpenAi => {
            let translated = to_chat(intake, target, additions);
            (Dialect::Anthropic, translated, Endpoint::ChatCompletions)
        }
    };
    let translated = translated.map_err(error_response::untranslatable)?;
    let request_id = meter.request_id().clone();
    let include_usage = translated.include_usage;
    let translation = Translation::new(
        client,
        intake.model.clone(),
        &target.provider.name,
        request_id,
        include_usage,
    );
    head.path = Some(endpoint.path().to_owned());
    Ok(EncodedRequest {
        body: RequestBody::buffered(Segments::single(translated.body.into())),
        finish_rule: endpoint.finish_rule(),
        head,
        translation: Some(Box::new(translation)),
    })
}

fn to_chat(
    intake: &Intake,
    target: &Target,
    additions: Additions,
) -> Result<TranslatedRequest, TranslationError> {
    let manner = &target.provider.api;
    let to = ChatUpstream {
        model: &target.upstream_model(),
        legacy_max_tokens: additions.limit == Some(LimitName::MaxTokens),
        reasoning_effort: manner.has_quirk(Quirk::ReasoningEffort),
        reasoning_history: manner.has_quirk(Quirk::ReasoningHistory),
        stream_usage: additions.stream_usage,
        tool_ids: if manner.has_quirk(Quirk::NineCharacterToolIds) {
            ToolIdRule::Nine
        } else {
            ToolIdRule::Any
        },
        provider: &target.provider.name,
    };
    dialect::to_chat(&intake.body.text(), &to)
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
