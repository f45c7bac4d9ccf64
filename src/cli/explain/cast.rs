//! The names of all who take part in a decision: reps, and whose places in rings the numbers are.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cli::{
        failure::{Failure, to},
        names,
    },
    client::{self, Client},
    proto::turnwise::v1::{
        Assignment, Cursor, GetGroupRequest, GetRepRequest, Group, group_member::Member,
        target::Kind,
    },
};

/// Who is who.
#[derive(Debug, Default)]
pub(super) struct Cast {
    /// Display names of reps by resource name, where they have one.
    reps: BTreeMap<String, String>,
    /// Members of groups by the group's resource name and the member's key.
    rings: BTreeMap<String, BTreeMap<u64, String>>,
}

impl Cast {
    /// All who are named in this assignment and are still there.
    pub(super) async fn of(
        client: &Client,
        team: &str,
        assignment: &Assignment,
    ) -> Result<Self, Failure> {
        let mut cast = Self::default();
        for name in groups(assignment) {
            let request = GetGroupRequest { name: name.clone() };
            if let Some(answer) = there(client.call(request).await, &name)? {
                cast.enrol(&answer.group.unwrap_or_default());
            }
        }
        let mut reps = reps(assignment);
        // Those whose turn it was before have names too.
        for (group, cursor) in cursors(assignment) {
            let member = cast.member(group, cursor);
            reps.extend(member.filter(|id| !id.contains(':')).map(|id| names::rep(team, id)));
        }
        for name in reps {
            let request = GetRepRequest { name: name.clone() };
            if let Some(answer) = there(client.call(request).await, &name)? {
                let display_name = answer.rep.unwrap_or_default().display_name;
                if !display_name.is_empty() {
                    cast.reps.insert(name, display_name);
                }
            }
        }
        Ok(cast)
    }

    /// Takes a group's members up.
    pub(super) fn enrol(&mut self, group: &Group) {
        let ring = self.rings.entry(group.name.clone()).or_default();
        for member in &group.members {
            let name = match &member.member {
                Some(Member::Rep(name)) => names::id(name).to_owned(),
                Some(Member::Option(option)) => format!("option:{}", option.id),
                Some(Member::Group(name)) => format!("group:{}", names::id(name)),
                None => continue,
            };
            ring.insert(member.key, name);
        }
    }

    /// A rep as people know them: `Ana B. (ana)`, or `ana`.
    pub(super) fn rep(&self, name: &str) -> String {
        let id = names::id(name);
        match self.reps.get(name) {
            Some(display_name) if display_name != id => format!("{display_name} ({id})"),
            Some(_) | None => id.to_owned(),
        }
    }

    /// Whose place a cursor is at; `None` for the start, and for one who has left or was moved.
    fn member(&self, group: &str, cursor: Cursor) -> Option<&str> {
        self.rings.get(group)?.get(&cursor.key).map(String::as_str)
    }

    /// The same in words.
    pub(super) fn place(&self, team: &str, group: &str, cursor: Cursor) -> Option<String> {
        if cursor.key == 0 {
            return None;
        }
        Some(match self.member(group, cursor) {
            Some(member) => match member.split_once(':') {
                Some((kind, id)) => format!("{kind} {id}"),
                None => self.rep(&names::rep(team, member)),
            },
            None => "a member who has left since, or was moved".to_owned(),
        })
    }
}

/// The answer, or `None` if it is no longer there.
fn there<T>(answer: Result<T, client::Error>, name: &str) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(client::Error::Refused(status)) if status.code() == tonic::Code::NotFound => Ok(None),
        Err(error) => Err(to(format!("look up `{}`", names::id(name)))(error)),
    }
}

/// The rings that a decision looked at.
fn groups(assignment: &Assignment) -> BTreeSet<String> {
    cursors(assignment).map(|(group, _)| group.to_owned()).collect()
}

/// Where the rings stood and went.
fn cursors(assignment: &Assignment) -> impl Iterator<Item = (&str, Cursor)> {
    let traces = assignment.decision.iter().flat_map(|decision| &decision.targets);
    traces.flat_map(|trace| {
        let outer = match trace.target.as_ref().and_then(|target| target.kind.as_ref()) {
            Some(Kind::Group(group)) => {
                Some((group.as_str(), [trace.cursor_before, trace.cursor_after]))
            }
            Some(Kind::Owner(_) | Kind::Rep(_)) | None => None,
        };
        let inner = trace
            .inner_moves
            .iter()
            .map(|ring| (ring.group.as_str(), [ring.cursor_before, ring.cursor_after]));
        let rings = outer.into_iter().chain(inner);
        rings.flat_map(|(group, both)| both.into_iter().flatten().map(move |at| (group, at)))
    })
}

/// The reps whom an assignment names.
fn reps(assignment: &Assignment) -> BTreeSet<String> {
    let traces = assignment.decision.iter().flat_map(|decision| &decision.targets);
    let passed_over = traces.flat_map(|trace| trace.passed_over.iter().map(|one| &one.rep));
    let history = assignment.history.iter().map(|step| &step.rep);
    let all = passed_over.chain(history).chain(&assignment.rejected_by);
    let all = all.chain([&assignment.rep, &assignment.requested_rep]);
    all.filter(|name| !name.is_empty()).cloned().collect()
}
