//! A department's document system at work: what it sends, what waits for it, what it fetches and what it says of it.

use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::answer::CallError;
use lgsp_adapters::edxml_vxp::client::builder::{DocumentPacket, StatusPacket};
use lgsp_adapters::edxml_vxp::client::items::ReceivedItem;
use lgsp_adapters::edxml_vxp::client::source::Source;
use lgsp_adapters::edxml_vxp::client::{MessageType, SdkVersion, Service};

use super::{Department, Node};

/// Longest wait for something to be in a list.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The two operations that bring a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    GetEdoc,
    DownloadEdoc,
}

/// One department and its connection to a node.
#[derive(Debug)]
pub(crate) struct Desk {
    department: Department,
    service: Service,
}

impl Department {
    /// Its document system, which speaks as version 2.0.1 of the SDK.
    pub(crate) fn desk(&self, node: &Node) -> Desk {
        Desk {
            department: *self,
            service: self.service(node),
        }
    }

    /// The same with another version.
    pub(crate) fn desk_of(&self, node: &Node, version: SdkVersion) -> Desk {
        Desk {
            department: *self,
            service: self.service(node).version(version),
        }
    }
}

/// The bytes of a document.
pub(crate) fn written(packet: &DocumentPacket) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.write(&mut bytes).unwrap();
    bytes
}

/// The bytes of a status.
pub(crate) fn written_status(packet: &StatusPacket) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.write(&mut bytes).unwrap();
    bytes
}

impl Desk {
    /// The client itself, for calls that have no name here.
    pub(crate) fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Sends a document under the department's own code to whom the packet names; its DocId.
    pub(crate) fn send(&mut self, packet: &[u8]) -> Result<String, CallError> {
        self.send_as(self.department.code, MessageType::Edoc, packet)
    }

    pub(crate) fn send_status(&mut self, packet: &[u8]) -> Result<String, CallError> {
        self.send_as(self.department.code, MessageType::Status, packet)
    }

    /// Sends under any code.
    pub(crate) fn send_as(&mut self, code: &str, kind: MessageType, packet: &[u8]) -> Result<String, CallError> {
        let answer = self.service.send_edoc(code, None, kind, Source::Bytes(packet))?;
        Ok(answer.doc_id.unwrap())
    }

    /// The list, in its order.
    pub(crate) fn waiting(&mut self, kind: MessageType) -> Vec<ReceivedItem> {
        self.service.received_list(kind).unwrap()
    }

    /// The list once it is so long, no longer: what was accepted a moment ago may not be in it yet.
    pub(crate) fn waiting_for(&mut self, kind: MessageType, count: usize) -> Vec<ReceivedItem> {
        let deadline = Instant::now() + TIME_LIMIT;
        loop {
            let items = self.waiting(kind);
            if items.len() >= count || Instant::now() > deadline {
                assert_eq!(items.len(), count, "{items:?}");
                return items;
            }
        }
    }

    /// The one item of the list.
    pub(crate) fn only_waiting(&mut self, kind: MessageType) -> ReceivedItem {
        self.waiting_for(kind, 1).remove(0)
    }

    /// Fetches a packet whole.
    pub(crate) fn fetch(&mut self, way: Way, doc_id: &str) -> Result<Vec<u8>, CallError> {
        let mut bytes = Vec::new();
        let fetched = match way {
            Way::GetEdoc => self.service.get_edoc(doc_id, &mut bytes),
            Way::DownloadEdoc => self.service.download_edoc(doc_id, &mut bytes),
        };
        assert_eq!(fetched?.size_bytes, bytes.len() as u64);
        Ok(bytes)
    }

    /// Says a word of the axis about an item; it must be answered OK.
    pub(crate) fn say(&mut self, doc_id: &str, word: &str) {
        let answer = self.service.update_status(doc_id, word).unwrap();
        assert!(answer.is_ok(), "{word}: {answer:?}");
    }

    /// Takes all that many off the list: fetches, acknowledges; the packets in the list's order.
    pub(crate) fn take(&mut self, kind: MessageType, count: usize) -> Vec<Vec<u8>> {
        let items = self.waiting_for(kind, count);
        let take = |item: ReceivedItem| {
            let packet = self.fetch(Way::GetEdoc, &item.doc_id).unwrap();
            self.say(&item.doc_id, "done");
            packet
        };
        items.into_iter().map(take).collect()
    }
}
