//! The calls: one for each assign, or many on one stream.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::stream;
use tokio::task::JoinSet;

use super::{Measured, field::Field};
use crate::{
    cli::failure::Failure,
    client::{Client, Error},
    load::{self, Failed, Figures, Load, Moment, Target, Ticket},
};

/// Before a stream that was given up is begun again.
const PAUSE: Duration = Duration::from_millis(100);

/// Puts the nodes under load, and tells each moment when it is over.
pub(super) async fn run(
    clients: &[Client],
    field: &Arc<Field>,
    measured: &Measured,
    each: impl FnMut(&Moment),
) -> Result<Figures, Failure> {
    let plan = &measured.plan;
    let ran = if measured.is_stream {
        let callers = |load: &Load| {
            let mut callers = JoinSet::new();
            for (place, client) in clients.iter().enumerate() {
                // The first ones take what does not divide.
                let share = (plan.in_flight + clients.len() - 1 - place) / clients.len();
                let (load, client, field) = (load.clone(), client.clone(), Arc::clone(field));
                callers.spawn(stream_all(load, client, field, share));
            }
            callers
        };
        load::run_with(plan, callers, each).await
    } else {
        let target = Arc::new(Unary { clients: clients.to_vec(), field: Arc::clone(field) });
        load::run(&target, plan, each).await
    };
    ran.map_err(|error| Failure::failed(format!("cannot start a thread for the clock: {error}")))
}

/// A call for each assign.
struct Unary {
    clients: Vec<Client>,
    field: Arc<Field>,
}

impl Target for Unary {
    async fn call(&self, caller: usize, number: u64) -> Result<(), Failed> {
        let client = self.clients.iter().cycle().nth(caller % self.clients.len().max(1));
        let client = client.ok_or(Failed("no connection".into()))?;
        client.call(self.field.request(number)).await.map(|_| ()).map_err(|error| class(&error))
    }
}

/// As many as there are, `concurrency` under way at once, on one stream; on another one if it breaks.
async fn stream_all(load: Load, client: Client, field: Arc<Field>, concurrency: usize) {
    if concurrency == 0 {
        return;
    }
    // Those on the stream; answers come in their order.
    let under_way: Mutex<VecDeque<Ticket>> = Mutex::default();
    let locked = || under_way.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let requests = stream::unfold((), |()| async {
            let ticket = load.next().await?;
            locked().push_back(ticket);
            Some((field.request(ticket.number), ()))
        });
        let each = |_, result: Result<_, Error>| {
            if let Some(ticket) = locked().pop_front() {
                load.ended(ticket, result.map(|_| ()).map_err(|error| class(&error)));
            }
            Ok::<(), Error>(())
        };
        let Err(error) = Box::pin(client.assign_stream(requests, concurrency, each)).await else {
            return;
        };
        for ticket in std::mem::take(&mut *locked()) {
            load.ended(ticket, Err(class(&error)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The reason of the service where it gave one, otherwise the code.
fn class(error: &Error) -> Failed {
    Failed(error.reason().map_or_else(|| format!("{:?}", error.code()).into(), Into::into))
}
