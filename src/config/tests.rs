//! What a configuration may be, and that code, flags, environment and documentation use one word.

use std::path::Path;

use clap::{Args, FromArgMatches};

use super::{
    Config, ConfigError, FILE_KEY, KEYS, LogFormat, Raw, SWITCH, ServeArgs, Source, Timing,
};
use crate::consensus::NodeId;

const CLUSTER: &str = "0123456789abcdef0123456789abcdef";

/// Flags as typed; the environment of the test process plays no part because no `TURNWISE_…` is set.
fn flags(flags: &[&str]) -> ServeArgs {
    let command = ServeArgs::augment_args(clap::Command::new("serve"));
    let matches = command.try_get_matches_from([&["serve"], flags].concat()).unwrap();
    ServeArgs::from_arg_matches(&matches).unwrap()
}

fn required() -> Vec<&'static str> {
    vec!["--node-id", "1", "--cluster-id", CLUSTER, "--data-dir", "data"]
}

fn with(more: &[&str]) -> Result<Config, ConfigError> {
    Config::resolve(&flags(&[&required(), more].concat()), None)
}

fn problem(more: &[&str]) -> String {
    with(more).unwrap_err().to_string()
}

#[test]
fn three_required_keys_and_the_defaults_make_a_node() {
    let config = with(&[]).unwrap();
    assert_eq!(config.node_id, Some(NodeId(1)));
    assert_eq!(config.cluster_id.unwrap().to_string(), CLUSTER);
    assert_eq!(config.members, [(NodeId(1), "127.0.0.1:7401".to_owned())].into());
    let tick = std::time::Duration::from_millis(30);
    assert_eq!(config.timing, Timing { tick, heartbeat_ticks: 2, election_ticks: 10 });
    assert_eq!(config.log_format, LogFormat::Text);
    assert!((2..=16).contains(&config.worker_threads), "one for each processor");
    assert!(!config.bootstrap && !config.insecure);
    assert_eq!(config.admin_token_file, None);
    let file = Some(Path::new("admin").to_path_buf());
    assert_eq!(with(&["--admin-token-file", "admin"]).unwrap().admin_token_file, file);
}

#[test]
fn a_flag_wins_over_the_environment_which_wins_over_the_file_which_wins_over_the_default() {
    let file = "node_id = 7\ncluster_id = \"0123456789abcdef0123456789abcdef\"\ndata_dir = \"d\"\n\
                tick = \"20ms\"\nheartbeat = \"40ms\"\nelection = \"400ms\"\nworker_threads = 3\n";
    let mut args = flags(&["--worker-threads", "5"]);
    let env = Raw { text: "200ms".to_owned(), source: Source::Env("TURNWISE_ELECTION") };
    args.given.insert("election", env);
    let config = Config::resolve(&args, Some((Path::new("t.toml"), file))).unwrap();
    assert_eq!(config.node_id, Some(NodeId(7)), "file");
    assert_eq!(config.timing.election_ticks, 10, "environment over file: 200 ms in ticks of 20 ms");
    assert_eq!(config.worker_threads, 5, "flag over file");
    assert_eq!(config.client_address.port(), 7400, "default");
}

#[test]
fn members_are_read_from_a_table_a_list_or_one_line() {
    let expected =
        [(NodeId(1), "127.0.0.1:7401".to_owned()), (NodeId(2), "node-2.turnwise:7401".to_owned())];
    let files = [
        "[members]\n1 = \"127.0.0.1:7401\"\n2 = \"node-2.turnwise:7401\"\n",
        "members = [\"1=127.0.0.1:7401\", \"2=node-2.turnwise:7401\"]\n",
        "members = \"1=127.0.0.1:7401, 2=node-2.turnwise:7401\"\n",
    ];
    for file in files {
        let config = Config::resolve(&flags(&required()), Some((Path::new("t.toml"), file)));
        assert_eq!(config.unwrap().members, expected.clone().into(), "{file}");
    }
}

#[test]
fn a_switch_needs_no_value_on_the_command_line() {
    assert!(with(&["--bootstrap"]).unwrap().bootstrap);
    assert!(!with(&["--bootstrap=false"]).unwrap().bootstrap);
}

#[test]
fn addresses_beyond_loopback_need_insecure() {
    let refusal = problem(&["--client-address", "0.0.0.0:7400"]);
    assert!(refusal.contains("client_address") && refusal.contains("--insecure"), "{refusal}");
    let refusal = problem(&["--peer-address", "10.0.0.1:7401"]);
    assert!(refusal.contains("peer_address"), "{refusal}");
    let open = with(&["--client-address", "0.0.0.0:7400", "--insecure"]).unwrap();
    assert_eq!(open.client_address.to_string(), "0.0.0.0:7400");
    assert!(with(&["--client-address", "[::1]:7400"]).is_ok());
}

