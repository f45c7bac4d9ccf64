//! One team to play with, in few words: `A B*3` is a list of members with their weights.

use std::collections::BTreeMap;

use turnwise::routing::{
    Assigned, Campaign, CampaignId, Command, ContactId, Cursor, GroupId, LogPosition, MemberSpec,
    Operation, Outcome, OwnerKind, OwnerRef, OwnerType, Rejection, Rep, RepId, Reply, RequestId,
    RequestKey, Stamp, State, Target, TargetKind, TeamId, Time, Via, Warning,
};

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) now: u64,
    pub(crate) index: u64,
    contacts: u64,
}

pub(crate) fn team() -> TeamId {
    TeamId::new("t")
}
pub(crate) fn rep(id: &str) -> RepId {
    RepId::new(id)
}
pub(crate) fn group(id: &str) -> GroupId {
    GroupId::new(id)
}
pub(crate) fn campaign(id: &str) -> CampaignId {
    CampaignId::new(id)
}
pub(crate) fn via(id: &str) -> Via {
    Via::Campaign(campaign(id))
}

pub(crate) fn members(list: &str) -> Vec<MemberSpec> {
    let member = |word: &str| {
        let (id, weight) = word.split_once('*').unwrap_or((word, "1"));
        MemberSpec { rep: rep(id), weight: weight.parse().unwrap() }
    };
    list.split_whitespace().map(member).collect()
}

fn target(kind: TargetKind) -> Target {
    Target { kind, include_unavailable: false }
}
pub(crate) fn to_owner() -> Target {
    target(TargetKind::Owner(vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account]))
}
pub(crate) fn to_group(id: &str) -> Target {
    target(TargetKind::Group(group(id)))
}
pub(crate) fn to_rep(id: &str) -> Target {
    target(TargetKind::Rep(rep(id)))
}
pub(crate) fn even_if_out(target: Target) -> Target {
    Target { include_unavailable: true, ..target }
}

/// An owner who is a user with this email.
pub(crate) fn owner(kind: OwnerKind, email: &str) -> OwnerRef {
    let email = Some(email.to_owned());
    OwnerRef { kind, owner_type: OwnerType::User, email, external_id: None }
}
/// The lead owner, by the email that `World::reps` gives.
pub(crate) fn owned_by(id: &str) -> OwnerRef {
    owner(OwnerKind::Lead, &email(id))
}
pub(crate) fn email(id: &str) -> String {
    format!("{}@example.com", id.to_lowercase())
}

impl World {
    /// A team with these reps and no groups but the default one.
    pub(crate) fn with_reps(list: &str) -> Self {
        let mut world = Self { state: State::new(), now: 1_000, index: 0, contacts: 0 };
        world.ok(Operation::CreateTeam { display_name: "T".into() });
        list.split_whitespace().for_each(|id| drop(world.create_rep(id).unwrap()));
        world
    }

    /// A running campaign `c` over a group `g` with these members, who are all reps.
    pub(crate) fn with_ring(list: &str) -> Self {
        let ids: Vec<String> = members(list).iter().map(|m| m.rep.to_string()).collect();
        let mut world = Self::with_reps(&ids.join(" "));
        world.create_group("g", list).unwrap();
        world.run_campaign("c", vec![to_group("g")]);
        world
    }

    /// The same place and time over another state.
    pub(crate) fn over(&self, state: State) -> Self {
        Self { state, now: self.now, index: self.index, contacts: self.contacts }
    }

    pub(crate) fn send(
        &mut self,
        request: Option<RequestKey>,
        operation: Operation,
    ) -> Result<Reply, Rejection> {
        self.index += 1;
        let position = LogPosition { log_index: self.index, seq: 0, term: 1 };
        let principal = "admin".to_owned();
        let command = Command { request, principal, team: team(), operation };
        let answer = self.state.apply(&command, Stamp { time: Time(self.now), position });
        assert_eq!(self.state.hash(), self.state.recomputed_hash(), "{command:?}");
        answer
    }

    pub(crate) fn do_(&mut self, operation: Operation) -> Result<Outcome, Rejection> {
        self.send(None, operation).map(|reply| reply.outcome)
    }

    pub(crate) fn ok(&mut self, operation: Operation) -> Outcome {
        self.do_(operation).unwrap()
    }

    /// Sends what must be refused, and sees that nothing changed.
    pub(crate) fn refused(&mut self, operation: Operation) -> Rejection {
        let before = self.state.clone();
        let rejection = self.do_(operation).unwrap_err();
        assert!(self.state == before, "a refusal changes nothing");
        rejection
    }

    pub(crate) fn create_rep(&mut self, id: &str) -> Result<Outcome, Rejection> {
        self.do_(new_rep(id))
    }

    pub(crate) fn create_group(&mut self, id: &str, list: &str) -> Result<Outcome, Rejection> {
        let members = members(list);
        self.do_(Operation::CreateGroup { group: group(id), display_name: id.into(), members })
    }

