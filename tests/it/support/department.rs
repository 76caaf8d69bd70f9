//! The departments of the tests: who they are, their software, and the packets they write.
//!
//! They are those of tests/data/registry/test.toml.

use std::time::{Duration, Instant};

use lgsp_adapters::edxml_vxp::client::builder::attachment::{Attachment, Content};
use lgsp_adapters::edxml_vxp::client::builder::{DocumentPacket, Organ, ResponseFor, Signer, StatusPacket};
use lgsp_adapters::edxml_vxp::client::items::ReceivedItem;
use lgsp_adapters::edxml_vxp::client::sign::Timestamp;
use lgsp_adapters::edxml_vxp::client::{MessageType, Service};

use super::Node;

/// Longest wait for something to be in a list.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A department and its document system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Department {
    /// Its code of Decision 20/2020.
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) system: &'static str,
    pub(crate) secret: &'static str,
}

pub(crate) const PROVINCE: Department = Department {
    code: "H62",
    name: "UBND tỉnh",
    system: "vxp.test.00",
    secret: "thu-nghiem-00-kh6ng-b1-mat",
};
pub(crate) const INFORMATION: Department = Department {
    code: "H62.11",
    name: "Sở Thông tin và Truyền thông",
    system: "vxp.test.11",
    secret: "thu-nghiem-11-kh6ng-b1-mat",
};
pub(crate) const JUSTICE: Department = Department {
    code: "H62.14",
    name: "Sở Tư pháp",
    system: "vxp.test.14",
    secret: "thu-nghiem-14-kh6ng-b1-mat",
};
/// Stands for everybody outside of the province; its own code is the Government Office's.
pub(crate) const OUTSIDE: Department = Department {
    code: "G22",
    name: "Văn phòng Chính phủ",
    system: "vxp.test.outside",
    secret: "thu-nghiem-ng0ai-kh6ng-b1-mat",
};

pub(super) const EVERYBODY: [Department; 4] = [PROVINCE, INFORMATION, JUSTICE, OUTSIDE];

impl Department {
    /// Its software, connected to a node.
    pub(crate) fn service(&self, node: &Node) -> Service {
        self.service_at(node.vxp())
    }

    /// Its software, connected to the node with this URL.
    pub(crate) fn service_at(&self, vxp: &str) -> Service {
        let timestamp = Timestamp::written("25112026T080000+0000");
        Service::new(vxp, self.system, self.secret, &timestamp).unwrap()
    }

    /// What waits for it, once something does that `suffices`: a letter that was accepted a moment ago may not be in the
    /// list yet. Asks again and again, as document systems do; what waits after the time limit is what there is.
    pub(crate) fn wait_for(
        &self,
        node: &Node,
        kind: MessageType,
        suffices: impl Fn(&[ReceivedItem]) -> bool,
    ) -> Vec<ReceivedItem> {
        let mut service = self.service(node);
        let deadline = Instant::now() + TIME_LIMIT;
        loop {
            let items = service.received_list(kind).unwrap();
            if suffices(&items) || Instant::now() > deadline {
                return items;
            }
        }
    }

    fn organ(&self) -> Organ {
        Organ::new(self.code, self.name)
    }

    /// A letter of today to these departments, with one small PDF, to be changed before it is written.
    pub(crate) fn letter(&self, number: &str, to: &[Self]) -> DocumentPacket {
        let pdf = format!("%PDF-1.4\n% {} {number}\n%%EOF\n", self.code);
        DocumentPacket {
            from: self.organ(),
            to: to.iter().map(Self::organ).collect(),
            number: number.to_owned(),
            notation: "THU-NGHIEM".to_owned(),
            place: "Vĩnh Phúc".to_owned(),
            date: "2026/11/25".to_owned(),
            type_name: "Công văn".to_owned(),
            subject: format!("V/v thử nghiệm số {number}"),
            signer: Signer {
                competence: "KT. GIÁM ĐỐC".to_owned(),
                position: "Phó Giám đốc".to_owned(),
                full_name: "Lê Thị Mẫu".to_owned(),
            },
            attachments: vec![Attachment::new(
                "1",
                &format!("{number}.pdf"),
                Content::Bytes(pdf.into_bytes()),
            )],
            ..DocumentPacket::default()
        }
    }

    /// A status about a document, addressed to whoever issued it.
    pub(crate) fn status(&self, about: ResponseFor, code: &str) -> StatusPacket {
        StatusPacket {
            from: self.organ(),
            response_for: about,
            status_code: code.to_owned(),
            description: format!("Trạng thái {code}"),
            timestamp: "2026/11/25 08:30:00".to_owned(),
            ..StatusPacket::default()
        }
    }
}
