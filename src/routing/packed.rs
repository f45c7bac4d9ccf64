//! The record of an assignment as few bytes: as a million of them are kept, and as a snapshot holds them.
//!
//! Owns the form, which outlives a version: a change of it is a new version of the image (`image`). Numbers are
//! LEB128, signed ones zigzag; what is as usual takes a bit. An instant is told by its distance from another
//! one, and a text that many records have is a [`Words`] of their page.

use integer_encoding::VarInt;

use super::{
    Assignment, AssignmentId, AssignmentState, CampaignId, Cause, ContactId, Cursor, Decision,
    GroupId, Id, Labels, LogPosition, OptionId, OwnerKind, OwnerRef, OwnerType, PassedOver,
    PickedOption, Reason, RepId, RequestId, RequestKey, RingMove, RuleId, Skipped, Step, Target,
    TargetKind, TargetOutcome, TargetTrace, Time, Via,
    record::{AssignmentRecord, RepUid},
    words::Words,
};

/// What records of a page have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common {
    /// The record's own id, which its bytes don't have.
    pub(super) id: AssignmentId,
    /// When some assignment of the page was made.
    pub(super) base: Time,
}

/// Puts a record at the end of these bytes.
pub(super) fn pack(
    record: &AssignmentRecord,
    base: Time,
    words: &mut Words,
    bytes: &mut Vec<u8>,
) {
    let AssignmentRecord { assignment, rep, rejected, excluded, starts_again, request, first } =
        record;
    let mut out = Out { bytes, words };
    let has = [
        rep.is_some(),
        request.is_some(),
        first.is_some(),
        !rejected.is_empty(),
        excluded.is_some(),
        *starts_again,
    ];
    out.bits(has);
    rep.iter().for_each(|rep| out.number(rep.0));
    out.assignment(assignment, Common { id: assignment.id, base });
    if let Some(RequestKey { id, fingerprint }) = request {
        out.text(id.as_str());
        out.bytes.extend_from_slice(&fingerprint.to_le_bytes());
    }
    if let Some(first) = first {
        out.assignment(first, Common { id: assignment.id, base });
    }
    if !rejected.is_empty() {
        out.list(rejected, |out, rep| out.number(rep.0));
    }
    excluded.iter().for_each(|rep| out.number(rep.0));
}

/// The record that these bytes are, all of them; `None` if they are of none.
pub(super) fn unpack(bytes: &[u8], words: &Words, common: Common) -> Option<AssignmentRecord> {
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

/// What is looked at most of a record, without the rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    /// Of [`AssignmentRecord::rep`].
    pub(super) holder: Option<RepUid>,
    pub(super) state: AssignmentState,
    contact: &'a str,
    via: (u8, &'a str),
    rep: Option<&'a str>,
}

impl Head<'_> {
    pub(super) fn is_of(&self, contact: &ContactId) -> bool {
        self.contact == contact.as_str()
    }

    pub(super) fn is_via(&self, via: &Via) -> bool {
        self.via == written(via)
    }

    pub(super) fn is_in(&self, campaign: &CampaignId) -> bool {
        self.via == (VIA_CAMPAIGN, campaign.as_str())
    }

    pub(super) fn has(&self, rep: &RepId) -> bool {
        self.rep == Some(rep.as_str())
    }
}

/// What a record's bytes begin with.
pub(super) fn head<'a>(bytes: &'a [u8], words: &'a Words) -> Option<Head<'a>> {
    let mut from = In { bytes, words };
    let [has_rep, ..] = from.bits::<6>()?;
    let holder = from.maybe(has_rep, In::rep)?;
    let [has_rep, ..] = from.bits::<ASSIGNMENT_BITS>()?;
    let (contact, via, state) = (from.text()?, from.via()?, from.numbered()?);
    let rep = from.maybe(has_rep, In::word)?;
    Some(Head { holder, state, contact, via, rep })
}

const ASSIGNMENT_BITS: usize = 14;
const VIA_DEFAULT: u8 = 0;
const VIA_CAMPAIGN: u8 = 1;
const VIA_RULE: u8 = 2;
const VIA_GROUP: u8 = 3;
const VIA_REP: u8 = 4;

