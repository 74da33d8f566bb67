//! Results of validations, remembered for a while. Validations of one token at the same time are one.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

/// Results by keys. The number of entries is limited: those that expire first are removed first.
pub struct Verdicts<K, V, E> {
    entries: Mutex<HashMap<K, Entry<V, E>>>,
    limit: usize,
}

/// A result, or the one that is being obtained.
enum Entry<V, E> {
    Known { value: V, until: Instant },
    Pending(Pending<V, E>),
}

type Pending<V, E> = Shared<BoxFuture<'static, Result<V, E>>>;

impl<V: Clone, E: Clone> Entry<V, E> {
    /// Returns when the result expires; None while it is being obtained.
    fn until(&self) -> Option<Instant> {
        match self {
            Self::Known { until, .. } => Some(*until),
            Self::Pending(_) => None,
        }
    }
}

impl<K, V, E> Verdicts<K, V, E>
where
    K: Copy + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// Creates an empty list of at most `limit` results.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            limit,
        })
    }

    /// Returns the result of a key: the one that is known, or else that of `obtain`, with the time for which it may be
    /// remembered. `obtain` continues if its caller goes away, and its error is not remembered. `lost` is the error if
    /// it panics.
    ///
    /// # Errors
    /// Those of `obtain`.
    pub async fn get<F>(
        self: &Arc<Self>,
        key: K,
        lost: E,
        obtain: impl FnOnce() -> F,
    ) -> Result<V, E>
    where
        F: Future<Output = Result<(V, Duration), E>> + Send + 'static,
    {
        let pending = {
            let mut entries = self.lock();
            match entries.get(&key) {
                Some(Entry::Known { value, until }) if *until > Instant::now() => {
                    return Ok(value.clone());
                }
                // One that has ended is no longer in use: its task was lost.
                Some(Entry::Pending(pending)) if pending.peek().is_none() => pending.clone(),
                _ => {
                    self.make_room(&mut entries);
                    let (own, work) = (Arc::clone(self), obtain());
                    let task = tokio::spawn(async move {
                        let result = work.await;
                        own.settle(key, &result);
                        result.map(|(value, _)| value)
                    });
                    let pending = async move { task.await.unwrap_or(Err(lost)) };
                    let pending = pending.boxed().shared();
                    entries.insert(key, Entry::Pending(pending.clone()));
                    pending
                }
            }
        };
        pending.await
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Entry<V, E>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces a pending entry by its result.
    fn settle(&self, key: K, result: &Result<(V, Duration), E>) {
        let mut entries = self.lock();
        match result {
            Ok((value, time)) if !time.is_zero() => {
                let until = Instant::now() + *time;
                let value = value.clone();
                entries.insert(key, Entry::Known { value, until });
            }
            _ => {
                entries.remove(&key);
            }
        }
    }

    /// Makes room for an entry: removes what has expired, and then an eighth of the rest.
    fn make_room(&self, entries: &mut HashMap<K, Entry<V, E>>) {
        if entries.len() < self.limit {
            return;
        }
        let now = Instant::now();
        entries.retain(|_, entry| entry.until().is_none_or(|until| until > now));
        if entries.len() < self.limit {
            return;
        }
        let mut ends: Vec<Instant> = entries.values().filter_map(Entry::until).collect();
        if ends.is_empty() {
            return;
        }
        let eighth = ends.len() / 8;
        let until = *ends.select_nth_unstable(eighth).1;
        entries.retain(|_, entry| entry.until().is_none_or(|end| end > until));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::http::testing::block_on;

    type Numbers = Verdicts<usize, usize, &'static str>;

    const HOUR: Duration = Duration::from_hours(1);

    /// Obtains a result, counting how often that happens.
    async fn get(
        verdicts: &Arc<Numbers>,
        calls: &Arc<AtomicUsize>,
        key: usize,
        result: Result<(usize, Duration), &'static str>,
    ) -> Result<usize, &'static str> {
        let calls = Arc::clone(calls);
        let obtain = || async move {
            calls.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            result
        };
        verdicts.get(key, "lost", obtain).await
    }

    #[test]
    fn a_result_is_remembered_for_its_time_and_an_error_is_not() {
        let (verdicts, calls) = (Numbers::new(9), Arc::default());
        block_on(async {
            for _ in 0..3 {
                assert_eq!(get(&verdicts, &calls, 1, Ok((7, HOUR))).await, Ok(7));
            }
            assert_eq!(calls.load(Ordering::SeqCst), 1);
            for _ in 0..2 {
                assert_eq!(
                    get(&verdicts, &calls, 2, Ok((7, Duration::ZERO))).await,
                    Ok(7)
                );
                assert_eq!(get(&verdicts, &calls, 3, Err("down")).await, Err("down"));
            }
        });
        assert_eq!(calls.load(Ordering::SeqCst), 5);
        assert_eq!(verdicts.lock().len(), 1);
    }

    #[test]
    fn an_expired_result_is_obtained_again() {
        let (verdicts, calls) = (Numbers::new(9), Arc::default());
        let until = Instant::now();
        verdicts.lock().insert(1, Entry::Known { value: 6, until });
        let found = block_on(get(&verdicts, &calls, 1, Ok((7, HOUR))));
        assert_eq!(found, Ok(7));
    }

    #[test]
    fn callers_at_the_same_time_share_one_result_and_one_error() {
        for result in [Ok((7, Duration::ZERO)), Err("down")] {
            let (verdicts, calls) = (Numbers::new(9), Arc::default());
            let all = (0..20).map(|_| get(&verdicts, &calls, 1, result));
            let found = block_on(futures_util::future::join_all(all));
            assert!(
                found
                    .iter()
                    .all(|one| *one == result.map(|(value, _)| value))
            );
            assert_eq!(calls.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn a_caller_that_goes_away_does_not_end_the_validation_of_others() {
        let (verdicts, calls) = (Numbers::new(9), Arc::default());
        block_on(async {
            let mut first = Box::pin(get(&verdicts, &calls, 1, Ok((7, HOUR))));
            assert!(first.as_mut().now_or_never().is_none());
            drop(first);
            assert_eq!(get(&verdicts, &calls, 1, Ok((8, HOUR))).await, Ok(7));
        });
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn the_number_of_results_is_limited_and_those_that_expire_first_go_first() {
        let (verdicts, calls) = (Numbers::new(16), Arc::default());
        block_on(async {
            for key in 0..100 {
                let minutes = if key == 0 { 60 } else { 1 + key as u64 % 9 };
                let time = Duration::from_mins(minutes);
                assert_eq!(get(&verdicts, &calls, key, Ok((key, time))).await, Ok(key));
                assert!(verdicts.lock().len() <= 16);
            }
        });
        assert!(verdicts.lock().contains_key(&0));
    }

    #[test]
    fn a_task_that_panics_is_an_error_and_the_next_one_is_tried() {
        let (verdicts, calls) = (Numbers::new(9), Arc::default());
        block_on(async {
            let broken = verdicts.get(1, "lost", || async { panic!("on purpose") });
            assert_eq!(broken.await, Err("lost"));
            assert_eq!(get(&verdicts, &calls, 1, Ok((7, HOUR))).await, Ok(7));
        });
    }
}
