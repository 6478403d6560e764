//! RECORD: the list of a wheel's files with their hashes. Checks it for a wheel, and formats it for an installed package.
//! Does not read the wheel itself.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::Refusal;

/// The rows of a wheel's RECORD that have not been checked yet.
pub(super) struct Record {
    rows: BTreeMap<String, Row>,
}

struct Row {
    /// `sha256=…`; empty for RECORD itself and its signatures.
    hash: String,
    size: String,
}

impl Record {
    /// Parses the text of RECORD.
    pub(super) fn parse(text: &str) -> Result<Record, Refusal> {
        let mut rows = BTreeMap::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let refuse = |why: &str| Refusal::Record(format!("line {} of RECORD {why}", index + 1));
            let fields = fields(line).ok_or_else(|| refuse("is not valid CSV"))?;
            let [path, hash, size] =
                <[String; 3]>::try_from(fields).map_err(|_| refuse("does not have three values"))?;
            if rows.insert(path, Row { hash, size }).is_some() {
                return Err(refuse("lists a file for the second time"));
            }
        }
        Ok(Record { rows })
    }

    /// Whether an unchecked row lists this path.
    pub(super) fn lists(&self, path: &str) -> bool {
        self.rows.contains_key(path)
    }

    /// Checks one file of the wheel and removes its row. RECORD and its signatures cannot contain their own hashes. Returns the
    /// SHA-256 of the content in the form of RECORD, if it is the listed hash.
    pub(super) fn check(&mut self, path: &str, dist_info: &str, content: &[u8]) -> Result<Option<String>, Refusal> {
        let row = self.rows.remove(path);
        if is_record_itself(path, dist_info) {
            return Ok(None);
        }
        let row = row.ok_or_else(|| Refusal::Record("the file is not listed".to_owned()))?;
        let (algorithm, hash) = row.hash.split_once('=').unwrap_or((&row.hash, ""));
        let actual = match algorithm {
            "sha256" => sha256(content),
            "sha384" => base64(&Sha384::digest(content)),
            "sha512" => base64(&Sha512::digest(content)),
            "" => return Err(Refusal::Record("the file is listed without a hash".to_owned())),
            other => {
                return Err(Refusal::Record(format!("the file is listed with the insecure hash algorithm `{other}`")));
            }
        };
        // Some build backends wrote hexadecimal digits.
        if hash.trim_end_matches('=') != actual && bytes_of_hex(hash).is_none_or(|bytes| base64(&bytes) != actual) {
            return Err(Refusal::Record(format!("the {algorithm} is `{actual}`, but `{hash}` is listed")));
        }
        if !row.size.is_empty() && row.size != content.len().to_string() {
            return Err(Refusal::Record(format!("the size is {}, but `{}` is listed", content.len(), row.size)));
        }
        Ok((algorithm == "sha256").then_some(actual))
    }

    /// Fails if a listed file is missing from the wheel. The error contains the path of the file.
    pub(super) fn finish(self, dist_info: &str) -> Result<(), (String, Refusal)> {
        let missing = self.rows.into_keys().find(|path| !is_record_itself(path, dist_info));
        match missing {
            Some(path) => Err((path, Refusal::Record("the file is listed, but missing from the wheel".to_owned()))),
            None => Ok(()),
        }
    }
}

/// A line of an installed package's RECORD. `sha256` is as `sha256` returns it.
pub(super) fn row(path: &str, sha256: &str, size_bytes: usize) -> String {
    format!("{},sha256={sha256},{size_bytes}\n", quoted(path))
}

/// The SHA-256 of a file in the form of RECORD.
pub(super) fn sha256(content: &[u8]) -> String {
    base64(&Sha256::digest(content))
}

/// The line for RECORD itself.
pub(super) fn row_without_hash(path: &str) -> String {
    format!("{},,\n", quoted(path))
}

/// Whether a path is that of RECORD or of a signature of it.
pub(super) fn is_record_itself(path: &str, dist_info: &str) -> bool {
    let name = path.strip_prefix(dist_info).and_then(|rest| rest.strip_prefix('/'));
    name.is_some_and(|name| matches!(name, "RECORD" | "RECORD.jws" | "RECORD.p7s"))
}

/// Splits a CSV line (RFC 4180): values may be quoted, and quotes in them are doubled.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return after.is_empty().then_some(fields),
        }
    }
}

fn quoted_field(mut rest: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    loop {
        let (text, after) = rest.split_once('"')?;
        field += text;
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Some((field, after)),
        }
    }
}

fn quoted(path: &str) -> String {
    if path.contains([',', '"']) { format!("\"{}\"", path.replace('"', "\"\"")) } else { path.to_owned() }
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

/// URL-safe Base64 without padding (RFC 4648, section 5).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, index| bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0)));
        let letters = (0..=chunk.len()).map(|index| LETTERS[(bits >> (18 - 6 * index) & 63) as usize] as char);
        text.extend(letters);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_url_safe_without_padding() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(base64(bytes), expected);
        check(b"", "");
        check(b"f", "Zg");
        check(b"fo", "Zm8");
        check(b"foo", "Zm9v");
        check(&[0xfb, 0xff], "-_8");
    }

    #[test]
    fn hashes_may_be_written_in_hexadecimal_digits() {
        let check = |hash: &str, content: &[u8]| {
            let mut record = Record::parse(&format!("a.py,sha256={hash},\n")).unwrap();
            record.check("a.py", "a-1.dist-info", content)
        };
        let hex = format!("{:x}", Sha256::digest(b"content"));
        assert_eq!(check(&hex, b"content").unwrap(), Some(sha256(b"content")));
        assert!(check(&hex, b"other").is_err() && check("ä", b"content").is_err() && check("", b"content").is_err());
    }

    #[test]
    fn quoted_paths_are_parsed_and_formatted() {
        assert_eq!(fields("\"a,\"\"b\"\"\",sha256=x,1"), Some(vec!["a,\"b\"".into(), "sha256=x".into(), "1".into()]));
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(fields("\"a"), None);
    }
}
