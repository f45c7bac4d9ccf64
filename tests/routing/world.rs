//! One team to play with, in few words: `A B*3` is a list of members with their weights.

use std::{collections::BTreeMap, sync::Arc};

use turnwise::routing::{
    Assign, Assignment, AssignmentFilter, AssignmentId, Campaign, CampaignId, Command, ContactId,
    Cursor, Event, GroupId, GroupKind, GroupSettings, Labels, LogPosition, MemberName, MemberSpec,
    OpenAssignments, Operation, OptionId, Outcome, OwnerKind, OwnerRef, OwnerType, Rejection, Rep,
    RepChange, RepId, RepSettings, Reply, RequestId, RequestKey, RotationView, Route, RuleId,
    Stamp, State, Target, TargetKind, TeamId, Time, Via, Warning,
};

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) now: u64,
    pub(crate) index: u64,
    /// What watchers were told by the last command.
    pub(crate) events: Vec<Event>,
    contacts: u64,
}

/// The answer to an assign, as a copy to take apart.
pub(crate) struct Assigned {
    pub(crate) assignment: Assignment,
    pub(crate) existing: bool,
}

/// In microseconds.
pub(crate) const SECOND: u64 = 1_000_000;
pub(crate) const HOUR: u64 = 3_600 * SECOND;
pub(crate) const DAY: u64 = 24 * HOUR;

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
pub(crate) fn rule(id: &str) -> RuleId {
    RuleId::new(id)
}
pub(crate) fn via(id: &str) -> Via {
    Via::Campaign(campaign(id))
}
pub(crate) fn by_rule(id: &str) -> Via {
    Via::Rule(rule(id))
}

pub(crate) fn member(id: &str) -> MemberName {
    MemberName::Rep(rep(id))
}
pub(crate) fn option(id: &str) -> MemberName {
    MemberName::Option(OptionId::new(id))
}

/// Members made of the words of a list, each with its weight.
fn specs(list: &str, name: impl Fn(&str) -> MemberName) -> Vec<MemberSpec> {
    let spec = |word: &str| {
        let (id, weight) = word.split_once('*').unwrap_or((word, "1"));
        let (member, weight) = (name(id), weight.parse().unwrap());
        MemberSpec { member, payload: String::new(), weight }
    };
    list.split_whitespace().map(spec).collect()
}
pub(crate) fn members(list: &str) -> Vec<MemberSpec> {
    specs(list, member)
}
/// Options, and in brackets nested groups: `1 [g] 2*3`.
pub(crate) fn options(list: &str) -> Vec<MemberSpec> {
    specs(list, |id| match id.strip_prefix('[').and_then(|id| id.strip_suffix(']')) {
        Some(id) => MemberName::Group(group(id)),
        None => option(id),
    })
}

