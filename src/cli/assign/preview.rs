//! `turnwise assign preview`: who would be next, also if something were different.

use serde_json::{Value, json};

use super::{how::How, why::why};
use crate::{
    cli::{
        Context,
        change::say,
        failure::{Failure, to},
        names,
        targets::{self, Target},
        words,
    },
    client::Client,
    proto::turnwise::v1::{
        AssignContactRequest, CampaignRetarget, GetGroupRequest, GroupKind, GroupMember,
        GroupMemberAddition, HypotheticalChange, PreviewAssignContactRequest, PreviewedPick,
        campaign_retarget::By, hypothetical_change::Change as Supposed,
    },
};

pub(super) const HELP: &str = "\
The picks are those that would follow if nothing else happened; the second and later ones are for contacts \
never seen. What is supposed with --if-… is supposed in this order: who is out, who is added, where \
campaigns go.

Examples:
  turnwise assign preview --team sales --campaign spring --count 5
  turnwise assign preview c-17 --team sales --campaign spring --owner lead=ana@example.com
  turnwise assign preview --team sales --campaign spring --count 5 --if-out ana --if-member west=dora
  turnwise assign preview --team sales --campaign spring --if-target spring=group:north";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Which contact, by your own id [default: one never seen]
    contact: Option<String>,
    #[command(flatten)]
    how: How,
    /// How many picks to show
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
    /// Suppose that this rep is out of office; may be given several times
    #[arg(long, value_name = "REP")]
    if_out: Vec<String>,
    /// Suppose that this member is added to a group; may be given several times
    #[arg(long, value_name = "GROUP=MEMBER", value_parser = pair)]
    if_member: Vec<(String, String)>,
    /// Suppose that a campaign goes there, or rule:RULE, or default; several are tried in order
    #[arg(long, value_name = "CAMPAIGN=TARGET", value_parser = pair)]
    if_target: Vec<(String, String)>,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let Arguments { contact, how, count, if_out, if_member, if_target } = arguments;
    let team = how.team()?.to_owned();
    let client = context.client()?;
    let out = if_out.iter().map(|rep| Supposed::RepOutOfOffice(names::rep(&team, rep)));
    let mut changes: Vec<Supposed> = out.collect();
    for (group, member) in &if_member {
        changes.push(added(&client, &team, group, member).await?);
    }
    changes.extend(retargets(&team, &if_target).map_err(Failure::usage)?);
    let request = AssignContactRequest {
        contact: contact.unwrap_or_default(),
        ..how.request(&client).await?
    };
    let changes = changes.into_iter().map(|change| HypotheticalChange { change: Some(change) });
    let request = PreviewAssignContactRequest {
        request: Some(request),
        count: count.into(),
        changes: changes.collect(),
    };
    let answer = client.call(request).await.map_err(to("preview"))?;
    say(&format!("nothing was changed; as of log index {}, this would be next:", answer.log_index));
    let rows: Vec<Vec<Value>> = answer.picks.iter().zip(1..).map(row).collect();
    let picks: Vec<Value> = rows.iter().map(|row| object(row)).collect();
    let whole = json!({ "log_index": answer.log_index, "picks": picks });
    context.output.document(&whole, COLUMNS, &rows)
}

const COLUMNS: &[&str] = &["pick", "rep", "option", "state", "cause", "target", "existing", "why"];

fn row((pick, number): (&PreviewedPick, u64)) -> Vec<Value> {
    let assignment = pick.assignment.clone().unwrap_or_default();
    vec![
        number.into(),
        names::id(&assignment.rep).into(),
        assignment.option.as_ref().map_or("", |option| option.id.as_str()).into(),
        words::state(assignment.state()).into(),
        words::cause(assignment.cause()).into(),
        assignment.target_index.map_or(Value::Null, Value::from),
        pick.existing.into(),
        why(&assignment, pick.existing).into(),
    ]
}

fn object(row: &[Value]) -> Value {
    COLUMNS.iter().zip(row).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

async fn added(
    client: &Client,
    team: &str,
    group: &str,
    member: &str,
) -> Result<Supposed, Failure> {
    let name = names::group(team, group);
    let request = GetGroupRequest { name: name.clone() };
    let got = client.call(request).await.map_err(to(format!("get group `{group}`")))?;
    let kind: GroupKind = got.group.unwrap_or_default().kind();
    let member: GroupMember =
        crate::cli::group::member(team, kind, member).map_err(Failure::usage)?;
    Ok(Supposed::GroupMemberAdded(GroupMemberAddition { group: name, member: Some(member) }))
}

/// One retarget for each campaign that is named, in the order of their first naming.
fn retargets(team: &str, words: &[(String, String)]) -> Result<Vec<Supposed>, String> {
    let mut by_campaign: Vec<(&str, Vec<&str>)> = Vec::new();
    for (campaign, target) in words {
        match by_campaign.iter_mut().find(|(known, _)| known == campaign) {
            Some((_, targets)) => targets.push(target),
            None => by_campaign.push((campaign, vec![target])),
        }
    }
    let retarget = |(campaign, words): (&str, Vec<&str>)| {
        let by = match words.as_slice() {
            ["default"] => None,
            [word] if word.starts_with("rule:") => {
                Some(By::RoutingRule(names::rule(team, word.trim_start_matches("rule:"))))
            }
            words => {
                let read: Result<Vec<Target>, String> =
                    words.iter().map(|word| targets::read(word)).collect();
                targets::list(team, &read?)?.map(By::Targets)
            }
        };
        let campaign = names::campaign(team, campaign);
        Ok(Supposed::CampaignRetargeted(CampaignRetarget { campaign, by }))
    };
    by_campaign.into_iter().map(retarget).collect()
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=…, such as west=dora")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{By, Supposed, retargets};
    use crate::cli::targets;

    #[test]
    fn the_targets_of_one_campaign_are_one_retarget() {
        let pair = |campaign: &str, target: &str| (campaign.to_owned(), target.to_owned());
        let words = [
            pair("spring", "owner"),
            pair("summer", "rule:chat"),
            pair("spring", "group:north,wait=1h"),
            pair("winter", "default"),
        ];
        let shown: Vec<String> = retargets("t", &words)
            .unwrap()
            .into_iter()
            .map(|change| match change {
                Supposed::CampaignRetargeted(retarget) => match retarget.by {
                    Some(By::Targets(list)) => targets::show_all(&list.targets).join(" "),
                    Some(By::RoutingRule(name)) => name,
                    None => "default".to_owned(),
                },
                Supposed::RepOutOfOffice(_) | Supposed::GroupMemberAdded(_) => String::new(),
            })
            .collect();
        assert_eq!(shown, ["owner group:north,wait=1h", "teams/t/routingRules/chat", "default"]);
        assert!(retargets("t", &[pair("spring", "north")]).is_err());
    }
}
