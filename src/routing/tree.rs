//! An ordered map of many small entries: quick to look up, quick to make of all its entries at once, and its
//! clone costs nothing until one of the two changes.
//!
//! A B+ tree whose nodes are shared by clones and copied where they change (decision 11). Invariants: all
//! leaves are at one depth and hold entries but in an empty tree; keys ascend; each key of a branch but its
//! first is greater than all before its child and not greater than any in it.

use std::{slice, sync::Arc};

/// Entries of a node at most: a copy of one is some 2 KiB.
const MAX: usize = 64;
/// Entries of a node that is made whole: some come and go without a split.
const FILL: usize = 48;
/// With fewer entries than these, a node is joined with one beside it, if both come to no more than [`FILL`].
const FEW: usize = 16;

#[derive(Debug, Clone)]
pub(super) struct Tree<K, V = ()> {
    root: Arc<Node<K, V>>,
    len: usize,
}

type Child<K, V> = (K, Arc<Node<K, V>>);
/// Makes a node of what it holds.
type Make<K, V, T> = fn(Vec<(K, T)>) -> Node<K, V>;

#[derive(Debug)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    /// The first child's key is never read, and may be any.
    Branch(Vec<Child<K, V>>),
}

/// What entries are ordered by.
pub(super) trait Key: Copy + Ord {
    /// As `<`. Searches do little else, and what compares field by field does not do it in line.
    fn is_before(&self, other: &Self) -> bool {
        self < other
    }
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Self { root: Arc::new(Node::Leaf(Vec::new())), len: 0 }
    }
}

impl<K: Copy, V: Clone> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(entries) => Self::Leaf(copied(entries)),
            Self::Branch(children) => Self::Branch(copied(children)),
        }
    }
}

/// With room for one more, for it is copied where it changes.
fn copied<T: Clone>(list: &[T]) -> Vec<T> {
    let mut copy = Vec::with_capacity(MAX.min(list.len() + 1));
    copy.extend_from_slice(list);
    copy
}

impl<K: Key, V: Clone> Tree<K, V> {
    /// Of entries in ascending order of their keys, which has no key twice.
    pub(super) fn of(entries: Vec<(K, V)>) -> Self {
        let len = entries.len();
        let mut level = gathered(entries, Node::Leaf);
        while level.len() > 1 {
            level = gathered(level, Node::Branch);
        }
        level.pop().map_or_else(Self::default, |(_, root)| Self { root, len })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let Found { leaf, .. } = self.root.leaf(key, Side::Right);
        let entry = leaf.get(before(leaf, key, Order::Less))?;
        (entry.0 == *key).then_some(&entry.1)
    }

    /// To change what stands under a key.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let mut node = Arc::make_mut(&mut self.root);
        loop {
            match node {
                Node::Leaf(entries) => {
                    let place = before(entries, key, Order::Less);
                    let entry = entries.get_mut(place)?;
                    return (entry.0 == *key).then_some(&mut entry.1);
                }
                Node::Branch(children) => {
                    let place = child_of(children, key);
                    let (_, child) = children.get_mut(place)?;
                    node = Arc::make_mut(child);
                }
            }
        }
    }

    /// Puts an entry in the place of the one with its key, which it gives back.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (old, beside) = Arc::make_mut(&mut self.root).insert(key, value);
        if let Some(beside) = beside {
            // Any key does for the first child.
            let first = (key, Arc::clone(&self.root));
            self.root = Arc::new(Node::Branch(vec![first, beside]));
        }
        self.len += usize::from(old.is_none());
        old
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        // What is not there is to copy nothing.
        self.get(key)?;
        let old = Arc::make_mut(&mut self.root).remove(key);
        self.len -= 1;
        if self.len == 0 {
            *self = Self::default();
        }
        while let Node::Branch(children) = &*self.root
            && let [(_, only)] = children.as_slice()
        {
            self.root = Arc::clone(only);
        }
        old
    }

    pub(super) fn first(&self) -> Option<&(K, V)> {
        self.root.outermost(Side::Left).first()
    }

    /// Ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        let rest = self.root.outermost(Side::Left).iter();
        Walk { root: &self.root, rest, last: None, ahead: Side::Right }
    }

    /// Ascending, from a key or the first one after it.
    pub(super) fn from(&self, key: K) -> impl Iterator<Item = &(K, V)> {
        let Found { leaf, beside } = self.root.leaf(&key, Side::Right);
        let rest = leaf.split_at(before(leaf, &key, Order::Less)).1;
        self.walk(rest, beside, Side::Right)
    }

    /// Descending, from a key or the last one before it.
    pub(super) fn back_from(&self, key: K) -> impl Iterator<Item = &(K, V)> {
        let Found { leaf, beside } = self.root.leaf(&key, Side::Left);
        let rest = leaf.split_at(before(leaf, &key, Order::LessOrEqual)).0;
        self.walk(rest, beside, Side::Left)
    }

    /// Over what is left of a leaf, or where nothing is, over the next node; and on from there.
    fn walk<'a>(
        &'a self,
        rest: &'a [(K, V)],
        next: Option<&'a Node<K, V>>,
        ahead: Side,
    ) -> Walk<'a, K, V> {
        let rest = match next {
            Some(next) if rest.is_empty() => next.outermost(ahead.other()),
            Some(_) | None => rest,
        };
        Walk { root: &self.root, rest: rest.iter(), last: None, ahead }
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// The place beside one.
    fn of(self, place: usize) -> Option<usize> {
        match self {
            Self::Left => place.checked_sub(1),
            Self::Right => place.checked_add(1),
        }
    }
}

