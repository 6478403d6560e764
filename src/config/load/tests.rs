//! Precedence, merging and messages, with settings files in a temporary directory.

use serde_json::json;

use super::*;
use crate::config::Environment;

/// The inputs of a test: settings files, environment variables, flags and arguments after `--`.
#[derive(Default)]
struct Case<'a> {
    files: &'a [(&'a str, &'a str)],
    vars: &'a [(&'a str, &'a str)],
    flags: &'a [(&'a str, &'a str, &'a str)],
    passthrough: &'a [&'a str],
    receiver: Option<&'a str>,
}

impl Case<'_> {
    fn load(&self) -> Result<(Config, Vec<Warning>), Error> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in self.files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let vars = self.vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment =
            Environment { vars, home: Some("/home/u".into()), cwd: dir.path().to_owned(), ..Environment::default() };
        let flag = |(scope, option, value): &(&str, &str, &str)| Flag {
            scope: (*scope).to_owned(),
            option: (*option).to_owned(),
            value: (*value).to_owned(),
            spelling: format!("--{scope}-{option}={value}"),
        };
        let flags: Vec<Flag> = self.flags.iter().map(flag).collect();
        let passthrough: Vec<String> = self.passthrough.iter().map(|word| (*word).to_owned()).collect();
        let settings = SettingsSources::read(environment, dir.path().to_owned(), &flags)?;
        Config::load(&settings, &flags, &passthrough, self.receiver)
    }

    fn check(&self, scope: &str, option: &str, expected: Value) {
        let (config, _) = self.load().unwrap();
        assert_eq!(*config.value(scope, option), expected, "[{scope}] {option}");
    }

    fn error(&self) -> Error {
        self.load().unwrap_err()
    }
}

fn with_files<'a>(files: &'a [(&'a str, &'a str)]) -> Case<'a> {
    Case { files, ..Case::default() }
}

fn load_file(text: &str) -> (Config, Vec<Warning>) {
    with_files(&[("pants.toml", text)]).load().unwrap()
}

#[test]
fn without_any_source_the_default_is_used() {
    Case::default().check("test", "output", json!("failed"));
    Case::default().check("test", "report_dir", json!("dist/test/reports"));
    Case::default().check("python", "interpreter_constraints", Value::Null);
}

#[test]
fn flags_override_the_environment_which_overrides_rc_files_which_override_other_files() {
    let files = [
        ("pants.toml", "[test]\noutput = 'none'\ntimeout_default = 1\nattempts_default = 1\nshard = '1'"),
        ("waders.toml", "[test]\nshard = '2'"),
        ("pants.ci.toml", "[test]\ntimeout_default = 2\nattempts_default = 2"),
        (".pants.rc", "[test]\nattempts_default = 3\nbatch_size = 3\nreport_dir = 'rc'"),
    ];
    let case = Case {
        files: &files,
        vars: &[
            ("PANTS_CONFIG_FILES", "pants.ci.toml"),
            ("PANTS_TEST_BATCH_SIZE", "4"),
            ("PANTS_TEST_REPORT_DIR", "env"),
        ],
        flags: &[("test", "report_dir", "flag")],
        passthrough: &[],
        receiver: None,
    };
    case.check("test", "output", json!("none"));
    case.check("test", "shard", json!("2"));
    case.check("test", "timeout_default", json!(2));
    case.check("test", "attempts_default", json!(3));
    case.check("test", "batch_size", json!(4));
    case.check("test", "report_dir", json!("flag"));
}

#[test]
fn rc_files_can_be_disabled() {
    let files = [("pants.toml", ""), (".pants.rc", "[test]\noutput = 'all'")];
    let vars = [("PANTS_PANTSRC", "false")];
    Case { files: &files, vars: &vars, ..Case::default() }.check("test", "output", json!("failed"));
    Case { files: &files, flags: &[("GLOBAL", "pantsrc", "false")], ..Case::default() }.check(
        "test",
        "output",
        json!("failed"),
    );
}

#[test]
fn a_list_of_settings_files_in_brackets_replaces_the_default_one() {
    let files = [("pants.toml", "[test]\noutput = 'all'"), ("b.toml", "[test]\nshard = 'b'")];
    let case = Case { files: &files, vars: &[("PANTS_CONFIG_FILES", "['b.toml']")], ..Case::default() };
    case.check("test", "output", json!("failed"));
    case.check("test", "shard", json!("b"));
}

#[test]
fn a_named_settings_file_must_exist() {
    let error = Case { vars: &[("PANTS_CONFIG_FILES", "gone.toml")], ..Case::default() }.error();
    assert!(error.to_string().contains("gone.toml"), "{error}");
}

