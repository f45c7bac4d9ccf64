//! Tokens as an operator, an admin and a backend type them: made, shown once, used, rotated, deleted.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    cluster::{Ran, turnwise},
    ports::Ports,
};

/// One node that asks everybody who they are, and the operator's file.
struct Guarded {
    node: Child,
    endpoint: String,
    admin: PathBuf,
    folder: TempDir,
    _ports: Ports,
}

fn serve(folder: &Path, ports: &Ports, admin: &Path) -> Command {
    let mut command = turnwise();
    command
        .args(["serve", "--node-id", "1", "--cluster-id", &"1".repeat(32), "--bootstrap"])
        .args(["--client-address", &ports.client.to_string()])
        .args(["--peer-address", &ports.peer.to_string()])
        .args(["--admin-address", &ports.admin.to_string(), "--admin-token-file"])
        .arg(admin)
        .arg("--data-dir")
        .arg(folder.join("data"));
    command
}

impl Guarded {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let admin = folder.path().join("admin.token");
        let drawn = Ran::of(turnwise().args(["token", "new-admin"]));
        assert!(drawn.stderr.contains("--admin-token-file"), "{}", drawn.stderr);
        fs::write(&admin, drawn.ok()).unwrap();
        fs::set_permissions(&admin, fs::Permissions::from_mode(0o600)).unwrap();
        let ports = Ports::reserve().unwrap();
        let mut command = serve(folder.path(), &ports, &admin);
        let node = command.stderr(Stdio::null()).spawn().unwrap();
        Self { node, endpoint: ports.client.to_string(), admin, folder, _ports: ports }
    }

    /// A command of somebody who shows nothing.
    fn command(&self, line: &str) -> Command {
        let mut command = turnwise();
        command.env("TURNWISE_ENDPOINTS", &self.endpoint).args(line.split_whitespace());
        command
    }

    fn nobody(&self, line: &str) -> Ran {
        Ran::of(&mut self.command(line))
    }

    fn operator(&self, line: &str) -> Ran {
        Ran::of(self.command(line).arg("--token-file").arg(&self.admin))
    }

    /// By somebody who has the credential in the environment.
    fn holder(&self, credential: &str, line: &str) -> Ran {
        Ran::of(self.command(line).env("TURNWISE_TOKEN", credential))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.node.kill().unwrap();
        self.node.wait().unwrap();
    }
}

