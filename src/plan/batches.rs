//! Files to batches, a process each. An edit, or a file more, changes only the batch that it is in.

use crate::base::{Digest, RelPath};

/// What the arguments of one process may come to, with room for the rest: see execve(2) on the size of the stack.
const MAX_ARGUMENT_BYTES: usize = 1 << 19;

/// Sorted files, cut after each whose name has the least hash of all within half a batch before and after it. So batches
/// have about `size` files, none has less than half of that or more than four times as many, and a name that comes or goes
/// moves only the cuts near it.
pub fn cut(files: &[RelPath], size: usize) -> Vec<&[RelPath]> {
    let hashes: Vec<u64> = files.iter().map(hash).collect();
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        bytes += file.as_str().len() + 1;
        let is_full = index + 1 - start >= size.saturating_mul(4) || bytes >= MAX_ARGUMENT_BYTES;
        if is_full || is_least_around(&hashes, index, size.saturating_sub(1) / 2) {
            batches.push(&files[start..=index]);
            (start, bytes) = (index + 1, 0);
        }
    }
    if start < files.len() {
        batches.push(&files[start..]);
    }
    batches
}

fn is_least_around(hashes: &[u64], index: usize, reach: usize) -> bool {
    let around = index.checked_sub(reach).and_then(|first| hashes.get(first..=index.saturating_add(reach)));
    around.is_some_and(|around| around.iter().all(|other| hashes[index] <= *other))
}

/// Of the name. It is the same on every machine, as the batches are a part of what results are kept under.
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
    fn every_file_is_in_one_batch_in_its_order() {
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
    fn a_batch_has_the_asked_size_on_average_and_an_edited_file_is_in_one_not_much_larger() {
        let files = files(10_000);
        let batches = cut(&files, 100);
        assert!((85..=115).contains(&batches.len()), "{}", batches.len());
        let of_a_file: usize = batches.iter().map(|batch| batch.len() * batch.len()).sum::<usize>() / files.len();
        assert!(of_a_file < 130, "{of_a_file}");
    }

    #[test]
    fn a_file_more_changes_the_batches_near_it_only() {
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
    fn arguments_of_one_process_stay_below_what_the_kernel_takes() {
        let long = "x".repeat(200);
        let files: Vec<RelPath> =
            (0..20_000).map(|number| RelPath::parse(&format!("{long}/{number}")).unwrap()).collect();
        let bytes = |batch: &&[RelPath]| batch.iter().map(|file| file.as_str().len() + 1).sum::<usize>();
        assert!(cut(&files, 100_000).iter().all(|batch| bytes(batch) < MAX_ARGUMENT_BYTES + 300));
    }
}
