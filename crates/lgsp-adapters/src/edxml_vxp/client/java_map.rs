//! The order in which a Java `HashMap<String, String>` gives its entries, because that order is what gets signed.

/// The header map of one service object: entries are put, overwritten, and never taken out again.
///
/// Source: vxp-wire.md 3.1; `java.util.HashMap` of OpenJDK (16 buckets, doubled above three quarters).
#[derive(Clone, Debug, Default)]
pub struct JavaMap {
    inserted: Vec<(String, String)>,
}

impl JavaMap {
    /// Adds an entry, or overwrites the value of the one that is there without moving it.
    pub fn put(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        match self.inserted.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.inserted.push((name.to_owned(), value)),
        }
    }

    /// The entries in the order a Java loop over the map sees them.
    #[must_use]
    pub fn in_order(&self) -> Vec<(&str, &str)> {
        let buckets = bucket_count(self.inserted.len());
        let mut entries: Vec<(&str, &str)> = self.inserted.iter().map(|(name, value)| (&**name, &**value)).collect();
        entries.sort_by_key(|(name, _)| spread(name) & (buckets - 1)); // stable: insertion order within a bucket
        entries
    }
}

fn bucket_count(entries: usize) -> u32 {
    let mut buckets: u32 = 16;
    while entries > (buckets as usize) * 3 / 4 {
        buckets *= 2;
    }
    buckets
}

fn spread(name: &str) -> u32 {
    let hash = name
        .encode_utf16()
        .fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(map: &JavaMap) -> Vec<&str> {
        map.in_order().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_value_put_again_stays_where_its_name_was() {
        let mut map = JavaMap::default();
        for name in ["timestamp", "Content-Type", "status", "timestamp"] {
            map.put(name, name);
        }
        assert_eq!(
            names(&map),
            ["timestamp", "Content-Type", "status"],
            "all three share bucket 15"
        );
    }

    #[test]
    fn the_thirteenth_entry_doubles_the_buckets_and_changes_the_order() {
        let mut map = JavaMap::default();
        let twelve = [
            "timestamp",
            "systemid",
            "Content-Type",
            "servicetype",
            "messagetype",
            "docId",
            "filePath",
            "from",
            "to",
            "status",
            "hash-file",
            "fromDate",
        ];
        for name in twelve {
            map.put(name, "");
        }
        assert_eq!(names(&map)[..3], ["fromDate", "systemid", "servicetype"]);
        map.put("toDate", "");
        assert_eq!(names(&map)[..3], ["systemid", "messagetype", "docId"]);
        assert_eq!(names(&map).len(), 13);
    }
}
