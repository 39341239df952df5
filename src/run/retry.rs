//! Tries again what can pass: exponential waits with full jitter, capped. SQL, contract and check failures never come here twice.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Event, Observer};
use crate::run::RunError;
use crate::system::System;

const TRIES: u32 = 6;
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(20);

/// Runs `work` until it succeeds, fails for good, or has failed six times.
pub async fn retry<T, F>(
    system: &System,
    observer: &Arc<dyn Observer>,
    what: &str,
    mut work: impl FnMut() -> F,
) -> Result<T, RunError>
where
    F: Future<Output = Result<T, RunError>>,
{
    let mut attempt = 1;
    loop {
        match work().await {
            Err(error) if error.is_transient() && attempt < TRIES => {
                let wait = (FIRST * 2u32.pow(attempt - 1)).min(LONGEST).mul_f64(jitter(system));
                observer.see(&Event::Retrying { what: what.to_owned(), attempt, wait, why: error.to_string() });
                tokio::time::sleep(wait).await;
                attempt += 1;
            }
            done => return done,
        }
    }
}

/// Between nothing and all of the wait, so that many who failed together do not come back together.
pub fn jitter(system: &System) -> f64 {
    let id = system.ids.next();
    let tail = u32::from_str_radix(&id[id.len() - 6..], 16).unwrap_or(0);
    f64::from(tail) / f64::from(0xff_ffff)
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::io;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::lake::LakeError;
    use crate::system::{Clock, Environment, Ids, Machine};

    /// Which try failed, and the wait after it.
    #[derive(Default)]
    struct Waits(Mutex<Vec<(u32, Duration)>>);

    impl Observer for Waits {
        fn see(&self, event: &Event) {
            if let Event::Retrying { attempt, wait, .. } = event {
                self.0.lock().expect("no panic").push((*attempt, *wait));
            }
        }
    }

    /// Ids that give a jitter of about 0.8 %, so that nobody waits long for a test.
    fn system() -> System {
        System {
            clock: Clock::Real,
            environment: Environment::default(),
            ids: Ids::Counting(Arc::new(AtomicU64::new(20_000))),
            machine: Machine::this(),
        }
    }

    fn disk(kind: io::ErrorKind) -> RunError {
        let (path, location) = ("snapshots".to_owned(), "lake".to_owned());
        LakeError::Disk { operation: "read", path, location, source: kind.into() }.into()
    }

    /// Fails so often with such an error, then succeeds: the tries there were, the waits, and how it ended.
    async fn tried(failures: u32, kind: io::ErrorKind) -> (u32, Vec<(u32, Duration)>, Result<u32, RunError>) {
        let waits = Arc::new(Waits::default());
        let observer: Arc<dyn Observer> = waits.clone();
        let mut tries = 0;
        let work = || {
            tries += 1;
            ready(if tries <= failures { Err(disk(kind)) } else { Ok(tries) })
        };
        let ended = retry(&system(), &observer, "reading", work).await;
        let waits = std::mem::take(&mut *waits.0.lock().expect("no panic"));
        (tries, waits, ended)
    }

    #[tokio::test]
    async fn what_can_pass_is_tried_six_times_with_waits_that_double() {
        let (tries, waits, ended) = tried(u32::MAX, io::ErrorKind::TimedOut).await;
        assert!(ended.is_err_and(|error| error.is_transient()));
        assert_eq!((tries, waits.iter().map(|w| w.0).collect::<Vec<_>>()), (6, vec![1, 2, 3, 4, 5]));
        for (attempt, wait) in &waits {
            let longest = FIRST * 2u32.pow(attempt - 1);
            assert!(!wait.is_zero() && *wait < longest, "a part of {longest:?}: {wait:?}");
        }
        for two in waits.windows(2) {
            let times = two[1].1.as_secs_f64() / two[0].1.as_secs_f64();
            assert!((times - 2.0).abs() < 0.01, "{times} in {waits:?}");
        }
        let (tries, waits, ended) = tried(2, io::ErrorKind::ConnectionReset).await;
        assert_eq!((tries, waits.len(), ended.expect("the third")), (3, 2, 3));
    }

    #[tokio::test]
    async fn what_cannot_pass_is_not_tried_again() {
        let (tries, waits, ended) = tried(1, io::ErrorKind::PermissionDenied).await;
        assert!(tries == 1 && waits.is_empty() && ended.is_err(), "{tries} tries");
    }

    #[test]
    fn a_wait_is_any_part_of_what_it_may_be() {
        let random = System { ids: Ids::Random, ..system() };
        let all: Vec<f64> = (0..200).map(|_| jitter(&random)).collect();
        assert!(all.iter().all(|part| (0.0..=1.0).contains(part)));
        assert!(all.iter().any(|part| *part < 0.4) && all.iter().any(|part| *part > 0.6));
    }
}
