//! Shows a run as it goes: one moving line on a terminal, plain lines elsewhere, nothing with `-q`.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::base::{Event, Observer, StepOutcome, human_duration};
use crate::cli::screen::Screen;

/// Renders events; keeps nothing.
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
    json: bool,
    running: Mutex<Vec<String>>,
}

impl Progress {
    pub fn new(screen: &Screen) -> Self {
        Self::made(screen.live, screen.quiet, screen.log_json)
    }

    /// Lines, and no moving one.
    pub fn plain(screen: &Screen) -> Self {
        Self::made(false, screen.quiet, screen.log_json)
    }

    /// Shows nothing.
    pub fn silent() -> Self {
        Self::made(false, true, false)
    }

    fn made(live: bool, quiet: bool, json: bool) -> Self {
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}{pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, quiet, json, running: Mutex::default() }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, level: &str, text: &str) {
        if self.quiet {
            return;
        }
        if self.json {
            eprintln!("{}", serde_json::json!({ "level": level, "message": text }));
            return;
        }
        self.bar.suspend(|| eprintln!("{text}"));
    }

    fn running(&self, change: impl FnOnce(&mut Vec<String>)) {
        if let Ok(mut running) = self.running.lock() {
            change(&mut running);
            self.bar.set_message(running.join(", "));
        }
    }
}

impl Observer for Progress {
    fn see(&self, event: &Event) {
        match event {
            Event::RunStarted { as_of, steps, .. } => {
                self.bar.set_length(*steps as u64);
                self.bar.set_position(0);
                self.bar.set_prefix(format!("as of {as_of} "));
                self.bar.enable_steady_tick(Duration::from_millis(120));
            }
            Event::StepStarted { step } => self.running(|r| r.push(step.clone())),
            Event::StepFinished { step, outcome, took } => {
                self.running(|r| r.retain(|s| s != step));
                self.bar.inc(1);
                match outcome {
                    StepOutcome::Failed { message } => {
                        self.line("error", &format!("failed {step} after {}: {message}", human_duration(*took)));
                    }
                    StepOutcome::Skipped => self.line("warning", &format!("skipped {step}: a step it needs failed")),
                    StepOutcome::Made { .. } | StepOutcome::Reused => {}
                }
            }
            Event::Retrying { what, attempt, wait, why } => {
                self.line("warning", &format!("again {what} (try {attempt} failed, waiting {}): {why}", human_duration(*wait)));
            }
            Event::Warning { message } => self.line("warning", &if self.json { message.clone() } else { format!("warning: {message}") }),
            Event::Published { .. } | Event::RunEnded { .. } => self.bar.disable_steady_tick(),
            Event::Schedule { .. } | Event::Message { .. } | Event::Collected { .. } | Event::Beat { .. } => {}
        }
    }
}
