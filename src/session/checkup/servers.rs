//! Servers: the mirror of packages with its keyring, package indexes, and the remote cache. Each is asked by a thread of its own, whose
//! answer is awaited for a limited time. Passwords in addresses are not shown.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Check;
use crate::base::{ErrorKind, error_chain};
use crate::config::index::IndexUrl;
use crate::config::typed::SystemSettings;
use crate::engine::remote::Connection;
use crate::net::{self, Client, NetworkSettings};
use crate::session::remote::connection_settings;
use crate::session::toolchains::{LOCK, PLATFORM, machine};
use crate::session::{Context, Session, without_credentials};
use crate::store::Store;
use crate::toolchain::{Lock, ToolchainSettings, debian};

/// How long all servers together may take.
const LIMIT: Duration = Duration::from_secs(6);

/// How long the archive may take if its keys are in one of its packages, which is found in a list of several megabytes.
const KEYRING_LIMIT: Duration = Duration::from_secs(20);

/// A limit on connecting, and on each read.
const PATIENCE: Duration = Duration::from_secs(4);

/// A server that answers more slowly delays runs.
const SLOW: Duration = Duration::from_secs(2);

/// A project that most indexes have. That one has it not is no failure.
const PROJECT: &str = "pip";

/// A server that was asked.
pub(super) struct Question {
    name: String,
    kind: ErrorKind,
    asked: Instant,
    limit: Duration,
    answer: Receiver<Check>,
}

impl Question {
    fn ask(name: &str, kind: ErrorKind, work: impl FnOnce(&str) -> Check + Send + 'static) -> Question {
        let (sender, answer) = channel();
        let asked = now();
        let question = Question { name: name.to_owned(), kind, asked, limit: LIMIT, answer };
        let name = name.to_owned();
        // The thread outlives this question if the server does not answer in time. Nobody waits for it.
        thread::spawn(move || sender.send(work(&name)));
        question
    }

    /// Waits for the answer, but not longer than the limit after the question.
    pub(super) fn answer(self) -> Check {
        match self.answer.recv_timeout(self.limit.saturating_sub(self.asked.elapsed())) {
            Ok(check) => check,
            Err(RecvTimeoutError::Disconnected) => {
                Check::failed(&self.name, ErrorKind::Bug, "the check ended early", None)
            }
            Err(RecvTimeoutError::Timeout) => {
                let detail = format!("no answer within {} seconds", self.limit.as_secs());
                let advice = "check the network connection and the proxy settings".to_owned();
                Check::failed(&self.name, self.kind, detail, Some(advice))
            }
        }
    }
}

/// Asks all servers of the settings.
pub(super) fn ask(session: &mut Session) -> Vec<Question> {
    let context = session.context.clone();
    let client = context.http_client_with(|settings| NetworkSettings {
        attempts: 1,
        connect_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        ..settings
    });
    // Without a store, the check of the store says why.
    let store = session.services.open_store().ok();
    let mut questions: Vec<Question> =
        store.into_iter().map(|store| mirror(context.clone(), client.clone(), store)).collect();
    match context.package_indexes() {
        Ok(indexes) if indexes.indexes.is_empty() && indexes.find_links.is_empty() => {}
        Ok(indexes) => {
            let name = |kind: &str, place: &IndexUrl| format!("{kind} `{}`", without_credentials(&place.url));
            for place in indexes.indexes {
                questions.push(page(
                    &name("index", &place),
                    net::project_url(&place.url, PROJECT),
                    place.named_by,
                    client.clone(),
                ));
            }
            for place in indexes.find_links {
                let url = if place.url.starts_with('/') { format!("file://{}", place.url) } else { place.url.clone() };
                questions.push(page(&name("packages in", &place), url, place.named_by, client.clone()));
            }
        }
        Err(error) => {
            let check = Check::from_error("package indexes", ErrorKind::Mistake, &error, error.hint());
            questions.push(Question::ask("package indexes", ErrorKind::Mistake, |_| check));
        }
    }
    questions.extend(remote_cache(session));
    questions
}

