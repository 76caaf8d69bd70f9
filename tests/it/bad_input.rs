//! Whatever anybody sends, the node answers with a stable code, says where and what to do, and lives on.
//!
//! The corpus is tests/data/bad-input. Source: issue 3, "Bad input"; reliability.md 8.

mod case;
mod forge;
mod judge;
mod ledger;
mod start;
mod wire;

use std::fs;
use std::path::Path;
use std::time::Duration;

use lgsp_adapters::edxml_vxp::client::items::ReceivedItem;
use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::edxml_vxp::client::{MessageType, Service};

use crate::support::{Department, Home, INFORMATION, JUSTICE, Node, PROVINCE};
use case::{Bytes, Call, Expected, Then};
pub(crate) use case::{Edits, Named, cases};
use forge::Scene;
use judge::{Bodies, CANARY, disagreements};
use ledger::{Facts, misrecorded};
use wire::{Sender, exchange};

/// All bad input together may cost the node so much memory. Source: reliability.md 8.
const MEMORY_MAX_KB: u64 = 64 * 1024;
/// One case may cost the node so much of a processor. Source: reliability.md 8, for XML.
const CPU_TIME_MAX: Duration = Duration::from_secs(2);

#[test]
fn bad_packets_calls_and_connections_get_their_answers_and_harm_nothing() {
    let mut stage = Stage::raise();
    let mut table = Vec::new();
    let mut number = 0;
    for file in ["packet.toml", "call.toml"] {
        for case in cases::<Call>(file) {
            number += 1;
            let request = stage.scene.call(&case, number);
            let sender = Sender {
                bytes: &request,
                then: Then::Read,
                drop: b"",
                every: Duration::ZERO,
            };
            stage.play(&case.name, number, &case.expected(), &sender, &mut table);
        }
    }
    for case in cases::<Bytes>("http.toml") {
        number += 1;
        let request = stage.scene.bytes(&case, number);
        let every = Duration::from_millis(case.every_ms);
        let sender = Sender {
            bytes: &request,
            then: case.then,
            drop: case.drop.as_bytes(),
            every,
        };
        stage.play(&case.name, number, &case.expected(), &sender, &mut table);
    }
    table.extend(stage.lower().into_iter().map(|wrong| format!("in the end: {wrong}")));
    assert!(
        table.is_empty(),
        "{} disagreements in {number} cases:\n{}",
        table.len(),
        table.join("\n")
    );
}

/// The node, what must survive in it, and what was counted last.
struct Stage {
    node: Node,
    scene: Scene,
    /// Sent before anything bad, and fetched in the end.
    kept: Vec<u8>,
    memory_kb: u64,
    facts: Facts,
    /// Packets that must be stored by now.
    accepted: usize,
    bodies: Bodies,
}

impl Stage {
    fn raise() -> Self {
        let mut home = Home::new();
        home.know_rights();
        // Slow senders shall not make slow tests; nor shall refusals be summed up that the cases count.
        for timeout in ["header_timeout_ms", "idle_timeout_ms", "no_progress_timeout_ms"] {
            home.set("vxp", timeout, 1000);
        }
        home.set("vxp", "body_max_bytes", 32 * 1024 * 1024);
        home.set("exchange", "refusals_per_second_max", 10_000);
        let node = Node::start(home);
        let kept = packet(&INFORMATION, "19001", &PROVINCE);
        send(&node, &INFORMATION, &kept).unwrap();
        let own = packet(&JUSTICE, "19002", &INFORMATION);
        send(&node, &JUSTICE, &own).unwrap();
        let scene = Scene {
            vxp: node.vxp().to_owned(),
            own_delivery: only_delivery(&node, &INFORMATION),
            delivery: only_delivery(&node, &PROVINCE),
        };
        let mut facts = Facts::of(node.home().data().join("ledger/data.ledger"));
        let accepted = facts.take().len();
        Self {
            memory_kb: node.vm_hwm_kb(),
            node,
            scene,
            kept,
            facts,
            accepted,
            bodies: Bodies::new(),
        }
    }

