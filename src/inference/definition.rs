//! One interface definition, a `.proto` or `.thrift` file: text in, what it imports and which Python modules are made of
//! it out. Whose it is stands in `definitions`.

use std::sync::LazyLock;

use regex::Regex;

use crate::targets::Target;
use crate::targets::kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    Protobuf,
    Thrift,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// Paths of other definitions, from some source root.
    pub imports: Vec<Import>,
    /// The package that Thrift's `namespace py` asks for.
    namespace: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub path: String,
    /// From 1.
    pub line: u32,
}

/// A way to make services of a protocol buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grpc {
    pub suffix: &'static str,
    pub runtime: &'static str,
}

pub const GRPCIO: Grpc = Grpc { suffix: "_pb2_grpc", runtime: "grpc" };
pub const GRPCLIB: Grpc = Grpc { suffix: "_grpc", runtime: "grpclib" };

impl Language {
    /// Nothing for a target that is no definition.
    pub fn of(target: &Target) -> Option<Language> {
        match target.kind.as_str() {
            kind::PROTOBUF_SOURCE => Some(Language::Protobuf),
            kind::THRIFT_SOURCE => Some(Language::Thrift),
            _ => None,
        }
    }

    /// The section of settings for the Python that is made of it.
    pub fn scope(self) -> &'static str {
        match self {
            Language::Protobuf => "python-protobuf",
            Language::Thrift => "python-thrift",
        }
    }

    /// The module that all generated code imports.
    pub fn runtime(self) -> &'static str {
        match self {
            Language::Protobuf => "google.protobuf",
            Language::Thrift => "thrift",
        }
    }
}

impl Definition {
    /// Found by patterns, as in Pants: a comment that looks like an import is one.
    pub fn parse(language: Language, text: &str) -> Definition {
        static PROTOBUF: LazyLock<Regex> = LazyLock::new(|| {
            let import = r#"import\s*(?:\spublic|\sweak)?\s*['"](.+?\.proto)['"]\s*;"#;
            Regex::new(import).expect("a pattern that tests compile")
        });
        static THRIFT: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r#"include\s+['"](.+?\.thrift)['"]"#).expect("a pattern that tests compile"));
        static NAMESPACE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"namespace\s+py\s+(\S+)").expect("a pattern that tests compile"));
        match language {
            Language::Protobuf => Definition { imports: imports(&PROTOBUF, text), namespace: None },
            Language::Thrift => {
                let namespace = NAMESPACE.captures_iter(text).last().map(|found| found[1].to_owned());
                Definition { imports: imports(&THRIFT, text), namespace }
            }
        }
    }

    /// `stripped`: the file below its source root. `grpc`: the services that are asked for.
    pub fn modules(&self, language: Language, stripped: &str, grpc: &[Grpc]) -> Vec<String> {
        match language {
            Language::Protobuf => {
                let suffixes = std::iter::once("_pb2").chain(grpc.iter().map(|grpc| grpc.suffix));
                suffixes.map(|suffix| stripped.replace(".proto", suffix).replace('/', ".")).collect()
            }
            Language::Thrift => {
                let name = stripped.rsplit('/').next().unwrap_or(stripped);
                let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
                let package = self.namespace.as_deref().unwrap_or(stem);
                ["ttypes", "constants"].map(|module| format!("{package}.{module}")).into()
            }
        }
    }
}

fn imports(pattern: &Regex, text: &str) -> Vec<Import> {
    let (mut line, mut counted) = (1, 0);
    let imports = pattern.captures_iter(text).filter_map(|found| {
        let path = found.get(1)?;
        line += text[counted..path.start()].matches('\n').count() as u32;
        counted = path.start();
        Some(Import { path: path.as_str().to_owned(), line })
    });
    imports.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, text: &str, imports: &[&str], modules: &[&str]) {
        let definition = Definition::parse(language, text);
        let found: Vec<&str> = definition.imports.iter().map(|import| import.path.as_str()).collect();
        assert_eq!(found, imports, "{text}");
        assert_eq!(definition.modules(language, "a/b.x", &[]), modules, "{text}");
    }

    #[test]
    fn imports_of_protocol_buffers_are_found() {
        let check = |text, imports: &[&str]| check(Language::Protobuf, text, imports, &["a.b.x"]);
        check("import \"a/b.proto\";\nimport 'c.proto' ;", &["a/b.proto", "c.proto"]);
        check("import public \"a.proto\"; import weak \"b.proto\";", &["a.proto", "b.proto"]);
        check("import\"a.proto\";", &["a.proto"]);
        check("import \"a.txt\";\nimport \"b.proto\"\nimportant(\"c.proto\");", &[]);
    }

    #[test]
    fn an_import_has_its_line() {
        let definition = Definition::parse(Language::Protobuf, "\nimport 'a.proto';\n\nimport 'b.proto';");
        assert_eq!(definition.imports.iter().map(|import| import.line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn includes_and_the_namespace_of_thrift_are_found() {
        let check = |text, imports: &[&str], package: &str| {
            let modules = ["ttypes", "constants"].map(|module| format!("{package}.{module}"));
            check(Language::Thrift, text, imports, &[&modules[0], &modules[1]]);
        };
        check("include \"a/b.thrift\"\ninclude 'c.thrift'\ncpp_include \"d.h\"", &["a/b.thrift", "c.thrift"], "b");
        check("namespace java com.x\nnamespace py old\nnamespace py a.gen  // why\nnamespace pyx z", &[], "a.gen");
    }

    #[test]
    fn modules_follow_the_path_of_a_protocol_buffer() {
        let modules = |grpc: &[Grpc]| Definition::default().modules(Language::Protobuf, "a/b.proto", grpc);
        assert_eq!(modules(&[]), ["a.b_pb2"]);
        assert_eq!(modules(&[GRPCIO, GRPCLIB]), ["a.b_pb2", "a.b_pb2_grpc", "a.b_grpc"]);
    }
}
