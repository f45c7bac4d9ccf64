//! The targets in their order: who is a candidate, who is passed over and why, and what comes of it.

use turnwise::routing::{
    AssignmentState, Cause, MemberName, OwnerKind, OwnerRef, OwnerType, PassedOver, PickedOption,
    Reason, RepId, RingMove, Skipped, Target, TargetKind, TargetOutcome, TargetTrace, Time, Via,
};

use super::{
    At, Team, Work,
    setup::{Rep, Setup},
};

/// What a target gave.
enum Gift {
    Rep(usize, RepId, Cause),
    Option(PickedOption),
}

/// What is asked of candidates at one target.
struct Asked<'a> {
    now: u64,
    target: &'a Target,
    require_online: bool,
    rejected: &'a [usize],
    excluded: Option<usize>,
}

impl Asked<'_> {
    /// The first reason against the rep. `is_capped` = was picked as often as they may.
    fn against(&self, rep: &Rep, open: u64, is_capped: bool) -> Option<Reason> {
        let here = !self.target.include_unavailable;
        let reasons = [
            (rep.disabled, Reason::Disabled),
            (here && rep.is_away(self.now), Reason::OutOfOffice),
            (here && rep.is_off_hours(self.now), Reason::OffHours),
            (here && self.require_online && !rep.is_online(self.now), Reason::NotOnline),
            (rep.max_open > 0 && open >= u64::from(rep.max_open), Reason::AtCapacity),
            (is_capped, Reason::PeriodCap),
            (self.rejected.contains(&rep.number), Reason::RejectedBefore),
            (self.excluded == Some(rep.number), Reason::Excluded),
        ];
        reasons.into_iter().find(|(applies, _)| *applies).map(|(_, reason)| reason)
    }
}

fn skipped(passed: Vec<PassedOver>) -> Skipped {
    let total = passed.len().try_into().unwrap();
    Skipped { named: passed.into_iter().take(16).collect(), total }
}

impl Team {
    /// Goes through the targets from this one on, until one gives somebody or holds the contact.
    pub(super) fn walk(&mut self, work: usize, from: usize, at: At) {
        let now = at.now;
        if from == 0 {
            self.work[work].shown.traces.clear();
        }
        self.work[work].from_start = false;
        let targets = self.setup.targets_of(&self.work[work].shown.via).unwrap_or_default();
        let is_owner = |target: &Target| matches!(target.kind, TargetKind::Owner(_));
        let first_ring = targets.iter().position(|target| !is_owner(target));
        for (index, target) in targets.iter().enumerate().skip(from) {
            self.work[work].held_until = now + target.wait_us;
            if first_ring == Some(index)
                && let Some(rep) = self.last_rep(work, &targets)
            {
                let again = Target::new(TargetKind::Rep(rep));
                let (mut trace, gift) = self.try_target(work, index, &again, now);
                trace.is_last_rep = true;
                self.work[work].shown.traces.push(trace);
                if let Some(Gift::Rep(number, id, _)) = gift {
                    let gift = Gift::Rep(number, id, Cause::LastRep);
                    return self.give(work, index, &again, gift, at);
                }
            }
            let (mut trace, gift) = self.try_target(work, index, target, now);
            if let Some(gift) = gift {
                self.work[work].shown.traces.push(trace);
                return self.give(work, index, target, gift, at);
            }
            if target.wait_us > 0 && trace.outcome == TargetOutcome::NoEligible {
                trace.outcome = TargetOutcome::Waiting;
                self.work[work].shown.traces.push(trace);
                self.work[work].shown.decided = Time(now);
                return self.hold(work, index, at);
            }
            self.work[work].shown.traces.push(trace);
        }
        self.leave(work, Cause::NoTarget, at);
        self.work[work].shown.decided = Time(now);
    }

    /// Tries one who waits on the target where they wait, and, if their time there is over, on those
    /// that follow. Changes nothing if they go on waiting as before.
    pub(super) fn try_again(&mut self, work: usize, at: At) {
        if self.work[work].from_start {
            return self.walk(work, 0, at);
        }
        let targets = self.setup.targets_of(&self.work[work].shown.via).unwrap();
        let index = usize::try_from(self.work[work].shown.target_index.unwrap()).unwrap();
        let (mut trace, gift) = self.try_target(work, index, &targets[index], at.now);
        let may_wait =
            at.now < self.work[work].held_until && trace.outcome == TargetOutcome::NoEligible;
        if gift.is_none() && may_wait {
            let last = self.work[work].shown.traces.last_mut().unwrap();
            if last.outcome == TargetOutcome::Picked {
                // It was refused a moment ago, and waits from now on.
                trace.outcome = TargetOutcome::Waiting;
                *last = trace;
                self.work[work].shown.decided = Time(at.now);
            }
            return;
        }
        *self.work[work].shown.traces.last_mut().unwrap() = trace;
        match gift {
            Some(gift) => self.give(work, index, &targets[index], gift, at),
            None => self.walk(work, index + 1, at),
        }
    }

