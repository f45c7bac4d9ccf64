//! The difference between a file and a team: what has to be created for the team to hold the file.
//!
//! Pure. It only adds: a rep or member who is not in the file stays as they are.

use std::collections::{HashMap, HashSet};

use super::rows::Person;
use crate::{
    cli::{names, text},
    proto::turnwise::v1::{Group, Rep, group_member::Member},
};

/// The system under which the name as written is kept as external id.
pub(super) const SYSTEM: &str = "import";

/// The service takes this many members in one call.
const MEMBERS_PER_CALL_MAX: usize = 1_000;

/// One call to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    CreateRep { id: String, name: String, email: Option<String> },
    CreateGroup { id: String, name: String, members: Vec<String> },
    AddMembers { group: String, members: Vec<String> },
}

/// What has to be done, in order: reps as in the file, then groups as they first appear in it.
///
/// Problems are rows that contradict the team: they are named by line, and nothing is to be done.
pub(super) fn plan(
    people: &[Person],
    reps: &[Rep],
    groups: &[Group],
) -> Result<Vec<Change>, Vec<String>> {
    let by_id: HashMap<&str, &Rep> = reps.iter().map(|rep| (names::id(&rep.name), rep)).collect();
    let email_of: HashMap<String, &Rep> = reps
        .iter()
        .filter(|rep| !rep.email.is_empty())
        .map(|rep| (text::normal_email(&rep.email), rep))
        .collect();
    let name_of: HashMap<&str, &Rep> =
        reps.iter().filter_map(|rep| Some((rep.external_ids.get(SYSTEM)?.as_str(), rep))).collect();

    let mut changes = Vec::new();
    let mut problems = Vec::new();
    for person in people {
        let Person { line, id, name, email, group: _ } = person;
        let taken_by = email.as_ref().and_then(|email| email_of.get(email));
        if let Some(other) = taken_by.filter(|rep| names::id(&rep.name) != id) {
            let other = names::id(&other.name);
            problems.push(format!("line {line}: the email belongs to rep `{other}`"));
        } else if let Some(rep) = by_id.get(id.as_str()) {
            problems.extend(difference(person, rep));
        } else if let Some(other) = name_of.get(name.as_str()) {
            let other = names::id(&other.name);
            problems.push(format!("line {line}: rep `{other}` was imported under this name"));
        } else {
            let (id, name) = (id.clone(), name.clone());
            changes.push(Change::CreateRep { id, name, email: email.clone() });
        }
    }
    changes.extend(memberships(people, groups));
    if problems.is_empty() { Ok(changes) } else { Err(problems) }
}

/// What a rep who is there already has otherwise than the row says.
fn difference(person: &Person, rep: &Rep) -> Option<String> {
    let Person { line, id, name, email, group: _ } = person;
    let imported = rep.external_ids.get(SYSTEM);
    if imported.is_some_and(|imported| imported != name) {
        let imported = imported.map_or("", String::as_str);
        return Some(format!("line {line}: rep `{id}` was imported as `{imported}`, not `{name}`"));
    }
    if imported.is_none() {
        return Some(format!(
            "line {line}: rep `{id}` is there already and was not imported; delete them or change \
             the name"
        ));
    }
    let known = Some(text::normal_email(&rep.email)).filter(|email| !email.is_empty());
    if email.is_some() && *email != known {
        return Some(format!("line {line}: rep `{id}` has another email"));
    }
    None
}

