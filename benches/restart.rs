//! What a restart costs: loading a snapshot of N assignments, and replaying N commands of the log's tail;
//! what an assignment takes in memory after each, in the snapshot, and in the log; for how long a snapshot that
//! is taken and written keeps the log's next entries from being applied; and how many bytes a log on the disk grows by.
//!
//! `TURNWISE_ASSIGNMENTS` is N (200,000 where it is not set), `TURNWISE_RUNS` how often each is done. With
//! `TURNWISE_CLOSED=1` each assignment is closed by a request of its own, whose answer is remembered too; with
//! `TURNWISE_BATCHES=1` they are made by batches. Every run has a process of its own, as a restart has; the table
//! shows medians. To load and to replay, the bytes are given: no disk.

#![expect(clippy::unwrap_used, reason = "a benchmark fails loudly")]
#![expect(clippy::print_stdout, reason = "the table is its output")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    env, fs,
    io::{BufWriter, Read},
    ops::Range,
    path::Path,
    process::{Command as Process, Stdio},
    str::FromStr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use prost::Message as _;
use turnwise::{
    codec,
    consensus::{
        Entry, EntryKind, HardState, Incarnation, NodeId, StateMachine,
        log::{Batch, Identity, Log, LogConfig, RealDisk},
    },
    image,
    proto::turnwise::log,
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
        (Some("--go-on"), Some(file)) => go_on(n, Path::new(&file)),
        _ => table(n, number("TURNWISE_RUNS", 3)),
    }
}

/// Does each in processes of their own, one after the other in turn, and prints the medians.
fn table(n: u64, runs: u64) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image");
    let (mut replays, mut loads, mut snapshots) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        replays.push(run("--replay", &file));
        loads.push(run("--load", &file));
        snapshots.push(run("--go-on", &file));
    }
    let size = fs::metadata(&file).unwrap().len();
    println!("{n} assignments, medians of {runs} runs");
    let restart = ["ms", "bytes of memory each", "ms to save", "bytes in the log each"].as_slice();
    let stall = [
        "us for an entry of 64 commands, mostly",
        "us for the longest of them",
        "us to take a snapshot",
        "us for the next entry after that",
        "us for the longest while it is written",
        "ms to write it",
    ]
    .as_slice();
    let all = [("replay", replays, restart), ("load", loads, restart), ("go on", snapshots, stall)];
    for (what, rows, columns) in all {
        for (place, column) in columns.iter().enumerate() {
            let mut values: Vec<u64> =
                rows.iter().filter_map(|row| row.get(place).copied()).collect();
            values.sort_unstable();
            if let Some(median) = values.get(values.len() / 2) {
                println!("{what:<8} {median:>8} {column}");
            }
        }
    }
    println!("snapshot {:>8} bytes each", size / n);
    for commands in [1, 16, 64] {
        let each = logged(commands, folder.path());
        println!("log      {each:>8} bytes on the disk each, {commands} commands in an entry");
    }
}

/// Entries of the log whose bytes are counted.
const LOGGED: usize = 1_000;

/// By how many bytes a command makes a log on the disk longer, with so many in an entry and a sync for each.
fn logged(commands: usize, folder: &Path) -> u64 {
    let disk = RealDisk::open(folder.join(format!("log-{commands}"))).unwrap();
    let incarnation = Incarnation(1);
    let identity = Identity { cluster_id: 1, node_id: NodeId(1), incarnation, group_id: 1 };
    let mut log = Log::create(Arc::new(disk), identity, LogConfig::default(), (0, 0)).unwrap();
    let before = log.size_bytes();
    let all: Vec<Bytes> = assigns(0..u64::try_from(LOGGED * commands).unwrap()).flatten().collect();
    for (index, commands) in (1..).zip(all.chunks(commands)) {
        let (stamp_us, commands) = (1_790_000_000_000_000 + index, commands.to_vec());
        let batch = log::v1::Batch { stamp_us, commands, ..log::v1::Batch::default() };
        let data = batch.encode_to_vec().into();
        let entry = Entry { index, term: 1, kind: EntryKind::Normal, data };
        let hard_state = Some(HardState { term: 1, vote: 1, commit: index - 1 });
        log.write(&Batch { hard_state, entries: &[entry], reset: None, sync: true }).unwrap();
    }
    (log.size_bytes() - before) / u64::try_from(all.len()).unwrap()
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
    let bytes: usize = entries.iter().flatten().map(Bytes::len).sum();
    let each = u64::try_from(bytes).unwrap() / n;
    println!("{} {} {} {each}", elapsed.as_millis(), taken / n, saved.as_millis());
}

