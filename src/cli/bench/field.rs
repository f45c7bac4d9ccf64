//! The team that is played with: its groups, who is asked for which number, and its end.

use std::num::NonZeroU64;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rand::{
    SeedableRng as _,
    distr::{Distribution as _, weighted::WeightedIndex},
    rngs::SmallRng,
};

use crate::{
    cli::{
        change::say,
        failure::{Failure, to},
        names,
    },
    client::Client,
    proto::turnwise::v1::{
        AddGroupMemberRequest, AssignContactRequest, CloseAssignmentRequest, CreateGroupRequest,
        CreateRepRequest, CreateTeamRequest, DeleteTeamRequest, Group, GroupMember,
        ListAssignmentsRequest, Rep, SetOutOfOfficeRequest, assign_contact_request::Via,
        group_member::Member,
    },
};

/// Groups, where there are several.
const GROUPS: usize = 100;
/// Draws of a group, made once and gone through again and again.
const DRAWS: usize = 1 << 14;
/// Calls under way while the team is made and unmade.
const CONCURRENCY: usize = 64;
/// Members that are added to a group by one call.
const CHUNK: usize = 500;

/// How contacts are spread over groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Keys {
    /// One hot group
    One,
    /// 100 groups, evenly
    Hundred,
    /// 100 groups, the n-th of them 1/n as often as the first
    Zipf,
}

impl Keys {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Hundred => "hundred",
            Self::Zipf => "zipf",
        }
    }
}

#[derive(Debug)]
pub(super) struct Field {
    team: String,
    parent: String,
    groups: Vec<String>,
    /// Which group a number is for, by the number's place in it.
    draws: Vec<usize>,
    group_size: u32,
}

impl Field {
    pub(super) fn new(keys: Keys, group_size: u32) -> Self {
        let team = format!("bench-{:08x}", rand::random::<u32>());
        let count = if keys == Keys::One { 1 } else { GROUPS };
        let groups: Vec<_> =
            (0..count).map(|group| names::group(&team, &id("group", group))).collect();
        let draws = match keys {
            Keys::One => vec![0],
            Keys::Hundred => (0..count).collect(),
            Keys::Zipf => zipf(count),
        };
        Self { parent: names::team(&team), team, groups, draws, group_size }
    }

    pub(super) fn team(&self) -> &str {
        &self.team
    }

    pub(super) fn describe(&self, is_one_in: bool) -> String {
        let who = if is_one_in { ", all but one out of office" } else { "" };
        let groups = if self.groups.len() == 1 { "group" } else { "groups" };
        format!("{} reps{who}, in {} {groups}", self.group_size, self.groups.len())
    }

    /// Assigns the contact of this number.
    pub(super) fn request(&self, number: u64) -> AssignContactRequest {
        let draws = NonZeroU64::new(u64::try_from(self.draws.len()).unwrap_or(1));
        let place = number % draws.unwrap_or(NonZeroU64::MIN);
        let draw = usize::try_from(place).ok().and_then(|place| self.draws.get(place));
        let group = draw.and_then(|draw| self.groups.get(*draw));
        AssignContactRequest {
            parent: self.parent.clone(),
            contact: format!("contact-{number:09}"),
            via: Some(Via::Group(group.cloned().unwrap_or_default())),
            ..AssignContactRequest::default()
        }
    }

    fn rep(&self, rep: u32) -> String {
        names::rep(&self.team, &rep_id(rep))
    }

    /// Makes team, reps and groups.
    pub(super) async fn set_up(&self, client: &Client, is_one_in: bool) -> Result<(), Failure> {
        let team = CreateTeamRequest { team_id: self.team.clone(), ..CreateTeamRequest::default() };
        client.call(team).await.map_err(to("create a team to play with"))?;
        let create = |rep| CreateRepRequest {
            parent: self.parent.clone(),
            rep_id: rep_id(rep),
            rep: Some(Rep { display_name: format!("Rep {rep}"), ..Rep::default() }),
            ..CreateRepRequest::default()
        };
        self.all_reps(client, 0, create, "create a rep").await?;
        stream::iter(&self.groups)
            .map(|group| self.create_group(client, group))
            .buffer_unordered(CONCURRENCY)
            .try_collect::<()>()
            .await?;
        if is_one_in {
            let away = |rep| SetOutOfOfficeRequest {
                name: self.rep(rep),
                ..SetOutOfOfficeRequest::default()
            };
            self.all_reps(client, 1, away, "send a rep away").await?;
        }
        Ok(())
    }

