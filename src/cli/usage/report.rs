//! A report as a table for people, as CSV, and as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Map, Value};

use super::dollars;

/// The sums of `usage`, in the order of the ledger, and their names in tables.
const SUMS: [(&str, &str); 9] = [
    ("requests", "REQUESTS"),
    ("input_tokens", "INPUT"),
    ("cached_tokens", "CACHED"),
    ("cache_write_tokens", "CACHE WRITES"),
    ("output_tokens", "OUTPUT"),
    ("reasoning_tokens", "REASONING"),
    ("cost_usd", "COST USD"),
    ("estimated_cost_usd", "ESTIMATED"),
    ("unpriced_requests", "UNPRICED"),
];
/// The first and the last of them that are money.
const MONEY: std::ops::RangeInclusive<usize> = 6..=7;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportCell {
    Text(String),
    Number(u128),
    /// Dollars, as decimal text: a float would round it.
    Money(u128),
}

/// A table. Rows of usage with equal labels are summed up.
#[derive(Debug)]
pub struct ReportTable {
    /// Names in CSV and JSON, and in tables.
    headings: Vec<(String, String)>,
    rows: Vec<Vec<ReportCell>>,
    usage: Option<Usage>,
}

#[derive(Debug, Default)]
struct Usage {
    /// By their labels, so that they are sorted.
    rows: BTreeMap<Vec<String>, [u128; SUMS.len()]>,
    total: [u128; SUMS.len()],
}

// === impl ReportCell ===

impl ReportCell {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub fn money(picodollars: u128) -> Self {
        Self::Money(picodollars)
    }

    /// Names come from clients: what a terminal would obey is escaped.
    fn shown(&self) -> String {
        match self {
            Self::Text(text) if text.is_empty() => "-".to_owned(),
            Self::Text(text) => text.chars().fold(String::new(), |mut shown, letter| {
                if letter.is_control() {
                    shown.extend(letter.escape_default());
                } else {
                    shown.push(letter);
                }
                shown
            }),
            Self::Number(number) => number.to_string(),
            Self::Money(units) => dollars(*units),
        }
    }

    /// RFC 4180.
    fn csv(&self) -> String {
        match self {
            Self::Text(text) if text.contains([',', '"', '\n', '\r']) => {
                format!("\"{}\"", text.replace('"', "\"\""))
            }
            Self::Text(text) => text.clone(),
            Self::Number(_) | Self::Money(_) => self.shown(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => u64::try_from(*number).unwrap_or(u64::MAX).into(),
            Self::Money(units) => dollars(*units).into(),
        }
    }
}

// === impl Usage ===

impl Usage {
    fn cells(sums: &[u128; SUMS.len()]) -> impl Iterator<Item = ReportCell> {
        sums.iter().enumerate().map(|(index, sum)| {
            if MONEY.contains(&index) {
                ReportCell::Money(*sum)
            } else {
                ReportCell::Number(*sum)
            }
        })
    }

    fn add(sums: &mut [u128; SUMS.len()], more: &[u128; SUMS.len()]) {
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum += more;
        }
    }
}

// === impl ReportTable ===

impl ReportTable {
    pub fn of_rows(headings: &[&str], rows: Vec<Vec<ReportCell>>) -> Self {
        let headings = headings.iter();
        Self {
            headings: headings
                .map(|&name| (name.to_owned(), heading(name)))
                .collect(),
            rows,
            usage: None,
        }
    }

    /// Of what is split by these labels.
    pub fn of_usage(labels: impl Iterator<Item = &'static str>) -> Self {
        let labels = labels.map(|name| (name.to_owned(), heading(name)));
        let sums = SUMS.map(|(name, heading)| (name.to_owned(), heading.to_owned()));
        Self {
            headings: labels.chain(sums).collect(),
            rows: Vec::new(),
            usage: Some(Usage::default()),
        }
    }

    pub fn add_usage(&mut self, labels: Vec<String>, sums: &[u128; SUMS.len()]) {
        if let Some(usage) = &mut self.usage {
            Usage::add(usage.rows.entry(labels).or_default(), sums);
            Usage::add(&mut usage.total, sums);
        }
    }

    fn rows(&self) -> Vec<Vec<ReportCell>> {
        let usage = self.usage.iter().flat_map(|usage| &usage.rows);
        let usage = usage.map(|(labels, sums)| {
            let labels = labels.iter().map(|label| ReportCell::text(label));
            labels.chain(Usage::cells(sums)).collect()
        });
        self.rows.iter().cloned().chain(usage).collect()
    }

