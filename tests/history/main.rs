//! The checker of the fault matrix (`tests/faults`) finds what is wrong with a history: doctored
//! histories of every kind, and a sound one that it lets pass.
//!
//! | File | Owns |
//! |---|---|
//! | `history` | what clients saw |
//! | `checker` | whether it can be |
//! | `../model` | the naive model, which the changes are replayed through |

#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that meets the unexpected ends"
)]

mod checker;
mod history;
#[path = "../model/mod.rs"]
mod model;

use std::time::Duration;

use checker::{Verdict, check};
use history::{Answer, Asked, Call, Held, NodeState};
use turnwise::routing::LogPosition;

const REPS: usize = 3;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A call at `index`, sent and answered then.
fn call(index: u64, asked: Asked) -> Call {
    let position = LogPosition { term: 1, log_index: index, seq: 0 };
    let answer = match &asked {
        Asked::Assign { .. } => Answer::Assigned {
            position,
            name: format!("{index}-0"),
            rep: 0,
            existing: false,
            digest: u128::from(index),
        },
        _ => Answer::Changed { position, digest: u128::from(index) },
    };
    Call { asked, called: ms(index * 10), answered: ms(index * 10 + 5), answer, again: Vec::new() }
}

fn set_rep(call: &mut Call, to: usize) {
    let Answer::Assigned { rep, .. } = &mut call.answer else { panic!("an assign") };
    *rep = to;
}

fn assign(index: u64, to: usize) -> Call {
    let mut call = call(index, Asked::Assign { contact: format!("contact-{index}") });
    set_rep(&mut call, to);
    call
}

fn read(at: u64, rep: usize, away: bool, note: &str) -> Call {
    Call {
        asked: Asked::ReadRep { rep },
        called: ms(at * 10),
        answered: ms(at * 10 + 5),
        answer: Answer::Rep { away, note: note.to_owned() },
        again: Vec::new(),
    }
}

fn away(index: u64, rep: usize) -> Call {
    call(index, Asked::Away { rep, note: format!("away-{index}") })
}

/// A sound history: turns go round, one rep is away for two of them, and reads say so.
fn sound() -> Vec<Call> {
    vec![
        assign(10, 0),
        assign(11, 1),
        read(12, 2, false, ""),
        away(13, 2),
        assign(14, 0),
        read(15, 2, true, "away-13"),
        call(16, Asked::Back { rep: 2, request: 16 }),
        read(17, 2, false, "away-13"),
        assign(18, 1),
        assign(19, 2),
        assign(20, 0),
    ]
}

fn holdings(calls: &[Call]) -> Vec<Held> {
    let held = |call: &Call| match (&call.asked, &call.answer) {
        (Asked::Assign { contact }, Answer::Assigned { name, rep, .. }) => {
            Some(Held { name: name.clone(), contact: contact.clone(), rep: *rep })
        }
        _ => None,
    };
    calls.iter().filter_map(held).collect()
}

fn nodes(calls: &[Call]) -> Vec<NodeState> {
    (1..=3).map(|node| NodeState { node, held: holdings(calls) }).collect()
}

fn judged(calls: &[Call]) -> Verdict {
    check(REPS, calls, &nodes(calls))
}

#[test]
fn a_sound_history_passes() {
    let calls = sound();
    let verdict = judged(&calls);
    assert!(verdict.is_clean(), "{verdict:?}");
    assert_eq!(verdict.acknowledged, 11);
}

#[test]
fn an_acknowledged_assignment_that_a_node_lacks_is_lost() {
    let calls = sound();
    let mut states = nodes(&calls);
    states[1].held.remove(2);
    let verdict = check(REPS, &calls, &states);
    assert_eq!((verdict.lost, verdict.words.len()), (1, 1), "{verdict:?}");
    states[2].held[0].rep = 2;
    assert_eq!(check(REPS, &calls, &states).lost, 2, "changed by itself");
}

#[test]
fn a_contact_that_was_assigned_twice_is_found() {
    let calls = sound();
    let mut states = nodes(&calls);
    let second = Held { name: "21-0".into(), contact: "contact-10".into(), rep: 1 };
    states[0].held.push(second);
    assert_eq!(check(REPS, &calls, &states).duplicated, 1);

    let mut calls = sound();
    let Answer::Assigned { existing, .. } = &mut calls[1].answer else { panic!() };
    *existing = true;
    assert_eq!(judged(&calls).duplicated, 1, "the call says so itself");

    let mut calls = sound();
    calls[1].answer = calls[0].answer.clone();
    assert!(judged(&calls).duplicated >= 1, "two calls in one place");
}

