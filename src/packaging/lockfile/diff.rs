//! What moved between two versions of a lockfile, in the form in which Pants shows it.

use std::collections::BTreeSet;
use std::fmt::Write;

use uv_normalize::PackageName;
use uv_pep440::Version;

use super::pins::Pins;

/// The width of a heading without its borders.
const HEADING: usize = 60;

/// The differences as lines, or an empty text if there are none. `unchanged`: whether unchanged packages are listed.
pub fn describe(old: &Pins, new: &Pins, unchanged: bool) -> String {
    let both = |name: &PackageName| Some((old.get(name)?, new.get(name)?));
    let changed = |moved: fn(&Version, &Version) -> bool| {
        let pairs = new.keys().filter_map(|name| Some((name, both(name)?)));
        let pairs = pairs
            .filter(|(_, (was, is))| was != is && newest(was).zip(newest(is)).is_some_and(|(was, is)| moved(was, is)));
        pairs.map(|(name, (was, is))| format!("{name:30} {:10}   -->   {}", versions(was), versions(is))).collect()
    };
    let only = |pins: &Pins, others: &Pins| {
        let alone = pins.iter().filter(|(name, _)| !others.contains_key(*name));
        alone.map(|(name, found)| format!("{name:30} {}", versions(found))).collect()
    };
    let same = new.iter().filter(|(name, found)| unchanged && old.get(*name) == Some(*found));
    let mut text = String::new();
    let sections: [(&str, Vec<String>); 5] = [
        ("Unchanged dependencies", same.map(|(name, found)| format!("{name:30} {}", versions(found))).collect()),
        ("Upgraded dependencies", changed(|was, is| was <= is)),
        ("!! Downgraded dependencies !!", changed(|was, is| was > is)),
        ("Added dependencies", only(new, old)),
        ("Removed dependencies", only(old, new)),
    ];
    for (title, lines) in sections.iter().filter(|(_, lines)| !lines.is_empty()) {
        let _ = write!(text, "\n== {title:^HEADING$} ==\n\n");
        lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    }
    text
}

fn newest(versions: &BTreeSet<Version>) -> Option<&Version> {
    versions.last()
}

fn versions(versions: &BTreeSet<Version>) -> String {
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::pins;
    use super::*;

    fn lines(old: &str, new: &str, unchanged: bool) -> Vec<String> {
        let text = describe(&pins::read(old), &pins::read(new), unchanged);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(words).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn each_change_has_its_section() {
        let (old, new) = ("a==1\nb==2.0\nc==3\nd==1\n", "a==1\nb==10.0\nc==2\ne==1\n");
        let expected = [
            "== Upgraded dependencies ==",
            "b 2.0 --> 10.0",
            "== !! Downgraded dependencies !! ==",
            "c 3 --> 2",
            "== Added dependencies ==",
            "e 1",
            "== Removed dependencies ==",
            "d 1",
        ];
        assert_eq!(lines(old, new, false), expected);
        assert_eq!(lines(old, new, true)[..2], ["== Unchanged dependencies ==", "a 1"]);
        assert_eq!(lines(old, old, false), [""; 0]);
    }

    #[test]
    fn a_package_may_have_a_version_for_each_environment() {
        assert_eq!(lines("a==1\n", "a==1\na==2\n", false)[1], "a 1 --> 1, 2");
    }
}
