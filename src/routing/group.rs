//! A group: what people configured, its ring, and where its rotations stand.
//!
//! Owns that configuration and position never overwrite each other: editing members moves no cursor,
//! a pick changes no member. Every change keeps the hash.

use imbl::OrdMap;

use super::{
    CampaignId, Cursor, Group, GroupId, Member, Time,
    digest::Sum,
    record::{GroupRecord, MemberRecord, RepUid, RotationRecord, TurnsRecord},
    reps::Reps,
    ring::{Ring, Seat},
};

/// Which cursor of a group: a campaign's own, or the one of all calls without campaign.
pub(super) type RotationKey = Option<CampaignId>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupState {
    pub(super) record: GroupRecord,
    pub(super) ring: Ring,
    pub(super) rotations: OrdMap<RotationKey, Rotation>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rotation {
    pub(super) cursor: Cursor,
    pub(super) last_pick_time: Time,
    /// Picks by ring key, present members only; a member never picked is not in it.
    pub(super) turns: OrdMap<u64, u64>,
}

impl GroupState {
    pub(super) fn new(sum: &mut Sum, id: GroupId, display_name: String, create_time: Time) -> Self {
        let record = GroupRecord { id, display_name, create_time, last_key: 0 };
        sum.add(&record);
        Self { record, ring: Ring::default(), rotations: OrdMap::new() }
    }

    /// Adds a rep, who is not a member yet, at the end of the ring.
    pub(super) fn add(&mut self, sum: &mut Sum, rep: RepUid, weight: u32, now: Time) {
        sum.remove(&self.record);
        self.record.last_key += 1;
        sum.add(&self.record);
        let seat = Seat { key: self.record.last_key, weight, last_added_time: now };
        self.ring.insert(rep, seat);
        sum.add(&self.member(rep, seat));
    }

    /// Takes a rep out of the ring, and their turns out of its rotations. Cursors stay.
    pub(super) fn remove(&mut self, sum: &mut Sum, rep: RepUid) {
        let Some(seat) = self.ring.remove(rep) else { return };
        sum.remove(&self.member(rep, seat));
        let counted = self.rotations.iter().filter(|(_, r)| r.turns.contains_key(&seat.key));
        let counted: Vec<RotationKey> = counted.map(|(key, _)| key.clone()).collect();
        for campaign in counted {
            let rotation = self.rotations.get_mut(&campaign).expect("it was just listed");
            if let Some(turns) = rotation.turns.remove(&seat.key) {
                let group = self.record.id.clone();
                sum.remove(&TurnsRecord { group, campaign, key: seat.key, turns });
            }
        }
    }

    /// Where the ring stands; (0, 0) before its first pick.
    pub(super) fn cursor(&self, campaign: &RotationKey) -> Cursor {
        self.rotations.get(campaign).map_or_else(Cursor::default, |rotation| rotation.cursor)
    }

    /// A pick from the ring: the only thing that moves a cursor.
    pub(super) fn picked(
        &mut self,
        sum: &mut Sum,
        campaign: &RotationKey,
        slot: Cursor,
        now: Time,
    ) {
        let group = &self.record.id;
        let position = |r: &Rotation| RotationRecord {
            group: group.clone(),
            campaign: campaign.clone(),
            cursor: r.cursor,
            last_pick_time: r.last_pick_time,
        };
        let count = |turns| TurnsRecord {
            group: group.clone(),
            campaign: campaign.clone(),
            key: slot.key,
            turns,
        };
        let Some(rotation) = self.rotations.get_mut(campaign) else {
            let turns = OrdMap::unit(slot.key, 1);
            let rotation = Rotation { cursor: slot, last_pick_time: now, turns };
            sum.add(&position(&rotation));
            sum.add(&count(1));
            self.rotations.insert(campaign.clone(), rotation);
            return;
        };
        sum.remove(&position(rotation));
        rotation.cursor = slot;
        rotation.last_pick_time = now;
        sum.add(&position(rotation));
        let turns = rotation.turns.get(&slot.key).copied();
        rotation.turns.insert(slot.key, turns.unwrap_or(0) + 1);
        sum.replace(turns.map(count).as_ref(), &count(turns.unwrap_or(0) + 1));
    }

    /// Takes all its records out of the hash.
    pub(super) fn forget(&self, sum: &mut Sum) {
        sum.remove(&self.record);
        self.member_records().for_each(|record| sum.remove(&record));
        self.rotation_records().for_each(|record| sum.remove(&record));
        self.turns_records().for_each(|record| sum.remove(&record));
    }

    pub(super) fn member_records(&self) -> impl Iterator<Item = MemberRecord> + '_ {
        self.ring.members().map(|(rep, seat)| self.member(rep, seat))
    }

    pub(super) fn rotation_records(&self) -> impl Iterator<Item = RotationRecord> + '_ {
        self.rotations.iter().map(|(campaign, rotation)| RotationRecord {
            group: self.record.id.clone(),
            campaign: campaign.clone(),
            cursor: rotation.cursor,
            last_pick_time: rotation.last_pick_time,
        })
    }

    pub(super) fn turns_records(&self) -> impl Iterator<Item = TurnsRecord> + '_ {
        self.rotations.iter().flat_map(|(campaign, rotation)| {
            rotation.turns.iter().map(|(key, turns)| TurnsRecord {
                group: self.record.id.clone(),
                campaign: campaign.clone(),
                key: *key,
                turns: *turns,
            })
        })
    }

    pub(super) fn view(&self, reps: &Reps) -> Group {
        let members = self.ring.members().filter_map(|(rep, seat)| {
            let Seat { key, weight, last_added_time } = seat;
            let rep = reps.get(rep)?.record.id.clone();
            Some(Member { rep, weight, last_added_time, key })
        });
        let members = members.collect();
        let GroupRecord { id, display_name, create_time, last_key: _ } = self.record.clone();
        Group { id, display_name, members, create_time }
    }

    fn member(&self, rep: RepUid, seat: Seat) -> MemberRecord {
        let Seat { key, weight, last_added_time } = seat;
        MemberRecord { group: self.record.id.clone(), key, rep, weight, last_added_time }
    }
}
