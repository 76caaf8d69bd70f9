//! `lgsp demo` as somebody runs it who sees the platform for the first time, and what it leaves for the next one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::builder::{DocumentPacket, Organ};
use lgsp_adapters::edxml_vxp::client::sign::Timestamp;
use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::edxml_vxp::client::{MessageType, Service};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::Deserialize;
use serde_json::Value;

use crate::support::{self, INFORMATION, JUSTICE, Lines, run, to_lgsp, written};

/// The promise of the README, after the build.
const PLAYED_WITHIN: Duration = Duration::from_secs(60);

/// A running demo, killed when this is dropped: its node ends with it, or the test has failed.
struct Demo {
    child: Child,
    out: Arc<Lines>,
    err: Arc<Lines>,
}

impl Demo {
    fn start(arguments: &[&str], data: &Path) -> Self {
        let mut command = to_lgsp(&["demo"]);
        command.args(arguments).arg("--data").arg(data);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = Lines::follow(child.stdout.take().unwrap());
        let err = Lines::follow(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// Waits until a line has these words.
    fn wait_for(&self, words: &str) {
        let found = self
            .out
            .wait_for(PLAYED_WITHIN, |line| line.contains(words).then_some(()));
        assert!(
            found.is_some(),
            "`{words}` was not said:\n{}\n{}",
            self.out.text(),
            self.err.text()
        );
    }

    /// The exit code, and all that was printed.
    fn end(mut self) -> (Option<i32>, String) {
        let ended = self.out.wait_for_end(PLAYED_WITHIN) && self.err.wait_for_end(PLAYED_WITHIN);
        assert!(ended, "it does not end:\n{}", self.out.text());
        let code = self.child.wait().unwrap().code();
        (code, format!("{}\n{}", self.out.text(), self.err.text()))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The file that `--access` writes. Source: issue 3.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Access {
    endpoints: Endpoints,
    systems: Vec<System>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoints {
    vxp: String,
    grpc: String,
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct System {
    agency: String,
    system: String,
    secret: String,
    cert: PathBuf,
    key: PathBuf,
    token: String,
}

impl Access {
    fn service(&self, at: usize) -> Service {
        let System { system, secret, .. } = &self.systems[at];
        let timestamp = Timestamp::written("25112026T090000+0000");
        Service::new(&self.endpoints.vxp, system, secret, &timestamp).unwrap()
    }

    /// Another client's document, from the first system's agency to the second's.
    fn packet(&self) -> Vec<u8> {
        let [from, to, ..] = &*self.systems else {
            panic!("there are two systems");
        };
        written(&DocumentPacket {
            from: Organ::new(&from.agency, "Bên gửi"),
            to: vec![Organ::new(&to.agency, "Bên nhận")],
            ..INFORMATION.letter("60", &[JUSTICE])
        })
    }
}

impl Access {
    /// The second system sends with its own certificate; the third one's token comes over the adapter's connection.
    fn send_by_certificate_and_take_by_token(&self, folder: &Path) {
        let [_, sender, receiver] = &*self.systems else {
            panic!("there are three systems");
        };
        let (payload, token) = (folder.join("payload.json"), folder.join("token"));
        fs::write(&payload, support::letter("thử").to_string()).unwrap();
        fs::write(&token, &receiver.token).unwrap();
        fs::set_permissions(&token, Permissions::from_mode(0o600)).unwrap();
        let call = |arguments: &[&str], cert: &Path, key: &Path| {
            let mut command = to_lgsp(arguments);
            command
                .args(["--node", &self.endpoints.grpc, "--ca"])
                .arg(&self.endpoints.ca);
            command.arg("--cert").arg(cert).arg("--key").arg(key);
            command
        };
        let send = [
            "send",
            "--json",
            "--from",
            &sender.agency,
            "--to",
            &receiver.agency,
            "--idempotency-key",
            "x",
        ];
        let mut send = call(&send, &sender.cert, &sender.key);
        send.arg(&payload);
        let sent = run(send);
        assert_eq!(sent.code, Some(0), "{sent:?}");
        let sent: Value = serde_json::from_str(&sent.out).unwrap();
        let mut receive = call(&["receive", "--once"], &self.endpoints.cert, &self.endpoints.key);
        receive.arg("--token-file").arg(&token);
        let taken = run(receive);
        assert_eq!(taken.code, Some(0), "{taken:?}");
        let taken: Value = serde_json::from_str(&taken.out).unwrap();
        assert_eq!(taken["message_id"], sent["message_id"]);
    }
}

/// The process that serves the demo's node.
fn node_of(data: &Path) -> Pid {
    let announced = fs::read(data.join("node/node.json")).unwrap();
    let announced: Value = serde_json::from_slice(&announced).unwrap();
    Pid::from_raw(announced["pid"].as_i64().unwrap().try_into().unwrap()).unwrap()
}

#[test]
fn it_plays_to_its_end_and_shows_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let began = Instant::now();
    let (code, printed) = Demo::start(&[], &data).end();
    assert_eq!(code, Some(0), "{printed}");
    assert!(began.elapsed() < PLAYED_WITHIN, "it took {:?}", began.elapsed());
    for words in [
        // The timeline, with times and states.
        "1204/SKHCN-CĐS  new document",
        "accepted",
        "collected",
        "Sở Tư pháp tỉnh Phú Thọ (H44.14): delivered",
        "status 03: registered",
        // The rules at work, and a service that is called.
        "SECRECY_MARK at ",
        "MessageHeader/SignerInfo/FullName, ",
        "GRANT_EXPIRED at ",
        "(H62.14), by its successor Sở Tư pháp tỉnh Phú Thọ (H44.14): delivered",
        "(H44.14): taken-back",
        "16 declined",
        "is replaced by 1215/SKHCN-CĐS",
        "(CONNECT_FAILED)",
        "dead-lettered (FORM_UNKNOWN)",
        "redriven",
        // The letter by gRPC.
        "lgsp send: message",
        "stored and acknowledged",
        // Refusals by name and path.
        "ADDRESSEE_UNKNOWN",
        "H44.999",
        "ATTACHMENT_BASE64",
        "ContentTransferEncoded",
        // The whole ledger, and the copy with another bit.
        "DAMAGED in lgsp/0 at offset 0",
        "NOT verified",
        "lgsp verify --data",
    ] {
        assert!(printed.contains(words), "`{words}` is not in\n{printed}");
    }
    assert!(printed.lines().any(|line| line.trim() == "verified"), "{printed}");
    assert!(!data.join("node/node.json").exists(), "its node still serves");
    // A second one finds the first one's folder, and plays in its place.
    let (code, printed) = Demo::start(&["--json"], &data).end();
    assert_eq!(code, Some(0), "{printed}");
    let mut lines = printed.lines().filter(|line| !line.is_empty());
    assert!(lines.all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object())));
}

fn another_client_joins_and_a_signal_ends_it(signal: Signal) {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("demo"), folder.path().join("access.json"));
    let demo = Demo::start(&["--keep", "--access", file.to_str().unwrap()], &data);
    demo.wait_for("until Ctrl-C, gRPC https://");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600,
        "it holds secrets"
    );
    let access: Access = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();

    let packet = access.packet();
    let sent = access.service(0).send_edoc(
        &access.systems[0].agency,
        None,
        MessageType::Edoc,
        Source::Bytes(&packet),
    );
    assert!(sent.unwrap().is_ok());
    let mut receiver = access.service(1);
    let items = receiver.received_list(MessageType::Edoc).unwrap();
    let item = items.last().unwrap();
    let mut fetched = Vec::new();
    receiver.download_edoc(&item.doc_id, &mut fetched).unwrap();
    assert!(fetched == packet);
    assert!(receiver.update_status(&item.doc_id, "done").unwrap().is_ok());
    access.send_by_certificate_and_take_by_token(folder.path());
    let traced = run({
        let mut command = to_lgsp(&["trace", "60/THU-NGHIEM", "--config"]);
        command.arg(data.join("demo.toml"));
        command
    });
    assert!(traced.code == Some(0) && traced.out.contains("delivered"), "{traced:?}");

    let node = node_of(&data);
    test_kill_process(node).unwrap();
    demo.signal(signal);
    let (code, printed) = demo.end();
    assert_eq!(code, Some(0), "{printed}");
    assert!(test_kill_process(node).is_err(), "the node outlived the demo");
    assert!(!data.join("node/node.json").exists(), "the node did not stop in order");
}

#[test]
fn kept_it_serves_other_clients_until_sigterm() {
    another_client_joins_and_a_signal_ends_it(Signal::TERM);
}

#[test]
fn kept_it_serves_other_clients_until_ctrl_c() {
    another_client_joins_and_a_signal_ends_it(Signal::INT);
}

#[test]
fn a_demo_that_is_stopped_in_the_middle_leaves_no_node_behind() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let demo = Demo::start(&[], &data);
    demo.wait_for("serves http://127.0.0.1:");
    let node = node_of(&data);
    demo.signal(Signal::TERM);
    let (code, printed) = demo.end();
    assert_ne!(code, Some(0), "it was not played to its end:\n{printed}");
    assert!(test_kill_process(node).is_err(), "the node outlived the demo");
}

#[test]
fn a_folder_that_no_demo_made_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("precious.txt");
    fs::write(&precious, "of somebody").unwrap();
    let (code, printed) = Demo::start(&[], folder.path()).end();
    assert_eq!(code, Some(3), "{printed}");
    assert!(printed.contains("is no folder of a demo"), "{printed}");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "of somebody");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was added");
}
