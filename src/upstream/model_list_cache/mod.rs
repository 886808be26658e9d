//! Which models an upstream itself lists: asked when somebody wants to know, and
//! remembered for a while.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::connection::Answer;
use super::error::{Error, ErrorKind};
use super::{Client, ReplyBody, Upstream};
use crate::config::Speaks;
use crate::wire::model_list::{self, Listed, MOST_MODELS};

/// Most bytes of a list, all its pages together.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// Most pages of a list.
const MOST_PAGES: usize = 10;
/// Asked for by Anthropic's API (its reference, "Versions").
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// What an upstream lists, as far as it is known. Shared by whoever asks it and
/// all who want to know.
#[derive(Debug, Default)]
pub struct Listing {
    latest: watch::Sender<Latest>,
    wanted: Notify,
}

/// What is known.
#[derive(Debug, Default)]
struct Latest {
    models: Arc<[Listed]>,
    /// Nobody asks again before; none before the first answer, good or bad.
    fresh_until: Option<Instant>,
}

/// Why there is no list, in words for the operator; nothing of the answer.
#[derive(Debug, Error)]
pub enum ListError {
    /// No answer came.
    #[error("{0}")]
    Upstream(#[from] Error),
    /// An answer with another status than 2xx.
    #[error("status {}", .0.as_u16())]
    Status(StatusCode),
    /// The answer did not come to its end.
    #[error("the answer broke off")]
    BrokenOff,
    /// More than is read.
    #[error("the list is larger than {MOST_BYTES} bytes")]
    TooLarge,
    /// Something else came.
    #[error("{0}")]
    NoList(#[from] model_list::NoList),
}

impl Listing {
    /// Has the upstream asked, unless what is known of it is fresh. True while
    /// it has never answered.
    pub fn want(&self) -> bool {
        let latest = self.latest.borrow();
        if latest.is_due() {
            self.wanted.notify_one();
        }
        latest.fresh_until.is_none()
    }

    /// The models, sorted, each by the name that callers have for it:
    /// `provider/model`. What was known last is told at once, and the upstream
    /// is asked anew where that is old. Only the first answer of all is waited
    /// for, until `deadline` at most: one that never answers well must not keep
    /// callers waiting again and again.
    pub async fn models(&self, deadline: Instant) -> Arc<[Listed]> {
        let mut news = self.latest.subscribe();
        if self.want() {
            // Whoever comes too late is told nothing, and the next one all.
            let _ = timeout_at(deadline, news.changed()).await;
        }
        self.known()
    }

    /// What is known.
    #[must_use]
    pub fn known(&self) -> Arc<[Listed]> {
        Arc::clone(&self.latest.borrow().models)
    }

    /// What is known of the model that callers call by this name.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Listed> {
        let known = self.known();
        let place = known.binary_search_by(|model| (*model.id).cmp(name)).ok();
        known.get(place?).cloned()
    }

    /// Waits until somebody wants to know what is not fresh.
    pub async fn wanted(&self) {
        loop {
            self.wanted.notified().await;
            if self.latest.borrow().is_due() {
                return;
            }
        }
    }

    /// Takes a list in, which is good for so long; without one, what was known
    /// stays, and is not asked for again before.
    pub fn take(&self, models: Option<Arc<[Listed]>>, ttl: Duration) {
        self.latest.send_modify(|latest| {
            latest.fresh_until = Some(Instant::now() + ttl);
            if let Some(models) = models {
                latest.models = models;
            }
        });
    }
}

impl Latest {
    fn is_due(&self) -> bool {
        self.fresh_until.is_none_or(|until| until <= Instant::now())
    }
}

impl Upstream {
    /// What it lists, as far as that is known.
    #[must_use]
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    fn page(&self, behind: Option<&str>) -> Result<Uri, Error> {
        // Anthropic's API reference, "List Models".
        let query = behind.map(|id| {
            let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
            format!("?limit=1000&after_id={id}")
        });
        let text = format!("{}/models{}", self.base_path, query.unwrap_or_default());
        Uri::try_from(text).map_err(|error| Error::new(ErrorKind::Protocol, error.to_string()))
    }
}

impl Client {
    /// Asks upstream number `id`, with the first of its credentials, which
    /// models it has: sorted, and by the names that callers have for them.
    pub async fn list_models(&self, id: usize) -> Result<Arc<[Listed]>, ListError> {
        let unknown = || Error::new(ErrorKind::Connect, "no such upstream");
        let upstream = self.pools.get(id).and_then(|pool| pool.upstream());
        let upstream = upstream.ok_or_else(unknown)?;
        let (mut models, mut left) = (Vec::new(), MOST_BYTES);
        let mut behind = None;
        for _ in 0..MOST_PAGES {
            let page = upstream.page(behind.as_deref())?;
            let body = self.read(id, page, left).await?;
            left = left.saturating_sub(body.len());
            let page = model_list::parse(&body)?;
            models.extend(page.models);
            behind = page.next;
            if behind.is_none() || models.len() >= MOST_MODELS {
                break;
            }
        }
        models.truncate(MOST_MODELS);
        models.sort_unstable();
        models.dedup_by(|one, other| one.id == other.id);
        let provider = &upstream.made_from.name;
        for model in &mut models {
            model.id = format!("{provider}/{}", model.id).into();
        }
        Ok(models.into())
    }

    /// The body of a good answer to a GET, of `most` bytes at most.
    async fn read(&self, id: usize, target: Uri, most: usize) -> Result<Vec<u8>, ListError> {
        let unknown = || Error::new(ErrorKind::Connect, "no such upstream");
        let pool = self.pools.get(id).ok_or_else(unknown)?;
        let upstream = pool.upstream().ok_or_else(unknown)?;
        let mut request = upstream.question(target, 0);
        if upstream.made_from.manner.dialect != Speaks::Openai {
            let version = HeaderValue::from_static("2023-06-01");
            request.headers.insert(ANTHROPIC_VERSION, version);
        }
        let timeouts = &upstream.made_from.timeouts;
        let (answer, lease) = pool.exchange(upstream, request, timeouts, None).await?;
        let Answer { head, stream, .. } = answer;
        if !head.status.is_success() {
            return Err(ListError::Status(head.status));
        }
        let mut body = ReplyBody::new(lease, stream, head.rests_for);
        let mut read = Vec::new();
        while let Some(piece) = poll_fn(|context| body.poll_piece(context)).await {
            let piece = piece.map_err(|_| ListError::BrokenOff)?;
            if read.len() + piece.len() > most {
                return Err(ListError::TooLarge);
            }
            read.extend_from_slice(&piece);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