    /// A call for each rep from this one on.
    async fn all_reps<C: crate::client::Call>(
        &self,
        client: &Client,
        from: u32,
        request: impl Fn(u32) -> C,
        what: &str,
    ) -> Result<(), Failure> {
        stream::iter(from..self.group_size)
            .map(|rep| {
                let request = request(rep);
                async move { client.call(request).await.map(|_| ()).map_err(to(what)) }
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect::<()>()
            .await
    }

    async fn create_group(&self, client: &Client, group: &str) -> Result<(), Failure> {
        let member = |rep: u32| GroupMember {
            member: Some(Member::Rep(self.rep(rep))),
            ..GroupMember::default()
        };
        let mut members = (0..self.group_size).map(member);
        let first: Vec<_> = members.by_ref().take(CHUNK).collect();
        let request = CreateGroupRequest {
            parent: self.parent.clone(),
            group_id: names::id(group).to_owned(),
            group: Some(Group { members: first, ..Group::default() }),
            ..CreateGroupRequest::default()
        };
        client.call(request).await.map_err(to("create a group"))?;
        loop {
            let chunk: Vec<_> = members.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            let request = AddGroupMemberRequest {
                name: group.to_owned(),
                members: chunk,
                ..AddGroupMemberRequest::default()
            };
            client.call(request).await.map_err(to("add members to a group"))?;
        }
    }

    /// Closes all that was assigned, and deletes the team.
    pub(super) async fn remove(&self, client: &Client) -> Result<(), Failure> {
        say(&format!("removing team `{}`", self.team));
        let stays = |failure: Failure| {
            failure.advise(format!("Team `{}` stays; nothing else was touched.", self.team))
        };
        let mut page_token = String::new();
        loop {
            let request = ListAssignmentsRequest {
                parent: self.parent.clone(),
                page_size: 1_000,
                page_token,
                ..ListAssignmentsRequest::default()
            };
            let page =
                client.call(request).await.map_err(to("list what was assigned")).map_err(stays)?;
            stream::iter(page.assignments)
                .map(|assignment| async move {
                    let name = assignment.name;
                    let request =
                        CloseAssignmentRequest { name, ..CloseAssignmentRequest::default() };
                    client.call(request).await.map(|_| ()).map_err(to("close an assignment"))
                })
                .buffer_unordered(CONCURRENCY)
                .try_collect::<()>()
                .await
                .map_err(stays)?;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let request =
            DeleteTeamRequest { name: self.parent.clone(), ..DeleteTeamRequest::default() };
        client.call(request).await.map(|_| ()).map_err(to("delete the team")).map_err(stays)
    }
}

fn id(what: &str, number: usize) -> String {
    format!("{what}-{number:03}")
}

fn rep_id(rep: u32) -> String {
    format!("rep-{rep:06}")
}

/// Groups by Zipf's law with exponent 1; the same at each start.
fn zipf(count: usize) -> Vec<usize> {
    let ranks = 1..=u32::try_from(count).unwrap_or(u32::MAX);
    let weights = WeightedIndex::new(ranks.map(|rank| 1.0 / f64::from(rank)));
    let weights = weights.expect("there are weights, all above zero");
    let mut random = SmallRng::seed_from_u64(0);
    (0..DRAWS).map(|_| weights.sample(&mut random)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Field, Keys, Via};

    fn counts(keys: Keys) -> Vec<usize> {
        let field = Field::new(keys, 3);
        let mut counts = vec![0; field.groups.len()];
        for number in 0..20_000 {
            let Some(Via::Group(group)) = field.request(number).via else { panic!("by a group") };
            counts[field.groups.iter().position(|known| *known == group).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn contacts_are_spread_as_asked() {
        assert_eq!(counts(Keys::One), [20_000]);
        assert_eq!(counts(Keys::Hundred), [200; 100]);
        let zipf = counts(Keys::Zipf);
        // 1/H(100) = 19.3% of all; the tenth gets a tenth of that.
        assert!((3_600..4_100).contains(&zipf[0]), "{zipf:?}");
        assert!((300..480).contains(&zipf[9]), "{zipf:?}");
        assert!(zipf.iter().all(|count| *count > 0), "{zipf:?}");
    }

    #[test]
    fn no_two_numbers_are_one_contact() {
        let field = Field::new(Keys::Zipf, 3);
        let contacts: std::collections::BTreeSet<_> =
            (0..1_000).map(|number| field.request(number).contact).collect();
        assert_eq!(contacts.len(), 1_000);
    }
}
