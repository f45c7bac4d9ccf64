//! Durable assigns per second beside a bare tonic echo, in one run: `cargo bench --bench throughput`.
//!
//! Starts three nodes as child processes (`turnwise dev`, fsync on) and one echo server as a child of
//! its own. The echo answers `AssignContact` with a fixed response of a real one's size, and does
//! nothing else. The same client drives both: unary calls with 1 and 64 in flight over 4 connections,
//! and one `AssignContacts` stream per connection with 1,024 in flight. Rounds are interleaved; medians
//! and their ratios are printed. Everything shares this machine's cores, the client too: read the ratios.
//!
//! `TURNWISE_BENCH_SECONDS` (2 by default) is the length of one measurement, `TURNWISE_BENCH_ROUNDS` (3)
//! how many there are of each.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::as_conversions,
    reason = "a benchmark: it measures, prints, and fails by a panic"
)]

mod echo;
mod load;

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use turnwise::proto::turnwise::v1 as pb;

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // `dev` ends its nodes when its stdin or itself ends; a signal lets it do so in order. Not SIGINT, which a
        // shell lets its background commands, and so their children, ignore.
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap();
    }
}

fn number(key: &str, default: u64) -> u64 {
    env::var(key).ok().map_or(default, |text| text.parse().unwrap())
}

fn main() {
    if env::args().nth(1).as_deref() == Some("--echo") {
        return echo::serve();
    }
    let seconds = Duration::from_secs(number("TURNWISE_BENCH_SECONDS", 2));
    let rounds = number("TURNWISE_BENCH_ROUNDS", 3);
    let (_echo, echo) = start_echo();
    let (_dev, nodes) = start_dev();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let leader = runtime.block_on(load::set_up(&nodes));

    let shapes = [
        ("unary, 1 in flight", load::Shape::Unary { in_flight: 1 }),
        ("unary, 64 in flight", load::Shape::Unary { in_flight: 64 }),
        ("stream, 1024 in flight", load::Shape::Stream { in_flight: 1_024 }),
    ];
    println!(
        "{:<24} {:>12} {:>12} {:>8}   {rounds} rounds of {seconds:?}",
        "", "echo/s", "assigns/s", "ratio"
    );
    let mut medians = Vec::new();
    for (name, shape) in shapes {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (rates, address) in rates.iter_mut().zip([&echo, &leader]) {
                rates.push(runtime.block_on(load::run(address, shape, seconds)));
            }
        }
        let [echo, assigns] = rates.map(median);
        println!("{name:<24} {echo:>12.0} {assigns:>12.0} {:>8.2}", assigns / echo);
        medians.push(assigns);
    }
    println!("streamed over unary at 64: {:.1}", medians[2] / medians[1]);
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn start_echo() -> (Ended, String) {
    let mut child = Command::new(env::current_exe().unwrap())
        .arg("--echo")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Ended(child), line.trim().to_owned())
}

fn start_dev() -> (Ended, Vec<String>) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new(env!("CARGO_BIN_EXE_turnwise"))
        .args(["dev", "--output", "json", "--client-port", &port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut text = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        text.push_str(&line);
        if line == "]" {
            break;
        }
    }
    let nodes: serde_json::Value = serde_json::from_str(&text).expect("three nodes are up");
    let addresses = nodes.as_array().unwrap().iter();
    let addresses = addresses.map(|node| node["client_address"].as_str().unwrap().to_owned());
    (Ended(child), addresses.collect())
}

/// A request as a backend would send it.
fn request(contact: u64) -> pb::AssignContactRequest {
    pb::AssignContactRequest {
        parent: "teams/bench".to_owned(),
        contact: format!("contact-{contact:016x}"),
        via: Some(pb::assign_contact_request::Via::Campaign(
            "teams/bench/campaigns/spring".to_owned(),
        )),
        request_id: format!("{:032x}", u128::from(contact) | 1 << 100),
        ..pb::AssignContactRequest::default()
    }
}
