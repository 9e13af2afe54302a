//! The trace of a call, from the client through the gateway and `/verify` to the platform.

use crate::gateway::Kind;
use crate::gateway_stack::{GatewayStack, Heard, PLAN, Plan};
use crate::raw;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A call of a client that traces it.
async fn call(stack: &GatewayStack) -> Heard {
    let token = stack.token().await;
    let lines =
        format!("Connection: close\r\ntraceparent: 00-{TRACE}-{CALLER}-01\r\ntracestate: vendor=a\r\n");
    raw::send(stack, raw::call(stack, "GET /iodm/x HTTP/1.1", &token, &lines)).await
}

/// What arrived at the platform in this header.
fn arrived(heard: &Heard, name: &str) -> Vec<String> {
    let heard = heard.platform();
    let lines = heard["headers"].as_array().unwrap().iter();
    let of_name = lines.filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name));
    of_name.map(|line| line[1].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_platform_gets_the_trace_that_verify_has_answered() {
    for kind in Kind::ALL {
        let stack = GatewayStack::with(kind, Plan { traced: Some(0.0), ..PLAN }).await;
        let heard = call(&stack).await;
        assert_eq!(heard.status, 200, "{kind:?} {heard:?}");
        let span = stack.world.api.tracer.as_ref().unwrap().batch().remove(0);
        let parent = span.parent.map(|parent| parent.to_string());
        assert_eq!((span.trace.to_string(), parent.as_deref()), (TRACE.to_owned(), Some(CALLER)), "{kind:?}");
        // Traefik hands the client's on.
        let parent = if kind == Kind::Traefik { CALLER.to_owned() } else { span.id.to_string() };
        assert_eq!(arrived(&heard, "traceparent"), [format!("00-{TRACE}-{parent}-01")], "{kind:?}");
        assert_eq!(arrived(&heard, "tracestate"), ["vendor=a"], "{kind:?}");
    }
}

#[tokio::test]
async fn while_traces_are_off_the_platform_gets_the_trace_of_the_client() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let heard = call(&stack).await;
        assert_eq!(heard.status, 200, "{kind:?} {heard:?}");
        assert_eq!(arrived(&heard, "traceparent"), [format!("00-{TRACE}-{CALLER}-01")], "{kind:?}");
        assert_eq!(arrived(&heard, "tracestate"), ["vendor=a"], "{kind:?}");
    }
}
