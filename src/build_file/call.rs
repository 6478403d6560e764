//! Calls: name lookup, argument binding, user-defined functions, and the symbols of BUILD files such as target types.
//! Built-in functions are in `builtins`, methods in `methods`.

use std::collections::BTreeMap;
use std::rc::Rc;

use ruff_python_ast::{Arguments, Expr, ExprCall};
use ruff_text_size::{Ranged, TextSize};

use crate::build_file::decl::{DefaultsCall, GROUP_PREFIX, RulesCall, TargetDecl};
use crate::build_file::eval::{Eval, Evaluator, Stop};
use crate::build_file::names::is_python_only;
use crate::build_file::term::{Body, Frame, Function, Items, MAX_DEPTH, Object, Term};
use crate::build_file::{Diagnostic, Value, builtins, format};

/// Object constructors: calls that make the value of a field rather than declare a target.
pub(super) const OBJECTS: [&str; 15] = [
    "deploy_jar_duplicate_rule",
    "http_source",
    "node_build_script",
    "node_test_script",
    "npm_distribution",
    "parametrize",
    "per_platform",
    "python_artifact",
    "setup_py",
    "shading_keep",
    "shading_relocate",
    "shading_rename",
    "shading_zap",
    "stevedore_namespace",
    "uv_source",
];

/// Keyword arguments, in the order written.
pub(super) type NamedArguments<'a> = Vec<(String, Term<'a>)>;

