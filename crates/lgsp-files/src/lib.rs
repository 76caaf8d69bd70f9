//! Small files on disk: written whole or not at all, open to their owner only, told apart, changed in turns.
//!
//! All of it blocks for as long as the disk takes.

mod secret;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

pub use secret::{SecretError, read_secret};

/// Any access for anybody but the owner.
const OTHERS: u32 = 0o077;

/// May a file of this name be there already?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    Replace,
}

/// Writes a whole file, synced with its folder, or leaves what was there.
///
/// One writer at a time: take a [`turn`] where two can meet.
///
/// # Errors
/// [`io::Error`]; of kind `AlreadyExists` where a file was there and must not be replaced.
pub fn write_whole(path: &Path, bytes: &[u8], existing: Existing, mode: u32) -> io::Result<()> {
    let mut draft_name = path.file_name().unwrap_or_default().to_owned();
    draft_name.push(".new");
    let draft = path.with_file_name(draft_name);
    // What a killed process left is nobody's.
    drop(fs::remove_file(&draft));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&draft)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| match existing {
        Existing::Replace => fs::rename(&draft, path),
        // A link is made only where nothing is.
        Existing::Refuse => fs::hard_link(&draft, path),
    });
    if existing == Existing::Refuse || placed.is_err() {
        drop(fs::remove_file(&draft));
    }
    placed?;
    sync_folder(path)
}

/// Makes the names in a file's folder last.
///
/// # Errors
/// [`io::Error`]: a name that was just made or changed may be lost with the power.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Waits until nobody else changes this folder's files; the turn ends with what is returned, or with the process.
///
/// # Errors
/// [`io::Error`]: change nothing.
pub fn turn(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let lock = options.open(folder.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// The mode of a file that others than its owner may use in any way; none: it is its owner's alone.
#[must_use]
pub fn open_to_others(file: &Metadata) -> Option<u32> {
    let mode = file.mode() & 0o777;
    (mode & OTHERS != 0).then_some(mode)
}

/// What changes when a file is written, replaced, or opened to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp([i128; 6]);

impl Stamp {
    #[must_use]
    pub fn of(file: &Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self([
            file.dev().into(),
            file.ino().into(),
            file.size().into(),
            file.mode().into(),
            nanoseconds(file.mtime(), file.mtime_nsec()),
            nanoseconds(file.ctime(), file.ctime_nsec()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_written_whole_and_replaced_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        // Left by one that was killed.
        fs::write(folder.path().join("key.new"), "half").unwrap();
        write_whole(&path, b"one", Existing::Refuse, 0o600).unwrap();
        let again = write_whole(&path, b"two", Existing::Refuse, 0o600).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write_whole(&path, b"three", Existing::Replace, 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a draft is left");
    }

    #[test]
    fn whoever_opens_a_file_to_others_changes_its_stamp_and_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_whole(&path, b"one", Existing::Refuse, 0o600).unwrap();
        let before = fs::metadata(&path).unwrap();
        assert_eq!(open_to_others(&before), None);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(open_to_others(&after), Some(0o640));
        assert_ne!(Stamp::of(&before), Stamp::of(&after));
        assert_eq!(Stamp::of(&after), Stamp::of(&fs::metadata(&path).unwrap()));
    }

    #[test]
    fn a_turn_ends_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let first = turn(folder.path()).unwrap();
        let other = File::open(folder.path().join("lock")).unwrap();
        assert!(other.try_lock().is_err());
        drop(first);
        other.try_lock().unwrap();
    }
}
