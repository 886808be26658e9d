//! The whole run: every scenario, in rounds in which the gateways take turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::child::open_files;
use crate::mock_tls;
use crate::options::Options;
use crate::report::{self, Results};
use crate::scenario::{self, Scenario};
use crate::table::{DIRECT, GATEWAYS, Gateway, TRUNKLINE, YARDSTICK};
use crate::turn::{self, Site};

/// A gateway that is there.
type Present = (&'static Gateway, Option<PathBuf>);

/// Gateways of the short run, which is about this harness and Trunkline; nginx
/// serves to tell a fault of the one from a fault of the other.
const SHORT: [&str; 3] = [DIRECT, YARDSTICK, TRUNKLINE];

/// Runs what the options ask for.
pub fn run(options: &Options, directory: &Path) -> Result<(), String> {
    let trunkline = trunkline()?;
    let gateways = gateways(options, &trunkline)?;
    let site = Site { options, directory };
    mock_tls::make_certificate(directory);
    report::conditions(options, &gateways);
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
        let rounds = rounds(&site, &scenario, &gateways)?;
        if options.quick {
            let names: Vec<_> = rounds.iter().map(|(name, _)| *name).collect();
            println!(
                "{}: every answer was right: {}",
                scenario.name,
                names.join(", ")
            );
        } else {
            report::table(&scenario, &rounds);
        }
        results.push((scenario, rounds));
    }
    if !options.quick {
        report::processes(&results, &gateways);
    }
    if let Some(file) = &options.json {
        fs::write(file, json(&results)).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

/// The release binary: the one that is named, or the one that cargo builds
/// now. Not the one that cargo makes for benches, whose dependencies have
/// features that only tests want.
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
        .ok_or("this program stands nowhere")?;
    Ok(target.join("release").join(TRUNKLINE))
}

fn gateways(options: &Options, trunkline: &Path) -> Result<Vec<Present>, String> {
    let mut present = Vec::new();
    for gateway in GATEWAYS {
        let usual = gateway.usual && (!options.quick || SHORT.contains(&gateway.name));
        if !Options::wants(&options.gateways, gateway.name, usual) {
            continue;
        }
        let program = gateway.find(trunkline);
        if gateway.program.is_none() || program.is_some() {
            present.push((gateway, program));
        } else if !options.gateways.is_empty() {
            return Err(format!("{} is not in PATH", gateway.name));
        }
    }
    let known = |name: &String| GATEWAYS.iter().any(|gateway| gateway.name == name);
    match options.gateways.iter().find(|name| !known(name)) {
        Some(name) => Err(format!("there is no gateway {name} in the table")),
        None => Ok(present),
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
            "there is no scenario {name}, but {}",
            names.join(", ")
        ));
    }
    all.retain(|scenario| Options::wants(&options.only, scenario.name, true));
    Ok(all)
}

/// The figures of each gateway, one set a round.
fn rounds(site: &Site<'_>, scenario: &Scenario, gateways: &[Present]) -> Result<Results, String> {
    let able: Vec<_> = gateways
        .iter()
        .filter(|(gateway, _)| {
            let knows_names = gateway.names || gateway.program.is_none();
            gateway.transports.contains(&scenario.transport) && (knows_names || !scenario.keys)
        })
        .collect();
    let mut results: Results = able.iter().map(|(it, _)| (it.name, Vec::new())).collect();
    for _ in 0..site.options.rounds() {
        for ((gateway, program), (_, rounds)) in able.iter().zip(&mut results) {
            let figures = turn::take(site, scenario, gateway, program.as_deref());
            rounds.push(
                figures.map_err(|fault| {
                    format!("{} under {}: {fault}", gateway.name, scenario.name)
                })?,
            );
            if !site.options.quick {
                // Sockets and threads of the last turn are to be gone.
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
