//! Streams that break, drain and come back.

use super::*;

/// A publish that the exchange holds back until the permit is dropped.
async fn publish_in_flight(joined: &Joined) -> tokio::task::JoinHandle<Result<lgsp_types::Receipt, PublishError>> {
    let remote = joined.remote.clone();
    let publishing = joined
        .tasks
        .spawn(async move { remote.publish(&caller("a"), message("key")).await });
    timeout(WAIT, joined.exchange.knocked.notified()).await.unwrap();
    publishing
}

#[tokio::test]
async fn a_broken_stream_leaves_a_publish_unknown_and_is_dialled_again() {
    let joined = Joined::new(None).await;
    let mut arrivals = joined.remote.arrivals();
    let exchange = Arc::clone(&joined.exchange);
    let held = exchange.door.acquire().await.unwrap();
    let publishing = publish_in_flight(&joined).await;
    let mut upload = joined.remote.upload(&caller("a")).await.unwrap();
    upload.write(Bytes::from_static(b"half")).await.unwrap();
    joined.breaks.notify_one();
    let published = timeout(WAIT, publishing).await.unwrap().unwrap();
    assert!(matches!(published, Err(PublishError::Unknown)), "{published:?}");
    let rest = upload.finish("a", "a/b", Role::Attachment).await;
    assert!(matches!(rest, Err(UploadError::Unavailable(_))));
    timeout(WAIT, joined.exchange.dropped_uploads(1)).await.unwrap();
    drop(held);
    // The node finished it all the same: the same again is for the exchange to tell apart.
    timeout(WAIT, arrivals.next()).await.unwrap().unwrap();
    joined.remote.publish(&caller("a"), message("key")).await.unwrap();
    assert_eq!(joined.exchange.state().published.len(), 2);
    joined.end().await;
}

#[tokio::test]
async fn an_upload_of_a_stream_that_ended_is_not_published_and_not_refused() {
    let joined = Joined::new(None).await;
    let mut arrivals = joined.remote.arrivals();
    let staged = upload(&joined.remote, b"x").await;
    joined.breaks.notify_one();
    timeout(WAIT, arrivals.next()).await.unwrap().unwrap();
    let mut publish = message("key");
    publish.objects = vec![staged];
    let published = joined.remote.publish(&caller("a"), publish).await;
    assert!(matches!(published, Err(PublishError::Unavailable(_))), "{published:?}");
    assert!(joined.exchange.state().rejected.is_empty());
    joined.end().await;
}

#[tokio::test]
async fn without_a_stream_a_call_waits_its_time_and_is_certainly_not_done() {
    let dial = Box::new(|_: super::super::remote::Leaving| -> super::super::remote::Dialling {
        Box::pin(async { Err(super::super::remote::DialError::Greeting) })
    });
    let settings = RemoteSettings {
        program: String::from("test 1"),
        kind: String::from("x"),
        systems: Vec::new(),
        connect_wait: Duration::from_millis(50),
        answer_timeout: Duration::from_secs(10),
        retry_first: Duration::from_millis(1),
        retry_max: Duration::from_millis(5),
    };
    let remote = Remote::over(dial, settings, None);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (running, stopping) = (remote.clone(), stop.clone());
    tasks.spawn(async move { running.run(stopping, Duration::from_secs(5)).await });
    let published = timeout(WAIT, remote.publish(&caller("a"), message("key")))
        .await
        .unwrap();
    assert!(matches!(published, Err(PublishError::Unavailable(_))));
    let fetch = remote.fetch(&caller("a"), DeliveryId::from_bytes([1; 16])).await;
    assert!(matches!(fetch, Err(FetchError::Unavailable(_))));
    assert_eq!(remote.system(&system("a")), None);
    stop.cancel();
    tasks.close();
    timeout(WAIT, tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn a_node_that_stops_lets_what_is_in_flight_end() {
    let joined = Joined::new(None).await;
    let exchange = Arc::clone(&joined.exchange);
    let held = exchange.door.acquire().await.unwrap();
    let publishing = publish_in_flight(&joined).await;
    joined.node_stop.cancel();
    drop(held);
    let published = timeout(WAIT, publishing).await.unwrap().unwrap();
    published.unwrap();
    joined.end().await;
}

#[tokio::test]
async fn a_process_that_stops_waits_for_its_answers() {
    let joined = Joined::new(None).await;
    let exchange = Arc::clone(&joined.exchange);
    let held = exchange.door.acquire().await.unwrap();
    let publishing = publish_in_flight(&joined).await;
    joined.stop.cancel();
    tokio::task::yield_now().await;
    drop(held);
    timeout(WAIT, publishing).await.unwrap().unwrap().unwrap();
    joined.end().await;
}

#[tokio::test]
async fn an_adapter_that_is_taken_from_the_registry_is_sent_away() {
    let joined = Joined::new(None).await;
    joined.roll.remove();
    let gone = async {
        while format!("{:?}", joined.gateway).contains("vxp-1") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(WAIT, gone).await.unwrap();
    let a = caller("a");
    let fetch = joined.remote.fetch(&a, DeliveryId::from_bytes([1; 16]));
    assert!(matches!(
        timeout(WAIT, fetch).await.unwrap(),
        Err(FetchError::Unavailable(_))
    ));
    joined.end().await;
}

#[tokio::test]
async fn a_stream_that_is_old_is_followed_by_another_and_no_call_is_lost() {
    let joined = Joined::staying(None, Duration::from_millis(100)).await;
    let exchange = Arc::clone(&joined.exchange);
    for round in 0..4 {
        // In flight while its stream is drained and another one dialled.
        let held = exchange.door.acquire().await.unwrap();
        let publishing = publish_in_flight(&joined).await;
        let mut arrivals = joined.remote.arrivals();
        timeout(WAIT, arrivals.next()).await.unwrap().unwrap();
        drop(held);
        timeout(WAIT, publishing).await.unwrap().unwrap().unwrap();
        joined.remote.publish(&caller("a"), message("between")).await.unwrap();
        assert_eq!(exchange.state().published.len(), 2 * (round + 1));
    }
    joined.end().await;
}

#[tokio::test]
async fn an_upload_waits_for_room_and_begins_when_another_has_ended() {
    let joined = Joined::new(None).await;
    let first = joined.remote.upload(&caller("a")).await.unwrap();
    let _second = joined.remote.upload(&caller("b")).await.unwrap();
    let (a, remote) = (caller("a"), joined.remote.clone());
    let mut third = std::pin::pin!(remote.upload(&a));
    assert!(
        timeout(Duration::from_millis(100), third.as_mut()).await.is_err(),
        "there is room for two"
    );
    first.finish("a", "a/b", Role::Attachment).await.unwrap();
    timeout(WAIT, third).await.unwrap().unwrap();
    joined.end().await;
}
