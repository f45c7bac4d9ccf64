//! A disk that fails or stalls when it is told to: a small C library, preloaded into a real node.
//!
//! Built once per run with `cc`, which the README asks for anyway.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

const SOURCE: &str = include_str!("preload.c");

/// While this file exists, every fsync and fdatasync fails with EIO.
pub(crate) const FAIL_SYNC: &str = "TEST_FAIL_SYNC";
/// While this file exists, a write to a snapshot waits once it has 64 KiB.
pub(crate) const STALL_SNAPSHOT: &str = "TEST_STALL_SNAPSHOT";
/// Made once a write waits.
pub(crate) const STALLED: &str = "TEST_STALLED";

/// The environment of a node whose disk obeys `triggers`: (which, path of the file).
pub(crate) fn env(triggers: &[(&str, &Path)]) -> Vec<(String, String)> {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut env: Vec<_> =
        triggers.iter().map(|(name, path)| ((*name).to_owned(), text(path))).collect();
    env.push(("LD_PRELOAD".to_owned(), text(library())));
    env
}

/// The compiled library, beside the test's own binary.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let of_this_run = format!("preload-{}", std::process::id());
        let source = folder.join(&of_this_run).with_extension("c");
        let library = folder.join(&of_this_run).with_extension("so");
        std::fs::write(&source, SOURCE).unwrap();
        let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let output = Command::new(&compiler)
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output()
            .unwrap_or_else(|error| {
                panic!("`{compiler}` can't be run ({error}): install a C compiler, see the README")
            });
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{compiler}: {errors}");
        std::fs::remove_file(source).unwrap();
        library
    })
}
