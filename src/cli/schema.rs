//! `trunkline schema`: the JSON Schema of the configuration file.

use std::io::{self, Write};

use crate::config;

pub fn write(out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &config::schema())?;
    writeln!(out)
}