    /// With aligned columns, and the total below.
    pub fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = self.rows();
        if let Some(usage) = &self.usage {
            let labels = self.headings.len() - SUMS.len();
            let labels =
                (0..labels).map(|index| ReportCell::text(if index == 0 { "total" } else { "" }));
            rows.push(labels.chain(Usage::cells(&usage.total)).collect());
        }
        let headings = self.headings.iter().map(|(_, heading)| heading.clone());
        let mut lines: Vec<Vec<String>> = vec![headings.collect()];
        lines.extend(
            rows.iter()
                .map(|row| row.iter().map(ReportCell::shown).collect()),
        );
        let mut widths = vec![0; self.headings.len()];
        for line in &lines {
            for (width, text) in widths.iter_mut().zip(line) {
                *width = text.chars().count().max(*width);
            }
        }
        let is_text = |index: usize| {
            let first = rows.first().and_then(|row| row.get(index));
            first.is_none_or(|cell| matches!(cell, ReportCell::Text(_)))
        };
        for line in &lines {
            let cells = line.iter().zip(&widths).enumerate();
            let cells = cells.map(|(index, (text, width))| {
                if is_text(index) {
                    format!("{text:width$}")
                } else {
                    format!("{text:>width$}")
                }
            });
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let names = self.headings.iter().map(|(name, _)| name.as_str());
        writeln!(out, "{}", names.collect::<Vec<_>>().join(","))?;
        for row in self.rows() {
            let cells: Vec<String> = row.iter().map(ReportCell::csv).collect();
            writeln!(out, "{}", cells.join(","))?;
        }
        Ok(())
    }

    /// A list of objects, one a line.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let objects = self.rows().into_iter().map(|row| {
            let names = self.headings.iter().map(|(name, _)| name.clone());
            let object: Map<String, Value> = names.zip(row.iter().map(ReportCell::json)).collect();
            Value::Object(object).to_string()
        });
        let objects: Vec<String> = objects.collect();
        if objects.is_empty() {
            return writeln!(out, "[]");
        }
        writeln!(out, "[\n{}\n]", objects.join(",\n"))
    }
}

fn heading(name: &str) -> String {
    name.replace('_', " ").to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> ReportTable {
        let mut report = ReportTable::of_usage(["team", "day"].into_iter());
        let labels = |team: &str| vec![team.to_owned(), "2026-11-01".to_owned()];
        let sums = [2, 30, 10, 0, 4, 0, 1_250_000_000_000, 250_000_000_000, 1];
        report.add_usage(labels("search, \"EU\""), &sums);
        report.add_usage(labels(""), &sums);
        report.add_usage(labels(""), &[1, 1, 0, 0, 1, 0, 1, 0, 0]);
        report
    }

    fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_is_aligned_and_ends_with_the_total() {
        let table = text(|out| report().write_table(out));
        let expected = "\
TEAM          DAY         REQUESTS  INPUT  CACHED  CACHE WRITES  OUTPUT  REASONING        COST USD  ESTIMATED  UNPRICED
-             2026-11-01         3     31      10             0       5          0  1.250000000001       0.25         1
search, \"EU\"  2026-11-01         2     30      10             0       4          0            1.25       0.25         1
total         -                  5     61      20             0       9          0  2.500000000001        0.5         2
";
        assert_eq!(table, expected);
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let csv = text(|out| report().write_csv(out));
        let expected = "\
team,day,requests,input_tokens,cached_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cost_usd,estimated_cost_usd,unpriced_requests
,2026-11-01,3,31,10,0,5,0,1.250000000001,0.25,1
\"search, \"\"EU\"\"\",2026-11-01,2,30,10,0,4,0,1.25,0.25,1
";
        assert_eq!(csv, expected);
    }

    #[test]
    fn json_has_exact_money() {
        let json = text(|out| report().write_json(out));
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json[0]["cost_usd"], "1.250000000001");
        assert_eq!(json[1]["team"], "search, \"EU\"");
        assert_eq!(json[1]["requests"], 2);
        assert_eq!(json.as_array().unwrap().len(), 2);
        let none = ReportTable::of_usage(["team"].into_iter());
        assert_eq!(text(|out| none.write_json(out)), "[]\n");
    }

    #[test]
    fn a_name_cannot_control_the_terminal() {
        let rows = vec![vec![ReportCell::text("a\u{1b}[2J\nb")]];
        let report = ReportTable::of_rows(&["user"], rows);
        let table = text(|out| report.write_table(out));
        assert_eq!(table, "USER\na\\u{1b}[2J\\nb\n");
        let csv = text(|out| report.write_csv(out));
        assert_eq!(csv, "user\n\"a\u{1b}[2J\nb\"\n");
    }
}
