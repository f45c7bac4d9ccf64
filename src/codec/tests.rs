//! Every operation there and back, and the golden file of every version.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;

use super::{DecodeError, decode, encode};
use crate::{
    proto::turnwise::log::v1 as log,
    routing::{
        Assign, AssignmentId, Bearer, CampaignId, Command, ContactId, CursorScope, GroupChange,
        GroupId, GroupKind, GroupSettings, Hours, Interval, IntervalSet, Labels, MemberName,
        MemberSpec, OpenAssignments, Operation, OptionId, OwnerKind, OwnerRef, OwnerType,
        PeriodCap, Principal, RepChange, RepId, RepSettings, RequestId, RequestKey, RestartPolicy,
        Revision, Role, Route, RuleId, SecretHash, Strategy, Target, TargetKind, TeamChange,
        TeamId, Time, TokenChange, TokenId, TokenSettings, Via, WeeklySpan,
    },
};

fn rep() -> RepId {
    RepId::new("ana")
}
fn group() -> GroupId {
    GroupId::new("west")
}
fn campaign() -> CampaignId {
    CampaignId::new("spring")
}
fn rule() -> RuleId {
    RuleId::new("handover")
}
fn name() -> String {
    "Name".to_owned()
}
fn labels() -> Labels {
    Labels::from([("tier".to_owned(), "gold".to_owned())])
}
fn owner() -> OwnerRef {
    OwnerRef {
        kind: OwnerKind::Lead,
        owner_type: OwnerType::Queue,
        email: Some("a@b.c".into()),
        external_id: Some(("salesforce".into(), "005".into())),
    }
}

/// The operations of version 1, with the fields that it had away from their defaults.
fn version_1() -> Vec<Operation> {
    let members =
        || vec![MemberSpec { member: MemberName::Rep(rep()), payload: String::new(), weight: 3 }];
    let owner_kinds = vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account];
    let unavailable = |kind| Target { include_unavailable: true, ..Target::new(kind) };
    let targets = vec![
        unavailable(TargetKind::Owner(owner_kinds)),
        Target::new(TargetKind::Owner(vec![OwnerKind::Opportunity])),
        Target::new(TargetKind::Group(group())),
        unavailable(TargetKind::Rep(rep())),
    ];
    let update = |display_name: Option<&str>, route| Operation::UpdateCampaign {
        campaign: campaign(),
        display_name: display_name.map(str::to_owned),
        labels: None,
        route,
    };
    let create = |route| Operation::CreateCampaign {
        campaign: campaign(),
        display_name: name(),
        labels: Labels::new(),
        route,
    };
    let contact = || ContactId::new("c-1");
    vec![
        Operation::CreateTeam {
            display_name: name(),
            labels: Labels::new(),
            time_zone: String::new(),
        },
        Operation::CreateRep {
            rep: rep(),
            settings: RepSettings {
                display_name: name(),
                email: Some("a@b.c".into()),
                external_ids: BTreeMap::from([("salesforce".into(), "005".into())]),
                disabled: true,
                ..RepSettings::default()
            },
        },
        Operation::DeleteRep { rep: rep(), open: OpenAssignments::Keep, allow_missing: false },
        Operation::SetOutOfOffice {
            rep: rep(),
            start: Some(Time(0)),
            end: Some(Time::FOREVER),
            note: "note".into(),
        },
        Operation::SetOutOfOffice { rep: rep(), start: None, end: None, note: String::new() },
        Operation::ClearOutOfOffice { rep: rep(), start: Some(Time(5)), end: None },
        Operation::CreateGroup {
            group: group(),
            settings: GroupSettings { display_name: name(), ..GroupSettings::default() },
            members: members(),
        },
        Operation::DeleteGroup { group: group(), allow_missing: false },
        Operation::AddGroupMembers { group: group(), members: members() },
        Operation::RemoveGroupMember { group: group(), member: MemberName::Rep(rep()) },
        create(Route::Targets(targets)),
        create(Route::Default),
        update(None, Some(Route::Default)),
        update(Some(""), Some(Route::Targets(Vec::new()))),
        update(Some("Name"), None),
        Operation::LaunchCampaign { campaign: campaign() },
        Operation::PauseCampaign { campaign: campaign() },
        Operation::ResumeCampaign { campaign: campaign() },
        Operation::CancelCampaign { campaign: campaign() },
        Operation::AssignContact(Assign {
            owners: vec![owner()],
            ..Assign::new(contact(), Via::Campaign(campaign()))
        }),
        Operation::AssignContact(Assign::new(contact(), Via::DefaultRule)),
    ]
}

