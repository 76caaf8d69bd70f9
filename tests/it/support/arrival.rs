//! The wait for a file that another process writes, woken by the kernel.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// Whether somebody has written and closed this file within the limit.
pub(crate) fn arrives(path: &Path, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(
        &watch,
        path.parent().unwrap(),
        WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO,
    )
    .unwrap();
    loop {
        if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
            return true;
        }
        let Some(left) = deadline.checked_duration_since(Instant::now()) else {
            return false;
        };
        let left = Timespec::try_from(left).unwrap();
        poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&left)).unwrap();
        // Which file it was does not matter: all are looked at again.
        let mut events = [0; 4096];
        while rustix::io::read(&watch, &mut events).is_ok_and(|read| read > 0) {}
    }
}
