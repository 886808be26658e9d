//! `GET /models`: the names of the models whose provider has a key.

use http::{Request, Response};
use serde::Serialize;

use crate::proxy::{ResponseBody, Worker};
use crate::routes::models::ready_aliases;
use crate::routes::response::{json, reject};

/// The clone's models in the order of its table; others follow by name.
const ORDER: [&str; 7] = [
    "gpt-4o",
    "gpt-4-turbo",
    "gpt-3.5-turbo",
    "llama3-70b-groq",
    "llama3-8b-groq",
    "mistral-large",
    "mistral-small",
];

#[derive(Serialize)]
struct ModelNames<'a> {
    models: Vec<&'a str>,
}

pub fn list<B>(worker: &Worker, request: &Request<B>) -> Response<ResponseBody> {
    let snapshot = &worker.snapshot;
    let headers = request.headers();
    let caller = match snapshot.gate.admit(headers, request.extensions()) {
        Ok(caller) => caller,
        Err(denied) => return reject(worker, headers, denied.into()),
    };
    let names = ready_aliases(snapshot)
        .into_iter()
        .map(|model| &*model.label);
    let mut models: Vec<&str> = names.filter(|name| caller.may_use(name)).collect();
    models.sort_by_key(|name| position(name));
    // Names are text, so this cannot fail.
    json(serde_json::to_vec(&ModelNames { models }).unwrap_or_default())
}

fn position(name: &str) -> usize {
    let at = ORDER.iter().position(|known| *known == name);
    at.unwrap_or(ORDER.len())
}

#[cfg(test)]
mod tests {
    use super::ORDER;
    use crate::config::PROVIDER_TABLE;

    #[test]
    fn the_order_is_that_of_the_table() {
        let table: toml_edit::DocumentMut = PROVIDER_TABLE.parse().unwrap();
        let models = table["models"].as_table().unwrap();
        let names: Vec<&str> = models.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ORDER);
    }
}
