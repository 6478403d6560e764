//! Canonical form of requirements, as Pants prints them: PEP 508 with one spelling. Text to text; requirements are
//! interpreted in `packaging`.

/// The canonical form of a requirement: `a [y, x] >= 1` becomes `a[x,y]>=1`. Invalid requirements are not detected.
pub fn canonical(text: &str) -> String {
    let (text, marker) = split_marker(text.trim());
    let end = text.find(|char: char| !(char.is_ascii_alphanumeric() || "._-".contains(char))).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let (extras, rest) = match rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((extras, rest)) => (sorted(extras), rest.trim()),
        None => (String::new(), rest.trim()),
    };
    let extras = if extras.is_empty() { extras } else { format!("[{extras}]") };
    if let Some(url) = rest.strip_prefix('@') {
        let marker = marker.map_or(String::new(), |marker| format!(" ; {}", canonical_marker(marker)));
        return format!("{name}{extras}@ {}{marker}", url.trim());
    }
    let specifiers = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest);
    let marker = marker.map_or(String::new(), |marker| format!("; {}", canonical_marker(marker)));
    format!("{name}{extras}{}{marker}", sorted(specifiers))
}

/// Splits off the marker. In a URL, a `;` begins a marker only after a space.
fn split_marker(text: &str) -> (&str, Option<&str>) {
    let is_url = text.contains("://");
    match text.split_once(if is_url { " ;" } else { ";" }) {
        Some((text, marker)) => (text.trim(), Some(marker.trim())),
        None => (text, None),
    }
}

/// The comma-separated parts, sorted and without spaces.
fn sorted(list: &str) -> String {
    let parts = list.split(',').map(|part| part.split_whitespace().collect::<String>());
    let mut parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.sort();
    parts.dedup();
    parts.join(",")
}

/// A marker with single spaces, double quotes, and no parentheses around the whole.
fn canonical_marker(marker: &str) -> String {
    let mut tokens = tokens(marker);
    while wraps_all(&tokens) {
        tokens = tokens[1..tokens.len() - 1].to_vec();
    }
    let mut out = String::new();
    for token in tokens {
        if !out.is_empty() && !out.ends_with('(') && token != ")" {
            out.push(' ');
        }
        out.push_str(&token);
    }
    out
}

fn wraps_all(tokens: &[String]) -> bool {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index > 0 && index + 1 == tokens.len() && token == ")";
        }
    }
    false
}

fn tokens(marker: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            '\'' | '"' => {
                let end = rest[1..].find(first).map_or(rest.len(), |end| end + 1);
                tokens.push(format!("\"{}\"", &rest[1..end]));
                rest = rest.get(end + 1..).unwrap_or_default().trim_start();
                continue;
            }
            '<' | '>' | '=' | '!' | '~' => rest.find(|char| !"<>=!~".contains(char)).unwrap_or(rest.len()),
            _ => rest.find(|char: char| char.is_whitespace() || "()'\"<>=!~".contains(char)).unwrap_or(rest.len()),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_have_one_canonical_form() {
        let check = |text: &str, expected: &str| assert_eq!(canonical(text), expected, "{text}");
        check("setuptools>=56.2.0,<57", "setuptools<57,>=56.2.0");
        check("a [y, x] >= 1", "a[x,y]>=1");
        check("a(==1)", "a==1");
        check("a", "a");
        check("a @ git+https://h.invalid/a@v1", "a@ git+https://h.invalid/a@v1");
        check("a==1;python_version<'3.8'", "a==1; python_version < \"3.8\"");
        check("a; (os_name=='nt' and x!='y')", "a; os_name == \"nt\" and x != \"y\"");
        check("a; (b=='c') or (d in 'e')", "a; (b == \"c\") or (d in \"e\")");
        check("a; b=='", "a; b == \"\"");
    }
}
