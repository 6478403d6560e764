//! `[lint]`, `[fmt]`, `[fix]`, `[check]` and `[regex-lint]`: goals that call tools on files.

use std::time::Duration;

use serde_json::{Map, Value};

use super::section::Section;
use crate::config::Config;

/// How many files one process gets at most, unless something else is set.
const BATCH_SIZE: usize = 128;

/// What the sections of the goals that call tools have in common. An option that a goal does not have counts as unset.
#[derive(Clone, Debug)]
pub struct ToolGoalSettings {
    /// The tools to call; empty for all that are enabled.
    pub only: Vec<String>,
    /// The timeout of one process.
    pub timeout: Option<Duration>,
    /// Whether the first process that fails stops the others.
    pub fail_fast: bool,
    /// Whether results are printed as JSON.
    pub json: bool,
    /// The file for findings in SARIF; `{distdir}` stands for the directory for results.
    pub sarif: Option<String>,
    /// The file for findings in GitLab's format; `{distdir}` stands for the directory for results.
    pub code_quality: Option<String>,
    batch_size: usize,
    /// Whether the user left the batch size at its default.
    is_default_size: bool,
}

impl ToolGoalSettings {
    /// Parses the section of a goal.
    pub fn parse(config: &Config, goal: &str) -> ToolGoalSettings {
        let section = Section::new(config, goal);
        let has_size = section.has("batch_size");
        ToolGoalSettings {
            only: section.texts("only"),
            timeout: section.has("timeout").then(|| section.seconds("timeout")).flatten(),
            fail_fast: section.has("fail_fast") && section.flag("fail_fast"),
            json: section.has("json") && section.flag("json"),
            sarif: section.has("sarif").then(|| section.text("sarif")).flatten(),
            code_quality: section.has("code_quality").then(|| section.text("code_quality")).flatten(),
            batch_size: has_size.then(|| section.count("batch_size")).flatten().unwrap_or(BATCH_SIZE),
            is_default_size: !has_size || config.is_default(goal, "batch_size"),
        }
    }

    /// How many files one process gets at most: `own`, which is the tool's, unless the user sets a smaller number.
    pub fn batch_size(&self, own: Option<usize>) -> usize {
        match own {
            Some(own) if self.is_default_size => own,
            Some(own) => own.min(self.batch_size),
            None => self.batch_size,
        }
    }
}

/// The section `[lint]`, as far as other goals do not have its options.
#[derive(Clone, Copy, Debug)]
pub struct LintSettings {
    /// Whether fixers are left out.
    pub skip_fixers: bool,
    /// Whether formatters are left out.
    pub skip_formatters: bool,
}

impl LintSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> LintSettings {
        let section = Section::new(config, "lint");
        LintSettings { skip_fixers: section.flag("skip_fixers"), skip_formatters: section.flag("skip_formatters") }
    }
}

/// The section `[fix]`, as far as other goals do not have its options.
#[derive(Clone, Copy, Debug)]
pub struct FixSettings {
    /// Whether formatters are left out.
    pub skip_formatters: bool,
}

impl FixSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> FixSettings {
        FixSettings { skip_formatters: Section::new(config, "fix").flag("skip_formatters") }
    }
}

/// The section `[check]`, as far as other goals do not have its options.
#[derive(Clone, Copy, Debug)]
pub struct CheckSettings {
    /// Whether cached results and incremental state are ignored.
    pub force: bool,
    /// Whether each checker also runs without incremental state, to compare the results.
    pub verify: bool,
}

impl CheckSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> CheckSettings {
        let section = Section::new(config, "check");
        CheckSettings { force: section.flag("force"), verify: section.flag("verify") }
    }
}

/// The section `[regex-lint]`.
#[derive(Clone, Debug)]
pub struct RegexLintSettings {
    /// Whether it is left out of `lint`.
    pub skip: bool,
    /// `required_matches`, `path_patterns` and `content_patterns`; empty if it is not set up.
    pub config: Map<String, Value>,
    /// How much is printed: one of the words of the option table.
    pub detail_level: String,
}

impl RegexLintSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> RegexLintSettings {
        let section = Section::new(config, "regex-lint");
        RegexLintSettings {
            skip: section.flag("skip"),
            config: section.dict("config").clone(),
            detail_level: section.text_or("detail_level", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tools_own_batch_size_applies_unless_the_user_sets_a_smaller_one() {
        let check = |set: Option<usize>, own: Option<usize>, expected: usize| {
            let config = Config::of(set.map(|size| ("lint", "batch_size", json!(size))));
            assert_eq!(ToolGoalSettings::parse(&config, "lint").batch_size(own), expected, "{set:?} {own:?}");
        };
        check(None, None, 128);
        check(None, Some(320), 320);
        check(Some(1024), Some(320), 320);
        check(Some(16), Some(320), 16);
        check(Some(16), None, 16);
    }

    #[test]
    fn an_option_that_a_goal_does_not_have_counts_as_unset() {
        let check = ToolGoalSettings::parse(&Config::default(), "check");
        assert_eq!((check.timeout, check.batch_size(None)), (None, 128));
        assert_eq!(ToolGoalSettings::parse(&Config::default(), "fmt").sarif, None);
    }
}
