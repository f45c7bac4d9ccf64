//! Compiles every `.proto` under `proto/` in pure Rust: no `protoc` is called or needed.
//!
//! Gives the generated modules, and in `OUT_DIR` two descriptor sets: `turnwise.bin` with everything
//! and `public.bin` with what reflection may show.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use prost::Message as _;

const ROOT: &str = "proto";
/// Packages that anybody may ask reflection about.
const PUBLIC: &str = "turnwise/v1/";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    // What benches/counts compares like with like by.
    println!("cargo:rustc-env=TURNWISE_OPT_LEVEL={}", env::var("OPT_LEVEL")?);
    let rustc = Command::new(env::var_os("RUSTC").ok_or("cargo sets RUSTC")?).arg("-V").output()?;
    let version = String::from_utf8_lossy(&rustc.stdout);
    let version = version.split(' ').nth(1).ok_or("`rustc -V` names its version")?.to_owned();
    println!("cargo:rustc-env=TURNWISE_RUSTC={version}");

    let mut files = Vec::new();
    collect(Path::new(ROOT), &mut files)?;
    files.sort();

    let all = protox::compile(&files, [ROOT])?;
    let public = files.iter().filter(|f| f.starts_with(Path::new(ROOT).join(PUBLIC)));
    let public = protox::compile(public, [ROOT])?;

    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("turnwise.bin"), all.encode_to_vec())?;
    fs::write(out.join("public.bin"), public.encode_to_vec())?;

    tonic_prost_build::configure()
        // Equal messages have equal bytes, which fingerprints and log entries rest on.
        .btree_map(".")
        .bytes(".")
        // The modules after the packages, so that a new package needs no line of Rust.
        .include_file("modules.rs")
        .compile_fds(all)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
