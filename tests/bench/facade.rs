//! The departments' software before a node.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::builder::attachment::{Attachment, Content};
use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::edxml_vxp::client::{MessageType, Service};
use lgsp_ledger::Local;

use crate::support::{INFORMATION, JUSTICE, Node, PROVINCE};

/// Letters of about 2 KB, every one another.
#[derive(Debug, Default)]
pub(crate) struct Packets(AtomicU64);

impl Packets {
    fn next(&self, to: crate::support::Department) -> Vec<u8> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let mut letter = INFORMATION.letter(&format!("{number}"), &[to]);
        letter.attachments.clear();
        let mut packet = Vec::new();
        letter.write(&mut packet).unwrap();
        packet
    }

    pub(crate) fn size(&self) -> usize {
        self.next(JUSTICE).len()
    }
}

fn accept(service: &mut Service, packet: Source<'_>) {
    let answer = service
        .send_edoc(INFORMATION.code, None, MessageType::Edoc, packet)
        .unwrap();
    assert_eq!(answer.doc_id.map(|id| id.len()), Some(36));
}

/// How large a record such a packet makes in the ledger.
pub(crate) fn record_size(node: &Node, packets: &Packets) -> usize {
    accept(&mut INFORMATION.service(node), Source::Bytes(&packets.next(JUSTICE)));
    let ledger = Local::open_read_only(&node.home().data().join("ledger/data.ledger")).unwrap();
    ledger.entries(0, 0).unwrap().next().unwrap().unwrap().record.len()
}

/// So many callers send so many letters each, over a connection that each keeps.
pub(crate) fn accepts(node: &Node, packets: &Packets, callers: usize, each: usize) -> Duration {
    let letters: Vec<Vec<Vec<u8>>> = (0..callers)
        .map(|_| (0..each).map(|_| packets.next(JUSTICE)).collect())
        .collect();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for letters in &letters {
            scope.spawn(|| {
                let mut service = INFORMATION.service(node);
                letters
                    .iter()
                    .for_each(|letter| accept(&mut service, Source::Bytes(letter)));
            });
        }
    });
    began.elapsed()
}

/// Packets with 30 MB attached, one for each round.
#[derive(Debug)]
pub(crate) struct Large(PathBuf);

impl Large {
    pub(crate) fn path(&self, round: usize) -> PathBuf {
        self.0.join(format!("large-{round}.edxml"))
    }
}

pub(crate) fn large_packet(folder: &Path) -> Large {
    let large = Large(folder.to_owned());
    for round in 0..=crate::ROUNDS {
        let bytes: Vec<u8> = (0..30_000_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let mut letter = INFORMATION.letter(&format!("9{round}"), &[JUSTICE]);
        letter.attachments = vec![Attachment::new("1", "phu-luc.pdf", Content::Bytes(bytes))];
        letter
            .write(&mut std::fs::File::create(large.path(round)).unwrap())
            .unwrap();
    }
    large
}

pub(crate) fn send(node: &Node, packet: &Path) -> Duration {
    let mut service = INFORMATION.service(node);
    let began = Instant::now();
    accept(&mut service, Source::File(packet));
    began.elapsed()
}

/// From each answer to its sender until its receiver, who asks again and again, has the bytes.
pub(crate) fn collect(node: &Node, packets: &Packets, count: usize) -> Vec<Duration> {
    let (mut sender, mut receiver) = (INFORMATION.service(node), PROVINCE.service(node));
    let mut waits = Vec::new();
    for _ in 0..count {
        let packet = packets.next(PROVINCE);
        accept(&mut sender, Source::Bytes(&packet));
        let began = Instant::now();
        let item = loop {
            if let Some(item) = receiver.received_list(MessageType::Edoc).unwrap().pop() {
                break item;
            }
        };
        let mut received = Vec::new();
        receiver.get_edoc(&item.doc_id, &mut received).unwrap();
        waits.push(began.elapsed());
        assert_eq!(received, packet);
        receiver.update_status(&item.doc_id, "done").unwrap();
    }
    waits
}
