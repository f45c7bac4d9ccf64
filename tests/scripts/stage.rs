//! A team on a stage: performs the commands of a script and says what came of each.

use std::collections::{BTreeMap, BTreeSet};

use turnwise::routing::{
    Assign, Assignment, AssignmentFilter, AssignmentId, AssignmentState, Bearer, CampaignId,
    Change, Command, ContactId, CursorScope, Event, Group, GroupChange, GroupId, GroupKind,
    GroupSettings, Labels, LogPosition, MemberName, OpenAssignments, Operation, Outcome, PeriodCap,
    Preview, Principal, Rejection, RepChange, RepId, RepSettings, RequestId, RequestKey,
    RestartPolicy, Role, Route, RuleId, SecretHash, Stamp, State, Strategy, TargetTrace, TeamId,
    Time, TokenId, TokenSettings, Via, Warning,
};

use super::words::{self, email, member, members, name, owner, refusal, span, standing, targets};

pub(crate) struct Stage {
    state: State,
    now: u64,
    index: u64,
    fresh: u64,
    options: BTreeSet<String>,
    /// Who asks.
    principal: Principal,
    /// What holders of tokens show, also of those that are gone.
    bearers: BTreeMap<String, Bearer>,
}

impl Default for Stage {
    fn default() -> Self {
        let mut stage = Self {
            state: State::new(),
            now: 1_000_000,
            index: 0,
            fresh: 0,
            options: BTreeSet::new(),
            principal: "ops".into(),
            bearers: BTreeMap::new(),
        };
        let create = Operation::CreateTeam {
            display_name: "T".to_owned(),
            labels: Labels::new(),
            time_zone: String::new(),
        };
        stage.ask(None, create).0.unwrap();
        stage
    }
}

fn team() -> TeamId {
    TeamId::new("t")
}

/// What stands before and after a word.
fn around<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(word).map(|(before, after)| (before.trim(), after.trim()))
}

impl Stage {
    fn ask(
        &mut self,
        request: Option<&str>,
        operation: Operation,
    ) -> (Result<Outcome, Rejection>, Vec<Event>) {
        self.index += 1;
        let fingerprint = xxhash_rust::xxh3::xxh3_128(format!("{operation:?}").as_bytes());
        let request = request.map(|id| RequestKey { id: RequestId::new(id), fingerprint });
        let position = LogPosition { log_index: self.index, seq: 0, term: 1 };
        let principal = self.principal.clone();
        let command = Command { request, principal, team: team(), etag: None, operation };
        let mut events = Vec::new();
        let stamp = Stamp { time: Time(self.now), position };
        let answer = self.state.apply_telling(&command, stamp, &mut events);
        assert_eq!(self.state.hash(), self.state.recomputed_hash());
        (answer.map(|reply| reply.outcome), events)
    }

    fn group(&self, id: &str) -> Group {
        self.state.group(&team(), &GroupId::new(id)).unwrap()
    }

    fn groups(&self) -> BTreeMap<GroupId, Group> {
        let groups = self.state.groups(&team(), None, usize::MAX).unwrap();
        groups.into_iter().map(|group| (group.id.clone(), group)).collect()
    }

    /// An assignment as events and answers tell it, with its decision beneath if it was decided now.
    fn told(&self, assignment: &Assignment, with_decision: bool) -> Vec<String> {
        let mut said = vec![standing(assignment)];
        if with_decision {
            let groups = self.groups();
            let traces = assignment.decision.targets.iter();
            said.extend(traces.map(|trace| format!("  {}", words::trace(trace, &groups))));
        }
        said
    }

