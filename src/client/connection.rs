//! [`Client`]: channels to several nodes, and a call that goes to whichever of them answers.
//!
//! Connections are made when first used and made anew when they break. The client remembers which
//! node answered last and asks it first.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tonic::{
    Request, Status,
    codegen::http::uri::PathAndQuery,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use super::{
    answer::{Error, retryable},
    calls::Call,
    retry::{Event, Policy, Retry, Step},
};

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a call is tried in all; of a stream, how long it may go without progress.
    pub deadline: Duration,
    /// Pauses and the length of one try.
    pub policy: Policy,
    /// Who it is; `None`, for nodes that ask nobody.
    pub credential: Option<Credential>,
}

impl Default for Options {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), policy: Policy::default(), credential: None }
    }
}

/// What a client shows with every call to say who it is, such as `tw_sales/crm_…`.
#[derive(Clone)]
pub struct Credential(MetadataValue<Ascii>);

/// Text that no header can hold. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credential is not one line of printable ASCII, such as tw_sales/crm_…")]
pub struct CredentialError;

impl Credential {
    /// Takes it as it was given out. Whether it opens anything is for the nodes to say.
    ///
    /// # Errors
    ///
    /// [`CredentialError`] for what is empty or no line of printable ASCII.
    pub fn new(text: &str) -> Result<Self, CredentialError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialError);
        }
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {text}").parse().map_err(|_| CredentialError)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An endpoint that is no `host:port`, or none at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{endpoint}` is not host:port, such as 127.0.0.1:7400")]
pub struct EndpointError {
    /// As it was given.
    pub endpoint: String,
}

/// A client of one cluster. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) nodes: Arc<[Node]>,
    preferred: Arc<AtomicUsize>,
    pub(super) options: Options,
}

#[derive(Debug)]
pub(super) struct Node {
    address: String,
    pub(super) channel: Channel,
}

impl Client {
    /// A client of the nodes at these addresses (`host:port`). Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] for the first address that is none; an empty list counts as one.
    pub fn new(endpoints: &[String], options: Options) -> Result<Self, EndpointError> {
        let nodes: Result<Vec<Node>, EndpointError> =
            endpoints.iter().map(|address| Node::new(address.trim())).collect();
        let nodes: Arc<[Node]> = nodes?.into();
        if nodes.is_empty() {
            return Err(EndpointError { endpoint: String::new() });
        }
        Ok(Self { nodes, preferred: Arc::default(), options })
    }

    /// Makes a call, on whichever node answers, until it has a final answer or the deadline is over.
    ///
    /// A call that changes something gets a fresh request id, unless it brings one.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] as answered, [`Error::Unavailable`] after the deadline.
    pub async fn call<C: Call>(&self, mut call: C) -> Result<C::Answer, Error> {
        if let Some(id) = call.request_id()
            && id.is_empty()
        {
            *id = fresh_request_id();
        }
        let start = Instant::now();
        let mut retry = self.retry(self.options.deadline);
        let mut last = "it was never sent".to_owned();
        let mut step = retry.step(Event::Start, Duration::ZERO, 0);
        loop {
            let event = match step {
                Step::GiveUp => {
                    return Err(Error::Unavailable { deadline: self.options.deadline, last });
                }
                Step::Wait { until } => {
                    tokio::time::sleep_until(start + until).await;
                    Event::Woke
                }
                Step::Send { endpoint, until } => {
                    let status = match self.attempt(endpoint, call.clone(), start + until).await {
                        Ok(answer) => {
                            self.prefer(endpoint);
                            return Ok(answer);
                        }
                        Err(status) => status,
                    };
                    let Some(answer) = retryable(&status, |address| self.endpoint_of(address))
                    else {
                        return Err(Error::Refused(Box::new(status)));
                    };
                    last = self.describe(endpoint, &status);
                    Event::Answered(answer)
                }
            };
            step = retry.step(event, start.elapsed(), rand::random());
        }
    }