/// What version 2 added, operation by operation, every field away from its default.
fn version_2() -> Vec<Operation> {
    let option = || MemberName::Option(OptionId::new("mail"));
    let nested = || MemberName::Group(GroupId::new("inner"));
    let id = || AssignmentId { log_index: 7, seq: 5, item: 3 };
    let members = || {
        let option = MemberSpec { member: option(), payload: "{}".into(), weight: 1_000 };
        vec![option, MemberSpec { member: nested(), payload: String::new(), weight: 1 }]
    };
    let target = Target {
        kind: TargetKind::Group(group()),
        include_unavailable: false,
        require_online: true,
        wait_us: 60_000_000,
        accept_timeout_us: u64::MAX,
    };
    let hours = || Hours {
        time_zone: "Europe/Berlin".into(),
        weekly: vec![WeeklySpan { weekday: 7, start_minute: 1, end_minute: 1_440 }],
        holidays: vec!["2026-12-24".into()],
        open: IntervalSet::of(vec![
            Interval { start: Time(1), end: Time(5) },
            Interval { start: Time(9), end: Time(11) },
        ]),
        horizon: Time(12),
    };
    let restart = || RestartPolicy { idle_period_us: 5, on_member_change: true };
    let cap = || PeriodCap { count: 3, period_us: 86_400_000_000 };
    let settings = GroupSettings {
        display_name: name(),
        labels: labels(),
        kind: GroupKind::Options,
        strategy: Strategy::LeastOpen,
        require_online: true,
        cursor_scope: CursorScope::Group,
        restart: Some(restart()),
        period_cap: Some(cap()),
    };
    let group_change = GroupChange {
        display_name: Some(name()),
        labels: Some(labels()),
        strategy: Some(Strategy::RoundRobin),
        require_online: Some(false),
        cursor_scope: Some(CursorScope::Campaign),
        restart: Some(Some(restart())),
        period_cap: Some(Some(cap())),
    };
    let rep_change = RepChange {
        display_name: Some(name()),
        labels: Some(Labels::new()),
        email: Some(Some("a@b.c".into())),
        external_ids: Some(BTreeMap::new()),
        disabled: Some(false),
        max_open: Some(0),
        hours: Some(Some(hours())),
    };
    let assign = |contact: &str, via| Assign {
        contact: ContactId::new(contact),
        via,
        owners: vec![owner(), OwnerRef { external_id: None, ..owner() }],
        prefer_last_rep: true,
        priority: i32::MIN,
        labels: labels(),
    };
    vec![
        Operation::CreateTeam { display_name: name(), labels: labels(), time_zone: "UTC".into() },
        Operation::UpdateTeam {
            change: TeamChange {
                display_name: Some(name()),
                labels: Some(labels()),
                time_zone: Some("UTC".into()),
                default_rule: Some(Some(rule())),
            },
        },
        Operation::UpdateTeam {
            change: TeamChange { default_rule: Some(None), ..TeamChange::default() },
        },
        Operation::UpdateTeam { change: TeamChange::default() },
        Operation::DeleteTeam { allow_missing: true },
        Operation::CreateRep {
            rep: rep(),
            settings: RepSettings {
                labels: labels(),
                max_open: 7,
                hours: Some(hours()),
                ..RepSettings::default()
            },
        },
        Operation::UpdateRep { rep: rep(), change: rep_change },
        Operation::UpdateRep {
            rep: rep(),
            change: RepChange { email: Some(None), hours: Some(None), ..RepChange::default() },
        },
        Operation::UpdateRep { rep: rep(), change: RepChange::default() },
        Operation::DeleteRep { rep: rep(), open: OpenAssignments::Reroute, allow_missing: true },
        Operation::SetPresence { rep: rep(), online: true, ttl_us: 300_000_000 },
        Operation::SetPresence { rep: rep(), online: false, ttl_us: 0 },
        Operation::RenewHours { rep: rep(), hours: hours() },
        Operation::CreateGroup { group: group(), settings, members: members() },
        Operation::UpdateGroup { group: group(), change: group_change },
        Operation::UpdateGroup {
            group: group(),
            change: GroupChange {
                restart: Some(None),
                period_cap: Some(None),
                ..GroupChange::default()
            },
        },
        Operation::UpdateGroup { group: group(), change: GroupChange::default() },
        Operation::DeleteGroup { group: group(), allow_missing: true },
        Operation::AddGroupMembers { group: group(), members: members() },
        Operation::RemoveGroupMember { group: group(), member: option() },
        Operation::RemoveGroupMember { group: group(), member: nested() },
        Operation::UpdateGroupMember {
            group: group(),
            member: option(),
            weight: Some(2),
            payload: Some(String::new()),
        },
        Operation::UpdateGroupMember {
            group: group(),
            member: MemberName::Rep(rep()),
            weight: None,
            payload: None,
        },
        Operation::ReorderGroup {
            group: group(),
            members: vec![nested(), option(), MemberName::Rep(rep())],
        },
        Operation::ResetRotation { group: group(), campaign: Some(campaign()) },
        Operation::ResetRotation { group: group(), campaign: None },
        Operation::AdjustRotation {
            group: group(),
            campaign: Some(campaign()),
            member: MemberName::Rep(rep()),
            credits: -100,
            reason: "why".into(),
        },
        Operation::CreateRule {
            rule: rule(),
            display_name: name(),
            labels: labels(),
            targets: vec![target.clone()],
        },
        Operation::UpdateRule {
            rule: rule(),
            display_name: Some(name()),
            labels: Some(labels()),
            targets: Some(vec![target]),
        },
        Operation::UpdateRule {
            rule: rule(),
            display_name: None,
            labels: None,
            targets: Some(Vec::new()),
        },
        Operation::UpdateRule { rule: rule(), display_name: None, labels: None, targets: None },
        Operation::DeleteRule { rule: rule(), allow_missing: true },
        Operation::CreateCampaign {
            campaign: campaign(),
            display_name: name(),
            labels: labels(),
            route: Route::Rule(rule()),
        },
        Operation::UpdateCampaign {
            campaign: campaign(),
            display_name: None,
            labels: Some(labels()),
            route: Some(Route::Rule(rule())),
        },
        Operation::DeleteCampaign { campaign: campaign(), allow_missing: true },
        Operation::ScheduleCampaign { campaign: campaign(), launch_time: Some(Time(9)) },
        Operation::ScheduleCampaign { campaign: campaign(), launch_time: None },
        Operation::AssignContact(assign("c-1", Via::Rule(rule()))),
        Operation::AssignBatch {
            items: vec![
                assign("c-2", Via::Group(group())),
                assign("c-3", Via::Rep(rep())),
                assign("c-4", Via::DefaultRule),
            ],
        },
        Operation::AcceptAssignment { assignment: id(), rep: None },
        Operation::AcceptAssignment { assignment: id(), rep: Some(rep()) },
        Operation::RejectAssignment { assignment: id(), rep: None },
        Operation::RejectAssignment { assignment: id(), rep: Some(rep()) },
        Operation::ClaimAssignment { assignment: id(), rep: rep() },
        Operation::ReassignAssignment { assignment: id(), to: Some(rep()) },
        Operation::ReassignAssignment { assignment: id(), to: None },
        Operation::UnassignAssignment { assignment: id() },
        Operation::CloseAssignment { assignment: id() },
        Operation::CancelAssignment { assignment: id() },
        Operation::Tick,
    ]
}

