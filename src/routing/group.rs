//! A group: what people configured, its ring, and where its rotations stand.
//!
//! Owns that configuration and position never overwrite each other: editing members moves no cursor,
//! unless the restart policy says so, and a pick changes no member. Every change keeps the hash.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::{
    CampaignId, Cursor, Group, GroupId, GroupKind, Member, MemberName, Outcome, RotationView,
    Strategy, Time,
    digest::Sum,
    filter::Class,
    limits::{ANSWERED_MEMBERS_MAX, ANSWERED_PAYLOADS_LEN_MAX},
    record::{CapRecord, GroupRecord, MemberRecord, Occupant, RotationRecord, TurnsRecord},
    reps::Reps,
    ring::{Ring, Seat},
    settings::{CursorScope, RestartPolicy},
};
use crate::planted::{self, Bug};

/// Which cursor of a group: a campaign's own, or the one of all other calls.
pub(super) type RotationKey = Option<CampaignId>;

#[derive(Debug, Clone)]
pub(super) struct GroupState {
    pub(super) record: GroupRecord,
    pub(super) ring: Ring,
    /// Of options, by key.
    pub(super) payloads: OrdMap<u64, Arc<str>>,
    pub(super) rotations: OrdMap<RotationKey, Rotation>,
    /// Window and picks in it, by key.
    pub(super) caps: OrdMap<u64, (u64, u32)>,
    /// Keys that were found capped, to be sorted anew when the window is over. Derived.
    pub(super) capped: OrdSet<u64>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Rotation {
    pub(super) cursor: Cursor,
    pub(super) last_pick_time: Option<Time>,
    pub(super) restart_time: Option<Time>,
    /// Picks by ring key, present members only; a member never picked is not in it.
    pub(super) turns: OrdMap<u64, u64>,
    /// Likewise; those of 0 are not in it.
    pub(super) credits: OrdMap<u64, i32>,
    /// What the sum counts for its record. Derived; `None` where that has to be computed.
    pub(super) counted: Option<u128>,
}

impl Rotation {
    fn set_credits(&mut self, key: u64, credits: i32) {
        if credits == 0 {
            self.credits.remove(&key);
        } else {
            self.credits.insert(key, credits);
        }
    }

    fn record(&self, group: &GroupId, campaign: &RotationKey) -> RotationRecord {
        RotationRecord {
            group: group.clone(),
            campaign: campaign.clone(),
            cursor: self.cursor,
            last_pick_time: self.last_pick_time,
            restart_time: self.restart_time,
        }
    }

    /// Of one member, unless both numbers are 0.
    fn turns_record(
        &self,
        group: &GroupId,
        campaign: &RotationKey,
        key: u64,
    ) -> Option<TurnsRecord> {
        let turns = self.turns.get(&key).copied().unwrap_or(0);
        let credits = self.credits.get(&key).copied().unwrap_or(0);
        let record = || {
            let (group, campaign) = (group.clone(), campaign.clone());
            TurnsRecord { group, campaign, key, turns, credits }
        };
        (turns > 0 || credits != 0).then(record)
    }
}

/// What a pick does to one ring.
#[derive(Debug, Clone)]
pub(super) struct Move {
    pub(super) group: GroupId,
    pub(super) rotation: RotationKey,
    /// Whose turn it was.
    pub(super) key: u64,
    /// Where the cursor stood, in effect.
    pub(super) before: Cursor,
    /// Where it goes; where it was, if the pick was owed.
    pub(super) after: Cursor,
    /// Credits that change, and to what.
    pub(super) credits: Vec<(u64, i32)>,
}

impl GroupState {
    pub(super) fn new(sum: &mut Sum, record: GroupRecord) -> Self {
        sum.add(&record);
        Self::bare(record)
    }

    /// Without members and outside the hash.
    pub(super) fn bare(record: GroupRecord) -> Self {
        Self {
            record,
            ring: Ring::default(),
            payloads: OrdMap::new(),
            rotations: OrdMap::new(),
            caps: OrdMap::new(),
            capped: OrdSet::new(),
        }
    }

    pub(super) fn change(&mut self, sum: &mut Sum, change: impl FnOnce(&mut GroupRecord)) {
        sum.remove(&self.record);
        change(&mut self.record);
        sum.add(&self.record);
    }