    /// One target, which gives somebody if it can.
    fn try_target(
        &mut self,
        work: usize,
        index: usize,
        target: &Target,
        now: u64,
    ) -> (TargetTrace, Option<Gift>) {
        let mut trace = TargetTrace {
            index: index.try_into().unwrap(),
            target: target.clone(),
            is_last_rep: false,
            outcome: TargetOutcome::NoEligible,
            skipped: Skipped::default(),
            cursor_before: None,
            cursor_after: None,
            inner: Vec::new(),
        };
        let Work { shown, rejected, excluded, .. } = &self.work[work];
        let require_online = target.require_online;
        let (rejected, excluded) = (rejected.clone(), *excluded);
        let asked = Asked { now, target, require_online, rejected: &rejected, excluded };
        let (line, cause) = match &target.kind {
            TargetKind::Owner(kinds) => {
                let (line, missed) = self.setup.owners(kinds, &shown.owners);
                trace.outcome = missed;
                (line, Cause::Owner)
            }
            TargetKind::Rep(rep) => (vec![rep.clone()], Cause::Rep),
            TargetKind::Group(_) => {
                let gift = self.try_group(&shown.via.clone(), &asked, &mut trace);
                return (trace, gift);
            }
        };
        let mut passed = Vec::new();
        let mut gift = None;
        for id in line {
            let Some(rep) = self.setup.reps.iter().find(|rep| rep.id == id) else { continue };
            match asked.against(rep, self.open(rep.number), false) {
                Some(reason) => passed.push(PassedOver { rep: id, reason }),
                None => {
                    trace.outcome = TargetOutcome::Picked;
                    gift = Some(Gift::Rep(rep.number, id, cause));
                    break;
                }
            }
        }
        trace.skipped = skipped(passed);
        (trace, gift)
    }

    fn try_group(&mut self, via: &Via, asked: &Asked<'_>, trace: &mut TargetTrace) -> Option<Gift> {
        let Asked { now, target, .. } = *asked;
        let TargetKind::Group(id) = &target.kind else { unreachable!() };
        let campaign = match via {
            Via::Campaign(campaign) => Some(campaign),
            Via::DefaultRule | Via::Rule(_) | Via::Group(_) | Via::Rep(_) => None,
        };
        let there = self.setup.groups.iter().position(|group| group.id == *id)?;
        let mut group = self.setup.groups[there].clone();
        let asked =
            Asked { require_online: asked.require_online || group.require_online, ..*asked };
        let rep_of = |member: &MemberName| match member {
            MemberName::Rep(id) => self.setup.reps.iter().find(|rep| rep.id == *id),
            MemberName::Option(_) | MemberName::Group(_) => None,
        };
        let numbers: Vec<_> =
            group.members.iter().map(|m| rep_of(&m.name).map(|rep| rep.number)).collect();
        let (mut against, open) = (Vec::new(), self.open_of(&numbers));
        for (member, held) in group.members.iter().zip(open.iter().copied()) {
            let rep = rep_of(&member.name);
            let is_capped =
                group.cap.is_some_and(|cap| group.picked_in_window(member, cap, now) >= cap.count);
            against.push(rep.and_then(|rep| asked.against(rep, held, is_capped)));
        }
        let key = group.place_key(campaign);
        let turn = group.take_turn(key.as_ref(), &against, &open, now);
        (trace.cursor_before, trace.cursor_after) = (Some(turn.before), Some(turn.after));
        let passed = turn.passed.iter().filter_map(|(there, reason)| {
            let MemberName::Rep(rep) = &group.members[*there].name else { return None };
            Some(PassedOver { rep: rep.clone(), reason: *reason })
        });
        trace.skipped = skipped(passed.collect());
        // Options have no names to be listed by, but are counted.
        trace.skipped.total = turn.passed.len().try_into().unwrap();
        let picked = turn.picked.map(|there| group.members[there].clone())?;
        trace.outcome = TargetOutcome::Picked;
        let (mut id, mut name, mut payload) = (id.clone(), picked.name, picked.payload);
        if let MemberName::Rep(rep) = &name {
            let number = rep_of(&name).unwrap().number;
            self.setup.groups[there] = group;
            return Some(Gift::Rep(number, rep.clone(), Cause::Rotation));
        }
        self.setup.groups[there] = group;
        while let MemberName::Group(inner) = name {
            let ring = self.setup.group(&inner).unwrap();
            let key = ring.place_key(campaign);
            let nothing = (vec![None; ring.members.len()], vec![0; ring.members.len()]);
            let turn = ring.take_turn(key.as_ref(), &nothing.0, &nothing.1, now);
            let picked = ring.members[turn.picked.unwrap()].clone();
            let group = inner.clone();
            trace.inner.push(RingMove { group, before: turn.before, after: turn.after });
            (id, name, payload) = (inner, picked.name, picked.payload);
        }
        let MemberName::Option(option) = name else { unreachable!() };
        Some(Gift::Option(PickedOption { group: id, option, payload }))
    }

