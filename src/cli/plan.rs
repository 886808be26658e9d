//! Plans of the models with several targets.

use std::io::{self, Write};

use crate::config::{Config, Hedge, ModelConfig, ProviderConfig, Step, TargetConfig};

/// Writes the steps of each plan, in the order in which they are tried.
pub fn write(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    for model in config.models.values() {
        let steps = model.plan_steps(&config.models);
        if steps
            .iter()
            .map(|step| target_count(config, step))
            .sum::<usize>()
            > 1
        {
            let max_attempts = model.retry.attempts;
            write!(
                out,
                "\nPlan of {}, at most {max_attempts} attempts",
                model.alias
            )?;
            if let Some(affinity) = &model.affinity {
                write!(out, ", affinity by {}", affinity.by)?;
            }
            writeln!(out, ":")?;
            for (number, step) in (1..).zip(&steps) {
                writeln!(out, "  {number}. {}", step_line(config, model, step))?;
            }
            if let Some(hedge) = model.hedge {
                writeln!(out, "  {}", hedge_line(hedge))?;
            }
        }
    }
    Ok(())
}

fn hedge_line(hedge: Hedge) -> String {
    let time = match hedge {
        Hedge::After(time) => humantime::format_duration(time).to_string(),
        Hedge::Quantile { percent, floor, .. } => format!(
            "the p{percent} of recent times to first byte, at least {}",
            humantime::format_duration(floor)
        ),
    };
    format!("Hedged after {time}.")
}

/// Targets of a step: one per credential.
fn target_count(config: &Config, step: &Step<'_>) -> usize {
    let targets = step.targets.iter();
    targets.map(|target| keys(config, target).max(1)).sum()
}

fn keys(config: &Config, target: &TargetConfig) -> usize {
    let provider = config.providers.get(&target.provider);
    provider.map_or(0, |provider| provider.usable_credentials().count())
}

fn step_line(config: &Config, model: &ModelConfig, step: &Step<'_>) -> String {
    let total: u32 = step.targets.iter().map(|target| target.weight).sum();
    let shows_share = step.targets.len() > 1;
    let texts: Vec<String> = step
        .targets
        .iter()
        .map(|target| {
            let share = if shows_share {
                let share = f64::from(target.weight) * 100.0 / f64::from(total);
                format!(" {share:.0} %")
            } else {
                String::new()
            };
            let state = match (keys(config, target), is_ready(config, target)) {
                (_, false) => " (not ready)".to_owned(),
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

fn is_ready(config: &Config, target: &TargetConfig) -> bool {
    let provider = config.providers.get(&target.provider);
    provider.is_some_and(ProviderConfig::is_ready)
}
