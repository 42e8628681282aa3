//! Only one large answer is in memory at a time.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;

use super::*;
use crate::policy::inventory::Kind;

#[tokio::test(start_paused = true)]
async fn large_answers_are_read_one_at_a_time() {
    let (reading, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&reading), Arc::clone(&most));
    let router = Router::new().fallback(move || {
        let (reading, most) = counters.clone();
        async move {
            let chunks = (0..12).map(move |number| {
                // Only the request whose turn it is reads the third half megabyte.
                if number == 3 {
                    most.fetch_max(reading.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                }
                if number == 11 {
                    reading.fetch_sub(1, Ordering::SeqCst);
                    return Bytes::from_static(b"]}");
                }
                let start: &[u8] = if number == 0 { b"{\"count\":0,\"next\":null,\"results\":[" } else { b"" };
                Bytes::from([start, &[b' '; 512 * 1024]].concat())
            });
            let slowly = futures_util::stream::iter(chunks).then(|chunk| async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok::<_, Infallible>(chunk)
            });
            Response::new(Body::from_stream(slowly))
        }
    });
    let client = Client::in_process(settings("http://127.0.0.1:9"), clock(), router).unwrap();
    let lists = (0..6).map(|number| {
        let client = client.clone();
        async move { client.inventory(&server(number, "web-1"), Kind::Backup).await }
    });
    for list in futures_util::future::join_all(lists).await {
        assert!(list.unwrap().points.is_empty());
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
}