fn written(via: &Via) -> (u8, &str) {
    match via {
        Via::DefaultRule => (VIA_DEFAULT, ""),
        Via::Campaign(id) => (VIA_CAMPAIGN, id.as_str()),
        Via::Rule(id) => (VIA_RULE, id.as_str()),
        Via::Group(id) => (VIA_GROUP, id.as_str()),
        Via::Rep(id) => (VIA_REP, id.as_str()),
    }
}

fn read_via((kind, text): (u8, &str)) -> Option<Via> {
    Some(match kind {
        VIA_DEFAULT => Via::DefaultRule,
        VIA_CAMPAIGN => Via::Campaign(CampaignId::new(text)),
        VIA_RULE => Via::Rule(RuleId::new(text)),
        VIA_GROUP => Via::Group(GroupId::new(text)),
        VIA_REP => Via::Rep(RepId::new(text)),
        _ => return None,
    })
}

/// What has one form out of a few.
trait Numbered: Copy {
    fn number(self) -> u8;
    fn of(number: u8) -> Option<Self>;
}

/// Numbers of forms. They are never changed and never used again.
macro_rules! numbered {
    ($kind:ident: $($form:ident = $number:literal),+ $(,)?) => {
        impl Numbered for $kind {
            fn number(self) -> u8 {
                match self { $(Self::$form => $number),+ }
            }
            fn of(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$form),)+ _ => None }
            }
        }
    };
}

numbered!(AssignmentState:
    Pending = 0, Offered = 1, Assigned = 2, Unassigned = 3, Closed = 4, Cancelled = 5);
numbered!(Cause:
    Owner = 0, Rotation = 1, Rep = 2, LastRep = 3, Option = 4, Waiting = 5, NoTarget = 6,
    Manual = 7, Claim = 8, Reassign = 9, Accept = 10, Unassign = 11, Close = 12, Cancel = 13,
    Reject = 14, OfferTimeout = 15, CampaignCancelled = 16);
numbered!(TargetOutcome:
    Picked = 0, NoOwner = 1, OwnerIsQueue = 2, OwnerNotARep = 3, NoEligible = 4, Waiting = 5);
numbered!(Reason:
    Disabled = 0, OutOfOffice = 1, OffHours = 2, NotOnline = 3, AtCapacity = 4, PeriodCap = 5,
    RejectedBefore = 6, Excluded = 7, Credit = 8);
numbered!(OwnerKind: Contact = 0, Lead = 1, Account = 2, Opportunity = 3);
numbered!(OwnerType: User = 0, Queue = 1);

/// Bytes of a number at most.
const NUMBER_MAX: usize = 10;

/// Where a record is put.
struct Out<'a> {
    bytes: &'a mut Vec<u8>,
    words: &'a mut Words,
}

