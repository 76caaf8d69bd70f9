//! What a packet is does not depend on how its bytes arrive, and no bytes bring the reader down.

use proptest::prelude::*;

use super::*;

const SAMPLES: [&str; 6] = [
    "document_new",
    "document_placeholder",
    "document_replacement",
    "document_revocation",
    "status_01_inbox",
    "status_13_take_back",
];

/// What markup and base64 are made of, and what they must not be made of.
const SPLINTERS: [&[u8]; 32] = [
    b"<",
    b">",
    b"/>",
    b"</",
    b"\"",
    b"'",
    b"=",
    b"&",
    b";",
    b"&#13;",
    b"&#0;",
    b"&amp;",
    b"<!--",
    b"-->",
    b"--",
    b"<![CDATA[",
    b"]]>",
    b"]",
    b"<?x",
    b"?>",
    b"<!DOCTYPE",
    b"<ContentTransferEncoded>",
    b"</ContentTransferEncoded>",
    b"<e:ContentTransferEncoded/>",
    b" xmlns:e='x'",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc4",
    b"\0",
    b"\r\n",
    b"QUJD",
    b"=====",
];

fn chunked(bytes: &[u8], sizes: &[usize]) -> Result<Packet, Vec<Refusal>> {
    let mut reader = PacketReader::new(LIMITS);
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, tail) = rest.split_at((*size).min(rest.len()));
        rest = tail;
        if reader.feed(chunk).is_err() {
            break;
        }
    }
    reader.finish(today())
}

#[test]
fn every_sample_is_the_same_in_chunks_of_any_size() {
    for name in SAMPLES {
        let bytes = sample(name);
        let whole = read_in(&bytes, bytes.len());
        for size in [1, 2, 3, 5, 64, 1001] {
            assert_eq!(read_in(&bytes, size), whole, "{name} by {size}");
        }
    }
}

/// One change: where, how much is dropped there, what is put there.
type Change = (prop::sample::Index, usize, usize);

fn changed(name: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = sample(name);
    for (place, dropped, splinter) in changes {
        let at = place.index(bytes.len() + 1);
        let end = (at + dropped).min(bytes.len());
        bytes.splice(at..end, SPLINTERS[splinter % SPLINTERS.len()].iter().copied());
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..30usize, 0..SPLINTERS.len()), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_packet_ends_in_a_packet_or_in_refusals_the_same_however_it_is_split(
        name in prop::sample::select(&SAMPLES[..]), changes in changes(), sizes in prop::collection::vec(1..300usize, 1..5),
    ) {
        let bytes = changed(name, &changes);
        let whole = read_in(&bytes, bytes.len());
        if let Err(refusals) = &whole {
            prop_assert!(!refusals.is_empty());
            prop_assert!(refusals.iter().all(|refusal| refusal.path.starts_with('/') && !refusal.mend.is_empty()));
        }
        prop_assert_eq!(chunked(&bytes, &sizes), whole);
    }

    #[test]
    fn splinters_alone_harm_nobody(splinters in prop::collection::vec(0..SPLINTERS.len(), 0..60), size in 1..9usize) {
        let bytes: Vec<u8> = splinters.iter().flat_map(|splinter| SPLINTERS[*splinter]).copied().collect();
        prop_assert_eq!(read_in(&bytes, size), read_in(&bytes, bytes.len().max(1)));
    }
}
