//! The lines of our pages for programmers, pasted as a reader would: the addresses and names of a running server in their
//! places, and nothing else changed. Those in Java and Go are pasted by `tests/clients/run`, which has their compilers.

use std::process::{Command, Output};

use serde_json::Value;

use crate::house::{Application, House};
use crate::tools;

/// One block of a page between its fences.
struct Block {
    language: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let path = format!("{}/../../docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    // Before, in, after, in, …
    let parts = text.split("```").skip(1).step_by(2);
    let split = parts.map(|part| part.split_once('\n').unwrap());
    split.map(|(language, text)| Block { language: language.to_owned(), text: text.to_owned() }).collect()
}

/// The texts of a page in one language, of which there must be some.
fn texts(page: &str, language: &str) -> Vec<String> {
    let all = blocks(page).into_iter().filter(|block| block.language == language);
    let texts: Vec<String> = all.map(|block| block.text).collect();
    assert!(!texts.is_empty(), "{page} has nothing in {language}");
    texts
}

/// A reader of a page, in the directory that the server was started in.
struct Reader {
    house: House,
    application: Application,
}

impl Reader {
    fn new() -> Reader {
        // It is in lines of the page on OAuth.
        tools::openssl();
        // What the pages say about certificates and version 3 asks for these.
        let settings = [("NORTHGATE_TLS_CLIENT_CERTIFICATES", "request"), ("NORTHGATE_API_V3_LOGIN", "on")];
        let house = House::new(&settings);
        let application = house.application("a reader", &[]);
        Reader { house, application }
    }

    /// With the ports of this server.
    fn here(&self, text: &str) -> String {
        let (public, private) = (self.house.server.public.port(), self.house.server.private.port());
        text.replace(":8743", &format!(":{public}")).replace(":8744", &format!(":{private}"))
    }

    #[track_caller]
    fn run(&self, command: &mut Command) -> String {
        let Output { status, stdout, stderr } = self.house.server.output(command);
        let (said, trouble) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{command:?}\n{said}\n{trouble}");
        said.into_owned()
    }

    /// Pastes into a shell in which the tokens of a new login are, and where `northgate` is this program.
    #[track_caller]
    fn paste(&self, text: &str) -> String {
        let pair = self.house.login(&self.application);
        let program = northgate_testkit::program();
        let command = format!(
            "northgate() {{ '{program}' \"$@\" --data-dir northgate-data --admin-listen {}; }}",
            self.house.server.private
        );
        let text = text
            .replace("APP_ID=…", &format!("APP_ID={}", self.application.id))
            .replace("SECRET=…", &format!("SECRET={}", self.application.secret))
            .replace(" APPID ", &format!(" {} ", self.application.id));
        let script = format!("set -euo pipefail\n{command}\n{}", self.here(&text));
        let mut shell = Command::new("/bin/bash");
        shell.args(["-c", &script]).envs([("TOKEN", &pair.access), ("ACCESS_TOKEN", &pair.access)]);
        self.run(shell.env("REFRESH_TOKEN", &pair.refresh))
    }

    /// Pastes each block of a page that is for a shell after the first, which says where everything is. The block about
    /// generators is for the suite `generated_clients`, which has them.
    fn shell(&self, page: &str) -> Vec<String> {
        let texts = texts(page, "sh");
        let pasted = texts[1..].iter().filter(|text| !text.contains("openapi-generator-cli.jar"));
        pasted.map(|text| self.paste(&format!("{}{text}", texts[0]))).collect()
    }

    /// A file with `text` in the reader's directory.
    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.house.server.home.path().join(name), self.here(text)).unwrap();
        name.to_owned()
    }

    /// Introspects a token where gateways do.
    fn told(&self, token: &str) -> Value {
        let url = format!("http://{}/oauth2/introspect", self.house.server.private);
        let answer = self.run(Command::new("curl").args(["-sS", "-d", &format!("token={token}"), &url]));
        serde_json::from_str(&answer).unwrap()
    }
}