impl Out<'_> {
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn numbered(&mut self, form: impl Numbered) {
        self.byte(form.number());
    }

    fn number(&mut self, number: impl Into<u64>) {
        let mut room = [0; NUMBER_MAX];
        let length = number.into().encode_var(&mut room);
        self.bytes.extend(room.iter().take(length));
    }

    fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    fn bits<const N: usize>(&mut self, bits: [bool; N]) {
        let all = bits.iter().rev().fold(0_u64, |all, bit| (all << 1) | u64::from(*bit));
        self.number(all);
    }

    fn time(&mut self, time: Time, from: Time) {
        self.signed(time.0.wrapping_sub(from.0).cast_signed());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn length(&mut self, length: usize) {
        self.number(u64::try_from(length).expect("a length is of 64 bits at most"));
    }

    /// A text that other records are likely to have too.
    fn word(&mut self, text: &str) {
        match self.words.number(text) {
            Some(number) => self.number(number),
            None => {
                self.byte(0);
                self.text(text);
            }
        }
    }

    fn id<Kind>(&mut self, id: &Id<Kind>) {
        self.word(id.as_str());
    }

    fn list<T>(&mut self, list: &[T], each: impl Fn(&mut Self, &T)) {
        self.length(list.len());
        list.iter().for_each(|item| each(self, item));
    }

    fn cursor(&mut self, Cursor { round, key }: &Cursor) {
        self.number(*round);
        self.number(*key);
    }

    fn position(&mut self, position: LogPosition, from: u64) {
        let LogPosition { log_index, seq, term } = position;
        self.signed(log_index.wrapping_sub(from).cast_signed());
        self.number(seq);
        self.number(term);
    }

    fn assignment(&mut self, it: &Assignment, common: Common) {
        let Assignment {
            id: _,
            position,
            create_time,
            update_time,
            contact,
            via,
            owners,
            prefer_last_rep,
            priority,
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
        } = it;
        let Common { id, base } = common;
        let moved = id != AssignmentId { item: id.item, ..AssignmentId::made_at(*position, 0) };
        // The first seven are in the first byte.
        let bits: [bool; ASSIGNMENT_BITS] = [
            rep.is_some(),
            target_index.is_some(),
            moved,
            update_time != create_time,
            !owners.is_empty(),
            *owner_changed,
            !labels.is_empty(),
            *prefer_last_rep,
            *priority != 0,
            option.is_some(),
            wait_end.is_some(),
            offer_end.is_some(),
            !rejected_by.is_empty(),
            decision.time != *update_time,
        ];
        self.bits(bits);
        // `head` reads so far.
        self.text(contact.as_str());
        let (kind, text) = written(via);
        self.byte(kind);
        if kind != VIA_DEFAULT {
            self.word(text);
        }
        self.numbered(*state);
        rep.iter().for_each(|rep| self.id(rep));

        self.numbered(*cause);
        self.time(*create_time, base);
        if update_time != create_time {
            self.time(*update_time, *create_time);
        }
        if moved {
            self.position(*position, id.log_index);
        } else {
            self.number(position.term);
        }
        target_index.iter().for_each(|index| self.number(*index));
        if !owners.is_empty() {
            self.list(owners, Self::owner);
        }
        if !labels.is_empty() {
            self.length(labels.len());
            for (key, value) in labels {
                self.word(key);
                self.text(value);
            }
        }
        if *priority != 0 {
            self.signed((*priority).into());
        }
        if let Some(PickedOption { group, option, payload }) = option {
            self.id(group);
            self.id(option);
            self.text(payload);
        }
        wait_end.iter().for_each(|end| self.time(*end, *create_time));
        offer_end.iter().for_each(|end| self.time(*end, *create_time));
        if !rejected_by.is_empty() {
            self.list(rejected_by, Self::id);
        }
        let Decision { time, engine_version, targets } = decision;
        if time != update_time {
            self.time(*time, *update_time);
        }
        self.number(*engine_version);
        self.list(targets, Self::trace);
        self.list(history, |out, step| out.step(step, it));
    }

    fn owner(&mut self, owner: &OwnerRef) {
        let OwnerRef { kind, owner_type, email, external_id } = owner;
        self.numbered(*kind);
        self.numbered(*owner_type);
        self.bits([email.is_some(), external_id.is_some()]);
        email.iter().for_each(|email| self.word(email));
        if let Some((system, user)) = external_id {
            self.word(system);
            self.word(user);
        }
    }

    fn trace(&mut self, trace: &TargetTrace) {
        let TargetTrace {
            index,
            target,
            is_last_rep,
            outcome,
            skipped,
            cursor_before,
            cursor_after,
            inner,
        } = trace;
        let Target { kind, include_unavailable, require_online, wait_us, accept_timeout_us } =
            target;
        let Skipped { named, total } = skipped;
        self.bits([
            cursor_before.is_some(),
            cursor_after.is_some(),
            !named.is_empty() || *total > 0,
            !inner.is_empty(),
            *wait_us > 0,
            *accept_timeout_us > 0,
            *is_last_rep,
            *include_unavailable,
            *require_online,
        ]);
        self.number(*index);
        match kind {
            TargetKind::Owner(kinds) => {
                self.byte(TARGET_OWNER);
                self.list(kinds, |out, kind| out.numbered(*kind));
            }
            TargetKind::Group(group) => {
                self.byte(TARGET_GROUP);
                self.id(group);
            }
            TargetKind::Rep(rep) => {
                self.byte(TARGET_REP);
                self.id(rep);
            }
        }
        self.numbered(*outcome);
        cursor_before.iter().for_each(|cursor| self.cursor(cursor));
        cursor_after.iter().for_each(|cursor| self.cursor(cursor));
        if !named.is_empty() || *total > 0 {
            self.number(*total);
            self.list(named, |out, PassedOver { rep, reason }| {
                out.id(rep);
                out.numbered(*reason);
            });
        }
        if !inner.is_empty() {
            self.list(inner, |out, RingMove { group, before, after }| {
                out.id(group);
                out.cursor(before);
                out.cursor(after);
            });
        }
        if *wait_us > 0 {
            self.number(*wait_us);
        }
        if *accept_timeout_us > 0 {
            self.number(*accept_timeout_us);
        }
    }

    /// A step of an assignment, of which the newest is as the assignment itself.
    fn step(&mut self, step: &Step, of: &Assignment) {
        let Step { time, position, principal, cause, state, rep } = step;
        self.bits([
            *time != of.update_time,
            *position != of.position,
            *cause != of.cause,
            *state != of.state,
            *rep != of.rep,
            *rep != of.rep && rep.is_some(),
        ]);
        self.word(principal);
        if *time != of.update_time {
            self.time(*time, of.update_time);
        }
        if *position != of.position {
            self.position(*position, of.position.log_index);
        }
        if *cause != of.cause {
            self.numbered(*cause);
        }
        if *state != of.state {
            self.numbered(*state);
        }
        if *rep != of.rep {
            rep.iter().for_each(|rep| self.id(rep));
        }
    }
}

