//! The run: every scenario, in rounds in which the gateways take turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::gateways::{BASELINE, DIRECT, GATEWAYS, Gateway, TRUNKLINE};
use crate::mock_tls;
use crate::options::Options;
use crate::process::open_files;
use crate::report::{self, Results};
use crate::round::{self, RunContext};
use crate::scenario::{self, Limits, Scenario};
use crate::store;

/// An installed gateway and its program.
type Installed = (&'static Gateway, Option<PathBuf>);

/// Gateways of the short run, which tests this harness and Trunkline; nginx shows
/// which of the two has an error.
const QUICK_GATEWAYS: [&str; 3] = [DIRECT, BASELINE, TRUNKLINE];

pub fn run(options: &Options, directory: &Path) -> Result<(), String> {
    let trunkline = trunkline()?;
    let gateways = gateways(options, &trunkline)?;
    let context = RunContext { options, directory };
    mock_tls::make_certificate(directory);
    report::print_conditions(options, &gateways);
    let mut results = Vec::new();
    for scenario in scenarios(options)? {
        if scenario.open_files() > open_files() {
            let (needed, most) = (scenario.open_files(), open_files());
            println!(
                "\n{}: skipped, it needs {needed} open files and `ulimit -n` allows {most}",
                scenario.name
            );
            continue;
        }
        if scenario.limits == Limits::OverReplicas && !store::is_installed() {
            println!(
                "\n{}: skipped, it needs a Valkey or Redis server",
                scenario.name
            );
            continue;
        }
        let rounds = rounds(&context, &scenario, &gateways)?;
        if options.quick {
            let names: Vec<_> = rounds.iter().map(|(name, _)| *name).collect();
            println!(
                "{}: every response was correct: {}",
                scenario.name,
                names.join(", ")
            );
        } else {
            report::print_scenario(&scenario, &rounds);
        }
        results.push((scenario, rounds));
    }
    if !options.quick {
        report::print_processes(&results, &gateways);
    }
    if let Some(file) = &options.json {
        fs::write(file, json(&results)).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

/// The release binary: the one of `TRUNKLINE_BIN`, or the one that cargo builds now.
/// Not the one that cargo makes for benches, whose dependencies have features that
/// only tests need.
fn trunkline() -> Result<PathBuf, String> {
    if let Some(file) = std::env::var_os("TRUNKLINE_BIN") {
        return Ok(file.into());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--bin", TRUNKLINE])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("cargo could not build the release binary".to_owned());
    }
    // This program is in TARGET/PROFILE/deps.
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = own
        .ancestors()
        .nth(3)
        .ok_or("the path of this program has no target directory")?;
    Ok(target.join("release").join(TRUNKLINE))
}

fn gateways(options: &Options, trunkline: &Path) -> Result<Vec<Installed>, String> {
    let mut installed = Vec::new();
    for gateway in GATEWAYS {
        let by_default =
            gateway.by_default && (!options.quick || QUICK_GATEWAYS.contains(&gateway.name));
        if !Options::selects(&options.gateways, gateway.name, by_default) {
            continue;
        }
        let program = gateway.find(trunkline);
        if gateway.program.is_none() || program.is_some() {
            installed.push((gateway, program));
        } else if !options.gateways.is_empty() {
            return Err(format!("{} is not in PATH", gateway.name));
        }
    }
    let known = |name: &String| GATEWAYS.iter().any(|gateway| gateway.name == name);
    match options.gateways.iter().find(|name| !known(name)) {
        Some(name) => Err(format!("unknown gateway {name}")),
        None => Ok(installed),
    }
}

fn scenarios(options: &Options) -> Result<Vec<Scenario>, String> {
    let mut all = scenario::all(options);
    if let Some(name) = options
        .only
        .iter()
        .find(|name| all.iter().all(|it| it.name != **name))
    {
        let names: Vec<_> = all.iter().map(|scenario| scenario.name).collect();
        return Err(format!(
            "unknown scenario {name}; known: {}",
            names.join(", ")
        ));
    }
    all.retain(|scenario| Options::selects(&options.only, scenario.name, true));
    Ok(all)
}

/// The figures of each gateway, one set per round.
fn rounds(
    context: &RunContext<'_>,
    scenario: &Scenario,
    gateways: &[Installed],
) -> Result<Results, String> {
    let supported: Vec<_> = gateways
        .iter()
        .filter(|(gateway, _)| {
            let has_names = gateway.supports_aliases || gateway.program.is_none();
            gateway.transports.contains(&scenario.transport) && (has_names || !scenario.keys)
        })
        .collect();
    let mut results: Results = supported
        .iter()
        .map(|(it, _)| (it.name, Vec::new()))
        .collect();
    for _ in 0..context.options.rounds() {
        for ((gateway, program), (_, rounds)) in supported.iter().zip(&mut results) {
            let figures = round::measure(context, scenario, gateway, program.as_deref());
            rounds
                .push(figures.map_err(|error| {
                    format!("{} with {}: {error}", gateway.name, scenario.name)
                })?);
            if !context.options.quick {
                // Lets sockets and threads of the last measurement end.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
    Ok(results)
}

fn json(results: &[(Scenario, Results)]) -> String {
    let scenarios: serde_json::Map<_, _> = results
        .iter()
        .map(|(scenario, results)| {
            let gateways: serde_json::Map<_, _> = results
                .iter()
                .map(|(name, rounds)| ((*name).to_owned(), json!(rounds)))
                .collect();
            (scenario.name.to_owned(), gateways.into())
        })
        .collect();
    serde_json::Value::Object(scenarios).to_string()
}
