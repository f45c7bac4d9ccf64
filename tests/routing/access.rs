//! Access tokens: who may do what, shown role by role against a table; what opens nothing any more.

use std::collections::BTreeSet;

use turnwise::routing::{
    AssignmentId, Bearer, CampaignId, Change, Command, GroupChange, GroupKind, GroupSettings,
    Hours, IntervalSet, Labels, MemberName, MemberSpec, Needed, OpenAssignments, Operation,
    Outcome, Principal, Reading, Rejection, RepChange, RepSettings, Reply, Role, Route, RuleId,
    SecretHash, TeamChange, TeamId, Time, Token, TokenChange, TokenId, TokenSettings, Via,
    limits::TOKENS_PER_TEAM_MAX,
};

use super::world::{
    HOUR, World, assign, by_rule, claim_by, close, delete_group, delete_rep, group, key, name,
    offering, out, rep, team, to_group,
};

const SECRET: SecretHash = SecretHash([1; 32]);
const OTHER_SECRET: SecretHash = SecretHash([2; 32]);

/// What each role may, as ROUTING 2.7 and the page on security have it: `y` or `-`. The manager of
/// groups manages `west` (A, B); the rep is A, who holds the work `1-a`, while C holds `1-c`.
const TABLE: &str = "
                          admin manager west-manager router rep-A viewer
CreateTeam                  -      -         -         -      -     -
UpdateTeam                  y      -         -         -      -     -
DeleteTeam                  y      -         -         -      -     -
CreateToken                 y      -         -         -      -     -
UpdateToken                 y      -         -         -      -     -
DeleteToken                 y      -         -         -      -     -
CreateRep                   y      y         -         -      -     -
UpdateRep A                 y      y         -         -      -     -
DeleteRep A                 y      y         -         -      -     -
SetOutOfOffice A            y      y         y         -      y     -
SetOutOfOffice C            y      y         -         -      -     -
ClearOutOfOffice A          y      y         y         -      y     -
ClearOutOfOffice C          y      y         -         -      -     -
SetPresence A               y      y         y         -      y     -
SetPresence C               y      y         -         -      -     -
RenewHours A                -      -         -         -      -     -
CreateGroup                 y      y         -         -      -     -
UpdateGroup west            y      y         -         -      -     -
DeleteGroup west            y      y         -         -      -     -
AddGroupMembers west        y      y         y         -      -     -
AddGroupMembers east        y      y         -         -      -     -
RemoveGroupMember west      y      y         y         -      -     -
RemoveGroupMember east      y      y         -         -      -     -
UpdateGroupMember west      y      y         y         -      -     -
UpdateGroupMember east      y      y         -         -      -     -
ReorderGroup west           y      y         y         -      -     -
ReorderGroup east           y      y         -         -      -     -
ResetRotation west          y      y         y         -      -     -
ResetRotation east          y      y         -         -      -     -
AdjustRotation west         y      y         y         -      -     -
AdjustRotation east         y      y         -         -      -     -
CreateRule                  y      y         -         -      -     -
UpdateRule                  y      y         -         -      -     -
DeleteRule                  y      y         -         -      -     -
CreateCampaign              y      y         -         -      -     -
UpdateCampaign              y      y         -         -      -     -
DeleteCampaign              y      y         -         -      -     -
ScheduleCampaign            y      y         -         -      -     -
LaunchCampaign              y      y         -         -      -     -
PauseCampaign               y      y         -         -      -     -
ResumeCampaign              y      y         -         -      -     -
CancelCampaign              y      y         -         -      -     -
AssignContact               y      y         -         y      -     -
AssignBatch                 y      y         -         y      -     -
AcceptAssignment a          y      y         -         y      y     -
AcceptAssignment a-by-C     y      y         -         y      -     -
AcceptAssignment c          y      y         -         y      -     -
RejectAssignment a          y      y         -         y      y     -
RejectAssignment c          y      y         -         y      -     -
ClaimAssignment by-A        y      y         -         y      y     -
ClaimAssignment by-C        y      y         -         y      -     -
ReassignAssignment a        y      y         -         y      -     -
UnassignAssignment a        y      y         -         y      -     -
CloseAssignment a           y      y         -         y      y     -
CloseAssignment c           y      y         -         y      -     -
CancelAssignment a          y      y         -         y      -     -
Tick                        -      -         -         -      -     -
";

