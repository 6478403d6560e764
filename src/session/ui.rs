//! The user interface of a run: diagnostics and progress on standard error, data on standard output.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::base::Severity;
use crate::build_file::Diagnostic;
use crate::report::{Console, Diagnostics, IgnoredWarnings, Message, hyperlink};
use crate::session::Error;

/// What the terminal can show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether output is coloured.
    pub colour: bool,
    /// Whether it shows hyperlinks.
    pub hyperlinks: bool,
}

/// The one console of the process, and everything that was reported on it.
pub struct Ui {
    /// What is known of the terminal.
    pub terminal: Terminal,
    /// Progress and messages on standard error.
    pub console: Arc<Console>,
    diagnostics: Diagnostics,
    ignored: IgnoredWarnings,
    is_silent: bool,
    data_is_text: bool,
}

impl Ui {
    /// `dynamic`: whether the user wants a dynamic display, where the terminal can show it. `received` counts the bytes of
    /// downloads. Warnings that `ignored` matches are not shown.
    pub fn new(terminal: Terminal, dynamic: bool, received: Arc<AtomicU64>, ignored: IgnoredWarnings) -> Ui {
        let console = Arc::new(Console::new(terminal.stderr_is_terminal && dynamic, terminal.colour, received));
        Ui { terminal, console, diagnostics: Diagnostics::default(), ignored, is_silent: false, data_is_text: false }
    }

    /// From now on shows progress only. Messages are recorded.
    pub fn silence(&mut self) {
        self.is_silent = true;
    }

    /// Whether data goes to standard error from now on, because standard output is for another goal that runs this one.
    pub fn print_data_as_text(&mut self, yes: bool) {
        self.data_is_text = yes;
    }

    /// Reports an error and what to do about it.
    pub fn error(&self, text: &str, hint: Option<&str>) {
        self.report(Message::new(Severity::Error, text, hint));
    }

    /// Reports a warning.
    pub fn warn(&self, text: &str) {
        self.report(Message::new(Severity::Warning, text, None));
    }

    /// Reports a warning and what to do about it.
    pub fn warn_with_hint(&self, text: &str, hint: &str) {
        self.report(Message::new(Severity::Warning, text, Some(hint)));
    }

    /// Reports something that the user should know and need not act on, or should act on later.
    pub fn note(&self, text: &str, hint: Option<&str>) {
        self.report(Message::new(Severity::Note, text, hint));
    }

    /// Reports what is wrong in a file of the repository.
    pub fn report_diagnostic(&self, diagnostic: &Diagnostic) {
        self.report(Message::new(diagnostic.severity, &diagnostic.to_string(), diagnostic.hint.as_deref()));
    }

    /// Shows a message unless the same was shown before.
    pub fn report(&self, message: Message) {
        if self.ignored.matches(&message) {
            tracing::debug!("warning ignored: {}", message.text);
            return;
        }
        match message.severity {
            Severity::Error => tracing::error!("{}", message.text),
            Severity::Warning => tracing::warn!("{}", message.text),
            Severity::Note => tracing::info!("{}", message.text),
        }
        let text = message.render(self.terminal.colour);
        if self.diagnostics.record(message) && !self.is_silent {
            self.console.text(&text);
        }
    }

    /// Records a message that an earlier run showed, and from which nothing has changed since. It is not shown again.
    pub fn recall(&self, message: Message) {
        self.diagnostics.record_unshown(message);
    }

    /// Everything that was reported so far, in order.
    pub fn reported(&self) -> Vec<Message> {
        self.diagnostics.all()
    }

    /// Writes a line or a block about results to standard error, such as a summary.
    pub fn summary(&self, text: &str) {
        if !self.is_silent {
            self.console.line(text);
        }
    }

    /// A text that opens a file, if the terminal shows hyperlinks; otherwise the text. The path is absolute.
    pub fn link(&self, text: &str, path: &Path) -> String {
        if self.terminal.hyperlinks { hyperlink::to_file(text, path) } else { text.to_owned() }
    }

    /// Writes text that ends its own lines to standard error, such as the output of a tool.
    pub fn text(&self, text: &str) {
        if !text.is_empty() && !self.is_silent {
            self.console.text(text);
        }
    }

    /// Writes data to standard output.
    pub fn print(&self, text: &str) -> Result<(), Error> {
        if self.is_silent || self.data_is_text {
            self.text(text);
            return Ok(());
        }
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            // A reader that closed its end, such as `head`, is not a failure.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(|source| Error::Output { path: "standard output".into(), source }),
        }
    }
}
