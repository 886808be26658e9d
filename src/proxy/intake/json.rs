//! A body that is held whole: JSON, which is read within limits of size and time
//! and scanned.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::{Intake, unreadable};
use crate::error_response;
use crate::error_response::Failure;
use crate::metering::Meter;
use crate::proxy::body_timeouts::{Bounds, Patience};
use crate::proxy::{Limits, Worker};
use crate::shared_limit::Share;
use crate::wire::endpoint::Endpoint;
use crate::wire::media_type::MediaType;
use crate::wire::scan::{Scan, ScanError, scan, scan_object};

/// Reads and scans the body.
pub async fn read<B>(
    worker: &Worker,
    meter: &mut Meter,
    headers: &HeaderMap,
    body: B,
    scan: fn(&[u8]) -> Result<Scan, ScanError>,
) -> Result<Intake, Failure>
where
    B: Body<Data = Bytes, Error = hyper::Error>,
{
    let announced = json_length(headers)?;
    let limits = &worker.snapshot.limits;
    if announced.is_some_and(|length| length > limits.max_body as u64) {
        return Err(error_response::request_too_large(limits.max_body));
    }
    let share = worker.buffered.take(0)?;
    let arrived = Cell::new(false);
    let collecting = pin!(collect(limits, share, announced, body, &arrived));
    let (body, share) = within(limits, collecting, &arrived, meter).await?;
    meter.received(body.len());
    let scan = scan(&body)?;
    let model = scan.model_name(&body)?.into_owned();
    Ok(Intake {
        body,
        scan,
        model,
        special: None,
        _share: share,
    })
}

/// How the body of one of the usual calls is looked at.
pub fn scan_of(endpoint: Endpoint) -> fn(&[u8]) -> Result<Scan, ScanError> {
    if endpoint.needs_model() {
        scan
    } else {
        scan_object
    }
}

/// A body that is here already, as most are, needs neither clock nor timer.
async fn within<T>(
    limits: &Limits,
    mut work: Pin<&mut impl Future<Output = Result<T, Failure>>>,
    arrived: &Cell<bool>,
    meter: &mut Meter,
) -> Result<T, Failure> {
    let at_once = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    if let Poll::Ready(done) = at_once {
        return done;
    }
    meter.waits();
    let bounds = Bounds {
        gap: limits.body_gap,
        first_by: None,
        deadline: Some(Instant::now() + limits.body_timeout),
    };
    let mut patience = Patience::new(bounds, None);
    // Boxed, since it is seldom: every request's state would have to keep room
    // for a timer.
    let done = Box::pin(poll_fn(move |context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        if arrived.take() {
            patience.fed();
        }
        let late = patience.poll_late(context);
        late.map(|_| Err(error_response::request_timeout()))
    }));
    let done = done.await;
    meter.works();
    done
}

/// A body that came in one piece, as most do, is not copied.
async fn collect<B>(
    limits: &Limits,
    mut share: Share,
    announced: Option<u64>,
    body: B,
    arrived: &Cell<bool>,
) -> Result<(Bytes, Share), Failure>
where
    B: Body<Data = Bytes, Error = hyper::Error>,
{
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|error| unreadable(&error))?.into_data() else {
            continue;
        };
        let held = first.len() + joined.len();
        if held + piece.len() > limits.max_body {
            return Err(error_response::request_too_large(limits.max_body));
        }
        share.grow(piece.len())?;
        arrived.set(true);
        if held == 0 {
            first = piece;
            continue;
        }
        if joined.is_empty() {
            let whole = announced.and_then(|length| usize::try_from(length).ok());
            joined.reserve(whole.unwrap_or(held + piece.len()));
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&piece);
    }
    let whole = if joined.is_empty() {
        first
    } else {
        joined.freeze()
    };
    Ok((whole, share))
}

/// The length that a request's fields announce, where it is one that we read:
/// JSON in UTF-8, uncompressed. A missing type is taken for JSON: browsers
/// cannot be made to send such a request to us from a foreign page without
/// naming their origin, which the router checks.
///
/// All in one pass: a look-up for each field took several times as long.
pub(super) fn json_length(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let mut length = None;
    let mut content_type = None;
    for (name, value) in headers {
        if *name == CONTENT_LENGTH {
            length = value.to_str().ok().and_then(|length| length.parse().ok());
        } else if *name == CONTENT_TYPE {
            content_type = content_type.or(Some(value.as_bytes()));
        } else if *name == CONTENT_ENCODING {
            let coding = value.as_bytes().trim_ascii();
            if !coding.eq_ignore_ascii_case(b"identity") {
                return Err(error_response::unsupported_encoding());
            }
        }
    }
    match content_type {
        Some(value) if MediaType::of(Some(value)) != MediaType::Json || !is_utf8(value) => {
            Err(error_response::unsupported_media_type())
        }
        _ => Ok(length),
    }
}

/// True unless a charset other than UTF-8 (or its subset ASCII) is named.
fn is_utf8(content_type: &[u8]) -> bool {
    content_type
        .split(|byte| *byte == b';')
        .skip(1)
        .all(|parameter| {
            let Some((name, value)) = parameter.trim_ascii().split_at_checked("charset=".len())
            else {
                return true;
            };
            let value = value.trim_ascii();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            let value = value.strip_suffix(b"\"").unwrap_or(value);
            !name.eq_ignore_ascii_case(b"charset=")
                || value.eq_ignore_ascii_case(b"utf-8")
                || value.eq_ignore_ascii_case(b"utf8")
                || value.eq_ignore_ascii_case(b"us-ascii")
        })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::json_length;

    #[test]
    fn takes_json_in_utf8_only() {
        for (value, taken) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("application/json; Charset=\"UTF-8\"", true),
            ("application/json; x=y", true),
            ("application/json; charset=utf-16", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static(value));
            assert_eq!(json_length(&headers).is_ok(), taken, "{value}");
        }
        assert!(json_length(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn refuses_compressed_bodies() {
        for (value, taken) in [
            ("identity", true),
            ("gzip", false),
            ("identity, gzip", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("content-encoding", HeaderValue::from_static(value));
            assert_eq!(json_length(&headers).is_ok(), taken, "{value}");
        }
    }
}
