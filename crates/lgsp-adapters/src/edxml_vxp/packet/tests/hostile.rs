//! Input that wants to cost much: refused early, quickly, in bounded memory.

use std::time::{Duration, Instant};

use lgsp_types::{ADDRESSEES_MAX, ATTACHMENTS_MAX};

use super::*;

/// Far above what any of these takes (milliseconds), far below what an attack would want.
const QUICK: Duration = Duration::from_secs(5);

/// The code, and how many bytes were read until it was clear.
fn verdict(pieces: impl Iterator<Item = String>) -> (String, u64) {
    let begun = Instant::now();
    let mut reader = PacketReader::new(LIMITS);
    let mut fed = 0;
    for piece in pieces {
        fed += piece.len() as u64;
        if let Err(refusal) = reader.feed(piece.as_bytes()) {
            assert!(begun.elapsed() < QUICK, "{refusal} after {:?}", begun.elapsed());
            assert!(refusal.path.len() < 1000 && refusal.what.len() < 200, "{refusal}");
            return (refusal.code.to_string(), fed);
        }
    }
    let refusals = reader.finish(today()).unwrap_err();
    assert!(begun.elapsed() < QUICK, "{refusals:?} after {:?}", begun.elapsed());
    (refusals[0].code.to_string(), fed)
}

fn many(count: usize, piece: &str) -> impl Iterator<Item = String> {
    std::iter::once("<a>".to_owned()).chain(std::iter::repeat_n(piece.repeat(100), count / 100))
}

fn in_header(count: usize, piece: &str) -> String {
    PLAIN.replace("<Subject>", &format!("{}<Subject>", piece.repeat(count)))
}

#[test]
fn depth_and_number_have_ends_that_are_met_early() {
    for (count, piece, expected, early) in [
        (200_000, "<a>", "XML_TOO_DEEP", 1_000),
        (2_000_000, "<a/>", "XML_TOO_MANY_NODES", 100_000),
        (100_000, "<!---->", "XML_TOO_MANY_NODES", 200_000),
        (100_000, "<?a?>", "XML_TOO_MANY_NODES", 200_000),
        (100_000, "a<b/>", "XML_TOO_MANY_NODES", 200_000),
        (40_000_000, "text", "XML_TEXT_TOO_LONG", 300_000),
        (
            20_000,
            &format!("<a>{}</a>", "b".repeat(1000)),
            "PAYLOAD_TOO_LARGE",
            1_200_000,
        ),
    ] {
        let (code, fed) = verdict(many(count, piece));
        assert!(
            code == expected && fed <= early,
            "{count} times {piece}: {code} after {fed} bytes"
        );
    }
    for endless in ["<a b='", "<!--", "<a><![CDATA[", "<?a "] {
        let (code, fed) = verdict(std::iter::once(endless.to_owned()).chain(many(1_000_000, ">")));
        assert!(
            code == "XML_TEXT_TOO_LONG" && fed <= 300_000,
            "{endless}: {code} after {fed} bytes"
        );
    }
}

#[test]
fn tags_have_ends_too() {
    let attributes: String = (0..50_000)
        .map(|number| format!(" attribute{number}=\"value\""))
        .collect();
    let namespaces: String = (0..20_000)
        .map(|number| format!(" xmlns:n{number}=\"urn:{number}\""))
        .collect();
    let levels: String = (0..40).map(|number| format!("<a xmlns:n{number}='x'>")).collect();
    for (piece, expected) in [
        (format!("<a{attributes}/>"), "XML_TOO_MANY_ATTRIBUTES"),
        (format!("<a{namespaces}/>"), "XML_TOO_MANY_NAMESPACES"),
        (levels, "XML_TOO_MANY_NAMESPACES"),
        (format!("<a {}>", "\"\"".repeat(100_000)), "XML_MALFORMED"),
        (format!("<{}>", "a".repeat(129)), "XML_TEXT_TOO_LONG"),
    ] {
        assert_eq!(verdict(std::iter::once(piece)).0, expected);
    }
}

#[test]
fn the_last_that_may_be_is_borne() {
    let deep = format!("{}{}", "<a>".repeat(60), "</a>".repeat(60));
    assert!(
        read(in_header(1, &deep).as_bytes()).is_ok(),
        "60 levels below the header's four"
    );
    assert_eq!(
        refused(in_header(1, &format!("<a>{deep}</a>")).as_bytes())[0].0,
        "XML_TOO_DEEP"
    );
    let attributes = |count: usize| (0..count).map(|number| format!(" a{number}=''")).collect::<String>();
    assert!(read(in_header(1, &format!("<a{}/>", attributes(64))).as_bytes()).is_ok());
    assert_eq!(
        refused(in_header(1, &format!("<a{}/>", attributes(65))).as_bytes())[0].0,
        "XML_TOO_MANY_ATTRIBUTES"
    );
    let namespaces = |count: usize| {
        (0..count)
            .map(|number| format!(" xmlns:a{number}='b'"))
            .collect::<String>()
    };
    assert!(
        read(in_header(1, &format!("<a{}/>", namespaces(31))).as_bytes()).is_ok(),
        "31 and the root's one"
    );
    assert_eq!(
        refused(in_header(1, &format!("<a{}/>", namespaces(32))).as_bytes())[0].0,
        "XML_TOO_MANY_NAMESPACES"
    );
    let lists = |count: usize| format!("<ToPlaces>{}</ToPlaces>", "<Place>x</Place>".repeat(count));
    assert!(read(in_header(1, &lists(200)).as_bytes()).is_ok());
    assert_eq!(refused(in_header(1, &lists(201)).as_bytes())[0].0, "FIELD_TOO_LONG");
}

