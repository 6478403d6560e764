//! Prints the data of a goal to standard output, or to the file that `--output-file` names.

use crate::base::replace_file;
use crate::config::typed::OutputSettings;
use crate::goals::Error;
use crate::report;
use crate::session::Session;
use crate::targets::Address;

/// Prints lines, or one JSON list with `--json`.
pub(super) fn lines(session: &Session, goal: &str, lines: &[String]) -> Result<(), Error> {
    let settings = OutputSettings::parse(session.config(), goal);
    if settings.json {
        return text(session, goal, &(report::pretty(&lines, 2) + "\n"));
    }
    let separator = unescaped(&settings.separator);
    text(session, goal, &lines.iter().flat_map(|line| [line, separator.as_str()]).collect::<String>())
}

/// Prints addresses in the order given, as `lines` does.
pub(super) fn addresses<'a>(
    session: &Session,
    goal: &str,
    addresses: impl IntoIterator<Item = &'a Address>,
) -> Result<(), Error> {
    let printed: Vec<String> = addresses.into_iter().map(Address::to_string).collect();
    lines(session, goal, &printed)
}

/// Prints a text that ends its own lines.
pub(super) fn text(session: &Session, goal: &str, text: &str) -> Result<(), Error> {
    let output_file = OutputSettings::parse(session.config(), goal).output_file;
    session.context.refuse_undefined_options()?;
    match output_file {
        Some(file) => {
            let path = session.build_root().join(file);
            replace_file(&path, text.as_bytes()).map_err(|source| Error::Output { path, source })
        }
        None => Ok(session.ui.print(text)?),
    }
}

/// Replaces escapes such as `\n`, `\t`, `\0` and `\x1e` as Python does.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        let hex = after.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (chars.next(), hex) {
            (Some('x'), Some(byte)) => {
                out.push(char::from(byte));
                rest = &after[3..];
                continue;
            }
            (Some('n'), _) => out.push('\n'),
            (Some('t'), _) => out.push('\t'),
            (Some('r'), _) => out.push('\r'),
            (Some('0'), _) => out.push('\0'),
            (Some('\\'), _) => out.push('\\'),
            (Some(other), _) => out.extend(['\\', other]),
            (None, _) => out.push('\\'),
        }
        rest = chars.as_str();
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_read_as_python_reads_them() {
        let check = |text: &str, expected: &str| assert_eq!(unescaped(text), expected, "{text}");
        check("\\n", "\n");
        check(", ", ", ");
        check("\\0", "\0");
        check("a\\x41\\t\\\\n", "aA\t\\n");
        check("\\q\\", "\\q\\");
        check("\\x\u{e9}", "\\x\u{e9}");
    }
}
