//! What callers show to say who they are: how it is written, drawn and hashed, and the operator's file.
//!
//! `tw_{team}/{token}_{secret}` is a token of a team, `tw_admin_{secret}` the operator's. Only hashes are
//! kept. Whose they are and what they open is for others to say.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rand::{TryRng as _, rngs::SysRng};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What every credential begins with.
const PREFIX: &str = "tw_";
/// What the operator's begins with. No token's is like it: those have a `/`, which no secret holds.
const OPERATOR_PREFIX: &str = "tw_admin_";
/// What admits a node to a cluster begins with. No token's is like it either.
const JOIN_PREFIX: &str = "tw_join_";
/// Hexadecimal digits of a token's secret: 256 bits.
const SECRET_LEN: usize = 64;
/// The operator's secret may be somebody's own, but not a short one.
const OPERATOR_SECRET_LEN_MIN: usize = 32;
/// A file that is longer holds something else.
const FILE_LEN_MAX: u64 = 4 * 1024;

/// SHA-256 of a secret's text.
pub type Hash = [u8; 32];

/// A credential, taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// Of whoever runs the cluster.
    Operator {
        /// What only they know.
        secret: &'a str,
    },
    /// Of a team's token.
    Token {
        /// Id of the team; not checked.
        team: &'a str,
        /// Id of the token; not checked.
        token: &'a str,
        /// What only its holder knows: 64 lowercase hexadecimal digits.
        secret: &'a str,
    },
}

/// Takes a credential apart; `None` if it is none.
#[must_use]
pub fn read(text: &str) -> Option<Credential<'_>> {
    if let Some(secret) = text.strip_prefix(OPERATOR_PREFIX)
        && !text.contains('/')
    {
        return is_operators(secret).then_some(Credential::Operator { secret });
    }
    // Ids may hold a `_`, the secret does not.
    let (whose, secret) = text.strip_prefix(PREFIX)?.rsplit_once('_')?;
    let (team, token) = whose.split_once('/')?;
    is_drawn(secret).then_some(Credential::Token { team, token, secret })
}

fn is_drawn(secret: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    secret.len() == SECRET_LEN && secret.bytes().all(is_digit)
}

fn is_operators(secret: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    secret.len() >= OPERATOR_SECRET_LEN_MIN && secret.bytes().all(is_allowed)
}

/// The credential of a team's token.
#[must_use]
pub fn of_token(team: &str, token: &str, secret: &str) -> String {
    format!("{PREFIX}{team}/{token}_{secret}")
}

/// The operator's credential.
#[must_use]
pub fn of_operator(secret: &str) -> String {
    format!("{OPERATOR_PREFIX}{secret}")
}

/// What admits a node to a cluster.
#[must_use]
pub fn of_join(secret: &str) -> String {
    format!("{JOIN_PREFIX}{secret}")
}

/// The secret in what admits a node; `None` if it is none.
#[must_use]
pub fn join_secret(text: &str) -> Option<&str> {
    let secret = text.strip_prefix(JOIN_PREFIX)?;
    is_drawn(secret).then_some(secret)
}

/// Draws a secret: 256 bits of the operating system's randomness, as 64 lowercase hexadecimal digits.
///
/// # Errors
/// Where the operating system gives none.
pub fn draw() -> io::Result<String> {
    let mut bits = [0; SECRET_LEN / 2];
    SysRng.try_fill_bytes(&mut bits).map_err(io::Error::other)?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What is kept of a secret.
#[must_use]
pub fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether two hashes are equal, in a time that does not tell where they differ.
#[must_use]
pub fn is_equal(one: &Hash, other: &Hash) -> bool {
    one.ct_eq(other).into()
}

/// Why the operator's file is refused. What it holds is never said.
#[derive(Debug, thiserror::Error)]
#[error(
    "admin_token_file {}: {problem}; draw a credential with: \
     (umask 077; turnwise token new-admin > {})",
    path.display(),
    path.display()
)]
pub struct FileError {
    path: PathBuf,
    problem: String,
}

/// Reads the operator's credential from its file and gives what is kept of it.
///
/// # Errors
/// [`FileError`] for a file that can't be read, that is not ours or root's, that others than its owner
/// may read, or that holds anything else.
pub fn operator_hash(path: &Path) -> Result<Hash, FileError> {
    let refused = |problem: String| FileError { path: path.to_owned(), problem };
    let unreadable = |error: io::Error| refused(format!("it cannot be read: {error}"));
    let no_line = || refused("it is not a file of one line".to_owned());
    // Before it is opened, which waits for a writer where it is a pipe. All that counts is asked of what
    // was opened: the name may stand for another file by then.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(no_line());
    }
    let file = fs::File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    let ours = rustix::process::geteuid().as_raw();
    if !may_own(about.uid(), ours) {
        return Err(refused(format!(
            "it belongs to user {}, not to the one that runs the node ({ours}) nor to root",
            about.uid()
        )));
    }
    let mode = about.permissions().mode() & 0o777;
    if mode & forbidden(about.uid(), ours) != 0 {
        let fix = format!(
            "others may read or write it (mode {mode:04o}); type `chmod 600 {}`, and if anybody may \
             have seen it",
            path.display()
        );
        return Err(refused(fix));
    }
    if !about.is_file() || about.len() > FILE_LEN_MAX {
        return Err(no_line());
    }
    let mut text = String::new();
    file.take(FILE_LEN_MAX).read_to_string(&mut text).map_err(unreadable)?;
    match read(text.trim_end_matches(['\n', '\r'])) {
        Some(Credential::Operator { secret }) => Ok(hash(secret)),
        Some(Credential::Token { .. }) => {
            Err(refused("it holds the credential of a team, not the operator's".to_owned()))
        }
        None => Err(refused(format!(
            "it does not hold `{OPERATOR_PREFIX}` and a secret of at least {OPERATOR_SECRET_LEN_MIN} \
             characters of `[A-Za-z0-9_-]` in one line"
        ))),
    }
}

