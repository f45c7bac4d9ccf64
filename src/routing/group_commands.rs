//! What can be done to groups: create, update, delete, their members, their order, their rotations.
//!
//! Each may leave the team half changed when it refuses; `team` puts it back. Coverage is judged
//! there, afterwards.

use super::{
    CampaignId, CursorScope, GroupChange, GroupId, GroupKind, GroupSettings, KindRule, MemberName,
    MemberSpec, Rejection, ResourceKind, Strategy, TargetKind,
    group::{GroupState, RotationKey},
    limits::{CREDITS_MAX, NESTING_MAX, OPTIONS_MAX, OPTIONS_MIN, PAYLOADS_LEN_MAX, WEIGHT_MAX},
    record::{GroupRecord, Occupant},
    state::At,
    team::{Done, Named, Team, is_default},
    team_commands::{new_meta, set, touch},
};

impl Team {
    pub(super) fn create_group(
        &mut self,
        id: &GroupId,
        settings: &GroupSettings,
        members: &[MemberSpec],
        at: At,
    ) -> Result<Done, Rejection> {
        if members.len() < fewest(settings.kind) {
            return Err(Rejection::GroupTooSmall { groups: vec![id.clone()] });
        }
        if self.groups.contains_key(id) {
            let id = id.to_string();
            return Err(Rejection::AlreadyExists { kind: ResourceKind::Group, id });
        }
        let GroupSettings {
            display_name,
            labels,
            kind,
            strategy,
            require_online,
            cursor_scope,
            restart,
            period_cap,
        } = settings.clone();
        let record = GroupRecord {
            id: id.clone(),
            display_name,
            kind,
            strategy,
            require_online,
            cursor_scope,
            restart,
            period_cap,
            meta: new_meta(&labels, at),
            last_key: 0,
        };
        check_kind(&record)?;
        let group = GroupState::new(&mut self.sum, record);
        self.groups.insert(id.clone(), group);
        self.add_members(id, members, at)
    }

    pub(super) fn update_group(
        &mut self,
        id: &GroupId,
        change: &GroupChange,
        at: At,
    ) -> Result<Done, Rejection> {
        let GroupChange {
            display_name,
            labels,
            strategy,
            require_online,
            cursor_scope,
            restart,
            period_cap,
        } = change;
        let mut record = self.group(id)?.record.clone();
        set(&mut record.display_name, display_name.as_ref());
        set(&mut record.meta.labels, labels.as_ref());
        set(&mut record.strategy, strategy.as_ref());
        set(&mut record.require_online, require_online.as_ref());
        set(&mut record.cursor_scope, cursor_scope.as_ref());
        set(&mut record.restart, restart.as_ref());
        set(&mut record.period_cap, period_cap.as_ref());
        check_kind(&record)?;
        if record != self.group(id)?.record {
            touch(&mut record.meta, at);
            if let Some(group) = self.groups.get_mut(id) {
                group.configure(&mut self.sum, record);
            }
            self.seat_all(id, at.now);
        }
        Ok(Done::Group(id.clone()))
    }

    pub(super) fn delete_group(
        &mut self,
        id: &GroupId,
        allow_missing: bool,
        at: At,
    ) -> Result<Done, Rejection> {
        if allow_missing && !self.groups.contains_key(id) {
            return Ok(Done::Deleted);
        }
        self.with_own_members(id)?;
        let named = Named::Group(id);
        let (campaigns, rules) = (self.campaigns_naming(&named), self.rules_naming(&named));
        let groups = self.groups_around(id);
        if !campaigns.is_empty() || !rules.is_empty() || !groups.is_empty() {
            return Err(Rejection::GroupInUse { group: id.clone(), campaigns, rules, groups });
        }
        if let Some(group) = self.groups.remove(id) {
            self.assignments.waiting.rouse_all();
            for (occupant, _) in group.ring.members() {
                if let Occupant::Rep(uid) = occupant {
                    self.reps.leaves(*uid, id);
                }
            }
            group.forget(&mut self.sum);
            self.delete_group_from_tokens(id, at);
        }
        Ok(Done::Deleted)
    }