    /// Does something, and says what changed for contacts; a refusal, or `done`.
    fn make(&mut self, request: Option<&str>, operation: Operation) -> Vec<String> {
        let (answer, events) = self.ask(request, operation);
        let mut said = Vec::new();
        match answer {
            Err(rejection) => said.push(refusal(&rejection)),
            Ok(Outcome::Campaign(_, warnings)) => {
                said.extend(warnings.into_iter().map(|warning| match warning {
                    Warning::GroupHasNoAvailableRep { group } => {
                        format!("warning: nobody in group `{group}` is available now")
                    }
                    Warning::FutureGap { gap } if gap.end == Time::FOREVER => {
                        "warning: some day nobody will be available, for good".to_owned()
                    }
                    Warning::FutureGap { .. } => {
                        "warning: for some time nobody will be available".to_owned()
                    }
                }));
            }
            Ok(Outcome::Assigned(assigned)) if assigned.existing && events.is_empty() => {
                said.push(format!("{}, as before", standing(&assigned.assignment)));
            }
            Ok(Outcome::Assigned(assigned)) if events.is_empty() => {
                said.push(format!("{}, the answer given before", standing(&assigned.assignment)));
            }
            Ok(_) => {}
        }
        for event in events {
            if let Change::Assignment { before, after, .. } = event.change {
                let decided = before.is_none_or(|before| before.decision != after.decision);
                said.extend(self.told(&after, decided));
            }
        }
        if said.is_empty() {
            said.push("done".to_owned());
        }
        said
    }

    fn silently(&mut self, operation: Operation) {
        self.ask(None, operation).0.unwrap();
    }

    fn via(&self, name: &str) -> Via {
        if name == "default" {
            return Via::DefaultRule;
        }
        if self.state.campaign(&team(), &CampaignId::new(name)).is_ok() {
            return Via::Campaign(CampaignId::new(name));
        }
        if self.state.rule(&team(), &RuleId::new(name)).is_ok() {
            return Via::Rule(RuleId::new(name));
        }
        if self.state.group(&team(), &GroupId::new(name)).is_ok() {
            return Via::Group(GroupId::new(name));
        }
        if self.state.rep(&team(), &RepId::new(name)).is_ok() {
            return Via::Rep(RepId::new(name));
        }
        Via::Campaign(CampaignId::new(name))
    }

    /// The contact's newest assignment.
    fn assignment(&self, contact: &str) -> Assignment {
        let contact = Some(ContactId::new(contact));
        let filter = AssignmentFilter { contact, ..AssignmentFilter::default() };
        let mut all = self.state.assignments(&team(), &filter, None, usize::MAX).unwrap();
        all.pop().unwrap_or_else(|| panic!("{:?} has no assignment", filter.contact))
    }

    fn of(&self, contact: &str) -> AssignmentId {
        self.assignment(contact).id
    }

    fn fresh_contact(&mut self) -> ContactId {
        self.fresh += 1;
        ContactId::new(&format!("new-{}", self.fresh))
    }

