//! Hyperlinks to files in the output for terminals (OSC 8). They are written only where the terminal is known to understand them: others
//! may show the address as garbage.

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// Terminals that set `TERM_PROGRAM`.
const PROGRAMS: [&str; 8] = ["ghostty", "Hyper", "iTerm.app", "mintty", "rio", "Tabby", "vscode", "WezTerm"];

/// Terminals that have a value of `TERM` of their own.
const TERMS: [&str; 6] = ["alacritty", "contour", "foot", "foot-extra", "xterm-ghostty", "xterm-kitty"];

/// The first version of VTE, the library of GNOME's terminal and others, that cannot crash because of a hyperlink.
const VTE_VERSION: u32 = 5002;

/// Whether the terminal shows hyperlinks, by its environment variables. `FORCE_HYPERLINK` decides if it is set: 0 means no.
pub fn is_supported<'v>(var: impl Fn(&str) -> Option<&'v str>) -> bool {
    if let Some(forced) = var("FORCE_HYPERLINK") {
        return forced != "0";
    }
    // A multiplexer may not pass them on, and a file of another machine cannot be opened.
    if ["TMUX", "STY", "SSH_CONNECTION", "SSH_TTY"].iter().any(|name| var(name).is_some()) {
        return false;
    }
    var("TERM_PROGRAM").is_some_and(|program| PROGRAMS.contains(&program))
        || var("TERM").is_some_and(|term| TERMS.contains(&term))
        || var("VTE_VERSION")
            .and_then(|version| version.parse().ok())
            .is_some_and(|version: u32| version >= VTE_VERSION)
        || ["KONSOLE_VERSION", "WT_SESSION"].iter().any(|name| var(name).is_some())
}

/// A text that opens a file, whose path is absolute.
pub fn to_file(text: &str, path: &Path) -> String {
    /// Everything but the characters that a path in an address may have (RFC 3986, section 3.3).
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');
    let path = percent_encoding::percent_encode(path.as_os_str().as_encoded_bytes(), ESCAPED);
    format!("\u{1b}]8;;file://{path}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vars: &[(&str, &'static str)], expected: bool) {
        let var = |name: &str| vars.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        assert_eq!(is_supported(var), expected, "{vars:?}");
    }

    #[test]
    fn only_terminals_that_are_known_get_hyperlinks() {
        check(&[], false);
        check(&[("TERM", "xterm-256color")], false);
        check(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")], true);
        check(&[("TERM_PROGRAM", "Apple_Terminal")], false);
        check(&[("TERM", "xterm-kitty")], true);
        check(&[("TERM", "linux")], false);
        check(&[("VTE_VERSION", "7600")], true);
        check(&[("VTE_VERSION", "4205")], false);
        check(&[("VTE_VERSION", "new")], false);
    }

    #[test]
    fn multiplexers_and_other_machines_get_none_unless_they_are_forced() {
        check(&[("TERM_PROGRAM", "WezTerm"), ("TMUX", "/tmp/1")], false);
        check(&[("TERM", "foot"), ("SSH_CONNECTION", "1")], false);
        check(&[("TMUX", "/tmp/1"), ("FORCE_HYPERLINK", "1")], true);
        check(&[("TERM", "foot"), ("FORCE_HYPERLINK", "0")], false);
    }

    #[test]
    fn no_path_ends_the_address() {
        let link = to_file("a b", Path::new("/r/a b\u{1b};ü"));
        assert_eq!(link, "\u{1b}]8;;file:///r/a%20b%1B%3B%C3%BC\u{1b}\\a b\u{1b}]8;;\u{1b}\\");
    }
}
