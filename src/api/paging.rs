//! Pages of a list: bounded in items and in bytes, continued after the last id of the page.

use prost::Message;

use super::{
    limits::{PAGE_LEN_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX},
    violations::Wrong,
};

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

/// A page and the token of the next one.
///
/// `items` holds one more than `size` where the list goes on.
pub(super) fn page<T, M: Message>(
    items: Vec<T>,
    size: usize,
    token: impl Fn(&T) -> String,
    message: impl Fn(T) -> M,
) -> (Vec<M>, String) {
    let mut page = Vec::with_capacity(items.len().min(size));
    let mut len = 0;
    let mut last = String::new();
    for item in items {
        let next = token(&item);
        let item = message(item);
        len += item.encoded_len();
        // One item is always given, or the list would end here for ever.
        if page.len() == size || (len > PAGE_LEN_MAX && !page.is_empty()) {
            return (page, last);
        }
        page.push(item);
        last = next;
    }
    (page, String::new())
}

#[cfg(test)]
mod tests {
    use super::{PAGE_LEN_MAX, page, size};

    fn of(items: &[usize], size: usize) -> (Vec<usize>, String) {
        let message = |len: usize| "x".repeat(len);
        let token = |len: &usize| len.to_string();
        let (page, next) = page(items.to_vec(), size, token, message);
        (page.iter().map(String::len).collect(), next)
    }

    #[test]
    fn a_page_ends_at_its_size_and_says_where_to_go_on() {
        assert_eq!(of(&[], 2), (vec![], String::new()));
        assert_eq!(of(&[1, 2], 2), (vec![1, 2], String::new()));
        assert_eq!(of(&[1, 2, 3], 2), (vec![1, 2], "2".to_owned()));
    }

    #[test]
    fn a_page_ends_where_it_would_be_too_long_but_holds_one_item() {
        let half = PAGE_LEN_MAX / 2;
        assert_eq!(
            of(&[half, half - 100, 1_000], 9),
            (vec![half, half - 100], format!("{}", half - 100))
        );
        assert_eq!(
            of(&[PAGE_LEN_MAX + 1, 1], 9),
            (vec![PAGE_LEN_MAX + 1], format!("{}", PAGE_LEN_MAX + 1))
        );
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
