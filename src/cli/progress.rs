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
    /// Whether the line counts intervals and not steps.
    of_intervals: bool,
    running: Mutex<Vec<String>>,
}

const STEPS: &str = "{spinner} {prefix}{pos}/{len} {elapsed} {wide_msg}";
const INTERVALS: &str = "{spinner} {pos}/{len} intervals {elapsed}, {eta} left, {prefix}{wide_msg}";

impl Progress {
    pub fn new(screen: &Screen) -> Self {
        Self::styled(screen, screen.live, STEPS)
    }

    /// Lines, and no moving one.
    pub fn plain(screen: &Screen) -> Self {
        Self::styled(screen, false, STEPS)
    }

    /// Shows nothing.
    pub fn silent() -> Self {
        Self::made(false, true, false, STEPS)
    }

    /// Of many intervals; of a `rehearsal` only lines.
    pub fn of_intervals(screen: &Screen, rehearsal: bool, intervals: usize) -> Self {
        let progress = Self { of_intervals: true, ..Self::styled(screen, screen.live && !rehearsal, INTERVALS) };
        progress.bar.set_length(intervals as u64);
        progress.bar.enable_steady_tick(Duration::from_millis(120));
        progress
    }

    fn styled(screen: &Screen, live: bool, template: &str) -> Self {
        Self::made(live, screen.quiet, screen.log_json, template)
    }

    fn made(live: bool, quiet: bool, json: bool, template: &str) -> Self {
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, quiet, json, of_intervals: false, running: Mutex::default() }
    }

    /// So many intervals are done.
    pub fn intervals_done(&self, count: usize) {
        self.bar.set_position(count as u64);
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
            Event::RunStarted { as_of, .. } if self.of_intervals => self.bar.set_prefix(format!("as of {as_of} ")),
            Event::RunStarted { as_of, steps, .. } => {
                self.bar.set_length(*steps as u64);
                self.bar.set_position(0);
                self.bar.set_prefix(format!("as of {as_of} "));
                self.bar.enable_steady_tick(Duration::from_millis(120));
            }
            Event::StepStarted { step } => self.running(|r| r.push(step.clone())),
            Event::StepFinished { step, outcome, took } => {
                self.running(|r| r.retain(|s| s != step));
                if !self.of_intervals {
                    self.bar.inc(1);
                }
                match outcome {
                    StepOutcome::Failed { message } => {
                        self.line("error", &format!("failed {step} after {}: {message}", human_duration(*took)));
                    }
                    StepOutcome::Skipped => self.line("warning", &format!("skipped {step}: a step it needs failed")),
                    StepOutcome::Made { .. } | StepOutcome::Reused => {}
                }
            }
            Event::Retrying { what, attempt, wait, why } => {
                self.line(
                    "warning",
                    &format!("again {what} (try {attempt} failed, waiting {}): {why}", human_duration(*wait)),
                );
            }
            Event::Warning { message } => {
                self.line("warning", &if self.json { message.clone() } else { format!("warning: {message}") });
            }
            Event::Published { .. } | Event::RunEnded { .. } if self.of_intervals => {}
            Event::Published { .. } | Event::RunEnded { .. } => self.bar.disable_steady_tick(),
            Event::Schedule { .. } | Event::Message { .. } | Event::Collected { .. } | Event::Beat { .. } => {}
        }
    }
}
