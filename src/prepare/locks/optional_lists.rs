//! Requirements that only extras and dependency groups of projects ask for, other than those for tests. Where no lockfile pins the
//! requirements of a repository and they cannot be resolved together, such lists are left out: documentation often needs a newer Python than
//! the project, for example.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::packaging::requirement;
use crate::packaging::resolve::is_for_tests;
use crate::prepare::Error;
use crate::prepare::locks::pinned::PinRequest;
use crate::prepare::locks::resolver::Resolved;
use crate::session::Session;

/// Where a pyproject.toml has named lists of requirements, and what such a list is called.
const PLACES: [(&[&str], &str); 2] =
    [(&["project", "optional-dependencies"], "extra"), (&["dependency-groups"], "group")];

/// Resolves requirements.
pub(super) type Resolve<'r> = dyn FnMut(&mut Session, &BTreeSet<String>) -> Result<Resolved, Error> + 'r;

/// The requirements of an extra or a group.
struct OptionalList {
    /// The list and its file, in words.
    label: String,
    /// What no list for tests contains and no project requires itself, as it is written in targets.
    requirements: BTreeSet<String>,
}

/// Resolves the requirements without the optional lists, and then with as many of them as possible, in the order of their files. Also
/// returns the lines of the lock file about what is left out. `None` if there is no such list, and if the rest cannot be resolved.
pub(super) fn resolve_without(
    session: &mut Session,
    request: &PinRequest,
    resolve: &mut Resolve<'_>,
) -> Result<Option<(Resolved, String)>, Error> {
    let lists = find(session, &request.requirements)?;
    if lists.is_empty() {
        return Ok(None);
    }
    let optional: BTreeSet<&String> = lists.iter().flat_map(|list| &list.requirements).collect();
    let mut included: BTreeSet<String> =
        request.requirements.iter().filter(|text| !optional.contains(text)).cloned().collect();
    let mut resolved = match resolve(session, &included) {
        Ok(resolved) => resolved,
        Err(Error::NotPinned { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut note = String::new();
    for OptionalList { label, requirements } in lists {
        let more: BTreeSet<String> = included.union(&requirements).cloned().collect();
        match resolve(session, &more) {
            Ok(found) => (resolved, included) = (found, more),
            Err(Error::NotPinned { stderr, .. }) => {
                let left_out: Vec<&str> = requirements.difference(&included).map(String::as_str).collect();
                let left_out = left_out.join(", ");
                note += &format!("# left out, since it cannot be resolved with the others: {label}: {left_out}\n");
                let text = format!("`{}` is without the {label}, which cannot be resolved: {left_out}", request.file);
                let reason = stderr.trim().lines().last().unwrap_or_default().trim_start_matches("hint: ");
                session.ui.warn_with_hint(&text, &format!("code that needs it does not run; {reason}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Some((resolved, note)))
}

/// The lists of all projects whose requirements, of those in `all`, nothing else asks for.
fn find(session: &mut Session, all: &BTreeSet<String>) -> Result<Vec<OptionalList>, Error> {
    let graph = session.load_graph()?;
    let globs = Globs::compile(["**/pyproject.toml"]).expect("a constant");
    let mut lists = Vec::new();
    let mut needed = BTreeSet::new();
    for file in graph.files().matching(&RelPath::root(), &globs) {
        let text = session.context.tracker.read_to_string(&file.to_path(session.build_root())).unwrap_or_default();
        let Ok(pyproject) = text.parse::<Table>() else { continue };
        let own = pyproject.get("project").and_then(|project| project.get("dependencies"));
        needed.extend(own.into_iter().flat_map(canonical));
        for (path, kind) in PLACES {
            let table = path.iter().try_fold(&pyproject, |table, key| table.get(*key)?.as_table());
            for (name, list) in table.into_iter().flatten() {
                match is_for_tests(name) {
                    true => needed.extend(canonical(list)),
                    false => lists.push((format!("{kind} `{name}` of `{file}`"), canonical(list))),
                }
            }
        }
    }
    let find = |(label, texts): (String, BTreeSet<String>)| {
        let is_optional = |text: &&String| {
            let canonical = requirement::parse(text).map(|required| required.to_string());
            canonical.is_ok_and(|text| texts.contains(&text) && !needed.contains(&text))
        };
        OptionalList { label, requirements: all.iter().filter(is_optional).cloned().collect() }
    };
    Ok(lists.into_iter().map(find).filter(|list| !list.requirements.is_empty()).collect())
}

/// The requirements of a list, each in one spelling. Groups that the list includes are lists of their own.
fn canonical(list: &Value) -> BTreeSet<String> {
    let texts = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.filter_map(|text| Some(requirement::parse(text).ok()?.to_string())).collect()
}
