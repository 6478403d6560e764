//! Binary operators on numbers and sets. Each function returns `None` if the operator does not apply or overflows.

use ruff_python_ast::Operator;

use crate::build_file::term::{Items, Term};

/// An operator on two integers.
pub(super) fn integers<'a>(op: Operator, left: i64, right: i64) -> Option<Term<'a>> {
    let value = match op {
        Operator::Add => left.checked_add(right),
        Operator::Sub => left.checked_sub(right),
        Operator::Mult => left.checked_mul(right),
        Operator::FloorDiv => floor_div(left, right),
        Operator::Mod => floor_div(left, right).map(|quotient| left.wrapping_sub(quotient.wrapping_mul(right))),
        Operator::Pow => u32::try_from(right).ok().and_then(|right| left.checked_pow(right)),
        Operator::BitOr => Some(left | right),
        Operator::BitAnd => Some(left & right),
        Operator::BitXor => Some(left ^ right),
        Operator::LShift => u32::try_from(right).ok().and_then(|right| left.checked_shl(right)),
        Operator::RShift => u32::try_from(right).ok().and_then(|right| left.checked_shr(right)),
        Operator::Div => return floats(op, left as f64, right as f64),
        Operator::MatMult => None,
    };
    value.map(Term::Int)
}

/// Rounds down, as Python does.
fn floor_div(left: i64, right: i64) -> Option<i64> {
    let quotient = left.checked_div(right)?;
    let inexact = left.checked_rem(right)? != 0;
    Some(if inexact && ((left < 0) != (right < 0)) { quotient - 1 } else { quotient })
}

/// An operator on two floating-point numbers.
pub(super) fn floats<'a>(op: Operator, left: f64, right: f64) -> Option<Term<'a>> {
    let value = match op {
        Operator::Add => left + right,
        Operator::Sub => left - right,
        Operator::Mult => left * right,
        Operator::Pow => left.powf(right),
        Operator::Div if right != 0.0 => left / right,
        Operator::FloorDiv if right != 0.0 => (left / right).floor(),
        Operator::Mod if right != 0.0 => left - right * (left / right).floor(),
        _ => return None,
    };
    Some(Term::Float(value))
}

/// An operator on two sets.
pub(super) fn sets<'a>(op: Operator, left: &Items<'a>, right: &Items<'a>) -> Option<Term<'a>> {
    let (left_items, right_items) = (left.to_vec(), right.to_vec());
    let items = match op {
        Operator::BitOr => [left_items, right_items].concat(),
        Operator::BitAnd => left_items.into_iter().filter(|item| right.contains(item)).collect(),
        Operator::Sub => left_items.into_iter().filter(|item| !right.contains(item)).collect(),
        Operator::BitXor => {
            let only_right = right_items.into_iter().filter(|item| !left.contains(item));
            left_items.iter().filter(|item| !right.contains(item)).cloned().chain(only_right).collect()
        }
        _ => return None,
    };
    Some(Term::set(items))
}