    pub(super) fn add_group_members(
        &mut self,
        id: &GroupId,
        members: &[MemberSpec],
        at: At,
    ) -> Result<Done, Rejection> {
        self.group(id)?;
        for member in members {
            self.occupant(&member.member)?;
        }
        self.with_own_members(id)?;
        self.touch_group(id, at);
        self.add_members(id, members, at)
    }

    pub(super) fn remove_group_member(
        &mut self,
        id: &GroupId,
        member: &MemberName,
        at: At,
    ) -> Result<Done, Rejection> {
        self.group(id)?;
        let occupant = self.occupant(member)?;
        let group = self.with_own_members(id)?;
        if group.ring.seat(&occupant).is_none() {
            return Err(Rejection::NotAMember { member: member.clone(), group: id.clone() });
        }
        if group.ring.len() <= fewest(group.record.kind) {
            return Err(Rejection::GroupTooSmall { groups: vec![id.clone()] });
        }
        self.leave(id, &occupant, at.now);
        self.touch_group(id, at);
        Ok(Done::Group(id.clone()))
    }

    pub(super) fn update_group_member(
        &mut self,
        id: &GroupId,
        member: &MemberName,
        weight: Option<u32>,
        payload: Option<&str>,
        at: At,
    ) -> Result<Done, Rejection> {
        let group = self.group(id)?;
        let occupant = self.occupant(member)?;
        let Some(seat) = group.ring.seat(&occupant) else {
            return Err(Rejection::NotAMember { member: member.clone(), group: id.clone() });
        };
        if payload.is_some() && !matches!(member, MemberName::Option(_)) {
            let what = KindRule::Payload;
            return Err(Rejection::GroupKindMismatch { group: id.clone(), what });
        }
        let old = group.payload(seat.key);
        let payload = payload.unwrap_or(&old).to_owned();
        let weight = weight.map_or(seat.weight, within_weights);
        if (weight, &*payload) != (seat.weight, &*old) {
            self.change_member(id, &occupant, weight, &payload);
            self.check_payloads(id)?;
            self.touch_group(id, at);
        }
        Ok(Done::Group(id.clone()))
    }

    pub(super) fn reorder_group(
        &mut self,
        id: &GroupId,
        members: &[MemberName],
        at: At,
    ) -> Result<Done, Rejection> {
        let group = self.group(id)?;
        let mut order = Vec::with_capacity(members.len());
        let mut seen = std::collections::BTreeSet::new();
        let wrong = || Rejection::InvalidReorder { group: id.clone() };
        for member in members {
            // Who does not exist is no member either.
            let occupant = self.occupant(member).map_err(|_| wrong())?;
            let fits = group.ring.seat(&occupant).is_some() && seen.insert(occupant.clone());
            if !fits {
                return Err(wrong());
            }
            order.push(occupant);
        }
        if order.len() != group.ring.len() {
            return Err(wrong());
        }
        let now: Vec<Occupant> = group.ring.members().map(|(o, _)| o.clone()).collect();
        if order != now {
            if let Some(group) = self.groups.get_mut(id) {
                group.reorder(&mut self.sum, &order);
            }
            self.seat_all(id, at.now);
            self.touch_group(id, at);
        }
        Ok(Done::Group(id.clone()))
    }

    pub(super) fn reset_rotation(
        &mut self,
        id: &GroupId,
        campaign: Option<&CampaignId>,
        at: At,
    ) -> Result<Done, Rejection> {
        let key = self.rotation_of(id, campaign)?;
        if let Some(group) = self.groups.get_mut(id) {
            group.restart(&mut self.sum, &key, at.now);
        }
        Ok(Done::Rotation(id.clone(), key))
    }

