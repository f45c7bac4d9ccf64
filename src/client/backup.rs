//! A backup over one stream, begun anew on another node when it breaks.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tonic::Status;

use super::{
    answer::{Error, retryable},
    connection::Client,
    retry::{Event, Step},
};
use crate::proto::turnwise::v1::{
    BackupMetadata, BackupRequest, BackupResponse, backup_response::Part,
    cluster_service_client::ClusterServiceClient,
};

/// Streams that may break in their middle before nothing more is tried.
const BROKEN_MAX: u32 = 3;

/// What comes of a backup, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum BackupPart {
    /// It begins, perhaps once more: bytes that came before are of no use.
    Begin(BackupMetadata),
    /// The next bytes of the file.
    Bytes(Bytes),
}

/// Why a stream ended.
enum Ended<E> {
    Whole,
    Caller(E),
    Broken(Status),
}

impl Client {
    /// Takes a backup from whichever node answers, and calls `each` with its parts.
    ///
    /// That the last bytes have come is what the file's trailer says: whoever has written the file reads it
    /// once more.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`]; [`Error::Unavailable`] if no node could be reached within the client's deadline,
    /// or sent nothing for as long, or streams broke again and again; or what `each` returned.
    pub async fn backup<E: From<Error>>(
        &self,
        mut each: impl FnMut(BackupPart) -> Result<(), E>,
    ) -> Result<(), E> {
        let deadline = self.options.deadline;
        let mut start = Instant::now();
        let mut retry = self.retry(deadline);
        let mut last = "it was never sent".to_owned();
        let mut happened = Event::Start;
        let mut broken = 0;
        loop {
            let endpoint = match retry.step(happened, start.elapsed(), rand::random()) {
                Step::GiveUp => return Err(Error::Unavailable { deadline, last }.into()),
                Step::Wait { until } => {
                    tokio::time::sleep_until(start + until).await;
                    happened = Event::Woke;
                    continue;
                }
                Step::Send { endpoint, until: _ } => endpoint,
            };
            let mut has_begun = false;
            let ended = Box::pin(self.receive(endpoint, &mut has_begun, &mut each)).await;
            let status = match ended {
                Ended::Whole => return Ok(()),
                Ended::Caller(error) => return Err(error),
                Ended::Broken(status) => status,
            };
            let Some(answer) = retryable(&status, |address| self.endpoint_of(address)) else {
                return Err(Error::Refused(Box::new(status)).into());
            };
            last = self.describe(endpoint, &status);
            if has_begun {
                broken += 1;
                if broken == BROKEN_MAX {
                    return Err(Error::Unavailable { deadline, last }.into());
                }
                start = Instant::now();
                retry = self.retry(deadline);
            }
            happened = Event::Answered(answer);
        }
    }

    /// Takes one stream to its end.
    async fn receive<E>(
        &self,
        endpoint: usize,
        has_begun: &mut bool,
        each: &mut impl FnMut(BackupPart) -> Result<(), E>,
    ) -> Ended<E> {
        let mut service = ClusterServiceClient::new(self.channel(endpoint));
        let opening = service.backup(self.request(BackupRequest {}));
        let mut stream = match within(self.options.policy.attempt_max, opening).await {
            Ok(response) => response.into_inner(),
            Err(status) => return Ended::Broken(status),
        };
        self.prefer(endpoint);
        loop {
            let message = match within(self.options.deadline, stream.message()).await {
                Ok(Some(message)) => message,
                Ok(None) if *has_begun => return Ended::Whole,
                Ok(None) => return Ended::Broken(Status::cancelled("the node sent nothing")),
                Err(status) => return Ended::Broken(status),
            };
            let BackupResponse { part } = message;
            let part = match part {
                Some(Part::Metadata(metadata)) => {
                    *has_begun = true;
                    BackupPart::Begin(metadata)
                }
                Some(Part::Chunk(bytes)) => BackupPart::Bytes(bytes),
                // A newer node may send more than we know; it is no part of the file.
                None => continue,
            };
            if let Err(error) = each(part) {
                return Ended::Caller(error);
            }
        }
    }
}

async fn within<T>(
    time: Duration,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let answer = tokio::time::timeout(time, Box::pin(call)).await;
    answer.unwrap_or_else(|_| Err(Status::cancelled("no answer in time")))
}