#[test]
fn lists_are_extended_by_each_source() {
    let files = [("pants.toml", "[GLOBAL]\npants_ignore.add = ['a']\n[test]\nextra_env_vars = ['A']")];
    let case = Case {
        files: &files,
        vars: &[("PANTS_TEST_EXTRA_ENV_VARS", "B=1,2")],
        flags: &[("test", "extra_env_vars", "C"), ("test", "extra_env_vars", "-['A']")],
        passthrough: &[],
        receiver: None,
    };
    case.check("GLOBAL", "pants_ignore", json!([".*/", "/dist/", "__pycache__", "!.semgrep/", "!.github/", "a"]));
    case.check("test", "extra_env_vars", json!(["B=1,2", "C"]));
}

#[test]
fn a_later_file_replaces_a_list() {
    let files = [("pants.toml", "[pytest]\nargs = ['-v', \"-m 'not slow'\"]"), ("ci.toml", "[pytest]\nargs = ['-q']")];
    with_files(&files).check("pytest", "args", json!(["-v", "-m", "not slow"]));
    Case { files: &files, vars: &[("PANTS_CONFIG_FILES", "ci.toml")], ..Case::default() }.check(
        "pytest",
        "args",
        json!(["-q"]),
    );
}

#[test]
fn arguments_after_two_dashes_are_appended_to_passthrough_options() {
    let files = [("pants.toml", "[pytest]\nargs = ['-v']")];
    let case = Case { files: &files, passthrough: &["-k", "a b"], ..Case::default() };
    case.check("pytest", "args", json!(["-v", "-k", "a b"]));
    case.check("run", "args", json!(["-k", "a b"]));
    case.check("mypy", "args", json!([]));
}

#[test]
fn arguments_after_two_dashes_can_be_for_one_section_alone() {
    let files = [("pants.toml", "[pytest]\nargs = ['-v']")];
    let case = Case { files: &files, passthrough: &["-k"], receiver: Some("shell"), ..Case::default() };
    case.check("shell", "command", json!(["-k"]));
    case.check("pytest", "args", json!(["-v"]));
}

#[test]
fn placeholders_refer_to_built_in_names_defaults_and_the_same_section() {
    let text = "[DEFAULT]\nbase = '%(homedir)s/x'\n[GLOBAL]\nlogdir = '%(base)s/%(env.WHO)s'\n\
                [pytest]\njunit_family = 'f'\nconfig = '%(junit_family)s'\n\
                [test]\nextra_env_vars = ['ROOT=%(buildroot)s']";
    let case = Case { files: &[("pants.toml", text)], vars: &[("WHO", "me")], ..Case::default() };
    case.check("GLOBAL", "logdir", json!("/home/u/x/me"));
    case.check("pytest", "config", json!("f"));
    case.check("test", "extra_env_vars", json!(["ROOT=/src"]));
    let (config, _) = load_file("[GLOBAL]\nlocal_execution_root_dir = '%(buildroot)s/.tmp'");
    let dir = config.text("GLOBAL", "local_execution_root_dir").unwrap();
    assert!(dir.starts_with('/') && dir.ends_with("/.tmp") && !dir.starts_with("/src"), "{dir}");
}

#[test]
fn an_unknown_placeholder_is_an_error_only_for_a_reader_of_the_option() {
    let (config, _) = load_file("[test]\n\nshard = '%(env.NOPE)s'");
    assert_eq!(config.text("test", "output"), Some("failed"));
    assert!(config.undefined_read().is_none());
    assert_eq!(config.text("test", "shard"), Some(""));
    let error = config.undefined_read().unwrap();
    assert_eq!(error.to_string(), "pants.toml:3:1: option `shard` of `[test]`: `%(env.NOPE)s` is not defined");
    assert_eq!(error.hint().unwrap(), "set the environment variable `NOPE`");
}

#[test]
fn the_default_section_applies_to_every_section() {
    let (config, warnings) = load_file("[DEFAULT]\nskip = true\n[black]\nskip = false");
    assert!(config.flag("mypy", "skip") && !config.flag("black", "skip"));
    assert_eq!(warnings, []);
}

#[test]
fn dicts_are_read_from_tables_and_text() {
    let (config, _) = load_file(
        "[python]\nresolves_to_interpreter_constraints = \"{'k': ['>=3.9']}\"\n[python.resolves]\nb = '1'\na = '2'",
    );
    assert_eq!(
        Value::from(config.dict("python", "resolves_to_interpreter_constraints").clone()),
        json!({"k": [">=3.9"]})
    );
    assert_eq!(config.dict("python", "resolves").keys().collect::<Vec<_>>(), ["b", "a"]);
}

