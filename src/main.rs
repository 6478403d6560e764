//! The `waders` command.

use waders::cli::dispatch;
use waders::config::Environment;

/// Loading a repository allocates hundreds of thousands of small values on all cores, for which the C library's allocator
/// is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::print_stderr, reason = "no user interface exists without an environment")]
fn main() {
    // This must come first: the program is also its own spawner, which must be single-threaded.
    waders_sandbox::spawner_main_if_asked();
    waders_sandbox::change_surroundings_if_asked();
    let environment = match Environment::from_process() {
        Ok(environment) => environment,
        Err(error) => {
            eprintln!("error: cannot find the current directory\n  caused by: {error}");
            std::process::exit(1);
        }
    };
    let argv: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let environment = Environment { argv: argv.clone(), ..environment };
    std::process::exit(dispatch::run(&argv, environment).into());
}
