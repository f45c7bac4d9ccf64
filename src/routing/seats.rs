//! Seats in the order of their keys, counted by class: the ordered index in a ring.
//!
//! A radix tree over the keys, sixteen children to a node, whose nodes are shared by clones until they
//! change. Each node knows how many seats of each class are below it, so the next seat of some classes
//! and the number of seats between two keys cost one descent, whatever the number of seats.

use std::{ops::RangeInclusive, sync::Arc};

use super::{filter::Class, record::Occupant};

const BITS: u32 = 4;
const FAN_OUT: usize = 1 << BITS;

/// Which seats are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    /// Of these classes and all before.
    UpTo(Class),
    /// Of the classes after this one.
    Beyond(Class),
}

/// Some classes, each a bit at its number: asked of every child that a descent comes by.
#[derive(Debug, Clone, Copy)]
struct Classes(u8);

impl Classes {
    const ALL: Self = Self((1 << Class::ALL.len()) - 1);

    fn has(self, number: usize) -> bool {
        self.0 & (1 << number) != 0
    }
}

impl From<Which> for Classes {
    fn from(which: Which) -> Self {
        let up_to = |limit: Class| (2 << limit.number()) - 1;
        match which {
            Which::All => Self::ALL,
            Which::UpTo(limit) => Self(up_to(limit)),
            Which::Beyond(limit) => Self(Self::ALL.0 & !up_to(limit)),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Seats {
    root: Child,
    /// Digits that the keys in the tree may have.
    height: u32,
}

#[derive(Debug, Clone, Default)]
enum Child {
    #[default]
    Nothing,
    Node(Arc<Node>),
    Seat(Occupant, Class),
}

#[derive(Debug, Clone, Default)]
struct Node {
    counts: [u64; Class::ALL.len()],
    children: [Child; FAN_OUT],
}

impl Child {
    fn count(&self, classes: Classes) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Seat(_, class) => u64::from(classes.has(class.number())),
            Self::Node(node) => {
                let counts = node.counts.iter().enumerate();
                counts.filter(|(number, _)| classes.has(*number)).map(|(_, count)| *count).sum()
            }
        }
    }

    #[inline]
    fn has_any(&self, classes: Classes) -> bool {
        match self {
            Self::Nothing => false,
            Self::Seat(_, class) => classes.has(class.number()),
            Self::Node(node) => {
                let mut counts = node.counts.iter().enumerate();
                counts.any(|(number, count)| *count > 0 && classes.has(number))
            }
        }
    }
}

impl Seats {
    pub(super) fn count(&self, which: Which) -> u64 {
        self.root.count(which.into())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count(Which::All) == 0
    }

    pub(super) fn get(&self, key: u64) -> Option<(&Occupant, Class)> {
        if !self.reaches(key) {
            return None;
        }
        let mut child = &self.root;
        for level in (0..self.height).rev() {
            let Child::Node(node) = child else { return None };
            child = node.children.get(digit(key, level))?;
        }
        match child {
            Child::Seat(occupant, class) => Some((occupant, *class)),
            Child::Nothing | Child::Node(_) => None,
        }
    }

    /// Puts somebody at a key, in the place of whoever sat there.
    pub(super) fn put(&mut self, key: u64, occupant: Occupant, class: Class) {
        while !self.reaches(key) || self.height == 0 {
            let below = std::mem::take(&mut self.root);
            let mut node = Node::default();
            for class in Class::ALL {
                if let Some(count) = node.counts.get_mut(class.number()) {
                    *count = of_class(&below, class);
                }
            }
            if let (Some(first), true) = (node.children.first_mut(), self.height > 0) {
                *first = below;
            }
            self.root = Child::Node(Arc::new(node));
            self.height += 1;
        }
        let old = self.get(key).map(|(_, class)| class);
        edit(&mut self.root, key, self.height, old, Child::Seat(occupant, class), Some(class));
    }

    pub(super) fn remove(&mut self, key: u64) {
        if let Some((_, class)) = self.get(key) {
            edit(&mut self.root, key, self.height, Some(class), Child::Nothing, None);
        }
    }

    /// The first seat among the keys of the range.
    pub(super) fn first_in(
        &self,
        keys: &RangeInclusive<u64>,
        which: Which,
    ) -> Option<(u64, &Occupant)> {
        first(&self.root, 0, self.height, keys, which.into())
    }

    /// How many seats are among the keys of the range.
    pub(super) fn count_in(&self, keys: &RangeInclusive<u64>, which: Which) -> u64 {
        count(&self.root, 0, self.height, keys, which.into())
    }

    /// The seats among the keys of the range, ascending.
    pub(super) fn range(
        &self,
        keys: RangeInclusive<u64>,
        which: Which,
    ) -> impl Iterator<Item = (u64, &Occupant)> {
        let mut rest = Some(keys);
        std::iter::from_fn(move || {
            let keys = rest.take()?;
            let found = self.first_in(&keys, which)?;
            rest = found.0.checked_add(1).map(|next| next..=*keys.end()).filter(|k| !k.is_empty());
            Some(found)
        })
    }

