//! `store gc`: removes what was used least recently.

use serde_json::{Value, json};

use crate::config::typed::StoreSettings;
use crate::engine::local::rows;
use crate::goals::Error;
use crate::goals::store::{SCHEMA_VERSION, count};
use crate::report::{self, size};
use crate::session::{Session, Verdict};
use crate::store::Collected;

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = StoreSettings::parse(session.config());
    let store = session.services.open_store()?;
    let limit = settings.max_bytes.unwrap_or_else(|| store.default_max_bytes());
    let phase = session.ui.console.phase("shrinking the store");
    let collected = match settings.dry_run {
        true => store.plan_collection(limit, &rows::interpret),
        false => store.collect(limit, &rows::interpret),
    }?;
    drop(phase);
    if settings.json {
        session.ui.print(&(report::pretty(&to_json(&collected, limit), 2) + "\n"))?;
    } else if !collected.is_in_use {
        session.ui.print(&to_text(&collected, settings.dry_run))?;
    }
    if collected.is_in_use {
        session.ui.warn_with_hint(&in_use(&collected.users), "run `store gc` again when they have ended");
    }
    Ok(Verdict::Good)
}

fn in_use(users: &[u32]) -> String {
    let users: Vec<String> = users.iter().map(u32::to_string).collect();
    let by = match users.len() {
        0 => "other processes use the store".to_owned(),
        1 => format!("the process {} uses the store", users[0]),
        _ => format!("the processes {} use the store", users.join(", ")),
    };
    format!("{by}, so nothing more was removed")
}

fn to_text(collected: &Collected, is_dry_run: bool) -> String {
    let verb = if is_dry_run { "would remove" } else { "removed" };
    if collected.removed_bytes == 0 {
        return format!("{verb} nothing: the store takes {}\n", size(collected.before_bytes));
    }
    format!(
        "{verb} {} of {}: {}, {}, {} of the index and the records of {}\n",
        size(collected.removed_bytes),
        size(collected.before_bytes),
        count(collected.objects, "object"),
        count(collected.images, "image"),
        count(collected.rows, "row"),
        count(collected.checkouts, "checkout"),
    )
}

fn to_json(collected: &Collected, limit: u64) -> Value {
    json!({
        "schema_version": SCHEMA_VERSION,
        "max_bytes": limit,
        "before_bytes": collected.before_bytes,
        "removed_bytes": collected.removed_bytes,
        "objects": collected.objects,
        "images": collected.images,
        "rows": collected.rows,
        "checkouts": collected.checkouts,
        "is_in_use": collected.is_in_use,
        "users": collected.users,
    })
}