    pub(crate) fn add(&mut self, to: &str, list: &str) {
        self.ok(Operation::AddGroupMembers { group: group(to), members: members(list) });
    }

    pub(crate) fn remove(&mut self, from: &str, id: &str) {
        self.ok(remove(from, id));
    }

    pub(crate) fn draft(
        &mut self,
        id: &str,
        targets: Option<Vec<Target>>,
    ) -> (Campaign, Vec<Warning>) {
        let display_name = id.into();
        let outcome =
            self.ok(Operation::CreateCampaign { campaign: campaign(id), display_name, targets });
        let Outcome::Campaign(campaign, warnings) = outcome else { panic!("{outcome:?}") };
        (campaign, warnings)
    }

    pub(crate) fn run_campaign(&mut self, id: &str, targets: Vec<Target>) {
        self.draft(id, Some(targets));
        self.ok(launch(id));
    }

    pub(crate) fn out(&mut self, id: &str) {
        self.ok(out(id));
    }

    pub(crate) fn back(&mut self, id: &str) {
        self.ok(Operation::ClearOutOfOffice { rep: rep(id), start: None, end: None });
    }

    pub(crate) fn assign(&mut self, contact: &str, via: &Via, owners: &[OwnerRef]) -> Assigned {
        assigned(self.ok(assign(contact, via, owners)))
    }

    /// Who gets the next contact, one that was never seen; `-` for nobody.
    pub(crate) fn next(&mut self, id: &str) -> String {
        self.next_of(id, &[])
    }

    pub(crate) fn next_of(&mut self, id: &str, owners: &[OwnerRef]) -> String {
        self.contacts += 1;
        let contact = format!("contact-{}", self.contacts);
        let rep = self.assign(&contact, &via(id), owners).assignment.rep;
        rep.map_or_else(|| "-".to_owned(), |rep| rep.to_string())
    }

    /// Who gets the next `n` contacts of campaign `id`.
    pub(crate) fn picks(&mut self, id: &str, n: usize) -> String {
        (0..n).map(|_| self.next(id)).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn rep(&self, id: &str) -> Rep {
        self.state.rep(&team(), &rep(id)).unwrap()
    }

    pub(crate) fn member_names(&self, id: &str) -> String {
        let group = self.state.group(&team(), &group(id)).unwrap();
        group.members.iter().map(|m| m.rep.to_string()).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn cursor(&self, of: &str, under: &str) -> Cursor {
        let under = campaign(under);
        let now = self.state.time();
        self.state.rotation(&team(), &group(of), Some(&under), 0, now).unwrap().cursor
    }
}

pub(crate) fn assigned(outcome: Outcome) -> Assigned {
    let Outcome::Assigned(assigned) = outcome else { panic!("{outcome:?}") };
    assigned
}

pub(crate) fn new_rep(id: &str) -> Operation {
    Operation::CreateRep {
        rep: rep(id),
        display_name: id.into(),
        email: Some(email(id)),
        external_ids: BTreeMap::from([("crm".into(), format!("id-{id}"))]),
        disabled: false,
    }
}
pub(crate) fn assign(contact: &str, via: &Via, owners: &[OwnerRef]) -> Operation {
    let (contact, via, owners) = (ContactId::new(contact), via.clone(), owners.to_vec());
    Operation::AssignContact { contact, via, owners }
}
pub(crate) fn launch(id: &str) -> Operation {
    Operation::LaunchCampaign { campaign: campaign(id) }
}
pub(crate) fn cancel(id: &str) -> Operation {
    Operation::CancelCampaign { campaign: campaign(id) }
}
pub(crate) fn retarget(id: &str, targets: Vec<Target>) -> Operation {
    let (campaign, targets) = (campaign(id), Some(Some(targets)));
    Operation::UpdateCampaign { campaign, targets, display_name: None }
}
pub(crate) fn remove(from: &str, id: &str) -> Operation {
    Operation::RemoveGroupMember { group: group(from), rep: rep(id) }
}
pub(crate) fn delete_rep(id: &str) -> Operation {
    Operation::DeleteRep { rep: rep(id) }
}
pub(crate) fn delete_group(id: &str) -> Operation {
    Operation::DeleteGroup { group: group(id) }
}
pub(crate) fn out(id: &str) -> Operation {
    Operation::SetOutOfOffice { rep: rep(id), start: None, end: None, note: String::new() }
}
pub(crate) fn out_between(id: &str, start: u64, end: u64) -> Operation {
    let (start, end) = (Some(Time(start)), Some(Time(end)));
    Operation::SetOutOfOffice { rep: rep(id), start, end, note: String::new() }
}
pub(crate) fn key(id: &str, fingerprint: u128) -> Option<RequestKey> {
    Some(RequestKey { id: RequestId::new(id), fingerprint })
}

/// The name of a refusal.
pub(crate) fn name(rejection: &Rejection) -> String {
    let text = format!("{rejection:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
}
