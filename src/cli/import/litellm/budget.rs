//! `max_budget`, `budget_duration` and `timezone` of `litellm_settings`.

use jiff::tz::TimeZone;
use toml_edit::Value;

use super::number::Number;
use super::settings::is_off;
use crate::cli::import::notes::{NoteScope, Notes};
use crate::cli::import::yaml::{Entry, Node, Position};
use crate::config::Period;

const PERIODS: &str = "not carried over: a budget is for a day, a week, a month or all time; write [limits.proxy] with the nearest of these, such as budget = [\"100/month\"]";

/// The budget of all clients together.
pub struct ProxyBudget {
    pub position: Position,
    pub dollars: Number,
    pub period: Period,
    pub time_zone: Option<String>,
}

/// None without a budget; in LiteLLM, 0 is none.
pub fn read(settings: Option<&Node>, notes: &mut Notes) -> Option<ProxyBudget> {
    let entries = settings.map_or(&[][..], Node::entries);
    let find = |key: &str| {
        entries
            .iter()
            .find(|it| it.key == key && !it.node.is_null())
    };
    let mut note = |entry: &Entry, text: &str| {
        let key = format!("litellm_settings.{}", entry.key);
        notes.add(&NoteScope::File, &entry.position, &key, text);
    };
    let budget = find("max_budget").filter(|it| !is_off(it))?;
    let number = budget.node.text().and_then(Number::parse);
    let Some(dollars) = number.filter(|it| it.dollars().is_some()) else {
        note(
            budget,
            "not carried over: not a number of dollars up to 18000000",
        );
        return None;
    };
    let duration = find("budget_duration");
    let period = match duration.and_then(|it| it.node.text()) {
        None => Some(Period::Total),
        Some(text) => period(text),
    };
    let Some(period) = period else {
        note(duration.unwrap_or(budget), PERIODS);
        return None;
    };
    let zone = find("timezone").filter(|_| period != Period::Total);
    let is_known = |name: &&str| TimeZone::get(name).is_ok();
    let time_zone = zone.and_then(|it| it.node.text()).filter(is_known);
    if let (Some(zone), None) = (zone, time_zone) {
        note(
            zone,
            "not carried over: not the name of a time zone; set time_zone of [limits.proxy]",
        );
    }
    (!dollars.is_zero()).then(|| ProxyBudget {
        position: budget.position.clone(),
        dollars,
        period,
        time_zone: time_zone.map(str::to_owned),
    })
}

/// LiteLLM's durations that end with a day, week or month of the calendar
/// (<https://docs.litellm.ai/docs/proxy/budget_reset_and_tz>, read 2026-11).
fn period(duration: &str) -> Option<Period> {
    match duration.trim() {
        "1d" | "24h" => Some(Period::Day),
        "7d" => Some(Period::Week),
        "30d" | "1mo" => Some(Period::Month),
        _ => None,
    }
}

// === impl ProxyBudget ===

impl ProxyBudget {
    /// Its table.
    pub fn lines(&self) -> Vec<String> {
        let dollars = self.dollars.dollars().unwrap_or_default();
        let amount = format!("{dollars}/{}", self.period.name());
        let mut lines = vec![
            "[limits.proxy]".to_owned(),
            format!("budget = [{}]", Value::from(amount)),
        ];
        let zone = self.time_zone.as_deref();
        lines.extend(zone.map(|zone| format!("time_zone = {}", Value::from(zone))));
        lines
    }
}
