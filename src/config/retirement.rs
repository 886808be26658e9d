//! Built-in aliases of models that their provider shuts down.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::ModelConfig;
use crate::wall_clock;

/// The end of the model that a built-in alias is named after.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Retirement {
    /// The provider's name for that model.
    pub was: String,
    /// When the provider shuts it down, or did.
    pub date: Date,
    /// What the provider recommends, unless the alias leads there already.
    pub replacement: Option<String>,
}

impl ModelConfig {
    /// What to know about an alias whose model is shut down, or will be.
    #[must_use]
    pub fn retirement_note(&self) -> Option<String> {
        let retirement = self.retirement.as_ref()?;
        let target = self.targets.first()?;
        let (alias, provider) = (&self.alias, &target.provider);
        let Retirement { was, date, .. } = retirement;
        if target.upstream_model != *was {
            let model = &target.upstream_model;
            return Some(format!(
                "{alias}: {provider} shut {was} down on {date}; the alias leads to {model}, \
                 which the provider recommends instead"
            ));
        }
        let state = if has_come(*date) {
            format!("{provider} shut it down on {date}, so requests fail")
        } else {
            format!("{provider} shuts it down on {date}")
        };
        let cure = match &retirement.replacement {
            Some(model) => format!("set model = {model:?} in [models.{alias}]"),
            None => format!("set another model in [models.{alias}]"),
        };
        Some(format!("{alias}: {state}; {cure}"))
    }
}

fn has_come(date: Date) -> bool {
    let now = Timestamp::try_from(wall_clock::now());
    now.is_ok_and(|now| now.to_zoned(TimeZone::UTC).date() >= date)
}

#[cfg(test)]
mod tests {
    use super::{Date, ModelConfig};
    use crate::config::tests::Trial;
    use crate::wall_clock;

    fn note(text: &str, alias: &str) -> Option<String> {
        Trial::file(text).config().models[alias].retirement_note()
    }

    #[test]
    fn an_alias_of_a_retired_model_leads_to_its_replacement_and_says_so() {
        for (alias, was, date, model) in [
            ("gpt-4-turbo", "gpt-4-turbo", "2026-10-23", "gpt-5.6-sol"),
            (
                "gpt-3.5-turbo",
                "gpt-3.5-turbo",
                "2026-10-23",
                "gpt-5.6-terra",
            ),
            (
                "llama3-70b-groq",
                "llama3-70b-8192",
                "2025-08-31",
                "openai/gpt-oss-120b",
            ),
            (
                "llama3-8b-groq",
                "llama3-8b-8192",
                "2025-08-31",
                "openai/gpt-oss-20b",
            ),
        ] {
            let note = note("", alias).unwrap();
            for part in [alias, was, date, model] {
                assert!(note.contains(part), "{part} is not in {note}");
            }
        }
        assert_eq!(note("", "mistral-large"), None);
    }

    #[test]
    fn the_note_changes_on_the_day_of_the_shutdown() {
        let model = || Trial::empty().config().models.remove("gpt-4o").unwrap();
        let dated = |date: Date| {
            let mut model: ModelConfig = model();
            model.retirement.as_mut().unwrap().date = date;
            model.retirement_note().unwrap()
        };
        let (past, future) = (Date::constant(2000, 1, 1), Date::constant(9000, 1, 1));
        assert!(dated(past).contains("shut it down on 2000-01-01, so requests fail"));
        assert_eq!(
            dated(future),
            "gpt-4o: openai shuts it down on 9000-01-01; set model = \"gpt-6-luna\" in [models.gpt-4o]"
        );
        let today = Date::constant(2027, 1, 14);
        let before = dated(today);
        wall_clock::jump(100 * 365 * 86_400);
        let after = dated(today);
        assert!(after.contains("requests fail"), "{before} {after}");
    }

    #[test]
    fn an_alias_with_a_target_of_its_own_has_no_note() {
        for text in [
            "[models.gpt-4o]\nmodel = \"gpt-6-luna\"",
            "[models.gpt-4o]\nprovider = \"azure\"",
            "[models.gpt-4o]\ntargets = [{ provider = \"azure\" }]",
        ] {
            assert_eq!(note(text, "gpt-4o"), None, "{text}");
        }
        let other_key = "[models.gpt-4o]\nretry = { attempts = 2 }";
        assert!(note(other_key, "gpt-4o").is_some());
    }
}
