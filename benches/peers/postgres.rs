//! A client of PostgreSQL for what is compared: assign, assign many.
//!
//! Calls are prepared once a connection. Callers that share one write their calls one after the other without
//! waiting for answers, as `tokio-postgres` does by itself; each call is a transaction of its own all the same.

use std::borrow::Cow;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

use super::{
    check::{Answer, Answers},
    job::{BATCH, DETAILS, Job, contact_id, ring},
};
use ::turnwise::load::{Failed, Target};

#[derive(Debug)]
struct Connection {
    client: Client,
    assign: Statement,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects, and lays the tables out if nobody has.
async fn connect(address: &str, job: Job, call: &str) -> Vec<Connection> {
    let (host, port) = address.split_once(':').expect("host and port");
    let mut config = Config::new();
    config.host(host).port(port.parse().unwrap()).user("turnwise").dbname("postgres");
    let mut connections = Vec::new();
    for place in 0..job.connections {
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let task = tokio::spawn(async move {
            // What goes wrong with it, its callers are told.
            drop(connection.await);
        });
        if place == 0 {
            client.batch_execute(include_str!("assign.sql")).await.unwrap();
            let groups: Vec<_> = job.groups().map(i64::from).collect();
            let ring: Vec<_> = ring().collect();
            let insert = "INSERT INTO groups (group_id, ring)
                SELECT it::integer, $2 FROM unnest($1::bigint[]) AS it ON CONFLICT DO NOTHING";
            client.execute(insert, &[&groups, &ring]).await.unwrap();
        }
        let assign = client.prepare(call).await.unwrap();
        connections.push(Connection { client, assign, task });
    }
    connections
}

fn failed(error: tokio_postgres::Error) -> Failed {
    let code = error.code().map(|code| format!("SQLSTATE {}", code.code()));
    Failed(code.map_or(Cow::Borrowed("UNAVAILABLE"), Cow::Owned))
}

fn answer(contact: u64, group: u32, row: &Row) -> Result<Answer, Failed> {
    let seq: i64 = row.try_get(0).map_err(failed)?;
    let rep: &str = row.try_get(1).map_err(failed)?;
    Ok(Answer::new(contact, group, seq.cast_unsigned(), rep))
}

/// One call of `assign_contact`, which is one transaction.
#[derive(Debug)]
pub(crate) struct Assign {
    connections: Vec<Connection>,
    job: Job,
    pub(crate) answers: Answers,
}

impl Assign {
    pub(crate) async fn new(addresses: &[String], job: Job) -> Self {
        let call = "SELECT seq, rep FROM assign_contact($1, $2, $3)";
        let connections = connect(&addresses[0], job, call).await;
        Self { connections, job, answers: Answers::of(job.callers) }
    }
}

impl Target for Assign {
    async fn call(&self, caller: usize, number: u64) -> Result<(), Failed> {
        self.answers.ask(1);
        let connection = &self.connections[caller % self.connections.len()];
        let group = self.job.group(number);
        let (group_id, contact) = (group.cast_signed(), contact_id(number));
        let row = connection
            .client
            .query_one(&connection.assign, &[&group_id, &contact, &DETAILS])
            .await
            .map_err(failed)?;
        self.answers.add(caller, [answer(number, group, &row)?]);
        Ok(())
    }
}

/// 64 assigns in one transaction: one call of `assign_contacts`.
#[derive(Debug)]
pub(crate) struct AssignBatch {
    connections: Vec<Connection>,
    job: Job,
    pub(crate) answers: Answers,
}

impl AssignBatch {
    pub(crate) async fn new(addresses: &[String], job: Job) -> Self {
        let call = "SELECT seq, rep FROM assign_contacts($1, $2, $3)";
        let connections = connect(&addresses[0], job, call).await;
        Self { connections, job, answers: Answers::of(job.callers) }
    }
}

impl Target for AssignBatch {
    const PIECES: u64 = BATCH;

    async fn call(&self, caller: usize, number: u64) -> Result<(), Failed> {
        let contacts = Job::batch(number);
        self.answers.ask(contacts.clone().count() as u64);
        let connection = &self.connections[caller % self.connections.len()];
        let group = self.job.group(number);
        let ids: Vec<_> = contacts.clone().map(contact_id).collect();
        let group_id = group.cast_signed();
        let rows = connection
            .client
            .query(&connection.assign, &[&group_id, &ids, &DETAILS])
            .await
            .map_err(failed)?;
        let answers = contacts.zip(&rows).map(|(contact, row)| answer(contact, group, row));
        let answers: Vec<_> = answers.collect::<Result<_, _>>()?;
        self.answers.add(caller, answers);
        Ok(())
    }
}
