//! `GET /v1/models`: what this caller may use, as far as it is ready and no health
//! check says that nobody would answer; and what providers themselves list.

use std::sync::Arc;

use http::{Request, Response};
use percent_encoding::percent_decode_str;
use tokio::time::Instant;
use url::form_urlencoded;

use super::response::{dialect, json, refuse};
use crate::access::Caller;
use crate::catalog::{Provider, Unresolved};
use crate::config::Discover;
use crate::dialect::Dialect;
use crate::error_response::Failure;
use crate::proxy::{Answer, Snapshot, Worker};
use crate::wire::model_list::{self, Listed, Told};

/// A provider, and the models that it lists.
type Offer<'s> = (&'s Provider, Arc<[Listed]>);

/// All of them: the aliases, then what providers list.
pub async fn list<B>(worker: &Worker, request: &Request<B>) -> Response<Answer> {
    let snapshot = &worker.snapshot;
    let headers = request.headers();
    let caller = match snapshot.gate.admit(headers, request.extensions()) {
        Ok(caller) => caller,
        Err(denied) => return refuse(worker, headers, denied.into()),
    };
    // Boxed, since it is seldom: every request's state would have to keep room.
    let offers = Box::pin(offers(snapshot, wanted(request.uri().query()))).await;
    let ready = snapshot.catalog.ready();
    let aliases = ready
        .iter()
        .filter(|model| snapshot.fleet.is_any_well(&model.targets))
        .map(|model| Told {
            id: &model.label,
            created: 0,
            owner: &model.provider.name,
            display_name: None,
        });
    let listed = offers
        .iter()
        .flat_map(|(provider, models)| models.iter().map(|model| told(model, provider)))
        .filter(|model| !snapshot.catalog.is_alias(model.id));
    let all = aliases.chain(listed);
    let visible: Vec<Told<'_>> = all.filter(|model| caller.may_use(model.id)).collect();
    json(match dialect(headers) {
        Dialect::OpenAi => model_list::openai(&visible),
        Dialect::Anthropic => model_list::anthropic(&visible),
    })
}

/// One of them, by its percent-encoded name.
pub fn one<B>(worker: &Worker, request: &Request<B>, id: &str) -> Response<Answer> {
    let headers = request.headers();
    let found = match find(worker, request, id) {
        Ok(found) => found,
        Err(failure) => return refuse(worker, headers, failure),
    };
    let unlisted = Told {
        id: &found.id,
        created: 0,
        owner: &found.provider.name,
        display_name: None,
    };
    let listed = found.listed.as_ref();
    let model = listed.map_or(unlisted, |model| told(model, &found.provider));
    json(match dialect(headers) {
        Dialect::OpenAi => model.openai(),
        Dialect::Anthropic => model.anthropic(),
    })
}

/// One model that may be called.
struct Found {
    id: String,
    provider: Arc<Provider>,
    /// What its provider says of it, where that is known.
    listed: Option<Listed>,
}

fn find<B>(worker: &Worker, request: &Request<B>, id: &str) -> Result<Found, Failure> {
    let snapshot = &worker.snapshot;
    let gate = &snapshot.gate;
    let caller: Caller = gate.admit(request.headers(), request.extensions())?;
    let Ok(id) = percent_decode_str(id).decode_utf8() else {
        return Err(Unresolved::Unknown {
            nearest: Vec::new(),
        }
        .into());
    };
    let found = snapshot.catalog.resolve(&id, |name| caller.may_use(name))?;
    let provider = Arc::clone(&found.model.provider);
    let upstream = snapshot.upstreams.get(provider.id).and_then(Option::as_ref);
    let upstream = upstream.filter(|_| !snapshot.catalog.is_alias(&id));
    Ok(Found {
        listed: upstream.and_then(|upstream| upstream.listing().of(&id)),
        id: id.into_owned(),
        provider,
    })
}

/// What the caller says of models that are no aliases: `?discover=true` asks for
/// all there are, `?discover=false` for none.
fn wanted(query: Option<&str>) -> Option<bool> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    let (_, value) = pairs.find(|(name, _)| name == "discover")?;
    value.parse().ok()
}

/// What providers list, by the name of the provider. Those of whom nothing is
/// known yet are waited for, all at once and not for long.
async fn offers(snapshot: &Snapshot, wanted: Option<bool>) -> Vec<Offer<'_>> {
    let providers = snapshot.catalog.providers().into_iter();
    let told = providers.filter(|provider| match provider.discover {
        Discover::Always => wanted != Some(false),
        Discover::OnRequest => wanted == Some(true),
        Discover::Never => false,
    });
    let listings = told.filter_map(|provider| {
        let upstream = snapshot.upstreams.get(provider.id)?.as_ref()?;
        let vitals = snapshot.fleet.vitals(provider.id);
        let is_well = vitals.is_none_or(|vitals| vitals.is_well());
        is_well.then(|| (&**provider, upstream.listing()))
    });
    let listings: Vec<_> = listings.collect();
    // Every one is asked before the first is waited for.
    for (_, listing) in &listings {
        listing.want();
    }
    let deadline = Instant::now() + snapshot.discovery.timeout;
    let mut offers = Vec::with_capacity(listings.len());
    for (provider, listing) in listings {
        offers.push((provider, listing.models(deadline).await));
    }
    offers
}

fn told<'a>(model: &'a Listed, provider: &'a Provider) -> Told<'a> {
    Told {
        id: &model.id,
        created: model.created,
        owner: &provider.name,
        display_name: model.display_name.as_deref(),
    }
}
