//! Words of persons go through every flow, with the node as talkative as it can be; afterwards they stand in nothing but what
//! is sealed: records, and the packets themselves.

use std::fs;
use std::path::Path;

use lgsp_adapters::edxml_vxp::client::MessageType;
use lgsp_adapters::edxml_vxp::client::builder::StatusPacket;
use lgsp_adapters::webhook::simulator::{Manner, Receiver};

use super::TIME_LIMIT;
use super::town::{APP, SECRET, home_that_tries_once, until_facts};
use crate::support::Manner::Take;
use crate::support::{Collector, INFORMATION, JUSTICE, Node, http_get, written, written_status};

/// In the names and addresses of persons, in what they wrote of a case, and in what a far side answers.
const CANARIES: [&str; 6] = [
    "canary-ten-nguoi-ky-5b1",
    "canary-chuc-danh-5b1",
    "canary-can-bo-5b1",
    "canary-hop-thu-5b1@vi.du",
    "canary-ly-do-tu-choi-5b1",
    "canary-tra-loi-5b1",
];

#[test]
fn nothing_of_a_person_is_in_logs_metrics_errors_answers_to_operators_or_tables() {
    let receiver = Receiver::start(SECRET, None).unwrap();
    let mut home = home_that_tries_once(&receiver.url());
    home.set("log", "filter", "debug");
    home.set("metrics", "listen", "127.0.0.1:0");
    let collector = Collector::start(Take);
    home.set("traces", "endpoint", collector.url());
    let node = Node::start(home);
    let [signer, position, staff, mail, reason, answered] = CANARIES;

    let mut letter = INFORMATION.letter("81", &[JUSTICE, APP]);
    signer.clone_into(&mut letter.signer.full_name);
    position.clone_into(&mut letter.signer.position);
    staff.clone_into(&mut letter.business.staff.staff);
    mail.clone_into(&mut letter.business.staff.email);
    let page = format!("<html>{answered}</html>");
    receiver.behave(Manner::Answer(200, vec![format!("x-trouble: {answered}")], page));
    INFORMATION.desk(&node).send(&written(&letter)).unwrap();
    until_facts(&node, "DeadLettered", 1);

    let mut desk = JUSTICE.service(&node);
    let item = desk.received_list(MessageType::Edoc).unwrap().remove(0);
    let mut packet = Vec::new();
    desk.get_edoc(&item.doc_id, &mut packet).unwrap();
    assert!(
        String::from_utf8_lossy(&packet).contains(signer),
        "who it is for has it"
    );
    desk.update_status(&item.doc_id, "done").unwrap();
    let refused = StatusPacket {
        description: reason.to_owned(),
        ..JUSTICE.status(letter.referred_to(), "02")
    };
    JUSTICE.desk(&node).send_status(&written_status(&refused)).unwrap();
    let mut broken = INFORMATION.letter("82", &[JUSTICE]);
    signer.clone_into(&mut broken.signer.full_name);
    broken.subject = format!("(MẬT) {reason}");
    let told = INFORMATION.desk(&node).send(&written(&broken)).unwrap_err().to_string();
    receiver.behave(Manner::Take);
    assert_eq!(node.lgsp(&["redrive", "--all"]).code, Some(0));
    let seen = receiver.wait(TIME_LIMIT, |seen| seen.inbox.len() == 1).unwrap();
    assert!(String::from_utf8_lossy(&seen.inbox[0].body).contains(signer));
    until_facts(&node, "Delivered", 2);

    let commands: [&[&str]; 5] = [
        &["trace", "81/THU-NGHIEM", "--json"],
        &["search", "--number", "81", "--json"],
        &["search", "thử", "nghiệm"],
        &["status", "--json"],
        &["redrive", "--all", "--dry-run"],
    ];
    let mut outside: Vec<(String, String)> = commands
        .into_iter()
        .map(|command| (command.join(" "), format!("{:?}", node.lgsp(command))))
        .collect();
    outside.push(("the refusal".to_owned(), told));
    outside.push(("the metrics".to_owned(), http_get(&node.metrics(), "/metrics").1));
    outside.push(("the log".to_owned(), node.log()));
    collector.wait(|spans| spans.iter().filter(|span| span.name == "push").count() == 2);
    let spans = String::from_utf8_lossy(&collector.bytes()).into_owned();
    outside.push(("the spans".to_owned(), spans));
    for (where_, text) in &outside {
        for canary in CANARIES {
            assert!(!text.contains(canary), "{canary} in {where_}:\n{text}");
        }
    }
    assert!(
        outside
            .iter()
            .any(|(_, text)| text.contains("CONTRACT") || text.contains("SECRECY_MARK"))
    );
    tables_hold_none(&node.home().data());
}

/// The store's file and its log, byte for byte: whatever column it is.
fn tables_hold_none(data: &Path) {
    for name in ["store.sqlite", "store.sqlite-wal"] {
        let bytes = fs::read(data.join(name)).unwrap_or_default();
        for canary in CANARIES {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} in {name}");
        }
    }
    assert!(data.join("store.sqlite").is_file());
}