#[test]
fn an_error_names_the_key_and_where_the_value_came_from() {
    let from_flag = problem(&["--election", "100ms"]);
    assert!(from_flag.starts_with("election: ") && from_flag.ends_with("(from flag --election)"));

    let mut args = flags(&required());
    let env = Raw { text: "0".to_owned(), source: Source::Env("TURNWISE_NODE_ID") };
    args.given.insert("node_id", env);
    let from_env = Config::resolve(&args, None).unwrap_err().to_string();
    assert_eq!(
        from_env,
        "node_id: `0` is not a whole number from 1 (from environment variable TURNWISE_NODE_ID)"
    );

    let file = Some((Path::new("t.toml"), "worker_threads = 0"));
    let from_file = Config::resolve(&flags(&required()), file).unwrap_err().to_string();
    let expected =
        "worker_threads: `0` is not a whole number from 1, nor `auto` (from file t.toml)";
    assert_eq!(from_file, expected);

    let file = Some((Path::new("t.toml"), "worker_threads = \"auto\""));
    Config::resolve(&flags(&required()), file).unwrap();

    let file = Some((Path::new("t.toml"), "worker_threads = 1.5"));
    let wrong_type = Config::resolve(&flags(&required()), file).unwrap_err().to_string();
    assert_eq!(wrong_type, "worker_threads: expected threads, found float (from file t.toml)");
}

#[test]
fn an_unknown_key_in_the_file_is_refused_by_name() {
    let file = Some((Path::new("t.toml"), "node_idd = 1"));
    let error = Config::resolve(&flags(&required()), file).unwrap_err();
    let path = Path::new("t.toml").to_path_buf();
    assert_eq!(error, ConfigError::UnknownKey { key: "node_idd".to_owned(), path });
}

#[test]
fn a_missing_key_says_the_three_ways_to_set_it() {
    let error = Config::resolve(&flags(&[]), None).unwrap_err().to_string();
    assert!(error.contains("--node-id") && error.contains("TURNWISE_NODE_ID"), "{error}");
}

#[test]
fn values_that_do_not_go_together_are_refused() {
    for flags in [
        &["--heartbeat", "45ms"][..],
        &["--tick", "0ms"],
        &["--tick", "fast"],
        &["--heartbeat", "150ms"],
        &["--members", "2=127.0.0.1:7411"],
        &["--members", "1=127.0.0.1:7401,1=127.0.0.1:7411"],
        &["--members", "1=127.0.0.1:7401,2=127.0.0.1:7401"],
        &["--members", "1=7401"],
        &["--members", "1"],
        &["--cluster-id", "00000000000000000000000000000000"],
        &["--cluster-id", "+123456789abcdef0123456789abcdef"],
        &["--cluster-id", "xyz"],
        &["--snapshot-every", "0"],
        &["--snapshot-every", "99999999999GiB"],
        &["--log-format", "xml"],
        &["--log-level", "turnwise=loud"],
        &["--data-dir="],
        &["--admin-token-file="],
    ] {
        // The last of two equal flags counts, so each case overrides a good value.
        let base = ["--node-id", "1", "--cluster-id", CLUSTER, "--data-dir", "data"];
        let command = ServeArgs::augment_args(clap::Command::new("serve").args_override_self(true));
        let typed = [&["serve"], &base[..], flags].concat();
        let args =
            ServeArgs::from_arg_matches(&command.try_get_matches_from(typed).unwrap()).unwrap();
        assert!(Config::resolve(&args, None).is_err(), "{flags:?}");
    }
}

#[test]
fn flag_environment_variable_and_file_key_are_one_word() {
    for key in KEYS {
        assert_eq!(key.flag, key.name.replace('_', "-"));
        assert_eq!(key.env, format!("TURNWISE_{}", key.name.to_uppercase()));
        assert!(key.unit != SWITCH || key.default == Some("false"), "a switch is off by default");
    }
}

#[test]
fn the_documented_table_is_the_table_of_the_code() {
    let page = include_str!("../../docs/CONFIGURATION.md");
    let documented: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let [flag, env] = FILE_KEY;
    let file = format!("| `--{flag}` | | `{env}` | none | file | TOML file with the keys below |");
    let row = |key: &super::Key| {
        let default = key.default.map_or("required".to_owned(), |text| format!("`{text}`"));
        let (name, flag, env, unit, help) = (key.name, key.flag, key.env, key.unit, key.help);
        format!("| `--{flag}` | `{name}` | `{env}` | {default} | {unit} | {help} |")
    };
    let expected: Vec<String> = std::iter::once(file).chain(KEYS.iter().map(row)).collect();
    assert_eq!(documented, expected, "\n{}\n", expected.join("\n"));
}
