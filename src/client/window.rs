//! Which items of a stream of assigns are unsent, unanswered, or done.
//!
//! Pure bookkeeping, no I/O. At most `size` items are held; they leave in the order in which they came,
//! each exactly once, whatever was lost and sent again in between. Answers on one stream come in the
//! order of sending, so the queue of unanswered items says whose answer it is.

use std::collections::VecDeque;

/// Items between being taken and being handed over with their results.
#[derive(Debug)]
pub(super) struct Window<Q, R> {
    size: usize,
    /// Number of the first item held.
    first: u64,
    slots: VecDeque<Slot<Q, R>>,
    /// No item before this one is unsent.
    unsent_from: u64,
    /// Numbers of the items that are on the stream, in the order of sending.
    unanswered: VecDeque<u64>,
}

#[derive(Debug)]
enum Slot<Q, R> {
    Unsent(Q),
    Sent(Q),
    Done(R),
}

impl<Q: Clone, R> Window<Q, R> {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size: size.max(1),
            first: 0,
            slots: VecDeque::new(),
            unsent_from: 0,
            unanswered: VecDeque::new(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.slots.len() < self.size
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// Takes an item; the caller has asked for room.
    pub(super) fn push(&mut self, item: Q) {
        debug_assert!(self.has_room(), "the caller asked for room");
        self.slots.push_back(Slot::Unsent(item));
    }

    /// The first unsent item, which is sent from now on.
    pub(super) fn send_next(&mut self) -> Option<Q> {
        let from = self.unsent_from.max(self.first);
        let skipped = usize::try_from(from - self.first).expect("a window fits into memory");
        let mut numbered = (from..).zip(self.slots.iter_mut().skip(skipped));
        let found = numbered.find(|(_, slot)| matches!(slot, Slot::Unsent(_)));
        let Some((number, slot)) = found else {
            self.unsent_from = self.first + u64::try_from(self.slots.len()).unwrap_or(u64::MAX);
            return None;
        };
        self.unsent_from = number + 1;
        let Slot::Unsent(item) = slot else { return None };
        let item = item.clone();
        *slot = Slot::Sent(item.clone());
        self.unanswered.push_back(number);
        Some(item)
    }

    /// The longest unanswered item has this result. False if nothing was unanswered.
    pub(super) fn answered(&mut self, result: R) -> bool {
        self.answer(|_| Slot::Done(result))
    }

    /// The longest unanswered item has to be sent again. False if nothing was unanswered.
    pub(super) fn answered_try_again(&mut self) -> bool {
        if let Some(number) = self.unanswered.front() {
            self.unsent_from = self.unsent_from.min(*number);
        }
        self.answer(Slot::Unsent)
    }

    fn answer(&mut self, become_: impl FnOnce(Q) -> Slot<Q, R>) -> bool {
        let Some(number) = self.unanswered.pop_front() else { return false };
        let slot = self.slot(number);
        if let Slot::Sent(item) = slot {
            *slot = become_(item.clone());
        }
        true
    }

    /// The stream broke: everything unanswered has to be sent again.
    pub(super) fn broke(&mut self) {
        while self.answered_try_again() {}
    }

    /// The first item's result, if it has one.
    pub(super) fn pop_done(&mut self) -> Option<(u64, R)> {
        match self.slots.pop_front()? {
            Slot::Done(result) => {
                let number = self.first;
                self.first += 1;
                Some((number, result))
            }
            slot @ (Slot::Unsent(_) | Slot::Sent(_)) => {
                self.slots.push_front(slot);
                None
            }
        }
    }

    fn slot(&mut self, number: u64) -> &mut Slot<Q, R> {
        let place = usize::try_from(number - self.first).expect("a window fits into memory");
        self.slots.get_mut(place).expect("an unanswered item is held")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Window;

    #[test]
    fn items_leave_in_order_and_an_early_answer_waits() {
        let mut window = Window::new(3);
        for item in ["a", "b", "c"] {
            window.push(item);
        }
        assert!(!window.has_room());
        assert_eq!([window.send_next(), window.send_next()], [Some("a"), Some("b")]);
        assert!(window.answered_try_again(), "a");
        assert!(window.answered("B"), "b");
        assert_eq!(window.pop_done(), None, "b waits for a");
        assert_eq!(window.send_next(), Some("a"), "what failed goes before what is new");
        assert!(window.answered("A"));
        assert_eq!([window.pop_done(), window.pop_done()], [Some((0, "A")), Some((1, "B"))]);
        assert_eq!(window.pop_done(), None);
        assert!(!window.answered("nobody asked"));
    }

    proptest! {
        #[test]
        fn whatever_breaks_each_item_gets_its_own_result_once_and_in_order(
            size in 1..9_usize,
            events in prop::collection::vec(0..5_u8, 0..400),
        ) {
            let mut window = Window::new(size);
            let mut on_the_stream = std::collections::VecDeque::new();
            let (mut taken, mut left) = (0_u64, 0_u64);
            // After the random part, answer everything, so that all items can leave.
            let ending = std::iter::repeat_n([1, 2], 2 * size).flatten();
            for event in events.into_iter().chain(ending) {
                match event {
                    0 if window.has_room() => { window.push(taken); taken += 1; }
                    0 => {}
                    1 => on_the_stream.extend(window.send_next()),
                    2 => {
                        let answer = on_the_stream.pop_front().map(|item| item * 10);
                        prop_assert_eq!(answer.is_some_and(|answer| window.answered(answer)), answer.is_some());
                    }
                    3 => prop_assert_eq!(window.answered_try_again(), on_the_stream.pop_front().is_some()),
                    _ => { window.broke(); on_the_stream.clear(); }
                }
                prop_assert_eq!(window.unanswered(), on_the_stream.len());
                while let Some((number, result)) = window.pop_done() {
                    prop_assert_eq!((number, result), (left, left * 10));
                    left += 1;
                }
            }
            prop_assert!(window.is_empty());
            prop_assert_eq!(left, taken);
        }
    }
}
