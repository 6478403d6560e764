//! Reads Dockerfiles that say what an image consists of and how it starts, and run nothing. Such an image is composed like an
//! `oci_image`. Files are copied by `packaging::oci::copies`.

use std::collections::BTreeMap;

use crate::base::RelPath;
use crate::inference::dockerfile::{Instruction, words};
use crate::packaging::oci::copies::Change;
use crate::packaging::oci::layout::ImageSpec;
use crate::prepare::package::image::is_user;

/// Endings of archives, which `ADD` unpacks.
const ARCHIVES: [&str; 8] = [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst"];
/// Modes of files, and whether these are executable. Layers have no others.
const MODES: [(&str, bool); 8] = [
    ("444", false),
    ("555", true),
    ("644", false),
    ("755", true),
    ("0644", false),
    ("0755", true),
    ("a+x", true),
    ("+x", true),
];

/// An instruction that Waders cannot carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its line, from 1.
    pub line: usize,
    /// The instruction.
    pub instruction: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// What the instructions make of a base image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Composition {
    /// How the image starts. Its names are not set.
    pub spec: ImageSpec,
    /// Changes of its files, in order.
    pub changes: Vec<Change>,
}

/// The name of the base image with its line, if there is one stage. `given` are build arguments.
pub(super) fn base(instructions: &[Instruction], given: &BTreeMap<String, String>) -> Option<(usize, String)> {
    let image = Composition::default();
    let mut reader = Reader { has_command: false, given, arguments: BTreeMap::new(), image };
    let mut stages = instructions.iter().filter(|instruction| instruction.name == "FROM");
    let from = stages.next().filter(|_| stages.next().is_none())?;
    for argument in instructions.iter().take_while(|instruction| *instruction != from) {
        reader.argument(&argument.rest);
    }
    let name = words(&from.rest).find(|word| !word.starts_with("--"))?;
    Some((from.line, reader.substituted(&name)))
}

/// Reads the instructions after `FROM`. `spec` is that of the base image.
pub(super) fn read(
    instructions: &[Instruction],
    given: &BTreeMap<String, String>,
    spec: ImageSpec,
) -> Result<Composition, Refusal> {
    let image = Composition { spec, changes: Vec::new() };
    let mut reader = Reader { has_command: false, given, arguments: BTreeMap::new(), image };
    for instruction in instructions {
        let Instruction { line, name, rest } = instruction;
        reader.instruction(*line, name, rest).map_err(|why| Refusal { line: *line, instruction: name.clone(), why })?;
    }
    Ok(reader.image)
}

struct Reader<'g> {
    /// Whether the Dockerfile has a command, which an entry point does not remove.
    has_command: bool,
    given: &'g BTreeMap<String, String>,
    /// The values of build arguments, of which the given ones take precedence over defaults.
    arguments: BTreeMap<String, String>,
    image: Composition,
}

