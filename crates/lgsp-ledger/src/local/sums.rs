//! The sums that a local ledger keeps beside its records, its heads and its manifest: SHA-256 each.

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

/// A SHA-256.
pub(super) type Sum = [u8; SHA256_OUTPUT_LEN];

/// Stands in a head for the sum of the last record while there is none.
pub(super) const NO_RECORD: Sum = [0; SHA256_OUTPUT_LEN];

/// SHA-256(u64be append_ms ‖ record), exchange.md section 7.
pub(super) fn of_record(append_ms: u64, record: &[u8]) -> Sum {
    sum(&[&append_ms.to_be_bytes(), record])
}

/// Binds a partition to its end and to its last record, so that a lost tail or a swapped partition shows.
pub(super) fn of_head(partition: u32, next: u64, last_record: &Sum) -> Sum {
    sum(&[
        b"lgsp/ledger/head/1",
        &partition.to_be_bytes(),
        &next.to_be_bytes(),
        last_record,
    ])
}

/// Over everything that the manifest says.
pub(super) fn of_manifest(format: i64, partitions: i64, created_ms: i64, name: &[u8]) -> Sum {
    let parts = [format.to_be_bytes(), partitions.to_be_bytes(), created_ms.to_be_bytes()];
    sum(&[b"lgsp/ledger/manifest/1", parts.as_flattened(), name])
}

fn sum(parts: &[&[u8]]) -> Sum {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut sum = NO_RECORD;
    // SHA-256 always gives 32 bytes; `zip` says so without a way to panic.
    for (to, from) in sum.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    sum
}
