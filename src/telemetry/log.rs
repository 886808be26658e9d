//! Log lines on standard output, written by a thread of their own: a reader
//! that stops reading costs lines, which are counted, never requests.

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::metric::Counter;
use crate::config::{Log, LogFormat};

mod level;

pub use level::Level;

/// Lines that wait for the writer before further ones are dropped.
const LINES_WAITING: usize = 16_384;

/// Keeps the writer alive; the last lines are written when it is dropped.
#[derive(Debug)]
pub struct LogWriter {
    _guard: WorkerGuard,
    lost: ErrorCounter,
    reported: std::cell::Cell<u64>,
    level: Level,
}

/// Starts logging for the whole process. Does nothing where a subscriber has
/// been set before.
#[must_use]
pub fn start(log: &Log) -> LogWriter {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING)
        .lossy(true)
        .thread_name("log")
        .finish(std::io::stdout());
    let lost = writer.error_counter();
    let level = Level::new(log.level);
    let registry = tracing_subscriber::registry().with(level.clone());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_target(false);
    // An error means that a subscriber is set already, which then goes on.
    let _already_set = match log.format {
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
        LogFormat::Text => {
            use std::io::IsTerminal;
            registry
                .with(layer.with_ansi(std::io::stdout().is_terminal()))
                .try_init()
        }
    };
    LogWriter {
        _guard: guard,
        lost,
        reported: std::cell::Cell::new(0),
        level,
    }
}

impl LogWriter {
    /// Which lines are written.
    #[must_use]
    pub fn level(&self) -> &Level {
        &self.level
    }

    /// Adds the lines lost since the last call to `counter`.
    pub fn report_lost(&self, counter: &Counter) {
        let lost = self.lost.dropped_lines() as u64;
        counter.increment(lost.saturating_sub(self.reported.replace(lost)));
    }
}
