//! A small ledger that a real node wrote, at rest, with a record of each kind that department software brings about.

use std::fs;

use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::edxml_vxp::client::{MessageType, Service};

use crate::support::{Department, Home, INFORMATION, JUSTICE, Node};

/// Only who is needed: every bit of what this becomes is flipped.
const REGISTRY: &str = r#"
format = 1

[[agency]]
id = "a"
kind = "department"
names = ["A"]
codes = ["H62.11"]

[[agency]]
id = "b"
kind = "department"
names = ["B"]
codes = ["H62.14"]

[[system]]
id = "vxp.test.11"
agency = "a"
speaks_for = ["H62.11"]
secret_ref = "vxp.test.11"
key_id = "k"

[[connector]]
id = "a"
system = "vxp.test.11"
adapter = "edxml-vxp"
mode = "pull"

[[system]]
id = "vxp.test.14"
agency = "b"
speaks_for = ["H62.14"]
secret_ref = "vxp.test.14"
key_id = "k"

[[connector]]
id = "b"
system = "vxp.test.14"
adapter = "edxml-vxp"
mode = "pull"

[[grant]]
id = "g"
contracts = ["vn.lgsp.document/1"]
senders = ["H62.11"]
addressees = ["H62.14"]
"#;
/// Has no entry in the registry.
const NOBODY: Department = Department {
    code: "H62.99",
    ..JUSTICE
};

/// A node with the small registry.
pub(super) fn node() -> Node {
    let mut home = Home::new();
    let registry = home.root().join("registry.toml");
    fs::write(&registry, REGISTRY).unwrap();
    home.set("registry", "files", vec![registry.to_str().unwrap().to_owned()]);
    Node::start(home)
}

/// A node that was stopped after its first day.
pub(super) fn after_a_day() -> Node {
    let mut node = node();
    let mut sender = INFORMATION.service(&node);
    for number in ["1", "2"] {
        send(&mut sender, number, JUSTICE).unwrap();
    }
    assert_eq!(send(&mut sender, "3", NOBODY), Err(Some(String::from("18"))));
    let mut receiver = JUSTICE.service(&node);
    let items = JUSTICE.wait_for(&node, MessageType::Edoc, |items| items.len() == 2);
    for (item, outcome) in items.iter().zip(["done", "fail"]) {
        receiver.download_edoc(&item.doc_id, &mut Vec::new()).unwrap();
        receiver.update_status(&item.doc_id, outcome).unwrap();
    }
    node.stop();
    node
}

/// The code of the refusal if it is refused.
pub(super) fn send(sender: &mut Service, number: &str, to: Department) -> Result<(), Option<String>> {
    let mut packet = Vec::new();
    INFORMATION.letter(number, &[to]).write(&mut packet).unwrap();
    let sent = sender.send_edoc(INFORMATION.code, None, MessageType::Edoc, Source::Bytes(&packet));
    sent.map(drop).map_err(|error| error.error_code().map(str::to_owned))
}
