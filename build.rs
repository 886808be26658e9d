//! Builds the page in `web/` and generates the table that embeds it.
//!
//! Only in optimised builds: a debug build, `cargo check` and clippy must not
//! wait for npm. Writes only to cargo's output folder. If the page cannot be
//! built, the table is empty and a plain page is served.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a build script sends instructions to cargo on standard output"
)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A folder with the output of `npm run build`.
const PREBUILT: &str = "TRUNKLINE_UI_DIST";
/// If set, this script fails without the page. Cargo does not run it again when this
/// changes, since that would compile the crate again; so `tests/run` also checks the
/// binary itself.
const REQUIRED: &str = "TRUNKLINE_UI_REQUIRED";
/// Lines shown of npm's output when it fails.
const MAX_LINES: usize = 20;
/// Inputs of the page. Not `web` as a whole, which contains `node_modules`.
const SOURCES: [&str; 9] = [
    "index.html",
    "docs.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "vite",
    "public",
    "src",
];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    let out = folder("OUT_DIR");
    let enabled = env::var_os("CARGO_FEATURE_UI").is_some()
        && env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let table = if enabled {
        page(&out).and_then(|dist| table(&dist))
    } else {
        Ok("&[]".to_owned())
    };
    let table = match table {
        Ok(table) => table,
        Err(reason) if env::var_os(REQUIRED).is_some() => {
            eprintln!("the page cannot be built: {reason}");
            return ExitCode::FAILURE;
        }
        Err(reason) => {
            println!("cargo::warning=built without the chat page; a plain page is served instead");
            for line in reason.lines() {
                println!("cargo::warning={line}");
            }
            // Cargo repeats this with each build, but runs the script again only when a
            // source has changed.
            println!("cargo::warning=once that is mended: touch build.rs, and build again");
            "&[]".to_owned()
        }
    };
    match fs::write(out.join("page.rs"), table) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write the table of the page's files: {error}");
            ExitCode::FAILURE
        }
    }
}

fn folder(variable: &str) -> PathBuf {
    env::var_os(variable).unwrap_or_default().into()
}

/// The folder of the built page.
fn page(out: &Path) -> Result<PathBuf, String> {
    if let Some(dist) = env::var_os(PREBUILT).filter(|dist| !dist.is_empty()) {
        let dist = folder("CARGO_MANIFEST_DIR").join(dist);
        println!("cargo::rerun-if-changed={}", dist.display());
        return Ok(dist);
    }
    let (from, to) = (folder("CARGO_MANIFEST_DIR").join("web"), out.join("web"));
    for name in SOURCES {
        println!("cargo::rerun-if-changed={}", from.join(name).display());
        replace(&from.join(name), &to.join(name))?;
    }
    install(&to)?;
    npm(&to, &["run", "build"])?;
    Ok(to.join("dist"))
}

/// Copies a file or folder, without files of an earlier copy that no longer exist.
fn replace(from: &Path, to: &Path) -> Result<(), String> {
    if !from.exists() {
        return Err(format!("{} is missing", from.display()));
    }
    if to.is_dir() {
        fs::remove_dir_all(to).map_err(in_path(to))?;
    }
    copy(from, to)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    if !from.is_dir() {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(in_path(parent))?;
        }
        return fs::copy(from, to).map(drop).map_err(in_path(from));
    }
    for name in names(from)? {
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Installs the page's packages, unless done for this lock file already.
fn install(web: &Path) -> Result<(), String> {
    let (lock, done) = (web.join("package-lock.json"), web.join("installed.json"));
    let locked = fs::read(&lock).map_err(in_path(&lock))?;
    if fs::read(&done).is_ok_and(|installed| installed == locked) {
        return Ok(());
    }
    let quiet = ["--no-audit", "--no-fund", "--ignore-scripts"];
    npm(web, &[&["ci", "--include=dev"], &quiet[..]].concat())?;
    fs::write(&done, locked).map_err(in_path(&done))
}

fn npm(web: &Path, arguments: &[&str]) -> Result<(), String> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(web)
        .output()
        .map_err(|error| format!("npm does not run ({error}): install Node.js 20.19 or later"))?;
    if output.status.success() {
        return Ok(());
    }
    let output = [output.stderr, output.stdout].concat();
    let output = String::from_utf8_lossy(&output);
    // npm lists all of its options after the error.
    let lines: Vec<&str> = output.lines().take(MAX_LINES).collect();
    let (command, lines) = (arguments.join(" "), lines.join("\n"));
    Err(format!("npm {command} failed:\n{lines}"))
}

/// The table of the page's files as Rust source, sorted by path.
fn table(dist: &Path) -> Result<String, String> {
    let mut paths = names(dist)?;
    paths.retain(|name| dist.join(name).is_file());
    for name in names(&dist.join("assets"))? {
        paths.push(format!("assets/{name}"));
    }
    paths.retain(|path| !matches!(path.rsplit_once('.'), Some((_, "br" | "gz"))));
    for page in ["docs.html", "index.html"] {
        if !paths.iter().any(|path| path == page) {
            return Err(format!("{page} is not in {}", dist.display()));
        }
    }
    paths.sort_unstable();
    let mut table = "&[".to_owned();
    for path in paths {
        let file = |extension| encoded_file(&dist.join(format!("{path}{extension}")));
        let identity = file("").ok_or_else(|| format!("{path} is not in {}", dist.display()))?;
        let [br, gzip] = [file(".br"), file(".gz")].map(|file| match file {
            Some(file) => format!("Some({file})"),
            None => "None".to_owned(),
        });
        let encodings = format!("identity: {identity}, br: {br}, gzip: {gzip}");
        // Writing to a string cannot fail.
        let _ = writeln!(table, "PageFile {{ path: {path:?}, {encodings} }},");
    }
    Ok(table + "]")
}

/// A file in one encoding. Its `ETag` only has to change when the bytes do, so the
/// hash may differ between releases of Rust.
fn encoded_file(path: &Path) -> Option<String> {
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(path).ok()?);
    let path = path.to_string_lossy();
    let etag = format!("\"{:016x}\"", hasher.finish());
    Some(format!(
        "EncodedFile {{ etag: {etag:?}, bytes: include_bytes!({path:?}) }}"
    ))
}

fn names(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(in_path(folder))?;
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.map_err(in_path(folder))?.file_name();
        Ok(name.to_string_lossy().into_owned())
    };
    entries.map(name).collect()
}

fn in_path(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}
