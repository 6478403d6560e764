//! Files that affect everything below their directory without being imported: `__init__.py` and `conftest.py`. They are
//! looked up to the build root, beyond the source root. Imports are not handled here.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::inference::module_map::is_python_source;
use crate::inference::settings::InitFiles;
use crate::inference::target_index::{TargetId, TargetIndex};

/// The files in a directory and above it. Owners are of any resolve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AncestorFiles {
    /// The owners of `__init__.py` files.
    pub inits: Vec<TargetId>,
    /// The owners of `conftest.py` files.
    pub conftests: Vec<TargetId>,
    /// `conftest.py` files that pytest would run although no target owns them.
    pub unowned_conftests: Vec<RelPath>,
}

/// Finds the ancestor files of every directory that contains a Python source of a target, and of the directories above.
pub(super) fn find_ancestor_files(
    targets: &TargetIndex<'_>,
    init_files: InitFiles,
    is_blank: &(dyn Fn(&RelPath) -> bool + Sync),
) -> FxHashMap<RelPath, AncestorFiles> {
    let sources = targets.iter().filter(|(_, target)| is_python_source(target)).flat_map(|(_, target)| &target.sources);
    let mut own: FxHashMap<RelPath, AncestorFiles> = FxHashMap::default();
    for dir in sources.filter_map(RelPath::parent) {
        own.entry(dir).or_default();
    }
    let above: Vec<RelPath> = own.keys().flat_map(RelPath::ancestors).collect();
    above.into_iter().for_each(|dir| {
        own.entry(dir).or_default();
    });
    own.par_iter_mut().for_each(|(dir, files)| *files = in_dir(targets, dir, init_files, is_blank));
    let gather = |dir: &RelPath| {
        let mut all = own[dir].clone();
        for files in dir.ancestors().filter_map(|dir| own.get(&dir)) {
            all.inits.extend(&files.inits);
            all.conftests.extend(&files.conftests);
            all.unowned_conftests.extend(files.unowned_conftests.iter().cloned());
        }
        (dir.clone(), all)
    };
    own.par_iter().map(|(dir, _)| gather(dir)).collect()
}

fn in_dir(
    targets: &TargetIndex<'_>,
    dir: &RelPath,
    init_files: InitFiles,
    is_blank: &(dyn Fn(&RelPath) -> bool + Sync),
) -> AncestorFiles {
    let file = |name| dir.push(name).expect("a constant that is a clean name");
    let owners = |file: &RelPath| {
        let owners = targets.owners(file).iter().copied();
        owners.filter(|owner| is_python_source(targets.get(*owner))).collect::<Vec<_>>()
    };
    let mut files = AncestorFiles::default();
    for init in [file("__init__.py"), file("__init__.pyi")] {
        let counts = match init_files {
            InitFiles::Never => false,
            InitFiles::Always => true,
            InitFiles::ContentOnly => !is_blank(&init),
        };
        if counts {
            files.inits.extend(owners(&init));
        }
    }
    let conftest = file("conftest.py");
    files.conftests = owners(&conftest);
    if targets.owners(&conftest).is_empty() && targets.graph.files().contains(&conftest) {
        files.unowned_conftests.push(conftest);
    }
    files
}
