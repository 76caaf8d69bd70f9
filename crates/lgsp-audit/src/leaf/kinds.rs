//! Which keys the leaf of each kind has: a leaf with one too few or too many is none of ours.

use lgsp_types::Kind;

use crate::alien::Alien;

/// A set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeySet(u32);

pub(super) const NONE: KeySet = KeySet(0);

impl KeySet {
    pub(super) const fn of(keys: &[u8]) -> Self {
        let (mut set, mut rest) = (0, keys);
        while let [key, tail @ ..] = rest {
            set |= 1 << *key;
            rest = tail;
        }
        Self(set)
    }

    pub(super) const fn with(self, key: u64) -> Self {
        Self(self.0 | 1 << (key & 31))
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn first(self) -> Option<u8> {
        (0..32).find(|key| self.0 & 1 << key != 0)
    }
}

/// Every leaf has these: format, kind, event id, actor, rules, node; and 31, which is read apart.
const EVERY: KeySet = KeySet::of(&[0, 1, 2, 5, 17, 18]);
/// Every leaf may have these: the event it follows from, and a trace id.
const ANY: KeySet = KeySet::of(&[4, 21]);

/// The keys that a kind has, and those it may have, beside those of every leaf.
pub(super) const fn keys(kind: Kind) -> (KeySet, KeySet) {
    let (has, may_have): (&[u8], &[u8]) = match kind {
        Kind::Accepted => (&[3, 6, 7, 8, 9, 11, 12, 23], &[10, 13, 14]),
        Kind::Rejected => (&[9, 16, 23], &[]),
        Kind::RejectSummary => (&[27], &[]),
        Kind::AttemptFailed => (&[3, 16, 19, 24, 25], &[]),
        Kind::Collected | Kind::AttemptStarted => (&[3, 19, 24, 25], &[]),
        Kind::Delivered => (&[3, 9, 19, 20, 24, 25], &[]),
        Kind::DeadLettered => (&[3, 16, 19, 25], &[24]),
        Kind::Redriven => (&[3, 19, 25], &[]),
        Kind::Withdrawn => (&[3, 16, 19, 25], &[]),
        Kind::Conflict => (&[3, 23, 26], &[]),
        Kind::LookupRequested => (&[3, 8, 25], &[13, 14, 15]),
        Kind::LookupAnswered => (&[3, 8, 9, 16, 25], &[13, 14, 15]),
        Kind::LookupUnknown => (&[3, 8, 16, 25], &[13, 14, 15]),
        Kind::Configured | Kind::Proposed => (&[9], &[]),
        Kind::Act => (&[16], &[3, 13]),
        Kind::KeyEvent => (&[28], &[]),
        Kind::Shredded => (&[3, 16], &[]),
        Kind::SealAlarm => (&[16], &[]),
        Kind::LedgerClosed => (&[29], &[]),
    };
    (KeySet::of(has), KeySet::of(may_have))
}

/// # Errors
/// [`Alien::Key`] for the first key that is missing, or that does not belong there.
pub(super) fn check(kind: Kind, present: KeySet) -> Result<(), Alien> {
    let (has, may_have) = keys(kind);
    let has = has.and(EVERY);
    if let Some(key) = has.without(present).first() {
        return Err(Alien::missing(key));
    }
    match present.without(has).without(may_have).without(ANY).first() {
        Some(key) => Err(Alien::Key {
            key,
            what: "does not belong to a leaf of this kind",
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CDDL: &str = include_str!("../../leaf.cddl");

    /// The keys of the group of this name in leaf.cddl: those it has, those it may have.
    fn group(name: &str) -> (KeySet, KeySet) {
        let (mut has, mut may_have) = (NONE, NONE);
        let (_, text) = CDDL
            .split_once(&format!("\n{name} = "))
            .unwrap_or_else(|| panic!("no group {name}"));
        for line in text.lines().skip(1).take_while(|line| line.starts_with("  ")) {
            let (optional, pair) = line
                .trim()
                .strip_prefix("? ")
                .map_or((false, line.trim()), |rest| (true, rest));
            let Some((key, _)) = pair.split_once(" => ") else {
                continue;
            };
            let key: u64 = key.parse().unwrap();
            if optional {
                may_have = may_have.with(key)
            } else {
                has = has.with(key)
            }
        }
        (has, may_have)
    }

    #[test]
    fn leaf_cddl_has_the_same_keys_for_every_kind() {
        assert_eq!(group("every"), (EVERY.without(KeySet::of(&[1])).with(31), ANY));
        for kind in Kind::ALL {
            let name = kebab(kind.name());
            let (has, may_have) = group(&name);
            let (wanted, may) = keys(*kind);
            assert_eq!((has, may_have), (wanted.with(1), may), "{name}");
            let numbered = format!("\n{name} = {{\n  1 => {},", kind.number());
            assert!(CDDL.contains(&numbered), "{numbered}");
        }
    }

    fn kebab(name: &str) -> String {
        let mut out = String::new();
        for letter in name.chars() {
            if letter.is_uppercase() && !out.is_empty() {
                out.push('-');
            }
            out.extend(letter.to_lowercase());
        }
        out
    }

    #[test]
    fn a_key_too_few_or_too_many_is_named() {
        let whole = EVERY.and(KeySet::of(&[16]));
        assert_eq!(check(Kind::SealAlarm, whole), Ok(()));
        assert_eq!(check(Kind::SealAlarm, whole.with(4).with(21)), Ok(()));
        assert_eq!(check(Kind::SealAlarm, EVERY), Err(Alien::missing(16)));
        let what = "does not belong to a leaf of this kind";
        assert_eq!(
            check(Kind::SealAlarm, whole.with(13)),
            Err(Alien::Key { key: 13, what })
        );
    }
}
