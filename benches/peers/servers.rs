//! The peers' processes: three of each, with fsync on, on ports and in a folder of the caller's.
//!
//! They are started as children, waited for until they replicate, and ended by their handles only: a dropped
//! [`Servers`] leaves none behind. Neither does a run that is killed: the kernel then ends the children, for
//! `setpriv --pdeathsig` has asked it to. That holds for the thread that starts them, so it has to be one that
//! lives as long as the run, such as the main one.
//!
//! All of this blocks, and panics with the end of a log if a server does not start.

use std::{
    fs::{self, File, Permissions},
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, geteuid, kill_process};

const POLL: Duration = Duration::from_millis(20);
/// A minute: a slow disk may need it to make a database.
const POLLS_MAX: usize = 3_000;
/// How much of a log is shown of a server that did not start.
const LOG_SHOWN_MAX: usize = 2_000;
/// How long each try to ask a server takes at the most.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);

/// A program, to be named by the first argument, that gets this signal where the process that started it is killed.
pub(crate) fn ended_with_us(signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]);
    command
}

/// What each says of its version.
pub(crate) fn versions() -> serde_json::Value {
    let said = |program: &Path| {
        let output = Command::new(program).arg("--version").output();
        let output = output.unwrap_or_else(|why| panic!("{}: {why}", program.display()));
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
    };
    serde_json::json!({
        "etcd": said(Path::new("etcd")),
        "postgres": said(&postgres_bin().join("postgres")),
        "redis": said(Path::new("redis-server")),
        "turnwise": env!("CARGO_PKG_VERSION"),
    })
}

/// One process.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    child: Child,
    log: PathBuf,
    /// The signal that ends it at once and in order.
    end: Signal,
}

/// The three of a peer.
#[derive(Debug)]
pub(crate) struct Servers {
    // The last one is ended last: that is whom the others follow.
    servers: Vec<Server>,
    /// Where clients are served. The first one is PostgreSQL's or Redis' primary; which one of etcd's leads, is
    /// to be asked.
    pub(crate) addresses: Vec<String>,
}

