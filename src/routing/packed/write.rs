//! Records to bytes.

use integer_encoding::VarInt;

use super::{
    ASSIGNMENT_BITS, Common, Numbered, TARGET_GROUP, TARGET_OWNER, TARGET_REP, VIA_CAMPAIGN,
    VIA_DEFAULT, VIA_GROUP, VIA_REP, VIA_RULE,
};
use crate::routing::{
    Assignment, AssignmentId, Cursor, Decision, Id, LogPosition, OwnerRef, PassedOver,
    PickedOption, RequestKey, RingMove, Skipped, Step, Target, TargetKind, TargetTrace, Time, Via,
    record::AssignmentRecord, words::Words,
};

/// Puts a record at the end of these bytes.
pub(in crate::routing) fn pack(
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

/// Bytes of a number at most.
const NUMBER_MAX: usize = 10;

/// Where a record is put.
pub(super) struct Out<'a> {
    pub(super) bytes: &'a mut Vec<u8>,
    pub(super) words: &'a mut Words,
}

impl Out<'_> {
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn numbered(&mut self, form: impl Numbered) {
        self.byte(form.number());
    }

    /// Most numbers of a record are less than 128, which is their one byte.
    #[inline]
    pub(super) fn number(&mut self, number: impl Into<u64>) {
        let number = number.into();
        match u8::try_from(number) {
            Ok(byte @ ..0x80) => self.bytes.push(byte),
            Ok(_) | Err(_) => self.long_number(number),
        }
    }

    fn long_number(&mut self, number: u64) {
        let mut room = [0; NUMBER_MAX];
        let length = number.encode_var(&mut room);
        self.bytes.extend_from_slice(room.get(..length).unwrap_or_default());
    }

    pub(super) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    pub(super) fn bits<const N: usize>(&mut self, bits: [bool; N]) {
        let all = bits.iter().rev().fold(0_u64, |all, bit| (all << 1) | u64::from(*bit));
        self.number(all);
    }

    pub(super) fn time(&mut self, time: Time, from: Time) {
        self.signed(time.0.wrapping_sub(from.0).cast_signed());
    }

    pub(super) fn text(&mut self, text: &str) {
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

    pub(super) fn list<T>(&mut self, list: &[T], each: impl Fn(&mut Self, &T)) {
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

    pub(super) fn assignment(&mut self, it: &Assignment, common: Common) {
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
        self.via(via);
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

    fn via(&mut self, via: &Via) {
        let (kind, text) = match via {
            Via::DefaultRule => return self.byte(VIA_DEFAULT),
            Via::Campaign(id) => (VIA_CAMPAIGN, id.as_str()),
            Via::Rule(id) => (VIA_RULE, id.as_str()),
            Via::Group(id) => (VIA_GROUP, id.as_str()),
            Via::Rep(id) => (VIA_REP, id.as_str()),
        };
        self.byte(kind);
        self.word(text);
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
