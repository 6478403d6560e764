//! `count-loc`: lines of code of the selected files, by language.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::base::RelPath;
use crate::base::line_count::{Language, LineCount};
use crate::config::typed::CountLocSettings;
use crate::goals::Error;
use crate::goals::output;
use crate::report;
use crate::session::{Session, Verdict};

const GOAL: &str = "count-loc";

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let files = session.select_files()?;
    let counts = counts(session, &files);
    let text = match CountLocSettings::parse(session.config()).json {
        true => report::pretty(&json(&counts), 2) + "\n",
        false => table(&counts),
    };
    output::text(session, GOAL, &text)?;
    Ok(Verdict::Good)
}

/// Counts lines by language. Files of unknown languages and files that are not text are left out.
fn counts(session: &Session, files: &[RelPath]) -> BTreeMap<&'static str, LineCount> {
    let count = |file: &RelPath| {
        let language = Language::from_file_name(file.file_name()?)?;
        let text = session.context.tracker.read_to_string(&file.to_path(session.build_root())).ok()?;
        Some((language.name, language.count(&text)))
    };
    let found: Vec<(&str, LineCount)> = files.par_iter().filter_map(count).collect();
    let mut counts: BTreeMap<&str, LineCount> = BTreeMap::new();
    for (language, count) in found {
        *counts.entry(language).or_default() += count;
    }
    counts
}

/// A table, the language with the most code first.
fn table(counts: &BTreeMap<&'static str, LineCount>) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let mut rows: Vec<(&str, LineCount)> = counts.iter().map(|(language, count)| (*language, *count)).collect();
    rows.sort_by_key(|(language, count)| (std::cmp::Reverse(count.code), *language));
    let mut total = LineCount::default();
    rows.iter().for_each(|(_, count)| total += *count);
    rows.push(("Total", total));
    let mut out = row("Language", ["Files", "Lines", "Blank", "Comment", "Code"].map(str::to_owned));
    for (language, count) in rows {
        let numbers = [count.files, count.lines, count.blank, count.comment, count.code];
        out += &row(language, numbers.map(|number| number.to_string()));
    }
    out
}

fn row(language: &str, cells: [String; 5]) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:>10}")).collect();
    format!("{language:<18}{cells}\n")
}

fn json(counts: &BTreeMap<&'static str, LineCount>) -> Json {
    let one = |(language, count): (&&str, &LineCount)| {
        let LineCount { files, lines, blank, comment, code } = count;
        let count = json!({"files": files, "lines": lines, "blank": blank, "comment": comment, "code": code});
        ((*language).to_owned(), count)
    };
    counts.iter().map(one).collect::<Map<_, _>>().into()
}