/// The signed head of the archive of system packages. Without it, nothing new can be locked.
fn mirror(context: Arc<Context>, client: Client, store: Arc<Store>) -> Question {
    let finds_keys = !SystemSettings::parse(&context.config).key_fingerprints.is_empty();
    let limit = if finds_keys { KEYRING_LIMIT } else { LIMIT };
    let question = Question::ask("system packages", ErrorKind::Unavailable, move |name| {
        let started = now();
        let settings = ToolchainSettings::from_config(&context.config, &machine(&context));
        let head = settings.and_then(|settings| debian::check_head(&settings.debian, &client, &store, PLATFORM));
        let lock = Lock::load(&context.tracker, &context.build_root.join(LOCK));
        let is_locked = lock.is_ok_and(|lock| !lock.records().is_empty());
        match head {
            // How long it takes to find keys in the archive says little about its server.
            Ok(head) if finds_keys => Check::fine(name, head),
            Ok(head) => timed(name, head, started.elapsed()),
            Err(error) if is_locked => {
                let detail =
                    format!("{}; packages that are locked and in the store remain usable", error_chain(&error));
                Check::warning(name, detail, error.hint().unwrap_or_default())
            }
            Err(error) => Check::from_error(name, error.kind(), &error, error.hint()),
        }
    });
    Question { limit, ..question }
}

/// A page of an index. Another status than success shows that the server is reachable and has no such project.
fn page(name: &str, url: String, named_by: String, client: Client) -> Question {
    Question::ask(name, ErrorKind::Unavailable, move |name| {
        let started = now();
        match client.listing(&url) {
            Ok(_) => timed(name, format!("reachable ({named_by})"), started.elapsed()),
            Err(error) if error.is_absent() && !url.starts_with("file:") => {
                timed(name, format!("reachable, without the project `{PROJECT}` ({named_by})"), started.elapsed())
            }
            Err(error) => Check::from_error(name, error.kind(), &error, error.hint(Some(&named_by))),
        }
    })
}

/// What the server of the remote cache supports. A run without it works, only slower.
fn remote_cache(session: &Session) -> Option<Question> {
    let connection = Connection::new(connection_settings(&session.context)?);
    let address = without_credentials(&connection.address());
    let runtime = session.services.runtime().handle().clone();
    Some(Question::ask(&format!("remote cache `{address}`"), ErrorKind::Unavailable, move |name| {
        let started = now();
        match runtime.block_on(connection.capabilities()) {
            Ok(_) => timed(name, "reachable".to_owned(), started.elapsed()),
            Err(error) => {
                let advice = "check `address`, `token` and the certificates in the section `[remote]`; runs work without the cache";
                Check::warning(name, error_chain(&error), advice)
            }
        }
    }))
}

fn timed(name: &str, detail: String, elapsed: Duration) -> Check {
    let detail = format!("{detail}, {} ms", elapsed.as_millis());
    match elapsed > SLOW {
        true => Check::warning(
            name,
            detail,
            "the server is slow: a mirror or a proxy that is closer makes first runs faster",
        ),
        false => Check::fine(name, detail),
    }
}

#[expect(clippy::disallowed_methods, reason = "the report contains how long a server took to answer")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::super::CheckState;
    use super::*;

    #[test]
    fn a_server_that_never_answers_is_not_awaited_forever() {
        let question = Question::ask("slow", ErrorKind::Unavailable, |name| {
            thread::sleep(LIMIT * 10);
            Check::fine(name, "")
        });
        let question = Question { asked: question.asked.checked_sub(LIMIT).unwrap(), ..question };
        assert_eq!(question.answer().state, CheckState::Failed(ErrorKind::Unavailable));
    }

    #[test]
    fn a_slow_server_is_a_warning() {
        assert_eq!(timed("index", "reachable".to_owned(), SLOW * 2).state, CheckState::Warning);
        assert_eq!(timed("index", "reachable".to_owned(), SLOW / 2).state, CheckState::Fine);
    }
}