/// The roles in the order of the table's columns.
fn roles() -> [(&'static str, Role); 6] {
    [
        ("admin", Role::Admin),
        ("manager", Role::Manager),
        ("west-manager", Role::GroupManager(vec![group("west")])),
        ("router", Role::Router),
        ("rep-A", Role::Rep(rep("A"))),
        ("viewer", Role::Viewer),
    ]
}

fn token_id(id: &str) -> TokenId {
    TokenId::new(id)
}

fn new_token(id: &str, role: Role) -> Operation {
    let settings = TokenSettings {
        display_name: String::new(),
        labels: Labels::new(),
        role,
        secret: SECRET,
        expire_time: None,
    };
    Operation::CreateToken { token: token_id(id), settings }
}

fn change_token(id: &str, change: TokenChange) -> Operation {
    Operation::UpdateToken { token: token_id(id), change }
}

fn delete_token(id: &str) -> Operation {
    Operation::DeleteToken { token: token_id(id), allow_missing: false }
}

/// Creates a token; gives who holds it.
fn issue(world: &mut World, id: &str, role: Role) -> Bearer {
    let outcome = world.ok(new_token(id, role));
    let Outcome::Token(token) = outcome else { panic!("{outcome:?}") };
    bearer(&token)
}

fn bearer(token: &Token) -> Bearer {
    let secret_revision = token.secret_revision;
    Bearer { team: team(), token: token.id.clone(), secret_revision }
}

/// What somebody gets for asking in a team.
fn ask_in(
    world: &mut World,
    of: &TeamId,
    by: &Bearer,
    operation: Operation,
) -> Result<Reply, Rejection> {
    let (request, principal, etag) = (None, Principal::Token(by.clone()), None);
    world.command(&Command { request, principal, team: of.clone(), etag, operation })
}

fn ask(world: &mut World, by: &Bearer, operation: Operation) -> Result<Reply, Rejection> {
    ask_in(world, &team(), by, operation)
}

/// Two groups of two, a rule, a draft and a running campaign, and work that A and that C holds.
fn office() -> World {
    let mut world = World::with_reps("A B C D");
    world.create_group("west", "A B").unwrap();
    world.create_group("east", "C D").unwrap();
    world.create_rule("rule", vec![to_group("west")]);
    world.draft("draft", Some(vec![to_group("west")]));
    world.run_campaign("running", vec![to_group("west")]);
    for (contact, who) in [("1-a", "A"), ("1-c", "C")] {
        let by_hand = Via::Rep(rep(who));
        assert_eq!(world.assign(contact, &by_hand, &[]).assignment.rep, Some(rep(who)));
    }
    world
}

/// Every row of the table as an operation.
fn operation(row: &str, world: &World) -> Operation {
    let (what, about) = row.split_once(' ').unwrap_or((row, ""));
    let about = about.trim();
    let work = |contact: &str| -> AssignmentId { world.work(contact).id };
    let of = |about: &str| work(if about.starts_with('c') { "1-c" } else { "1-a" });
    let campaign = || CampaignId::new("draft");
    let (settings, labels) = (RepSettings::default(), Labels::new());
    let one_of = |of: &str| MemberName::Rep(rep(if of == "west" { "A" } else { "C" }));
    let spec = |who: &str| MemberSpec {
        member: MemberName::Rep(rep(who)),
        payload: String::new(),
        weight: 1,
    };
    match what {
        "CreateTeam" => {
            Operation::CreateTeam { display_name: String::new(), labels, time_zone: String::new() }
        }
        "UpdateTeam" => Operation::UpdateTeam { change: TeamChange::default() },
        "DeleteTeam" => Operation::DeleteTeam { allow_missing: true },
        "CreateToken" => new_token("another", Role::Viewer),
        "UpdateToken" => change_token("viewer", TokenChange::default()),
        "DeleteToken" => delete_token("viewer"),
        "CreateRep" => Operation::CreateRep { rep: rep("E"), settings },
        "UpdateRep" => Operation::UpdateRep { rep: rep(about), change: RepChange::default() },
        "DeleteRep" => Operation::DeleteRep {
            rep: rep(about),
            open: OpenAssignments::Keep,
            allow_missing: false,
        },
        "SetOutOfOffice" => out(about),
        "ClearOutOfOffice" => {
            Operation::ClearOutOfOffice { rep: rep(about), start: None, end: None }
        }
        "SetPresence" => Operation::SetPresence { rep: rep(about), online: true, ttl_us: HOUR },
        "RenewHours" => Operation::RenewHours {
            rep: rep(about),
            hours: Hours {
                time_zone: "UTC".to_owned(),
                weekly: Vec::new(),
                holidays: Vec::new(),
                open: IntervalSet::of(Vec::new()),
                horizon: Time(HOUR),
            },
        },
        "CreateGroup" => Operation::CreateGroup {
            group: group("north"),
            settings: GroupSettings { kind: GroupKind::Reps, ..GroupSettings::default() },
            members: vec![spec("A")],
        },
        "UpdateGroup" => {
            Operation::UpdateGroup { group: group(about), change: GroupChange::default() }
        }
        "DeleteGroup" => Operation::DeleteGroup { group: group(about), allow_missing: false },
        "AddGroupMembers" => Operation::AddGroupMembers {
            group: group(about),
            members: vec![spec(if about == "west" { "C" } else { "A" })],
        },
        "RemoveGroupMember" => {
            Operation::RemoveGroupMember { group: group(about), member: one_of(about) }
        }
        "UpdateGroupMember" => Operation::UpdateGroupMember {
            group: group(about),
            member: one_of(about),
            weight: Some(2),
            payload: None,
        },
        "ReorderGroup" => {
            let order = if about == "west" { ["B", "A"] } else { ["D", "C"] };
            let members = order.map(|who| MemberName::Rep(rep(who))).to_vec();
            Operation::ReorderGroup { group: group(about), members }
        }
        "ResetRotation" => Operation::ResetRotation { group: group(about), campaign: None },
        "AdjustRotation" => Operation::AdjustRotation {
            group: group(about),
            campaign: None,
            member: one_of(about),
            credits: 1,
            reason: "fair".to_owned(),
        },
        "CreateRule" => Operation::CreateRule {
            rule: RuleId::new("another"),
            display_name: "Another".to_owned(),
            labels,
            targets: Vec::new(),
        },
        "UpdateRule" => Operation::UpdateRule {
            rule: RuleId::new("rule"),
            display_name: None,
            labels: None,
            targets: None,
        },
        "DeleteRule" => Operation::DeleteRule { rule: RuleId::new("rule"), allow_missing: false },
        "CreateCampaign" => Operation::CreateCampaign {
            campaign: CampaignId::new("another"),
            display_name: String::new(),
            labels,
            route: Route::Default,
        },
        "UpdateCampaign" => Operation::UpdateCampaign {
            campaign: campaign(),
            display_name: None,
            labels: None,
            route: None,
        },
        "DeleteCampaign" => {
            Operation::DeleteCampaign { campaign: campaign(), allow_missing: false }
        }
        "ScheduleCampaign" => {
            Operation::ScheduleCampaign { campaign: campaign(), launch_time: None }
        }
        "LaunchCampaign" => Operation::LaunchCampaign { campaign: campaign() },
        "PauseCampaign" => Operation::PauseCampaign { campaign: campaign() },
        "ResumeCampaign" => Operation::ResumeCampaign { campaign: campaign() },
        "CancelCampaign" => Operation::CancelCampaign { campaign: campaign() },
        "AssignContact" => assign("2", &Via::DefaultRule, &[]),
        "AssignBatch" => Operation::AssignBatch { items: Vec::new() },
        "AcceptAssignment" => Operation::AcceptAssignment {
            assignment: of(about),
            rep: about.ends_with("by-C").then(|| rep("C")),
        },
        "RejectAssignment" => Operation::RejectAssignment { assignment: of(about), rep: None },
        "ClaimAssignment" => claim_by(about.trim_start_matches("by-"))(work("1-c")),
        "ReassignAssignment" => {
            Operation::ReassignAssignment { assignment: of(about), to: Some(rep("B")) }
        }
        "UnassignAssignment" => Operation::UnassignAssignment { assignment: of(about) },
        "CloseAssignment" => close(of(about)),
        "CancelAssignment" => Operation::CancelAssignment { assignment: of(about) },
        "Tick" => Operation::Tick,
        other => panic!("no operation {other}"),
    }
}

/// The rows of the table: what is asked, and whether each role may.
fn rows() -> Vec<(String, Vec<bool>)> {
    let mut lines = TABLE.trim_matches('\n').lines();
    let columns: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(columns, roles().map(|(name, _)| name));
    let rows = lines.map(|line| {
        let (row, answers) = line.split_at(24);
        let answers: Vec<_> = answers.split_whitespace().map(|word| word == "y").collect();
        assert_eq!(answers.len(), columns.len(), "{row}");
        (row.trim().to_owned(), answers)
    });
    rows.collect()
}

#[test]
fn s1_3_each_role_may_what_the_table_says_in_its_team_and_nothing_in_another() {
    let mut world = office();
    let holders: Vec<_> =
        roles().into_iter().map(|(id, role)| (id, issue(&mut world, id, role))).collect();
    let elsewhere = TeamId::new("elsewhere");
    let new_team = operation("CreateTeam", &world);
    let (request, principal, etag) = (None, Principal::default(), None);
    let team = elsewhere.clone();
    world.command(&Command { request, principal, team, etag, operation: new_team }).unwrap();
    for (row, answers) in rows() {
        let operation = operation(&row, &world);
        for ((role, by), may) in holders.iter().zip(answers) {
            let mut here = world.over(world.state.clone());
            let answer = ask(&mut here, by, operation.clone());
            let is_denied = matches!(answer, Err(Rejection::PermissionDenied { .. }));
            assert_eq!(!is_denied, may, "{row} by {role}: {answer:?}");
            if is_denied {
                assert_eq!(here.state, {
                    // Only the clock has moved.
                    let mut as_before = world.over(world.state.clone());
                    ask(&mut as_before, by, Operation::Tick).unwrap_err();
                    as_before.state
                });
                assert!(here.events.is_empty(), "{row} by {role}");
            }
            let mut there = world.over(world.state.clone());
            let answer = ask_in(&mut there, &elsewhere, by, operation.clone());
            assert_eq!(name(&answer.unwrap_err()), "PermissionDenied", "{row} by {role} elsewhere");
        }
    }
}

#[test]
fn the_table_of_roles_has_every_operation() {
    let source = include_str!("../../src/routing/command.rs");
    let (_, operations) = source.split_once("pub enum Operation {").unwrap();
    let (operations, _) = operations.split_once("\n}").unwrap();
    let variants = operations.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?;
        let is_variant = name.starts_with(|c: char| c.is_ascii_uppercase());
        is_variant.then(|| name.split([' ', '(', ',']).next().unwrap().to_owned())
    });
    let variants: BTreeSet<_> = variants.collect();
    let rows: BTreeSet<_> =
        rows().into_iter().map(|(row, _)| row.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(rows, variants);
}

