//! Where in a packet something stands, as an editor shows it.

use std::fmt;

use memchr::{memchr_iter, memrchr};

/// Offset from 0 in bytes; line and column from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) offset: u64,
    line: u64,
    column: u64,
}

impl Position {
    /// The first character, behind a byte-order mark of so many bytes.
    pub(super) const fn start(offset: u64) -> Self {
        Self {
            offset,
            line: 1,
            column: 1,
        }
    }

    pub(super) fn advance(&mut self, text: &str) {
        self.offset += text.len() as u64;
        match memrchr(b'\n', text.as_bytes()) {
            Some(last) => {
                self.line += memchr_iter(b'\n', text.as_bytes()).count() as u64;
                self.column = text.get(last..).map_or(0, |line| line.chars().count()) as u64;
            }
            None => self.column += text.chars().count() as u64,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}, column {}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_line_feeds_and_columns_count_characters() {
        let mut position = Position::start(3);
        position.advance("<a>\r\n<b>Đơn");
        assert_eq!((position.offset, position.line, position.column), (3 + 13, 2, 7));
        position.advance("\n");
        assert_eq!(position.to_string(), "line 3, column 1");
    }
}
