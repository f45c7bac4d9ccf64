//! Client connections: how many there may be, which thread serves one, and that small answers leave at once.
//!
//! One connection too many is closed as soon as it is made: the ones that are there go on as they were. One more
//! goes to the thread that serves the fewest.

use std::{
    io, net,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, future};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// After one that could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection that counts as one until it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    _counts: Counts,
}

/// What a connection takes: one of those that there may be, and a share of its thread.
#[derive(Debug)]
struct Counts {
    _free: OwnedSemaphorePermit,
    _share: Arc<()>,
}

/// A connection on its way to its thread.
#[derive(Debug)]
pub(super) struct Admitted {
    stream: net::TcpStream,
    counts: Counts,
}

/// Hands connections over to one thread.
#[derive(Debug)]
pub(super) struct Handoff {
    /// No more wait there than there may be connections.
    connections: mpsc::UnboundedSender<Admitted>,
    /// Held by each connection there.
    share: Arc<()>,
}

/// The end that hands over, and what comes out on the thread.
pub(super) fn handoff() -> (Handoff, impl Stream<Item = io::Result<Connection>>) {
    let (connections, admitted) = mpsc::unbounded_channel();
    let opened = UnboundedReceiverStream::new(admitted)
        .filter_map(|Admitted { stream, counts }| future::ready(open(stream, counts).map(Ok)));
    (Handoff { connections, share: Arc::default() }, opened)
}

/// On the thread that serves it, whose runtime watches over it from now on.
fn open(stream: net::TcpStream, counts: Counts) -> Option<Connection> {
    let stream = TcpStream::from_std(stream).inspect_err(not_accepted).ok()?;
    Some(Connection { stream, _counts: counts })
}

/// Whether it says something of one connection only.
fn is_its_own(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

fn not_accepted(error: &io::Error) {
    tracing::warn!(%error, "a connection was not accepted");
}

/// The connections that are made to a listener, each to send small messages at once. One that fails is passed over,
/// and no more than twenty a second are tried while there is no descriptor for any.
pub fn accepted(listener: TcpListener) -> impl Stream<Item = TcpStream> + Send {
    sound(TcpListenerStream::new(listener))
}

fn sound(
    accepted: impl Stream<Item = io::Result<TcpStream>> + Send,
) -> impl Stream<Item = TcpStream> + Send {
    accepted.filter_map(async |stream| {
        // One that failed while it was accepted; the listener goes on.
        let stream = match stream.inspect_err(not_accepted) {
            Ok(stream) => stream,
            Err(error) if is_its_own(&error) => return None,
            Err(_) => {
                // Such as that there is no descriptor for it: it would fail again at once.
                tokio::time::sleep(PAUSE).await;
                return None;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended as it began");
            return None;
        }
        Some(stream)
    })
}

/// Takes connections for as long as it is polled, at most `connections_max` at a time, and hands each to the
/// thread that has the fewest.
pub(super) async fn accept(listener: TcpListener, connections_max: usize, threads: &[Handoff]) {
    let free = Arc::new(Semaphore::new(connections_max));
    let mut accepted = pin!(accepted(listener));
    while let Some(stream) = accepted.next().await {
        let Ok(permit) = Arc::clone(&free).try_acquire_owned() else {
            tracing::warn!("a connection was closed: connections_max are open");
            continue;
        };
        let fewest = threads.iter().min_by_key(|thread| Arc::strong_count(&thread.share));
        let Some(thread) = fewest else { return };
        let counts = Counts { _free: permit, _share: Arc::clone(&thread.share) };
        let Ok(stream) = stream.into_std().inspect_err(not_accepted) else { continue };
        // A thread that takes no more is about to end.
        drop(thread.connections.send(Admitted { stream, counts }));
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

/// Not vectored, on purpose: h2 then copies answers of up to 1,024 bytes behind each other and writes them in one
/// piece; on a vectored stream it does so up to 256, and each that is longer is a write of its own.
impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, task::JoinSet};

    use super::*;
    use crate::clock;

    #[tokio::test]
    async fn a_connection_beyond_the_limit_is_closed_and_the_others_stay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (one, incoming) = handoff();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move { accept(listener, 2, &[one]).await });
        let mut incoming = Box::pin(incoming);
        let mut clients = Vec::new();
        let mut admitted = Vec::new();
        for _ in 0..2 {
            clients.push(TcpStream::connect(address).await.unwrap());
            admitted.push(incoming.next().await.unwrap().unwrap());
        }
        let mut refused = TcpStream::connect(address).await.unwrap();
        let closed = refused.read_u8();
        tokio::select! {
            _ = incoming.next() => panic!("a third connection was admitted"),
            read = closed => assert!(read.is_err()),
        }
        admitted.pop();
        let _client = TcpStream::connect(address).await.unwrap();
        assert!(incoming.next().await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_connection_goes_to_the_thread_that_has_the_fewest() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ((one, first), (other, second)) = (handoff(), handoff());
        let mut accepting = JoinSet::new();
        accepting.spawn(async move { accept(listener, 9, &[one, other]).await });
        let (mut first, mut second) = (Box::pin(first), Box::pin(second));
        let mut clients = Vec::new();
        let mut connect = async || clients.push(TcpStream::connect(address).await.unwrap());
        connect().await;
        let one = first.next().await.unwrap().unwrap();
        connect().await;
        let _two = second.next().await.unwrap().unwrap();
        connect().await;
        let _three = first.next().await.unwrap().unwrap();
        drop(one);
        connect().await;
        let _four = first.next().await.unwrap().unwrap();
    }

    /// A listener that has no descriptor for a connection says so at once, for as long as the connection waits.
    #[tokio::test]
    async fn a_listener_without_descriptors_is_not_asked_all_the_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let none_left = || Err(rustix::io::Errno::MFILE.into());
        let reset = || Err(io::ErrorKind::ConnectionReset.into());
        let accepted = [none_left(), reset(), none_left(), Ok(stream)];
        let began = clock::monotonic();
        let mut sound = pin!(sound(futures_util::stream::iter(accepted)));
        assert!(sound.next().await.unwrap().nodelay().unwrap());
        assert!(clock::monotonic() - began >= 2 * PAUSE, "it waits after each of the two");
        assert!(sound.next().await.is_none());
    }
}