#[test]
fn addressees_and_attachments_are_counted_before_anything_else() {
    let to = "<To><OrganId>H62.14</OrganId></To>";
    assert!(read(in_header(ADDRESSEES_MAX - 1, to).as_bytes()).is_ok());
    assert_eq!(
        refused(in_header(ADDRESSEES_MAX, to).as_bytes())[0].0,
        "TOO_MANY_ADDRESSEES"
    );
    assert_eq!(verdict([in_header(10_000, to)].into_iter()).0, "TOO_MANY_ADDRESSEES");
    let parts = |count: usize| "<ContentTransferEncoded/>".repeat(count);
    assert_eq!(
        refused(in_header(1, &parts(ATTACHMENTS_MAX + 1)).as_bytes())[0].0,
        "TOO_MANY_ATTACHMENTS"
    );
    let attachment = "<Attachment/>".repeat(ATTACHMENTS_MAX);
    let crowd = PLAIN.replace("</AttachmentEncoded>", &format!("{attachment}</AttachmentEncoded>"));
    assert_eq!(refused(crowd.as_bytes())[0].0, "TOO_MANY_ATTACHMENTS");
    let references = "<Reference/>".repeat(ATTACHMENTS_MAX);
    let crowd = PLAIN.replace("</edXMLManifest>", &format!("{references}</edXMLManifest>"));
    assert_eq!(refused(crowd.as_bytes())[0].0, "TOO_MANY_ATTACHMENTS");
}

#[test]
fn two_hundred_full_addressees_fit_the_payload() {
    let organ = sample("document_new");
    let organ = std::str::from_utf8(&organ).unwrap();
    let from = organ.find("<edXML:To>").unwrap();
    let to = organ.find("</edXML:To>").unwrap() + "</edXML:To>\r\n        ".len();
    let full = format!(
        "{}{}{}",
        &organ[..from],
        organ[from..to].repeat(ADDRESSEES_MAX),
        &organ[to..]
    );
    let packet = read(full.as_bytes()).unwrap();
    assert_eq!(packet.to().len(), ADDRESSEES_MAX);
    let long = format!("<X>{}</X>", "x".repeat(250_000));
    let refusals = read(full.replace("<edXML:Code>", &format!("{long}<edXML:Code>")).as_bytes()).unwrap_err();
    assert_eq!(refusals[0].code.as_str(), "PAYLOAD_TOO_LARGE");
}

#[test]
fn findings_have_an_end_too() {
    let wrong = in_header(150, "<To><OrganId>?</OrganId></To>");
    assert_eq!(read(wrong.as_bytes()).unwrap_err().len(), 100);
}

#[test]
fn a_packet_beyond_the_operators_limit_is_refused_at_that_byte() {
    for size in [1, 7, 5000] {
        let limit = u64::try_from(PLAIN.len()).unwrap() - 1;
        let mut reader = PacketReader::new(Limits {
            packet_bytes_max: limit,
        });
        let refusal = PLAIN
            .as_bytes()
            .chunks(size)
            .find_map(|chunk| reader.feed(chunk).err())
            .unwrap();
        assert_eq!(refusal.code.as_str(), "BODY_TOO_LARGE");
    }
}

#[test]
fn base64_of_any_size_goes_by_and_its_digest_is_right() {
    // 32 MiB in one line, fed in chunks that fall on no border of anything.
    let (before, behind) = PLAIN.split_once("JVBERi0xLjQK").unwrap();
    let block = "QUJD".repeat(16 * 1024 + 1);
    let count = 512;
    let mut reader = PacketReader::new(LIMITS);
    reader.feed(before.as_bytes()).unwrap();
    for _ in 0..count {
        reader.feed(block.as_bytes()).unwrap();
    }
    reader.feed(behind.as_bytes()).unwrap();
    let packet = reader.finish(today()).unwrap();
    let decoded = "ABC".repeat((16 * 1024 + 1) * count);
    let part = &packet.parts()[0];
    assert_eq!(
        (part.size_bytes, part.digest),
        (decoded.len() as u64, lgsp_types::Digest::of(decoded.as_bytes()))
    );
    assert_eq!(part.range.end - part.range.start, (block.len() * count) as u64);
}
