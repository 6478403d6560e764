//! A minimal HTML scanner for index pages: tags with their attributes. It does not build a document tree.

use std::collections::BTreeMap;

/// One opening tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// The name in lower case.
    pub name: String,
    /// Values by name; names are in lower case, and entities in values are replaced.
    pub attributes: BTreeMap<String, String>,
}

/// All opening tags with one of the `names`, in order. Invalid markup yields fewer tags, never an error.
pub(super) fn tags(html: &str, names: &[&str]) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        rest = &rest[open + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let name_len = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = rest[..name_len].to_ascii_lowercase();
        if names.contains(&name.as_str()) {
            let (attributes, after) = attributes(&rest[name_len..]);
            found.push(Tag { name, attributes });
            rest = after;
        }
    }
    found
}

/// The attributes of a tag, and the text after its closing `>`.
fn attributes(mut rest: &str) -> (BTreeMap<String, String>, &str) {
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let Some(first) = rest.chars().next() else { return (attributes, rest) };
        if first == '>' {
            return (attributes, &rest[1..]);
        }
        let ends_name = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/');
        let name_len = rest.char_indices().skip(1).find(|(_, c)| ends_name(*c)).map_or(rest.len(), |(at, _)| at);
        let name = rest[..name_len].to_ascii_lowercase();
        rest = rest[name_len..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = attribute_value(after.trim_start());
        }
        attributes.entry(name).or_insert_with(|| unescape(value));
    }
}

fn attribute_value(text: &str) -> (&str, &str) {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => text[1..].split_once(quote).unwrap_or((&text[1..], "")),
        _ => text.split_at(text.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len())),
    }
}

/// Replaces numeric character references and the predefined entities of XML.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest.find(';').and_then(|end| Some((entity(&rest[1..end])?, end)));
        match entity {
            Some((character, end)) => {
                out.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hrefs(html: &str) -> Vec<String> {
        tags(html, &["a"]).into_iter().filter_map(|tag| tag.attributes.get("href").cloned()).collect()
    }

    #[test]
    fn all_spellings_of_anchors_are_found() {
        assert_eq!(hrefs(r#"<A HREF = "x" data-y>t</A><a href='y'/><a href=z>"#), ["x", "y", "z"]);
        assert_eq!(hrefs("<!-- <a href=no> --><abbr href=no><a\nclass=c\nhref=\"&lt;b&#62;&amp;c&x\">"), ["<b>&c&x"]);
    }

    #[test]
    fn invalid_markup_does_not_panic() {
        for html in ["<", "<a", "<a href", "<a href=", "<a href=\"x", "<!--", "<a =>", "<a href='ü&#xfffffff;'>", "<ä"]
        {
            let _ = tags(html, &["a"]);
        }
        assert_eq!(hrefs("<a href='ü'>"), ["ü"]);
    }
}