    fn reaches(&self, key: u64) -> bool {
        let bits = self.height.saturating_mul(BITS);
        bits >= u64::BITS || key >> bits == 0
    }
}

fn of_class(child: &Child, class: Class) -> u64 {
    match child {
        Child::Nothing => 0,
        Child::Seat(_, of) => u64::from(*of == class),
        Child::Node(node) => node.counts.get(class.number()).copied().unwrap_or(0),
    }
}

fn digit(key: u64, level: u32) -> usize {
    let digit = key.checked_shr(level * BITS).unwrap_or(0) & 0xF;
    usize::try_from(digit).unwrap_or(0)
}

fn edit(
    child: &mut Child,
    key: u64,
    height: u32,
    old: Option<Class>,
    new: Child,
    class: Option<Class>,
) {
    if height == 0 {
        *child = new;
        return;
    }
    if matches!(child, Child::Nothing) {
        *child = Child::Node(Arc::new(Node::default()));
    }
    let Child::Node(node) = child else { return };
    let node = Arc::make_mut(node);
    if let Some(count) = old.and_then(|class| node.counts.get_mut(class.number())) {
        *count -= 1;
    }
    if let Some(count) = class.and_then(|class| node.counts.get_mut(class.number())) {
        *count += 1;
    }
    if let Some(below) = node.children.get_mut(digit(key, height - 1)) {
        edit(below, key, height - 1, old, new, class);
    }
    if node.counts.iter().all(|count| *count == 0) {
        *child = Child::Nothing;
    }
}

/// The keys that can be below a child.
fn span(start: u64, height: u32) -> RangeInclusive<u64> {
    let keys = 1_u64.checked_shl(height * BITS).map_or(u64::MAX, |keys| keys - 1);
    start..=start.saturating_add(keys)
}

fn first<'a>(
    child: &'a Child,
    start: u64,
    height: u32,
    keys: &RangeInclusive<u64>,
    classes: Classes,
) -> Option<(u64, &'a Occupant)> {
    let span = span(start, height);
    if span.end() < keys.start() || keys.end() < span.start() || !child.has_any(classes) {
        return None;
    }
    match child {
        Child::Nothing => None,
        Child::Seat(occupant, _) => Some((start, occupant)),
        Child::Node(node) => {
            let mut children = within(&node.children, start, height - 1, keys);
            children.find_map(|(start, child)| first(child, start, height - 1, keys, classes))
        }
    }
}

/// Those of a node's children below which there can be keys of the range, each with its own first key.
fn within<'a>(
    children: &'a [Child; FAN_OUT],
    start: u64,
    height: u32,
    keys: &RangeInclusive<u64>,
) -> impl Iterator<Item = (u64, &'a Child)> {
    let bits = height * BITS;
    let place = |key: u64| key.saturating_sub(start) >> bits;
    let (from, to) = (place(*keys.start()), place(*keys.end()));
    let at = |place: u64| usize::try_from(place).map_or(FAN_OUT, |place| place.min(FAN_OUT));
    let some = children.get(at(from)..at(to.saturating_add(1))).unwrap_or_default();
    (from..).zip(some).map(move |(i, child)| (start + (i << bits), child))
}

fn count(
    child: &Child,
    start: u64,
    height: u32,
    keys: &RangeInclusive<u64>,
    classes: Classes,
) -> u64 {
    let span = span(start, height);
    if span.end() < keys.start() || keys.end() < span.start() {
        return 0;
    }
    if keys.start() <= span.start() && span.end() <= keys.end() {
        return child.count(classes);
    }
    match child {
        Child::Nothing | Child::Seat(..) => 0,
        Child::Node(node) => {
            let children = within(&node.children, start, height - 1, keys);
            children.map(|(start, child)| count(child, start, height - 1, keys, classes)).sum()
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::{Class, Occupant, Seats, Which};
    use crate::routing::record::RepUid;

    /// The next number of a sequence that a seed begins.
    pub(crate) fn random(seed: &mut u64) -> u64 {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    }

    #[test]
    fn seats_answer_as_a_sorted_map_does() {
        let mut seed = 7;
        let mut seats = Seats::default();
        let mut plain: BTreeMap<u64, Class> = BTreeMap::new();
        for step in 0..4_000_u64 {
            let wide = if step % 50 == 0 { 1 << 40 } else { 300 };
            let key = random(&mut seed) % wide;
            let class = Class::ALL[usize::try_from(random(&mut seed) % 4).unwrap()];
            if random(&mut seed).is_multiple_of(3) {
                seats.remove(key);
                plain.remove(&key);
            } else {
                seats.put(key, Occupant::Rep(RepUid(key)), class);
                plain.insert(key, class);
            }
            let (a, b) = (random(&mut seed) % 320, random(&mut seed) % wide);
            let keys = a.min(b)..=a.max(b);
            for which in
                Class::ALL.iter().flat_map(|c| [Which::UpTo(*c), Which::Beyond(*c), Which::All])
            {
                let inside: Vec<u64> = plain
                    .range(keys.clone())
                    .filter(|(_, class)| super::Classes::from(which).has(class.number()))
                    .map(|(key, _)| *key)
                    .collect();
                assert_eq!(seats.count_in(&keys, which), u64::try_from(inside.len()).unwrap());
                assert_eq!(seats.first_in(&keys, which).map(|s| s.0), inside.first().copied());
                if step % 40 == 0 {
                    let found: Vec<u64> = seats.range(keys.clone(), which).map(|s| s.0).collect();
                    assert_eq!(found, inside);
                }
            }
            assert_eq!(seats.get(key).map(|s| s.1), plain.get(&key).copied());
            assert_eq!(seats.count(Which::All), u64::try_from(plain.len()).unwrap());
        }
    }

    #[test]
    fn the_ends_of_the_key_space_are_seats_like_others() {
        let mut seats = Seats::default();
        for key in [0, 1, u64::MAX - 1, u64::MAX] {
            seats.put(key, Occupant::Rep(RepUid(key)), Class::Ready);
        }
        let all: Vec<u64> = seats.range(0..=u64::MAX, Which::All).map(|s| s.0).collect();
        assert_eq!(all, [0, 1, u64::MAX - 1, u64::MAX]);
        assert_eq!(seats.count_in(&(1..=u64::MAX - 1), Which::All), 2);
    }
}
