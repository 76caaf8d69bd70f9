//! Nothing that was written is lost: not by reading, not in JSON, not by writing again.

use std::io::Cursor;

use proptest::prelude::*;

use super::super::tree::{Element, Node};
use super::*;

fn rewritten(packet: &Packet, original: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    packet.write(&mut Cursor::new(original), &mut out).unwrap();
    out
}

/// Reads, writes and reads again; what must be the same, is.
fn survives(original: &[u8]) -> Packet {
    let first = read(original).unwrap_or_else(|refusals| panic!("{refusals:?}"));
    let again = rewritten(&first, original);
    let second = read(&again).unwrap_or_else(|refusals| panic!("{refusals:?} in {}", String::from_utf8_lossy(&again)));
    assert_eq!(second.tree, first.tree);
    assert_eq!(second.header, first.header);
    let contents = |packet: &Packet| {
        packet
            .parts
            .iter()
            .map(|part| (part.size_bytes, part.digest))
            .collect::<Vec<_>>()
    };
    assert_eq!(contents(&second), contents(&first));
    assert_eq!(
        rewritten(&second, &again),
        again,
        "what was written once is written the same for ever"
    );
    assert_eq!(Packet::from_json(&first.json()).unwrap(), first);
    first
}

#[test]
fn the_samples_survive() {
    for name in [
        "document_new",
        "document_update",
        "document_replacement",
        "document_revocation",
        "status_02_rejection",
    ] {
        survives(&sample(name));
    }
}

#[test]
fn base64_in_sections_lines_and_references_survives() {
    for text in [
        "<![CDATA[JVBERi0xLjQK]]>",
        "\r\nJVBE\r\nRi0xLjQK\r\n",
        "JVBERi0x&#13;\nLjQK",
        "",
        " ",
    ] {
        survives(&plain_but("JVBERi0xLjQK", text));
    }
}

