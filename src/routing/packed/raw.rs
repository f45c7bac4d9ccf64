//! Records as they lie in their bytes: read, and nothing of them copied. Total: bytes that are no record are none,
//! whatever they are.
//!
//! What is raw serializes as what it stands for, so that its hash (`digest`) is the record's.

use integer_encoding::VarInt;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};

use super::{
    ASSIGNMENT_BITS, Common, Head, Numbered, TARGET_GROUP, TARGET_OWNER, TARGET_REP, VIA_CAMPAIGN,
    VIA_DEFAULT, VIA_GROUP, VIA_REP, VIA_RULE,
};
use crate::routing::{
    AssignmentId, AssignmentState, Cause, Cursor, LogPosition, OwnerKind, OwnerType, Reason,
    TargetOutcome, Time, Via, digest, record::AssignmentRecord, record::RepUid, words::Words,
};

/// An [`AssignmentRecord`].
#[derive(Serialize)]
pub(in crate::routing) struct RawRecord<'a> {
    pub(in crate::routing) assignment: RawAssignment<'a>,
    pub(in crate::routing) rep: Option<RepUid>,
    pub(in crate::routing) rejected: List<'a, RepUid>,
    pub(super) excluded: Option<RepUid>,
    pub(super) starts_again: bool,
    pub(in crate::routing) request: Option<RawRequest<'a>>,
    pub(super) first: Option<Box<RawAssignment<'a>>>,
}

impl digest::Record for RawRecord<'_> {
    const KIND: u8 = AssignmentRecord::KIND;
}

/// A [`RequestKey`](crate::routing::RequestKey).
#[derive(Serialize)]
pub(in crate::routing) struct RawRequest<'a> {
    pub(in crate::routing) id: &'a str,
    pub(super) fingerprint: u128,
}

/// An [`Assignment`](crate::routing::Assignment).
#[derive(Serialize)]
pub(in crate::routing) struct RawAssignment<'a> {
    pub(in crate::routing) id: AssignmentId,
    pub(super) position: LogPosition,
    pub(super) create_time: Time,
    pub(in crate::routing) update_time: Time,
    pub(in crate::routing) contact: &'a str,
    pub(in crate::routing) via: RawVia<'a>,
    pub(super) owners: List<'a, RawOwner<'a>>,
    pub(super) prefer_last_rep: bool,
    pub(super) priority: i32,
    #[serde(serialize_with = "as_map")]
    pub(super) labels: List<'a, RawLabel<'a>>,
    pub(in crate::routing) state: AssignmentState,
    pub(in crate::routing) rep: Option<&'a str>,
    pub(super) option: Option<RawOption<'a>>,
    pub(super) cause: Cause,
    pub(in crate::routing) target_index: Option<u32>,
    pub(super) owner_changed: bool,
    pub(super) wait_end: Option<Time>,
    pub(in crate::routing) offer_end: Option<Time>,
    pub(in crate::routing) rejected_by: List<'a, &'a str>,
    pub(super) decision: RawDecision<'a>,
    pub(super) history: List<'a, RawStep<'a>>,
}

/// A [`Via`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(in crate::routing) enum RawVia<'a> {
    DefaultRule,
    Campaign(&'a str),
    Rule(&'a str),
    Group(&'a str),
    Rep(&'a str),
}

impl<'a> From<&'a Via> for RawVia<'a> {
    fn from(via: &'a Via) -> Self {
        match via {
            Via::DefaultRule => Self::DefaultRule,
            Via::Campaign(id) => Self::Campaign(id.as_str()),
            Via::Rule(id) => Self::Rule(id.as_str()),
            Via::Group(id) => Self::Group(id.as_str()),
            Via::Rep(id) => Self::Rep(id.as_str()),
        }
    }
}

/// An [`OwnerRef`](crate::routing::OwnerRef).
#[derive(Serialize)]
pub(super) struct RawOwner<'a> {
    pub(super) kind: OwnerKind,
    pub(super) owner_type: OwnerType,
    pub(super) email: Option<&'a str>,
    pub(super) external_id: Option<(&'a str, &'a str)>,
}

/// One of [`Labels`](crate::routing::Labels).
pub(super) type RawLabel<'a> = (&'a str, &'a str);

/// A [`PickedOption`](crate::routing::PickedOption).
#[derive(Serialize)]
pub(super) struct RawOption<'a> {
    pub(super) group: &'a str,
    pub(super) option: &'a str,
    pub(super) payload: &'a str,
}

/// A [`Decision`](crate::routing::Decision).
#[derive(Serialize)]
pub(super) struct RawDecision<'a> {
    pub(super) time: Time,
    pub(super) engine_version: u32,
    pub(super) targets: List<'a, RawTrace<'a>>,
}

