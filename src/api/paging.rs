//! Pages of a list: bounded in items and in bytes, continued after the last id of the page.

use prost::Message;
use tonic::Status;

use crate::routing::{Id, Rejection, TeamId};

use super::{
    filter::Filter,
    limits::{PAGE_LEN_MAX, PAGE_SCAN_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX},
    names, reads,
    violations::{Violations, Wrong},
};

/// Items fetched at a time: one may be large.
const CHUNK: usize = 32;

/// How many items a caller wants: 0 is the default, more than the greatest is the greatest (AIP-158).
pub(super) fn size(written: i32) -> Result<usize, Wrong> {
    count(written, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
}

/// The same for any number with a default and a greatest value.
pub(super) fn count(written: i32, default: usize, max: usize) -> Result<usize, Wrong> {
    match usize::try_from(written) {
        Ok(0) => Ok(default),
        Ok(n) => Ok(n.min(max)),
        Err(_) => Err(Wrong::new(format!("0 to {max}"))),
    }
}

/// Where to go on, from a token; the empty one is the start.
pub(super) fn after<T>(
    token: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Wrong> {
    if token.is_empty() {
        return Ok(None);
    }
    read(token).map(Some).ok_or_else(|| Wrong::new("not a token of this list; start without one"))
}

/// What page of a team's resources, listed by id, is asked for.
pub(super) struct Asked<Kind> {
    pub(super) team: TeamId,
    pub(super) after: Option<Id<Kind>>,
    pub(super) size: usize,
    pub(super) filter: Filter,
}

impl<Kind> Asked<Kind> {
    /// Reads the fields that all such requests have; `fields` are those that the list is filtered by.
    ///
    /// # Errors
    /// A status that names every wrong field.
    pub(super) fn read(
        parent: &str,
        page_size: i32,
        page_token: &str,
        filter: &str,
        fields: &[&str],
    ) -> Result<Self, Status> {
        let mut wrong = Violations::default();
        let team = wrong.take("parent", names::team(parent));
        let size = wrong.take("page_size", size(page_size));
        let after = wrong.take("page_token", after(page_token, |token| names::id(token).ok()));
        let filter = wrong.take("filter", Filter::read(filter, fields));
        let built = team.zip(size).zip(after.zip(filter));
        let ((team, size), (after, filter)) = reads::checked(wrong, built)?;
        Ok(Self { team, after, size, filter })
    }
}

/// A page of a list, and the token of the next one.
///
/// `fetch` gives up to so many items after a key. Where `keep` leaves few of them, a page looks at
/// [`PAGE_SCAN_MAX`] and ends there, short: the token says where to go on.
///
/// # Errors
/// Those of `fetch`.
pub(super) fn scan<K, T, M: Message>(
    after: Option<K>,
    size: usize,
    fetch: impl Fn(Option<&K>, usize) -> Result<Vec<T>, Rejection>,
    key: impl Fn(&T) -> K,
    token: impl Fn(&K) -> String,
    message: impl Fn(T) -> M,
    keep: impl Fn(&M) -> bool,
) -> Result<(Vec<M>, String), Rejection> {
    let mut page = Vec::with_capacity(size.min(CHUNK));
    let mut last = after;
    let (mut len, mut looked) = (0, 0);
    loop {
        let items = fetch(last.as_ref(), CHUNK)?;
        let is_end = items.len() < CHUNK;
        for item in items {
            let here = last.as_ref().map(&token).unwrap_or_default();
            if page.len() == size || looked == PAGE_SCAN_MAX {
                return Ok((page, here));
            }
            looked += 1;
            last = Some(key(&item));
            let item = message(item);
            if keep(&item) {
                len += item.encoded_len();
                // One item is always given, or the list would end here for ever.
                if len > PAGE_LEN_MAX && !page.is_empty() {
                    return Ok((page, here));
                }
                page.push(item);
            }
        }
        if is_end {
            return Ok((page, String::new()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, PAGE_LEN_MAX, PAGE_SCAN_MAX, scan, size};

    /// Items are numbers; the message of one has a length that `len` says.
    fn of(n: usize, page: usize, len: impl Fn(usize) -> usize) -> (Vec<usize>, String) {
        walk(n, None, page, len, |_| true)
    }

    fn walk(
        n: usize,
        after: Option<usize>,
        size: usize,
        len: impl Fn(usize) -> usize,
        keep: impl Fn(usize) -> bool,
    ) -> (Vec<usize>, String) {
        let fetch = |after: Option<&usize>, limit: usize| {
            Ok((after.map_or(0, |a| a + 1)..n).take(limit).collect())
        };
        // The first bytes of a message are its number.
        let message = |i: usize| format!("{i:>9}{}", "x".repeat(len(i)));
        let number = |text: &String| text[..9].trim().parse::<usize>().unwrap();
        let kept = |text: &String| keep(number(text));
        let (page, next) =
            scan(after, size, fetch, |i| *i, ToString::to_string, message, kept).unwrap();
        (page.iter().map(number).collect(), next)
    }

    fn numbers(n: usize) -> Vec<usize> {
        (0..n).collect()
    }

    #[test]
    fn a_page_ends_at_its_size_and_says_where_to_go_on() {
        assert_eq!(of(0, 2, |_| 0), (vec![], String::new()));
        assert_eq!(of(2, 2, |_| 0), (vec![0, 1], String::new()));
        assert_eq!(of(3, 2, |_| 0), (vec![0, 1], "1".to_owned()));
        for n in [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            assert_eq!(of(n, n, |_| 0), (numbers(n), String::new()), "{n}");
            assert_eq!(of(n + 1, n, |_| 0), (numbers(n), (n - 1).to_string()), "{n}");
        }
    }

    #[test]
    fn a_page_ends_where_it_would_be_too_long_but_holds_one_item() {
        let half = PAGE_LEN_MAX / 2 - 100;
        assert_eq!(of(3, 9, |_| half), (vec![0, 1], "1".to_owned()));
        assert_eq!(of(2, 9, |_| PAGE_LEN_MAX + 1), (vec![0], "0".to_owned()));
    }

    #[test]
    fn a_filtered_page_goes_on_until_it_is_full_or_has_looked_at_10000() {
        let every_tenth = |i: usize| i.is_multiple_of(10);
        let page = walk(1_000, None, 5, |_| 0, every_tenth);
        assert_eq!(page, (vec![0, 10, 20, 30, 40], "40".to_owned()));
        // Nothing is kept: the page is empty and the list goes on.
        let n = PAGE_SCAN_MAX + 5;
        assert_eq!(walk(n, None, 5, |_| 0, |_| false), (vec![], (PAGE_SCAN_MAX - 1).to_string()));
        assert_eq!(
            walk(n, Some(PAGE_SCAN_MAX - 1), 5, |_| 0, |i| i + 1 == n),
            (vec![n - 1], String::new())
        );
        assert_eq!(walk(PAGE_SCAN_MAX, None, 5, |_| 0, |_| false), (vec![], String::new()));
    }

    #[test]
    fn a_page_has_100_items_unless_asked_for_up_to_1000() {
        assert_eq!(
            [size(0), size(1), size(1_000), size(1_001)],
            [Ok(100), Ok(1), Ok(1_000), Ok(1_000)]
        );
        assert!(size(-1).is_err());
    }
}
