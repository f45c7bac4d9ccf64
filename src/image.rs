//! The state as bytes of a snapshot: the one file that knows bincode.
//!
//! Body = version (u32, little-endian), then the serde image of `routing::State` in bincode's standard
//! configuration. bincode 2.0.1 is unmaintained (RUSTSEC-2025-0141); behind this version number it can
//! be replaced without touching anything else. The bytes arrive checksummed, and are decoded under a
//! limit all the same: without one, ten bad bytes could ask for any amount of memory.

use std::{
    io::{self, Write},
    sync::mpsc,
    thread,
};

use bincode::{
    config::{self, Config},
    de::{DecoderImpl, read::SliceReader},
    error::DecodeError,
    serde::BorrowedSerdeDecoder,
};
use serde::de::DeserializeOwned;

use crate::routing::{
    ImageError, ImageV1, ImageV2, ImageV3, ImageV4, Loading, Part, Source, State, in_turn,
};

/// The version written.
pub const VERSION: u32 = 5;
/// What the numbers and lengths inside the body may claim, in bytes: the first that is no less than
/// [`CLAIM_MAX`] times the body's own length.
const LIMITS: (usize, usize, usize) = (16 << 20, 1 << 30, 1 << 44);
/// What one byte of the body claims at most: bincode counts a number by its width in memory, 16 bytes of a
/// `u128`, and may have written it in one byte.
const CLAIM_MAX: usize = 16;
/// Parts of an image that are read and not yet put into the state, at most.
const PARTS_UNDERWAY_MAX: usize = 16;
/// Bytes of an image from which on a second thread is worth its start.
const TWO_THREADS_MIN: usize = 1 << 20;

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
            // The records that it holds have the same form, and so the same hash.
            hashed(State::from_image(image.into()).map_err(invalid)?)
        }
        3 => {
            let image: ImageV3 = decode(image)?;
            hashed(State::from_image(image.into()).map_err(invalid)?)
        }
        4 => {
            let image: ImageV4 = decode(image)?;
            hashed(State::from_image(image.into()).map_err(invalid)?)
        }
        VERSION if image.len() < TWO_THREADS_MIN => hashed(on_one_thread(image)?),
        VERSION => hashed(on_two_threads(image)?),
        version => {
            Err(invalid(format!("state image version {version} is not known, only 1 to {VERSION}")))
        }
    }
}

/// A loaded state's running hash is the sum over the records as they were decoded just now: nothing of it was
/// stored, so it is no less than a hash computed once more.
fn hashed(state: State) -> io::Result<(State, u128)> {
    let hash = state.hash();
    Ok((state, hash))
}

fn on_one_thread(image: &[u8]) -> io::Result<State> {
    let (mut loading, mut taken) = (Loading::new(in_turn), Ok(()));
    read_parts(image, |part| {
        // What can't be read is the first thing to be told, wherever it stands.
        if taken.is_ok() {
            taken = loading.take(part);
        }
    })?;
    taken.map_err(invalid)?;
    Ok(loading.state())
}

/// Reads the image on this thread, and puts what is read into a state on another.
fn on_two_threads(image: &[u8]) -> io::Result<State> {
    let (give, taken) = mpsc::sync_channel::<Part>(PARTS_UNDERWAY_MAX);
    thread::scope(|scope| {
        let state =
            thread::Builder::new().name("load".to_owned()).spawn_scoped(scope, move || {
                let mut loading = Loading::new(together);
                taken.iter().try_for_each(|part| loading.take(part))?;
                Ok(loading.state())
            })?;
        // Where a part is refused, nobody takes the others; it is the other thread that says why.
        let read = read_parts(image, |part| drop(give.send(part)));
        drop(give);
        let state: Result<State, ImageError> = match state.join() {
            Ok(state) => state,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        read?;
        state.map_err(invalid)
    })
}

/// Side by side.
fn together(one: &mut (dyn FnMut() + Send), other: &mut (dyn FnMut() + Send)) {
    thread::scope(|scope| {
        scope.spawn(one);
        other();
    });
}

fn read_parts(image: &[u8], give: impl FnMut(Part)) -> io::Result<()> {
    let (small, medium, large) = LIMITS;
    let claim = image.len().saturating_mul(CLAIM_MAX);
    if claim <= small {
        Values::new(image, config::standard().with_limit::<{ LIMITS.0 }>()).parts(give)
    } else if claim <= medium {
        Values::new(image, config::standard().with_limit::<{ LIMITS.1 }>()).parts(give)
    } else if claim <= large {
        Values::new(image, config::standard().with_limit::<{ LIMITS.2 }>()).parts(give)
    } else {
        Err(invalid(format!("a state image of {} bytes", image.len())))
    }
}

/// The values of an image, one after the other.
struct Values<'a, C: Config> {
    decoder: BorrowedSerdeDecoder<'a, DecoderImpl<SliceReader<'a>, C, ()>>,
}

impl<'a, C: Config> Values<'a, C> {
    fn new(image: &'a [u8], config: C) -> Self {
        Self { decoder: BorrowedSerdeDecoder::from_slice(image, config, ()) }
    }

    fn parts(mut self, give: impl FnMut(Part)) -> io::Result<()> {
        Part::read_all(&mut self, give).map_err(invalid)?;
        match self.next::<u8>() {
            Ok(_) => Err(invalid("something follows the state image")),
            Err(_) => Ok(()),
        }
    }
}

impl<C: Config> Source for Values<'_, C> {
    type Error = DecodeError;

    fn next<T: DeserializeOwned>(&mut self) -> Result<T, DecodeError> {
        T::deserialize(self.decoder.as_deserializer())
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
fn encode(value: impl serde::Serialize) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, config::standard()).expect("it has a form")
}

#[cfg(test)]
mod tests;
