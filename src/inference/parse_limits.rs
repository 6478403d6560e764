//! Limits that protect recursive code from deeply nested files. The nesting depth is estimated from above, without
//! parsing.

use ruff_python_ast::token::{Token, TokenKind};

/// Longer files are assumed to be data and are not parsed.
const MAX_BYTES: usize = 32 << 20;
/// The parser grows its stack with the nesting depth. CPython rejects files that are nested much less deeply.
const MAX_NESTING: usize = 50_000;
/// Dropping a syntax tree recurses to the depth of the tree. A thread's stack of 2 MB holds several times this many levels.
const MAX_DROP_DEPTH: usize = 2_000;

/// Whether the parser can safely read this text.
pub(super) fn is_parsable(text: &str) -> bool {
    text.len() <= MAX_BYTES && estimate_parser_depth(text.as_bytes()) <= MAX_NESTING
}

/// Whether the syntax tree of these tokens can be dropped by recursion.
pub(super) fn is_droppable(tokens: &[Token]) -> bool {
    estimate_tree_depth(tokens) <= MAX_DROP_DEPTH
}

/// An upper bound of the parser's recursion depth: open brackets, plus possible operators since the last comma or line.
fn estimate_parser_depth(text: &[u8]) -> usize {
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

/// An upper bound of the depth of the syntax tree: the tokens of the current element of each open bracket, plus the
/// indentation.
fn estimate_tree_depth(tokens: &[Token]) -> usize {
    let (mut open, mut total, mut indentation, mut deepest) = (vec![0_usize], 0_usize, 0_usize, 0_usize);
    let mut lambdas = 0_usize;
    for token in tokens {
        match token.kind() {
            TokenKind::Indent => indentation += 1,
            TokenKind::Dedent => indentation = indentation.saturating_sub(1),
            TokenKind::Newline => (open, total, lambdas) = (vec![0], 0, 0),
            // The commas between its parameters do not end a lambda.
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
    fn deep_nesting_and_huge_files_are_not_parsable() {
        assert!(!is_parsable(&"(".repeat(1_000_000)));
        assert!(!is_parsable(&"not ".repeat(1_000_000)));
        assert!(!is_parsable(&"x".repeat(MAX_BYTES + 1)));
    }

    #[test]
    fn a_long_flat_file_is_parsable() {
        assert!(is_parsable(&"x = 1 + 2 - 3\n".repeat(100_000)));
        assert!(is_parsable(&format!("X = [{}]", "-1, ".repeat(1_000_000))));
    }
}