    /// Performs a command; says what came of it.
    pub(crate) fn perform(&mut self, command: &str) -> Vec<String> {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        match verb {
            "reps" => {
                for id in rest.split_whitespace() {
                    let settings = RepSettings { email: Some(email(id)), ..RepSettings::default() };
                    self.silently(Operation::CreateRep { rep: RepId::new(id), settings });
                }
                Vec::new()
            }
            "rep" => {
                let settings = RepSettings { email: Some(email(rest)), ..RepSettings::default() };
                self.make(None, Operation::CreateRep { rep: RepId::new(rest), settings })
            }
            "group" | "options" => self.create_group(rest, verb == "options"),
            "rule" | "campaign" | "retarget" => self.route(verb, rest),
            "launch" => {
                self.make(None, Operation::LaunchCampaign { campaign: CampaignId::new(rest) })
            }
            "schedule" => {
                let campaign = CampaignId::new(rest);
                self.make(None, Operation::ScheduleCampaign { campaign, launch_time: None })
            }
            "pause" => {
                self.make(None, Operation::PauseCampaign { campaign: CampaignId::new(rest) })
            }
            "resume" => {
                self.make(None, Operation::ResumeCampaign { campaign: CampaignId::new(rest) })
            }
            "cancel" => {
                self.make(None, Operation::CancelCampaign { campaign: CampaignId::new(rest) })
            }
            "token" => self.create_token(rest),
            "as" => {
                let (who, command) = around(rest, ":").unwrap();
                let bearer = Principal::Token(self.bearers.get(who).unwrap().clone());
                let before = std::mem::replace(&mut self.principal, bearer);
                let said = self.perform(command);
                self.principal = before;
                said
            }
            "assign" => self.assign(rest),
            "picks" | "preview" => self.picks(verb == "preview", rest),
            "out" => self.out(rest),
            "back" => self.make(
                None,
                Operation::ClearOutOfOffice { rep: RepId::new(rest), start: None, end: None },
            ),
            "online" => {
                let (who, ttl) = around(rest, " for ").unwrap();
                let (rep, ttl_us) = (RepId::new(who), span(ttl));
                self.make(None, Operation::SetPresence { rep, online: true, ttl_us })
            }
            "offline" => {
                let rep = RepId::new(rest);
                self.make(None, Operation::SetPresence { rep, online: false, ttl_us: 0 })
            }
            "disable" => {
                self.change(rest, RepChange { disabled: Some(true), ..Default::default() })
            }
            "enable" => {
                self.change(rest, RepChange { disabled: Some(false), ..Default::default() })
            }
            "limit" => {
                let (who, most) = rest.split_once(' ').unwrap();
                let max_open = Some(most.parse().unwrap());
                self.change(who, RepChange { max_open, ..Default::default() })
            }
            "add" | "remove" | "reorder" | "weight" => self.members(verb, rest),
            "set" => self.set(rest),
            "reset" | "credit" => self.rotation(verb, rest),
            "delete" => self.delete(rest),
            "after" => self.pass(rest),
            "close" if self.state.rep(&team(), &RepId::new(first(rest))).is_ok() => {
                self.close_some(rest)
            }
            "accept" | "reject" | "claim" | "reassign" | "unassign" | "close" | "give-up" => {
                self.step(verb, rest)
            }
            "explain" => {
                let assignment = self.assignment(rest);
                let mut said = self.told(&assignment, true);
                said.extend(assignment.history.iter().map(|step| {
                    let rep = step.rep.as_ref().map_or("nobody", |rep| rep.as_str());
                    let (state, cause) = (words::upper(&step.state), words::upper(&step.cause));
                    format!("  {cause} -> {state}, {rep}")
                }));
                said
            }
            "members" => {
                let members = self.group(rest).members;
                vec![members.iter().map(|m| name(&m.name)).collect::<Vec<_>>().join(" ")]
            }
            "open" => {
                let rep = self.state.rep(&team(), &RepId::new(rest)).unwrap();
                vec![format!("{rest} holds {}", rep.open_count)]
            }
            _ => panic!("no command `{command}`"),
        }
    }

    fn create_group(&mut self, text: &str, are_options: bool) -> Vec<String> {
        let (id, rest) = around(text, ":").unwrap();
        let mut parts = rest.split(';').map(str::trim);
        let list = members(parts.next().unwrap(), are_options);
        let mut settings = GroupSettings::default();
        if are_options {
            settings.kind = GroupKind::Options;
            self.options.insert(id.to_owned());
        }
        for part in parts {
            match part.split_once(' ').unwrap_or((part, "")) {
                ("least", "open") => settings.strategy = Strategy::LeastOpen,
                ("online", "") => settings.require_online = true,
                ("one", "cursor") => settings.cursor_scope = CursorScope::Group,
                ("cap", cap) => settings.period_cap = Some(period_cap(cap)),
                ("restart", when) => settings.restart = Some(restart(when)),
                _ => panic!("group: `{part}`?"),
            }
        }
        let group = GroupId::new(id);
        self.make(None, Operation::CreateGroup { group, settings, members: list })
    }

    /// `desk: router`, `west: manager of west`, `ana: rep Ana`.
    fn create_token(&mut self, text: &str) -> Vec<String> {
        let (id, role) = around(text, ":").unwrap();
        let role = match role.split_once(' ').unwrap_or((role, "")) {
            ("admin", "") => Role::Admin,
            ("manager", "") => Role::Manager,
            ("manager", groups) => {
                let groups = groups.trim_start_matches("of ").split_whitespace();
                Role::GroupManager(groups.map(GroupId::new).collect())
            }
            ("router", "") => Role::Router,
            ("rep", rep) => Role::Rep(RepId::new(rep)),
            ("viewer", "") => Role::Viewer,
            _ => panic!("role `{role}`?"),
        };
        let (display_name, labels) = (id.to_owned(), Labels::new());
        let (secret, expire_time) = (SecretHash([1; 32]), None);
        let settings = TokenSettings { display_name, labels, role, secret, expire_time };
        let token = TokenId::new(id);
        let said = self.make(None, Operation::CreateToken { token: token.clone(), settings });
        let secret_revision = self.state.token(&team(), &token).unwrap().secret_revision;
        self.bearers.insert(id.to_owned(), Bearer { team: team(), token, secret_revision });
        said
    }

