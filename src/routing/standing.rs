//! How reps stand, and where they sit: keeps the classes and loads in the rings as the reps' own are.
//!
//! Everything that changes what a filter reads of a rep, or the time, goes through `stands` or, if it is how many
//! they hold, through `holds`; everything that changes who is in a ring through `join` and `leave`.

use std::sync::Arc;

use super::{
    GroupId, Time,
    digest::Sum,
    filter::{self, Class, Standing},
    group::GroupState,
    record::{Occupant, RepUid},
    reps::Reps,
    ring::Seat,
    team::Team,
};

impl Team {
    /// Changes something about a rep, and sorts them anew in every ring they are in.
    pub(super) fn stands(
        &mut self,
        uid: RepUid,
        now: Time,
        change: impl FnOnce(&mut Reps, &mut Sum),
    ) {
        let Some(rep) = self.reps.get(uid) else { return };
        let (record, groups, open) = (Arc::clone(&rep.record), rep.groups.clone(), rep.open);
        change(&mut self.reps, &mut self.sum);
        let Some((before, class)) = self.reps.classify(uid, now) else { return };
        if class < before {
            self.assignments.waiting.rouse_rep(uid);
        }
        let Some(rep) = self.reps.get(uid) else { return };
        let new_open = rep.open;
        if (&record.email, &record.external_ids) != (&rep.record.email, &rep.record.external_ids) {
            self.assignments.waiting.rouse_names(&record);
            self.assignments.waiting.rouse_names(&rep.record);
        }
        for id in &groups {
            let Some(group) = self.groups.get(id) else { continue };
            let occupant = Occupant::Rep(uid);
            let Some(seat) = group.ring.seat(&occupant) else { continue };
            let Some(old) = group.ring.class(seat) else { continue };
            let new = class_in(group, seat, class, now);
            let by_load = group.is_by_load();
            if old == new && (open == new_open || !by_load) {
                continue;
            }
            let Some(group) = self.groups.get_mut(id) else { continue };
            if by_load {
                group.ring.remove_load(seat, old, open);
            }
            if new < old {
                self.assignments.waiting.rouse_group(id, new);
            }
            group.ring.set_class(&occupant, seat, new);
            if by_load {
                group.ring.add_load(seat, new, new_open);
            }
        }
    }

    /// Counts an assignment more or less that a rep holds. As [`Self::stands`] does, but looks at their rings only where
    /// one goes by load, if they stay in their class: which has been brought up to now, as that of their seats.
    pub(super) fn holds(&mut self, uid: RepUid, more: bool, now: Time) {
        let Some(rep) = self.reps.get(uid) else { return };
        let (before, open) = (rep.open, rep.open_after(more));
        let standing = Standing { open, ..rep.standing(false) };
        if filter::class(&standing, now) != rep.class {
            self.stands(uid, now, |reps, _| reps.count_open(uid, more));
            return;
        }
        let occupant = Occupant::Rep(uid);
        for id in &rep.groups {
            if self.groups.get(id).is_none_or(|group| !group.is_by_load()) {
                continue;
            }
            let Some(group) = self.groups.get_mut(id) else { continue };
            if let Some(seat) = group.ring.seat(&occupant)
                && let Some(class) = group.ring.class(seat)
            {
                group.ring.remove_load(seat, class, before);
                group.ring.add_load(seat, class, open);
            }
        }
        self.reps.count_open(uid, more);
    }

    /// Adds somebody who is not a member yet, at the end of a ring.
    pub(super) fn join(
        &mut self,
        id: &GroupId,
        occupant: Occupant,
        payload: &str,
        weight: u32,
        now: Time,
    ) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let (class, open) = standing(&self.reps, &occupant);
        let seat = group.add(&mut self.sum, occupant.clone(), payload, weight, now, class);
        if group.is_by_load() {
            group.ring.add_load(seat, class, open);
        }
        self.assignments.waiting.rouse_group(id, class);
        if let Occupant::Rep(uid) = occupant {
            self.reps.joins(uid, id);
        }
    }

    /// Takes a member out of a ring.
    pub(super) fn leave(&mut self, id: &GroupId, occupant: &Occupant, now: Time) {
        let Some(group) = self.groups.get_mut(id) else { return };
        forget_load(group, &self.reps, occupant);
        group.remove(&mut self.sum, occupant, now);
        if let Occupant::Rep(uid) = occupant {
            self.reps.leaves(*uid, id);
        }
    }

    /// Changes a member's weight or payload, where they sit.
    pub(super) fn change_member(
        &mut self,
        id: &GroupId,
        occupant: &Occupant,
        weight: u32,
        payload: &str,
    ) {
        let Some(group) = self.groups.get_mut(id) else { return };
        forget_load(group, &self.reps, occupant);
        let seat = group.change_member(&mut self.sum, occupant, weight, payload);
        if let Some(seat) = seat.filter(|_| group.is_by_load())
            && let Some(class) = group.ring.class(seat)
        {
            group.ring.add_load(seat, class, standing(&self.reps, occupant).1);
        }
    }

    /// Sorts all members of a group anew, after its settings or its order changed or it was loaded.
    pub(super) fn seat_all(&mut self, id: &GroupId, now: Time) {
        let Some(group) = self.groups.get_mut(id) else { return };
        group.ring.clear_loads();
        let members: Vec<_> = group.ring.members().map(|(o, seat)| (o.clone(), seat)).collect();
        group.capped.clear();
        for (occupant, seat) in members {
            let (class, open) = standing(&self.reps, &occupant);
            if group.is_capped(seat.key, now) {
                group.capped.insert(seat.key);
            }
            let class = class_in(group, seat, class, now);
            group.ring.set_class(&occupant, seat, class);
            if group.is_by_load() {
                group.ring.add_load(seat, class, open);
            }
        }
        self.assignments.waiting.rouse_group(id, Class::Ready);
        if let Some(cap) = group.record.period_cap.filter(|_| !group.capped.is_empty()) {
            self.rollovers.insert((cap.window_end(now), id.clone()));
        }
    }
}

/// The class and the open work of an occupant; options are always ready.
fn standing(reps: &Reps, occupant: &Occupant) -> (Class, u64) {
    match occupant {
        Occupant::Rep(uid) => {
            reps.get(*uid).map_or((Class::Barred, 0), |rep| (rep.class, rep.open))
        }
        Occupant::Option(_) | Occupant::Group(_) => (Class::Ready, 0),
    }
}

fn class_in(group: &GroupState, seat: Seat, class: Class, now: Time) -> Class {
    if group.is_capped(seat.key, now) { Class::Barred } else { class }
}

fn forget_load(group: &mut GroupState, reps: &Reps, occupant: &Occupant) {
    if group.is_by_load()
        && let Some(seat) = group.ring.seat(occupant)
        && let Some(class) = group.ring.class(seat)
    {
        group.ring.remove_load(seat, class, standing(reps, occupant).1);
    }
}
