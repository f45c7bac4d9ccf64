//! The state as bytes of a snapshot: the one file that knows bincode.
//!
//! Body = version (u32, little-endian), then the serde image of `routing::State` in bincode's standard
//! configuration. bincode 2.0.1 is unmaintained (RUSTSEC-2025-0141); behind this version number it can
//! be replaced without touching anything else. The bytes arrive checksummed, and are decoded under a
//! limit all the same: without one, ten bad bytes could ask for any amount of memory.

use std::io::{self, Write};

use bincode::config;

use crate::routing::{Image, State};

/// The one version so far.
const VERSION: u32 = 1;
/// What a claimed length inside the body may ask for, in bytes: the first that is no less than the
/// body's own length.
const LIMITS: (usize, usize, usize) = (16 << 20, 1 << 30, 1 << 40);

/// Writes the state.
///
/// # Errors
/// Those of `out`.
pub fn save(state: &State, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&VERSION.to_le_bytes())?;
    let mut out = out;
    bincode::serde::encode_into_std_write(state.image(), &mut out, config::standard())
        .map(|_| ())
        .map_err(io::Error::other)
}

/// Reads what [`save`] wrote, by this or any earlier version.
///
/// # Errors
/// `InvalidData` where the bytes make no state.
pub fn load(body: &[u8]) -> io::Result<State> {
    let (version, image) = body.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(invalid(format!("state image version {version} is not known, only {VERSION}")));
    }
    let (small, medium, large) = LIMITS;
    let decoded = if image.len() <= small {
        bincode::serde::decode_from_slice(image, config::standard().with_limit::<{ LIMITS.0 }>())
    } else if image.len() <= medium {
        bincode::serde::decode_from_slice(image, config::standard().with_limit::<{ LIMITS.1 }>())
    } else if image.len() <= large {
        bincode::serde::decode_from_slice(image, config::standard().with_limit::<{ LIMITS.2 }>())
    } else {
        return Err(invalid(format!("a state image of {} bytes", image.len())));
    };
    let (decoded, len): (Image, usize) = decoded.map_err(invalid)?;
    if len != image.len() {
        return Err(invalid(format!("{} bytes follow the state image", image.len() - len)));
    }
    State::from_image(decoded).map_err(invalid)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{
        CampaignId, Command, ContactId, GroupId, LogPosition, MemberSpec, Operation, OwnerKind,
        OwnerRef, OwnerType, RepId, RequestId, RequestKey, Stamp, Target, TargetKind, TeamId, Time,
        Via,
    };

    /// A state with one of each record.
    fn state() -> State {
        let rep = |id: &str| Operation::CreateRep {
            rep: RepId::new(id),
            display_name: id.to_uppercase(),
            email: Some(format!("{id}@example.com")),
            external_ids: [("crm".to_owned(), format!("005{id}"))].into(),
            disabled: id == "cem",
        };
        let spring = || CampaignId::new("spring");
        let target = |kind| Target { kind, include_unavailable: false };
        let members = ["ana", "bo", "cem"].map(|id| MemberSpec { rep: RepId::new(id), weight: 2 });
        let owner = OwnerRef {
            kind: OwnerKind::Lead,
            owner_type: OwnerType::User,
            email: Some("bo@example.com".to_owned()),
            external_id: None,
        };
        let assign = |contact: &str, owners: Vec<OwnerRef>| Operation::AssignContact {
            contact: ContactId::new(contact),
            via: Via::Campaign(spring()),
            owners,
        };
        let operations = [
            Operation::CreateTeam { display_name: "Sales".to_owned() },
            rep("ana"),
            rep("bo"),
            rep("cem"),
            Operation::CreateGroup {
                group: GroupId::new("west"),
                display_name: "West".to_owned(),
                members: members.to_vec(),
            },
            Operation::CreateCampaign {
                campaign: spring(),
                display_name: String::new(),
                targets: Some(vec![
                    target(TargetKind::Owner(vec![OwnerKind::Lead])),
                    target(TargetKind::Group(GroupId::new("west"))),
                ]),
            },
            Operation::LaunchCampaign { campaign: spring() },
            Operation::SetOutOfOffice {
                rep: RepId::new("ana"),
                start: None,
                end: Some(Time(9_000)),
                note: "lunch".to_owned(),
            },
            assign("c-1", Vec::new()),
            assign("c-2", vec![owner]),
            assign("c-1", Vec::new()),
        ];
        let mut state = State::new();
        for (seq, operation) in (0..).zip(operations) {
            let command = Command {
                request: Some(RequestKey {
                    id: RequestId::new(&format!("r-{seq}")),
                    fingerprint: u128::from(seq),
                }),
                principal: "ops".to_owned(),
                team: TeamId::new("sales"),
                operation,
            };
            let position = LogPosition { log_index: 5, seq, term: 2 };
            state.apply(&command, Stamp { time: Time(1_000), position }).unwrap();
        }
        state
    }

    /// Version 1, as it was first written: read for ever, and still written so.
    #[test]
    fn the_golden_file_of_version_1_reads_and_writes_as_ever() {
        let mut written = Vec::new();
        save(&state(), &mut written).unwrap();
        let golden = include_bytes!("../tests/golden/state-v1.bin");
        assert_eq!(written, golden, "new bytes need a new version");
        let loaded = load(golden).unwrap();
        assert_eq!(loaded, state());
        assert_eq!(loaded.recomputed_hash(), state().hash());
    }

    #[test]
    fn damaged_bodies_are_refused_and_ask_for_no_memory() {
        let mut body = Vec::new();
        save(&state(), &mut body).unwrap();
        for len in 0..body.len() {
            assert!(load(&body[..len]).is_err(), "the first {len} bytes");
        }
        body.push(0);
        assert!(load(&body).is_err(), "one byte more");
        assert!(load(&[9, 0, 0, 0, 0]).is_err(), "another version");
        assert!(load(&[1, 0, 0, 0, 0, 253, 255, 255, 255, 255, 255, 255, 255, 127]).is_err());
    }
}
