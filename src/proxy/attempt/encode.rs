//! Calls other than the usual ones: bodies of all kinds, and paths that the
//! caller has written.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::warn;

use super::classify::{Judged, judge};
use super::context::now;
use super::{Accepted, Unanswered, send};
use crate::catalog::{Resolved, Target};
use crate::config::{Quirk, Speaks};
use crate::dialect::{self, Dialect, Thinking, ToChat, ToMessages};
use crate::error_response;
use crate::error_response::Failure;
use crate::metering::Meter;
use crate::proxy::Worker;
use crate::proxy::intake::{Content, Intake, Rest, Special};
use crate::proxy::translation::Translation;
use crate::request_body::Outgoing;
use crate::routing::Plan;
use crate::upstream::{self, Head};
use crate::wire::api_path;
use crate::wire::endpoint::Endpoint;
use crate::wire::splice::{Segments, StreamUsage, splice};
use crate::wire::sse_relay::FinishRule;

/// A request in the target's terms.
pub(super) struct Shipment {
    pub body: Outgoing,
    /// The path below the base URL, where it is not the endpoint's own.
    pub path: Option<String>,
    pub query: Option<String>,
    /// How a stream of the upstream's shows that it came to its end.
    pub rule: FinishRule,
    /// What tells the answer in the caller's protocol, if that is another one.
    pub translation: Option<Box<Translation>>,
}

/// What is ready to be sent, how its stream would end, and what tells its answer.
type Prepared<'w> = (
    Result<upstream::Prepared<'w>, upstream::Error>,
    FinishRule,
    Option<Box<Translation>>,
);

/// Makes a call ready to be sent that is none of the usual ones, or whose
/// provider wants it in another way.
pub(super) fn prepare<'w>(
    worker: &'w Worker,
    meter: &Meter,
    target: &Target,
    parts: &Parts,
    mut headers: HeaderMap,
    intake: &Intake,
    usage: StreamUsage,
) -> Result<Prepared<'w>, Box<Failure>> {
    let shipment = ship(intake, target, usage, parts, meter, &mut headers)?;
    meter.sends(target, &mut headers);
    let head = Head {
        method: parts.method.clone(),
        endpoint: meter.endpoint(),
        path: shipment.path,
        credential: target.credential,
        query: shipment.query,
        headers,
    };
    let client = &worker.client;
    let prepared = client.prepare(target.provider.id, head, shipment.body);
    Ok((prepared, shipment.rule, shipment.translation))
}

/// The version of Anthropic's API that is asked for where the caller names none
/// (its documentation, "Versions").
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// Puts a call into the target's terms.
pub(super) fn ship(
    intake: &Intake,
    target: &Target,
    usage: StreamUsage,
    parts: &Parts,
    meter: &Meter,
    headers: &mut HeaderMap,
) -> Result<Shipment, Failure> {
    let endpoint = meter.endpoint();
    let asked = asked(target, endpoint)?;
    let name = target.upstream_model();
    let mut shipment = match asked {
        Asked::AsItIs => plain(intake, target, usage, parts, endpoint),
        Asked::In(upstream) => translated(intake, target, meter, upstream)?,
    };
    let asks_messages = matches!(asked, Asked::In(Dialect::Anthropic)) || endpoint.is_anthropics();
    if matches!(asked, Asked::In(Dialect::OpenAi)) {
        let of_anthropic = |name: &&HeaderName| name.as_str().starts_with("anthropic-");
        let doomed: Vec<_> = headers.keys().filter(of_anthropic).cloned().collect();
        for name in doomed {
            headers.remove(name);
        }
    } else if asks_messages && !headers.contains_key("anthropic-version") {
        headers.insert("anthropic-version", ANTHROPIC_VERSION);
    }
    if let Some(version) = &target.provider.manner.api_version {
        deploy(&mut shipment, &name, version, endpoint);
    }
    Ok(shipment)
}

/// How a target is asked.
enum Asked {
    AsItIs,
    /// In its own protocol, which is not the caller's.
    In(Dialect),
}

fn asked(target: &Target, endpoint: Endpoint) -> Result<Asked, Failure> {
    let provider = &target.provider;
    match (provider.manner.dialect, endpoint) {
        (Speaks::Anthropic, Endpoint::ChatCompletions) => Ok(Asked::In(Dialect::Anthropic)),
        (Speaks::Openai, Endpoint::Messages) => Ok(Asked::In(Dialect::OpenAi)),
        (Speaks::Anthropic, _) if Endpoint::CORE.contains(&endpoint) => Err(
            error_response::no_such_call(&provider.name, "/v1/chat/completions and /v1/messages"),
        ),
        (Speaks::Openai, Endpoint::MessagesCountTokens) => Err(error_response::no_such_call(
            &provider.name,
            "/v1/messages, not its count of tokens",
        )),
        _ => Ok(Asked::AsItIs),
    }
}

