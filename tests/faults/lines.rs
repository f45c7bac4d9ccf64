//! Long lines between nodes: what comes in at one end leaves at the other a while later, in order.
//!
//! One listener for each node in the place of its peer port; [`Net`](crate::net::Net) leads the others'
//! connections there. With no delay set, bytes are passed on at once.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
    sync::mpsc,
    task::JoinHandle,
    time::Instant,
};

use crate::{
    cluster::{Res, words},
    net::{self, OUTSIDE},
    ports::PEER_PORT,
};

/// What is under way on one line, in pieces, before the sender has to wait.
const PIECES_MAX: usize = 1_024;
const PIECE_BYTES: usize = 16 * 1_024;

/// The lines to all nodes of a cluster. Dropped, they are cut.
pub(crate) struct Lines {
    /// Milliseconds each way: the least and the most.
    delay: Arc<[AtomicU64; 2]>,
    /// Where each node's line begins.
    pub(crate) begin: Vec<(u64, SocketAddr)>,
    listeners: Vec<JoinHandle<()>>,
}

impl Lines {
    pub(crate) async fn lay(nodes: u64) -> Res<Self> {
        let mut lines = Self { delay: Arc::default(), begin: Vec::new(), listeners: Vec::new() };
        for node in 1..=nodes {
            let listener = TcpListener::bind((OUTSIDE, 0)).await.map_err(words)?;
            lines.begin.push((node, listener.local_addr().map_err(words)?));
            let to = SocketAddr::new(net::address(node), PEER_PORT);
            lines.listeners.push(tokio::spawn(listen(listener, to, Arc::clone(&lines.delay))));
        }
        Ok(lines)
    }

    /// From now on each piece takes so many milliseconds, drawn for each from this range.
    pub(crate) fn delay(&self, least: u64, most: u64) {
        let [low, high] = &*self.delay;
        low.store(least, Ordering::Relaxed);
        high.store(most, Ordering::Relaxed);
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

async fn listen(listener: TcpListener, to: SocketAddr, delay: Arc<[AtomicU64; 2]>) {
    while let Ok((near, _)) = listener.accept().await {
        let delay = Arc::clone(&delay);
        tokio::spawn(async move {
            // The way there and back that a connection takes to be made.
            tokio::time::sleep(2 * drawn(&delay)).await;
            // Nobody there: the caller sees its connection closed.
            let Ok(far) = TcpStream::connect(to).await else { return };
            for stream in [&near, &far] {
                stream.set_nodelay(true).unwrap_or_default();
            }
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::join!(
                pass_on(near_in, far_out, Arc::clone(&delay)),
                pass_on(far_in, near_out, delay),
            );
        });
    }
}

fn drawn(delay: &[AtomicU64; 2]) -> Duration {
    let [low, high] = delay.each_ref().map(|end| end.load(Ordering::Relaxed));
    Duration::from_millis(rand::random_range(low.min(high)..=high.max(low)))
}

/// Until either end is closed, which closes the other a delay later.
async fn pass_on(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    delay: Arc<[AtomicU64; 2]>,
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    let read = async {
        let mut due = Instant::now();
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(count @ 1..) = from.read(&mut piece).await {
            // Never before what was sent before it.
            due = due.max(Instant::now() + drawn(&delay));
            if sender.send((due, piece[..count].to_vec())).await.is_err() {
                break;
            }
        }
        drop(sender);
    };
    let write = async {
        while let Some((due, piece)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
        receiver.close();
    };
    tokio::join!(read, write);
}
