//! Similar names for a name that was not found.

const MAX_NAMES: usize = 3;
/// Jaro-Winkler similarity, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.75;
/// A longer name is not a typing error, and is slow to compare.
const MAX_LENGTH: usize = 128;

/// The known names most similar to `name`, the most similar first.
#[must_use]
pub fn similar_names<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    if name.len() > MAX_LENGTH {
        return Vec::new();
    }
    let name = name.to_lowercase();
    let mut found: Vec<(f64, &str)> = known
        .map(|known| (strsim::jaro_winkler(&name, &known.to_lowercase()), known))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    found
        .into_iter()
        .take(MAX_NAMES)
        .map(|(_, name)| name.to_owned())
        .collect()
}
