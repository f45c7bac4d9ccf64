//! The state hash: the sum modulo 2^128 of a hash of each record, kept up as records change.
//!
//! Owns what bytes a record stands for; it depends on nothing that differs between machines or
//! compilers. Integers are little-endian, strings and lists carry their length, variants and options
//! their number, and each record its kind and team. A record's fields come from its `Serialize`, so
//! none can be forgotten. A sum does not depend on order, so it needs no walk over the state.

use serde::{Serialize, ser};
use xxhash_rust::xxh3::xxh3_128;

use super::TeamId;

/// Something the state holds that is not derived from anything else.
pub(super) trait Record: Serialize {
    /// Tells records of different kinds with equal fields apart. Never changed, never used again.
    const KIND: u8;
}

/// The sum of the hashes of the records of one team.
#[derive(Debug)]
pub(super) struct Sum {
    team: TeamId,
    total: u128,
    /// Room for the bytes of one record, for the next one. What is in it means nothing.
    room: Vec<u8>,
}

// Written out because the room is neither copied nor compared.
impl Clone for Sum {
    fn clone(&self) -> Self {
        Self { team: self.team.clone(), total: self.total, room: Vec::new() }
    }
}
impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        (&self.team, self.total) == (&other.team, other.total)
    }
}
impl Eq for Sum {}

impl Sum {
    pub(super) fn new(team: TeamId) -> Self {
        Self { team, total: 0, room: Vec::new() }
    }

    pub(super) fn total(&self) -> u128 {
        self.total
    }

    pub(super) fn add<R: Record>(&mut self, record: &R) {
        self.count(record);
    }

    /// Adds a record; gives what it counts for.
    pub(super) fn count<R: Record>(&mut self, record: &R) -> u128 {
        let hash = self.hash(record);
        self.total = self.total.wrapping_add(hash);
        hash
    }

    pub(super) fn remove<R: Record>(&mut self, record: &R) {
        let hash = self.hash(record);
        self.subtract(hash);
    }

    /// Removes a record, by what [`Self::count`] gave for it.
    pub(super) fn subtract(&mut self, hash: u128) {
        self.total = self.total.wrapping_sub(hash);
    }

    /// Takes in what another sum of this team has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        self.total = self.total.wrapping_add(other.total);
    }

    fn hash<R: Record>(&mut self, record: &R) -> u128 {
        let mut digest = Digest { room: std::mem::take(&mut self.room), len: 0 };
        let hash = digest.hash(&self.team, record);
        if digest.room.len() <= ROOM_KEPT {
            self.room = digest.room;
        }
        hash
    }

    /// Puts `new` in the place of `old`.
    pub(super) fn replace<R: Record>(&mut self, old: Option<&R>, new: &R) {
        if let Some(old) = old {
            self.remove(old);
        }
        self.add(new);
    }
}

/// The hash of one record of a team; `""` is no team's id and stands for the cluster.
pub(super) fn hash<R: Record>(team: &TeamId, record: &R) -> u128 {
    Digest { room: Vec::new(), len: 0 }.hash(team, record)
}

/// The most room for one record's bytes that is kept for the next one.
const ROOM_KEPT: usize = 64 << 10;
/// The least room that is made.
const ROOM_MIN: usize = 1 << 10;

/// Bytes of a length.
const LENGTH: usize = size_of::<u64>();

fn wide(length: usize) -> u64 {
    u64::try_from(length).expect("nothing is longer than a number of 64 bits says")
}

/// The bytes that a record stands for.
struct Digest {
    /// As long as there is room; what is not written to yet means nothing.
    room: Vec<u8>,
    len: usize,
}

/// A record holds something without one defined form, such as a float.
#[derive(Debug, thiserror::Error)]
#[error("no defined form in a digest: {0}")]
struct Undefined(Box<str>);

impl ser::Error for Undefined {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string().into())
    }
}

impl Digest {
    /// Of a record, into empty room.
    fn hash<R: Record>(&mut self, team: &TeamId, record: &R) -> u128 {
        self.put([R::KIND]);
        team.serialize(&mut *self).and_then(|()| record.serialize(&mut *self)).expect(
            "records hold only what a digest takes: integers, strings, lists, maps, variants",
        );
        xxh3_128(self.bytes())
    }

