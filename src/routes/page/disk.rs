//! Reads the page from a folder, for development: debug builds only.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use super::file::{EncodedFile, PageFile};

/// The same variable as in `build.rs`.
const DIST_VARIABLE: &str = "TRUNKLINE_UI_DIST";

/// None if the variable is not set or the folder contains no page. Read once and
/// leaked: files are `'static`, as are those in the binary.
pub fn load() -> Option<&'static [PageFile]> {
    let folder: PathBuf = std::env::var_os(DIST_VARIABLE)?.into();
    let mut paths = vec!["docs.html".to_owned(), "index.html".to_owned()];
    for entry in fs::read_dir(folder.join("assets")).into_iter().flatten() {
        let name = entry.ok()?.file_name();
        let name = name.to_str()?;
        if !matches!(name.rsplit_once('.'), Some((_, "br" | "gz"))) {
            paths.push(format!("assets/{name}"));
        }
    }
    let root = super::ROOT_FILES.map(|path| path.trim_start_matches('/'));
    let root = root.into_iter().filter(|name| folder.join(name).is_file());
    paths.extend(root.map(str::to_owned));
    paths.sort_unstable();
    let file = |path: String| {
        let read = |suffix| read(&folder.join(format!("{path}{suffix}")));
        Some(PageFile {
            identity: read("")?,
            br: read(".br"),
            gzip: read(".gz"),
            path: path.leak(),
        })
    };
    let files: Option<Vec<PageFile>> = paths.into_iter().map(file).collect();
    files.map(|files| &*files.leak())
}

fn read(path: &Path) -> Option<EncodedFile> {
    let bytes = fs::read(path).ok()?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes);
    Some(EncodedFile {
        etag: format!("\"{:016x}\"", hasher.finish()).leak(),
        bytes: bytes.leak(),
    })
}