    /// The rep who had the contact before, if one of these targets can reach them.
    fn last_rep(&self, work: usize, targets: &[Target]) -> Option<RepId> {
        let asking = &self.work[work].shown;
        if !asking.prefer_last_rep {
            return None;
        }
        let before = self.work.iter().filter(|other| {
            let other = &other.shown;
            other.contact == asking.contact && other.id != asking.id && other.rep.is_some()
        });
        let number = before.max_by_key(|other| other.shown.id)?.rep?;
        let rep = self.setup.reps.iter().find(|rep| rep.number == number)?;
        let reached = targets.iter().any(|target| match &target.kind {
            TargetKind::Owner(_) => false,
            TargetKind::Rep(id) => *id == rep.id,
            TargetKind::Group(id) => self.setup.groups.iter().any(|group| {
                group.id == *id && group.find(&MemberName::Rep(rep.id.clone())).is_some()
            }),
        });
        reached.then(|| rep.id.clone())
    }

    /// What follows from a target's having given somebody or something.
    fn give(&mut self, work: usize, index: usize, target: &Target, gift: Gift, at: At) {
        let now = Time(at.now);
        self.leave(work, Cause::NoTarget, at);
        let owners = self.work[work].shown.owners.clone();
        let work = &mut self.work[work];
        work.excluded = None;
        work.shown.decided = now;
        work.shown.target_index = Some(index.try_into().unwrap());
        match gift {
            Gift::Option(option) => {
                work.shown.option = Some(option);
                work.shown.state = AssignmentState::Closed;
                work.shown.cause = Cause::Option;
                work.ended = Some(at.now);
            }
            Gift::Rep(number, id, cause) => {
                work.shown.owner_changed = !self.setup.owned_by(&owners, &id);
                work.shown.rep = Some(id);
                work.rep = Some(number);
                work.shown.cause = cause;
                work.shown.state = AssignmentState::Assigned;
                if target.accept_timeout_us > 0 {
                    work.shown.state = AssignmentState::Offered;
                    work.shown.offer_end = Some(Time(at.now + target.accept_timeout_us));
                }
            }
        }
    }

    /// Lets it wait at a target, for as long as it may be held there.
    pub(super) fn hold(&mut self, work: usize, index: usize, at: At) {
        self.leave(work, Cause::Waiting, at);
        let work = &mut self.work[work];
        work.shown.state = AssignmentState::Pending;
        work.shown.target_index = Some(index.try_into().unwrap());
        work.shown.wait_end = Some(Time(work.held_until));
    }

    /// Leaves it to nobody.
    pub(super) fn leave(&mut self, work: usize, cause: Cause, at: At) {
        let work = &mut self.work[work];
        work.rep = None;
        work.shown.position = at.position;
        work.shown.state = AssignmentState::Unassigned;
        work.shown.cause = cause;
        work.shown.rep = None;
        work.shown.option = None;
        work.shown.target_index = None;
        work.shown.owner_changed = false;
        work.shown.wait_end = None;
        work.shown.offer_end = None;
    }
}

impl Setup {
    /// The reps that the owners are, in order, each once; and what to say if there is nobody.
    fn owners(&self, kinds: &[OwnerKind], owners: &[OwnerRef]) -> (Vec<RepId>, TargetOutcome) {
        let asked: Vec<&OwnerRef> =
            kinds.iter().flat_map(|kind| owners.iter().filter(move |o| o.kind == *kind)).collect();
        let mut line = Vec::new();
        for rep in asked.iter().filter_map(|owner| self.mapped(owner)) {
            if !line.contains(&rep) {
                line.push(rep);
            }
        }
        let missed = if !line.is_empty() {
            TargetOutcome::NoEligible
        } else if asked.iter().any(|owner| owner.owner_type == OwnerType::User) {
            TargetOutcome::OwnerNotARep
        } else if !asked.is_empty() {
            TargetOutcome::OwnerIsQueue
        } else {
            TargetOutcome::NoOwner
        };
        (line, missed)
    }

    /// Whether one of the owners is the rep.
    pub(super) fn owned_by(&self, owners: &[OwnerRef], rep: &RepId) -> bool {
        owners.iter().any(|owner| self.mapped(owner).as_ref() == Some(rep))
    }

    fn mapped(&self, owner: &OwnerRef) -> Option<RepId> {
        if owner.owner_type == OwnerType::Queue {
            return None;
        }
        let by_id = |rep: &&Rep| {
            owner.external_id.as_ref().is_some_and(|wanted| rep.external_ids.contains(wanted))
        };
        let by_email = |rep: &&Rep| owner.email.is_some() && rep.email == owner.email;
        let found = self.reps.iter().find(by_id).or_else(|| self.reps.iter().find(by_email));
        found.map(|rep| rep.id.clone())
    }
}
