//! Laws of the console: sessions, forms, what is shown and what is refused.

use std::time::Duration;

use reqwest::{Method, redirect};
use serde_json::json;

use crate::admin::world::World;

/// A browser of an operator, without JavaScript.
struct Browser<'w> {
    world: &'w World,
    http: reqwest::Client,
    cookie: String,
}

/// A page as it came.
struct Page {
    status: u16,
    location: String,
    cookie: String,
    retry_after: String,
    text: String,
}

impl Page {
    /// The value of the first hidden field of this name.
    fn hidden(&self, name: &str) -> String {
        let (_, after) = self.text.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        after.split('"').next().unwrap().to_owned()
    }
}

impl<'w> Browser<'w> {
    async fn signed_in(world: &'w World) -> Browser<'w> {
        let http = reqwest::Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        let mut browser = Browser { world, http, cookie: String::new() };
        let page =
            browser.post("/console/sign-in", &[("token", &world.token), ("to", "/console/keys")]).await;
        assert_eq!((page.status, page.location.as_str()), (303, "/console/keys"));
        assert!(page.cookie.ends_with("; Path=/console; HttpOnly; SameSite=Strict"), "{}", page.cookie);
        browser.cookie = page.cookie.split(';').next().unwrap().to_owned();
        browser
    }

    async fn get(&self, path: &str) -> Page {
        self.ask(Method::GET, path, String::new()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        self.ask(Method::POST, path, pairs.collect::<Vec<_>>().join("&")).await
    }

    /// Fills in the form of a page that has one, and sends it.
    async fn send(&self, page: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = page.hidden("csrf");
        self.post(path, &[&[("csrf", csrf.as_str())], fields].concat()).await
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Page {
        let request = self.http.request(method, format!("http://{}{path}", self.world.address));
        let answer = request.header("cookie", &self.cookie).body(body).send().await.unwrap();
        let header =
            |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, location, cookie) = (answer.status().as_u16(), header("location"), header("set-cookie"));
        let retry_after = header("retry-after");
        assert!(
            header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"),
            "{path}"
        );
        assert_eq!(header("cache-control"), "no-store", "{path}");
        Page { status, location, cookie, retry_after, text: answer.text().await.unwrap() }
    }
}

const PAGES: [&str; 6] = [
    "/console/",
    "/console/applications",
    "/console/new-application",
    "/console/keys",
    "/console/settings",
    "/console/attention",
];

#[tokio::test]
async fn every_page_needs_a_session_and_nothing_in_it_runs_inline() {
    let world = World::start().await;
    let browser = Browser::signed_in(&world).await;
    let stranger = Browser {
        cookie: "northgate_session=ngs_none".to_owned(),
        http: browser.http.clone(),
        world: &world,
    };
    for path in PAGES {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        assert!(
            !page.text.contains(" style=")
                && !page.text.contains(" onclick=")
                && !page.text.contains("<style"),
            "{path}"
        );
        assert!(
            !page.text.contains("http://") && !page.text.contains("<script>"),
            "{path} asks another server"
        );
        let refused = stranger.get(path).await;
        assert_eq!(refused.status, 303, "{path}");
        assert!(
            refused.location.starts_with("/console/sign-in?to=%2Fconsole"),
            "{path}: {}",
            refused.location
        );
    }
    let refused = stranger.post("/console/sign-in", &[("token", "guessed")]).await;
    assert_eq!((refused.status, refused.cookie.as_str()), (403, ""));
    assert!(refused.text.contains("This is not the admin token.") && !refused.text.contains("guessed"));
}

#[tokio::test]
async fn a_session_ends_after_half_an_hour_without_a_request_or_with_the_sign_out() {
    let world = World::start().await;
    let browser = Browser::signed_in(&world).await;
    let page = browser.get("/console/new-application").await;
    world.clock.advance(Duration::from_secs(30 * 60));
    let refused = browser.send(&page, "/console/applications", &[("name", "Meters")]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("Your session has ended, and nothing was changed."));
    assert_eq!(world.auth.registry().count(), 0);
    let browser = Browser::signed_in(&world).await;
    let page = browser.get("/console/").await;
    assert_eq!(browser.send(&page, "/console/sign-out", &[]).await.status, 303);
    assert_eq!(browser.get("/console/").await.status, 303);
}

#[tokio::test]
async fn wrong_sign_ins_are_limited_and_never_lock_the_right_token_out() {
    let world = World::start().await;
    let browser = Browser::signed_in(&world).await;
    let guess = || browser.post("/console/sign-in", &[("token", "guessed"), ("to", "/console/keys")]);
    for _ in 0..10 {
        assert_eq!(guess().await.status, 403);
    }
    let limited = guess().await;
    assert_eq!((limited.status, limited.retry_after.as_str(), limited.cookie.as_str()), (429, "6", ""));
    assert!(limited.text.contains("Try again in 6 s."), "{}", limited.text);
    assert_eq!(limited.hidden("to"), "/console/keys");
    // The right token opens a session at once.
    Browser::signed_in(&world).await;
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(guess().await.status, 403);
    assert_eq!(guess().await.status, 429);
}

#[tokio::test]
async fn a_sign_in_leads_to_no_other_site() {
    let world = World::start().await;
    let browser = Browser::signed_in(&world).await;
    for to in ["https://example.com/", "//example.com", "/consoles", "/admin/v1/status", ""] {
        let page = browser.post("/console/sign-in", &[("token", &world.token), ("to", to)]).await;
        assert_eq!(page.location, "/console/", "{to}");
    }
}

#[tokio::test]
async fn an_application_is_created_and_its_secret_logs_in() {
    let world = World::start().await;
    let browser = Browser::signed_in(&world).await;
    let form = browser.get("/console/new-application").await;
    let page =
        browser.send(&form, "/console/applications", &[("name", "Meters <1>"), ("app_id", "m 1")]).await;
    assert_eq!(page.status, 201, "{}", page.text);
    let (_, after) = page.text.split_once("<code id=\"secret\">").unwrap();
    let secret = after.split('<').next().unwrap();
    assert!(world.login("m 1", secret).await.is_ok());
    let page = browser.get("/console/applications/m%201").await;
    assert!(page.text.contains("<h1>Meters &#60;1&#62;</h1>"), "{}", page.text);
    assert!(!page.text.contains(secret), "the secret is shown a second time");
}

#[tokio::test]
async fn a_form_with_a_fault_comes_back_with_a_sentence_and_everything_that_was_typed() {
    let world = World::start().await;
    world.application("a").await;
    let browser = Browser::signed_in(&world).await;
    let form = browser.get("/console/new-application").await;
    let page = browser.send(&form, "/console/applications", &[("name", "Meters"), ("app_id", "a")]).await;
    assert_eq!(page.status, 409);
    assert!(
        page.text.contains("There is an application with this appId already.")
            && page.text.contains("value=\"Meters\"")
    );
    let form = browser.get("/console/applications/a").await;
    let revision = form.hidden("revision");
    let fields =
        [("revision", &revision[..]), ("name", "Kept"), ("max_grants", "1025"), ("access_lifetime", "2h")];
    let page = browser.send(&form, "/console/applications/a", &fields).await;
    assert_eq!(page.status, 400);
    for text in
        ["Write 1 to 1024, or nothing for the default.", "value=\"1025\"", "value=\"Kept\"", "value=\"2h\""]
    {
        assert!(page.text.contains(text), "{text}");
    }
    let page = browser.send(&form, "/console/applications/a/freeze", &[("reason", "")]).await;
    assert_eq!((page.status, page.text.contains("id=\"reason-error\"")), (400, true));
}

#[tokio::test]
async fn a_form_without_the_token_of_its_session_changes_nothing() {
    let world = World::start().await;
    world.application("a").await;
    let browser = Browser::signed_in(&world).await;
    for csrf in ["", "wrong", &Browser::signed_in(&world).await.get("/console/").await.hidden("csrf")] {
        for (path, fields) in [
            ("/console/applications/a/freeze", [("csrf", csrf), ("reason", "x")]),
            ("/console/applications/a/revoke", [("csrf", csrf), ("", "")]),
            ("/console/applications", [("csrf", csrf), ("name", "b")]),
        ] {
            let page = browser.post(path, &fields).await;
            assert_eq!(page.status, 403, "{path}");
            assert!(page.text.contains("does not belong to your session"), "{path}");
        }
    }
    let application = world.get("/admin/v1/applications/a").await;
    assert_eq!((&application["state"], application.get("tokensFrom")), (&json!("active"), None));
    assert_eq!(world.auth.registry().count(), 1);
}

#[tokio::test]
async fn an_application_is_frozen_with_a_reason_unfrozen_and_its_grants_ended() {
    let world = World::start().await;
    let secret = world.application("a").await;
    assert!(world.login("a", &secret).await.is_ok());
    let browser = Browser::signed_in(&world).await;
    let page = browser.get("/console/applications/a").await;
    let done = browser.send(&page, "/console/applications/a/freeze", &[("reason", "unpaid")]).await;
    assert_eq!((done.status, done.location.as_str()), (303, "/console/applications/a"));
    assert!(world.login("a", &secret).await.is_err());
    assert_eq!(browser.send(&page, "/console/applications/a/unfreeze", &[]).await.status, 303);
    assert!(world.login("a", &secret).await.is_ok());
    assert_eq!(browser.send(&page, "/console/applications/a/revoke", &[]).await.status, 303);
    assert!(world.get("/admin/v1/applications/a").await.get("tokensFrom").is_some());
}

#[tokio::test]
async fn a_stale_form_changes_nothing_and_shows_both_versions() {
    let world = World::start().await;
    world.application("a").await;
    let browser = Browser::signed_in(&world).await;
    let form = browser.get("/console/applications/a").await;
    let revision = form.hidden("revision");
    let set = json!({ "name": "Theirs" });
    assert_eq!(world.ask(Method::PATCH, "/admin/v1/applications/a", set).await.0, 200);
    let fields = [("revision", &revision[..]), ("name", "Mine")];
    let page = browser.send(&form, "/console/applications/a", &fields).await;
    assert_eq!(page.status, 409);
    assert!(page.text.contains("value=\"Mine\"") && page.text.contains("Now: Theirs"), "{}", page.text);
    assert_eq!(world.get("/admin/v1/applications/a").await["name"], "Theirs");
    // Sent again, it is about the state that the operator has seen.
    let revision = page.hidden("revision");
    let fields = [("revision", &revision[..]), ("name", "Mine")];
    assert_eq!(browser.send(&page, "/console/applications/a", &fields).await.status, 303);
    assert_eq!(world.get("/admin/v1/applications/a").await["name"], "Mine");
}

#[tokio::test]
async fn the_list_is_searched_filtered_sorted_and_paged_by_its_url() {
    let world = World::start().await;
    for number in 0..60 {
        world.application(&format!("app-{number:02}")).await;
    }
    let (freeze, all) = ("/admin/v1/applications/app-07/freeze", "/console/applications");
    assert_eq!(world.post(freeze, json!({})).await.0, 200);
    let browser = Browser::signed_in(&world).await;
    for (query, says, first) in [
        ("", "60 found, page 1 of 2", "app-59"),
        ("?page=2", "60 found, page 2 of 2", "app-09"),
        ("?page=900&sort=oldest", "60 found, page 2 of 2", "app-50"),
        ("?sort=name", "60 found, page 1 of 2", "app-00"),
        ("?q=APP-1&sort=oldest", "10 found, page 1 of 1", "app-10"),
        ("?state=frozen", "1 found, page 1 of 1", "app-07"),
    ] {
        let page = browser.get(&format!("{all}{query}")).await;
        assert!(page.text.contains(says), "{query}: {}", page.text);
        let (_, rows) = page.text.split_once("<tbody>").unwrap();
        let (_, after) = rows.split_once("<td class=\"mono\">").unwrap();
        assert!(after.starts_with(first), "{query}: {after}");
    }
    // A new application is found at once.
    world.application("the-newest").await;
    assert!(browser.get(&format!("{all}?q=the-newest")).await.text.contains("1 found"));
    assert!(browser.get(&format!("{all}?q=no-such")).await.text.contains("0 found"));
}