/// A [`TargetTrace`](crate::routing::TargetTrace).
#[derive(Serialize)]
pub(super) struct RawTrace<'a> {
    pub(super) index: u32,
    pub(super) target: RawTarget<'a>,
    pub(super) is_last_rep: bool,
    pub(super) outcome: TargetOutcome,
    pub(super) skipped: RawSkipped<'a>,
    pub(super) cursor_before: Option<Cursor>,
    pub(super) cursor_after: Option<Cursor>,
    pub(super) inner: List<'a, RawMove<'a>>,
}

/// A [`Target`](crate::routing::Target).
#[derive(Serialize)]
pub(super) struct RawTarget<'a> {
    pub(super) kind: RawTargetKind<'a>,
    pub(super) include_unavailable: bool,
    pub(super) require_online: bool,
    pub(super) wait_us: u64,
    pub(super) accept_timeout_us: u64,
}

/// A [`TargetKind`](crate::routing::TargetKind).
#[derive(Serialize)]
pub(super) enum RawTargetKind<'a> {
    Owner(List<'a, OwnerKind>),
    Group(&'a str),
    Rep(&'a str),
}

/// A [`Skipped`](crate::routing::Skipped).
#[derive(Serialize)]
pub(super) struct RawSkipped<'a> {
    pub(super) named: List<'a, RawPassedOver<'a>>,
    pub(super) total: u64,
}

/// A [`PassedOver`](crate::routing::PassedOver).
#[derive(Serialize)]
pub(super) struct RawPassedOver<'a> {
    pub(super) rep: &'a str,
    pub(super) reason: Reason,
}

/// A [`RingMove`](crate::routing::RingMove).
#[derive(Serialize)]
pub(super) struct RawMove<'a> {
    pub(super) group: &'a str,
    pub(super) before: Cursor,
    pub(super) after: Cursor,
}

/// A [`Step`](crate::routing::Step).
#[derive(Clone, Copy, Serialize)]
pub(super) struct RawStep<'a> {
    pub(super) time: Time,
    pub(super) position: LogPosition,
    pub(super) principal: &'a str,
    pub(super) cause: Cause,
    pub(super) state: AssignmentState,
    pub(super) rep: Option<&'a str>,
}

/// What can be an item of a list.
pub(in crate::routing) trait Item<'a>: Sized {
    /// What is known from elsewhere.
    type Of: Copy;

    fn read(from: &mut In<'a>, of: Self::Of) -> Option<Self>;
}

/// A list that was read once, to its end; its items are read again when they are asked for.
pub(in crate::routing) struct List<'a, T: Item<'a>> {
    len: usize,
    from: In<'a>,
    of: T::Of,
}

impl<'a, T: Item<'a>> List<'a, T> {
    pub(in crate::routing) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = T> {
        let Self { len, mut from, of } = *self;
        (0..len).map_while(move |_| T::read(&mut from, of))
    }

    /// As owned values.
    pub(super) fn all<U, C: FromIterator<U>>(&self, owned: impl FnMut(T) -> U) -> C {
        self.iter().map(owned).collect()
    }
}

impl<'a, T: Item<'a> + Serialize> Serialize for List<'a, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len))?;
        self.iter().try_for_each(|item| list.serialize_element(&item))?;
        list.end()
    }
}

fn as_map<'a, S: Serializer>(
    labels: &List<'a, RawLabel<'a>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(labels.len))?;
    labels.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
    map.end()
}

/// What is left of a record's bytes.
#[derive(Clone, Copy)]
pub(in crate::routing) struct In<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) words: &'a Words,
}

/// The record that these bytes are, all of them; `None` if they are of none.
pub(in crate::routing) fn raw<'a>(
    bytes: &'a [u8],
    words: &'a Words,
    common: Common,
) -> Option<RawRecord<'a>> {
    let mut from = In { bytes, words };
    let [has_rep, has_request, has_first, has_rejected, has_excluded, starts_again] =
        from.bits()?;
    let rep = from.maybe(has_rep, In::rep)?;
    let assignment = from.assignment(common)?;
    let request = from.maybe(has_request, |from| {
        let id = from.text()?;
        Some(RawRequest { id, fingerprint: u128::from_le_bytes(*from.array()?) })
    })?;
    let first = from.maybe(has_first, |from| from.assignment(common).map(Box::new))?;
    let rejected = from.list(has_rejected, ())?;
    let excluded = from.maybe(has_excluded, In::rep)?;
    let record = RawRecord { assignment, rep, rejected, excluded, starts_again, request, first };
    from.bytes.is_empty().then_some(record)
}

