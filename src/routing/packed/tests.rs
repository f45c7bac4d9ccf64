//! What is packed is unpacked, and nothing else is; the numbers that forms have for good.

use std::{fmt::Debug, sync::Arc};

use super::*;
use crate::routing::{
    Assignment, Cursor, Decision, GroupId, Labels, LogPosition, OptionId, OwnerRef, PassedOver,
    PickedOption, RequestId, RequestKey, Revision, RingMove, Skipped, Step, Target, TargetKind,
    TargetTrace, TeamId, digest,
    record::{AnswerRecord, AssignmentAnswer, AssignmentRecord},
    words::Words,
};

type Answered = AnswerRecord<AssignmentAnswer>;

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
            Owner,
            Rotation,
            Rep,
            LastRep,
            Option,
            Waiting,
            NoTarget,
            Manual,
            Claim,
            Reassign,
            Accept,
            Unassign,
            Close,
            Cancel,
            Reject,
            OfferTimeout,
            CampaignCancelled,
        ]);
    }
    {
        use TargetOutcome::*;
        are(&[Picked, NoOwner, OwnerIsQueue, OwnerNotARep, NoEligible, Waiting]);
    }
    {
        use Reason::*;
        are(&[
            Disabled,
            OutOfOffice,
            OffHours,
            NotOnline,
            AtCapacity,
            PeriodCap,
            RejectedBefore,
            Excluded,
            Credit,
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
        history: vec![step(1, at(70, 3, 1), None), step(u64::MAX, at(69, 9, 8), Some(rep("cem")))],
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

fn unpack(bytes: &[u8], words: &Words) -> Option<AssignmentRecord> {
    raw(bytes, words, COMMON).map(AssignmentRecord::from)
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
    assert_eq!(unpack(&bytes, &words).as_ref(), Some(&record));
    let head = head(&bytes, &words).unwrap();
    let it = &record.assignment;
    assert_eq!((head.holder, head.state), (record.rep, it.state));
    assert!(head.is_of(&it.contact) && head.is_via(&it.via) && head.has(&RepId::new("ana")));
    assert!(!head.is_of(&ContactId::new("d")) && !head.is_via(&Via::DefaultRule));
    assert!(!head.is_in(&CampaignId::new("west")), "a group is no campaign");
}

#[test]
fn labels_that_no_map_has_in_this_order_are_no_record() {
    let label = |key: &str| (key.to_owned(), "x".to_owned());
    let mut record = full();
    Arc::make_mut(&mut record.assignment).labels = Labels::from([label("k1"), label("k2")]);
    let (bytes, words) = packed(&record);
    let (texts, ways) =
        (["k1", "k2"], [("k1", "k2", true), ("k2", "k1", false), ("k1", "k1", false)]);
    let numbers = texts.map(|text| words.clone().number(text).unwrap());
    let place = bytes.windows(4).position(|it| *it == [numbers[0], 1, b'x', numbers[1]]).unwrap();
    for (one, next, is_one) in ways {
        let mut changed = bytes.clone();
        changed[place] = words.clone().number(one).unwrap();
        changed[place + 3] = words.clone().number(next).unwrap();
        assert_eq!(unpack(&changed, &words).is_some(), is_one, "{one}, {next}");
    }
}

#[test]
fn bytes_that_are_cut_or_go_on_are_no_record_and_what_is_one_has_its_hash() {
    let (bytes, words) = packed(&full());
    for len in 0..bytes.len() {
        assert_eq!(unpack(&bytes[..len], &words), None, "the first {len} bytes");
    }
    let more = [bytes.as_slice(), &[0]].concat();
    assert_eq!(unpack(&more, &words), None);
    let team = TeamId::new("t");
    let mut read = 0;
    for place in 0..bytes.len() {
        for change in 1..=u8::MAX {
            let mut damaged = bytes.clone();
            damaged[place] ^= change;
            let _ = head(&damaged, &words);
            let Some(raw) = raw(&damaged, &words, COMMON) else { continue };
            let hash = digest::hash(&team, &raw);
            let record = AssignmentRecord::from(raw);
            assert_eq!(hash, digest::hash(&team, &record), "byte {place}, {change:#x}");
            assert_ne!(record, full(), "byte {place}, {change:#x}");
            read += 1;
        }
    }
    assert!(read > 10_000, "{read} of them are a record");
}

/// One of each kind. What was answered was made before, in the same command, and long after.
fn answers() -> [Answered; 4] {
    let one = full().assignment;
    let other = Arc::new(Assignment { id: AssignmentId { log_index: 9, ..ID }, ..(*one).clone() });
    let last = AssignmentId { log_index: u64::MAX, seq: u32::MAX, item: u32::MAX };
    let last = Arc::new(Assignment { id: last, labels: Labels::new(), ..(*one).clone() });
    let answered = |answer| AnswerRecord {
        request: RequestKey { id: RequestId::new("r-2"), fingerprint: u128::MAX - 9 },
        position: LogPosition { log_index: 70, seq: 3, term: 8 },
        time: Time(4_000),
        answer,
    };
    [
        answered(AssignmentAnswer::Existing(Arc::clone(&one))),
        answered(AssignmentAnswer::Step(Arc::clone(&other))),
        answered(AssignmentAnswer::Batch(Vec::new())),
        answered(AssignmentAnswer::Batch(vec![(one, true), (other, false), (last, true)])),
    ]
}

const ANSWERED: Common<Revision> =
    Common { id: Revision { log_index: 70, seq: 3 }, base: Time(5_000) };

#[test]
fn answers_that_are_packed_are_unpacked_and_have_the_hash_that_they_had() {
    let team = TeamId::new("t");
    for answer in answers() {
        let (mut bytes, mut words) = (Vec::new(), Words::default());
        answer.pack(ANSWERED.base, &mut words, &mut bytes);
        let raw = Answered::raw(&bytes, &words, ANSWERED).unwrap();
        let whole = AnswerRecord::from(answer.clone());
        let hash = digest::hash(&team, &whole);
        assert_eq!(digest::hash(&team, &raw), hash, "of what lies in the bytes");
        assert_eq!(digest::hash(&team, &answer), hash, "of the part that is packed");
        assert_eq!(Answered::from(raw), answer);
        assert_eq!(whole.parted(), Ok(answer.clone()));
        let head = Answered::head(&bytes, &words, ANSWERED).unwrap();
        assert_eq!((head.time, head.request), (answer.time, answer.request.id.as_str()));
        assert_ne!(head.request, "r-1");
    }
}

#[test]
fn bytes_that_are_cut_or_go_on_are_no_answer_and_what_is_one_has_its_hash() {
    let team = TeamId::new("t");
    for answer in answers() {
        let (mut bytes, mut words) = (Vec::new(), Words::default());
        answer.pack(ANSWERED.base, &mut words, &mut bytes);
        for len in 0..bytes.len() {
            assert!(Answered::raw(&bytes[..len], &words, ANSWERED).is_none(), "first {len} bytes");
        }
        bytes.push(0);
        assert!(Answered::raw(&bytes, &words, ANSWERED).is_none());
        bytes.pop();
        for place in 0..bytes.len() {
            for change in [1, 2, 4, 8, 0x10, 0x40, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[place] ^= change;
                let _ = Answered::head(&damaged, &words, ANSWERED);
                let Some(raw) = Answered::raw(&damaged, &words, ANSWERED) else { continue };
                let hash = digest::hash(&team, &raw);
                let owned = Answered::from(raw);
                assert_eq!(hash, digest::hash(&team, &owned), "byte {place}, {change:#x}");
                assert_ne!(owned, answer, "byte {place}, {change:#x}");
            }
        }
    }
}
