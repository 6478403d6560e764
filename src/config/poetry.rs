//! Version constraints of Poetry as PEP 440 writes them. They stand in its dependency tables, also for Python itself.

use uv_pep440::Version;

/// Converts `^1.2, !=1.3` to `>=1.2,<2.0.0,!=1.3`. Alternatives (`||`) have no PEP 440 form; only the first is used.
pub fn versions(text: &str) -> String {
    let text = text.split("||").next().unwrap_or_default();
    let parts = text.split(',').flat_map(|part| split_at_spaces(part.trim()));
    parts.map(|part| version(&part)).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(",")
}

/// Like [`versions`], but `None` if there are alternatives.
pub fn versions_without_alternatives(text: &str) -> Option<String> {
    (!text.contains("||")).then(|| versions(text))
}

/// Splits `>=1 <2` into its constraints. The space in `>= 1` separates nothing.
fn split_at_spaces(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match parts.last_mut().filter(|last| last.ends_with(['<', '>', '=', '!', '~', '^'])) {
            Some(operator) => operator.push_str(word),
            None => parts.push(word.to_owned()),
        }
    }
    parts
}

/// Converts one constraint. The results are those of Pants, up to the number of components.
fn version(text: &str) -> String {
    let is_number = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    if let Some(caret) = text.strip_prefix('^') {
        let leading = |release: &[u64]| release.iter().take(3).position(|part| *part != 0);
        return bounds(caret, |release| leading(release).unwrap_or(release.len().min(3) - 1));
    }
    if let Some(tilde) = text.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        return bounds(tilde, |release| usize::from(release.len() > 1));
    }
    if let Some(prefix) = text.strip_suffix(".*").filter(|prefix| is_number(prefix)) {
        return bounds(&format!("{prefix}.0"), |release| release.len() - 2);
    }
    match text {
        "" => String::new(),
        text if text.starts_with('*') => String::new(),
        text if is_number(text) => format!("=={text}"),
        text => text.replace(' ', ""),
    }
}

/// All versions from `lower` up to the one in which the component at `raised` is larger by one. What is no version remains,
/// so that the requirement is refused.
fn bounds(lower: &str, raised: impl Fn(&[u64]) -> usize) -> String {
    let Ok(version) = lower.trim().parse::<Version>() else { return format!("^{lower}") };
    let release = version.release();
    let at = raised(&release);
    let mut upper = release[..=at].to_vec();
    upper[at] = upper[at].saturating_add(1);
    upper.resize(upper.len().max(3), 0);
    format!(">={version},<{}", upper.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
}
