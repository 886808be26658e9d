//! Health check probes.

use std::cell::Cell;

use http::StatusCode;

use super::Client;
use super::error::{Error, ErrorKind};

impl Client {
    /// Sends the health check request of upstream `id` and returns the status of the
    /// response. Increment `credential_index` each time, so that one rejected
    /// credential does not decide for the others.
    pub async fn probe(&self, id: usize, credential_index: usize) -> Result<StatusCode, Error> {
        let (pool, upstream) = self.pool(id)?;
        let probe = upstream.health_probe.as_ref();
        let probe = probe.ok_or_else(|| Error::new(ErrorKind::Connect, "no health check"))?;
        let request = upstream.get_request(probe.target.clone(), credential_index);
        let sent = Cell::default();
        let exchange = pool.exchange(upstream, request, &probe.timeouts, None, &sent);
        // Dropping the lease closes the connection, with the unread body.
        let (response, _lease) = exchange.await?;
        Ok(response.head.status)
    }
}