/// What the file's mode may not allow. A file of root's may let its group read it: that is how Kubernetes and
/// systemd hand a secret to a process of another user, whose group holds nobody else.
fn forbidden(owner: u32, ours: u32) -> u32 {
    if owner == 0 && ours != 0 { 0o037 } else { 0o077 }
}

/// Whoever owns a file can change it and give it another mode.
fn may_own(owner: u32, ours: u32) -> bool {
    owner == ours || owner == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let secret = draw().unwrap();
        assert_ne!(secret, draw().unwrap());
        for (team, token) in [("sales", "crm"), ("a_b", "c_d"), ("admin_x", "y"), ("admin", "_")] {
            let text = of_token(team, token, &secret);
            assert!(read(&text) == Some(Credential::Token { team, token, secret: &secret }));
        }
        let own = "correct-horse_battery-staple_0123";
        for secret in [secret.as_str(), own] {
            assert!(read(&of_operator(secret)) == Some(Credential::Operator { secret }));
        }
    }

    #[test]
    fn what_is_malformed_is_none() {
        let secret = "0123456789abcdef".repeat(4);
        for wrong in [
            String::new(),
            "tw_".to_owned(),
            "tw_admin_".to_owned(),
            secret.clone(),
            format!("sales/crm_{secret}"),
            format!("TW_sales/crm_{secret}"),
            format!("tw_sales_{secret}"),
            format!("tw_sales/crm{secret}"),
            format!("tw_sales/crm_{}", &secret[1..]),
            format!("tw_sales/crm_{secret}0"),
            format!("tw_sales/crm_{}", secret.to_uppercase()),
            format!("tw_sales/crm_{secret}\n"),
            format!("tw_admin_{}", &secret[..31]),
            format!("tw_admin_{secret} "),
            format!("tw_admin_{secret}é"),
        ] {
            assert!(read(&wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_hash_is_sha_256_of_the_text() {
        // FIPS 180-2, appendix B.1.
        let abc = hash("abc").iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(abc, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(is_equal(&hash("a"), &hash("a")) && !is_equal(&hash("a"), &hash("b")));
    }

    #[test]
    fn the_operators_file_is_for_its_owner_only_and_holds_one_credential() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let with = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            operator_hash(&path).map_err(|error| error.to_string())
        };
        let missing = operator_hash(&path).unwrap_err().to_string();
        assert!(missing.contains("cannot be read") && missing.contains("new-admin"), "{missing}");
        let secret = "0123456789abcdef0123456789abcdef";
        let good = format!("tw_admin_{secret}\n");
        assert_eq!(with(&good, 0o600), Ok(hash(secret)));
        assert_eq!(with(&good, 0o400), Ok(hash(secret)));
        for mode in [0o640, 0o604, 0o660, 0o610, 0o601, 0o644, 0o777] {
            let refused = with(&good, mode).unwrap_err();
            assert!(refused.contains("chmod 600") && !refused.contains(secret), "{refused}");
        }
        for (wrong, told) in [
            ("", "at least 32"),
            ("tw_admin_short", "at least 32"),
            (&format!("tw_admin_{}", &secret[1..]), "at least 32"),
            (&format!("{good}{good}"), "in one line"),
            (secret, "tw_admin_"),
            (&of_token("sales", "crm", &secret.repeat(2)), "of a team"),
            (&"x".repeat(5_000), "not a file of one line"),
        ] {
            let refused = with(wrong, 0o600).unwrap_err();
            assert!(refused.contains(told) && !refused.contains(&secret[1..]), "{refused}");
        }
        // Where the test runs as root it can give a file away; anybody else owns none that is not theirs.
        with(&good, 0o600).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(54_321), None).unwrap();
            let refused = operator_hash(&path).unwrap_err().to_string();
            assert!(refused.contains("belongs to user 54321"), "{refused}");
        }
        assert!(may_own(0, 1_000) && may_own(1_000, 1_000) && !may_own(1_001, 1_000));
        assert!(!may_own(1_000, 0));
        for (owner, ours, mode, is_fine) in [
            (0, 1_000, 0o440, true),
            (0, 1_000, 0o640, true),
            (0, 1_000, 0o660, false),
            (0, 1_000, 0o644, false),
            (0, 0, 0o640, false),
            (1_000, 1_000, 0o440, false),
        ] {
            assert_eq!(mode & forbidden(owner, ours) == 0, is_fine, "{owner} {ours} {mode:o}");
        }
        let folder = operator_hash(folder.path()).unwrap_err().to_string();
        assert!(folder.contains("admin_token_file"), "{folder}");
    }
}
