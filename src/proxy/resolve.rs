//! Resolves the targets of a request. First match wins: the provider named by the
//! client, the model, a known object, the default provider.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::Worker;
use super::intake::{Intake, Passthrough};
use crate::access::Caller;
use crate::catalog::{Model, Provider, Resolved, Target, Unresolved};
use crate::error_response;
use crate::error_response::ErrorResponse;
use crate::routing::ObjectLocation;
use crate::wire::endpoint::Endpoint;
use crate::wire::query::Query;

/// Header in which the client names the provider. It is not forwarded.
pub const PROVIDER: HeaderName = HeaderName::from_static("x-trunkline-provider");

/// Why a request has no target.
#[derive(Debug)]
pub(super) struct ResolveError<'w> {
    pub response: Box<ErrorResponse>,
    /// The model that lacks a setting: the request counts as one for it.
    pub model: Option<&'w Model>,
}

pub(super) fn resolve<'w>(
    worker: &'w Worker,
    caller: &Caller,
    endpoint: Endpoint,
    intake: &Intake,
    head: &mut Parts,
) -> Result<Resolved<'w>, ResolveError<'w>> {
    if let Some(passthrough) = &intake.passthrough {
        return resolve_passthrough(worker, caller, intake, passthrough, head);
    }
    let mut resolved = if intake.model.is_empty() {
        resolve_without_model(worker, caller, intake)?
    } else {
        let catalog = &worker.snapshot.catalog;
        catalog
            .resolve(&intake.model, |name| caller.may_use(name))
            .map_err(|it| unresolved(worker, it))?
    };
    if endpoint == Endpoint::Responses {
        pin_to_object(worker, caller, intake, &mut resolved)?;
    }
    Ok(resolved)
}

/// As [`resolve`], of a request that goes to another model than it names.
pub(super) fn resolve_alias<'w>(
    worker: &'w Worker,
    caller: &Caller,
    endpoint: Endpoint,
    intake: &Intake,
    alias: &str,
) -> Result<Resolved<'w>, ResolveError<'w>> {
    let catalog = &worker.snapshot.catalog;
    let resolved = catalog.resolve(alias, |name| caller.may_use(name));
    let mut resolved = resolved.map_err(|it| unresolved(worker, it))?;
    if endpoint == Endpoint::Responses {
        pin_to_object(worker, caller, intake, &mut resolved)?;
    }
    Ok(resolved)
}

fn resolve_passthrough<'w>(
    worker: &'w Worker,
    caller: &Caller,
    intake: &Intake,
    passthrough: &Passthrough,
    head: &mut Parts,
) -> Result<Resolved<'w>, ResolveError<'w>> {
    let catalog = &worker.snapshot.catalog;
    let Passthrough { path: call, .. } = passthrough;
    let provider = provider_override(&mut head.headers, call.provider.as_deref())?;
    let model = requested_model(intake, passthrough, head.uri.query())?;
    if let Some(name) = provider {
        let provider = catalog
            .provider(&name)
            .ok_or_else(error_response::unknown_provider)?;
        return match model {
            Some(_) if passthrough.may_hide_model() && !may_use(caller, provider) => {
                Err(error_response::unknown_provider().into())
            }
            Some(model) => catalog
                .resolve_at(provider, &model, |it| caller.may_use(it))
                .map_err(|it| unresolved(worker, it)),
            None => at_provider(worker, caller, provider),
        };
    }
    let location = if call.endpoint.creates_objects() {
        object_location(worker, call.segments().chain(intake.object_ids()))
    } else {
        None
    };
    if let Some(model) = model {
        let mut resolved = resolve_model_or_default(worker, caller, call.endpoint, &model)?;
        // An unread body may name another model than the path does.
        let allowed = |target: &Target| may_use(caller, &target.provider);
        if passthrough.may_hide_model() && !resolved.targets.iter().all(allowed) {
            return Err(error_response::unknown_provider().into());
        }
        if let Some((provider, location)) = location {
            check_owner(caller, provider, &location)?;
            narrow_to(&mut resolved, &location);
        }
        return Ok(resolved);
    }
    if let Some((provider, location)) = location {
        return at_object(worker, caller, provider, &location);
    }
    if call.endpoint.needs_model() {
        return Err(error_response::missing_model().into());
    }
    let provider = catalog.default_provider();
    at_provider(
        worker,
        caller,
        provider.ok_or_else(error_response::provider_not_specified)?,
    )
}

