//! What rows need to run on: a cluster, and the disks, networks and lines under it.
//!
//! Rows that need the same ground share a world, one after the other.

use std::collections::BTreeMap;

use crate::{
    Tools,
    cluster::{Cluster, Joins, Operator, Res, Setup},
    fuse::FuseDisk,
    lines::Lines,
    net::{self, Filter, Net},
    rows::{clocks, how_many},
};

/// What a cluster stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// As users start it: what is measured in milliseconds is measured here.
    Usual,
    /// Snapshots are written and logs cut all the time.
    Snapshots,
    /// More often than that, and logs are short.
    ShortLogs,
    /// As users start it, but with snapshots often enough for a million assignments to be in one.
    Million,
    /// As users start it, for rows that leave a large state behind.
    Memory,
    /// Each node in a network namespace of its own; snapshots all the time.
    Net,
    /// The same with five nodes.
    FiveOnNet,
    /// The same with lines between the nodes that can be made longer.
    Lines,
    /// Disks of our own that lose power; snapshots all the time.
    Disks,
    /// The same in network namespaces.
    DisksOnNet,
    /// Every node's wall clock is set by a file.
    Clocks,
    /// The last node may open 64 files.
    FewDescriptors,
}

/// A cluster, and what it stands on.
pub(crate) struct World {
    // Dropped in this order: who runs, before what they run on.
    pub(crate) cluster: Cluster,
    pub(crate) disks: BTreeMap<u64, FuseDisk>,
    pub(crate) lines: Option<Lines>,
    pub(crate) net: Option<Net>,
    /// How many teams were made on it.
    pub(crate) teams: u64,
    /// How many assignments were made beforehand.
    pub(crate) many: Option<u64>,
    /// Who was not there when they were made.
    pub(crate) behind: Option<u64>,
    pub(crate) folder: tempfile::TempDir,
}

impl Ground {
    fn nodes(self) -> u64 {
        if self == Self::FiveOnNet { 5 } else { 3 }
    }

    fn on_net(self) -> bool {
        matches!(self, Self::Net | Self::FiveOnNet | Self::Lines | Self::DisksOnNet)
    }

    fn on_disks(self) -> bool {
        matches!(self, Self::Disks | Self::DisksOnNet)
    }

    /// Why it can't be had here.
    pub(crate) fn missing(self, tools: &Tools) -> Option<String> {
        let mut needed = Vec::new();
        if self.on_net() {
            needed.extend([tools.namespaces.as_ref().err(), tools.filters.as_ref().err()]);
        }
        if self.on_disks() {
            needed.push(tools.fuse.as_ref().err());
        }
        match self {
            Self::Lines => needed.push(tools.detours.as_ref().err()),
            Self::Clocks => needed.push(tools.faketime.as_ref().err()),
            Self::FewDescriptors => needed.push(tools.prlimit.as_ref().err()),
            _ => {}
        }
        needed.into_iter().flatten().next().cloned()
    }

    fn flags(self) -> Vec<String> {
        let (snapshots, tail) = match self {
            Self::Usual | Self::Memory | Self::Clocks | Self::FewDescriptors => return Vec::new(),
            Self::ShortLogs => (16 << 10, 8 << 10),
            // Some 16 MiB and 1 MiB for a million.
            Self::Million => (16 * how_many(), how_many()),
            _ => (64 << 10, 64 << 10),
        };
        let flags = [("--snapshot-every", snapshots), ("--log-tail-max", tail)];
        flags
            .into_iter()
            .flat_map(|(flag, len): (_, u64)| [flag.to_owned(), len.to_string()])
            .collect()
    }

