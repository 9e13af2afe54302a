//! The endpoints of docs/openapi.yaml: what holds for every endpoint is tried at each, also at those that are added later.

const DOCUMENT: &str = include_str!("../../../../../docs/openapi.yaml");

/// A documented path with values for its parameters.
#[derive(Debug)]
pub struct Endpoint {
    pub path: String,
    pub operations: Vec<Operation>,
}

#[derive(Debug)]
pub struct Operation {
    /// In upper case.
    pub method: String,
    pub has_body: bool,
}

/// Paths, methods and bodies have their indents to themselves: 2, 4 and 6 spaces.
pub fn endpoints() -> Vec<Endpoint> {
    let (_, paths) = DOCUMENT.split_once("\npaths:\n").unwrap();
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for line in paths.lines().take_while(|line| line.is_empty() || line.starts_with([' ', '#'])) {
        let word = line.trim_start().trim_end_matches(':');
        match line.len() - line.trim_start().len() {
            2 if word.starts_with('/') => {
                let path = word.replace("{app_id}", "a").replace("{path}", "x");
                let path = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
                endpoints.push(Endpoint { path: path.collect::<Vec<_>>().join("/"), operations: Vec::new() });
            }
            4 if ["get", "put", "post", "delete", "options", "head", "patch", "trace"].contains(&word) => {
                let operation = Operation { method: word.to_ascii_uppercase(), has_body: false };
                endpoints.last_mut().unwrap().operations.push(operation);
            }
            6 if word.starts_with("requestBody") => {
                endpoints.last_mut().unwrap().operations.last_mut().unwrap().has_body = true;
            }
            _ => {}
        }
    }
    assert!(endpoints.len() > 30, "the document is not read: {endpoints:?}");
    endpoints
}

impl Endpoint {
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
