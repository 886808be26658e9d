//! Names near to one that was not found.

/// Most names offered.
const MOST: usize = 3;
/// Least likeness (Jaro-Winkler, 0 to 1) of a name that is offered.
const LEAST_LIKENESS: f64 = 0.75;
/// A longer name is no slip of the finger, and comparing it costs.
const LONGEST: usize = 128;

/// The names most like `wanted`, the likest first.
pub(super) fn names<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    if wanted.len() > LONGEST {
        return Vec::new();
    }
    let wanted = wanted.to_lowercase();
    let mut found: Vec<(f64, &str)> = known
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    found
        .into_iter()
        .take(MOST)
        .map(|(_, name)| name.to_owned())
        .collect()
}
