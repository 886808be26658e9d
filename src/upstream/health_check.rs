//! Asking an upstream whether it is well.

use http::{HeaderMap, Method, StatusCode, Uri};
use url::Url;

use super::error::{Error, ErrorKind};
use super::request::{Order, Target};
use super::{Client, Upstream};
use crate::config::{HealthCheck, Provider, Timeouts};
use crate::request_body::Outgoing;
use crate::wire::splice::Segments;

/// What an upstream is asked for, and how often.
#[derive(Debug)]
pub(super) struct Checkup {
    target: Uri,
    rules: HealthCheck,
    timeouts: Timeouts,
}

impl Checkup {
    /// The one of this provider, if it is asked at all.
    pub(super) fn of(provider: &Provider, url: &Url) -> Result<Option<Self>, String> {
        let Some(rules) = &provider.health else {
            return Ok(None);
        };
        let base = url.path().trim_end_matches('/');
        let target = Uri::try_from(format!("{base}{}", rules.path));
        Ok(Some(Self {
            target: target.map_err(|error| format!("health.path: {error}"))?,
            rules: rules.clone(),
            timeouts: provider.timeouts,
        }))
    }
}

impl Upstream {
    /// How it is asked whether it is well, if it is.
    #[must_use]
    pub fn health_check(&self) -> Option<&HealthCheck> {
        Some(&self.checkup.as_ref()?.rules)
    }

    /// A question of our own, with one of its credentials.
    pub(super) fn question(&self, target: Uri, turn: usize) -> Box<Order> {
        Box::new(Order {
            method: Method::GET,
            target: Target::Whole(target),
            headers: HeaderMap::new(),
            credential: turn % self.headers.len().max(1),
            body: Outgoing::new(Segments::default()),
        })
    }
}

impl Client {
    /// Asks upstream number `id` whether it is well, and yields the status of
    /// its answer. With each `turn` it sends the next of its credentials, so that
    /// one of them that is refused does not speak for the others.
    pub async fn ask(&self, id: usize, turn: usize) -> Result<StatusCode, Error> {
        let unknown = || Error::new(ErrorKind::Connect, "no such upstream");
        let pool = self.pools.get(id).ok_or_else(unknown)?;
        let upstream = pool.upstream().ok_or_else(unknown)?;
        let checkup = upstream.checkup.as_ref().ok_or_else(unknown)?;
        let request = upstream.question(checkup.target.clone(), turn);
        let asked = pool.exchange(upstream, request, &checkup.timeouts, None);
        // With the lease the connection goes, and what is left of the answer.
        let (answer, _lease) = asked.await?;
        Ok(answer.head.status)
    }
}
