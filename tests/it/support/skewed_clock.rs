//! Processes whose wall clock is wrong: a library that is loaded before the C library's
//! functions moves it. No program has to know.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("skewed_clock.c");

/// The compiled library.
pub struct SkewedClock(PathBuf);

impl SkewedClock {
    /// Compiles it, as the build of this crate does C code, into a folder.
    pub fn compile(folder: &Path) -> Self {
        let (source, library) = (folder.join("skew.c"), folder.join("skew.so"));
        std::fs::write(&source, SOURCE).unwrap();
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-O1", "-o"]);
        let output = command.args([&library, &source]).arg("-ldl").output();
        let output = output.expect("a C compiler");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        Self(library)
    }

    /// The environment of a process whose clock is ahead by so many seconds.
    pub fn env(&self, seconds: i64) -> [(&'static str, String); 2] {
        [
            ("LD_PRELOAD", self.0.display().to_string()),
            ("SKEW_SECONDS", seconds.to_string()),
        ]
    }
}
