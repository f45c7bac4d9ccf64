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
