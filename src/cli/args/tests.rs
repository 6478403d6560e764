//! Tests of the grammar of the command line.

use serde_json::json;

use super::*;

fn read(line: &str) -> Result<Args, Error> {
    let aliases =
        json!({"green": "lint --only=black test", "--all-changed": "--changed-since=HEAD", "python": "py -m a"});
    let aliases = Aliases::new(aliases.as_object().unwrap(), Table::get()).unwrap();
    let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    parse(&argv, Table::get(), &aliases, &|path| ["src", "tools"].contains(&path))
}

/// `goals | flags | specs | passthrough`.
fn check(line: &str, expected: &str) {
    let args = read(line).unwrap();
    let flags: Vec<String> =
        args.flags.iter().map(|flag| format!("{}.{}={}", flag.scope, flag.option, flag.value)).collect();
    let parts = [args.goals, flags, args.specs, args.passthrough].map(|part| part.join(" "));
    assert_eq!(parts.join(" | "), expected, "{line}");
}

fn check_help(line: &str, topics: &[&str], advanced: bool) {
    let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
    assert_eq!(read(line).unwrap().help, Some(Help::Topics { topics, advanced }), "{line}");
}

#[test]
fn goals_flags_specs_and_passthrough_are_distinguished() {
    check("test --debug src/a:: -- -k foo --bar", "test | test.debug=true | src/a:: | -k foo --bar");
    check("fmt lint ::", "fmt lint |  | :: | ");
    check("list src list tools", "list |  | src tools | ");
    check("--tag=wheel package src/a:dist", "package | GLOBAL.tag=wheel | src/a:dist | ");
}

#[test]
fn a_word_with_path_characters_or_an_existing_path_is_a_spec() {
    check("list src a/b c.py x: *.py //:r#k", "list |  | src a/b c.py x: *.py //:r#k | ");
    assert!(matches!(read("list nowhere"), Err(Error::UnknownGoals { .. })));
}

#[test]
fn a_directory_named_like_a_goal_needs_a_dot() {
    check("list test", "list test |  |  | ");
    check("list ./test", "list |  | ./test | ");
}

#[test]
fn verify_takes_the_goals_after_it() {
    check("verify lint --vary test ::", "verify | verify.goals=lint verify.vary=all verify.goals=test | :: | ");
    check("verify --json src", "verify | verify.json=true | src | ");
}

#[test]
fn audit_takes_the_goals_after_it() {
    check("audit lint --json test ::", "audit | audit.goals=lint audit.json=true audit.goals=test | :: | ");
    check("audit src", "audit |  | src | ");
}

#[test]
fn py_passes_every_word_after_it_on() {
    check("py -m pytest --help -k a -- b", "py |  |  | -m pytest --help -k a -- b");
    check("--tag=a py --resolve=x -c --resolve=y", "py | GLOBAL.tag=a py.resolve=x |  | -c --resolve=y");
    check("py -- x", "py |  |  | -- x");
    check("py green", "py |  |  | green");
    check("python --version", "py |  |  | -m a --version");
}

#[test]
fn goals_of_waders_alone_come_first_or_are_specs() {
    check("shell src -- ls -l", "shell |  | src | ls -l");
    let error = read("test shell py").unwrap_err();
    assert_eq!(error.to_string(), "unknown goals: `shell`, `py`");
}

#[test]
fn words_after_attest_are_goals_or_what_else_it_does() {
    check("attest src", "attest |  | src | ");
    check("attest package test ::", "attest | attest.goals=package attest.goals=test | :: | ");
    check("attest verify a.json --key=k", "attest | attest.operation=verify attest.key=k | a.json | ");
    check("attest keygen verify", "attest | attest.operation=keygen | verify | ");
    check("test attest ::", "test attest |  | :: | ");
}

#[test]
fn excluding_specs_begin_with_a_minus_or_an_exclamation_mark() {
    check("list :: -src/a:: !src/b -:c", "list |  | :: -src/a:: -src/b -:c | ");
}

#[test]
fn after_a_spec_only_global_flags_need_no_prefix() {
    check("test :: --tag=a --test-debug", "test | GLOBAL.tag=a test.debug=true | :: | ");
    let error = read("test :: --debug").unwrap_err();
    assert_eq!(error.to_string(), "unknown flag: `--debug`");
    assert!(error.hint().unwrap().contains("--test-debug"));
}

#[test]
fn a_flag_and_its_value_are_one_word() {
    let error = read("list --tag a ::").unwrap_err();
    assert_eq!(error.to_string(), "missing value of flag `--tag`");
    assert_eq!(error.hint().unwrap(), "write `--tag=VALUE`, without a space");
}

#[test]
fn levels_have_a_short_flag() {
    check("-ldebug list -l=warn ::", "list | GLOBAL.level=debug GLOBAL.level=warn | :: | ");
}

