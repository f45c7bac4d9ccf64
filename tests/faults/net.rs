//! Network namespaces: one for each node, on a bridge that the clients are on too, and packet filters
//! in them.
//!
//! Links of any length come from [`Lines`](crate::lines), through which packet filters lead the nodes'
//! connections: the kernel here delays nothing.
//!
//! All of it lies in a network and a mount namespace of the suite's own (see `main`), so nothing of it
//! is ever seen outside, and it is gone when the suite is.

use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
};

use crate::{cluster::Res, ports::PEER_PORT};

/// The namespaces of one cluster, by seat, which for founders is the node id.
pub(crate) struct Net {
    count: u64,
    /// Where connections to a node's peer port are led in its place, by node.
    detours: Vec<(u64, SocketAddr)>,
}

/// The most nodes that one network has addresses for.
pub(crate) const SEATS_MAX: u64 = 250;

/// Where the suite itself is.
pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// Where a node is.
pub(crate) fn address(node: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 77, 0, u8::try_from(node).unwrap_or(0)))
}

/// What a node's packets must pass, in the words of nft.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) input: Vec<String>,
    pub(crate) output: Vec<String>,
}

impl Filter {
    /// Nothing comes from these nodes.
    pub(crate) fn deaf_to(mut self, nodes: &[u64]) -> Self {
        self.input.extend(nodes.iter().map(|node| format!("ip saddr {} drop", address(*node))));
        self
    }

    /// Nothing goes to these nodes.
    pub(crate) fn mute_to(mut self, nodes: &[u64]) -> Self {
        self.output.extend(nodes.iter().map(|node| format!("ip daddr {} drop", address(*node))));
        self
    }

    /// Neither.
    pub(crate) fn cut_from(self, nodes: &[u64]) -> Self {
        self.deaf_to(nodes).mute_to(nodes)
    }
}

fn run(words: &str) -> Res<()> {
    let mut parts = words.split_whitespace();
    let program = parts.next().ok_or("no program")?;
    let output = Command::new(program)
        .args(parts)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{program}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{words}`: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

impl Net {
    /// Namespaces for the nodes from 1 on.
    pub(crate) fn new(count: u64) -> Res<Self> {
        run("ip link add bridge0 type bridge")?;
        let mut net = Self { count: 0, detours: Vec::new() };
        run("ip link set bridge0 up")?;
        run(&format!("ip addr add {OUTSIDE}/24 dev bridge0"))?;
        while net.count < count {
            net.add()?;
        }
        Ok(net)
    }

    /// One more, for the next node.
    pub(crate) fn add(&mut self) -> Res<()> {
        let node = self.count + 1;
        if node > SEATS_MAX {
            return Err(format!("a network of ours has {SEATS_MAX} addresses"));
        }
        self.count = node;
        run(&format!("ip netns add node{node}"))?;
        run(&format!("ip link add out{node} type veth peer name in{node}"))?;
        run(&format!("ip link set in{node} netns node{node}"))?;
        run(&format!("ip link set out{node} master bridge0"))?;
        run(&format!("ip link set out{node} up"))?;
        run(&format!("ip -n node{node} addr add {}/24 dev in{node}", address(node)))?;
        run(&format!("ip -n node{node} link set in{node} up"))?;
        run(&format!("ip -n node{node} link set lo up"))?;
        Ok(())
    }

    /// From now on connections of nodes to a node's peer port end there. Those that stand go on as they are.
    pub(crate) fn lead(&mut self, detours: Vec<(u64, SocketAddr)>) -> Res<()> {
        self.detours = detours;
        self.heal()
    }

    /// What runs a node in its namespace.
    pub(crate) fn under(node: u64) -> Vec<String> {
        ["ip", "netns", "exec", &format!("node{node}")].map(str::to_owned).to_vec()
    }

    /// From now on a node's packets pass this filter only.
    pub(crate) fn filter(&self, node: u64, filter: &Filter) -> Res<()> {
        let chain = |name: &str, rules: &[String]| {
            format!(
                "chain {name} {{\ntype filter hook {name} priority 0;\n{}\n}}\n",
                rules.join("\n")
            )
        };
        let lead = |(other, to): &(u64, SocketAddr)| {
            format!("ip daddr {} tcp dport {PEER_PORT} dnat to {to}\n", address(*other))
        };
        let others = self.detours.iter().filter(|(other, _)| *other != node);
        let leads: String = others.map(lead).collect();
        let leads = match leads.is_empty() {
            true => leads,
            false => format!(
                "table ip lines {{\nchain output {{\ntype nat hook output priority -100\n{leads}}}\n}}\n"
            ),
        };
        let rules = format!(
            "flush ruleset\n{leads}table inet faults {{\n{}{}}}\n",
            chain("input", &filter.input),
            chain("output", &filter.output)
        );
        let mut child = Command::new("ip")
            .args(["netns", "exec", &format!("node{node}"), "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`nft`: {error}"))?;
        if let Some(stdin) = &mut child.stdin {
            stdin.write_all(rules.as_bytes()).map_err(|error| error.to_string())?;
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("nft: {} for {rules}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Nothing can send to or hear from these nodes faster than this, in kbit/s; `None` = as usual.
    pub(crate) fn slow(&self, node: u64, kbit: Option<u64>) -> Res<()> {
        let device = format!("tc -n node{node} qdisc");
        match kbit {
            Some(kbit) => run(&format!(
                "{device} add dev in{node} root tbf rate {kbit}kbit burst 4kb latency 400ms"
            )),
            None => run(&format!("{device} del dev in{node} root")),
        }
    }

    /// All links are well again.
    pub(crate) fn heal(&self) -> Res<()> {
        (1..=self.count).try_for_each(|node| self.filter(node, &Filter::default()))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // For the next row's cluster. What can't be removed makes that one say so.
        for node in 1..=self.count {
            // By itself a link goes with its namespace, which lives on while a connection that nobody has any more
            // tries to end in good order: for minutes, if what it would reach is gone.
            run(&format!("ip link del out{node}")).unwrap_or_default();
            run(&format!("ip netns del node{node}")).unwrap_or_default();
        }
        run("ip link del bridge0").unwrap_or_default();
    }
}
