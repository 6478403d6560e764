//! BUILD files of real repositories, mutated: whatever they become, they evaluate or are refused with a place, and soon.
//! The repositories are not here: `WADERS_CHECKOUTS` names a directory of checkouts.

use std::path::{Path, PathBuf};

use waders::base::RelPath;
use waders::build_file::{Context, Source, evaluate};

const MUTATIONS: usize = 10_000;
const SNIPPETS: [&str; 16] =
    ["(", ")", "[", "]", "{", "}", "\"", "'", "f'{", "**", "*", ",", "\n    ", "lambda: ", "for x in y", "="];

#[test]
fn no_mutated_build_file_panics_or_hangs() {
    let Ok(checkouts) = std::env::var("WADERS_CHECKOUTS") else {
        println!("skipped: WADERS_CHECKOUTS names no checkouts");
        return;
    };
    let mut texts = Vec::new();
    collect(Path::new(&checkouts), 6, &mut texts);
    assert!(!texts.is_empty(), "no BUILD file below {checkouts}");
    let mut random = Random(1);
    let (mut clean, mut slowest) = (0, std::time::Duration::ZERO);
    for _ in 0..MUTATIONS {
        let text = mutated(&texts[random.below(texts.len())], &mut random);
        let started = std::time::Instant::now();
        clean += usize::from(diagnosed(text) == 0);
        slowest = slowest.max(started.elapsed());
    }
    println!("{} files, {MUTATIONS} mutations, {clean} of them clean, slowest {slowest:?}", texts.len());
    assert!(slowest.as_secs() < 10, "{slowest:?}");
}

/// Evaluates and counts diagnostics; each has a place in the file.
fn diagnosed(text: String) -> usize {
    let file = RelPath::parse("dir/BUILD").expect("clean");
    let lines = text.lines().count() + 1;
    let context = Context {
        dir: &file.parent().expect("has a parent"),
        kinds: &|name| name.starts_with("python_"),
        nearest_kind: &|_| None,
        env: &|_| None,
        open: &|_| Ok("text\n".to_owned()),
    };
    let diagnostics = match Source::parse(&file, text) {
        Ok(source) => evaluate(&source, &[], &context).diagnostics,
        Err(diagnostic) => vec![*diagnostic],
    };
    for diagnostic in &diagnostics {
        assert!((1..=lines).contains(&diagnostic.place.line) && diagnostic.place.column > 0, "{diagnostic}");
    }
    diagnostics.len()
}

fn mutated(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let at = random.below(chars.len() + 1);
        let len = random.below(12).min(chars.len() - at);
        match random.below(4) {
            0 => drop(chars.drain(at..at + len)),
            1 => drop(chars.splice(at..at, SNIPPETS[random.below(SNIPPETS.len())].chars()).collect::<Vec<_>>()),
            2 => {
                let copied: Vec<char> = chars[at..at + len].to_vec();
                chars.splice(at..at, copied.repeat(1 + random.below(40)));
            }
            _ => chars.iter_mut().skip(at).take(1).for_each(|char| *char = '\u{e9}'),
        }
    }
    chars.into_iter().collect()
}

fn collect(dir: &Path, depth: usize, texts: &mut Vec<String>) {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let is_build = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("BUILD"));
        if path.is_dir() && depth > 0 {
            collect(&path, depth - 1, texts);
        } else if is_build && let Ok(text) = std::fs::read_to_string(&path) {
            texts.push(text);
        }
    }
}

/// A small generator of its own: the run is the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}
