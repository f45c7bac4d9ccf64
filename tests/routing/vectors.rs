//! The vectors of the routing specification (1.6), letter by letter.

use super::world::{World, out};

/// Runs a script over a ring: a number is so many picks, `out`/`back`/`remove`/`add X` an event, shown
/// as `|` in the result.
fn check(ring: &str, script: &str, expected: &str) {
    let mut world = World::with_ring(ring);
    if !ring.contains('D') {
        world.create_rep("D").unwrap(); // Somebody to add.
    }
    let mut result = Vec::new();
    for step in script.split(';').map(str::trim) {
        let (verb, who) = step.split_once(' ').unwrap_or((step, ""));
        match verb {
            "out" => drop(world.ok(out(who))),
            "back" => world.back(who),
            "remove" => world.remove("g", who),
            "add" => world.add("g", who),
            "readd" => {
                world.remove("g", who);
                world.add("g", who);
            }
            number => {
                result.push(world.picks("c", number.parse().unwrap()));
                continue;
            }
        }
        result.push("|".to_owned());
    }
    assert_eq!(result.join(" "), expected, "{ring}: {script}");
}

#[test]
fn v1_a_ring_goes_round() {
    check("A B C", "7", "A B C A B C A");
}

#[test]
fn v2_a_returner_waits_for_their_turn() {
    check("A B C D", "1; out B; 4; back B; 5", "A | C D A C | D A B C D");
}

#[test]
fn v2b_a_long_absence_gives_no_burst() {
    check("A B C", "1; out B; 9; back B; 6", "A | C A C A C A C A C | A B C A B C");
}

#[test]
fn v3a_a_newcomer_is_last_in_the_ring() {
    check("A B C", "2; add D; 6", "A B | C D A B C D");
}

#[test]
fn v3b_a_newcomer_is_next_if_the_cursor_stands_at_the_end() {
    check("A B C", "3; add D; 6", "A B C | D A B C D A");
}

#[test]
fn v4a_removing_the_last_served_skips_nobody() {
    check("A B C", "2; remove B; 4", "A B | C A C A");
}

#[test]
fn v4b_removing_the_next_moves_on() {
    check("A B C", "2; remove C; 4", "A B | A B A B");
}

#[test]
fn v4c_readding_the_next_keeps_the_order() {
    check("A B C", "2; readd C; 4", "A B | C A B C");
}

#[test]
fn v4d_readding_the_last_served_puts_them_behind() {
    check("A B C", "1; readd A; 5", "A | B C A B C");
}

#[test]
fn v4e_the_cursor_is_a_key_and_neither_an_index_nor_a_rep() {
    check("A B C", "2; readd B; 4", "A B | C B A C");
}

#[test]
fn v5_one_rep_takes_all() {
    check("A", "4", "A A A A");
}

#[test]
fn v6_weights_are_interleaved_rounds() {
    check("A*3 B", "8", "A B A A A B A A");
    check("A*300 B*100", "8", "A B A A A B A A");
}

#[test]
fn v6b_weights_of_two_and_one() {
    check("A*2 B C", "8", "A B C A A B C A");
}
