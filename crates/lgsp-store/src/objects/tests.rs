//! Objects come in whole or not at all, and go out right or not to the end.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt as _;
use lgsp_types::{Attachment, ContentError, ContentStream, Digest, ObjectReader, Role, UploadError};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;

mod room;

const LIMIT_BYTES: usize = 2_000_000;
const LIMIT: u64 = LIMIT_BYTES as u64;
const CHUNK: usize = 256 * 1024;

struct Bench {
    root: TempDir,
    objects: Objects,
}

impl Bench {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let settings = ObjectSettings {
            root: root.path().to_owned(),
            object_max_bytes: LIMIT,
        };
        let objects = Objects::open(settings).await.unwrap();
        Self { root, objects }
    }

    /// Uploads in chunks of this size.
    async fn stage(&self, content: &[u8], chunk: usize) -> Finished {
        let mut staging = self.objects.stage().await.unwrap();
        for part in content.chunks(chunk) {
            staging.write(Bytes::copy_from_slice(part)).await.unwrap();
        }
        staging.finish().await.unwrap()
    }

    async fn keep(&self, content: &[u8]) -> Digest {
        let finished = self.stage(content, 100_000).await;
        self.objects.promote(&finished.name, finished.digest).await.unwrap();
        finished.digest
    }

    fn staged(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root.path().join("staging")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.path().join("objects").join(&name[..2]).join(name)
    }
}

fn content(size: usize) -> Vec<u8> {
    (0..=250).cycle().step_by(31).take(size).collect()
}

/// What came out, and how it ended.
async fn drain(mut stream: ContentStream) -> (Vec<u8>, Result<(), ContentError>) {
    let mut out = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => out.extend_from_slice(&chunk),
            Err(error) => {
                assert!(stream.next().await.is_none(), "an error is the end");
                return (out, Err(error));
            }
        }
    }
    (out, Ok(()))
}

#[tokio::test]
async fn what_went_in_comes_out() {
    let bench = Bench::new().await;
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7] {
        let content = content(size);
        let finished = bench.stage(&content, 70_001).await;
        assert_eq!(
            (finished.size_bytes, finished.digest),
            (size as u64, Digest::of(&content)),
            "{size}"
        );
        assert!(
            !bench.objects.contains(finished.digest).await.unwrap(),
            "not before it is promoted"
        );
        bench.objects.promote(&finished.name, finished.digest).await.unwrap();
        assert!(bench.objects.contains(finished.digest).await.unwrap());
        let stream = bench.objects.read(finished.digest, size as u64).await.unwrap();
        let (out, ended) = drain(stream).await;
        assert!(ended.is_ok() && out == content, "{size}");
    }
    assert!(bench.staged().is_empty());
}

#[tokio::test]
async fn an_adapter_reads_an_attachment_in_chunks_of_bounded_size() {
    let bench = Bench::new().await;
    let content = content(1_000_000);
    let digest = bench.keep(&content).await;
    let attachment = Attachment {
        role: Role::Attachment,
        name: String::from("../../etc/passwd"),
        media_type: String::from("application/pdf"),
        size_bytes: content.len() as u64,
        digest,
    };
    let reader: &dyn ObjectReader = &bench.objects;
    let sizes: Vec<usize> = reader
        .read(&attachment)
        .await
        .unwrap()
        .map(|chunk| chunk.unwrap().len())
        .collect()
        .await;
    assert_eq!(sizes, [CHUNK, CHUNK, CHUNK, content.len() - 3 * CHUNK]);
}

#[tokio::test]
async fn a_flipped_bit_is_told_before_the_last_chunk() {
    let bench = Bench::new().await;
    let content = content(3 * CHUNK + 100);
    let digest = bench.keep(&content).await;
    let size = content.len() as u64;
    for at in [0, CHUNK, 2 * CHUNK + 5, content.len() - 1] {
        let file = File::options().write(true).open(bench.path(digest)).unwrap();
        file.write_all_at(&[content[at] ^ 0x10], at as u64).unwrap();
        let (out, ended) = drain(bench.objects.read(digest, size).await.unwrap()).await;
        assert!(
            matches!(ended, Err(ContentError::Damaged { digest: told }) if told == digest),
            "{at}"
        );
        assert!(out.len() <= 3 * CHUNK, "the last chunk is held back");
        file.write_all_at(&content[at..=at], at as u64).unwrap();
    }
    assert!(drain(bench.objects.read(digest, size).await.unwrap()).await.1.is_ok());
}