/// A JSON request without a model, which some endpoints allow.
fn resolve_without_model<'w>(
    worker: &'w Worker,
    caller: &Caller,
    intake: &Intake,
) -> Result<Resolved<'w>, ResolveError<'w>> {
    if let Some((provider, location)) = object_location(worker, intake.object_ids()) {
        return at_object(worker, caller, provider, &location);
    }
    let provider = worker.snapshot.catalog.default_provider();
    at_provider(
        worker,
        caller,
        provider.ok_or_else(error_response::missing_model)?,
    )
}

/// A request without a model, at the location of the object it refers to.
fn at_object<'w>(
    worker: &'w Worker,
    caller: &Caller,
    provider: &Arc<Provider>,
    location: &ObjectLocation,
) -> Result<Resolved<'w>, ResolveError<'w>> {
    check_owner(caller, provider, location)?;
    let found = worker
        .snapshot
        .catalog
        .at_provider(provider, Some(location.credential));
    found.ok_or_else(|| error_response::unknown_provider().into())
}

/// A client may use its own objects at a provider that it may not use otherwise.
fn check_owner(
    caller: &Caller,
    provider: &Provider,
    location: &ObjectLocation,
) -> Result<(), ErrorResponse> {
    let is_own = location.owner.is_some() && location.owner.as_deref() == caller.key_name();
    if is_own || may_use(caller, provider) {
        Ok(())
    } else {
        Err(error_response::unknown_provider())
    }
}

/// Sends a response request where the previous response and its files are.
fn pin_to_object(
    worker: &Worker,
    caller: &Caller,
    intake: &Intake,
    resolved: &mut Resolved<'_>,
) -> Result<(), ErrorResponse> {
    if !worker.snapshot.tracks_objects() {
        return Ok(());
    }
    if let Some((provider, location)) = object_location(worker, intake.object_ids()) {
        check_owner(caller, provider, &location)?;
        narrow_to(resolved, &location);
    }
    Ok(())
}

/// Keeps the targets at the object's location, if any serves the model.
fn narrow_to(resolved: &mut Resolved<'_>, location: &ObjectLocation) {
    resolved.retain_if_any(|target| *target.provider.name == *location.provider);
    resolved.retain_if_any(|target| {
        target.provider.credential_identity(target.credential) == Some(location.credential)
    });
}

/// Whether the targets may be those of an object that the request refers to.
pub(super) fn depends_on_objects(endpoint: Endpoint, intake: &Intake, headers: &HeaderMap) -> bool {
    match &intake.passthrough {
        None => endpoint == Endpoint::Responses || intake.model.is_empty(),
        Some(passthrough) => {
            passthrough.path.endpoint.creates_objects() && !names_provider(intake, headers)
        }
    }
}

/// Whether a request without a body names neither a model nor a provider.
pub(super) fn names_nothing(intake: &Intake, headers: &HeaderMap) -> bool {
    let path = intake.passthrough.as_ref().map(|it| &it.path);
    let is_named = path.is_some_and(|path| path.provider.is_some());
    intake.model.is_empty() && !is_named && !headers.contains_key(PROVIDER)
}

/// Whether the client names the provider.
pub(super) fn names_provider(intake: &Intake, headers: &HeaderMap) -> bool {
    let Some(passthrough) = &intake.passthrough else {
        return false;
    };
    passthrough.path.provider.is_some() || headers.contains_key(PROVIDER)
}

