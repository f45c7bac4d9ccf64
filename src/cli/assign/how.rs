//! By what a contact is routed, and with what: the flags that an assign and a preview share.

use super::owners::Owners;
use crate::{
    cli::{change::Labels, failure::Failure, names, pages, words},
    client::Client,
    proto::turnwise::v1::{AssignContactRequest, OwnerKind, assign_contact_request::Via},
};

#[derive(clap::Args)]
pub(super) struct How {
    /// Team
    // Not required by clap: `assign preview` brings its own.
    #[arg(long, env = "TURNWISE_TEAM")]
    team: Option<String>,
    #[command(flatten)]
    by: By,
    /// Owner in your CRM, by email, external id or rep id; may be given once for each kind
    #[arg(long, value_name = "KIND=OWNER", value_parser = owner)]
    owner: Vec<(OwnerKind, String)>,
    /// Take the rep who had the contact last, before any turn
    #[arg(long)]
    prefer_last_rep: bool,
    /// If it has to wait: the higher one is served first
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, hide_default_value = true)]
    priority: i32,
    #[command(flatten)]
    labels: Labels,
}

/// By whose targets.
#[derive(clap::Args)]
#[group(multiple = false)]
struct By {
    /// Campaign whose targets to use
    #[arg(long)]
    campaign: Option<String>,
    /// Rule whose targets to use
    #[arg(long)]
    rule: Option<String>,
    /// Group whose next member to take
    #[arg(long)]
    group: Option<String>,
    /// Rep to give it to, whoever is available: you decide
    #[arg(long)]
    rep: Option<String>,
}

impl How {
    pub(super) fn team(&self) -> Result<&str, Failure> {
        let advice = "--team TEAM, or TURNWISE_TEAM in the environment";
        self.team.as_deref().ok_or_else(|| Failure::usage("of which team?").advise(advice))
    }

    /// Whether it says anything about the way or the owners, which may be in a file instead.
    pub(super) fn has_way(&self) -> bool {
        let By { campaign, rule, group, rep } = &self.by;
        [campaign, rule, group, rep].iter().any(|by| by.is_some())
    }

    pub(super) fn has_owner(&self) -> bool {
        !self.owner.is_empty()
    }

    /// The request, but for the contact.
    pub(super) async fn request(self, client: &Client) -> Result<AssignContactRequest, Failure> {
        let team = self.team()?.to_owned();
        let Self { team: _, by, owner, prefer_last_rep, priority, labels } = self;
        let owners = match owner.is_empty() {
            true => Owners::default(),
            false => Owners::new(&pages::reps(client, &team).await?),
        };
        let mut found = Vec::new();
        for (kind, text) in &owner {
            found.extend(owners.resolve(*kind, text).map_err(Failure::failed)?);
        }
        let By { campaign, rule, group, rep } = by;
        let campaign = campaign.map(|id| Via::Campaign(names::campaign(&team, &id)));
        let rule = rule.map(|id| Via::RoutingRule(names::rule(&team, &id)));
        let group = group.map(|id| Via::Group(names::group(&team, &id)));
        let rep = rep.map(|id| Via::Rep(names::rep(&team, &id)));
        Ok(AssignContactRequest {
            parent: names::team(&team),
            via: campaign.or(rule).or(group).or(rep),
            owners: found,
            prefer_last_rep,
            priority,
            labels: labels.map(),
            ..AssignContactRequest::default()
        })
    }
}

fn owner(text: &str) -> Result<(OwnerKind, String), String> {
    let (kind, owner) =
        text.split_once('=').ok_or("not KIND=OWNER, such as lead=ana@example.com")?;
    Ok((words::owner_kind(kind)?, owner.to_owned()))
}
