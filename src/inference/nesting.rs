//! How deep a file nests, before recursions over it find out. Estimates from above; nothing is parsed here.

use ruff_python_ast::token::{Token, TokenKind};

/// Longer files are data rather than code.
const MAX_BYTES: usize = 32 << 20;
/// The parser grows its stack with the nesting. Python itself refuses anything near this.
const MAX_NESTING: usize = 50_000;
/// Freeing a tree recurses as deep as the tree; a small thread's stack (2 MB) holds several times this many levels.
const MAX_DROP_DEPTH: usize = 2_000;

/// Can the parser be asked to read this text?
pub fn is_parsable(text: &str) -> bool {
    text.len() <= MAX_BYTES && depth_of_brackets(text.as_bytes()) <= MAX_NESTING
}

/// Can the tree of these tokens be freed by recursion?
pub fn is_droppable(tokens: &[Token]) -> bool {
    depth_of_tree(tokens) <= MAX_DROP_DEPTH
}

/// An upper estimate of how deep the parser would recurse: open brackets, and what may be an operator since the
/// last comma or line.
fn depth_of_brackets(text: &[u8]) -> usize {
    let (mut open, mut operators, mut deepest) = (0_usize, 0_usize, 0_usize);
    for byte in text {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b'-' | b'+' | b'~' | b'*' | b':' | b' ' => operators += 1,
            b',' => operators = 0,
            b'\n' if open == 0 => operators = 0,
            _ => {}
        }
        deepest = deepest.max(open + operators);
    }
    deepest
}

/// An upper estimate of how deep the tree is: the tokens of each open bracket's current element, and the indentation.
fn depth_of_tree(tokens: &[Token]) -> usize {
    let (mut open, mut total, mut indentation, mut deepest) = (vec![0_usize], 0_usize, 0_usize, 0_usize);
    let mut lambdas = 0_usize;
    for token in tokens {
        match token.kind() {
            TokenKind::Indent => indentation += 1,
            TokenKind::Dedent => indentation = indentation.saturating_sub(1),
            TokenKind::Newline => (open, total, lambdas) = (vec![0], 0, 0),
            // The commas of its parameters do not end it.
            TokenKind::Lambda => lambdas += 1,
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => open.push(0),
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace if open.len() > 1 => {
                total -= open.pop().unwrap_or_default();
            }
            TokenKind::Comma => total -= open.last_mut().map(std::mem::take).unwrap_or_default(),
            _ => {}
        }
        if let Some(element) = open.last_mut() {
            *element += 1;
            total += 1;
        }
        deepest = deepest.max(total + indentation + lambdas);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_parser_should_be_asked_is_known() {
        assert!(!is_parsable(&"(".repeat(1_000_000)));
        assert!(!is_parsable(&"not ".repeat(1_000_000)));
        assert!(!is_parsable(&"x".repeat(MAX_BYTES + 1)));
    }

    #[test]
    fn long_is_not_deep() {
        assert!(is_parsable(&"x = 1 + 2 - 3\n".repeat(100_000)));
        assert!(is_parsable(&format!("X = [{}]", "-1, ".repeat(1_000_000))));
    }
}
