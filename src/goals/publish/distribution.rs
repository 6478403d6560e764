//! Distributions: uploaded by twine, which runs on this machine with the network, the passwords and the terminal of the user.

use std::collections::BTreeMap;

use crate::base::ErrorKind;
use crate::config::typed::{PublishSettings, ToolSettings};
use crate::goals::Error;
use crate::goals::package::BuiltPackage;
use crate::goals::publish::skipped_by;
use crate::prepare::Planner;
use crate::prepare::host_venv::{self, HostVenv};
use crate::prepare::images::Importable;
use crate::prepare::run::{self, HostSources};
use crate::report::publications::{Publication, Status};
use crate::session::foreground::{self, HostProgram};
use crate::session::{Session, toolchains};
use crate::targets::Target;
use crate::tools;

/// The tool that uploads distributions.
const TWINE: &str = "twine";
/// The variables in which twine expects credentials. With `_` and the name of a repository in capitals appended, they are for that
/// repository alone.
const CREDENTIALS: [&str; 3] = ["TWINE_PASSWORD", "TWINE_REPOSITORY_URL", "TWINE_USERNAME"];

/// Uploads a distribution, and returns what became of it in each repository.
pub(super) fn publish(
    session: &mut Session,
    target: &Target,
    built: &BuiltPackage,
) -> Result<Vec<(Publication, Option<ErrorKind>)>, Error> {
    let files: Vec<String> =
        session.services.open_store()?.tree(built.tree)?.nodes.keys().map(ToString::to_string).collect();
    let publication = |repository: Option<&str>, status: Status| Publication {
        target: target.address.to_string(),
        names: files.clone(),
        publisher: TWINE,
        repository: repository.map(str::to_owned),
        sha256: None,
        published: status == Status::Published,
        status,
    };
    let repositories: Vec<String> = target.strings("repositories").into_iter().map(str::to_owned).collect();
    let settings = ToolSettings::parse(session.config(), TWINE);
    let none = || Status::Skipped(format!("(no `repositories` specified for {})", target.address));
    let by_setting = || settings.skip.then(|| Status::Skipped("(by `skip` in the section `[twine]`)".to_owned()));
    let skipped = skipped_by(target, "skip_twine").or_else(by_setting).or_else(|| repositories.is_empty().then(none));
    if let Some(skipped) = skipped {
        return Ok(vec![(publication(None, skipped), None)]);
    }
    let constraints = match settings.interpreter_constraints.is_empty() {
        true => toolchains::default_constraints(session.config()),
        false => settings.interpreter_constraints.clone(),
    };
    let plan = |planner: &mut Planner<'_>| {
        let importable = Importable { tool: Some(TWINE.to_owned()), ..Importable::default() };
        planner.host_venv(&constraints, &importable, &run::placement())
    };
    let venv = host_venv::provide(session, plan)?;
    let copy = HostSources::copy(session, built.tree, true)?;
    let paths: Vec<String> = files.iter().map(|file| copy.dir().join(file).to_string_lossy().into_owned()).collect();
    let mut publications = Vec::new();
    for repository in &repositories {
        let code = foreground::run(session, &twine(session, &settings, &venv, repository, &paths))?;
        let (status, kind) = match code {
            0 => (Status::Published, None),
            code => (Status::Failed(format!("twine ended with exit code {code}")), Some(ErrorKind::Mistake)),
        };
        publications.push((publication(Some(repository), status), kind));
    }
    Ok(publications)
}

fn twine(
    session: &Session,
    settings: &ToolSettings,
    venv: &HostVenv,
    repository: &str,
    files: &[String],
) -> HostProgram {
    let mut argv = vec![venv.root.join("bin/twine").to_string_lossy().into_owned()];
    // Where nothing interprets colours, a progress bar would fill the log.
    argv.extend((!session.ui.terminal.colour).then(|| "--no-color".to_owned()));
    argv.extend(["upload", "--non-interactive"].map(str::to_owned));
    argv.extend((!session.ui.terminal.colour).then(|| "--disable-progress-bar".to_owned()));
    let mut env = BTreeMap::new();
    match repository.strip_prefix('@') {
        Some(name) => {
            argv.push(format!("--repository={name}"));
            let suffix = name.to_uppercase().replace(['-', '.'], "_");
            for variable in CREDENTIALS {
                let own = session.environment().var(&format!("{variable}_{suffix}"));
                env.extend(own.map(|value| (variable.to_owned(), value.to_owned())));
            }
        }
        None => argv.push(format!("--repository-url={repository}")),
    }
    let tool = tools::named(TWINE).filter(|_| settings.config_discovery);
    let usual = tool.into_iter().flat_map(|tool| tool.config_files).map(|file| file.name);
    let tracker = &session.context.tracker;
    let found = usual.into_iter().find(|file| tracker.is_file(&session.build_root().join(file)));
    let config = settings.config.first().cloned().or(found);
    argv.extend(config.map(|path| format!("--config-file={path}")));
    let certificates = PublishSettings::parse(session.config()).ca_certs_path;
    let certificates = certificates.or_else(|| Some(session.context.ca_bundle()?.to_string_lossy().into_owned()));
    argv.extend(certificates.map(|path| format!("--cert={path}")));
    argv.extend(settings.args.iter().chain(files).cloned());
    HostProgram { argv, env, cwd: session.build_root().to_owned() }
}
