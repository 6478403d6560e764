//! Tests of the classification and of the diffs.

use std::io::Write;

use super::*;

fn check(first: &str, second: &str, kind: Kind) {
    assert_eq!(between("file", first.as_bytes(), second.as_bytes()).kind, kind, "{first} / {second}");
}

#[test]
fn the_kind_of_words_that_differ_is_recognized() {
    check("built 2026-11-29 21:13:10\n", "built 2027-01-02 03:04:05\n", Kind::Time);
    check("at 1764450000.5\n", "at 1764450002.25\n", Kind::Time);
    check("Sun Nov 29\n", "Mon Nov 30\n", Kind::Time);
    check("took 0.12s\n", "took 3.4s\n", Kind::Time);
    check("in /home/a/x.py: no\n", "in /build/b/x.py: no\n", Kind::Path);
    check("a\nb\nc\n", "c\nb\na\n", Kind::Order);
    check("['a', 'b']", "['b', 'a']", Kind::Order);
    check("<A object at 0x7ffff452b550>\n", "<A object at 0x7ffff459d010>\n", Kind::Address);
    check("id 3f9a0c1d22\n", "id 88be1a7700\n", Kind::Random);
    check("x 0.8444218515250481\n", "x 0.7579544029403025\n", Kind::Random);
    check("yes\n", "no\n", Kind::Unknown);
}

#[test]
fn a_diff_has_the_lines_of_one_side_only_and_is_short() {
    assert_eq!(diff_lines("a\nb\n", "b\nc\n"), "-a\n+c");
    let many: String = (0..100).map(|number| format!("{number}\n")).collect();
    assert!(diff_lines(&many, "").ends_with("… and 80 more lines"));
    assert!(diff_lines(&"x".repeat(1000), "").chars().count() < 210);
    let long = "x".repeat(1000);
    let diff = diff_lines(&format!("{long}1"), &format!("{long}2"));
    assert!(diff.starts_with("-…x") && diff.contains("x1\n+…x") && diff.ends_with("x2"), "{diff}");
}

#[test]
fn binary_differences_are_shown_in_hexadecimal() {
    let difference = between("file", b"\0\x01\x02abc", b"\0\x01\x02abx");
    assert_eq!(difference.kind, Kind::Unknown);
    assert!(difference.diff.contains("at byte 5 of 6 and 6"), "{}", difference.diff);
    assert!(difference.diff.contains("|...abx|"), "{}", difference.diff);
}

fn zip(members: &[(&str, &[u8])], hour: u8) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let time = zip::DateTime::from_date_and_time(2026, 1, 1, hour, 0, 0).unwrap();
    for (name, bytes) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default().last_modified_time(time)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_difference_in_a_wheel_names_the_member() {
    let one = zip(&[("a.txt", b"same"), ("b.txt", b"at 10:00:00")], 1);
    let other = zip(&[("a.txt", b"same"), ("b.txt", b"at 11:00:00")], 2);
    let difference = between("x.whl", &one, &other);
    assert_eq!((difference.members.as_slice(), difference.kind), (&["b.txt".to_owned()][..], Kind::Time));
    assert_eq!(difference.diff, "-at 10:00:00\n+at 11:00:00");
}

#[test]
fn order_times_and_missing_members_of_archives_are_distinguished() {
    let [a, b] = [("a", &b"1"[..]), ("b", &b"2"[..])];
    let kind = |one: &[u8], other: &[u8]| between("x.zip", one, other).kind;
    assert_eq!(kind(&zip(&[a, b], 1), &zip(&[b, a], 1)), Kind::Order);
    assert_eq!(kind(&zip(&[a, b], 1), &zip(&[a, b], 2)), Kind::Time);
    assert_eq!(kind(&zip(&[a, b], 1), &zip(&[a], 1)), Kind::File);
}

#[test]
fn a_compressed_archive_is_opened_and_its_header_is_compared() {
    let tar = |text: &str| {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, "x/a.txt", text.as_bytes()).unwrap();
        builder.into_inner().unwrap()
    };
    let gzip = |bytes: &[u8], time: u32| {
        let mut writer = flate2::GzBuilder::new().mtime(time).write(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    };
    let difference = between("x.tar.gz", &gzip(&tar("/home/a"), 1), &gzip(&tar("/home/b"), 1));
    assert_eq!((difference.members.as_slice(), difference.kind), (&["x/a.txt".to_owned()][..], Kind::Path));
    let difference = between("x.tar.gz", &gzip(&tar("a"), 1), &gzip(&tar("a"), 2));
    assert_eq!((difference.kind, difference.diff.lines().count()), (Kind::Time, 2));
}

/// The bytecode of a module without statements, as Python 3.11 writes it, from a source at `path`.
pub(crate) fn pyc(path: &str, modified: u32) -> Vec<u8> {
    let mut out = 3495_u16.to_le_bytes().to_vec();
    out.extend(b"\r\n");
    for word in [0, modified, 0] {
        out.extend(u32::to_le_bytes(word));
    }
    out.push(b'c');
    (0..5).for_each(|_| out.extend(1_i32.to_le_bytes()));
    out.extend([b's', 2, 0, 0, 0, 0x97, 0, b')', 1, b'N', b')', 0, b')', 0, b's', 0, 0, 0, 0]);
    for text in [path, "<module>", "<module>"] {
        out.extend([b'z', u8::try_from(text.len()).unwrap()]);
        out.extend(text.as_bytes());
    }
    out.extend(1_i32.to_le_bytes());
    (0..2).for_each(|_| out.extend([b's', 0, 0, 0, 0]));
    out
}

#[test]
fn bytecode_is_compared_by_its_fields() {
    let difference = between("a.pyc", &pyc("/src/a.py", 1), &pyc("/src/a.py", 2));
    assert_eq!(difference.kind, Kind::Bytecode);
    assert_eq!(difference.diff, "-header: source modified 1\n+header: source modified 2");
    let difference = between("a.pyc", &pyc("/src/a.py", 1), &pyc("/tmp/a.py", 1));
    assert_eq!(difference.diff, "-module: co_filename \"/src/a.py\"\n+module: co_filename \"/tmp/a.py\"");
    assert_eq!(between("a.pyc", b"no", b"bytecode").kind, Kind::Unknown);
}