    fn set(&mut self, text: &str) -> Vec<String> {
        let (id, what) = around(text, ":").unwrap();
        let mut change = GroupChange::default();
        match what.split_once(' ').unwrap_or((what, "")) {
            ("least", "open") => change.strategy = Some(Strategy::LeastOpen),
            ("in", "turn") => change.strategy = Some(Strategy::RoundRobin),
            ("online", "") => change.require_online = Some(true),
            ("one", "cursor") => change.cursor_scope = Some(CursorScope::Group),
            ("cap", cap) => change.period_cap = Some(Some(period_cap(cap))),
            ("restart", when) => change.restart = Some(Some(restart(when))),
            _ => panic!("set: `{what}`?"),
        }
        self.make(None, Operation::UpdateGroup { group: GroupId::new(id), change })
    }

    fn route(&mut self, verb: &str, text: &str) -> Vec<String> {
        let (id, rest) = around(text, ":").unwrap();
        let route = match rest.strip_prefix("rule ") {
            Some(rule) => Route::Rule(RuleId::new(rule)),
            None if rest == "default" => Route::Default,
            None => Route::Targets(targets(rest)),
        };
        let labels = Labels::new();
        let is_rule = self.state.rule(&team(), &RuleId::new(id)).is_ok();
        self.make(
            None,
            match (verb, route) {
                ("rule", Route::Targets(targets)) => {
                    let (rule, display_name) = (RuleId::new(id), id.to_owned());
                    Operation::CreateRule { rule, display_name, labels, targets }
                }
                ("retarget", Route::Targets(targets)) if is_rule => Operation::UpdateRule {
                    rule: RuleId::new(id),
                    display_name: None,
                    labels: None,
                    targets: Some(targets),
                },
                ("retarget", route) => Operation::UpdateCampaign {
                    campaign: CampaignId::new(id),
                    display_name: None,
                    labels: None,
                    route: Some(route),
                },
                (_, route) => Operation::CreateCampaign {
                    campaign: CampaignId::new(id),
                    display_name: id.to_owned(),
                    labels,
                    route,
                },
            },
        )
    }

    /// `c-1 via spring owner lead=Ana account=queue last rep priority 5 request r-1`.
    fn assign(&mut self, text: &str) -> Vec<String> {
        let (contact, rest) = text.split_once(" via ").unwrap();
        let mut words = rest.split_whitespace();
        let via = self.via(words.next().unwrap());
        let mut assign = Assign::new(ContactId::new(contact), via);
        let mut request = None;
        while let Some(word) = words.next() {
            match word {
                "last" => assign.prefer_last_rep = words.next() == Some("rep"),
                "priority" => assign.priority = words.next().unwrap().parse().unwrap(),
                "request" => request = words.next(),
                "owner" => {}
                other => assign.owners.push(owner(other)),
            }
        }
        self.make(request, Operation::AssignContact(assign))
    }

