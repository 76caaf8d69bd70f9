//! What this process uses, as the kernel counts it (proc(5)).

use std::fs;

use rustix::param;

/// What the process uses; zero where the kernel does not say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) resident_bytes: u64,
    /// Of all threads, in user and kernel mode.
    pub(super) processor_seconds: f64,
    pub(super) open_files: u64,
}

pub(super) fn used() -> Used {
    let resident_pages = fs::read_to_string("/proc/self/statm").ok();
    let resident_pages = resident_pages.and_then(|statm| statm.split(' ').nth(1)?.parse::<u64>().ok());
    let page_bytes = u64::try_from(param::page_size()).unwrap_or(0);
    let files = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    Used {
        resident_bytes: resident_pages.unwrap_or(0).saturating_mul(page_bytes),
        processor_seconds: ticks().unwrap_or(0.0) / ticks_per_second(),
        open_files: u64::try_from(files).unwrap_or(u64::MAX),
    }
}

/// Fields 14 and 15 of /proc/self/stat; the name of the program before them may hold anything but `)` at its end.
fn ticks() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let kernel: f64 = fields.next()?.parse().ok()?;
    Some(user + kernel)
}

fn ticks_per_second() -> f64 {
    let ticks = u32::try_from(param::clock_ticks_per_second()).unwrap_or(100);
    f64::from(ticks.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_uses_memory_time_and_files() {
        let before = used();
        assert!(
            before.resident_bytes > 1_000_000 && before.open_files >= 3,
            "{before:?}"
        );
        let mut sum = 0_u64;
        while used().processor_seconds <= before.processor_seconds {
            sum = sum.wrapping_add((0..1_000_000).fold(0, u64::wrapping_add));
        }
        assert_ne!(sum, 1);
    }
}
