//! The plan of each model that has more than one place to go to.

use std::io::{self, Write};

use crate::config::{Config, Hedge, Model, Provider, Step, Target};

/// Writes the steps of every such model, the first to be tried first.
pub fn write(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    for model in config.models.values() {
        let steps = model.steps(&config.models);
        if steps.iter().map(|step| places(config, step)).sum::<usize>() > 1 {
            let most = model.retry.attempts;
            write!(out, "\nPlan of {}, at most {most} attempts", model.alias)?;
            if let Some(affinity) = &model.affinity {
                write!(out, ", affinity by {}", affinity.by)?;
            }
            writeln!(out, ":")?;
            for (number, step) in (1..).zip(&steps) {
                writeln!(out, "  {number}. {}", line(config, model, step))?;
            }
            if let Some(hedge) = model.hedge {
                writeln!(out, "  {}", when(hedge))?;
            }
        }
    }
    Ok(())
}

fn when(hedge: Hedge) -> String {
    let time = match hedge {
        Hedge::After(time) => humantime::format_duration(time).to_string(),
        Hedge::Quantile { percent, floor, .. } => format!(
            "the time of {percent} % of its last answers, {} at least",
            humantime::format_duration(floor)
        ),
    };
    format!("A second one beside the first after {time}.")
}

/// How many targets a step comes to: one for each credential.
fn places(config: &Config, step: &Step<'_>) -> usize {
    let targets = step.targets.iter();
    targets.map(|target| keys(config, target).max(1)).sum()
}

fn keys(config: &Config, target: &Target) -> usize {
    let provider = config.providers.get(&target.provider);
    provider.map_or(0, |provider| provider.usable().count())
}

fn line(config: &Config, model: &Model, step: &Step<'_>) -> String {
    let whole: u32 = step.targets.iter().map(|target| target.weight).sum();
    let shows_share = step.targets.len() > 1;
    let texts: Vec<String> = step
        .targets
        .iter()
        .map(|target| {
            let share = if shows_share {
                let share = f64::from(target.weight) * 100.0 / f64::from(whole);
                format!(" {share:.0} %")
            } else {
                String::new()
            };
            let state = match (keys(config, target), is_ready(config, target)) {
                (_, false) => " (left out)".to_owned(),
                (0 | 1, true) => String::new(),
                (count, true) => format!(" ({count} keys)"),
            };
            format!(
                "{}/{}{share}{state}",
                target.provider, target.upstream_model
            )
        })
        .collect();
    let text = texts.join(", ");
    if step.model.alias == model.alias {
        text
    } else {
        format!("{text}, as {}", step.model.alias)
    }
}

fn is_ready(config: &Config, target: &Target) -> bool {
    let provider = config.providers.get(&target.provider);
    provider.is_some_and(Provider::is_ready)
}
