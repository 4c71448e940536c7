//! Work shared between threads: an output cut into contiguous parts, one thread a part.

use std::thread::{Builder, scope};

use yardstick_api::Error;

/// Runs `work(first, part)` over `out` cut into at most `threads` parts of whole items of `item` values;
/// `first` is the index of the part's first item. The caller's thread does the last part.
pub(crate) fn share(
    threads: usize,
    out: &mut [f32],
    item: usize,
    work: impl Fn(usize, &mut [f32]) + Sync,
) -> Result<(), Error> {
    let items = out.len() / item.max(1);
    let each = items.div_ceil(threads.max(1)).max(1);
    let work = &work;
    scope(|scope| {
        let mut parts = out.chunks_mut(each * item.max(1)).enumerate();
        let last = parts.next_back();
        for (i, part) in parts {
            Builder::new()
                .spawn_scoped(scope, move || work(i * each, part))
                .map_err(|error| Error::Device(format!("cannot start a thread: {error}")))?;
        }
        if let Some((i, part)) = last {
            work(i * each, part);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_visited_once_whatever_the_thread_count() {
        for (items, threads) in [(0, 2), (1, 4), (7, 3), (8, 2), (5, 9)] {
            let mut out = vec![0.0; items * 2];
            share(threads, &mut out, 2, |first, part| {
                for (i, item) in part.chunks_exact_mut(2).enumerate() {
                    item[0] += 1.0;
                    item[1] += (first + i) as f32;
                }
            })
            .unwrap();
            for (i, item) in out.chunks_exact(2).enumerate() {
                assert_eq!(item, [1.0, i as f32], "{items} items, {threads} threads");
            }
        }
    }
}
