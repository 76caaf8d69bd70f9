//! What an error of SQLite means for a store: damage, a full disk, or something that passes.

use lgsp_types::Cause;
use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

/// What the error says about the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The file holds something that no store writes.
    Damaged,
    /// No room; what was begun is rolled back.
    Full,
    /// A lock, the disk, rights, memory: says nothing about what the file holds.
    Passing,
}

/// Source: <https://www.sqlite.org/rescode.html>.
pub(super) fn kind(error: &Error) -> Kind {
    if matches!(error, Error::InvalidPath(_) | Error::NulError(_)) {
        return Kind::Passing;
    }
    // What is not SQLite's own error is a column of another type or a row too few. Our statements are constants, so
    // it is the file that is wrong.
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Kind::Full,
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::OperationAborted
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::AuthorizationForStatementDenied,
        ) => Kind::Passing,
        _ => Kind::Damaged,
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let source = Cause::from(error);
        match source.downcast_ref::<Error>().map(kind) {
            Some(Kind::Full) => Self::Full,
            Some(Kind::Damaged) => Self::Damaged { source },
            Some(Kind::Passing) | None => Self::Unavailable { source },
        }
    }
}
