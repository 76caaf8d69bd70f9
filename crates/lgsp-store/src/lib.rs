//! What is known about each message, projected from the ledger into SQL, and the folder of objects.
//! Knows no ledger, registry or far side: facts come in; rows can be thrown away and made again from the same facts.
//!
//! | where | what |
//! |---|---|
//! | `store` | the trait [`Store`] and its errors |
//! | `rows` | what is put in and what is answered |
//! | `claim` | the claims rule, pure: [`next_state`], [`judge`] |
//! | `life` | where a document stands at each addressee, pure: [`life()`] |
//! | `sqlite` | [`SqliteStore`]: one file, one writer, a few readers |
//! | `objects` | [`Objects`]: staging, promotion under the digest, reading with a check |
//! | [`failpoint`] | where tests kill the process (cargo feature `failpoints`) |

mod claim;
pub mod failpoint;
mod life;
mod objects;
mod rows;
mod sqlite;
mod store;

pub use claim::{Effect, RECEIVER_FAILED, Standing, is_listed, judge, next_state};
pub use life::{Duty, DutyKind, Flag, Life, Line, Recipient, Said, Saying, Stand, StatusCode, life};
pub use objects::{Finished, ObjectError, ObjectSettings, Objects, StageError, Staging};
pub use rows::{
    AcceptedRow, Admitted, Applied, Changed, Conflict, Counts, DeliveryRow, DocumentRow, EventRow, FiledPage, FiledRow,
    Filter, Found, LoggedEvent, MessageRow, Position, Projected, Reading, RefusalKind, RefusalRow, Search, Timeline,
};
pub use sqlite::{OpenError, Settings, SqliteStore};
pub use store::{Store, StoreError};