/// What access tokens added.
fn version_3() -> Vec<Operation> {
    let token = || TokenId::new("crm");
    let labels = || Labels::from([("k".to_owned(), "v".to_owned())]);
    let secret = SecretHash([0xcd; 32]);
    let groups = vec![GroupId::new("west"), GroupId::new("east")];
    let roles = [
        Role::Admin,
        Role::Manager,
        Role::GroupManager(groups),
        Role::Router,
        Role::Rep(RepId::new("ana")),
        Role::Viewer,
    ];
    let create = roles.map(|role| Operation::CreateToken {
        token: token(),
        settings: TokenSettings {
            display_name: "CRM".into(),
            labels: labels(),
            role,
            secret,
            expire_time: None,
        },
    });
    let expiring = TokenSettings {
        display_name: String::new(),
        labels: Labels::new(),
        role: Role::Viewer,
        secret,
        expire_time: Some(Time(9)),
    };
    let update = |change| Operation::UpdateToken { token: token(), change };
    let all = TokenChange {
        display_name: Some("CRM 2".into()),
        labels: Some(labels()),
        role: Some(Role::Router),
        secret: Some(secret),
        expire_time: Some(Some(Time(7))),
    };
    let mut operations = Vec::from(create);
    operations.extend([
        Operation::CreateToken { token: token(), settings: expiring },
        update(all),
        update(TokenChange { expire_time: Some(None), ..TokenChange::default() }),
        update(TokenChange::default()),
        Operation::DeleteToken { token: token(), allow_missing: true },
    ]);
    operations
}

