//! Parses `entry_points.txt` and generates the scripts for its console and GUI scripts. Other entry points are ignored.

use super::Refusal;

/// A script to be written as `bin/<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// The file name.
    pub name: String,
    module: String,
    attribute: String,
}

/// The entries of `console_scripts` and `gui_scripts`, in the order of the file.
pub(super) fn scripts(text: &str) -> Result<Vec<Script>, Refusal> {
    let mut scripts = Vec::new();
    let mut in_scripts = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            in_scripts = matches!(section.trim(), "console_scripts" | "gui_scripts");
        } else if in_scripts {
            scripts.push(script(line)?);
        }
    }
    Ok(scripts)
}

impl Script {
    /// The text of the script. Module and attribute were validated by `scripts`, so the text contains nothing but a call.
    pub(super) fn text(&self, python: &str) -> String {
        let (module, attribute) = (&self.module, &self.attribute);
        let first = attribute.split('.').next().unwrap_or_default();
        format!(
            "#!{python}\nimport sys\n\nfrom {module} import {first}\n\nif __name__ == \"__main__\":\n    sys.exit({attribute}())\n"
        )
    }
}

fn script(line: &str) -> Result<Script, Refusal> {
    let refuse = |why: &str| Refusal::EntryPoint { entry: line.to_owned(), why: why.to_owned() };
    let (name, object) = line.split_once('=').ok_or_else(|| refuse("`=` is missing"))?;
    let name = name.trim();
    if name.is_empty()
        || name == "."
        || name == ".."
        || name.contains(['/', '\\'])
        || name.chars().any(char::is_control)
    {
        return Err(refuse("the name is not a valid file name"));
    }
    // Extras in brackets are obsolete and have no effect.
    let object = object.split('[').next().unwrap_or_default().trim();
    let malformed = || refuse("the object is not of the form `module:attribute`");
    let (module, attribute) = object.split_once(':').ok_or_else(malformed)?;
    let (module, attribute) = (module.trim(), attribute.trim());
    if !is_dotted_name(module) || !is_dotted_name(attribute) {
        return Err(malformed());
    }
    Ok(Script { name: name.to_owned(), module: module.to_owned(), attribute: attribute.to_owned() })
}

fn is_dotted_name(text: &str) -> bool {
    text.split('.').all(|part| {
        let mut letters = part.chars();
        letters.next().is_some_and(|letter| letter.is_alphabetic() || letter == '_')
            && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_console_and_gui_scripts_are_read() {
        let text =
            "[pytest11]\nx = a.b\n[console_scripts]\n# c\nrun = a.b:main.go [extra]\n\n[gui_scripts]\nshow=a:b\n";
        let names: Vec<String> = scripts(text).expect("readable").into_iter().map(|script| script.name).collect();
        assert_eq!(names, ["run", "show"]);
    }

    #[test]
    fn a_script_calls_the_object_and_nothing_else() {
        let script = &scripts("[console_scripts]\nrun = a.b:main.go").expect("readable")[0];
        assert_eq!(
            script.text("/p/bin/python"),
            "#!/p/bin/python\nimport sys\n\nfrom a.b import main\n\nif __name__ == \"__main__\":\n    sys.exit(main.go())\n"
        );
    }

    #[test]
    fn entries_with_an_invalid_name_or_object_are_rejected() {
        for entry in [
            "../x = a:b",
            "a/b = a:b",
            " = a:b",
            "x",
            "x = a",
            "x = a:b()",
            "x = a:b; import os",
            "x = a b:c",
            ".. = a:b",
        ] {
            assert!(scripts(&format!("[console_scripts]\n{entry}")).is_err(), "{entry}");
        }
    }
}
