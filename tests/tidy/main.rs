//! The rules of the repository, as a test: who may know whom, what a file looks like, what the pages
//! say.
//!
//! | File | Owns |
//! |---|---|
//! | `tree` | the files of the repository |
//! | `source` | Rust text as words and paths |
//! | `layers` | which module may name which, and which file may name which crate |
//! | `files` | lengths, first lines, the map of modules |
//! | `protos` | comments in `.proto` files |
//! | `pages` | links, names of code and commands in the pages |
//! | `lessons` | that the tests exist which a page says would notice what went wrong elsewhere |
//! | `planted` | that no build which ships can hold a planted bug |
//!
//! Each rule takes text and gives what is wrong with it, and has a test on small strings that shows it
//! bite. It knows nothing of what the program does.

mod files;
mod layers;
mod lessons;
mod pages;
mod planted;
mod protos;
mod source;
mod tree;

/// Fails with everything that is wrong, a line each.
fn assert_clean(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} broken rule(s):\n{}", wrong.len(), wrong.join("\n"));
}
