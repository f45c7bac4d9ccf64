//! The files of the repository, by their path from its root. Build output and git's are left out.

use std::{fs, path::Path};

/// One text file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All files below `folder` whose names end so, in order.
pub(crate) fn below(folder: &str, ending: &str) -> Vec<File> {
    let mut files = Vec::new();
    collect(&root().join(folder), ending, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// One file that must be there.
pub(crate) fn file(path: &str) -> File {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    File { path: path.to_owned(), text }
}

/// Whether there is a file or folder.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// All Rust files that people write.
pub(crate) fn rust() -> Vec<File> {
    let mut files = vec![file("build.rs")];
    for folder in ["src", "tests", "benches", "examples"] {
        files.extend(below(folder, ".rs"));
    }
    files
}

/// All pages.
pub(crate) fn pages() -> Vec<File> {
    let mut pages: Vec<_> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(file).into();
    pages.extend(below("docs", ".md"));
    pages.extend(below("deploy", ".md"));
    pages
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, ending: &str, files: &mut Vec<File>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a folder that opens can be listed").path();
        if path.is_dir() {
            collect(&path, ending, files);
        } else if path.to_string_lossy().ends_with(ending) {
            let within = path.strip_prefix(root()).expect("the walk starts at the root");
            files.push(file(&within.to_string_lossy()));
        }
    }
}
