//! Finds and evaluates BUILD files and preludes. The declarations are expanded in `load`.

use std::collections::BTreeSet;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::prelude::*;

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::base::text::Place;
use crate::build_file::interpret::EvaluationRequest;
use crate::build_file::{self, BuildFile, Context, Diagnostic, Source, Topic};
use crate::targets::Files;
use crate::targets::kind::{self, Kind};
use crate::targets::load::LoadContext;
use crate::targets::settings::LoadSettings;
use crate::tracked::Tracker;

const START: Place = Place { line: 1, column: 1 };

/// All BUILD files with their declarations.
pub(super) struct EvaluatedFiles {
    /// By path, sorted.
    pub files: Vec<(RelPath, BuildFile)>,
    /// BUILD files that only real Python can evaluate, if any.
    pub python_request: Option<EvaluationRequest>,
}

/// Finds and evaluates all BUILD files. Errors about no single BUILD file are added to `diagnostics`.
pub(super) fn evaluate_all(
    root: &Path,
    files: &Files,
    settings: &LoadSettings,
    context: &LoadContext,
    diagnostics: &mut Vec<Diagnostic>,
) -> EvaluatedFiles {
    let mut paths = find_build_files(root, files, settings, diagnostics);
    paths.extend(context.implied_files.keys().cloned());
    paths.sort();
    paths.dedup();
    let preludes = parse_preludes(root, &context.tracker, files, settings, diagnostics);
    let evaluated: Vec<(RelPath, BuildFile)> = paths
        .into_par_iter()
        .map(|path| {
            let known = context.python_results.get(&path).cloned();
            let file = known.unwrap_or_else(|| evaluate(root, &path, &preludes, settings, context));
            (path, file)
        })
        .collect();
    let is_unevaluated = |file: &BuildFile| file.diagnostics.iter().any(|found| found.topic == Topic::NeedsPython);
    let needs_python =
        evaluated.iter().filter(|(path, file)| is_unevaluated(file) && !context.python_results.contains_key(path));
    let needs_python: BTreeSet<RelPath> = needs_python.map(|(path, _)| path.clone()).collect();
    let python_request = (!needs_python.is_empty()).then(|| EvaluationRequest {
        files: needs_python,
        preludes: preludes.iter().map(|prelude| prelude.file.clone()).collect(),
        kinds: kind::kinds().map(|kind| kind.name).collect(),
        pants_version: settings.pants_version_or_newest().to_owned(),
    });
    EvaluatedFiles { files: evaluated, python_request }
}

fn find_build_files(
    root: &Path,
    files: &Files,
    settings: &LoadSettings,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<RelPath> {
    let patterns = Globs::compile(settings.build_patterns.iter().map(String::as_str));
    let patterns = patterns.unwrap_or_else(|error| {
        diagnostics.push(Diagnostic::error(&RelPath::root(), START, format!("`[GLOBAL] build_patterns`: {error}")));
        Globs::default()
    });
    let ignored = compile_ignore_patterns(root, &settings.build_ignore);
    // A pattern without a slash matches file names, as in .gitignore.
    let by_path = settings.build_patterns.iter().any(|pattern| pattern.contains('/'));
    let is_build = |file: &&RelPath| {
        let name = file.as_str().rsplit('/').next().unwrap_or_default();
        patterns.matches(name) || (by_path && patterns.matches(file.as_str()))
    };
    let wanted = |file: &&RelPath| !ignored.matched_path_or_any_parents(file.as_str(), false).is_ignore();
    files.iter().filter(is_build).filter(wanted).cloned().collect()
}

fn compile_ignore_patterns(root: &Path, patterns: &[String]) -> Gitignore {
    let mut builder = GitignoreBuilder::new(root);
    for pattern in patterns {
        // An invalid pattern ignores nothing, as in .gitignore.
        drop(builder.add_line(None, pattern));
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn parse_preludes(
    root: &Path,
    tracker: &Tracker,
    files: &Files,
    settings: &LoadSettings,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Source> {
    let globs = match Globs::compile(settings.prelude_globs.iter().map(String::as_str)) {
        Ok(globs) => globs,
        Err(error) => {
            let message = format!("`[GLOBAL] build_file_prelude_globs`: {error}");
            diagnostics.push(Diagnostic::error(&RelPath::root(), START, message));
            return Vec::new();
        }
    };
    let mut preludes = Vec::new();
    for file in files.matching(&RelPath::root(), &globs) {
        match read(root, tracker, &file).and_then(|bytes| Source::parse_bytes(&file, bytes)) {
            Ok(source) => preludes.push(source),
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    preludes
}

fn read(root: &Path, tracker: &Tracker, file: &RelPath) -> Result<Vec<u8>, Box<Diagnostic>> {
    let refuse = |why: String| Box::new(Diagnostic::error(file, START, format!("cannot read the file: {why}")));
    let path = file.to_path(root);
    let size_bytes = tracker.metadata(&path).map_err(|error| refuse(error.to_string()))?.len();
    if size_bytes > build_file::MAX_BYTES as u64 {
        return Err(refuse(format!("it has {size_bytes} bytes; the limit is {}", build_file::MAX_BYTES)));
    }
    tracker.read(&path).map_err(|error| refuse(error.to_string()))
}

fn evaluate(
    root: &Path,
    path: &RelPath,
    preludes: &[Source],
    settings: &LoadSettings,
    context: &LoadContext,
) -> BuildFile {
    let failed = |diagnostic: Box<Diagnostic>, affects_subdirectories| BuildFile {
        diagnostics: vec![*diagnostic],
        affects_subdirectories,
        ..BuildFile::default()
    };
    let read = || match context.implied_files.get(path) {
        Some(text) => Ok(text.clone().into_bytes()),
        None => read(root, &context.tracker, path),
    };
    let bytes = match read() {
        Ok(bytes) => bytes,
        // The file may have set defaults or rules for its subdirectories.
        Err(diagnostic) => return failed(diagnostic, true),
    };
    let affects_subdirectories =
        build_file::may_affect_subdirectories(&bytes) || preludes.iter().any(Source::may_affect_subdirectories);
    let source = match Source::parse_bytes(path, bytes) {
        Ok(source) => source,
        Err(diagnostic) => return failed(diagnostic, affects_subdirectories),
    };
    let open = |name: &str| {
        let file = RelPath::parse(name).map_err(|error| error.to_string())?;
        context.tracker.read_to_string(&file.to_path(root)).map_err(|error| error.to_string())
    };
    let context = Context {
        dir: &path.parent().unwrap_or_default(),
        kinds: &|name| Kind::find(name).is_some(),
        nearest_kind: &kind::nearest,
        pants_version: settings.pants_version_or_newest(),
        env: context.env,
        open: &open,
    };
    let file = build_file::evaluate(&source, preludes, &context);
    let affects_subdirectories = affects_subdirectories && !file.diagnostics.is_empty();
    BuildFile { affects_subdirectories, ..file }
}