    /// Puts another configuration in the place of the one there is. What was picked in a period of
    /// another length says nothing about the new ones: that is counted anew.
    pub(super) fn configure(&mut self, sum: &mut Sum, record: GroupRecord) {
        let period = |record: &GroupRecord| record.period_cap.map(|cap| cap.period_us);
        if period(&self.record) != period(&record) {
            let keys: Vec<u64> = self.caps.keys().copied().collect();
            keys.into_iter().for_each(|key| self.set_cap(sum, key, None));
        }
        self.change(sum, |old| *old = record);
    }

    pub(super) fn restart_policy(&self) -> RestartPolicy {
        self.record.restart.unwrap_or_else(|| RestartPolicy::usual(self.record.kind))
    }

    pub(super) fn is_by_load(&self) -> bool {
        self.record.strategy == Strategy::LeastOpen
    }

    /// Adds somebody who is not a member yet, at the end of the ring. Gives their seat.
    pub(super) fn add(
        &mut self,
        sum: &mut Sum,
        occupant: Occupant,
        payload: &str,
        weight: u32,
        now: Time,
        class: Class,
    ) -> Seat {
        self.change(sum, |record| record.last_key += 1);
        let seat = Seat { key: self.record.last_key, weight, last_added_time: now };
        if !payload.is_empty() {
            self.payloads.insert(seat.key, Arc::from(payload));
        }
        sum.add(&self.member(&occupant, seat));
        self.ring.insert(occupant, seat, class);
        self.members_changed(sum, now);
        seat
    }

    /// Takes a member out of the ring, whose load has been taken out of it, and their turns, credits and
    /// caps out of its rotations. Cursors stay, unless the policy says otherwise.
    pub(super) fn remove(&mut self, sum: &mut Sum, occupant: &Occupant, now: Time) {
        let Some(seat) = self.ring.seat(occupant) else { return };
        sum.remove(&self.member(occupant, seat));
        self.ring.remove(occupant);
        self.payloads.remove(&seat.key);
        self.set_cap(sum, seat.key, None);
        self.capped.remove(&seat.key);
        let keys: Vec<RotationKey> = self.rotations.keys().cloned().collect();
        for key in keys {
            self.change_rotation(
                sum,
                &key,
                |_| (),
                [seat.key],
                |rotation| {
                    rotation.turns.remove(&seat.key);
                    rotation.credits.remove(&seat.key);
                },
            );
        }
        self.members_changed(sum, now);
    }

    /// Changes a member's weight or payload; moves nothing. Their load has been taken out of the ring.
    pub(super) fn change_member(
        &mut self,
        sum: &mut Sum,
        occupant: &Occupant,
        weight: u32,
        payload: &str,
    ) -> Option<Seat> {
        let old = self.ring.seat(occupant)?;
        let class = self.ring.class(old)?;
        sum.remove(&self.member(occupant, old));
        self.ring.remove(occupant);
        self.payloads.remove(&old.key);
        let seat = Seat { weight, ..old };
        if !payload.is_empty() {
            self.payloads.insert(seat.key, Arc::from(payload));
        }
        sum.add(&self.member(occupant, seat));
        self.ring.insert(occupant.clone(), seat, class);
        Some(seat)
    }

    /// Puts the members, given whole, into another order. Each gets a new key; a cursor goes to the new
    /// key of whom it stood on, or of the nearest predecessor of who is gone.
    pub(super) fn reorder(&mut self, sum: &mut Sum, order: &[Occupant]) {
        let mut before = self.clone();
        before.forget(sum);
        self.ring.clear_loads();
        let mut new_keys = OrdMap::new();
        for occupant in order {
            let Some(old) = self.ring.seat(occupant) else { continue };
            let class = self.ring.class(old).unwrap_or(Class::Barred);
            self.ring.remove(occupant);
            self.record.last_key += 1;
            let seat = Seat { key: self.record.last_key, ..old };
            self.ring.insert(occupant.clone(), seat, class);
            new_keys.insert(old.key, seat.key);
        }
        let moved = |key: &u64| new_keys.get(key).copied();
        let cursor_key = |key: u64| match key {
            0 => 0, // Before the first pick it stood on nobody.
            key => {
                let stood = moved(&key).or_else(|| moved(&before.ring.key_before(key)?));
                stood.unwrap_or(0)
            }
        };
        self.payloads =
            self.payloads.iter().filter_map(|(k, v)| Some((moved(k)?, Arc::clone(v)))).collect();
        self.caps = self.caps.iter().filter_map(|(k, v)| Some((moved(k)?, *v))).collect();
        self.rotations = std::mem::take(&mut self.rotations)
            .into_iter()
            .map(|(campaign, mut rotation)| {
                rotation.cursor.key = cursor_key(rotation.cursor.key);
                let turns = rotation.turns.iter();
                rotation.turns = turns.filter_map(|(k, v)| Some((moved(k)?, *v))).collect();
                let credits = rotation.credits.iter();
                rotation.credits = credits.filter_map(|(k, v)| Some((moved(k)?, *v))).collect();
                rotation.counted = None;
                (campaign, rotation)
            })
            .collect();
        before = self.clone();
        before.remember(sum);
    }

