//! Log lines on standard output, written by a thread of their own: a reader
//! that stops reading costs lines, which are counted, never requests.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::metric::Counter;
use crate::config::{Log, LogFormat};

mod level;

pub use level::Level;

/// Lines that wait for the writer before further ones are dropped.
const LINES_WAITING: usize = 16_384;

/// How long the last lines may take to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Keeps the writer alive; the last lines are written when it is dropped, if
/// there is somebody who takes them.
#[derive(Debug)]
pub struct LogWriter {
    guard: Option<WorkerGuard>,
    /// Lines that found no room.
    crowded_out: ErrorCounter,
    /// Lines that could not be written.
    failed: Arc<AtomicU64>,
    reported: std::cell::Cell<u64>,
    level: Level,
}

impl Drop for LogWriter {
    /// Where standard output takes nothing, the guard would wait for it for
    /// ever: it says there that it could not.
    fn drop(&mut self) {
        let guard = self.guard.take();
        let (done, written) = sync_channel(1);
        let flush = move || {
            drop(guard);
            // Whoever waited may have given up.
            let _ = done.send(());
        };
        if std::thread::Builder::new().spawn(flush).is_ok() {
            // Late or not, there is nothing left to do.
            let _ = written.recv_timeout(LAST_LINES);
        }
    }
}

/// Counts the lines that it cannot write, because the disk is full or the
/// reader is gone, and goes on: the next one may find room.
#[derive(Debug)]
struct Counted<W> {
    out: W,
    failed: Arc<AtomicU64>,
}

impl<W: Write> Write for Counted<W> {
    /// Takes a whole line.
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

/// Starts logging for the whole process. Does nothing where a subscriber has
/// been set before.
#[must_use]
pub fn start(log: &Log) -> LogWriter {
    let failed = Arc::<AtomicU64>::default();
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING)
        .lossy(true)
        .thread_name("log")
        .finish(Counted {
            out: std::io::stdout(),
            failed: Arc::clone(&failed),
        });
    let crowded_out = writer.error_counter();
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
        guard: Some(guard),
        crowded_out,
        failed,
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
        let lost = self.crowded_out.dropped_lines() as u64 + self.failed.load(Ordering::Relaxed);
        counter.increment(lost.saturating_sub(self.reported.replace(lost)));
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::sync::atomic::Ordering;

    use super::Counted;

    #[test]
    fn o08_lines_that_a_full_disk_does_not_take_are_counted() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut counted = Counted {
            out: std::io::LineWriter::new(full),
            failed: std::sync::Arc::default(),
        };
        for _ in 0..3 {
            counted.write_all(b"a line\n").unwrap();
            let _ = counted.flush();
        }
        assert_eq!(counted.failed.load(Ordering::Relaxed), 3);
    }
}
