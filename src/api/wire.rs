//! tonic's own refusals in our words.
//!
//! A message that is too long or malformed never reaches a service: tonic answers with a bare status.
//! This layer gives it the canonical code and an `ErrorInfo`, like any other, and notes when each
//! request came, so that our word on its deadline comes before tonic's.

use std::task::{Context, Poll};

use futures_util::future::{MapOk, TryFutureExt as _};
use tonic::{
    Status,
    body::Body,
    codegen::http::{Request, Response},
};
use tower::{Layer, Service};

use crate::clock;

use super::{deadline::Arrived, status};

#[derive(Debug, Clone, Copy)]
pub(super) struct OurWords;

impl<S> Layer<S> for OurWords {
    type Service = Reworded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Reworded { inner }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Reworded<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for Reworded<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = MapOk<S::Future, fn(Response<Body>) -> Response<Body>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(Arrived(clock::instant()));
        self.inner.call(request).map_ok(reword)
    }
}

fn reword(response: Response<Body>) -> Response<Body> {
    // Only an answer that is nothing but a status has one in its headers.
    match Status::from_header_map(response.headers()) {
        Some(refused) if refused.details().is_empty() => status::from_decoder(refused).into_http(),
        Some(_) | None => response,
    }
}