const TARGET_OWNER: u8 = 0;
const TARGET_GROUP: u8 = 1;
const TARGET_REP: u8 = 2;

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

    /// None of its items is of no bytes, so no length makes room for more than there is.
    fn list<T>(&mut self, each: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length: usize = self.number()?;
        let mut list = Vec::with_capacity(length.min(self.bytes.len()));
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
        let passed = |from: &mut Self| {
            Some(PassedOver { rep: from.id()?, reason: from.numbered()? })
        };
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
            target: Target { kind, include_unavailable, require_online, wait_us, accept_timeout_us },
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

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// These are in snapshots for good.
    #[test]
    fn numbers_of_forms_are_as_they_were_first_given() {
        fn are<T: Numbered + PartialEq + Debug>(all: &[T]) {
            for (number, form) in (0..).zip(all) {
                assert_eq!((form.number(), T::of(number)), (number, Some(*form)));
            }
            assert_eq!(T::of(u8::try_from(all.len()).unwrap()), None);
        }
        {
            use AssignmentState::*;
            are(&[Pending, Offered, Assigned, Unassigned, Closed, Cancelled]);
        }
        {
            use Cause::*;
            are(&[
                Owner, Rotation, Rep, LastRep, Option, Waiting, NoTarget, Manual, Claim, Reassign,
                Accept, Unassign, Close, Cancel, Reject, OfferTimeout, CampaignCancelled,
            ]);
        }
        {
            use TargetOutcome::*;
            are(&[Picked, NoOwner, OwnerIsQueue, OwnerNotARep, NoEligible, Waiting]);
        }
        {
            use Reason::*;
            are(&[
                Disabled, OutOfOffice, OffHours, NotOnline, AtCapacity, PeriodCap, RejectedBefore,
                Excluded, Credit,
            ]);
        }
        are(&[OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account, OwnerKind::Opportunity]);
        are(&[OwnerType::User, OwnerType::Queue]);
    }

    const ID: AssignmentId = AssignmentId { log_index: 70, seq: 3, item: 0 };
    const COMMON: Common = Common { id: ID, base: Time(5_000) };

    /// With everything that a record can have, each thing of its own value.
    fn full() -> AssignmentRecord {
        let (rep, group) = (|id: &str| RepId::new(id), |id: &str| GroupId::new(id));
        let at = |log_index, seq, term| LogPosition { log_index, seq, term };
        let cursor = |round, key| Some(Cursor { round, key });
        let trace = TargetTrace {
            index: 300,
            target: Target {
                kind: TargetKind::Group(group("west")),
                include_unavailable: true,
                require_online: true,
                wait_us: u64::MAX,
                accept_timeout_us: 9,
            },
            is_last_rep: true,
            outcome: TargetOutcome::Waiting,
            skipped: Skipped {
                named: vec![PassedOver { rep: rep("bo"), reason: Reason::Credit }],
                total: 1 << 40,
            },
            cursor_before: cursor(1, u64::MAX),
            cursor_after: cursor(u32::MAX, 2),
            inner: vec![RingMove {
                group: group("inner"),
                before: Cursor { round: 3, key: 4 },
                after: Cursor { round: 5, key: 6 },
            }],
        };
        let of = |kind| {
            let target = Target::new(kind);
            let (skipped, inner) = (Skipped::default(), Vec::new());
            let (outcome, is_last_rep) = (TargetOutcome::NoOwner, false);
            let (cursor_before, cursor_after) = (None, None);
            TargetTrace {
                index: 0,
                target,
                is_last_rep,
                outcome,
                skipped,
                cursor_before,
                cursor_after,
                inner,
            }
        };
        let owners = TargetKind::Owner(vec![OwnerKind::Opportunity, OwnerKind::Lead]);
        let step = |time, position, rep| Step {
            time: Time(time),
            position,
            principal: "x".repeat(70),
            cause: Cause::CampaignCancelled,
            state: AssignmentState::Pending,
            rep,
        };
        let assignment = Assignment {
            id: ID,
            position: at(69, 9, 8),
            create_time: Time(1),
            update_time: Time(u64::MAX),
            contact: ContactId::new("c"),
            via: Via::Group(group("west")),
            owners: vec![
                OwnerRef {
                    kind: OwnerKind::Account,
                    owner_type: OwnerType::Queue,
                    email: Some("bo@example.com".to_owned()),
                    external_id: Some(("crm".to_owned(), "005".to_owned())),
                },
                OwnerRef {
                    kind: OwnerKind::Contact,
                    owner_type: OwnerType::User,
                    email: None,
                    external_id: None,
                },
            ],
            prefer_last_rep: true,
            priority: i32::MIN,
            labels: Labels::from([("tier".to_owned(), String::new())]),
            state: AssignmentState::Offered,
            rep: Some(rep("ana")),
            option: Some(PickedOption {
                group: group("steps"),
                option: OptionId::new("mail"),
                payload: "{}".to_owned(),
            }),
            cause: Cause::LastRep,
            target_index: Some(u32::MAX),
            owner_changed: true,
            wait_end: Some(Time(0)),
            offer_end: Some(Time(u64::MAX - 1)),
            rejected_by: vec![rep("bo"), rep("cem")],
            decision: Decision {
                time: Time(77),
                engine_version: 2,
                targets: vec![trace, of(owners), of(TargetKind::Rep(rep("dana")))],
            },
            history: vec![
                step(1, at(70, 3, 1), None),
                step(u64::MAX, at(69, 9, 8), Some(rep("cem"))),
            ],
        };
        let first = Assignment { position: at(70, 3, 2), priority: 1, ..assignment.clone() };
        AssignmentRecord {
            assignment: assignment.into(),
            rep: Some(RepUid(u64::MAX)),
            rejected: vec![RepUid(1), RepUid(1 << 20)],
            excluded: Some(RepUid(9)),
            starts_again: true,
            request: Some(RequestKey { id: RequestId::new("r-1"), fingerprint: u128::MAX - 7 }),
            first: Some(first.into()),
        }
    }

    fn packed(record: &AssignmentRecord) -> (Vec<u8>, Words) {
        let (mut bytes, mut words) = (Vec::new(), Words::default());
        pack(record, COMMON.base, &mut words, &mut bytes);
        (bytes, words)
    }

    #[test]
    fn what_is_packed_is_unpacked_and_its_head_is_that_of_the_record() {
        let record = full();
        let (bytes, words) = packed(&record);
        assert_eq!(unpack(&bytes, &words, COMMON).as_ref(), Some(&record));
        let head = head(&bytes, &words).unwrap();
        let it = &record.assignment;
        assert_eq!((head.holder, head.state), (record.rep, it.state));
        assert!(head.is_of(&it.contact) && head.is_via(&it.via) && head.has(&RepId::new("ana")));
        assert!(!head.is_of(&ContactId::new("d")) && !head.is_via(&Via::DefaultRule));
        assert!(!head.is_in(&CampaignId::new("west")), "a group is no campaign");
    }

    #[test]
    fn bytes_that_are_cut_or_go_on_are_no_record_and_no_byte_makes_a_panic() {
        let (bytes, words) = packed(&full());
        for len in 0..bytes.len() {
            assert_eq!(unpack(&bytes[..len], &words, COMMON), None, "the first {len} bytes");
        }
        let more = [bytes.as_slice(), &[0]].concat();
        assert_eq!(unpack(&more, &words, COMMON), None);
        for place in 0..bytes.len() {
            for change in 1..=u8::MAX {
                let mut damaged = bytes.clone();
                damaged[place] ^= change;
                assert_ne!(unpack(&damaged, &words, COMMON).as_ref(), Some(&full()), "{place}");
                let _ = head(&damaged, &words);
            }
        }
    }
}
