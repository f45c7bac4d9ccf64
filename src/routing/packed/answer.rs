//! Answers about assignments.

use std::sync::Arc;

use serde::Serialize;

use super::{
    Common, Packable,
    raw::{In, Item, List, RawAssignment, RawRequest},
    write::Out,
};
use crate::routing::{
    Assignment, AssignmentId, LogPosition, RequestKey, Revision, Time,
    digest::Record,
    record::{AnswerRecord, AssignmentAnswer},
    words::Words,
};

const EXISTING: u8 = 0;
const BATCH: u8 = 1;
const STEP: u8 = 2;

/// An [`AnswerRecord`].
#[derive(Serialize)]
pub(in crate::routing) struct RawAnswerRecord<'a> {
    pub(in crate::routing) request: RawRequest<'a>,
    position: LogPosition,
    time: Time,
    answer: RawAnswer<'a>,
}

/// An [`AssignmentAnswer`].
#[derive(Serialize)]
enum RawAnswer<'a> {
    Existing(Box<RawAssignment<'a>>),
    Batch(List<'a, RawItem<'a>>),
    Step(Box<RawAssignment<'a>>),
}

/// An assignment of a batch, and whether it was there already.
#[derive(Serialize)]
struct RawItem<'a>(RawAssignment<'a>, bool);

/// Whose answer it is, and when it was given.
#[derive(Debug, Clone, Copy)]
pub(in crate::routing) struct AnswerHead<'a> {
    pub(in crate::routing) request: &'a str,
    pub(in crate::routing) time: Time,
}

impl Record for RawAnswerRecord<'_> {
    const KIND: u8 = AnswerRecord::<AssignmentAnswer>::KIND;
}

impl Packable for AnswerRecord<AssignmentAnswer> {
    type Id = Revision;
    type Raw<'a> = RawAnswerRecord<'a>;
    type Head<'a> = AnswerHead<'a>;

    fn id(&self) -> Revision {
        self.position.into()
    }

    fn time(&self) -> Time {
        self.time
    }

    fn pack(&self, base: Time, words: &mut Words, bytes: &mut Vec<u8>) {
        let Self { request: RequestKey { id, fingerprint }, position, time, answer } = self;
        let mut out = Out { bytes, words };
        // `head` reads so far.
        out.time(*time, base);
        out.text(id.as_str());

        out.bytes.extend_from_slice(&fingerprint.to_le_bytes());
        out.number(position.term);
        let common = Common { id: Revision::from(*position), base };
        match answer {
            AssignmentAnswer::Existing(assignment) => {
                out.byte(EXISTING);
                out.answered(assignment, common);
            }
            AssignmentAnswer::Batch(items) => {
                out.byte(BATCH);
                out.list(items, |out, (assignment, existing)| {
                    out.bits([*existing]);
                    out.answered(assignment, common);
                });
            }
            AssignmentAnswer::Step(assignment) => {
                out.byte(STEP);
                out.answered(assignment, common);
            }
        }
    }

    fn raw<'a>(
        bytes: &'a [u8],
        words: &'a Words,
        common: Common<Revision>,
    ) -> Option<RawAnswerRecord<'a>> {
        let mut from = In { bytes, words };
        let (time, id) = (from.time(common.base)?, from.text()?);
        let fingerprint = u128::from_le_bytes(*from.array()?);
        let Revision { log_index, seq } = common.id;
        let position = LogPosition { log_index, seq, term: from.number()? };
        let answer = match from.byte()? {
            EXISTING => RawAnswer::Existing(Box::new(from.answered(common)?)),
            BATCH => RawAnswer::Batch(from.list(true, common)?),
            STEP => RawAnswer::Step(Box::new(from.answered(common)?)),
            _ => return None,
        };
        let request = RawRequest { id, fingerprint };
        let record = RawAnswerRecord { request, position, time, answer };
        from.bytes.is_empty().then_some(record)
    }

    fn head<'a>(
        bytes: &'a [u8],
        words: &'a Words,
        common: Common<Revision>,
    ) -> Option<AnswerHead<'a>> {
        let mut from = In { bytes, words };
        let (time, request) = (from.time(common.base)?, from.text()?);
        Some(AnswerHead { request, time })
    }
}

impl Out<'_> {
    /// An assignment, as it was answered at a place in the log.
    fn answered(&mut self, assignment: &Assignment, Common { id: at, base }: Common<Revision>) {
        let id @ AssignmentId { log_index, seq, item } = assignment.id;
        self.signed(log_index.wrapping_sub(at.log_index).cast_signed());
        self.number(seq);
        self.number(item);
        self.assignment(assignment, Common { id, base });
    }
}

impl<'a> In<'a> {
    fn answered(&mut self, Common { id: at, base }: Common<Revision>) -> Option<RawAssignment<'a>> {
        let log_index = at.log_index.wrapping_add_signed(self.signed()?);
        let id = AssignmentId { log_index, seq: self.number()?, item: self.number()? };
        self.assignment(Common { id, base })
    }
}

impl<'a> Item<'a> for RawItem<'a> {
    type Of = Common<Revision>;
    fn read(from: &mut In<'a>, of: Common<Revision>) -> Option<Self> {
        let [existing] = from.bits()?;
        Some(Self(from.answered(of)?, existing))
    }
}

impl From<RawAnswerRecord<'_>> for AnswerRecord<AssignmentAnswer> {
    fn from(raw: RawAnswerRecord<'_>) -> Self {
        let RawAnswerRecord { request, position, time, answer } = raw;
        let owned = |raw: RawAssignment<'_>| Arc::new(Assignment::from(raw));
        let answer = match answer {
            RawAnswer::Existing(one) => AssignmentAnswer::Existing(owned(*one)),
            RawAnswer::Batch(items) => {
                AssignmentAnswer::Batch(items.all(|RawItem(one, existing)| (owned(one), existing)))
            }
            RawAnswer::Step(one) => AssignmentAnswer::Step(owned(*one)),
        };
        Self { request: request.into(), position, time, answer }
    }
}