fn bearer() -> Principal {
    Principal::Token(Bearer {
        team: TeamId::new("support"),
        token: TokenId::new("crm"),
        secret_revision: Revision { log_index: 12, seq: 3 },
    })
}

/// The operation's own number here: a new operation has to be added, and then shown to be covered.
fn number(operation: &Operation) -> usize {
    match operation {
        Operation::CreateTeam { .. } => 0,
        Operation::UpdateTeam { .. } => 1,
        Operation::DeleteTeam { .. } => 2,
        Operation::CreateRep { .. } => 3,
        Operation::UpdateRep { .. } => 4,
        Operation::DeleteRep { .. } => 5,
        Operation::SetOutOfOffice { .. } => 6,
        Operation::ClearOutOfOffice { .. } => 7,
        Operation::SetPresence { .. } => 8,
        Operation::RenewHours { .. } => 9,
        Operation::CreateGroup { .. } => 10,
        Operation::UpdateGroup { .. } => 11,
        Operation::DeleteGroup { .. } => 12,
        Operation::AddGroupMembers { .. } => 13,
        Operation::RemoveGroupMember { .. } => 14,
        Operation::UpdateGroupMember { .. } => 15,
        Operation::ReorderGroup { .. } => 16,
        Operation::ResetRotation { .. } => 17,
        Operation::AdjustRotation { .. } => 18,
        Operation::CreateRule { .. } => 19,
        Operation::UpdateRule { .. } => 20,
        Operation::DeleteRule { .. } => 21,
        Operation::CreateCampaign { .. } => 22,
        Operation::UpdateCampaign { .. } => 23,
        Operation::DeleteCampaign { .. } => 24,
        Operation::ScheduleCampaign { .. } => 25,
        Operation::LaunchCampaign { .. } => 26,
        Operation::PauseCampaign { .. } => 27,
        Operation::ResumeCampaign { .. } => 28,
        Operation::CancelCampaign { .. } => 29,
        Operation::AssignContact { .. } => 30,
        Operation::AssignBatch { .. } => 31,
        Operation::AcceptAssignment { .. } => 32,
        Operation::RejectAssignment { .. } => 33,
        Operation::ClaimAssignment { .. } => 34,
        Operation::ReassignAssignment { .. } => 35,
        Operation::UnassignAssignment { .. } => 36,
        Operation::CloseAssignment { .. } => 37,
        Operation::CancelAssignment { .. } => 38,
        Operation::Tick => 39,
        Operation::CreateToken { .. } => 40,
        Operation::UpdateToken { .. } => 41,
        Operation::DeleteToken { .. } => 42,
    }
}
const OPERATIONS: usize = 43;

fn command(operation: Operation, etag: Option<Revision>) -> Command {
    Command {
        request: Some(RequestKey { id: RequestId::new("r-1"), fingerprint: 7 << 100 }),
        principal: "ops".into(),
        team: TeamId::new("sales"),
        etag,
        operation,
    }
}

/// As an entry of the log holds them.
fn batch(commands: &[Command]) -> Vec<u8> {
    let incarnation = vec![0xab; 16].into();
    let record = log::MemberRecord { node_id: 3, incarnation, ..log::MemberRecord::default() };
    let member_records = vec![record];
    let stamp_us = 1_800_000_000_000_000;
    let commands = commands.iter().map(encode).collect();
    log::Batch { stamp_us, commands, member_records, ..log::Batch::default() }.encode_to_vec()
}

fn read(batch: &[u8]) -> Vec<Command> {
    let batch = log::Batch::decode(batch).unwrap();
    batch.commands.iter().map(|bytes: &Bytes| decode(bytes).unwrap()).collect()
}

