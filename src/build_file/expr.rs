//! Expressions: literals, operators, comprehensions, subscripts, f-strings. Calls are in `call`.

use std::rc::Rc;

use ruff_python_ast::{
    BoolOp, CmpOp, Comprehension, Expr, ExprBoolOp, ExprCompare, ExprDict, ExprDictComp, ExprSubscript, FStringPart,
};
use ruff_python_ast::{InterpolatedStringElement, Number, Operator, UnaryOp};
use ruff_text_size::{Ranged, TextSize};

use crate::build_file::eval::{Eval, Evaluator, MAX_SIZE};
use crate::build_file::term::{Body, Frame, Items, Term};
use crate::build_file::{format, operators};

impl<'a> Evaluator<'a, '_> {
    /// Evaluates an expression.
    pub(super) fn expr(&mut self, expr: &'a Expr, frame: &Rc<Frame<'a>>) -> Eval<'a, Term<'a>> {
        self.step(expr.start())?;
        self.descend(expr.start(), |here| here.expr_at_depth(expr, frame))
    }

    fn expr_at_depth(&mut self, expr: &'a Expr, frame: &Rc<Frame<'a>>) -> Eval<'a, Term<'a>> {
        match expr {
            Expr::NoneLiteral(_) | Expr::EllipsisLiteral(_) => Ok(Term::None),
            Expr::BooleanLiteral(literal) => Ok(Term::Bool(literal.value)),
            Expr::StringLiteral(literal) => Ok(Term::str(literal.value.to_str())),
            Expr::NumberLiteral(literal) => self.number(&literal.value, expr.start()),
            Expr::Name(name) => self.name(name.id.as_str(), frame, expr.start()),
            Expr::List(list) => Ok(Term::list(self.elements(&list.elts, frame)?)),
            Expr::Tuple(tuple) => Ok(Term::tuple(self.elements(&tuple.elts, frame)?)),
            Expr::Set(set) => {
                let items = self.elements(&set.elts, frame)?;
                self.build_set(items, expr.start())
            }
            Expr::Dict(dict) => self.dict(dict, frame),
            Expr::Call(call) => self.call(call, frame),
            Expr::Attribute(attribute) => {
                let subject = self.consume(&attribute.value, frame)?;
                self.attribute(subject, attribute.attr.as_str(), expr.start())
            }
            Expr::Subscript(subscript) => self.subscript(subscript, frame),
            Expr::BinOp(op) => {
                let left = self.consume(&op.left, frame)?;
                let right = self.consume(&op.right, frame)?;
                self.binary(op.op, left, right, expr.start())
            }
            Expr::UnaryOp(op) => {
                let operand = self.consume(&op.operand, frame)?;
                self.unary(op.op, &operand, expr.start())
            }
            Expr::BoolOp(op) => self.bool_op(op, frame),
            Expr::Compare(compare) => self.compare(compare, frame),
            Expr::If(choice) => {
                let holds = self.consume(&choice.test, frame)?.truth();
                self.expr(if holds { &choice.body } else { &choice.orelse }, frame)
            }
            Expr::Named(named) => {
                let value = self.consume(&named.value, frame)?;
                self.assign(&named.target, value.clone(), frame)?;
                Ok(value)
            }
            Expr::Lambda(lambda) => {
                let body = Body::Expression(&lambda.body);
                self.function("lambda", lambda.parameters.as_deref(), body, frame, expr.start())
            }
            Expr::FString(text) => self.f_string(text.value.as_slice(), frame),
            Expr::ListComp(comp) => Ok(Term::list(self.comprehend(&comp.generators, &[&comp.elt], frame)?)),
            Expr::Generator(comp) => Ok(Term::list(self.comprehend(&comp.generators, &[&comp.elt], frame)?)),
            Expr::SetComp(comp) => {
                let items = self.comprehend(&comp.generators, &[&comp.elt], frame)?;
                self.build_set(items, expr.start())
            }
            Expr::DictComp(comp) => self.dict_comprehension(comp, frame),
            Expr::BytesLiteral(_)
            | Expr::TString(_)
            | Expr::Starred(_)
            | Expr::Slice(_)
            | Expr::Await(_)
            | Expr::Yield(_)
            | Expr::YieldFrom(_)
            | Expr::IpyEscapeCommand(_) => {
                Err(self.needs_python(expr.start(), "this kind of expression can only be evaluated by Python"))
            }
        }
    }

    fn bool_op(&mut self, op: &'a ExprBoolOp, frame: &Rc<Frame<'a>>) -> Eval<'a, Term<'a>> {
        let mut value = Term::None;
        for operand in &op.values {
            value = self.consume(operand, frame)?;
            if value.truth() == matches!(op.op, BoolOp::Or) {
                break;
            }
        }
        Ok(value)
    }

    fn dict_comprehension(&mut self, comp: &'a ExprDictComp, frame: &Rc<Frame<'a>>) -> Eval<'a, Term<'a>> {
        let Some(key) = &comp.key else {
            return Err(self.error(comp.start(), "this dict comprehension has no key"));
        };
        let items = self.comprehend(&comp.generators, &[key, &comp.value], frame)?;
        let dict = Items::default();
        for pair in items.chunks_exact(2) {
            dict.put(self.check_hashable(pair[0].clone(), comp.start())?, pair[1].clone());
        }
        Ok(Term::Dict(Rc::new(dict)))
    }

    fn number(&self, number: &Number, at: TextSize) -> Eval<'a, Term<'a>> {
        match number {
            Number::Int(value) => match value.as_i64() {
                Some(value) => Ok(Term::Int(value)),
                None => Err(self.needs_python(at, "this integer does not fit in 64 bits")),
            },
            Number::Float(value) => Ok(Term::Float(*value)),
            Number::Complex { .. } => Err(self.needs_python(at, "complex numbers can only be evaluated by Python")),
        }
    }

    fn elements(&mut self, elements: &'a [Expr], frame: &Rc<Frame<'a>>) -> Eval<'a, Vec<Term<'a>>> {
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            match element {
                Expr::Starred(starred) => {
                    let subject = self.consume(&starred.value, frame)?;
                    items.extend(self.iterate(&subject, element.start())?);
                    self.check_size(items.len(), element.start())?;
                }
                _ => items.push(self.consume(element, frame)?),
            }
        }
        Ok(items)
    }

    fn dict(&mut self, literal: &'a ExprDict, frame: &Rc<Frame<'a>>) -> Eval<'a, Term<'a>> {
        let dict = Items::default();
        for item in &literal.items {
            let value = self.consume(&item.value, frame)?;
            match &item.key {
                Some(key) => {
                    let key = self.consume(key, frame)?;
                    dict.put(self.check_hashable(key, item.value.start())?, value);
                }
                None => {
                    for (key, value) in self.mapping(&value, dict.len(), item.value.start())? {
                        dict.put(key, value);
                    }
                }
            }
        }
        Ok(Term::Dict(Rc::new(dict)))
    }

    fn build_set(&mut self, items: Vec<Term<'a>>, at: TextSize) -> Eval<'a, Term<'a>> {
        let items = items.into_iter().map(|item| self.check_hashable(item, at)).collect::<Eval<Vec<_>>>()?;
        Ok(Term::set(items))
    }

    /// Evaluates `elements` once for each iteration of the nested loops, and collects all values in order.
    fn comprehend(
        &mut self,
        loops: &'a [Comprehension],
        elements: &[&'a Expr],
        frame: &Rc<Frame<'a>>,
    ) -> Eval<'a, Vec<Term<'a>>> {
        let inner = Frame::inside(frame);
        let mut items = Vec::new();
        self.comprehend_into(loops, elements, &inner, &mut items)?;
        Ok(items)
    }

    fn comprehend_into(
        &mut self,
        loops: &'a [Comprehension],
        elements: &[&'a Expr],
        frame: &Rc<Frame<'a>>,
        items: &mut Vec<Term<'a>>,
    ) -> Eval<'a, ()> {
        let Some((first, rest)) = loops.split_first() else {
            for element in elements {
                items.push(self.expr(element, frame)?);
            }
            return Ok(());
        };
        let over = self.consume(&first.iter, frame)?;
        for item in self.iterate(&over, first.iter.start())? {
            self.assign(&first.target, item, frame)?;
            let mut wanted = true;
            for condition in &first.ifs {
                wanted = wanted && self.consume(condition, frame)?.truth();
            }
            if wanted {
                self.comprehend_into(rest, elements, frame, items)?;
            }
        }
        Ok(())
    }

    fn compare(&mut self, compare: &'a ExprCompare, frame: &Rc<Frame<'a>>) -> Eval<'a, Term<'a>> {
        let mut left = self.consume(&compare.left, frame)?;
        for (op, right) in compare.ops.iter().zip(&compare.comparators) {
            let right = self.consume(right, frame)?;
            if !self.relation(*op, &left, &right, compare.start())? {
                return Ok(Term::Bool(false));
            }
            left = right;
        }
        Ok(Term::Bool(true))
    }

    fn relation(&mut self, op: CmpOp, left: &Term<'a>, right: &Term<'a>, at: TextSize) -> Eval<'a, bool> {
        let order = match op {
            CmpOp::Eq | CmpOp::Is => return Ok(left.equals(right)),
            CmpOp::NotEq | CmpOp::IsNot => return Ok(!left.equals(right)),
            CmpOp::In => return self.contains(right, left, at),
            CmpOp::NotIn => return Ok(!self.contains(right, left, at)?),
            _ => left.compare(right),
        };
        let Some(order) = order else {
            let message = format!("a {} cannot be compared with a {}", left.type_name(), right.type_name());
            return Err(self.needs_python(at, message));
        };
        Ok(match op {
            CmpOp::Lt => order.is_lt(),
            CmpOp::LtE => order.is_le(),
            CmpOp::Gt => order.is_gt(),
            _ => order.is_ge(),
        })
    }

    fn contains(&mut self, holder: &Term<'a>, item: &Term<'a>, at: TextSize) -> Eval<'a, bool> {
        match (holder, item) {
            (Term::Str(text), Term::Str(part)) => Ok(text.contains(&**part)),
            (Term::Dict(dict), key) => Ok(dict.value_of(key).is_some()),
            _ => Ok(self.iterate(holder, at)?.iter().any(|other| other.equals(item))),
        }
    }

    fn unary(&mut self, op: UnaryOp, operand: &Term<'a>, at: TextSize) -> Eval<'a, Term<'a>> {
        match (op, operand) {
            (UnaryOp::Not, _) => Ok(Term::Bool(!operand.truth())),
            (UnaryOp::USub, Term::Int(value)) => Ok(Term::Int(value.wrapping_neg())),
            (UnaryOp::USub, Term::Float(value)) => Ok(Term::Float(-value)),
            (UnaryOp::UAdd, Term::Int(_) | Term::Float(_)) => Ok(operand.clone()),
            (UnaryOp::Invert, Term::Int(value)) => Ok(Term::Int(!value)),
            _ => {
                Err(self.needs_python(at, format!("`{}` is not supported for a {}", op.as_str(), operand.type_name())))
            }
        }
    }

    /// Applies a binary operator.
    pub(super) fn binary(&mut self, op: Operator, left: Term<'a>, right: Term<'a>, at: TextSize) -> Eval<'a, Term<'a>> {
        let result = match (&left, op, &right) {
            (Term::Int(left), _, Term::Int(right)) => operators::integers(op, *left, *right),
            (Term::Str(left), Operator::Add, Term::Str(right)) => {
                self.check_size(left.len() + right.len(), at)?;
                Some(Term::str([&**left, &**right].concat()))
            }
            (Term::List(left), Operator::Add, Term::List(right)) => {
                self.check_size(left.len() + right.len(), at)?;
                Some(Term::list([left.to_vec(), right.to_vec()].concat()))
            }
            (Term::Tuple(left), Operator::Add, Term::Tuple(right)) => {
                self.check_size(left.len() + right.len(), at)?;
                Some(Term::tuple([left.to_vec(), right.to_vec()].concat()))
            }
            (Term::Str(template), Operator::Mod, _) => match format::percent(template, &right) {
                Ok(text) => {
                    self.check_size(text.len(), at)?;
                    Some(Term::str(text))
                }
                Err(message) => return Err(self.needs_python(at, message)),
            },
            (subject, Operator::Mult, Term::Int(times)) | (Term::Int(times), Operator::Mult, subject) => {
                let times = usize::try_from(*times).unwrap_or(0);
                self.repeat(subject, times, at)?
            }
            (Term::Dict(left), Operator::BitOr, Term::Dict(right)) => {
                Some(Term::dict([left.pairs(), right.pairs()].concat()))
            }
            (Term::Set(left), _, Term::Set(right)) => operators::sets(op, left, right),
            (Term::Path(left), Operator::Div, Term::Str(right) | Term::Path(right)) => {
                Some(Term::Path([&**left, "/", &**right].concat().trim_start_matches("./").into()))
            }
            _ => match (left.number(), right.number()) {
                (Some(left), Some(right)) => operators::floats(op, left, right),
                _ => None,
            },
        };
        result.ok_or_else(|| {
            let (left, right) = (left.type_name(), right.type_name());
            self.needs_python(at, format!("`{}` is not supported for this {left} and this {right}", op.as_str()))
        })
    }

    fn repeat(&mut self, subject: &Term<'a>, times: usize, at: TextSize) -> Eval<'a, Option<Term<'a>>> {
        let len = match subject {
            Term::Str(text) => text.len(),
            Term::List(items) | Term::Tuple(items) => items.len(),
            _ => return Ok(None),
        };
        self.check_size(len.saturating_mul(times), at)?;
        Ok(Some(match subject {
            Term::List(items) => Term::list(std::iter::repeat_n(items.to_vec(), times).flatten().collect()),
            Term::Tuple(items) => Term::tuple(std::iter::repeat_n(items.to_vec(), times).flatten().collect()),
            Term::Str(text) => Term::str(text.repeat(times)),
            _ => return Ok(None),
        }))
    }

    fn subscript(&mut self, subscript: &'a ExprSubscript, frame: &Rc<Frame<'a>>) -> Eval<'a, Term<'a>> {
        let subject = self.consume(&subscript.value, frame)?;
        let at = subscript.start();
        if let Expr::Slice(slice) = &*subscript.slice {
            let mut bound = |bound: &'a Option<Box<Expr>>| match bound {
                Some(bound) => self.consume(bound, frame),
                None => Ok(Term::None),
            };
            let bounds = [bound(&slice.lower)?, bound(&slice.upper)?, bound(&slice.step)?];
            return self.slice(&subject, &bounds, at);
        }
        let key = self.consume(&subscript.slice, frame)?;
        let found = match (&subject, &key) {
            (Term::Dict(dict), _) => dict.value_of(&key),
            (Term::List(items) | Term::Tuple(items), Term::Int(index)) => item_at(&items.0.borrow(), *index),
            (Term::Str(text), Term::Int(index)) => {
                let chars: Vec<Term> = text.chars().map(|char| Term::str(char.to_string())).collect();
                item_at(&chars, *index)
            }
            // A type annotation such as `list[str]`.
            (Term::Builtin(_), _) => Some(subject.clone()),
            _ => None,
        };
        found.ok_or_else(|| {
            let key = format::repr(&key);
            self.error(at, format!("this {} has no entry {key}", subject.type_name()))
        })
    }

    fn slice(&mut self, subject: &Term<'a>, bounds: &[Term<'a>; 3], at: TextSize) -> Eval<'a, Term<'a>> {
        let items = match subject {
            Term::Str(_) | Term::List(_) | Term::Tuple(_) => self.iterate(subject, at)?,
            _ => return Err(self.needs_python(at, format!("slicing a {} is not supported", subject.type_name()))),
        };
        let Some(indices) = slice_indices(items.len(), bounds) else {
            return Err(self.error(at, "slice bounds must be integers, and the step must not be zero"));
        };
        let picked: Vec<Term> = indices.into_iter().map(|index| items[index].clone()).collect();
        Ok(match subject {
            Term::Str(_) => Term::str(picked.iter().map(format::text).collect::<String>()),
            Term::Tuple(_) => Term::tuple(picked),
            _ => Term::list(picked),
        })
    }

    fn f_string(&mut self, parts: &'a [FStringPart], frame: &Rc<Frame<'a>>) -> Eval<'a, Term<'a>> {
        let mut text = String::new();
        for part in parts {
            match part {
                FStringPart::Literal(literal) => text.push_str(&literal.value),
                FStringPart::FString(f_string) => text.push_str(&self.interpolate(&f_string.elements, frame)?),
            }
        }
        Ok(Term::str(text))
    }

    fn interpolate(&mut self, elements: &'a [InterpolatedStringElement], frame: &Rc<Frame<'a>>) -> Eval<'a, String> {
        let mut text = String::new();
        for element in elements {
            let element = match element {
                InterpolatedStringElement::Literal(literal) => {
                    text.push_str(&literal.value);
                    continue;
                }
                InterpolatedStringElement::Interpolation(element) => element,
            };
            let value = self.consume(&element.expression, frame)?;
            let spec = match &element.format_spec {
                Some(spec) => self.descend(spec.range.start(), |here| here.interpolate(&spec.elements, frame))?,
                None => String::new(),
            };
            let conversion = element.conversion.to_char();
            let formatted = format::with_spec(&value, conversion, &spec);
            let formatted = formatted.map_err(|message| self.needs_python(element.expression.start(), message))?;
            text.push_str(&formatted);
            self.check_size(text.len(), element.expression.start())?;
        }
        Ok(text)
    }

    /// An error if a string or list would exceed the size limit.
    pub(super) fn check_size(&self, size: usize, at: TextSize) -> Eval<'a, ()> {
        if size > MAX_SIZE {
            return Err(self.error(at, format!("this value exceeds {MAX_SIZE} characters or items")));
        }
        Ok(())
    }
}

fn item_at<'a>(items: &[Term<'a>], index: i64) -> Option<Term<'a>> {
    let index = if index < 0 { index.checked_add(items.len() as i64)? } else { index };
    items.get(usize::try_from(index).ok()?).cloned()
}

fn slice_indices(len: usize, bounds: &[Term<'_>; 3]) -> Option<Vec<usize>> {
    let len = len as i64;
    let bound = |term: &Term<'_>| match term {
        Term::None => Some(None),
        Term::Int(value) => Some(Some(*value)),
        _ => None,
    };
    let step = bound(&bounds[2])?.unwrap_or(1);
    if step == 0 {
        return None;
    }
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |value: i64| if value < 0 { value.saturating_add(len) } else { value }.clamp(low, high);
    let start = bound(&bounds[0])?.map_or(if step > 0 { 0 } else { len - 1 }, clamp);
    let stop = bound(&bounds[1])?.map_or(if step > 0 { len } else { -1 }, clamp);
    let mut indices = Vec::new();
    let mut at = start;
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        indices.push(usize::try_from(at).ok()?);
        at = at.saturating_add(step);
    }
    Some(indices)
}
