//! Clients that generators make of docs/openapi.yaml: they compile, and those in Java, Go and Python log in and refresh.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod generator;
#[path = "../standards/house.rs"]
#[allow(dead_code)]
mod house;
#[path = "../standards/tools.rs"]
#[allow(dead_code)]
mod tools;

use std::path::Path;
use std::process::Command;

use generator::{Folder, fixtures, go, python};
use northgate_testkit::repository;

#[test]
fn a_client_in_java_logs_in_and_refreshes() {
    let folder = Folder::new();
    folder.generate("java", &["--library", "native"]);
    let java = folder.path("java");
    let build = ["-DskipTests", "compile", "dependency:build-classpath", "-Dmdep.outputFile=libraries"];
    folder.maven(&java, &build);
    let libraries = std::fs::read_to_string(java.join("libraries")).unwrap();
    let class_path = format!("target/classes:classes:{libraries}");
    let source = fixtures().join("LoginAndRefresh.java");
    let mut javac = Command::new("javac");
    folder.run(javac.args(["-cp", &class_path, "-d", "classes"]).arg(source).current_dir(&java));
    let mut program = Command::new("java");
    program.args(folder.trust_store()).args(["-cp", &class_path, "LoginAndRefresh"]).current_dir(&java);
    folder.logs_in_and_refreshes(&mut program);
}

#[test]
fn a_client_in_go_logs_in_and_refreshes() {
    let folder = Folder::new();
    folder.generate("go", &["--git-user-id", "northgate", "--git-repo-id", "client", "-ppackageName=client"]);
    let program = folder.path("program");
    std::fs::create_dir(&program).unwrap();
    for name in ["main.go", "go.mod", "go.sum"] {
        std::fs::copy(fixtures().join(name), program.join(name)).unwrap();
    }
    folder.run(Command::new(go()).args(["build", "-o", "login", "."]).current_dir(&program));
    folder.logs_in_and_refreshes(&mut Command::new(program.join("login")));
}

#[test]
fn a_client_in_python_logs_in_and_refreshes() {
    let folder = Folder::new();
    folder.generate("python", &[]);
    let mut program = Command::new(python());
    program.arg(fixtures().join("login_and_refresh.py")).env("PYTHONPATH", folder.path("python"));
    folder.logs_in_and_refreshes(&mut program);
}

#[test]
fn a_client_of_another_generator_for_python_logs_in_and_refreshes() {
    let folder = Folder::new();
    let output = folder.path("attrs");
    let mut generate = Command::new(python().with_file_name("openapi-python-client"));
    generate
        .args(["generate", "--path"])
        .arg(repository("docs/openapi.yaml"))
        .arg("--output-path")
        .arg(&output);
    // It formats what it has written by a program beside it.
    generate.env("PATH", python().parent().map(Path::to_owned).unwrap());
    folder.run(&mut generate);
    let mut program = Command::new(python());
    program.arg(fixtures().join("attrs_login.py")).env("PYTHONPATH", output);
    folder.logs_in_and_refreshes(&mut program);
}

#[test]
fn a_client_in_typescript_compiles() {
    let folder = Folder::new();
    folder.generate("typescript-fetch", &[]);
    let client = folder.path("typescript-fetch");
    let mut compile = generator::npm_program("tsc");
    compile.args(["--noEmit", "--target", "es2020", "--lib", "es2020,dom", "--moduleResolution", "node"]);
    folder.run(compile.args(["--ignoreDeprecations", "5.0", "index.ts"]).current_dir(client));
}

#[test]
fn the_linter_has_nothing_to_say() {
    let mut lint = generator::npm_program("redocly");
    lint.args(["lint", "--format=json", "--config"]).arg(repository("docs/redocly.yaml"));
    let output = lint.arg(repository("docs/openapi.yaml")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let found: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{output:?}"));
    let totals = &found["totals"];
    assert_eq!((&totals["errors"], &totals["warnings"]), (&0.into(), &0.into()), "{said}");
}
