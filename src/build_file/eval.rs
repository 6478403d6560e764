//! Evaluates a parsed BUILD file: statements, scopes, limits. No I/O: files and environment variables are reached
//! through `Context`. Expressions are in `expr`, calls in `call`.

use std::collections::BTreeSet;
use std::rc::Rc;

use ruff_python_ast::{ElifElseClause, Expr, Stmt, StmtFor, StmtRaise, StmtWhile, StmtWith};
use ruff_text_size::{Ranged, TextSize};

use crate::base::RelPath;
use crate::build_file::decl::BuildFile;
use crate::build_file::names::bound_names;
use crate::build_file::source::Source;
use crate::build_file::term::{Body, Frame, Function, Term};
use crate::build_file::{Diagnostic, Topic, call};

/// Limit on evaluated statements, expressions and calls, so that every file terminates.
const MAX_STEPS: usize = 500_000;
/// Limit on nested expressions and calls, which bounds the use of the native stack.
const MAX_DEPTH: usize = 120;
/// Limit on function values: dropping a chain of functions that are defaults of each other recurses.
const MAX_FUNCTIONS: usize = 1_000;
/// Limit on the bytes of a string and on the items of a list.
pub(super) const MAX_SIZE: usize = 1 << 20;

/// Everything outside a BUILD file that its evaluation may use.
pub struct Context<'c> {
    /// The directory of the BUILD file.
    pub dir: &'c RelPath,
    /// Whether a name is a known target type.
    pub kinds: &'c (dyn Fn(&str) -> bool + Sync),
    /// The known target type that is most similar to an unknown name.
    pub nearest_kind: &'c (dyn Fn(&str) -> Option<&'static str> + Sync),
    /// The value of `PANTS_VERSION`: the release of Pants that the repository is for.
    pub pants_version: &'c str,
    /// Implements `env("NAME")`.
    pub env: &'c (dyn Fn(&str) -> Option<String> + Sync),
    /// Implements `open("path")`: takes a path from the build root; returns the text, or why it cannot be read.
    pub open: &'c (dyn Fn(&str) -> Result<String, String> + Sync),
}

/// Evaluates the preludes and then the file. An error aborts its top-level statement only; the declarations of all
/// other statements are returned.
pub fn evaluate(source: &Source, preludes: &[Source], context: &Context) -> BuildFile {
    let mut evaluator = Evaluator {
        context,
        out: BuildFile::default(),
        entry: source,
        source,
        steps: 0,
        depth: 0,
        functions: 0,
        consumed: 0,
        call_site: None,
        unevaluated: BTreeSet::new(),
    };
    let shared = Rc::new(Frame::default());
    for prelude in preludes {
        (evaluator.source, evaluator.entry) = (prelude, prelude);
        evaluator.prelude(&prelude.module.body, &shared);
    }
    (evaluator.source, evaluator.entry) = (source, source);
    let global = Frame::inside(&shared);
    evaluator.module(&source.module.body, &global);
    // Functions and their frames refer to each other; clearing the frames breaks the cycle.
    global.names.borrow_mut().clear();
    shared.names.borrow_mut().clear();
    evaluator.out
}

/// The reason why evaluation leaves a block.
pub(super) enum Stop<'a> {
    Error(Box<Diagnostic>),
    Return(Term<'a>),
    Break,
    Continue,
}

/// The result of an evaluation step.
pub(super) type Eval<'a, T> = Result<T, Stop<'a>>;

/// The state of one evaluation.
pub(super) struct Evaluator<'a, 'c> {
    pub context: &'c Context<'c>,
    /// The declarations and diagnostics so far.
    pub out: BuildFile,
    /// The file of the code that is being evaluated: a prelude or the BUILD file.
    pub source: &'a Source,
    /// The file whose top-level statements are being evaluated. Declarations get positions in this file.
    pub entry: &'a Source,
    /// Nesting depth of expressions whose value is used. If it is not 0, a call of an unknown name makes an object
    /// rather than a target.
    pub consumed: usize,
    /// The position of the outermost call while a function of the file or a prelude runs.
    pub call_site: Option<TextSize>,
    /// Names that a prelude binds in statements which only Python can evaluate.
    pub unevaluated: BTreeSet<&'a str>,
    steps: usize,
    depth: usize,
    functions: usize,
}

