//! Bits of a ledger's file, flipped one at a time, and what those who read the file make of it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lgsp_ledger::{Entry, Local, OpenError, ReadError, ReadLimit, Reader};
use tempfile::TempDir;

/// Size of SQLite's pages; a page of overflow begins with the number of the next.
const PAGE_BYTES: usize = 4096;
const POINTER_BYTES: usize = 4;
/// So many bytes of a record are looked for.
const BEGINNING_BYTES: usize = 48;

/// A ledger's file at rest, and the records it holds.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    pub(super) records: Vec<Entry>,
}

/// What a reader makes of a file.
#[derive(Debug)]
pub(super) enum Seen {
    /// It was not opened.
    NotOpened,
    /// The records before the damage, and the offset that is named.
    Damaged(Vec<Entry>, u64),
    Records(Vec<Entry>),
}

impl Whole {
    pub(super) fn read(path: &Path) -> Self {
        // A reader leaves an empty one.
        let log = fs::metadata(path.with_extension("ledger-wal"));
        assert!(log.map_or(true, |log| log.len() == 0), "the ledger is not at rest");
        match look(path) {
            Seen::Records(records) => Self {
                bytes: fs::read(path).unwrap(),
                records,
            },
            seen @ (Seen::NotOpened | Seen::Damaged(..)) => panic!("{} is damaged already: {seen:?}", path.display()),
        }
    }

    /// Where each byte of a record lies in the file.
    pub(super) fn places(&self, offset: usize) -> Vec<usize> {
        let record = self.records[offset].record.as_ref();
        let beginning = &record[..BEGINNING_BYTES];
        let found = (0..self.bytes.len()).filter(|place| self.bytes[*place..].starts_with(beginning));
        // A page that was split keeps what went to another until it is used again.
        let copy = Copy::of(self);
        let live: Vec<_> = found
            .map(|place| self.pieces(record, place))
            .filter(|places| matches!(copy.flipped(&places[..1], 0, look), Seen::Damaged(..)))
            .collect();
        let [places] = <[Vec<usize>; 1]>::try_from(live).unwrap();
        places
    }

    /// From its beginning to the end of the page, then page by page of overflow.
    fn pieces(&self, record: &[u8], place: usize) -> Vec<usize> {
        let mut places: Vec<usize> = (place..).take(common(&self.bytes[place..], record)).collect();
        while places.len() < record.len() {
            let rest = &record[places.len()..];
            let piece = rest.len().min(PAGE_BYTES - POINTER_BYTES);
            let next = (POINTER_BYTES..self.bytes.len())
                .step_by(PAGE_BYTES)
                .find(|place| self.bytes[*place..].starts_with(&rest[..piece]));
            places.extend((next.expect("a piece of the record is nowhere")..).take(piece));
        }
        places
    }
}

/// How many bytes are the same at the beginning, in one page.
fn common(page: &[u8], record: &[u8]) -> usize {
    page.iter()
        .zip(record)
        .take_while(|(here, there)| here == there)
        .count()
}

/// A copy of a file in which one bit at a time is another.
pub(super) struct Copy {
    _folder: TempDir,
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
}

impl Copy {
    pub(super) fn of(whole: &Whole) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy.ledger");
        fs::write(&path, &whole.bytes).unwrap();
        Self {
            file: File::options().write(true).open(&path).unwrap(),
            path,
            bytes: whole.bytes.clone(),
            _folder: folder,
        }
    }

    /// What is seen while this bit of all these bytes is flipped.
    pub(super) fn flipped<T>(&self, places: &[usize], bit: u8, look: impl FnOnce(&Path) -> T) -> T {
        for place in places {
            self.write(*place, self.bytes[*place] ^ 1 << bit);
        }
        let seen = look(&self.path);
        for place in places {
            self.write(*place, self.bytes[*place]);
        }
        seen
    }

    fn write(&self, place: usize, byte: u8) {
        self.file.write_all_at(&[byte], place as u64).unwrap();
    }
}

/// Whether the record at this offset, asked for by itself, is named as damaged.
pub(super) fn names(reader: &Reader, offset: usize) -> bool {
    let offset = offset as u64;
    let read = reader.read(0, offset, ReadLimit { entries: 1, bytes: 0 });
    matches!(read, Err(ReadError::Damaged { offset: at, .. }) if at == offset)
}

/// Reads all there is, as `lgsp verify` does.
pub(super) fn look(path: &Path) -> Seen {
    let reader = match Local::open_read_only(path) {
        Ok(reader) => reader,
        Err(OpenError::NotALedger { .. } | OpenError::Damaged { .. }) => return Seen::NotOpened,
        Err(other) => panic!("{other:?}"),
    };
    let mut records = Vec::new();
    let entries = match reader.entries(0, 0) {
        Ok(entries) => entries,
        Err(ReadError::Damaged { offset, .. }) => return Seen::Damaged(records, offset),
        Err(other) => panic!("{other:?}"),
    };
    for entry in entries {
        match entry {
            Ok(entry) => records.push(entry),
            Err(ReadError::Damaged { offset, .. }) => return Seen::Damaged(records, offset),
            Err(other) => panic!("{other:?}"),
        }
    }
    Seen::Records(records)
}
