//! `turnwise bench`: figures that add up, whatever they are on this machine.

use serde_json::Value;

use crate::cluster::{Cluster, Ran, turnwise};

fn bench(flags: &str) -> Ran {
    let short = "--duration 500ms --warm-up 100ms";
    Ran::of(turnwise().arg("bench").args(flags.split_whitespace()).args(short.split_whitespace()))
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_cluster_of_its_own_is_measured_and_the_figures_add_up() {
    for flags in ["", "--stream", "--rate 50", "--stream --rate 50 --keys zipf"] {
        let ran = bench(&format!("--local 1 --in-flight 8 --connections 2 --output json {flags}"));
        assert_eq!(ran.code, 0, "{flags}: {}", ran.stderr);
        let shown = json(&ran);
        let number = |name: &str| shown[name].as_f64().unwrap_or_else(|| panic!("{name}: {shown}"));
        assert!(number("assigns") > 0.0 && number("failed") == 0.0, "{shown}");
        let rate = number("assigns") / number("seconds");
        assert!((number("assigns_per_second") / rate - 1.0).abs() < 0.01, "{shown}");
        let quantiles = ["p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"].map(number);
        assert!(quantiles[0] > 0.0 && quantiles.is_sorted(), "{shown}");
        assert!(number("nodes_cpu_seconds_per_million") > 0.0, "{shown}");
        assert!(number("node_memory_bytes") > 0.0 && number("node_data_bytes") > 0.0, "{shown}");
        assert_eq!(shown["mode"], if flags.contains("stream") { "stream" } else { "unary" });
        if flags.contains("--rate") {
            // Due within half a second, done or not.
            let all = number("assigns") + number("never_begun_or_ended");
            assert!(number("rate_offered") == 50.0 && all <= 30.0, "{shown}");
        }
    }
}

#[test]
fn a_running_cluster_is_left_as_it_was_and_the_series_has_every_interval() {
    let cluster = Cluster::start(1);
    let endpoint = cluster.endpoint(1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("series.csv");
    let flags = format!(
        "--endpoints {endpoint} --group-size 3 --one-in --keys hundred --interval 100ms --series {}",
        file.display()
    );
    let ran = bench(&flags);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("p99_ms") && ran.stderr.contains("3 reps, all but one"),
        "{}",
        ran.stderr
    );
    assert_eq!(cluster.json("team list"), serde_json::json!([]), "its team is gone");
    let series = std::fs::read_to_string(&file).unwrap();
    assert!(series.starts_with("seconds,assigns_per_second,failed,p50_ms"), "{series}");
    assert!(series.lines().count() > 5, "{series}");

    bench(&format!("--endpoints {endpoint} --keep")).ok();
    assert_eq!(cluster.json("team list").as_array().unwrap().len(), 1, "it was to be kept");
}

#[test]
fn a_profile_says_pass_or_fail_and_ends_accordingly() {
    let ran = bench("--local 1 --profile s");
    let last = ran.stdout.lines().last().unwrap();
    let checks =
        ran.stdout.lines().filter(|line| line.starts_with("PASS: ") || line.starts_with("FAIL: "));
    assert_eq!(checks.count(), 4, "{}", ran.stdout);
    assert_eq!(ran.code, if last == "PASS" { 0 } else { 1 }, "{}", ran.stdout);
    assert_eq!(last == "FAIL", ran.stdout.contains("FAIL: "), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_measured_is_said() {
    let wrong = bench("--in-flight 0").failed(2);
    assert!(wrong.contains("--in-flight"), "{wrong}");
    let wrong = bench("--profile s --rate 5").failed(2);
    assert!(wrong.contains("--profile") && wrong.contains("--rate"), "{wrong}");
    let wrong = bench("--local 1 --series /nowhere/at/all.csv").failed(2);
    assert!(wrong.contains("/nowhere/at/all.csv"), "{wrong}");
    let gone = bench("--endpoints 127.0.0.1:1 --deadline 200ms").failed(3);
    assert!(gone.contains("127.0.0.1:1"), "{gone}");
}
