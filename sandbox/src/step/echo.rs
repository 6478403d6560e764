//! What a step prints, on the standard streams of `waders-step`: a worker can then pass it on while the step runs, and servers
//! that show the output of an action show that of the step. The step itself writes to files, as in a local run.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// The delay between two looks at the files.
const LOOK_DELAY: Duration = Duration::from_millis(100);

/// The bytes that are read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Of each stream, this much is passed on. Servers store it a second time, and the whole is part of the output.
const ECHOED_BYTES: u64 = 16 << 20;

/// Passes on what is written to the files of standard output and standard error while `wait` waits for the step.
pub(super) fn while_running<T>(files: [&File; 2], wait: impl FnOnce() -> T) -> T {
    let (end, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut echoes = [Echo::new(files[0], io::stdout()), Echo::new(files[1], io::stderr())];
            loop {
                let has_ended = ended.recv_timeout(LOOK_DELAY) != Err(RecvTimeoutError::Timeout);
                echoes.iter_mut().for_each(Echo::pass_on);
                if has_ended {
                    return;
                }
            }
        });
        let result = wait();
        drop(end);
        result
    })
}

struct Echo<'f> {
    file: &'f File,
    passed_bytes: u64,
    /// `None` after it could not be written.
    to: Option<Box<dyn Write>>,
}

impl<'f> Echo<'f> {
    fn new(file: &'f File, to: impl Write + 'static) -> Echo<'f> {
        Echo { file, passed_bytes: 0, to: Some(Box::new(to)) }
    }

    /// Passes on what is new. A worker that does not take it gets no more.
    fn pass_on(&mut self) {
        let mut buffer = vec![0; BUFFER_BYTES];
        while self.passed_bytes < ECHOED_BYTES
            && let Some(to) = &mut self.to
            && let Ok(count @ 1..) = self.file.read_at(&mut buffer, self.passed_bytes)
        {
            self.passed_bytes += count as u64;
            if to.write_all(&buffer[..count]).and_then(|()| to.flush()).is_err() {
                self.to = None;
            }
        }
    }
}