    /// A new cluster on it.
    pub(crate) async fn build(self, tools: &Tools) -> Res<World> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let count = self.nodes();
        let mut setup = Setup { count, flags: self.flags(), ..Setup::default() };
        let mut disks = BTreeMap::new();
        let mut net = None;
        let mut lines = None;
        if self.on_net() {
            let mut ours = Net::new(count)?;
            if self == Self::Lines {
                let laid = Lines::lay(count).await?;
                ours.lead(laid.begin.clone())?;
                lines = Some(laid);
            }
            net = Some(ours);
            setup.flags.push("--insecure".to_owned());
            for seat in 1..=count {
                setup.address.insert(seat, net::address(seat));
                setup.under.insert(seat, Net::under(seat));
            }
        }
        if self.on_disks() {
            for seat in 1..=count {
                let disk = FuseDisk::mount(&folder.path().join(format!("disk-{seat}")))?;
                setup.data.insert(seat, disk.folder().to_owned());
                disks.insert(seat, disk);
            }
        }
        match self {
            Self::FewDescriptors => {
                // The last one, so that there is a leader among the others.
                let under = ["prlimit", "--nofile=64:64"].map(str::to_owned).to_vec();
                setup.under.insert(3, under);
            }
            Self::Clocks => setup.env = clocks::env(tools, folder.path())?,
            _ => {}
        }
        let cluster = Cluster::start(setup).await?;
        let (teams, many, behind) = (0, None, None);
        Ok(World { cluster, disks, lines, net, teams, many, behind, folder })
    }
}

impl World {
    pub(crate) fn disk(&self, id: u64) -> Res<&FuseDisk> {
        let disk = self.disks.get(&self.cluster.seat(id));
        disk.ok_or_else(|| format!("node {id} has no disk of ours"))
    }

    pub(crate) fn net(&self) -> Res<&Net> {
        self.net.as_ref().ok_or_else(|| "no network of ours".to_owned())
    }

    pub(crate) fn lines(&self) -> Res<&Lines> {
        self.lines.as_ref().ok_or_else(|| "no lines of ours".to_owned())
    }

    /// The power of a node goes, together with what was not synced.
    pub(crate) fn cut_power(&mut self, id: u64) -> Res<()> {
        if self.cluster.is_running(id) {
            self.cluster.strike_down(id)?;
        }
        // Whoever waits for the disk could not end.
        self.disk(id)?.stall_syncs(false);
        self.disk(id)?.lose_power();
        self.cluster.kill(id);
        self.disk(id)?.cut_power(rand::random());
        Ok(())
    }

    /// A node, alone in the network from now on, but for its clients.
    pub(crate) fn cut_off(&self, id: u64) -> Res<()> {
        let seat = self.cluster.seat(id);
        let others: Vec<u64> = (1..self.cluster.next_seat()).filter(|it| *it != seat).collect();
        self.net()?.filter(seat, &Filter::default().cut_from(&others))
    }

    /// Has a node lead.
    pub(crate) async fn have_lead(&self, id: u64) -> Res<()> {
        let command = ["cluster", "transfer", "--to", &id.to_string()];
        self.cluster.operator(&self.cluster.ids()).types(&command).await.map(drop)
    }

    fn joins(said: &crate::cluster::Said) -> Res<Joins> {
        let after = said.beside.split_once("--members ");
        let members = after.and_then(|(_, rest)| rest.split_whitespace().next());
        let members = members.ok_or_else(|| format!("whom to ask? {}", said.beside))?.to_owned();
        Ok(Joins { token: said.out.clone(), members })
    }

    /// Types `turnwise cluster add` or `replace`, and starts a node as that says. Returns what to call it
    /// until it is admitted.
    pub(crate) async fn admit(&mut self, by: &Operator, command: &[&str]) -> Res<u64> {
        let said = by.types(command).await?;
        let seat = self.cluster.next_seat();
        if let Some(net) = &mut self.net {
            net.add()?;
            self.cluster.setup.address.insert(seat, net::address(seat));
            self.cluster.setup.under.insert(seat, Net::under(seat));
        }
        self.cluster.join(Self::joins(&said)?)
    }

    /// Another node in the place of one that is down, as an operator does it. Returns its id.
    pub(crate) async fn replace(&mut self, dead: u64) -> Res<u64> {
        let mut ids = self.cluster.others(dead);
        let by = self.cluster.operator(&ids);
        let new = self.admit(&by, &["cluster", "replace", &dead.to_string()]).await?;
        self.cluster.put_aside(dead);
        let new = self.cluster.admitted(new).await?;
        ids.push(new);
        self.cluster.voters(&ids).await?;
        self.cluster.ready(&[new]).await?;
        Ok(new)
    }
}
