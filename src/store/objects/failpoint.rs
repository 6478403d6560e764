//! Places where a test may kill the process, to see what a crash leaves behind. Release builds hold none of this.

#[cfg(debug_assertions)]
static ARMED: std::sync::Mutex<Option<(String, u32)>> = std::sync::Mutex::new(None);

/// Kills this process by SIGKILL when the failpoint `name` is reached for the `nth` time, counted from 1.
#[cfg(debug_assertions)]
pub fn arm(name: &str, nth: u32) {
    *ARMED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some((name.to_owned(), nth));
}

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
            // Nothing can be done if the kill fails: the test that waits for it will say so.
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
