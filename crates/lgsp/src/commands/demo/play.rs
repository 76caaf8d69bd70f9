//! The play: what the departments' systems do, and what they must be answered.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use lgsp_adapters::edxml_vxp::client::answer::{Answer, CallError};
use lgsp_adapters::edxml_vxp::client::builder::attachment::{Attachment, Content, Packing};
use lgsp_adapters::edxml_vxp::client::builder::{DocumentPacket, ResponseFor};
use lgsp_adapters::edxml_vxp::client::sign::Timestamp;
use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::edxml_vxp::client::{MessageType, Service};

use super::cast::System;
use super::narrator::Narrator;
use super::packet;
use super::stage::Stage;
use crate::commands::Failure;
use crate::node::clock;

/// Number and notation of the document that crosses.
pub(super) const NUMBER: &str = "1204/SKHCN-CĐS";

/// What the proofs go on from.
#[derive(Debug)]
pub(super) struct Played {
    /// The exchange's id of the document.
    pub(super) doc_id: String,
}

/// A department's own software: its credentials and its folder.
pub(super) struct Department<'a> {
    pub(super) system: &'a System,
    pub(super) service: Service,
    pub(super) folder: PathBuf,
}

/// Plays to the end, or says what was answered otherwise than it had to be.
pub(super) fn perform(stage: &Stage, narrator: &mut Narrator) -> Result<Played, Failure> {
    let now = local_time()?;
    let [sender, first, second] = departments(stage, now)?;
    let (mut sender, mut receivers) = (sender, [first, second]);

    narrator.act("A document with a PDF and a 30 MB annex goes to two departments")?;
    let (document, packet) = sender.write_document(&receivers, now)?;
    let doc_id = sender.send(&packet, narrator)?;
    let again = sender.send(&packet, narrator)?;
    expect(again == doc_id, "the same packet sent twice is one document", &again)?;
    narrator.say(
        sender.system.part,
        "the same packet again: the same DocId, one document",
    )?;

    narrator.act("Both collect it, compare the bytes and acknowledge")?;
    for (receiver, way) in receivers.iter_mut().zip([Way::GetEdoc, Way::DownloadEdoc]) {
        receiver.collect(&packet, way, narrator)?;
    }

    narrator.act("Their statuses come back: 01 arrived, 03 registered")?;
    for receiver in &mut receivers {
        for (code, description) in [("01", "Đã đến"), ("03", "Đã tiếp nhận")] {
            receiver.report(document.referred_to(), code, description, now, narrator)?;
        }
    }
    sender.take_statuses(4, narrator)?;

    narrator.act("What is wrong is refused, with its name and place")?;
    sender.send_to_nobody(now, narrator)?;
    sender.send_broken(&receivers, now, narrator)?;
    Ok(Played { doc_id })
}

/// What the departments' clocks show.
pub(super) fn local_time() -> Result<DateTime, Failure> {
    let now = i64::try_from(clock()().0).map_err(Failure::cannot)?;
    let now = jiff::Timestamp::from_millisecond(now).map_err(Failure::cannot)?;
    Ok(jiff::tz::Offset::constant(7).to_datetime(now))
}

pub(super) fn departments<'a>(stage: &'a Stage, now: DateTime) -> Result<[Department<'a>; 3], Failure> {
    let department = |system: &'a System| -> Result<Department<'a>, Failure> {
        let folder = stage.clients().join(&system.system);
        fs::create_dir_all(&folder)?;
        let service =
            Service::new(stage.vxp(), &system.system, &system.secret, &Timestamp::of(now)).map_err(Failure::cannot)?;
        Ok(Department {
            system,
            service,
            folder,
        })
    };
    let [a, b, c] = stage.systems() else {
        return Err(Failure::cannot("the play has three parts"));
    };
    Ok([department(a)?, department(b)?, department(c)?])
}

pub(super) fn expect(held: bool, what: &str, answered: &dyn std::fmt::Debug) -> Result<(), Failure> {
    if held {
        Ok(())
    } else {
        Err(Failure::no(format!("{what}: this was answered: {answered:?}")))
    }
}

