//! What people set: targets, and how reps, groups and teams are to behave.
//!
//! Plain values, shared by commands and by what readers see. `…Settings` say how something is to be
//! made, `…Change` what of it changes, where `None` leaves a thing as it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    GroupId, IntervalSet, Labels, OptionId, OwnerKind, RepId, RuleId, Time,
    limits::OPTIONS_IDLE_PERIOD_US,
};

/// One step of the ordered list that an assignment goes through.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Where candidates come from.
    pub kind: TargetKind,
    /// Lifts OUT_OF_OFFICE, OFF_HOURS and NOT_ONLINE for this target, nothing else (S0-10E2, S4-10E1).
    pub include_unavailable: bool,
    /// Passes over whoever is not online; a group's own setting does so too (S2-6).
    pub require_online: bool,
    /// How long a contact is held here while nobody is eligible, in microseconds; 0 = not at all.
    pub wait_us: u64,
    /// How long a rep may take to accept, in microseconds; 0 = assigned without asking.
    pub accept_timeout_us: u64,
}

impl Target {
    /// A target that asks for nothing special.
    #[must_use]
    pub fn new(kind: TargetKind) -> Self {
        let (include_unavailable, require_online) = (false, false);
        Self { kind, include_unavailable, require_online, wait_us: 0, accept_timeout_us: 0 }
    }
}

/// Where a target's candidates come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TargetKind {
    /// The owners supplied with the call, in the order of these kinds, which is never empty.
    Owner(Vec<OwnerKind>),
    /// The ring of a group.
    Group(GroupId),
    /// One rep.
    Rep(RepId),
}

/// Where a campaign's contacts go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Route {
    /// By the team's default rule.
    Default,
    /// By a rule.
    Rule(RuleId),
    /// By targets of its own; none = contacts wait for somebody to claim them.
    Targets(Vec<Target>),
}

/// What a rep is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepSettings {
    /// What people call them.
    pub display_name: String,
    /// Kept for the caller.
    pub labels: Labels,
    /// Normalised; unique in the team; `None` if unknown.
    pub email: Option<String>,
    /// System name to user id, e.g. `salesforce` to `005…`; each pair unique in the team.
    pub external_ids: BTreeMap<String, String>,
    /// Never assigned automatically.
    pub disabled: bool,
    /// Open assignments at which they get no more; 0 = no limit.
    pub max_open: u32,
    /// `None` = always.
    pub hours: Option<Hours>,
}

/// What of a rep changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RepChange {
    /// What people call them.
    pub display_name: Option<String>,
    /// Kept for the caller.
    pub labels: Option<Labels>,
    /// Normalised; inner `None` = unknown.
    pub email: Option<Option<String>>,
    /// All of them.
    pub external_ids: Option<BTreeMap<String, String>>,
    /// Never assigned automatically.
    pub disabled: Option<bool>,
    /// 0 = no limit.
    pub max_open: Option<u32>,
    /// Inner `None` = always.
    pub hours: Option<Option<Hours>>,
}

/// When a rep works: what people said, and the instants it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hours {
    /// An IANA name. Only whoever makes the command reads it.
    pub time_zone: String,
    /// Hours of each week, by local time.
    pub weekly: Vec<WeeklySpan>,
    /// Local days without hours, `YYYY-MM-DD`, ascending.
    pub holidays: Vec<String>,
    /// The instants inside, up to the horizon.
    pub open: IntervalSet,
    /// From here on nothing is known, and the rep counts as working.
    pub horizon: Time,
}

impl Hours {
    /// Whether these are the hours that the other stands for, however far expanded.
    #[must_use]
    pub fn say_the_same(&self, other: &Self) -> bool {
        (&self.time_zone, &self.weekly, &self.holidays)
            == (&other.time_zone, &other.weekly, &other.holidays)
    }

    /// Whether the instant is outside the hours.
    #[must_use]
    pub fn are_over(&self, instant: Time) -> bool {
        instant < self.horizon && !self.open.contains(instant)
    }
}

/// A span of one weekday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WeeklySpan {
    /// 1 = Monday to 7 = Sunday.
    pub weekday: u8,
    /// Minutes since local midnight: 0 to 1,439.
    pub start_minute: u16,
    /// First minute after: 1 to 1,440, greater than the start.
    pub end_minute: u16,
}

