//! Builds the page of `web/` and writes the table by which it is embedded.
//!
//! Only optimised builds do: a debug build, `cargo check` and clippy must not
//! wait for npm. Nothing is written outside of cargo's output folder. Where the
//! page cannot be built, the table is empty and a plain page is served.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "standard output is how a build script speaks to cargo"
)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A folder with the page as `npm run build` leaves it.
const PREBUILT: &str = "TRUNKLINE_UI_DIST";
/// Set to anything: a build without the page is a failure.
const REQUIRED: &str = "TRUNKLINE_UI_REQUIRED";
/// Of what npm says when it fails.
const MOST_LINES: usize = 20;
/// What the page is built from. Never `web` itself: `node_modules` is in it.
const SOURCES: [&str; 8] = [
    "index.html",
    "docs.html",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vite.config.ts",
    "vite",
    "src",
];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    println!("cargo::rerun-if-env-changed={REQUIRED}");
    let out = folder("OUT_DIR");
    let is_wanted = env::var_os("CARGO_FEATURE_UI").is_some()
        && env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let table = if is_wanted {
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
            println!("cargo::warning=the chat page is left out, a plain one takes its place");
            for line in reason.lines() {
                println!("cargo::warning={line}");
            }
            "&[]".to_owned()
        }
    };
    match fs::write(out.join("page.rs"), table) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write the table of the page: {error}");
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
        renew(&from.join(name), &to.join(name))?;
    }
    install(&to)?;
    npm(&to, &["run", "build"])?;
    Ok(to.join("dist"))
}

/// Makes the copy of a file or folder like it, files that are gone included.
fn renew(from: &Path, to: &Path) -> Result<(), String> {
    if !from.exists() {
        return Err(format!("{} is missing", from.display()));
    }
    if to.is_dir() {
        fs::remove_dir_all(to).map_err(told(to))?;
    }
    copy(from, to)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    if !from.is_dir() {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(told(parent))?;
        }
        return fs::copy(from, to).map(drop).map_err(told(from));
    }
    for name in names(from)? {
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Fetches what the page is made of, unless that was done for this lockfile.
fn install(web: &Path) -> Result<(), String> {
    let (lock, done) = (web.join("package-lock.json"), web.join("installed.json"));
    let locked = fs::read(&lock).map_err(told(&lock))?;
    if fs::read(&done).is_ok_and(|installed| installed == locked) {
        return Ok(());
    }
    let quiet = ["--no-audit", "--no-fund", "--ignore-scripts"];
    npm(web, &[&["ci", "--include=dev"], &quiet[..]].concat())?;
    fs::write(&done, locked).map_err(told(&done))
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
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    // npm explains all of its options behind what matters.
    let said: Vec<&str> = said.lines().take(MOST_LINES).collect();
    let said = said.join("\n");
    Err(format!("npm {} failed:\n{said}", arguments.join(" ")))
}

/// The table of the page's files as Rust source, sorted by path.
fn table(dist: &Path) -> Result<String, String> {
    let mut paths = Vec::new();
    for name in names(&dist.join("assets"))? {
        paths.push(format!("assets/{name}"));
    }
    paths.retain(|path| !matches!(path.rsplit_once('.'), Some((_, "br" | "gz"))));
    paths.extend(["docs.html", "index.html"].map(str::to_owned));
    paths.sort_unstable();
    let mut table = "&[".to_owned();
    for path in paths {
        let form = |ending| form(&dist.join(format!("{path}{ending}")));
        let identity = form("").ok_or_else(|| format!("{path} is not in {}", dist.display()))?;
        let [br, gzip] = [form(".br"), form(".gz")].map(|form| match form {
            Some(form) => format!("Some({form})"),
            None => "None".to_owned(),
        });
        let forms = format!("identity: {identity}, br: {br}, gzip: {gzip}");
        // Writing to a string cannot fail.
        let _ = writeln!(table, "File {{ path: {path:?}, {forms} }},");
    }
    Ok(table + "]")
}

/// A file in one encoding. Its tag need only change when the bytes do, so the
/// hash may differ from one release of Rust to the next.
fn form(path: &Path) -> Option<String> {
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs::read(path).ok()?);
    let path = path.to_string_lossy();
    let etag = format!("\"{:016x}\"", hasher.finish());
    Some(format!(
        "Form {{ etag: {etag:?}, bytes: include_bytes!({path:?}) }}"
    ))
}

fn names(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(told(folder))?;
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.map_err(told(folder))?.file_name();
        Ok(name.to_string_lossy().into_owned())
    };
    entries.map(name).collect()
}

fn told(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}
