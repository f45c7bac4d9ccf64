//! How a group picks, as people write it: strategy, scope, cap, when it starts anew. Pure.

use std::time::Duration;

use crate::{
    cli::{change::Mask, time},
    proto::turnwise::v1::{self as proto, Group, GroupKind, PeriodCap, RestartPolicy},
};

/// What the members of a group are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// People
    Reps,
    /// Things that only you understand: messages, steps, other groups of them
    Options,
}

impl From<Kind> for GroupKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Reps => Self::Reps,
            Kind::Options => Self::Options,
        }
    }
}

/// How the next member is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Strategy {
    /// The next in the ring
    RoundRobin,
    /// Whoever has the fewest open contacts for their weight; of equals, the next in the ring
    LeastOpen,
}

/// Which calls share a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scope {
    /// Each campaign has its own
    Campaign,
    /// All share one
    Group,
}

/// The settings there are; what is not given stays, or is the default of something new.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Settings {
    /// How the next member is chosen
    #[arg(long, value_enum)]
    strategy: Option<Strategy>,
    /// Pass over reps who are not online
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    require_online: Option<bool>,
    /// Whether each campaign has its own ring, or all share one
    #[arg(long, value_enum)]
    scope: Option<Scope>,
    /// Turns of one member in a stretch of time, such as 40/1d; none for no limit
    #[arg(long, value_name = "COUNT/TIME", value_parser = cap)]
    cap: Option<Cap>,
    /// When the ring starts anew: idle=30d, member-change, both by a comma, or never
    #[arg(long, value_name = "WHEN", value_parser = restart)]
    restart: Option<Restart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cap(Option<(u32, Duration)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Restart {
    idle: Option<Duration>,
    on_member_change: bool,
}

impl Settings {
    /// Those of a new group; its members, id and names are to be filled in.
    pub(super) fn of_new(self) -> Group {
        self.of_present(&mut Mask::default())
    }

    /// Those to change, which are then in the mask.
    pub(super) fn of_present(self, mask: &mut Mask) -> Group {
        let Self { strategy, require_online, scope, cap, restart } = self;
        let strategy = strategy.map(|strategy| match strategy {
            Strategy::RoundRobin => proto::Strategy::RoundRobin,
            Strategy::LeastOpen => proto::Strategy::LeastOpen,
        });
        let scope = scope.map(|scope| match scope {
            Scope::Campaign => proto::CursorScope::Campaign,
            Scope::Group => proto::CursorScope::Group,
        });
        let cap = cap.map(|Cap(cap)| {
            cap.map(|(count, period)| PeriodCap { count, period: Some(time::to_proto(period)) })
        });
        let restart = restart.map(|Restart { idle, on_member_change }| {
            Some(RestartPolicy { idle_period: idle.map(time::to_proto), on_member_change })
        });
        Group {
            strategy: mask.take("strategy", strategy.map(i32::from)),
            require_online: mask.take("require_online", require_online),
            cursor_scope: mask.take("cursor_scope", scope.map(i32::from)),
            period_cap: mask.take("period_cap", cap),
            restart_policy: mask.take("restart_policy", restart),
            ..Group::default()
        }
    }
}

fn cap(text: &str) -> Result<Cap, String> {
    if text == "none" {
        return Ok(Cap(None));
    }
    let wrong = || "not COUNT/TIME, such as 40/1d or 5/1h".to_owned();
    let (count, period) = text.split_once('/').ok_or_else(wrong)?;
    let count = count.parse().map_err(|_| wrong())?;
    Ok(Cap(Some((count, time::duration(period).map_err(|_| wrong())?))))
}

fn restart(text: &str) -> Result<Restart, String> {
    let mut restart = Restart { idle: None, on_member_change: false };
    if text == "never" {
        return Ok(restart);
    }
    for word in text.split(',') {
        match word.split_once('=') {
            Some(("idle", period)) => restart.idle = Some(time::duration(period)?),
            None if word == "member-change" => restart.on_member_change = true,
            Some(_) | None => {
                return Err(
                    "not never, idle=TIME or member-change, such as idle=30d,member-change"
                        .to_owned(),
                );
            }
        }
    }
    Ok(restart)
}

/// A cap as one would type it.
pub(super) fn show_cap(cap: Option<&PeriodCap>) -> Option<String> {
    let PeriodCap { count, period } = cap?;
    Some(format!("{count}/{}", time::show_duration(&period.unwrap_or_default())))
}

/// When rings start anew, as one would type it.
pub(super) fn show_restart(policy: Option<&RestartPolicy>) -> String {
    let RestartPolicy { idle_period, on_member_change } = policy.copied().unwrap_or_default();
    let idle = idle_period.map(|period| format!("idle={}", time::show_duration(&period)));
    let change = on_member_change.then(|| "member-change".to_owned());
    let all: Vec<String> = idle.into_iter().chain(change).collect();
    if all.is_empty() { "never".to_owned() } else { all.join(",") }
}

#[cfg(test)]
mod tests {
    use super::{Mask, Settings, cap, restart, show_cap, show_restart};

    #[test]
    fn caps_and_restarts_are_shown_as_they_are_typed() {
        let settings = |cap_text, restart_text| Settings {
            cap: Some(cap(cap_text).unwrap()),
            restart: Some(restart(restart_text).unwrap()),
            ..Settings::default()
        };
        for (cap_text, restart_text) in
            [("40/1d", "never"), ("5/1h30m", "idle=30d,member-change"), ("1/1s", "member-change")]
        {
            let group = settings(cap_text, restart_text).of_new();
            assert_eq!(show_cap(group.period_cap.as_ref()).as_deref(), Some(cap_text));
            assert_eq!(show_restart(group.restart_policy.as_ref()), restart_text);
        }
        let none = settings("none", "never").of_new();
        assert_eq!(show_cap(none.period_cap.as_ref()), None);
        for wrong in ["40", "x/1d", "40/soon", ""] {
            assert!(cap(wrong).is_err(), "{wrong}");
        }
        for wrong in ["idle", "idle=soon", "sometimes", ""] {
            assert!(restart(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_is_given_is_in_the_mask() {
        let mut mask = Mask::default();
        let settings = Settings { require_online: Some(false), ..Settings::default() };
        assert!(!settings.of_present(&mut mask).require_online);
        assert_eq!(mask.finish("").unwrap().unwrap().paths, ["require_online"]);
    }
}
