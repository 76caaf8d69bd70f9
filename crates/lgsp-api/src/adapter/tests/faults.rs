//! Frames that break the rules: each ends the stream with its reason, and nothing that was accepted is lost.

use futures_util::Stream;
use lgsp_proto::adapter::v1::exchange_call::{self, Call};
use lgsp_proto::adapter::v1::{
    AdapterAnswer, AttachRequest, AttachResponse, Cancel, Chunk, Credit, ExchangeCall, Hello, UploadEnd,
    attach_request, attach_response, exchange_answer,
};
use lgsp_proto::write_publish;
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::*;
use crate::Told;
use attach_request::Frame;

/// A process that sends what it likes.
struct Raw {
    exchange: Arc<Double>,
    frames: mpsc::Sender<Result<AttachRequest, Status>>,
    coming: std::pin::Pin<Box<dyn Stream<Item = Result<AttachResponse, Status>> + Send>>,
}

impl Raw {
    fn with(settings: GatewaySettings) -> Self {
        let (exchange, roll) = (Arc::new(Double::default()), Arc::new(Roll::new(&["a", "b"])));
        let gateway = gateway(&exchange, &roll, settings, &CancellationToken::new());
        let (frames, leaving) = mpsc::channel(64);
        let leaving =
            futures_util::stream::unfold(
                leaving,
                |mut leaving| async move { Some((leaving.recv().await?, leaving)) },
            );
        let coming = Box::pin(gateway.hold(adapter(), None, Box::pin(leaving)));
        Self {
            exchange,
            frames,
            coming,
        }
    }

    /// After Hello, Welcome and the first view.
    async fn attached() -> Self {
        let mut raw = Self::with(settings());
        raw.send(Frame::Hello(hello())).await;
        assert!(matches!(raw.next().await, Ok(attach_response::Frame::Welcome(_))));
        assert!(matches!(raw.next().await, Ok(attach_response::Frame::View(_))));
        raw
    }

    async fn send(&self, frame: Frame) {
        self.frames
            .send(Ok(AttachRequest { frame: Some(frame) }))
            .await
            .unwrap();
    }

    async fn next(&mut self) -> Result<attach_response::Frame, Status> {
        loop {
            let frame = timeout(WAIT, self.coming.next())
                .await
                .unwrap()
                .expect("the stream ended in order");
            let frame = frame?.frame.unwrap();
            // Of its connector; not what these tests ask for.
            if !matches!(
                frame,
                attach_response::Frame::Call(_) | attach_response::Frame::Health(_)
            ) {
                return Ok(frame);
            }
        }
    }

    async fn answer(&mut self) -> exchange_answer::Answer {
        loop {
            if let attach_response::Frame::Answer(answer) = self.next().await.unwrap() {
                return answer.answer.unwrap();
            }
        }
    }

    /// The reason with which the stream ends.
    async fn ends(&mut self) -> (Code, String) {
        loop {
            if let Err(status) = self.next().await {
                return (status.code(), Told::of(&status).reason);
            }
        }
    }
}

fn hello() -> Hello {
    Hello {
        program: String::from("raw 1"),
        kind: String::from("edxml-vxp"),
        systems: Vec::new(),
        minor: 0,
    }
}

fn call(call_id: u64, system: &str, call: Call) -> Frame {
    Frame::Call(ExchangeCall {
        call_id,
        system: system.to_owned(),
        call: Some(call),
        trace: String::new(),
    })
}

fn begin(call_id: u64) -> Frame {
    call(call_id, "a", Call::Upload(exchange_call::Upload {}))
}

fn get(call_id: u64, system: &str) -> Frame {
    let message_id = id(1).to_string();
    call(
        call_id,
        system,
        Call::GetMessage(exchange_call::GetMessage { message_id }),
    )
}

fn chunk(call_id: u64, bytes: usize) -> Frame {
    Frame::Chunk(Chunk {
        call_id,
        data: vec![0; bytes].into(),
    })
}

#[tokio::test]
async fn before_hello_nothing_is_taken() {
    for first in [get(1, "a"), chunk(1, 1), Frame::Cancel(Cancel { call_id: 1 })] {
        let mut raw = Raw::with(settings());
        raw.send(first).await;
        assert_eq!(
            raw.ends().await,
            (Code::InvalidArgument, String::from("HELLO_EXPECTED"))
        );
    }
}