#[test]
fn every_operation_reads_back_as_it_was_written() {
    let mut seen = [false; OPERATIONS];
    for operation in version_1().into_iter().chain(version_2()).chain(version_3()) {
        seen[number(&operation)] = true;
        let with_all = command(operation, Some(Revision { log_index: 9, seq: 4 }));
        let with_none = Command { request: None, etag: None, ..with_all.clone() };
        let by_token = Command { principal: bearer(), ..with_none.clone() };
        for command in [with_all, with_none, by_token] {
            assert_eq!(decode(&encode(&command)).unwrap(), command);
        }
    }
    let missing = seen.iter().position(|seen| !seen);
    assert_eq!(missing, None, "an operation that nobody tries");
}

#[test]
fn an_operation_of_a_later_version_is_an_error_and_never_skipped() {
    let later = log::Command { team: "sales".into(), ..log::Command::default() };
    let mut bytes = later.encode_to_vec();
    // Field 15,000, a message: what a later version's operation looks like to this one.
    prost::encoding::encode_key(15_000, prost::encoding::WireType::LengthDelimited, &mut bytes);
    bytes.push(0);
    assert!(matches!(decode(&bytes.into()), Err(DecodeError::Operation)));
}

#[test]
fn a_value_of_a_later_version_is_an_error_and_never_taken_for_another() {
    let message =
        |operation| log::Command { operation: Some(operation), ..log::Command::default() };
    let create = |kind, strategy, cursor_scope| log::CreateGroup {
        kind,
        strategy,
        cursor_scope,
        ..log::CreateGroup::default()
    };
    for group in [create(9, 0, 0), create(0, 9, 0), create(0, 0, 9)] {
        let bytes = message(log::command::Operation::CreateGroup(group)).encode_to_vec();
        assert!(matches!(decode(&bytes.into()), Err(DecodeError::Field(_))));
    }
}

/// Version 1, as it was first written: read for ever, and still written so where nothing newer is said.
#[test]
fn the_golden_file_of_version_1_reads_and_writes_as_ever() {
    let commands: Vec<_> = version_1().into_iter().map(|one| command(one, None)).collect();
    let golden = include_bytes!("../../tests/golden/batch-v1.bin");
    assert_eq!(read(golden), commands);
    assert_eq!(batch(&commands), golden, "new bytes need a new version");
}

/// Version 2, as it was first written.
#[test]
fn the_golden_file_of_version_2_reads_and_writes_as_ever() {
    let etag = Some(Revision { log_index: 9, seq: 4 });
    let all = version_1().into_iter().chain(version_2());
    let commands: Vec<_> = all.map(|one| command(one, etag)).collect();
    let golden = include_bytes!("../../tests/golden/batch-v2.bin");
    assert_eq!(read(golden), commands);
    assert_eq!(batch(&commands), golden, "new bytes need a new version");
}

/// What access tokens added, as it was first written.
#[test]
fn the_golden_file_of_version_3_reads_and_writes_as_ever() {
    let by_token = |one| Command { principal: bearer(), ..command(one, None) };
    let commands: Vec<_> = version_3().into_iter().map(by_token).collect();
    let golden = include_bytes!("../../tests/golden/batch-v3.bin");
    assert_eq!(read(golden), commands);
    assert_eq!(batch(&commands), golden, "new bytes need a new version");
}

#[test]
fn a_secret_of_another_length_or_a_role_of_a_later_version_is_an_error() {
    let role = log::Role { role: Some(log::role::Role::Viewer(log::role::Nothing {})) };
    let whole = log::CreateToken {
        token: "crm".into(),
        role: Some(role),
        secret_sha256: vec![1; 32].into(),
        ..log::CreateToken::default()
    };
    let read = |create: log::CreateToken| {
        let operation = Some(log::command::Operation::CreateToken(create));
        decode(&log::Command { operation, ..log::Command::default() }.encode_to_vec().into())
    };
    assert!(read(whole.clone()).is_ok());
    for len in [0, 31, 33] {
        let other = log::CreateToken { secret_sha256: vec![1; len].into(), ..whole.clone() };
        assert!(matches!(read(other), Err(DecodeError::Field("secret_sha256"))), "{len}");
    }
    let later = log::CreateToken { role: Some(log::Role { role: None }), ..whole.clone() };
    assert!(matches!(read(later), Err(DecodeError::Field("role"))));
    let none = log::CreateToken { role: None, ..whole };
    assert!(matches!(read(none), Err(DecodeError::Field("create_token.role"))));
}