/// Nodes of a level, of all that they hold.
fn gathered<T, K: Copy, V>(all: Vec<(K, T)>, node: Make<K, V, T>) -> Vec<Child<K, V>> {
    let mut nodes = Vec::with_capacity(all.len().div_ceil(FILL));
    let mut all = all.into_iter();
    loop {
        let mut some = Vec::with_capacity(FILL.min(all.len()));
        some.extend(all.by_ref().take(FILL));
        let Some((key, _)) = some.first() else { return nodes };
        nodes.push((*key, Arc::new(node(some))));
    }
}

/// A leaf, and the node beside it, if there is one.
struct Found<'a, K, V> {
    leaf: &'a [(K, V)],
    beside: Option<&'a Node<K, V>>,
}

/// What comes before a key.
#[derive(Debug, Clone, Copy)]
enum Order {
    Less,
    LessOrEqual,
}

/// How many of a list come before a key.
fn before<K: Key, T>(list: &[(K, T)], key: &K, order: Order) -> usize {
    let is_before = |(it, _): &(K, T)| match order {
        Order::Less => it.is_before(key),
        Order::LessOrEqual => !key.is_before(it),
    };
    // Much comes at the end.
    let is_behind = list.last().is_some_and(is_before);
    if is_behind { list.len() } else { list.partition_point(is_before) }
}

/// Which child a key belongs to.
fn child_of<K: Key, T>(children: &[(K, T)], key: &K) -> usize {
    let [_, others @ ..] = children else { return 0 };
    before(others, key, Order::LessOrEqual)
}

impl<K: Key, V: Clone> Node<K, V> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Branch(children) => children.len(),
        }
    }

    /// The leaf where a key is, if it is anywhere.
    fn leaf(&self, key: &K, side: Side) -> Found<'_, K, V> {
        let (mut node, mut beside) = (self, None);
        loop {
            let children = match node {
                Self::Leaf(leaf) => return Found { leaf, beside },
                Self::Branch(children) => children,
            };
            let place = child_of(children, key);
            let next = side.of(place).and_then(|place| children.get(place));
            beside = next.map(|(_, node)| &**node).or(beside);
            let Some((_, child)) = children.get(place) else {
                return Found { leaf: &[], beside };
            };
            node = child;
        }
    }

    /// The first leaf, or the last.
    fn outermost(&self, side: Side) -> &[(K, V)] {
        let mut node = self;
        loop {
            let children = match node {
                Self::Leaf(entries) => return entries,
                Self::Branch(children) => children,
            };
            let child = match side {
                Side::Left => children.first(),
                Side::Right => children.last(),
            };
            let Some((_, child)) = child else { return &[] };
            node = child;
        }
    }

    /// Gives back what stood under the key, and what did not fit any more: a node to be right of this one.
    fn insert(&mut self, key: K, value: V) -> (Option<V>, Option<Child<K, V>>) {
        match self {
            Self::Leaf(entries) => {
                let place = before(entries, &key, Order::Less);
                match entries.get_mut(place).filter(|(it, _)| *it == key) {
                    Some((_, old)) => (Some(std::mem::replace(old, value)), None),
                    None => (None, put(entries, place, (key, value), Self::Leaf)),
                }
            }
            Self::Branch(children) => {
                let place = child_of(children, &key);
                let Some((_, child)) = children.get_mut(place) else { return (None, None) };
                let (old, beside) = Arc::make_mut(child).insert(key, value);
                (old, beside.and_then(|beside| put(children, place + 1, beside, Self::Branch)))
            }
        }
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            Self::Leaf(entries) => {
                let place = before(entries, key, Order::Less);
                entries.get(place).filter(|(it, _)| it == key)?;
                Some(entries.remove(place).1)
            }
            Self::Branch(children) => {
                let place = child_of(children, key);
                let (_, child) = children.get_mut(place)?;
                let old = Arc::make_mut(child).remove(key);
                let len = child.len();
                if len == 0 {
                    children.remove(place);
                } else if len < FEW {
                    join(children, place);
                }
                old
            }
        }
    }
}

