//! How Pants and PEX spell requirements and interpreter constraints in lockfiles: as Python's `packaging` prints them.
//! Names keep the spelling of their author; specifiers and extras are sorted.

use crate::packaging::requirement;

/// A requirement as its author wrote it, in the form of `str(Requirement)`.
pub fn requirement(text: &str) -> String {
    let text = text.trim();
    let name_end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    let rest = rest.trim_start();
    let (extras, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((extras, rest)) => (sorted(extras), rest.trim_start()),
        None => (String::new(), rest),
    };
    let name = if extras.is_empty() { name.to_owned() } else { format!("{name}[{extras}]") };
    if let Some(url) = rest.strip_prefix('@') {
        let (url, marker) = url.split_once(" ;").unwrap_or((url, ""));
        return with_marker(&format!("{name}@ {}", url.trim()), marker, " ;");
    }
    let (specifiers, marker) = rest.split_once(';').unwrap_or((rest, ""));
    with_marker(&format!("{name}{}", self::specifiers(specifiers)), marker, ";")
}

/// A requirement of published metadata that uv normalized. Conditions on `python_full_version` are written as conditions on
/// `python_version` where these mean the same, because packages use the latter.
pub fn published(text: &str) -> String {
    match requirement::parse_published(text) {
        Ok(parsed) => {
            let text = requirement::canonical(&parsed);
            let (head, marker) = text.split_once(" ; ").unwrap_or((&text, ""));
            let plain = requirement(&head.replacen(" @ ", "@", 1));
            with_marker(&plain, &python_versions(marker), ";")
        }
        Err(_) => text.to_owned(),
    }
}

/// Version specifiers, sorted and without spaces.
pub fn specifiers(text: &str) -> String {
    sorted(text.trim().trim_start_matches('(').trim_end_matches(')'))
}

/// An interpreter constraint with its implementation, as Pants prints it: `CPython<4,>=3.9`.
pub fn interpreter_constraint(text: &str) -> String {
    let text = text.trim();
    let start = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (implementation, rest) = text.split_at(start);
    let implementation = if implementation.is_empty() { "CPython" } else { implementation };
    format!("{implementation}{}", specifiers(rest))
}

fn sorted(list: &str) -> String {
    let words = list.split(',').map(|word| word.split_whitespace().collect::<String>());
    let mut words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.sort();
    words.dedup();
    words.join(",")
}

fn with_marker(head: &str, marker: &str, separator: &str) -> String {
    match marker.trim() {
        "" => head.to_owned(),
        marker => format!("{head}{separator} {}", self::marker(marker)),
    }
}

/// A marker with the spaces and quotes that `packaging` prints.
fn marker(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |end| end + 2),
            '(' | ')' => 1,
            c if "<>=!~".contains(c) => rest.find(|c| !"<>=!~".contains(c)).unwrap_or(rest.len()),
            c => rest
                .find(|c: char| c.is_whitespace() || "()<>=!~\"'".contains(c))
                .unwrap_or(rest.len())
                .max(c.len_utf8()),
        };
        let (word, after) = rest.split_at(length);
        words.push(if first == '\'' { format!("\"{}\"", word.trim_matches('\'')) } else { word.to_owned() });
        rest = after.trim_start();
    }
    words.join(" ").replace("( ", "(").replace(" )", ")")
}

fn python_versions(marker: &str) -> String {
    let mut words: Vec<String> = marker.split(' ').map(str::to_owned).collect();
    for index in 2..words.len() {
        let version = words[index].trim_end_matches(')').trim_matches('\'').to_owned();
        let minor = match words[index - 1].as_str() {
            "<" | ">=" => version.as_str(),
            "==" | "!=" => version.strip_suffix(".*").unwrap_or_default(),
            _ => "",
        };
        let is_minor = minor.split('.').count() == 2 && minor.split('.').all(|part| part.parse::<u32>().is_ok());
        if is_minor && words[index - 2].trim_start_matches('(') == "python_full_version" {
            words[index] = words[index].replace(&version, minor);
            words[index - 2] = words[index - 2].replace("python_full_version", "python_version");
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_spelled_as_pants_prints_them() {
        let check = |text: &str, expected: &str| assert_eq!(requirement(text), expected, "{text}");
        check("SQLAlchemy[postgresql_asyncpg, asyncio] ~= 2.0", "SQLAlchemy[asyncio,postgresql_asyncpg]~=2.0");
        check("setuptools>=56.2.0,<57", "setuptools<57,>=56.2.0");
        check("six (>=1.0)", "six>=1.0");
        check("a>=1;python_version<'3.8' and ( extra=='x' )", "a>=1; python_version < \"3.8\" and (extra == \"x\")");
        check(
            "a @ https://example.invalid/a.whl ; os_name=='nt'",
            "a@ https://example.invalid/a.whl ; os_name == \"nt\"",
        );
    }

    #[test]
    fn published_requirements_have_conditions_on_python_version() {
        let check = |text: &str, expected: &str| assert_eq!(published(text), expected, "{text}");
        check("tomli>=1 ; python_full_version < '3.11'", "tomli>=1; python_version < \"3.11\"");
        check("a ; python_full_version == '3.9.*' and extra == 'x'", "a; python_version == \"3.9\" and extra == \"x\"");
        check("a ; python_full_version >= '3.9.1'", "a; python_full_version >= \"3.9.1\"");
        check("colorama ; sys_platform == 'win32'", "colorama; sys_platform == \"win32\"");
        check("pluggy>=0.12,<2.0", "pluggy<2.0,>=0.12");
    }

    #[test]
    fn interpreter_constraints_name_the_implementation() {
        let check = |text: &str, expected: &str| assert_eq!(interpreter_constraint(text), expected, "{text}");
        check(">=3.7,<4", "CPython<4,>=3.7");
        check("CPython==3.11.*", "CPython==3.11.*");
        check("PyPy >= 3.9", "PyPy>=3.9");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_spelling_panic(text in "[ -~é'\"();<>=!~@\\[\\],]{0,60}") {
            drop(requirement(&text));
            drop(published(&text));
            drop(interpreter_constraint(&text));
        }
    }
}
