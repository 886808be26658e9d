//! `trunkline usage`: what was used, from the ledger.

mod report;
mod time;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use thiserror::Error;

use crate::config::{ConfigErrors, Decimal, LedgerConfig, LimitUnit};
use crate::ledger::{LedgerError, LedgerReader, UsageColumn};
use crate::limits::WindowRecord;
use crate::wall_clock;

use report::{ReportCell, ReportTable};
use time::{TimeSpan, TimeUnit};

/// Options of the command.
#[derive(Debug, clap::Args)]
pub struct UsageArguments {
    /// What to tell apart, with commas between
    #[arg(long, value_enum, value_delimiter = ',', default_value = "model")]
    by: Vec<By>,
    /// From this time on, such as 2026-11-01, "2026-11-01 08:00" or
    /// 2026-11-01T08:00:00Z [default: the beginning]
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Where days begin, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// What limits have counted since their day, week or month began, instead of totals
    #[arg(long, conflicts_with_all = ["by", "since", "until"])]
    limits: bool,
    /// How to print it
    #[arg(long, value_enum, default_value = "table")]
    format: OutputFormat,
    /// The database [default: ledger.path of the configuration]
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Key,
    Team,
    /// As clients name it
    Model,
    Provider,
    /// As the provider names it
    UpstreamModel,
    Session,
    Outcome,
    Hour,
    Day,
    Month,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    Table,
    Csv,
    Json,
}

#[derive(Debug, Error)]
pub enum UsageError {
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    #[error(
        "the configuration names no ledger; set ledger.path, restart the gateway, or name a database with --path"
    )]
    NoLedger,
    #[error("cannot read the ledger {}: {error}", path.display())]
    Ledger { path: PathBuf, error: LedgerError },
    #[error("{0}")]
    Time(#[from] time::TimeError),
}

/// Writes what `arguments` ask for. `configured` is called where they name no database.
pub fn write(
    arguments: &UsageArguments,
    configured: impl FnOnce() -> Result<Option<LedgerConfig>, ConfigErrors>,
    out: &mut dyn Write,
) -> Result<(), UsageError> {
    let zone = time::zone(&arguments.time_zone)?;
    let span = TimeSpan::new(
        arguments.since.as_deref(),
        arguments.until.as_deref(),
        &zone,
    )?;
    let path = match &arguments.path {
        Some(path) => path.clone(),
        None => configured()?.ok_or(UsageError::NoLedger)?.path,
    };
    let report = read(arguments, &path, &span, &zone);
    let report = report.map_err(|error| UsageError::Ledger { path, error })?;
    match arguments.format {
        OutputFormat::Table => report.write_table(out)?,
        OutputFormat::Csv => report.write_csv(out)?,
        OutputFormat::Json => report.write_json(out)?,
    }
    Ok(())
}

fn read(
    arguments: &UsageArguments,
    path: &Path,
    span: &TimeSpan,
    zone: &TimeZone,
) -> Result<ReportTable, LedgerError> {
    let reader = LedgerReader::open(path)?;
    if arguments.limits {
        let now = Timestamp::try_from(wall_clock::now()).unwrap_or_default();
        let windows = reader.open_windows(now)?;
        return Ok(windows_report(&windows, zone));
    }
    usage_report(&reader, &without_repeats(&arguments.by), span, zone)
}

fn without_repeats(by: &[By]) -> Vec<By> {
    let mut seen = Vec::new();
    for it in by {
        if !seen.contains(it) {
            seen.push(*it);
        }
    }
    seen
}

// === impl By ===

impl By {
    fn column(self) -> UsageColumn {
        match self {
            Self::Key => UsageColumn::Key,
            Self::Team => UsageColumn::Team,
            Self::Model => UsageColumn::Model,
            Self::Provider => UsageColumn::Provider,
            Self::UpstreamModel => UsageColumn::UpstreamModel,
            Self::Session => UsageColumn::Session,
            Self::Outcome => UsageColumn::Outcome,
            Self::Hour | Self::Day | Self::Month => UsageColumn::Hour,
        }
    }

    fn unit(self) -> Option<TimeUnit> {
        match self {
            Self::Hour => Some(TimeUnit::Hour),
            Self::Day => Some(TimeUnit::Day),
            Self::Month => Some(TimeUnit::Month),
            _ => None,
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            other => other.column().name(),
        }
    }
}

/// Hours are summed up to days and months here, since these begin elsewhere in other time
/// zones.
fn usage_report(
    reader: &LedgerReader,
    by: &[By],
    span: &TimeSpan,
    zone: &TimeZone,
) -> Result<ReportTable, LedgerError> {
    let mut columns: Vec<UsageColumn> = by.iter().map(|it| it.column()).collect();
    let has_hour = columns.contains(&UsageColumn::Hour);
    columns.retain(|it| *it != UsageColumn::Hour);
    if has_hour {
        columns.push(UsageColumn::Hour);
    }
    let headings = by.iter().map(|it| it.heading());
    let mut report = ReportTable::of_usage(headings);
    for record in reader.usage(&span.hours(), &columns)? {
        let mut names = record.names.into_iter();
        let labels = by.iter().map(|it| match it.unit() {
            Some(unit) => unit.label(record.hour, zone),
            None => names.next().unwrap_or_default(),
        });
        report.add_usage(labels.collect(), &record.sums);
    }
    Ok(report)
}

fn windows_report(windows: &[WindowRecord], zone: &TimeZone) -> ReportTable {
    const HEADINGS: [&str; 11] = [
        "rule", "subject", "model", "user", "provider", "amount", "period", "since", "until",
        "used", "reserved",
    ];
    let optional = |name: &Option<Box<str>>| ReportCell::text(name.as_deref().unwrap_or_default());
    let rows = windows.iter().map(|window| {
        let id = &window.id;
        let amount = |amount: u64| match id.of {
            LimitUnit::Budget => ReportCell::money(amount.into()),
            _ => ReportCell::Number(amount.into()),
        };
        vec![
            ReportCell::text(&id.rule),
            ReportCell::text(&id.subject),
            optional(&id.model),
            optional(&id.user),
            optional(&id.provider),
            ReportCell::text(id.of.key()),
            ReportCell::text(id.period.name()),
            ReportCell::text(&time::moment(id.start, zone)),
            ReportCell::text(&time::moment(window.end, zone)),
            amount(window.used),
            amount(window.reserved),
        ]
    });
    ReportTable::of_rows(&HEADINGS, rows.collect())
}

/// Picodollars as dollars, with all digits.
fn dollars(units: u128) -> String {
    let digits = crate::config::COST_DIGITS;
    Decimal { units, digits }.to_string()
}
