//! Counts gRPC calls when they end, by method and code, as a tower layer around the server.
//!
//! The code of a call is known at one of two places: in the headers, where nothing else follows, or
//! in the trailers. A call that ends without either was given up by the caller: `CANCELLED`. Only
//! methods that answered something else than UNIMPLEMENTED are counted under their own name, so that
//! made-up paths do not grow the registry.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body::Body;
use tonic::{
    Code,
    codegen::http::{HeaderMap, Request, Response},
};
use tower::{Layer, Service};

use super::metrics::{CallLabels, Metrics};

/// Puts the counting around a service.
#[derive(Debug, Clone)]
pub struct CallMetricsLayer {
    metrics: Arc<Metrics>,
}

impl CallMetricsLayer {
    /// Counts into `metrics.calls`.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl<S> Layer<S> for CallMetricsLayer {
    type Service = CountedCalls<S>;

    fn layer(&self, inner: S) -> CountedCalls<S> {
        CountedCalls { inner, metrics: Arc::clone(&self.metrics) }
    }
}

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub struct CountedCalls<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S, Q, P> Service<Request<Q>> for CountedCalls<S>
where
    S: Service<Request<Q>, Response = Response<P>>,
{
    type Response = Response<CountedBody<P>>;
    type Error = S::Error;
    type Future = CountedCall<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let count = Count { metrics: Arc::clone(&self.metrics), method, known: false, done: false };
        CountedCall { inner: Box::pin(self.inner.call(request)), count: Some(count) }
    }
}

/// A call that is under way.
#[derive(Debug)]
pub struct CountedCall<F> {
    inner: Pin<Box<F>>,
    count: Option<Count>,
}

impl<F, P, E> Future for CountedCall<F>
where
    F: Future<Output = Result<Response<P>, E>>,
{
    type Output = Result<Response<CountedBody<P>>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.inner.as_mut().poll(context))?;
        let mut count = self.count.take();
        if let Some(count) = &mut count {
            count.known = true;
            count.end_if_known(response.headers());
        }
        Poll::Ready(Ok(response.map(|inner| CountedBody { inner, count })))
    }
}

/// An answer that is under way.
#[derive(Debug)]
pub struct CountedBody<P> {
    inner: P,
    count: Option<Count>,
}

impl<P> Body for CountedBody<P>
where
    P: Body + Unpin,
{
    type Data = P::Data;
    type Error = P::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let (Some(Ok(frame)), Some(count)) = (&frame, &mut self.count)
            && let Some(trailers) = frame.trailers_ref()
        {
            count.end_if_known(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

/// Counts its call once: when the code is known, or else when it is dropped.
#[derive(Debug)]
struct Count {
    metrics: Arc<Metrics>,
    method: String,
    /// Whether this node answered, so that the method may be one it serves.
    known: bool,
    done: bool,
}

impl Count {
    fn end_if_known(&mut self, headers: &HeaderMap) {
        if let Some(code) = headers.get("grpc-status") {
            self.end(Code::from_bytes(code.as_bytes()));
        }
    }

    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let served = self.known && code != Code::Unimplemented;
        let method = if served { std::mem::take(&mut self.method) } else { "unknown".to_owned() };
        self.metrics.calls.get_or_create(&CallLabels { method, code: name(code) }).inc();
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::pin,
        sync::Arc,
        task::{Context, Poll, Waker},
    };

    use http_body::{Body, Frame};
    use tonic::codegen::http::{HeaderMap, HeaderValue, Request, Response};
    use tower::{Layer as _, Service};

    use super::{CallMetricsLayer, Metrics};

    /// A body of one frame: trailers with this status.
    struct Trailers(Option<&'static str>);

    impl Body for Trailers {
        type Data = bytes::Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<bytes::Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|status| Ok(Frame::trailers(headers(status)))))
        }
    }

    fn headers(status: &'static str) -> HeaderMap {
        HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(status))])
    }

    /// Answers each path in its own way.
    #[derive(Clone)]
    struct Server;

    impl Service<Request<()>> for Server {
        type Response = Response<Trailers>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<Trailers>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<()>) -> Self::Future {
            let mut response = Response::new(Trailers(Some("0")));
            match request.uri().path() {
                "/turnwise.v1.TeamService/GetTeam" => {}
                "/turnwise.v1.TeamService/CreateTeam" => *response.headers_mut() = headers("14"),
                _ => *response.headers_mut() = headers("12"),
            }
            std::future::ready(Ok(response))
        }
    }

    #[test]
    fn calls_are_counted_once_by_method_and_code() {
        let metrics = Arc::new(Metrics::new());
        let mut server = CallMetricsLayer::new(Arc::clone(&metrics)).layer(Server);
        let mut context = Context::from_waker(Waker::noop());
        let mut call = |method: &str, read_to_the_end: bool| {
            let request = Request::builder().uri(format!("http://node/{method}")).body(()).unwrap();
            let answer = pin!(server.call(request)).poll(&mut context);
            let Poll::Ready(Ok(response)) = answer else { panic!("the server answers at once") };
            let mut body = pin!(response.into_body());
            while read_to_the_end
                && matches!(body.as_mut().poll_frame(&mut context), Poll::Ready(Some(_)))
            {
            }
        };
        call("turnwise.v1.TeamService/GetTeam", true);
        call("turnwise.v1.TeamService/GetTeam", true);
        call("turnwise.v1.TeamService/GetTeam", false);
        call("turnwise.v1.TeamService/CreateTeam", true);
        call("made.up/Path1", true);
        call("made.up/Path2", true);

        let text = metrics.encode();
        for (method, code, count) in [
            ("turnwise.v1.TeamService/GetTeam", "OK", 2),
            ("turnwise.v1.TeamService/GetTeam", "CANCELLED", 1),
            ("turnwise.v1.TeamService/CreateTeam", "UNAVAILABLE", 1),
            ("unknown", "UNIMPLEMENTED", 2),
        ] {
            let line =
                format!("turnwise_calls_total{{method=\"{method}\",code=\"{code}\"}} {count}");
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("made.up"), "{text}");
    }
}
