//! Which files are BUILD files and preludes, and what each declares. What the declarations mean is `load`'s.

use std::collections::BTreeSet;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::prelude::*;

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::base::text::Place;
use crate::build_file::interpret::Question;
use crate::build_file::{self, BuildFile, Context, Diagnostic, Source, Topic};
use crate::targets::Files;
use crate::targets::kind::{self, Kind};
use crate::targets::load::World;
use crate::targets::settings::Settings;
use crate::tracked::Tracker;

const START: Place = Place { line: 1, column: 1 };

/// Every BUILD file as evaluated, and what of them only real Python can evaluate.
pub struct Read {
    pub files: Vec<(RelPath, BuildFile)>,
    pub question: Option<Question>,
}

pub fn read_all(
    root: &Path,
    files: &Files,
    settings: &Settings,
    world: &World,
    diagnostics: &mut Vec<Diagnostic>,
) -> Read {
    let paths = build_files(root, files, settings, diagnostics);
    let preludes = preludes(root, &world.tracker, files, settings, diagnostics);
    let evaluated: Vec<(RelPath, BuildFile)> = paths
        .into_par_iter()
        .map(|path| {
            let known = world.answers.get(&path).cloned();
            let file = known.unwrap_or_else(|| evaluate(root, &path, &preludes, world));
            (path, file)
        })
        .collect();
    let is_beyond = |file: &BuildFile| file.diagnostics.iter().any(|found| found.topic == Topic::Beyond);
    let beyond = evaluated.iter().filter(|(path, file)| is_beyond(file) && !world.answers.contains_key(path));
    let beyond: BTreeSet<RelPath> = beyond.map(|(path, _)| path.clone()).collect();
    let question = (!beyond.is_empty()).then(|| Question {
        files: beyond,
        preludes: preludes.iter().map(|prelude| prelude.file.clone()).collect(),
        kinds: kind::kinds().map(|kind| kind.name).collect(),
    });
    Read { files: evaluated, question }
}

fn build_files(root: &Path, files: &Files, settings: &Settings, diagnostics: &mut Vec<Diagnostic>) -> Vec<RelPath> {
    let patterns = Globs::compile(settings.build_patterns.iter().map(String::as_str));
    let patterns = patterns.unwrap_or_else(|error| {
        diagnostics.push(Diagnostic::error(&RelPath::root(), START, format!("`[GLOBAL] build_patterns`: {error}")));
        Globs::default()
    });
    let ignored = ignored(root, &settings.build_ignore);
    // A pattern without a slash is one for names, as in .gitignore.
    let by_path = settings.build_patterns.iter().any(|pattern| pattern.contains('/'));
    let is_build = |file: &&RelPath| {
        let name = file.as_str().rsplit('/').next().unwrap_or_default();
        patterns.matches(name) || (by_path && patterns.matches(file.as_str()))
    };
    let wanted = |file: &&RelPath| !ignored.matched_path_or_any_parents(file.as_str(), false).is_ignore();
    files.iter().filter(is_build).filter(wanted).cloned().collect()
}

fn ignored(root: &Path, patterns: &[String]) -> Gitignore {
    let mut builder = GitignoreBuilder::new(root);
    for pattern in patterns {
        // A pattern that git cannot read ignores nothing, as in a .gitignore.
        drop(builder.add_line(None, pattern));
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn preludes(
    root: &Path,
    tracker: &Tracker,
    files: &Files,
    settings: &Settings,
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
        return Err(refuse(format!("it has {size_bytes} bytes, more than {} are not read", build_file::MAX_BYTES)));
    }
    tracker.read(&path).map_err(|error| refuse(error.to_string()))
}

fn evaluate(root: &Path, path: &RelPath, preludes: &[Source], world: &World) -> BuildFile {
    let broken = |diagnostic: Box<Diagnostic>, is_inherited| BuildFile {
        diagnostics: vec![*diagnostic],
        is_inherited,
        ..BuildFile::default()
    };
    let bytes = match read(root, &world.tracker, path) {
        Ok(bytes) => bytes,
        // Nobody knows what it would have handed down.
        Err(diagnostic) => return broken(diagnostic, true),
    };
    let is_inherited = build_file::may_hand_down(&bytes) || preludes.iter().any(Source::may_hand_down);
    let source = match Source::parse_bytes(path, bytes) {
        Ok(source) => source,
        Err(diagnostic) => return broken(diagnostic, is_inherited),
    };
    let open = |name: &str| {
        let file = RelPath::parse(name).map_err(|error| error.to_string())?;
        world.tracker.read_to_string(&file.to_path(root)).map_err(|error| error.to_string())
    };
    let context = Context {
        dir: &path.parent().unwrap_or_default(),
        kinds: &|name| Kind::of(name).is_some(),
        nearest_kind: &kind::nearest,
        env: world.env,
        open: &open,
    };
    let file = build_file::evaluate(&source, preludes, &context);
    let is_inherited = is_inherited && !file.diagnostics.is_empty();
    BuildFile { is_inherited, ..file }
}
