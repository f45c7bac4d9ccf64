//! The state as bytes of a snapshot: the one file that knows bincode.
//!
//! Body = version (u32, little-endian), then the serde image of `routing::State` in bincode's standard
//! configuration. bincode 2.0.1 is unmaintained (RUSTSEC-2025-0141); behind this version number it can
//! be replaced without touching anything else. The bytes arrive checksummed, and are decoded under a
//! limit all the same: without one, ten bad bytes could ask for any amount of memory.

use std::io::{self, Write};

use bincode::config;
use serde::de::DeserializeOwned;

use crate::routing::{ImageV1, ImageV2, State};

/// The version written.
pub const VERSION: u32 = 3;
/// What the numbers and lengths inside the body may claim, in bytes: the first that is no less than
/// [`CLAIM_MAX`] times the body's own length.
const LIMITS: (usize, usize, usize) = (16 << 20, 1 << 30, 1 << 44);
/// What one byte of the body claims at most: bincode counts a number by its width in memory, 16 bytes of a
/// `u128`, and may have written it in one byte.
const CLAIM_MAX: usize = 16;

/// Writes the state.
///
/// # Errors
/// Those of `out`.
pub fn save(state: &State, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&VERSION.to_le_bytes())?;
    let mut out = out;
    bincode::serde::encode_into_std_write(state.image(), &mut out, config::standard())
        .map(|_| ())
        .map_err(io::Error::other)
}

/// Reads what [`save`] wrote, by this or any earlier version. Gives the state, and the hash that it had
/// where it was saved.
///
/// # Errors
/// `InvalidData` where the bytes make no state.
pub fn load(body: &[u8]) -> io::Result<(State, u128)> {
    let (version, image) = body.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
    match u32::from_le_bytes(*version) {
        1 => {
            let image: ImageV1 = decode(image)?;
            let hash = image.hash();
            Ok((State::from_image(image.into()).map_err(invalid)?, hash))
        }
        2 => {
            let image: ImageV2 = decode(image)?;
            let state = State::from_image(image.into()).map_err(invalid)?;
            // The records that it holds have the same form, and so the same hash.
            let hash = state.recomputed_hash();
            Ok((state, hash))
        }
        VERSION => {
            let state = State::from_image(decode(image)?).map_err(invalid)?;
            let hash = state.recomputed_hash();
            Ok((state, hash))
        }
        version => {
            Err(invalid(format!("state image version {version} is not known, only 1 to {VERSION}")))
        }
    }
}

fn decode<T: DeserializeOwned>(image: &[u8]) -> io::Result<T> {
    let (small, medium, large) = LIMITS;
    let claim = image.len().saturating_mul(CLAIM_MAX);
    let decoded = if claim <= small {
        bincode::serde::decode_from_slice(image, config::standard().with_limit::<{ LIMITS.0 }>())
    } else if claim <= medium {
        bincode::serde::decode_from_slice(image, config::standard().with_limit::<{ LIMITS.1 }>())
    } else if claim <= large {
        bincode::serde::decode_from_slice(image, config::standard().with_limit::<{ LIMITS.2 }>())
    } else {
        return Err(invalid(format!("a state image of {} bytes", image.len())));
    };
    let (decoded, len): (T, usize) = decoded.map_err(invalid)?;
    if len != image.len() {
        return Err(invalid(format!("{} bytes follow the state image", image.len() - len)));
    }
    Ok(decoded)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
fn encode(numbers: &[u128]) -> Vec<u8> {
    bincode::serde::encode_to_vec(numbers, config::standard()).expect("numbers have a form")
}

#[cfg(test)]
mod tests;
