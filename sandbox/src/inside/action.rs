//! The step's own first process, from its start to exec: gives up everything, in an order in which each line still may.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::OwnedFd;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, setsid};

use super::{House, Program, caps, landlock, limits};
use crate::error::{Cause, Doing};
use crate::{Error, Isolation, Request, sys};

/// What the step's descriptors 0, 1 and 2 become.
pub struct Files {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// Returns only with the reason why it could not execute.
pub fn start(request: &Request, files: Files, filter: Option<&Program>, house: House) -> Result<Infallible, Error> {
    let program = Executable::of(request)?;
    setsid().doing("start a session")?;
    sys::default_signals();
    umask(Mode::from_bits_truncate(0o022));
    take_files(files)?;
    limits::apply(&request.limits)?;
    if house == House::PidNamespace {
        caps::drop_all()?;
        if request.isolation == Isolation::Full {
            landlock::restrict(request)?;
        }
    }
    chdir(&request.cwd).doing_with(|| format!("enter `{}`", request.cwd.display()))?;
    if let Some(filter) = filter {
        filter.install()?;
    }
    program.execute()
}

fn take_files(files: Files) -> Result<(), Error> {
    dup2_stdin(&files.stdin).doing("take stdin")?;
    dup2_stdout(&files.stdout).doing("take stdout")?;
    dup2_stderr(&files.stderr).doing("take stderr")?;
    // The pipe for our own error stays open until exec; so do files, which exec closes too.
    sys::close_from_on_exec(3).doing("close what is not the step's")
}

/// Argument and environment strings, made before anything is given up.
struct Executable {
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Executable {
    fn of(request: &Request) -> Result<Executable, Error> {
        let text = |text: &str| {
            CString::new(text).map_err(|_| Error::Request(format!("`{}` holds a null byte", text.escape_debug())))
        };
        let path = request.argv.first().ok_or_else(|| Error::Request("argv is empty".to_owned()))?;
        let pair = |(name, value): (&String, &String)| match name.is_empty() || name.contains('=') {
            true => Err(Error::Request(format!("`{}` is no name for a variable", name.escape_debug()))),
            false => text(&format!("{name}={value}")),
        };
        Ok(Executable {
            path: text(path)?,
            argv: request.argv.iter().map(|word| text(word)).collect::<Result<_, _>>()?,
            env: request.env.iter().map(pair).collect::<Result<_, _>>()?,
        })
    }

    fn execute(self) -> Result<Infallible, Error> {
        execve(&self.path, &self.argv, &self.env).map_err(|error| Error::Exec {
            program: self.path.to_string_lossy().into_owned(),
            cause: Cause::from(error),
        })
    }
}
