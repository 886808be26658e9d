//! Watches the configuration files for changes.
//!
//! Directories are watched, not files: an editor replaces a file by a new one,
//! and a mounted Kubernetes `ConfigMap` or `Secret` is a link into a directory
//! that is swapped by renaming the link `..data`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

use super::Trigger;
use crate::config::FileFingerprints;

#[derive(Debug)]
pub struct FileWatcher {
    /// None if the system cannot watch files.
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    polling: bool,
}

impl FileWatcher {
    pub fn new(triggers: Sender<Trigger>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            if let Some(trigger) = trigger(event) {
                // Fails only if the reload thread has ended.
                let _ = triggers.send(trigger);
            }
        });
        let mut this = Self {
            watcher: None,
            directories: BTreeSet::new(),
            polling: false,
        };
        match watcher {
            Ok(watcher) => this.watcher = Some(watcher),
            Err(error) => this.fall_back_to_polling(&error),
        }
        this
    }

    /// True if changes may be missed, so that the files must be polled.
    pub fn is_polling(&self) -> bool {
        self.polling
    }

    pub fn watch(&mut self, files: &FileFingerprints) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let wanted: BTreeSet<PathBuf> = files
            .paths()
            .flat_map(|path| directories_to_watch(path))
            .collect();
        for stale in self.directories.difference(&wanted) {
            // Fails for a removed directory, which is no longer watched.
            let _ = watcher.unwatch(stale);
        }
        let mut failed = None;
        for directory in &wanted {
            // Even if it is watched already: another directory may have replaced it.
            if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                failed = Some(error);
            }
        }
        self.directories = wanted;
        match failed {
            None => self.polling = false,
            Some(error) if !self.polling => self.fall_back_to_polling(&error),
            Some(_) => {}
        }
    }

    fn fall_back_to_polling(&mut self, error: &notify::Error) {
        self.polling = true;
        // Not the whole error, which contains the path: that may be a key by mistake.
        let reason = &error.kind;
        warn!(?reason, "cannot watch configuration files; polling them");
    }
}

/// What an event means; none for those that our own reads cause.
fn trigger(event: Event) -> Option<Trigger> {
    let is_closed = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => return None,
        EventKind::Modify(ModifyKind::Data(_)) => false,
        _ => return Some(Trigger::FilesChanged),
    };
    let path = event.paths.into_iter().next();
    Some(path.map_or(Trigger::FilesChanged, |path| Trigger::Written {
        path,
        is_closed,
    }))
}

/// The directories in which a change of `path` is visible: its own, that of each
/// link on the way, and that of the file itself.
fn directories_to_watch(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::from([parent(path)]);
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let link = path.ancestors().find_map(|ancestor| {
            let target = ancestor.read_link().ok()?;
            Some((ancestor.to_owned(), target))
        });
        let Some((link, target)) = link else { break };
        let directory = parent(&link);
        let remainder = path.strip_prefix(&link).unwrap_or(Path::new(""));
        let next = directory.join(target).join(remainder);
        found.insert(directory);
        // `join` with an empty path appends a slash; this removes it.
        path = next.components().collect();
        found.insert(parent(&path));
    }
    found.iter().filter_map(|path| existing(path)).collect()
}

/// The directory, or the nearest one above it: a directory that is gone may come back.
fn existing(directory: &Path) -> Option<PathBuf> {
    let mut above = directory.ancestors();
    let found = above.find(|path| *path == Path::new("") || path.is_dir())?;
    let is_current = found == Path::new("");
    Some(if is_current {
        PathBuf::from(".")
    } else {
        found.to_owned()
    })
}

/// As many links as Linux follows (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::directories_to_watch;

    #[test]
    fn a_mounted_config_map_is_watched_where_its_link_is_swapped() {
        let mount = tempfile::tempdir().unwrap();
        let at = |name: &str| mount.path().join(name);
        std::fs::create_dir(at("..2026")).unwrap();
        std::fs::write(at("..2026/trunkline.toml"), "").unwrap();
        symlink("..2026", at("..data")).unwrap();
        symlink("..data/trunkline.toml", at("trunkline.toml")).unwrap();
        let found = directories_to_watch(&at("trunkline.toml"));
        assert!(found.contains(mount.path()), "{found:?}");
        assert!(found.contains(&at("..2026")), "{found:?}");
    }

    #[test]
    fn a_link_among_the_directories_is_followed() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("releases/1")).unwrap();
        symlink("releases/1", at("current")).unwrap();
        let found = directories_to_watch(&at("current/key"));
        assert!(found.contains(root.path()), "{found:?}");
        assert!(found.contains(&at("releases/1")), "{found:?}");
    }

    #[test]
    fn a_cycle_of_links_ends() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        assert!(directories_to_watch(&at("a")).contains(root.path()));
    }
}
