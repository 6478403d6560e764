//! Parses files of requirements: requirements.txt, pyproject.toml (PEP 621, Poetry, uv), Pipfile.lock. Resolving the
//! requirements is done in `packaging`.

use std::collections::BTreeSet;
use std::str::FromStr;

use toml::{Table, Value};

use crate::base::text::Place;
use crate::targets::first_party::{self, Surroundings};
use crate::targets::poetry;

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    /// The name of the project, as written.
    pub project: String,
    /// The whole requirement, in the syntax of PEP 508.
    pub text: String,
}

/// The requirements of a file, and the entries that cannot be parsed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// In the order written.
    pub requirements: Vec<Requirement>,
    /// Positions and messages.
    pub refused: Vec<(Place, String)>,
}

/// Parses the text of a file. `generator` is the target type that reads it; it decides the format together with the name
/// of the file. Requirements that name a project of this repository are left out.
pub(super) fn parse(generator: &str, surroundings: &Surroundings, text: &str) -> Parsed {
    match generator {
        "pipenv_requirements" => pipfile_lock(text),
        "poetry_requirements" => {
            with_table(text, surroundings, |table, parsed| poetry::requirements(table, surroundings, parsed))
        }
        "uv_requirements" => with_table(text, surroundings, |table, parsed| {
            add_list(at(table, &["tool", "uv", "dev-dependencies"]), parsed);
        }),
        _ if surroundings.file.as_str().ends_with(".toml") => with_table(text, surroundings, pep_621),
        _ => {
            let mut parsed = requirements_txt(text);
            let first_party = first_party::projects_above(surroundings);
            parsed.requirements.retain(|requirement| !first_party.contains(&normalized(&requirement.project)));
            parsed
        }
    }
}

/// Parses the text of a file outside any repository.
#[cfg(test)]
pub(super) fn parse_alone(generator: &str, file: &str, text: &str) -> Parsed {
    let file = crate::base::RelPath::parse(file).expect("clean");
    parse(generator, &Surroundings { file: &file, is_dir: &|_| false, read: &|_| None }, text)
}

/// The normalized name of a project (PEP 503): lower case, and runs of `-_.` replaced by one dash.
pub(super) fn normalized(project: &str) -> String {
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
    for (index, line) in logical_lines(text) {
        let indent = line.len() - line.trim_start().len();
        let line = line.split(" --").next().unwrap_or_default();
        let line = match line.find('#').filter(|at| *at == 0 || line[..*at].ends_with([' ', '\t'])) {
            Some(comment) => &line[..comment],
            None => line,
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with('-') {
            continue;
        }
        match requirement(line) {
            Ok(requirement) => parsed.requirements.push(requirement),
            Err(why) => parsed.refused.push((Place { line: index + 1, column: indent + 1 }, why)),
        }
    }
    parsed
}

/// The lines of a text with the indexes at which they begin. A backslash at its end joins a line with the next one.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (index, line) in text.lines().enumerate() {
        let (line, next) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| continues) {
            Some((_, before)) => {
                before.push(' ');
                before.push_str(line.trim_start());
            }
            None => lines.push((index, line.to_owned())),
        }
        continues = next;
    }
    lines
}

/// Parses a requirement. A bare URL has the name of its project in the fragment `#egg=`. The error is one sentence.
pub(super) fn requirement(text: &str) -> Result<Requirement, String> {
    let nameless = || {
        format!(
            "`{text}` is not a requirement: it must begin with the name of the project, as in `name @ git+https://…`"
        )
    };
    if let Some((scheme, rest)) = text.split_once("://")
        && !scheme.contains(['@', ' ', ';'])
    {
        let name = rest.split_once("egg=").and_then(|(_, egg)| leading_name(egg)).ok_or_else(nameless)?;
        return Ok(Requirement { project: name.to_owned(), text: format!("{name}@ {text}") });
    }
    let name = leading_name(text).ok_or_else(nameless)?;
    // `./local` and `file:x` are paths, not names of projects.
    if text[name.len()..].starts_with(['+', ':', '/']) {
        return Err(nameless());
    }
    if let Err(error) = Pep508::from_str(text)
        && !is_legacy(text)
    {
        let why = error.message.to_string();
        let why = why.lines().next().unwrap_or_default().trim_end_matches('.');
        let mut letters = why.chars();
        let why: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
        return Err(format!("`{text}` is not a requirement: {why}"));
    }
    Ok(Requirement { project: name.to_owned(), text: text.to_owned() })
}

