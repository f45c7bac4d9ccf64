//! Every bound of the state, in one place.

/// Targets of one campaign or rule: 0 to 16.
pub const TARGETS_MAX: usize = 16;
/// Weight of a group member: 1 to 1,000.
pub const WEIGHT_MAX: u32 = 1_000;
/// Out-of-office intervals of one rep.
pub const OUT_OF_OFFICE_INTERVALS_MAX: usize = 100;
/// Passed-over members that a decision names; the rest are only counted.
pub const PASSED_OVER_NAMED_MAX: usize = 16;
/// Reps of one team, and so members of one group of reps.
pub const REPS_PER_TEAM_MAX: usize = 100_000;
/// Access tokens of one team.
pub const TOKENS_PER_TEAM_MAX: usize = 1_000;
/// Groups that the role of one token names.
pub const TOKEN_GROUPS_MAX: usize = 100;
/// Options of a group of options, at least (S3-5).
pub const OPTIONS_MIN: usize = 2;
/// Options of a group of options, at most (S3-4).
pub const OPTIONS_MAX: usize = 100;
/// Length of one option's payload, in bytes: 4 KiB.
pub const PAYLOAD_LEN_MAX: usize = 4 * 1_024;
/// Length of all payloads of a group, in bytes: 256 KiB.
pub const PAYLOADS_LEN_MAX: usize = 256 * 1_024;
/// Groups in a chain of nested groups, the outermost included.
pub const NESTING_MAX: usize = 4;
/// How long a target may hold a contact, in microseconds: 7 days.
pub const WAIT_MAX_US: u64 = 7 * DAY_US;
/// How long a rep may take to accept an offer, in microseconds: 7 days.
pub const ACCEPT_TIMEOUT_MAX_US: u64 = 7 * DAY_US;
/// How long a presence may live, in microseconds: 24 hours.
pub const PRESENCE_TTL_MAX_US: u64 = DAY_US;
/// Credits of a member, and their negative.
pub const CREDITS_MAX: i32 = 100;
/// Assigns of one batch.
pub const BATCH_MAX: usize = 1_000;
/// Labels of a resource or an assignment.
pub const LABELS_MAX: usize = 32;
/// Steps of an assignment's life that its history keeps: the first and the newest of the others.
pub const HISTORY_MAX: usize = 64;
/// How far ahead working hours are expanded, in microseconds: 400 days.
pub const HOURS_AHEAD_US: u64 = 400 * DAY_US;
/// Under how much of that they are renewed, in microseconds: 370 days.
pub const HOURS_RENEWED_UNDER_US: u64 = 370 * DAY_US;
/// Intervals that expanded working hours may have.
pub const HOURS_INTERVALS_MAX: usize = 4_096;
/// Idle period after which a group of options starts over, unless it says otherwise: 30 days (S3-10).
pub const OPTIONS_IDLE_PERIOD_US: u64 = 30 * DAY_US;
/// Members of a group that the answer to a change has; of more there is none in it, for the answer is
/// remembered and a change of one member is not to cost the whole group.
pub const ANSWERED_MEMBERS_MAX: usize = 100;
/// Likewise the length of all payloads in such an answer, in bytes: 16 KiB.
pub const ANSWERED_PAYLOADS_LEN_MAX: usize = 16 * 1_024;
/// Answers remembered per team, besides those that an assignment itself remembers.
pub const ANSWERS_PER_TEAM_MAX: usize = 1_000_000;
/// How long such an answer is remembered, in microseconds of log time: 24 hours.
pub const ANSWER_RETENTION_US: u64 = DAY_US;
/// How long a closed or cancelled assignment is kept, in microseconds of log time: 90 days.
pub const ENDED_RETENTION_US: u64 = 90 * DAY_US;
/// Closed and cancelled assignments kept per team; beyond, those older than
/// [`ANSWER_RETENTION_US`] are dropped before their time.
pub const ENDED_PER_TEAM_MAX: usize = 1_000_000;

const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;