#[test]
fn s1_3_each_role_may_read_the_team_and_only_some_what_is_to_come() {
    let mut world = office();
    let now = || Time(1_000);
    let elsewhere = TeamId::new("elsewhere");
    for (id, role) in roles() {
        let by = Principal::Token(issue(&mut world, id, role.clone()));
        let reads = |team: Option<&TeamId>, reading| {
            world.state.may_read(&by, team, reading, now()).map_err(|why| name(&why))
        };
        let denied = || Err("PermissionDenied".to_owned());
        let may = |may: bool| if may { Ok(()) } else { denied() };
        let routes = ["admin", "manager", "router"].contains(&id);
        assert_eq!(reads(Some(&team()), Reading::Team), Ok(()), "{id}");
        assert_eq!(reads(Some(&team()), Reading::Preview), may(routes), "{id}");
        assert_eq!(reads(Some(&team()), Reading::Watch), may(routes), "{id}");
        assert_eq!(reads(Some(&team()), Reading::Tokens), may(id == "admin"), "{id}");
        assert_eq!(reads(None, Reading::Cluster), denied(), "{id}");
        assert_eq!(reads(Some(&elsewhere), Reading::Team), denied(), "{id}");
    }
    let nobody = Principal::default();
    assert_eq!(world.state.may_read(&nobody, None, Reading::Cluster, now()), Ok(()));
}

