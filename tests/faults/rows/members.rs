//! Row 14: the members change, by the commands that an operator types, while leaders die and are cut off.
//!
//! 3 to 5, the leader removed, a dead node replaced, 5 to 3 to 1, and back to 3. The clients go on all the
//! time, told of every change (workload W3). Then everybody who was ever removed is started again, while only
//! one member of three runs: nobody may come to lead, and nothing may be acknowledged. They end once the members
//! they know run again: one that was removed while it was cut off may have been told by a peer, not by its log.

use std::time::Duration;

use turnwise::clock;

use super::{World, between, now, pause, pick};
use crate::{
    cluster::{EXIT_FAULT, Operator, PATIENCE, Res},
    load::Team,
    run::Struck,
};

/// What happens while the members change.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    Nothing,
    LeaderKilled,
    LeaderCutOff,
}

use Meanwhile::{LeaderCutOff, LeaderKilled, Nothing};

impl Meanwhile {
    fn draw() -> Self {
        pick(&[Nothing, LeaderKilled, LeaderCutOff])
    }

    /// Does it, some time after a change has begun, and mends it.
    async fn happen(self, world: &mut World) -> Res<()> {
        pause(between(0, 150)).await;
        match self {
            Nothing => {}
            LeaderKilled => {
                let leader = world.cluster.leader().await?;
                world.cluster.kill(leader);
                pause(between(300, 1_500)).await;
                world.cluster.spawn(leader)?;
            }
            LeaderCutOff => {
                let leader = world.cluster.leader().await?;
                world.cut_off(leader)?;
                pause(between(500, 2_000)).await;
                world.net()?.heal()?;
            }
        }
        Ok(())
    }

    fn words(self) -> &'static str {
        match self {
            Nothing => "in peace",
            LeaderKilled => "while the leader was killed",
            LeaderCutOff => "while the leader was cut off",
        }
    }
}

/// A command typed by somebody who goes on until it is done.
fn typed(by: Operator, words: &[&str]) -> tokio::task::JoinHandle<Res<crate::cluster::Said>> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    tokio::spawn(async move {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        by.types(&words).await
    })
}

/// The state of a run of changes.
struct Changes<'a> {
    world: &'a mut World,
    struck: Struck,
    /// Who was removed.
    gone: Vec<u64>,
}

