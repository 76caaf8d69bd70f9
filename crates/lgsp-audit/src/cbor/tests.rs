//! One meaning has one spelling, and every other spelling is refused.

use proptest::prelude::*;

use super::*;
use crate::bound::Bound;

/// Any item that deterministic CBOR of our kind can hold.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Uint(u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Item>),
    Map(Vec<(u64, Item)>),
}

fn write(item: &Item, out: &mut Encoder) {
    match item {
        Item::Uint(value) => out.uint(*value),
        Item::Bytes(bytes) => out.bytes(bytes),
        Item::Text(text) => out.text(text),
        Item::Array(items) => {
            out.array(items.len());
            items.iter().for_each(|item| write(item, out));
        }
        Item::Map(pairs) => {
            out.map(pairs.len());
            for (key, value) in pairs {
                out.uint(*key);
                write(value, out);
            }
        }
    }
}

fn written(item: &Item) -> Vec<u8> {
    let mut out = Encoder::default();
    write(item, &mut out);
    out.into_bytes()
}

fn item(from: &mut Decoder<'_>) -> Result<Item, Malformed> {
    match from.rest.first().map_or(UINT, |first| first >> 5) {
        BYTES => from.bytes().map(|bytes| Item::Bytes(bytes.to_vec())),
        TEXT => from.text().map(|text| Item::Text(text.to_owned())),
        ARRAY => from.list(Bound::new("items", 0, 1_000), item).map(Item::Array),
        MAP => {
            let mut keys = from.map()?;
            let mut pairs = Vec::new();
            while let Some(key) = keys.next(from)? {
                pairs.push((key, item(from)?));
            }
            Ok(Item::Map(pairs))
        }
        _ => from.uint().map(Item::Uint),
    }
}

fn read(bytes: &[u8]) -> Result<Item, Malformed> {
    let mut from = Decoder::new(bytes);
    let item = item(&mut from)?;
    from.end().map(|()| item)
}

fn any_item() -> impl Strategy<Value = Item> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Item::Uint),
        (0u32..64).prop_map(|shift| Item::Uint(1 << shift)),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Item::Bytes),
        ".{0,12}".prop_map(Item::Text),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Item::Array),
            prop::collection::btree_map(any::<u64>(), inner, 0..8)
                .prop_map(|pairs| Item::Map(pairs.into_iter().collect())),
        ]
    })
}

#[test]
fn heads_are_those_of_the_rfc() {
    // RFC 8949, appendix A.
    for (value, bytes) in [
        (0u64, &[0u8][..]),
        (23, &[0x17]),
        (24, &[0x18, 0x18]),
        (100, &[0x18, 0x64]),
        (1_000, &[0x19, 0x03, 0xe8]),
        (1_000_000, &[0x1a, 0x00, 0x0f, 0x42, 0x40]),
        (u64::MAX, &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ] {
        assert_eq!(written(&Item::Uint(value)), bytes);
    }
    assert_eq!(written(&Item::Text("ü".into())), [0x62, 0xc3, 0xbc]);
    assert_eq!(written(&Item::Map(vec![])), [0xa0]);
}

#[test]
fn every_other_form_is_refused() {
    for (bytes, why) in [
        (&[0x18u8, 0x17][..], "a number is not in its shortest form"),
        (&[0x19, 0x00, 0xff], "a number is not in its shortest form"),
        (&[0x1a, 0, 0, 0xff, 0xff], "a number is not in its shortest form"),
        (
            &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            "a number is not in its shortest form",
        ),
        (&[0x58, 0x01, 0x00], "a number is not in its shortest form"),
        (&[0x9f, 0xff], "a length is indefinite or reserved"),
        (&[0x5f, 0x41, 0x00, 0xff], "a length is indefinite or reserved"),
        (&[0x1c], "a length is indefinite or reserved"),
        (&[0x20], "is no unsigned integer"),
        (&[0xc0, 0x00], "is no unsigned integer"),
        (&[0xf4], "is no unsigned integer"),
        (&[0xf9, 0x3c, 0x00], "is no unsigned integer"),
        (&[0xa2, 0x02, 0x00, 0x01, 0x00], "keys do not ascend"),
        (&[0xa2, 0x01, 0x00, 0x01, 0x00], "keys do not ascend"),
        (&[0xa1, 0x61, 0x61, 0x00], "is no unsigned integer"),
        (&[0x61, 0xff], "a text is not UTF-8"),
        (&[0x00, 0x00], "something follows"),
        (&[0x42, 0x00], "ends early"),
        (&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "ends early"),
        (&[], "ends early"),
    ] {
        assert_eq!(read(bytes).map_err(|error| error.what), Err(why), "{bytes:02x?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(item in any_item()) {
        prop_assert_eq!(read(&written(&item)), Ok(item));
    }

    #[test]
    fn what_reads_has_no_other_spelling(item in any_item(), at: prop::sample::Index, to: u8) {
        let mut bytes = written(&item);
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(other) = read(&bytes) {
            prop_assert_eq!(written(&other), bytes);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(item) = read(&bytes) {
            prop_assert_eq!(written(&item), bytes);
        }
    }
}
