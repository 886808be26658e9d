//! `GET /v1/models`: what this caller may use, as far as it is ready and no health
//! check says that nobody would answer.

use http::{Request, Response};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::answer::{json, refuse};
use crate::access::Caller;
use crate::catalog::{Model, Unresolved};
use crate::proxy::reply::Failure;
use crate::proxy::{Answer, Worker};

/// OpenAI's model object. Nobody knows when an alias was made, and SDKs want a
/// number.
#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
}

/// All of them.
pub(super) fn list<B>(worker: &Worker, request: &Request<B>) -> Response<Answer> {
    let snapshot = &worker.snapshot;
    let headers = request.headers();
    let caller = match snapshot.gate.admit(headers, request.extensions()) {
        Ok(caller) => caller,
        Err(denied) => return refuse(worker, headers, denied.into()),
    };
    let ready = snapshot.catalog.ready();
    let data = ready
        .iter()
        .filter(|model| caller.may_use(&model.label))
        .filter(|model| snapshot.fleet.is_any_well(&model.targets))
        .map(|it| Entry::of(it));
    answer(&List {
        object: "list",
        data: data.collect(),
    })
}

/// One of them, by its percent-encoded name.
pub(super) fn one<B>(worker: &Worker, request: &Request<B>, id: &str) -> Response<Answer> {
    match find(worker, request, id) {
        Ok((id, owner)) => answer(&Entry {
            id: &id,
            object: "model",
            created: 0,
            owned_by: &owner,
        }),
        Err(failure) => refuse(worker, request.headers(), failure),
    }
}

fn find<B>(worker: &Worker, request: &Request<B>, id: &str) -> Result<(String, String), Failure> {
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
    Ok((id.into_owned(), found.model.provider.name.to_string()))
}

impl<'a> Entry<'a> {
    fn of(model: &'a Model) -> Self {
        Self {
            id: &model.label,
            object: "model",
            created: 0,
            owned_by: &model.provider.name,
        }
    }
}

fn answer(body: &impl Serialize) -> Response<Answer> {
    // Strings and numbers cannot fail to serialise.
    json(serde_json::to_vec(body).unwrap_or_default())
}