/// The caller's own body, path and query, but for the model.
fn plain(
    intake: &Intake,
    target: &Target,
    usage: StreamUsage,
    parts: &Parts,
    endpoint: Endpoint,
) -> Shipment {
    let model = &target.encoded_model;
    let name = target.upstream_model();
    let spliced = |model: &[u8]| Outgoing::new(splice(&intake.body, &intake.scan, model, usage));
    let mut query = parts.uri.query().map(str::to_owned);
    let mut path = None;
    let mut body = None;
    if let Some(special) = &intake.special {
        let Special { call, content } = &**special;
        body = match content {
            Content::Nothing => Some(Outgoing::absent()),
            Content::Held if intake.body.is_empty() => Some(Outgoing::new(Segments::default())),
            Content::Held => None,
            Content::Named(behind) => {
                let member = [b"\"model\":", &model[..], behind.as_bytes()].concat();
                Some(spliced(&member))
            }
            Content::Passing(rest) => Some(rest.outgoing(&name)),
        };
        if call.is_azure {
            query = query.as_deref().and_then(api_path::unversioned);
        }
        let renames = !name.is_empty();
        if renames {
            query = query.map(|query| api_path::renamed(&query, &name));
        }
        path = Some(if renames {
            call.path_for(&name)
        } else {
            call.path.clone()
        });
    }
    Shipment {
        body: body.unwrap_or_else(|| spliced(model)),
        path,
        query,
        rule: endpoint.finish_rule(),
        translation: None,
    }
}

/// The call in the upstream's protocol.
fn translated(
    intake: &Intake,
    target: &Target,
    meter: &Meter,
    upstream: Dialect,
) -> Result<Shipment, Failure> {
    let manner = &target.provider.manner;
    let name = target.upstream_model();
    let (caller, told, asks) = match upstream {
        Dialect::Anthropic => {
            let to = ToMessages {
                model: &name,
                default_max_tokens: manner.max_tokens,
                thinking: Thinking::of_model(&name),
            };
            let told = dialect::to_messages(&intake.body, &to);
            (Dialect::OpenAi, told, Endpoint::Messages)
        }
        Dialect::OpenAi => {
            let to = ToChat {
                model: &name,
                old_max_tokens: !manner.knows(Quirk::MaxCompletionTokens),
                reasoning_effort: manner.knows(Quirk::ReasoningEffort),
                reasoning_history: manner.knows(Quirk::ReasoningHistory),
            };
            let told = dialect::to_chat(&intake.body, &to);
            (Dialect::Anthropic, told, Endpoint::ChatCompletions)
        }
    };
    let told = told.map_err(error_response::untranslatable)?;
    let request_id = meter.request_id().clone();
    let translation =
        Translation::new(caller, intake.model.clone(), request_id, told.include_usage);
    Ok(Shipment {
        body: Outgoing::new(Segments::whole(told.body.into())),
        path: Some(asks.path().to_owned()),
        query: None,
        rule: asks.finish_rule(),
        translation: Some(Box::new(translation)),
    })
}

/// Whether Azure has this call below a deployment, as its own SDK knows it.
fn is_deployed(endpoint: Endpoint) -> bool {
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

/// Azure's older way: the model is a deployment in the path, and the query says
/// which version of the API is meant.
fn deploy(shipment: &mut Shipment, name: &str, version: &str, endpoint: Endpoint) {
    let path = shipment
        .path
        .take()
        .unwrap_or_else(|| endpoint.path().to_owned());
    shipment.path = Some(if !name.is_empty() && is_deployed(endpoint) {
        format!("/deployments/{}{path}", api_path::segment(name))
    } else {
        path
    });
    // A WebSocket's path names no model.
    if endpoint == Endpoint::Realtime {
        shipment.query = shipment.query.as_deref().map(api_path::deployed);
    }
    let version = format!("api-version={version}");
    shipment.query = Some(
        match shipment.query.as_deref().and_then(api_path::unversioned) {
            Some(query) => format!("{query}&{version}"),
            None => version,
        },
    );
}

/// Sends what cannot be sent again. It goes to the target that would be the
/// first one.
pub(super) async fn once(
    worker: &Worker,
    meter: &mut Meter,
    resolved: &Resolved<'_>,
    head: &mut Parts,
    intake: &Intake,
    rest: &Rest,
) -> Result<Accepted, Failure> {
    let fleet = &worker.snapshot.fleet;
    let model = &resolved.model;
    let mut plan = Plan::new(fleet, &resolved.targets, model.retry, model.balance);
    let first = plan.first(now(), &mut worker.rng.borrow_mut());
    // A plan has at least one target.
    let target = first.ok_or_else(error_response::upstream_protocol_error)?;
    let headers = std::mem::take(&mut head.headers);
    meter.asks(target);
    let judged = match send(worker, meter, target, head, headers, intake).await {
        Ok(answer) => match judge(answer) {
            Ok(judged) => judged,
            Err(unclear) => unclear.judged().await,
        },
        Err(Unanswered::Refused(failure)) => return Err(failure.at(target)),
        Err(Unanswered::Failed(error)) => {
            if let Some(objection) = rest.notes().objection() {
                return Err(objection.at(target));
            }
            let request_id = meter.request_id().as_str();
            let provider = &*target.provider.name;
            warn!(request_id, provider, %error, "attempt failed");
            Judged::unanswered(error)
        }
    };
    match &resolved.targets[..] {
        [_] => meter.attempted(judged.fault),
        _ => meter.attempted_at(model, target, judged.fault),
    }
    if judged.is_blamed() {
        fleet.note(target, judged.fault, now());
    }
    judged.named(target)
}
