//! Items that the benchmarks and fuzz targets use. Not a public API: it may change
//! at any time.

pub use crate::access::Gate;
pub use crate::catalog::Catalog;
pub use crate::config::{Config, Sources, load};
#[cfg(feature = "fuzzing")]
pub use crate::dialect::oracle as dialect_oracle;
pub use crate::limits::{
    ExpectedUsage, LearnedUsage, LeaseAmounts, LeaseLink, LeaseResponse, LimitClock, LimitSet,
    LimitUsage, RequestSize, RequestSubject,
};
pub use crate::metering::{Meter, MeteringOptions, RequestOutcome, SharedMetrics, WorkerMetrics};
#[cfg(feature = "fuzzing")]
pub use crate::server::chunk_oracle;
pub use crate::telemetry::metric::Registry;
pub use crate::telemetry::request_id::RequestIds;
#[cfg(feature = "fuzzing")]
pub use crate::upstream::oracle as http1_oracle;
#[cfg(feature = "fuzzing")]
pub use crate::wire::oracle;
pub use crate::wire::{content_coding, endpoint, frames, multipart, scan, splice, sse_relay};

pub mod dialect {
    pub use crate::dialect::{
        ChatUpstream, Dialect, DialectPair, MessagesUpstream, ResponseContext, ResponsesUpstream,
        StreamStatus, StreamTranslator, SystemPosition, ThinkingMode, ToolIdRule, UpstreamApi,
        translate_error, translate_request, translate_response,
    };
}