    /// Which of its cursors a call by this campaign moves.
    pub(super) fn rotation_key(&self, campaign: Option<&CampaignId>) -> RotationKey {
        match self.record.cursor_scope {
            CursorScope::Campaign => campaign.cloned(),
            CursorScope::Group => None,
        }
    }

    /// Where the ring stands for a pick now; (0, 0) before its first and after a long rest (S3-10).
    pub(super) fn cursor(&self, key: &RotationKey, now: Time) -> Cursor {
        self.cursor_of(self.rotations.get(key), now)
    }

    /// The same of a rotation that was looked up.
    pub(super) fn cursor_of(&self, rotation: Option<&Rotation>, now: Time) -> Cursor {
        match rotation {
            Some(rotation) if !self.has_rested(rotation, now) => rotation.cursor,
            Some(_) | None => Cursor::default(),
        }
    }

    fn has_rested(&self, rotation: &Rotation, now: Time) -> bool {
        let idle_period_us = self.restart_policy().idle_period_us;
        let rest = rotation.last_pick_time.map(|last| now.0.saturating_sub(last.0));
        idle_period_us > 0 && rest.is_some_and(|rest| rest >= idle_period_us)
    }

    /// A pick from the ring: what moves its cursor.
    pub(super) fn picked(&mut self, sum: &mut Sum, step: &Move, now: Time) {
        let Move { group: _, rotation: campaign, key, before: _, after, credits } = step;
        let rested = self.rotations.get(campaign).is_some_and(|r| self.has_rested(r, now));
        let keys = credits.iter().map(|(key, _)| *key).filter(|other| other != key).chain([*key]);
        self.change_rotation(
            sum,
            campaign,
            |rotation| {
                rotation.cursor = *after;
                rotation.last_pick_time = Some(now);
                if rested {
                    rotation.restart_time = Some(now);
                }
            },
            keys,
            |rotation| {
                credits.iter().for_each(|(key, credits)| rotation.set_credits(*key, *credits));
                let turns = rotation.turns.get(key).copied().unwrap_or(0);
                rotation.turns.insert(*key, turns + 1);
            },
        );
        if let Some(cap) = self.record.period_cap {
            let window = cap.window(now);
            let picks = self.picks_in(*key, window);
            self.set_cap(sum, *key, Some((window, picks + 1)));
        }
    }

    /// How often a member was picked in a window of the cap.
    pub(super) fn picks_in(&self, key: u64, window: u64) -> u32 {
        match self.caps.get(&key) {
            Some((of, picks)) if *of == window => *picks,
            Some(_) | None => 0,
        }
    }

    /// Whether a member had their picks of the period that `now` is in.
    pub(super) fn is_capped(&self, key: u64, now: Time) -> bool {
        let full = |cap: super::PeriodCap| self.picks_in(key, cap.window(now)) >= cap.count;
        self.record.period_cap.is_some_and(full)
    }

    /// Puts a rotation back before its first pick; one that has not begun stays so.
    pub(super) fn restart(&mut self, sum: &mut Sum, key: &RotationKey, now: Time) {
        if self.rotations.contains_key(key) {
            self.change_rotation(
                sum,
                key,
                |rotation| {
                    rotation.cursor = Cursor::default();
                    rotation.restart_time = Some(now);
                },
                [],
                |_| (),
            );
        }
    }

    /// Nothing where they are so already: a rotation begins with its first pick, or its first credits.
    pub(super) fn set_credits(&mut self, sum: &mut Sum, key: &RotationKey, of: u64, credits: i32) {
        let has = self.rotations.get(key).and_then(|rotation| rotation.credits.get(&of));
        if has.copied().unwrap_or(0) == credits {
            return;
        }
        self.change_rotation(sum, key, |_| (), [of], |rotation| rotation.set_credits(of, credits));
    }

    /// Forgets a campaign's place in the ring.
    pub(super) fn drop_rotation(&mut self, sum: &mut Sum, key: &RotationKey) {
        if let Some(rotation) = self.rotations.remove(key) {
            sum.remove(&rotation.record(&self.record.id, key));
            let records: Vec<_> = self.turns_of(key, &rotation).collect();
            records.iter().for_each(|record| sum.remove(record));
        }
    }

