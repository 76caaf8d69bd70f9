//! A packet of 200 MB costs the node no memory worth speaking of, in any operation that moves it.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use lgsp_adapters::edxml_vxp::client::MessageType;
use lgsp_adapters::edxml_vxp::client::builder::attachment::{Attachment, Content};
use lgsp_adapters::edxml_vxp::client::source::Source;

use crate::support::{Home, INFORMATION, JUSTICE, Node};

/// Two attachments of this size are 200 MB of base64.
const ATTACHMENT_BYTES: usize = 75_000_000;
const PACKET_BYTES: u64 = 200_000_000;
/// What the three operations together may cost the node, in KiB.
const COST_MAX_KIB: u64 = 64 * 1024;

/// Bytes that no compression and no cache would make less of.
fn attachment(path: PathBuf, seed: u64) -> Content {
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let mut state = seed;
    for _ in 0..ATTACHMENT_BYTES / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
    Content::File(path)
}

fn large_packet(folder: &Path) -> PathBuf {
    let mut letter = INFORMATION.letter("50", &[JUSTICE]);
    letter.attachments = vec![
        Attachment::new("1", "bản vẽ.pdf", attachment(folder.join("1"), 1)),
        Attachment::new("2", "dữ liệu.bin", attachment(folder.join("2"), 2)),
    ];
    let path = folder.join("packet.edxml");
    letter.write(&mut File::create(&path).unwrap()).unwrap();
    assert!(fs::metadata(&path).unwrap().len() >= PACKET_BYTES);
    path
}

/// Takes exactly the bytes of a file, and nothing else.
struct Comparing {
    expected: BufReader<File>,
    piece: Vec<u8>,
}

impl Comparing {
    fn with(path: &Path) -> Self {
        Self {
            expected: BufReader::with_capacity(256 * 1024, File::open(path).unwrap()),
            piece: Vec::new(),
        }
    }

    fn is_at_the_end(&mut self) -> bool {
        self.expected.read(&mut [0]).unwrap() == 0
    }
}

impl Write for Comparing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.resize(bytes.len(), 0);
        self.expected.read_exact(&mut self.piece)?;
        if self.piece == bytes {
            Ok(bytes.len())
        } else {
            Err(io::Error::other("the packet came back changed"))
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
pub(crate) fn two_hundred_megabytes_cross_in_a_few_megabytes_of_memory() {
    let node = Node::start(Home::new());
    let packet = large_packet(node.home().root());
    let size = fs::metadata(&packet).unwrap().len();
    let mut peaks = vec![("at the start", node.vm_hwm_kb())];

    let mut sender = INFORMATION.service(&node);
    let sent = sender.send_edoc(INFORMATION.code, None, MessageType::Edoc, Source::File(&packet));
    sent.unwrap();
    peaks.push(("after sendEdoc", node.vm_hwm_kb()));

    let mut receiver = JUSTICE.service(&node);
    let delivery = receiver.received_list(MessageType::Edoc).unwrap().remove(0).doc_id;
    let mut sink = Comparing::with(&packet);
    let fetched = receiver.get_edoc(&delivery, &mut sink).unwrap();
    assert!(fetched.size_bytes == size && sink.is_at_the_end());
    peaks.push(("after getEdoc", node.vm_hwm_kb()));

    let mut sink = Comparing::with(&packet);
    let fetched = receiver.download_edoc(&delivery, &mut sink).unwrap();
    assert!(fetched.size_bytes == size && sink.is_at_the_end());
    peaks.push(("after downloadEdoc", node.vm_hwm_kb()));

    let cost = peaks[3].1 - peaks[0].1;
    println!("a packet of {size} bytes; VmHWM in KiB: {peaks:?}; in all {cost}");
    assert!(cost < COST_MAX_KIB, "{peaks:?}");
    assert!(receiver.update_status(&delivery, "done").unwrap().is_ok());
}
