//! Bytes to records. Total: bytes that are no record are none, whatever they are.

use integer_encoding::VarInt;

use super::{
    ASSIGNMENT_BITS, Common, Head, Numbered, TARGET_GROUP, TARGET_OWNER, TARGET_REP, VIA_DEFAULT,
    read_via,
};
use crate::routing::{
    Assignment, ContactId, Cursor, Decision, Id, Labels, LogPosition, OptionId, OwnerRef,
    PassedOver, PickedOption, RequestId, RequestKey, RingMove, Skipped, Step, Target, TargetKind,
    TargetTrace, Time,
    record::{AssignmentRecord, RepUid},
    words::Words,
};

/// The record that these bytes are, all of them; `None` if they are of none.
pub(in crate::routing) fn unpack(
    bytes: &[u8],
    words: &Words,
    common: Common,
) -> Option<AssignmentRecord> {
    let mut from = In { bytes, words };
    let [has_rep, has_request, has_first, has_rejected, has_excluded, starts_again] =
        from.bits()?;
    let rep = from.maybe(has_rep, In::rep)?;
    let assignment = from.assignment(common)?.into();
    let request = from.maybe(has_request, |from| {
        let id = RequestId::new(from.text()?);
        Some(RequestKey { id, fingerprint: u128::from_le_bytes(*from.array()?) })
    })?;
    let first = from.maybe(has_first, |from| from.assignment(common))?.map(Into::into);
    let rejected = from.maybe(has_rejected, |from| from.list(In::rep))?.unwrap_or_default();
    let excluded = from.maybe(has_excluded, In::rep)?;
    let record =
        AssignmentRecord { assignment, rep, rejected, excluded, starts_again, request, first };
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

/// Items of a list for which there is room at once.
const LIST_ROOM: usize = 4;

/// What is left of a record's bytes.
struct In<'a> {
    bytes: &'a [u8],
    words: &'a Words,
}

