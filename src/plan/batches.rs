//! Files to batches, a process each. An edit, or a file more, changes only the batch that it is in.

use crate::base::{Digest, RelPath};

/// What the arguments of one process may come to, with room for the rest: see execve(2) on the size of the stack.
const MAX_ARGUMENT_BYTES: usize = 1 << 19;

/// Sorted files, cut after every one whose name says so: about each `size`th does. A batch has at most four times as many.
pub fn cut(files: &[RelPath], size: usize) -> Vec<&[RelPath]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        bytes += file.as_str().len() + 1;
        let count = index + 1 - start;
        if ends_batch(file, size) || count >= size.saturating_mul(4) || bytes >= MAX_ARGUMENT_BYTES {
            batches.push(&files[start..=index]);
            (start, bytes) = (index + 1, 0);
        }
    }
    if start < files.len() {
        batches.push(&files[start..]);
    }
    batches
}

/// By as many leading zero bits as `size` has bits: one name in `size`.
fn ends_batch(file: &RelPath, size: usize) -> bool {
    let hash = *Digest::of(file.as_str().as_bytes()).hash();
    let leading: [u8; 8] = hash[..8].try_into().expect("a hash has 32 bytes");
    u64::from_be_bytes(leading).leading_zeros() >= size.max(1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(count: usize) -> Vec<RelPath> {
        (0..count).map(|number| RelPath::parse(&format!("src/{number:05}.py")).unwrap()).collect()
    }

    #[test]
    fn every_file_is_in_one_batch_in_its_order() {
        for (count, size) in [(0, 128), (1, 128), (1000, 128), (1000, 1), (1000, 0), (300, 100_000)] {
            let files = files(count);
            let batches = cut(&files, size);
            assert_eq!(batches.concat(), files, "{count} {size}");
            assert!(batches.iter().all(|batch| !batch.is_empty() && batch.len() <= (size * 4).max(1)));
        }
        assert_eq!(cut(&files(10), 1).len(), 10);
    }

    #[test]
    fn a_file_more_changes_one_batch_only() {
        let all = files(2000);
        let without: Vec<RelPath> = all.iter().filter(|file| file.as_str() != "src/00777.py").cloned().collect();
        let (before, after) = (cut(&without, 64), cut(&all, 64));
        let same = after.iter().filter(|batch| before.contains(batch)).count();
        assert!(before.len() > 10 && after.len() - same <= 2, "{} of {}", same, after.len());
    }

    #[test]
    fn arguments_of_one_process_stay_below_what_the_kernel_takes() {
        let long = "x".repeat(200);
        let files: Vec<RelPath> =
            (0..20_000).map(|number| RelPath::parse(&format!("{long}/{number}")).unwrap()).collect();
        let bytes = |batch: &&[RelPath]| batch.iter().map(|file| file.as_str().len() + 1).sum::<usize>();
        assert!(cut(&files, 100_000).iter().all(|batch| bytes(batch) < MAX_ARGUMENT_BYTES + 300));
    }
}
