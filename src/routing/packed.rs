//! Records of assignments, and of answers about them, as few bytes: as a million of them are kept, and as a
//! snapshot holds them.
//!
//! Owns the form, which outlives a version: a change of it is a new version of the image (`image`). Numbers are
//! LEB128, signed ones zigzag; what is as usual takes a bit. An instant is told by its distance from another
//! one, and a text that many records have is a [`Words`] of their page.

mod answer;
mod raw;
mod read;
mod write;

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    AssignmentId, AssignmentState, CampaignId, Cause, ContactId, OwnerKind, OwnerType, Reason,
    RepId, TargetOutcome, Time, Via,
    digest::Record,
    record::{AssignmentRecord, RepUid},
    tree::Key,
    words::Words,
};

pub(super) use answer::AnswerHead;
pub(super) use raw::{RawAssignment, RawRecord, RawVia};
use raw::{head, raw};
use write::pack;

/// A record that is kept packed.
pub(super) trait Packable: Clone + Debug {
    /// Whose order is that in which they come to be.
    type Id: Key + Debug + Serialize + DeserializeOwned;
    /// As it lies in its bytes.
    type Raw<'a>: Record + Into<Self>;
    /// What is looked at most, without the rest.
    type Head<'a>;

    fn id(&self) -> Self::Id;

    /// When it came to be: others of its page tell instants from there.
    fn time(&self) -> Time;

    /// Puts it at the end of these bytes.
    fn pack(&self, base: Time, words: &mut Words, bytes: &mut Vec<u8>);

    /// The record that these bytes are, all of them; `None` if they are of none.
    fn raw<'a>(
        bytes: &'a [u8],
        words: &'a Words,
        common: Common<Self::Id>,
    ) -> Option<Self::Raw<'a>>;

    /// What its bytes begin with.
    fn head<'a>(
        bytes: &'a [u8],
        words: &'a Words,
        common: Common<Self::Id>,
    ) -> Option<Self::Head<'a>>;
}

impl Packable for AssignmentRecord {
    type Id = AssignmentId;
    type Raw<'a> = RawRecord<'a>;
    type Head<'a> = Head<'a>;

    fn id(&self) -> AssignmentId {
        self.assignment.id
    }
    fn time(&self) -> Time {
        self.assignment.create_time
    }
    fn pack(&self, base: Time, words: &mut Words, bytes: &mut Vec<u8>) {
        pack(self, base, words, bytes);
    }
    fn raw<'a>(bytes: &'a [u8], words: &'a Words, common: Common) -> Option<RawRecord<'a>> {
        raw(bytes, words, common)
    }
    fn head<'a>(bytes: &'a [u8], words: &'a Words, _: Common) -> Option<Head<'a>> {
        head(bytes, words)
    }
}

/// What records of a page have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common<Id = AssignmentId> {
    /// The record's own id, which its bytes don't have.
    pub(super) id: Id,
    /// When some record of the page came to be.
    pub(super) base: Time,
}

/// What is looked at most of an assignment's record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    /// Of [`AssignmentRecord::rep`].
    pub(super) holder: Option<RepUid>,
    pub(super) state: AssignmentState,
    contact: &'a str,
    via: RawVia<'a>,
    rep: Option<&'a str>,
}

impl Head<'_> {
    pub(super) fn is_of(&self, contact: &ContactId) -> bool {
        self.contact == contact.as_str()
    }

    pub(super) fn is_via(&self, via: &Via) -> bool {
        self.via == RawVia::from(via)
    }

    pub(super) fn is_in(&self, campaign: &CampaignId) -> bool {
        self.via == RawVia::Campaign(campaign.as_str())
    }

    pub(super) fn has(&self, rep: &RepId) -> bool {
        self.rep == Some(rep.as_str())
    }
}

const ASSIGNMENT_BITS: usize = 14;
const VIA_DEFAULT: u8 = 0;
const VIA_CAMPAIGN: u8 = 1;
const VIA_RULE: u8 = 2;
const VIA_GROUP: u8 = 3;
const VIA_REP: u8 = 4;

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

const TARGET_OWNER: u8 = 0;
const TARGET_GROUP: u8 = 1;
const TARGET_REP: u8 = 2;

#[cfg(test)]
mod tests;
