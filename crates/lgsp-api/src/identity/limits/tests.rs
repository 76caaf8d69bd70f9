use proptest::prelude::*;

use super::*;

const SETTINGS: LimitSettings = LimitSettings {
    calls_per_second: 10,
    calls_burst: 3,
    bytes_in_flight_max: 100,
    node_bytes_in_flight_max: 250,
    streams_max: 2,
    node_streams_max: 3,
};

fn who(name: &str) -> Who {
    Who::parse(&format!("system/{name}")).unwrap()
}

#[test]
fn calls_beyond_the_burst_are_told_when_they_would_pass_and_then_do() {
    let (limits, start) = (Limits::new(SETTINGS), Instant::now());
    for _ in 0..3 {
        limits.call(&who("a"), start).unwrap();
    }
    let error = limits.call(&who("a"), start).unwrap_err();
    let (code, retry_after) = (LIMIT_RATE, Duration::from_millis(100));
    assert_eq!(error, LimitError::Busy { code, retry_after });
    limits.call(&who("b"), start).unwrap();
    assert!(
        limits
            .call(&who("a"), start + retry_after - Duration::from_micros(1))
            .is_err()
    );
    limits.call(&who("a"), start + retry_after).unwrap();
    assert!(limits.call(&who("a"), start + retry_after).is_err());
}

#[test]
fn bytes_are_bounded_per_caller_and_per_node_and_come_back() {
    let (limits, now) = (Limits::new(SETTINGS), Instant::now());
    let first = limits.bytes(&who("a"), 100, now).unwrap();
    assert_eq!(limits.bytes(&who("a"), 1, now).unwrap_err(), busy(LIMIT_BYTES));
    let second = limits.bytes(&who("b"), 100, now).unwrap();
    assert_eq!(limits.bytes(&who("c"), 51, now).unwrap_err(), busy(NODE_BUSY));
    let third = limits.bytes(&who("c"), 50, now).unwrap();
    drop((first, second));
    limits.bytes(&who("a"), 100, now).unwrap();
    drop(third);
    let (code, max_bytes) = (LIMIT_BYTES, 100);
    assert_eq!(
        limits.bytes(&who("a"), 101, now).unwrap_err(),
        LimitError::Never { code, max_bytes }
    );
    assert_eq!(limits.books().bytes, 0);
}

#[test]
fn streams_are_bounded_per_caller_and_per_node_and_come_back() {
    let (limits, now) = (Limits::new(SETTINGS), Instant::now());
    let held = (
        limits.stream(&who("a"), now).unwrap(),
        limits.stream(&who("a"), now).unwrap(),
    );
    assert_eq!(limits.stream(&who("a"), now).unwrap_err(), busy(LIMIT_STREAMS));
    let other = limits.stream(&who("b"), now).unwrap();
    assert_eq!(limits.stream(&who("b"), now).unwrap_err(), busy(NODE_BUSY));
    drop(held);
    limits.stream(&who("b"), now).unwrap();
    drop(other);
}

#[test]
fn accounts_have_a_bound_and_only_those_at_their_start_are_forgotten() {
    let (limits, start) = (Limits::new(SETTINGS), Instant::now());
    let open = limits.stream(&who("open"), start).unwrap();
    for at in 1..ACCOUNTS_MAX {
        limits.call(&who(&at.to_string()), start).unwrap();
    }
    assert_eq!(limits.call(&who("new"), start), Err(busy(NODE_BUSY)));
    limits.call(&who("1"), start).unwrap();
    // After 0.1 s every bucket of one call is full again, that of two is not.
    let later = start + Duration::from_millis(100);
    limits.call(&who("new"), later).unwrap();
    let known = |name| limits.books().accounts.contains_key(&who(name));
    assert!(known("open") && known("1") && known("new") && !known("2"));
    drop(open);
}

proptest! {
    #[test]
    fn nobody_gets_more_than_burst_and_rate(gaps_ms in prop::collection::vec(0u64..400, 1..200)) {
        let (limits, start) = (Limits::new(SETTINGS), Instant::now());
        let (mut at_ms, mut passed) = (0, 0);
        for gap_ms in gaps_ms {
            at_ms += gap_ms;
            passed += u64::from(limits.call(&who("a"), start + Duration::from_millis(at_ms)).is_ok());
            prop_assert!(passed <= 3 + at_ms / 100);
        }
    }
}
