//! Standard error: progress as a dynamic display on a terminal or as plain lines elsewhere, with messages above it. The
//! wording of the messages is decided by the callers.

use std::io::Write;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::action::{Event, Exit, StepId};
use crate::report::escapes::without_escapes;
use crate::report::progress::{self, Display};
use crate::report::running::{Running, Task};

/// The number of failed steps that are reported as they happen.
const NAMED_FAILURES: usize = 3;

/// The console of the process. It takes events and texts from any thread.
pub struct Console {
    dynamic: bool,
    screen: Arc<Mutex<Screen>>,
    ticker: Mutex<Option<Ticker>>,
}

/// The thread that reports what has run for long, and the sender that stops it when it is dropped.
type Ticker = (Sender<()>, JoinHandle<()>);

struct Screen {
    display: Option<Display>,
    /// What is done outside of steps; the innermost phase is last.
    phases: Vec<String>,
    /// The display of the innermost phase.
    phase_bar: Option<ProgressBar>,
    /// The number of received bytes.
    received: Arc<AtomicU64>,
    running: Running,
    failed: usize,
    /// Whether escape sequences are written, such as the colours of a tool's output.
    colour: bool,
    /// Where plain lines go.
    out: Box<dyn Write + Send>,
}

/// What a run does outside of steps, such as loading targets. It is shown until this is dropped.
pub struct Phase {
    dynamic: bool,
    screen: Arc<Mutex<Screen>>,
}

impl Console {
    /// With `dynamic`, progress is a dynamic display; without it, long-running steps are reported in plain lines. Without
    /// `colour`, escape sequences are removed from everything that is written. `received` counts the bytes of downloads.
    pub fn new(dynamic: bool, colour: bool, received: Arc<AtomicU64>) -> Console {
        Console::with(dynamic, colour, received, Box::new(std::io::stderr()))
    }

    fn with(dynamic: bool, colour: bool, received: Arc<AtomicU64>, out: Box<dyn Write + Send>) -> Console {
        let screen = Screen {
            display: None,
            phases: Vec::new(),
            phase_bar: None,
            received,
            running: Running::default(),
            failed: 0,
            colour,
            out,
        };
        Console { dynamic, screen: Arc::new(Mutex::new(screen)), ticker: Mutex::default() }
    }

    /// Shows what the run does until the phase is dropped. While steps are shown, phases are not.
    #[expect(clippy::disallowed_methods, reason = "progress shows how long phases take")]
    pub fn phase(&self, text: &str) -> Phase {
        self.start_ticker();
        let mut screen = self.screen();
        let depth = screen.phases.len();
        screen.running.start(Task::Phase(depth), text.into(), Instant::now());
        screen.phases.push(text.to_owned());
        screen.show_phase(self.dynamic);
        Phase { dynamic: self.dynamic, screen: self.screen.clone() }
    }

    /// Shows the progress of the steps, counting the wanted ones, until [`Console::end`].
    pub fn begin(&self, wanted: &[StepId]) {
        self.end();
        self.start_ticker();
        let mut screen = self.screen();
        screen.failed = 0;
        if self.dynamic {
            screen.hide_phase();
            screen.display = Some(Display::new(wanted, &screen.received));
        }
    }

    /// A dynamic display shows how long everything takes, so it needs no notices.
    fn start_ticker(&self) {
        if !self.dynamic {
            self.ticker().get_or_insert_with(|| ticker(&self.screen));
        }
    }

    /// Clears the display of progress.
    pub fn end(&self) {
        let mut screen = self.screen();
        screen.running.end_steps();
        if let Some(display) = screen.display.take() {
            display.clear();
            screen.show_phase(self.dynamic);
        }
    }

    /// Clears everything that is displayed, because the process ends at once.
    pub fn clear(&self) {
        self.end();
        self.screen().hide_phase();
    }

    /// Shows what happened to a step.
    #[expect(clippy::disallowed_methods, reason = "progress shows how long steps run")]
    pub fn event(&self, event: &Event) {
        self.screen().event(event, Instant::now());
    }

    /// Writes one line to standard error, above the display of progress.
    pub fn line(&self, text: &str) {
        self.screen().line(text);
    }

    /// Writes lines to standard error, above the display of progress. A final newline is optional.
    pub fn text(&self, text: &str) {
        self.screen().line(text.strip_suffix('\n').unwrap_or(text));
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        lock(&self.screen)
    }

    fn ticker(&self) -> MutexGuard<'_, Option<Ticker>> {
        lock(&self.ticker)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.clear();
        if let Some((stop, thread)) = self.ticker().take() {
            drop(stop);
            // A ticker that panicked has nothing left to report.
            let _ = thread.join();
        }
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        let mut screen = lock(&self.screen);
        screen.phases.pop();
        let depth = screen.phases.len();
        screen.running.end(Task::Phase(depth));
        screen.show_phase(self.dynamic);
    }
}

/// No invariant spans these locks, so a panic in another thread leaves the values consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports what has run for long once a second, until its sender is dropped.
#[expect(clippy::disallowed_methods, reason = "progress shows how long steps run")]
fn ticker(screen: &Arc<Mutex<Screen>>) -> Ticker {
    let (stop, stopped) = channel::<()>();
    let screen = Arc::clone(screen);
    let thread = std::thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            let mut screen = lock(&screen);
            for line in screen.running.long_running_notices(Instant::now()) {
                screen.line(&line);
            }
        }
    });
    (stop, thread)
}

impl Screen {
    fn show_phase(&mut self, dynamic: bool) {
        self.hide_phase();
        let Some(phase) = self.phases.last().filter(|_| dynamic && self.display.is_none()) else { return };
        self.phase_bar = Some(progress::phase_bar(phase, &self.received));
    }

