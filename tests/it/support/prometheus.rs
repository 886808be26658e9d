//! A parser of the Prometheus text format.

use std::collections::BTreeMap;

pub struct Metrics {
    samples: Vec<Sample>,
}

pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Metrics {
    /// Parses a scrape; panics on a malformed line.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self {
            samples: lines.map(parse_sample).collect(),
        }
    }

    /// The sum over all series with this name and these labels; `None` if there is
    /// none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self
            .select(name, labels)
            .map(|sample| sample.value)
            .peekable();
        found.peek()?;
        Some(found.sum())
    }

    /// The series with this name and these labels.
    pub fn select<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            let matches = |(label, value): &(&str, &str)| {
                sample
                    .labels
                    .get(*label)
                    .is_some_and(|found| found == value)
            };
            sample.name == name && labels.iter().all(matches)
        })
    }

    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// All distinct values of a label.
    pub fn values_of(&self, label: &str) -> Vec<&str> {
        let mut values: Vec<&str> = self
            .samples
            .iter()
            .filter_map(|sample| sample.labels.get(label))
            .map(String::as_str)
            .collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

#[track_caller]
fn parse_sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect(line);
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').expect(line)),
        None => (series, ""),
    };
    Sample {
        name: name.to_owned(),
        labels: parse_labels(labels),
        value: value.parse().expect(line),
    }
}

fn parse_labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((label, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().expect(text) {
                (_, '\\') => match characters.next().expect(text).1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (at, '"') => break at,
                (_, other) => value.push(other),
            }
        };
        labels.insert(label.trim_start_matches(',').to_owned(), value);
        rest = &after[end + 1..];
    }
    labels
}

#[test]
fn reads_names_labels_and_values() {
    let metrics = Metrics::parse(
        "# HELP a b\na_total{x=\"1\",y=\"q\\\"}, \\\\\"} 2\na_total{x=\"2\",y=\"z\"} 3.5\nplain 7\n",
    );
    assert_eq!(metrics.sum("a_total", &[]), Some(5.5));
    assert_eq!(metrics.sum("a_total", &[("y", "q\"}, \\")]), Some(2.0));
    assert_eq!(metrics.sum("plain", &[]), Some(7.0));
    assert_eq!(metrics.sum("absent", &[]), None);
    assert_eq!(metrics.values_of("x"), ["1", "2"]);
    assert_eq!(metrics.len(), 3);
}
