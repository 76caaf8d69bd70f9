//! The documents of the play, written as a department's software writes them.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use lgsp_adapters::edxml_vxp::client::builder::attachment::{Attachment, Content};
use lgsp_adapters::edxml_vxp::client::builder::{DocumentPacket, Organ, ResponseFor, Signer, StatusPacket};

use super::cast::System;

/// Size of the large attachment, in bytes.
pub(super) const LARGE_BYTES: usize = 30 * 1024 * 1024;

/// A document of today.
pub(super) fn document(from: &System, to: &[&System], number: &str, notation: &str, today: DateTime) -> DocumentPacket {
    DocumentPacket {
        from: Organ::new(&from.agency, from.name),
        to: to
            .iter()
            .map(|system| Organ::new(&system.agency, system.name))
            .collect(),
        number: number.to_owned(),
        notation: notation.to_owned(),
        place: "Phú Thọ".to_owned(),
        date: today.strftime("%Y/%m/%d").to_string(),
        type_name: "Công văn".to_owned(),
        subject: "V/v triển khai nền tảng tích hợp, chia sẻ dữ liệu của tỉnh".to_owned(),
        signer: Signer {
            competence: "KT. GIÁM ĐỐC".to_owned(),
            position: "Phó Giám đốc".to_owned(),
            full_name: "Người Ký Mẫu".to_owned(),
        },
        ..DocumentPacket::default()
    }
}

/// A status about a document, as the receiver's software sends it.
pub(super) fn status(from: &System, about: ResponseFor, code: &str, description: &str, now: DateTime) -> StatusPacket {
    StatusPacket {
        from: Organ::new(&from.agency, from.name),
        response_for: about,
        status_code: code.to_owned(),
        description: description.to_owned(),
        timestamp: now.strftime("%Y/%m/%d %H:%M:%S").to_string(),
        ..StatusPacket::default()
    }
}

/// A small true PDF of one page.
pub(super) fn letter() -> Attachment {
    Attachment::new(
        "1",
        "cong-van.pdf",
        Content::Bytes(pdf("Cong van ve nen tang tich hop, chia se du lieu", b"")),
    )
}

/// A PDF with 30 MB in it: the scanned annex that every province knows.
pub(super) fn annex(folder: &Path) -> io::Result<Attachment> {
    let path = folder.join("phu-luc.pdf");
    let mut noise = vec![0; LARGE_BYTES];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for chunk in noise.chunks_exact_mut(8) {
        // xorshift64: bytes that do not compress, the same every time.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes());
    }
    File::create(&path)?.write_all(&pdf("Phu luc", &noise))?;
    Ok(Attachment::new("2", "phu-luc.pdf", Content::File(path)))
}

/// A PDF of one page with one line of ASCII text and a stream of any bytes.
fn pdf(text: &str, stream: &[u8]) -> Vec<u8> {
    let page = format!("BT /F1 12 Tf 72 770 Td ({text}) Tj ET");
    let objects: [Vec<u8>; 6] = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>".to_vec(),
        stream_object(page.as_bytes()),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_vec(),
        stream_object(stream),
    ];
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut places = String::new();
    for (at, object) in objects.iter().enumerate() {
        places.push_str(&format!("{:010} 00000 n \n", out.len()));
        out.extend_from_slice(format!("{} 0 obj\n", at + 1).as_bytes());
        out.extend_from_slice(object);
        out.extend_from_slice(b"\nendobj\n");
    }
    let start = out.len();
    let count = objects.len() + 1;
    out.extend_from_slice(format!("xref\n0 {count}\n0000000000 65535 f \n{places}").as_bytes());
    out.extend_from_slice(format!("trailer<</Size {count}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n").as_bytes());
    out
}

fn stream_object(bytes: &[u8]) -> Vec<u8> {
    let mut object = format!("<</Length {}>>\nstream\n", bytes.len()).into_bytes();
    object.extend_from_slice(bytes);
    object.extend_from_slice(b"\nendstream");
    object
}

/// Writes a packet to a file, as the vendor's library does before it sends.
pub(super) fn save(folder: &Path, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<PathBuf> {
    let path = folder.join(name);
    write(&mut File::create(&path)?)?;
    Ok(path)
}