#[test]
fn values_are_read_from_files() {
    let files =
        [("pants.toml", "[docker]\nbuild_args = '@args.json'\n[test]\nshard = '@?gone'"), ("args.json", "[\"A=1\"]")];
    with_files(&files).check("docker", "build_args", json!(["A=1"]));
    with_files(&files).check("test", "shard", json!(""));
}

#[test]
fn old_names_are_accepted_and_current_names_have_precedence() {
    let (config, warnings) = load_file(
        "[python-setup]\nenable_resolves = true\n[pytest]\ntimeout_default = 300\n[GLOBAL]\nprocess_cleanup = false",
    );
    assert!(config.flag("python", "enable_resolves"));
    assert_eq!(config.integer("test", "timeout_default"), Some(300));
    assert_eq!(config.text("GLOBAL", "keep_sandboxes"), Some("always"));
    assert_eq!(warnings, []);
    let (config, _) = load_file("[pytest]\ntimeout_default = 300\n[test]\ntimeout_default = 1");
    assert_eq!(config.integer("test", "timeout_default"), Some(1));
}

#[test]
fn environment_variables_have_several_names() {
    let vars =
        [("PANTS_VERSION", "2.17.1"), ("PANTS_GLOBAL_LEVEL", "warn"), ("PANTS_TAG", "a"), ("WADERS_TEST_SHARD", "0/2")];
    let case = Case { vars: &vars, ..Case::default() };
    case.check("GLOBAL", "pants_version", json!("2.17.1"));
    case.check("GLOBAL", "level", json!("warn"));
    case.check("GLOBAL", "tag", json!(["a"]));
    case.check("test", "shard", json!("0/2"));
}

#[test]
fn unknown_settings_cause_one_warning() {
    let (_, warnings) = load_file("[towncirer]\nx = 1\n[test]\noutptu = 'all'\n[go-golang]\nskip = true");
    assert_eq!(warnings.len(), 1);
    let message = &warnings[0].message;
    assert!(
        message.contains("pants.toml:3:2") || message.contains("pants.toml:4:1: `outptu` of `[test]`"),
        "{message}"
    );
    assert!(message.contains("[towncirer]") && !message.contains("golang"), "{message}");
    assert_eq!(load_file("[GLOBAL]\nverify_config = false\n[towncirer]").1, []);
}

#[test]
fn an_unsupported_option_is_refused_in_a_flag_or_variable_and_causes_a_warning_in_a_file() {
    let (_, warnings) = load_file("[dependencies]\ntype = 'source'\n[yamllint]\nconfig_file_name = '.yamllint'");
    let texts: Vec<_> = warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        texts,
        [
            "unsupported setting without effect: pants.toml:2:1: `type` of `[dependencies]`: all dependencies are listed; \
          `filter` selects some of them by type"
        ]
    );
    let error = Case { flags: &[("dependencies", "type", "source")], ..Case::default() }.error();
    assert_eq!(
        error.to_string(),
        "flag `--dependencies-type=source`: option `type` of `[dependencies]` is not supported: all dependencies are listed; \
         `filter` selects some of them by type"
    );
    let error = Case { vars: &[("PANTS_DEPENDENCIES_TYPE", "source")], ..Case::default() }.error();
    assert!(error.to_string().starts_with("environment variable `PANTS_DEPENDENCIES_TYPE`: "), "{error}");
}

#[test]
fn an_option_without_effect_is_accepted_silently() {
    let case = Case {
        flags: &[("GLOBAL", "pantsd", "false")],
        ..with_files(&[("pants.toml", "[python]\npip_version = '24'")])
    };
    assert_eq!(case.load().unwrap().1, []);
}

#[test]
fn an_invalid_value_is_reported_with_origin_option_and_expected_values() {
    let error = with_files(&[("pants.toml", "[test]\noutput = 'fail'")]).error();
    assert_eq!(
        error.to_string(),
        "pants.toml:2:1: option `output` of `[test]`: `fail` is not one of `all`, `failed`, `none`"
    );
    let error = Case { vars: &[("PANTS_TEST_FORCE", "maybe")], ..Case::default() }.error();
    assert!(error.to_string().starts_with("environment variable `PANTS_TEST_FORCE`: option `force`"), "{error}");
    let error = Case { flags: &[("test", "timeout_default", "soon")], ..Case::default() }.error();
    assert!(error.to_string().starts_with("flag `--test-timeout_default=soon`"), "{error}");
}

