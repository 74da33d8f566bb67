//! Retries: their conditions, number and delays.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER};

/// The longest accepted delay of a server.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// The number of retries and their delays.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The maximum number of retries.
    pub retries: usize,
    /// The delay before the first retry; it doubles with each retry. A random part of it is added.
    pub min_delay: Duration,
    /// The maximum delay.
    pub max_delay: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retries: 3,
            min_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(10),
        }
    }
}

impl Policy {
    /// A policy without retries.
    pub const NEVER: Self = Self {
        retries: 0,
        min_delay: Duration::ZERO,
        max_delay: Duration::ZERO,
    };
}

/// The delay before a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// A delay that the policy computes.
    Backoff,
    /// A delay that the server requested.
    After(Duration),
}

/// Returns the delay before a retry, if the response allows one.
pub fn delay(status: StatusCode, headers: &HeaderMap) -> Option<Delay> {
    if !matches!(status.as_u16(), 429 | 502 | 503 | 504) {
        return None;
    }
    match retry_after(headers) {
        // A delay that is too long becomes an error to show.
        Some(delay) if delay > MAX_RETRY_AFTER => None,
        Some(delay) => Some(Delay::After(delay)),
        None => Some(Delay::Backoff),
    }
}

/// Returns the delay of a `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(SystemTime::now()).ok()
}

/// A retry that is about to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The number of the retry, from 1.
    pub number: usize,
    /// The maximum number of retries.
    pub of: usize,
    /// The delay before it.
    pub delay: Duration,
}

/// The retries of one operation.
pub struct Retries<'a> {
    policy: Policy,
    backoff: ExponentialBackoff,
    made: usize,
    notify: Box<dyn Fn(Retry) + Send + Sync + 'a>,
}

impl<'a> Retries<'a> {
    /// Creates the retries of a policy; `notify` is called before the delay of each one.
    pub fn new(policy: Policy, notify: impl Fn(Retry) + Send + Sync + 'a) -> Self {
        Self {
            policy,
            backoff: backoff(policy),
            made: 0,
            notify: Box::new(notify),
        }
    }

    /// Waits before the next attempt. Returns false immediately if no retries remain.
    pub async fn wait(&mut self, delay: Delay) -> bool {
        let Some(backoff) = self.backoff.next() else {
            return false;
        };
        self.made += 1;
        let delay = match delay {
            Delay::Backoff => backoff,
            Delay::After(delay) => delay,
        };
        (self.notify)(Retry {
            number: self.made,
            of: self.policy.retries,
            delay,
        });
        tokio::time::sleep(delay).await;
        true
    }

    /// Resets the count, after an operation has made progress.
    pub fn reset(&mut self) {
        self.backoff = backoff(self.policy);
        self.made = 0;
    }
}

fn backoff(policy: Policy) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(policy.min_delay)
        .with_max_delay(policy.max_delay)
        .with_max_times(policy.retries)
        .build()
}

/// The result of an attempt.
pub struct Attempt<T> {
    /// The result; it is the operation's result if there is no further attempt.
    pub result: T,
    /// The delay before another attempt; None if the result is final.
    pub retry: Option<Delay>,
}

/// Repeats an attempt until its result is final or no retries remain. Returns the last result.
pub async fn run<T, F>(mut retries: Retries<'_>, mut attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Attempt<T>>,
{
    loop {
        let Attempt { result, retry } = attempt().await;
        match retry {
            Some(delay) if retries.wait(delay).await => {}
            _ => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::http::testing::block_on;

    const QUICK: Policy = Policy {
        retries: 3,
        min_delay: Duration::from_micros(1),
        max_delay: Duration::from_micros(5),
    };

    fn of_headers(status: u16, retry_after: Option<&str>) -> Option<Delay> {
        let value = retry_after.map(|text| (RETRY_AFTER, text.parse().unwrap()));
        delay(
            StatusCode::from_u16(status).unwrap(),
            &value.into_iter().collect(),
        )
    }

    #[test]
    fn retry_after_is_kept_unless_it_is_too_long() {
        let after = |seconds| Some(Delay::After(Duration::from_secs(seconds)));
        assert_eq!(of_headers(503, Some("7")), after(7));
        assert_eq!(of_headers(429, Some(" 0 ")), after(0));
        assert_eq!(of_headers(503, Some("31")), None);
        assert_eq!(of_headers(503, None), Some(Delay::Backoff));
        assert_eq!(of_headers(503, Some("soon")), Some(Delay::Backoff));
        let past = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(of_headers(502, Some(past)), Some(Delay::Backoff));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(20));
        let Some(Delay::After(delay)) = of_headers(504, Some(&date)) else {
            panic!("a date is a delay")
        };
        assert!(delay > Duration::from_secs(10) && delay <= Duration::from_secs(20));
    }

    #[test]
    fn only_a_response_that_may_differ_next_time_asks_for_a_retry() {
        for status in [200, 302, 400, 401, 404, 409, 500, 501] {
            assert_eq!(of_headers(status, Some("1")), None, "{status}");
        }
    }

    #[test]
    fn attempts_end_with_the_policy_and_every_retry_is_reported() {
        let (reported, made) = (Mutex::new(Vec::new()), Mutex::new(0));
        let retries = Retries::new(QUICK, |retry| reported.lock().unwrap().push(retry));
        let last = block_on(run(retries, || async {
            let mut made = made.lock().unwrap();
            *made += 1;
            let retry = Some(Delay::After(Duration::from_micros(*made)));
            Attempt {
                result: *made,
                retry,
            }
        }));
        assert_eq!(last, 4, "once, and three retries");
        let reported = reported.into_inner().unwrap();
        let numbers: Vec<usize> = reported.iter().map(|retry| retry.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let delays: Vec<Duration> = reported.iter().map(|retry| retry.delay).collect();
        assert_eq!(delays, [1, 2, 3].map(Duration::from_micros), "as asked for");
    }

    #[test]
    fn a_final_result_ends_the_attempts() {
        let mut results = vec![
            (3, None),
            (2, Some(Delay::Backoff)),
            (1, Some(Delay::Backoff)),
        ];
        let last = block_on(run(Retries::new(QUICK, |_| {}), || {
            let (result, retry) = results.pop().unwrap();
            async move { Attempt { result, retry } }
        }));
        assert_eq!(last, 3);
    }

    #[test]
    fn progress_allows_as_many_retries_again() {
        block_on(async {
            let mut retries = Retries::new(QUICK, |_| {});
            for _ in 0..3 {
                assert!(retries.wait(Delay::Backoff).await);
            }
            assert!(!retries.wait(Delay::Backoff).await);
            retries.reset();
            assert!(retries.wait(Delay::Backoff).await);
            assert!(
                !Retries::new(Policy::NEVER, |_| {})
                    .wait(Delay::Backoff)
                    .await
            );
        });
    }
}
