//! Compressed bodies, decoded as a whole before they are read.

use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use tokio::task::spawn_blocking;

use super::whole::WholeBody;
use crate::error_response::{self, ErrorResponse};
use crate::proxy::Worker;
use crate::wire::content_coding::{BodyDecoder, CodingList};

/// The first step of a body up to this size is done on the worker: it takes a fraction
/// of a millisecond.
const SMALL_BODY: usize = 32 * 1024;
const SMALL_STEP: usize = 128 * 1024;
/// Bytes decoded at a time, for which space is reserved first.
const STEP: usize = 1024 * 1024;

/// The codings of a body that is to be read.
pub(super) fn codings(headers: &HeaderMap) -> Result<CodingList, ErrorResponse> {
    let mut codings = CodingList::default();
    for value in headers.get_all(CONTENT_ENCODING) {
        codings.add(value.as_bytes())?;
    }
    Ok(codings)
}

/// The decoded body with a permit for it, in place of the encoded one with its own. The
/// request is then one that was never encoded.
pub(super) async fn decode(
    worker: &Worker,
    headers: &mut HeaderMap,
    codings: CodingList,
    encoded: WholeBody,
) -> Result<WholeBody, ErrorResponse> {
    headers.remove(CONTENT_ENCODING);
    if encoded.frames.is_empty() {
        return Ok(encoded);
    }
    let (encoded, mut encoded_permit) = (encoded.frames.into_bytes(), encoded.permit);
    encoded_permit.shrink_to(encoded.len());
    let limit = worker.snapshot.limits.max_body;
    // Up to one byte above the limit, so that exceeding it is noticed.
    let next = |decoder: &BodyDecoder, step: usize| {
        let left = limit.saturating_sub(decoder.decoded_len());
        step.min(left.saturating_add(1))
    };
    let undecodable = |error| error_response::undecodable_body(error, limit);
    let mut permit = worker.buffered.acquire(0)?;
    let is_small = encoded.len() <= SMALL_BODY;
    let mut decoder = BodyDecoder::new(encoded, codings, limit);
    let mut is_complete = false;
    if is_small {
        let step = next(&decoder, SMALL_STEP);
        permit.grow(step)?;
        is_complete = decoder.decode(step).map_err(undecodable)?;
    }
    let _turn = if is_complete {
        None
    } else {
        worker.decoding.acquire().await.ok()
    };
    while !is_complete {
        let step = next(&decoder, STEP);
        permit.grow(step)?;
        let task = spawn_blocking(move || {
            let result = decoder.decode(step);
            result.map(|is_complete| (decoder, is_complete))
        });
        let result = task.await.map_err(|_| error_response::internal_error())?;
        (decoder, is_complete) = result.map_err(undecodable)?;
    }
    let body = decoder.into_decoded();
    permit.shrink_to(body.len());
    drop(encoded_permit);
    Ok(WholeBody {
        frames: body.into(),
        scanner: None,
        permit,
    })
}
