//! A node, and a department whose HTTP service it calls.

use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::builder::DocumentPacket;

pub(crate) use crate::support::WEBHOOK_SECRET as SECRET;
pub(super) use crate::support::WEBHOOK_SYSTEM as SYSTEM;
use crate::support::{Department, Home, INFORMATION, Node, written};

/// The department; its software takes no packets.
pub(super) const APP: Department = Department {
    code: "H62.94",
    name: "Sở có dịch vụ HTTP",
    system: SYSTEM,
    secret: SECRET,
};

/// Settings for a node that may call receivers of this machine, without TLS.
pub(crate) fn home(url: &str) -> Home {
    home_with(url, &[0, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20])
}

/// The same; a try that fails is the last one.
pub(super) fn home_that_tries_once(url: &str) -> Home {
    home_with(url, &[0])
}

fn home_with(url: &str, retry_waits_ms: &[u32]) -> Home {
    let mut home = Home::new();
    home.add_webhook(url, &format!("retry_waits_ms = {retry_waits_ms:?}"));
    home.set("push", "probe_interval_ms", 100);
    home.set("webhook", "answer_timeout_ms", 1_000);
    home
}

pub(super) fn letter(number: &str) -> DocumentPacket {
    INFORMATION.letter(number, &[APP])
}

/// A letter to the department; its message id.
pub(super) fn send(node: &Node, number: &str) -> String {
    INFORMATION.desk(node).send(&written(&letter(number))).unwrap()
}

pub(crate) fn until_facts(node: &Node, kind: &str, count: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while node.fact_counts().get(kind).copied().unwrap_or(0) < count {
        assert!(Instant::now() < deadline, "{:?}", node.fact_counts());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until `lgsp status` says so.
pub(super) fn until_status(node: &Node, told: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let status = node.lgsp(&["status"]);
        if status.out.contains(told) {
            return;
        }
        assert!(Instant::now() < deadline, "{status:?}");
    }
}
