//! Progress on standard error: a moving display on a terminal, plain lines elsewhere. Results are not printed here.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::action::{Event, Exit, Origin, StepId};
use crate::report::running::Running;

/// So many running steps are shown at once.
const SHOWN_STEPS: usize = 12;
/// So many steps that could not be carried out are named at once.
const TOLD_FAILURES: usize = 3;
const REDRAW: Duration = Duration::from_millis(120);

/// Takes events from any thread. Dropping it clears the display.
pub struct Console {
    screen: Arc<Mutex<Screen>>,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

struct Screen {
    display: Option<Display>,
    running: Running,
    failed: usize,
    /// Where plain lines go.
    out: Box<dyn Write + Send>,
}

/// The moving part: one line for all, one for each running step.
struct Display {
    all: MultiProgress,
    overview: ProgressBar,
    steps: BTreeMap<StepId, ProgressBar>,
    cached: u64,
}

impl Console {
    /// `dynamic` is the moving display; without it, steps that take long are mentioned.
    pub fn new(dynamic: bool) -> Console {
        Console::with(dynamic, Box::new(std::io::stderr()))
    }

    fn with(dynamic: bool, out: Box<dyn Write + Send>) -> Console {
        let display = dynamic.then(Display::new);
        let screen = Arc::new(Mutex::new(Screen { display, running: Running::default(), failed: 0, out }));
        let ticker = (!dynamic).then(|| ticker(&screen));
        Console { screen, ticker }
    }

    /// How many steps there will be in all.
    pub fn expect(&self, steps: usize) {
        if let Some(display) = &self.screen().display {
            display.overview.set_length(steps as u64);
        }
    }

    pub fn event(&self, event: &Event) {
        self.screen().event(event, Instant::now());
    }

    /// One line on standard error, above the moving part.
    pub fn line(&self, text: &str) {
        self.screen().line(text);
    }

    /// Runs `action` while nothing moves: for processes that have the terminal. Events may come meanwhile.
    pub fn suspended<T>(&self, action: impl FnOnce() -> T) -> T {
        // The crate's own `suspend` would hold its lock, and so every event, until the action ends.
        self.draw_to(ProgressDrawTarget::hidden);
        let result = action();
        self.draw_to(ProgressDrawTarget::stderr);
        result
    }

    fn draw_to(&self, target: fn() -> ProgressDrawTarget) {
        if let Some(display) = &self.screen().display {
            // A terminal that cannot be cleared shows stale lines at worst.
            let _ = display.all.clear();
            display.all.set_draw_target(target());
        }
    }

    /// Clears the moving part and ends the mentions.
    pub fn finish(self) {
        drop(self);
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        lock(&self.screen)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.ticker.take() {
            drop(stop);
            // A ticker that panicked has nothing left to say.
            let _ = thread.join();
        }
        if let Some(display) = self.screen().display.take() {
            display.clear();
        }
    }
}

/// The screen holds no promise that a panic elsewhere could break.
fn lock(screen: &Mutex<Screen>) -> MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks once a second for steps that take long, until its sender is dropped.
fn ticker(screen: &Arc<Mutex<Screen>>) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = channel::<()>();
    let screen = Arc::clone(screen);
    let thread = std::thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            let mut screen = lock(&screen);
            for line in screen.running.mentions(Instant::now()) {
                screen.line(&line);
            }
        }
    });
    (stop, thread)
}