/// What a record's bytes begin with.
pub(in crate::routing) fn head<'a>(bytes: &'a [u8], words: &'a Words) -> Option<Head<'a>> {
    let mut from = In { bytes, words };
    let [has_rep, ..] = from.bits::<6>()?;
    let holder = from.maybe(has_rep, In::rep)?;
    let [has_rep, ..] = from.bits::<ASSIGNMENT_BITS>()?;
    let (contact, via, state) = (from.text()?, from.via()?, from.numbered()?);
    let rep = from.maybe(has_rep, In::word)?;
    Some(Head { holder, state, contact, via, rep })
}

impl<'a> In<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (first, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(first)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| *byte)
    }

    fn numbered<T: Numbered>(&mut self) -> Option<T> {
        T::of(self.byte()?)
    }

    pub(super) fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let (number, length) = u64::decode_var(self.bytes)?;
        self.bytes = self.bytes.get(length..)?;
        T::try_from(number).ok()
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number: u64 = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn bits<const N: usize>(&mut self) -> Option<[bool; N]> {
        let mut all: u64 = self.number()?;
        let bits = std::array::from_fn(|_| {
            let bit = all & 1 == 1;
            all >>= 1;
            bit
        });
        (all == 0).then_some(bits)
    }

    pub(super) fn time(&mut self, from: Time) -> Option<Time> {
        Some(Time(from.0.wrapping_add_signed(self.signed()?)))
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        let (text, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        std::str::from_utf8(text).ok()
    }

    fn word(&mut self) -> Option<&'a str> {
        match self.number()? {
            0_usize => self.text(),
            number => self.words.get(number),
        }
    }

    fn rep(&mut self) -> Option<RepUid> {
        self.number().map(RepUid)
    }

    /// What is there only if a bit says so.
    fn maybe<T>(
        &mut self,
        is_there: bool,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        if is_there { read(self).map(Some) } else { Some(None) }
    }

    /// A list whose items can all be read, however many are said to be there; an empty one if a bit says so.
    pub(super) fn list<T: Item<'a>>(&mut self, is_there: bool, of: T::Of) -> Option<List<'a, T>> {
        let len = if is_there { self.number()? } else { 0 };
        let list = List { len, from: *self, of };
        for _ in 0..len {
            T::read(self, of)?;
        }
        Some(list)
    }

    fn cursor(&mut self) -> Option<Cursor> {
        Some(Cursor { round: self.number()?, key: self.number()? })
    }

    fn position(&mut self, from: u64) -> Option<LogPosition> {
        let log_index = from.wrapping_add_signed(self.signed()?);
        Some(LogPosition { log_index, seq: self.number()?, term: self.number()? })
    }

    fn via(&mut self) -> Option<RawVia<'a>> {
        Some(match self.byte()? {
            VIA_DEFAULT => RawVia::DefaultRule,
            VIA_CAMPAIGN => RawVia::Campaign(self.word()?),
            VIA_RULE => RawVia::Rule(self.word()?),
            VIA_GROUP => RawVia::Group(self.word()?),
            VIA_REP => RawVia::Rep(self.word()?),
            _ => return None,
        })
    }

    pub(super) fn assignment(&mut self, Common { id, base }: Common) -> Option<RawAssignment<'a>> {
        let [
            has_rep,
            has_target,
            moved,
            is_updated,
            has_owners,
            owner_changed,
            has_labels,
            prefer_last_rep,
            has_priority,
            has_option,
            has_wait,
            has_offer,
            has_rejected,
            is_decided_before,
        ] = self.bits::<ASSIGNMENT_BITS>()?;
        let (contact, via, state) = (self.text()?, self.via()?, self.numbered()?);
        let rep = self.maybe(has_rep, In::word)?;

        let cause = self.numbered()?;
        let create_time = self.time(base)?;
        let update_time = if is_updated { self.time(create_time)? } else { create_time };
        let position = if moved {
            self.position(id.log_index)?
        } else {
            LogPosition { log_index: id.log_index, seq: id.seq, term: self.number()? }
        };
        let target_index = self.maybe(has_target, In::number)?;
        let owners = self.list(has_owners, ())?;
        let labels: List<'_, RawLabel<'_>> = self.list(has_labels, ())?;
        let priority = self.maybe(has_priority, In::signed)?.unwrap_or_default();
        let option = self.maybe(has_option, |from| {
            let (group, option) = (from.word()?, from.word()?);
            Some(RawOption { group, option, payload: from.text()? })
        })?;
        let wait_end = self.maybe(has_wait, |from| from.time(create_time))?;
        let offer_end = self.maybe(has_offer, |from| from.time(create_time))?;
        let rejected_by = self.list(has_rejected, ())?;
        let time = if is_decided_before { self.time(update_time)? } else { update_time };
        let engine_version = self.number()?;
        let decision = RawDecision { time, engine_version, targets: self.list(true, ())? };
        let newest = RawStep { time: update_time, position, principal: "", cause, state, rep };
        let history = self.list(true, newest)?;
        // As a map has them.
        labels.iter().is_sorted_by(|(one, _), (next, _)| one < next).then_some(RawAssignment {
            id,
            position,
            create_time,
            update_time,
            contact,
            via,
            owners,
            prefer_last_rep,
            priority: i32::try_from(priority).ok()?,
            labels,
            state,
            rep,
            option,
            cause,
            target_index,
            owner_changed,
            wait_end,
            offer_end,
            rejected_by,
            decision,
            history,
        })
    }
}

