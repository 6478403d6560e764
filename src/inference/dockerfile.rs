//! Parses the parts of a Dockerfile that dependencies follow from: arguments, base images and copied paths. Works on text
//! alone; `docker_images` finds the targets.

use std::collections::BTreeMap;

/// The relevant parts of a Dockerfile.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dockerfile {
    /// Build arguments (`ARG`) with their default values.
    args: BTreeMap<String, String>,
    /// Build arguments that are used as a whole base image or a whole copied path.
    used: Vec<String>,
    /// The paths that `COPY` copies from the build context, as written.
    pub copied: Vec<String>,
}

impl Dockerfile {
    /// Parses the text of a Dockerfile. Unknown instructions are ignored.
    pub(super) fn parse(text: &str) -> Dockerfile {
        let mut file = Dockerfile::default();
        for Instruction { name, rest, .. } in instructions(text) {
            match name.as_str() {
                "ARG" => file.arg(&rest),
                "FROM" => {
                    file.used.extend(words(&rest).find(|word| !word.starts_with("--")).and_then(|word| arg_of(&word)))
                }
                "COPY" => file.copy(&rest),
                _ => {}
            }
        }
        file
    }

    /// The addresses in the values of used arguments, with the names of these arguments. Values in `given` take precedence over the
    /// defaults in the file.
    pub(super) fn addresses<'a>(&'a self, given: &BTreeMap<&str, &'a str>) -> Vec<(&'a str, &'a str)> {
        let named = self.used.iter().filter_map(|name| {
            // As in Pants, a given value counts only if the default in the file is an address.
            let own = self.args.get(name).filter(|value| is_address(value))?;
            Some((name.as_str(), given.get(name.as_str()).copied().unwrap_or(own)))
        });
        named.filter(|(_, value)| !value.is_empty()).collect()
    }

    fn arg(&mut self, rest: &str) {
        if let Some((name, value)) = rest.split_once('=') {
            self.args.insert(name.to_owned(), value.trim_matches(['"', '\'']).to_owned());
        }
    }

    /// Records copied paths, except those from other build stages.
    fn copy(&mut self, rest: &str) {
        let words: Vec<String> = words(rest).collect();
        let flags = words.iter().take_while(|word| word.starts_with("--")).count();
        if words[..flags].iter().any(|flag| flag.starts_with("--from")) {
            return;
        }
        let paths = &words[flags..];
        let copied = &paths[..paths.len().saturating_sub(1)];
        self.used.extend(copied.iter().filter_map(|path| arg_of(path)));
        self.copied.extend(copied.iter().cloned());
    }
}

/// An instruction of a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The line at which it begins, from 1.
    pub line: usize,
    /// Its first word in upper case, such as `COPY`.
    pub name: String,
    /// What follows, joined into one line.
    pub rest: String,
}

/// The instructions of a Dockerfile, without comments.
pub fn instructions(text: &str) -> Vec<Instruction> {
    let escape = if text.lines().take(2).any(|line| line.replace(' ', "") == "#escape=`") { '`' } else { '\\' };
    let (mut all, mut open, mut start) = (Vec::new(), String::new(), 0);
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        if open.is_empty() {
            start = number;
        }
        match line.strip_suffix(escape) {
            Some(line) => open.extend([line, " "]),
            None => all.push((start, std::mem::take(&mut open) + line)),
        }
    }
    all.push((start, open));
    let parse = |(line, text): (usize, String)| {
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
        Instruction { line, name: name.to_ascii_uppercase(), rest: rest.trim().to_owned() }
    };
    all.into_iter().filter(|(_, text)| !text.trim().is_empty()).map(parse).collect()
}

/// The arguments of an instruction: words, or flags followed by a JSON list of words.
pub fn words(rest: &str) -> impl Iterator<Item = String> {
    let (flags, list) = match rest.find('[') {
        Some(at) if rest[..at].split_whitespace().all(|word| word.starts_with("--")) => rest.split_at(at),
        _ => (rest, ""),
    };
    let list: Vec<String> = serde_json::from_str(list).unwrap_or_default();
    let flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    flags.into_iter().chain(list)
}

/// The name of the argument if the word is `$NAME` or `${NAME}`.
fn arg_of(word: &str) -> Option<String> {
    let name = word.strip_prefix('$')?;
    let name = name.strip_prefix('{').map_or(Some(name), |name| name.strip_suffix('}'))?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')).then(|| name.to_owned())
}

/// Whether a value has the form of an address: `dir:name` or `:name`. Image names such as `python:3.12` have it too, so an
/// unknown address is not an error.
fn is_address(value: &str) -> bool {
    let value = value.strip_prefix("//").unwrap_or(value);
    value.split_once(':').is_some_and(|(dir, name)| {
        !dir.contains(['#', ' ']) && !name.is_empty() && !name.contains([':', '!', '@', '?', '/', '\\', '=', ' '])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, given: &[(&str, &str)], addresses: &[&str], copied: &[&str]) {
        let file = Dockerfile::parse(text);
        let found = file.addresses(&given.iter().copied().collect());
        let found: Vec<&str> = found.into_iter().map(|(_, value)| value).collect();
        assert_eq!(found, addresses, "{text}");
        assert_eq!(file.copied, copied, "{text}");
    }

    #[test]
    fn an_argument_used_as_base_image_may_be_an_address() {
        check("ARG BASE=\"src/base:image\"\nFROM --platform=x $BASE AS build\n", &[], &["src/base:image"], &[]);
        check("ARG BASE=:base\nfrom ${BASE}\n", &[], &[":base"], &[]);
        check("ARG BASE=:base\nFROM ${BASE}:1\n", &[], &[], &[]);
        check("ARG BASE\nFROM $BASE\n", &[("BASE", ":x")], &[], &[]);
        check("ARG BASE=:base\nFROM $BASE\n", &[("BASE", ":other")], &[":other"], &[]);
        check("ARG UNUSED=:base\nFROM python:3.12\n", &[], &[], &[]);
    }

    #[test]
    fn only_paths_of_the_build_context_are_recorded() {
        check("COPY a.pex b.pex /bin/\n", &[], &[], &["a.pex", "b.pex"]);
        check("COPY --chown=1 [\"a b.pex\", \"/bin/\"]\n", &[], &[], &["a b.pex"]);
        check("COPY --from=build /x /y\n", &[], &[], &[]);
        check("COPY a.pex \\\n  # why\n  b.pex /bin/\n# COPY c /\n", &[], &[], &["a.pex", "b.pex"]);
        check("ARG APP=src/app:bin\nCOPY $APP /bin/\n", &[], &["src/app:bin"], &["$APP"]);
        check("COPY", &[], &[], &[]);
    }
}
