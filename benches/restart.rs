//! What a restart costs: loading a snapshot of N assignments, and replaying N commands of the log's tail;
//! and what an assignment takes in memory after each, and in the snapshot.
//!
//! `TURNWISE_ASSIGNMENTS` is N (200,000 where it is not set), `TURNWISE_RUNS` how often each is done. With
//! `TURNWISE_CLOSED=1` each assignment is closed by a request of its own, whose answer is remembered too; with
//! `TURNWISE_BATCHES=1` they are made by batches. Every run has a process of its own, as a restart has; the table
//! shows medians. No disk: the bytes are given.

#![expect(clippy::unwrap_used, reason = "a benchmark fails loudly")]
#![expect(clippy::print_stdout, reason = "the table is its output")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    env, fs,
    io::Read,
    path::Path,
    process::{Command as Process, Stdio},
    str::FromStr,
    time::Instant,
};

use bytes::Bytes;
use turnwise::{
    codec,
    consensus::StateMachine,
    image,
    routing::{
        Assign, AssignmentId, CampaignId, Command, ContactId, GroupId, GroupSettings, Labels,
        MemberName, MemberSpec, Operation, Principal, RepId, RepSettings, RequestId, RequestKey,
        Route, State, Target, TargetKind, TeamId, Via,
    },
};

/// Commands in an entry of the log.
const COMMANDS: u64 = 64;
/// Items in a command that is a batch, alone in its entry.
const ITEMS: u64 = 1_000;
const REPS: u64 = 100;

fn main() {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    let n = number("TURNWISE_ASSIGNMENTS", 200_000);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--replay"), Some(file)) => replay(n, Path::new(&file)),
        (Some("--load"), Some(file)) => load(n, Path::new(&file)),
        _ => table(n, number("TURNWISE_RUNS", 3)),
    }
}

/// Does each in processes of their own, one after the other in turn, and prints the medians.
fn table(n: u64, runs: u64) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image");
    let (mut replays, mut loads) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        replays.push(run("--replay", &file));
        loads.push(run("--load", &file));
    }
    let size = fs::metadata(&file).unwrap().len();
    println!("{n} assignments, medians of {runs} runs");
    for (what, rows) in [("replay", replays), ("load", loads)] {
        for (place, column) in ["ms", "bytes of memory each", "ms to save"].iter().enumerate() {
            let mut values: Vec<u64> =
                rows.iter().filter_map(|row| row.get(place).copied()).collect();
            values.sort_unstable();
            if let Some(median) = values.get(values.len() / 2) {
                println!("{what:<8} {median:>8} {column}");
            }
        }
    }
    println!("snapshot {:>8} bytes each", size / n);
}

fn run(what: &str, file: &Path) -> Vec<u64> {
    let child = Process::new(env::current_exe().unwrap())
        .args([what.as_ref(), file.as_os_str()])
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success(), "{what} failed");
    text.split_whitespace().map(|word| u64::from_str(word).unwrap()).collect()
}

/// Applies the entries of a log to the state before the first of them, and leaves an image in `file`.
fn replay(n: u64, file: &Path) {
    let entries: Vec<Vec<Bytes>> = entries(n);
    let before = memory();
    let start = Instant::now();
    let mut state = State::empty();
    for (index, commands) in (1..).zip(&entries) {
        let mut events = Vec::new();
        let time = index * 1_000;
        let replies =
            StateMachine::apply(&mut state, index, 1, time, commands, &mut events).unwrap();
        assert!(replies.iter().all(Result::is_ok), "a command is refused");
    }
    let elapsed = start.elapsed();
    let taken = memory().saturating_sub(before);
    let start = Instant::now();
    let mut body = Vec::new();
    image::save(&state, &mut body).unwrap();
    let saved = start.elapsed();
    fs::write(file, body).unwrap();
    println!("{} {} {}", elapsed.as_millis(), taken / n, saved.as_millis());
}

