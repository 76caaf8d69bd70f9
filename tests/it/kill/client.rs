//! A department's software at work, as a process of its own: sends its letters, or collects what waits for it.
//!
//! It finds the node by what lies in the node's folder, never gives up within its time, and writes a journal, one JSON
//! object a line, of what it was answered.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{self, PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::answer::CallError;
use lgsp_adapters::edxml_vxp::client::builder::attachment::{Attachment, Content};
use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::edxml_vxp::client::{MessageType, Service};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::Department;

/// What a process does is told to it here.
const PART: &str = "LGSP_TESTS_PART";
/// Longest work of one process; a node that never comes back fails the test.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// What a polite client waits before it asks again.
const PAUSE: Duration = Duration::from_millis(15);
/// How many bytes the attachment of a large letter has, before base64.
const LARGE_BYTES: usize = 1024 * 1024;

/// What one process does.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    /// Data folder of the node.
    pub(super) data: PathBuf,
    /// Code of the department.
    pub(super) code: String,
    /// It sends so many letters; none: it receives.
    pub(super) letters: Option<u32>,
    /// Codes of those it sends to.
    pub(super) to: Vec<String>,
    /// So many letters come to it.
    pub(super) expected: usize,
}

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Line {
    /// A letter was answered OK, with this `DocId`.
    Sent { code: String, number: u32, doc_id: String },
    /// The inbox has a new item, with these bytes.
    Took {
        code: String,
        doc_id: String,
        packet: String,
    },
    /// An acknowledgement was answered OK.
    Acknowledged { code: String, doc_id: String },
    /// A call was not answered, or with "send again": it is repeated.
    Repeats { code: String, why: String },
}

