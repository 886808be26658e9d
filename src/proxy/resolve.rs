//! Where a call goes that is none of the usual ones. What comes first decides:
//! the provider that the caller names, the model, an object that was seen, the
//! default.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::Worker;
use super::intake::{Intake, Special};
use crate::access::Caller;
use crate::catalog::{Provider, Resolved, Target, Unresolved};
use crate::error_response;
use crate::error_response::Failure;
use crate::routing::Home;
use crate::wire::api_path::models_in;
use crate::wire::endpoint::Endpoint;
use crate::wire::scan::object_ids;

/// In which the caller names the provider. It does not go upstream.
pub const PROVIDER: HeaderName = HeaderName::from_static("x-trunkline-provider");

/// Finds out where the call goes.
pub(super) fn find<'w>(
    worker: &'w Worker,
    caller: &Caller,
    intake: &Intake,
    head: &mut Parts,
) -> Result<Resolved<'w>, Failure> {
    let catalog = &worker.snapshot.catalog;
    let Some(special) = &intake.special else {
        return Err(error_response::no_destination());
    };
    let Special { call, .. } = &**special;
    let named = named(&mut head.headers, call.provider.as_deref())?;
    let model = model(intake, special, head.uri.query())?;
    if let Some(name) = named {
        let provider = catalog
            .provider(&name)
            .ok_or_else(error_response::unknown_provider)?;
        return match model {
            Some(_) if special.is_unseen() && !may_use(caller, provider) => {
                Err(error_response::unknown_provider())
            }
            Some(model) => Ok(catalog.resolve_at(provider, &model, |it| caller.may_use(it))?),
            None => at(worker, caller, provider),
        };
    }
    let home = if call.endpoint.makes_objects() {
        let spoken_of = object_ids::spoken_of(&intake.body);
        home(worker, call.segments().chain(spoken_of))
    } else {
        None
    };
    if let Some(model) = model {
        let mut resolved = by_model(worker, caller, call.endpoint, &model)?;
        // What nobody has looked into may name another model than the path does.
        let allowed = |target: &Target| may_use(caller, &target.provider);
        if special.is_unseen() && !resolved.targets.iter().all(allowed) {
            return Err(error_response::unknown_provider());
        }
        if let Some((provider, home)) = home {
            check_owner(caller, provider, &home)?;
            stay_at(&mut resolved, &home);
        }
        return Ok(resolved);
    }
    if let Some((provider, home)) = home {
        return at_home(worker, caller, provider, &home);
    }
    if call.endpoint.needs_model() {
        return Err(error_response::missing_model());
    }
    let provider = catalog.default_provider();
    at(
        worker,
        caller,
        provider.ok_or_else(error_response::no_destination)?,
    )
}

/// Finds out where one of the usual calls goes that names no model: the API does
/// not ask for one everywhere.
pub(super) fn unnamed<'w>(
    worker: &'w Worker,
    caller: &Caller,
    body: &[u8],
) -> Result<Resolved<'w>, Failure> {
    if let Some((provider, home)) = home(worker, object_ids::spoken_of(body).into_iter()) {
        return at_home(worker, caller, provider, &home);
    }
    let provider = worker.snapshot.catalog.default_provider();
    at(
        worker,
        caller,
        provider.ok_or_else(error_response::missing_model)?,
    )
}

/// A call that names no model, where the object is that it speaks of.
fn at_home<'w>(
    worker: &'w Worker,
    caller: &Caller,
    provider: &Arc<Provider>,
    home: &Home,
) -> Result<Resolved<'w>, Failure> {
    check_owner(caller, provider, home)?;
    let found = worker.snapshot.catalog.at(provider, Some(home.credential));
    found.ok_or_else(error_response::unknown_provider)
}

/// What a caller may not use whole it may use as far as it is its own.
fn check_owner(caller: &Caller, provider: &Provider, home: &Home) -> Result<(), Failure> {
    let is_own = home.owner.is_some() && home.owner.as_deref() == caller.key_name();
    if is_own || may_use(caller, provider) {
        Ok(())
    } else {
        Err(error_response::unknown_provider())
    }
}