/// Loads the image, which must be that of the state that was saved.
fn load(n: u64, file: &Path) {
    let body = fs::read(file).unwrap();
    let before = memory();
    let start = Instant::now();
    let (state, hash) = image::load(&body).unwrap();
    let elapsed = start.elapsed();
    let taken = memory().saturating_sub(before);
    assert_eq!(hash, state.recomputed_hash(), "the hash is that of the records");
    println!("{} {}", elapsed.as_millis(), taken / n);
}

/// A team with a campaign over a group, and then so many assigns, each a contact and a request of 16 bytes.
fn entries(n: u64) -> Vec<Vec<Bytes>> {
    let rep = |i: u64| RepId::new(&format!("rep-{i:04}"));
    let (group, campaign) = (GroupId::new("west"), CampaignId::new("spring"));
    let (name, labels) = (String::new, Labels::new);
    let member =
        |i| MemberSpec { member: MemberName::Rep(rep(i)), payload: String::new(), weight: 1 };
    let members = (0..REPS).map(member).collect();
    let (display_name, settings) = (name(), GroupSettings::default());
    let mut founding =
        vec![Operation::CreateTeam { display_name: name(), labels: labels(), time_zone: name() }];
    let settings_of = RepSettings::default;
    founding
        .extend((0..REPS).map(|i| Operation::CreateRep { rep: rep(i), settings: settings_of() }));
    founding.extend([
        Operation::CreateGroup { group: group.clone(), settings, members },
        Operation::CreateCampaign {
            campaign: campaign.clone(),
            display_name,
            labels: labels(),
            route: Route::Targets(vec![Target::new(TargetKind::Group(group))]),
        },
        Operation::LaunchCampaign { campaign: campaign.clone() },
    ]);
    let mut entries =
        vec![founding.into_iter().map(|operation| encoded(None, operation)).collect()];
    let (closed, batches) = (number("TURNWISE_CLOSED", 0) > 0, number("TURNWISE_BATCHES", 0) > 0);
    let key = |id: u64, fingerprint| {
        let id = RequestId::new(&format!("{id:016x}"));
        Some(RequestKey { id, fingerprint })
    };
    // In no order: contacts come as they come.
    let scattered = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let assign = |i: &u64| {
        let contact = ContactId::new(&format!("{:016x}", scattered(*i)));
        Assign::new(contact, Via::Campaign(campaign.clone()))
    };
    let assigns: Vec<u64> = (0..n).collect();
    let len = if batches { ITEMS } else { COMMANDS };
    for chunk in assigns.chunks(usize::try_from(len).unwrap()) {
        if batches {
            let items = chunk.iter().map(assign).collect();
            let request = key(scattered(*chunk.first().unwrap()), 1);
            entries.push(vec![encoded(request, Operation::AssignBatch { items })]);
            continue;
        }
        let commands = chunk.iter().map(|i| {
            let fingerprint = (u128::from(scattered(*i)) << 64) | u128::from(*i);
            let request = key(scattered(*i).rotate_left(32), fingerprint);
            encoded(request, Operation::AssignContact(assign(i)))
        });
        entries.push(commands.collect());
        if closed {
            entries.push(closing(chunk, u64::try_from(entries.len()).unwrap()));
        }
    }
    entries
}

/// Closes what the commands of an entry made.
fn closing(made: &[u64], log_index: u64) -> Vec<Bytes> {
    let commands = (0..).zip(made).map(|(seq, i)| {
        let assignment = AssignmentId { log_index, seq, item: 0 };
        let id = RequestId::new(&format!("c{:015x}", i.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 4));
        let request = RequestKey { id, fingerprint: u128::from(*i) };
        encoded(Some(request), Operation::CloseAssignment { assignment })
    });
    commands.collect()
}

fn encoded(request: Option<RequestKey>, operation: Operation) -> Bytes {
    let (principal, team) = (Principal::default(), TeamId::new("sales"));
    codec::encode(&Command { request, principal, team, etag: None, operation })
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// What this process takes now, in bytes.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    u64::from_str(line.trim().trim_end_matches(" kB")).unwrap() * 1_024
}