impl Reader<'_> {
    fn instruction(&mut self, line: usize, name: &str, rest: &str) -> Result<(), &'static str> {
        let spec = &mut self.image.spec;
        match name {
            "ARG" => self.argument(rest),
            "CMD" => (spec.args, self.has_command) = (command(rest)?, true),
            "ENTRYPOINT" => {
                spec.entrypoint = command(rest)?;
                // The arguments of the base image are meant for its own entry point.
                if !self.has_command {
                    spec.args.clear();
                }
            }
            "ENV" => {
                for (name, value) in self.pairs(rest)? {
                    self.image.spec.env.insert(name, value);
                }
            }
            "EXPOSE" => {
                let ports = self.substituted(rest);
                let ports = ports.split_whitespace();
                let with_protocol =
                    |port: &str| if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") };
                self.image.spec.ports.extend(ports.map(with_protocol));
            }
            "FROM" => return from(rest),
            "LABEL" => {
                for (name, value) in self.pairs(rest)? {
                    self.image.spec.labels.insert(name, value);
                }
            }
            "MAINTAINER" => drop(spec.labels.insert("maintainer".to_owned(), rest.to_owned())),
            "USER" => {
                let user = self.substituted(rest);
                // Which users an image of a registry has is known when it runs.
                if self.image.spec.base.is_none() && !is_user(&user) {
                    return Err("the users of the image are `root`, `app` (1000) and `nobody`, and any number");
                }
                self.image.spec.user = user;
            }
            "WORKDIR" => {
                let dir = self.absolute(&self.substituted(rest)).ok_or("it leaves the image")?;
                self.image.spec.workdir = format!("/{dir}");
                self.image.changes.push(Change::Directory(dir));
            }
            "ADD" | "COPY" => {
                let change = self.copy(line, rest, name == "ADD")?;
                self.image.changes.push(change);
            }
            _ => return Err("it needs a program that builds images"),
        }
        Ok(())
    }

    fn argument(&mut self, rest: &str) {
        let (name, default) = match rest.split_once('=') {
            Some((name, value)) => (name, Some(self.substituted(value.trim_matches(['"', '\''])))),
            None => (rest, None),
        };
        if let Some(value) = self.given.get(name).cloned().or(default) {
            self.arguments.insert(name.to_owned(), value);
        }
    }

    /// `NAME=value` pairs, or one name and everything that follows it.
    fn pairs(&self, rest: &str) -> Result<Vec<(String, String)>, &'static str> {
        let is_old_form = !rest.split_whitespace().next().unwrap_or_default().contains('=');
        if is_old_form {
            let (name, value) = rest.split_once(char::is_whitespace).ok_or("it has no value")?;
            return Ok(vec![(name.to_owned(), self.substituted(value.trim()))]);
        }
        let words = shlex::split(rest).ok_or("a quotation mark is missing")?;
        let pair = |word: &String| {
            let (name, value) = word.split_once('=').ok_or("expected `NAME=value`")?;
            Ok((self.substituted(name), self.substituted(value)))
        };
        words.iter().map(pair).collect()
    }

    fn copy(&self, line: usize, rest: &str, unpacks: bool) -> Result<Change, &'static str> {
        if rest.contains("<<") {
            return Err("texts within a Dockerfile need a program that builds images");
        }
        let words: Vec<String> = words(rest).map(|word| self.substituted(&word)).collect();
        let (flags, paths): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| word.starts_with("--"));
        let mut executable = None;
        for flag in flags {
            match flag.split_once('=').unwrap_or((flag, "")) {
                ("--chmod", mode) => executable = Some(is_executable(mode).ok_or("layers have the modes 644 and 755")?),
                ("--chown", "0" | "0:0" | "root" | "root:root") | ("--link", _) => {}
                ("--chown", _) => return Err("all files of an image belong to root"),
                _ => return Err("this option needs a program that builds images"),
            }
        }
        let Some((to, sources)) = paths.split_last().filter(|(_, sources)| !sources.is_empty()) else {
            return Err("expected sources and a destination");
        };
        let is_foreign = |source: &str| source.contains("://") || source.starts_with("git@");
        if unpacks
            && sources.iter().any(|source| is_foreign(source) || ARCHIVES.iter().any(|end| source.ends_with(end)))
        {
            return Err("downloads and archives need a program that builds images");
        }
        let sources = sources.iter().map(|source| source.trim_start_matches('/'));
        Ok(Change::Copy {
            line,
            sources: sources.map(|source| if source.is_empty() { ".".to_owned() } else { source.to_owned() }).collect(),
            into_directory: to.ends_with('/') || *to == "." || to.ends_with("/."),
            to: self.absolute(to).ok_or("it leaves the image")?,
            executable,
        })
    }

    /// A path below the root of the image, from one that may be relative to the working directory.
    fn absolute(&self, path: &str) -> Option<RelPath> {
        let base = match path.starts_with('/') {
            true => RelPath::root(),
            false => RelPath::parse(self.image.spec.workdir.trim_matches('/')).ok()?,
        };
        base.resolve(path.trim_start_matches('/')).ok()
    }

    /// A text with the values of `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+value}`.
    fn substituted(&self, text: &str) -> String {
        let (mut done, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('$') {
            let (before, after) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('\\') {
                done.extend([before, "$"]);
                rest = &after[1..];
                continue;
            }
            done.push_str(before);
            let (value, length) = self.variable(&after[1..]);
            done.push_str(&value);
            rest = &after[1 + length..];
        }
        done + rest
    }

    /// The value of the variable at the beginning of a text that follows `$`, and the length of its name there.
    fn variable(&self, text: &str) -> (String, usize) {
        let value = |name: &str| self.image.spec.env.get(name).or_else(|| self.arguments.get(name)).cloned();
        let Some((inner, _)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) else {
            let length = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
            return match length {
                0 => ("$".to_owned(), 0),
                _ => (value(&text[..length]).unwrap_or_default(), length),
            };
        };
        let filled = |name: &str| value(name).filter(|value| !value.is_empty());
        let found = if let Some((name, default)) = inner.split_once(":-") {
            filled(name).unwrap_or_else(|| self.substituted(default))
        } else if let Some((name, other)) = inner.split_once(":+") {
            filled(name).map(|_| self.substituted(other)).unwrap_or_default()
        } else {
            value(inner).unwrap_or_default()
        };
        (found, inner.len() + 2)
    }
}

fn from(rest: &str) -> Result<(), &'static str> {
    let foreign = words(rest).any(|word| word.strip_prefix("--platform=").is_some_and(|name| name != "linux/amd64"));
    if foreign { Err("images are composed for linux/amd64 only") } else { Ok(()) }
}