impl Changes<'_> {
    fn count(&mut self, change: &str, meanwhile: Meanwhile) {
        self.struck.counts.push(format!("{change} {}", meanwhile.words()));
    }

    /// One more member.
    async fn add(&mut self, meanwhile: Meanwhile) -> Res<()> {
        let world = &mut *self.world;
        let mut ids = world.cluster.ids();
        let by = world.cluster.operator(&ids);
        let new = world.admit(&by, &["cluster", "add"]).await?;
        meanwhile.happen(world).await?;
        ids.push(world.cluster.admitted(new).await?);
        world.cluster.ready(&ids).await?;
        world.cluster.voters(&ids).await?;
        self.count("added", meanwhile);
        Ok(())
    }

    /// One less, whose process ends by itself and says why.
    async fn remove(&mut self, id: u64, meanwhile: Meanwhile) -> Res<()> {
        let world = &mut *self.world;
        let left = world.cluster.others(id);
        let command = ["cluster", "remove", &id.to_string()];
        let done = typed(world.cluster.operator(&world.cluster.ids()), &command);
        meanwhile.happen(world).await?;
        done.await.map_err(|error| error.to_string())??;
        self.ended(id).await?;
        let world = &mut *self.world;
        world.cluster.put_aside(id);
        world.cluster.ready(&left).await?;
        world.cluster.voters(&left).await?;
        self.gone.push(id);
        self.count("removed", meanwhile);
        Ok(())
    }

    /// Another in the place of one that is dead, and knows nothing of it.
    async fn replace(&mut self, dead: u64, meanwhile: Meanwhile) -> Res<()> {
        let world = &mut *self.world;
        world.cluster.kill(dead);
        let mut ids = world.cluster.others(dead);
        let by = world.cluster.operator(&ids);
        let new = world.admit(&by, &["cluster", "replace", &dead.to_string()]).await?;
        // Whoever leads is among the others.
        world.cluster.put_aside(dead);
        meanwhile.happen(world).await?;
        ids.push(world.cluster.admitted(new).await?);
        world.cluster.ready(&ids).await?;
        world.cluster.voters(&ids).await?;
        self.gone.push(dead);
        self.count("replaced", meanwhile);
        Ok(())
    }

    /// Whether a removed node's process has ended, and said why.
    async fn ended(&mut self, id: u64) -> Res<()> {
        let status = self.world.cluster.exited(id).await?;
        let log = self.world.cluster.log(id);
        if status.code() == Some(EXIT_FAULT) && log.contains("was removed from") {
            return Ok(());
        }
        let last = log.lines().last().unwrap_or_default();
        Err(format!("node {id} was removed, ended with {status} and said: {last}"))
    }

    /// Waits until a removed node that was started again has ended, and said why. One that was told by a peer has it
    /// not in its own log: if it also knows none of the members there are now, nobody can tell it again.
    async fn laid(&mut self, ghost: u64, members: &[u64]) -> Res<()> {
        let cluster = &mut self.world.cluster;
        let seen = cluster.seen_by(ghost).await.ok();
        let is_known = |id: &u64| members.contains(id);
        if seen.is_some_and(|seen| !seen.members.iter().any(|it| is_known(&it.node_id))) {
            cluster.kill(ghost);
            self.struck.counts.push("a ghost that knows no member".to_owned());
            return Ok(());
        }
        self.ended(ghost).await
    }

    async fn follower(&self) -> Res<u64> {
        let leader = self.world.cluster.leader().await?;
        Ok(pick(&self.world.cluster.others(leader)))
    }

    /// `turnwise cluster status`, asked of every member, names the members and nobody else.
    async fn named(&self) -> Res<()> {
        let mut ids = self.world.cluster.ids();
        ids.sort_unstable();
        for id in &ids {
            let asked = self.world.cluster.operator(&[*id]);
            let said = asked.types(&["cluster", "status", "--output", "json"]).await?.out;
            let status: serde_json::Value =
                serde_json::from_str(&said).map_err(|error| error.to_string())?;
            let members = status["members"].as_array().cloned().unwrap_or_default();
            let named: Vec<u64> = members.iter().filter_map(|it| it["node"].as_u64()).collect();
            let votes = |it: &serde_json::Value| {
                ["LEADER", "FOLLOWER"].contains(&it["role"].as_str()?).then_some(())
            };
            if named != ids || members.iter().any(|it| votes(it).is_none()) {
                return Err(format!("of {ids:?}, node {id} says: {said}"));
            }
        }
        Ok(())
    }

    /// Of three members one is left, and everybody who was ever removed is started again.
    async fn ghosts(&mut self) -> Res<()> {
        let world = &mut *self.world;
        let ids = world.cluster.ids();
        let client = world.cluster.client(&ids, PATIENCE)?;
        let team = Team::found(&client, format!("ghosts-{}", world.teams)).await?;
        let left = pick(&ids);
        for id in world.cluster.others(left) {
            world.cluster.kill(id);
        }
        for id in &self.gone {
            world.cluster.spawn(*id)?;
        }
        let mut asked = vec![left];
        asked.extend(&self.gone);
        let client = world.cluster.client(&asked, UNDECIDED)?;
        let answer = team.log_time_us(&client, "of-nobody".to_owned()).await;
        if let Ok(time) = answer {
            return Err(format!("one member of three and removed nodes acknowledged, at {time}"));
        }
        let led = world.cluster.seen_by(left).await?.leader_node_id;
        if led != 0 {
            return Err(format!("one member of three and removed nodes have {led} for a leader"));
        }
        for id in self.world.cluster.others(left) {
            self.world.cluster.spawn(id)?;
        }
        self.world.cluster.ready(&ids).await?;
        for id in self.gone.clone() {
            self.laid(id, &ids).await?;
        }
        self.struck.counts.push("no ghost".to_owned());
        Ok(())
    }
}

/// For how long nothing may be decided: many elections.
const UNDECIDED: Duration = Duration::from_secs(3);

pub(super) async fn three_five_three_one_three(world: &mut World) -> Res<Struck> {
    let mut changes = Changes { world, struck: now(), gone: Vec::new() };
    changes.add(LeaderKilled).await?;
    changes.add(LeaderCutOff).await?;
    let leader = changes.world.cluster.leader().await?;
    changes.remove(leader, Meanwhile::draw()).await?;
    let dead = changes.follower().await?;
    changes.replace(dead, Meanwhile::draw()).await?;
    let follower = changes.follower().await?;
    changes.remove(follower, LeaderKilled).await?;
    let any = pick(&changes.world.cluster.ids());
    changes.remove(any, LeaderCutOff).await?;
    let leader = changes.world.cluster.leader().await?;
    changes.remove(leader, Nothing).await?;
    changes.add(LeaderKilled).await?;
    changes.add(Meanwhile::draw()).await?;
    changes.struck.gap_within = Some(clock::monotonic() - changes.struck.at);
    changes.named().await?;
    changes.ghosts().await?;
    changes.named().await?;
    Ok(changes.struck)
}
