//! No room for the ledger, the store or the objects: letters are turned away with "send again", nothing breaks, and with
//! room again everything goes on.

use std::collections::BTreeMap;
use std::fs;

use lgsp_adapters::edxml_vxp::client::answer::{Answer, CallError};
use lgsp_adapters::edxml_vxp::client::builder::attachment::{Attachment, Content};
use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::edxml_vxp::client::{MessageType, Service};
use serde_json::{Value, json};

use crate::support::{Home, INFORMATION, JUSTICE, Node};

/// So many letters are turned away before there is room again.
const TURNED_AWAY: usize = 5;
/// A disk that is not full after so many letters is not small.
const LETTERS_MAX: u32 = 1_000;
const KIB: u64 = 1024;

#[test]
fn a_full_disk_of_the_ledger_turns_letters_away_until_there_is_room() {
    let mut home = Home::new();
    home.put_on_small_disk(&["ledger"]);
    let mut node = Node::start(home);
    let mut desk = Desk::default();
    desk.offer(&node, 1);
    let collected = only_one_waits(&node);
    let fetched = download(&node, &collected).unwrap();

    node.home().small_disk().leave_free(160 * KIB);
    desk.offer_until_turned_away(&node);
    node.home().small_disk().leave_free(0);
    waiting_in_all(&node, desk.sent.len());
    assert!(
        download(&node, &collected).unwrap() == fetched,
        "what was collected is not handed out"
    );
    // Small records may still fit where a large one did not.
    let refused = waiting(&node).iter().find_map(|doc_id| get(&node, doc_id).err());
    says_send_again(&refused.expect("the ledger took a record of every fetch"));
    says_send_again(&JUSTICE.service(&node).update_status(&collected, "done").unwrap_err());

    // Even a node that is killed and started now shows what there is.
    node.kill();
    node.restart();
    waiting_in_all(&node, desk.sent.len());
    desk.offer(&node, LETTERS_MAX);

    node.home().small_disk().make_room();
    desk.offer_again(&node);
    desk.all_arrive_once(node);
}

#[test]
fn a_ledger_with_all_its_pages_turns_letters_away_until_it_may_have_more() {
    let mut home = Home::new();
    home.set("ledger", "pages_max", 64);
    let mut node = Node::start(home);
    let mut desk = Desk::default();
    desk.offer_until_turned_away(&node);
    waiting_in_all(&node, desk.sent.len());

    node.stop();
    let mut home = node.into_home();
    home.set("ledger", "pages_max", 0);
    let node = Node::start(home);
    desk.offer_again(&node);
    desk.all_arrive_once(node);
}

#[test]
fn a_full_disk_of_the_objects_turns_large_letters_away_until_there_is_room() {
    let mut home = Home::new();
    home.put_on_small_disk(&["objects", "staging"]);
    let node = Node::start(home);
    let mut desk = Desk {
        filling_bytes: 256 * 1024,
        ..Desk::default()
    };
    node.home().small_disk().leave_free(2_000 * KIB);
    desk.offer_until_turned_away(&node);
    assert!(desk.sent.len() > 2, "{desk:?}");
    waiting_in_all(&node, desk.sent.len());
    let staging = node.home().small_disk().outside("staging");
    assert_eq!(
        fs::read_dir(staging).unwrap().count(),
        0,
        "what was turned away still takes room"
    );

    node.home().small_disk().make_room();
    desk.offer_again(&node);
    desk.all_arrive_once(node);
}