#[tokio::test]
async fn an_object_that_is_cut_longer_or_gone_is_told() {
    let bench = Bench::new().await;
    let content = content(2 * CHUNK);
    let (digest, size) = (bench.keep(&content).await, content.len() as u64);
    let file = File::options().write(true).open(bench.path(digest)).unwrap();
    for wrong in [size - 1, size + 1, 0] {
        file.set_len(wrong).unwrap();
        let error = bench.objects.read(digest, size).await.err().unwrap();
        assert!(matches!(error, ContentError::Damaged { .. }), "{wrong}");
    }
    file.set_len(size).unwrap();
    file.write_all_at(&content, 0).unwrap();
    for wrong in [size - 1, size / 2, size + 1] {
        let stream = bench.objects.read(digest, size).await.unwrap();
        file.set_len(wrong).unwrap();
        let (out, ended) = drain(stream).await;
        assert!(
            matches!(ended, Err(ContentError::Damaged { .. })),
            "{wrong}: changed while it is read"
        );
        assert!((out.len() as u64) < size);
        file.set_len(size).unwrap();
        file.write_all_at(&content, 0).unwrap();
    }
    let nothing = bench.objects.read(Digest::of(b"never kept"), 10).await.err().unwrap();
    assert!(matches!(nothing, ContentError::Unreadable { .. }));
}

#[tokio::test]
async fn an_object_that_is_too_large_leaves_nothing() {
    let bench = Bench::new().await;
    let mut staging = bench.objects.stage().await.unwrap();
    for _ in 0..LIMIT / 100_000 {
        staging.write(Bytes::from(vec![7; 100_000])).await.unwrap();
    }
    let error = staging.write(Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(error, StageError::TooLarge { limit_bytes: LIMIT }));
    assert!(matches!(
        UploadError::from(error),
        UploadError::TooLarge { limit_bytes: LIMIT }
    ));
    assert!(matches!(
        staging.write(Bytes::from_static(b"x")).await,
        Err(StageError::Ended)
    ));
    assert!(matches!(staging.finish().await, Err(StageError::Ended)));
    let exact = bench.stage(&vec![7; LIMIT_BYTES], 65_536).await;
    assert_eq!(exact.size_bytes, LIMIT);
}

/// The runtime's end waits for, or drops, whatever still writes.
#[test]
fn an_upload_that_is_dropped_leaves_nothing() {
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(async {
        let bench = Bench::new().await;
        for size in [0, 10, CHUNK, 3 * CHUNK] {
            let mut staging = bench.objects.stage().await.unwrap();
            staging.write(Bytes::from(vec![1; size])).await.unwrap();
            drop(staging);
        }
        let mut too_large = bench.objects.stage().await.unwrap();
        too_large
            .write(Bytes::from(vec![1; LIMIT_BYTES + 1]))
            .await
            .unwrap_err();
        bench
    });
    drop(runtime);
    assert!(bench.staged().is_empty(), "{:?}", bench.staged());
}

#[tokio::test]
async fn only_a_finished_upload_of_the_right_digest_is_promoted() {
    let bench = Bench::new().await;
    let mut unfinished = bench.objects.stage().await.unwrap();
    unfinished.write(Bytes::from_static(b"half")).await.unwrap();
    let random = bench.staged()[0].file_name().unwrap().to_str().unwrap().to_owned();
    let half = Digest::of(b"half");
    let finished = bench.stage(b"whole", 10).await;
    fs::write(bench.root.path().join("secret"), b"half").unwrap();
    for name in [
        random.clone(),
        format!("{random}-{half}"),
        finished.name.to_uppercase(),
        String::from("../secret"),
        format!("../staging/{}", finished.name),
        String::new(),
    ] {
        let refused = bench.objects.promote(&name, half).await;
        assert!(matches!(refused, Err(ObjectError::NoSuchUpload)), "{name}");
        bench.objects.discard(&name).await;
    }
    assert!(matches!(
        bench.objects.promote(&finished.name, half).await,
        Err(ObjectError::NoSuchUpload)
    ));
    assert!(!bench.objects.contains(half).await.unwrap());
    assert!(bench.root.path().join("secret").exists());
    assert_eq!(bench.staged().len(), 2, "nothing was discarded by a name that is none");
    bench.objects.discard(&finished.name).await;
    bench.objects.discard(&finished.name).await;
    assert_eq!(bench.staged().len(), 1);
}

