//! What loading found wrong, in an order and a number that people can read. What is wrong is found elsewhere.

use std::collections::BTreeMap;

use crate::base::RelPath;
use crate::build_file::{Diagnostic, Severity, Topic};

/// By file and place, without what says the same. Of warnings with the same words only the first stays, and unknown
/// names of a kind become one: a plugin's target type may stand in a hundred files.
pub fn collected(mut diagnostics: Vec<Diagnostic>, unknown: Severity) -> Vec<Diagnostic> {
    let names = |diagnostic: &Diagnostic| matches!(diagnostic.topic, Topic::Unknown { .. });
    diagnostics.sort_by(|left, right| by_place(left).cmp(&by_place(right)));
    // Each BUILD file evaluates the preludes anew, and says again what is wrong with them.
    diagnostics.dedup();
    if unknown == Severity::Error {
        diagnostics
            .iter_mut()
            .filter(|diagnostic| names(diagnostic))
            .for_each(|diagnostic| diagnostic.severity = unknown);
        return diagnostics;
    }
    let (unknown, rest): (Vec<_>, Vec<_>) = diagnostics.into_iter().partition(names);
    let mut all = [one_of_each(unknown), repeated(rest)].concat();
    all.sort_by(|left, right| by_place(left).cmp(&by_place(right)));
    all
}

fn by_place(diagnostic: &Diagnostic) -> (&RelPath, usize, usize, &str) {
    (&diagnostic.file, diagnostic.place.line, diagnostic.place.column, &diagnostic.message)
}

fn repeated(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut kept: Vec<Diagnostic> = Vec::new();
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for diagnostic in diagnostics {
        match seen.get_mut(&diagnostic.message).filter(|_| !diagnostic.is_error()) {
            Some((_, more)) => *more += 1,
            None => {
                seen.insert(diagnostic.message.clone(), (kept.len(), 0));
                kept.push(diagnostic);
            }
        }
    }
    for (index, more) in seen.into_values().filter(|(_, more)| *more > 0) {
        let message = &mut kept[index].message;
        message.push_str(&format!("; {more} more like it"));
    }
    kept
}

/// A name's first place, and how many others there are.
struct Named {
    first: Diagnostic,
    more: usize,
}

fn one_of_each(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut kinds: BTreeMap<&'static str, BTreeMap<String, Named>> = BTreeMap::new();
    for diagnostic in diagnostics {
        let Topic::Unknown { what, name } = diagnostic.topic.clone() else { continue };
        let names = kinds.entry(what).or_default();
        let named = names.entry(name).or_insert_with(|| Named { first: diagnostic, more: 0 });
        named.more += 1;
    }
    kinds.into_iter().map(|(what, names)| one(what, names)).collect()
}

fn one(what: &str, names: BTreeMap<String, Named>) -> Diagnostic {
    let hint = names.values().find_map(|named| named.first.hint.clone());
    let others = |named: &Named| match named.more - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if names.len() == 1
        && let Some((_, named)) = names.first_key_value()
    {
        let message =
            format!("{}{}", named.first.message, others(named).replace(" and", ";").replace("more", "more like it"));
        return Diagnostic { message, ..named.first.clone() };
    }
    let mut message = format!("{} unknown {what}s, kept, but without effect:", names.len());
    for (name, named) in &names {
        message.push_str(&format!("\n  {name} at {}:{}{}", named.first.file, named.first.place, others(named)));
    }
    let first = names.into_values().map(|named| named.first).min_by(|left, right| by_place(left).cmp(&by_place(right)));
    let first = first.expect("a kind is there because a name of it is");
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
        collected(diagnostics, Severity::Warning).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unknown_names_of_a_kind_are_one_warning() {
        let one = "BUILD:1:1: unknown field `a`: kept, but without effect";
        assert_eq!(shown(vec![unknown(1, "`a`")]), [one]);
        assert_eq!(shown(vec![unknown(2, "`a`"), unknown(1, "`a`")]), [format!("{one}; 1 more like it")]);
        let two =
            "BUILD:1:1: 2 unknown fields, kept, but without effect:\n  `a` at BUILD:1:1 and 1 more\n  `b` at BUILD:2:1";
        assert_eq!(shown(vec![unknown(2, "`b`"), unknown(1, "`a`"), unknown(9, "`a`")]), [two]);
    }

    #[test]
    fn who_wants_unknown_names_to_be_errors_gets_each() {
        let found = collected(vec![unknown(2, "`a`"), unknown(1, "`a`")], Severity::Error);
        assert!(found.len() == 2 && found.iter().all(Diagnostic::is_error));
    }

    #[test]
    fn the_same_warning_is_told_once_and_each_error_is_told() {
        let file = RelPath::parse("BUILD").expect("clean");
        let at = |line| Place { line, column: 1 };
        let warnings = vec![Diagnostic::warning(&file, at(1), "w"), Diagnostic::warning(&file, at(2), "w")];
        assert_eq!(shown(warnings), ["BUILD:1:1: w; 1 more like it"]);
        let errors = vec![Diagnostic::error(&file, at(2), "e"), Diagnostic::error(&file, at(1), "e")];
        assert_eq!(shown(errors), ["BUILD:1:1: e", "BUILD:2:1: e"]);
    }
}
