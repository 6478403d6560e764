//! The section `[verify]`.

use crate::config::Config;
use crate::config::typed::section::Section;

/// The section `[verify]`.
#[derive(Clone, Debug)]
pub struct VerifySettings {
    /// The goals whose steps are compared; empty for those that the targets offer.
    pub goals: Vec<String>,
    /// The names of conditions that the repeated run changes; empty for none.
    pub vary: Vec<String>,
    /// The directory with the results to compare with, instead of repeating the steps.
    pub against: Option<String>,
    /// Whether the comparison is printed as JSON.
    pub json: bool,
}

impl VerifySettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> VerifySettings {
        let section = Section::new(config, "verify");
        // `--vary=path,user` is one value.
        let names = |option: &str| {
            let values = section.texts(option);
            let names = values.iter().flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty());
            names.map(str::to_owned).collect()
        };
        VerifySettings {
            goals: names("goals"),
            vary: names("vary"),
            against: section.filled("against"),
            json: section.flag("json"),
        }
    }
}
