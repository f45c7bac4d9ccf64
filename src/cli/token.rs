//! `turnwise token`: create, get, list, update, rotate, delete; and the operator's credential.
//!
//! Secrets are drawn here. The nodes get their hashes, and nobody can show a credential a second time.

use serde_json::Value;
use tonic::Code;

use super::{
    Context,
    change::{self, Change, Deletion, Filter, Labels, Mask, NewLabels, Unchanged, say},
    failure::{Failure, to},
    names,
    output::Format,
    pages,
    time::{self, Instant},
};
use crate::{
    client, credentials,
    proto::turnwise::v1::{
        CreateTokenRequest, DeleteTokenRequest, GetTokenRequest, Role, RoleKind, Token,
        UpdateTokenRequest,
    },
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Create a token and print its credential, once
    #[command(after_help = format!("{ROLES}\n\n{}\n\nExamples:\n  \
                            turnwise token create crm --team sales --role router > crm.token\n  \
                            turnwise token create west --team sales --role group-manager --group west \
                            --expires +90d", time::FORMS))]
    Create {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        role: NewRole,
        /// What people call it
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// From then on it opens nothing [default: never]
        #[arg(long, value_name = "TIME", value_parser = time::instant)]
        expires: Option<Instant>,
        #[command(flatten)]
        labels: Labels,
        #[command(flatten)]
        dry: Dry,
    },
    /// Show one token, without its secret
    #[command(visible_alias = "show", after_help = "Example: turnwise token get crm --team sales")]
    Get(Which),
    /// List the tokens of a team
    #[command(
        after_help = "Example: turnwise token list --team sales --filter 'role.kind = \"ADMIN\"'"
    )]
    List {
        /// Team
        #[arg(long, env = "TURNWISE_TEAM")]
        team: String,
        #[command(flatten)]
        filter: Filter,
    },
    /// Change its role, its end, its name or its labels, at once and on every node
    #[command(after_help = format!("{ROLES}\n\n{}\n\nExamples:\n  \
                            turnwise token update crm --team sales --role viewer\n  \
                            turnwise token update crm --team sales --expires now", time::FORMS))]
    Update {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        role: OtherRole,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// From then on it opens nothing; a time in the past ends it
        #[arg(long, value_name = "TIME", value_parser = time::instant)]
        expires: Option<Instant>,
        /// It never ends by itself
        #[arg(long, conflicts_with = "expires")]
        never_expires: bool,
        #[command(flatten)]
        labels: NewLabels,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        change: Change,
    },
    /// Print another credential, once; the old one opens nothing any more
    #[command(after_help = "Example: turnwise token rotate crm --team sales > crm.token")]
    Rotate {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        unchanged: Unchanged,
        #[command(flatten)]
        dry: Dry,
    },
    /// Delete a token, which opens nothing from then on, on any node
    #[command(after_help = "Example: turnwise token delete crm --team sales")]
    Delete {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        deletion: Deletion,
    },
    /// Draw the credential of a cluster's operator, who may do everything
    #[command(after_help = "Example: (umask 077; turnwise token new-admin > admin.token)")]
    NewAdmin,
}

const ROLES: &str = "\
Roles: admin (everything in the team), manager (sets up reps, groups, rules, campaigns), group-manager \
(members of the groups named), router (a backend that assigns), rep (their own work), viewer (reads).";

#[derive(clap::Args)]
pub(super) struct Which {
    /// Its id; events and histories name it as who did what
    token: String,
    /// Team
    #[arg(long, env = "TURNWISE_TEAM")]
    team: String,
}

/// Of a change that draws a secret: another run draws another one, so that none repeats one before.
#[derive(clap::Args)]
pub(super) struct Dry {
    /// Check it and show what would come of it; change nothing
    #[arg(long)]
    validate_only: bool,
}