#[test]
fn a_refusal_says_what_the_token_is_and_what_it_takes() {
    let mut world = office();
    let by = issue(&mut world, "eye", Role::Viewer);
    let refused = ask(&mut world, &by, out("A")).unwrap_err();
    let (token, role, needed) = (token_id("eye"), Role::Viewer, Needed::ManagerOfTheRepOrSelf);
    assert_eq!(refused, Rejection::PermissionDenied { token, role, needed });
}

#[test]
fn what_is_not_a_token_any_more_opens_nothing() {
    let mut world = office();
    let hour = Some(Some(Time(world.now + HOUR)));
    let by = issue(&mut world, "crm", Role::Admin);
    let asks = |world: &mut World, by: &Bearer| {
        ask(world, by, Operation::UpdateTeam { change: TeamChange::default() })
            .map(drop)
            .map_err(|why| name(&why))
    };
    let refused = || Err("Unauthenticated".to_owned());
    assert_eq!(asks(&mut world, &by), Ok(()));

    // Never there; of a team that is not there.
    let unknown = Bearer { token: token_id("unknown"), ..by.clone() };
    assert_eq!(asks(&mut world, &unknown), refused());
    let nowhere = Bearer { team: TeamId::new("nowhere"), ..by.clone() };
    assert_eq!(asks(&mut world, &nowhere), refused());
    assert_eq!(
        world.state.may_read(&Principal::Token(nowhere), None, Reading::Cluster, Time(1)),
        Err(Rejection::Unauthenticated)
    );

    // With another secret; and the new one opens.
    let rename = TokenChange { display_name: Some("CRM".into()), ..TokenChange::default() };
    world.ok(change_token("crm", rename));
    assert_eq!(asks(&mut world, &by), Ok(()), "the name is no part of the secret");
    let same = TokenChange { secret: Some(SECRET), ..TokenChange::default() };
    world.ok(change_token("crm", same));
    assert_eq!(asks(&mut world, &by), Ok(()), "the same secret");
    let other = TokenChange { secret: Some(OTHER_SECRET), ..TokenChange::default() };
    let Outcome::Token(token) = world.ok(change_token("crm", other)) else { panic!() };
    assert_eq!(asks(&mut world, &by), refused());
    let by = bearer(&token);
    assert_eq!(asks(&mut world, &by), Ok(()));

    // Past its end, to the microsecond.
    world.ok(change_token("crm", TokenChange { expire_time: hour, ..TokenChange::default() }));
    let Some(Some(end)) = hour else { unreachable!() };
    let held = |world: &World, now: u64| world.state.held(&by, Time(now)).is_ok();
    assert!(held(&world, end.0 - 1) && !held(&world, end.0));
    world.now = end.0;
    assert_eq!(asks(&mut world, &by), refused());

    // Deleted, and made again under the same id.
    let by = issue(&mut world, "again", Role::Admin);
    world.ok(delete_token("again"));
    assert_eq!(asks(&mut world, &by), refused());
    let anew = issue(&mut world, "again", Role::Admin);
    assert_eq!(asks(&mut world, &by), refused(), "that was another token");
    assert_eq!(asks(&mut world, &anew), Ok(()));
}

