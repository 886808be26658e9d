//! A complete response as the events of a stream.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::upstream::{Outcome, ReceivedResponse};
use crate::dialect::events::write_event;

#[derive(Serialize)]
struct LastEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    response: &'a RawValue,
}

/// The last event has the whole response. `None` if it is no response.
pub fn of_response(body: &[u8]) -> Option<Vec<u8>> {
    let response: &RawValue = serde_json::from_slice(body).ok()?;
    let parsed: ReceivedResponse<'_> = Deserialize::deserialize(response).ok()?;
    parsed.output.as_ref()?;
    let kind = match parsed.outcome() {
        Outcome::Complete => "response.completed",
        Outcome::Incomplete(_) => "response.incomplete",
        Outcome::Unfinished => return None,
    };
    let mut out = Vec::new();
    write_event(&LastEvent { kind, response }, &mut out);
    Some(out)
}