pub(super) fn answered(result: Result<Answer, CallError>) -> Result<Answer, Failure> {
    result.map_err(Failure::no)
}

/// A refusal with this ErrorCode whose text holds these words; everything else is a failure of the demo.
pub(super) fn refused(result: Result<Answer, CallError>, error_code: &str, words: &[&str]) -> Result<String, Failure> {
    match result {
        Err(CallError::Refused(answer)) => {
            let told = answer.error_code == error_code && words.iter().all(|word| answer.error_desc.contains(word));
            expect(told, "the refusal names what is wrong", &answer)?;
            Ok(format!("FAIL {}: {}", answer.error_code, answer.error_desc))
        }
        other => Err(Failure::no(format!(
            "a wrong packet must be refused with {error_code}; this was answered: {other:?}"
        ))),
    }
}

/// The two operations of the SDK that fetch a packet.
#[derive(Clone, Copy)]
enum Way {
    GetEdoc,
    DownloadEdoc,
}

impl Department<'_> {
    fn write_document(&self, to: &[Department<'_>], now: DateTime) -> Result<(DocumentPacket, PathBuf), Failure> {
        let to: Vec<&System> = to.iter().map(|department| department.system).collect();
        let (number, notation) = NUMBER.split_once('/').unwrap_or((NUMBER, ""));
        let mut document = packet::document(self.system, &to, number, notation, now);
        document.attachments = vec![packet::letter(), packet::annex(&self.folder)?];
        let file = packet::save(&self.folder, "1204.edxml", |out| document.write(out))?;
        Ok((document, file))
    }

    fn send(&mut self, packet: &Path, narrator: &Narrator) -> Result<String, Failure> {
        let size = fs::metadata(packet)?.len();
        let answer =
            answered(
                self.service
                    .send_edoc(&self.system.agency, None, MessageType::Edoc, Source::File(packet)),
            )?;
        let doc_id = answer.doc_id.unwrap_or_default();
        expect(doc_id.len() == 36, "an accepted document has a DocId", &doc_id)?;
        let what = format!(
            "sendEdoc, {size} bytes: {} {}, DocId {doc_id}",
            answer.status, answer.error_desc
        );
        narrator.say(self.system.part, &what)?;
        Ok(doc_id)
    }

    fn collect(&mut self, sent: &Path, way: Way, narrator: &Narrator) -> Result<(), Failure> {
        let listed = self.service.received_list(MessageType::Edoc).map_err(Failure::no)?;
        let [item] = listed.as_slice() else {
            return Err(Failure::no(format!(
                "one document must be listed; this was answered: {listed:?}"
            )));
        };
        narrator.say(
            self.system.part,
            &format!(
                "getReceivedEdocList: {} from {} ({})",
                item.doc_id, item.from, item.status_desc
            ),
        )?;
        let file = self.folder.join("received.edxml");
        let mut sink = File::create(&file)?;
        let (name, fetched) = match way {
            Way::GetEdoc => ("getEdoc", self.service.get_edoc(&item.doc_id, &mut sink)),
            Way::DownloadEdoc => ("downloadEdoc", self.service.download_edoc(&item.doc_id, &mut sink)),
        };
        let fetched = fetched.map_err(Failure::no)?;
        drop(sink);
        expect(
            same_bytes(sent, &file)?,
            "what is collected is what was sent, byte for byte",
            &fetched,
        )?;
        narrator.say(
            self.system.part,
            &format!("{name}: {} bytes, the very bytes that were sent", fetched.size_bytes),
        )?;
        let done = answered(self.service.update_status(&item.doc_id, "done"))?;
        let left = self.service.received_list(MessageType::Edoc).map_err(Failure::no)?;
        expect(left.is_empty(), "what is acknowledged is not listed any more", &left)?;
        Ok(narrator.say(
            self.system.part,
            &format!("updateStatus done: {}; the list is empty", done.status),
        )?)
    }

    pub(super) fn report(
        &mut self,
        about: ResponseFor,
        code: &str,
        description: &str,
        now: DateTime,
        narrator: &Narrator,
    ) -> Result<(), Failure> {
        let status = packet::status(self.system, about, code, description, now);
        let file = packet::save(&self.folder, &format!("status-{code}.edxml"), |out| status.write(out))?;
        let answer =
            answered(
                self.service
                    .send_edoc(&self.system.agency, None, MessageType::Status, Source::File(&file)),
            )?;
        let doc_id = answer.doc_id.unwrap_or_default();
        Ok(narrator.say(
            self.system.part,
            &format!("sendEdoc status {code}: {}, DocId {doc_id}", answer.status),
        )?)
    }

    fn take_statuses(&mut self, expected: usize, narrator: &Narrator) -> Result<(), Failure> {
        let listed = self.service.received_list(MessageType::Status).map_err(Failure::no)?;
        expect(listed.len() == expected, "every status arrives once", &listed)?;
        for item in &listed {
            let mut packet = Vec::new();
            self.service.get_edoc(&item.doc_id, &mut packet).map_err(Failure::no)?;
            let text = String::from_utf8_lossy(&packet);
            let code = text
                .split_once("StatusCode>")
                .and_then(|(_, rest)| rest.split('<').next())
                .unwrap_or_default();
            answered(self.service.update_status(&item.doc_id, "done"))?;
            narrator.say(
                self.system.part,
                &format!("status {code} from {}, acknowledged", item.from),
            )?;
        }
        Ok(())
    }

    fn send_to_nobody(&mut self, now: DateTime, narrator: &Narrator) -> Result<(), Failure> {
        let nobody = System {
            agency: "H44.999".to_owned(),
            name: "Cơ quan không có thật",
            ..self.system.clone()
        };
        let document = packet::document(self.system, &[&nobody], "1205", "SKHCN-CĐS", now);
        let file = packet::save(&self.folder, "1205.edxml", |out| document.write(out))?;
        let answer = self
            .service
            .send_edoc(&self.system.agency, None, MessageType::Edoc, Source::File(&file));
        let told = refused(answer, "18", &["ADDRESSEE_UNKNOWN", "H44.999"])?;
        Ok(narrator.say(self.system.part, &told)?)
    }

    fn send_broken(&mut self, to: &[Department<'_>], now: DateTime, narrator: &Narrator) -> Result<(), Failure> {
        let to: Vec<&System> = to.iter().map(|department| department.system).collect();
        let mut document = packet::document(self.system, &to, "1206", "SKHCN-CĐS", now);
        document.attachments = vec![Attachment {
            packing: Packing::Raw("application/pdf".to_owned()),
            ..Attachment::new(
                "1",
                "cong-van.pdf",
                Content::Bytes(b"%PDF-1.4 of which the base64 is broken below".to_vec()),
            )
        }];
        let mut whole = Vec::new();
        document.write(&mut whole)?;
        // What a failing template leaves behind in the field: a placeholder where base64 should be.
        let broken = String::from_utf8_lossy(&whole).replace("JVBERi0x", "${file}");
        let file = self.folder.join("1206.edxml");
        fs::write(&file, broken)?;
        let answer = self
            .service
            .send_edoc(&self.system.agency, None, MessageType::Edoc, Source::File(&file));
        let told = refused(answer, "21", &["ATTACHMENT_BASE64", "ContentTransferEncoded"])?;
        Ok(narrator.say(self.system.part, &told)?)
    }
}

fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (
        io::BufReader::new(File::open(one)?),
        io::BufReader::new(File::open(other)?),
    );
    let (mut a, mut b) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let read = one.read(&mut a)?;
        if read == 0 {
            return Ok(true);
        }
        let Some(b) = b.get_mut(..read) else { return Ok(false) };
        other.read_exact(b)?;
        if a.get(..read) != Some(&*b) {
            return Ok(false);
        }
    }
}
