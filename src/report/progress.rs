//! The dynamic display of progress on a terminal: a line for all steps, a line for each running step, or a line for what is
//! done before the first step. When it is shown is decided in `console`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{DecimalBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::action::StepId;

/// The number of running steps that the dynamic display shows.
const SHOWN_STEPS: usize = 12;
/// The time between two updates of the dynamic display.
const REDRAW_INTERVAL: Duration = Duration::from_millis(120);

/// The dynamic part: one line for all steps, one for each running step.
pub(super) struct Display {
    all: MultiProgress,
    overview: ProgressBar,
    steps: BTreeMap<StepId, ProgressBar>,
    /// The requested steps. Only they are counted, since the others depend on what is cached.
    wanted: BTreeSet<StepId>,
    /// The requested steps that have ended.
    ended: BTreeSet<StepId>,
    cached: u64,
}

impl Display {
    /// Nothing has ended yet. `received` counts the bytes of downloads.
    pub(super) fn new(wanted: &[StepId], received: &Arc<AtomicU64>) -> Display {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let wanted: BTreeSet<StepId> = wanted.iter().copied().collect();
        let overview = all.add(ProgressBar::new(wanted.len() as u64));
        overview.set_style(style("{pos}/{len} steps, {msg}{received}{elapsed}", received));
        let display = Display { all, overview, steps: BTreeMap::new(), wanted, ended: BTreeSet::new(), cached: 0 };
        display.update(0);
        display.overview.enable_steady_tick(REDRAW_INTERVAL);
        display
    }

    /// Shows how many steps run now.
    pub(super) fn update(&self, running: usize) {
        self.overview.set_message(format!("{} cached, {running} running, ", self.cached));
    }

    /// Shows a running step, if there is room for it.
    pub(super) fn start(&mut self, id: StepId, label: &str) {
        if self.steps.len() >= SHOWN_STEPS || self.steps.contains_key(&id) {
            return;
        }
        let bar = self.all.add(ProgressBar::new_spinner());
        bar.set_style(ProgressStyle::with_template("  {spinner} {elapsed:>4} {wide_msg}").expect("a valid template"));
        bar.set_message(label.to_owned());
        bar.enable_steady_tick(REDRAW_INTERVAL);
        self.steps.insert(id, bar);
    }

    /// Counts a step that has ended.
    pub(super) fn end(&mut self, id: StepId, is_cached: bool, running: usize) {
        if let Some(bar) = self.steps.remove(&id) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
        // A step can end twice: its outcome is reported, then one that failed to be stored.
        if self.wanted.contains(&id) && self.ended.insert(id) {
            self.cached += u64::from(is_cached);
            self.overview.inc(1);
        }
        self.update(running);
    }

    /// Removes everything from the screen.
    pub(super) fn clear(&self) {
        for bar in self.steps.values() {
            bar.finish_and_clear();
        }
        self.overview.finish_and_clear();
    }

    /// Whether standard error is not a terminal, so that nothing is shown.
    pub(super) fn is_hidden(&self) -> bool {
        self.all.is_hidden()
    }

    /// Writes lines above the display. A failure must not stop the run.
    pub(super) fn println(&self, text: &str) {
        let _ = self.all.println(text);
    }

    /// The ended steps, the wanted steps, and the rest of the line.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (u64, u64, String) {
        (self.overview.position(), self.overview.length().unwrap_or_default(), self.overview.message())
    }
}

/// The line for what is done outside of steps.
pub(super) fn phase_bar(text: &str, received: &Arc<AtomicU64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(style("{spinner} {msg}, {received}{elapsed}", received));
    bar.set_message(text.to_owned());
    bar.enable_steady_tick(REDRAW_INTERVAL);
    bar
}

/// A style whose key `received` is `12.3 MB received, `, or empty if nothing was received.
fn style(template: &str, received: &Arc<AtomicU64>) -> ProgressStyle {
    let received = received.clone();
    let style = ProgressStyle::with_template(template).expect("a valid template");
    style.with_key("received", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let bytes = received.load(Ordering::Relaxed);
        if bytes > 0 {
            // Writing to the line in memory cannot fail.
            let _ = write!(out, "{} received, ", DecimalBytes(bytes));
        }
    })
}
