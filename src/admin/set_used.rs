//! The body of `PUT /limits`.

use serde::Deserialize;
use serde_json::Number;

use crate::config::{COST_DIGITS, LimitUnit, Period, decimal};
use crate::limits::{QuotaKind, RuleReport, UsedAmount};

pub const USAGE: &str = r#"the body is JSON, such as {"rule": "each-key", "subject": "key alice", "of": "budget", "period": "day", "used": "1.50"}; rule, subject, model, user and provider as GET /limits shows them
"#;

/// An amount of one subject, and what is to be taken for used of it.
#[derive(Debug, PartialEq)]
pub struct SetUsed {
    pub rule: String,
    pub subject: String,
    model: Option<String>,
    user: Option<String>,
    provider: Option<String>,
    pub of: LimitUnit,
    pub period: Period,
    used: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetUsedBody {
    rule: String,
    #[serde(default)]
    subject: String,
    model: Option<String>,
    user: Option<String>,
    provider: Option<String>,
    of: String,
    period: String,
    used: WrittenAmount,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenAmount {
    Text(String),
    Number(Number),
}

impl SetUsed {
    /// The error says what is wrong with the body.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let written: SetUsedBody = serde_json::from_slice(body).map_err(|it| it.to_string())?;
        let of = LimitUnit::ALL.into_iter().find(|it| it.key() == written.of);
        let of = of.ok_or_else(|| {
            let known = LimitUnit::ALL.map(LimitUnit::key).join(", ");
            format!("of is not one of {known}")
        })?;
        let period = Period::from_name(&written.period).ok_or_else(|| {
            let known = Period::ALL.map(Period::name).join(", ");
            format!("period is not one of {known}")
        })?;
        let used = match written.used {
            WrittenAmount::Text(text) => text,
            WrittenAmount::Number(number) => number.to_string(),
        };
        let (digits, what) = match of {
            LimitUnit::Budget => (COST_DIGITS, "dollars from 0 on"),
            _ => (0, "a whole number from 0 on"),
        };
        let used = decimal(&used, digits).ok_or_else(|| format!("used is not {what}"))?;
        Ok(Self {
            rule: written.rule,
            subject: written.subject,
            model: written.model,
            user: written.user,
            provider: written.provider,
            of,
            period,
            used,
        })
    }

    pub fn amount(&self) -> UsedAmount<'_> {
        UsedAmount {
            rule: &self.rule,
            subject: &self.subject,
            model: self.model.as_deref(),
            user: self.user.as_deref(),
            provider: self.provider.as_deref(),
            of: self.of,
            period: self.period,
            used: self.used,
        }
    }

    pub fn kind(&self) -> QuotaKind {
        QuotaKind::Amount(self.of, self.period)
    }

    /// Whether the report is of this subject.
    pub fn is_of(&self, report: &RuleReport) -> bool {
        *report.rule == *self.rule
            && *report.subject == *self.subject
            && report.model.as_deref() == self.model.as_deref()
            && report.user.as_deref() == self.user.as_deref()
            && report.provider.as_deref() == self.provider.as_deref()
    }

    /// What is used of the amount, without what running requests have reserved.
    pub fn used_of(&self, report: &RuleReport) -> Option<u64> {
        let mut quotas = report.quotas.iter();
        let quota = quotas.find(|quota| quota.kind == self.kind())?;
        let reserved = quota.reserved.unwrap_or_default();
        Some(quota.used.saturating_sub(reserved))
    }
}

#[cfg(test)]
mod tests {
    use super::SetUsed;
    use crate::config::{LimitUnit, Period};

    fn parse(of: &str, period: &str, used: &str) -> Result<SetUsed, String> {
        let body =
            format!(r#"{{"rule": "r", "of": "{of}", "period": "{period}", "used": {used}}}"#);
        SetUsed::parse(body.as_bytes())
    }

    #[test]
    fn dollars_are_exact_and_other_amounts_whole() {
        for (written, picodollars) in [
            ("\"1.50\"", 1_500_000_000_000),
            ("1.5", 1_500_000_000_000),
            ("0", 0),
            ("7", 7_000_000_000_000),
            ("\"0.000000000001\"", 1),
        ] {
            let parsed = parse("budget", "day", written).unwrap();
            assert_eq!(parsed.used, picodollars, "{written}");
            assert_eq!((parsed.of, parsed.period), (LimitUnit::Budget, Period::Day));
        }
        for written in ["12", "\"12\""] {
            assert_eq!(parse("tokens", "month", written).unwrap().used, 12);
        }
        for (of, written) in [
            ("budget", "-1"),
            ("budget", "\"$1\""),
            ("budget", "\"\""),
            ("budget", "\"99999999999\""),
            ("budget", "\"0.0000000000001\""),
            ("tokens", "1.5"),
            ("tokens", "\"1k\""),
        ] {
            let error = parse(of, "day", written).unwrap_err();
            assert!(error.starts_with("used is not "), "{of} {written}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, part) in [
            ("", "EOF"),
            ("{}", "missing field `rule`"),
            (r#"{"rule":"r","subjects":"x"}"#, "unknown field `subjects`"),
            (
                r#"{"rule":"r","of":"money","period":"day","used":1}"#,
                "budget",
            ),
            (
                r#"{"rule":"r","of":"budget","period":"daily","used":1}"#,
                "month",
            ),
            (
                r#"{"rule":"r","of":"concurrent","period":"day","used":1}"#,
                "of is not one of",
            ),
            (r#"{"rule":"r","of":"budget","period":"day"}"#, "used"),
        ] {
            let error = SetUsed::parse(body.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{body}: {error}");
        }
    }
}
