//! Commands to bytes of the log and back: `routing::Command` and `turnwise.log.v1.Command`.
//!
//! These bytes outlive a version. A field that is missing in old bytes has the meaning it had then; an
//! operation that this version does not know is an error, never skipped. It judges no rule: what it
//! decodes was checked before it was proposed.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    proto::turnwise::log::v1 as log,
    routing::{
        CampaignId, Command, ContactId, GroupId, MemberSpec, Operation, OwnerKind, OwnerRef,
        OwnerType, RepId, RequestId, RequestKey, Target, TargetKind, TeamId, Time, Via,
    },
};

/// Bytes that are no command of this version.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not the wire format.
    #[error("not a command")]
    Wire(#[from] prost::DecodeError),
    /// The operation is unset or of a later version.
    #[error("the operation is unknown")]
    Operation,
    /// A field that must be set is not, or holds an unknown value.
    #[error("field `{0}` is missing or unknown")]
    Field(&'static str),
}

/// The bytes of a command in the log.
#[must_use]
pub fn encode(command: &Command) -> Bytes {
    let (request_id, fingerprint) = match &command.request {
        None => (String::new(), Bytes::new()),
        Some(RequestKey { id, fingerprint }) => {
            (id.as_str().to_owned(), fingerprint.to_be_bytes().to_vec().into())
        }
    };
    let message = log::Command {
        request_id,
        fingerprint,
        principal: command.principal.clone(),
        team: command.team.as_str().to_owned(),
        operation: Some(encode_operation(&command.operation)),
    };
    message.encode_to_vec().into()
}

/// The command that bytes of the log stand for.
///
/// # Errors
/// [`DecodeError`] if this version can't read it; the caller stops rather than skip it.
pub fn decode(bytes: &Bytes) -> Result<Command, DecodeError> {
    let message = log::Command::decode(bytes.clone())?;
    let request = if message.request_id.is_empty() {
        None
    } else {
        let fingerprint: [u8; 16] = message
            .fingerprint
            .as_ref()
            .try_into()
            .map_err(|_| DecodeError::Field("fingerprint"))?;
        Some(RequestKey {
            id: RequestId::new(&message.request_id),
            fingerprint: u128::from_be_bytes(fingerprint),
        })
    };
    Ok(Command {
        request,
        principal: message.principal,
        team: TeamId::new(&message.team),
        operation: decode_operation(message.operation.ok_or(DecodeError::Operation)?)?,
    })
}

fn encode_operation(operation: &Operation) -> log::command::Operation {
    use log::command::Operation as Out;
    let text = |id: &str| id.to_owned();
    match operation {
        Operation::CreateTeam { display_name } => {
            Out::CreateTeam(log::CreateTeam { display_name: display_name.clone() })
        }
        Operation::CreateRep { rep, display_name, email, external_ids, disabled } => {
            Out::CreateRep(log::CreateRep {
                rep: text(rep.as_str()),
                display_name: display_name.clone(),
                email: email.clone(),
                external_ids: external_ids.clone(),
                disabled: *disabled,
            })
        }
        Operation::DeleteRep { rep } => Out::DeleteRep(log::DeleteRep { rep: text(rep.as_str()) }),
        Operation::SetOutOfOffice { rep, start, end, note } => {
            Out::SetOutOfOffice(log::SetOutOfOffice {
                rep: text(rep.as_str()),
                start_us: start.map(|t| t.0),
                end_us: end.map(|t| t.0),
                note: note.clone(),
            })
        }
        Operation::ClearOutOfOffice { rep, start, end } => {
            Out::ClearOutOfOffice(log::ClearOutOfOffice {
                rep: text(rep.as_str()),
                start_us: start.map(|t| t.0),
                end_us: end.map(|t| t.0),
            })
        }
        Operation::CreateGroup { group, display_name, members } => {
            Out::CreateGroup(log::CreateGroup {
                group: text(group.as_str()),
                display_name: display_name.clone(),
                members: members.iter().map(encode_member).collect(),
            })
        }
        Operation::DeleteGroup { group } => {
            Out::DeleteGroup(log::DeleteGroup { group: text(group.as_str()) })
        }
        Operation::AddGroupMembers { group, members } => {
            Out::AddGroupMembers(log::AddGroupMembers {
                group: text(group.as_str()),
                members: members.iter().map(encode_member).collect(),
            })
        }
        Operation::RemoveGroupMember { group, rep } => {
            Out::RemoveGroupMember(log::RemoveGroupMember {
                group: text(group.as_str()),
                rep: text(rep.as_str()),
            })
        }
        Operation::CreateCampaign { campaign, display_name, targets } => {
            Out::CreateCampaign(log::CreateCampaign {
                campaign: text(campaign.as_str()),
                display_name: display_name.clone(),
                targets: targets.as_deref().map(encode_targets),
            })
        }
        Operation::UpdateCampaign { campaign, targets, display_name } => {
            Out::UpdateCampaign(log::UpdateCampaign {
                campaign: text(campaign.as_str()),
                set_targets: targets.is_some(),
                targets: targets.as_ref().and_then(|t| t.as_deref()).map(encode_targets),
                display_name: display_name.clone(),
            })
        }
        Operation::LaunchCampaign { campaign } => {
            Out::LaunchCampaign(log::LaunchCampaign { campaign: text(campaign.as_str()) })
        }
        Operation::PauseCampaign { campaign } => {
            Out::PauseCampaign(log::PauseCampaign { campaign: text(campaign.as_str()) })
        }
        Operation::ResumeCampaign { campaign } => {
            Out::ResumeCampaign(log::ResumeCampaign { campaign: text(campaign.as_str()) })
        }
        Operation::CancelCampaign { campaign } => {
            Out::CancelCampaign(log::CancelCampaign { campaign: text(campaign.as_str()) })
        }
        Operation::AssignContact { contact, via, owners } => {
            Out::AssignContact(log::AssignContact {
                contact: text(contact.as_str()),
                via: match via {
                    Via::DefaultRule => None,
                    Via::Campaign(id) => {
                        Some(log::assign_contact::Via::Campaign(text(id.as_str())))
                    }
                },
                owners: owners.iter().map(encode_owner).collect(),
            })
        }
    }
}

fn decode_operation(operation: log::command::Operation) -> Result<Operation, DecodeError> {
    use log::command::Operation as In;
    let members = |list: Vec<log::MemberSpec>| list.iter().map(decode_member).collect();
    Ok(match operation {
        In::CreateTeam(m) => Operation::CreateTeam { display_name: m.display_name },
        In::CreateRep(m) => Operation::CreateRep {
            rep: RepId::new(&m.rep),
            display_name: m.display_name,
            email: m.email,
            external_ids: m.external_ids,
            disabled: m.disabled,
        },
        In::DeleteRep(m) => Operation::DeleteRep { rep: RepId::new(&m.rep) },
        In::SetOutOfOffice(m) => Operation::SetOutOfOffice {
            rep: RepId::new(&m.rep),
            start: m.start_us.map(Time),
            end: m.end_us.map(Time),
            note: m.note,
        },
        In::ClearOutOfOffice(m) => Operation::ClearOutOfOffice {
            rep: RepId::new(&m.rep),
            start: m.start_us.map(Time),
            end: m.end_us.map(Time),
        },
        In::CreateGroup(m) => Operation::CreateGroup {
            group: GroupId::new(&m.group),
            display_name: m.display_name,
            members: members(m.members),
        },
        In::DeleteGroup(m) => Operation::DeleteGroup { group: GroupId::new(&m.group) },
        In::AddGroupMembers(m) => Operation::AddGroupMembers {
            group: GroupId::new(&m.group),
            members: members(m.members),
        },
        In::RemoveGroupMember(m) => {
            Operation::RemoveGroupMember { group: GroupId::new(&m.group), rep: RepId::new(&m.rep) }
        }
        In::CreateCampaign(m) => Operation::CreateCampaign {
            campaign: CampaignId::new(&m.campaign),
            display_name: m.display_name,
            targets: m.targets.map(decode_targets).transpose()?,
        },
        In::UpdateCampaign(m) => {
            let targets = m.targets.map(decode_targets).transpose()?;
            Operation::UpdateCampaign {
                campaign: CampaignId::new(&m.campaign),
                targets: m.set_targets.then_some(targets),
                display_name: m.display_name,
            }
        }
        In::LaunchCampaign(m) => {
            Operation::LaunchCampaign { campaign: CampaignId::new(&m.campaign) }
        }
        In::PauseCampaign(m) => Operation::PauseCampaign { campaign: CampaignId::new(&m.campaign) },
        In::ResumeCampaign(m) => {
            Operation::ResumeCampaign { campaign: CampaignId::new(&m.campaign) }
        }
        In::CancelCampaign(m) => {
            Operation::CancelCampaign { campaign: CampaignId::new(&m.campaign) }
        }
        In::AssignContact(m) => Operation::AssignContact {
            contact: ContactId::new(&m.contact),
            via: match m.via {
                None => Via::DefaultRule,
                Some(log::assign_contact::Via::Campaign(id)) => Via::Campaign(CampaignId::new(&id)),
            },
            owners: m.owners.into_iter().map(decode_owner).collect::<Result<_, _>>()?,
        },
    })
}

fn encode_member(member: &MemberSpec) -> log::MemberSpec {
    log::MemberSpec { rep: member.rep.as_str().to_owned(), weight: member.weight }
}

fn decode_member(member: &log::MemberSpec) -> MemberSpec {
    MemberSpec { rep: RepId::new(&member.rep), weight: member.weight }
}

fn encode_targets(targets: &[Target]) -> log::Targets {
    log::Targets { targets: targets.iter().map(encode_target).collect() }
}

fn decode_targets(targets: log::Targets) -> Result<Vec<Target>, DecodeError> {
    targets.targets.into_iter().map(decode_target).collect()
}

fn encode_target(target: &Target) -> log::Target {
    let kind = match &target.kind {
        TargetKind::Owner(kinds) => log::target::Kind::Owner(log::OwnerTarget {
            kinds: kinds.iter().map(|kind| i32::from(encode_owner_kind(*kind))).collect(),
        }),
        TargetKind::Group(group) => log::target::Kind::Group(group.as_str().to_owned()),
        TargetKind::Rep(rep) => log::target::Kind::Rep(rep.as_str().to_owned()),
    };
    log::Target { kind: Some(kind), include_unavailable: target.include_unavailable }
}

fn decode_target(target: log::Target) -> Result<Target, DecodeError> {
    let kind = match target.kind.ok_or(DecodeError::Field("target.kind"))? {
        log::target::Kind::Owner(owner) => TargetKind::Owner(
            owner.kinds.into_iter().map(decode_owner_kind).collect::<Result<_, _>>()?,
        ),
        log::target::Kind::Group(group) => TargetKind::Group(GroupId::new(&group)),
        log::target::Kind::Rep(rep) => TargetKind::Rep(RepId::new(&rep)),
    };
    Ok(Target { kind, include_unavailable: target.include_unavailable })
}

fn encode_owner_kind(kind: OwnerKind) -> log::OwnerKind {
    match kind {
        OwnerKind::Contact => log::OwnerKind::Contact,
        OwnerKind::Lead => log::OwnerKind::Lead,
        OwnerKind::Account => log::OwnerKind::Account,
        OwnerKind::Opportunity => log::OwnerKind::Opportunity,
    }
}

fn decode_owner_kind(kind: i32) -> Result<OwnerKind, DecodeError> {
    match log::OwnerKind::try_from(kind) {
        Ok(log::OwnerKind::Contact) => Ok(OwnerKind::Contact),
        Ok(log::OwnerKind::Lead) => Ok(OwnerKind::Lead),
        Ok(log::OwnerKind::Account) => Ok(OwnerKind::Account),
        Ok(log::OwnerKind::Opportunity) => Ok(OwnerKind::Opportunity),
        Ok(log::OwnerKind::Unspecified) | Err(_) => Err(DecodeError::Field("owner.kind")),
    }
}

fn encode_owner(owner: &OwnerRef) -> log::OwnerRef {
    let (external_system, external_id) = owner.external_id.clone().unwrap_or_default();
    log::OwnerRef {
        kind: i32::from(encode_owner_kind(owner.kind)),
        queue: owner.owner_type == OwnerType::Queue,
        email: owner.email.clone(),
        external_system,
        external_id,
    }
}

fn decode_owner(owner: log::OwnerRef) -> Result<OwnerRef, DecodeError> {
    Ok(OwnerRef {
        kind: decode_owner_kind(owner.kind)?,
        owner_type: if owner.queue { OwnerType::Queue } else { OwnerType::User },
        email: owner.email,
        external_id: (!owner.external_id.is_empty())
            .then_some((owner.external_system, owner.external_id)),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// One of each operation, with every field away from its default.
    fn one_of_each() -> Vec<Operation> {
        let rep = || RepId::new("ana");
        let group = || GroupId::new("west");
        let campaign = || CampaignId::new("spring");
        let members = || vec![MemberSpec { rep: rep(), weight: 3 }];
        let owner_kinds = vec![OwnerKind::Contact, OwnerKind::Lead, OwnerKind::Account];
        let targets = vec![
            Target { kind: TargetKind::Owner(owner_kinds), include_unavailable: true },
            Target {
                kind: TargetKind::Owner(vec![OwnerKind::Opportunity]),
                include_unavailable: false,
            },
            Target { kind: TargetKind::Group(group()), include_unavailable: false },
            Target { kind: TargetKind::Rep(rep()), include_unavailable: true },
        ];
        let display_name = || "Name".to_owned();
        let owner = OwnerRef {
            kind: OwnerKind::Lead,
            owner_type: OwnerType::Queue,
            email: Some("a@b.c".into()),
            external_id: Some(("salesforce".into(), "005".into())),
        };
        vec![
            Operation::CreateTeam { display_name: display_name() },
            Operation::CreateRep {
                rep: rep(),
                display_name: display_name(),
                email: Some("a@b.c".into()),
                external_ids: BTreeMap::from([("salesforce".into(), "005".into())]),
                disabled: true,
            },
            Operation::DeleteRep { rep: rep() },
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
                display_name: display_name(),
                members: members(),
            },
            Operation::DeleteGroup { group: group() },
            Operation::AddGroupMembers { group: group(), members: members() },
            Operation::RemoveGroupMember { group: group(), rep: rep() },
            Operation::CreateCampaign {
                campaign: campaign(),
                display_name: display_name(),
                targets: Some(targets),
            },
            Operation::CreateCampaign {
                campaign: campaign(),
                display_name: display_name(),
                targets: None,
            },
            Operation::UpdateCampaign {
                campaign: campaign(),
                targets: Some(None),
                display_name: None,
            },
            Operation::UpdateCampaign {
                campaign: campaign(),
                targets: Some(Some(Vec::new())),
                display_name: Some(String::new()),
            },
            Operation::UpdateCampaign {
                campaign: campaign(),
                targets: None,
                display_name: Some(display_name()),
            },
            Operation::LaunchCampaign { campaign: campaign() },
            Operation::PauseCampaign { campaign: campaign() },
            Operation::ResumeCampaign { campaign: campaign() },
            Operation::CancelCampaign { campaign: campaign() },
            Operation::AssignContact {
                contact: ContactId::new("c-1"),
                via: Via::Campaign(campaign()),
                owners: vec![owner],
            },
            Operation::AssignContact {
                contact: ContactId::new("c-1"),
                via: Via::DefaultRule,
                owners: Vec::new(),
            },
        ]
    }

    #[test]
    fn every_operation_reads_back_as_it_was_written() {
        for operation in one_of_each() {
            for request in
                [None, Some(RequestKey { id: RequestId::new("r-1"), fingerprint: u128::MAX - 7 })]
            {
                let command = Command {
                    request,
                    principal: "ops".into(),
                    team: TeamId::new("sales"),
                    operation: operation.clone(),
                };
                assert_eq!(decode(&encode(&command)).unwrap(), command);
            }
        }
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

    /// Version 1, as it was first written: read for ever, and still written so.
    #[test]
    fn the_golden_file_of_version_1_reads_and_writes_as_ever() {
        let commands: Vec<Command> = one_of_each()
            .into_iter()
            .map(|operation| Command {
                request: Some(RequestKey { id: RequestId::new("r-1"), fingerprint: 7 << 100 }),
                principal: "ops".into(),
                team: TeamId::new("sales"),
                operation,
            })
            .collect();
        let batch = log::Batch {
            stamp_us: 1_800_000_000_000_000,
            commands: commands.iter().map(encode).collect(),
            member_records: vec![log::MemberRecord {
                node_id: 3,
                incarnation: vec![0xab; 16].into(),
            }],
        };
        let golden = include_bytes!("../tests/golden/batch-v1.bin");
        assert_eq!(batch.encode_to_vec(), golden, "new bytes need a new version");
        let read = log::Batch::decode(&golden[..]).unwrap();
        let decoded: Vec<Command> =
            read.commands.iter().map(|bytes| decode(bytes).unwrap()).collect();
        assert_eq!(decoded, commands);
    }
}
