//! Two things at once, where the caller has a way: what is loaded is large.

/// Does both, in any order or side by side, and returns when both are done.
pub type Together = fn(&mut (dyn FnMut() + Send), &mut (dyn FnMut() + Send));

/// One after the other.
pub fn in_turn(one: &mut (dyn FnMut() + Send), other: &mut (dyn FnMut() + Send)) {
    one();
    other();
}
