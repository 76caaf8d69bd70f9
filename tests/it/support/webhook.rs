//! A department whose HTTP service a node calls.

use std::fs;

use super::{Home, data};

pub(crate) const WEBHOOK_SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
pub(crate) const WEBHOOK_SYSTEM: &str = "app.test.94";

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
"#;

impl Home {
    /// Puts the department beside the others, with its service at this URL, which may be of this machine and without TLS.
    /// `more`: lines of its connector.
    pub(crate) fn add_webhook(&mut self, url: &str, more: &str) {
        self.add_secret(WEBHOOK_SYSTEM, WEBHOOK_SECRET);
        self.set("webhook", "plain_hosts", vec!["127.0.0.1", "localhost"]);
        self.set("webhook", "networks", vec!["127.0.0.0/8"]);
        let file = self.root().join("webhook.toml");
        fs::write(&file, format!("{REGISTRY}url = \"{url}\"\n{more}\n")).unwrap();
        let files = [data("registry/test.toml"), file].map(|path| path.to_str().unwrap().to_owned());
        self.set("registry", "files", files.to_vec());
    }
}
