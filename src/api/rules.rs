//! `RoutingRuleService`.

use tonic::{Request, Response, Status};

use crate::{
    proto::turnwise::v1::{
        CreateRoutingRuleRequest, CreateRoutingRuleResponse, DeleteRoutingRuleRequest,
        DeleteRoutingRuleResponse, GetRoutingRuleRequest, GetRoutingRuleResponse,
        ListRoutingRulesRequest, ListRoutingRulesResponse, RoutingRule, UpdateRoutingRuleRequest,
        UpdateRoutingRuleResponse, routing_rule_service_server::RoutingRuleService,
    },
    replica::ReadAt,
    routing::{Reading, RuleId, State},
};

use super::{
    Gateway,
    authenticate::Caller,
    convert, filter,
    gateway::change,
    names,
    paging::{self, Asked},
    reads,
    violations::Violations,
};

#[derive(Debug)]
pub(super) struct Rules {
    pub(super) gateway: Gateway,
}

/// What a list may be filtered by.
const FIELDS: &[&str] = &["display_name", "labels."];

fn value(rule: &RoutingRule, field: &str) -> Option<String> {
    match field {
        "display_name" => Some(rule.display_name.clone()),
        label => filter::label(label, &rule.labels),
    }
}

#[tonic::async_trait]
impl RoutingRuleService for Rules {
    async fn create_routing_rule(
        &self,
        request: Request<CreateRoutingRuleRequest>,
    ) -> Result<Response<CreateRoutingRuleResponse>, Status> {
        change!(self, request, CreateRoutingRule)
    }

    async fn get_routing_rule(
        &self,
        request: Request<GetRoutingRuleRequest>,
    ) -> Result<Response<GetRoutingRuleResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::rule(&request.get_ref().name));
        let (team, rule) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look = move |state: &State, _: ReadAt| state.rule(&of, &rule);
        let found = reads::read(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(GetRoutingRuleResponse { routing_rule: Some(convert::rule(&team, found)) })
    }

    async fn list_routing_rules(
        &self,
        request: Request<ListRoutingRulesRequest>,
    ) -> Result<Response<ListRoutingRulesResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let asked = Asked::read(&r.parent, r.page_size, &r.page_token, &r.filter, FIELDS)?;
        let Asked { team, after, size, filter } = asked;
        let of = team.clone();
        let look = move |state: State, _: ReadAt| {
            paging::scan(
                after,
                size,
                |after, limit| state.rules(&of, after, limit),
                |rule| rule.id.clone(),
                RuleId::to_string,
                |rule| convert::rule(&of, rule),
                |rule| filter.keeps(|field| value(rule, field)),
            )
        };
        let (routing_rules, next_page_token) =
            reads::on_copy(self.gateway.replica(), caller, Reading::Team, &team, look).await?;
        reads::fitting(ListRoutingRulesResponse { routing_rules, next_page_token })
    }

    async fn update_routing_rule(
        &self,
        request: Request<UpdateRoutingRuleRequest>,
    ) -> Result<Response<UpdateRoutingRuleResponse>, Status> {
        change!(self, request, UpdateRoutingRule)
    }

    async fn delete_routing_rule(
        &self,
        request: Request<DeleteRoutingRuleRequest>,
    ) -> Result<Response<DeleteRoutingRuleResponse>, Status> {
        change!(self, request, DeleteRoutingRule)
    }
}