#[test]
fn the_tokens_of_a_rep_go_with_them() {
    let mut world = office();
    let by = issue(&mut world, "d", Role::Rep(rep("D")));
    let other = issue(&mut world, "c", Role::Rep(rep("C")));
    world.ok(delete_rep("D"));
    let gone = |change: &Change| matches!(change, Change::Token { before: Some(token), after: None } if token.id == by.token);
    assert!(world.events.iter().any(|event| gone(&event.change)));
    world.create_rep("D").unwrap();
    assert_eq!(ask(&mut world, &by, out("D")), Err(Rejection::Unauthenticated), "somebody else");
    assert!(ask(&mut world, &other, out("C")).is_ok());
    assert_eq!(world.state.hash(), world.state.recomputed_hash());
}

#[test]
fn what_a_manager_of_groups_may_follows_their_members() {
    let mut world = office();
    let by = issue(&mut world, "lead", Role::GroupManager(vec![group("west")]));
    assert_eq!(name(&ask(&mut world, &by, out("C")).unwrap_err()), "PermissionDenied");
    world.add("west", "C");
    assert!(ask(&mut world, &by, out("C")).is_ok());
    world.remove("west", "C");
    assert_eq!(name(&ask(&mut world, &by, out("C")).unwrap_err()), "PermissionDenied");
}

#[test]
fn s0_18_somebody_else_sets_a_rep_out_of_office_and_the_record_names_them() {
    let mut world = office();
    let by = issue(&mut world, "ops-lead", Role::Manager);
    ask(&mut world, &by, out("A")).unwrap();
    assert_eq!(world.rep("A").out_of_office_set_by, "ops-lead");
    assert_eq!(world.events[0].principal, "ops-lead");
}

