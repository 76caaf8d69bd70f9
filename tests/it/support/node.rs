//! A node as its operator runs it: `lgsp serve` as a process, started, stopped, killed and started again.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::Home;
use super::arrival::arrives;
use super::lines::Lines;
use super::outside::Outside;
use super::program::{self, Ended};

/// Longest wait for a node to serve, to stop, or to come to a fail point.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A folder, and the process that serves it, killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    home: Home,
    process: Option<Process>,
    vxp: String,
    /// The façade, where it is a process of its own.
    outside: Option<Outside>,
    /// Empty: it is not served.
    grpc: String,
    /// The public key of the log, as it was at the first start.
    log_key: String,
    /// What earlier processes of this folder wrote.
    earlier_log: String,
}

#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) log: Arc<Lines>,
}

impl Node {
    /// Starts a node; it serves when this returns.
    pub(crate) fn start(home: Home) -> Self {
        Self::launch(home, None)
    }

    /// Starts a node that will stop for ever at the nth passage of a fail point.
    pub(crate) fn start_failing_at(home: Home, point: &str, nth: u32) -> Self {
        Self::launch(home, Some(format!("{point}:{nth}")))
    }

    /// Starts a node while another holds its ledger; it stands by when this returns.
    pub(crate) fn start_standing_by(home: Home) -> Self {
        let mut node = Self::new(home);
        node.restart_standing_by();
        node.note_log_key();
        node
    }

    fn launch(home: Home, fail_point: Option<String>) -> Self {
        let mut node = Self::new(home);
        node.serve(fail_point);
        node.note_log_key();
        node
    }

    fn new(home: Home) -> Self {
        Self {
            home,
            process: None,
            vxp: String::new(),
            outside: None,
            grpc: String::new(),
            log_key: String::new(),
            earlier_log: String::new(),
        }
    }

    fn note_log_key(&mut self) {
        self.log_key = fs::read_to_string(self.home.data().join("keys/log.vkey")).unwrap();
    }

    /// Starts the node again after [`Self::stop`] or [`Self::kill`].
    pub(crate) fn restart(&mut self) {
        self.serve(None);
    }

    /// [`Self::restart`] as [`Self::start_failing_at`].
    pub(crate) fn restart_failing_at(&mut self, point: &str, nth: u32) {
        self.serve(Some(format!("{point}:{nth}")));
    }

    /// [`Self::restart`] while another node holds the ledger.
    pub(crate) fn restart_standing_by(&mut self) {
        self.spawn(None);
        self.wait_message("standing by");
    }

    fn serve(&mut self, fail_point: Option<String>) {
        self.spawn(fail_point);
        self.wait_serving();
    }

    fn spawn(&mut self, fail_point: Option<String>) {
        assert!(self.process.is_none(), "the node runs already");
        let mut command = self.home.to_lgsp(&["serve"]);
        command.arg("--config").arg(self.home.settings_file());
        if let Some(point) = fail_point {
            drop(fs::remove_file(self.marker()));
            command
                .env("LGSP_FAILPOINT", point)
                .env("LGSP_FAILPOINT_MARKER", self.marker());
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Lines::follow(child.stderr.take().unwrap());
        self.process = Some(Process { child, log });
    }

    /// Waits until the node that was started serves.
    pub(crate) fn wait_serving(&mut self) {
        let log = Arc::clone(&self.process.as_ref().unwrap().log);
        let serving = log.wait_for(TIME_LIMIT, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let serving = line["message"] == "serving";
            let address = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            serving.then(|| (address("vxp"), address("grpc")))
        });
        let serving = serving.unwrap_or_else(|| panic!("the node does not serve:\n{}", log.text()));
        (self.vxp, self.grpc) = serving;
        if self.home.outside {
            // It outlives its node, and finds it again.
            match &self.outside {
                Some(outside) => self.home.announce(outside),
                None => self.outside = Some(self.home.start_adapter(&self.grpc)),
            }
            self.vxp = self.outside().vxp().to_owned();
        }
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// The folder of a node that was stopped or killed; a process that still runs is killed.
    pub(crate) fn into_home(self) -> Home {
        self.home
    }

    /// URL of the façade.
    pub(crate) fn vxp(&self) -> &str {
        &self.vxp
    }

    /// The façade, where it is a process of its own.
    pub(crate) fn outside(&self) -> &Outside {
        self.outside.as_ref().unwrap()
    }

    /// Takes the façade from the node, to stop or kill it; [`Self::start_outside`] starts another.
    pub(crate) fn take_outside(&mut self) -> Outside {
        self.outside.take().unwrap()
    }

    pub(crate) fn start_outside(&mut self) {
        let outside = self.home.start_adapter(&self.grpc);
        self.vxp = outside.vxp().to_owned();
        self.outside = Some(outside);
    }

    /// Host and port of the metrics, of a node that serves them.
    pub(crate) fn metrics(&self) -> String {
        let announced = fs::read_to_string(self.home.data().join("node.json")).unwrap();
        let announced: Value = serde_json::from_str(&announced).unwrap();
        let url = announced["metrics"].as_str().unwrap();
        url.trim_start_matches("http://")
            .trim_end_matches("/metrics")
            .to_owned()
    }

    /// URL of gRPC.
    pub(crate) fn grpc(&self) -> &str {
        &self.grpc
    }

    /// URL of gRPC, whether it is served now or not, of a node that was given an address.
    pub(crate) fn grpc_address(&self) -> String {
        self.home.grpc_address()
    }

    /// Address of the façade, for bytes that are no call.
    pub(crate) fn address(&self) -> SocketAddr {
        self.vxp.trim_start_matches("http://").parse().unwrap()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.process.as_ref().unwrap().child)
    }