impl<'a> Evaluator<'a, '_> {
    /// The value of a name; an error if nothing defines it.
    pub(super) fn name(&mut self, name: &'a str, frame: &Rc<Frame<'a>>, at: TextSize) -> Eval<'a, Term<'a>> {
        self.look_up(name, frame, at)?.ok_or_else(|| {
            let diagnostic = self.source.diagnostic(at, format!("unknown name `{name}`"));
            Stop::Error(Box::new(diagnostic.did_you_mean((self.context.nearest_kind)(name))))
        })
    }

    fn look_up(&self, name: &str, frame: &Rc<Frame<'a>>, at: TextSize) -> Eval<'a, Option<Term<'a>>> {
        if self.unevaluated.contains(name) {
            return Err(
                self.needs_python(at, format!("the prelude's definition of `{name}` can only be evaluated by Python"))
            );
        }
        if let Some(term) = frame.get(name) {
            return Ok(Some(term));
        }
        if name == "PANTS_VERSION" {
            return Ok(Some(Term::Version(self.context.pants_version.into())));
        }
        if let Some(builtin) = builtins::BUILTIN_NAMES.iter().find(|known| **known == name) {
            return Ok(Some(Term::Builtin(builtin)));
        }
        if OBJECTS.contains(&name) || (self.context.kinds)(name) {
            return Ok(Some(Term::Symbol(name.into())));
        }
        match is_python_only(name) {
            true => Err(self.needs_python(at, format!("`{name}` can only be evaluated by Python"))),
            false => Ok(None),
        }
    }

    /// Evaluates a call expression. The name of an unknown function counts as an unknown target type.
    pub(super) fn call(&mut self, call: &'a ExprCall, frame: &Rc<Frame<'a>>) -> Eval<'a, Term<'a>> {
        let at = call.range_start;
        let callee = match &*call.func {
            Expr::Name(name) => {
                let name = name.id.as_str();
                self.look_up(name, frame, at)?.unwrap_or_else(|| Term::Symbol(name.into()))
            }
            other => self.consume(other, frame)?,
        };
        let (positional, named) = self.arguments(&call.arguments, frame)?;
        self.descend(at, |here| here.apply(&callee, positional, named, at))
    }

    fn arguments(
        &mut self,
        arguments: &'a Arguments,
        frame: &Rc<Frame<'a>>,
    ) -> Eval<'a, (Vec<Term<'a>>, NamedArguments<'a>)> {
        let mut positional = Vec::new();
        for argument in &arguments.args {
            match argument {
                Expr::Starred(starred) => {
                    let items = self.consume(&starred.value, frame)?;
                    positional.extend(self.iterate(&items, argument.start())?);
                    self.check_size(positional.len(), argument.start())?;
                }
                _ => positional.push(self.consume(argument, frame)?),
            }
        }
        let mut named: NamedArguments = Vec::new();
        for keyword in &arguments.keywords {
            let value = self.consume(&keyword.value, frame)?;
            let pairs = match &keyword.arg {
                Some(name) => vec![(Term::str(name.as_str()), value)],
                None => self.mapping(&value, named.len(), keyword.start())?,
            };
            for (name, value) in pairs {
                let Term::Str(name) = name else {
                    return Err(self.error(keyword.start(), "the keys of a `**` argument must be strings"));
                };
                if named.iter().any(|(known, _)| **known == *name) {
                    return Err(self.error(keyword.start(), format!("the argument `{name}` is given twice")));
                }
                named.push((name.to_string(), value));
            }
        }
        Ok((positional, named))
    }

    /// The pairs that `**value` unpacks to. A parametrize group becomes one pair with a generated key, which preserves
    /// its position among the fields.
    pub(super) fn mapping(&self, value: &Term<'a>, index: usize, at: TextSize) -> Eval<'a, Vec<(Term<'a>, Term<'a>)>> {
        match value {
            Term::Dict(dict) => Ok(dict.pairs()),
            Term::Object(object) if object.kind == "parametrize" => {
                Ok(vec![(Term::str(format!("{GROUP_PREFIX}{index}")), value.clone())])
            }
            _ => Err(self.error(at, format!("`**` takes a dict, not a {}", value.type_name()))),
        }
    }

    /// Calls a value with evaluated arguments.
    pub(super) fn apply(
        &mut self,
        callee: &Term<'a>,
        positional: Vec<Term<'a>>,
        named: NamedArguments<'a>,
        at: TextSize,
    ) -> Eval<'a, Term<'a>> {
        self.step(at)?;
        match callee {
            Term::Function(function) => self.run(function, positional, named, at),
            Term::Method(method) => self.method(&method.0, method.1, positional, named, at),
            Term::Symbol(kind) => self.declare(kind, positional, named, at),
            Term::Builtin("__defaults__") => self.defaults(positional, named, at),
            Term::Builtin(name @ ("__dependencies_rules__" | "__dependents_rules__")) => {
                self.rules(name, &positional, &named, at)
            }
            Term::Builtin(name) => self.builtin(name, positional, named, at),
            _ => Err(self.needs_python(at, format!("a {} cannot be called", callee.type_name()))),
        }
    }

    fn run(
        &mut self,
        function: &Function<'a>,
        positional: Vec<Term<'a>>,
        named: NamedArguments<'a>,
        at: TextSize,
    ) -> Eval<'a, Term<'a>> {
        let frame = Frame::inside(&function.frame);
        self.bind(function, &frame, positional, named, at)?;
        let caller = (self.source, self.consumed, self.call_site);
        let is_outermost = self.call_site.is_none();
        (self.source, self.consumed, self.call_site) = (function.source, 0, self.call_site.or(Some(at)));
        let result = match function.body {
            Body::Expression(body) => self.expr(body, &frame),
            Body::Statements(body) => match self.block(body, &frame) {
                Ok(()) => Ok(Term::None),
                Err(Stop::Return(value)) => Ok(value),
                Err(Stop::Break | Stop::Continue) => Err(self.error(at, "`break` or `continue` outside a loop")),
                Err(stop) => Err(stop),
            },
        };
        (self.source, self.consumed, self.call_site) = caller;
        match result {
            Err(Stop::Error(diagnostic)) if is_outermost => Err(Stop::Error(Box::new(self.at_call(*diagnostic, at)))),
            result => result,
        }
    }

    /// Moves an error inside a macro of a prelude to the call in the BUILD file: the macro alone does not show which
    /// files are affected.
    fn at_call(&self, diagnostic: Diagnostic, at: TextSize) -> Diagnostic {
        if diagnostic.file == self.entry.file {
            return diagnostic;
        }
        let inside = (diagnostic.file.clone(), diagnostic.place);
        Diagnostic { file: self.out_file(), place: self.entry.place(at), ..diagnostic }.in_macro(Some(&inside))
    }

    fn bind(
        &mut self,
        function: &Function<'a>,
        frame: &Frame<'a>,
        positional: Vec<Term<'a>>,
        named: NamedArguments<'a>,
        at: TextSize,
    ) -> Eval<'a, ()> {
        let refuse = |here: &Self, what: String| Err(here.error(at, format!("`{}()` {what}", function.name)));
        let Some(parameters) = function.parameters else {
            return if positional.is_empty() && named.is_empty() {
                Ok(())
            } else {
                refuse(self, "takes no arguments".to_owned())
            };
        };
        let mut positional = positional.into_iter();
        let mut named: BTreeMap<String, Term<'a>> = named.into_iter().collect();
        for parameter in parameters.posonlyargs.iter().chain(&parameters.args) {
            let name = parameter.parameter.name.as_str();
            let argument = positional.next().or_else(|| named.remove(name));
            let Some(value) = argument.or_else(|| function.defaults.get(name).cloned()) else {
                return refuse(self, format!("is missing its argument `{name}`"));
            };
            frame.set(name, value);
        }
        for parameter in &parameters.kwonlyargs {
            let name = parameter.parameter.name.as_str();
            let Some(value) = named.remove(name).or_else(|| function.defaults.get(name).cloned()) else {
                return refuse(self, format!("is missing its argument `{name}`"));
            };
            frame.set(name, value);
        }
        match &parameters.vararg {
            Some(rest) => frame.set(rest.name.as_str(), Term::tuple(positional.collect())),
            None if positional.len() > 0 => return refuse(self, "was given too many positional arguments".to_owned()),
            None => {}
        }
        match (&parameters.kwarg, named.first_key_value()) {
            (Some(rest), _) => {
                let pairs = named.into_iter().map(|(name, value)| (Term::str(name), value));
                frame.set(rest.name.as_str(), Term::dict(pairs.collect()));
            }
            (None, Some((name, _))) => return refuse(self, format!("takes no argument `{name}`")),
            (None, None) => {}
        }
        Ok(())
    }

    /// Declares a target, or makes an object that becomes the value of a field.
    fn declare(
        &mut self,
        kind: &str,
        positional: Vec<Term<'a>>,
        named: NamedArguments<'a>,
        at: TextSize,
    ) -> Eval<'a, Term<'a>> {
        let known = (self.context.kinds)(kind);
        let object = OBJECTS.contains(&kind) || (!known && (self.consumed > 0 || !positional.is_empty()));
        if object {
            return Ok(Term::Object(Rc::new(Object { kind: kind.to_owned(), positional, named })));
        }
        if !positional.is_empty() {
            return Err(self.error(at, format!("`{kind}` takes named arguments only")));
        }
        let place = self.place_of_call(at);
        if !known {
            let file = &self.out_file();
            let warning = Diagnostic::unknown(file, place, "target type", &format!("`{kind}`"));
            let warning = warning.in_macro(self.place_in_macro(at).as_ref());
            self.out.diagnostics.push(warning.did_you_mean((self.context.nearest_kind)(kind)));
        }
        let mut fields = self.fields(kind, named, at)?;
        let name = match fields.remove("name") {
            None | Some(Value::None) => None,
            Some(Value::Str(name)) => Some(name),
            Some(_) => return Err(self.error(at, format!("the name of a `{kind}` must be a string"))),
        };
        let defaults_before = self.out.defaults.len();
        let (kind, macro_place) = (kind.to_owned(), self.place_in_macro(at));
        self.out.targets.push(TargetDecl { kind, name, fields, place, macro_place, defaults_before });
        Ok(Term::None)
    }

    fn fields(&self, owner: &str, named: NamedArguments<'a>, at: TextSize) -> Eval<'a, BTreeMap<String, Value>> {
        let take = |(field, term): (String, Term<'a>)| match term.to_value() {
            Some(value) => Ok((field, value)),
            None => {
                let what = term.type_name();
                Err(self.error(at, format!("the field `{field}` of `{owner}` cannot hold this {what}")))
            }
        };
        named.into_iter().map(take).collect()
    }

    fn defaults(&mut self, positional: Vec<Term<'a>>, named: NamedArguments<'a>, at: TextSize) -> Eval<'a, Term<'a>> {
        let mut call = DefaultsCall {
            kinds: Vec::new(),
            all: Vec::new(),
            extend: false,
            ignore_unknown_fields: false,
            ignore_unknown_targets: false,
            place: self.place_of_call(at),
        };
        for mapping in &positional {
            for (kinds, fields) in self.mapping(mapping, 0, at)? {
                let kinds = match kinds {
                    Term::Tuple(kinds) => kinds.to_vec().iter().map(format::text).collect(),
                    kind => vec![format::text(&kind)],
                };
                call.kinds.push((kinds, self.field_list(&fields, at)?));
            }
        }
        for (name, value) in &named {
            match name.as_str() {
                "all" => call.all = self.field_list(value, at)?,
                "extend" => call.extend = value.truth(),
                "ignore_unknown_fields" => call.ignore_unknown_fields = value.truth(),
                "ignore_unknown_targets" => call.ignore_unknown_targets = value.truth(),
                other => return Err(self.error(at, format!("`__defaults__` takes no argument `{other}`"))),
            }
        }
        self.out.defaults.push(call);
        Ok(Term::None)
    }

    fn field_list(&self, fields: &Term<'a>, at: TextSize) -> Eval<'a, Vec<(String, Value)>> {
        let pairs = match fields {
            Term::None => Vec::new(),
            _ => self.mapping(fields, 0, at)?,
        };
        let named = pairs.into_iter().map(|(name, value)| (format::text(&name), value)).collect();
        Ok(self.fields("__defaults__", named, at)?.into_iter().collect())
    }

    fn rules(
        &mut self,
        name: &str,
        positional: &[Term<'a>],
        named: &NamedArguments<'a>,
        at: TextSize,
    ) -> Eval<'a, Term<'a>> {
        let rulesets: Option<Vec<Value>> = positional.iter().map(|ruleset| rule_value(ruleset, 0)).collect();
        let Some(rulesets) = rulesets else {
            return Err(self.error(at, format!("`{name}` takes strings, dicts, lists and tuples")));
        };
        let extend = named.iter().any(|(name, value)| name == "extend" && value.truth());
        let call = RulesCall { rulesets, extend, place: self.place_of_call(at) };
        match name {
            "__dependents_rules__" => self.out.dependents_rules.push(call),
            _ => self.out.dependencies_rules.push(call),
        }
        Ok(Term::None)
    }

    /// The position of the outermost call in the BUILD file. A position inside a macro's file would be the
    /// same for all its callers.
    fn place_of_call(&self, at: TextSize) -> crate::base::text::Place {
        self.entry.place(self.call_site.unwrap_or(at))
    }

    /// The position in the file of a prelude, while a macro of that file runs.
    fn place_in_macro(&self, at: TextSize) -> Option<(crate::base::RelPath, crate::base::text::Place)> {
        (self.source.file != self.entry.file).then(|| (self.source.file.clone(), self.source.place(at)))
    }

    fn out_file(&self) -> crate::base::RelPath {
        self.entry.file.clone()
    }
}

/// Converts a part of a visibility rule. A bare target type becomes the pattern that matches that type.
fn rule_value(term: &Term<'_>, depth: usize) -> Option<Value> {
    let values = |items: &Items<'_>| -> Option<Vec<Value>> {
        items.to_vec().iter().map(|item| rule_value(item, depth + 1)).collect()
    };
    match term {
        Term::List(_) | Term::Set(_) | Term::Tuple(_) if depth > MAX_DEPTH => None,
        Term::List(items) | Term::Set(items) => Some(Value::List(values(items)?)),
        Term::Tuple(items) => Some(Value::Tuple(values(items)?)),
        Term::Symbol(kind) => Some(Value::Str(format!("<{kind}>"))),
        other => other.to_value(),
    }
}

/// The type and the arguments of a raised exception, as one line.
pub(super) fn exception_text(raised: &Term<'_>) -> String {
    match raised {
        Term::Object(object) => {
            let texts: Vec<String> = object.positional.iter().map(format::text).collect();
            format!("{}: {}", object.kind, texts.join(", "))
        }
        other => format::text(other),
    }
}