impl Line {
    /// The test harness of the process writes between the lines.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text.get(text.find('{')?..)?).ok()
    }

    fn write(&self) {
        let line = serde_json::to_string(self).unwrap() + "\n";
        // One write below the size that pipes keep whole: several processes write to this one.
        io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

/// Starts a process that plays this part and writes its journal here.
pub(super) fn start(part: &Part, journal: &PipeWriter) -> Child {
    // This very program, even if it is built anew meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["kill::kills_at_any_time", "--exact", "--nocapture", "--quiet"])
        .env(PART, serde_json::to_string(part).unwrap())
        .stdin(Stdio::null())
        .stdout(journal.try_clone().unwrap())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// True if this process is one of the clients, whose work is done then.
pub(super) fn was_one() -> bool {
    let Ok(part) = env::var(PART) else { return false };
    let part: Part = serde_json::from_str(&part).unwrap();
    let mut client = Client {
        department: department(&part.code),
        data: part.data.clone(),
        service: None,
        deadline: Instant::now() + TIME_LIMIT,
    };
    match part.letters {
        Some(letters) => send_all(&mut client, letters, &part.to),
        None => receive_all(&mut client, part.expected),
    }
    true
}

pub(super) fn department(code: &str) -> Department {
    let known = super::DEPARTMENTS.into_iter().find(|known| known.code == code);
    known.unwrap_or_else(|| panic!("{code} is no department of these tests"))
}

/// The same bytes whenever it is written. Every sixth is large.
pub(super) fn letter(from: &Department, number: u32, to: &[Department]) -> Vec<u8> {
    let mut letter = from.letter(&number.to_string(), to);
    if number % 6 == 3 {
        let filling = format!("{} {number} ", from.code).into_bytes();
        let content = filling.into_iter().cycle().take(LARGE_BYTES).collect();
        letter
            .attachments
            .push(Attachment::new("2", "ban-ve.pdf", Content::Bytes(content)));
    }
    let mut packet = Vec::new();
    letter.write(&mut packet).unwrap();
    packet
}

fn send_all(client: &mut Client, letters: u32, to: &[String]) {
    let to: Vec<Department> = to.iter().map(|code| department(code)).collect();
    for number in 1..=letters {
        let packet = letter(&client.department, number, &to);
        // Every fourth is sent by two clerks.
        for _ in 0..if number % 4 == 0 { 2 } else { 1 } {
            let doc_id = client.insist(|service, code| send(service, code, &packet));
            Line::Sent {
                code: client.department.code.to_owned(),
                number,
                doc_id,
            }
            .write();
        }
    }
}

/// The `DocId` of a letter.
pub(super) fn send(service: &mut Service, code: &str, packet: &[u8]) -> Result<String, CallError> {
    let sent = service.send_edoc(code, None, MessageType::Edoc, Source::Bytes(packet))?;
    Ok(sent.doc_id.unwrap())
}

/// An inbox keyed on docId: what came once is acknowledged again and not taken again.
fn receive_all(client: &mut Client, expected: usize) {
    let mut inbox = BTreeMap::new();
    loop {
        let items = client.insist(|service, _| service.received_list(MessageType::Edoc));
        if items.is_empty() && inbox.len() >= expected {
            return;
        }
        if items.is_empty() {
            thread::sleep(PAUSE);
        }
        for item in items {
            let doc_id = item.doc_id;
            let download = inbox.len() % 2 == 0;
            let packet = client.insist(|service, _| fetch(service, &doc_id, download));
            let packet = digest(&packet);
            let first = inbox.insert(doc_id.clone(), packet.clone());
            let code = client.department.code.to_owned();
            match first {
                None => Line::Took {
                    code,
                    doc_id: doc_id.clone(),
                    packet,
                }
                .write(),
                Some(first) => assert_eq!(first, packet, "{doc_id} came again with other bytes"),
            }
            client.insist(|service, _| service.update_status(&doc_id, "done"));
            let code = client.department.code.to_owned();
            Line::Acknowledged { code, doc_id }.write();
        }
    }
}

fn fetch(service: &mut Service, doc_id: &str, download: bool) -> Result<Vec<u8>, CallError> {
    let mut packet = Vec::new();
    if download {
        service.download_edoc(doc_id, &mut packet)?;
    } else {
        service.get_edoc(doc_id, &mut packet)?;
    }
    Ok(packet)
}

/// SHA-256 in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Software that repeats a call until it is answered.
struct Client {
    department: Department,
    data: PathBuf,
    /// None: the node is to be looked for.
    service: Option<Service>,
    deadline: Instant,
}

impl Client {
    fn insist<T>(&mut self, mut call: impl FnMut(&mut Service, &str) -> Result<T, CallError>) -> T {
        loop {
            assert!(Instant::now() < self.deadline, "this went on for too long");
            if self.service.is_none() {
                self.service = find(&self.data).map(|node| self.department.service_at(&node));
            }
            let Some(service) = &mut self.service else {
                thread::sleep(PAUSE);
                continue;
            };
            match call(service, self.department.code) {
                Ok(answer) => return answer,
                Err(error) => self.reckon(&error),
            }
        }
    }

    /// An answer that says no for good ends the test.
    fn reckon(&mut self, error: &CallError) {
        let again = match error {
            CallError::NoAnswer { .. } | CallError::Late | CallError::Cut { .. } => true,
            // 100 is what the vendor's client makes of an empty packet.
            CallError::Refused(answer) => ["20", "100"].contains(&answer.error_code.as_str()),
            CallError::NotSent { .. }
            | CallError::Unreadable { .. }
            | CallError::Blank { .. }
            | CallError::Sink { .. }
            | CallError::NotInThisVersion { .. } => false,
        };
        assert!(again, "{}: {error:?}", self.department.code);
        Line::Repeats {
            code: self.department.code.to_owned(),
            why: error.to_string(),
        }
        .write();
        self.service = None;
        thread::sleep(PAUSE);
    }
}

/// URL of the node that serves this folder, or did until it was killed.
fn find(data: &Path) -> Option<String> {
    let announcement = fs::read(data.join("node.json")).ok()?;
    let announcement: Value = serde_json::from_slice(&announcement).unwrap();
    // None: the façade is a process of its own, and not there yet.
    announcement["vxp"].as_str().map(str::to_owned)
}