#[test]
fn a_retry_with_another_answer_is_found_even_if_only_a_byte_differs() {
    let mut calls = sound();
    calls[0].again = vec![calls[0].answer.clone()];
    assert!(judged(&calls).is_clean(), "an equal answer is none");
    let mut other = calls[0].answer.clone();
    let Answer::Assigned { digest, .. } = &mut other else { panic!() };
    *digest += 1;
    calls[0].again.push(other);
    assert_eq!(judged(&calls).duplicated, 1);
}

#[test]
fn a_turn_lost_or_used_twice_shows_in_the_replay() {
    let mut calls = sound();
    set_rep(&mut calls[1], 2);
    assert_eq!(judged(&calls).wrong, 1, "one was passed over");
    let mut calls = sound();
    calls.remove(1);
    assert_eq!(judged(&calls).wrong, 1, "a turn that nobody was told of");
}

#[test]
fn an_assignment_to_who_was_away_by_then_is_found() {
    let mut calls = sound();
    set_rep(&mut calls[4], 2);
    assert_eq!(judged(&calls).wrong, 1);
}

#[test]
fn reads_from_before_are_stale_and_reads_of_the_time_between_are_not() {
    let mut calls = sound();
    calls[5] = read(15, 2, false, "");
    assert_eq!(judged(&calls).stale, 1, "the absence was answered before the read was sent");

    let mut calls = sound();
    calls[5] = read(15, 2, true, "somebody else's");
    assert_eq!(judged(&calls).wrong, 1, "nobody ever said so");

    for (seen, note) in [(false, ""), (true, "away-13")] {
        let mut calls = sound();
        calls[2] = read(12, 2, seen, note);
        calls[2].answered = ms(134);
        calls[3].called = ms(121);
        assert!(judged(&calls).is_clean(), "they went on at the same time");
    }
    let mut calls = sound();
    calls[2] = read(12, 2, true, "away-13");
    assert_eq!(judged(&calls).wrong, 1, "read before it was asked for");
}

#[test]
fn an_absence_on_top_of_another_keeps_the_first_note() {
    let mut calls = sound();
    let second = Call { asked: Asked::Away { rep: 2, note: "more".into() }, ..away(16, 2) };
    calls[6] = second;
    calls[7] = read(17, 2, true, "away-13");
    calls.truncate(8);
    assert!(judged(&calls).is_clean(), "{:?}", judged(&calls));
    calls[7] = read(17, 2, true, "more");
    assert_eq!(judged(&calls).wrong, 1);
}

#[test]
fn an_assignment_that_a_reader_must_know_and_does_not_find_is_stale() {
    let asked = Asked::ReadAssignment { name: "10-0".into(), rep: 0 };
    let mut read = read(30, 0, false, "");
    read.asked = asked;
    for (found, stale, wrong) in [(Some(0), 0, 0), (None, 1, 0), (Some(1), 0, 1)] {
        let mut calls = sound();
        read.answer = Answer::Assignment { rep: found };
        calls.push(read.clone());
        let verdict = judged(&calls);
        assert_eq!((verdict.stale, verdict.wrong), (stale, wrong), "{verdict:?}");
    }
}

#[test]
fn a_call_placed_before_what_was_answered_when_it_was_sent_is_out_of_order() {
    let mut calls = sound();
    // It was sent after all others had been answered.
    calls[0].called = ms(500);
    calls[0].answered = ms(505);
    let verdict = judged(&calls);
    assert_eq!((verdict.out_of_order, verdict.wrong), (1, 0), "{verdict:?}");
    calls[0].called = ms(100);
    assert!(judged(&calls).is_clean(), "it was under way all the time");
}

#[test]
fn calls_without_an_answer_and_refusals_are_counted() {
    let mut calls = sound();
    calls.push(call(21, Asked::Away { rep: 1, note: "x".into() }));
    calls.last_mut().unwrap().answer = Answer::Nothing;
    calls.push(call(22, Asked::Away { rep: 1, note: "y".into() }));
    calls.last_mut().unwrap().answer = Answer::Refused("LAST_AVAILABLE_REP".into());
    let verdict = judged(&calls);
    assert_eq!((verdict.unanswered, verdict.wrong, verdict.acknowledged), (1, 1, 11));
}

#[test]
fn what_nobody_asked_for_is_found() {
    let calls = sound();
    let mut states = nodes(&calls);
    states[2].held.push(Held { name: "9-0".into(), contact: "stranger".into(), rep: 0 });
    assert_eq!(check(REPS, &calls, &states).wrong, 1);
}
