//! Reloads the configuration of the running process.
//!
//! A thread waits for a signal or for changed files, loads and checks everything,
//! builds the next generation, and sends it to the control thread. After an error at
//! any step, the running generation stays.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, UNIX_EPOCH};

use metrics::{Counter, Gauge};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{error, info, warn};

use super::build::{Generation, GenerationBuilder, ProcessSettings};
use super::{ControlCommand, StartError, systemd};
use crate::config::{self, Config, ConfigErrors, FileFingerprints, InForce, LoadedFrom};
use crate::executor::on_scratch_thread;
use crate::proxy::Snapshot;
use crate::telemetry::metric::label::reload_result;
use crate::telemetry::metric::{self, Registry};
use crate::wall_clock;

mod watch;
mod writers;

use watch::FileWatcher;
use writers::{Settling, Stamps, Writers};

/// Quiet time that ends a burst of changes: an editor, or the swap of a mounted
/// directory, makes several.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// A longer burst is handled after this time.
const MAX_DEBOUNCE: Duration = Duration::from_secs(1);
/// How often retired generations are checked for remaining requests.
const RELEASE_INTERVAL: Duration = Duration::from_millis(200);
/// How often files are read if changes cannot be watched.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How often files that are being written are looked at.
const WRITE_INTERVAL: Duration = Duration::from_millis(100);
/// A longer wait for the end of a write is reported.
const LONG_WRITE: Duration = Duration::from_secs(5);
/// A day, which stands for no timeout.
const NO_TIMEOUT: Duration = Duration::from_secs(86_400);

/// Why the reload thread wakes up.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trigger {
    /// By a signal.
    Requested,
    /// A file in a watched directory was written; `is_closed` by a writer that has
    /// closed it.
    Written { path: PathBuf, is_closed: bool },
    /// Another event on a watched directory.
    FilesChanged,
}

/// Requests a reload.
#[derive(Debug)]
pub struct ReloadHandle(Sender<Trigger>);

/// The state of the reload thread.
#[derive(Debug)]
pub struct Reloader {
    loaded_from: LoadedFrom,
    builder: GenerationBuilder,
    commands: UnboundedSender<ControlCommand>,
    triggers: Receiver<Trigger>,
    trigger_sender: Sender<Trigger>,
    watch: Option<FileWatcher>,
    /// Files as of the last reload, applied or not.
    last_read: FileFingerprints,
    /// The same files, right before they were read.
    stamps: Stamps,
    writers: Writers,
    running: Arc<Snapshot>,
    /// Generations that requests may still use. Kept until no other reference is
    /// left, so that no worker spends time on freeing them.
    retired: Vec<Arc<Snapshot>>,
    started_with: ProcessSettings,
    metrics: ReloadMetrics,
}

#[derive(Debug)]
struct ReloadMetrics {
    applied: Counter,
    rejected: Counter,
    unchanged: Counter,
    generation_number: u64,
    generation: Gauge,
    generations_held: Gauge,
    last_successful: Gauge,
    applied_at: Gauge,
}

// === impl ReloadHandle ===

impl ReloadHandle {
    pub fn request(&self) {
        // The receiving thread runs as long as the process.
        let _ = self.0.send(Trigger::Requested);
    }
}

// === impl Reloader ===

impl Reloader {
    pub fn new(
        loaded_from: LoadedFrom,
        builder: GenerationBuilder,
        commands: UnboundedSender<ControlCommand>,
        first: &Generation,
        registry: &Registry,
    ) -> Self {
        let (trigger_sender, triggers) = channel();
        Self {
            builder,
            commands,
            watch: None,
            last_read: loaded_from.files.clone(),
            stamps: loaded_from.files.stamps(),
            writers: Writers::default(),
            loaded_from,
            running: Arc::clone(&first.snapshot),
            retired: Vec::new(),
            started_with: first.settings.clone(),
            metrics: ReloadMetrics::new(registry),
            triggers,
            trigger_sender,
        }
    }

