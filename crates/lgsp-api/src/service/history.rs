//! Following what is written, from a cursor on: for senders their receipts, for operators everything.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use lgsp_types::{Caller, Happened, Operations, ReasonCode, Refusal};
use tokio::sync::mpsc;
use tonic::Status;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;

use super::{Common, stopping};
use crate::status::{ToStatus as _, refused};

/// Facts that are asked for at a time.
const PAGE: u32 = 256;
/// Answers that wait for a client that reads slowly.
const ANSWERS_WAITING: usize = 16;
/// What a cursor of ours begins with; the next offset of each partition follows.
const CURSOR_BEGINS: &str = "1";

const CURSOR_INVALID: ReasonCode = ReasonCode::new("CURSOR_INVALID");

pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Where a follower begins.
pub(crate) enum From {
    Start,
    Now,
    /// Behind what this came with; its place in the request is `cursor`.
    Cursor(String),
}

/// Follows what is written, each fact with the cursor behind it, until the far side or the node ends it.
pub(crate) async fn follow<T: Send + 'static>(
    common: &Common,
    operations: &Arc<dyn Operations>,
    viewer: Option<Caller>,
    from: From,
    write: fn(Happened, String) -> T,
) -> Result<Answers<T>, Status> {
    let ends = operations.projected().await.map_err(|error| error.status())?;
    let next = match from {
        From::Start => vec![0; ends.len()],
        From::Now => ends,
        From::Cursor(text) => read_cursor(&text, &ends).map_err(|wrong| refused(&[wrong]))?,
    };
    let (answers, stream) = mpsc::channel(ANSWERS_WAITING);
    let following = Following {
        common: common.clone(),
        operations: Arc::clone(operations),
        viewer,
        next,
        answers,
        write,
    };
    common.tasks.spawn(following.run());
    Ok(Box::pin(ReceiverStream::new(stream)))
}

struct Following<T> {
    common: Common,
    operations: Arc<dyn Operations>,
    viewer: Option<Caller>,
    /// The next offset of each partition.
    next: Vec<u64>,
    answers: mpsc::Sender<Result<T, Status>>,
    write: fn(Happened, String) -> T,
}

impl<T: Send + 'static> Following<T> {
    async fn run(mut self) {
        let answers = self.answers.clone();
        let ended = tokio::select! {
            () = answers.closed() => return,
            ended = self.tell() => ended,
        };
        if let Err(status) = ended {
            // Nobody may be there to hear it.
            drop(self.answers.try_send(Err(status)));
        }
    }

    /// Ends only with an error.
    async fn tell(&mut self) -> Result<(), Status> {
        // Asked for before the first page, so that nothing falls between the two.
        let mut arrivals = self.common.exchange.arrivals();
        loop {
            let page = self.operations.history(self.viewer.as_ref(), &self.next, PAGE).await;
            let page = page.map_err(|error| error.status())?;
            for happened in page.events {
                if let Some(next) = self.next.get_mut(happened.partition as usize) {
                    *next = happened.offset + 1;
                }
                let answer = (self.write)(happened, write_cursor(&self.next));
                // Where nobody takes answers, the connection ends, and this with it: see `taken`.
                self.answers.send(Ok(answer)).await.map_err(|_| stopping())?;
            }
            self.next = page.next;
            if page.complete {
                tokio::select! {
                    () = self.common.stop.cancelled() => return Err(stopping()),
                    arrived = arrivals.next() => arrived.ok_or_else(stopping)?,
                }
            }
        }
    }
}

fn write_cursor(next: &[u64]) -> String {
    let offsets = next.iter().map(ToString::to_string);
    let parts: Vec<String> = [CURSOR_BEGINS.to_owned()].into_iter().chain(offsets).collect();
    parts.join(".")
}

fn read_cursor(text: &str, ends: &[u64]) -> Result<Vec<u64>, Refusal> {
    let wrong = |what: &str| {
        let mend = "give a cursor as it came from this ledger, or none";
        Refusal::new(CURSOR_INVALID, "cursor", what, mend)
    };
    let mut parts = text.split('.');
    if parts.next() != Some(CURSOR_BEGINS) {
        return Err(wrong("is no cursor"));
    }
    // No more are read than there are partitions, however long the text is.
    let next: Vec<u64> = parts
        .by_ref()
        .take(ends.len())
        .map_while(|part| part.parse().ok())
        .collect();
    if next.len() != ends.len() || parts.next().is_some() {
        return Err(wrong("is no cursor of this ledger"));
    }
    if next.iter().zip(ends).any(|(next, end)| next > end) {
        return Err(wrong("is ahead of the ledger"));
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_no_other_text_is() {
        for next in [vec![0], vec![7, 0, 12]] {
            assert_eq!(
                read_cursor(&write_cursor(&next), &[12, 12, 12][..next.len()]).unwrap(),
                next
            );
        }
        for text in [
            "",
            "1",
            "2.5",
            "1.5.5",
            "1.x",
            "1.-1",
            "1.5.",
            "1.13",
            "1.99999999999999999999",
        ] {
            let refusal = read_cursor(text, &[12]).unwrap_err();
            assert_eq!(refusal.code, CURSOR_INVALID, "{text}");
        }
    }
}