#[tokio::test]
async fn an_object_that_is_there_is_promoted_again_and_so_mended() {
    let bench = Bench::new().await;
    let first = bench.stage(b"the same", 10).await;
    bench.objects.promote(&first.name, first.digest).await.unwrap();
    bench.objects.promote(&first.name, first.digest).await.unwrap();
    fs::write(bench.path(first.digest), b"damaged!").unwrap();
    let second = bench.stage(b"the same", 10).await;
    assert_ne!(second.name, first.name);
    bench.objects.promote(&second.name, second.digest).await.unwrap();
    let (out, ended) = drain(bench.objects.read(first.digest, 8).await.unwrap()).await;
    assert!(ended.is_ok() && out == b"the same");
    let mode = fs::metadata(bench.path(first.digest)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn old_uploads_are_swept_and_nothing_else() {
    let bench = Bench::new().await;
    let kept = bench.keep(b"kept").await;
    let (old, new) = (bench.stage(b"old", 10).await, bench.stage(b"new", 10).await);
    let mut begun = bench.objects.stage().await.unwrap();
    begun.write(Bytes::from_static(b"begun")).await.unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let folder = bench.root.path().join("staging");
    fs::write(folder.join("README"), b"not ours").unwrap();
    for staged in bench.staged() {
        if !staged.ends_with(&new.name) {
            File::options()
                .write(true)
                .open(staged)
                .unwrap()
                .set_modified(long_ago)
                .unwrap();
        }
    }
    let day = Duration::from_secs(24 * 3_600);
    assert_eq!(bench.objects.sweep(day).await.unwrap(), 2);
    let mut left: Vec<_> = bench
        .staged()
        .into_iter()
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    left.sort();
    let mut expected = [new.name.as_str(), "README"];
    expected.sort_unstable();
    assert_eq!(left, expected);
    assert!(bench.objects.contains(kept).await.unwrap());
    let gone = bench.objects.promote(&old.name, old.digest).await;
    assert!(matches!(gone, Err(ObjectError::NoSuchUpload)));
    assert!(begun.finish().await.is_err(), "who took a day finds it gone");
    assert_eq!(bench.objects.sweep(Duration::ZERO).await.unwrap(), 1);
}

#[tokio::test]
async fn two_nodes_on_one_folder_are_in_nobodys_way() {
    let (bench, other) = (Bench::new().await, Bench::new().await);
    let settings = ObjectSettings {
        root: bench.root.path().to_owned(),
        object_max_bytes: LIMIT,
    };
    let other = Bench {
        objects: Objects::open(settings).await.unwrap(),
        ..other
    };
    let content = content(CHUNK + 1);
    let (one, two) = tokio::join!(bench.stage(&content, CHUNK), other.stage(&content, 1_000));
    assert_eq!((one.digest, bench.staged().len()), (two.digest, 2));
    // What the other is at is fresh, whoever sweeps.
    let mut coming = other.objects.stage().await.unwrap();
    coming.write(Bytes::from_static(b"half")).await.unwrap();
    assert_eq!(bench.objects.sweep(Duration::from_hours(1)).await.unwrap(), 0);
    let (first, second) = tokio::join!(
        bench.objects.promote(&one.name, one.digest),
        other.objects.promote(&two.name, two.digest)
    );
    first.unwrap();
    second.unwrap();
    let kept = bench.keep(b"kept by one").await;
    assert!(other.objects.contains(kept).await.unwrap());
    // What was left by a node that is gone is swept once, by whichever comes first.
    drop(coming.finish().await.unwrap());
    let (ours, theirs) = tokio::join!(bench.objects.sweep(Duration::ZERO), other.objects.sweep(Duration::ZERO));
    assert_eq!(ours.unwrap() + theirs.unwrap(), 1);
    let stream = other.objects.read(one.digest, content.len() as u64).await.unwrap();
    let (out, ended) = drain(stream).await;
    assert!(ended.is_ok() && out == content);
}

#[tokio::test]
async fn all_objects_are_listed_by_their_first_byte() {
    let bench = Bench::new().await;
    let mut kept = Vec::new();
    for number in 0..40_u8 {
        kept.push(bench.keep(&[number]).await);
    }
    kept.sort_unstable();
    fs::write(bench.path(kept[0]).with_file_name("note"), b"not ours").unwrap();
    let mut listed = Vec::new();
    for first in 0..=255 {
        listed.extend(bench.objects.digests(first).await.unwrap());
    }
    assert_eq!(listed, kept);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn however_it_is_cut_an_object_comes_out_as_it_went_in_and_a_flip_is_found(
        size in 0_usize..900_000, chunk in 1_000_usize..700_000, flip in any::<(usize, u8)>(),
    ) {
        let content = content(size);
        Runtime::new().unwrap().block_on(async {
            let bench = Bench::new().await;
            let finished = bench.stage(&content, chunk).await;
            assert_eq!(finished.digest, Digest::of(&content));
            bench.objects.promote(&finished.name, finished.digest).await.unwrap();
            let (out, ended) = drain(bench.objects.read(finished.digest, size as u64).await.unwrap()).await;
            assert!(ended.is_ok() && out == content);
            if let Some(byte) = content.get(flip.0 % size.max(1)) {
                let at = (flip.0 % size) as u64;
                let file = File::options().write(true).open(bench.path(finished.digest)).unwrap();
                file.write_all_at(&[byte ^ (1 << (flip.1 % 8))], at).unwrap();
                let (out, ended) = drain(bench.objects.read(finished.digest, size as u64).await.unwrap()).await;
                assert!(matches!(ended, Err(ContentError::Damaged { .. })) && out.len() < size);
            }
        });
    }
}
