//! `TokenService`.

use tonic::{Request, Response, Status};

use crate::{
    proto::turnwise::v1::{
        CreateTokenRequest, CreateTokenResponse, DeleteTokenRequest, DeleteTokenResponse,
        GetTokenRequest, GetTokenResponse, ListTokensRequest, ListTokensResponse, RoleKind, Token,
        UpdateTokenRequest, UpdateTokenResponse, token_service_server::TokenService,
    },
    replica::ReadAt,
    routing::{Reading, State, TokenId},
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
pub(super) struct Tokens {
    pub(super) gateway: Gateway,
}

/// What a list may be filtered by.
const FIELDS: &[&str] = &["display_name", "role.kind", "role.rep", "labels."];

fn value(token: &Token, field: &str) -> Option<String> {
    match field {
        "display_name" => Some(token.display_name.clone()),
        "role.kind" => {
            let kind = RoleKind::try_from(token.role.as_ref()?.kind).ok()?;
            filter::value(kind.as_str_name(), "ROLE_KIND_")
        }
        "role.rep" => Some(token.role.as_ref()?.rep.clone()),
        label => filter::label(label, &token.labels),
    }
}

#[tonic::async_trait]
impl TokenService for Tokens {
    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        change!(self, request, CreateToken)
    }

    async fn get_token(
        &self,
        request: Request<GetTokenRequest>,
    ) -> Result<Response<GetTokenResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut wrong = Violations::default();
        let named = wrong.take("name", names::token(&request.get_ref().name));
        let (team, token) = reads::checked(wrong, named)?;
        let of = team.clone();
        let look = move |state: &State, _: ReadAt| state.token(&of, &token);
        let replica = self.gateway.replica();
        let found = reads::read(replica, caller, Reading::Tokens, &team, look).await?;
        reads::fitting(GetTokenResponse { token: Some(convert::token(&team, found)) })
    }

    async fn list_tokens(
        &self,
        request: Request<ListTokensRequest>,
    ) -> Result<Response<ListTokensResponse>, Status> {
        let caller = Caller::of(&request)?;
        let r = request.into_inner();
        let asked = Asked::read(&r.parent, r.page_size, &r.page_token, &r.filter, FIELDS)?;
        let Asked { team, after, size, filter } = asked;
        let of = team.clone();
        let look = move |state: State, _: ReadAt| {
            paging::scan(
                after,
                size,
                |after, limit| state.tokens(&of, after, limit),
                |token| token.id.clone(),
                TokenId::to_string,
                |token| convert::token(&of, token),
                |token| filter.keeps(|field| value(token, field)),
            )
        };
        let replica = self.gateway.replica();
        let (tokens, next_page_token) =
            reads::on_copy(replica, caller, Reading::Tokens, &team, look).await?;
        reads::fitting(ListTokensResponse { tokens, next_page_token })
    }

    async fn update_token(
        &self,
        request: Request<UpdateTokenRequest>,
    ) -> Result<Response<UpdateTokenResponse>, Status> {
        change!(self, request, UpdateToken)
    }

    async fn delete_token(
        &self,
        request: Request<DeleteTokenRequest>,
    ) -> Result<Response<DeleteTokenResponse>, Status> {
        change!(self, request, DeleteToken)
    }
}
