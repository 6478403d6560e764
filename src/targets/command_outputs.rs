//! The outputs that a command declares: which files and directories it writes, and at which paths other targets find them. Commands are
//! run by `prepare::generate`.

use crate::base::RelPath;
use crate::targets::Target;

/// The working directory of a command, and what it writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandOutputs {
    /// Relative to the build root.
    pub workdir: RelPath,
    /// In the order written, files first.
    pub outputs: Vec<CommandOutput>,
    /// The file for the standard output.
    pub stdout: Option<RelPath>,
    /// The file for the standard error.
    pub stderr: Option<RelPath>,
}

/// One declared output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// Where the command writes it, relative to the build root.
    pub from: RelPath,
    /// Where other targets find it, relative to the build root.
    pub to: RelPath,
    /// Whether it is declared as a directory.
    pub is_directory: bool,
}

/// A field that does not name a path below the build root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value `{written}` of the field `{field}`: {why}")]
pub struct OutputError {
    /// The field.
    pub field: &'static str,
    /// The value.
    pub written: String,
    /// What is wrong with it.
    pub why: String,
}

impl CommandOutputs {
    /// The working directory of a command.
    pub fn workdir(target: &Target) -> Result<RelPath, OutputError> {
        directory(target, "workdir", &target.address.dir)
    }

    /// Reads the fields of a target that runs a command.
    pub fn parse(target: &Target) -> Result<CommandOutputs, OutputError> {
        let workdir = CommandOutputs::workdir(target)?;
        let root = match target.text("root_output_directory") {
            None | Some("") => RelPath::root(),
            Some(_) => directory(target, "root_output_directory", &workdir)?,
        };
        let mut outputs = Vec::new();
        let mut add = |field: &'static str, written: &str, is_directory: bool| {
            let from = path(field, written, &workdir)?;
            let outside =
                || invalid(field, written, format!("it is not below `root_output_directory`, which is `{root}`"));
            let to = from.strip_prefix(&root).ok_or_else(outside)?;
            outputs.push(CommandOutput { from: from.clone(), to, is_directory });
            Ok::<_, OutputError>(from)
        };
        for file in target.strings("output_files") {
            add("output_files", file, false)?;
        }
        // An older field for both.
        for written in target.strings("outputs") {
            add("outputs", written, written.ends_with('/'))?;
        }
        for dir in target.strings("output_directories") {
            add("output_directories", dir, true)?;
        }
        let mut stream = |field| target.text(field).map(|file| add(field, file, false)).transpose();
        let (stdout, stderr) = (stream("stdout")?, stream("stderr")?);
        Ok(CommandOutputs { workdir, outputs, stdout, stderr })
    }
}

/// A directory as Pants reads it: `.` and `./…` are relative to `base`, everything else to the build root.
fn directory(target: &Target, field: &'static str, base: &RelPath) -> Result<RelPath, OutputError> {
    let written = target.text(field).unwrap_or(".");
    let (base, rest) = match written.strip_prefix('/') {
        Some(rest) => (&RelPath::root(), rest),
        None if written == "." || written.starts_with("./") => (base, written),
        None => (&RelPath::root(), written),
    };
    base.resolve(rest).map_err(|error| invalid(field, written, error.to_string()))
}

/// A path relative to the working directory; one that begins with a slash is relative to the build root.
fn path(field: &'static str, written: &str, workdir: &RelPath) -> Result<RelPath, OutputError> {
    let resolved = match written.strip_prefix('/') {
        Some(rest) => RelPath::root().resolve(rest),
        None => workdir.resolve(written),
    };
    let resolved = resolved.map_err(|error| invalid(field, written, error.to_string()))?;
    match written.contains('\n') {
        true => Err(invalid(field, written, "it contains a line break".to_owned())),
        false => Ok(resolved),
    }
}

fn invalid(field: &'static str, written: &str, why: String) -> OutputError {
    OutputError { field, written: written.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Place;
    use crate::targets::{Address, Value};

    fn parse(fields: &[(&str, Value)]) -> Result<CommandOutputs, OutputError> {
        let dir = RelPath::parse("src/app").unwrap();
        CommandOutputs::parse(&Target {
            address: Address::new(&dir, "it"),
            kind: "shell_command".to_owned(),
            fields: fields.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            sources: Vec::new(),
            generator: None,
            build_file: RelPath::parse("src/app/BUILD").unwrap(),
            place: Place::default(),
        })
    }

    fn check(workdir: &str, root: &str, output: &str, expected: Result<(&str, &str), &str>) {
        let text = |text: &str| Value::Str(text.to_owned());
        let fields = [
            ("workdir", text(workdir)),
            ("root_output_directory", text(root)),
            ("output_files", Value::List(vec![text(output)])),
        ];
        let found = parse(&fields).map(|outputs| outputs.outputs[0].clone()).map_err(|error| error.to_string());
        let expected = expected.map(|(from, to)| CommandOutput {
            from: RelPath::parse(from).unwrap(),
            to: RelPath::parse(to).unwrap(),
            is_directory: false,
        });
        assert_eq!(found, expected.map_err(str::to_owned), "{workdir} {root} {output}");
    }

    #[test]
    fn outputs_are_relative_to_the_working_directory_and_lose_the_root_of_outputs() {
        check(".", "/", "a/b.py", Ok(("src/app/a/b.py", "src/app/a/b.py")));
        check(".", ".", "a/b.py", Ok(("src/app/a/b.py", "a/b.py")));
        check("/", ".", "a/b.py", Ok(("a/b.py", "a/b.py")));
        check("./gen", "./out", "out/b.py", Ok(("src/app/gen/out/b.py", "b.py")));
        check("gen", "", "../b.py", Ok(("b.py", "b.py")));
    }

    #[test]
    fn an_output_outside_of_its_root_is_refused() {
        let why = "invalid value `../b.py` of the field `output_files`: it is not below `root_output_directory`, which is `src/app`";
        check(".", ".", "../b.py", Err(why));
        assert_eq!(parse(&[("workdir", Value::Str("../../..".to_owned()))]).unwrap_err().field, "workdir");
    }

    #[test]
    fn streams_are_outputs_too() {
        let outputs = parse(&[("stdout", Value::Str("/log/out.txt".to_owned()))]).unwrap();
        assert_eq!(outputs.stdout.as_ref().unwrap().as_str(), "log/out.txt");
        assert_eq!((outputs.outputs.len(), outputs.outputs[0].to.as_str()), (1, "log/out.txt"));
    }
}
