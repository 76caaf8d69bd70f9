//! A ZIP archive of one stored entry, written in one pass once checksum and size are known.
//!
//! The vendor's library deflates; every reader takes stored entries too. Source: APPNOTE.TXT 6.3.10, 4.3.

use std::io::{self, Read, Write};

/// CRC-32 and size of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    crc: u32,
    size_bytes: u32,
}

pub(super) struct Zipped<'a> {
    pub(super) name: &'a str,
    pub(super) checked: Checked,
}

/// Reads the content once.
pub(super) fn check(content: &mut dyn Read) -> io::Result<Checked> {
    let mut buffer = vec![0; 64 * 1024];
    let mut crc = u32::MAX;
    let mut size_bytes = 0_u32;
    loop {
        let read = content.read(&mut buffer)?;
        if read == 0 {
            return Ok(Checked { crc: !crc, size_bytes });
        }
        crc = buffer.iter().take(read).fold(crc, |crc, byte| {
            let [low, ..] = (crc ^ u32::from(*byte)).to_le_bytes();
            crc >> 8 ^ TABLE.get(usize::from(low)).copied().unwrap_or_default()
        });
        let grown = u32::try_from(read).ok().and_then(|read| size_bytes.checked_add(read));
        size_bytes = grown.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
    }
}

impl Zipped<'_> {
    /// Writes the archive.
    pub(super) fn write(&self, content: &mut dyn Read, out: &mut dyn Write) -> io::Result<()> {
        let shared = self.shared_fields()?;
        out.write_all(b"PK\x03\x04")?;
        out.write_all(&shared)?;
        out.write_all(self.name.as_bytes())?;
        let size_bytes = u64::from(self.checked.size_bytes);
        if io::copy(&mut content.take(size_bytes), out)? < size_bytes {
            return Err(io::ErrorKind::UnexpectedEof.into()); // the file changed since it was checked
        }
        out.write_all(b"PK\x01\x02\x14\x00")?; // made by version 2.0
        out.write_all(&shared)?;
        out.write_all(&[0; 14])?; // comment, disk, attributes, offset of the entry
        out.write_all(self.name.as_bytes())?;
        let directory = self.name.len() as u64 + 46;
        let offset = self.name.len() as u64 + 30 + size_bytes;
        out.write_all(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00")?;
        for number in [directory, offset] {
            let number = u32::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
            out.write_all(&number.to_le_bytes())?;
        }
        out.write_all(&[0; 2])
    }

    /// What the local and the central header have in common: from the version needed to the length of the extra field.
    fn shared_fields(&self) -> io::Result<Vec<u8>> {
        let name_bytes = u16::try_from(self.name.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut fields = vec![0x14, 0, 0, 0x08, 0, 0]; // version 2.0, UTF-8 name, stored
        fields.extend_from_slice(&[0, 0, 0x21, 0]); // 1980-01-01 00:00:00
        fields.extend_from_slice(&self.checked.crc.to_le_bytes());
        fields.extend_from_slice(&self.checked.size_bytes.to_le_bytes());
        fields.extend_from_slice(&self.checked.size_bytes.to_le_bytes());
        fields.extend_from_slice(&name_bytes.to_le_bytes());
        fields.extend_from_slice(&[0, 0]);
        Ok(fields)
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "a constant, computed while compiling: a wrong index would not compile"
)]
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
};
