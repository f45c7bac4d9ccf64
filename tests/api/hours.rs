//! Working hours that were expanded long ago are expanded further by the node that leads.

use std::sync::Arc;

use turnwise::{
    clock, hours,
    routing::{
        Command, Hours, IntervalSet, Operation, Principal, RepChange, RepId, TeamId, Time,
        WeeklySpan,
        limits::{HOURS_AHEAD_US, HOURS_RENEWED_UNDER_US},
    },
    timers,
};

use crate::nodes::{Node, Nodes};

const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;

/// Nine to five on Mondays, known for so long from now.
fn mondays(known_us: u64) -> Hours {
    Hours {
        time_zone: "Europe/Berlin".to_owned(),
        weekly: vec![WeeklySpan { weekday: 1, start_minute: 540, end_minute: 1_020 }],
        holidays: vec!["2026-12-28".to_owned()],
        open: IntervalSet::default(),
        horizon: Time(clock::wall().0 + known_us),
    }
}

async fn set(node: &Node, rep: &str, hours: Hours) {
    let change = RepChange { hours: Some(Some(hours)), ..RepChange::default() };
    let command = Command {
        request: None,
        principal: Principal::default(),
        team: TeamId::new("t"),
        etag: None,
        operation: Operation::UpdateRep { rep: RepId::new(rep), change },
    };
    node.replica.propose(command).await.unwrap().unwrap();
}

async fn seen(node: &Node, rep: &str) -> Hours {
    let (team, rep) = (TeamId::new("t"), RepId::new(rep));
    let hours = node.replica.read(move |state, _| state.rep(&team, &rep).unwrap().hours);
    Arc::unwrap_or_clone(hours.await.unwrap().unwrap())
}

#[tokio::test]
async fn hours_known_for_less_than_370_days_are_expanded_to_400_and_others_are_left() {
    let nodes = Nodes::one().await;
    let node = nodes.leader();
    node.set_up().await;
    let enough = mondays(HOURS_RENEWED_UNDER_US + DAY_US);
    set(node, "a", mondays(HOURS_RENEWED_UNDER_US - DAY_US)).await;
    set(node, "b", enough.clone()).await;
    set(node, "c", Hours { time_zone: "Mars/Olympus".to_owned(), ..mondays(0) }).await;
    let timers = tokio::spawn(timers::run(node.replica.clone()));
    let renewed = loop {
        let now = seen(node, "a").await;
        if !now.open.intervals().is_empty() {
            break now;
        }
        tokio::task::yield_now().await;
    };
    assert!(renewed.say_the_same(&mondays(0)));
    let from = Time(renewed.horizon.0 - HOURS_AHEAD_US);
    assert!(from <= clock::wall());
    let (open, _) =
        hours::expand("Europe/Berlin", &renewed.weekly, &renewed.holidays, from).unwrap();
    assert_eq!(renewed.open, open);
    assert_eq!(seen(node, "b").await, enough);
    assert!(seen(node, "c").await.open.intervals().is_empty(), "nobody knows that zone");
    timers.abort();
}
