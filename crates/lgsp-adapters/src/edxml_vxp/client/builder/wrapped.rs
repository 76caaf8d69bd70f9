//! Breaks base64 into lines of 76 letters.

use std::io::{self, Write};

const COLUMNS: usize = 76;

pub(super) struct Wrapped<'a> {
    out: &'a mut dyn Write,
    column: usize,
}

impl<'a> Wrapped<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, column: 0 }
    }
}

impl Write for Wrapped<'_> {
    fn write(&mut self, mut letters: &[u8]) -> io::Result<usize> {
        let given = letters.len();
        while !letters.is_empty() {
            if self.column == COLUMNS {
                self.out.write_all(b"\r\n")?;
                self.column = 0;
            }
            let (line, rest) = letters.split_at(letters.len().min(COLUMNS - self.column));
            self.out.write_all(line)?;
            self.column += line.len();
            letters = rest;
        }
        Ok(given)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
