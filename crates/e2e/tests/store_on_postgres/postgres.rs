//! Laws of nodes that share a PostgreSQL database.

mod access;
mod connections;
mod distributed;
mod faults;
mod migration;
mod node;
mod nodes;
mod pair;
mod pooler;
mod proxy;
mod refusals;
mod switch_over;
mod tls;
