//! The request to stop, of the user or because a step failed. After the first request, no step starts, and running steps receive
//! SIGINT and have a grace period; after the second, they are killed. Signals are handled in `session`.

use std::sync::Arc;

use tokio::sync::watch;

/// How a run must stop, in increasing order of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CancelLevel {
    /// The run continues.
    None,
    /// Running steps are interrupted.
    Interrupt,
    /// Running steps are killed.
    Kill,
}

/// A request to stop that all steps of a run can observe. Clones share their state.
#[derive(Clone)]
pub struct Cancellation {
    state: Arc<watch::Sender<State>>,
    /// The requests for the whole run, if this is the part of one graph.
    run: Option<Arc<watch::Sender<State>>>,
}

#[derive(Clone, Copy)]
struct State {
    level: CancelLevel,
    /// The number of graphs that are being executed.
    executions: usize,
    /// Whether a program has the terminal.
    has_foreground: bool,
}

/// Counts as an execution until it is dropped.
pub struct ExecutionGuard(Cancellation);

impl Default for Cancellation {
    fn default() -> Cancellation {
        let state = State { level: CancelLevel::None, executions: 0, has_foreground: false };
        Cancellation { state: Arc::new(watch::Sender::new(state)), run: None }
    }
}

impl Cancellation {
    /// Raises the level by one.
    pub fn escalate(&self) {
        self.state.send_modify(|state| {
            state.level = if state.level == CancelLevel::None { CancelLevel::Interrupt } else { CancelLevel::Kill };
        });
    }

    /// A request to stop one graph. Requests to stop the run apply to it, too, but it does not stop the run.
    pub fn of_graph(&self) -> Cancellation {
        Cancellation { run: Some(self.state.clone()), ..Cancellation::default() }
    }

    /// Interrupts running steps, unless that was requested before.
    pub fn interrupt(&self) {
        self.state.send_if_modified(|state| {
            let is_first = state.level == CancelLevel::None;
            state.level = state.level.max(CancelLevel::Interrupt);
            is_first
        });
    }

    /// The current level.
    pub fn level(&self) -> CancelLevel {
        let of_run = self.run.as_ref().map_or(CancelLevel::None, |run| run.borrow().level);
        self.state.borrow().level.max(of_run)
    }

    /// Whether the run or the graph was requested to stop.
    pub fn is_requested(&self) -> bool {
        self.level() != CancelLevel::None
    }

    /// Marks the start of an execution; dropping the guard marks its end. The steps of an execution stop by themselves when the
    /// level is raised.
    pub fn execution(&self) -> ExecutionGuard {
        self.state.send_modify(|state| state.executions += 1);
        ExecutionGuard(self.clone())
    }

    /// Marks the start of a program outside the engine that has the terminal, and therefore receives its signals itself. There is
    /// no end: an interrupt that was for the program may be noticed here only after the program has ended.
    pub fn start_foreground(&self) {
        self.state.send_modify(|state| state.has_foreground = true);
    }

    /// Whether a program outside the engine has or had the terminal.
    pub fn has_foreground(&self) -> bool {
        self.state.borrow().has_foreground
    }

    /// Whether steps are being executed.
    pub fn is_executing(&self) -> bool {
        self.state.borrow().executions > 0
    }

    /// Resolves once the level exceeds `known`; pending forever for `Kill`.
    pub async fn exceeds(&self, known: CancelLevel) -> CancelLevel {
        match &self.run {
            None => exceeds(&self.state, known).await,
            Some(run) => tokio::select! {
                level = exceeds(&self.state, known) => level,
                level = exceeds(run, known) => level,
            },
        }
    }
}

async fn exceeds(state: &watch::Sender<State>, known: CancelLevel) -> CancelLevel {
    let mut watcher = state.subscribe();
    let state = watcher.wait_for(|state| state.level > known).await.map(|state| state.level);
    match state {
        Ok(level) => level,
        Err(_) => std::future::pending().await,
    }
}

impl Drop for ExecutionGuard {
    fn drop(&mut self) {
        self.0.state.send_modify(|state| state.executions -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_counted_until_their_guards_are_dropped() {
        let cancellation = Cancellation::default();
        let guards = [cancellation.execution(), cancellation.execution()];
        assert!(cancellation.is_executing() && !cancellation.is_requested());
        drop(guards);
        assert!(!cancellation.is_executing());
    }

    #[tokio::test]
    async fn a_graph_stops_with_the_run_but_not_the_run_with_a_graph() {
        let run = Cancellation::default();
        let graph = run.of_graph();
        graph.interrupt();
        graph.interrupt();
        assert_eq!((graph.level(), run.level()), (CancelLevel::Interrupt, CancelLevel::None));
        assert_eq!(run.of_graph().level(), CancelLevel::None);
        run.escalate();
        run.escalate();
        assert_eq!(graph.exceeds(CancelLevel::Interrupt).await, CancelLevel::Kill);
    }

    #[tokio::test]
    async fn the_second_request_is_a_kill() {
        let cancellation = Cancellation::default();
        cancellation.escalate();
        assert_eq!(cancellation.exceeds(CancelLevel::None).await, CancelLevel::Interrupt);
        cancellation.escalate();
        cancellation.escalate();
        assert_eq!(cancellation.exceeds(CancelLevel::Interrupt).await, CancelLevel::Kill);
    }
}