#[test]
fn s0_23_the_guard_holds_for_whoever_asks() {
    let mut world = office();
    let by = issue(&mut world, "boss", Role::Admin);
    ask(&mut world, &by, out("A")).unwrap();
    assert_eq!(name(&ask(&mut world, &by, out("B")).unwrap_err()), "LastAvailableRep");
}

/// A call of somebody, under a request id.
fn call(by: &Bearer, request: &str, operation: Operation) -> Command {
    let (request, principal) = (key(request, 1), Principal::Token(by.clone()));
    Command { request, principal, team: team(), etag: None, operation }
}

#[test]
fn i2_what_a_role_forbade_is_remembered_for_its_request_and_so_is_what_it_allowed() {
    let mut world = office();
    let by = issue(&mut world, "a", Role::Viewer);
    let first = call(&by, "r1", out("A"));
    let denied = world.command(&first).unwrap_err();
    assert_eq!(name(&denied), "PermissionDenied");
    let promoted = TokenChange { role: Some(Role::Manager), ..TokenChange::default() };
    world.ok(change_token("a", promoted));
    assert_eq!(world.command(&first), Err(denied), "a late copy never succeeds after a no");
    let second = call(&by, "r2", out("A"));
    let done = world.command(&second).unwrap();
    let demoted = TokenChange { role: Some(Role::Viewer), ..TokenChange::default() };
    world.ok(change_token("a", demoted));
    assert_eq!(world.command(&second), Ok(done), "and a lost answer is heard all the same");
    assert_eq!(name(&world.command(&call(&by, "r3", out("B"))).unwrap_err()), "PermissionDenied");
}

#[test]
fn i2_whoever_has_no_token_of_the_team_leaves_nothing_to_remember_and_hears_nothing() {
    let mut world = office();
    let by = issue(&mut world, "a", Role::Manager);
    let first = call(&by, "r1", out("A"));
    let done = world.command(&first).unwrap();
    world.ok(delete_token("a"));
    assert_eq!(world.command(&first), Err(Rejection::Unauthenticated));
    let anew = issue(&mut world, "a", Role::Viewer);
    assert_eq!(world.command(&call(&anew, "r1", out("A"))), Ok(done), "the team's own answer");
    let stranger = Bearer { secret_revision: by.secret_revision, ..anew.clone() };
    assert_eq!(world.command(&call(&stranger, "r2", out("B"))), Err(Rejection::Unauthenticated));
    let manager = TokenChange { role: Some(Role::Manager), ..TokenChange::default() };
    world.ok(change_token("a", manager));
    let again = world.command(&call(&anew, "r2", out("C")));
    assert!(again.is_ok(), "the id is free: {again:?}");
}

#[test]
fn i2_a_reps_retry_is_answered_though_the_work_is_no_longer_theirs() {
    let mut world = office();
    let by = issue(&mut world, "a", Role::Rep(rep("A")));
    let assignment = offered_to_a(&mut world, "x");
    let refuse = Operation::RejectAssignment { assignment, rep: None };
    let first = call(&by, "r1", refuse);
    let done = world.command(&first).unwrap();
    assert_eq!(world.work("x").rep, Some(rep("B")), "offered to the next");
    assert_eq!(world.command(&first), Ok(done));
}

/// A contact that is offered to A, whose turn it is in `west`.
fn offered_to_a(world: &mut World, contact: &str) -> AssignmentId {
    world.create_rule("offers", vec![offering(HOUR, to_group("west"))]);
    let made = world.assign(contact, &by_rule("offers"), &[]).assignment;
    assert_eq!(made.rep, Some(rep("A")));
    made.id
}

#[test]
fn the_work_of_a_deleted_rep_is_not_that_of_whoever_gets_their_id() {
    let mut world = office();
    world.ok(delete_rep("A"));
    world.create_rep("A").unwrap();
    let by = issue(&mut world, "new-a", Role::Rep(rep("A")));
    let old = world.work("1-a").id;
    assert_eq!(world.work("1-a").rep, Some(rep("A")), "kept, by the old name");
    for operation in [
        close(old),
        Operation::AcceptAssignment { assignment: old, rep: None },
        Operation::RejectAssignment { assignment: old, rep: None },
    ] {
        assert_eq!(name(&ask(&mut world, &by, operation).unwrap_err()), "PermissionDenied");
    }
    let own = world.assign("mine", &Via::Rep(rep("A")), &[]).assignment.id;
    assert!(ask(&mut world, &by, close(own)).is_ok());
}