/// A command as a list in JSON, or a line for the shell.
fn command(rest: &str) -> Result<Vec<String>, &'static str> {
    match rest.starts_with('[') {
        true => serde_json::from_str(rest).map_err(|_| "the list is no valid JSON"),
        false => Ok(["/bin/sh", "-c", rest].map(str::to_owned).to_vec()),
    }
}

fn is_executable(mode: &str) -> Option<bool> {
    MODES.iter().find(|(known, _)| *known == mode).map(|(_, executable)| *executable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::dockerfile::instructions;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn image(text: &str) -> Result<Composition, Refusal> {
        read(&instructions(text), &given(&[("VERSION", "2")]), ImageSpec::default())
    }

    fn check_base(text: &str, expected: Option<&str>) {
        let found = base(&instructions(text), &given(&[("TAG", "3.11")]));
        assert_eq!(found.map(|(_, name)| name).as_deref(), expected, "{text}");
    }

    #[test]
    fn the_base_may_depend_on_arguments() {
        check_base("FROM python:3.8\n", Some("python:3.8"));
        check_base("ARG TAG=3.9\nFROM --platform=linux/amd64 python:$TAG AS final\n", Some("python:3.11"));
        check_base("ARG NAME=python\nFROM ${NAME}:${MISSING:-slim}\n", Some("python:slim"));
        check_base("FROM a AS build\nFROM b\nCOPY --from=build /x /x\n", None);
        check_base("# nothing\n", None);
    }

    #[test]
    fn instructions_describe_an_image() {
        let image = image(
            "FROM a\nARG VERSION=1\nENV A=1 B=\"two words\"\nENV C three  words\nLABEL v=$VERSION\nWORKDIR /srv\nWORKDIR app\n\
             EXPOSE 80 53/udp\nUSER 1000:0\nCOPY --chmod=755 x.pex run\nENTRYPOINT [\"/srv/app/run\"]\nCMD echo $HOME\n",
        );
        let Composition { spec, changes } = image.unwrap();
        assert_eq!(spec.env, given(&[("A", "1"), ("B", "two words"), ("C", "three  words")]));
        assert_eq!(spec.labels, given(&[("v", "2")]));
        assert_eq!((&*spec.workdir, &*spec.user), ("/srv/app", "1000:0"));
        assert_eq!(spec.ports, ["80/tcp", "53/udp"]);
        assert_eq!(spec.entrypoint, ["/srv/app/run"]);
        assert_eq!(spec.args, ["/bin/sh", "-c", "echo $HOME"]);
        let copy = Change::Copy {
            line: 10,
            sources: vec!["x.pex".to_owned()],
            to: RelPath::parse("srv/app/run").unwrap(),
            into_directory: false,
            executable: Some(true),
        };
        assert_eq!(changes.last(), Some(&copy));
    }

    #[test]
    fn an_entry_point_removes_the_command_of_the_base_only() {
        let base = ImageSpec { args: vec!["sh".to_owned()], ..ImageSpec::default() };
        let args = |text: &str| read(&instructions(text), &given(&[]), base.clone()).unwrap().spec.args;
        assert_eq!(args("FROM a\nENTRYPOINT [\"b\"]\n"), [""; 0]);
        assert_eq!(args("FROM a\nCMD [\"c\"]\nENTRYPOINT [\"b\"]\n"), ["c"]);
        assert_eq!(args("FROM a\nUSER root\n"), ["sh"]);
    }

    #[test]
    fn what_runs_a_program_is_refused_with_its_line() {
        for line in [
            "RUN pip install x",
            "COPY --from=build /x /x",
            "COPY --chown=app a /a",
            "COPY --chmod=700 a /a",
            "COPY a",
            "COPY a /../../b",
            "COPY <<EOF /a",
            "ADD https://example.invalid/x /x",
            "ADD x.tar.gz /x",
            "HEALTHCHECK CMD true",
            "USER nobody-knows",
            "ENV A",
            "ENV A=\"",
            "CMD [\"a\", ]",
            "FROM --platform=linux/arm64 a",
        ] {
            let refusal = image(&format!("FROM a\n# comment\n{line}\n")).unwrap_err();
            assert_eq!((refusal.line, line.starts_with(&refusal.instruction)), (3, true), "{line}: {refusal:?}");
        }
    }

    #[test]
    fn variables_are_substituted_as_docker_does() {
        let value = |text: &str| image(&format!("ARG VERSION\nENV X={text}\n")).unwrap().spec.env.remove("X").unwrap();
        let cases = [
            ("a$VERSION.b", "a2.b"),
            ("${VERSION}0", "20"),
            ("${NONE}", ""),
            ("${NONE:-d$VERSION}", "d2"),
            ("${VERSION:+set}", "set"),
            ("${NONE:+set}", ""),
            ("$", "$"),
            ("${open", "${open"),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), expected, "{text}");
        }
    }
}
