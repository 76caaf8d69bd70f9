//! Several departments that write to each other at the same time, and what their journals say in the end.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use lgsp_adapters::edxml_vxp::client::MessageType;

use super::DEPARTMENTS;
use super::client::{self, Line, Part, department};
use crate::support::{Department, Lines, Node};

/// How many letters each department sends to all others.
const LETTERS: u32 = 12;
const TIME_LIMIT: Duration = Duration::from_secs(90);

/// Their processes, one that sends and one that receives for each department.
pub(crate) struct Town {
    clients: Vec<Client>,
    journal: Arc<Lines>,
}

struct Client {
    process: Child,
    errors: Arc<Lines>,
}

impl Town {
    /// Starts everybody.
    pub(crate) fn at_work(node: &Node) -> Self {
        let (reader, writer) = io::pipe().unwrap();
        let data = node.home().data();
        let clients = DEPARTMENTS.iter().flat_map(|department| {
            [Some(LETTERS), None].map(|letters| Part {
                data: data.clone(),
                code: department.code.to_owned(),
                letters,
                to: others(department).iter().map(|other| other.code.to_owned()).collect(),
                expected: LETTERS as usize * (DEPARTMENTS.len() - 1),
            })
        });
        let clients = clients.map(|part| {
            let mut process = client::start(&part, &writer);
            let errors = Lines::follow(process.stderr.take().unwrap());
            Client { process, errors }
        });
        Self {
            clients: clients.collect(),
            journal: Lines::follow(reader),
        }
    }

    /// Waits until so many steps were taken since the beginning, or all.
    pub(crate) fn wait_for_steps(&self, steps: u64) {
        let taken = Cell::new(0);
        self.journal.wait_for(TIME_LIMIT, |line| {
            taken.set(taken.get() + u64::from(Line::read(line).is_some()));
            (taken.get() >= steps).then_some(())
        });
    }

    /// Waits until everybody has ended well, and reads what they wrote.
    pub(super) fn work_to_the_end(mut self) -> Told {
        let in_time = self.journal.wait_for_end(TIME_LIMIT);
        for client in &mut self.clients {
            if !in_time {
                client.process.kill().unwrap();
            }
            let status = client.process.wait().unwrap();
            client.errors.wait_for_end(TIME_LIMIT);
            assert!(
                status.success(),
                "a client ended with {status}:\n{}",
                client.errors.text()
            );
        }
        Told::read(&self.journal.text())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Already ended is as good.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn others(department: &Department) -> Vec<Department> {
    let others = DEPARTMENTS.into_iter().filter(|other| other.code != department.code);
    others.collect()
}

/// How many letters wait for this department.
pub(super) fn waiting(node: &Node, department: Department) -> usize {
    department.service(node).received_list(MessageType::Edoc).unwrap().len()
}

/// What the clients counted.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The `DocId` of each letter by sender and number.
    sent: BTreeMap<(String, u32), String>,
    /// What each department's inbox took: docId and packet, in order.
    took: BTreeMap<String, Vec<(String, String)>>,
    acknowledged: BTreeSet<String>,
    repeats: usize,
}

impl Told {
    fn read(journal: &str) -> Self {
        let mut told = Self::default();
        for line in journal.lines().filter_map(Line::read) {
            match line {
                Line::Sent { code, number, doc_id } => {
                    let first = told.sent.insert((code, number), doc_id.clone());
                    assert!(first.is_none_or(|first| first == doc_id), "a repeat got another DocId");
                }
                Line::Took { code, doc_id, packet } => told.took.entry(code).or_default().push((doc_id, packet)),
                Line::Acknowledged { doc_id, .. } => drop(told.acknowledged.insert(doc_id)),
                Line::Repeats { .. } => told.repeats += 1,
            }
        }
        told
    }

    pub(super) fn letters(&self) -> usize {
        self.sent.len()
    }

    pub(super) fn deliveries(&self) -> usize {
        self.acknowledged.len()
    }

    /// The kill was in the middle of the work: somebody had to ask again.
    pub(super) fn met_the_kill(&self) {
        assert!(self.repeats > 0, "nobody noticed the kill");
    }

    /// Each letter that was answered OK came to each of its addressees, once, as it was sent.
    pub(super) fn nothing_lost_nothing_doubled(&self) {
        assert_eq!(self.letters(), LETTERS as usize * DEPARTMENTS.len());
        let doc_ids: BTreeSet<_> = self.sent.values().collect();
        assert_eq!(doc_ids.len(), self.letters(), "two letters have one DocId");
        for receiver in DEPARTMENTS {
            let mut expected: Vec<String> = others(&receiver)
                .iter()
                .flat_map(|sender| (1..=LETTERS).map(|number| client::digest(&packet(sender, number))))
                .collect();
            let took = &self.took[receiver.code];
            let mut packets: Vec<_> = took.iter().map(|(_, packet)| packet.clone()).collect();
            expected.sort_unstable();
            packets.sort_unstable();
            assert!(
                expected == packets,
                "{} has other letters than were sent",
                receiver.name
            );
            assert!(took.iter().all(|(doc_id, _)| self.acknowledged.contains(doc_id)));
        }
    }

    /// Whoever sends once more gets the first answer.
    pub(super) fn same_answers_again(&self, node: &Node) {
        for ((code, number), doc_id) in &self.sent {
            let sender = department(code);
            let again = client::send(&mut sender.service(node), code, &packet(&sender, *number)).unwrap();
            assert_eq!(again, *doc_id, "letter {number} of {code}");
        }
    }
}

fn packet(sender: &Department, number: u32) -> Vec<u8> {
    client::letter(sender, number, &others(sender))
}