#[test]
fn aliases_are_replaced_before_the_dashes_only() {
    check("green :: -- green", "lint test | lint.only=black | :: | green");
    check("test --all-changed", "test | changed.since=HEAD |  | ");
}

#[test]
fn old_names_are_replaced_by_current_names() {
    check("dependees --transitive ::", "dependents | dependents.transitive=true | :: | ");
    check(
        "test --changed-since=a --changed-dependees=direct",
        "test | changed.since=a changed.dependents=direct |  | ",
    );
    check("lint --lint-per-file-caching ::", "lint | lint.per_file_caching=true | :: | ");
}

#[test]
fn unknown_words_are_reported_with_a_suggestion() {
    let error = read("tset lnit ::").unwrap_err();
    assert_eq!(error.to_string(), "unknown goals: `tset`, `lnit`");
    assert!(error.hint().unwrap().starts_with("did you mean `test`?"));
    assert_eq!(read("test --foo-bar --baz=1 ::").unwrap_err().to_string(), "unknown flags: `--foo-bar`, `--baz=1`");
}

#[test]
fn help_has_several_spellings() {
    check_help("help", &[], false);
    check_help("test --help", &["test"], false);
    check_help("-h lint", &["lint"], false);
    check_help("help python_tests pytest", &["python_tests", "pytest"], false);
    check_help("help-advanced test", &["test"], true);
    check_help("targets", &["targets"], false);
    check("list tools", "list |  | tools | ");
    assert_eq!(read("help-all").unwrap().help, Some(Help::All));
    for line in ["-V", "-v", "--version"] {
        assert_eq!(read(line).unwrap().help, Some(Help::Version));
    }
}

#[test]
fn words_for_pytest_are_refused_after_the_goal_test() {
    let error = read("test -v src:: -k login").unwrap_err();
    assert_eq!(error.to_string(), "`test` does not accept `-v`, `-k`, `login`");
    assert!(error.hint().unwrap().ends_with("write `test src:: -- -v -k login`"), "{error:?}");
    let error = read("test --lf src/a_test.py::test_b").unwrap_err();
    assert!(error.hint().unwrap().ends_with("write `test src/a_test.py::test_b -- --lf`"), "{error:?}");
    for line in ["list -v ::", "test -V", "test -h"] {
        assert!(read(line).unwrap().help.is_some(), "{line}");
    }
    check("test --output=all -ldebug -src :: -- -k a", "test | test.output=all GLOBAL.level=debug | -src :: | -k a");
}

#[test]
fn only_goals_that_run_tests_accept_names_of_tests() {
    for line in [
        "test a_test.py::test_b",
        "audit test a_test.py::test_b",
        "lint test a_test.py::T::test_b[1]",
        "shell a_test.py::test_b",
    ] {
        assert!(read(line).unwrap().specs[0].starts_with("a_test.py::"), "{line}");
    }
    for line in ["list a_test.py::test_b", "audit lint a_test.py::test_b", "attest test a_test.py::test_b"] {
        let error = read(line).unwrap_err();
        assert_eq!(error.hint().unwrap(), "write `a_test.py` for the file", "{line}");
    }
    assert_eq!(read("list a_test.py::").unwrap().specs, ["a_test.py::"]);
}

#[test]
fn completions_accepts_any_word() {
    check("completions bash", "completions |  | bash | ");
}

#[test]
fn empty_and_odd_words_do_not_panic() {
    for word in ["", "-", "--", "--=", "--=x", "---", "--no-", "-l", "-l=", "!", "é", "--é-é=é", "--test-", "=", "\0"]
    {
        let argv = ["test".to_owned(), word.to_owned()];
        let _ = parse(&argv, Table::get(), &Aliases::default(), &|_| false);
    }
}

#[test]
fn flags_that_name_settings_files_are_found_early() {
    let argv: Vec<String> = ["test", "--pants-config-files=ci.toml", "--tag=a", "--no-pantsrc", "--", "--pantsrc"]
        .map(str::to_owned)
        .into();
    let flags: Vec<String> = early_flags(&argv, Table::get()).into_iter().map(|flag| flag.spelling).collect();
    assert_eq!(flags, ["--pants-config-files=ci.toml", "--no-pantsrc"]);
}

#[test]
fn a_missing_goal_is_an_error_unless_the_command_line_is_empty() {
    for line in ["::", "src", "--level=debug", "-ldebug src/a.py", "-- x"] {
        let error = read(line).unwrap_err();
        assert_eq!(error, Error::NoGoal, "{line}");
        assert!(error.hint().unwrap().contains("`help goals`"), "{line}");
    }
    assert_eq!(read("").unwrap(), Args::default());
    assert!(matches!(read("src --no-such-flag"), Err(Error::UnknownFlags { .. })));
}
