//! `GET /v1/models`: configured models that are ready and have a healthy target, and
//! models that providers list; both as far as the client may use them.

use std::sync::Arc;

use http::{Request, Response};
use percent_encoding::percent_decode_str;
use tokio::time::Instant;
use url::form_urlencoded;

use super::gzip::negotiated_json;
use super::response::{json, reject, request_dialect};
use crate::access::Caller;
use crate::catalog::{Model, Provider, Resolved, Target, Unresolved};
use crate::config::Discover;
use crate::dialect::Dialect;
use crate::error_response::{self, ErrorResponse};
use crate::proxy::{ResponseBody, Snapshot, Worker};
use crate::upstream::{self, ModelListCache};
use crate::wire::model_list::{self, ListedModel, ModelEntry, TokenLimits};

type ProviderModels<'s> = (&'s Provider, Arc<[ListedModel]>);

/// The aliases, then the models that providers list.
pub async fn list<B>(worker: &Worker, request: &Request<B>) -> Response<ResponseBody> {
    let snapshot = &worker.snapshot;
    let headers = request.headers();
    if upstream::is_loop(headers) {
        return reject(worker, headers, error_response::loop_detected());
    }
    let caller = match snapshot.gate.admit(headers, request.extensions()) {
        Ok(caller) => caller,
        Err(denied) => return reject(worker, headers, denied.into()),
    };
    // Boxed: otherwise the future of every request would reserve space for it.
    let discovered = Box::pin(discovered(snapshot, discover_param(request.uri().query()))).await;
    let aliases = ready_aliases(snapshot).into_iter();
    let aliases = aliases.map(|model| alias_entry(snapshot, &model.label, model, &model.targets));
    let listed = discovered
        .iter()
        .flat_map(|(provider, models)| models.iter().map(|model| entry(model, provider)))
        .filter(|model| !snapshot.catalog.is_alias(model.id));
    let all = aliases.chain(listed);
    let visible: Vec<ModelEntry<'_>> = all.filter(|model| caller.may_use(model.id)).collect();
    let text = match request_dialect(headers) {
        Dialect::Chat | Dialect::Responses => model_list::openai_list(&visible),
        Dialect::Messages => model_list::anthropic_list(&visible),
    };
    negotiated_json(text, headers)
}

/// The aliases that can be used now, by name.
pub fn ready_aliases(snapshot: &Snapshot) -> Vec<&Model> {
    let mut ready = snapshot.catalog.ready_models();
    ready.retain(|model| snapshot.fleet.has_healthy(&model.targets));
    ready
}

/// One model, by its percent-encoded id.
pub fn retrieve<B>(worker: &Worker, request: &Request<B>, id: &str) -> Response<ResponseBody> {
    let headers = request.headers();
    let found = match find(worker, request, id) {
        Ok(found) => found,
        Err(error) => return reject(worker, headers, error),
    };
    let resolved = &found.resolved;
    let listed = found.listed.as_ref();
    let model = match listed {
        Some(model) => entry(model, &resolved.model.provider),
        None => alias_entry(
            &worker.snapshot,
            &found.id,
            resolved.model,
            &resolved.targets,
        ),
    };
    json(match request_dialect(headers) {
        Dialect::Chat | Dialect::Responses => model.openai_json(),
        Dialect::Messages => model.anthropic_json(),
    })
}

struct RetrievedModel<'w> {
    id: String,
    resolved: Resolved<'w>,
    /// Its entry in the provider's list, if known.
    listed: Option<ListedModel>,
}

fn find<'w, B>(
    worker: &'w Worker,
    request: &Request<B>,
    id: &str,
) -> Result<RetrievedModel<'w>, ErrorResponse> {
    let snapshot = &worker.snapshot;
    let gate = &snapshot.gate;
    let caller: Caller = gate.admit(request.headers(), request.extensions())?;
    let Ok(id) = percent_decode_str(id).decode_utf8() else {
        return Err(Unresolved::Unknown {
            nearest: Vec::new(),
        }
        .into());
    };
    let resolved = snapshot.catalog.resolve(&id, |name| caller.may_use(name))?;
    let list = model_list(snapshot, &resolved.model.provider);
    let list = list.filter(|_| !snapshot.catalog.is_alias(&id));
    Ok(RetrievedModel {
        listed: list.and_then(|list| list.get(&id)),
        id: id.into_owned(),
        resolved,
    })
}

fn model_list<'s>(snapshot: &'s Snapshot, provider: &Provider) -> Option<&'s ModelListCache> {
    let upstream = snapshot.upstreams.get(provider.id)?.as_ref()?;
    Some(upstream.model_list())
}

/// A model that no provider lists under this name.
fn alias_entry<'a>(
    snapshot: &Snapshot,
    id: &'a str,
    model: &'a Model,
    targets: &[Target],
) -> ModelEntry<'a> {
    let number = |limit: Option<usize>| limit.and_then(|limit| limit.try_into().ok());
    let configured = TokenLimits {
        context: number(model.context),
        max_output: number(model.max_output),
    };
    ModelEntry {
        id,
        created: 0,
        owner: &model.provider.name,
        display_name: model.display_name.as_deref(),
        limits: configured.or(listed_limits(snapshot, targets)),
    }
}

/// What providers list for these targets, without those of fallbacks: the lowest, since
/// each may get the request. Lists that were not fetched say nothing.
fn listed_limits(snapshot: &Snapshot, targets: &[Target]) -> TokenLimits {
    let own = targets.iter().filter(|target| !target.is_fallback);
    let listed = own.filter_map(|target| {
        let name = format!("{}/{}", target.provider.name, target.upstream_model());
        Some(model_list(snapshot, &target.provider)?.get(&name)?.limits)
    });
    listed.fold(TokenLimits::default(), TokenLimits::min)
}

/// `?discover=true` adds the models that all providers list, `?discover=false` none;
/// by default, the configuration decides.
fn discover_param(query: Option<&str>) -> Option<bool> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    let (_, value) = pairs.find(|(name, _)| name == "discover")?;
    value.parse().ok()
}

/// The models that providers list. Missing lists are fetched concurrently, within
/// `discovery.timeout`.
async fn discovered(snapshot: &Snapshot, param: Option<bool>) -> Vec<ProviderModels<'_>> {
    let providers = snapshot.catalog.providers().into_iter();
    let included = providers.filter(|provider| match provider.discover {
        Discover::Always => param != Some(false),
        Discover::OnRequest => param == Some(true),
        Discover::Never => false,
    });
    let lists = included.filter_map(|provider| {
        let upstream = snapshot.upstreams.get(provider.id)?.as_ref()?;
        let health = snapshot.fleet.health_state(provider.id);
        let is_healthy = health.is_none_or(|health| health.is_healthy());
        is_healthy.then(|| (&**provider, upstream.model_list()))
    });
    let lists: Vec<_> = lists.collect();
    // All fetches are requested before the first is waited for.
    for (_, list) in &lists {
        list.request_refresh();
    }
    let deadline = Instant::now() + snapshot.discovery.timeout;
    let mut discovered = Vec::with_capacity(lists.len());
    for (provider, list) in lists {
        discovered.push((provider, list.get_or_wait(deadline).await));
    }
    discovered
}

fn entry<'a>(model: &'a ListedModel, provider: &'a Provider) -> ModelEntry<'a> {
    ModelEntry {
        id: &model.id,
        created: model.created,
        owner: &provider.name,
        display_name: model.display_name.as_deref(),
        limits: model.limits,
    }
}
