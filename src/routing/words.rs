//! Texts that many records have, each once: a record holds its number.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// So many at most: a number of them is a byte.
const WORDS_MAX: usize = 127;
/// What is longer is not likely to be had by many.
const WORD_BYTES_MAX: usize = 64;

/// Texts with numbers from 1. None is taken out: who has them is written anew now and then.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Words {
    texts: String,
    /// Where each ends.
    ends: Vec<u16>,
    /// A byte of each one's hash; of the first of them only, until the next text is looked for.
    #[serde(skip)]
    tags: Vec<u8>,
}

impl Words {
    pub(super) fn get(&self, number: usize) -> Option<&str> {
        let place = number.checked_sub(1)?;
        let start = place.checked_sub(1).map_or(Some(&0), |before| self.ends.get(before))?;
        self.texts.get(usize::from(*start)..usize::from(*self.ends.get(place)?))
    }

    /// The number of a text, which gets one if it has none; `None` where it is to have none.
    pub(super) fn number(&mut self, text: &str) -> Option<u8> {
        if text.len() > WORD_BYTES_MAX {
            return None;
        }
        while self.tags.len() < self.ends.len() {
            self.tags.push(tag(self.get(self.tags.len() + 1)?));
        }
        let wanted = tag(text);
        let mut found = (1..).zip(&self.tags).filter(|(_, tag)| **tag == wanted);
        if let Some((number, _)) = found.find(|(number, _)| self.get(*number) == Some(text)) {
            return u8::try_from(number).ok();
        }
        if self.ends.len() >= WORDS_MAX {
            return None;
        }
        let end = u16::try_from(self.texts.len() + text.len()).ok()?;
        self.texts.push_str(text);
        self.ends.push(end);
        self.tags.push(wanted);
        u8::try_from(self.ends.len()).ok()
    }

    /// Whether each can be had; asked of what was read.
    pub(super) fn is_sound(&self) -> bool {
        let is_whole = self.ends.last().map_or(0, |end| usize::from(*end)) == self.texts.len();
        let is_short = |text: &str| text.len() <= WORD_BYTES_MAX;
        let each = || (1..=self.ends.len()).map(|number| self.get(number));
        is_whole && self.ends.len() <= WORDS_MAX && each().all(|text| text.is_some_and(is_short))
    }

    pub(super) fn fit(&mut self) {
        self.texts.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.tags = Vec::new();
    }
}

fn tag(text: &str) -> u8 {
    let [tag, ..] = xxh3_64(text.as_bytes()).to_le_bytes();
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &str, ends: &[u16]) -> Words {
        Words { texts: texts.to_owned(), ends: ends.to_vec(), tags: Vec::new() }
    }

    #[test]
    fn a_text_has_one_number_for_good_and_long_ones_have_none() {
        let mut words = Words::default();
        let texts = ["", "a", "north", "é"];
        let numbers = texts.map(|text| words.number(text));
        assert_eq!(numbers, [Some(1), Some(2), Some(3), Some(4)]);
        // As one that was read, which has no tags yet.
        let mut read = Words { tags: Vec::new(), ..words.clone() };
        assert_eq!(texts.map(|text| read.number(text)), numbers);
        for (number, text) in (1..).zip(texts) {
            assert_eq!(read.get(number), Some(text));
        }
        assert_eq!([0, 5].map(|number| read.get(number)), [None, None]);
        let long = "x".repeat(WORD_BYTES_MAX + 1);
        assert_eq!((read.number(&long), read.number(&long[1..])), (None, Some(5)));
        let more = (0..200).filter_map(|number| read.number(&format!("{number}"))).count();
        assert_eq!(more, WORDS_MAX - 5);
        assert_eq!(read.number("a"), Some(2), "those that are there are found when it is full");
        assert!(read.is_sound());
    }

    #[test]
    fn words_that_this_build_does_not_write_are_not_sound_and_make_no_panic() {
        assert!(words("abc", &[1, 3]).is_sound() && words("", &[]).is_sound());
        let long = "x".repeat(WORD_BYTES_MAX + 1);
        let many = "x".repeat(WORDS_MAX + 1);
        let ends: Vec<u16> = (1..=u16::try_from(WORDS_MAX).unwrap() + 1).collect();
        let unsound = [
            words("abc", &[1, 2]),
            words("abc", &[1, 4]),
            words("abc", &[2, 1, 3]),
            words("aé", &[2, 3]),
            words("abc", &[]),
            words(&long, &[u16::try_from(long.len()).unwrap()]),
            words(&many, &ends),
        ];
        for words in unsound {
            assert!(!words.is_sound(), "{words:?}");
            for number in 0..=WORDS_MAX + 2 {
                let _ = words.get(number);
            }
        }
    }
}