/// Puts one more into a list. Where it is full, the half behind becomes a node of its own; or the new one alone,
/// if it comes last: what comes in ascending order, before nothing else, leaves full nodes behind it.
fn put<T, K: Copy, V>(
    list: &mut Vec<(K, T)>,
    place: usize,
    new: (K, T),
    node: Make<K, V, T>,
) -> Option<Child<K, V>> {
    if list.len() < MAX {
        if list.len() == list.capacity() {
            list.reserve_exact((MAX - list.len()).min(list.len() / 2 + 4));
        }
        list.insert(place, new);
        return None;
    }
    let mut right = list.split_off(if place == MAX { MAX } else { MAX / 2 });
    match place.checked_sub(list.len()) {
        Some(place) => right.insert(place, new),
        None => list.insert(place, new),
    }
    let key = right.first()?.0;
    Some((key, Arc::new(node(right))))
}

/// Joins a child with the one right of it, or else left of it, if it fits.
fn join<K: Key, V: Clone>(children: &mut Vec<Child<K, V>>, place: usize) {
    let left = if place + 1 < children.len() { place } else { place.saturating_sub(1) };
    let [(_, one), (_, other), ..] = children.split_at(left).1 else { return };
    if one.len() + other.len() > FILL {
        return;
    }
    let (key, other) = children.remove(left + 1);
    let Some((_, one)) = children.get_mut(left) else { return };
    match (Arc::make_mut(one), Arc::unwrap_or_clone(other)) {
        (Node::Leaf(entries), Node::Leaf(more)) => entries.extend(more),
        (Node::Branch(children), Node::Branch(mut more)) => {
            // Its first key was not read; it is now, and the one above holds for it.
            more.first_mut().into_iter().for_each(|(first, _)| *first = key);
            children.extend(more);
        }
        (Node::Leaf(_), Node::Branch(_)) | (Node::Branch(_), Node::Leaf(_)) => {
            unreachable!("all leaves are at one depth")
        }
    }
}

struct Walk<'a, K, V> {
    root: &'a Node<K, V>,
    /// Of a leaf.
    rest: slice::Iter<'a, (K, V)>,
    /// The one given last.
    last: Option<&'a K>,
    ahead: Side,
}

impl<'a, K, V> Walk<'a, K, V> {
    fn step(&mut self) -> Option<&'a (K, V)> {
        match self.ahead {
            Side::Left => self.rest.next_back(),
            Side::Right => self.rest.next(),
        }
    }
}

impl<'a, K: Key, V: Clone> Iterator for Walk<'a, K, V> {
    type Item = &'a (K, V);

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.step().or_else(|| {
            let Found { beside, .. } = self.root.leaf(self.last?, self.ahead);
            self.rest = beside?.outermost(self.ahead.other()).iter();
            self.step()
        })?;
        self.last = Some(&next.0);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{FILL, Key, MAX, Node, Tree};

    impl Key for u32 {}

    /// What the tree says of itself holds; gives the depth.
    fn depth(node: &Node<u32, u32>, is_root: bool, from: Option<u32>, to: Option<u32>) -> usize {
        assert!(node.len() <= MAX && (is_root || node.len() > 0));
        match node {
            Node::Leaf(entries) => {
                assert!(entries.is_sorted_by(|a, b| a.0 < b.0));
                let is_within =
                    |key| from.is_none_or(|from| from <= key) && to.is_none_or(|to| key < to);
                assert!(entries.iter().all(|(key, _)| is_within(*key)));
                1
            }
            Node::Branch(children) => {
                let keys: Vec<u32> = children.iter().skip(1).map(|(key, _)| *key).collect();
                let froms = std::iter::once(from).chain(keys.iter().copied().map(Some));
                let tos = keys.iter().copied().map(Some).chain([to]);
                let depths = children.iter().zip(froms.zip(tos));
                let mut depths =
                    depths.map(|((_, child), (from, to))| depth(child, false, from, to));
                let first = depths.next().unwrap();
                assert!(depths.all(|depth| depth == first));
                first + 1
            }
        }
    }