#[test]
fn syntax_errors_are_reported_with_their_position() {
    for (text, start) in
        [("[test\n", "pants.toml:1:"), ("[test]\nx = \n", "pants.toml:2:"), ("x = 1\n", "pants.toml:1:1")]
    {
        let error = with_files(&[("pants.toml", text)]).error();
        assert!(error.to_string().starts_with(start), "{error}");
    }
}

const PROFILES: &str = "[test]\noutput = 'all'\ntimeout_default = 5\n[profile.ci.test]\noutput = 'none'\n[profile.slow.test]\ntimeout_default = 60\noutput = 'failed'\n";

#[test]
fn a_profile_has_precedence_over_files_but_not_over_variables_and_flags() {
    let files = [("waders.toml", PROFILES), (".pants.rc", "[test]\noutput = 'failed'")];
    let chosen = Case { flags: &[("GLOBAL", "profile", "ci")], ..with_files(&files) };
    chosen.check("test", "output", json!("none"));
    chosen.check("test", "timeout_default", json!(5));
    with_files(&files).check("test", "output", json!("failed"));
    let vars = [("WADERS_PROFILE", "ci"), ("PANTS_TEST_OUTPUT", "all")];
    Case { vars: &vars[..1], ..with_files(&files) }.check("test", "output", json!("none"));
    Case { vars: &vars, ..with_files(&files) }.check("test", "output", json!("all"));
    let flags = [("GLOBAL", "profile", "ci"), ("test", "output", "failed")];
    Case { flags: &flags, ..with_files(&files) }.check("test", "output", json!("failed"));
}

#[test]
fn of_several_profiles_the_last_one_has_precedence() {
    let files = [("waders.toml", PROFILES)];
    for (order, output) in [("['ci', 'slow']", "failed"), ("['slow', 'ci']", "none")] {
        let flags = [("GLOBAL", "profile", order)];
        let case = Case { flags: &flags, ..with_files(&files) };
        case.check("test", "output", json!(output));
        case.check("test", "timeout_default", json!(60));
    }
}

#[test]
fn the_profiles_of_several_files_are_combined() {
    let files = [("pants.toml", "[profile.ci.test]\nforce = true"), ("waders.toml", PROFILES)];
    let case = Case { flags: &[("GLOBAL", "profile", "ci")], ..with_files(&files) };
    case.check("test", "force", json!(true));
    case.check("test", "output", json!("none"));
}

#[test]
fn a_profile_that_does_not_exist_is_an_error_with_the_names_of_the_others() {
    let case = Case { flags: &[("GLOBAL", "profile", "CI")], ..with_files(&[("waders.toml", PROFILES)]) };
    assert_eq!(case.error().to_string(), "flag `--GLOBAL-profile=CI`: unknown profile `CI`");
    assert_eq!(case.error().hint().unwrap(), "known profiles: `ci`, `slow`");
    let case = Case { vars: &[("WADERS_PROFILE", "ci")], ..Case::default() };
    assert_eq!(case.error().to_string(), "environment variable `WADERS_PROFILE`: unknown profile `ci`");
    assert!(case.error().hint().unwrap().contains("[profile.ci.SECTION]"));
    let case = with_files(&[("waders.toml", "[GLOBAL]\nprofile = ['no']")]);
    assert!(case.error().to_string().starts_with("waders.toml:2:1: unknown profile `no`"));
}

#[test]
fn unknown_names_in_profiles_are_reported_once_with_their_place() {
    let files = [("waders.toml", "[profile.ci.test]\noutputs = 'all'\n[profile.ci.tset]\n")];
    for flags in [&[][..], &[("GLOBAL", "profile", "ci")][..]] {
        let (_, warnings) = Case { flags, ..with_files(&files) }.load().unwrap();
        let expected =
            "2 unknown settings, ignored:\n  waders.toml:2:1: `outputs` of `[test]`\n  waders.toml:3:13: [tset]";
        assert_eq!(warnings[0].message, expected);
    }
}

#[test]
fn a_profile_has_only_sections() {
    for (text, message) in [
        ("[profile.ci]\noutput = 'all'", "waders.toml:2:1: `output` of the profile `ci` is outside of any section"),
        ("[profile]\nci = 1", "waders.toml:2:1: `ci` of `[profile]` is not a profile"),
    ] {
        assert_eq!(with_files(&[("waders.toml", text)]).error().to_string(), message);
    }
}
