//! Targets as people write them, and as they are shown: the same form. Pure.
//!
//! `KIND[:WHAT][,OPTION…]`, such as `owner:contact,lead`, `group:west,wait=10m,online` or
//! `rep:ana,include-unavailable,accept=2m`.

use std::time::Duration;

use super::{names, time, words};
use crate::proto::turnwise::v1::{
    OwnerKind, OwnerTarget, Target as Proto, TargetList, target::Kind as ProtoKind,
};

/// How targets are written, for help texts.
pub(crate) const FORMS: &str = "\
Targets, tried in the order given:
  owner                  the owner in the CRM; owner:lead,account: of the lead, else of the account
  group:GROUP            the next in that group's ring
  rep:REP                that rep
  nobody                 nobody: contacts wait for a person to claim them (alone)
each with any of these behind it, by commas:
  wait=10m               hold the contact here so long before the next target is tried, at most 7d
  online                 only reps who are online
  include-unavailable    also reps who are out of office, off hours or offline
  accept=2m              offer it, and go on unless the rep accepts in this time";

/// One target, or that there is to be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// An empty list.
    Nobody,
    /// A target.
    Of {
        /// Where candidates come from.
        kind: Kind,
        /// How long the contact waits here.
        wait: Option<Duration>,
        /// Only reps who are online.
        online: bool,
        /// Also reps who are away.
        include_unavailable: bool,
        /// How long an offer holds.
        accept: Option<Duration>,
    },
}

/// Where candidates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The owners, in this order.
    Owner(Vec<OwnerKind>),
    /// A group's ring.
    Group(String),
    /// One rep.
    Rep(String),
}

impl Target {
    /// A target without options.
    pub(crate) fn plain(kind: Kind) -> Self {
        let (wait, online, include_unavailable, accept) = (None, false, false, None);
        Self::Of { kind, wait, online, include_unavailable, accept }
    }

    fn to_proto(&self, team: &str) -> Option<Proto> {
        let Self::Of { kind, wait, online, include_unavailable, accept } = self else {
            return None;
        };
        let kind = match kind {
            Kind::Owner(kinds) => {
                let kinds = kinds.iter().map(|kind| i32::from(*kind)).collect();
                ProtoKind::Owner(OwnerTarget { kinds })
            }
            Kind::Group(group) => ProtoKind::Group(names::group(team, group)),
            Kind::Rep(rep) => ProtoKind::Rep(names::rep(team, rep)),
        };
        Some(Proto {
            kind: Some(kind),
            include_unavailable: *include_unavailable,
            wait: wait.map(time::to_proto),
            require_online: *online,
            accept_timeout: accept.map(time::to_proto),
        })
    }
}

/// The targets of a team as the API has them; `None` if none was given.
pub(crate) fn list(team: &str, targets: &[Target]) -> Result<Option<TargetList>, String> {
    if targets.len() > 1 && targets.contains(&Target::Nobody) {
        return Err("`nobody` stands alone: with it there is no other target".to_owned());
    }
    let list = || TargetList { targets: targets.iter().filter_map(|t| t.to_proto(team)).collect() };
    Ok((!targets.is_empty()).then(list))
}

