//! `store verify` and `store repair`: both hash everything; one reports what is damaged, and the other one removes it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::base::ErrorKind;
use crate::config::typed::StoreSettings;
use crate::engine::local::rows;
use crate::goals::Error;
use crate::goals::store::{SCHEMA_VERSION, count};
use crate::report::{self, Console, size};
use crate::session::{Session, Verdict};
use crate::store::{Damage, Report, Store};

/// The interval in which the progress is shown.
const INTERVAL: Duration = Duration::from_millis(200);

/// Runs `store verify`.
pub(super) fn verify(session: &mut Session) -> Result<Verdict, Error> {
    let store = session.services.open_store()?;
    let report = find(session, &store)?;
    print(session, &report)?;
    if report.damages.is_empty() {
        return Ok(Verdict::Good);
    }
    let text = match report.damages.len() {
        1 => "1 entry of the store is damaged or incomplete".to_owned(),
        several => format!("{several} entries of the store are damaged or incomplete"),
    };
    session.ui.error(&text, Some("`waders store repair` removes what is damaged; it is made again when it is needed"));
    Ok(Verdict::Prevented(ErrorKind::WrongBytes))
}

/// Runs `store repair`.
pub(super) fn repair(session: &mut Session) -> Result<Verdict, Error> {
    let store = session.services.open_store()?;
    let report = find(session, &store)?;
    store.repair(&report.damages)?;
    // Each file is reported below.
    store.take_notices();
    print(session, &report)?;
    session.ui.summary(&match report.damages.len() {
        0 => "nothing to repair".to_owned(),
        1 => "removed 1 damaged or incomplete entry; it is made again when it is needed".to_owned(),
        several => format!("removed {several} damaged or incomplete entries; they are made again when they are needed"),
    });
    Ok(Verdict::Good)
}

/// Verifies the store and shows the progress.
fn find(session: &Session, store: &Store) -> Result<Report, Error> {
    let (progress, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let report = std::thread::scope(|scope| {
        scope.spawn(|| show(&session.ui.console, &progress, &ended));
        let report = store.find_damage(&rows::interpret, &progress);
        ended.store(true, Ordering::Relaxed);
        report
    });
    Ok(report?)
}

fn show(console: &Console, progress: &AtomicU64, ended: &AtomicBool) {
    let phase = |bytes: u64| console.phase(&format!("verifying the store: {}", size(bytes)));
    let mut shown = phase(0);
    let mut waited = Duration::ZERO;
    while !ended.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(10));
        waited += Duration::from_millis(10);
        if waited >= INTERVAL {
            drop(shown);
            shown = phase(progress.load(Ordering::Relaxed));
            waited = Duration::ZERO;
        }
    }
    drop(shown);
}

fn print(session: &Session, report: &Report) -> Result<(), Error> {
    if StoreSettings::parse(session.config()).json {
        return Ok(session.ui.print(&(report::pretty(&to_json(report), 2) + "\n"))?);
    }
    let lines: String = report.damages.iter().map(|damage| format!("{}: {}\n", damage.what, damage.why)).collect();
    session.ui.print(&lines)?;
    let (objects, images, rows) =
        (count(report.objects, "object"), count(report.images, "image"), count(report.rows, "row"));
    let bytes = size(report.bytes);
    session.ui.summary(&format!("verified {objects}, {images} and {rows} of the index: {bytes}"));
    Ok(())
}

fn to_json(report: &Report) -> Value {
    let damage = |damage: &Damage| json!({"what": damage.what, "why": damage.why});
    json!({
        "schema_version": SCHEMA_VERSION,
        "objects": report.objects,
        "images": report.images,
        "rows": report.rows,
        "verified_bytes": report.bytes,
        "damaged": report.damages.iter().map(damage).collect::<Vec<_>>(),
    })
}
