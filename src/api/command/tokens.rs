//! Changes of access tokens. Only the hash of a secret comes here.

use bytes::Bytes;

use crate::{
    api::{
        authenticate::OPERATOR,
        instant, names, text,
        violations::{Violations, Wrong},
    },
    proto::turnwise::v1::{
        self as pb, CreateTokenRequest, DeleteTokenRequest, RoleKind, Token, UpdateTokenRequest,
    },
    routing::{
        GroupId, Operation, Role, SecretHash, TeamId, Time, TokenChange, TokenId, TokenSettings,
        limits::TOKEN_GROUPS_MAX,
    },
};

use super::draft::{Common, Draft, Mask};

pub(super) fn create(r: &CreateTokenRequest, now: Time) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Token::default();
    let written = r.token.as_ref().unwrap_or(&none);
    let team = wrong.take("parent", names::team(&r.parent));
    let token = wrong.take("token_id", names::id(&r.token_id).and_then(not_the_operators));
    let display_name = text::display_name(&written.display_name);
    let display_name = wrong.take("token.display_name", display_name);
    let labels = text::labels(&mut wrong, "token.labels", &written.labels);
    let role = role(&mut wrong, team.as_ref(), written.role.as_ref());
    let expire_time = written.expire_time.as_ref().map(|end| {
        let later = |end: Time| (end > now).then_some(end).ok_or(Wrong::new("must be after now"));
        wrong.take("token.expire_time", instant::time(end).and_then(later))
    });
    let secret = wrong.take("secret_sha256", secret(&r.secret_sha256));
    let common = Common::take(&mut wrong, &r.request_id, r.validate_only);
    wrong.finish((|| {
        let settings = TokenSettings {
            display_name: display_name?,
            labels,
            role: role?,
            secret: secret?,
            expire_time: expire_time.flatten(),
        };
        Some(common?.draft(team?, Operation::CreateToken { token: token?, settings }))
    })())
}

pub(super) fn update(r: &UpdateTokenRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let none = Token::default();
    let written = r.token.as_ref().unwrap_or(&none);
    let named = wrong.take("token.name", names::token(&written.name));
    let team = named.as_ref().map(|(team, _)| team);
    let mask = Mask::read(
        &mut wrong,
        r.update_mask.as_ref(),
        &[
            ("display_name", !written.display_name.is_empty()),
            ("labels", !written.labels.is_empty()),
            ("role", written.role.is_some()),
            ("expire_time", written.expire_time.is_some()),
            ("secret_sha256", !r.secret_sha256.is_empty()),
        ],
    );
    let mut change = TokenChange::default();
    if mask.has("display_name") {
        let name = text::display_name(&written.display_name);
        change.display_name = wrong.take("token.display_name", name);
    }
    if mask.has("labels") {
        change.labels = Some(text::labels(&mut wrong, "token.labels", &written.labels));
    }
    if mask.has("role") {
        change.role = role(&mut wrong, team, written.role.as_ref());
    }
    if mask.has("expire_time") {
        let end = written.expire_time.as_ref().map(instant::time).transpose();
        change.expire_time = wrong.take("token.expire_time", end);
    }
    if mask.has("secret_sha256") {
        change.secret = wrong.take("secret_sha256", secret(&r.secret_sha256));
    }
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, token) = named?;
        Some(common?.draft(team, Operation::UpdateToken { token, change }))
    })())
}

pub(super) fn delete(r: &DeleteTokenRequest) -> Result<Draft, Violations> {
    let mut wrong = Violations::default();
    let named = wrong.take("name", names::token(&r.name));
    let common = Common::with_etag(&mut wrong, &r.request_id, &r.etag, r.validate_only);
    wrong.finish((|| {
        let (team, token) = named?;
        let operation = Operation::DeleteToken { token, allow_missing: r.allow_missing };
        Some(common?.draft(team, operation))
    })())
}

/// Events and histories name a token by its id, as they do the operator.
fn not_the_operators(token: TokenId) -> Result<TokenId, Wrong> {
    if token.as_str() == OPERATOR {
        return Err(Wrong::new(
            "must not be `operator`: events and histories name the cluster's operator so",
        ));
    }
    Ok(token)
}

fn secret(written: &Bytes) -> Result<SecretHash, Wrong> {
    let hash = written.as_ref().try_into();
    hash.map(SecretHash).map_err(|_| Wrong::new("SHA-256 of the secret, 32 bytes"))
}

fn role(wrong: &mut Violations, team: Option<&TeamId>, written: Option<&pb::Role>) -> Option<Role> {
    const KIND: &str = "token.role.kind";
    let Some(written) = written else {
        wrong.add("token.role", Wrong::new("required"));
        return None;
    };
    let Ok(kind) = RoleKind::try_from(written.kind) else {
        wrong.add(KIND, Wrong::new(KINDS));
        return None;
    };
    if kind != RoleKind::GroupManager && !written.groups.is_empty() {
        wrong.add("token.role.groups", Wrong::new("only of a GROUP_MANAGER"));
    }
    if kind != RoleKind::Rep && !written.rep.is_empty() {
        wrong.add("token.role.rep", Wrong::new("only of a REP"));
    }
    match kind {
        RoleKind::Unspecified => {
            wrong.add(KIND, Wrong::new(KINDS));
            None
        }
        RoleKind::Admin => Some(Role::Admin),
        RoleKind::Manager => Some(Role::Manager),
        RoleKind::GroupManager => groups(wrong, team, &written.groups).map(Role::GroupManager),
        RoleKind::Router => Some(Role::Router),
        RoleKind::Rep => {
            let rep = names::rep(&written.rep).and_then(|rep| names::within(team, rep));
            wrong.take("token.role.rep", rep).map(Role::Rep)
        }
        RoleKind::Viewer => Some(Role::Viewer),
    }
}

const KINDS: &str = "one of ADMIN, MANAGER, GROUP_MANAGER, ROUTER, REP, VIEWER";

fn groups(
    wrong: &mut Violations,
    team: Option<&TeamId>,
    written: &[String],
) -> Option<Vec<GroupId>> {
    const FIELD: &str = "token.role.groups";
    if written.is_empty() || written.len() > TOKEN_GROUPS_MAX {
        wrong.add(FIELD, Wrong::new(format!("1 to {TOKEN_GROUPS_MAX}")));
        return None;
    }
    let named = written.iter().enumerate().map(|(i, name)| {
        let group = names::group(name).and_then(|group| names::within(team, group));
        wrong.take(format!("{FIELD}[{i}]"), group)
    });
    let named: Vec<_> = named.collect();
    let groups: Vec<GroupId> = named.into_iter().collect::<Option<_>>()?;
    if let Some(i) =
        (1..groups.len()).find(|i| groups.iter().take(*i).any(|g| Some(g) == groups.get(*i)))
    {
        wrong.add(format!("{FIELD}[{i}]"), Wrong::new("named twice"));
        return None;
    }
    Some(groups)
}
