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