impl<'a> In<'a> {
    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (first, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(first)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| *byte)
    }

    fn numbered<T: Numbered>(&mut self) -> Option<T> {
        T::of(self.byte()?)
    }

    fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let (number, length) = u64::decode_var(self.bytes)?;
        self.bytes = self.bytes.get(length..)?;
        T::try_from(number).ok()
    }

    fn signed(&mut self) -> Option<i64> {
        let number: u64 = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn bits<const N: usize>(&mut self) -> Option<[bool; N]> {
        let mut all: u64 = self.number()?;
        let bits = std::array::from_fn(|_| {
            let bit = all & 1 == 1;
            all >>= 1;
            bit
        });
        (all == 0).then_some(bits)
    }

    fn time(&mut self, from: Time) -> Option<Time> {
        Some(Time(from.0.wrapping_add_signed(self.signed()?)))
    }

    fn text(&mut self) -> Option<&'a str> {
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

    fn id<Kind>(&mut self) -> Option<Id<Kind>> {
        self.word().map(Id::new)
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

    /// Of as many items as can be read, however many are said to be there.
    fn list<T>(&mut self, each: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length: usize = self.number()?;
        let mut list = Vec::with_capacity(length.min(LIST_ROOM));
        for _ in 0..length {
            list.push(each(self)?);
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

    fn via(&mut self) -> Option<(u8, &'a str)> {
        let kind = self.byte()?;
        let text = if kind == VIA_DEFAULT { "" } else { self.word()? };
        Some((kind, text))
    }

    fn assignment(&mut self, Common { id, base }: Common) -> Option<Assignment> {
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
        let contact = ContactId::new(self.text()?);
        let via = read_via(self.via()?)?;
        let state = self.numbered()?;
        let rep = self.maybe(has_rep, In::id)?;

        let cause = self.numbered()?;
        let create_time = self.time(base)?;
        let update_time = if is_updated { self.time(create_time)? } else { create_time };
        let position = if moved {
            self.position(id.log_index)?
        } else {
            LogPosition { log_index: id.log_index, seq: id.seq, term: self.number()? }
        };
        let target_index = self.maybe(has_target, In::number)?;
        let owners = self.maybe(has_owners, |from| from.list(In::owner))?.unwrap_or_default();
        let label = |from: &mut Self| Some((from.word()?.to_owned(), from.text()?.to_owned()));
        let labels = self.maybe(has_labels, |from| from.list(label))?.unwrap_or_default();
        let priority = self.maybe(has_priority, In::signed)?.unwrap_or_default();
        let option = self.maybe(has_option, |from| {
            let (group, option) = (from.id()?, OptionId::new(from.word()?));
            Some(PickedOption { group, option, payload: from.text()?.to_owned() })
        })?;
        let wait_end = self.maybe(has_wait, |from| from.time(create_time))?;
        let offer_end = self.maybe(has_offer, |from| from.time(create_time))?;
        let rejected_by = self.maybe(has_rejected, |from| from.list(In::id))?.unwrap_or_default();
        let time = if is_decided_before { self.time(update_time)? } else { update_time };
        let engine_version = self.number()?;
        let decision = Decision { time, engine_version, targets: self.list(In::trace)? };
        let mut it = Assignment {
            id,
            position,
            create_time,
            update_time,
            contact,
            via,
            owners,
            prefer_last_rep,
            priority: i32::try_from(priority).ok()?,
            labels: Labels::from_iter(labels),
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
            history: Vec::new(),
        };
        it.history = self.list(|from| from.step(&it))?;
        Some(it)
    }

    fn owner(&mut self) -> Option<OwnerRef> {
        let (kind, owner_type) = (self.numbered()?, self.numbered()?);
        let [has_email, has_external_id] = self.bits()?;
        let email = self.maybe(has_email, In::word)?.map(str::to_owned);
        let external_id = self.maybe(has_external_id, |from| {
            Some((from.word()?.to_owned(), from.word()?.to_owned()))
        })?;
        Some(OwnerRef { kind, owner_type, email, external_id })
    }

    fn trace(&mut self) -> Option<TargetTrace> {
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
        ] = self.bits()?;
        let index = self.number()?;
        let kind = match self.byte()? {
            TARGET_OWNER => TargetKind::Owner(self.list(In::numbered)?),
            TARGET_GROUP => TargetKind::Group(self.id()?),
            TARGET_REP => TargetKind::Rep(self.id()?),
            _ => return None,
        };
        let outcome = self.numbered()?;
        let cursor_before = self.maybe(has_before, In::cursor)?;
        let cursor_after = self.maybe(has_after, In::cursor)?;
        let passed =
            |from: &mut Self| Some(PassedOver { rep: from.id()?, reason: from.numbered()? });
        let skipped = self.maybe(has_skipped, |from| {
            let total = from.number()?;
            Some(Skipped { named: from.list(passed)?, total })
        })?;
        let step = |from: &mut Self| {
            Some(RingMove { group: from.id()?, before: from.cursor()?, after: from.cursor()? })
        };
        let inner = self.maybe(has_inner, |from| from.list(step))?.unwrap_or_default();
        let wait_us = self.maybe(has_wait, In::number)?.unwrap_or_default();
        let accept_timeout_us = self.maybe(has_timeout, In::number)?.unwrap_or_default();
        Some(TargetTrace {
            index,
            target: Target {
                kind,
                include_unavailable,
                require_online,
                wait_us,
                accept_timeout_us,
            },
            is_last_rep,
            outcome,
            skipped: skipped.unwrap_or_default(),
            cursor_before,
            cursor_after,
            inner,
        })
    }

    fn step(&mut self, of: &Assignment) -> Option<Step> {
        let [other_time, other_position, other_cause, other_state, other_rep, has_rep] =
            self.bits()?;
        let principal = self.word()?.to_owned();
        let time = if other_time { self.time(of.update_time)? } else { of.update_time };
        let position =
            if other_position { self.position(of.position.log_index)? } else { of.position };
        let cause = if other_cause { self.numbered()? } else { of.cause };
        let state = if other_state { self.numbered()? } else { of.state };
        let rep = if other_rep { self.maybe(has_rep, In::id)? } else { of.rep.clone() };
        Some(Step { time, position, principal, cause, state, rep })
    }
}
