//! A multipart form: it is looked into while it comes, until it has named its
//! model. Files are not held: what is not needed to find out where a form goes
//! passes through.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::spool::{Full, Spool};
use super::upload::{Ahead, Live, Notes, Rest};
use super::{announced_length, unreadable};
use crate::error_response;
use crate::error_response::Failure;
use crate::metering::Meter;
use crate::proxy::Worker;
use crate::shared_limit::Share;
use crate::wire::endpoint::FormModel;
use crate::wire::multipart::Form;

/// So much of a form is held in memory while its model is looked for.
const LOOK_AHEAD: usize = 1024 * 1024;

/// Reads until the model is found, or it is plain that there is none, or that
/// it does not matter. Gives what it read and what is to come, and the model's
/// name.
pub(super) async fn read(
    worker: &Worker,
    meter: &Meter,
    headers: &HeaderMap,
    live: Live,
) -> Result<(Rest, Option<String>), Failure> {
    let content_type = headers.get(CONTENT_TYPE);
    let mut reader = Reader {
        form: Form::new(content_type.map_or(&[], |it| it.as_bytes()))?,
        share: worker.buffered.take(0)?,
        held: BytesMut::new(),
        spool: None,
        live: Some(live),
        read: 0,
    };
    let may_pass = meter.endpoint().form_model() == FormModel::Unknown;
    let gap = worker.snapshot.limits.body_gap;
    let announced = announced_length(headers);
    // A small one is held, so that it can be sent again.
    let is_small = announced.is_some_and(|length| length <= LOOK_AHEAD as u64);
    meter.waits();
    while (is_small || reader.form.model().is_none()) && reader.live.is_some() {
        if reader.held.len() >= LOOK_AHEAD {
            if may_pass {
                break;
            }
            reader.spill(worker).await?;
        }
        let next = timeout(gap, reader.next()).await;
        next.unwrap_or_else(|_| Err(error_response::request_timeout()))?;
    }
    if announced == Some(reader.read) && reader.live.take().is_some() {
        // Its end has come as well, though nobody has said so.
        reader.form.finish()?;
    }
    if reader.spool.is_some() {
        reader.spill(worker).await?;
    }
    meter.works();
    Ok(reader.done(announced, gap))
}

struct Reader {
    form: Form,
    share: Share,
    held: BytesMut,
    spool: Option<Spool>,
    /// None once it has ended.
    live: Option<Live>,
    read: u64,
}

impl Reader {
    async fn next(&mut self) -> Result<(), Failure> {
        let Some(live) = &mut self.live else {
            return Ok(());
        };
        let Some(frame) = live.frame().await else {
            self.live = None;
            return Ok(self.form.finish()?);
        };
        let frame = frame.map_err(|error| unreadable(&error))?;
        let piece = frame.into_data().unwrap_or_default();
        self.read += piece.len() as u64;
        self.form.feed(&piece)?;
        self.share.grow(piece.len())?;
        self.held.extend_from_slice(&piece);
        Ok(())
    }

    /// Puts what is held into the file.
    async fn spill(&mut self, worker: &Worker) -> Result<(), Failure> {
        let limits = &worker.snapshot.limits;
        let spool = match &mut self.spool {
            Some(spool) => spool,
            none => {
                let directory = limits.spool_dir.as_deref();
                none.insert(Spool::new(directory, &worker.spooled).await?)
            }
        };
        let held: Bytes = self.held.split().freeze();
        self.share = worker.buffered.take(0)?;
        Ok(spool.append(held).await?)
    }

    fn done(self, announced: Option<u64>, gap: std::time::Duration) -> (Rest, Option<String>) {
        let (place, name) = match self.form.model() {
            Some(model) => (Some(model.span.clone()), Some(model.name.clone())),
            None => (None, None),
        };
        let is_whole = self.live.is_none();
        let rest = Rest {
            ahead: match self.spool {
                Some(spool) => Ahead::File(Rc::new(spool)),
                None => Ahead::Memory(self.held.freeze()),
            },
            model: place,
            live: RefCell::new(self.live),
            is_whole,
            form: RefCell::new((!is_whole).then_some(self.form)),
            length: announced.or(is_whole.then_some(self.read)),
            gap,
            share: Some(Rc::new(self.share)),
            notes: Rc::new(Notes::from(self.read)),
        };
        (rest, name)
    }
}

impl From<Full> for Failure {
    fn from(full: Full) -> Self {
        match full {
            Full::Exhausted => error_response::overloaded(
                "Too much is held of forms whose model comes after a file.",
            ),
            Full::Failed(error) => {
                tracing::error!(%error, "a form cannot be put into a temporary file");
                error_response::no_spool()
            }
        }
    }
}