pub(crate) fn to_owner() -> Target {
    Target::new(TargetKind::Owner(vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account]))
}
pub(crate) fn to_group(id: &str) -> Target {
    Target::new(TargetKind::Group(group(id)))
}
pub(crate) fn to_rep(id: &str) -> Target {
    Target::new(TargetKind::Rep(rep(id)))
}
pub(crate) fn even_if_out(target: Target) -> Target {
    Target { include_unavailable: true, ..target }
}
pub(crate) fn if_online(target: Target) -> Target {
    Target { require_online: true, ..target }
}
pub(crate) fn waiting(wait_us: u64, target: Target) -> Target {
    Target { wait_us, ..target }
}
pub(crate) fn offering(accept_timeout_us: u64, target: Target) -> Target {
    Target { accept_timeout_us, ..target }
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
        let (state, events) = (State::new(), Vec::new());
        let mut world = Self { state, now: 1_000, index: 0, events, contacts: 0 };
        world.ok(new_team());
        list.split_whitespace().for_each(|id| drop(world.create_rep(id).unwrap()));
        world
    }

    /// A running campaign `c` over a group `g` with these members, who are all reps.
    pub(crate) fn with_ring(list: &str) -> Self {
        let ids: Vec<String> = list
            .split_whitespace()
            .map(|word| word.split('*').next().unwrap().to_owned())
            .collect();
        let mut world = Self::with_reps(&ids.join(" "));
        world.create_group("g", list).unwrap();
        world.run_campaign("c", vec![to_group("g")]);
        world
    }

    /// A running campaign `c` over a group `g` of these options, and a rep who gets none.
    pub(crate) fn with_options(list: &str) -> Self {
        let mut world = Self::with_reps("A");
        world.create_options("g", list).unwrap();
        world.run_campaign("c", vec![to_group("g")]);
        world
    }

    /// The same place and time over another state.
    pub(crate) fn over(&self, state: State) -> Self {
        let (now, index, contacts) = (self.now, self.index, self.contacts);
        Self { state, now, index, events: Vec::new(), contacts }
    }

    pub(crate) fn send(
        &mut self,
        request: Option<RequestKey>,
        operation: Operation,
    ) -> Result<Reply, Rejection> {
        let (principal, team, etag) = ("admin".into(), team(), None);
        self.command(&Command { request, principal, team, etag, operation })
    }

    pub(crate) fn command(&mut self, command: &Command) -> Result<Reply, Rejection> {
        self.index += 1;
        let position = LogPosition { log_index: self.index, seq: 0, term: 1 };
        let stamp = Stamp { time: Time(self.now), position };
        self.events.clear();
        let answer = self.state.apply_telling(command, stamp, &mut self.events);
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
        assert!(self.events.is_empty(), "and nobody is told of it");
        rejection
    }

    pub(crate) fn create_rep(&mut self, id: &str) -> Result<Outcome, Rejection> {
        self.do_(new_rep(id))
    }

    pub(crate) fn create_group(&mut self, id: &str, list: &str) -> Result<Outcome, Rejection> {
        self.do_(new_group(id, GroupSettings::default(), members(list)))
    }

    pub(crate) fn create_options(&mut self, id: &str, list: &str) -> Result<Outcome, Rejection> {
        self.do_(new_group(id, of_options(), options(list)))
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
        let route = targets.map_or(Route::Default, Route::Targets);
        self.draft_by(id, route)
    }

    pub(crate) fn draft_by(&mut self, id: &str, route: Route) -> (Campaign, Vec<Warning>) {
        let (campaign, display_name, labels) = (campaign(id), id.into(), Labels::new());
        let operation = Operation::CreateCampaign { campaign, display_name, labels, route };
        let outcome = self.ok(operation);
        let Outcome::Campaign(campaign, warnings) = outcome else { panic!("{outcome:?}") };
        (campaign, warnings)
    }

    pub(crate) fn run_campaign(&mut self, id: &str, targets: Vec<Target>) {
        self.draft(id, Some(targets));
        self.ok(launch(id));
    }

    pub(crate) fn create_rule(&mut self, id: &str, targets: Vec<Target>) {
        self.ok(new_rule(id, targets));
    }

    pub(crate) fn out(&mut self, id: &str) {
        self.ok(out(id));
    }

    pub(crate) fn back(&mut self, id: &str) {
        self.ok(Operation::ClearOutOfOffice { rep: rep(id), start: None, end: None });
    }

    /// Online for an hour.
    pub(crate) fn online(&mut self, id: &str) {
        self.ok(online(id, HOUR));
    }

    pub(crate) fn offline(&mut self, id: &str) {
        self.ok(Operation::SetPresence { rep: rep(id), online: false, ttl_us: 0 });
    }

    pub(crate) fn limit(&mut self, id: &str, max_open: u32) {
        self.ok(change_rep(id, RepChange { max_open: Some(max_open), ..RepChange::default() }));
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
        taker(&self.assign(&contact, &via(id), owners).assignment)
    }

    /// Who, or which option, gets the next `n` contacts of campaign `id`.
    pub(crate) fn picks(&mut self, id: &str, n: usize) -> String {
        (0..n).map(|_| self.next(id)).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn rep(&self, id: &str) -> Rep {
        self.state.rep(&team(), &rep(id)).unwrap()
    }

    pub(crate) fn member_names(&self, id: &str) -> String {
        let group = self.state.group(&team(), &group(id)).unwrap();
        group.members.iter().map(|m| named(&m.name)).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn rotation(&self, of: &str, under: Option<&str>, next: usize) -> RotationView {
        let (under, now) = (under.map(campaign), Time(self.now).max(self.state.time()));
        self.state.rotation(&team(), &group(of), under.as_ref(), next, now).unwrap()
    }

    pub(crate) fn cursor(&self, of: &str, under: &str) -> Cursor {
        self.rotation(of, Some(under), 0).cursor
    }

    /// The newest assignment of the contact.
    pub(crate) fn work(&self, contact: &str) -> Assignment {
        self.all_of(Some(contact)).pop().unwrap()
    }

    /// All assignments, or those of a contact, by age.
    pub(crate) fn all_of(&self, contact: Option<&str>) -> Vec<Assignment> {
        let contact = contact.map(ContactId::new);
        let filter = AssignmentFilter { contact, ..AssignmentFilter::default() };
        self.state.assignments(&team(), &filter, None, usize::MAX).unwrap()
    }

    /// Where the contact's newest assignment is: `ASSIGNED A`, `PENDING -`.
    pub(crate) fn at(&self, contact: &str) -> String {
        let work = self.work(contact);
        format!("{} {}", format!("{:?}", work.state).to_uppercase(), taker(&work))
    }

    /// Does something with the contact's newest assignment.
    pub(crate) fn step(
        &mut self,
        contact: &str,
        step: impl Fn(AssignmentId) -> Operation,
    ) -> Assignment {
        let outcome = self.ok(step(self.work(contact).id));
        let Outcome::Assignment(assignment) = outcome else { panic!("{outcome:?}") };
        Arc::unwrap_or_clone(assignment)
    }
}

/// Who has it, or the option it took; `-` for nobody.
pub(crate) fn taker(assignment: &Assignment) -> String {
    let rep = assignment.rep.as_ref().map(ToString::to_string);
    let option = assignment.option.as_ref().map(|picked| picked.option.to_string());
    rep.or(option).unwrap_or_else(|| "-".to_owned())
}

/// The bare id of a member.
pub(crate) fn named(member: &MemberName) -> String {
    match member {
        MemberName::Rep(id) => id.to_string(),
        MemberName::Option(id) => id.to_string(),
        MemberName::Group(id) => format!("[{id}]"),
    }
}

pub(crate) fn assigned(outcome: Outcome) -> Assigned {
    let Outcome::Assigned(assigned) = outcome else { panic!("{outcome:?}") };
    let turnwise::routing::Assigned { assignment, existing } = assigned;
    Assigned { assignment: Arc::unwrap_or_clone(assignment), existing }
}

pub(crate) fn new_team() -> Operation {
    let (labels, time_zone) = (Labels::new(), String::new());
    Operation::CreateTeam { display_name: "T".into(), labels, time_zone }
}
pub(crate) fn settings(id: &str) -> RepSettings {
    RepSettings {
        display_name: id.into(),
        email: Some(email(id)),
        external_ids: BTreeMap::from([("crm".into(), format!("id-{id}"))]),
        ..RepSettings::default()
    }
}
pub(crate) fn new_rep(id: &str) -> Operation {
    Operation::CreateRep { rep: rep(id), settings: settings(id) }
}
pub(crate) fn change_rep(id: &str, change: RepChange) -> Operation {
    Operation::UpdateRep { rep: rep(id), change }
}
pub(crate) fn disable(id: &str) -> Operation {
    change_rep(id, RepChange { disabled: Some(true), ..RepChange::default() })
}
pub(crate) fn online(id: &str, ttl_us: u64) -> Operation {
    Operation::SetPresence { rep: rep(id), online: true, ttl_us }
}
pub(crate) fn of_options() -> GroupSettings {
    GroupSettings { kind: GroupKind::Options, ..GroupSettings::default() }
}
pub(crate) fn new_group(id: &str, settings: GroupSettings, members: Vec<MemberSpec>) -> Operation {
    let settings = GroupSettings { display_name: id.into(), ..settings };
    Operation::CreateGroup { group: group(id), settings, members }
}
pub(crate) fn new_rule(id: &str, targets: Vec<Target>) -> Operation {
    let (rule, display_name, labels) = (rule(id), id.into(), Labels::new());
    Operation::CreateRule { rule, display_name, labels, targets }
}
pub(crate) fn retarget_rule(id: &str, targets: Vec<Target>) -> Operation {
    let (rule, targets) = (rule(id), Some(targets));
    Operation::UpdateRule { rule, display_name: None, labels: None, targets }
}
pub(crate) fn assign(contact: &str, via: &Via, owners: &[OwnerRef]) -> Operation {
    let owners = owners.to_vec();
    Operation::AssignContact(Assign { owners, ..Assign::new(ContactId::new(contact), via.clone()) })
}
pub(crate) fn launch(id: &str) -> Operation {
    Operation::LaunchCampaign { campaign: campaign(id) }
}
pub(crate) fn pause(id: &str) -> Operation {
    Operation::PauseCampaign { campaign: campaign(id) }
}
pub(crate) fn cancel(id: &str) -> Operation {
    Operation::CancelCampaign { campaign: campaign(id) }
}
pub(crate) fn reroute(id: &str, route: Route) -> Operation {
    let (campaign, route) = (campaign(id), Some(route));
    Operation::UpdateCampaign { campaign, display_name: None, labels: None, route }
}
pub(crate) fn retarget(id: &str, targets: Vec<Target>) -> Operation {
    reroute(id, Route::Targets(targets))
}
pub(crate) fn remove(from: &str, id: &str) -> Operation {
    Operation::RemoveGroupMember { group: group(from), member: member(id) }
}
pub(crate) fn delete_rep(id: &str) -> Operation {
    let (rep, open) = (rep(id), OpenAssignments::Keep);
    Operation::DeleteRep { rep, open, allow_missing: false }
}
pub(crate) fn delete_group(id: &str) -> Operation {
    Operation::DeleteGroup { group: group(id), allow_missing: false }
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

// Steps of an assignment's life, for `World::step`.
pub(crate) fn accept(assignment: AssignmentId) -> Operation {
    Operation::AcceptAssignment { assignment, rep: None }
}
pub(crate) fn reject(assignment: AssignmentId) -> Operation {
    Operation::RejectAssignment { assignment, rep: None }
}
pub(crate) fn unassign(assignment: AssignmentId) -> Operation {
    Operation::UnassignAssignment { assignment }
}
pub(crate) fn close(assignment: AssignmentId) -> Operation {
    Operation::CloseAssignment { assignment }
}
pub(crate) fn give_up(assignment: AssignmentId) -> Operation {
    Operation::CancelAssignment { assignment }
}
pub(crate) fn again_by_rule(assignment: AssignmentId) -> Operation {
    Operation::ReassignAssignment { assignment, to: None }
}
pub(crate) fn reassign_to(id: &str) -> impl Fn(AssignmentId) -> Operation {
    let to = Some(rep(id));
    move |assignment| Operation::ReassignAssignment { assignment, to: to.clone() }
}
pub(crate) fn claim_by(id: &str) -> impl Fn(AssignmentId) -> Operation {
    let rep = rep(id);
    move |assignment| Operation::ClaimAssignment { assignment, rep: rep.clone() }
}

/// The name of a refusal.
pub(crate) fn name(rejection: &Rejection) -> String {
    let text = format!("{rejection:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
}
