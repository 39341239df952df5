//! Told to stop by a signal: once for an orderly end, twice for one at once.

use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Exit codes: docs/cli.md.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// What comes within this time of the first is the same wish: `timeout` and a terminal tell a process and its group.
const ONE_WISH: Duration = Duration::from_secs(1);

/// Gives the exit code of the first signal. Listens from the call on, and on a thread of its own, since those of the work may all be
/// busy: a second signal ends the process there, whatever they do.
pub(super) fn told_to_stop() -> impl Future<Output = u8> {
    let (tell, told) = oneshot::channel();
    // Without a thread or a listener the signals do what they do to any program.
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() {
        let listening = {
            let _of = runtime.enter();
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        };
        if let (Ok(interrupt), Ok(terminate)) = listening {
            std::thread::spawn(move || runtime.block_on(listen(interrupt, terminate, tell)));
        }
    }
    async {
        match told.await {
            Ok(code) => code,
            Err(_) => std::future::pending().await,
        }
    }
}

async fn listen(mut interrupt: Signal, mut terminate: Signal, tell: oneshot::Sender<u8>) {
    let mut next = async || {
        tokio::select! {
            _ = interrupt.recv() => INTERRUPTED,
            _ = terminate.recv() => TERMINATED,
        }
    };
    let mut code = next().await;
    let first = Instant::now();
    if tell.send(code).is_ok() {
        while first.elapsed() < ONE_WISH {
            code = next().await;
        }
    }
    // Told twice, or nobody waits for the wish any more.
    std::process::exit(i32::from(code));
}