/// The provider named by the client, in the path or else in the header.
fn provider_override(
    headers: &mut HeaderMap,
    path: Option<&str>,
) -> Result<Option<String>, ErrorResponse> {
    let mut values = headers.get_all(PROVIDER).iter();
    let (first, second) = (values.next(), values.next());
    let header = match (first, second) {
        (Some(name), None) => name.to_str().ok().map(str::to_owned),
        _ => None,
    };
    let is_invalid = first.is_some() && header.is_none();
    headers.remove(PROVIDER);
    if is_invalid {
        return Err(error_response::unknown_provider());
    }
    Ok(path.map(str::to_owned).or(header))
}

/// The model named in the body, the path, or, for some endpoints, the query.
fn requested_model(
    intake: &Intake,
    passthrough: &Passthrough,
    query: Option<&str>,
) -> Result<Option<String>, ErrorResponse> {
    if !intake.model.is_empty() {
        return Ok(Some(intake.model.clone()));
    }
    let endpoint = passthrough.path.endpoint;
    if !matches!(endpoint, Endpoint::Realtime | Endpoint::StoredCompletions) {
        return Ok(None);
    }
    query_model(query)
}

/// The model named in the query; two are an error.
pub(super) fn query_model(query: Option<&str>) -> Result<Option<String>, ErrorResponse> {
    let mut models = Query(query.unwrap_or_default()).models();
    let (first, second) = (models.next(), models.next());
    if second.is_some() {
        return Err(error_response::duplicate_model());
    }
    Ok(first.filter(|model| !model.is_empty()))
}

/// Requests to object APIs often use a provider's own names of models; unknown
/// names go to the default provider.
fn resolve_model_or_default<'w>(
    worker: &'w Worker,
    caller: &Caller,
    endpoint: Endpoint,
    model: &str,
) -> Result<Resolved<'w>, ResolveError<'w>> {
    let catalog = &worker.snapshot.catalog;
    let visible = |name: &str| caller.may_use(name);
    let default = catalog.default_provider();
    match (catalog.resolve(model, visible), default) {
        (Ok(resolved), _) => Ok(resolved),
        (
            Err(Unresolved::Unknown { .. } | Unresolved::ProviderNotConfigured { .. }),
            Some(provider),
        ) if endpoint.is_object_api() => catalog
            .resolve_at(provider, model, visible)
            .map_err(|it| unresolved(worker, it)),
        (Err(reason), _) => Err(unresolved(worker, reason)),
    }
}

/// The location of the first of these objects that is known.
fn object_location<'w, 'i>(
    worker: &'w Worker,
    mut ids: impl Iterator<Item = &'i str>,
) -> Option<(&'w Arc<Provider>, ObjectLocation)> {
    let snapshot = &worker.snapshot;
    if !snapshot.tracks_objects() {
        return None;
    }
    let (id, location) = ids.find_map(|id| Some((id, snapshot.objects.get(id)?)))?;
    if let Some(shared) = &snapshot.shared_objects {
        // The store forgets what is not in use.
        shared.write(id);
    }
    Some((snapshot.catalog.provider(&location.provider)?, location))
}

fn may_use(caller: &Caller, provider: &Provider) -> bool {
    caller.may_use(&format!("{}/*", provider.name))
}

/// A request without a model, at this provider.
fn at_provider<'w>(
    worker: &'w Worker,
    caller: &Caller,
    provider: &Arc<Provider>,
) -> Result<Resolved<'w>, ResolveError<'w>> {
    if !may_use(caller, provider) {
        return Err(error_response::unknown_provider().into());
    }
    let catalog = &worker.snapshot.catalog;
    catalog
        .at_provider(provider, None)
        .ok_or_else(|| match catalog.missing_setting(provider) {
            Some(reason) => unresolved(worker, reason),
            None => error_response::unknown_provider().into(),
        })
}

fn unresolved(worker: &Worker, reason: Unresolved) -> ResolveError<'_> {
    ResolveError {
        model: worker.snapshot.catalog.not_configured(&reason),
        response: Box::new(reason.into()),
    }
}

impl From<ErrorResponse> for ResolveError<'_> {
    fn from(response: ErrorResponse) -> Self {
        Self {
            response: Box::new(response),
            model: None,
        }
    }
}