/// A rep's word on whether they are at their desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Presence {
    /// The last word was ONLINE.
    pub online: bool,
    /// From here on it counts no more.
    pub expire_time: Time,
}

impl Presence {
    /// Whether they count as online.
    #[must_use]
    pub fn is_online(&self, instant: Time) -> bool {
        self.online && instant < self.expire_time
    }
}

/// What a group is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupSettings {
    /// What people call it.
    pub display_name: String,
    /// Kept for the caller.
    pub labels: Labels,
    /// Of what; for ever.
    pub kind: GroupKind,
    /// Who comes first.
    pub strategy: Strategy,
    /// Passes over whoever is not online (S2-6).
    pub require_online: bool,
    /// Whether each campaign has a place of its own in the ring (S0-1).
    pub cursor_scope: CursorScope,
    /// When the ring starts over; `None` = as is usual for the kind (S3-E1).
    pub restart: Option<RestartPolicy>,
    /// At most so many picks of a member in each period; `None` = no cap.
    pub period_cap: Option<PeriodCap>,
}

/// What of a group changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// Kept for the caller.
    pub labels: Option<Labels>,
    /// Who comes first.
    pub strategy: Option<Strategy>,
    /// Passes over whoever is not online.
    pub require_online: Option<bool>,
    /// Changing it keeps every stored cursor.
    pub cursor_scope: Option<CursorScope>,
    /// Inner `None` = as is usual for the kind.
    pub restart: Option<Option<RestartPolicy>>,
    /// Inner `None` = no cap.
    pub period_cap: Option<Option<PeriodCap>>,
}

/// What a group's members are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum GroupKind {
    /// Reps.
    #[default]
    Reps,
    /// Opaque options, and other groups of options (S3-2, S3-3).
    Options,
}

/// Who comes first among the eligible (S2-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Strategy {
    /// The next in the ring.
    #[default]
    RoundRobin,
    /// The one with the least open work for their weight; among equals, the next in the ring.
    LeastOpen,
}

/// Whose cursor a call moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum CursorScope {
    /// That of its campaign.
    #[default]
    Campaign,
    /// That of the group.
    Group,
}

/// When a ring starts over (S3-10 to S3-12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// After so long without a pick, in microseconds; 0 = never.
    pub idle_period_us: u64,
    /// When a member is added or removed.
    pub on_member_change: bool,
}

impl RestartPolicy {
    /// What is usual: never for reps, after 30 days and on every change for options.
    #[must_use]
    pub fn usual(kind: GroupKind) -> Self {
        match kind {
            GroupKind::Reps => Self { idle_period_us: 0, on_member_change: false },
            GroupKind::Options => {
                Self { idle_period_us: OPTIONS_IDLE_PERIOD_US, on_member_change: true }
            }
        }
    }
}

/// A cap on the picks of one member, in fixed windows from the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeriodCap {
    /// Picks in a window, at least 1.
    pub count: u32,
    /// Length of a window, in microseconds, at least 1.
    pub period_us: u64,
}

impl PeriodCap {
    /// The number of the window that the instant is in.
    #[must_use]
    pub fn window(&self, instant: Time) -> u64 {
        instant.0 / self.period_us.max(1)
    }

    /// The first instant after that window.
    #[must_use]
    pub fn window_end(&self, instant: Time) -> Time {
        let period = self.period_us.max(1);
        Time(self.window(instant).saturating_add(1).saturating_mul(period))
    }
}

/// Who or what a member of a group is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MemberName {
    /// A rep, of a group of reps.
    Rep(RepId),
    /// An option, by its id in the group.
    Option(OptionId),
    /// Another group of options.
    Group(GroupId),
}

impl std::fmt::Display for MemberName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rep(rep) => write!(f, "rep `{rep}`"),
            Self::Option(option) => write!(f, "option `{option}`"),
            Self::Group(group) => write!(f, "group `{group}`"),
        }
    }
}

/// What of a team changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TeamChange {
    /// What people call it.
    pub display_name: Option<String>,
    /// Kept for the caller.
    pub labels: Option<Labels>,
    /// An IANA name, kept for the caller.
    pub time_zone: Option<String>,
    /// Inner `None` = `[owner, default group]`.
    pub default_rule: Option<Option<RuleId>>,
}
