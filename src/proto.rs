//! The generated code, in modules named after the packages: `proto::turnwise::v1` is the public API.
//!
//! Nothing is written by hand here. The files are in `proto/`, `build.rs` compiles them.

#![allow(clippy::all, missing_docs, unreachable_pub, reason = "generated")]
#![allow(clippy::as_conversions, clippy::wildcard_enum_match_arm, reason = "generated")]
#![allow(clippy::missing_errors_doc, clippy::large_futures, reason = "generated")]
#![allow(clippy::allow_attributes_without_reason, clippy::indexing_slicing, reason = "generated")]
#![allow(rustdoc::all, reason = "comments of .proto files are not written for rustdoc")]

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

/// Every file under `proto/`, as an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/turnwise.bin"));

/// The public packages only: what reflection shows.
pub const PUBLIC_FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/public.bin"));
