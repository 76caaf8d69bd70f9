//! A node, and a department whose HTTP service it calls.

use std::fs;
use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::builder::DocumentPacket;

use crate::support::{Department, Home, INFORMATION, Node, data, written};

pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
pub(super) const SYSTEM: &str = "app.test.94";

/// The department; its software takes no packets.
pub(super) const APP: Department = Department {
    code: "H62.94",
    name: "Sở có dịch vụ HTTP",
    system: SYSTEM,
    secret: SECRET,
};

const REGISTRY: &str = r#"
format = 1
[[agency]]
id = "test.so-webhook"
kind = "department"
names = ["Sở có dịch vụ HTTP (thử)"]
codes = ["H62.94"]
[[system]]
id = "app.test.94"
agency = "test.so-webhook"
speaks_for = ["H62.94"]
secret_ref = "app.test.94"
key_id = "k-94"
[[connector]]
id = "app-94"
system = "app.test.94"
adapter = "webhook"
mode = "push"
retry_waits_ms = [0, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20]
url = "{url}"
"#;

/// Settings for a node that may call receivers of this machine, without TLS.
pub(crate) fn home(url: &str) -> Home {
    home_with(&REGISTRY.replace("{url}", url))
}

/// The same; a try that fails is the last one.
pub(super) fn home_that_tries_once(url: &str) -> Home {
    let waits = "retry_waits_ms = [0, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20]";
    home_with(&REGISTRY.replace(waits, "retry_waits_ms = [0]").replace("{url}", url))
}

fn home_with(registry: &str) -> Home {
    let mut home = Home::new();
    home.add_secret(SYSTEM, SECRET);
    home.set("push", "probe_interval_ms", 100);
    home.set("webhook", "plain_hosts", vec!["127.0.0.1", "localhost"]);
    home.set("webhook", "networks", vec!["127.0.0.0/8"]);
    home.set("webhook", "answer_timeout_ms", 1_000);
    let file = home.root().join("webhook.toml");
    fs::write(&file, registry).unwrap();
    let files = [data("registry/test.toml"), file].map(|path| path.to_str().unwrap().to_owned());
    home.set("registry", "files", files.to_vec());
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