/// What is changed in a good Hello, and how the stream ends.
type Case = (fn(&mut Hello), Code, &'static str);

#[tokio::test]
async fn a_hello_must_be_in_form_and_of_its_own_systems() {
    let wrong: [Case; 5] = [
        (|hello| hello.program.clear(), Code::InvalidArgument, "FIELD_INVALID"),
        (
            |hello| hello.program = "x".repeat(129),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            |hello| hello.kind = String::from("../x"),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            |hello| hello.systems = vec![String::new()],
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            |hello| hello.systems = vec![String::from("a"), String::from("c")],
            Code::PermissionDenied,
            "ADAPTER_NOT_SYSTEM",
        ),
    ];
    for (change, code, reason) in wrong {
        let mut raw = Raw::with(settings());
        let mut hello = hello();
        change(&mut hello);
        raw.send(Frame::Hello(hello)).await;
        assert_eq!(raw.ends().await, (code, reason.to_owned()));
    }
}

#[tokio::test]
async fn what_breaks_the_rules_ends_the_stream_with_its_reason() {
    let upload_end = |call_id| Frame::UploadEnd(UploadEnd { call_id, object: None });
    let answer = Frame::Answer(AdapterAnswer {
        call_id: 77,
        answer: None,
    });
    let no_call = Frame::Call(ExchangeCall {
        call_id: 1,
        system: String::from("a"),
        call: None,
        trace: String::new(),
    });
    let cases: Vec<(&str, Vec<Frame>)> = vec![
        ("HELLO_TWICE", vec![Frame::Hello(hello())]),
        ("CALL_ID_USED", vec![get(5, "a"), get(5, "a")]),
        ("CALL_ID_USED", vec![get(5, "a"), get(4, "a")]),
        ("CALL_ID_USED", vec![get(0, "a")]),
        ("CALL_ID_UNKNOWN", vec![chunk(9, 1)]),
        ("CALL_ID_UNKNOWN", vec![upload_end(9)]),
        ("CALL_ID_UNKNOWN", vec![Frame::Cancel(Cancel { call_id: 9 })]),
        ("CALL_ID_UNKNOWN", vec![Frame::Credit(Credit { call_id: 9, bytes: 1 })]),
        ("CALL_ID_UNKNOWN", vec![answer]),
        ("CREDIT_EXCEEDED", vec![begin(1), chunk(1, 65_537)]),
        ("CREDIT_EXCEEDED", vec![begin(1), chunk(1, 0)]),
        ("FRAME_UNKNOWN", vec![no_call]),
    ];
    for (reason, frames) in cases {
        let mut raw = Raw::attached().await;
        for frame in frames {
            raw.send(frame).await;
        }
        assert_eq!(raw.ends().await, (Code::InvalidArgument, reason.to_owned()));
    }
    let mut raw = Raw::attached().await;
    raw.frames.send(Ok(AttachRequest { frame: None })).await.unwrap();
    assert_eq!(raw.ends().await.1, "FRAME_UNKNOWN");
}

#[tokio::test]
async fn more_than_the_credit_is_not_taken() {
    let mut raw = Raw::attached().await;
    raw.send(begin(1)).await;
    let credit = raw.next().await.unwrap();
    assert!(
        matches!(credit, attach_response::Frame::Credit(Credit { call_id: 1, .. })),
        "{credit:?}"
    );
    // The node takes what comes, so that some of it is granted anew: what is sent at once is beyond in the end.
    for _ in 0..64 {
        if raw
            .frames
            .send(Ok(AttachRequest {
                frame: Some(chunk(1, 65_536)),
            }))
            .await
            .is_err()
        {
            break;
        }
    }
    let told = raw.ends().await;
    assert_eq!(told, (Code::InvalidArgument, String::from("CREDIT_EXCEEDED")));
    timeout(WAIT, raw.exchange.dropped_uploads(1)).await.unwrap();
}

#[tokio::test]
async fn more_calls_than_allowed_end_the_stream_and_what_was_accepted_stays() {
    let mut raw = Raw::attached().await;
    let exchange = Arc::clone(&raw.exchange);
    let held = exchange.door.acquire().await.unwrap();
    for at in 1..=9 {
        let publish = write_publish(&message(&at.to_string()), Vec::new());
        raw.send(call(at, "a", Call::Publish(publish))).await;
    }
    assert_eq!(raw.ends().await.1, "CALLS_TOO_MANY");
    drop(held);
    let accepted = async {
        while raw.exchange.state().published.len() < 8 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(WAIT, accepted).await.unwrap();
}

#[tokio::test]
async fn a_process_that_says_nothing_is_given_up() {
    let quick = GatewaySettings {
        health_interval_ms: 20,
        ..settings()
    };
    let mut raw = Raw::with(quick);
    raw.send(Frame::Hello(hello())).await;
    assert_eq!(
        raw.ends().await,
        (Code::InvalidArgument, String::from("HEALTH_MISSING"))
    );
}

#[tokio::test]
async fn a_call_that_is_wrong_in_itself_is_refused_and_recorded_and_the_stream_goes_on() {
    let mut raw = Raw::attached().await;
    let fetch = Call::Fetch(exchange_call::Fetch {
        delivery_id: String::from("x"),
    });
    let reads_nothing = Call::ReadObject(exchange_call::ReadObject {
        of: None,
        index: 0,
        credit_bytes: 65_536,
    });
    let mut unknown_upload = write_publish(&message("key"), vec![String::from("99")]);
    unknown_upload.from_path.clear();
    for (at, (wrong, reason, path)) in [
        (fetch, "FIELD_INVALID", "delivery_id"),
        (reads_nothing, "FIELD_MISSING", "read_object.of"),
        (
            Call::Publish(unknown_upload),
            "FIELD_INVALID",
            "message.attachments[0].handle",
        ),
        (
            Call::Publish(exchange_call::Publish::default()),
            "FIELD_MISSING",
            "message",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        raw.send(call(at as u64 + 1, "a", wrong)).await;
        let exchange_answer::Answer::Failure(failure) = raw.answer().await else {
            panic!("{reason}")
        };
        let PublishError::Refused(refusals) = lgsp_proto::read_publish_failure(failure) else {
            panic!("{reason}")
        };
        assert_eq!((refusals[0].code.as_str(), refusals[0].path.as_str()), (reason, path));
        let (by, recorded) = raw.exchange.state().rejected.last().cloned().unwrap();
        assert_eq!((by.system, recorded.refusals), (system("a"), refusals));
    }
    for (at, stranger) in ["c", "", "../x", "đ"].into_iter().enumerate() {
        raw.send(get(at as u64 + 10, stranger)).await;
        let exchange_answer::Answer::Failure(failure) = raw.answer().await else {
            panic!("{stranger}")
        };
        let PublishError::Refused(refusals) = lgsp_proto::read_publish_failure(failure) else {
            panic!("{stranger}")
        };
        assert_eq!(refusals[0].code.as_str(), "ADAPTER_NOT_SYSTEM");
    }
    raw.send(get(100, "a")).await;
    assert!(matches!(raw.answer().await, exchange_answer::Answer::Message(_)));
}

#[tokio::test]
async fn a_process_that_dies_in_the_middle_of_an_upload_leaves_nothing() {
    let mut raw = Raw::attached().await;
    raw.send(begin(1)).await;
    assert!(matches!(raw.next().await, Ok(attach_response::Frame::Credit(_))));
    raw.send(chunk(1, 50_000)).await;
    raw.frames.send(Err(Status::cancelled("gone"))).await.unwrap();
    timeout(WAIT, raw.exchange.dropped_uploads(1)).await.unwrap();
    assert!(raw.exchange.state().published.is_empty());
}

#[tokio::test]
async fn a_cancelled_upload_is_thrown_away_and_its_late_frames_are_ignored() {
    let mut raw = Raw::attached().await;
    raw.send(begin(1)).await;
    assert!(matches!(raw.next().await, Ok(attach_response::Frame::Credit(_))));
    raw.send(Frame::Cancel(Cancel { call_id: 1 })).await;
    timeout(WAIT, raw.exchange.dropped_uploads(1)).await.unwrap();
    assert!(matches!(raw.answer().await, exchange_answer::Answer::Failure(_)));
    raw.send(chunk(1, 10)).await;
    raw.send(get(2, "a")).await;
    assert!(matches!(raw.answer().await, exchange_answer::Answer::Message(_)));
}