    pub(super) fn adjust_rotation(
        &mut self,
        id: &GroupId,
        campaign: Option<&CampaignId>,
        member: &MemberName,
        credits: i32,
    ) -> Result<Done, Rejection> {
        let key = self.rotation_of(id, campaign)?;
        let occupant = self.occupant(member)?;
        let group = self.group(id)?;
        let Some(seat) = group.ring.seat(&occupant) else {
            return Err(Rejection::NotAMember { member: member.clone(), group: id.clone() });
        };
        if group.is_by_load() {
            let what = KindRule::Credits;
            return Err(Rejection::GroupKindMismatch { group: id.clone(), what });
        }
        if campaign.is_some() && group.record.cursor_scope == CursorScope::Group {
            let what = KindRule::CampaignCredits;
            return Err(Rejection::GroupKindMismatch { group: id.clone(), what });
        }
        // The API refuses others; whatever stands in the log needs one outcome.
        let credits = credits.clamp(-CREDITS_MAX, CREDITS_MAX);
        if let Some(group) = self.groups.get_mut(id) {
            group.set_credits(&mut self.sum, &key, seat.key, credits);
        }
        Ok(Done::Rotation(id.clone(), key))
    }

    fn rotation_of(
        &self,
        id: &GroupId,
        campaign: Option<&CampaignId>,
    ) -> Result<RotationKey, Rejection> {
        self.group(id)?;
        if let Some(campaign) = campaign {
            self.campaign(campaign)?;
        }
        Ok(campaign.cloned())
    }

    /// # Errors
    ///
    /// [`Rejection::NotFound`], for a rep or a group.
    pub(super) fn occupant(&self, member: &MemberName) -> Result<Occupant, Rejection> {
        Ok(match member {
            MemberName::Rep(rep) => Occupant::Rep(self.reps.find(rep)?.record.uid),
            MemberName::Option(option) => Occupant::Option(option.clone()),
            MemberName::Group(group) => {
                self.group(group)?;
                Occupant::Group(group.clone())
            }
        })
    }

    /// The group, unless its membership is automatic.
    fn with_own_members(&self, id: &GroupId) -> Result<&GroupState, Rejection> {
        let group = self.group(id)?;
        if is_default(id) { Err(Rejection::DefaultGroupImmutable) } else { Ok(group) }
    }

    fn touch_group(&mut self, id: &GroupId, at: At) {
        if let Some(group) = self.groups.get_mut(id) {
            group.change(&mut self.sum, |record| touch(&mut record.meta, at));
        }
    }

    fn add_members(
        &mut self,
        id: &GroupId,
        members: &[MemberSpec],
        at: At,
    ) -> Result<Done, Rejection> {
        let kind = self.group(id)?.record.kind;
        for MemberSpec { member, payload, weight } in members {
            let occupant = self.occupant(member)?;
            self.check_member(id, kind, member, payload)?;
            if self.group(id)?.ring.seat(&occupant).is_some() {
                let (member, group) = (member.clone(), id.clone());
                return Err(Rejection::AlreadyMember { member, group });
            }
            self.join(id, occupant, payload, within_weights(*weight), at.now);
        }
        let size = self.group(id)?.ring.len();
        if kind == GroupKind::Options && size > OPTIONS_MAX {
            let limit = u64::try_from(OPTIONS_MAX).unwrap_or(u64::MAX);
            return Err(Rejection::GroupTooLarge { group: id.clone(), limit });
        }
        self.check_payloads(id)?;
        self.check_nesting(id)?;
        Ok(Done::Group(id.clone()))
    }

    fn check_member(
        &self,
        id: &GroupId,
        kind: GroupKind,
        member: &MemberName,
        payload: &str,
    ) -> Result<(), Rejection> {
        let (group, what) = match (kind, member) {
            (GroupKind::Reps, MemberName::Rep(_)) if payload.is_empty() => return Ok(()),
            (GroupKind::Options, MemberName::Option(_)) => return Ok(()),
            (GroupKind::Options, MemberName::Group(inner)) => {
                if self.group(inner)?.is_of(GroupKind::Reps) {
                    (inner, KindRule::OptionMember)
                } else if payload.is_empty() {
                    return Ok(());
                } else {
                    (id, KindRule::Payload)
                }
            }
            (GroupKind::Reps, MemberName::Rep(_)) => (id, KindRule::Payload),
            (GroupKind::Reps, MemberName::Option(_) | MemberName::Group(_)) => {
                (id, KindRule::OptionMember)
            }
            (GroupKind::Options, MemberName::Rep(_)) => (id, KindRule::RepMember),
        };
        Err(Rejection::GroupKindMismatch { group: group.clone(), what })
    }