impl<'a> Evaluator<'a, '_> {
    /// Evaluates a prelude. A statement that only Python can evaluate is an error only in files that use the names it
    /// binds.
    fn prelude(&mut self, body: &'a [Stmt], frame: &Rc<Frame<'a>>) {
        for statement in body {
            let reported = self.out.diagnostics.len();
            self.module(std::slice::from_ref(statement), frame);
            if self.out.diagnostics.get(reported).is_some_and(|found| found.topic == Topic::NeedsPython) {
                self.out.diagnostics.truncate(reported);
                self.unevaluated.extend(bound_names(statement));
            }
        }
    }

    fn module(&mut self, body: &'a [Stmt], frame: &Rc<Frame<'a>>) {
        for statement in body {
            let stopped = match self.statement(statement, frame) {
                Ok(()) => continue,
                Err(Stop::Error(diagnostic)) => *diagnostic,
                Err(_) => self
                    .source
                    .diagnostic(statement.start(), "`return`, `break` or `continue` outside a function or loop"),
            };
            self.out.diagnostics.push(stopped);
            (self.depth, self.consumed, self.call_site) = (0, 0, None);
            if self.steps > MAX_STEPS {
                return;
            }
        }
    }

    /// Evaluates statements until one of them fails or leaves the block.
    pub(super) fn block(&mut self, body: &'a [Stmt], frame: &Rc<Frame<'a>>) -> Eval<'a, ()> {
        body.iter().try_for_each(|statement| self.statement(statement, frame))
    }

    fn statement(&mut self, statement: &'a Stmt, frame: &Rc<Frame<'a>>) -> Eval<'a, ()> {
        self.step(statement.start())?;
        match statement {
            Stmt::Expr(expr) => self.expr(&expr.value, frame).map(drop),
            Stmt::Assign(assign) => {
                let value = self.consume(&assign.value, frame)?;
                assign.targets.iter().try_for_each(|target| self.assign(target, value.clone(), frame))
            }
            Stmt::AnnAssign(assign) => match &assign.value {
                Some(value) => {
                    let value = self.consume(value, frame)?;
                    self.assign(&assign.target, value, frame)
                }
                None => Ok(()),
            },
            Stmt::AugAssign(assign) => {
                let left = self.consume(&assign.target, frame)?;
                let right = self.consume(&assign.value, frame)?;
                let value = self.binary(assign.op, left, right, statement.start())?;
                self.assign(&assign.target, value, frame)
            }
            Stmt::If(branch) => {
                if self.consume(&branch.test, frame)?.truth() {
                    return self.block(&branch.body, frame);
                }
                self.run_else(&branch.elif_else_clauses, frame)
            }
            Stmt::For(repeat) => self.run_for(repeat, frame),
            Stmt::While(repeat) => self.run_while(repeat, frame),
            Stmt::FunctionDef(def) if def.is_async || !def.decorator_list.is_empty() => {
                Err(self.needs_python(statement.start(), "decorators and `async` can only be evaluated by Python"))
            }
            Stmt::FunctionDef(def) => {
                let body = Body::Statements(&def.body);
                let function =
                    self.function(def.name.as_str(), Some(&def.parameters), body, frame, statement.start())?;
                frame.set(def.name.as_str(), function);
                Ok(())
            }
            Stmt::Return(value) => {
                let value = value.value.as_deref().map_or(Ok(Term::None), |value| self.expr(value, frame))?;
                Err(Stop::Return(value))
            }
            Stmt::Raise(raise) => self.raise(raise, frame),
            Stmt::Assert(assert) => match self.consume(&assert.test, frame)?.truth() {
                true => Ok(()),
                false => Err(self.error(statement.start(), "an assertion of the file failed")),
            },
            Stmt::With(with) => self.with(with, frame),
            Stmt::Delete(delete) => delete.targets.iter().try_for_each(|target| self.delete(target, frame)),
            Stmt::Pass(_) | Stmt::TypeAlias(_) => Ok(()),
            Stmt::Break(_) => Err(Stop::Break),
            Stmt::Continue(_) => Err(Stop::Continue),
            Stmt::Import(_) | Stmt::ImportFrom(_) => Err(self.import_refused(statement.start())),
            Stmt::ClassDef(_)
            | Stmt::Match(_)
            | Stmt::Try(_)
            | Stmt::Global(_)
            | Stmt::Nonlocal(_)
            | Stmt::IpyEscapeCommand(_) => {
                Err(self.needs_python(statement.start(), "this kind of statement can only be evaluated by Python"))
            }
        }
    }

    fn run_else(&mut self, clauses: &'a [ElifElseClause], frame: &Rc<Frame<'a>>) -> Eval<'a, ()> {
        for clause in clauses {
            let holds = match &clause.test {
                Some(test) => self.consume(test, frame)?.truth(),
                None => true,
            };
            if holds {
                return self.block(&clause.body, frame);
            }
        }
        Ok(())
    }

    fn run_while(&mut self, repeat: &'a StmtWhile, frame: &Rc<Frame<'a>>) -> Eval<'a, ()> {
        while self.consume(&repeat.test, frame)?.truth() {
            match self.block(&repeat.body, frame) {
                Err(Stop::Break) => return Ok(()),
                Ok(()) | Err(Stop::Continue) => self.step(repeat.start())?,
                Err(stop) => return Err(stop),
            }
        }
        self.block(&repeat.orelse, frame)
    }

    fn raise(&mut self, raise: &'a StmtRaise, frame: &Rc<Frame<'a>>) -> Eval<'a, ()> {
        let what = raise.exc.as_deref().map(|exc| self.consume(exc, frame)).transpose()?;
        let what = what.map_or(String::new(), |what| call::exception_text(&what));
        Err(self.error(raise.start(), format!("the file raised an error: {what}")))
    }

    fn run_for(&mut self, repeat: &'a StmtFor, frame: &Rc<Frame<'a>>) -> Eval<'a, ()> {
        let over = self.consume(&repeat.iter, frame)?;
        for item in self.iterate(&over, repeat.iter.start())? {
            self.assign(&repeat.target, item, frame)?;
            match self.block(&repeat.body, frame) {
                Err(Stop::Break) => return Ok(()),
                Ok(()) | Err(Stop::Continue) => {}
                Err(stop) => return Err(stop),
            }
        }
        self.block(&repeat.orelse, frame)
    }

    fn with(&mut self, with: &'a StmtWith, frame: &Rc<Frame<'a>>) -> Eval<'a, ()> {
        for item in &with.items {
            let value = self.consume(&item.context_expr, frame)?;
            if let Some(target) = &item.optional_vars {
                self.assign(target, value, frame)?;
            }
        }
        self.block(&with.body, frame)
    }

    fn delete(&mut self, target: &'a Expr, frame: &Rc<Frame<'a>>) -> Eval<'a, ()> {
        match target {
            Expr::Name(name) => {
                frame.names.borrow_mut().remove(name.id.as_str());
            }
            Expr::Subscript(subscript) => {
                let subject = self.consume(&subscript.value, frame)?;
                let key = self.consume(&subscript.slice, frame)?;
                if let Term::Dict(dict) = subject {
                    dict.remove_key(&key);
                }
            }
            _ => return Err(self.needs_python(target.start(), "`del` supports only names and dict entries")),
        }
        Ok(())
    }

    /// Assigns to a name, to an entry of a list or dict, or to several targets by unpacking.
    pub(super) fn assign(&mut self, target: &'a Expr, value: Term<'a>, frame: &Rc<Frame<'a>>) -> Eval<'a, ()> {
        match target {
            Expr::Name(name) => {
                frame.set(name.id.as_str(), value);
                Ok(())
            }
            Expr::Tuple(targets) => self.unpack(&targets.elts, &value, target.start(), frame),
            Expr::List(targets) => self.unpack(&targets.elts, &value, target.start(), frame),
            Expr::Subscript(subscript) => {
                let subject = self.consume(&subscript.value, frame)?;
                let key = self.consume(&subscript.slice, frame)?;
                self.assign_entry(&subject, key, value, target.start())
            }
            _ => Err(self.needs_python(target.start(), "this assignment target is not supported")),
        }
    }

    fn unpack(&mut self, targets: &'a [Expr], value: &Term<'a>, at: TextSize, frame: &Rc<Frame<'a>>) -> Eval<'a, ()> {
        let mut items = self.iterate(value, at)?;
        let star = targets.iter().position(|target| matches!(target, Expr::Starred(_)));
        let fits = match star {
            Some(_) => items.len() + 1 >= targets.len(),
            None => items.len() == targets.len(),
        };
        if !fits {
            let message = format!("cannot unpack {} values into {} names", items.len(), targets.len());
            return Err(self.error(at, message));
        }
        let surplus = items.len() + 1 - targets.len();
        for target in targets {
            let item = match target {
                Expr::Starred(starred) => {
                    let rest = Term::list(items.drain(..surplus).collect());
                    self.assign(&starred.value, rest, frame)?;
                    continue;
                }
                _ => items.remove(0),
            };
            self.assign(target, item, frame)?;
        }
        Ok(())
    }

    fn assign_entry(&mut self, subject: &Term<'a>, key: Term<'a>, value: Term<'a>, at: TextSize) -> Eval<'a, ()> {
        match (subject, &key) {
            (Term::Dict(dict), _) => {
                let key = self.check_hashable(key, at)?;
                dict.put(key, value);
                Ok(())
            }
            (Term::List(items), Term::Int(index)) => {
                let mut items = items.0.borrow_mut();
                let index = if *index < 0 { *index + items.len() as i64 } else { *index };
                match usize::try_from(index).ok().and_then(|index| items.get_mut(index)) {
                    Some(item) => *item = value,
                    None => return Err(self.error(at, "list index out of range")),
                }
                Ok(())
            }
            _ => Err(self.needs_python(at, format!("item assignment to a {} is not supported", subject.type_name()))),
        }
    }

    /// Makes a function value. Defaults of parameters are evaluated now, as in Python.
    pub(super) fn function(
        &mut self,
        name: &'a str,
        parameters: Option<&'a ruff_python_ast::Parameters>,
        body: Body<'a>,
        frame: &Rc<Frame<'a>>,
        at: TextSize,
    ) -> Eval<'a, Term<'a>> {
        self.functions += 1;
        if self.functions > MAX_FUNCTIONS {
            return Err(self.needs_python(at, format!("the file defines more than {MAX_FUNCTIONS} functions")));
        }
        let mut defaults = std::collections::BTreeMap::new();
        for parameter in parameters.into_iter().flat_map(|parameters| parameters.iter_non_variadic_params()) {
            if let Some(default) = &parameter.default {
                defaults.insert(parameter.parameter.name.as_str(), self.consume(default, frame)?);
            }
        }
        let (source, frame) = (self.source, Rc::clone(frame));
        Ok(Term::Function(Rc::new(Function { source, name, parameters, defaults, body, frame })))
    }

    /// Evaluates an expression whose value is used.
    pub(super) fn consume(&mut self, expr: &'a Expr, frame: &Rc<Frame<'a>>) -> Eval<'a, Term<'a>> {
        self.consumed += 1;
        let value = self.expr(expr, frame);
        self.consumed -= 1;
        value
    }

    /// Counts one step; an error beyond the limit.
    pub(super) fn step(&mut self, at: TextSize) -> Eval<'a, ()> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(self.error(at, format!("the file takes more than {MAX_STEPS} steps to evaluate")));
        }
        Ok(())
    }

    /// Runs a closure one nesting level deeper; an error beyond the limit.
    pub(super) fn descend<T>(&mut self, at: TextSize, run: impl FnOnce(&mut Self) -> Eval<'a, T>) -> Eval<'a, T> {
        if self.depth >= MAX_DEPTH {
            return Err(
                self.needs_python(at, format!("expressions and calls are nested more than {MAX_DEPTH} levels deep"))
            );
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    /// An error at a position in the current file.
    pub(super) fn error(&self, at: TextSize, message: impl Into<String>) -> Stop<'a> {
        Stop::Error(Box::new(self.source.diagnostic(at, message)))
    }

    /// An error about code that only real Python can evaluate. It is dropped if Python evaluates the file.
    pub(super) fn needs_python(&self, at: TextSize, message: impl Into<String>) -> Stop<'a> {
        let diagnostic = self.source.diagnostic(at, message);
        Stop::Error(Box::new(Diagnostic { topic: Topic::NeedsPython, ..diagnostic }))
    }

    fn import_refused(&self, at: TextSize) -> Stop<'a> {
        let refusal = self.source.diagnostic(at, "BUILD files and preludes cannot import");
        Stop::Error(Box::new(refusal.hint("write the values out, or move the computation into a plugin")))
    }
}
