//! The span of a request, by OpenTelemetry's conventions for HTTP servers. As the log, it shows no text of the client.

use axum::http::{Request, StatusCode};

use super::{InFlight, Listener, Observed, RequestLog, outcome_of};
use crate::traces::Traced;
use crate::traces::span::{Attribute, Description, Kind};

/// The route of `/verify`, to which Envoy appends the path of the call.
const VERIFY: &str = "/verify";

/// Takes up or begins the trace of a request: on the private listener of `/verify` only, which scrapes and probes are not.
pub(super) fn begin<B>(watch: &RequestLog, request: &Request<B>) -> Option<Box<Traced>> {
    let tracer = watch.tracer.as_ref()?;
    let is_traced = match watch.listener {
        Listener::Public => true,
        Listener::Private => {
            let rest = request.uri().path().strip_prefix(VERIFY);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    };
    is_traced.then(|| Box::new(tracer.begin(request.headers())))
}

/// Describes the request; `status` is missing if the client hung up.
pub(super) fn describe(
    asked: &InFlight,
    status: Option<StatusCode>,
    observed: Option<&Observed>,
) -> Description {
    let watch = &asked.watch;
    let method = watch.redaction.method(&asked.method);
    // The words of the conventions for a method that HTTP does not define.
    let (method, verb) = if method == "other" { ("_OTHER", "HTTP") } else { (method, method) };
    let (scheme, path) = match watch.listener {
        Listener::Public => ("https", watch.redaction.path(&asked.uri).to_string()),
        Listener::Private => {
            (watch.tracer.as_ref().map_or("http", |tracer| tracer.private_scheme()), VERIFY.to_owned())
        }
    };
    let mut attributes = vec![
        ("http.request.method", Attribute::Word(method)),
        ("url.scheme", Attribute::Word(scheme)),
        ("url.path", Attribute::Text(path.clone())),
        ("northgate.request_id", Attribute::Text(asked.id.to_string())),
    ];
    let outcome = outcome_of(observed, status);
    attributes.push(("northgate.outcome", Attribute::Word(outcome.as_str())));
    if let Some(observed) = observed {
        attributes.push(("northgate.operation", Attribute::Word(observed.operation.as_str())));
        let application = watch.redaction.application(observed);
        attributes
            .extend(application.map(|id| ("northgate.app_id", Attribute::Text(id.as_str().to_owned()))));
    }
    attributes.extend(status.map(|status| ("http.response.status_code", Attribute::Number(status.as_u16()))));
    let is_error = status.is_none_or(|status| status.is_server_error());
    if is_error {
        let cause = status.map_or(outcome.as_str().to_owned(), |status| status.as_u16().to_string());
        attributes.push(("error.type", Attribute::Text(cause)));
    }
    // No route matched otherwise.
    let is_routed = status != Some(StatusCode::NOT_FOUND);
    let name = if is_routed { format!("{verb} {path}") } else { verb.to_owned() };
    if is_routed {
        attributes.push(("http.route", Attribute::Text(path)));
    }
    Description { name, kind: Kind::Server, attributes, is_error }
}
