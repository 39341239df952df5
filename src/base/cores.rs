//! The same for many things, on all cores.

use std::num::NonZeroUsize;
use std::thread::{available_parallelism, scope};

/// What `each` makes of every item, in the order of the items. To be used for work of milliseconds: threads begin and end with it.
pub fn on_all_cores<T: Sync, R: Send>(items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get).min(items.len());
    if cores < 2 {
        return items.iter().map(each).collect();
    }
    let each = &each;
    scope(|threads| {
        let shares = items.chunks(items.len().div_ceil(cores));
        let working: Vec<_> =
            shares.map(|share| threads.spawn(move || share.iter().map(each).collect::<Vec<R>>())).collect();
        working
            .into_iter()
            .flat_map(|share| share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_items() {
        for count in [0, 1, 2, 3, 100, 101] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(on_all_cores(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "poison")]
    fn a_panic_is_passed_on() {
        on_all_cores(&[0; 100], |_| -> usize { panic!("poison") });
    }
}
