//! Looks up the objects of a request in the store, where another replica may have recorded
//! them, before its targets are resolved.

use std::pin::Pin;

use http::request::Parts;

use super::Worker;
use super::intake::Intake;
use super::resolve;
use crate::metering::Meter;
use crate::wire::api_path::ApiPath;

/// Boxed, so that the future of a request stays small.
type Lookup<'r> = Pin<Box<dyn Future<Output = ()> + 'r>>;

/// None where no object can matter, or one of them is known here; also while the store is
/// away, or if there is none.
pub(super) fn needed<'r>(
    worker: &'r Worker,
    meter: &Meter,
    intake: &'r Intake,
    head: &Parts,
) -> Option<Lookup<'r>> {
    let shared = worker.snapshot.shared_objects.as_ref()?;
    let is_needed = shared.is_up()
        && worker.snapshot.tracks_objects()
        && resolve::depends_on_objects(meter.endpoint(), intake, &head.headers);
    if !is_needed {
        return None;
    }
    let path = intake.passthrough.as_ref().map(|it| &it.path);
    let in_path = path.into_iter().flat_map(ApiPath::segments);
    let unknown = shared.unknown_ids(in_path.chain(intake.object_ids()));
    if unknown.is_empty() {
        return None;
    }
    Some(Box::pin(async move { shared.look_up(&unknown).await }))
}
