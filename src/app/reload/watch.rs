//! Tells when something happens to a file, or beside one.
//!
//! Directories are watched and not files: an editor puts a new file into the
//! place of the old one, and a mounted Kubernetes `ConfigMap` or `Secret` is a
//! link into a directory that is changed by renaming the link `..data`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

use super::Knock;
use crate::config::Seen;

/// Watches the directories that a change of the files would show in.
#[derive(Debug)]
pub struct Watch {
    /// None where the system has nothing of the kind.
    watcher: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    blind: bool,
}

impl Watch {
    pub fn new(knocker: Sender<Knock>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| !is_ours(event.kind)) {
                // Nobody listens any more when the watch has been switched off.
                let _ = knocker.send(Knock::Files);
            }
        });
        let mut watch = Self {
            watcher: None,
            directories: BTreeSet::new(),
            blind: false,
        };
        match watcher {
            Ok(watcher) => watch.watcher = Some(watcher),
            Err(error) => watch.lose_sight(&error),
        }
        watch
    }

    /// True when a change may go untold, so that the files have to be looked
    /// at now and then.
    pub fn is_blind(&self) -> bool {
        self.blind
    }

    /// Watches these files from now on.
    pub fn follow(&mut self, files: &Seen) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let wanted: BTreeSet<PathBuf> = files.paths().flat_map(|path| around(path)).collect();
        for gone in self.directories.difference(&wanted) {
            // One that was removed is watched no more by itself.
            let _ = watcher.unwatch(gone);
        }
        let mut failed = None;
        for directory in &wanted {
            // Again, if need be: another may have come into its place.
            if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                failed = Some(error);
            }
        }
        self.directories = wanted;
        match failed {
            None => self.blind = false,
            Some(error) if !self.blind => self.lose_sight(&error),
            Some(_) => {}
        }
    }

    fn lose_sight(&mut self, error: &notify::Error) {
        self.blind = true;
        // The text would name the path, which may be a key by mistake.
        let why = &error.kind;
        warn!(
            ?why,
            "cannot watch the files of the configuration; looking every few seconds"
        );
    }
}

/// Whether it is but an echo of our own reading.
fn is_ours(kind: EventKind) -> bool {
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    kind.is_access() && kind != written
}

/// The directories in which a change of what is at `path` shows: the one that
/// it is in, the one that it really is in, and the one of each link on the way.
fn around(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::from([parent(path)]);
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let link = path.ancestors().find_map(|part| {
            let target = part.read_link().ok()?;
            Some((part.to_owned(), target))
        });
        let Some((link, target)) = link else { break };
        let directory = parent(&link);
        let rest = path.strip_prefix(&link).unwrap_or(Path::new(""));
        let next = directory.join(target).join(rest);
        found.insert(directory);
        // `join` of nothing would leave a slash behind.
        path = next.components().collect();
        found.insert(parent(&path));
    }
    found.retain(|directory| directory.is_dir());
    found
}

/// As many as Linux follows.
const MOST_LINKS: usize = 40;

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::around;

    #[test]
    fn a_mounted_config_map_is_watched_where_its_link_is_swapped() {
        let mount = tempfile::tempdir().unwrap();
        let at = |name: &str| mount.path().join(name);
        std::fs::create_dir(at("..2026")).unwrap();
        std::fs::write(at("..2026/trunkline.toml"), "").unwrap();
        symlink("..2026", at("..data")).unwrap();
        symlink("..data/trunkline.toml", at("trunkline.toml")).unwrap();
        let found = around(&at("trunkline.toml"));
        assert!(found.contains(mount.path()), "{found:?}");
        assert!(found.contains(&at("..2026")), "{found:?}");
    }

    #[test]
    fn a_link_among_the_directories_is_found() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("releases/1")).unwrap();
        symlink("releases/1", at("current")).unwrap();
        let found = around(&at("current/key"));
        assert!(found.contains(root.path()), "{found:?}");
        assert!(found.contains(&at("releases/1")), "{found:?}");
    }

    #[test]
    fn a_circle_of_links_has_an_end() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        assert!(around(&at("a")).contains(root.path()));
    }
}
