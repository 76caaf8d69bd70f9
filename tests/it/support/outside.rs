//! The façade in a process of its own: `lgsp adapter` beside a node that serves none, for any story that is told inside
//! [`facade_outside`].

use std::cell::Cell;
use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use toml::Table;

use super::Home;
use super::lines::Lines;
use super::node::Process;

const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Its name in the registry and in its certificate.
const ADAPTER: &str = "vxp-1";

thread_local! {
    static OUTSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Tells a story whose nodes have their façade outside.
pub(crate) fn facade_outside<T>(story: impl FnOnce() -> T) -> T {
    OUTSIDE.set(true);
    let told = story();
    OUTSIDE.set(false);
    told
}

pub(super) fn is_outside() -> bool {
    OUTSIDE.get()
}

/// A façade that runs, killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Outside {
    process: Process,
    vxp: String,
}

impl Home {
    /// Has the node serve gRPC at an address that stays, and know the adapter.
    pub(super) fn expect_adapter(&mut self) {
        self.serve_grpc();
        // A restarted node must be found again.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        self.set("grpc", "listen", free.to_string());
        let file = self.root().join("adapters.toml");
        let systems = super::department::EVERYBODY.map(|department| department.system);
        fs::write(
            &file,
            format!("format = 1\n[[adapter]]\nid = \"{ADAPTER}\"\nspeaks_as = {systems:?}\n"),
        )
        .unwrap();
        let town = super::data("registry/test.toml");
        let files = [town, file].map(|path| path.to_str().unwrap().to_owned());
        self.set("registry", "files", files.to_vec());
        self.ca(&[
            "issue",
            "--for",
            "adapter/vxp-1",
            "--out",
            self.papers().to_str().unwrap(),
        ]);
    }

    fn papers(&self) -> std::path::PathBuf {
        self.root().join("papers")
    }

    /// Writes the settings of the adapter; what stories say of `[vxp]` is said of it.
    fn adapter_settings_file(&self, grpc: &str) -> std::path::PathBuf {
        let papers = self.papers();
        let text = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
        let node = json!({
            "url": grpc,
            "ca": text(self.root().join("ca/ca.pem")),
            "certificate": text(papers.join(format!("adapter-{ADAPTER}.pem"))),
            "key": text(papers.join(format!("adapter-{ADAPTER}.key"))),
            "retry_first_ms": 20,
            "retry_max_ms": 200,
        });
        let mut settings = Table::new();
        settings.insert("node".to_owned(), toml::Value::try_from(node).unwrap());
        let secrets = json!({ "secrets_dir": text(self.data().join("secrets")) });
        settings.insert("adapter".to_owned(), toml::Value::try_from(secrets).unwrap());
        let mut vxp = self.vxp_settings();
        vxp.insert("listen".to_owned(), "127.0.0.1:0".into());
        settings.insert("vxp".to_owned(), vxp.into());
        let path = self.root().join("adapter.toml");
        fs::write(&path, settings.to_string()).unwrap();
        path
    }

    /// Starts the adapter; it serves when this returns.
    pub(super) fn start_adapter(&self, grpc: &str) -> Outside {
        let mut command = self.to_lgsp(&["adapter", "--json"]);
        command.arg("--config").arg(self.adapter_settings_file(grpc));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Lines::follow(child.stderr.take().unwrap());
        let process = Process {
            child,
            log: Arc::clone(&log),
        };
        let vxp = log.wait_for(TIME_LIMIT, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let serving = line["message"] == "serving";
            serving.then(|| line["vxp"].as_str().unwrap_or_default().to_owned())
        });
        let vxp = vxp.unwrap_or_else(|| panic!("the adapter does not serve:\n{}", log.text()));
        let outside = Outside { process, vxp };
        self.announce(&outside);
        outside
    }

    /// Clients in processes of their own look into the node's announcement.
    pub(super) fn announce(&self, outside: &Outside) {
        let path = self.data().join("node.json");
        let mut announcement: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        announcement["vxp"] = outside.vxp.clone().into();
        // Whole at any moment, as a node writes it.
        let next = path.with_extension("next");
        fs::write(&next, announcement.to_string()).unwrap();
        fs::rename(next, path).unwrap();
    }
}

impl Outside {
    /// URL of the façade.
    pub(crate) fn vxp(&self) -> &str {
        &self.vxp
    }

    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        self.process.log.text()
    }

    /// Waits until it writes this, or has written it.
    pub(crate) fn wait_message(&self, message: &str) {
        let said = self.process.log.wait_for(TIME_LIMIT, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == message).then_some(())
        });
        assert!(said.is_some(), "the log does not say `{message}`:\n{}", self.log());
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.child.kill().unwrap();
        self.process.child.wait().unwrap();
    }

    /// SIGTERM, and the wait for the end that it asks for; it must say that all went well.
    pub(crate) fn stop(mut self) -> String {
        kill_process(Pid::from_child(&self.process.child), Signal::TERM).unwrap();
        if !self.process.log.wait_for_end(TIME_LIMIT) {
            self.kill();
        }
        let status = self.process.child.wait().unwrap();
        assert!(status.success(), "the adapter stopped with {status}:\n{}", self.log());
        self.log()
    }
}