/// Entries that are applied before a snapshot is taken.
const GOING_ON: usize = 1_000;

/// Loads the image, and goes on with the log: first as ever, then while a snapshot is written by another thread.
fn go_on(n: u64, file: &Path) {
    let (mut state, _) = image::load(&fs::read(file).unwrap()).unwrap();
    let first = n + n / COMMANDS + 2;
    let mut entries = assigns(n..u64::MAX);
    let mut index = first..;
    // Their bytes are made between them.
    let mut apply = |state: &mut State| {
        let commands = &entries.next().unwrap();
        let (index, mut events) = (index.next().unwrap(), Vec::new());
        let start = Instant::now();
        let applied = StateMachine::apply(state, index, 1, index * 1_000, commands, &mut events);
        let elapsed = start.elapsed();
        assert!(applied.unwrap().iter().all(Result::is_ok), "a command is refused");
        elapsed
    };
    let mut times: Vec<_> = (0..GOING_ON).map(|_| apply(&mut state)).collect();
    times.sort_unstable();
    let start = Instant::now();
    let snapshot = StateMachine::image(&state);
    let taken = start.elapsed();
    let out = file.with_extension("next");
    let writer = thread::spawn(move || {
        let start = Instant::now();
        let mut out = BufWriter::new(fs::File::create(out).unwrap());
        image::save(&snapshot, &mut out).unwrap();
        start.elapsed()
    });
    let (mut next, mut longest) = (None, Duration::ZERO);
    while next.is_none() || !writer.is_finished() {
        let elapsed = apply(&mut state);
        (next, longest) = (next.or(Some(elapsed)), longest.max(elapsed));
        // Some 40,000 commands a second, and time for the writer on a machine with few processors.
        thread::sleep(Duration::from_millis(1));
    }
    let written = writer.join().unwrap();
    let middle = times.get(times.len() / 2).unwrap();
    let all = [*middle, *times.last().unwrap(), taken, next.unwrap(), longest];
    println!("{} {}", all.map(|it| it.as_micros().to_string()).join(" "), written.as_millis());
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
    let closed = number("TURNWISE_CLOSED", 0) > 0;
    if number("TURNWISE_BATCHES", 0) > 0 {
        let all: Vec<u64> = (0..n).collect();
        let batches = all.chunks(usize::try_from(ITEMS).unwrap()).map(|chunk| {
            let items = chunk.iter().map(|i| assign(*i)).collect();
            let request = key(scattered(*chunk.first().unwrap()), 1);
            vec![encoded(request, Operation::AssignBatch { items })]
        });
        entries.extend(batches);
        return entries;
    }
    for (i, entry) in (0..).step_by(usize::try_from(COMMANDS).unwrap()).zip(assigns(0..n)) {
        let len = u64::try_from(entry.len()).unwrap();
        entries.push(entry);
        if closed {
            let made: Vec<u64> = (i..i + len).collect();
            entries.push(closing(&made, u64::try_from(entries.len()).unwrap()));
        }
    }
    entries
}

/// Entries with these assigns.
fn assigns(all: Range<u64>) -> impl Iterator<Item = Vec<Bytes>> {
    let command = |i: u64| {
        let fingerprint = (u128::from(scattered(i)) << 64) | u128::from(i);
        let request = key(scattered(i).rotate_left(32), fingerprint);
        encoded(request, Operation::AssignContact(assign(i)))
    };
    let starts = all.clone().step_by(usize::try_from(COMMANDS).unwrap());
    starts.map(move |from| (from..all.end.min(from + COMMANDS)).map(command).collect())
}

fn assign(i: u64) -> Assign {
    let contact = ContactId::new(&format!("{:016x}", scattered(i)));
    Assign::new(contact, Via::Campaign(CampaignId::new("spring")))
}

fn key(id: u64, fingerprint: u128) -> Option<RequestKey> {
    Some(RequestKey { id: RequestId::new(&format!("{id:016x}")), fingerprint })
}

/// In no order: contacts come as they come.
fn scattered(i: u64) -> u64 {
    i.wrapping_mul(0x9e37_79b9_7f4a_7c15)
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