impl Server {
    /// Starts a program with its log in `<name>.log` of the folder.
    fn start(folder: &Path, name: &str, end: Signal, words: &[String]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let out = File::create(&log).unwrap();
        let mut command = ended_with_us(if end == Signal::QUIT { "QUIT" } else { "TERM" });
        command.args(words).current_dir(folder).env_clear().env("PATH", path());
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        let child = command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}"));
        Self { name: name.to_owned(), child, log, end }
    }

    /// Its process, for instance to pause it.
    pub(crate) fn pid(&self) -> Pid {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap()
    }

    /// Waits until the condition holds.
    fn wait_until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        for _ in 0..POLLS_MAX {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended with {status}. {}", self.name, self.end_of_log());
            }
            if holds() {
                return;
            }
            thread::sleep(POLL);
        }
        panic!("{} is not {what} after a minute. {}", self.name, self.end_of_log());
    }

    fn end_of_log(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let shown = &log[log.len().saturating_sub(LOG_SHOWN_MAX)..];
        format!("Its log ends with:\n{}", String::from_utf8_lossy(shown))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself takes no signals.
        for signal in [Signal::CONT, self.end] {
            let _ended = kill_process(self.pid(), signal);
        }
        for _ in 0..POLLS_MAX / 10 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(POLL);
        }
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Servers {
    /// The processes, in the order of `addresses`.
    pub(crate) fn list(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().rev()
    }

    fn new(mut servers: Vec<Server>, ports: impl IntoIterator<Item = u16>) -> Self {
        servers.reverse();
        let addresses = ports.into_iter().map(|port| format!("127.0.0.1:{port}")).collect();
        Self { servers, addresses }
    }

    /// Three members of an etcd cluster. The first three ports are for clients, the others for members.
    pub(crate) fn etcd(folder: &Path, ports: [u16; 6]) -> Self {
        let (clients, peers) = ports.split_at(3);
        let members: Vec<_> =
            peers.iter().map(|port| format!("etcd-{port}=http://127.0.0.1:{port}")).collect();
        let start = |(client, peer): (&u16, &u16)| {
            let name = format!("etcd-{peer}");
            let file = folder.join(format!("{name}.yaml"));
            let ours = format!(
                "name: {name}\n\
                 data-dir: {data}\n\
                 initial-cluster: {members}\n\
                 initial-advertise-peer-urls: http://127.0.0.1:{peer}\n\
                 listen-peer-urls: http://127.0.0.1:{peer}\n\
                 advertise-client-urls: http://127.0.0.1:{client}\n\
                 listen-client-urls: http://127.0.0.1:{client}\n",
                data = folder.join(&name).display(),
                members = members.join(","),
            );
            fs::write(&file, [include_str!("etcd.yaml"), &ours].concat()).unwrap();
            // Memory is there: a garbage collection for every four times as much, not twice, saves some work.
            let words = ["env", "GOGC=400", "etcd", "--config-file", &text(&file)];
            Server::start(folder, &name, Signal::TERM, &words.map(str::to_owned))
        };
        let mut servers: Vec<_> = clients.iter().zip(peers).map(start).collect();
        for (server, port) in servers.iter_mut().zip(clients) {
            // Healthy is who knows a leader and gets a read through it.
            let request = "GET /health HTTP/1.0\r\n\r\n";
            server.wait_until("healthy", || ask(*port, request).contains(r#""health":"true""#));
        }
        Self::new(servers, clients.iter().copied())
    }

    /// A primary and the standbys `a` and `b`. As root, they run as the user `postgres`: they refuse to be root.
    pub(crate) fn postgres(folder: &Path, ports: [u16; 3]) -> Self {
        let [port, ..] = ports;
        let bin = postgres_bin();
        let program = |name: &str| text(&bin.join(name));
        let other_user = geteuid().is_root();
        if other_user {
            // That user's way to its directories.
            fs::set_permissions(folder, Permissions::from_mode(0o711)).unwrap();
        }
        let as_user = || -> Vec<String> {
            let words = ["--reuid=postgres", "--regid=postgres", "--init-groups"];
            words.iter().filter(|_| other_user).map(|word| (*word).to_owned()).collect()
        };
        let run = |words: &[&str]| {
            let mut command = Command::new("setpriv");
            command.args(as_user()).args(["--no-new-privs"]).args(words);
            command.current_dir(folder).env_clear().env("PATH", path());
            let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{command:?}: {errors}");
        };
        let data = |name: &str| folder.join(format!("postgres-{name}"));
        let (primary, a, b) = (text(&data("primary")), text(&data("a")), text(&data("b")));
        for directory in [&primary, &a, &b] {
            fs::create_dir(directory).unwrap();
            fs::set_permissions(directory, Permissions::from_mode(0o700)).unwrap();
            if other_user {
                let status = Command::new("chown").args(["postgres:", directory]).status();
                assert!(status.unwrap().success(), "chown postgres: {directory}");
            }
        }
        // Everybody on this machine may connect, and all of it is thrown away. Bytewise order of text is the
        // cheapest one.
        let (initdb, trust) = (program("initdb"), "--auth=trust");
        run(&[&initdb, "-D", &primary, "-U", "turnwise", trust, "-E", "UTF8", "--locale=C"]);
        fs::write(Path::new(&primary).join("postgresql.conf"), include_str!("postgresql.conf"))
            .unwrap();
        // A copy of a database that is not running is all that a standby needs to begin with.
        for standby in [&a, &b] {
            run(&["cp", "-a", &format!("{primary}/."), standby]);
            run(&["touch", &format!("{standby}/standby.signal")]);
        }
        let start = |name: &str, own: u16| {
            let follow =
                format!("host=127.0.0.1 port={port} user=turnwise application_name={name}");
            let mut words = as_user();
            words.extend([program("postgres"), "-D".to_owned(), text(&data(name))]);
            words.extend(["-p".to_owned(), own.to_string()]);
            words.extend(["-c".to_owned(), format!("primary_conninfo={follow}")]);
            Server::start(folder, &format!("postgres-{name}"), Signal::QUIT, &words)
        };
        let names = ["primary", "a", "b"];
        let mut servers: Vec<_> =
            names.iter().zip(ports).map(|(name, own)| start(name, own)).collect();
        let psql = program("psql");
        servers[0].wait_until("followed by two standbys", || {
            let question = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
            let mut command = Command::new(&psql);
            command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "turnwise"]);
            command.args(["-d", "postgres", "-X", "-A", "-t", "-c", question]);
            // Somebody else may be on that port, and say nothing.
            command.env_clear().env("PATH", path()).env("PGCONNECT_TIMEOUT", "2");
            let output = command.output().unwrap();
            output.stdout.trim_ascii() == b"2"
        });
        Self::new(servers, ports)
    }

    /// A primary and two replicas.
    pub(crate) fn redis(folder: &Path, ports: [u16; 3]) -> Self {
        let [primary, ..] = ports;
        let file = folder.join("redis.conf");
        fs::write(&file, include_str!("redis.conf")).unwrap();
        let start = |port: u16| {
            let name = format!("redis-{port}");
            let data = folder.join(&name);
            fs::create_dir(&data).unwrap();
            let mut words = vec!["redis-server".to_owned(), text(&file)];
            words.extend(["--port".to_owned(), port.to_string(), "--dir".to_owned(), text(&data)]);
            if port != primary {
                words.extend(["--replicaof".to_owned(), format!("127.0.0.1 {primary}")]);
            }
            Server::start(folder, &name, Signal::TERM, &words)
        };
        let mut servers: Vec<_> = ports.into_iter().map(start).collect();
        servers[0].wait_until("followed by two replicas", || {
            let said = ask(primary, "INFO replication\r\nQUIT\r\n");
            said.matches("state=online").count() == 2
        });
        Self::new(servers, ports)
    }
}

/// What a server answers to a request in plain text before it closes the connection; nothing if it is not
/// there yet.
fn ask(port: u16, request: &str) -> String {
    let mut answer = Vec::new();
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(ASK_TIMEOUT))?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_end(&mut answer)
    });
    drop(asked);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Where Debian puts the programs of the newest PostgreSQL that is installed.
fn postgres_bin() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let programs = versions
        .filter_map(|entry| Some((version(&entry)?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("postgres").exists());
    programs.max().expect("PostgreSQL's server is installed, see benches/peers/run").1
}

fn path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}