fn memberships(people: &[Person], groups: &[Group]) -> Vec<Change> {
    let present: HashMap<&str, HashSet<&str>> = groups
        .iter()
        .map(|group| {
            let members = group.members.iter().filter_map(|member| match &member.member {
                Some(Member::Rep(rep)) => Some(names::id(rep)),
                Some(Member::Option(_) | Member::Group(_)) | None => None,
            });
            (names::id(&group.name), members.collect())
        })
        .collect();
    let mut order: Vec<(&str, &str)> = Vec::new();
    let mut missing: HashMap<&str, Vec<String>> = HashMap::new();
    for person in people {
        let Some(group) = &person.group else { continue };
        let list = missing.entry(&group.id).or_insert_with(|| {
            order.push((&group.id, &group.name));
            Vec::new()
        });
        let there = present.get(group.id.as_str());
        if there.is_none_or(|members| !members.contains(person.id.as_str())) {
            list.push(person.id.clone());
        }
    }
    let mut changes = Vec::new();
    for (id, name) in order {
        let members = missing.remove(id).unwrap_or_default();
        let mut calls = members.chunks(MEMBERS_PER_CALL_MAX).map(<[String]>::to_vec);
        if !present.contains_key(id)
            && let Some(members) = calls.next()
        {
            changes.push(Change::CreateGroup { id: id.to_owned(), name: name.to_owned(), members });
        }
        changes.extend(calls.map(|members| Change::AddMembers { group: id.to_owned(), members }));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::{Change, SYSTEM, plan};
    use crate::{
        cli::import::rows::{Columns, Person, read},
        proto::turnwise::v1::{Group, GroupMember, Rep, group_member::Member},
    };

    fn people(file: &str) -> Vec<Person> {
        let columns = Columns { name: "name", email: Some("email"), group: Some("group") };
        read(format!("name,group,email\n{file}").as_bytes(), &columns).unwrap()
    }

    /// The team after a plan was carried out, in whole or in part.
    #[derive(Default)]
    struct Team {
        reps: Vec<Rep>,
        groups: Vec<Group>,
    }

    impl Team {
        fn make(&mut self, change: &Change) {
            let member = |rep: &String| GroupMember {
                member: Some(Member::Rep(format!("teams/t/reps/{rep}"))),
                ..GroupMember::default()
            };
            match change {
                Change::CreateRep { id, name, email } => self.reps.push(Rep {
                    name: format!("teams/t/reps/{id}"),
                    display_name: name.clone(),
                    email: email.clone().unwrap_or_default(),
                    external_ids: [(SYSTEM.to_owned(), name.clone())].into(),
                    ..Rep::default()
                }),
                Change::CreateGroup { id, name: _, members } => self.groups.push(Group {
                    name: format!("teams/t/groups/{id}"),
                    members: members.iter().map(member).collect(),
                    ..Group::default()
                }),
                Change::AddMembers { group, members } => {
                    let name = format!("teams/t/groups/{group}");
                    let group = self.groups.iter_mut().find(|group| group.name == name).unwrap();
                    group.members.extend(members.iter().map(member));
                }
            }
        }

        fn plan(&self, people: &[Person]) -> Result<Vec<Change>, Vec<String>> {
            plan(people, &self.reps, &self.groups)
        }
    }

    const FILE: &str = "Cem,West,\nAna B.,East,ana@example.com\nBo,West,\nDora,,\n";

    #[test]
    fn an_empty_team_gets_reps_and_groups_in_the_order_of_the_file() {
        let changes = Team::default().plan(&people(FILE)).unwrap();
        let ids: Vec<String> = changes
            .iter()
            .map(|change| match change {
                Change::CreateRep { id, .. } => id.clone(),
                Change::CreateGroup { id, members, .. } => format!("{id}: {}", members.join(" ")),
                Change::AddMembers { .. } => panic!("nothing to add to"),
            })
            .collect();
        assert_eq!(ids, ["cem", "ana-b", "bo", "dora", "west: cem bo", "east: ana-b"]);
    }

    #[test]
    fn running_it_again_changes_nothing_and_finishes_what_an_interruption_left() {
        let people = people(FILE);
        let whole = Team::default().plan(&people).unwrap();
        for done in 0..=whole.len() {
            let mut team = Team::default();
            whole[..done].iter().for_each(|change| team.make(change));
            assert_eq!(team.plan(&people).unwrap(), whole[done..], "after {done} changes");
        }
    }

    #[test]
    fn a_new_row_is_added_at_the_end_of_its_group_and_others_stay() {
        let mut team = Team::default();
        let before = team.plan(&people(FILE)).unwrap();
        before.iter().for_each(|change| team.make(change));
        let changes = team.plan(&people("Emil,West,\nCem,West,\n")).unwrap();
        let (id, name) = ("emil".to_owned(), "Emil".to_owned());
        let members = vec!["emil".to_owned()];
        let expected = [
            Change::CreateRep { id, name, email: None },
            Change::AddMembers { group: "west".to_owned(), members },
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_row_that_contradicts_the_team_is_named_by_its_line() {
        let mut team = Team::default();
        let before = team.plan(&people(FILE)).unwrap();
        before.iter().for_each(|change| team.make(change));
        team.reps.push(Rep { name: "teams/t/reps/by-hand".to_owned(), ..Rep::default() });
        let problems = team
            .plan(&people("ANA B.,,\nBo,,bo@example.com\nFay,,Ana@Example.com\nBy Hand,,\nCem,,\n"))
            .unwrap_err();
        let lines: Vec<&str> =
            problems.iter().map(|problem| problem.split_once(':').unwrap().0).collect();
        assert_eq!(lines, ["line 2", "line 3", "line 4", "line 5"], "{problems:#?}");
    }

    #[test]
    fn a_large_group_is_made_in_calls_that_the_service_takes() {
        let file: String = (0..2_500).map(|n| format!("Rep {n},Big,\n")).collect();
        let changes = Team::default().plan(&people(&file)).unwrap();
        let sizes: Vec<usize> = changes
            .iter()
            .filter_map(|change| match change {
                Change::CreateRep { .. } => None,
                Change::CreateGroup { members, .. } | Change::AddMembers { members, .. } => {
                    Some(members.len())
                }
            })
            .collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);
    }
}
