//! A body that is not held: what was read of it to find its way, and what is
//! still to come, passed on as the upstream takes it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};

use super::spool::{Reading, Spool};
use super::unreadable;
use crate::error_response;
use crate::error_response::Failure;
use crate::proxy::body_timeouts::{Bounds, Patience};
use crate::request_body::{Interrupted, Outgoing, Passing};
use crate::shared_limit::Share;
use crate::wire::multipart::Form;

/// A caller's body.
pub(super) type Live = Pin<Box<dyn Body<Data = Bytes, Error = hyper::Error>>>;

/// What of a body is not held.
pub struct Rest {
    pub(super) ahead: Ahead,
    /// Where in that the model stands, if it does.
    pub(super) model: Option<Range<u64>>,
    /// What is still to come; gone once it is on its way.
    pub(super) live: RefCell<Option<Live>>,
    /// True when nothing more is to come, so that it can be sent again.
    pub(super) is_whole: bool,
    /// What watches the form that it is, if it is one.
    pub(super) form: RefCell<Option<Form>>,
    /// Bytes in all of it, where that is known.
    pub(super) length: Option<u64>,
    /// Longest silence.
    pub(super) gap: Duration,
    /// Its part of the bytes that may be held.
    pub(super) share: Option<Rc<Share>>,
    pub(super) notes: Rc<Notes>,
}

/// What was read before the body went on its way.
#[derive(Clone)]
pub(super) enum Ahead {
    Memory(Bytes),
    File(Rc<Spool>),
}

/// What is known of a body that passes.
#[derive(Default)]
pub struct Notes {
    /// Bytes that have come.
    pub bytes: Rc<Cell<u64>>,
    /// Why it does not go on.
    objection: RefCell<Option<Failure>>,
}

impl Notes {
    /// Notes on a body of which so many bytes have come.
    pub(super) fn from(bytes: u64) -> Self {
        Self {
            bytes: Rc::new(Cell::new(bytes)),
            objection: RefCell::default(),
        }
    }

    /// Why the body did not go on, if the reason lies with its sender.
    pub fn objection(&self) -> Option<Failure> {
        self.objection.take()
    }

    fn object(&self, failure: Failure) {
        self.objection.borrow_mut().get_or_insert(failure);
    }
}

impl Rest {
    /// A body that nobody looks into, of `length` bytes where that was
    /// announced.
    pub(super) fn new(live: Live, length: Option<u64>, gap: Duration) -> Self {
        Self {
            ahead: Ahead::Memory(Bytes::new()),
            model: None,
            live: RefCell::new(Some(live)),
            is_whole: false,
            form: RefCell::new(None),
            length,
            gap,
            share: None,
            notes: Rc::default(),
        }
    }

    /// Whether nobody looks into it.
    pub(super) fn is_unseen(&self) -> bool {
        !self.is_whole && self.form.borrow().is_none()
    }

    /// Whether it can be sent once only.
    pub fn goes_once(&self) -> bool {
        !self.is_whole
    }

    pub fn notes(&self) -> &Rc<Notes> {
        &self.notes
    }

    /// The body on its way upstream, with this text where the model stands.
    pub fn outgoing(&self, model: &str) -> Outgoing {
        let held = self.ahead.len();
        let mut parts = VecDeque::new();
        let mut length = self.length;
        match &self.model {
            None => parts.extend(self.ahead.part(0..held)),
            Some(place) => {
                parts.extend(self.ahead.part(0..place.start));
                parts.push_back(Part::Memory(Bytes::copy_from_slice(model.as_bytes())));
                parts.extend(self.ahead.part(place.end..held));
                let place = place.end - place.start;
                length = length.map(|all| (all + model.len() as u64).saturating_sub(place));
            }
        }
        let bounds = Bounds {
            gap: self.gap,
            first_by: None,
            deadline: None,
        };
        let upload = Upload {
            parts,
            reading: None,
            live: self.live.take(),
            form: self.form.take(),
            knows_model: self.model.is_some(),
            patience: Patience::new(bounds, None),
            notes: Rc::clone(&self.notes),
            _share: self.share.clone(),
        };
        Outgoing::passing(Passing::new(upload, length))
    }
}

impl Ahead {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(spool) => spool.len(),
        }
    }

    fn part(&self, range: Range<u64>) -> Option<Part> {
        if range.is_empty() {
            return None;
        }
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(range.start).ok()?;
                let end = usize::try_from(range.end).ok()?;
                Some(Part::Memory(bytes.slice(start..end)))
            }
            Self::File(spool) => Some(Part::File(Rc::clone(spool), range)),
        }
    }
}

/// Something to be sent.
enum Part {
    Memory(Bytes),
    File(Rc<Spool>, Range<u64>),
}

/// A body on its way.
struct Upload {
    parts: VecDeque<Part>,
    reading: Option<Reading>,
    live: Option<Live>,
    form: Option<Form>,
    knows_model: bool,
    patience: Patience,
    notes: Rc<Notes>,
    _share: Option<Rc<Share>>,
}

impl Upload {
    /// The next piece of what was read before.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(context));
                self.reading = None;
                let bytes = read.ok().and_then(Result::ok);
                return Poll::Ready(Some(bytes.ok_or_else(error_response::internal_error)));
            }
            match self.parts.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Memory(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(Part::File(spool, range)) => {
                    let (reading, left) = spool.read(range);
                    self.reading = Some(reading);
                    if !left.is_empty() {
                        self.parts.push_front(Part::File(spool, left));
                    }
                }
            }
        }
    }

    /// The next piece that comes from the caller.
    fn poll_live(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let Some(live) = &mut self.live else {
            return Poll::Ready(None);
        };
        let Poll::Ready(frame) = live.as_mut().poll_frame(context) else {
            let late = self.patience.poll_late(context);
            return late.map(|_| Some(Err(error_response::request_timeout())));
        };
        self.patience.fed();
        let piece = match frame {
            None => {
                self.live = None;
                let end = self.form.take().map_or(Ok(()), |form| form.finish());
                return Poll::Ready(end.err().map(|fault| Err(fault.into())));
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(unreadable(&error)))),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        let seen = self.notes.bytes.get() + piece.len() as u64;
        self.notes.bytes.set(seen);
        Poll::Ready(Some(self.look_at(&piece).map(|()| piece)))
    }

    /// A second model, or one that nobody has counted on, must not arrive.
    fn look_at(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let Some(form) = &mut self.form else {
            return Ok(());
        };
        form.feed(piece)?;
        if form.model().is_some() && !self.knows_model {
            return Err(error_response::late_model());
        }
        Ok(())
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        let piece = match ready!(self.poll_ahead(context)) {
            Some(piece) => Some(piece),
            None => ready!(self.poll_live(context)),
        };
        Poll::Ready(piece.map(|piece| {
            piece.map(Frame::data).map_err(|failure| {
                self.notes.object(failure);
                Interrupted
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty() && self.reading.is_none() && self.live.is_none()
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Rest")
    }
}
