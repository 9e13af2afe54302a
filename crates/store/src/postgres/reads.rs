//! Reads of grants, joined like writes.

use std::collections::HashMap;
use std::sync::Arc;

use northgate_core::application::AppNumber;
use northgate_core::grant::{Grant, GrantKey};
use tokio_postgres::{Client, Statement};

use super::connect::Trouble;
use super::batch_worker::{Ask, Work};
use super::pool::Session;
use super::{rows, steps};

pub(crate) struct Reads;

pub(crate) enum ReadAsk {
    One(Ask<GrantKey, Option<Grant>>),
    All(Ask<AppNumber, Vec<Grant>>),
}

pub(crate) struct Statements {
    one: Statement,
    all: Statement,
}

const ALL: &str = "
    SELECT application, id, generation, refreshed_at, expires_at FROM grants WHERE application = ANY($1::int4[])";

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, Trouble> {
        let (one, all) = tokio::try_join!(client.prepare(steps::PRESENT), client.prepare(ALL))?;
        Ok(Statements { one, all })
    }
}

impl Work for Reads {
    type Ask = ReadAsk;
    const NAME: &'static str = "read";
    const AT_ONCE: usize = 1_024;
    const WRITES: bool = false;

    fn is_abandoned(ask: &ReadAsk) -> bool {
        match ask {
            ReadAsk::One(ask) => ask.answer.is_closed(),
            ReadAsk::All(ask) => ask.answer.is_closed(),
        }
    }

    fn refuse(ask: ReadAsk, trouble: &Arc<Trouble>) {
        match ask {
            ReadAsk::One(ask) => ask.refuse(trouble),
            ReadAsk::All(ask) => ask.refuse(trouble),
        }
    }

    async fn perform(
        &mut self,
        session: &mut Session,
        asks: &mut Vec<ReadAsk>,
        _again: bool,
    ) -> Result<(), Trouble> {
        let (client, statements) = (&session.client, &session.statements.reads);
        let (mut places, mut applications) = (Vec::new(), Vec::new());
        for ask in asks.iter() {
            match ask {
                ReadAsk::One(ask) => places.push(rows::place(ask.what)),
                ReadAsk::All(ask) => applications.push(rows::number(ask.what)),
            }
        }
        let (one, all) = tokio::try_join!(
            steps::present(client, &statements.one, &places),
            all_of(client, statements, &applications)
        )?;
        for ask in asks.drain(..) {
            match ask {
                ReadAsk::One(ask) => {
                    let found = one.get(&rows::place(ask.what)).copied();
                    ask.tell(found);
                }
                ReadAsk::All(ask) => {
                    let found = all.get(&ask.what).cloned().unwrap_or_default();
                    ask.tell(found);
                }
            }
        }
        Ok(())
    }
}

async fn all_of(
    client: &Client,
    statements: &Statements,
    applications: &[i32],
) -> Result<HashMap<AppNumber, Vec<Grant>>, Trouble> {
    let mut all: HashMap<AppNumber, Vec<Grant>> = HashMap::new();
    if !applications.is_empty() {
        for row in &client.query(&statements.all, &[&applications]).await? {
            let (application, grant) = rows::grant(row)?;
            all.entry(application).or_default().push(grant);
        }
    }
    Ok(all)
}
