//! Parses files of requirements: requirements.txt, pyproject.toml (PEP 621, Poetry, uv), Pipfile.lock. Resolving the
//! requirements is done in `packaging`.

use toml::{Table, Value};

use crate::base::text::Place;
use crate::targets::poetry;

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The name of the project, as written.
    pub project: String,
    /// The whole requirement, in the syntax of PEP 508.
    pub text: String,
}

/// The requirements of a file, and the entries that cannot be parsed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// In the order written.
    pub requirements: Vec<Requirement>,
    /// Positions and messages.
    pub refused: Vec<(Place, String)>,
}

/// Parses the text of a file. `generator` is the target type that reads it, `file_name` its name; both decide the
/// format.
pub fn parse(generator: &str, file_name: &str, text: &str) -> Parsed {
    match generator {
        "pipenv_requirements" => pipfile_lock(text),
        "poetry_requirements" => with_table(text, poetry::requirements),
        "uv_requirements" => {
            with_table(text, |table, parsed| add_list(at(table, &["tool", "uv", "dev-dependencies"]), parsed))
        }
        _ if file_name.ends_with(".toml") => with_table(text, pep_621),
        _ => requirements_txt(text),
    }
}

/// The normalized name of a project (PEP 503): lower case, and runs of `-_.` replaced by one dash.
pub fn normalized(project: &str) -> String {
    let mut out = String::with_capacity(project.len());
    for char in project.chars() {
        match char {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            char => out.extend(char.to_lowercase()),
        }
    }
    out
}

fn requirements_txt(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.split(" --").next().unwrap_or_default();
        let line = match line.find('#').filter(|at| *at == 0 || line[..*at].ends_with([' ', '\t'])) {
            Some(comment) => &line[..comment],
            None => line,
        };
        let line = line.trim().trim_end_matches('\\').trim();
        if line.is_empty() || line.starts_with('-') {
            continue;
        }
        match requirement(line) {
            Some(requirement) => parsed.requirements.push(requirement),
            None => parsed.refused.push((Place { line: index + 1, column: 1 }, refusal(line))),
        }
    }
    parsed
}

fn refusal(line: &str) -> String {
    format!("`{line}` is not a requirement: it must begin with the name of the project, as in `name @ git+https://…`")
}

/// Parses a requirement as far as its project name. A bare URL has the name in its fragment `#egg=`.
pub fn requirement(text: &str) -> Option<Requirement> {
    if let Some((scheme, rest)) = text.split_once("://")
        && !scheme.contains(['@', ' ', ';'])
    {
        let (_, egg) = rest.split_once("egg=")?;
        let name = leading_name(egg)?;
        return Some(Requirement { project: name.to_owned(), text: format!("{name}@ {text}") });
    }
    let name = leading_name(text)?;
    // `./local` and `file:x` are paths, not names of projects.
    if text[name.len()..].starts_with(['+', ':', '/']) {
        return None;
    }
    Some(Requirement { project: name.to_owned(), text: text.to_owned() })
}

fn leading_name(text: &str) -> Option<&str> {
    let end = text.find(|char: char| !(char.is_ascii_alphanumeric() || "._-".contains(char))).unwrap_or(text.len());
    text[..end].starts_with(|first: char| first.is_ascii_alphanumeric()).then(|| &text[..end])
}

/// The name of a requirement's target before Pants 2.26: runs of characters other than letters, digits and dots are
/// replaced by one dash.
pub fn safe_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            char if char.is_ascii_alphanumeric() || char == '.' => out.push(char),
            _ if out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    out
}

fn with_table(text: &str, read: impl FnOnce(&Table, &mut Parsed)) -> Parsed {
    let mut parsed = Parsed::default();
    match text.parse::<Table>() {
        Ok(table) => read(&table, &mut parsed),
        Err(error) => {
            let place = error.span().map_or(Place { line: 1, column: 1 }, |span| Place::of(text, span.start));
            parsed.refused.push((place, format!("not TOML: {}", error.message())));
        }
    }
    parsed
}

fn pep_621(table: &Table, parsed: &mut Parsed) {
    add_list(at(table, &["project", "dependencies"]), parsed);
    // Dependency groups (PEP 735) are not read. Pants does not read them either, up to 2.34.
    let extras = at(table, &["project", "optional-dependencies"]).and_then(Value::as_table);
    for (_, group) in extras.into_iter().flatten() {
        add_list(Some(group), parsed);
    }
}

