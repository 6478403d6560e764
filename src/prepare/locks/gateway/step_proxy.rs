//! The proxy of one step. It remembers what the step asked for in vain.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::net;
use crate::net::proxy::{ProxyHandler, ProxyReply, ProxyRequest};
use crate::prepare::locks::gateway::addresses::without_credentials;
use crate::prepare::locks::gateway::{Failure, Gateway};

/// The proxy of one step.
pub(in crate::prepare::locks) struct StepProxy {
    pub(super) gateway: Arc<Gateway>,
    problems: Mutex<Problems>,
    has_answered: Arc<AtomicBool>,
}

/// What a step asked for in vain.
#[derive(Default)]
pub(in crate::prepare::locks) struct Problems {
    /// Pages and files that could not be fetched.
    pub failures: Vec<net::Error>,
    /// URLs and hosts that no index refers to.
    pub refused: BTreeSet<String>,
}

impl StepProxy {
    /// Nothing was asked for yet.
    pub(super) fn new(gateway: Arc<Gateway>) -> StepProxy {
        StepProxy { gateway, problems: Mutex::default(), has_answered: Arc::default() }
    }

    /// Set before the first answer.
    pub(super) fn has_answered(&self) -> Arc<AtomicBool> {
        self.has_answered.clone()
    }

    /// See [`Gateway::restored`].
    pub(in crate::prepare::locks) fn restored(&self, text: &str) -> String {
        self.gateway.restored(text)
    }

    /// What went wrong so far.
    pub(in crate::prepare::locks) fn take_problems(&self) -> Problems {
        std::mem::take(&mut *self.problems())
    }

    fn problems(&self) -> MutexGuard<'_, Problems> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProxyHandler for StepProxy {
    fn answer(&self, request: &ProxyRequest) -> ProxyReply {
        self.has_answered.store(true, Ordering::Release);
        match self.gateway.answer(request) {
            Ok(Some(reply)) => reply,
            Ok(None) => {
                let url = without_credentials(&request.url);
                let reply = ProxyReply::refusal(403, &format!("no configured package index lists `{url}`"));
                self.problems().refused.insert(url);
                reply
            }
            Err(Failure::Network(error)) => {
                let status = if let net::Error::Status { status, .. } = &error { *status } else { 502 };
                let reply = ProxyReply::refusal(status, &error.to_string());
                if !error.is_absent() {
                    self.problems().failures.push(error);
                }
                reply
            }
            Err(Failure::Store(error)) => ProxyReply::refusal(500, &error.to_string()),
            Err(Failure::Scratch(error)) => ProxyReply::refusal(500, &error.to_string()),
        }
    }

    fn refused_tunnel(&self, authority: &str) {
        self.has_answered.store(true, Ordering::Release);
        self.problems().refused.insert(authority.to_owned());
    }
}