    fn agree(tree: &Tree<u32, u32>, model: &BTreeMap<u32, u32>) {
        depth(&tree.root, true, None, None);
        assert_eq!(tree.len(), model.len());
        assert!(tree.iter().map(|(k, v)| (k, v)).eq(model.iter()));
        assert_eq!(tree.first().map(|(k, _)| k), model.keys().next());
    }

    fn agree_around(tree: &Tree<u32, u32>, model: &BTreeMap<u32, u32>, key: u32) {
        assert_eq!(tree.get(&key), model.get(&key));
        assert!(tree.from(key).map(|(k, v)| (k, v)).eq(model.range(key..)), "from {key}");
        let back = tree.back_from(key).map(|(k, v)| (k, v));
        assert!(back.eq(model.range(..=key).rev()), "back from {key}");
    }

    fn numbers(seed: u64) -> impl FnMut(u32) -> u32 {
        let mut number = seed;
        move |below| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            u32::try_from((number >> 33) % u64::from(below)).unwrap()
        }
    }

    #[test]
    fn it_does_what_a_map_of_the_standard_library_does() {
        for (seed, range) in (1_u64..).zip([8, 200, 3_000, 100_000]) {
            let mut next = numbers(seed);
            let (mut tree, mut model) = (Tree::default(), BTreeMap::new());
            // It grows, then shrinks, several times, to nothing in the end.
            for phase in [9, 2, 8, 3, 9, 0_u32] {
                for step in 0..4_000 {
                    let key = next(range);
                    if next(10) < phase {
                        assert_eq!(tree.insert(key, step), model.insert(key, step));
                    } else {
                        // One that is there, or as it comes.
                        let key = model.range(key..).next().map_or(key, |(key, _)| *key);
                        assert_eq!(tree.remove(&key), model.remove(&key));
                    }
                    if step % 500 == 0 {
                        agree(&tree, &model);
                        agree_around(&tree, &model, next(range));
                    }
                }
            }
            while let Some((key, value)) = model.pop_last() {
                assert_eq!(tree.remove(&key), Some(value));
            }
            agree(&tree, &model);
        }
    }

    #[test]
    fn one_made_of_a_list_is_as_one_that_grew() {
        for len in [0, 1, FILL, FILL + 1, MAX, FILL * FILL, FILL * FILL + 1, 10_000] {
            let list: Vec<(u32, u32)> =
                (0..u32::try_from(len).unwrap()).map(|key| (2 * key, key)).collect();
            let mut model: BTreeMap<u32, u32> = list.iter().copied().collect();
            let mut tree = Tree::of(list);
            agree(&tree, &model);
            for key in (0..20_100).step_by(997) {
                agree_around(&tree, &model, key);
                assert_eq!(tree.insert(key, 7), model.insert(key, 7));
                assert_eq!(tree.remove(&(key / 2)), model.remove(&(key / 2)));
            }
            agree(&tree, &model);
        }
    }

    #[test]
    fn a_clone_keeps_what_it_had() {
        let list: Vec<(u32, u32)> = (0..5_000).map(|key| (key, 0)).collect();
        let mut tree = Tree::of(list);
        let mut model: BTreeMap<u32, u32> = tree.iter().copied().collect();
        let mut next = numbers(7);
        for _ in 0..30 {
            let (before, then) = (tree.clone(), model.clone());
            for _ in 0..100 {
                let key = next(6_000);
                assert_eq!(tree.insert(key, key), model.insert(key, key));
                let key = next(6_000);
                assert_eq!(tree.remove(&key), model.remove(&key));
            }
            agree(&before, &then);
            agree(&tree, &model);
        }
    }

    #[test]
    fn what_comes_in_order_fills_its_nodes() {
        let mut tree = Tree::default();
        (0..10_000_u32).for_each(|key| assert_eq!(tree.insert(key, key), None));
        fn leaves(node: &Node<u32, u32>) -> usize {
            match node {
                Node::Leaf(_) => 1,
                Node::Branch(children) => children.iter().map(|(_, child)| leaves(child)).sum(),
            }
        }
        assert_eq!(leaves(&tree.root), 10_000_usize.div_ceil(MAX));
    }
}
