//! Fetches the list of models that an upstream offers.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;

use http::{StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

use super::connection::ResponseStart;
use super::error::{Error, ErrorKind};
use super::{ANTHROPIC_VERSION, Client, DEFAULT_ANTHROPIC_VERSION, Upstream, UpstreamBody};
use crate::wire::model_list::{self, ListedModel, MAX_MODELS};

/// Of all pages together.
const MAX_BYTES: usize = 2 * 1024 * 1024;
const MAX_PAGES: usize = 10;

/// Never quotes the response.
#[derive(Debug, Error)]
pub enum ListModelsError {
    #[error("{0}")]
    Upstream(#[from] Error),
    #[error("status {}", .0.as_u16())]
    Status(StatusCode),
    #[error("incomplete response")]
    Incomplete,
    #[error("the list is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("{0}")]
    Invalid(#[from] model_list::InvalidModelList),
}

impl Client {
    /// The models of upstream `id`, sorted, named `provider/model`. Sent with the
    /// credential of this index.
    pub async fn list_models(
        &self,
        id: usize,
        credential: usize,
    ) -> Result<Arc<[ListedModel]>, ListModelsError> {
        let (_, upstream) = self.pool(id)?;
        let (mut models, mut bytes_left) = (Vec::new(), MAX_BYTES);
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let uri = page_uri(upstream, cursor.as_deref())?;
            let body = self.fetch_page(id, credential, uri, bytes_left).await?;
            bytes_left = bytes_left.saturating_sub(body.len());
            let page = model_list::parse(&body)?;
            models.extend(page.models);
            cursor = page.next;
            if cursor.is_none() || models.len() >= MAX_MODELS {
                break;
            }
        }
        models.truncate(MAX_MODELS);
        models.sort_unstable();
        models.dedup_by(|one, other| one.id == other.id);
        let provider = &upstream.provider.name;
        for model in &mut models {
            model.id = format!("{provider}/{}", model.id).into();
        }
        Ok(models.into())
    }

    async fn fetch_page(
        &self,
        id: usize,
        credential: usize,
        uri: Uri,
        max_bytes: usize,
    ) -> Result<Vec<u8>, ListModelsError> {
        let (pool, upstream) = self.pool(id)?;
        let mut request = upstream.get_request(uri, credential);
        if !upstream.provider.api.is_openai() {
            request
                .headers
                .insert(ANTHROPIC_VERSION, DEFAULT_ANTHROPIC_VERSION);
        }
        let timeouts = &upstream.provider.timeouts;
        let sent = Cell::default();
        let exchange = pool.exchange(upstream, request, timeouts, None, &sent);
        let (response, lease) = exchange.await?;
        let ResponseStart { head, stream, .. } = response;
        if !head.status.is_success() {
            return Err(ListModelsError::Status(head.status));
        }
        let mut body = UpstreamBody::new(lease, stream, head.keep_alive_hint);
        let mut bytes = Vec::new();
        while let Some(chunk) = poll_fn(|context| body.poll_chunk(context)).await {
            let chunk = chunk.map_err(|_| ListModelsError::Incomplete)?;
            if bytes.len() + chunk.len() > max_bytes {
                return Err(ListModelsError::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// The cursor is that of Anthropic's API (its reference, "List Models").
fn page_uri(upstream: &Upstream, cursor: Option<&str>) -> Result<Uri, Error> {
    let query = cursor.map(|id| {
        let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
        format!("?limit=1000&after_id={id}")
    });
    let uri = format!("{}/models{}", upstream.base_path, query.unwrap_or_default());
    Uri::try_from(uri).map_err(|error| Error::new(ErrorKind::Protocol, error.to_string()))
}