/// Reads one target, for clap.
pub(crate) fn read(text: &str) -> Result<Target, String> {
    let mut words = text.split(',').map(str::trim);
    let head = words.next().unwrap_or_default();
    let (kind, what) = match head.split_once(':') {
        Some((kind, what)) => (kind, Some(what)),
        None => (head, None),
    };
    let mut kind = match (kind, what) {
        ("nobody", None) if text.trim() == "nobody" => return Ok(Target::Nobody),
        ("owner", None) => Kind::Owner(Vec::new()),
        ("owner", Some(first)) => Kind::Owner(vec![words::owner_kind(first)?]),
        ("group", Some(id)) if !id.is_empty() => Kind::Group(id.to_owned()),
        ("rep", Some(id)) if !id.is_empty() => Kind::Rep(id.to_owned()),
        _ => return Err(format!("`{head}` is not owner, owner:KIND, group:GROUP or rep:REP")),
    };
    let (mut wait, mut online, mut include_unavailable, mut accept) = (None, false, false, None);
    for word in words {
        match (word.split_once('='), &mut kind) {
            (Some(("wait", text)), _) => wait = Some(time::duration(text)?),
            (Some(("accept", text)), _) => accept = Some(time::duration(text)?),
            (None, _) if word == "online" => online = true,
            (None, _) if word == "include-unavailable" => include_unavailable = true,
            (None, Kind::Owner(kinds)) if !kinds.is_empty() && words::owner_kind(word).is_ok() => {
                kinds.push(words::owner_kind(word)?);
            }
            _ => {
                return Err(format!(
                    "`{word}` is not wait=TIME, online, include-unavailable or accept=TIME"
                ));
            }
        }
    }
    Ok(Target::Of { kind, wait, online, include_unavailable, accept })
}

/// A target as one would type it.
pub(crate) fn show(target: &Proto) -> String {
    let Proto { kind, include_unavailable, wait, require_online, accept_timeout } = target;
    let mut text = match kind {
        Some(ProtoKind::Owner(owner)) => {
            let kinds: Vec<&str> = owner.kinds().map(words::owner_word).collect();
            match kinds.is_empty() {
                true => "owner".to_owned(),
                false => format!("owner:{}", kinds.join(",")),
            }
        }
        Some(ProtoKind::Group(name)) => format!("group:{}", names::id(name)),
        Some(ProtoKind::Rep(name)) => format!("rep:{}", names::id(name)),
        None => "nobody".to_owned(),
    };
    if let Some(wait) = wait {
        text.push_str(&format!(",wait={}", time::show_duration(wait)));
    }
    if *require_online {
        text.push_str(",online");
    }
    if *include_unavailable {
        text.push_str(",include-unavailable");
    }
    if let Some(accept) = accept_timeout {
        text.push_str(&format!(",accept={}", time::show_duration(accept)));
    }
    text
}

/// A list of targets as one would type it, one by one.
pub(crate) fn show_all(targets: &[Proto]) -> Vec<String> {
    match targets {
        [] => vec!["nobody".to_owned()],
        targets => targets.iter().map(show).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, list, read, show, show_all};

    fn shown(text: &str) -> Result<String, String> {
        let targets = list("t", &[read(text)?])?.unwrap();
        Ok(targets.targets.iter().map(show).collect())
    }

    #[test]
    fn what_is_typed_is_what_is_shown() {
        for text in [
            "owner",
            "owner:contact,lead",
            "owner:opportunity,online,include-unavailable",
            "group:west",
            "group:west,wait=10m,online",
            "rep:ana,include-unavailable,accept=2m",
            "rep:a:b,wait=1d12h",
        ] {
            assert_eq!(shown(text).as_deref(), Ok(text));
        }
        assert_eq!(
            shown("group:west,accept=90s,wait=60m").unwrap(),
            "group:west,wait=1h,accept=1m30s"
        );
    }

    #[test]
    fn what_is_no_target_is_refused_with_what_would_be_one() {
        for (text, told) in [
            ("west", "group:GROUP"),
            ("group:", "group:GROUP"),
            ("owner:boss", "contact, lead"),
            ("owner,lead", "wait=TIME"),
            ("group:west,lead", "wait=TIME"),
            ("group:west,wait=soon", "duration"),
            ("group:west,wait", "wait=TIME"),
            ("nobody,online", "owner:KIND"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn nobody_is_an_empty_list_and_stands_alone() {
        assert_eq!(list("t", &[]).unwrap(), None);
        let none = list("t", &[Target::Nobody]).unwrap().unwrap();
        assert_eq!(show_all(&none.targets), ["nobody"]);
        assert!(list("t", &[Target::Nobody, read("rep:ana").unwrap()]).is_err());
    }
}