type Pep508 = uv_pep508::Requirement<url::Url>;

/// Whether the only error are versions in a form that was valid before PEP 440: `>=2.*`, `>dev`. Old versions of Pants
/// accept them.
fn is_legacy(text: &str) -> bool {
    let (requirement, marker) = text.split_once(';').map_or((text, None), |(before, after)| (before, Some(after)));
    let end = requirement.find(['<', '>', '=', '!', '~']).unwrap_or(requirement.len());
    let (name, specifiers) = requirement.split_at(end);
    let is_specifier = |specifier: &str| {
        let version = specifier.trim().trim_start_matches(['<', '>', '=', '!', '~']).trim();
        !version.is_empty() && version.chars().all(|char| char.is_ascii_alphanumeric() || "._*+!-".contains(char))
    };
    let marker = marker.map_or(String::new(), |marker| format!(" ; {marker}"));
    specifiers.split(',').all(is_specifier) && Pep508::from_str(&format!("{name}{marker}")).is_ok()
}

/// The name at the beginning of a requirement.
pub(super) fn leading_name(text: &str) -> Option<&str> {
    let end = text.find(|char: char| !(char.is_ascii_alphanumeric() || "._-".contains(char))).unwrap_or(text.len());
    text[..end].starts_with(|first: char| first.is_ascii_alphanumeric()).then(|| &text[..end])
}