    fn members_changed(&mut self, sum: &mut Sum, now: Time) {
        if self.restart_policy().on_member_change || planted::is(Bug::CursorResetOnMemberChange) {
            let keys: Vec<RotationKey> = self.rotations.keys().cloned().collect();
            keys.iter().for_each(|key| self.restart(sum, key, now));
        }
    }

    fn set_cap(&mut self, sum: &mut Sum, key: u64, new: Option<(u64, u32)>) {
        let group = self.record.id.clone();
        let record = |(window, picks)| CapRecord { group: group.clone(), key, window, picks };
        let old = match new {
            Some(new) => self.caps.insert(key, new),
            None => self.caps.remove(&key),
        };
        old.into_iter().for_each(|old| sum.remove(&record(old)));
        new.into_iter().for_each(|new| sum.add(&record(new)));
    }

    /// Changes the place of a rotation, which begins if there is none, and the turns or credits of some
    /// keys in it, each named once.
    fn change_rotation(
        &mut self,
        sum: &mut Sum,
        campaign: &RotationKey,
        place: impl FnOnce(&mut Rotation),
        keys: impl IntoIterator<Item = u64> + Clone,
        count: impl FnOnce(&mut Rotation),
    ) {
        let group = &self.record.id;
        // Changed where it is: a copy would have its turns copied when they change.
        let rotation = match self.rotations.get_mut(campaign) {
            Some(rotation) => {
                match rotation.counted.take() {
                    Some(hash) => sum.subtract(hash),
                    None => sum.remove(&rotation.record(group, campaign)),
                }
                rotation
            }
            None => self.rotations.entry(campaign.clone()).or_default(),
        };
        let turns = |rotation: &Rotation, key| rotation.turns_record(group, campaign, key);
        for key in keys.clone() {
            turns(rotation, key).iter().for_each(|record| sum.remove(record));
        }
        place(rotation);
        count(rotation);
        rotation.counted = Some(sum.count(&rotation.record(group, campaign)));
        for key in keys {
            turns(rotation, key).iter().for_each(|record| sum.add(record));
        }
    }

    /// Takes all its records out of the hash.
    pub(super) fn forget(&self, sum: &mut Sum) {
        sum.remove(&self.record);
        self.member_records().for_each(|record| sum.remove(&record));
        self.rotation_records().for_each(|record| sum.remove(&record));
        self.turns_records().for_each(|record| sum.remove(&record));
        self.cap_records().for_each(|record| sum.remove(&record));
    }

    fn remember(&self, sum: &mut Sum) {
        sum.add(&self.record);
        self.member_records().for_each(|record| sum.add(&record));
        self.rotation_records().for_each(|record| sum.add(&record));
        self.turns_records().for_each(|record| sum.add(&record));
        self.cap_records().for_each(|record| sum.add(&record));
    }

    pub(super) fn member_records(&self) -> impl Iterator<Item = MemberRecord> + '_ {
        self.ring.members().map(|(occupant, seat)| self.member(occupant, seat))
    }

