//! The play's third part: what the rules do. What may not travel is stopped at the door, what was addressed to an agency of
//! yesterday reaches the one of today, and a document's life is told to its end.

use std::path::PathBuf;

use jiff::civil::DateTime;
use lgsp_adapters::edxml_vxp::client::MessageType;
use lgsp_adapters::edxml_vxp::client::builder::{Business, DocumentPacket, Organ, ResponseFor};
use lgsp_adapters::edxml_vxp::client::source::Source;

use super::cast::{LAPSED_GRANT, OUTSIDE};
use super::narrator::Narrator;
use super::packet;
use super::play::{Department, answered, departments, expect, local_time, refused};
use super::stage::Stage;
use crate::commands::Failure;

const NOTATION: &str = "SKHCN-CĐS";

pub(super) fn perform(stage: &Stage, narrator: &Narrator) -> Result<(), Failure> {
    let now = local_time()?;
    let [mut sender, mut justice, mut interior] = departments(stage, now)?;

    narrator.act("What may not travel is stopped at the door, each with every rule it breaks")?;
    stopped(&mut sender, &justice, now, narrator)?;

    narrator.act("An agency that the merger closed is reached through its successor")?;
    succeeded(stage, &mut sender, &mut justice, now, narrator)?;

    narrator.act("Refused with its reason (02); recalled and given back (13, 15); recalled and kept (13, 16)")?;
    let refused = sender.letter("1211", &[&interior], now);
    sender.post(&refused, narrator)?;
    interior.say(&refused, "02", "Văn bản gửi nhầm cơ quan", now, narrator)?;
    let recalls = [
        ("1212", "15", "Đồng ý trả lại", "taken-back"),
        ("1213", "16", "Đã xử lý, không trả lại", "16 declined"),
    ];
    for (number, answer, words, told) in recalls {
        let letter = sender.letter(number, &[&justice], now);
        sender.post(&letter, narrator)?;
        sender.ask_back(&letter, &justice, now, narrator)?;
        justice.say(&letter, answer, words, now, narrator)?;
        stage.told(&letter.code(), &[told], narrator)?;
    }
    stage.told(&refused.code(), &["refused"], narrator)?;

    narrator.act("A document is replaced, and either number tells of both")?;
    let old = sender.letter("1214", &[&justice], now);
    sender.post(&old, narrator)?;
    let mut new = sender.letter("1215", &[&justice], now);
    new.business = Business {
        doc_type: 3,
        reason: "Thay thế do sai sót".to_owned(),
        replaces: vec![(old.id(), Vec::new())],
        ..Business::default()
    };
    sender.post(&new, narrator)?;
    stage.told(&old.code(), &[&new.code(), "replaced"], narrator)?;
    for department in [&mut sender, &mut justice, &mut interior] {
        department.take_the_rest(narrator)?;
    }
    Ok(())
}

/// A mark of secrecy, three rules at once, and a date that shall revive a right.
fn stopped(
    sender: &mut Department<'_>,
    to: &Department<'_>,
    now: DateTime,
    narrator: &Narrator,
) -> Result<(), Failure> {
    let mut secret = sender.letter("1207", &[to], now);
    secret.subject = "(TỐI MẬT) V/v kế hoạch diễn tập".to_owned();
    sender.stopped(&secret, "22", &["SECRECY_MARK", "MessageHeader/Subject"], narrator)?;
    let mut careless = sender.letter("1208", &[to], now);
    "N/A".clone_into(&mut careless.subject);
    "N/A".clone_into(&mut careless.type_name);
    "N/A".clone_into(&mut careless.signer.full_name);
    let places = ["Subject", "DocumentType/TypeName", "SignerInfo/FullName"];
    sender.stopped(&careless, "22", &places, narrator)?;
    let mut late = sender.letter("1209", &[], now);
    late.to = vec![Organ::new(OUTSIDE.0, OUTSIDE.1)];
    "2025/12/01".clone_into(&mut late.date);
    sender.stopped(&late, "19", &["GRANT_EXPIRED", LAPSED_GRANT], narrator)
}