#[test]
fn a_full_disk_of_the_store_holds_the_projection_up_until_there_is_room() {
    let mut home = Home::new();
    home.set("vxp", "answer_timeout_ms", 1_500);
    home.put_on_small_disk(&["store.sqlite"]);
    let mut node = Node::start(home);
    let mut desk = Desk::default();
    desk.offer(&node, 1);
    let collected = only_one_waits(&node);
    let fetched = download(&node, &collected).unwrap();

    // The ledger has room, so letters are accepted: it is only not known yet what becomes of them.
    node.home().small_disk().leave_free(96 * KIB);
    for number in 2..16 {
        desk.offer(&node, number);
    }
    assert!(desk.turned_away.is_empty(), "{desk:?}");
    node.wait_message("projecting waits");
    assert!(
        download(&node, &collected).unwrap() == fetched,
        "what was collected is not handed out"
    );
    let shown = waiting(&node);
    assert!(
        shown.len() < desk.sent.len(),
        "there is room for all {} rows",
        shown.len()
    );
    says_send_again(&JUSTICE.service(&node).update_status(&collected, "done").unwrap_err());

    node.home().small_disk().make_room();
    node.wait_message("projecting goes on");
    assert_eq!(
        JUSTICE
            .service(&node)
            .update_status(&collected, "done")
            .unwrap()
            .error_code,
        "0"
    );

    // Stopped while the disk is full, it starts only with room, and says so.
    node.home().small_disk().leave_free(0);
    for number in 16..20 {
        desk.offer(&node, number);
    }
    node.stop();
    let refused = node.lgsp(&["serve"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.err.contains("there is no room"), "{refused:?}");
    node.home().small_disk().make_room();
    node.restart();
    waiting_in_all(&node, desk.sent.len() - 1);
    desk.collected.push(fetched);
    desk.all_arrive_once(node);
}

/// What one department sent to another, by its own count.
#[derive(Debug, Default)]
struct Desk {
    /// Size of a second attachment; 0: there is none.
    filling_bytes: usize,
    /// `DocId` of each letter that was answered OK, by its number.
    sent: BTreeMap<u32, String>,
    turned_away: Vec<u32>,
    /// Packets that were acknowledged on the way.
    collected: Vec<Vec<u8>>,
}

impl Desk {
    /// Answered OK or with "send again", whatever the node stands on.
    fn offer(&mut self, node: &Node, number: u32) {
        match send(&mut INFORMATION.service(node), &self.letter(number)) {
            Ok(answer) => drop(self.sent.insert(number, answer.doc_id.unwrap())),
            Err(error) => {
                says_send_again(&error);
                self.turned_away.push(number);
            }
        }
    }

    fn offer_until_turned_away(&mut self, node: &Node) {
        let next = self.sent.keys().last().map_or(1, |last| last + 1);
        for number in next..LETTERS_MAX {
            self.offer(node, number);
            if self.turned_away.len() == TURNED_AWAY {
                return;
            }
        }
        panic!("nothing was turned away");
    }

    /// With room, everything that was turned away is taken at once.
    fn offer_again(&mut self, node: &Node) {
        for number in std::mem::take(&mut self.turned_away) {
            self.offer(node, number);
        }
        assert!(
            self.turned_away.is_empty(),
            "turned away with room: {:?}",
            self.turned_away
        );
    }

    fn letter(&self, number: u32) -> Vec<u8> {
        let mut letter = INFORMATION.letter(&number.to_string(), &[JUSTICE]);
        if self.filling_bytes > 0 {
            let filling = number.to_be_bytes().into_iter().cycle().take(self.filling_bytes);
            let content = Content::Bytes(filling.collect());
            letter.attachments.push(Attachment::new("2", "phu-luc.pdf", content));
        }
        let mut packet = Vec::new();
        letter.write(&mut packet).unwrap();
        packet
    }

    /// Each letter that was answered OK comes once, as it was sent; a repeat changes nothing; the ledger agrees.
    fn all_arrive_once(mut self, mut node: Node) {
        let doc_ids = waiting_in_all(&node, self.sent.len() - self.collected.len());
        for (number, doc_id) in &self.sent {
            let again = send(&mut INFORMATION.service(&node), &self.letter(*number)).unwrap();
            assert_eq!(again.doc_id.as_ref(), Some(doc_id), "letter {number}");
        }
        for doc_id in doc_ids {
            self.collected.push(download(&node, &doc_id).unwrap());
            JUSTICE.service(&node).update_status(&doc_id, "done").unwrap();
        }
        assert!(waiting(&node).is_empty());
        let mut expected: Vec<_> = self.sent.keys().map(|number| self.letter(*number)).collect();
        expected.sort_unstable();
        self.collected.sort_unstable();
        assert!(expected == self.collected, "other letters came than were sent");
        let rebuilt = node.lgsp(&["rebuild", "--json"]);
        assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
        node.stop();
        let verified = node.verify(&["--objects"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        let found: Value = serde_json::from_str(&verified.out).unwrap();
        assert_eq!(found["facts"]["Accepted"], json!(self.sent.len()), "{found}");
        assert_eq!(found["facts"]["Delivered"], json!(self.sent.len()), "{found}");
    }
}

fn send(service: &mut Service, packet: &[u8]) -> Result<Answer, CallError> {
    service.send_edoc(INFORMATION.code, None, MessageType::Edoc, Source::Bytes(packet))
}

/// FAIL 20 with HTTP 200, as document systems know it.
fn says_send_again(error: &CallError) {
    let answer = error.refusal().unwrap_or_else(|| panic!("{error:?}"));
    let told = (answer.http_status, answer.status.as_str(), answer.error_code.as_str());
    assert_eq!(told, (200, "FAIL", "20"), "{answer:?}");
    assert!(answer.error_desc.contains("send again"), "{answer:?}");
}

fn waiting(node: &Node) -> Vec<String> {
    let items = JUSTICE.service(node).received_list(MessageType::Edoc).unwrap();
    items.into_iter().map(|item| item.doc_id).collect()
}

/// So many letters wait, now or in a moment.
fn waiting_in_all(node: &Node, count: usize) -> Vec<String> {
    let items = JUSTICE.wait_for(node, MessageType::Edoc, |items| items.len() >= count);
    assert_eq!(items.len(), count);
    items.into_iter().map(|item| item.doc_id).collect()
}

fn only_one_waits(node: &Node) -> String {
    waiting_in_all(node, 1).remove(0)
}

fn download(node: &Node, doc_id: &str) -> Result<Vec<u8>, CallError> {
    let mut packet = Vec::new();
    JUSTICE.service(node).download_edoc(doc_id, &mut packet)?;
    Ok(packet)
}

fn get(node: &Node, doc_id: &str) -> Result<Vec<u8>, CallError> {
    let mut packet = Vec::new();
    JUSTICE.service(node).get_edoc(doc_id, &mut packet)?;
    Ok(packet)
}