    /// Whether the process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.process
            .as_mut()
            .is_some_and(|process| process.child.try_wait().unwrap().is_none())
    }

    /// SIGKILL: nothing is flushed, nobody is told.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.child.kill().unwrap();
        process.child.wait().unwrap();
        self.keep_log(&process);
    }

    /// SIGTERM, and the wait for the end that it asks for; the node must say that all went well.
    pub(crate) fn stop(&mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let mut process = self.process.take().unwrap();
        if !process.log.wait_for_end(TIME_LIMIT) {
            process.child.kill().unwrap();
        }
        let status = process.child.wait().unwrap();
        self.keep_log(&process);
        assert!(status.success(), "the node stopped with {status}:\n{}", self.log());
    }

    /// SIGSTOP: it does nothing until [`Self::thaw`].
    pub(crate) fn freeze(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// Waits for an end that nobody asked for; its exit code.
    pub(crate) fn wait_exit(&mut self) -> Option<i32> {
        let mut process = self.process.take().unwrap();
        let ended = process.log.wait_for_end(TIME_LIMIT);
        if !ended {
            process.child.kill().unwrap();
        }
        let code = process.child.wait().unwrap().code();
        self.keep_log(&process);
        assert!(ended, "the node does not end:\n{}", self.log());
        code
    }

    fn keep_log(&mut self, process: &Process) {
        process.log.wait_for_end(TIME_LIMIT);
        self.earlier_log.push_str(&process.log.text());
        self.earlier_log.push('\n');
    }

    /// All that the node has written to its log, one JSON object a line.
    pub(crate) fn log(&self) -> String {
        let now = self
            .process
            .as_ref()
            .map(|process| process.log.text())
            .unwrap_or_default();
        format!("{}{now}", self.earlier_log)
    }

    /// Waits until the node that runs now writes a message to its log, or has written it.
    pub(crate) fn wait_message(&self, message: &str) {
        let log = &self.process.as_ref().unwrap().log;
        let said = log.wait_for(TIME_LIMIT, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == message).then_some(())
        });
        assert!(said.is_some(), "the log does not say `{message}`:\n{}", log.text());
    }

    fn marker(&self) -> PathBuf {
        self.home.root().join("fail-point")
    }

    /// Waits until the fail point was passed for the nth time; a run that it did not bite fails.
    pub(crate) fn wait_marker(&self) {
        assert!(
            arrives(&self.marker(), TIME_LIMIT),
            "the fail point did not bite:\n{}",
            self.log()
        );
    }

    /// Most memory the process ever had, in KiB.
    pub(crate) fn vm_hwm_kb(&self) -> u64 {
        self.status_kb("VmHWM:")
    }

    /// What the kernel says of the process's memory: `VmHWM:`, `VmRSS:` .., in KiB.
    pub(crate) fn status_kb(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Runs another command of the program on this node's folder.
    pub(crate) fn lgsp(&self, arguments: &[&str]) -> Ended {
        let mut command = self.home.to_lgsp(arguments);
        command.arg("--config").arg(self.home.settings_file());
        program::run(command)
    }

    /// Processor time that the process has taken so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let status = fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero())).unwrap();
        // Behind the name in brackets, which may hold anything: the 12th and 13th, in ticks. Source: proc_pid_stat(5).
        let numbers = status.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
        let ticks: u64 = numbers.map(|number| number.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }

    /// Has the ledger checked offline, beside the node or without it, by the key that was noted at the first start.
    pub(crate) fn verify(&self, arguments: &[&str]) -> Ended {
        let mut command = self
            .home
            .to_lgsp(&["verify", "--json", "--key", &self.log_key, "--data"]);
        command.arg(self.home.data()).args(arguments);
        command.arg("--config").arg(self.home.settings_file());
        program::run(command)
    }

    /// How many facts of each kind the ledgers hold; all must be sound, though the last may lack their checkpoint yet.
    pub(crate) fn fact_counts(&self) -> BTreeMap<String, u64> {
        let ended = self.verify(&[]);
        let told: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("no report: {ended:?}"));
        assert_eq!(told["findings"], json!([]), "the ledger does not verify: {ended:?}");
        let counts = told["facts"]
            .as_object()
            .unwrap_or_else(|| panic!("no facts are counted in {told}"));
        counts
            .iter()
            .map(|(kind, count)| (kind.clone(), count.as_u64().unwrap()))
            .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
