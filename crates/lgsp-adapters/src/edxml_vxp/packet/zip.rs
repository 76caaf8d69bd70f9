//! Watches the bytes of an attachment go by and, if they are a zip, reads the names of its entries; unpacks nothing.
//!
//! Read are the local headers from the front, as far as they say where the next one begins (the first always does, and
//! it is the only one that the vendor's reader unpacks), and the whole central directory at the end. Both, because
//! readers differ in which one they trust. Source: APPNOTE 4.3; vxp-wire.md 8.2.

/// The central directory must stand in so many last bytes, some 10,000 entries.
const TAIL_MAX: usize = 1024 * 1024;
const LOCAL_MARK: &[u8] = b"PK\x03\x04";
const DIRECTORY_MARK: &[u8] = b"PK\x01\x02";
const END_MARK: &[u8] = b"PK\x05\x06";
const LOCAL_BYTES: usize = 30;
const DIRECTORY_BYTES: usize = 46;
const END_BYTES: usize = 22;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// It begins as a zip does.
    pub(super) is_zip: bool,
    /// The first entry, counted from 1 in its list, whose name leads out of the folder it is unpacked into, and how.
    pub(super) escape: Option<(usize, &'static str)>,
    /// The first entry that stands in a folder.
    pub(super) folder: Option<usize>,
    /// The directory is there, whole, and where it says to be.
    pub(super) has_directory: bool,
}

impl Report {
    /// Of a zip in which nothing was found.
    pub(super) const SOUND: Self = Self {
        is_zip: true,
        escape: None,
        folder: None,
        has_directory: true,
    };
}

/// Watches one attachment.
#[derive(Debug, Default)]
pub(super) struct Watch {
    report: Report,
    step: Step,
    /// A local header and its name as far as they have come; at most 64 KiB.
    header: Vec<u8>,
    locals: usize,
    tail: Vec<u8>,
    size_bytes: u64,
}

#[derive(Debug, Default)]
enum Step {
    /// Collecting a header of [`LOCAL_BYTES`] and then its name.
    #[default]
    Header,
    /// So many bytes until the next header.
    Skip(u64),
    /// No header ahead that could be found.
    Passed,
    NoZip,
}

