//! A disk that is full: a tmpfs of two megabytes in a mount namespace of its own.
//!
//! The test starts itself again in the namespace (`unshare` of util-linux); a child that did not play the story to its
//! end fails the test.

use std::env;
use std::process::Command;

use super::*;

/// Where the child finds its little disk.
const DISK: &str = "LGSP_TEST_SMALL_DISK";
const PLAYED: &str = "the disk was full and has room again";

#[test]
fn a_full_disk_refuses_an_object_and_keeps_nothing_of_it() {
    if let Some(disk) = env::var_os(DISK) {
        Runtime::new().unwrap().block_on(fill(PathBuf::from(disk)));
        println!("{PLAYED}");
        return;
    }
    let disk = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=2m tmpfs \"$1\" && exec \"$2\" --exact --nocapture \
                  objects::tests::room::a_full_disk_refuses_an_object_and_keeps_nothing_of_it";
    let child = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(disk.path())
        .arg(env::current_exe().unwrap())
        .env(DISK, disk.path())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr),
    );
    assert!(child.status.success() && out.contains(PLAYED), "{out}\n{err}");
}

async fn fill(root: PathBuf) {
    let settings = ObjectSettings {
        root: root.clone(),
        object_max_bytes: 100_000_000,
    };
    let objects = Objects::open(settings).await.unwrap();
    let kept = write(&objects, 1_000_000).await.unwrap();
    objects.promote(&kept.name, kept.digest).await.unwrap();
    // Three megabytes are noticed while they come, the last part of one and a quarter only at the end.
    for size in [3_000_000, 1_250_000] {
        let full = write(&objects, size).await.unwrap_err();
        assert!(matches!(full, StageError::Full), "{size}: {full}");
        assert!(matches!(UploadError::from(full), UploadError::Full));
        assert_eq!(fs::read_dir(root.join("staging")).unwrap().count(), 0, "{size}");
    }
    let small = write(&objects, 500_000).await.unwrap();
    objects.promote(&small.name, small.digest).await.unwrap();
    for (digest, size) in [(kept.digest, 1_000_000), (small.digest, 500_000)] {
        let (out, ended) = drain(objects.read(digest, size).await.unwrap()).await;
        assert!(ended.is_ok() && out.len() as u64 == size);
    }
}

async fn write(objects: &Objects, size: usize) -> Result<Finished, StageError> {
    let mut staging = objects.stage().await?;
    for part in content(size).chunks(50_000) {
        staging.write(Bytes::copy_from_slice(part)).await?;
    }
    staging.finish().await
}