    /// `spring 7`: who gets the next contacts; with preview, who would.
    fn picks(&mut self, is_preview: bool, text: &str) -> Vec<String> {
        let mut words = text.split_whitespace();
        let via = self.via(words.next().unwrap());
        let count = words.next().unwrap().parse().unwrap();
        let who = |assignment: &Assignment| match (&assignment.rep, &assignment.option) {
            (Some(rep), _) => rep.to_string(),
            (None, Some(option)) => option.option.to_string(),
            (None, None) => "-".to_owned(),
        };
        let (mut picked, mut decisions) = (Vec::new(), Vec::new());
        let groups = self.groups();
        // Of those only whose decision says more than who it was.
        let mut tell = |assignment: &Assignment| {
            let passed = |trace: &&TargetTrace| !trace.skipped.named.is_empty();
            let traces = assignment.decision.targets.iter().filter(passed);
            let traces: Vec<_> = traces.map(|trace| words::trace(trace, &groups)).collect();
            let who = who(assignment);
            decisions.extend(traces.into_iter().map(|trace| format!("  {who}: {trace}")));
            picked.push(who);
        };
        if is_preview {
            let changes = match (words.next(), words.next()) {
                (Some("without"), Some(rep)) => vec![Operation::SetOutOfOffice {
                    rep: RepId::new(rep),
                    start: None,
                    end: None,
                    note: String::new(),
                }],
                _ => Vec::new(),
            };
            let assign = Assign::new(ContactId::new("somebody"), via);
            let preview = Preview { changes, assign, count };
            let answers = self.state.preview(&team(), &preview, Time(self.now)).unwrap();
            answers.into_iter().for_each(|assigned| tell(&assigned.assignment));
        } else {
            for _ in 0..count {
                let assign = Assign::new(self.fresh_contact(), via.clone());
                match self.ask(None, Operation::AssignContact(assign)).0 {
                    Ok(Outcome::Assigned(assigned)) => tell(&assigned.assignment),
                    Ok(other) => panic!("{other:?}"),
                    Err(rejection) => return vec![refusal(&rejection)],
                }
            }
        }
        let mut said = vec![picked.join(" ")];
        said.extend(decisions);
        said
    }

    /// `Ana`, `Ana for 2h`, `Ana from +1d for 2d`.
    fn out(&mut self, text: &str) -> Vec<String> {
        let (who, length) = around(text, " for ").map_or((text, None), |(w, l)| (w, Some(l)));
        let (who, start) = around(who, " from ").map_or((who, None), |(w, s)| (w, Some(s)));
        let start = start.map(|start| Time(self.now + span(start)));
        let from = start.unwrap_or(Time(self.now)).0;
        let end = length.map(|length| Time(from + span(length)));
        let (rep, note) = (RepId::new(who), String::new());
        self.make(None, Operation::SetOutOfOffice { rep, start, end, note })
    }

    fn change(&mut self, rep: &str, change: RepChange) -> Vec<String> {
        self.make(None, Operation::UpdateRep { rep: RepId::new(rep), change })
    }

    fn members(&mut self, verb: &str, text: &str) -> Vec<String> {
        let (id, rest) = around(text, ":").unwrap();
        let is_option = self.options.contains(id);
        let group = GroupId::new(id);
        let names = || rest.split_whitespace().map(|name| member(name, is_option));
        self.make(
            None,
            match verb {
                "add" => Operation::AddGroupMembers { group, members: members(rest, is_option) },
                "remove" => {
                    let member = names().next().unwrap();
                    Operation::RemoveGroupMember { group, member }
                }
                "reorder" => Operation::ReorderGroup { group, members: names().collect() },
                _ => {
                    let (name, weight) = rest.split_once('=').unwrap();
                    Operation::UpdateGroupMember {
                        group,
                        member: member(name, is_option),
                        weight: Some(weight.parse().unwrap()),
                        payload: None,
                    }
                }
            },
        )
    }

    /// `reset west spring`, `credit west spring: Ana +2`.
    fn rotation(&mut self, verb: &str, text: &str) -> Vec<String> {
        let (place, rest) = around(text, ":").unwrap_or((text, ""));
        let mut words = place.split_whitespace();
        let group = GroupId::new(words.next().unwrap());
        let campaign = words.next().map(CampaignId::new);
        if verb == "reset" {
            return self.make(None, Operation::ResetRotation { group, campaign });
        }
        let (who, credits) = rest.split_once(' ').unwrap();
        let member = MemberName::Rep(RepId::new(who));
        let (credits, reason) = (credits.parse().unwrap(), "by hand".to_owned());
        self.make(None, Operation::AdjustRotation { group, campaign, member, credits, reason })
    }

