//! What the rows of the store's index mean: the part of the engine in the upkeep of a store.

use serde_json::Value;

use super::action_cache;
use super::incremental::State;
use crate::action::Outcome;
use crate::base::Digest;
use crate::engine::{remote, tree_cache};
use crate::store::{Row, RowMeaning, Table};

/// What a row means. A row that cannot be read is of the part `other`.
pub fn interpret(row: &Row) -> RowMeaning {
    match &row.table {
        Table::Payload(kind) => payload(kind, row),
        Table::Memory => memory(&row.value),
    }
}

fn payload(kind: &str, row: &Row) -> RowMeaning {
    let part = match kind.split('-').next() {
        Some("action") => "actions",
        Some("signature") => "signatures",
        Some("imports") => "imports of sources",
        Some("clean") => "clean files",
        Some("remote" | "sha256") => "contents of servers",
        _ => "other",
    };
    let is_of_partial_tree = [remote::PLACES, tree_cache::KNOWN].contains(&kind);
    RowMeaning { part, owner: action_cache::owner(kind, row), is_of_partial_tree, ..RowMeaning::default() }
}

fn memory(value: &[u8]) -> RowMeaning {
    if let Ok(outcome) = serde_json::from_slice::<Outcome>(value) {
        let read_set = outcome.audit.map(|audit| audit.read_set);
        let required = [outcome.stdout, outcome.stderr, outcome.output].into_iter().chain(read_set).collect();
        return RowMeaning {
            part: "outcomes",
            required,
            trees: vec![(outcome.output, "outputs of steps")],
            ..RowMeaning::default()
        };
    }
    if let Ok(states) = serde_json::from_slice::<Vec<State>>(value)
        && !states.is_empty()
    {
        let trees = states.iter().map(|state| (state.tree, "incremental states")).collect();
        return RowMeaning { part: "incremental states", trees, ..RowMeaning::default() };
    }
    // Fetched and derived trees are JSON strings; those of Debian packages are without quotation marks.
    let text = String::from_utf8_lossy(value);
    if let Ok(tree) = text.trim_matches('"').parse::<Digest>() {
        let trees = vec![(tree, "packages and toolchains")];
        return RowMeaning { part: "fetched and derived trees", required: vec![tree], trees, ..RowMeaning::default() };
    }
    match serde_json::from_slice::<Value>(value) {
        Ok(Value::Object(fields)) if fields.contains_key("body") => {
            RowMeaning { part: "pages and files of package indexes", ..RowMeaning::default() }
        }
        Ok(_) => RowMeaning { part: "memoized answers", ..RowMeaning::default() },
        Err(_) => RowMeaning { part: "other", ..RowMeaning::default() },
    }
}