/// Vĩnh Phúc's department of justice was closed on 30 June 2025; Phú Thọ's receives for it.
fn succeeded(
    stage: &Stage,
    sender: &mut Department<'_>,
    successor: &mut Department<'_>,
    now: DateTime,
    narrator: &Narrator,
) -> Result<(), Failure> {
    let mut letter = sender.letter("1210", &[], now);
    letter.to = vec![Organ::new("H62.14", "Sở Tư pháp tỉnh Vĩnh Phúc")];
    sender.post(&letter, narrator)?;
    let listed = successor
        .service
        .received_list(MessageType::Edoc)
        .map_err(Failure::no)?;
    let [item] = listed.as_slice() else {
        return Err(Failure::no(format!(
            "one document must be listed; this was answered: {listed:?}"
        )));
    };
    let what = format!(
        "getReceivedEdocList: {} from {}, addressed to {}",
        item.doc_id, item.from, item.to
    );
    narrator.say(successor.system.part, &what)?;
    let mut taken = Vec::new();
    successor
        .service
        .get_edoc(&item.doc_id, &mut taken)
        .map_err(Failure::no)?;
    answered(successor.service.update_status(&item.doc_id, "done"))?;
    stage.told(&letter.code(), &["H62.14", "H44.14"], narrator)
}

impl Department<'_> {
    fn letter(&self, number: &str, to: &[&Department<'_>], now: DateTime) -> DocumentPacket {
        let to: Vec<_> = to.iter().map(|department| department.system).collect();
        packet::document(self.system, &to, number, NOTATION, now)
    }

    /// Fetches and acknowledges whatever still waits, so that the next who plays finds nothing.
    fn take_the_rest(&mut self, narrator: &Narrator) -> Result<(), Failure> {
        let mut count = 0;
        for kind in [MessageType::Edoc, MessageType::Status] {
            for item in self.service.received_list(kind).map_err(Failure::no)? {
                let fetched = self.service.get_edoc(&item.doc_id, &mut std::io::sink());
                fetched.map_err(Failure::no)?;
                answered(self.service.update_status(&item.doc_id, "done"))?;
                count += 1;
            }
        }
        Ok(narrator.say(self.system.part, &format!("takes what waits: {count}"))?)
    }

    fn written(&self, letter: &DocumentPacket) -> Result<PathBuf, Failure> {
        let name = format!("{}.edxml", letter.number);
        Ok(packet::save(&self.folder, &name, |out| letter.write(out))?)
    }

    /// Sends a letter that is accepted.
    fn post(&mut self, letter: &DocumentPacket, narrator: &Narrator) -> Result<(), Failure> {
        let file = self.written(letter)?;
        let sending = self
            .service
            .send_edoc(&self.system.agency, None, MessageType::Edoc, Source::File(&file));
        let doc_id = answered(sending)?.doc_id.unwrap_or_default();
        Ok(narrator.say(self.system.part, &format!("sends {}: DocId {doc_id}", letter.code()))?)
    }

    /// Sends a letter that must be refused.
    fn stopped(
        &mut self,
        letter: &DocumentPacket,
        error_code: &str,
        words: &[&str],
        narrator: &Narrator,
    ) -> Result<(), Failure> {
        let file = self.written(letter)?;
        let sending = self
            .service
            .send_edoc(&self.system.agency, None, MessageType::Edoc, Source::File(&file));
        let told = refused(sending, error_code, words)?;
        Ok(narrator.say(self.system.part, &format!("sends {}: {told}", letter.code()))?)
    }

    fn say(
        &mut self,
        about: &DocumentPacket,
        code: &str,
        words: &str,
        now: DateTime,
        narrator: &Narrator,
    ) -> Result<(), Failure> {
        self.report(about.referred_to(), code, words, now, narrator)
    }

    /// Asks one addressee to give a letter back.
    fn ask_back(
        &mut self,
        letter: &DocumentPacket,
        from: &Department<'_>,
        now: DateTime,
        narrator: &Narrator,
    ) -> Result<(), Failure> {
        let about = ResponseFor {
            organ_id: from.system.agency.clone(),
            ..letter.referred_to()
        };
        self.report(about, "13", "Đề nghị lấy lại văn bản", now, narrator)
    }
}

impl Stage {
    /// `lgsp trace` must say these words, once all is projected.
    pub(super) fn told(&self, number: &str, words: &[&str], narrator: &Narrator) -> Result<(), Failure> {
        let config = self.config().display().to_string();
        let trace = ["trace", number, "--config", &config];
        let mut told = String::new();
        for _ in 0..TRIES {
            told = String::from_utf8_lossy(&self.command(&trace)?.stdout).into_owned();
            if words.iter().all(|word| told.contains(word)) {
                narrator.say("operator", &format!("lgsp trace {number}"))?;
                // Every message is told first; what became of the document comes last.
                let life = told.find("\nlife of ").and_then(|at| told.get(at..));
                let life = life.filter(|life| words.iter().all(|word| life.contains(word)));
                return Ok(narrator.show(life.unwrap_or(&told).trim_start())?);
            }
        }
        expect(false, &format!("the trace says {words:?}"), &told)
    }
}

/// Each takes longer than what it waits for.
const TRIES: usize = 200;
