//! A listener in this process, from the tests of the edge.

#[allow(dead_code)]
#[path = "../../../server/tests/http/edge/running.rs"]
pub mod running;