    /// Plays one case, then a proper exchange, and writes down all that is not as it must be.
    fn play(&mut self, name: &str, number: usize, expected: &Expected, sender: &Sender<'_>, table: &mut Vec<String>) {
        let before = self.node.cpu_time();
        let seen = exchange(self.node.address(), sender);
        let mut wrong = disagreements(name, expected, &seen, &mut self.bodies);
        assert!(self.node.is_alive(), "{name} ended the node:\n{}", self.node.log());
        let spent = self.node.cpu_time() - before;
        if spent > CPU_TIME_MAX {
            wrong.push(format!("it cost the node {spent:?} of a processor"));
        }
        if let Err(trouble) = self.proper_exchange(number) {
            wrong.push(format!("afterwards a proper call does not work: {trouble}"));
        }
        wrong.extend(misrecorded(expected, &self.facts.take()));
        self.accepted += expected.accepted + 1;
        table.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }

    /// A letter goes from one department to another, is compared and acknowledged.
    fn proper_exchange(&self, number: usize) -> Result<(), String> {
        let letter = packet(&PROVINCE, &(50_000 + number).to_string(), &JUSTICE);
        send(&self.node, &PROVINCE, &letter)?;
        let mut service = JUSTICE.service(&self.node);
        // Packets of the corpus that are accepted wait there too.
        let is_letter = |item: &ReceivedItem| item.from == PROVINCE.code;
        let waiting = JUSTICE.wait_for(&self.node, MessageType::Edoc, |items| items.iter().any(is_letter));
        for item in waiting.iter().filter(|item| is_letter(item)) {
            let same = fetch(&mut service, &item.doc_id)? == letter;
            service
                .update_status(&item.doc_id, "done")
                .map_err(|error| error.to_string())?;
            if same {
                return Ok(());
            }
        }
        Err(format!("the letter is none of the {} that wait", waiting.len()))
    }

    /// What is wrong when all is over.
    fn lower(mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        let grown_kb = self.node.vm_hwm_kb() - self.memory_kb;
        println!("all bad input together cost the node {grown_kb} KiB");
        if grown_kb > MEMORY_MAX_KB {
            wrong.push(format!("the node's memory grew by {grown_kb} KiB"));
        }
        let fetched = fetch(&mut PROVINCE.service(&self.node), &self.scene.delivery);
        if fetched.as_ref() != Ok(&self.kept) {
            wrong.push(format!(
                "what was sent before is not there as it was sent: {:?}",
                fetched.map(|it| it.len())
            ));
        }
        self.node.stop();
        for (folder, count) in [("objects", self.accepted), ("staging", 0)] {
            let files = files(&self.node.home().data().join(folder));
            if files != count {
                wrong.push(format!("{files} files lie in {folder}, not {count}"));
            }
        }
        let verified = self.node.verify(&["--objects"]);
        if verified.code != Some(0) {
            wrong.push(format!("ledger and objects do not verify: {verified:?}"));
        }
        if !self.node.log().contains("serving") {
            wrong.push("there is no log to look into".to_owned());
        }
        let secrets = [INFORMATION, JUSTICE, PROVINCE].map(|department| department.secret);
        for line in self.node.log().lines() {
            if secrets.iter().chain([&CANARY]).any(|word| line.contains(word)) {
                wrong.push(format!("the log tells what it must not: {line}"));
            }
            if is_alarm(line) {
                wrong.push(format!("bad input called for an operator: {line}"));
            }
        }
        wrong
    }
}

/// How many files lie in a folder and below.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

fn packet(from: &Department, number: &str, to: &Department) -> Vec<u8> {
    let mut packet = Vec::new();
    from.letter(number, &[*to]).write(&mut packet).unwrap();
    packet
}

fn send(node: &Node, from: &Department, packet: &[u8]) -> Result<(), String> {
    let sent = from
        .service(node)
        .send_edoc(from.code, None, MessageType::Edoc, Source::Bytes(packet));
    sent.map(drop)
        .map_err(|error| format!("{error}: {:?}", error.refusal()))
}

fn fetch(service: &mut Service, delivery: &str) -> Result<Vec<u8>, String> {
    let mut fetched = Vec::new();
    service
        .download_edoc(delivery, &mut fetched)
        .map_err(|error| error.to_string())?;
    Ok(fetched)
}

fn only_delivery(node: &Node, to: &Department) -> String {
    let waiting = to.wait_for(node, MessageType::Edoc, |items| !items.is_empty());
    let [item] = waiting.as_slice() else {
        panic!("{} deliveries wait for {}", waiting.len(), to.code);
    };
    item.doc_id.clone()
}

/// What calls for an operator. A mark of secrecy does, as it should.
fn is_alarm(line: &str) -> bool {
    let is_error = line.contains("\"level\":\"ERROR\"") && !line.contains("security alert: a message with a mark");
    is_error || line.contains("panicked")
}