/// The name of a requirement's target before Pants 2.26: runs of characters other than letters, digits and dots are
/// replaced by one dash.
pub(super) fn safe_name(name: &str) -> String {
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

/// Reads the tables of a `pyproject.toml`, and leaves out what is first-party. Values have no positions in the parsed
/// table: those of refused requirements are searched in the text.
fn with_table(text: &str, surroundings: &Surroundings, read: impl FnOnce(&Table, &mut Parsed)) -> Parsed {
    let mut parsed = Parsed::default();
    match text.parse::<Table>() {
        Ok(table) => {
            read(&table, &mut parsed);
            let first_party = first_party::names(&table, surroundings);
            parsed.requirements.retain(|requirement| !first_party.contains(&normalized(&requirement.project)));
            for (place, why) in &mut parsed.refused {
                let written = why.split('`').nth(1).unwrap_or_default();
                let name = leading_name(written).unwrap_or(written);
                *place = position(text, written).or_else(|| position(text, name)).unwrap_or(*place);
            }
        }
        Err(error) => {
            let place = error.span().map_or(Place { line: 1, column: 1 }, |span| Place::of(text, span.start));
            parsed.refused.push((place, format!("not TOML: {}", error.message())));
        }
    }
    parsed
}

/// The position of a quoted text, or of a line that begins with it.
fn position(text: &str, written: &str) -> Option<Place> {
    let quoted = ['"', '\''].into_iter().find_map(|quote| text.find(&format!("{quote}{written}{quote}")));
    let at_line = || text.find(&format!("\n{written}")).map(|at| at + 1);
    quoted.or_else(at_line).map(|at| Place::of(text, at))
}

/// The dependencies, the extras and the dependency groups (PEP 735), which Pants does not read up to 2.34.
fn pep_621(table: &Table, parsed: &mut Parsed) {
    add_list(at(table, &["project", "dependencies"]), parsed);
    let extras = at(table, &["project", "optional-dependencies"]).and_then(Value::as_table);
    for (_, group) in extras.into_iter().flatten() {
        add_list(Some(group), parsed);
    }
    // A group names others as `{include-group = "…"}`; all groups are read anyway.
    for (_, group) in table.get("dependency-groups").and_then(Value::as_table).into_iter().flatten() {
        add_list(Some(group), parsed);
    }
    let mut seen = BTreeSet::new();
    parsed.requirements.retain(|requirement| seen.insert(requirement.text.clone()));
}

/// The value at a path of keys.
pub(super) fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
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
pub(super) fn add(text: &str, parsed: &mut Parsed) {
    match requirement(text.trim()) {
        Ok(requirement) => parsed.requirements.push(requirement),
        Err(why) => parsed.refused.push((Place { line: 1, column: 1 }, why)),
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
        let parsed = parse_alone(generator, file, text);
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
        let parsed = parse_alone("python_requirements", "requirements.txt", "\ngit+https://h.invalid/y\n");
        assert_eq!(parsed.refused[0].0, Place { line: 2, column: 1 });
    }

    #[test]
    fn invalid_requirements_are_refused_with_their_position() {
        let refused = |generator: &str, file: &str, text: &str| {
            let parsed = parse_alone(generator, file, text);
            let refused = parsed.refused.iter().map(|(place, why)| format!("{place} {why}"));
            refused.collect::<Vec<_>>().join("\n")
        };
        let found = refused("python_requirements", "requirements.txt", "good\n  not a requirement == 1\nx>=\n");
        let mut lines = found.lines();
        assert!(
            lines.next().is_some_and(|line| line.starts_with("2:3 `not a requirement == 1` is not a requirement: "))
        );
        assert!(lines.next().is_some_and(|line| line.starts_with("3:1 `x>=` is not a requirement: ")), "{found}");
        let text = "[project]\ndependencies = [\n  'good',\n  'b c',\n]\n";
        assert!(refused("python_requirements", "pyproject.toml", text).starts_with("4:3 `b c`"));
        let text = "[tool.poetry.dependencies]\na = '^1'\nb = '^'\n";
        assert!(refused("poetry_requirements", "pyproject.toml", text).starts_with("3:1 `b^`"));
    }

    #[test]
    fn versions_from_before_pep_440_are_accepted() {
        check(
            "python_requirements",
            "requirements.txt",
            "a>=2.*\nb>dev; os_name == 'x'\n",
            &["a>=2.*", "b>dev; os_name == 'x'"],
        );
    }

    #[test]
    fn a_backslash_continues_a_line() {
        check("python_requirements", "requirements.txt", "a \\\n  >=2\nb\n", &["a  >=2", "b"]);
    }

    #[test]
    fn the_project_itself_and_repeated_requirements_are_left_out() {
        let text = "[project]\nname = 'Me_x'\n[project.optional-dependencies]\na = ['b']\nall = ['me-x[a]', 'b']\n";
        check("python_requirements", "pyproject.toml", text, &["b"]);
    }

    #[test]
    fn project_names_are_preserved_as_written() {
        let name = |text: &str| requirement(text).ok().map(|requirement| requirement.project);
        assert_eq!(name("typing_extensions>=4").as_deref(), Some("typing_extensions"));
        assert_eq!(name("ruamel.yaml[x]").as_deref(), Some("ruamel.yaml"));
        assert_eq!(name("git+https://h.invalid/y@v1#egg=Y_y").as_deref(), Some("Y_y"));
        assert_eq!(safe_name("typing__extensions"), "typing-extensions");
        assert_eq!(normalized("A__b.-C"), "a-b-c");
    }

    #[test]
    fn pep_621_extras_and_groups_follow_the_dependencies() {
        let text = "[project]\ndependencies = ['a>1']\n[project.optional-dependencies]\nx = ['b']\n[dependency-groups]\ndev = ['c', {include-group = 'y'}]\ny = ['d']\n";
        check("python_requirements", "pyproject.toml", text, &["a>1", "b", "c", "d"]);
    }

    #[test]
    fn both_sections_of_a_pipfile_lock_are_read() {
        let text = r#"{"default": {"a": {"version": "==1", "extras": ["x"]}}, "develop": {"b": {"version": "==2", "markers": "os_name=='a'"}}}"#;
        check("pipenv_requirements", "Pipfile.lock", text, &["a[x]==1", "b==2; os_name=='a'"]);
    }

    #[test]
    fn errors_in_malformed_files_have_a_position() {
        for (generator, file) in [("python_requirements", "pyproject.toml"), ("pipenv_requirements", "Pipfile.lock")] {
            assert_eq!(parse_alone(generator, file, "{\n  = ").refused.len(), 1, "{generator}");
        }
    }
}
