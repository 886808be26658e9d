//! Paths with symbolic links.

use super::*;
use crate::ledger::{LedgerFile, probe};

/// Through links to the file, and to its folder.
#[test]
fn two_paths_of_one_file_have_one_lock() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("real");
    std::fs::create_dir(&real).unwrap();
    let (file, linked) = (folder.path().join("usage.db"), folder.path().join("linked"));
    symlink(&real, &linked).unwrap();
    symlink(real.join("ledger.db"), &file).unwrap();
    let paths = [real.join("ledger.db"), linked.join("ledger.db"), file];
    // The file does not exist before the first one, which is a link.
    for path in paths.iter().rev() {
        let first = open(path).unwrap();
        for other in &paths {
            assert!(matches!(open(other), Err(LedgerError::InUse)), "{other:?}");
            assert!(matches!(probe(other), LedgerFile::InUse), "{other:?}");
        }
        drop(first);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    // Damage is set aside where the file is, and the link leads to the new one.
    let mut damaged = std::fs::read(&paths[0]).unwrap();
    damaged[..16].fill(0xff);
    std::fs::write(&paths[0], damaged).unwrap();
    let opened = open(&paths[2]).unwrap();
    let (_, moved_to) = opened.damaged.unwrap();
    assert_eq!(moved_to.parent(), Some(&*real.canonicalize().unwrap()));
    assert!(paths[2].is_symlink() && paths[0].exists());
}
