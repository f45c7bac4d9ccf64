//! Access tokens, without anything of their secrets.

use crate::{
    api::{
        instant::timestamp,
        names::{group_name, rep_name, token_name},
    },
    proto::turnwise::v1 as pb,
    routing::{Meta, Role, TeamId, Token},
};

pub(in crate::api) fn token(team: &TeamId, token: Token) -> pb::Token {
    let Token { id, display_name, role, secret: _, secret_revision: _, expire_time, meta } = token;
    let Meta { labels, create_time, update_time, revision } = meta;
    pb::Token {
        name: token_name(team, &id),
        display_name,
        labels,
        role: Some(self::role(team, role)),
        expire_time: expire_time.map(timestamp),
        create_time: Some(timestamp(create_time)),
        update_time: Some(timestamp(update_time)),
        etag: revision.to_string(),
    }
}

fn role(team: &TeamId, role: Role) -> pb::Role {
    let mut sent = pb::Role::default();
    let kind = match role {
        Role::Admin => pb::RoleKind::Admin,
        Role::Manager => pb::RoleKind::Manager,
        Role::GroupManager(groups) => {
            sent.groups = groups.iter().map(|group| group_name(team, group)).collect();
            pb::RoleKind::GroupManager
        }
        Role::Router => pb::RoleKind::Router,
        Role::Rep(rep) => {
            sent.rep = rep_name(team, &rep);
            pb::RoleKind::Rep
        }
        Role::Viewer => pb::RoleKind::Viewer,
    };
    sent.set_kind(kind);
    sent
}
