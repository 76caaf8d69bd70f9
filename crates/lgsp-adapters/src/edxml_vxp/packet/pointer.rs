//! From a place in the canonical JSON to the element of the packet that was written there, so that who sent a packet is
//! told of a broken rule in words of the packet.

use lgsp_types::Refusal;

use super::Packet;
use super::place::step;
use super::tree::{Element, Node};

/// Where the header of every packet stands.
const HEADER: &str = "edXMLEnvelope/edXMLHeader";
/// Fields of the canonical JSON, and where they stand below the header; a number in the JSON is one of a list.
const FIELDS: [(&str, &str); 27] = [
    ("/id", "MessageHeader/DocumentId"),
    ("/code/number", "MessageHeader/Code/CodeNumber"),
    ("/code/notation", "MessageHeader/Code/CodeNotation"),
    ("/code", "MessageHeader/Code"),
    ("/promulgation/place", "MessageHeader/PromulgationInfo/Place"),
    ("/promulgation/date", "MessageHeader/PromulgationInfo/PromulgationDate"),
    ("/promulgation", "MessageHeader/PromulgationInfo"),
    ("/type/name", "MessageHeader/DocumentType/TypeName"),
    ("/type", "MessageHeader/DocumentType"),
    ("/subject", "MessageHeader/Subject"),
    ("/content", "MessageHeader/Content"),
    ("/signer/competence", "MessageHeader/SignerInfo/Competence"),
    ("/signer/position", "MessageHeader/SignerInfo/Position"),
    ("/signer/full_name", "MessageHeader/SignerInfo/FullName"),
    ("/signer", "MessageHeader/SignerInfo"),
    ("/due", "MessageHeader/DueDate"),
    ("/priority", "MessageHeader/OtherInfo/Priority"),
    ("/other", "MessageHeader/OtherInfo"),
    ("/from", "MessageHeader/From"),
    ("/to_places", "MessageHeader/ToPlaces"),
    (
        "/business/receivers",
        "TraceHeaderList/Bussiness/BussinessDocumentInfo/ReceiverList",
    ),
    ("/business/replaces", "TraceHeaderList/Bussiness/ReplacementInfoList"),
    ("/business/kind", "TraceHeaderList/Bussiness/BussinessDocType"),
    ("/business", "TraceHeaderList/Bussiness"),
    ("/status_code", "MessageHeader/StatusCode"),
    ("/description", "MessageHeader/Description"),
    ("/timestamp", "MessageHeader/Timestamp"),
];
/// Lists of the JSON whose items are elements of one name.
const LISTS: [(&str, &str); 2] = [
    ("/to/", "MessageHeader/To"),
    ("/response_for/", "MessageHeader/ResponseFor"),
];

impl Packet {
    /// Refusals that name places of the payload, told in places of the packet; each once, as what a packet says stands in
    /// its payload twice: in a field, and in the whole.
    #[must_use]
    pub fn in_own_words(&self, refusals: Vec<Refusal>) -> Vec<Refusal> {
        let mut told: Vec<Refusal> = Vec::with_capacity(refusals.len());
        for mut refusal in refusals {
            if let Some(path) = self.element_path(&refusal.path) {
                refusal.path = path;
            }
            if !told
                .iter()
                .any(|one| one.code == refusal.code && one.path == refusal.path)
            {
                told.push(refusal);
            }
        }
        told
    }

    /// None for what is no pointer into the payload, or a place that no element stands for.
    fn element_path(&self, pointer: &str) -> Option<String> {
        let root = self.tree.root.local();
        if let Some(steps) = pointer.strip_prefix("/xml/") {
            return self.written_at(steps);
        }
        for (list, element) in LISTS {
            let Some(rest) = pointer.strip_prefix(list) else {
                continue;
            };
            let at: usize = rest.split('/').next()?.parse().ok()?;
            let (parent, name) = element.rsplit_once('/')?;
            return Some(format!("/{root}/{HEADER}/{parent}/{}", step(name, false, at + 1)));
        }
        let is_at =
            |field: &str| pointer == field || pointer.strip_prefix(field).is_some_and(|rest| rest.starts_with('/'));
        let (_, element) = FIELDS.iter().find(|(field, _)| is_at(field))?;
        Some(format!("/{root}/{HEADER}/{element}"))
    }

    /// Steps below `/xml`: a number chooses among the nodes beside the root, then among name, attributes and children.
    fn written_at(&self, steps: &str) -> Option<String> {
        let mut steps = steps.split('/').map(str::parse::<usize>);
        // Comments and instructions beside the root have no name.
        if steps.next()?.ok()? != self.tree.before.len() {
            return None;
        }
        let mut element = &self.tree.root;
        let mut path = format!("/{}", element.local());
        for step in steps {
            let child = step
                .ok()
                .and_then(|step| step.checked_sub(2))
                .and_then(|at| element.children.get(at));
            let Some(Node::Element(child)) = child else { break };
            path.push('/');
            path.push_str(&step_of(element, child));
            element = child;
        }
        Some(path)
    }
}

fn step_of(parent: &Element, child: &Element) -> String {
    let name = child.local();
    let same: Vec<&Element> = parent.elements().filter(|other| other.local() == name).collect();
    let number = same.iter().take_while(|other| !std::ptr::eq(**other, child)).count() + 1;
    step(name, same.len() == 1, number)
}

#[cfg(test)]
mod tests {
    use lgsp_types::ReasonCode;

    use super::super::tests::{read, sample};
    use super::*;

    fn told(packet: &Packet, paths: &[&str]) -> Vec<String> {
        let refusal = |path: &&str| Refusal::new(ReasonCode::new("ANY"), *path, "what", "mend");
        let told = packet.in_own_words(paths.iter().map(refusal).collect());
        told.into_iter().map(|refusal| refusal.path).collect()
    }

    #[test]
    fn a_broken_rule_of_the_payload_names_the_element_that_was_sent() {
        let packet = read(&sample("document_new")).unwrap();
        let header = "/edXML/edXMLEnvelope/edXMLHeader";
        let places = [
            ("/subject", "/MessageHeader/Subject"),
            ("/code/number", "/MessageHeader/Code/CodeNumber"),
            ("/to/0/name", "/MessageHeader/To[1]"),
            ("/business/kind", "/TraceHeaderList/Bussiness/BussinessDocType"),
        ];
        for (pointer, element) in places {
            assert_eq!(told(&packet, &[pointer]), [format!("{header}{element}")], "{pointer}");
        }
        for other in [
            "/",
            "/edXML/edXMLEnvelope",
            "message.to[0]",
            "/attachments/0",
            "/xml/9/9",
            "/to/x",
        ] {
            assert_eq!(told(&packet, &[other]), [other], "{other}");
        }
    }

    #[test]
    fn what_stands_in_a_field_and_in_the_whole_is_told_once() {
        let packet = read(&sample("document_new")).unwrap();
        let payload: serde_json::Value = serde_json::from_slice(&packet.json()).unwrap();
        let pointer = pointer_to(&payload["xml"], &payload["subject"], "/xml").unwrap();
        let path = "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader/Subject";
        assert_eq!(told(&packet, &["/subject", &pointer]), [path]);
    }

    /// Where this text stands.
    fn pointer_to(json: &serde_json::Value, text: &serde_json::Value, at: &str) -> Option<String> {
        if json == text {
            return Some(at.to_owned());
        }
        let items = json.as_array()?.iter().enumerate();
        items
            .map(|(step, item)| pointer_to(item, text, &format!("{at}/{step}")))
            .find_map(|found| found)
    }
}
