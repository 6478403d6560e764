//! Splits the files of a tool into batches, one process each. Adding or removing a file changes only the batches near it.
//! The action on a batch is in `tool_run`.

use crate::base::{Digest, RelPath};

/// The limit on the file arguments of one process. It leaves room for other arguments and the environment: execve(2)
/// allows a quarter of the stack size limit for all of them, usually 2 MiB.
const MAX_ARGUMENT_BYTES: usize = 1 << 19;

/// Splits sorted files into batches of about `size` files, by content-defined chunking: a batch ends after each file whose
/// name has the smallest hash among its neighbours, half a batch before and after it. A name that is added or removed
/// therefore moves only the cuts near it. No batch has fewer than half of `size` files or more than four times as many.
pub fn cut(files: &[RelPath], size: usize) -> Vec<&[RelPath]> {
    let hashes: Vec<u64> = files.iter().map(hash).collect();
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        bytes += file.as_str().len() + 1;
        let is_full = index + 1 - start >= size.saturating_mul(4) || bytes >= MAX_ARGUMENT_BYTES;
        if is_full || is_local_minimum(&hashes, index, size.saturating_sub(1) / 2) {
            batches.push(&files[start..=index]);
            (start, bytes) = (index + 1, 0);
        }
    }
    if start < files.len() {
        batches.push(&files[start..]);
    }
    batches
}

/// False near the ends, where fewer than `radius` files precede or follow.
fn is_local_minimum(hashes: &[u64], index: usize, radius: usize) -> bool {
    let neighbours = index.checked_sub(radius).and_then(|first| hashes.get(first..=index.saturating_add(radius)));
    neighbours.is_some_and(|neighbours| neighbours.iter().all(|other| hashes[index] <= *other))
}

/// The hash of a file's name. It is the same on every machine, because the batches determine action keys.
fn hash(file: &RelPath) -> u64 {
    let leading = Digest::of(file.as_str().as_bytes()).hash()[..8].try_into();
    u64::from_be_bytes(leading.expect("a hash has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(count: usize) -> Vec<RelPath> {
        (0..count).map(|number| RelPath::parse(&format!("src/{number:05}.py")).unwrap()).collect()
    }

    #[test]
    fn each_file_is_in_exactly_one_batch_and_the_order_is_preserved() {
        for (count, size) in [(0, 128), (1, 128), (1000, 128), (1000, 1), (1000, 0), (300, 100_000)] {
            let files = files(count);
            let batches = cut(&files, size);
            assert_eq!(batches.concat(), files, "{count} {size}");
            assert!(batches.iter().all(|batch| !batch.is_empty() && batch.len() <= (size * 4).max(1)));
            assert!(batches.iter().all(|batch| batch.len() == count || batch.len() >= size.saturating_sub(1) / 2));
        }
        assert_eq!(cut(&files(10), 1).len(), 10);
    }

    #[test]
    fn the_average_batch_has_the_requested_size_and_the_batch_of_an_average_file_is_not_much_larger() {
        let files = files(10_000);
        let batches = cut(&files, 100);
        assert!((85..=115).contains(&batches.len()), "{}", batches.len());
        let mean_of_files: usize = batches.iter().map(|batch| batch.len() * batch.len()).sum::<usize>() / files.len();
        assert!(mean_of_files < 130, "{mean_of_files}");
    }

    #[test]
    fn an_added_file_changes_only_the_batches_near_it() {
        let all = files(2000);
        for gone in 0..all.len() {
            let without: Vec<RelPath> = [&all[..gone], &all[gone + 1..]].concat();
            let (before, after) = (cut(&without, 64), cut(&all, 64));
            let same = after.iter().filter(|batch| before.contains(batch)).count();
            assert!(before.len() > 20 && after.len() - same <= 3, "{gone}: {same} of {}", after.len());
            assert!(gone != 777 || after.len() - same <= 2, "{same} of {}", after.len());
        }
    }

    #[test]
    fn the_arguments_of_one_process_stay_below_the_limit_of_the_kernel() {
        let long = "x".repeat(200);
        let files: Vec<RelPath> =
            (0..20_000).map(|number| RelPath::parse(&format!("{long}/{number}")).unwrap()).collect();
        let bytes = |batch: &&[RelPath]| batch.iter().map(|file| file.as_str().len() + 1).sum::<usize>();
        assert!(cut(&files, 100_000).iter().all(|batch| bytes(batch) < MAX_ARGUMENT_BYTES + 300));
    }
}
