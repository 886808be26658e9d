//! What the benchmarks and the fuzz targets call. Not an interface: anything
//! here may change at any time.

pub use crate::access::Gate;
pub use crate::catalog::Catalog;
pub use crate::config::{Config, Sources, load};
pub use crate::metering::{Desk, Meter, Meters, Outcome};
pub use crate::telemetry::metric::Registry;
pub use crate::telemetry::request_id::RequestIds;
#[cfg(feature = "fuzzing")]
pub use crate::upstream::oracle as http1_oracle;
#[cfg(feature = "fuzzing")]
pub use crate::wire::oracle;
pub use crate::wire::{endpoint, multipart, scan, splice, sse_relay};

pub mod dialect {
    pub use crate::dialect::{
        Answer, Dialect, Flow, Stream, Thinking, ToChat, ToMessages, error, reply, to_chat,
        to_messages,
    };
}
