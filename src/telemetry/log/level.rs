//! The log level, changeable at run time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber, warn};
use tracing_core::callsite::rebuild_interest_cache;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::config::LogLevel;

/// Filters our own lines by a level that can be changed. Other crates' lines pass only
/// as errors, so that no library can log request data.
///
/// tracing caches the decision for each callsite; the cache is rebuilt after a change.
/// So a line takes no lock, while `tracing_subscriber::reload` would take one that all
/// workers share.
#[derive(Debug, Clone)]
pub struct LogLevelControl(Arc<Levels>);

/// As indices of [`LogLevel::ALL`].
#[derive(Debug)]
struct Levels {
    current: AtomicU8,
    configured: AtomicU8,
}

impl LogLevelControl {
    pub(super) fn new(level: LogLevel) -> Self {
        Self(Arc::new(Levels {
            current: AtomicU8::new(level as u8),
            configured: AtomicU8::new(level as u8),
        }))
    }

    #[must_use]
    pub fn current(&self) -> LogLevel {
        read(&self.0.current)
    }

    #[must_use]
    pub fn configured(&self) -> LogLevel {
        read(&self.0.configured)
    }

    /// Sets the level until the next change here or in the configuration.
    pub fn set(&self, level: LogLevel) {
        let before = self.current();
        let (from, to) = (before.name(), level.name());
        let log = || warn!(from, to, "log level changed");
        // Logged while the more verbose of the two levels is set.
        if level < before {
            log();
        }
        self.0.current.store(level as u8, Ordering::Relaxed);
        rebuild_interest_cache();
        if level > before {
            log();
        }
    }

    /// Sets the level of a reloaded configuration. A level set at run time stays, unless
    /// the configured one has changed.
    pub fn configure(&self, level: LogLevel) {
        let before = self.0.configured.swap(level as u8, Ordering::Relaxed);
        if before != level as u8 {
            self.set(level);
        }
    }

    fn is_enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().split("::").next() == Some("trunkline");
        let level = if is_ours {
            self.current()
        } else {
            LogLevel::Error
        };
        *metadata.level() <= filter(level)
    }
}

impl<S: Subscriber> Layer<S> for LogLevelControl {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.is_enabled(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.is_enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(filter(self.current()))
    }
}

fn read(level: &AtomicU8) -> LogLevel {
    let index = usize::from(level.load(Ordering::Relaxed));
    let level = LogLevel::ALL.get(index);
    level.copied().unwrap_or(LogLevel::Trace)
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{Event, Subscriber, debug, error, info, warn};
    use tracing_subscriber::layer::{Context, SubscriberExt};
    use tracing_subscriber::{Layer, registry};

    use super::LogLevelControl;
    use crate::config::LogLevel;

    /// Captures the levels of the lines that pass the filter.
    #[derive(Clone, Default)]
    struct CapturedLevels(Arc<Mutex<Vec<tracing::Level>>>);

    impl<S: Subscriber> Layer<S> for CapturedLevels {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
    }

    fn log_lines() {
        error!("e");
        warn!("w");
        info!("i");
        debug!("d");
        error!(target: "hyper::proto", "e");
        warn!(target: "hyper::proto", "w");
        info!(target: "trunkline_more", "i");
    }

    #[test]
    fn a_change_of_the_level_takes_effect_at_once() {
        let (level, captured) = (
            LogLevelControl::new(LogLevel::Info),
            CapturedLevels::default(),
        );
        let subscriber = registry().with(level.clone()).with(captured.clone());
        tracing::subscriber::with_default(subscriber, || {
            let count = || {
                captured.0.lock().unwrap().clear();
                log_lines();
                captured.0.lock().unwrap().len()
            };
            // One of these lines is another crate's error.
            assert_eq!(count(), 4);
            for (next, lines) in [
                (LogLevel::Debug, 5),
                (LogLevel::Error, 2),
                (LogLevel::Warn, 3),
                (LogLevel::Trace, 5),
                (LogLevel::Info, 4),
            ] {
                level.set(next);
                assert_eq!(count(), lines, "{next:?}");
            }
        });
    }

    #[test]
    fn a_change_is_logged_while_either_level_allows_it() {
        let (level, captured) = (
            LogLevelControl::new(LogLevel::Error),
            CapturedLevels::default(),
        );
        let subscriber = registry().with(level.clone()).with(captured.clone());
        tracing::subscriber::with_default(subscriber, || {
            for (next, lines) in [
                (LogLevel::Info, 1),
                (LogLevel::Info, 1),
                (LogLevel::Error, 2),
                (LogLevel::Warn, 3),
            ] {
                level.set(next);
                assert_eq!(captured.0.lock().unwrap().len(), lines, "{next:?}");
            }
        });
    }

    #[test]
    fn an_unchanged_configured_level_keeps_the_current_one() {
        let level = LogLevelControl::new(LogLevel::Info);
        level.set(LogLevel::Debug);
        level.configure(LogLevel::Info);
        assert_eq!(level.current(), LogLevel::Debug);
        level.configure(LogLevel::Warn);
        assert_eq!(
            (level.current(), level.configured()),
            (LogLevel::Warn, LogLevel::Warn)
        );
    }
}
