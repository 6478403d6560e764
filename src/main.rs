//! The `waders` command.

use waders::cli::dispatch;
use waders::config::Environment;

/// Loading a repository makes hundreds of thousands of small values on all cores, which the C library's allocator
/// slows down.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // Before anything else: this program is its own spawner, which must have no threads.
    waders_sandbox::spawner_main_if_asked();
    let environment = match Environment::from_process() {
        Ok(environment) => environment,
        Err(error) => {
            eprintln!("error: cannot find the current directory: {error}");
            std::process::exit(1);
        }
    };
    let argv: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    std::process::exit(dispatch::run(&argv, environment).into());
}
