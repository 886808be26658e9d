//! What `trunkline check` says of the ledger, and of limits without one.

use std::io::{self, Write};

use crate::config::{Config, LedgerConfig};
use crate::ledger::{LedgerFile, probe};

/// Nothing is created.
pub fn write(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let windows = has_windows(config);
    let Some(ledger) = &config.ledger else {
        if windows && config.store.is_some() {
            writeln!(
                out,
                "No ledger: usage is not recorded, and what was used of limits is in the store alone"
            )?;
        } else if windows {
            writeln!(
                out,
                "No ledger: a restart forgets what was used of limits by day, week, month or total; \
                 set ledger.path"
            )?;
        }
        return Ok(());
    };
    write_state(ledger, windows, out)
}

fn write_state(ledger: &LedgerConfig, windows: bool, out: &mut dyn Write) -> io::Result<()> {
    let path = ledger.path.display();
    let days = ledger.retention_days;
    let forgets = if windows {
        ", and limits by day, week, month or total start anew"
    } else {
        ""
    };
    match probe(&ledger.path) {
        LedgerFile::Ready => writeln!(out, "Ledger: {path}, kept for {days} days"),
        LedgerFile::Absent => {
            writeln!(
                out,
                "Ledger: {path}, kept for {days} days; it is created at the start"
            )
        }
        LedgerFile::InUse => writeln!(
            out,
            "Ledger: {path}, kept for {days} days; a process writes it now"
        ),
        LedgerFile::Damaged(error) => writeln!(
            out,
            "warning: the ledger {path}: {error}; at the start it is set aside{forgets}"
        ),
        LedgerFile::Unusable(error) => writeln!(
            out,
            "warning: the ledger {path}: {error}; the gateway starts without it: usage is not \
             recorded{forgets} at each restart"
        ),
    }
}

/// Whether a limit counts over more than an hour, which is what a restart would forget.
fn has_windows(config: &Config) -> bool {
    let mut amounts = config.limits.iter().flat_map(|limit| &limit.amounts);
    amounts.any(|amount| amount.period.refill().is_none())
}
