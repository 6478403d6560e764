//! Debian's control syntax (deb822(5)): paragraphs of `Name: value` fields. They are borrowed from the text, since an index
//! has about 60,000 of them.

/// A paragraph. A lookup scans its lines, since a paragraph is short and read once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paragraph<'t> {
    text: &'t str,
}

/// The paragraphs of a text, which are separated by empty lines.
pub(super) fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(['\n', '\r']);
        if rest.is_empty() {
            return None;
        }
        let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Paragraph { text })
    })
}

impl<'t> Paragraph<'t> {
    /// The value of a field, including its continuation lines.
    pub(super) fn get(&self, name: &str) -> Option<&'t str> {
        self.find(|found| found == name)
    }

    /// Like [`Paragraph::get`], but ignores the case of the name.
    pub(super) fn get_any_case(&self, name: &str) -> Option<&'t str> {
        self.find(|found| found.eq_ignore_ascii_case(name))
    }

    fn find(&self, matches: impl Fn(&str) -> bool) -> Option<&'t str> {
        let mut rest = self.text;
        while !rest.is_empty() {
            let line = rest.split('\n').next().unwrap_or_default();
            let field = line.split_once(':').filter(|_| !line.starts_with([' ', '\t', '#']));
            if let Some((name, _)) = field.filter(|(name, _)| matches(name)) {
                return Some(rest[name.len() + 1..value_end(rest)].trim_matches([' ', '\t', '\n', '\r']));
            }
            rest = rest.get(line.len() + 1..).unwrap_or_default();
        }
        None
    }
}

/// The end of the field at the start of `text`: the first line that does not continue it.
fn value_end(text: &str) -> usize {
    let mut end = 0;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        if at > 0 && !line.starts_with([' ', '\t']) {
            break;
        }
        end += line.len();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_include_their_continuation_lines() {
        let text = "\nA: 1\nAb: x\n y\n z\n#A: no\nC:\n\nA: 2\n\n\nD: 4";
        let all: Vec<_> = paragraphs(text).collect();
        assert_eq!(all.len(), 3);
        assert_eq!((all[0].get("A"), all[0].get("Ab"), all[0].get("C")), (Some("1"), Some("x\n y\n z"), Some("")));
        assert_eq!((all[1].get("A"), all[1].get("Ab"), all[2].get_any_case("d")), (Some("2"), None, Some("4")));
    }
}
