//! The figures as tables: medians over the rounds, their ratio to the baseline and
//! their difference to a direct call.

use std::path::{Path, PathBuf};

use crate::gateways::{BASELINE, DIRECT, Gateway};
use crate::options::Options;
use crate::round::Figures;
use crate::scenario::{Kind, Scenario};

/// The rounds of each gateway, in the order of the table of gateways.
pub type Results = Vec<(&'static str, Vec<Figures>)>;

/// A column: its heading, its figure and the format of that.
struct Column(&'static str, &'static str, Format);

#[derive(Clone, Copy)]
enum Format {
    /// The figure itself, with this many decimals.
    Plain(usize),
    /// With its ratio to the baseline's.
    Ratio(usize),
    /// The difference to a direct call, and the ratio of that. The direct call shows
    /// the figure itself.
    Added(usize),
}

use Format::{Added, Plain, Ratio};

const LATENCY: [Column; 3] = [
    Column("added p50 µs", "latency_p50_us", Added(0)),
    Column("added p99 µs", "latency_p99_us", Added(0)),
    Column("added p99.9 µs", "latency_p999_us", Added(0)),
];
/// Last in every table: they show that the harness was not the bottleneck, and that
/// no other program took the machine.
const HELPERS: [Column; 4] = [
    Column("cores used", "gateway_cores", Plain(2)),
    Column("by the mock", "mock_cores", Plain(2)),
    Column("by the load", "load_cores", Plain(2)),
    Column("by others", "other_cores", Plain(2)),
];

fn columns(kind: Kind) -> Vec<Column> {
    let per_request = Column("CPU µs/request", "cpu_us_per_request", Ratio(1));
    let per_chunk = Column("CPU µs/chunk", "cpu_us_per_chunk", Ratio(2));
    let peak = Column("peak MiB", "peak_mib", Plain(1));
    let relay = [
        Column("relay p50 µs", "relay_p50_us", Ratio(0)),
        Column("relay p99 µs", "relay_p99_us", Ratio(0)),
    ];
    let first = [
        Column("first chunk p50 µs", "first_p50_us", Plain(0)),
        Column("first chunk p99 µs", "first_p99_us", Plain(0)),
    ];
    let mut columns = match kind {
        Kind::Requests => vec![
            per_request,
            Column("requests/s", "requests_per_s", Plain(0)),
        ],
        Kind::LargeRequests => vec![
            per_request,
            Column("requests/s", "requests_per_s", Plain(0)),
            Column("KiB/request", "kib_per_request", Ratio(0)),
        ],
        Kind::Even => vec![per_request],
        Kind::Leases => vec![
            per_request,
            Column("store calls/s", "store_calls_per_s", Plain(0)),
            Column("store cores", "store_cores", Plain(3)),
        ],
        Kind::Burst => vec![
            per_chunk,
            Column("chunks/s", "chunks_per_s", Plain(0)),
            Column("chunks/read", "chunks_per_read", Plain(2)),
            Column("chunks/frame", "chunks_per_frame", Plain(2)),
        ],
        Kind::Paced => vec![per_chunk],
        Kind::Open => vec![
            per_chunk,
            Column("KiB/stream", "kib_per_stream", Ratio(1)),
            Column("streams open", "open", Plain(0)),
        ],
    };
    match kind {
        // At full load requests wait for each other: the tail means little.
        Kind::Requests | Kind::LargeRequests => columns.extend(LATENCY.into_iter().take(2)),
        Kind::Even | Kind::Leases => columns.extend(LATENCY),
        Kind::Burst => columns.extend(first),
        Kind::Paced | Kind::Open => columns.extend(relay.into_iter().chain(first)),
    }
    columns.push(peak);
    columns.extend(HELPERS);
    columns
}

/// Prints the conditions of the run.
pub fn print_conditions(options: &Options, gateways: &[(&'static Gateway, Option<PathBuf>)]) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let names: Vec<_> = gateways.iter().map(|(gateway, _)| gateway.name).collect();
    println!(
        "{} workers for each gateway, {} threads each for mock and load; {} rounds of {:?}; load average before: {}",
        options.workers(),
        Options::helpers(),
        options.rounds(),
        options.window(),
        load.split_whitespace().next().unwrap_or("unknown"),
    );
    println!("gateways: {}", names.join(", "));
    for (gateway, program) in gateways {
        let version = program.as_ref().and_then(|it| gateway.version(it));
        if let Some(version) = version {
            println!("{}: {version}", gateway.name);
        }
    }
}

/// Prints one scenario.
pub fn print_scenario(scenario: &Scenario, results: &Results) {
    println!("\n### {}: {}\n", scenario.name, scenario.description);
    let columns = columns(scenario.kind);
    let headings = columns
        .iter()
        .map(|Column(heading, ..)| (*heading).to_owned());
    let mut rows = vec![std::iter::once(String::new()).chain(headings).collect()];
    for (name, rounds) in results {
        let cells = columns
            .iter()
            .map(|column| cell(column, name, rounds, results));
        rows.push(std::iter::once((*name).to_owned()).chain(cells).collect());
    }
    print_rows(&rows);
}

/// Prints start time, memory and size of each gateway, over all scenarios.
pub fn print_processes(
    results: &[(Scenario, Results)],
    gateways: &[(&'static Gateway, Option<PathBuf>)],
) {
    println!("\n### Processes\n");
    let headings = ["", "start to first response ms", "idle MiB", "binary MiB"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for (gateway, program) in gateways {
        let Some(program) = program else { continue };
        let rounds_of_gateway = || {
            let plain = results
                .iter()
                .filter(|(scenario, _)| scenario.alias_count == 1);
            plain
                .flat_map(|(_, results)| results)
                .filter(|(name, _)| *name == gateway.name)
                .flat_map(|(_, rounds)| rounds)
        };
        let format = |name| {
            median(rounds_of_gateway(), name).map_or_else(dash, |figure| format!("{figure:.1}"))
        };
        rows.push(vec![
            gateway.name.to_owned(),
            format("start_ms"),
            format("idle_mib"),
            size(program),
        ]);
    }
    print_rows(&rows);
}

fn cell(column: &Column, name: &str, rounds: &[Figures], results: &Results) -> String {
    let Column(_, key, format) = column;
    let of = |name: &str| {
        let (_, rounds) = results.iter().find(|(other, _)| *other == name)?;
        median(rounds.iter(), key)
    };
    let Some(figure) = median(rounds.iter(), key) else {
        return dash();
    };
    let is_direct = name == DIRECT;
    let base = match format {
        Added(_) if !is_direct => of(DIRECT),
        _ => None,
    };
    let is_absolute = base.is_none();
    let base = base.unwrap_or(0.0);
    let baseline = of(BASELINE).map(|baseline| baseline - base);
    let figure = figure - base;
    let (Plain(decimals) | Ratio(decimals) | Added(decimals)) = *format;
    let text = format!("{figure:.decimals$}");
    match (format, baseline) {
        (Ratio(_), _) if is_direct && figure == 0.0 => dash(),
        (Added(_), _) if is_absolute => format!("({text} total)"),
        (Ratio(_) | Added(_), Some(baseline)) if baseline > 0.0 && figure > 0.0 && !is_direct => {
            format!("{text} = {:.2}", figure / baseline)
        }
        _ => text,
    }
}

fn median<'f>(rounds: impl Iterator<Item = &'f Figures>, key: &str) -> Option<f64> {
    let mut figures: Vec<f64> = rounds
        .filter_map(|figures| figures.get(key).copied())
        .collect();
    figures.sort_unstable_by(f64::total_cmp);
    let upper = *figures.get(figures.len() / 2)?;
    let lower = *figures.get(figures.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

fn size(program: &Path) -> String {
    let metadata = std::fs::metadata(program);
    metadata.map_or_else(
        |_| dash(),
        |it| format!("{:.1}", it.len() as f64 / 1_048_576.0),
    )
}

fn dash() -> String {
    "–".to_owned()
}

/// Prints a table that is readable as text and as Markdown; the first row is the
/// heading.
fn print_rows(rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    for (number, row) in rows.iter().enumerate() {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| {
                if column == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
        println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
        if number == 0 {
            let rules = widths.iter().enumerate().map(|(column, &width)| {
                let end = if column == 0 { "-" } else { ":" };
                format!("{}{end}", "-".repeat(width.saturating_sub(1).max(2)))
            });
            println!("| {} |", rules.collect::<Vec<_>>().join(" | "));
        }
    }
}
