//! Which lines are written, and how that is changed while they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber, warn};
use tracing_core::callsite::rebuild_interest_cache;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::config::LogLevel;

/// Our own lines at a level that can be changed; other crates' only when they
/// are errors, so that no library can print what we would not.
///
/// tracing remembers for each place in the code whether it may speak, and is
/// told to ask again after a change. So a line takes no lock here; with
/// `tracing_subscriber::reload` it would take one that all workers share.
#[derive(Debug, Clone)]
pub struct Level(Arc<Levels>);

/// By their places in [`LogLevel::ALL`].
#[derive(Debug)]
struct Levels {
    now: AtomicU8,
    configured: AtomicU8,
}

impl Level {
    pub(super) fn new(level: LogLevel) -> Self {
        Self(Arc::new(Levels {
            now: AtomicU8::new(level as u8),
            configured: AtomicU8::new(level as u8),
        }))
    }

    /// The least severity that is written now.
    #[must_use]
    pub fn now(&self) -> LogLevel {
        read(&self.0.now)
    }

    /// What the configuration says it is.
    #[must_use]
    pub fn configured(&self) -> LogLevel {
        read(&self.0.configured)
    }

    /// Changes it, until the next change here or in the configuration.
    pub fn set(&self, level: LogLevel) {
        let before = self.now();
        let (from, to) = (before.name(), level.name());
        let say = || warn!(from, to, "log level changed");
        // Said while the wordier of the two holds.
        if level < before {
            say();
        }
        self.0.now.store(level as u8, Ordering::Relaxed);
        rebuild_interest_cache();
        if level > before {
            say();
        }
    }

    /// Takes the level of a configuration that was read again. What was set
    /// since stays, unless the configuration says something new.
    pub fn configure(&self, level: LogLevel) {
        let before = self.0.configured.swap(level as u8, Ordering::Relaxed);
        if before != level as u8 {
            self.set(level);
        }
    }

    fn lets_through(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().split("::").next() == Some("trunkline");
        let level = if is_ours { self.now() } else { LogLevel::Error };
        *metadata.level() <= filter(level)
    }
}

impl<S: Subscriber> Layer<S> for Level {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.lets_through(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.lets_through(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(filter(self.now()))
    }
}

fn read(level: &AtomicU8) -> LogLevel {
    let place = usize::from(level.load(Ordering::Relaxed));
    let level = LogLevel::ALL.get(place);
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

    use super::Level;
    use crate::config::LogLevel;

    /// Keeps the severities of the lines that come through.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<tracing::Level>>>);

    impl<S: Subscriber> Layer<S> for Heard {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
    }

    fn say() {
        error!("e");
        warn!("w");
        info!("i");
        debug!("d");
        error!(target: "hyper::proto", "e");
        warn!(target: "hyper::proto", "w");
        info!(target: "trunkline_more", "i");
    }

    #[test]
    fn what_may_speak_changes_with_the_level_at_once() {
        let (level, heard) = (Level::new(LogLevel::Info), Heard::default());
        let subscriber = registry().with(level.clone()).with(heard.clone());
        tracing::subscriber::with_default(subscriber, || {
            let count = || {
                heard.0.lock().unwrap().clear();
                say();
                heard.0.lock().unwrap().len()
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
    fn a_change_is_told_while_either_level_lets_it_through() {
        let (level, heard) = (Level::new(LogLevel::Error), Heard::default());
        let subscriber = registry().with(level.clone()).with(heard.clone());
        tracing::subscriber::with_default(subscriber, || {
            for (next, told) in [
                (LogLevel::Info, 1),
                (LogLevel::Info, 1),
                (LogLevel::Error, 2),
                (LogLevel::Warn, 3),
            ] {
                level.set(next);
                assert_eq!(heard.0.lock().unwrap().len(), told, "{next:?}");
            }
        });
    }

    #[test]
    fn a_configuration_that_says_nothing_new_leaves_the_level_alone() {
        let level = Level::new(LogLevel::Info);
        level.set(LogLevel::Debug);
        level.configure(LogLevel::Info);
        assert_eq!(level.now(), LogLevel::Debug);
        level.configure(LogLevel::Warn);
        assert_eq!(
            (level.now(), level.configured()),
            (LogLevel::Warn, LogLevel::Warn)
        );
    }
}
