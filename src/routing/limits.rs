//! Every bound of the state, in one place. Each is tested at n and at n + 1.

/// Targets of one campaign: 0 to 16.
pub const TARGETS_MAX: usize = 16;
/// Weight of a group member: 1 to 1,000.
pub const WEIGHT_MAX: u32 = 1_000;
/// Out-of-office intervals of one rep.
pub const OUT_OF_OFFICE_INTERVALS_MAX: usize = 100;
/// Passed-over members that a decision names; the rest are only counted.
pub const PASSED_OVER_NAMED_MAX: usize = 16;
/// Reps of one team, and so members of one group of reps.
pub const REPS_PER_TEAM_MAX: usize = 100_000;
/// Answers remembered per team, besides those that an assignment itself remembers.
pub const ANSWERS_PER_TEAM_MAX: usize = 1_000_000;
/// How long such an answer is remembered, in microseconds of log time: 24 hours.
pub const ANSWER_RETENTION_US: u64 = 24 * 60 * 60 * 1_000_000;