/// The credential that a command printed, and nothing but it.
#[track_caller]
fn credential(ran: Ran) -> String {
    assert!(ran.stderr.contains("shown this once"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("tw_"), "stderr is talk: {}", ran.stderr);
    let stdout = ran.ok();
    let line = stdout.strip_suffix('\n').unwrap();
    assert!(line.starts_with("tw_sales/") && !line.contains('\n'), "{stdout}");
    line.to_owned()
}

#[test]
fn a_credential_is_made_once_and_opens_what_its_role_may_until_it_is_rotated_or_deleted() {
    let node = Guarded::start();
    node.operator("team create sales").ok();
    node.operator("rep create ana --team sales").ok();

    let nobody = node.nobody("team get sales").failed(1);
    for told in ["UNAUTHENTICATED", "--token-file", "TURNWISE_TOKEN", "turnwise token create"] {
        assert!(nobody.contains(told), "{nobody}");
    }

    let dry = node.operator("token create crm --team sales --role router --validate-only").ok();
    assert!(!dry.contains("tw_"), "{dry}");
    let crm = credential(node.operator("token create crm --team sales --role router"));
    let assigned = node.holder(&crm, "assign c-1 --team sales --output json").ok();
    let assigned: Value = serde_json::from_str(&assigned).unwrap();
    assert_eq!(assigned["rep"], "ana");
    let file = node.folder.path().join("crm.token");
    fs::write(&file, format!("{crm}\n")).unwrap();
    Ran::of(node.command("team get sales").arg("--token-file").arg(&file)).ok();
    let denied = node.holder(&crm, "rep create bo --team sales").failed(1);
    for told in ["PERMISSION_DENIED", "a router's", "a manager of the team", "SECURITY.md"] {
        assert!(denied.contains(told), "{denied}");
    }
    let status = node.holder(&crm, "cluster status").failed(1);
    assert!(status.contains("PERMISSION_DENIED"), "{status}");

    let again = node.operator("token create crm --team sales --role admin").failed(1);
    assert!(again.contains("ALREADY_EXISTS") || again.contains("exists"), "{again}");
    let rotated = credential(node.operator("token rotate crm --team sales"));
    assert!(node.holder(&crm, "team get sales").failed(1).contains("UNAUTHENTICATED"));
    node.holder(&rotated, "team get sales").ok();

    node.operator("token update crm --team sales --role viewer --name CRM").ok();
    let denied = node.holder(&rotated, "assign c-2 --team sales").failed(1);
    assert!(denied.contains("a viewer's"), "{denied}");
    let shown = node.operator("token show crm --team sales --output json").ok();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["role"], &shown["display_name"]), (&"VIEWER".into(), &"CRM".into()));
    node.operator("token update crm --team sales --expires now").ok();
    assert!(node.holder(&rotated, "team get sales").failed(1).contains("UNAUTHENTICATED"));
    node.operator("token update crm --team sales --never-expires").ok();
    node.holder(&rotated, "team get sales").ok();
    node.operator("token delete crm --team sales").ok();
    assert!(node.holder(&rotated, "team get sales").failed(1).contains("UNAUTHENTICATED"));
}

/// A credential on stdout, of a command that does not know whether it was done.
#[track_caller]
fn perhaps(ran: Ran, code: i32) -> String {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    for told in ["may have been done", "on stdout", "turnwise team get sales", "run again"] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("tw_sales"), "stderr is talk: {}", ran.stderr);
    let line = ran.stdout.strip_suffix('\n').unwrap();
    assert!(line.starts_with("tw_sales/crm_") && !line.contains('\n'), "{line}");
    line.to_owned()
}

#[test]
fn the_credential_of_a_change_that_may_have_been_done_is_printed_all_the_same() {
    let node = Guarded::start();
    node.operator("team create sales").ok();
    let crm = credential(node.operator("token create crm --team sales --role admin"));

    // As the retry of a rotation is refused whose answer was lost: its own secret is the old one now.
    let now = credential(node.holder(&crm, "token rotate crm --team sales"));
    let other = perhaps(node.holder(&crm, "token rotate crm --team sales"), 1);
    assert_ne!(other, now);
    assert!(node.holder(&other, "team get sales").failed(1).contains("UNAUTHENTICATED"));
    node.holder(&now, "team get sales").ok();
    let json = node.holder(&crm, "token rotate crm --team sales --output json");
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(json["credential"].as_str().unwrap().starts_with("tw_sales/crm_"));

    // Where it certainly was not done there is none.
    node.holder(&crm, "token rotate crm --team sales --validate-only").failed(1);
    node.operator("token rotate other --team sales").failed(1);
    node.nobody("token create other --team sales --role viewer").failed(1);

    let ports = Ports::reserve().unwrap();
    let nowhere = ports.client.to_string();
    let unreachable = |line: &str| {
        let mut command = turnwise();
        command.args(line.split_whitespace()).args(["--endpoints", &nowhere]);
        Ran::of(command.args(["--deadline", "300ms"]))
    };
    perhaps(unreachable("token rotate crm --team sales"), 3);
    perhaps(unreachable("token create crm --team sales --role viewer"), 3);
    unreachable("token rotate crm --team sales --validate-only").failed(3);
}

