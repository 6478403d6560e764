//! Failpoints: a test can kill the process at named points, to examine the state after a crash. Release builds do nothing here.

#[cfg(debug_assertions)]
static ARMED: std::sync::Mutex<Option<(String, u32)>> = std::sync::Mutex::new(None);

/// Kills this process by SIGKILL when the failpoint `name` is reached for the `nth` time, counted from 1.
#[cfg(debug_assertions)]
pub fn arm(name: &str, nth: u32) {
    *ARMED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some((name.to_owned(), nth));
}

/// Marks the failpoint `name`.
pub(in crate::store) fn reach(name: &'static str) {
    #[cfg(debug_assertions)]
    {
        let mut armed = ARMED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Some((wanted, left)) = armed.as_mut() else { return };
        if wanted != name {
            return;
        }
        *left = left.saturating_sub(1);
        if *left == 0 {
            // An error is ignored: the test detects that the process was not killed.
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
