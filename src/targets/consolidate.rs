//! Sorts and merges the diagnostics of loading, so that their number stays readable. Diagnostics are created elsewhere.

use std::collections::BTreeMap;

use crate::base::RelPath;
use crate::build_file::{Diagnostic, Severity, Topic};

/// Sorts diagnostics by file and position, and removes duplicates. Only the first of several warnings with the same
/// message remains, and warnings about unknown names are merged by kind: a hundred files may use a plugin's target
/// type. `is_error` decides whether an unknown name of a kind, such as `target type`, is an error. Errors are not merged.
pub(super) fn consolidate(mut diagnostics: Vec<Diagnostic>, is_error: impl Fn(&str) -> bool) -> Vec<Diagnostic> {
    diagnostics.sort_by(|left, right| by_place(left).cmp(&by_place(right)));
    // Every BUILD file evaluates the preludes again and repeats their diagnostics.
    diagnostics.dedup();
    for diagnostic in &mut diagnostics {
        if matches!(diagnostic.topic, Topic::Unknown { what, .. } if is_error(what)) {
            diagnostic.severity = Severity::Error;
            let hint = "`[reading] unknown = \"warn\"` makes unknown names warnings";
            diagnostic.hint.get_or_insert_with(|| hint.to_owned());
        }
    }
    let is_warning_about_name = |found: &Diagnostic| !found.is_error() && matches!(found.topic, Topic::Unknown { .. });
    let (unknown, rest): (Vec<_>, Vec<_>) = diagnostics.into_iter().partition(is_warning_about_name);
    let mut all = [merge_unknown_names(unknown), merge_repeated(rest)].concat();
    all.sort_by(|left, right| by_place(left).cmp(&by_place(right)));
    all
}

/// `2 similar warnings omitted`.
fn omitted(count: usize) -> String {
    format!("{count} similar warning{} omitted", if count == 1 { "" } else { "s" })
}

fn by_place(diagnostic: &Diagnostic) -> (&RelPath, usize, usize, &str) {
    (&diagnostic.file, diagnostic.place.line, diagnostic.place.column, &diagnostic.message)
}

/// Merges warnings with the same message.
fn merge_repeated(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut result: Vec<Diagnostic> = Vec::new();
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for diagnostic in diagnostics {
        match seen.get_mut(&diagnostic.message).filter(|_| !diagnostic.is_error()) {
            Some((_, more)) => *more += 1,
            None => {
                seen.insert(diagnostic.message.clone(), (result.len(), 0));
                result.push(diagnostic);
            }
        }
    }
    for (index, more) in seen.into_values().filter(|(_, more)| *more > 0) {
        let message = &mut result[index].message;
        message.push_str(&format!("; {}", omitted(more)));
    }
    result
}

/// The first diagnostic about an unknown name, and the number of all of them.
struct Occurrences {
    first: Diagnostic,
    count: usize,
}

/// Merges warnings about unknown names into one for each kind of name.
fn merge_unknown_names(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut kinds: BTreeMap<&'static str, BTreeMap<String, Occurrences>> = BTreeMap::new();
    for diagnostic in diagnostics {
        let Topic::Unknown { what, name } = diagnostic.topic.clone() else { continue };
        let names = kinds.entry(what).or_default();
        let occurrences = names.entry(name).or_insert_with(|| Occurrences { first: diagnostic, count: 0 });
        occurrences.count += 1;
    }
    kinds.into_iter().map(|(what, names)| merge_names(what, names)).collect()
}

/// One warning about all unknown names of a kind.
fn merge_names(what: &str, names: BTreeMap<String, Occurrences>) -> Diagnostic {
    let hint = names.values().find_map(|occurrences| occurrences.first.hint.clone());
    if names.len() == 1
        && let Some((_, Occurrences { first, count })) = names.first_key_value()
    {
        let message = match count - 1 {
            0 => first.message.clone(),
            others => format!("{}; {}", first.message, omitted(others)),
        };
        return Diagnostic { message, ..first.clone() };
    }
    let mut message = format!("{} unknown {what}s, which have no effect:", names.len());
    for (name, Occurrences { first, count }) in &names {
        message.push_str(&format!("\n  {name} at {}:{}", first.file, first.place));
        if *count > 1 {
            message.push_str(&format!(" and {} more", count - 1));
        }
    }
    let first = names
        .into_values()
        .map(|occurrences| occurrences.first)
        .min_by(|left, right| by_place(left).cmp(&by_place(right)));
    let first = first.expect("every kind has at least one name");
    Diagnostic { message, hint, ..first }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Place;

    fn unknown(line: usize, name: &str) -> Diagnostic {
        let file = RelPath::parse("BUILD").expect("clean");
        Diagnostic::unknown(&file, Place { line, column: 1 }, "field", name)
    }

    fn shown(diagnostics: Vec<Diagnostic>) -> Vec<String> {
        consolidate(diagnostics, |_| false).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unknown_names_of_one_kind_are_merged_into_one_warning() {
        let one = "BUILD:1:1: unknown field `a`: it has no effect";
        assert_eq!(shown(vec![unknown(1, "`a`")]), [one]);
        assert_eq!(shown(vec![unknown(2, "`a`"), unknown(1, "`a`")]), [format!("{one}; 1 similar warning omitted")]);
        let two =
            "BUILD:1:1: 2 unknown fields, which have no effect:\n  `a` at BUILD:1:1 and 1 more\n  `b` at BUILD:2:1";
        assert_eq!(shown(vec![unknown(2, "`b`"), unknown(1, "`a`"), unknown(9, "`a`")]), [two]);
    }

    #[test]
    fn unknown_names_are_not_merged_if_they_are_errors() {
        let found = consolidate(vec![unknown(2, "`a`"), unknown(1, "`a`")], |_| true);
        assert!(found.len() == 2 && found.iter().all(Diagnostic::is_error));
    }

    #[test]
    fn equal_warnings_are_merged_and_errors_are_not() {
        let file = RelPath::parse("BUILD").expect("clean");
        let at = |line| Place { line, column: 1 };
        let warnings = vec![Diagnostic::warning(&file, at(1), "w"), Diagnostic::warning(&file, at(2), "w")];
        assert_eq!(shown(warnings), ["BUILD:1:1: w; 1 similar warning omitted"]);
        let errors = vec![Diagnostic::error(&file, at(2), "e"), Diagnostic::error(&file, at(1), "e")];
        assert_eq!(shown(errors), ["BUILD:1:1: e", "BUILD:2:1: e"]);
    }
}
