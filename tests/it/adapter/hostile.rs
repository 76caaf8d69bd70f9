//! An adapter process that does what it may not, over the real wire: refused with a stable code, and the node goes on.

use std::fs;
use std::time::Duration;

use futures_util::stream;
use lgsp_api::{Endpoint, Told, connect};
use lgsp_proto::adapter::v1::adapter_gateway_client::AdapterGatewayClient;
use lgsp_proto::adapter::v1::exchange_call::{self, Call};
use lgsp_proto::adapter::v1::{
    AttachRequest, AttachResponse, Chunk, ExchangeAnswer, ExchangeCall, Hello, attach_request, attach_response,
    exchange_answer, failure,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{Home, INFORMATION, JUSTICE, Node, facade_outside, written};
use attach_request::Frame;

const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A process that sends what it likes.
struct Raw {
    say: mpsc::Sender<AttachRequest>,
    answers: std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<AttachResponse, Told>> + Send>>,
}

impl Raw {
    async fn dial(endpoint: &Endpoint, first: &[Frame]) -> Result<Self, Told> {
        let (say, frames) = mpsc::channel(64);
        for frame in first {
            say.send(AttachRequest {
                frame: Some(frame.clone()),
            })
            .await
            .unwrap();
        }
        let frames = stream::unfold(frames, |mut frames| async { Some((frames.recv().await?, frames)) });
        let mut client = AdapterGatewayClient::new(connect(endpoint).await.unwrap());
        let opened = client.attach(frames).await.map_err(|status| Told::of(&status))?;
        let answers = stream::unfold(Some(opened.into_inner()), |answers| async {
            let mut answers = answers?;
            match answers.message().await {
                Ok(message) => message.map(|message| (Ok(message), Some(answers))),
                Err(status) => Some((Err(Told::of(&status)), None)),
            }
        });
        Ok(Self {
            say,
            answers: Box::pin(answers),
        })
    }

    async fn say(&self, frame: Frame) {
        self.say.send(AttachRequest { frame: Some(frame) }).await.unwrap();
    }

    async fn next(&mut self) -> Result<attach_response::Frame, Told> {
        use futures_util::StreamExt as _;
        let next = timeout(TIME_LIMIT, self.answers.next()).await.expect("a frame in time");
        next.expect("the stream ended in order")
            .map(|frame| frame.frame.unwrap())
    }

    /// The reason with which it ends.
    async fn ends(&mut self) -> String {
        loop {
            if let Err(told) = self.next().await {
                return told.reason;
            }
        }
    }

    async fn answer(&mut self) -> ExchangeAnswer {
        loop {
            if let attach_response::Frame::Answer(answer) = self.next().await.unwrap() {
                return answer;
            }
        }
    }
}

fn hello() -> Frame {
    Frame::Hello(Hello {
        program: String::from("hostile 1"),
        kind: String::from("edxml-vxp"),
        systems: Vec::new(),
        minor: 0,
    })
}

fn call(call_id: u64, system: &str, call: Call) -> Frame {
    Frame::Call(ExchangeCall {
        call_id,
        system: system.to_owned(),
        call: Some(call),
        trace: String::new(),
    })
}

fn open(call_id: u64, system: &str) -> Frame {
    let open = exchange_call::Open {
        limit: 10,
        ..Default::default()
    };
    call(call_id, system, Call::Open(open))
}

fn node() -> Node {
    facade_outside(|| Node::start(Home::new()))
}

/// The façade's own stream, and the node, do not mind any of it.
fn goes_on(node: &Node) {
    let packet = written(&INFORMATION.letter("1", &[JUSTICE]));
    INFORMATION.desk(node).send(&packet).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_adapter_of_the_registry_is_let_in() {
    let node = node();
    for (who, reason) in [
        ("system/vxp.test.11", "CALLER_KIND"),
        ("operator/lan", "CALLER_KIND"),
        ("adapter/stranger", "ADAPTER_UNKNOWN"),
    ] {
        let told = match Raw::dial(&node.endpoint(who), &[hello()]).await {
            Ok(mut raw) => raw.ends().await,
            Err(told) => told.reason,
        };
        assert_eq!(told, reason, "{who}");
    }
    goes_on(&node);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_rules_ends_the_stream_with_its_reason() {
    let node = node();
    let endpoint = node.endpoint("adapter/vxp-1");
    let chunk = |call_id, bytes| {
        Frame::Chunk(Chunk {
            call_id,
            data: vec![0; bytes].into(),
        })
    };
    let upload = call(1, "vxp.test.11", Call::Upload(exchange_call::Upload {}));
    for (reason, frames) in [
        ("HELLO_EXPECTED", vec![open(1, "vxp.test.11")]),
        ("HELLO_TWICE", vec![hello(), hello()]),
        (
            "CALL_ID_USED",
            vec![hello(), open(1, "vxp.test.11"), open(1, "vxp.test.11")],
        ),
        ("CALL_ID_UNKNOWN", vec![hello(), chunk(5, 10)]),
        ("CREDIT_EXCEEDED", vec![hello(), upload, chunk(1, 70_000)]),
    ] {
        let mut raw = Raw::dial(&endpoint, &frames).await.unwrap();
        assert_eq!(raw.ends().await, reason);
    }
    goes_on(&node);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_anothers_name_nothing_is_done_and_the_attempt_is_a_fact() {
    let node = node();
    let mut raw = Raw::dial(&node.endpoint("adapter/vxp-1"), &[hello()]).await.unwrap();
    for (at, system) in ["vxp.test.nobody", "../x"].into_iter().enumerate() {
        raw.say(open(at as u64 + 1, system)).await;
        let Some(exchange_answer::Answer::Failure(failure)) = raw.answer().await.answer else {
            panic!("{system} was answered");
        };
        let Some(failure::Reason::Refused(refused)) = failure.reason else {
            panic!("{failure:?}")
        };
        assert_eq!(refused.refusals[0].code, "ADAPTER_NOT_SYSTEM", "{system}");
    }
    raw.say(open(9, "vxp.test.11")).await;
    assert!(matches!(
        raw.answer().await.answer,
        Some(exchange_answer::Answer::Opened(_))
    ));
    assert_eq!(node.fact_counts()["Rejected"], 2);
    goes_on(&node);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_in_the_middle_of_an_upload_leaves_nothing_behind() {
    let node = node();
    let upload = call(1, "vxp.test.11", Call::Upload(exchange_call::Upload {}));
    let mut raw = Raw::dial(&node.endpoint("adapter/vxp-1"), &[hello(), upload])
        .await
        .unwrap();
    while !matches!(raw.next().await.unwrap(), attach_response::Frame::Credit(_)) {}
    let chunk = Frame::Chunk(Chunk {
        call_id: 1,
        data: vec![7; 60_000].into(),
    });
    raw.say(chunk).await;
    let staging = node.home().data().join("staging");
    let staged = || fs::read_dir(&staging).unwrap().count();
    let until = async |count: usize| {
        while staged() != count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(TIME_LIMIT, until(1)).await.expect("the upload is staged");
    drop(raw);
    timeout(TIME_LIMIT, until(0)).await.expect("what was staged is gone");
    goes_on(&node);
}
