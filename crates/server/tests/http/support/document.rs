//! The endpoints of docs/openapi.yaml: what holds for every endpoint is tried at each, also at those that are added later.

const DOCUMENT: &str = include_str!("../../../../../docs/openapi.yaml");

/// A documented path with values for its parameters.
#[derive(Debug)]
pub struct Endpoint {
    pub path: String,
    pub operations: Vec<Operation>,
    is_public: bool,
    is_private: bool,
}

/// The listener of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    Public,
    Private,
}

#[derive(Debug)]
pub struct Operation {
    /// In upper case.
    pub method: String,
    pub has_body: bool,
    /// The documented statuses.
    pub statuses: Vec<u16>,
}

/// Paths, methods, bodies and statuses have their indents to themselves: 2, 4, 6 and 8 spaces.
pub fn endpoints() -> Vec<Endpoint> {
    let (_, paths) = DOCUMENT.split_once("\npaths:\n").unwrap();
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for line in paths.lines().take_while(|line| line.is_empty() || line.starts_with([' ', '#'])) {
        let word = line.trim_start().trim_end_matches(':');
        match line.len() - line.trim_start().len() {
            2 if word.starts_with('/') => {
                let path = word.replace("{app_id}", "a").replace("{path}", "x");
                let path = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
                let path = path.collect::<Vec<_>>().join("/");
                endpoints.push(Endpoint {
                    path,
                    operations: Vec::new(),
                    is_public: false,
                    is_private: false,
                });
            }
            4 if ["get", "put", "post", "delete", "options", "head", "patch", "trace"].contains(&word) => {
                let operation =
                    Operation { method: word.to_ascii_uppercase(), has_body: false, statuses: Vec::new() };
                endpoints.last_mut().unwrap().operations.push(operation);
            }
            6 if word.starts_with("requestBody") => {
                endpoints.last_mut().unwrap().operations.last_mut().unwrap().has_body = true;
            }
            8 if word.starts_with('"') => {
                let status: Option<u16> = word[1..].split('"').next().unwrap().parse().ok();
                endpoints.last_mut().unwrap().operations.last_mut().unwrap().statuses.extend(status);
            }
            _ => {}
        }
        if let Some(endpoint) = endpoints.last_mut() {
            endpoint.is_public |= line.contains(":8743");
            endpoint.is_private |= line.contains(":8744");
        }
    }
    assert!(endpoints.len() > 30, "the document is not read: {endpoints:?}");
    endpoints
}

impl Operation {
    /// Whether `status` is documented, for a method whose answer has a body.
    pub fn demands(&self, status: u16) -> bool {
        self.method != "HEAD" && self.statuses.contains(&status)
    }
}

impl Endpoint {
    /// The listeners that have it. The public one has what names no server.
    pub fn listeners(&self) -> Vec<Listener> {
        let public = (self.is_public || !self.is_private).then_some(Listener::Public);
        public.into_iter().chain(self.is_private.then_some(Listener::Private)).collect()
    }

    pub fn is_admin(&self) -> bool {
        self.path.starts_with("/admin/")
    }

    /// The value of `Allow`, in the order of the alphabet.
    pub fn allowed(&self) -> Vec<&str> {
        let mut methods: Vec<&str> = self.operations.iter().map(|operation| &operation.method[..]).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        methods.dedup();
        methods
    }
}