#[test]
fn a_group_that_is_deleted_leaves_the_roles_of_its_managers_and_events_say_so() {
    let mut world = office();
    world.create_group("north", "C").unwrap();
    world.create_group("south", "D").unwrap();
    let only = issue(&mut world, "only", Role::GroupManager(vec![group("north")]));
    let both = vec![group("north"), group("south")];
    let other = issue(&mut world, "other", Role::GroupManager(both));
    world.ok(delete_group("north"));
    let told: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| {
            let Change::Token { before: Some(before), after } = &event.change else { return None };
            Some((before.id.to_string(), after.as_ref().map(|after| after.role.clone())))
        })
        .collect();
    let left = Role::GroupManager(vec![group("south")]);
    assert_eq!(told, [("only".to_owned(), None), ("other".to_owned(), Some(left))]);
    world.create_group("north", "C").unwrap();
    let reset = Operation::ResetRotation { group: group("north"), campaign: None };
    assert_eq!(ask(&mut world, &only, reset.clone()), Err(Rejection::Unauthenticated));
    assert_eq!(name(&ask(&mut world, &other, reset).unwrap_err()), "PermissionDenied");
    let own = Operation::ResetRotation { group: group("south"), campaign: None };
    assert!(ask(&mut world, &other, own).is_ok());
    assert_eq!(world.state.hash(), world.state.recomputed_hash());
}

#[test]
fn tokens_are_resources_with_events_etags_and_a_limit() {
    let mut world = office();
    let created = world.ok(new_token("t0", Role::Viewer));
    let Outcome::Token(token) = created else { panic!() };
    assert!(matches!(&world.events[..], [event]
        if matches!(&event.change, Change::Token { before: None, after: Some(now) } if **now == token)));
    assert_eq!(format!("{:?}", token.secret), "***");
    assert_eq!(name(&world.refused(new_token("t0", Role::Viewer))), "AlreadyExists");
    assert_eq!(name(&world.refused(change_token("t9", TokenChange::default()))), "NotFound");
    assert_eq!(name(&world.refused(delete_token("t9"))), "NotFound");
    let allowed = Operation::DeleteToken { token: token_id("t9"), allow_missing: true };
    assert_eq!(world.ok(allowed), Outcome::Deleted);
    for wrong in [Role::Rep(rep("nobody")), Role::GroupManager(vec![group("nowhere")])] {
        assert_eq!(name(&world.refused(new_token("t1", wrong.clone()))), "NotFound");
        let change = TokenChange { role: Some(wrong), ..TokenChange::default() };
        assert_eq!(name(&world.refused(change_token("t0", change))), "NotFound");
    }
    let stale = Command {
        request: None,
        principal: Principal::default(),
        team: team(),
        etag: Some(turnwise::routing::Revision { log_index: 1, seq: 0 }),
        operation: delete_token("t0"),
    };
    assert_eq!(name(&world.command(&stale).unwrap_err()), "EtagMismatch");
    for n in 1..TOKENS_PER_TEAM_MAX {
        world.ok(new_token(&format!("t{n}"), Role::Viewer));
    }
    assert_eq!(name(&world.refused(new_token("more", Role::Viewer))), "TooMany");
    world.ok(delete_token("t0"));
    world.ok(new_token("more", Role::Viewer));
    let loaded = turnwise::routing::State::from_image(world.state.image()).unwrap();
    assert_eq!(loaded, world.state);
    assert_eq!(loaded.hash(), world.state.hash());
    assert_eq!(loaded.recomputed_hash(), world.state.hash());
}

#[test]
fn a_team_that_is_deleted_takes_its_tokens_with_it() {
    let mut world = World::with_reps("A");
    let by = issue(&mut world, "boss", Role::Admin);
    ask(&mut world, &by, Operation::DeleteTeam { allow_missing: false }).unwrap();
    let again = ask(&mut world, &by, Operation::DeleteTeam { allow_missing: true });
    assert_eq!(again, Err(Rejection::Unauthenticated));
    assert_eq!(world.state.hash(), world.state.recomputed_hash());
}
