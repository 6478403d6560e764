//! Reads the command line and the settings: everything that is known before a run starts.

use std::path::PathBuf;

use crate::cli::alias::Aliases;
use crate::cli::args::{self, Args};
use crate::cli::error::Error;
use crate::config::{Config, Environment, SettingsSources, Table, Warning, build_root};

/// A command line with its settings.
#[derive(Debug)]
pub struct Invocation {
    /// The parsed command line.
    pub args: Args,
    /// Settings files, environment variables and flags combined.
    pub config: Config,
    /// An absolute path.
    pub build_root: PathBuf,
    /// The environment of the process.
    pub environment: Environment,
    /// About settings, to be reported when the run starts.
    pub warnings: Vec<Warning>,
    /// The settings files that were read, absolute.
    pub settings_files: Vec<PathBuf>,
}

impl Invocation {
    /// A command line that is read without settings.
    fn without_settings(args: Args, environment: Environment) -> Invocation {
        let build_root = environment.cwd.clone();
        let (warnings, settings_files) = (Vec::new(), Vec::new());
        Invocation { args, config: Config::default(), build_root, environment, warnings, settings_files }
    }
}

/// The goals that need no repository and no settings.
const ANYWHERE: [&str; 3] = ["completions", "man-pages", "version"];

/// The goal that works in any directory, with the settings of a repository if it is in one. Otherwise they come from flags, variables
/// and the files of the user.
const IN_ANY_DIRECTORY: &str = "replay";

/// Reads a command line, which does not include the program's name. Aliases are defined in settings files and flags name
/// those files, so flags are parsed twice.
pub fn read(argv: &[String], environment: Environment) -> Result<Invocation, Error> {
    let table = Table::get();
    let bare = args::parse(argv, table, &Aliases::default(), &|_| true);
    // Help works outside a repository and in one with errors.
    if let Ok(args) = &bare
        && args.help.is_some()
    {
        return Ok(Invocation::without_settings(args.clone(), environment));
    }
    let build_root = match (build_root::find(&environment), bare) {
        (Ok(build_root), _) => build_root,
        (Err(_), Ok(args)) if args.goals.iter().all(|goal| ANYWHERE.contains(&goal.as_str())) => {
            return Ok(Invocation::without_settings(args, environment));
        }
        // The repository is not needed for checking an attestation.
        (Err(_), Ok(args)) if args.takes_files() => environment.cwd.clone(),
        // The store and the machine of the user have their default settings, apart from flags and variables.
        (Err(_), Ok(args)) if args.goals == ["store"] || args.goals == ["doctor"] => {
            let build_root = environment.cwd.clone();
            let settings = SettingsSources::without_files(environment, build_root.clone());
            let (config, warnings) = Config::load(&settings, &args.flags, &[], None)?;
            let (environment, settings_files) = (settings.environment, Vec::new());
            return Ok(Invocation { args, config, build_root, environment, warnings, settings_files });
        }
        (Err(_), Ok(args)) if args.goals == [IN_ANY_DIRECTORY] => environment.cwd.clone(),
        (Err(error), _) => return Err(error.into()),
    };
    let settings = SettingsSources::read(environment, build_root.clone(), &args::early_flags(argv, table))?;
    let aliases = Aliases::new(&settings.aliases()?, table)?;
    // Specs are relative to the current directory, but Pants also accepts words that exist below the build root.
    let exists = |word: &str| settings.environment.cwd.join(word).exists() || build_root.join(word).exists();
    let args = args::parse(argv, table, &aliases, &exists)?;
    let (config, warnings) = Config::load(&settings, &args.flags, &args.passthrough, receiver(&args))?;
    let settings_files = settings.files.iter().map(|file| build_root.join(&file.name)).collect();
    Ok(Invocation { args, config, build_root, environment: settings.environment, warnings, settings_files })
}

/// The section that alone gets the arguments after `--`: that of a goal that runs one program. A shell is in the sandbox of a
/// step, whose tool must not get them.
fn receiver(args: &Args) -> Option<&str> {
    match &args.goals[..] {
        [goal] if ["py", "repl", "replay", "run", "shell"].contains(&goal.as_str()) => Some(goal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_in(files: &[(&str, &str)], line: &str) -> Result<Invocation, Error> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        read(&argv, Environment { cwd: dir.path().to_owned(), ..Environment::default() })
    }

    #[test]
    fn aliases_may_be_defined_in_a_file_that_a_flag_names() {
        let files = [("pants.toml", ""), ("ci.toml", "[cli.alias]\nall-tests = 'test --force ::'")];
        let invocation = read_in(&files, "--pants-config-files=ci.toml all-tests").unwrap();
        assert_eq!(invocation.args.goals, ["test"]);
        assert!(invocation.config.flag("test", "force"));
    }

    #[test]
    fn help_works_without_a_valid_repository() {
        assert!(read_in(&[("pants.toml", "[")], "test --help").unwrap().args.help.is_some());
        assert!(read_in(&[], "--version").unwrap().args.help.is_some());
    }

    #[test]
    fn v_after_the_goal_test_does_not_request_the_version() {
        let error = read_in(&[("pants.toml", "")], "test -v ::").unwrap_err();
        assert!(error.hint().unwrap().ends_with("write `test :: -- -v`"), "{error}");
    }

    #[test]
    fn some_goals_work_outside_a_repository() {
        let check = |line: &str, expected: bool| assert_eq!(read_in(&[], line).is_ok(), expected, "{line}");
        check("version", true);
        check("completions zsh", true);
        check("man-pages man1", true);
        check("store gc --max-size=1GiB", true);
        check("store du list", true);
        check("store list", true);
        check("list store", false);
        check("doctor", true);
        check("", true);
        check("list ::", false);
        check("version list", false);
        check("replay one.bundle", true);
        check("list replay", false);
    }

    #[test]
    fn flags_of_replay_count_outside_a_repository() {
        let invocation = read_in(&[], "replay --shell ./one.bundle -- ls").unwrap();
        assert!(invocation.config.flag("replay", "shell"));
        assert_eq!(invocation.args.specs, ["./one.bundle"]);
    }

    #[test]
    fn an_invalid_alias_stops_the_run() {
        let error = read_in(&[("pants.toml", "[cli.alias]\ntest = 'lint'")], "test").unwrap_err();
        assert!(error.to_string().contains("`test`"), "{error}");
    }
}
