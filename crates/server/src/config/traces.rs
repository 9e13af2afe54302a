//! `[traces]`: where spans are exported to, and of which requests.

use std::time::Duration;

use hyper::Uri;
use toml::Value;

use crate::config::ConfigError;
use crate::config::layers::Settings;
use crate::http_client::Origin;
use crate::traces::sampling::Ratio;

/// The port of OTLP over HTTP.
const PORT: u16 = 4318;

/// The path of traces, below that of the endpoint (OTLP specification, "OTLP/HTTP request").
const SIGNAL: &str = "/v1/traces";

/// The settings of the export.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// Nothing is traced without it.
    pub endpoint: Option<Endpoint>,
    /// The part of the requests without a caller's decision that are traced.
    pub ratio: Ratio,
    /// The most spans that wait for the export.
    pub queue: usize,
    /// Of the connection to the collector, and of its answer.
    pub timeout: Duration,
}

/// The URL of a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub origin: Origin,
    /// Of the request, with that of the signal.
    pub path: String,
}

impl Traces {
    pub(super) fn take(settings: &mut Settings) -> Result<Traces, ConfigError> {
        let instead = "\"\" or the URL of a collector's OTLP receiver over HTTP, such as \"http://127.0.0.1:4318\": without user, \
                       password and query; a collector adds credentials where a service needs them";
        let endpoint = settings.text("traces.endpoint", instead, |text| match text {
            "" => Some(None),
            url => Endpoint::parse(url).map(Some),
        })?;
        Ok(Traces {
            endpoint,
            ratio: settings.value("traces.ratio", "a number from 0.0 to 1.0", ratio)?,
            queue: settings.count("traces.queue", 1..=1_000_000)? as usize,
            timeout: settings
                .instant("traces.timeout", Duration::from_millis(100)..=Duration::from_secs(60))?,
        })
    }
}

impl Endpoint {
    fn parse(url: &str) -> Option<Endpoint> {
        let uri: Uri = url.parse().ok()?;
        let path = uri.path().trim_end_matches('/');
        if uri.query().is_some() || url.contains('#') {
            return None;
        }
        Some(Endpoint { origin: Origin::of(&uri, PORT)?, path: format!("{path}{SIGNAL}") })
    }

    /// The URL that spans are sent to.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin.url(), self.path)
    }
}

fn ratio(value: &Value) -> Option<Ratio> {
    match value {
        Value::Float(ratio) => Ratio::new(*ratio),
        Value::Integer(ratio) => Ratio::new(f64::from(i32::try_from(*ratio).ok()?)),
        Value::String(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::layers::Sources;

    #[test]
    fn spans_go_to_the_path_of_the_signal_below_the_endpoint() {
        for (endpoint, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://collector", "http://collector:4318/v1/traces"),
            ("https://[2001:db8::1]:443/otlp/", "https://[2001:db8::1]:443/otlp/v1/traces"),
        ] {
            assert_eq!(Endpoint::parse(endpoint).map(|parsed| parsed.url()).as_deref(), Some(url));
        }
    }

    #[test]
    fn an_endpoint_with_credentials_or_without_a_host_is_refused() {
        for endpoint in [
            "http://user:password@collector",
            "http://collector?key=s3cret",
            "http://collector#a",
            "collector:4318",
            "grpc://collector:4317",
            "http://",
        ] {
            assert_eq!(Endpoint::parse(endpoint), None, "{endpoint}");
        }
    }

    fn config(flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let flags = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Config::load(Sources { flags, ..Sources::default() })
    }

    #[test]
    fn a_refused_endpoint_is_shown_without_its_credentials() {
        for endpoint in
            ["http://user:s3cret@collector", "http://collector?key=s3cret", "user:s3cret@collector"]
        {
            let error = config(&[("traces.endpoint", endpoint)]).unwrap_err().to_string();
            assert!(error.starts_with("traces.endpoint = "), "{error}");
            assert!(!error.contains("s3cret") && error.contains("without user"), "{error}");
        }
    }

    #[test]
    fn traces_are_off_by_default_and_a_ratio_is_a_number_from_0_to_1() {
        let default = config(&[]).unwrap().traces;
        assert_eq!((default.endpoint, default.ratio), (None, Ratio::new(0.01).unwrap()));
        for (text, ratio) in
            [("0.25", Some(0.25)), ("1", Some(1.0)), ("1.5", None), ("NaN", None), ("a", None)]
        {
            let read = config(&[("traces.ratio", text)]).ok().map(|config| config.traces.ratio);
            assert_eq!(read, ratio.and_then(Ratio::new), "{text}");
        }
    }
}
