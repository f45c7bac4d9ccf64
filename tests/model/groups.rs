//! Groups, their members, and whose turn it is in one.
//!
//! A ring is a list of slots that is made anew for every pick. Who may be picked is decided elsewhere.

use turnwise::routing::{
    CampaignId, Cursor, CursorScope, GroupChange, GroupId, GroupKind, GroupSettings, MemberName,
    MemberSpec, PeriodCap, Reason, RestartPolicy, Revision, Strategy,
};

use super::Refusal;

#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) kind: GroupKind,
    pub(super) strategy: Strategy,
    pub(super) require_online: bool,
    pub(super) scope: CursorScope,
    restart: Option<RestartPolicy>,
    pub(super) cap: Option<PeriodCap>,
    pub(super) keys_given: u64,
    /// In ring order.
    pub(super) members: Vec<Member>,
    pub(super) places: Vec<Place>,
    pub(super) revision: Revision,
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) key: u64,
    pub(super) name: MemberName,
    pub(super) payload: String,
    pub(super) weight: u32,
    /// Period, number of the window, picks in it.
    pub(super) picked: (u64, u32),
}

/// Where a ring stands under a campaign, or under none.
#[derive(Debug, Clone)]
pub(super) struct Place {
    campaign: Option<CampaignId>,
    cursor: Cursor,
    last_pick: Option<u64>,
    /// By key.
    turns: Vec<(u64, u64)>,
    /// By key.
    credits: Vec<(u64, i32)>,
}

/// Who was picked, and who was passed over on the way.
pub(super) struct Turn {
    /// The place in the list of members.
    pub(super) picked: Option<usize>,
    pub(super) before: Cursor,
    pub(super) after: Cursor,
    /// Members by their place in the list, nearest first.
    pub(super) passed: Vec<(usize, Reason)>,
}

const DAY: u64 = 24 * 60 * 60 * 1_000_000;

impl Group {
    pub(super) fn new(id: GroupId, settings: &GroupSettings, revision: Revision) -> Self {
        Self {
            id,
            kind: settings.kind,
            strategy: settings.strategy,
            require_online: settings.require_online,
            scope: settings.cursor_scope,
            restart: settings.restart,
            cap: settings.period_cap,
            keys_given: 0,
            members: Vec::new(),
            places: Vec::new(),
            revision,
        }
    }

    pub(super) fn set(&mut self, change: &GroupChange) {
        let GroupChange { display_name: _, labels: _, strategy, require_online, .. } = change;
        self.strategy = strategy.unwrap_or(self.strategy);
        self.require_online = require_online.unwrap_or(self.require_online);
        self.scope = change.cursor_scope.unwrap_or(self.scope);
        let cap = change.period_cap.unwrap_or(self.cap);
        if cap.map(|cap| cap.period_us) != self.cap.map(|cap| cap.period_us) {
            self.members.iter_mut().for_each(|member| member.picked = (0, 0));
        }
        self.cap = cap;
        self.restart = change.restart.unwrap_or(self.restart);
    }