    fn check_payloads(&self, id: &GroupId) -> Result<(), Rejection> {
        let payloads = self.group(id)?.payloads.values();
        if payloads.map(|payload| payload.len()).sum::<usize>() > PAYLOADS_LEN_MAX {
            let limit = u64::try_from(PAYLOADS_LEN_MAX).unwrap_or(u64::MAX);
            return Err(Rejection::PayloadsTooLarge { group: id.clone(), limit });
        }
        Ok(())
    }

    /// No group may contain itself, and no chain of groups be too long.
    fn check_nesting(&self, id: &GroupId) -> Result<(), Rejection> {
        let below = self.depth(id, id, NESTING_MAX, |team, id| team.groups_inside(id));
        let above = self.depth(id, id, NESTING_MAX, |team, id| team.groups_around(id));
        let (Some(below), Some(above)) = (below, above) else {
            return Err(Rejection::GroupCycle { group: id.clone() });
        };
        // Both count the group itself.
        if below + above - 1 > NESTING_MAX {
            let limit = u64::try_from(NESTING_MAX).unwrap_or(u64::MAX);
            return Err(Rejection::NestedTooDeep { limit });
        }
        Ok(())
    }

    /// The groups in the longest chain from this one on; one more than allowed is enough to know.
    /// `None` if it comes back to `origin`.
    fn depth(
        &self,
        id: &GroupId,
        origin: &GroupId,
        left: usize,
        next: fn(&Self, &GroupId) -> Vec<GroupId>,
    ) -> Option<usize> {
        let mut longest = 0;
        for other in next(self, id) {
            if other == *origin {
                return None;
            }
            if left > 0 {
                longest = longest.max(self.depth(&other, origin, left - 1, next)?);
            }
        }
        Some(longest + 1)
    }

    fn groups_inside(&self, id: &GroupId) -> Vec<GroupId> {
        let members = self.groups.get(id).into_iter().flat_map(|group| group.ring.members());
        let inside = members.filter_map(|(occupant, _)| match occupant {
            Occupant::Group(inner) => Some(inner.clone()),
            Occupant::Rep(_) | Occupant::Option(_) => None,
        });
        inside.collect()
    }

    fn groups_around(&self, id: &GroupId) -> Vec<GroupId> {
        let occupant = Occupant::Group(id.clone());
        let around = self.groups.iter().filter(|(_, g)| g.ring.seat(&occupant).is_some());
        around.map(|(around, _)| around.clone()).collect()
    }

    /// Whether what targets name is there, and goes with what they ask.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotFound`], [`Rejection::GroupKindMismatch`].
    pub(super) fn check_targets(&self, targets: &[super::Target]) -> Result<(), Rejection> {
        for target in targets {
            match &target.kind {
                TargetKind::Owner(_) => {}
                TargetKind::Rep(rep) => drop(self.reps.find(rep)?),
                TargetKind::Group(id) => {
                    let group = self.group(id)?;
                    if group.is_of(GroupKind::Options) && target.accept_timeout_us > 0 {
                        let what = KindRule::AcceptTimeout;
                        return Err(Rejection::GroupKindMismatch { group: id.clone(), what });
                    }
                }
            }
        }
        Ok(())
    }
}

/// Members that a group of a kind has at least (S0-15, S3-5).
fn fewest(kind: GroupKind) -> usize {
    match kind {
        GroupKind::Reps => 1,
        GroupKind::Options => OPTIONS_MIN,
    }
}

/// The API refuses others; whatever stands in the log needs one outcome.
fn within_weights(weight: u32) -> u32 {
    weight.clamp(1, WEIGHT_MAX)
}

/// What only groups of reps may have.
fn check_kind(record: &GroupRecord) -> Result<(), Rejection> {
    let what = match record.kind {
        GroupKind::Reps => return Ok(()),
        GroupKind::Options if record.strategy == Strategy::LeastOpen => KindRule::LeastOpen,
        GroupKind::Options if record.require_online => KindRule::RequireOnline,
        GroupKind::Options if record.period_cap.is_some() => KindRule::PeriodCap,
        GroupKind::Options => return Ok(()),
    };
    Err(Rejection::GroupKindMismatch { group: record.id.clone(), what })
}
