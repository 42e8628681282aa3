//! A value that is made for many at once: whoever asks while it is being made waits for it, so that any number of clients
//! cost one making at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a value is kept at least, for those who waited while it was made.
const FORGET_AFTER: Duration = Duration::from_secs(1);

/// A shared value that is at most so old. It is forgotten soon after it was made, because it may be large.
#[derive(Debug)]
pub(super) struct SharedRendering<T> {
    /// How old a value may be when somebody asks for it.
    max_age: Duration,
    turn: tokio::sync::Mutex<()>,
    last: Arc<Mutex<Option<Made<T>>>>,
}

/// The last value, and when its making began.
type Made<T> = (Instant, Arc<T>);

impl<T: Send + Sync + 'static> SharedRendering<T> {
    /// No value yet. With a `max_age` of zero, everybody gets a value whose making began after the question.
    pub(super) fn new(max_age: Duration) -> Self {
        Self { max_age, turn: tokio::sync::Mutex::default(), last: Arc::default() }
    }

    /// The value: the last one if it is new enough, else one that is made now.
    ///
    /// # Errors
    /// What making it says; the next who asks tries again.
    pub(super) async fn get<E>(&self, make: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        let asked = Instant::now();
        let _turn = self.turn.lock().await;
        if let Some((begun, value)) = &*self.last.lock().unwrap_or_else(PoisonError::into_inner)
            && *begun + self.max_age >= asked
        {
            return Ok(Arc::clone(value));
        }
        let begun = Instant::now();
        let value = Arc::new(make.await?);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((begun, Arc::clone(&value)));
        let (last, max_age) = (Arc::clone(&self.last), self.max_age);
        tokio::spawn(async move {
            tokio::time::sleep(max_age.max(FORGET_AFTER)).await;
            last.lock().unwrap_or_else(PoisonError::into_inner).take_if(|(other, _)| *other == begun);
        });
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn slow(made: &AtomicU32) -> Result<u32, Infallible> {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(made.fetch_add(1, Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_made_once_in_its_age_and_forgotten_then() {
        let (shared, made) = (SharedRendering::new(Duration::from_secs(1)), AtomicU32::new(0));
        for wait in [0, 500, 400, 200] {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            shared.get(slow(&made)).await.unwrap();
        }
        assert_eq!(made.load(Ordering::Relaxed), 2);
        assert!(shared.last.lock().unwrap().is_some());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(shared.last.lock().unwrap().is_none(), "it is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_ask_meanwhile_share_the_next_one() {
        let (shared, made) = (SharedRendering::new(Duration::ZERO), AtomicU32::new(0));
        let later = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            shared.get(slow(&made)).await
        };
        let also = async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            shared.get(slow(&made)).await
        };
        let (first, later, also) = tokio::join!(shared.get(slow(&made)), later, also);
        assert_eq!((*first.unwrap(), *later.unwrap(), *also.unwrap()), (0, 1, 1));
    }

    #[tokio::test]
    async fn a_failure_is_kept_for_nobody() {
        let shared = SharedRendering::new(Duration::from_secs(60));
        assert_eq!(shared.get(async { Err::<u32, _>("no") }).await, Err("no"));
        assert_eq!(shared.get(async { Ok::<_, &str>(7) }).await, Ok(Arc::new(7)));
    }
}
