//! Shows a run as it goes: one moving line on a terminal, plain lines elsewhere, nothing with `-q`.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::base::{Event, Observer, StepOutcome, human_duration};

/// Renders events; keeps nothing.
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
    /// Whether the line counts intervals and not steps.
    of_intervals: bool,
    running: Mutex<Vec<String>>,
}

impl Progress {
    pub fn new(live: bool, quiet: bool) -> Self {
        Self::styled(live, quiet, "{spinner} {prefix}{pos}/{len} {elapsed} {wide_msg}")
    }

    /// Of many intervals.
    pub fn of_intervals(live: bool, quiet: bool, intervals: usize) -> Self {
        let style = "{spinner} {pos}/{len} intervals {elapsed}, {eta} left, {prefix}{wide_msg}";
        let progress = Self { of_intervals: true, ..Self::styled(live, quiet, style) };
        progress.bar.set_length(intervals as u64);
        progress.bar.enable_steady_tick(Duration::from_millis(120));
        progress
    }

    fn styled(live: bool, quiet: bool, template: &str) -> Self {
        let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, quiet, of_intervals: false, running: Mutex::default() }
    }

    /// So many intervals are done.
    pub fn intervals_done(&self, count: usize) {
        self.bar.set_position(count as u64);
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        if self.quiet {
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
                        self.line(&format!("failed {step} after {}: {message}", human_duration(*took)));
                    }
                    StepOutcome::Skipped => self.line(&format!("skipped {step}: a step it needs failed")),
                    StepOutcome::Made { .. } | StepOutcome::Reused => {}
                }
            }
            Event::Retrying { what, attempt, wait, why } => {
                self.line(&format!("again {what} (try {attempt} failed, waiting {}): {why}", human_duration(*wait)));
            }
            Event::Warning { message } => self.line(&format!("warning: {message}")),
            Event::Schedule { .. } => {}
            Event::Published { .. } | Event::RunFinished { .. } if self.of_intervals => {}
            Event::Published { .. } | Event::RunFinished { .. } => self.bar.disable_steady_tick(),
        }
    }
}
