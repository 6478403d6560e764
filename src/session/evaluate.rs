//! BUILD files that need more Python than is evaluated in Rust: the pinned interpreter evaluates them in a sandbox, as a
//! cached step. The evaluation is repeated while files request more environment variables or files.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{ActionGraph, Exit, Source, Step};
use crate::base::{Digest, RelPath};
use crate::build_file::BuildFile;
use crate::build_file::interpret::{self, EvaluationRequest, EvaluationResponse};
use crate::plan::interpret_run::{self, ANSWER, PROGRAM, QUESTION};
use crate::plan::interpreter::Interpreter;
use crate::report::limits::SHOWN_BYTES;
use crate::session::{Error, Session, execute, toolchains};
use crate::store::{Node, Tree};

/// Limit on evaluation rounds: each round may request more environment variables or files.
const ROUNDS: usize = 10;

/// The declarations of each file.
pub(super) fn ask(session: &mut Session, question: &EvaluationRequest) -> Result<BTreeMap<RelPath, BuildFile>, Error> {
    let constraints = toolchains::constraints_of_build_files(session)?;
    let toolchain = toolchains::ensure(session, &constraints)?;
    let interpreter = toolchains::interpreter(&toolchain).ok_or(Error::NoInterpreter)?;
    let (mut env, mut open) = (BTreeMap::new(), BTreeSet::new());
    for _ in 0..ROUNDS {
        let answer = ask_once(session, &interpreter, question, &env, &open)?;
        if answer.missing_inputs.is_empty() {
            return Ok(answer.files);
        }
        let vars = &session.environment().vars;
        env.extend(answer.missing_inputs.env.into_iter().map(|name| (name.clone(), vars.get(&name).cloned())));
        open.extend(answer.missing_inputs.open);
    }
    Err(Error::NotInterpreted(format!("they requested more variables or files in each of {ROUNDS} rounds")))
}

fn ask_once(
    session: &mut Session,
    interpreter: &Interpreter,
    question: &EvaluationRequest,
    env: &BTreeMap<String, Option<String>>,
    open: &BTreeSet<RelPath>,
) -> Result<EvaluationResponse, Error> {
    let exists = |file: &&RelPath| session.context.tracker.is_file(&file.to_path(session.build_root()));
    let files: BTreeSet<RelPath> =
        question.files.iter().chain(&question.preludes).chain(open.iter().filter(exists)).cloned().collect();
    let sources = session.services.open_sources()?.tree(&files)?;
    let parts = tree(session, &[(PROGRAM, interpret::PROGRAM), (QUESTION, &question.to_json(env, open))])?;
    let action = interpret_run::action(interpreter, Source::Tree(sources), Source::Tree(parts));
    let mut graph = ActionGraph::default();
    let step = graph.add(Step::Run(Box::new(action)));
    let mut results = execute::execute(session, graph, &[step], false)?;
    let done = results.remove(&step).ok_or(Error::Interrupted)?.map_err(Error::Step)?;
    let (_, outcome) = done.outcome.ok_or(Error::Interrupted)?;
    let store = session.services.open_store()?;
    match outcome.exit {
        Exit::Code(0) => {}
        Exit::Interrupted => return Err(Error::Interrupted),
        exit => {
            let stderr = store.excerpt(outcome.stderr, SHOWN_BYTES)?;
            return Err(Error::NotInterpreted(format!("{exit}\n{stderr}")));
        }
    }
    let answer = match store.tree(done.tree)?.nodes.get(&RelPath::parse(ANSWER)?) {
        Some(Node::File { digest, .. }) => interpret::decode(&store.get(*digest)?),
        _ => None,
    };
    answer.ok_or_else(|| Error::NotInterpreted("the output of the evaluation is unreadable".to_owned()))
}

fn tree(session: &mut Session, files: &[(&str, &str)]) -> Result<Digest, Error> {
    let store = session.services.open_store()?;
    let mut tree = Tree::default();
    for (name, text) in files {
        let node = Node::File { digest: store.put(text.as_bytes())?, executable: false };
        tree.nodes.insert(RelPath::parse(name)?, node);
    }
    Ok(store.put_tree(&tree)?)
}