impl Dry {
    fn change(&self) -> Change {
        Change { request_id: String::new(), validate_only: self.validate_only }
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    Admin,
    Manager,
    GroupManager,
    Router,
    Rep,
    Viewer,
}

#[derive(clap::Args)]
pub(super) struct NewRole {
    /// What its holder may
    #[arg(long)]
    role: Kind,
    /// Of a group-manager: a group they manage; may be given several times
    #[arg(long)]
    group: Vec<String>,
    /// Of a rep: who they are
    #[arg(long)]
    rep: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct OtherRole {
    /// What its holder may
    #[arg(long)]
    role: Option<Kind>,
    /// Of a group-manager: a group they manage; may be given several times, and replaces all there are
    #[arg(long, requires = "role")]
    group: Vec<String>,
    /// Of a rep: who they are
    #[arg(long, requires = "role")]
    rep: Option<String>,
}

fn role(team: &str, kind: Kind, groups: &[String], rep: Option<&str>) -> Role {
    let kind = match kind {
        Kind::Admin => RoleKind::Admin,
        Kind::Manager => RoleKind::Manager,
        Kind::GroupManager => RoleKind::GroupManager,
        Kind::Router => RoleKind::Router,
        Kind::Rep => RoleKind::Rep,
        Kind::Viewer => RoleKind::Viewer,
    };
    Role {
        kind: kind.into(),
        groups: groups.iter().map(|group| names::group(team, group)).collect(),
        rep: rep.map(|rep| names::rep(team, rep)).unwrap_or_default(),
    }
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    let client = context.client()?;
    let token = match command {
        Command::NewAdmin => return new_admin(context),
        Command::Create { which: Which { token, team }, role, name, expires, labels, dry } => {
            let NewRole { role: kind, group, rep } = role;
            let secret = draw()?;
            let request = CreateTokenRequest {
                parent: names::team(&team),
                token_id: token.clone(),
                token: Some(Token {
                    display_name: name,
                    labels: labels.map(),
                    role: Some(self::role(&team, kind, &group, rep.as_deref())),
                    expire_time: expires.map(Instant::to_proto),
                    ..Token::default()
                }),
                secret_sha256: credentials::hash(&secret).to_vec().into(),
                validate_only: dry.validate_only,
                ..CreateTokenRequest::default()
            };
            let what = format!("create token `{token}`");
            let created = client.call(request).await.map_err(|error| {
                let is_open = is_unavailable(&error);
                lost(context, (&team, &token), &secret, &dry, is_open, to(what)(error))
            })?;
            return given(context, &team, created.token.unwrap_or_default(), &secret, &dry);
        }
        Command::Get(Which { token, team }) => {
            let request = GetTokenRequest { name: names::token(&team, &token) };
            client.call(request).await.map_err(to(format!("get token `{token}`")))?.token
        }
        Command::List { team, filter } => {
            let tokens = pages::tokens(&client, &team, &filter.filter).await?;
            let rows: Vec<_> = tokens.iter().map(row).collect();
            return context.output.brief(COLUMNS, BRIEF, &rows);
        }
        Command::Update {
            which: Which { token, team },
            role,
            name,
            expires,
            never_expires,
            labels,
            unchanged,
            change,
        } => {
            let OtherRole { role: kind, group, rep } = role;
            let role = kind.map(|kind| self::role(&team, kind, &group, rep.as_deref()));
            let end = (never_expires || expires.is_some()).then(|| expires.map(Instant::to_proto));
            let mut mask = Mask::default();
            let request = UpdateTokenRequest {
                token: Some(Token {
                    name: names::token(&team, &token),
                    display_name: mask.take("display_name", name),
                    labels: mask.take("labels", labels.map()),
                    role: mask.take("role", role.map(Some)),
                    expire_time: mask.take("expire_time", end),
                    ..Token::default()
                }),
                update_mask: mask.finish("--role, --expires, --never-expires, --name, --label")?,
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
                ..UpdateTokenRequest::default()
            };
            change.send(&client, request, format!("update token `{token}`")).await?.token
        }
        Command::Rotate { which: Which { token, team }, unchanged, dry } => {
            let secret = draw()?;
            let request = UpdateTokenRequest {
                token: Some(Token { name: names::token(&team, &token), ..Token::default() }),
                secret_sha256: credentials::hash(&secret).to_vec().into(),
                etag: unchanged.etag,
                validate_only: dry.validate_only,
                ..UpdateTokenRequest::default()
            };
            let what = format!("rotate token `{token}`");
            let rotated = client.call(request).await.map_err(|error| {
                let is_open = is_unavailable(&error) || is_unauthenticated(&error);
                lost(context, (&team, &token), &secret, &dry, is_open, to(what)(error))
            })?;
            return given(context, &team, rotated.token.unwrap_or_default(), &secret, &dry);
        }
        Command::Delete { which: Which { token, team }, deletion } => {
            let Deletion { allow_missing, unchanged, change } = deletion;
            let request = DeleteTokenRequest {
                name: names::token(&team, &token),
                request_id: change.request_id.clone(),
                etag: unchanged.etag,
                validate_only: change.validate_only,
                allow_missing,
            };
            client.call(request).await.map_err(to(format!("delete token `{token}`")))?;
            return context.deleted("token", &token, &change);
        }
    };
    context.output.record(COLUMNS, row(&token.unwrap_or_default()))
}

fn draw() -> Result<String, Failure> {
    let drawn = credentials::draw();
    drawn.map_err(|error| Failure::failed(format!("cannot draw a secret: {error}")))
}

/// Of a call that may have taken effect all the same: the credential it drew is nowhere else.
///
/// A retry of a rotation is refused as UNAUTHENTICATED where the token that it changed is the one that
/// was shown.
fn lost(
    context: &Context,
    (team, token): (&str, &str),
    secret: &str,
    dry: &Dry,
    is_open: bool,
    failure: Failure,
) -> Failure {
    if dry.validate_only || !is_open {
        return failure;
    }
    if let Err(unsaid) = print(context, &credentials::of_token(team, token, secret)) {
        return unsaid;
    }
    failure.advise(format!(
        "It may have been done all the same. If it was, the credential on stdout is the token's, and \
         nobody can show it again: keep it, and try it with `turnwise team get {team} --token-file \
         FILE`. If that is UNAUTHENTICATED, it was not done: what was before still stands, and the same \
         command can be run again, with a credential that opens something."
    ))
}

fn is_unavailable(error: &client::Error) -> bool {
    matches!(error, client::Error::Unavailable { .. })
}

fn is_unauthenticated(error: &client::Error) -> bool {
    matches!(error, client::Error::Refused(status) if status.code() == Code::Unauthenticated)
}

/// Prints a credential: by itself for people, with what it is of for programs.
fn given(
    context: &Context,
    team: &str,
    token: Token,
    secret: &str,
    dry: &Dry,
) -> Result<(), Failure> {
    dry.change().tell();
    if dry.validate_only {
        return context.output.record(COLUMNS, row(&token));
    }
    let credential = credentials::of_token(team, names::id(&token.name), secret);
    say(
        "The credential is shown this once. Keep it where only its holder can read it; they show it with \
         --token-file FILE, or TURNWISE_TOKEN in the environment.",
    );
    match context.output.format {
        Format::Table => context.output.line(&credential),
        Format::Json | Format::Csv => {
            let columns = [&["credential"], COLUMNS].concat();
            let cells = std::iter::once(credential.into()).chain(row(&token)).collect();
            context.output.record(&columns, cells)
        }
    }
}

fn new_admin(context: &Context) -> Result<(), Failure> {
    let credential = credentials::of_operator(&draw()?);
    say(
        "The operator's credential. Keep it in a file that only the user of the nodes can read, and start \
         every node with --admin-token-file FILE.",
    );
    print(context, &credential)
}

/// A credential by itself.
fn print(context: &Context, credential: &str) -> Result<(), Failure> {
    match context.output.format {
        Format::Table => context.output.line(credential),
        Format::Json | Format::Csv => {
            context.output.record(&["credential"], vec![credential.into()])
        }
    }
}

const COLUMNS: &[&str] = &[
    "token",
    "display_name",
    "role",
    "groups",
    "rep",
    "expire_time",
    "labels",
    "create_time",
    "update_time",
    "etag",
];

const BRIEF: &[&str] = &["token", "display_name", "role", "groups", "rep", "expire_time"];

fn row(token: &Token) -> Vec<Value> {
    let Token { name, display_name, labels, role, expire_time, create_time, update_time, etag } =
        token;
    let role = role.clone().unwrap_or_default();
    let kind = role.kind().as_str_name();
    let groups: Vec<&str> = role.groups.iter().map(|group| names::id(group)).collect();
    vec![
        names::id(name).into(),
        display_name.as_str().into(),
        kind.strip_prefix("ROLE_KIND_").unwrap_or(kind).into(),
        groups.into(),
        match role.rep.as_str() {
            "" => Value::Null,
            rep => names::id(rep).into(),
        },
        time::show(expire_time.as_ref()),
        change::labels(labels),
        time::show(create_time.as_ref()),
        time::show(update_time.as_ref()),
        etag.as_str().into(),
    ]
}