#[test]
fn a_part_is_cut_from_the_original_and_no_other() {
    let packet = read(PLAIN.as_bytes()).unwrap();
    let range = packet.parts()[0].range.clone();
    assert_eq!(
        &PLAIN[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()],
        "JVBERi0xLjQK"
    );
    let short = packet.write(&mut Cursor::new(&PLAIN[..900]), &mut Vec::new());
    assert_eq!(short.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

/// Changes of the plain packet's JSON, and the path that is refused.
const SPOILT: &str = r#"
{"id":"H62.11, => {"id":"H62.99, => /
"part":0 => "part":1 => /xml/0/5/3/5
{"part":0} => "JVBERi0xLjQK" => /xml/0/5/3/5
"attachments":[ => "attachments":[3, => /
"xml":[ => "xml":["text", => /xml/0
"xml":[ => "xml":[["a",[]], => /xml/1
"OrganId",[],"H62.14" => "OrganId",[],"h62" => /edXML/edXMLEnvelope/edXMLHeader/MessageHeader/To[1]/OrganId
"OrganId",[] => "Organ Id",[] => /xml/0/3/2/2/3/2
"OrganId",[] => "OrganId",["a","1","a","2"] => /xml/0/3/2/2/3/2
"OrganId",[] => "OrganId",["a"] => /xml/0/3/2/2/3/2
"OrganId",[] => "OrganId",["a","\u0001"] => /xml/0/3/2/2/3/2
"OrganId",[] => "OrganId",[],{"comment":"a--b"} => /xml/0/3/2/2/3/2/2
"OrganId",[] => "OrganId",[],{"comment":"a-"} => /xml/0/3/2/2/3/2/2
"OrganId",[] => "OrganId",[],{"cdata":"a]]>b"} => /xml/0/3/2/2/3/2/2
"OrganId",[] => "OrganId",[],{"cdata":"\r"} => /xml/0/3/2/2/3/2/2
"OrganId",[] => "OrganId",[],{"instruction":["xml","a"]} => /xml/0/3/2/2/3/2/2
"OrganId",[] => "OrganId",[],{"instruction":["a","?>"]} => /xml/0/3/2/2/3/2/2
"OrganId",[] => "OrganId",[],"a" => /xml/0/3/2/2/3/2/3
"OrganId",[] => "OrganId",[],"" => /xml/0/3/2/2/3/2/2
"OrganId",[] => "OrganId",[],"\u0001" => /xml/0/3/2/2/3/2/2
"OrganId",[] => "OrganId",[],7 => /xml/0/3/2/2/3/2/2
"#;

#[test]
fn json_that_says_two_things_or_none_is_refused() {
    let json = read(PLAIN.as_bytes()).unwrap().json();
    let json = std::str::from_utf8(&json).unwrap();
    for line in SPOILT.lines().filter(|line| !line.is_empty()) {
        let [old, new, path] = *line.split(" => ").collect::<Vec<_>>() else {
            panic!("{line}")
        };
        assert!(json.contains(old), "{line}");
        let refusals = Packet::from_json(json.replacen(old, new, 1).as_bytes()).unwrap_err();
        assert_eq!(refusals[0].path, path, "{line}: {refusals:?}");
    }
    let deep = format!(r#""OrganId",[],{}"a"{}"#, r#"["a",[],"#.repeat(70), "]".repeat(70));
    let refusals = Packet::from_json(json.replacen(r#""OrganId",[]"#, &deep, 1).as_bytes()).unwrap_err();
    assert_eq!(refusals[0].code.as_str(), "FIELD_INVALID");
    let (brackets, blanks) = ("[".repeat(100_000), " ".repeat(262_145));
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"attachments":[],"original":{},"xml":[]}"#,
        &brackets,
        &blanks,
    ] {
        assert_eq!(Packet::from_json(bad.as_bytes()).unwrap_err()[0].path, "/");
    }
}

#[test]
fn json_may_be_spaced_and_ordered_in_any_way() {
    let json = read(PLAIN.as_bytes()).unwrap().json();
    let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        Packet::from_json(&serde_json::to_vec_pretty(&value).unwrap())
            .unwrap()
            .json(),
        json
    );
}

/// Text of XML, with all that has a meaning there and much that has none.
fn text() -> impl Strategy<Value = String> {
    "[a-cĐ𝄞<>&;\"'\\]#\r\n\t \u{a0}-]{1,8}"
}

fn node() -> impl Strategy<Value = Node> {
    let section = text().prop_map(|text| Node::CData(text.replace('\r', "").replace("]]", "]_")));
    let comment = text().prop_map(|text| Node::Comment(text.replace(['-', '\r'], "")));
    let instruction = ("[a-w][a-z0-9]{0,3}", text()).prop_map(|(target, content)| Node::Instruction {
        target,
        content: content.replace("?>", "").replace('\r', "").trim_start().to_owned(),
    });
    let leaf = prop_oneof![3 => text().prop_map(Node::Text), 1 => section, 1 => comment, 1 => instruction];
    leaf.prop_recursive(4, 40, 6, |inner| element(inner).prop_map(Node::Element))
}

fn element(inner: impl Strategy<Value = Node>) -> impl Strategy<Value = Element> {
    let attributes = prop::collection::btree_map("[a-c]|q:[a-c]|Đ-[0-9]", text(), 0..4);
    let name = "[a-c]|OrganId|q:To|Đ\\.[0-9]";
    (name, attributes, prop::collection::vec(inner, 0..6)).prop_map(|(name, attributes, children)| Element {
        name,
        attributes: attributes.into_iter().rev().collect(),
        children: joined(children),
    })
}

/// Two texts side by side are one.
fn joined(children: Vec<Node>) -> Vec<Node> {
    let mut joined: Vec<Node> = Vec::new();
    for child in children {
        match (joined.last_mut(), child) {
            (Some(Node::Text(before)), Node::Text(text)) => before.push_str(&text),
            (_, child) => joined.push(child),
        }
    }
    joined
}

/// Writes XML in a hand of its own: other quotes, line ends and references than ours, as `hand` wills.
fn print(node: &Node, hand: &mut impl FnMut() -> bool, out: &mut String) {
    match node {
        Node::Element(element) => {
            out.push_str(&format!("<{}", element.name));
            for (name, value) in &element.attributes {
                let quote = if hand() { '\'' } else { '"' };
                out.push_str(&format!(
                    "{}{name}{}={quote}",
                    if hand() { "\r\n" } else { " " },
                    if hand() { " " } else { "" }
                ));
                value
                    .chars()
                    .for_each(|letter| print_letter(letter, Some(quote), hand, out));
                out.push(quote);
            }
            if element.children.is_empty() && hand() {
                out.push_str(" />");
                return;
            }
            out.push('>');
            element.children.iter().for_each(|child| print(child, hand, out));
            out.push_str(&format!("</{}{}>", element.name, if hand() { " " } else { "" }));
        }
        Node::Text(text) => text.chars().for_each(|letter| print_letter(letter, None, hand, out)),
        Node::CData(text) => out.push_str(&format!("<![CDATA[{}]]>", line_ends(text, hand))),
        Node::Comment(text) => out.push_str(&format!("<!--{}-->", line_ends(text, hand))),
        Node::Instruction { target, content } => {
            out.push_str(&format!(
                "<?{target} {}{}?>",
                if hand() { " " } else { "" },
                line_ends(content, hand)
            ));
        }
        Node::Part { .. } => panic!("none is made"),
    }
}

fn line_ends(text: &str, hand: &mut impl FnMut() -> bool) -> String {
    if hand() {
        text.replace('\n', "\r\n")
    } else {
        text.to_owned()
    }
}

fn print_letter(letter: char, quote: Option<char>, hand: &mut impl FnMut() -> bool, out: &mut String) {
    let must = matches!(letter, '&' | '<' | '\r' | '>') || Some(letter) == quote;
    match letter {
        '\t' | '\n' if quote.is_some() => out.push_str(&format!("&#{};", u32::from(letter))),
        '\n' if hand() => out.push_str("\r\n"),
        '&' if hand() => out.push_str("&amp;"),
        '\'' if hand() => out.push_str("&apos;"),
        _ if must || hand() => out.push_str(&format!("&#x{:X};", u32::from(letter))),
        _ => out.push(letter),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_xml_can_say_is_read_as_it_was_meant_and_never_lost(
        beside in node(), inside in element(node()), strokes in prop::collection::vec(any::<bool>(), 64),
    ) {
        let mut strokes = strokes.into_iter().cycle();
        let mut hand = || strokes.next().unwrap_or_default();
        let (mut printed, mut prolog) = (String::new(), String::new());
        print(&Node::Element(inside.clone()), &mut hand, &mut printed);
        let is_beside = matches!(beside, Node::Comment(_) | Node::Instruction { .. });
        if is_beside {
            print(&beside, &mut hand, &mut prolog);
        }
        let original = PLAIN.replace("<Subject>", &format!("<New>{printed}</New><Subject>"))
            .replace("<edXML xmlns", &format!("{prolog}<edXML xmlns"));
        let packet = survives(original.as_bytes());
        let mut found: Vec<&Element> = vec![&packet.tree.root];
        while found.last().is_some_and(|element| element.name != "New") {
            let element = found.pop().unwrap();
            found.extend(element.elements());
        }
        prop_assert_eq!(&found.last().unwrap().children, &vec![Node::Element(inside)]);
        let expected: Vec<Node> = is_beside.then_some(beside).into_iter().collect();
        prop_assert_eq!(&packet.tree.before, &expected);
    }

    #[test]
    fn no_json_brings_the_reader_down(at in any::<prop::sample::Index>(), dropped in 0..20usize, put in "[\\[\\]{}\",:a0-9]{0,4}") {
        let json = read(PLAIN.as_bytes()).unwrap().json();
        let mut json = json.to_vec();
        let at = at.index(json.len());
        let end = (at + dropped).min(json.len());
        json.splice(at..end, put.bytes());
        if let Err(refusals) = Packet::from_json(&json) {
            prop_assert!(!refusals.is_empty());
        }
    }
}
