//! What others wrote: the ten packets of the field, and the twenty requests that the vendor's library signed.

mod signed;

use std::fs;
use std::path::Path;

use lgsp_adapters::edxml_vxp::client::MessageType;

use crate::support::{Department, Home, INFORMATION, JUSTICE, Node, OUTSIDE, PROVINCE, Way, data};

const EVERYBODY: [Department; 4] = [PROVINCE, INFORMATION, JUSTICE, OUTSIDE];

/// A packet, whose system sends it under which code, and whom it is for.
struct Sample {
    name: &'static str,
    sender: Department,
    from: &'static str,
    to: &'static [(Department, &'static str)],
}

impl Sample {
    fn kind(&self) -> MessageType {
        if self.name.starts_with("status") {
            MessageType::Status
        } else {
            MessageType::Edoc
        }
    }
}

/// A status goes to whom `ResponseFor` names. Source: exchange.md 5.3.
const NINE: [Sample; 9] = [
    Sample {
        name: "document_new",
        sender: INFORMATION,
        from: "H62.11",
        to: &[(JUSTICE, "H62.14")],
    },
    Sample {
        name: "document_update",
        sender: OUTSIDE,
        from: "000.00.00.G22",
        to: &[(PROVINCE, "H62"), (JUSTICE, "000.00.14.H62"), (INFORMATION, "H62.11")],
    },
    Sample {
        name: "document_replacement",
        sender: INFORMATION,
        from: "H62.11",
        to: &[(JUSTICE, "H62.14"), (PROVINCE, "H62")],
    },
    Sample {
        name: "document_revocation",
        sender: INFORMATION,
        from: "H62.11",
        to: &[(JUSTICE, "H62.14")],
    },
    Sample {
        name: "status_01_inbox",
        sender: JUSTICE,
        from: "H62.14",
        to: &[(INFORMATION, "H62.11")],
    },
    Sample {
        name: "status_02_rejection",
        sender: JUSTICE,
        from: "H62.14",
        to: &[(INFORMATION, "H62.11")],
    },
    Sample {
        name: "status_03_acceptance",
        sender: JUSTICE,
        from: "000.00.14.H62",
        to: &[(INFORMATION, "H62.11")],
    },
    Sample {
        name: "status_13_take_back",
        sender: INFORMATION,
        from: "H62.11",
        to: &[(JUSTICE, "H62.14")],
    },
    Sample {
        name: "status_15_agreed",
        sender: JUSTICE,
        from: "H62.14",
        to: &[(INFORMATION, "H62.11")],
    },
];

fn packet(name: &str) -> Vec<u8> {
    fs::read(data(&format!("edxml/{name}.edxml"))).unwrap()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path.display().to_string());
        }
    }
    files
}

#[test]
fn nine_packets_of_the_field_come_out_byte_for_byte_at_exactly_their_addressees() {
    let node = Node::start(Home::new());
    for sample in &NINE {
        let packet = packet(sample.name);
        let mut sender = sample.sender.desk(&node);
        sender.send_as(sample.from, sample.kind(), &packet).unwrap();
    }
    for department in EVERYBODY {
        for kind in [MessageType::Edoc, MessageType::Status] {
            let mut desk = department.desk(&node);
            let expected: Vec<(&Sample, &str)> = NINE
                .iter()
                .filter(|sample| sample.kind() == kind)
                .flat_map(|sample| sample.to.iter().map(move |(to, code)| (sample, to, *code)))
                .filter(|(_, to, _)| to.code == department.code)
                .map(|(sample, _, code)| (sample, code))
                .collect();
            let items = desk.waiting_for(kind, expected.len());
            // In the order of the ledger, which is the one they were sent in.
            for (item, (sample, code)) in items.iter().zip(expected) {
                assert_eq!([&*item.from, &item.to], [sample.from, code], "{}", sample.name);
                for way in [Way::GetEdoc, Way::DownloadEdoc] {
                    let fetched = desk.fetch(way, &item.doc_id).unwrap();
                    assert!(fetched == packet(sample.name), "{} changed by {way:?}", sample.name);
                }
                desk.say(&item.doc_id, "done");
            }
            assert_eq!(desk.waiting(kind), []);
        }
    }
    let counts = node.fact_counts();
    let kinds = ["Accepted", "Collected", "Delivered", "Rejected"].map(|kind| counts.get(kind).copied());
    assert_eq!(kinds, [Some(9), Some(12), Some(12), None]);
}

#[test]
fn the_tenth_is_refused_at_its_attachment_and_leaves_nothing_behind() {
    let node = Node::start(Home::new());
    let broken = packet("document_placeholder");
    let mut sender = OUTSIDE.desk(&node);
    let refused = sender.send_as("002.00.20.H13", MessageType::Edoc, &broken).unwrap_err();
    let answer = refused.refusal().unwrap_or_else(|| panic!("{refused:?}"));
    assert_eq!([&*answer.status, &answer.error_code], ["FAIL", "21"], "{answer:?}");
    let place = "ATTACHMENT_BASE64 at /edXML/AttachmentEncoded/Attachment[1]/ContentTransferEncoded: ";
    assert!(answer.error_desc.starts_with(place), "{answer:?}");
    assert_eq!(JUSTICE.desk(&node).waiting(MessageType::Edoc), []);
    for folder in ["objects", "staging"] {
        assert_eq!(files(&node.home().data().join(folder)), [""; 0]);
    }
    let counts = node.fact_counts();
    assert_eq!((counts.get("Rejected"), counts.get("Accepted")), (Some(&1), None));

    // The same with a file in the place of the placeholder is as good as any.
    let text = String::from_utf8(broken).unwrap();
    let mended = text
        .replace("${__StringFromFile(test.txt,,,)}", "JVBERi0xLjQK")
        .into_bytes();
    sender.send_as("002.00.20.H13", MessageType::Edoc, &mended).unwrap();
    let mut receiver = JUSTICE.desk(&node);
    assert!(receiver.take(MessageType::Edoc, 1) == [mended]);
}
