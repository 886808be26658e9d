//! The first event of a stream, looked at before any of it is passed on: until
//! then another target can still answer, and the caller notices nothing.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout_at;

use super::Accepted;
use super::classify::Judged;
use crate::error_response;
use crate::routing::Outcome;
use crate::wire::media_type::MediaType;
use crate::wire::sse_relay::{FinishRule, Follower};

/// Most bytes held back. Comments that keep the connection alive come to some
/// hundred; a first event larger than this is one all the same.
const MOST_HELD: usize = 64 * 1024;

/// What came of a stream so far.
#[derive(Debug)]
struct Held {
    pieces: Vec<Bytes>,
    len: usize,
    rule: FinishRule,
    follower: Follower,
}

/// What came next.
enum Came {
    Piece(Bytes),
    End,
    Broken,
    /// Nothing, for too long.
    Nothing,
}

/// Judges an answer with a good status by what it begins with: the first event
/// of a stream, the first byte of anything else.
pub(super) async fn judge(mut accepted: Accepted) -> Judged {
    let is_stream = accepted.media_type == MediaType::EventStream;
    if accepted.first.is_some() {
        return Judged::answered(None, accepted);
    }
    let mut held = Held::new(accepted.rule);
    let fault = loop {
        match next(&mut accepted).await {
            Came::Piece(piece) if is_stream => held.push(piece),
            Came::Piece(piece) if piece.is_empty() => {}
            Came::Piece(piece) => {
                accepted.first = Some(piece);
                return Judged::answered(None, accepted);
            }
            Came::End if is_stream => break held.at_end(),
            // Not even an empty object: nobody can use this.
            Came::End => break Some(Outcome::Failed),
            // The head is no answer yet, and the upstream was at work.
            Came::Broken => {
                return Judged::unfit(
                    Outcome::MaybeProcessed,
                    error_response::upstream_broke_off(),
                );
            }
            Came::Nothing => {
                return Judged::unfit(Outcome::MaybeProcessed, error_response::upstream_timeout());
            }
        }
        if held.follower.first_data() {
            break held.verdict();
        }
        if held.len > MOST_HELD {
            break None;
        }
    };
    accepted.first = held.joined();
    Judged::answered(fault, accepted)
}

async fn next(accepted: &mut Accepted) -> Came {
    let due = accepted.bounds.due();
    let body = &mut accepted.reply.body;
    match timeout_at(due, poll_fn(|context| body.poll_piece(context))).await {
        Ok(Some(Ok(piece))) => Came::Piece(piece),
        Ok(Some(Err(_))) => Came::Broken,
        Ok(None) => Came::End,
        Err(_) => Came::Nothing,
    }
}

impl Held {
    fn new(rule: FinishRule) -> Self {
        Self {
            pieces: Vec::new(),
            len: 0,
            rule,
            follower: Follower::new(rule, false),
        }
    }

    fn push(&mut self, piece: Bytes) {
        self.follower.feed(piece.clone());
        self.len += piece.len();
        self.pieces.push(piece);
    }

    /// What an event says: an error, or the end of an answer without any.
    fn verdict(&self) -> Option<Outcome> {
        let follower = &self.follower;
        let is_empty =
            self.rule == FinishRule::Chat && follower.is_done() && follower.events() == 1;
        (is_empty || follower.upstream_error()).then_some(Outcome::Failed)
    }

    /// The body ended before an event did.
    fn at_end(&mut self) -> Option<Outcome> {
        self.follower.end();
        if self.follower.first_data() {
            self.verdict()
        } else {
            Some(Outcome::Failed)
        }
    }

    fn joined(mut self) -> Option<Bytes> {
        if self.pieces.len() < 2 {
            return self.pieces.pop();
        }
        let mut whole = BytesMut::with_capacity(self.len);
        for piece in self.pieces {
            whole.extend_from_slice(&piece);
        }
        Some(whole.freeze())
    }
}
