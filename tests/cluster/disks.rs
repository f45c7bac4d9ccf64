//! What is acknowledged is durable: a failed fsync ends the node, and no answer goes before its fsync.

use std::{collections::BTreeMap, fs, process::Command};

use crate::{
    crowd::Crowd,
    harness::{Cluster, EXIT_FAULT, Setup, eventually, touch},
    preload,
    reference::{check_nodes, check_rotation},
    service::Team,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_fsync_fails_ends_with_a_message_and_the_others_go_on() {
    let signs = tempfile::tempdir().unwrap();
    let sign = |id: u64| signs.path().join(format!("fail-{id}"));
    let env = |id| preload::env(&[(preload::FAIL_SYNC, &sign(id))]);
    let setup = Setup {
        env: (1..=3).map(|id| (id, env(id))).collect::<BTreeMap<_, _>>(),
        ..Setup::default()
    };
    let mut cluster = Cluster::start_with(setup).await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let mut crowd = Crowd::gather(&cluster, &team, 4);
    crowd.answered(50).await;
    // First a follower, then the leader: in both cases two others are a majority.
    for leads in [false, true] {
        let victim = if leads { cluster.leader().await } else { cluster.follower().await };
        touch(&sign(victim));
        let status = cluster.exited(victim).await;
        assert_eq!(status.code(), Some(EXIT_FAULT), "{status}");
        let log = cluster.log(victim);
        let last = log.lines().last().unwrap_or_default();
        for word in ["the log can't be written", "cannot sync", "Input/output error"] {
            assert!(last.contains(word), "`{word}` is not in `{last}`");
        }
        crowd.answered(100).await;
        fs::remove_file(sign(victim)).unwrap();
        cluster.restart(victim).await;
        crowd.answered(50).await;
    }
    let answers = crowd.disperse().await;
    check_rotation(&team.ring, &answers);
    check_nodes(&cluster, &team, &answers).await;
}

/// Microseconds, as strace stamps its lines.
type Micros = u64;

/// What one process did, in order: (when it ended, the line).
struct Trace(Vec<(Micros, String)>);

impl Trace {
    /// Reads `strace -f -ttt -T`: each line is process, time of the call, the call, its duration. A
    /// call during which another thread had its turn is told in two lines; they become one, which
    /// stands where the call ended.
    fn read(text: &str) -> Self {
        let micros = |seconds: &str| -> Option<Micros> {
            let (whole, part) = seconds.split_once('.')?;
            Some(whole.parse::<Micros>().ok()? * 1_000_000 + part.parse::<Micros>().ok()?)
        };
        let mut unfinished: BTreeMap<&str, String> = BTreeMap::new();
        let mut calls = Vec::new();
        for line in text.lines() {
            let (process, rest) = line.split_once(' ').unwrap();
            let (time, call) = rest.trim_start().split_once(' ').unwrap();
            let mut end = micros(time).unwrap();
            if let Some(start) = call.strip_suffix(" <unfinished ...>") {
                unfinished.insert(process, start.to_owned());
                continue;
            }
            let mut call = call.to_owned();
            if call.starts_with("<... ") {
                // The time of such a line is that of the call's end.
                let start = unfinished.remove(process).unwrap_or_default();
                call = format!("{start} {call}");
            } else if let Some((_, took)) = call.rsplit_once(" <")
                && let Some(took) = took.strip_suffix('>').and_then(micros)
            {
                end += took;
            }
            calls.push((end, call));
        }
        Self(calls)
    }

    /// When the first fsync ended that began after `text` was written to the log, to the same file.
    fn durable(&self, text: &str) -> Option<(usize, Micros)> {
        let is_write = |call: &str| call.starts_with("pwrite64(") && call.contains(text);
        let written = self.0.iter().position(|(_, call)| is_write(call))?;
        let file = self.0[written].1.strip_prefix("pwrite64(")?.split_once(',')?.0.to_owned();
        // `fdatasync(7)`, or `fdatasync(7 <... fdatasync resumed>)`.
        let is_sync = |call: &str| {
            let synced = call.strip_prefix("fdatasync(").or_else(|| call.strip_prefix("fsync("));
            let after = synced.and_then(|synced| synced.strip_prefix(file.as_str()));
            after.is_some_and(|after| after.starts_with([')', ' ']))
        };
        let after = self.0.iter().enumerate().skip(written + 1);
        let mut synced = after.filter(|(_, (_, call))| is_sync(call) && call.contains("= 0"));
        synced.next().map(|(place, (end, _))| (place, *end))
    }

    /// When bytes with all of these texts first left through a socket.
    fn sent(&self, texts: &[&str]) -> Option<(usize, Micros)> {
        let sends = ["write(", "writev(", "sendto(", "sendmsg(", "sendmmsg("];
        let is_it = |call: &str| {
            sends.iter().any(|send| call.starts_with(send))
                && texts.iter().all(|text| call.contains(text))
        };
        let found = self.0.iter().enumerate().find(|(_, (_, call))| is_it(call));
        found.map(|(place, (end, _))| (place, *end))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledgement_leaves_before_the_fsyncs_that_cover_it_have_ended() {
    if Command::new("strace").arg("--version").output().is_err() {
        eprintln!("strace not installed: not shown here");
        return;
    }
    let calls = "trace=pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg,sendmmsg";
    // `-D`: the node is our child, and strace its, so that what ends the one ends the other.
    let strace = ["strace", "-D", "-f", "-ttt", "-T", "-s", "4096", "-e", calls, "-o", "{}"];
    let setup = Setup {
        under: strace.map(str::to_owned).to_vec(),
        // Traced processes are slow, and this is not about elections.
        flags: vec!["--tick", "100ms", "--heartbeat", "200ms", "--election", "1s"],
        ..Setup::default()
    };
    let mut cluster = Cluster::start_with(setup).await;
    let team = Team::create(&cluster.client(&cluster.ids()), "sales", 3).await;
    let leader = cluster.leader().await;
    let client = cluster.client(&[leader]);
    let contacts: Vec<String> = (0..20).map(|n| format!("proof-{n:03}-end")).collect();
    let mut answers = Vec::new();
    for contact in &contacts {
        answers.push(team.assign(&client, contact).await);
    }
    assert_eq!(cluster.leader().await, leader);
    let terms: Vec<u64> = answers.iter().map(|a| a.position.as_ref().unwrap().term).collect();
    assert!(terms.iter().all(|term| *term == terms[0]), "one leader gave all answers");
    check_nodes(&cluster, &team, &answers).await;
    for id in cluster.ids() {
        cluster.kill(id);
    }
    let mut traces = BTreeMap::new();
    for id in cluster.ids() {
        let whole = eventually(async || {
            let text = fs::read(cluster.path(&format!("node-{id}.out"))).unwrap();
            text.ends_with(b"+++ killed by SIGKILL +++\n").then_some(text)
        });
        let whole = whole.await.expect("strace ends with the process");
        traces.insert(id, Trace::read(&String::from_utf8_lossy(&whole)));
    }
    for contact in &contacts {
        let durable = |id: u64| traces[&id].durable(contact);
        // Only an answer speaks of an assignment by name: messages between nodes carry the command.
        let (place, sent) = traces[&leader].sent(&[contact, "/assignments/"]).expect("was sent");
        let (synced, _) = durable(leader).expect("the leader's own fsync");
        assert!(synced < place, "{contact}: answered before the leader's own fsync had ended");
        let durable_before =
            cluster.ids().into_iter().filter_map(durable).filter(|(_, end)| *end <= sent).count();
        assert!(durable_before >= 2, "{contact}: answered before a majority had it");
    }
}