    async fn attempt<C: Call>(
        &self,
        endpoint: usize,
        call: C,
        until: Instant,
    ) -> Result<C::Answer, Status> {
        let channel = self.channel(endpoint);
        let mut request = self.request(call);
        request.set_timeout(until.saturating_duration_since(Instant::now()));
        let answered = async move {
            let mut grpc = tonic::client::Grpc::new(channel);
            grpc.ready().await.map_err(|error| Status::unavailable(root_cause(&error)))?;
            let path = PathAndQuery::from_static(C::PATH);
            grpc.unary(request, path, ProstCodec::<C, C::Answer>::default()).await
        };
        // The node keeps the deadline too, but one that is stopped can't.
        let answer = tokio::time::timeout_at(until, Box::pin(answered)).await;
        let answer = answer.unwrap_or_else(|_| Err(Status::cancelled("no answer in time")));
        Ok(answer?.into_inner())
    }

    /// A request that says who asks.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(Credential(value)) = &self.options.credential {
            request.metadata_mut().insert("authorization", value.clone());
        }
        request
    }

    pub(super) fn retry(&self, deadline: Duration) -> Retry {
        let first = self.preferred.load(Ordering::Relaxed);
        Retry::new(self.options.policy, self.nodes.len(), first, deadline)
    }

    pub(super) fn prefer(&self, endpoint: usize) {
        self.preferred.store(endpoint, Ordering::Relaxed);
    }

    pub(super) fn channel(&self, endpoint: usize) -> Channel {
        self.nodes.get(endpoint).expect("retry counts our nodes").channel.clone()
    }

    pub(super) fn describe(&self, endpoint: usize, status: &Status) -> String {
        let address = self.nodes.get(endpoint).map_or("", |node| node.address.as_str());
        let cause = std::error::Error::source(status).map(root_cause);
        format!("{address}: {}", cause.unwrap_or_else(|| status.message().to_owned()))
    }

    pub(super) fn endpoint_of(&self, address: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.address == address)
    }
}

impl Node {
    fn new(address: &str) -> Result<Self, EndpointError> {
        let wrong = || EndpointError { endpoint: address.to_owned() };
        let port = address.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(1..))) {
            return Err(wrong());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| wrong())?;
        let channel = endpoint
            .connect_timeout(Duration::from_secs(1))
            .http2_keep_alive_interval(Duration::from_secs(5))
            .keep_alive_timeout(Duration::from_secs(3))
            .tcp_nodelay(true)
            .connect_lazy();
        Ok(Self { address: address.to_owned(), channel })
    }
}

/// 128 random bits as 32 hex digits: the id of one intended change.
#[must_use]
pub(super) fn fresh_request_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// The innermost cause, such as `Connection refused`: the layers above only repeat that it failed.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::{Client, Credential, CredentialError, Options, fresh_request_id};

    #[tokio::test]
    async fn an_endpoint_is_host_and_port() {
        let client = |endpoints: &[&str]| {
            let endpoints: Vec<String> = endpoints.iter().map(|text| (*text).to_owned()).collect();
            Client::new(&endpoints, Options::default())
        };
        assert!(client(&["127.0.0.1:7400", " node-2.turnwise:7400", "[::1]:7400"]).is_ok());
        for wrong in ["", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "a b:7400"] {
            let error = client(&["127.0.0.1:7400", wrong]).unwrap_err();
            assert_eq!(error.endpoint, wrong);
        }
        assert!(client(&[]).is_err());
    }

    #[test]
    fn a_credential_is_one_line_and_never_shown() {
        let options =
            Options { credential: Credential::new("tw_t/x_0123").ok(), ..Options::default() };
        assert!(options.credential.is_some());
        let shown = format!("{options:?}");
        assert!(shown.contains("***") && !shown.contains("0123"), "{shown}");
        for wrong in ["", " ", "a b", "tw_t/x_0\n", "tw_t/x_0\0", "tw_t/x_é", "a\u{7f}"] {
            assert_eq!(Credential::new(wrong).unwrap_err(), CredentialError, "{wrong:?}");
        }
    }

    #[test]
    fn request_ids_are_fresh_and_of_the_allowed_shape() {
        let (one, other) = (fresh_request_id(), fresh_request_id());
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
