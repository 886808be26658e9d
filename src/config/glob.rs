//! Patterns of names, with `*` for any text and `?` for one character.

use std::collections::HashSet;

use wildmatch::WildMatch;

/// Whether a text exists that all of these match.
pub fn overlap(globs: &[&str]) -> bool {
    let mut names = globs.iter().filter(|glob| !glob.contains(['*', '?']));
    if let Some(name) = names.next() {
        return globs.iter().all(|glob| WildMatch::new(glob).matches(name));
    }
    let globs: Vec<Vec<char>> = globs.iter().map(|glob| glob.chars().collect()).collect();
    let start = vec![0; globs.len()];
    let mut seen = HashSet::from([start.clone()]);
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        if at.iter().zip(&globs).all(|(at, glob)| *at == glob.len()) {
            return true;
        }
        let next = past_a_star(&globs, &at).chain(past_a_character(&globs, &at));
        for state in next {
            if seen.insert(state.clone()) {
                open.push(state);
            }
        }
    }
    false
}

/// A `*` that stands for nothing more.
fn past_a_star(globs: &[Vec<char>], at: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    (0..globs.len()).filter_map(|index| {
        let position = *at.get(index)?;
        let is_star = globs.get(index)?.get(position) == Some(&'*');
        let mut next = at.to_vec();
        *next.get_mut(index)? = position + 1;
        is_star.then_some(next)
    })
}

/// One character that all match.
fn past_a_character(globs: &[Vec<char>], at: &[usize]) -> Option<Vec<usize>> {
    let mut wanted = None;
    let mut next = Vec::with_capacity(at.len());
    for (glob, position) in globs.iter().zip(at) {
        match *glob.get(*position)? {
            '*' => {
                next.push(*position);
                continue;
            }
            '?' => {}
            letter if wanted.is_none_or(|wanted| wanted == letter) => wanted = Some(letter),
            _ => return None,
        }
        next.push(position + 1);
    }
    Some(next)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wildmatch::WildMatch;

    use super::overlap;

    #[test]
    fn patterns_overlap_where_a_name_matches_all() {
        for (globs, expected) in [
            (&["gpt-4o", "gpt-*"][..], true),
            (&["gpt-*", "*-mini"], true),
            (&["gpt-*", "claude-*"], false),
            (&["openai/*", "*/gpt-4o", "*"], true),
            (&["openai/*", "groq/*", "*"], false),
            (&["a?", "a"], false),
            (&["a*", "?"], true),
            (&["", "*"], true),
            (&["", "?"], false),
        ] {
            assert_eq!(overlap(globs), expected, "{globs:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Against all texts of up to six letters.
        #[test]
        fn overlap_is_what_a_search_finds(one in "[ab*?]{0,3}", other in "[ab*?]{0,3}") {
            let mut texts = vec![String::new()];
            for length in 0..6 {
                let longest: Vec<_> = texts.iter().filter(|it| it.len() == length).cloned().collect();
                for text in longest {
                    texts.extend(["a", "b"].map(|letter| format!("{text}{letter}")));
                }
            }
            let (first, second) = (WildMatch::new(&one), WildMatch::new(&other));
            let found = texts.iter().any(|text| first.matches(text) && second.matches(text));
            prop_assert_eq!(overlap(&[&one, &other]), found);
        }
    }
}
