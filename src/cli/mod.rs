//! One file a verb; printing; exit codes. Decides nothing: every verb calls `run` and shows what it says.

mod args;
mod backfill;
mod check;
mod docs;
mod explain;
mod functions;
mod gc;
mod init;
mod night;
mod outbox;
mod plan;
mod preview;
mod progress;
mod project;
mod query;
mod report;
mod rollback;
mod runs;
mod sample;
mod schedule;
mod schema;
mod screen;
mod serve;
mod test;
mod told;

use std::process::ExitCode;

use clap::Parser;

use crate::base::is_disk_full;
use crate::run::{RunError, describe};
use crate::system::System;

use args::{Cli, Verb};
use screen::Screen;
use told::told_to_stop;

/// Parses the command line, does what it says, and ends with the exit code of how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let screen = Screen::new(&cli);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            screen.error(&format!("the operating system gives no threads: {error}"));
            return ExitCode::from(4);
        }
    };
    let code = runtime.block_on(dispatch(&cli, &screen));
    // Work that was cancelled may still hold a thread; nothing of it counts any more.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn dispatch(cli: &Cli, screen: &Screen) -> u8 {
    let system = match System::real() {
        Ok(system) => system,
        Err(mistake) => {
            screen.error(&mistake);
            return 2;
        }
    };
    if let Err(error) = crate::run::asked_lease_timeout(&system) {
        fail(screen, &error);
        return error.exit_code();
    }
    let done = match &cli.verb {
        Verb::Init(args) => init::init(screen, args),
        Verb::Check(args) => check::check(cli, screen, &system, args).await,
        Verb::Test(args) => test::test(cli, screen, &system, args).await,
        Verb::Plan(args) => plan::plan(cli, screen, &system, args).await,
        Verb::Run(args) => night::run(cli, screen, &system, args).await,
        Verb::Backfill(args) => backfill::backfill(cli, screen, &system, args).await,
        Verb::Query(args) => query::query(cli, screen, &system, args).await,
        Verb::Explain(args) => explain::explain(cli, screen, &system, args).await,
        Verb::Docs(args) => docs::docs(cli, screen, &system, args),
        Verb::Runs(args) => runs::runs(cli, screen, &system, args).await,
        Verb::Report(args) => report::report(cli, screen, &system, args).await,
        Verb::Outbox(args) => outbox::outbox(cli, screen, &system, args).await,
        Verb::Rollback(args) => rollback::rollback(cli, screen, &system, args).await,
        Verb::Gc(args) => gc::gc(cli, screen, &system, args).await,
        Verb::Schedule(args) => schedule::schedule(cli, screen, &system, args).await,
        Verb::Serve(args) => serve::serve(cli, screen, &system, args).await,
        Verb::Sample(args) => sample::sample(screen, args),
        Verb::Functions(args) => {
            functions::functions(screen, args);
            Ok(())
        }
        Verb::Schema(args) => {
            schema::schema(screen, args);
            Ok(())
        }
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            fail(screen, &error);
            error.exit_code()
        }
    }
}

fn fail(screen: &Screen, error: &RunError) {
    match error {
        RunError::Project(diagnostics) => screen.diagnostics(diagnostics),
        RunError::Blocked(blocked) => {
            screen.error(&error.to_string());
            for outcome in &blocked.0 {
                screen.note(&screen::outcome_line(outcome));
            }
            screen.note("nothing was published; the last snapshot stands");
            screen.note("see the rows: matins query \"SELECT * FROM system.quarantine\", or run the check's rule with `matins query`");
        }
        other => {
            if let Some(mistake) = other.mistake() {
                screen.diagnostic(mistake);
            }
            screen.error(&describe(other));
            if is_disk_full(other) {
                screen
                    .note("there is no room left on the disk; what was made stays: make room, and run the same again");
            }
            if other.exit_code() == 6 {
                screen.note("nothing was changed; `--wait` waits for the other run to end");
            }
        }
    }
}

/// Runs work until it ends or the process is told to stop; its run is recorded as cancelled and its lease given back.
async fn until_told<T>(
    shop: &crate::run::Workshop,
    work: impl Future<Output = Result<T, RunError>>,
) -> Result<T, RunError> {
    let told = told_to_stop();
    let told = tokio::select! {
        done = work => return done,
        code = told => code,
    };
    Err(crate::run::stop(shop, told).await)
}

/// What is sent elsewhere beside the work, where the environment asks for it.
fn exports(
    project: &std::sync::Arc<crate::config::Project>,
    system: &System,
) -> Result<crate::telemetry::Exports, RunError> {
    crate::telemetry::Exports::of(project, system).map_err(|error| RunError::Usage(error.to_string()))
}
