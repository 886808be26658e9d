//! Lookup of a typed error in an error's chain of sources.

use std::error::Error;

/// The first error of type `E` among `error` and its sources.
pub fn cause_ref<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}