impl Watch {
    /// Takes the next decoded bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if matches!(self.step, Step::NoZip) {
            return;
        }
        self.size_bytes += bytes.len() as u64;
        self.keep(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.step {
                Step::Header => self.collect(rest),
                Step::Skip(left) => {
                    let skipped = left.min(rest.len() as u64);
                    self.step = if skipped == left {
                        Step::Header
                    } else {
                        Step::Skip(left - skipped)
                    };
                    usize::try_from(skipped)
                        .ok()
                        .and_then(|skipped| rest.get(skipped..))
                        .unwrap_or_default()
                }
                Step::Passed | Step::NoZip => return,
            };
        }
    }

    pub(super) fn finish(mut self) -> Report {
        if self.report.is_zip {
            let tail = std::mem::take(&mut self.tail);
            self.report.has_directory = self.directory(&tail).is_some();
        }
        self.report
    }

    /// Keeps the last [`TAIL_MAX`] bytes, and at most twice as many.
    fn keep(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > 2 * TAIL_MAX {
            self.tail.drain(..self.tail.len() - TAIL_MAX);
        }
    }

    fn collect<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let name_bytes = usize::from(u16_at(&self.header, 26).unwrap_or(0));
        let wanted = if self.header.len() < LOCAL_BYTES {
            LOCAL_BYTES
        } else {
            LOCAL_BYTES + name_bytes
        };
        let missing = wanted.saturating_sub(self.header.len());
        let (taken, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
        self.header.extend_from_slice(taken);
        if !self
            .header
            .starts_with(LOCAL_MARK.get(..self.header.len().min(4)).unwrap_or_default())
        {
            if self.locals == 0 {
                self.step = Step::NoZip;
                self.tail = Vec::new();
            } else {
                self.step = Step::Passed;
            }
            return &[];
        }
        let name_end = LOCAL_BYTES + usize::from(u16_at(&self.header, 26).unwrap_or(0));
        if self.header.len() >= LOCAL_BYTES && self.header.len() == name_end {
            self.local();
        }
        rest
    }

    /// A local header is complete: looks at its name and finds the next.
    fn local(&mut self) {
        self.report.is_zip = true;
        self.locals += 1;
        let header = std::mem::take(&mut self.header);
        let name = header.get(LOCAL_BYTES..).unwrap_or_default();
        self.judge(name, self.locals);
        let size_follows = u16_at(&header, 6).is_none_or(|flags| flags & 8 != 0);
        let size = u32_at(&header, 18).filter(|size| *size != u32::MAX && !size_follows);
        let extra = u64::from(u16_at(&header, 28).unwrap_or(0));
        self.step = match size.map(|size| extra + u64::from(size)) {
            None => Step::Passed,
            Some(0) => Step::Header,
            Some(skip) => Step::Skip(skip),
        };
    }

    fn judge(&mut self, name: &[u8], number: usize) {
        if let Some(how) = escape(name) {
            self.report.escape.get_or_insert((number, how));
        }
        if name.contains(&b'/') {
            self.report.folder.get_or_insert(number);
        }
    }

    /// Reads the central directory; none: it is not there, not whole, or not where the end record says.
    fn directory(&mut self, tail: &[u8]) -> Option<()> {
        let end = end_record(tail)?;
        let record = tail.get(end..)?;
        let (entries, size, offset) = (u16_at(record, 10)?, u32_at(record, 12)?, u32_at(record, 16)?);
        let start = end.checked_sub(usize::try_from(size).ok()?)?;
        if self.size_bytes - tail.len() as u64 + start as u64 != u64::from(offset) {
            return None;
        }
        let mut rest = tail.get(start..end)?;
        for number in 1..=usize::from(entries) {
            if !rest.starts_with(DIRECTORY_MARK) {
                return None;
            }
            let name_end = DIRECTORY_BYTES + usize::from(u16_at(rest, 28)?);
            self.judge(rest.get(DIRECTORY_BYTES..name_end)?, number);
            rest = rest.get(name_end + usize::from(u16_at(rest, 30)?) + usize::from(u16_at(rest, 32)?)..)?;
        }
        rest.is_empty().then_some(())
    }
}

/// Where the record stands that ends the file, its comment reaching exactly to the last byte.
fn end_record(tail: &[u8]) -> Option<usize> {
    let last = tail.len().checked_sub(END_BYTES)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find(|at| {
        let record = tail.get(*at..).unwrap_or_default();
        record.starts_with(END_MARK)
            && u16_at(record, 20).is_some_and(|comment| END_BYTES + usize::from(comment) == record.len())
    })
}