    /// `rep Ana`, `rep Ana and reroute`, `group west`, `rule night`, `campaign spring`.
    fn delete(&mut self, text: &str) -> Vec<String> {
        let allow_missing = false;
        let (what, id) = text.split_once(' ').unwrap();
        let (id, reroute) = id.split_once(" and ").map_or((id, false), |(id, _)| (id, true));
        self.make(
            None,
            match what {
                "rep" => {
                    let open =
                        if reroute { OpenAssignments::Reroute } else { OpenAssignments::Keep };
                    Operation::DeleteRep { rep: RepId::new(id), open, allow_missing }
                }
                "group" => Operation::DeleteGroup { group: GroupId::new(id), allow_missing },
                "rule" => Operation::DeleteRule { rule: RuleId::new(id), allow_missing },
                "token" => Operation::DeleteToken { token: TokenId::new(id), allow_missing },
                _ => Operation::DeleteCampaign { campaign: CampaignId::new(id), allow_missing },
            },
        )
    }

    /// Time passes, and what is due happens when it is due, as the leader sees to it.
    fn pass(&mut self, length: &str) -> Vec<String> {
        let end = self.now + span(length);
        let mut said = Vec::new();
        while let Some(due) = self.state.next_due().filter(|due| due.0 <= end) {
            self.now = self.now.max(due.0);
            said.extend(self.make(None, Operation::Tick));
        }
        self.now = end;
        said.retain(|line| line != "done");
        said
    }

    fn step(&mut self, verb: &str, text: &str) -> Vec<String> {
        let (contact, rest) = text.split_once(' ').unwrap_or((text, ""));
        let assignment = self.of(contact);
        self.make(
            None,
            match (verb, rest) {
                ("accept", rep) => {
                    let rep = (!rep.is_empty()).then(|| RepId::new(rep));
                    Operation::AcceptAssignment { assignment, rep }
                }
                ("reject", rep) => {
                    let rep = (!rep.is_empty()).then(|| RepId::new(rep));
                    Operation::RejectAssignment { assignment, rep }
                }
                ("claim", rep) => Operation::ClaimAssignment { assignment, rep: RepId::new(rep) },
                ("reassign", "by its targets") => {
                    Operation::ReassignAssignment { assignment, to: None }
                }
                ("reassign", to) => {
                    let to = Some(RepId::new(to.trim_start_matches("to ")));
                    Operation::ReassignAssignment { assignment, to }
                }
                ("unassign", _) => Operation::UnassignAssignment { assignment },
                ("close", _) => Operation::CloseAssignment { assignment },
                _ => Operation::CancelAssignment { assignment },
            },
        )
    }

    /// `Bo 2`: closes the oldest that a rep has.
    fn close_some(&mut self, text: &str) -> Vec<String> {
        let (rep, count) = text.split_once(' ').unwrap();
        let filter = AssignmentFilter {
            rep: Some(RepId::new(rep)),
            state: Some(AssignmentState::Assigned),
            ..AssignmentFilter::default()
        };
        let open = self.state.assignments(&team(), &filter, None, count.parse().unwrap()).unwrap();
        let mut said = Vec::new();
        for assignment in open {
            let close = Operation::CloseAssignment { assignment: assignment.id };
            let (answer, events) = self.ask(None, close);
            answer.unwrap();
            for event in events {
                if let Change::Assignment { after, .. } = event.change
                    && after.id != assignment.id
                {
                    said.extend(self.told(&after, true));
                }
            }
        }
        said
    }
}

fn first(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("")
}

/// `40/1d`.
fn period_cap(text: &str) -> PeriodCap {
    let (count, period) = text.split_once('/').unwrap();
    PeriodCap { count: count.parse().unwrap(), period_us: span(period) }
}

/// `never`, `30d`, `on change`, `30d on change`.
fn restart(text: &str) -> RestartPolicy {
    let on_member_change = text.ends_with("on change");
    let idle = text.trim_end_matches("on change").trim();
    let idle_period_us = if idle.is_empty() || idle == "never" { 0 } else { span(idle) };
    RestartPolicy { idle_period_us, on_member_change }
}
