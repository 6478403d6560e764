//! Plans the Python code of Thrift files: a step for each file, with the compiler of a pinned Debian package.

use std::collections::BTreeSet;

use crate::action::Source;
use crate::base::RelPath;
use crate::config::typed::ThriftSettings;
use crate::plan::interpreter;
use crate::plan::thrift_run::{self, ThriftRun};
use crate::prepare::generate::Error;
use crate::prepare::{Error as PrepareError, Planner};
use crate::session::toolchains;
use crate::targets::{Target, TargetGraph, kind};

/// The Debian package with the compiler.
const PACKAGE: &str = "thrift-compiler";

impl Planner<'_> {
    /// The code of a Thrift file.
    pub(super) fn plan_thrift(&mut self, graph: &TargetGraph, target: &Target) -> Result<Source, PrepareError> {
        let address = &target.address;
        let file = target.sources.first().ok_or_else(|| PrepareError::NoSource(address.clone()))?;
        let dependencies = self.session.infer_for(&BTreeSet::from([address.clone()]))?;
        let members = dependencies.transitive_without_special(std::slice::from_ref(address));
        let members = members.iter().filter_map(|member| graph.get(member));
        let included = members.filter(|member| member.kind == kind::THRIFT_SOURCE).flat_map(|member| &member.sources);
        let files: BTreeSet<&RelPath> = included.chain([file]).collect();
        let roots = self.session.find_source_roots()?;
        let root_of = |file: &RelPath| {
            roots.find_for_file(file).ok_or_else(|| Error::NoSourceRoot { target: address.clone(), file: file.clone() })
        };
        let include = files.iter().map(|file| root_of(file)).collect::<Result<BTreeSet<RelPath>, Error>>()?;
        let output_root = root_of(file)?;
        let sources = Source::Tree(self.session.services.open_sources()?.tree(files)?);
        let system = toolchains::ensure_system(self.session, &[PACKAGE.to_owned()])?;
        let run = ThriftRun {
            subject: address.to_string(),
            file: file.clone(),
            output_root,
            include: include.into_iter().collect(),
            options: ThriftSettings::parse(self.config()).options,
            sources,
            images: interpreter::images(&system.mounts),
        };
        Ok(Source::Output(self.add(thrift_run::action(run))))
    }
}