/// How a name leads out of the folder it is unpacked into, on any system.
fn escape(name: &[u8]) -> Option<&'static str> {
    if name.is_empty() {
        return Some("has no name");
    }
    if name.iter().any(u8::is_ascii_control) {
        return Some("has a control character in its name");
    }
    if name.contains(&b'\\') {
        return Some("has `\\` in its name");
    }
    if name.starts_with(b"/") {
        return Some("has an absolute name");
    }
    if matches!(name, [drive, b':', ..] if drive.is_ascii_alphabetic()) {
        return Some("has a drive in its name");
    }
    let leads_up = name.split(|byte| *byte == b'/').any(|part| part.trim_ascii() == b"..");
    leads_up.then_some("has `..` in its name")
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A zip of stored entries, each with its name in the local header, in the directory, and its content.
    fn zip(entries: &[(&[u8], &[u8], &[u8])], sizes_follow: bool) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for (local, central, content) in entries {
            let offset = u32::try_from(file.len()).unwrap();
            let size = u32::try_from(content.len()).unwrap();
            let flags = u16::from(sizes_follow) * 8;
            let local_size = if sizes_follow { 0 } else { size };
            let field = |name: &[u8]| u16::try_from(name.len()).unwrap().to_le_bytes();
            file.extend_from_slice(&[LOCAL_MARK, &[20, 0], &flags.to_le_bytes(), &[0; 10]].concat());
            file.extend_from_slice(&[local_size.to_le_bytes(), local_size.to_le_bytes()].concat());
            file.extend_from_slice(&[&field(local)[..], &[0, 0], local, content].concat());
            if sizes_follow {
                file.extend_from_slice(
                    &[b"PK\x07\x08", &[0; 4], &size.to_le_bytes()[..], &size.to_le_bytes()].concat(),
                );
            }
            directory.extend_from_slice(&[DIRECTORY_MARK, &[20, 0, 20, 0], &flags.to_le_bytes(), &[0; 10]].concat());
            directory.extend_from_slice(&[size.to_le_bytes(), size.to_le_bytes()].concat());
            directory.extend_from_slice(&[&field(central)[..], &[0; 12], &offset.to_le_bytes(), central].concat());
        }
        let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
        let end = [
            u32::try_from(directory.len()).unwrap(),
            u32::try_from(file.len()).unwrap(),
        ];
        let end: Vec<u8> = end.iter().flat_map(|number| number.to_le_bytes()).collect();
        [&file[..], &directory, END_MARK, &[0; 4], &count, &count, &end, &[0, 0]].concat()
    }

    fn report(bytes: &[u8]) -> Report {
        let reports = [1, 7, bytes.len().max(1)].map(|size| {
            let mut watch = Watch::default();
            bytes.chunks(size).for_each(|chunk| watch.push(chunk));
            watch.finish()
        });
        assert!(reports.iter().all(|report| *report == reports[0]));
        reports[0]
    }

    #[test]
    fn an_honest_zip_is_a_zip_and_nothing_is_found() {
        for sizes_follow in [false, true] {
            let file = zip(
                &[
                    (b"a.pdf", b"a.pdf", b"%PDF"),
                    ("Đơn..doc".as_bytes(), "Đơn..doc".as_bytes(), b""),
                ],
                sizes_follow,
            );
            let expected = Report {
                is_zip: true,
                has_directory: true,
                ..Report::default()
            };
            assert_eq!(report(&file), expected);
        }
        for other in [b"".as_slice(), b"%PDF-1.4", b"P", b"PK\x03", b"PK\x05\x06"] {
            assert_eq!(report(other), Report::default());
        }
    }

    #[test]
    fn a_name_that_leads_out_is_found_wherever_it_stands() {
        for name in [
            b"../x".as_slice(),
            b"a/../x",
            b"a/..",
            b"/etc/x",
            b"C:\\x",
            b"c:x",
            b"a\\b",
            b"a\0b",
            b"",
            b".. /x",
        ] {
            let first = zip(&[(name, b"a", b""), (b"b", b"b", b"1")], true);
            let second = zip(&[(b"a", b"a", b"1"), (name, b"b", b"")], false);
            let directory = zip(&[(b"a", b"a", b"1"), (b"b", name, b"")], true);
            let numbers = [first, second, directory].map(|file| report(&file).escape.map(|(number, _)| number));
            assert_eq!(
                numbers,
                [Some(1), Some(2), Some(2)],
                "{:?}",
                name.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn a_folder_is_told_from_an_escape() {
        let found = report(&zip(&[(b"word/document.xml", b"word/document.xml", b"x")], false));
        assert_eq!((found.escape, found.folder), (None, Some(1)));
    }

    #[test]
    fn a_directory_that_readers_could_disagree_on_is_none() {
        let file = zip(&[(b"a", b"a", b"content")], false);
        let behind = [&file[..], b"more"].concat();
        let mut moved = file.clone();
        let at = moved.len() - 6;
        moved[at] ^= 1;
        let mut counted = file.clone();
        let at = counted.len() - 12;
        counted[at] += 1;
        let cut = &file[..file.len() - 1];
        for broken in [&behind[..], &moved, &counted, cut, &file[..35]] {
            let found = report(broken);
            assert!(found.is_zip && !found.has_directory);
        }
        let commented = [&file[..file.len() - 2], &[4, 0], b"PK\x05\x06"].concat();
        assert!(report(&commented).has_directory);
    }

    #[test]
    fn a_long_zip_costs_two_tails_and_its_directory_is_read() {
        let content = vec![7; 5 * TAIL_MAX];
        let mut watch = Watch::default();
        for chunk in zip(&[(b"a", b"d/a", &content)], true).chunks(100_000) {
            watch.push(chunk);
            assert!(watch.tail.len() <= 2 * TAIL_MAX);
        }
        let found = watch.finish();
        assert!(found.has_directory && found.folder == Some(1));
    }
}