    /// Starts the thread, which ends with the process.
    pub fn start(self) -> io::Result<ReloadHandle> {
        let handle = ReloadHandle(self.trigger_sender.clone());
        std::thread::Builder::new()
            .name("reload".to_owned())
            .spawn(move || self.run())?;
        Ok(handle)
    }

    fn run(mut self) {
        self.watch_files(self.started_with.watch);
        while let Some(trigger) = self.next_trigger() {
            let requested = self.debounce(&trigger);
            if requested || self.files_changed() {
                systemd::reloading();
                self.reload();
                systemd::ready();
            }
            self.update_watches();
        }
    }

    fn files_changed(&self) -> bool {
        self.last_read != self.last_read.reread()
    }

    /// Watches the files at their current locations: links and directories may have
    /// changed.
    fn update_watches(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        watch.watch(&self.last_read);
        // The files may have changed before they were watched.
        if self.files_changed() {
            let _ = self.trigger_sender.send(Trigger::FilesChanged);
        }
    }

    /// Waits for the next trigger; none if there will be no more.
    fn next_trigger(&mut self) -> Option<Trigger> {
        loop {
            let polling = self.watch.as_ref().is_some_and(FileWatcher::is_polling);
            let wait = match (self.retired.is_empty(), polling) {
                (false, _) => RELEASE_INTERVAL,
                (true, true) => POLL_INTERVAL,
                (true, false) => NO_TIMEOUT,
            };
            match self.triggers.recv_timeout(wait) {
                Ok(Trigger::Requested) => return Some(Trigger::Requested),
                Ok(trigger) if self.watch.is_some() => {
                    self.record_write(&trigger);
                    return Some(trigger);
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.release_retired();
                    if polling {
                        return Some(Trigger::FilesChanged);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Waits for the end of a burst. True if a reload was requested.
    fn debounce(&mut self, first: &Trigger) -> bool {
        let end = Instant::now() + MAX_DEBOUNCE;
        let mut requested = *first == Trigger::Requested;
        while !requested {
            let remaining = end.saturating_duration_since(Instant::now());
            match self.triggers.recv_timeout(DEBOUNCE.min(remaining)) {
                Ok(trigger) => {
                    self.record_write(&trigger);
                    requested = trigger == Trigger::Requested;
                }
                Err(_) => break,
            }
        }
        requested
    }

    fn record_write(&mut self, trigger: &Trigger) {
        if let Trigger::Written { path, is_closed } = trigger {
            let files = self.last_read.stamps();
            self.writers.record(path, *is_closed, &files);
        }
    }

    /// Reads the files when none is being written.
    fn load(&mut self) -> (Result<Config, ConfigErrors>, FileFingerprints) {
        loop {
            let stamps = self.wait_for_writers();
            let sources = &self.loaded_from.sources;
            let read = on_scratch_thread(|| config::load_with_fingerprints(sources));
            if self.last_read.stamps() == stamps {
                // Files that are named for the first time have no earlier state.
                self.stamps = read.1.stamps();
                self.stamps.extend(stamps);
                return read;
            }
        }
    }

    fn wait_for_writers(&mut self) -> Stamps {
        let start = Instant::now();
        let mut is_reported = false;
        let before = self.stamps.clone();
        let mut settling = Settling::new(&before, self.last_read.stamps());
        while !settling.is_complete(&self.writers) {
            if !is_reported && start.elapsed() > LONG_WRITE {
                is_reported = true;
                self.metrics.last_successful.set(0);
                warn!("a configuration file is being written; it is read when it is complete");
            }
            // A reload requested meanwhile is this one.
            if let Ok(trigger) = self.triggers.recv_timeout(WRITE_INTERVAL) {
                self.record_write(&trigger);
            }
            settling.observe(self.last_read.stamps());
        }
        self.writers.forget_complete();
        settling.now
    }

    fn reload(&mut self) {
        let (loaded, fingerprints) = self.load();
        let changed = fingerprints != self.loaded_from.files;
        self.last_read = fingerprints;
        match loaded {
            Err(errors) => {
                let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
                self.reject(&reasons);
            }
            Ok(_) if !changed => {
                self.metrics.unchanged.increment(1);
                self.metrics.last_successful.set(1);
                info!("reload: configuration unchanged");
            }
            Ok(config) => {
                let in_force = InForce::of(&config);
                match self.apply(config) {
                    Ok(()) => {
                        self.loaded_from.files = self.last_read.clone();
                        self.loaded_from.sources.in_force = Some(in_force);
                    }
                    Err(reason) => self.reject(&[reason.to_string()]),
                }
            }
        }
    }

    fn reject(&self, reasons: &[String]) {
        for error in reasons {
            error!(error, "configuration error");
        }
        let (errors, generation) = (reasons.len(), self.metrics.generation_number);
        error!(errors, generation, "reload rejected");
        // After the log lines, so that they exist when the metric changes.
        self.metrics.rejected.increment(1);
        self.metrics.last_successful.set(0);
    }

    fn apply(&mut self, config: Config) -> Result<(), StartError> {
        let next = self.builder.build(config, Some(&self.running))?;
        let (snapshot, settings) = (Arc::clone(&next.snapshot), next.settings.clone());
        let (sender, result) = channel();
        let command = ControlCommand::Apply(Box::new(next), sender);
        // The receiver is gone once the process shuts down.
        let sent = self.commands.send(command);
        sent.map_err(|_| StartError::ShuttingDown)?;
        result.recv().map_err(|_| StartError::ShuttingDown)??;
        self.retired
            .push(std::mem::replace(&mut self.running, snapshot));
        self.watch_files(settings.watch);
        self.metrics.record_applied();
        self.metrics.set_retired(self.retired.len());
        let generation = self.metrics.generation_number;
        info!(generation, "reload applied");
        let keys = self.started_with.restart_required(&settings);
        if !keys.is_empty() {
            warn!(
                keys = keys.join(","),
                "changed keys take effect at a restart"
            );
        }
        Ok(())
    }

    fn watch_files(&mut self, enabled: bool) {
        if !enabled {
            self.watch = None;
        } else if self.watch.is_none() {
            self.watch = Some(FileWatcher::new(self.trigger_sender.clone()));
            self.update_watches();
        }
    }

    fn release_retired(&mut self) {
        self.retired
            .retain(|snapshot| Arc::strong_count(snapshot) > 1);
        self.metrics.set_retired(self.retired.len());
    }
}

// === impl ReloadMetrics ===

impl ReloadMetrics {
    fn new(registry: &Registry) -> Self {
        let result = |result| registry.counter(&metric::RELOADS, &[("result", result)]);
        let gauge = |metric| registry.gauge(metric, &[]);
        let metrics = Self {
            applied: result(reload_result::APPLIED),
            rejected: result(reload_result::REJECTED),
            unchanged: result(reload_result::UNCHANGED),
            generation_number: 1,
            generation: gauge(&metric::GENERATION),
            generations_held: gauge(&metric::GENERATIONS_HELD),
            last_successful: gauge(&metric::RELOAD_SUCCESSFUL),
            applied_at: gauge(&metric::RELOAD_TIME),
        };
        metrics.set_generation();
        metrics.set_retired(0);
        metrics
    }

    fn record_applied(&mut self) {
        self.applied.increment(1);
        self.generation_number += 1;
        self.set_generation();
    }

    fn set_generation(&self) {
        self.generation.set(self.generation_number as f64);
        self.last_successful.set(1);
        let now = wall_clock::now().duration_since(UNIX_EPOCH);
        self.applied_at
            .set(now.map_or(0.0, |since| since.as_secs() as f64));
    }

    fn set_retired(&self, count: usize) {
        self.generations_held.set((count + 1) as f64);
    }
}
