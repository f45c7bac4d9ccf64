//! The end of a run: has everything come right, and is what was promised still so?

use std::collections::{BTreeMap, BTreeSet};

use turnwise::{
    codec,
    consensus::{NodeId, NodeStatus},
    replica::VERSIONS,
    routing::{
        AssignmentFilter, Command, LogPosition, Operation, Outcome, Stamp, Time,
        limits::HISTORY_MAX,
    },
};

use super::{World, id_of, index_of};
use crate::{
    client::Client,
    members::Operator,
    model::{Model, seen},
    process::Process,
    store, workload,
};

impl World {
    /// All nodes run, hold the same log, and have applied it; no client waits for anything.
    pub(super) fn has_settled(&self) -> bool {
        if !self.clients.iter().all(Client::is_done) || !self.members_have_settled() {
            return false;
        }
        let statuses: Option<Vec<&NodeStatus>> = self
            .machines
            .iter()
            .filter(|machine| !machine.is_gone)
            .map(|machine| machine.process.as_ref().map(Process::status))
            .collect();
        statuses.is_some_and(|statuses| {
            let first = statuses[0];
            (!self.plan.upgrade || self.is_raised())
                && statuses.iter().all(|status| {
                    status.caught_up
                        && status.applied == first.applied
                        && status.last_index == first.applied
                })
        })
    }

    /// For the message of a run that does not settle.
    pub(super) fn state(&self) -> String {
        let nodes: Vec<String> = self
            .machines
            .iter()
            .map(|machine| match &machine.process {
                Some(process) => format!("{:?}", process.node().status()),
                None if machine.is_gone => "gone".to_owned(),
                None => "down".to_owned(),
            })
            .collect();
        let waiting = self.clients.iter().filter(|client| !client.is_done()).count();
        let members = self.operator.as_ref().map(|operator| {
            let latest = self.checks.configs.latest();
            let Operator { tasks, joiners, returns, .. } = operator;
            format!("{latest:?}; {tasks:?}; {} join; {returns:?}; ", joiners.len())
        });
        let members = members.unwrap_or_default();
        format!("{waiting} clients wait; {members}{}", nodes.join("; "))
    }

    pub(super) fn check_the_end(&mut self) {
        self.check_states();
        self.check_one_answer_per_request();
        self.check_against_the_model();
        self.check_disks();
    }

    /// I1, I7 and the second half of I2, on the final state of every node.
    fn check_states(&self) {
        let team = workload::team();
        let machines = self.machines.iter().filter_map(|it| it.process.as_ref());
        let mut members = machines.clone().map(|it| it.node().membership());
        let first = members.next().expect("somebody runs");
        assert!(members.all(|other| other == first), "who is a member is the same for all");
        let mut hashes = BTreeSet::new();
        for state in machines.map(Process::machine) {
            hashes.insert(state.hash());
            assert_eq!(state.hash(), state.recomputed_hash(), "incremental state hash");
            let filter = AssignmentFilter::default();
            let all = state.assignments(&team, &filter, None, usize::MAX).unwrap_or_default();
            assert!(all.is_sorted_by_key(|assignment| assignment.id), "by age");
            for (command, outcome) in &self.told.done {
                let Ok(reply) = outcome else { continue };
                let Outcome::Assigned(assigned) = &reply.outcome else { continue };
                let told = &assigned.assignment;
                let found = all.binary_search_by_key(&told.id, |assignment| assignment.id);
                let found = &all[found.expect("it was acknowledged")];
                let by_id = state.assignment(&team, told.id).expect("it is in the list");
                assert_eq!(by_id.position, found.position, "{command:?}");
                assert_eq!((&found.contact, &found.via), (&told.contact, &told.via), "{command:?}");
                // It may have moved on since, but what was told is a part of its life.
                let kept = found.history.len() < HISTORY_MAX;
                let is_past = !kept || found.history.starts_with(&told.history);
                assert!(is_past && found.position >= told.position, "{command:?}: {found:?}");
            }
            let mut open = BTreeSet::new();
            for assignment in all.iter().filter(|assignment| assignment.state.is_open()) {
                let work = (&assignment.contact, &assignment.via);
                assert!(open.insert(work), "{work:?} is assigned twice");
            }
        }
        assert_eq!(hashes.len(), 1, "all nodes are at one index and in one state");
    }

    /// The first half of I2: commands that carry one request id have one answer in the log.
    fn check_one_answer_per_request(&self) {
        let mut first = BTreeMap::new();
        for (index, batch) in &self.checks.log {
            for (bytes, outcome) in batch.commands.iter().zip(&batch.outcomes) {
                let command = codec::decode(bytes).expect("it was applied");
                let request = command.request.expect("clients give one").id;
                let answer = first.entry(request.clone()).or_insert(outcome);
                assert_eq!(*answer, outcome, "{request} at {index} has another answer than before");
            }
        }
    }

    /// I3: the committed log, replayed through rules that were written apart, gives the same answers.
    fn check_against_the_model(&self) {
        let mut model = Model::new();
        let mut now = Time(0);
        for (log_index, batch) in &self.checks.log {
            for ((seq, bytes), outcome) in (0..).zip(&batch.commands).zip(&batch.outcomes) {
                let mut command = codec::decode(bytes).expect("it was applied");
                now = now.max(Time(batch.stamp_us));
                if batch.version == 3 {
                    as_of_version_3(&mut command, now);
                }
                let position = LogPosition { log_index: *log_index, term: batch.term, seq };
                let stamp = Stamp { time: Time(batch.stamp_us), position };
                let expected = model.apply(&command, stamp);
                assert_eq!(expected, seen(outcome), "{command:?} at {log_index}, by the model");
            }
        }
    }

    /// What was acknowledged is on the disks of a majority, should all lose power now.
    fn check_disks(&self) {
        let voters: Vec<_> = (0..self.plan.nodes).map(id_of).collect();
        let latest = &self.checks.configs.latest().voters;
        let holds = |id: &&NodeId| {
            let node = &index_of(**id);
            let machine = &self.machines[*node];
            let disk = self.machines[*node].disk.fork();
            disk.crash(self.seed);
            let (id, segment_bytes) = (id_of(*node), self.plan.segment_bytes);
            let opened = store::open(
                &disk,
                id,
                machine.incarnation,
                VERSIONS,
                &voters,
                segment_bytes,
                false,
            );
            match opened {
                Ok(opened) => !machine.is_wiped && opened.log.last_index() >= self.told.index,
                // Rot that nobody had a reason to read is found by whoever starts there.
                Err(_) if machine.is_rotten || machine.is_wiped => false,
                Err(error) => panic!("no sound data directory: {error}"),
            }
        };
        let count = latest.iter().filter(holds).count();
        assert!(count > latest.len() / 2, "{} is on {count} disks", self.told.index);
    }
}

/// What the test build's version 3 takes a command for, in the words of the versions before it: an absence
/// without an end has one, a second later.
fn as_of_version_3(command: &mut Command, now: Time) {
    if let Operation::SetOutOfOffice { start, end: end @ None, .. } = &mut command.operation {
        *end = Some(Time(start.map_or(now.0, |start| start.0.max(now.0)) + 1_000_000));
    }
}