/// One text member of an answer that is JSON.
#[track_caller]
fn member(answer: &str, name: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap_or_else(|_| panic!("{answer}"));
    answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn the_shell_lines_of_the_page_on_oauth_do_what_they_say() {
    let reader = Reader::new();
    let [token, refresh, introspect_and_revoke, key, certificate] = &reader.shell("oauth.md")[..] else {
        panic!("the page has other lines than this test knows");
    };
    assert_eq!(reader.told(&member(token, "access_token"))["active"], true);
    assert_eq!(reader.told(&member(refresh, "access_token"))["active"], true);
    assert!(introspect_and_revoke.contains(r#""active":true"#), "{introspect_and_revoke}");
    assert!(introspect_and_revoke.ends_with("200\n"), "{introspect_and_revoke}");
    assert!(key.contains(" Ed25519 "), "{key}");
    let bound =
        certificate.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{certificate}"));
    assert!(reader.told(&member(bound, "access_token"))["cnf"]["x5t#S256"].is_string());
}

#[test]
fn the_shell_lines_of_the_page_on_the_application_api_do_what_they_say() {
    let reader = Reader::new();
    let [login, refresh, _logout, v3_login, verify] = &reader.shell("api.md")[..] else {
        panic!("the page has other lines than this test knows");
    };
    assert_eq!(reader.told(&member(login, "accessToken"))["active"], true);
    for pair in [refresh, v3_login] {
        assert_eq!(reader.told(&member(pair, "accessToken"))["active"], true);
    }
    assert!(verify.starts_with("HTTP/1.1 200 "), "{verify}");
}

#[test]
fn the_shell_lines_of_the_page_on_signed_tokens_do_what_they_say() {
    let reader = Reader::new();
    let [kinds, dpop] = &texts("jwt.md", "sh")[..] else {
        panic!("the page has other lines than this test knows");
    };
    let [asking, ..] = &texts("oauth.md", "sh")[..2] else { panic!("the page on OAuth asks for no token") };
    let ask = format!("{asking}{}", texts("oauth.md", "sh")[1]);
    for kind in kinds.lines() {
        reader.paste(kind);
        let token = member(&reader.paste(&ask), "access_token");
        assert_eq!(token.split('.').count(), 3, "{token}");
    }
    reader.paste(dpop);
    assert_eq!(member(&reader.paste(&ask), "error"), "invalid_dpop_proof");
}

#[test]
fn the_python_of_the_page_on_oauth_gets_tokens() {
    let reader = Reader::new();
    let [secret, assertion] = &texts("oauth.md", "python")[..] else {
        panic!("the page has other lines than this test knows");
    };
    let Application { id, secret: word } = &reader.application;
    let file = reader.file("secret.py", &format!("{secret}\nprint(token('{id}', '{word}'))"));
    let token = reader.run(Command::new(tools::python()).arg(file));
    assert_eq!(reader.told(token.trim())["active"], true);

    let texts = texts("oauth.md", "sh");
    let keys = texts.iter().find(|text| text.contains("--public-key")).unwrap();
    reader.paste(&format!("{}{keys}", texts[0]));
    let file = reader.file("assertion.py", &format!("{assertion}\nprint(assertion_form('{id}'))"));
    let form = reader.run(Command::new(tools::python()).arg(file));
    let answer =
        reader.paste(&format!("{}curl -sS --cacert $CA -d '{}' $OAUTH/token", texts[0], form.trim()));
    assert_eq!(reader.told(&member(&answer, "access_token"))["active"], true);
}

#[test]
fn the_javascript_of_the_page_on_oauth_gets_a_token() {
    let reader = Reader::new();
    let [text] = &texts("oauth.md", "js")[..] else {
        panic!("the page has other lines than this test knows")
    };
    let Application { id, secret } = &reader.application;
    let file = reader.file("app.mjs", &format!("{text}\nconsole.log(await token('{id}', '{secret}'));"));
    let mut node = Command::new(tools::node());
    node.env("NODE_EXTRA_CA_CERTS", "northgate-data/tls/cert.pem");
    let token = reader.run(node.arg(file));
    assert_eq!(reader.told(token.trim())["active"], true);
}

/// No test would paste a block in another language.
#[test]
fn every_block_of_these_pages_is_pasted_or_is_none_to_paste() {
    for page in ["api.md", "oauth.md", "jwt.md"] {
        for block in blocks(page) {
            let known = ["sh", "python", "js", "java", "go", "json", "text", "nginx"];
            assert!(known.contains(&&block.language[..]), "{page}: {}", block.language);
        }
    }
}
