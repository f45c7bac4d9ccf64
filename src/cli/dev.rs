//! `turnwise dev`: a cluster on this machine, kept up for playing with.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use super::{
    Context,
    failure::Failure,
    output::Format,
    processes::{Ports, Processes, address, interrupted},
};
use crate::config::ClusterId;

#[derive(clap::Args)]
#[command(after_help = "\
Node i serves clients on client-port + 10·(i − 1), peers on the next port, admin (metrics) on the one \
after. Ctrl-C stops all. With --data, the same command goes on later where it stopped.

Example: turnwise dev --data ~/turnwise-dev")]
pub(super) struct Arguments {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: u16,
    /// Keep the data here [default: a temporary folder, removed at the end]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Port of node 1 for clients; 0 takes free ports for all
    #[arg(long, default_value_t = 7400)]
    client_port: u16,
}

pub(super) async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    tokio::select! {
        ended = Box::pin(keep_up(context, arguments)) => ended,
        // To stop it is how it is meant to end.
        () = interrupted() => Ok(()),
    }
}

async fn keep_up(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { nodes, data, client_port } = arguments;
    let cannot = |error: std::io::Error| Failure::failed(format!("cannot keep data: {error}"));
    // Declared before the processes, so that it goes after them.
    let temporary;
    let folder = match data {
        Some(folder) => folder.as_path(),
        None => {
            temporary = tempfile::tempdir().map_err(cannot)?;
            temporary.path()
        }
    };
    std::fs::create_dir_all(folder).map_err(cannot)?;
    let folder = folder.canonicalize().map_err(cannot)?;
    let cluster_id = identity(&folder, *nodes)?;
    let ports = if *client_port == 0 { Ports::Free } else { Ports::From(*client_port) };
    let mut processes = Processes::start(&folder, cluster_id, *nodes, ports).await?;
    show(context, cluster_id, &folder, data.is_some(), &processes)?;
    loop {
        if let Some((id, status)) = processes.ended() {
            let log = processes.log_of(id);
            drop(writeln!(
                std::io::stderr().lock(),
                "node {id} ended ({status}); the others go on. Its log: {}",
                log.display()
            ));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The cluster's id, and that the folder is not of a cluster of another size; kept in the folder.
fn identity(folder: &Path, nodes: u16) -> Result<ClusterId, Failure> {
    let file = folder.join("dev.toml");
    let shown = file.display().to_string();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = ClusterId::random();
            let text =
                format!("# Written by `turnwise dev`.\ncluster_id = \"{id}\"\nnodes = {nodes}\n");
            std::fs::write(&file, text)
                .map_err(|error| Failure::failed(format!("cannot write {shown}: {error}")))?;
            return Ok(id);
        }
        Err(error) => return Err(Failure::failed(format!("cannot read {shown}: {error}"))),
    };
    let table: Option<toml::Table> = text.parse().ok();
    let value = |key| table.as_ref().and_then(|table| table.get(key));
    let id = value("cluster_id").and_then(toml::Value::as_str).and_then(|id| id.parse().ok());
    let before = value("nodes").and_then(toml::Value::as_integer);
    match (id, before) {
        (Some(id), Some(before)) if before == i64::from(nodes) => Ok(id),
        (Some(_), Some(before)) => Err(Failure::usage(format!("{shown} has {before} nodes"))
            .advise(format!("--nodes {before}, or another folder"))),
        (_, _) => Err(Failure::failed(format!("{shown} is not what `turnwise dev` wrote"))
            .advise("give another folder with --data")),
    }
}

fn show(
    context: &Context,
    cluster_id: ClusterId,
    folder: &Path,
    kept: bool,
    processes: &Processes,
) -> Result<(), Failure> {
    if context.output.format != Format::Table {
        let rows: Vec<Vec<Value>> = processes
            .nodes()
            .iter()
            .map(|node| {
                let data = processes.data_of(node.id).display().to_string();
                let log = processes.log_of(node.id).display().to_string();
                let ports = [node.client_port, node.peer_port, node.admin_port];
                let [client, peer, admin] = ports.map(|port| Value::from(address(port)));
                let pid = processes.pid_of(node.id).map_or(Value::Null, Value::from);
                vec![node.id.into(), client, peer, admin, pid, data.into(), log.into()]
            })
            .collect();
        return context.output.list(COLUMNS, &rows);
    }
    let mut lines = vec![
        format!(
            "Turnwise {}: {} nodes, not for production",
            crate_version(),
            processes.nodes().len()
        ),
        format!("cluster {cluster_id}"),
        String::new(),
    ];
    for node in processes.nodes() {
        let [client, peer, admin] =
            [node.client_port, node.peer_port, node.admin_port].map(address);
        lines.push(format!("node {}   clients {client}   peers {peer}", node.id));
        lines.push(format!("         metrics http://{admin}/metrics"));
    }
    lines.push(String::new());
    let fate = if kept { "kept" } else { "removed at the end; --data DIR keeps it" };
    lines.push(format!("data and logs: {} ({fate})", folder.display()));
    let boxed = framed(&lines);
    let commands = commands(&processes.endpoints());
    context
        .output
        .line(&format!("{boxed}\nTry in another terminal:\n\n{commands}\n\nCtrl-C stops all."))
}

const COLUMNS: &[&str] =
    &["node", "client_address", "peer_address", "admin_address", "pid", "data", "log"];

/// Commands that work as they stand, in this order.
fn commands(endpoints: &[String]) -> String {
    let turnwise = std::env::current_exe()
        .map_or_else(|_| "turnwise".to_owned(), |path| path.display().to_string());
    let sample = [
        "team create sales",
        "rep create ana --team sales --name Ana --email ana@example.com",
        "rep create bo --team sales --name Bo",
        "campaign create spring --team sales --owner contact,lead,account --group default --launch",
        "assign c-1 --team sales --campaign spring",
        "assign c-2 --team sales --campaign spring --owner lead=ana@example.com",
        "rep out-of-office ana --team sales --until +2h --note lunch",
        "group rotation default --team sales --campaign spring",
        "cluster status",
    ];
    let export = format!("export TURNWISE_ENDPOINTS={}", endpoints.join(","));
    let sample = sample.iter().map(|arguments| format!("{turnwise} {arguments}"));
    std::iter::once(export).chain(sample).collect::<Vec<_>>().join("\n")
}

fn framed(lines: &[String]) -> String {
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    let rule = "─".repeat(width + 2);
    let body: String = lines.iter().map(|line| format!("│ {line:<width$} │\n")).collect();
    format!("┌{rule}┐\n{body}└{rule}┘\n")
}

fn crate_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[cfg(test)]
mod tests {
    use super::{commands, framed, identity};

    #[test]
    fn a_folder_keeps_its_cluster_and_its_number_of_nodes() {
        let folder = tempfile::tempdir().unwrap();
        let first = identity(folder.path(), 3).unwrap();
        assert_eq!(identity(folder.path(), 3).unwrap(), first);
        assert!(identity(folder.path(), 5).is_err());
        std::fs::write(folder.path().join("dev.toml"), "nodes = 3").unwrap();
        assert!(identity(folder.path(), 3).is_err());
    }

    #[test]
    fn the_frame_is_as_wide_as_its_longest_line() {
        let frame = framed(&["a".to_owned(), "längere".to_owned()]);
        let widths: Vec<usize> = frame.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths, [11; 4]);
    }

    #[test]
    fn every_sample_command_is_one_that_exists() {
        use clap::Parser as _;
        let text = commands(&["127.0.0.1:7400".to_owned()]);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("export TURNWISE_ENDPOINTS=127.0.0.1:7400"));
        for line in lines {
            assert!(crate::cli::Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }
}