    pub(super) fn rotation_records(&self) -> impl Iterator<Item = RotationRecord> + '_ {
        let rotations = self.rotations.iter();
        rotations.map(|(campaign, rotation)| rotation.record(&self.record.id, campaign))
    }

    pub(super) fn turns_records(&self) -> impl Iterator<Item = TurnsRecord> + '_ {
        let rotations = self.rotations.iter();
        rotations.flat_map(|(campaign, rotation)| self.turns_of(campaign, rotation))
    }

    pub(super) fn cap_records(&self) -> impl Iterator<Item = CapRecord> + '_ {
        self.caps.iter().map(|(key, (window, picks))| CapRecord {
            group: self.record.id.clone(),
            key: *key,
            window: *window,
            picks: *picks,
        })
    }

    fn turns_of<'a>(
        &'a self,
        campaign: &'a RotationKey,
        rotation: &'a Rotation,
    ) -> impl Iterator<Item = TurnsRecord> + 'a {
        let only_credits = rotation.credits.keys().filter(|k| !rotation.turns.contains_key(*k));
        let keys = rotation.turns.keys().chain(only_credits);
        keys.filter_map(|key| rotation.turns_record(&self.record.id, campaign, *key))
    }

    fn member(&self, occupant: &Occupant, seat: Seat) -> MemberRecord {
        let Seat { key, weight, last_added_time } = seat;
        let payload = self.payload(key);
        let (group, occupant) = (self.record.id.clone(), occupant.clone());
        MemberRecord { group, key, occupant, payload, weight, last_added_time }
    }

    /// Of the option at a key; empty for others.
    pub(super) fn payload(&self, key: u64) -> Arc<str> {
        self.payloads.get(&key).map_or_else(|| Arc::from(""), Arc::clone)
    }

    /// The members with greater keys, in ring order. Keys begin at 1.
    pub(super) fn members_after(&self, key: u64, reps: &Reps) -> impl Iterator<Item = Member> {
        self.ring.members_after(key).filter_map(|(occupant, seat)| {
            let Seat { key, weight, last_added_time } = seat;
            let (name, payload) = (name(occupant, reps)?, self.payload(key).to_string());
            Some(Member { name, payload, weight, last_added_time, key })
        })
    }

    pub(super) fn view(&self, reps: &Reps) -> Group {
        self.view_with(self.members_after(0, reps).collect())
    }

    /// What the answer to a change says of the group: costs no more for a large one.
    pub(super) fn answered(&self, reps: &Reps) -> Outcome {
        let payloads = self.payloads.values().map(|payload| payload.len()).sum::<usize>();
        if self.ring.len() <= ANSWERED_MEMBERS_MAX && payloads <= ANSWERED_PAYLOADS_LEN_MAX {
            return Outcome::Group(self.view(reps));
        }
        let member_count = u32::try_from(self.ring.len()).unwrap_or(u32::MAX);
        Outcome::LargeGroup { group: self.view_with(Vec::new()), member_count }
    }

    fn view_with(&self, members: Vec<Member>) -> Group {
        let GroupRecord {
            id,
            display_name,
            kind,
            strategy,
            require_online,
            cursor_scope,
            restart: _,
            period_cap,
            meta,
            last_key: _,
        } = self.record.clone();
        let restart = self.restart_policy();
        Group {
            id,
            display_name,
            kind,
            strategy,
            require_online,
            cursor_scope,
            restart,
            period_cap,
            members,
            meta,
        }
    }

    /// What the answer to a change says of a rotation.
    pub(super) fn answered_rotation(&self, key: &RotationKey, reps: &Reps, now: Time) -> Outcome {
        Outcome::Rotation(if self.ring.len() <= ANSWERED_MEMBERS_MAX {
            self.rotation_view(key, reps, now)
        } else {
            self.rotation_place(key, reps, now)
        })
    }

    /// A rotation without who would be next.
    pub(super) fn rotation_view(&self, key: &RotationKey, reps: &Reps, now: Time) -> RotationView {
        let rotation = self.rotations.get(key);
        let turns = self.ring.members().filter_map(|(occupant, seat)| {
            let turns = rotation.and_then(|rotation| rotation.turns.get(&seat.key));
            Some((name(occupant, reps)?, turns.copied().unwrap_or(0)))
        });
        let credits = self.ring.members().filter_map(|(occupant, seat)| {
            let credits = rotation.and_then(|rotation| rotation.credits.get(&seat.key))?;
            Some((name(occupant, reps)?, *credits))
        });
        let (turns, credits) = (turns.collect(), credits.collect());
        RotationView { turns, credits, ..self.rotation_place(key, reps, now) }
    }

    /// The same without turns and credits.
    fn rotation_place(&self, key: &RotationKey, reps: &Reps, now: Time) -> RotationView {
        let rotation = self.rotations.get(key);
        let cursor = self.cursor(key, now);
        let named = |of: u64| self.ring.at(of).and_then(|occupant| name(occupant, reps));
        RotationView {
            group: self.record.id.clone(),
            campaign: key.clone(),
            cursor,
            last_served: named(cursor.key),
            next_members: Vec::new(),
            turns: Vec::new(),
            credits: Vec::new(),
            last_pick_time: rotation.and_then(|rotation| rotation.last_pick_time),
            restart_time: rotation.and_then(|rotation| rotation.restart_time),
        }
    }

    pub(super) fn is_of(&self, kind: GroupKind) -> bool {
        self.record.kind == kind
    }
}

/// What people call an occupant.
pub(super) fn name(occupant: &Occupant, reps: &Reps) -> Option<MemberName> {
    Some(match occupant {
        Occupant::Rep(uid) => MemberName::Rep(reps.get(*uid)?.record.id.clone()),
        Occupant::Option(option) => MemberName::Option(option.clone()),
        Occupant::Group(group) => MemberName::Group(group.clone()),
    })
}
