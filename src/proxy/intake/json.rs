//! JSON bodies: read as a whole, decoded, and scanned.

use std::cell::OnceCell;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};

use super::Intake;
use super::decode::decode;
use super::whole::read_whole;
use crate::error_response;
use crate::error_response::ErrorResponse;
use crate::metering::Meter;
use crate::proxy::{ApiAdapter, Worker};
use crate::request_body::IncomingBody;
use crate::shared_limit::LimitPermit;
use crate::wire::content_coding::CodingList;
use crate::wire::endpoint::Endpoint;
use crate::wire::media_type::MediaType;
use crate::wire::scan::{Scan, ScanError, ScanMode, scan_in_mode};

pub async fn read_json<B>(
    worker: &Worker,
    meter: &mut Meter,
    in_flight: &mut LimitPermit,
    headers: &mut HeaderMap,
    body: B,
    mode: ScanMode,
) -> Result<Intake, ErrorResponse>
where
    B: IncomingBody,
{
    let fields = JsonFields::check(headers)?;
    // What is decoded later is scanned later.
    let while_arriving = fields.codings.is_empty().then_some(mode);
    let length = fields.length;
    let mut whole = read_whole(worker, meter, in_flight, length, body, while_arriving).await?;
    if while_arriving.is_none() {
        // Boxed, as it is rare: otherwise every future would have room for it.
        whole = Box::pin(decode(worker, headers, fields.codings, whole)).await?;
    }
    let (scan, model) = match whole.scanner {
        Some(scanner) => scanner.finish()?,
        None => scan_text(&whole.frames.text(), mode)?,
    };
    Ok(Intake {
        body: whole.frames,
        scan,
        model,
        passthrough: None,
        object_ids: OnceCell::new(),
        _permit: whole.permit,
    })
}

/// A JSON body of another API, converted before it is scanned.
pub async fn read_adapted<B>(
    worker: &Worker,
    meter: &mut Meter,
    in_flight: &mut LimitPermit,
    headers: &mut HeaderMap,
    body: B,
    adapter: &ApiAdapter,
) -> Result<Intake, ErrorResponse>
where
    B: IncomingBody,
{
    let JsonFields { length, codings } = JsonFields::check(headers)?;
    let mut whole = read_whole(worker, meter, in_flight, length, body, None).await?;
    if !codings.is_empty() {
        whole = decode(worker, headers, codings, whole).await?;
    }
    let body = (adapter.convert_body)(&whole.frames.text())?;
    let (scan, model) = scan_text(&body, scan_mode(adapter.endpoint))?;
    Ok(Intake {
        body: body.into(),
        scan,
        model,
        passthrough: None,
        object_ids: OnceCell::new(),
        _permit: whole.permit,
    })
}

fn scan_text(body: &[u8], mode: ScanMode) -> Result<(Scan, String), ScanError> {
    let scan = scan_in_mode(body, mode)?;
    let model = scan.model_name(body)?.into_owned();
    Ok((scan, model))
}

/// What a body on the JSON fast path must be.
pub fn scan_mode(endpoint: Endpoint) -> ScanMode {
    if endpoint.needs_model() {
        ScanMode::ModelRequired
    } else {
        ScanMode::Object
    }
}

/// What the fields say of a JSON body.
#[derive(Debug)]
pub(super) struct JsonFields {
    length: Option<u64>,
    codings: CodingList,
}

impl JsonFields {
    /// Checks that the body is JSON in UTF-8, in codings that are decoded. A missing
    /// Content-Type is taken for JSON: no page of another origin can have a browser send
    /// such a request without an `Origin`, which the router checks.
    ///
    /// One pass: a lookup per field took several times as long.
    pub(super) fn check(headers: &HeaderMap) -> Result<Self, ErrorResponse> {
        let mut length = None;
        let mut content_type = None;
        let mut codings = CodingList::default();
        for (name, value) in headers {
            if *name == CONTENT_LENGTH {
                length = value.to_str().ok().and_then(|length| length.parse().ok());
            } else if *name == CONTENT_TYPE {
                content_type = content_type.or(Some(value.as_bytes()));
            } else if *name == CONTENT_ENCODING {
                codings.add(value.as_bytes())?;
            }
        }
        match content_type {
            Some(value) if MediaType::parse(Some(value)) != MediaType::Json || !is_utf8(value) => {
                Err(error_response::unsupported_media_type())
            }
            _ => Ok(Self { length, codings }),
        }
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

    use super::JsonFields;

    #[test]
    fn accepts_json_in_utf8_only() {
        for (value, accepted) in [
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
            assert_eq!(JsonFields::check(&headers).is_ok(), accepted, "{value}");
        }
        assert!(JsonFields::check(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn wc01_codings_of_several_lines_are_one_list() {
        let check = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("content-encoding", HeaderValue::from_static(value));
            }
            JsonFields::check(&headers).map(|fields| fields.codings)
        };
        for plain in [
            &["identity"][..],
            &[""],
            &["Identity, identity", "identity"],
        ] {
            assert!(check(plain).unwrap().is_empty(), "{plain:?}");
        }
        let two = check(&["gzip", "zstd"]).unwrap();
        assert!(!two.is_empty());
        assert_eq!(two, check(&["gzip, zstd"]).unwrap());
        assert_ne!(two, check(&["zstd, gzip"]).unwrap());
        for unsupported in [&["foo"][..], &["gzip", "compress"]] {
            assert!(check(unsupported).is_err(), "{unsupported:?}");
        }
    }
}
