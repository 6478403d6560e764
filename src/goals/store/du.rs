//! `store du`: what takes the space.

use serde_json::{Map, Value, json};

use crate::config::typed::StoreSettings;
use crate::engine::local::rows;
use crate::goals::Error;
use crate::goals::store::SCHEMA_VERSION;
use crate::report::{self, size};
use crate::session::{Session, Verdict};
use crate::store::{Space, Usage};

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = StoreSettings::parse(session.config());
    let store = session.services.open_store()?;
    let phase = session.ui.console.phase("measuring the store");
    let usage = store.usage(&rows::interpret)?;
    drop(phase);
    let limit = settings.max_bytes.unwrap_or_else(|| store.default_max_bytes());
    let text = match settings.json {
        true => report::pretty(&to_json(&usage, &store.root().to_string_lossy(), limit), 2) + "\n",
        false => to_text(&usage, limit),
    };
    session.ui.print(&text)?;
    Ok(Verdict::Good)
}

fn to_text(usage: &Usage, limit: u64) -> String {
    let row = |indent: &str, name: &str, files: u64, bytes: u64| {
        format!("{:<44} {files:>9} {:>10}\n", format!("{indent}{name}"), size(bytes))
    };
    let mut text = format!("{:<44} {:>9} {:>10}\n", "", "files", "disk");
    for (name, space) in &usage.parts {
        text += &row("", name, space.files, space.disk_bytes);
        let kinds = match *name {
            "images" => &usage.images,
            "index" => &usage.rows,
            _ => continue,
        };
        kinds.iter().for_each(|(kind, space)| text += &row("  ", kind, space.files, space.disk_bytes));
    }
    let total = usage.total();
    text += &row("", "total", total.files, total.disk_bytes);
    text + &format!("{:<44} {:>20}\n", "limit", size(limit))
}

fn to_json(usage: &Usage, dir: &str, limit: u64) -> Value {
    let space =
        |space: &Space| json!({"files": space.files, "size_bytes": space.size_bytes, "disk_bytes": space.disk_bytes});
    let parts: Map<String, Value> = usage.parts.iter().map(|(name, part)| ((*name).to_owned(), space(part))).collect();
    let kinds = |kinds: &std::collections::BTreeMap<&str, Space>, counted: &str| -> Map<String, Value> {
        let kind = |(name, kind): (&&str, &Space)| {
            let value = json!({counted: kind.files, "size_bytes": kind.size_bytes, "disk_bytes": kind.disk_bytes});
            ((*name).to_owned(), value)
        };
        kinds.iter().map(kind).collect()
    };
    json!({
        "schema_version": SCHEMA_VERSION,
        "dir": dir,
        "max_bytes": limit,
        "total": space(&usage.total()),
        "parts": parts,
        "images": kinds(&usage.images, "images"),
        "index": kinds(&usage.rows, "rows"),
    })
}