/// Has a response go on where the one before it was made, and where its files
/// are.
pub(super) fn follow(
    worker: &Worker,
    caller: &Caller,
    body: &[u8],
    resolved: &mut Resolved<'_>,
) -> Result<(), Failure> {
    if !worker.snapshot.remembers() {
        return Ok(());
    }
    if let Some((provider, home)) = home(worker, object_ids::spoken_of(body).into_iter()) {
        check_owner(caller, provider, &home)?;
        stay_at(resolved, &home);
    }
    Ok(())
}

/// Has a call with a model go where the object is that it speaks of, if the
/// model is there as well.
fn stay_at(resolved: &mut Resolved<'_>, home: &Home) {
    resolved.narrow(|target| *target.provider.name == *home.provider);
    resolved.narrow(|target| {
        target.provider.credential_identity(target.credential) == Some(home.credential)
    });
}

/// The provider that the caller names, by the path or else by the header.
fn named(headers: &mut HeaderMap, path: Option<&str>) -> Result<Option<String>, Failure> {
    let mut values = headers.get_all(PROVIDER).iter();
    let (first, second) = (values.next(), values.next());
    let header = match (first, second) {
        (Some(name), None) => name.to_str().ok().map(str::to_owned),
        _ => None,
    };
    let is_odd = first.is_some() && header.is_none();
    headers.remove(PROVIDER);
    if is_odd {
        return Err(error_response::unknown_provider());
    }
    Ok(path.map(str::to_owned).or(header))
}

/// The model that the call names: in its body or its path, or in the query
/// where the API has one there.
fn model(
    intake: &Intake,
    special: &Special,
    query: Option<&str>,
) -> Result<Option<String>, Failure> {
    if !intake.model.is_empty() {
        return Ok(Some(intake.model.clone()));
    }
    let endpoint = special.call.endpoint;
    if !matches!(endpoint, Endpoint::Realtime | Endpoint::StoredCompletions) {
        return Ok(None);
    }
    model_in_query(query)
}

/// The model that a query names, which must not be two.
pub(super) fn model_in_query(query: Option<&str>) -> Result<Option<String>, Failure> {
    let mut models = models_in(query.unwrap_or_default());
    let (first, second) = (models.next(), models.next());
    if second.is_some() {
        return Err(error_response::two_models());
    }
    Ok(first.filter(|model| !model.is_empty()))
}

/// What a model stands for. Calls that manage what a provider has often speak of
/// its models by its own names, which only the default can be meant by.
fn by_model<'w>(
    worker: &'w Worker,
    caller: &Caller,
    endpoint: Endpoint,
    model: &str,
) -> Result<Resolved<'w>, Failure> {
    let catalog = &worker.snapshot.catalog;
    let visible = |name: &str| caller.may_use(name);
    let default = catalog.default_provider();
    match (catalog.resolve(model, visible), default) {
        (Ok(resolved), _) => Ok(resolved),
        (Err(Unresolved::Unknown { .. }), Some(provider)) if endpoint.is_of_objects() => {
            Ok(catalog.resolve_at(provider, model, visible)?)
        }
        (Err(unresolved), _) => Err(unresolved.into()),
    }
}

/// Where the first of these objects lives that was seen.
fn home<'w, 'i>(
    worker: &'w Worker,
    mut ids: impl Iterator<Item = &'i str>,
) -> Option<(&'w Arc<Provider>, Home)> {
    let snapshot = &worker.snapshot;
    if !snapshot.remembers() {
        return None;
    }
    let home = ids.find_map(|id| snapshot.homes.find(id))?;
    Some((snapshot.catalog.provider(&home.provider)?, home))
}

fn may_use(caller: &Caller, provider: &Provider) -> bool {
    caller.may_use(&format!("{}/*", provider.name))
}

/// A call that names no model, at this provider.
fn at<'w>(
    worker: &'w Worker,
    caller: &Caller,
    provider: &Arc<Provider>,
) -> Result<Resolved<'w>, Failure> {
    if !may_use(caller, provider) {
        return Err(error_response::unknown_provider());
    }
    let found = worker.snapshot.catalog.at(provider, None);
    found.ok_or_else(error_response::unknown_provider)
}