    #[inline]
    fn length(&mut self, length: Option<usize>) -> Result<(), Undefined> {
        let length = length.ok_or_else(|| Undefined("list of unknown length".into()))?;
        self.put(wide(length).to_le_bytes());
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }

    /// A few bytes. Most of a record are such, so this is most of the time that a hash takes.
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let end = self.len + N;
        if self.room.len() < end {
            self.grow(end);
        }
        if let Some(room) = self.room.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut) {
            *room = bytes;
            self.len = end;
        }
    }

    /// Any number of bytes, with their number before them.
    #[inline]
    fn put_all(&mut self, bytes: &[u8]) {
        let end = self.len + LENGTH + bytes.len();
        if self.room.len() < end {
            self.grow(end);
        }
        let room = self.room.get_mut(self.len..end).and_then(<[u8]>::split_first_chunk_mut);
        if let Some((length, room)) = room {
            *length = wide(bytes.len()).to_le_bytes();
            room.copy_from_slice(bytes);
            self.len = end;
        }
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.room.resize(len.next_power_of_two().max(ROOM_MIN), 0);
    }
}

impl ser::Serializer for &mut Digest {
    type Ok = ();
    type Error = Undefined;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    #[inline]
    fn serialize_bool(self, v: bool) -> Result<(), Undefined> {
        self.serialize_u8(u8::from(v))
    }
    fn serialize_i8(self, v: i8) -> Result<(), Undefined> {
        self.put(v.to_le_bytes());
        Ok(())
    }
    fn serialize_i16(self, v: i16) -> Result<(), Undefined> {
        self.put(v.to_le_bytes());
        Ok(())
    }
    #[inline]
    fn serialize_i32(self, v: i32) -> Result<(), Undefined> {
        self.put(v.to_le_bytes());
        Ok(())
    }
    #[inline]
    fn serialize_i64(self, v: i64) -> Result<(), Undefined> {
        self.put(v.to_le_bytes());
        Ok(())
    }
    #[inline]
    fn serialize_u8(self, v: u8) -> Result<(), Undefined> {
        self.put([v]);
        Ok(())
    }
    #[inline]
    fn serialize_u16(self, v: u16) -> Result<(), Undefined> {
        self.put(v.to_le_bytes());
        Ok(())
    }
    #[inline]
    fn serialize_u32(self, v: u32) -> Result<(), Undefined> {
        self.put(v.to_le_bytes());
        Ok(())
    }
    #[inline]
    fn serialize_u64(self, v: u64) -> Result<(), Undefined> {
        self.put(v.to_le_bytes());
        Ok(())
    }
    #[inline]
    fn serialize_u128(self, v: u128) -> Result<(), Undefined> {
        self.put(v.to_le_bytes());
        Ok(())
    }
    fn serialize_f32(self, _: f32) -> Result<(), Undefined> {
        Err(Undefined("f32".into()))
    }
    fn serialize_f64(self, _: f64) -> Result<(), Undefined> {
        Err(Undefined("f64".into()))
    }
    fn serialize_char(self, v: char) -> Result<(), Undefined> {
        self.serialize_u32(u32::from(v))
    }
    #[inline]
    fn serialize_str(self, v: &str) -> Result<(), Undefined> {
        self.serialize_bytes(v.as_bytes())
    }
    #[inline]
    fn serialize_bytes(self, v: &[u8]) -> Result<(), Undefined> {
        self.put_all(v);
        Ok(())
    }
    #[inline]
    fn serialize_none(self) -> Result<(), Undefined> {
        self.serialize_u8(0)
    }
    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Undefined> {
        self.put([1]);
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), Undefined> {
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Undefined> {
        Ok(())
    }
    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), Undefined> {
        self.put(index.to_le_bytes());
        Ok(())
    }
    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Undefined> {
        value.serialize(self)
    }
    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Undefined> {
        self.put(index.to_le_bytes());
        value.serialize(self)
    }
    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Self, Undefined> {
        self.length(length)?;
        Ok(self)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self, Undefined> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Undefined> {
        Ok(self)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Undefined> {
        self.put(index.to_le_bytes());
        Ok(self)
    }
    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Self, Undefined> {
        self.length(length)?;
        Ok(self)
    }
    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Undefined> {
        Ok(self)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Undefined> {
        self.put(index.to_le_bytes());
        Ok(self)
    }
    fn is_human_readable(&self) -> bool {
        false
    }
}

// One part after the other: the shape is known from the type, and lists gave their length before.
impl ser::SerializeSeq for &mut Digest {
    type Ok = ();
    type Error = Undefined;
    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Undefined> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Undefined> {
        Ok(())
    }
}
impl ser::SerializeTuple for &mut Digest {
    type Ok = ();
    type Error = Undefined;
    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Undefined> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Undefined> {
        Ok(())
    }
}
impl ser::SerializeTupleStruct for &mut Digest {
    type Ok = ();
    type Error = Undefined;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Undefined> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Undefined> {
        Ok(())
    }
}
impl ser::SerializeTupleVariant for &mut Digest {
    type Ok = ();
    type Error = Undefined;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Undefined> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Undefined> {
        Ok(())
    }
}
impl ser::SerializeStruct for &mut Digest {
    type Ok = ();
    type Error = Undefined;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Undefined> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Undefined> {
        Ok(())
    }
}
impl ser::SerializeStructVariant for &mut Digest {
    type Ok = ();
    type Error = Undefined;
    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Undefined> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Undefined> {
        Ok(())
    }
}
impl ser::SerializeMap for &mut Digest {
    type Ok = ();
    type Error = Undefined;
    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Undefined> {
        key.serialize(&mut **self)
    }
    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Undefined> {
        value.serialize(&mut **self)
    }
    #[inline]
    fn end(self) -> Result<(), Undefined> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::{Digest, Record, Sum, hash};
    use crate::routing::TeamId;

    fn bytes(value: &impl Serialize) -> Vec<u8> {
        let mut digest = Digest { room: Vec::new(), len: 0 };
        value.serialize(&mut digest).unwrap();
        digest.bytes().to_vec()
    }

    #[derive(Serialize)]
    struct Pair(String, String);
    impl Record for Pair {
        const KIND: u8 = 200;
    }
    #[derive(Serialize)]
    struct Other(String, String);
    impl Record for Other {
        const KIND: u8 = 201;
    }

    #[test]
    fn the_form_is_fixed_little_endian_and_length_prefixed() {
        assert_eq!(bytes(&0x0102_0304_u32), [4, 3, 2, 1]);
        assert_eq!(bytes(&"ab"), [2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b']);
        assert_eq!(bytes(&Some(7_u8)), [1, 7]);
        assert_eq!(bytes(&None::<u8>), [0]);
        assert_eq!(bytes(&vec![1_u8, 2]), [2, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        let result: Result<u8, u8> = Err(9);
        assert_eq!(bytes(&result), [1, 0, 0, 0, 9]);
    }

    #[test]
    fn text_can_not_move_between_fields_kinds_or_teams() {
        let (t, u) = (TeamId::new("t"), TeamId::new("u"));
        let of = |a: &str, b: &str| Pair(a.to_owned(), b.to_owned());
        let hashes = [
            hash(&t, &of("ab", "c")),
            hash(&t, &of("a", "bc")),
            hash(&t, &Other("a".to_owned(), "bc".to_owned())),
            hash(&u, &of("a", "bc")),
        ];
        for (i, a) in hashes.iter().enumerate() {
            assert!(hashes.iter().skip(i + 1).all(|b| a != b), "{i}");
        }
    }

    #[test]
    fn a_sum_does_not_depend_on_the_order_and_forgets_what_is_removed() {
        let of = |a: &str| Pair(a.to_owned(), String::new());
        let (mut one, mut two) = (Sum::new(TeamId::new("t")), Sum::new(TeamId::new("t")));
        one.add(&of("a"));
        one.add(&of("b"));
        two.add(&of("b"));
        two.add(&of("x"));
        two.add(&of("a"));
        assert_ne!(one, two);
        two.remove(&of("x"));
        assert_eq!(one, two);
    }
}