    pub(super) fn said(&self) -> impl PartialEq + '_ {
        let member = |m: &Member| (m.key, m.name.clone(), m.payload.clone(), m.weight);
        let members: Vec<_> = self.members.iter().map(member).collect();
        let how = (self.strategy, self.require_online, self.scope, self.restart, self.cap);
        (how, members)
    }

    /// What is usual for the kind, unless something is said.
    fn restart(&self) -> RestartPolicy {
        self.restart.unwrap_or(match self.kind {
            GroupKind::Reps => RestartPolicy { idle_period_us: 0, on_member_change: false },
            GroupKind::Options => {
                RestartPolicy { idle_period_us: 30 * DAY, on_member_change: true }
            }
        })
    }

    /// What must hold of any group, whatever its members.
    pub(super) fn check_kind(&self) -> Result<(), Refusal> {
        let for_reps =
            self.strategy == Strategy::LeastOpen || self.require_online || self.cap.is_some();
        if self.kind == GroupKind::Options && for_reps {
            return Err("GroupKindMismatch");
        }
        Ok(())
    }

    pub(super) fn find(&self, name: &MemberName) -> Option<usize> {
        self.members.iter().position(|m| m.name == *name)
    }

    /// How few members it may have.
    pub(super) fn fewest(&self) -> usize {
        match self.kind {
            GroupKind::Reps => 1,
            GroupKind::Options => 2,
        }
    }

    pub(super) fn add(&mut self, MemberSpec { member, payload, weight }: &MemberSpec) {
        self.keys_given += 1;
        self.members.push(Member {
            key: self.keys_given,
            name: member.clone(),
            payload: payload.clone(),
            weight: *weight,
            picked: (0, 0),
        });
    }

    pub(super) fn remove(&mut self, name: &MemberName) {
        let Some(there) = self.find(name) else { return };
        let key = self.members.remove(there).key;
        for place in &mut self.places {
            place.turns.retain(|turn| turn.0 != key);
            place.credits.retain(|credit| credit.0 != key);
        }
        self.membership_changed();
    }

    pub(super) fn membership_changed(&mut self) {
        if self.restart().on_member_change {
            self.places.iter_mut().for_each(|place| place.cursor = Cursor::default());
        }
    }

    /// Puts the members in this order; every cursor stays with its member, or, if that one is gone,
    /// with the nearest before it in the ring.
    pub(super) fn reorder(&mut self, names: &[MemberName]) -> Result<(), Refusal> {
        let mut wanted = names.to_vec();
        let mut there: Vec<_> = self.members.iter().map(|m| m.name.clone()).collect();
        wanted.sort();
        there.sort();
        if wanted != there {
            return Err("InvalidReorder");
        }
        if self.members.iter().map(|m| &m.name).eq(names) {
            return Ok(());
        }
        let old: Vec<u64> = self.members.iter().map(|m| m.key).collect();
        let mut new_of: Vec<(u64, u64)> = Vec::new();
        let mut members = Vec::new();
        for name in names {
            let mut member = self.members[self.find(name).unwrap()].clone();
            self.keys_given += 1;
            new_of.push((member.key, self.keys_given));
            member.key = self.keys_given;
            members.push(member);
        }
        self.members = members;
        let new = |key: u64| new_of.iter().find(|pair| pair.0 == key).map(|pair| pair.1);
        for place in &mut self.places {
            place.turns.iter_mut().for_each(|turn| turn.0 = new(turn.0).unwrap());
            place.credits.iter_mut().for_each(|credit| credit.0 = new(credit.0).unwrap());
            if place.cursor == Cursor::default() {
                continue;
            }
            let before = old.iter().rev().find(|key| **key <= place.cursor.key);
            let stood_on = before.or(old.last());
            place.cursor.key = stood_on.map_or(0, |key| new(*key).unwrap());
        }
        Ok(())
    }

    /// Under which campaign a call moves it.
    pub(super) fn place_key(&self, called: Option<&CampaignId>) -> Option<CampaignId> {
        match self.scope {
            CursorScope::Campaign => called.cloned(),
            CursorScope::Group => None,
        }
    }

    fn place(&self, campaign: Option<&CampaignId>) -> Option<&Place> {
        self.places.iter().find(|place| place.campaign.as_ref() == campaign)
    }

    fn place_mut(&mut self, campaign: Option<&CampaignId>) -> &mut Place {
        if self.place(campaign).is_none() {
            self.places.push(Place {
                campaign: campaign.cloned(),
                cursor: Cursor::default(),
                last_pick: None,
                turns: Vec::new(),
                credits: Vec::new(),
            });
        }
        self.places.iter_mut().find(|place| place.campaign.as_ref() == campaign).unwrap()
    }

    /// Where it stands: before its first member, if it was idle for too long.
    pub(super) fn cursor(&self, campaign: Option<&CampaignId>, now: u64) -> Cursor {
        let Some(place) = self.place(campaign) else { return Cursor::default() };
        let idle = place.last_pick.map_or(0, |last| now - last);
        let period = self.restart().idle_period_us;
        if period > 0 && idle >= period { Cursor::default() } else { place.cursor }
    }

    pub(super) fn turns(&self, campaign: Option<&CampaignId>, key: u64) -> u64 {
        let turns = self.place(campaign).map_or(&[][..], |place| &place.turns);
        turns.iter().find(|turn| turn.0 == key).map_or(0, |turn| turn.1)
    }

    pub(super) fn credit(&self, campaign: Option<&CampaignId>, key: u64) -> i32 {
        let credits = self.place(campaign).map_or(&[][..], |place| &place.credits);
        credits.iter().find(|credit| credit.0 == key).map_or(0, |credit| credit.1)
    }

    pub(super) fn set_credit(&mut self, campaign: Option<&CampaignId>, key: u64, credit: i32) {
        if credit == 0 && self.place(campaign).is_none() {
            return;
        }
        let place = self.place_mut(campaign);
        place.credits.retain(|other| other.0 != key);
        place.credits.push((key, credit));
    }

    pub(super) fn reset(&mut self, campaign: Option<&CampaignId>) {
        if self.place(campaign).is_some() {
            self.place_mut(campaign).cursor = Cursor::default();
        }
    }

    pub(super) fn forget_campaign(&mut self, campaign: &CampaignId) {
        self.places.retain(|place| place.campaign.as_ref() != Some(campaign));
    }

    /// How often the member was picked in the window of the cap that now is in.
    pub(super) fn picked_in_window(&self, member: &Member, cap: PeriodCap, now: u64) -> u32 {
        let (window, count) = member.picked;
        if window == now / cap.period_us { count } else { 0 }
    }

    /// Every slot of the ring once, the next first.
    fn slots_from(&self, cursor: Cursor, one_each: bool) -> Vec<(Cursor, usize)> {
        let divides = |d: &u32| self.members.iter().all(|m| m.weight % d == 0);
        let smallest = self.members.iter().map(|member| member.weight).min().unwrap_or(1);
        let gcd = (1..=smallest).rev().find(divides).unwrap_or(1);
        let mut slots = Vec::new();
        for (there, member) in self.members.iter().enumerate() {
            let rounds = if one_each { 1 } else { member.weight / gcd };
            slots.extend((0..rounds).map(|round| (Cursor { round, key: member.key }, there)));
        }
        slots.sort();
        slots.sort_by_key(|(slot, _)| *slot <= cursor); // Stable: those beyond come first.
        slots
    }

    /// Takes a turn, if there is anybody without a reason against them. `against` and `open` go by the
    /// list of members.
    pub(super) fn take_turn(
        &mut self,
        campaign: Option<&CampaignId>,
        against: &[Option<Reason>],
        open: &[u64],
        now: u64,
    ) -> Turn {
        let before = self.cursor(campaign, now);
        let (picked, after, passed) = match self.strategy {
            Strategy::LeastOpen => self.least_open(before, against, open),
            Strategy::RoundRobin => self.next_in_ring(campaign, before, against),
        };
        if let Some(there) = picked {
            let key = self.members[there].key;
            let turns = self.turns(campaign, key) + 1;
            let place = self.place_mut(campaign);
            place.cursor = after;
            place.last_pick = Some(now);
            place.turns.retain(|turn| turn.0 != key);
            place.turns.push((key, turns));
            if let Some(cap) = self.cap {
                let count = self.picked_in_window(&self.members[there], cap, now) + 1;
                self.members[there].picked = (now / cap.period_us, count);
            }
        }
        Turn { picked, before, after, passed }
    }

    fn least_open(
        &self,
        before: Cursor,
        against: &[Option<Reason>],
        open: &[u64],
    ) -> (Option<usize>, Cursor, Vec<(usize, Reason)>) {
        let line = self.slots_from(Cursor { round: 0, key: before.key }, true);
        let passed = line.iter().filter_map(|(_, there)| Some((*there, against[*there]?)));
        let passed = passed.collect();
        let mut best: Option<(Cursor, usize)> = None;
        for (slot, there) in line.into_iter().filter(|(_, there)| against[*there].is_none()) {
            let is_better = best.is_none_or(|(_, other)| {
                let weight = |of: usize| u64::from(self.members[of].weight);
                open[there] * weight(other) < open[other] * weight(there)
            });
            if is_better {
                best = Some((slot, there));
            }
        }
        (best.map(|(_, there)| there), best.map_or(before, |(slot, _)| slot), passed)
    }

    fn next_in_ring(
        &mut self,
        campaign: Option<&CampaignId>,
        before: Cursor,
        against: &[Option<Reason>],
    ) -> (Option<usize>, Cursor, Vec<(usize, Reason)>) {
        let line = self.slots_from(before, false);
        let free: Vec<_> = line.iter().filter(|(_, there)| against[*there].is_none()).collect();
        let credit = |group: &Self, there: usize| group.credit(campaign, group.members[there].key);
        if let Some((_, there)) = free.iter().find(|(_, there)| credit(self, *there) > 0) {
            let left = credit(self, *there) - 1;
            self.set_credit(campaign, self.members[*there].key, left);
            return (Some(*there), before, Vec::new());
        }
        let nobody = free.is_empty();
        let mut passed: Vec<(usize, Reason)> = Vec::new();
        let mut pass = |there, reason| {
            if !passed.iter().any(|(other, _)| *other == there) {
                passed.push((there, reason));
            }
        };
        loop {
            for (slot, there) in &line {
                match (against[*there], credit(self, *there)) {
                    (Some(reason), _) => pass(*there, reason),
                    (None, owed) if owed < 0 => {
                        self.set_credit(campaign, self.members[*there].key, owed + 1);
                        pass(*there, Reason::Credit);
                    }
                    (None, _) => return (Some(*there), *slot, passed),
                }
            }
            if nobody {
                return (None, before, passed);
            }
        }
    }
}
