//! The programs of docs/oauth-clients.md, compiled and run as they stand, with the libraries in the versions that the page names.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "../standards/house.rs"]
#[allow(dead_code)]
mod house;
mod page;
mod reader;
#[path = "../standards/tools.rs"]
#[allow(dead_code)]
mod tools;

use std::process::Command;

use reader::Reader;

#[test]
fn nimbus_and_spring_security_get_and_check_tokens() {
    let reader = Reader::new();
    let programs =
        ["NimbusToken.java", "NimbusVerify.java", "SpringToken.java", "SpringKey.java", "SpringVerify.java"];
    for pom in ["spring6.xml", "spring7.xml"] {
        let folder = reader.folder(pom, &programs);
        reader.fixture(&folder, pom, "pom.xml");
        reader.maven(&folder, &["dependency:build-classpath", "-Dmdep.outputFile=libraries"]);
        let libraries = std::fs::read_to_string(folder.join("libraries")).unwrap();
        let class_path = format!(".:{libraries}");
        reader.run(Command::new("javac").args(["-cp", &class_path]).args(programs).current_dir(&folder));
        let java = |class: &str| {
            let mut java = Command::new("java");
            java.args(reader.trust_store()).args(["-cp", &class_path, class]).current_dir(&folder);
            java
        };
        let token = reader.tokens(&mut java("NimbusToken"), 3);
        reader.tokens(&mut java("SpringToken"), 1);
        reader.tokens(&mut java("SpringKey"), 2);
        reader.checks(&mut java("NimbusVerify"), &token);
        reader.checks(&mut java("SpringVerify"), &token);
    }
}

#[test]
fn quarkus_gets_and_checks_tokens() {
    let reader = Reader::new();
    let folder = reader.folder("quarkus", &[]);
    page::write("application.properties", &folder.join("src/main/resources"));
    page::write("Calls.java", &folder.join("src/main/java"));
    reader.fixture(&folder, "quarkus.xml", "pom.xml");
    reader.maven(&folder, &["package"]);
    let mut server = reader.quarkus(&folder.join("target/quarkus-app/quarkus-run.jar"));
    let token = server.get("token", None);
    reader.is_active(&token);
    assert_eq!(server.get("me", Some(&token)), reader.application.id);
    server.stop();
}

#[test]
fn go_libraries_get_and_check_tokens() {
    let reader = Reader::new();
    let programs = ["token/main.go", "assertion/main.go", "verifyoidc/main.go", "verifyzitadel/main.go"];
    let folder = reader.folder("go", &programs);
    reader.fixture(&folder, "go.mod", "go.mod");
    reader.fixture(&folder, "go.sum", "go.sum");
    reader.run(Command::new(reader::go()).args(["build", "-o", "bin/", "./..."]).current_dir(&folder));
    let program = |name: &str| Command::new(folder.join("bin").join(name));
    let token = reader.tokens(&mut program("token"), 1);
    reader.tokens(&mut program("assertion"), 1);
    reader.checks(&mut program("verifyoidc"), &token);
    let said = reader.run(program("verifyzitadel").arg(&token));
    assert!(said.starts_with(&reader.application.id), "{said}");
}

#[test]
fn python_libraries_get_and_check_tokens() {
    let reader = Reader::new();
    let programs = ["authlib_token.py", "requests_oauthlib_token.py", "verify.py"];
    let folder = reader.folder("python", &programs);
    let python = |program: &str| {
        let mut python = Command::new(tools::python());
        python.arg(folder.join(program));
        python
    };
    let token = reader.tokens(&mut python("authlib_token.py"), 3);
    reader.tokens(&mut python("requests_oauthlib_token.py"), 1);
    reader.checks(&mut python("verify.py"), &token);
}

#[test]
fn node_libraries_get_and_check_tokens() {
    let reader = Reader::new();
    let folder = reader.folder("node", &["token.mjs", "verify.mjs"]);
    std::os::unix::fs::symlink(tools::node_modules(), folder.join("node_modules")).unwrap();
    let node = |program: &str| {
        let mut node = Command::new(tools::node());
        node.arg(folder.join(program));
        node
    };
    let token = reader.tokens(&mut node("token.mjs"), 3);
    reader.checks(&mut node("verify.mjs"), &token);
}

/// A program that no test above names would be run by none.
#[test]
fn every_program_of_the_page_is_run() {
    let here = include_str!("main.rs");
    for name in page::names() {
        assert!(here.contains(&format!("\"{name}\"")), "{name} is not run");
    }
}