    fn hide_phase(&mut self) {
        if let Some(bar) = self.phase_bar.take() {
            bar.finish_and_clear();
        }
    }

    fn event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Started { id, label } => {
                self.running.start(Task::Step(*id), Arc::clone(label), now);
                let running = self.running.count_steps();
                if let Some(display) = &mut self.display {
                    display.start(*id, label);
                    display.update(running);
                }
            }
            Event::Finished { id, label, origin, outcome } => {
                self.end(*id, origin.is_cached());
                if self.display.is_none() && !origin.is_cached() {
                    let exit = if outcome.exit == Exit::Code(0) { "" } else { &format!(" ({})", outcome.exit) };
                    self.line(&format!("Completed: {label} in {:.2}s{exit}", outcome.wall.as_secs_f64()));
                }
            }
            Event::Done { id, .. } | Event::Dropped { id } => self.end(*id, false),
            Event::Recorded { .. } => {}
            Event::Line { label, text } => self.line(&format!("{label} | {text}")),
            Event::Output { label, text } => self.line(&format!("Output of `{label}`:\n{}", text.trim_end())),
            Event::Preserved { label, path } => {
                self.line(&format!("Preserved the sandbox of `{label}` in {}", path.display()));
            }
            // The reason is reported with the results: one reason may prevent many steps.
            Event::Failed { id, label, .. } => {
                self.end(*id, false);
                self.failed += 1;
                match self.failed {
                    ..=NAMED_FAILURES => self.line(&format!("Failed: {label}")),
                    count if count == NAMED_FAILURES + 1 => self.line("Failed: more steps (see the end of the output)"),
                    _ => {}
                }
            }
        }
    }

    fn end(&mut self, id: StepId, is_cached: bool) {
        self.running.end(Task::Step(id));
        let running = self.running.count_steps();
        if let Some(display) = &mut self.display {
            display.end(id, is_cached, running);
        }
    }

    /// Failing to write to standard error must not stop the run.
    fn line(&mut self, text: &str) {
        let text = if self.colour { text.into() } else { without_escapes(text) };
        match (&self.display, &self.phase_bar) {
            // A hidden display discards what is printed through it.
            (Some(display), _) if !display.is_hidden() => display.println(&text),
            (None, Some(bar)) if !bar.is_hidden() => bar.println(&*text),
            _ => drop(writeln!(self.out, "{text}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Exit, Origin, Outcome};
    use crate::base::Digest;

    /// Collects the written bytes.
    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn finished(number: usize, label: &str, origin: Origin) -> Event {
        let nothing = Digest::of(b"");
        let outcome = Outcome {
            exit: Exit::Code(0),
            stdout: nothing,
            stderr: nothing,
            output: nothing,
            wall: Duration::from_millis(1500),
            max_rss_bytes: 0,
            attempts: 1,
            started_from: None,
            audit: None,
        };
        Event::Finished { id: StepId::new(number), label: label.into(), origin, outcome }
    }

    #[test]
    fn plain_lines_report_the_steps_that_ran_or_failed() {
        let buffer = Buffer::default();
        let console = Console::with(false, false, Arc::default(), Box::new(buffer.clone()));
        console.begin(&[0, 1, 2, 3].map(StepId::new));
        console.event(&Event::Started { id: StepId::new(0), label: "test a".into() });
        console.event(&finished(0, "test a", Origin::Ran));
        console.event(&finished(1, "test b", Origin::Cached));
        console.event(&Event::Done { id: StepId::new(2), label: "fetch c".into() });
        console.event(&Event::Failed { id: StepId::new(3), label: "fetch d".into(), message: "not found".into() });
        console.text("a \u{1b}]8;;x\u{1b}\\note\u{1b}]8;;\u{1b}\\\nin two lines\n");
        console.end();
        let written = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written, "Completed: test a in 1.50s\nFailed: fetch d\na note\nin two lines\n");
    }

    #[test]
    fn events_may_arrive_in_any_order_and_from_any_thread() {
        let console = Console::with(true, true, Arc::default(), Box::new(std::io::sink()));
        console.begin(&[]);
        std::thread::scope(|scope| {
            for number in 0..20 {
                let console = &console;
                scope.spawn(move || {
                    console.event(&finished(number + 100, "never started", Origin::Ran));
                    console.event(&Event::Started { id: StepId::new(number), label: "a".into() });
                    console.event(&Event::Started { id: StepId::new(number), label: "a".into() });
                    console.event(&finished(number, "a", Origin::Cached));
                });
            }
        });
        assert_eq!(console.screen().running.count_steps(), 0);
    }

    #[test]
    fn only_requested_steps_are_counted_and_each_once() {
        let console = Console::with(true, true, Arc::default(), Box::new(std::io::sink()));
        let phase = console.phase("preparing");
        console.begin(&[0, 1, 2].map(StepId::new));
        console.event(&Event::Done { id: StepId::new(7), label: "fetch a".into() });
        console.event(&finished(0, "a", Origin::Cached));
        console.event(&finished(0, "a", Origin::Cached));
        console.event(&Event::Dropped { id: StepId::new(1) });
        {
            let screen = console.screen();
            let display = screen.display.as_ref().unwrap();
            assert_eq!(display.counts(), (2, 3, "1 cached, 0 running, ".to_owned()));
            assert!(screen.phase_bar.is_none());
        }
        console.end();
        assert!(console.screen().phase_bar.is_some());
        drop(phase);
        assert!(console.screen().phase_bar.is_none());
    }

    #[test]
    fn a_closed_standard_error_does_not_stop_the_run() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        Console::with(false, false, Arc::default(), Box::new(Closed)).line("hello");
    }
}