impl Screen {
    fn event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Started { id, label } => {
                self.running.start(*id, Arc::clone(label), now);
                if let Some(display) = &mut self.display {
                    display.start(*id, label);
                }
            }
            Event::Finished { id, label, origin, outcome } => {
                self.end(*id, *origin == Origin::Cached);
                if self.display.is_none() && *origin == Origin::Ran {
                    let exit = if outcome.exit == Exit::Code(0) { "" } else { &format!(" ({})", outcome.exit) };
                    self.line(&format!("Completed: {label} in {:.2}s{exit}", outcome.wall.as_secs_f64()));
                }
            }
            Event::Done { id, .. } => self.end(*id, false),
            // The reason is told with the results: one reason may keep many steps from being carried out.
            Event::Failed { id, label, .. } => {
                self.end(*id, false);
                self.failed += 1;
                match self.failed {
                    ..=TOLD_FAILURES => self.line(&format!("Failed: {label}")),
                    count if count == TOLD_FAILURES + 1 => self.line("Failed: more, see the end"),
                    _ => {}
                }
            }
            Event::CleaningUp { labels } => {
                self.line("Interrupted. Waiting for these to clean up; interrupt again to kill them:");
                for label in labels {
                    self.line(&format!("  {label}"));
                }
            }
        }
    }

    fn end(&mut self, id: StepId, is_cached: bool) {
        self.running.end(id);
        let running = self.running.len();
        if let Some(display) = &mut self.display {
            display.end(id, is_cached, running);
        }
    }

    /// A screen that cannot be written to must not stop the run.
    fn line(&mut self, text: &str) {
        match &self.display {
            // A hidden display drops what is printed through it.
            Some(display) if !display.all.is_hidden() => drop(display.all.println(text)),
            _ => drop(writeln!(self.out, "{text}")),
        }
    }
}

impl Display {
    fn new() -> Display {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let overview = all.add(ProgressBar::new(0));
        let template = "{pos}/{len} steps, {msg}{elapsed}";
        overview.set_style(ProgressStyle::with_template(template).expect("a valid template"));
        overview.enable_steady_tick(REDRAW);
        Display { all, overview, steps: BTreeMap::new(), cached: 0 }
    }

    fn start(&mut self, id: StepId, label: &str) {
        if self.steps.len() >= SHOWN_STEPS || self.steps.contains_key(&id) {
            return;
        }
        let bar = self.all.add(ProgressBar::new_spinner());
        bar.set_style(ProgressStyle::with_template("  {spinner} {elapsed:>4} {wide_msg}").expect("a valid template"));
        bar.set_message(label.to_owned());
        bar.enable_steady_tick(REDRAW);
        self.steps.insert(id, bar);
    }

    fn end(&mut self, id: StepId, is_cached: bool, running: usize) {
        if let Some(bar) = self.steps.remove(&id) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
        self.cached += u64::from(is_cached);
        self.overview.inc(1);
        self.overview.set_message(format!("{} cached, {running} running, ", self.cached));
    }

    fn clear(&self) {
        for bar in self.steps.values() {
            bar.finish_and_clear();
        }
        self.overview.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Exit, Outcome};
    use crate::base::Digest;

    /// Keeps what was written.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
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
            began_with: None,
        };
        Event::Finished { id: StepId::new(number), label: label.into(), origin, outcome }
    }

    #[test]
    fn plain_lines_tell_what_really_ran() {
        let paper = Paper::default();
        let console = Console::with(false, Box::new(paper.clone()));
        console.expect(4);
        console.event(&Event::Started { id: StepId::new(0), label: "test a".into() });
        console.event(&finished(0, "test a", Origin::Ran));
        console.event(&finished(1, "test b", Origin::Cached));
        console.event(&Event::Done { id: StepId::new(2), label: "fetch c".into() });
        console.event(&Event::Failed { id: StepId::new(3), label: "fetch d".into(), message: "not there".into() });
        console.event(&Event::CleaningUp { labels: vec!["test e".into()] });
        console.finish();
        let written = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            written,
            "Completed: test a in 1.50s\nFailed: fetch d\n\
             Interrupted. Waiting for these to clean up; interrupt again to kill them:\n  test e\n"
        );
    }

    #[test]
    fn events_may_come_in_any_order_and_from_any_thread() {
        let console = Console::with(true, Box::new(std::io::sink()));
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
        assert_eq!(console.screen().running.len(), 0);
    }

    #[test]
    fn a_screen_that_is_gone_does_not_stop_the_run() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        Console::with(false, Box::new(Gone)).line("hello");
    }
}