#[test]
fn an_admin_gives_tokens_to_managers_and_reps_and_lists_them() {
    let node = Guarded::start();
    node.operator("team create sales").ok();
    node.operator("rep create ana --team sales").ok();
    node.operator("rep create bo --team sales").ok();
    node.operator("group create west --team sales ana").ok();
    let admin = credential(node.operator("token create boss --team sales --role admin"));
    let json = node
        .holder(
            &admin,
            "token create west --team sales --role group-manager --group west --expires +90d \
             --label office=west --output json",
        )
        .ok();
    let made: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&made["groups"][0], &made["labels"]["office"]), (&"west".into(), &"west".into()));
    assert!(made["expire_time"].is_string());
    let west = made["credential"].as_str().unwrap();
    node.holder(west, "rep out-of-office ana --team sales").ok();
    node.holder(west, "rep out-of-office bo --team sales").failed(1);
    let ana = credential(node.holder(&admin, "token create ana --team sales --role rep --rep ana"));
    node.holder(&ana, "rep back ana --team sales").ok();

    let list = node.holder(&admin, "token list --team sales --output csv").ok();
    assert!(list.starts_with("token,display_name,role,groups,rep,expire_time,"), "{list}");
    for row in ["\nana,,REP,,ana,,", "\nboss,,ADMIN,,,,", "\nwest,,GROUP_MANAGER,west,,"] {
        assert!(list.contains(row), "{list}");
    }
    assert!(!list.contains("tw_"), "{list}");
    let one = node.holder(&admin, "token get ana --team sales --output csv").ok();
    assert!(one.contains("\nana,,REP,,ana,,") && !one.contains("west"), "{one}");
    let denied = node.holder(&ana, "token list --team sales").failed(1);
    assert!(denied.contains("an admin of the team"), "{denied}");
    let wrong = node.holder(&admin, "token create x --team sales --role viewer --group west");
    assert!(wrong.failed(1).contains("token.role.groups"));
    let nothing = node.holder(&admin, "token update west --team sales").failed(2);
    assert!(nothing.contains("--expires"), "{nothing}");
    node.holder(&admin, "token update west --team sales --group west").failed(2);
}

#[test]
fn a_credential_that_is_none_is_refused_before_anything_is_sent() {
    let empty = tempfile::tempdir().unwrap().path().join("none");
    let missing = Ran::of(turnwise().args(["team", "list", "--token-file"]).arg(&empty)).failed(2);
    assert!(missing.contains("--token-file"), "{missing}");
    for wrong in ["", "tw_a/b c", "two\nlines", "é"] {
        let refused = Ran::of(turnwise().args(["team", "list"]).env("TURNWISE_TOKEN", wrong));
        let refused = refused.failed(2);
        assert!(refused.contains("TURNWISE_TOKEN"), "{refused}");
        assert!(wrong.is_empty() || !refused.contains(wrong), "{refused}");
    }
}

#[test]
fn a_node_whose_operators_file_others_can_read_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let admin = folder.path().join("admin.token");
    let ports = Ports::reserve().unwrap();
    let missing = Ran::of(&mut serve(folder.path(), &ports, &admin)).failed(2);
    assert!(missing.contains("turnwise token new-admin"), "{missing}");
    let drawn = Ran::of(turnwise().args(["token", "new-admin"])).ok();
    fs::write(&admin, &drawn).unwrap();
    fs::set_permissions(&admin, fs::Permissions::from_mode(0o640)).unwrap();
    let open = Ran::of(&mut serve(folder.path(), &ports, &admin)).failed(2);
    assert!(open.contains("chmod 600") && !open.contains(drawn.trim()), "{open}");
    fs::write(&admin, "tw_admin_short\n").unwrap();
    fs::set_permissions(&admin, fs::Permissions::from_mode(0o600)).unwrap();
    let short = Ran::of(&mut serve(folder.path(), &ports, &admin)).failed(2);
    assert!(short.contains("at least 32") && !short.contains("tw_admin_short"), "{short}");
    assert!(!folder.path().join("data").exists(), "nothing was made");
}
