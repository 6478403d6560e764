//! The licences that the metadata of a wheel names.

use std::collections::BTreeSet;

/// One licence, as the metadata names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Licence {
    /// An SPDX expression (`License-Expression`, PEP 639).
    Expression(String),
    /// A name (`License`, or a classifier).
    Name(String),
}

/// A longer `License` is a whole licence text, which is no name.
const LONGEST_NAME_BYTES: usize = 100;

const CLASSIFIER: &str = "License ::";

impl Licence {
    /// The licences in the text of a file `METADATA`: the expression if there is one, else the classifiers, else the name.
    pub fn parse(metadata: &str) -> Vec<Licence> {
        let headers = metadata.lines().take_while(|line| !line.trim().is_empty());
        let fields: Vec<(&str, &str)> = headers.filter_map(|line| line.split_once(':')).collect();
        let values = |wanted: &str| -> Vec<&str> {
            let is_wanted = |(name, _): &&(&str, &str)| name.eq_ignore_ascii_case(wanted);
            fields.iter().filter(is_wanted).map(|(_, value)| value.trim()).filter(|value| !value.is_empty()).collect()
        };
        if let Some(expression) = values("License-Expression").first() {
            return vec![Licence::Expression((*expression).to_owned())];
        }
        let classifiers = values("Classifier").into_iter().filter_map(|value| value.strip_prefix(CLASSIFIER));
        let named: BTreeSet<&str> = classifiers.filter_map(|value| Some(value.rsplit("::").next()?.trim())).collect();
        // `License :: OSI Approved` alone names none.
        let named: Vec<&str> = named.into_iter().filter(|name| !["", "OSI Approved"].contains(name)).collect();
        let names = if named.is_empty() { values("License") } else { named };
        let is_name = |name: &&str| name.len() <= LONGEST_NAME_BYTES && !name.eq_ignore_ascii_case("UNKNOWN");
        names.into_iter().filter(is_name).map(|name| Licence::Name(name.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(metadata: &str, expected: &[Licence]) {
        assert_eq!(Licence::parse(metadata), expected, "{metadata}");
    }

    fn name(text: &str) -> Licence {
        Licence::Name(text.to_owned())
    }

    #[test]
    fn the_most_exact_field_is_used() {
        let classifiers = "Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: OSI Approved\n";
        check("Name: a\nLicense: MIT\n", &[name("MIT")]);
        check(&format!("License: see LICENSE\n{classifiers}"), &[name("MIT License")]);
        let expression = Licence::Expression("MIT OR Apache-2.0".to_owned());
        check(&format!("License-Expression: MIT OR Apache-2.0\n{classifiers}"), &[expression]);
    }

    #[test]
    fn a_text_without_a_name_gives_none() {
        check("Name: a\n\nLicense: in the description\n", &[]);
        check(&format!("License: {}\n", "text ".repeat(50)), &[]);
        check("License: UNKNOWN\nlicense:\nno field", &[]);
    }
}