impl Item<'_> for RepUid {
    type Of = ();
    fn read(from: &mut In<'_>, (): ()) -> Option<Self> {
        from.rep()
    }
}
impl Item<'_> for OwnerKind {
    type Of = ();
    fn read(from: &mut In<'_>, (): ()) -> Option<Self> {
        from.numbered()
    }
}
impl<'a> Item<'a> for &'a str {
    type Of = ();
    fn read(from: &mut In<'a>, (): ()) -> Option<Self> {
        from.word()
    }
}
impl<'a> Item<'a> for RawLabel<'a> {
    type Of = ();
    fn read(from: &mut In<'a>, (): ()) -> Option<Self> {
        Some((from.word()?, from.text()?))
    }
}

impl<'a> Item<'a> for RawOwner<'a> {
    type Of = ();
    fn read(from: &mut In<'a>, (): ()) -> Option<Self> {
        let (kind, owner_type) = (from.numbered()?, from.numbered()?);
        let [has_email, has_external_id] = from.bits()?;
        let email = from.maybe(has_email, In::word)?;
        let external_id = from.maybe(has_external_id, |from| Some((from.word()?, from.word()?)))?;
        Some(Self { kind, owner_type, email, external_id })
    }
}

impl<'a> Item<'a> for RawTrace<'a> {
    type Of = ();
    fn read(from: &mut In<'a>, (): ()) -> Option<Self> {
        let [
            has_before,
            has_after,
            has_skipped,
            has_inner,
            has_wait,
            has_timeout,
            is_last_rep,
            include_unavailable,
            require_online,
        ] = from.bits()?;
        let index = from.number()?;
        let kind = match from.byte()? {
            TARGET_OWNER => RawTargetKind::Owner(from.list(true, ())?),
            TARGET_GROUP => RawTargetKind::Group(from.word()?),
            TARGET_REP => RawTargetKind::Rep(from.word()?),
            _ => return None,
        };
        let outcome = from.numbered()?;
        let cursor_before = from.maybe(has_before, In::cursor)?;
        let cursor_after = from.maybe(has_after, In::cursor)?;
        let total = from.maybe(has_skipped, In::number)?.unwrap_or_default();
        let skipped = RawSkipped { named: from.list(has_skipped, ())?, total };
        let inner = from.list(has_inner, ())?;
        let wait_us = from.maybe(has_wait, In::number)?.unwrap_or_default();
        let accept_timeout_us = from.maybe(has_timeout, In::number)?.unwrap_or_default();
        let target =
            RawTarget { kind, include_unavailable, require_online, wait_us, accept_timeout_us };
        Some(Self {
            index,
            target,
            is_last_rep,
            outcome,
            skipped,
            cursor_before,
            cursor_after,
            inner,
        })
    }
}

impl<'a> Item<'a> for RawPassedOver<'a> {
    type Of = ();
    fn read(from: &mut In<'a>, (): ()) -> Option<Self> {
        Some(Self { rep: from.word()?, reason: from.numbered()? })
    }
}

impl<'a> Item<'a> for RawMove<'a> {
    type Of = ();
    fn read(from: &mut In<'a>, (): ()) -> Option<Self> {
        Some(Self { group: from.word()?, before: from.cursor()?, after: from.cursor()? })
    }
}

impl<'a> Item<'a> for RawStep<'a> {
    /// How the assignment is now: as after its newest step, most of the time.
    type Of = Self;
    fn read(from: &mut In<'a>, now: Self) -> Option<Self> {
        let [other_time, other_position, other_cause, other_state, other_rep, has_rep] =
            from.bits()?;
        let principal = from.word()?;
        let time = if other_time { from.time(now.time)? } else { now.time };
        let position =
            if other_position { from.position(now.position.log_index)? } else { now.position };
        let cause = if other_cause { from.numbered()? } else { now.cause };
        let state = if other_state { from.numbered()? } else { now.state };
        let rep = if other_rep { from.maybe(has_rep, In::word)? } else { now.rep };
        Some(Self { time, position, principal, cause, state, rep })
    }
}
