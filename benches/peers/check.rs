//! What was answered, and whether it can be right.
//!
//! A peer that is fast and wrong is no peer. Of every run, all answers are kept and looked through afterwards.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::job::{RING, rep};

/// One contact's assignment, as a caller was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The contact's number.
    pub(crate) contact: u64,
    pub(crate) group: u32,
    /// The rotation sequence number, from 0.
    pub(crate) seq: u64,
    /// The rep's place in the ring; more than the ring is long if the name was none of its.
    pub(crate) rep: u8,
}

impl Answer {
    pub(crate) fn new(contact: u64, group: u32, seq: u64, rep: &str) -> Self {
        let place = rep.strip_prefix("rep-").and_then(|place| place.parse().ok());
        Self { contact, group, seq, rep: place.unwrap_or(u8::MAX) }
    }
}

/// All answers of one run.
#[derive(Debug)]
pub(crate) struct Answers {
    /// By caller, each in the order in which it was answered. No two callers share a lock. The last one makes
    /// operations of others once more.
    callers: Vec<Mutex<Vec<Answer>>>,
    asked: AtomicU64,
}

impl Answers {
    /// Of so many callers, and one more: who asks for a contact again is to do so as the caller `callers`.
    pub(crate) fn of(callers: usize) -> Self {
        Self {
            callers: (0..=callers).map(|_| Mutex::default()).collect(),
            asked: AtomicU64::default(),
        }
    }

    /// So many contacts are about to be assigned; unless an answer is added for each, some may have been
    /// assigned without a caller's knowing.
    pub(crate) fn ask(&self, contacts: u64) {
        self.asked.fetch_add(contacts, Ordering::Relaxed);
    }

    /// A caller was answered.
    pub(crate) fn add(&self, caller: usize, answers: impl IntoIterator<Item = Answer>) {
        let mut kept = self.callers[caller].lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(answers);
    }

    /// What is wrong with the answers so far; nobody may be calling.
    pub(crate) fn violations(&self) -> Vec<String> {
        let callers: Vec<_> = self
            .callers
            .iter()
            .map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect();
        let (again, callers) = callers.split_last().expect("one more than there are callers");
        violations(callers, again, self.asked.load(Ordering::Relaxed))
    }
}

/// What is wrong with the answers, given by caller and in the order of arrival, to so many that were asked for;
/// `again` are those to contacts that were asked for once more:
///
/// - a contact that was answered twice, differently;
/// - two contacts of a group with the same sequence number;
/// - a rep whose turn it was not;
/// - a caller's later contact that was put before an earlier one of the same group;
/// - more sequence numbers missing than contacts that nobody was answered for.
pub(crate) fn violations(callers: &[Vec<Answer>], again: &[Answer], asked: u64) -> Vec<String> {
    let mut found = Vec::new();
    let mut contacts: HashMap<u64, &Answer> = HashMap::new();
    let mut turns: BTreeMap<u32, BTreeMap<u64, u64>> = BTreeMap::new();
    for answer in callers.iter().flatten().chain(again) {
        let Answer { contact, group, seq, rep: place } = *answer;
        let first = *contacts.entry(contact).or_insert(answer);
        if first != answer {
            found.push(format!("contact {contact} was answered {first:?} and {answer:?}"));
        }
        let other = *turns.entry(group).or_default().entry(seq).or_insert(contact);
        if other != contact {
            found.push(format!("group {group}: contacts {other} and {contact} both have {seq}"));
        }
        if u64::from(place) != seq % RING {
            found.push(format!("group {group}: {seq} is {}'s turn, not {place}'s", rep(seq)));
        }
    }
    for answers in callers {
        let mut last = HashMap::new();
        for Answer { contact, group, seq, .. } in answers {
            if last.insert(group, seq).is_some_and(|last| last > seq) {
                found.push(format!(
                    "group {group}: contact {contact} has {seq}, its caller had a later one before"
                ));
            }
        }
    }
    let answered = callers.iter().flatten().chain(again).count() as u64;
    let missing: u64 = turns
        .values()
        .filter_map(|turns| Some(turns.last_key_value()?.0 + 1 - turns.len() as u64))
        .sum();
    if missing > asked.saturating_sub(answered) {
        found.push(format!(
            "{missing} numbers are missing, {answered} of {asked} contacts were answered"
        ));
    }
    found
}

/// Whether [`violations`] finds what it is there for: panics if not.
pub(crate) fn finds_what_is_wrong() {
    let answer =
        |contact, seq, place: u64| Answer::new(contact, 7, seq, &format!("rep-{place:02}"));
    let right = [answer(1, 0, 0), answer(2, 1, 1), answer(3, 12, 0)];
    let check = |callers: &[&[Answer]], again: &[Answer], asked: u64, expected: &str| {
        let callers: Vec<_> = callers.iter().map(|answers| answers.to_vec()).collect();
        let found = violations(&callers, again, asked);
        if expected.is_empty() {
            assert!(found.is_empty(), "{found:?}");
        } else {
            assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
        }
    };
    check(&[], &[], 0, "");
    check(&[&right[..2]], &[], 2, "");
    // Who was never answered may have 2 to 11. Another caller may have been earlier or later.
    check(&[&right], &[], 13, "");
    check(&[&right[1..2], &right[..1]], &[], 2, "");
    // Asked again and answered as before, or for the first time.
    check(&[&right[..2]], &right[..1], 3, "");
    check(&[&right[1..2]], &right[..1], 3, "");

    check(&[&right], &[], 12, "10 numbers are missing");
    check(&[&[answer(1, 0, 1)]], &[], 1, "rep-00's turn");
    check(&[&[Answer::new(1, 7, 0, "nobody")]], &[], 1, "rep-00's turn");
    check(&[&[answer(1, 0, 0)], &[answer(2, 0, 0)]], &[], 2, "both have 0");
    check(&[&[answer(1, 0, 0)]], &[answer(1, 1, 1)], 2, "contact 1 was answered");
    check(&[&[answer(1, 1, 1), answer(2, 0, 0)]], &[], 2, "later one before");
}