/// The value at a path of keys.
pub fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let mut value = table.get(*first)?;
    for key in rest {
        value = value.get(key)?;
    }
    Some(value)
}

fn add_list(list: Option<&Value>, parsed: &mut Parsed) {
    for text in list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        add(text, parsed);
    }
}

/// Adds one requirement.
pub fn add(text: &str, parsed: &mut Parsed) {
    match requirement(text.trim()) {
        Some(requirement) => parsed.requirements.push(requirement),
        None => parsed.refused.push((Place { line: 1, column: 1 }, refusal(text))),
    }
}

fn pipfile_lock(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let lock: serde_json::Value = match serde_json::from_str(text) {
        Ok(lock) => lock,
        Err(error) => {
            let place = Place { line: error.line(), column: error.column() };
            parsed.refused.push((place, format!("not JSON: {error}")));
            return parsed;
        }
    };
    for section in ["default", "develop"] {
        for (name, entry) in lock[section].as_object().into_iter().flatten() {
            let extras: Vec<&str> =
                entry["extras"].as_array().into_iter().flatten().filter_map(|extra| extra.as_str()).collect();
            let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
            let markers = entry["markers"].as_str().map_or(String::new(), |markers| format!("; {markers}"));
            let version = entry["version"].as_str().unwrap_or_default();
            add(&format!("{name}{extras}{version}{markers}"), &mut parsed);
        }
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(generator: &str, file: &str, text: &str, expected: &[&str]) {
        let parsed = parse(generator, file, text);
        let found: Vec<&str> = parsed.requirements.iter().map(|requirement| requirement.text.as_str()).collect();
        assert_eq!(found, expected, "{:?}", parsed.refused);
    }

    #[test]
    fn options_comments_and_hashes_in_requirements_txt_are_dropped() {
        let text = "# top\n-r other.txt\nrequests>=2 # why\nx==1 --hash=sha256:ab\ny @ git+https://h.invalid/y#egg=y\nz==1 \\\n    --hash=sha256:cd\nw[a]; python_version<'3'\n";
        let expected = ["requests>=2", "x==1", "y @ git+https://h.invalid/y#egg=y", "z==1", "w[a]; python_version<'3'"];
        check("python_requirements", "requirements.txt", text, &expected);
    }

    #[test]
    fn a_bare_url_is_refused_with_its_line() {
        let parsed = parse("python_requirements", "requirements.txt", "\ngit+https://h.invalid/y\n");
        assert_eq!(parsed.refused[0].0, Place { line: 2, column: 1 });
    }

    #[test]
    fn project_names_are_preserved_as_written() {
        let name = |text: &str| requirement(text).map(|requirement| requirement.project);
        assert_eq!(name("typing_extensions>=4").as_deref(), Some("typing_extensions"));
        assert_eq!(name("ruamel.yaml[x]").as_deref(), Some("ruamel.yaml"));
        assert_eq!(name("git+https://h.invalid/y@v1#egg=Y_y").as_deref(), Some("Y_y"));
        assert_eq!(safe_name("typing__extensions"), "typing-extensions");
        assert_eq!(normalized("A__b.-C"), "a-b-c");
    }

    #[test]
    fn pep_621_extras_follow_the_dependencies() {
        let text = "[project]\ndependencies = ['a>1']\n[project.optional-dependencies]\nx = ['b']\n[dependency-groups]\ndev = ['c']\n";
        check("python_requirements", "pyproject.toml", text, &["a>1", "b"]);
    }

    #[test]
    fn both_sections_of_a_pipfile_lock_are_read() {
        let text = r#"{"default": {"a": {"version": "==1", "extras": ["x"]}}, "develop": {"b": {"version": "==2", "markers": "os_name=='a'"}}}"#;
        check("pipenv_requirements", "Pipfile.lock", text, &["a[x]==1", "b==2; os_name=='a'"]);
    }

    #[test]
    fn errors_in_malformed_files_have_a_position() {
        for (generator, file) in [("python_requirements", "pyproject.toml"), ("pipenv_requirements", "Pipfile.lock")] {
            assert_eq!(parse(generator, file, "{\n  = ").refused.len(), 1, "{generator}");
        }
    }
}
