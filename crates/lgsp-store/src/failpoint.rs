//! Fail points: named places at which a test stops a thread for ever, to kill the process there.
//!
//! Without the cargo feature `failpoints`, which releases do not have, [`hit`] does nothing. With it,
//! `LGSP_FAILPOINT=name[:nth]` arms one point, the first time or the nth, and `LGSP_FAILPOINT_MARKER=file` names the
//! file that is written, durably, before the thread parks: a run without the marker was not bitten.

/// Says that this thread is at the point of this name.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn hit(_name: &str) {}

#[cfg(feature = "failpoints")]
pub use armed::hit;

#[cfg(feature = "failpoints")]
mod armed {
    use std::fs::File;
    use std::io::{self, Write as _};
    use std::path::{Path, PathBuf};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use tracing::error;

    static TRAP: OnceLock<Option<Trap>> = OnceLock::new();

    /// Says that this thread is at the point of this name; never returns from an armed point.
    pub fn hit(name: &str) {
        let Some(trap) = TRAP.get_or_init(from_environment) else {
            return;
        };
        if !trap.springs(name) {
            return;
        }
        if let Err(source) = mark(&trap.marker, name) {
            error!(
                error = &source as &dyn std::error::Error,
                "the fail point's marker could not be written"
            );
        }
        loop {
            thread::park();
        }
    }

    #[derive(Debug)]
    struct Trap {
        name: String,
        nth: u64,
        hits: AtomicU64,
        marker: PathBuf,
    }

    fn from_environment() -> Option<Trap> {
        let point = std::env::var("LGSP_FAILPOINT").ok()?;
        let marker = std::env::var_os("LGSP_FAILPOINT_MARKER").map(PathBuf::from);
        let trap = marker.and_then(|marker| Trap::parse(&point, marker));
        if trap.is_none() {
            error!(
                point,
                "LGSP_FAILPOINT is `name` or `name:nth`, with LGSP_FAILPOINT_MARKER beside it: not armed"
            );
        }
        trap
    }

    impl Trap {
        fn parse(point: &str, marker: PathBuf) -> Option<Self> {
            let (name, nth) = match point.split_once(':') {
                Some((name, nth)) => (name, nth.parse().ok().filter(|nth| *nth > 0)?),
                None => (point, 1),
            };
            (!name.is_empty()).then(|| Self {
                name: name.to_owned(),
                nth,
                hits: AtomicU64::new(0),
                marker,
            })
        }

        /// Counts a hit; true for exactly one of them.
        fn springs(&self, name: &str) -> bool {
            name == self.name && self.hits.fetch_add(1, Ordering::Relaxed) + 1 == self.nth
        }
    }

    fn mark(path: &Path, name: &str) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(name.as_bytes())?;
        file.sync_all()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_nth_hit_of_the_named_point_springs_and_no_other() {
            let trap = Trap::parse("inside-object:3", PathBuf::new()).unwrap();
            let sprung: Vec<bool> = (0..5)
                .flat_map(|_| [trap.springs("inside-fetch"), trap.springs("inside-object")])
                .collect();
            assert_eq!(sprung.iter().position(|sprung| *sprung), Some(5));
            assert_eq!(sprung.iter().filter(|sprung| **sprung).count(), 1);
            assert!(
                Trap::parse("after-accept", PathBuf::new())
                    .unwrap()
                    .springs("after-accept")
            );
        }

        #[test]
        fn what_is_no_point_is_not_armed() {
            for point in ["", ":1", "a:0", "a:x", "a:", "a:-1", "a:1:2"] {
                assert!(Trap::parse(point, PathBuf::new()).is_none(), "{point}");
            }
        }

        #[test]
        fn the_marker_names_the_point() {
            let folder = tempfile::tempdir().unwrap();
            let marker = folder.path().join("marker");
            mark(&marker, "inside-projection").unwrap();
            assert_eq!(std::fs::read_to_string(marker).unwrap(), "inside-projection");
            assert!(mark(&folder.path().join("no/marker"), "x").is_err());
        }
    }
}
