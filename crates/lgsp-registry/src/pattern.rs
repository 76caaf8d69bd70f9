//! Finding the patterns that cover a code by looking up the code's own beginnings and ends, however many there are.

use std::collections::HashMap;

use lgsp_types::{AgencyCode, CodePattern};

/// How narrow a pattern is: a code itself before any pattern, then by the number of groups that are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Narrowness(usize);

const WHOLE_CODE: Narrowness = Narrowness(usize::MAX);

/// Patterns and who wrote them.
#[derive(Clone, Debug)]
pub(crate) struct PatternIndex<T> {
    /// `H62.11`
    exact: HashMap<String, Vec<T>>,
    /// `H62.*`, by what stands before the star.
    below: HashMap<String, Vec<T>>,
    /// `*.H62`, by what stands behind the star.
    above: HashMap<String, Vec<T>>,
}

impl<T> Default for PatternIndex<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            below: HashMap::new(),
            above: HashMap::new(),
        }
    }
}

impl<T> PatternIndex<T> {
    pub(crate) fn insert(&mut self, pattern: &CodePattern, owner: T) {
        let text = pattern.as_str();
        let (map, fixed) = if let Some(top) = text.strip_suffix(".*") {
            (&mut self.below, top)
        } else if let Some(top) = text.strip_prefix("*.") {
            (&mut self.above, top)
        } else {
            (&mut self.exact, text)
        };
        map.entry(fixed.to_owned()).or_default().push(owner);
    }

    /// Everyone with a pattern that covers this code, and how narrow it is.
    pub(crate) fn covering<'a>(&'a self, code: &'a AgencyCode) -> impl Iterator<Item = (Narrowness, &'a T)> {
        let text = code.as_str();
        let owners = |map: &'a HashMap<String, Vec<T>>, fixed: &str, narrow: Narrowness| {
            map.get(fixed).into_iter().flatten().map(move |owner| (narrow, owner))
        };
        let dots = || text.match_indices('.').map(|(at, _)| at);
        let beginnings = dots().filter_map(|at| text.get(..at)).chain([text]);
        let ends = dots().filter_map(|at| text.get(at + 1..)).chain([text]);
        owners(&self.exact, text, WHOLE_CODE)
            .chain(beginnings.flat_map(move |fixed| owners(&self.below, fixed, groups(fixed))))
            .chain(ends.flat_map(move |fixed| owners(&self.above, fixed, groups(fixed))))
    }
}

fn groups(fixed: &str) -> Narrowness {
    Narrowness(fixed.split('.').count())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_narrower_pattern_is_known() {
        let mut index = PatternIndex::default();
        for text in ["H62.*", "H62.11.*", "H62.11.05", "*.H62"] {
            index.insert(&CodePattern::parse(text).unwrap(), text);
        }
        let code = AgencyCode::parse("H62.11.05").unwrap();
        let mut found: Vec<_> = index.covering(&code).collect();
        found.sort_unstable();
        assert_eq!(
            found.iter().map(|(_, text)| **text).collect::<Vec<_>>(),
            ["H62.*", "H62.11.*", "H62.11.05"]
        );
        let old = AgencyCode::parse("000.05.11.H62").unwrap();
        assert_eq!(
            index.covering(&old).map(|(_, text)| *text).collect::<Vec<_>>(),
            ["*.H62"]
        );
    }

    proptest! {
        #[test]
        fn the_index_covers_what_the_patterns_match(
            patterns in prop::collection::vec("(\\*\\.)?[A1](\\.[A1]){0,2}|[A1](\\.[A1]){0,2}\\.\\*", 0..12),
            code in "[A1](\\.[A1]){0,3}",
        ) {
            let code = AgencyCode::parse(&code).unwrap();
            let patterns: Vec<CodePattern> = patterns.iter().map(|text| CodePattern::parse(text).unwrap()).collect();
            let mut index = PatternIndex::default();
            patterns.iter().enumerate().for_each(|(at, pattern)| index.insert(pattern, at));
            let mut found: Vec<usize> = index.covering(&code).map(|(_, at)| *at).collect();
            found.sort_unstable();
            let expected: Vec<usize> = (0..patterns.len()).filter(|at| patterns[*at].matches(&code)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
