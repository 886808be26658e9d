//! Log lines on standard output, written by a separate thread: if the reader stops,
//! lines are dropped and counted, and no request waits.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use metrics::Counter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

mod level;

pub use level::LogLevelControl;

/// Lines buffered for the writer before further ones are dropped.
const MAX_BUFFERED_LINES: usize = 16_384;

/// Time to write the last lines at exit.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Keeps the writer alive; dropping it writes the last lines.
#[derive(Debug)]
pub struct LogWriter {
    guard: Option<WorkerGuard>,
    /// Lines dropped because the buffer was full.
    dropped: ErrorCounter,
    /// Lines that could not be written.
    failed: Arc<AtomicU64>,
    reported: std::cell::Cell<u64>,
    level: LogLevelControl,
}

impl Drop for LogWriter {
    /// On another thread: the guard would wait forever if standard output is blocked.
    fn drop(&mut self) {
        let guard = self.guard.take();
        let (done, written) = sync_channel(1);
        let flush = move || {
            drop(guard);
            // The receiver may have timed out.
            let _ = done.send(());
        };
        if std::thread::Builder::new().spawn(flush).is_ok() {
            // After a timeout, nothing is left to do.
            let _ = written.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

/// Counts lines that cannot be written (full disk, closed pipe) instead of failing:
/// the next one may succeed.
#[derive(Debug)]
struct CountingWriter<W> {
    out: W,
    failed: Arc<AtomicU64>,
}

impl<W: Write> Write for CountingWriter<W> {
    /// Called with a complete line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.out.write_all(line).is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Starts logging for the process, unless a subscriber is already set.
#[must_use]
pub fn start(log: &Log) -> LogWriter {
    let failed = Arc::<AtomicU64>::default();
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(MAX_BUFFERED_LINES)
        .lossy(true)
        .thread_name("log")
        .finish(CountingWriter {
            out: std::io::stdout(),
            failed: Arc::clone(&failed),
        });
    let dropped = writer.error_counter();
    let level = LogLevelControl::new(log.level);
    let registry = tracing_subscriber::registry().with(level.clone());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_target(false);
    // An error means that a subscriber is already set.
    let _ = match log.format {
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
        LogFormat::Text => {
            use std::io::IsTerminal;
            registry
                .with(layer.with_ansi(std::io::stdout().is_terminal()))
                .try_init()
        }
    };
    LogWriter {
        guard: Some(guard),
        dropped,
        failed,
        reported: std::cell::Cell::new(0),
        level,
    }
}

impl LogWriter {
    #[must_use]
    pub fn level(&self) -> &LogLevelControl {
        &self.level
    }

    /// Adds the lines dropped since the last call to `counter`.
    pub fn report_dropped(&self, counter: &Counter) {
        let dropped = self.dropped.dropped_lines() as u64 + self.failed.load(Ordering::Relaxed);
        counter.increment(dropped.saturating_sub(self.reported.replace(dropped)));
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::sync::atomic::Ordering;

    use super::CountingWriter;

    #[test]
    fn o08_lines_that_a_full_disk_rejects_are_counted() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut writer = CountingWriter {
            out: std::io::LineWriter::new(full),
            failed: std::sync::Arc::default(),
        };
        for _ in 0..3 {
            writer.write_all(b"a line\n").unwrap();
            let _ = writer.flush();
        }
        assert_eq!(writer.failed.load(Ordering::Relaxed), 3);
    }
}
